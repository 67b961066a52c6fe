//! Hot quotes in this process: slots that the trading path writes without ever waiting for a reader.
//!
//! A slot has two copies and a version. The writer fills the copy that nobody is sent to, then makes it the one
//! that readers are sent to, so a write is a dozen stores, whoever reads and however slowly. A reader that was
//! overtaken by a whole write reads again: each new try means that a newer value is there. This is a lock without
//! a lock, in atomics alone, because `unsafe` is forbidden here; the fences follow H.-J. Boehm, "Can seqlocks get
//! along with programming language memory models?" (MSPC 2012).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use market::history::{DelayClass, SourceName};
use market::{Price, Quantity, Symbol, Timestamp};

use super::{Fresh, HotQuote, HotQuotes, Kept};
use crate::error::StoreError;

/// Words of a copy.
const WORDS: usize = 9;

/// What the trading path writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Top {
    /// As in [`HotQuote`], like the others.
    pub at: Timestamp,
    /// Last price.
    pub last: Price,
    /// Best buy price.
    pub bid: Price,
    /// Best sell price.
    pub ask: Price,
    /// Units at the bid.
    pub bid_size: Quantity,
    /// Units at the ask.
    pub ask_size: Quantity,
}

/// A source and the age of what it tells, noted once so that a write is a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OriginId(u32);

/// The hot quotes of this process. Each slot has one writer at a time; anybody may read.
#[derive(Debug)]
pub struct InProcessQuotes {
    /// Times in slots count from here.
    began: Instant,
    time_to_live: Duration,
    symbols: Vec<Symbol>,
    places: HashMap<Symbol, usize>,
    slots: Vec<Slot>,
    origins: Mutex<Vec<(SourceName, DelayClass)>>,
    told: AtomicBool,
}

#[derive(Debug, Default)]
struct Slot {
    /// How often it was written. The newest copy is that of its last bit.
    version: AtomicU64,
    copies: [[AtomicU64; WORDS]; 2],
}

impl InProcessQuotes {
    /// Nothing known of these symbols; their places are those in the list. What is written counts for
    /// `time_to_live`.
    pub fn new(symbols: Vec<Symbol>, time_to_live: Duration, began: Instant) -> Self {
        Self {
            began,
            time_to_live,
            places: symbols.iter().enumerate().map(|(place, symbol)| (*symbol, place)).collect(),
            slots: symbols.iter().map(|_| Slot::default()).collect(),
            symbols,
            origins: Mutex::default(),
            told: AtomicBool::new(false),
        }
    }

    /// How many symbols there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Notes where quotes come from.
    pub fn origin(&self, source: SourceName, delay: DelayClass) -> OriginId {
        let mut origins = self.origins();
        let found = origins.iter().position(|known| *known == (source, delay));
        let place = found.unwrap_or_else(|| {
            origins.push((source, delay));
            origins.len() - 1
        });
        OriginId(u32::try_from(place).unwrap_or(u32::MAX))
    }

    /// Writes what is known now; never waits. A place of another list is left alone.
    #[inline]
    pub fn write(&self, place: usize, top: &Top, origin: OriginId, now: Instant) {
        if let Some(slot) = self.slots.get(place) {
            let sequence = slot.version.load(Ordering::Relaxed) + 1;
            slot.write(self.words(top, origin, sequence, now + self.time_to_live));
        }
    }

    /// How often the slot of this place was written.
    #[inline]
    pub fn version(&self, place: usize) -> u64 {
        self.slots.get(place).map_or(0, |slot| slot.version.load(Ordering::Acquire))
    }

    /// What was written last, with the version that it is; none before the first time.
    pub fn read(&self, place: usize) -> Option<(u64, Fresh)> {
        let (version, words) = self.slots.get(place)?.read()?;
        let [at, last, bid, ask, bid_size, ask_size, origin, sequence, until] = words;
        let (source, delay) = *self.origins().get(usize::try_from(origin).ok()?)?;
        let quote = HotQuote {
            symbol: self.symbols[place],
            at: Timestamp::from_nanos(at.cast_signed()),
            last: Price::from_steps(last.cast_signed()),
            bid: Price::from_steps(bid.cast_signed()),
            ask: Price::from_steps(ask.cast_signed()),
            bid_size: Quantity::new(bid_size.cast_signed()),
            ask_size: Quantity::new(ask_size.cast_signed()),
            source,
            delay,
            sequence,
        };
        Some((version, Fresh { quote, until: self.began + Duration::from_nanos(until) }))
    }

    fn words(&self, top: &Top, origin: OriginId, sequence: u64, until: Instant) -> [u64; WORDS] {
        // 2^64 nanoseconds are five hundred years.
        let until = u64::try_from(until.saturating_duration_since(self.began).as_nanos()).unwrap_or(u64::MAX);
        let price = |price: Price| price.steps().cast_unsigned();
        let size = |size: Quantity| size.units().cast_unsigned();
        let at = top.at.as_nanos().cast_unsigned();
        let (bid, ask) = (price(top.bid), price(top.ask));
        [at, price(top.last), bid, ask, size(top.bid_size), size(top.ask_size), origin.0.into(), sequence, until]
    }

    fn origins(&self) -> MutexGuard<'_, Vec<(SourceName, DelayClass)>> {
        self.origins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HotQuotes for InProcessQuotes {
    fn publish(&self, batch: &[Fresh], now: Instant) -> Result<Kept, StoreError> {
        let place_of = |fresh: &Fresh| {
            self.places.get(&fresh.quote.symbol).copied().ok_or_else(|| StoreError::NotStorable {
                key: "a hot quote".to_owned(),
                field: "symbol",
                value: format!("{}, which is not part of this run", fresh.quote.symbol),
            })
        };
        // All or none: every place first.
        let places = batch.iter().map(place_of).collect::<Result<Vec<_>, _>>()?;
        for (fresh, place) in batch.iter().zip(places).filter(|(fresh, _)| fresh.until > now) {
            let HotQuote { at, last, bid, ask, bid_size, ask_size, source, delay, sequence, .. } = fresh.quote;
            let top = Top { at, last, bid, ask, bid_size, ask_size };
            self.slots[place].write(self.words(&top, self.origin(source, delay), sequence, fresh.until));
        }
        Ok(if self.told.swap(true, Ordering::AcqRel) { Kept::AsBefore } else { Kept::Nothing })
    }

    fn newest(&self, symbol: Symbol, now: Instant) -> Result<Option<HotQuote>, StoreError> {
        let found = self.places.get(&symbol).and_then(|place| self.read(*place));
        Ok(found.filter(|(_, fresh)| fresh.until > now).map(|(_, fresh)| fresh.quote))
    }
}

impl Slot {
    #[inline]
    fn write(&self, words: [u64; WORDS]) {
        let next = self.version.load(Ordering::Relaxed) + 1;
        // Whoever sees one of the words below also sees that the version before this one was there.
        fence(Ordering::Release);
        for (held, word) in self.copies[(next & 1) as usize].iter().zip(words) {
            held.store(word, Ordering::Relaxed);
        }
        self.version.store(next, Ordering::Release);
    }

    fn read(&self) -> Option<(u64, [u64; WORDS])> {
        loop {
            let version = self.version.load(Ordering::Acquire);
            if version == 0 {
                return None;
            }
            let words = std::array::from_fn(|word| self.copies[(version & 1) as usize][word].load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if self.version.load(Ordering::Relaxed) == version {
                return Some((version, words));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(60);

    fn all(number: u64) -> [u64; WORDS] {
        [number; WORDS]
    }

    #[test]
    fn a_reader_never_sees_half_of_a_write_nor_an_older_one_after_a_newer() {
        let slot = Slot::default();
        assert!(slot.read().is_none());
        let writes = 200_000;
        std::thread::scope(|scope| {
            let reader = || {
                let (mut last, mut seen) = (0, 0);
                while last < writes {
                    let Some((version, words)) = slot.read() else { continue };
                    assert_eq!(words, all(version), "words of another write");
                    assert!(version >= last, "{version} after {last}");
                    seen += u64::from(version > last);
                    last = version;
                }
                seen
            };
            let readers = [scope.spawn(reader), scope.spawn(reader)];
            for number in 1..=writes {
                slot.write(all(number));
            }
            for reader in readers {
                assert!(reader.join().expect("a reader that found nothing wrong") > 0);
            }
        });
    }

    #[test]
    fn a_write_counts_itself_and_its_time() {
        let began = Instant::now();
        let [petr, vale] = ["PETR4", "VALE3"].map(|symbol| symbol.parse::<Symbol>().expect("a symbol"));
        let quotes = InProcessQuotes::new(vec![petr, vale], TTL, began);
        let origin = quotes.origin(SourceName::of("replay"), DelayClass::EndOfDay);
        assert_eq!(quotes.origin(SourceName::of("replay"), DelayClass::EndOfDay), origin, "noted once");
        let top = |bid| Top {
            at: Timestamp::from_nanos(-5),
            last: Price::from_steps(bid + 1),
            bid: Price::from_steps(bid),
            ask: Price::from_steps(bid + 2),
            bid_size: Quantity::new(100),
            ask_size: Quantity::new(200),
        };
        quotes.write(0, &top(7), origin, began);
        quotes.write(0, &top(9), origin, began + TTL / 2);
        quotes.write(99, &top(9), origin, began);
        assert_eq!((quotes.version(0), quotes.version(1), quotes.version(99)), (2, 0, 0));
        let (version, fresh) = quotes.read(0).expect("a quote");
        assert_eq!((version, fresh.quote.sequence, fresh.until), (2, 2, began + TTL / 2 + TTL));
        assert_eq!((fresh.quote.bid, fresh.quote.at), (Price::from_steps(9), Timestamp::from_nanos(-5)));
        assert_eq!((fresh.quote.symbol, fresh.quote.delay), (petr, DelayClass::EndOfDay));
        assert!(quotes.read(1).is_none() && quotes.read(99).is_none());
        let newest = |now| quotes.newest(petr, now).expect("an answer");
        assert_eq!(newest(fresh.until - Duration::from_nanos(1)), Some(fresh.quote));
        assert_eq!(newest(fresh.until), None, "it vanishes rather than lies");
    }

    #[test]
    fn a_batch_with_a_symbol_of_another_run_changes_nothing() {
        let began = Instant::now();
        let symbol = |text: &str| text.parse::<Symbol>().expect("a symbol");
        let quotes = InProcessQuotes::new(vec![symbol("PETR4")], TTL, began);
        let fresh = |text| Fresh { quote: crate::contract::quotes::quote(text, 1), until: began + TTL };
        let refused = quotes.publish(&[fresh("PETR4"), fresh("OIBR3")], began).expect_err("it is refused");
        assert!(refused.to_string().contains("OIBR3, which is not part of this run"), "{refused}");
        assert_eq!(quotes.newest(symbol("PETR4"), began).expect("an answer"), None);
    }
}

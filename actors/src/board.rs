//! Hot quotes: what is known of each instrument's price now, and quotes on their way.
//!
//! The latest wins. A reader that is slow sees fewer values, never older ones, and no queue grows:
//! each slot has at most one message on its way ("look again"), however often it is written.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use market::{InstrumentId, Quote, TopOfBook};

/// The hot quotes of a run.
#[derive(Debug)]
pub struct Board {
    slots: Vec<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    top: Mutex<TopOfBook>,
    /// The account has been told to look and has not looked yet.
    told: AtomicBool,
}

impl Board {
    /// Nothing known of `instruments` instruments.
    pub fn new(instruments: usize) -> Self {
        Self { slots: (0..instruments).map(|_| Slot::default()).collect() }
    }

    /// What is known now; nothing for a number of another universe.
    #[inline]
    pub fn top(&self, instrument: InstrumentId) -> TopOfBook {
        self.slots.get(instrument.index()).map(|slot| *lock(&slot.top)).unwrap_or_default()
    }

    /// Writes what is known now; `true` if the account must be told to look.
    #[inline]
    pub fn write(&self, instrument: InstrumentId, top: TopOfBook) -> bool {
        let Some(slot) = self.slots.get(instrument.index()) else { return false };
        *lock(&slot.top) = top;
        !slot.told.swap(true, Ordering::AcqRel)
    }

    /// Writes what is known now, of which the account need not be told: no price of it changed.
    pub fn amend(&self, instrument: InstrumentId, top: TopOfBook) {
        if let Some(slot) = self.slots.get(instrument.index()) {
            *lock(&slot.top) = top;
        }
    }

    /// Looks: what is known now. A later write tells again.
    #[inline]
    pub fn look(&self, instrument: InstrumentId) -> TopOfBook {
        if let Some(slot) = self.slots.get(instrument.index()) {
            slot.told.store(false, Ordering::Release);
        }
        self.top(instrument)
    }

    /// A new reader starts: nothing is on its way to it.
    pub fn forget_told(&self) {
        for slot in &self.slots {
            slot.told.store(false, Ordering::Release);
        }
    }
}

/// Quotes on their way from a feed to one reader per instrument.
#[derive(Debug)]
pub struct QuoteSlots {
    slots: Vec<Mutex<Option<Quote>>>,
}

impl QuoteSlots {
    /// Nothing on its way.
    pub fn new(instruments: usize) -> Self {
        Self { slots: (0..instruments).map(|_| Mutex::default()).collect() }
    }

    /// Puts a quote on its way in place of one that was not taken yet; `true` if the reader must
    /// be told.
    #[inline]
    pub fn put(&self, quote: Quote) -> bool {
        let slot = self.slots.get(quote.instrument.index());
        slot.is_some_and(|slot| lock(slot).replace(quote).is_none())
    }

    /// A new reader starts: what was on its way to its predecessor is dropped, so that the next
    /// quote tells again.
    pub fn clear(&self) {
        for slot in &self.slots {
            lock(slot).take();
        }
    }

    /// Takes what is on its way.
    #[inline]
    pub fn take(&self, instrument: InstrumentId) -> Option<Quote> {
        self.slots.get(instrument.index()).and_then(|slot| lock(slot).take())
    }
}

/// These hold plain values, whole at any moment, so a lock that a panic left behind is still good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::{Price, Quantity, Timestamp};

    #[test]
    fn the_latest_quote_wins_and_the_reader_is_told_once() {
        let slots = QuoteSlots::new(1);
        let one = InstrumentId::new(0);
        let quote = |at| Quote {
            at: Timestamp::from_nanos(at),
            instrument: one,
            bid: Price::from_steps(1),
            ask: Price::from_steps(2),
            bid_size: Quantity::new(1),
            ask_size: Quantity::new(1),
        };
        assert!(slots.put(quote(1)));
        assert!(!slots.put(quote(2)));
        assert_eq!(slots.take(one), Some(quote(2)));
        assert_eq!(slots.take(one), None);
        assert!(slots.put(quote(3)));
        assert!(!slots.put(Quote { instrument: InstrumentId::new(9), ..quote(4) }));
    }

    #[test]
    fn the_account_is_told_again_only_after_it_looked() {
        let board = Board::new(1);
        let one = InstrumentId::new(0);
        let top = TopOfBook { last: Price::from_steps(5), ..TopOfBook::default() };
        assert!(board.write(one, top));
        assert!(!board.write(one, top));
        assert_eq!(board.look(one), top);
        assert!(board.write(one, top));
        board.forget_told();
        assert!(board.write(one, top));
    }
}

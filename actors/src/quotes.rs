//! Publisher: shows the hot quotes to other programs, off the trading path.
//!
//! Owns what it has told of each symbol. Hears nobody: a Symbol writes a slot with its [`Pen`] and never waits,
//! and the Publisher looks at all slots a hundred times a second and publishes those that were written since, the
//! newest of each, in one batch. So what waits is bounded by the number of symbols, however slow or dead the
//! server. A thread of its own, live and in compressed time alike; nothing is decided by what it does.
//!
//! When the server is away: tried again with growing pauses, told once; when it is back, everything that still
//! counts is published again, as after a wipe, which it notices within a second. When this thread dies: trading
//! goes on, quotes vanish from the server, and `last_success` grows old.

mod figures;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use market::{InstrumentId, Quantity, TopOfBook};
use store::quotes::{Fresh, HotQuotes, InProcessQuotes, Kept, OriginId, Top};

use crate::clock::Clock;

pub use figures::{Figures, Publication};

/// How often slots are looked at: a fifth of the 50 ms within which a newer value should be seen.
pub const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How often the server hears from us at least: so soon a wipe is noticed.
const BEAT: Duration = Duration::from_secs(1);
/// Most quotes in one batch: a server works on it for a millisecond or two, and others wait for that.
pub const MOST_IN_BATCH: usize = 500;
/// The first pause after a failure; each further one is twice as long, and up to a half shorter at random.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Somebody else who was not seen for so long is news again. Each beats every second.
const FORGOTTEN: Duration = Duration::from_secs(10);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long a stop waits for the thread, which may be in a call.
const GRACE: Duration = Duration::from_secs(3);

/// What the trading path writes hot quotes with. Clones write to the same slots.
#[derive(Clone, Debug)]
pub struct Pen {
    quotes: Arc<InProcessQuotes>,
    origin: OriginId,
}

impl Pen {
    /// For quotes of one origin; places are the instruments' numbers.
    pub fn new(quotes: Arc<InProcessQuotes>, origin: OriginId) -> Self {
        Self { quotes, origin }
    }

    /// Where it writes.
    pub fn quotes(&self) -> &Arc<InProcessQuotes> {
        &self.quotes
    }

    /// Writes what is known of an instrument. Never waits.
    #[inline]
    pub(crate) fn write(&self, instrument: InstrumentId, top: &TopOfBook, sizes: (Quantity, Quantity)) {
        let TopOfBook { at, last, bid, ask, .. } = *top;
        let top = Top { at, last, bid, ask, bid_size: sizes.0, ask_size: sizes.1 };
        self.quotes.write(instrument.index(), &top, self.origin, Instant::now());
    }
}

/// The thread at work. It ends when this is dropped.
pub struct Publisher {
    figures: Figures,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    /// Starts publishing `quotes` to `to`. `seed` spreads the pauses of several programs.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(quotes: Arc<InProcessQuotes>, to: Box<dyn HotQuotes>, seed: u64) -> std::io::Result<Self> {
        let (figures, stopping) = (Figures::new(Instant::now()), Arc::new(AtomicBool::new(false)));
        let mut work = Work::new(quotes, to, figures.clone(), seed);
        let stop = Arc::clone(&stopping);
        let publish = move || {
            while !stop.load(Ordering::Acquire) {
                let pause = work.step(Instant::now());
                // A stop wakes it.
                std::thread::park_timeout(pause);
            }
        };
        let thread = Builder::new().name("quotes".to_owned()).spawn(publish)?;
        Ok(Self { figures, stopping, thread: Some(thread) })
    }

    /// How it does.
    pub fn figures(&self) -> Figures {
        self.figures.clone()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return };
        let until = Instant::now() + GRACE;
        while !thread.is_finished() && Instant::now() < until {
            thread.thread().unpark();
            std::thread::sleep(Duration::from_millis(1));
        }
        // One that hangs in a call ends with the process.
        if thread.is_finished() {
            let _ = thread.join();
        }
    }
}

/// How the server was found last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    /// Nobody has looked yet.
    New,
    /// It takes quotes.
    There,
    /// It takes none.
    Away,
}

/// What the thread does, without the thread.
struct Work {
    quotes: Arc<InProcessQuotes>,
    to: Box<dyn HotQuotes>,
    figures: Figures,
    /// By place: the version that the server was told.
    told: Vec<u64>,
    /// By place: the version up to which quotes are counted.
    counted: Vec<u64>,
    /// Where the next look begins: with more symbols than a batch takes, each has its turn.
    next: usize,
    found: Found,
    /// When somebody else was last seen to publish to it.
    another: Option<Instant>,
    last_batch: Option<Instant>,
    failures: u32,
    random: u64,
}

impl Work {
    fn new(quotes: Arc<InProcessQuotes>, to: Box<dyn HotQuotes>, figures: Figures, seed: u64) -> Self {
        let (told, counted) = (vec![0; quotes.len()], vec![0; quotes.len()]);
        let (found, another, last_batch) = (Found::New, None, None);
        Self { quotes, to, figures, told, counted, next: 0, found, another, last_batch, failures: 0, random: seed }
    }

    /// Publishes what there is; says how long to wait before the next step.
    fn step(&mut self, now: Instant) -> Duration {
        let (batch, more) = self.batch(now);
        let beats = self.last_batch.is_none_or(|last| now.saturating_duration_since(last) >= BEAT);
        if batch.is_empty() && !beats {
            self.figures.nothing_waits();
            return LOOK_EVERY;
        }
        if !batch.is_empty() {
            self.figures.waits(now);
        }
        self.last_batch = Some(now);
        let fresh: Vec<Fresh> = batch.iter().map(|(_, _, fresh)| *fresh).collect();
        match self.to.publish(&fresh, now) {
            Ok(kept) => {
                for (place, version, _) in &batch {
                    self.figures.conflated(version.saturating_sub(self.counted[*place] + 1));
                    (self.told[*place], self.counted[*place]) = (*version, *version);
                }
                self.figures.published(batch.len() as u64, Clock::System.now());
                if !more {
                    self.figures.nothing_waits();
                }
                self.taken(kept, &batch, now);
                if more { Duration::ZERO } else { LOOK_EVERY }
            }
            Err(error) => {
                self.figures.failed();
                if self.found != Found::Away {
                    tracing::warn!(%error, cause = cause(&error), "hot quotes are not published; trading does not need them");
                }
                self.found = Found::Away;
                self.pause()
            }
        }
    }

    /// What was written and not told yet, with its place and version; and whether there is more of it.
    fn batch(&mut self, now: Instant) -> (Vec<(usize, u64, Fresh)>, bool) {
        let mut batch = Vec::new();
        for step in 0..self.told.len() {
            let place = (self.next + step) % self.told.len();
            if self.quotes.version(place) == self.told[place] {
                continue;
            }
            if batch.len() == MOST_IN_BATCH {
                self.next = place;
                return (batch, true);
            }
            match self.quotes.read(place) {
                Some((version, fresh)) if fresh.until > now => batch.push((place, version, fresh)),
                // Too old to be told; the next write makes it due again.
                Some((version, _)) => self.told[place] = version,
                None => {}
            }
        }
        (batch, false)
    }

    /// The server has taken a batch: does it still have what it was told before?
    fn taken(&mut self, kept: Kept, batch: &[(usize, u64, Fresh)], now: Instant) {
        let was = std::mem::replace(&mut self.found, Found::There);
        // A batch that got lost on a connection that broke may have arrived after all, late.
        if was != Found::New && (kept == Kept::Nothing || was == Found::Away) {
            self.told.fill(0);
            for (place, version, _) in batch {
                self.told[*place] = *version;
            }
        }
        match was {
            Found::Away => tracing::info!(failures = self.failures, "hot quotes are published again, all of them"),
            Found::There if kept == Kept::Nothing => {
                tracing::warn!("the server had lost the hot quotes: published again, all of them");
            }
            Found::There | Found::New => {}
        }
        // What a run before this one left is no news.
        if kept == Kept::WithAnother && was != Found::New && self.another_is_news(now) {
            tracing::warn!("another program publishes hot quotes to the same server: readers see both mixed");
        }
        self.failures = 0;
    }

    /// Somebody else is seen. Both are there batch by batch, in turns: told once.
    fn another_is_news(&mut self, now: Instant) -> bool {
        let seen = self.another.replace(now);
        seen.is_none_or(|seen| now.saturating_duration_since(seen) >= FORGOTTEN)
    }

    /// Twice as long after each failure, each up to a half shorter at random: SplitMix64 (Steele, Lea, Flood 2014).
    fn pause(&mut self) -> Duration {
        let whole = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let share = f64::from((mixed >> 48) as u16) / f64::from(u16::MAX);
        whole.mul_f64(1.0 - share / 2.0)
    }
}

/// What lies below an error, for the one line that is logged of it.
fn cause(error: &dyn std::error::Error) -> Option<String> {
    error.source().map(ToString::to_string)
}

#[cfg(test)]
mod tests;

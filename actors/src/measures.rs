//! How long things take inside, for whoever scrapes: counted into fixed buckets, without a lock and without
//! making room, so that measuring costs the trading path a few atomic additions.
//!
//! Times are those of the machine, in compressed time as well: they say how fast the program is, not when
//! something happened.

use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Of every so many messages one is followed through the mailbox and its handler.
pub(crate) const SAMPLE: u64 = 16;

/// Upper bounds of times in nanoseconds: from a few microseconds (a hop that nobody waits for) over the two
/// milliseconds that a tick may take to an order, to what must never be.
const TIMES: &[u64] = &[
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    25_000_000,
    100_000_000,
    500_000_000,
    2_000_000_000,
];

/// Upper bounds of entries in a batch.
const BATCHES: &[u64] = &[1, 2, 5, 10, 25, 50, 100, 250, 1_000];

/// Values by the bucket that they fall into.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One for each bound, and one for what is beyond the last.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// What a histogram held when it was looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Buckets {
    /// Upper bounds, each inclusive.
    pub bounds: &'static [u64],
    /// Values up to each bound and above the one before; the last is for those beyond all bounds.
    pub counts: Vec<u64>,
    /// All values added.
    pub sum: u64,
}

impl Histogram {
    fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    /// One more value.
    #[inline]
    pub fn add(&self, value: u64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// One more time.
    #[inline]
    pub fn time(&self, took: Duration) {
        // 2^64 nanoseconds are five centuries.
        self.add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// What it holds now. A value that comes meanwhile may be in the counts and not in the sum.
    pub fn buckets(&self) -> Buckets {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        Buckets { bounds: self.bounds, counts, sum: self.sum.load(Ordering::Relaxed) }
    }
}

/// A part of the way from a price to an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hop {
    /// From the feed until a strategy has decided, whatever it decided.
    TickToDecision,
    /// The review of one request.
    Review,
    /// From the decision to send until the intent is durable and the account has heard it.
    JournalCommit,
    /// From the account until the connection has taken the order.
    HandOver,
    /// From the feed until the connection has taken the order.
    TickToOrder,
}

impl Hop {
    /// All of them, in their order.
    pub const ALL: [Self; 5] =
        [Self::TickToDecision, Self::Review, Self::JournalCommit, Self::HandOver, Self::TickToOrder];

    /// Stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TickToDecision => "tick_to_decision",
            Self::Review => "review",
            Self::JournalCommit => "journal_commit",
            Self::HandOver => "hand_over",
            Self::TickToOrder => "tick_to_order",
        }
    }
}

/// A kind of actor, which has a mailbox that is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The Journal.
    Journal,
    /// The Session.
    Session,
    /// The Account.
    Account,
    /// The Broker.
    Broker,
    /// The Limits.
    Limit,
    /// The Symbols.
    Symbol,
    /// The Strategies.
    Strategy,
}

impl Kind {
    /// All of them, in starting order.
    pub const ALL: [Self; 7] =
        [Self::Journal, Self::Session, Self::Account, Self::Broker, Self::Limit, Self::Symbol, Self::Strategy];

    /// Stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Session => "session",
            Self::Account => "account",
            Self::Broker => "broker",
            Self::Limit => "limit",
            Self::Symbol => "symbol",
            Self::Strategy => "strategy",
        }
    }

    /// From the first word of an actor's name.
    pub(crate) fn of(name: &str) -> Self {
        let first = name.split(' ').next().unwrap_or_default();
        Self::ALL.into_iter().find(|kind| kind.name() == first).unwrap_or(Self::Session)
    }
}

/// What is measured of one kind of actor.
#[derive(Debug)]
pub struct OfKind {
    /// From sending a message until it is taken out of the mailbox.
    pub delay: Histogram,
    /// From taking a message until it is handled. In compressed time that includes what a Symbol waits for: all
    /// that the event causes.
    pub handler: Histogram,
}

/// All that is measured in a run.
#[derive(Debug)]
pub struct Measures {
    hops: [Histogram; Hop::ALL.len()],
    kinds: [OfKind; Kind::ALL.len()],
    /// How long the store took to make a batch durable.
    pub sync: Histogram,
    /// How many entries a batch had.
    pub batch: Histogram,
}

impl Default for Measures {
    fn default() -> Self {
        Self {
            hops: std::array::from_fn(|_| Histogram::new(TIMES)),
            kinds: std::array::from_fn(|_| OfKind { delay: Histogram::new(TIMES), handler: Histogram::new(TIMES) }),
            sync: Histogram::new(TIMES),
            batch: Histogram::new(BATCHES),
        }
    }
}

impl Measures {
    /// Of one part of the way.
    #[inline]
    pub fn hop(&self, hop: Hop) -> &Histogram {
        &self.hops[hop as usize]
    }

    /// Of one kind of actor.
    #[inline]
    pub fn kind(&self, kind: Kind) -> &OfKind {
        &self.kinds[kind as usize]
    }
}

/// One message in flight of which is known when it was sent: the mailbox keeps its order, so counting tells
/// when it comes out.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    /// Its number among the sent ones; 0: none is followed.
    number: AtomicU64,
    sent: AtomicU64,
}

/// Nanoseconds since the program first measured anything.
fn nanoseconds() -> u64 {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(BEGAN.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

impl Sample {
    /// The message of this number is sent.
    #[inline]
    pub(crate) fn sent(&self, number: u64) {
        if number.is_multiple_of(SAMPLE) && self.number.load(Ordering::Relaxed) == 0 {
            self.sent.store(nanoseconds(), Ordering::Relaxed);
            self.number.store(number, Ordering::Release);
        }
    }

    /// The message of this number is taken out; how long the followed one waited, if this is it.
    #[inline]
    pub(crate) fn took(&self, number: u64) -> Option<Duration> {
        let followed = self.number.load(Ordering::Acquire);
        if followed == 0 || number < followed {
            return None;
        }
        self.number.store(0, Ordering::Relaxed);
        // Later than it: the one that was followed went with a predecessor's mailbox.
        let waited = nanoseconds().saturating_sub(self.sent.load(Ordering::Relaxed));
        (number == followed).then(|| Duration::from_nanos(waited))
    }
}

/// A message that is being handled: told when dropped.
#[derive(Debug)]
#[must_use = "dropped at once it measures nothing"]
pub(crate) struct Busy(pub(crate) Option<(Arc<Measures>, Kind, Instant)>);

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some((measures, kind, since)) = &self.0 {
            measures.kind(*kind).handler.time(since.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_falls_into_the_first_bucket_that_holds_it() {
        let histogram = Histogram::new(BATCHES);
        for (value, place) in [(0, 0), (1, 0), (2, 1), (3, 2), (5, 2), (1_000, 8), (1_001, 9), (u64::MAX / 2, 9)] {
            let before = histogram.buckets();
            histogram.add(value);
            let after = histogram.buckets();
            let mut expected = before.counts;
            expected[place] += 1;
            assert_eq!(after.counts, expected, "{value}");
            assert_eq!(after.sum, before.sum + value);
        }
    }

    #[test]
    fn bounds_rise_and_every_name_stands_in_its_own_place() {
        for bounds in [TIMES, BATCHES] {
            assert!(bounds.is_sorted_by(|one, other| one < other));
        }
        let measures = Measures::default();
        for (place, hop) in Hop::ALL.into_iter().enumerate() {
            assert_eq!(hop as usize, place, "{hop:?}");
            measures.hop(hop).add(place as u64 + 1);
        }
        for (place, hop) in Hop::ALL.into_iter().enumerate() {
            assert_eq!(measures.hop(hop).buckets().sum, place as u64 + 1);
        }
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place, "{kind:?}");
            assert_eq!(Kind::of(&format!("{} of something", kind.name())), kind);
        }
    }

    #[test]
    fn one_message_in_sixteen_is_followed_and_none_twice() {
        let sample = Sample::default();
        let mut waited = 0;
        for number in 1..=160 {
            sample.sent(number);
            waited += usize::from(sample.took(number).is_some());
        }
        assert_eq!(waited, 10);
        sample.sent(176);
        sample.sent(192);
        assert!(sample.took(175).is_none(), "it is still in the mailbox");
        assert!(sample.took(180).is_none(), "it went with the mailbox of a predecessor");
        sample.sent(208);
        assert!(sample.took(208).is_some());
    }
}

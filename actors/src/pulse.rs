//! The pulse: by it the last gate knows that the risk monitors are heard, and a watchdog outside that the
//! engine lives.
//!
//! Live, the Supervisor sends a [`Beat`] several times a second. It waits its turn in the mailbox of the
//! Account, then in that of the Limit, and what comes out there renews the gate's lease, counted from when
//! the beat was sent. So the lease runs out by itself, without anybody's decision, when the trading
//! thread stands still, when one of the two is dead, and when a mailbox is longer than the lease. Then
//! only cancels and what reduces a position leave (`State::closed_to` in `broker.rs`). The same beats are
//! counted, and the count is what the data directory's `heartbeat` shows: there is no thread that could
//! go on showing it while nothing trades.
//!
//! At most one beat is on its way, so a mailbox that nobody empties does not fill with them.
//!
//! In compressed time there is no lease: the Feed waits in each step until the Limit has looked, and no
//! clock of this machine may change what a session decides.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use risk::{HaltLevel, HaltScope};

use crate::clock::Clock;
use crate::halt::Halter;

/// How old the risk monitors' last word may be for a new order to leave (C31).
pub const LEASE: Duration = Duration::from_secs(1);
/// Beats within one lease: three may be late before it runs out.
const BEATS_PER_LEASE: u32 = 5;

const UNLIMITED: u64 = u64::MAX;

/// Whether somebody outside has stopped trading while this process could not look, and why.
pub type HaltedOutside = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// The pulse of a tree. Clones are the same pulse.
#[derive(Clone, Debug)]
pub struct Pulse(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    /// Nanoseconds since `began` until which the lease holds.
    until: AtomicU64,
    beats: AtomicU64,
    /// Shared with the beat that is on its way.
    on_its_way: Arc<()>,
}

/// One beat on its way from the Supervisor to the Limit. Whoever drops it has stopped it.
pub struct Beat {
    sent: Instant,
    _on_its_way: Arc<()>,
}

impl fmt::Debug for Beat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Beat")
    }
}

impl Pulse {
    /// That of a tree on this clock. Live, the first lease begins now.
    pub fn of(clock: &Clock) -> Self {
        match clock {
            Clock::System => Self::since(Instant::now()),
            Clock::Simulated(_) => Self::with(Instant::now(), UNLIMITED),
        }
    }

    /// One whose first lease began at `began`.
    pub(crate) fn since(began: Instant) -> Self {
        Self::with(began, u64::try_from(LEASE.as_nanos()).unwrap_or(UNLIMITED - 1))
    }

    fn with(began: Instant, until: u64) -> Self {
        Self(Arc::new(Inner {
            began,
            until: AtomicU64::new(until),
            beats: AtomicU64::new(0),
            on_its_way: Arc::new(()),
        }))
    }

    /// How often the Supervisor should send a beat; never in compressed time.
    pub(crate) fn interval(&self) -> Option<Duration> {
        (self.0.until.load(Ordering::Acquire) != UNLIMITED).then_some(LEASE / BEATS_PER_LEASE)
    }

    /// A beat to be sent, unless the last one is still on its way.
    pub(crate) fn beat(&self) -> Option<Beat> {
        let on_its_way = &self.0.on_its_way;
        (Arc::strong_count(on_its_way) == 1).then(|| Beat { sent: Instant::now(), _on_its_way: Arc::clone(on_its_way) })
    }

    /// The Limit has it: the lease holds for its term from when the beat was sent. After a lapse somebody
    /// outside may have stopped trading, and must be heard before anything leaves.
    pub(crate) fn came_through(&self, beat: &Beat, halt: &Halter, outside: Option<&HaltedOutside>) {
        if !self.holds() {
            // A start may take longer than the first lease.
            if self.beats() > 0 {
                tracing::warn!("the risk monitors were not heard for a while: no new order could leave meanwhile");
            }
            if let Some(reason) = outside.and_then(|look| look()) {
                halt.raise(&HaltScope::Global, HaltLevel::StopNew, "watchdog", &reason);
            }
        }
        let until = beat.sent.saturating_duration_since(self.0.began) + LEASE;
        let until = u64::try_from(until.as_nanos()).unwrap_or(UNLIMITED - 1);
        // An older beat shortens nothing, and what is unlimited stays so.
        self.0.until.fetch_max(until, Ordering::AcqRel);
        self.0.beats.fetch_add(1, Ordering::Release);
    }

    /// Whether the risk monitors were heard within the lease: read by the last gate for each order.
    #[inline]
    pub fn holds(&self) -> bool {
        match self.0.until.load(Ordering::Acquire) {
            UNLIMITED => true,
            until => u128::from(until) > self.0.began.elapsed().as_nanos(),
        }
    }

    /// Beats that have come through so far.
    pub fn beats(&self) -> u64 {
        self.0.beats.load(Ordering::Acquire)
    }

    /// Whether it beats by itself; in compressed time it does not.
    pub fn is_live(&self) -> bool {
        self.interval().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use risk::HaltSwitch;
    use store::{HaltRecord, HaltStore, StoreError};

    use crate::system::shared;

    #[derive(Default)]
    struct Kept(Vec<HaltRecord>);

    impl HaltStore for Kept {
        fn load_halt(&self) -> Result<Option<HaltRecord>, StoreError> {
            Ok(self.0.last().cloned())
        }

        fn save_halt(&mut self, record: &HaltRecord) -> Result<(), StoreError> {
            self.0.push(record.clone());
            Ok(())
        }
    }

    fn halter() -> Halter {
        let switch = HaltSwitch::at(HaltLevel::Active);
        Halter { switch, store: shared(Kept::default()), clock: Clock::System, alerts: crate::Alerts::default() }
    }

    fn long_ago() -> Instant {
        Instant::now().checked_sub(LEASE * 10).expect("this machine has run for ten seconds")
    }

    #[test]
    fn the_lease_runs_out_by_itself_and_each_beat_renews_it_from_when_it_was_sent() {
        let pulse = Pulse::since(Instant::now());
        assert!(pulse.holds() && pulse.is_live());
        let pulse = Pulse::since(long_ago());
        assert!(!pulse.holds(), "nobody has renewed it");
        let halt = halter();
        // One that spent longer on its way than a lease says nothing about now.
        let late = Beat { sent: long_ago(), _on_its_way: Arc::default() };
        pulse.came_through(&late, &halt, None);
        assert!(!pulse.holds());
        let beat = pulse.beat().expect("none is on its way");
        pulse.came_through(&beat, &halt, None);
        assert!(pulse.holds());
        pulse.came_through(&late, &halt, None);
        assert!(pulse.holds(), "an older beat shortens nothing");
        assert_eq!((pulse.beats(), halt.switch.level()), (3, HaltLevel::Active));
    }

    #[test]
    fn one_beat_at_a_time_is_on_its_way() {
        let pulse = Pulse::since(Instant::now());
        let beat = pulse.beat();
        assert!(beat.is_some() && pulse.beat().is_none());
        drop(beat);
        assert!(pulse.beat().is_some(), "one that got lost with a mailbox makes room");
    }

    #[test]
    fn who_was_away_asks_whether_it_was_stopped_before_anything_leaves() {
        let outside: HaltedOutside = Arc::new(|| Some("the engine was silent".to_owned()));
        let halt = halter();
        let pulse = Pulse::since(Instant::now());
        pulse.came_through(&pulse.beat().expect("a beat"), &halt, Some(&outside));
        assert_eq!(halt.switch.level(), HaltLevel::Active, "it was not away");
        let pulse = Pulse::since(long_ago());
        pulse.came_through(&pulse.beat().expect("a beat"), &halt, Some(&outside));
        assert_eq!(halt.switch.level(), HaltLevel::StopNew);
        let stored = halt.store.lock().expect("nobody panicked").load_halt().expect("a store in memory");
        let stored = stored.expect("a halt is kept");
        assert_eq!((stored.level.as_str(), stored.by.as_str()), ("stop_new", "watchdog"));
        assert_eq!(stored.reason, "the engine was silent");
    }

    #[test]
    fn compressed_time_has_no_lease_and_no_beats() {
        let pulse = Pulse::of(&Clock::simulated(market::Timestamp::from_nanos(0)));
        assert!(pulse.holds() && !pulse.is_live() && pulse.interval().is_none());
    }
}

//! C27, the clock: how far it may be from the true time, and whether it jumps. Orders are named, aged and
//! sent by it; beyond `max_clock_offset_milliseconds` nothing new is taken on, and nothing that is halted
//! is resumed ([`may_arm`]).
//!
//! The offset is what the machine's own time service believes. A machine where nobody keeps the time knows
//! no offset: that warns, and halts only where `clock_must_be_synchronised` says so. A step, the wall clock
//! against one that nobody sets, is seen in either case.

use market::Timestamp;

use super::{Breach, Built, Configured, Monitor, Observation, Severity};
use crate::checks::Figure;
use crate::halt::{HaltLevel, HaltScope};
use crate::limits::LimitTable;

pub(super) const NAME: &str = "clock";

/// What is known of the true time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Synchronisation {
    /// Somebody keeps the clock, and it may be so many nanoseconds off.
    Within(i64),
    /// Nobody does.
    Unsynchronised,
    /// It cannot be told.
    Unknown,
}

/// One look at the machine's clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClockReading {
    /// When, by itself.
    pub at: Timestamp,
    /// By how many nanoseconds it has moved against one that nobody sets, since the last look.
    pub step: i64,
    /// What is known of the true time.
    pub synchronisation: Synchronisation,
}

/// What is wrong with a reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Fault {
    what: Wrong,
    words: &'static str,
    seen: Figure,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Wrong {
    Unknown,
    Offset,
}

/// How far the clock is off, where that is known.
fn offset(reading: &ClockReading, most: i64) -> Option<Fault> {
    match reading.synchronisation {
        Synchronisation::Within(offset) if offset.saturating_abs() > most => {
            let seen = Figure::Nanoseconds(offset.saturating_abs());
            Some(Fault { what: Wrong::Offset, words: "the clock is off", seen })
        }
        Synchronisation::Within(_) => None,
        Synchronisation::Unsynchronised => {
            let words = "nobody keeps the clock: start a time service such as chrony";
            Some(Fault { what: Wrong::Unknown, words, seen: Figure::None })
        }
        Synchronisation::Unknown => {
            let words = "whether anybody keeps the clock cannot be told";
            Some(Fault { what: Wrong::Unknown, words, seen: Figure::None })
        }
    }
}

/// Whether trading may be resumed by this clock.
///
/// # Errors
/// What is wrong with it, for people.
pub fn may_arm(reading: &ClockReading, limits: &LimitTable, must_be_synchronised: bool) -> Result<(), String> {
    let most = limits.account().max_clock_offset_milliseconds.nanos();
    match offset(reading, most) {
        Some(fault) if fault.what == Wrong::Offset || must_be_synchronised => Err(format!(
            "{} ({} allowed, seen {}): set it right first",
            fault.words,
            Figure::Nanoseconds(most),
            fault.seen
        )),
        _ if reading.step.saturating_abs() > most => Err("the clock has just jumped: look at it first".to_owned()),
        _ => Ok(()),
    }
}

#[derive(Debug)]
struct Clock {
    must_be_synchronised: bool,
    /// What is told, and beyond which limit, where it has one.
    told: Option<(Wrong, i64)>,
}

pub(super) fn build(configured: &Configured<'_>) -> Vec<Built> {
    let must_be_synchronised = configured.settings.clock_must_be_synchronised;
    vec![Built::guard(HaltScope::Global, Clock { must_be_synchronised, told: None })]
}

impl Monitor for Clock {
    fn observe(&mut self, seen: Observation<'_>, breaches: &mut Vec<Breach>) {
        let Observation::Clock(reading, limits) = seen else { return };
        let most = limits.account().max_clock_offset_milliseconds.nanos();
        let halts = || Breach::halt(NAME, HaltScope::Global, HaltLevel::Reducing, reading.at);
        let limit = Figure::Nanoseconds(most);
        // Each step is told: it is over when it is seen.
        if reading.step.saturating_abs() > most {
            let seen = Figure::Nanoseconds(reading.step.saturating_abs());
            breaches.push(halts().because("the clock has jumped", seen, limit));
        }
        let fault = offset(reading, most);
        let telling = fault.map(|fault| (fault.what, if fault.what == Wrong::Offset { most } else { 0 }));
        if let Some(fault) = fault.filter(|_| self.told != telling) {
            let breach = if fault.what == Wrong::Offset || self.must_be_synchronised {
                halts()
            } else {
                Breach { scope: HaltScope::Global, ..Breach::tell(NAME, Severity::Warning, reading.at) }
            };
            breaches.push(breach.because(fault.words, fault.seen, limit));
        }
        self.told = telling;
    }
}

#[cfg(test)]
mod tests {
    use super::super::MonitorSettings;
    use super::super::tests_support::World;
    use super::*;
    use crate::limits::amounts::Milliseconds;
    use Synchronisation::{Unknown, Unsynchronised, Within};
    use proptest::prelude::*;

    const MS: i64 = 1_000_000;

    fn world(must: bool) -> World {
        let mut world = World::with(|limits| limits.max_clock_offset_milliseconds = Milliseconds(500));
        world.settings = MonitorSettings { clock_must_be_synchronised: must, ..MonitorSettings::default() };
        world
    }

    fn look(world: &World, watch: &mut super::super::Watch, step: i64, synchronisation: Synchronisation) -> String {
        let reading = ClockReading { at: Timestamp::from_nanos(0), step, synchronisation };
        let mut breaches = Vec::new();
        watch.observe(Observation::Clock(&reading, &world.figures.limits), &mut breaches);
        let told = breaches.iter().map(|breach| format!("{}/{}", breach.severity.name(), breach.level.name()));
        told.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn an_offset_or_a_step_beyond_the_limit_halts_and_an_unknown_clock_warns() {
        let world = world(false);
        let watch = &mut world.watches(NAME)[0];
        for (step, sync, expected) in [
            (0, Within(500 * MS - 1), ""),
            (0, Within(500 * MS), ""), // at the limit
            (0, Within(500 * MS + 1), "error/reducing"),
            (0, Within(-600 * MS), ""), // told already
            (0, Within(0), ""),
            (0, Within(-500 * MS - 1), "error/reducing"),
            (0, Unsynchronised, "warning/active"),
            (0, Unknown, ""),
            (500 * MS, Within(0), ""),
            (500 * MS + 1, Within(0), "error/reducing"),
            (-3_600_000 * MS, Within(0), "error/reducing"), // each step is told
            (-3_600_000 * MS, Unknown, "error/reducing warning/active"),
        ] {
            assert_eq!(look(&world, watch, step, sync), expected, "{step} {sync:?}");
        }
    }

    #[test]
    fn an_offset_beyond_another_limit_is_told_anew_and_an_unknown_one_has_none() {
        let mut world = world(false);
        let watch = &mut world.watches(NAME)[0];
        for (limit, sync, expected) in [
            (500, Within(600 * MS), "error/reducing"),
            (400, Within(600 * MS), "error/reducing"),
            (400, Within(600 * MS), ""),
            (700, Within(600 * MS), ""),
            (700, Unknown, "warning/active"),
            (500, Unknown, ""),
        ] {
            world.limit(|limits| limits.max_clock_offset_milliseconds = Milliseconds(limit));
            assert_eq!(look(&world, watch, 0, sync), expected, "{limit} {sync:?}");
        }
    }

    #[test]
    fn where_the_clock_must_be_kept_one_that_is_not_halts_and_nothing_is_armed_by_it() {
        let world = world(true);
        let watch = &mut world.watches(NAME)[0];
        assert_eq!(look(&world, watch, 0, Unsynchronised), "error/reducing");
        let limits = &world.figures.limits;
        let arm = |step, synchronisation, must| {
            may_arm(&ClockReading { at: Timestamp::from_nanos(0), step, synchronisation }, limits, must).is_ok()
        };
        assert!(arm(0, Within(500 * MS), true) && arm(0, Unknown, false) && arm(500 * MS, Within(0), false));
        assert!(!arm(0, Within(500 * MS + 1), false) && !arm(0, Unknown, true) && !arm(500 * MS + 1, Within(0), false));
    }

    proptest! {
        #[test]
        fn within_the_limit_nothing_is_told(offset in -500 * MS..=500 * MS, step in -500 * MS..=500 * MS) {
            let world = world(true);
            let watch = &mut world.watches(NAME)[0];
            prop_assert_eq!(look(&world, watch, step, Within(offset)), "");
            prop_assert_ne!(look(&world, watch, step, Within(offset + 1_001 * MS)), "");
        }
    }
}

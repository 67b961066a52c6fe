//! Time walking through a calendar: which phase it is, and which boundaries were just crossed.

use std::sync::Arc;

use super::{Calendar, Phase, PhaseChange};
use crate::time::{Date, Timestamp};

/// Walks forward through a calendar and tells every phase boundary on the way.
///
/// It reads no clock: whoever owns it calls [`SessionClock::advance`] with the time of each event.
#[derive(Clone, Debug)]
pub struct SessionClock {
    /// The next boundary, or `Timestamp::MAX` when the calendar has no more: `advance` compares
    /// with this and, between boundaries, does nothing else but store the time.
    next: Timestamp,
    now: Timestamp,
    phase: Phase,
    session: Date,
    calendar: Arc<Calendar>,
    /// The boundaries of one day still to come, latest first, so that the next one pops off.
    upcoming: Vec<PhaseChange>,
}

impl SessionClock {
    /// A clock standing at `start`. A boundary exactly at `start` counts as crossed already.
    pub fn new(calendar: Arc<Calendar>, start: Timestamp) -> Self {
        let mut clock = Self {
            next: Timestamp::MAX,
            now: start,
            phase: calendar.phase_at(start),
            session: calendar.trading_day(start),
            calendar,
            upcoming: Vec::new(),
        };
        clock.look_ahead(start);
        clock
    }

    /// The phase now.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The trading day that the phase belongs to: today's from its first phase on, until then the
    /// one that ended last ([`Calendar::trading_day`]).
    pub fn session(&self) -> Date {
        self.session
    }

    /// The latest time it was advanced to.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// When the next boundary comes; `None` past the calendar's horizon.
    pub fn next_change(&self) -> Option<Timestamp> {
        self.upcoming.last().map(|change| change.at)
    }

    /// Moves to `now` and appends every boundary in (previous now, `now`], in order. An earlier
    /// `now` is ignored: time never goes back.
    #[inline]
    pub fn advance(&mut self, now: Timestamp, changes: &mut Vec<PhaseChange>) {
        if now >= self.next {
            self.cross(now, changes);
        }
        // Compiles to a conditional move: the branch above is the only one on the hot path.
        self.now = self.now.max(now);
    }

    /// Kept out of line so that `advance` stays small enough to inline.
    #[cold]
    fn cross(&mut self, now: Timestamp, changes: &mut Vec<PhaseChange>) {
        while let Some(change) = self.upcoming.pop_if(|change| change.at <= now) {
            self.phase = change.phase;
            self.session = change.session;
            changes.push(change);
            self.look_ahead(change.at);
        }
    }

    /// Sets `next`, fetching another day's boundaries when this day's are used up.
    fn look_ahead(&mut self, at: Timestamp) {
        if self.upcoming.is_empty() {
            self.calendar.changes_after(at, &mut self.upcoming);
            self.upcoming.reverse();
        }
        self.next = self.next_change().unwrap_or(Timestamp::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        let local = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap();
        Timestamp::from_local(local).unwrap()
    }

    fn crossed(calendar: Arc<Calendar>, start: Timestamp, end: Timestamp) -> Vec<PhaseChange> {
        let mut changes = Vec::new();
        SessionClock::new(calendar, start).advance(end, &mut changes);
        changes
    }

    fn told(changes: &[PhaseChange]) -> Vec<String> {
        let line = |change: &PhaseChange| format!("{} {} {}", change.at.local(), change.phase.name(), change.session);
        changes.iter().map(line).collect()
    }

    #[test]
    fn a_weekend_between_two_short_days() {
        // From within Friday's closing call to Monday's open.
        let changes = crossed(Calendar::b3(), at("2025-06-06 16:58:00"), at("2025-06-09 10:00:00"));
        let expected = [
            "2025-06-06 17:00:00 closed 2025-06-06",
            "2025-06-06 17:25:00 cancel_after 2025-06-06",
            "2025-06-06 17:30:00 after_market 2025-06-06",
            "2025-06-06 18:00:00 closed 2025-06-06",
            "2025-06-09 09:30:00 cancel_only 2025-06-09",
            "2025-06-09 09:45:00 pre_open 2025-06-09",
            "2025-06-09 10:00:00 continuous 2025-06-09",
        ];
        assert_eq!(told(&changes), expected);
    }

    #[test]
    fn a_boundary_belongs_to_the_step_that_reaches_it() {
        let mut clock = SessionClock::new(Calendar::b3(), at("2025-06-09 10:00:00"));
        assert_eq!(clock.phase(), Phase::Continuous);
        assert_eq!(clock.next_change(), Some(at("2025-06-09 16:55:00")));
        let mut changes = Vec::new();
        clock.advance(at("2025-06-09 16:55:00").plus_nanos(-1), &mut changes);
        assert_eq!((clock.phase(), changes.len()), (Phase::Continuous, 0));
        clock.advance(at("2025-06-09 16:55:00"), &mut changes);
        assert_eq!((clock.phase(), changes.len()), (Phase::ClosingAuction, 1));
    }

    #[test]
    fn time_never_goes_back() {
        let noon = at("2025-06-09 12:00:00");
        let mut clock = SessionClock::new(Calendar::b3(), noon);
        let mut changes = Vec::new();
        clock.advance(at("2025-06-09 09:00:00"), &mut changes);
        assert_eq!((clock.now(), clock.phase()), (noon, Phase::Continuous));
        clock.advance(at("2025-06-09 12:30:00"), &mut changes);
        assert_eq!(changes, []);
    }

    #[test]
    fn both_ends_of_the_calendar_are_unknown() {
        let calendar = Calendar::b3();
        let changes = crossed(Arc::clone(&calendar), Timestamp::MIN, at("2000-01-03 10:00:00"));
        assert_eq!(told(&changes), ["2000-01-01 00:00:00 closed 2000-01-03"]);
        let mut clock = SessionClock::new(calendar, at("2028-12-28 18:45:00"));
        assert_eq!(clock.phase(), Phase::Closed);
        let mut changes = Vec::new();
        clock.advance(Timestamp::MAX, &mut changes);
        assert_eq!(told(&changes), ["2029-01-01 00:00:00 unknown 2028-12-28"]);
        assert_eq!((clock.phase(), clock.next_change()), (Phase::Unknown, None));
        clock.advance(Timestamp::MAX, &mut changes);
        assert_eq!(changes.len(), 1);
    }

    #[test]
    fn an_always_open_calendar_only_turns_the_day() {
        let changes = crossed(Calendar::always_open(), at("2013-10-07 20:00:00"), at("2013-10-09 00:00:00"));
        let expected = ["2013-10-08 00:00:00 continuous 2013-10-08", "2013-10-09 00:00:00 continuous 2013-10-09"];
        assert_eq!(told(&changes), expected);
    }

    /// Instants of 1999 to 2030 in seconds, so that both ends of the calendar are met.
    fn instant() -> impl Strategy<Value = Timestamp> {
        (915_000_000_i64..1_900_000_000).prop_map(|s| Timestamp::from_nanos(s * 1_000_000_000))
    }

    /// Steps from nothing to most of a month, most of them short.
    fn steps() -> impl Strategy<Value = Vec<i64>> {
        prop::collection::vec((0_i64..2_500_000, 0_u32..22).prop_map(|(s, shift)| s >> shift), 1..60)
    }

    fn calendars() -> impl Strategy<Value = Arc<Calendar>> {
        prop_oneof![4 => Just(Calendar::b3()), 1 => Just(Calendar::always_open())]
    }

    proptest! {
        #[test]
        fn many_steps_tell_what_one_step_tells(
            calendar in calendars(), start in instant(), steps in steps()
        ) {
            let mut clock = SessionClock::new(Arc::clone(&calendar), start);
            let (mut now, mut changes) = (start, Vec::new());
            for step in steps {
                now = now.plus_nanos(step * 1_000_000_000);
                let before = changes.len();
                clock.advance(now, &mut changes);
                prop_assert!(changes[before..].iter().all(|change| change.at <= now));
                prop_assert!(clock.next_change().is_none_or(|next| next > now));
                prop_assert_eq!(clock.phase(), calendar.phase_at(now));
                prop_assert_eq!(clock.session(), calendar.trading_day(now));
                prop_assert_eq!(clock.now(), now);
            }
            prop_assert_eq!(&changes, &crossed(Arc::clone(&calendar), start, now));
            prop_assert!(changes.is_sorted_by(|one, two| one.at < two.at));
            for change in &changes {
                prop_assert_eq!(change.phase, calendar.phase_at(change.at));
                prop_assert_eq!(change.session, calendar.trading_day(change.at));
            }
        }

        #[test]
        fn a_session_tells_the_phases_that_the_calendar_tells(at in instant()) {
            let calendar = Calendar::b3();
            if let Some(session) = calendar.session(at.local_date()) {
                prop_assert_eq!(session.phase_at(at), calendar.phase_at(at));
            } else {
                prop_assert!(matches!(calendar.phase_at(at), Phase::Closed | Phase::Unknown));
            }
        }
    }
}

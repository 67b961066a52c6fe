//! When something is to be collected, and of which sessions: after the close or through the session, by the
//! exchange's calendar, and after days without the program everything since the last time.
//!
//! Nothing here runs a clock. [`Schedule::due`] says, of a moment and of what was collected so far, which
//! sessions to ask for now; who asks, and how soon again when it fails, is somebody else's.

use market::time::{NANOS_PER_SECOND, TimeOfDay};
use market::{Calendar, Date, Timestamp};

/// When.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// Once a session, at this time of its day: when the source has it.
    AfterClose(TimeOfDay),
    /// While the session lasts, so many minutes apart, and once more after its end.
    Through {
        /// Minutes; at least one.
        minutes: u16,
    },
}

/// When to collect, and how far back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Schedule {
    /// When.
    pub when: When,
    /// The first session that is wanted where nothing was collected yet; without it collecting begins with
    /// the latest session that is due.
    pub since: Option<Date>,
}

/// What was collected so far.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Collected {
    /// All sessions up to this one are complete.
    pub through: Option<Date>,
    /// When it was last asked for and answered.
    pub last: Option<Timestamp>,
}

/// Sessions to ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Due {
    /// The first.
    pub from: Date,
    /// The last.
    pub to: Date,
    /// The last one counts as complete once it is answered: it has ended, and the source has all of it.
    pub is_final: bool,
}

impl Schedule {
    /// What is to be asked for now; nothing while everything that can be there is there.
    pub fn due(&self, collected: Collected, calendar: &Calendar, now: Timestamp) -> Option<Due> {
        let complete = self.latest_complete(calendar, now);
        let missing = complete.filter(|latest| collected.through.is_none_or(|through| through < *latest));
        if let Some(to) = missing {
            let from = match collected.through {
                Some(through) => calendar.next_session(through)?,
                None => self.since.map_or(Some(to), |since| first_session_from(calendar, since))?,
            };
            // What is wanted may begin later than the latest session.
            return (from <= to).then_some(Due { from, to, is_final: true });
        }
        let When::Through { minutes } = self.when else { return None };
        let today = calendar.session(now.local_date())?;
        let is_within = (today.start()..today.end()).contains(&now);
        let pause = i64::from(minutes.max(1)) * 60 * NANOS_PER_SECOND;
        let rests = collected.last.is_some_and(|last| now.nanos_since(last) < pause);
        let wanted = self.since.is_none_or(|since| since <= today.date());
        (is_within && !rests && wanted).then_some(Due { from: today.date(), to: today.date(), is_final: false })
    }

    /// The latest session that is over for this schedule.
    fn latest_complete(&self, calendar: &Calendar, now: Timestamp) -> Option<Date> {
        let today = now.local_date();
        let is_over = calendar.session(today).is_some_and(|session| match self.when {
            // A time before the close would call a session complete that goes on.
            When::AfterClose(at) => at.on(today).is_some_and(|at| at.max(session.end()) <= now),
            When::Through { .. } => session.end() <= now,
        });
        if is_over { Some(today) } else { calendar.previous_session(today) }
    }
}

fn first_session_from(calendar: &Calendar, day: Date) -> Option<Date> {
    if calendar.is_session(day) == Some(true) { Some(day) } else { calendar.next_session(day) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> Date {
        text.parse().expect("a date")
    }

    fn at(text: &str) -> Timestamp {
        let (date, time) = text.split_once(' ').expect("date and time");
        time.parse::<TimeOfDay>().expect("a time").on(day(date)).expect("representable")
    }

    fn evening(since: Option<&str>) -> Schedule {
        let when = When::AfterClose("20:45".parse().expect("a time"));
        Schedule { when, since: since.map(day) }
    }

    fn collected(through: Option<&str>, last: Option<&str>) -> Collected {
        Collected { through: through.map(day), last: last.map(at) }
    }

    /// 2017-11-15, a Wednesday, was a holiday; 2017-11-20 was one in São Paulo.
    #[test]
    fn once_a_session_after_its_time_and_everything_since_the_last_time() {
        let calendar = Calendar::b3();
        for (now, through, since, expected) in [
            ("2017-11-14 20:44", Some("2017-11-13"), None, None),
            ("2017-11-14 20:45", Some("2017-11-13"), None, Some(("2017-11-14", "2017-11-14"))),
            ("2017-11-14 23:00", Some("2017-11-14"), None, None),
            // Closed days: nothing new.
            ("2017-11-15 21:00", Some("2017-11-14"), None, None),
            ("2017-11-18 21:00", Some("2017-11-17"), None, None),
            // Off for days: all of them at once, also in the morning.
            ("2017-11-22 09:00", Some("2017-11-13"), None, Some(("2017-11-14", "2017-11-21"))),
            // Never before: the latest, or from the day that is wanted.
            ("2017-11-15 12:00", None, None, Some(("2017-11-14", "2017-11-14"))),
            ("2017-11-15 12:00", None, Some("2017-11-04"), Some(("2017-11-06", "2017-11-14"))),
            ("2017-11-15 12:00", None, Some("2017-11-16"), None),
        ] {
            let due = evening(since).due(collected(through, None), &calendar, at(now));
            let expected = expected.map(|(from, to)| Due { from: day(from), to: day(to), is_final: true });
            assert_eq!(due, expected, "{now}, complete through {through:?}, since {since:?}");
        }
    }

    #[test]
    fn a_time_before_the_close_waits_for_the_close() {
        let early = Schedule { when: When::AfterClose("12:00".parse().expect("a time")), since: None };
        let calendar = Calendar::b3();
        assert_eq!(early.due(collected(Some("2017-11-13"), None), &calendar, at("2017-11-14 13:00")), None);
        let due = early.due(collected(Some("2017-11-13"), None), &calendar, at("2017-11-14 23:30"));
        assert_eq!(due, Some(Due { from: day("2017-11-14"), to: day("2017-11-14"), is_final: true }));
    }

    #[test]
    fn through_the_session_in_steps_and_once_more_after_it() {
        let (calendar, quarter) = (Calendar::b3(), Schedule { when: When::Through { minutes: 15 }, since: None });
        let today = |is_final| Some(Due { from: day("2017-11-14"), to: day("2017-11-14"), is_final });
        for (now, through, last, expected) in [
            ("2017-11-14 06:00", Some("2017-11-13"), None, None),
            ("2017-11-14 12:00", Some("2017-11-13"), None, today(false)),
            ("2017-11-14 12:14", Some("2017-11-13"), Some("2017-11-14 12:00"), None),
            ("2017-11-14 12:15", Some("2017-11-13"), Some("2017-11-14 12:00"), today(false)),
            ("2017-11-14 23:00", Some("2017-11-13"), Some("2017-11-14 17:00"), today(true)),
            ("2017-11-14 23:00", Some("2017-11-14"), Some("2017-11-14 22:00"), None),
        ] {
            let due = quarter.due(collected(through, last), &calendar, at(now));
            assert_eq!(due, expected, "{now}, complete through {through:?}, last {last:?}");
        }
    }

    #[test]
    fn beyond_the_calendar_nothing_is_due() {
        let calendar = Calendar::b3();
        let beyond = calendar.horizon().succ_opt().expect("a day after it");
        let now = "21:00".parse::<TimeOfDay>().expect("a time").on(beyond).expect("representable");
        let through = Collected { through: Some(calendar.horizon()), last: None };
        assert_eq!(evening(None).due(through, &calendar, now), None);
    }

    proptest! {
        /// Looked at again and again, whatever the pauses between, every session is collected once and in order.
        #[test]
        fn no_session_is_left_out_and_none_is_asked_for_twice(pauses in prop::collection::vec(1_i64..200, 1..60)) {
            let (calendar, schedule) = (Calendar::b3(), evening(Some("2017-10-02")));
            let (mut now, mut so_far, mut asked) = (at("2017-10-02 00:00"), Collected::default(), Vec::new());
            for hours in pauses {
                now = now.plus_nanos(hours * 3_600 * NANOS_PER_SECOND);
                if let Some(due) = schedule.due(so_far, &calendar, now) {
                    asked.extend(calendar.sessions(due.from, due.to));
                    so_far.through = Some(due.to);
                }
                prop_assert_eq!(schedule.due(so_far, &calendar, now), None, "done is done");
            }
            let through = so_far.through.unwrap_or(day("2017-10-01"));
            prop_assert_eq!(asked, calendar.sessions(day("2017-10-02"), through));
        }
    }
}

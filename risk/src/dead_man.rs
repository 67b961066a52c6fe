//! C31, the dead man's switch: what a watchdog makes of the signs of life that it sees, and of what the
//! venue answers it.
//!
//! | phase | means | beat | goodbye | quiet too long | nothing open | still open |
//! |---|---|---|---|---|---|---|
//! | waiting | nobody was ever seen to live | watching | stopped | | | |
//! | watching | alive, or quiet for less than the limit | | stopped | **firing** | | |
//! | stopped | it said goodbye: whatever it left open was meant | watching | | | | |
//! | firing | cancels everything, until the venue confirms | | | | **fired** | |
//! | fired | nothing is open, and a halt is stored | watching | stopped | | | firing |
//!
//! An empty field changes nothing. Firing goes on when the engine comes back meanwhile: the halt is
//! stored by then, and half a mass cancel helps nobody. After it has fired the watchdog leaves the
//! account alone, because a person may be trading it by hand, until the engine lives again.

use std::time::Duration;

/// Between two mass cancels. A venue counts messages; a second is nothing to a person, and room for an
/// answer from another continent.
pub const REPEAT: Duration = Duration::from_secs(1);
/// Answers in a row that must say that nothing is open: what an engine that is merely paused had handed
/// to the system may arrive after the first.
pub const CONFIRMATIONS: u8 = 2;
/// The most that one look adds to the silence. A watchdog that was paused itself, together with whom it
/// watches, has seen no silence.
pub const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// Where a watchdog stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Phase {
    /// Nobody was ever seen to live.
    Waiting,
    /// Alive, or quiet for less than the limit.
    Watching,
    /// Ended as it should.
    Stopped,
    /// Cancelling everything.
    Firing,
    /// Everything is cancelled.
    Fired,
}

impl Phase {
    /// Each of them.
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Watching, Self::Stopped, Self::Firing, Self::Fired];

    /// Stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Watching => "watching",
            Self::Stopped => "stopped",
            Self::Firing => "firing",
            Self::Fired => "fired",
        }
    }
}

/// What moves a watchdog from phase to phase.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// A new sign of life.
    Beat,
    /// It says that it ends.
    Goodbye,
    /// No sign of life for longer than allowed.
    TooQuiet,
    /// The venue has confirmed often enough that nothing is open.
    NothingOpen,
    /// The venue has something open.
    StillOpen,
}

/// The table of the header.
pub const fn transition(phase: Phase, signal: Signal) -> Phase {
    match (phase, signal) {
        (Phase::Waiting | Phase::Stopped | Phase::Fired, Signal::Beat) => Phase::Watching,
        (Phase::Waiting | Phase::Watching | Phase::Fired, Signal::Goodbye) => Phase::Stopped,
        (Phase::Watching, Signal::TooQuiet) | (Phase::Fired, Signal::StillOpen) => Phase::Firing,
        (Phase::Firing, Signal::NothingOpen) => Phase::Fired,
        _ => phase,
    }
}

/// What a look at the signs of life shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sign {
    /// Another one than at the last look.
    Beat,
    /// The last word was a goodbye.
    Goodbye,
    /// Nothing new, or nothing that can be read.
    Nothing,
}

/// What a watchdog must do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// Make sure that the engine does not trade when it comes back. Comes before the first cancel.
    Halt,
    /// Have the venue cancel everything.
    Cancel,
    /// Tell people where it stands now.
    Tell(Phase),
}

/// A watchdog's memory. Times are those of any clock that nobody sets, from any beginning.
#[derive(Clone, Debug)]
pub struct DeadMan {
    limit: Duration,
    phase: Phase,
    quiet: Duration,
    looked_at: Option<Duration>,
    asked_at: Option<Duration>,
    confirmed: u8,
}

impl DeadMan {
    /// One that fires after more than `limit` without a sign of life.
    pub const fn new(limit: Duration) -> Self {
        Self { limit, phase: Phase::Waiting, quiet: Duration::ZERO, looked_at: None, asked_at: None, confirmed: 0 }
    }

    /// Where it stands.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// For how long it has seen no sign of life.
    pub const fn quiet(&self) -> Duration {
        self.quiet
    }

    /// It looked, and this is what it saw. What must be done is added to `acts`, in order.
    pub fn looked(&mut self, now: Duration, sign: Sign, acts: &mut Vec<Act>) {
        let passed = self.looked_at.map_or(Duration::ZERO, |last| now.saturating_sub(last)).min(LONGEST_LOOK);
        self.looked_at = Some(now);
        match sign {
            Sign::Beat => {
                self.quiet = Duration::ZERO;
                self.signal(now, Signal::Beat, acts);
            }
            Sign::Goodbye => self.signal(now, Signal::Goodbye, acts),
            Sign::Nothing => self.quiet += passed,
        }
        if self.quiet > self.limit {
            self.signal(now, Signal::TooQuiet, acts);
        }
        let due = self.asked_at.is_none_or(|asked| now.saturating_sub(asked) >= REPEAT);
        if self.phase == Phase::Firing && due {
            self.cancel(now, acts);
        }
    }

    /// The venue answered a mass cancel: so many orders are open now.
    pub fn answered(&mut self, now: Duration, open: u64, acts: &mut Vec<Act>) {
        if open > 0 {
            self.confirmed = 0;
            return self.signal(now, Signal::StillOpen, acts);
        }
        self.confirmed = self.confirmed.saturating_add(1);
        if self.confirmed >= CONFIRMATIONS {
            self.signal(now, Signal::NothingOpen, acts);
        }
    }

    fn signal(&mut self, now: Duration, signal: Signal, acts: &mut Vec<Act>) {
        let next = transition(self.phase, signal);
        if next == self.phase {
            return;
        }
        self.phase = next;
        acts.push(Act::Tell(self.phase));
        match self.phase {
            // What was silent before does not count against whoever speaks now.
            Phase::Watching => self.quiet = Duration::ZERO,
            Phase::Firing => {
                self.confirmed = 0;
                acts.push(Act::Halt);
                self.cancel(now, acts);
            }
            Phase::Waiting | Phase::Stopped | Phase::Fired => {}
        }
    }

    fn cancel(&mut self, now: Duration, acts: &mut Vec<Act>) {
        self.asked_at = Some(now);
        acts.push(Act::Cancel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: Duration = Duration::from_secs(3);

    #[test]
    fn the_table_is_the_one_of_the_header() {
        use Phase::{Fired, Firing, Stopped, Waiting, Watching};
        let signals = [Signal::Beat, Signal::Goodbye, Signal::TooQuiet, Signal::NothingOpen, Signal::StillOpen];
        for (phase, next) in [
            (Waiting, [Watching, Stopped, Waiting, Waiting, Waiting]),
            (Watching, [Watching, Stopped, Firing, Watching, Watching]),
            (Stopped, [Watching, Stopped, Stopped, Stopped, Stopped]),
            (Firing, [Firing, Firing, Firing, Fired, Firing]),
            (Fired, [Watching, Stopped, Fired, Fired, Firing]),
        ] {
            assert_eq!(signals.map(|signal| transition(phase, signal)), next, "{}", phase.name());
        }
    }

    /// `b` a beat, `g` goodbye, `.` nothing, `0` nothing open, `1` one open; each 500 ms after the last.
    fn play(story: &str) -> String {
        let mut man = DeadMan::new(LIMIT);
        let (mut acts, mut told) = (Vec::new(), String::new());
        for (place, step) in (0_u32..).zip(story.chars()) {
            let now = Duration::from_millis(500) * place;
            match step {
                'b' => man.looked(now, Sign::Beat, &mut acts),
                'g' => man.looked(now, Sign::Goodbye, &mut acts),
                '.' => man.looked(now, Sign::Nothing, &mut acts),
                open => man.answered(now, u64::from(open.to_digit(10).unwrap()), &mut acts),
            }
            let shown = |act: &Act| match act {
                Act::Halt => "halt",
                Act::Cancel => "cancel",
                Act::Tell(phase) => phase.name(),
            };
            told.extend(acts.drain(..).map(|act| format!("{place}:{} ", shown(&act))));
        }
        told.trim_end().to_owned()
    }

    #[test]
    fn stories() {
        for (story, told) in [
            // Nobody ever lived: nothing is known to have died.
            ("................", ""),
            // Six quiet halves of a second are at the limit, the seventh is beyond it.
            ("b......", "0:watching"),
            ("b.......", "0:watching 7:firing 7:halt 7:cancel"),
            ("b.....b......b.....b", "0:watching"),
            // Goodbye, and what comes after a start.
            ("bg...........", "0:watching 1:stopped"),
            ("bg.....b.......", "0:watching 1:stopped 7:watching 14:firing 14:halt 14:cancel"),
            // Again every second, until it is confirmed twice.
            ("b...........", "0:watching 7:firing 7:halt 7:cancel 9:cancel 11:cancel"),
            ("b.......0.0.", "0:watching 7:firing 7:halt 7:cancel 9:cancel 10:fired"),
            ("b.......0.1.0.0", "0:watching 7:firing 7:halt 7:cancel 9:cancel 11:cancel 13:cancel 14:fired"),
            // It comes back: first the cancels are finished, then it is watched again.
            ("b.......bb0b0b", "0:watching 7:firing 7:halt 7:cancel 9:cancel 11:cancel 12:fired 13:watching"),
            // An order that turns up after all was confirmed.
            ("b.......0.0.1", "0:watching 7:firing 7:halt 7:cancel 9:cancel 10:fired 12:firing 12:halt 12:cancel"),
            // Answers when nothing was asked change nothing.
            ("b0000", "0:watching"),
            ("b1111", "0:watching"),
        ] {
            assert_eq!(play(story), told, "{story}");
        }
    }

    #[test]
    fn a_watchdog_that_was_paused_itself_has_seen_no_silence() {
        let (mut man, mut acts) = (DeadMan::new(LIMIT), Vec::new());
        man.looked(Duration::ZERO, Sign::Beat, &mut acts);
        man.looked(Duration::from_secs(3_600), Sign::Nothing, &mut acts);
        assert_eq!((man.phase(), man.quiet()), (Phase::Watching, LONGEST_LOOK));
        man.looked(Duration::from_secs(3_601), Sign::Beat, &mut acts);
        assert_eq!((man.phase(), man.quiet()), (Phase::Watching, Duration::ZERO));
        assert_eq!(acts, [Act::Tell(Phase::Watching)]);
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Look(u64, Sign),
        Answer(u64, u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let wait = 0_u64..1_500;
        let sign = prop_oneof![1 => Just(Sign::Beat), 1 => Just(Sign::Goodbye), 6 => Just(Sign::Nothing)];
        let look = (wait.clone(), sign).prop_map(|(wait, sign)| Step::Look(wait, sign));
        let answer = (wait, 0_u64..3).prop_map(|(wait, open)| Step::Answer(wait, open));
        proptest::collection::vec(prop_oneof![4 => look, 1 => answer], 0..200)
    }

    proptest! {
        /// Kept beside it: how long it was quiet, whether it may fire, when it cancelled last.
        #[test]
        fn it_fires_on_silence_only_and_does_not_let_go(steps in steps()) {
            let (mut man, mut now, mut alive, mut silent) = (DeadMan::new(LIMIT), 0, false, Duration::ZERO);
            let mut cancelled: Option<u64> = None;
            for step in steps {
                let (before, mut acts) = (man.phase(), Vec::new());
                match step {
                    Step::Look(wait, sign) => {
                        now += wait;
                        man.looked(Duration::from_millis(now), sign, &mut acts);
                        match sign {
                            Sign::Beat => (alive, silent) = (true, Duration::ZERO),
                            Sign::Goodbye if before != Phase::Firing => alive = false,
                            Sign::Goodbye => {}
                            // At most what passed, and answers in between add their own waits.
                            Sign::Nothing => silent += LONGEST_LOOK,
                        }
                    }
                    Step::Answer(wait, open) => {
                        now += wait;
                        man.answered(Duration::from_millis(now), open, &mut acts);
                    }
                }
                let cancels = acts.iter().filter(|act| **act == Act::Cancel).count();
                prop_assert!(cancels <= 1, "more than one mass cancel at once");
                if cancels == 1 {
                    cancelled = Some(now);
                }
                match (before, man.phase()) {
                    (Phase::Watching, Phase::Firing) => {
                        prop_assert!(alive && silent > LIMIT, "it fired without silence: {silent:?}");
                        prop_assert_eq!(&acts, &[Act::Tell(Phase::Firing), Act::Halt, Act::Cancel]);
                    }
                    (before, Phase::Firing) if before != Phase::Firing => {
                        prop_assert_eq!(before, Phase::Fired);
                        prop_assert!(acts.contains(&Act::Halt) && cancels == 1);
                    }
                    (Phase::Firing, after) => {
                        prop_assert!(matches!(after, Phase::Firing | Phase::Fired), "it let go: {after:?}");
                        let overdue = cancelled.is_none_or(|at| now - at > REPEAT.as_millis() as u64 );
                        prop_assert!(after == Phase::Fired || !overdue || matches!(step, Step::Answer(..)));
                    }
                    _ => prop_assert_eq!(cancels, 0, "a cancel in phase {:?}", before),
                }
            }
        }
    }
}

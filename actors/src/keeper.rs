//! Keeper: the work of the house that is nobody's trade: history fetched, partitions made ahead, old rows
//! let go, the disk watched.
//!
//! Owns the [`Chores`]. Hears its own "look" and the end of a chore. Runs one chore at a time, on a thread
//! that may block, so none of it is on the trading path; sends alerts when one fails. What a chore does and
//! when it is due is the chore's own; how soon a failed one is tried again is here.
//!
//! When it dies: restarted, and looks again. A chore that was at work goes on to its end, and no other
//! begins before that, because the chores are one lock. Trading is never halted for any of it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use market::Timestamp;
use market::time::NANOS_PER_SECOND;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use serde::Serialize;

use crate::clock::Clock;
use crate::notifier::{Alert, Alerts};

/// How often it looks whether something is due: chores are matters of hours.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Before a failed chore is tried again; twice as long after each further failure.
const FIRST_PAUSE: i64 = 60 * NANOS_PER_SECOND;
/// The longest pause: a source that was down for a weekend is noticed within the hour.
const LONGEST_PAUSE: i64 = 3_600 * NANOS_PER_SECOND;
/// The name of the alert, a heading of RUNBOOK.md.
const ALERT: &str = "chore_failed";

/// Why a chore was not done: a sentence with what to do.
pub type ChoreError = Box<dyn std::error::Error + Send + Sync>;

/// A piece of regular work.
pub trait Chore: Send {
    /// Its stable name, in logs and metrics.
    fn name(&self) -> &str;

    /// Whether it should be done now. Quick, and without reaching out.
    fn is_due(&mut self, now: Timestamp) -> bool;

    /// Does it, and tells in a few words what came of it. Looks at `stop` wherever it may take long, and
    /// ends early, with everything whole, when it is set.
    ///
    /// # Errors
    /// It was not done, or not wholly; it is tried again later.
    fn run(&mut self, now: Timestamp, stop: &AtomicBool) -> Result<String, ChoreError>;
}

/// The chores of a run, and how they went. Clones are the same chores; they outlive the actor's restarts.
#[derive(Clone, Default)]
pub struct Chores {
    chores: Arc<Mutex<Vec<Box<dyn Chore>>>>,
    diary: Arc<Mutex<BTreeMap<String, Diary>>>,
    stop: Arc<AtomicBool>,
}

/// How one chore went.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize)]
pub struct Diary {
    /// Times that it was done.
    pub done: u64,
    /// Times that it failed.
    pub failed: u64,
    /// Failures since it was last done.
    pub failures_in_a_row: u32,
    /// When it was last done.
    pub last_done: Option<Timestamp>,
    /// What came of it.
    pub outcome: String,
    /// Not tried again before then.
    pub not_before: Option<Timestamp>,
}

impl Diary {
    fn may_run(&self, now: Timestamp) -> bool {
        self.not_before.is_none_or(|not_before| now >= not_before)
    }

    /// Notes how it went; whether a person should hear of it: of the first failure in a row, and of each one
    /// that doubles their number.
    fn note(&mut self, now: Timestamp, outcome: Result<String, String>) -> bool {
        match outcome {
            Ok(outcome) => {
                self.done += 1;
                *self = Self { last_done: Some(now), outcome, failures_in_a_row: 0, not_before: None, ..self.clone() };
                false
            }
            Err(problem) => {
                self.failed += 1;
                self.failures_in_a_row += 1;
                let doubled = FIRST_PAUSE.checked_shl(self.failures_in_a_row - 1).unwrap_or(LONGEST_PAUSE);
                let pause = if (1..LONGEST_PAUSE).contains(&doubled) { doubled } else { LONGEST_PAUSE };
                self.not_before = Some(now.plus_nanos(pause));
                self.outcome = problem;
                self.failures_in_a_row.is_power_of_two()
            }
        }
    }
}

impl Chores {
    /// These, in the order in which they are looked at.
    pub fn new(chores: Vec<Box<dyn Chore>>) -> Self {
        // Also those that were never done: whoever watches them needs the zero before the first.
        let diary = chores.iter().map(|chore| (chore.name().to_owned(), Diary::default())).collect();
        Self { chores: Arc::new(Mutex::new(chores)), diary: Arc::new(Mutex::new(diary)), ..Self::default() }
    }

    /// How each went so far, by name.
    pub fn diary(&self) -> BTreeMap<String, Diary> {
        self.lock_diary().clone()
    }

    /// Lets the one at work end early.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    fn lock_diary(&self) -> MutexGuard<'_, BTreeMap<String, Diary>> {
        self.diary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does everything that is due, one after another.
    fn work_off(&self, clock: &Clock, alerts: &Alerts) {
        let mut chores = self.chores.lock().unwrap_or_else(PoisonError::into_inner);
        for chore in chores.iter_mut() {
            let now = clock.now();
            if self.stop.load(Ordering::Acquire) {
                return;
            }
            let name = chore.name().to_owned();
            let rests = self.lock_diary().get(&name).is_some_and(|diary| !diary.may_run(now));
            if rests || !chore.is_due(now) {
                continue;
            }
            // A chore that panics has failed like any other; the rest of them must still be done.
            let ended = catch_unwind(AssertUnwindSafe(|| chore.run(now, &self.stop)));
            let outcome = match ended {
                Ok(outcome) => outcome.map_err(|error| told(&*error)),
                Err(_) => Err("it panicked; this is a fault of the program, the log has its place".to_owned()),
            };
            match &outcome {
                Ok(outcome) => tracing::info!(chore = name, outcome, "done"),
                Err(problem) => tracing::warn!(chore = name, problem, "not done; tried again later"),
            }
            let (now, problem) = (clock.now(), outcome.clone().err());
            let is_news = self.lock_diary().entry(name.clone()).or_default().note(now, outcome);
            if let Some(problem) = problem.filter(|_| is_news) {
                let reason = format!("{name}: {problem}");
                alerts.raise(Alert { severity: "warning", ..Alert::error(ALERT, now, "keeper", reason) });
            }
        }
    }
}

/// An error with its causes.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What a Keeper hears.
#[derive(Debug)]
pub enum Message {
    /// Look whether something is due.
    Look,
    /// The thread has worked everything off.
    Ended,
}

/// What a Keeper is made of.
#[derive(Clone)]
pub struct Arguments {
    /// What is to be done.
    pub chores: Chores,
    /// Who is told of failures.
    pub alerts: Alerts,
    /// Time.
    pub clock: Clock,
}

/// A Keeper at work.
pub struct State {
    arguments: Arguments,
    is_working: bool,
}

/// The kind of actor.
pub struct Keeper;

impl Actor for Keeper {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Message>, arguments: Arguments) -> Result<State, ActorProcessingErr> {
        myself.send_message(Message::Look)?;
        myself.send_interval(LOOK_EVERY, || Message::Look);
        Ok(State { arguments, is_working: false })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Look if state.is_working => {}
            Message::Look => {
                state.is_working = true;
                let Arguments { chores, alerts, clock } = state.arguments.clone();
                tokio::task::spawn_blocking(move || {
                    chores.work_off(&clock, &alerts);
                    // A successor looks for itself.
                    let _ = myself.send_message(Message::Ended);
                });
            }
            Message::Ended => state.is_working = false,
        }
        Ok(())
    }

    async fn post_stop(&self, _myself: ActorRef<Message>, state: &mut State) -> Result<(), ActorProcessingErr> {
        state.arguments.chores.stop();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * NANOS_PER_SECOND)
    }

    /// Due until it was done so often; fails, panics or succeeds as the list says.
    struct Listed {
        name: &'static str,
        script: Vec<char>,
        ran: Arc<Mutex<Vec<&'static str>>>,
    }

    impl Chore for Listed {
        fn name(&self) -> &str {
            self.name
        }

        fn is_due(&mut self, _now: Timestamp) -> bool {
            !self.script.is_empty()
        }

        fn run(&mut self, _now: Timestamp, _stop: &AtomicBool) -> Result<String, ChoreError> {
            self.ran.lock().expect("one thread").push(self.name);
            match self.script.remove(0) {
                '+' => Ok("well".to_owned()),
                '-' => Err("the source is down".into()),
                _ => panic!("a fault"),
            }
        }
    }

    fn chores(scripts: &[(&'static str, &str)]) -> (Chores, Arc<Mutex<Vec<&'static str>>>) {
        let ran = Arc::<Mutex<Vec<&'static str>>>::default();
        let listed = |(name, script): &(&'static str, &str)| -> Box<dyn Chore> {
            Box::new(Listed { name, script: script.chars().collect(), ran: Arc::clone(&ran) })
        };
        (Chores::new(scripts.iter().map(listed).collect()), ran)
    }

    #[test]
    fn one_that_fails_or_panics_keeps_no_other_from_being_done() {
        let (chores, ran) = chores(&[("a", "-+"), ("b", "!"), ("c", "++")]);
        let clock = Clock::simulated(at(0));
        chores.work_off(&clock, &Alerts::default());
        assert_eq!(*ran.lock().expect("one thread"), ["a", "b", "c"]);
        // The two that failed rest for a minute, the third does not.
        clock.advance(at(59));
        chores.work_off(&clock, &Alerts::default());
        assert_eq!(*ran.lock().expect("one thread"), ["a", "b", "c", "c"]);
        clock.advance(at(60));
        chores.work_off(&clock, &Alerts::default());
        assert_eq!(*ran.lock().expect("one thread"), ["a", "b", "c", "c", "a"]);
        let diary = chores.diary();
        let figures = |name: &str| (diary[name].done, diary[name].failed, diary[name].failures_in_a_row);
        assert_eq!([figures("a"), figures("b"), figures("c")], [(1, 1, 0), (0, 1, 1), (2, 0, 0)]);
        assert!(diary["b"].outcome.contains("panicked"), "{}", diary["b"].outcome);
    }

    #[test]
    fn pauses_double_up_to_an_hour_and_news_grows_rare() {
        let mut diary = Diary::default();
        let (mut now, mut pauses, mut news) = (at(0), Vec::new(), Vec::new());
        for failure in 1..=70 {
            if diary.note(now, Err("down".to_owned())) {
                news.push(failure);
            }
            let until = diary.not_before.expect("it rests");
            pauses.push(until.nanos_since(now) / NANOS_PER_SECOND);
            now = until;
        }
        assert_eq!(pauses[..8], [60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
        assert!(pauses[8..].iter().all(|pause| *pause == 3_600));
        assert_eq!(news, [1, 2, 4, 8, 16, 32, 64]);
        diary.note(now, Ok("well".to_owned()));
        assert_eq!((diary.failures_in_a_row, diary.not_before, diary.done, diary.failed), (0, None, 1, 70));
    }

    #[test]
    fn told_to_stop_nothing_more_begins() {
        let (chores, ran) = chores(&[("a", "+")]);
        chores.stop();
        chores.work_off(&Clock::simulated(at(0)), &Alerts::default());
        assert!(ran.lock().expect("one thread").is_empty());
    }
}

//! Halting from inside: throws the switch, then makes it durable.
//!
//! The switch comes first: nothing that fails afterwards can keep it open. The record is written by
//! whoever throws it rather than sent as a message, so that no mailbox stands in between. Lifting goes
//! the other way round: nothing opens before it is durable that it may.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use risk::catalogue::{HALTERS, halter};
use risk::{HaltLevel, HaltScope, HaltSwitch, Seen};
use store::halt::ANEW;
use store::{HaltRecord, HaltStore, StoreError};

use crate::clock::Clock;
use crate::notifier::{Alert, Alerts};

/// The word in the store for a scope at `halted` over a `cancel_all` or `flatten`: a start goes on cancelling. Whoever
/// does not know it is halted in doubt.
const HALTED_CANCELLING: &str = "halted_cancelling";

/// A store's halt record that outlives every actor's restarts.
pub type SharedHalt = Arc<Mutex<dyn HaltStore>>;

/// The switch with its durable record. Clones are the same one.
#[derive(Clone)]
pub struct Halter {
    /// The switch that the gate reads.
    pub switch: HaltSwitch,
    /// Time.
    pub clock: Clock,
    /// Who is told.
    pub alerts: Alerts,
    store: SharedHalt,
    /// The last decision on each scope, for people.
    decisions: Arc<Mutex<BTreeMap<HaltScope, HaltRecord>>>,
    /// Halts so far by who threw them, people under one name.
    counts: Arc<Mutex<BTreeMap<&'static str, u64>>>,
}

/// Why a halt was not lifted.
#[derive(Debug, thiserror::Error)]
pub enum LiftError {
    /// It is not what the person saw any more.
    #[error("another halt of {0} came meanwhile: look again")]
    Moved(HaltScope),
    /// It could not be made durable.
    #[error("the decision could not be stored: {0}")]
    Store(#[from] StoreError),
}

impl Halter {
    /// With who decided what so far, as the store remembers it.
    pub fn new(switch: HaltSwitch, store: SharedHalt, clock: Clock) -> Self {
        let loaded = store.lock().unwrap_or_else(PoisonError::into_inner).load_halts();
        let known = |record: HaltRecord| {
            // For people it stands at the level.
            let level = Stored::read(&record.level).map_or(record.level, |stored| stored.level.name().to_owned());
            Some((record.scope.parse().ok()?, HaltRecord { level, ..record }))
        };
        let decisions = loaded.unwrap_or_default().into_iter().filter_map(known).collect();
        let counts = HALTERS.iter().map(|by| (*by, 0)).collect();
        let (decisions, counts) = (Arc::new(Mutex::new(decisions)), Arc::new(Mutex::new(counts)));
        Self { switch, clock, alerts: Alerts::default(), store, decisions, counts }
    }

    /// The same, telling each halt there.
    #[must_use]
    pub fn telling(self, alerts: Alerts) -> Self {
        Self { alerts, ..self }
    }

    /// Raises a scope to at least `level`; `true` if that changed anything.
    pub fn raise(&self, scope: &HaltScope, level: HaltLevel, by: &str, reason: &str) -> bool {
        if !self.switch.raise(scope, level) {
            return false;
        }
        // Whoever raised it has no use for the error, which is logged.
        let _ = self.keep(scope, level, by, reason);
        true
    }

    /// Makes durable that a scope stands at `level` on somebody's word.
    ///
    /// # Errors
    /// It is in force, but not stored.
    pub fn keep(&self, scope: &HaltScope, level: HaltLevel, by: &str, reason: &str) -> Result<(), StoreError> {
        tracing::error!(%scope, level = level.name(), by, reason, "halted");
        let record = self.record(scope, level, by, reason);
        self.alerts.raise(Alert::halted(scope, level, by, reason, record.at));
        self.decisions().insert(scope.clone(), record.clone());
        *self.counted().entry(halter(by)).or_default() += 1;
        store::crash::point("before_halt_stored");
        let stored = {
            let mut store = self.store();
            // As it stands now: somebody else may have thrown more meanwhile, and be stored already.
            let stands = Stored::of(&self.switch, scope);
            let stored = Stored { level: level.max(stands.level), ..stands };
            store.save_halt(&HaltRecord { level: stored.word().to_owned(), ..record })
        };
        store::crash::point("after_halt_stored");
        if let Err(error) = &stored {
            tracing::error!(%error, "the halt is in force but could not be stored");
        }
        stored
    }

    /// Lifts a halt as its person saw it: durable first, then open.
    ///
    /// # Errors
    /// It stays in force, whatever the error.
    pub fn lift(&self, scope: &HaltScope, seen: Seen, by: &str, reason: &str) -> Result<(), LiftError> {
        let record = self.record(scope, HaltLevel::Active, by, reason);
        // Held until the switch has moved: a halt that is thrown meanwhile is stored after this.
        let mut store = self.store();
        if self.switch.seen(scope) != seen {
            return Err(LiftError::Moved(scope.clone()));
        }
        store.save_halt(&record)?;
        if !self.switch.lift(scope, seen) {
            return Err(LiftError::Moved(scope.clone()));
        }
        drop(store);
        self.decisions().insert(scope.clone(), record);
        tracing::warn!(%scope, by, reason, "resumed");
        Ok(())
    }

    /// Every scope that is not active: how far, by whom, why and since when.
    pub fn standing(&self) -> Vec<HaltRecord> {
        let decisions = self.decisions();
        let attributed = |(scope, level): (HaltScope, HaltLevel)| {
            let decided = decisions.get(&scope).filter(|record| record.level == level.name()).cloned();
            // Nobody's word leads to it: it was found so at the start, or its store was lost.
            decided.unwrap_or_else(|| {
                let reason = "no decision on record: the state at the start could not be read";
                self.record(&scope, level, "start", reason)
            })
        };
        self.switch.standing().into_iter().map(attributed).collect()
    }

    /// Halts so far by who threw them; zero for whoever threw none, so that the first one is seen.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.counted().clone()
    }

    fn counted(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, scope: &HaltScope, level: HaltLevel, by: &str, reason: &str) -> HaltRecord {
        HaltRecord {
            scope: scope.to_string(),
            level: level.name().to_owned(),
            reason: reason.to_owned(),
            by: by.to_owned(),
            at: self.clock.now(),
        }
    }

    fn store(&self) -> MutexGuard<'_, dyn HaltStore + 'static> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn decisions(&self) -> MutexGuard<'_, BTreeMap<HaltScope, HaltRecord>> {
        // Plain values, whole at any moment.
        self.decisions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A scope as the store remembers it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stored {
    level: HaltLevel,
    /// Open orders are taken back; at `halted`, because of what is below it.
    cancels: bool,
}

impl Stored {
    fn of(switch: &HaltSwitch, scope: &HaltScope) -> Self {
        Self { level: switch.level_in(scope), cancels: switch.cancels_in(scope) }
    }

    const fn word(self) -> &'static str {
        match self.level {
            HaltLevel::Halted if self.cancels => HALTED_CANCELLING,
            level => level.name(),
        }
    }

    fn read(word: &str) -> Option<Self> {
        match word {
            HALTED_CANCELLING => Some(Self { level: HaltLevel::Halted, cancels: true }),
            word => HaltLevel::from_name(word).map(|level| Self { level, cancels: level.cancels() }),
        }
    }

    fn put_in(self, switch: &HaltSwitch, scope: &HaltScope) {
        if self.level == HaltLevel::Halted && self.cancels {
            switch.set(scope, HaltLevel::CancelAll);
            switch.raise(scope, HaltLevel::Halted);
        } else {
            switch.set(scope, self.level);
        }
    }
}

/// Sets a switch to what was in force when the last run ended. In doubt everything is halted: records
/// that cannot be read, and words that nobody knows.
///
/// # Errors
/// What is in doubt, for people; the switch is halted.
pub fn establish(switch: &HaltSwitch, found: Result<Vec<HaltRecord>, StoreError>) -> Result<(), String> {
    switch.set(&HaltScope::Global, HaltLevel::Halted);
    let records = found.map_err(|error| format!("the halt state cannot be read: {}", told(&error)))?;
    let mut understood = Vec::with_capacity(records.len());
    // A person has begun anew after what could not be read.
    let is_anew = |record: &&HaltRecord| record.scope == ANEW && record.level == HaltLevel::Active.name();
    for record in records.iter().filter(|record| !is_anew(record)) {
        let scope: HaltScope = record.scope.parse().map_err(|unknown| format!("a stored halt: {unknown}"))?;
        let stored = Stored::read(&record.level)
            .ok_or_else(|| format!("a stored halt of {scope} has the level '{}', which nobody knows", record.level))?;
        understood.push((scope, stored));
    }
    if !understood.iter().any(|(scope, _)| *scope == HaltScope::Global) {
        understood.push((HaltScope::Global, Stored { level: HaltLevel::Active, cancels: false }));
    }
    understood.iter().for_each(|(scope, stored)| stored.put_in(switch, scope));
    Ok(())
}

/// An error with what caused it.
fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(scope: &str, level: &str) -> HaltRecord {
        let at = Clock::simulated(market::Timestamp::MIN).now();
        HaltRecord { scope: scope.into(), level: level.into(), reason: "said so".into(), by: "ana".into(), at }
    }

    fn fresh() -> HaltSwitch {
        HaltSwitch::of_run(vec!["trend".to_owned()], vec!["PETR4".parse().unwrap()])
    }

    #[test]
    fn a_start_takes_over_each_scope_and_is_halted_in_doubt() {
        let failed = || Err(StoreError::Failed { place: "there".into(), doing: "read", source: "gone".into() });
        for (found, standing) in [
            (Ok(vec![]), vec![]),
            (Ok(vec![record("global", "active")]), vec![]),
            (
                Ok(vec![record("symbol:PETR4", "flatten"), record("symbol:MGLU3", "stop_new")]),
                vec![("symbol:PETR4", "flatten"), ("symbol:MGLU3", "stop_new")],
            ),
            (
                Ok(vec![record("strategy:trend", "reducing"), record("account", "halted")]),
                vec![("account", "halted"), ("strategy:trend", "reducing")],
            ),
            (Ok(vec![record("*", "active"), record("broker", "stop_new")]), vec![("broker", "stop_new")]),
            (Ok(vec![record("symbol:PETR4", "halted_cancelling")]), vec![("symbol:PETR4", "halted")]),
            // In doubt.
            (Ok(vec![record("*", "stop_new")]), vec![("global", "halted")]),
            (failed(), vec![("global", "halted")]),
            (Ok(vec![record("global", "paused")]), vec![("global", "halted")]),
            (Ok(vec![record("global", "active"), record("planet:B3", "active")]), vec![("global", "halted")]),
            (Ok(vec![record("global", "active"), record("symbol:PETR4", "")]), vec![("global", "halted")]),
        ] {
            let (switch, told) = (fresh(), format!("{found:?}"));
            let in_doubt = establish(&switch, found).is_err();
            let found: Vec<(String, &str)> =
                switch.standing().into_iter().map(|(scope, level)| (scope.to_string(), level.name())).collect();
            let standing: Vec<(String, &str)> =
                standing.into_iter().map(|(scope, level)| (scope.to_owned(), level)).collect();
            assert_eq!((found == standing, in_doubt), (true, standing == [("global".to_owned(), "halted")]), "{told}");
        }
    }

    #[test]
    fn a_start_goes_on_cancelling_under_a_halt_and_a_resume_ends_both() {
        use HaltLevel::{CancelAll, Flatten, Halted, StopNew};
        for text in ["global", "strategy:trend", "symbol:PETR4", "symbol:MGLU3"] {
            let scope: HaltScope = text.parse().unwrap();
            for (thrown, level, cancels) in [
                (&[CancelAll, Halted][..], Halted, true),
                (&[Halted, CancelAll], Halted, true),
                (&[Flatten, Halted], Halted, true),
                (&[StopNew, Halted], Halted, false),
                (&[StopNew, CancelAll], CancelAll, true),
                (&[Flatten, CancelAll], Flatten, true),
            ] {
                let store = Arc::new(Mutex::new(Kept::default()));
                let halter = Halter::new(fresh(), Arc::clone(&store) as _, Clock::System);
                establish(&halter.switch, Ok(vec![])).unwrap();
                for rung in thrown {
                    halter.switch.raise(&scope, *rung);
                    halter.keep(&scope, halter.switch.level_in(&scope), "ana", "said so").unwrap();
                }
                let last = store.lock().unwrap().0.last().cloned().unwrap();
                let next = Halter::new(fresh(), Arc::clone(&store) as _, Clock::System);
                establish(&next.switch, Ok(vec![last])).unwrap();
                let found = (next.switch.level_in(&scope), next.switch.cancels_in(&scope));
                assert_eq!(found, (level, cancels), "{text} {thrown:?}");
                let told = next.standing();
                assert_eq!((told[0].level.as_str(), told[0].by.as_str()), (level.name(), "ana"), "{text}");
                next.lift(&scope, next.switch.seen(&scope), "ana", "looked").unwrap();
                assert!(!next.switch.cancels_in(&scope) && next.switch.standing().is_empty());
            }
        }
    }

    #[test]
    fn who_stores_last_stores_what_stands_by_then() {
        let store = Arc::new(Mutex::new(Kept::default()));
        let halter = Halter::new(fresh(), Arc::clone(&store) as _, Clock::System);
        let scope = HaltScope::Global;
        halter.switch.set(&scope, HaltLevel::Active);
        // Two throw at once, and the milder one comes to the store after the other.
        halter.switch.raise(&scope, HaltLevel::StopNew);
        assert!(halter.raise(&scope, HaltLevel::Halted, "journal", "failed"));
        halter.keep(&scope, HaltLevel::StopNew, "ana", "odd fills").unwrap();
        assert_eq!(store.lock().unwrap().0.last().unwrap().level, "halted");
    }

    #[derive(Default)]
    struct Kept(Vec<HaltRecord>, bool);

    impl HaltStore for Kept {
        fn load_halts(&self) -> Result<Vec<HaltRecord>, StoreError> {
            Ok(self.0.clone())
        }

        fn save_halt(&mut self, record: &HaltRecord) -> Result<(), StoreError> {
            if self.1 {
                return Err(StoreError::Failed { place: "there".into(), doing: "save", source: "full".into() });
            }
            self.0.push(record.clone());
            Ok(())
        }
    }

    #[test]
    fn a_halt_that_came_meanwhile_is_not_lifted_and_stays_the_last_word_in_the_store() {
        let store = Arc::new(Mutex::new(Kept::default()));
        let halter = Halter::new(fresh(), Arc::clone(&store) as _, Clock::System);
        let (scope, stop) = (HaltScope::Global, HaltLevel::StopNew);
        halter.switch.set(&scope, HaltLevel::Active);
        assert!(halter.raise(&scope, stop, "ana", "odd fills"));
        let seen = halter.switch.seen(&scope);
        assert!(!halter.raise(&scope, stop, "rui", "the same"), "changes nothing, and yet somebody said stop");
        let refused = halter.lift(&scope, seen, "ana", "looked").unwrap_err();
        assert_eq!(refused.to_string(), "another halt of global came meanwhile: look again");
        assert_eq!((halter.switch.level(), halter.standing().len()), (stop, 1));
        assert_eq!(halter.standing()[0].by, "ana");
        let seen = halter.switch.seen(&scope);
        store.lock().unwrap().1 = true;
        assert!(matches!(halter.lift(&scope, seen, "ana", "looked"), Err(LiftError::Store(_))));
        assert_eq!(halter.switch.level(), stop, "nothing opens before it is durable");
        store.lock().unwrap().1 = false;
        halter.lift(&scope, seen, "ana", "looked").unwrap();
        assert_eq!((halter.switch.level(), halter.standing()), (HaltLevel::Active, Vec::new()));
        assert_eq!((halter.counts()["person"], halter.counts()["daily_loss"]), (1, 0), "the second changed nothing");
        let levels: Vec<String> = store.lock().unwrap().0.iter().map(|record| record.level.clone()).collect();
        assert_eq!(levels, ["stop_new", "active"]);
    }
}

//! The halt switch: shared atomics that the last gate before the socket reads for each order.
//!
//! Not a mailbox message, so no queue can delay it; no lock and no allocation on the way, so nothing can
//! hold the gate up. One atomic per scope: the program-wide ones, each strategy and each instrument of the
//! run. It starts halted: a state that nobody has established counts as the worst one.
//!
//! Each atomic counts its changes beside its level: a resume lifts what its person has seen, and not a halt
//! that came meanwhile ([`HaltSwitch::lift`]).
//!
//! Beside what people and monitors throw, the order protocol stops an instrument in which book and broker
//! differ ([`HaltSwitch::stop_instrument`]). That has its own mark: accepting the difference must not lift
//! what a person threw, nor the other way round.

mod level;
mod scope;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use market::{InstrumentId, StrategyId, Symbol};

pub use level::HaltLevel;
use level::Thrown;
pub use scope::{HaltScope, UnknownScope};

/// The shared switch. Clones are the same switch.
#[derive(Clone, Debug)]
pub struct HaltSwitch(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// As [`HaltScope::PROGRAM`].
    program: [Cell; 3],
    /// By number of the run.
    strategies: Box<[Cell]>,
    instruments: Box<[Cell]>,
    /// Instruments in which book and broker differ: halted, or nothing.
    differing: Box<[Cell]>,
    /// Counts changes: whoever has seen this number has seen all of them.
    epoch: AtomicU64,
    names: Vec<String>,
    symbols: Vec<Symbol>,
    /// What was thrown for names that this run does not have: kept, because it may be a run's again.
    absent: Mutex<BTreeMap<HaltScope, u64>>,
}

/// One scope.
#[derive(Debug, Default)]
struct Cell {
    /// What was thrown, with the number of changes above it.
    value: AtomicU64,
    /// The epoch in which it was thrown last, at whatever level.
    raised: AtomicU64,
    /// The epoch in which it was thrown last at a level that lets no new order out.
    stopped: AtomicU64,
}

impl Cell {
    /// Notes what was thrown. After the value itself: whoever reads the epoch first and the value then has
    /// either seen the value or is older than the stamp.
    fn stamp(&self, level: HaltLevel, epoch: u64) {
        if level > HaltLevel::Active {
            self.raised.fetch_max(epoch, Ordering::AcqRel);
        }
        if level > HaltLevel::Reducing {
            self.stopped.fetch_max(epoch, Ordering::AcqRel);
        }
    }
}

/// Bits of a cell that hold what was thrown.
const THROWN_BITS: u32 = 8;

/// What was thrown, as a cell or the map of absent names holds it.
#[inline]
const fn thrown(value: u64) -> Thrown {
    Thrown((value & ((1 << THROWN_BITS) - 1)) as u8)
}

/// The value after another change.
const fn changed(value: u64, to: Thrown) -> u64 {
    ((value >> THROWN_BITS).wrapping_add(1) << THROWN_BITS) | to.0 as u64
}

/// A scope as somebody saw it. It is lifted only if it still stands so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen(u64);

impl Seen {
    /// The level that stood there.
    pub const fn level(self) -> HaltLevel {
        thrown(self.0).level()
    }
}

impl Default for HaltSwitch {
    fn default() -> Self {
        Self::at(HaltLevel::Halted)
    }
}

impl HaltSwitch {
    /// A switch that stands at `level` as a whole and knows no strategy or instrument by name.
    pub fn at(level: HaltLevel) -> Self {
        let switch = Self::of_run(Vec::new(), Vec::new());
        switch.set(&HaltScope::Global, level);
        switch
    }

    /// The switch of a run with these strategies and symbols by number. It stands at halted until
    /// somebody who knows sets it.
    pub fn of_run(names: Vec<String>, symbols: Vec<Symbol>) -> Self {
        let cells = |count| (0..count).map(|_| Cell::default()).collect::<Box<[Cell]>>();
        let switch = Self(Arc::new(Shared {
            program: Default::default(),
            strategies: cells(names.len()),
            instruments: cells(symbols.len()),
            differing: cells(symbols.len()),
            epoch: AtomicU64::new(0),
            names,
            symbols,
            absent: Mutex::default(),
        }));
        switch.set(&HaltScope::Global, HaltLevel::Halted);
        switch
    }

    /// Where the program as a whole stands: the strictest of what concerns every order.
    #[inline]
    pub fn level(&self) -> HaltLevel {
        self.program().level()
    }

    /// Where an order of this strategy in this instrument stands: the strictest of all that concern it.
    #[inline]
    pub fn level_of(&self, strategy: StrategyId, instrument: InstrumentId) -> HaltLevel {
        let differing = read(self.0.differing.get(instrument.index()));
        self.thrown(strategy, instrument).and(differing).level()
    }

    /// Whether open orders of this strategy in this instrument are to be cancelled. A halt on top of that
    /// changes nothing about it.
    pub fn cancels(&self, strategy: StrategyId, instrument: InstrumentId) -> bool {
        self.thrown(strategy, instrument).cancels()
    }

    /// Whether anything at all is to be cancelled.
    pub fn is_cancelling(&self) -> bool {
        let shared = &self.0;
        let cells = shared.program.iter().chain(&shared.strategies).chain(&shared.instruments);
        cells.into_iter().any(|cell| read(Some(cell)).cancels())
    }

    /// Whether one scope by itself takes open orders back: at `cancel_all` and `flatten`, and at `halted` where one of
    /// them is below it.
    pub fn cancels_in(&self, scope: &HaltScope) -> bool {
        thrown(self.seen(scope).0).cancels()
    }

    /// Where one scope stands by itself.
    pub fn level_in(&self, scope: &HaltScope) -> HaltLevel {
        self.seen(scope).level()
    }

    /// The same, to be lifted later if nothing has come on top of it.
    pub fn seen(&self, scope: &HaltScope) -> Seen {
        Seen(match self.cell(scope) {
            Some(cell) => cell.value.load(Ordering::Acquire),
            None => self.absent().get(scope).copied().unwrap_or_default(),
        })
    }

    /// Moves a scope up to at least `level`; `true` if that changed anything. Never moves it down.
    pub fn raise(&self, scope: &HaltScope, level: HaltLevel) -> bool {
        let before = self.change(scope, |before| before.and(Thrown::just(level)));
        before.level() < level
    }

    /// Sets a scope, down included. Only for recovery.
    pub fn set(&self, scope: &HaltScope, level: HaltLevel) {
        self.change(scope, |_| Thrown::just(level));
    }

    /// Lifts a scope on a named person's word; `false` if something was thrown since it was `seen`, the
    /// same level again included.
    pub fn lift(&self, scope: &HaltScope, seen: Seen) -> bool {
        let active = changed(seen.0, Thrown::default());
        let lifted = match self.cell(scope) {
            Some(cell) => cell.value.compare_exchange(seen.0, active, Ordering::AcqRel, Ordering::Acquire).is_ok(),
            None => {
                let mut absent = self.absent();
                let stands = absent.entry(scope.clone()).or_default();
                let is_same = *stands == seen.0;
                if is_same {
                    *stands = active;
                }
                is_same
            }
        };
        self.next_epoch();
        lifted
    }

    /// Book and broker differ in this instrument, or do not any more. The order protocol's to say.
    pub fn stop_instrument(&self, instrument: InstrumentId, differs: bool) {
        let level = if differs { HaltLevel::Halted } else { HaltLevel::Active };
        if let Some(cell) = self.0.differing.get(instrument.index()) {
            cell.value.store(u64::from(Thrown::just(level).0), Ordering::Release);
            cell.stamp(level, self.next_epoch());
        }
    }

    /// Every scope that is not active, names that this run does not have included.
    pub fn standing(&self) -> Vec<(HaltScope, HaltLevel)> {
        let shared = &self.0;
        let strategies = shared.names.iter().cloned().map(HaltScope::Strategy);
        let known = HaltScope::PROGRAM
            .into_iter()
            .chain(strategies)
            .chain(shared.symbols.iter().copied().map(HaltScope::Symbol));
        let known = known.map(|scope| (read(self.cell(&scope)).level(), scope)).map(|(level, scope)| (scope, level));
        let absent: Vec<(HaltScope, HaltLevel)> =
            self.absent().iter().map(|(scope, value)| (scope.clone(), thrown(*value).level())).collect();
        known.chain(absent).filter(|(_, level)| *level != HaltLevel::Active).collect()
    }

    /// How often it has been moved: whoever has seen this number has seen every change before it.
    pub fn epoch(&self) -> u64 {
        self.0.epoch.load(Ordering::Acquire)
    }

    /// Whether a halt was thrown after this epoch over an order of this strategy in this instrument, be it
    /// lifted again: what was decided before it is not sent after it. `reduces`: one of those that leave
    /// at `reducing`.
    pub fn was_halted_since(&self, epoch: u64, strategy: StrategyId, instrument: InstrumentId, reduces: bool) -> bool {
        let shared = &self.0;
        let own = [
            shared.strategies.get(strategy.index()),
            shared.instruments.get(instrument.index()),
            shared.differing.get(instrument.index()),
        ];
        shared.program.iter().chain(own.into_iter().flatten()).any(|cell| {
            let stamp = if reduces { &cell.stopped } else { &cell.raised };
            stamp.load(Ordering::Acquire) > epoch
        })
    }

    fn next_epoch(&self) -> u64 {
        self.0.epoch.fetch_add(1, Ordering::AcqRel) + 1
    }

    #[inline]
    fn program(&self) -> Thrown {
        self.0.program.iter().fold(Thrown::default(), |all, cell| all.and(read(Some(cell))))
    }

    #[inline]
    fn thrown(&self, strategy: StrategyId, instrument: InstrumentId) -> Thrown {
        let own = read(self.0.strategies.get(strategy.index()));
        self.program().and(own).and(read(self.0.instruments.get(instrument.index())))
    }

    /// What stood there before.
    fn change(&self, scope: &HaltScope, to: impl Fn(Thrown) -> Thrown) -> Thrown {
        let next = |value: u64| changed(value, to(thrown(value)));
        let before = match self.cell(scope) {
            // It takes another turn only when somebody else has changed the same cell in between.
            Some(cell) => {
                let change = cell.value.fetch_update(Ordering::AcqRel, Ordering::Acquire, |value| Some(next(value)));
                let before = change.unwrap_or_else(|value| value);
                cell.stamp(thrown(next(before)).level(), self.next_epoch());
                before
            }
            None => {
                let mut absent = self.absent();
                let stands = absent.entry(scope.clone()).or_default();
                let before = std::mem::replace(stands, next(*stands));
                self.next_epoch();
                before
            }
        };
        thrown(before)
    }

    fn cell(&self, scope: &HaltScope) -> Option<&Cell> {
        let shared = &*self.0;
        match scope {
            HaltScope::Global => Some(&shared.program[0]),
            HaltScope::Account => Some(&shared.program[1]),
            HaltScope::Broker => Some(&shared.program[2]),
            HaltScope::Strategy(name) => {
                shared.names.iter().position(|known| known == name).map(|place| &shared.strategies[place])
            }
            HaltScope::Symbol(symbol) => {
                shared.symbols.iter().position(|known| known == symbol).map(|place| &shared.instruments[place])
            }
        }
    }

    fn absent(&self) -> std::sync::MutexGuard<'_, BTreeMap<HaltScope, u64>> {
        // Plain values, whole at any moment.
        self.0.absent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What stands in a cell; a number that this run does not have is under no scope of its own.
#[inline]
fn read(cell: Option<&Cell>) -> Thrown {
    cell.map_or(Thrown::default(), |cell| thrown(cell.value.load(Ordering::Acquire)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use HaltLevel::{Active, CancelAll, Flatten, Halted, Reducing, StopNew};

    const TREND: StrategyId = StrategyId(0);
    const OTHER: StrategyId = StrategyId(1);
    const GONE: StrategyId = StrategyId(u16::MAX);
    const PETR4: InstrumentId = InstrumentId::new(0);
    const VALE3: InstrumentId = InstrumentId::new(1);

    fn run() -> HaltSwitch {
        let symbols = ["PETR4", "VALE3"].map(|symbol| symbol.parse().unwrap());
        let switch = HaltSwitch::of_run(vec!["trend".to_owned(), "other".to_owned()], symbols.to_vec());
        assert_eq!(switch.level(), Halted, "until somebody knows");
        switch.set(&HaltScope::Global, Active);
        switch
    }

    fn scope(text: &str) -> HaltScope {
        text.parse().unwrap()
    }

    #[test]
    fn it_starts_halted_and_raising_never_lowers() {
        let switch = HaltSwitch::default();
        assert_eq!(switch.level(), Halted);
        switch.set(&HaltScope::Global, Active);
        let same = switch.clone();
        assert!(same.raise(&HaltScope::Global, StopNew));
        assert!(!switch.raise(&HaltScope::Global, Reducing));
        assert_eq!(switch.level(), StopNew);
        switch.0.program[2].value.store(77, Ordering::Release);
        assert_eq!(switch.level(), Halted, "memory gone bad");
    }

    #[test]
    fn each_scope_stops_what_belongs_to_it_and_nothing_else() {
        // (scope, trend in PETR4, trend in VALE3, other in PETR4, an old strategy in PETR4, the program)
        for (text, stopped) in [
            ("global", [true, true, true, true, true]),
            ("account", [true, true, true, true, true]),
            ("broker", [true, true, true, true, true]),
            ("strategy:trend", [true, true, false, false, false]),
            ("symbol:PETR4", [true, false, true, true, false]),
            ("strategy:unknown", [false; 5]),
            ("symbol:MGLU3", [false; 5]),
        ] {
            for level in [Reducing, StopNew, CancelAll, Flatten, Halted] {
                let switch = run();
                let before = switch.epoch();
                assert!(switch.raise(&scope(text), level));
                assert!(switch.epoch() > before);
                let of = |strategy, instrument| switch.level_of(strategy, instrument);
                let program = switch.level();
                let found = [of(TREND, PETR4), of(TREND, VALE3), of(OTHER, PETR4), of(GONE, PETR4), program];
                assert_eq!(found, stopped.map(|stopped| if stopped { level } else { Active }), "{text}");
                assert_eq!(switch.standing(), [(scope(text), level)]);
                assert_eq!(switch.level_in(&scope(text)), level);
                assert!(!switch.raise(&scope(text), Reducing), "{text}");
                assert_eq!(switch.level_in(&scope(text)), level);
                switch.set(&scope(text), Active);
                assert_eq!((switch.standing(), switch.level_of(TREND, PETR4)), (Vec::new(), Active));
            }
        }
    }

    #[test]
    fn a_resume_lifts_what_was_seen_and_nothing_that_came_since() {
        for text in ["global", "strategy:trend", "symbol:PETR4", "symbol:MGLU3"] {
            let (switch, scope) = (run(), scope(text));
            switch.raise(&scope, StopNew);
            let seen = switch.seen(&scope);
            assert_eq!(seen.level(), StopNew);
            // The same level once more: somebody else has said stop.
            switch.raise(&scope, StopNew);
            assert!(!switch.lift(&scope, seen), "{text}");
            assert_eq!(switch.level_in(&scope), StopNew);
            let seen = switch.seen(&scope);
            assert!(switch.lift(&scope, seen));
            assert_eq!((switch.level_in(&scope), switch.standing()), (Active, Vec::new()));
            assert!(!switch.lift(&scope, seen), "it stands otherwise by now");
        }
    }

    #[test]
    fn the_strictest_wins_and_a_halt_does_not_end_the_cancelling() {
        let switch = run();
        switch.raise(&scope("strategy:trend"), CancelAll);
        switch.raise(&scope("symbol:PETR4"), Flatten);
        switch.raise(&HaltScope::Account, StopNew);
        assert_eq!(switch.level_of(TREND, PETR4), Flatten);
        assert_eq!(switch.level_of(TREND, VALE3), CancelAll);
        assert_eq!(switch.level_of(OTHER, VALE3), StopNew);
        assert_eq!((switch.cancels(TREND, VALE3), switch.cancels(OTHER, VALE3)), (true, false));
        assert!(switch.is_cancelling() && !run().is_cancelling());
        switch.raise(&scope("strategy:trend"), Halted);
        assert_eq!(switch.level_of(TREND, VALE3), Halted);
        assert!(switch.cancels(TREND, VALE3));
        switch.set(&scope("strategy:trend"), Active);
        assert!(!switch.cancels(TREND, VALE3), "a resume ends it");
    }

    #[test]
    fn what_was_decided_before_a_halt_is_older_than_it_for_ever() {
        for (text, over) in [
            ("global", [true, true, true]),
            ("account", [true, true, true]),
            ("strategy:trend", [true, true, false]),
            ("symbol:PETR4", [true, false, true]),
        ] {
            let switch = run();
            let before = switch.epoch();
            switch.raise(&scope(text), Reducing);
            let of = [(TREND, PETR4), (TREND, VALE3), (OTHER, PETR4)];
            let since = |epoch, reduces| of.map(|(whose, what)| switch.was_halted_since(epoch, whose, what, reduces));
            assert_eq!((since(before, false), since(before, true)), (over, [false; 3]), "{text}");
            switch.raise(&scope(text), StopNew);
            switch.lift(&scope(text), switch.seen(&scope(text)));
            assert_eq!(switch.level_of(TREND, PETR4), Active);
            assert_eq!((since(before, false), since(before, true)), (over, over), "{text}: lifted or not");
            assert_eq!(since(switch.epoch(), false), [false; 3], "{text}: what is decided now is newer");
        }
        let switch = run();
        let before = switch.epoch();
        switch.stop_instrument(PETR4, true);
        switch.stop_instrument(PETR4, false);
        assert!(switch.was_halted_since(before, TREND, PETR4, true));
        assert!(!switch.was_halted_since(before, TREND, VALE3, true));
    }

    #[test]
    fn a_difference_in_an_instrument_and_a_persons_stop_of_it_are_lifted_apart() {
        let switch = run();
        switch.stop_instrument(PETR4, true);
        assert_eq!((switch.level_of(TREND, PETR4), switch.level_of(TREND, VALE3)), (Halted, Active));
        assert_eq!(switch.level_in(&scope("symbol:PETR4")), Active, "nobody threw that");
        switch.raise(&scope("symbol:PETR4"), StopNew);
        switch.stop_instrument(PETR4, false);
        assert_eq!(switch.level_of(TREND, PETR4), StopNew);
        switch.stop_instrument(PETR4, true);
        switch.set(&scope("symbol:PETR4"), Active);
        assert_eq!(switch.level_of(TREND, PETR4), Halted);
    }
}

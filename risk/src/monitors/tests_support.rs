//! What the tests of all monitors stand on: figures that can be set, and the watches of a configuration.

use std::collections::BTreeSet;
use std::sync::Arc;

use market::{Date, Instrument, InstrumentKind, Money, Symbol, Universe};

use super::{Configured, Figures, MonitorSettings, Observation, Standing, Watch, Worth, watches};
use crate::limits::{LimitSet, LimitTable, Limits, SomeLimits, StrategyLimits};

pub(super) const fn cents(cents: i64) -> Money {
    Money::from_cents(cents)
}

/// Two symbols, two strategies (`other` and `trend`), and their figures.
pub(super) struct World {
    pub(super) settings: MonitorSettings,
    pub(super) written: Limits,
    pub(super) figures: Figures,
}

fn strategies() -> [String; 2] {
    ["other".to_owned(), "trend".to_owned()]
}

impl World {
    /// All limits wide but for what `narrow` says.
    pub(super) fn with(narrow: impl FnOnce(&mut LimitSet)) -> Self {
        let mut universe = Universe::new();
        for symbol in ["PETR4", "VALE3"] {
            universe.add(Instrument::cash(symbol.parse().expect("a symbol"), InstrumentKind::Share));
        }
        let mut limits = LimitSet::WIDE;
        narrow(&mut limits);
        let (written, universe) = (Limits::from(limits), Arc::new(universe));
        let table = Arc::new(LimitTable::new(written.clone(), &universe, &strategies()));
        let mut world = Self { settings: MonitorSettings::default(), written, figures: Figures::new(table, universe) };
        world.session(20);
        world
    }

    pub(super) fn rebuild(&mut self) {
        let table = LimitTable::new(self.written.clone(), &self.figures.universe, &strategies());
        self.figures.limits = Arc::new(table);
    }

    /// Other limits are in force.
    pub(super) fn limit(&mut self, narrow: impl FnOnce(&mut LimitSet)) {
        narrow(&mut self.written.global);
        self.rebuild();
    }

    /// These are written for the strategy `trend`.
    pub(super) fn strategy_limits(&mut self, limits: SomeLimits) {
        self.written.strategies.insert("trend".to_owned(), StrategyLimits { allowed: None, limits });
        self.rebuild();
    }

    pub(super) fn symbols(&self) -> BTreeSet<Symbol> {
        self.figures.universe.iter().map(|(_, known)| known.symbol).collect()
    }

    pub(super) fn watches(&self, name: &str) -> Vec<Watch> {
        let all = watches(&Configured { settings: self.settings, strategies: &strategies() });
        all.into_iter().filter(|watch| watch.name.split(' ').next() == Some(name)).collect()
    }

    pub(super) fn session(&mut self, day: u32) {
        self.figures.session = Date::from_ymd_opt(2017, 12, day).expect("a date");
    }

    fn standing(start: i64, now: i64, peak: i64) -> Standing {
        Standing { now: cents(now), start: cents(start), peak: cents(peak) }
    }

    /// The account is worth so much, in centavos.
    pub(super) fn worth(&mut self, start: i64, now: i64, peak: i64) {
        let worth = self.figures.worth.get_or_insert_with(|| Worth {
            account: Standing::default(),
            strategies: vec![Self::standing(100_000, 100_000, 100_000); 2],
        });
        worth.account = Self::standing(start, now, peak);
        self.figures.equity = cents(now);
    }

    /// And the strategy `trend`.
    pub(super) fn strategy_worth(&mut self, start: i64, now: i64, peak: i64) {
        let worth = self.figures.worth.as_mut().expect("the account's worth first");
        worth.strategies[1] = Self::standing(start, now, peak);
    }
}

/// What a look at the account makes a watch tell.
pub(super) fn told(watch: &mut Watch, world: &World) -> Vec<String> {
    let mut breaches = Vec::new();
    watch.observe(Observation::Account(&world.figures), &mut breaches);
    breaches.iter().map(ToString::to_string).collect()
}

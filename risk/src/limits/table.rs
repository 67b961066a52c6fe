//! The limits by number: what is in force for each strategy and instrument of a run.

use market::{InstrumentId, StrategyId, Symbol, Universe};

use super::{LimitSet, Limits, SomeLimits};

/// Some instruments that are held to a limit together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its instruments.
    pub members: Vec<InstrumentId>,
    /// What is written for it.
    pub limits: SomeLimits,
}

/// The limits of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LimitTable {
    limits: Limits,
    /// For everything, held also to what is written for the account.
    account: LimitSet,
    instruments: usize,
    /// The tightest of all scopes, by strategy and then instrument; last those of no known strategy.
    sets: Vec<LimitSet>,
    strategies: Vec<SomeLimits>,
    /// For the account, held also to what is written for a strategy, by strategy.
    own: Vec<LimitSet>,
    /// By strategy and then instrument: what it may trade.
    allowed: Vec<bool>,
    symbols: Vec<SomeLimits>,
    sectors: Vec<Group>,
    /// For the account, held also to what is written for a sector, by sector.
    sector_sets: Vec<LimitSet>,
    sector_of: Vec<Option<usize>>,
    groups: Vec<Group>,
    groups_of: Vec<Vec<usize>>,
}

impl LimitTable {
    /// The limits for these instruments and strategies, each in the order of their numbers.
    pub fn new(limits: Limits, universe: &Universe, strategies: &[String]) -> Self {
        let account = limits.global.tightened(&limits.account);
        let listed = |symbol: &Symbol| universe.find(symbol);
        let group = |(name, symbols): (&String, &std::collections::BTreeSet<Symbol>), limits: SomeLimits| Group {
            name: name.clone(),
            members: symbols.iter().filter_map(listed).collect(),
            limits,
        };
        let sectors: Vec<Group> =
            limits.sectors.iter().map(|(name, sector)| group((name, &sector.symbols), sector.limits)).collect();
        let groups: Vec<Group> = limits.groups.iter().map(|of| group(of, SomeLimits::default())).collect();
        let symbols: Vec<SomeLimits> =
            universe.iter().map(|(_, known)| limits.symbols.get(&known.symbol).copied().unwrap_or_default()).collect();
        let sector_of: Vec<Option<usize>> =
            universe.ids().map(|id| sectors.iter().position(|sector| sector.members.contains(&id))).collect();
        let groups_of = universe.ids().map(|id| {
            let within = groups.iter().enumerate().filter(|(_, group)| group.members.contains(&id));
            within.map(|(place, _)| place).collect()
        });
        let groups_of = groups_of.collect();
        let written: Vec<SomeLimits> = strategies
            .iter()
            .map(|name| limits.strategies.get(name).map(|strategy| strategy.limits).unwrap_or_default())
            .collect();
        let mut sets = Vec::with_capacity((strategies.len() + 1) * universe.len());
        let mut allowed = Vec::with_capacity(strategies.len() * universe.len());
        for strategy in written.iter().chain([&SomeLimits::default()]) {
            for (place, symbol) in symbols.iter().enumerate() {
                let sector = sector_of[place].map(|sector| sectors[sector].limits).unwrap_or_default();
                sets.push(account.tightened(&sector).tightened(symbol).tightened(strategy));
            }
        }
        for name in strategies {
            let only = limits.strategies.get(name).and_then(|strategy| strategy.allowed.as_ref());
            allowed.extend(universe.iter().map(|(_, known)| only.is_none_or(|only| only.contains(&known.symbol))));
        }
        let instruments = universe.len();
        Self {
            limits,
            account,
            instruments,
            sets,
            own: written.iter().map(|strategy| account.tightened(strategy)).collect(),
            strategies: written,
            allowed,
            symbols,
            sector_sets: sectors.iter().map(|sector| account.tightened(&sector.limits)).collect(),
            sectors,
            sector_of,
            groups,
            groups_of,
        }
    }

    /// The same for everything.
    pub fn uniform(limits: LimitSet, universe: &Universe) -> Self {
        Self::new(limits.into(), universe, &[])
    }

    /// As they are written.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// For the account as a whole.
    pub fn account(&self) -> &LimitSet {
        &self.account
    }

    /// For an order of this strategy in this instrument: the tightest of every scope that applies. The
    /// instrument is one of the run; of a strategy that is not, what holds for every one.
    #[inline]
    pub fn of(&self, strategy: StrategyId, instrument: InstrumentId) -> &LimitSet {
        let row = strategy.index().min(self.strategies.len());
        &self.sets[row * self.instruments + instrument.index()]
    }

    /// For what all orders of an instrument come to, whoever's they are.
    #[inline]
    pub fn of_instrument(&self, instrument: InstrumentId) -> &LimitSet {
        &self.sets[self.strategies.len() * self.instruments + instrument.index()]
    }

    /// For what a strategy's own orders come to, whatever they are of.
    #[inline]
    pub fn of_strategy(&self, strategy: StrategyId) -> &LimitSet {
        self.own.get(strategy.index()).unwrap_or(&self.account)
    }

    /// What is written for a strategy, if it is one of the run.
    #[inline]
    pub fn written_for(&self, strategy: StrategyId) -> Option<&SomeLimits> {
        self.strategies.get(strategy.index())
    }

    /// What is written for a strategy.
    pub fn strategy(&self, strategy: StrategyId) -> SomeLimits {
        self.strategies.get(strategy.index()).copied().unwrap_or_default()
    }

    /// How many strategies it knows.
    pub fn strategies(&self) -> usize {
        self.strategies.len()
    }

    /// What is written for a symbol.
    pub fn symbol(&self, instrument: InstrumentId) -> SomeLimits {
        self.symbols[instrument.index()]
    }

    /// The sector of an instrument.
    pub fn sector(&self, instrument: InstrumentId) -> Option<&Group> {
        self.sector_of[instrument.index()].map(|place| &self.sectors[place])
    }

    /// For what a sector's instruments come to together.
    pub fn sector_limits(&self, instrument: InstrumentId) -> Option<&LimitSet> {
        self.sector_of[instrument.index()].map(|place| &self.sector_sets[place])
    }

    /// The groups of an instrument.
    pub fn groups(&self, instrument: InstrumentId) -> impl Iterator<Item = &Group> {
        self.groups_of[instrument.index()].iter().map(|place| &self.groups[*place])
    }

    /// Whether a strategy may trade an instrument; one that is not of the run may trade everything.
    pub fn allows(&self, strategy: StrategyId, instrument: InstrumentId) -> bool {
        self.allowed.get(strategy.index() * self.instruments + instrument.index()).copied().unwrap_or(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{Sector, StrategyLimits};
    use market::{Instrument, InstrumentKind, Quantity};

    #[test]
    fn the_tightest_of_every_scope_is_in_force() {
        let mut universe = Universe::new();
        for symbol in ["PETR4", "VALE3"] {
            universe.add(Instrument::cash(symbol.parse().unwrap(), InstrumentKind::Share));
        }
        let most = |units| SomeLimits { max_order_quantity: Some(Quantity::new(units)), ..SomeLimits::default() };
        let petrobras: Symbol = "PETR4".parse().unwrap();
        let mut limits = Limits::from(LimitSet { max_order_quantity: Quantity::new(900), ..LimitSet::WIDE });
        limits.account = most(800);
        limits.symbols.insert(petrobras, most(500));
        limits.sectors.insert("oil".to_owned(), Sector { symbols: [petrobras].into(), limits: most(600) });
        let allowed = Some([petrobras].into());
        limits.strategies.insert("trend".to_owned(), StrategyLimits { allowed, limits: most(400) });
        limits.strategies.insert("wide".to_owned(), StrategyLimits { allowed: None, limits: most(5_000) });
        let table = LimitTable::new(limits, &universe, &["trend".to_owned(), "wide".to_owned()]);
        let (petr, vale) = (InstrumentId::new(0), InstrumentId::new(1));
        let allowed: Vec<i64> = [(0, petr), (1, petr), (9, petr), (0, vale), (1, vale), (9, vale)]
            .map(|(strategy, of)| table.of(StrategyId(strategy), of).max_order_quantity.units())
            .to_vec();
        assert_eq!(allowed, [400, 500, 500, 400, 800, 800], "a wider value never loosens");
        let trades = [(0, petr), (0, vale), (1, vale), (9, vale)];
        assert_eq!(trades.map(|(strategy, of)| table.allows(StrategyId(strategy), of)), [true, false, true, true]);
        assert_eq!(table.sector(petr).map(|sector| sector.name.as_str()), Some("oil"));
        assert_eq!(table.sector(vale), None);
    }
}

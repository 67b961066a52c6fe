//! C11, C12 and C13 after the trade: marks move, and what was within a limit when it was ordered may go
//! beyond it. Gross and net exposure of the account (and of a strategy where that is written) halt it to
//! reducing; the share of a symbol, a sector or a group halts its symbols, because the rest may go on.
//!
//! A breach is told once for as long as it lasts: the halt stays until a person resumes, however often a
//! price swings through the limit. It is told anew when another limit is set.

use std::collections::BTreeMap;

use market::{InstrumentId, Money, Rate, StrategyId};

use super::{Breach, Built, Configured, Figures, Monitor, Observation};
use crate::checks::Figure;
use crate::halt::{HaltLevel, HaltScope};
use crate::limits::{Group, LimitSet};

pub(super) const NAME: &str = "exposure";

/// What can be beyond a limit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum What {
    Gross(Option<StrategyId>),
    Net(Option<StrategyId>),
    Symbol(InstrumentId),
    Sector(String),
    Group(String),
}

impl What {
    fn words(&self, figures: &Figures) -> String {
        match self {
            Self::Gross(_) => "gross exposure".to_owned(),
            Self::Net(_) => "net exposure".to_owned(),
            Self::Symbol(id) => format!("share of {}", figures.universe.symbol(*id)),
            Self::Sector(name) => format!("share of the sector {name}"),
            Self::Group(name) => format!("share of the group {name}"),
        }
    }
}

#[derive(Debug)]
struct Watched {
    strategies: Vec<String>,
    /// What was beyond its limit at the last look, and beyond which.
    beyond: BTreeMap<What, Rate>,
}

pub(super) fn build(configured: &Configured<'_>) -> Vec<Built> {
    let strategies = configured.strategies.to_vec();
    vec![Built::guard(HaltScope::Account, Watched { strategies, beyond: BTreeMap::new() })]
}

impl Monitor for Watched {
    fn observe(&mut self, seen: Observation<'_>, breaches: &mut Vec<Breach>) {
        let Observation::Account(figures) = seen else { return };
        // Without all prices an exposure is only a part of one; it is looked at when it is whole.
        if figures.worth.is_none() {
            return;
        }
        let mut beyond = BTreeMap::new();
        self.sums(figures, &mut beyond, breaches);
        self.shares(figures, &mut beyond, breaches);
        self.beyond = beyond;
    }
}

impl Watched {
    /// Gross and net, of the account and of each strategy where one is written.
    fn sums(&self, figures: &Figures, beyond: &mut BTreeMap<What, Rate>, breaches: &mut Vec<Breach>) {
        let (exposure, account) = (&figures.exposure, figures.limits.account());
        let whole = [HaltScope::Account];
        self.look(What::Gross(None), exposure.gross, account.max_gross_exposure, &whole, figures, beyond, breaches);
        self.look(What::Net(None), exposure.net, account.max_net_exposure, &whole, figures, beyond, breaches);
        for (place, name) in self.strategies.iter().enumerate() {
            let Some((gross, net)) = exposure.strategies.get(place).copied().flatten() else { continue };
            let (strategy, scope) = (StrategyId(place as u16), [HaltScope::Strategy(name.clone())]);
            let written = figures.limits.strategy(strategy);
            if let Some(limit) = written.max_gross_exposure {
                self.look(What::Gross(Some(strategy)), gross, limit, &scope, figures, beyond, breaches);
            }
            if let Some(limit) = written.max_net_exposure {
                self.look(What::Net(Some(strategy)), net, limit, &scope, figures, beyond, breaches);
            }
        }
    }

    /// Symbols, and sectors and groups once each.
    fn shares(&self, figures: &Figures, beyond: &mut BTreeMap<What, Rate>, breaches: &mut Vec<Breach>) {
        let limits = &figures.limits;
        let account: LimitSet = *limits.account();
        for (place, worst) in figures.exposure.instruments.iter().enumerate() {
            let id = InstrumentId::new(place as u32);
            let own = [figures.scope_of(id)];
            let limit = account.tightened(&limits.symbol(id)).max_symbol_share;
            self.look(What::Symbol(id), *worst, limit, &own, figures, beyond, breaches);
            if let Some(sector) = limits.sector(id).filter(|sector| sector.members.first() == Some(&id)) {
                let limit = account.tightened(&sector.limits).max_sector_share;
                let (sum, scopes) = together(sector, figures);
                self.look(What::Sector(sector.name.clone()), sum, limit, &scopes, figures, beyond, breaches);
            }
            for group in limits.groups(id).filter(|group| group.members.first() == Some(&id)) {
                let (sum, scopes) = together(group, figures);
                let limit = account.max_group_share;
                self.look(What::Group(group.name.clone()), sum, limit, &scopes, figures, beyond, breaches);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one comparison, told with all that it is about")]
    fn look(
        &self,
        what: What,
        seen: Money,
        limit: Rate,
        scopes: &[HaltScope],
        figures: &Figures,
        beyond: &mut BTreeMap<What, Rate>,
        breaches: &mut Vec<Breach>,
    ) {
        let allowed = figures.equity.scaled(limit);
        // Nothing held is nothing wrong, whatever the equity.
        if seen <= allowed || seen <= Money::ZERO {
            return;
        }
        if self.beyond.get(&what) != Some(&limit) {
            breaches.extend(scopes.iter().map(|scope| {
                let breach = Breach::halt(NAME, scope.clone(), HaltLevel::Reducing, figures.at);
                breach.because(what.words(figures), Figure::Money(seen), Figure::Money(allowed))
            }));
        }
        beyond.insert(what, limit);
    }
}

/// What the members come to, and all of their scopes.
fn together(group: &Group, figures: &Figures) -> (Money, Vec<HaltScope>) {
    let worst = |id: &InstrumentId| figures.exposure.instruments.get(id.index()).copied().unwrap_or_default();
    let scopes = group.members.iter().map(|id| figures.scope_of(*id));
    (group.members.iter().map(worst).sum(), scopes.collect())
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{World, cents, told};
    use super::*;
    use crate::limits::{Sector, SomeLimits};
    use proptest::prelude::*;

    fn half() -> Rate {
        Rate::from_ppm(500_000)
    }

    /// Looks at exposures in centavos of an equity of 1,000.00.
    fn look(world: &mut World, watch: &mut super::super::Watch, gross: i64, net: i64, each: [i64; 2]) -> Vec<String> {
        world.worth(100_000, 100_000, 100_000);
        let figures = &mut world.figures;
        figures.equity = cents(100_000);
        (figures.exposure.gross, figures.exposure.net) = (cents(gross), cents(net));
        figures.exposure.instruments = each.map(cents).to_vec();
        figures.exposure.strategies = vec![None, Some((cents(gross), cents(net)))];
        told(watch, world)
    }

    #[test]
    fn each_sum_is_held_to_its_limit_and_told_once_for_as_long_as_it_lasts() {
        let mut world = World::with(|limits| (limits.max_gross_exposure, limits.max_net_exposure) = (half(), half()));
        let watch = &mut world.watches(NAME)[0];
        for (gross, net, expected) in [
            (49_999, 49_999, 0),
            (50_000, 50_000, 0), // at the limit
            (50_001, 50_000, 1), // one centavo beyond
            (50_002, 50_001, 1), // the other one
            (50_003, 50_002, 0), // told already
            (50_000, 50_000, 0), // back
            (50_001, 50_001, 2), // and beyond again
        ] {
            let breaches = look(&mut world, watch, gross, net, [0, 0]);
            assert_eq!(breaches.len(), expected, "{gross} {net}: {breaches:?}");
            assert!(breaches.iter().all(|text| text.ends_with("account now reducing")), "{breaches:?}");
        }
    }

    #[test]
    fn a_breach_of_another_limit_is_told_anew() {
        let mut world = World::with(|limits| limits.max_gross_exposure = half());
        let watch = &mut world.watches(NAME)[0];
        for (ppm, expected) in [(500_000, 1), (500_000, 0), (400_000, 1), (400_000, 0), (700_000, 0), (500_000, 1)] {
            world.limit(|limits| limits.max_gross_exposure = Rate::from_ppm(ppm));
            assert_eq!(look(&mut world, watch, 60_000, 0, [0, 0]).len(), expected, "{ppm}");
        }
    }

    #[test]
    fn a_strategys_exposure_halts_the_strategy() {
        let mut world = World::with(|_| {});
        world.strategy_limits(SomeLimits { max_net_exposure: Some(half()), ..SomeLimits::default() });
        let watch = &mut world.watches(NAME)[0];
        assert!(look(&mut world, watch, 90_000, 50_000, [0, 0]).is_empty());
        assert_eq!(
            look(&mut world, watch, 90_000, 50_001, [0, 0]),
            ["exposure: net exposure: 500.01 exceeds 500.00, strategy:trend now reducing"]
        );
    }

    #[test]
    fn a_share_halts_its_symbols_and_nothing_else() {
        let mut world = World::with(|limits| (limits.max_symbol_share, limits.max_group_share) = (half(), half()));
        let members = world.symbols();
        let limits = SomeLimits { max_sector_share: Some(Rate::from_ppm(600_000)), ..SomeLimits::default() };
        world.written.sectors.insert("oil".to_owned(), Sector { symbols: members.clone(), limits });
        world.written.groups.insert("twins".to_owned(), members);
        world.rebuild();
        let watch = &mut world.watches(NAME)[0];
        assert!(look(&mut world, watch, 0, 0, [50_000, 0]).is_empty(), "all at the limit");
        assert_eq!(
            look(&mut world, watch, 0, 0, [0, 50_001]),
            [
                "exposure: share of the group twins: 500.01 exceeds 500.00, symbol:PETR4 now reducing",
                "exposure: share of the group twins: 500.01 exceeds 500.00, symbol:VALE3 now reducing",
                "exposure: share of VALE3: 500.01 exceeds 500.00, symbol:VALE3 now reducing",
            ]
        );
        assert_eq!(
            look(&mut world, watch, 0, 0, [30_000, 30_001]),
            [
                "exposure: share of the sector oil: 600.01 exceeds 600.00, symbol:PETR4 now reducing",
                "exposure: share of the sector oil: 600.01 exceeds 600.00, symbol:VALE3 now reducing",
            ]
        );
    }

    #[test]
    fn an_account_without_equity_may_hold_nothing_and_one_without_prices_is_not_judged() {
        let mut world = World::with(|limits| limits.max_gross_exposure = half());
        let watch = &mut world.watches(NAME)[0];
        world.figures.exposure.gross = cents(1);
        assert!(told(watch, &world).is_empty(), "not everything has a price");
        world.worth(0, -1, 0);
        assert_eq!(told(watch, &world).len(), 1);
    }

    proptest! {
        #[test]
        fn a_breach_is_told_exactly_when_the_limit_is_crossed(walk in prop::collection::vec(0_i64..100_000, 1..40)) {
            let mut world = World::with(|limits| limits.max_gross_exposure = half());
            let watch = &mut world.watches(NAME)[0];
            let mut was_beyond = false;
            for gross in walk {
                let is_beyond = gross > 50_000;
                let breaches = look(&mut world, watch, gross, 0, [0, 0]);
                prop_assert_eq!(breaches.len(), usize::from(is_beyond && !was_beyond));
                was_beyond = is_beyond;
            }
        }
    }
}

//! What each strategy has made: the money that its trades moved, and what it holds at its mark.
//!
//! Kept with every trade and every mark, because a strategy's loss is looked at as often as the account's.
//! Fees and brokerage count where they were charged. What the exchange gives back for a day trade is the
//! account's: it is rated over all that was bought and sold of an instrument, whoever's orders it was.

use market::{InstrumentId, Money, Price, Quantity, StrategyId};

use super::Book;

/// Results of all strategies that ever traded.
#[derive(Clone, Debug, Default)]
pub(super) struct Results {
    owners: Vec<Owned>,
    /// By instrument: what each of the owners holds of it, none of them nothing.
    held: Vec<Vec<(usize, Quantity)>>,
    /// What belongs to no strategy: refunds, and what a state from before there were results holds.
    pub(super) shared: Money,
}

#[derive(Clone, Copy, Debug)]
struct Owned {
    strategy: StrategyId,
    /// Money that its trades brought in, fees taken off.
    flow: Money,
    /// What it holds, at the marks.
    value: Money,
}

impl Results {
    pub(super) fn new(instruments: usize) -> Self {
        Self { owners: Vec::new(), held: vec![Vec::new(); instruments], shared: Money::ZERO }
    }

    /// A trade of `signed` units that moved `flow`, of something that is worth `mark`.
    pub(super) fn trade(&mut self, of: (StrategyId, InstrumentId), signed: Quantity, flow: Money, mark: Price) {
        let (strategy, instrument) = of;
        let owner = self.owner(strategy);
        self.owners[owner].flow += flow;
        self.owners[owner].value += mark.times(signed);
        let held = &mut self.held[instrument.index()];
        match held.iter().position(|(place, _)| *place == owner) {
            Some(place) => {
                held[place].1 += signed;
                if held[place].1.is_zero() {
                    held.swap_remove(place);
                }
            }
            None if signed.is_zero() => {}
            None => held.push((owner, signed)),
        }
    }

    /// The instrument is worth so much more per unit.
    #[inline]
    pub(super) fn mark(&mut self, instrument: InstrumentId, more: Price) {
        for (owner, quantity) in &self.held[instrument.index()] {
            self.owners[*owner].value += more.times(*quantity);
        }
    }

    fn owner(&mut self, strategy: StrategyId) -> usize {
        match self.owners.iter().position(|owned| owned.strategy == strategy) {
            Some(place) => place,
            None => {
                self.owners.push(Owned { strategy, flow: Money::ZERO, value: Money::ZERO });
                self.owners.len() - 1
            }
        }
    }

    fn of(&self, strategy: StrategyId) -> Money {
        let found = self.owners.iter().find(|owned| owned.strategy == strategy);
        found.map_or(Money::ZERO, |owned| owned.flow + owned.value)
    }

    /// What trades brought in, by strategy, in the order of their numbers.
    pub(super) fn flows(&self) -> Vec<(StrategyId, Money)> {
        let mut flows: Vec<_> = self.owners.iter().map(|owned| (owned.strategy, owned.flow)).collect();
        flows.retain(|(_, flow)| *flow != Money::ZERO);
        flows.sort_by_key(|(strategy, _)| *strategy);
        flows
    }

    /// A stored flow; strategies that are gone may share a number.
    pub(super) fn add_flow(&mut self, strategy: StrategyId, flow: Money) {
        let owner = self.owner(strategy);
        self.owners[owner].flow += flow;
    }

    pub(super) fn total(&self) -> Money {
        self.owners.iter().map(|owned| owned.flow + owned.value).sum()
    }
}

impl Book {
    /// What a strategy has made so far, realised and unrealised, fees taken off.
    #[inline]
    pub fn result_of(&self, strategy: StrategyId) -> Money {
        self.results.of(strategy)
    }

    /// The same of all that ever traded.
    pub fn results(&self) -> impl Iterator<Item = (StrategyId, Money)> + '_ {
        self.results.owners.iter().map(|owned| (owned.strategy, owned.flow + owned.value))
    }

    /// Money that the book began with.
    pub fn began_with(&self) -> Money {
        self.settings.cash
    }

    /// Compares the results with a recount, and with what the account as a whole has made.
    pub(super) fn verify_results(&self) -> Result<(), String> {
        for (place, owned) in self.results.owners.iter().enumerate() {
            let mut value = Money::ZERO;
            for ((_, instrument), holding) in self.holdings.iter().filter(|((owner, _), _)| *owner == owned.strategy) {
                value += self.mark_of(*instrument).times(holding.position);
                let kept = &self.results.held[instrument.index()];
                let kept = kept.iter().find(|(owner, _)| *owner == place).map_or(Quantity::ZERO, |(_, held)| *held);
                if kept != holding.position {
                    let (strategy, found) = (owned.strategy, holding.position);
                    return Err(format!("holdings of {strategy:?} are kept as {kept:?}, a recount gives {found:?}"));
                }
            }
            if owned.value != value {
                let (strategy, kept) = (owned.strategy, owned.value);
                return Err(format!("what {strategy:?} holds is kept as {kept:?}, a recount gives {value:?}"));
            }
        }
        let (kept, found) = (self.results.total() + self.results.shared, self.equity() - self.settings.cash);
        if kept != found {
            return Err(format!("the strategies' results add up to {kept:?}, the account has made {found:?}"));
        }
        Ok(())
    }
}

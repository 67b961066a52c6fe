//! Activity as it is stored: by names that outlive a run.
//!
//! What belongs to a strategy or an instrument that a run does not have is kept as it is and stored again: a
//! latch does not lift because somebody took a strategy out of the configuration for a day.

use std::collections::BTreeMap;

use market::{InstrumentId, OrderType, Quantity, Side, StrategyId, Symbol, Timestamp};
use serde::{Deserialize, Serialize};

use super::latch::{Latch, Rule};
use super::recent::{Key, Recent};
use super::{Activity, Line, OfStrategy, Traffic};

/// Strategies that this run does not have, by name, and of those that it has, what they did in instruments
/// that it does not.
pub(super) type AbsentStrategies = BTreeMap<String, StrategyState>;

/// Activity as it is stored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivityState {
    latest: Timestamp,
    account: Traffic,
    strategies: BTreeMap<String, StrategyState>,
    recent: Vec<RecentState>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forgotten: Option<Timestamp>,
}

impl Default for ActivityState {
    fn default() -> Self {
        Self {
            latest: Timestamp::MIN,
            account: Traffic::default(),
            strategies: BTreeMap::new(),
            recent: Vec::new(),
            forgotten: None,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct StrategyState {
    #[serde(flatten)]
    of: OfStrategy,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    lines: BTreeMap<Symbol, Line>,
}

impl StrategyState {
    pub(super) fn latch_of(&mut self, rule: Rule, symbol: Option<Symbol>) -> Option<&mut Option<Latch>> {
        match rule {
            Rule::RepeatedExecutions => Some(&mut self.lines.entry(symbol?).or_default().repeated),
            Rule::Rejects => Some(&mut self.of.rejected),
            Rule::LosingTrades => Some(&mut self.of.losing),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct RecentState {
    at: Timestamp,
    strategy: String,
    symbol: Symbol,
    side: Side,
    quantity: Quantity,
    order_type: OrderType,
}

impl Activity {
    /// As a value. `symbol` and `strategy` tell what the numbers of this run mean; none for the number of
    /// strategies that are gone.
    pub fn state(
        &self,
        symbol: impl Fn(InstrumentId) -> Symbol,
        strategy: impl Fn(StrategyId) -> Option<String>,
    ) -> ActivityState {
        let mut strategies = self.absent.clone();
        for (id, of) in &self.strategies {
            let Some(name) = strategy(*id) else { continue };
            let stored = strategies.entry(name).or_default();
            stored.of = OfStrategy { lines: Default::default(), ..of.clone() };
            stored.lines.extend(of.lines.iter().map(|(instrument, line)| (symbol(*instrument), line.clone())));
        }
        let recent = self.recent.sent().filter_map(|(at, key)| {
            let Key { side, quantity, order_type, .. } = *key;
            let (strategy, symbol) = (strategy(key.strategy)?, symbol(key.instrument));
            Some(RecentState { at, strategy, symbol, side, quantity, order_type })
        });
        ActivityState {
            latest: self.latest,
            account: self.account.clone(),
            strategies,
            recent: recent.collect(),
            forgotten: self.recent.forgotten(),
        }
    }

    /// The activity that a state leads to, by the numbers of today.
    pub fn from_state(
        state: ActivityState,
        instrument: impl Fn(&Symbol) -> Option<InstrumentId>,
        strategy: impl Fn(&str) -> Option<StrategyId>,
    ) -> Self {
        let mut activity = Self { latest: state.latest, account: state.account, ..Self::default() };
        for (name, stored) in state.strategies {
            let Some(id) = strategy(&name) else {
                activity.absent.insert(name, stored);
                continue;
            };
            let StrategyState { mut of, lines } = stored;
            let mut absent = BTreeMap::new();
            for (symbol, line) in lines {
                match instrument(&symbol) {
                    Some(known) => drop(of.lines.insert(known, line)),
                    None => drop(absent.insert(symbol, line)),
                }
            }
            activity.strategies.insert(id, of);
            if !absent.is_empty() {
                activity.absent.insert(name, StrategyState { of: OfStrategy::default(), lines: absent });
            }
        }
        let mut recent = Recent::default();
        for stored in state.recent {
            let RecentState { at, side, quantity, order_type, .. } = stored;
            if let (Some(strategy), Some(instrument)) = (strategy(&stored.strategy), instrument(&stored.symbol)) {
                recent.push(at, Key { strategy, instrument, side, quantity, order_type });
            }
        }
        recent.restore_forgotten(state.forgotten);
        activity.recent = recent;
        activity
    }
}

//! The configured limits: what a person writes, scope by scope, and what is in force for an order.
//!
//! A limit may be written for everything, and tighter for the account, a sector, a symbol or a
//! strategy. What concerns one order is held to the tightest of all that apply ([`LimitTable::of`]);
//! what concerns a sum (exposure, loss, messages) is held in each scope to that scope's own limit.
//!
//! A limit without a value for everything is an error at start: a missing limit means zero, never
//! infinity, and an engine whose limits are all zero by accident helps nobody.

pub mod amounts;
pub mod keys;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use market::Symbol;
use market::time::TimeOfDay;
use serde::{Deserialize, Serialize};

pub use keys::{KEYS, LimitKey, LimitSet, SomeLimits, Tighter};
pub use table::{Group, LimitTable};

/// Symbols of one sector and what is written for it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Sector {
    /// Its symbols.
    pub symbols: BTreeSet<Symbol>,
    /// Limits for it.
    #[serde(default)]
    pub limits: SomeLimits,
}

/// What is written for one strategy.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct StrategyLimits {
    /// The only symbols that it may trade, where that is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<BTreeSet<Symbol>>,
    /// Limits for it.
    #[serde(default)]
    pub limits: SomeLimits,
}

/// Times of the exchange's day after which less is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hours {
    /// The last moment that takes on new risk; without a value the session's phases alone say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_entry: Option<TimeOfDay>,
}

/// All limits as they are written, by names that outlive a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// For everything.
    pub global: LimitSet,
    /// For the account.
    #[serde(default)]
    pub account: SomeLimits,
    /// By the name of a sector.
    #[serde(default)]
    pub sectors: BTreeMap<String, Sector>,
    /// By symbol.
    #[serde(default)]
    pub symbols: BTreeMap<Symbol, SomeLimits>,
    /// By the name of a strategy instance.
    #[serde(default)]
    pub strategies: BTreeMap<String, StrategyLimits>,
    /// Symbols that move together, by the group's name.
    #[serde(default)]
    pub groups: BTreeMap<String, BTreeSet<Symbol>>,
    /// Symbols in which no new risk is taken.
    #[serde(default)]
    pub restricted: BTreeSet<Symbol>,
    /// Hashes of the models whose forecasts may be traded on; empty: none may.
    #[serde(default)]
    pub models: BTreeSet<String>,
    /// When new risk ends.
    #[serde(default)]
    pub hours: Hours,
}

impl From<LimitSet> for Limits {
    /// The same for everything.
    fn from(global: LimitSet) -> Self {
        Self {
            global,
            account: SomeLimits::default(),
            sectors: BTreeMap::new(),
            symbols: BTreeMap::new(),
            strategies: BTreeMap::new(),
            groups: BTreeMap::new(),
            restricted: BTreeSet::new(),
            models: BTreeSet::new(),
            hours: Hours::default(),
        }
    }
}

/// Limits without a value, by name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MissingLimits(pub Vec<&'static str>);

impl fmt::Display for MissingLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<String> = self.0.iter().map(|key| format!("risk.{key}")).collect();
        write!(f, "no value for {}: a risk limit has no default; set each one under [risk]", keys.join(", "))
    }
}

impl std::error::Error for MissingLimits {}

impl SomeLimits {
    /// The limits for everything that these values make.
    ///
    /// # Errors
    /// Every required limit that has no value.
    pub fn complete(&self) -> Result<LimitSet, MissingLimits> {
        let missing = KEYS.iter().filter(|key| key.required && (key.value)(self).is_none());
        let missing: Vec<&'static str> = missing.map(|key| key.name).collect();
        if missing.is_empty() { Ok(self.or_wide()) } else { Err(MissingLimits(missing)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::Quantity;

    #[test]
    fn every_missing_limit_is_named_at_once() {
        let mut some = LimitSet::WIDE.all();
        (some.max_order_notional, some.max_drawdown, some.max_group_share) = (None, None, None);
        assert_eq!(
            some.complete().unwrap_err().to_string(),
            "no value for risk.max_order_notional, risk.max_drawdown: a risk limit has no default; set each one under \
             [risk]"
        );
        assert_eq!(LimitSet::WIDE.all().complete(), Ok(LimitSet::WIDE));
    }

    #[test]
    fn limits_read_back_from_their_text() {
        let mut limits = Limits::from(LimitSet { max_order_quantity: Quantity::new(7), ..LimitSet::WIDE });
        let petrobras: Symbol = "PETR4".parse().unwrap();
        let one = SomeLimits { max_order_quantity: Some(Quantity::new(3)), ..SomeLimits::default() };
        limits.symbols.insert(petrobras, one);
        limits.sectors.insert("oil".to_owned(), Sector { symbols: [petrobras].into(), limits: one });
        limits.strategies.insert("trend".to_owned(), StrategyLimits { allowed: Some([petrobras].into()), limits: one });
        let text = serde_json::to_string(&limits).unwrap();
        assert_eq!(serde_json::from_str::<Limits>(&text).unwrap(), limits);
    }
}

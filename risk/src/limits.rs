//! The configured limits. An amount without a value is an error at start: a missing limit means
//! zero, never infinity, and an engine whose limits are all zero by accident helps nobody.

use std::fmt;

use market::time::NANOS_PER_SECOND;
use market::{Money, Quantity, Rate};
use serde::{Deserialize, Serialize};

/// The `[risk]` section as a person writes it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsSettings {
    /// Most units in one order.
    pub max_order_quantity: Option<Quantity>,
    /// Most BRL in one order, at its worst price.
    pub max_order_notional: Option<Money>,
    /// How far a price may lie beyond the reference, as a fraction: 0.03 is 3 %.
    pub price_collar: Option<Rate>,
    /// Most units held of one symbol, open orders included.
    pub max_position_quantity: Option<Quantity>,
    /// Oldest price that an order may rely on during continuous trading, in seconds.
    pub max_quote_age_seconds: Option<u32>,
    /// Loss of one session, realised and unrealised, that stops new orders, in BRL.
    pub max_daily_loss: Option<Money>,
}

/// The limits in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// Most units in one order.
    pub max_order_quantity: Quantity,
    /// Most BRL in one order, at its worst price.
    pub max_order_notional: Money,
    /// How far a price may lie beyond the reference.
    pub price_collar: Rate,
    /// Most units held of one symbol, open orders included.
    pub max_position_quantity: Quantity,
    /// Oldest price that an order may rely on during continuous trading, in nanoseconds.
    pub max_quote_age: i64,
    /// Loss of one session that stops new orders.
    pub max_daily_loss: Money,
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

impl LimitsSettings {
    /// The limits in force.
    ///
    /// # Errors
    /// Every limit that has no value.
    pub fn limits(&self) -> Result<Limits, MissingLimits> {
        let mut missing = Vec::new();
        fn take<T: Copy + Default>(value: Option<T>, key: &'static str, missing: &mut Vec<&'static str>) -> T {
            if value.is_none() {
                missing.push(key);
            }
            value.unwrap_or_default()
        }
        let limits = Limits {
            max_order_quantity: take(self.max_order_quantity, "max_order_quantity", &mut missing),
            max_order_notional: take(self.max_order_notional, "max_order_notional", &mut missing),
            price_collar: take(self.price_collar, "price_collar", &mut missing),
            max_position_quantity: take(self.max_position_quantity, "max_position_quantity", &mut missing),
            max_quote_age: i64::from(take(self.max_quote_age_seconds, "max_quote_age_seconds", &mut missing))
                * NANOS_PER_SECOND,
            max_daily_loss: take(self.max_daily_loss, "max_daily_loss", &mut missing),
        };
        if missing.is_empty() { Ok(limits) } else { Err(MissingLimits(missing)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_limit_is_named_at_once() {
        let settings = LimitsSettings { max_order_quantity: Some(Quantity::new(1)), ..LimitsSettings::default() };
        assert_eq!(
            settings.limits().unwrap_err().to_string(),
            "no value for risk.max_order_notional, risk.price_collar, risk.max_position_quantity, \
             risk.max_quote_age_seconds, risk.max_daily_loss: a risk limit has no default; set each one under [risk]"
        );
    }
}

//! Every limit that can be configured: one row each.
//!
//! The rows make two structs, [`LimitSet`] with a value for every key and [`SomeLimits`] with values
//! for some, and the list [`KEYS`] that configuration, documentation and the comparison of two
//! configurations go through. A new limit is one row here, and its rule.

use market::{Money, Quantity, Rate};
use serde::{Deserialize, Serialize};

use super::amounts::{Amount, Count, Milliseconds, Seconds};
use crate::checks::Figure;

/// Which way a value allows less.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tighter {
    /// A smaller value allows less: most limits.
    Smaller,
    /// A larger value allows less: windows that something must not happen in.
    Larger,
}

/// One key.
pub struct LimitKey {
    /// Its name under `[risk]`.
    pub name: &'static str,
    /// The control that it belongs to.
    pub control: &'static str,
    /// What it limits, for people.
    pub what: &'static str,
    /// What a value looks like, for complaints.
    pub expected: &'static str,
    /// Which way is tighter.
    pub tighter: Tighter,
    /// Whether nothing starts without it.
    pub required: bool,
    /// Whether zero makes sense.
    pub zero: bool,
    /// Reads a value into a set; the complaint says what is wrong with the text.
    pub read: fn(&mut SomeLimits, &str) -> Result<(), String>,
    /// The value in a set.
    pub value: fn(&SomeLimits) -> Option<Figure>,
}

fn read<T: Amount>(text: &str, zero: bool) -> Result<T, String> {
    let value = text.parse::<T>().map_err(|error| error.to_string())?;
    match value.sign() {
        -1 => Err("must not be negative".to_owned()),
        0 if !zero => Err("must be above zero: at zero nothing could ever trade".to_owned()),
        _ => Ok(value),
    }
}

/// The tighter of two values.
fn tighter<T: Amount>(a: T, b: T, which: Tighter) -> T {
    match which {
        Tighter::Smaller => a.min(b),
        Tighter::Larger => a.max(b),
    }
}

macro_rules! limits {
    ($($name:ident: $type:ty, $control:literal, $tighter:ident, $required:literal, zero $zero:literal, wide $wide:expr, $what:literal;)*) => {
        /// A value for every limit: what is in force for something.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct LimitSet {
            $(#[doc = $what] pub $name: $type,)*
        }

        /// Values for some limits: what a person wrote for one scope.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct SomeLimits {
            $(#[doc = $what] #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<$type>,)*
        }

        /// Every key, in the order of the documentation.
        pub const KEYS: &[LimitKey] = &[
            $(LimitKey {
                name: stringify!($name),
                control: $control,
                what: $what,
                expected: <$type as Amount>::EXPECTED,
                tighter: Tighter::$tighter,
                required: $required,
                zero: $zero,
                read: |set, text| {
                    set.$name = Some(read(text, $zero)?);
                    Ok(())
                },
                value: |set| set.$name.map(Amount::figure),
            },)*
        ];

        impl LimitSet {
            /// Every limit as far away as it goes: for research and tests, which say what they narrow.
            pub const WIDE: Self = Self { $($name: $wide,)* };

            /// What both allow.
            #[must_use]
            pub fn tightened(mut self, by: &SomeLimits) -> Self {
                $(if let Some(value) = by.$name {
                    self.$name = tighter(self.$name, value, Tighter::$tighter);
                })*
                self
            }

            /// The same as values for some limits: for all of them.
            pub const fn all(&self) -> SomeLimits {
                SomeLimits { $($name: Some(self.$name),)* }
            }
        }

        impl SomeLimits {
            /// What is written, and [`LimitSet::WIDE`] for the rest.
            pub fn or_wide(&self) -> LimitSet {
                LimitSet { $($name: self.$name.unwrap_or(LimitSet::WIDE.$name),)* }
            }
        }
    };
}

limits! {
    max_order_quantity: Quantity, "C01", Smaller, true, zero false, wide Quantity::new(1_000_000_000), "Most units in one order.";
    max_order_notional: Money, "C02", Smaller, true, zero false, wide Money::from_cents(i64::MAX), "Most BRL in one order, at its worst price.";
    price_collar: Rate, "C03", Smaller, true, zero false, wide Rate::from_ppm(1_000_000), "How far a price may lie beyond the reference, as a fraction: 0.03 is 3 %.";
    book_collar: Rate, "C04", Smaller, true, zero false, wide Rate::from_ppm(1_000_000), "How far a price may lie through the best price of the other side of the book, as a fraction.";
    max_repeated_executions: Count, "C06", Smaller, true, zero false, wide Count(u32::MAX), "Most executions on one side of one symbol by one strategy within `repeated_execution_seconds`.";
    repeated_execution_seconds: Seconds, "C06", Larger, true, zero false, wide Seconds(1), "The window in which executions repeat.";
    max_messages: Count, "C07", Smaller, true, zero false, wide Count(u32::MAX), "Most messages to the broker within `message_seconds`.";
    message_seconds: Seconds, "C07", Larger, true, zero false, wide Seconds(1), "The window in which messages are counted.";
    cancel_share: Rate, "C07", Larger, true, zero true, wide Rate::from_ppm(0), "The share of `max_messages` that only cancels may use, as a fraction.";
    max_order_to_trade: Count, "C08", Smaller, true, zero false, wide Count(u32::MAX), "Most messages for each trade of a session, once `order_to_trade_grace` messages were sent.";
    order_to_trade_grace: Count, "C08", Smaller, true, zero true, wide Count(u32::MAX), "Messages of a session before `max_order_to_trade` counts.";
    max_open_orders_per_symbol: Count, "C09", Smaller, true, zero false, wide Count(u32::MAX), "Most open orders in one symbol, those on their way included.";
    max_open_orders: Count, "C09", Smaller, true, zero false, wide Count(u32::MAX), "Most open orders, those on their way included.";
    max_position_quantity: Quantity, "C10", Smaller, true, zero false, wide Quantity::new(1_000_000_000), "Most units held of one symbol, open orders included.";
    max_gross_exposure: Rate, "C11", Smaller, true, zero false, wide Rate::from_ppm(WIDE_SHARE), "Most BRL in positions, longs and shorts added, open orders included, as a multiple of equity.";
    max_net_exposure: Rate, "C11", Smaller, true, zero false, wide Rate::from_ppm(WIDE_SHARE), "Most BRL in positions, shorts taken off longs, open orders included, as a multiple of equity.";
    max_symbol_share: Rate, "C12", Smaller, true, zero false, wide Rate::from_ppm(WIDE_SHARE), "Most BRL in one symbol, open orders included, as a fraction of equity.";
    max_sector_share: Rate, "C12", Smaller, true, zero false, wide Rate::from_ppm(WIDE_SHARE), "Most BRL in one sector, open orders included, as a fraction of equity.";
    max_group_share: Rate, "C13", Smaller, false, zero false, wide Rate::from_ppm(WIDE_SHARE), "Most BRL in one group of symbols that move together, open orders included, as a fraction of equity.";
    max_daily_loss: Money, "C14", Smaller, true, zero false, wide Money::from_cents(i64::MAX), "Loss of one session, realised and unrealised, that stops new risk, in BRL.";
    max_drawdown: Rate, "C15", Smaller, true, zero false, wide Rate::from_ppm(WIDE_SHARE), "Fall of the equity from its highest close that stops new risk, as a fraction of that.";
    max_rejects: Count, "C16", Smaller, true, zero false, wide Count(u32::MAX), "Most rejections by the broker of one strategy's orders within `burst_seconds`.";
    max_losing_trades: Count, "C16", Smaller, true, zero false, wide Count(u32::MAX), "Most trades that realised a loss for one strategy within `burst_seconds`.";
    burst_seconds: Seconds, "C16", Larger, true, zero false, wide Seconds(1), "The window in which rejections and losses are counted.";
    duplicate_seconds: Seconds, "C20", Larger, true, zero true, wide Seconds(0), "How long the same order (strategy, symbol, side, quantity, prices) may not come again.";
    max_quote_age_seconds: Seconds, "C23", Smaller, true, zero false, wide Seconds(u32::MAX), "Oldest price that an order may rely on during continuous trading.";
    max_spread: Rate, "C23", Smaller, true, zero false, wide Rate::from_ppm(WIDE_SHARE), "Widest distance between bid and ask that new risk is taken on, as a fraction of the bid.";
    max_forecast_age_seconds: Seconds, "C26", Smaller, true, zero false, wide Seconds(u32::MAX), "Oldest forecast that an order may rest on.";
    max_clock_offset_milliseconds: Milliseconds, "C27", Smaller, true, zero false, wide Milliseconds(u32::MAX), "Farthest that the system's clock may be from the true time.";
}

/// A million times the equity: nothing that an account could hold, and no overflow anywhere.
const WIDE_SHARE: i64 = 1_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_reads_tightens_and_shows() {
        for key in KEYS {
            let text = if key.expected.contains("fraction") || key.expected.contains("BRL") { "0.5" } else { "7" };
            let mut some = SomeLimits::default();
            assert!((key.value)(&some).is_none());
            (key.read)(&mut some, text).unwrap_or_else(|error| panic!("{}: {error}", key.name));
            let read = (key.value)(&some).expect(key.name);
            let set = LimitSet::WIDE.tightened(&some).all();
            assert_eq!((key.value)(&set), Some(read), "{} is tighter than wide", key.name);
            assert_eq!(LimitSet::WIDE.tightened(&some).tightened(&LimitSet::WIDE.all()).all(), set, "{}", key.name);
            assert!((key.read)(&mut some, "-1").is_err(), "{}", key.name);
            assert_eq!((key.read)(&mut some, "0").is_ok(), key.zero, "{}", key.name);
            assert!((key.read)(&mut some, "many").is_err(), "{}", key.name);
        }
    }
}

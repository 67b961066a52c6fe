//! Orders: what we ask of a broker, in FIX's words.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use chrono::Datelike;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::decimal::{Price, Quantity};
use crate::instrument::{Instrument, InstrumentId};
use crate::time::{Date, Timestamp};

/// Buy or sell.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// More of the instrument, less cash.
    Buy,
    /// Less of the instrument, more cash.
    Sell,
}

impl Side {
    /// `+1` for a buy, `-1` for a sell.
    #[inline]
    pub const fn sign(self) -> i64 {
        match self {
            Self::Buy => 1,
            Self::Sell => -1,
        }
    }

    /// The other side.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// `quantity` as a change of position.
    #[inline]
    pub fn signed(self, quantity: Quantity) -> Quantity {
        quantity * self.sign()
    }

    /// `buy` or `sell`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How the price is set (FIX 40), with the prices that the type needs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum OrderType {
    /// Executes against the book at once.
    Market,
    /// At this price or better.
    Limit {
        /// Worst price accepted.
        limit_price: Price,
    },
    /// Becomes a limit order when the market trades at or through the stop.
    StopLimit {
        /// A buy wakes at or above it, a sell at or below it.
        stop_price: Price,
        /// Worst price accepted once awake.
        limit_price: Price,
    },
    /// Takes part in the next call auction only (FIX 59=2, A or 7 at the brokers; `docs/b3-rules.md`).
    AtAuction {
        /// Worst price accepted; none: at whatever price the auction gives.
        limit_price: Option<Price>,
    },
}

impl OrderType {
    /// The worst price this order may trade at, where it names one.
    #[inline]
    pub const fn limit_price(self) -> Option<Price> {
        match self {
            Self::Market => None,
            Self::Limit { limit_price } | Self::StopLimit { limit_price, .. } => Some(limit_price),
            Self::AtAuction { limit_price } => limit_price,
        }
    }

    /// Stable name in JSON, tables and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Market => "market",
            Self::Limit { .. } => "limit",
            Self::StopLimit { .. } => "stop_limit",
            Self::AtAuction { .. } => "at_auction",
        }
    }

    /// The same type with another limit price; a market order stays as it is.
    pub const fn with_limit(self, limit_price: Price) -> Self {
        match self {
            Self::Market => Self::Market,
            Self::Limit { .. } => Self::Limit { limit_price },
            Self::StopLimit { stop_price, .. } => Self::StopLimit { stop_price, limit_price },
            Self::AtAuction { .. } => Self::AtAuction { limit_price: Some(limit_price) },
        }
    }
}

/// How long an order stays (FIX 59).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeInForce {
    /// Until the session ends (0).
    Day,
    /// What can trade at once, the rest is cancelled (3).
    ImmediateOrCancel,
    /// All of it at once or nothing (4).
    FillOrKill,
    /// Until it is cancelled (1).
    GoodTillCancel,
    /// Until the session of that date ends (6).
    GoodTillDate(Date),
    /// In the closing auction only (7).
    AtTheClose,
}

impl TimeInForce {
    /// Stable name in JSON, tables and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::ImmediateOrCancel => "immediate_or_cancel",
            Self::FillOrKill => "fill_or_kill",
            Self::GoodTillCancel => "good_till_cancel",
            Self::GoodTillDate(_) => "good_till_date",
            Self::AtTheClose => "at_the_close",
        }
    }
}

/// Which strategy instance an order serves: its place in the configured list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StrategyId(pub u16);

impl StrategyId {
    /// Its place in the configured list.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Our name of an order (FIX 11): unique for ever, at most 20 characters, and it tells account,
/// day and sequence: `PAPR-20171228-000042`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientOrderId {
    account: [u8; 4],
    /// `yyyymmdd`, exchange time.
    day: u32,
    /// 1 to 999,999 within the day.
    sequence: u32,
}

/// Why an identifier cannot be made or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientOrderIdError {
    /// The account's tag is not exactly four capital letters or digits.
    #[error("'{0}' is not an account tag: expected four capital letters or digits such as PAPR")]
    Account(String),
    /// Day outside years 1 to 9999, or sequence outside 1 to 999,999.
    #[error("day {0} with sequence {1} is out of range: at most 999,999 orders a day")]
    Range(Date, u32),
    /// A text that is not an identifier of ours.
    #[error("'{0}' is not one of our order identifiers: expected the form PAPR-20171228-000042")]
    Text(String),
}

impl ClientOrderId {
    /// The most orders that one account can name in a day.
    pub const MAX_SEQUENCE: u32 = 999_999;

    /// The `sequence`-th order of `account` on `day`.
    ///
    /// # Errors
    /// A tag that is not four capitals or digits; a day or sequence that the form cannot hold.
    pub fn new(account: &str, day: Date, sequence: u32) -> Result<Self, ClientOrderIdError> {
        let valid = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        let tag = <[u8; 4]>::try_from(account.as_bytes())
            .ok()
            .filter(|tag| tag.iter().all(valid))
            .ok_or_else(|| ClientOrderIdError::Account(account.chars().take(20).collect()))?;
        let year = u32::try_from(day.year()).ok().filter(|year| (1..=9999).contains(year));
        match year {
            Some(year) if (1..=Self::MAX_SEQUENCE).contains(&sequence) => {
                Ok(Self { account: tag, day: year * 10_000 + day.month() * 100 + day.day(), sequence })
            }
            _ => Err(ClientOrderIdError::Range(day, sequence)),
        }
    }

    /// Place within the account's day.
    pub const fn sequence(self) -> u32 {
        self.sequence
    }

    /// The day as `yyyymmdd`.
    pub const fn day(self) -> u32 {
        self.day
    }

    /// The account's tag.
    pub fn account(&self) -> &str {
        std::str::from_utf8(&self.account).unwrap_or_default()
    }
}

/// Day and sequence tell almost all identifiers apart; books are kept by account anyway.
impl Hash for ClientOrderId {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from(self.day) << 32 | u64::from(self.sequence));
    }
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:08}-{:06}", self.account(), self.day, self.sequence)
    }
}

impl fmt::Debug for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ClientOrderId {
    type Err = ClientOrderIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || ClientOrderIdError::Text(text.chars().take(40).collect());
        let mut parts = text.split('-');
        let (Some(account), Some(day), Some(sequence), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(refused());
        };
        if day.len() != 8 || sequence.len() != 6 {
            return Err(refused());
        }
        let day = Date::parse_from_str(day, "%Y%m%d").map_err(|_| refused())?;
        Self::new(account, day, sequence.parse().map_err(|_| refused())?).map_err(|_| refused())
    }
}

impl Serialize for ClientOrderId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClientOrderId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a strategy wants something: the rule that spoke and the values it saw.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Signal {
    /// The rule, such as `fast_above_slow`.
    pub rule: Cow<'static, str>,
    /// What it looked at, by name.
    pub values: Vec<(Cow<'static, str>, f64)>,
}

impl Signal {
    /// A rule and the values it saw.
    pub fn new(rule: &'static str, values: &[(&'static str, f64)]) -> Self {
        Self {
            rule: Cow::Borrowed(rule),
            values: values.iter().map(|(name, value)| (Cow::Borrowed(*name), *value)).collect(),
        }
    }
}

/// What a strategy asks for, before anybody has approved or named it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OrderRequest {
    /// Who asks.
    pub strategy: StrategyId,
    /// Of what.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Units, positive.
    pub quantity: Quantity,
    /// How the price is set.
    pub order_type: OrderType,
    /// How long it stays.
    pub time_in_force: TimeInForce,
    /// The moment of the decision.
    pub decided_at: Timestamp,
    /// Why.
    pub signal: Signal,
}

/// A named order: what `risk` reviews and a broker receives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NewOrder {
    /// Our name of it.
    pub client_order_id: ClientOrderId,
    /// Who asked.
    pub strategy: StrategyId,
    /// Of what.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Units, positive.
    pub quantity: Quantity,
    /// How the price is set.
    pub order_type: OrderType,
    /// How long it stays.
    pub time_in_force: TimeInForce,
    /// The moment of the decision.
    pub decided_at: Timestamp,
}

/// Ask the broker to cancel what is left of an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CancelOrder {
    /// Which order.
    pub client_order_id: ClientOrderId,
    /// Of what.
    pub instrument: InstrumentId,
    /// The moment of the decision.
    pub decided_at: Timestamp,
}

/// Ask the broker to cancel every open order of the account, whoever placed it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MassCancel {
    /// The moment of the decision.
    pub decided_at: Timestamp,
}

/// Ask the broker to change an order in place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReplaceOrder {
    /// Which order.
    pub client_order_id: ClientOrderId,
    /// Of what.
    pub instrument: InstrumentId,
    /// New total quantity, filled part included.
    pub quantity: Quantity,
    /// New limit price, where the order type has one.
    pub limit_price: Option<Price>,
    /// The moment of the decision.
    pub decided_at: Timestamp,
}

/// Why an order makes no sense on B3, before any limit is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidOrder {
    /// Zero or negative.
    #[error("quantity {0} is not positive")]
    Quantity(Quantity),
    /// Zero or negative price.
    #[error("price {0} is not positive")]
    Price(Price),
    /// A pair that no B3 broker accepts.
    #[error("a {order_type} order cannot be {time_in_force}")]
    Combination {
        /// The order type's name.
        order_type: &'static str,
        /// The time in force's name.
        time_in_force: &'static str,
    },
    /// A good-till date before the decision.
    #[error("good till {0}, which has passed")]
    Expired(Date),
    /// A stop on the wrong side of its limit: it could never trade once awake.
    #[error("stop price {stop_price} lies beyond limit price {limit_price}")]
    Stop {
        /// Wakes here.
        stop_price: Price,
        /// May trade only up to here.
        limit_price: Price,
    },
    /// Not a whole number of lots.
    #[error("quantity {quantity} is not a multiple of the lot {lot}")]
    Lot {
        /// Asked for.
        quantity: Quantity,
        /// The instrument's lot.
        lot: Quantity,
    },
    /// More than the market takes in one order.
    #[error("quantity {quantity} is above the market's maximum {maximum}")]
    TooLarge {
        /// Asked for.
        quantity: Quantity,
        /// The instrument's own maximum.
        maximum: Quantity,
    },
    /// Not a whole number of ticks.
    #[error("price {price} is not a multiple of the tick {tick}")]
    Tick {
        /// Asked for.
        price: Price,
        /// The instrument's tick.
        tick: Price,
    },
}

/// Whether B3 brokers accept an order type with a time in force (`docs/b3-rules.md`, "Orders").
pub const fn is_accepted(order_type: OrderType, time_in_force: TimeInForce) -> bool {
    use TimeInForce as T;
    match order_type {
        OrderType::Market => matches!(time_in_force, T::Day | T::ImmediateOrCancel | T::FillOrKill),
        OrderType::Limit { .. } => !matches!(time_in_force, T::AtTheClose),
        OrderType::StopLimit { .. } => matches!(time_in_force, T::Day | T::GoodTillCancel | T::GoodTillDate(_)),
        OrderType::AtAuction { .. } => matches!(time_in_force, T::Day | T::AtTheClose),
    }
}

impl NewOrder {
    /// Checks the order against its instrument's rules and B3's combinations.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn validate(&self, instrument: &Instrument) -> Result<(), InvalidOrder> {
        if !self.quantity.is_positive() {
            return Err(InvalidOrder::Quantity(self.quantity));
        }
        if self.quantity.floor_to(instrument.lot) != self.quantity {
            return Err(InvalidOrder::Lot { quantity: self.quantity, lot: instrument.lot });
        }
        if let Some(maximum) = instrument.max_order_quantity
            && self.quantity > maximum
        {
            return Err(InvalidOrder::TooLarge { quantity: self.quantity, maximum });
        }
        if !is_accepted(self.order_type, self.time_in_force) {
            return Err(InvalidOrder::Combination {
                order_type: self.order_type.name(),
                time_in_force: self.time_in_force.name(),
            });
        }
        if let TimeInForce::GoodTillDate(date) = self.time_in_force
            && date < self.decided_at.local_date()
        {
            return Err(InvalidOrder::Expired(date));
        }
        let stop = match self.order_type {
            OrderType::StopLimit { stop_price, limit_price } => {
                let beyond = match self.side {
                    Side::Buy => stop_price > limit_price,
                    Side::Sell => stop_price < limit_price,
                };
                if beyond {
                    return Err(InvalidOrder::Stop { stop_price, limit_price });
                }
                Some(stop_price)
            }
            _ => None,
        };
        for price in [self.order_type.limit_price(), stop].into_iter().flatten() {
            if price <= Price::ZERO {
                return Err(InvalidOrder::Price(price));
            }
            if !price.is_multiple_of(instrument.tick) {
                return Err(InvalidOrder::Tick { price, tick: instrument.tick });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::InstrumentKind;
    use proptest::prelude::*;

    fn day(y: i32, m: u32, d: u32) -> Date {
        Date::from_ymd_opt(y, m, d).unwrap()
    }

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    fn order(order_type: OrderType, time_in_force: TimeInForce) -> NewOrder {
        NewOrder {
            client_order_id: ClientOrderId::new("PAPR", day(2017, 12, 28), 1).unwrap(),
            strategy: StrategyId(0),
            instrument: InstrumentId::new(0),
            side: Side::Buy,
            quantity: Quantity::new(300),
            order_type,
            time_in_force,
            decided_at: "2017-12-28T15:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn identifiers_tell_account_day_and_sequence_in_20_characters() {
        let id = ClientOrderId::new("PAPR", day(2017, 12, 28), 42).unwrap();
        assert_eq!(id.to_string(), "PAPR-20171228-000042");
        assert_eq!(id.to_string().len(), 20);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!((id.account(), id.day(), id.sequence()), ("PAPR", 20_171_228, 42));
        for (account, sequence) in [("papr", 1), ("PAP", 1), ("PAPER", 1), ("PAPR", 0), ("PAPR", 1_000_000)] {
            assert!(ClientOrderId::new(account, day(2017, 12, 28), sequence).is_err(), "{account} {sequence}");
        }
        for text in ["", "PAPR-20171332-000042", "PAPR-20171228-42", "PAPR-20171228-000042-1"] {
            assert!(text.parse::<ClientOrderId>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_pair_of_type_and_time_in_force_is_decided() {
        use TimeInForce::*;
        let limit_price = price("38.10");
        let types = [
            OrderType::Market,
            OrderType::Limit { limit_price },
            OrderType::StopLimit { stop_price: limit_price, limit_price },
            OrderType::AtAuction { limit_price: None },
        ];
        let times = [Day, ImmediateOrCancel, FillOrKill, GoodTillCancel, GoodTillDate(day(2018, 1, 2)), AtTheClose];
        let table = ["yyynnn", "yyyyyn", "ynnyyn", "ynnnny"];
        for (order_type, row) in types.into_iter().zip(table) {
            for (time_in_force, mark) in times.into_iter().zip(row.chars()) {
                assert_eq!(is_accepted(order_type, time_in_force), mark == 'y', "{order_type:?} {time_in_force:?}");
            }
        }
    }

    #[test]
    fn validation_names_the_first_broken_rule() {
        let share = Instrument::cash("PETR4".parse().unwrap(), InstrumentKind::Share);
        let limit = |text: &str| OrderType::Limit { limit_price: price(text) };
        let good = order(limit("38.10"), TimeInForce::Day);
        assert_eq!(good.validate(&share), Ok(()));
        let stop = |stop_price: &str, limit_price: &str| OrderType::StopLimit {
            stop_price: price(stop_price),
            limit_price: price(limit_price),
        };
        for (order, expected) in [
            (NewOrder { quantity: Quantity::ZERO, ..good }, "quantity 0 is not positive"),
            (NewOrder { quantity: Quantity::new(-100), ..good }, "quantity -100 is not positive"),
            (NewOrder { quantity: Quantity::new(150), ..good }, "quantity 150 is not a multiple of the lot 100"),
            (order(limit("38.101"), TimeInForce::Day), "price 38.101 is not a multiple of the tick 0.01"),
            (order(limit("0"), TimeInForce::Day), "price 0.00 is not positive"),
            (order(OrderType::Market, TimeInForce::GoodTillCancel), "a market order cannot be good_till_cancel"),
            (order(limit("1"), TimeInForce::GoodTillDate(day(2017, 12, 27))), "good till 2017-12-27, which has passed"),
            (order(stop("39", "38"), TimeInForce::Day), "stop price 39.00 lies beyond limit price 38.00"),
        ] {
            assert_eq!(order.validate(&share).unwrap_err().to_string(), expected);
        }
        let fractional = share.fractional_twin().unwrap();
        assert_eq!(NewOrder { quantity: Quantity::new(99), ..good }.validate(&fractional), Ok(()));
        let error = NewOrder { quantity: Quantity::new(100), ..good }.validate(&fractional).unwrap_err();
        assert_eq!(error.to_string(), "quantity 100 is above the market's maximum 99");
    }

    proptest! {
        #[test]
        fn no_text_panics_as_an_identifier(text in "\\PC{0,30}") {
            let _ = text.parse::<ClientOrderId>();
        }

        #[test]
        fn identifiers_survive_their_text(days in 0_i64..100_000, sequence in 1_u32..=999_999) {
            let id = ClientOrderId::new("B3A1", day(1900, 1, 1) + chrono::TimeDelta::days(days), sequence).unwrap();
            prop_assert_eq!(id.to_string().parse::<ClientOrderId>(), Ok(id));
        }
    }
}

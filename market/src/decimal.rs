//! Exact numbers: `Price`, `Quantity`, `Money`, `Rate`.
//!
//! Scaled integers rather than `rust_decimal` inside: an addition is one instruction, equality is
//! bitwise, and nothing rounds unless a function says so. `rust_decimal` does what it is good at,
//! at the edges: reading and printing decimal text.
//!
//! | type | holds | step | why that step |
//! |---|---|---|---|
//! | `Price` | BRL per unit, `i64` | 1e-8 | COTAHIST has centavos per up to 1,000 units (5 decimals); 8 leaves room |
//! | `Quantity` | units, `i64` | 1 | B3 trades whole units |
//! | `Money` | BRL, `i128` | 1e-8 | centavo price × quantity × rate in ppm is exact at 8 decimals |
//! | `Rate` | a fraction, `i64` | 1e-6 | fee tables have at most four decimals of a percent |

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Neg, Sub, SubAssign};
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Decimal places of `Price` and `Money`.
pub const DECIMALS: u32 = 8;
/// Steps per BRL.
pub const SCALE: i64 = 10_i64.pow(DECIMALS);
/// Decimal places of `Rate`.
const RATE_DECIMALS: u32 = 6;
const RATE_SCALE: i128 = 10_i128.pow(RATE_DECIMALS);

/// A text that does not hold an exact number of its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not a decimal number at all.
    #[error("'{0}' is not a decimal number such as 38.10")]
    NotANumber(String),
    /// More decimal places than the type holds: rounding silently would change money.
    #[error("'{text}' has more than {decimals} decimal places")]
    TooPrecise {
        /// What was given.
        text: String,
        /// What the type holds.
        decimals: u32,
    },
    /// Too large for the type.
    #[error("'{0}' is out of range")]
    OutOfRange(String),
}

/// BRL per unit of an instrument.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Price(i64);

/// A whole number of units. Signed, because a position has a side; order quantities are positive
/// (`NewOrder::validate`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Quantity(i64);

/// An amount in BRL.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(i128);

/// A fraction such as a fee rate: `0.0003` is three hundredths of a percent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Rate(i64);

impl Price {
    /// No price, or a price of zero: which of the two, the field that holds it says.
    pub const ZERO: Self = Self(0);
    /// The largest price; used as "no upper bound".
    pub const MAX: Self = Self(i64::MAX);

    /// From steps of 1e-8 BRL.
    pub const fn from_steps(steps: i64) -> Self {
        Self(steps)
    }

    /// Steps of 1e-8 BRL.
    pub const fn steps(self) -> i64 {
        self.0
    }

    /// From whole centavos; `None` past 92 billion BRL.
    pub const fn from_cents(cents: i64) -> Option<Self> {
        match cents.checked_mul(SCALE / 100) {
            Some(steps) => Some(Self(steps)),
            None => None,
        }
    }

    /// As a float, for indicators and models only.
    pub fn to_f64(self) -> f64 {
        // Two exact conversions and one division give the double nearest to the decimal.
        self.0 as f64 / SCALE as f64
    }

    /// The nearest price to a float, halves away from zero; `None` if not finite or out of range.
    /// For limit prices that a strategy derives from indicators: round to a tick afterwards.
    pub fn from_f64(value: f64) -> Option<Self> {
        let steps = (value * SCALE as f64).round();
        // 2^63 is exact in f64; anything at or past it does not fit.
        (steps.abs() < 9_223_372_036_854_775_808.0).then_some(Self(steps as i64))
    }

    /// Whether this is a whole number of ticks.
    pub const fn is_multiple_of(self, tick: Self) -> bool {
        tick.0 > 0 && self.0 % tick.0 == 0
    }

    /// The largest whole number of ticks not above this price.
    pub const fn floor_to(self, tick: Self) -> Self {
        Self(self.0 - self.0.rem_euclid(tick.0))
    }

    /// The smallest whole number of ticks not below this price.
    pub const fn ceil_to(self, tick: Self) -> Self {
        let over = self.0.rem_euclid(tick.0);
        if over == 0 { self } else { Self(self.0 - over + tick.0) }
    }

    /// `quantity` units at this price.
    #[inline]
    pub fn times(self, quantity: Quantity) -> Money {
        Money(i128::from(self.0) * i128::from(quantity.0))
    }

    /// This price changed by a fraction, rounded half to even at 1e-8, held at the ends.
    pub fn scaled(self, rate: Rate) -> Self {
        let scaled = divide_half_even(i128::from(self.0) * i128::from(rate.0), RATE_SCALE);
        Self(i64::try_from(scaled).unwrap_or(if scaled < 0 { i64::MIN } else { i64::MAX }))
    }

    /// Sum, held at the ends of the range.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Difference, held at the ends of the range.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// A number of units.
    pub const fn new(units: i64) -> Self {
        Self(units)
    }

    /// The number of units.
    pub const fn units(self) -> i64 {
        self.0
    }

    /// Without its sign.
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// More than nothing.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Neither long nor short.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The largest whole number of lots not above this quantity. A lot of zero or less gives zero.
    pub const fn floor_to(self, lot: Self) -> Self {
        if lot.0 <= 0 { Self(0) } else { Self(self.0 - self.0.rem_euclid(lot.0)) }
    }

    /// Sum, or `None` past the range.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }
}

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From steps of 1e-8 BRL.
    pub const fn from_steps(steps: i128) -> Self {
        Self(steps)
    }

    /// Steps of 1e-8 BRL.
    pub const fn steps(self) -> i128 {
        self.0
    }

    /// From whole centavos.
    pub const fn from_cents(cents: i64) -> Self {
        Self(cents as i128 * (SCALE / 100) as i128)
    }

    /// As a float, for statistics and charts only.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / SCALE as f64
    }

    /// A fraction of this amount, rounded half to even at 1e-8 BRL.
    pub fn scaled(self, rate: Rate) -> Self {
        Self(divide_half_even(self.0 * i128::from(rate.0), RATE_SCALE))
    }

    /// Rounded to whole centavos, halves to even: what a brokerage note shows.
    pub fn round_to_cents(self) -> Self {
        let step = i128::from(SCALE / 100);
        Self(divide_half_even(self.0, step) * step)
    }

    /// The average price when this amount bought `quantity` units, rounded half to even at 1e-8.
    /// `None` for no units or out of range.
    pub fn per_unit(self, quantity: Quantity) -> Option<Price> {
        if quantity.is_zero() {
            return None;
        }
        let (amount, units) = if quantity.0 < 0 { (-self.0, -quantity.0) } else { (self.0, quantity.0) };
        i64::try_from(divide_half_even(amount, i128::from(units))).ok().map(Price)
    }

    /// Without its sign.
    pub const fn abs(self) -> Self {
        Self(self.0.abs())
    }
}

impl Rate {
    /// No charge.
    pub const ZERO: Self = Self(0);

    /// From parts per million: `300` is 0.03 %.
    pub const fn from_ppm(ppm: i64) -> Self {
        Self(ppm)
    }

    /// Parts per million.
    pub const fn ppm(self) -> i64 {
        self.0
    }
}

/// `numerator / denominator` (denominator > 0), halves to the even neighbour: no drift over many
/// roundings, and symmetric in sign.
fn divide_half_even(numerator: i128, denominator: i128) -> i128 {
    // Amounts of one order nearly always fit 64 bits, where a division costs a tenth.
    if let (Ok(numerator), Ok(denominator)) = (i64::try_from(numerator), i64::try_from(denominator)) {
        let (quotient, remainder) = (numerator.div_euclid(denominator), numerator.rem_euclid(denominator));
        return i128::from(quotient)
            + i128::from(rounds_up(quotient % 2 != 0, remainder.cmp(&(denominator - remainder))));
    }
    let (quotient, remainder) = (numerator.div_euclid(denominator), numerator.rem_euclid(denominator));
    quotient + i128::from(rounds_up(quotient % 2 != 0, remainder.cmp(&(denominator - remainder))))
}

/// Whether a floored quotient rounds up, given how its remainder compares with what it lacks.
fn rounds_up(odd: bool, remainder_against_rest: std::cmp::Ordering) -> bool {
    match remainder_against_rest {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => odd,
        std::cmp::Ordering::Greater => true,
    }
}

/// Decimal text to steps of `10^-decimals`, exactly or not at all.
fn parse_steps(text: &str, decimals: u32) -> Result<i128, DecimalError> {
    let shown = || text.chars().take(64).collect::<String>();
    let parsed = Decimal::from_str_exact(text.trim()).map_err(|_| DecimalError::NotANumber(shown()))?;
    let normal = parsed.normalize();
    if normal.scale() > decimals {
        return Err(DecimalError::TooPrecise { text: shown(), decimals });
    }
    normal
        .mantissa()
        .checked_mul(10_i128.pow(decimals - normal.scale()))
        .ok_or_else(|| DecimalError::OutOfRange(shown()))
}

/// Steps to decimal text with at least `shown` and at most `decimals` places.
fn write_steps(f: &mut fmt::Formatter<'_>, steps: i128, decimals: u32, shown: u32) -> fmt::Result {
    let scale = 10_u128.pow(decimals);
    let magnitude = steps.unsigned_abs();
    let mut fraction = format!("{:0width$}", magnitude % scale, width = decimals as usize);
    while fraction.len() > shown as usize && fraction.ends_with('0') {
        fraction.pop();
    }
    let point = if fraction.is_empty() { "" } else { "." };
    f.pad_integral(steps >= 0, "", &format!("{}{point}{fraction}", magnitude / scale))
}

macro_rules! decimal_text {
    ($type:ident, $inner:ty, $decimals:expr, $shown:expr) => {
        impl FromStr for $type {
            type Err = DecimalError;
            fn from_str(text: &str) -> Result<Self, DecimalError> {
                <$inner>::try_from(parse_steps(text, $decimals)?)
                    .map(Self)
                    .map_err(|_| DecimalError::OutOfRange(text.chars().take(64).collect()))
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_steps(f, i128::from(self.0), $decimals, $shown)
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

decimal_text!(Price, i64, DECIMALS, 2);
decimal_text!(Money, i128, DECIMALS, 2);
decimal_text!(Rate, i64, RATE_DECIMALS, 0);

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Quantity {
    type Err = DecimalError;
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        i64::try_from(parse_steps(text, 0)?)
            .map(Self)
            .map_err(|_| DecimalError::OutOfRange(text.chars().take(64).collect()))
    }
}

/// A JSON number: quantities are whole and far below 2^53.
impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer).map(Self)
    }
}

// Plain operators overflow-check in every build (`overflow-checks` is on in release): a sum of
// money that wraps must stop the engine, not continue.
macro_rules! arithmetic {
    ($type:ident) => {
        impl Add for $type {
            type Output = Self;
            #[inline]
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }
        impl Sub for $type {
            type Output = Self;
            #[inline]
            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
        }
        impl Neg for $type {
            type Output = Self;
            #[inline]
            fn neg(self) -> Self {
                Self(-self.0)
            }
        }
        impl AddAssign for $type {
            #[inline]
            fn add_assign(&mut self, other: Self) {
                self.0 += other.0;
            }
        }
        impl SubAssign for $type {
            #[inline]
            fn sub_assign(&mut self, other: Self) {
                self.0 -= other.0;
            }
        }
        impl Sum for $type {
            fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
                items.fold(Self(0), Add::add)
            }
        }
    };
}

arithmetic!(Price);
arithmetic!(Quantity);
arithmetic!(Money);

impl Mul<i64> for Quantity {
    type Output = Self;
    #[inline]
    fn mul(self, factor: i64) -> Self {
        Self(self.0 * factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    #[test]
    fn text_is_exact_or_refused() {
        for (text, shown) in [
            ("38.10", "38.10"),
            ("38.1", "38.10"),
            ("0.04685", "0.04685"),
            ("-1.005", "-1.005"),
            ("7", "7.00"),
            (" 7 ", "7.00"),
            ("92233720368.54775807", "92233720368.54775807"),
        ] {
            assert_eq!(price(text).to_string(), shown, "{text}");
        }
        for (text, expected) in [
            ("", "is not a decimal number"),
            ("38,10", "is not a decimal number"),
            ("1e3", "is not a decimal number"),
            ("0.000000001", "more than 8 decimal places"),
            ("92233720369", "out of range"),
        ] {
            let error = text.parse::<Price>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn formatting_honours_width() {
        assert_eq!(format!("{:>10}", price("38.10")), "     38.10");
        assert_eq!(format!("{:>6}", Quantity::new(-5)), "    -5");
    }

    #[test]
    fn ticks_round_away_from_the_price_only_when_needed() {
        let tick = price("0.01");
        for (given, floor, ceil) in
            [("38.10", "38.10", "38.10"), ("38.101", "38.10", "38.11"), ("38.109", "38.10", "38.11")]
        {
            assert_eq!(price(given).floor_to(tick), price(floor));
            assert_eq!(price(given).ceil_to(tick), price(ceil));
        }
        assert!(price("38.10").is_multiple_of(tick));
        assert!(!price("38.101").is_multiple_of(tick));
        assert!(!price("38.10").is_multiple_of(Price::ZERO));
    }

    #[test]
    fn a_centavo_price_times_quantity_times_a_fee_rate_is_exact() {
        let notional = price("38.11").times(Quantity::new(300));
        assert_eq!(notional.to_string(), "11433.00");
        assert_eq!(notional.scaled(Rate::from_ppm(300)).to_string(), "3.4299");
        assert_eq!("3.4299".parse::<Money>().unwrap().round_to_cents().to_string(), "3.43");
    }

    #[test]
    fn halves_round_to_even_on_both_sides_of_zero() {
        for (amount, cents) in [("0.005", "0.00"), ("0.015", "0.02"), ("-0.005", "0.00"), ("-0.015", "-0.02")] {
            assert_eq!(amount.parse::<Money>().unwrap().round_to_cents().to_string(), cents, "{amount}");
        }
    }

    #[test]
    fn average_price_keeps_its_sign_for_shorts() {
        let paid: Money = "-76.20".parse().unwrap();
        assert_eq!(paid.per_unit(Quantity::new(-2)), Some(price("38.10")));
        assert_eq!(paid.per_unit(Quantity::ZERO), None);
    }

    #[test]
    fn lots_floor_and_a_zero_lot_gives_nothing() {
        assert_eq!(Quantity::new(299).floor_to(Quantity::new(100)), Quantity::new(200));
        assert_eq!(Quantity::new(299).floor_to(Quantity::ZERO), Quantity::ZERO);
    }

    proptest! {
        #[test]
        fn every_price_survives_its_own_text(steps: i64) {
            let value = Price::from_steps(steps);
            prop_assert_eq!(value.to_string().parse::<Price>(), Ok(value));
        }

        #[test]
        fn every_money_a_book_can_hold_survives_its_own_text(steps in -(1_i128 << 95)..(1_i128 << 95)) {
            let value = Money::from_steps(steps);
            prop_assert_eq!(value.to_string().parse::<Money>(), Ok(value));
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = text.parse::<Price>();
            let _ = text.parse::<Money>();
            let _ = text.parse::<Rate>();
            let _ = text.parse::<Quantity>();
        }

        #[test]
        fn a_centavo_price_passes_through_f64_unchanged(cents in 0_i64..1_000_000_000) {
            let value = Price::from_cents(cents).unwrap();
            prop_assert_eq!(Price::from_f64(value.to_f64()), Some(value));
        }

        #[test]
        fn both_ways_of_dividing_round_alike(numerator in -1_000_000_i64..1_000_000, denominator in 1_i64..2_000) {
            // Scaled up past 64 bits the division takes the long way to the same quotient.
            let scale = 1_i128 << 70;
            let long = divide_half_even(i128::from(numerator) * scale, i128::from(denominator) * scale);
            prop_assert_eq!(divide_half_even(i128::from(numerator), i128::from(denominator)), long);
        }

        #[test]
        fn ticks_bracket_the_price(steps in -1_000_000_000_000_i64..1_000_000_000_000, tick in 1_i64..1_000_000) {
            let (value, tick) = (Price::from_steps(steps), Price::from_steps(tick));
            prop_assert!(value.floor_to(tick) <= value && value <= value.ceil_to(tick));
            prop_assert!(value.floor_to(tick).is_multiple_of(tick) && value.ceil_to(tick).is_multiple_of(tick));
        }
    }
}

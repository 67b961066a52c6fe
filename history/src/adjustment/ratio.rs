//! Exact fractions: units afterwards for one before.
//!
//! One unit for three is no decimal number, and 0.3333333333333333 three times is not one. Sources
//! print such ratios cut short, so [`Ratio::of_decimal`] takes the simplest fraction that prints
//! the same, and products of ratios stay fractions.

use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Serialize, Serializer};

/// From this many decimal places on, a ratio is taken for a fraction cut short. Ratios that were
/// agreed on have at most six (1.031945); a double printed in full has sixteen.
const CUT_SHORT: u32 = 9;

/// A positive fraction in lowest terms.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ratio {
    numerator: i128,
    denominator: i128,
}

impl Ratio {
    /// One for one.
    pub const ONE: Self = Self { numerator: 1, denominator: 1 };

    /// `numerator` for `denominator`; `None` unless both are positive.
    pub fn new(numerator: i128, denominator: i128) -> Option<Self> {
        if numerator <= 0 || denominator <= 0 {
            return None;
        }
        let divisor = greatest_common_divisor(numerator, denominator);
        Some(Self { numerator: numerator / divisor, denominator: denominator / divisor })
    }

    /// The fraction that a source's decimal stands for: exact up to eight decimal places, from nine
    /// on the simplest fraction within two units of its last place. `None` unless positive.
    pub fn of_decimal(decimal: Decimal) -> Option<Self> {
        let normal = decimal.normalize();
        let (mantissa, scale) = (normal.mantissa(), 10_i128.checked_pow(normal.scale())?);
        if mantissa <= 2 || normal.scale() < CUT_SHORT {
            return Self::new(mantissa, scale);
        }
        // A double near one is off by as much as a unit of its sixteenth place when printed, and
        // what is cut by another: 12/11 comes as 1.0909090909090908.
        let (numerator, denominator) =
            simplest_between((mantissa.checked_sub(2)?, scale), (mantissa.checked_add(2)?, scale));
        Self::new(numerator, denominator)
    }

    /// Above the line.
    pub const fn numerator(self) -> i128 {
        self.numerator
    }

    /// Below the line.
    pub const fn denominator(self) -> i128 {
        self.denominator
    }

    /// The product, or `None` past the range.
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        // Crosswise first: the product of what is left is in lowest terms and as small as can be.
        let one = greatest_common_divisor(self.numerator, other.denominator);
        let two = greatest_common_divisor(other.numerator, self.denominator);
        Some(Self {
            numerator: (self.numerator / one).checked_mul(other.numerator / two)?,
            denominator: (self.denominator / two).checked_mul(other.denominator / one)?,
        })
    }

    /// `value ÷ this`, halves to even; `None` past the range.
    pub fn divide(self, value: i128) -> Option<i128> {
        scale(value, self.denominator, self.numerator)
    }

    /// `value × this`, halves to even; `None` past the range.
    pub fn multiply(self, value: i128) -> Option<i128> {
        scale(value, self.numerator, self.denominator)
    }

    /// With 28 significant digits, which 96 bits hold; both sides are cut to as many.
    pub fn to_decimal(self) -> Option<Decimal> {
        let longest = 128 - self.numerator.max(self.denominator).leading_zeros();
        let cut = longest.saturating_sub(96);
        let decimal = |value: i128| Decimal::try_from_i128_with_scale(value >> cut, 0).ok();
        decimal(self.numerator)?.checked_div(decimal(self.denominator)?)
    }

    /// For statistics only.
    pub fn to_f64(self) -> f64 {
        self.numerator.to_f64().unwrap_or(f64::NAN) / self.denominator.to_f64().unwrap_or(f64::NAN)
    }
}

/// As `2`, or `11/10`.
impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.denominator {
            1 => write!(f, "{}", self.numerator),
            denominator => write!(f, "{}/{denominator}", self.numerator),
        }
    }
}

impl Serialize for Ratio {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn greatest_common_divisor(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.abs().max(1)
}

/// `value · up ÷ down`, halves to even, `down` positive.
fn scale(value: i128, up: i128, down: i128) -> Option<i128> {
    let divisor = greatest_common_divisor(value, down);
    let (value, down) = (value / divisor, down / divisor);
    let product = value.checked_mul(up)?;
    let (quotient, rest) = (product.div_euclid(down), product.rem_euclid(down));
    let up = match rest.cmp(&(down - rest)) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient % 2 != 0,
        std::cmp::Ordering::Greater => true,
    };
    quotient.checked_add(i128::from(up))
}

/// The fraction of smallest denominator between two others, ends included: a walk down the
/// continued fraction that both share.
fn simplest_between(low: (i128, i128), high: (i128, i128)) -> (i128, i128) {
    let whole = low.0.div_euclid(low.1);
    if whole * low.1 == low.0 {
        return (whole, 1);
    }
    if (whole + 1) * high.1 <= high.0 {
        return (whole + 1, 1);
    }
    // Both lie in the same unit: what is left of each, upside down, and so in the other order.
    let rest = |(numerator, denominator): (i128, i128)| (denominator, numerator - whole * denominator);
    let (numerator, denominator) = simplest_between(rest(high), rest(low));
    (whole * numerator + denominator, numerator)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_become_the_fractions_that_they_stand_for() {
        for (text, expected) in [
            ("2", Some("2")),
            ("2.0", Some("2")),
            ("1.1", Some("11/10")),
            ("0.01", Some("1/100")),
            ("1.031945", Some("206389/200000")),
            ("0.3333333333333333", Some("1/3")),
            ("0.6666666666666666", Some("2/3")),
            ("0.1428571428571428", Some("1/7")),
            ("0.0181818181818181", Some("1/55")),
            ("1.0909090909090908", Some("12/11")),
            ("1.3076499999999998", Some("26153/20000")),
            ("0.12345678", Some("6172839/50000000")),
            ("0", None),
            ("-2", None),
        ] {
            let ratio = Ratio::of_decimal(text.parse().unwrap()).map(|ratio| ratio.to_string());
            assert_eq!(ratio.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_longest_fractions_have_a_decimal_too() {
        let long = 10_i128.pow(38);
        for (numerator, denominator, expected) in
            [(long, long - 1, "1"), (long, 3 * 10_i128.pow(37) + 1, "3.3333333333")]
        {
            let decimal = Ratio::new(numerator, denominator).unwrap().to_decimal().unwrap();
            assert!(decimal.to_string().starts_with(expected), "{decimal}");
        }
    }

    #[test]
    fn scaling_rounds_halves_to_even() {
        let two = Ratio::new(2, 1).unwrap();
        let thirds = Ratio::new(1, 3).unwrap();
        for (value, halved, trebled, third) in
            [(0, 0, 0, 0), (1, 0, 3, 0), (3, 2, 9, 1), (5, 2, 15, 2), (-3, -2, -9, -1)]
        {
            assert_eq!(two.divide(value), Some(halved), "{value} ÷ 2");
            assert_eq!(thirds.divide(value), Some(trebled), "{value} ÷ 1/3");
            assert_eq!(thirds.multiply(value), Some(third), "{value} × 1/3");
        }
        assert_eq!(Ratio::new(1, 7).unwrap().divide(i128::MAX), None);
    }

    proptest! {
        #[test]
        fn a_fraction_printed_with_sixteen_places_is_found_again(numerator in 1_i128..2_000, denominator in 1_i128..2_000) {
            let ratio = Ratio::new(numerator, denominator).unwrap();
            let cut = ratio.to_decimal().unwrap().trunc_with_scale(16);
            prop_assert_eq!(Ratio::of_decimal(cut), Some(ratio));
        }

        #[test]
        fn products_are_in_lowest_terms_and_undo(a in 1_i128..10_000, b in 1_i128..10_000, c in 1_i128..10_000) {
            let (one, two) = (Ratio::new(a, b).unwrap(), Ratio::new(b, c).unwrap());
            prop_assert_eq!(one.checked_mul(two), Ratio::new(a, c));
            prop_assert_eq!(one.checked_mul(Ratio::new(b, a).unwrap()), Some(Ratio::ONE));
        }
    }
}

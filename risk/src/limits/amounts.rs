//! What a limit is measured in.

use std::fmt;
use std::str::FromStr;

use market::time::NANOS_PER_SECOND;
use market::{Money, Quantity, Rate};
use serde::{Deserialize, Serialize};

use crate::checks::Figure;

/// A value that a limit may have.
pub trait Amount: Copy + Ord + FromStr<Err: fmt::Display> {
    /// What a value looks like, for complaints.
    const EXPECTED: &'static str;
    /// Minus one, zero or one.
    fn sign(self) -> i32;
    /// With its unit.
    fn figure(self) -> Figure;
}

impl Amount for Quantity {
    const EXPECTED: &'static str = "a whole number of units such as 10000";
    fn sign(self) -> i32 {
        i32::from(self.is_positive()) - i32::from((-self).is_positive())
    }
    fn figure(self) -> Figure {
        Figure::Quantity(self)
    }
}

impl Amount for Money {
    const EXPECTED: &'static str = "an amount in BRL such as \"250000.00\"";
    fn sign(self) -> i32 {
        i32::from(self > Self::ZERO) - i32::from(self < Self::ZERO)
    }
    fn figure(self) -> Figure {
        Figure::Money(self)
    }
}

impl Amount for Rate {
    const EXPECTED: &'static str = "a fraction such as 0.03";
    fn sign(self) -> i32 {
        i32::from(self > Self::ZERO) - i32::from(self < Self::ZERO)
    }
    fn figure(self) -> Figure {
        Figure::Rate(self)
    }
}

macro_rules! whole {
    ($(#[$doc:meta])* $type:ident, $expected:literal, $figure:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(pub u32);

        impl FromStr for $type {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.trim().parse().map(Self)
            }
        }

        impl Amount for $type {
            const EXPECTED: &'static str = $expected;
            fn sign(self) -> i32 {
                i32::from(self.0 > 0)
            }
            fn figure(self) -> Figure {
                let figure: fn(Self) -> Figure = $figure;
                figure(self)
            }
        }
    };
}

whole!(
    /// How many.
    Count,
    "a whole number such as 20",
    |count| Figure::Count(u64::from(count.0))
);
whole!(
    /// Whole seconds.
    Seconds,
    "whole seconds such as 5",
    |seconds| Figure::Nanoseconds(seconds.nanos())
);
whole!(
    /// Whole milliseconds.
    Milliseconds,
    "whole milliseconds such as 500",
    |milliseconds| Figure::Nanoseconds(milliseconds.nanos())
);

impl Seconds {
    /// In nanoseconds.
    pub const fn nanos(self) -> i64 {
        self.0 as i64 * NANOS_PER_SECOND
    }
}

impl Milliseconds {
    /// In nanoseconds.
    pub const fn nanos(self) -> i64 {
        self.0 as i64 * (NANOS_PER_SECOND / 1_000)
    }
}

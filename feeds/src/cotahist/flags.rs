//! What is odd in a record without being wrong.
//!
//! The exchange publishes such lines, so they are counted and shown and never refused. A flagged
//! record is visible but is counted, so that a person can look.

use market::{DailyRecord, InstrumentKind};

use super::kind::MARKET_TYPES;

/// Something odd in a record that the exchange does publish: counted, never refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Flag {
    /// Average outside low and high: 5 of the 7,518 lines of 2021-06-25.
    AverageOutsideRange,
    /// Turnover over quantity outside low and high, by more than the centavo that turnover is rounded to.
    TurnoverOutsideRange,
    /// No ISIN.
    NoIsin,
    /// Check digit of the ISIN wrong.
    IsinCheckDigit,
    /// Market type without a meaning in the exchange's table.
    UnknownMarketType,
    /// In the cash market, of a kind that we cannot tell.
    UnknownKind,
}

impl Flag {
    /// Every flag.
    pub const ALL: [Self; 6] = [
        Self::AverageOutsideRange,
        Self::TurnoverOutsideRange,
        Self::NoIsin,
        Self::IsinCheckDigit,
        Self::UnknownMarketType,
        Self::UnknownKind,
    ];

    /// Name in reports and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AverageOutsideRange => "average_outside_range",
            Self::TurnoverOutsideRange => "turnover_outside_range",
            Self::NoIsin => "no_isin",
            Self::IsinCheckDigit => "isin_check_digit",
            Self::UnknownMarketType => "unknown_market_type",
            Self::UnknownKind => "unknown_kind",
        }
    }
}

/// The flags of one record.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Flags(u8);

impl Flags {
    /// What is odd in a record.
    pub fn of(record: &DailyRecord) -> Self {
        let isin = record.isin.as_ref().and_then(|isin| isin.as_str().as_bytes().first_chunk());
        Self::of_names(record.market_type, isin, record.kind).with(Self::of_prices(record))
    }

    /// What is odd in that part of a record which all lines of an issue share.
    pub(super) fn of_names(market_type: u16, isin: Option<&[u8; 12]>, kind: InstrumentKind) -> Self {
        let known_market = MARKET_TYPES.contains(&market_type);
        Self::default()
            .with_if(Flag::NoIsin, isin.is_none())
            .with_if(Flag::IsinCheckDigit, isin.is_some_and(|isin| !has_valid_check_digit(isin)))
            .with_if(Flag::UnknownMarketType, !known_market)
            .with_if(Flag::UnknownKind, known_market && kind == InstrumentKind::Other)
    }

    /// What is odd in its prices.
    #[inline]
    pub(super) fn of_prices(record: &DailyRecord) -> Self {
        let DailyRecord { low, high, average, quantity, turnover, .. } = *record;
        let cent = i128::from(market::decimal::SCALE / 100);
        let (least, most) = (low.times(quantity).steps() - cent, high.times(quantity).steps() + cent);
        let turnover_outside = turnover.steps() <= least || most <= turnover.steps();
        Self::default()
            .with_if(Flag::AverageOutsideRange, average < low || high < average)
            .with_if(Flag::TurnoverOutsideRange, turnover_outside)
    }

    /// Both sets.
    #[inline]
    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[inline]
    fn with_if(self, flag: Flag, on: bool) -> Self {
        Self(self.0 | u8::from(on) << flag as u8)
    }

    /// Whether this one is set.
    pub const fn has(self, flag: Flag) -> bool {
        self.0 & (1 << flag as u8) != 0
    }

    /// Whether none is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that are set.
    pub fn iter(self) -> impl Iterator<Item = Flag> {
        Flag::ALL.into_iter().filter(move |flag| self.has(*flag))
    }
}

/// ISO 6166, the same answer as `Isin::has_valid_check_digit` without its allocations: an import
/// asks a million times.
fn has_valid_check_digit(isin: &[u8; 12]) -> bool {
    // From the right, every second digit counts double; a letter is two digits.
    let (sum, _) = isin.iter().rev().fold((0, 0), |(sum, doubled), byte| {
        let (points, digits) = LUHN[doubled][usize::from(byte & 0x7F)];
        (sum + u32::from(points), (doubled + digits) % 2)
    });
    sum % 10 == 0
}

/// What a character counts where its last digit counts single (0) or double (1), and how many
/// digits it is.
const LUHN: [[(u8, usize); 128]; 2] = {
    let mut table = [[(0, 0); 128]; 2];
    let mut byte = 0;
    while byte < 128 {
        let value = match byte as u8 {
            digit @ b'0'..=b'9' => digit - b'0',
            letter @ b'A'..=b'Z' => letter - b'A' + 10,
            letter @ b'a'..=b'z' => letter - b'a' + 10,
            _ => 0,
        };
        let (tens, ones) = (value / 10, value % 10);
        let digits = if value < 10 { 1 } else { 2 };
        table[0][byte] = (ones + double(tens), digits);
        table[1][byte] = (double(ones) + tens, digits);
        byte += 1;
    }
    table
};

/// Points of a digit that counts double.
const fn double(digit: u8) -> u8 {
    digit * 2 / 10 + digit * 2 % 10
}

//! History: what the exchange and other sources publish, as values.
//!
//! `feeds` reads these from files and replies, `store` keeps them; neither needs to know the other.
//! This file has the exchange's own daily record; beside it:
//!
//! - [`source`]: where something was read, and how old it was by then
//! - [`bar`]: bars of any source and interval
//! - [`corporate_action`]: what a company does to its units
//! - [`index`]: closes and members of an index
//! - [`quality`]: what was found wrong with a stored value

use std::fmt;

pub mod bar;
pub mod corporate_action;
pub mod index;
pub mod quality;
pub mod source;

pub use bar::{HistoryBar, Interval};
pub use corporate_action::{CorporateAction, CorporateActionKind};
pub use index::{IndexClose, IndexMember};
pub use quality::{QualityMark, QualityRule};
pub use source::{DelayClass, SourceName};

use crate::decimal::{Money, Price, Quantity};
use crate::instrument::{InstrumentKind, Isin, Symbol};
use crate::time::Date;

/// Up to `N` characters of latin-1 text from a fixed-width record, held in place: a year of
/// records must not cost a heap allocation each.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FixedText<const N: usize>([u8; N]);

impl<const N: usize> FixedText<N> {
    /// From latin-1 bytes; spaces at the end are padding, and what does not fit is refused.
    pub fn from_latin1(bytes: &[u8]) -> Option<Self> {
        let mut held = [b' '; N];
        let length = bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
        held.get_mut(..length)?.copy_from_slice(bytes.get(..length)?);
        Some(Self(held))
    }

    /// The bytes with their padding, as a record holds them.
    pub const fn as_latin1(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> fmt::Display for FixedText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = self.0.iter().map(|byte| char::from(*byte)).collect();
        f.pad(text.trim_end())
    }
}

impl<const N: usize> fmt::Debug for FixedText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One line of the exchange's official daily history: one instrument on one session.
///
/// Prices are BRL per unit: already divided by 100 and by the quotation factor, exactly. A price
/// that the exchange left at zero (no bid, no strike) is zero here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DailyRecord {
    /// Session.
    pub date: Date,
    /// Ticker (CODNEG).
    pub symbol: Symbol,
    /// Market type (TPMERC): 10 cash, 20 fractional, 30 forward, 70 call, 80 put …
    pub market_type: u16,
    /// Days of a forward's term (PRAZOT); zero elsewhere. Part of the key: one forward, many terms.
    pub term_days: u16,
    /// BDI code as published, for reference; `kind` is what to select by.
    pub bdi_code: u16,
    /// What it is, told from market type, specification and ISIN.
    pub kind: InstrumentKind,
    /// ISIN (CODISI), where the line has one.
    pub isin: Option<Isin>,
    /// Short company name (NOMRES).
    pub company: FixedText<12>,
    /// Class, ex-flags and segment (ESPECI).
    pub specification: FixedText<10>,
    /// Opening price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Average price.
    pub average: Price,
    /// Last price.
    pub close: Price,
    /// Best bid at the end.
    pub best_bid: Price,
    /// Best ask at the end.
    pub best_ask: Price,
    /// Number of trades; the field has five digits and wraps at 100,000.
    pub trades: u32,
    /// Units traded.
    pub quantity: Quantity,
    /// Turnover in BRL.
    pub turnover: Money,
    /// Strike per unit, zero where there is none.
    pub strike: Price,
    /// Correction indicator of the strike (INDOPC).
    pub strike_correction: u8,
    /// Expiry; none is written as 9999-12-31.
    pub expiry: Option<Date>,
    /// Units that a quoted price was for (FATCOT).
    pub quotation_factor: u32,
    /// Strike in points, steps of 1e-6 (PTOEXE).
    pub strike_points: u64,
    /// Distribution number (DISMES): grows with each corporate event.
    pub distribution: u16,
}

/// Market type of the round-lot cash market.
pub const CASH_MARKET: u16 = 10;
/// Market type of the fractional cash market.
pub const FRACTIONAL_MARKET: u16 = 20;

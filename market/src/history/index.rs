//! An index: its closes, and what it is made of.

use rust_decimal::Decimal;

use crate::decimal::Price;
use crate::instrument::Symbol;
use crate::time::Date;

/// The close of an index on one session, in points.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexClose {
    /// Session.
    pub date: Date,
    /// Points; exact decimal, like a price.
    pub close: Price,
}

/// One member of an index as of a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexMember {
    /// The index, such as IBOV.
    pub index: Symbol,
    /// The day that the portfolio is for.
    pub date: Date,
    /// Ticker of the member.
    pub symbol: Symbol,
    /// Units in the theoretical portfolio; index = Σ(price · quantity) / reductor.
    pub theoretical_quantity: Decimal,
    /// Share of the index in percent, as published; zero where the source does not say.
    pub weight_percent: Decimal,
    /// The divisor of that day, where the source says it.
    pub reductor: Option<Decimal>,
}

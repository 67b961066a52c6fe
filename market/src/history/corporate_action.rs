//! What a company does to its units: money paid on them, more or fewer of them, the right to buy more.

use rust_decimal::Decimal;
use serde::Serialize;

use super::source::SourceName;
use crate::instrument::{Isin, Symbol};
use crate::time::Date;

/// What kind of event it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CorporateActionKind {
    /// Money from profit, free of tax for a person until the law says otherwise (DIVIDENDO).
    Dividend,
    /// Interest on equity, juros sobre capital próprio, taxed at 15 % at the source (JRS CAP PROPRIO).
    InterestOnEquity,
    /// Income of a fund (RENDIMENTO).
    Income,
    /// Capital paid back (REST CAP DIN).
    CapitalReturn,
    /// More units for one (DESDOBRAMENTO).
    Split,
    /// Fewer units for several (GRUPAMENTO).
    ReverseSplit,
    /// Units for nothing (BONIFICACAO).
    Bonus,
    /// The right to buy new units at a price (SUBSCRICAO).
    Subscription,
    /// What has no rule here, kept with its label; nothing is adjusted for it.
    Other,
}

impl CorporateActionKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Dividend,
        Self::InterestOnEquity,
        Self::Income,
        Self::CapitalReturn,
        Self::Split,
        Self::ReverseSplit,
        Self::Bonus,
        Self::Subscription,
        Self::Other,
    ];

    /// Stable name in JSON, tables and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dividend => "dividend",
            Self::InterestOnEquity => "interest_on_equity",
            Self::Income => "income",
            Self::CapitalReturn => "capital_return",
            Self::Split => "split",
            Self::ReverseSplit => "reverse_split",
            Self::Bonus => "bonus",
            Self::Subscription => "subscription",
            Self::Other => "other",
        }
    }

    /// Whether money is paid on a unit.
    pub const fn is_cash(self) -> bool {
        matches!(self, Self::Dividend | Self::InterestOnEquity | Self::Income | Self::CapitalReturn)
    }

    /// Whether the number of units changes and nothing is paid.
    pub const fn changes_units(self) -> bool {
        matches!(self, Self::Split | Self::ReverseSplit | Self::Bonus)
    }
}

/// One corporate action as one source published it. The key is all of source, ISIN, symbol, kind,
/// last day with the right, amount and ratio: a company pays two dividends on one day.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct CorporateAction {
    /// Who says so.
    pub source: SourceName,
    /// ISIN of the class, where the source says it.
    pub isin: Option<Isin>,
    /// Ticker, where the source goes by tickers. One of ISIN and ticker is there.
    pub symbol: Option<Symbol>,
    /// What happens.
    pub kind: CorporateActionKind,
    /// The last session on which whoever buys has the right (`lastDatePrior`); the next is the
    /// first without it.
    pub last_date_prior: Date,
    /// When it was decided.
    pub approved_on: Option<Date>,
    /// When money or units arrive.
    pub payment_date: Option<Date>,
    /// Cash kinds: BRL per unit before tax. Subscription: BRL to pay per new unit. Else zero.
    pub amount: Decimal,
    /// Split, reverse split, bonus: units afterwards for one before. Subscription: new units that
    /// one unit gives the right to. Else one.
    pub ratio: Decimal,
    /// The source's own word for it.
    pub label: String,
}

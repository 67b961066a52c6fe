//! What stands in the way of an adjustment, or puts a doubt on it. Told, never skipped.

use std::fmt;

use market::Date;
use market::history::{CorporateAction, CorporateActionKind};
use rust_decimal::Decimal;
use serde::Serialize;

/// What kind of problem.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// A ratio of zero or less.
    RatioNotPositive,
    /// An amount of zero or less, or a negative price of new units.
    AmountNotPositive,
    /// The amount is the cum close or more: nothing would be left.
    AmountTakesAll,
    /// A right to buy at the market price or above is worth nothing.
    RightWithoutValue,
    /// An action of a kind that has no rule here.
    NoRule,
    /// The last cum day is no session of the calendar; the close before it was taken.
    NotASession,
    /// No bar on the last cum session; the close before it was taken.
    NoBarOnTheDay,
    /// No bar before the ex date: nothing to adjust.
    BeforeTheSeries,
    /// No bar from the ex date on: the last bar is still with the right.
    AfterTheSeries,
    /// The bar whose close the factor needs has none.
    NoPrice,
    /// A ratio or price too large to be exact, or to be held at all.
    OutOfRange,
    /// The number of units that a price is quoted for changed (FATCOT). Our prices are per unit on
    /// both sides; a jump by that number says that a source's are not.
    QuotationFactorChanged,
}

impl ProblemKind {
    /// Stable name in JSON and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RatioNotPositive => "ratio_not_positive",
            Self::AmountNotPositive => "amount_not_positive",
            Self::AmountTakesAll => "amount_takes_all",
            Self::RightWithoutValue => "right_without_value",
            Self::NoRule => "no_rule",
            Self::NotASession => "not_a_session",
            Self::NoBarOnTheDay => "no_bar_on_the_day",
            Self::BeforeTheSeries => "before_the_series",
            Self::AfterTheSeries => "after_the_series",
            Self::NoPrice => "no_price",
            Self::OutOfRange => "out_of_range",
            Self::QuotationFactorChanged => "quotation_factor_changed",
        }
    }
}

/// One problem.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Problem {
    /// The last cum day of the action, or the day of the bar.
    pub date: Date,
    /// Which.
    pub kind: ProblemKind,
    /// The action, where it is one's.
    pub action: Option<CorporateAction>,
    /// Whether the action was applied all the same.
    pub applied: bool,
    /// The value, and what was done.
    pub detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.date, self.detail)
    }
}

impl Problem {
    pub(super) fn of(action: &CorporateAction, kind: ProblemKind, applied: bool, detail: String) -> Self {
        Self { date: action.last_date_prior, kind, action: Some(action.clone()), applied, detail }
    }
}

/// What is wrong with an action whatever the bars are.
pub(super) fn of_figures(action: &CorporateAction) -> Option<Problem> {
    let kind = action.kind;
    let refused = |problem, detail| Some(Problem::of(action, problem, false, detail));
    let needs_ratio = kind.changes_units() || kind == CorporateActionKind::Subscription;
    if kind == CorporateActionKind::Other {
        return refused(ProblemKind::NoRule, format!("'{}' has no rule; nothing was adjusted for it", action.label));
    }
    if needs_ratio && action.ratio <= Decimal::ZERO {
        return refused(ProblemKind::RatioNotPositive, format!("ratio {}; not applied", action.ratio));
    }
    let negative_price = kind == CorporateActionKind::Subscription && action.amount < Decimal::ZERO;
    if (kind.is_cash() && action.amount <= Decimal::ZERO) || negative_price {
        return refused(ProblemKind::AmountNotPositive, format!("amount {}; not applied", action.amount));
    }
    None
}

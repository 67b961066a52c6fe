//! Series that can be compared over time: factors from corporate actions, and bars scaled by them.
//!
//! Raw stays raw: [`adjust`] makes a view and changes nothing. The last bar is the anchor, its
//! factor is one, and every earlier bar is scaled by the actions that lie between it and the last.
//!
//! | action | on the units held at the last cum close `P` |
//! |---|---|
//! | cash `a` (dividend, JCP, income, capital return) | price × (P − a) ÷ P, or × X ÷ (X + a) with the first ex close X: see [`Reinvestment`] |
//! | subscription of `s` new units for one, at `k` each | price × theoretical ex-rights price ÷ P, which is (P + s·k) ÷ (1 + s) |
//! | split, reverse split, bonus to `r` units for one | price ÷ r, volume × r, exactly |
//!
//! Several actions with the same last cum session go in this order, each on the price that the one
//! before leaves: all cash, added up; then subscriptions; then changes of units. So B3 states them:
//! amounts and rights are per unit held on the last day with the right, before units change.
//!
//! What could not be applied, or was applied with a doubt, stands in [`AdjustedSeries::problems`].

mod apply;
mod factor;
mod options;
mod problem;
mod quotation;
pub mod ratio;

use std::collections::BTreeMap;

use market::history::{CorporateAction, HistoryBar};
use market::{Calendar, Date, Price, Quantity, Timestamp};
use rust_decimal::Decimal;
use serde::Serialize;

pub use factor::Factor;
pub use options::{Adjusted, GROSS, NET_OF_15_PERCENT, Options, Reinvestment};
pub use problem::{Problem, ProblemKind};
pub use quotation::quotation_changes;
pub use ratio::Ratio;

/// A bar as the view shows it. Prices are rounded half to even at 1e-8, volumes at whole units.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct AdjustedBar {
    /// When it began.
    pub begin: Timestamp,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Units traded, as units of the last bar.
    pub volume: Quantity,
    /// Units of the last bar for one of this bar: prices were divided by it, the volume multiplied.
    pub units: Ratio,
    /// What cash and rights left of the price, with 28 significant digits; one where nothing was paid.
    pub cash: Decimal,
}

/// A series in one view.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct AdjustedSeries {
    /// Every bar that was given, in the same order.
    pub bars: Vec<AdjustedBar>,
    /// What was applied, oldest first, with the actions that made it.
    pub factors: Vec<Factor>,
    /// What was not applied, or with a doubt.
    pub problems: Vec<Problem>,
}

/// What cannot be adjusted at all: a mistake of whoever calls.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AdjustError {
    /// Bars must ascend.
    #[error("the bar of {at} does not lie after the one before it; sort the bars and keep one of each time")]
    BarsOutOfOrder {
        /// Which.
        at: Timestamp,
    },
    /// The same action told by two sources would count twice.
    #[error("corporate actions of {first} and of {second} together would count twice; adjust by one source")]
    SeveralSources {
        /// One.
        first: market::history::SourceName,
        /// Another.
        second: market::history::SourceName,
    },
}

/// The series in a view. `bars` are of one instrument, ascending; `actions` of the same instrument,
/// from one source, in any order.
///
/// # Errors
/// Bars that do not ascend, actions of several sources.
pub fn adjust(
    bars: &[HistoryBar],
    actions: &[CorporateAction],
    calendar: &Calendar,
    options: &Options,
) -> Result<AdjustedSeries, AdjustError> {
    if let Some(pair) = bars.windows(2).find(|pair| pair[0].begin >= pair[1].begin) {
        return Err(AdjustError::BarsOutOfOrder { at: pair[1].begin });
    }
    if let Some(pair) = actions.windows(2).find(|pair| pair[0].source != pair[1].source) {
        return Err(AdjustError::SeveralSources { first: pair[0].source, second: pair[1].source });
    }
    let dates: Vec<Date> = bars.iter().map(HistoryBar::date).collect();
    let mut problems = Vec::new();
    let mut factors = Vec::new();
    let by_day = wanted_by_day(actions, options, &mut problems);
    for (day, actions) in by_day {
        if let Some(neighbours) = factor::around(bars, &dates, calendar, day, &actions, &mut problems) {
            factors.extend(factor::of_day(day, &actions, neighbours, options, &mut problems));
        }
    }
    let bars = apply::scaled(bars, &dates, &factors, &mut problems);
    problems.sort_by_key(|problem| (problem.date, problem.kind));
    Ok(AdjustedSeries { bars, factors, problems })
}

/// The actions that the view is made of, by their last cum session, in a fixed order: the result
/// must not depend on the order in which a source tells them.
fn wanted_by_day<'a>(
    actions: &'a [CorporateAction],
    options: &Options,
    problems: &mut Vec<Problem>,
) -> BTreeMap<Date, Vec<&'a CorporateAction>> {
    let mut by_day: BTreeMap<Date, Vec<&CorporateAction>> = BTreeMap::new();
    for action in actions.iter().filter(|action| options.view.takes(action.kind)) {
        match problem::of_figures(action) {
            Some(problem) => problems.push(problem),
            None => by_day.entry(action.last_date_prior).or_default().push(action),
        }
    }
    by_day.values_mut().for_each(|of_day| of_day.sort());
    by_day
}

#[cfg(test)]
mod tests;

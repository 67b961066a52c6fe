//! The factor of one day: what the actions with the same last cum session make of a price.

use market::history::{CorporateAction, CorporateActionKind, HistoryBar};
use market::{Calendar, Date, Price, Rate};
use rust_decimal::Decimal;
use serde::Serialize;

use super::options::{Options, Reinvestment};
use super::problem::{Problem, ProblemKind};
use super::ratio::Ratio;

/// What one day's actions do to every earlier bar.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Factor {
    /// The last session with the right; bars up to and with it are scaled.
    pub last_date_prior: Date,
    /// The first bar's day without it.
    pub ex_date: Date,
    /// The day of the close that the factor was made from; earlier than `last_date_prior` where
    /// nothing traded then, which stands among the problems.
    pub cum_date: Date,
    /// That close.
    pub cum_close: Price,
    /// Units afterwards for one before.
    pub units: Ratio,
    /// What cash and rights leave of the price.
    pub cash: Decimal,
    /// The actions that made it.
    pub actions: Vec<CorporateAction>,
}

/// The bars on both sides of a day.
pub(super) struct Neighbours {
    cum: (Date, Price),
    ex: (Date, Price),
    /// What is odd about the cum bar.
    doubt: Option<(ProblemKind, String)>,
}

/// The last bar up to a day and the last bar of the first day after it. None where one is missing:
/// there is nothing to adjust then, or nothing to adjust to.
pub(super) fn around(
    bars: &[HistoryBar],
    dates: &[Date],
    calendar: &Calendar,
    day: Date,
    actions: &[&CorporateAction],
    problems: &mut Vec<Problem>,
) -> Option<Neighbours> {
    let ex = dates.partition_point(|date| *date <= day);
    let mut outside = |kind, detail: String| {
        problems.extend(actions.iter().map(|action| Problem::of(action, kind, false, detail.clone())));
        None
    };
    let Some(cum) = ex.checked_sub(1) else {
        let first =
            dates.first().map_or_else(|| "there is no bar".to_owned(), |date| format!("the first bar is of {date}"));
        return outside(ProblemKind::BeforeTheSeries, first);
    };
    let Some(ex_date) = dates.get(ex).copied() else {
        return outside(ProblemKind::AfterTheSeries, format!("the last bar is of {}", dates[cum]));
    };
    // Bars within a day: its last one closes it.
    let ex = dates.partition_point(|date| *date <= ex_date) - 1;
    let used = dates[cum];
    let doubt = if calendar.is_session(day) == Some(false) {
        let reason = calendar.closing_reason(day).unwrap_or("closed");
        Some((ProblemKind::NotASession, format!("{reason}; the close of {used} was taken")))
    } else if used != day {
        Some((ProblemKind::NoBarOnTheDay, format!("the close of {used} was taken")))
    } else {
        None
    };
    Some(Neighbours { cum: (used, bars[cum].close), ex: (ex_date, bars[ex].close), doubt })
}

/// The factor of a day, or none where nothing of it could be applied.
pub(super) fn of_day(
    day: Date,
    actions: &[&CorporateAction],
    neighbours: Neighbours,
    options: &Options,
    problems: &mut Vec<Problem>,
) -> Option<Factor> {
    let Neighbours { cum: (cum_date, cum_close), ex: (ex_date, ex_close), doubt } = neighbours;
    let mut making = Making { left: decimal(cum_close), cash: Decimal::ONE, units: Ratio::ONE, applied: Vec::new() };
    let of =
        |wanted: fn(CorporateActionKind) -> bool| actions.iter().copied().filter(move |action| wanted(action.kind));
    // Units first only to know in what units the ex close is; they change last.
    of(CorporateActionKind::changes_units).for_each(|action| making.change_units(action, problems));
    let paid: Vec<&CorporateAction> = of(CorporateActionKind::is_cash).collect();
    let ex_close = making.units.to_decimal().and_then(|units| decimal(ex_close).checked_mul(units));
    making.pay(&paid, options, ex_close, problems);
    of(|kind| kind == CorporateActionKind::Subscription).for_each(|action| making.give_right(action, problems));
    if making.applied.is_empty() {
        return None;
    }
    if let Some((kind, detail)) = doubt {
        problems.extend(making.applied.iter().map(|action| Problem::of(action, kind, true, detail.clone())));
    }
    let Making { units, cash, applied, .. } = making;
    Some(Factor { last_date_prior: day, ex_date, cum_date, cum_close, units, cash, actions: applied })
}

/// A factor on its way.
struct Making {
    /// What is left of the cum close.
    left: Decimal,
    cash: Decimal,
    units: Ratio,
    applied: Vec<CorporateAction>,
}

impl Making {
    fn change_units(&mut self, action: &CorporateAction, problems: &mut Vec<Problem>) {
        match Ratio::of_decimal(action.ratio).and_then(|ratio| self.units.checked_mul(ratio)) {
            Some(units) => {
                self.units = units;
                self.applied.push(action.clone());
            }
            None => problems.push(too_large(action)),
        }
    }

    /// All cash of the day at once: two dividends of one day leave what their sum leaves.
    fn pay(
        &mut self,
        actions: &[&CorporateAction],
        options: &Options,
        ex_close: Option<Decimal>,
        problems: &mut Vec<Problem>,
    ) {
        if actions.is_empty() {
            return;
        }
        let close = self.left;
        let refuse = |problems: &mut Vec<Problem>, kind, detail: String| {
            problems.extend(actions.iter().map(|action| Problem::of(action, kind, false, detail.clone())));
        };
        if close <= Decimal::ZERO {
            return refuse(problems, ProblemKind::NoPrice, format!("cum close {close}; not applied"));
        }
        let net = |action: &&CorporateAction| match action.kind {
            CorporateActionKind::InterestOnEquity => {
                action.amount.checked_mul(Decimal::ONE - fraction(options.interest_on_equity_tax))
            }
            _ => Some(action.amount),
        };
        let total = actions.iter().map(net).try_fold(Decimal::ZERO, |sum, amount| sum.checked_add(amount?));
        let Some(total) = total.filter(|total| *total < close) else {
            let detail = format!("{} is paid on a close of {close}; not applied", amounts(actions));
            return refuse(problems, ProblemKind::AmountTakesAll, detail);
        };
        let factor = match options.reinvestment {
            Reinvestment::AtCumClose => (close - total).checked_div(close),
            Reinvestment::AtExClose => {
                let ex = ex_close.filter(|ex| *ex > Decimal::ZERO);
                ex.and_then(|ex| ex.checked_div(ex.checked_add(total)?))
            }
        };
        match factor {
            Some(factor) => {
                self.cash *= factor;
                self.left -= total;
                self.applied.extend(actions.iter().map(|action| (*action).clone()));
            }
            None => refuse(problems, ProblemKind::NoPrice, "the ex session has no close; not applied".to_owned()),
        }
    }

    fn give_right(&mut self, action: &CorporateAction, problems: &mut Vec<Problem>) {
        let (close, new, price) = (self.left, action.ratio, action.amount);
        if price >= close {
            let detail = format!("new units cost {price} and old ones {close}; not applied");
            return problems.push(Problem::of(action, ProblemKind::RightWithoutValue, false, detail));
        }
        let theoretical = || {
            let all = close.checked_add(new.checked_mul(price)?)?.checked_div(Decimal::ONE.checked_add(new)?)?;
            Some((all, all.checked_div(close)?))
        };
        match theoretical() {
            Some((left, factor)) => {
                self.cash *= factor;
                self.left = left;
                self.applied.push(action.clone());
            }
            None => problems.push(too_large(action)),
        }
    }
}

fn too_large(action: &CorporateAction) -> Problem {
    let detail = format!("ratio {}, amount {}: cannot be held exactly; not applied", action.ratio, action.amount);
    Problem::of(action, ProblemKind::OutOfRange, false, detail)
}

fn amounts(actions: &[&CorporateAction]) -> String {
    actions.iter().map(|action| action.amount.to_string()).collect::<Vec<_>>().join(" + ")
}

/// BRL per unit.
pub(super) fn decimal(price: Price) -> Decimal {
    Decimal::new(price.steps(), market::decimal::DECIMALS)
}

fn fraction(rate: Rate) -> Decimal {
    Decimal::new(rate.ppm(), 6)
}

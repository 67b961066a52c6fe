//! Factors onto bars, from the last one backwards.

use market::history::HistoryBar;
use market::{Date, Price, Quantity};
use rust_decimal::{Decimal, RoundingStrategy};

use super::AdjustedBar;
use super::factor::Factor;
use super::problem::{Problem, ProblemKind};
use super::ratio::Ratio;

/// Every bar scaled by the factors of the days from its own on; `factors` ascend.
pub(super) fn scaled(
    bars: &[HistoryBar],
    dates: &[Date],
    factors: &[Factor],
    problems: &mut Vec<Problem>,
) -> Vec<AdjustedBar> {
    let mut waiting = factors.iter().rev().peekable();
    let mut units = Ratio::ONE;
    let mut cash = Decimal::ONE;
    let mut scaled: Vec<AdjustedBar> = Vec::with_capacity(bars.len());
    for (bar, date) in bars.iter().zip(dates).rev() {
        while let Some(factor) = waiting.next_if(|factor| factor.last_date_prior >= *date) {
            cash *= factor.cash;
            match units.checked_mul(factor.units) {
                Some(product) => units = product,
                // Some thirty digits of splits: no real history has them. Prices stay right to the
                // precision of a decimal, volumes are not scaled by this one.
                None => {
                    let folded = factor.units.to_decimal().and_then(|ratio| cash.checked_div(ratio));
                    let detail = format!("{} on top of {units} cannot be held exactly", factor.units);
                    let problem =
                        |action| Problem::of(action, ProblemKind::OutOfRange, folded.is_some(), detail.clone());
                    problems.extend(factor.actions.iter().map(problem));
                    cash = folded.unwrap_or(cash);
                }
            }
        }
        scaled.push(one(bar, *date, units, cash, problems));
    }
    scaled.reverse();
    scaled
}

fn one(bar: &HistoryBar, date: Date, units: Ratio, cash: Decimal, problems: &mut Vec<Problem>) -> AdjustedBar {
    let mut lost = None;
    let mut price = |raw: Price| {
        price(raw, units, cash).unwrap_or_else(|| {
            lost = Some(raw.to_string());
            Price::ZERO
        })
    };
    let (open, high, low, close) = (price(bar.open), price(bar.high), price(bar.low), price(bar.close));
    let units_traded = volume(bar.volume, units);
    let volume = units_traded.unwrap_or_else(|| {
        lost = Some(bar.volume.to_string());
        Quantity::ZERO
    });
    if let Some(value) = lost {
        let detail = format!("{value} by {units} and {cash} is out of range; zero stands in its place");
        problems.push(Problem { date, kind: ProblemKind::OutOfRange, action: None, applied: false, detail });
    }
    AdjustedBar { begin: bar.begin, open, high, low, close, volume, units, cash }
}

/// A price in units of the last bar, less what was paid since.
fn price(raw: Price, units: Ratio, cash: Decimal) -> Option<Price> {
    let exact = || if cash == Decimal::ONE { units.divide(i128::from(raw.steps())) } else { None };
    let steps = exact().or_else(|| {
        let paid = Decimal::from(raw.steps()).checked_mul(cash)?;
        // One over the ratio rather than a division by it: a fraction has no rest to lose.
        rounded(paid.checked_mul(Ratio::new(units.denominator(), units.numerator())?.to_decimal()?)?)
    });
    let price = i64::try_from(steps?).ok().map(Price::from_steps)?;
    // What was a price and is none any more was lost, not adjusted.
    ((price == Price::ZERO) == (raw == Price::ZERO)).then_some(price)
}

/// Units of this bar as units of the last one.
fn volume(raw: Quantity, units: Ratio) -> Option<Quantity> {
    let scaled = || rounded(Decimal::from(raw.units()).checked_mul(units.to_decimal()?)?);
    let whole = units.multiply(i128::from(raw.units())).or_else(scaled)?;
    i64::try_from(whole).ok().map(Quantity::new)
}

fn rounded(value: Decimal) -> Option<i128> {
    Some(value.round_dp_with_strategy(0, RoundingStrategy::MidpointNearestEven).mantissa())
}

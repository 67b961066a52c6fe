//! The source's own adjusted close does not move as the corporate actions say. Only marks: which of
//! the two is wrong, the adjusted close or the action, takes a look at the exchange's record.
//!
//! What is compared is the step from one bar to the next of adjusted close over close. So one
//! mistake is one mark on its day, and not a mark on every bar before it.

use market::Price;
use market::history::{Interval, QualityRule};
use rust_decimal::prelude::ToPrimitive;

use super::{Effect, Finding, Input, Rule};

/// Steps may differ by this much besides rounding: a tenth of a percent, a dividend of one centavo
/// on a price of ten reais.
const TOLERANCE: f64 = 0.001;
/// Half a unit of the last place of an adjusted close as vendors print it, four decimals.
const ROUNDING: f64 = 0.000_05;

pub(super) const RULE: Rule = Rule {
    rule: QualityRule::AdjustmentDisagrees,
    effect: Effect::Marks,
    why: "the source's adjusted close does not move as the corporate actions say, by more than 0.1 % and rounding",
    find,
};

fn find(input: &Input<'_>, findings: &mut Vec<Finding>) {
    if input.series.interval != Interval::Day || input.bars.iter().all(|bar| bar.adjusted_close.is_none()) {
        return;
    }
    for (place, pair) in input.bars.windows(2).enumerate() {
        let (Some(before), Some(after)) = (pair[0].adjusted_close, pair[1].adjusted_close) else { continue };
        if [before, after, pair[0].close, pair[1].close].iter().any(|price| *price <= Price::ZERO) {
            continue;
        }
        let step = |adjusted: [Price; 2]| {
            adjusted[0].to_f64() / pair[0].close.to_f64() / (adjusted[1].to_f64() / pair[1].close.to_f64())
        };
        let (theirs, factor) = (step([before, after]), |place: usize| {
            input.adjusted.bars[place].cash.to_f64().unwrap_or(f64::NAN) / input.adjusted.bars[place].units.to_f64()
        });
        let expected = factor(place) / factor(place + 1);
        let room = TOLERANCE + 2.0 * ROUNDING / before.to_f64() + 2.0 * ROUNDING / after.to_f64();
        if (theirs / expected - 1.0).abs() > room {
            let detail = format!("steps by {theirs:.5}, the corporate actions say {expected:.5}");
            findings.push(Finding::new(pair[1].begin, detail));
        }
    }
}

//! All four prices and the volume are those of the session before: the bar is a copy, so it is
//! quarantined.
//!
//! Only where something was traded and the price moved within the session. An illiquid share does
//! trade one lot at one price two days in a row; the same range and the same number of units twice
//! is a copy. Bars without volume are the business of stale runs.

use market::history::QualityRule;

use super::{Effect, Finding, Input, Rule};

pub(super) const RULE: Rule = Rule {
    rule: QualityRule::RepeatedPrice,
    effect: Effect::Quarantines,
    why: "prices, range and volume are those of the bar before; it is a copy",
    find,
};

fn find(input: &Input<'_>, findings: &mut Vec<Finding>) {
    for pair in input.bars.windows(2) {
        let figures = |at: usize| {
            let bar = &pair[at];
            (bar.open, bar.high, bar.low, bar.close, bar.volume)
        };
        let bar = &pair[1];
        if figures(0) == figures(1) && bar.volume.is_positive() && bar.high > bar.low {
            let detail =
                format!("high {}, low {}, close {}, volume {} as before", bar.high, bar.low, bar.close, bar.volume);
            findings.push(Finding::new(bar.begin, detail));
        }
    }
}

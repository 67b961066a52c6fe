//! The high below the low, or open or close outside them. It cannot be right, so it is quarantined.
//! Prices are compared as published: rounding to four decimals, as vendors do after scaling, makes
//! no room, because all four were rounded alike.

use market::history::QualityRule;

use super::{Effect, Finding, Input, Rule};

pub(super) const RULE: Rule = Rule {
    rule: QualityRule::HighBelowLow,
    effect: Effect::Quarantines,
    why: "high below low, or open or close outside them; no trading does that",
    find,
};

fn find(input: &Input<'_>, findings: &mut Vec<Finding>) {
    for bar in &input.bars {
        let inside = |price| bar.low <= price && price <= bar.high;
        if bar.high < bar.low || !inside(bar.open) || !inside(bar.close) {
            let detail = format!("open {}, high {}, low {}, close {}", bar.open, bar.high, bar.low, bar.close);
            findings.push(Finding::new(bar.begin, detail));
        }
    }
}

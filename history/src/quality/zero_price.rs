//! A price of zero or less. Nothing trades at it, so it is quarantined.

use market::Price;
use market::history::QualityRule;

use super::{Effect, Finding, Input, Rule};

pub(super) const RULE: Rule = Rule {
    rule: QualityRule::ZeroPrice,
    effect: Effect::Quarantines,
    why: "a price of zero or less; nothing trades at it",
    find,
};

fn find(input: &Input<'_>, findings: &mut Vec<Finding>) {
    for bar in &input.bars {
        let prices = [("open", bar.open), ("high", bar.high), ("low", bar.low), ("close", bar.close)];
        if let Some((name, price)) = prices.into_iter().find(|(_, price)| *price <= Price::ZERO) {
            findings.push(Finding::new(bar.begin, format!("{name} {price}")));
        }
    }
}

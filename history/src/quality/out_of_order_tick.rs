//! A trade, quote or bar that is older than the one told before it. What was decided in between did
//! not know it, so it is quarantined.

use market::Timestamp;
use market::history::QualityRule;

use super::{Effect, Finding, Input, Rule};

pub(super) const RULE: Rule = Rule {
    rule: QualityRule::OutOfOrderTick,
    effect: Effect::Quarantines,
    why: "a tick older than one told before it; decisions in between did not know it",
    find,
};

fn find(input: &Input<'_>, findings: &mut Vec<Finding>) {
    late("trade", input.context.ticks.iter().copied(), findings);
    late("quote", input.context.quotes.iter().map(|quote| quote.at), findings);
    late("bar", input.series.bars.iter().map(|bar| bar.begin), findings);
}

fn late(what: &str, times: impl Iterator<Item = Timestamp>, findings: &mut Vec<Finding>) {
    let mut newest = Timestamp::MIN;
    for at in times {
        if at < newest {
            findings.push(Finding::new(at, format!("{what} told after one of {newest}")));
        }
        newest = newest.max(at);
    }
}

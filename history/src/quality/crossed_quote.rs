//! The best bid not below the best ask. Continuous trading would have matched them, so the quote is
//! quarantined; in an auction books do cross, and feeds that quote then are told so.

use market::Price;
use market::history::QualityRule;

use super::{Effect, Finding, Input, Rule};

pub(super) const RULE: Rule = Rule {
    rule: QualityRule::CrossedQuote,
    effect: Effect::Quarantines,
    why: "bid not below ask; continuous trading would have matched them",
    find,
};

fn find(input: &Input<'_>, findings: &mut Vec<Finding>) {
    for quote in input.context.quotes {
        if quote.bid > Price::ZERO && quote.ask > Price::ZERO && quote.bid >= quote.ask {
            findings.push(Finding::new(quote.at, format!("bid {}, ask {}", quote.bid, quote.ask)));
        }
    }
}

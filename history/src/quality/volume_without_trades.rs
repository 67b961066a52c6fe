//! Units traded and no trade, or no money. Only marks: the exchange's own count of trades has five
//! digits and wraps, so exactly one hundred thousand trades are written as none.

use market::Money;
use market::history::QualityRule;

use super::{Effect, Finding, Input, Rule};

/// Where TOTNEG begins again at zero.
const WRAPS_AT: i64 = 100_000;

pub(super) const RULE: Rule = Rule {
    rule: QualityRule::VolumeWithoutTrades,
    effect: Effect::Marks,
    why: "units without trades or without turnover; the exchange's count of trades wraps, so it is no proof",
    find,
};

fn find(input: &Input<'_>, findings: &mut Vec<Finding>) {
    for bar in input.bars.iter().filter(|bar| bar.volume.is_positive()) {
        // As many trades need as many units.
        let may_have_wrapped = bar.volume.units() >= WRAPS_AT && bar.turnover.is_none_or(|money| money > Money::ZERO);
        let no_trades = bar.trades == Some(0) && !may_have_wrapped;
        let no_money = bar.turnover.is_some_and(|money| money <= Money::ZERO);
        if no_trades || no_money {
            let told = |what: Option<String>| what.unwrap_or_else(|| "not told".to_owned());
            let trades = told(bar.trades.map(|trades| trades.to_string()));
            let turnover = told(bar.turnover.map(|money| money.to_string()));
            findings
                .push(Finding::new(bar.begin, format!("volume {}, trades {trades}, turnover {turnover}", bar.volume)));
        }
    }
}

//! A bar on a day on which the exchange was closed. It cannot be right, so it is quarantined; most
//! of them are flat copies of the close before, and a copy makes a return of zero that was none.
//! Days outside the calendar's span are not judged.

use market::history::QualityRule;

use super::{Effect, Finding, Input, Rule};

pub(super) const RULE: Rule = Rule {
    rule: QualityRule::PhantomSession,
    effect: Effect::Quarantines,
    why: "a bar on a day on which the exchange was closed; nothing can have traded",
    find,
};

fn find(input: &Input<'_>, findings: &mut Vec<Finding>) {
    for bar in input.series.bars {
        let date = bar.date();
        if input.calendar.is_session(date) == Some(false) {
            let reason = input.calendar.closing_reason(date).unwrap_or("closed");
            let flat = if bar.high == bar.low { ", flat" } else { "" };
            let detail = format!("{reason}; close {}, volume {}{flat}", bar.close, bar.volume);
            findings.push(Finding::new(bar.begin, detail));
        }
    }
}

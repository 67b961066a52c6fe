//! The same close for many bars on end, without volume: somebody filled a gap with the last price.
//! Nothing was traded at it, so every bar of the run is quarantined.

use market::history::QualityRule;

use super::{Effect, Finding, Input, Rule};

/// A week of sessions. A share that does not trade for a day or two is told by nobody.
const SHORTEST: usize = 5;

pub(super) const RULE: Rule = Rule {
    rule: QualityRule::StaleRun,
    effect: Effect::Quarantines,
    why: "five bars or more on end with the close before and no volume; a filled gap",
    find,
};

fn find(input: &Input<'_>, findings: &mut Vec<Finding>) {
    let mut run = Vec::new();
    let bars = &input.bars;
    for (place, bar) in bars.iter().enumerate() {
        let before = place.checked_sub(1).map(|before| bars[before].close);
        if !bar.volume.is_zero() || before != Some(bar.close) {
            tell(input, &mut run, findings);
        }
        if bar.volume.is_zero() && before == Some(bar.close) {
            run.push(place);
        }
    }
    tell(input, &mut run, findings);
}

fn tell(input: &Input<'_>, run: &mut Vec<usize>, findings: &mut Vec<Finding>) {
    if run.len() >= SHORTEST {
        let last = input.dates[run[run.len() - 1]];
        for place in run.iter() {
            let close = input.bars[*place].close;
            let detail = format!("close {close}, no volume, {} bars on end until {last}", run.len());
            findings.push(Finding::new(input.bars[*place].begin, detail));
        }
    }
    run.clear();
}

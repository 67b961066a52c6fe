//! A return far from the symbol's usual one on a day on which the index did nothing of the kind, and
//! which did not come back the day after. Only marks: shares do fall by three quarters on one day
//! (AMER3 on 2023-01-12). What it finds besides are splits and bonuses that no corporate action
//! explains.

use std::collections::BTreeSet;

use market::history::{Interval, QualityRule};

use super::outlier_against_neighbours::spikes;
use super::robust::spread;
use super::{Effect, Finding, Input, Rule};

/// Standard deviations, robustly, of the return in excess of the index.
const DEVIATIONS: f64 = 10.0;
/// Moves below this (in logarithms, a quarter above or a fifth below) are never told. The smallest
/// bonus that matters, 1.25 for one, is just that.
const LEAST: f64 = 0.22;

pub(super) const RULE: Rule = Rule {
    rule: QualityRule::OutlierAgainstIndex,
    effect: Effect::Marks,
    why: "a return that neither the index nor a corporate action explains, beyond ten deviations and a fifth; news do that too",
    find,
};

fn find(input: &Input<'_>, findings: &mut Vec<Finding>) {
    if input.series.interval != Interval::Day || input.index.is_empty() {
        return;
    }
    let excess = input.excess();
    let Some((middle, deviation)) = spread(excess.iter().copied().flatten()) else { return };
    let least = (DEVIATIONS * deviation).max(LEAST);
    // A spike and the way back from it are told by the rule for neighbours.
    let spikes: BTreeSet<usize> = spikes(input).iter().flat_map(|(place, _)| [*place, place + 1]).collect();
    for (place, excess) in excess.iter().enumerate() {
        // Without the index of that day there is nothing to hold the return against.
        let (Some(excess), Some(index)) = (excess, input.index.get(&input.dates[place])) else { continue };
        if (excess - middle).abs() > least && !spikes.contains(&place) {
            let percent = |growth: f64| (growth.exp() - 1.0) * 100.0;
            let growth = input.growth[place].unwrap_or_default();
            let detail = format!("{:+.1} % where the index made {:+.1} %", percent(growth), percent(*index));
            findings.push(Finding::new(input.bars[place].begin, detail));
        }
    }
}

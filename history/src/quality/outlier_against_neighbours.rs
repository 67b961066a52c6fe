//! A close far from both neighbours, which agree with each other. Looked at in excess of the index,
//! so that a crash and its recovery are not one: on 12 and 13 March 2020 half the market fell by a
//! fifth and rose by a fifth.
//!
//! It quarantines from half above or a third below on, if the close as published goes away and comes
//! back like that: a decimal point, a filler such as 999999.9999. Below that an illiquid share may
//! have done it. And where only the adjusted close does it, the price is right and a corporate action
//! stands a session too early or too late: both only mark.

use market::history::{Interval, QualityRule};

use super::robust::spread;
use super::{Effect, Finding, Input, Rule};

/// Standard deviations, robustly: returns of shares have fat tails, and at eight of them not one of
/// a thousand is left.
const DEVIATIONS: f64 = 8.0;
/// Moves below this are never told, however calm the share: 15 %, the first bound of B3's circuit
/// breaker being 10 % for the whole market.
const LEAST: f64 = 0.15;
/// Neighbours agree if what is left after both moves is below this share of the smaller one.
const AGREEMENT: f64 = 0.25;
/// From here on (in logarithms, half above or a third below) it is no trading.
const IMPOSSIBLE: f64 = 0.405;

pub(super) const RULE: Rule = Rule {
    rule: QualityRule::OutlierAgainstNeighbours,
    effect: Effect::Depends,
    why: "a close away from both neighbours by more than 15 % and eight deviations; quarantined from half above or a third below on, if so published",
    find,
};

fn find(input: &Input<'_>, findings: &mut Vec<Finding>) {
    for (place, size) in spikes(input) {
        let closes = [place - 1, place, place + 1].map(|place| input.bars[place].close);
        let published = closes.map(|close| close.to_f64());
        let (before, after) = ((published[1] / published[0]).ln(), (published[2] / published[1]).ln());
        let as_published = before * after < 0.0 && before.abs().min(after.abs()) > IMPOSSIBLE;
        let whose = if as_published { "" } else { ", by its adjusted closes" };
        let detail = format!("close {} between {} and {}{whose}", closes[1], closes[0], closes[2]);
        findings.push(Finding { at: input.bars[place].begin, detail, quarantine: as_published && size > IMPOSSIBLE });
    }
}

/// The bars whose close goes away from both neighbours, and by how much, in logarithms.
pub(super) fn spikes(input: &Input<'_>) -> Vec<(usize, f64)> {
    // Within a day there is no index to compare with, and no night to make a gap.
    if input.series.interval != Interval::Day {
        return Vec::new();
    }
    let excess = input.excess();
    let Some((_, deviation)) = spread(excess.iter().copied().flatten()) else { return Vec::new() };
    let least = (DEVIATIONS * deviation).max(LEAST);
    let spike = |(place, pair): (usize, &[Option<f64>])| {
        let [Some(before), Some(after)] = pair else { return None };
        let smaller = before.abs().min(after.abs());
        let returns = before * after < 0.0 && (before + after).abs() < AGREEMENT * smaller;
        (returns && smaller > least).then_some((place, smaller))
    };
    excess.windows(2).enumerate().filter_map(spike).collect()
}

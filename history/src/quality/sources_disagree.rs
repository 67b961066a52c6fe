//! Another source says another close. Against the exchange's own record the bar is wrong and is
//! quarantined; against a third party nobody knows who is right, and it is marked.
//!
//! [`compare`] sums two sources up, and says whether they differ by one factor throughout: a series
//! that was scaled is not raw, whatever it is called.

use market::history::{HistoryBar, QualityRule};
use market::{Date, Price, Timestamp};
use serde::Serialize;

use super::robust::median;
use super::{Effect, Finding, Input, Rule};

/// Closes that differ by more are off: 0.06 %, half a centavo on a price of eight reais. What is
/// less is rounding.
pub const TOLERANCE: f64 = 0.000_6;
/// Quotients of one span are one factor if none is further from the middle one than this: four
/// decimals on a price above one real.
const SAME_FACTOR: f64 = 0.000_5;
/// A span with one factor is told from this many sessions on: a month.
const SHORTEST_SPAN: usize = 21;

pub(super) const RULE: Rule = Rule {
    rule: QualityRule::SourcesDisagree,
    effect: Effect::Depends,
    why: "another source's close is another by more than 0.06 %; quarantined where that source is the exchange",
    find,
};

fn find(input: &Input<'_>, findings: &mut Vec<Finding>) {
    let Some(reference) = input.context.reference else { return };
    for Pair { at, ours, theirs, quotient, .. } in pairs(&input.bars, reference.bars) {
        if is_off(quotient) {
            let detail = format!("close {ours}, elsewhere {theirs}: {:+.2} %", (quotient - 1.0) * 100.0);
            findings.push(Finding { at, detail, quarantine: reference.is_exchange });
        }
    }
}

fn is_off(quotient: f64) -> bool {
    // A hair of room for the division itself.
    (quotient - 1.0).abs() > TOLERANCE + 1e-12
}

struct Pair {
    at: Timestamp,
    date: Date,
    ours: Price,
    theirs: Price,
    quotient: f64,
}

/// The closes that both have; both ascend.
fn pairs<'a>(bars: &'a [HistoryBar], reference: &'a [HistoryBar]) -> impl Iterator<Item = Pair> + 'a {
    bars.iter().filter_map(move |bar| {
        let place = reference.binary_search_by_key(&bar.begin, |other| other.begin).ok()?;
        let (ours, theirs) = (bar.close, reference[place].close);
        let quotient = ours.to_f64() / theirs.to_f64();
        (theirs > Price::ZERO).then(|| Pair { at: bar.begin, date: bar.date(), ours, theirs, quotient })
    })
}

/// Two sources side by side.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Comparison {
    /// Sessions that both have.
    pub sessions: usize,
    /// Of those, how many closes are off.
    pub off: usize,
    /// The middle and the largest deviation of those that are off, as fractions.
    pub median: f64,
    /// The largest.
    pub largest: f64,
    /// Spans of a month or more throughout which they differ by one factor.
    pub scaled: Vec<Scaled>,
}

/// A span in which one source is the other times a factor.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Scaled {
    /// First session.
    pub from: Date,
    /// Last session.
    pub to: Date,
    /// Sessions.
    pub sessions: usize,
    /// Ours over theirs.
    pub factor: f64,
}

/// Sums up how two sources compare; both ascend.
pub fn compare(bars: &[HistoryBar], reference: &[HistoryBar]) -> Comparison {
    let all: Vec<Pair> = pairs(bars, reference).collect();
    let mut deviations: Vec<f64> =
        all.iter().filter(|pair| is_off(pair.quotient)).map(|pair| (pair.quotient - 1.0).abs()).collect();
    let largest = deviations.iter().copied().fold(0.0, f64::max);
    let (off, median) = (deviations.len(), median(&mut deviations).unwrap_or(0.0));
    Comparison { sessions: all.len(), off, median, largest, scaled: scaled(&all) }
}

fn scaled(all: &[Pair]) -> Vec<Scaled> {
    let mut spans = Vec::new();
    let mut rest = all;
    while let Some(first) = rest.first() {
        let same = |pair: &Pair| (pair.quotient / first.quotient - 1.0).abs() <= SAME_FACTOR;
        let length = rest.iter().position(|pair| !same(pair)).unwrap_or(rest.len());
        let (span, others) = rest.split_at(length);
        if length >= SHORTEST_SPAN && is_off(first.quotient) {
            let mut quotients: Vec<f64> = span.iter().map(|pair| pair.quotient).collect();
            let factor = median(&mut quotients).unwrap_or(1.0);
            spans.push(Scaled { from: first.date, to: span[length - 1].date, sessions: length, factor });
        }
        rest = others;
    }
    spans
}

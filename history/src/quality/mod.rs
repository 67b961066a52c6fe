//! What is wrong with stored values: rules with names, each in one file with its parameters and the
//! reasons for them.
//!
//! A rule marks, it never deletes. Whether a mark **quarantines** (readers of clean history leave the
//! bar out) is decided by one question: can the value be right? A bar on a closed day, a high below
//! the low, a price of zero cannot, nor can a bar that is a copy of the one before. A share that
//! falls by half on news can. So rules of arithmetic and of the calendar quarantine, rules of
//! likelihood mark, and of two sources only the exchange's own is believed.
//!
//! A rule says nothing where it has nothing to compare with: no index, no corporate actions, no
//! second source, no quotes.
//!
//! A new rule is one new file, its name in `market::history::QualityRule`, and one line in [`RULES`].

mod adjustment_disagrees;
mod crossed_quote;
mod high_below_low;
mod missing_session;
mod out_of_order_tick;
mod outlier_against_index;
mod outlier_against_neighbours;
mod phantom_session;
mod repeated_price;
mod robust;
pub mod sources_disagree;
mod stale_run;
mod volume_without_trades;
mod zero_price;

use std::collections::BTreeMap;

use market::history::{CorporateAction, HistoryBar, IndexClose, Interval, QualityMark, QualityRule, SourceName};
use market::{Calendar, Date, Quote, Symbol, Timestamp};

use crate::adjustment::{AdjustError, Adjusted, AdjustedSeries, Options, adjust};

/// The bars of one source, symbol and interval, in the order in which they were told.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// Whose.
    pub source: SourceName,
    /// Of what.
    pub symbol: Symbol,
    /// How long.
    pub interval: Interval,
    /// The bars.
    pub bars: &'a [HistoryBar],
}

/// What else is known and can be compared with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// Corporate actions of the symbol, of one source: a split is no outlier.
    pub actions: &'a [CorporateAction],
    /// Another source's bars of the same symbol and interval, ascending.
    pub reference: Option<Reference<'a>>,
    /// Quotes of the symbol in the order in which they came.
    pub quotes: &'a [Quote],
    /// Times of the symbol's trades in the order in which they came.
    pub ticks: &'a [Timestamp],
}

/// Another source to compare with.
#[derive(Clone, Copy, Debug)]
pub struct Reference<'a> {
    /// Its bars, ascending.
    pub bars: &'a [HistoryBar],
    /// Whether it is the exchange's own record: then the other is wrong where they differ.
    pub is_exchange: bool,
}

/// One rule.
pub struct Rule {
    /// Its name.
    pub rule: QualityRule,
    /// Whether its marks quarantine.
    pub effect: Effect,
    /// What it looks for, and why marks of it have that effect; for people.
    pub why: &'static str,
    find: fn(&Input<'_>, &mut Vec<Finding>),
}

/// What a mark of a rule does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// The bar is left out of clean history.
    Quarantines,
    /// The bar stays; whoever reads may look at the mark.
    Marks,
    /// By the finding: the rule's header says which.
    Depends,
}

impl Effect {
    /// As the documents say it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quarantines => "quarantines",
            Self::Marks => "marks",
            Self::Depends => "depends",
        }
    }
}

/// Every rule.
pub const RULES: &[Rule] = &[
    phantom_session::RULE,
    missing_session::RULE,
    high_below_low::RULE,
    zero_price::RULE,
    repeated_price::RULE,
    outlier_against_neighbours::RULE,
    outlier_against_index::RULE,
    volume_without_trades::RULE,
    stale_run::RULE,
    crossed_quote::RULE,
    out_of_order_tick::RULE,
    sources_disagree::RULE,
    adjustment_disagrees::RULE,
];

/// What a rule found.
struct Finding {
    at: Timestamp,
    detail: String,
    /// Looked at only where the rule's effect depends.
    quarantine: bool,
}

impl Finding {
    fn new(at: Timestamp, detail: String) -> Self {
        Self { at, detail, quarantine: false }
    }
}

/// What every rule may look at.
struct Input<'a> {
    series: Series<'a>,
    /// The bars in the order of time, none twice, none of a closed day: such a bar has its mark, and
    /// the others are judged as if it were not there.
    bars: Vec<HistoryBar>,
    /// The day of each.
    dates: Vec<Date>,
    /// The bars' total return by the corporate actions.
    adjusted: AdjustedSeries,
    /// Growth of the adjusted close over the bar before, in logarithms. None for the first, and
    /// beside a price that is not positive.
    growth: Vec<Option<f64>>,
    /// The same of the index, by day, where it has both days.
    index: BTreeMap<Date, f64>,
    calendar: &'a Calendar,
    context: Context<'a>,
}

/// Everything that the rules find, by time. `index` are closes of the market's index, ascending;
/// empty where there are none.
///
/// # Errors
/// Corporate actions of several sources.
pub fn check(
    series: Series<'_>,
    index: &[IndexClose],
    calendar: &Calendar,
    context: Context<'_>,
) -> Result<Vec<QualityMark>, AdjustError> {
    let mut bars = series.bars.to_vec();
    bars.sort_by_key(|bar| bar.begin);
    bars.dedup_by_key(|bar| bar.begin);
    bars.retain(|bar| calendar.is_session(bar.date()) != Some(false));
    let dates: Vec<Date> = bars.iter().map(HistoryBar::date).collect();
    let adjusted = adjust(&bars, context.actions, calendar, &Options::of(Adjusted::TotalReturn))?;
    let growth = growth(&adjusted);
    let index = index_growth(index);
    let input = Input { series, bars, dates, adjusted, growth, index, calendar, context };
    let mut marks: Vec<QualityMark> = RULES.iter().flat_map(|rule| rule.marks(&input)).collect();
    marks.sort_by_key(|mark| (mark.at, mark.rule));
    Ok(marks)
}

impl Rule {
    fn marks(&self, input: &Input<'_>) -> Vec<QualityMark> {
        let mut findings = Vec::new();
        (self.find)(input, &mut findings);
        // The key of a mark holds no detail: of two findings at one place the first stands.
        findings.sort_by_key(|finding| finding.at);
        findings.dedup_by_key(|finding| finding.at);
        let Series { source, symbol, interval, .. } = input.series;
        let quarantined = |finding: &Finding| match self.effect {
            Effect::Quarantines => true,
            Effect::Marks => false,
            Effect::Depends => finding.quarantine,
        };
        let mark = |finding: Finding| QualityMark {
            source,
            symbol,
            interval,
            at: finding.at,
            rule: self.rule,
            quarantined: quarantined(&finding),
            detail: finding.detail,
        };
        findings.into_iter().map(mark).collect()
    }
}

fn growth(adjusted: &AdjustedSeries) -> Vec<Option<f64>> {
    let closes: Vec<f64> = adjusted.bars.iter().map(|bar| bar.close.to_f64()).collect();
    let between = |pair: &[f64]| (pair[0] > 0.0 && pair[1] > 0.0).then(|| (pair[1] / pair[0]).ln());
    std::iter::once(None).take(closes.len()).chain(closes.windows(2).map(between)).collect()
}

fn index_growth(index: &[IndexClose]) -> BTreeMap<Date, f64> {
    let between = |pair: &[IndexClose]| {
        let (before, now) = (pair[0].close.to_f64(), pair[1].close.to_f64());
        (before > 0.0 && now > 0.0).then(|| (pair[1].date, (now / before).ln()))
    };
    index.windows(2).filter_map(between).collect()
}

impl Input<'_> {
    /// Growth of each bar less that of the index, where the index has one of the day.
    fn excess(&self) -> Vec<Option<f64>> {
        let excess = |(growth, date): (&Option<f64>, &Date)| Some((*growth)? - self.index.get(date).unwrap_or(&0.0));
        self.growth.iter().zip(&self.dates).map(excess).collect()
    }
}

/// The bars that no quarantining mark stands beside.
pub fn clean<'a>(bars: &'a [HistoryBar], marks: &[QualityMark]) -> impl Iterator<Item = &'a HistoryBar> {
    let out: std::collections::BTreeSet<(SourceName, Symbol, Interval, Timestamp)> = marks
        .iter()
        .filter(|mark| mark.quarantined)
        .map(|mark| (mark.source, mark.symbol, mark.interval, mark.at))
        .collect();
    bars.iter().filter(move |bar| !out.contains(&(bar.source, bar.symbol, bar.interval, bar.begin)))
}

#[cfg(test)]
mod tests;

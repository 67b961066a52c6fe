//! `data verify`: every rule of quality over every stored series; marks kept, and what all symbols share.

use std::collections::BTreeMap;
use std::path::Path;

use history::quality::{self, Context, Reference, Series};
use market::history::{CorporateAction, HistoryBar, Interval, QualityMark, QualityRule, SourceName};
use market::{Calendar, Date, IndexClose, Symbol};
use serde::Serialize;
use store::history::{COTAHIST, QualityRun};
use store::{ActionFilter, BarSeries, History};

use super::documented::{self, Compared};
use super::series::{Stored, bars, stored};
use super::{SHOWN, counted};
use crate::output::{Answer, Failure, bar, table};

/// What to verify, and against what.
pub struct Wanted<'a> {
    /// These symbols; all, where it is empty.
    pub symbols: &'a [Symbol],
    /// These sources; all, where it is empty.
    pub sources: &'a [SourceName],
    /// Keep no marks.
    pub dry_run: bool,
    /// A file of documented defects.
    pub documented: Option<&'a Path>,
}

/// What is wrong with one series.
#[derive(Debug, Serialize)]
struct Finding {
    symbol: Symbol,
    source: SourceName,
    interval: Interval,
    sessions: usize,
    first: Date,
    last: Date,
    missing: Vec<Date>,
    phantom: Vec<Date>,
    unsound: Vec<Date>,
    /// Marks by rule.
    marks: BTreeMap<&'static str, usize>,
    quarantined: usize,
}

impl Finding {
    /// Rules of likelihood mark what may well be right; these are about what cannot be.
    fn is_faulty(&self) -> bool {
        self.quarantined > 0 || !(self.missing.is_empty() && self.phantom.is_empty() && self.unsound.is_empty())
    }
}

/// Applies the rules and keeps what they find.
pub fn verify(history: &mut dyn History, wanted: &Wanted<'_>) -> Result<Answer, Failure> {
    let all = stored(history, wanted.symbols, wanted.sources, None, false)?;
    let unknown = wanted.symbols.iter().find(|symbol| !all.iter().any(|stored| stored.series.symbol == **symbol));
    if let Some(symbol) = unknown {
        return Err(Failure::usage(format!("there is no cash-market history of {symbol}; see 'pregao data status'")));
    }
    let index = history.index_closes(crate::wiring::IBOVESPA, Date::MIN, Date::MAX)?;
    let calendar = Calendar::b3();
    let progress = bar(all.len() as u64, "Verifying", false);
    let (mut findings, mut marks) = (Vec::new(), Vec::new());
    for stored in &all {
        let found = marks_of(history, stored, &all, &index, &calendar)?;
        findings.push(finding(stored, &found));
        marks.extend(found);
        progress.inc(1);
    }
    progress.finish_and_clear();
    if !wanted.dry_run && !all.is_empty() {
        let verified = all.iter().map(|stored| stored.series).collect();
        history.mark(&QualityRun { at: actions_clock(), verified }, &marks)?;
    }
    let documented = wanted.documented.map(|path| documented::compare(path, &marks)).transpose()?;
    Ok(answer(&findings, &marks, documented.as_deref(), wanted.dry_run))
}

fn actions_clock() -> market::Timestamp {
    // The stores keep microseconds.
    let now = actors::Clock::System.now().as_nanos();
    market::Timestamp::from_nanos(now - now % 1_000)
}

fn marks_of(
    history: &dyn History,
    stored: &Stored,
    all: &[Stored],
    index: &[IndexClose],
    calendar: &Calendar,
) -> Result<Vec<QualityMark>, Failure> {
    let BarSeries { source, symbol, interval } = stored.series;
    let own = bars(history, stored.series, stored.first, stored.last, false)?;
    let told = actions_of(history, symbol, source)?;
    let exchange = BarSeries { source: COTAHIST, symbol, interval: Interval::Day };
    let is_known = |series: BarSeries| all.iter().any(|stored| stored.series == series);
    let reference: Vec<HistoryBar> = if interval == Interval::Day && source != COTAHIST && is_known(exchange) {
        bars(history, exchange, stored.first, stored.last, false)?
    } else {
        Vec::new()
    };
    let reference = (!reference.is_empty()).then_some(Reference { bars: &reference, is_exchange: true });
    // An index is not compared with itself.
    let index = if symbol.as_str() == crate::wiring::IBOVESPA { &[] } else { index };
    let series = Series { source, symbol, interval, bars: &own };
    let context = Context { actions: &told, reference, ..Context::default() };
    quality::check(series, index, calendar, context).map_err(Failure::failed)
}

/// Corporate actions of a symbol from one source: its own, else the exchange's, else the first.
pub(super) fn actions_of(
    history: &dyn History,
    symbol: Symbol,
    source: SourceName,
) -> Result<Vec<CorporateAction>, Failure> {
    let spans = history.isin_history(store::Identity::Symbol(symbol))?;
    let isins = spans.iter().map(|span| span.isin).collect();
    let mut told = history.corporate_actions(&ActionFilter { symbols: vec![symbol], isins, sources: Vec::new() })?;
    let rank = |name: SourceName| match name {
        name if name == source => 0,
        name if name.as_str().starts_with("b3_") => 1,
        _ => 2,
    };
    let best = told.iter().map(|action| action.source).min_by_key(|name| (rank(*name), *name));
    told.retain(|action| Some(action.source) == best);
    Ok(told)
}

fn finding(stored: &Stored, marks: &[QualityMark]) -> Finding {
    let of = |rule: &[QualityRule]| -> Vec<Date> {
        let mut days: Vec<Date> =
            marks.iter().filter(|mark| rule.contains(&mark.rule)).map(|mark| mark.at.local_date()).collect();
        days.dedup();
        days
    };
    let mut by_rule = BTreeMap::new();
    for mark in marks {
        *by_rule.entry(mark.rule.name()).or_default() += 1;
    }
    Finding {
        symbol: stored.series.symbol,
        source: stored.series.source,
        interval: stored.series.interval,
        sessions: usize::try_from(stored.bars).unwrap_or(usize::MAX),
        first: stored.first,
        last: stored.last,
        missing: of(&[QualityRule::MissingSession]),
        phantom: of(&[QualityRule::PhantomSession]),
        unsound: of(&[QualityRule::HighBelowLow, QualityRule::ZeroPrice]),
        marks: by_rule,
        quarantined: marks.iter().filter(|mark| mark.quarantined).count(),
    }
}

fn answer(findings: &[Finding], marks: &[QualityMark], documented: Option<&[Compared]>, dry_run: bool) -> Answer {
    let faulty: Vec<&Finding> = findings.iter().filter(|finding| finding.is_faulty()).collect();
    let mut text = String::new();
    if faulty.is_empty() {
        text.push_str("No gaps, phantom sessions or unsound bars.");
    } else {
        text.push_str(&faulty_table(&faulty));
        if faulty.len() > SHOWN {
            text.push_str(&format!("\n… and {} more; narrow it with --symbols A,B", faulty.len() - SHOWN));
        }
    }
    if !marks.is_empty() {
        text.push('\n');
        text.push_str(&rule_table(marks));
        if !dry_run {
            text.push_str("\nThe marks are kept; bars in quarantine stay stored and are left out of clean history.");
        }
    }
    if let Some(documented) = documented {
        text.push('\n');
        text.push_str(&documented_table(documented));
    }
    let common = Common::of(findings);
    text.push('\n');
    text.push_str(&common.as_ref().map_or_else(
        || {
            if findings.is_empty() {
                super::NOTHING_STORED.to_owned()
            } else {
                "The symbols share no history.".to_owned()
            }
        },
        Common::told,
    ));
    let by_rule: BTreeMap<&str, usize> = marks.iter().fold(BTreeMap::new(), |mut counts, mark| {
        *counts.entry(mark.rule.name()).or_default() += 1;
        counts
    });
    let json = serde_json::json!({
        "symbols": findings.len(),
        "faulty": faulty,
        "rules": by_rule,
        "documented": documented,
        "kept": !dry_run,
        "common": common,
    });
    Answer { degraded: !faulty.is_empty(), ..Answer::new(text, json) }
}

fn faulty_table(faulty: &[&Finding]) -> String {
    let first = |dates: &[Date]| match dates {
        [] => "0".to_owned(),
        [first, ..] => format!("{} (from {first})", dates.len()),
    };
    let rows = faulty.iter().take(SHOWN).map(|finding| {
        vec![
            finding.symbol.to_string(),
            finding.source.to_string(),
            first(&finding.missing),
            first(&finding.phantom),
            first(&finding.unsound),
            finding.quarantined.to_string(),
        ]
    });
    let titles = ["Symbol", "Source", "Missing sessions", "Phantom sessions", "Unsound bars", "In quarantine"];
    table(&titles, 2, rows)
}

fn rule_table(marks: &[QualityMark]) -> String {
    let rows = QualityRule::ALL.into_iter().filter_map(|rule| {
        let of: Vec<&QualityMark> = marks.iter().filter(|mark| mark.rule == rule).collect();
        let quarantined = of.iter().filter(|mark| mark.quarantined).count();
        let mut symbols: Vec<Symbol> = of.iter().map(|mark| mark.symbol).collect();
        symbols.sort_unstable();
        symbols.dedup();
        let row =
            vec![rule.name().to_owned(), of.len().to_string(), quarantined.to_string(), symbols.len().to_string()];
        (!of.is_empty()).then_some(row)
    });
    table(&["Rule", "Marks", "In quarantine", "Symbols"], 1, rows)
}

fn documented_table(documented: &[Compared]) -> String {
    let rows = documented.iter().map(|compared| {
        let outcome = match (compared.found, &compared.why_not) {
            (true, _) => format!("found: {} marks of {} symbols", compared.marks, compared.symbols),
            (false, Some(why)) => format!("not found: {why}"),
            (false, None) => "not found".to_owned(),
        };
        vec![compared.what.clone(), compared.rule.clone().unwrap_or_default(), outcome]
    });
    let found = documented.iter().filter(|compared| compared.found).count();
    let table = table(&["Documented defect", "Rule", "Outcome"], 3, rows);
    format!("{table}\n{found} of {} documented defects found", documented.len())
}

/// The history that all cash symbols share: the last of the first days and the first of the last days bind it.
#[derive(Debug, Serialize)]
struct Common {
    from: Date,
    to: Date,
    begins_last: Symbol,
    ends_first: Symbol,
    #[serde(skip)]
    symbols: usize,
    #[serde(skip)]
    alike: bool,
}

impl Common {
    fn of(findings: &[Finding]) -> Option<Self> {
        let daily = |finding: &&Finding| finding.interval == Interval::Day;
        let begins = findings.iter().filter(daily).max_by_key(|finding| finding.first)?;
        let ends = findings.iter().filter(daily).min_by_key(|finding| finding.last)?;
        let alike = findings.iter().filter(daily).all(|f| (f.first, f.last) == (begins.first, ends.last));
        let symbols = findings.iter().filter(daily).count();
        (begins.first <= ends.last).then_some(Self {
            from: begins.first,
            to: ends.last,
            begins_last: begins.symbol,
            ends_first: ends.symbol,
            symbols,
            alike,
        })
    }

    fn told(&self) -> String {
        let bound = if self.alike {
            "the whole of each".to_owned()
        } else {
            format!("{} begins last, {} ends first", self.begins_last, self.ends_first)
        };
        let shared = counted(self.symbols, "symbol");
        format!("{shared} with history in common from {} to {}: {bound}", self.from, self.to)
    }
}

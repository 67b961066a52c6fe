//! Each defect that the shelf's README tells, and what finds it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use history::quality::sources_disagree::{Comparison, compare};
use history::quality::{RULES, Series, check};
use market::history::{HistoryBar, QualityMark, QualityRule};
use market::{Calendar, Date, Symbol};

use crate::shelf::{Shelf, midnight};
use crate::support::day;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// By the rule that is named.
    Found,
    /// By the reader, before any rule.
    ByReader,
    /// Not found, for the reason told.
    NotFound,
}

impl Verdict {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Found => "yes",
            Self::ByReader => "by the reader",
            Self::NotFound => "**no**",
        }
    }
}

pub(crate) struct Row {
    pub(crate) documented: String,
    pub(crate) by: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) expected: Verdict,
    pub(crate) detail: String,
}

fn row(documented: impl Into<String>, rule: QualityRule, found: bool, detail: impl Into<String>) -> Row {
    let verdict = if found { Verdict::Found } else { Verdict::NotFound };
    Row { documented: documented.into(), by: rule.name(), verdict, expected: Verdict::Found, detail: detail.into() }
}

pub(crate) fn rows(shelf: &Shelf) -> Vec<Row> {
    let mut rows = Vec::new();
    closed_days(shelf, &mut rows);
    indices(shelf, &mut rows);
    against_rebuilt(shelf, &mut rows);
    against_genuine(shelf, &mut rows);
    minutes(shelf, &mut rows);
    rows
}

/// Closed days with flat rows in the daily set; the last of them is not in the README.
const CLOSED: [(i32, u32, u32); 9] = [
    (2017, 6, 15),
    (2017, 9, 7),
    (2017, 10, 12),
    (2017, 11, 2),
    (2017, 11, 15),
    (2017, 11, 20),
    (2017, 12, 25),
    (2018, 1, 25),
    (2017, 12, 29),
];
const SATURDAYS: [(i32, u32, u32); 11] = [
    (2023, 4, 29),
    (2023, 5, 6),
    (2023, 9, 2),
    (2023, 9, 9),
    (2024, 3, 16),
    (2024, 3, 23),
    (2024, 5, 25),
    (2024, 6, 29),
    (2024, 8, 17),
    (2024, 11, 30),
    (2025, 7, 12),
];

fn closed_days(shelf: &Shelf, rows: &mut Vec<Row>) {
    let told = |(year, month, of_month): (i32, u32, u32)| {
        let date = day(year, month, of_month);
        let at = midnight(date);
        let has = |bars: &[HistoryBar]| bars.binary_search_by_key(&at, |bar| bar.begin).is_ok();
        let there = shelf.daily.values().filter(|held| has(&held.bars)).count();
        let of_rule =
            |mark: &&QualityMark| mark.rule == QualityRule::PhantomSession && mark.at == at && mark.quarantined;
        let found = shelf.daily.values().filter(|held| held.marks.iter().any(|mark| of_rule(&mark))).count();
        (date, there, found)
    };
    for closed in CLOSED {
        let (date, there, found) = told(closed);
        let ours = if date == day(2017, 12, 29) { " (not in the README)" } else { "" };
        let detail = format!("{found} of {there} tickers with a row");
        rows.push(row(
            format!("row on the closed {date}{ours}"),
            QualityRule::PhantomSession,
            there > 0 && found == there,
            detail,
        ));
    }
    for saturday in SATURDAYS {
        let (date, there, found) = told(saturday);
        let detail = format!("{found} of {there} tickers with a row");
        rows.push(row(
            format!("row on Saturday {date}"),
            QualityRule::PhantomSession,
            there > 0 && found == there,
            detail,
        ));
    }
}

fn indices(shelf: &Shelf, rows: &mut Vec<Row>) {
    let marked = |marks: &[QualityMark], rule, date: Date| {
        marks.iter().any(|mark| mark.rule == rule && mark.at == midnight(date))
    };
    for date in [day(2012, 1, 2), day(2012, 2, 22), day(2020, 11, 20)] {
        let rule = QualityRule::MissingSession;
        rows.push(row(format!("BVSP lacks {date}"), rule, marked(&shelf.yahoo.marks, rule, date), ""));
    }
    let rule = QualityRule::PhantomSession;
    let date = day(2017, 12, 29);
    rows.push(row(format!("BVSP has the closed {date}"), rule, marked(&shelf.yahoo.marks, rule, date), ""));
    let date = day(2007, 2, 20);
    rows.push(row(format!("Investing has {date}, Carnival"), rule, marked(&shelf.investing.marks, rule, date), ""));
}

/// The part of a series that lies in these years.
fn years(bars: &[HistoryBar], from: i32, to: i32) -> &[HistoryBar] {
    let place = |date| bars.partition_point(|bar| bar.begin < midnight(date));
    &bars[place(day(from, 1, 1))..place(day(to + 1, 1, 1))]
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole as f64
}

fn against_rebuilt(shelf: &Shelf, rows: &mut Vec<Row>) {
    let comparison = |ticker: &str, from, to| -> Comparison {
        let reference = &shelf.rebuilt[&ticker.parse::<Symbol>().unwrap()];
        compare(years(&shelf.of(ticker).bars, from, to), reference)
    };
    let rule = QualityRule::SourcesDisagree;
    for (ticker, documented) in
        [("PETR4", 24.0), ("CSNA3", 22.0), ("ITUB4", 7.0), ("VALE3", 5.0), ("BBAS3", 0.0), ("ABEV3", 0.0)]
    {
        let Comparison { sessions, off, median, largest, .. } = comparison(ticker, 2011, 2015);
        let share = percent(off, sessions);
        let detail = format!(
            "{off} of {sessions} sessions ({share:.1} %), median {:.2} %, largest {:.1} %",
            median * 100.0,
            largest * 100.0
        );
        let agrees = (share - documented).abs() < 0.5 && (documented > 0.0) == (off > 0);
        rows.push(row(format!("{ticker} 2011–2015: {documented} % of closes off"), rule, agrees, detail));
    }
    let Comparison { sessions, off, scaled, .. } = comparison("SANB11", 2010, 2017);
    let detail = format!("{off} of {sessions} sessions off, {} spans with a factor of their own", scaled.len());
    rows.push(row("SANB11 2010–2017: not raw on any session", rule, sessions > 0 && off == sessions, detail));
    let usim5 = comparison("USIM5", 2010, 2017);
    let longest = usim5.scaled.iter().max_by_key(|span| span.sessions);
    let detail = longest.map(|span| {
        format!("{} sessions, {} to {}, by {:+.2} %", span.sessions, span.from, span.to, (span.factor - 1.0) * 100.0)
    });
    let found =
        longest.is_some_and(|span| ((span.factor - 1.0).abs() - 0.0168).abs() < 0.0005 && span.to < day(2016, 7, 1));
    rows.push(row("USIM5 scaled by 1.68 % until early 2016", rule, found, detail.unwrap_or_default()));
    let rapt4 = &shelf.of("RAPT4").bars;
    rows.push(Row {
        documented: "RAPT4 has another header and is newest first".to_owned(),
        by: "`feeds::files::alpha_vantage`",
        verdict: if rapt4.is_sorted_by_key(|bar| bar.begin) { Verdict::ByReader } else { Verdict::NotFound },
        expected: Verdict::ByReader,
        detail: format!("{} bars, oldest first", rapt4.len()),
    });
}

/// Tickers that were renamed after the genuine sessions: what they were called then. No file on the
/// shelf has the ISIN of the new ones, so they cannot be joined by it here.
const RENAMED: [(&str, &str); 6] = [
    ("ALOS3", "ALSO3"),
    ("AZZA3", "ARZZ3"),
    ("BHIA3", "VIIA3"),
    ("BRAV3", "RRRP3"),
    ("ISAE4", "TRPL4"),
    ("SRNA3", "MEGA3"),
];

fn against_genuine(shelf: &Shelf, rows: &mut Vec<Row>) {
    let (mut all, mut partly, mut none) = (0, Vec::new(), Vec::new());
    for (symbol, held) in &shelf.daily {
        let before = RENAMED.iter().find(|(now, _)| *now == symbol.as_str()).map_or(symbol.as_str(), |(_, then)| *then);
        let reference = shelf.genuine.get(&before.parse().unwrap()).map(Vec::as_slice).unwrap_or_default();
        let Comparison { sessions, off, .. } = compare(&held.bars, reference);
        match (sessions, off) {
            (0, _) => none.push(symbol.to_string()),
            (_, 0) => all += 1,
            _ => partly.push(symbol.to_string()),
        }
    }
    // The README follows five of the six renames: one that agrees counts there as without overlap.
    let found = (all, partly.len(), none.len()) == (147, 17, 2);
    let detail = format!(
        "{all} agree with six renames followed, {} partly ({}), {} without overlap ({})",
        partly.len(),
        partly.join(", "),
        none.len(),
        none.join(", ")
    );
    let documented = "against genuine sessions 146 of 166 tickers agree, 17 partly, 3 have no overlap";
    rows.push(row(documented, QualityRule::SourcesDisagree, found, detail));
}

fn minutes(shelf: &Shelf, rows: &mut Vec<Row>) {
    let mut absent = BTreeMap::new();
    let mut holes = Vec::new();
    let mut firsts = Vec::new();
    for (symbol, held) in &shelf.minutes {
        let mut missing = 0;
        for pair in held.bars.windows(2).filter(|pair| pair[0].date() == pair[1].date()) {
            missing += pair[1].begin.nanos_since(pair[0].begin) / 60_000_000_000 - 1;
        }
        absent.insert(symbol, missing);
        let mut last = None;
        for bar in &held.bars {
            if last.replace(bar.date()) != Some(bar.date()) {
                firsts.push(bar.begin.local().time());
            }
        }
        holes.extend(
            held.marks
                .iter()
                .filter(|mark| mark.rule == QualityRule::MissingSession)
                .map(|mark| format!("{symbol} {}", mark.detail)),
        );
    }
    let absent: Vec<String> = absent.iter().map(|(symbol, missing)| format!("{symbol} {missing}")).collect();
    rows.push(Row {
        documented: "one-minute bars: minutes without trades are absent".to_owned(),
        by: QualityRule::MissingSession.name(),
        verdict: Verdict::NotFound,
        expected: Verdict::NotFound,
        detail: format!(
            "meant: a minute without a trade has no bar, and only holes beyond thirty minutes are told; absent are {}",
            absent.join(", ")
        ),
    });
    let usual = firsts.iter().filter(|time| ("10:07".."10:16").contains(&time.to_string().as_str())).count();
    rows.push(Row {
        documented: "one-minute bars: the first trade falls between 10:07 and 10:15".to_owned(),
        by: QualityRule::MissingSession.name(),
        verdict: Verdict::NotFound,
        expected: Verdict::NotFound,
        detail: format!(
            "meant: the opening auction is within the half hour; so it is on {usual} of {} days",
            firsts.len()
        ),
    });
    let told = !holes.is_empty();
    let detail = holes.join("; ");
    rows.push(row("one-minute bars: holes (not in the README)", QualityRule::MissingSession, told, detail));
}

/// What each rule found in the daily set.
pub(crate) fn rules_table(shelf: &Shelf) -> String {
    let mut table = String::from(
        "| rule | effect | marks | tickers | quarantined | what it looks for |\n|---|---|---:|---:|---:|---|\n",
    );
    for rule in RULES {
        let of_rule = |held: &crate::shelf::Held| -> (usize, usize) {
            let marks = held.marks.iter().filter(|mark| mark.rule == rule.rule);
            let quarantined = marks.clone().filter(|mark| mark.quarantined).count();
            (marks.count(), quarantined)
        };
        let counts: Vec<(usize, usize)> = shelf.daily.values().map(of_rule).collect();
        let marks: usize = counts.iter().map(|(marks, _)| marks).sum();
        let quarantined: usize = counts.iter().map(|(_, quarantined)| quarantined).sum();
        let tickers = counts.iter().filter(|(marks, _)| *marks > 0).count();
        writeln!(
            table,
            "| {} | {} | {marks} | {tickers} | {quarantined} | {} |",
            rule.rule.name(),
            rule.effect.name(),
            rule.why
        )
        .unwrap();
    }
    table
}

/// Sessions on which a rule found something in ten tickers or more: the source's doing, not a share's.
pub(crate) fn common(shelf: &Shelf) -> String {
    let mut table = String::from("| session | rule | tickers |\n|---|---|---:|\n");
    let mut counts: BTreeMap<(Date, &str), usize> = BTreeMap::new();
    let told = [QualityRule::MissingSession, QualityRule::RepeatedPrice, QualityRule::OutlierAgainstNeighbours];
    for mark in shelf.daily.values().flat_map(|held| &held.marks).filter(|mark| told.contains(&mark.rule)) {
        *counts.entry((mark.at.local_date(), mark.rule.name())).or_default() += 1;
    }
    for ((date, rule), tickers) in counts.into_iter().filter(|(_, tickers)| *tickers >= 10) {
        writeln!(table, "| {date} | {rule} | {tickers} |").unwrap();
    }
    table
}

/// What the rules found that the README does not tell.
pub(crate) fn undocumented(shelf: &Shelf) -> String {
    let mut table = String::from("| ticker | session | rule | |\n|---|---|---|---|\n");
    let wanted = [QualityRule::HighBelowLow, QualityRule::ZeroPrice, QualityRule::OutlierAgainstNeighbours];
    for (symbol, held) in &shelf.daily {
        for mark in held.marks.iter().filter(|mark| wanted.contains(&mark.rule) && mark.quarantined) {
            writeln!(table, "| {symbol} | {} | {} | {} |", mark.at.local_date(), mark.rule.name(), mark.detail)
                .unwrap();
        }
    }
    // The index is held to the same rules.
    for (name, held) in [("BVSP (Yahoo)", &shelf.yahoo), ("IBOV (Investing)", &shelf.investing)] {
        let bars = &held.bars;
        let series = Series { source: bars[0].source, symbol: bars[0].symbol, interval: bars[0].interval, bars };
        for mark in check(series, &[], &Calendar::b3(), Default::default()).unwrap() {
            writeln!(table, "| {name} | {} | {} | {} |", mark.at.local_date(), mark.rule.name(), mark.detail).unwrap();
        }
    }
    table
}

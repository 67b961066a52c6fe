//! One history from several tickers. A company that renames its ticker keeps its ISIN: what was
//! traded under the old name goes on under the new one.

use std::collections::{BTreeMap, BTreeSet};

use market::history::HistoryBar;
use market::{Date, Isin, Symbol};
use serde::Serialize;

/// A ticker under which an ISIN traded, from its first to its last session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct TickerSpan {
    /// Whose.
    pub isin: Isin,
    /// First session.
    pub from: Date,
    /// Last session seen.
    pub to: Date,
    /// Ticker.
    pub symbol: Symbol,
}

/// One history.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Continued {
    /// Ascending, each under the ticker that it traded under.
    pub bars: Vec<HistoryBar>,
    /// The tickers in the order of their dates.
    pub tickers: Vec<TickerSpan>,
    /// Where it was not clear what follows what.
    pub doubts: Vec<Doubt>,
}

/// Why a join is ambiguous.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Two tickers of one ISIN traded on the same days. The one that began later was taken.
    #[error("{older} and {newer} both traded under one ISIN from {from} to {to}; {newer} was taken")]
    TwoTickers {
        /// Began earlier.
        older: Symbol,
        /// Began later.
        newer: Symbol,
        /// First day of both.
        from: Date,
        /// Last day of both.
        to: Date,
    },
    /// A ticker belonged to two ISINs on the same days. Those bars were left out.
    #[error("{symbol} belonged to {isin} as well from {from} to {to}; its bars of those days were left out")]
    TwoIsins {
        /// Ticker.
        symbol: Symbol,
        /// The other ISIN.
        isin: Isin,
        /// First day of both.
        from: Date,
        /// Last day of both.
        to: Date,
    },
    /// There are no bars of a ticker that the ISIN traded under.
    #[error("there are no bars of {symbol} between {from} and {to}")]
    NoBars {
        /// Ticker.
        symbol: Symbol,
        /// First day.
        from: Date,
        /// Last day.
        to: Date,
    },
}

/// The spans in what was observed: (session, ticker, ISIN), in any order. A ticker that another
/// ISIN held in between has two spans; one that merely did not trade has one.
pub fn spans(observed: impl IntoIterator<Item = (Date, Symbol, Isin)>) -> Vec<TickerSpan> {
    let mut by_symbol: BTreeMap<Symbol, BTreeSet<(Date, Isin)>> = BTreeMap::new();
    for (date, symbol, isin) in observed {
        by_symbol.entry(symbol).or_default().insert((date, isin));
    }
    let mut spans: Vec<TickerSpan> = Vec::new();
    for (symbol, days) in by_symbol {
        let mut open: Option<TickerSpan> = None;
        for (date, isin) in days {
            match &mut open {
                Some(span) if span.isin == isin => span.to = date,
                _ => spans.extend(open.replace(TickerSpan { isin, from: date, to: date, symbol })),
            }
        }
        spans.extend(open);
    }
    spans.sort();
    spans
}

/// The history of an ISIN over all its tickers. `spans` may be of every ISIN: the others show where
/// a ticker was somebody else's. `series` has the bars of each ticker, ascending, of one interval.
pub fn continue_by_isin(isin: Isin, spans: &[TickerSpan], series: &BTreeMap<Symbol, Vec<HistoryBar>>) -> Continued {
    let mut tickers: Vec<TickerSpan> = spans.iter().copied().filter(|span| span.isin == isin).collect();
    tickers.sort();
    let mut doubts = Vec::new();
    let mut by_time = BTreeMap::new();
    // Later spans overwrite earlier ones, which is what is said of two tickers.
    for (place, span) in tickers.iter().enumerate() {
        for older in tickers.iter().take(place).filter(|older| older.symbol != span.symbol) {
            if let Some((from, to)) = common(older, span) {
                doubts.push(Doubt::TwoTickers { older: older.symbol, newer: span.symbol, from, to });
            }
        }
        let others = spans.iter().filter(|other| other.symbol == span.symbol && other.isin != isin);
        let shared: Vec<(Isin, Date, Date)> =
            others.filter_map(|other| common(other, span).map(|(from, to)| (other.isin, from, to))).collect();
        let mut found = false;
        for bar in series.get(&span.symbol).into_iter().flatten() {
            let date = bar.date();
            if (span.from..=span.to).contains(&date) {
                found = true;
                if !shared.iter().any(|(_, from, to)| (*from..=*to).contains(&date)) {
                    by_time.insert(bar.begin, *bar);
                }
            }
        }
        let symbol = span.symbol;
        doubts.extend(shared.into_iter().map(|(isin, from, to)| Doubt::TwoIsins { symbol, isin, from, to }));
        if !found {
            doubts.push(Doubt::NoBars { symbol, from: span.from, to: span.to });
        }
    }
    Continued { bars: by_time.into_values().collect(), tickers, doubts }
}

fn common(one: &TickerSpan, other: &TickerSpan) -> Option<(Date, Date)> {
    let (from, to) = (one.from.max(other.from), one.to.min(other.to));
    (from <= to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{bar_on, day};

    const OLD: &str = "BRABCDACNOR1";
    const OTHER: &str = "BRXYZWACNOR2";

    fn isin(text: &str) -> Isin {
        text.parse().unwrap()
    }

    fn span(of: &str, symbol: &str, from: u32, to: u32) -> TickerSpan {
        TickerSpan { isin: isin(of), symbol: symbol.parse().unwrap(), from: day(2024, 1, from), to: day(2024, 1, to) }
    }

    fn series(of: &[(&str, &[u32])]) -> BTreeMap<Symbol, Vec<HistoryBar>> {
        let bars = |symbol: &str, days: &[u32]| days.iter().map(|at| bar_on(symbol, day(2024, 1, *at), "10")).collect();
        of.iter().map(|(symbol, days)| (symbol.parse().unwrap(), bars(symbol, days))).collect()
    }

    fn shown(continued: &Continued) -> (String, Vec<String>) {
        let bars = continued.bars.iter().map(|bar| format!("{}:{}", bar.date().format("%d"), bar.symbol));
        (bars.collect::<Vec<_>>().join(" "), continued.doubts.iter().map(Doubt::to_string).collect())
    }

    #[test]
    fn tickers_of_one_isin_are_one_history_and_doubts_are_told() {
        for (name, spans, held, bars, doubts) in [
            (
                "renamed",
                vec![span(OLD, "ABCD3", 2, 4), span(OLD, "EFGH3", 5, 9)],
                series(&[("ABCD3", &[2, 3, 4]), ("EFGH3", &[5, 8, 9])]),
                "02:ABCD3 03:ABCD3 04:ABCD3 05:EFGH3 08:EFGH3 09:EFGH3",
                vec![],
            ),
            (
                "the ticker was another's later",
                vec![span(OLD, "ABCD3", 2, 3), span(OTHER, "ABCD3", 4, 9)],
                series(&[("ABCD3", &[2, 3, 4, 5])]),
                "02:ABCD3 03:ABCD3",
                vec![],
            ),
            (
                "both at once",
                vec![span(OLD, "ABCD3", 2, 5), span(OLD, "EFGH3", 4, 9)],
                series(&[("ABCD3", &[2, 3, 4, 5]), ("EFGH3", &[4, 8])]),
                "02:ABCD3 03:ABCD3 04:EFGH3 05:ABCD3 08:EFGH3",
                vec!["ABCD3 and EFGH3 both traded under one ISIN from 2024-01-04 to 2024-01-05; EFGH3 was taken"],
            ),
            (
                "one ticker, two ISINs on the same days",
                vec![span(OLD, "ABCD3", 2, 5), span(OTHER, "ABCD3", 4, 9)],
                series(&[("ABCD3", &[2, 3, 4, 5])]),
                "02:ABCD3 03:ABCD3",
                vec![
                    "ABCD3 belonged to BRXYZWACNOR2 as well from 2024-01-04 to 2024-01-05; its bars of those days were left out",
                ],
            ),
            (
                "nothing stored of the old one",
                vec![span(OLD, "ABCD3", 2, 4), span(OLD, "EFGH3", 5, 9)],
                series(&[("EFGH3", &[5])]),
                "05:EFGH3",
                vec!["there are no bars of ABCD3 between 2024-01-02 and 2024-01-04"],
            ),
        ] {
            let continued = continue_by_isin(isin(OLD), &spans, &held);
            let (found, told) = shown(&continued);
            assert_eq!(
                (found.as_str(), told),
                (bars, doubts.iter().map(|doubt| (*doubt).to_owned()).collect()),
                "{name}"
            );
        }
    }

    #[test]
    fn spans_are_made_of_what_was_seen() {
        let seen = |at, symbol: &str, of: &str| (day(2024, 1, at), symbol.parse().unwrap(), isin(of));
        let found = spans([
            seen(9, "ABCD3", OLD),
            seen(2, "ABCD3", OLD),
            seen(3, "EFGH3", OTHER),
            seen(5, "EFGH3", OLD),
            seen(8, "EFGH3", OTHER),
        ]);
        let expected = [
            span(OLD, "ABCD3", 2, 9),
            span(OLD, "EFGH3", 5, 5),
            span(OTHER, "EFGH3", 3, 3),
            span(OTHER, "EFGH3", 8, 8),
        ];
        assert_eq!(found, expected);
    }
}

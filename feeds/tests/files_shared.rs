//! Every file of others on the shelf, read in place.

mod support;

use std::collections::BTreeMap;

use feeds::files::{Hints, Kind, read};
use feeds::source::Item;
use market::history::{CorporateActionKind, HistoryBar, Interval};
use support::{day, shared_data};

/// What came of a file: bars, closes of an index, members, dividends, changes of units.
#[derive(Default, Debug, PartialEq)]
struct Count {
    bars: u64,
    closes: u64,
    members: u64,
    dividends: u64,
    units: u64,
}

fn count(path: &std::path::Path, hints: Hints, bars: &mut Vec<HistoryBar>) -> (Kind, Count) {
    let mut count = Count::default();
    let done = read(path, hints, &mut |item| {
        match item {
            Item::Bar(bar) => {
                count.bars += 1;
                bars.push(bar);
            }
            Item::IndexClose(..) => count.closes += 1,
            Item::Member(_) => count.members += 1,
            Item::Action(action) if action.kind == CorporateActionKind::Dividend => count.dividends += 1,
            Item::Action(_) => count.units += 1,
            other => panic!("{other:?}"),
        }
        Ok(())
    });
    (done.unwrap_or_else(|error| panic!("{error}")).kind, count)
}

#[test]
fn the_daily_set_is_read_whole() {
    let Some(folder) = shared_data("daily_av_2010_2025") else { return };
    let (mut total, mut files, mut bars) = (Count::default(), 0, Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_string_lossy().ends_with("_raw.csv") {
            continue;
        }
        let (kind, count) = count(&path, Hints::default(), &mut bars);
        assert_eq!(kind, Kind::AlphaVantage);
        (total.bars, total.dividends, total.units) =
            (total.bars + count.bars, total.dividends + count.dividends, total.units + count.units);
        files += 1;
    }
    // Rows as the shelf's README counts them; dividends as a count of the text gives.
    assert_eq!((files, total.bars, total.dividends), (166, 456_867, 5_002));
    assert!(total.units > 200, "{total:?}");
}

#[test]
fn indices_and_composition_are_read_whole() {
    let mut bars = Vec::new();
    for (part, kind, expected) in [
        ("index/BVSP_yahoo_2010_2025.csv", Kind::YahooIndex, Count { bars: 3_963, closes: 3_963, ..Count::default() }),
        (
            "index/IBOV_investing_2000_2024_MIT.csv",
            Kind::Investing,
            Count { bars: 5_722, closes: 5_722, ..Count::default() },
        ),
        ("index/IBOV_composition_2025.json", Kind::Composition, Count { members: 84, ..Count::default() }),
    ] {
        let Some(path) = shared_data(part) else { return };
        let hints = Hints { date: Some(day(2025, 9, 1)), ..Hints::default() };
        assert_eq!(count(&path, hints, &mut bars), (kind, expected), "{part}");
    }
    let last = bars.iter().find(|bar| bar.date() == day(2024, 2, 2) && bar.source.as_str() == "investing").unwrap();
    assert_eq!((last.close.to_string().as_str(), last.volume.units()), ("127182.00", 10_980_000));
}

#[test]
fn one_minute_bars_are_read_whole() {
    let Some(folder) = shared_data("intraday_m1_mt5_2020") else { return };
    let expected: BTreeMap<&str, u64> =
        [("BBAS3", 40_183), ("BBDC4", 40_155), ("ITUB4", 48_448), ("PETR4", 51_363), ("VALE3", 48_353)].into();
    for (ticker, rows) in expected {
        let mut bars = Vec::new();
        let (kind, count) = count(&folder.join(format!("{ticker}.csv")), Hints::default(), &mut bars);
        assert_eq!((kind, count), (Kind::MetaTrader, Count { bars: rows, ..Count::default() }), "{ticker}");
        assert!(bars.iter().all(|bar| bar.interval == Interval::MINUTE && bar.symbol.as_str() == ticker));
    }
}

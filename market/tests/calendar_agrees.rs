//! The calendar against real trading days: index closes 2001 to 2025, daily rows of 166 tickers,
//! one-minute bars of 2020.
//!
//! Each file's known errors are named here, with the verdict that the other files support. A test
//! fails when a named one disappears as much as when a new one shows.
//!
//! The files are not part of this repository (their licences do not allow it). They are looked for
//! in `$PREGAO_SHARED_DATA`, else in `shared/data` beside the checkout; without them the tests say
//! SKIPPED and pass.

#![expect(clippy::print_stderr, reason = "a skipped test must be seen")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use market::calendar::Calendar;
use market::time::{Date, Timestamp};

/// A file or folder of the shared data, or a visible skip.
fn shared(path: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let root = std::env::var_os("PREGAO_SHARED_DATA").map_or_else(beside, PathBuf::from);
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    eprintln!("SKIPPED: no {}; set PREGAO_SHARED_DATA to run this test", found.display());
    None
}

/// Rows of a file whose first column is a date, in any of the forms on the shelf.
fn rows(path: &Path, delimiter: u8, format: &str) -> Vec<(Date, csv::StringRecord)> {
    let reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_path(path);
    let records = reader.expect("a readable file").into_records();
    let dated = |record: csv::StringRecord| Some((Date::parse_from_str(record.get(0)?, format).ok()?, record));
    records.filter_map(|record| dated(record.expect("a CSV row"))).collect()
}

/// Days on which a file and the calendar disagree, within the file's span.
fn disagreements(days: &BTreeSet<Date>) -> Vec<String> {
    let calendar = Calendar::b3();
    let (first, last) = (days.first().expect("rows"), days.last().expect("rows"));
    let span = first.iter_days().take_while(|day| day <= last);
    let told = |day: Date| match (days.contains(&day), calendar.is_session(day)) {
        (true, Some(true)) | (false, Some(false)) => None,
        (true, Some(false)) => Some(format!("{day} only in the file")),
        (false, Some(true)) => Some(format!("{day} only in the calendar")),
        (_, None) => Some(format!("{day} unknown to the calendar")),
    };
    span.filter_map(told).collect()
}

#[test]
fn with_the_index_by_yahoo() {
    let Some(path) = shared("index/BVSP_yahoo_2010_2025.csv") else { return };
    let days: BTreeSet<_> = rows(&path, b',', "%Y-%m-%d").into_iter().map(|row| row.0).collect();
    assert_eq!(days.len(), 3963);
    let known = [
        // Gaps in the file: the other index file and the tickers traded.
        "2012-01-02 only in the calendar",
        "2012-02-22 only in the calendar",
        // A flat row on the closed last weekday of the year.
        "2017-12-29 only in the file",
        // The city holiday had been moved: the tickers traded.
        "2020-11-20 only in the calendar",
    ];
    assert_eq!(disagreements(&days), known);
}

#[test]
fn with_the_index_by_investing() {
    let Some(path) = shared("index/IBOV_investing_2000_2024_MIT.csv") else { return };
    let days: BTreeSet<_> = rows(&path, b',', "%d.%m.%Y").into_iter().map(|row| row.0).collect();
    assert_eq!(days.len(), 5722);
    // Carnival Tuesday.
    assert_eq!(disagreements(&days), ["2007-02-20 only in the file"]);
}

/// By day: how many tickers have a row, and how many of these traded.
fn ticker_rows(folder: &Path) -> BTreeMap<Date, (usize, usize)> {
    let mut by_day = BTreeMap::new();
    for entry in folder.read_dir().expect("a folder") {
        let path = entry.expect("an entry").path();
        if !path.to_string_lossy().ends_with("_raw.csv") {
            continue;
        }
        for (day, record) in rows(&path, b',', "%Y-%m-%d") {
            let volume: f64 = record.get(6).and_then(|text| text.parse().ok()).expect("a volume");
            let (rows, traded): &mut (usize, usize) = by_day.entry(day).or_default();
            *rows += 1;
            *traded += usize::from(volume > 0.0);
        }
    }
    by_day
}

#[test]
fn with_the_rows_of_many_tickers() {
    let Some(folder) = shared("daily_av_2010_2025") else { return };
    let by_day = ticker_rows(&folder);
    let calendar = Calendar::b3();

    // From the first day that most files have to the last that some have. In between the thinnest
    // days have rows of about 37 tickers (2014-03-19, 2016-09-12, 2017-10-17).
    let full = |text: &str| text.parse::<Date>().expect("a date");
    for day in calendar.sessions(full("2010-07-28"), full("2025-07-14")) {
        let traded = by_day.get(&day).map_or(0, |(_, traded)| *traded);
        assert!(traded >= 20, "{day}: {traded} tickers traded on this session");
    }

    let phantom = |day: &Date| calendar.is_session(*day) != Some(true);
    let phantoms: Vec<_> = by_day.keys().filter(|day| phantom(day)).map(Date::to_string).collect();
    let known = [
        // Flat rows of zero volume on closed days.
        "2017-06-15",
        "2017-09-07",
        "2017-10-12",
        "2017-11-02",
        "2017-11-15",
        "2017-11-20",
        "2017-12-25",
        "2017-12-29",
        "2018-01-25",
        // Saturdays.
        "2023-04-29",
        "2023-05-06",
        "2023-09-02",
        "2023-09-09",
        "2024-03-16",
        "2024-03-23",
        "2024-05-25",
        "2024-06-29",
        "2024-08-17",
        "2024-11-30",
        "2025-07-12",
    ];
    assert_eq!(phantoms, known);
    for (day, (rows, traded)) in by_day.range(full("2017-06-15")..=full("2018-01-25")) {
        if phantom(day) {
            assert_eq!((*rows, *traded), (28, 0), "{day}");
        }
    }
}

#[test]
fn with_one_minute_bars_of_2020() {
    let Some(folder) = shared("intraday_m1_mt5_2020") else { return };
    let calendar = Calendar::b3();
    let mut outside = Vec::new();
    for ticker in ["BBAS3", "BBDC4", "ITUB4", "PETR4", "VALE3"] {
        let bars = rows(&folder.join(format!("{ticker}.csv")), b'\t', "%Y.%m.%d");
        let days: BTreeSet<_> = bars.iter().map(|(day, _)| *day).collect();
        assert!(disagreements(&days).is_empty(), "{ticker}: {:?}", disagreements(&days));
        for (day, record) in bars {
            let time = chrono::NaiveTime::parse_from_str(&record[1], "%H:%M:%S").expect("a time");
            let at = Timestamp::from_local(day.and_time(time)).expect("within range");
            if !calendar.phase_at(at).trades_continuously() {
                outside.push(format!("{ticker} {day} {time}"));
            }
        }
    }
    // Closing auctions, held some minutes after the scheduled end of the call. On all other days
    // the platform has put this trade into the bar of 16:54.
    let known = [
        "BBAS3 2020-09-21 17:07:00",
        "BBDC4 2020-08-25 17:08:00",
        "BBDC4 2020-09-21 17:10:00",
        "ITUB4 2020-08-25 17:09:00",
        "PETR4 2020-08-25 17:09:00",
        "VALE3 2020-08-25 17:09:00",
    ];
    assert_eq!(outside, known);
}

//! What a history owes for the time that it keeps.

use market::decimal::SCALE;
use market::history::{HistoryBar, Interval, QualityMark, QualityRule};
use market::{Date, IndexClose, Isin, Price, Timestamp};

use super::super::Make;
use super::bars::{YAHOO, day_bar, import_bars, minute_bar};
use super::{import, record, source, stored, symbol};
use crate::error::StoreError;
use crate::history::{
    BarFilter, BarSeries, DEFAULT_RETENTION, Filter, History, HistoryTable, Identity, MarkFilter, QualityRun, Removed,
    midnight,
};

fn day(text: &str) -> Date {
    text.parse().unwrap_or_else(|_| panic!("{text} is no day"))
}

fn minutes(date: &str, count: i64) -> Vec<HistoryBar> {
    let begin = midnight(day(date)).unwrap_or_default();
    (0..count)
        .map(|minute| HistoryBar { begin: begin.plus_nanos(minute * 60_000_000_000), ..minute_bar("PETR4", 0) })
        .collect()
}

/// The same, whatever parts the store has: rows by table, and the days.
fn summary(removed: &[Removed]) -> Vec<(HistoryTable, u64, Date, Date, Option<Date>)> {
    let mut sum: Vec<(HistoryTable, u64, Date, Date, Option<Date>)> = Vec::new();
    for part in removed {
        match sum.last_mut().filter(|last| last.0 == part.table) {
            Some(last) => (last.1, last.3) = (last.1 + part.rows, part.to),
            None => sum.push((part.table, part.rows, part.from, part.to, part.kept_from)),
        }
    }
    sum
}

pub(super) fn what_is_too_old_goes_and_nothing_else(make: &Make<dyn History>) -> Result<(), StoreError> {
    let today = day("2018-02-10");
    let mut history = make();
    // 400 days before today is 2017-01-06: the minute before its midnight goes, the one at it stays.
    for (date, count) in [("2015-03-02", 5), ("2016-12-30", 4), ("2017-01-05", 3), ("2017-01-06", 2), ("2018-02-09", 1)]
    {
        import_bars(&mut *history, &minutes(date, count))?;
    }
    let last_minute = HistoryBar {
        begin: midnight(day("2017-01-06")).unwrap_or_default().plus_nanos(-60_000_000_000),
        ..minute_bar("PETR4", 0)
    };
    import_bars(&mut *history, &[last_minute, HistoryBar { symbol: symbol("OLD3"), ..minutes("2016-12-30", 1)[0] }])?;
    import_bars(&mut *history, &[HistoryBar { begin: Timestamp::from_nanos(0), ..day_bar("PETR4", 1) }])?;
    import(&mut *history, &[record("PETR4", day("2003-02-12"))])?;
    let series = BarSeries { source: YAHOO, symbol: symbol("PETR4"), interval: Interval::Day };
    let mark = |date| QualityMark {
        source: YAHOO,
        symbol: symbol("PETR4"),
        interval: Interval::Day,
        at: midnight(day(date)).unwrap_or_default(),
        rule: QualityRule::ZeroPrice,
        detail: String::new(),
        quarantined: true,
    };
    history.mark(
        &QualityRun { at: Timestamp::from_nanos(0), verified: vec![series] },
        &[mark("2016-12-30"), mark("2017-01-06")],
    )?;

    let minutes_gone = (HistoryTable::BarIntraday, 14, day("2015-03-02"), day("2017-01-05"), Some(day("2017-01-06")));
    let marks_gone = (HistoryTable::QualityMark, 1, day("2016-12-30"), day("2016-12-30"), Some(day("2017-01-06")));
    let would = history.retain(DEFAULT_RETENTION, today, true)?;
    assert_eq!(summary(&would), [minutes_gone, marks_gone]);
    assert_eq!(history.bar_coverage(&BarFilter::default())?.iter().map(|series| series.bars).sum::<u64>(), 18);
    let gone = history.retain(DEFAULT_RETENTION, today, false)?;
    assert_eq!(summary(&gone), summary(&would));
    assert_eq!(history.retain(DEFAULT_RETENTION, today, false)?, []);

    let left = history.bars(
        minute_bar("PETR4", 0).source,
        symbol("PETR4"),
        Interval::MINUTE,
        Timestamp::MIN,
        Timestamp::MAX,
    )?;
    assert_eq!(left, [minutes("2017-01-06", 2), minutes("2018-02-09", 1)].concat());
    // Coverage tells what is there, and a series without a bar is none.
    let coverage = history.bar_coverage(&BarFilter { intervals: vec![Interval::MINUTE], ..BarFilter::default() })?;
    assert_eq!(coverage.iter().map(|series| (series.symbol, series.bars)).collect::<Vec<_>>(), [(symbol("PETR4"), 3)]);
    assert_eq!((coverage[0].first, coverage[0].last), (left[0].begin, left[2].begin));
    assert_eq!(history.marks(&MarkFilter::default())?, [mark("2017-01-06")]);
    // Whatever the policy does not name is as it was.
    assert_eq!(history.bar_coverage(&BarFilter { sources: vec![YAHOO], ..BarFilter::default() })?.len(), 1);
    assert_eq!(stored(&*history, symbol("PETR4"))?.len(), 1);
    // And old minutes can be brought again.
    assert_eq!(import_bars(&mut *history, &minutes("2015-03-02", 5))?.inserted, 5);
    Ok(())
}

pub(super) fn daily_records_go_with_all_that_is_known_of_them(make: &Make<dyn History>) -> Result<(), StoreError> {
    let mut history = make();
    let old_isin = Isin::from_bytes(b"BRPETRACNOR0");
    let at = |ticker, date, isin| market::DailyRecord { isin, ..record(ticker, day(date)) };
    let isin = record("PETR4", day("2018-01-02")).isin;
    let given = [
        at("PETR4", "2015-12-30", old_isin),
        at("PETR4", "2016-12-29", isin),
        at("PETR4", "2017-06-01", isin),
        at("PETR4", "2017-06-02", isin),
        at("GONE3", "2016-12-29", None),
    ];
    import(&mut *history, &given)?;
    let mut import = history.begin_import(&source("IBOV.csv"))?;
    for date in ["2016-12-29", "2017-06-02"] {
        import.index_close("IBOV", &IndexClose { date: day(date), close: Price::from_steps(SCALE) })?;
    }
    import.commit()?;
    let policy = [(HistoryTable::DailyRecord, 1), (HistoryTable::IndexClose, 1)];
    let gone = history.retain(&policy, day("2017-06-03"), false)?;
    let kept = Some(day("2017-06-02"));
    let records = (HistoryTable::DailyRecord, 4, day("2015-12-30"), day("2017-06-01"), kept);
    let closes = (HistoryTable::IndexClose, 1, day("2016-12-29"), day("2016-12-29"), kept);
    assert_eq!(summary(&gone), [records, closes]);
    assert_eq!(stored(&*history, symbol("PETR4"))?, given[3..4]);
    let coverage = history.coverage(&Filter::default())?;
    assert_eq!(
        coverage.iter().map(|listing| (listing.symbol, listing.first, listing.sessions)).collect::<Vec<_>>(),
        [(symbol("PETR4"), day("2017-06-02"), 1)]
    );
    assert_eq!(history.sessions(Date::MIN, Date::MAX)?, [day("2017-06-02")]);
    let spans = history.isin_history(Identity::Symbol(symbol("PETR4")))?;
    assert_eq!(spans.iter().map(|span| (Some(span.isin), span.first)).collect::<Vec<_>>(), [(isin, day("2017-06-02"))]);
    assert_eq!(history.index_closes("IBOV", Date::MIN, Date::MAX)?.len(), 1);
    Ok(())
}

pub(super) fn disk_usage_names_every_table(make: &Make<dyn History>) -> Result<(), StoreError> {
    let mut history = make();
    import(&mut *history, &[record("PETR4", day("2017-12-28"))])?;
    import_bars(&mut *history, &[minute_bar("PETR4", 1)])?;
    let sizes = history.disk_usage()?;
    for table in HistoryTable::ALL {
        assert!(sizes.iter().any(|size| size.table == table.name()), "{table:?}: {sizes:?}");
    }
    for table in ["daily_record", "bar_intraday", "import"] {
        assert!(sizes.iter().any(|size| size.table == table && size.bytes > 0), "{table}: {sizes:?}");
    }
    assert!(!history.storage()?.is_empty());
    Ok(())
}

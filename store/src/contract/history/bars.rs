//! What a history owes for bars.

use std::num::NonZeroU16;

use market::decimal::SCALE;
use market::history::{HistoryBar, Interval, SourceName};
use market::{Money, Price, Quantity, Timestamp};

use super::super::{Make, refused};
use super::{counts, december, source, symbol};
use crate::error::StoreError;
use crate::history::{BarCoverage, BarFilter, History, ImportCounts, midnight};

pub(super) const YAHOO: SourceName = SourceName::of("yahoo");
const MT5: SourceName = SourceName::of("mt5");
const MINUTE: i64 = 60_000_000_000;

/// A day's bar of a symbol.
pub(crate) fn day_bar(ticker: &str, day: u32) -> HistoryBar {
    let price = |cents: i64| Price::from_steps(cents * SCALE / 100);
    HistoryBar {
        source: YAHOO,
        symbol: symbol(ticker),
        interval: Interval::Day,
        begin: midnight(december(day)).unwrap_or_default(),
        open: price(1610),
        high: price(1633),
        low: price(1600),
        close: price(1620),
        volume: Quantity::new(45_962_100),
        trades: None,
        turnover: None,
        adjusted_close: Some(Price::from_steps(1_234_567_891)),
    }
}

/// The bar of a minute of 28 December 2017, from 10:00 in São Paulo.
pub(crate) fn minute_bar(ticker: &str, minute: i64) -> HistoryBar {
    let opening = midnight(december(28)).unwrap_or_default().plus_nanos(600 * MINUTE);
    HistoryBar {
        source: MT5,
        interval: Interval::MINUTE,
        begin: opening.plus_nanos(minute * MINUTE),
        trades: Some(u32::MAX),
        turnover: Some(Money::from_steps(12_345_678_901 * i128::from(SCALE / 10_000))),
        adjusted_close: None,
        ..day_bar(ticker, 28)
    }
}

/// Imports these bars as one file.
///
/// # Errors
/// What the history says.
pub(crate) fn import_bars(history: &mut dyn History, bars: &[HistoryBar]) -> Result<ImportCounts, StoreError> {
    let mut import = history.begin_import(&source("bars.csv"))?;
    bars.iter().try_for_each(|bar| import.bar(bar))?;
    import.commit()
}

fn all(history: &dyn History, of: &HistoryBar) -> Result<Vec<HistoryBar>, StoreError> {
    history.bars(of.source, of.symbol, of.interval, Timestamp::MIN, Timestamp::MAX)
}

pub(super) fn every_field_survives(make: &Make<dyn History>) -> Result<(), StoreError> {
    let odd = HistoryBar {
        interval: Interval::Minutes(NonZeroU16::new(720).unwrap_or(NonZeroU16::MIN)),
        begin: Timestamp::from_nanos(-1_000),
        open: Price::from_steps(i64::MIN),
        high: Price::MAX,
        low: Price::from_steps(-1),
        close: Price::ZERO,
        volume: Quantity::new(i64::MAX),
        trades: Some(0),
        turnover: Some(Money::from_steps(i128::from(i64::MIN) * i128::from(SCALE / 10_000))),
        adjusted_close: Some(Price::from_steps(i64::MIN)),
        ..day_bar("IBOV", 28)
    };
    let given = [day_bar("IBOV", 28), minute_bar("PETR4", 7), odd];
    let mut history = make();
    assert_eq!(import_bars(&mut *history, &given)?, counts(3, 0, 0));
    drop(history);
    let history = make();
    for bar in given {
        assert_eq!(all(&*history, &bar)?, [bar]);
    }
    Ok(())
}

pub(super) fn bars_are_corrected_and_counted(make: &Make<dyn History>) -> Result<(), StoreError> {
    let mut history = make();
    import_bars(&mut *history, &[day_bar("PETR4", 27), day_bar("PETR4", 28), minute_bar("PETR4", 1)])?;
    let corrected = HistoryBar { adjusted_close: None, ..day_bar("PETR4", 28) };
    let again = [day_bar("PETR4", 27), corrected, day_bar("PETR4", 26), minute_bar("PETR4", 1)];
    assert_eq!(import_bars(&mut *history, &again)?, counts(1, 2, 1));
    assert_eq!(import_bars(&mut *history, &again)?, counts(0, 4, 0));
    assert_eq!(all(&*history, &corrected)?, [day_bar("PETR4", 26), day_bar("PETR4", 27), corrected]);
    Ok(())
}

pub(super) fn a_repeated_or_inexact_bar_is_refused(make: &Make<dyn History>) -> Result<(), StoreError> {
    let mut history = make();
    let mut import = history.begin_import(&source("bars.csv"))?;
    for bar in [minute_bar("PETR4", 2), minute_bar("PETR4", 1), minute_bar("VALE3", 1)] {
        import.bar(&bar)?;
    }
    let error = refused(import.bar(&HistoryBar { close: Price::ZERO, ..minute_bar("PETR4", 1) }));
    assert!(matches!(error, StoreError::DuplicateKey { .. }), "{error}");
    assert!(error.to_string().contains("the 1m bar of PETR4 at 2017-12-28T12:01:00Z from mt5 comes twice"), "{error}");
    let good = minute_bar("PETR4", 3);
    for bad in [
        HistoryBar { begin: good.begin.plus_nanos(1), ..good },
        HistoryBar { turnover: Some(Money::from_steps(1)), ..good },
        HistoryBar { turnover: Some(Money::from_steps(i128::MAX / 10_000 * 10_000)), ..good },
    ] {
        let error = refused(import.bar(&bad));
        assert!(matches!(error, StoreError::NotStorable { .. }), "{error}");
    }
    import.bar(&good)?;
    assert_eq!(import.commit()?, counts(4, 0, 0));
    assert_eq!(all(&*history, &good)?, [1, 2, 3].map(|minute| minute_bar("PETR4", minute)));
    Ok(())
}

pub(super) fn a_range_is_read_in_order(make: &Make<dyn History>) -> Result<(), StoreError> {
    let mut history = make();
    let minutes: Vec<HistoryBar> = [5, 1, 4, 2, 3].map(|minute| minute_bar("PETR4", minute)).into();
    import_bars(&mut *history, &minutes)?;
    // Years apart, which is another part of the table.
    let old = HistoryBar { begin: Timestamp::from_nanos(0), ..minute_bar("PETR4", 0) };
    import_bars(&mut *history, &[old, minute_bar("VALE3", 2), day_bar("PETR4", 28)])?;
    let between = |from: i64, to: i64| {
        let at = |minute| minute_bar("PETR4", minute).begin;
        history.bars(MT5, symbol("PETR4"), Interval::MINUTE, at(from), at(to))
    };
    assert_eq!(between(2, 4)?, [2, 3, 4].map(|minute| minute_bar("PETR4", minute)));
    assert_eq!(between(4, 2)?, []);
    let mut whole = vec![old];
    whole.extend((1..=5).map(|minute| minute_bar("PETR4", minute)));
    assert_eq!(all(&*history, &old)?, whole);
    let nobody = HistoryBar { source: YAHOO, ..old };
    assert_eq!(all(&*history, &nobody)?, []);
    // The reader's first error ends it.
    let mut seen = 0;
    let stopped = history.each_bar(MT5, symbol("PETR4"), Interval::MINUTE, Timestamp::MIN, Timestamp::MAX, &mut |_| {
        seen += 1;
        Err(StoreError::DuplicateKey { key: "enough".to_owned() })
    });
    assert!(refused(stopped).to_string().contains("enough"));
    assert_eq!(seen, 1);
    Ok(())
}

pub(super) fn coverage_counts_bars(make: &Make<dyn History>) -> Result<(), StoreError> {
    let mut history = make();
    import_bars(&mut *history, &[day_bar("PETR4", 27), day_bar("PETR4", 28), minute_bar("PETR4", 1)])?;
    import_bars(&mut *history, &[day_bar("PETR4", 4), day_bar("PETR4", 28), day_bar("IBOV", 28)])?;
    let of = |bar: HistoryBar, first: Timestamp, bars| BarCoverage {
        source: bar.source,
        symbol: bar.symbol,
        interval: bar.interval,
        first,
        last: bar.begin,
        bars,
    };
    let minute = of(minute_bar("PETR4", 1), minute_bar("PETR4", 1).begin, 1);
    let days = of(day_bar("PETR4", 28), day_bar("PETR4", 4).begin, 3);
    let index = of(day_bar("IBOV", 28), day_bar("IBOV", 28).begin, 1);
    assert_eq!(history.bar_coverage(&BarFilter::default())?, [minute, index, days]);
    let petr4 = BarFilter { symbols: vec![symbol("PETR4")], ..BarFilter::default() };
    assert_eq!(history.bar_coverage(&petr4)?, [minute, days]);
    let daily = BarFilter { intervals: vec![Interval::Day], sources: vec![YAHOO], ..petr4 };
    assert_eq!(history.bar_coverage(&daily)?, [days]);
    Ok(())
}

pub(super) fn a_dropped_import_leaves_no_bar(make: &Make<dyn History>) -> Result<(), StoreError> {
    let mut history = make();
    import_bars(&mut *history, &[day_bar("PETR4", 27)])?;
    let mut dropped = history.begin_import(&source("half.csv"))?;
    dropped.bar(&HistoryBar { close: Price::ZERO, ..day_bar("PETR4", 27) })?;
    dropped.bar(&day_bar("PETR4", 28))?;
    dropped.bar(&minute_bar("VALE3", 1))?;
    drop(dropped);
    assert_eq!(all(&*history, &day_bar("PETR4", 27))?, [day_bar("PETR4", 27)]);
    assert_eq!(history.bar_coverage(&BarFilter::default())?.len(), 1);
    assert_eq!(history.imports()?.len(), 1);
    Ok(())
}

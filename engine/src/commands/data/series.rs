//! A stored series of bars, whoever told it: the exchange's daily records are bars of `b3_cotahist` like any other.

use market::history::{HistoryBar, Interval, SourceName};
use market::{Date, Symbol, Timestamp};
use store::history::{COTAHIST, midnight};
use store::{BarFilter, BarSeries, DailyBarRow, Filter, History, StoreError};

/// One series with its extent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Which.
    pub series: BarSeries,
    /// First session.
    pub first: Date,
    /// Last session.
    pub last: Date,
    /// Bars.
    pub bars: u64,
}

/// Every series of these symbols and sources; empty means all. Daily records: of the cash market, and of the
/// fractional one where it is asked for, which repeats the cash market's prices on the days on which it trades.
pub fn stored(
    history: &dyn History,
    symbols: &[Symbol],
    sources: &[SourceName],
    interval: Option<Interval>,
    with_fractional: bool,
) -> Result<Vec<Stored>, StoreError> {
    let mut found = Vec::new();
    let wanted = |source: SourceName| sources.is_empty() || sources.contains(&source);
    if wanted(COTAHIST) && interval.is_none_or(|interval| interval == Interval::Day) {
        let mut market_types = vec![market::history::CASH_MARKET];
        market_types.extend(with_fractional.then_some(market::history::FRACTIONAL_MARKET));
        let filter = Filter { symbols: symbols.to_vec(), market_types, ..Filter::default() };
        found.extend(history.coverage(&filter)?.into_iter().map(|listing| Stored {
            series: BarSeries { source: COTAHIST, symbol: listing.symbol, interval: Interval::Day },
            first: listing.first,
            last: listing.last,
            bars: listing.sessions,
        }));
    }
    let filter = BarFilter { symbols: symbols.to_vec(), sources: sources.to_vec(), ..BarFilter::default() };
    for coverage in history.bar_coverage(&filter)? {
        let series = coverage.series();
        if interval.is_none_or(|interval| interval == series.interval) {
            let (first, last) = (coverage.first.local_date(), coverage.last.local_date());
            found.push(Stored { series, first, last, bars: coverage.bars });
        }
    }
    found.sort_by_key(|stored| (stored.series.symbol, stored.series.interval, stored.series.source));
    found.dedup_by_key(|stored| stored.series);
    Ok(found)
}

/// The bars of a series in a range of sessions, both ends included; `clean`: without those in quarantine.
pub fn bars(
    history: &dyn History,
    series: BarSeries,
    from: Date,
    to: Date,
    clean: bool,
) -> Result<Vec<HistoryBar>, StoreError> {
    let BarSeries { source, symbol, interval } = series;
    if source == COTAHIST {
        let rows = if clean { history.clean_daily(symbol, from, to)? } else { history.daily(symbol, from, to)? };
        return Ok(rows.iter().filter_map(|row| as_bar(symbol, row)).collect());
    }
    let begin = midnight(from).unwrap_or(Timestamp::MIN);
    let end = to.succ_opt().and_then(midnight).map_or(Timestamp::MAX, |next| next.plus_nanos(-1));
    if clean {
        history.clean_bars(source, symbol, interval, begin, end)
    } else {
        history.bars(source, symbol, interval, begin, end)
    }
}

fn as_bar(symbol: Symbol, row: &DailyBarRow) -> Option<HistoryBar> {
    Some(HistoryBar {
        source: COTAHIST,
        symbol,
        interval: Interval::Day,
        begin: midnight(row.date)?,
        open: row.open,
        high: row.high,
        low: row.low,
        close: row.close,
        volume: row.volume,
        trades: Some(row.trades),
        turnover: Some(row.turnover),
        adjusted_close: None,
    })
}

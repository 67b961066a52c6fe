//! The way out: what takes many rows goes page by page, because each statement has its limit.

use chrono::{DateTime, Utc};
use market::history::{CASH_MARKET, FRACTIONAL_MARKET, HistoryBar};
use market::{DailyRecord, Date, IndexClose, Money, Price, Quantity, Symbol, Timestamp};
use tokio_postgres::Row;

use super::super::fault::Fault;
use super::super::server::{Parameter, Server, Session};
use super::copy::{bound, damaged, lower, timestamp, upper};
use super::fields::{count, fixed, isin, kind, number, price, small, symbol};
use super::{READ, bars};
use crate::error::StoreError;
use crate::history::{BarSeries, Coverage, DailyBarRow, Filter, InstrumentFacts, exact};

/// Rows of one page: some milliseconds, a megabyte or two.
const PAGE: usize = 10_000;

fn page() -> i64 {
    i64::try_from(PAGE).unwrap_or(i64::MAX)
}

/// Hands over each listing that the filter means, by symbol, market type and term, with what its
/// latest record tells. Kinds are filtered last, because only that record knows them.
pub(super) fn each_listing(
    server: &Server,
    filter: &Filter,
    mut visit: impl FnMut(Coverage, InstrumentFacts),
) -> Result<(), StoreError> {
    let mut after = (String::new(), 0, 0);
    loop {
        let (from, wanted) = (after.clone(), filter.clone());
        let some = server.call(READ, move |session| Box::pin(listings(session, from, wanted)))?;
        let full = some.len() == PAGE;
        for (coverage, facts) in some {
            after = (coverage.symbol.to_string(), coverage.market_type.into(), coverage.term_days.into());
            if filter.admits_kind(coverage.kind) {
                visit(coverage, facts);
            }
        }
        if !full {
            return Ok(());
        }
    }
}

async fn listings(
    session: &mut Session,
    after: (String, i32, i32),
    filter: Filter,
) -> Result<Vec<(Coverage, InstrumentFacts)>, Fault> {
    let symbols: Vec<&str> = filter.symbols.iter().map(Symbol::as_str).collect();
    let markets: Vec<i32> = filter.market_types.iter().map(|market| i32::from(*market)).collect();
    let limit = page();
    let mut with: Vec<Parameter<'_>> = vec![&after.0, &after.1, &after.2, &limit];
    let mut only = String::new();
    if !symbols.is_empty() {
        with.push(&symbols);
        only.push_str(&format!(" AND symbol = ANY(${})", with.len()));
    }
    if !markets.is_empty() {
        with.push(&markets);
        only.push_str(&format!(" AND market_type = ANY(${})", with.len()));
    }
    // The page first, then the latest record of each by its key.
    let select = format!(
        "SELECT listing.symbol, market_type, term_days, first_day, last_day, sessions, kind, isin, company,
             specification, quotation_factor
         FROM (SELECT * FROM listing WHERE (symbol, market_type, term_days) > ($1, $2, $3){only}
               ORDER BY symbol, market_type, term_days LIMIT $4) AS listing,
             LATERAL (SELECT * FROM daily_record WHERE listing = listing.id AND day = listing.last_day LIMIT 1) AS latest
         ORDER BY symbol, market_type, term_days"
    );
    let rows = session.client.query(&select, &with).await?;
    rows.iter().map(listing).collect()
}

fn listing(row: &Row) -> Result<(Coverage, InstrumentFacts), Fault> {
    let coverage = Coverage {
        symbol: symbol(row, 0)?,
        market_type: small(row, 1)?,
        term_days: small(row, 2)?,
        kind: kind(row, 6)?,
        first: row.try_get(3)?,
        last: row.try_get(4)?,
        sessions: count(row, 5)?,
    };
    let facts = InstrumentFacts {
        symbol: coverage.symbol,
        market_type: coverage.market_type,
        kind: coverage.kind,
        isin: isin(row, 7)?,
        company: fixed(row, 8)?,
        specification: fixed(row, 9)?,
        quotation_factor: number(row, 10)?,
        as_of: coverage.last,
    };
    Ok((coverage, facts))
}

pub(super) async fn daily(
    session: &mut Session,
    symbol: Symbol,
    from: Date,
    to: Date,
) -> Result<Vec<DailyBarRow>, Fault> {
    let markets = [CASH_MARKET, FRACTIONAL_MARKET].map(i32::from);
    let listings = session
        .rows(
            "SELECT id FROM listing WHERE symbol = $1 AND market_type = ANY($2)",
            &[&symbol.as_str(), &markets.as_slice()],
        )
        .await?;
    let mut bars = Vec::new();
    for listing in &listings {
        let id: i32 = listing.try_get(0)?;
        let rows = session
            .rows(
                "SELECT day, open, high, low, average, close, best_bid, best_ask, trades, quantity,
                     turnover_centavos, quotation_factor, distribution
                 FROM daily_record WHERE listing = $1 AND day BETWEEN $2 AND $3 ORDER BY day",
                &[&id, &bound(from), &bound(to)],
            )
            .await?;
        for row in &rows {
            bars.push(day_bar(row)?);
        }
    }
    // One ticker trades on one of the two, so this is in order already; it costs one pass.
    bars.sort_by_key(|bar| bar.date);
    Ok(bars)
}

fn day_bar(row: &Row) -> Result<DailyBarRow, Fault> {
    Ok(DailyBarRow {
        date: row.try_get(0)?,
        open: price(row, 1)?,
        high: price(row, 2)?,
        low: price(row, 3)?,
        average: price(row, 4)?,
        close: price(row, 5)?,
        best_bid: price(row, 6)?,
        best_ask: price(row, 7)?,
        trades: number(row, 8)?,
        volume: Quantity::new(row.try_get(9)?),
        turnover: Money::from_cents(row.try_get(10)?),
        quotation_factor: number(row, 11)?,
        distribution: small(row, 12)?,
    })
}

pub(super) fn records(
    server: &Server,
    symbol: Symbol,
    from: Date,
    to: Date,
    visit: &mut dyn FnMut(DailyRecord) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let listings = server.call(READ, move |session| Box::pin(listings_of(session, symbol)))?;
    for (id, market_type, term_days) in listings {
        let mut next = bound(from);
        loop {
            let (from, to) = (next, bound(to));
            let some = server.call(READ, move |session| {
                Box::pin(async move {
                    let rows = session.rows(RECORDS, &[&id, &from, &to, &page()]).await?;
                    rows.iter().map(|row| record(symbol, market_type, term_days, row)).collect::<Result<Vec<_>, _>>()
                })
            })?;
            let last = some.last().filter(|_| some.len() == PAGE).map(|record| record.date);
            some.into_iter().try_for_each(&mut *visit)?;
            match last.and_then(|last| last.succ_opt()) {
                Some(day) => next = day,
                None => break,
            }
        }
    }
    Ok(())
}

async fn listings_of(session: &mut Session, symbol: Symbol) -> Result<Vec<(i32, u16, u16)>, Fault> {
    let select = "SELECT id, market_type, term_days FROM listing WHERE symbol = $1 ORDER BY market_type, term_days";
    let rows = session.rows(select, &[&symbol.as_str()]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, small(row, 1)?, small(row, 2)?))).collect()
}

const RECORDS: &str = "SELECT day, open, high, low, average, close, best_bid, best_ask, trades, quantity,
         turnover_centavos, strike, strike_points, quotation_factor, strike_correction, bdi_code, distribution,
         expiry, kind, isin, company, specification
     FROM daily_record WHERE listing = $1 AND day BETWEEN $2 AND $3 ORDER BY day LIMIT $4";

fn record(symbol: Symbol, market_type: u16, term_days: u16, row: &Row) -> Result<DailyRecord, Fault> {
    Ok(DailyRecord {
        date: row.try_get(0)?,
        symbol,
        market_type,
        term_days,
        bdi_code: small(row, 15)?,
        kind: kind(row, 18)?,
        isin: isin(row, 19)?,
        company: fixed(row, 20)?,
        specification: fixed(row, 21)?,
        open: price(row, 1)?,
        high: price(row, 2)?,
        low: price(row, 3)?,
        average: price(row, 4)?,
        close: price(row, 5)?,
        best_bid: price(row, 6)?,
        best_ask: price(row, 7)?,
        trades: number(row, 8)?,
        quantity: Quantity::new(row.try_get(9)?),
        turnover: Money::from_cents(row.try_get(10)?),
        strike: price(row, 11)?,
        strike_correction: u8::try_from(small(row, 14)?).map_err(|_| damaged("correction of a strike"))?,
        expiry: row.try_get(17)?,
        quotation_factor: number(row, 13)?,
        strike_points: count(row, 12)?,
        distribution: small(row, 16)?,
    })
}

pub(super) async fn index_closes(
    session: &mut Session,
    index: String,
    from: Date,
    to: Date,
) -> Result<Vec<IndexClose>, Fault> {
    // No index has such a name, and the server would not take the text.
    if index.contains('\0') {
        return Ok(Vec::new());
    }
    let select = "SELECT day, close FROM index_close WHERE name = $1 AND day BETWEEN $2 AND $3 ORDER BY day";
    let rows = session.rows(select, &[&index, &bound(from), &bound(to)]).await?;
    rows.iter().map(|row| Ok(IndexClose { date: row.try_get(0)?, close: price(row, 1)? })).collect()
}

pub(super) async fn sessions(session: &mut Session, from: Date, to: Date) -> Result<Vec<Date>, Fault> {
    let select = "SELECT day FROM session WHERE day BETWEEN $1 AND $2 ORDER BY day";
    let rows = session.rows(select, &[&bound(from), &bound(to)]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

pub(super) fn each_bar(
    server: &Server,
    series: BarSeries,
    from: Timestamp,
    to: Timestamp,
    visit: &mut dyn FnMut(HistoryBar) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut next = lower(from);
    let to = upper(to);
    loop {
        let from = next;
        let some = server.call(READ, move |session| Box::pin(bars_of(session, series, from, to)))?;
        let last = some.last().filter(|_| some.len() == PAGE).map(|bar| bar.begin);
        some.into_iter().try_for_each(&mut *visit)?;
        match last {
            Some(last) => next = lower(last.plus_nanos(exact::TIME_STEP)),
            None => return Ok(()),
        }
    }
}

async fn bars_of(
    session: &mut Session,
    series: BarSeries,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<HistoryBar>, Fault> {
    let BarSeries { source, symbol, interval } = series;
    let known = session
        .rows(
            "SELECT id FROM bar_series WHERE source = $1 AND symbol = $2 AND interval = $3",
            &[&source.as_str(), &symbol.as_str(), &interval.to_string()],
        )
        .await?;
    let Some(known) = known.first() else { return Ok(Vec::new()) };
    let id: i32 = known.try_get(0)?;
    let rows = session.rows(bars::page(interval), &[&id, &from, &to, &page()]).await?;
    rows.iter().map(|row| bar(series, row)).collect()
}

fn bar(series: BarSeries, row: &Row) -> Result<HistoryBar, Fault> {
    let BarSeries { source, symbol, interval } = series;
    let trades = row.try_get::<_, Option<i64>>(6)?.map(u32::try_from).transpose();
    Ok(HistoryBar {
        source,
        symbol,
        interval,
        begin: timestamp(row.try_get(0)?)?,
        open: price(row, 1)?,
        high: price(row, 2)?,
        low: price(row, 3)?,
        close: price(row, 4)?,
        volume: Quantity::new(row.try_get(5)?),
        trades: trades.map_err(|_| damaged("number of trades"))?,
        turnover: row.try_get::<_, Option<i64>>(7)?.map(exact::turnover),
        adjusted_close: row.try_get::<_, Option<i64>>(8)?.map(Price::from_steps),
    })
}

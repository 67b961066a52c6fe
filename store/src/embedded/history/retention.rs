//! Removing what a policy no longer keeps, some rows at a time, so that an import or a reader never waits
//! long. SQLite uses the room again for later rows; the file does not shrink.

use rusqlite::{Connection, ToSql, Transaction, TransactionBehavior, params};

use market::{Date, Timestamp};

use super::super::database::Fault;
use super::super::row;
use crate::history::midnight;
use crate::history::retention::{HistoryTable, Removed, RetentionPolicy, TableSize, first_kept};

/// Rows of one transaction.
const AT_ONCE: i64 = 10_000;

/// How a table tells its age.
enum Age {
    /// By a column of days, `yyyymmdd`.
    Day(&'static str),
    /// By a column of times.
    Time(&'static str),
}

fn age(table: HistoryTable) -> Age {
    match table {
        HistoryTable::DailyRecord | HistoryTable::IndexClose | HistoryTable::IndexMember => Age::Day("day"),
        HistoryTable::CorporateAction => Age::Day("last_date_prior"),
        HistoryTable::BarDaily | HistoryTable::BarIntraday => Age::Time("begin"),
        HistoryTable::QualityMark => Age::Time("at"),
    }
}

/// The columns that find one row.
fn key(table: HistoryTable) -> &'static str {
    match table {
        HistoryTable::DailyRecord => "listing, day",
        HistoryTable::BarDaily | HistoryTable::BarIntraday => "series, begin",
        HistoryTable::IndexClose => "name, day",
        HistoryTable::IndexMember => "name, day, source, symbol",
        HistoryTable::CorporateAction => "id",
        HistoryTable::QualityMark => "symbol, interval, source, at, rule",
    }
}

pub(super) fn retain(
    connection: &mut Connection,
    policy: &RetentionPolicy,
    today: Date,
    dry_run: bool,
) -> Result<Vec<Removed>, Fault> {
    let mut removed = Vec::new();
    for (table, first) in first_kept(policy, today) {
        let Some(found) = look(connection, table, first)? else { continue };
        if !dry_run {
            remove(connection, table, first)?;
        }
        removed.push(found);
    }
    Ok(removed)
}

/// The column and the bound below which a row goes.
fn bound(table: HistoryTable, first: Date) -> (&'static str, i64) {
    match age(table) {
        Age::Day(column) => (column, row::day_bound(first)),
        // Before the years of a Timestamp there is nothing.
        Age::Time(column) => (column, midnight(first).map_or(i64::MIN, Timestamp::as_nanos)),
    }
}

fn look(connection: &Connection, table: HistoryTable, first: Date) -> Result<Option<Removed>, Fault> {
    let (column, bound) = bound(table, first);
    let name = table.name();
    let sql = match table {
        HistoryTable::DailyRecord => by_owner(
            name,
            "listing",
            column,
            "listing WHERE first_day < ?1",
            "(SELECT min(day) FROM session WHERE day >= ?1)",
        ),
        HistoryTable::BarDaily => by_owner(name, "series", column, "bar_series WHERE interval = '1d'", "min(later)"),
        HistoryTable::BarIntraday => {
            by_owner(name, "series", column, "bar_series WHERE interval <> '1d'", "min(later)")
        }
        _ => format!(
            "SELECT count(*) FILTER (WHERE {column} < ?1), min({column}),
                 max({column}) FILTER (WHERE {column} < ?1), min({column}) FILTER (WHERE {column} >= ?1)
             FROM {name}"
        ),
    };
    let (rows, from, to, kept): (i64, Option<i64>, Option<i64>, Option<i64>) =
        connection
            .query_row(&sql, [bound], |found| Ok((found.get(0)?, found.get(1)?, found.get(2)?, found.get(3)?)))?;
    let date = |value: i64| match age(table) {
        Age::Day(_) => row::date(value),
        Age::Time(_) => Ok(Timestamp::from_nanos(value).local_date()),
    };
    let Some((from, to)) = from.zip(to).filter(|_| rows > 0) else { return Ok(None) };
    Ok(Some(Removed {
        table,
        partition: None,
        from: date(from)?,
        to: date(to)?,
        rows: u64::try_from(rows).unwrap_or_default(),
        bytes: None,
        kept_from: kept.map(date).transpose()?,
    }))
}

/// Counts the rows before a bound owner by owner, along the key: all of them may be gigabytes.
fn by_owner(name: &str, owner: &str, column: &str, owners: &str, later: &str) -> String {
    let of =
        |what: &str, side: &str| format!("(SELECT {what} FROM {name} WHERE {owner} = owner.id AND {column} {side} ?1)");
    format!(
        "SELECT coalesce(sum(rows), 0), min(first), max(last), {later} FROM
             (SELECT {rows} AS rows, {first} AS first, {last} AS last, {next} AS later
              FROM (SELECT id FROM {owners}) AS owner)",
        rows = of("count(*)", "<"),
        first = of(&format!("min({column})"), "<"),
        last = of(&format!("max({column})"), "<"),
        next = of(&format!("min({column})"), ">="),
    )
}

fn remove(connection: &mut Connection, table: HistoryTable, first: Date) -> Result<(), Fault> {
    match table {
        HistoryTable::BarDaily | HistoryTable::BarIntraday => remove_bars(connection, table, first),
        HistoryTable::DailyRecord => remove_records(connection, first),
        _ => {
            let (column, bound) = bound(table, first);
            let (name, key) = (table.name(), key(table));
            let sql = format!(
                "DELETE FROM {name} WHERE ({key}) IN (SELECT {key} FROM {name} WHERE {column} < ?1 LIMIT {AT_ONCE})"
            );
            while connection.execute(&sql, [bound])? > 0 {}
            Ok(())
        }
    }
}

/// Series by series, each with what is known of it without a scan.
fn remove_bars(connection: &mut Connection, table: HistoryTable, first: Date) -> Result<(), Fault> {
    let (_, bound) = bound(table, first);
    let name = table.name();
    let minutes = i64::from(table == HistoryTable::BarIntraday);
    let series = numbers(
        connection,
        "SELECT id FROM bar_series WHERE first_begin < ?1 AND (interval <> '1d') = ?2",
        &[&bound, &minutes],
    )?;
    let delete = format!(
        "DELETE FROM {name} WHERE series = ?1 AND begin IN
             (SELECT begin FROM {name} WHERE series = ?1 AND begin < ?2 ORDER BY begin LIMIT {AT_ONCE})"
    );
    for id in series {
        loop {
            let transaction = begin(connection)?;
            let gone = transaction.prepare_cached(&delete)?.execute(params![id, bound])?;
            transaction
                .prepare_cached("UPDATE bar_series SET bars = bars - ?2 WHERE id = ?1")?
                .execute(params![id, gone as i64])?;
            transaction.execute("DELETE FROM bar_series WHERE id = ?1 AND bars = 0", [id])?;
            let earliest = format!(
                "UPDATE bar_series SET first_begin = (SELECT min(begin) FROM {name} WHERE series = ?1) WHERE id = ?1"
            );
            transaction.prepare_cached(&earliest)?.execute([id])?;
            transaction.commit()?;
            if gone == 0 {
                break;
            }
        }
    }
    Ok(())
}

/// Listing by listing, some of them in one transaction; the days go last.
fn remove_records(connection: &mut Connection, first: Date) -> Result<(), Fault> {
    let day = row::day_bound(first);
    let listings = numbers(connection, "SELECT id FROM listing WHERE first_day < ?1", &[&day])?;
    for some in listings.chunks(200) {
        let transaction = begin(connection)?;
        for id in some {
            let gone = transaction
                .prepare_cached("DELETE FROM daily_record WHERE listing = ?1 AND day < ?2")?
                .execute(params![id, day])?;
            transaction
                .prepare_cached("UPDATE listing SET sessions = sessions - ?2 WHERE id = ?1")?
                .execute(params![id, gone as i64])?;
            transaction.prepare_cached("DELETE FROM listing WHERE id = ?1 AND sessions = 0")?.execute([id])?;
            transaction
                .prepare_cached(
                    "UPDATE listing SET first_day = (SELECT min(day) FROM daily_record WHERE listing = ?1)
                     WHERE id = ?1",
                )?
                .execute([id])?;
            transaction
                .prepare_cached("DELETE FROM listing_isin WHERE listing = ?1 AND last_day < ?2")?
                .execute(params![id, day])?;
            transaction
                .prepare_cached(
                    "UPDATE listing_isin SET first_day = (SELECT min(day) FROM daily_record
                         WHERE listing = ?1 AND isin = listing_isin.isin)
                     WHERE listing = ?1 AND first_day < ?2",
                )?
                .execute(params![id, day])?;
        }
        transaction.commit()?;
    }
    connection.execute("DELETE FROM session WHERE day < ?1", [day])?;
    Ok(())
}

fn begin(connection: &mut Connection) -> Result<Transaction<'_>, Fault> {
    Ok(connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
}

fn numbers(connection: &Connection, sql: &str, with: &[&dyn ToSql]) -> Result<Vec<i64>, Fault> {
    let mut statement = connection.prepare(sql)?;
    let found = statement.query_map(with, |found| found.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Reads the header of every page: seconds per gigabyte on a slow disk.
pub(super) fn sizes(connection: &Connection) -> Result<Vec<TableSize>, Fault> {
    let mut statement = connection.prepare(
        "SELECT coalesce(tbl_name, dbstat.name), sum(pgsize) FROM dbstat
         LEFT JOIN sqlite_schema ON sqlite_schema.name = dbstat.name
         WHERE aggregate = TRUE GROUP BY 1 ORDER BY 1",
    )?;
    let sizes = statement.query_map([], |found| {
        Ok(TableSize { table: found.get(0)?, bytes: u64::try_from(found.get::<_, i64>(1)?).unwrap_or_default() })
    })?;
    Ok(sizes.collect::<Result<_, _>>()?)
}

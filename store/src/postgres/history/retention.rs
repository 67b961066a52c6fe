//! Removing what a policy no longer keeps: whole parts where every row of one is too old, the rest some
//! rows at a time. Each step is a transaction of its own that also keeps what is known without a scan.
//!
//! On TimescaleDB all rows go some at a time: its own way to drop a chunk could not be tried.

use std::collections::BTreeSet;

use market::{Date, Timestamp};
use tokio_postgres::{Client, Row};

use super::super::fault::Fault;
use super::copy::{bound, timestamp};
use super::partitions::{Part, Parted, Partitions, is_native, parts};
use super::{daily, running};
use crate::history::midnight;
use crate::history::retention::{HistoryTable, Removed, TableSize};

/// Rows that one statement removes.
const AT_ONCE: i64 = 10_000;

/// Longest that a part waits for its readers to leave; they would wait behind it.
const LOCK_LIMIT: &str = "SET LOCAL lock_timeout = '5s'";

/// The column that tells the age of a row.
const fn age(table: HistoryTable) -> &'static str {
    match table {
        HistoryTable::DailyRecord | HistoryTable::IndexClose | HistoryTable::IndexMember => "day",
        HistoryTable::CorporateAction => "last_date_prior",
        HistoryTable::BarDaily | HistoryTable::BarIntraday => "begin",
        HistoryTable::QualityMark => "at",
    }
}

const fn parted(table: HistoryTable) -> Option<Parted> {
    match table {
        HistoryTable::DailyRecord => Some(Parted::DailyRecord),
        HistoryTable::BarDaily => Some(Parted::BarDaily),
        HistoryTable::BarIntraday => Some(Parted::BarIntraday),
        _ => None,
    }
}

/// A bound as text of SQL: a date, or its midnight in São Paulo.
fn literal(table: HistoryTable, first: Date) -> String {
    let day = bound(first);
    match age(table) {
        "begin" | "at" => {
            let at = midnight(day).unwrap_or(Timestamp::MIN);
            format!("timestamptz '{}'", at.utc().format("%Y-%m-%d %H:%M:%S+00"))
        }
        // Year 0 is 1 BC there.
        _ if day < Date::from_ymd_opt(1, 1, 1).unwrap_or(day) => "date '-infinity'".to_owned(),
        _ => format!("date '{}'", day.format("%Y-%m-%d")),
    }
}

pub(super) async fn retain(
    client: &mut Client,
    place: String,
    policy: Vec<(HistoryTable, Date)>,
    dry_run: bool,
) -> Result<Vec<Removed>, Fault> {
    let mut removed = Vec::new();
    for (table, first) in policy {
        let kept_from = kept_from(client, table, first).await?;
        for (target, whole) in targets(client, table, first).await? {
            let Some(found) = look(client, table, &target, first, kept_from).await? else { continue };
            let found = if whole {
                let bytes = size(client, &target).await?;
                Removed { partition: Some(target.clone()), bytes: Some(bytes), ..found }
            } else {
                found
            };
            if !dry_run && whole {
                drop_part(client, &place, table, &target).await?;
            } else if !dry_run {
                while remove_some(client, &place, table, &target, first).await? > 0 {}
            }
            removed.push(found);
        }
    }
    Ok(removed)
}

/// The tables to look into, and whether each goes whole.
async fn targets(client: &Client, table: HistoryTable, first: Date) -> Result<Vec<(String, bool)>, Fault> {
    let own = || vec![(table.name().to_owned(), false)];
    let Some(parted) = parted(table) else { return Ok(own()) };
    if !is_native(client).await? {
        return Ok(own());
    }
    let mut targets: Vec<(Part, bool)> = Vec::new();
    for part in parts(client, parted).await? {
        // A part of bars ends at midnight by UTC, which is before São Paulo's.
        if part.from < first || part.until() <= first {
            targets.push((part, part.until() <= first));
        } else if part.from == first && parted != Parted::DailyRecord {
            // The last evening before it may reach in.
            targets.push((part, false));
        }
    }
    targets.sort_unstable_by_key(|(part, _)| part.from);
    Ok(targets.into_iter().map(|(part, whole)| (part.name(), whole)).collect())
}

fn date_of(table: HistoryTable, row: &Row, column: usize) -> Result<Option<Date>, Fault> {
    match age(table) {
        "begin" | "at" => {
            let at: Option<chrono::DateTime<chrono::Utc>> = row.try_get(column)?;
            at.map(|at| Ok(timestamp(at)?.local_date())).transpose()
        }
        _ => Ok(row.try_get(column)?),
    }
}

async fn kept_from(client: &Client, table: HistoryTable, first: Date) -> Result<Option<Date>, Fault> {
    let (name, column, limit) = (table.name(), age(table), literal(table, first));
    // By what is known of days and series: the rows themselves have no index that begins with their time.
    let select = match table {
        HistoryTable::DailyRecord => format!("SELECT min(day) FROM session WHERE day >= {limit}"),
        HistoryTable::BarDaily | HistoryTable::BarIntraday => format!(
            "SELECT min(earliest) FROM bar_series,
                 LATERAL (SELECT min(begin) AS earliest FROM {name} WHERE series = id AND begin >= {limit}) AS left_over"
        ),
        _ => format!("SELECT min({column}) FROM {name} WHERE {column} >= {limit}"),
    };
    let row = client.query_one(&select, &[]).await?;
    date_of(table, &row, 0)
}

async fn look(
    client: &Client,
    table: HistoryTable,
    target: &str,
    first: Date,
    kept_from: Option<Date>,
) -> Result<Option<Removed>, Fault> {
    let (column, limit) = (age(table), literal(table, first));
    let select = format!("SELECT count(*), min({column}), max({column}) FROM {target} WHERE {column} < {limit}");
    let row = client.query_one(&select, &[]).await?;
    let (from, to) = (date_of(table, &row, 1)?, date_of(table, &row, 2)?);
    let Some((from, to)) = from.zip(to) else { return Ok(None) };
    let rows = u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or_default();
    Ok(Some(Removed { table, partition: None, from, to, rows, bytes: None, kept_from }))
}

async fn size(client: &Client, target: &str) -> Result<u64, Fault> {
    let row = client.query_one(&format!("SELECT pg_total_relation_size('{target}')"), &[]).await?;
    Ok(u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or_default())
}

/// A whole part, at once.
async fn drop_part(client: &Client, place: &str, table: HistoryTable, part: &str) -> Result<(), Fault> {
    running::begin(client, place.to_owned()).await?;
    client.batch_execute(LOCK_LIMIT).await?;
    let owner = if table == HistoryTable::DailyRecord { "listing" } else { "series" };
    let gone = client.query(&format!("SELECT {owner}, count(*) FROM {part} GROUP BY {owner}"), &[]).await?;
    let days = if table == HistoryTable::DailyRecord {
        client.query(&format!("SELECT day, count(*) FROM {part} GROUP BY day"), &[]).await?
    } else {
        Vec::new()
    };
    client.batch_execute(&format!("DROP TABLE {part}")).await?;
    settle(client, table, &gone, &days).await?;
    Ok(client.batch_execute("COMMIT").await?)
}

/// Some rows, and how many they were.
async fn remove_some(
    client: &Client,
    place: &str,
    table: HistoryTable,
    target: &str,
    first: Date,
) -> Result<u64, Fault> {
    let (column, limit) = (age(table), literal(table, first));
    let key = match table {
        HistoryTable::DailyRecord => "listing, day",
        HistoryTable::BarDaily | HistoryTable::BarIntraday => "series, begin",
        _ => {
            let delete = format!(
                "DELETE FROM {target} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {target} WHERE {column} < {limit}
                     LIMIT {AT_ONCE}))"
            );
            return Ok(client.execute(&delete, &[]).await?);
        }
    };
    running::begin(client, place.to_owned()).await?;
    let delete = format!(
        "WITH gone AS (
             DELETE FROM {target} WHERE ({key}) IN
                 (SELECT {key} FROM {target} WHERE {column} < {limit} LIMIT {AT_ONCE})
             RETURNING {key}
         )"
    );
    let (owner, age) = key.split_once(", ").unwrap_or((key, column));
    let rows = client
        .query(
            &format!("{delete} SELECT {owner}, {age}, count(*) FROM gone GROUP BY GROUPING SETS (({owner}), ({age}))"),
            &[],
        )
        .await?;
    let (mut gone, mut days) = (Vec::new(), Vec::new());
    for row in rows {
        if row.try_get::<_, Option<i32>>(0)?.is_some() { gone.push(row) } else { days.push(row) }
    }
    let mut removed = 0;
    for row in &gone {
        removed += u64::try_from(row.try_get::<_, i64>(2)?).unwrap_or_default();
    }
    if removed > 0 {
        let days = if table == HistoryTable::DailyRecord { days } else { Vec::new() };
        settle(client, table, &gone, &days).await?;
    }
    client.batch_execute("COMMIT").await?;
    Ok(removed)
}

/// Keeps listings, days and series at what is left. The last column of each row is how many went.
async fn settle(client: &Client, table: HistoryTable, gone: &[Row], days: &[Row]) -> Result<(), Fault> {
    let mut ids: Vec<i32> = Vec::new();
    let mut counts: Vec<i64> = Vec::new();
    for row in gone {
        ids.push(row.try_get(0)?);
        counts.push(row.try_get(row.len() - 1)?);
    }
    if table != HistoryTable::DailyRecord {
        client
            .execute(
                "UPDATE bar_series SET bars = bar_series.bars - gone.bars FROM unnest($1::int[], $2::bigint[]) AS gone (id, bars)
                 WHERE bar_series.id = gone.id",
                &[&ids, &counts],
            )
            .await?;
        client.execute("DELETE FROM bar_series WHERE id = ANY($1) AND bars = 0", &[&ids]).await?;
        let first = format!(
            "UPDATE bar_series SET first_begin = (SELECT min(begin) FROM {} WHERE series = id) WHERE id = ANY($1)",
            table.name()
        );
        client.execute(&first, &[&ids]).await?;
        return Ok(());
    }
    let mut dates: Vec<Date> = Vec::new();
    let mut records: Vec<i64> = Vec::new();
    for row in days {
        dates.push(row.try_get(if row.len() == 2 { 0 } else { 1 })?);
        records.push(row.try_get(row.len() - 1)?);
    }
    client
        .execute(
            "UPDATE session SET records = session.records - gone.records
             FROM unnest($1::date[], $2::bigint[]) AS gone (day, records) WHERE session.day = gone.day",
            &[&dates, &records],
        )
        .await?;
    client.execute("DELETE FROM session WHERE day = ANY($1) AND records = 0", &[&dates]).await?;
    client
        .execute(
            "UPDATE listing SET sessions = listing.sessions - gone.sessions
             FROM unnest($1::int[], $2::bigint[]) AS gone (id, sessions) WHERE listing.id = gone.id",
            &[&ids, &counts],
        )
        .await?;
    client.execute("DELETE FROM listing WHERE id = ANY($1) AND sessions = 0", &[&ids]).await?;
    client
        .execute(
            "UPDATE listing SET first_day = (SELECT min(day) FROM daily_record WHERE listing = id)
             WHERE id = ANY($1)",
            &[&ids],
        )
        .await?;
    let cash: Vec<i32> = client
        .query("SELECT DISTINCT listing FROM listing_isin WHERE listing = ANY($1)", &[&ids])
        .await?
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    daily::count_isins_anew(client, &cash).await
}

/// What each table takes, parts and indexes included.
pub(super) async fn sizes(client: &Client) -> Result<Vec<TableSize>, Fault> {
    let mut sizes = Vec::new();
    let others = ["import", "listing", "listing_isin", "session", "bar_series"];
    for name in HistoryTable::ALL.iter().map(|table| table.name()).chain(others) {
        // The parts of a hypertable inherit from it as well, by another name.
        let select = format!(
            "WITH RECURSIVE tree AS (
                 SELECT '{name}'::regclass::oid AS id
                 UNION ALL SELECT inhrelid FROM tree JOIN pg_inherits ON inhparent = tree.id
             ) SELECT coalesce(sum(pg_total_relation_size(id)), 0)::bigint FROM tree"
        );
        let bytes: i64 = client.query_one(&select, &[]).await?.try_get(0)?;
        sizes.push(TableSize { table: name.to_owned(), bytes: u64::try_from(bytes).unwrap_or_default() });
    }
    Ok(sizes)
}

/// Makes the parts of today and of the time after it.
pub(super) async fn prepare(client: &mut Client, place: String, today: Date) -> Result<Vec<String>, Fault> {
    running::begin(client, place).await?;
    let now = Parted::ALL.map(|table| table.part(today));
    let wanted: BTreeSet<Part> = now.into_iter().chain(now.map(Part::next)).collect();
    let made = Partitions::look(client).await?.make(client, &wanted).await?;
    client.batch_execute("COMMIT").await?;
    Ok(made)
}

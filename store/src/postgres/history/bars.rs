//! Bars of a running import, by the same two ways as daily records.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use market::history::{HistoryBar, Interval};
use market::{Price, Timestamp};
use tokio_postgres::Client;

use super::super::fault::Fault;
use super::copy::{Rows, lower, upper};
use super::partitions::{Part, Parted, Partitions};
use crate::history::{BarSeries, ImportCounts, exact};

/// What two rows of a key may differ in.
const VALUES: &str = "open, high, low, close, volume, trades, turnover, adjusted_close";
/// Key, import and values.
const COLUMNS: i16 = 11;

/// What this import knows of a series.
struct Series {
    id: i32,
    first: Timestamp,
    last: Timestamp,
    inserted: i64,
}

#[derive(Default)]
pub(super) struct BarRows {
    series: HashMap<BarSeries, Series>,
    merging: BTreeSet<Parted>,
}

impl BarRows {
    pub(super) async fn take(
        &mut self,
        client: &Client,
        partitions: &mut Partitions,
        import: i64,
        rows: &[(HistoryBar, Option<i64>)],
        counts: &mut ImportCounts,
    ) -> Result<(), Fault> {
        self.number(client, rows).await?;
        for table in [Parted::BarDaily, Parted::BarIntraday] {
            let own: Vec<_> = rows.iter().filter(|(bar, _)| Parted::of(bar.interval) == table).copied().collect();
            if !own.is_empty() {
                self.take_into(table, client, partitions, import, &own, counts).await?;
            }
        }
        Ok(())
    }

    async fn take_into(
        &mut self,
        table: Parted,
        client: &Client,
        partitions: &mut Partitions,
        import: i64,
        rows: &[(HistoryBar, Option<i64>)],
        counts: &mut ImportCounts,
    ) -> Result<(), Fault> {
        let parts: BTreeSet<_> = rows.iter().map(|(bar, _)| Part::of(table, bar.begin)).collect();
        partitions.make(client, &parts).await?;
        let (name, staged) = (table.name(), format!("staged_{}", table.name()));
        if !self.merging.contains(&table) {
            if self.encoded(rows, import).send_if_new(client, &copy_into(name)).await? {
                for (bar, _) in rows {
                    self.inserted(&exact::series_of(bar), bar.begin);
                }
                counts.inserted += rows.len() as u64;
                return Ok(());
            }
            client.batch_execute(&format!("CREATE TEMP TABLE {staged} (LIKE {name}) ON COMMIT DROP")).await?;
            self.merging.insert(table);
        }
        self.encoded(rows, import).send(client, &copy_into(&staged)).await?;
        let ids: HashMap<i32, BarSeries> = self.series.iter().map(|(series, known)| (known.id, *series)).collect();
        let insert = format!(
            "INSERT INTO {name} SELECT * FROM {staged} ON CONFLICT (series, begin) DO NOTHING RETURNING series, begin"
        );
        let inserted = client.query(&insert, &[]).await?;
        for row in &inserted {
            let begin = super::copy::timestamp(row.try_get(1)?)?;
            if let Some(series) = ids.get(&row.try_get::<_, i32>(0)?) {
                self.inserted(series, begin);
            }
        }
        let begins = rows.iter().map(|(bar, _)| bar.begin);
        let first: DateTime<Utc> = lower(begins.clone().min().unwrap_or_default());
        let last: DateTime<Utc> = upper(begins.max().unwrap_or_default());
        let updated = client.execute(&update(name, &staged), &[&first, &last]).await?;
        client.batch_execute(&format!("TRUNCATE {staged}")).await?;
        counts.inserted += inserted.len() as u64;
        counts.updated += updated;
        counts.unchanged += (rows.len() - inserted.len()) as u64 - updated;
        Ok(())
    }

    fn inserted(&mut self, series: &BarSeries, begin: Timestamp) {
        if let Some(known) = self.series.get_mut(series) {
            known.inserted += 1;
            (known.first, known.last) = (known.first.min(begin), known.last.max(begin));
        }
    }

    /// Learns the numbers of series that this import has not met yet; gives them to new ones.
    async fn number(&mut self, client: &Client, rows: &[(HistoryBar, Option<i64>)]) -> Result<(), Fault> {
        let mut new: BTreeMap<BarSeries, Timestamp> = BTreeMap::new();
        for (bar, _) in rows {
            let series = exact::series_of(bar);
            if !self.series.contains_key(&series) {
                new.entry(series).or_insert(bar.begin);
            }
        }
        for (series, begin) in new {
            let (source, symbol) = (series.source.as_str(), series.symbol.as_str());
            let (interval, at) = (series.interval.to_string(), begin.utc());
            // Times are set here and widened at the end: a new series always gets this bar.
            let row = client
                .query_one(
                    "WITH added AS (
                         INSERT INTO bar_series (source, symbol, interval, first_begin, last_begin, bars)
                         VALUES ($1, $2, $3, $4, $4, 0) ON CONFLICT DO NOTHING RETURNING id
                     )
                     SELECT id FROM added UNION ALL
                     SELECT id FROM bar_series WHERE source = $1 AND symbol = $2 AND interval = $3",
                    &[&source, &symbol, &interval, &at],
                )
                .await?;
            self.series.insert(series, Series { id: row.try_get(0)?, first: begin, last: begin, inserted: 0 });
        }
        Ok(())
    }

    fn encoded(&self, bars: &[(HistoryBar, Option<i64>)], import: i64) -> Rows {
        let mut rows = Rows::new();
        for (bar, turnover) in bars {
            let Some(series) = self.series.get(&exact::series_of(bar)) else { continue };
            rows.row(COLUMNS);
            rows.integer(series.id);
            rows.moment(bar.begin);
            rows.bigint(import);
            for price in [bar.open, bar.high, bar.low, bar.close] {
                rows.bigint(price.steps());
            }
            rows.bigint(bar.volume.units());
            rows.maybe_bigint(bar.trades.map(i64::from));
            rows.maybe_bigint(*turnover);
            rows.maybe_bigint(bar.adjusted_close.map(Price::steps));
        }
        rows
    }

    pub(super) async fn finish(&self, client: &Client) -> Result<(), Fault> {
        let grown: Vec<&Series> = self.series.values().filter(|series| series.inserted > 0).collect();
        let ids: Vec<i32> = grown.iter().map(|series| series.id).collect();
        let first: Vec<DateTime<Utc>> = grown.iter().map(|series| series.first.utc()).collect();
        let last: Vec<DateTime<Utc>> = grown.iter().map(|series| series.last.utc()).collect();
        let inserted: Vec<i64> = grown.iter().map(|series| series.inserted).collect();
        client
            .execute(
                "UPDATE bar_series SET first_begin = least(first_begin, given.first),
                     last_begin = greatest(last_begin, given.last), bars = bar_series.bars + given.inserted
                 FROM unnest($1::int[], $2::timestamptz[], $3::timestamptz[], $4::bigint[])
                     AS given (id, first, last, inserted)
                 WHERE bar_series.id = given.id",
                &[&ids, &first, &last, &inserted],
            )
            .await?;
        Ok(())
    }
}

fn copy_into(table: &str) -> String {
    format!("COPY {table} (series, begin, import, {VALUES}) FROM STDIN BINARY")
}

/// The bounds let the server look only at the parts that matter.
fn update(table: &str, staged: &str) -> String {
    let of = |table: &str| VALUES.split(", ").map(|column| format!("{table}.{column}")).collect::<Vec<_>>().join(", ");
    let (old, new) = (of(table), of(staged));
    format!(
        "UPDATE {table} SET (import, {VALUES}) = ROW({staged}.import, {new}) FROM {staged}
         WHERE {table}.series = {staged}.series AND {table}.begin = {staged}.begin
             AND {table}.begin BETWEEN $1 AND $2 AND ({old}) IS DISTINCT FROM ({new})"
    )
}

/// The statement that reads a page of bars.
pub(super) const fn page(interval: Interval) -> &'static str {
    match interval {
        Interval::Day => {
            "SELECT begin, open, high, low, close, volume, trades, turnover, adjusted_close FROM bar_daily
             WHERE series = $1 AND begin BETWEEN $2 AND $3 ORDER BY begin LIMIT $4"
        }
        Interval::Minutes(_) => {
            "SELECT begin, open, high, low, close, volume, trades, turnover, adjusted_close FROM bar_intraday
             WHERE series = $1 AND begin BETWEEN $2 AND $3 ORDER BY begin LIMIT $4"
        }
    }
}

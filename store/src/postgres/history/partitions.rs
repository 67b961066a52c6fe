//! The parts of the three large tables: by year for days, by month for minutes.
//!
//! A part is made beside its table and then attached, which lets readers read on; made as a part at
//! once it would lock them out until the import ends.

use std::collections::{BTreeSet, HashSet};

use chrono::Datelike;
use market::history::Interval;
use market::{Date, Timestamp};
use tokio_postgres::Client;

use super::super::fault::Fault;

/// A table that has parts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Parted {
    DailyRecord,
    BarDaily,
    BarIntraday,
}

/// What one part holds; the first day of its year or month.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Part {
    pub(super) table: Parted,
    pub(super) from: Date,
}

/// The parts that are there; none are needed on TimescaleDB, which makes its own.
pub(super) struct Partitions {
    native: bool,
    known: HashSet<String>,
}

impl Parted {
    pub(super) const ALL: [Self; 3] = [Self::DailyRecord, Self::BarDaily, Self::BarIntraday];

    pub(super) const fn of(interval: Interval) -> Self {
        match interval {
            Interval::Day => Self::BarDaily,
            Interval::Minutes(_) => Self::BarIntraday,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::DailyRecord => "daily_record",
            Self::BarDaily => "bar_daily",
            Self::BarIntraday => "bar_intraday",
        }
    }

    /// The part of this name, if a part of this table can have it.
    fn named(self, name: &str) -> Option<Part> {
        let when = name.strip_prefix(self.name())?.strip_prefix('_')?;
        let (year, month) = when.split_once('_').unwrap_or((when, "01"));
        let part = self.part(Date::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, 1)?);
        Some(part).filter(|part| part.name() == name)
    }

    /// The part for a day; for a time its day by UTC, as the bounds are.
    pub(super) fn part(self, day: Date) -> Part {
        let month = if self == Self::BarIntraday { day.month() } else { 1 };
        Part { table: self, from: Date::from_ymd_opt(day.year(), month, 1).unwrap_or(day) }
    }
}

impl Part {
    pub(super) fn of(table: Parted, at: Timestamp) -> Self {
        table.part(at.utc().date_naive())
    }

    /// The first day that is not in it.
    pub(super) fn until(self) -> Date {
        let (year, month) = (self.from.year(), self.from.month());
        let next = match self.table {
            Parted::BarIntraday if month < 12 => Date::from_ymd_opt(year, month + 1, 1),
            _ => Date::from_ymd_opt(year + 1, 1, 1),
        };
        next.unwrap_or(Date::MAX)
    }

    pub(super) fn next(self) -> Self {
        self.table.part(self.until())
    }

    /// `daily_record_2017`, `bar_intraday_2017_12`.
    pub(super) fn name(self) -> String {
        let (table, year) = (self.table.name(), self.from.year());
        match self.table {
            Parted::BarIntraday => format!("{table}_{year:04}_{:02}", self.from.month()),
            _ => format!("{table}_{year:04}"),
        }
    }

    fn bound(self, day: Date) -> String {
        let date = format!("{:04}-{:02}-{:02}", day.year(), day.month(), day.day());
        if self.table == Parted::DailyRecord { date } else { format!("{date} 00:00:00+00") }
    }

    fn sql(self) -> String {
        let (name, table) = (self.name(), self.table.name());
        let (from, until) = (self.bound(self.from), self.bound(self.until()));
        format!(
            "CREATE TABLE {name} (LIKE {table} INCLUDING ALL);
             COMMENT ON TABLE {name} IS 'Rows of {table} from {from} until before {until}.';
             ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{from}') TO ('{until}');"
        )
    }
}

impl Partitions {
    pub(super) async fn look(client: &Client) -> Result<Self, Fault> {
        let native = is_native(client).await?;
        let rows = client
            .query(
                "SELECT part.relname FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid
                 WHERE inhparent = ANY(ARRAY['daily_record', 'bar_daily', 'bar_intraday']::regclass[])",
                &[],
            )
            .await?;
        let known = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        Ok(Self { native, known })
    }

    /// Makes those that are missing, and tells their names.
    pub(super) async fn make(&mut self, client: &Client, parts: &BTreeSet<Part>) -> Result<Vec<String>, Fault> {
        let mut made = Vec::new();
        for part in parts {
            let name = part.name();
            if self.native && !self.known.contains(&name) {
                client.batch_execute(&part.sql()).await?;
                self.known.insert(name.clone());
                made.push(name);
            }
        }
        Ok(made)
    }
}

/// The parts of a table that are there.
pub(super) async fn parts(client: &Client, table: Parted) -> Result<Vec<Part>, Fault> {
    let select = "SELECT part.relname FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid
         WHERE inhparent = $1::text::regclass";
    let rows = client.query(select, &[&table.name()]).await?;
    let mut parts = Vec::new();
    for row in &rows {
        let name: &str = row.try_get(0)?;
        // One that somebody else attached is not ours to judge.
        parts.extend(table.named(name));
    }
    Ok(parts)
}

/// What the migration chose.
pub(super) async fn storage(client: &Client) -> Result<String, Fault> {
    let row = client.query_one("SELECT value FROM meta WHERE key = 'history_storage'", &[]).await?;
    Ok(row.try_get(0)?)
}

pub(super) async fn is_native(client: &Client) -> Result<bool, Fault> {
    Ok(!storage(client).await?.starts_with("TimescaleDB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_one_another() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        for (table, on, name, from, until) in [
            (Parted::DailyRecord, "2017-12-31", "daily_record_2017", "2017-01-01", "2018-01-01"),
            (Parted::BarDaily, "0001-01-01", "bar_daily_0001", "0001-01-01", "0002-01-01"),
            (Parted::BarIntraday, "2017-12-31", "bar_intraday_2017_12", "2017-12-01", "2018-01-01"),
            (Parted::BarIntraday, "2018-01-01", "bar_intraday_2018_01", "2018-01-01", "2018-02-01"),
        ] {
            let part = table.part(day(on));
            assert_eq!((part.name().as_str(), part.from, part.until()), (name, day(from), day(until)));
            assert_eq!(part.next().from, part.until());
            assert_eq!(table.named(name), Some(part));
        }
    }
}

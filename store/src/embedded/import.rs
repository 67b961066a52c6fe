//! A running import into `history.db`: one transaction, statements prepared once.
//!
//! Memory is bounded by the page cache, the records that wait to be written, and what is needed to
//! tell a repeated line: about 100 bytes per listing of the file and 4 to 8 per row.

mod bars;
mod daily;
mod events;

use std::path::Path;

use rusqlite::{Connection, Statement, Transaction, TransactionBehavior, params};

use market::history::{CorporateAction, HistoryBar, IndexMember, SourceName};
use market::{DailyRecord, IndexClose};

use super::database::Fault;
use crate::error::StoreError;
use crate::history::seen::Seen;
use crate::history::{Import, ImportCounts, ImportSource, exact};
use bars::BarImport;
pub(super) use bars::table as bars_table;
use daily::DailyImport;
use events::EventImport;

/// What became of one row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Inserted,
    Unchanged,
    Updated,
    Outranked,
}

pub(super) struct EmbeddedImport<'a> {
    daily: DailyImport<'a>,
    bars: BarImport<'a>,
    events: EventImport<'a>,
    /// Rolls back when dropped.
    transaction: Transaction<'a>,
    connection: &'a Connection,
    path: &'a Path,
    id: i64,
    source: SourceName,
    seen: Seen,
    counts: ImportCounts,
    /// Something failed below: SQLite may have rolled back already, and what followed would
    /// otherwise be written on its own.
    failed: bool,
}

impl<'a> EmbeddedImport<'a> {
    pub(super) fn begin(connection: &'a Connection, path: &'a Path, source: &ImportSource) -> Result<Self, Fault> {
        // Unchecked, because the statements borrow the connection too. The caller has it to
        // himself while this lives.
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        transaction.execute(
            "INSERT INTO import (name, kind, source, size, sha256, at, inserted, unchanged, updated, outranked)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, 0, 0)",
            params![
                source.name,
                source.kind,
                source.source.as_str(),
                i64::try_from(source.size).unwrap_or(i64::MAX),
                source.sha256.as_ref().map(|digest| digest.as_bytes()),
                source.at.as_nanos()
            ],
        )?;
        Ok(Self {
            id: transaction.last_insert_rowid(),
            daily: DailyImport::begin(connection)?,
            bars: BarImport::begin(connection)?,
            events: EventImport::begin(connection)?,
            transaction,
            connection,
            path,
            source: source.source,
            seen: Seen::default(),
            counts: ImportCounts::default(),
            failed: false,
        })
    }

    /// Runs one step unless an earlier one failed below.
    fn step(&mut self, take: impl FnOnce(&mut Self) -> Result<(), Fault>) -> Result<(), StoreError> {
        self.usable()?;
        let taken = take(self);
        self.failed = matches!(taken, Err(Fault::Sql(_)));
        taken.map_err(|fault| fault.at(self.path, "import a row"))
    }

    fn usable(&self) -> Result<(), StoreError> {
        if !self.failed {
            return Ok(());
        }
        Err(StoreError::Failed {
            place: self.path.display().to_string(),
            doing: "go on with an import that failed",
            source: "an earlier row could not be written, and nothing of this import was kept".into(),
        })
    }
}

impl Import for EmbeddedImport<'_> {
    fn daily(&mut self, record: &DailyRecord) -> Result<(), StoreError> {
        self.step(|import| import.daily.take(record, import.id, &mut import.counts))
    }

    fn bar(&mut self, bar: &HistoryBar) -> Result<(), StoreError> {
        self.step(|import| {
            let turnover = exact::bar(bar)?;
            import.seen.bar(bar)?;
            let change = import.bars.take(bar, turnover, import.id)?;
            import.counts.count(change);
            Ok(())
        })
    }

    fn index_close(&mut self, index: &str, close: &IndexClose) -> Result<(), StoreError> {
        self.step(|import| {
            exact::index_close(index, close)?;
            import.seen.index_close(index, close)?;
            let change = import.events.index_close(index, close, import.source, import.id)?;
            import.counts.count(change);
            Ok(())
        })
    }

    fn index_member(&mut self, member: &IndexMember) -> Result<(), StoreError> {
        self.step(|import| {
            exact::member(member)?;
            import.seen.member(member)?;
            let change = import.events.member(member, import.source, import.id)?;
            import.counts.count(change);
            Ok(())
        })
    }

    fn corporate_action(&mut self, action: &CorporateAction) -> Result<(), StoreError> {
        self.step(|import| {
            exact::action(action)?;
            import.seen.action(action)?;
            let change = import.events.action(action, import.id)?;
            import.counts.count(change);
            Ok(())
        })
    }

    fn commit(mut self: Box<Self>) -> Result<ImportCounts, StoreError> {
        self.step(|import| {
            import.daily.finish(import.id, &mut import.counts)?;
            import.bars.finish()
        })?;
        let Self { transaction, connection, path, id, counts, .. } = *self;
        finish(transaction, id, counts).map_err(|fault| fault.at(path, "commit an import"))?;
        // Moves the write-ahead log, as large as the import, into the file and empties it. The
        // import is durable without that: a reader in the way only leaves it to the next commit.
        let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        Ok(counts)
    }
}

impl ImportCounts {
    fn count(&mut self, change: Change) {
        match change {
            Change::Inserted => self.inserted += 1,
            Change::Unchanged => self.unchanged += 1,
            Change::Updated => self.updated += 1,
            Change::Outranked => self.outranked += 1,
        }
    }
}

/// Two statements with the same parameters, bound by the caller: one takes a row whose key is free,
/// the other replaces what is there if it differs.
struct Upsert<'a> {
    insert: Statement<'a>,
    update: Statement<'a>,
}

impl Upsert<'_> {
    fn put(&mut self, bind: impl Fn(&mut Statement<'_>) -> rusqlite::Result<()>) -> Result<Change, Fault> {
        bind(&mut self.insert)?;
        if self.insert.raw_execute()? == 1 {
            return Ok(Change::Inserted);
        }
        bind(&mut self.update)?;
        Ok(if self.update.raw_execute()? == 1 { Change::Updated } else { Change::Unchanged })
    }
}

fn finish(transaction: Transaction<'_>, id: i64, counts: ImportCounts) -> Result<(), Fault> {
    let count = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
    transaction.execute(
        "UPDATE import SET inserted = ?2, unchanged = ?3, updated = ?4, outranked = ?5 WHERE id = ?1",
        params![id, count(counts.inserted), count(counts.unchanged), count(counts.updated), count(counts.outranked)],
    )?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests;

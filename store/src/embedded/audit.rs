//! The audit in `pregao.db`.

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use market::Timestamp;

use super::database::{Database, Fault, is_damage};
use crate::audit::{Audit, AuditHead, AuditRecord, AuditRow, LONGEST_PAGE};
use crate::digest::Digest;
use crate::error::StoreError;
use crate::journal::Break;

/// Audit in a data directory.
#[derive(Debug)]
pub struct EmbeddedAudit {
    database: Database,
}

impl EmbeddedAudit {
    pub(super) fn new(database: Database) -> Self {
        Self { database }
    }
}

impl Audit for EmbeddedAudit {
    fn append(&mut self, record: &AuditRecord) -> Result<u64, StoreError> {
        record.check()?;
        let Database { connection, path, .. } = &mut self.database;
        append(connection, record).map_err(|fault| fault.at(path, "append to the audit"))
    }

    fn page(&self, after: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        let Database { connection, path, .. } = &self.database;
        page(connection, after, limit.min(LONGEST_PAGE)).map_err(|fault| fault.at(path, "read the audit"))
    }

    fn last(&self) -> Result<Option<AuditRow>, StoreError> {
        let Database { connection, path, .. } = &self.database;
        let last = head(connection, i64::MAX).and_then(|head| page(connection, head.number.saturating_sub(1), 1));
        Ok(last.map_err(|fault| fault.at(path, "read the audit"))?.pop())
    }
}

fn append(connection: &mut Connection, record: &AuditRecord) -> Result<u64, Fault> {
    // Immediate: the head read below must not move before our commit.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let digest = record.digest();
    let stored = transaction
        .prepare_cached("SELECT number FROM audit WHERE digest = ?1")?
        .query_row([digest.as_bytes()], number_of)
        .optional()?;
    if let Some(number) = stored {
        return Ok(number);
    }
    let after = head(&transaction, i64::MAX)?.after(&digest);
    let AuditRecord { at, who, role, origin, action, target, reason, before, after: state, outcome } = record;
    transaction
        .prepare_cached(
            "INSERT INTO audit
             (number, at, who, role, origin, action, target, reason, before, after, outcome, digest, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            i64::try_from(after.number).unwrap_or(i64::MAX),
            at.as_nanos(),
            who,
            role,
            origin,
            action,
            target,
            reason,
            before,
            state,
            outcome.name(),
            digest.as_bytes(),
            after.hash.as_bytes()
        ])?;
    transaction.commit()?;
    Ok(after.number)
}

/// The end of the chain up to a number.
fn head(connection: &Connection, through: i64) -> Result<AuditHead, Fault> {
    let newest = "SELECT number, hash FROM audit WHERE number <= ?1 ORDER BY number DESC LIMIT 1";
    let head = connection
        .prepare_cached(newest)?
        .query_row([through], |row| Ok(AuditHead { number: number_of(row)?, hash: Digest::new(row.get(1)?) }))
        .optional()?;
    Ok(head.unwrap_or(AuditHead::START))
}

fn page(connection: &Connection, after: u64, limit: usize) -> Result<Vec<AuditRow>, Fault> {
    // SQLite counts to 2^63; what is beyond has no rows either.
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(
        "SELECT number, at, who, role, origin, action, target, reason, before, after, outcome, hash FROM audit
         WHERE number > ?1 ORDER BY number LIMIT ?2",
    )?;
    let mut head = head(connection, after)?;
    let mut rows = statement.query(params![after, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut page = Vec::new();
    loop {
        let row = match rows.next().and_then(|row| row.map(row_of).transpose()) {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(page),
            Err(error) if is_damage(&error) => return Err(head.broken_next(Break::Unreadable).into()),
            Err(error) => return Err(error.into()),
        };
        head = head.check(&row)?;
        page.push(row);
    }
}

/// From `number, at, who, role, origin, action, target, reason, before, after, outcome, hash`.
fn row_of(row: &Row<'_>) -> rusqlite::Result<AuditRow> {
    let outcome: String = row.get(10)?;
    let record = AuditRecord {
        at: Timestamp::from_nanos(row.get(1)?),
        who: row.get(2)?,
        role: row.get(3)?,
        origin: row.get(4)?,
        action: row.get(5)?,
        target: row.get(6)?,
        reason: row.get(7)?,
        before: row.get(8)?,
        after: row.get(9)?,
        outcome: outcome.parse().map_err(|error| unreadable(10, error))?,
    };
    Ok(AuditRow { number: number_of(row)?, record, hash: Digest::new(row.get(11)?) })
}

pub(super) fn number_of(row: &Row<'_>) -> rusqlite::Result<u64> {
    u64::try_from(row.get::<_, i64>(0)?).map_err(|error| unreadable(0, error))
}

fn unreadable(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::audit::act;
    use crate::{EmbeddedStore, Verification};

    fn sql(directory: &std::path::Path, statements: &str) -> rusqlite::Result<()> {
        Connection::open(directory.join("pregao.db")).unwrap().execute_batch(statements)
    }

    #[test]
    fn rows_are_neither_changed_nor_deleted_nor_pushed_in() {
        let directory = tempfile::tempdir().unwrap();
        let mut audit = EmbeddedStore::open(directory.path()).unwrap().audit().unwrap();
        for number in 1..=3 {
            audit.append(&act(number)).unwrap();
        }
        let row = "SELECT 2, at, 'nobody', role, origin, action, target, reason, before, after, outcome, digest, hash";
        for (change, refusal) in [
            ("UPDATE audit SET who = 'nobody' WHERE number = 2".to_owned(), "never changed"),
            ("DELETE FROM audit".to_owned(), "never deleted"),
            (format!("INSERT OR REPLACE INTO audit {row} FROM audit WHERE number = 2"), "at the end"),
            (format!("INSERT INTO audit {} FROM audit WHERE number = 3", row.replace('2', "9")), "at the end"),
        ] {
            let error = sql(directory.path(), &change).unwrap_err().to_string();
            assert!(error.contains(refusal), "{change}: {error}");
        }
        assert_eq!(audit.verify().unwrap(), Verification::Intact { entries: 3 });
    }

    /// By somebody who knows how to take the triggers away.
    #[test]
    fn what_was_changed_all_the_same_is_found_and_named() {
        for (change, reason) in [
            ("UPDATE audit SET who = 'nobody' WHERE number = 5", Break::Altered),
            ("UPDATE audit SET at = at + 1 WHERE number = 5", Break::Altered),
            ("UPDATE audit SET before = NULL WHERE number = 5", Break::Altered),
            ("UPDATE audit SET outcome = 'failed' WHERE number = 5", Break::Altered),
            ("UPDATE audit SET hash = zeroblob(32) WHERE number = 5", Break::Altered),
            ("UPDATE audit SET reason = CAST(x'ff' AS TEXT) WHERE number = 5", Break::Unreadable),
            ("DELETE FROM audit WHERE number = 5", Break::Missing),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let mut audit = EmbeddedStore::open(directory.path()).unwrap().audit().unwrap();
            for number in 1..=9 {
                audit.append(&act(number)).unwrap();
            }
            let triggers = "DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_deleted";
            sql(directory.path(), &format!("{triggers}; {change}")).unwrap();
            assert_eq!(audit.verify().unwrap(), Verification::Broken { sequence: 5, reason }, "{change}");
            assert_eq!(audit.page(0, 4).unwrap().len(), 4, "{change}");
            let error = audit.page(3, 9).unwrap_err().to_string();
            assert!(error.contains("audit: row 5 "), "{change}: {error}");
        }
    }
}

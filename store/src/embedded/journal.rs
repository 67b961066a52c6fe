//! The journal in `pregao.db`.

use std::borrow::Cow;
use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use market::Timestamp;

use super::database::{Database, Fault, is_damage};
use crate::crash;
use crate::digest::Digest;
use crate::error::StoreError;
use crate::journal::{AccountTag, Break, Head, Journal, JournalEntry, KEPT_SNAPSHOTS, Place, Snapshot};

/// Journal in a data directory.
#[derive(Debug)]
pub struct EmbeddedJournal {
    database: Database,
}

impl EmbeddedJournal {
    pub(super) fn new(database: Database) -> Self {
        Self { database }
    }
}

impl Journal for EmbeddedJournal {
    fn append(&mut self, entries: &[JournalEntry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let Database { connection, path, .. } = &mut self.database;
        append(connection, entries).map_err(|fault| fault.at(path, "append to the journal"))
    }

    fn last_sequence(&self, account: AccountTag) -> Result<u64, StoreError> {
        let head = head_before(&self.database.connection, account, i64::MAX);
        Ok(head.map_err(|fault| fault.at(&self.database.path, "read the journal"))?.sequence)
    }

    fn read(
        &self,
        account: AccountTag,
        from_sequence: u64,
        visit: &mut dyn FnMut(JournalEntry) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        // SQLite counts to 2^63; what is beyond has no entries either.
        let from = i64::try_from(from_sequence.max(1)).unwrap_or(i64::MAX);
        read(&self.database.connection, account, from, visit)
            .map_err(|fault| fault.at(&self.database.path, "read the journal"))
    }

    fn save_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), StoreError> {
        let Database { connection, path, .. } = &mut self.database;
        save_snapshot(connection, snapshot).map_err(|fault| fault.at(path, "save a snapshot"))
    }

    fn latest_snapshot(&self, account: AccountTag, at_most: u64) -> Result<Option<Snapshot>, StoreError> {
        let at_most = i64::try_from(at_most).unwrap_or(i64::MAX);
        latest_snapshot(&self.database.connection, account, at_most)
            .map_err(|fault| fault.at(&self.database.path, "read the snapshots"))
    }

    fn accounts(&self) -> Result<Vec<AccountTag>, StoreError> {
        accounts(&self.database.connection).map_err(|fault| fault.at(&self.database.path, "read the journal"))
    }
}

/// All or none: an error on the way drops the transaction, which rolls it back.
fn append(connection: &mut Connection, entries: &[JournalEntry]) -> Result<(), Fault> {
    // Immediate: the heads read below must not move before our commit.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut heads = HashMap::new();
    for entry in entries {
        let head = match heads.get(&entry.account) {
            Some(head) => *head,
            None => head_before(&transaction, entry.account, i64::MAX)?,
        };
        let after = append_one(&transaction, head, entry)?;
        heads.insert(entry.account, after);
    }
    crash::point("in_transaction");
    transaction.commit()?;
    crash::point("committed");
    Ok(())
}

/// The account's head afterwards.
fn append_one(transaction: &Transaction<'_>, head: Head, entry: &JournalEntry) -> Result<Head, Fault> {
    // `place` lets nothing through that is past the stored sequences by more than one.
    let place = head.place(entry)?;
    let sequence = i64::try_from(entry.sequence).unwrap_or(i64::MAX);
    match place {
        Place::Next => {
            let after = head.after(entry);
            transaction
                .prepare_cached(
                    "INSERT INTO journal (account, sequence, at, kind, payload, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![
                    entry.account.as_str(),
                    sequence,
                    entry.at.as_nanos(),
                    entry.kind,
                    entry.payload,
                    after.hash.as_bytes()
                ])?;
            Ok(after)
        }
        Place::Taken => {
            let stored = transaction
                .prepare_cached(
                    "SELECT sequence, at, kind, payload, hash FROM journal WHERE account = ?1 AND sequence = ?2",
                )?
                .query_row(params![entry.account.as_str(), sequence], |row| entry_of(entry.account, row))
                .optional()?;
            match stored {
                Some((stored, _)) if stored == *entry => Ok(head),
                _ => Err(StoreError::JournalConflict { account: entry.account, sequence: entry.sequence }.into()),
            }
        }
    }
}

/// The end of the account's chain below a sequence.
fn head_before(connection: &Connection, account: AccountTag, below: i64) -> Result<Head, Fault> {
    let head = connection
        .prepare_cached(
            "SELECT sequence, hash FROM journal WHERE account = ?1 AND sequence < ?2 ORDER BY sequence DESC LIMIT 1",
        )?
        .query_row(params![account.as_str(), below], |row| {
            Ok(Head { sequence: sequence_of(row)?, hash: Digest::new(row.get(1)?) })
        })
        .optional()?;
    Ok(head.unwrap_or(Head::START))
}

fn read(
    connection: &Connection,
    account: AccountTag,
    from: i64,
    visit: &mut dyn FnMut(JournalEntry) -> Result<(), StoreError>,
) -> Result<(), Fault> {
    let mut head = head_before(connection, account, from)?;
    let mut statement = connection.prepare_cached(
        "SELECT sequence, at, kind, payload, hash FROM journal WHERE account = ?1 AND sequence >= ?2 ORDER BY sequence",
    )?;
    let mut rows = statement.query(params![account.as_str(), from])?;
    loop {
        let next = rows.next().and_then(|row| row.map(|row| entry_of(account, row)).transpose());
        let (entry, stored) = match next {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(()),
            Err(error) if is_damage(&error) => return Err(head.broken_next(account, Break::Unreadable).into()),
            Err(error) => return Err(error.into()),
        };
        head = head.check(&entry, stored)?;
        visit(entry)?;
    }
}

fn accounts(connection: &Connection) -> Result<Vec<AccountTag>, Fault> {
    let mut statement = connection.prepare_cached("SELECT DISTINCT account FROM journal ORDER BY account")?;
    let tags = statement.query_map([], |row| {
        let text: String = row.get(0)?;
        text.parse().map_err(|error| unreadable(0, error))
    })?;
    Ok(tags.collect::<Result<_, _>>()?)
}

fn save_snapshot(connection: &mut Connection, snapshot: &Snapshot) -> Result<(), Fault> {
    let account = snapshot.account.as_str();
    let missing = StoreError::SnapshotWithoutEntry { account: snapshot.account, sequence: snapshot.sequence };
    let Ok(sequence) = i64::try_from(snapshot.sequence) else { return Err(missing.into()) };
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let link = transaction
        .prepare_cached("SELECT hash FROM journal WHERE account = ?1 AND sequence = ?2")?
        .query_row(params![account, sequence], |row| row.get(0).map(Digest::new))
        .optional()?;
    let Some(link) = link else { return Err(missing.into()) };
    let (at, digest) = (snapshot.at.as_nanos(), snapshot.digest(&link));
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO snapshot (account, sequence, at, payload, link, digest)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![account, sequence, at, snapshot.payload, link.as_bytes(), digest.as_bytes()])?;
    transaction
        .prepare_cached(
            "DELETE FROM snapshot WHERE account = ?1 AND sequence NOT IN
             (SELECT sequence FROM snapshot WHERE account = ?1 ORDER BY sequence DESC LIMIT ?2)",
        )?
        .execute(params![account, i64::try_from(KEPT_SNAPSHOTS).unwrap_or(i64::MAX)])?;
    crash::point("in_snapshot");
    transaction.commit()?;
    Ok(())
}

fn latest_snapshot(connection: &Connection, account: AccountTag, at_most: i64) -> Result<Option<Snapshot>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, at, payload, link, digest,
                (SELECT hash FROM journal WHERE account = ?1 AND sequence = snapshot.sequence)
         FROM snapshot WHERE account = ?1 AND sequence <= ?2 ORDER BY sequence DESC",
    )?;
    let mut rows = statement.query(params![account.as_str(), at_most])?;
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(None),
            // Whatever lies behind a damaged page cannot be reached; the journal can.
            Err(error) if is_damage(&error) => {
                Snapshot::passed_over(account, 0, "its page cannot be read");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let sequence = sequence_of(row)?;
        match snapshot_of(account, row) {
            Ok((snapshot, link, digest, entry)) => {
                if let Some(sound) = snapshot.checked(link, digest, entry) {
                    return Ok(Some(sound));
                }
            }
            Err(error) if is_damage(&error) => Snapshot::passed_over(account, sequence, "it cannot be read"),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The snapshot, the link it was bound to, its digest, and the link of its entry as it is now; from
/// `sequence, at, payload, link, digest` and that entry's hash.
fn snapshot_of(account: AccountTag, row: &Row<'_>) -> rusqlite::Result<(Snapshot, Digest, Digest, Option<Digest>)> {
    let at = Timestamp::from_nanos(row.get(1)?);
    let snapshot = Snapshot { account, sequence: sequence_of(row)?, at, payload: row.get(2)? };
    let entry: Option<[u8; 32]> = row.get(5)?;
    Ok((snapshot, Digest::new(row.get(3)?), Digest::new(row.get(4)?), entry.map(Digest::new)))
}

/// From `sequence, at, kind, payload, hash`.
fn entry_of(account: AccountTag, row: &Row<'_>) -> rusqlite::Result<(JournalEntry, Digest)> {
    let entry = JournalEntry {
        account,
        sequence: sequence_of(row)?,
        at: Timestamp::from_nanos(row.get(1)?),
        kind: Cow::Owned(row.get(2)?),
        payload: row.get(3)?,
    };
    Ok((entry, Digest::new(row.get(4)?)))
}

fn sequence_of(row: &Row<'_>) -> rusqlite::Result<u64> {
    u64::try_from(row.get::<_, i64>(0)?).map_err(|error| unreadable(0, error))
}

fn unreadable(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::journal::{entry, snapshot, stored};
    use crate::{EmbeddedStore, Verification};
    use proptest::prelude::*;
    use tempfile::TempDir;

    fn paper() -> AccountTag {
        "PAPR".parse().unwrap()
    }

    fn open() -> (TempDir, EmbeddedJournal) {
        let directory = tempfile::tempdir().unwrap();
        let journal = EmbeddedStore::open(directory.path()).unwrap().journal().unwrap();
        (directory, journal)
    }

    fn tampered(sql: &str) -> (Verification, Vec<u64>, StoreError) {
        let (directory, mut journal) = open();
        let given: Vec<_> = (1..=9).map(|sequence| entry(paper(), sequence)).collect();
        journal.append(&given).unwrap();
        let changed = Connection::open(directory.path().join("pregao.db")).unwrap().execute(sql, []).unwrap();
        assert_eq!(changed, 1, "{sql}");
        let mut handed_over = Vec::new();
        let error = journal.read(paper(), 1, &mut |entry| {
            handed_over.push(entry.sequence);
            Ok(())
        });
        (journal.verify(paper()).unwrap(), handed_over, error.unwrap_err())
    }

    #[test]
    fn a_changed_entry_in_the_middle_is_found_and_named() {
        for (change, reason) in [
            ("UPDATE journal SET payload = replace(payload, 'PETR4', 'VALE3') WHERE sequence = 5", Break::Altered),
            ("UPDATE journal SET kind = 'cancel_intent' WHERE sequence = 5", Break::Altered),
            ("UPDATE journal SET at = at + 1 WHERE sequence = 5", Break::Altered),
            ("UPDATE journal SET hash = zeroblob(32) WHERE sequence = 5", Break::Altered),
            // One flipped bit: no longer UTF-8.
            ("UPDATE journal SET payload = CAST(x'7bff7d' AS TEXT) WHERE sequence = 5", Break::Unreadable),
            ("DELETE FROM journal WHERE sequence = 5", Break::Missing),
            ("UPDATE journal SET sequence = 50 WHERE sequence = 5", Break::Missing),
            ("UPDATE journal SET account = 'REAL' WHERE sequence = 5", Break::Missing),
        ] {
            let (verified, handed_over, error) = tampered(change);
            assert_eq!(verified, Verification::Broken { sequence: 5, reason }, "{change}");
            // And nothing from there on is replayed.
            assert_eq!(handed_over, [1, 2, 3, 4], "{change}");
            assert!(error.to_string().contains("journal of PAPR: entry 5 "), "{error}");
            assert!(error.to_string().contains("restore a backup"), "{error}");
        }
    }

    #[test]
    fn a_damaged_snapshot_is_passed_over_in_favour_of_the_one_before() {
        for change in [
            "UPDATE snapshot SET payload = replace(payload, '3', '4') WHERE sequence = 3",
            "UPDATE snapshot SET payload = CAST(x'7bff7d' AS TEXT) WHERE sequence = 3",
            "UPDATE snapshot SET at = at + 1 WHERE sequence = 3",
            "UPDATE snapshot SET link = zeroblob(32) WHERE sequence = 3",
            "UPDATE snapshot SET digest = zeroblob(32) WHERE sequence = 3",
            // Whole, but of another chain, or of none.
            "UPDATE journal SET hash = zeroblob(32) WHERE sequence = 3",
            "DELETE FROM journal WHERE sequence = 3",
        ] {
            let (directory, mut journal) = open();
            let given: Vec<_> = (1..=3).map(|sequence| entry(paper(), sequence)).collect();
            journal.append(&given).unwrap();
            for sequence in [2, 3] {
                journal.save_snapshot(&snapshot(paper(), sequence)).unwrap();
            }
            let changed = Connection::open(directory.path().join("pregao.db")).unwrap().execute(change, []).unwrap();
            assert_eq!(changed, 1, "{change}");
            assert_eq!(journal.latest_snapshot(paper(), 9).unwrap(), Some(snapshot(paper(), 2)), "{change}");
        }
    }

    #[test]
    fn a_missing_first_entry_is_found_too() {
        let (verified, ..) = tampered("DELETE FROM journal WHERE sequence = 1");
        assert_eq!(verified, Verification::Broken { sequence: 1, reason: Break::Missing });
    }

    #[test]
    fn a_full_disk_refuses_the_batch_and_the_journal_goes_on_once_there_is_room() {
        let (_directory, mut journal) = open();
        journal.append(&[entry(paper(), 1)]).unwrap();
        let pages: i64 = journal.database.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        let limit = |journal: &EmbeddedJournal, pages: i64| {
            let set = format!("PRAGMA max_page_count = {pages}");
            journal.database.connection.query_row(&set, [], |_| Ok(())).unwrap();
        };
        limit(&journal, pages + 1);
        let big = JournalEntry { payload: "x".repeat(100_000), ..entry(paper(), 3) };
        let error = journal.append(&[entry(paper(), 2), big.clone()]).unwrap_err();
        assert!(matches!(error, StoreError::Full { .. }), "{error}");
        assert_eq!(stored(&journal, paper(), 1).unwrap(), [entry(paper(), 1)]);
        limit(&journal, pages + 100);
        journal.append(&[entry(paper(), 2), big]).unwrap();
        assert_eq!(journal.verify(paper()).unwrap(), Verification::Intact { entries: 3 });
    }

    #[test]
    fn two_handles_never_fork_the_chain() {
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(directory.path()).unwrap();
        let (mut one, mut two) = (store.journal().unwrap(), store.journal().unwrap());
        one.append(&[entry(paper(), 1)]).unwrap();
        two.append(&[entry(paper(), 2)]).unwrap();
        one.append(&[entry(paper(), 3)]).unwrap();
        assert_eq!(two.verify(paper()).unwrap(), Verification::Intact { entries: 3 });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Whatever is appended in whatever batches, with resends, is what is read after a restart.
        #[test]
        fn what_goes_in_comes_back(
            written in prop::collection::vec((any::<i64>(), "[^\0]{0,12}", "[^\0]{0,40}", 0_u8..2), 0..40),
            batch in 1_usize..10,
            resent in 0_usize..5,
        ) {
            let accounts: [AccountTag; 2] = ["PAPR".parse().unwrap(), "REAL".parse().unwrap()];
            let mut next = [1_u64, 1];
            let given: Vec<JournalEntry> = written
                .into_iter()
                .map(|(nanos, kind, payload, whose)| {
                    let whose = usize::from(whose);
                    let sequence = next[whose];
                    next[whose] += 1;
                    let at = Timestamp::from_nanos(nanos);
                    JournalEntry { account: accounts[whose], sequence, at, kind: kind.into(), payload }
                })
                .collect();
            let (directory, mut journal) = open();
            for first in (0..given.len()).step_by(batch) {
                let last = (first + batch).min(given.len());
                journal.append(&given[first.saturating_sub(resent)..last]).unwrap();
            }
            drop(journal);
            let journal = EmbeddedStore::open_read_only(directory.path()).unwrap().journal().unwrap();
            for account in accounts {
                let own: Vec<_> = given.iter().filter(|entry| entry.account == account).cloned().collect();
                prop_assert_eq!(stored(&journal, account, 1).unwrap(), own.clone());
                let entries = own.len() as u64;
                prop_assert_eq!(journal.verify(account).unwrap(), Verification::Intact { entries });
            }
        }
    }
}

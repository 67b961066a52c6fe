//! The journal in Postgres.
//!
//! An append is one transaction of two round trips, each sent as a whole: begin, lock the leases and
//! read the heads; then, with the links computed here, insert and commit. The locked lease rows also
//! put the writers of an account one behind the other.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use market::Timestamp;
use tokio_postgres::Row;

use super::fault::Fault;
use super::server::Session;
use super::{Shared, lease};
use crate::crash;
use crate::digest::Digest;
use crate::error::StoreError;
use crate::journal::{AccountTag, Break, Head, Journal, JournalEntry, KEPT_SNAPSHOTS, Place, Snapshot};

/// Entries that one query of a reading brings: bounds the memory of a start.
const READ_AT_ONCE: i64 = 500;

/// Whatever the server's default is: under any stricter level, the heads would be read as they were
/// before the wait for the lock.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

const HEADS: &str = "SELECT wanted.account, head.sequence, head.hash FROM unnest($1::text[]) AS wanted (account),
     LATERAL (SELECT sequence, hash FROM journal WHERE account = wanted.account ORDER BY sequence DESC LIMIT 1) AS head";

const STORED: &str = "SELECT sequence, at, kind, payload, hash FROM journal
     WHERE account = $1 AND sequence = ANY($2)";

const INSERT: &str = "INSERT INTO journal (account, sequence, at, kind, payload, hash)
     SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bytea[])";

const HEAD_BEFORE: &str = "SELECT sequence, hash FROM journal WHERE account = $1 AND sequence < $2
     ORDER BY sequence DESC LIMIT 1";

const READ: &str = "SELECT sequence, at, kind, payload, hash FROM journal
     WHERE account = $1 AND sequence >= $2 ORDER BY sequence LIMIT $3";

/// From one account to the next along the index, rather than over every entry.
const ACCOUNTS: &str = "WITH RECURSIVE known (account) AS (
         (SELECT account FROM journal ORDER BY account LIMIT 1)
         UNION ALL
         SELECT (SELECT account FROM journal WHERE account > known.account ORDER BY account LIMIT 1)
         FROM known WHERE known.account IS NOT NULL
     ) SELECT account FROM known WHERE account IS NOT NULL";

const SAVE_SNAPSHOT: &str = "INSERT INTO snapshot (account, sequence, at, payload, link, digest)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (account, sequence) DO UPDATE SET at = excluded.at, payload = excluded.payload,
         link = excluded.link, digest = excluded.digest";

const FORGET_SNAPSHOTS: &str = "DELETE FROM snapshot WHERE account = $1 AND sequence NOT IN
     (SELECT sequence FROM snapshot WHERE account = $1 ORDER BY sequence DESC LIMIT $2)";

const SNAPSHOTS: &str = "SELECT snapshot.sequence, snapshot.at, snapshot.payload, link, digest, journal.hash
     FROM snapshot LEFT JOIN journal USING (account, sequence)
     WHERE account = $1 AND sequence <= $2 ORDER BY sequence DESC";

/// Journal on a server.
pub struct PostgresJournal {
    shared: Arc<Shared>,
}

impl PostgresJournal {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The leases of these accounts, or which one is not held.
    fn leases(&self, accounts: impl Iterator<Item = AccountTag>) -> Result<BTreeMap<AccountTag, u64>, StoreError> {
        self.shared.writable()?;
        let held = self.shared.leases();
        let lease = |account| match held.get(&account) {
            Some(epoch) => Ok((account, *epoch)),
            None => Err(StoreError::Unusable {
                place: format!("{}, account {account}", self.shared.server.place()),
                problem: "is not leased by this process",
                remedy: "take the account's lease before writing to its journal",
                source: None,
            }),
        };
        accounts.map(lease).collect()
    }
}

impl Journal for PostgresJournal {
    fn append(&mut self, entries: &[JournalEntry]) -> Result<(), StoreError> {
        let leases = self.leases(entries.iter().map(|entry| entry.account))?;
        if entries.is_empty() {
            return Ok(());
        }
        entries.iter().try_for_each(storable)?;
        let entries = entries.to_vec();
        self.shared.server.call("append to the journal", move |session| Box::pin(append(session, entries, leases)))
    }

    fn last_sequence(&self, account: AccountTag) -> Result<u64, StoreError> {
        Ok(self
            .shared
            .server
            .call("read the journal", move |session| Box::pin(head_before(session, account, i64::MAX)))?
            .sequence)
    }

    fn read(
        &self,
        account: AccountTag,
        from_sequence: u64,
        visit: &mut dyn FnMut(JournalEntry) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        // Postgres counts to 2^63; what is beyond has no entries either.
        let mut from = i64::try_from(from_sequence.max(1)).unwrap_or(i64::MAX);
        let server = &self.shared.server;
        let mut head = server.call("read the journal", move |session| Box::pin(head_before(session, account, from)))?;
        loop {
            let some = server.call("read the journal", move |session| Box::pin(read(session, account, from)))?;
            let last = some.len() < usize::try_from(READ_AT_ONCE).unwrap_or_default();
            for found in some {
                let (entry, stored) = found.ok_or_else(|| head.broken_next(account, Break::Unreadable))?;
                head = head.check(&entry, stored)?;
                visit(entry)?;
            }
            if last {
                return Ok(());
            }
            from = i64::try_from(head.sequence + 1).unwrap_or(i64::MAX);
        }
    }

    fn save_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), StoreError> {
        let leases = self.leases([snapshot.account].into_iter())?;
        let snapshot = snapshot.clone();
        self.shared.server.call("save a snapshot", move |session| Box::pin(save_snapshot(session, snapshot, leases)))
    }

    fn latest_snapshot(&self, account: AccountTag, at_most: u64) -> Result<Option<Snapshot>, StoreError> {
        let at_most = i64::try_from(at_most).unwrap_or(i64::MAX);
        self.shared
            .server
            .call("read the snapshots", move |session| Box::pin(latest_snapshot(session, account, at_most)))
    }

    fn accounts(&self) -> Result<Vec<AccountTag>, StoreError> {
        self.shared.server.call("read the journal", |session| {
            Box::pin(async move { session.rows(ACCOUNTS, &[]).await?.iter().map(account_of).collect() })
        })
    }
}

/// All or none: the session of an error on the way is rolled back or closed.
async fn append(
    session: &mut Session,
    entries: Vec<JournalEntry>,
    leases: BTreeMap<AccountTag, u64>,
) -> Result<(), Fault> {
    let lock = session.prepared(lease::LOCK).await?;
    let read_heads = session.prepared(HEADS).await?;
    let insert = session.prepared(INSERT).await?;
    let accounts: Vec<&str> = leases.keys().map(AccountTag::as_str).collect();
    let with: [super::server::Parameter<'_>; 1] = [&accounts];
    // Sent one behind the other without waiting; the server takes them in this order.
    let client = &session.client;
    let (begun, held, rows) =
        tokio::join!(client.batch_execute(BEGIN), client.query(&lock, &with), client.query(&read_heads, &with));
    // In their order: what follows a statement that failed fails too, and says less.
    begun?;
    let (held, rows) = (held?, rows?);
    lease::check(&leases, &held)?;
    let mut heads: BTreeMap<AccountTag, Head> = leases.keys().map(|account| (*account, Head::START)).collect();
    for row in &rows {
        heads.insert(account_of(row)?, Head { sequence: sequence_of(row, 1)?, hash: digest_of(row, 2)? });
    }
    let stored = stored(session, &entries, &heads).await?;
    let new = plan(&entries, heads, &stored)?;
    if new.is_empty() {
        return Ok(session.client.batch_execute("COMMIT").await?);
    }
    let column = Columns::of(&new);
    let with: [super::server::Parameter<'_>; 6] =
        [&column.account, &column.sequence, &column.at, &column.kind, &column.payload, &column.hash];
    // A commit after an insert that failed rolls back, and the insert's error is what is returned.
    let client = &session.client;
    crash::point("in_transaction");
    let (inserted, committed) = tokio::join!(client.execute(&insert, &with), client.batch_execute("COMMIT"));
    inserted?;
    committed?;
    crash::point("committed");
    Ok(())
}

/// Which entries are to be added, each with its link, by the rules of the chain.
fn plan<'a>(
    entries: &'a [JournalEntry],
    mut heads: BTreeMap<AccountTag, Head>,
    stored: &HashMap<(AccountTag, u64), JournalEntry>,
) -> Result<Vec<(&'a JournalEntry, Digest)>, StoreError> {
    let mut new: Vec<(&JournalEntry, Digest)> = Vec::with_capacity(entries.len());
    for entry in entries {
        let JournalEntry { account, sequence, .. } = *entry;
        let head = heads.entry(account).or_insert(Head::START);
        match head.place(entry)? {
            Place::Next => {
                *head = head.after(entry);
                new.push((entry, head.hash));
            }
            Place::Taken => {
                let earlier =
                    || new.iter().map(|(new, _)| *new).find(|new| (new.account, new.sequence) == (account, sequence));
                if stored.get(&(account, sequence)).or_else(earlier) != Some(entry) {
                    return Err(StoreError::JournalConflict { account, sequence });
                }
            }
        }
    }
    Ok(new)
}

/// The stored entries whose sequences came again.
async fn stored(
    session: &mut Session,
    entries: &[JournalEntry],
    heads: &BTreeMap<AccountTag, Head>,
) -> Result<HashMap<(AccountTag, u64), JournalEntry>, Fault> {
    let mut stored = HashMap::new();
    for (&account, head) in heads {
        let again = entries.iter().filter(|entry| entry.account == account && entry.sequence <= head.sequence);
        let again: Vec<i64> = again.filter_map(|entry| i64::try_from(entry.sequence).ok()).collect();
        if again.is_empty() {
            continue;
        }
        for row in session.rows(STORED, &[&account.as_str(), &again]).await? {
            let (entry, _) = entry_of(account, &row)?;
            stored.insert((account, entry.sequence), entry);
        }
    }
    Ok(stored)
}

/// The rows of an insert, by column.
struct Columns<'a> {
    account: Vec<&'a str>,
    sequence: Vec<i64>,
    at: Vec<i64>,
    kind: Vec<&'a str>,
    payload: Vec<&'a str>,
    hash: Vec<&'a [u8]>,
}

impl<'a> Columns<'a> {
    fn of(new: &'a [(&'a JournalEntry, Digest)]) -> Self {
        Self {
            account: new.iter().map(|(entry, _)| entry.account.as_str()).collect(),
            // The rules let nothing through that is past the stored sequences by more than one.
            sequence: new.iter().map(|(entry, _)| i64::try_from(entry.sequence).unwrap_or(i64::MAX)).collect(),
            at: new.iter().map(|(entry, _)| entry.at.as_nanos()).collect(),
            kind: new.iter().map(|(entry, _)| &*entry.kind).collect(),
            payload: new.iter().map(|(entry, _)| &*entry.payload).collect(),
            hash: new.iter().map(|(_, hash)| hash.as_bytes().as_slice()).collect(),
        }
    }
}

async fn head_before(session: &mut Session, account: AccountTag, below: i64) -> Result<Head, Fault> {
    let rows = session.rows(HEAD_BEFORE, &[&account.as_str(), &below]).await?;
    let Some(row) = rows.first() else { return Ok(Head::START) };
    Ok(Head { sequence: sequence_of(row, 0)?, hash: digest_of(row, 1)? })
}

/// `None` for a row that cannot be read.
async fn read(
    session: &mut Session,
    account: AccountTag,
    from: i64,
) -> Result<Vec<Option<(JournalEntry, Digest)>>, Fault> {
    let rows = session.rows(READ, &[&account.as_str(), &from, &READ_AT_ONCE]).await?;
    Ok(rows.iter().map(|row| entry_of(account, row).ok()).collect())
}

async fn save_snapshot(
    session: &mut Session,
    snapshot: Snapshot,
    leases: BTreeMap<AccountTag, u64>,
) -> Result<(), Fault> {
    let Snapshot { account, sequence, at, payload } = &snapshot;
    session.client.batch_execute(BEGIN).await?;
    let held = session.rows(lease::LOCK, &[&vec![account.as_str()]]).await?;
    lease::check(&leases, &held)?;
    let place = i64::try_from(*sequence).unwrap_or(i64::MAX);
    let found = session.rows(STORED, &[&account.as_str(), &vec![place]]).await?;
    let Some(entry) = found.first() else {
        return Err(StoreError::SnapshotWithoutEntry { account: *account, sequence: *sequence }.into());
    };
    let link = digest_of(entry, 4)?;
    let (at, digest) = (at.as_nanos(), snapshot.digest(&link));
    let (link, digest) = (link.as_bytes().as_slice(), digest.as_bytes().as_slice());
    session.change(SAVE_SNAPSHOT, &[&account.as_str(), &place, &at, payload, &link, &digest]).await?;
    let kept = i64::try_from(KEPT_SNAPSHOTS).unwrap_or(i64::MAX);
    session.change(FORGET_SNAPSHOTS, &[&account.as_str(), &kept]).await?;
    crash::point("in_snapshot");
    Ok(session.client.batch_execute("COMMIT").await?)
}

async fn latest_snapshot(session: &mut Session, account: AccountTag, at_most: i64) -> Result<Option<Snapshot>, Fault> {
    for row in session.rows(SNAPSHOTS, &[&account.as_str(), &at_most]).await? {
        let sequence = sequence_of(&row, 0)?;
        let at = Timestamp::from_nanos(row.try_get(1)?);
        let snapshot = Snapshot { account, sequence, at, payload: row.try_get(2)? };
        let (Ok(link), Ok(digest)) = (digest_of(&row, 3), digest_of(&row, 4)) else {
            Snapshot::passed_over(account, sequence, "it cannot be read");
            continue;
        };
        // No entry, or one that cannot be read, is another chain.
        if let Some(sound) = snapshot.checked(link, digest, digest_of(&row, 5).ok()) {
            return Ok(Some(sound));
        }
    }
    Ok(None)
}

/// Postgres has no text with a NUL in it. JSON has none either, so this is a mistake above.
fn storable(entry: &JournalEntry) -> Result<(), StoreError> {
    for (field, text) in [("kind", &*entry.kind), ("payload", &*entry.payload)] {
        if text.contains('\0') {
            let key = format!("entry {} of {}", entry.sequence, entry.account);
            return Err(StoreError::NotStorable { key, field, value: "a text with a NUL character".to_owned() });
        }
    }
    Ok(())
}

/// From `sequence, at, kind, payload, hash`.
fn entry_of(account: AccountTag, row: &Row) -> Result<(JournalEntry, Digest), Fault> {
    let entry = JournalEntry {
        account,
        sequence: sequence_of(row, 0)?,
        at: Timestamp::from_nanos(row.try_get(1)?),
        kind: Cow::Owned(row.try_get(2)?),
        payload: row.try_get(3)?,
    };
    Ok((entry, digest_of(row, 4)?))
}

fn account_of(row: &Row) -> Result<AccountTag, Fault> {
    row.try_get::<_, &str>(0)?.parse().map_err(|_| Fault::Damaged("an account tag cannot be one".to_owned()))
}

fn sequence_of(row: &Row, column: usize) -> Result<u64, Fault> {
    u64::try_from(row.try_get::<_, i64>(column)?).map_err(|_| Fault::Damaged("a sequence is negative".to_owned()))
}

pub(super) fn digest_of(row: &Row, column: usize) -> Result<Digest, Fault> {
    let bytes: Option<&[u8]> = row.try_get(column)?;
    let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.map(Digest::new).ok_or_else(|| Fault::Damaged("a digest does not have 32 bytes".to_owned()))
}

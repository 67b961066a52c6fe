//! The right to write to an account's journal, as a row that only one process holds at a time.
//!
//! Taking it raises the epoch in one statement, against the server's clock. Every append looks at
//! the row again and keeps it locked until its commit ([`LOCK`]): a process that was paused while
//! another took over finds another epoch there, and a process that takes over waits for an append
//! that is under way. The server ends a transaction that idles, so a paused process cannot hold the
//! row for ever.
//!
//! A daemon that crashed is started again on the same data directory, and need not wait for its own
//! lease to run out: whoever opened the directory holds its lock, so its former process is gone. The
//! directory has a random name for that. A copy of a directory has the same name, and two daemons on
//! the two would take the account from each other at once; the epoch keeps even them from writing, and
//! so from sending, side by side.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Row;

use super::Shared;
use super::fault::Fault;
use crate::error::StoreError;
use crate::journal::AccountTag;
use crate::lease::Lease;

/// Locks the rows of these accounts, in one order for all, so that no two writers wait for each other.
pub(super) const LOCK: &str = "SELECT account, epoch, holder FROM lease WHERE account = ANY($1)
     ORDER BY account FOR UPDATE";

/// Free: never taken, run out, or ours already: taken by this process (an account that starts again
/// within it), or for this data directory, whose lock says that whoever took it has ended.
const TAKE: &str = "INSERT INTO lease AS held (account, epoch, holder, directory, taken_at, expires_at)
     VALUES ($1, 1, $2, $5, clock_timestamp(), clock_timestamp() + $3 * interval '1 millisecond')
     ON CONFLICT (account) DO UPDATE SET epoch = held.epoch + 1, holder = excluded.holder,
         directory = excluded.directory, taken_at = excluded.taken_at, expires_at = excluded.expires_at
     WHERE held.expires_at <= clock_timestamp() OR held.epoch = $4 OR held.directory = $5
     RETURNING epoch";

const RENEW: &str = "UPDATE lease SET expires_at = clock_timestamp() + $3 * interval '1 millisecond'
     WHERE account = $1 AND epoch = $2";

const RELEASE: &str = "UPDATE lease SET expires_at = clock_timestamp() WHERE account = $1 AND epoch = $2";

const HOLDER: &str = "SELECT account, epoch, holder || to_char(taken_at AT TIME ZONE 'UTC', \
     '\", since \"YYYY-MM-DD\" \"HH24:MI:SS\" UTC\"') FROM lease WHERE account = $1";

const HELD_NOW: &str = "SELECT account, epoch, holder || to_char(taken_at AT TIME ZONE 'UTC', \
     '\", since \"YYYY-MM-DD\" \"HH24:MI:SS\" UTC\"') FROM lease WHERE account = $1 AND expires_at > clock_timestamp()";

/// Who holds it now, if anybody does.
pub(super) fn holder(shared: &Arc<Shared>, account: AccountTag) -> Result<Option<String>, StoreError> {
    shared.server.call("read the lease", move |session| {
        Box::pin(async move {
            let rows = session.rows(HELD_NOW, &[&account.as_str()]).await?;
            Ok(rows.first().map(holder_of).transpose()?.map(|(holder, epoch)| format!("{holder} (epoch {epoch})")))
        })
    })
}

/// Epochs by which a restored schema goes ahead. The backup may be older than daemons that paused since: whoever wakes of
/// them must not find its own number there, and there are never so many starts between a backup and its use.
const AHEAD: i64 = 1_000_000;

const TAKE_FROM_ALL: &str = "UPDATE lease SET epoch = epoch + $1, directory = NULL, expires_at = clock_timestamp()";

/// Nobody has the right to write any more, whoever had it when the backup was made.
pub(super) fn take_from_all(shared: &Arc<Shared>) -> Result<(), StoreError> {
    shared.writable()?;
    shared.server.call("take back the leases", move |session| {
        Box::pin(async move { session.change(TAKE_FROM_ALL, &[&AHEAD]).await.map(drop) })
    })
}

/// A lease on a server.
pub struct PostgresLease {
    shared: Arc<Shared>,
    account: AccountTag,
    epoch: u64,
}

impl PostgresLease {
    pub(super) fn take(shared: &Arc<Shared>, account: AccountTag) -> Result<Self, StoreError> {
        shared.writable()?;
        let ours = shared.leases().get(&account).copied().map_or(0, stored);
        let (holder, term) = (shared.holder.clone(), milliseconds(shared.lease_term));
        let directory = shared.directory.clone();
        let epoch = shared.server.call("take the lease", move |session| {
            Box::pin(async move {
                let with: [super::server::Parameter<'_>; 5] = [&account.as_str(), &holder, &term, &ours, &directory];
                let taken = session.rows(TAKE, &with).await?;
                if let Some(row) = taken.first() {
                    return epoch_of(row, 0);
                }
                let rows = session.rows(HOLDER, &[&account.as_str()]).await?;
                let (holder, epoch) = rows.first().map(holder_of).transpose()?.unwrap_or_else(nobody);
                Err(StoreError::LeaseHeld { account, holder, epoch }.into())
            })
        })?;
        shared.leases().insert(account, epoch);
        Ok(Self { shared: Arc::clone(shared), account, epoch })
    }
}

impl Lease for PostgresLease {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn term(&self) -> Option<Duration> {
        Some(self.shared.lease_term)
    }

    fn renew(&mut self) -> Result<(), StoreError> {
        let (account, epoch, term) = (self.account, stored(self.epoch), milliseconds(self.shared.lease_term));
        self.shared.server.call("renew the lease", move |session| {
            Box::pin(async move {
                if session.change(RENEW, &[&account.as_str(), &epoch, &term]).await? == 1 {
                    return Ok(());
                }
                let rows = session.rows(HOLDER, &[&account.as_str()]).await?;
                Err(lost(account, rows.first())?.into())
            })
        })
    }

    fn release(&mut self) -> Result<(), StoreError> {
        let (account, epoch) = (self.account, stored(self.epoch));
        {
            let mut leases = self.shared.leases();
            if leases.get(&account) == Some(&self.epoch) {
                leases.remove(&account);
            }
        }
        self.shared.server.call("release the lease", move |session| {
            Box::pin(async move {
                // One that was lost is not ours to release, and there is nothing more to do about it.
                session.change(RELEASE, &[&account.as_str(), &epoch]).await?;
                Ok(())
            })
        })
    }
}

/// Whether what [`LOCK`] found is still ours.
pub(super) fn check(leases: &BTreeMap<AccountTag, u64>, found: &[Row]) -> Result<(), Fault> {
    for (account, epoch) in leases {
        let mut row = None;
        for candidate in found {
            if candidate.try_get::<_, &str>(0)? == account.as_str() {
                row = Some(candidate);
            }
        }
        if row.map(|row| epoch_of(row, 1)).transpose()? != Some(*epoch) {
            return Err(lost(*account, row)?.into());
        }
    }
    Ok(())
}

/// From `account, epoch, holder`.
fn lost(account: AccountTag, row: Option<&Row>) -> Result<StoreError, Fault> {
    let (holder, epoch) = row.map(holder_of).transpose()?.unwrap_or_else(nobody);
    Ok(StoreError::LeaseLost { account, holder, epoch })
}

fn holder_of(row: &Row) -> Result<(String, u64), Fault> {
    Ok((row.try_get(2)?, epoch_of(row, 1)?))
}

/// Someone removed the row by hand.
fn nobody() -> (String, u64) {
    ("nobody any more".to_owned(), 0)
}

fn epoch_of(row: &Row, column: usize) -> Result<u64, Fault> {
    u64::try_from(row.try_get::<_, i64>(column)?).map_err(|_| Fault::Damaged("an epoch is negative".to_owned()))
}

/// Postgres counts to 2^63, one for each start of a daemon.
fn stored(epoch: u64) -> i64 {
    i64::try_from(epoch).unwrap_or(i64::MAX)
}

fn milliseconds(term: Duration) -> f64 {
    term.as_secs_f64() * 1000.0
}

//! The configurations that were in force, in Postgres.

use std::sync::Arc;

use market::Timestamp;
use tokio_postgres::Row;

use super::Shared;
use super::audit::number_of;
use super::fault::Fault;
use super::journal::digest_of;
use super::server::{Parameter, Session};
use crate::config_versions::{ConfigVersion, ConfigVersions, LONGEST_LIST, NewConfigVersion, Next};
use crate::error::StoreError;

/// Two changes at once come one after the other, and the second finds that it was made for another version.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; LOCK TABLE config_version IN SHARE ROW EXCLUSIVE MODE";

const READ: &str = "SELECT number, at, author, second, reason, document, digest FROM config_version
     WHERE number BETWEEN $1 AND $2 ORDER BY number DESC LIMIT $3";

const INSERT: &str = "INSERT INTO config_version (number, at, author, second, reason, document, digest)
     VALUES ($1, $2, $3, $4, $5, $6, $7)";

/// Configurations on a server.
pub struct PostgresConfigVersions {
    shared: Arc<Shared>,
}

impl PostgresConfigVersions {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    fn read(&self, from: i64, to: i64, limit: usize) -> Result<Vec<ConfigVersion>, StoreError> {
        let reading = "read the configurations";
        self.shared.server.call(reading, move |session| Box::pin(read(session, from, to, limit)))
    }
}

impl ConfigVersions for PostgresConfigVersions {
    fn append(&mut self, expected: u64, version: &NewConfigVersion) -> Result<ConfigVersion, StoreError> {
        self.shared.writable()?;
        version.check()?;
        let version = version.clone();
        let storing = "store a configuration";
        self.shared.server.call(storing, move |session| Box::pin(append(session, expected, version)))
    }

    fn current(&self) -> Result<Option<ConfigVersion>, StoreError> {
        Ok(self.read(0, i64::MAX, 1)?.pop())
    }

    fn get(&self, number: u64) -> Result<Option<ConfigVersion>, StoreError> {
        let Ok(number) = i64::try_from(number) else { return Ok(None) };
        Ok(self.read(number, number, 1)?.pop())
    }

    fn list(&self, before: u64, limit: usize) -> Result<Vec<ConfigVersion>, StoreError> {
        self.read(0, i64::try_from(before).map_or(i64::MAX, |before| before - 1), limit.min(LONGEST_LIST))
    }
}

async fn append(session: &mut Session, expected: u64, version: NewConfigVersion) -> Result<ConfigVersion, Fault> {
    session.client.batch_execute(BEGIN).await?;
    let current = read(session, 0, i64::MAX, 1).await?.pop();
    let added = match (version.place(expected, current.as_ref())?, current) {
        (Next::IsThere, Some(current)) => {
            session.client.batch_execute("COMMIT").await?;
            return Ok(current);
        }
        (Next::IsThere, None) => return Err(StoreError::VersionConflict { expected, current: 0 }.into()),
        (Next::Add(added), _) => added,
    };
    let ConfigVersion { number, at, author, second, reason, document, digest } = &added;
    let (number, at) = (i64::try_from(*number).unwrap_or(i64::MAX), at.as_nanos());
    let digest = digest.as_bytes().as_slice();
    let with: [Parameter<'_>; 7] = [&number, &at, author, second, reason, document, &digest];
    session.change(INSERT, &with).await?;
    session.client.batch_execute("COMMIT").await?;
    Ok(added)
}

/// The newest first, of the numbers from one to another.
async fn read(session: &mut Session, from: i64, to: i64, limit: usize) -> Result<Vec<ConfigVersion>, Fault> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    session.rows(READ, &[&from, &to, &limit]).await?.iter().map(version_of).collect()
}

/// From `number, at, author, second, reason, document, digest`.
fn version_of(row: &Row) -> Result<ConfigVersion, Fault> {
    let version = ConfigVersion {
        number: number_of(row)?,
        at: Timestamp::from_nanos(row.try_get(1)?),
        author: row.try_get(2)?,
        second: row.try_get(3)?,
        reason: row.try_get(4)?,
        document: row.try_get(5)?,
        digest: digest_of(row, 6)?,
    };
    version.checked().map_err(Fault::Damaged)
}

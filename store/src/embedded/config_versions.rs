//! The configurations that were in force, in `pregao.db`.

use rusqlite::{Connection, Row, TransactionBehavior, params};

use market::Timestamp;

use super::audit::number_of;
use super::database::{Database, Fault, damaged};
use crate::config_versions::{ConfigVersion, ConfigVersions, LONGEST_LIST, NewConfigVersion, Next};
use crate::digest::Digest;
use crate::error::StoreError;

/// Configurations in a data directory.
#[derive(Debug)]
pub struct EmbeddedConfigVersions {
    database: Database,
}

impl EmbeddedConfigVersions {
    pub(super) fn new(database: Database) -> Self {
        Self { database }
    }

    fn read(&self, from: i64, to: i64, limit: usize) -> Result<Vec<ConfigVersion>, StoreError> {
        let Database { connection, path, .. } = &self.database;
        let found = read(connection, from, to, limit).map_err(|fault| fault.at(path, "read the configurations"))?;
        let checked: Result<Vec<_>, _> = found.into_iter().map(ConfigVersion::checked).collect();
        checked.map_err(|problem| damaged(path, problem, None))
    }
}

impl ConfigVersions for EmbeddedConfigVersions {
    fn append(&mut self, expected: u64, version: &NewConfigVersion) -> Result<ConfigVersion, StoreError> {
        version.check()?;
        let Database { connection, path, .. } = &mut self.database;
        append(connection, expected, version).map_err(|fault| fault.at(path, "store a configuration"))
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

fn append(connection: &mut Connection, expected: u64, version: &NewConfigVersion) -> Result<ConfigVersion, Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let current = read(&transaction, 0, i64::MAX, 1)?.pop();
    let added = match (version.place(expected, current.as_ref())?, current) {
        (Next::IsThere, Some(current)) => return Ok(current),
        (Next::IsThere, None) => return Err(StoreError::VersionConflict { expected, current: 0 }.into()),
        (Next::Add(added), _) => added,
    };
    let ConfigVersion { number, at, author, second, reason, document, digest } = &added;
    transaction.execute(
        "INSERT INTO config_version (number, at, author, second, reason, document, digest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            i64::try_from(*number).unwrap_or(i64::MAX),
            at.as_nanos(),
            author,
            second,
            reason,
            document,
            digest.as_bytes()
        ],
    )?;
    transaction.commit()?;
    Ok(added)
}

/// The newest first, of the numbers from one to another.
fn read(connection: &Connection, from: i64, to: i64, limit: usize) -> Result<Vec<ConfigVersion>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT number, at, author, second, reason, document, digest FROM config_version
         WHERE number BETWEEN ?1 AND ?2 ORDER BY number DESC LIMIT ?3",
    )?;
    let versions = statement.query_map(params![from, to, i64::try_from(limit).unwrap_or(i64::MAX)], version_of)?;
    Ok(versions.collect::<Result<_, _>>()?)
}

/// From `number, at, author, second, reason, document, digest`.
fn version_of(row: &Row<'_>) -> rusqlite::Result<ConfigVersion> {
    Ok(ConfigVersion {
        number: number_of(row)?,
        at: Timestamp::from_nanos(row.get(1)?),
        author: row.get(2)?,
        second: row.get(3)?,
        reason: row.get(4)?,
        document: row.get(5)?,
        digest: Digest::new(row.get(6)?),
    })
}

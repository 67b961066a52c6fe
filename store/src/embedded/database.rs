//! One SQLite file: opening it, bringing its schema up to date, and telling its failures apart.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::lock::DirectoryLock;
use crate::error::StoreError;

/// What one file of the store is made of.
pub(super) struct Layout {
    file: &'static str,
    /// Marks the file as ours (SQLite's `application_id`).
    application_id: i32,
    /// Schema steps: a file of schema N has had the first N. Never edit one that was released.
    steps: &'static [&'static str],
    /// Bytes. Fixed when the file is created.
    page_size: u32,
    /// Bound on the page cache of one connection.
    cache_kib: i32,
}

impl Layout {
    /// The file's name in the data directory.
    pub(super) const fn file(&self) -> &'static str {
        self.file
    }

    /// The newest schema that this program knows.
    pub(super) fn schema(&self) -> i64 {
        known_schema(self)
    }
}

/// Small rows, few pages: SQLite's usual page and cache.
pub(super) const LEDGER: Layout = Layout {
    file: "pregao.db",
    application_id: 0x5052_4547, // "PREG"
    steps: &[
        include_str!("schema/ledger_1.sql"),
        include_str!("schema/ledger_2.sql"),
        include_str!("schema/ledger_3.sql"),
        include_str!("schema/ledger_4.sql"),
    ],
    page_size: 4096,
    cache_kib: 2 * 1024,
};

/// An annual import touches the last page of every listing that trades, on every day: about 50 MB
/// for the full market, which is what the cache has to hold. Of 4, 8 and 16 KiB pages, 8 imported
/// fastest.
pub(super) const HISTORY: Layout = Layout {
    file: "history.db",
    application_id: 0x5052_4548, // "PREH"
    steps: &[include_str!("schema/history_1.sql"), include_str!("schema/history_2.sql")],
    page_size: 8192,
    cache_kib: 64 * 1024,
};

/// Longest wait for another of our own connections. They write small batches; only a second import
/// could hold a file for longer, and waiting for that is better refused.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// How a data directory was opened.
#[derive(Clone, Debug)]
pub(super) enum Access {
    /// For reading, without the directory's lock.
    Read,
    /// For writing, with it; let go of with the last handle.
    Write { lock: Arc<DirectoryLock> },
}

/// A connection to one file of the store.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    /// Keeps other writers out for as long as this connection can write.
    _access: Access,
}

/// What can fail between a row and a caller: SQLite, or one of our own rules.
#[derive(Debug)]
pub(super) enum Fault {
    Sql(rusqlite::Error),
    Store(StoreError),
}

impl Database {
    /// Opens the file, creating or upgrading it where `access` allows.
    pub(super) fn open(directory: &Path, layout: &Layout, access: &Access) -> Result<Self, StoreError> {
        let path = directory.join(layout.file);
        let opened = match access {
            Access::Write { .. } => open_for_writing(&path, layout),
            Access::Read => open_for_reading(&path, layout),
        };
        let connection = opened.map_err(|fault| fault.at(&path, "open it"))?;
        Ok(Self { connection, path, _access: access.clone() })
    }

    /// Reads every page and checks the structure.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let finding = self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
        match finding.map_err(|error| Fault::from(error).at(&self.path, "check it"))? {
            finding if finding == "ok" => Ok(()),
            finding => Err(damaged(&self.path, finding, None)),
        }
    }
}

fn open_for_writing(path: &Path, layout: &Layout) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    let schema = schema_of(&connection, path, layout)?;
    // Only takes where the file is still empty, and has to come before WAL.
    connection.pragma_update(None, "page_size", layout.page_size)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        let remedy = "give a data directory on a local disk";
        return Err(unusable(path, "cannot have a write-ahead log", remedy, None));
    }
    // FULL syncs every commit; `fullfsync` makes that true on macOS and changes nothing elsewhere.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    bound_cache(&connection, layout)?;
    upgrade(&mut connection, schema, layout)?;
    Ok(connection)
}

fn open_for_reading(path: &Path, layout: &Layout) -> Result<Connection, Fault> {
    if matches!(path.try_exists(), Ok(false)) {
        return Err(unusable(
            path,
            "does not exist",
            "import some history or start pregao here first, then read",
            None,
        ));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    if schema_of(&connection, path, layout)? < known_schema(layout) {
        let remedy = "open it for writing once with this version, which upgrades it";
        return Err(unusable(path, "was written by an older pregao", remedy, None));
    }
    bound_cache(&connection, layout)?;
    Ok(connection)
}

/// SQLite takes a negative number for KiB.
fn bound_cache(connection: &Connection, layout: &Layout) -> Result<(), Fault> {
    Ok(connection.pragma_update(None, "cache_size", -layout.cache_kib)?)
}

/// The schema of the file, 0 for an empty one, if it is ours and not newer than we are.
fn schema_of(connection: &Connection, path: &Path, layout: &Layout) -> Result<i64, Fault> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let objects = number("SELECT count(*) FROM sqlite_schema")?;
    let application_id = number("PRAGMA application_id")?;
    let found = number("PRAGMA user_version")?;
    if objects > 0 && application_id != i64::from(layout.application_id) {
        let remedy = "it belongs to another program: give another data directory, or move that file away";
        return Err(unusable(path, "is a database, but not pregao's", remedy, None));
    }
    let known = known_schema(layout);
    if found > known {
        return Err(StoreError::NewerSchema { place: path.display().to_string(), found, known }.into());
    }
    Ok(found)
}

fn known_schema(layout: &Layout) -> i64 {
    // A list of a few steps, written by hand.
    i64::try_from(layout.steps.len()).unwrap_or(i64::MAX)
}

/// Takes the steps that the file has not had, each with its number in one transaction: a crash
/// between two steps leaves a file that says exactly how far it got.
fn upgrade(connection: &mut Connection, schema: i64, layout: &Layout) -> Result<(), Fault> {
    for (number, step) in (1..).zip(layout.steps).filter(|(number, _)| *number > schema) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", layout.application_id)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Fault {
    /// Names the file and tells what a person can do about it.
    pub(super) fn at(self, path: &Path, doing: &'static str) -> StoreError {
        let error = match self {
            Self::Store(error) => return error,
            Self::Sql(error) => error,
        };
        let place = path.display().to_string();
        let (problem, remedy) = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => return StoreError::Full { place, source: error.into() },
            _ if is_damage(&error) => {
                return damaged(path, "what is stored cannot be read back".to_owned(), Some(error));
            }
            Some(ErrorCode::NotADatabase) => {
                ("is not a database, or its beginning is damaged", "move it away, or restore a backup")
            }
            Some(ErrorCode::ReadOnly) => (
                "is read-only here",
                "open it for writing; its directory must be writable, which SQLite needs even to read",
            ),
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                // SQLite does not say which of the two it was.
                (
                    "cannot be opened",
                    "let this user read and write the data directory and the files in it; from a read-only disk, copy \
                     it to one that can be written",
                )
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                ("is busy with another write", "wait for the running import to end, then try again")
            }
            _ => return StoreError::Failed { place, doing, source: error.into() },
        };
        StoreError::Unusable { place, problem, remedy, source: Some(error.into()) }
    }
}

/// Whether what is stored, rather than how it was reached, is wrong.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt)
        || matches!(
            error,
            FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..)
        )
}

/// The file holds something that cannot be right.
pub(super) fn damaged(path: &Path, problem: String, source: Option<rusqlite::Error>) -> StoreError {
    StoreError::Corrupt { place: path.display().to_string(), problem, source: source.map(Into::into) }
}

fn unusable(path: &Path, problem: &'static str, remedy: &'static str, source: Option<io::Error>) -> Fault {
    let source = source.map(Into::into);
    StoreError::Unusable { place: path.display().to_string(), problem, remedy, source }.into()
}

/// The operating system said no.
pub(super) fn system_failure(path: &Path, doing: &'static str, error: io::Error) -> StoreError {
    let place = path.display().to_string();
    let (problem, remedy) = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => return StoreError::Full { place, source: error.into() },
        ErrorKind::PermissionDenied => {
            ("permission denied", "let this user read and write the data directory, or give another one")
        }
        ErrorKind::ReadOnlyFilesystem => {
            ("the file system is read-only", "give a data directory on one that can be written, or only read")
        }
        _ => return StoreError::Failed { place, doing, source: error.into() },
    };
    StoreError::Unusable { place, problem, remedy, source: Some(error.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Layout = Layout {
        file: "test.db",
        application_id: 7,
        steps: &["CREATE TABLE cow (name TEXT) STRICT"],
        page_size: 4096,
        cache_kib: 1024,
    };
    const SECOND: Layout = Layout {
        steps: &["CREATE TABLE cow (name TEXT) STRICT", "ALTER TABLE cow ADD COLUMN legs INTEGER DEFAULT 4"],
        ..FIRST
    };

    fn writing(directory: &Path) -> Access {
        Access::Write { lock: Arc::new(DirectoryLock::take(directory).unwrap()) }
    }

    #[test]
    fn an_older_schema_is_brought_up_to_date_and_keeps_its_rows() {
        let directory = tempfile::tempdir().unwrap();
        let access = writing(directory.path());
        let first = Database::open(directory.path(), &FIRST, &access).unwrap();
        first.connection.execute_batch("INSERT INTO cow VALUES ('Mimosa')").unwrap();
        drop(first);

        // A reader cannot upgrade, and says who can.
        let error = Database::open(directory.path(), &SECOND, &Access::Read).unwrap_err();
        assert!(error.to_string().contains("was written by an older pregao; open it for writing once"), "{error}");

        let second = Database::open(directory.path(), &SECOND, &access).unwrap();
        let cow = second
            .connection
            .query_row("SELECT name, legs FROM cow", [], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)));
        assert_eq!(cow.unwrap(), ("Mimosa".to_owned(), 4));
        Database::open(directory.path(), &SECOND, &Access::Read).unwrap();

        // And there is no way back.
        for access in [access, Access::Read] {
            let error = Database::open(directory.path(), &FIRST, &access).unwrap_err();
            assert!(matches!(error, StoreError::NewerSchema { found: 2, known: 1, .. }), "{error}");
        }
    }

    #[test]
    fn every_commit_is_synced_into_a_write_ahead_log() {
        const FULL: i64 = 2;
        let directory = tempfile::tempdir().unwrap();
        for layout in [LEDGER, HISTORY] {
            let access = writing(directory.path());
            let database = Database::open(directory.path(), &layout, &access).unwrap();
            let pragma = |name| database.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
            assert_eq!(pragma("synchronous"), FULL);
            assert_eq!(pragma("page_size"), i64::from(layout.page_size));
            assert_eq!(pragma("cache_size"), i64::from(-layout.cache_kib));
            let mode = database.connection.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0));
            assert_eq!(mode.unwrap(), "wal");
        }
    }

    #[test]
    fn a_step_that_fails_leaves_the_schema_before_it() {
        const BROKEN: Layout =
            Layout { steps: &["CREATE TABLE cow (name TEXT)", "CREATE TABLE cow (name TEXT)"], ..FIRST };
        let directory = tempfile::tempdir().unwrap();
        let access = writing(directory.path());
        Database::open(directory.path(), &BROKEN, &access).unwrap_err();
        let first = Database::open(directory.path(), &FIRST, &access).unwrap();
        assert_eq!(schema_of(&first.connection, &first.path, &FIRST).unwrap(), 1);
    }

    /// Whoever opens a file with another tool finds every table and column explained.
    #[test]
    fn every_table_and_column_is_documented() {
        for layout in [LEDGER, HISTORY] {
            let directory = tempfile::tempdir().unwrap();
            let database = Database::open(directory.path(), &layout, &writing(directory.path())).unwrap();
            let mut statement =
                database.connection.prepare("SELECT sql FROM sqlite_schema WHERE type = 'table'").unwrap();
            let tables: Vec<String> =
                statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
            assert!(tables.len() >= 3);
            for table in tables {
                let mut lines = table.lines().skip(1).map(str::trim);
                assert!(lines.next().unwrap().starts_with("-- "), "{table}");
                let columns = lines.filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()));
                for column in columns {
                    assert!(column.contains(" -- "), "{column}");
                }
            }
        }
    }
}

//! The halt state in `pregao.db`.

use rusqlite::{Connection, OptionalExtension, params};

use market::Timestamp;

use super::database::{Database, Fault, damaged};
use crate::digest::Digest;
use crate::error::StoreError;
use crate::halt::{HaltRecord, HaltStore};

/// Halt state in a data directory.
#[derive(Debug)]
pub struct EmbeddedHalt {
    database: Database,
}

impl EmbeddedHalt {
    pub(super) fn new(database: Database) -> Self {
        Self { database }
    }
}

impl HaltStore for EmbeddedHalt {
    fn load_halt(&self) -> Result<Option<HaltRecord>, StoreError> {
        let Database { connection, path, .. } = &self.database;
        let loaded = load(connection).map_err(|fault| fault.at(path, "read the halt state"))?;
        match loaded {
            Some((record, digest)) if record.digest() != digest => {
                Err(damaged(path, "the halt state is not what was written".to_owned(), None))
            }
            loaded => Ok(loaded.map(|(record, _)| record)),
        }
    }

    fn save_halt(&mut self, record: &HaltRecord) -> Result<(), StoreError> {
        let Database { connection, path, .. } = &self.database;
        save(connection, record).map_err(|fault| fault.at(path, "save the halt state"))
    }
}

fn load(connection: &Connection) -> Result<Option<(HaltRecord, Digest)>, Fault> {
    let newest = "SELECT level, reason, decided_by, at, digest FROM halt ORDER BY id DESC LIMIT 1";
    let found = connection.prepare_cached(newest)?.query_row([], |row| {
        let record = HaltRecord {
            level: row.get(0)?,
            reason: row.get(1)?,
            by: row.get(2)?,
            at: Timestamp::from_nanos(row.get(3)?),
        };
        Ok((record, Digest::new(row.get(4)?)))
    });
    Ok(found.optional()?)
}

fn save(connection: &Connection, record: &HaltRecord) -> Result<(), Fault> {
    connection
        .prepare_cached("INSERT INTO halt (level, reason, decided_by, at, digest) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![record.level, record.reason, record.by, record.at.as_nanos(), record.digest().as_bytes()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EmbeddedStore;
    use crate::contract::halt::decision;

    #[test]
    fn a_changed_halt_state_is_an_error_so_that_the_caller_stays_halted() {
        for change in [
            "UPDATE halt SET level = 'active'",
            "UPDATE halt SET level = CAST(x'ff' AS TEXT)",
            "UPDATE halt SET at = at + 1",
            "UPDATE halt SET decided_by = 'joão'",
            "UPDATE halt SET digest = zeroblob(32)",
        ] {
            let directory = tempfile::tempdir().unwrap();
            let mut halt = EmbeddedStore::open(directory.path()).unwrap().halt().unwrap();
            halt.save_halt(&decision("cancel_all", 1)).unwrap();
            Connection::open(directory.path().join("pregao.db")).unwrap().execute(change, []).unwrap();
            let error = halt.load_halt().unwrap_err();
            assert!(matches!(error, StoreError::Corrupt { .. }), "{change}: {error}");
        }
    }

    #[test]
    fn a_level_without_a_name_is_not_saved() {
        let directory = tempfile::tempdir().unwrap();
        let mut halt = EmbeddedStore::open(directory.path()).unwrap().halt().unwrap();
        halt.save_halt(&decision("", 1)).unwrap_err();
        assert_eq!(halt.load_halt().unwrap(), None);
    }
}

//! The halt state in `pregao.db`.

use rusqlite::{Connection, params};

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
    fn load_halts(&self) -> Result<Vec<HaltRecord>, StoreError> {
        let Database { connection, path, .. } = &self.database;
        let loaded = load(connection).map_err(|fault| fault.at(path, "read the halt state"))?;
        let whole: Option<Vec<HaltRecord>> = loaded.into_iter().collect();
        whole.ok_or_else(|| damaged(path, "the halt state is not what was written".to_owned(), None))
    }

    fn save_halt(&mut self, record: &HaltRecord) -> Result<(), StoreError> {
        let Database { connection, path, .. } = &self.database;
        save(connection, record).map_err(|fault| fault.at(path, "save the halt state"))
    }
}

/// The last of each scope; none for one that is not what was written.
fn load(connection: &Connection) -> Result<Vec<Option<HaltRecord>>, Fault> {
    let newest = "SELECT scope, level, reason, decided_by, at, digest FROM halt \
                  WHERE id IN (SELECT max(id) FROM halt \
                  WHERE id >= coalesce((SELECT max(id) FROM halt WHERE scope = '*'), 0) \
                  GROUP BY coalesce(scope, 'global')) ORDER BY id";
    let mut statement = connection.prepare_cached(newest)?;
    let found = statement.query_map([], |row| {
        let words = [row.get(1)?, row.get(2)?, row.get(3)?];
        let (at, digest) = (Timestamp::from_nanos(row.get(4)?), Digest::new(row.get(5)?));
        Ok(HaltRecord::checked(row.get(0)?, words, at, Some(digest)))
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn save(connection: &Connection, record: &HaltRecord) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO halt (scope, level, reason, decided_by, at, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            record.scope,
            record.level,
            record.reason,
            record.by,
            record.at.as_nanos(),
            record.digest().as_bytes()
        ])?;
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
            "UPDATE halt SET scope = 'symbol:PETR4'",
            "UPDATE halt SET scope = NULL",
            "UPDATE halt SET scope = '*', level = 'active'",
            "UPDATE halt SET level = CAST(x'ff' AS TEXT)",
            "UPDATE halt SET at = at + 1",
            "UPDATE halt SET decided_by = 'joão'",
            "UPDATE halt SET digest = zeroblob(32)",
        ] {
            let directory = tempfile::tempdir().unwrap();
            let mut halt = EmbeddedStore::open(directory.path()).unwrap().halt().unwrap();
            halt.save_halt(&decision("cancel_all", 1)).unwrap();
            Connection::open(directory.path().join("pregao.db")).unwrap().execute(change, []).unwrap();
            let error = halt.load_halts().unwrap_err();
            assert!(matches!(error, StoreError::Corrupt { .. }), "{change}: {error}");
        }
    }

    /// A file of the schema before, as it is after its upgrade.
    #[test]
    fn a_row_from_before_there_were_scopes_means_everything() {
        let directory = tempfile::tempdir().unwrap();
        let mut halt = EmbeddedStore::open(directory.path()).unwrap().halt().unwrap();
        let old = decision("cancel_all", 1);
        let by_hand = Connection::open(directory.path().join("pregao.db")).unwrap();
        let digest = old.digest_without_scope();
        let insert = "INSERT INTO halt (level, reason, decided_by, at, digest) VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![old.level, old.reason, old.by, old.at.as_nanos(), digest.as_bytes()];
        by_hand.execute(insert, values).unwrap();
        assert_eq!(halt.load_halts().unwrap(), [old]);
        halt.save_halt(&decision("active", 2)).unwrap();
        assert_eq!(halt.load_halts().unwrap(), [decision("active", 2)]);
    }

    #[test]
    fn a_level_without_a_name_is_not_saved() {
        let directory = tempfile::tempdir().unwrap();
        let mut halt = EmbeddedStore::open(directory.path()).unwrap().halt().unwrap();
        halt.save_halt(&decision("", 1)).unwrap_err();
        assert_eq!(halt.load_halts().unwrap(), []);
    }
}

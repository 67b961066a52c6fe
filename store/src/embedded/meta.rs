//! The named values in `pregao.db`.

use rusqlite::{OptionalExtension, params};

use super::database::{Database, Fault};
use crate::error::StoreError;
use crate::meta::MetaStore;

/// Named values in a data directory.
#[derive(Debug)]
pub struct EmbeddedMeta {
    database: Database,
}

impl EmbeddedMeta {
    pub(super) fn new(database: Database) -> Self {
        Self { database }
    }
}

impl MetaStore for EmbeddedMeta {
    fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        let Database { connection, path, .. } = &self.database;
        let value = connection.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0));
        value.optional().map_err(|error| Fault::from(error).at(path, "read a named value"))
    }

    fn set_meta(&mut self, key: &str, value: &str) -> Result<(), StoreError> {
        let Database { connection, path, .. } = &self.database;
        let set = "INSERT INTO meta (key, value) VALUES (?1, ?2)
                   ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        let done = connection.execute(set, params![key, value]);
        done.map(|_| ()).map_err(|error| Fault::from(error).at(path, "set a named value"))
    }
}

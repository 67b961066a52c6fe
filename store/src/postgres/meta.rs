//! The named values in Postgres.

use std::sync::Arc;

use super::Shared;
use crate::error::StoreError;
use crate::meta::MetaStore;

/// Named values on a server.
pub struct PostgresMeta {
    shared: Arc<Shared>,
}

impl PostgresMeta {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl MetaStore for PostgresMeta {
    fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        let key = key.to_owned();
        self.shared.server.call("read a named value", move |session| {
            Box::pin(async move {
                let rows = session.rows("SELECT value FROM meta WHERE key = $1", &[&key]).await?;
                Ok(rows.first().map(|row| row.try_get(0)).transpose()?)
            })
        })
    }

    fn set_meta(&mut self, key: &str, value: &str) -> Result<(), StoreError> {
        self.shared.writable()?;
        let (key, value) = (key.to_owned(), value.to_owned());
        self.shared.server.call("set a named value", move |session| {
            Box::pin(async move {
                let set = "INSERT INTO meta (key, value) VALUES ($1, $2)
                           ON CONFLICT (key) DO UPDATE SET value = excluded.value";
                session.change(set, &[&key, &value]).await?;
                Ok(())
            })
        })
    }
}

//! The halt state in Postgres.

use std::sync::Arc;

use market::Timestamp;
use tokio_postgres::Row;

use super::Shared;
use super::fault::Fault;
use crate::digest::Digest;
use crate::error::StoreError;
use crate::halt::{HaltRecord, HaltStore};

/// Halt state on a server.
pub struct PostgresHalt {
    shared: Arc<Shared>,
}

impl PostgresHalt {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl HaltStore for PostgresHalt {
    fn load_halts(&self) -> Result<Vec<HaltRecord>, StoreError> {
        self.shared.server.call("read the halt state", |session| {
            Box::pin(async move {
                let newest = "SELECT scope, level, reason, decided_by, at, digest FROM halt \
                              WHERE id IN (SELECT max(id) FROM halt \
                  WHERE id >= coalesce((SELECT max(id) FROM halt WHERE scope = '*'), 0) \
                  GROUP BY coalesce(scope, 'global')) ORDER BY id";
                session.rows(newest, &[]).await?.iter().map(checked).collect()
            })
        })
    }

    fn save_halt(&mut self, record: &HaltRecord) -> Result<(), StoreError> {
        self.shared.writable()?;
        let record = record.clone();
        self.shared.server.call("save the halt state", move |session| {
            Box::pin(async move {
                let save = "INSERT INTO halt (scope, level, reason, decided_by, at, digest) \
                            VALUES ($1, $2, $3, $4, $5, $6)";
                let HaltRecord { scope, level, reason, by, at } = &record;
                let (at, digest) = (at.as_nanos(), record.digest());
                session.change(save, &[scope, level, reason, by, &at, &digest.as_bytes().as_slice()]).await?;
                Ok(())
            })
        })
    }
}

/// From `scope, level, reason, decided_by, at, digest`.
fn checked(row: &Row) -> Result<HaltRecord, Fault> {
    let words = [row.try_get(1)?, row.try_get(2)?, row.try_get(3)?];
    let at = Timestamp::from_nanos(row.try_get(4)?);
    let digest = <[u8; 32]>::try_from(row.try_get::<_, &[u8]>(5)?).ok().map(Digest::new);
    HaltRecord::checked(row.try_get(0)?, words, at, digest)
        .ok_or_else(|| Fault::Damaged("the halt state is not what was written".to_owned()))
}

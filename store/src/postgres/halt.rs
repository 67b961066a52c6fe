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
    fn load_halt(&self) -> Result<Option<HaltRecord>, StoreError> {
        self.shared.server.call("read the halt state", |session| {
            Box::pin(async move {
                let newest = "SELECT level, reason, decided_by, at, digest FROM halt ORDER BY id DESC LIMIT 1";
                session.rows(newest, &[]).await?.first().map(checked).transpose()
            })
        })
    }

    fn save_halt(&mut self, record: &HaltRecord) -> Result<(), StoreError> {
        self.shared.writable()?;
        let record = record.clone();
        self.shared.server.call("save the halt state", move |session| {
            Box::pin(async move {
                let save = "INSERT INTO halt (level, reason, decided_by, at, digest) VALUES ($1, $2, $3, $4, $5)";
                let HaltRecord { level, reason, by, at } = &record;
                let (at, digest) = (at.as_nanos(), record.digest());
                session.change(save, &[level, reason, by, &at, &digest.as_bytes().as_slice()]).await?;
                Ok(())
            })
        })
    }
}

/// From `level, reason, decided_by, at, digest`.
fn checked(row: &Row) -> Result<HaltRecord, Fault> {
    let record = HaltRecord {
        level: row.try_get(0)?,
        reason: row.try_get(1)?,
        by: row.try_get(2)?,
        at: Timestamp::from_nanos(row.try_get(3)?),
    };
    let stored = <[u8; 32]>::try_from(row.try_get::<_, &[u8]>(4)?).ok().map(Digest::new);
    if stored == Some(record.digest()) {
        Ok(record)
    } else {
        Err(Fault::Damaged("the halt state is not what was written".to_owned()))
    }
}

//! The right to write to a data directory: its lock, which the process holds until it ends.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::database::Access;
use super::lock::DirectoryLock;
use crate::error::StoreError;
use crate::lease::Lease;

/// The system gives the lock to one process at a time, so there is no term and nobody to fence.
struct EmbeddedLease {
    /// `None` once it is released.
    lock: Option<Arc<DirectoryLock>>,
}

/// For any account: the lock is the whole directory's.
pub(super) fn of(access: &Access, directory: &Path) -> Result<Box<dyn Lease>, StoreError> {
    match access {
        Access::Write { lock } => Ok(Box::new(EmbeddedLease { lock: Some(Arc::clone(lock)) })),
        Access::Read => Err(StoreError::Unusable {
            place: directory.display().to_string(),
            problem: "is open for reading only",
            remedy: "open it for writing to trade an account",
            source: None,
        }),
    }
}

impl Lease for EmbeddedLease {
    fn epoch(&self) -> u64 {
        0
    }

    fn term(&self) -> Option<Duration> {
        None
    }

    fn renew(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn release(&mut self) -> Result<(), StoreError> {
        // The directory is free once the other handles are gone too.
        self.lock = None;
        Ok(())
    }
}

//! The lock of a data directory: one writing process.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::Path;

use super::database::system_failure;
use crate::error::StoreError;

const LOCK_FILE: &str = "pregao.lock";

/// Held while it lives. The system lets go of it when the process ends, however it ends; the file
/// stays, because removing it would race with the next process that opens it.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the lock at once or says who holds it.
    pub(super) fn take(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(LOCK_FILE);
        let failed = |error| system_failure(&path, "lock the data directory", error);
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked { place: directory.display().to_string(), holder: holder(&path) });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// Only for people: the holder may not have written its number yet.
fn holder(path: &Path) -> String {
    let written = fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u32>().ok());
    written.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

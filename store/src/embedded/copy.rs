//! A copy of a data directory's files, taken while a daemon writes to them.
//!
//! `VACUUM INTO` reads one moment of a file and writes it out page by page in order: a writer beside it is not held up,
//! and damage that it meets is an error rather than copied. SQLite's own backup begins anew whenever another process
//! writes, which on a busy day is always. Each file is a moment of its own: the journal holds all that a book is made
//! of, and refers to the history by symbol and day only.

use std::fs::{File, Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::EmbeddedStore;
use super::database::{Database, Fault, HISTORY, LEDGER, Layout, system_failure};
use super::lock::DirectoryLock;
use crate::error::StoreError;

/// Readable for its owner only: a ledger names people and holds hashes of their secrets.
const PRIVATE: u32 = 0o600;

/// The right to write to a data directory, without a store in it.
#[derive(Debug)]
pub struct HeldDirectory {
    _lock: DirectoryLock,
}

/// Keeps every writer out of a directory that exists, whatever is in it.
///
/// # Errors
/// Another process writes to it, or it cannot be used.
pub fn hold(directory: &Path) -> Result<HeldDirectory, StoreError> {
    Ok(HeldDirectory { _lock: DirectoryLock::take(directory)? })
}

impl EmbeddedStore {
    /// Names of the files of a store.
    pub const FILES: [&str; 2] = [LEDGER.file(), HISTORY.file()];

    /// Writes a copy of both files into another directory, which has neither; synced when this returns.
    ///
    /// # Errors
    /// What is stored cannot be read, or the copy cannot be written.
    pub fn copy_to(&self, directory: &Path) -> Result<(), StoreError> {
        // The history first: what the ledger may come to refer to meanwhile is younger than both.
        self.copy(&HISTORY, directory)?;
        self.copy(&LEDGER, directory)
    }

    fn copy(&self, layout: &Layout, directory: &Path) -> Result<(), StoreError> {
        let to = directory.join(layout.file());
        let failed = |error| system_failure(&to, "copy the store to it", error);
        // Made first, so that it is never readable for others; SQLite takes an empty file.
        File::create_new(&to).and_then(|_| set_permissions(&to, Permissions::from_mode(PRIVATE))).map_err(failed)?;
        let Database { connection, path, .. } = self.database(layout)?;
        let name = to.display().to_string();
        connection.execute("VACUUM INTO ?1", [&name]).map_err(|error| Fault::from(error).at(&path, "copy it"))?;
        File::open(&to).and_then(|file| file.sync_all()).map_err(failed)
    }

    /// The schema of each file: what this program writes.
    pub fn schemas() -> [(&'static str, i64); 2] {
        [&LEDGER, &HISTORY].map(|layout| (layout.file(), layout.schema()))
    }

    /// Takes the directory's name away, so that it gets one of its own when it is next asked: a copy is another
    /// directory than the one it was made of.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn forget_identity(&self) -> Result<(), StoreError> {
        let Database { connection, path, .. } = self.database(&LEDGER)?;
        let done = connection.execute("DELETE FROM meta WHERE key = ?1", [super::IDENTITY]);
        done.map(drop).map_err(|error| Fault::from(error).at(&path, "forget its name"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Journal, JournalEntry, Verification};
    use market::Timestamp;

    fn entry(sequence: u64) -> JournalEntry {
        JournalEntry {
            account: "PAPR".parse().unwrap(),
            sequence,
            at: Timestamp::from_nanos(i64::try_from(sequence).unwrap()),
            kind: "order_intent".into(),
            payload: "{}".to_owned(),
        }
    }

    #[test]
    fn a_copy_beside_a_writer_is_one_moment_private_and_whole() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let writer = EmbeddedStore::open(from.path()).unwrap();
        let mut journal = writer.journal().unwrap();
        journal.append(&[entry(1), entry(2)]).unwrap();
        let identity = writer.identity().unwrap();
        EmbeddedStore::open_read_only(from.path()).unwrap().copy_to(to.path()).unwrap();
        journal.append(&[entry(3)]).unwrap();
        for name in EmbeddedStore::FILES {
            let mode = std::fs::metadata(to.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let copy = EmbeddedStore::open(to.path()).unwrap();
        copy.check().unwrap();
        let verified = copy.journal().unwrap().verify("PAPR".parse().unwrap()).unwrap();
        assert_eq!(verified, Verification::Intact { entries: 2 });
        assert_eq!(copy.identity().unwrap(), identity);
        copy.forget_identity().unwrap();
        assert_ne!(copy.identity().unwrap(), identity);
    }

    #[test]
    fn nothing_is_copied_over_and_a_held_directory_has_no_other_writer() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = EmbeddedStore::open(from.path()).unwrap();
        std::fs::write(to.path().join("history.db"), "mine").unwrap();
        store.copy_to(to.path()).unwrap_err();
        assert_eq!(std::fs::read(to.path().join("history.db")).unwrap(), b"mine");
        assert!(matches!(hold(from.path()), Err(StoreError::Locked { .. })));
        drop(store);
        let held = hold(from.path()).unwrap();
        assert!(matches!(EmbeddedStore::open(from.path()), Err(StoreError::Locked { .. })));
        drop(held);
        EmbeddedStore::open(from.path()).unwrap();
    }
}

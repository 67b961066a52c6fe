//! The default store: SQLite, one data directory, no server.
//!
//! | file | holds | why apart |
//! |---|---|---|
//! | `pregao.db` | journal, halt state, audit, users, configurations, named values | small writes, each one synced before anything leaves |
//! | `history.db` | daily records, index closes, import log | an annual file is one transaction of seconds; SQLite has one writer per file, so in the same file it would hold up an order's intent, or a halt |
//! | `pregao.lock` | the writing process, locked while it runs | two writers would both believe they are the account's only one |
//!
//! Each handle ([`EmbeddedStore::journal`] and so on) has its own connection and can move to its
//! own thread; each keeps the directory locked while it lives. Both files are in WAL mode, so
//! readers, also of other processes, work beside the writer.

mod audit;
mod config_versions;
mod copy;
mod database;
mod halt;
mod history;
mod import;
mod journal;
mod lease;
mod lock;
mod meta;
mod row;
mod users;
mod wal;

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::audit::Audit;
use crate::config_versions::ConfigVersions;
use crate::error::StoreError;
use crate::halt::HaltStore;
use crate::journal::{AccountTag, Journal};
use crate::lease::Lease;
use crate::ledger::Ledger;
use crate::meta::MetaStore;
use crate::users::Users;
use database::{Access, Database, HISTORY, LEDGER, Layout, system_failure};
use lock::DirectoryLock;

pub use audit::EmbeddedAudit;
pub use config_versions::EmbeddedConfigVersions;
pub use copy::{HeldDirectory, hold};
pub use halt::EmbeddedHalt;
pub use history::EmbeddedHistory;
pub use journal::EmbeddedJournal;
pub use meta::EmbeddedMeta;
pub use users::EmbeddedUsers;

/// The directory's name among its named values.
const IDENTITY: &str = "identity";
/// Names must differ between machines; nobody has to be kept from guessing them.
const RANDOM: &str = "/dev/urandom";

/// A data directory, open.
#[derive(Clone, Debug)]
pub struct EmbeddedStore {
    directory: PathBuf,
    access: Access,
}

impl EmbeddedStore {
    /// Opens a data directory for writing: creates it where it is missing, brings an older schema
    /// up to date, and keeps other writers out.
    ///
    /// # Errors
    /// Another writer, a newer schema, a path that cannot be used, a file that is not ours.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        create(directory)?;
        let lock = DirectoryLock::take(directory)?;
        Self::checked(directory, Access::Write { lock: Arc::new(lock) })
    }

    /// Opens a data directory for reading, beside a writer if there is one. Creates nothing.
    ///
    /// # Errors
    /// A directory without a store, another schema than this program's, a file that is not ours.
    pub fn open_read_only(directory: &Path) -> Result<Self, StoreError> {
        Self::checked(directory, Access::Read)
    }

    fn checked(directory: &Path, access: Access) -> Result<Self, StoreError> {
        // Before SQLite recovers the ledger, which would cut a damaged log without a word. What an
        // import lost is imported again, so the history's may be cut.
        wal::check(&directory.join(LEDGER.file()))?;
        let store = Self { directory: directory.to_owned(), access };
        store.database(&LEDGER)?;
        store.database(&HISTORY)?;
        Ok(store)
    }

    /// The data directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The directory's own random name, made when it is first asked for. A store elsewhere knows by it
    /// who holds an account; a copy of the directory should be opened only where the original is not.
    ///
    /// # Errors
    /// If it cannot be read or kept, or the system gives no random bytes.
    pub fn identity(&self) -> Result<String, StoreError> {
        let mut meta = self.meta()?;
        if let Some(known) = meta.meta(IDENTITY)? {
            return Ok(known);
        }
        let mut bytes = [0; 16];
        let read = File::open(RANDOM).and_then(|mut random| random.read_exact(&mut bytes));
        read.map_err(|error| system_failure(Path::new(RANDOM), "make up a name for the data directory", error))?;
        let name: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        meta.set_meta(IDENTITY, &name)?;
        Ok(name)
    }

    /// The journal, over a connection of its own.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn journal(&self) -> Result<EmbeddedJournal, StoreError> {
        self.database(&LEDGER).map(EmbeddedJournal::new)
    }

    /// The halt state, over a connection of its own.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn halt(&self) -> Result<EmbeddedHalt, StoreError> {
        self.database(&LEDGER).map(EmbeddedHalt::new)
    }

    /// The audit, over a connection of its own.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn audit(&self) -> Result<EmbeddedAudit, StoreError> {
        self.database(&LEDGER).map(EmbeddedAudit::new)
    }

    /// The users, over a connection of their own.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn users(&self) -> Result<EmbeddedUsers, StoreError> {
        self.database(&LEDGER).map(EmbeddedUsers::new)
    }

    /// The configurations that were in force, over a connection of their own.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn config_versions(&self) -> Result<EmbeddedConfigVersions, StoreError> {
        self.database(&LEDGER).map(EmbeddedConfigVersions::new)
    }

    /// The named values, over a connection of their own.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn meta(&self) -> Result<EmbeddedMeta, StoreError> {
        self.database(&LEDGER).map(EmbeddedMeta::new)
    }

    /// The history, over a connection of its own.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn history(&self) -> Result<EmbeddedHistory, StoreError> {
        self.database(&HISTORY).map(EmbeddedHistory::new)
    }

    /// Reads every page of both files and checks their structure: seconds per gigabyte. What the
    /// rows say is [`crate::Journal::verify`]'s business.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] with the first finding.
    pub fn check(&self) -> Result<(), StoreError> {
        self.database(&LEDGER)?.check()?;
        self.database(&HISTORY)?.check()
    }

    fn database(&self, layout: &Layout) -> Result<Database, StoreError> {
        Database::open(&self.directory, layout, &self.access)
    }
}

/// The handles as trait objects. The right to write is the directory's lock, for all accounts.
impl Ledger for EmbeddedStore {
    fn place(&self) -> String {
        self.directory.display().to_string()
    }

    fn lease(&self, _account: AccountTag) -> Result<Box<dyn Lease>, StoreError> {
        lease::of(&self.access, &self.directory)
    }

    fn journal(&self) -> Result<Box<dyn Journal>, StoreError> {
        Ok(Box::new(Self::journal(self)?))
    }

    fn halt(&self) -> Result<Box<dyn HaltStore>, StoreError> {
        Ok(Box::new(Self::halt(self)?))
    }

    fn audit(&self) -> Result<Box<dyn Audit>, StoreError> {
        Ok(Box::new(Self::audit(self)?))
    }

    fn users(&self) -> Result<Box<dyn Users>, StoreError> {
        Ok(Box::new(Self::users(self)?))
    }

    fn config_versions(&self) -> Result<Box<dyn ConfigVersions>, StoreError> {
        Ok(Box::new(Self::config_versions(self)?))
    }

    fn meta(&self) -> Result<Box<dyn MetaStore>, StoreError> {
        Ok(Box::new(Self::meta(self)?))
    }
}

fn create(directory: &Path) -> Result<(), StoreError> {
    let is_not_a_directory = |source| StoreError::Unusable {
        place: directory.display().to_string(),
        problem: "is not a directory",
        remedy: "give another path for the data directory, or move that file away",
        source,
    };
    match fs::metadata(directory) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => return Err(is_not_a_directory(None)),
        Err(error) if error.kind() == ErrorKind::NotADirectory => return Err(is_not_a_directory(Some(error.into()))),
        Err(_) => {}
    }
    fs::create_dir_all(directory).map_err(|error| system_failure(directory, "create the data directory", error))
}

#[cfg(test)]
mod tests;

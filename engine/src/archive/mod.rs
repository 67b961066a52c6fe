//! A backup: what one is made of, how it is made beside a running daemon, and how a data directory is made of it again.
//!
//! | file in a backup | what |
//! |---|---|
//! | `manifest.json` | who made it when of what, and every other file with its length and SHA-256; written last |
//! | `pregao.db`, `history.db` | the store of the data directory |
//! | `ledger.dump` | with `[store] kind = "postgres"`: the schema, in `pg_dump`'s custom form |
//! | `halt` | the halt file, if one lay there |
//! | `collected.json` | what was collected so far |
//!
//! - `manifest`: what a backup says of itself, and whether it is true
//! - `making`: a backup is made beside its place and moved there whole
//! - `restoring`: a data directory is made of one, halted
//! - `server`: the part that lies on a server
//!
//! **No secret is in it.** The admin interface's keys (`admin/`) stay out: whoever had the backup could speak as the
//! daemon, and new ones are made at the first start. Files that the configuration names (`*_file`) lie elsewhere and
//! are the owner's. Users come along with the hashes of their secrets, so everything is readable for its owner only.

mod making;
mod manifest;
mod restoring;
mod server;

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use store::EmbeddedStore;

use manifest::{Account, MANIFEST};

pub use making::make;
pub use manifest::Manifest;
pub use restoring::{Wanted, restore};

/// The ledger of a server.
const DUMP: &str = "ledger.dump";
/// What was collected: its name in a backup, and its place in a data directory.
const COLLECTED: (&str, &str) = ("collected.json", "downloads/collected.json");

/// Files that are copied as they are: name in a backup, place in a data directory.
const SMALL: [(&str, &str); 2] = [(crate::stops::FILE, crate::stops::FILE), COLLECTED];

/// Every name that a backup may list. A manifest is a text that somebody may have written: nothing else is touched.
fn names() -> impl Iterator<Item = &'static str> {
    EmbeddedStore::FILES.into_iter().chain([DUMP]).chain(SMALL.map(|(name, _)| name))
}

/// Why a backup was not made or not taken.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file or directory.
    #[error("{} cannot be {doing}: {cause}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// It is not what it should be.
    #[error("{}: {problem}; {remedy}", path.display())]
    Refused {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A program of the server's.
    #[error("{program}: {problem}; {remedy}")]
    Program {
        /// Which.
        program: &'static str,
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: &'static str,
    },
}

impl From<ArchiveError> for crate::output::Failure {
    fn from(error: ArchiveError) -> Self {
        Self::failed(error)
    }
}

fn refused(path: &Path, problem: impl Into<String>, remedy: &'static str) -> ArchiveError {
    ArchiveError::Refused { path: path.to_owned(), problem: problem.into(), remedy }
}

fn file(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> ArchiveError {
    let path = path.to_owned();
    move |cause| ArchiveError::File { path, doing, cause }
}

/// A directory that only its owner may enter.
fn private_directory(path: &Path) -> Result<(), ArchiveError> {
    DirBuilder::new().mode(0o700).create(path).map_err(file(path, "made"))
}

/// A copy that only its owner may read, synced.
fn copy(from: &Path, to: &Path) -> Result<(), ArchiveError> {
    let mut source = File::open(from).map_err(file(from, "read"))?;
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    let copied = made.and_then(|mut made| {
        io::copy(&mut source, &mut made)?;
        made.sync_all()
    });
    copied.map_err(file(to, "written"))
}

/// Makes the names in a directory durable.
fn sync(directory: &Path) -> Result<(), ArchiveError> {
    File::open(directory).and_then(|opened| opened.sync_all()).map_err(file(directory, "synced"))
}

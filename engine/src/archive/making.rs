//! A backup is made under another name beside its place, verified, and moved there whole: whatever interrupts it, there
//! is a backup or there is none.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;
use store::{EmbeddedStore, Journal, Verification};

use super::{
    Account, ArchiveError, DUMP, MANIFEST, Manifest, SMALL, copy, file, private_directory, refused, server, sync,
};
use crate::admin::keys::write_private;
use crate::config::{Places, StoreConfig};
use crate::ledger;
use crate::output::Failure;

/// Makes a backup in a directory that does not exist. A daemon may run.
///
/// # Errors
/// There is one, something cannot be read or written, or a journal is not what was written.
pub fn make(places: &Places, to: &Path, at: String) -> Result<Manifest, Failure> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(refused(to, "exists already", "name a directory that does not").into());
    }
    let Some(name) = to.file_name() else {
        return Err(refused(to, "names no directory", "name a directory that does not exist").into());
    };
    let store = EmbeddedStore::open_read_only(&places.data_directory)?;
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(file(parent, "made"))?;
    let draft = Draft::new(parent.join(format!(".{}.unfinished.{}", name.to_string_lossy(), std::process::id())))?;
    let (kind, place) = match places.store {
        StoreConfig::Embedded => ("embedded", places.data_directory.display().to_string()),
        StoreConfig::Postgres { .. } => ("postgres", ledger::open_read_only(places)?.place()),
    };
    let mut manifest = Manifest::new(at, place, kind);
    if let StoreConfig::Postgres { schema, .. } = &places.store {
        manifest.schema = Some(schema.clone());
        server::dump(places, &draft.path.join(DUMP))?;
    }
    store.copy_to(&draft.path)?;
    for (name, place) in SMALL {
        match copy(&places.data_directory.join(place), &draft.path.join(name)) {
            Err(ArchiveError::File { cause, doing: "read", .. }) if cause.kind() == ErrorKind::NotFound => {}
            other => other?,
        }
    }
    manifest.accounts = match places.store {
        StoreConfig::Embedded => accounts(&EmbeddedStore::open_read_only(&draft.path)?.journal()?)?,
        StoreConfig::Postgres { .. } => accounts(&ledger::open_read_only(places)?.journal()?)?,
    };
    manifest.list(&draft.path)?;
    let text = serde_json::to_vec_pretty(&manifest).map_err(Failure::failed)?;
    let path = draft.path.join(MANIFEST);
    write_private(&path, &text).map_err(file(&path, "written"))?;
    sync(&draft.path)?;
    draft.move_to(to)?;
    sync(parent)?;
    Ok(manifest)
}

/// Every journal with its entries; one that is not whole is no backup.
pub(super) fn accounts(journal: &dyn Journal) -> Result<Vec<Account>, Failure> {
    let mut accounts = Vec::new();
    for account in journal.accounts()? {
        match journal.verify(account)? {
            Verification::Intact { entries } => accounts.push(Account { account: account.to_string(), entries }),
            Verification::Broken { sequence, reason } => {
                let problem = format!(
                    "journal of {account}: entry {sequence} {reason}; halt the account and restore an earlier backup"
                );
                return Err(Failure::Failed(problem, Value::Null));
            }
        }
    }
    Ok(accounts)
}

/// A backup that is being made; gone with this value unless it was moved to its place.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn new(path: PathBuf) -> Result<Self, ArchiveError> {
        // What a process of the same number left behind has no manifest, or was not moved: it is nobody's.
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(file(&path, "removed")(error)),
            _ => {}
        }
        private_directory(&path)?;
        Ok(Self { path })
    }

    /// Nothing is moved over: a directory that came there meanwhile has something in it, or is nobody's loss.
    fn move_to(&self, place: &Path) -> Result<(), ArchiveError> {
        fs::rename(&self.path, place).map_err(file(place, "made"))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Moved, or of no use to anybody.
        let _ = fs::remove_dir_all(&self.path);
    }
}

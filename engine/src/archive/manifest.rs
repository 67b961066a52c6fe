//! What a backup says of itself, and whether it is true.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use store::Digest;

use super::{ArchiveError, file, names, refused};

/// Its name. A directory without it is no backup: it is written last.
pub const MANIFEST: &str = "manifest.json";
/// The form of backups that this program makes and takes.
const FORM: u32 = 1;
/// A few files and accounts; what is longer is something else.
const LONGEST: u64 = 1024 * 1024;

const ANOTHER: &str = "take another backup";

/// What a backup says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of the backup.
    pub form: u32,
    /// Version of the program that made it.
    pub program: String,
    /// When it was begun: what was written before this is in it.
    pub at: String,
    /// What it was made of.
    pub place: String,
    /// `embedded` or `postgres`.
    pub store: String,
    /// The schema, where it lay on a server.
    pub schema: Option<String>,
    /// Journals, as they were found in the copy.
    pub accounts: Vec<Account>,
    /// Every other file.
    pub files: Vec<Listed>,
}

/// A journal in a backup.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Whose.
    pub account: String,
    /// Entries at least, each chained to the one before.
    pub entries: u64,
}

/// A file of a backup.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// What it holds.
    pub sha256: String,
}

impl Manifest {
    /// One of this form.
    pub fn new(at: String, place: String, store: &str) -> Self {
        let program = env!("CARGO_PKG_VERSION").to_owned();
        let (accounts, files) = (Vec::new(), Vec::new());
        Self { form: FORM, program, at, place, store: store.to_owned(), schema: None, accounts, files }
    }

    /// Lists every file that lies there now.
    pub fn list(&mut self, directory: &Path) -> Result<(), ArchiveError> {
        for name in names() {
            let path = directory.join(name);
            if path.exists() {
                self.files.push(listed(&path, name)?);
            }
        }
        Ok(())
    }

    /// Reads a backup's, and holds every file against it.
    pub fn verified(directory: &Path) -> Result<Self, ArchiveError> {
        let path = directory.join(MANIFEST);
        let length = fs::metadata(&path).map_err(|_| {
            let problem = format!("there is no {MANIFEST}: this is no backup, or one that was never finished");
            refused(directory, problem, ANOTHER)
        })?;
        if length.len() > LONGEST {
            return Err(refused(&path, format!("has {} bytes, which no manifest has", length.len()), ANOTHER));
        }
        let text = fs::read(&path).map_err(file(&path, "read"))?;
        let unreadable = |error| refused(&path, format!("is no manifest: {error}"), ANOTHER);
        let manifest: Self = serde_json::from_slice(&text).map_err(unreadable)?;
        if manifest.form != FORM {
            let problem = format!("this backup has form {}, and this program takes {FORM}", manifest.form);
            return Err(refused(&path, problem, "restore it with the program that made it, or a newer one"));
        }
        for listed in &manifest.files {
            listed.verify(directory)?;
        }
        for name in store::EmbeddedStore::FILES {
            manifest.must_list(&path, name)?;
        }
        if manifest.is_of_server() {
            manifest.must_list(&path, super::DUMP)?;
        }
        Ok(manifest)
    }

    fn must_list(&self, path: &Path, name: &str) -> Result<(), ArchiveError> {
        match self.has(name) {
            true => Ok(()),
            false => Err(refused(path, format!("lists no {name}"), ANOTHER)),
        }
    }

    /// Whether this file is part of it.
    pub fn has(&self, name: &str) -> bool {
        self.files.iter().any(|listed| listed.name == name)
    }

    /// Whether the ledger lay on a server.
    pub fn is_of_server(&self) -> bool {
        self.store != "embedded"
    }
}

impl Listed {
    fn verify(&self, directory: &Path) -> Result<(), ArchiveError> {
        let Some(name) = names().find(|name| *name == self.name) else {
            let problem = format!("lists '{}', which no backup has", self.name);
            return Err(refused(&directory.join(MANIFEST), problem, ANOTHER));
        };
        let path = directory.join(name);
        let found = listed(&path, name)?;
        let problem = if found.bytes != self.bytes {
            format!("has {} bytes, and the manifest says {}", found.bytes, self.bytes)
        } else if found.sha256 != self.sha256 {
            format!("has SHA-256 {}, and the manifest says {}", found.sha256, self.sha256)
        } else {
            return Ok(());
        };
        Err(refused(&path, problem, ANOTHER))
    }
}

fn listed(path: &Path, name: &str) -> Result<Listed, ArchiveError> {
    let bytes = fs::metadata(path).map_err(file(path, "read"))?.len();
    let sha256 = Digest::of_file(path).map_err(file(path, "read"))?.to_string();
    Ok(Listed { name: name.to_owned(), bytes, sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup() -> (tempfile::TempDir, Manifest) {
        let room = tempfile::tempdir().unwrap();
        for name in ["pregao.db", "history.db", "halt"] {
            fs::write(room.path().join(name), name).unwrap();
        }
        let mut manifest = Manifest::new("2026-11-27T12:00:00Z".to_owned(), "pregao-data".to_owned(), "embedded");
        manifest.list(room.path()).unwrap();
        (room, manifest)
    }

    fn written(room: &Path, manifest: &Manifest) -> Result<Manifest, String> {
        fs::write(room.join(MANIFEST), serde_json::to_vec(manifest).unwrap()).unwrap();
        Manifest::verified(room).map_err(|error| error.to_string())
    }

    #[test]
    fn a_backup_is_taken_as_it_was_made_and_no_other_way() {
        let (room, manifest) = backup();
        assert!(Manifest::verified(room.path()).unwrap_err().to_string().contains("never finished"));
        assert_eq!(written(room.path(), &manifest).as_ref(), Ok(&manifest));
        let listed = |manifest: &mut Manifest, name: &str, change: &dyn Fn(&mut Listed)| {
            change(manifest.files.iter_mut().find(|listed| listed.name == name).unwrap());
        };
        type Change<'a> = (&'a str, &'a dyn Fn(&mut Manifest));
        let changes: [Change<'_>; 7] = [
            ("form 2", &|manifest| manifest.form = 2),
            ("has 4 bytes, and the manifest says 5", &|manifest| listed(manifest, "halt", &|of| of.bytes = 5)),
            ("has SHA-256", &|manifest| listed(manifest, "halt", &|of| of.sha256 = "00".to_owned())),
            ("which no backup has", &|manifest| listed(manifest, "halt", &|of| of.name = "../halt".to_owned())),
            ("which no backup has", &|manifest| listed(manifest, "halt", &|of| of.name = MANIFEST.to_owned())),
            ("lists no pregao.db", &|manifest| manifest.files.retain(|of| of.name != "pregao.db")),
            ("lists no ledger.dump", &|manifest| manifest.store = "postgres".to_owned()),
        ];
        for (told, change) in changes {
            let mut changed = manifest.clone();
            change(&mut changed);
            let error = written(room.path(), &changed).unwrap_err();
            assert!(error.contains(told) && error.contains("; "), "{told}: {error}");
        }
        fs::remove_file(room.path().join("halt")).unwrap();
        assert!(written(room.path(), &manifest).unwrap_err().contains("halt cannot be read"));
        fs::write(room.path().join(MANIFEST), "{").unwrap();
        assert!(Manifest::verified(room.path()).unwrap_err().to_string().contains("is no manifest"));
    }
}

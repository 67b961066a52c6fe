//! What was collected so far: a small file beside the downloads, replaced as a whole.
//!
//! Losing it costs a few downloads: what is stored already is found unchanged. So it is no part of a store and no
//! backup. Whoever holds it holds the right to collect: one process at a time.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use feeds::fetch::{Validator, Validators};
use feeds::source::BoxError;
use market::history::SourceName;
use market::{Date, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The folder of downloads within the data directory.
const FOLDER: &str = "downloads";
const FILE: &str = "collected.json";
const LOCK: &str = "collecting.lock";

/// Why it cannot be had.
#[derive(Debug, Error)]
pub enum MemoryError {
    /// Somebody else collects.
    #[error("another process is collecting into {}: let it end, or ask again later", .0.display())]
    Busy(PathBuf),
    /// The folder or file is out of reach.
    #[error("{}: {cause}; check that the directory exists and may be written", path.display())]
    Unreachable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// It holds something else.
    #[error("{}: {cause}; remove it: what is stored stays, and documents are fetched once more", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        #[source]
        cause: serde_json::Error,
    },
}

/// What one collection has brought.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// All sessions up to this one are complete.
    pub through: Option<Date>,
    /// When it was last asked for and answered, in nanoseconds since 1970.
    pub last: Option<i64>,
}

#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
struct Version {
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct Contents {
    #[serde(default)]
    collections: BTreeMap<String, Progress>,
    /// By source, then by the key of the request.
    #[serde(default)]
    versions: BTreeMap<String, BTreeMap<String, Version>>,
}

/// The right to collect, and what is remembered.
pub struct Memory {
    folder: PathBuf,
    contents: Contents,
    /// Let go when it is dropped.
    _lock: File,
}

impl Memory {
    /// Takes the right to collect into a data directory.
    ///
    /// # Errors
    /// Somebody else has it, or the directory cannot be used.
    pub fn take(data_directory: &Path) -> Result<Self, MemoryError> {
        let folder = data_directory.join(FOLDER);
        let unreachable = |path: &Path| {
            let path = path.to_owned();
            move |cause: io::Error| MemoryError::Unreachable { path, cause }
        };
        fs::create_dir_all(&folder).map_err(unreachable(&folder))?;
        let path = folder.join(LOCK);
        let lock = File::create(&path).map_err(unreachable(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(MemoryError::Busy(folder)),
            Err(TryLockError::Error(cause)) => return Err(MemoryError::Unreachable { path, cause }),
        }
        let contents = read(&folder)?;
        Ok(Self { folder, contents, _lock: lock })
    }

    /// What is remembered, without the right to change it: for looking.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn look(data_directory: &Path) -> Result<BTreeMap<String, Progress>, MemoryError> {
        Ok(read(&data_directory.join(FOLDER))?.collections)
    }

    /// Where downloads go.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What a collection has brought so far.
    pub fn progress(&self, collection: &str) -> Progress {
        self.contents.collections.get(collection).copied().unwrap_or_default()
    }

    /// Notes what it has brought now. Never back: sessions that are complete stay so.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note(&mut self, collection: &str, through: Option<Date>, at: Timestamp) -> Result<(), MemoryError> {
        let known = self.contents.collections.entry(collection.to_owned()).or_default();
        known.through = known.through.max(through);
        known.last = Some(at.as_nanos());
        self.write()
    }

    /// As a whole, or not at all.
    fn write(&self) -> Result<(), MemoryError> {
        let (path, new) = (self.folder.join(FILE), self.folder.join(format!("{FILE}.new")));
        let text = serde_json::to_vec_pretty(&self.contents)
            .map_err(|cause| MemoryError::Unreadable { path: path.clone(), cause })?;
        let written = File::create(&new).and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&new, &path)
        });
        written.map_err(|cause| MemoryError::Unreachable { path, cause })
    }
}

fn read(folder: &Path) -> Result<Contents, MemoryError> {
    let path = folder.join(FILE);
    match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|cause| MemoryError::Unreadable { path, cause }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Contents::default()),
        Err(cause) => Err(MemoryError::Unreachable { path, cause }),
    }
}

impl Validators for Memory {
    fn recall(&self, source: SourceName, key: &str) -> Option<Validator> {
        let Version { etag, last_modified } = self.contents.versions.get(source.as_str())?.get(key)?.clone();
        Some(Validator { etag, last_modified })
    }

    fn remember(&mut self, source: SourceName, key: &str, validator: &Validator) -> Result<(), BoxError> {
        let version = Version { etag: validator.etag.clone(), last_modified: validator.last_modified.clone() };
        self.contents.versions.entry(source.to_string()).or_default().insert(key.to_owned(), version);
        Ok(self.write()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: SourceName = SourceName::of("b3_cotahist");

    #[test]
    fn what_was_noted_is_there_again_and_sessions_never_go_back() {
        let directory = tempfile::tempdir().unwrap();
        let day = |text: &str| text.parse::<Date>().ok();
        let at = Timestamp::from_nanos(7);
        let mut memory = Memory::take(directory.path()).unwrap();
        assert_eq!(memory.progress("daily"), Progress::default());
        memory.note("daily", day("2017-11-14"), at).unwrap();
        memory.note("daily", day("2017-11-10"), at).unwrap();
        memory.note("daily", None, Timestamp::from_nanos(9)).unwrap();
        let validator = Validator { etag: Some("\"a\"".to_owned()), last_modified: None };
        memory.remember(SOURCE, "year 2016", &validator).unwrap();
        drop(memory);
        let memory = Memory::take(directory.path()).unwrap();
        assert_eq!(memory.progress("daily"), Progress { through: day("2017-11-14"), last: Some(9) });
        assert_eq!(memory.recall(SOURCE, "year 2016"), Some(validator));
        assert_eq!(memory.recall(SOURCE, "year 2017"), None);
    }

    #[test]
    fn one_at_a_time_and_looking_is_free() {
        let directory = tempfile::tempdir().unwrap();
        let memory = Memory::take(directory.path()).unwrap();
        assert!(matches!(Memory::take(directory.path()), Err(MemoryError::Busy(_))));
        assert!(Memory::look(directory.path()).unwrap().is_empty());
        drop(memory);
        Memory::take(directory.path()).unwrap();
    }

    #[test]
    fn a_damaged_file_is_named_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        drop(Memory::take(directory.path()).unwrap());
        fs::write(directory.path().join(FOLDER).join(FILE), "{\"collections\": 3}").unwrap();
        let told = Memory::take(directory.path()).err().map(|error| error.to_string()).unwrap();
        assert!(told.contains(FILE) && told.contains("remove it"), "{told}");
    }
}

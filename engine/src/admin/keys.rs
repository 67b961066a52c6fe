//! The keys that access tokens are signed with: a file in the data directory that nobody else may read.
//!
//! The newest key signs. Older ones verify until their last token has run out, then they are forgotten.
//! The daemon and `pregao users rotate-keys` both write the file, whole, in one step; the daemon looks
//! every second whether somebody else has.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, EncodingKey};
use market::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::{Deserialize, Serialize};

use super::tokens::LIFETIME;

/// Its name in the directory of the interface.
const FILE: &str = "token-keys.json";
/// Keys in one file: rotating every second for the whole life of a token would not make as many.
const MOST_KEYS: usize = 1_000;

/// The keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What it holds.
    #[error("{} does not hold token keys: {reason}; remove it, and new keys are made", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The system gives no randomness.
    #[error("the system gives no random bytes")]
    NoRandomness,
}

/// One key.
pub struct Key {
    /// The name that tokens call it by: from its public half, so no two keys share one.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// Signs.
    pub private: EncodingKey,
    /// Verifies.
    pub public: DecodingKey,
    pkcs8: Vec<u8>,
}

/// The keys of a data directory, the newest last. Never empty.
pub struct Ring {
    keys: Vec<Key>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKey {
    created: Timestamp,
    pkcs8: String,
}

impl Key {
    fn generate(now: Timestamp) -> Result<Self, KeyError> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::NoRandomness)?;
        // What was made this moment is a key.
        Self::read(document.as_ref().to_vec(), now).map_err(|_| KeyError::NoRandomness)
    }

    fn read(pkcs8: Vec<u8>, created: Timestamp) -> Result<Self, String> {
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|error| error.to_string())?;
        let public = pair.public_key().as_ref();
        let digest = ring::digest::digest(&ring::digest::SHA256, public);
        Ok(Self {
            name: URL_SAFE_NO_PAD.encode(digest.as_ref().get(..16).unwrap_or_default()),
            created,
            private: EncodingKey::from_ed_der(&pkcs8),
            public: DecodingKey::from_ed_der(public),
            pkcs8,
        })
    }
}

impl Ring {
    /// The keys of a directory; a first one is made where there are none.
    ///
    /// # Errors
    /// A file that cannot be read, written or understood.
    pub fn open(directory: &Path, now: Timestamp) -> Result<Self, KeyError> {
        match Self::load(directory)? {
            Some(ring) => Ok(ring),
            None => {
                let ring = Self { keys: vec![Key::generate(now)?] };
                ring.save(directory)?;
                Ok(ring)
            }
        }
    }

    /// A new key signs from now on; keys whose tokens have all run out are forgotten.
    ///
    /// # Errors
    /// The file cannot be written: everything stays as it was.
    pub fn rotated(directory: &Path, now: Timestamp) -> Result<Self, KeyError> {
        let mut ring = Self::load(directory)?.unwrap_or(Self { keys: Vec::new() });
        ring.keys.push(Key::generate(now)?);
        ring.forget(now);
        ring.save(directory)?;
        Ok(ring)
    }

    /// The key that signs.
    pub fn newest(&self) -> &Key {
        // Never empty: every way to make one puts a key into it.
        self.keys.last().unwrap_or_else(|| unreachable!("a ring without keys"))
    }

    /// The key of that name.
    pub fn find(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// Whether the newest key has signed for longer than that.
    pub fn is_due(&self, every: Duration, now: Timestamp) -> bool {
        now.as_nanos().saturating_sub(self.newest().created.as_nanos()) >= nanos(every)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// A key stopped signing when its successor was made; its last token has run out a lifetime later.
    fn forget(&mut self, now: Timestamp) {
        let succeeded: Vec<Timestamp> = self.keys.iter().skip(1).map(|next| next.created).collect();
        let mut place = 0;
        self.keys.retain(|_| {
            let last = succeeded.get(place).map(|at| at.as_nanos().saturating_add(nanos(LIFETIME)));
            place += 1;
            last.is_none_or(|last| last >= now.as_nanos())
        });
        let surplus = self.keys.len().saturating_sub(MOST_KEYS);
        self.keys.drain(..surplus);
    }

    fn load(directory: &Path) -> Result<Option<Self>, KeyError> {
        let path = directory.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(KeyError::File { path, source }),
        };
        let content = |reason: String| KeyError::Content { path: path.clone(), reason };
        let stored: Stored = serde_json::from_str(&text).map_err(|error| content(error.to_string()))?;
        let read = |key: StoredKey| {
            let pkcs8 = STANDARD.decode(&key.pkcs8).map_err(|error| error.to_string())?;
            Key::read(pkcs8, key.created)
        };
        let keys: Vec<Key> = stored.keys.into_iter().map(read).collect::<Result<_, _>>().map_err(content)?;
        if keys.is_empty() {
            return Err(KeyError::Content { path, reason: "it is empty".to_owned() });
        }
        Ok(Some(Self { keys }))
    }

    fn save(&self, directory: &Path) -> Result<(), KeyError> {
        let keys = self.keys.iter();
        let stored = Stored {
            keys: keys.map(|key| StoredKey { created: key.created, pkcs8: STANDARD.encode(&key.pkcs8) }).collect(),
        };
        let text = serde_json::to_string(&stored).unwrap_or_default();
        let path = directory.join(FILE);
        write_private(&path, text.as_bytes()).map_err(|source| KeyError::File { path, source })
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// Where the file lies.
#[cfg(test)]
pub fn path(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

/// Replaces a file in one step; only its owner may read it, from its first byte on.
///
/// # Errors
/// It cannot be written; what was there before is still there.
pub fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = directory.join(format!(".{name}.{}", std::process::id()));
    // What a process of the same number left behind would keep its own permissions.
    let _ = fs::remove_file(&temporary);
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    let done = written.and_then(|()| fs::rename(&temporary, path));
    if done.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    done?;
    fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn the_first_start_makes_a_key_that_only_its_owner_may_read() {
        let room = tempfile::tempdir().unwrap();
        let first = Ring::open(room.path(), at(1)).unwrap();
        let again = Ring::open(room.path(), at(2)).unwrap();
        assert_eq!(first.newest().name, again.newest().name);
        let mode = fs::metadata(path(room.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(room.path()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn an_old_key_verifies_until_its_last_token_has_run_out() {
        let room = tempfile::tempdir().unwrap();
        let first = Ring::open(room.path(), at(0)).unwrap().newest().name.clone();
        let second = Ring::rotated(room.path(), at(1_000)).unwrap();
        assert!(second.find(&first).is_some() && second.newest().name != first);
        let life = i64::try_from(LIFETIME.as_secs()).unwrap();
        let third = Ring::rotated(room.path(), at(1_000 + life)).unwrap();
        assert_eq!((third.len(), third.find(&first).is_some()), (3, true));
        let fourth = Ring::rotated(room.path(), at(1_001 + life)).unwrap();
        assert_eq!((fourth.len(), fourth.find(&first).is_some()), (3, false));
    }

    #[test]
    fn a_key_is_due_after_its_time() {
        let room = tempfile::tempdir().unwrap();
        let ring = Ring::open(room.path(), at(0)).unwrap();
        let day = Duration::from_secs(86_400);
        assert!(!ring.is_due(day, at(86_399)) && ring.is_due(day, at(86_400)));
    }

    #[test]
    fn a_file_that_holds_no_keys_is_named() {
        let room = tempfile::tempdir().unwrap();
        for text in ["", "{}", r#"{"keys":[]}"#, r#"{"keys":[{"created":"1970-01-01T00:00:00Z","pkcs8":"AAAA"}]}"#] {
            fs::write(path(room.path()), text).unwrap();
            let told = Ring::open(room.path(), at(0)).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(told.contains(FILE) && told.contains("new keys are made"), "{text}: {told}");
        }
    }
}

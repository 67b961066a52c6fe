//! Every configuration that was ever in force, as text without secrets, with who put it in force and why.

use market::Timestamp;
use serde::Serialize;

use crate::digest::Digest;
use crate::error::StoreError;

/// Longest document, bytes.
pub const LONGEST_DOCUMENT: usize = 1024 * 1024;
/// Most versions of one list.
pub const LONGEST_LIST: usize = 500;

/// A configuration that is to be in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewConfigVersion {
    /// When.
    pub at: Timestamp,
    /// Who changed it.
    pub author: String,
    /// Who confirmed it, where that took a second person.
    pub second: Option<String>,
    /// Why.
    pub reason: String,
    /// The document, secrets left out by whoever made it. Kept byte for byte.
    pub document: String,
}

/// A configuration that is or was in force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ConfigVersion {
    /// 1, 2, 3 … without gaps.
    pub number: u64,
    /// When it was put in force.
    pub at: Timestamp,
    /// Who changed it.
    pub author: String,
    /// Who confirmed it, where that took a second person.
    pub second: Option<String>,
    /// Why.
    pub reason: String,
    /// The document without secrets.
    pub document: String,
    /// SHA-256 of the document.
    pub digest: Digest,
}

/// Where versions are kept. They are never changed and never deleted.
pub trait ConfigVersions: Send {
    /// Adds a version after the one that the caller knows to be the current (0: there is none); durable
    /// when this returns. If the current one is just this one, whose answer was lost, it is what returns.
    ///
    /// # Errors
    /// [`StoreError::VersionConflict`] when another one is current, or a failure below.
    fn append(&mut self, expected: u64, version: &NewConfigVersion) -> Result<ConfigVersion, StoreError>;

    /// The newest one.
    ///
    /// # Errors
    /// One that is not what was written, or a failure below.
    fn current(&self) -> Result<Option<ConfigVersion>, StoreError>;

    /// The one of this number.
    ///
    /// # Errors
    /// As [`Self::current`].
    fn get(&self, number: u64) -> Result<Option<ConfigVersion>, StoreError>;

    /// The newest first, those before this number (all: [`u64::MAX`]), at most `limit` of them and at
    /// most [`LONGEST_LIST`].
    ///
    /// # Errors
    /// As [`Self::current`].
    fn list(&self, before: u64, limit: usize) -> Result<Vec<ConfigVersion>, StoreError>;
}

impl ConfigVersions for Box<dyn ConfigVersions> {
    fn append(&mut self, expected: u64, version: &NewConfigVersion) -> Result<ConfigVersion, StoreError> {
        (**self).append(expected, version)
    }

    fn current(&self) -> Result<Option<ConfigVersion>, StoreError> {
        (**self).current()
    }

    fn get(&self, number: u64) -> Result<Option<ConfigVersion>, StoreError> {
        (**self).get(number)
    }

    fn list(&self, before: u64, limit: usize) -> Result<Vec<ConfigVersion>, StoreError> {
        (**self).list(before, limit)
    }
}

impl NewConfigVersion {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let second = self.second.as_deref().unwrap_or_default();
        for (field, text) in [
            ("author", &*self.author),
            ("second person", second),
            ("reason", &self.reason),
            ("document", &self.document),
        ] {
            let value = if text.contains('\0') {
                "a text with a NUL character".to_owned()
            } else if text.len() > LONGEST_DOCUMENT {
                format!("{} bytes, more than {LONGEST_DOCUMENT}", text.len())
            } else {
                continue;
            };
            return Err(StoreError::NotStorable { key: "a version of the configuration".to_owned(), field, value });
        }
        Ok(())
    }

    /// What to do on top of this current version.
    pub(crate) fn place(&self, expected: u64, current: Option<&ConfigVersion>) -> Result<Next, StoreError> {
        let number = current.map_or(0, |current| current.number);
        if number == expected {
            let digest = Digest::of(&[self.document.as_bytes()]);
            let Self { at, author, second, reason, document } = self.clone();
            return Ok(Next::Add(ConfigVersion { number: number + 1, at, author, second, reason, document, digest }));
        }
        match current {
            Some(current) if Some(number) == expected.checked_add(1) && self.is(current) => Ok(Next::IsThere),
            _ => Err(StoreError::VersionConflict { expected, current: number }),
        }
    }

    fn is(&self, stored: &ConfigVersion) -> bool {
        let Self { at, author, second, reason, document } = self;
        (at, author, second, reason, document)
            == (&stored.at, &stored.author, &stored.second, &stored.reason, &stored.document)
    }
}

/// What comes of a version that came.
pub(crate) enum Next {
    /// It is the next one.
    Add(ConfigVersion),
    /// It is the current one already.
    IsThere,
}

impl ConfigVersion {
    /// The same, if the document is what was written.
    pub(crate) fn checked(self) -> Result<Self, String> {
        if Digest::of(&[self.document.as_bytes()]) == self.digest {
            Ok(self)
        } else {
            Err(format!("version {} of the configuration is not what was written", self.number))
        }
    }
}

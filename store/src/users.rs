//! Who may use the admin interface. Secrets are never here: only what checks one, a PHC string of argon2id.

use std::fmt;

use market::Timestamp;
use serde::Serialize;

use crate::error::StoreError;

/// Longest client identifier, bytes.
pub const LONGEST_CLIENT_ID: usize = 128;
/// Longest PHC string, bytes: one of argon2id has about a hundred.
const LONGEST_HASH: usize = 512;
/// Every hash begins so.
const ARGON2ID: &str = "$argon2id$";

/// What checks a secret. Shown by nothing but [`SecretHash::reveal`].
#[derive(Clone, PartialEq, Eq)]
pub struct SecretHash(String);

/// A text that is not the hash of a secret. Without the text, which may be the secret itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not the PHC string of an argon2id hash; hash the secret first: secrets are not stored")]
pub struct NotAHash;

/// A client of the admin interface.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct User {
    /// Its name.
    pub client_id: String,
    /// What it may do, as a word: `viewer`, `operator`, `admin`. Whoever reads it knows what that means; a
    /// word that it does not know means nothing at all.
    pub role: String,
    /// What checks its secret.
    #[serde(skip)]
    pub secret_hash: SecretHash,
    /// When it was created.
    pub created: Timestamp,
    /// When it got the secret that it has.
    pub rotated: Timestamp,
    /// Since when it may do nothing any more.
    pub disabled: Option<Timestamp>,
}

/// Where users are kept.
pub trait Users: Send {
    /// Adds one; durable when this returns. One that is there already and the same in everything is left
    /// alone, so that a call whose answer was lost can be made again.
    ///
    /// # Errors
    /// [`StoreError::UserExists`] for a name that was ever taken, an empty or long name or role, or a
    /// failure below.
    fn create(&mut self, user: &User) -> Result<(), StoreError>;

    /// Gives one another secret; the one before is worth nothing from now on. Durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::UserUnknown`], or a failure below.
    fn rotate(&mut self, client_id: &str, secret_hash: &SecretHash, at: Timestamp) -> Result<(), StoreError>;

    /// Gives one another role. Durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::UserUnknown`], an empty or long role, or a failure below.
    fn set_role(&mut self, client_id: &str, role: &str) -> Result<(), StoreError>;

    /// Takes everything from one, for good; the time of the first call stays. Durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::UserUnknown`], or a failure below.
    fn disable(&mut self, client_id: &str, at: Timestamp) -> Result<(), StoreError>;

    /// All of them by name, also those who are disabled.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn list(&self) -> Result<Vec<User>, StoreError>;

    /// The one of this name, also if it is disabled.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn find(&self, client_id: &str) -> Result<Option<User>, StoreError>;
}

impl Users for Box<dyn Users> {
    fn create(&mut self, user: &User) -> Result<(), StoreError> {
        (**self).create(user)
    }

    fn rotate(&mut self, client_id: &str, secret_hash: &SecretHash, at: Timestamp) -> Result<(), StoreError> {
        (**self).rotate(client_id, secret_hash, at)
    }

    fn set_role(&mut self, client_id: &str, role: &str) -> Result<(), StoreError> {
        (**self).set_role(client_id, role)
    }

    fn disable(&mut self, client_id: &str, at: Timestamp) -> Result<(), StoreError> {
        (**self).disable(client_id, at)
    }

    fn list(&self) -> Result<Vec<User>, StoreError> {
        (**self).list()
    }

    fn find(&self, client_id: &str) -> Result<Option<User>, StoreError> {
        (**self).find(client_id)
    }
}

impl SecretHash {
    /// From a PHC string.
    ///
    /// # Errors
    /// Anything else, above all a secret that somebody forgot to hash.
    pub fn new(phc: impl Into<String>) -> Result<Self, NotAHash> {
        let phc = phc.into();
        let plain = phc.bytes().all(|byte| byte.is_ascii_graphic());
        let parts = phc.split('$').count();
        if phc.starts_with(ARGON2ID) && plain && parts >= 5 && phc.len() <= LONGEST_HASH {
            Ok(Self(phc))
        } else {
            Err(NotAHash)
        }
    }

    /// The PHC string, for whoever checks a secret.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(not shown)")
    }
}

impl User {
    /// A new one.
    pub fn new(
        client_id: impl Into<String>,
        role: impl Into<String>,
        secret_hash: SecretHash,
        created: Timestamp,
    ) -> Self {
        Self { client_id: client_id.into(), role: role.into(), secret_hash, created, rotated: created, disabled: None }
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        check_word("client id", &self.client_id)?;
        check_word("role", &self.role)
    }
}

/// Names and roles go into logs, headers and tables: visible ASCII, no spaces.
pub(crate) fn check_word(field: &'static str, text: &str) -> Result<(), StoreError> {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    if !text.is_empty() && text.len() <= LONGEST_CLIENT_ID && visible {
        return Ok(());
    }
    let start: String = text.chars().take(40).collect();
    let value = format!("'{}'", start.escape_debug());
    Err(StoreError::NotStorable { key: "a user".to_owned(), field, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::users::{HASH, user};

    #[test]
    fn a_hash_is_told_from_a_secret_and_never_shown() {
        let hash = SecretHash::new(HASH).unwrap();
        assert_eq!(hash.reveal(), HASH);
        let shown = format!("{hash:?} {:?} {}", user("maria"), serde_json::to_string(&user("maria")).unwrap());
        assert!(!shown.contains("argon2id"), "{shown}");
        for secret in ["", "hunter2", "$argon2i$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA", "$argon2id$", &"$argon2id$".repeat(99)]
        {
            let error = SecretHash::new(secret).unwrap_err().to_string();
            assert!(
                error.contains("hash the secret first") && (secret.is_empty() || !error.contains(secret)),
                "{error}"
            );
        }
    }
}

//! A change of who has access, as the command line makes it: in the store while no daemon runs, else by the running
//! daemon, which has the store for itself. Either way it is the same change, and the secret is known to nobody but
//! the command that has drawn it: what is stored, and said to a daemon, is its hash.

use std::fmt;

use market::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Outcome, SecretHash, StoreError, User, Users};

use crate::admin::check_name;
use crate::admin::roles::Role;
use crate::auditor::Act;

/// What checks a secret, on its way to the store.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hashed(String);

impl From<&SecretHash> for Hashed {
    fn from(hash: &SecretHash) -> Self {
        Self(hash.reveal().to_owned())
    }
}

impl fmt::Debug for Hashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a hash")
    }
}

/// What is changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Somebody gets access.
    Add {
        /// What it may do.
        role: Role,
        /// Of its secret.
        hash: Hashed,
    },
    /// Another secret.
    Rotate {
        /// Of it.
        hash: Hashed,
    },
    /// Another role.
    Role {
        /// Which.
        role: Role,
    },
    /// None any more, for good.
    Disable,
}

/// A change of somebody's access.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Change {
    /// Whose.
    pub name: String,
    /// What is changed.
    pub what: What,
}

/// Why it was not made.
#[derive(Debug, thiserror::Error)]
pub enum NotChanged {
    /// The name fits nowhere.
    #[error("{0}")]
    Name(String),
    /// What was said to be a hash is none.
    #[error(transparent)]
    NotAHash(#[from] store::users::NotAHash),
    /// The store's word.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl NotChanged {
    /// What the audit keeps of it.
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Name(_)
            | Self::NotAHash(_)
            | Self::Store(
                StoreError::UserExists { .. } | StoreError::UserUnknown { .. } | StoreError::NotStorable { .. },
            ) => Outcome::Denied,
            Self::Store(_) => Outcome::Failed,
        }
    }
}

impl Change {
    /// Makes it; durable when this returns.
    ///
    /// # Errors
    /// Nothing was changed.
    pub fn make(&self, users: &mut dyn Users, now: Timestamp) -> Result<(), NotChanged> {
        check_name(&self.name).map_err(NotChanged::Name)?;
        match &self.what {
            What::Add { role, hash } => {
                let hash = SecretHash::new(hash.0.clone())?;
                users.create(&User::new(self.name.clone(), role.name(), hash, now))?;
            }
            What::Rotate { hash } => users.rotate(&self.name, &SecretHash::new(hash.0.clone())?, now)?,
            What::Role { role } => users.set_role(&self.name, role.name())?,
            What::Disable => users.disable(&self.name, now)?,
        }
        Ok(())
    }

    /// What the audit keeps.
    pub fn act(&self) -> Act {
        let (action, role) = match &self.what {
            What::Add { role, .. } => ("user.add", Some(role)),
            What::Rotate { .. } => ("user.rotate", None),
            What::Role { role } => ("user.role", Some(role)),
            What::Disable => ("user.disable", None),
        };
        let after = role.map(|role| json!({ "role": role }));
        Act { action, target: self.name.clone(), after, ..Act::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::EmbeddedStore;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_change_is_made_once_it_is_understood_and_shows_no_hash() {
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(directory.path()).unwrap();
        let mut users = store.users().unwrap();
        let hash = Hashed::from(&SecretHash::new(crate::admin::secrets::hash("pregao_another").unwrap()).unwrap());
        let secret = Hashed("pregao_the secret itself".to_owned());
        let add = |name: &str, hash: &Hashed| Change {
            name: name.to_owned(),
            what: What::Add { role: Role::Viewer, hash: hash.clone() },
        };
        let of = |what: What| Change { name: "ana".to_owned(), what };
        for (change, outcome) in [
            (add("../ana", &hash), Some(Outcome::Denied)),
            (add("ana", &secret), Some(Outcome::Denied)),
            (add("ana", &hash), None),
            (Change { name: "rui".to_owned(), what: What::Disable }, Some(Outcome::Denied)),
            (of(What::Role { role: Role::Admin }), None),
            (of(What::Rotate { hash: secret.clone() }), Some(Outcome::Denied)),
            (of(What::Rotate { hash: hash.clone() }), None),
            (of(What::Disable), None),
            (add("ana", &hash), Some(Outcome::Denied)),
        ] {
            let made = change.make(&mut users, at(1)).map_err(|error| error.outcome());
            assert_eq!(made.err(), outcome, "{change:?}");
            let shown = format!("{change:?} {:?}", change.act());
            assert!(!shown.contains("argon2") && !shown.contains("secret itself"), "{shown}");
            let text = serde_json::to_string(&change).unwrap();
            assert_eq!(serde_json::from_str::<Change>(&text).unwrap(), change);
        }
        let ana = users.find("ana").unwrap().unwrap();
        assert_eq!((ana.role.as_str(), ana.disabled), ("admin", Some(at(1))));
    }
}

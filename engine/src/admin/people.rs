//! Who may ask. A copy of the store's users is kept here and looked at again every second, so that whoever
//! wants to stop trading is recognised while the store is away.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use market::Timestamp;
use store::{StoreError, User, Users};

use super::roles::Role;

/// A copy older than this recognises nobody any more, but for the stop path: somebody may have been
/// shut out since.
const COUNTS: Duration = Duration::from_secs(60);

/// The users.
pub struct People {
    store: Mutex<Box<dyn Users>>,
    known: ArcSwap<Known>,
}

struct Known {
    users: Vec<User>,
    at: Option<Timestamp>,
}

/// Why somebody is not let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotLetIn {
    /// No such user, or not any more, or with less to say than the token claims.
    Stranger,
    /// The copy is too old to tell.
    Unknown,
}

impl People {
    /// The users of this store.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of(store: Box<dyn Users>) -> Result<Self, StoreError> {
        let users = store.list()?;
        Ok(Self { store: Mutex::new(store), known: ArcSwap::from_pointee(Known { users, at: None }) })
    }

    /// Reads them again.
    pub fn look(&self, now: Timestamp) {
        let read = self.store.lock().unwrap_or_else(PoisonError::into_inner).list();
        match read {
            Ok(users) => self.known.store(Arc::new(Known { users, at: Some(now) })),
            Err(error) => tracing::warn!(%error, "the users cannot be read; the copy of them counts for a minute"),
        }
    }

    /// Changes them, and reads them again.
    ///
    /// # Errors
    /// What the store says.
    pub fn change<T>(
        &self,
        now: Timestamp,
        change: impl FnOnce(&mut dyn Users) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let changed = change(&mut **self.store.lock().unwrap_or_else(PoisonError::into_inner));
        self.look(now);
        changed
    }

    /// All of them, by name.
    pub fn all(&self) -> Vec<User> {
        self.known.load().users.clone()
    }

    /// What checks the secret of a client, and its role, if it may ask for tokens.
    pub fn credentials(&self, client_id: &str) -> Option<(String, Role)> {
        let known = self.known.load();
        let user = known.users.iter().find(|user| user.client_id == client_id && user.disabled.is_none())?;
        Some((user.secret_hash.reveal().to_owned(), user.role.parse().ok()?))
    }

    /// Whether the holder of a token of that role, issued then, is let in. `stopping`: also by an old copy.
    ///
    /// # Errors
    /// Not.
    pub fn let_in(
        &self,
        client_id: &str,
        role: Role,
        issued: u64,
        now: Timestamp,
        stopping: bool,
    ) -> Result<(), NotLetIn> {
        let known = self.known.load();
        let counts = i64::try_from(COUNTS.as_nanos()).unwrap_or(i64::MAX);
        if !stopping && known.at.is_some_and(|at| now.nanos_since(at) > counts) {
            return Err(NotLetIn::Unknown);
        }
        let user = known.users.iter().find(|user| user.client_id == client_id).ok_or(NotLetIn::Stranger)?;
        let stored: Role = user.role.parse().map_err(|_| NotLetIn::Stranger)?;
        // A secret that was replaced is worth nothing, nor are the tokens that it brought.
        let since = u64::try_from(user.rotated.as_nanos() / 1_000_000_000).unwrap_or(0);
        match user.disabled.is_none() && stored.covers(role) && issued >= since {
            true => Ok(()),
            false => Err(NotLetIn::Stranger),
        }
    }
}

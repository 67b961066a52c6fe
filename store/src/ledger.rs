//! What must be durable before anything leaves, as one thing to open: journal, halt state, audit, users,
//! configurations, named values and the right to write. Embedded or Postgres, nobody above has to know which.

use crate::audit::Audit;
use crate::config_versions::ConfigVersions;
use crate::error::StoreError;
use crate::halt::HaltStore;
use crate::journal::{AccountTag, Journal};
use crate::lease::Lease;
use crate::meta::MetaStore;
use crate::users::Users;

/// An open ledger. Each handle has a connection of its own and can move to its own thread.
pub trait Ledger: Send + Sync {
    /// Where it is, for people: a directory, or a server and database without its password.
    fn place(&self) -> String;

    /// Takes the right to write to this account's journal. Append and snapshot of a handle from
    /// [`Ledger::journal`] on the same ledger value are fenced by the lease taken last.
    ///
    /// # Errors
    /// [`StoreError::LeaseHeld`] (or [`StoreError::Locked`]) while another process has it.
    fn lease(&self, account: AccountTag) -> Result<Box<dyn Lease>, StoreError>;

    /// Who has the right to write to this account's journal now, for people; none where nobody has, or where a lock
    /// guards it that says so only to whoever wants it.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn holder(&self, _account: AccountTag) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    /// The journal.
    ///
    /// # Errors
    /// If it cannot be opened.
    fn journal(&self) -> Result<Box<dyn Journal>, StoreError>;

    /// The halt state.
    ///
    /// # Errors
    /// If it cannot be opened.
    fn halt(&self) -> Result<Box<dyn HaltStore>, StoreError>;

    /// The audit.
    ///
    /// # Errors
    /// If it cannot be opened.
    fn audit(&self) -> Result<Box<dyn Audit>, StoreError>;

    /// The users of the admin interface.
    ///
    /// # Errors
    /// If they cannot be opened.
    fn users(&self) -> Result<Box<dyn Users>, StoreError>;

    /// The configurations that were in force.
    ///
    /// # Errors
    /// If they cannot be opened.
    fn config_versions(&self) -> Result<Box<dyn ConfigVersions>, StoreError>;

    /// The named values.
    ///
    /// # Errors
    /// If they cannot be opened.
    fn meta(&self) -> Result<Box<dyn MetaStore>, StoreError>;
}

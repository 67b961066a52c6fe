//! What must be durable before anything leaves, as one thing to open: journal, halt state, named
//! values and the right to write. Embedded or Postgres, nobody above has to know which.

use crate::error::StoreError;
use crate::halt::HaltStore;
use crate::journal::{AccountTag, Journal};
use crate::lease::Lease;
use crate::meta::MetaStore;

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

    /// The named values.
    ///
    /// # Errors
    /// If they cannot be opened.
    fn meta(&self) -> Result<Box<dyn MetaStore>, StoreError>;
}

//! The right to write: one process trades an account at a time.
//!
//! Taking a lease raises the account's *epoch*, which fences: whoever holds an older one can append
//! nothing any more, however late it wakes. A lease runs out unless it is renewed. The holder asks
//! its own monotonic clock, not the server's, whether it may still send: it counts from the moment
//! *before* it asked for the renewal, so it stops earlier than the store lets anybody else begin.

use std::time::Duration;

use crate::error::StoreError;

/// A lease that is held. Let go of by [`Lease::release`]; one that is dropped without runs out.
pub trait Lease: Send {
    /// The fencing epoch: 1, 2, 3 … per account. A store that a lock guards has no need of it and
    /// answers 0.
    fn epoch(&self) -> u64;

    /// How long a renewal lasts, counted from before it was asked for; `None`: until the process ends.
    fn term(&self) -> Option<Duration>;

    /// Confirms that this process is still the one.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another process has taken over: send nothing more and end. Any
    /// other error: not confirmed, ask again; what was confirmed before still holds for its term.
    fn renew(&mut self) -> Result<(), StoreError>;

    /// Lets go, so that a successor need not wait for the term to run out.
    ///
    /// # Errors
    /// If the store cannot be reached; the lease then runs out by itself.
    fn release(&mut self) -> Result<(), StoreError>;
}

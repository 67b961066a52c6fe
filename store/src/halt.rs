//! The halt state that outlives the process.
//!
//! The gate reads an atomic; this is where that atomic comes from at the start. `risk` owns the
//! levels and what they forbid: here a level is a word. An error from [`HaltStore::load_halt`], or
//! a word that `risk` does not know, means halted.

mod local_first;

use market::Timestamp;
use serde::Serialize;

use crate::digest::Digest;
use crate::error::StoreError;

pub use local_first::LocalFirst;

/// One decision to halt or to resume.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct HaltRecord {
    /// The level's name; `risk` knows what it forbids.
    pub level: String,
    /// Why, for people.
    pub reason: String,
    /// Who or what decided.
    pub by: String,
    /// When it was decided.
    pub at: Timestamp,
}

impl HaltRecord {
    /// Over each text after its length, then the time. It guards against a damaged or hand-edited
    /// row, not against someone who can compute a digest.
    pub(crate) fn digest(&self) -> Digest {
        let length = |text: &str| u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes();
        Digest::of(&[
            &length(&self.level),
            self.level.as_bytes(),
            &length(&self.reason),
            self.reason.as_bytes(),
            &length(&self.by),
            self.by.as_bytes(),
            &self.at.as_nanos().to_be_bytes(),
        ])
    }
}

/// Where the halt state is kept.
pub trait HaltStore: Send {
    /// The last decision; `None` if there never was one.
    ///
    /// # Errors
    /// Anything but a whole, untouched record is an error: the caller stays halted.
    fn load_halt(&self) -> Result<Option<HaltRecord>, StoreError>;

    /// Remembers a decision; durable when this returns. Earlier ones are kept for the audit.
    ///
    /// # Errors
    /// If it is not certain to be durable.
    fn save_halt(&mut self, record: &HaltRecord) -> Result<(), StoreError>;
}

impl HaltStore for Box<dyn HaltStore> {
    fn load_halt(&self) -> Result<Option<HaltRecord>, StoreError> {
        (**self).load_halt()
    }

    fn save_halt(&mut self, record: &HaltRecord) -> Result<(), StoreError> {
        (**self).save_halt(record)
    }
}

//! The halt state that outlives the process.
//!
//! The gate reads atomics; this is where these come from at the start. `risk` owns the scopes and levels
//! and what they forbid: here they are words. An error from [`HaltStore::load_halts`], or a word that
//! `risk` does not know, means that everything is halted.

mod local_first;

use market::Timestamp;
use serde::Serialize;

use crate::digest::Digest;
use crate::error::StoreError;

pub use local_first::LocalFirst;

/// The scope of rows that were written before there were scopes.
pub const EVERYTHING: &str = "global";
/// The scope of a decision after which everything begins anew: what was decided before it, on whatever
/// scope, counts no more. It is how a person leads out of records that cannot be read.
pub const ANEW: &str = "*";

/// One decision to halt or to resume.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct HaltRecord {
    /// What it is about, as `risk` writes scopes.
    pub scope: String,
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
    /// Over each text after its length, the scope last, then the time. It guards against a damaged or
    /// hand-edited row, not against someone who can compute a digest.
    pub(crate) fn digest(&self) -> Digest {
        self.digest_of(&[&self.level, &self.reason, &self.by, &self.scope])
    }

    /// The digest of a row from before there were scopes.
    pub(crate) fn digest_without_scope(&self) -> Digest {
        self.digest_of(&[&self.level, &self.reason, &self.by])
    }

    fn digest_of(&self, texts: &[&str]) -> Digest {
        let lengths: Vec<[u8; 8]> =
            texts.iter().map(|text| u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes()).collect();
        let at = self.at.as_nanos().to_be_bytes();
        let mut parts: Vec<&[u8]> = Vec::with_capacity(2 * texts.len() + 1);
        for (length, text) in lengths.iter().zip(texts) {
            parts.extend([&length[..], text.as_bytes()]);
        }
        parts.push(&at);
        Digest::of(&parts)
    }

    /// What a row says, if it is what was written. `scope` is none in rows from before there were scopes.
    pub(crate) fn checked(
        scope: Option<String>,
        [level, reason, by]: [String; 3],
        at: Timestamp,
        digest: Option<Digest>,
    ) -> Option<Self> {
        let is_old = scope.is_none();
        let record = Self { scope: scope.unwrap_or_else(|| EVERYTHING.to_owned()), level, reason, by, at };
        let whole = if is_old { record.digest_without_scope() } else { record.digest() };
        (digest == Some(whole)).then_some(record)
    }
}

/// Where the halt state is kept.
pub trait HaltStore: Send {
    /// The last decision of each scope since the last one on [`ANEW`], that one included, in the order in
    /// which they were made; none if there never was one.
    ///
    /// # Errors
    /// Anything but whole, untouched records is an error: the caller stays halted.
    fn load_halts(&self) -> Result<Vec<HaltRecord>, StoreError>;

    /// Remembers a decision; durable when this returns. Earlier ones are kept for the audit.
    ///
    /// # Errors
    /// If it is not certain to be durable.
    fn save_halt(&mut self, record: &HaltRecord) -> Result<(), StoreError>;
}

impl HaltStore for Box<dyn HaltStore> {
    fn load_halts(&self) -> Result<Vec<HaltRecord>, StoreError> {
        (**self).load_halts()
    }

    fn save_halt(&mut self, record: &HaltRecord) -> Result<(), StoreError> {
        (**self).save_halt(record)
    }
}

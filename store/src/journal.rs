//! The journal: what each account intended, sent and heard, in order.
//!
//! Intent first: an order is in here before its bytes can leave, and starting is reading this back.
//! Every entry carries a link of a SHA-256 chain, so a changed or missing entry in the middle is
//! found and named. A tail that was cut off leaves a shorter chain that holds; only asking the
//! broker finds that, which recovery does anyway.

mod memory;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use market::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::Digest;
use crate::error::StoreError;

pub use memory::MemoryJournal;

/// Short name of an account: four capital letters or digits such as `PAPR`. It is the first part
/// of every order identifier of that account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountTag([u8; 4]);

/// A text that is not an account tag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an account tag: expected four capital letters or digits such as PAPR")]
pub struct AccountTagError(String);

/// One entry of an account's journal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Whose it is.
    pub account: AccountTag,
    /// Place in the account's journal: 1, 2, 3 …, given by the account's single writer.
    pub sequence: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What it is; the journal does not look inside.
    pub kind: Cow<'static, str>,
    /// JSON text, kept byte for byte: a store that reorders or reformats it breaks the chain.
    pub payload: String,
}

/// What the entries of an account up to one of them lead to, so that a start need not read them all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// Whose it is.
    pub account: AccountTag,
    /// The last entry that is in it.
    pub sequence: u64,
    /// When it was made.
    pub at: Timestamp,
    /// JSON text, kept byte for byte; the journal does not look inside.
    pub payload: String,
}

/// What [`Journal::verify`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// Every entry is as it was written.
    Intact {
        /// How many there are.
        entries: u64,
    },
    /// Nothing from here on can be trusted.
    Broken {
        /// The first entry that is wrong.
        sequence: u64,
        /// What is wrong with it.
        reason: Break,
    },
}

/// How an entry breaks the chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Break {
    /// A later entry is there, this one is not.
    Missing,
    /// Its content is not what was written.
    Altered,
    /// It cannot be read at all.
    Unreadable,
}

impl Snapshot {
    /// Over all of it and the link of its entry. It guards against a damaged or hand-edited row, not
    /// against someone who can compute a digest.
    pub(crate) fn digest(&self, link: &Digest) -> Digest {
        // Only the payload has a variable length, and it comes last.
        Digest::of(&[
            &self.account.0,
            &self.sequence.to_be_bytes(),
            &self.at.as_nanos().to_be_bytes(),
            link.as_bytes(),
            self.payload.as_bytes(),
        ])
    }

    /// The snapshot, if it is what was written and its entry still has the link that it was bound to.
    pub(crate) fn checked(self, link: Digest, digest: Digest, entry: Option<Digest>) -> Option<Self> {
        if self.digest(&link) != digest {
            Self::passed_over(self.account, self.sequence, "it is not what was written");
            return None;
        }
        if entry != Some(link) {
            Self::passed_over(self.account, self.sequence, "it belongs to another chain than its entry");
            return None;
        }
        Some(self)
    }

    /// It cannot be used: someone must look, but the start goes on with an older one, or without.
    pub(crate) fn passed_over(account: AccountTag, sequence: u64, problem: &str) {
        tracing::error!(
            account = account.as_str(),
            sequence,
            problem,
            "passing over a damaged snapshot; the journal is read from further back: verify it and check the disk"
        );
    }
}

/// Snapshots that are kept of each account: the latest, and those before it should it be damaged.
pub const KEPT_SNAPSHOTS: usize = 3;

/// Where entries are kept.
pub trait Journal: Send {
    /// Stores all of these entries or none, with one sync for the batch; durable when this returns.
    /// An entry that is stored already is skipped if it is the same, so a batch whose answer was
    /// lost can be sent again.
    ///
    /// # Errors
    /// A gap in an account's sequence, a stored entry that differs, or a failure below.
    fn append(&mut self, entries: &[JournalEntry]) -> Result<(), StoreError>;

    /// The sequence of the account's last entry; 0 for an account without entries.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn last_sequence(&self, account: AccountTag) -> Result<u64, StoreError>;

    /// Hands over the account's entries in order, from a sequence on, one at a time. Each one is
    /// checked against the chain before it is handed over, so what was changed is never replayed.
    ///
    /// # Errors
    /// [`StoreError::JournalBroken`] at the first entry that is wrong, a failure below, or what
    /// `visit` returned: its first error ends the reading.
    fn read(
        &self,
        account: AccountTag,
        from_sequence: u64,
        visit: &mut dyn FnMut(JournalEntry) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// Keeps a snapshot, bound to the link of its entry; durable when this returns. The latest
    /// [`KEPT_SNAPSHOTS`] of an account are kept. A journal that keeps none is read from its start.
    ///
    /// # Errors
    /// An entry that the journal does not hold, or a failure below.
    fn save_snapshot(&mut self, _snapshot: &Snapshot) -> Result<(), StoreError> {
        Ok(())
    }

    /// The latest snapshot of the account that is at or before this entry, whole, and made of the
    /// chain as it stands. One that is damaged is passed over: the journal is the truth, and reading
    /// more of it costs only time.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn latest_snapshot(&self, _account: AccountTag, _at_most: u64) -> Result<Option<Snapshot>, StoreError> {
        Ok(None)
    }

    /// Every account that has entries, in order.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn accounts(&self) -> Result<Vec<AccountTag>, StoreError>;

    /// Recomputes the account's whole chain.
    ///
    /// # Errors
    /// If the store cannot be read; a broken chain is an answer, not an error.
    fn verify(&self, account: AccountTag) -> Result<Verification, StoreError> {
        let mut entries = 0;
        let count = &mut |_| {
            entries += 1;
            Ok(())
        };
        match self.read(account, 1, count) {
            Ok(()) => Ok(Verification::Intact { entries }),
            Err(StoreError::JournalBroken { sequence, reason, .. }) => Ok(Verification::Broken { sequence, reason }),
            Err(error) => Err(error),
        }
    }
}

impl Journal for Box<dyn Journal> {
    fn append(&mut self, entries: &[JournalEntry]) -> Result<(), StoreError> {
        (**self).append(entries)
    }

    fn last_sequence(&self, account: AccountTag) -> Result<u64, StoreError> {
        (**self).last_sequence(account)
    }

    fn read(
        &self,
        account: AccountTag,
        from_sequence: u64,
        visit: &mut dyn FnMut(JournalEntry) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        (**self).read(account, from_sequence, visit)
    }

    fn save_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), StoreError> {
        (**self).save_snapshot(snapshot)
    }

    fn latest_snapshot(&self, account: AccountTag, at_most: u64) -> Result<Option<Snapshot>, StoreError> {
        (**self).latest_snapshot(account, at_most)
    }

    fn accounts(&self) -> Result<Vec<AccountTag>, StoreError> {
        (**self).accounts()
    }
}

/// The end of an account's chain as it stands.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    pub(crate) sequence: u64,
    pub(crate) hash: Digest,
}

/// What to do with an entry that came.
pub(crate) enum Place {
    /// It is the next one.
    Next,
    /// Its sequence is taken: skip it if the stored one is the same, refuse it otherwise.
    Taken,
}

impl Head {
    /// Before the first entry.
    pub(crate) const START: Self = Self { sequence: 0, hash: Digest::ZERO };

    /// Where an entry belongs, seen from here.
    pub(crate) fn place(&self, entry: &JournalEntry) -> Result<Place, StoreError> {
        let expected = self.sequence + 1;
        match entry.sequence {
            sequence if sequence == expected => Ok(Place::Next),
            sequence if (1..expected).contains(&sequence) => Ok(Place::Taken),
            given => Err(StoreError::JournalGap { account: entry.account, expected, given }),
        }
    }

    /// The head once this entry is appended. The link covers, in this order: the previous link, the
    /// account's 4 bytes, sequence and time (8 bytes each), the length of the kind (4 bytes), kind
    /// and payload; numbers are big-endian.
    pub(crate) fn after(&self, entry: &JournalEntry) -> Self {
        let kind_length = u32::try_from(entry.kind.len()).unwrap_or(u32::MAX);
        let hash = Digest::of(&[
            self.hash.as_bytes(),
            &entry.account.0,
            &entry.sequence.to_be_bytes(),
            &entry.at.as_nanos().to_be_bytes(),
            &kind_length.to_be_bytes(),
            entry.kind.as_bytes(),
            entry.payload.as_bytes(),
        ]);
        Self { sequence: entry.sequence, hash }
    }

    /// The head after an entry that was read, if it is the next one and as it was written.
    pub(crate) fn check(&self, entry: &JournalEntry, stored: Digest) -> Result<Self, StoreError> {
        let broken = |reason| self.broken_next(entry.account, reason);
        if entry.sequence != self.sequence + 1 {
            return Err(broken(Break::Missing));
        }
        let after = self.after(entry);
        if after.hash == stored { Ok(after) } else { Err(broken(Break::Altered)) }
    }

    /// The entry that should come next is not right.
    pub(crate) fn broken_next(&self, account: AccountTag, reason: Break) -> StoreError {
        StoreError::JournalBroken { account, sequence: self.sequence + 1, reason }
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Missing => "is missing",
            Self::Altered => "is not what was written",
            Self::Unreadable => "cannot be read",
        })
    }
}

impl AccountTag {
    /// From its four bytes; `None` unless they are capital letters or digits.
    pub const fn from_bytes(bytes: [u8; 4]) -> Option<Self> {
        let mut place = 0;
        while place < bytes.len() {
            if !bytes[place].is_ascii_uppercase() && !bytes[place].is_ascii_digit() {
                return None;
            }
            place += 1;
        }
        Some(Self(bytes))
    }

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        // Only ASCII is ever stored, so this cannot fail.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for AccountTag {
    type Err = AccountTagError;

    fn from_str(text: &str) -> Result<Self, AccountTagError> {
        let bytes = <[u8; 4]>::try_from(text.as_bytes()).ok();
        bytes.and_then(Self::from_bytes).ok_or_else(|| AccountTagError(text.chars().take(20).collect()))
    }
}

impl fmt::Display for AccountTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for AccountTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for AccountTag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for AccountTag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_four_capitals_or_digits() {
        assert_eq!("PAPR".parse::<AccountTag>().unwrap().to_string(), "PAPR");
        for bad in ["", "PAP", "PAPER", "papr", "PA R", "AÇ1"] {
            assert!(bad.parse::<AccountTag>().is_err(), "{bad}");
        }
    }

    /// Written down so that the form cannot change unnoticed: a journal on disk outlives the
    /// program that wrote it. The values come from another SHA-256 (Python's hashlib).
    #[test]
    fn the_form_of_a_link_is_fixed() {
        let entry = |sequence, kind: &'static str, payload: &str| JournalEntry {
            account: "PAPR".parse().unwrap(),
            sequence,
            at: Timestamp::from_nanos(1_514_487_600_000_000_000),
            kind: kind.into(),
            payload: payload.to_owned(),
        };
        let first = Head::START.after(&entry(1, "order_intent", r#"{"symbol":"PETR4"}"#));
        assert_eq!(first.hash.to_string(), "a04f43c2d174abcfc50bae8016a297527823fe81939b98c76b0d584ee3b6cd56");
        let second = first.after(&entry(2, "fill", "{}"));
        assert_eq!(second.hash.to_string(), "371b17d5fada352ecd2ed30281efd8fc7de4bb4c101373b6591d9f382aa15045");
    }
}

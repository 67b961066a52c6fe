//! The audit: who changed or stopped what, why, and what came of it. Rows are only ever added.
//!
//! Every row carries a link of a SHA-256 chain, so a changed or missing row in the middle is found and
//! named. A tail that was cut off leaves a shorter chain that holds: with the ledger on a server the rows
//! stand in two places, and both would have to be cut.
//!
//! The audit remembers acts of people and of what acts for them; what an account decides is in its
//! journal. It never stands between a person and the halt switch: whoever halts does so first.

mod local_first;

use std::fmt;
use std::str::FromStr;

use market::Timestamp;
use serde::Serialize;

use crate::digest::Digest;
use crate::error::StoreError;
use crate::journal::{Break, Verification};

pub use local_first::LocalFirstAudit;

/// Longest word or name, bytes: a name, an action, a target.
pub const LONGEST_WORD: usize = 1024;
/// Longest reason, bytes.
pub const LONGEST_REASON: usize = 16 * 1024;
/// Longest state before or after, bytes: a whole configuration and room to spare.
pub const LONGEST_STATE: usize = 1024 * 1024;
/// Most rows of one page.
pub const LONGEST_PAGE: usize = 500;

/// One act. The same in every field, to the nanosecond, is the same act: stored once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AuditRecord {
    /// When.
    pub at: Timestamp,
    /// Who: a person's or client's name, or the part of the engine that acted.
    pub who: String,
    /// With which role: `viewer`, `operator`, `admin`, or empty where there are none (the machine's own user).
    pub role: String,
    /// By which way: `http`, `cli`, `file`, `signal`, `engine` ….
    pub origin: String,
    /// What was done or asked for: `halt`, `resume`, `configuration.apply` ….
    pub action: String,
    /// To what: a scope, a user, a version.
    pub target: String,
    /// Why, for people.
    pub reason: String,
    /// JSON text of what it was before, where that says something. Never a secret.
    pub before: Option<String>,
    /// JSON text of what it is afterwards, or would have been.
    pub after: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an act.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was not allowed, or not as it was asked for.
    Denied,
    /// It was allowed and did not work.
    Failed,
}

/// A stored act.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AuditRow {
    /// 1, 2, 3 … in the store that holds it.
    pub number: u64,
    /// The act.
    #[serde(flatten)]
    pub record: AuditRecord,
    /// Its link of the chain.
    pub hash: Digest,
}

/// Where acts are kept.
pub trait Audit: Send {
    /// Stores an act; durable when this returns. The number that it has. An act that is stored already
    /// is not stored again, so one whose answer was lost can be sent again.
    ///
    /// # Errors
    /// A text that is too long or holds a NUL character, or a failure below.
    fn append(&mut self, record: &AuditRecord) -> Result<u64, StoreError>;

    /// The rows after this number, in order, at most `limit` of them and at most [`LONGEST_PAGE`]. Each
    /// one was checked against the chain.
    ///
    /// # Errors
    /// [`StoreError::AuditBroken`] at the first row that is wrong, or a failure below.
    fn page(&self, after: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError>;

    /// The newest row, checked against the one before; `None` where there are none.
    ///
    /// # Errors
    /// As [`Self::page`].
    fn last(&self) -> Result<Option<AuditRow>, StoreError>;

    /// Recomputes the whole chain.
    ///
    /// # Errors
    /// If the store cannot be read; a broken chain is an answer, not an error.
    fn verify(&self) -> Result<Verification, StoreError> {
        let mut entries = 0;
        loop {
            match self.page(entries, LONGEST_PAGE) {
                Ok(rows) if rows.is_empty() => return Ok(Verification::Intact { entries }),
                Ok(rows) => entries += rows.len() as u64,
                Err(StoreError::AuditBroken { number, reason }) => {
                    return Ok(Verification::Broken { sequence: number, reason });
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Audit for Box<dyn Audit> {
    fn append(&mut self, record: &AuditRecord) -> Result<u64, StoreError> {
        (**self).append(record)
    }

    fn page(&self, after: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        (**self).page(after, limit)
    }

    fn last(&self) -> Result<Option<AuditRow>, StoreError> {
        (**self).last()
    }
}

impl Outcome {
    /// Stable name in tables, JSON and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that is no outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an outcome: expected done, denied or failed")]
pub struct OutcomeError(String);

impl FromStr for Outcome {
    type Err = OutcomeError;

    fn from_str(text: &str) -> Result<Self, OutcomeError> {
        let known = [Self::Done, Self::Denied, Self::Failed].into_iter().find(|outcome| outcome.name() == text);
        known.ok_or_else(|| OutcomeError(text.chars().take(80).collect()))
    }
}

impl AuditRecord {
    /// Over all of it: the time, then each text after its length, a state that is not there as no length.
    pub(crate) fn digest(&self) -> Digest {
        let mut bytes = self.at.as_nanos().to_be_bytes().to_vec();
        let mut add = |text: Option<&str>| {
            bytes.push(u8::from(text.is_some()));
            let text = text.unwrap_or_default();
            bytes.extend(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            bytes.extend(text.as_bytes());
        };
        for text in self.texts().map(|(_, text, _)| text) {
            add(Some(text));
        }
        add(self.before.as_deref());
        add(self.after.as_deref());
        add(Some(self.outcome.name()));
        Digest::of(&[&bytes])
    }

    fn texts(&self) -> [(&'static str, &str, usize); 6] {
        [
            ("who", &self.who, LONGEST_WORD),
            ("role", &self.role, LONGEST_WORD),
            ("origin", &self.origin, LONGEST_WORD),
            ("action", &self.action, LONGEST_WORD),
            ("target", &self.target, LONGEST_WORD),
            ("reason", &self.reason, LONGEST_REASON),
        ]
    }

    /// What one store could take and the other not, or what nobody meant to keep for ever, neither takes:
    /// a row that is here must also arrive on a server.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let states = [("before", &self.before), ("after", &self.after)];
        let states = states.into_iter().filter_map(|(field, state)| Some((field, state.as_deref()?, LONGEST_STATE)));
        for (field, text, longest) in self.texts().into_iter().chain(states) {
            let value = if text.contains('\0') {
                "a text with a NUL character".to_owned()
            } else if text.len() > longest {
                format!("{} bytes, more than {longest}", text.len())
            } else {
                continue;
            };
            return Err(StoreError::NotStorable { key: format!("an audit row of {}", self.action), field, value });
        }
        Ok(())
    }
}

/// The end of the chain as it stands.
#[derive(Clone, Copy)]
pub(crate) struct AuditHead {
    pub(crate) number: u64,
    pub(crate) hash: Digest,
}

impl AuditHead {
    /// Before the first row.
    pub(crate) const START: Self = Self { number: 0, hash: Digest::ZERO };

    /// The head once this act is appended. The link covers the previous link, the number (8 bytes,
    /// big-endian) and the digest of the act.
    pub(crate) fn after(&self, digest: &Digest) -> Self {
        let number = self.number + 1;
        Self { number, hash: Digest::of(&[self.hash.as_bytes(), &number.to_be_bytes(), digest.as_bytes()]) }
    }

    /// The head after a row that was read, if it is the next one and as it was written.
    pub(crate) fn check(&self, row: &AuditRow) -> Result<Self, StoreError> {
        if row.number != self.number + 1 {
            return Err(self.broken_next(Break::Missing));
        }
        let after = self.after(&row.record.digest());
        if after.hash == row.hash { Ok(after) } else { Err(self.broken_next(Break::Altered)) }
    }

    /// The row that should come next is not right.
    pub(crate) fn broken_next(&self, reason: Break) -> StoreError {
        StoreError::AuditBroken { number: self.number + 1, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::audit::act;

    /// Written down so that the form cannot change unnoticed: rows on disk outlive the program that wrote
    /// them. The values come from another SHA-256 (Python's hashlib).
    #[test]
    fn the_form_of_a_link_is_fixed() {
        let first = AuditHead::START.after(&act(1).digest());
        assert_eq!(first.hash.to_string(), "5fa2bd366a4da195daca28d4f3e8207c0f0791217a62a6fac52645d53c1ebeca");
        let bare = AuditRecord { before: None, after: None, outcome: Outcome::Denied, ..act(2) };
        let second = first.after(&bare.digest());
        assert_eq!(second.hash.to_string(), "703dcca8e8358f1c14df6704b824d7efd000a979fb1a20fc151df54bc7fba45a");
    }

    #[test]
    fn no_two_acts_share_a_digest() {
        let base = act(1);
        let changes: [fn(&mut AuditRecord); 11] = [
            |act| act.at = act.at.plus_nanos(1),
            |act| act.who.push('x'),
            |act| act.role.push('x'),
            |act| act.origin.push('x'),
            |act| act.action.push('x'),
            |act| act.target.push('x'),
            |act| act.reason.push('x'),
            |act| act.before = None,
            |act| act.before = Some(String::new()),
            |act| act.after = None,
            |act| act.outcome = Outcome::Failed,
        ];
        let mut digests = vec![base.digest()];
        for change in changes {
            let mut other = base.clone();
            change(&mut other);
            digests.push(other.digest());
        }
        // A letter that moves from one text to the next is another act.
        digests.push(AuditRecord { who: "mari".to_owned(), role: format!("a{}", base.role), ..base }.digest());
        for (place, digest) in digests.iter().enumerate() {
            assert!(!digests[..place].contains(digest), "{place}");
        }
    }

    #[test]
    fn outcomes_read_back() {
        for outcome in [Outcome::Done, Outcome::Denied, Outcome::Failed] {
            assert_eq!(outcome.name().parse(), Ok(outcome));
        }
        let error = "perhaps".parse::<Outcome>().unwrap_err().to_string();
        assert_eq!(error, "'perhaps' is not an outcome: expected done, denied or failed");
    }
}

//! What can go wrong, and what to do next.

use std::error::Error;

use crate::journal::{AccountTag, Break};

/// A cause from below: SQLite, Postgres, the operating system.
pub type Cause = Box<dyn Error + Send + Sync>;

impl StoreError {
    /// Whether the same call may succeed at once, because a connection was lost or a lock was held.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Unusable { .. })
    }
}

/// Why the store could not do it. Unless a text says otherwise nothing was stored, and trying
/// again is safe: entries and rows are keyed, so nothing is ever stored twice.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The place cannot be used as it is: a person has to change something first.
    #[error("{place}: {problem}; {remedy}")]
    Unusable {
        /// Directory or file.
        place: String,
        /// What is wrong with it.
        problem: &'static str,
        /// What to do next.
        remedy: &'static str,
        /// What the system said.
        source: Option<Cause>,
    },
    /// Another process writes to this data directory.
    #[error(
        "data directory {place} is in use by {holder}; stop that process first, or only read: \
         readers work beside a writer"
    )]
    Locked {
        /// The data directory.
        place: String,
        /// The process that holds it, as far as its lock file tells.
        holder: String,
    },
    /// Another process has the right to write to this account.
    #[error(
        "account {account} is traded by {holder} (epoch {epoch}); stop that process, or wait until its lease \
         runs out: two daemons may not trade one account"
    )]
    LeaseHeld {
        /// Whose journal.
        account: AccountTag,
        /// Who holds it, for people.
        holder: String,
        /// Its epoch.
        epoch: u64,
    },
    /// Another process has taken over the account: this one may not write or send any more.
    #[error("account {account} was taken over by {holder} (epoch {epoch}); this process sends nothing more and ends")]
    LeaseLost {
        /// Whose journal.
        account: AccountTag,
        /// Who holds it now, for people.
        holder: String,
        /// Its epoch.
        epoch: u64,
    },
    /// Written by a program that knows more than this one.
    #[error("{place}: this store was written by a newer pregao: schema {found} > {known}; upgrade pregao")]
    NewerSchema {
        /// The file.
        place: String,
        /// Its schema.
        found: i64,
        /// The newest schema that this program knows.
        known: i64,
    },
    /// No room left.
    #[error("{place}: the disk is full; free some space, then try again: nothing of this write was kept")]
    Full {
        /// The file.
        place: String,
        /// What the system said.
        source: Cause,
    },
    /// What is stored cannot be right.
    #[error("{place} is damaged: {problem}; stop trading on it, restore a backup and reconcile with the broker")]
    Corrupt {
        /// The file.
        place: String,
        /// What was found.
        problem: String,
        /// What the system said, where it did.
        source: Option<Cause>,
    },
    /// An entry does not follow the last one of its account.
    #[error(
        "journal of {account}: entry {given} came where {expected} was due; \
         stop the account and replay it: its one writer has lost count"
    )]
    JournalGap {
        /// Whose journal.
        account: AccountTag,
        /// The only new sequence that the journal would take.
        expected: u64,
        /// The sequence that came.
        given: u64,
    },
    /// A sequence that is stored came again with other content.
    #[error(
        "journal of {account}: entry {sequence} is stored already and differs; \
         stop the account: it seems to have two writers"
    )]
    JournalConflict {
        /// Whose journal.
        account: AccountTag,
        /// The sequence in question.
        sequence: u64,
    },
    /// A snapshot of an entry that the journal does not hold.
    #[error(
        "journal of {account}: a snapshot at entry {sequence} cannot be kept, because that entry is not stored; \
         append it first"
    )]
    SnapshotWithoutEntry {
        /// Whose journal.
        account: AccountTag,
        /// The entry that the snapshot was made at.
        sequence: u64,
    },
    /// The chain does not hold: what is stored is not what was written.
    #[error(
        "journal of {account}: entry {sequence} {reason}; keep the account halted, \
         restore a backup and reconcile with the broker"
    )]
    JournalBroken {
        /// Whose journal.
        account: AccountTag,
        /// The first entry that cannot be trusted.
        sequence: u64,
        /// What is wrong with it.
        reason: Break,
    },
    /// The chain of the audit does not hold: what is stored is not what was written.
    #[error(
        "audit: row {number} {reason}; leave it as it is for whoever looks into it, and compare it with a backup: \
         nobody can vouch for what follows"
    )]
    AuditBroken {
        /// The first row that cannot be trusted.
        number: u64,
        /// What is wrong with it.
        reason: Break,
    },
    /// A name that is taken.
    #[error("user {client_id} exists; rotate its secret, or take another name: a name means one client for ever")]
    UserExists {
        /// The name.
        client_id: String,
    },
    /// A name that nobody has.
    #[error("there is no user {client_id}; list the users, or create it")]
    UserUnknown {
        /// The name.
        client_id: String,
    },
    /// The configuration was changed by somebody else meanwhile.
    #[error(
        "the configuration is at version {current}, and the change was made for version {expected}; look at what \
         changed and make it anew"
    )]
    VersionConflict {
        /// The version that the change was made for.
        expected: u64,
        /// The version that is current.
        current: u64,
    },
    /// Two lines of one import have the same key. The first stays, the second was not taken.
    #[error("{key} comes twice in this import; a line was repeated: fetch the file again or remove one of them")]
    DuplicateKey {
        /// The key, for people.
        key: String,
    },
    /// A value that would not come back as it went in. The row was not taken.
    #[error("{field} of {key} cannot be stored exactly: {value}; check the line, the field is out of its range")]
    NotStorable {
        /// The row, for people.
        key: String,
        /// Which field.
        field: &'static str,
        /// What it holds.
        value: String,
    },
    /// Any other failure below.
    #[error("{place}: could not {doing}; see the cause, then try again: nothing is ever stored twice")]
    Failed {
        /// The file.
        place: String,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: Cause,
    },
}

//! What a replay found, and why there may be none.

use market::{Date, Timestamp};
use serde::Serialize;
use strategies::ParameterError;

use crate::entry::RebuildError;

/// One session of the journal, counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct SessionReport {
    /// Which.
    pub date: Date,
    /// Journal entries of it.
    pub entries: u64,
    /// Orders, changes and cancels that were decided on, for or against.
    pub decisions: u64,
    /// Of these, made again bit for bit, from what was heard to what was decided.
    pub matched: u64,
    /// Of these, made by the order protocol itself, which a replay takes as given: the journal, the
    /// connection or a reconciliation stood behind them.
    pub accepted_as_given: u64,
    /// Of these, reviewed again with the same result, but what the strategy had heard is lost.
    pub reviewed_only: u64,
}

/// Something that came out otherwise than the journal says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Difference {
    /// The journal entry.
    pub sequence: u64,
    /// In which session.
    pub session: Date,
    /// What differs: a field of a request or decision, `request`, `decision`, or a part of the book.
    pub what: String,
    /// As the journal has it.
    pub recorded: String,
    /// As it is when done again.
    pub replayed: String,
}

/// Something that a strategy had heard and the journal never got: an actor died with it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LostInput {
    /// The journal entry that shows it.
    pub sequence: u64,
    /// In which session.
    pub session: Date,
    /// Name of the strategy.
    pub strategy: String,
    /// What is missing.
    pub what: String,
}

/// What a replay found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ReplayReport {
    /// The sessions reported on, in order.
    pub sessions: Vec<SessionReport>,
    /// Their sum.
    pub entries: u64,
    /// Their sum.
    pub decisions: u64,
    /// Their sum.
    pub matched: u64,
    /// Their sum.
    pub accepted_as_given: u64,
    /// Their sum.
    pub reviewed_only: u64,
    /// What could not be derived again.
    pub lost_inputs: Vec<LostInput>,
    /// What came out otherwise.
    pub differences: Vec<Difference>,
    /// SHA-256 over every decision as it was made again, in order: the same on every machine.
    pub fingerprint: String,
}

/// Why a journal cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// An old `started` entry.
    #[error(
        "journal entry {0} (started) does not say what its run decided with: an earlier version wrote it, and its sessions cannot be replayed"
    )]
    NoOrigin(u64),
    /// An old decision.
    #[error(
        "journal entry {sequence} ({kind}) does not say which price and halt level it was decided on: an earlier version wrote it, and its sessions cannot be replayed"
    )]
    NoEvidence {
        /// Place in the journal.
        sequence: u64,
        /// Kind of the entry.
        kind: &'static str,
    },
    /// A calendar of another version.
    #[error(
        "journal entry {sequence} names the calendar '{calendar}', which this version does not have: replay with version {version}"
    )]
    UnknownCalendar {
        /// Place in the journal.
        sequence: u64,
        /// Its name.
        calendar: String,
        /// Version that wrote the entry.
        version: String,
    },
    /// A strategy of another version.
    #[error(
        "journal entry {sequence} names the strategy '{kind}', which this version does not have: replay with the version that recorded it"
    )]
    UnknownStrategy {
        /// Place in the journal.
        sequence: u64,
        /// Its name in the list of strategies.
        kind: String,
    },
    /// Parameters of another version.
    #[error("journal entry {sequence}: the strategy cannot be made again: {source}")]
    Strategy {
        /// Place in the journal.
        sequence: u64,
        /// What is wrong with its parameters.
        source: ParameterError,
    },
    /// The entries do not lead to a book.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// Nothing happened in the session that was asked for.
    #[error("{}", no_such_session(*asked, recorded))]
    NoSuchSession {
        /// Which.
        asked: Date,
        /// Those that the journal holds.
        recorded: Vec<Date>,
    },
}

fn no_such_session(asked: Date, recorded: &[Date]) -> String {
    let (Some(first), Some(last)) = (recorded.first(), recorded.last()) else {
        return format!("the journal has no session {asked}: it is empty");
    };
    let nearest = recorded.iter().min_by_key(|date| (**date - asked).abs()).unwrap_or(first);
    format!(
        "the journal has no session {asked}: it has {} from {first} to {last}, the nearest is {nearest}",
        recorded.len()
    )
}

/// The session that an entry belongs to: the day on which it happened, exchange time; what happens on a
/// day without a session belongs to the next one.
pub(super) fn session_of(at: Timestamp, calendar: &market::Calendar) -> Date {
    let date = at.local_date();
    match calendar.session(date) {
        Some(_) => date,
        None => calendar.next_session(date).unwrap_or(date),
    }
}

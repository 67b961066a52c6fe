//! Failures of the server, of the way there, and of our own rules, told apart for people. None of
//! them shows a password: no text here is taken from the URL.

use std::error::Error as StdError;
use std::io::ErrorKind;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::error::{Cause, StoreError};

/// What can fail between a row and a caller.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server or the way there.
    Sql(Error),
    /// A migration.
    Migration(refinery::Error),
    /// No connection within the time that it may take.
    NoConnection,
    /// All connections of this store are at work.
    AllBusy,
    /// No answer within the limit of a call.
    NoAnswer,
    /// What a row holds cannot be right.
    Damaged(String),
    /// One of our own rules.
    Store(StoreError),
}

/// What is wrong, and what to do.
type Advice = (&'static str, &'static str);

const CLOSED: Advice = (
    "closed the connection",
    "see whether the server still runs; what was being written may be stored or not: send the same again, \
     nothing is ever stored twice",
);
const NO_CONNECTION: Advice = (
    "does not answer to a new connection",
    "see whether the server or the network is stopped or overloaded, then try again",
);
const NO_ANSWER: Advice = (
    "did not answer in time",
    "see whether the server or the network is stopped or overloaded; what was being written may be stored or \
     not: send the same again, nothing is ever stored twice",
);
const ALL_BUSY: Advice =
    ("has all connections of this process at work", "try again; if it lasts, look for slow statements on the server");
const DIVERGED: Advice =
    ("was set up by other migrations than this program's", "use the program that set it up, or give another schema");
pub(super) const READ_ONLY: Advice = (
    "takes no writes: it is read-only",
    "connect to the primary, or set default_transaction_read_only to off; or only read",
);

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Fault {
    /// Names the server and tells what a person can do about it.
    pub(super) fn at(self, place: &str, doing: &'static str) -> StoreError {
        let place = place.to_owned();
        let unusable = |place, (problem, remedy), source| StoreError::Unusable { place, problem, remedy, source };
        match self {
            Self::Store(error) => error,
            Self::NoConnection => unusable(place, NO_CONNECTION, None),
            Self::AllBusy => unusable(place, ALL_BUSY, None),
            Self::NoAnswer => unusable(place, NO_ANSWER, None),
            Self::Damaged(problem) => StoreError::Corrupt { place, problem, source: None },
            Self::Sql(error) if code(&error) == Some(&SqlState::DISK_FULL) => {
                StoreError::Full { place, source: error.into() }
            }
            Self::Sql(error) if is_damage(&error) => {
                let problem = "what is stored cannot be read back".to_owned();
                StoreError::Corrupt { place, problem, source: Some(error.into()) }
            }
            Self::Sql(error) => match advice(&error) {
                Some(advice) => unusable(place, advice, Some(error.into())),
                None => StoreError::Failed { place, doing, source: error.into() },
            },
            Self::Migration(error) => {
                use refinery::error::Kind::{DivergentVersion, MissingVersion};
                let diverged = matches!(error.kind(), DivergentVersion(..) | MissingVersion(..));
                let below = sources(&error).find_map(|cause| cause.downcast_ref::<Error>()).and_then(advice);
                match if diverged { Some(DIVERGED) } else { below } {
                    Some(advice) => unusable(place, advice, Some(error.into())),
                    None => StoreError::Failed { place, doing, source: error.into() },
                }
            }
        }
    }
}

/// The server's own code first, then what the system said about the way there.
fn advice(error: &Error) -> Option<Advice> {
    if let Some(code) = code(error) {
        return advice_on(code);
    }
    if error.is_closed() {
        return Some(CLOSED);
    }
    let system = sources(error).find_map(|cause| cause.downcast_ref::<std::io::Error>())?;
    Some(match system.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => CLOSED,
        ErrorKind::TimedOut => NO_CONNECTION,
        ErrorKind::PermissionDenied => {
            ("cannot be reached: permission denied", "let this user reach the server's socket, or connect another way")
        }
        _ => ("cannot be reached", "start the server, or correct host and port in the URL"),
    })
}

fn advice_on(code: &SqlState) -> Option<Advice> {
    Some(match *code {
        SqlState::TOO_MANY_CONNECTIONS | SqlState::CONFIGURATION_LIMIT_EXCEEDED => {
            ("has no connection left", "raise max_connections or end what else is connected, then try again")
        }
        SqlState::CANNOT_CONNECT_NOW => {
            ("is starting up or shutting down", "wait until it takes connections, then try again")
        }
        SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN => CLOSED,
        SqlState::READ_ONLY_SQL_TRANSACTION => READ_ONLY,
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => (
            "refuses this user or its password",
            "correct user and password; pg_hba.conf on the server says who may connect and how",
        ),
        SqlState::INVALID_CATALOG_NAME => ("does not exist", "create the database, or correct its name in the URL"),
        SqlState::INSUFFICIENT_PRIVILEGE => {
            ("denies this user what it needs", "grant it CREATE on the database, or the schema and its tables to it")
        }
        SqlState::QUERY_CANCELED | SqlState::LOCK_NOT_AVAILABLE => (
            "did not finish a statement in time",
            "look for a lock, a full queue or a slow disk on the server, then try again",
        ),
        SqlState::UNDEFINED_TABLE | SqlState::INVALID_SCHEMA_NAME => (
            "does not hold pregao's tables",
            "open it for writing once, which creates them, or correct the schema's name",
        ),
        _ => return None,
    })
}

fn code(error: &Error) -> Option<&SqlState> {
    error.code()
}

/// Whether what is stored, rather than how it was reached, is wrong.
fn is_damage(error: &Error) -> bool {
    matches!(code(error), Some(&SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED))
}

/// All causes below an error.
fn sources<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(error.source(), |cause: &&'a (dyn StdError + 'static)| (*cause).source())
}

/// A problem with the settings, found before anything was sent. Without a cause: what the parser says
/// may quote a piece of the password.
pub(super) fn unusable(place: String, problem: &'static str, remedy: &'static str) -> StoreError {
    StoreError::Unusable { place, problem, remedy, source: None::<Cause> }
}

//! Failures of the server and of the way there, told apart for people. None of them shows a password: the client
//! is given it beside the URL, and the server does not repeat it.

use deadpool_redis::PoolError;
use deadpool_redis::redis::{ErrorKind, RedisError};

use crate::error::StoreError;

/// What can fail between a quote and the server.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server or the way there.
    Redis(RedisError),
    /// The pool itself.
    Pool(PoolError),
    /// No answer within the limit.
    NoAnswer,
}

/// What is wrong, and what to do.
type Advice = (&'static str, &'static str);

const UNREACHED: Advice =
    ("cannot be reached", "see whether it runs and listens there; quotes come back by themselves");
const NO_ANSWER: Advice =
    ("did not answer in time", "see whether it is stopped or overloaded; quotes come back by themselves");
const REFUSED: Advice = (
    "refuses the user, the password or what it is asked to do",
    "check user, password file and the rights in docs/redis.md",
);
const FULL: Advice = ("has no memory left", "raise its maxmemory, or let it evict; quotes come back by themselves");
const REPLICA: Advice = ("takes no writes: it is a replica", "give the URL of the primary");

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

impl From<PoolError> for Fault {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => Self::Redis(error),
            other => Self::Pool(other),
        }
    }
}

impl Fault {
    /// Names the server and tells what a person can do about it.
    pub(super) fn at(self, place: &str, doing: &'static str) -> StoreError {
        let place = place.to_owned();
        let ((problem, remedy), source) = match self {
            Self::NoAnswer => (NO_ANSWER, None),
            Self::Redis(error) => match advice(&error) {
                Some(advice) => (advice, Some(error.into())),
                None => return StoreError::Failed { place, doing, source: error.into() },
            },
            Self::Pool(error) => return StoreError::Failed { place, doing, source: error.into() },
        };
        StoreError::Unusable { place, problem, remedy, source }
    }
}

fn advice(error: &RedisError) -> Option<Advice> {
    if error.is_timeout() {
        return Some(NO_ANSWER);
    }
    // A transaction that was aborted tells why in its text only.
    let text = error.to_string();
    let says = |code: &str| error.code() == Some(code) || text.contains(code);
    match error.kind() {
        ErrorKind::AuthenticationFailed => Some(REFUSED),
        _ if ["NOAUTH", "WRONGPASS", "NOPERM"].into_iter().any(says) => Some(REFUSED),
        _ if says("OOM") => Some(FULL),
        _ if says("READONLY") => Some(REPLICA),
        ErrorKind::Io => Some(UNREACHED),
        _ => None,
    }
}

/// What the server holds is no quote of ours.
pub(super) fn damaged(place: String, problem: String) -> StoreError {
    StoreError::Failed { place, doing: "read a quote", source: problem.into() }
}

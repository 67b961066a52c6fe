//! What can go wrong with a request: whether asking again may help, whether the rest of the run makes
//! sense, and what a person can do.

use std::fmt;
use std::io;
use std::time::Duration;

use market::history::SourceName;
use thiserror::Error;

use super::observe::Outcome;
use crate::source::{BoxError, Malformed, Request, Secret, SourceError};

/// A request that came to nothing.
#[derive(Debug)]
pub struct FetchError {
    /// Whose request.
    pub source_name: SourceName,
    /// Which one.
    pub key: String,
    /// How often it was tried.
    pub tries: u32,
    /// What went wrong the last time.
    pub fault: Box<Fault>,
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source_name, key, tries, fault } = self;
        match &**fault {
            Fault::Reply(SourceError::Malformed(malformed)) => {
                let Malformed { place, problem, value, remedy, .. } = &**malformed;
                return write!(f, "{source_name}, {key}, {place}: {problem} ({value}); {remedy}");
            }
            // These begin with the name.
            Fault::Reply(error) => return write!(f, "{error}; asked for: {key}"),
            fault => write!(f, "{source_name}, {key}: {fault}")?,
        }
        if *tries > 1 {
            write!(f, " (tried {tries} times)")?;
        }
        write!(f, "; {}", fault.remedy())
    }
}

impl std::error::Error for FetchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.fault {
            Fault::Reply(error) => error.source(),
            Fault::Disk { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

/// What went wrong with one try.
#[derive(Debug, Error)]
pub enum Fault {
    /// No connection, or it broke.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// It took too long.
    #[error("no answer in time: {0}")]
    TimedOut(String),
    /// The certificate is not to be trusted.
    #[error("the server's certificate is not trusted: {0}")]
    Untrusted(String),
    /// Redirects without end, or away from TLS.
    #[error("the server sends us elsewhere: {0}")]
    Redirected(String),
    /// Asked too often.
    #[error("the server wants to be asked less often (status 429)")]
    RateLimited {
        /// When to come back, by its word.
        retry_after: Option<Duration>,
    },
    /// The server is in trouble.
    #[error("the server is in trouble (status {status})")]
    Unavailable {
        /// Its answer.
        status: u16,
        /// When to come back, by its word.
        retry_after: Option<Duration>,
    },
    /// The server does not want to.
    #[error("the server answers with status {status}: {says}")]
    Refused {
        /// Its answer.
        status: u16,
        /// The beginning of what it says.
        says: String,
    },
    /// It wants us to come back later than we wait.
    #[error("the server wants us back in {} s (status {status})", retry_after.as_secs())]
    ComeBackLater {
        /// Its answer.
        status: u16,
        /// When to come back.
        retry_after: Duration,
    },
    /// What we have of a file is of another version, or more than there is.
    #[error("the file has changed since its download began")]
    PartOutdated,
    /// Shorter than announced.
    #[error("the reply broke off: {got} of {announced} bytes came")]
    Truncated {
        /// Bytes that came.
        got: u64,
        /// Bytes that were announced.
        announced: u64,
    },
    /// Longer than it may be.
    #[error("the reply is longer than the {most} bytes that it may have")]
    TooLarge {
        /// Longest.
        most: u64,
    },
    /// Another form than was asked for.
    #[error("the reply is not {expected}: {problem}")]
    WrongContent {
        /// What was asked for.
        expected: &'static str,
        /// What came instead, with its beginning.
        problem: String,
    },
    /// Wrong inside, or not to be kept, by the source's decoder.
    #[error(transparent)]
    Reply(SourceError),
    /// Whoever keeps the items cannot.
    #[error("the items could not be kept: {0}")]
    NotKept(String),
    /// A file of the download folder cannot be used.
    #[error("{path} cannot be used: {cause}")]
    Disk {
        /// Which file.
        path: String,
        /// Why.
        cause: io::Error,
    },
    /// The run was told to stop.
    #[error("stopped")]
    Stopped,
}

impl Fault {
    /// Whether the same request may succeed if it is sent again soon.
    pub(super) fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_)
                | Self::TimedOut(_)
                | Self::RateLimited { .. }
                | Self::Unavailable { .. }
                | Self::PartOutdated
                | Self::Truncated { .. }
        )
    }

    /// Whether the requests after this one would end the same way.
    pub(super) fn ends_run(&self) -> bool {
        matches!(
            self,
            Self::Untrusted(_)
                | Self::RateLimited { .. }
                | Self::ComeBackLater { .. }
                | Self::NotKept(_)
                | Self::Disk { .. }
                | Self::Stopped
                | Self::Reply(SourceError::QuotaUsedUp { .. } | SourceError::Stopped(_))
        )
    }

    /// When the server wants to be asked again.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// For metrics.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Unreachable(_) | Self::Stopped | Self::PartOutdated => Outcome::Unreachable,
            Self::TimedOut(_) => Outcome::TimedOut,
            Self::Untrusted(_) => Outcome::Untrusted,
            Self::Redirected(_) | Self::Refused { .. } => Outcome::Refused,
            Self::RateLimited { .. } | Self::Reply(SourceError::QuotaUsedUp { .. }) => Outcome::RateLimited,
            Self::Unavailable { .. } | Self::ComeBackLater { .. } => Outcome::Unavailable,
            Self::Truncated { .. } => Outcome::Truncated,
            Self::TooLarge { .. } => Outcome::TooLarge,
            Self::WrongContent { .. } => Outcome::WrongContent,
            Self::NotKept(_) | Self::Disk { .. } | Self::Reply(SourceError::Stopped(_)) => Outcome::NotKept,
            Self::Reply(_) => Outcome::Malformed,
        }
    }

    /// What a person can do.
    fn remedy(&self) -> &'static str {
        match self {
            Self::Unreachable(_) | Self::TimedOut(_) => "check the network and the address, then fetch again",
            Self::Untrusted(_) => {
                "if the server leaves out an intermediate certificate, add it to the PEM file of sources.certificates; \
                 verification cannot be switched off"
            }
            Self::Redirected(_) => "the source has moved: set its new address, feeds.NAME.base_url",
            Self::RateLimited { .. } | Self::ComeBackLater { .. } => "fetch again later; what is missing will be found",
            Self::Unavailable { .. } => "fetch again later",
            Self::Refused { status: 401 | 403, .. } => "check the key and its plan, or whether the address is blocked",
            Self::Refused { .. } => "the source may have changed its addresses: see whether a newer version knows them",
            Self::PartOutdated | Self::Truncated { .. } => "fetch again",
            Self::TooLarge { .. } => "this is not what was asked for; look at the address in a browser",
            Self::WrongContent { .. } => "nothing was kept; look at the address in a browser and fetch again later",
            Self::Reply(_) => "nothing of this reply was kept",
            Self::NotKept(_) => "see the cause; fetching again is safe",
            Self::Disk { .. } => "check the download folder: space, rights, another run at work",
            Self::Stopped => "what is missing will be found by the next run",
        }
    }

    /// The same with everything secret blotted out: servers repeat addresses and keys in what they say.
    pub(super) fn without_secrets(self, request: &Request) -> Self {
        let secrets = Blot::of(request);
        let blot = |text: String| secrets.blot(text);
        match self {
            Self::Unreachable(text) => Self::Unreachable(blot(text)),
            Self::TimedOut(text) => Self::TimedOut(blot(text)),
            Self::Untrusted(text) => Self::Untrusted(blot(text)),
            Self::Redirected(text) => Self::Redirected(blot(text)),
            Self::Refused { status, says } => Self::Refused { status, says: blot(says) },
            Self::WrongContent { expected, problem } => Self::WrongContent { expected, problem: blot(problem) },
            Self::NotKept(text) => Self::NotKept(blot(text)),
            Self::Reply(SourceError::Malformed(malformed)) => {
                let Malformed { source_name, place, problem, value, remedy } = *malformed;
                let (place, problem, value) = (blot(place), blot(problem), blot(value));
                Self::Reply(Malformed { source_name, place, problem, value, remedy }.into())
            }
            Self::Reply(SourceError::QuotaUsedUp { source_name, says }) => {
                Self::Reply(SourceError::QuotaUsedUp { source_name, says: blot(says) })
            }
            other => other,
        }
    }
}

impl From<BoxError> for Fault {
    fn from(error: BoxError) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(deeper) = cause {
            text.push_str(&format!(": {deeper}"));
            cause = deeper.source();
        }
        Self::NotKept(text)
    }
}

/// Texts that must not be shown.
struct Blot(Vec<String>);

impl Blot {
    fn of(request: &Request) -> Self {
        let named = request.secret_headers.iter().chain(&request.secret_query).map(|(_, secret)| secret);
        let mut texts = Vec::new();
        for secret in named.map(Secret::reveal).filter(|text| !text.is_empty()) {
            texts.push(secret.to_owned());
            texts.push(form_urlencoded::byte_serialize(secret.as_bytes()).collect());
            // "Bearer KEY": the key alone is as secret.
            texts.extend(secret.rsplit_once(' ').map(|(_, key)| key.to_owned()).filter(|key| !key.is_empty()));
        }
        Self(texts)
    }

    fn blot(&self, text: String) -> String {
        self.0.iter().fold(text, |text, secret| text.replace(secret, "***"))
    }
}

/// The beginning of what somebody sent, on one line, without control characters.
pub(crate) fn beginning(bytes: &[u8]) -> String {
    const MOST: usize = 80;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * MOST)]);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown: String = line.chars().filter(|character| !character.is_control()).take(MOST).collect();
    if line.chars().count() > MOST {
        shown.push('…');
    }
    shown
}

//! What a fetch tells of itself: one event per try, for the log and the metrics alike.

use std::time::Duration;

use market::Timestamp;
use market::history::SourceName;

/// How a try ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Outcome {
    /// Its items were kept.
    Kept,
    /// The same as last time, by the server's word.
    NotModified,
    /// The same as a reply that was kept before, by its bytes.
    Known,
    /// The source has nothing, and that is a fact.
    Nothing,
    /// No connection, or it broke.
    Unreachable,
    /// It took too long.
    TimedOut,
    /// The certificate is not to be trusted.
    Untrusted,
    /// Asked too often, or the quota is used up.
    RateLimited,
    /// The server is in trouble (5xx).
    Unavailable,
    /// The server does not want to (4xx, redirects without end).
    Refused,
    /// Shorter than announced.
    Truncated,
    /// Longer than it may be.
    TooLarge,
    /// Not the form that was asked for: HTML, another charset, compressed, empty.
    WrongContent,
    /// The right form, and wrong inside.
    Malformed,
    /// The disk, or whoever keeps the items, could not.
    NotKept,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 15] = [
        Self::Kept,
        Self::NotModified,
        Self::Known,
        Self::Nothing,
        Self::Unreachable,
        Self::TimedOut,
        Self::Untrusted,
        Self::RateLimited,
        Self::Unavailable,
        Self::Refused,
        Self::Truncated,
        Self::TooLarge,
        Self::WrongContent,
        Self::Malformed,
        Self::NotKept,
    ];

    /// Stable name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::NotModified => "not_modified",
            Self::Known => "known",
            Self::Nothing => "nothing",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Untrusted => "untrusted",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Refused => "refused",
            Self::Truncated => "truncated",
            Self::TooLarge => "too_large",
            Self::WrongContent => "wrong_content",
            Self::Malformed => "malformed",
            Self::NotKept => "not_kept",
        }
    }
}

/// One try of one request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Try {
    /// Whose.
    pub source: SourceName,
    /// Which request.
    pub key: String,
    /// Which try of it, from 1.
    pub number: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong, without anything secret.
    pub problem: Option<String>,
    /// Bytes that came.
    pub bytes: u64,
    /// Items that were kept.
    pub items: u64,
    /// How long it took, decoding and keeping included.
    pub took: Duration,
    /// When it ended.
    pub at: Timestamp,
    /// Of when the newest item is; with `at` it tells how fresh the source is.
    pub newest: Option<Timestamp>,
}

/// Who is told.
pub trait Observer {
    /// A try ended.
    fn tried(&self, event: &Try);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn tried(&self, _: &Try) {}
}

//! Where something was read, and how old it was by then.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

/// Longest name of a source.
const MOST_CHARACTERS: usize = 24;

/// The name of a source in tables, metrics and commands: 1 to 24 small letters, digits, underscores.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceName {
    held: [u8; MOST_CHARACTERS],
    length: u8,
}

/// A text that is no name of a source.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("'{0}' is no name of a source: 1 to 24 small letters, digits and underscores")]
pub struct SourceNameError(String);

impl SourceName {
    /// From a text that stands in the code.
    ///
    /// # Panics
    /// At compile time, when it is no name.
    pub const fn of(name: &'static str) -> Self {
        match Self::checked(name.as_bytes()) {
            Some(name) => name,
            None => panic!("1 to 24 small letters, digits and underscores"),
        }
    }

    const fn checked(name: &[u8]) -> Option<Self> {
        if name.is_empty() || name.len() > MOST_CHARACTERS {
            return None;
        }
        let mut held = [0; MOST_CHARACTERS];
        let mut at = 0;
        while at < name.len() {
            if !matches!(name[at], b'a'..=b'z' | b'0'..=b'9' | b'_') {
                return None;
            }
            held[at] = name[at];
            at += 1;
        }
        Some(Self { held, length: name.len() as u8 })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        // Only ASCII gets in.
        str::from_utf8(&self.held[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl FromStr for SourceName {
    type Err = SourceNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::checked(text.as_bytes()).ok_or_else(|| SourceNameError(text.to_owned()))
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for SourceName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// How old a quote is by the time that its source tells it. An order is never priced from anything
/// but [`DelayClass::Realtime`] when trading is live.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DelayClass {
    /// As it happens.
    Realtime,
    /// By about fifteen minutes.
    Delayed,
    /// After the session.
    EndOfDay,
    /// Made, not observed.
    Synthetic,
}

impl DelayClass {
    /// Stable name in JSON, tables and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Realtime => "realtime",
            Self::Delayed => "delayed",
            Self::EndOfDay => "end_of_day",
            Self::Synthetic => "synthetic",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_small() {
        for (text, good) in [
            ("b3_cotahist", true),
            ("mt5", true),
            ("abcdefghijklmnopqrstuvwx", true),
            ("abcdefghijklmnopqrstuvwxy", false),
            ("", false),
            ("B3", false),
            ("a b", false),
            ("é", false),
        ] {
            assert_eq!(text.parse::<SourceName>().is_ok(), good, "{text}");
        }
        assert_eq!(SourceName::of("b3_cotahist").to_string(), "b3_cotahist");
    }
}

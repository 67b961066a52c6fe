//! Where settings come from: the file, then the environment, then flags; the later one wins.
//!
//! A document is a flat list of settings, each with its path (`risk.price_collar`,
//! `strategy[0].symbols`), its text as written, and its origin, so that every complaint can say
//! where to look. Numbers stay text until their own type reads them: money never passes a float.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::redaction::scrubbed;

/// Prefix of environment variables: `PREGAO__RISK__PRICE_COLLAR`.
pub const ENVIRONMENT_PREFIX: &str = "PREGAO__";

/// Where a setting was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// In the file, on this line (from 1).
    File(PathBuf, usize),
    /// In the environment, under this name.
    Environment(String),
    /// On the command line.
    Flag(&'static str),
    /// In a stored version, which a person put in force while the daemon ran.
    Version(u64),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Version(number) => write!(f, "version {number}"),
        }
    }
}

/// The text of a setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Text {
    /// One value.
    One(String),
    /// A list of values.
    List(Vec<String>),
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(text) => f.write_str(text),
            Self::List(texts) => write!(f, "[{}]", texts.join(", ")),
        }
    }
}

/// One setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    /// Its text as written.
    pub text: Text,
    /// Where it was found.
    pub origin: Origin,
}

/// Something wrong with the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Where; nowhere for a setting that is missing.
    pub origin: Option<Origin>,
    /// Which setting; empty when the file itself is at fault.
    pub key: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// All settings by path.
#[derive(Clone, Debug, Default)]
pub struct Document {
    pub(super) settings: BTreeMap<String, Setting>,
    pub(super) problems: Vec<Problem>,
}

impl Document {
    /// Adds what a TOML text says. Every syntax error is noted, the rest is still read.
    pub fn add_toml(&mut self, path: &Path, text: &str) {
        let lines = Lines::of(path, text);
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let origin = error.span().map(|span| lines.origin(&span));
            self.problems.push(Problem { origin, key: String::new(), message: scrubbed(error.message()) });
        }
        self.add_table("", table.get_ref(), &lines);
    }

    fn add_table(&mut self, prefix: &str, table: &DeTable<'_>, lines: &Lines<'_>) {
        for (key, value) in table {
            let path =
                if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
            self.add_value(&path, value.get_ref(), &value.span(), lines);
        }
    }

    fn add_value(&mut self, path: &str, value: &DeValue<'_>, span: &Range<usize>, lines: &Lines<'_>) {
        match value {
            DeValue::Table(table) => self.add_table(path, table, lines),
            DeValue::Array(values) if values.iter().any(|value| matches!(value.get_ref(), DeValue::Table(_))) => {
                for (place, value) in values.iter().enumerate() {
                    self.add_value(&format!("{path}[{place}]"), value.get_ref(), &value.span(), lines);
                }
            }
            DeValue::Array(values) => {
                let texts = values.iter().map(|value| written(value.get_ref())).collect();
                self.put(path, Text::List(texts), lines.origin(span));
            }
            scalar => self.put(path, Text::One(written(scalar)), lines.origin(span)),
        }
    }

    /// Adds what the environment says: variables that begin with the prefix, `__` between sections;
    /// `STRATEGY__0__NOTIONAL` is the `notional` of the first `[[strategy]]`.
    pub fn add_environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        for (name, value) in variables {
            if let Some(rest) = name.strip_prefix(ENVIRONMENT_PREFIX) {
                self.put(&path_of(rest), Text::One(value), Origin::Environment(name));
            }
        }
    }

    /// Adds what a flag says.
    pub fn add_flag(&mut self, path: &str, value: String, flag: &'static str) {
        self.put(path, Text::One(value), Origin::Flag(flag));
    }

    /// Takes these keys from a stored version instead; what the version does not have is gone.
    pub fn replace_by_version(&mut self, number: u64, text: &str, wanted: impl Fn(&str) -> bool) {
        let mut version = Self::default();
        version.add_toml(Path::new("version"), text);
        self.settings.retain(|path, _| !wanted(path));
        for (path, Setting { text, .. }) in version.settings.into_iter().filter(|(path, _)| wanted(path)) {
            self.put(&path, text, Origin::Version(number));
        }
    }

    fn put(&mut self, path: &str, text: Text, origin: Origin) {
        self.settings.insert(path.to_owned(), Setting { text, origin });
    }
}

/// The path that a variable's name (without the prefix) means.
fn path_of(name: &str) -> String {
    let mut path = String::new();
    for part in name.to_lowercase().split("__") {
        if !path.is_empty() && !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push_str(&format!("[{part}]"));
        } else {
            path.push_str(if path.is_empty() { "" } else { "." });
            path.push_str(part);
        }
    }
    path
}

/// A scalar as it was written, without quotes.
fn written(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(value) => value.to_string(),
        DeValue::Array(_) | DeValue::Table(_) => "a nested list or table".to_owned(),
    }
}

/// Line numbers of a text.
struct Lines<'a> {
    path: &'a Path,
    text: &'a str,
}

impl<'a> Lines<'a> {
    fn of(path: &'a Path, text: &'a str) -> Self {
        Self { path, text }
    }

    fn origin(&self, span: &Range<usize>) -> Origin {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Origin::File(self.path.to_owned(), line)
    }
}

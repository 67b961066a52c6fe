//! Reads typed values out of a document and collects every complaint.
//!
//! The keys that exist are the keys that somebody asks for: what nobody asked for is unknown, and
//! the complaint names the nearest key that was.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;

use super::document::{Document, Problem, Setting, Text};
use super::redaction::{scrubbed, told};

/// How near a name must be to be suggested (Jaro–Winkler, 1 is equal).
const NEAR: f64 = 0.75;

/// Reads a document.
pub struct Reader {
    document: Document,
    asked: BTreeSet<String>,
}

impl Reader {
    /// Of this document.
    pub fn new(document: Document) -> Self {
        Self { document, asked: BTreeSet::new() }
    }

    /// Notes a complaint about a key, at its place if it was given; a table's is that of its first key.
    pub fn complain(&mut self, key: &str, message: impl Into<String>) {
        let below = format!("{key}.");
        let settings = self.document.settings.iter();
        let mut found = settings.filter(|(path, _)| *path == key || path.starts_with(&below));
        let origin = found.next().map(|(_, setting)| setting.origin.clone());
        let message = self.without_secrets(key, message.into());
        self.document.problems.push(Problem { origin, key: key.to_owned(), message });
    }

    /// Complaints quote values, and a value may be a secret that somebody wrote where none belongs.
    fn without_secrets(&self, key: &str, message: String) -> String {
        let texts = match self.document.settings.get(key).map(|setting| &setting.text) {
            Some(Text::One(text)) => std::slice::from_ref(text),
            Some(Text::List(texts)) => texts,
            None => &[],
        };
        let given = texts.iter().filter(|text| !text.is_empty());
        given.fold(scrubbed(&message), |message, text| told(key, text, &message))
    }

    fn setting(&mut self, key: &str) -> Option<Setting> {
        self.asked.insert(key.to_owned());
        self.document.settings.get(key).cloned()
    }

    /// A value that may be missing.
    pub fn optional<T>(&mut self, key: &str, expected: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        match self.setting(key)?.text {
            Text::One(text) => match text.parse() {
                Ok(value) => Some(value),
                Err(error) => {
                    self.complain(key, format!("'{text}' is not allowed: {error}; expected {expected}"));
                    None
                }
            },
            list @ Text::List(_) => {
                self.complain(key, format!("{list} is a list; expected {expected}"));
                None
            }
        }
    }

    /// A value that must be there.
    pub fn required<T>(&mut self, key: &str, expected: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        if self.setting(key).is_none() {
            self.complain(key, format!("has no value; set it to {expected}"));
            return None;
        }
        self.optional(key, expected)
    }

    /// A list of values; a single value counts as a list of one, and commas separate.
    pub fn list<T>(&mut self, key: &str, expected: &str) -> Option<Vec<T>>
    where
        T: FromStr,
        T::Err: Display,
    {
        let texts = match self.setting(key)?.text {
            Text::List(texts) => texts,
            Text::One(text) => text.split(',').map(|part| part.trim().to_owned()).collect(),
        };
        let mut values = Vec::new();
        for text in texts {
            match text.parse() {
                Ok(value) => values.push(value),
                Err(error) => self.complain(key, format!("'{text}' is not allowed: {error}; expected {expected}")),
            }
        }
        Some(values)
    }

    /// One of a few words.
    pub fn word(&mut self, key: &str, words: &[&str]) -> Option<String> {
        let expected = format!("one of {}", words.join(", "));
        let given: String = self.optional(key, &expected)?;
        if words.contains(&given.as_str()) {
            return Some(given);
        }
        let hint = nearest(&given, words.iter().copied()).map(|near| format!("; did you mean '{near}'?"));
        self.complain(key, format!("'{given}' is not allowed: expected {expected}{}", hint.unwrap_or_default()));
        None
    }

    /// Everything below a key, whatever its names.
    pub fn table(&mut self, key: &str) -> BTreeMap<String, Setting> {
        let prefix = format!("{key}.");
        let below: BTreeMap<String, Setting> = self
            .document
            .settings
            .iter()
            .filter_map(|(path, setting)| path.strip_prefix(&prefix).map(|name| (name.to_owned(), setting.clone())))
            .collect();
        self.asked.extend(below.keys().map(|name| format!("{prefix}{name}")));
        below
    }

    /// Whether anything is written for a key.
    pub fn is_given(&self, key: &str) -> bool {
        self.document.settings.contains_key(key)
    }

    /// Whether anything below a key is given.
    pub fn has(&self, key: &str) -> bool {
        let prefix = format!("{key}.");
        self.document.settings.keys().any(|path| path.starts_with(&prefix))
    }

    /// How many `[[key]]` tables there are.
    pub fn count(&self, key: &str) -> usize {
        let prefix = format!("{key}[");
        let places = self.document.settings.keys().filter_map(|path| path.strip_prefix(&prefix));
        places.filter_map(|rest| rest.split(']').next()?.parse::<usize>().ok()).max().map_or(0, |last| last + 1)
    }

    /// Every complaint, unknown keys included, in the order of the file.
    pub fn finish(mut self) -> Vec<Problem> {
        let unknown: Vec<String> =
            self.document.settings.keys().filter(|path| !self.asked.contains(*path)).cloned().collect();
        for path in unknown {
            let hint = nearest(&path, self.asked.iter().map(String::as_str));
            let hint = hint.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
            self.complain(&path, format!("unknown key{hint}"));
        }
        let mut problems = self.document.problems;
        problems.sort_by_key(|problem| match &problem.origin {
            Some(super::document::Origin::File(_, line)) => (0, *line),
            Some(_) => (1, 0),
            None => (2, 0),
        });
        problems
    }

    /// Every key that was asked for, for the test that holds the documentation against the code.
    #[cfg(test)]
    pub fn asked(&self) -> &BTreeSet<String> {
        &self.asked
    }
}

/// The nearest of some names, if one is near.
pub fn nearest<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(given, name), name))
        .filter(|(similarity, _)| *similarity >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

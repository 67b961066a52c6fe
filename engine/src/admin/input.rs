//! Strict reading: what a request says beyond what is asked for is an error, not an extra.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use warp::http::HeaderMap;
use warp::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

use super::dispatch::Call;
use super::problem::{MALFORMED, Problem, UNACCEPTABLE};

/// Most rows of a page.
pub const MOST_ROWS: usize = 500;
/// Rows of a page where none are asked for.
const USUAL_ROWS: usize = 100;

/// A parameter behind the question mark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it takes, as a JSON schema.
    pub schema: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

/// What stands behind the question mark: known names, each at most once.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Query(BTreeMap<&'static str, String>);

impl Query {
    /// Reads it.
    ///
    /// # Errors
    /// A name that is not known here, or twice.
    pub fn read(text: Option<&str>, known: &'static [Parameter]) -> Result<Self, Problem> {
        let mut found = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text.unwrap_or_default().as_bytes()) {
            let Some(parameter) = known.iter().find(|parameter| parameter.name == name) else {
                let names: Vec<&str> = known.iter().map(|parameter| parameter.name).collect();
                let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                let name: String = name.chars().take(40).collect();
                return Err(MALFORMED.problem(format!("'{name}' is no parameter here; there are: {known}")));
            };
            if found.insert(parameter.name, value.into_owned()).is_some() {
                return Err(MALFORMED.problem(format!("'{name}' is given twice")));
            }
        }
        Ok(Self(found))
    }

    /// A value.
    ///
    /// # Errors
    /// It is not what the parameter takes.
    pub fn value<T>(&self, name: &str) -> Result<Option<T>, Problem>
    where
        T: FromStr,
        T::Err: Display,
    {
        let Some(text) = self.0.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|error| {
            let text: String = text.chars().take(80).collect();
            MALFORMED.problem(format!("'{text}' is no value for '{name}': {error}"))
        })
    }

    /// How many rows a page is to have.
    ///
    /// # Errors
    /// Not from 1 to the most there are.
    pub fn limit(&self) -> Result<usize, Problem> {
        match self.value::<usize>("limit")? {
            None => Ok(USUAL_ROWS),
            Some(limit) if (1..=MOST_ROWS).contains(&limit) => Ok(limit),
            Some(limit) => Err(MALFORMED.problem(format!("limit = {limit} is not from 1 to {MOST_ROWS}"))),
        }
    }

    /// `true` or `false`; without a value false.
    ///
    /// # Errors
    /// Another word.
    pub fn flag(&self, name: &str) -> Result<bool, Problem> {
        Ok(self.value(name)?.unwrap_or(false))
    }
}

/// Reads a JSON body.
///
/// # Errors
/// It is none, or says more or less than is asked for.
pub fn body<T: DeserializeOwned>(call: &Call) -> Result<T, Problem> {
    if let Err(error) = std::str::from_utf8(&call.body) {
        return Err(MALFORMED.problem(format!("the body is not UTF-8: {error}")));
    }
    // A list would be taken for the values of an object in their order.
    if !call.body.trim_ascii_start().starts_with(b"{") {
        return Err(MALFORMED.problem("the body must be a JSON object"));
    }
    serde_json::from_slice(&call.body).map_err(|error| MALFORMED.problem(format!("the body cannot be read: {error}")))
}

/// A whole number as JSON Schema has it: 125.0 is one (Validation 2020-12, 6.1.1).
///
/// # Errors
/// It is none, or none of 32 bits.
pub fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let number = serde_json::Number::deserialize(from)?;
    let text = match number.as_f64() {
        Some(value) if number.is_f64() && value.fract() == 0.0 => format!("{value:.0}"),
        _ => number.to_string(),
    };
    text.parse().map_err(|_| D::Error::custom(format!("{number} is no whole number from 0 to {}", u32::MAX)))
}

/// Why, in a person's words, for the record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[schema(
    min_length = 1,
    max_length = 1000,
    pattern = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$"
)]
pub struct ReasonText(String);

impl ReasonText {
    /// The reason, checked.
    ///
    /// # Errors
    /// It is empty, or a novel, or holds what no log should.
    pub fn checked(&self) -> Result<String, Problem> {
        reason(&self.0).map(str::to_owned)
    }
}

/// A reason that somebody gives, for the record.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonInput {
    /// Why, kept in the record.
    pub reason: ReasonText,
}

/// Longest reason.
const LONGEST_REASON: usize = 1_000;

fn reason(text: &str) -> Result<&str, Problem> {
    // As it was sent, as the description says it: what is trimmed may be a line break or too long as well.
    let plain = !text.chars().any(char::is_control) && text.chars().count() <= LONGEST_REASON;
    match plain && !text.trim().is_empty() {
        true => Ok(text.trim()),
        false => Err(UNACCEPTABLE.problem(format!(
            "reason takes 1 to {LONGEST_REASON} characters without line breaks: whoever reads the record must understand it"
        ))),
    }
}

/// How long the body is said to be: nothing where it comes in chunks.
///
/// # Errors
/// It is said twice, or both ways.
pub fn declared_length(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let chunked = headers.contains_key(TRANSFER_ENCODING);
    match (lengths.next(), lengths.next(), chunked) {
        (None, _, false) => Ok(Some(0)),
        (None, _, true) => Ok(None),
        (Some(only), None, false) => {
            let length = only.to_str().ok().and_then(|text| text.parse().ok());
            length.map(Some).ok_or_else(|| MALFORMED.problem("Content-Length is no number"))
        }
        _ => Err(MALFORMED.problem("the length of the body is said in more than one way")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Parameter] = &[
        Parameter { name: "limit", schema: "{}", meaning: "" },
        Parameter { name: "dry_run", schema: "{}", meaning: "" },
    ];

    #[test]
    fn only_known_parameters_are_read_and_each_once() {
        for (text, limit) in [
            (None, Some(100)),
            (Some(""), Some(100)),
            (Some("limit=1"), Some(1)),
            (Some("limit=500&dry_run=true"), Some(500)),
            (Some("li%6dit=7"), Some(7)),
            (Some("limit=0"), None),
            (Some("limit=501"), None),
            (Some("limit=-1"), None),
            (Some("limit=1e3"), None),
            (Some("limit="), None),
            (Some("limit=1&limit=2"), None),
            (Some("Limit=1"), None),
            (Some("access_token=x"), None),
            (Some("limit[]=1"), None),
        ] {
            let read = Query::read(text, KNOWN).and_then(|query| query.limit());
            assert_eq!(read.ok(), limit, "{text:?}");
        }
        let query = Query::read(Some("dry_run=yes"), KNOWN).unwrap();
        assert!(query.flag("dry_run").is_err() && !Query::default().flag("dry_run").unwrap());
    }

    #[test]
    fn whole_numbers_are_those_of_json_schema() {
        for (text, read) in [
            ("125", Some(125)),
            ("125.0", Some(125)),
            ("1.25e2", Some(125)),
            ("0", Some(0)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("125.5", None),
            ("1e300", None),
            ("-1", None),
            ("-1.0", None),
            ("\"125\"", None),
            ("null", None),
            ("true", None),
        ] {
            assert_eq!(whole(&mut serde_json::Deserializer::from_str(text)).ok(), read, "{text}");
        }
    }

    #[test]
    fn a_reason_says_something() {
        for (text, taken) in [
            ("", false),
            ("  ", false),
            ("a\nb", false),
            ("\u{0}", false),
            ("strange fills\n", false),
            ("strange fills\u{85}", false),
            (&format!("{}x", " ".repeat(1_000)), false),
            (" strange fills ", true),
            (&"x".repeat(1_000), true),
            (&"x".repeat(1_001), false),
        ] {
            assert_eq!(reason(text).is_ok(), taken, "{text}");
        }
    }
}

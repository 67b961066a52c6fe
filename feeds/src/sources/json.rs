//! JSON of strangers: strict where it matters, exact in every number, and each complaint with its path.
//!
//! Nothing is converted on the way: a number stays the text that stands in the reply until somebody
//! asks for it as a decimal, so no price ever passes through a float. Fields that nobody asks for may
//! be there; fields that are asked for may not be missing.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use market::history::SourceName;
use market::{Date, Price, Quantity};
use rust_decimal::Decimal;
use serde_json::value::RawValue;

use crate::source::{Body, Malformed, SourceError};

/// What is advised where a reply is wrong inside.
const REMEDY: &str = "nothing of this reply was kept; if it stays so, the source has changed its form";

/// A reply in memory.
pub(crate) struct Document {
    source: SourceName,
    text: String,
}

/// A value in a reply.
#[derive(Clone)]
pub(crate) struct Node<'a> {
    source: SourceName,
    path: String,
    raw: &'a RawValue,
}

/// An object in a reply.
pub(crate) struct Object<'a> {
    source: SourceName,
    path: String,
    fields: BTreeMap<String, &'a RawValue>,
}

impl Document {
    /// Reads a reply. Some of B3's servers send JSON inside a JSON string: that is unwrapped, once.
    ///
    /// # Errors
    /// It cannot be read, or is no JSON.
    pub(crate) fn read(source: SourceName, body: &mut dyn Body) -> Result<Self, SourceError> {
        let mut text = String::new();
        body.read_to_string(&mut text).map_err(|cause| SourceError::Unreadable { source_name: source, cause })?;
        Self::of(source, text)
    }

    /// From a text.
    ///
    /// # Errors
    /// As [`Document::read`].
    pub(crate) fn of(source: SourceName, text: String) -> Result<Self, SourceError> {
        let plain = text.strip_prefix('\u{feff}').unwrap_or(&text).trim_ascii();
        let text = if plain.starts_with('"') {
            serde_json::from_str::<String>(plain).map_err(|error| not_json(source, plain, &error))?
        } else {
            plain.to_owned()
        };
        Ok(Self { source, text })
    }

    /// The whole of it.
    ///
    /// # Errors
    /// It is no JSON.
    pub(crate) fn root(&self) -> Result<Node<'_>, SourceError> {
        let raw = serde_json::from_str(&self.text).map_err(|error| not_json(self.source, &self.text, &error))?;
        Ok(Node { source: self.source, path: "$".to_owned(), raw })
    }
}

fn not_json(source: SourceName, text: &str, error: &serde_json::Error) -> SourceError {
    // The error's column counts bytes from 1; the text around it says more than its start.
    let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default().as_bytes();
    let at = error.column().min(line.len());
    let around = line.get(at.saturating_sub(40)..(at + 20).min(line.len())).unwrap_or_default();
    Malformed {
        source_name: source,
        place: format!("line {}, column {}", error.line(), error.column()),
        problem: "it is no JSON, or broke off".to_owned(),
        value: cut(&String::from_utf8_lossy(around)),
        remedy: REMEDY.to_owned(),
    }
    .into()
}

/// A value for a message: one line, of a readable length.
fn cut(text: &str) -> String {
    const MOST: usize = 60;
    let mut shown: String =
        text.chars().map(|character| if character.is_control() { ' ' } else { character }).take(MOST).collect();
    if text.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    shown
}

impl<'a> Node<'a> {
    /// A complaint about this value.
    pub(crate) fn wrong(&self, problem: impl Into<String>) -> SourceError {
        Malformed {
            source_name: self.source,
            place: self.path.clone(),
            problem: problem.into(),
            value: cut(self.raw.get()),
            remedy: REMEDY.to_owned(),
        }
        .into()
    }

    /// Whether it is null.
    pub(crate) fn is_null(&self) -> bool {
        self.raw.get() == "null"
    }

    /// As an object.
    pub(crate) fn object(&self) -> Result<Object<'a>, SourceError> {
        let fields = serde_json::from_str(self.raw.get()).map_err(|_| self.wrong("an object belongs here"))?;
        Ok(Object { source: self.source, path: self.path.clone(), fields })
    }

    /// As a list.
    pub(crate) fn items(&self) -> Result<Vec<Node<'a>>, SourceError> {
        let items: Vec<&'a RawValue> =
            serde_json::from_str(self.raw.get()).map_err(|_| self.wrong("a list belongs here"))?;
        let node = |(at, raw)| Node { source: self.source, path: format!("{}[{at}]", self.path), raw };
        Ok(items.into_iter().enumerate().map(node).collect())
    }

    /// As text.
    pub(crate) fn text(&self) -> Result<String, SourceError> {
        serde_json::from_str(self.raw.get()).map_err(|_| self.wrong("a text belongs here"))
    }

    /// As an exact number: a JSON number, or a text with a decimal point.
    pub(crate) fn decimal(&self) -> Result<Decimal, SourceError> {
        let text = self.scalar()?;
        let text = text.trim();
        let exact =
            if text.contains(['e', 'E']) { Decimal::from_scientific(text) } else { Decimal::from_str_exact(text) };
        exact.map_err(|_| self.wrong("a number belongs here"))
    }

    /// As an exact number written the Brazilian way: `18.673.489,42022432`.
    pub(crate) fn brazilian(&self) -> Result<Decimal, SourceError> {
        let text = self.scalar()?;
        brazilian(&text).ok_or_else(|| self.wrong("a number such as 1.234,56 belongs here"))
    }

    /// As a price above zero, exact.
    pub(crate) fn price(&self) -> Result<Price, SourceError> {
        self.price_of(self.decimal()?)
    }

    /// As a price above zero, from a source whose numbers are 32-bit floats: rounded to the decimals
    /// that the source says the instrument has.
    pub(crate) fn rounded_price(&self, decimals: u32) -> Result<Price, SourceError> {
        self.price_of(self.decimal()?.round_dp(decimals))
    }

    /// A number that was read here, as a price above zero.
    pub(crate) fn price_of(&self, value: Decimal) -> Result<Price, SourceError> {
        let price = price_of(value).ok_or_else(|| self.wrong("it is no price of at most 8 decimals"))?;
        if price > Price::ZERO { Ok(price) } else { Err(self.wrong("a price above zero belongs here")) }
    }

    /// As a number of units, none below zero.
    pub(crate) fn quantity(&self) -> Result<Quantity, SourceError> {
        let whole = self.whole()?;
        if whole >= 0 { Ok(Quantity::new(whole)) } else { Err(self.wrong("it is below zero")) }
    }

    /// As a whole number; `12.0` is one.
    pub(crate) fn whole(&self) -> Result<i64, SourceError> {
        let value = self.decimal()?.normalize();
        let whole = if value.scale() == 0 { i64::try_from(value.mantissa()).ok() } else { None };
        whole.ok_or_else(|| self.wrong("a whole number belongs here"))
    }

    /// As a day written `17/12/2021` or `2021-12-17`.
    pub(crate) fn date(&self) -> Result<Date, SourceError> {
        let text = self.text()?;
        let text = text.trim();
        let forms = ["%d/%m/%Y", "%Y-%m-%d"];
        let read = forms.iter().find_map(|form| Date::parse_from_str(text, form).ok());
        read.filter(is_sensible).ok_or_else(|| self.wrong("a day such as 17/12/2021 belongs here"))
    }

    /// As a day, or nothing where the text is empty or null.
    pub(crate) fn date_if_any(&self) -> Result<Option<Date>, SourceError> {
        if self.is_null() || self.text()?.trim().is_empty() { Ok(None) } else { self.date().map(Some) }
    }

    /// As a day and time on a wall clock: `2024-06-14 15:30:00`, with a space or a T.
    pub(crate) fn local_time(&self) -> Result<NaiveDateTime, SourceError> {
        let text = self.text()?;
        let text = text.trim();
        let forms = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%.f"];
        let read = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
        read.filter(|at| is_sensible(&at.date()))
            .ok_or_else(|| self.wrong("a time such as 2024-06-14 15:30:00 belongs here"))
    }

    /// As anything that parses from text.
    pub(crate) fn parse<T: std::str::FromStr>(&self, what: &str) -> Result<T, SourceError> {
        self.text()?.trim().parse().map_err(|_| self.wrong(format!("{what} belongs here")))
    }

    /// A text, or a number as it stands there.
    fn scalar(&self) -> Result<String, SourceError> {
        match self.raw.get().as_bytes().first() {
            Some(b'"') => self.text(),
            Some(b'-' | b'0'..=b'9') => Ok(self.raw.get().to_owned()),
            _ => Err(self.wrong("a number belongs here")),
        }
    }
}

/// Days beyond these are slips of somebody's pen.
fn is_sensible(date: &Date) -> bool {
    use chrono::Datelike;
    (1900..=2200).contains(&date.year())
}

/// A decimal as a price, exactly or not at all.
pub(crate) fn price_of(value: Decimal) -> Option<Price> {
    value.normalize().to_string().parse().ok()
}

/// A number written the Brazilian way. Points group by three, one comma begins the fraction.
pub(crate) fn brazilian(text: &str) -> Option<Decimal> {
    let text = text.trim();
    let (whole, fraction) = text.split_once(',').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = whole.strip_prefix('-').unwrap_or(whole).split('.');
    let first = groups.next()?;
    let mut grouped = false;
    let rest = groups.all(|group| {
        grouped = true;
        group.len() == 3 && digits(group)
    });
    if !digits(first) || !rest || (grouped && first.len() > 3) || !fraction.is_none_or(digits) {
        return None;
    }
    let plain = format!("{}.{}", whole.replace('.', ""), fraction.unwrap_or("0"));
    Decimal::from_str_exact(&plain).ok().map(|value| value.normalize())
}

impl<'a> Object<'a> {
    /// A field that must be there.
    pub(crate) fn field(&self, name: &str) -> Result<Node<'a>, SourceError> {
        self.fields.get(name).map(|raw| self.node(name, raw)).ok_or_else(|| self.missing(name))
    }

    /// A field that may be missing or null.
    pub(crate) fn optional(&self, name: &str) -> Option<Node<'a>> {
        self.fields.get(name).map(|raw| self.node(name, raw)).filter(|node| !node.is_null())
    }

    /// All fields, by their names.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, Node<'a>)> {
        self.fields.iter().map(|(name, raw)| (name.as_str(), self.node(name, raw)))
    }

    fn node(&self, name: &str, raw: &'a RawValue) -> Node<'a> {
        Node { source: self.source, path: format!("{}.{name}", self.path), raw }
    }

    fn missing(&self, name: &str) -> SourceError {
        let names: Vec<&str> = self.fields.keys().map(String::as_str).collect();
        Malformed {
            source_name: self.source,
            place: format!("{}.{}", self.path, cut(name)),
            problem: "it is missing".to_owned(),
            value: cut(&format!("there: {}", names.join(", "))),
            remedy: REMEDY.to_owned(),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SOURCE: SourceName = SourceName::of("test");

    fn document(text: &str) -> Document {
        Document::of(SOURCE, text.to_owned()).unwrap()
    }

    #[test]
    fn brazilian_numbers() {
        for (text, expected) in [
            ("18.673.489,42022432", Some("18673489.42022432")),
            ("0,13340000000", Some("0.1334")),
            ("100,000", Some("100")),
            ("4.380.195.841", Some("4380195841")),
            ("1334", Some("1334")),
            ("-1.234,5", Some("-1234.5")),
            (" 7 ", Some("7")),
            ("1334,5", Some("1334.5")),
            ("1.23", None),
            ("1,234.5", None),
            ("1334.567", None),
            ("1,2,3", None),
            ("1.234.56,7", None),
            (",5", None),
            ("5,", None),
            ("", None),
            ("-", None),
            ("1e3", None),
            ("1 234", None),
        ] {
            assert_eq!(brazilian(text).map(|value| value.to_string()), expected.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn numbers_stay_exact_and_complaints_have_a_path() {
        let text = r#"{"a":[{"price":38.100000000,"text":"38.10","float":38.099998474121094,"small":1.5e-3,"none":null,"zero":0,"word":"x","whole":12.0}]}"#;
        for text in [text.to_owned(), serde_json::to_string(text).unwrap(), format!("\u{feff} {text}\r\n")] {
            let document = document(&text);
            let root = document.root().unwrap().object().unwrap();
            let first = root.field("a").unwrap().items().unwrap().remove(0).object().unwrap();
            let price = |name: &str| first.field(name).unwrap().price().map(|price| price.to_string());
            assert_eq!((price("price").unwrap(), price("text").unwrap()), ("38.10".to_owned(), "38.10".to_owned()));
            assert_eq!(price("small").unwrap(), "0.0015");
            assert_eq!(first.field("float").unwrap().rounded_price(2).unwrap().to_string(), "38.10");
            assert_eq!(first.field("whole").unwrap().whole().unwrap(), 12);
            assert!(first.optional("none").is_none() && first.optional("other").is_none());
            for (error, expected) in [
                (
                    price("float").unwrap_err(),
                    "$.a[0].float: it is no price of at most 8 decimals (38.099998474121094)",
                ),
                (price("zero").unwrap_err(), "$.a[0].zero: a price above zero belongs here (0)"),
                (price("word").unwrap_err(), "$.a[0].word: a number belongs here (\"x\")"),
                (price("none").unwrap_err(), "$.a[0].none: a number belongs here (null)"),
                (first.field("other").err().unwrap(), "$.a[0].other: it is missing (there: float, none"),
                (root.field("a").unwrap().object().err().unwrap(), "$.a: an object belongs here ([{"),
            ] {
                let error = error.to_string();
                assert!(error.starts_with(&format!("test, {expected}")), "{error}");
            }
        }
        let error = document("{\"a\": 1,, \"b\": 2}").root().err().unwrap().to_string();
        assert!(error.contains("line 1, column 9: it is no JSON, or broke off ({\"a\": 1,, \"b\""), "{error}");
        // Strings in strings are not unwrapped for ever.
        let error = document(r#""\"{}\"""#).root().unwrap().object().err().unwrap().to_string();
        assert!(error.contains("an object belongs here"), "{error}");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,80}", json in r#"[\[\]{}",:0-9a-e. -]{0,60}"#) {
            let _ = brazilian(&text);
            for text in [text, json] {
                let Ok(document) = Document::of(SOURCE, text) else { continue };
                let Ok(root) = document.root() else { continue };
                let _ = (root.object().map(|object| object.entries().count()), root.items(), root.decimal(), root.date());
                let _ = (root.brazilian(), root.price(), root.whole(), root.local_time(), root.date_if_any());
            }
        }
    }
}

//! One line as words, read from left to right.

use std::iter::Peekable;
use std::str::{FromStr, SplitWhitespace};

use market::{Price, Quantity, Side};

pub(super) struct Words<'a> {
    rest: Peekable<SplitWhitespace<'a>>,
}

impl<'a> Words<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { rest: text.split_whitespace().peekable() }
    }

    /// The next word, whatever it is.
    pub(super) fn next(&mut self, what: &str) -> Result<&'a str, String> {
        self.rest.next().ok_or_else(|| format!("expected {what} at the end of the line"))
    }

    /// The next word as a value. Digits may be grouped: `11_430.00`.
    pub(super) fn read<T: FromStr>(&mut self, what: &str) -> Result<T, String> {
        let word = self.next(what)?;
        value(word).ok_or_else(|| format!("'{word}' is not {what}"))
    }

    /// This very word.
    pub(super) fn skip(&mut self, word: &str) -> Result<(), String> {
        let found = self.next(&format!("'{word}'"))?;
        if found == word { Ok(()) } else { Err(format!("expected '{word}', found '{found}'")) }
    }

    /// This very word, if it is the next one.
    pub(super) fn skip_if(&mut self, word: &str) -> bool {
        self.rest.next_if_eq(&word).is_some()
    }

    /// The next word as `key=value`, if there is one.
    pub(super) fn pair(&mut self) -> Result<Option<(&'a str, &'a str)>, String> {
        let Some(word) = self.rest.next() else { return Ok(None) };
        word.split_once('=').map(Some).ok_or_else(|| format!("'{word}' has no '='"))
    }

    /// Everything that is left.
    pub(super) fn rest(&mut self) -> String {
        self.rest.by_ref().collect::<Vec<_>>().join(" ")
    }

    /// Nothing is left.
    pub(super) fn end(&mut self) -> Result<(), String> {
        self.rest.next().map_or(Ok(()), |word| Err(format!("'{word}' is one word too many")))
    }
}

/// A value; grouped digits are put together first.
pub(super) fn value<T: FromStr>(word: &str) -> Option<T> {
    let number = word.trim_start_matches('-').starts_with(|first: char| first.is_ascii_digit());
    if number { word.replace('_', "").parse().ok() } else { word.parse().ok() }
}

pub(super) fn side(words: &mut Words<'_>) -> Result<Side, String> {
    match words.next("buy or sell")? {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        other => Err(format!("'{other}' is neither buy nor sell")),
    }
}

/// `100 @ 38.10`.
pub(super) fn traded(words: &mut Words<'_>) -> Result<(Quantity, Price), String> {
    let quantity = words.read("a quantity")?;
    words.skip("@")?;
    Ok((quantity, words.read("a price")?))
}

/// `400`, or `400 @ 38.20`.
pub(super) fn changed(words: &mut Words<'_>) -> Result<(Quantity, Option<Price>), String> {
    let quantity = words.read("a quantity")?;
    Ok((quantity, if words.skip_if("@") { Some(words.read("a price")?) } else { None }))
}

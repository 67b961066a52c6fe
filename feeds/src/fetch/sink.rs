//! Who keeps what was fetched: one transaction per request, all of it or nothing.

use std::collections::HashMap;

use market::Timestamp;
use market::history::SourceName;

use crate::source::{BoxError, Item, Reading, Request};

/// A reply as it came, before it is decoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// Whose.
    pub source: SourceName,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 over its bytes: what was kept already is found by it.
    pub sha256: [u8; 32],
    /// When it had come whole.
    pub at: Timestamp,
}

/// Who keeps items.
pub trait Sink {
    /// Begins with the items of one request; `None` if this very reply was kept before.
    ///
    /// # Errors
    /// Nothing can be kept now. The run ends.
    fn begin(&mut self, request: &Request, receipt: &Receipt) -> Result<Option<Box<dyn Keep + '_>>, BoxError>;
}

/// The items of one request. Dropped without a commit they leave no trace.
pub trait Keep {
    /// Takes one.
    ///
    /// # Errors
    /// It cannot be kept. The request fails and nothing of it stays.
    fn take(&mut self, item: Item) -> Result<(), BoxError>;

    /// Keeps them all. Also called when there was none: that there is nothing is a fact too.
    ///
    /// # Errors
    /// It is not certain that they are kept. Fetching again is safe.
    fn commit(self: Box<Self>, reading: &Reading) -> Result<(), BoxError>;
}

/// What a server calls one version of a document.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Validator {
    /// By name (ETag).
    pub etag: Option<String>,
    /// By date (Last-Modified), as the server writes it.
    pub last_modified: Option<String>,
}

impl Validator {
    /// Neither is known.
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// Who remembers which version of a document was kept last, so that it is fetched again only when it
/// has changed. Remembered after the commit: what was not kept counts as never seen.
pub trait Validators {
    /// The version that was kept last.
    fn recall(&self, source: SourceName, key: &str) -> Option<Validator>;
    /// This one was kept.
    ///
    /// # Errors
    /// It cannot be remembered: the document will be fetched again, which is safe.
    fn remember(&mut self, source: SourceName, key: &str, validator: &Validator) -> Result<(), BoxError>;
}

/// Remembers until the program ends.
#[derive(Clone, Debug, Default)]
pub struct MemoryValidators(HashMap<(SourceName, String), Validator>);

impl Validators for MemoryValidators {
    fn recall(&self, source: SourceName, key: &str) -> Option<Validator> {
        self.0.get(&(source, key.to_owned())).cloned()
    }

    fn remember(&mut self, source: SourceName, key: &str, validator: &Validator) -> Result<(), BoxError> {
        self.0.insert((source, key.to_owned()), validator.clone());
        Ok(())
    }
}

/// Keeps items in memory: for quotes, and for tests.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// What was committed.
    pub items: Vec<Item>,
}

impl Sink for Collected {
    fn begin(&mut self, _: &Request, _: &Receipt) -> Result<Option<Box<dyn Keep + '_>>, BoxError> {
        Ok(Some(Box::new(Collecting { into: &mut self.items, taken: Vec::new() })))
    }
}

struct Collecting<'a> {
    into: &'a mut Vec<Item>,
    taken: Vec<Item>,
}

impl Keep for Collecting<'_> {
    fn take(&mut self, item: Item) -> Result<(), BoxError> {
        self.taken.push(item);
        Ok(())
    }

    fn commit(mut self: Box<Self>, _: &Reading) -> Result<(), BoxError> {
        self.into.append(&mut self.taken);
        Ok(())
    }
}

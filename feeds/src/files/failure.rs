//! Why a file of others was refused, and what to do.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use crate::cotahist::Refused;
use crate::index_csv::IndexCsvError;

/// Why a file gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be opened or read.
    #[error("{}: it cannot be read; check that it exists and may be read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It cannot be written.
    #[error("{}: it cannot be written; check that its folder exists and has room", path.display())]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// What was said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// It is larger than a file of this kind can be.
    #[error("{}: it has more than {most} bytes; split it by years", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// The bound.
        most: u64,
    },
    /// No kind of file looks like that.
    #[error("{}: it is of no kind that is known; it begins with '{found}'. Known are: {known}", path.display())]
    UnknownKind {
        /// Which file.
        path: PathBuf,
        /// Its beginning, cut short.
        found: String,
        /// Every kind, and what was looked for.
        known: String,
    },
    /// The file leaves something unsaid that is needed.
    #[error("{}: it does not say {what}; {remedy}", path.display())]
    Unsaid {
        /// Which file.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
        /// What to do.
        remedy: String,
    },
    /// Something in it is not good.
    #[error("{}: line {line}: {field} = '{value}': {reason}", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Line number, from 1; in Parquet the row, from 1; zero for the file as a whole.
        line: u64,
        /// Column.
        field: String,
        /// As it stands there, cut short.
        value: String,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// A COTAHIST file that is not good.
    #[error(transparent)]
    Cotahist(Box<Refused>),
    /// A file of index closes that is not good.
    #[error(transparent)]
    IndexCsv(IndexCsvError),
    /// Whoever takes the items wants no more; its reason.
    #[error("reading stopped at an item that could not be taken")]
    Stopped(#[source] Box<dyn Error + Send + Sync>),
}

/// A value as a message shows it.
pub(super) fn shown(value: &str) -> String {
    value.chars().take(40).collect()
}

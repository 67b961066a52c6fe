//! Files that others made: what a vendor's page, a terminal or a data frame saves.
//!
//! | kind | what it looks like | gives |
//! |---|---|---|
//! | [`alpha_vantage`] | `,open,high,low,close,adjusted_close,volume,…` | daily bars, dividends, splits |
//! | [`yahoo_index`] | `Date,Close,High,Low,Open,Volume` | bars and closes of an index |
//! | [`investing`] | `"Data","Último","Abertura",…`, Brazilian numbers | bars and closes of an index |
//! | [`metatrader`] | `<DATE> <TIME> <OPEN> …`, tab separated | bars of any interval |
//! | [`profit`] | `PETR4;28/12/2017;…`, no first line of names | bars of any interval |
//! | [`composition`] | a JSON list of `ticker` and `nome` | members of an index |
//! | [`parquet`] | a Parquet file with our column names | bars of any interval |
//! | [`bars_csv`] | our own table of bars, as [`export`] writes it | bars of any interval |
//! | [`crate::cotahist`] | `00COTAHIST`, or a ZIP of it | daily records |
//! | [`crate::index_csv`] | `date,close` | closes of an index |
//!
//! [`read`] tells a file's kind by what stands in it, never by its name, and hands over what it
//! holds, oldest first. Numbers are exact or refused. Values are not judged: a price of zero is
//! handed over, and the rules of quality mark it. A file is good or refused *as a whole*, but items
//! are handed over as they are read: keep them only when `read` returns `Ok`.
//!
//! A new kind is one new file and one line in [`KINDS`]. [`export`] goes the other way.

pub mod alpha_vantage;
pub mod bars_csv;
pub mod brazilian;
pub mod composition;
mod detect;
pub mod export;
mod failure;
pub mod investing;
pub mod metatrader;
pub mod parquet;
pub mod profit;
mod series;
mod table;
pub mod yahoo_index;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use market::history::Interval;
use market::{Date, Symbol};

pub use detect::{detect, kind_of};
pub use failure::FileError;

use crate::source::{Item, Take};
use crate::{cotahist, index_csv};

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// Alpha Vantage's daily series.
    AlphaVantage,
    /// Yahoo's history of an index.
    YahooIndex,
    /// Investing.com's history, in Portuguese.
    Investing,
    /// MetaTrader 5's export of bars.
    MetaTrader,
    /// Profit's export of bars.
    Profit,
    /// A list of the members of an index.
    Composition,
    /// Bars in Parquet.
    Parquet,
    /// Our own table of bars.
    BarsCsv,
    /// The exchange's daily history.
    Cotahist,
    /// Our own file of index closes.
    IndexCsv,
}

/// How a kind is known and read.
pub struct Description {
    /// Which.
    pub kind: Kind,
    /// Its name in commands and messages.
    pub name: &'static str,
    /// What the detector looks for, for people.
    pub looks_like: &'static str,
    /// Whether the first bytes of a file are those of this kind.
    pub is: fn(&[u8]) -> bool,
    /// Reads the bytes of a whole file. None for those that have a reader of their own.
    pub parse: Option<Parse>,
}

/// Reads a whole file.
pub type Parse = fn(&[u8], &Place<'_>, &mut Take<'_>) -> Result<u64, FileError>;

/// Every kind, in the order in which they are tried.
pub const KINDS: &[Description] = &[
    Description {
        kind: Kind::Parquet,
        name: "parquet",
        looks_like: "the four bytes PAR1",
        is: |bytes| bytes.starts_with(b"PAR1"),
        parse: Some(parquet::parse),
    },
    Description {
        kind: Kind::Cotahist,
        name: "cotahist",
        looks_like: "a first line '00COTAHIST…', or a ZIP",
        is: |bytes| bytes.starts_with(b"00COTAHIST") || bytes.starts_with(b"PK\x03\x04"),
        parse: None,
    },
    Description {
        kind: Kind::Composition,
        name: "composition",
        looks_like: "a JSON list with 'ticker' in it",
        is: composition::is,
        parse: Some(composition::parse),
    },
    Description {
        kind: Kind::MetaTrader,
        name: "metatrader",
        looks_like: "a first line '<DATE> <TIME> <OPEN> …' with tabs",
        is: metatrader::is,
        parse: Some(metatrader::parse),
    },
    Description {
        kind: Kind::Investing,
        name: "investing",
        looks_like: "a first line '\"Data\",\"Último\",\"Abertura\",…'",
        is: investing::is,
        parse: Some(investing::parse),
    },
    Description {
        kind: Kind::BarsCsv,
        name: "bars_csv",
        looks_like: "a first line 'source,symbol,interval,begin,…'",
        is: bars_csv::is,
        parse: Some(bars_csv::parse),
    },
    Description {
        kind: Kind::AlphaVantage,
        name: "alpha_vantage",
        looks_like: "a first line with 'adjusted_close' or '5. adjusted close'",
        is: alpha_vantage::is,
        parse: Some(alpha_vantage::parse),
    },
    Description {
        kind: Kind::YahooIndex,
        name: "yahoo_index",
        looks_like: "a first line 'Date,Close,High,Low,Open,Volume'",
        is: yahoo_index::is,
        parse: Some(yahoo_index::parse),
    },
    Description {
        kind: Kind::IndexCsv,
        name: "index_csv",
        looks_like: "a first line 'date,close'",
        is: |bytes| detect::first_line(bytes).trim() == "date,close",
        parse: None,
    },
    Description {
        kind: Kind::Profit,
        name: "profit",
        looks_like: "no line of names, and lines such as 'PETR4;28/12/2017;16,05;…'",
        is: profit::is,
        parse: Some(profit::parse),
    },
];

impl Kind {
    /// How it is known and read.
    ///
    /// # Panics
    /// Never: a test holds that every kind stands in [`KINDS`].
    pub fn description(self) -> &'static Description {
        KINDS.iter().find(|description| description.kind == self).expect("every kind is in KINDS")
    }
}

/// What a file may leave unsaid.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Hints {
    /// The ticker, where the file does not say it and its name does not begin with one.
    pub symbol: Option<Symbol>,
    /// The index that a file of an index is of; IBOV if nothing is said.
    pub index: Option<Symbol>,
    /// The day that a composition without a date is for.
    pub date: Option<Date>,
    /// How long the bars are, where there are too few to tell.
    pub interval: Option<Interval>,
}

/// Which file is read, and what is known of it beforehand.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Where it is, for messages; its name may begin with a ticker.
    pub path: &'a Path,
    /// What the caller knows.
    pub hints: Hints,
}

/// What was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Done {
    /// What the file was.
    pub kind: Kind,
    /// How many items it gave.
    pub items: u64,
}

/// Files that are read whole may have so many bytes: ten years of one-minute bars are some eighty
/// million, and a file that is larger by mistake must not take the machine's memory.
const MOST_BYTES: u64 = 512 * 1024 * 1024;

/// Reads a file of any kind and hands over what it holds.
///
/// # Errors
/// A file that is of no known kind, or the first thing in it that is wrong, with its place. What
/// was handed over before is to be forgotten then.
pub fn read(path: &Path, hints: Hints, take: &mut Take<'_>) -> Result<Done, FileError> {
    let kind = detect(path)?;
    let place = Place { path, hints };
    let items = match kind.description().parse {
        Some(parse) => parse(&whole(path)?, &place, take)?,
        None if kind == Kind::Cotahist => daily_records(path, take)?,
        None => index_closes(&place, take)?,
    };
    Ok(Done { kind, items })
}

fn whole(path: &Path) -> Result<Vec<u8>, FileError> {
    let unreadable = |source| FileError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(FileError::TooLarge { path: path.to_owned(), most: MOST_BYTES });
    }
    Ok(bytes)
}

fn daily_records(path: &Path, take: &mut Take<'_>) -> Result<u64, FileError> {
    let read = cotahist::read(path, |_| (), |record| take(Item::Daily(Box::new(*record))));
    match read {
        Ok(summary) => Ok(summary.records),
        Err(cotahist::ReadError::Refused(refused)) => Err(FileError::Cotahist(refused)),
        Err(cotahist::ReadError::Stopped(cause)) => Err(FileError::Stopped(cause)),
    }
}

fn index_closes(place: &Place<'_>, take: &mut Take<'_>) -> Result<u64, FileError> {
    let closes = index_csv::read(place.path).map_err(FileError::IndexCsv)?;
    let index = place.index();
    for close in &closes {
        take(Item::IndexClose(index, *close)).map_err(FileError::Stopped)?;
    }
    Ok(closes.len() as u64)
}

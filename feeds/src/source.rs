//! The seam of everything that is asked for over the network, and of what stands in files of others.
//!
//! A [`Source`] does no IO. It says which requests answer a question ([`Source::plan`]), and what
//! stands in a reply ([`Source::read`]). Who sends the requests, at what rate, how often again and
//! with which time-outs, is one place for all of them, the fetcher. So a source is one file with an
//! address and a decoder, its test is a recorded reply, and everything that can go wrong on the way
//! is tested once for all.
//!
//! A new source is one new file and one line in [`SOURCES`].

use std::fmt;
use std::io::{BufRead, Seek};

use market::history::{CorporateAction, DailyRecord, DelayClass, HistoryBar, IndexMember, Interval, SourceName};
use market::{Date, IndexClose, Price, Quantity, Symbol, Timestamp};
use thiserror::Error;

use crate::sources;

/// Builds a source from its settings.
pub type Build = fn(&Settings) -> Result<Box<dyn Source>, SourceError>;

/// Every source that can be asked, by name.
pub const SOURCES: &[(&str, Build)] = &[
    (sources::b3_cotahist::NAME, sources::b3_cotahist::build),
    (sources::b3_index::NAME, sources::b3_index::build),
    (sources::b3_composition::NAME, sources::b3_composition::build),
    (sources::b3_corporate_actions::NAME, sources::b3_corporate_actions::build),
    (sources::b3_quotes::NAME, sources::b3_quotes::build),
    (sources::b3_trades::NAME, sources::b3_trades::build),
    (sources::brapi::NAME, sources::brapi::build),
    (sources::yahoo::NAME, sources::yahoo::build),
    (sources::alpha_vantage::NAME, sources::alpha_vantage::build),
];

/// The names of all sources, in the order of the list.
pub fn names() -> impl Iterator<Item = &'static str> {
    SOURCES.iter().map(|(name, _)| *name)
}

/// The source of this name.
///
/// # Errors
/// There is none, or its settings are no good.
pub fn build(name: &str, settings: &Settings) -> Result<Box<dyn Source>, SourceError> {
    let entry = SOURCES.iter().find(|(known, _)| *known == name);
    entry.ok_or_else(|| SourceError::Unknown { name: name.to_owned() })?.1(settings)
}

/// What the source of this name is.
pub fn facts(name: &str) -> Option<&'static Facts> {
    // What it is does not hang on whether it could be asked now.
    let settings = Settings { base_url: None, secret: Some(Secret::new("-")) };
    build(name, &settings).ok().map(|source| source.facts())
}

/// What the configuration says of a source.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Another address than the source's own, for a mirror or a test: scheme, host, port, no slash at the end.
    pub base_url: Option<String>,
    /// The key or token, where the source wants one. Read from a file or the environment, never logged.
    pub secret: Option<Secret>,
}

/// A key or token. It shows itself to nobody who does not ask for it by name.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Holds a text back from logs.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the request that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What a source is.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Its name in commands, tables and metrics.
    pub name: SourceName,
    /// One line for people.
    pub about: &'static str,
    /// How old its values are.
    pub delay: DelayClass,
    /// What it can be asked for.
    pub answers: &'static [Subject],
    /// Requests a minute at most: what its terms or its owner's patience allow.
    pub requests_per_minute: u32,
    /// Whether it wants a secret.
    pub wants_secret: bool,
    /// Why it is off until the configuration switches it on, where it is: terms that forbid programs.
    pub off_because: Option<&'static str>,
}

/// What can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Subject {
    /// One bar a session.
    Daily,
    /// Bars within a session.
    Intraday,
    /// Closes of an index.
    Index,
    /// Members of an index.
    Composition,
    /// Dividends, splits and the like.
    CorporateActions,
    /// Best bid and ask, or the last price, now.
    Quotes,
    /// Single trades.
    Trades,
}

impl Subject {
    /// Every subject.
    pub const ALL: [Self; 7] = [
        Self::Daily,
        Self::Intraday,
        Self::Index,
        Self::Composition,
        Self::CorporateActions,
        Self::Quotes,
        Self::Trades,
    ];

    /// Stable name in commands, configuration and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Intraday => "intraday",
            Self::Index => "index",
            Self::Composition => "composition",
            Self::CorporateActions => "corporate_actions",
            Self::Quotes => "quotes",
            Self::Trades => "trades",
        }
    }

    /// The subject of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|subject| subject.name() == name)
    }
}

/// A question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    /// What for.
    pub subject: Subject,
    /// Of which symbols; for an index its name. Empty means all, where the source tells all at once.
    pub symbols: Vec<Symbol>,
    /// Length of intraday bars.
    pub interval: Interval,
    /// First session.
    pub from: Date,
    /// Last session.
    pub to: Date,
    /// Today in São Paulo: some sources have one address for the running year and another for those before.
    pub today: Date,
}

/// One request that answers part of a question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// What it is for, the same each time it is asked: what was done already is found by it.
    pub key: String,
    /// Where, without anything secret.
    pub url: String,
    /// Headers beside the usual ones.
    pub headers: Vec<(&'static str, String)>,
    /// Headers that are never logged.
    pub secret_headers: Vec<(&'static str, Secret)>,
    /// Parameters that are added to the address and never logged.
    pub secret_query: Vec<(&'static str, Secret)>,
    /// What a good reply is.
    pub expects: Expects,
    /// How the source says that it has nothing, and what that means. Without it, such a reply is an error.
    pub nothing: Option<Nothing>,
    /// Whether the reply goes to a file first and an interrupted one goes on where it stopped.
    pub resumable: bool,
    /// Longest reply that is read, in bytes.
    pub most_bytes: u64,
    /// The part of the question that this answers, for the decoder.
    pub part: Ask,
    /// Whether other requests follow from the reply. Then it is always asked whole, also when it has not changed.
    pub leads_on: bool,
    /// What the decoder has to know from a reply before, where one request leads to another.
    pub note: String,
}

impl Request {
    /// A plain request for a small JSON document.
    pub fn json(key: String, url: String, part: Ask) -> Self {
        Self {
            key,
            url,
            headers: Vec::new(),
            secret_headers: Vec::new(),
            secret_query: Vec::new(),
            expects: Expects::Json,
            nothing: None,
            resumable: false,
            most_bytes: MOST_JSON_BYTES,
            part,
            leads_on: false,
            note: String::new(),
        }
    }
}

/// Longest JSON reply. The largest known one, all memberships of all indices, has 60 kB; twenty years of
/// daily bars have 2 MB.
pub const MOST_JSON_BYTES: u64 = 16 * 1024 * 1024;

/// The form of a good reply, looked at before it is decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expects {
    /// JSON in UTF-8.
    Json,
    /// A ZIP file.
    Zip,
}

/// How a source says that there is nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nothing {
    /// By these statuses.
    pub statuses: &'static [u16],
    /// By status 200 without a body.
    pub empty: bool,
    /// What it means, for people.
    pub meaning: String,
}

/// A quote or last price as a source told it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SourceQuote {
    /// Who.
    pub source: SourceName,
    /// Of what.
    pub symbol: Symbol,
    /// When it was so, by the source.
    pub at: Timestamp,
    /// Last price.
    pub last: Price,
    /// Best bid, where told.
    pub bid: Option<Price>,
    /// Best ask, where told.
    pub ask: Option<Price>,
    /// Units traded so far today, where told.
    pub volume: Option<Quantity>,
    /// How old.
    pub delay: DelayClass,
}

/// A trade as a source told it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SourceTrade {
    /// Of what.
    pub symbol: Symbol,
    /// When it was made.
    pub at: Timestamp,
    /// The session that it belongs to; for after-market trades the day before the file's.
    pub session: Date,
    /// The exchange's number of it within session and symbol.
    pub trade_id: u64,
    /// Price.
    pub price: Price,
    /// Units.
    pub quantity: Quantity,
    /// Whether it was taken back.
    pub canceled: bool,
    /// Whether it was made after the close.
    pub after_market: bool,
}

/// One thing that stood in a reply.
#[derive(Clone, PartialEq, Debug)]
pub enum Item {
    /// A record of the exchange's daily history.
    Daily(Box<DailyRecord>),
    /// A bar.
    Bar(HistoryBar),
    /// A close of an index: its name, the value.
    IndexClose(Symbol, IndexClose),
    /// A member of an index.
    Member(IndexMember),
    /// A corporate action.
    Action(CorporateAction),
    /// A quote.
    Quote(SourceQuote),
    /// A trade.
    Trade(SourceTrade),
}

impl Item {
    /// Stable name of its kind.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Daily(_) => "daily",
            Self::Bar(_) => "bar",
            Self::IndexClose(..) => "index_close",
            Self::Member(_) => "member",
            Self::Action(_) => "corporate_action",
            Self::Quote(_) => "quote",
            Self::Trade(_) => "trade",
        }
    }

    /// The session that it belongs to; a corporate action is of no session.
    pub fn date(&self) -> Option<Date> {
        match self {
            Self::Daily(record) => Some(record.date),
            Self::Bar(bar) => Some(bar.date()),
            Self::IndexClose(_, close) => Some(close.date),
            Self::Member(member) => Some(member.date),
            Self::Action(_) => None,
            Self::Quote(quote) => Some(quote.at.local_date()),
            Self::Trade(trade) => Some(trade.session),
        }
    }
}

/// What a reply came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reading {
    /// So many items were taken.
    pub items: u64,
    /// There is nothing, and that is a fact: no session that day, nothing known of that symbol.
    pub nothing: Option<String>,
    /// What has to be asked next, now that this is known.
    pub more: Vec<Request>,
}

impl Reading {
    /// So many items.
    pub fn items(items: u64) -> Self {
        Self { items, ..Self::default() }
    }

    /// Nothing, and why.
    pub fn nothing(why: impl Into<String>) -> Self {
        Self { nothing: Some(why.into()), ..Self::default() }
    }
}

/// A whole reply, to be read from its beginning.
pub trait Body: BufRead + Seek {}

impl<T: BufRead + Seek> Body for T {}

/// Why a question or a reply is no good.
#[derive(Debug, Error)]
pub enum SourceError {
    /// There is no such source.
    #[error("there is no source '{name}'; 'pregao data fetch' lists them")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The question cannot be asked of this source.
    #[error("{source_name} cannot be asked for this: {problem}; {remedy}")]
    NotAnswered {
        /// Who.
        source_name: SourceName,
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// The source wants a secret and none is configured.
    #[error("{source_name} wants a key: set sources.{source_name}.secret_file or {variable}")]
    SecretMissing {
        /// Who.
        source_name: SourceName,
        /// The variable of the environment that may hold it.
        variable: String,
    },
    /// The source says that its quota is used up. Asking again soon is pointless.
    #[error("{source_name} says that its quota is used up: {says}")]
    QuotaUsedUp {
        /// Who.
        source_name: SourceName,
        /// Its words.
        says: String,
    },
    /// The reply is not what was asked for. Nothing of it was kept.
    #[error(transparent)]
    Malformed(Box<Malformed>),
    /// The reply broke off or could not be read.
    #[error("{source_name}: the reply could not be read")]
    Unreadable {
        /// Who.
        source_name: SourceName,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// Whoever takes the items wants no more; its reason.
    #[error("stopped")]
    Stopped(#[source] BoxError),
}

/// What is wrong in a reply, and where.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{source_name}, {place}: {problem} ({value}); {remedy}")]
pub struct Malformed {
    /// Whose reply.
    pub source_name: SourceName,
    /// Where in it: a line, a path.
    pub place: String,
    /// What is wrong.
    pub problem: String,
    /// The value, cut to a readable length.
    pub value: String,
    /// What to do.
    pub remedy: String,
}

impl From<Malformed> for SourceError {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(Box::new(malformed))
    }
}

/// Why whoever takes items wants no more.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Who takes items; an error ends the reading.
pub type Take<'a> = dyn FnMut(Item) -> Result<(), BoxError> + 'a;

/// One source: addresses and decoders.
pub trait Source: Send + Sync {
    /// What it is.
    fn facts(&self) -> &'static Facts;

    /// The requests that answer a question, in the order in which they should be made.
    ///
    /// # Errors
    /// [`SourceError::NotAnswered`] for what it cannot be asked.
    fn plan(&self, ask: &Ask) -> Result<Vec<Request>, SourceError>;

    /// Reads a reply to one of those requests. It came whole, has the expected form, and is not one of
    /// those that mean nothing: all that the fetcher has dealt with.
    ///
    /// Items are taken as they are read, so an error may come after some: whoever takes them keeps
    /// them only when the whole was read.
    ///
    /// # Errors
    /// A reply that is not what was asked for.
    fn read(&self, request: &Request, body: &mut dyn Body, take: &mut Take<'_>) -> Result<Reading, SourceError>;
}

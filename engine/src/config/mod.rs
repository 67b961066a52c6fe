//! The configuration: what a person writes, checked as a whole, as typed values.
//!
//! `pregao.toml` < environment `PREGAO__SECTION__KEY` < flags. Everything is checked before
//! anything runs, and every complaint comes at once, with its place. docs/configuration.md lists
//! every key; a test keeps it true.

mod admin;
pub mod document;
pub mod effective;
mod limits;
mod monitors;
mod quotes;
pub mod reader;
pub mod redaction;
mod shutdown;
mod sources;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use actors::WindDown;
use brokers::bridge::BridgeSettings;
use brokers::bridge::wire::LONGEST_NAME;
use brokers::simulated::{LimitRule, SimulationSettings};
use desk::{Execution, Listen, Patience, Sizing};
use market::fees::Brokerage;
use market::history::DelayClass;
use market::time::{NANOS_PER_SECOND, TimeOfDay};
use market::{Calendar, ClientOrderId, Date, Money, OrderBounds, Quantity, Rate, Symbol};
use risk::limits::Hours;
use risk::{Attestation, Limits, MonitorSettings, disconnect};
use store::Digest;
use store::postgres::{LEASE_TERM, PostgresSettings};
use strategies::Parameters;

pub use admin::{AdminConfig, TlsConfig};
pub use monitors::WebhookPlace;
pub use quotes::{QuotesConfig, RedisConfig};
pub use sources::{Collection, KeepConfig, SourceConfig, SourcesConfig};

use document::{Document, Problem, Text};
use effective::Effective;
use reader::{Reader, nearest};

/// The file that is read where no other is named.
pub const DEFAULT_FILE: &str = "pregao.toml";
/// The data directory where no other is named.
pub const DEFAULT_DATA_DIRECTORY: &str = "pregao-data";
/// The shortest silence that a watchdog may fire on, in seconds: twice the gate's own lease.
const SHORTEST_SILENCE: u32 = 2;
/// A commented example: what `pregao init` writes.
pub const EXAMPLE: &str = include_str!("../../../samples/pregao.toml");

/// The configuration of a run.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where everything is kept.
    pub data_directory: PathBuf,
    /// The account.
    pub account: AccountConfig,
    /// The limits in force.
    pub limits: Limits,
    /// What the exchange takes of an instrument, until its stream says otherwise.
    pub bounds: BTreeMap<Symbol, OrderBounds>,
    /// What monitors are configured by beside the limits.
    pub monitors: MonitorSettings,
    /// Where alerts go beside the log.
    pub webhook: Option<WebhookPlace>,
    /// How the simulated exchange behaves.
    pub simulation: SimulationSettings,
    /// What the broker charges.
    pub brokerage: Brokerage,
    /// Who is traded with.
    pub broker: BrokerConfig,
    /// How long the broker may take to answer before an outcome counts as unknown.
    pub patience: Patience,
    /// Leaving `cancel_all`, `flatten` or `halted` takes a second person.
    pub second_person: bool,
    /// How it ends when it is told to.
    pub wind_down: WindDown,
    /// When the exchange is open.
    pub calendar: CalendarName,
    /// Where the journal is kept.
    pub store: StoreConfig,
    /// Where market events come from.
    pub feed: FeedConfig,
    /// How long hot quotes count, and who sees them.
    pub quotes: QuotesConfig,
    /// Strategy instances, in the order they decide.
    pub strategies: Vec<StrategyConfig>,
    /// Which builds and configurations may trade.
    pub attestation: Attestation,
    /// The admin interface; none without `admin.listen`.
    pub admin: Option<AdminConfig>,
    /// How sources of market data are asked.
    pub sources: SourcesConfig,
    /// What is collected by itself.
    pub collections: Vec<Collection>,
    /// How long history is kept.
    pub keep: KeepConfig,
}

/// The `[account]` section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountConfig {
    /// Four capital letters or digits.
    pub tag: String,
    /// Money at the first start.
    pub cash: Money,
}

/// Who is traded with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BrokerConfig {
    /// The simulated exchange inside the program.
    Simulated,
    /// A broker or venue behind another program.
    Bridge {
        /// Host and port.
        address: String,
        /// How often each side says something at least.
        heartbeat: Duration,
        /// The longest pause between attempts to connect.
        reconnect_most: Duration,
        /// The window after which the venue is asked to cancel the day orders of a session that is gone.
        cancel_on_disconnect: Option<Duration>,
        /// How long something may wait for its answer while nothing but heartbeats comes.
        substance: Duration,
    },
}

/// What a watchdog needs: the `[watchdog]` section, and of the others where the daemon keeps its data
/// and whom it trades with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WatchdogConfig {
    /// The daemon's data directory.
    pub data_directory: PathBuf,
    /// The account's tag.
    pub account: String,
    /// Its own login at the venue.
    pub login: String,
    /// Host and port of the bridge.
    pub address: String,
    /// How long the daemon may be silent.
    pub silence: Duration,
    /// How often each side of the bridge says something at least.
    pub heartbeat: Duration,
    /// The longest pause between attempts to connect.
    pub reconnect_most: Duration,
}

/// When the exchange is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CalendarName {
    /// B3's sessions and phases.
    B3,
    /// Always, for drills on paper.
    AlwaysOpen,
}

impl CalendarName {
    /// The name in configuration and journal.
    pub const fn name(self) -> &'static str {
        match self {
            Self::B3 => "b3",
            Self::AlwaysOpen => "always_open",
        }
    }

    /// The calendar.
    pub fn calendar(self) -> Arc<Calendar> {
        match self {
            Self::B3 => Calendar::b3(),
            Self::AlwaysOpen => Calendar::always_open(),
        }
    }
}

/// The `[store]` section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreConfig {
    /// Files in the data directory.
    Embedded,
    /// A Postgres server.
    Postgres {
        /// Without the password.
        url: String,
        /// Where the password stands, if the server asks for one.
        password_file: Option<PathBuf>,
        /// The schema that holds the tables.
        schema: String,
        /// How long the right to trade the account lasts without a renewal.
        lease_term: Duration,
    },
}

/// The `[feed]` section.
#[derive(Clone, PartialEq, Debug)]
pub enum FeedConfig {
    /// Sessions of the store, in compressed time.
    Replay {
        /// First session.
        from: Option<Date>,
        /// Last session.
        to: Option<Date>,
        /// Times faster than real; `None`: as fast as it goes.
        speed: Option<f64>,
    },
    /// A CSV file of quotes that another program appends to.
    QuotesFile {
        /// The file.
        path: PathBuf,
        /// How often to look for new lines.
        poll_milliseconds: u64,
        /// How old its quotes are when they are written.
        delay: DelayClass,
    },
}

/// One `[[strategy]]` section.
#[derive(Clone, Debug)]
pub struct StrategyConfig {
    /// Its name, unique.
    pub name: String,
    /// Which strategy of the list.
    pub kind: &'static strategies::StrategyEntry,
    /// Checked parameters.
    pub parameters: Parameters,
    /// What it may trade.
    pub symbols: Vec<Symbol>,
    /// Which events it decides on.
    pub listen: Listen,
    /// How large a full position is.
    pub sizing: Sizing,
    /// Which orders it uses.
    pub execution: Execution,
    /// When it leaves everything that it holds, each day: the same for all.
    pub flat_by: Option<TimeOfDay>,
}

/// What the command line says about the configuration.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Another file.
    pub file: Option<PathBuf>,
    /// Another data directory.
    pub data_directory: Option<PathBuf>,
}

/// The configuration cannot be used. Shows every problem, one a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unusable(pub Vec<Problem>);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(Problem::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Unusable {}

impl Unusable {
    /// One problem with one key.
    pub fn of_key(key: &str, message: String) -> Self {
        Self(vec![Problem { origin: None, key: key.to_owned(), message }])
    }

    fn file(message: String) -> Self {
        Self(vec![Problem { origin: None, key: String::new(), message }])
    }
}

/// Where everything is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Places {
    /// History, and whatever else does not lie elsewhere.
    pub data_directory: PathBuf,
    /// Where the journal is.
    pub store: StoreConfig,
    /// As in [`Config`].
    pub second_person: bool,
}

impl Config {
    /// Where everything is kept.
    pub fn places(&self) -> Places {
        let second_person = self.second_person;
        Places { data_directory: self.data_directory.clone(), store: self.store.clone(), second_person }
    }
}

/// Only where data is kept: what commands need that do not trade. A missing file is fine.
///
/// # Errors
/// The named file cannot be read, or says something wrong about this.
pub fn places(overrides: &Overrides) -> Result<Places, Unusable> {
    let mut reader = Reader::new(document(overrides, false)?);
    let directory = read_path(&mut reader, "data_directory");
    let store = read_store(&mut reader);
    let second_person = read_second_person(&mut reader);
    // Of the rest only what could hide or misspell these keys matters here.
    let matters = |problem: &Problem| {
        problem.key.is_empty()
            || problem.key.starts_with("store.")
            || problem.key.starts_with("halt")
            || !problem.key.contains('.') && !problem.key.contains('[') && problem.key != "mode"
    };
    let problems: Vec<Problem> = reader.finish().into_iter().filter(matters).collect();
    match store {
        Some(store) if problems.is_empty() => {
            let data_directory = directory.unwrap_or_else(|| DEFAULT_DATA_DIRECTORY.into());
            Ok(Places { data_directory, store, second_person })
        }
        _ => Err(Unusable(problems)),
    }
}

/// Only how sources of market data are asked: what a fetch needs that does not trade.
///
/// # Errors
/// The named file cannot be read, or says something wrong about this.
pub fn sources(overrides: &Overrides) -> Result<SourcesConfig, Unusable> {
    let mut reader = Reader::new(document(overrides, false)?);
    let sources = sources::read(&mut reader);
    let matters = |problem: &Problem| problem.key.is_empty() || problem.key.starts_with("sources");
    let problems: Vec<Problem> = reader.finish().into_iter().filter(matters).collect();
    if problems.is_empty() { Ok(sources) } else { Err(Unusable(problems)) }
}

/// Only how long history is kept.
///
/// # Errors
/// As [`sources()`].
pub fn keep(overrides: &Overrides) -> Result<KeepConfig, Unusable> {
    let mut reader = Reader::new(document(overrides, false)?);
    let keep = sources::read_keep(&mut reader);
    let matters = |problem: &Problem| problem.key.is_empty() || problem.key.starts_with("history");
    let problems: Vec<Problem> = reader.finish().into_iter().filter(matters).collect();
    if problems.is_empty() { Ok(keep) } else { Err(Unusable(problems)) }
}

/// Only the data directory: what commands need that are about history.
///
/// # Errors
/// As [`places`], unless a flag names the directory.
pub fn data_directory(overrides: &Overrides) -> Result<PathBuf, Unusable> {
    match &overrides.data_directory {
        Some(directory) => Ok(directory.clone()),
        None => places(overrides).map(|places| places.data_directory),
    }
}

/// Only what a watchdog needs: a mistake in a strategy is no reason to leave the daemon unwatched.
///
/// # Errors
/// Every problem of these keys at once.
pub fn watchdog(overrides: &Overrides) -> Result<WatchdogConfig, Unusable> {
    watchdog_of(document(overrides, true)?)
}

fn watchdog_of(document: Document) -> Result<WatchdogConfig, Unusable> {
    let mut reader = Reader::new(document);
    let found = read_watchdog(&mut reader);
    // For the names of all keys, and for complaints about the ones that matter here.
    read(&mut reader);
    if !reader.has("watchdog") {
        reader.complain("watchdog.silence_seconds", "has no value: there is no [watchdog] section; add one");
    }
    // Of the rest only what could hide or misspell these keys.
    let matters = |problem: &Problem| match problem.key.as_str() {
        "strategy" | "mode" => false,
        key => !key.contains('.') || ["watchdog.", "broker.", "account.tag"].iter().any(|own| key.starts_with(own)),
    };
    let mut problems: Vec<Problem> = reader.finish().into_iter().filter(matters).collect();
    problems.dedup();
    match found {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(Unusable(problems)),
    }
}

/// The whole configuration.
///
/// # Errors
/// Every problem at once.
pub fn load(overrides: &Overrides) -> Result<Config, Unusable> {
    load_effective(overrides).map(|(config, _)| config)
}

/// The whole configuration, and where each value comes from.
///
/// # Errors
/// Every problem at once.
pub fn load_effective(overrides: &Overrides) -> Result<(Config, Effective), Unusable> {
    from_document(document(overrides, true)?)
}

/// The same with a text in the file's place, named in complaints; environment and flags count on top of it.
///
/// # Errors
/// Every problem at once.
pub fn load_text(overrides: &Overrides, name: &str, text: &str) -> Result<(Config, Effective), Unusable> {
    let mut document = Document::default();
    document.add_toml(Path::new(name), text);
    from_document(with_overrides(document, overrides))
}

/// The same with the keys that can change in a running daemon as a stored version has them.
///
/// # Errors
/// Every problem at once.
pub fn load_with_version(overrides: &Overrides, number: u64, text: &str) -> Result<(Config, Effective), Unusable> {
    let mut document = document(overrides, true)?;
    document.replace_by_version(number, text, effective::is_hot);
    from_document(document)
}

/// The limits that a stored version says; none where this program would not take them.
pub fn limits_of(text: &str) -> Option<Limits> {
    let mut document = Document::default();
    document.add_toml(Path::new("version"), text);
    limits::read(&mut Reader::new(document))
}

/// The configuration that a text alone describes, without file or environment: the demo's.
///
/// # Errors
/// Every problem at once.
pub fn from_text(name: &str, text: &str) -> Result<Config, Unusable> {
    let mut document = Document::default();
    document.add_toml(Path::new(name), text);
    from_document(document).map(|(config, _)| config)
}

fn document(overrides: &Overrides, needed: bool) -> Result<Document, Unusable> {
    let path = overrides.file.clone().unwrap_or_else(|| DEFAULT_FILE.into());
    let mut document = Document::default();
    match std::fs::read_to_string(&path) {
        Ok(text) => document.add_toml(&path, &text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && overrides.file.is_none() => {
            if needed {
                return Err(Unusable::file(format!(
                    "there is no {DEFAULT_FILE} here; write a commented one with 'pregao init', or name one with -c FILE"
                )));
            }
        }
        Err(error) => return Err(Unusable::file(format!("{} cannot be read: {error}", path.display()))),
    }
    Ok(with_overrides(document, overrides))
}

fn with_overrides(mut document: Document, overrides: &Overrides) -> Document {
    // A variable that is not text cannot be one of ours.
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    document.add_environment(variables);
    if let Some(directory) = &overrides.data_directory {
        document.add_flag("data_directory", directory.display().to_string(), "--data-dir");
    }
    document
}

fn from_document(document: Document) -> Result<(Config, Effective), Unusable> {
    let mut reader = Reader::new(document.clone());
    let config = read(&mut reader);
    let problems = reader.finish();
    match config {
        Some(config) if problems.is_empty() => {
            let effective = Effective::of(&document, &config);
            Ok((config, effective))
        }
        _ => Err(Unusable(problems)),
    }
}

/// Reads everything, whatever is missing, so that every complaint is collected.
fn read(reader: &mut Reader) -> Option<Config> {
    let data_directory = read_path(reader, "data_directory").unwrap_or_else(|| DEFAULT_DATA_DIRECTORY.into());
    reader.word("mode", &["paper"]);
    let account = read_account(reader);
    let limits = limits::read(reader);
    let (monitors, webhook) = (monitors::read(reader), monitors::read_webhook(reader));
    let (simulation, brokerage) = read_simulation(reader);
    let broker = read_broker(reader);
    let patience = read_patience(reader);
    let second_person = read_second_person(reader);
    let wind_down = shutdown::read(reader);
    let calendar = match reader.word("session.calendar", &["b3", "always_open"]).as_deref() {
        Some("always_open") => CalendarName::AlwaysOpen,
        _ => CalendarName::B3,
    };
    let hours = read_hours(reader);
    let bounds = read_bounds(reader);
    let store = read_store(reader);
    read_watchdog(reader);
    let feed = read_feed(reader);
    let quotes = quotes::read(reader);
    let mut strategies = read_strategies(reader);
    for strategy in strategies.iter_mut().flatten() {
        strategy.flat_by = hours.1;
    }
    let attestation = read_attestation(reader);
    let admin = admin::read(reader);
    let sources = sources::read(reader);
    let (collections, keep) = (sources::read_collections(reader, &sources), sources::read_keep(reader));
    if matches!((&broker, &feed), (Some(BrokerConfig::Bridge { .. }), Some(FeedConfig::Replay { .. }))) {
        let message = "a bridge trades now, and a replay brings past sessions; use feed.kind = \"quotes_file\"";
        reader.complain("broker.name", message);
    }
    if let (Some(limits), Some(strategies)) = (&limits, &strategies) {
        let names: Vec<&str> = strategies.iter().map(|strategy| strategy.name.as_str()).collect();
        for name in limits.strategies.keys().filter(|name| !names.contains(&name.as_str())) {
            let hint = nearest(name, names.iter().copied()).map(|near| format!("; did you mean '{near}'?"));
            let message = format!("there is no strategy of that name{}", hint.unwrap_or_default());
            reader.complain(&format!("risk.strategy.{name}"), message);
        }
    }
    if let (Some(FeedConfig::QuotesFile { .. }), Some(strategies)) = (&feed, &strategies) {
        for (place, _) in strategies.iter().enumerate().filter(|(_, strategy)| strategy.listen == Listen::Bars) {
            let message = "this feed brings quotes only, so the strategy would never decide; set it to \"quotes\"";
            reader.complain(&format!("strategy[{place}].listen"), message);
        }
    }
    Some(Config {
        data_directory,
        account: account?,
        limits: Limits { hours: hours.0, ..limits? },
        bounds,
        monitors,
        webhook,
        simulation,
        brokerage,
        broker: broker?,
        patience,
        second_person,
        wind_down,
        calendar,
        store: store?,
        feed: feed?,
        quotes: quotes?,
        strategies: strategies?,
        attestation,
        admin,
        sources,
        collections: collections?,
        keep,
    })
}

fn read_attestation(reader: &mut Reader) -> Attestation {
    let mut hashes = |key: &str| -> Vec<String> {
        let found: Option<Vec<Digest>> = reader.list(key, "SHA-256 values as 'pregao version --json' prints them");
        let is_empty = found.as_ref().is_some_and(Vec::is_empty);
        if is_empty {
            reader.complain(key, "is an empty list, which would approve nothing; leave the key out or name a hash");
        }
        found.unwrap_or_default().iter().map(Digest::to_string).collect()
    };
    Attestation { builds: hashes("attestation.builds"), configurations: hashes("attestation.configurations") }
}

/// A path. Not a URL, which may hold a password: paths are shown in full.
fn read_path(reader: &mut Reader, key: &str) -> Option<PathBuf> {
    let path: PathBuf = reader.optional(key, "a path")?;
    if path.to_string_lossy().contains("://") {
        reader.complain(key, "is a URL; expected the path of a file or directory on this machine");
        return None;
    }
    Some(path)
}

/// When new risk ends each day, and when everything that is held is left.
fn read_hours(reader: &mut Reader) -> (Hours, Option<TimeOfDay>) {
    let expected = "a time of the exchange's day such as \"16:30\"";
    let last_entry: Option<TimeOfDay> = reader.optional("session.last_entry", expected);
    let flat_by: Option<TimeOfDay> = reader.optional("session.flat_by", expected);
    match (last_entry, flat_by) {
        (Some(last_entry), Some(flat_by)) if last_entry > flat_by => {
            reader.complain("session.last_entry", format!("{last_entry} is after session.flat_by, {flat_by}"));
        }
        (None, Some(flat_by)) => {
            let message = format!("has no value, and positions are left by {flat_by}: say until when they are opened");
            reader.complain("session.last_entry", message);
        }
        _ => {}
    }
    (Hours { last_entry }, flat_by)
}

/// The `[bounds.SYMBOL]` sections: rejection tunnels at the start of the day.
fn read_bounds(reader: &mut Reader) -> BTreeMap<Symbol, OrderBounds> {
    let mut all: BTreeMap<Symbol, OrderBounds> = BTreeMap::new();
    for path in reader.table("bounds").into_keys() {
        let key = format!("bounds.{path}");
        let Some((name, of)) = path.rsplit_once('.') else {
            reader.complain(&key, "expected bounds.SYMBOL.KEY");
            continue;
        };
        // The environment writes every name in small letters.
        let symbol = match name.to_ascii_uppercase().parse::<Symbol>() {
            Ok(symbol) => symbol,
            Err(error) => {
                reader.complain(&key, error.to_string());
                continue;
            }
        };
        let bounds = all.entry(symbol).or_default();
        let price = "a price such as 38.10";
        let units = "a whole number of units such as 100";
        match of {
            "low_limit_price" => bounds.low_limit_price = reader.optional(&key, price).unwrap_or_default(),
            "high_limit_price" => bounds.high_limit_price = reader.optional(&key, price).unwrap_or_default(),
            "min_quantity" => bounds.min_quantity = reader.optional(&key, units).unwrap_or_default(),
            "max_quantity" => bounds.max_quantity = reader.optional(&key, units).unwrap_or_default(),
            other => {
                let keys = ["low_limit_price", "high_limit_price", "min_quantity", "max_quantity"];
                let hint = nearest(other, keys).map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
                reader.complain(&key, format!("unknown bound{hint}"));
            }
        }
    }
    for (symbol, _) in all.iter().filter(|(_, bounds)| !bounds.is_sound()) {
        reader
            .complain(&format!("bounds.{symbol}"), "no order fits: a lower bound is above its upper one, or negative");
    }
    all
}

fn read_account(reader: &mut Reader) -> Option<AccountConfig> {
    let tag: Option<String> = reader.required("account.tag", "four capital letters or digits such as \"PAPR\"");
    if let Some(tag) = &tag
        && let Err(error) = ClientOrderId::new(tag, Date::default(), 1)
    {
        reader.complain("account.tag", error.to_string());
    }
    let cash: Option<Money> = reader.required("account.cash", "an amount in BRL such as \"100000.00\"");
    if cash.is_some_and(|cash| cash <= Money::ZERO) {
        reader.complain("account.cash", "must be positive");
    }
    Some(AccountConfig { tag: tag?, cash: cash? })
}

fn read_broker(reader: &mut Reader) -> Option<BrokerConfig> {
    let names: Vec<&str> = brokers::BROKERS.iter().map(|entry| entry.name).collect();
    let given = reader.optional::<String>("broker.name", "").is_some();
    let name = reader.word("broker.name", &names);
    let address: Option<String> = reader.optional("broker.address", "host and port such as \"127.0.0.1:9100\"");
    let usual = BridgeSettings::new("", "");
    let mut milliseconds = |key: &str, usual: Duration| {
        let given: Option<u64> = reader.optional(key, "whole milliseconds such as 1000");
        if given == Some(0) {
            reader.complain(key, "must be above zero");
        }
        given.map_or(usual, Duration::from_millis)
    };
    let heartbeat = milliseconds("broker.heartbeat_milliseconds", usual.heartbeat);
    let reconnect_most = milliseconds("broker.reconnect_milliseconds", usual.reconnect_most);
    let cancel_on_disconnect = read_cancel_on_disconnect(reader);
    let silence: Option<u32> = reader.optional("broker.silence_seconds", "whole seconds such as 60");
    if silence == Some(0) {
        reader.complain("broker.silence_seconds", "must be above zero: no broker answers at once");
    }
    let substance = silence.map_or(usual.substance, |seconds| Duration::from_secs(seconds.into()));
    match name.as_deref() {
        Some(brokers::bridge::NAME) => {
            match &address {
                None => reader.complain("broker.address", "has no value; set it to the bridge's host and port"),
                Some(address) if address.contains(['@', '/']) => {
                    let message = "is more than a host and a port; write it like 127.0.0.1:9100";
                    reader.complain("broker.address", message);
                }
                Some(_) => {}
            }
            let address = address?;
            Some(BrokerConfig::Bridge { address, heartbeat, reconnect_most, cancel_on_disconnect, substance })
        }
        Some(_) => Some(BrokerConfig::Simulated),
        None if given => None,
        None => Some(BrokerConfig::Simulated),
    }
}

fn read_cancel_on_disconnect(reader: &mut Reader) -> Option<Duration> {
    let key = "broker.cancel_on_disconnect_seconds";
    let window: Option<u32> = reader.optional(key, "whole seconds such as 30");
    let window = window.map(|seconds| Duration::from_secs(seconds.into()))?;
    if !(disconnect::SHORTEST..=disconnect::LONGEST).contains(&window) {
        let (least, most) = (disconnect::SHORTEST.as_secs(), disconnect::LONGEST.as_secs());
        reader.complain(key, format!("must be from {least} to {most}; leave it out for orders that stay"));
    }
    Some(window)
}

/// The `[watchdog]` section; nothing where there is none. The daemon does without, a watchdog does not.
fn read_watchdog(reader: &mut Reader) -> Option<WatchdogConfig> {
    let silence: Option<u32> = reader.optional("watchdog.silence_seconds", "whole seconds such as 10");
    let login: Option<String> = reader.optional("watchdog.login", "a name such as \"guard\"");
    let own_address: Option<String> = reader.optional("watchdog.address", "host and port such as \"127.0.0.1:9100\"");
    if !reader.has("watchdog") {
        return None;
    }
    if silence.is_none() && reader.optional::<String>("watchdog.silence_seconds", "").is_none() {
        reader.complain("watchdog.silence_seconds", "has no value, and no default: how long may the engine be silent?");
    }
    if silence.is_some_and(|seconds| seconds < SHORTEST_SILENCE) {
        let message = format!("must be at least {SHORTEST_SILENCE}: a busy machine may be silent for a second");
        reader.complain("watchdog.silence_seconds", message);
    }
    match &login {
        None => reader.complain("watchdog.login", "has no value; set it to a login of its own at the broker"),
        Some(login) if !(1..=LONGEST_NAME).contains(&login.len()) => {
            reader.complain("watchdog.login", format!("has {} bytes: expected 1 to {LONGEST_NAME}", login.len()));
        }
        Some(_) => {}
    }
    let data_directory = reader.optional("data_directory", "a path").unwrap_or_else(|| DEFAULT_DATA_DIRECTORY.into());
    let account: Option<String> = reader.optional("account.tag", "four capital letters or digits such as \"PAPR\"");
    let broker = read_broker(reader);
    let Some(BrokerConfig::Bridge { address, heartbeat, reconnect_most, .. }) = broker else {
        if matches!(broker, Some(BrokerConfig::Simulated)) {
            let message = "there is nothing to watch: the simulated exchange lives and dies with the daemon; \
                           set broker.name = \"bridge\", or leave out [watchdog]";
            reader.complain("watchdog.login", message);
        }
        return None;
    };
    Some(WatchdogConfig {
        data_directory,
        account: account?,
        login: login?,
        address: own_address.unwrap_or(address),
        silence: Duration::from_secs(silence?.into()),
        heartbeat,
        reconnect_most,
    })
}

fn read_patience(reader: &mut Reader) -> Patience {
    let usual = Patience::default();
    let answer: Option<u32> = reader.optional("broker.answer_seconds", "whole seconds such as 5");
    if answer == Some(0) {
        reader.complain("broker.answer_seconds", "must be above zero: no broker answers at once");
    }
    let answer = answer.map_or(usual.answer, |seconds| i64::from(seconds) * NANOS_PER_SECOND);
    Patience { answer, ..usual }
}

fn read_second_person(reader: &mut Reader) -> bool {
    reader.optional("halt.second_person", "true or false").unwrap_or(false)
}

fn read_store(reader: &mut Reader) -> Option<StoreConfig> {
    let kind = reader.word("store.kind", &["embedded", "postgres"]);
    let url: Option<String> = reader.optional("store.url", "a URL such as \"postgres://pregao@localhost/pregao\"");
    let password_file = read_path(reader, "store.password_file");
    let schema: Option<String> = reader.optional("store.schema", "a name of small letters such as \"pregao\"");
    let lease: Option<u32> = reader.optional("store.lease_seconds", "whole seconds such as 15");
    if kind.as_deref() != Some("postgres") {
        return Some(StoreConfig::Embedded);
    }
    let longest = PostgresSettings::new("").call_limit();
    let lease_term = lease.map_or(LEASE_TERM, |seconds| Duration::from_secs(seconds.into()));
    if lease_term <= longest {
        let message = format!("must be above {}, the longest that one renewal may take", longest.as_secs());
        reader.complain("store.lease_seconds", message);
    }
    match &url {
        None => reader.complain("store.url", "has no value; set it to the server's URL, without the password"),
        Some(url) if holds_password(url) => reader.complain(
            "store.url",
            "holds a password: secrets do not belong in this file; put it into a file and name that in store.password_file",
        ),
        Some(_) => {}
    }
    let schema = schema.unwrap_or_else(|| store::postgres::SCHEMA.to_owned());
    Some(StoreConfig::Postgres { url: url?, password_file, schema, lease_term })
}

/// `postgres://user:secret@host/…` or `password=secret`.
fn holds_password(url: &str) -> bool {
    let user = url.split_once("://").and_then(|(_, rest)| rest.split_once('@')).map(|(user, _)| user);
    user.is_some_and(|user| user.contains(':')) || url.contains("password=")
}

fn read_simulation(reader: &mut Reader) -> (SimulationSettings, Brokerage) {
    let usual = SimulationSettings::default();
    let rule = reader.word("broker.limit_rule", &["price_through", "queue"]);
    let simulation = SimulationSettings {
        latency_milliseconds: reader
            .optional("broker.latency_milliseconds", "whole milliseconds such as 50")
            .unwrap_or(usual.latency_milliseconds),
        slippage_ticks: reader
            .optional("broker.slippage_ticks", "a number of ticks such as 1")
            .unwrap_or(usual.slippage_ticks),
        participation: reader.optional("broker.participation", "a fraction such as 0.1").unwrap_or(usual.participation),
        limit_rule: if rule.as_deref() == Some("queue") { LimitRule::Queue } else { LimitRule::PriceThrough },
    };
    if !(Rate::from_ppm(1)..=Rate::from_ppm(1_000_000)).contains(&simulation.participation) {
        reader.complain("broker.participation", "must be above 0 and at most 1");
    }
    let brokerage = Brokerage {
        per_order: reader
            .optional("broker.brokerage_per_order", "an amount in BRL such as \"4.90\"")
            .unwrap_or_default(),
        iss: reader.optional("broker.brokerage_iss", "a fraction such as 0.05").unwrap_or_default(),
    };
    (simulation, brokerage)
}

fn read_feed(reader: &mut Reader) -> Option<FeedConfig> {
    let kind = reader.word("feed.kind", &["replay", "quotes_file"]);
    if kind.is_none() && reader.optional::<String>("feed.kind", "").is_none() {
        reader.complain("feed.kind", "has no value; set it to \"replay\" or \"quotes_file\"");
    }
    let date = "a date such as \"2017-07-03\"";
    let (from, to) = (reader.optional("feed.from", date), reader.optional("feed.to", date));
    let speed: Option<f64> = reader.optional("feed.speed", "a number such as 3600");
    if speed.is_some_and(|speed| !speed.is_finite() || speed < 0.0) {
        reader.complain("feed.speed", "must be zero (as fast as it goes) or positive");
    }
    let path = read_path(reader, "feed.path");
    let poll = reader.optional("feed.poll_milliseconds", "whole milliseconds such as 250").unwrap_or(250);
    // Whoever writes the file knows; without a word nobody should take them for fresh.
    let delay = reader.word("feed.delay", &["realtime", "delayed", "end_of_day", "synthetic"]);
    let delay = delay.and_then(|name| store::quotes::delay_class(&name)).unwrap_or(DelayClass::Delayed);
    match kind.as_deref() {
        Some("replay") => Some(FeedConfig::Replay { from, to, speed: speed.filter(|speed| *speed > 0.0) }),
        Some("quotes_file") => {
            if path.is_none() {
                reader.complain("feed.path", "has no value; set it to the CSV file that quotes are appended to");
            }
            Some(FeedConfig::QuotesFile { path: path?, poll_milliseconds: poll, delay })
        }
        _ => None,
    }
}

fn read_strategies(reader: &mut Reader) -> Option<Vec<StrategyConfig>> {
    let count = reader.count("strategy");
    if count == 0 {
        reader.complain("strategy", "there is none; add at least one [[strategy]] section");
        return None;
    }
    let read: Vec<Option<StrategyConfig>> = (0..count).map(|place| read_strategy(reader, place)).collect();
    let all: Vec<StrategyConfig> = read.into_iter().collect::<Option<_>>()?;
    for (place, strategy) in all.iter().enumerate() {
        if all.iter().take(place).any(|other| other.name == strategy.name) {
            reader.complain(&format!("strategy[{place}].name"), format!("'{}' names two strategies", strategy.name));
        }
    }
    Some(all)
}

fn read_strategy(reader: &mut Reader, place: usize) -> Option<StrategyConfig> {
    let key = |name: &str| format!("strategy[{place}].{name}");
    let names: Vec<&str> = strategies::STRATEGIES.iter().map(|entry| entry.name).collect();
    let kind = reader.word(&key("kind"), &names);
    if kind.is_none() && reader.optional::<String>(&key("kind"), "").is_none() {
        reader.complain(&key("kind"), format!("has no value; set it to one of {}", names.join(", ")));
    }
    let kind = kind.and_then(|name| strategies::find(&name));
    let name: Option<String> = reader.optional(&key("name"), "a name");
    let symbols: Option<Vec<Symbol>> = reader.list(&key("symbols"), "symbols such as [\"PETR4\", \"VALE3\"]");
    if symbols.as_ref().is_none_or(Vec::is_empty) {
        reader.complain(&key("symbols"), "has no value; set it to symbols such as [\"PETR4\", \"VALE3\"]");
    }
    let listen = match reader.word(&key("listen"), &["bars", "quotes"]).as_deref() {
        Some("quotes") => Listen::Quotes,
        _ => Listen::Bars,
    };
    let execution = match reader.word(&key("execution"), &["market", "auction", "limit"]).as_deref() {
        Some("auction") => Execution::Auction,
        Some("limit") => Execution::Limit,
        _ => Execution::Market,
    };
    let sizing = read_sizing(reader, place);
    let parameters = match kind {
        Some(kind) => read_parameters(reader, &key("parameters"), kind),
        None => {
            // Which ones there are depends on the kind: that complaint comes first.
            reader.table(&key("parameters"));
            None
        }
    };
    let kind = kind?;
    Some(StrategyConfig {
        name: name.unwrap_or_else(|| kind.name.to_owned()),
        kind,
        parameters: parameters?,
        symbols: symbols?,
        listen,
        sizing: sizing?,
        execution,
        flat_by: None,
    })
}

fn read_sizing(reader: &mut Reader, place: usize) -> Option<Sizing> {
    let key = |name: &str| format!("strategy[{place}].{name}");
    let quantity: Option<Quantity> = reader.optional(&key("quantity"), "a whole number of units such as 100");
    let notional: Option<Money> = reader.optional(&key("notional"), "an amount in BRL such as \"20000.00\"");
    match (quantity, notional) {
        (Some(quantity), None) if quantity.is_positive() => Some(Sizing::Quantity(quantity)),
        (None, Some(notional)) if notional > Money::ZERO => Some(Sizing::Notional(notional)),
        (Some(_), Some(_)) => {
            reader.complain(&key("notional"), "quantity and notional are both given; keep one");
            None
        }
        (None, None) => {
            reader.complain(&key("quantity"), "no size is given; set quantity (units) or notional (BRL)");
            None
        }
        _ => {
            reader.complain(&key(if quantity.is_some() { "quantity" } else { "notional" }), "must be positive");
            None
        }
    }
}

fn read_parameters(reader: &mut Reader, key: &str, kind: &strategies::StrategyEntry) -> Option<Parameters> {
    let names: Vec<&str> = kind.parameters.iter().map(|spec| spec.name).collect();
    let mut given = BTreeMap::new();
    for (name, setting) in reader.table(key) {
        let complaint = match &setting.text {
            _ if !names.contains(&name.as_str()) => {
                let hint = nearest(&name, names.iter().copied()).map(|near| format!("; did you mean '{near}'?"));
                format!("unknown parameter: {} has {}{}", kind.name, names.join(", "), hint.unwrap_or_default())
            }
            Text::One(text) => match f64::from_str(text) {
                Ok(number) => {
                    given.insert(name, number);
                    continue;
                }
                Err(_) => format!("'{text}' is not a number"),
            },
            list @ Text::List(_) => format!("'{list}' is not a number"),
        };
        reader.complain(&format!("{key}.{name}"), complaint);
    }
    let checked = Parameters::check(kind.parameters, given);
    // Built once without instruments: parameters that do not go together show here, not at start.
    let checked = checked.and_then(|parameters| (kind.build)(&parameters, &[]).map(|_| parameters));
    match checked {
        Ok(parameters) => Some(parameters),
        Err(error) => {
            reader.complain(key, error.to_string());
            None
        }
    }
}

#[cfg(test)]
mod tests;

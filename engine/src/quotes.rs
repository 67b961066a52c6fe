//! The hot quotes of a run: the slots that Symbols write, and where one is configured the Redis server that shows
//! them to others. A server that is away keeps nothing from starting; a file that cannot be read does.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use actors::Clock;
use actors::quotes::{Pen, Publisher};
use market::Universe;
use market::history::{DelayClass, SourceName};
use store::{InProcessQuotes, RedisQuotes, RedisSettings};

use crate::config::{Config, FeedConfig, RedisConfig, Unusable};
use crate::output::Failure;

/// What a run writes hot quotes with, and who publishes them.
pub struct HotQuotes {
    /// For the Symbols.
    pub pen: Pen,
    /// Ends when it is dropped.
    pub publisher: Option<Publisher>,
}

/// As the configuration says.
pub fn begin(config: &Config, universe: &Universe) -> Result<HotQuotes, Failure> {
    let symbols = universe.iter().map(|(_, instrument)| instrument.symbol).collect();
    let quotes = Arc::new(InProcessQuotes::new(symbols, config.quotes.time_to_live, Instant::now()));
    let (source, delay) = match &config.feed {
        FeedConfig::Replay { .. } => (SourceName::of("replay"), DelayClass::EndOfDay),
        FeedConfig::QuotesFile { delay, .. } => (SourceName::of("quotes_file"), *delay),
    };
    let pen = Pen::new(Arc::clone(&quotes), quotes.origin(source, delay));
    let publisher = config.quotes.redis.as_ref().map(|redis| publisher(config, redis, quotes)).transpose()?;
    Ok(HotQuotes { pen, publisher })
}

fn publisher(config: &Config, redis: &RedisConfig, quotes: Arc<InProcessQuotes>) -> Result<Publisher, Failure> {
    let process = std::process::id();
    // In a container every process is the first one.
    let writer = format!("{} {process} {}", config.account.tag, Clock::System.now());
    let to = open(redis, &writer)?;
    tracing::info!(place = to.place(), "hot quotes are published");
    // Only to be another one in every process.
    Publisher::start(quotes, Box::new(to), process.into()).map_err(Failure::failed)
}

/// The server as the configuration says. Nothing is connected yet.
pub fn open(redis: &RedisConfig, writer: &str) -> Result<RedisQuotes, Failure> {
    let mut settings = RedisSettings::new(&redis.url, writer);
    if let Some(path) = &redis.password_file {
        let text = read("quotes.password_file", path)?;
        settings.password = String::from_utf8_lossy(&text).lines().next().map(str::to_owned);
    }
    settings.authorities = redis.ca_file.as_deref().map(|path| read("quotes.ca_file", path)).transpose()?;
    Ok(RedisQuotes::open(&settings)?)
}

fn read(key: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| {
        let message = format!("{key}: {} cannot be read: {error}", path.display());
        Failure::from(Unusable::of_key(key, message))
    })
}

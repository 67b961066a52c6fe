//! `check` and `init`: the configuration, all problems at once, and an example to start from.

use std::fs::OpenOptions;
use std::io::Write;

use crate::config::{DEFAULT_FILE, EXAMPLE, FeedConfig, Overrides, load};
use crate::output::{Answer, Failure, money, table};
use store::RedisSettings;

/// Checks the configuration and shows what it says.
pub fn check(overrides: &Overrides) -> Result<Answer, Failure> {
    let config = load(overrides)?;
    let feed = match &config.feed {
        FeedConfig::Replay { from, to, .. } => {
            let day = |day: &Option<market::Date>| day.map_or("…".to_owned(), |day| day.to_string());
            format!("replay {} to {}", day(from), day(to))
        }
        FeedConfig::QuotesFile { path, .. } => format!("quotes appended to {}", path.display()),
    };
    let quotes = match &config.quotes.redis {
        Some(redis) => RedisSettings::new(&redis.url, "").place(),
        None => "in this process".to_owned(),
    };
    let rows = config.strategies.iter().map(|strategy| {
        let symbols: Vec<&str> = strategy.symbols.iter().map(|symbol| symbol.as_str()).collect();
        vec![strategy.name.clone(), strategy.kind.name.to_owned(), symbols.join(" ")]
    });
    let strategies = table(&["Strategy", "Kind", "Symbols"], 3, rows);
    let text = format!(
        "The configuration is valid.\n\nAccount  {} with {} BRL\nFeed     {feed}\nQuotes   {quotes}\nData     {}\n\n{strategies}",
        config.account.tag,
        money(config.account.cash),
        config.data_directory.display(),
    );
    let json = serde_json::json!({
        "valid": true,
        "account": config.account.tag,
        "data_directory": config.data_directory,
        "strategies": config.strategies.iter().map(|strategy| &strategy.name).collect::<Vec<_>>(),
        "symbols": crate::wiring::symbols(&config.strategies),
        "problems": [],
    });
    Ok(Answer::new(text, json))
}

/// Writes the commented example, unless there is a file already.
pub fn init(overrides: &Overrides) -> Result<Answer, Failure> {
    let path = overrides.file.clone().unwrap_or_else(|| DEFAULT_FILE.into());
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut file| file.write_all(EXAMPLE.as_bytes()));
    match written {
        Ok(()) => Ok(Answer::new(
            format!("Wrote {}. Edit it, then run 'pregao check'.", path.display()),
            serde_json::json!({ "written": path }),
        )),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(Failure::usage(format!(
            "{} exists already and was left as it is; name another with -c FILE",
            path.display()
        ))),
        Err(error) => Err(Failure::usage(format!("{} cannot be written: {error}", path.display()))),
    }
}

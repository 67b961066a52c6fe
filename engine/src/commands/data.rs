//! `data`: history in, and what is there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use feeds::cotahist;
use market::history::{CASH_MARKET, FRACTIONAL_MARKET, SourceName};
use market::{Calendar, Date, Symbol};
use serde::Serialize;
use store::history::{COTAHIST, INDEX_CSV};
use store::{Coverage, EmbeddedStore, Filter, History, ImportCounts, ImportSource, StoreError};

use crate::cli::DataCommand;
use crate::config::{Overrides, data_directory};
use crate::output::{Answer, Failure, bar, chain, table};

/// Rows of a table beyond which the rest is only counted.
const SHOWN: usize = 40;

/// Runs a data command.
pub fn data(command: &DataCommand, overrides: &Overrides) -> Result<Answer, Failure> {
    let directory = data_directory(overrides)?;
    match command {
        DataCommand::Import { files, index } => import(&directory, files, index),
        DataCommand::Status { symbols, all } => status(&directory, symbols, *all),
        DataCommand::Verify { symbols } => verify(&directory, symbols),
    }
}

/// What became of one file.
#[derive(Debug, Serialize)]
pub struct Imported {
    /// The file.
    pub file: PathBuf,
    /// Whether it was taken.
    pub imported: bool,
    /// Records in it.
    pub records: u64,
    /// Sessions in it.
    pub sessions: usize,
    /// What it did to the store.
    #[serde(flatten)]
    pub counts: ImportCounts,
    /// Records by kind of instrument.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Records that are odd without being wrong, by flag.
    pub flags: BTreeMap<String, u64>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

fn import(directory: &Path, files: &[PathBuf], index: &str) -> Result<Answer, Failure> {
    let store = EmbeddedStore::open(directory)?;
    let mut history = store.history()?;
    let results: Vec<Imported> = files.iter().map(|file| import_file(&mut history, file, index)).collect();
    let refused = results.iter().filter(|result| !result.imported).count();
    let json = serde_json::json!({ "files": results, "refused": refused });
    if refused > 0 {
        let errors = results.iter().filter_map(|result| result.error.clone());
        let taken = match results.len() - refused {
            0 => String::new(),
            taken => format!("; the other {taken} imported"),
        };
        let summary = format!("{refused} of {} refused, without a trace{taken}", counted(results.len(), "file"));
        let lines: Vec<String> = errors.chain([summary]).collect();
        return Err(Failure::Failed(lines.join("\n"), json));
    }
    let rows = results.iter().map(|result| {
        let count = |count: u64| count.to_string();
        vec![
            result.file.display().to_string(),
            count(result.records),
            result.sessions.to_string(),
            count(result.counts.inserted),
            count(result.counts.unchanged),
            count(result.counts.updated),
        ]
    });
    Ok(Answer::new(table(&["Imported", "Records", "Sessions", "New", "Same", "Changed"], 1, rows), json))
}

/// `1 file`, `2 files`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Imports one file, whole or not at all.
pub fn import_file(history: &mut dyn History, file: &Path, index: &str) -> Imported {
    let result = match is_index(file) {
        Ok(true) => import_index(history, file, index),
        Ok(false) => import_cotahist(history, file),
        Err(error) => Err(format!("{}: it cannot be read: {error}", file.display())),
    };
    result.unwrap_or_else(|error| Imported {
        file: file.to_owned(),
        imported: false,
        records: 0,
        sessions: 0,
        counts: ImportCounts::default(),
        kinds: BTreeMap::new(),
        flags: BTreeMap::new(),
        error: Some(error),
    })
}

/// A COTAHIST file begins with `00` or is a ZIP; an index file begins with its column names.
fn is_index(file: &Path) -> std::io::Result<bool> {
    let mut first = [0; 4];
    let read = File::open(file)?.read(&mut first)?;
    Ok(first[..read].eq_ignore_ascii_case(b"date"))
}

fn source(file: &Path, kind: &str, source: SourceName) -> Result<ImportSource, String> {
    let size = std::fs::metadata(file).map_err(|error| format!("{}: it cannot be read: {error}", file.display()))?;
    Ok(ImportSource {
        name: file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        kind: kind.to_owned(),
        source,
        size: size.len(),
        sha256: None,
        at: actors::Clock::System.now(),
    })
}

fn import_cotahist(history: &mut dyn History, file: &Path) -> Result<Imported, String> {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let failed = |error: StoreError| format!("{}: {}", file.display(), chain(&error));
    let mut import = history.begin_import(&source(file, "cotahist", COTAHIST)?).map_err(failed)?;
    let bar = bar(0, &name, true);
    let read = cotahist::read(
        file,
        |progress| {
            bar.set_length(progress.bytes_total);
            bar.set_position(progress.bytes_done);
        },
        |record| import.daily(record),
    );
    bar.finish_and_clear();
    // Dropping the import without a commit leaves nothing of the file behind.
    let summary = read.map_err(|error| match error {
        cotahist::ReadError::Stopped(cause) => format!("{}: {}", file.display(), chain(&cause)),
        refused => chain(&refused),
    })?;
    let counts = import.commit().map_err(failed)?;
    Ok(Imported {
        file: file.to_owned(),
        imported: true,
        records: summary.records,
        sessions: summary.sessions.len(),
        counts,
        kinds: summary.kinds.iter().map(|(kind, count)| (kind.name(), *count)).collect(),
        flags: summary.flags.iter().map(|(flag, count)| (flag.name().to_owned(), *count)).collect(),
        error: None,
    })
}

fn import_index(history: &mut dyn History, file: &Path, index: &str) -> Result<Imported, String> {
    let closes = feeds::index_csv::read(file).map_err(|error| chain(&error))?;
    let failed = |error: StoreError| format!("{}: {}", file.display(), chain(&error));
    let mut import = history.begin_import(&source(file, "index", INDEX_CSV)?).map_err(failed)?;
    for close in &closes {
        import.index_close(index, close).map_err(failed)?;
    }
    let counts = import.commit().map_err(failed)?;
    Ok(Imported {
        file: file.to_owned(),
        imported: true,
        records: closes.len() as u64,
        sessions: closes.len(),
        counts,
        kinds: BTreeMap::from([("index", closes.len() as u64)]),
        flags: BTreeMap::new(),
        error: None,
    })
}

fn stored(
    directory: &Path,
    symbols: &[Symbol],
    all: bool,
) -> Result<(store::embedded::EmbeddedHistory, Vec<Coverage>), Failure> {
    let store = EmbeddedStore::open_read_only(directory)?;
    let history = store.history()?;
    let market_types = if all { Vec::new() } else { vec![CASH_MARKET, FRACTIONAL_MARKET] };
    let coverage = history.coverage(&Filter { symbols: symbols.to_vec(), market_types, kinds: Vec::new() })?;
    Ok((history, coverage))
}

fn status(directory: &Path, symbols: &[Symbol], all: bool) -> Result<Answer, Failure> {
    let (history, coverage) = stored(directory, symbols, all)?;
    let imports = history.imports()?;
    let index = history.index_closes(crate::wiring::IBOVESPA, Date::MIN, Date::MAX)?;
    let sessions = history.sessions(Date::MIN, Date::MAX)?;
    let rows = coverage.iter().take(SHOWN).map(|listing| {
        vec![
            listing.symbol.to_string(),
            listing.kind.name().to_owned(),
            listing.first.to_string(),
            listing.last.to_string(),
            listing.sessions.to_string(),
        ]
    });
    let mut text = table(&["Symbol", "Kind", "First", "Last", "Sessions"], 4, rows);
    if coverage.len() > SHOWN {
        text.push_str(&format!("\n… and {} more; narrow it with --symbols A,B", coverage.len() - SHOWN));
    }
    let span = |first: Option<Date>, last: Option<Date>| match (first, last) {
        (Some(first), Some(last)) => format!("{first} to {last}"),
        _ => "none".to_owned(),
    };
    text.push_str(&format!(
        "\n{}, {} ({}), {} of the IBOVESPA ({}), {} imported",
        counted(coverage.len(), "listing"),
        counted(sessions.len(), "session"),
        span(sessions.first().copied(), sessions.last().copied()),
        counted(index.len(), "close"),
        span(index.first().map(|close| close.date), index.last().map(|close| close.date)),
        counted(imports.len(), "file"),
    ));
    let json = serde_json::json!({
        "listings": coverage,
        "sessions": sessions.len(),
        "first": sessions.first(),
        "last": sessions.last(),
        "index": { "name": crate::wiring::IBOVESPA, "closes": index.len() },
        "imports": imports,
    });
    Ok(Answer::new(text, json))
}

/// What is wrong with one symbol's history.
#[derive(Debug, Serialize)]
struct Finding {
    symbol: Symbol,
    sessions: usize,
    first: Date,
    last: Date,
    missing: Vec<Date>,
    phantom: Vec<Date>,
    unsound: Vec<Date>,
}

fn verify(directory: &Path, symbols: &[Symbol]) -> Result<Answer, Failure> {
    let (history, coverage) = stored(directory, symbols, false)?;
    let calendar = Calendar::b3();
    let listings: Vec<&Coverage> = coverage.iter().filter(|listing| listing.market_type == CASH_MARKET).collect();
    let progress = bar(listings.len() as u64, "Verifying", false);
    let mut findings = Vec::new();
    for listing in &listings {
        findings.push(finding(&history, &calendar, listing)?);
        progress.inc(1);
    }
    progress.finish_and_clear();
    let unknown: Vec<&Symbol> =
        symbols.iter().filter(|symbol| !listings.iter().any(|listing| listing.symbol == **symbol)).collect();
    if let Some(symbol) = unknown.first() {
        return Err(Failure::usage(format!("there is no cash-market history of {symbol}; see 'pregao data status'")));
    }
    // The last of the first days and the first of the last days bind what all symbols share.
    let begins = findings.iter().max_by_key(|finding| finding.first);
    let ends = findings.iter().min_by_key(|finding| finding.last);
    let faulty: Vec<&Finding> =
        findings.iter().filter(|f| !(f.missing.is_empty() && f.phantom.is_empty() && f.unsound.is_empty())).collect();
    let rows = faulty.iter().take(SHOWN).map(|finding| {
        let first = |dates: &[Date]| match dates {
            [] => "0".to_owned(),
            [first, ..] => format!("{} (from {first})", dates.len()),
        };
        vec![finding.symbol.to_string(), first(&finding.missing), first(&finding.phantom), first(&finding.unsound)]
    });
    let mut text = String::new();
    if faulty.is_empty() {
        text.push_str("No gaps, phantom sessions or unsound bars.");
    } else {
        text.push_str(&table(&["Symbol", "Missing sessions", "Phantom sessions", "Unsound bars"], 1, rows));
    }
    let common = begins.zip(ends).filter(|(begins, ends)| begins.first <= ends.last);
    match common {
        Some((begins, ends)) => {
            let alike = findings.iter().all(|f| (f.first, f.last) == (begins.first, ends.last));
            let bound = if alike {
                "the whole of each".to_owned()
            } else {
                format!("{} begins last, {} ends first", begins.symbol, ends.symbol)
            };
            let shared = counted(findings.len(), "symbol");
            text.push_str(&format!(
                "\n{shared} with history in common from {} to {}: {bound}",
                begins.first, ends.last
            ));
        }
        None if findings.is_empty() => {
            text.push_str("\nNothing is stored; import files with 'pregao data import FILE'.")
        }
        None => text.push_str("\nThe symbols share no history."),
    }
    let json = serde_json::json!({
        "symbols": findings.len(),
        "faulty": faulty,
        "common": common.map(|(begins, ends)| serde_json::json!({
            "from": begins.first, "to": ends.last, "begins_last": begins.symbol, "ends_first": ends.symbol,
        })),
    });
    Ok(Answer { degraded: !faulty.is_empty(), ..Answer::new(text, json) })
}

fn finding(history: &dyn History, calendar: &Calendar, listing: &Coverage) -> Result<Finding, StoreError> {
    let rows = history.daily(listing.symbol, Date::MIN, Date::MAX)?;
    let days: std::collections::BTreeSet<Date> = rows.iter().map(|row| row.date).collect();
    let expected = calendar.sessions(listing.first, listing.last);
    let sound = |row: &store::DailyBarRow| {
        row.low > market::Price::ZERO && row.low <= row.open.min(row.close) && row.open.max(row.close) <= row.high
    };
    Ok(Finding {
        symbol: listing.symbol,
        sessions: rows.len(),
        first: listing.first,
        last: listing.last,
        missing: expected.iter().filter(|day| !days.contains(day)).copied().collect(),
        phantom: days.iter().filter(|day| calendar.is_session(**day) == Some(false)).copied().collect(),
        unsound: rows.iter().filter(|row| !sound(row)).map(|row| row.date).collect(),
    })
}

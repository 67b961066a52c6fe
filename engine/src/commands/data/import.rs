//! `data import`: files into the history, each whole or not at all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use feeds::cotahist;
use feeds::files::{self, Hints, Kind};
use feeds::source::Item;
use market::history::SourceName;
use serde::Serialize;
use store::history::{COTAHIST, INDEX_CSV};
use store::{History, ImportCounts, ImportSource, StoreError};

use crate::collecting::put;
use crate::output::{Answer, Failure, bar, chain, table};

/// What became of one file.
#[derive(Debug, Serialize)]
pub struct Imported {
    /// The file.
    pub file: PathBuf,
    /// Whether it was taken.
    pub imported: bool,
    /// What kind of file it was; empty where that could not be told.
    pub kind: &'static str,
    /// Records in it.
    pub records: u64,
    /// Sessions in it.
    pub sessions: usize,
    /// What it did to the store.
    #[serde(flatten)]
    pub counts: ImportCounts,
    /// Records by kind of instrument or of item.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Records that are odd without being wrong, by flag.
    pub flags: BTreeMap<String, u64>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Imports files, and says of each what became of it.
pub fn import(history: &mut dyn History, files: &[PathBuf], hints: Hints) -> Result<Answer, Failure> {
    let overall = bar(files.len() as u64, "Importing", false);
    let several = files.len() > SHOWN_ALONE;
    let results: Vec<Imported> = files
        .iter()
        .map(|file| {
            let imported = import_file(history, file, hints, !several);
            overall.inc(1);
            imported
        })
        .collect();
    overall.finish_and_clear();
    let refused = results.iter().filter(|result| !result.imported).count();
    let json = serde_json::json!({ "files": results, "refused": refused });
    if refused > 0 {
        let errors = results.iter().filter_map(|result| result.error.clone());
        let taken = match results.len() - refused {
            0 => String::new(),
            taken => format!("; the other {taken} imported"),
        };
        let summary = format!("{refused} of {} refused, without a trace{taken}", super::counted(results.len(), "file"));
        let lines: Vec<String> = errors.chain([summary]).collect();
        return Err(Failure::Failed(lines.join("\n"), json));
    }
    let count = |count: u64| count.to_string();
    let rows = results.iter().map(|result| {
        vec![
            result.file.display().to_string(),
            result.kind.to_owned(),
            count(result.records),
            result.sessions.to_string(),
            count(result.counts.inserted),
            count(result.counts.unchanged),
            count(result.counts.updated),
        ]
    });
    let text = table(&["Imported", "Kind", "Records", "Sessions", "New", "Same", "Changed"], 2, rows);
    Ok(Answer::new(text, json))
}

/// Files up to which each has a bar of its own.
const SHOWN_ALONE: usize = 12;

/// Imports one file, whole or not at all.
pub fn import_file(history: &mut dyn History, file: &Path, hints: Hints, shows: bool) -> Imported {
    let result = match files::detect(file) {
        Ok(Kind::Cotahist) => import_cotahist(history, file, shows),
        Ok(kind) => import_other(history, file, kind, hints),
        Err(error) => Err((String::new(), chain(&error))).map_err(|(_, error)| error),
    };
    result.unwrap_or_else(|error| Imported { error: Some(error), ..nothing_of(file, "") })
}

fn nothing_of(file: &Path, kind: &'static str) -> Imported {
    Imported {
        file: file.to_owned(),
        imported: false,
        kind,
        records: 0,
        sessions: 0,
        counts: ImportCounts::default(),
        kinds: BTreeMap::new(),
        flags: BTreeMap::new(),
        error: None,
    }
}

fn source(file: &Path, kind: &'static str, source: SourceName) -> Result<ImportSource, String> {
    let size = std::fs::metadata(file).map_err(|error| format!("{}: it cannot be read: {error}", file.display()))?;
    Ok(ImportSource {
        name: name_of(file),
        kind: kind.to_owned(),
        source,
        size: size.len(),
        sha256: None,
        at: actors::Clock::System.now(),
    })
}

fn name_of(file: &Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn import_cotahist(history: &mut dyn History, file: &Path, shows: bool) -> Result<Imported, String> {
    let failed = |error: StoreError| format!("{}: {}", file.display(), chain(&error));
    let mut import = history.begin_import(&source(file, "cotahist", COTAHIST)?).map_err(failed)?;
    let bar = if shows { bar(0, &name_of(file), true) } else { indicatif::ProgressBar::hidden() };
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
        imported: true,
        records: summary.records,
        sessions: summary.sessions.len(),
        counts,
        kinds: summary.kinds.iter().map(|(kind, count)| (kind.name(), *count)).collect(),
        flags: summary.flags.iter().map(|(flag, count)| (flag.name().to_owned(), *count)).collect(),
        ..nothing_of(file, "cotahist")
    })
}

fn import_other(history: &mut dyn History, file: &Path, kind: Kind, hints: Hints) -> Result<Imported, String> {
    let name = kind.description().name;
    // A file of bars names its own source in every row; what it has of an index ranks by the kind of file.
    let from = if kind == Kind::IndexCsv { INDEX_CSV } else { rank_of(kind) };
    let failed = |error: StoreError| format!("{}: {}", file.display(), chain(&error));
    let mut import = history.begin_import(&source(file, name, from)?).map_err(failed)?;
    let (mut kinds, mut days) = (BTreeMap::new(), std::collections::BTreeSet::new());
    let mut take = |item: Item| {
        put(&mut *import, &item)?;
        *kinds.entry(item.name()).or_default() += 1;
        days.extend(item.date());
        Ok(())
    };
    let read = files::read(file, hints, &mut take).map_err(|error| chain(&error))?;
    let counts = import.commit().map_err(failed)?;
    let sessions = days.len();
    Ok(Imported { imported: true, records: read.items, sessions, counts, kinds, ..nothing_of(file, name) })
}

/// The source whose rank an index close of such a file has.
fn rank_of(kind: Kind) -> SourceName {
    match kind {
        Kind::YahooIndex => SourceName::of("yahoo"),
        Kind::Investing => SourceName::of("investing"),
        Kind::AlphaVantage => SourceName::of("alpha_vantage"),
        Kind::Composition => SourceName::of("composition_file"),
        _ => SourceName::of("file"),
    }
}

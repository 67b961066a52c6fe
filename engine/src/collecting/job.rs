//! A question to a source carried out: asked, decoded, kept, remembered.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use feeds::fetch::{Fetcher, Limits, MachineTime, Observer, Report, Run};
use feeds::source::{Ask, Secret, Settings, Source};
use serde_json::json;
use store::{History, ImportCounts};
use thiserror::Error;

use super::keeping::Keeping;
use super::memory::Memory;
use crate::config::{SourceConfig, SourcesConfig};

/// Why a question was not carried out.
#[derive(Debug, Error)]
pub enum JobError {
    /// The file of a secret.
    #[error("sources.{name}.secret_file: {path} cannot be read: {cause}")]
    Secret {
        /// Which source.
        name: String,
        /// Which file.
        path: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The source cannot be set up or asked.
    #[error(transparent)]
    Source(#[from] feeds::source::SourceError),
    /// The fetcher cannot be set up.
    #[error(transparent)]
    SetUp(#[from] feeds::fetch::SetUpError),
    /// There is none of that name.
    #[error("there is no source '{0}'; there are {1}")]
    Unknown(String, String),
    /// It is off.
    #[error("{name} is off: {reason}; set sources.{name}.enabled = true to use it all the same")]
    Off {
        /// Which.
        name: String,
        /// Why.
        reason: &'static str,
    },
}

/// A question and whom it is put to.
pub struct Job {
    source: Box<dyn Source>,
    fetcher: Fetcher,
}

/// What came of it.
#[derive(Debug)]
pub struct Finished {
    /// What the source said.
    pub report: Report,
    /// What it did to the history.
    pub counts: ImportCounts,
    /// Quotes, which no history keeps.
    pub left_out: u64,
}

/// The variable of the environment that may hold a source's secret.
pub fn secret_variable(name: &str) -> String {
    format!("PREGAO_SECRET_{}", name.to_uppercase())
}

impl Job {
    /// A source as the configuration wants it asked, downloading to `folder`.
    ///
    /// # Errors
    /// There is none of that name, it is off, or its secret or a certificate is no good.
    pub fn new(sources: &SourcesConfig, name: &str, folder: &Path) -> Result<Self, JobError> {
        let facts = feeds::source::facts(name).ok_or_else(|| {
            let names: Vec<&str> = feeds::source::names().collect();
            JobError::Unknown(name.to_owned(), names.join(", "))
        })?;
        let said = sources.of(name);
        if let Some(reason) = facts.off_because.filter(|_| !said.enabled) {
            return Err(JobError::Off { name: name.to_owned(), reason });
        }
        let settings = Settings { secret: secret(name, &said)?, base_url: said.base_url };
        let source = feeds::source::build(name, &settings)?;
        let time = Arc::new(MachineTime::new());
        let limits = Limits { tries: sources.tries, ..Limits::default() };
        let fetcher = Fetcher::new(limits, folder.to_owned(), sources.certificates.as_deref(), time)?;
        Ok(Self { source, fetcher })
    }

    /// The source.
    pub fn source(&self) -> &dyn Source {
        &*self.source
    }
}

fn secret(name: &str, said: &SourceConfig) -> Result<Option<Secret>, JobError> {
    if let Some(path) = &said.secret_file {
        let text = fs::read_to_string(path).map_err(|cause| JobError::Secret {
            name: name.to_owned(),
            path: path.display().to_string(),
            cause,
        })?;
        return Ok(text.lines().next().map(|line| Secret::new(line.trim())));
    }
    Ok(std::env::var(secret_variable(name)).ok().filter(|text| !text.is_empty()).map(Secret::new))
}

/// Asks, and keeps what comes.
///
/// # Errors
/// The source cannot be asked this. What went wrong with single requests stands in the report.
pub fn collect(
    job: &Job,
    ask: &Ask,
    history: &mut dyn History,
    memory: &mut Memory,
    observer: &dyn Observer,
    stop: &AtomicBool,
) -> Result<Finished, JobError> {
    let mut keeping = Keeping::new(history);
    let run = Run { validators: memory, sink: &mut keeping, observer, stop };
    let report = job.fetcher.fetch(job.source(), ask, run)?;
    let Keeping { counts, left_out, .. } = keeping;
    Ok(Finished { report, counts, left_out })
}

impl Finished {
    /// Whether everything that was asked for was answered.
    pub fn is_whole(&self) -> bool {
        self.report.errors.is_empty() && self.report.not_asked == 0
    }

    /// In a sentence.
    pub fn summary(&self) -> String {
        let Report { requests, not_modified, nothing, items, errors, not_asked, .. } = &self.report;
        let mut text = format!(
            "{requests} requests: {items} items, {} new, {} the same, {} changed",
            self.counts.inserted, self.counts.unchanged, self.counts.updated
        );
        let mut also = |count: u64, what: &str| {
            if count > 0 {
                text.push_str(&format!(", {count} {what}"));
            }
        };
        also(*not_modified, "not changed since the last time");
        also(nothing.len() as u64, "with nothing there");
        also(self.counts.outranked, "outranked by a better source");
        also(self.left_out, "not kept");
        also(errors.len() as u64, "failed");
        also(*not_asked, "not asked any more");
        text
    }

    /// For programs.
    pub fn json(&self) -> serde_json::Value {
        let Report { requests, not_modified, nothing, items, bytes, errors, not_asked, newest } = &self.report;
        let nothing: Vec<_> = nothing.iter().map(|(key, why)| json!({ "request": key, "meaning": why })).collect();
        let errors: Vec<_> = errors
            .iter()
            .map(|error| json!({ "request": error.key, "tries": error.tries, "error": crate::output::chain(error) }))
            .collect();
        json!({
            "requests": requests, "not_modified": not_modified, "nothing": nothing, "items": items, "bytes": bytes,
            "errors": errors, "not_asked": not_asked, "newest": newest.map(|newest| newest.to_string()),
            "left_out": self.left_out, "inserted": self.counts.inserted, "unchanged": self.counts.unchanged,
            "updated": self.counts.updated, "outranked": self.counts.outranked,
        })
    }
}

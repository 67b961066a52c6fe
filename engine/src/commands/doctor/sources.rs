//! Where market data is fetched from: whether what each collection needs is there, and how far it has come.

use history::schedule::Collected;
use market::Timestamp;

use super::directory::readable;
use super::{Finding, Patient};
use crate::collecting::{Job, Memory};
use crate::config::Collection;

/// Certificates, and for each collection its source with its secret. Nothing is asked.
pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    let config = &patient.config;
    let mut findings = Vec::new();
    if let Some(path) = &config.sources.certificates {
        let finding = match readable(path) {
            Ok(()) => Finding::ok(format!("{} can be read", path.display())),
            Err(problem) => Finding::failed(problem, "correct sources.certificates"),
        };
        findings.push(finding.named("certificates"));
    }
    let mut names: Vec<&str> = config.collections.iter().map(|collection| collection.source).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let finding = match Job::new(&config.sources, name, &config.data_directory.join("downloads")) {
            Ok(_) => Finding::ok("can be asked"),
            Err(error) => Finding::error(&error, "see [sources] in docs/configuration.md"),
        };
        findings.push(finding.named(name));
    }
    if findings.is_empty() {
        findings.push(Finding::not_configured("nothing is collected by itself", "add a [[collect]] section"));
    }
    findings
}

/// How far each has come; nothing where there are none.
pub(super) fn collections(patient: &Patient) -> Vec<Finding> {
    let config = &patient.config;
    if config.collections.is_empty() {
        return Vec::new();
    }
    let memory = match Memory::look(&config.data_directory) {
        Ok(memory) => memory,
        Err(error) => return vec![Finding::error(&error, "look at the file")],
    };
    let calendar = config.calendar.calendar();
    let finding = |collection: &Collection| {
        let known = memory.get(&collection.name).copied().unwrap_or_default();
        let collected = Collected { through: known.through, last: known.last.map(Timestamp::from_nanos) };
        let through = known.through.map_or_else(|| "nothing yet".to_owned(), |day| format!("complete up to {day}"));
        let found = match collection.schedule.due(collected, &calendar, patient.now) {
            None => return Finding::ok(through),
            Some(due) => format!("{through}; {} to {} is due", due.from, due.to),
        };
        Finding::warning(found, "the running daemon collects it; if it stays so, look for its chore in the log")
    };
    config.collections.iter().map(|of| finding(of).named(of.name.clone())).collect()
}

//! One file per source: its facts, its addresses, its decoder. What several of them need is here.

pub mod b3_cotahist;

use market::Symbol;
use sha2::{Digest, Sha256};

use crate::source::{Facts, Settings, SourceError};

/// The address of a source, or that of a mirror or test that stands in for it.
fn base_url(settings: &Settings, own: &str) -> String {
    settings.base_url.clone().unwrap_or_else(|| own.to_owned())
}

/// The name of a request that brings some symbols only. What was kept for other symbols must not count
/// for these, so they are part of it.
fn key(what: &str, symbols: &[Symbol]) -> String {
    const NAMED: usize = 5;
    match symbols {
        [] => what.to_owned(),
        _ if symbols.len() <= NAMED => {
            let names: Vec<&str> = symbols.iter().map(Symbol::as_str).collect();
            format!("{what} of {}", names.join(","))
        }
        _ => {
            let mut hasher = Sha256::new();
            symbols.iter().for_each(|symbol| hasher.update(format!("{symbol},")));
            let digest = hasher.finalize();
            let start: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
            format!("{what} of {} symbols {start}", symbols.len())
        }
    }
}

/// A question that this source does not answer.
fn not_answered(facts: &Facts, problem: impl Into<String>, remedy: impl Into<String>) -> SourceError {
    SourceError::NotAnswered { source_name: facts.name, problem: problem.into(), remedy: remedy.into() }
}

/// Refuses a question that this source does not answer at all, or whose days are the wrong way round.
fn check(facts: &Facts, ask: &crate::source::Ask) -> Result<(), SourceError> {
    if !facts.answers.contains(&ask.subject) {
        let answers: Vec<String> = facts.answers.iter().map(|subject| format!("{subject:?}")).collect();
        let remedy = format!("it can be asked for {}", answers.join(", "));
        return Err(not_answered(facts, format!("{:?}", ask.subject), remedy));
    }
    if ask.from > ask.to {
        return Err(not_answered(facts, format!("from {} to {}", ask.from, ask.to), "swap the two days"));
    }
    Ok(())
}

//! Writes into the audit what people did to this daemon by the command line, the control socket and signals.
//!
//! An act is written down after it was done or refused, never before: whoever stops trading waits for nobody.
//! One that cannot be written down is told in the log, whole.

use std::sync::{Arc, Mutex, PoisonError};

use actors::Clock;
use store::audit::{LONGEST_REASON, LONGEST_WORD};
use store::{Audit, AuditRecord, Outcome};

/// Who acts, and by which way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    /// A person's or client's name.
    pub who: String,
    /// `viewer`, `operator`, `admin`; empty where there are no roles.
    pub role: String,
    /// `cli`, `http`, `signal`, `engine` ….
    pub origin: &'static str,
}

impl Actor {
    /// Somebody on this machine, whom the file system let in.
    pub fn local(who: &str) -> Self {
        Self { who: who.to_owned(), role: String::new(), origin: "cli" }
    }

    /// A signal, which carries no name.
    pub fn signal(name: &str) -> Self {
        Self { who: name.to_owned(), role: String::new(), origin: "signal" }
    }
}

/// The audit as this process writes it. Copies write to the same one.
#[derive(Clone)]
pub struct Auditor(Arc<Mutex<Box<dyn Audit>>>);

/// What was done, or was to be done.
#[derive(Clone, Debug, Default)]
pub struct Act {
    /// `configuration.apply`, `halt`, `resume` ….
    pub action: &'static str,
    /// To what.
    pub target: String,
    /// Why.
    pub reason: String,
    /// What it was before.
    pub before: Option<serde_json::Value>,
    /// What it is afterwards, or would have been.
    pub after: Option<serde_json::Value>,
}

impl Auditor {
    /// Over this audit.
    pub fn new(audit: Box<dyn Audit>) -> Self {
        Self(Arc::new(Mutex::new(audit)))
    }

    /// Writes an act down; durable when this returns, or told in the log.
    pub fn note(&self, actor: &Actor, act: Act, outcome: Outcome) {
        let Act { action, target, reason, before, after } = act;
        let record = AuditRecord {
            at: Clock::System.now(),
            who: kept(&actor.who, LONGEST_WORD),
            role: kept(&actor.role, LONGEST_WORD),
            origin: actor.origin.to_owned(),
            action: action.to_owned(),
            target: kept(&target, LONGEST_WORD),
            reason: kept(&reason, LONGEST_REASON),
            before: before.map(|state| state.to_string()),
            after: after.map(|state| state.to_string()),
            outcome,
        };
        let appended = self.0.lock().unwrap_or_else(PoisonError::into_inner).append(&record);
        match appended {
            Ok(number) => tracing::info!(number, who = record.who, action, target = record.target, %outcome, "audit"),
            Err(error) => tracing::error!(%error, ?record, "an act could not be written to the audit"),
        }
    }
}

/// As much of a text as the audit takes. A row cut short says more than one that was refused.
fn kept(text: &str, longest: usize) -> String {
    let mut kept = String::new();
    for letter in text.chars().map(|letter| if letter == '\0' { char::REPLACEMENT_CHARACTER } else { letter }) {
        if kept.len() + letter.len_utf8() > longest {
            break;
        }
        kept.push(letter);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::EmbeddedStore;

    #[test]
    fn what_people_type_is_always_written_down() {
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(directory.path()).unwrap();
        let auditor = Auditor::new(Box::new(store.audit().unwrap()));
        let long = "ção\0".repeat(100_000);
        let act = Act { action: "resume", target: long.clone(), reason: long.clone(), ..Act::default() };
        auditor.note(&Actor::local(&long), act, Outcome::Denied);
        let row = store.audit().unwrap().last().unwrap().unwrap();
        assert!(row.record.who.starts_with("ção\u{fffd}ção") && row.record.reason.len() > 1_000);
        assert_eq!((row.record.origin.as_str(), row.record.outcome), ("cli", Outcome::Denied));
    }
}

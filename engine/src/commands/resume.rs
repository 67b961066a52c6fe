//! `resume`: lifts a halt while the daemon is stopped. A named person says why; both are kept.

use actors::Clock;
use risk::HaltLevel;
use store::{EmbeddedStore, HaltRecord, HaltStore};

use crate::config::{Overrides, data_directory};
use crate::output::{Answer, Failure};

/// Lifts the halt. The store is opened for writing, so this fails while a daemon runs on it.
pub fn resume(overrides: &Overrides, by: &str, reason: &str) -> Result<Answer, Failure> {
    for (what, text) in [("--by", by), ("--reason", reason)] {
        if text.trim().is_empty() {
            return Err(Failure::usage(format!("{what} is empty: resuming takes a named person and a reason")));
        }
    }
    let directory = data_directory(overrides)?;
    // Reading first: a directory without a store has nothing to resume, and none is made.
    EmbeddedStore::open_read_only(&directory)?;
    let store = EmbeddedStore::open(&directory)?;
    let mut halt = store.halt()?;
    // A record that cannot be read halts; a new one on top of it is what lifts that, too.
    let before = halt.load_halt().map_or_else(
        |_| HaltLevel::Halted.name().to_owned(),
        |record| record.map_or_else(|| HaltLevel::Active.name().to_owned(), |record| record.level),
    );
    let record = HaltRecord {
        level: HaltLevel::Active.name().to_owned(),
        reason: reason.to_owned(),
        by: by.to_owned(),
        at: Clock::System.now(),
    };
    halt.save_halt(&record)?;
    let text = format!("Was {before}, now active. The next 'pregao run' trades.");
    Ok(Answer::new(text, serde_json::json!({ "before": before, "now": record.level, "by": by, "reason": reason })))
}

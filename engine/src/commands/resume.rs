//! `resume`: lifts a halt, or accepts a difference between book and broker, while the daemon is stopped.
//! A named person says why; both are kept.

use std::borrow::Cow;

use actors::Clock;
use desk::Entry;
use market::Symbol;
use risk::{HaltLevel, HaltScope, HaltSwitch};
use store::{AccountTag, EmbeddedStore, HaltRecord, HaltStore, Journal, JournalEntry, Ledger};

use crate::config::{Config, Overrides, load, places};
use crate::ledger;
use crate::output::{Answer, Failure};

/// Lifts the halt, or with a symbol accepts its difference. The store is opened for writing, so this
/// fails while a daemon runs on it.
pub fn resume(overrides: &Overrides, by: &str, reason: &str, symbol: Option<Symbol>) -> Result<Answer, Failure> {
    for (what, text) in [("--by", by), ("--reason", reason)] {
        if text.trim().is_empty() {
            return Err(Failure::usage(format!("{what} is empty: resuming takes a named person and a reason")));
        }
    }
    let places = places(overrides)?;
    let directory = &places.data_directory;
    // Reading first: a directory without a store has nothing to resume, and none is made.
    EmbeddedStore::open_read_only(directory)?;
    let store = EmbeddedStore::open(directory)?;
    let ledger = ledger::open(&places, &store)?;
    // Whose journal it is, only a whole configuration tells.
    match symbol {
        Some(symbol) => accept(&load(overrides)?, &*ledger, symbol, by, reason),
        None => {
            if let Ok(config) = load(overrides) {
                accept_account(&config, &*ledger, by, reason)?;
            }
            lift(&mut ledger::halt(&places, &store, &*ledger)?, by, reason)
        }
    }
}

fn lift(halt: &mut dyn HaltStore, by: &str, reason: &str) -> Result<Answer, Failure> {
    // A record that cannot be read halts; a new one on top of it is what lifts that, too.
    let switch = HaltSwitch::default();
    let _ = actors::halt::establish(&switch, halt.load_halts());
    let before = switch.level().name();
    let record = HaltRecord {
        scope: HaltScope::Global.to_string(),
        level: HaltLevel::Active.name().to_owned(),
        reason: reason.to_owned(),
        by: by.to_owned(),
        at: Clock::System.now(),
    };
    halt.save_halt(&record)?;
    let text = format!("Was {before}, now active. The next 'pregao run' trades.");
    Ok(Answer::new(text, serde_json::json!({ "before": before, "now": record.level, "by": by, "reason": reason })))
}

fn accept(config: &Config, ledger: &dyn Ledger, symbol: Symbol, by: &str, reason: &str) -> Result<Answer, Failure> {
    write(config, ledger, Some(symbol), by, reason)?;
    let text = format!("{symbol}: the broker's figure counts from the next comparison on.");
    Ok(Answer::new(text, serde_json::json!({ "accepted": symbol, "by": by, "reason": reason })))
}

/// Lifting a halt of the whole account also accepts what stopped it, if the journal says that it did.
fn accept_account(config: &Config, ledger: &dyn Ledger, by: &str, reason: &str) -> Result<(), Failure> {
    let account: AccountTag = config.account.tag.parse().map_err(Failure::failed)?;
    let mut stopped = false;
    ledger.journal()?.read(account, 1, &mut |entry| {
        match &*entry.kind {
            "break" => stopped |= entry.payload.contains(r#""instrument":null"#),
            "break_accepted" => stopped &= !entry.payload.contains(r#""symbol":null"#),
            _ => {}
        }
        Ok(())
    })?;
    if stopped { write(config, ledger, None, by, reason) } else { Ok(()) }
}

fn write(config: &Config, ledger: &dyn Ledger, symbol: Option<Symbol>, by: &str, reason: &str) -> Result<(), Failure> {
    let account: AccountTag = config.account.tag.parse().map_err(Failure::failed)?;
    let mut right = ledger::Right::take(ledger, &config.account.tag)?;
    let mut journal = ledger.journal()?;
    let entry = Entry::BreakAccepted { symbol, by: by.to_owned(), reason: reason.to_owned() };
    let entry = JournalEntry {
        account,
        sequence: journal.last_sequence(account)? + 1,
        at: Clock::System.now(),
        kind: Cow::Borrowed(entry.kind()),
        payload: serde_json::to_string(&entry).map_err(Failure::failed)?,
    };
    journal.append(&[entry])?;
    right.release();
    Ok(())
}

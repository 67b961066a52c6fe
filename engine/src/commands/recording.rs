//! The recorded journal of an account, read beside whoever writes it.

use desk::{Entry, ReplayError};
use market::Timestamp;
use store::{AccountTag, Journal};

use crate::config::{Overrides, places};
use crate::ledger;
use crate::output::{Failure, bar};

/// How often the progress bar is told.
const TELL_EVERY: u64 = 256;

/// An account's journal.
pub struct Recording {
    journal: Box<dyn Journal>,
    /// Whose.
    pub account: AccountTag,
}

impl Recording {
    /// Opens the journal of the named account, or of the only one that there is.
    pub fn open(overrides: &Overrides, named: Option<AccountTag>) -> Result<Self, Failure> {
        let ledger = ledger::open_read_only(&places(overrides)?)?;
        let journal = ledger.journal()?;
        let accounts = journal.accounts()?;
        let names = || accounts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let account = match (named, accounts.as_slice()) {
            (_, []) => {
                let place = ledger.place();
                let message = format!("the journal in {place} is empty: nothing has been traded there yet");
                return Err(Failure::Failed(message, serde_json::Value::Null));
            }
            (Some(account), known) if known.contains(&account) => account,
            (Some(account), _) => {
                return Err(Failure::usage(format!("the journal has no account {account}: it has {}", names())));
            }
            (None, [only]) => *only,
            (None, _) => {
                return Err(Failure::usage(format!("the journal has accounts {}: choose one by --account", names())));
            }
        };
        Ok(Self { journal, account })
    }

    /// Hands over every entry in order, with a progress bar of this name.
    pub fn read(
        &self,
        what: &str,
        mut visit: impl FnMut(u64, Timestamp, Entry) -> Result<(), ReplayError>,
    ) -> Result<(), Failure> {
        let progress = bar(self.journal.last_sequence(self.account)?, what, false);
        let mut failed = None;
        self.journal.read(self.account, 1, &mut |stored| {
            if failed.is_some() {
                return Ok(());
            }
            if stored.sequence.is_multiple_of(TELL_EVERY) {
                progress.set_position(stored.sequence);
            }
            failed = match serde_json::from_str(&stored.payload) {
                Ok(entry) => visit(stored.sequence, stored.at, entry).err().map(Failure::failed),
                Err(error) => Some(Failure::Failed(
                    format!(
                        "journal entry {} ({}) cannot be read: {error}; read it with the version that wrote it",
                        stored.sequence, stored.kind
                    ),
                    serde_json::Value::Null,
                )),
            };
            Ok(())
        })?;
        progress.finish_and_clear();
        failed.map_or(Ok(()), Err)
    }
}

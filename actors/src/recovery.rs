//! Recovery: reads an account's journal, from its latest snapshot on, into what a protocol begins from.
//!
//! The program does it once to give a paper exchange its open orders back, the Account each time it
//! starts: one path, walked every day.

use std::sync::PoisonError;

use desk::{DeskSettings, Restore, Restored};
use ractor::ActorProcessingErr;
use risk::HaltSwitch;
use store::AccountTag;

use crate::journal::SharedJournal;

/// Reads the account's journal. A snapshot is used if it is at or before `snapshot_at_most`; the record
/// of fills goes back to entry `record_after`.
///
/// # Errors
/// The journal cannot be read, or does not lead to a desk.
pub fn read(
    journal: &SharedJournal,
    settings: DeskSettings,
    strategies: Vec<String>,
    halt: HaltSwitch,
    snapshot_at_most: u64,
    record_after: u64,
) -> Result<Restored, ActorProcessingErr> {
    let account: AccountTag = settings.account.parse()?;
    let store = journal.lock().unwrap_or_else(PoisonError::into_inner);
    let mut restore = Restore::new(settings.clone(), strategies.clone(), halt.clone(), record_after);
    let mut from = 1;
    if let Some(snapshot) = store.latest_snapshot(account, snapshot_at_most)? {
        match restore.snapshot(snapshot.sequence, snapshot.at, &snapshot.payload) {
            Ok(()) => from = snapshot.sequence + 1,
            Err(error) => {
                // The journal is the truth; a snapshot only saves time.
                tracing::error!(%error, "snapshot passed over, reading the whole journal");
                restore = Restore::new(settings, strategies, halt, record_after);
            }
        }
    }
    let mut failed = None;
    store.read(account, from, &mut |entry| {
        if failed.is_none() {
            failed = restore.entry(entry.sequence, entry.at, &entry.payload).err();
        }
        Ok(())
    })?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(restore.finish()?),
    }
}

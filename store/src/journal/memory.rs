//! A journal without a disk, for backtests, benches and tests: same rules, same chain, gone with
//! the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::digest::Digest;
use crate::error::StoreError;
use crate::journal::{AccountTag, Head, Journal, JournalEntry, KEPT_SNAPSHOTS, Place, Snapshot};

type Entries = BTreeMap<AccountTag, Vec<(JournalEntry, Digest)>>;
/// Memory does not get damaged, and its entries never change: a snapshot needs no link here.
type Snapshots = BTreeMap<AccountTag, BTreeMap<u64, Snapshot>>;

/// Journal in memory. Clones share the entries: one can write while another looks, and a test can
/// "restart" a writer over what its predecessor left.
#[derive(Clone, Default, Debug)]
pub struct MemoryJournal {
    entries: Arc<Mutex<Entries>>,
    snapshots: Arc<Mutex<Snapshots>>,
}

impl MemoryJournal {
    /// Without entries.
    pub fn new() -> Self {
        Self::default()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // No code panics while it holds the lock, so a poisoned one still guards whole batches.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn snapshots(&self) -> MutexGuard<'_, Snapshots> {
        self.snapshots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for MemoryJournal {
    fn append(&mut self, batch: &[JournalEntry]) -> Result<(), StoreError> {
        let mut entries = self.entries();
        let mut added = Vec::with_capacity(batch.len());
        for entry in batch {
            let stored = entries.entry(entry.account).or_default();
            match append_one(stored, entry) {
                Ok(true) => added.push(entry.account),
                Ok(false) => {}
                Err(error) => {
                    // All or none: take back what this batch has added so far.
                    for account in added {
                        entries.entry(account).or_default().pop();
                    }
                    entries.retain(|_, stored| !stored.is_empty());
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn last_sequence(&self, account: AccountTag) -> Result<u64, StoreError> {
        Ok(self.entries().get(&account).map_or(0, |stored| head(stored).sequence))
    }

    fn read(
        &self,
        account: AccountTag,
        from_sequence: u64,
        visit: &mut dyn FnMut(JournalEntry) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let from = usize::try_from(from_sequence.max(1) - 1).unwrap_or(usize::MAX);
        // One at a time, so that `visit` may use the journal too.
        for place in from.. {
            let Some((entry, stored, before)) = self.entries().get(&account).and_then(|all| {
                let (entry, stored) = all.get(place)?;
                Some((entry.clone(), *stored, head(&all[..place])))
            }) else {
                break;
            };
            before.check(&entry, stored)?;
            visit(entry)?;
        }
        Ok(())
    }

    fn save_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), StoreError> {
        let &Snapshot { account, sequence, .. } = snapshot;
        if !(1..=self.last_sequence(account)?).contains(&sequence) {
            return Err(StoreError::SnapshotWithoutEntry { account, sequence });
        }
        let mut snapshots = self.snapshots();
        let kept = snapshots.entry(account).or_default();
        kept.insert(sequence, snapshot.clone());
        while kept.len() > KEPT_SNAPSHOTS {
            kept.pop_first();
        }
        Ok(())
    }

    fn latest_snapshot(&self, account: AccountTag, at_most: u64) -> Result<Option<Snapshot>, StoreError> {
        let snapshots = self.snapshots();
        let latest = snapshots.get(&account).and_then(|kept| kept.range(..=at_most).next_back());
        Ok(latest.map(|(_, snapshot)| snapshot.clone()))
    }

    fn accounts(&self) -> Result<Vec<AccountTag>, StoreError> {
        Ok(self.entries().keys().copied().collect())
    }
}

fn head(stored: &[(JournalEntry, Digest)]) -> Head {
    stored.last().map_or(Head::START, |(entry, hash)| Head { sequence: entry.sequence, hash: *hash })
}

/// Whether the entry was new.
fn append_one(stored: &mut Vec<(JournalEntry, Digest)>, entry: &JournalEntry) -> Result<bool, StoreError> {
    let head = head(stored);
    match head.place(entry)? {
        Place::Next => {
            stored.push((entry.clone(), head.after(entry).hash));
            Ok(true)
        }
        Place::Taken => {
            let place = usize::try_from(entry.sequence - 1).unwrap_or(usize::MAX);
            if stored.get(place).is_some_and(|(held, _)| held == entry) {
                return Ok(false);
            }
            Err(StoreError::JournalConflict { account: entry.account, sequence: entry.sequence })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract;

    #[test]
    fn keeps_the_contract() {
        contract::check(contract::journal::ALL, || {
            let journal = MemoryJournal::new();
            Box::new(move || Box::new(journal.clone()))
        });
    }
}

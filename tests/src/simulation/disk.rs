//! The store: what is durable outlives every process, and nothing else does.
//!
//! The chain and its rules are the real ones (`store::MemoryJournal`); here is what a disk or a server
//! adds: a writer that may be fenced off, errors, and batches that a crash tears.

use std::collections::BTreeMap;

use market::{ClientOrderId, Timestamp};
use risk::{HaltLevel, HaltScope};
use store::{AccountTag, Journal, JournalEntry, MemoryJournal, Snapshot};

/// A snapshot, and whether it can still be read.
#[derive(Clone, Debug)]
pub struct Kept {
    pub snapshot: Snapshot,
    pub damaged: bool,
}

/// Why a write did not succeed, as far as the writer can tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DiskError {
    /// Another process has taken over.
    Fenced,
    /// No room, read-only, no answer.
    Failed(String),
}

/// The store.
pub struct Disk {
    pub journal: MemoryJournal,
    pub account: AccountTag,
    /// The epoch of whoever may write.
    pub epoch: u64,
    /// Until when nobody else may take over. True time, which the store's clock keeps.
    pub lease_until: i64,
    /// The halt record: every scope that is not active.
    pub halts: BTreeMap<HaltScope, HaltLevel>,
    /// Latest last.
    pub snapshots: Vec<Kept>,
    /// Writes fail until then.
    pub error_until: i64,
    /// Durable intents: how many of each kind an order has.
    intents: BTreeMap<ClientOrderId, (u32, u32)>,
}

impl Disk {
    /// An empty store; a person has said that trading may begin.
    pub fn new(account: AccountTag) -> Self {
        Self {
            journal: MemoryJournal::new(),
            account,
            epoch: 0,
            lease_until: i64::MIN,
            halts: BTreeMap::new(),
            snapshots: Vec::new(),
            error_until: i64::MIN,
            intents: BTreeMap::new(),
        }
    }

    /// The last entry.
    pub fn last(&self) -> u64 {
        self.journal.last_sequence(self.account).unwrap_or_default()
    }

    /// Stores these entries, or says why not; gives how many of them were known.
    ///
    /// # Errors
    /// Whoever writes has been fenced off, or the chain does not take them.
    pub fn append(&mut self, epoch: u64, entries: &[JournalEntry]) -> Result<usize, DiskError> {
        if epoch < self.epoch {
            return Err(DiskError::Fenced);
        }
        let last = self.last();
        self.journal.append(entries).map_err(|error| DiskError::Failed(error.to_string()))?;
        let known = entries.iter().filter(|entry| entry.sequence <= last).count();
        for entry in &entries[known..] {
            let place = match entry.kind.as_ref() {
                "intent" => 0,
                "replace_intent" => 1,
                _ => continue,
            };
            if let Some(id) = named_order(&entry.payload) {
                let counts = self.intents.entry(id).or_default();
                if place == 0 { counts.0 += 1 } else { counts.1 += 1 }
            }
        }
        Ok(known)
    }

    /// Whether an order's intent is durable.
    pub fn holds_intent(&self, id: ClientOrderId) -> bool {
        self.intents.get(&id).is_some_and(|counts| counts.0 > 0)
    }

    /// How many replaces of an order are durable.
    pub fn replaces(&self, id: ClientOrderId) -> u32 {
        self.intents.get(&id).map_or(0, |counts| counts.1)
    }

    /// Keeps a snapshot of entries that are durable.
    pub fn keep(&mut self, snapshot: Snapshot, damaged: bool) {
        if snapshot.sequence <= self.last() {
            self.snapshots.push(Kept { snapshot, damaged });
            if self.snapshots.len() > store::journal::KEPT_SNAPSHOTS {
                self.snapshots.remove(0);
            }
        }
    }

    /// The entries, each checked against the chain.
    ///
    /// # Errors
    /// The chain is broken.
    pub fn read(&self, from: u64, mut visit: impl FnMut(u64, Timestamp, &str)) -> Result<(), String> {
        let visit = &mut |entry: JournalEntry| {
            visit(entry.sequence, entry.at, &entry.payload);
            Ok(())
        };
        self.journal.read(self.account, from, visit).map_err(|error| error.to_string())
    }
}

/// The order that an entry's text names.
pub fn named_order(payload: &str) -> Option<ClientOrderId> {
    const KEY: &str = "\"client_order_id\":\"";
    let from = payload.find(KEY)? + KEY.len();
    payload.get(from..from + 20)?.parse().ok()
}

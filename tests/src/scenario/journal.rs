//! The journal of a scenario: keeps what it is given, and can be slow, silent or broken.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use desk::{Entry, Input, Written};
use market::{ClientOrderId, Timestamp};

/// How it behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Conduct {
    /// Everything is durable at once, and the answer says so.
    Works,
    /// Nothing becomes durable and nothing is answered.
    Stalls,
    /// Everything is durable at once, and the answer is lost on its way.
    Mute,
    /// Everything is refused.
    Fails,
}

pub(super) struct Journal {
    conduct: Conduct,
    /// Everything that was ever given to it, by sequence.
    written: BTreeMap<u64, Arc<Written>>,
    /// What survives a crash: up to here.
    durable: u64,
    /// Answers held back: conversation, and up to where.
    held: VecDeque<(u64, u64)>,
}

impl Journal {
    pub(super) fn new() -> Self {
        Self { conduct: Conduct::Works, written: BTreeMap::new(), durable: 0, held: VecDeque::new() }
    }

    /// Takes entries in; gives its answer, if it has one.
    pub(super) fn take(&mut self, writer: u64, entries: &[Arc<Written>]) -> Result<Option<Input>, String> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(None) };
        for entry in entries {
            let before = self.written.insert(entry.sequence, Arc::clone(entry));
            if before.is_some_and(|before| before != *entry) {
                return Err(format!("journal entry {} came twice, and differs", entry.sequence));
            }
        }
        let failed = |reason: &str| Ok(Some(Input::JournalFailed { writer, reason: reason.to_owned() }));
        match self.conduct {
            Conduct::Fails => failed("the disk is full"),
            // What came before this was never made durable.
            Conduct::Works | Conduct::Mute if first.sequence > self.durable + 1 => failed("entries are missing"),
            Conduct::Works => {
                self.durable = self.durable.max(last.sequence);
                Ok(Some(Input::Committed { writer, through: last.sequence }))
            }
            Conduct::Mute => {
                self.durable = self.durable.max(last.sequence);
                self.held.push_back((writer, last.sequence));
                Ok(None)
            }
            Conduct::Stalls => {
                self.held.push_back((writer, last.sequence));
                Ok(None)
            }
        }
    }

    /// Behaves like this from now on; gives the answers that were held back, if it works again.
    pub(super) fn conduct(&mut self, conduct: Conduct) -> Vec<Input> {
        self.conduct = conduct;
        if conduct != Conduct::Works {
            return Vec::new();
        }
        let answers = std::mem::take(&mut self.held).into_iter().map(|(writer, through)| {
            self.durable = self.durable.max(through);
            Input::Committed { writer, through }
        });
        answers.collect()
    }

    /// What was not durable is gone.
    pub(super) fn crash(&mut self) {
        self.held.clear();
        let durable = self.durable;
        self.written.retain(|sequence, _| *sequence <= durable);
    }

    /// An entry that a person writes while no engine runs.
    pub(super) fn write(&mut self, at: Timestamp, entry: &Entry) -> Result<(), String> {
        let payload = serde_json::to_string(entry).map_err(|error| error.to_string())?;
        self.durable += 1;
        let written = Written { sequence: self.durable, at, kind: entry.kind(), payload };
        self.written.insert(self.durable, Arc::new(written));
        Ok(())
    }

    /// Everything after an entry, durable or not.
    pub(super) fn after(&self, sequence: u64) -> impl Iterator<Item = &Arc<Written>> {
        self.written.range(sequence + 1..).map(|(_, written)| written)
    }

    /// The last entry that survives a crash.
    pub(super) fn durable(&self) -> u64 {
        self.durable
    }

    /// Whether the intent of an order survives a crash.
    pub(super) fn has_intent(&self, id: ClientOrderId) -> bool {
        let name = id.to_string();
        let durable = self.written.range(..=self.durable).map(|(_, written)| written);
        durable.filter(|written| written.kind == "intent").any(|written| written.payload.contains(&name))
    }
}

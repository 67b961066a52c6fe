//! A journal that keeps what the proof asks for and forgets the rest: millions of orders would not fit in
//! memory. What became of an order is the engine's own word in it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use desk::Entry;
use market::{ClientOrderId, InstrumentId, ReportKind, StrategyId};
use store::journal::AccountTag;
use store::{Journal, JournalEntry, StoreError};

use super::pause;

/// How long an append takes. With none the orders of one quote would come to the gate in one burst, and a kill
/// would find all of them or none.
const APPEND: Duration = Duration::from_micros(25);

/// Whose order, and of what.
pub type Whose = (StrategyId, InstrumentId);

/// What the engine wrote since it was last asked.
#[derive(Default, Debug)]
pub struct Written {
    /// Intents.
    pub intents: u64,
    /// Orders that traded.
    pub traded: u64,
    /// Orders that the gate held back because of a halt, in order.
    pub halted: Vec<Whose>,
    /// Orders that it held back because the monitors' lease had run out.
    pub lapsed: u64,
    /// Whatever else came between an intent and a trade, in the engine's words.
    pub other: Vec<String>,
}

impl Written {
    /// Orders of which it is known what became of them.
    pub fn ended(&self) -> u64 {
        self.traded + self.halted.len() as u64 + self.lapsed + self.other.len() as u64
    }
}

/// The journal. Copies are of the same one.
#[derive(Clone, Default)]
pub struct Paper(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    last: u64,
    open: HashMap<ClientOrderId, Whose>,
    written: Written,
}

impl Paper {
    /// What was written since the last time, if every order of it has ended.
    pub fn take_ended(&self) -> Option<Written> {
        let mut kept = self.kept();
        kept.open.is_empty().then(|| std::mem::take(&mut kept.written))
    }

    /// How many orders were denied, or ended in an unexpected way, and the first of them.
    pub fn trouble(&self) -> Option<String> {
        let kept = self.kept();
        kept.written.other.first().map(|first| format!("{} orders, the first: {first}", kept.written.other.len()))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for Paper {
    fn append(&mut self, entries: &[JournalEntry]) -> Result<(), StoreError> {
        pause(APPEND);
        let mut kept = self.kept();
        for entry in entries {
            kept.last = kept.last.max(entry.sequence);
            if matches!(&*entry.kind, "intent" | "report" | "denied") {
                kept.read(serde_json::from_str(&entry.payload).expect("the engine reads its own entries"));
            }
        }
        Ok(())
    }

    fn last_sequence(&self, _: AccountTag) -> Result<u64, StoreError> {
        Ok(self.kept().last)
    }

    fn read(
        &self,
        _: AccountTag,
        _: u64,
        _: &mut dyn FnMut(JournalEntry) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        assert_eq!(self.kept().last, 0, "an Account was started anew: there is nothing to read for it");
        Ok(())
    }

    fn accounts(&self) -> Result<Vec<AccountTag>, StoreError> {
        Ok(Vec::new())
    }
}

impl Kept {
    fn read(&mut self, entry: Entry) {
        match entry {
            Entry::Intent { order, .. } => {
                self.written.intents += 1;
                self.open.insert(order.client_order_id, (order.strategy, order.instrument));
            }
            Entry::Denied { because, .. } => self.written.other.push(format!("denied: {because}")),
            Entry::Report { report, .. } if matches!(report.kind, ReportKind::New) => {}
            Entry::Report { report, .. } => {
                let Some(whose) = self.open.remove(&report.client_order_id) else { return };
                match report.kind {
                    ReportKind::Fill { .. } => self.written.traded += 1,
                    // The words of `Command::held_back` and of the gate.
                    ReportKind::Rejected { reason } if reason.starts_with("not sent: trading ") => {
                        self.written.halted.push(whose);
                    }
                    ReportKind::Rejected { reason } if reason.contains("risk monitors") => self.written.lapsed += 1,
                    kind => self.written.other.push(format!("{kind:?}")),
                }
            }
            _ => {}
        }
    }
}

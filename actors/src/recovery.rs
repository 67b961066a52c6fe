//! Recovery: what a journal leaves to be known before anything trades.
//!
//! Reads an account's journal into a fresh desk. The program does it once to give a paper exchange its
//! open orders back, the Account each time it starts: one path, walked every day.

use std::sync::{Arc, PoisonError};

use desk::{Desk, DeskSettings, Entry, Record, rebuild};
use market::Timestamp;
use oms::Applied;
use ractor::ActorProcessingErr;
use risk::HaltSwitch;
use store::AccountTag;

use crate::journal::SharedJournal;

/// A desk rebuilt from the journal, and where the streams stand.
pub struct Recovered {
    /// The desk.
    pub desk: Desk,
    /// The last entry.
    pub sequence: u64,
    /// The last report of the broker's stream.
    pub broker_sequence: u64,
    /// Fills the journal holds.
    pub fills: u64,
    /// When the last entry was written.
    pub last_at: Option<Timestamp>,
    fills_in_order: Vec<(Timestamp, Applied)>,
    settings: DeskSettings,
    strategies: Vec<String>,
    halt: HaltSwitch,
}

impl Recovered {
    /// Nothing read yet.
    pub fn new(settings: DeskSettings, strategies: Vec<String>, halt: HaltSwitch) -> Self {
        let desk = Desk::new(settings.clone(), halt.clone());
        Self {
            desk,
            sequence: 0,
            broker_sequence: 0,
            fills: 0,
            last_at: None,
            fills_in_order: Vec::new(),
            settings,
            strategies,
            halt,
        }
    }

    /// Reads the account's journal from its beginning.
    ///
    /// # Errors
    /// The journal cannot be read, or does not lead to a desk.
    pub fn read(&mut self, journal: &SharedJournal) -> Result<(), ActorProcessingErr> {
        let account: AccountTag = self.settings.account.parse()?;
        let mut entries = Vec::new();
        {
            let store = journal.lock().unwrap_or_else(PoisonError::into_inner);
            store.read(account, 1, &mut |entry| {
                entries.push(entry);
                Ok(())
            })?;
        }
        let mut decoded = Vec::with_capacity(entries.len());
        for entry in entries {
            self.last_at = Some(entry.at);
            let value: Entry = serde_json::from_str(&entry.payload)
                .map_err(|error| format!("journal entry {} cannot be read: {error}", entry.sequence))?;
            decoded.push((entry.sequence, value));
        }
        // The book began with the money of its first day, whatever the configuration says today.
        if let Some((_, Entry::Started { cash, .. })) = decoded.first() {
            self.settings.book.cash = *cash;
            self.desk = Desk::new(self.settings.clone(), self.halt.clone());
        }
        let mut rebuild = rebuild(&mut self.desk).for_strategies(&self.strategies);
        for (sequence, entry) in decoded {
            let at = match &entry {
                Entry::Report { report, .. } => Some(report.at),
                _ => None,
            };
            if let (Some(applied), Some(at)) = (rebuild.apply(sequence, entry)?, at) {
                self.fills_in_order.push((at, applied));
            }
            self.sequence = sequence;
        }
        self.broker_sequence = rebuild.broker_sequence();
        self.fills = rebuild.fills();
        self.desk.book().verify().map_err(|difference| format!("the rebuilt book does not add up: {difference}"))?;
        Ok(())
    }

    /// The record of the fills that the journal holds.
    pub(crate) fn record(&self) -> Record {
        let mut record = Record::new(Arc::clone(self.desk.universe()));
        for (at, applied) in &self.fills_in_order {
            record.applied(*at, applied);
        }
        record
    }
}

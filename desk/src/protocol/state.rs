//! Starting is recovering: what a journal, or a snapshot and the entries after it, leave to be known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use market::{ClientOrderId, InstrumentId, Money, Symbol, Timestamp};
use oms::reconcile::Question;
use risk::HaltSwitch;
use serde::{Deserialize, Serialize};

use super::Protocol;
use crate::desk::{Desk, DeskSettings, DeskState};
use crate::entry::{Entry, Facts, RebuildError, rebuild};
use crate::record::Record;

/// What a snapshot holds: all that the entries up to it lead to, told by names that outlive a run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ProtocolState {
    desk: DeskState,
    facts: FactsState,
}

/// [`Facts`] as they are kept.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct FactsState {
    instruments: Vec<Symbol>,
    strategies: Vec<String>,
    broker_sequence: u64,
    fills: u64,
    compared: bool,
    accepted: BTreeSet<Symbol>,
    breaks: BTreeMap<Symbol, String>,
    account_break: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    closings: BTreeSet<ClientOrderId>,
}

/// Why what is stored does not lead to a protocol.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The text of an entry.
    #[error("journal entry {sequence} cannot be read: {source}")]
    Unreadable {
        /// Place in the journal.
        sequence: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// An entry that does not follow.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// The text or content of a snapshot.
    #[error("the snapshot at journal entry {sequence} does not lead to a book: {reason}")]
    Snapshot {
        /// The last entry that is in it.
        sequence: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The end of it all.
    #[error("the rebuilt book does not add up: {0}")]
    DoesNotAddUp(String),
}

/// Rebuilds from entries, one after another.
pub struct Restore {
    settings: DeskSettings,
    halt: HaltSwitch,
    strategies: Vec<String>,
    desk: Desk,
    facts: Facts,
    record: Record,
    record_after: u64,
    sequence: u64,
    snapshot_at: u64,
    last_at: Option<Timestamp>,
    started: bool,
}

/// What a protocol begins from.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The desk.
    pub desk: Desk,
    /// The record of the fills since the entry that it was asked from.
    pub record: Record,
    /// The last entry.
    pub sequence: u64,
    /// The last report of the broker's stream.
    pub broker_sequence: u64,
    /// Fills that the journal holds.
    pub fills: u64,
    /// When the last entry was written.
    pub last_at: Option<Timestamp>,
    pub(super) first_statement: bool,
    pub(super) accepted: BTreeSet<InstrumentId>,
    pub(super) breaks: BTreeMap<InstrumentId, String>,
    pub(super) account_break: Option<String>,
    pub(super) closings: BTreeSet<ClientOrderId>,
    pub(super) snapshot_at: u64,
}

impl Restore {
    /// Nothing read yet. The record takes in what comes after entry `record_after`.
    pub fn new(settings: DeskSettings, strategies: Vec<String>, halt: HaltSwitch, record_after: u64) -> Self {
        Self {
            desk: Desk::new(settings.clone(), halt.clone()),
            record: Record::new(Arc::clone(&settings.universe)),
            facts: Facts::default(),
            record_after,
            sequence: 0,
            snapshot_at: 0,
            last_at: None,
            started: false,
            settings,
            halt,
            strategies,
        }
    }

    /// Begins with what a snapshot at this entry, taken at that time, holds.
    ///
    /// # Errors
    /// It cannot be read, or speaks of a symbol that is not configured.
    pub fn snapshot(&mut self, sequence: u64, at: Timestamp, payload: &str) -> Result<(), RestoreError> {
        let fails = |reason: String| RestoreError::Snapshot { sequence, reason };
        let state: ProtocolState = serde_json::from_str(payload).map_err(|error| fails(error.to_string()))?;
        self.desk =
            Desk::from_state(self.settings.clone(), self.halt.clone(), state.desk, &self.strategies).map_err(fails)?;
        let facts = state.facts;
        self.facts = Facts {
            instruments: Some(facts.instruments),
            strategies: facts.strategies,
            broker_sequence: facts.broker_sequence,
            fills: facts.fills,
            compared: facts.compared,
            accepted: facts.accepted,
            breaks: facts.breaks,
            account_break: facts.account_break,
            closings: facts.closings,
        };
        (self.sequence, self.snapshot_at, self.started) = (sequence, sequence, true);
        self.last_at = Some(at);
        Ok(())
    }

    /// Applies the next entry, as the journal holds it.
    ///
    /// # Errors
    /// It cannot be read, or does not lead on from the ones before.
    pub fn entry(&mut self, sequence: u64, at: Timestamp, payload: &str) -> Result<(), RestoreError> {
        let entry: Entry =
            serde_json::from_str(payload).map_err(|source| RestoreError::Unreadable { sequence, source })?;
        if let (false, Entry::Started { cash, .. }) = (self.started, &entry) {
            self.begin_with(*cash);
        }
        let reported_at = match &entry {
            Entry::Report { report, .. } if sequence > self.record_after => Some(report.at),
            _ => None,
        };
        let facts = std::mem::take(&mut self.facts);
        let mut step = rebuild(&mut self.desk).for_strategies(&self.strategies).from(facts);
        let applied = step.apply(sequence, at, entry)?;
        self.facts = step.into_facts();
        if let (Some(applied), Some(at)) = (applied, reported_at) {
            self.record.applied(at, &applied);
        }
        (self.sequence, self.last_at) = (sequence, Some(at));
        Ok(())
    }

    /// The book began with the money of its first day, whatever the configuration says today.
    fn begin_with(&mut self, cash: Money) {
        self.started = true;
        self.settings.book.cash = cash;
        self.desk = Desk::new(self.settings.clone(), self.halt.clone());
    }

    /// What was read, checked against a recount.
    ///
    /// # Errors
    /// The book's aggregates differ from a recount.
    pub fn finish(self) -> Result<Restored, RestoreError> {
        self.desk.book().verify().map_err(RestoreError::DoesNotAddUp)?;
        let universe = Arc::clone(self.desk.universe());
        let facts = self.facts;
        let accepted = facts.accepted.iter().filter_map(|symbol| universe.find(symbol)).collect();
        let breaks = facts.breaks.into_iter().filter_map(|(symbol, why)| Some((universe.find(&symbol)?, why)));
        Ok(Restored {
            breaks: breaks.collect(),
            desk: self.desk,
            record: self.record,
            sequence: self.sequence,
            broker_sequence: facts.broker_sequence,
            fills: facts.fills,
            last_at: self.last_at,
            first_statement: !facts.compared,
            accepted,
            account_break: facts.account_break,
            closings: facts.closings,
            snapshot_at: self.snapshot_at,
        })
    }
}

impl Restored {
    /// What a comparison with the broker must know beside the book.
    pub fn question(&self, handed_over: BTreeSet<ClientOrderId>) -> Question {
        Question { handed_over, first: self.first_statement, accepted: self.accepted.clone() }
    }

    /// What is stopped, and why, for people.
    pub fn stopped(&self) -> Vec<String> {
        let universe = self.desk.universe();
        let of = |(id, why): (&InstrumentId, &String)| format!("{}: {why}", universe.symbol(*id));
        let account = self.account_break.iter().map(|why| format!("account: {why}"));
        self.breaks.iter().map(of).chain(account).collect()
    }
}

impl Protocol {
    /// All that the entries so far lead to.
    pub fn state(&self) -> ProtocolState {
        let universe = self.desk.universe();
        let symbol = |id: &InstrumentId| universe.get(*id).map(|known| known.symbol);
        let strategies: Vec<String> = self.settings.strategies.iter().map(|settings| settings.name.clone()).collect();
        ProtocolState {
            desk: self.desk.state(&strategies),
            facts: FactsState {
                instruments: universe.iter().map(|(_, known)| known.symbol).collect(),
                strategies,
                broker_sequence: self.broker_sequence,
                fills: self.fills,
                compared: !self.first_statement,
                accepted: self.accepted.iter().filter_map(symbol).collect(),
                breaks: self.breaks.iter().filter_map(|(id, why)| Some((symbol(id)?, why.clone()))).collect(),
                account_break: self.account_break.clone(),
                closings: self.closings.clone(),
            },
        }
    }
}

//! The account's side of the journal: numbers, what waits for an answer, and what may leave then.
//!
//! Conversations with the journal are numbered. Each begins with everything that has no answer; an
//! answer that belongs to an earlier one, or to a predecessor of this protocol, lets nothing out.

use std::collections::VecDeque;
use std::sync::Arc;

use market::Timestamp;
use risk::{HaltLevel, HaltScope, HaltSwitch};

use super::{Alert, Command, Effect, Protocol, is_overdue};
use crate::entry::Entry;

/// Bytes of a usual entry's text, so that it is written without growing.
const USUAL_PAYLOAD: usize = 640;

/// One entry as the journal will hold it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// Place in the account's journal.
    pub sequence: u64,
    /// When it happened.
    pub at: Timestamp,
    /// [`Entry::kind`].
    pub kind: &'static str,
    /// JSON text.
    pub payload: String,
}

impl Written {
    fn new(sequence: u64, at: Timestamp, entry: &Entry) -> Self {
        // Entries hold plain values; the only failures of this encoder are maps with odd keys.
        let mut text = Vec::with_capacity(USUAL_PAYLOAD);
        serde_json::to_writer(&mut text, entry).expect("a journal entry is plain data");
        let payload = String::from_utf8(text).expect("JSON is UTF-8");
        Self { sequence, at, kind: entry.kind(), payload }
    }
}

/// A command that waits for its entry.
#[derive(Clone, Debug)]
struct Waiting {
    sequence: u64,
    since: Timestamp,
    command: Command,
}

/// What is on its way to the journal.
#[derive(Clone, Debug)]
pub(super) struct Writing {
    sequence: u64,
    /// The conversation that entries and answers belong to.
    writer: u64,
    /// Commands not handed over yet, by sequence.
    waiting: VecDeque<Waiting>,
    /// Entries without an answer, by sequence.
    uncommitted: VecDeque<Arc<Written>>,
    is_down: bool,
    /// A conversation has begun and nothing has been answered in it.
    beginning: bool,
}

impl Writing {
    pub(super) fn after(sequence: u64, incarnation: u64) -> Self {
        Self {
            sequence,
            writer: incarnation << 32,
            waiting: VecDeque::new(),
            uncommitted: VecDeque::new(),
            is_down: false,
            beginning: false,
        }
    }

    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(super) fn uncommitted(&self) -> usize {
        self.uncommitted.len()
    }

    pub(super) fn is_down(&self) -> bool {
        self.is_down
    }

    /// Orders that have not been handed over, or whose change has not.
    pub(super) fn held_back(&self) -> impl Iterator<Item = market::ClientOrderId> + '_ {
        let held = self.waiting.iter().filter(|waiting| !matches!(waiting.command, Command::Cancel(_)));
        held.map(|waiting| waiting.command.client_order_id())
    }
}

impl Protocol {
    /// Journals a command's intent; the command leaves when the entry is durable.
    pub(super) fn write_command(&mut self, now: Timestamp, entry: Entry, command: Command, effects: &mut Vec<Effect>) {
        let sequence = self.writing.sequence + 1;
        self.writing.waiting.push_back(Waiting { sequence, since: now, command });
        self.write(now, vec![entry], effects);
        // A journal that is down must not hold back a cancel.
        if self.writing.is_down {
            self.release_cancels(now, effects);
        }
    }

    pub(super) fn write(&mut self, at: Timestamp, entries: Vec<Entry>, effects: &mut Vec<Effect>) {
        let writing = &mut self.writing;
        let entries: Vec<Arc<Written>> = entries
            .iter()
            .map(|entry| {
                writing.sequence += 1;
                Arc::new(Written::new(writing.sequence, at, entry))
            })
            .collect();
        writing.uncommitted.extend(entries.iter().cloned());
        let (writer, mut all) = (writing.writer, entries);
        // Entries of one moment go together: one message, and with luck one sync. What somebody is told in
        // between waits for nothing.
        let told = |effect: &&Effect| {
            matches!(effect, Effect::Tell { .. } | Effect::Traded { .. } | Effect::Alert(_) | Effect::Observe)
        };
        let told_since = effects.iter().rev().take_while(told).count();
        let before = effects.len().checked_sub(told_since + 1);
        if let Some(place) = before
            && matches!(&effects[place], Effect::Append { writer: of, .. } if *of == writer)
            && let Effect::Append { mut entries, .. } = effects.remove(place)
        {
            entries.append(&mut all);
            all = entries;
        }
        effects.push(Effect::Append { writer, entries: all });
    }

    /// Begins with the journal anew: everything without an answer is sent again.
    pub(super) fn begin_writing(&mut self, effects: &mut Vec<Effect>) {
        let writing = &mut self.writing;
        writing.writer += 1;
        writing.beginning = !writing.uncommitted.is_empty();
        let entries = writing.uncommitted.iter().cloned().collect();
        effects.push(Effect::Begin { writer: writing.writer, entries });
    }

    pub(super) fn committed(&mut self, writer: u64, through: u64, now: Timestamp, effects: &mut Vec<Effect>) {
        let writing = &mut self.writing;
        if writer != writing.writer {
            return;
        }
        writing.beginning = false;
        while writing.uncommitted.front().is_some_and(|entry| entry.sequence <= through) {
            writing.uncommitted.pop_front();
        }
        if writing.is_down && writing.uncommitted.is_empty() {
            // New orders stay stopped until a person resumes: the switch was thrown.
            writing.is_down = false;
            effects.push(Effect::Alert(Alert::JournalBack));
        }
        while let Some(waiting) = self.writing.waiting.pop_front_if(|waiting| waiting.sequence <= through) {
            self.hand_over(waiting.command, now, effects);
        }
        self.lift_committed(through, effects);
    }

    /// No new order leaves; those that wait are withdrawn, cancels go out at once.
    pub(super) fn journal_failed(&mut self, writer: u64, reason: &str, now: Timestamp, effects: &mut Vec<Effect>) {
        if writer != self.writing.writer {
            return;
        }
        self.writing.beginning = false;
        let is_news = !self.writing.is_down;
        self.writing.is_down = true;
        let (scope, level) = (HaltScope::Account, HaltLevel::StopNew);
        effects.push(Effect::Raise { scope: scope.clone(), level, by: "journal", reason: reason.to_owned() });
        if is_news {
            effects.push(Effect::Alert(Alert::JournalDown { reason: reason.to_owned() }));
            // For whoever reads the journal once it is back: requests went without an entry from here on.
            let halt = Entry::Halt { scope, level, by: "journal".to_owned(), reason: reason.to_owned() };
            self.write(now, vec![halt], effects);
        }
        self.forget_lifts(reason, effects);
        self.release_cancels(now, effects);
        for waiting in std::mem::take(&mut self.writing.waiting) {
            self.not_sent(&waiting.command, format!("not sent: the journal failed: {reason}"), now, effects);
        }
    }

    fn release_cancels(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let (cancels, rest) = std::mem::take(&mut self.writing.waiting)
            .into_iter()
            .partition(|waiting: &Waiting| matches!(waiting.command, Command::Cancel(_)));
        self.writing.waiting = rest;
        for waiting in cancels {
            self.hand_over(waiting.command, now, effects);
        }
    }

    /// Withdraws what waits and adds risk in this instrument, or in all.
    pub(super) fn withdraw(
        &mut self,
        instrument: Option<market::InstrumentId>,
        reason: &str,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let (withdrawn, rest) = std::mem::take(&mut self.writing.waiting).into_iter().partition(|waiting: &Waiting| {
            let concerned = instrument.is_none_or(|instrument| waiting.command.instrument() == instrument);
            concerned && !matches!(waiting.command, Command::Cancel(_))
        });
        self.writing.waiting = rest;
        for waiting in Vec::from(withdrawn) {
            self.not_sent(&waiting.command, format!("not sent: {reason}"), now, effects);
        }
    }

    /// Takes out what waits and the gate would hold back as the switch stands, with the reason.
    pub(super) fn take_held_back(&mut self, switch: &HaltSwitch) -> Vec<(Command, String)> {
        let (mut held_back, mut rest) = (Vec::new(), VecDeque::new());
        for waiting in std::mem::take(&mut self.writing.waiting) {
            match waiting.command.held_back(switch) {
                Some(reason) => held_back.push((waiting.command, reason)),
                None => rest.push_back(waiting),
            }
        }
        self.writing.waiting = rest;
        held_back
    }

    pub(super) fn look_at_waiting(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let patience = self.settings.patience.journal;
        let late = |waiting: &Waiting| is_overdue(now, waiting.since, patience);
        if self.writing.waiting.front().is_some_and(late) {
            self.journal_failed(self.writing.writer, "no answer in time", now, effects);
        } else if self.writing.is_down && !self.writing.beginning {
            self.begin_writing(effects);
        }
    }

    pub(super) fn take_snapshot(&mut self, effects: &mut Vec<Effect>) {
        self.snapshot_at = self.writing.sequence;
        effects.push(Effect::Snapshot { sequence: self.writing.sequence, state: Box::new(self.state()) });
    }
}

//! Journal: the only writer of the store's journal.
//!
//! Owns the store's journal. Hears batches of entries from the Account, answers each with
//! `Committed` once it is durable, or `JournalFailed`. Batches that wait in the mailbox are written
//! together: many intents, one sync.
//!
//! When it dies: entries in its mailbox are gone and nothing was answered for them, so no order of
//! theirs has left. Restarted, it takes nothing until the Account begins anew (`Begin`) with all that
//! was not answered; entries that had reached the store are recognised by their sequence.
//!
//! Each beginning has a number. What belongs to an earlier one, in either direction, is dropped: an
//! Account that was restarted must not take its predecessor's answers for its own.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use store::{Journal as Store, JournalEntry, Snapshot};
use tokio::sync::oneshot;

use crate::account;
use crate::address::Address;
use crate::turn::Turn;

/// A store's journal that outlives the actor's restarts.
pub type SharedJournal = Arc<Mutex<dyn Store>>;

/// What the Journal hears.
#[derive(Debug)]
pub enum Message {
    /// Write what has come in, then tell whoever starts that the store is up to date. Takes nothing
    /// more until the next beginning.
    Settle(oneshot::Sender<()>),
    /// A writer begins, with everything that it has no answer for.
    Begin {
        /// Number of the beginning.
        writer: u64,
        /// In order of their sequence.
        entries: Vec<JournalEntry>,
    },
    /// Write these, then answer.
    Append {
        /// Number of the beginning that they belong to.
        writer: u64,
        /// In order of their sequence.
        entries: Vec<JournalEntry>,
        /// The turn that waits for the answer.
        turn: Turn,
    },
    /// Keep this snapshot, once its entries are written.
    Snapshot(Snapshot),
    /// Write everything that has come in.
    Flush,
    /// Panic, to show that it is survived.
    #[cfg(feature = "faults")]
    Fault,
}

/// What a Journal is made of.
#[derive(Clone)]
pub struct Arguments {
    /// Its own address.
    pub address: Address<Message>,
    /// Where answers go.
    pub account: Address<account::Message>,
    /// The store's journal.
    pub journal: SharedJournal,
    /// Whether writing blocks on a disk or a server: then batches are worth waiting for.
    pub durable: bool,
}

/// The Journal at work.
pub struct State {
    arguments: Arguments,
    /// The beginning whose entries are taken.
    writer: Option<u64>,
    waiting: Vec<JournalEntry>,
    turns: Vec<Turn>,
    flush_is_coming: bool,
}

/// The kind of actor.
pub struct Journal;

impl Actor for Journal {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Message>, arguments: Arguments) -> Result<State, ActorProcessingErr> {
        arguments.address.bind(myself);
        // After a restart the Account may wait for answers that will never come.
        let _ = arguments.account.send(account::Message::JournalRestarted);
        Ok(State { arguments, writer: None, waiting: Vec::new(), turns: Vec::new(), flush_is_coming: false })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let _busy = state.arguments.address.took();
        match message {
            Message::Settle(settled) => {
                state.flush();
                state.writer = None;
                // Whoever asked may have given up.
                let _ = settled.send(());
            }
            Message::Begin { writer, entries } => {
                state.flush();
                state.writer = Some(writer);
                state.waiting = entries;
                state.flush();
            }
            Message::Append { writer, .. } if state.writer != Some(writer) => {}
            Message::Append { entries, turn, .. } => {
                state.waiting.extend(entries);
                state.turns.push(turn);
                if !state.arguments.durable {
                    state.flush();
                } else if !state.flush_is_coming {
                    // Comes after every batch that waits in the mailbox by now.
                    state.flush_is_coming = true;
                    state.arguments.address.send(Message::Flush)?;
                }
            }
            Message::Snapshot(snapshot) => {
                state.flush();
                state.keep(&snapshot);
            }
            Message::Flush => state.flush(),
            #[cfg(feature = "faults")]
            Message::Fault => panic!("fault injected into the journal"),
        }
        Ok(())
    }
}

impl State {
    fn flush(&mut self) {
        self.flush_is_coming = false;
        let (Some(last), Some(writer)) = (self.waiting.last().map(|entry| entry.sequence), self.writer) else { return };
        let entries = std::mem::take(&mut self.waiting);
        let turns = std::mem::take(&mut self.turns);
        store::crash::point("before_commit");
        let mut store = self.arguments.journal.lock().unwrap_or_else(PoisonError::into_inner);
        // A connection that was cut, a server that was restarted: the same entries once more, on a new
        // connection. What is stored already is recognised, so nothing is written twice.
        let begun = Instant::now();
        let appended = store.append(&entries).or_else(|error| match error.is_passing() {
            true => {
                tracing::warn!(%error, "the journal is tried once more");
                store.append(&entries)
            }
            false => Err(error),
        });
        let measures = self.arguments.address.measures();
        measures.sync.time(begun.elapsed());
        measures.batch.add(entries.len() as u64);
        let answer = match appended {
            Ok(()) => account::Message::Committed { writer, through: last, turns },
            Err(error) => {
                // What is on its way already would come where these were due: nothing more until the Account
                // begins anew, with these first.
                self.writer = None;
                account::Message::JournalFailed { writer, reason: error.to_string(), turns }
            }
        };
        drop(store);
        store::crash::point("after_commit");
        // Without an account nobody waits for the answer.
        let _ = self.arguments.account.send(answer);
    }

    /// A snapshot saves time at the next start and nothing else: one that cannot be kept is logged.
    fn keep(&self, snapshot: &Snapshot) {
        store::crash::point("before_snapshot");
        let mut store = self.arguments.journal.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = store.save_snapshot(snapshot) {
            tracing::warn!(%error, sequence = snapshot.sequence, "snapshot not kept");
        }
        store::crash::point("after_snapshot");
    }
}

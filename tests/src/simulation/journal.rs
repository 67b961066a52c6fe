//! The Journal, as `actors::journal` is: one write at a time, batches that wait are written together.
//!
//! A write takes time here, and the actor takes nothing else meanwhile. The store carries it out at the
//! end of that time, also for a process that is stopped or gone: it is a server, or a disk.

use desk::Input;
use risk::{HaltLevel, HaltScope};
use store::{JournalEntry, Snapshot};

use super::coverage::Path;
use super::disk::DiskError;
use super::faults::Fault;
use super::process::{InFlight, ToAccount, ToJournal};
use super::world::{Event, MILLISECOND, Milestone, SECOND, World};

impl World {
    /// Puts a message into the Journal's mailbox; false if nobody lives there.
    pub fn to_journal(&mut self, process: usize, message: ToJournal) -> bool {
        if !self.processes[process].journal.mailbox.is_open {
            return false;
        }
        let (at, generation) = self.post(process, |process| &mut process.journal.mailbox);
        self.queue.put(at, Event::Journal(process, generation, message));
        true
    }

    /// The Journal's actor died: nothing was answered for what waited.
    pub fn journal_dies(&mut self, process: usize) {
        let journal = &mut self.processes[process].journal;
        journal.mailbox.lose();
        journal.waiting.clear();
        journal.pending.clear();
        (journal.writer, journal.flush_is_coming) = (None, false);
        let generation = journal.mailbox.generation;
        let pause = self.random_nanos(0, 20 * MILLISECOND);
        self.queue.put(self.now + pause, Event::JournalStart(process, generation));
    }

    /// It lives again, once the store has finished what it was doing.
    pub fn journal_starts(&mut self, process: usize, generation: u32) {
        let journal = &mut self.processes[process].journal;
        if journal.mailbox.generation != generation {
            return;
        }
        if journal.in_flight.is_some() {
            return self.queue.put(self.now + 5 * MILLISECOND, Event::JournalStart(process, generation));
        }
        journal.mailbox.is_open = true;
        self.to_account(process, ToAccount::Input(Box::new(Input::JournalRestarted)));
    }

    /// A message is taken out of the mailbox.
    pub fn journal_hears(&mut self, process: usize, message: ToJournal) {
        let journal = &mut self.processes[process].journal;
        if journal.in_flight.is_some() || !journal.pending.is_empty() {
            return journal.pending.push_back(message);
        }
        self.journal_handles(process, message);
    }

    fn journal_handles(&mut self, process: usize, message: ToJournal) {
        let journal = &mut self.processes[process].journal;
        match message {
            ToJournal::Settle => {
                if self.flush(process) {
                    if let Some(in_flight) = &mut self.processes[process].journal.in_flight {
                        in_flight.then_settled = true;
                    }
                } else {
                    self.settled(process);
                }
            }
            ToJournal::Begin(writer, entries) => {
                // What an earlier beginning left is written first.
                if self.flush(process) {
                    let journal = &mut self.processes[process].journal;
                    return journal.pending.push_front(ToJournal::Begin(writer, entries));
                }
                let journal = &mut self.processes[process].journal;
                (journal.writer, journal.waiting) = (Some(writer), entries);
                self.flush(process);
            }
            ToJournal::Append(writer, entries) => {
                if journal.writer != Some(writer) {
                    return;
                }
                journal.waiting.extend(entries);
                if !journal.flush_is_coming {
                    journal.flush_is_coming = true;
                    self.to_journal(process, ToJournal::Flush);
                }
            }
            ToJournal::Snapshot(snapshot) => {
                if self.flush(process) {
                    if let Some(in_flight) = &mut self.processes[process].journal.in_flight {
                        in_flight.then_keep = Some(snapshot);
                    }
                } else {
                    self.keep(process, snapshot);
                }
            }
            ToJournal::Flush => {
                self.flush(process);
            }
        }
    }

    fn settled(&mut self, process: usize) {
        self.processes[process].journal.writer = None;
        let generation = self.processes[process].account.mailbox.generation;
        self.queue.put(self.now, Event::AccountSettled(process, generation));
    }

    fn keep(&mut self, process: usize, snapshot: Snapshot) {
        if self.processes[process].epoch < self.disk.epoch || self.now < self.disk.error_until {
            return;
        }
        let damaged = self.strikes(Fault::SnapshotDamaged);
        self.disk.keep(snapshot, damaged);
    }

    /// Begins to write what waits; false if nothing does.
    fn flush(&mut self, process: usize) -> bool {
        let journal = &mut self.processes[process].journal;
        journal.flush_is_coming = false;
        let Some(writer) = journal.writer.filter(|_| !journal.waiting.is_empty()) else { return false };
        let entries = std::mem::take(&mut journal.waiting);
        let takes = if self.strikes(Fault::DiskStall) {
            self.random_nanos(2_500 * MILLISECOND, 20 * SECOND)
        } else if self.strikes(Fault::DiskSlow) {
            self.random_nanos(50 * MILLISECOND, 900 * MILLISECOND)
        } else {
            self.random_nanos(MILLISECOND / 5, 4 * MILLISECOND)
        };
        if self.strikes(Fault::DiskError) {
            self.disk.error_until = self.now + takes + self.random_nanos(SECOND / 2, 15 * SECOND);
        }
        let answer_is_lost = self.strikes(Fault::DiskAnswerLost);
        let journal = &mut self.processes[process].journal;
        let generation = journal.mailbox.generation;
        journal.in_flight =
            Some(InFlight { writer, entries, answer_is_lost, generation, then_settled: false, then_keep: None });
        self.queue.put(self.now + takes, Event::DiskDone(process));
        if self.crashes < 8 && self.strikes(Fault::ProcessCrash) {
            let when = self.random_nanos(0, takes);
            self.queue.put(self.now + when, Event::Crash(process));
        }
        true
    }

    /// The store carries the write out and answers.
    pub fn disk_done(&mut self, process: usize) {
        let Some(write) = self.processes[process].journal.in_flight.take() else { return };
        let last = write.entries.last().map_or(0, |entry| entry.sequence);
        let answer = self.append(process, &write.entries);
        if let Some(snapshot) = write.then_keep {
            self.keep(process, snapshot);
        }
        let answer = match answer {
            Ok(()) if write.answer_is_lost => Err("the answer was lost".to_owned()),
            Ok(()) => Ok(last),
            Err(DiskError::Fenced) => Err("the account was taken over".to_owned()),
            Err(DiskError::Failed(reason)) => Err(reason),
        };
        let event = Event::DiskAnswer(process, write.generation, answer, write.writer, write.then_settled);
        self.queue.put(self.now, event);
    }

    /// Appends for a process, and sees what that means.
    fn append(&mut self, process: usize, entries: &[JournalEntry]) -> Result<(), DiskError> {
        let epoch = self.processes[process].epoch;
        if epoch < self.disk.epoch {
            self.reached(Path::ZombieRefused);
            return Err(DiskError::Fenced);
        }
        if self.now < self.disk.error_until {
            return Err(DiskError::Failed("the disk is full".to_owned()));
        }
        match self.disk.append(epoch, entries) {
            Ok(known) => {
                if known > 0 {
                    self.reached(Path::AppendedTwice);
                }
                for entry in entries {
                    self.trace.bytes(&entry.sequence.to_le_bytes());
                }
                Ok(())
            }
            Err(error) => {
                // After a write that failed, what was handed over behind it leaves a gap: refused, and it
                // comes again. Another entry under a number that is taken is a writer that lost count.
                if matches!(&error, DiskError::Failed(reason) if reason.contains("is stored already")) {
                    self.violated(format!("the store refuses what the engine writes: {error:?}"));
                }
                Err(error)
            }
        }
    }

    /// The answer reaches the Journal, which goes on with what waited.
    pub fn disk_answers(
        &mut self,
        process: usize,
        generation: u32,
        answer: Result<u64, String>,
        writer: u64,
        settled: bool,
    ) {
        if self.processes[process].journal.mailbox.generation != generation {
            return;
        }
        if self.crashes(process) && !self.processes[process].alive {
            return;
        }
        let input = match answer {
            Ok(through) => Input::Committed { writer, through },
            Err(reason) => Input::JournalFailed { writer, reason },
        };
        self.to_account(process, ToAccount::Input(Box::new(input)));
        if settled {
            self.settled(process);
        }
        while self.processes[process].journal.in_flight.is_none() {
            let Some(message) = self.processes[process].journal.pending.pop_front() else { return };
            self.journal_handles(process, message);
        }
    }

    /// What a crash leaves of a write on its way: all of it, nothing, or a part that the store cuts.
    pub fn tear(&mut self, process: usize) {
        let Some(write) = self.processes[process].journal.in_flight.take() else { return };
        if self.now < self.disk.error_until || self.processes[process].epoch < self.disk.epoch {
            return;
        }
        let entries = write.entries;
        let kept = if entries.len() > 1 && self.strikes(Fault::TornWrite) {
            self.reached(Path::TornTailCut);
            // A store that keeps batches whole cuts all of it, a log cuts what is not whole.
            if self.random.chance(5_000) { 0 } else { self.random.below(entries.len() as u64) as usize }
        } else if self.random.chance(5_000) {
            entries.len()
        } else {
            0
        };
        if kept > 0 {
            // What the store has anyway is refused quietly: the process is gone.
            let _ = self.append(process, &entries[..kept]);
        }
    }

    /// Makes a halt durable, if the store lets us.
    pub fn store_halt(&mut self, process: usize, scope: &HaltScope, level: HaltLevel) {
        let state = &self.processes[process];
        if state.epoch == self.disk.epoch && self.now >= self.disk.error_until {
            let stored = self.disk.halts.entry(scope.clone()).or_insert(HaltLevel::Active);
            *stored = level.max(*stored);
        } else {
            self.trace.note(self.now, || "the halt could not be stored".to_owned());
        }
    }

    /// Counts what a crash falls between.
    pub fn count_crash(&mut self, process: usize) {
        let Some(protocol) = self.processes[process].protocol() else { return };
        let open: Vec<_> =
            protocol.desk().book().open_orders().iter().map(|order| order.intent.client_order_id).collect();
        let mut paths = Vec::new();
        if protocol.uncommitted() > 0 {
            paths.push(Path::CrashBeforeReportCommit);
        }
        for id in open {
            paths.extend(match self.milestones.get(&id) {
                Some(Milestone::Intended) if self.disk.holds_intent(id) => Some(Path::CrashBeforeSend),
                Some(Milestone::Intended) => Some(Path::CrashBeforeCommit),
                Some(Milestone::Committed) => Some(Path::CrashBeforeSend),
                Some(Milestone::Sent) => Some(Path::CrashBeforeReport),
                _ => None,
            });
        }
        paths.into_iter().for_each(|path| self.reached(path));
    }
}

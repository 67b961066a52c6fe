//! A process from its start to its end: the lease, the start, crashes, pauses, a graceful stop.

use std::collections::VecDeque;
use std::sync::Arc;

use market::{SessionClock, TopOfBook};
use risk::monitors::{Configured, watches};
use risk::{Figures, HaltLevel, HaltScope, HaltSwitch, MonitorSettings, Watch};

use super::coverage::Path;
use super::faults::Fault;
use super::process::{Account, Broker, Connection, Journal, Line, Mailbox, Process, Stage};
use super::traders;
use super::world::{Event, MILLISECOND, SECOND, World};

/// How long a lease holds unless it is renewed, on the store's clock.
const TERM: i64 = 30 * SECOND;
/// Renewals within a term, as in `actors::lease`.
const RENEW: i64 = TERM / 3;
/// The part of the term that is used, as in `actors::lease`.
const USABLE: i64 = TERM - TERM / 5;

impl World {
    /// When a message in this mailbox is taken out, and whose it is.
    pub fn post(&mut self, process: usize, of: impl Fn(&mut Process) -> &mut Mailbox) -> (i64, u32) {
        let delay = match self.random.below(40) {
            0 => self.random_nanos(MILLISECOND, 30 * MILLISECOND),
            _ => self.random_nanos(1_000, 60_000),
        };
        let now = self.now;
        let mailbox = of(&mut self.processes[process]);
        mailbox.last = mailbox.last.max(now + delay);
        (mailbox.last, mailbox.generation)
    }

    /// The service manager starts the engine, unless one runs or the lease is not ours to take.
    pub fn start(&mut self) {
        let last = self.processes.last();
        if last.is_some_and(|process| process.alive && !process.paused) {
            return;
        }
        if self.disk.lease_until > self.now {
            return self.queue.put(self.disk.lease_until + MILLISECOND, Event::Start);
        }
        self.disk.epoch += 1;
        self.starts += 1;
        if !self.disk.halts.is_empty() {
            self.reached(Path::HaltSurvived);
        }
        let names = traders::settings(&self.universe).into_iter().map(|settings| settings.name).collect();
        let switch = HaltSwitch::of_run(names, self.universe.iter().map(|(_, known)| known.symbol).collect());
        switch.set(&HaltScope::Global, HaltLevel::Active);
        self.disk.halts.iter().for_each(|(scope, level)| switch.set(scope, *level));
        let restored = match self.restore(switch.clone(), u64::MAX) {
            Ok(restored) => restored,
            Err(error) => return self.violated(format!("the journal does not lead to a protocol: {error}")),
        };
        let mailbox = |is_open| Mailbox { generation: 0, is_open, last: self.now };
        let process = Process {
            alive: true,
            paused: false,
            stash: Vec::new(),
            epoch: self.disk.epoch,
            right_until: 0,
            right_lost: false,
            account: Account { mailbox: mailbox(false), stage: Stage::Down, protocol: None, stash: VecDeque::new() },
            broker: Broker {
                mailbox: mailbox(true),
                question: 0,
                last_report: restored.broker_sequence,
                log: Vec::new(),
            },
            journal: Journal { mailbox: mailbox(true), ..Journal::default() },
            strategies: traders::actors(&self.universe),
            connection: Connection {
                line: Line::Down,
                number: 0,
                inbox: VecDeque::new(),
                half_open: false,
                request: 0,
                is_answered: true,
                outward: self.now,
                inward: self.now,
            },
            board: vec![TopOfBook::default(); self.universe.len()],
            session: SessionClock::new(Arc::clone(&self.calendar), self.wall()),
            ticks: 0,
            watches: self.watches(),
            figures: Figures::new(Arc::clone(&self.desk.limits), Arc::clone(&self.universe)),
            seen: 0,
            incarnations: 0,
            record_after: restored.sequence,
            writer: 0,
            switch,
        };
        self.processes.push(process);
        let process = self.processes.len() - 1;
        self.renew(process);
        self.account_starts(process, 0);
        for place in 0..self.processes[process].strategies.len() {
            self.strategy_starts(process, place, 0);
        }
        self.connect_in(process, 0);
        self.tick(process);
    }

    /// The monitors of a process, fresh.
    pub fn watches(&self) -> Vec<Watch> {
        let names: Vec<String> = traders::settings(&self.universe).into_iter().map(|settings| settings.name).collect();
        let settings = MonitorSettings::default();
        watches(&Configured { settings, strategies: &names })
    }

    /// Confirms the right to write, or finds that it is lost.
    pub fn renew(&mut self, process: usize) {
        let state = &mut self.processes[process];
        if state.epoch < self.disk.epoch {
            // Another process has taken over: this one sends nothing more and ends.
            state.right_lost = true;
            state.switch.raise(&HaltScope::Account, HaltLevel::Halted);
            return self.ends(process);
        }
        let at = self.next(RENEW);
        if self.now >= self.disk.error_until {
            // Where nothing goes on the renewals of hours are one.
            let from = at - RENEW;
            self.disk.lease_until = from + TERM;
            self.processes[process].right_until = from + USABLE;
        }
        self.queue.put(at, Event::Renew(process));
    }

    /// Everything in memory is gone.
    pub fn process_crashes(&mut self, process: usize) {
        if !self.processes[process].alive {
            return;
        }
        self.crashes += 1;
        self.count_crash(process);
        self.tear(process);
        self.ends(process);
        let wait = self.random_nanos(SECOND / 2, 15 * SECOND);
        self.queue.put(self.now + wait, Event::Start);
    }

    /// The process is not there any more; its lease runs out, its session is found dead.
    pub fn ends(&mut self, process: usize) {
        self.note_denials(process);
        let state = &mut self.processes[process];
        state.alive = false;
        state.account.mailbox.lose();
        state.account.protocol = None;
        state.figures = Figures::new(Arc::clone(&self.desk.limits), Arc::clone(&self.universe));
        state.account.stage = Stage::Down;
        state.stash.clear();
        if state.epoch == self.disk.epoch {
            self.disk.lease_until = self.disk.lease_until.min(self.now + TERM);
        }
        if let Line::Up { session } = self.processes[process].connection.line {
            let notices = self.random_nanos(0, 3 * SECOND);
            self.queue.put(self.now + notices, Event::VenueNotices(session));
        }
    }

    /// Denials that no entry tells of.
    pub fn note_denials(&mut self, process: usize) {
        let protocol = self.processes[process].protocol();
        if protocol.is_some_and(|protocol| protocol.desk().denials().contains_key(risk::checks::code::JOURNAL)) {
            self.reached(Path::JournalDenied);
        }
    }

    /// Asked to stop: finishes its writes, lets go of the lease.
    pub fn stops(&mut self, process: usize) {
        self.tear_nothing(process);
        self.ends(process);
        self.disk.lease_until = self.now;
    }

    fn tear_nothing(&mut self, process: usize) {
        if self.processes[process].journal.in_flight.is_some() {
            self.disk_done(process);
        }
    }

    /// Stopped by the system; it knows nothing of it.
    pub fn pauses(&mut self, process: usize) {
        if std::mem::replace(&mut self.processes[process].paused, true) {
            return;
        }
        let long = self.random.chance(5_000);
        let pause =
            if long { self.random_nanos(31 * SECOND, 80 * SECOND) } else { self.random_nanos(SECOND, 29 * SECOND) };
        self.queue.put(self.now + pause, Event::Wake(process));
        // Somebody starts another one when this one does not answer.
        self.queue.put(self.now + SECOND, Event::Start);
    }

    /// Awake: everything that came meanwhile comes now, in order.
    pub fn wake(&mut self, process: usize) {
        let state = &mut self.processes[process];
        if !state.paused {
            return;
        }
        state.paused = false;
        for event in std::mem::take(&mut state.stash) {
            // The renewal is another task: the others may be quicker.
            let later = if matches!(event, Event::Renew(_)) { self.random_nanos(0, 2 * SECOND) } else { 0 };
            self.queue.put(self.now + later, event);
        }
    }

    /// The engine's clock is set.
    pub fn set_skew(&mut self, skew: i64) {
        if skew < self.skew {
            self.coverage.injected(Fault::ClockBack);
        } else if skew > self.skew {
            self.coverage.injected(Fault::ClockForward);
        }
        self.skew = skew;
    }
}

//! What befalls the engine from outside, the person who looks after it, and the healing at the end.

use desk::{Entry, Input};
use market::{Symbol, Timestamp};
use risk::{HaltLevel, HaltScope};
use store::JournalEntry;

use super::coverage::Path;
use super::faults::Fault;
use super::process::{Line, Stage, ToAccount};
use super::world::{Event, MILLISECOND, MINUTE, SECOND, World};

impl World {
    /// A second in which something may go wrong.
    pub fn trouble(&mut self) {
        let at = self.next(SECOND);
        self.queue.put(at, Event::Trouble);
        if self.strikes(Fault::ClockForward) {
            let by = self.random.pick(&[SECOND, 10 * SECOND, 10 * MINUTE, 60 * MINUTE, 15 * 60 * MINUTE]);
            self.jumps(by);
        }
        if self.strikes(Fault::ClockBack) {
            let by = self.random.pick(&[SECOND, 10 * SECOND, 3 * MINUTE, 60 * MINUTE, 12 * 60 * MINUTE]);
            self.jumps(-by);
        }
        let Some(process) = self.running() else { return };
        if self.crashes < 8 && self.random.chance(self.climate.rate(Fault::ProcessCrash)) && self.chaos {
            self.injected(Fault::ProcessCrash);
            return self.process_crashes(process);
        }
        if self.processes[process].account.stage == Stage::Up && self.strikes(Fault::AccountRestart) {
            self.account_dies(process);
        }
        if self.processes[process].broker.mailbox.is_open && self.strikes(Fault::BrokerRestart) {
            self.broker_dies(process);
        }
        if self.processes[process].journal.mailbox.is_open && self.strikes(Fault::JournalRestart) {
            self.journal_dies(process);
        }
        if self.strikes(Fault::StrategyRestart) {
            let place = self.random.below(self.processes[process].strategies.len() as u64) as usize;
            self.strategy_dies(process, place);
        }
        if matches!(self.processes[process].connection.line, Line::Up { .. }) {
            if self.strikes(Fault::Disconnect) {
                let number = self.processes[process].connection.number;
                self.found_dead(process, number, "connection reset");
            }
            if self.strikes(Fault::HalfOpen) {
                self.goes_half_open(process);
            }
        }
        if self.strikes(Fault::Halt) {
            self.kill(process);
        }
        if self.strikes(Fault::ProcessPause) {
            self.pauses(process);
        }
    }

    /// A person stops something, somehow far, as `actors::system::Inquiry::kill` does it: the switch, the
    /// store, and then the account is told, if it is there to be told.
    fn kill(&mut self, process: usize) {
        let levels =
            [HaltLevel::Reducing, HaltLevel::StopNew, HaltLevel::CancelAll, HaltLevel::Flatten, HaltLevel::Halted];
        let level = self.random.pick(&levels);
        let place = self.random.below(self.universe.len() as u64) as usize;
        let symbol = self.universe.iter().nth(place).map(|(_, known)| HaltScope::Symbol(known.symbol));
        let traders = super::traders::settings(&self.universe);
        let trader = traders[self.random.below(traders.len() as u64) as usize].name.clone();
        let scope = match self.random.below(6) {
            0 | 1 => HaltScope::Global,
            2 => HaltScope::Account,
            3 => HaltScope::Broker,
            4 => HaltScope::Strategy(trader),
            _ => symbol.unwrap_or(HaltScope::Global),
        };
        self.processes[process].switch.raise(&scope, level);
        self.trace.note(self.now, || format!("a person stops {scope}: {level:?}"));
        self.store_halt(process, &scope, level);
        let (by, reason, at) = ("Ana".to_owned(), "a drill".to_owned(), self.wall());
        self.to_account(process, ToAccount::Input(Box::new(Input::Halted { scope, level, by, reason, at })));
    }

    /// The clock jumps, and is put right after a while.
    fn jumps(&mut self, by: i64) {
        self.trace.note(self.now, || format!("the clock jumps by {} s", by / SECOND));
        self.skew += by;
        let until = self.random_nanos(5 * SECOND, 90 * SECOND);
        self.queue.put(self.now + until, Event::ClockRight);
    }

    /// A second at the broker: resting orders trade, brokers cancel, bust and correct, people trade.
    pub fn venue_look(&mut self) {
        let wait = self.random_nanos(500 * MILLISECOND, 1_500 * MILLISECOND);
        let at = self.next(wait);
        self.queue.put(at, Event::VenueLook);
        let now = Timestamp::from_nanos(self.now);
        if self.venue.phase.trades_continuously() {
            for reference in self.venue.open() {
                let auction = self
                    .venue
                    .orders
                    .get(&reference)
                    .is_some_and(|order| matches!(order.order_type, market::OrderType::AtAuction { .. }));
                if auction {
                    continue;
                }
                if self.random.chance(1_500) {
                    self.venue.trade(&reference, now, &mut self.random);
                } else if self.strikes(Fault::UnsolicitedCancel) {
                    self.venue.end(&reference, market::StatedStatus::Canceled, now, "cancelled by the exchange");
                }
            }
        }
        if self.random.chance(self.climate.rate(Fault::Bust)) && self.chaos {
            self.venue.revoke(false, now, &mut self.random);
        }
        if self.random.chance(self.climate.rate(Fault::Correction)) && self.chaos {
            self.venue.revoke(true, now, &mut self.random);
        }
        if self.random.chance(self.climate.rate(Fault::ExternalOrder)) && self.chaos {
            self.venue.by_hand(now, &mut self.random);
        }
        self.speak();
    }

    /// A person looks, and resumes what was halted: stop, accept, say why, start.
    pub fn person(&mut self) {
        let wait = if self.chaos { self.random_nanos(15 * SECOND, 60 * SECOND) } else { 20 * SECOND };
        let at = self.next(wait);
        self.queue.put(at, Event::Person);
        if self.disk.error_until > self.now || self.processes.iter().any(|process| process.paused) {
            return;
        }
        let Some(process) = self.running() else { return };
        let state = &self.processes[process];
        let Some(protocol) = state.protocol().filter(|_| state.account.stage == Stage::Up) else { return };
        let standing = state.switch.standing();
        let halted = !standing.is_empty();
        let mut breaks: Vec<Option<Symbol>> =
            protocol.breaks().keys().filter_map(|id| self.universe.get(*id)).map(|known| Some(known.symbol)).collect();
        if protocol.account_break().is_some() {
            breaks.push(None);
        }
        if !halted && breaks.is_empty() {
            return;
        }
        // Half of the time the engine need not be stopped for it.
        if breaks.is_empty() && self.random.chance(5_000) {
            return self.resumes_running(process, standing);
        }
        self.trace.note(self.now, || format!("a person resumes: {breaks:?}, halted {halted}"));
        self.stops(process);
        if self.disk.epoch != self.processes[process].epoch {
            return self.queue.put(self.now + SECOND, Event::Start);
        }
        let mut sequence = self.disk.last();
        let entries: Vec<JournalEntry> = breaks
            .into_iter()
            .map(|symbol| {
                sequence += 1;
                let entry = Entry::BreakAccepted { symbol, by: "Ana".to_owned(), reason: "looked at it".to_owned() };
                JournalEntry {
                    account: self.disk.account,
                    sequence,
                    at: self.wall(),
                    kind: entry.kind().into(),
                    payload: serde_json::to_string(&entry).expect("an entry is plain data"),
                }
            })
            .collect();
        if !entries.is_empty() {
            self.reached(Path::BreakAccepted);
            let epoch = self.disk.epoch;
            if let Err(error) = self.disk.append(epoch, &entries) {
                self.violated(format!("a person cannot write: {error:?}"));
            }
        }
        self.reached(Path::Resumed);
        self.disk.halts.clear();
        self.queue.put(self.now + SECOND, Event::Start);
    }

    /// The running account is told, one scope after another.
    fn resumes_running(&mut self, process: usize, standing: Vec<(HaltScope, HaltLevel)>) {
        for (scope, _) in standing {
            let seen = self.processes[process].switch.seen(&scope);
            let refused = self.processes[process].protocol().is_none_or(|protocol| protocol.may_resume(seen).is_err());
            if refused {
                continue;
            }
            self.trace.note(self.now, || format!("a person resumes {scope} while the engine runs"));
            let (by, reason, at) = ("Ana".to_owned(), "looked at it".to_owned(), self.wall());
            let resumed = Input::Resumed { scope, seen, by, reason, at };
            self.to_account(process, ToAccount::Input(Box::new(resumed)));
        }
    }

    /// Faults end: what is asleep wakes, what is down starts, and then it must all come right.
    pub fn heal(&mut self) {
        self.chaos = false;
        self.disk.error_until = i64::MIN;
        self.skew = 0;
        self.trace.note(self.now, || "healing".to_owned());
        for process in 0..self.processes.len() {
            self.wake(process);
        }
        self.queue.put(self.now + SECOND, Event::Start);
        // The last trade is long before the end, so that every answer is there.
        self.queue.put(self.now + 110 * SECOND, Event::LastCrash);
        self.queue.put(self.now + 180 * SECOND, Event::End);
    }

    /// The last crash: what is remembered from here on is what was durable.
    pub fn last_crash(&mut self) {
        self.trading = false;
        self.must_be_well("before the last crash");
        if let Some(process) = self.running() {
            self.process_crashes(process);
        }
    }
}

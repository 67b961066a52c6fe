//! The line between engine and broker, session by session.
//!
//! What an adapter promises (`brokers::Broker`) is kept: a session keeps the order of what is sent over
//! it, a log-on ends the session before, and what travels on a dead session never arrives. Everything
//! else happens: messages are lost, come twice, late or in another order, and a line may be dead
//! without anybody knowing.

use brokers::BrokerEvent;
use market::{Quantity, ReportKind, StatedStatus, Timestamp};

use super::coverage::Path;
use super::faults::Fault;
use super::process::{Line, ToBroker};
use super::venue::{Answer, Message};
use super::world::{Event, INSTRUMENTS, MILLISECOND, Milestone, SECOND, World};

/// Silence after which a counterpart counts as dead: three heartbeats of ten seconds.
const HEARTBEATS: i64 = 30 * SECOND;

impl World {
    /// The connection tries again after a while.
    pub fn connect_in(&mut self, process: usize, wait: i64) {
        let connection = &mut self.processes[process].connection;
        connection.number += 1;
        connection.line = Line::Connecting;
        let number = connection.number;
        let at = self.now + wait + self.random_nanos(20 * MILLISECOND, 300 * MILLISECOND);
        self.queue.put(at, Event::LogOn(process, number));
    }

    /// The log-on reaches the broker.
    pub fn log_on(&mut self, process: usize, number: u64) {
        if self.processes[process].connection.number != number {
            return;
        }
        if self.strikes(Fault::LogonRefused) {
            let wait = self.random_nanos(SECOND, 8 * SECOND);
            return self.connect_in(process, wait);
        }
        if self.venue.is_up {
            self.session_ends();
        }
        let session = self.venue.log_on();
        // Whoever was logged on is told, should it be there.
        for other in 0..self.processes.len() {
            let connection = &self.processes[other].connection;
            if other != process && self.processes[other].alive && matches!(connection.line, Line::Up { .. }) {
                let number = connection.number;
                self.queue.put(self.now + MILLISECOND, Event::Dead(other, number, "logged on elsewhere"));
            }
        }
        let connection = &mut self.processes[process].connection;
        connection.line = Line::Up { session };
        connection.half_open = false;
        (connection.outward, connection.inward) = (self.now, self.now);
        connection.inbox.push_back(BrokerEvent::Connected);
        self.to_broker(process, ToBroker::Poll);
    }

    /// The connection is found dead on our side.
    pub fn found_dead(&mut self, process: usize, number: u64, reason: &str) {
        let connection = &mut self.processes[process].connection;
        if connection.number != number || !matches!(connection.line, Line::Up { .. }) {
            return;
        }
        if connection.half_open {
            self.reached(Path::HalfOpenDetected);
        }
        let connection = &mut self.processes[process].connection;
        connection.half_open = false;
        connection.inbox.push_back(BrokerEvent::Disconnected { reason: reason.to_owned() });
        let Line::Up { session } = connection.line else { return };
        let most = self.random.pick(&[5 * MILLISECOND, 2 * SECOND]);
        let notices = self.random_nanos(0, most);
        self.queue.put(self.now + notices, Event::VenueNotices(session));
        let wait = self.random_nanos(SECOND / 2, 4 * SECOND);
        self.connect_in(process, wait);
        self.to_broker(process, ToBroker::Poll);
    }

    /// The line is dead, and nobody knows until the heartbeats stop.
    pub fn goes_half_open(&mut self, process: usize) {
        let connection = &mut self.processes[process].connection;
        if matches!(connection.line, Line::Up { .. }) && !connection.half_open {
            connection.half_open = true;
            let number = connection.number;
            self.queue.put(self.now + HEARTBEATS, Event::Dead(process, number, "no heartbeat"));
        }
    }

    /// The broker finds out that a session is over.
    pub fn venue_notices(&mut self, session: u64) {
        if self.venue.session == session && self.venue.is_up {
            self.venue.is_up = false;
            self.session_ends();
        }
    }

    /// Some brokers cancel what is open when a session ends.
    fn session_ends(&mut self) {
        if self.strikes(Fault::CancelOnDisconnect) {
            let at = self.true_time();
            for reference in self.venue.open() {
                if matches!(reference, market::OrderReference::Own(_)) {
                    self.venue.end(&reference, StatedStatus::Canceled, at, "the session ended");
                }
            }
            self.speak();
        }
    }

    /// Bytes are on their way to the broker.
    pub fn to_venue(&mut self, process: usize, message: Message) {
        let Line::Up { session } = self.processes[process].connection.line else { return };
        if self.processes[process].connection.half_open {
            return;
        }
        if !matches!(message, Message::State { .. }) && self.strikes(Fault::CommandLost) {
            return;
        }
        let delay = self.random_nanos(MILLISECOND, 25 * MILLISECOND);
        let connection = &mut self.processes[process].connection;
        connection.outward = connection.outward.max(self.now + delay);
        let at = connection.outward;
        self.queue.put(at, Event::AtVenue(session, message));
    }

    /// Bytes reach the broker.
    pub fn at_venue(&mut self, session: u64, message: Message) {
        if session != self.venue.session || !self.venue.is_up {
            return self.reached(Path::DeadSession);
        }
        let at = self.true_time();
        match message {
            Message::New(order) => {
                let refused = self.strikes(Fault::Rejection);
                self.venue.new_order(&order, at, refused, &mut self.random);
            }
            Message::Cancel(cancel) => {
                let race = self.race(Fault::CancelRace);
                let refused = self.strikes(Fault::Rejection);
                self.venue.cancel(&cancel, at, race, refused, &mut self.random);
            }
            Message::Replace(replace) => {
                let race = self.race(Fault::ReplaceRace);
                let refused = self.strikes(Fault::Rejection);
                self.venue.replace(&replace, at, race, refused, &mut self.random);
            }
            Message::State { request } => {
                if self.strikes(Fault::StatementLost) {
                    return;
                }
                let takes = if self.strikes(Fault::StatementLate) {
                    self.random_nanos(3 * SECOND, 25 * SECOND)
                } else {
                    self.random_nanos(10 * MILLISECOND, 200 * MILLISECOND)
                };
                self.queue.put(self.now + takes, Event::Stating(session, request));
            }
        }
        self.speak();
    }

    /// Whether a race is run; the broker notes it where there was something to race for.
    fn race(&mut self, fault: Fault) -> bool {
        self.chaos && self.random.chance(self.climate.rate(fault))
    }

    /// The broker makes a statement: of now, after every report that is on the line.
    pub fn stating(&mut self, session: u64, request: u64) {
        if session != self.venue.session || !self.venue.is_up {
            return;
        }
        self.speak();
        let mut statement = self.venue.statement(self.stated_since(), self.true_time());
        // Worst while an order waits for its entry: it must not leave any more.
        let waits = self.waits_for_entry(session);
        let rate = self.climate.rate(Fault::WrongPosition);
        if self.chaos && self.random.chance(if waits.is_some() { rate * 30 } else { rate }) {
            self.injected(Fault::WrongPosition);
            let some = market::InstrumentId::new(self.random.below(u64::from(INSTRUMENTS)) as u32);
            let instrument = waits.unwrap_or(some);
            let held = self.venue.positions[instrument.index()];
            let wrong = Quantity::new(held + self.random.pick(&[-100, 100, 300]));
            statement.positions.retain(|(listed, _)| *listed != instrument);
            statement.positions.push((instrument, wrong));
        }
        let Some(process) = self.logged_on(session) else { return };
        let delay = self.random_nanos(MILLISECOND, 25 * MILLISECOND);
        self.send_answer(process, Answer::Statement(request, Box::new(statement)), delay, true);
    }

    /// The instrument of an order whose entry the store is slow to take.
    fn waits_for_entry(&self, session: u64) -> Option<market::InstrumentId> {
        let process = self.logged_on(session)?;
        let book = self.processes[process].protocol()?.desk().book();
        let open = book.open_orders();
        let waits =
            |order: &&&oms::Order| self.milestones.get(&order.intent.client_order_id) == Some(&Milestone::Intended);
        open.iter().find(waits).map(|order| order.intent.instrument)
    }

    /// From the session before today's on: longer than any engine here is down.
    fn stated_since(&self) -> Timestamp {
        let today = self.calendar.trading_day(self.true_time());
        let before = self.calendar.previous_session(today).unwrap_or(today);
        self.calendar.session(before).map_or(Timestamp::MIN, |session| session.start())
    }

    fn logged_on(&self, session: u64) -> Option<usize> {
        let up = |line: Line| line == Line::Up { session };
        self.processes.iter().position(|process| process.alive && up(process.connection.line))
    }

    /// Puts on the line what the broker has said.
    pub fn speak(&mut self) {
        for fault in std::mem::take(&mut self.venue.committed) {
            self.injected(fault);
        }
        let process = if self.venue.is_up { self.logged_on(self.venue.session) } else { None };
        for answer in std::mem::take(&mut self.venue.says) {
            self.trace.bytes(format!("{answer:?}").as_bytes());
            self.trace.note(self.now, || format!("venue says {answer:?}"));
            // Without a session only a statement will tell.
            if let Some(process) = process {
                self.say(process, answer);
            }
        }
    }

    fn say(&mut self, process: usize, answer: Answer) {
        let execution = match &answer {
            Answer::Report(report) => {
                matches!(report.kind, ReportKind::Fill { .. } | ReportKind::Bust { .. } | ReportKind::Corrected { .. })
            }
            _ => true,
        };
        if (!execution && self.strikes(Fault::AnswerNeverSent)) || self.strikes(Fault::ReportLost) {
            return;
        }
        let delay = self.random_nanos(MILLISECOND, 40 * MILLISECOND);
        // The answer to a replace comes once and in its place: nothing in it tells which of two replaces it
        // answers, so an adapter must drop what comes again and wait for what is missing.
        let answers_replace = matches!(
            &answer,
            Answer::Report(report) if matches!(report.kind, ReportKind::Replaced { .. } | ReportKind::ReplaceRejected { .. })
        );
        if !answers_replace && self.strikes(Fault::ReportDuplicated) {
            for _ in 0..self.random_nanos(1, 2) {
                let later = self.random_nanos(0, 300 * MILLISECOND);
                self.send_answer(process, answer.clone(), delay + later, false);
            }
        }
        if !answers_replace && self.strikes(Fault::ReportLate) {
            let later = self.random_nanos(5 * SECOND, 12 * SECOND);
            return self.send_answer(process, answer, later, false);
        }
        let reordered = !answers_replace && self.strikes(Fault::ReportReordered);
        let later = if reordered { self.random_nanos(0, 300 * MILLISECOND) } else { 0 };
        self.send_answer(process, answer, delay + later, !reordered);
    }

    fn send_answer(&mut self, process: usize, answer: Answer, delay: i64, in_order: bool) {
        let connection = &mut self.processes[process].connection;
        let at = if in_order {
            connection.inward = connection.inward.max(self.now + delay);
            connection.inward
        } else {
            self.now + delay
        };
        let number = connection.number;
        let garbage = self.strikes(Fault::Garbage);
        self.queue.put(at, Event::FromVenue(process, number, answer, garbage));
    }

    /// Bytes reach the process.
    pub fn from_venue(&mut self, process: usize, number: u64, answer: Answer, garbage: bool) {
        let connection = &mut self.processes[process].connection;
        if connection.number != number || !matches!(connection.line, Line::Up { .. }) || connection.half_open {
            return;
        }
        if garbage {
            let (text, problem) = ("8=FIX.4.4|35=?|".to_owned(), "no such message type".to_owned());
            connection.inbox.push_back(BrokerEvent::Unreadable { text, problem });
        }
        let event = match answer {
            Answer::Report(report) => BrokerEvent::Report(report),
            Answer::External(execution) => BrokerEvent::External(execution),
            // An adapter tells which question a statement answers, and drops what was asked again.
            Answer::Statement(request, _) if request != connection.request => {
                return self.reached(Path::SupersededStatement);
            }
            Answer::Statement(_, statement) => {
                connection.is_answered = true;
                BrokerEvent::Statement(*statement)
            }
        };
        self.processes[process].connection.inbox.push_back(event);
        self.to_broker(process, ToBroker::Poll);
    }
}

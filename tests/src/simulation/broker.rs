//! The Broker, as `actors::broker` is: the last gate, the numbered reports, the connection's words.

use brokers::BrokerEvent;
use desk::{Command, Input};
use market::ExecutionReport;
use risk::HaltLevel;

use super::Broken;
use super::coverage::Path;
use super::faults::Fault;
use super::process::{Line, ToAccount, ToBroker};
use super::venue::Message;
use super::world::{Event, MILLISECOND, Milestone, World};

impl World {
    /// Puts a message into the Broker's mailbox; false if nobody lives there.
    pub fn to_broker(&mut self, process: usize, message: ToBroker) -> bool {
        if !self.processes[process].broker.mailbox.is_open {
            return false;
        }
        let (at, generation) = self.post(process, |process| &mut process.broker.mailbox);
        self.queue.put(at, Event::Broker(process, generation, message));
        true
    }

    /// The Broker's actor died; connection and log live on.
    pub fn broker_dies(&mut self, process: usize) {
        self.processes[process].broker.mailbox.lose();
        let (pause, generation) =
            (self.random_nanos(0, 20 * MILLISECOND), self.processes[process].broker.mailbox.generation);
        self.queue.put(self.now + pause, Event::BrokerStart(process, generation));
    }

    /// It lives again.
    pub fn broker_starts(&mut self, process: usize, generation: u32) {
        let broker = &mut self.processes[process].broker;
        if broker.mailbox.generation != generation {
            return;
        }
        broker.mailbox.is_open = true;
        broker.question = 0;
        let connected = matches!(self.processes[process].connection.line, Line::Up { .. });
        self.to_account(process, ToAccount::Input(Box::new(Input::BrokerRestarted { connected })));
        self.to_broker(process, ToBroker::Poll);
    }

    /// A message is taken out of the mailbox.
    pub fn broker_hears(&mut self, process: usize, message: ToBroker) {
        match message {
            ToBroker::Send(command) => self.gate(process, command),
            ToBroker::Phase(change) => {
                self.tell(process, Input::Phase(change));
            }
            ToBroker::Poll => self.poll(process),
            ToBroker::Begin => {
                self.poll(process);
                let connected = matches!(self.processes[process].connection.line, Line::Up { .. });
                self.to_account(process, ToAccount::Begun(connected));
            }
            ToBroker::Resend(after) => {
                for (sequence, report) in self.missed(process, after) {
                    self.tell(process, Input::Report { report, sequence });
                }
            }
            ToBroker::AskStatement(question) => self.ask_statement(process, question),
            ToBroker::StateNow { question, after } => {
                self.ask_statement(process, question);
                let missed = self.missed(process, after);
                self.to_account(process, ToAccount::Now(missed));
            }
        }
    }

    fn missed(&self, process: usize, after: u64) -> Vec<(u64, ExecutionReport)> {
        let log = &self.processes[process].broker.log;
        log.iter().filter(|(sequence, _)| *sequence > after).cloned().collect()
    }

    /// Tells the Account; now and then its mailbox has just been closed.
    fn tell(&mut self, process: usize, input: Input) -> bool {
        let numbered = matches!(input, Input::Report { .. });
        if numbered && self.strikes(Fault::HopLost) {
            return false;
        }
        self.to_account(process, ToAccount::Input(Box::new(input)))
    }

    /// The last gate: switch and right are read here and nowhere later.
    fn gate(&mut self, process: usize, command: Command) {
        if let Some(reason) = self.closed_to(process, &command) {
            self.tell(process, Input::NotSent { command, reason });
            return;
        }
        if self.crashes(process) || !self.processes[process].alive {
            return;
        }
        let id = command.client_order_id();
        if !matches!(self.processes[process].connection.line, Line::Up { .. }) {
            let reason = "not sent: there is no connection".to_owned();
            self.tell(process, Input::NotSent { command, reason });
            return;
        }
        if self.strikes(Fault::SendUncertain) {
            if self.random.chance(5_000) {
                self.leaves(process, command);
            }
            let reason = "the send was uncertain".to_owned();
            self.tell(process, Input::OutcomeUnknown { client_order_id: id, reason });
            return;
        }
        self.leaves(process, command);
        if self.crashes(process) {
            return;
        }
        self.tell(process, Input::Sent { client_order_id: id, command: command.name() });
    }

    /// Why the gate is closed to this command, if it is; the same rule as the Broker's.
    fn closed_to(&mut self, process: usize, command: &Command) -> Option<String> {
        let state = &self.processes[process];
        let (lost, holds) = (state.right_lost, self.now < state.right_until);
        let held_back = command.held_back(&state.switch).filter(|_| !self.is_broken(Broken::IgnoresHalt));
        if lost {
            self.reached(Path::ZombieGated);
            return Some("not sent: another process has taken over the account".to_owned());
        }
        if held_back.is_some() {
            return held_back;
        }
        if !holds && !matches!(command, Command::Cancel(_)) {
            self.reached(if state_is_zombie(self, process) { Path::ZombieGated } else { Path::RightRanOut });
            return Some("not sent: the right to trade the account has run out".to_owned());
        }
        None
    }

    /// Bytes leave: from here on the broker may have them.
    fn leaves(&mut self, process: usize, command: Command) {
        let id = command.client_order_id();
        self.must_be_allowed(process, &command);
        let message = match command {
            Command::Submit(order) => {
                self.orders_sent += 1;
                if let Some(milestone) = self.milestones.get_mut(&id) {
                    *milestone = (*milestone).max(Milestone::Sent);
                }
                Message::New(*order.get())
            }
            Command::Cancel(cancel) => Message::Cancel(*cancel.get()),
            // A limit order is asked to have the worst price as its limit; the review set it so.
            Command::Replace(replace) => {
                let mut asked = *replace.get();
                asked.limit_price = Some(replace.worst_price());
                Message::Replace(asked)
            }
        };
        self.trace.bytes(format!("{message:?}").as_bytes());
        self.to_venue(process, message);
    }

    /// The oracle at the door: intent first, and nothing new while halted.
    fn must_be_allowed(&mut self, process: usize, command: &Command) {
        let id = command.client_order_id();
        let level = command.level(&self.processes[process].switch);
        let adds = match command {
            Command::Submit(order) => !order.reduces(),
            Command::Replace(_) => true,
            Command::Cancel(_) => false,
        };
        let closes = matches!(command, Command::Submit(order) if order.closes());
        let is_closing_time = level == HaltLevel::Flatten && closes;
        let halted = level >= HaltLevel::StopNew && !matches!(command, Command::Cancel(_)) && !is_closing_time;
        if halted || (level == HaltLevel::Reducing && adds) {
            self.violated(format!("{id}: a {} left while trading was {}", command.name(), level.name()));
        }
        if let (true, Command::Submit(order)) = (closes, command) {
            self.reached(Path::ClosedByHalt);
            self.closings.insert(id);
            let intent = *order.get();
            // What is open includes this very order.
            let left = self.processes[process].protocol().map(|protocol| {
                let book = protocol.desk().book();
                let held = book.position(intent.instrument).quantity;
                (held, held - book.open_sells(intent.instrument), book.open_buys(intent.instrument))
            });
            if let Some((held, left, buys)) = left
                && (intent.side == market::Side::Buy
                    || left < market::Quantity::ZERO
                    || !held.is_positive()
                    || !buys.is_zero())
            {
                self.violated(format!("{id}: a closing order of {} goes beyond what is held", intent.quantity));
            }
        }
        let durable = match command {
            Command::Submit(_) => self.disk.holds_intent(id),
            Command::Replace(_) => self.disk.replaces(id) > 0,
            Command::Cancel(_) => true,
        };
        if !durable {
            self.violated(format!("{id}: the bytes of a {} left before its intent was durable", command.name()));
        }
        if state_is_zombie(self, process) && !matches!(command, Command::Cancel(_)) {
            self.violated(format!("{id}: a predecessor sent a {}", command.name()));
        }
    }

    fn ask_statement(&mut self, process: usize, question: u64) {
        self.processes[process].broker.question = question;
        if !matches!(self.processes[process].connection.line, Line::Up { .. }) {
            let reason = "there is no connection".to_owned();
            self.tell(process, Input::NoStatement { question, reason });
            return;
        }
        self.requests += 1;
        let request = self.requests;
        let connection = &mut self.processes[process].connection;
        let again = !std::mem::replace(&mut connection.is_answered, false);
        connection.request = request;
        // What answers the question before must not be taken for the answer to this one.
        connection.inbox.retain(|event| !matches!(event, BrokerEvent::Statement(_)));
        if again {
            self.reached(Path::AskedAgain);
        }
        self.to_venue(process, Message::State { request });
    }

    fn poll(&mut self, process: usize) {
        while let Some(event) = self.processes[process].connection.inbox.pop_front() {
            if self.crashes(process) {
                return;
            }
            let input = match event {
                BrokerEvent::Connected => Input::Connected,
                BrokerEvent::Terms(terms) => Input::Terms(terms),
                // Nobody here asks for one.
                BrokerEvent::MassCanceled(_) => continue,
                BrokerEvent::Disconnected { reason } => Input::Disconnected { reason },
                BrokerEvent::Report(report) => {
                    let broker = &mut self.processes[process].broker;
                    broker.last_report += 1;
                    let sequence = broker.last_report;
                    broker.log.push((sequence, report.clone()));
                    Input::Report { report, sequence }
                }
                BrokerEvent::External(execution) => Input::External(execution),
                BrokerEvent::Statement(statement) => {
                    let question = self.processes[process].broker.question;
                    Input::Statement { question, statement: Box::new(statement) }
                }
                BrokerEvent::Unreadable { text, problem } => Input::Unreadable { text, problem },
            };
            self.tell(process, input);
        }
    }
}

/// Whether another process has the account by now.
fn state_is_zombie(world: &World, process: usize) -> bool {
    world.processes[process].epoch < world.disk.epoch
}

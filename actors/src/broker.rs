//! Broker: one order-entry connection, and the last gate before it.
//!
//! Owns nothing that may be lost: the connection and the log of its reports outlive it. Hears
//! approved commands from the Account, and (for a simulated exchange) the market and the session; polls
//! a connection that talks by itself when it is woken. Reads the halt switch, the right to write and the
//! risk monitors' lease for each command at the last moment; what may not leave is reported unsent. Sends numbered reports and
//! statements to the Account, which asks again for any that it misses.
//!
//! When it dies: commands in its mailbox are gone. Restarted, it tells the Account, which asks for a
//! statement of everything that it had handed over. Nothing is sent twice.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use brokers::{Broker as Connection, BrokerEvent, SendError};
use desk::Command;
use market::{ExecutionReport, InstrumentId, MarketEvent, PhaseChange, Statement};
use oms::reconcile::Plan;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use risk::disconnect::{Expectation, Terms};
use risk::{HaltLevel, HaltSwitch};
use tokio::sync::oneshot;

use crate::account;
use crate::address::Address;
use crate::board::QuoteSlots;
use crate::clock::Clock;
use crate::lease::Right;
use crate::measures::Hop;
use crate::pulse::{LEASE, Pulse};
use crate::turn::Turn;

/// How often a live simulated exchange looks whether something on its way has arrived.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Reports kept for an Account that asks again. More than one session of any account we know.
const KEPT_REPORTS: usize = 100_000;

/// A connection that outlives the actor's restarts.
pub type SharedConnection = Arc<Mutex<dyn Connection>>;

/// The numbered reports of a connection.
#[derive(Debug, Default)]
pub struct ReportLog {
    last: u64,
    reports: VecDeque<(u64, ExecutionReport)>,
}

impl ReportLog {
    /// A log that continues after what an earlier run has seen.
    pub fn after(last: u64) -> Self {
        Self { last, reports: VecDeque::new() }
    }

    fn add(&mut self, report: ExecutionReport) -> u64 {
        self.last += 1;
        if self.reports.len() == KEPT_REPORTS {
            self.reports.pop_front();
        }
        self.reports.push_back((self.last, report));
        self.last
    }
}

/// What a Broker hears.
#[derive(Debug)]
pub enum Message {
    /// Send this, unless the gate is closed to it.
    Send {
        /// The command.
        command: Command,
        /// When the Account handed it over.
        handed: Instant,
        /// The turn that waits, of the tick that led to it.
        turn: Turn,
    },
    /// The market moved (simulated exchange).
    Market {
        /// The event.
        event: MarketEvent,
        /// The turn that waits.
        turn: Turn,
    },
    /// A quote waits in the slot (simulated exchange).
    Quote {
        /// Of what.
        instrument: InstrumentId,
    },
    /// The session moved on.
    Phase {
        /// To which phase.
        change: PhaseChange,
        /// The turn that waits.
        turn: Turn,
    },
    /// Time passes (simulated exchange, live).
    Look,
    /// The connection has something to say.
    Poll,
    /// Say whether the connection is there: an Account begins.
    Begin(oneshot::Sender<bool>),
    /// Report again everything after this number.
    Resend {
        /// The last report that the Account has seen.
        after: u64,
    },
    /// Ask the broker for a statement.
    AskStatement {
        /// Number of the question.
        question: u64,
    },
    /// The same, answered at once if the connection can: an Account begins.
    StateNow {
        /// Number of the question.
        question: u64,
        /// The last report that the Account has seen.
        after: u64,
        /// Where to.
        reply: oneshot::Sender<Now>,
    },
    /// Ask the broker, and have the Account say what its answer would lead to.
    DryRun(oneshot::Sender<Result<Plan, String>>),
    /// Panic, to show that it is survived.
    #[cfg(feature = "faults")]
    Fault,
    /// Do nothing: one of a flood.
    #[cfg(feature = "faults")]
    Nothing,
}

/// How the account stands at its broker, as far as can be told at once.
#[derive(Debug)]
pub struct Now {
    /// Reports that the Account has not seen, numbered.
    pub reports: Vec<(u64, ExecutionReport)>,
    /// The statement, from a connection that answers at once.
    pub statement: Option<Box<Statement>>,
}

/// What a Broker is made of.
#[derive(Clone)]
pub struct Arguments {
    /// Its own address.
    pub address: Address<Message>,
    /// Where reports go.
    pub account: Address<account::Message>,
    /// The connection.
    pub connection: SharedConnection,
    /// Its reports.
    pub log: Arc<Mutex<ReportLog>>,
    /// The switch that the gate reads.
    pub halt: HaltSwitch,
    /// The right to write that the gate reads.
    pub right: Right,
    /// Whether the risk monitors are heard, which the gate reads as well.
    pub pulse: Pulse,
    /// Quotes on their way here.
    pub quotes: Arc<QuoteSlots>,
    /// Time.
    pub clock: Clock,
}

/// A Broker at work.
pub struct State {
    arguments: Arguments,
    reports: Vec<ExecutionReport>,
    events: Vec<BrokerEvent>,
    /// The question that the next statement answers.
    question: u64,
    /// What the connection was begun with.
    terms: Option<Terms>,
    /// Who wants to know what the next statement would lead to.
    dry_run: Option<oneshot::Sender<Result<Plan, String>>>,
}

/// The kind of actor.
pub struct Broker;

impl Actor for Broker {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Message>, arguments: Arguments) -> Result<State, ActorProcessingErr> {
        if matches!(arguments.clock, Clock::System) {
            myself.send_interval(LOOK_EVERY, || Message::Look);
        }
        let me = myself.clone();
        arguments.connection.lock().unwrap_or_else(PoisonError::into_inner).wake_with(Arc::new(move || {
            // Woken after its end: its successor polls when it starts.
            let _ = me.send_message(Message::Poll);
        }));
        arguments.address.bind(myself.clone());
        arguments.quotes.clear();
        // At the very first start the Account is not there yet and will ask by itself.
        let connected = arguments.connection.lock().unwrap_or_else(PoisonError::into_inner).is_connected();
        let _ = arguments.account.send(account::Message::BrokerRestarted { connected });
        myself.send_message(Message::Poll)?;
        Ok(State { arguments, reports: Vec::new(), events: Vec::new(), question: 0, terms: None, dry_run: None })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let _busy = (!matches!(message, Message::Look | Message::Poll)).then(|| state.arguments.address.took());
        match message {
            Message::Send { command, handed, turn } => state.send(command, handed, &turn),
            Message::Market { event, turn } => {
                state.with(&turn, |connection, reports| connection.on_market(&event, reports));
            }
            Message::Quote { instrument } => {
                if let Some(quote) = state.arguments.quotes.take(instrument) {
                    let event = MarketEvent::Quote(quote);
                    state.with(&Turn::none(), |connection, reports| connection.on_market(&event, reports));
                }
            }
            Message::Phase { change, turn } => {
                state.with(&turn, |connection, reports| connection.on_phase(&change, reports));
                // After the reports that it caused, so that day orders expire in the day they end.
                state.tell(account::Message::Phase { change, turn });
            }
            Message::Look => {
                let now = state.arguments.clock.now();
                state.with(&Turn::none(), |connection, reports| connection.on_time(now, reports));
                state.poll();
            }
            Message::Poll => state.poll(),
            Message::Begin(reply) => {
                // What the connection had to say to an Account that is gone, the statement says again.
                let known = state.terms.take();
                state.poll();
                let connected = state.connection().is_connected();
                let _ = reply.send(connected);
                if state.terms.is_none() {
                    state.terms = known.filter(|_| connected);
                    if let Some(terms) = state.terms {
                        // What must have become of orders was the business of the Account before.
                        state.tell(account::Message::Terms(Terms { expects: Expectation::Nothing, ..terms }));
                    }
                }
            }
            Message::Resend { after } => {
                let reports = state.missed(after);
                state.tell(account::Message::Told { sent: None, reports, turn: Turn::none() });
            }
            Message::AskStatement { question } => {
                state.ask_statement(question);
                state.tell_events();
            }
            Message::StateNow { question, after, reply } => state.state_now(question, after, reply),
            Message::DryRun(reply) => {
                // Under the number of the question before: the Account takes each number's answer once.
                state.dry_run = Some(reply);
                state.ask_statement(state.question);
                state.tell_events();
            }
            #[cfg(feature = "faults")]
            Message::Fault => panic!("fault injected into the broker"),
            #[cfg(feature = "faults")]
            Message::Nothing => {}
        }
        Ok(())
    }
}

impl State {
    /// The last gate. Switch and right are read here and nowhere later, and what they let through has
    /// left before the connection is let go of: whoever throws the switch and then had the connection
    /// to itself once knows that nothing leaves any more ([`crate::system::Inquiry::kill`]).
    fn send(&mut self, command: Command, handed: Instant, turn: &Turn) {
        store::crash::point("before_gate");
        let now = self.arguments.clock.now();
        let mut reports = std::mem::take(&mut self.reports);
        let outcome = {
            let mut connection = self.connection();
            match (self.closed_to(&command), &command) {
                (Some(reason), _) => Err(SendError::Refused(reason)),
                (None, command) => {
                    store::crash::point("before_send");
                    let sent = match command {
                        Command::Submit(order) => connection.submit(order, now, &mut reports),
                        Command::Cancel(cancel) => connection.cancel(cancel, now, &mut reports),
                        Command::Replace(replace) => connection.replace(replace, now, &mut reports),
                    };
                    store::crash::point("after_send");
                    sent
                }
            }
        };
        let turn = turn.clone();
        match outcome {
            Ok(()) => {
                self.measure(&command, handed, &turn);
                return self.forward(Some(command), reports, &turn);
            }
            Err(SendError::Refused(reason)) => {
                self.tell(account::Message::NotSent { command, reason, turn: turn.clone() });
            }
            Err(SendError::OutcomeUnknown(reason)) => {
                self.tell(account::Message::OutcomeUnknown { command, reason, turn: turn.clone() });
            }
        }
        self.forward(None, reports, &turn);
    }

    /// Why the gate is closed to this command, if it is.
    fn closed_to(&self, command: &Command) -> Option<String> {
        let right = &self.arguments.right;
        if right.is_lost() {
            return Some("not sent: another process has taken over the account".to_owned());
        }
        if let Some(reason) = command.held_back(&self.arguments.halt) {
            return Some(reason);
        }
        if !right.holds() && !matches!(command, Command::Cancel(_)) {
            return Some("not sent: the right to trade the account has run out".to_owned());
        }
        if !self.arguments.pulse.holds() && !command.may_leave(HaltLevel::Reducing) {
            return Some(format!("not sent: the risk monitors have not been heard for {LEASE:?}"));
        }
        None
    }

    fn connection(&self) -> std::sync::MutexGuard<'_, dyn Connection + 'static> {
        // The simulated exchange changes its books one order at a time; a panic in between leaves it
        // whole, and a real connection is behind its own process anyway.
        self.arguments.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the connection, then numbers and forwards the reports that came of it.
    fn with(&mut self, turn: &Turn, act: impl FnOnce(&mut dyn Connection, &mut Vec<ExecutionReport>)) {
        let mut reports = std::mem::take(&mut self.reports);
        act(&mut *self.connection(), &mut reports);
        self.forward(None, reports, turn);
    }

    /// Numbers the reports and tells the Account what came of one act.
    fn forward(&mut self, sent: Option<Command>, mut reports: Vec<ExecutionReport>, turn: &Turn) {
        let mut numbered = Vec::with_capacity(reports.len());
        if !reports.is_empty() {
            let mut log = self.log();
            numbered.extend(reports.drain(..).map(|report| (log.add(report.clone()), report)));
        }
        if sent.is_some() || !numbered.is_empty() {
            self.tell(account::Message::Told { sent, reports: numbered, turn: turn.clone() });
        }
        // Kept, so that the next act allocates nothing.
        self.reports = reports;
    }

    fn poll(&mut self) {
        let mut events = std::mem::take(&mut self.events);
        self.connection().poll(self.arguments.clock.now(), &mut events);
        self.events = events;
        self.tell_events();
    }

    fn ask_statement(&mut self, question: u64) {
        self.question = question;
        let mut events = std::mem::take(&mut self.events);
        let asked = self.connection().request_statement(self.arguments.clock.now(), &mut events);
        self.events = events;
        if let Err(error) = asked {
            if let Some(reply) = self.dry_run.take() {
                let _ = reply.send(Err(error.to_string()));
            }
            self.tell(account::Message::Statement { question, answer: Err(error.to_string()) });
        }
    }

    fn state_now(&mut self, question: u64, after: u64, reply: oneshot::Sender<Now>) {
        self.ask_statement(question);
        let stated = |event: &BrokerEvent| matches!(event, BrokerEvent::Statement(_));
        let statement = self.events.iter().position(stated).map(|place| self.events.remove(place));
        self.tell_events();
        let statement = statement.and_then(|event| match event {
            BrokerEvent::Statement(statement) => Some(Box::new(statement)),
            _ => None,
        });
        // Whoever asked may have given up.
        let _ = reply.send(Now { reports: self.missed(after), statement });
    }

    fn tell_events(&mut self) {
        for event in std::mem::take(&mut self.events) {
            let message = match event {
                BrokerEvent::Connected => account::Message::Connected,
                BrokerEvent::Terms(terms) => {
                    self.terms = Some(terms);
                    account::Message::Terms(terms)
                }
                BrokerEvent::Disconnected { reason } => account::Message::Disconnected { reason },
                BrokerEvent::Report(report) => {
                    store::crash::point("report_polled");
                    let sequence = self.log().add(report.clone());
                    account::Message::Told { sent: None, reports: vec![(sequence, report)], turn: Turn::none() }
                }
                BrokerEvent::External(execution) => account::Message::External(execution),
                BrokerEvent::Statement(statement) => {
                    if let Some(reply) = self.dry_run.take() {
                        self.tell(account::Message::DryRun(Box::new(statement.clone()), reply));
                    }
                    account::Message::Statement { question: self.question, answer: Ok(Box::new(statement)) }
                }
                BrokerEvent::MassCanceled(result) => {
                    // The orders' own reports change the book.
                    tracing::info!(canceled = result.canceled, open = result.open, "mass cancel done");
                    continue;
                }
                BrokerEvent::Unreadable { text, problem } => account::Message::Unreadable { text, problem },
            };
            self.tell(message);
        }
    }

    /// How long a new order took to here.
    fn measure(&self, command: &Command, handed: Instant, turn: &Turn) {
        if !matches!(command, Command::Submit(_)) {
            return;
        }
        let measures = self.arguments.address.measures();
        measures.hop(Hop::HandOver).time(handed.elapsed());
        if let Some(tick) = turn.tick() {
            measures.hop(Hop::TickToOrder).time(tick.elapsed());
        }
    }

    fn missed(&self, after: u64) -> Vec<(u64, ExecutionReport)> {
        self.log().reports.iter().filter(|(sequence, _)| *sequence > after).cloned().collect()
    }

    fn log(&self) -> std::sync::MutexGuard<'_, ReportLog> {
        self.arguments.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, message: account::Message) {
        if let Err(error) = self.arguments.account.send(message) {
            // It asks for what it missed when it is back.
            tracing::warn!(%error, "report waits in the log");
        }
    }
}

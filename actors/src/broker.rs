//! Broker: one order-entry connection, and the last gate before it.
//!
//! Owns nothing that may be lost: the connection and the log of its reports outlive it. Hears
//! approved commands from the Account, and (for a simulated exchange) the market and the session.
//! Reads the halt switch for each order at the last moment; what may not leave is reported unsent.
//! Sends numbered reports to the Account, which asks again for any that it misses.
//!
//! When it dies: commands in its mailbox are gone. Restarted, it tells the Account, which asks what
//! became of every order that it had handed over (`Sync`). Nothing is sent twice.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use brokers::{Broker as Connection, BrokerOrder, SendError};
use market::order::{CancelOrder, ReplaceOrder};
use market::{ClientOrderId, ExecutionReport, InstrumentId, MarketEvent, NewOrder, PhaseChange};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use risk::{Approved, HaltLevel, HaltSwitch};

use crate::account;
use crate::address::Address;
use crate::board::QuoteSlots;
use crate::clock::Clock;
use crate::turn::Turn;

/// How often a live simulated exchange looks whether something on its way has arrived.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Reports kept for an Account that asks again. More than one session of any account we know.
const KEPT_REPORTS: usize = 100_000;

/// A connection that outlives the actor's restarts.
pub type SharedConnection = Arc<Mutex<dyn Connection>>;

/// A command that the journal holds.
#[derive(Clone, Copy, Debug)]
pub enum Command {
    /// Place an order.
    Submit(Approved<NewOrder>),
    /// Cancel one.
    Cancel(Approved<CancelOrder>),
    /// Change one.
    Replace(Approved<ReplaceOrder>),
}

impl Command {
    /// Of which order.
    pub const fn client_order_id(&self) -> ClientOrderId {
        match self {
            Self::Submit(order) => order.get().client_order_id,
            Self::Cancel(cancel) => cancel.get().client_order_id,
            Self::Replace(replace) => replace.get().client_order_id,
        }
    }
}

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
        /// The turn that waits.
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
    /// Report again everything after this number, then say what is known of these orders.
    Sync {
        /// The last report that the Account has seen.
        after: u64,
        /// Orders to ask about.
        orders: Vec<ClientOrderId>,
    },
    /// Panic, to show that it is survived.
    #[cfg(feature = "faults")]
    Fault,
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
    /// Quotes on their way here.
    pub quotes: Arc<QuoteSlots>,
    /// Time.
    pub clock: Clock,
}

/// A Broker at work.
pub struct State {
    arguments: Arguments,
    reports: Vec<ExecutionReport>,
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
        arguments.address.bind(myself);
        arguments.quotes.clear();
        // At the very first start the Account is not there yet and will ask by itself.
        let _ = arguments.account.send(account::Message::BrokerRestarted);
        Ok(State { arguments, reports: Vec::new() })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        if !matches!(message, Message::Look) {
            state.arguments.address.took();
        }
        match message {
            Message::Send { command, turn } => state.send(&command, &turn),
            Message::Market { event, turn } => {
                state.with(&turn, |connection, reports| connection.on_market(&event, reports))
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
            }
            Message::Sync { after, orders } => state.sync(after, orders),
            #[cfg(feature = "faults")]
            Message::Fault => panic!("fault injected into the broker"),
        }
        Ok(())
    }
}

impl State {
    /// The last gate. The switch is read here and nowhere later.
    fn send(&mut self, command: &Command, turn: &Turn) {
        let level = self.arguments.halt.level();
        let open = match (command, level) {
            (Command::Cancel(_), _) | (_, HaltLevel::Active) => true,
            (Command::Submit(order), HaltLevel::Reducing) => order.reduces(),
            _ => false,
        };
        if !open {
            let reason = format!("not sent: trading is {}", level.name());
            return self.tell(account::Message::NotSent { command: *command, reason, turn: turn.clone() });
        }
        let now = self.arguments.clock.now();
        let mut outcome = Ok(());
        self.with(turn, |connection, reports| {
            outcome = match command {
                Command::Submit(order) => connection.submit(order, now, reports),
                Command::Cancel(cancel) => connection.cancel(cancel, now, reports),
                Command::Replace(replace) => connection.replace(replace, now, reports),
            };
        });
        match outcome {
            Ok(()) => {}
            Err(SendError::Refused(reason)) => {
                self.tell(account::Message::NotSent { command: *command, reason, turn: turn.clone() });
            }
            Err(SendError::OutcomeUnknown(reason)) => {
                let client_order_id = command.client_order_id();
                self.tell(account::Message::OutcomeUnknown { client_order_id, reason, turn: turn.clone() });
            }
        }
    }

    /// Does something with the connection, then numbers and forwards the reports that came of it.
    fn with(&mut self, turn: &Turn, act: impl FnOnce(&mut dyn Connection, &mut Vec<ExecutionReport>)) {
        {
            // The simulated exchange changes its books one order at a time; a panic in between
            // leaves it whole, and a real connection is behind its own process anyway.
            let mut connection = self.arguments.connection.lock().unwrap_or_else(PoisonError::into_inner);
            act(&mut *connection, &mut self.reports);
        }
        let reports = std::mem::take(&mut self.reports);
        for report in reports {
            let sequence = self.log().add(report.clone());
            self.tell(account::Message::Report { report, sequence, turn: turn.clone() });
        }
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

    fn sync(&mut self, after: u64, orders: Vec<ClientOrderId>) {
        let missed: Vec<_> = self.log().reports.iter().filter(|(sequence, _)| *sequence > after).cloned().collect();
        for (sequence, report) in missed {
            self.tell(account::Message::Report { report, sequence, turn: Turn::none() });
        }
        let connection = self.arguments.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let found: Result<Vec<(ClientOrderId, Option<BrokerOrder>)>, SendError> =
            orders.iter().map(|id| connection.find(id).map(|found| (*id, found))).collect();
        drop(connection);
        match found {
            Ok(found) => self.tell(account::Message::Found(found)),
            Err(error) => tracing::error!(%error, "the broker cannot be asked; its orders stay as they are"),
        }
    }
}

//! Limit: watches figures after the trade and throws the halt switch. One actor for each configured
//! monitor of `risk::monitors::MONITORS`.
//!
//! Owns the monitor's memory: what it has told already. Hears that the Account's figures have moved
//! ([`FigureBoard`]), or what was seen of the machine's clock and of alerts on their way. Throws the switch
//! itself, at once, then has it made durable, journaled and told. Lets each beat of the [`Pulse`] through to
//! the next Limit; the last one keeps the last gate open.
//!
//! When it dies: while it is down nobody watches what it watches, so the supervisor raises its scope to the
//! monitor's level (`reducing`, for those that guard something) before it restarts it; a person resumes.
//! What the session began with and the highest close are the book's and are not lost.

use std::fmt;
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use risk::monitors::{ClockReading, DeliveryReading};
use risk::{Breach, Figures, HaltLevel, Observation, Watch};

use crate::account;
use crate::address::Address;
use crate::figures::FigureBoard;
use crate::halt::Halter;
use crate::notifier::{Alert, Alerts};
use crate::pulse::{Beat, HaltedOutside, Pulse};
use crate::turn::Turn;

/// What a Limit hears.
#[derive(Debug)]
pub enum Message {
    /// The account's figures have moved.
    Look {
        /// The turn that waits.
        turn: Turn,
    },
    /// The machine's clock was looked at.
    Clock(ClockReading),
    /// The alerts on their way were looked at.
    Delivery(DeliveryReading),
    /// The Supervisor's beat has come through: whoever watches is heard.
    Pulse(Beat),
    /// Panic, to show that it is survived.
    #[cfg(feature = "faults")]
    Fault,
}

/// What a Limit is made of.
#[derive(Clone)]
pub struct Arguments {
    /// Its own address.
    pub address: Address<Message>,
    /// Where the halt is journaled.
    pub account: Address<account::Message>,
    /// Makes the monitor, at the start and after each failure.
    pub watch: Arc<dyn Fn() -> Watch + Send + Sync>,
    /// What it looks at.
    pub figures: Arc<FigureBoard>,
    /// Its place among the readers of that.
    pub place: usize,
    /// The switch.
    pub halt: Halter,
    /// Who is told of what does not throw it.
    pub alerts: Alerts,
    /// Where beats go on to; from the last one they renew the pulse.
    pub next: Option<Address<Message>>,
    /// What the gate reads of it.
    pub pulse: Pulse,
    /// Whether somebody outside has stopped trading.
    pub outside: Option<HaltedOutside>,
}

impl fmt::Debug for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.address)
    }
}

/// A Limit at work.
pub struct State {
    arguments: Arguments,
    watch: Watch,
    found: Vec<Breach>,
}

/// The kind of actor.
pub struct Limit;

impl Actor for Limit {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Message>, arguments: Arguments) -> Result<State, ActorProcessingErr> {
        arguments.address.bind(myself);
        // What was on its way to a predecessor must not keep the next look away.
        arguments.figures.forget_told(arguments.place);
        Ok(State { watch: (arguments.watch)(), arguments, found: Vec::new() })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let _busy = state.arguments.address.took();
        let State { arguments, watch, found } = state;
        match message {
            Message::Look { turn } => {
                arguments.figures.look(arguments.place, |figures| watch.observe(Observation::Account(figures), found));
                state.act(&turn);
            }
            Message::Clock(reading) => {
                let look = |figures: &Figures| watch.observe(Observation::Clock(&reading, &figures.limits), found);
                arguments.figures.look(arguments.place, look);
                state.act(&Turn::none());
            }
            Message::Delivery(reading) => {
                watch.observe(Observation::Delivery(&reading), found);
                state.act(&Turn::none());
            }
            Message::Pulse(beat) => match &arguments.next {
                // One that is down stops it here, and with it the lease.
                Some(next) => drop(next.send(Message::Pulse(beat))),
                None => arguments.pulse.came_through(&beat, &arguments.halt, arguments.outside.as_ref()),
            },
            #[cfg(feature = "faults")]
            Message::Fault => panic!("fault injected into the limit"),
        }
        Ok(())
    }
}

impl State {
    /// The switch first; then the record, the journal, and whoever must hear of it.
    fn act(&mut self, turn: &Turn) {
        for breach in std::mem::take(&mut self.found) {
            let Arguments { halt, account, alerts, .. } = &self.arguments;
            let (scope, level, at) = (breach.scope.clone(), breach.level, breach.at);
            let (by, reason) = (breach.monitor, breach.to_string());
            // A halt is told by whoever keeps it.
            if level == HaltLevel::Active || !halt.raise(&scope, level, by, &reason) {
                alerts.raise(Alert::breach(&breach));
                continue;
            }
            let told = account::Message::Halted { scope, level, by: by.to_owned(), reason, at, turn: turn.clone() };
            if let Err(error) = account.send(told) {
                tracing::error!(%error, "the halt is in force but could not be journaled");
            }
        }
    }
}

//! Limit: watches figures after the trade and throws the halt switch. One actor per limit; this
//! one is the daily loss.
//!
//! Owns the monitor's memory (equity when the day began). Hears an observation whenever the book
//! was marked. Throws the switch itself, at once, then has it made durable and journaled. Lets each beat
//! of the [`Pulse`] through, which keeps the last gate open.
//!
//! When it dies: while it is down nothing watches, so the supervisor raises the switch to
//! `reducing` before it restarts it; a person resumes. Its memory of the day's start is lost, which
//! is why it may not simply go on.

use market::{Date, Money, Timestamp};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use risk::{DailyLoss, HaltScope};

use crate::account;
use crate::address::Address;
use crate::halt::Halter;
use crate::pulse::{Beat, HaltedOutside, Pulse};
use crate::turn::Turn;

/// What a Limit hears.
#[derive(Debug)]
pub enum Message {
    /// The book was marked.
    Observe {
        /// Day, exchange time.
        day: Date,
        /// When.
        at: Timestamp,
        /// Cash plus positions at their marks.
        equity: Money,
        /// The turn that waits.
        turn: Turn,
    },
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
    /// Loss of one day that is allowed.
    pub max_daily_loss: Money,
    /// The switch.
    pub halt: Halter,
    /// What the gate reads of it.
    pub pulse: Pulse,
    /// Whether somebody outside has stopped trading.
    pub outside: Option<HaltedOutside>,
}

/// A Limit at work.
pub struct State {
    arguments: Arguments,
    monitor: DailyLoss,
}

/// The kind of actor.
pub struct Limit;

impl Actor for Limit {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Message>, arguments: Arguments) -> Result<State, ActorProcessingErr> {
        arguments.address.bind(myself);
        let monitor = DailyLoss::new(arguments.max_daily_loss);
        Ok(State { arguments, monitor })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.arguments.address.took();
        match message {
            Message::Observe { day, at, equity, turn } => {
                if let Some(breach) = state.monitor.observe(day, equity) {
                    let (level, by, reason) = (breach.level, DailyLoss::NAME, breach.to_string());
                    // The account's loss, whoever made it.
                    let scope = HaltScope::Account;
                    if state.arguments.halt.raise(&scope, level, by, &reason) {
                        let told = account::Message::Halted { scope, level, by: by.to_owned(), reason, at, turn };
                        if let Err(error) = state.arguments.account.send(told) {
                            tracing::error!(%error, "the halt is in force but could not be journaled");
                        }
                    }
                }
            }
            Message::Pulse(beat) => {
                let Arguments { pulse, halt, outside, .. } = &state.arguments;
                pulse.came_through(&beat, halt, outside.as_ref());
            }
            #[cfg(feature = "faults")]
            Message::Fault => panic!("fault injected into the limit"),
        }
        Ok(())
    }
}

//! Limit: watches figures after the trade and throws the halt switch. One actor per limit; this
//! one is the daily loss.
//!
//! Owns the monitor's memory (equity when the day began). Hears an observation whenever the book
//! was marked. Throws the switch itself, at once, then has it made durable and journaled.
//!
//! When it dies: while it is down nothing watches, so the supervisor raises the switch to
//! `reducing` before it restarts it; a person resumes. Its memory of the day's start is lost, which
//! is why it may not simply go on.

use market::{Date, Money, Timestamp};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use risk::{DailyLoss, HaltLevel, HaltSwitch};
use store::HaltRecord;

use crate::address::Address;
use crate::turn::Turn;
use crate::{account, journal};

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
    /// Where the halt is made durable.
    pub journal: Address<journal::Message>,
    /// Loss of one day that is allowed.
    pub max_daily_loss: Money,
    /// The switch.
    pub halt: HaltSwitch,
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
                    throw(&state.arguments, at, breach.level, DailyLoss::NAME, &breach.to_string(), turn);
                }
            }
            #[cfg(feature = "faults")]
            Message::Fault => panic!("fault injected into the limit"),
        }
        Ok(())
    }
}

/// Throws the switch, then tells those who must remember it. The switch comes first: nothing that
/// fails afterwards can keep it open.
fn throw(arguments: &Arguments, at: Timestamp, level: HaltLevel, by: &str, reason: &str, turn: Turn) {
    if !arguments.halt.raise(level) {
        return;
    }
    tracing::error!(level = level.name(), by, reason, "halted");
    let record = HaltRecord { level: level.name().to_owned(), reason: reason.to_owned(), by: by.to_owned(), at };
    if let Err(error) = arguments.journal.send(journal::Message::Halt(record)) {
        tracing::error!(%error, "the halt is in force but could not be stored");
    }
    let told = account::Message::Halted { level, by: by.to_owned(), reason: reason.to_owned(), at, turn };
    if let Err(error) = arguments.account.send(told) {
        tracing::error!(%error, "the halt is in force but could not be journaled");
    }
}

//! Session: the exchange's day.
//!
//! Owns the session clock. Live it looks at the time itself; in compressed time the Feed tells it.
//! Sends each phase change to the Broker, which hands it on to the Account after the reports that
//! the change caused (day orders expire before the day is settled).
//!
//! When it dies: restarted from the calendar, it announces the phase that holds now. Live it repeats
//! that every few seconds, so that a change that was lost with somebody's mailbox is late, not missed.

use std::sync::Arc;
use std::time::Duration;

use market::{Calendar, PhaseChange, SessionClock, Timestamp};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::address::Address;
use crate::broker;
use crate::clock::Clock;
use crate::turn::Turn;

/// How often the live session looks at the clock: phases are minutes apart.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Looks between two announcements of the phase that holds: one may have been lost with a mailbox.
const ANNOUNCE_EVERY: u32 = 25;

/// What the Session hears.
#[derive(Debug)]
pub enum Message {
    /// Look at the clock (live).
    Look,
    /// Time has come this far (compressed).
    Advance {
        /// To when.
        to: Timestamp,
        /// The turn that waits.
        turn: Turn,
    },
    /// Panic, to show that it is survived.
    #[cfg(feature = "faults")]
    Fault,
}

/// What a Session is made of.
#[derive(Clone)]
pub struct Arguments {
    /// Its own address.
    pub address: Address<Message>,
    /// Where changes go.
    pub broker: Address<broker::Message>,
    /// Sessions and phases.
    pub calendar: Arc<Calendar>,
    /// Time.
    pub clock: Clock,
}

/// The Session at work.
pub struct State {
    arguments: Arguments,
    session: SessionClock,
    changes: Vec<PhaseChange>,
    looks: u32,
}

/// The kind of actor.
pub struct Session;

impl Actor for Session {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Message>, arguments: Arguments) -> Result<State, ActorProcessingErr> {
        let now = arguments.clock.now();
        let session = SessionClock::new(Arc::clone(&arguments.calendar), now);
        if matches!(arguments.clock, Clock::System) {
            myself.send_interval(LOOK_EVERY, || Message::Look);
        }
        arguments.address.bind(myself);
        let state = State { arguments, session, changes: Vec::new(), looks: 0 };
        state.announce(now);
        Ok(state)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Look => {
                let now = state.arguments.clock.now();
                state.advance(now, &Turn::none());
                state.looks = (state.looks + 1) % ANNOUNCE_EVERY;
                if state.looks == 0 {
                    state.announce(now);
                }
            }
            Message::Advance { to, turn } => {
                let _busy = state.arguments.address.took();
                state.advance(to, &turn);
            }
            #[cfg(feature = "faults")]
            Message::Fault => panic!("fault injected into the session"),
        }
        Ok(())
    }
}

impl State {
    /// Says which phase holds; whoever knows already ignores it.
    fn announce(&self, now: Timestamp) {
        let change = PhaseChange { at: now, phase: self.session.phase(), session: self.session.session() };
        // A broker that restarts hears it the next time.
        let _ = self.arguments.broker.send(broker::Message::Phase { change, turn: Turn::none() });
    }

    fn advance(&mut self, now: Timestamp, turn: &Turn) {
        self.session.advance(now, &mut self.changes);
        for change in self.changes.drain(..) {
            if !turn.is_paced() {
                tracing::info!(phase = change.phase.name(), session = %change.session, "session phase");
            }
            let message = broker::Message::Phase { change, turn: turn.clone() };
            if let Err(error) = self.arguments.broker.send(message) {
                tracing::error!(%error, phase = change.phase.name(), "phase change not delivered");
            }
        }
    }
}

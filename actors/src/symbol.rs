//! Symbol: one instrument's price now, and its fan-out.
//!
//! Owns the instrument's top of book. Hears the market's events from the Feed (quotes conflated:
//! the latest wins). Writes the hot quote, here and for other programs, tells the Account to look, then hands the event to each
//! strategy that listens, in the configured order.
//!
//! When it dies: restarted without a price, but with the status and bounds that were told; entries in its instrument are denied as stale until the
//! next event brings one. The hot quote keeps its age, so nobody takes it for fresh.

use std::sync::Arc;

use market::{InstrumentId, MarketEvent, Quantity, TopOfBook};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::address::Address;
use crate::board::{Board, QuoteSlots};
use crate::quotes::Pen;
use crate::system::Stats;
use crate::turn::Turn;
use crate::{account, strategy};

/// What a Symbol hears.
#[derive(Debug)]
pub enum Message {
    /// An event that is never dropped: a bar, a trade, an auction, a status, new bounds.
    Market {
        /// The event.
        event: MarketEvent,
        /// The turn that waits.
        turn: Turn,
    },
    /// A quote waits in the slot.
    Quote {
        /// The turn that waits.
        turn: Turn,
    },
    /// Panic, to show that it is survived.
    #[cfg(feature = "faults")]
    Fault,
}

/// What a Symbol is made of.
#[derive(Clone)]
pub struct Arguments {
    /// Its own address.
    pub address: Address<Message>,
    /// Of what.
    pub instrument: InstrumentId,
    /// Who is told that the price changed.
    pub account: Address<account::Message>,
    /// Who decides on it, in order.
    pub strategies: Vec<Address<strategy::Message>>,
    /// The hot quotes.
    pub board: Arc<Board>,
    /// Where other programs see it, if they may.
    pub pen: Option<Pen>,
    /// Quotes on their way here.
    pub quotes: Arc<QuoteSlots>,
    /// Counters.
    pub stats: Arc<Stats>,
}

/// A Symbol at work.
pub struct State {
    arguments: Arguments,
    top: TopOfBook,
    /// Units at the bid and at the ask of the last quote.
    sizes: (Quantity, Quantity),
}

/// The kind of actor.
pub struct Symbol;

impl Actor for Symbol {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Message>, arguments: Arguments) -> Result<State, ActorProcessingErr> {
        // A quote that was on its way to the predecessor must not block the slot.
        arguments.address.bind(myself);
        arguments.quotes.take(arguments.instrument);
        // A suspension is told once: it must not be forgotten with the actor that heard it.
        let TopOfBook { status, bounds, .. } = arguments.board.top(arguments.instrument);
        let top = TopOfBook { status, bounds, ..TopOfBook::default() };
        Ok(State { arguments, top, sizes: (Quantity::ZERO, Quantity::ZERO) })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let _busy = state.arguments.address.took();
        match message {
            Message::Market { event, turn } => state.take(event, turn).await?,
            Message::Quote { turn } => {
                if let Some(quote) = state.arguments.quotes.take(state.arguments.instrument) {
                    state.take(MarketEvent::Quote(quote), turn).await?;
                }
            }
            #[cfg(feature = "faults")]
            Message::Fault => panic!("fault injected into a symbol"),
        }
        Ok(())
    }
}

impl State {
    async fn take(&mut self, event: MarketEvent, turn: Turn) -> Result<(), ActorProcessingErr> {
        let instrument = self.arguments.instrument;
        if !event.is_sound() {
            self.arguments.stats.unsound(&event);
            tracing::warn!(?event, "unsound market event dropped");
            return Ok(());
        }
        let priced = self.top.apply(&event);
        if priced {
            self.show(&event);
        }
        if !priced {
            // Status or bounds: the next review must see them. An old price changed nothing.
            self.arguments.board.amend(instrument, self.top);
        } else if self.arguments.board.write(instrument, self.top) {
            let tick = turn.tick();
            let look = |turn: Turn| {
                let turn = turn.after(tick);
                // While the account restarts it looks at every price by itself.
                let _ = self.arguments.account.send(account::Message::Look { instrument, turn });
            };
            if turn.is_paced() { Turn::run(look).await? } else { look(turn.clone()) }
        }
        for strategy in &self.arguments.strategies {
            let tick = turn.tick();
            let decide = |turn: Turn| {
                let turn = turn.after(tick);
                // A strategy that restarts warms up from history; it has missed this event.
                let _ = strategy.send(strategy::Message::Market { event, turn });
            };
            if turn.is_paced() { Turn::run(decide).await? } else { decide(turn.clone()) }
        }
        Ok(())
    }

    /// For other programs: a store into a slot, whoever reads it or not.
    fn show(&mut self, event: &MarketEvent) {
        if let MarketEvent::Quote(quote) = event {
            self.sizes = (quote.bid_size, quote.ask_size);
        }
        if let Some(pen) = &self.arguments.pen {
            pen.write(self.arguments.instrument, &self.top, self.sizes);
        }
    }
}

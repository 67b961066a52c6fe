//! Strategy: one configured strategy instance.
//!
//! Owns the strategy and its view of what it holds. Hears market events from its Symbols and
//! notices from the Account; sends requests to the Account.
//!
//! When it dies: restarted from scratch. Indicators are warmed up from stored bars up to now, and
//! the Account tells it what it holds and has open. A request that was in its hands is lost, as a
//! decision that was never made.

use std::sync::Arc;

use desk::{Ask, HostSettings, Listen, Notice, NoticeKind, StrategyHost};
use market::{MarketEvent, Universe};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::account;
use crate::address::Address;
use crate::clock::Clock;
use crate::system::{BuildStrategy, WarmUp};
use crate::turn::Turn;

/// With more than this waiting before the Account, a strategy asks for nothing new: a decision that
/// waits behind a crowd is old when it is looked at.
const ACCOUNT_CROWD: u64 = 10_000;

/// What a Strategy hears.
#[derive(Debug)]
pub enum Message {
    /// Something happened in the market.
    Market {
        /// The event.
        event: MarketEvent,
        /// The turn that waits.
        turn: Turn,
    },
    /// News from the account.
    Notice {
        /// The news.
        notice: Notice,
        /// The turn that waits.
        turn: Turn,
    },
    /// Panic, to show that it is survived.
    #[cfg(feature = "faults")]
    Fault,
}

/// What a Strategy is made of.
#[derive(Clone)]
pub struct Arguments {
    /// Its own address.
    pub address: Address<Message>,
    /// Where requests go.
    pub account: Address<account::Message>,
    /// Makes a fresh strategy.
    pub build: BuildStrategy,
    /// Its settings.
    pub settings: HostSettings,
    /// What can be traded.
    pub universe: Arc<Universe>,
    /// Where past bars come from.
    pub warm_up: Arc<dyn WarmUp>,
    /// Time.
    pub clock: Clock,
}

/// A Strategy at work.
pub struct State {
    arguments: Arguments,
    host: StrategyHost,
    asks: Vec<Ask>,
}

/// The kind of actor.
pub struct Strategy;

impl Actor for Strategy {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Message>, arguments: Arguments) -> Result<State, ActorProcessingErr> {
        let strategy = (arguments.build)()?;
        let mut host = StrategyHost::new(strategy, arguments.settings.clone(), Arc::clone(&arguments.universe));
        // Stored bars are days; a strategy of quotes learns from quotes.
        let count = if arguments.settings.listen == Listen::Bars { host.warm_up() } else { 0 };
        let bars = arguments.warm_up.bars(&arguments.settings.instruments, count, arguments.clock.now())?;
        for bar in &bars {
            host.warm(bar);
        }
        tracing::debug!(strategy = arguments.settings.name, bars = bars.len(), "warmed up");
        arguments.address.bind(myself);
        let hello = account::Message::Hello { strategy: arguments.settings.id };
        // At the very first start there is nothing to tell yet.
        let _ = arguments.account.send(hello);
        Ok(State { arguments, host, asks: Vec::new() })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.arguments.address.took();
        match message {
            Message::Market { event, turn } => {
                state.host.on_market(&event, &mut state.asks);
                if state.asks.is_empty() {
                    return Ok(());
                }
                let mut asks = std::mem::take(&mut state.asks);
                if state.arguments.account.depth() > ACCOUNT_CROWD {
                    asks.retain(|ask| !state.dropped(ask));
                }
                let strategy = state.arguments.settings.id;
                if let Err(error) = state.arguments.account.send(account::Message::Ask { strategy, asks, turn }) {
                    // The account will say what is held and open when it is back.
                    tracing::warn!(%error, strategy = state.arguments.settings.name, "request lost");
                }
            }
            Message::Notice { notice, turn } => {
                state.host.on_notice(&notice);
                drop(turn);
            }
            #[cfg(feature = "faults")]
            Message::Fault => panic!("fault injected into a strategy"),
        }
        Ok(())
    }
}

impl State {
    /// Drops a new order before an overloaded account, as if it had been denied; keeps a cancel.
    fn dropped(&mut self, ask: &Ask) -> bool {
        let Ask::Submit(request) = ask else { return false };
        tracing::error!(strategy = self.arguments.settings.name, "account overloaded, request dropped");
        let (instrument, side, quantity) = (request.instrument, request.side, request.quantity);
        let holding = self.host.holding(instrument);
        self.host.on_notice(&Notice { instrument, holding, kind: NoticeKind::Denied { side, quantity } });
        true
    }
}

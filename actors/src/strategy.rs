//! Strategy: one configured strategy instance.
//!
//! Owns the strategy and its view of what it holds. Hears market events from its Symbols and
//! notices from the Account; sends requests to the Account.
//!
//! When it dies: restarted from scratch. Indicators are warmed up from stored bars up to now, and
//! the Account tells it what it holds and has open. A request that was in its hands is lost, as a
//! decision that was never made.

use std::collections::BTreeMap;
use std::sync::Arc;

use desk::{Ask, Heard, HostSettings, Listen, Notice, NoticeKind, StrategyHost, StrategyOrigin};
use market::{MarketEvent, Universe};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::account;
use crate::address::Address;
use crate::clock::Clock;
use crate::measures::Hop;
use crate::system::{BuildStrategy, WarmUp};
use crate::turn::Turn;

/// With more than this waiting before the Account, a strategy asks for nothing new: a decision that
/// waits behind a crowd is old when it is looked at.
const ACCOUNT_CROWD: u64 = 10_000;

/// Things heard that are kept back until there is something to ask for. More are told at once, so that
/// the journal holds them soon and none of it grows.
const KEPT_BACK: usize = 512;

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
    /// Its name in the list of strategies, and its parameters: what `build` makes it from.
    pub made_of: (String, BTreeMap<String, f64>),
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
    /// What was heard since the account was told last: a session's journal repeats every decision.
    heard: Vec<Heard>,
    /// Things heard and told before those.
    told: u64,
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
        let (kind, parameters) = arguments.made_of.clone();
        let origin = StrategyOrigin { kind, parameters, settings: arguments.settings.clone(), bars };
        let started = account::Message::StrategyStarted { strategy: arguments.settings.id, origin: Box::new(origin) };
        arguments.account.send(started)?;
        Ok(State { arguments, host, asks: Vec::new(), heard: Vec::new(), told: 0 })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let _busy = state.arguments.address.took();
        match message {
            Message::Market { event, turn } => {
                state.host.on_market(&event, &mut state.asks);
                if let Some(tick) = turn.tick() {
                    state.arguments.address.measures().hop(Hop::TickToDecision).time(tick.elapsed());
                }
                state.heard.push(event.into());
                if state.asks.is_empty() && state.heard.len() < KEPT_BACK {
                    return Ok(());
                }
                let mut asks = std::mem::take(&mut state.asks);
                if state.arguments.account.depth() > ACCOUNT_CROWD {
                    asks.retain(|ask| !state.dropped(ask));
                }
                state.tell(asks, turn);
            }
            Message::Notice { notice, turn } => {
                state.host.on_notice(&notice);
                // At rest again: what was heard so far is told now, and not on the way of the next order.
                let rests = matches!(&notice.kind, NoticeKind::Order { status, .. } if status.is_terminal());
                state.heard.push(Heard::Notice(notice));
                if rests || state.heard.len() >= KEPT_BACK {
                    state.tell(Vec::new(), turn);
                }
            }
            #[cfg(feature = "faults")]
            Message::Fault => panic!("fault injected into a strategy"),
        }
        Ok(())
    }
}

impl State {
    /// Tells the account what was heard and what is wanted.
    fn tell(&mut self, asks: Vec<Ask>, turn: Turn) {
        let (strategy, after, heard) = (self.arguments.settings.id, self.told, std::mem::take(&mut self.heard));
        self.told += heard.len() as u64;
        if let Err(error) = self.arguments.account.send(account::Message::Ask { strategy, after, heard, asks, turn }) {
            // The account will say what is held and open when it is back.
            tracing::warn!(%error, strategy = self.arguments.settings.name, "request lost");
        }
    }

    /// Drops a new order before an overloaded account, as if it had been denied; keeps a cancel.
    fn dropped(&mut self, ask: &Ask) -> bool {
        let Ask::Submit(request) = ask else { return false };
        tracing::error!(strategy = self.arguments.settings.name, "account overloaded, request dropped");
        let (instrument, side, quantity) = (request.instrument, request.side, request.quantity);
        let holding = self.host.holding(instrument);
        self.heard.push(Heard::Dropped(instrument, side, quantity));
        let notice = Notice { instrument, holding, kind: NoticeKind::Denied { side, quantity } };
        self.host.on_notice(&notice);
        self.heard.push(Heard::Notice(notice));
        true
    }
}

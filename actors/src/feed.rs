//! Feed: brings one source's stream to the Symbols (and to a simulated exchange).
//!
//! Owns nothing that may be lost: the source keeps its own place and outlives the actor. Live, it
//! polls the source and conflates quotes per instrument. In compressed time it goes in lockstep: per
//! event the session moves on, then the simulated exchange fills, then the Symbol fans out, and the
//! next event waits until all of that is done, so a run repeats exactly.
//!
//! When it dies: restarted at the source's place. The event that it held is not delivered again:
//! one that makes it panic would do so for ever. While it is down prices age, and stale ones deny.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use market::{MarketEvent, Timestamp};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::watch;

use crate::address::Address;
use crate::board::QuoteSlots;
use crate::clock::Clock;
use crate::system::Stats;
use crate::turn::Turn;
use crate::{broker, session, symbol};

/// Events per message to itself: large enough to be cheap, small enough to notice a stop.
const BATCH: usize = 256;
/// How far a live event may lie ahead of our clock, in nanoseconds: clocks differ by less.
const MOST_AHEAD: i64 = 2_000_000_000;
/// The longest real pause between two events of a replay with a speed: nights are not waited for.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// What a source has to say now.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Polled {
    /// The next event.
    Event(MarketEvent),
    /// Nothing now.
    Idle,
    /// Nothing ever again.
    End,
}

/// A source cannot be read now; it will be tried again.
pub type FeedError = Box<dyn std::error::Error + Send + Sync>;

/// Where market events come from. It keeps its own place.
pub trait FeedSource: Send {
    /// What it has to say now.
    ///
    /// # Errors
    /// It cannot be read now.
    fn poll(&mut self) -> Result<Polled, FeedError>;
}

/// A source that outlives the actor's restarts.
pub type SharedSource = Arc<Mutex<dyn FeedSource>>;

/// How fast events are brought.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Pace {
    /// As they come, looking again after this long.
    Live(Duration),
    /// One after another, each after everything that the one before caused. With a speed, as many
    /// times faster than the events' own time.
    Lockstep {
        /// Times faster than real; `None`: as fast as it goes.
        speed: Option<f64>,
    },
}

/// What a Feed hears.
#[derive(Debug)]
pub enum Message {
    /// Bring what there is.
    Next,
    /// Bring nothing more.
    Stop,
    /// Panic, to show that it is survived.
    #[cfg(feature = "faults")]
    Fault,
}

/// What a Feed is made of.
#[derive(Clone)]
pub struct Arguments {
    /// Its own address.
    pub address: Address<Message>,
    /// The source.
    pub source: SharedSource,
    /// How fast.
    pub pace: Pace,
    /// Who keeps the session.
    pub session: Address<session::Message>,
    /// Who simulates the exchange; a real broker is not told.
    pub broker: Option<Address<broker::Message>>,
    /// Symbols by instrument number.
    pub symbols: Vec<Address<symbol::Message>>,
    /// Quotes on their way to the broker.
    pub broker_quotes: Arc<QuoteSlots>,
    /// Quotes on their way to the symbols.
    pub symbol_quotes: Arc<QuoteSlots>,
    /// Time.
    pub clock: Clock,
    /// Counters.
    pub stats: Arc<Stats>,
    /// Set when the source has ended.
    pub ended: watch::Sender<bool>,
}

/// A Feed at work.
pub struct State {
    arguments: Arguments,
    last: Option<Timestamp>,
    stopped: bool,
}

/// The kind of actor.
pub struct Feed;

impl Actor for Feed {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Message>, arguments: Arguments) -> Result<State, ActorProcessingErr> {
        arguments.address.bind(myself.clone());
        myself.send_message(Message::Next)?;
        Ok(State { arguments, last: None, stopped: false })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Stop => state.stopped = true,
            Message::Next if state.stopped => {}
            Message::Next => {
                for _ in 0..BATCH {
                    match state.poll() {
                        Ok(Polled::Event(event)) => state.bring(event).await?,
                        Ok(Polled::Idle) => {
                            let again = match state.arguments.pace {
                                Pace::Live(again) => again,
                                Pace::Lockstep { .. } => Duration::from_millis(100),
                            };
                            myself.send_after(again, || Message::Next);
                            return Ok(());
                        }
                        Ok(Polled::End) => {
                            state.arguments.ended.send_replace(true);
                            return Ok(());
                        }
                        Err(error) => {
                            tracing::error!(%error, "feed cannot be read, trying again in a second");
                            myself.send_after(Duration::from_secs(1), || Message::Next);
                            return Ok(());
                        }
                    }
                }
                myself.send_message(Message::Next)?;
            }
            #[cfg(feature = "faults")]
            Message::Fault => panic!("fault injected into the feed"),
        }
        Ok(())
    }
}

impl State {
    fn poll(&self) -> Result<Polled, FeedError> {
        self.arguments.source.lock().unwrap_or_else(PoisonError::into_inner).poll()
    }

    async fn bring(&mut self, event: MarketEvent) -> Result<(), ActorProcessingErr> {
        let arguments = &self.arguments;
        arguments.stats.event();
        let place = event.instrument().index();
        if !event.is_sound() || place >= arguments.symbols.len() {
            arguments.stats.unsound(&event);
            tracing::warn!(?event, "unsound market event dropped");
            return Ok(());
        }
        match arguments.pace {
            Pace::Live(_) if event.at() > arguments.clock.now().plus_nanos(MOST_AHEAD) => {
                arguments.stats.unsound(&event);
                tracing::warn!(?event, "market event from the future dropped: is the file in UTC?");
            }
            Pace::Live(_) => {
                self.bring_live(event);
                // Whom it woke goes first: a burst must not hold back its own first event.
                tokio::task::yield_now().await;
            }
            Pace::Lockstep { speed } => {
                self.pause(event.at(), speed).await;
                self.bring_in_step(event).await?;
            }
        }
        Ok(())
    }

    fn bring_live(&self, event: MarketEvent) {
        let arguments = &self.arguments;
        let symbol = &arguments.symbols[event.instrument().index()];
        let turn = Turn::of_tick();
        let lost = match event {
            MarketEvent::Quote(quote) => {
                if let Some(broker) = &arguments.broker
                    && arguments.broker_quotes.put(quote)
                {
                    let _ = broker.send(broker::Message::Quote { instrument: quote.instrument });
                }
                arguments.symbol_quotes.put(quote) && symbol.send(symbol::Message::Quote { turn }).is_err()
            }
            event => {
                if let Some(broker) = &arguments.broker {
                    let _ = broker.send(broker::Message::Market { event, turn: Turn::none() });
                }
                symbol.send(symbol::Message::Market { event, turn }).is_err()
            }
        };
        if lost {
            tracing::warn!(symbol = symbol.name(), "event lost: the symbol is restarting");
        }
    }

    async fn bring_in_step(&self, event: MarketEvent) -> Result<(), ActorProcessingErr> {
        let arguments = &self.arguments;
        // An event on a boundary belongs to the phase that ends there.
        let before = event.at().plus_nanos(-1);
        Turn::run(|turn| {
            let _ = arguments.session.send(session::Message::Advance { to: before, turn });
        })
        .await?;
        arguments.clock.advance(event.at());
        if let Some(broker) = &arguments.broker {
            Turn::run(|turn| {
                let _ = broker.send(broker::Message::Market { event, turn });
            })
            .await?;
        }
        let tick = Some(Instant::now());
        Turn::run(|turn| {
            let turn = turn.after(tick);
            let _ = arguments.symbols[event.instrument().index()].send(symbol::Message::Market { event, turn });
        })
        .await?;
        Ok(())
    }

    async fn pause(&mut self, at: Timestamp, speed: Option<f64>) {
        let gap = self.last.replace(at).map_or(0, |last| at.nanos_since(last).max(0));
        if let Some(speed) = speed.filter(|speed| *speed > 0.0) {
            let pause = Duration::from_secs_f64((gap as f64 / 1e9 / speed).min(LONGEST_PAUSE.as_secs_f64()));
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
    }
}

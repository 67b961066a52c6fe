//! `run`: the daemon. Trades on paper until it is told to stop (SIGTERM or Ctrl-C).
//!
//! Starting is recovering: the journal is replayed, a halt that was in force stays in force, and
//! the paper exchange gets its open orders back.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use actors::broker::SharedConnection;
use actors::feed::{FeedError, Pace, SharedSource};
use actors::halt::SharedHalt;
use actors::journal::SharedJournal;
use actors::notifier::{Listeners, NotifierSettings, WebhookSettings};
use actors::system::{recover, shared};
use actors::{Clock, Conduct, FeedSource, Notifier, Polled, RestartPolicy, System, SystemSettings};
use brokers::SimulatedExchange;
use brokers::bridge::{BridgeBroker, BridgeSettings};
use desk::Restored;
use feeds::csv::QuoteTail;
use feeds::replay::BarHistory;
use market::{Calendar, Date, MarketEvent, Symbol, Timestamp, Universe};
use oms::OrderStatus;
use risk::{HaltLevel, HaltSwitch};
use store::{EmbeddedStore, Filter, History};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{BrokerConfig, Config, FeedConfig, Overrides, WebhookPlace, load};
use crate::control::Control;
use crate::ledger;
use crate::output::{Answer, Failure, chain, money};
use crate::wiring::{self, Recorded, StoredBars};

/// A kill test lasts seconds, and must see snapshots all the same.
const SNAPSHOT_EVERY: Option<u64> = if cfg!(feature = "crash_points") { Some(50) } else { None };

/// What the feed of a run is made of.
struct Source {
    universe: Arc<Universe>,
    history: BarHistory,
    start: Timestamp,
    clock: Clock,
    pace: Pace,
    source: SharedSource,
}

impl Source {
    fn is_replay(&self) -> bool {
        matches!(self.pace, Pace::Lockstep { .. })
    }
}

/// Runs the daemon.
pub fn run(overrides: &Overrides) -> Result<Answer, Failure> {
    let config = load(overrides)?;
    let calendar = config.calendar.calendar();
    let store = EmbeddedStore::open(&config.data_directory)?;
    let ledger = ledger::open(&config.places(), &store)?;
    let mut right = ledger::Right::take(&*ledger, &config.account.tag)?;
    store::crash::point("lease_taken");
    let halt_store: SharedHalt = shared(ledger::halt(&config.places(), &store, &*ledger)?);
    let halt = HaltSwitch::at(level_found(&halt_store));
    let journal: SharedJournal = shared(ledger.journal()?);
    let mut source = source(&config, &store, &calendar, None)?;
    let mut desk = wiring::desk(&config, &source.universe, &calendar, source.start);
    let names: Vec<String> = config.strategies.iter().map(|strategy| strategy.name.clone()).collect();
    let recovered = recover(&desk, names, &journal, &halt).map_err(Failure::failed)?;
    if let Some(last) = recovered.last_at.filter(|last| *last >= source.start && source.is_replay()) {
        // What was traded once is not traded again: the replay goes on after the last day.
        source = self::source(&config, &store, &calendar, last.local_date().succ_opt())?;
        desk.start = source.start;
    }
    tracing::info!(
        account = config.account.tag,
        ledger = ledger.place(),
        entries = recovered.sequence,
        open_orders = recovered.desk.book().open_orders().len(),
        halt = halt.level().name(),
        "recovered"
    );
    store::crash::point("recovered");
    let runtimes = wiring::Runtimes::new().map_err(Failure::failed)?;
    // Ends last: what stops the others may be worth an alert.
    let notifier = notifier(&config)?;
    let settings = SystemSettings {
        strategies: wiring::hosted(&config.strategies, &source.universe),
        connection: connection(&config, &source, &calendar, &recovered)?,
        desk,
        reports_after: recovered.broker_sequence,
        conduct: Conduct {
            entries_before: recovered.sequence,
            lease: right.for_gate(),
            patience: config.patience,
            calendar: config.calendar.name(),
            snapshot_every: SNAPSHOT_EVERY.unwrap_or(Conduct::default().snapshot_every),
            halted_outside: None,
        },
        simulated: config.broker == BrokerConfig::Simulated,
        journal,
        halt_store,
        durable: true,
        journal_runtime: Some(runtimes.journal()),
        halt,
        source: source.source,
        pace: source.pace,
        warm_up: Arc::new(StoredBars(source.history, Arc::clone(&calendar))),
        clock: source.clock,
        policy: RestartPolicy::default(),
        monitors: config.monitors,
        alerts: notifier.alerts(),
    };
    let place = config.data_directory.clone();
    let answer = runtimes.trading.block_on(runtimes.on_trading(until_stopped(settings, place)));
    store::crash::point("stopped");
    // Only what ended as it should lets go of the account; after anything else a successor waits.
    if answer.is_ok() {
        right.release();
        store::crash::point("lease_released");
    }
    answer
}

/// Where alerts go.
fn notifier(config: &Config) -> Result<Notifier, Failure> {
    let url = config.webhook.as_ref().map(WebhookPlace::url).transpose();
    let webhook = url.map_err(|problem| Failure::Failed(problem, serde_json::Value::Null))?;
    let settings =
        NotifierSettings { webhook: webhook.map(|url| WebhookSettings { url }), listeners: Listeners::default() };
    Notifier::start(&settings).map_err(Failure::failed)
}

/// Whoever is traded with.
fn connection(
    config: &Config,
    source: &Source,
    calendar: &Calendar,
    recovered: &Restored,
) -> Result<SharedConnection, Failure> {
    match &config.broker {
        BrokerConfig::Simulated => Ok(shared(exchange(config, source, calendar, recovered))),
        BrokerConfig::Bridge { address, heartbeat, reconnect_most } => {
            let mut settings = BridgeSettings::new(address, &config.account.tag);
            (settings.heartbeat, settings.reconnect_most) = (*heartbeat, *reconnect_most);
            // Only to be another one in every process.
            settings.jitter_seed = u64::from(std::process::id());
            let bridge = BridgeBroker::start(settings, Arc::clone(&source.universe)).map_err(Failure::failed)?;
            Ok(shared(bridge))
        }
    }
}

/// The simulated exchange, with what it had when the last run ended.
fn exchange(config: &Config, source: &Source, calendar: &Calendar, recovered: &Restored) -> SimulatedExchange {
    let mut exchange =
        SimulatedExchange::new(config.simulation, Arc::clone(&source.universe), calendar.phase_at(source.start))
            .with_statements(source.start);
    exchange.continue_executions_after(recovered.fills);
    // Only what the exchange had: an intent that never left, or whose fate is unknown, is not sent now.
    let had = |order: &&oms::Order| {
        matches!(order.status, OrderStatus::Working | OrderStatus::PendingCancel | OrderStatus::PendingReplace)
    };
    let book = recovered.desk.book();
    for order in book.open_orders().into_iter().filter(had) {
        exchange.restore(order.intent, order.order_type, order.quantity, order.cumulative);
    }
    for instrument in source.universe.ids() {
        exchange.restore_position(instrument, book.position(instrument).quantity + book.external(instrument));
    }
    exchange
}

/// The halt that was in force when the last run ended. A record that cannot be read halts.
fn level_found(store: &SharedHalt) -> HaltLevel {
    match store.lock().unwrap_or_else(PoisonError::into_inner).load_halt() {
        Ok(None) => HaltLevel::Active,
        Ok(Some(record)) => {
            let level = HaltLevel::from_name(&record.level).unwrap_or(HaltLevel::Halted);
            if level != HaltLevel::Active {
                tracing::warn!(level = level.name(), by = record.by, reason = record.reason, "a halt is in force");
            }
            level
        }
        Err(error) => {
            tracing::error!(error = chain(&error), "the halt state cannot be read: halted");
            HaltLevel::Halted
        }
    }
}

/// What the configuration says, from `not_before` on where the journal has come that far.
fn source(
    config: &Config,
    store: &EmbeddedStore,
    calendar: &Calendar,
    not_before: Option<Date>,
) -> Result<Source, Failure> {
    let history = store.history()?;
    let symbols = wiring::symbols(&config.strategies);
    match &config.feed {
        FeedConfig::Replay { from, to, speed } => {
            let market = wiring::market(&history, calendar, &symbols).map_err(Failure::failed)?;
            let from = (*from).max(not_before);
            let (start, events) = wiring::replay(&market, calendar, from, *to).map_err(|error| match not_before {
                Some(_) => Failure::Failed(
                    format!(
                        "the journal has come to the end of the replay ({error}); start anew with another --data-dir"
                    ),
                    serde_json::Value::Null,
                ),
                None => Failure::failed(error),
            })?;
            Ok(Source {
                universe: market.universe,
                history: market.history,
                start,
                clock: Clock::simulated(start),
                pace: Pace::Lockstep { speed: *speed },
                source: shared(Recorded::new(events)),
            })
        }
        FeedConfig::QuotesFile { path, poll_milliseconds } => {
            let universe = Arc::new(wiring::live_universe(&history, &symbols)?);
            // Symbols without history start cold; the others warm up from what is stored.
            let known = history.coverage(&Filter { symbols, ..Filter::default() })?;
            let stored: Vec<Symbol> = known.iter().map(|listing| listing.symbol).collect();
            let history = wiring::market(&history, calendar, &stored).map_err(Failure::failed)?.history;
            let since = Clock::System.now().plus_nanos(-config.limits.global.max_quote_age_seconds.nanos());
            let tail = Followed::new(path, Arc::clone(&universe), since);
            Ok(Source {
                universe,
                history,
                start: Clock::System.now(),
                clock: Clock::System,
                pace: Pace::Live(Duration::from_millis(*poll_milliseconds)),
                source: shared(tail),
            })
        }
    }
}

/// A growing file of quotes as a feed.
struct Followed {
    /// Quotes from before this were somebody else's: what the file holds at a start is not traded.
    since: Timestamp,
    tail: QuoteTail,
    universe: Arc<Universe>,
    waiting: VecDeque<MarketEvent>,
}

impl Followed {
    fn new(path: &Path, universe: Arc<Universe>, since: Timestamp) -> Self {
        Self { since, tail: QuoteTail::new(path), universe, waiting: VecDeque::new() }
    }
}

impl FeedSource for Followed {
    fn poll(&mut self) -> Result<Polled, FeedError> {
        if self.waiting.is_empty() {
            let look = self.tail.look()?;
            if look.started_over {
                tracing::warn!("the quotes file was cut or replaced; reading it from its beginning");
            }
            for fault in look.faults {
                tracing::error!(%fault, "line of the quotes file skipped");
            }
            for (symbol, mut quote) in look.quotes {
                // Quotes of symbols that no strategy names are none of our business.
                if let Some(instrument) = self.universe.find(&symbol)
                    && quote.at >= self.since
                {
                    quote.instrument = instrument;
                    self.waiting.push_back(MarketEvent::Quote(quote));
                }
            }
        }
        Ok(self.waiting.pop_front().map_or(Polled::Idle, Polled::Event))
    }
}

async fn until_stopped(settings: SystemSettings, place: PathBuf) -> Result<Answer, Failure> {
    let replay = matches!(settings.pace, Pace::Lockstep { .. });
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::failed)?;
    let system = System::start(settings).await.map_err(Failure::failed)?;
    let (mut ended, mut given_up, mut lost) = (system.ended(), system.given_up(), system.lost());
    let _control = Control::start(&place, system.inquiry(), Handle::current());
    tracing::info!(mode = "paper", halt = system.halt().level().name(), "running");
    let reason = loop {
        tokio::select! {
            _ = terminate.recv() => break "SIGTERM",
            _ = tokio::signal::ctrl_c() => break "interrupt",
            () = wiring::feed_ended(&mut ended), if replay => break "end of the replay",
            changed = lost.changed() => {
                let taken = if changed.is_ok() { lost.borrow_and_update().clone() } else { None };
                let message = taken.unwrap_or_else(|| "the supervisor is gone; start again".to_owned());
                // The journal takes nothing from this process any more.
                system.abandon().await;
                return Err(Failure::Failed(message, serde_json::Value::Null));
            }
            changed = given_up.changed() => {
                if changed.is_err() {
                    return Err(Failure::Failed("the supervisor is gone; start again".to_owned(), serde_json::Value::Null));
                }
                let names = given_up.borrow_and_update().clone();
                let ends = |name: &&String| system.is_essential(name) || (replay && name.as_str() == "feed");
                if let Some(name) = names.iter().find(ends) {
                    let message = format!("the {name} actor failed again and again; trading is halted");
                    let _ = system.stop().await;
                    return Err(Failure::Failed(message, serde_json::Value::Null));
                }
            }
        }
    };
    tracing::info!(reason, "stopping");
    store::crash::point("stopping");
    let (restarts, events) = (system.restarts().by_actor(), system.stats().events());
    let snapshot = system.stop().await.map_err(Failure::failed)?;
    let book = snapshot.desk.book();
    let fills = snapshot.record.counts.fills;
    let text = format!(
        "Stopped: {reason}. Equity {} BRL, {} orders and {fills} fills in this run, {} open orders.",
        money(book.equity()),
        snapshot.record.counts.orders,
        book.open_orders().len(),
    );
    let json = serde_json::json!({
        "stopped": reason,
        "events": events,
        "equity": book.equity().to_f64(),
        "orders": snapshot.record.counts.orders,
        "fills": fills,
        "denials": snapshot.desk.denials(),
        "open_orders": book.open_orders().len(),
        "halt": snapshot.desk.halt().level().name(),
        "restarts": restarts,
        "fingerprint": snapshot.record.fingerprint(),
    });
    Ok(Answer::new(text, json))
}

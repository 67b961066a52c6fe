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
use actors::halt::{Halter, SharedHalt, establish};
use actors::journal::SharedJournal;
use actors::notifier::{Listeners, NotifierSettings, WebhookSettings};
use actors::pulse::HaltedOutside;
use actors::system::{recover, shared};
use actors::{
    Alerts, Chores, Clock, Conduct, FeedSource, Inquiry, Notifier, Polled, RestartPolicy, System, SystemSettings,
    WindDown,
};
use brokers::SimulatedExchange;
use brokers::bridge::{BridgeBroker, BridgeSettings};
use desk::Restored;
use feeds::csv::QuoteTail;
use feeds::replay::BarHistory;
use market::{Calendar, Date, MarketEvent, Symbol, Timestamp, Universe};
use oms::OrderStatus;
use risk::{HaltLevel, HaltScope, HaltSwitch};
use store::{EmbeddedStore, Filter, HaltRecord, History, Ledger, Outcome, Users};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

use crate::admin::{self, Admin, AdminError, Facts};
use crate::auditor::{Act, Actor, Auditor};
use crate::collecting::{Observed, Workplace, chores};
use crate::config::{BrokerConfig, Config, FeedConfig, Overrides, WebhookPlace, load_effective};
use crate::control::Control;
use crate::heartbeat::{self, Heartbeat};
use crate::ledger;
use crate::output::{Answer, Failure, money};
use crate::reload::{self, Began, Change, Configurator, Wanted};
use crate::stops::{self, Stopper};
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
    let (config, effective) = load_effective(overrides)?;
    let calendar = config.calendar.calendar();
    let store = EmbeddedStore::open(&config.data_directory)?;
    let ledger = ledger::open(&config.places(), &store)?;
    let mut right = ledger::Right::take(&*ledger, &config.account.tag)?;
    store::crash::point("lease_taken");
    let auditor = Auditor::new(ledger::audit(&config.places(), &store, &*ledger)?);
    let began = reload::begin(overrides, (config, effective), &*ledger, auditor)?;
    began.log();
    let config = began.config.clone();
    // Ends last: what stops the others may be worth an alert.
    let listeners = Listeners::default();
    let notifier = notifier(&config, listeners.clone())?;
    let halt_store: SharedHalt = shared(ledger::halt(&config.places(), &store, &*ledger)?);
    let journal: SharedJournal = shared(ledger.journal()?);
    let mut source = source(&config, &store, &calendar, None)?;
    let mut desk = wiring::desk(&config, &source.universe, &calendar, source.start);
    let names: Vec<String> = config.strategies.iter().map(|strategy| strategy.name.clone()).collect();
    let halt = halt_found(&halt_store, names.clone(), &source.universe);
    attest(&began, &halt, &halt_store, &notifier.alerts());
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
    // Whoever wants it stopped is heard from here on, whether the rest starts or not.
    let halter = Halter::new(halt.clone(), Arc::clone(&halt_store), Clock::System).telling(notifier.alerts());
    for record in halter.standing() {
        let HaltRecord { scope, level, by, reason, .. } = record;
        tracing::warn!(scope, level, by, reason, "a halt is in force");
    }
    let stopper = Stopper::new(halter, began.auditor().clone());
    stops::watch_signals(stopper.clone());
    stops::watch_file(&config.data_directory, stopper.clone());
    let runtimes = wiring::Runtimes::new().map_err(Failure::failed)?;
    let observed = Observed::default();
    let chores = chores(&workplace(&config, &store, &calendar, &observed), &config.collections);
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
            second_person: config.second_person,
            snapshot_every: SNAPSHOT_EVERY.unwrap_or(Conduct::default().snapshot_every),
            halted_outside: Some(halted_outside(&config.data_directory)),
            chores: chores.clone(),
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
    let (place, wind_down) = (config.data_directory.clone(), config.wind_down);
    let overrides = overrides.clone();
    let interface = interface(&config, &*ledger, listeners, (chores, observed))?;
    let running = until_stopped(settings, (place, wind_down), stopper, interface, began, overrides);
    let answer = runtimes.trading.block_on(runtimes.on_trading(running));
    store::crash::point("stopped");
    // Only what ended as it should lets go of the account; after anything else a successor waits.
    if answer.is_ok() {
        right.release();
        store::crash::point("lease_released");
    }
    answer
}

/// Starts the admin interface on a running tree.
type Interface = Box<dyn FnOnce(Inquiry, Configurator) -> Result<Admin, AdminError> + Send>;

/// The admin interface, where one is configured.
fn interface(
    config: &Config,
    ledger: &dyn Ledger,
    alerts: Listeners,
    (chores, observed): (Chores, Observed),
) -> Result<Option<Interface>, Failure> {
    let Some(admin) = config.admin.clone() else { return Ok(None) };
    let (users, versions) = (ledger.users()?, ledger.config_versions()?);
    if users.list()?.iter().all(|user| user.disabled.is_some()) {
        tracing::warn!(
            "nobody may use the admin interface; stop the daemon and run 'pregao users add NAME --role admin'"
        );
    }
    let facts = Facts {
        account: config.account.tag.clone(),
        strategies: config.strategies.clone(),
        data_directory: config.data_directory.clone(),
        chores,
        observed,
    };
    Ok(Some(Box::new(move |inquiry, configurator| {
        let auditor = configurator.auditor().clone();
        Admin::start(admin::Settings { config: admin, facts, inquiry, users, auditor, configurator, versions, alerts })
    })))
}

/// What the Keeper works with: the history of this process, which holds the data directory.
fn workplace(config: &Config, store: &EmbeddedStore, calendar: &Arc<Calendar>, observed: &Observed) -> Workplace {
    let store = store.clone();
    Workplace {
        data_directory: config.data_directory.clone(),
        open: Arc::new(move || Ok(Box::new(store.history()?))),
        calendar: Arc::clone(calendar),
        sources: config.sources.clone(),
        observer: Arc::new(observed.clone()),
    }
}

/// Where alerts go.
fn notifier(config: &Config, listeners: Listeners) -> Result<Notifier, Failure> {
    let url = config.webhook.as_ref().map(WebhookPlace::url).transpose();
    let webhook = url.map_err(|problem| Failure::Failed(problem, serde_json::Value::Null))?;
    let webhook = webhook.map(|url| WebhookSettings { url });
    Notifier::start(&NotifierSettings { webhook, listeners }).map_err(Failure::failed)
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
        BrokerConfig::Bridge { address, heartbeat, reconnect_most, cancel_on_disconnect, substance } => {
            let mut settings = BridgeSettings::new(address, &config.account.tag);
            (settings.heartbeat, settings.reconnect_most) = (*heartbeat, *reconnect_most);
            (settings.cancel_on_disconnect, settings.substance) = (*cancel_on_disconnect, *substance);
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

/// What was in force when the last run ended, scope by scope. What cannot be understood halts everything.
fn halt_found(store: &SharedHalt, strategies: Vec<String>, universe: &Universe) -> HaltSwitch {
    let switch = HaltSwitch::of_run(strategies, universe.iter().map(|(_, known)| known.symbol).collect());
    let found = store.lock().unwrap_or_else(PoisonError::into_inner).load_halts();
    if let Err(doubt) = establish(&switch, found) {
        tracing::error!(doubt, "halted");
    }
    switch
}

/// A watchdog may have fired while this process could not look.
fn halted_outside(directory: &Path) -> HaltedOutside {
    let path = stops::file_of(directory);
    Arc::new(move || stops::read(&path).map(|stop| format!("the file {} lies there: {}", path.display(), stop.reason)))
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
            let universe = Arc::new(wiring::live_universe(&history, &symbols, &config.bounds)?);
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

/// What was not approved does not trade: halted, and stored so, until a person has looked.
fn attest(began: &Began, halt: &HaltSwitch, store: &SharedHalt, alerts: &Alerts) {
    if began.config.attestation.is_empty() {
        return;
    }
    let build = reload::own_build().inspect_err(|error| tracing::error!(%error, "this program cannot be read")).ok();
    let Err(not_approved) = began.attest(build) else { return };
    let reason = not_approved.to_string();
    tracing::error!(reason, "not approved: halted");
    let halter = Halter::new(halt.clone(), Arc::clone(store), Clock::System).telling(alerts.clone());
    halter.raise(&HaltScope::Global, HaltLevel::Halted, "attestation", &reason);
    let act = Act { action: "halt", target: HaltScope::Global.to_string(), reason, ..Act::default() };
    let actor = Actor { who: "attestation".to_owned(), role: String::new(), origin: "engine" };
    began.auditor().note(&actor, act, Outcome::Done);
}

/// Reads the file again, as a service manager asks for it. A signal carries no name.
fn reread(configurator: &Configurator) {
    let configurator = configurator.clone();
    let reading = std::thread::Builder::new().name("reload".to_owned()).spawn(move || {
        let change = Change {
            actor: Actor::signal("SIGHUP"),
            reason: "configuration file reread".to_owned(),
            wanted: Wanted::ChangedFile,
            expected: None,
            dry_run: false,
        };
        // A refusal is in the log and in the audit.
        if let Ok(changed) = configurator.change(&change) {
            tracing::info!(outcome = ?changed.outcome, version = changed.version, "SIGHUP");
        }
    });
    if let Err(error) = reading {
        tracing::error!(%error, "no thread to read the configuration again");
    }
}

async fn until_stopped(
    settings: SystemSettings,
    (place, wind_down): (PathBuf, WindDown),
    stopper: Stopper,
    interface: Option<Interface>,
    began: Began,
    overrides: Overrides,
) -> Result<Answer, Failure> {
    let replay = matches!(settings.pace, Pace::Lockstep { .. });
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::failed)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Failure::failed)?;
    if !replay {
        heartbeat::announce(&place);
    }
    let system = System::start(settings).await.map_err(Failure::failed)?;
    let (mut ended, mut given_up, mut lost) = (system.ended(), system.given_up(), system.lost());
    stopper.runs(system.inquiry());
    let configurator = began.running(overrides, system.inquiry(), Handle::current());
    let _control = Control::start(&place, system.inquiry(), configurator.clone(), Handle::current());
    let _interface = match interface.map(|start| start(system.inquiry(), configurator.clone())).transpose() {
        Ok(running) => running,
        Err(error) => {
            let _ = system.stop().await;
            return Err(Failure::failed(error));
        }
    };
    // Only a planned end says goodbye: after any other a watchdog has something to do.
    let heartbeat = Heartbeat::start(&place, system.pulse()).map_err(Failure::failed)?;
    tracing::info!(mode = "paper", halt = system.halt().level().name(), "running");
    let reason = loop {
        tokio::select! {
            _ = terminate.recv() => break "SIGTERM",
            _ = tokio::signal::ctrl_c() => break "interrupt",
            _ = hangup.recv() => reread(&configurator),
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
    let how = if replay { WindDown { cancel_day_orders: false, ..wind_down } } else { wind_down };
    tracing::info!(reason, cancel_day_orders = how.cancel_day_orders, "stopping");
    store::crash::point("stopping");
    let (restarts, events) = (system.restarts().by_actor(), system.stats().events());
    let snapshot = system.wind_down(&how).await.map_err(Failure::failed)?;
    if let Some(heartbeat) = heartbeat {
        heartbeat.goodbye();
    }
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

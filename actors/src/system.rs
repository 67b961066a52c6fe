//! The whole tree: builds it from settings, and is how the program talks to it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use desk::{DeskSettings, HostSettings, Origin, Patience, Restored};
use market::{Bar, Calendar, InstrumentId, MarketEvent, Timestamp, Universe};
use ractor::{Actor, ActorRef, SpawnErr};
use risk::monitors::{Configured, Hears, watches};
use risk::{FourEyes, HaltLevel, HaltScope, HaltSwitch, MonitorSettings, Seen, Watch};
use strategies::ParameterError;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::account::Snapshot;
use crate::address::Address;
use crate::board::{Board, QuoteSlots};
use crate::broker::{ReportLog, SharedConnection};
use crate::clock::Clock;
use crate::feed::{Pace, SharedSource};
use crate::figures::FigureBoard;
use crate::halt::{Halter, SharedHalt};
use crate::journal::SharedJournal;
use crate::keeper::Chores;
use crate::lease::{Right, SharedLease};
use crate::limits::LimitsInForce;
use crate::measures::Measures;
use crate::notifier::Alerts;
use crate::pulse::{HaltedOutside, Pulse};
use crate::quotes::{Figures, Pen};
use crate::recovery;
use crate::sampler::{LastReading, Readers, Sampler};
use crate::supervisor::{Child, RestartPolicy, Restarts};
use crate::{account, broker, feed, journal, keeper, lease, limit, session, strategy, supervisor, symbol};

mod ending;
mod inquiry;

pub use ending::WindDown;
pub use inquiry::{Inquiry, ResumeError, Resumed};

/// Answers that take longer mean that something hangs.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Makes a fresh strategy, at the start and after each failure.
pub type BuildStrategy = Arc<dyn Fn() -> Result<Box<dyn strategies::Strategy>, ParameterError> + Send + Sync>;

/// Past bars are not to be had.
pub type WarmUpError = Box<dyn std::error::Error + Send + Sync>;

/// Where past bars come from.
pub trait WarmUp: Send + Sync {
    /// The last `count` bars of each instrument that had ended by `until`, in the order in which a
    /// strategy would have seen them.
    ///
    /// # Errors
    /// They cannot be read now.
    fn bars(&self, instruments: &[InstrumentId], count: usize, until: Timestamp) -> Result<Vec<Bar>, WarmUpError>;
}

/// A strategy instance to run.
#[derive(Clone)]
pub struct HostedBuild {
    /// Makes a fresh one.
    pub build: BuildStrategy,
    /// Its name in the list of strategies, and its parameters: what `build` makes it from, for the
    /// journal.
    pub made_of: (String, BTreeMap<String, f64>),
    /// Its settings.
    pub settings: HostSettings,
}

/// How a run is conducted. The default is what a replay in memory needs.
#[derive(Clone)]
pub struct Conduct {
    /// The journal entry that the run begins after.
    pub entries_before: u64,
    /// The right to write, where the store gives one that runs out, and what the gate reads of it.
    pub lease: Option<(SharedLease, Right)>,
    /// How long things may take.
    pub patience: Patience,
    /// `b3` or `always_open`, for the journal.
    pub calendar: &'static str,
    /// Entries after which the end of a session is worth a snapshot.
    pub snapshot_every: u64,
    /// Asked when the risk monitors are heard again after a pause: whether somebody outside, a watchdog,
    /// has stopped trading meanwhile.
    pub halted_outside: Option<HaltedOutside>,
    /// Leaving `cancel_all`, `flatten` or `halted` takes a second person.
    pub second_person: bool,
    /// What is to be done regularly beside trading; in live time only.
    pub chores: Chores,
    /// What writes the hot quotes that other programs see; none: nobody sees them.
    pub pen: Option<Pen>,
    /// How those are published, where they are.
    pub publication: Option<Figures>,
}

/// A start reads this many entries in a fraction of a second.
const SNAPSHOT_EVERY: u64 = 10_000;

impl Default for Conduct {
    fn default() -> Self {
        Self {
            entries_before: 0,
            lease: None,
            patience: Patience::default(),
            calendar: "b3",
            snapshot_every: SNAPSHOT_EVERY,
            halted_outside: None,
            second_person: false,
            chores: Chores::default(),
            pen: None,
            publication: None,
        }
    }
}

/// What a system is made of.
pub struct SystemSettings {
    /// Account, universe, cash, fees, limits, start.
    pub desk: DeskSettings,
    /// Strategies in the order they decide.
    pub strategies: Vec<HostedBuild>,
    /// The order-entry connection.
    pub connection: SharedConnection,
    /// Where its report numbers continue.
    pub reports_after: u64,
    /// How the run is conducted.
    pub conduct: Conduct,
    /// Whether the connection is a simulated exchange that must see the market.
    pub simulated: bool,
    /// The store's journal.
    pub journal: SharedJournal,
    /// The store's halt record.
    pub halt_store: SharedHalt,
    /// Whether the journal blocks on a disk or a server.
    pub durable: bool,
    /// Where the journal runs, so that a sync holds up nobody else; `None`: among the others.
    pub journal_runtime: Option<Handle>,
    /// The switch, as it was found at the start.
    pub halt: HaltSwitch,
    /// Where market events come from.
    pub source: SharedSource,
    /// How fast they come.
    pub pace: Pace,
    /// Past bars.
    pub warm_up: Arc<dyn WarmUp>,
    /// Time.
    pub clock: Clock,
    /// Restart intensity.
    pub policy: RestartPolicy,
    /// What the monitors are configured by, beside the limits.
    pub monitors: MonitorSettings,
    /// Who is told what a person must hear.
    pub alerts: Alerts,
}

/// Counters that actors share.
#[derive(Debug, Default)]
pub struct Stats {
    events: AtomicU64,
    unsound: AtomicU64,
    /// Quotes whose bid was not below their ask, by instrument.
    crossed: Box<[AtomicU64]>,
}

impl Stats {
    fn of(instruments: usize) -> Self {
        Self { crossed: (0..instruments).map(|_| AtomicU64::new(0)).collect(), ..Self::default() }
    }

    pub(crate) fn event(&self) {
        self.events.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn unsound(&self, event: &MarketEvent) {
        self.unsound.fetch_add(1, Ordering::Relaxed);
        if let MarketEvent::Quote(quote) = event
            && quote.bid >= quote.ask
            && let Some(crossed) = self.crossed.get(quote.instrument.index())
        {
            crossed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Quotes of an instrument that were dropped because their bid was not below their ask.
    pub fn crossed(&self, instrument: InstrumentId) -> u64 {
        self.crossed.get(instrument.index()).map_or(0, |crossed| crossed.load(Ordering::Relaxed))
    }

    /// Market events brought by the feed.
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Market events dropped as unsound.
    pub fn unsound_events(&self) -> u64 {
        self.unsound.load(Ordering::Relaxed)
    }
}

/// Which actor to make panic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The Journal.
    Journal,
    /// The Session.
    Session,
    /// The Account.
    Account,
    /// The Broker.
    Broker,
    /// The Limit of this number, in the order of `risk::monitors::watches`.
    Limit(usize),
    /// The Feed.
    Feed,
    /// The Symbol of this number.
    Symbol(usize),
    /// The Strategy of this number.
    Strategy(usize),
}

impl Fault {
    /// One of each kind.
    pub const KINDS: [Self; 8] = [
        Self::Journal,
        Self::Session,
        Self::Account,
        Self::Broker,
        Self::Limit(0),
        Self::Feed,
        Self::Symbol(0),
        Self::Strategy(0),
    ];
}

/// A mailbox on an order's way that can be flooded.
#[cfg(feature = "faults")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mailbox {
    /// The Account's: where an order is reviewed, and the monitors' beats come by.
    Account,
    /// The Broker's: the last one before the gate.
    Broker,
}

/// Something is wrong with the tree as a whole.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// An actor could not start.
    #[error("the engine could not start: {0}")]
    Start(String),
    /// The account does not answer.
    #[error("the account does not answer: {0}")]
    NoAnswer(String),
    /// The account did not take the limits.
    #[error("the limits were not changed: {0}")]
    LimitsRefused(String),
}

/// What can be seen of a tree without asking any of its actors.
#[derive(Clone)]
struct View {
    board: Arc<Board>,
    limits: LimitsInForce,
    universe: Arc<Universe>,
    strategies: Arc<[String]>,
    restarts: Restarts,
    stats: Arc<Stats>,
    measures: Arc<Measures>,
    figures: Arc<FigureBoard>,
    given_up: watch::Receiver<Vec<String>>,
    pen: Option<Pen>,
    publication: Option<Figures>,
}

/// A running tree.
pub struct System {
    supervisor: ActorRef<supervisor::Message>,
    addresses: Addresses,
    halter: Halter,
    connection: SharedConnection,
    view: View,
    pulse: Pulse,
    ended: watch::Receiver<bool>,
    /// Kept here as well, because without a lease nobody else does.
    lost: watch::Sender<Option<String>>,
    second_person: bool,
    proposals: Proposals,
    /// Looks at the machine's clock and the alerts as long as this lives.
    sampler: Option<Sampler>,
    last_reading: LastReading,
    monitors: MonitorSettings,
    /// Actors without which the account is halted.
    essential: Vec<String>,
}

/// Resumes that wait for a second person: what each would lift, as it was seen.
type Proposals = Arc<Mutex<FourEyes<Vec<(HaltScope, Seen)>>>>;

#[derive(Clone)]
struct Addresses {
    journal: Address<journal::Message>,
    session: Address<session::Message>,
    account: Address<account::Message>,
    broker: Address<broker::Message>,
    /// In the order of `risk::monitors::watches`.
    limits: Vec<Address<limit::Message>>,
    feed: Address<feed::Message>,
    symbols: Vec<Address<symbol::Message>>,
    strategies: Vec<Address<strategy::Message>>,
}

impl System {
    /// Starts every actor, in the order in which they need each other.
    ///
    /// # Errors
    /// An actor could not start; none is left running.
    pub async fn start(settings: SystemSettings) -> Result<Self, SystemError> {
        let universe = Arc::clone(&settings.desk.universe);
        let measures = Arc::<Measures>::default();
        let addresses = Addresses {
            journal: Address::measured("journal", &measures),
            session: Address::measured("session", &measures),
            account: Address::measured("account", &measures),
            broker: Address::measured("broker", &measures),
            limits: watched(&settings)
                .iter()
                .map(|watch| Address::measured(format!("limit {}", watch.name), &measures))
                .collect(),
            feed: Address::measured("feed", &measures),
            symbols: universe
                .iter()
                .map(|(_, known)| Address::measured(format!("symbol {}", known.symbol), &measures))
                .collect(),
            strategies: settings
                .strategies
                .iter()
                .map(|hosted| Address::measured(format!("strategy {}", hosted.settings.name), &measures))
                .collect(),
        };
        let (ended_in, ended) = watch::channel(false);
        let (given_up_in, given_up) = watch::channel(Vec::new());
        let (lost, _) = watch::channel(None);
        let limits = Arc::clone(&settings.desk.limits);
        let figures = Arc::new(FigureBoard::new(limits, Arc::clone(&universe), addresses.limits.len()));
        let view = View {
            board: Arc::new(Board::new(universe.len())),
            limits: LimitsInForce::new(Arc::clone(&settings.desk.limits)),
            universe,
            strategies: settings.strategies.iter().map(|hosted| hosted.settings.name.clone()).collect(),
            restarts: Restarts::default(),
            stats: Arc::new(Stats::of(settings.desk.universe.len())),
            measures,
            figures,
            given_up,
            pen: settings.conduct.pen.clone(),
            publication: settings.conduct.publication.clone(),
        };
        let pulse = Pulse::of(&settings.clock);
        let halter = Halter::new(settings.halt.clone(), Arc::clone(&settings.halt_store), settings.clock.clone())
            .telling(settings.alerts.clone());
        let arguments = supervisor::Arguments {
            policy: settings.policy,
            halt: halter.clone(),
            restarts: view.restarts.clone(),
            given_up: given_up_in,
            children: children(&settings, &halter, &addresses, &view, &pulse, &ended_in, &lost),
            pulse: pulse.clone(),
            account: addresses.account.clone(),
        };
        let (connection, second_person) = (Arc::clone(&settings.connection), settings.conduct.second_person);
        let essential = arguments.children.iter().filter(|child| child.is_essential());
        let essential = essential.map(|child| child.name.clone()).collect();
        let last_reading = LastReading::default();
        let sampler = sampler(&settings, &addresses, &last_reading)?;
        let (supervisor, _) = supervisor::Supervisor::spawn(None, supervisor::Supervisor, arguments)
            .await
            .map_err(|error| SystemError::Start(error.to_string()))?;
        Ok(Self {
            supervisor,
            addresses,
            halter,
            connection,
            view,
            pulse,
            ended,
            lost,
            second_person,
            proposals: Proposals::default(),
            sampler,
            last_reading,
            monitors: settings.monitors,
            essential,
        })
    }

    /// How things stand.
    ///
    /// # Errors
    /// The account is down or does not answer in time.
    pub async fn snapshot(&self) -> Result<Snapshot, SystemError> {
        self.inquiry().snapshot().await
    }

    /// How others ask about it while it runs.
    pub fn inquiry(&self) -> Inquiry {
        Inquiry {
            account: self.addresses.account.clone(),
            broker: self.addresses.broker.clone(),
            halter: self.halter.clone(),
            connection: Arc::clone(&self.connection),
            view: self.view.clone(),
            second_person: self.second_person,
            proposals: Arc::clone(&self.proposals),
            monitors: self.monitors,
            last_reading: Arc::clone(&self.last_reading),
            addresses: self.addresses.clone(),
        }
    }

    /// Tells when the feed has ended.
    pub fn ended(&self) -> watch::Receiver<bool> {
        self.ended.clone()
    }

    /// Actors that were given up, as they are.
    pub fn given_up(&self) -> watch::Receiver<Vec<String>> {
        self.view.given_up.clone()
    }

    /// Whether nothing can be traded without this actor, so that giving it up ends the run.
    pub fn is_essential(&self, name: &str) -> bool {
        self.essential.iter().any(|essential| essential == name)
    }

    /// Why the right to trade the account is gone, if it is.
    pub fn lost(&self) -> watch::Receiver<Option<String>> {
        self.lost.subscribe()
    }

    /// The halt switch.
    pub fn halt(&self) -> &HaltSwitch {
        &self.halter.switch
    }

    /// Restarts so far.
    pub fn restarts(&self) -> &Restarts {
        &self.view.restarts
    }

    /// Its sign of life.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Counters.
    pub fn stats(&self) -> &Stats {
        &self.view.stats
    }

    /// Makes an actor panic.
    #[cfg(feature = "faults")]
    pub fn inject(&self, fault: Fault) {
        let a = &self.addresses;
        let _ = match fault {
            Fault::Journal => a.journal.send(journal::Message::Fault),
            Fault::Session => a.session.send(session::Message::Fault),
            Fault::Account => a.account.send(account::Message::Fault),
            Fault::Broker => a.broker.send(broker::Message::Fault),
            Fault::Limit(place) => a.limits[place].send(limit::Message::Fault),
            Fault::Feed => a.feed.send(feed::Message::Fault),
            Fault::Symbol(place) => a.symbols[place].send(symbol::Message::Fault),
            Fault::Strategy(place) => a.strategies[place].send(strategy::Message::Fault),
        };
    }

    /// Puts so many messages that do nothing into a mailbox.
    #[cfg(feature = "faults")]
    pub fn flood(&self, mailbox: Mailbox, count: u64) {
        for _ in 0..count {
            let _ = match mailbox {
                Mailbox::Account => self.addresses.account.send(account::Message::Nothing),
                Mailbox::Broker => self.addresses.broker.send(broker::Message::Nothing),
            };
        }
    }

    /// Messages that wait in a mailbox.
    #[cfg(feature = "faults")]
    pub fn waiting(&self, mailbox: Mailbox) -> u64 {
        match mailbox {
            Mailbox::Account => self.addresses.account.depth(),
            Mailbox::Broker => self.addresses.broker.depth(),
        }
    }
}

/// What a journal leaves to be known before the tree starts: a simulated exchange that lives inside
/// the program gets its open orders back, and numbers go on where they were.
///
/// # Errors
/// The journal cannot be read, or does not lead to a desk.
pub fn recover(
    settings: &DeskSettings,
    strategies: Vec<String>,
    journal: &SharedJournal,
    halt: &HaltSwitch,
) -> Result<Restored, SystemError> {
    recovery::read(journal, settings.clone(), strategies, halt.clone(), u64::MAX, 0)
        .map_err(|error| SystemError::Start(error.to_string()))
}

/// Shares something between an actor and its successors.
pub fn shared<T>(value: T) -> Arc<Mutex<T>> {
    Arc::new(Mutex::new(value))
}

/// One entry of the supervisor's list.
fn child<A, F>(name: &str, when_down: HaltLevel, when_given_up: HaltLevel, actor: F, arguments: A::Arguments) -> Child
where
    A: Actor,
    A::Arguments: Clone + Sync,
    F: Fn() -> A + Send + Sync + 'static,
{
    let actor = Arc::new(actor);
    let start: supervisor::Start = Arc::new(move |supervisor| {
        let (actor, arguments) = (actor(), arguments.clone());
        Box::pin(async move {
            let (started, _) = Actor::spawn_linked(None, actor, arguments, supervisor).await?;
            Ok(started.get_cell())
        })
    });
    Child { name: name.to_owned(), start, scope: HaltScope::Account, when_down, when_given_up }
}

/// The same child on another runtime: its messages cross over, its blocking does not.
fn elsewhere(child: Child, runtime: Option<&Handle>) -> Child {
    let Some(runtime) = runtime.cloned() else { return child };
    let inner = child.start;
    let start: supervisor::Start = Arc::new(move |supervisor| {
        let (runtime, started) = (runtime.clone(), inner(supervisor));
        Box::pin(async move {
            let failed = |error: tokio::task::JoinError| SpawnErr::StartupFailed(error.into());
            runtime.spawn(started).await.map_err(failed)?
        })
    });
    Child { start, ..child }
}

/// The monitors, fresh.
fn watched(settings: &SystemSettings) -> Vec<Watch> {
    let strategies: Vec<String> = settings.strategies.iter().map(|hosted| hosted.settings.name.clone()).collect();
    watches(&Configured { settings: settings.monitors, strategies: &strategies })
}

/// Live, somebody looks at what lies beside the account.
fn sampler(settings: &SystemSettings, to: &Addresses, last: &LastReading) -> Result<Option<Sampler>, SystemError> {
    if !matches!(settings.clock, Clock::System) {
        return Ok(None);
    }
    let watched = watched(settings);
    let of = |hears: Hears| {
        let place = watched.iter().position(|watch| watch.hears == hears);
        place.map(|place| to.limits[place].clone())
    };
    let readers = Readers {
        clock: of(Hears::Clock),
        delivery: of(Hears::Delivery),
        alerts: settings.alerts.clone(),
        last: Arc::clone(last),
    };
    Sampler::start(readers).map(Some).map_err(|error| SystemError::Start(format!("sampler: {error}")))
}

/// One Limit for each configured monitor. Beats pass through those without which nothing may be taken on in the
/// whole account; what watches over one strategy, or only tells, closes no gate for all.
fn watching(
    settings: &SystemSettings,
    halter: &Halter,
    to: &Addresses,
    board: &Arc<FigureBoard>,
    pulse: &Pulse,
) -> (Vec<Child>, Address<limit::Message>) {
    let watched = watched(settings);
    let strategies: Arc<[String]> = settings.strategies.iter().map(|hosted| hosted.settings.name.clone()).collect();
    let passes = |watch: &Watch| {
        watch.when_down != HaltLevel::Active && matches!(watch.scope, HaltScope::Account | HaltScope::Global)
    };
    let chain: Vec<usize> = (0..watched.len()).filter(|place| passes(&watched[*place])).collect();
    let children = watched.iter().enumerate().map(|(place, watch)| {
        let after = chain.iter().position(|link| *link == place).and_then(|link| chain.get(link + 1));
        let (monitors, names) = (settings.monitors, Arc::clone(&strategies));
        let build = move || watches(&Configured { settings: monitors, strategies: &names }).swap_remove(place);
        let arguments = limit::Arguments {
            address: to.limits[place].clone(),
            account: to.account.clone(),
            watch: Arc::new(build),
            figures: Arc::clone(board),
            place,
            halt: halter.clone(),
            alerts: settings.alerts.clone(),
            next: after.map(|place| to.limits[*place].clone()),
            pulse: pulse.clone(),
            outside: settings.conduct.halted_outside.clone(),
        };
        let name = to.limits[place].name();
        let child = child(name, watch.when_down, watch.when_given_up, || limit::Limit, arguments);
        Child { scope: watch.scope.clone(), ..child }
    });
    (children.collect(), to.limits[chain[0]].clone())
}

/// What the run decides with.
fn origin(settings: &SystemSettings) -> Origin {
    Origin {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        start: settings.desk.start,
        calendar: settings.conduct.calendar.to_owned(),
        instruments: settings.desk.universe.iter().map(|(_, known)| known.clone()).collect(),
        limits: settings.desk.limits.limits().clone(),
        brokerage: settings.desk.book.brokerage,
    }
}

/// The tree, in starting order.
fn children(
    settings: &SystemSettings,
    halter: &Halter,
    to: &Addresses,
    View { board, stats, limits, figures, .. }: &View,
    pulse: &Pulse,
    ended: &watch::Sender<bool>,
    lost: &watch::Sender<Option<String>>,
) -> Vec<Child> {
    use HaltLevel::{Active, Halted, StopNew};
    let universe = &settings.desk.universe;
    let calendar: Arc<Calendar> = Arc::clone(&settings.desk.book.calendar);
    let (broker_quotes, symbol_quotes) =
        (Arc::new(QuoteSlots::new(universe.len())), Arc::new(QuoteSlots::new(universe.len())));
    let clock = &settings.clock;
    let (watching, pulse_to) = watching(settings, halter, to, figures, pulse);
    let mut list = vec![
        elsewhere(
            child(
                to.journal.name(),
                Active,
                Halted,
                || journal::Journal,
                journal::Arguments {
                    address: to.journal.clone(),
                    account: to.account.clone(),
                    journal: Arc::clone(&settings.journal),
                    durable: settings.durable,
                },
            ),
            settings.journal_runtime.as_ref(),
        ),
        child(
            to.broker.name(),
            Active,
            Halted,
            || broker::Broker,
            broker::Arguments {
                address: to.broker.clone(),
                account: to.account.clone(),
                connection: Arc::clone(&settings.connection),
                log: shared(ReportLog::after(settings.reports_after)),
                halt: settings.halt.clone(),
                right: settings.conduct.lease.as_ref().map_or_else(Right::unlimited, |(_, right)| right.clone()),
                pulse: pulse.clone(),
                quotes: Arc::clone(&broker_quotes),
                clock: clock.clone(),
            },
        ),
        child(
            to.account.name(),
            Active,
            Halted,
            || account::Account,
            account::Arguments {
                address: to.account.clone(),
                journal: to.journal.clone(),
                stored: Arc::clone(&settings.journal),
                broker: to.broker.clone(),
                watching: to.limits.iter().cloned().zip(watched(settings).iter().map(|watch| watch.hears)).collect(),
                pulse_to,
                figures: Arc::clone(figures),
                incarnations: Arc::default(),
                strategies: to
                    .strategies
                    .iter()
                    .cloned()
                    .zip(settings.strategies.iter().map(|hosted| hosted.settings.clone()))
                    .collect(),
                desk: settings.desk.clone(),
                origin: origin(settings),
                limits: limits.clone(),
                patience: settings.conduct.patience,
                snapshot_every: settings.conduct.snapshot_every,
                record_after: settings.conduct.entries_before,
                halt: halter.clone(),
                board: Arc::clone(board),
                clock: clock.clone(),
            },
        ),
        child(
            to.session.name(),
            Active,
            Halted,
            || session::Session,
            session::Arguments {
                address: to.session.clone(),
                broker: to.broker.clone(),
                calendar,
                clock: clock.clone(),
            },
        ),
    ];
    list.extend(watching);
    if let Some((held, right)) = &settings.conduct.lease {
        let arguments = lease::Arguments {
            lease: Arc::clone(held),
            right: right.clone(),
            halt: settings.halt.clone(),
            lost: lost.clone(),
        };
        // Beside the journal: both wait for the same store.
        list.push(elsewhere(
            child("lease", Active, StopNew, || lease::Lease, arguments),
            settings.journal_runtime.as_ref(),
        ));
    }
    if matches!(settings.clock, Clock::System) {
        let (chores, alerts) = (settings.conduct.chores.clone(), settings.alerts.clone());
        let arguments = keeper::Arguments { chores, alerts, clock: clock.clone() };
        list.push(child("keeper", Active, Active, || keeper::Keeper, arguments));
    }
    for (hosted, address) in settings.strategies.iter().zip(&to.strategies) {
        list.push(child(
            address.name(),
            Active,
            Active,
            || strategy::Strategy,
            strategy::Arguments {
                address: address.clone(),
                account: to.account.clone(),
                build: Arc::clone(&hosted.build),
                made_of: hosted.made_of.clone(),
                settings: hosted.settings.clone(),
                universe: Arc::clone(universe),
                warm_up: Arc::clone(&settings.warm_up),
                clock: clock.clone(),
            },
        ));
    }
    for (instrument, address) in universe.ids().zip(&to.symbols) {
        let listens = |hosted: &&HostedBuild| hosted.settings.instruments.contains(&instrument);
        let strategies = settings.strategies.iter().zip(&to.strategies).filter(|(hosted, _)| listens(hosted));
        list.push(child(
            address.name(),
            Active,
            Active,
            || symbol::Symbol,
            symbol::Arguments {
                address: address.clone(),
                instrument,
                account: to.account.clone(),
                strategies: strategies.map(|(_, address)| address.clone()).collect(),
                board: Arc::clone(board),
                pen: settings.conduct.pen.clone(),
                quotes: Arc::clone(&symbol_quotes),
                stats: Arc::clone(stats),
            },
        ));
    }
    list.push(child(
        to.feed.name(),
        Active,
        StopNew,
        || feed::Feed,
        feed::Arguments {
            address: to.feed.clone(),
            source: Arc::clone(&settings.source),
            pace: settings.pace,
            session: to.session.clone(),
            broker: settings.simulated.then(|| to.broker.clone()),
            symbols: to.symbols.clone(),
            broker_quotes,
            symbol_quotes,
            clock: clock.clone(),
            stats: Arc::clone(stats),
            ended: ended.clone(),
        },
    ));
    list
}

//! Tests that need more than one crate: parity, faults, scenarios, end to end.
//!
//! This library builds the small worlds they play in; [`scenario`] plays a trader's words, [`simulation`]
//! finds the day that nobody imagined, and [`kill`] kills the real program beside a [`venue`], a broker of
//! its own, whose record the [`oracle`] compares with the journal; [`failover`] does so with two daemons of which one
//! stands by.

pub mod failover;
pub mod flood;
pub mod kill;
pub mod oracle;
pub mod scenario;
pub mod simulation;
pub mod stop;
pub mod venue;

use std::collections::BTreeMap;
use std::sync::Arc;

use actors::clock::Clock;
use actors::feed::{FeedError, Pace};
use actors::system::{WarmUpError, shared};
use actors::{Conduct, FeedSource, HostedBuild, Polled, RestartPolicy, System, SystemSettings, WarmUp};
use backtest::{Backtest, BacktestSettings, HostedStrategy};
use brokers::SimulatedExchange;
use brokers::simulated::SimulationSettings;
use desk::{DeskSettings, Execution, HostSettings, Listen, Sizing};
use feeds::replay::{BarHistory, daily_stream};
use market::fees::Brokerage;
use market::{
    Bar, Calendar, Date, FeeSchedule, Instrument, InstrumentId, InstrumentKind, MarketEvent, Money, Price, Quantity,
    Rate, StrategyId, Timestamp, Universe,
};
use oms::BookSettings;
use risk::limits::StrategyLimits;
use risk::{HaltLevel, HaltScope, HaltSwitch, LimitSet, LimitTable, Limits, MonitorSettings, Seconds, SomeLimits};
use store::{HaltRecord, HaltStore, MemoryJournal, StoreError};
use strategies::Parameters;

/// A halt record in memory: what the tests look at instead of a disk.
#[derive(Debug, Default)]
pub struct MemoryHalt(pub Vec<HaltRecord>);

impl HaltStore for MemoryHalt {
    fn load_halts(&self) -> Result<Vec<HaltRecord>, StoreError> {
        let last = |record: &&HaltRecord| self.0.iter().rev().find(|one| one.scope == record.scope) == Some(record);
        Ok(self.0.iter().filter(last).cloned().collect())
    }

    fn save_halt(&mut self, record: &HaltRecord) -> Result<(), StoreError> {
        self.0.push(record.clone());
        Ok(())
    }
}

/// A list of events as a source.
pub struct ListSource {
    events: Vec<MarketEvent>,
    next: usize,
}

impl ListSource {
    /// From events in the order of their times.
    pub fn new(events: Vec<MarketEvent>) -> Self {
        Self { events, next: 0 }
    }
}

impl FeedSource for ListSource {
    fn poll(&mut self) -> Result<Polled, FeedError> {
        let event = self.events.get(self.next).copied();
        self.next += 1;
        Ok(event.map_or(Polled::End, Polled::Event))
    }
}

/// Past bars in memory.
pub struct MemoryWarmUp(pub BarHistory, pub Arc<Calendar>);

impl WarmUp for MemoryWarmUp {
    fn bars(&self, instruments: &[InstrumentId], count: usize, until: Timestamp) -> Result<Vec<Bar>, WarmUpError> {
        Ok(self.0.delivered(&self.1, instruments, count, until))
    }
}

/// A made-up market and what trades in it.
#[derive(Clone)]
pub struct World {
    /// What can be traded.
    pub universe: Arc<Universe>,
    /// Sessions.
    pub calendar: Arc<Calendar>,
    /// All bars.
    pub history: BarHistory,
    /// First instant of trading; bars before it warm up.
    pub start: Timestamp,
    /// The stream from there on.
    pub events: Vec<MarketEvent>,
    /// The limits.
    pub limits: LimitSet,
    /// Tighter ones for the first strategy.
    pub first_limits: SomeLimits,
    /// How the exchange behaves.
    pub simulation: SimulationSettings,
    /// Money at the start.
    pub cash: Money,
    /// Strategy kinds, each on every instrument.
    pub kinds: Vec<(&'static str, Execution)>,
}

/// A number from a seed and a place: enough randomness for a price path, and the same everywhere.
fn mixed(seed: u64, place: u64) -> u64 {
    let mut x = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ place.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^= x >> 30;
    x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^= x >> 27;
    x = x.wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

impl World {
    /// `sessions` days of `instruments` random walks from 2017-01-02 on; trading starts after
    /// `warm` of them.
    pub fn random(seed: u64, instruments: u32, sessions: usize, warm: usize) -> Self {
        let calendar = Calendar::b3();
        let first = Date::from_ymd_opt(2017, 1, 2).expect("a date");
        let days: Vec<Date> = calendar.sessions(first, calendar.horizon()).into_iter().take(sessions).collect();
        let mut universe = Universe::new();
        for number in 0..instruments {
            let symbol = format!("TEST{number}").parse().expect("a symbol");
            universe.add(Instrument::cash(symbol, InstrumentKind::Share));
        }
        let mut bars = Vec::new();
        for instrument in 0..instruments {
            let mut cents = 2_000 + i64::from(instrument) * 500;
            for (place, day) in days.iter().enumerate() {
                let roll = |what: u64, most: i64| {
                    let place = place as u64 * 64 + u64::from(instrument) * 8 + what;
                    (mixed(seed, place) % (2 * most as u64 + 1)) as i64 - most
                };
                let open = (cents + roll(0, 30)).max(300);
                let close = (open + roll(1, 60)).max(300);
                let price = |cents| Price::from_cents(cents).expect("a price");
                bars.push(Bar {
                    end: calendar.session(*day).expect("a session").close(),
                    instrument: InstrumentId::new(instrument),
                    open: price(open),
                    high: price(open.max(close) + roll(2, 20).abs()),
                    low: price(open.min(close) - roll(3, 20).abs()),
                    close: price(close),
                    volume: Quantity::new(100 * (1_000 + roll(4, 900))),
                });
                cents = close;
            }
        }
        let history = BarHistory::new(instruments as usize, bars);
        let start = calendar.session(days[warm]).expect("a session").start().plus_nanos(-1);
        let mut world = Self {
            universe: Arc::new(universe),
            calendar,
            history,
            start,
            events: Vec::new(),
            limits: LimitSet {
                max_order_quantity: Quantity::new(5_000),
                max_order_notional: Money::from_cents(20_000_000),
                price_collar: Rate::from_ppm(100_000),
                max_position_quantity: Quantity::new(6_000),
                max_quote_age_seconds: Seconds(60),
                max_daily_loss: Money::from_cents(100_000_000),
                ..LimitSet::WIDE
            },
            first_limits: SomeLimits::default(),
            simulation: SimulationSettings::default(),
            cash: Money::from_cents(20_000_000),
            kinds: vec![
                ("moving_average_cross", Execution::Auction),
                ("rsi_mean_reversion", Execution::Limit),
                ("donchian_breakout", Execution::Auction),
            ],
        };
        world.events = world.stream();
        world
    }

    fn stream(&self) -> Vec<MarketEvent> {
        let before = self.history.last(&self.universe.ids().collect::<Vec<_>>(), 1, self.start);
        let bars = self.history.between(self.start, Timestamp::MAX);
        daily_stream(&self.calendar, &before, &bars).expect("bars on sessions only")
    }

    /// Names of the strategies in the order of their numbers.
    pub fn names(&self) -> Vec<String> {
        self.kinds.iter().enumerate().map(|(place, (kind, _))| format!("{kind} {place}")).collect()
    }

    /// The limits as a person would have written them.
    fn written(&self) -> Limits {
        let mut limits = Limits::from(self.limits);
        if let Some(name) = self.names().first().filter(|_| self.first_limits != SomeLimits::default()) {
            let own = StrategyLimits { allowed: None, limits: self.first_limits };
            limits.strategies.insert(name.clone(), own);
        }
        limits
    }

    /// What the desk is made of.
    pub fn desk(&self) -> DeskSettings {
        DeskSettings {
            account: "TEST".to_owned(),
            universe: Arc::clone(&self.universe),
            book: BookSettings {
                cash: self.cash,
                calendar: Arc::clone(&self.calendar),
                fees: FeeSchedule::b3(),
                brokerage: Brokerage::FREE,
                instruments: self.universe.len(),
            },
            limits: Arc::new(LimitTable::new(self.written(), &self.universe, &self.names())),
            start: self.start,
        }
    }

    /// The strategy instances.
    pub fn hosted(&self) -> Vec<HostedBuild> {
        let instruments: Vec<InstrumentId> = self.universe.ids().collect();
        (0..)
            .zip(&self.kinds)
            .map(|(place, (kind, execution))| {
                let entry = strategies::find(kind).expect("a listed strategy");
                let given: BTreeMap<String, f64> = match *kind {
                    "moving_average_cross" => [("fast".to_owned(), 3.0), ("slow".to_owned(), 8.0)].into(),
                    "donchian_breakout" => [("enter".to_owned(), 8.0), ("leave".to_owned(), 4.0)].into(),
                    "cross_sectional_momentum" => {
                        [("look_back".to_owned(), 10.0), ("skip".to_owned(), 1.0), ("hold".to_owned(), 5.0)].into()
                    }
                    _ => [("period".to_owned(), 5.0)].into(),
                };
                let parameters = Parameters::check(entry.parameters, given.clone()).expect("valid parameters");
                let own = instruments.clone();
                HostedBuild {
                    made_of: ((*kind).to_owned(), given),
                    build: Arc::new(move || (entry.build)(&parameters, &own)),
                    settings: HostSettings {
                        id: StrategyId(place),
                        name: format!("{kind} {place}"),
                        instruments: instruments.clone(),
                        listen: Listen::Bars,
                        sizing: Sizing::Notional(Money::from_cents(3_000_000)),
                        execution: *execution,
                        flat_by: None,
                    },
                }
            })
            .collect()
    }

    /// A warmed-up backtest of this world.
    pub fn backtest(&self) -> Backtest {
        let strategies = self
            .hosted()
            .into_iter()
            .map(|hosted| HostedStrategy { strategy: (hosted.build)().expect("a strategy"), settings: hosted.settings })
            .collect();
        let mut backtest = Backtest::new(BacktestSettings {
            desk: self.desk(),
            simulation: self.simulation,
            strategies,
            monitors: MonitorSettings::default(),
        });
        backtest.warm_up(|own, count| self.history.delivered(&self.calendar, own, count, self.start));
        backtest
    }

    /// What the actors are made of: the same world in compressed time, everything in memory.
    pub fn system(&self) -> SystemSettings {
        let halt = HaltSwitch::of_run(self.names(), self.universe.iter().map(|(_, known)| known.symbol).collect());
        halt.set(&HaltScope::Global, HaltLevel::Active);
        let phase = self.calendar.phase_at(self.start);
        SystemSettings {
            desk: self.desk(),
            strategies: self.hosted(),
            connection: shared(
                SimulatedExchange::new(self.simulation, Arc::clone(&self.universe), phase).with_statements(self.start),
            ),
            reports_after: 0,
            conduct: Conduct::default(),
            simulated: true,
            journal: shared(MemoryJournal::default()),
            halt_store: shared(MemoryHalt::default()),
            durable: false,
            journal_runtime: None,
            halt,
            source: shared(ListSource::new(self.events.clone())),
            pace: Pace::Lockstep { speed: None },
            warm_up: Arc::new(MemoryWarmUp(self.history.clone(), Arc::clone(&self.calendar))),
            clock: Clock::simulated(self.start),
            policy: RestartPolicy::default(),
            monitors: MonitorSettings::default(),
            alerts: actors::Alerts::default(),
        }
    }
}

/// Runs a system until its source has ended, then stops it.
///
/// # Panics
/// If it does not start, or does not come to its end within a minute.
pub async fn run_to_end(settings: SystemSettings) -> (actors::account::Snapshot, System) {
    let system = System::start(settings).await.expect("the system starts");
    let mut ended = system.ended();
    tokio::time::timeout(std::time::Duration::from_secs(60), ended.wait_for(|ended| *ended))
        .await
        .expect("the session ends within a minute")
        .expect("the feed lives");
    let snapshot = system.snapshot().await.expect("the account answers");
    (snapshot, system)
}

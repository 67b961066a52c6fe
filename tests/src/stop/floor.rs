//! A floor on which something happens whenever it is asked for: a feed that brings quotes, strategies that
//! want something else on each of them, and a venue that notes when what arrives.

use std::collections::VecDeque;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actors::feed::{FeedError, Pace};
use actors::halt::SharedHalt;
use actors::system::shared;
use actors::{Clock, Conduct, FeedSource, HostedBuild, Polled, RestartPolicy, SystemSettings};
use desk::{DeskSettings, Execution, HostSettings, Listen, Patience, Sizing};
use feeds::replay::BarHistory;
use market::fees::Brokerage;
use market::order::Signal;
use market::{
    Bar, Calendar, FeeSchedule, Instrument, InstrumentId, InstrumentKind, MarketEvent, Money, Price, Quantity, Quote,
    StrategyId, Symbol, Universe, decimal,
};
use oms::BookSettings;
use risk::{HaltLevel, HaltScope, HaltSwitch, LimitSet, LimitTable};
use strategies::{Strategy, Wishes};

use super::paper::Paper;
use super::venue::{Venue, Watched};
use crate::MemoryWarmUp;

/// Sizes that a strategy goes through. Not a divisor of anything here, so that a size which it holds since
/// some earlier quote is not the one that it wants next.
const SIZES: u64 = 997;
/// One lot.
const LOT: i64 = 100;
/// The prices do not matter.
pub(super) const PRICE: Price = Price::from_steps(30 * decimal::SCALE);
/// 0.01 BRL.
const TICK: Price = Price::from_steps(decimal::SCALE / 100);
/// An hour: behind a million messages everything takes longer than on a trading day, and that nothing is
/// asked again because of it keeps the orders countable.
const LONG: i64 = 3_600 * market::time::NANOS_PER_SECOND;

/// What kind of floor.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// How many instruments.
    pub instruments: u32,
    /// How many strategies, each in all of them.
    pub strategies: u16,
    /// Orders rest at the venue instead of trading at once, and quotes come without being asked for.
    pub rests: bool,
}

/// A floor, ready to be started.
pub struct Floor {
    /// What the system is made of.
    pub settings: SystemSettings,
    /// What its venue sees.
    pub watched: Watched,
    /// Says each time that orders in another instrument begin to come through the gate.
    pub turned: Receiver<InstrumentId>,
    /// What the engine wrote.
    pub paper: Paper,
    /// Quotes that the feed is to bring: on each, every strategy places one order.
    pub quotes: Asked,
}

/// Quotes that somebody wants, by instrument.
pub type Asked = Arc<Mutex<VecDeque<InstrumentId>>>;

/// The name of a strategy.
pub fn name(strategy: StrategyId) -> String {
    format!("restless {}", strategy.0)
}

/// The symbol of an instrument.
pub fn symbol(instrument: InstrumentId) -> Symbol {
    format!("S{}", instrument.index()).parse().expect("a symbol")
}

/// The quotes that were asked for; or one after the other, without a pause.
struct Source {
    asked: Option<Asked>,
    instruments: u32,
    next: u64,
}

impl FeedSource for Source {
    fn poll(&mut self) -> Result<Polled, FeedError> {
        let instrument = match &self.asked {
            Some(asked) => asked.lock().unwrap_or_else(PoisonError::into_inner).pop_front(),
            None => {
                self.next += 1;
                Some(InstrumentId::new((self.next % u64::from(self.instruments)) as u32))
            }
        };
        let Some(instrument) = instrument else { return Ok(Polled::Idle) };
        let size = Quantity::new(1_000_000);
        let (bid, ask) = (PRICE, Price::from_steps(PRICE.steps() + TICK.steps()));
        let quote = Quote { at: Clock::System.now(), instrument, bid, ask, bid_size: size, ask_size: size };
        Ok(Polled::Event(MarketEvent::Quote(quote)))
    }
}

/// Wants another size of an instrument on each of its quotes; or a full position, for good.
struct Restless {
    seen: Vec<u64>,
    stays: bool,
}

impl Strategy for Restless {
    fn warm_up(&self) -> usize {
        0
    }

    fn on_bar(&mut self, bar: &Bar, wishes: &mut Wishes<'_>) {
        let seen = &mut self.seen[bar.instrument.index()];
        *seen += 1;
        // Half a unit more, because a fraction of whole units is rounded down.
        let size = ((*seen - 1) % SIZES + 1) as f64 * LOT as f64 + 0.5;
        let wanted = if self.stays { 1.0 } else { size / full().units() as f64 };
        wishes.hold(bar, wanted, Signal::new("restless", &[]));
    }
}

fn full() -> Quantity {
    Quantity::new(SIZES as i64 * LOT)
}

/// A floor of this kind.
pub fn floor(kind: Kind, halt_store: SharedHalt) -> Floor {
    let mut universe = Universe::new();
    for number in 0..kind.instruments {
        universe.add(Instrument::cash(symbol(InstrumentId::new(number)), InstrumentKind::Share));
    }
    let universe = Arc::new(universe);
    let strategies: Vec<StrategyId> = (0..kind.strategies).map(StrategyId).collect();
    let names: Vec<String> = strategies.iter().copied().map(name).collect();
    let calendar = Calendar::always_open();
    let book = BookSettings {
        cash: Money::from_cents(10_000_000_000_000),
        calendar: Arc::clone(&calendar),
        fees: FeeSchedule::free(),
        brokerage: Brokerage::FREE,
        instruments: universe.len(),
    };
    let symbols = universe.iter().map(|(_, known)| known.symbol).collect();
    let halt = HaltSwitch::of_run(names.clone(), symbols);
    halt.set(&HaltScope::Global, HaltLevel::Active);
    let (venue, watched, turned) = Venue::new(universe.len(), kind.rests);
    let (paper, quotes) = (Paper::default(), Asked::default());
    let asked = (!kind.rests).then(|| Arc::clone(&quotes));
    let limits = LimitTable::new(LimitSet::WIDE.into(), &universe, &names);
    let settings = SystemSettings {
        desk: DeskSettings {
            account: "STOP".to_owned(),
            universe: Arc::clone(&universe),
            book,
            limits: Arc::new(limits),
            start: Clock::System.now(),
        },
        strategies: strategies.into_iter().map(|id| hosted(id, kind, &universe)).collect(),
        connection: shared(venue),
        reports_after: 0,
        conduct: Conduct {
            calendar: "always_open",
            patience: Patience { answer: LONG, reconcile: LONG, ..Patience::default() },
            ..Conduct::default()
        },
        simulated: false,
        journal: shared(paper.clone()),
        halt_store,
        durable: false,
        journal_runtime: None,
        halt,
        source: shared(Source { asked, instruments: kind.instruments, next: 0 }),
        pace: Pace::Live(Duration::from_micros(200)),
        warm_up: Arc::new(MemoryWarmUp(BarHistory::new(universe.len(), Vec::new()), calendar)),
        clock: Clock::System,
        policy: RestartPolicy::default(),
        monitors: risk::MonitorSettings::default(),
        alerts: actors::Alerts::default(),
    };
    Floor { settings, watched, turned, paper, quotes }
}

fn hosted(id: StrategyId, kind: Kind, universe: &Universe) -> HostedBuild {
    HostedBuild {
        build: Arc::new(move || {
            let seen = vec![0; kind.instruments as usize];
            Ok(Box::new(Restless { seen, stays: kind.rests }))
        }),
        made_of: ("restless".to_owned(), Default::default()),
        settings: HostSettings {
            id,
            name: name(id),
            instruments: universe.ids().collect(),
            listen: Listen::Quotes,
            sizing: Sizing::Quantity(full()),
            execution: if kind.rests { Execution::Limit } else { Execution::Market },
            flat_by: None,
        },
    }
}

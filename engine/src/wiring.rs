//! From configuration and store to a market, a desk, strategies and actors.

use std::collections::BTreeMap;
use std::sync::Arc;

use actors::feed::FeedError;
use actors::system::WarmUpError;
use actors::{FeedSource, HostedBuild, Polled, WarmUp};
use desk::{DeskSettings, HostSettings};
use feeds::replay::{BarHistory, ReplayError, daily_stream};
use market::{
    Bar, Calendar, Date, FeeSchedule, Instrument, InstrumentId, InstrumentKind, MarketEvent, OrderBounds, StrategyId,
    Symbol, Timestamp, Universe,
};
use oms::BookSettings;
use risk::{Breach, HaltLevel, HaltScope, HaltSwitch, LimitTable};
use store::{Filter, History, StoreError};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::cli::local;
use crate::config::reader::nearest;
use crate::config::{Config, StrategyConfig};

/// The name under which the IBOVESPA is stored.
pub const IBOVESPA: &str = "IBOV";

/// What cannot be wired.
#[derive(Debug, thiserror::Error)]
pub enum WiringError {
    /// A symbol without history.
    #[error("there is no history of {symbol}{}; import it with 'pregao data import FILE'", hint.as_ref().map(|near| format!(" (did you mean {near}?)")).unwrap_or_default())]
    NoHistory {
        /// Which.
        symbol: Symbol,
        /// A symbol that there is history of.
        hint: Option<String>,
    },
    /// No session in the span.
    #[error("there is no session with data{}{}; 'pregao data status' shows what is stored",
        from.map(|day| format!(" from {day}")).unwrap_or_default(), to.map(|day| format!(" to {day}")).unwrap_or_default())]
    NoSession {
        /// First day asked for.
        from: Option<Date>,
        /// Last day asked for.
        to: Option<Date>,
    },
    /// A bar outside the calendar's sessions.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The instruments of a run with their stored bars.
#[derive(Debug)]
pub struct Market {
    /// Instruments with their numbers.
    pub universe: Arc<Universe>,
    /// All stored bars.
    pub history: BarHistory,
    /// Stored rows that are no sound bar and were left out.
    pub unsound: u64,
}

/// Reads the instruments and bars of these symbols.
///
/// # Errors
/// A symbol without history; a store that cannot be read.
pub fn market(history: &dyn History, calendar: &Calendar, symbols: &[Symbol]) -> Result<Market, WiringError> {
    let mut universe = Universe::new();
    let (mut bars, mut unsound) = (Vec::new(), 0);
    for symbol in symbols {
        let id = universe.add(instrument(history, *symbol)?.ok_or_else(|| no_history(history, *symbol))?);
        for row in history.daily(*symbol, Date::MIN, Date::MAX)? {
            // Without a session there is no close to end at: the replay names the day.
            let close = calendar.session(row.date).map(|session| session.close());
            let noon = row.date.and_hms_opt(12, 0, 0).and_then(Timestamp::from_local);
            let bar = Bar {
                end: close.or(noon).unwrap_or(Timestamp::MIN),
                instrument: id,
                open: row.open,
                high: row.high,
                low: row.low,
                close: row.close,
                volume: row.volume,
            };
            if bar.is_sound() { bars.push(bar) } else { unsound += 1 }
        }
    }
    Ok(Market { history: BarHistory::new(universe.len(), bars), universe: Arc::new(universe), unsound })
}

/// When monitors halted something, and why, for people.
pub fn halts(breaches: &[(Timestamp, Breach)]) -> Vec<(String, String)> {
    let halted = breaches.iter().filter(|(_, breach)| breach.level != HaltLevel::Active);
    halted.map(|(at, breach)| (local(*at), breach.to_string())).collect()
}

/// A switch that stands at active, for a run in a world of its own.
pub fn active(strategies: &[StrategyConfig], universe: &Universe) -> HaltSwitch {
    let names = strategies.iter().map(|strategy| strategy.name.clone()).collect();
    let switch = HaltSwitch::of_run(names, universe.iter().map(|(_, known)| known.symbol).collect());
    switch.set(&HaltScope::Global, HaltLevel::Active);
    switch
}

/// What the store knows of a symbol; nothing without history.
fn instrument(history: &dyn History, symbol: Symbol) -> Result<Option<Instrument>, StoreError> {
    use market::history::{CASH_MARKET, FRACTIONAL_MARKET};
    let filter =
        Filter { symbols: vec![symbol], market_types: vec![CASH_MARKET, FRACTIONAL_MARKET], kinds: Vec::new() };
    let facts = history.instruments(&filter)?;
    Ok(facts.last().map(|facts| {
        let mut known = Instrument::cash(facts.symbol, facts.kind);
        (known.isin, known.quotation_factor) = (facts.isin, facts.quotation_factor);
        if facts.market_type == FRACTIONAL_MARKET {
            let lot = known.lot;
            known.lot = market::Quantity::new(1);
            known.max_order_quantity = (lot.units() > 1).then(|| lot - market::Quantity::new(1));
        }
        known
    }))
}

fn no_history(history: &dyn History, symbol: Symbol) -> WiringError {
    let stored = history.coverage(&Filter::market_type(market::history::CASH_MARKET)).unwrap_or_default();
    let names: Vec<&str> = stored.iter().map(|listing| listing.symbol.as_str()).collect();
    WiringError::NoHistory { symbol, hint: nearest(symbol.as_str(), names).map(str::to_owned) }
}

/// The instruments of a live feed: what the store knows, else B3's usual rules for a share, with the
/// bounds that are configured. A replay of past sessions knows none: today's are not theirs.
///
/// # Errors
/// A store that cannot be read.
pub fn live_universe(
    history: &dyn History,
    symbols: &[Symbol],
    bounds: &BTreeMap<Symbol, OrderBounds>,
) -> Result<Universe, StoreError> {
    let mut universe = Universe::new();
    for symbol in symbols {
        let known = instrument(history, *symbol)?;
        let mut known = known.unwrap_or_else(|| Instrument::cash(*symbol, InstrumentKind::Share));
        known.bounds = bounds.get(symbol).copied().unwrap_or_default();
        universe.add(known);
    }
    Ok(universe)
}

/// Every symbol that strategies name, once, in the order of naming.
pub fn symbols(strategies: &[StrategyConfig]) -> Vec<Symbol> {
    let mut all = Vec::new();
    for symbol in strategies.iter().flat_map(|strategy| &strategy.symbols) {
        if !all.contains(symbol) {
            all.push(*symbol);
        }
    }
    all
}

/// The stream of stored sessions from one day to another, and the moment before it begins.
///
/// # Errors
/// No session in the span; a bar on a day without a session.
pub fn replay(
    market: &Market,
    calendar: &Calendar,
    from: Option<Date>,
    to: Option<Date>,
) -> Result<(Timestamp, Vec<MarketEvent>), WiringError> {
    let midnight = |day: Date| day.and_hms_opt(0, 0, 0).and_then(Timestamp::from_local);
    let first = from.and_then(midnight).unwrap_or(Timestamp::MIN);
    let after = to.and_then(|day| day.succ_opt()).and_then(midnight).map(|end| end.plus_nanos(-1));
    let bars = market.history.between(first, after.unwrap_or(Timestamp::MAX));
    let Some(opening) = bars.first() else {
        return Err(WiringError::NoSession { from, to });
    };
    let date = opening.end.local_date();
    let start = calendar.session(date).map_or(opening.end, |session| session.start()).plus_nanos(-1);
    let instruments: Vec<InstrumentId> = market.universe.ids().collect();
    let before = market.history.last(&instruments, 1, start);
    Ok((start, daily_stream(calendar, &before, &bars)?))
}

/// The desk of a configuration.
pub fn desk(config: &Config, universe: &Arc<Universe>, calendar: &Arc<Calendar>, start: Timestamp) -> DeskSettings {
    let names: Vec<String> = config.strategies.iter().map(|strategy| strategy.name.clone()).collect();
    DeskSettings {
        account: config.account.tag.clone(),
        universe: Arc::clone(universe),
        book: BookSettings {
            cash: config.account.cash,
            calendar: Arc::clone(calendar),
            fees: FeeSchedule::b3(),
            brokerage: config.brokerage,
            instruments: universe.len(),
        },
        limits: Arc::new(LimitTable::new(config.limits.clone(), universe, &names)),
        start,
    }
}

/// The strategies of a configuration.
pub fn hosted(strategies: &[StrategyConfig], universe: &Universe) -> Vec<HostedBuild> {
    (0..)
        .zip(strategies)
        .map(|(place, config)| {
            let instruments: Vec<InstrumentId> =
                config.symbols.iter().filter_map(|symbol| universe.find(symbol)).collect();
            let (kind, parameters, own) = (config.kind, config.parameters.clone(), instruments.clone());
            HostedBuild {
                made_of: (
                    kind.name.to_owned(),
                    parameters.iter().map(|(name, value)| (name.to_owned(), value)).collect(),
                ),
                build: Arc::new(move || (kind.build)(&parameters, &own)),
                settings: HostSettings {
                    id: StrategyId(place),
                    name: config.name.clone(),
                    instruments,
                    listen: config.listen,
                    sizing: config.sizing,
                    execution: config.execution,
                    flat_by: config.flat_by,
                },
            }
        })
        .collect()
}

/// Closes of the IBOVESPA by date; empty where none are stored.
///
/// # Errors
/// A store that cannot be read.
pub fn benchmark(history: &dyn History) -> Result<BTreeMap<Date, f64>, StoreError> {
    let closes = history.index_closes(IBOVESPA, Date::MIN, Date::MAX)?;
    Ok(closes.into_iter().map(|close| (close.date, close.close.to_f64())).collect())
}

/// Past bars of the store, read before the run, as a replay would have delivered them.
pub struct StoredBars(pub BarHistory, pub Arc<Calendar>);

impl WarmUp for StoredBars {
    fn bars(&self, instruments: &[InstrumentId], count: usize, until: Timestamp) -> Result<Vec<Bar>, WarmUpError> {
        Ok(self.0.delivered(&self.1, instruments, count, until))
    }
}

/// A list of events as a feed.
pub struct Recorded {
    events: std::vec::IntoIter<MarketEvent>,
}

impl Recorded {
    /// From events in the order of their times.
    pub fn new(events: Vec<MarketEvent>) -> Self {
        Self { events: events.into_iter() }
    }
}

impl FeedSource for Recorded {
    fn poll(&mut self) -> Result<Polled, FeedError> {
        Ok(self.events.next().map_or(Polled::End, Polled::Event))
    }
}

/// Waits until the feed has ended, or is gone with everything else.
pub async fn feed_ended(ended: &mut tokio::sync::watch::Receiver<bool>) {
    let _ = ended.wait_for(|ended| *ended).await;
}

/// The threads that actors run on.
///
/// Trading has one worker: a tick passes through half a dozen actors, and on one thread each hands
/// over to the next in a fifth of a microsecond, where waking another thread costs tens. The journal
/// has its own, because a sync blocks (docs/performance.md, "Tick to order").
pub struct Runtimes {
    /// Everything but the journal.
    pub trading: Runtime,
    journal: Runtime,
}

impl Runtimes {
    /// Starts the threads.
    ///
    /// # Errors
    /// The system gives no threads.
    pub fn new() -> std::io::Result<Self> {
        let one = |name: &str| Builder::new_multi_thread().worker_threads(1).thread_name(name).enable_all().build();
        Ok(Self { trading: one("trading")?, journal: one("journal")? })
    }

    /// Where the journal runs.
    pub fn journal(&self) -> Handle {
        self.journal.handle().clone()
    }

    /// Runs a future on the trading thread itself rather than on the one that waits for it.
    pub async fn on_trading<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        match self.trading.spawn(work).await {
            Ok(done) => done,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
}

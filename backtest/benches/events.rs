//! Events per second of the backtest's loop, with risk, order management, positions, fees and fills
//! on, beside a bare loop that computes the same two averages.
//!
//! The workloads are an EMA(10/20) cross on 1,000,000 one-minute bars and on 5,000,000 quotes,
//! random walks in centavos like those that other engines are measured on.
#![allow(clippy::print_stdout, reason = "a benchmark speaks on standard output")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use backtest::{Backtest, BacktestSettings, HostedStrategy};
use brokers::SimulationSettings;
use desk::{Desk, DeskSettings, Execution, HostSettings, Listen, Record, Sizing};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use market::fees::Brokerage;
use market::{
    Bar, Calendar, FeeSchedule, Instrument, InstrumentId, InstrumentKind, MarketEvent, Money, Price, Quantity, Quote,
    Rate, StrategyId, Timestamp, Universe,
};
use oms::BookSettings;
use risk::Breach;
use risk::{LimitSet, LimitTable, Seconds};
use strategies::Parameters;

const BARS: usize = 1_000_000;
const QUOTES: usize = 5_000_000;
/// Runs of each loop when the ratio is taken; the median counts.
const RUNS: usize = 7;
const ONE: InstrumentId = InstrumentId::new(0);

fn main() {
    divan::main();
    ratios();
}

/// A small generator: the same walk on every machine.
struct Walk(u64);

impl Walk {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, most: u64) -> i64 {
        (self.next() % most) as i64
    }

    /// Roughly normal with a standard deviation of two.
    fn step(&mut self) -> i64 {
        (0..4).map(|_| self.below(5) - 2).sum::<i64>() * 5 / 7
    }
}

fn price(cents: i64) -> Price {
    Price::from_steps(cents * (market::decimal::SCALE / 100))
}

fn bars() -> Vec<Bar> {
    let mut walk = Walk(20_261_123);
    let (mut last, mut at) = (3_000_i64, 1_420_462_800_000_000_000_i64);
    (0..BARS)
        .map(|number| {
            let close = (last + walk.step()).clamp(1_000, 9_000);
            let open = last + walk.below(3) - 1;
            at += if number % 420 == 419 { 61_260_000_000_000 } else { 60_000_000_000 };
            last = close;
            Bar {
                end: Timestamp::from_nanos(at),
                instrument: ONE,
                open: price(open),
                high: price(open.max(close) + walk.below(2)),
                low: price(open.min(close) - walk.below(2)),
                close: price(close),
                volume: Quantity::new((100 + walk.below(900)) * 100),
            }
        })
        .collect()
}

fn quotes() -> Vec<Quote> {
    let mut walk = Walk(20_261_124);
    let (mut bid, mut at) = (3_000_i64, 1_736_168_400_000_000_000_i64);
    (0..QUOTES)
        .map(|_| {
            if walk.below(4) == 0 {
                bid = (bid + walk.below(2) * 2 - 1).clamp(1_000, 9_000);
            }
            at += 1_000 + walk.below(9_799_000);
            Quote {
                at: Timestamp::from_nanos(at),
                instrument: ONE,
                bid: price(bid),
                ask: price(bid + 1 + i64::from(walk.below(10) == 0)),
                bid_size: Quantity::new((1 + walk.below(49)) * 100),
                ask_size: Quantity::new((1 + walk.below(49)) * 100),
            }
        })
        .collect()
}

fn engine(listen: Listen, start: Timestamp) -> Backtest {
    let mut universe = Universe::new();
    universe.add(Instrument::cash("BNCH3".parse().expect("a symbol"), InstrumentKind::Share));
    let universe = Arc::new(universe);
    let entry = strategies::find("moving_average_cross").expect("a listed strategy");
    let parameters = Parameters::check(entry.parameters, Default::default()).expect("defaults");
    let cash = Money::from_cents(100_000_000);
    Backtest::new(BacktestSettings {
        desk: DeskSettings {
            account: "BNCH".to_owned(),
            universe: Arc::clone(&universe),
            book: BookSettings {
                cash,
                calendar: Calendar::always_open(),
                fees: FeeSchedule::b3(),
                brokerage: Brokerage::FREE,
                instruments: 1,
            },
            limits: Arc::new(LimitTable::uniform(
                LimitSet {
                    max_order_quantity: Quantity::new(1_000),
                    max_order_notional: cash,
                    price_collar: Rate::from_ppm(100_000),
                    max_position_quantity: Quantity::new(1_000),
                    max_quote_age_seconds: Seconds(86_400),
                    max_daily_loss: cash,
                    ..LimitSet::WIDE
                },
                &universe,
            )),
            start,
        },
        simulation: SimulationSettings::default(),
        strategies: vec![HostedStrategy {
            strategy: (entry.build)(&parameters, &[ONE]).expect("a strategy"),
            settings: HostSettings {
                id: StrategyId(0),
                name: "cross".to_owned(),
                instruments: vec![ONE],
                listen,
                sizing: Sizing::Quantity(Quantity::new(100)),
                execution: Execution::Market,
                flat_by: None,
            },
        }],
        monitors: risk::MonitorSettings::default(),
    })
}

/// The bare loop: two exponential averages and the crossings counted, nothing else.
struct Bare {
    fast: f64,
    slow: f64,
    long: bool,
    crossings: u64,
}

impl Bare {
    #[inline]
    fn step(&mut self, value: f64) {
        self.fast += 2.0 / 11.0 * (value - self.fast);
        self.slow += 2.0 / 21.0 * (value - self.slow);
        let long = self.fast > self.slow;
        self.crossings += u64::from(long != self.long);
        self.long = long;
    }
}

fn bare_bars(bars: &[Bar]) -> u64 {
    let first = bars.first().map_or(0.0, |bar| bar.close.to_f64());
    let mut bare = Bare { fast: first, slow: first, long: false, crossings: 0 };
    bars.iter().for_each(|bar| bare.step(bar.close.to_f64()));
    bare.crossings
}

fn bare_quotes(quotes: &[Quote]) -> u64 {
    let middle = |quote: &Quote| Price::from_steps(quote.bid.steps() / 2 + quote.ask.steps() / 2).to_f64();
    let first = quotes.first().map_or(0.0, middle);
    let mut bare = Bare { fast: first, slow: first, long: false, crossings: 0 };
    quotes.iter().for_each(|quote| bare.step(middle(quote)));
    bare.crossings
}

/// What a run leaves; letting go of it is not part of the run.
type Finished = (Record, Desk, Vec<(Timestamp, Breach)>);

fn engine_bars(bars: &[Bar]) -> Finished {
    let mut run = engine(Listen::Bars, bars[0].end);
    bars.iter().for_each(|bar| run.step(&MarketEvent::bar(*bar)));
    run.finish()
}

fn engine_quotes(quotes: &[Quote]) -> Finished {
    let mut run = engine(Listen::Quotes, quotes[0].at);
    quotes.iter().for_each(|quote| run.step(&MarketEvent::Quote(*quote)));
    run.finish()
}

#[divan::bench(sample_count = 5)]
fn bars_bare(bencher: Bencher<'_, '_>) {
    let bars = bars();
    bencher.counter(ItemsCount::new(BARS)).bench_local(|| bare_bars(black_box(&bars)));
}

#[divan::bench(sample_count = 5)]
fn bars_engine(bencher: Bencher<'_, '_>) {
    let bars = bars();
    bencher.counter(ItemsCount::new(BARS)).bench_local(|| engine_bars(black_box(&bars)));
}

#[divan::bench(sample_count = 3)]
fn quotes_bare(bencher: Bencher<'_, '_>) {
    let quotes = quotes();
    bencher.counter(ItemsCount::new(QUOTES)).bench_local(|| bare_quotes(black_box(&quotes)));
}

#[divan::bench(sample_count = 3)]
fn quotes_engine(bencher: Bencher<'_, '_>) {
    let quotes = quotes();
    bencher.counter(ItemsCount::new(QUOTES)).bench_local(|| engine_quotes(black_box(&quotes)));
}

/// Name, events, bare loop, engine.
type Pair<'a> = (&'static str, usize, Box<dyn Fn() -> u64 + 'a>, Box<dyn Fn() -> Finished + 'a>);

/// Both loops in turn in one run, so that a machine that is busy slows both alike.
fn ratios() {
    let (bars, quotes) = (bars(), quotes());
    let pairs: [Pair<'_>; 2] = [
        ("bars", BARS, Box::new(|| bare_bars(black_box(&bars))), Box::new(|| engine_bars(black_box(&bars)))),
        (
            "quotes",
            QUOTES,
            Box::new(|| bare_quotes(black_box(&quotes))),
            Box::new(|| engine_quotes(black_box(&quotes))),
        ),
    ];
    for (name, events, bare, engine) in &pairs {
        let mut times: Vec<(Duration, Duration)> = Vec::new();
        let mut fills = 0;
        for _ in 0..RUNS {
            let begin = Instant::now();
            black_box(bare());
            let middle = Instant::now();
            let finished = black_box(engine());
            times.push((middle - begin, middle.elapsed()));
            fills = finished.0.counts.fills;
        }
        let median = |of: &dyn Fn(&(Duration, Duration)) -> f64| {
            let mut all: Vec<f64> = times.iter().map(of).collect();
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        let nanoseconds = |seconds: f64| seconds * 1e9 / *events as f64;
        let (bare, engine) = (median(&|pair| pair.0.as_secs_f64()), median(&|pair| pair.1.as_secs_f64()));
        let ratio = median(&|pair| pair.1.as_secs_f64() / pair.0.as_secs_f64());
        println!(
            "RATIO {name}: bare {:.2} ns/event, engine {:.1} ns/event ({:.1} M events/s, {fills} fills), engine/bare {ratio:.1}",
            nanoseconds(bare),
            nanoseconds(engine),
            1e-6 * *events as f64 / engine,
        );
    }
}

//! `demo`: the main job, end to end, on the shipped real data and the embedded store.
//!
//! Imports the samples, trades their last year through the live actors in compressed time, runs the
//! same sessions through the backtest, and says whether the two agree.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actors::feed::Pace;
use actors::system::shared;
use actors::{Alerts, Clock, Conduct, RestartPolicy, System, SystemSettings};
use backtest::{Backtest, BacktestSettings, FinishedRun, HostedStrategy};
use brokers::SimulatedExchange;
use desk::DeskSettings;
use feeds::cotahist;
use feeds::files::Hints;
use market::{Calendar, MarketEvent, Symbol};
use store::EmbeddedStore;

use super::{data, summary};
use crate::cli::{DemoArguments, local};
use crate::config::{Config, FeedConfig, Overrides, data_directory, from_text};
use crate::output::{Answer, Failure, bar};
use crate::wiring::{self, Market, Recorded, StoredBars};

/// The shipped data, inside the program: the demo needs no checkout around it.
const SAMPLES: &[(&str, &[u8])] = &[
    ("COTAHIST_A2016.ZIP", include_bytes!("../../../samples/COTAHIST_A2016.ZIP")),
    ("COTAHIST_A2017.ZIP", include_bytes!("../../../samples/COTAHIST_A2017.ZIP")),
    ("ibovespa.csv", include_bytes!("../../../samples/ibovespa.csv")),
];
const CONFIGURATION: &str = include_str!("../demo.toml");
/// How often the progress bar looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Runs the demo.
pub fn demo(arguments: &DemoArguments, overrides: &Overrides) -> Result<Answer, Failure> {
    summary::check_place(&arguments.report)?;
    let loading = Instant::now();
    let directory = data_directory(overrides)?.join("demo");
    fresh(&directory)?;
    let store = EmbeddedStore::open(&directory)?;
    let symbols = import(&store, &directory)?;
    let list: Vec<String> = symbols.iter().map(|symbol| format!("\"{symbol}\"")).collect();
    let config = from_text("demo.toml", &CONFIGURATION.replace("SYMBOLS", &list.join(", ")))?;
    let FeedConfig::Replay { from, to, .. } = config.feed else {
        return Err(Failure::usage("the demo replays stored sessions"));
    };
    let calendar = Calendar::b3();
    let history = store.history()?;
    let market = wiring::market(&history, &calendar, &symbols).map_err(Failure::failed)?;
    let (start, events) = wiring::replay(&market, &calendar, from, to).map_err(Failure::failed)?;
    let desk = wiring::desk(&config, &market.universe, &calendar, start);
    let load_seconds = loading.elapsed().as_secs_f64();

    let running = Instant::now();
    let (snapshot, restarts, unsound) = trade(&config, &market, &calendar, &desk, events.clone(), &store)?;
    let engine_seconds = running.elapsed().as_secs_f64();
    let (expected, _, breaches) = replayed(&config, &market, desk, &events);
    let mut record = snapshot.record;
    (record.counts.events, record.counts.unsound_events) = (events.len() as u64, unsound);
    let agrees = record.fingerprint() == expected.fingerprint();

    let names: Vec<String> = config.strategies.iter().map(|strategy| strategy.name.clone()).collect();
    let first = record.days.first().map_or_else(|| start.local_date(), |day| day.date);
    let base = calendar.previous_session(first).unwrap_or(first);
    let finished = FinishedRun {
        title: "Pregão demo".to_owned(),
        subtitle: format!("{} strategies on {} symbols, {} sessions", names.len(), symbols.len(), record.days.len()),
        mode: "demo",
        generated_at: local(Clock::System.now()),
        record: &record,
        desk: &snapshot.desk,
        strategies: &names,
        base: (base, config.account.cash),
        benchmark: &wiring::benchmark(&history)?,
        restarts,
        halts: wiring::halts(&breaches),
        warnings: vec![
            "Simulated trading of past sessions. Prices are as published, not adjusted for splits and dividends."
                .into(),
            "The twelve symbols were chosen afterwards, so the result says nothing about a future one.".into(),
        ],
    };
    let mut result = summary::finish(&finished)?;
    (result.summary.engine_seconds, result.summary.load_seconds) = (engine_seconds, load_seconds);
    summary::write_report(&result.report, &arguments.report)?;

    let parity = if agrees {
        "The backtest of the same sessions gives the same fills (fingerprints are equal)."
    } else {
        "The backtest of the same sessions gives OTHER fills: please report this."
    };
    let text = format!(
        "{}\n{parity}\nThe report is in {}.\nThe data stays in {}.",
        summary::shown(&finished, &result.summary),
        arguments.report.display(),
        directory.display(),
    );
    let mut document = serde_json::to_value(&result.summary).map_err(Failure::failed)?;
    document["agrees_with_backtest"] = agrees.into();
    document["symbols"] = serde_json::to_value(&symbols).map_err(Failure::failed)?;
    document["strategies"] = names.clone().into();
    document["report"] = arguments.report.display().to_string().into();
    if !agrees {
        return Err(Failure::Failed(text, document));
    }
    Ok(Answer::new(text, document))
}

/// An empty directory of the demo's own: each run begins from nothing.
fn fresh(directory: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::Failed(format!("{} cannot be prepared: {error}", directory.display()), serde_json::Value::Null)
    };
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    std::fs::create_dir_all(directory.join("samples")).map_err(failed)?;
    for (name, bytes) in SAMPLES {
        std::fs::write(directory.join("samples").join(name), bytes).map_err(failed)?;
    }
    Ok(())
}

/// Imports the samples; gives their symbols in order.
fn import(store: &EmbeddedStore, directory: &Path) -> Result<Vec<Symbol>, Failure> {
    let mut history = store.history()?;
    let mut symbols = std::collections::BTreeSet::new();
    for (name, _) in SAMPLES {
        let path: PathBuf = directory.join("samples").join(name);
        let imported = data::import_file(&mut history, &path, Hints::default(), true);
        if let Some(error) = imported.error {
            return Err(Failure::Failed(error, serde_json::Value::Null));
        }
        if name.ends_with(".ZIP") {
            let seen = cotahist::read(
                &path,
                |_| {},
                |record| {
                    symbols.insert(record.symbol);
                    Ok::<(), std::convert::Infallible>(())
                },
            );
            seen.map_err(Failure::failed)?;
        }
    }
    Ok(symbols.into_iter().collect())
}

type Traded = (actors::account::Snapshot, std::collections::BTreeMap<String, u64>, u64);

/// Trades the sessions through the live actors in compressed time.
fn trade(
    config: &Config,
    market: &Market,
    calendar: &Arc<Calendar>,
    desk: &DeskSettings,
    events: Vec<MarketEvent>,
    store: &EmbeddedStore,
) -> Result<Traded, Failure> {
    let runtimes = wiring::Runtimes::new().map_err(Failure::failed)?;
    let progress = bar(events.len() as u64, "Trading", false);
    let exchange =
        SimulatedExchange::new(config.simulation, Arc::clone(&market.universe), calendar.phase_at(desk.start))
            .with_statements(desk.start);
    let settings = SystemSettings {
        desk: desk.clone(),
        strategies: wiring::hosted(&config.strategies, &market.universe),
        connection: shared(exchange),
        reports_after: 0,
        conduct: Conduct::default(),
        simulated: true,
        journal: shared(store.journal()?),
        halt_store: shared(store.halt()?),
        durable: true,
        journal_runtime: Some(runtimes.journal()),
        halt: wiring::active(&config.strategies, &market.universe),
        source: shared(Recorded::new(events)),
        pace: Pace::Lockstep { speed: None },
        warm_up: Arc::new(StoredBars(market.history.clone(), Arc::clone(calendar))),
        clock: Clock::simulated(desk.start),
        policy: RestartPolicy::default(),
        monitors: config.monitors,
        alerts: Alerts::default(),
    };
    runtimes.trading.block_on(runtimes.on_trading(async move {
        let system = System::start(settings).await.map_err(Failure::failed)?;
        let (mut ended, mut given_up) = (system.ended(), system.given_up());
        loop {
            tokio::select! {
                () = wiring::feed_ended(&mut ended) => break,
                _ = given_up.changed() => {
                    let names = given_up.borrow().join(", ");
                    return Err(Failure::Failed(format!("{names} failed again and again; run with -v to see why"), serde_json::Value::Null));
                }
                () = tokio::time::sleep(LOOK_EVERY) => progress.set_position(system.stats().events()),
            }
        }
        progress.finish_and_clear();
        let (restarts, unsound) = (system.restarts().by_actor(), system.stats().unsound_events());
        let snapshot = system.stop().await.map_err(Failure::failed)?;
        Ok((snapshot, restarts, unsound))
    }))
}

/// The same sessions through the backtest's loop.
fn replayed(
    config: &Config,
    market: &Market,
    desk: DeskSettings,
    events: &[MarketEvent],
) -> (desk::Record, desk::Desk, Vec<(market::Timestamp, risk::Breach)>) {
    let start = desk.start;
    let strategies = wiring::hosted(&config.strategies, &market.universe)
        .into_iter()
        .filter_map(|hosted| Some(HostedStrategy { strategy: (hosted.build)().ok()?, settings: hosted.settings }))
        .collect();
    let mut run =
        Backtest::new(BacktestSettings { desk, simulation: config.simulation, strategies, monitors: config.monitors });
    run.warm_up(|own, count| market.history.delivered(&Calendar::b3(), own, count, start));
    events.iter().for_each(|event| run.step(event));
    run.finish()
}

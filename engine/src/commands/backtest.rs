//! `backtest`: one strategy over stored sessions or a CSV file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use backtest::{Backtest, BacktestSettings, FinishedRun, HostedStrategy};
use brokers::simulated::SimulationSettings;
use desk::{DeskSettings, Execution, HostSettings, Listen, Sizing};
use feeds::replay::BarHistory;
use market::fees::Brokerage;
use market::{
    Bar, Calendar, Date, FeeSchedule, Instrument, InstrumentId, InstrumentKind, MarketEvent, Money, Quantity, Quote,
    Rate, StrategyId, Symbol, Timestamp, Universe,
};
use oms::BookSettings;
use risk::{LimitSet, LimitTable, Limits, Seconds};
use strategies::{ParameterError, Parameters, StrategyEntry};

use super::summary;
use crate::cli::{BacktestArguments, CalendarChoice, local};
use crate::config::reader::nearest;
use crate::config::{Config, Overrides, load, places};
use crate::histories;
use crate::output::{Answer, Failure, bar as progress_bar};
use crate::wiring;

/// Money of a backtest where nobody says otherwise.
const RESEARCH_CASH: Money = Money::from_cents(100_000_000);
/// Units of a full position where nobody says otherwise: one round lot.
const RESEARCH_QUANTITY: Quantity = Quantity::new(100);
/// Events between two looks at the progress bar.
const PROGRESS_EVERY: usize = 65_536;

/// What a backtest runs on.
enum Input {
    Bars(Vec<Bar>),
    Quotes(Vec<Quote>),
    Sessions(Vec<MarketEvent>),
}

/// Everything that the loop needs.
struct Prepared {
    universe: Arc<Universe>,
    calendar: Arc<Calendar>,
    history: BarHistory,
    start: Timestamp,
    input: Input,
    listen: Listen,
    execution: Execution,
    benchmark: BTreeMap<Date, f64>,
    what: String,
    warnings: Vec<String>,
}

/// Runs the backtest.
pub fn backtest(arguments: &BacktestArguments, overrides: &Overrides, json: bool) -> Result<Answer, Failure> {
    let entry = strategies::find(&arguments.strategy).ok_or_else(|| unknown_strategy(&arguments.strategy))?;
    let given = arguments.parameters.iter().cloned().collect();
    let parameters = Parameters::check(entry.parameters, given).map_err(|error| unfit(entry, &error))?;
    // Only a configuration that was named counts: a file that happens to lie here must not change
    // the figures of a CSV backtest.
    let config = overrides.file.as_ref().map(|_| load(overrides)).transpose()?;

    let path = arguments.report.clone().or_else(|| (!json).then(|| "report.html".into()));
    path.as_deref().map_or(Ok(()), summary::check_place)?;

    let loading = Instant::now();
    let prepared = match (&arguments.bars, &arguments.quotes) {
        (Some(path), _) => from_bars(arguments, path)?,
        (None, Some(path)) => from_quotes(arguments, path)?,
        (None, None) => from_store(arguments, overrides)?,
    };
    let load_seconds = loading.elapsed().as_secs_f64();

    let instruments: Vec<InstrumentId> = prepared.universe.ids().collect();
    let shown: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let strategy = (entry.build)(&parameters, &instruments).map_err(|error| Failure::usage(error.to_string()))?;
    let hosted = HostSettings {
        id: StrategyId(0),
        name: entry.name.to_owned(),
        instruments,
        listen: prepared.listen,
        sizing: sizing(arguments),
        execution: prepared.execution,
        flat_by: None,
    };
    let cash = arguments.cash.or(config.as_ref().map(|config| config.account.cash)).unwrap_or(RESEARCH_CASH);
    let settings = desk_settings(config.as_ref(), &prepared, entry.name, cash);
    let limits = Arc::clone(&settings.limits);
    let mut run = Backtest::new(BacktestSettings {
        desk: settings,
        simulation: simulation(config.as_ref(), arguments),
        strategies: vec![HostedStrategy { strategy, settings: hosted }],
        monitors: config.as_ref().map(|config| config.monitors).unwrap_or_default(),
    });
    run.warm_up(|own, count| prepared.history.delivered(&Calendar::b3(), own, count, prepared.start));

    let running = Instant::now();
    feed(&mut run, &prepared.input, json);
    let engine_seconds = running.elapsed().as_secs_f64();
    let (record, desk, breaches) = run.finish();
    desk.book().verify().map_err(|difference| {
        Failure::Failed(format!("the book does not add up, please report this: {difference}"), serde_json::Value::Null)
    })?;

    let names = [entry.name.to_owned()];
    let first = record.days.first().map_or_else(|| prepared.start.local_date(), |day| day.date);
    let mut warnings = prepared.warnings;
    if config.is_none() {
        warnings.push("Research limits applied, because no configuration was named with -c.".to_owned());
    }
    let finished = FinishedRun {
        title: format!("{} backtest", entry.name),
        subtitle: format!("{} · {}", prepared.what, shown.join(", ")),
        mode: "backtest",
        generated_at: local(actors::Clock::System.now()),
        record: &record,
        desk: &desk,
        strategies: &names,
        base: (first.pred_opt().unwrap_or(first), cash),
        benchmark: &prepared.benchmark,
        restarts: BTreeMap::new(),
        halts: wiring::halts(&breaches),
        warnings,
    };
    let mut result = summary::finish(&finished)?;
    (result.summary.engine_seconds, result.summary.load_seconds) = (engine_seconds, load_seconds);
    if let Some(path) = &path {
        summary::write_report(&result.report, path)?;
    }
    let rate = result.summary.events as f64 / engine_seconds.max(1e-9);
    let mut text = summary::shown(&finished, &result.summary);
    text.push_str(&format!("\n{:.0} events/s in the engine", rate));
    if let Some(path) = &path {
        text.push_str(&format!("\nThe report is in {}.", path.display()));
    }
    for warning in &finished.warnings {
        text.push_str(&format!("\nNote: {warning}"));
    }
    let mut document = serde_json::to_value(&result.summary).map_err(Failure::failed)?;
    document["limits"] = serde_json::json!(limits.limits());
    document["warnings"] = finished.warnings.clone().into();
    document["report"] = path.map(|path| path.display().to_string()).into();
    Ok(Answer::new(text, document))
}

fn unknown_strategy(given: &str) -> Failure {
    let names: Vec<&str> = strategies::STRATEGIES.iter().map(|entry| entry.name).collect();
    let hint =
        nearest(given, names.iter().copied()).map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
    Failure::usage(format!("unknown strategy '{given}': there are {}{hint}", names.join(", ")))
}

fn unfit(entry: &StrategyEntry, error: &ParameterError) -> Failure {
    let near = match error {
        ParameterError::Unknown { given, .. } => nearest(given, entry.parameters.iter().map(|spec| spec.name)),
        _ => None,
    };
    Failure::usage(format!("{error}{}", near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default()))
}

fn sizing(arguments: &BacktestArguments) -> Sizing {
    match (arguments.quantity, arguments.notional) {
        (Some(quantity), _) => Sizing::Quantity(quantity),
        (None, Some(notional)) => Sizing::Notional(notional),
        (None, None) => Sizing::Quantity(RESEARCH_QUANTITY),
    }
}

fn simulation(config: Option<&Config>, arguments: &BacktestArguments) -> SimulationSettings {
    let usual = config.map_or_else(SimulationSettings::default, |config| config.simulation);
    SimulationSettings {
        slippage_ticks: arguments.slippage_ticks.unwrap_or(usual.slippage_ticks),
        latency_milliseconds: arguments.latency_milliseconds.unwrap_or(usual.latency_milliseconds),
        ..usual
    }
}

/// Limits that leave room for any position that the cash allows, and say so in the result.
fn research_limits(cash: Money) -> Limits {
    let wide = LimitSet {
        max_order_quantity: Quantity::new(1_000_000_000),
        max_order_notional: cash,
        price_collar: Rate::from_ppm(100_000),
        max_position_quantity: Quantity::new(1_000_000_000),
        // A bar may stand for a day.
        max_quote_age_seconds: Seconds(7 * 86_400),
        max_daily_loss: cash,
        ..LimitSet::WIDE
    };
    wide.into()
}

fn desk_settings(config: Option<&Config>, prepared: &Prepared, strategy: &str, cash: Money) -> DeskSettings {
    let limits = config.map_or_else(|| research_limits(cash), |config| config.limits.clone());
    DeskSettings {
        account: config.map_or_else(|| "BACK".to_owned(), |config| config.account.tag.clone()),
        universe: Arc::clone(&prepared.universe),
        book: BookSettings {
            cash,
            calendar: Arc::clone(&prepared.calendar),
            fees: FeeSchedule::b3(),
            brokerage: config.map_or(Brokerage::FREE, |config| config.brokerage),
            instruments: prepared.universe.len(),
        },
        limits: Arc::new(LimitTable::new(limits, &prepared.universe, &[strategy.to_owned()])),
        start: prepared.start,
    }
}

fn feed(run: &mut Backtest, input: &Input, json: bool) {
    let length = match input {
        Input::Bars(bars) => bars.len(),
        Input::Quotes(quotes) => quotes.len(),
        Input::Sessions(events) => events.len(),
    };
    let bar = if json { indicatif::ProgressBar::hidden() } else { progress_bar(length as u64, "Backtest", false) };
    match input {
        Input::Bars(bars) => each(bars, &bar, |bar| run.step(&MarketEvent::bar(*bar))),
        Input::Quotes(quotes) => each(quotes, &bar, |quote| run.step(&MarketEvent::Quote(*quote))),
        Input::Sessions(events) => {
            each(events, &bar, |event| run.step(event));
            // The last session ends, and its day orders with it.
            if let Some(last) = events.last() {
                run.advance(last.at());
            }
        }
    }
    bar.finish_and_clear();
}

fn each<T>(items: &[T], bar: &indicatif::ProgressBar, mut step: impl FnMut(&T)) {
    for chunk in items.chunks(PROGRESS_EVERY) {
        chunk.iter().for_each(&mut step);
        bar.inc(chunk.len() as u64);
    }
}

/// A universe of the one instrument of a CSV file, named after the file where that is a symbol.
fn csv_universe(path: &Path) -> (Arc<Universe>, InstrumentId) {
    let stem: String = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .map(|stem| stem.to_uppercase().chars().filter(char::is_ascii_alphanumeric).take(12).collect())
        .unwrap_or_default();
    let symbol = stem.parse::<Symbol>().ok().or_else(|| Symbol::from_bytes(b"CSV"));
    let mut universe = Universe::new();
    let id = universe.add(Instrument::cash(symbol.expect("CSV is a symbol"), InstrumentKind::Share));
    (Arc::new(universe), id)
}

fn calendar(choice: Option<CalendarChoice>, usual: CalendarChoice) -> Arc<Calendar> {
    match choice.unwrap_or(usual) {
        CalendarChoice::B3 => Calendar::b3(),
        CalendarChoice::Always => Calendar::always_open(),
    }
}

/// Keeps what lies within the days asked for.
fn within<T>(items: &mut Vec<T>, arguments: &BacktestArguments, at: impl Fn(&T) -> Timestamp) {
    let midnight = |day: Date| day.and_hms_opt(0, 0, 0).and_then(Timestamp::from_local);
    let from = arguments.from.and_then(midnight).unwrap_or(Timestamp::MIN);
    let before = arguments.to.and_then(|day| day.succ_opt()).and_then(midnight).unwrap_or(Timestamp::MAX);
    if arguments.from.is_some() || arguments.to.is_some() {
        items.retain(|item| (from..before).contains(&at(item)));
    }
}

fn from_bars(arguments: &BacktestArguments, path: &Path) -> Result<Prepared, Failure> {
    let (universe, id) = csv_universe(path);
    let mut bars = feeds::csv::read_bars(path, id).map_err(Failure::failed)?;
    within(&mut bars, arguments, |bar| bar.end);
    let start = bars.first().map(|bar| bar.end).ok_or_else(|| nothing(path))?;
    Ok(csv(arguments, path, universe, start, Input::Bars(bars), Listen::Bars))
}

fn from_quotes(arguments: &BacktestArguments, path: &Path) -> Result<Prepared, Failure> {
    let (universe, id) = csv_universe(path);
    let mut quotes = feeds::csv::read_quotes(path, id).map_err(Failure::failed)?;
    within(&mut quotes, arguments, |quote| quote.at);
    let start = quotes.first().map(|quote| quote.at).ok_or_else(|| nothing(path))?;
    Ok(csv(arguments, path, universe, start, Input::Quotes(quotes), Listen::Quotes))
}

fn nothing(path: &Path) -> Failure {
    Failure::usage(format!("{} has no rows in the days asked for", path.display()))
}

fn csv(
    arguments: &BacktestArguments,
    path: &Path,
    universe: Arc<Universe>,
    start: Timestamp,
    input: Input,
    listen: Listen,
) -> Prepared {
    Prepared {
        history: BarHistory::new(universe.len(), []),
        universe,
        calendar: calendar(arguments.calendar, CalendarChoice::Always),
        start: start.plus_nanos(-1),
        input,
        listen,
        execution: Execution::Market,
        benchmark: BTreeMap::new(),
        what: path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        warnings: Vec::new(),
    }
}

fn from_store(arguments: &BacktestArguments, overrides: &Overrides) -> Result<Prepared, Failure> {
    if arguments.symbols.is_empty() {
        return Err(Failure::usage("name symbols with --symbols A,B, or a file with --bars CSV or --quotes CSV"));
    }
    let history = histories::open_read_only(&places(overrides)?)?;
    let calendar = calendar(arguments.calendar, CalendarChoice::B3);
    let market = wiring::market(&*history, &Calendar::b3(), &arguments.symbols).map_err(Failure::failed)?;
    let (start, events) =
        wiring::replay(&market, &Calendar::b3(), arguments.from, arguments.to).map_err(Failure::failed)?;
    let symbols: Vec<&str> = arguments.symbols.iter().map(Symbol::as_str).collect();
    let mut warnings = vec![
        "Prices are as published, not adjusted for splits and dividends.".to_owned(),
        "The symbols were chosen today: names that were delisted meanwhile are missing.".to_owned(),
    ];
    if market.unsound > 0 {
        warnings.push(format!("{} stored rows are no sound bars and were left out.", market.unsound));
    }
    Ok(Prepared {
        universe: market.universe,
        calendar,
        history: market.history,
        start,
        input: Input::Sessions(events),
        listen: Listen::Bars,
        execution: Execution::Auction,
        benchmark: wiring::benchmark(&*history)?,
        what: symbols.join(" "),
        warnings,
    })
}

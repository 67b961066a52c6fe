//! Proves with figures that a stop works, on the real actors: `tests::stop` says how. Exit code 1: an order
//! passed the gate that must not, or a figure missed its goal.

#![expect(clippy::print_stdout, reason = "a program that prints its result")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use actors::halt::SharedHalt;
use actors::system::shared;
use clap::Parser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use store::EmbeddedStore;
use tests::stop::cancels::cancel_all;
use tests::stop::gate::{Trials, trials};
use tests::stop::quantile;

#[derive(Parser)]
#[command(about = "Halts orders that are on their way again and again, and measures what a stop promises")]
struct Arguments {
    /// How often to kill.
    #[arg(long, default_value_t = 10_000)]
    trials: u64,
    /// Messages that wait in the mailboxes of Account and Broker meanwhile.
    #[arg(long, default_value_t = 1_000_000)]
    queued: u64,
    /// How often to cancel 500 open orders.
    #[arg(long, default_value_t = 20)]
    cancels: u64,
    /// One JSON document instead of text.
    #[arg(long)]
    json: bool,
}

/// Open orders that one cancel-all takes out.
const OPEN: u32 = 500;
const GOAL_P99: Duration = Duration::from_millis(5);
const GOAL_MOST: Duration = Duration::from_millis(50);
const GOAL_CANCELS: Duration = Duration::from_millis(250);

/// One goal: what it is about, and whether it is reached.
type Goal = (&'static str, bool);

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let place = tempfile::tempdir()?;
    let store = EmbeddedStore::open(place.path())?;
    let halt: SharedHalt = shared(store.halt()?);
    let (bar, began) = (bar(arguments.trials, arguments.json), Instant::now());
    let progress = |done| bar.set_position(done);
    let found = runtime.block_on(trials(arguments.trials, arguments.queued, halt.clone(), progress));
    bar.finish_and_clear();
    let took = began.elapsed();
    let mut cancels = Vec::new();
    for _ in 0..arguments.cancels {
        cancels.push(runtime.block_on(cancel_all(OPEN, halt.clone())));
    }
    cancels.sort_unstable();
    let goals = goals(&found, &cancels, arguments.queued);
    if arguments.json {
        println!("{}", document(&found, &cancels, &arguments, took, &goals));
    } else {
        tell(&found, &cancels, took, &goals);
    }
    let reached = goals.iter().all(|(_, reached)| *reached);
    Ok(if reached { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn goals(found: &Trials, cancels: &[Duration], queued: u64) -> Vec<Goal> {
    vec![
        ("last order at the gate: p99 below 5 ms", quantile(&found.last_order, 0.99) < GOAL_P99),
        ("last order at the gate: max below 50 ms", quantile(&found.last_order, 1.0) < GOAL_MOST),
        ("no order after an acknowledgement", found.after_acknowledgement == 0),
        ("no order that was decided before a kill after its resume", found.stale == 0),
        ("every kill called with so many messages before the gate", found.least_queued >= queued),
        ("500 open orders asked to be cancelled in below 250 ms", quantile(cancels, 1.0) < GOAL_CANCELS),
    ]
}

fn bar(trials: u64, json: bool) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(trials), ProgressDrawTarget::stderr());
    if json {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template("kills {pos}/{len} {bar:40} {eta}") {
        bar.set_style(style);
    }
    bar
}

fn shown(sorted: &[Duration]) -> [f64; 3] {
    [0.5, 0.99, 1.0].map(|part| quantile(sorted, part).as_secs_f64() * 1_000.0)
}

/// The most memory that this process has had, in MiB; nothing where the system does not say.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes / 1_024)
}

fn tell(found: &Trials, cancels: &[Duration], took: Duration, goals: &[Goal]) {
    let line = |name: &str, [middle, most, worst]: [f64; 3]| {
        println!("{name:<46}{middle:>9.3}{most:>9.3}{worst:>9.3}");
    };
    let [symbols, strategies, everything] = found.counted;
    println!(
        "{} kills in {:.0} s: {symbols} of a symbol, {strategies} of a strategy, {everything} of everything;",
        found.total(),
        took.as_secs_f64()
    );
    println!(
        "at least {} messages before the gate at each, up to {} before the account. Milliseconds:",
        found.least_queued, found.account_queued
    );
    println!("{:<46}{:>9}{:>9}{:>9}", "", "p50", "p99", "max");
    line("kill called to last order at the gate", shown(&found.last_order));
    line("kill called to acknowledged, halt stored", shown(&found.acknowledged));
    line("500 open orders: last cancel at the venue", shown(cancels));
    println!("orders held back because of a kill: {}   passed the gate: {}", found.held_back, found.orders);
    println!(
        "  after an acknowledgement: {}   after the resume, decided before: {}",
        found.after_acknowledgement, found.stale
    );
    println!("kills with an order between call and acknowledgement: {}", found.raced);
    println!("kills that had nothing to stop, not counted: {}", found.late);
    println!(
        "kills while the monitors were not heard, not counted: {}   orders held back: {}",
        found.closed, found.lapsed
    );
    if let Some(memory) = peak_memory() {
        println!("memory at its peak: {memory} MiB");
    }
    for (goal, reached) in goals {
        println!("{}  {goal}", if *reached { "reached" } else { "MISSED " });
    }
}

fn document(
    found: &Trials,
    cancels: &[Duration],
    arguments: &Arguments,
    took: Duration,
    goals: &[Goal],
) -> serde_json::Value {
    let figures = |sorted: &[Duration]| {
        let [middle, most, worst] = shown(sorted);
        json!({ "p50_milliseconds": middle, "p99_milliseconds": most, "max_milliseconds": worst })
    };
    let [symbols, strategies, everything] = found.counted;
    json!({
        "trials": arguments.trials,
        "kills": { "symbol": symbols, "strategy": strategies, "everything": everything, "nothing_to_stop": found.late,
            "gate_closed_anyway": found.closed },
        "seconds": took.as_secs_f64(),
        "queues": found.queues,
        "least_queued": found.least_queued,
        "account_queued": found.account_queued,
        "last_order": figures(&found.last_order),
        "acknowledged": figures(&found.acknowledged),
        "raced": found.raced,
        "orders": found.orders,
        "held_back": found.held_back,
        "lapsed": found.lapsed,
        "after_acknowledgement": found.after_acknowledgement,
        "stale": found.stale,
        "cancel_500": figures(cancels),
        "peak_memory_mebibytes": peak_memory(),
        "goals": goals.iter().map(|(goal, reached)| (*goal, *reached)).collect::<std::collections::BTreeMap<_, _>>(),
    })
}

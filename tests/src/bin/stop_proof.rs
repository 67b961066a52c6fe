//! Proves with figures that a stop works, on the real actors: `tests::stop` says how. Exit code 1: an order
//! passed the gate that must not, or a figure missed its goal.

#![expect(clippy::print_stdout, reason = "a program that prints its result")]

use std::process::ExitCode;
use std::time::Duration;

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
#[command(about = "Halts a floor that is always busy again and again, and measures what a stop promises")]
struct Arguments {
    /// How often to kill.
    #[arg(long, default_value_t = 10_000)]
    trials: u64,
    /// Messages that wait in each mailbox meanwhile.
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

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let place = tempfile::tempdir()?;
    let store = EmbeddedStore::open(place.path())?;
    let halt: SharedHalt = shared(store.halt()?);
    let bar = bar(arguments.trials, arguments.json);
    let found =
        runtime.block_on(trials(arguments.trials, arguments.queued, halt.clone(), |done| bar.set_position(done)));
    bar.finish_and_clear();
    let mut cancels = Vec::new();
    for _ in 0..arguments.cancels {
        cancels.push(runtime.block_on(cancel_all(OPEN, halt.clone())));
    }
    cancels.sort_unstable();
    let sound = found.after_acknowledgement == 0
        && found.stale == 0
        && quantile(&found.last_order, 0.99) < GOAL_P99
        && quantile(&found.last_order, 1.0) < GOAL_MOST
        && quantile(&cancels, 1.0) < GOAL_CANCELS;
    if arguments.json {
        println!("{}", document(&found, &cancels, &arguments));
    } else {
        tell(&found, &cancels, &arguments);
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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

fn tell(found: &Trials, cancels: &[Duration], arguments: &Arguments) {
    let line = |name: &str, [middle, most, worst]: [f64; 3], goal: &str| {
        println!("{name:<46}{middle:>9.3}{most:>9.3}{worst:>9.3}   {goal}");
    };
    println!("{} kills, at least {} messages in each mailbox, milliseconds:", arguments.trials, found.least_queued);
    println!("{:<46}{:>9}{:>9}{:>9}", "", "p50", "p99", "max");
    line("kill called to last order at the gate", shown(&found.last_order), "p99 below 5, max below 50");
    line("kill called to acknowledged, halt stored", shown(&found.acknowledged), "");
    line("500 open orders: last cancel at the venue", shown(cancels), "max below 250");
    println!("orders that passed the gate: {}", found.orders);
    println!(
        "  after an acknowledgement: {}   decided before a kill, sent after: {}",
        found.after_acknowledgement, found.stale
    );
}

fn document(found: &Trials, cancels: &[Duration], arguments: &Arguments) -> serde_json::Value {
    let figures = |sorted: &[Duration]| {
        let [middle, most, worst] = shown(sorted);
        json!({ "p50_milliseconds": middle, "p99_milliseconds": most, "max_milliseconds": worst })
    };
    json!({
        "trials": arguments.trials,
        "least_queued": found.least_queued,
        "last_order": figures(&found.last_order),
        "acknowledged": figures(&found.acknowledged),
        "orders": found.orders,
        "after_acknowledgement": found.after_acknowledgement,
        "stale": found.stale,
        "cancel_500": figures(cancels),
    })
}

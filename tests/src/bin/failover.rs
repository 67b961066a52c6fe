//! Proves with figures that a standby takes over: `tests::failover` says how. Exit code 1: something came twice, was
//! lost or differs, or a standby took longer than it may.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints its result")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde_json::json;
use store::testing::Server;
use tempfile::TempDir;
use tests::failover::{GOAL, play};
use tests::stop::quantile;

#[derive(Parser)]
#[command(about = "Kills the daemon that trades, again and again, while another one stands by")]
struct Arguments {
    /// How often to kill.
    #[arg(long, default_value_t = 10)]
    kills: usize,
    /// Of quotes and venue.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The program; beside this one where nothing else is said.
    #[arg(long, value_name = "FILE")]
    pregao: Option<PathBuf>,
    /// One JSON document instead of text.
    #[arg(long)]
    json: bool,
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let own = std::env::current_exe()?;
    let beside = |name: &str| own.with_file_name(name);
    let pregao = arguments.pregao.unwrap_or_else(|| beside("pregao"));
    let Some(server) = Server::start() else { return Ok(ExitCode::FAILURE) };
    let place = tempfile::tempdir()?;
    let outcome = play(&pregao, &beside("venue"), place.path(), (arguments.seed, arguments.kills), &server);
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(trouble) => {
            keep(place);
            return Err(trouble);
        }
    };
    let sorted = |figure: fn(&tests::failover::Takeover) -> std::time::Duration| {
        let mut figures: Vec<_> = outcome.takeovers.iter().map(figure).collect();
        figures.sort_unstable();
        figures
    };
    let (active, order) = (sorted(|takeover| takeover.active), sorted(|takeover| takeover.order));
    let findings = outcome.findings.all();
    let sound = findings.is_empty() && quantile(&active, 1.0) <= GOAL;
    let document = json!({
        "kills": outcome.takeovers.len(),
        "active_seconds": { "p50": quantile(&active, 0.5).as_secs_f64(), "max": quantile(&active, 1.0).as_secs_f64() },
        "first_order_seconds": { "p50": quantile(&order, 0.5).as_secs_f64(), "max": quantile(&order, 1.0).as_secs_f64() },
        "goal_seconds": GOAL.as_secs(),
        "orders": outcome.orders,
        "fills": outcome.fills,
        "duplicate_orders": outcome.findings.duplicate_orders.len(),
        "findings": findings,
        "sound": sound,
    });
    if arguments.json {
        println!("{document}");
    } else {
        println!("{}", serde_json::to_string_pretty(&document)?);
    }
    if !sound {
        keep(place);
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn keep(place: TempDir) {
    eprintln!("everything is in {}", place.keep().display());
}

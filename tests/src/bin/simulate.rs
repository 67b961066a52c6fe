//! Runs the simulation over many seeds and says what was reached.
//!
//! `simulate --seeds N [--from S] [--days D] [--json]` runs N seeds from S on; `simulate --seed S` runs one
//! and tells its history. Exit code 1: something was violated, or a rare path was not reached.

#![expect(clippy::print_stdout, reason = "a program that prints its result")]
#![expect(clippy::print_stderr, reason = "and what is wrong with its arguments")]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tests::simulation::coverage::{Coverage, Path};
use tests::simulation::faults::Fault;
use tests::simulation::{Outcome, Settings, run};

/// From this many seeds on every rare path must have been reached.
const ENOUGH: u64 = 200;
/// Violating seeds that are told in full.
const TOLD: usize = 5;

struct Arguments {
    seeds: u64,
    from: u64,
    days: usize,
    one: Option<u64>,
    json: bool,
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments { seeds: 200, from: 1, days: 0, one: None, json: false };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let mut number = || {
            let text = given.next().ok_or_else(|| format!("{name} needs a number"))?;
            text.parse::<u64>().map_err(|_| format!("{name} needs a number, not '{text}'"))
        };
        match name.as_str() {
            "--seeds" => arguments.seeds = number()?,
            "--from" => arguments.from = number()?,
            "--seed" => arguments.one = Some(number()?),
            "--days" => arguments.days = number()? as usize,
            "--json" => arguments.json = true,
            _ => return Err(format!("unknown argument {name}")),
        }
    }
    Ok(arguments)
}

#[derive(Default)]
struct Sum {
    coverage: Coverage,
    runs: u64,
    sessions: u64,
    orders: u64,
    fills: u64,
    starts: u64,
    crashes: u64,
    entries: u64,
    violating: Vec<Outcome>,
    violations: u64,
}

impl Sum {
    fn add(&mut self, outcome: Outcome) {
        self.coverage.add(&outcome.coverage);
        self.runs += 1;
        self.sessions += outcome.sessions as u64;
        self.orders += outcome.orders;
        self.fills += outcome.fills;
        self.starts += outcome.starts;
        self.crashes += outcome.crashes;
        self.entries += outcome.entries;
        if !outcome.violations.is_empty() {
            self.violations += 1;
            self.violating.push(outcome);
            self.violating.sort_by_key(|outcome| outcome.seed);
            self.violating.truncate(TOLD);
        }
    }
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("{problem}\nusage: simulate [--seeds N] [--from S] [--seed S] [--days D] [--json]");
            return ExitCode::from(2);
        }
    };
    if let Some(seed) = arguments.one {
        return tell_one(seed, arguments.days);
    }
    let began = Instant::now();
    let sum = run_all(&arguments);
    let seconds = began.elapsed().as_secs_f64();
    let missing = if sum.runs >= ENOUGH { sum.coverage.missing() } else { Vec::new() };
    if arguments.json {
        print_json(&sum, seconds, &missing)
    } else {
        print_table(&sum, seconds, &missing)
    }
    if sum.violations == 0 && missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn tell_one(seed: u64, days: usize) -> ExitCode {
    let outcome = run(Settings { seed, days, verbose: true, ..Settings::default() });
    for line in &outcome.history {
        println!("{line}");
    }
    println!("seed {seed} digest {} orders {} fills {}", outcome.digest, outcome.orders, outcome.fills);
    for violation in &outcome.violations {
        println!("VIOLATION {violation}");
    }
    if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// Every run is its own world, so they run side by side; the sum does not depend on their order.
fn run_all(arguments: &Arguments) -> Sum {
    let next = AtomicU64::new(0);
    let sum = Mutex::new(Sum::default());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= arguments.seeds {
                        return;
                    }
                    let settings =
                        Settings { seed: arguments.from + number, days: arguments.days, ..Settings::default() };
                    let outcome = run(settings);
                    sum.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add(outcome);
                }
            });
        }
    });
    sum.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn print_table(sum: &Sum, seconds: f64, missing: &[&str]) {
    println!("{:<42} {:>10} {:>10}", "fault", "injected", "runs with");
    for fault in Fault::ALL {
        let of = |counts: &std::collections::BTreeMap<Fault, u64>| counts.get(fault).copied().unwrap_or_default();
        println!("{:<42} {:>10} {:>10}", fault.name(), of(&sum.coverage.faults), of(&sum.coverage.runs_with));
    }
    println!("\n{:<42} {:>10}", "rare path", "walked");
    for path in Path::ALL {
        println!("{:<42} {:>10}", path.name(), sum.coverage.paths.get(path).copied().unwrap_or_default());
    }
    println!(
        "\n{} runs, {} simulated days, {} orders, {} fills, {} starts, {} crashes, {} entries in {seconds:.1} s",
        sum.runs, sum.sessions, sum.orders, sum.fills, sum.starts, sum.crashes, sum.entries
    );
    for outcome in &sum.violating {
        println!("\nseed {} violates:", outcome.seed);
        for violation in &outcome.violations {
            println!("  {violation}");
        }
        println!("  faults, the latest last:");
        for line in outcome.history.iter().rev().take(12).rev() {
            println!("    {line}");
        }
    }
    if !missing.is_empty() {
        println!("\nnever reached: {}", missing.join(", "));
    }
    println!("{} of {} runs violate something", sum.violations, sum.runs);
}

fn print_json(sum: &Sum, seconds: f64, missing: &[&str]) {
    let faults: serde_json::Map<String, serde_json::Value> = Fault::ALL
        .iter()
        .map(|fault| {
            let injected = sum.coverage.faults.get(fault).copied().unwrap_or_default();
            let runs = sum.coverage.runs_with.get(fault).copied().unwrap_or_default();
            (fault.name().to_owned(), serde_json::json!({ "injected": injected, "runs": runs }))
        })
        .collect();
    let paths: serde_json::Map<String, serde_json::Value> = Path::ALL
        .iter()
        .map(|path| (path.name().to_owned(), sum.coverage.paths.get(path).copied().unwrap_or_default().into()))
        .collect();
    let violating: Vec<serde_json::Value> = sum
        .violating
        .iter()
        .map(|outcome| serde_json::json!({ "seed": outcome.seed, "violations": outcome.violations }))
        .collect();
    let document = serde_json::json!({
        "runs": sum.runs, "simulated_days": sum.sessions, "orders": sum.orders, "fills": sum.fills,
        "starts": sum.starts, "crashes": sum.crashes, "entries": sum.entries, "seconds": seconds,
        "violating_runs": sum.violations, "violations": violating, "never_reached": missing,
        "faults": faults, "paths": paths,
    });
    println!("{document}");
}

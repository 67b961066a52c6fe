//! The pre-trade review against an account on paper, at length: `risk/tests/checker` over many seeds.
//!
//! `risk_check --orders N [--from S] [--threads T]` makes about N orders and replaces, from seed S on;
//! `risk_check --seed S` runs one. The last line is `disagreements: 0`, or how many runs found one; each is
//! told with its seed. Exit code 1: there was a disagreement. Exit code 2: the arguments make no sense.

#![expect(clippy::print_stdout, reason = "a program that prints its result")]
#![expect(clippy::print_stderr, reason = "and its progress, and what is wrong with its arguments")]
#![expect(clippy::disallowed_methods, reason = "it says how long it took; nothing that it checks reads the clock")]

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

#[path = "../tests/checker/mod.rs"]
mod checker;

use checker::{Tally, run};

/// Disagreements that are told in full.
const TOLD: usize = 5;

struct Arguments {
    orders: u64,
    from: u64,
    threads: usize,
    one: Option<u64>,
}

fn arguments() -> Result<Arguments, String> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut arguments = Arguments { orders: 1_000_000, from: 1, threads, one: None };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let text = given.next().ok_or_else(|| format!("{name} needs a number"))?;
        let number = text.parse::<u64>().map_err(|_| format!("{name} needs a number, not '{text}'"))?;
        match name.as_str() {
            "--orders" => arguments.orders = number,
            "--from" => arguments.from = number,
            "--threads" => arguments.threads = (number as usize).clamp(1, 64),
            "--seed" => arguments.one = Some(number),
            other => return Err(format!("unknown argument {other}: --orders, --from, --threads, --seed")),
        }
    }
    Ok(arguments)
}

/// What the workers share.
struct Check {
    next: AtomicU64,
    asked: AtomicU64,
    tally: Mutex<Tally>,
    found: Mutex<Vec<String>>,
}

fn work(check: &Check, orders: u64) {
    let mut tally = Tally::default();
    while check.asked.load(Ordering::Relaxed) < orders {
        let seed = check.next.fetch_add(1, Ordering::Relaxed);
        match run(seed) {
            Ok(ran) => {
                let asked = check.asked.fetch_add(ran.asked, Ordering::Relaxed) + ran.asked;
                tally.add(&ran);
                if seed.is_multiple_of(64) && std::io::stderr().is_terminal() {
                    eprint!("\r{asked} of {orders} orders ");
                }
            }
            Err(disagreement) => {
                check.found.lock().expect("no worker panics").push(disagreement);
                check.asked.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    check.tally.lock().expect("no worker panics").add(&tally);
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    if let Some(seed) = arguments.one {
        let ran = run(seed);
        match &ran {
            Ok(tally) => print(tally),
            Err(disagreement) => println!("{disagreement}"),
        }
        println!("disagreements: {}", u64::from(ran.is_err()));
        return ExitCode::from(u8::from(ran.is_err()));
    }
    let check = Check {
        next: AtomicU64::new(arguments.from),
        asked: AtomicU64::new(0),
        tally: Mutex::default(),
        found: Mutex::default(),
    };
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(|| work(&check, arguments.orders));
        }
    });
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    let found = check.found.into_inner().expect("no worker panics");
    print(&check.tally.into_inner().expect("no worker panics"));
    let until = check.next.into_inner() - 1;
    println!("seeds: {} to {until} in {:.0} s", arguments.from, began.elapsed().as_secs_f64());
    found.iter().take(TOLD).for_each(|disagreement| println!("{disagreement}"));
    println!("disagreements: {}", found.len());
    ExitCode::from(u8::from(!found.is_empty()))
}

fn print(tally: &Tally) {
    println!("{} orders and replaces, {} approved", tally.asked, tally.approved);
    for (name, (passed, denied)) in &tally.verdicts {
        println!("  {name:<22} passed {passed:>10}  denied {denied:>10}");
    }
}

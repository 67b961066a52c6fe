//! Kills the program again and again and compares its journal with the venue's ledger. Prints the
//! figures, and exits with 1 on any violation; the directory of such a run is kept. `tests::kill`
//! says what a run does.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use serde_json::json;
use tests::kill::{Kill, Outcome, Plan, play};

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Store {
    Embedded,
    Postgres,
    Both,
}

#[derive(Parser)]
#[command(about = "Kills the program at random and at named points, and compares two records of what it did")]
struct Arguments {
    /// How many runs.
    #[arg(long, default_value_t = 20)]
    runs: u64,
    /// The first seed; run n has the seed after it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the program keeps its journal.
    #[arg(long, value_enum, default_value_t = Store::Embedded)]
    store: Store,
    /// The venue's level of chaos.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=3))]
    chaos: u8,
    /// Kills in a run.
    #[arg(long, default_value_t = 5)]
    kills: u32,
    /// Runs at the same time.
    #[arg(long, default_value_t = 2)]
    jobs: u64,
    /// Named points to crash at; what 'pregao version --json' lists if none is given.
    #[arg(long, value_delimiter = ',')]
    points: Vec<String>,
    /// The program under test; beside this one if not given.
    #[arg(long)]
    pregao: Option<PathBuf>,
    /// The venue; beside this one if not given.
    #[arg(long)]
    venue: Option<PathBuf>,
    /// Keep the directory of every run.
    #[arg(long)]
    keep: bool,
    /// Where the figures go as JSON.
    #[arg(long)]
    figures: Option<PathBuf>,
}

/// Figures of all runs.
#[derive(Default)]
struct Figures {
    runs: u64,
    kills: BTreeMap<Kill, u64>,
    starts: u64,
    counts: BTreeMap<String, u64>,
    reconciliations: u64,
    anomalies: u64,
    slowest_agreement: Duration,
    lost_fills: usize,
    invented_fills: usize,
    duplicate_orders: usize,
    drift: usize,
    without_intent: usize,
    while_halted: usize,
    unexplained: usize,
    other: usize,
    failed: Vec<(u64, PathBuf, Vec<String>)>,
}

impl Figures {
    fn add(&mut self, seed: u64, directory: PathBuf, outcome: &Outcome) {
        self.runs += 1;
        for (kill, times) in &outcome.kills {
            *self.kills.entry(kill.clone()).or_default() += times;
        }
        self.starts += outcome.starts;
        for (name, times) in outcome.venue["counts"].as_object().into_iter().flatten() {
            *self.counts.entry(name.clone()).or_default() += times.as_u64().unwrap_or_default();
        }
        self.reconciliations += outcome.reconciliations;
        self.anomalies += outcome.anomalies;
        self.slowest_agreement = self.slowest_agreement.max(outcome.agreed_after.unwrap_or_default());
        let findings = &outcome.findings;
        self.lost_fills += findings.lost_fills.len();
        self.invented_fills += findings.invented_fills.len();
        self.duplicate_orders += findings.duplicate_orders.len();
        self.drift += findings.drift.len();
        self.without_intent += findings.without_intent.len();
        self.while_halted += findings.while_halted.len();
        self.unexplained += findings.unexplained.len();
        self.other += findings.other.len();
        let all = findings.all();
        if !all.is_empty() {
            self.failed.push((seed, directory, all));
        }
    }

    fn json(&self, arguments: &Arguments, took: Duration) -> serde_json::Value {
        let kills: BTreeMap<String, u64> = self.kills.iter().map(|(kill, times)| (name(kill), *times)).collect();
        json!({
            "runs": self.runs,
            "seeds": [arguments.seed, arguments.seed + arguments.runs.saturating_sub(1)],
            "chaos": arguments.chaos,
            "seconds": took.as_secs_f64(),
            "kills": kills,
            "starts": self.starts,
            "venue": self.counts,
            "reconciliations": self.reconciliations,
            "anomalies": self.anomalies,
            "slowest_agreement_seconds": self.slowest_agreement.as_secs_f64(),
            "lost_fills": self.lost_fills,
            "invented_fills": self.invented_fills,
            "duplicate_orders": self.duplicate_orders,
            "position_drift": self.drift,
            "without_intent": self.without_intent,
            "while_halted": self.while_halted,
            "unexplained": self.unexplained,
            "other": self.other,
            "failed_seeds": self.failed.iter().map(|(seed, _, _)| seed).collect::<Vec<_>>(),
        })
    }
}

fn name(kill: &Kill) -> String {
    match kill {
        Kill::Random => "random moment".to_owned(),
        Kill::Point(name) => format!("at {name}"),
        Kill::NotReached(name) => format!("not reached: {name}"),
        Kill::EndedItself => "ended by itself".to_owned(),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            say(&format!("kill_test: {error}"));
            ExitCode::from(2)
        }
    }
}

/// Figures and findings are this program's output.
#[allow(clippy::print_stderr, reason = "a tool of the tests speaks to a person at a terminal")]
fn say(line: &str) {
    eprintln!("{line}");
}

fn plan(arguments: &Arguments) -> Result<Plan, Box<dyn Error>> {
    if arguments.store != Store::Embedded {
        return Err("the journal in Postgres cannot be chosen yet: use --store embedded".into());
    }
    let own = std::env::current_exe()?;
    let beside = |name: &str| own.with_file_name(name);
    let pregao = arguments.pregao.clone().unwrap_or_else(|| beside("pregao"));
    let venue = arguments.venue.clone().unwrap_or_else(|| beside("venue"));
    for program in [&pregao, &venue] {
        if !program.is_file() {
            return Err(format!("there is no {}: build it first, as scripts/kill-test does", program.display()).into());
        }
    }
    let (pregao, venue) = (std::path::absolute(pregao)?, std::path::absolute(venue)?);
    let points = if arguments.points.is_empty() { points_of(&pregao)? } else { arguments.points.clone() };
    Ok(Plan { pregao, venue, chaos: arguments.chaos, points, kills: arguments.kills })
}

/// The crash points that the program was built with.
fn points_of(pregao: &std::path::Path) -> Result<Vec<String>, Box<dyn Error>> {
    let output = std::process::Command::new(pregao).args(["version", "--json"]).output()?;
    let version: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let points = version["crash_points"].as_array().into_iter().flatten();
    Ok(points.filter_map(|point| point.as_str().map(str::to_owned)).collect())
}

fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let plan = plan(arguments)?;
    if plan.points.is_empty() {
        say("no crash points: build the program with the feature crash_points to have them; random moments only");
    }
    let began = Instant::now();
    let (figures, next) = (Mutex::new(Figures::default()), AtomicU64::new(0));
    let failed: Mutex<Option<String>> = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let run = next.fetch_add(1, Ordering::SeqCst);
                    if run >= arguments.runs || failed.lock().is_ok_and(|failed| failed.is_some()) {
                        return;
                    }
                    if let Err(error) = one(arguments, &plan, run, &figures)
                        && let Ok(mut failed) = failed.lock()
                    {
                        *failed = Some(format!("seed {}: {error}", arguments.seed + run));
                    }
                }
            });
        }
    });
    if let Ok(Some(error)) = failed.into_inner() {
        return Err(error.into());
    }
    let figures = figures.into_inner().map_err(|_| "a run panicked")?;
    let document = figures.json(arguments, began.elapsed());
    if let Some(path) = &arguments.figures {
        std::fs::write(path, format!("{document:#}\n"))?;
    }
    say(&format!("{document:#}"));
    for (seed, directory, findings) in &figures.failed {
        say(&format!("seed {seed} failed; everything is in {}", directory.display()));
        findings.iter().for_each(|finding| say(&format!("  {finding}")));
    }
    Ok(figures.failed.is_empty())
}

fn one(arguments: &Arguments, plan: &Plan, run: u64, figures: &Mutex<Figures>) -> Result<(), Box<dyn Error>> {
    let seed = arguments.seed + run;
    let directory = std::env::temp_dir().join(format!("pregao-kill-{}-{seed}", std::process::id()));
    std::fs::create_dir(&directory)?;
    let outcome = play(plan, &directory, seed, run)
        .map_err(|error| format!("{error}; everything is in {}", directory.display()))?;
    if outcome.findings.all().is_empty() && !arguments.keep {
        std::fs::remove_dir_all(&directory)?;
    }
    figures.lock().map_err(|_| "a run panicked")?.add(seed, directory, &outcome);
    Ok(())
}

//! Kills the program again and again and compares its journal with the venue's ledger. Prints the
//! figures, and exits with 1 on any violation; the directory of such a run is kept. `tests::kill`
//! says what a run does.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use serde_json::json;
use store::testing::Server;
use tests::kill::{Kill, Outcome, Plan, play};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum)]
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
    /// Where the program keeps its journal; both: every second run on each.
    #[arg(long, value_enum, default_value_t = Store::Both)]
    store: Store,
    /// The venue's level of chaos.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=3))]
    chaos: u8,
    /// Kills in a run.
    #[arg(long, default_value_t = 5)]
    kills: u32,
    /// Runs at the same time on each store.
    #[arg(long, default_value_t = 2)]
    jobs: u64,
    /// No takeovers by a second machine, which wait for a lease.
    #[arg(long)]
    no_takeovers: bool,
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
    runs: BTreeMap<&'static str, u64>,
    halts: u64,
    stops: u64,
    takeovers: u64,
    restarts: u64,
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
    fn add(&mut self, store: Store, seed: u64, directory: PathBuf, outcome: &Outcome) {
        *self.runs.entry(store.name()).or_default() += 1;
        self.halts += outcome.halts;
        self.stops += outcome.stops;
        self.takeovers += outcome.takeovers;
        self.restarts += outcome.restarts;
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
            "kills_by_hand": self.stops,
            "resumes": self.halts,
            "takeovers": self.takeovers,
            "restarts_beside_postgres": self.restarts,
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

impl Store {
    const fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Postgres => "postgres",
            Self::Both => "both",
        }
    }

    /// The store of a run, and how many runs on it came before.
    const fn of(self, run: u64) -> (Self, u64) {
        match self {
            Self::Both if run.is_multiple_of(2) => (Self::Embedded, run / 2),
            Self::Both => (Self::Postgres, run / 2),
            only => (only, run),
        }
    }
}

impl Figures {
    /// What a person reads.
    fn table(&self, took: Duration) -> String {
        let mut lines: Vec<(String, String)> = Vec::new();
        let mut line = |what: &str, how_many: String| lines.push((what.to_owned(), how_many));
        for (store, runs) in &self.runs {
            line(&format!("runs, {store}"), runs.to_string());
        }
        line("kills", self.kills.values().sum::<u64>().to_string());
        for (kill, times) in &self.kills {
            line(&format!("  {}", name(kill)), times.to_string());
        }
        line("starts in the journals", self.starts.to_string());
        line("restarts beside Postgres, no wait for a lease", self.restarts.to_string());
        line("takeovers by another machine", self.takeovers.to_string());
        line("stopped by a person", self.stops.to_string());
        line("resumed by a person", self.halts.to_string());
        for (what, key) in [
            ("orders at the venue", "orders"),
            ("fills", "fills"),
            ("busts", "busts"),
            ("corrections", "corrections"),
            ("trades by hand", "hand_fills"),
            ("commands lost on the way", "lost"),
            ("logons", "logons"),
            ("statements", "statements"),
        ] {
            line(what, self.counts.get(key).copied().unwrap_or_default().to_string());
        }
        line("reconciliations", self.reconciliations.to_string());
        line("reports that did not fit, duplicates included", self.anomalies.to_string());
        line("slowest agreement after a start", format!("{:.1} s", self.slowest_agreement.as_secs_f64()));
        for (what, how_many) in [
            ("LOST FILLS", self.lost_fills),
            ("INVENTED FILLS", self.invented_fills),
            ("DUPLICATE ORDERS", self.duplicate_orders),
            ("POSITION DRIFT", self.drift),
            ("ORDERS WITHOUT INTENT", self.without_intent),
            ("ORDERS WHILE HALTED", self.while_halted),
            ("UNEXPLAINED BREAKS", self.unexplained),
            ("ANYTHING ELSE", self.other),
        ] {
            line(what, how_many.to_string());
        }
        line("time", format!("{:.0} s", took.as_secs_f64()));
        lines.iter().map(|(what, how_many)| format!("{what:<46} {how_many:>8}\n")).collect()
    }
}

fn name(kill: &Kill) -> String {
    match kill {
        Kill::Random => "random moment".to_owned(),
        Kill::After(fault) => format!("random moment, {}", fault.name()),
        Kill::Stopped => "while stopped by a person".to_owned(),
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

/// Figures are this program's result.
#[allow(clippy::print_stdout, reason = "a tool of the tests speaks to a person at a terminal")]
fn print(text: &str) {
    print!("{text}");
}

fn plan(arguments: &Arguments) -> Result<Plan, Box<dyn Error>> {
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
    let takeovers = !arguments.no_takeovers;
    Ok(Plan { pregao, venue, chaos: arguments.chaos, points, kills: arguments.kills, takeovers })
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
    let (figures, failed) = (Mutex::new(Figures::default()), Mutex::new(None));
    let stores = match arguments.store {
        Store::Both => vec![Store::Embedded, Store::Postgres],
        only => vec![only],
    };
    std::thread::scope(|scope| {
        for store in stores {
            // Runs on a server make it stop and stand still, so each job has its own.
            for job in 0..arguments.jobs.max(1) {
                let (plan, figures, failed) = (&plan, &figures, &failed);
                scope.spawn(move || {
                    if let Err(error) = work(arguments, plan, (store, job), figures, failed)
                        && let Ok(mut failed) = failed.lock()
                    {
                        *failed = Some(error.to_string());
                    }
                });
            }
        }
    });
    if let Ok(Some(error)) = failed.into_inner() {
        return Err(error.into());
    }
    let figures = figures.into_inner().map_err(|_| "a run panicked")?;
    let took = began.elapsed();
    if let Some(path) = &arguments.figures {
        std::fs::write(path, format!("{:#}\n", figures.json(arguments, took)))?;
    }
    print(&figures.table(took));
    for (seed, directory, findings) in &figures.failed {
        say(&format!("seed {seed} failed; everything is in {}", directory.display()));
        findings.iter().for_each(|finding| say(&format!("  {finding}")));
    }
    Ok(figures.failed.is_empty())
}

/// One job's share of the runs on a store.
fn work(
    arguments: &Arguments,
    plan: &Plan,
    (store, job): (Store, u64),
    figures: &Mutex<Figures>,
    failed: &Mutex<Option<String>>,
) -> Result<(), Box<dyn Error>> {
    let mut server = None;
    if store == Store::Postgres {
        server = Some(Server::start().ok_or("no Postgres: install it, or use --store embedded")?);
    }
    for run in 0..arguments.runs {
        let (of, turn) = arguments.store.of(run);
        if of != store || turn % arguments.jobs.max(1) != job {
            continue;
        }
        if failed.lock().is_ok_and(|failed| failed.is_some()) {
            return Ok(());
        }
        let seed = arguments.seed + run;
        one(arguments, plan, (store, seed, turn), server.as_mut(), figures)
            .map_err(|error| format!("seed {seed}: {error}"))?;
    }
    Ok(())
}

fn one(
    arguments: &Arguments,
    plan: &Plan,
    (store, seed, turn): (Store, u64, u64),
    server: Option<&mut Server>,
    figures: &Mutex<Figures>,
) -> Result<(), Box<dyn Error>> {
    let directory = std::env::temp_dir().join(format!("pregao-kill-{}-{seed}", std::process::id()));
    std::fs::create_dir(&directory)?;
    let outcome = play(plan, &directory, seed, turn, server)
        .map_err(|error| format!("{error}; everything is in {}", directory.display()))?;
    let findings = outcome.findings.all();
    for finding in &findings {
        say(&format!("seed {seed}, {}: {finding}", store.name()));
    }
    if findings.is_empty() && !arguments.keep {
        std::fs::remove_dir_all(&directory)?;
    }
    figures.lock().map_err(|_| "a run panicked")?.add(store, seed, directory, &outcome);
    Ok(())
}

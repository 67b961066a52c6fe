//! One run of the kill test: the real program against the venue, killed again and again.
//!
//! | step | what happens |
//! |---|---|
//! | stage | a directory, a venue, a configuration, and a thread that appends quotes of now |
//! | lives | the program is started and ends by `kill -9`, at a random moment or at a named point |
//! | settle | the quotes stop; the venue ends its chaos and fills nothing more |
//! | last life | the program starts once more, reconciles, and ends by SIGTERM |
//! | verdict | the venue's ledger and the journal are compared ([`crate::oracle`]) |
//!
//! Named points: a program built with the feature `crash_points` aborts when it passes the point that
//! `PREGAO_CRASH_AT=name:nth` names for the nth time. What a run needs of the configuration stands in
//! [`configuration`].

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::oracle::{Findings, compare, journal_record, venue_record};
use crate::venue::chaos::Random;

/// The account of every run: a directory and a venue of its own keep runs apart.
pub const ACCOUNT: &str = "KILL";
/// The variable that names a crash point.
pub const CRASH_AT: &str = "PREGAO_CRASH_AT";

/// Symbols that are quoted and traded.
const SYMBOLS: [&str; 4] = ["PETR4", "VALE3", "ITUB4", "BBAS3"];
/// Time between two quotes.
const QUOTE_EVERY: Duration = Duration::from_millis(3);
/// The longest life that ends by a random kill: long enough for a start and some hundred orders.
const LONGEST_LIFE: u64 = 700;
/// Exit code of a configuration that cannot be used: no run can begin.
const UNUSABLE: i32 = 2;
/// A crash point that was not passed by then is not on the way of this run.
const POINT_PATIENCE: Duration = Duration::from_millis(2_500);
/// The venue answers within milliseconds; more means that it hangs.
const VENUE_PATIENCE: Duration = Duration::from_secs(10);
/// Time in which the last life must agree with the venue: a start, a logon and a statement, with room
/// for a busy machine.
const RECONCILE_PATIENCE: Duration = Duration::from_secs(20);
/// Time to end after SIGTERM.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// How often the two records are looked at while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Where the programs are, and what every run does.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program under test.
    pub pregao: PathBuf,
    /// The venue.
    pub venue: PathBuf,
    /// The venue's level of chaos.
    pub chaos: u8,
    /// Named points; none: only random moments.
    pub points: Vec<String>,
    /// Kills before the last life.
    pub kills: u32,
}

/// How a life ended.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kill {
    /// At a random moment.
    Random,
    /// At a named point.
    Point(String),
    /// The named point was not passed; killed at the end of the patience.
    NotReached(String),
    /// It had ended by itself, which it must not.
    EndedItself,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Kills by how.
    pub kills: BTreeMap<Kill, u64>,
    /// Starts of the program.
    pub starts: u64,
    /// What the venue counted.
    pub venue: Value,
    /// Entries `reconciled` in the journal.
    pub reconciliations: u64,
    /// Reports that did not fit.
    pub anomalies: u64,
    /// From the venue's settling to the first moment at which both agreed.
    pub agreed_after: Option<Duration>,
    /// What differs in the end.
    pub findings: Findings,
}

/// The configuration of a run. `session.calendar` lets it trade at any hour; the program accepts that
/// with a simulated venue only.
pub fn configuration(address: &str) -> String {
    let symbols = SYMBOLS.map(|symbol| format!("\"{symbol}\"")).join(", ");
    let strategy = |name: &str, kind: &str, execution: &str, parameters: &str| {
        format!(
            "\n[[strategy]]\nname = \"{name}\"\nkind = \"{kind}\"\nsymbols = [{symbols}]\nlisten = \"quotes\"\n\
             execution = \"{execution}\"\nquantity = 300\nparameters = {{ {parameters} }}\n"
        )
    };
    let strategies = [
        strategy("limits", "moving_average_cross", "limit", "fast = 2, slow = 3"),
        strategy("markets", "moving_average_cross", "market", "fast = 3, slow = 5"),
        strategy("slow limits", "donchian_breakout", "limit", "enter = 6, leave = 3"),
    ]
    .concat();
    format!(
        "mode = \"paper\"\n\
         data_directory = \"data\"\n\n\
         [account]\ntag = \"{ACCOUNT}\"\ncash = \"100000000.00\"\n\n\
         [session]\ncalendar = \"always_open\"\n\n\
         [risk]\nmax_order_quantity = 100000\nmax_order_notional = \"10000000.00\"\nprice_collar = 0.5\n\
         max_position_quantity = 1000000\nmax_quote_age_seconds = 2\nmax_daily_loss = \"90000000.00\"\n\n\
         [broker]\nname = \"bridge\"\naddress = \"{address}\"\nheartbeat_milliseconds = 200\n\
         reconnect_milliseconds = 100\nanswer_seconds = 1\n\n\
         [feed]\nkind = \"quotes_file\"\npath = \"quotes.csv\"\npoll_milliseconds = 5\n{strategies}"
    )
}

/// Plays a run in a directory of its own.
///
/// # Errors
/// The stage cannot be set: a program that does not start, a file that cannot be written. What the
/// program does wrong is a finding, not an error.
pub fn play(plan: &Plan, directory: &Path, seed: u64, run: u64) -> Result<Outcome, Box<dyn std::error::Error>> {
    let mut random = Random::new(seed);
    let mut venue = VenueProcess::start(&plan.venue, directory, random.next_number(), plan.chaos)?;
    std::fs::write(directory.join("pregao.toml"), configuration(&venue.address))?;
    let quotes = Quotes::start(directory, random.next_number())?;
    let mut kills: BTreeMap<Kill, u64> = BTreeMap::new();
    for life in 0..plan.kills {
        // Every second life ends at a named point, so that each point has its share of the runs.
        let turn = run * u64::from(plan.kills) + u64::from(life);
        let point = if plan.points.is_empty() || turn.is_multiple_of(2) {
            None
        } else {
            let place = usize::try_from(turn / 2).unwrap_or_default() % plan.points.len();
            plan.points.get(place).cloned()
        };
        let kill = live_and_die(plan, directory, life, point, &mut random)?;
        *kills.entry(kill).or_default() += 1;
    }
    quotes.stop();
    venue.ask("settle")?;
    let settled = Instant::now();
    // A start that left nothing in the journal is none.
    let starts_before = journal_record(&directory.join("data"), ACCOUNT).map_or(0, |journal| journal.starts);
    let mut last = start(plan, directory, plan.kills, None)?;
    let agreed_after = wait_for_agreement(directory, starts_before, settled, &mut last);
    let stopped = terminate(&mut last)?;
    let totals = venue.ask("stop")?;
    let mut findings = Findings::default();
    let (mut reconciliations, mut anomalies, mut starts) = (0, 0, 0);
    match journal_record(&directory.join("data"), ACCOUNT) {
        Ok(journal) => {
            findings = compare(&venue_record(&directory.join("ledger"))?, &journal);
            (reconciliations, anomalies, starts) = (journal.reconciliations, journal.anomalies, journal.starts);
        }
        Err(error) => findings.other.push(format!("the journal cannot be read: {error}")),
    }
    if !stopped.is_some_and(|status| status.success()) {
        findings.other.push(format!("the last life ended with {stopped:?} after SIGTERM"));
    }
    if agreed_after.is_none() {
        findings.other.push(format!("the last life did not reconcile within {RECONCILE_PATIENCE:?}"));
    }
    if let Some(times) = kills.get(&Kill::EndedItself) {
        findings.other.push(format!("the program ended by itself {times} times"));
    }
    Ok(Outcome { kills, starts, venue: totals, reconciliations, anomalies, agreed_after, findings })
}

fn live_and_die(
    plan: &Plan,
    directory: &Path,
    life: u32,
    point: Option<String>,
    random: &mut Random,
) -> io::Result<Kill> {
    let nth = 1 + random.below(6);
    // A life sees hundreds of orders, and often one statement only.
    let nth = |name: &str| if name.starts_with("statement") { 1 } else { nth };
    let at = point.as_ref().map(|name| format!("{name}:{}", nth(name)));
    let mut child = start(plan, directory, life, at.as_deref())?;
    let Some(name) = point else {
        std::thread::sleep(random.milliseconds(10, LONGEST_LIFE));
        let Some(status) = child.try_wait()? else {
            kill(&mut child)?;
            return Ok(Kill::Random);
        };
        return ended_by_itself(status, life);
    };
    let Some(status) = wait(&mut child, POINT_PATIENCE)? else {
        kill(&mut child)?;
        return Ok(Kill::NotReached(name));
    };
    // A crash point aborts or kills: any other end is its own.
    if status.code().is_none() { Ok(Kill::Point(name)) } else { ended_by_itself(status, life) }
}

fn ended_by_itself(status: ExitStatus, life: u32) -> io::Result<Kill> {
    if status.code() == Some(UNUSABLE) {
        return Err(io::Error::other(format!("the program refuses its configuration: see life-{life}.log")));
    }
    Ok(Kill::EndedItself)
}

fn start(plan: &Plan, directory: &Path, life: u32, crash_at: Option<&str>) -> io::Result<Child> {
    let log = File::create(directory.join(format!("life-{life}.log")))?;
    let mut command = Command::new(&plan.pregao);
    // Nothing of this machine's settings.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PREGAO_")) {
        command.env_remove(name);
    }
    if let Some(at) = crash_at {
        command.env(CRASH_AT, at);
    }
    command.current_dir(directory).arg("run").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()
}

/// SIGKILL, and the process is gone when this returns.
fn kill(child: &mut Child) -> io::Result<()> {
    child.kill()?;
    child.wait().map(drop)
}

fn wait(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let give_up = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= give_up {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// SIGTERM; killed when it does not listen, and then there is no status.
fn terminate(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    if let Some(status) = child.try_wait()? {
        return Ok(Some(status));
    }
    // The standard library knows only SIGKILL; the shell's own `kill` is everywhere.
    Command::new("sh").args(["-c", &format!("kill -TERM {}", child.id())]).status()?;
    let status = wait(child, STOP_PATIENCE)?;
    if status.is_none() {
        kill(child)?;
    }
    Ok(status)
}

/// Looks at both records until they agree. Agreement is a state, not a log line: nothing that the
/// program says of itself is believed.
fn wait_for_agreement(directory: &Path, starts_before: u64, since: Instant, child: &mut Child) -> Option<Duration> {
    while since.elapsed() < RECONCILE_PATIENCE && child.try_wait().is_ok_and(|ended| ended.is_none()) {
        let venue = venue_record(&directory.join("ledger")).ok();
        let journal = journal_record(&directory.join("data"), ACCOUNT).ok();
        if let Some((venue, journal)) = venue.zip(journal)
            && journal.starts > starts_before
            && journal.reconciled
            && agree(compare(&venue, &journal))
        {
            return Some(since.elapsed());
        }
        std::thread::sleep(LOOK_EVERY);
    }
    None
}

/// A difference that the program has told is not mended by waiting: it halts, and that is an end too.
fn agree(mut findings: Findings) -> bool {
    findings.unexplained.clear();
    findings.all().is_empty()
}

/// The venue as a process, and the line to its control.
struct VenueProcess {
    address: String,
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl VenueProcess {
    fn start(program: &Path, directory: &Path, seed: u64, chaos: u8) -> Result<Self, Box<dyn std::error::Error>> {
        let address_file = directory.join("address");
        let log = File::create(directory.join("venue.log"))?;
        let mut command = Command::new(program);
        command.arg("--seed").arg(seed.to_string()).arg("--chaos").arg(chaos.to_string());
        command.arg("--ledger").arg(directory.join("ledger")).arg("--address-file").arg(&address_file);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn()?;
        let (to, from) = (child.stdin.take(), child.stdout.take());
        let (to, from) = to.zip(from).ok_or("the venue has no pipes")?;
        let give_up = Instant::now() + VENUE_PATIENCE;
        while !address_file.exists() {
            if Instant::now() >= give_up || child.try_wait()?.is_some() {
                kill(&mut child)?;
                return Err("the venue does not start: see venue.log".into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let address = std::fs::read_to_string(&address_file)?;
        Ok(Self { address, child, to, from: BufReader::new(from) })
    }

    fn ask(&mut self, control: &str) -> Result<Value, Box<dyn std::error::Error>> {
        writeln!(self.to, "{control}")?;
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        Ok(serde_json::from_str(&line).map_err(|error| format!("the venue answered '{line}': {error}"))?)
    }
}

impl Drop for VenueProcess {
    fn drop(&mut self) {
        // It has ended by itself where it was told to stop.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Appends quotes of now to a file, up and down, so that averages cross all the time.
struct Quotes {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Quotes {
    fn start(directory: &Path, seed: u64) -> io::Result<Self> {
        let mut file = OpenOptions::new().create_new(true).append(true).open(directory.join("quotes.csv"))?;
        file.write_all(b"ts,symbol,bid,ask,bid_size,ask_size\n")?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut random = Random::new(seed);
            let mut cents = SYMBOLS.map(|_| 3_000_i64);
            while !stopped.load(Ordering::Relaxed) {
                let place = random.below(SYMBOLS.len() as u64) as usize;
                let moved = random.below(21) as i64 - 10;
                let (Some(symbol), Some(cents)) = (SYMBOLS.get(place), cents.get_mut(place)) else { return };
                *cents = (*cents + moved).clamp(2_000, 4_000);
                let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
                let price = |cents: i64| format!("{}.{:02}", cents / 100, cents % 100);
                let (bid, ask) = (price(*cents), price(*cents + 1));
                // A line is one write: nobody reads half of it. The directory may be gone at the end.
                if writeln!(file, "{nanos},{symbol},{bid},{ask},10000,10000").is_err() {
                    return;
                }
                std::thread::sleep(QUOTE_EVERY);
            }
        });
        Ok(Self { stop, thread })
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        // It only writes lines: there is nothing in it that could panic.
        let _ = self.thread.join();
    }
}

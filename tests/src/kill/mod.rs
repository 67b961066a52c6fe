//! One run of the kill test: the real program against the venue, killed again and again.
//!
//! | step | what happens |
//! |---|---|
//! | stage | a directory, a venue, a store, a configuration, and a thread that appends quotes of now ([`stage`]) |
//! | lives | the program is started and ends by SIGKILL, at a random moment or at a named point |
//! | stopped | in some runs a named person stops trading: a life is killed after that, the next one is watched, then somebody resumes |
//! | settle | the quotes stop; the venue ends its chaos and fills nothing more |
//! | last life | the program starts once more, reconciles, and ends by SIGTERM |
//! | verdict | the venue's ledger, the journal, and the book that recovery makes of it are compared ([`crate::oracle`]) |
//!
//! Named points are `store::crash::POINTS`: a program built with the feature `crash_points` dies when it
//! passes the point that `PREGAO_CRASH_AT=name:nth` names for the nth time. On a server, some lives also
//! see it stop, stand still or end its connections. [`takeover`] has two daemons on one account.

pub mod stage;
pub mod takeover;

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use market::Timestamp;
use serde_json::Value;
use store::crash::{POINTS, Way};
use store::testing::Server;

use crate::oracle::{
    Findings, VenueRecord, book_record, compare, compare_book, journal_record, venue_record, write_journal,
};
use crate::venue::chaos::Random;
use stage::{ACCOUNT, Daemon, Quotes, STRATEGIES, ServerFault, Stage, Trouble, VenueProcess, now};

/// The longest life that ends by a random kill: long enough for a start and some hundred orders.
const LONGEST_LIFE: u64 = 700;
/// Exit code of a configuration that cannot be used: no run can begin.
const UNUSABLE: i32 = 2;
/// Signal 9, as an exit status tells it.
const SIGKILL: i32 = 9;
/// A crash point that was not passed by then is not on the way of this life.
const POINT_PATIENCE: Duration = Duration::from_millis(2_500);
/// Time in which the last life must agree with the venue: a start, a logon and a statement, with room
/// for a busy machine.
const RECONCILE_PATIENCE: Duration = Duration::from_secs(20);
/// How often the two records are looked at while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Bytes that left before the answer to `kill` are at the venue by then, also on a busy machine.
const ON_THE_WAY: Duration = Duration::from_millis(250);
/// In one of so many runs somebody stops trading.
const STOPPED_EVERY: u64 = 3;
/// In one of so many runs on a server another machine takes the account over, which waits for a lease.
const TAKEN_OVER_EVERY: u64 = 25;
/// Runs in which that happens, counted from the first: not the one in which somebody stops trading.
const TAKEN_OVER_AT: u64 = 4;

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
    /// Whether runs on a server have takeovers, of half a minute each.
    pub takeovers: bool,
}

/// How a life ended.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kill {
    /// At a random moment.
    Random,
    /// At a random moment after this had happened to the server.
    After(ServerFault),
    /// After a person had stopped trading, or while it was stopped.
    Stopped,
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
    /// Halts that a person lifted: those by hand, and those of a journal that failed.
    pub halts: u64,
    /// Acknowledged words of a person to stop.
    pub stops: u64,
    /// Takeovers by another data directory.
    pub takeovers: u64,
    /// Starts beside a server after the first: none waits for the lease of the life before.
    pub restarts: u64,
    /// Entries `reconciled` in the journal.
    pub reconciliations: u64,
    /// Reports that did not fit.
    pub anomalies: u64,
    /// From the venue's settling to the first moment at which both agreed.
    pub agreed_after: Option<Duration>,
    /// What differs in the end.
    pub findings: Findings,
}

/// Plays a run in a directory of its own. `run` counts the runs on this store; `server` has its journal,
/// or the data directory does.
///
/// # Errors
/// The stage cannot be set: a program that does not start, a file that cannot be written. What the
/// program does wrong is a finding, not an error.
pub fn play(
    plan: &Plan,
    directory: &Path,
    seed: u64,
    run: u64,
    server: Option<&mut Server>,
) -> Result<Outcome, Trouble> {
    let mut random = Random::new(seed);
    let venue = VenueProcess::start(&plan.venue, directory, random.next_number(), plan.chaos)?;
    let settings = server.as_ref().map(|server| server.settings(&format!("run_{seed}")));
    let stage = Stage::set(directory, &plan.pregao, &venue.address, settings)?;
    let quotes = Quotes::start(directory, random.next_number())?;
    let mut play = Play {
        stage,
        venue,
        server,
        random,
        lives: 0,
        outcome: Outcome::new(),
        journal_failed: false,
        stopped: Vec::new(),
    };
    for life in 0..plan.kills {
        let point = point_of(plan, run, life);
        play.live_and_die(point)?;
    }
    if run.is_multiple_of(STOPPED_EVERY) {
        play.stop_and_resume()?;
    }
    if plan.takeovers && play.server.is_some() && run % TAKEN_OVER_EVERY == TAKEN_OVER_AT {
        play.ready()?;
        play.outcome.findings.other.extend(takeover::take_over(&play.stage)?.problems);
        play.outcome.takeovers += 1;
    }
    drop(quotes);
    play.end()
}

/// Every second life ends at a named point, so that each point has its share of the runs; the first
/// ends at a random moment, for it has nothing to recover.
fn point_of(plan: &Plan, run: u64, life: u32) -> Option<String> {
    let named = u64::from(plan.kills) / 2;
    if plan.points.is_empty() || life.is_multiple_of(2) {
        return None;
    }
    let turn = run * named + u64::from(life / 2);
    let place = usize::try_from(turn).unwrap_or_default() % plan.points.len();
    plan.points.get(place).cloned()
}

impl Outcome {
    fn new() -> Self {
        Self {
            kills: BTreeMap::new(),
            starts: 0,
            venue: Value::Null,
            halts: 0,
            stops: 0,
            takeovers: 0,
            restarts: 0,
            reconciliations: 0,
            anomalies: 0,
            agreed_after: None,
            findings: Findings::default(),
        }
    }
}

/// A run at work.
struct Play<'a> {
    stage: Stage,
    venue: VenueProcess,
    server: Option<&'a mut Server>,
    random: Random,
    lives: u32,
    outcome: Outcome,
    /// Something has happened to the server.
    journal_failed: bool,
    /// When no new order may have been meant, and when none may have arrived.
    stopped: Vec<Stopped>,
}

/// From the answer to `kill` until somebody resumed.
struct Stopped {
    answered: Timestamp,
    arrived: Timestamp,
    resumed: Timestamp,
}

impl Play<'_> {
    fn start(&mut self, crash_at: Option<&str>) -> Result<Daemon, Trouble> {
        self.lives += 1;
        if self.server.is_some() && self.lives > 1 {
            self.outcome.restarts += 1;
        }
        Ok(self.stage.start(&(self.lives - 1).to_string(), crash_at)?)
    }

    fn died(&mut self, kill: Kill) {
        *self.outcome.kills.entry(kill).or_default() += 1;
    }

    /// Nothing halts the next life: a named person has looked at what stopped the one before.
    fn ready(&mut self) -> Result<(), Trouble> {
        // What was told to a daemon that died of it lies there as a file, and stops until it is taken away.
        match std::fs::remove_file(self.stage.data().join("halt")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        if self.stage.stored_halt()? == "active" {
            return Ok(());
        }
        self.outcome.halts += 1;
        let (code, told) =
            self.stage.ask(&["resume", "--by", "Maria Silva", "--reason", "a drill: the harness had stopped it"])?;
        if code != Some(0) || self.stage.stored_halt()? != "active" {
            return Err(format!("resume ended with {code:?}: {told}").into());
        }
        Ok(())
    }

    fn live_and_die(&mut self, point: Option<String>) -> Result<(), Trouble> {
        self.ready()?;
        let Some(name) = point else { return self.die_at_random() };
        let place = POINTS.iter().find(|place| place.name == name);
        let way = place.map_or(Way::Order, |place| place.way);
        // A life sees hundreds of orders, and few trades of other hands.
        let nth = if way == Way::Order && name != "external_received" { 1 + self.random.below(6) } else { 1 };
        let mut daemon = self.start(Some(&format!("{name}:{nth}")))?;
        match way {
            Way::Start | Way::Order => {}
            Way::Halt | Way::Stop => {
                if let Some(status) = daemon.until_running()? {
                    return self.ended_by_itself(status);
                }
                std::thread::sleep(self.random.milliseconds(50, 500));
            }
        }
        match way {
            Way::Start | Way::Order => {}
            // It dies before, while or after it answers.
            Way::Halt => drop(self.stage.ask(&["kill", "--by", "Maria Silva", "--reason", "a drill"])?),
            Way::Stop => daemon.signal(rustix::process::Signal::TERM)?,
        }
        let Some(status) = daemon.wait(POINT_PATIENCE)? else {
            daemon.kill()?;
            self.died(Kill::NotReached(name));
            return Ok(());
        };
        if status.signal() != Some(SIGKILL) {
            return self.ended_by_itself(status);
        }
        // What was stored before it died is in force when it lives again.
        let stored = matches!(name.as_str(), "after_halt_stored" | "kill_answered");
        if stored && self.stage.stored_halt()? == "active" {
            self.outcome.findings.while_halted.push(format!("a halt is gone after a crash at {name}"));
        }
        self.died(Kill::Point(name));
        if stored { self.watch_stopped(now(), now()) } else { Ok(()) }
    }

    fn die_at_random(&mut self) -> Result<(), Trouble> {
        let mut daemon = self.start(None)?;
        let mut kill = Kill::Random;
        if self.server.is_some() && self.lives > 1 && self.random.happens(400) {
            if let Some(status) = daemon.until_running()? {
                return self.ended_by_itself(status);
            }
            std::thread::sleep(self.random.milliseconds(50, 400));
            let fault = ServerFault::any(&mut self.random);
            if let Some(server) = self.server.as_deref_mut() {
                fault.happen(server, &mut self.random);
            }
            kill = Kill::After(fault);
            self.journal_failed = true;
        }
        std::thread::sleep(self.random.milliseconds(10, LONGEST_LIFE));
        let Some(status) = daemon.ended()? else {
            daemon.kill()?;
            self.died(kill);
            return Ok(());
        };
        self.ended_by_itself(status)
    }

    fn ended_by_itself(&mut self, status: ExitStatus) -> Result<(), Trouble> {
        let log = format!("life-{}.log", self.lives - 1);
        if status.code() == Some(UNUSABLE) {
            return Err(format!("the program refuses its configuration: see {log}").into());
        }
        self.outcome.findings.other.push(format!("the program ended by itself with {status}: see {log}"));
        self.died(Kill::EndedItself);
        Ok(())
    }

    /// A person stops a life that trades. It is killed, and comes back stopped.
    fn stop_and_resume(&mut self) -> Result<(), Trouble> {
        self.ready()?;
        let mut daemon = self.start(None)?;
        if let Some(status) = daemon.until_running()? {
            return self.ended_by_itself(status);
        }
        std::thread::sleep(self.random.milliseconds(100, LONGEST_LIFE));
        let (code, told) = self.stage.ask(&["kill", "--by", "Maria Silva", "--reason", "a drill"])?;
        let answered = now();
        if code != Some(0) {
            self.outcome.findings.other.push(format!("kill ended with {code:?}: {told}"));
        }
        self.outcome.stops += 1;
        std::thread::sleep(ON_THE_WAY);
        // Asked through the same queue as its clients' lines, so those before are handled.
        self.venue.ask("totals")?;
        let arrived = now();
        std::thread::sleep(self.random.milliseconds(0, 300));
        daemon.kill()?;
        self.died(Kill::Stopped);
        if self.stage.stored_halt()? == "active" {
            self.outcome.findings.while_halted.push("an acknowledged halt is gone after a crash".to_owned());
        }
        self.watch_stopped(answered, arrived)?;
        // And goes on.
        self.die_at_random()
    }

    /// A life that must not trade, then a person who resumes.
    fn watch_stopped(&mut self, answered: Timestamp, arrived: Timestamp) -> Result<(), Trouble> {
        let mut daemon = self.start(None)?;
        if let Some(status) = daemon.until_running()? {
            return self.ended_by_itself(status);
        }
        let (_, told) = self.stage.ask(&["status"])?;
        if told["halt"] != "stop_new" {
            self.outcome.findings.while_halted.push(format!("it came back with halt {}", told["halt"]));
        }
        std::thread::sleep(self.random.milliseconds(100, 400));
        daemon.kill()?;
        self.died(Kill::Stopped);
        self.stopped.push(Stopped { answered, arrived, resumed: now() });
        self.ready()
    }

    /// Settles, lives once more, compares.
    fn end(mut self) -> Result<Outcome, Trouble> {
        self.ready()?;
        self.venue.ask("settle")?;
        let settled = Instant::now();
        // A start that left nothing in the journal is none.
        let starts_before = self.journal().map_or(0, |journal| journal.starts);
        let mut last = self.start(None)?;
        self.outcome.agreed_after = self.wait_for_agreement(starts_before, settled, &mut last);
        let ended = last.terminate()?;
        self.outcome.venue = self.venue.ask("stop")?;
        if !ended.is_some_and(|status| status.success()) {
            self.outcome.findings.other.push(format!("the last life ended with {ended:?} after SIGTERM"));
        }
        if self.outcome.agreed_after.is_none() {
            let problem = format!("the last life did not reconcile within {RECONCILE_PATIENCE:?}");
            self.outcome.findings.other.push(problem);
        }
        if let Err(error) = self.judge() {
            self.outcome.findings.other.push(format!("the journal cannot be read: {error}"));
        }
        if !self.outcome.findings.all().is_empty()
            && let Ok(ledger) = self.stage.ledger()
        {
            write_journal(&*ledger, ACCOUNT, &self.stage.directory.join("journal.jsonl"))?;
        }
        Ok(self.outcome)
    }

    fn journal(&self) -> Result<crate::oracle::JournalRecord, Trouble> {
        journal_record(&*self.stage.ledger()?.journal()?, ACCOUNT)
    }

    fn judge(&mut self) -> Result<(), Trouble> {
        let venue = venue_record(&self.stage.directory.join("ledger"))?;
        let journal = self.journal()?;
        let mut findings = compare(&venue, &journal, self.journal_failed);
        findings.add(self.compared_book(&venue)?);
        for Stopped { answered, arrived, resumed } in &self.stopped {
            let meant = journal.meant.iter().filter(|(at, _)| answered < at && at < resumed);
            findings.while_halted.extend(meant.map(|(at, order)| format!("{order} was meant at {at}")));
            let sent =
                venue.received.iter().filter(|(at, command)| command.kind != "cancel" && arrived < at && at < resumed);
            findings.while_halted.extend(sent.map(|(at, command)| format!("{command:?} arrived at {at}")));
        }
        self.outcome.findings.add(findings);
        self.outcome.reconciliations = journal.reconciliations;
        self.outcome.anomalies = journal.anomalies;
        self.outcome.starts = journal.starts;
        Ok(())
    }

    /// Looks at both records until they agree and stand still. Agreement is a state, not a log line: nothing
    /// that the program says of itself is believed.
    fn wait_for_agreement(&self, starts_before: u64, since: Instant, last: &mut Daemon) -> Option<Duration> {
        let (mut agreed, mut received) = (None, 0);
        while since.elapsed() < RECONCILE_PATIENCE && last.ended().is_ok_and(|ended| ended.is_none()) {
            std::thread::sleep(LOOK_EVERY);
            let venue = venue_record(&self.stage.directory.join("ledger")).ok();
            let Some((venue, journal)) = venue.zip(self.journal().ok()) else { continue };
            // What is on its way while both are read differs for a moment.
            let still = received == venue.received.len();
            received = venue.received.len();
            let begun = journal.starts > starts_before && journal.reconciled;
            if !(still && begun && agree(compare(&venue, &journal, self.journal_failed))) {
                agreed = None;
                continue;
            }
            let at = *agreed.get_or_insert(since.elapsed());
            if self.compared_book(&venue).is_ok_and(|findings| findings.all().is_empty()) {
                return Some(at);
            }
        }
        agreed
    }

    fn compared_book(&self, venue: &VenueRecord) -> Result<Findings, Trouble> {
        let names = STRATEGIES.map(str::to_owned).to_vec();
        let book = book_record(&*self.stage.ledger()?, &self.stage.desk()?, names)?;
        let mut findings = Findings::default();
        compare_book(venue, &book, &mut findings);
        Ok(findings)
    }
}

/// A difference that the program has told is not mended by waiting: it halts, and that is an end too.
fn agree(mut findings: Findings) -> bool {
    findings.unexplained.clear();
    findings.all().is_empty()
}

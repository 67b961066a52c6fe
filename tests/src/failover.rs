//! Failover: two daemons, each with a data directory of its own, one account on one server, one venue. The one that
//! trades is killed in its tracks, again and again; the one that stands by takes over.
//!
//! | step | what happens |
//! |---|---|
//! | both | `pregao run --standby` twice: one gets the lease and trades, the other one waits |
//! | kill | SIGKILL for the one that trades, at whatever it does |
//! | takeover | measured from the kill until the other one runs, and until its first order is at the venue |
//! | again | the killed one comes back and stands by |
//! | verdict | the venue's own record against the journal: nothing twice, nothing lost, nothing without an intent |

use std::path::Path;
use std::time::{Duration, Instant};

use store::testing::Server;

use crate::kill::stage::{ACCOUNT, Quotes, STRATEGIES, Stage, Trouble, VenueProcess, now};
use crate::oracle::{Findings, book_record, compare, compare_book, journal_record, venue_record};

/// Issue and README promise it: from the kill to a standby that is active.
pub const GOAL: Duration = Duration::from_secs(15);
/// How long each of them trades before it is killed: some hundred orders.
const TRADES: Duration = Duration::from_millis(700);
/// Bytes of the killed one that were in the system's hands are at the venue by then.
const ON_THE_WAY: Duration = Duration::from_millis(500);
/// The first orders of the successor come with the first quotes that cross; more means that it does not trade.
const TRADES_AGAIN: Duration = Duration::from_secs(20);
/// In the end both records must agree.
const AGREES: Duration = Duration::from_secs(20);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The two data directories.
const PLACES: [&str; 2] = ["one", "two"];

/// One kill.
#[derive(Clone, Copy, Debug)]
pub struct Takeover {
    /// Until the standby runs: recovered, and its control socket answers.
    pub active: Duration,
    /// Until the venue has its first order.
    pub order: Duration,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Each kill.
    pub takeovers: Vec<Takeover>,
    /// Orders that the venue received.
    pub orders: usize,
    /// Executions that stand.
    pub fills: usize,
    /// What differs, or must not be.
    pub findings: Findings,
}

/// Plays `kills` of them in an empty directory.
///
/// # Errors
/// The stage: a program that does not start, a file that cannot be read, a standby that never trades.
pub fn play(
    pregao: &Path,
    venue: &Path,
    directory: &Path,
    (seed, kills): (u64, usize),
    server: &Server,
) -> Result<Outcome, Trouble> {
    let mut venue = VenueProcess::start(venue, directory, seed, 0)?;
    let stage = Stage::set(directory, pregao, &venue.address, Some(server.settings(&format!("failover_{seed}"))))?;
    let quotes = Quotes::start(directory, seed)?;
    let mut takeovers = Vec::new();
    let mut active = stage.stand_by(PLACES[0], "one-0")?;
    if let Some(status) = active.until_running()? {
        return Err(format!("the first daemon ended with {status}: {}", active.said()?).into());
    }
    for (kill, place) in (1..=kills).zip(PLACES.iter().cycle().skip(1)) {
        let mut standby = stage.stand_by(place, &format!("{place}-{kill}"))?;
        standby.until_says("standing by")?;
        std::thread::sleep(TRADES);
        let (began, at) = (Instant::now(), now());
        active.kill()?;
        if let Some(status) = standby.until_running()? {
            return Err(format!("the standby ended with {status}: {}", standby.said()?).into());
        }
        let ran = began.elapsed();
        let order = loop {
            let received = venue_record(&directory.join("ledger"))?.received;
            let settled = at.plus_nanos(i64::try_from(ON_THE_WAY.as_nanos()).unwrap_or(i64::MAX));
            let first = received.iter().find(|(at, command)| *at > settled && command.kind == "submit");
            if let Some((received, _)) = first {
                break Duration::from_nanos(u64::try_from(received.nanos_since(at)).unwrap_or_default());
            }
            if began.elapsed() > ran + TRADES_AGAIN {
                return Err(format!("the standby runs and does not trade: {}", standby.said()?).into());
            }
            std::thread::sleep(LOOK_EVERY);
        };
        takeovers.push(Takeover { active: ran, order });
        active = standby;
    }
    std::thread::sleep(TRADES);
    drop(quotes);
    venue.ask("settle")?;
    let findings = settled(&stage)?;
    let ended = active.terminate()?;
    venue.ask("stop")?;
    let record = venue_record(&directory.join("ledger"))?;
    let mut outcome = Outcome {
        takeovers,
        orders: record.received.iter().filter(|(_, command)| command.kind == "submit").count(),
        fills: record.executions.len(),
        findings,
    };
    if !ended.is_some_and(|status| status.success()) {
        outcome.findings.other.push(format!("the last daemon ended with {ended:?} after SIGTERM"));
    }
    Ok(outcome)
}

/// What differs between the venue's record and ours once nothing moves any more.
fn settled(stage: &Stage) -> Result<Findings, Trouble> {
    let give_up = Instant::now() + AGREES;
    loop {
        std::thread::sleep(LOOK_EVERY);
        let venue = venue_record(&stage.directory.join("ledger"))?;
        let ledger = stage.ledger()?;
        let mut findings = compare(&venue, &journal_record(&*ledger.journal()?, ACCOUNT)?, false);
        let book = book_record(&*ledger, &stage.desk()?, STRATEGIES.map(str::to_owned).to_vec())?;
        compare_book(&venue, &book, &mut findings);
        if findings.all().is_empty() || Instant::now() > give_up {
            return Ok(findings);
        }
    }
}

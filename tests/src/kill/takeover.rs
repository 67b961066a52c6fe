//! Two daemons on two data directories, one account on one server.
//!
//! While the first lives, the second is refused. The first is stopped in its tracks (SIGSTOP) beyond its
//! lease, the second takes over and trades, the first wakes (SIGCONT): it must send nothing more and end
//! with exit code 1, saying why.

use std::time::{Duration, Instant};

use market::Timestamp;
use rustix::process::Signal;

use super::stage::{ACCOUNT, Daemon, LEASE_SECONDS, Stage, Trouble, now};
use crate::oracle::{journal_record, venue_record};

/// A lease, the time that it takes to start, and room for a busy machine.
const TAKEN_WITHIN: Duration = Duration::from_secs(LEASE_SECONDS + 20);
/// Between two attempts of the second.
const PAUSE: Duration = Duration::from_millis(500);
/// How long each of them trades: some hundred orders.
const TRADES: Duration = Duration::from_millis(700);
/// Time in which the one that woke must find out and end: it asks at once.
const ENDS_WITHIN: Duration = Duration::from_secs(8);
/// Bytes of the first that were in the system's hands when it was stopped are at the venue by then.
const ON_THE_WAY: Duration = Duration::from_millis(500);

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct TakeOver {
    /// What must not be.
    pub problems: Vec<String>,
    /// From the stop of the first to the second's running.
    pub waited: Duration,
    /// From the first's waking to its end.
    pub ended_after: Option<Duration>,
    /// Commands of the second that the venue received.
    pub commands: usize,
}

/// Plays it on a stage that has a server, and leaves no daemon behind. The last to trade is the second;
/// its data directory is `other`.
///
/// # Errors
/// The stage: a program that does not start, a file that cannot be read.
pub fn take_over(stage: &Stage) -> Result<TakeOver, Trouble> {
    let mut result = TakeOver::default();
    let mut first = stage.start("first", None)?;
    if let Some(status) = first.until_running()? {
        return Err(format!("the first daemon ended with {status}").into());
    }
    std::thread::sleep(TRADES);
    let mut refused = stage.start_on("other", "refused", None)?;
    match refused.until_running()? {
        Some(status) if status.code() == Some(1) && refused.said()?.contains("is traded by") => {}
        ended => result.problems.push(format!("the second daemon was not refused: {ended:?}, {}", refused.said()?)),
    }
    drop(refused);

    first.signal(Signal::STOP)?;
    let stopped = Instant::now();
    let mut second = wait_for_the_lease(stage)?;
    result.waited = stopped.elapsed();
    let taken = now();
    std::thread::sleep(TRADES);
    first.signal(Signal::CONT)?;
    let woken = Instant::now();
    match first.wait(ENDS_WITHIN)? {
        Some(status) if status.code() == Some(1) && first.said()?.contains("was taken over by") => {
            result.ended_after = Some(woken.elapsed());
        }
        ended => result.problems.push(format!("the first daemon did not end as it should: {ended:?}")),
    }
    std::thread::sleep(TRADES);
    if let Some(status) = second.ended()? {
        result.problems.push(format!("the second daemon ended with {status}"));
    }
    second.terminate()?;
    result.commands = look_for_the_first(stage, taken, &mut result.problems)?;
    Ok(result)
}

fn wait_for_the_lease(stage: &Stage) -> Result<Daemon, Trouble> {
    let give_up = Instant::now() + TAKEN_WITHIN;
    loop {
        let mut second = stage.start_on("other", "second", None)?;
        match second.until_running()? {
            None => return Ok(second),
            Some(status) if Instant::now() >= give_up => {
                return Err(format!("the second daemon never took over: {status}, {}", second.said()?).into());
            }
            Some(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// Every command that arrived after the takeover must be one that the second meant: its intent stands
/// after the second's start. How many there were.
fn look_for_the_first(stage: &Stage, taken: Timestamp, problems: &mut Vec<String>) -> Result<usize, Trouble> {
    let journal = journal_record(&*stage.ledger()?.journal()?, ACCOUNT)?;
    let venue = venue_record(&stage.directory.join("ledger"))?;
    let settled = taken.plus_nanos(i64::try_from(ON_THE_WAY.as_nanos()).unwrap_or(i64::MAX));
    let after: Vec<_> = venue.received.iter().filter(|(at, _)| *at > settled).collect();
    for (at, command) in &after {
        if journal.intents.get(command).is_none_or(|sequence| *sequence < journal.started_at) {
            problems.push(format!("{command:?} of the daemon that was taken over arrived at {at}"));
        }
    }
    Ok(after.iter().filter(|(_, command)| command.kind == "submit").count())
}

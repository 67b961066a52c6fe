//! How fast the store is on this machine: `cargo run --release -p store --features contract --example rates`.
//!
//! Imports years of a made-up full market (the size of B3's: 10,000 rows a day, most of them
//! options that live a month), beside bare prepared inserts of the same rows, then reads and
//! appends. Argument: number of years, 1 by default, 0 for the appends alone; ten years take 4 GB of
//! disk. With the feature `contract` it also appends to a Postgres server of its own, if one is
//! installed.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]

mod full_market;

use std::error::Error;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use full_market::{ROWS, SESSIONS, each_record};
use market::history::CASH_MARKET;
use market::{Date, Timestamp};
use rusqlite::{Connection, params};
use store::{AccountTag, EmbeddedStore, Filter, History, ImportSource, Journal, JournalEntry};

/// Entries that one sync takes when the journal is busy.
const GROUP: u64 = 256;

fn main() -> Result<(), Box<dyn Error>> {
    let years: u64 = std::env::args().nth(1).map_or(Ok(1), |years| years.parse())?;
    let directory = tempfile::tempdir()?;
    let store = EmbeddedStore::open(directory.path())?;
    if years > 0 {
        history_rates(&store, directory.path(), years)?;
    }
    println!("-- embedded");
    journal_rates(&mut store.journal()?, directory.path())?;
    postgres_rates(directory.path())
}

#[cfg(feature = "contract")]
fn postgres_rates(directory: &Path) -> Result<(), Box<dyn Error>> {
    let Some(server) = store::testing::Server::start() else { return Ok(()) };
    println!("-- Postgres");
    let store = store::PostgresStore::open(&server.settings("pregao"))?;
    let _lease = store.lease("PAPR".parse()?)?;
    journal_rates(&mut store.journal(), directory)
}

#[cfg(not(feature = "contract"))]
fn postgres_rates(_directory: &Path) -> Result<(), Box<dyn Error>> {
    println!("-- Postgres: only with --features contract");
    Ok(())
}

fn journal_rates(journal: &mut dyn Journal, directory: &Path) -> Result<(), Box<dyn Error>> {
    append_rates(journal)?;
    against_the_disk(journal, directory)?;
    one_against_group(journal)?;
    let begun = Instant::now();
    println!("verified: {:?} in {:?}", journal.verify("PAPR".parse()?)?, begun.elapsed());
    Ok(())
}

fn history_rates(store: &EmbeddedStore, directory: &Path, years: u64) -> Result<(), Box<dyn Error>> {
    let mut history = store.history()?;
    for year in 0..years {
        let taken = timed(|| import(&mut history, year))?;
        report("import", taken, SESSIONS * ROWS);
    }
    report("the last year again", timed(|| import(&mut history, years - 1))?, SESSIONS * ROWS);
    println!("peak memory so far: {}", peak_memory());
    report("bare inserts of one year", timed(|| bare_inserts(directory))?, SESSIONS * ROWS);
    report("making the rows of one year", timed(|| each_record(0, |_| Ok(())))?, SESSIONS * ROWS);
    drop(history);

    let history = store.history()?;
    for attempt in ["first", "second", "third"] {
        let begun = Instant::now();
        let bars = history.daily("AB0073".parse()?, Date::MIN, Date::MAX)?;
        println!("{} sessions of one ticker, {attempt} read: {:?}", bars.len(), begun.elapsed());
    }
    let begun = Instant::now();
    let cash = history.coverage(&Filter::market_type(CASH_MARKET))?;
    println!("coverage of {} cash listings: {:?}", cash.len(), begun.elapsed());
    Ok(())
}

fn timed(run: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<Duration, Box<dyn Error>> {
    let begun = Instant::now();
    run()?;
    Ok(begun.elapsed())
}

fn report(what: &str, taken: Duration, rows: u64) {
    println!("{what}: {:.1} s, {:.0} rows/s", taken.as_secs_f64(), rows as f64 / taken.as_secs_f64());
}

fn import(history: &mut dyn History, year: u64) -> Result<(), Box<dyn Error>> {
    let source = ImportSource {
        name: format!("YEAR_{year}.TXT"),
        kind: "cotahist".into(),
        source: store::history::COTAHIST,
        size: 0,
        sha256: None,
        at: Timestamp::from_nanos(0),
    };
    let mut import = history.begin_import(&source)?;
    each_record(year, |record| Ok(import.daily(record)?))?;
    println!("{:?}", import.commit()?);
    Ok(())
}

fn bare_inserts(directory: &Path) -> Result<(), Box<dyn Error>> {
    let mut connection = Connection::open(directory.join("bare.db"))?;
    connection.execute_batch(
        "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;
         CREATE TABLE bare (day, symbol, market_type, term_days, bdi_code, kind, isin, company, specification, open,
             high, low, average, close, best_bid, best_ask, trades, quantity, turnover, strike, strike_correction,
             expiry, quotation_factor, strike_points, distribution)",
    )?;
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare(&format!("INSERT INTO bare VALUES ({})", ["?"; 25].join(", ")))?;
        each_record(0, |record| {
            let no_text: Option<&str> = None;
            insert.execute(params![
                record.date.to_epoch_days(),
                record.symbol.as_str(),
                record.market_type,
                record.term_days,
                record.bdi_code,
                record.kind.name(),
                no_text,
                record.company.to_string(),
                record.specification.to_string(),
                record.open.steps(),
                record.high.steps(),
                record.low.steps(),
                record.average.steps(),
                record.close.steps(),
                record.best_bid.steps(),
                record.best_ask.steps(),
                record.trades,
                record.quantity.units(),
                (record.turnover.steps() / 1_000_000) as i64,
                record.strike.steps(),
                record.strike_correction,
                record.expiry.map(|expiry| expiry.to_epoch_days()),
                record.quotation_factor,
                record.strike_points as i64,
                record.distribution
            ])?;
            Ok(())
        })?;
    }
    transaction.commit()?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

fn append_rates(journal: &mut dyn Journal) -> Result<(), Box<dyn Error>> {
    let account: AccountTag = "PAPR".parse()?;
    for batch in [1_u64, 16, 256] {
        let mut next = journal.last_sequence(account)? + 1;
        let mut taken = Vec::new();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(2) {
            let entries: Vec<_> = (next..next + batch).map(|sequence| entry(account, sequence)).collect();
            next += batch;
            let begun = Instant::now();
            journal.append(&entries)?;
            taken.push(begun.elapsed());
        }
        let rate = taken.len() as f64 * batch as f64 / begun.elapsed().as_secs_f64();
        taken.sort_unstable();
        let (half, most) = (taken[taken.len() / 2], taken[taken.len() * 99 / 100]);
        println!("journal, batches of {batch}: {rate:.0} entries/s, a batch takes {half:?} (p50), {most:?} (p99)");
    }
    Ok(())
}

/// One entry stored for good, beside the least that any journal can do: as many bytes into a file that
/// has its room already, and a sync. In turns, so that both meet the same disk at the same time.
fn against_the_disk(journal: &mut dyn Journal, directory: &Path) -> Result<(), Box<dyn Error>> {
    let account: AccountTag = "PAPR".parse()?;
    let file = File::create(directory.join("bare"))?;
    file.write_all_at(&vec![1; 4 << 20], 0)?;
    file.sync_all()?;
    let next = journal.last_sequence(account)? + 1;
    let (mut bare, mut appended) = (Vec::new(), Vec::new());
    for turn in 0..4000 {
        let entry = entry(account, next + turn);
        let begun = Instant::now();
        file.write_all_at(entry.payload.as_bytes(), turn * 1024)?;
        file.sync_data()?;
        bare.push(begun.elapsed());
        let begun = Instant::now();
        journal.append(&[entry])?;
        appended.push(begun.elapsed());
    }
    let (bare, appended) = (half(&mut bare), half(&mut appended));
    let ratio = appended.as_secs_f64() / bare.as_secs_f64();
    println!("a bare fdatasync takes {bare:?} (p50), a synced append {appended:?} (p50): {ratio:.2} times");
    Ok(())
}

/// What committing in groups is worth, in turns of half a second.
fn one_against_group(journal: &mut dyn Journal) -> Result<(), Box<dyn Error>> {
    let account: AccountTag = "PAPR".parse()?;
    let mut next = journal.last_sequence(account)? + 1;
    let mut rates = [(1, 0, Duration::ZERO), (GROUP, 0, Duration::ZERO)];
    for _ in 0..8 {
        for (batch, stored, taken) in &mut rates {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(500) {
                let entries: Vec<_> = (next..next + *batch).map(|sequence| entry(account, sequence)).collect();
                journal.append(&entries)?;
                next += *batch;
                *stored += *batch;
            }
            *taken += begun.elapsed();
        }
    }
    let [one, group] = rates.map(|(_, stored, taken)| stored as f64 / taken.as_secs_f64());
    println!(
        "{one:.0} entries/s with a sync each, {group:.0} entries/s with one for {GROUP}: {:.1} times",
        group / one
    );
    Ok(())
}

fn half(taken: &mut [Duration]) -> Duration {
    taken.sort_unstable();
    taken[taken.len() / 2]
}

fn entry(account: AccountTag, sequence: u64) -> JournalEntry {
    JournalEntry {
        account,
        sequence,
        at: Timestamp::from_nanos(0),
        kind: "order_intent".into(),
        payload: format!(r#"{{"order":"{account}-20171228-{sequence:06}","text":"{}"}}"#, "x".repeat(180)),
    }
}

/// Of this process, as Linux tells it.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or("unknown".to_owned(), |value| value.trim().to_owned())
}

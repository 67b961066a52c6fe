//! How fast history goes in and comes out, beside the least that any store could do:
//! `cargo run --release -p store --features contract --example history_rates`.
//!
//! | what | beside |
//! |---|---|
//! | every shared COTAHIST file into Postgres | a binary COPY of the same rows, without a key; and with our key and index |
//! | the same into the embedded store | prepared inserts of the same rows, without a key; and with our key |
//! | a full-market year from a file of 2.5 million lines, into both | the same, and the memory of this process |
//! | ten years of one ticker, warm | – |
//!
//! Ours and the bare way take turns. Arguments choose parts: `shared`, `year`, `range`; all without one.
//! The shared files are found through `PREGAO_SHARED_DATA`, or beside the workspace.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]

mod full_market;

use std::collections::HashSet;
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Cursor};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Instant;

use chrono::{Datelike, Days};
use feeds::cotahist::{self, Header, Writer};
use full_market::each_record;
use futures_util::SinkExt;
use market::{DailyRecord, Date, Timestamp};
use rusqlite::{Connection, params};
use store::history::COTAHIST;
use store::{EmbeddedStore, History, ImportSource, PostgresStore, testing};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Where rows come from: hands each over.
type Rows<'a> = &'a dyn Fn(&mut dyn FnMut(&DailyRecord) -> Outcome<()>) -> Outcome<()>;

/// Columns of a bare table, as one might first think of it.
const BARE: &str = "symbol text, market_type int, term_days int, day date, open bigint, high bigint, low bigint,
    average bigint, close bigint, best_bid bigint, best_ask bigint, trades bigint, quantity bigint,
    turnover_centavos bigint, strike bigint, strike_points bigint, quotation_factor bigint, strike_correction int,
    bdi_code int, distribution int, expiry date, kind text, isin text, company text, specification text";
const BARE_COLUMNS: i16 = 25;
const KEY: &str = "symbol, market_type, term_days, day";

fn main() -> Outcome<()> {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |part: &str| chosen.is_empty() || chosen.iter().any(|chosen| chosen == part);
    let directory = tempfile::tempdir()?;
    let server = testing::Server::start_with(&["shared_buffers=512MB", "max_wal_size=4GB"]);
    if wanted("shared") {
        shared(server.as_ref())?;
    }
    if wanted("year") {
        year(directory.path(), server.as_ref())?;
    }
    if wanted("range") {
        range(directory.path(), server.as_ref())?;
    }
    Ok(())
}

/// All shared files, each an import of its own; the rows are in memory before. A day that a later file has
/// again is left out of that one, because a bare table with a key would refuse it.
fn shared(server: Option<&testing::Server>) -> Outcome<()> {
    let mut files: Vec<Vec<DailyRecord>> = Vec::new();
    let mut seen = HashSet::new();
    for path in shared_files() {
        let mut records = Vec::new();
        let read = cotahist::read(
            &path,
            |_| (),
            |record| {
                if seen.insert((record.symbol, record.market_type, record.term_days, record.date)) {
                    records.push(*record);
                }
                Ok::<_, Box<dyn Error>>(())
            },
        );
        match read {
            Ok(_) => files.push(records),
            Err(error) => println!("left out: {error}"),
        }
    }
    let rows: usize = files.iter().map(Vec::len).sum();
    println!("-- shared COTAHIST: {} files, {rows} rows", files.len());
    let sources: Vec<_> = files
        .iter()
        .map(|file| move |take: &mut dyn FnMut(&DailyRecord) -> Outcome<()>| file.iter().try_for_each(take))
        .collect();
    let sources: Vec<Rows<'_>> = sources.iter().map(|source| source as Rows<'_>).collect();
    embedded(&sources, 3)?;
    if let Some(server) = server {
        postgres(server, "shared", &sources, 3)?;
    }
    Ok(())
}

fn year(directory: &Path, server: Option<&testing::Server>) -> Outcome<()> {
    let path = directory.join("COTAHIST_A2016.TXT");
    let header = Header { year: 2016, generated: Date::from_ymd_opt(2016, 12, 30).ok_or("no such day")? };
    let mut writer = Writer::new(BufWriter::new(File::create(&path)?), header)?;
    each_record(0, |record| Ok(writer.write(record)?))?;
    writer.finish()?;
    println!("-- a year of the full market: {} MB of text", fs::metadata(&path)?.len() >> 20);
    let source = |take: &mut dyn FnMut(&DailyRecord) -> Outcome<()>| {
        cotahist::read(&path, |_| (), take).map(|_| ()).map_err(|error| error.to_string().into())
    };
    embedded(&[&source], 1)?;
    if let Some(server) = server {
        postgres(server, "year", &[&source], 1)?;
    }
    Ok(())
}

fn embedded(sources: &[Rows<'_>], turns: u32) -> Outcome<()> {
    let (mut ours, mut bare, mut keyed) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..turns {
        let directory = tempfile::tempdir()?;
        let store = EmbeddedStore::open(directory.path())?;
        forget_peak();
        ours.push(timed(|| import_all(&mut store.history()?, sources))?);
        println!("embedded: peak memory of the process {}", peak_memory());
        for (key, times) in [("", &mut bare), (", PRIMARY KEY (symbol, market_type, term_days, day)", &mut keyed)] {
            let directory = tempfile::tempdir()?;
            times.push(timed(|| bare_inserts(directory.path(), key, sources))?);
        }
    }
    report("embedded", &mut ours, "bare prepared inserts", &mut bare, "the same with our key", &mut keyed);
    Ok(())
}

fn postgres(server: &testing::Server, name: &str, sources: &[Rows<'_>], turns: u32) -> Outcome<()> {
    let (mut ours, mut bare, mut keyed) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..turns {
        let store = PostgresStore::open(&server.settings(&format!("{name}_{turn}")))?;
        forget_peak();
        ours.push(timed(|| import_all(&mut store.history(), sources))?);
        println!("Postgres: peak memory of the process {}", peak_memory());
        for (table, key, times) in [
            (format!("bare_{name}_{turn}"), String::new(), &mut bare),
            (format!("keyed_{name}_{turn}"), format!(", PRIMARY KEY ({KEY})"), &mut keyed),
        ] {
            let mut index = format!("CREATE TABLE {table} ({BARE}{key});");
            if !key.is_empty() {
                index.push_str(&format!("CREATE INDEX ON {table} USING brin (day);"));
            }
            server.sql(&index);
            times.push(timed(|| bare_copies(server, &table, sources))?);
            server.sql(&format!("DROP TABLE {table}"));
        }
    }
    report("Postgres", &mut ours, "bare binary COPY", &mut bare, "the same with a key and our index", &mut keyed);
    Ok(())
}

fn import_all(history: &mut dyn History, sources: &[Rows<'_>]) -> Outcome<u64> {
    let mut rows = 0;
    for source in sources {
        let at = Timestamp::from_nanos(0);
        let file = ImportSource {
            name: "COTAHIST.TXT".into(),
            kind: "cotahist".into(),
            source: COTAHIST,
            size: 0,
            sha256: None,
            at,
        };
        let mut import = history.begin_import(&file)?;
        source(&mut |record| Ok(import.daily(record)?))?;
        rows += import.commit()?.rows();
    }
    Ok(rows)
}

fn bare_inserts(directory: &Path, key: &str, sources: &[Rows<'_>]) -> Outcome<u64> {
    let mut connection = Connection::open(directory.join("bare.db"))?;
    connection.execute_batch(&format!(
        "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;
         CREATE TABLE bare ({}{key}) {}",
        BARE.replace(" text", "").replace(" bigint", "").replace(" int", "").replace(" date", ""),
        if key.is_empty() { "" } else { "WITHOUT ROWID" },
    ))?;
    let mut rows = 0;
    for source in sources {
        let transaction = connection.transaction()?;
        let mut insert = transaction.prepare(&format!("INSERT INTO bare VALUES ({})", ["?"; 25].join(", ")))?;
        source(&mut |record| {
            rows += 1;
            insert.execute(params![
                record.symbol.as_str(),
                record.market_type,
                record.term_days,
                record.date.to_epoch_days(),
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
                record.strike_points as i64,
                record.quotation_factor,
                record.strike_correction,
                record.bdi_code,
                record.distribution,
                record.expiry.map(|expiry| expiry.to_epoch_days()),
                record.kind.name(),
                record.isin.as_ref().map(market::Isin::as_str),
                record.company.to_string(),
                record.specification.to_string(),
            ])?;
            Ok(())
        })?;
        drop(insert);
        transaction.commit()?;
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(rows)
}

/// One COPY and one transaction for each file, a megabyte at a time.
fn bare_copies(server: &testing::Server, table: &str, sources: &[Rows<'_>]) -> Outcome<u64> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let client = connect(server, &runtime)?;
    let mut rows = 0;
    for source in sources {
        let sink =
            runtime.block_on(client.copy_in::<_, Cursor<Vec<u8>>>(&format!("COPY {table} FROM STDIN BINARY")))?;
        let mut sink = pin!(sink);
        let mut bytes = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
        source(&mut |record| {
            rows += 1;
            encode(&mut bytes, record);
            if bytes.len() > 1 << 20 {
                runtime.block_on(sink.send(Cursor::new(std::mem::take(&mut bytes))))?;
            }
            Ok(())
        })?;
        bytes.extend_from_slice(&(-1_i16).to_be_bytes());
        runtime.block_on(sink.send(Cursor::new(bytes)))?;
        runtime.block_on(sink.as_mut().finish())?;
    }
    Ok(rows)
}

fn connect(server: &testing::Server, runtime: &Runtime) -> Outcome<Client> {
    let settings = format!("host={} user=pregao dbname=postgres", server.socket_directory().display());
    let (client, connection) = runtime.block_on(tokio_postgres::connect(&settings, NoTls))?;
    runtime.spawn(connection);
    Ok(client)
}

fn encode(bytes: &mut Vec<u8>, record: &DailyRecord) {
    fn put(bytes: &mut Vec<u8>, field: &[u8]) {
        bytes.extend_from_slice(&(field.len() as i32).to_be_bytes());
        bytes.extend_from_slice(field);
    }
    let day = |date: Date| (date.num_days_from_ce() - 730_120).to_be_bytes();
    bytes.extend_from_slice(&BARE_COLUMNS.to_be_bytes());
    put(bytes, record.symbol.as_str().as_bytes());
    put(bytes, &i32::from(record.market_type).to_be_bytes());
    put(bytes, &i32::from(record.term_days).to_be_bytes());
    put(bytes, &day(record.date));
    for number in [
        record.open.steps(),
        record.high.steps(),
        record.low.steps(),
        record.average.steps(),
        record.close.steps(),
        record.best_bid.steps(),
        record.best_ask.steps(),
        record.trades.into(),
        record.quantity.units(),
        (record.turnover.steps() / 1_000_000) as i64,
        record.strike.steps(),
        record.strike_points as i64,
        record.quotation_factor.into(),
    ] {
        put(bytes, &number.to_be_bytes());
    }
    put(bytes, &i32::from(record.strike_correction).to_be_bytes());
    put(bytes, &i32::from(record.bdi_code).to_be_bytes());
    put(bytes, &i32::from(record.distribution).to_be_bytes());
    match record.expiry {
        Some(expiry) => put(bytes, &day(expiry)),
        None => bytes.extend_from_slice(&(-1_i32).to_be_bytes()),
    }
    put(bytes, record.kind.name().as_bytes());
    match record.isin {
        Some(isin) => put(bytes, isin.as_str().as_bytes()),
        None => bytes.extend_from_slice(&(-1_i32).to_be_bytes()),
    }
    put(bytes, record.company.to_string().as_bytes());
    put(bytes, record.specification.to_string().as_bytes());
}

/// Ten years of two hundred tickers, in the order of a file: the rows of one lie far apart.
fn range(directory: &Path, server: Option<&testing::Server>) -> Outcome<()> {
    let store = EmbeddedStore::open(&directory.join("range"))?;
    ten_years("embedded", &mut store.history()?)?;
    if let Some(server) = server {
        ten_years("Postgres", &mut PostgresStore::open(&server.settings("ten_years"))?.history())?;
    }
    Ok(())
}

fn ten_years(name: &str, history: &mut dyn History) -> Outcome<()> {
    let mut cash: Vec<DailyRecord> = Vec::new();
    let mut first_session = None;
    each_record(0, |record| {
        let session = *first_session.get_or_insert(record.date);
        if record.date == session && cash.len() < 200 {
            cash.push(*record);
        }
        Ok(())
    })?;
    let first = Date::from_ymd_opt(2008, 1, 1).ok_or("no such day")?;
    for year in 0..10 {
        let rows = |take: &mut dyn FnMut(&DailyRecord) -> Outcome<()>| {
            for session in 0..250 {
                let date = first + Days::new(year * 365 + session);
                cash.iter().try_for_each(|record| take(&DailyRecord { date, ..*record }))?;
            }
            Ok(())
        };
        import_all(history, &[&rows])?;
    }
    let symbol = cash.get(73).ok_or("too few tickers")?.symbol;
    let mut times = Vec::new();
    let mut sessions = 0;
    for _ in 0..25 {
        let begun = Instant::now();
        sessions = history.daily(symbol, Date::MIN, Date::MAX)?.len();
        times.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    times.drain(..5);
    times.sort_unstable_by(f64::total_cmp);
    println!("{name}: {sessions} sessions of one ticker, warm: {:.2} ms (p50), {:.2} ms (most)", times[10], times[19]);
    Ok(())
}

fn timed(run: impl FnOnce() -> Outcome<u64>) -> Outcome<f64> {
    let begun = Instant::now();
    let rows = run()?;
    Ok(rows as f64 / begun.elapsed().as_secs_f64())
}

fn report(what: &str, ours: &mut [f64], one: &str, bare: &mut [f64], other: &str, keyed: &mut [f64]) {
    let [ours, bare, keyed] = [ours, bare, keyed].map(|rates| {
        rates.sort_unstable_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    println!(
        "{what}: {ours:.0} rows/s; {one}: {bare:.0}, ratio {:.2}; {other}: {keyed:.0}, ratio {:.2}",
        ours / bare,
        ours / keyed
    );
}

fn shared_files() -> Vec<PathBuf> {
    let shelf = std::env::var_os("PREGAO_SHARED_DATA").map(PathBuf::from);
    let shelf = shelf.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"));
    let mut files = Vec::new();
    for folder in ["cotahist", "cotahist_rebuilt_15tickers_2010_2017"] {
        let Ok(found) = fs::read_dir(shelf.join(folder)) else {
            println!("SKIPPED: no shared data at {}; set PREGAO_SHARED_DATA", shelf.join(folder).display());
            continue;
        };
        files.extend(found.flatten().map(|entry| entry.path()).filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
            !name.starts_with("serieshistoricas") && !name.contains("exception")
        }));
    }
    files.sort_unstable();
    files
}

/// Linux forgets the peak of this process when told to.
fn forget_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// Of this process, as Linux tells it.
fn peak_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or("unknown".to_owned(), |value| value.trim().to_owned())
}

//! How fast a COTAHIST file is read, against the floor: a scan for line ends and nothing else.
//!
//! `cargo bench -p feeds` shows bytes and lines per second of each way, then the ratio. The goal
//! is at least half the rate of the scan.

#![expect(clippy::print_stdout, reason = "a bench talks to whoever runs it")]

use std::convert::Infallible;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead, BufReader, BufWriter, Read};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Instant;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use feeds::cotahist::{self, Header, Reader, Writer};
use market::history::FixedText;
use market::{DailyRecord, Date, InstrumentKind, Isin, Price, Quantity};

/// Thirteen sessions of 2022.
const RECORDS: u64 = 100_000;
/// Lines of one of them.
const SESSION: u64 = 7_500;

struct Sample {
    _folder: tempfile::TempDir,
    path: PathBuf,
    text: Vec<u8>,
}

static SAMPLE: LazyLock<Sample> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let path = folder.path().join("COTAHIST_A2024.TXT");
    let header = Header { year: 2024, generated: day(366) };
    let output = BufWriter::new(File::create(&path).expect("a new file"));
    let mut writer = Writer::new(output, header).expect("a header");
    (0..RECORDS).for_each(|number| writer.write(&record(number)).expect("a line"));
    writer.finish().expect("a trailer").into_inner().expect("everything written");
    let text = std::fs::read(&path).expect("what was written");
    Sample { _folder: folder, path, text }
});

fn day(ordinal: u32) -> Date {
    Date::from_yo_opt(2024, ordinal).expect("a day of 2024")
}

/// Lines in the proportions of a genuine session of 2022: of 15 lines, 3 of the cash and
/// fractional markets, each of another company, and 12 options and forwards of one underlying.
fn record(number: u64) -> DailyRecord {
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
    let cents = |above: u64| Price::from_cents((mixed % 9_000 + 1_000 + above) as i64).expect("a small price");
    let is_option = number % 15 >= 3;
    let in_session = number % SESSION;
    let company = if is_option { in_session / 15 * 7 } else { in_session * 11 };
    let letter = |place: u32| char::from(b'A' + (company / 26_u64.pow(place) % 26) as u8);
    let issuer: String = (0..4).map(letter).collect();
    let (symbol, market_type, bdi_code, kind) = match is_option {
        true => (format!("{issuer}A{}", mixed % 1_000), 70, 78, InstrumentKind::CallOption),
        false => (format!("{issuer}{}", 3 + company % 9), 10, 2, InstrumentKind::Share),
    };
    let isin = (0..10).filter_map(|digit| format!("BR{issuer}ACNOR{digit}").parse::<Isin>().ok());
    let quantity = Quantity::new((mixed % 1_000_000) as i64 * 100);
    DailyRecord {
        date: day((number / SESSION) as u32 + 1),
        symbol: symbol.parse().expect("a symbol"),
        market_type,
        term_days: 0,
        bdi_code,
        kind,
        isin: isin.into_iter().find(Isin::has_valid_check_digit),
        company: FixedText::from_latin1(&issuer.as_bytes()[..3 + company as usize % 2]).expect("a name"),
        specification: FixedText::from_latin1(b"ON      NM").expect("a specification"),
        open: cents(20),
        high: cents(50),
        low: cents(0),
        average: cents(25),
        close: cents(30),
        best_bid: cents(29),
        best_ask: cents(31),
        trades: (mixed % 90_000) as u32,
        quantity,
        turnover: cents(25).times(quantity),
        strike: if is_option { cents(5) } else { Price::ZERO },
        strike_correction: 0,
        expiry: is_option.then(|| day(20 + 30 * (number / 6 % 12) as u32)),
        quotation_factor: 1,
        strike_points: 0,
        distribution: (mixed % 300) as u16,
    }
}

/// The floor: every line found and counted through a `BufReader`, nothing looked at.
fn scan_lines(path: &Path) -> u64 {
    let mut input = BufReader::new(File::open(path).expect("the file"));
    let mut line = Vec::new();
    let mut lines = 0;
    while input.read_until(b'\n', &mut line).expect("a line") > 0 {
        lines += 1;
        line.clear();
    }
    lines
}

/// Lower still: bytes moved into memory, line ends counted there, no line ever seen.
fn count_line_ends(path: &Path) -> u64 {
    let mut input = File::open(path).expect("the file");
    let mut held = vec![0; 256 * 1024];
    let mut lines = 0;
    loop {
        match input.read(&mut held).expect("bytes") {
            0 => return lines,
            count => lines += held[..count].iter().filter(|byte| **byte == b'\n').count() as u64,
        }
    }
}

fn read_records(path: &Path) -> u64 {
    let on_record = |record: &DailyRecord| {
        black_box(record);
        Ok::<_, Infallible>(())
    };
    cotahist::read(path, |_| {}, on_record).expect("a good file").lines
}

#[divan::bench]
fn line_scan(bencher: Bencher) {
    bencher
        .counter(BytesCount::new(SAMPLE.text.len()))
        .counter(ItemsCount::new(RECORDS + 2))
        .bench(|| scan_lines(&SAMPLE.path));
}

#[divan::bench]
fn line_end_count(bencher: Bencher) {
    bencher
        .counter(BytesCount::new(SAMPLE.text.len()))
        .counter(ItemsCount::new(RECORDS + 2))
        .bench(|| count_line_ends(&SAMPLE.path));
}

#[divan::bench]
fn parse_file(bencher: Bencher) {
    bencher
        .counter(BytesCount::new(SAMPLE.text.len()))
        .counter(ItemsCount::new(RECORDS + 2))
        .bench(|| read_records(&SAMPLE.path));
}

#[divan::bench]
fn parse_memory(bencher: Bencher) {
    bencher.counter(BytesCount::new(SAMPLE.text.len())).counter(ItemsCount::new(RECORDS + 2)).bench(|| {
        let mut reader = Reader::new(SAMPLE.text.as_slice());
        while let Some(record) = reader.next_record() {
            black_box(record);
        }
        reader.finish().expect("a good file").lines
    });
}

/// The fastest of several runs each, taken in turn: what the machine can do while it does nothing
/// else, and the same disturbances for both.
fn fastest_in_turn(one: impl Fn() -> u64, other: impl Fn() -> u64) -> (f64, f64) {
    let timed = |run: &dyn Fn() -> u64| {
        let start = Instant::now();
        assert_eq!(run(), RECORDS + 2);
        start.elapsed().as_secs_f64()
    };
    (0..200)
        .map(|_| (timed(&one), timed(&other)))
        .fold((f64::INFINITY, f64::INFINITY), |least, times| (least.0.min(times.0), least.1.min(times.1)))
}

fn main() {
    divan::main();
    let (scan, parse) = fastest_in_turn(|| scan_lines(&SAMPLE.path), || read_records(&SAMPLE.path));
    let lines = (RECORDS + 2) as f64 / 1e6;
    println!(
        "line scan {:.1} M lines/s, parse {:.1} M lines/s: ratio {:.2} (goal 0.50)",
        lines / scan,
        lines / parse,
        scan / parse
    );
}

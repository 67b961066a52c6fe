//! What publishing hot quotes to Redis costs, and how soon a reader sees them:
//! `cargo run --release -p actors --example redis_quotes`. Starts a Redis server of its own (`redis-server` in PATH).
//!
//! 100,000 quotes a second over 500 symbols for ten seconds, then five seconds with the server stopped in its
//! tracks. A subscriber notes, for each message, how old its value is, and how old the oldest value is that it took
//! the place of: by then that one or a newer one is visible. Beside it, what a read costs in the process and on the
//! server.

use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actors::quotes::Publisher;
use market::history::{DelayClass, SourceName};
use market::{Price, Quantity, Symbol, Timestamp};
use store::quotes::{InProcessQuotes, OriginId, RedisQuotes, Top};
use store::testing::RedisServer;

const SYMBOLS: usize = 500;
const RATE: usize = 100_000;
const SECONDS: usize = 10;
const STOPPED_SECONDS: usize = 5;
/// How often the writer brings a handful: a source comes in bursts.
const BURST: Duration = Duration::from_millis(1);
/// A goal of issue 5.
const GOAL: Duration = Duration::from_millis(50);
const READS: usize = 20_000;

struct Bench {
    began: Instant,
    quotes: Arc<InProcessQuotes>,
    origin: OriginId,
    /// When each quote of each symbol was written, by sequence.
    written: Vec<Vec<AtomicU64>>,
}

#[expect(clippy::print_stdout, reason = "an example prints its figures")]
fn main() {
    let Some(server) = RedisServer::start() else { return };
    let bench = Bench::new();
    let to = RedisQuotes::open(&server.settings("bench")).expect("settings that can be used");
    let publisher = Publisher::start(Arc::clone(&bench.quotes), Box::new(to), 1).expect("a thread");
    let figures = publisher.figures();
    println!("{RATE} quotes/s over {SYMBOLS} symbols");

    let (memory, cpu) = (resident(), cpu_of(server.id()));
    let done = AtomicBool::new(false);
    let (writes, seen) = std::thread::scope(|scope| {
        let subscriber = scope.spawn(|| bench.subscribe(&server, &done));
        let writes = bench.offer(SECONDS);
        std::thread::sleep(Duration::from_millis(200));
        done.store(true, Ordering::Release);
        (writes, subscriber.join().expect("the subscriber"))
    });
    let seconds = SECONDS as f64;
    let look = figures.look(Instant::now());
    println!(
        "offered {}, published {} ({:.0}/s), conflated {}, failed {}",
        writes.len(),
        look.published,
        look.published as f64 / seconds,
        look.conflated,
        look.failed
    );
    show("one write", writes);
    show("age of the value that arrives", seen.0);
    let most = *seen.1.iter().max().unwrap_or(&0);
    show("age of the oldest value that it makes visible", seen.1);
    println!("  goal {GOAL:?}: {}", if Duration::from_nanos(most) <= GOAL { "reached" } else { "missed" });
    println!("Redis: {:.0} % of a core", (cpu_of(server.id()) - cpu) / seconds * 100.0);
    println!("threads quotes and redis: {:.0} % of a core", own_threads() / seconds * 100.0);
    println!("memory: {memory} kB before, {} kB after", resident());

    server.pause();
    let before = resident();
    let writes = bench.offer(STOPPED_SECONDS);
    println!(
        "Redis stopped for {STOPPED_SECONDS} s: {} batches failed, memory {before} kB before, {} kB after",
        figures.look(Instant::now()).failed,
        resident()
    );
    show("one write", writes);
    server.go_on();
    drop(publisher);

    let read = each(READS * 500, || {
        black_box(bench.quotes.read(black_box(7)));
    });
    let mut connection = server.connection();
    let mut key = deadpool_redis::redis::cmd("HGETALL");
    key.arg("pregao:quote:T7");
    let mut trips: Vec<u64> = (0..READS)
        .map(|_| {
            let asked = Instant::now();
            let fields: Vec<String> = key.query(&mut connection).expect("an answer");
            black_box(fields);
            nanos(asked.elapsed())
        })
        .collect();
    trips.sort_unstable();
    println!(
        "read in the process {read:.0} ns; HGETALL over a Unix socket p50 {} ns: {:.0} times as long",
        trips[READS / 2],
        trips[READS / 2] as f64 / read
    );
    show("HGETALL", trips);
}

impl Bench {
    fn new() -> Self {
        let symbols: Vec<Symbol> = (0..SYMBOLS).map(|n| format!("T{n}").parse().expect("a symbol")).collect();
        let began = Instant::now();
        let quotes = Arc::new(InProcessQuotes::new(symbols, Duration::from_secs(600), began));
        let origin = quotes.origin(SourceName::of("bench"), DelayClass::Synthetic);
        let each = RATE * (SECONDS + STOPPED_SECONDS) / SYMBOLS + 2;
        let written = (0..SYMBOLS).map(|_| (0..each).map(|_| AtomicU64::new(0)).collect()).collect();
        Self { began, quotes, origin, written }
    }

    /// Writes at the rate; how long each write took.
    fn offer(&self, seconds: usize) -> Vec<u64> {
        let (total, start) = (RATE * seconds, Instant::now());
        let mut took = Vec::with_capacity(total);
        let mut number = 0;
        while number < total {
            let due = (start.elapsed().as_secs_f64() * RATE as f64) as usize;
            while number < due.min(total) {
                took.push(self.write(number));
                number += 1;
            }
            std::thread::sleep(BURST);
        }
        took
    }

    fn write(&self, number: usize) -> u64 {
        let place = number % SYMBOLS;
        let price = Price::from_steps(number as i64 + 2);
        let now = Instant::now();
        let at = Timestamp::from_nanos(nanos(now - self.began).cast_signed());
        let size = Quantity::new(100);
        let top = Top { at, last: price, bid: price, ask: price, bid_size: size, ask_size: size };
        let sequence = self.quotes.version(place) as usize + 1;
        self.written[place][sequence].store(nanos(now - self.began), Ordering::Release);
        let began = Instant::now();
        self.quotes.write(place, &top, self.origin, began);
        nanos(began.elapsed())
    }

    /// Ages of what arrives, and of the oldest value that it makes visible.
    fn subscribe(&self, server: &RedisServer, done: &AtomicBool) -> (Vec<u64>, Vec<u64>) {
        let mut connection = server.connection();
        connection.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
        let mut channel = connection.as_pubsub();
        channel.subscribe(store::quotes::redis::CHANNEL).expect("a channel");
        let (mut ages, mut oldest) = (Vec::new(), Vec::new());
        let mut last = vec![0_usize; SYMBOLS];
        while !done.load(Ordering::Acquire) {
            let Ok(message) = channel.get_message() else { continue };
            let now = nanos(self.began.elapsed());
            let text: String = message.get_payload().expect("a text");
            let quote: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let symbol = quote["symbol"].as_str().expect("a symbol");
            let place: usize = symbol.trim_start_matches('T').parse().expect("a number");
            let sequence = quote["sequence"].as_u64().expect("a number") as usize;
            let age = |sequence: usize| now.saturating_sub(self.written[place][sequence].load(Ordering::Acquire));
            if sequence > last[place] {
                ages.push(age(sequence));
                oldest.push(age(last[place] + 1));
                last[place] = sequence;
            }
        }
        (ages, oldest)
    }
}

#[expect(clippy::print_stdout, reason = "an example prints its figures")]
fn show(what: &str, mut nanos: Vec<u64>) {
    nanos.sort_unstable();
    let at = |share: f64| Duration::from_nanos(nanos.get((nanos.len() as f64 * share) as usize).copied().unwrap_or(0));
    let max = Duration::from_nanos(nanos.last().copied().unwrap_or(0));
    println!("  {what}: p50 {:?}, p99 {:?}, p99.9 {:?}, max {max:?}", at(0.5), at(0.99), at(0.999));
}

/// Nanoseconds of each of so many calls.
fn each(times: usize, mut call: impl FnMut()) -> f64 {
    let began = Instant::now();
    for _ in 0..times {
        call();
    }
    began.elapsed().as_nanos() as f64 / times as f64
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Resident memory of this process, in kB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Seconds that a process has spent so far.
fn cpu_of(process: u32) -> f64 {
    seconds(&fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default())
}

/// The same of the threads that publish.
fn own_threads() -> f64 {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let stats = threads.filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok());
    stats.filter(|stat| stat.contains("(quotes)") || stat.contains("(redis)")).map(|stat| seconds(&stat)).sum()
}

/// User and system time are the 14th and 15th field, in hundredths of a second.
fn seconds(stat: &str) -> f64 {
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks: u64 = after.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}

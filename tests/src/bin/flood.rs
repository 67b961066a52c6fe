//! Floods the admin interface of a running daemon and stops trading meanwhile, again and again: over new
//! connections, over one that is kept, over the control socket, and with the command line. Exit code 1: a
//! stop over HTTP took longer than it may, or less was served than a flood is.
//!
//! `scripts/flood` starts the daemon. Both share the processors, so what is measured is the worst of both.

#![expect(clippy::print_stdout, reason = "a program that prints its result")]

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use serde_json::{Value, json};
use tests::flood::wire::{Line, Place, request};
use tests::flood::{Counts, Plan, flood};
use tests::stop::quantile;

#[derive(Parser)]
#[command(about = "Floods the admin interface of a running daemon and measures how soon a stop is answered")]
struct Arguments {
    /// Where the interface listens.
    #[arg(long)]
    address: SocketAddr,
    /// The daemon's data directory.
    #[arg(long)]
    data: PathBuf,
    /// The program.
    #[arg(long)]
    pregao: PathBuf,
    /// Name and secret of an operator who stops and resumes.
    #[arg(long, value_name = "NAME:SECRET")]
    operator: String,
    /// Name and secret of a viewer whose token the flood uses.
    #[arg(long, value_name = "NAME:SECRET")]
    viewer: String,
    /// Stops in each way.
    #[arg(long, default_value_t = 200)]
    kills: u32,
    /// Requests a second, in the flood.
    #[arg(long, default_value_t = 2_500)]
    rate: u64,
    /// Senders.
    #[arg(long, default_value_t = 60)]
    senders: u64,
    /// One JSON document instead of text.
    #[arg(long)]
    json: bool,
}

/// The longest that a stop over HTTP may take.
const GOAL: Duration = Duration::from_millis(100);
/// Answers a second that make a flood.
const FLOOD: f64 = 2_000.0;
/// The flood runs for so long before the first stop.
const WARM_UP: Duration = Duration::from_secs(2);
/// Between two stops.
const BETWEEN: Duration = Duration::from_millis(20);
/// One way in ten is measured so much less often: each starts a program.
const COMMANDS: u32 = 4;
/// Our own address for what is no flood.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How long each took, sorted.
struct Ways(Vec<(&'static str, Vec<Duration>)>);

fn main() -> Outcome<ExitCode> {
    let arguments = Arguments::parse();
    let place = Place::new(arguments.address, &arguments.data.join("admin/certificate.pem"))?;
    // Stops have a thread of their own: they must not wait for this program's own flood.
    let stopping = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let flooding = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (operator, viewer) = (STANDARD.encode(&arguments.operator), STANDARD.encode(&arguments.viewer));
    let (token, flood_token) = stopping.block_on(async {
        Ok::<_, Box<dyn Error>>((token(&place, &operator).await?, token(&place, &viewer).await?))
    })?;
    let quiet = stopping.block_on(stops(&arguments, &place, &token))?;
    let (counts, stop) = (Arc::<Counts>::default(), Arc::<AtomicBool>::default());
    let plan = Arc::new(Plan {
        place: place.clone(),
        rate: arguments.rate,
        senders: arguments.senders,
        token: flood_token,
        basic: viewer,
    });
    let under_way = flooding.spawn(flood(plan, Arc::clone(&counts), Arc::clone(&stop)));
    std::thread::sleep(WARM_UP);
    let (began, before) = (Instant::now(), counts.begun.load(Ordering::Relaxed));
    let earlier: u64 = counts.answers().values().sum();
    let flooded = stopping.block_on(stops(&arguments, &place, &token))?;
    let took = began.elapsed();
    let (begun, answers) = (counts.begun.load(Ordering::Relaxed) - before, counts.answers());
    stop.store(true, Ordering::Release);
    flooding.block_on(under_way)?;
    let rate = |count: u64| count as f64 / took.as_secs_f64();
    let served = rate(answers.values().sum::<u64>() - earlier);
    let worst = flooded.0.iter().filter(|(way, _)| way.contains("HTTP")).map(|(_, all)| quantile(all, 1.0)).max();
    let reached = worst.is_some_and(|worst| worst < GOAL) && served >= FLOOD;
    let figures = Figures { quiet, flooded, begun: rate(begun), served, broken: counts.broken.load(Ordering::Relaxed) };
    if arguments.json {
        println!("{}", figures.document(&answers, reached));
    } else {
        figures.tell(&answers, reached);
    }
    Ok(if reached { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Figures {
    quiet: Ways,
    flooded: Ways,
    begun: f64,
    served: f64,
    broken: u64,
}

impl Figures {
    fn tell(&self, answers: &std::collections::BTreeMap<u16, u64>, reached: bool) {
        println!(
            "{:.0} requests a second begun, {:.0} answered; connections broken: {}",
            self.begun, self.served, self.broken
        );
        let by_status: Vec<String> = answers.iter().map(|(status, count)| format!("{status}: {count}")).collect();
        println!("answers by status: {}", by_status.join("   "));
        println!("{:<48}{:>6}{:>9}{:>9}{:>9}", "milliseconds", "", "p50", "p99", "max");
        for (title, ways) in [("without the flood", &self.quiet), ("in the flood", &self.flooded)] {
            for (way, all) in &ways.0 {
                let [middle, most, worst] = shown(all);
                println!("{:<48}{:>6}{middle:>9.1}{most:>9.1}{worst:>9.1}", format!("{way}, {title}"), all.len());
            }
        }
        let word = if reached { "reached" } else { "MISSED " };
        println!("{word}  every stop over HTTP answered within {GOAL:?} at {FLOOD:.0} answers a second");
    }

    fn document(&self, answers: &std::collections::BTreeMap<u16, u64>, reached: bool) -> Value {
        let of = |ways: &Ways| -> Vec<Value> {
            let one = |(way, all): &(&str, Vec<Duration>)| {
                let [middle, most, worst] = shown(all);
                json!({ "way": way, "count": all.len(), "p50_milliseconds": middle, "p99_milliseconds": most,
                        "max_milliseconds": worst })
            };
            ways.0.iter().map(one).collect()
        };
        json!({
            "begun_a_second": self.begun, "answered_a_second": self.served, "broken": self.broken,
            "answers": answers, "without_flood": of(&self.quiet), "in_flood": of(&self.flooded), "reached": reached,
        })
    }
}

fn shown(sorted: &[Duration]) -> [f64; 3] {
    [0.5, 0.99, 1.0].map(|part| quantile(sorted, part).as_secs_f64() * 1_000.0)
}

async fn token(place: &Place, basic: &str) -> Outcome<String> {
    let basic = format!("Basic {basic}");
    let fields = [("Authorization", basic.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
    let asked = request("POST", "/oauth/token", &fields, "grant_type=client_credentials");
    let told = place.connect(HERE).await?.exchange(&asked).await?;
    let document: Value = serde_json::from_slice(&told.body)?;
    let token = document["access_token"].as_str();
    Ok(token.ok_or_else(|| format!("no token, {}: {document}", told.status))?.to_owned())
}

/// Stops and resumes in every way, in turn.
async fn stops(arguments: &Arguments, place: &Place, token: &str) -> Outcome<Ways> {
    let [mut anew, mut over_kept, mut socket, mut command, mut synced] = [const { Vec::new() }; 5];
    let bearer = format!("Bearer {token}");
    let fields = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let kill = request("POST", "/v1/kill", &fields, r#"{"reason":"a trial in a flood"}"#);
    let resume = request("POST", "/v1/resume", &fields, r#"{"reason":"the next trial"}"#);
    let mut kept = place.connect(HERE).await?;
    let probe = File::create(arguments.data.join("flood.probe"))?;
    for trial in 0..arguments.kills {
        let began = Instant::now();
        let told = place.connect(HERE).await?.exchange(&kill).await?;
        note(&mut anew, began, told.status, &told.body)?;
        lift(&mut kept, &resume).await?;
        let began = Instant::now();
        let told = kept.exchange(&kill).await?;
        note(&mut over_kept, began, told.status, &told.body)?;
        lift(&mut kept, &resume).await?;
        let began = Instant::now();
        let answer = ask(&arguments.data)?;
        socket.push(began.elapsed());
        if answer.get("error").is_some() {
            return Err(format!("the control socket refused: {answer}").into());
        }
        lift(&mut kept, &resume).await?;
        let began = Instant::now();
        probe.write_all_at(&[7; 4_096], 0)?;
        probe.sync_data()?;
        synced.push(began.elapsed());
        if trial % COMMANDS == 0 {
            let began = Instant::now();
            run(arguments)?;
            command.push(began.elapsed());
            lift(&mut kept, &resume).await?;
        }
        tokio::time::sleep(BETWEEN).await;
    }
    let mut ways = vec![
        ("HTTP, new connection", anew),
        ("HTTP, kept connection", over_kept),
        ("control socket", socket),
        ("pregao kill, a process", command),
        ("one bare sync of the same disk", synced),
    ];
    ways.iter_mut().for_each(|(_, all)| all.sort_unstable());
    Ok(Ways(ways))
}

fn note(into: &mut Vec<Duration>, began: Instant, status: u16, body: &[u8]) -> Outcome<()> {
    into.push(began.elapsed());
    if status == 200 {
        Ok(())
    } else {
        Err(format!("a stop was answered with {status}: {}", String::from_utf8_lossy(body)).into())
    }
}

/// Resumes; somebody who has asked too often waits.
async fn lift(kept: &mut Line, resume: &[u8]) -> Outcome<()> {
    loop {
        let told = kept.exchange(resume).await?;
        match told.status {
            200 => return Ok(()),
            429 => tokio::time::sleep(Duration::from_millis(50)).await,
            status => return Err(format!("no resume, {status}: {}", String::from_utf8_lossy(&told.body)).into()),
        }
    }
}

/// Stops over the control socket.
fn ask(data: &Path) -> Outcome<Value> {
    let mut stream = UnixStream::connect(data.join("pregao.sock"))?;
    stream.write_all(b"{\"ask\":\"kill\",\"by\":\"flood\",\"reason\":\"a trial\"}\n")?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(serde_json::from_str(&answer)?)
}

/// Stops with the command line.
fn run(arguments: &Arguments) -> Outcome<()> {
    let room = arguments.data.parent().ok_or("the data directory lies in no directory")?;
    let ended = Command::new(&arguments.pregao).current_dir(room).args(["kill", "--reason", "a trial"]).output()?;
    if ended.status.success() {
        Ok(())
    } else {
        Err(format!("pregao kill: {}", String::from_utf8_lossy(&ended.stderr)).into())
    }
}

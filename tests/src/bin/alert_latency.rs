//! How long it takes from a breach until a person's receiver has it: a real Limit, a real switch whose record
//! is synced to disk, the real notifier, and a receiver on the loopback interface that reads HTTP.
//!
//! Each round the figures go beyond the daily loss of another session; the clock runs from the moment when
//! they are shown to the Limit until the whole request has arrived.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use actors::figures::FigureBoard;
use actors::halt::Halter;
use actors::limit::{Arguments, Limit, Message};
use actors::notifier::{NotifierSettings, WebhookSettings};
use actors::pulse::Pulse;
use actors::system::shared;
use actors::{Address, Clock, Notifier, Turn};
use clap::Parser;
use market::{Date, Money, Universe};
use ractor::Actor;
use risk::monitors::{Configured, Standing, Worth, watches};
use risk::{HaltLevel, HaltScope, HaltSwitch, LimitSet, LimitTable, MonitorSettings};
use store::EmbeddedStore;

/// Measures the latency of alerts: breach to webhook received.
#[derive(Parser)]
struct Asked {
    /// Breaches.
    #[arg(long, default_value_t = 1_000)]
    breaches: u32,
    /// Where the figures go as JSON.
    #[arg(long, value_name = "FILE")]
    figures: Option<PathBuf>,
}

/// A round that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);

#[expect(clippy::print_stdout, reason = "a program that prints its figures")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let asked = Asked::parse();
    let (url, arrived) = receiver()?;
    let notifier =
        Notifier::start(&NotifierSettings { webhook: Some(WebhookSettings { url }), ..NotifierSettings::default() })?;
    let directory = tempfile::tempdir()?;
    let store = EmbeddedStore::open(directory.path())?;
    let halt =
        Halter::new(HaltSwitch::at(HaltLevel::Active), shared(store.halt()?), Clock::System).telling(notifier.alerts());
    let (board, limit, _actor) = limit(&halt, &notifier).await?;
    let mut taken = Vec::with_capacity(asked.breaches as usize);
    for round in 0..asked.breaches {
        breach(&board, round);
        let since = Instant::now();
        limit.send(Message::Look { turn: Turn::none() })?;
        // The Limit is on this thread; the receiver has threads of its own.
        let at = loop {
            tokio::task::yield_now().await;
            match arrived.try_recv() {
                Ok(at) => break at,
                Err(_) if since.elapsed() > PATIENCE => return Err(format!("breach {round} never arrived").into()),
                Err(_) => {}
            }
        };
        taken.push(at.saturating_duration_since(since));
        halt.switch.set(&HaltScope::Account, HaltLevel::Active);
    }
    taken.sort_unstable();
    let milliseconds = |part: f64| {
        let place = ((taken.len() as f64 * part) as usize).min(taken.len().saturating_sub(1));
        taken.get(place).map_or(0.0, |taken| taken.as_secs_f64() * 1e3)
    };
    let (p50, p99, max) = (milliseconds(0.5), milliseconds(0.99), milliseconds(1.0));
    println!("{} breaches, breach to webhook received: p50 {p50:.3} ms, p99 {p99:.3} ms, max {max:.3} ms", taken.len());
    if let Some(path) = asked.figures {
        let figures = serde_json::json!({
            "breaches": taken.len(), "p50_milliseconds": p50, "p99_milliseconds": p99, "max_milliseconds": max,
        });
        std::fs::write(path, serde_json::to_vec_pretty(&figures)?)?;
    }
    if p99 > 1_000.0 { Err("C37: an alert is out within a second".into()) } else { Ok(()) }
}

type Watching = (Arc<FigureBoard>, Address<Message>, ractor::ActorRef<Message>);

/// The daily loss of an account that may lose a centavo.
async fn limit(halt: &Halter, notifier: &Notifier) -> Result<Watching, Box<dyn std::error::Error>> {
    let universe = Arc::new(Universe::new());
    let set = LimitSet { max_daily_loss: Money::from_cents(1), ..LimitSet::WIDE };
    let limits = Arc::new(LimitTable::uniform(set, &universe));
    let board = Arc::new(FigureBoard::new(Arc::clone(&limits), universe, 1));
    let address = Address::new("limit daily_loss");
    let watch = || {
        let configured = Configured { settings: MonitorSettings::default(), strategies: &[] };
        watches(&configured).swap_remove(0)
    };
    let arguments = Arguments {
        address: address.clone(),
        // Nobody journals here: that comes after the alert and is not waited for.
        account: Address::new("account"),
        watch: Arc::new(watch),
        figures: Arc::clone(&board),
        place: 0,
        halt: halt.clone(),
        alerts: notifier.alerts(),
        next: None,
        pulse: Pulse::of(&Clock::System),
        outside: None,
    };
    let (actor, _) = Actor::spawn(None, Limit, arguments).await?;
    Ok((board, address, actor))
}

/// Another session, in which more was lost than may be.
fn breach(board: &FigureBoard, round: u32) {
    board.write(|figures| {
        figures.at = Clock::System.now();
        figures.session = Date::default() + chrono::Days::new(u64::from(round));
        let start = Money::from_cents(100);
        let account = Standing { now: Money::ZERO, start, peak: start };
        figures.worth = Some(Worth { account, strategies: Vec::new() });
    });
}

/// Says when each request has arrived whole.
fn receiver() -> std::io::Result<(String, Receiver<Instant>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/alerts", listener.local_addr()?);
    let (seen, arrived) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let seen = seen.clone();
            std::thread::spawn(move || serve(stream, &seen));
        }
    });
    Ok((url, arrived))
}

/// One connection, request after request.
fn serve(stream: TcpStream, seen: &Sender<Instant>) -> Option<()> {
    let mut writing = stream.try_clone().ok()?;
    let mut reading = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            reading.read_line(&mut line).ok().filter(|read| *read > 0)?;
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(text) = line.strip_prefix("content-length:") {
                length = text.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reading.read_exact(&mut body).ok()?;
        seen.send(Instant::now()).ok()?;
        writing.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").ok()?;
    }
}

//! What a run of the kill test needs around it: a directory, a venue, a store, quotes, and the program
//! as a process that can be started, asked, stopped in its tracks and killed.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use desk::DeskSettings;
use market::fees::Brokerage;
use market::{Calendar, FeeSchedule, Instrument, InstrumentKind, Timestamp, Universe};
use oms::BookSettings;
use risk::{Count, HaltLevel, LimitSet, LimitTable, Seconds};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use store::testing::Server;
use store::{EmbeddedStore, HaltRecord, HaltStore, Ledger, PostgresSettings, PostgresStore};

use crate::venue::chaos::Random;

/// The account of every run: a directory, a venue and a schema of its own keep runs apart.
pub const ACCOUNT: &str = "KILL";
/// The variable that names a crash point.
pub const CRASH_AT: &str = "PREGAO_CRASH_AT";
/// The strategies of every run, by name.
pub const STRATEGIES: [&str; 3] = ["limits", "markets", "slow limits"];
/// Nothing that the strategies do may come near them, but for the age of a quote.
const LIMITS: LimitSet = LimitSet {
    max_order_quantity: market::Quantity::new(100_000),
    max_order_notional: market::Money::from_cents(1_000_000_000),
    price_collar: market::Rate::from_ppm(500_000),
    max_position_quantity: market::Quantity::new(1_000_000),
    max_quote_age_seconds: Seconds(2),
    // As many as are remembered.
    max_messages: Count(8_192),
    max_repeated_executions: Count(1_024),
    max_rejects: Count(1_024),
    max_losing_trades: Count(1_024),
    max_daily_loss: market::Money::from_cents(9_000_000_000),
    ..LimitSet::WIDE
};
/// The shortest lease that the program takes: so long a takeover waits.
pub const LEASE_SECONDS: u64 = 10;

/// How long a session may be gone before the venue cancels its day orders: the shortest window.
pub const WINDOW_SECONDS: u64 = 5;
/// How long a daemon may be silent before a watchdog fires: the shortest that the program takes.
pub const SILENCE_SECONDS: u64 = 2;

/// Symbols that are quoted and traded.
const SYMBOLS: [&str; 4] = ["PETR4", "VALE3", "ITUB4", "BBAS3"];
const CASH: &str = "100000000.00";
/// Time between two quotes.
const QUOTE_EVERY: Duration = Duration::from_millis(3);
/// The venue answers within milliseconds; more means that it hangs.
const VENUE_PATIENCE: Duration = Duration::from_secs(10);
/// Time for a start, on a busy machine and beside a server that recovers.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// Time to end after SIGTERM.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// What can go wrong on the stage, as opposed to in the program.
pub type Trouble = Box<dyn std::error::Error>;

/// A directory with everything that a run needs.
pub struct Stage {
    /// Its place.
    pub directory: PathBuf,
    pregao: PathBuf,
    /// The schema on the server; `None`: the embedded store.
    server: Option<PostgresSettings>,
}

impl Stage {
    /// Sets it: the program at `pregao` trades with the venue at `address`.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn set(directory: &Path, pregao: &Path, address: &str, server: Option<PostgresSettings>) -> io::Result<Self> {
        let stage = Self { directory: directory.to_owned(), pregao: pregao.to_owned(), server };
        std::fs::write(directory.join("pregao.toml"), stage.configuration(address))?;
        Ok(stage)
    }

    /// The data directory that lives have unless they say otherwise.
    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// `session.calendar` lets it trade at any hour; the program accepts that with a simulated venue only.
    fn configuration(&self, address: &str) -> String {
        let symbols = SYMBOLS.map(|symbol| format!("\"{symbol}\"")).join(", ");
        let strategy = |name: &str, kind: &str, execution: &str, parameters: &str| {
            format!(
                "\n[[strategy]]\nname = \"{name}\"\nkind = \"{kind}\"\nsymbols = [{symbols}]\nlisten = \"quotes\"\n\
                 execution = \"{execution}\"\nquantity = 300\nparameters = {{ {parameters} }}\n"
            )
        };
        let [resting, markets, slow] = STRATEGIES;
        let strategies = [
            strategy(resting, "moving_average_cross", "limit", "fast = 2, slow = 3"),
            strategy(markets, "moving_average_cross", "market", "fast = 3, slow = 5"),
            strategy(slow, "donchian_breakout", "limit", "enter = 6, leave = 3"),
        ]
        .concat();
        let store = self.server.as_ref().map_or_else(String::new, |PostgresSettings { url, schema, .. }| {
            format!(
                "[store]\nkind = \"postgres\"\nurl = \"{url}\"\nschema = \"{schema}\"\n\
                 lease_seconds = {LEASE_SECONDS}\n\n"
            )
        });
        let written = serde_json::json!(LIMITS);
        let limits: Vec<String> =
            written.as_object().into_iter().flatten().map(|(key, value)| format!("{key} = {value}\n")).collect();
        let limits = limits.concat();
        format!(
            "mode = \"paper\"\n\
             data_directory = \"data\"\n\n\
             [account]\ntag = \"{ACCOUNT}\"\ncash = \"{CASH}\"\n\n\
             [session]\ncalendar = \"always_open\"\n\n\
             [risk]\n{limits}\n\
             {store}\
             [broker]\nname = \"bridge\"\naddress = \"{address}\"\nheartbeat_milliseconds = 200\n\
             reconnect_milliseconds = 100\nanswer_seconds = 1\ncancel_on_disconnect_seconds = {WINDOW_SECONDS}\n\n\
             [watchdog]\nsilence_seconds = {SILENCE_SECONDS}\nlogin = \"guard\"\n\n\
             [feed]\nkind = \"quotes_file\"\npath = \"quotes.csv\"\npoll_milliseconds = 5\n{strategies}"
        )
    }

    /// What the program makes of the configuration, for whoever recovers a book from its journal.
    ///
    /// # Errors
    /// None, unless somebody changes the texts above.
    pub fn desk(&self) -> Result<DeskSettings, Trouble> {
        let mut universe = Universe::new();
        for symbol in SYMBOLS {
            universe.add(Instrument::cash(symbol.parse()?, InstrumentKind::Share));
        }
        let book = BookSettings {
            cash: CASH.parse()?,
            calendar: Calendar::always_open(),
            fees: FeeSchedule::b3(),
            brokerage: Brokerage::FREE,
            instruments: universe.len(),
        };
        let (account, limits) = (ACCOUNT.to_owned(), Arc::new(LimitTable::uniform(LIMITS, &universe)));
        Ok(DeskSettings { account, universe: Arc::new(universe), book, limits, start: now() })
    }

    /// The ledger, for reading beside the program.
    ///
    /// # Errors
    /// It is not there yet, or cannot be read.
    pub fn ledger(&self) -> Result<Box<dyn Ledger>, Trouble> {
        Ok(match &self.server {
            None => Box::new(EmbeddedStore::open_read_only(&self.data())?),
            Some(settings) => Box::new(PostgresStore::open_read_only(settings)?),
        })
    }

    /// The halt that the data directory remembers, as a level's name; `active` where there was none.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn stored_halt(&self) -> Result<String, Trouble> {
        // A first life that was killed while it made its files has stored nothing yet. If they cannot be
        // opened for another reason, the next life says so.
        let Ok(store) = EmbeddedStore::open_read_only(&self.data()) else { return Ok("active".to_owned()) };
        // The strictest of all scopes: what one of them says is in force.
        let level = |record: HaltRecord| HaltLevel::from_name(&record.level).unwrap_or(HaltLevel::Halted);
        let found = store.halt()?.load_halts()?.into_iter().map(level);
        Ok(found.max().unwrap_or(HaltLevel::Active).name().to_owned())
    }

    fn command(&self, data: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.pregao);
        // Nothing of this machine's settings.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PREGAO_")) {
            command.env_remove(name);
        }
        command.current_dir(&self.directory).args(["--data-dir", data]).args(arguments).stdin(Stdio::null());
        command
    }

    /// Starts the daemon; `life` names its log, `crash_at` a point and which passing of it.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&self, life: &str, crash_at: Option<&str>) -> io::Result<Daemon> {
        self.start_on("data", life, crash_at)
    }

    /// The same on another data directory.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_on(&self, data: &str, life: &str, crash_at: Option<&str>) -> io::Result<Daemon> {
        let mut command = self.command(data, &["run"]);
        if let Some(at) = crash_at {
            command.env(CRASH_AT, at);
        }
        self.spawn(data, life, command)
    }

    /// Starts one that stands by while another one trades.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn stand_by(&self, data: &str, life: &str) -> io::Result<Daemon> {
        let mut command = self.command(data, &["run", "--standby"]);
        // What the stage waits for is in the log.
        command.env("RUST_LOG", "info");
        self.spawn(data, life, command)
    }

    fn spawn(&self, data: &str, life: &str, mut command: Command) -> io::Result<Daemon> {
        let path = self.directory.join(format!("life-{life}.log"));
        let log = File::create(&path)?;
        let child = command.stdout(log.try_clone()?).stderr(log).spawn()?;
        Ok(Daemon { child, socket: self.directory.join(data).join("pregao.sock"), log: path })
    }

    /// Starts a watchdog of the data directory; its lines of JSON are in its log, between others.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_watchdog(&self) -> io::Result<Daemon> {
        let path = self.directory.join("watchdog.log");
        let log = File::create(&path)?;
        let mut command = self.command("data", &["watchdog", "--json"]);
        let child = command.stdout(log.try_clone()?).stderr(log).spawn()?;
        Ok(Daemon { child, socket: PathBuf::new(), log: path })
    }

    /// Runs another command of the program to its end: exit code, and its JSON if that is what it said.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn ask(&self, arguments: &[&str]) -> io::Result<(Option<i32>, Value)> {
        let output = self.command("data", arguments).arg("--json").stderr(Stdio::null()).output()?;
        Ok((output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default()))
    }
}

/// The daemon as a process. Killed when it is dropped.
pub struct Daemon {
    child: Child,
    socket: PathBuf,
    log: PathBuf,
}

impl Daemon {
    /// Waits until it answers on its socket, which it does once everything runs; how it ended if it did.
    ///
    /// # Errors
    /// The system.
    pub fn until_running(&mut self) -> io::Result<Option<ExitStatus>> {
        let give_up = Instant::now() + START_PATIENCE;
        while UnixStream::connect(&self.socket).is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= give_up {
                return Err(io::Error::other(format!("it does not run in time: see {}", self.log.display())));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(None)
    }

    /// Waits until these words are in its log.
    ///
    /// # Errors
    /// It ends, or never says so.
    pub fn until_says(&mut self, words: &str) -> Result<(), Trouble> {
        let give_up = Instant::now() + START_PATIENCE;
        while !self.said()?.contains(words) {
            if self.ended()?.is_some() || Instant::now() >= give_up {
                return Err(format!("it never said '{words}': {}", self.said()?).into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// The system.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// How it ended, if it does in this time.
    ///
    /// # Errors
    /// The system.
    pub fn wait(&mut self, patience: Duration) -> io::Result<Option<ExitStatus>> {
        let give_up = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= give_up {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// SIGKILL, and the process is gone when this returns.
    ///
    /// # Errors
    /// The system.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// The system.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// SIGTERM; killed when it does not listen, and then there is no status.
    ///
    /// # Errors
    /// The system.
    pub fn terminate(&mut self) -> io::Result<Option<ExitStatus>> {
        if let Some(status) = self.ended()? {
            return Ok(Some(status));
        }
        self.signal(Signal::TERM)?;
        let status = self.wait(STOP_PATIENCE)?;
        if status.is_none() {
            self.kill()?;
        }
        Ok(status)
    }

    /// What it has written.
    ///
    /// # Errors
    /// The file.
    pub fn said(&self) -> io::Result<String> {
        std::fs::read_to_string(&self.log)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It has usually ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What happens to the server in a life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ServerFault {
    /// It crashes and recovers.
    Stopped,
    /// It stands still for a second or two.
    Paused,
    /// It ends every connection.
    Cut,
}

impl ServerFault {
    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stopped => "Postgres stopped",
            Self::Paused => "Postgres paused",
            Self::Cut => "connections cut",
        }
    }

    /// Any of them.
    pub fn any(random: &mut Random) -> Self {
        match random.below(3) {
            0 => Self::Stopped,
            1 => Self::Paused,
            _ => Self::Cut,
        }
    }

    /// Makes it happen; the server is whole when this returns.
    pub fn happen(self, server: &mut Server, random: &mut Random) {
        match self {
            Self::Stopped => {
                server.stop_at_once();
                std::thread::sleep(random.milliseconds(0, 200));
                server.start_again();
            }
            Self::Paused => {
                server.pause();
                std::thread::sleep(random.milliseconds(1_000, 2_500));
                server.go_on();
            }
            Self::Cut => {
                let ours = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pregao'";
                server.sql(ours);
            }
        }
    }
}

/// The venue as a process, and the line to its control.
pub struct VenueProcess {
    /// Where it listens.
    pub address: String,
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl VenueProcess {
    /// Starts it; its ledger is `ledger` in the directory.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(program: &Path, directory: &Path, seed: u64, chaos: u8) -> Result<Self, Trouble> {
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
                child.kill()?;
                child.wait()?;
                return Err("the venue does not start: see venue.log".into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let address = std::fs::read_to_string(&address_file)?;
        Ok(Self { address, child, to, from: BufReader::new(from) })
    }

    /// Sends a signal: stopped in its tracks, a venue neither reads nor writes, and closes nothing.
    ///
    /// # Errors
    /// The system.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// Says a line of control and hears the answer.
    ///
    /// # Errors
    /// It is gone.
    pub fn ask(&mut self, control: &str) -> Result<Value, Trouble> {
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
pub struct Quotes {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Quotes {
    /// Begins.
    ///
    /// # Errors
    /// The file is there already.
    pub fn start(directory: &Path, seed: u64) -> io::Result<Self> {
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
                let nanos = now().as_nanos();
                let price = |cents: i64| format!("{}.{:02}", cents / 100, cents % 100);
                let (bid, ask) = (price(*cents), price(*cents + 1));
                // A line is one write: nobody reads half of it.
                if writeln!(file, "{nanos},{symbol},{bid},{ask},10000,10000").is_err() {
                    return;
                }
                std::thread::sleep(QUOTE_EVERY);
            }
        });
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Quotes {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // It only writes lines: there is nothing in it that could panic.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The clock that venue and program read as well.
pub fn now() -> Timestamp {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_nanos()).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

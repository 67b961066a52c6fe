//! A broker to be tested against: its own process, its own books, its own record.
//!
//! It speaks the bridge protocol (`brokers::bridge`) and keeps every duty of a venue, while it is as
//! slow, untidy and unreliable as its level of chaos says ([`chaos::Chaos`]). It shares no code with
//! `oms` or the simulated exchange, so that it is a witness and not an echo. What it received and did
//! stands in its [`ledger`], which outlives its clients.
//!
//! One thread owns everything; others only bring bytes. Things that happen later wait in one list:
//! fills, late answers, heartbeats. A line of control on standard input:
//!
//! | control | does |
//! |---|---|
//! | `totals` | says what is in the books |
//! | `settle` | ends the chaos: what was late is done, nothing trades any more, every connection is answered; then totals |
//! | `drop` | drops every connection |
//! | `half_open` | lets every connection go silent |
//! | `rest` | from now on orders with a limit rest and do not fill by themselves |
//! | `break_promises` | from now on nothing is cancelled on disconnect, though it is granted as before |
//! | `stop` | totals, and the end; so does the end of the input |

pub mod books;
pub mod chaos;
pub mod ledger;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use brokers::bridge::wire::{
    ClientMessage, Environment, LONGEST_LINE, Lines, OrderReport, PROTOCOL, Role, SubmitOrder, VenueMessage, decode,
    encode,
};
use market::{
    ClientOrderId, ExecutionId, OrderType, Price, Quantity, ReportKind, Side, StatedStatus, Symbol, TimeInForce,
    Timestamp,
};
use serde_json::{Value, json};

use books::{Books, Order};
use chaos::{Chaos, Random};
use ledger::{Event, Ledger};

/// Lines that wait for the one thread; a full queue holds the clients back.
const QUEUE: usize = 1024;
/// A client that takes nothing for this long has left.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);
/// Silent intervals after which a client is taken for dead.
const MISSED_HEARTBEATS: u32 = 3;
/// How often somebody thinks of trading by hand.
const HAND_EVERY: Duration = Duration::from_millis(150);
/// The price of a symbol that nobody has named a price of.
const FIRST_PRICE_CENTS: i64 = 3_000;

/// What a venue is started with.
#[derive(Clone, Debug)]
pub struct VenueSettings {
    /// Of its chances.
    pub seed: u64,
    /// 0 to 3.
    pub chaos: u8,
    /// Where its record goes.
    pub ledger: PathBuf,
}

/// A line of control, and where the answer goes.
pub type Control = (String, SyncSender<Value>);

enum Input {
    Accepted(TcpStream),
    Line { connection: u64, text: Vec<u8> },
    Closed { connection: u64, reason: String },
    Control(Control),
}

/// Something that happens later.
#[derive(Clone, Debug)]
enum Later {
    Send {
        connection: u64,
        line: Vec<u8>,
    },
    Fill {
        order: String,
        quantity: i64,
    },
    End {
        order: String,
        expires: bool,
    },
    Cancel {
        connection: u64,
        id: ClientOrderId,
    },
    Replace {
        connection: u64,
        id: ClientOrderId,
        quantity: Quantity,
        limit_price: Option<Price>,
    },
    Statement {
        connection: u64,
        request: u64,
    },
    Bust {
        execution: ExecutionId,
    },
    Correct {
        execution: ExecutionId,
    },
    Heartbeat {
        connection: u64,
    },
    /// The trading session has been gone for its whole window.
    CancelOnDisconnect,
    Hand,
}

/// How a connection fails without ending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum HalfOpen {
    /// What comes is handled, and nothing is answered.
    Mute,
    /// What comes is lost as well.
    Deaf,
}

struct Connection {
    stream: TcpStream,
    logged_on: bool,
    role: Role,
    login: Option<String>,
    /// Day orders go when it is gone for longer than this.
    window: Option<Duration>,
    heartbeat: Duration,
    heard_at: Instant,
    half_open: Option<HalfOpen>,
}

/// A venue at work.
pub struct Venue {
    address: SocketAddr,
    inputs: Receiver<Input>,
    sender: SyncSender<Input>,
    ledger: Ledger,
    books: Books,
    random: Random,
    chaos: Chaos,
    connections: BTreeMap<u64, Connection>,
    accepted: u64,
    account: Option<String>,
    later: BTreeMap<(Instant, u64), Later>,
    planned: u64,
    settled: bool,
    rests: bool,
    breaks_promises: bool,
    counts: BTreeMap<&'static str, u64>,
    prices: BTreeMap<Symbol, Price>,
}

fn now() -> Timestamp {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_nanos()).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

impl Venue {
    /// Listens on a port of this machine that the system chooses.
    ///
    /// # Errors
    /// No port, or no ledger.
    pub fn open(settings: &VenueSettings) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let mut ledger = Ledger::create(&settings.ledger)?;
        ledger.write(now(), Event::Opened { seed: settings.seed, chaos: settings.chaos })?;
        let (sender, inputs) = sync_channel(QUEUE);
        let accepting = sender.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if accepting.send(Input::Accepted(stream)).is_err() {
                    return;
                }
            }
        });
        let mut venue = Self {
            address,
            inputs,
            sender,
            ledger,
            books: Books::new(now()),
            random: Random::new(settings.seed),
            chaos: Chaos::level(settings.chaos),
            connections: BTreeMap::new(),
            accepted: 0,
            account: None,
            later: BTreeMap::new(),
            planned: 0,
            settled: false,
            rests: false,
            breaks_promises: false,
            counts: BTreeMap::new(),
            prices: BTreeMap::new(),
        };
        if venue.chaos.by_hand > 0 {
            venue.plan(HAND_EVERY, Later::Hand);
        }
        Ok(venue)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where control goes.
    pub fn control(&self) -> impl Fn(Control) -> bool + Send + use<> {
        let sender = self.sender.clone();
        move |control| sender.send(Input::Control(control)).is_ok()
    }

    /// Works until it is told to stop.
    ///
    /// # Errors
    /// The ledger cannot be written: a witness that forgets is none.
    pub fn run(mut self) -> io::Result<()> {
        loop {
            let wait = self
                .later
                .first_key_value()
                .map_or(Duration::from_secs(60), |((due, _), _)| due.saturating_duration_since(Instant::now()));
            match self.inputs.recv_timeout(wait) {
                Ok(Input::Control((line, answer))) => {
                    let stops = line.trim() == "stop";
                    let told = self.obey(line.trim())?;
                    // Whoever asked may have left.
                    let _ = answer.send(told);
                    if stops {
                        return Ok(());
                    }
                }
                Ok(Input::Accepted(stream)) => self.accept(stream)?,
                Ok(Input::Line { connection, text }) => self.line(connection, &text)?,
                Ok(Input::Closed { connection, reason }) => self.close(connection, &reason)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            while let Some(entry) = self.later.first_entry()
                && entry.key().0 <= Instant::now()
            {
                let later = entry.remove();
                self.perform(later)?;
            }
        }
    }

    fn write(&mut self, event: Event) -> io::Result<()> {
        self.ledger.write(now(), event)
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn plan(&mut self, wait: Duration, later: Later) {
        self.planned += 1;
        self.later.insert((Instant::now() + wait, self.planned), later);
    }

    /// Takes everything of a kind out of the list, in the order in which it would have happened.
    fn take_planned(&mut self, matches: impl Fn(&Later) -> bool) -> Vec<Later> {
        let keys: Vec<_> = self.later.iter().filter(|(_, later)| matches(later)).map(|(key, _)| *key).collect();
        keys.iter().filter_map(|key| self.later.remove(key)).collect()
    }

    fn obey(&mut self, control: &str) -> io::Result<Value> {
        match control {
            "totals" | "stop" => {}
            "settle" => self.settle()?,
            "drop" => {
                for connection in self.connections.keys().copied().collect::<Vec<_>>() {
                    self.close(connection, "dropped by control")?;
                }
            }
            "rest" => self.rests = true,
            "break_promises" => self.breaks_promises = true,
            "half_open" => {
                for connection in self.connections.values_mut() {
                    connection.half_open = Some(HalfOpen::Mute);
                }
            }
            other => return Ok(json!({ "error": format!("unknown control '{other}'") })),
        }
        Ok(self.totals())
    }

    /// What is in the books.
    fn totals(&self) -> Value {
        let positions: BTreeMap<String, i64> =
            self.books.positions().map(|(symbol, units)| (symbol.to_string(), units)).collect();
        let open = self.books.open();
        json!({
            "settled": self.settled,
            "counts": self.counts,
            "positions": positions,
            "open_orders": open,
            "executions": self.books.executions().len(),
        })
    }

    fn settle(&mut self) -> io::Result<()> {
        (self.chaos, self.settled) = (Chaos::NONE, true);
        self.take_planned(|later| {
            matches!(
                later,
                Later::Fill { .. } | Later::End { .. } | Later::Bust { .. } | Later::Correct { .. } | Later::Hand
            )
        });
        for later in self.take_planned(|later| !matches!(later, Later::Heartbeat { .. } | Later::CancelOnDisconnect)) {
            self.perform(later)?;
        }
        let silent = |connection: &Connection| connection.half_open.is_some();
        let silent: Vec<u64> =
            self.connections.iter().filter(|(_, connection)| silent(connection)).map(|(number, _)| *number).collect();
        for connection in silent {
            self.close(connection, "settled: a silent connection ends")?;
        }
        self.write(Event::Settled)
    }

    fn accept(&mut self, stream: TcpStream) -> io::Result<()> {
        self.accepted += 1;
        let number = self.accepted;
        self.write(Event::Connected { connection: number })?;
        // A client may be gone before it is greeted.
        let prepared = stream.set_nodelay(true).and_then(|()| stream.set_write_timeout(Some(WRITE_TIMEOUT)));
        let Ok(reading) = prepared.and_then(|()| stream.try_clone()) else {
            return self.write(Event::Closed { connection: number, reason: "gone at once".to_owned() });
        };
        let sender = self.sender.clone();
        std::thread::spawn(move || read(number, reading, &sender));
        let heartbeat = Duration::from_secs(1);
        let connection = Connection {
            stream,
            logged_on: false,
            role: Role::Trading,
            login: None,
            window: None,
            heartbeat,
            heard_at: Instant::now(),
            half_open: None,
        };
        self.connections.insert(number, connection);
        Ok(())
    }

    /// Ends a connection. What was said over it and handled stands; what waits to be sent is lost.
    fn close(&mut self, number: u64, reason: &str) -> io::Result<()> {
        let Some(connection) = self.connections.remove(&number) else { return Ok(()) };
        let _ = connection.stream.shutdown(Shutdown::Both);
        // Duty 7, however it ended.
        if let Some(window) = connection.window {
            self.plan(window, Later::CancelOnDisconnect);
        }
        self.take_planned(|later| match later {
            Later::Send { connection, .. } | Later::Heartbeat { connection } | Later::Statement { connection, .. } => {
                *connection == number
            }
            _ => false,
        });
        self.write(Event::Closed { connection: number, reason: reason.to_owned() })
    }

    fn line(&mut self, number: u64, bytes: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let lost = |reason: &str| Event::Lost { connection: number, text: text.clone(), reason: reason.to_owned() };
        let Some(connection) = self.connections.get_mut(&number) else {
            // Duty 1: nothing more is handled that came over a connection that ended.
            return self.write(lost("its connection had ended"));
        };
        connection.heard_at = Instant::now();
        let (half_open, logged_on) = (connection.half_open, connection.logged_on);
        let message = match decode::<ClientMessage>(bytes) {
            Ok(ClientMessage::Heartbeat) => return Ok(()),
            Ok(message) => message,
            Err(_) => {
                self.count("unreadable");
                return self.write(Event::Unreadable { text });
            }
        };
        self.write(Event::Received { connection: number, text: text.clone() })?;
        if half_open == Some(HalfOpen::Deaf) {
            self.count("lost");
            return self.write(lost("the connection is half open"));
        }
        if let ClientMessage::Logon { .. } = message {
            return self.log_on(number, message);
        }
        if !logged_on {
            self.count("unreadable");
            return self.close(number, "said something before logging on");
        }
        let watches = self.connections.get(&number).is_some_and(|connection| connection.role == Role::Watchdog);
        if watches && !matches!(message, ClientMessage::MassCancel { .. }) {
            self.count("out_of_role");
            return self.close(number, "a watchdog may cancel everything and nothing else");
        }
        if self.random.happens(self.chaos.drop_before) {
            self.count("lost");
            self.write(lost("the connection is dropped"))?;
            return self.close(number, "chaos: dropped before handling");
        }
        if self.random.happens(self.chaos.half_open) {
            self.count("half_open");
            let deaf = self.random.happens(500);
            if let Some(connection) = self.connections.get_mut(&number) {
                connection.half_open = Some(if deaf { HalfOpen::Deaf } else { HalfOpen::Mute });
            }
            if deaf {
                self.count("lost");
                return self.write(lost("the connection is half open"));
            }
        }
        let drops = self.random.happens(self.chaos.drop_after);
        self.handle(number, message)?;
        if drops {
            self.close(number, "chaos: dropped after handling")?;
        }
        Ok(())
    }

    fn log_on(&mut self, number: u64, logon: ClientMessage) -> io::Result<()> {
        let ClientMessage::Logon {
            protocol,
            account,
            heartbeat_milliseconds,
            role,
            login,
            cancel_on_disconnect_seconds: asked,
        } = logon
        else {
            return Ok(());
        };
        let heartbeat = Duration::from_millis(heartbeat_milliseconds);
        let known = self.account.get_or_insert_with(|| account.clone());
        let problem = match () {
            () if protocol != PROTOCOL => Some(format!("protocol {protocol} is not {PROTOCOL}")),
            () if *known != account => Some(format!("account {account} is not {known}")),
            () if heartbeat.is_zero() => Some("a heartbeat of zero".to_owned()),
            () if role == Role::Watchdog && login.is_none() => Some("a watchdog without a login".to_owned()),
            () => None,
        };
        if let Some(reason) = problem {
            self.send(number, &VenueMessage::Refused { reason: reason.clone() }, Duration::ZERO)?;
            self.flush(number)?;
            return self.close(number, &reason);
        }
        self.end_former(number, role, login.as_deref())?;
        self.count(if role == Role::Trading { "logons" } else { "watchdog_logons" });
        self.write(Event::LoggedOn { connection: number, account })?;
        let granted = asked.filter(|_| role == Role::Trading);
        if let Some(connection) = self.connections.get_mut(&number) {
            (connection.logged_on, connection.heartbeat) = (true, heartbeat);
            (connection.role, connection.login) = (role, login);
            connection.window = granted.map(Duration::from_secs);
        }
        self.plan(heartbeat, Later::Heartbeat { connection: number });
        let answer = VenueMessage::LoggedOn {
            environment: Environment::Simulated,
            venue: "test venue".to_owned(),
            cancel_on_disconnect_seconds: granted,
        };
        self.send(number, &answer, Duration::ZERO)?;
        self.flush(number)
    }

    /// Duty 1: what came over the former connection is handled or lost before this one begins.
    fn end_former(&mut self, number: u64, role: Role, login: Option<&str>) -> io::Result<()> {
        let same = |other: &Connection| match (role, other.role) {
            // One that has not said who it is does not last either.
            (Role::Trading, Role::Trading) => true,
            (Role::Watchdog, Role::Watchdog) => other.login.as_deref() == login,
            _ => false,
        };
        let former: Vec<u64> = self
            .connections
            .iter()
            .filter(|(other, one)| **other != number && same(one))
            .map(|(other, _)| *other)
            .collect();
        for other in former {
            self.close(other, "the account logged on again")?;
        }
        if role == Role::Trading {
            // Back: in time, or after what there was to do is done.
            self.take_planned(|later| matches!(later, Later::CancelOnDisconnect));
            for later in self.take_planned(|later| matches!(later, Later::Cancel { .. } | Later::Replace { .. })) {
                self.perform(later)?;
            }
        }
        Ok(())
    }

    fn handle(&mut self, number: u64, message: ClientMessage) -> io::Result<()> {
        let late = self.random.happens(self.chaos.late_command);
        let wait = if late { self.random.milliseconds(1, 60) } else { Duration::ZERO };
        match message {
            ClientMessage::Submit(order) => self.submit(order),
            ClientMessage::Cancel { client_order_id: id } => {
                self.now_or_later(wait, Later::Cancel { connection: number, id })
            }
            ClientMessage::Replace { client_order_id: id, quantity, limit_price } => {
                self.now_or_later(wait, Later::Replace { connection: number, id, quantity, limit_price })
            }
            ClientMessage::Statement { request } => {
                let late = self.random.happens(self.chaos.late_statement);
                let wait = if late { self.random.milliseconds(1, 80) } else { Duration::ZERO };
                self.now_or_later(wait, Later::Statement { connection: number, request })
            }
            ClientMessage::MassCancel { request } => self.mass_cancel(number, request),
            ClientMessage::Logon { .. } | ClientMessage::Heartbeat => Ok(()),
        }
    }

    fn now_or_later(&mut self, wait: Duration, later: Later) -> io::Result<()> {
        if wait.is_zero() {
            return self.perform(later);
        }
        self.plan(wait, later);
        Ok(())
    }

    fn submit(&mut self, order: SubmitOrder) -> io::Result<()> {
        let name = order.client_order_id.to_string();
        if self.books.order(&name).is_some() {
            self.count("duplicates");
            self.write(Event::Duplicate(order.clone()))?;
            let kind = ReportKind::Rejected { reason: "duplicate client order id".to_owned() };
            return self.report(order.client_order_id, order.symbol, kind);
        }
        self.count("orders");
        self.write(Event::Order(order.clone()))?;
        self.books.enter(&order);
        let unsound = !order.quantity.is_positive() || order.order_type.limit_price().is_some_and(|p| p <= Price::ZERO);
        if unsound || self.random.happens(self.chaos.reject) {
            let reason = if unsound { "not a sound order" } else { "chaos: rejected" }.to_owned();
            self.count("rejected");
            self.books.end(&name, StatedStatus::Rejected);
            self.write(Event::Rejected { order: name, reason: reason.clone() })?;
            return self.report(order.client_order_id, order.symbol, ReportKind::Rejected { reason });
        }
        if let Some(price) = order.order_type.limit_price() {
            self.prices.insert(order.symbol, price);
        }
        self.write(Event::Acknowledged { order: name.clone() })?;
        self.report(order.client_order_id, order.symbol, ReportKind::New)?;
        self.plan_life(&order, name)
    }

    /// When and in how many parts an order trades, and whether it ends by itself.
    fn plan_life(&mut self, order: &SubmitOrder, name: String) -> io::Result<()> {
        if self.settled {
            return Ok(());
        }
        let whole = order.quantity.units();
        let at_once = matches!(order.time_in_force, TimeInForce::ImmediateOrCancel | TimeInForce::FillOrKill)
            || order.order_type == OrderType::Market;
        if self.rests && !at_once {
            return Ok(());
        }
        if at_once || !self.random.happens(self.chaos.rests + self.chaos.partial) {
            let wait = if self.chaos == Chaos::NONE { Duration::ZERO } else { self.random.milliseconds(0, 25) };
            return self.now_or_later(wait, Later::Fill { order: name, quantity: whole });
        }
        if self.random.happens(400) {
            // Rests; a part may trade all the same.
            if self.random.happens(300) {
                let wait = self.random.milliseconds(0, 200);
                self.plan(wait, Later::Fill { order: name.clone(), quantity: (whole / 2).max(1) });
            }
        } else {
            let (mut left, mut wait) = (whole, Duration::ZERO);
            while left > 0 {
                let part = if left > 1 { 1 + self.random.below(left.unsigned_abs()) as i64 } else { 1 };
                wait += self.random.milliseconds(0, 60);
                self.plan(wait, Later::Fill { order: name.clone(), quantity: part });
                left -= part;
            }
        }
        if self.random.happens(self.chaos.unsolicited_end) {
            let (wait, expires) = (self.random.milliseconds(0, 120), self.random.happens(500));
            self.plan(wait, Later::End { order: name, expires });
        }
        Ok(())
    }

    fn perform(&mut self, later: Later) -> io::Result<()> {
        match later {
            Later::Send { connection, line } => self.write_line(connection, &line),
            Later::Fill { order, quantity } => self.fill(&order, quantity),
            Later::End { order, expires } => self.end(&order, expires),
            Later::Cancel { id, .. } => self.cancel(id),
            Later::Replace { id, quantity, limit_price, .. } => self.replace(id, quantity, limit_price),
            Later::Statement { connection, request } => self.state(connection, request),
            Later::Bust { execution } => self.bust(&execution),
            Later::Correct { execution } => self.correct(&execution),
            Later::Heartbeat { connection } => self.heartbeat(connection),
            Later::CancelOnDisconnect => self.cancel_on_disconnect(),
            Later::Hand => self.trade_by_hand(),
        }
    }

    /// The price of a trade: the order's own limit, or one tick about where the symbol last was.
    fn price_of(&mut self, order: &Order) -> Price {
        let last = self.prices.get(&order.symbol).copied();
        let last = last.or_else(|| Price::from_cents(FIRST_PRICE_CENTS)).unwrap_or_default();
        let tick = Price::from_cents(1).unwrap_or_default();
        let walked = match self.random.below(3) {
            0 => last.saturating_add(tick),
            1 if last > tick => last - tick,
            _ => last,
        };
        order.limit_price.unwrap_or(walked)
    }

    fn fill(&mut self, name: &str, quantity: i64) -> io::Result<()> {
        let Some(order) = self.books.order(name).filter(|order| order.leaves() > 0).cloned() else { return Ok(()) };
        let price = self.price_of(&order);
        let Some(execution) = self.books.fill(name, quantity, price, now()) else { return Ok(()) };
        self.prices.insert(order.symbol, price);
        self.count("fills");
        self.write(Event::Filled(execution.clone()))?;
        let execution_id = execution.execution_id.clone();
        if self.random.happens(self.chaos.bust) {
            let wait = self.random.milliseconds(5, 300);
            self.plan(wait, Later::Bust { execution: execution_id });
        } else if self.random.happens(self.chaos.correct) {
            let wait = self.random.milliseconds(5, 300);
            self.plan(wait, Later::Correct { execution: execution_id });
        }
        let kind = ReportKind::Fill { execution_id: execution.execution_id, price, quantity: execution.quantity };
        self.report_on(name, order.symbol, kind)
    }

    fn end(&mut self, name: &str, expires: bool) -> io::Result<()> {
        let status = if expires { StatedStatus::Expired } else { StatedStatus::Canceled };
        if !self.books.end(name, status) {
            return Ok(());
        }
        let Some(symbol) = self.books.order(name).map(|order| order.symbol) else { return Ok(()) };
        self.count("unsolicited_ends");
        let order = name.to_owned();
        if expires {
            self.write(Event::Expired { order })?;
            return self.report_on(name, symbol, ReportKind::Expired);
        }
        let reason = "chaos: cancelled by the venue".to_owned();
        self.write(Event::Canceled { order, reason: reason.clone() })?;
        self.report_on(name, symbol, ReportKind::Canceled { reason })
    }

    fn cancel(&mut self, id: ClientOrderId) -> io::Result<()> {
        let name = id.to_string();
        self.count("cancels");
        let refused = self.random.happens(self.chaos.refuse);
        let symbol = self.books.order(&name).map(|order| order.symbol);
        if !refused && self.books.end(&name, StatedStatus::Canceled) {
            self.write(Event::Canceled { order: name, reason: String::new() })?;
            return symbol
                .map_or(Ok(()), |symbol| self.report(id, symbol, ReportKind::Canceled { reason: String::new() }));
        }
        let reason = if refused { "chaos: refused" } else { "too late to cancel" }.to_owned();
        self.write(Event::Refused { order: name, command: "cancel".to_owned(), reason: reason.clone() })?;
        // An order that was never received has no symbol, and nothing to report on.
        symbol.map_or(Ok(()), |symbol| self.report(id, symbol, ReportKind::CancelRejected { reason }))
    }

    /// Duty 7: the session was gone for too long.
    fn cancel_on_disconnect(&mut self) -> io::Result<()> {
        if self.breaks_promises {
            return Ok(());
        }
        self.count("cancels_on_disconnect");
        let goes = |order: &&Order| order.status == StatedStatus::Open && !order.stays;
        let names: Vec<String> = self.books.orders().iter().filter(goes).map(|order| order.name.clone()).collect();
        names.iter().try_for_each(|name| self.take_back(name, "its session is gone"))
    }

    /// Duty 8: everything, whoever placed it; some of it refuses, where chaos has it so.
    fn mass_cancel(&mut self, number: u64, request: u64) -> io::Result<()> {
        self.count("mass_cancels");
        let mut canceled = 0;
        for name in self.books.open() {
            if !self.random.happens(self.chaos.refuse) {
                self.take_back(&name, "mass cancel")?;
                canceled += 1;
            }
        }
        let open = self.books.open().len() as u64;
        self.send(number, &VenueMessage::MassCanceled { request, canceled, open }, Duration::ZERO)?;
        self.flush(number)
    }

    /// Cancels an open order for a reason of the venue's own.
    fn take_back(&mut self, name: &str, reason: &str) -> io::Result<()> {
        if !self.books.end(name, StatedStatus::Canceled) {
            return Ok(());
        }
        let Some(symbol) = self.books.order(name).map(|order| order.symbol) else { return Ok(()) };
        self.write(Event::Canceled { order: name.to_owned(), reason: reason.to_owned() })?;
        self.report_on(name, symbol, ReportKind::Canceled { reason: reason.to_owned() })
    }

    fn replace(&mut self, id: ClientOrderId, quantity: Quantity, limit_price: Option<Price>) -> io::Result<()> {
        let name = id.to_string();
        self.count("replaces");
        let refused = self.random.happens(self.chaos.refuse);
        let symbol = self.books.order(&name).map(|order| order.symbol);
        if !refused && self.books.replace(&name, quantity.units(), limit_price) {
            self.write(Event::Replaced { order: name, quantity, limit_price })?;
            let kind = ReportKind::Replaced { quantity, limit_price };
            return symbol.map_or(Ok(()), |symbol| self.report(id, symbol, kind));
        }
        let reason = if refused { "chaos: refused" } else { "too late to replace" }.to_owned();
        self.write(Event::Refused { order: name, command: "replace".to_owned(), reason: reason.clone() })?;
        symbol.map_or(Ok(()), |symbol| self.report(id, symbol, ReportKind::ReplaceRejected { reason }))
    }

    /// Duty 2: everything before it is handled and told, then the statement is made.
    fn state(&mut self, number: u64, request: u64) -> io::Result<()> {
        let commands = self.take_planned(|later| {
            matches!(later, Later::Cancel { connection, .. } | Later::Replace { connection, .. } if *connection == number)
        });
        for later in commands {
            self.perform(later)?;
        }
        self.flush(number)?;
        self.count("statements");
        let statement = self.books.statement(request, now());
        self.send(number, &VenueMessage::Statement(statement), Duration::ZERO)?;
        self.flush(number)
    }

    fn bust(&mut self, name: &ExecutionId) -> io::Result<()> {
        let Some(execution) = self.books.bust(name) else { return Ok(()) };
        let execution_id = ExecutionId::new(&self.books.name("B"));
        self.count("busts");
        self.write(Event::Busted { execution_id: execution_id.clone(), reference: name.clone() })?;
        let kind = ReportKind::Bust { execution_id, reference: name.clone() };
        self.report_on(&execution.order, execution.symbol, kind)
    }

    fn correct(&mut self, name: &ExecutionId) -> io::Result<()> {
        let Some(price) = self.books.executions().iter().find(|known| known.execution_id == *name).map(|e| e.price)
        else {
            return Ok(());
        };
        let price = price.saturating_add(Price::from_cents(1).unwrap_or_default());
        let Some(execution) = self.books.correct(name, price) else { return Ok(()) };
        self.count("corrections");
        self.write(Event::Corrected { reference: name.clone(), execution: execution.clone() })?;
        let kind = ReportKind::Corrected {
            execution_id: execution.execution_id,
            reference: name.clone(),
            price,
            quantity: execution.quantity,
        };
        self.report_on(&execution.order, execution.symbol, kind)
    }

    /// Somebody at the broker's own terminal buys a lot, or sells what was bought so.
    fn trade_by_hand(&mut self) -> io::Result<()> {
        self.plan(HAND_EVERY, Later::Hand);
        if !self.random.happens(self.chaos.by_hand) {
            return Ok(());
        }
        let mut symbols: Vec<Symbol> = self.prices.keys().copied().collect();
        // And one that no strategy has ever heard of.
        symbols.extend("HAND3".parse::<Symbol>().ok());
        let place = self.random.below(symbols.len() as u64) as usize;
        let Some(symbol) = symbols.get(place).copied() else { return Ok(()) };
        let by_hand = |execution: &&brokers::bridge::wire::WireExecution| {
            execution.symbol == symbol && execution.order.starts_with("HAND")
        };
        let held: i64 =
            self.books.executions().iter().filter(by_hand).map(|e| e.side.sign() * e.quantity.units()).sum();
        let side = if held > 0 && self.random.happens(500) { Side::Sell } else { Side::Buy };
        let name = self.books.name("HAND");
        let (cumulative, status) = (0, StatedStatus::Open);
        let (quantity, limit_price, stays) = (100, None, true);
        let order = Order { name: name.clone(), symbol, side, quantity, limit_price, cumulative, status, stays };
        self.count("hand_orders");
        self.write(Event::HandOrder { order: name.clone() })?;
        let price = self.price_of(&order);
        self.books.enter_as(order);
        if let Some(execution) = self.books.fill(&name, 100, price, now()) {
            self.count("hand_fills");
            self.write(Event::Filled(execution.clone()))?;
            self.tell(&VenueMessage::External { execution })?;
        }
        Ok(())
    }

    /// Reports on an order by its name; orders by hand have no reports.
    fn report_on(&mut self, name: &str, symbol: Symbol, kind: ReportKind) -> io::Result<()> {
        name.parse().map_or(Ok(()), |id| self.report(id, symbol, kind))
    }

    fn report(&mut self, client_order_id: ClientOrderId, symbol: Symbol, kind: ReportKind) -> io::Result<()> {
        self.tell(&VenueMessage::Report(OrderReport { at: now(), client_order_id, symbol, kind }))
    }

    /// Says something to whoever is logged on: now, late, or twice.
    fn tell(&mut self, message: &VenueMessage) -> io::Result<()> {
        let trades = |one: &Connection| one.logged_on && one.role == Role::Trading;
        let Some(number) = self.connections.iter().find(|(_, one)| trades(one)).map(|(number, _)| *number) else {
            return Ok(());
        };
        let late = self.random.happens(self.chaos.late_report);
        let wait = if late { self.random.milliseconds(1, 40) } else { Duration::ZERO };
        self.send(number, message, wait)?;
        if self.random.happens(self.chaos.repeated_report) {
            self.count("repeated_reports");
            let wait = self.random.milliseconds(0, 60);
            self.send(number, message, wait)?;
        }
        Ok(())
    }

    fn send(&mut self, connection: u64, message: &VenueMessage, wait: Duration) -> io::Result<()> {
        let line = encode(message)?;
        self.plan(wait, Later::Send { connection, line });
        Ok(())
    }

    /// Writes what waits for a connection.
    fn flush(&mut self, number: u64) -> io::Result<()> {
        let waiting =
            self.take_planned(|later| matches!(later, Later::Send { connection, .. } if *connection == number));
        for later in waiting {
            self.perform(later)?;
        }
        Ok(())
    }

    fn write_line(&mut self, number: u64, line: &[u8]) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(&number) else { return Ok(()) };
        if connection.half_open.is_some() {
            return Ok(());
        }
        if let Err(error) = connection.stream.write_all(line) {
            return self.close(number, &format!("cannot be written to: {error}"));
        }
        let text = String::from_utf8_lossy(line).trim_end().to_owned();
        self.write(Event::Sent { connection: number, text })
    }

    fn heartbeat(&mut self, number: u64) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(&number) else { return Ok(()) };
        let interval = connection.heartbeat;
        if connection.heard_at.elapsed() > interval * MISSED_HEARTBEATS {
            return self.close(number, "the client was silent for three heartbeats");
        }
        if connection.half_open.is_none() {
            let line = encode(&VenueMessage::Heartbeat)?;
            if let Err(error) = connection.stream.write_all(&line) {
                return self.close(number, &format!("cannot be written to: {error}"));
            }
        }
        self.plan(interval, Later::Heartbeat { connection: number });
        Ok(())
    }
}

/// Brings the lines of a connection until it ends.
fn read(connection: u64, mut stream: TcpStream, sender: &SyncSender<Input>) {
    let (mut lines, mut bytes) = (Lines::new(LONGEST_LINE), vec![0; 16 << 10]);
    let reason = 'ended: loop {
        let count = match stream.read(&mut bytes) {
            Ok(0) => break "closed by the client".to_owned(),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => break error.to_string(),
        };
        lines.add(bytes.get(..count).unwrap_or_default());
        loop {
            match lines.take() {
                Ok(Some(line)) => {
                    if sender.send(Input::Line { connection, text: line.to_vec() }).is_err() {
                        return;
                    }
                }
                Ok(None) => break,
                Err(error) => break 'ended error.to_string(),
            }
        }
    };
    // The venue may have ended first.
    let _ = sender.send(Input::Closed { connection, reason });
}

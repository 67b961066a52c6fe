//! The venue and the bridge against each other: whatever the chaos, what the client was told of its
//! sends is true, what it was told of its orders is in the venue's record, and a statement ends all
//! doubt.

#[path = "../../brokers/tests/simulated/approve.rs"]
mod approve;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use approve::Approver;
use brokers::{BridgeBroker, BridgeSettings, Broker, BrokerEvent, SendError};
use market::order::{CancelOrder, ReplaceOrder};
use market::{
    ClientOrderId, ExecutionId, Instrument, InstrumentId, InstrumentKind, NewOrder, OrderReference, OrderType, Price,
    Quantity, ReportKind, Side, Statement, StrategyId, TimeInForce, Timestamp, Universe,
};
use serde_json::Value;
use tests::venue::chaos::Random;
use tests::venue::ledger::{Event, read};
use tests::venue::{Control, Venue, VenueSettings};

/// Only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(30);
const SYMBOLS: [&str; 2] = ["PETR4", "VALE3"];

fn at() -> Timestamp {
    "2026-11-26T17:00:00Z".parse().expect("a time")
}

/// How sending an order went, as the client was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sent {
    Yes,
    No,
    Unknown,
}

struct Client {
    broker: BridgeBroker,
    approver: Approver,
    woken: Receiver<()>,
    waiting: VecDeque<BrokerEvent>,
    sent: BTreeMap<ClientOrderId, (Sent, NewOrder)>,
    told: BTreeSet<ExecutionId>,
    revoked: BTreeSet<ExecutionId>,
    connections: usize,
}

impl Client {
    fn new(address: String, seed: u64, heartbeat: Duration) -> Self {
        let mut settings = BridgeSettings::new(address, "PAPR");
        settings.heartbeat = heartbeat;
        settings.reconnect_first = Duration::from_millis(1);
        settings.reconnect_most = Duration::from_millis(20);
        settings.jitter_seed = seed;
        let mut universe = Universe::new();
        for symbol in SYMBOLS {
            universe.add(Instrument::cash(symbol.parse().expect("a symbol"), InstrumentKind::Share));
        }
        let mut broker = BridgeBroker::start(settings, Arc::new(universe)).expect("a thread");
        let (sender, woken) = sync_channel(1);
        broker.wake_with(Arc::new(move || {
            // Woken already is woken enough.
            let _ = sender.try_send(());
        }));
        Self {
            broker,
            approver: Approver::new(2),
            woken,
            waiting: VecDeque::new(),
            sent: BTreeMap::new(),
            told: BTreeSet::new(),
            revoked: BTreeSet::new(),
            connections: 0,
        }
    }

    /// Takes in what comes until something is as it should be, or for so long.
    fn until(&mut self, patience: Duration, mut holds: impl FnMut(&mut Self, &BrokerEvent) -> bool) -> bool {
        let give_up = Instant::now() + patience;
        loop {
            let mut events = Vec::new();
            self.broker.poll(at(), &mut events);
            self.waiting.extend(events);
            while let Some(event) = self.waiting.pop_front() {
                self.note(&event);
                if holds(self, &event) {
                    return true;
                }
            }
            let left = give_up.saturating_duration_since(Instant::now());
            if left.is_zero() || self.woken.recv_timeout(left).is_err() {
                return false;
            }
        }
    }

    fn note(&mut self, event: &BrokerEvent) {
        match event {
            BrokerEvent::Connected => self.connections += 1,
            BrokerEvent::Report(report) => {
                let sent = self.sent.get(&report.client_order_id).expect("an order of ours");
                assert_ne!(sent.0, Sent::No, "{report:?} on an order that was never sent");
                match &report.kind {
                    ReportKind::Fill { execution_id, .. } => {
                        self.told.insert(execution_id.clone());
                    }
                    ReportKind::Bust { reference, .. } => {
                        self.revoked.insert(reference.clone());
                    }
                    ReportKind::Corrected { execution_id, reference, .. } => {
                        self.revoked.insert(reference.clone());
                        self.told.insert(execution_id.clone());
                    }
                    _ => {}
                }
            }
            BrokerEvent::Unreadable { text, problem } => panic!("{problem}: {text}"),
            _ => {}
        }
    }

    fn connect(&mut self) {
        if !self.broker.is_connected() {
            let found = self.until(PATIENCE, |client, _| client.broker.is_connected());
            assert!(found, "no connection");
        }
    }

    fn submit(&mut self, order: NewOrder) {
        let outcome = self.broker.submit(&self.approver.order(order), at(), &mut Vec::new());
        let sent = match outcome {
            Ok(()) => Sent::Yes,
            Err(SendError::Refused(_)) => Sent::No,
            Err(SendError::OutcomeUnknown(_)) => Sent::Unknown,
        };
        self.sent.insert(order.client_order_id, (sent, order));
    }

    fn cancel(&mut self, order: &NewOrder) {
        let NewOrder { client_order_id, instrument, decided_at, .. } = *order;
        let cancel = risk::review::approve_cancel(CancelOrder { client_order_id, instrument, decided_at });
        // Refused or not, the venue's record tells what became of it.
        let _ = self.broker.cancel(&cancel, at(), &mut Vec::new());
    }

    fn replace(&mut self, order: &NewOrder) {
        let replace = ReplaceOrder {
            client_order_id: order.client_order_id,
            instrument: order.instrument,
            quantity: order.quantity + Quantity::new(100),
            limit_price: order.order_type.limit_price(),
            decided_at: order.decided_at,
        };
        let _ = self.broker.replace(&self.approver.replace(order, replace), at(), &mut Vec::new());
    }

    /// A statement, asked for until there is one.
    fn statement(&mut self) -> Statement {
        loop {
            self.connect();
            if self.broker.request_statement(at(), &mut Vec::new()).is_err() {
                continue;
            }
            let mut found = None;
            self.until(PATIENCE, |_, event| {
                if let BrokerEvent::Statement(statement) = event {
                    found = Some(statement.clone());
                }
                matches!(event, BrokerEvent::Statement(_) | BrokerEvent::Disconnected { .. })
            });
            if let Some(statement) = found {
                return statement;
            }
        }
    }
}

fn order(random: &mut Random, sequence: u32) -> NewOrder {
    let cents = 3_000 + random.below(200) as i64;
    let limit_price = Price::from_cents(cents).expect("a price");
    let market = random.happens(200);
    NewOrder {
        client_order_id: ClientOrderId::new("PAPR", at().local_date(), sequence).expect("an identifier"),
        strategy: StrategyId(0),
        instrument: InstrumentId::new(random.below(2) as u32),
        side: if random.happens(500) { Side::Buy } else { Side::Sell },
        quantity: Quantity::new(100 * (1 + random.below(5) as i64)),
        order_type: if market { OrderType::Market } else { OrderType::Limit { limit_price } },
        time_in_force: TimeInForce::Day,
        decided_at: at(),
        parent: None,
    }
}

fn open(directory: &Path, seed: u64, chaos: u8) -> (String, impl Fn(&str) -> Value) {
    let venue = Venue::open(&VenueSettings { seed, chaos, ledger: directory.join("ledger") }).expect("a venue");
    let (address, control) = (venue.address().to_string(), venue.control());
    std::thread::spawn(move || venue.run().expect("a ledger"));
    let ask = move |line: &str| {
        let (answer, answered) = sync_channel(1);
        let asked: Control = (line.to_owned(), answer);
        assert!(control(asked));
        answered.recv_timeout(PATIENCE).expect("an answer")
    };
    (address, ask)
}

fn play(seed: u64, chaos: u8) -> Value {
    let directory = tempfile::tempdir().expect("a directory");
    let (address, control) = open(directory.path(), seed, chaos);
    // Only half-open connections need a short one; a busy machine may be late for it.
    let heartbeat = if chaos < 3 { PATIENCE } else { Duration::from_millis(100) };
    let mut client = Client::new(address, seed, heartbeat);
    let mut random = Random::new(seed);
    for sequence in 1..=80 {
        client.connect();
        client.submit(order(&mut random, sequence));
        let earlier = 1 + random.below(u64::from(sequence)) as u32;
        let earlier = order(&mut random, earlier).client_order_id;
        let earlier = client.sent.get(&earlier).expect("an order").1;
        match random.below(8) {
            0 | 1 => client.cancel(&earlier),
            2 if earlier.order_type != OrderType::Market => client.replace(&earlier),
            3 => {
                client.statement();
            }
            _ => {}
        }
        let wait = random.milliseconds(0, 10);
        client.until(wait, |_, _| false);
    }
    control("settle");
    let statement = client.statement();
    let totals = control("stop");
    assert_eq!(totals["settled"], true);

    let entries = read(&directory.path().join("ledger")).expect("a ledger");
    let taken: BTreeMap<ClientOrderId, _> = entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Order(order) => Some((order.client_order_id, order.clone())),
            Event::Duplicate(order) => panic!("{order:?} came twice"),
            Event::Unreadable { text } => panic!("not a message: {text}"),
            _ => None,
        })
        .collect();
    for (id, (sent, order)) in &client.sent {
        match (sent, taken.get(id)) {
            (Sent::No, Some(taken)) => panic!("{taken:?} was taken, and the client was told that it never left"),
            (_, Some(taken)) => assert_eq!((taken.quantity, taken.side), (order.quantity, order.side)),
            (_, None) => {}
        }
        let stated = statement.orders.iter().any(|stated| stated.reference == OrderReference::Own(*id));
        assert_eq!(stated, taken.contains_key(id), "{id}");
    }

    // What was told is stated, and what is stated adds up to the position.
    let stated: BTreeSet<_> = statement.executions.iter().map(|execution| execution.execution_id.clone()).collect();
    let revoked: BTreeSet<_> = statement.revoked.iter().cloned().collect();
    assert!(client.revoked.is_subset(&revoked));
    for told in &client.told {
        assert!(stated.contains(told) != revoked.contains(told), "{told}");
    }
    for (index, symbol) in (0..).zip(SYMBOLS) {
        let instrument = InstrumentId::new(index);
        let own = statement.executions.iter().filter(|execution| execution.instrument == instrument);
        let sum: i64 = own.map(|execution| execution.side.sign() * execution.quantity.units()).sum();
        let held =
            statement.positions.iter().find(|(held, _)| *held == instrument).map_or(0, |(_, units)| units.units());
        assert_eq!(sum, held, "{symbol}");
        assert_eq!(totals["positions"][symbol].as_i64().unwrap_or_default(), held, "{symbol}");
    }
    for order in &statement.orders {
        let executions = statement.executions.iter().filter(|execution| execution.reference == order.reference);
        let traded: i64 = executions.map(|execution| execution.quantity.units()).sum();
        assert_eq!(traded, order.cumulative.units(), "{order:?}");
    }
    if chaos < 2 {
        assert_eq!(client.connections, 1);
        assert!(client.sent.values().all(|(sent, _)| *sent == Sent::Yes));
        assert_eq!(taken.len(), 80);
    }
    totals
}

fn count(totals: &[Value], what: &str) -> u64 {
    totals.iter().map(|totals| totals["counts"][what].as_u64().unwrap_or_default()).sum()
}

#[test]
fn a_calm_venue_fills_everything_at_once() {
    let totals = [play(1, 0)];
    assert_eq!(count(&totals, "orders"), 80);
    assert!(count(&totals, "fills") >= 80);
}

#[test]
fn an_untidy_venue_is_understood() {
    let totals: Vec<Value> = (10..14).map(|seed| play(seed, 1)).collect();
    assert!(count(&totals, "repeated_reports") > 0);
    assert!(count(&totals, "fills") > count(&totals, "orders"), "orders fill in parts");
}

#[test]
fn a_bad_connection_loses_nothing() {
    let totals: Vec<Value> = (20..26).map(|seed| play(seed, 2)).collect();
    assert!(count(&totals, "lost") > 0 && count(&totals, "logons") > 6, "{totals:?}");
    assert!(count(&totals, "rejected") > 0 && count(&totals, "unsolicited_ends") > 0, "{totals:?}");
}

#[test]
fn everything_at_once_is_survived() {
    let totals: Vec<Value> = (30..36).map(|seed| play(seed, 3)).collect();
    assert!(count(&totals, "busts") > 0 && count(&totals, "corrections") > 0, "{totals:?}");
    assert!(count(&totals, "hand_fills") > 0 && count(&totals, "half_open") > 0, "{totals:?}");
}

#[test]
fn an_identifier_that_comes_again_is_seen_and_not_placed() {
    use std::io::{BufRead, BufReader, Write};
    let directory = tempfile::tempdir().expect("a directory");
    let (address, control) = open(directory.path(), 1, 0);
    let mut stream = std::net::TcpStream::connect(address).expect("a connection");
    let order = r#"{"message":"submit","client_order_id":"PAPR-20261126-000001","symbol":"PETR4","side":"buy","quantity":100,"order_type":{"type":"limit","limit_price":"38.10"},"time_in_force":"day","decided_at":"2026-11-26T17:00:00Z"}"#;
    let text = format!(
        "{}\n{order}\n{order}\nnonsense\n{}\n",
        r#"{"message":"logon","protocol":1,"account":"PAPR","heartbeat_milliseconds":60000}"#,
        r#"{"message":"statement","request":1}"#,
    );
    stream.write_all(text.as_bytes()).expect("written");
    let lines = BufReader::new(stream).lines().map(|line| line.expect("a line"));
    let mut told: Vec<String> = Vec::new();
    for line in lines {
        told.push(line);
        if told.last().is_some_and(|line| line.contains("\"statement\"")) {
            break;
        }
    }
    let kinds: Vec<Value> = told.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let kinds: Vec<&str> = kinds.iter().map(|value| value["kind"].as_str().unwrap_or_default()).collect();
    assert_eq!(kinds, ["", "new", "fill", "rejected", ""]);
    let totals = control("stop");
    assert_eq!((&totals["counts"]["duplicates"], &totals["counts"]["orders"]), (&1.into(), &1.into()));
    assert_eq!((&totals["counts"]["unreadable"], &totals["positions"]["PETR4"]), (&1.into(), &100.into()));
    let entries = read(&directory.path().join("ledger")).expect("a ledger");
    assert!(entries.iter().any(|entry| matches!(entry.event, Event::Duplicate(_))));
    assert!(entries.iter().any(|entry| matches!(&entry.event, Event::Unreadable { text } if text == "nonsense")));
}

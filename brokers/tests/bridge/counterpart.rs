//! Both ends of a bridge for tests: a venue that does what the test says, and a client whose events
//! are waited for.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use brokers::bridge::wire::{ClientMessage, Environment, OrderReport, VenueMessage, decode, encode};
use brokers::{BridgeBroker, BridgeSettings, Broker, BrokerEvent, SendError};
use market::order::{CancelOrder, MassCancel, ReplaceOrder};
use market::{
    ClientOrderId, Instrument, InstrumentId, InstrumentKind, NewOrder, OrderType, Price, Quantity, ReportKind, Side,
    StrategyId, TimeInForce, Timestamp, Universe,
};
use risk::disconnect::Terms;

use crate::approve::Approver;

/// Long enough for a busy machine; it only ends a test that hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn at() -> Timestamp {
    "2026-11-26T17:00:00Z".parse().expect("a sound value")
}

pub(crate) fn id(sequence: u32) -> ClientOrderId {
    ClientOrderId::new("PAPR", at().local_date(), sequence).expect("a sound value")
}

pub(crate) fn price(text: &str) -> Price {
    text.parse().expect("a sound value")
}

/// PETR4 and VALE3.
pub(crate) fn universe() -> Arc<Universe> {
    let mut universe = Universe::new();
    for symbol in ["PETR4", "VALE3"] {
        universe.add(Instrument::cash(symbol.parse().expect("a sound value"), InstrumentKind::Share));
    }
    Arc::new(universe)
}

pub(crate) fn order(sequence: u32) -> NewOrder {
    NewOrder {
        client_order_id: id(sequence),
        strategy: StrategyId(0),
        instrument: InstrumentId::new(1),
        side: Side::Buy,
        quantity: Quantity::new(100),
        order_type: OrderType::Limit { limit_price: price("60.10") },
        time_in_force: TimeInForce::Day,
        decided_at: at(),
    }
}

/// A report on an order of VALE3 as the venue says it.
pub(crate) fn report(sequence: u32, kind: ReportKind) -> VenueMessage {
    VenueMessage::Report(OrderReport {
        at: at(),
        client_order_id: id(sequence),
        symbol: "VALE3".parse().expect("a sound value"),
        kind,
    })
}

/// The answer to a logon, without any promise.
pub(crate) fn logged_on(environment: Environment, venue: &str) -> VenueMessage {
    VenueMessage::LoggedOn { environment, venue: venue.to_owned(), cancel_on_disconnect_seconds: None }
}

/// Listens.
pub(crate) struct Venue {
    pub(crate) address: String,
    accepted: Receiver<TcpStream>,
}

impl Venue {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a socket of this machine");
        let address = listener.local_addr().expect("a socket of this machine").to_string();
        let (sender, accepted) = channel();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if sender.send(stream).is_err() {
                    return;
                }
            }
        });
        Self { address, accepted }
    }

    #[track_caller]
    pub(crate) fn accept(&self) -> Peer {
        let stream = self.accepted.recv_timeout(PATIENCE).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket of this machine");
        stream.set_nodelay(true).expect("a socket of this machine");
        Peer { reader: BufReader::new(stream.try_clone().expect("a socket of this machine")), stream }
    }

    /// Accepts and answers the logon.
    #[track_caller]
    pub(crate) fn log_on(&self) -> Peer {
        let mut peer = self.accept();
        assert!(matches!(peer.hear(), ClientMessage::Logon { .. }));
        peer.say(&logged_on(Environment::Simulated, "test"));
        peer
    }
}

/// The venue's end of a connection.
pub(crate) struct Peer {
    reader: BufReader<TcpStream>,
    pub(crate) stream: TcpStream,
}

impl Peer {
    /// The next line.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("a socket of this machine");
        assert!(line.ends_with('\n'), "the client closed the connection: '{line}'");
        line
    }

    /// The next message that is no heartbeat.
    #[track_caller]
    pub(crate) fn hear(&mut self) -> ClientMessage {
        loop {
            let message: ClientMessage = decode(self.line().trim_end().as_bytes()).expect("a sound value");
            if message != ClientMessage::Heartbeat {
                return message;
            }
        }
    }

    pub(crate) fn say(&mut self, message: &VenueMessage) {
        self.raw(&encode(message).expect("a sound value"));
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("a socket of this machine");
    }

    /// The next line; empty once the client has closed the connection.
    pub(crate) fn try_line(&mut self) -> String {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(_) => line,
            Err(_) => String::new(),
        }
    }

    /// Says something to a client that may have gone.
    pub(crate) fn try_raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Reads until the client has closed the connection.
    pub(crate) fn until_closed(mut self) {
        let mut line = String::new();
        while self.reader.read_line(&mut line).is_ok_and(|count| count > 0) {
            line.clear();
        }
    }
}

/// The client's end.
pub(crate) struct Client {
    pub(crate) broker: BridgeBroker,
    approver: Approver,
    woken: Receiver<()>,
    waiting: VecDeque<BrokerEvent>,
}

impl Client {
    pub(crate) fn new(venue: &Venue) -> Self {
        // Slow enough that no test on a busy machine sees silence where it does not mean to.
        Self::with(venue, |settings| settings.heartbeat = PATIENCE)
    }

    pub(crate) fn with(venue: &Venue, change: impl FnOnce(&mut BridgeSettings)) -> Self {
        let mut settings = BridgeSettings::new(&venue.address, "PAPR");
        settings.reconnect_first = Duration::from_millis(1);
        settings.reconnect_most = Duration::from_millis(5);
        settings.connect_timeout = PATIENCE;
        change(&mut settings);
        let mut broker = BridgeBroker::start(settings, universe()).expect("a socket of this machine");
        let (sender, woken) = channel();
        broker.wake_with(Arc::new(move || {
            let _ = sender.send(());
        }));
        Self { broker, approver: Approver::new(2), woken, waiting: VecDeque::new() }
    }

    /// The next event.
    #[track_caller]
    pub(crate) fn next(&mut self) -> BrokerEvent {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return event;
            }
            let mut events = Vec::new();
            self.broker.poll(at(), &mut events);
            self.waiting.extend(events);
            if self.waiting.is_empty() {
                self.woken.recv_timeout(PATIENCE).expect("an event");
            }
        }
    }

    /// Waits until something waits, without taking it.
    #[track_caller]
    pub(crate) fn woken(&self) {
        self.woken.recv_timeout(PATIENCE).expect("something waits");
    }

    /// What the connection was begun with.
    #[track_caller]
    pub(crate) fn connected(&mut self) -> Terms {
        assert_eq!(self.next(), BrokerEvent::Connected);
        assert!(self.broker.is_connected());
        let event = self.next();
        let BrokerEvent::Terms(terms) = event else { panic!("{event:?}") };
        terms
    }

    /// The reason.
    #[track_caller]
    pub(crate) fn disconnected(&mut self) -> String {
        let event = self.next();
        let BrokerEvent::Disconnected { reason } = event else { panic!("{event:?}") };
        // The next connection may have been taken with it.
        assert_eq!(self.broker.is_connected(), self.waiting.contains(&BrokerEvent::Connected));
        reason
    }

    pub(crate) fn submit(&mut self, order: NewOrder) -> Result<(), SendError> {
        self.broker.submit(&self.approver.order(order), at(), &mut Vec::new())
    }

    pub(crate) fn cancel(&mut self, sequence: u32) -> Result<(), SendError> {
        let NewOrder { client_order_id, instrument, decided_at, .. } = order(sequence);
        let cancel = risk::review::approve_cancel(CancelOrder { client_order_id, instrument, decided_at });
        self.broker.cancel(&cancel, at(), &mut Vec::new())
    }

    pub(crate) fn replace(&mut self, sequence: u32, quantity: i64, limit: &str) -> Result<(), SendError> {
        let of = order(sequence);
        let replace = ReplaceOrder {
            client_order_id: of.client_order_id,
            instrument: of.instrument,
            quantity: Quantity::new(quantity),
            limit_price: Some(price(limit)),
            decided_at: at(),
        };
        self.broker.replace(&self.approver.replace(&of, replace), at(), &mut Vec::new())
    }

    pub(crate) fn mass_cancel(&mut self) -> Result<(), SendError> {
        let all = risk::approve_mass_cancel(MassCancel { decided_at: at() });
        self.broker.mass_cancel(&all, at(), &mut Vec::new(), &mut Vec::new())
    }

    pub(crate) fn statement(&mut self) -> Result<(), SendError> {
        self.broker.request_statement(at(), &mut Vec::new())
    }
}

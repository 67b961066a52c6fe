//! What is said over a connection that stands.

use brokers::bridge::wire::{
    ClientMessage, Environment, SubmitOrder, VenueMessage, WireExecution, WirePosition, WireStatement, encode,
};
use brokers::{Broker, BrokerEvent};
use market::{
    ExecutionId, ExecutionReport, InstrumentId, OrderReference, OrderType, Quantity, ReportKind, Side, StatedExecution,
    Statement, TimeInForce,
};
use proptest::prelude::*;

use crate::counterpart::{Client, Peer, Venue, at, id, logged_on, order, price, report};

fn pair() -> (Client, Peer, Venue) {
    let venue = Venue::new();
    let mut client = Client::new(&venue);
    let peer = venue.log_on();
    client.connected();
    (client, peer, venue)
}

fn fill(name: &str) -> ReportKind {
    ReportKind::Fill { execution_id: ExecutionId::new(name), price: price("60.09"), quantity: Quantity::new(100) }
}

fn reported(sequence: u32, kind: ReportKind) -> BrokerEvent {
    BrokerEvent::Report(ExecutionReport {
        at: at(),
        client_order_id: id(sequence),
        instrument: InstrumentId::new(1),
        kind,
    })
}

fn statement(request: u64) -> WireStatement {
    WireStatement {
        request,
        at: at(),
        since: at(),
        orders: Vec::new(),
        executions: Vec::new(),
        revoked: Vec::new(),
        positions: vec![
            WirePosition { symbol: "VALE3".parse().expect("a symbol"), quantity: Quantity::new(300) },
            WirePosition { symbol: "ITUB4".parse().expect("a symbol"), quantity: Quantity::new(-7) },
        ],
    }
}

#[test]
fn commands_arrive_as_they_were_approved() {
    let (mut client, mut peer, _venue) = pair();
    client.submit(order(1)).unwrap();
    client.replace(1, 200, "60.11").unwrap();
    client.cancel(1).unwrap();
    let expected = SubmitOrder {
        client_order_id: id(1),
        symbol: "VALE3".parse().unwrap(),
        side: Side::Buy,
        quantity: Quantity::new(100),
        order_type: OrderType::Limit { limit_price: price("60.10") },
        time_in_force: TimeInForce::Day,
        decided_at: at(),
    };
    assert_eq!(peer.hear(), ClientMessage::Submit(expected));
    let (client_order_id, quantity) = (id(1), Quantity::new(200));
    assert_eq!(peer.hear(), ClientMessage::Replace { client_order_id, quantity, limit_price: Some(price("60.11")) });
    assert_eq!(peer.hear(), ClientMessage::Cancel { client_order_id });
    assert_eq!(client.broker.name(), "bridge");
}

#[test]
fn reports_and_external_executions_come_in_the_order_they_were_said() {
    let (mut client, mut peer, _venue) = pair();
    let execution = WireExecution {
        execution_id: ExecutionId::new("X9"),
        order: "HAND1".to_owned(),
        symbol: "VALE3".parse().unwrap(),
        side: Side::Sell,
        price: price("60.12"),
        quantity: Quantity::new(100),
        at: at(),
    };
    let elsewhere = WireExecution { symbol: "ITUB4".parse().unwrap(), ..execution.clone() };
    peer.say(&report(1, fill("X1")));
    peer.say(&VenueMessage::External { execution: elsewhere });
    peer.say(&VenueMessage::External { execution });
    peer.say(&report(1, ReportKind::New));
    assert_eq!(client.next(), reported(1, fill("X1")));
    assert_eq!(
        client.next(),
        BrokerEvent::External(StatedExecution {
            execution_id: ExecutionId::new("X9"),
            reference: OrderReference::External("HAND1".to_owned()),
            instrument: InstrumentId::new(1),
            side: Side::Sell,
            price: price("60.12"),
            quantity: Quantity::new(100),
            at: at(),
        })
    );
    assert_eq!(client.next(), reported(1, ReportKind::New));
    assert_eq!(client.broker.elsewhere(), 1);
}

#[test]
fn only_the_answer_to_the_latest_request_counts() {
    let (mut client, mut peer, venue) = pair();
    client.statement().unwrap();
    client.statement().unwrap();
    assert_eq!(peer.hear(), ClientMessage::Statement { request: 1 });
    assert_eq!(peer.hear(), ClientMessage::Statement { request: 2 });
    // Out of date, never asked for, right, and repeated: one is taken.
    for request in [1, 3, 2, 2] {
        peer.say(&VenueMessage::Statement(statement(request)));
    }
    peer.say(&report(1, ReportKind::New));
    let expected = Statement {
        at: at(),
        since: at(),
        orders: Vec::new(),
        executions: Vec::new(),
        revoked: Vec::new(),
        positions: vec![(InstrumentId::new(1), Quantity::new(300))],
        elsewhere: vec![("ITUB4".parse().unwrap(), Quantity::new(-7))],
    };
    assert_eq!(client.next(), BrokerEvent::Statement(expected));
    assert_eq!(client.next(), reported(1, ReportKind::New));

    // What was asked over one connection is not answered over the next.
    client.statement().unwrap();
    drop(peer);
    client.disconnected();
    let mut peer = venue.log_on();
    client.connected();
    peer.say(&VenueMessage::Statement(statement(3)));
    client.statement().unwrap();
    assert_eq!(peer.hear(), ClientMessage::Statement { request: 4 });
    peer.say(&report(2, ReportKind::New));
    assert_eq!(client.next(), reported(2, ReportKind::New));
}

#[test]
fn a_bad_line_is_told_and_the_next_one_counts() {
    let (mut client, mut peer, _venue) = pair();
    for (line, words) in [
        ("", "EOF"),
        ("not json", "expected ident"),
        ("{\"message\":\"report\"}", "missing field"),
        ("\u{0}\u{ffff}", "expected value"),
        (&format!("\"{}\"", "ç".repeat(100_000)), "invalid type"),
    ] {
        peer.raw(line.as_bytes());
        peer.raw(b"\n");
        let event = client.next();
        let BrokerEvent::Unreadable { text, problem } = event else { panic!("{event:?}") };
        assert!(problem.contains(words), "{problem}");
        assert!(text.chars().count() <= 201 && problem.chars().count() <= 201);
        peer.say(&report(1, ReportKind::New));
        assert_eq!(client.next(), reported(1, ReportKind::New));
    }
    peer.say(&logged_on(Environment::Simulated, "again"));
    assert!(matches!(client.next(), BrokerEvent::Unreadable { .. }));
    assert!(client.broker.is_connected());
}

proptest! {
    // Each case is a conversation over a socket.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn lines_are_understood_however_the_bytes_come(cuts in proptest::collection::vec(1_usize..40, 1..40)) {
        let (mut client, mut peer, _venue) = pair();
        let mut bytes = Vec::new();
        for sequence in 1..=20 {
            bytes.extend(encode(&report(sequence, fill(&format!("X{sequence}")))).unwrap());
        }
        let mut rest = bytes.as_slice();
        for cut in cuts.iter().cycle() {
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            peer.raw(now);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        for sequence in 1..=20 {
            prop_assert_eq!(client.next(), reported(sequence, fill(&format!("X{sequence}"))));
        }
    }
}

#[test]
fn one_byte_at_a_time_is_a_line_too() {
    let (mut client, mut peer, _venue) = pair();
    for byte in encode(&report(1, fill("X1"))).unwrap() {
        peer.raw(&[byte]);
    }
    assert_eq!(client.next(), reported(1, fill("X1")));
}

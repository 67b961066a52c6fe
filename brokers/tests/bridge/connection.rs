//! How a connection begins, dies and begins again.

use std::net::TcpListener;
use std::time::Duration;

use brokers::bridge::wire::{ClientMessage, Environment, LONGEST_LINE, PROTOCOL, Role, VenueMessage};
use brokers::{BrokerEvent, SendError};
use market::ReportKind;

use crate::counterpart::{Client, PATIENCE, Venue, id, logged_on, order, report};

fn refused(result: Result<(), SendError>, words: &str) {
    match result {
        Err(SendError::Refused(reason)) => assert!(reason.contains(words), "'{words}' is not in '{reason}'"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_line_is_the_logon() {
    let venue = Venue::new();
    let _client = Client::with(&venue, |settings| settings.heartbeat = Duration::from_millis(2500));
    let logon = ClientMessage::Logon {
        protocol: PROTOCOL,
        account: "PAPR".to_owned(),
        heartbeat_milliseconds: 2500,
        role: Role::Trading,
        login: None,
        cancel_on_disconnect_seconds: None,
    };
    assert_eq!(venue.accept().hear(), logon);
}

#[test]
fn nothing_leaves_before_the_owner_knows_of_the_connection() {
    let venue = Venue::new();
    let mut client = Client::new(&venue);
    refused(client.submit(order(1)), "not connected: no connection to 127.0.0.1");
    let mut peer = venue.log_on();
    client.woken();
    refused(client.submit(order(2)), "not connected");
    refused(client.statement(), "not connected");
    client.connected();
    client.submit(order(3)).unwrap();
    let ClientMessage::Submit(sent) = peer.hear() else { panic!("no order") };
    assert_eq!(sent.client_order_id, id(3));

    // The next connection stands, but the end of this one has not been taken: what the owner decides
    // still belongs to this one.
    drop(peer);
    let mut peer = venue.log_on();
    client.woken();
    client.woken();
    refused(client.cancel(3), "not connected");
    assert!(client.disconnected().contains("closed the connection"));
    client.connected();
    client.cancel(3).unwrap();
    assert_eq!(peer.hear(), ClientMessage::Cancel { client_order_id: id(3) });
}

#[test]
fn a_venue_with_real_money_is_left() {
    let venue = Venue::new();
    let mut client = Client::new(&venue);
    let mut peer = venue.accept();
    peer.hear();
    peer.say(&logged_on(Environment::Live, "Corretora"));
    peer.until_closed();
    assert!(client.disconnected().contains("Corretora trades with real money"));
    refused(client.submit(order(1)), "real money");

    // It tries again, says nothing new, and takes the first that simulates.
    let mut peer = venue.accept();
    peer.hear();
    peer.say(&logged_on(Environment::Live, "Corretora"));
    peer.until_closed();
    let _peer = venue.log_on();
    client.connected();
}

#[test]
fn a_venue_that_refuses_or_talks_out_of_turn_is_left() {
    let venue = Venue::new();
    let mut client = Client::new(&venue);
    let mut peer = venue.accept();
    peer.say(&VenueMessage::Refused { reason: "unknown account".to_owned() });
    assert_eq!(client.disconnected(), "the venue refused: unknown account");
    let mut peer = venue.accept();
    peer.say(&report(1, ReportKind::New));
    assert!(client.disconnected().contains("before it answered the logon"));
    let mut peer = venue.accept();
    peer.raw(b"HTTP/1.1 400 Bad Request\r\n");
    assert_eq!(client.disconnected(), "what answered the logon is no venue: 'HTTP/1.1 400 Bad Request\r'");
    let _peer = venue.log_on();
    client.connected();
}

#[test]
fn nobody_there_is_told_once() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let venue = Venue::new();
    let mut client = Client::with(&venue, |settings| settings.address = closed.to_string());
    assert!(client.disconnected().contains("cannot be reached"));
    let mut client = Client::with(&venue, |settings| settings.address = "not an address".to_owned());
    assert!(client.disconnected().contains("cannot be looked up"));
}

#[test]
fn three_heartbeats_of_silence_end_a_connection() {
    let venue = Venue::new();
    let mut client = Client::with(&venue, |settings| settings.heartbeat = Duration::from_millis(50));
    let mut peer = venue.log_on();
    client.connected();
    // Whoever says something in time is alive, whatever it is.
    for _ in 0..8 {
        assert!(peer.line().contains("heartbeat"));
        peer.say(&VenueMessage::Heartbeat);
    }
    assert_eq!(client.disconnected(), "the venue was silent for 3 heartbeats of 50ms");
    peer.until_closed();
    let _peer = venue.log_on();
    client.connected();
}

#[test]
fn a_logon_without_an_answer_ends_in_time() {
    let venue = Venue::new();
    let mut client = Client::with(&venue, |settings| {
        settings.heartbeat = Duration::from_millis(20);
        settings.connect_timeout = Duration::from_millis(100);
    });
    let mut peer = venue.accept();
    // Heartbeats alone are no answer.
    std::thread::spawn(move || {
        while peer.stream.peer_addr().is_ok() {
            let _ = peer.line();
            peer.raw(b"{\"message\":\"heartbeat\"}\n");
        }
    });
    assert!(client.disconnected().contains("did not answer the logon within 100ms"));
}

#[test]
fn a_write_that_hangs_ends_the_connection_and_nothing_is_sent_again() {
    let venue = Venue::new();
    let mut client = Client::with(&venue, |settings| {
        settings.heartbeat = PATIENCE;
        settings.write_timeout = Duration::from_millis(50);
    });
    // Logged on, and then reads nothing more.
    let peer = venue.log_on();
    client.connected();
    let (sent, problem) = (1..1_000_000)
        .find_map(|sequence| client.submit(order(sequence % 900_000 + 1)).err().map(|problem| (sequence, problem)))
        .expect("the buffers fill up");
    // Whether a byte of the last one left depends on the machine; `write` has the exact cases.
    let (SendError::OutcomeUnknown(reason) | SendError::Refused(reason)) = &problem;
    assert!(reason.contains("not taken within 50ms"), "{reason}");
    assert_eq!(matches!(problem, SendError::OutcomeUnknown(_)), reason.contains(" bytes"), "{reason}");
    refused(client.submit(order(999_999)), "not connected");
    client.disconnected();

    // What arrived is whole lines in order, and at most half a line after them.
    let mut received = 0;
    let mut reader = std::io::BufReader::new(peer.stream.try_clone().unwrap());
    let mut line = String::new();
    while std::io::BufRead::read_line(&mut reader, &mut line).is_ok_and(|count| count > 0) && line.ends_with('\n') {
        received += i32::from(line.contains("submit"));
        line.clear();
    }
    assert_eq!(received + 1, i32::try_from(sent).unwrap());
    assert!(reason.contains(" bytes") != line.is_empty(), "'{line}' with {reason}");
    let _peer = venue.log_on();
    client.connected();
}

#[test]
fn a_line_too_long_ends_the_connection() {
    let venue = Venue::new();
    let mut client = Client::new(&venue);
    let mut peer = venue.log_on();
    client.connected();
    let endless = vec![b'x'; 1 << 20];
    // The client may have left before all of it is written.
    let chunks = LONGEST_LINE / endless.len() + 1;
    let _ = (0..chunks).try_for_each(|_| std::io::Write::write_all(&mut peer.stream, &endless));
    assert!(client.disconnected().contains("a line is longer than 16777216 bytes"));
}

#[test]
fn an_owner_that_stands_still_holds_the_venue_back_and_loses_nothing() {
    const REPORTS: u32 = 5_000;
    let venue = Venue::new();
    let mut client = Client::with(&venue, |settings| settings.heartbeat = Duration::from_millis(30));
    let mut peer = venue.log_on();
    client.connected();
    for sequence in 1..=REPORTS {
        peer.say(&report(sequence, ReportKind::New));
    }
    // The venue is silent for far more than three heartbeats, and hears that the client is alive.
    for _ in 0..12 {
        assert!(peer.line().contains("heartbeat"));
    }
    let mut most = 0;
    let mut expected = 1;
    while expected <= REPORTS {
        let mut events = Vec::new();
        brokers::Broker::poll(&mut client.broker, crate::counterpart::at(), &mut events);
        if events.is_empty() {
            client.woken();
        }
        most = most.max(events.len());
        for event in events {
            let BrokerEvent::Report(report) = event else { panic!("{event:?}") };
            assert_eq!(report.client_order_id, id(expected));
            expected += 1;
        }
    }
    assert_eq!(most, 1024, "the queue is full, and no more than that");
}

#[test]
fn dropped_it_leaves() {
    let venue = Venue::new();
    let mut client = Client::new(&venue);
    let peer = venue.log_on();
    client.connected();
    drop(client);
    peer.until_closed();
}

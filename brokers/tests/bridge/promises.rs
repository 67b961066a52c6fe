//! What a session may be begun with, mass cancels, and connections that stand and are dead.

use std::time::Duration;

use brokers::bridge::wire::{ClientMessage, Environment, Role, VenueMessage};
use brokers::{BrokerEvent, MassCanceled};
use market::ReportKind;
use risk::disconnect::{Agreement, Expectation, Terms};

use crate::counterpart::{Client, Peer, Venue, id, logged_on, order, report};

fn granted(seconds: Option<u64>) -> VenueMessage {
    let VenueMessage::LoggedOn { environment, venue, .. } = logged_on(Environment::Simulated, "test") else {
        unreachable!("the answer to a logon")
    };
    VenueMessage::LoggedOn { environment, venue, cancel_on_disconnect_seconds: seconds }
}

/// Answers a logon; the window that was asked for.
fn answer(venue: &Venue, seconds: Option<u64>) -> (Peer, Option<u64>) {
    let mut peer = venue.accept();
    let ClientMessage::Logon { cancel_on_disconnect_seconds: asked, .. } = peer.hear() else { panic!("no logon") };
    peer.say(&granted(seconds));
    (peer, asked)
}

#[test]
fn cancel_on_disconnect_is_asked_for_and_what_is_granted_is_told() {
    let seconds = Duration::from_secs;
    for (asks, grants, agreement) in [
        (None, None, Agreement::None),
        (Some(30), None, Agreement::NotGranted { asked: seconds(30) }),
        (Some(30), Some(10), Agreement::Granted { window: seconds(10) }),
    ] {
        let venue = Venue::new();
        let mut client = Client::with(&venue, |settings| settings.cancel_on_disconnect = asks.map(seconds));
        let (_peer, asked) = answer(&venue, grants);
        assert_eq!(asked, asks);
        assert_eq!(client.connected(), Terms { agreement, expects: Expectation::Nothing });
    }
}

#[test]
fn a_session_that_was_gone_for_longer_than_the_window_expects_its_day_orders_gone() {
    let venue = Venue::new();
    let mut client = Client::with(&venue, |settings| {
        settings.cancel_on_disconnect = Some(Duration::from_secs(5));
        // The venue may take three of these to notice, and a second is margin.
        settings.heartbeat = Duration::from_millis(10);
        // What passes before the next connection is one pause, of at least half of this.
        (settings.reconnect_first, settings.reconnect_most) = (Duration::from_millis(2_400), Duration::from_secs(3));
    });
    let (peer, _) = answer(&venue, Some(0));
    assert_eq!(client.connected().expects, Expectation::Nothing, "nobody knows of a session before it");
    drop(peer);
    let (_peer, _) = answer(&venue, Some(0));
    client.disconnected();
    assert_eq!(client.connected().expects, Expectation::DayOrdersGone);
}

#[test]
fn a_mass_cancel_is_one_message_and_its_answer_one_event() {
    let venue = Venue::new();
    let mut client = Client::with(&venue, |settings| {
        (settings.role, settings.login) = (Role::Watchdog, Some("guard".to_owned()));
    });
    let mut peer = venue.accept();
    let ClientMessage::Logon { role, login, .. } = peer.hear() else { panic!("no logon") };
    assert_eq!((role, login.as_deref()), (Role::Watchdog, Some("guard")));
    peer.say(&granted(None));
    client.connected();
    client.mass_cancel().unwrap();
    assert_eq!(peer.hear(), ClientMessage::MassCancel { request: 1 });
    client.mass_cancel().unwrap();
    assert_eq!(peer.hear(), ClientMessage::MassCancel { request: 2 });
    // The answer to the first says nothing about the second, and none counts twice.
    for (request, canceled, open) in [(1, 7, 9), (2, 2, 1), (2, 0, 0)] {
        peer.say(&VenueMessage::MassCanceled { request, canceled, open });
    }
    assert_eq!(client.next(), BrokerEvent::MassCanceled(MassCanceled { canceled: 2, open: 1 }));
    client.mass_cancel().unwrap();
    assert_eq!(peer.hear(), ClientMessage::MassCancel { request: 3 });
    peer.say(&VenueMessage::MassCanceled { request: 3, canceled: 1, open: 0 });
    assert_eq!(client.next(), BrokerEvent::MassCanceled(MassCanceled { canceled: 1, open: 0 }));
}

#[test]
fn heartbeats_alone_do_not_answer_an_order() {
    let venue = Venue::new();
    let mut client = Client::with(&venue, |settings| {
        (settings.heartbeat, settings.substance) = (Duration::from_millis(100), Duration::from_millis(350));
    });
    let mut peer = venue.log_on();
    client.connected();
    let beat = |peer: &mut Peer, times: u32| {
        for _ in 0..times {
            assert!(peer.line().contains("heartbeat"));
            peer.say(&VenueMessage::Heartbeat);
        }
    };
    // With nothing on its way a connection may be quiet for as long as it likes.
    beat(&mut peer, 6);
    // An answer in time, and quiet again.
    client.submit(order(1)).unwrap();
    assert!(peer.line().contains(&id(1).to_string()));
    peer.say(&report(1, ReportKind::New));
    assert!(matches!(client.next(), BrokerEvent::Report(_)));
    beat(&mut peer, 6);
    client.submit(order(2)).unwrap();
    let alive = std::thread::spawn(move || {
        // For as long as it stands.
        while peer.stream.peer_addr().is_ok() && !peer.try_line().is_empty() {
            peer.try_raw(b"{\"message\":\"heartbeat\"}\n");
        }
    });
    assert!(client.disconnected().contains("said nothing but heartbeats for 350ms"));
    alive.join().unwrap();
    let _peer = venue.log_on();
    client.connected();
}

#[test]
fn a_venue_that_neither_reads_nor_writes_and_does_not_close_is_left() {
    let venue = Venue::new();
    let mut client = Client::with(&venue, |settings| settings.heartbeat = Duration::from_millis(50));
    // Half open: the socket stands, nobody is behind it.
    let peer = venue.log_on();
    client.connected();
    client.submit(order(1)).unwrap();
    assert_eq!(client.disconnected(), "the venue was silent for 3 heartbeats of 50ms");
    let mut next = venue.log_on();
    client.connected();
    client.statement().unwrap();
    assert_eq!(next.hear(), ClientMessage::Statement { request: 1 }, "the order is not sent again");
    drop(peer);
}

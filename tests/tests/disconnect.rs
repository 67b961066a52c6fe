//! What the test venue does when a session is gone, and when it is told to cancel everything: the duties
//! 1, 7 and 8 of `brokers::bridge`, line by line.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::venue::{Control, Venue, VenueSettings};

/// Only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A venue whose orders rest, at a level of chaos.
struct Floor {
    address: String,
    control: Box<dyn Fn(Control) -> bool>,
    _directory: tempfile::TempDir,
}

impl Floor {
    fn open(chaos: u8) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let ledger = directory.path().join("ledger");
        let venue = Venue::open(&VenueSettings { seed: 7, chaos, ledger }).expect("a venue");
        let (address, control) = (venue.address().to_string(), Box::new(venue.control()));
        std::thread::spawn(move || venue.run().expect("a ledger"));
        let floor = Self { address, control, _directory: directory };
        floor.ask("rest");
        floor
    }

    fn ask(&self, line: &str) -> Value {
        let (answer, answered) = sync_channel(1);
        assert!((self.control)((line.to_owned(), answer)));
        answered.recv_timeout(PATIENCE).expect("an answer")
    }

    fn open_orders(&self) -> Vec<String> {
        let totals = self.ask("totals");
        let orders = totals["open_orders"].as_array().cloned().unwrap_or_default();
        orders.iter().map(|name| name.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits until the venue has counted so many of something.
    fn until(&self, what: &str, count: u64) {
        let give_up = Instant::now() + PATIENCE;
        while self.ask("totals")["counts"][what].as_u64().unwrap_or_default() < count {
            assert!(Instant::now() < give_up, "{what} is below {count}: {}", self.ask("totals"));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn log_on(&self, more: &str) -> Session {
        let stream = TcpStream::connect(&self.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket of this machine");
        let reader = BufReader::new(stream.try_clone().expect("a socket of this machine"));
        let mut session = Session { stream, reader, logged_on: Value::Null };
        session.say(&format!(
            r#"{{"message":"logon","protocol":1,"account":"PAPR","heartbeat_milliseconds":60000{more}}}"#
        ));
        session.logged_on = session.hear("logged_on");
        session
    }
}

struct Session {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    logged_on: Value,
}

impl Session {
    fn say(&mut self, line: &str) {
        self.stream.write_all(format!("{line}\n").as_bytes()).expect("written");
    }

    /// The next line; nothing once the venue has closed the connection.
    fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = self.reader.read_line(&mut line).unwrap_or_default();
        (read > 0).then(|| serde_json::from_str(&line).expect("JSON"))
    }

    /// The next message of this kind; others are passed over.
    #[track_caller]
    fn hear(&mut self, message: &str) -> Value {
        loop {
            let line = self.line().expect("the venue closed the connection");
            if line["message"] == message {
                return line;
            }
        }
    }

    fn submit(&mut self, sequence: u32, time_in_force: &str) {
        self.say(&format!(
            r#"{{"message":"submit","client_order_id":"PAPR-20261126-{sequence:06}","symbol":"PETR4","side":"buy","quantity":100,"order_type":{{"type":"limit","limit_price":"38.10"}},"time_in_force":{time_in_force},"decided_at":"2026-11-26T17:00:00Z"}}"#
        ));
        assert_eq!(self.hear("report")["kind"], "new");
    }

    /// One of each time in force that rests; the first two are day orders.
    fn fill_the_book(&mut self) {
        for (sequence, time_in_force) in
            (1..).zip([r#""day""#, r#""at_the_close""#, r#""good_till_cancel""#, r#"{"good_till_date":"2026-12-30"}"#])
        {
            self.submit(sequence, time_in_force);
        }
    }

    fn statuses(&mut self) -> Vec<String> {
        self.say(r#"{"message":"statement","request":1}"#);
        let statement = self.hear("statement");
        let orders = statement["orders"].as_array().cloned().unwrap_or_default();
        orders.iter().map(|order| order["status"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

const WATCHDOG: &str = r#","role":"watchdog","login":"guard""#;

#[test]
fn a_session_that_is_gone_for_longer_than_its_window_loses_its_day_orders_only() {
    let floor = Floor::open(0);
    let mut session = floor.log_on(r#","cancel_on_disconnect_seconds":1"#);
    assert_eq!(session.logged_on["cancel_on_disconnect_seconds"], 1);
    session.fill_the_book();
    drop(session);
    floor.until("cancels_on_disconnect", 1);
    assert_eq!(floor.open_orders(), ["PAPR-20261126-000003", "PAPR-20261126-000004"]);
    // Nobody was there to hear it: the statement tells.
    let mut session = floor.log_on("");
    assert_eq!(session.logged_on["cancel_on_disconnect_seconds"], Value::Null);
    assert_eq!(session.statuses(), ["canceled", "canceled", "open", "open"]);
}

#[test]
fn a_session_that_is_back_in_time_or_never_asked_keeps_everything() {
    let floor = Floor::open(0);
    let mut session = floor.log_on(r#","cancel_on_disconnect_seconds":60"#);
    session.fill_the_book();
    drop(session);
    let mut session = floor.log_on(r#","cancel_on_disconnect_seconds":1"#);
    assert_eq!(session.statuses(), ["open"; 4]);
    // The window counts from when the last one was gone, not from the first.
    drop(session);
    let mut session = floor.log_on("");
    assert_eq!(session.statuses(), ["open"; 4]);
    drop(session);
    let watchdog = floor.log_on(WATCHDOG);
    assert_eq!(watchdog.logged_on["cancel_on_disconnect_seconds"], Value::Null);
    assert_eq!(floor.open_orders().len(), 4);
}

#[test]
fn a_venue_that_breaks_its_promise_does_nothing() {
    let floor = Floor::open(0);
    floor.ask("break_promises");
    let mut session = floor.log_on(r#","cancel_on_disconnect_seconds":0"#);
    assert_eq!(session.logged_on["cancel_on_disconnect_seconds"], 0);
    session.fill_the_book();
    drop(session);
    let mut session = floor.log_on("");
    assert_eq!(session.statuses(), ["open"; 4]);
}

#[test]
fn a_watchdog_cancels_everything_beside_whoever_trades() {
    let floor = Floor::open(0);
    let mut session = floor.log_on("");
    let mut watchdog = floor.log_on(WATCHDOG);
    let mut other = floor.log_on(r#","role":"watchdog","login":"second""#);
    session.fill_the_book();
    watchdog.say(r#"{"message":"mass_cancel","request":5}"#);
    let answer = watchdog.hear("mass_canceled");
    assert_eq!((&answer["request"], &answer["canceled"], &answer["open"]), (&5.into(), &4.into(), &0.into()));
    // The trading session hears of its orders as ever, and has not been ended.
    for _ in 0..4 {
        let report = session.hear("report");
        assert_eq!((&report["kind"], &report["reason"]), (&"canceled".into(), &"mass cancel".into()));
    }
    session.submit(9, r#""day""#);
    session.say(r#"{"message":"mass_cancel","request":1}"#);
    assert_eq!(session.hear("mass_canceled")["canceled"], 1, "whoever trades may do it as well");
    // A second logon of the same login ends the first, and nobody else.
    let mut again = floor.log_on(WATCHDOG);
    assert_eq!(watchdog.line(), None);
    for (request, watchdog) in (1..).zip([&mut again, &mut other]) {
        watchdog.say(&format!(r#"{{"message":"mass_cancel","request":{request}}}"#));
        assert_eq!(watchdog.hear("mass_canceled")["request"], request);
    }
}

#[test]
fn a_watchdog_may_do_nothing_else() {
    let floor = Floor::open(0);
    for line in [
        r#"{"message":"statement","request":1}"#,
        r#"{"message":"cancel","client_order_id":"PAPR-20261126-000001"}"#,
        r#"{"message":"submit","client_order_id":"PAPR-20261126-000001","symbol":"PETR4","side":"buy","quantity":100,"order_type":{"type":"market"},"time_in_force":"day","decided_at":"2026-11-26T17:00:00Z"}"#,
    ] {
        let mut watchdog = floor.log_on(WATCHDOG);
        watchdog.say(line);
        assert_eq!(watchdog.line(), None, "{line}");
    }
    assert_eq!(floor.ask("totals")["counts"]["out_of_role"], 3);
    assert_eq!(floor.ask("totals")["counts"]["orders"], Value::Null);
}

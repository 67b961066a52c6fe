//! Standing by: two daemons with a directory each, one account on one Postgres server. That one which is killed is
//! succeeded without an order twice is what `scripts/failover` shows, and a slice of it in `tests/tests/failover.rs`.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use serde_json::Value;
use store::testing::Server;

use crate::program::{Room, Running, assert_documented};
use crate::run::quotes_file;

/// A port that is free now.
fn port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The two daemons' room: one configuration, a data directory and a port of its own for each.
struct Two {
    room: Room,
    ports: [u16; 2],
    server: Server,
}

impl Two {
    fn start() -> Option<Self> {
        let server = Server::start()?;
        let room = Room::new();
        quotes_file(&room);
        let settings = server.settings("pregao");
        let text = std::fs::read_to_string(room.path("pregao.toml")).unwrap();
        let store = format!("[store]\nkind = \"postgres\"\nurl = \"{}\"\nlease_seconds = 10\n\n", settings.url);
        room.write("pregao.toml", &text.replace("[feed]", &format!("{store}[feed]")));
        Some(Self { room, ports: [port(), port()], server })
    }

    /// A command of one of them.
    fn command(&self, which: usize, arguments: &[&str]) -> std::process::Command {
        let directory = ["one", "two"][which];
        let mut command = self.room.command(&[&["--data-dir", directory], arguments].concat());
        command.env("PREGAO__ADMIN__LISTEN", self.ports[which].to_string());
        command
    }

    fn run(&self, which: usize) -> Running {
        Running::of(self.command(which, &["run", "--standby", "--json"]))
    }

    fn probe(&self, which: usize, what: &str) -> Value {
        let output = self.command(which, &["probe", what, "--json"]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

#[test]
fn one_trades_the_other_waits_and_takes_over_what_the_first_lets_go() {
    let Some(two) = Two::start() else { return };
    let mut first = two.run(0);
    first.until("running");
    assert_eq!(two.probe(0, "ready")["status"], 200, "whoever is alone trades at once");

    // The manager hears that it stands by, and that it goes on asking.
    let manager = UnixDatagram::bind(two.room.path("notify.sock")).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let hear = || {
        let mut bytes = [0; 1024];
        let length = manager.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let mut command = two.command(1, &["run", "--standby", "--json"]);
    command.env("NOTIFY_SOCKET", two.room.path("notify.sock")).env("WATCHDOG_USEC", "1000000");
    let mut second = Running::of(command);
    second.until("standing by");
    assert_eq!(hear(), "READY=1\nSTATUS=standing by: another daemon trades the account\n");
    assert_eq!((hear(), hear()), ("WATCHDOG=1\n".to_owned(), "WATCHDOG=1\n".to_owned()));
    assert_eq!(two.probe(1, "live")["status"], 200);
    let ready = two.probe(1, "ready");
    assert_eq!((&ready["status"], &ready["answer"]["ready"]), (&503.into(), &false.into()), "{ready}");
    assert!(ready["answer"]["reasons"][0].as_str().unwrap().starts_with("standing by"), "{ready}");

    // What the file says at the takeover counts.
    let text = std::fs::read_to_string(two.room.path("pregao.toml")).unwrap();
    two.room.write("pregao.toml", &text.replace("max_order_quantity = 20000", "max_order_quantity = 777"));
    first.terminate();
    assert_eq!(first.end().done().json()["stopped"], "SIGTERM");
    second.until("taking it over");
    second.until("running");
    assert_eq!(two.probe(1, "ready")["status"], 200);
    let shown = two.command(1, &["config", "show", "--json"]).output().unwrap();
    assert!(String::from_utf8_lossy(&shown.stdout).contains("777"), "{shown:?}");

    // The other way round: and one that only stood by ends without a trace.
    let mut third = two.run(0);
    third.until("standing by");
    third.terminate();
    let told = third.end().done().json();
    assert_documented(&told, &["run"]);
    assert_eq!((&told["stopped"], &told["standby"]), (&"SIGTERM".into(), &true.into()));
    second.terminate();
    second.end().done();
}

#[test]
fn a_file_that_cannot_be_used_at_the_takeover_gives_the_account_back() {
    let Some(two) = Two::start() else { return };
    let mut first = two.run(0);
    first.until("running");
    let mut second = two.run(1);
    second.until("standing by");
    let text = std::fs::read_to_string(two.room.path("pregao.toml")).unwrap();
    two.room.write("pregao.toml", &text.replace("max_order_quantity = 20000", "max_order_quantity = \"many\""));
    // Told when it is asked to look, and again when it matters.
    second.signal("HUP");
    second.until("could not be taken over with");
    first.terminate();
    first.end().done();
    second.end().failed(2, &["max_order_quantity"]);
    // Nobody waits for a lease: it was given back.
    two.room.write("pregao.toml", &text);
    let mut third = two.run(0);
    third.until("running");
    third.terminate();
    third.end().done();
}

#[test]
fn a_server_that_goes_and_comes_back_is_waited_for() {
    let Some(mut two) = Two::start() else { return };
    let mut first = two.run(0);
    first.until("running");
    let mut second = two.run(1);
    second.until("standing by");
    two.server.stop_at_once();
    second.until("the store does not answer");
    let ready = two.probe(1, "ready");
    assert_eq!(ready["status"], 503, "{ready}");
    // Killed, so that its lease has to run out.
    drop(first);
    two.server.start_again();
    second.until("taking it over");
    second.until("running");
    second.terminate();
    second.end().done();
}

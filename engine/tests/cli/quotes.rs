//! Hot quotes on a Redis server of the test's own: shown by the daemon, which goes on without it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use store::testing::RedisServer;

use crate::program::Room;
use crate::run::{append, now, quotes_file};

/// Only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The example on a file of quotes, shown on a Redis server at this URL.
fn room_with(url: &str, more: &str) -> Room {
    let room = Room::new();
    quotes_file(&room);
    let text = std::fs::read_to_string(room.path("pregao.toml")).unwrap();
    let text = text.replace("poll_milliseconds = 10", "poll_milliseconds = 10\ndelay = \"realtime\"");
    room.write("pregao.toml", &format!("{text}\n[quotes]\nstore = \"redis\"\nurl = \"{url}\"\n{more}"));
    room
}

/// The hash of a symbol, once its bid is this.
fn shown(server: &RedisServer, bid: &str) -> BTreeMap<String, String> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let hash: BTreeMap<String, String> = server.ask("HGETALL pregao:quote:PETR4");
        if hash.get("bid").is_some_and(|shown| shown == bid) {
            return hash;
        }
        assert!(Instant::now() < give_up, "never shown: {bid}; {hash:?}");
        std::thread::yield_now();
    }
}

#[test]
fn the_daemon_shows_quotes_on_redis_and_goes_on_without_it() {
    let Some(mut server) = RedisServer::start() else { return };
    let url = format!("redis+unix://{}", server.socket().display());
    let room = room_with(&url, "time_to_live_seconds = 600");
    let checked = room.pregao(&["check"]).done();
    assert!(checked.out.contains(&format!("Quotes   Redis at {}", server.socket().display())), "{}", checked.out);
    append(&room, "ts,symbol,bid,ask,bid_size,ask_size\n");

    // Not there at the start, either: no reason not to start.
    server.kill();
    let mut daemon = room.start(&["run"]);
    daemon.until("hot quotes are not published");
    daemon.until("running");
    append(&room, &format!("{},PETR4,15.00,15.01,100,200\n", now()));
    server.start_again();
    daemon.until("hot quotes are published again");
    let hash = shown(&server, "15.00");
    let field = |name: &str| hash[name].as_str();
    assert_eq!((field("ask"), field("bid_size"), field("ask_size")), ("15.01", "100", "200"));
    assert_eq!((field("source"), field("delay"), field("sequence")), ("quotes_file", "realtime", "1"));
    let left: i64 = server.ask("PTTL pregao:quote:PETR4");
    assert!((1..=600_000).contains(&left), "{left}");

    // It stands still: the daemon takes in what comes and ends when it is told to.
    server.pause();
    append(&room, &format!("{},PETR4,15.02,15.03,100,100\n", now()));
    append(&room, "what is this\n");
    daemon.until("line 4");
    let state = room.pregao(&["status", "--json"]).done().json();
    assert_eq!(state["running"], true, "{state}");
    server.go_on();
    shown(&server, "15.02");
    server.pause();
    daemon.terminate();
    let told = daemon.end().done();
    assert!(told.out.starts_with("Stopped: SIGTERM."), "{}", told.out);
}

#[test]
fn a_file_that_cannot_be_read_keeps_it_from_starting() {
    for (url, key) in [("redis://localhost", "password_file"), ("rediss://localhost", "ca_file")] {
        let room = room_with(url, &format!("{key} = \"nowhere\""));
        room.pregao(&["run"]).failed(2, &[&format!("quotes.{key}: nowhere cannot be read")]);
    }
}

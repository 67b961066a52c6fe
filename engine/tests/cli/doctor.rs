//! `doctor` in rooms where one thing is broken: that line says so and what to do, and no other changes.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;

use serde_json::Value;
use store::testing::{RedisServer, Server};

use crate::program::{Room, Told, assert_documented};
use crate::run::quotes_file;

/// Checks by name (and of what), with result, what was found and the fix.
type Lines = BTreeMap<String, [String; 3]>;

fn lines(told: &Told) -> Lines {
    let document = told.json();
    assert_documented(&document, &["doctor"]);
    let checks = document["checks"].as_array().unwrap();
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let name = |check: &Value| match check["of"].as_str() {
        Some(of) => format!("{}: {of}", text(check, "check")),
        None => text(check, "check"),
    };
    checks.iter().map(|check| (name(check), ["result", "found", "fix"].map(|key| text(check, key)))).collect()
}

/// Whoever looks at the machine's clock finds another one on every machine.
fn but_clock(mut lines: Lines) -> Lines {
    lines.remove("clock").unwrap();
    lines
}

fn doctor(room: &Room) -> Told {
    room.pregao(&["doctor", "--json"])
}

/// A room in which a daemon has run on an empty history.
fn room() -> Room {
    let room = Room::new().with_samples();
    quotes_file(&room);
    let mut daemon = room.start(&["run"]);
    daemon.until("running");
    daemon.terminate();
    daemon.end().done();
    room
}

fn configure(room: &Room, more: &str) {
    let text = fs::read_to_string(room.path("pregao.toml")).unwrap();
    room.write("pregao.toml", &format!("{text}\n{more}"));
}

#[track_caller]
fn is(lines: &Lines, name: &str, result: &str, found: &str, fix: &str) {
    let line = lines.get(name).unwrap_or_else(|| panic!("no line '{name}': {lines:#?}"));
    assert!(line[0] == result && line[1].contains(found) && line[2].contains(fix), "{name}: {line:?}");
}

#[test]
fn a_sound_room_has_nothing_that_failed_beside_a_daemon_too() {
    let room = room();
    let lines = lines(&doctor(&room));
    for (name, result, found) in [
        ("configuration", "ok", "valid"),
        ("data directory", "ok", "pregao-data can be written"),
        ("disk", "ok", " free"),
        ("daemon", "ok", "none runs"),
        ("ledger", "ok", "reachable"),
        ("journal: PAPR", "ok", "whole"),
        ("lease", "not configured", "lock"),
        ("history: storage", "ok", "SQLite"),
        // The samples end in 2017.
        ("history: coverage", "warning", "up to 2017-12-28"),
        ("calendar", "ok", "days"),
        ("broker", "not configured", "simulated"),
        ("hot quotes", "not configured", "daemon only"),
        ("alerts", "not configured", "log only"),
        ("sources", "not configured", "nothing is collected"),
        ("admin interface", "not configured", "none"),
        ("attestation", "not configured", "every build"),
    ] {
        is(&lines, name, result, found, "");
    }
    let mut daemon = room.start(&["run"]);
    daemon.until("running");
    let told = doctor(&room);
    is(&self::lines(&told), "daemon", "ok", "runs and can trade", "");
    daemon.terminate();
    daemon.end().done();
    // People see the same, and the exit code follows the worst line.
    let shown = room.pregao(&["doctor"]);
    assert!(shown.out.contains("history: coverage") && shown.out.contains("not configured"), "{}", shown.out);
    let failed = told.json()["failures"].as_u64().unwrap() > 0;
    assert_eq!(shown.code, Some(if failed { 1 } else { 3 }));
}

#[test]
fn each_broken_thing_is_told_on_its_line_with_what_to_do_and_changes_no_other() {
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = deaf.local_addr().unwrap();
    drop(deaf);
    let bridge = |room: &Room| {
        let text = fs::read_to_string(room.path("pregao.toml")).unwrap();
        let (before, rest) = text.split_once("[broker]").unwrap();
        let (_, after) = rest.split_once("\n\n").unwrap();
        let broker = format!("[broker]\nname = \"bridge\"\naddress = \"{closed}\"\n\n");
        room.write("pregao.toml", &format!("{before}{broker}{after}"));
    };
    let redis = "[quotes]\nstore = \"redis\"\nurl = \"redis+unix:///nowhere/redis.sock\"\n";
    let collect = "[sources]\ncertificates = \"nowhere.pem\"\n[sources.alpha_vantage]\nsecret_file = \"nowhere\"\n\
                   [[collect]]\nname = \"daily\"\nsource = \"b3_cotahist\"\nat = \"20:45\"\n";
    let admin = "[admin]\nlisten = 8443\ncertificate_file = \"c.pem\"\nkey_file = \"k.pem\"\n";
    let hash = "0".repeat(64);
    let attest = format!("[attestation]\nbuilds = [\"{hash}\"]\n");
    type Break<'a> = &'a dyn Fn(&Room);
    /// Name, what breaks it, the line, its result, what is found, the fix.
    type Case<'a> = (Break<'a>, &'a str, &'a str, &'a str, &'a str);
    let cases: [Case<'_>; 9] = [
        (&bridge, "broker", "failed", "refused", "start the bridge"),
        (&|room| configure(room, redis), "hot quotes", "failed", "/nowhere/redis.sock", ""),
        (&|room| configure(room, "[alerts]\nwebhook_file = \"nowhere\"\n"), "alerts", "failed", "nowhere", "URL"),
        (&|room| configure(room, admin), "admin interface", "failed", "c.pem cannot be read", "admin.certificate_file"),
        (&|room| configure(room, &attest), "attestation", "failed", "", "approve"),
        (&|room| room.write("pregao-data/halt", ""), "data directory: halt file", "warning", "stop_new", "take "),
        (
            &|room| fs::remove_file(room.path("pregao-data/history.db")).unwrap(),
            "history",
            "failed",
            "does not exist",
            "",
        ),
        (&|room| configure(room, collect), "sources: certificates", "failed", "nowhere.pem", "sources.certificates"),
        (
            &|room| {
                let database = rusqlite::Connection::open(room.path("pregao-data/pregao.db")).unwrap();
                database.execute("UPDATE journal SET payload = '{}' WHERE sequence = 1", []).unwrap();
            },
            "journal: PAPR",
            "failed",
            "entry 1 is not what was written",
            "",
        ),
    ];
    let room = room();
    let sound = but_clock(lines(&doctor(&room)));
    let keep = |name: &str| fs::read(room.path(name)).unwrap();
    let files = ["pregao.toml", "pregao-data/pregao.db", "pregao-data/history.db"];
    let before: Vec<Vec<u8>> = files.iter().map(|name| keep(name)).collect();
    for (break_it, name, result, found, fix) in cases {
        break_it(&room);
        let told = doctor(&room);
        let broken = but_clock(lines(&told));
        is(&broken, name, result, found, fix);
        if result == "failed" {
            assert_eq!(told.code, Some(1), "{told:?}");
            assert!(!broken[name][2].is_empty(), "{name} has no fix: {broken:#?}");
        }
        let subject = name.split(':').next().unwrap();
        for (other, line) in &sound {
            // A history that is gone takes the ledger's check along: they are one store.
            let same = other.starts_with(subject)
                || ["sources", "collections", "admin", "configuration"].iter().any(|of| other.starts_with(of))
                || name == "history";
            assert!(same || other == "disk" || broken.get(other) == Some(line), "{name} changed {other}: {broken:#?}");
        }
        for (name, bytes) in files.iter().zip(&before) {
            fs::write(room.path(name), bytes).unwrap();
        }
        let _ = fs::remove_file(room.path("pregao-data/halt"));
    }
}

#[test]
fn without_a_configuration_or_a_directory_there_is_still_an_answer() {
    let room = Room::new();
    let told = doctor(&room);
    assert_eq!(told.code, Some(1), "{told:?}");
    is(&lines(&told), "configuration", "failed", "pregao.toml", "pregao check");
    quotes_file(&room);
    let lines = lines(&doctor(&room));
    is(&lines, "data directory", "failed", "does not exist", "import history");
    assert!(!room.path("pregao-data").exists(), "looking makes nothing");
}

#[test]
fn servers_answer_and_are_told_when_they_are_gone() {
    let (Some(mut postgres), Some(mut redis)) = (Server::start(), RedisServer::start()) else { return };
    let room = Room::new();
    quotes_file(&room);
    let text = fs::read_to_string(room.path("pregao.toml")).unwrap();
    let url = postgres.settings("pregao").url;
    let store = format!("[store]\nkind = \"postgres\"\nurl = \"{url}\"\n\n[feed]");
    room.write("pregao.toml", &text.replace("[feed]", &store));
    configure(&room, &format!("[quotes]\nstore = \"redis\"\nurl = \"redis+unix://{}\"\n", redis.socket().display()));
    let mut daemon = room.start(&["run"]);
    daemon.until("running");
    let well = lines(&doctor(&room));
    is(&well, "ledger", "ok", "reachable", "");
    is(&well, "lease", "ok", "held by", "");
    is(&well, "hot quotes", "ok", "takes writes", "");
    is(&well, "history: storage", "ok", "B", "");
    assert_eq!(redis.ask::<Vec<String>>("KEYS pregao:quotes:check"), Vec::<String>::new());
    daemon.terminate();
    daemon.end().done();
    is(&lines(&doctor(&room)), "lease", "ok", "free", "");
    postgres.stop_at_once();
    redis.kill();
    let gone = lines(&doctor(&room));
    for name in ["ledger", "history", "hot quotes"] {
        is(&gone, name, "failed", "", "");
        assert!(!gone[name][2].is_empty(), "{gone:#?}");
    }
}

#[test]
fn the_interface_has_a_certificate_and_somebody_who_can_stop_trading() {
    let room = room();
    configure(&room, "[admin]\nlisten = 1\n");
    let before = lines(&doctor(&room));
    is(&before, "admin interface", "ok", "made at the first start", "");
    is(&before, "admin users", "warning", "nobody can log in", "pregao users add");
    room.pregao(&["users", "add", "ana", "--role", "viewer"]).done();
    is(&lines(&doctor(&room)), "admin users", "warning", "nobody can stop", "");
    room.pregao(&["users", "add", "rui", "--role", "operator"]).done();
    is(&lines(&doctor(&room)), "admin users", "ok", "1 of them", "");
}

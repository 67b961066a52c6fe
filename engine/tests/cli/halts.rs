//! Stopping and leading out again, with the real program: every way in, every scope, and who may.

use desk::Entry;
use market::StrategyId;
use risk::{Latch, Rule};
use store::{EmbeddedStore, Journal, JournalEntry};

use crate::program::{Room, Running, assert_documented};
use crate::run::quotes_file;

fn room() -> Room {
    let room = Room::new();
    quotes_file(&room);
    room
}

fn running(room: &Room) -> Running {
    let mut daemon = room.start(&["run", "--json"]);
    daemon.until("running");
    daemon
}

/// Scopes that are not active, with their levels.
#[track_caller]
fn standing(room: &Room, expected: &[(&str, &str)]) {
    let status = room.pregao(&["status", "--json"]);
    let status = if expected.is_empty() { status.done() } else { status.failed(3, &[]) }.json();
    assert_documented(&status, &["status"]);
    let found = status["halts"].as_array().unwrap().clone();
    let found: Vec<(&str, &str)> =
        found.iter().map(|halt| (halt["scope"].as_str().unwrap(), halt["level"].as_str().unwrap())).collect();
    assert_eq!(found, expected, "{status}");
}

/// Looks until the status is so: a file or a signal is heard by a thread of the daemon.
#[track_caller]
fn comes_to_stand(room: &Room, expected: &[(&str, &str)]) {
    for _ in 0..200 {
        let halts = room.pregao(&["status", "--json"]).json()["halts"].clone();
        if halts.as_array().is_some_and(|halts| halts.len() == expected.len()) {
            break;
        }
    }
    standing(room, expected);
}

#[test]
fn a_person_stops_a_running_daemon_and_it_stays_stopped_until_a_named_person_resumes() {
    let room = room();
    let told = ["kill", "--by", "Ana", "--reason", "strange fills", "--json"];
    room.pregao(&told).failed(1, &["no daemon listens", "nothing was stopped"]);
    let mut daemon = running(&room);
    let killed = room.pregao(&told).done().json();
    assert_documented(&killed, &["kill"]);
    assert_eq!((&killed["now"], &killed["by"]), (&"stop_new".into(), &"Ana".into()));
    daemon.until("strange fills");
    assert_eq!(room.pregao(&["status", "--json"]).failed(3, &[]).json()["halt"], "stop_new");
    daemon.terminate();
    assert_eq!(daemon.end().done().json()["halt"], "stop_new");

    let mut again = running(&room);
    again.until("a halt is in force");
    let shown = room.pregao(&["status"]).failed(3, &[]).out;
    assert!(shown.contains("HALTED global at stop_new") && shown.contains("by Ana: strange fills"), "{shown}");
    room.pregao(&["resume", "--by", " ", "--reason", "x"]).failed(2, &["--by is empty"]);
    room.pregao(&["resume", "--by", "Ana", "--reason", ""]).failed(2, &["--reason is empty"]);
    let resumed = room.pregao(&["resume", "--by", "Ana", "--reason", "explained", "--json"]).done().json();
    assert_documented(&resumed, &["resume"]);
    assert_eq!((&resumed["before"], &resumed["now"]), (&"stop_new".into(), &"active".into()));
    standing(&room, &[]);
    room.pregao(&["resume", "--by", "Ana", "--reason", "explained"]).failed(1, &["nothing is halted"]);
    again.terminate();
    assert_eq!(again.end().done().json()["halt"], "active");
    standing(&room, &[]);
}

#[test]
fn stopping_needs_neither_a_name_nor_a_reason_nor_a_daemon_and_takes_any_scope() {
    let room = room();
    room.pregao(&["kill", "--scope", "PETR4"]).failed(2, &["symbol:PETR4"]);
    let mut daemon = running(&room);
    let killed = room.pregao(&["kill", "--json", "--reason", " ", "--scope", "symbol:PETR4", "--action", "cancel_all"]);
    let killed = killed.done().json();
    assert_eq!(killed["reason"], "no reason given");
    assert!(!killed["by"].as_str().unwrap().is_empty());
    room.pregao(&["kill", "--scope", "strategy:of another day"]).failed(3, &[]);
    // Milder on top changes nothing.
    assert_eq!(room.pregao(&["kill", "--scope", "symbol:PETR4", "--json"]).done().json()["now"], "cancel_all");
    standing(&room, &[("symbol:PETR4", "cancel_all"), ("strategy:of another day", "stop_new")]);
    assert_eq!(room.pregao(&["status", "--json"]).json()["halt"], "active");
    daemon.until("of another day");
    daemon.terminate();
    daemon.end().done();

    let killed = room.pregao(&["kill", "--by", "Rui", "--scope", "broker", "--json"]).done().json();
    assert_documented(&killed, &["kill"]);
    assert_eq!((&killed["now"], &killed["running"]), (&"stop_new".into(), &false.into()));
    let expected = [("broker", "stop_new"), ("strategy:of another day", "stop_new"), ("symbol:PETR4", "cancel_all")];
    standing(&room, &expected);
    let mut again = running(&room);
    again.until("symbol:PETR4");
    standing(&room, &[expected[0], expected[2], expected[1]]);
    let resume = |scope: &str| room.pregao(&["resume", "--by", "Ana", "--reason", "over", "--scope", scope]);
    resume("symbol:PETR4").done();
    resume("symbol:PETR4").failed(1, &["symbol:PETR4 is active"]);
    standing(&room, &[expected[0], expected[1]]);
    again.terminate();
    again.end().done();
    resume("strategy:of another day").done();
    resume("global").failed(1, &["global is active"]);
    standing(&room, &[("broker", "stop_new")]);
    // Without a scope: all that stops the program as a whole.
    room.pregao(&["resume", "--by", "Ana", "--reason", "over"]).done();
    standing(&room, &[]);
}

#[test]
fn leaving_a_severe_halt_takes_a_second_person_where_the_configuration_says_so() {
    let room = room();
    let text = std::fs::read_to_string(room.path("pregao.toml")).unwrap();
    room.write("pregao.toml", &text.replace("[risk]", "[halt]\nsecond_person = true\n\n[risk]"));
    let resume = |by: &str, more: &[&str]| {
        let mut arguments = vec!["resume", "--by", by, "--reason", "looked at it", "--json"];
        arguments.extend(more);
        room.pregao(&arguments)
    };
    // Of a running daemon and of one that has ended.
    let mut daemon = Some(running(&room));
    for _ in 0..2 {
        room.pregao(&["kill"]).done();
        resume("Ana", &[]).done();
        room.pregao(&["kill", "--action", "cancel_all"]).done();
        let proposed = resume("Ana", &[]).failed(3, &[]).json();
        assert_documented(&proposed, &["resume"]);
        assert_eq!((&proposed["now"], &proposed["proposed"][0][0]), (&"cancel_all".into(), &"global".into()));
        resume("ana ", &[]).failed(1, &["a second, different person"]);
        standing(&room, &[("global", "cancel_all")]);
        let lifted = resume("Rui", &[]).done().json();
        assert_eq!((&lifted["now"], &lifted["lifted"][0][1]), (&"active".into(), &"cancel_all".into()));
        standing(&room, &[]);
        // Both in one breath, and they are two.
        room.pregao(&["kill", "--action", "flatten", "--scope", "symbol:PETR4"]).done();
        resume("Ana", &["--scope", "symbol:PETR4", "--second", "Ana"]).failed(1, &["different person"]);
        resume("Ana", &["--scope", "symbol:PETR4", "--second", "Rui"]).done();
        standing(&room, &[]);
        if let Some(mut daemon) = daemon.take() {
            daemon.until("Ana and Rui");
            daemon.terminate();
            daemon.end().done();
        }
    }
}

#[test]
fn a_file_in_the_data_directory_stops_and_goes_on_stopping_as_long_as_it_lies_there() {
    let room = room();
    let mut daemon = running(&room);
    room.write("pregao-data/halt", "");
    comes_to_stand(&room, &[("global", "stop_new")]);
    room.pregao(&["resume", "--by", "Ana", "--reason", "x"]).failed(1, &["halt lies there", "take it away first"]);
    room.write("pregao-data/halt", "scope = symbol:PETR4\naction = cancel_all\nby = Rui\nreason = a strange book\n");
    daemon.until("a strange book");
    standing(&room, &[("global", "stop_new"), ("symbol:PETR4", "cancel_all")]);
    std::fs::remove_file(room.path("pregao-data/halt")).unwrap();
    // Latched.
    room.pregao(&["resume", "--by", "Ana", "--reason", "x"]).done();
    standing(&room, &[("symbol:PETR4", "cancel_all")]);
    daemon.terminate();
    daemon.end().done();

    // It is there at the start, too, and a stopped daemon is not resumed over it.
    room.write("pregao-data/halt", "action = flatten");
    room.pregao(&["resume", "--by", "Ana", "--reason", "x"]).failed(1, &["take it away first"]);
    let again = running(&room);
    standing(&room, &[("global", "flatten"), ("symbol:PETR4", "cancel_all")]);
    again.terminate();
    assert_eq!(again.end().done().json()["halt"], "flatten");
}

#[test]
fn a_stopped_daemon_is_led_out_of_what_a_rule_of_repetition_has_stopped() {
    let room = room();
    let ended = || {
        let daemon = running(&room);
        daemon.terminate();
        daemon.end().done();
    };
    ended();
    // As a burst of rejections would have left it.
    let latched = |strategy: StrategyId| {
        let account = "PAPR".parse().unwrap();
        let mut journal = EmbeddedStore::open(&room.path("pregao-data")).unwrap().journal().unwrap();
        let at = market::Timestamp::from_nanos(1_700_000_000_000_000_000);
        let latch = Latch { at, seen: 3, limit: 3 };
        let entry = Entry::Latched { rule: Rule::Rejects, strategy, instrument: None, latch };
        let entry = JournalEntry {
            account,
            sequence: journal.last_sequence(account).unwrap() + 1,
            at,
            kind: entry.kind().into(),
            payload: serde_json::to_string(&entry).unwrap(),
        };
        journal.append(&[entry]).unwrap();
    };
    let resume = |scope: &str| {
        room.pregao(&["resume", "--scope", scope, "--by", "Ana", "--reason", "the venue was down", "--json"])
    };
    let nothing = ["no rule of repetition has stopped it"];
    resume("strategy:trend").failed(1, &nothing);
    latched(StrategyId(0));
    resume("strategy:reversion").failed(1, &nothing);
    let lifted = resume("strategy:trend").done().json();
    assert_documented(&lifted, &["resume"]);
    assert_eq!(lifted["lifted"], serde_json::json!([["strategy:trend", "active"]]));
    resume("strategy:trend").failed(1, &nothing);
    // Under a halt, both are lifted at once.
    latched(StrategyId(0));
    room.pregao(&["kill", "--scope", "strategy:trend"]).done();
    assert_eq!(resume("strategy:trend").done().json()["before"], "stop_new");
    resume("strategy:trend").failed(1, &nothing);
    standing(&room, &[]);
    room.pregao(&["db", "verify"]).done();
    // Nor does the next daemon know of it.
    let daemon = running(&room);
    resume("strategy:trend").failed(1, &nothing);
    daemon.terminate();
    daemon.end().done();
}

#[test]
fn signals_stop_a_daemon_and_leave_it_running() {
    let room = room();
    let mut daemon = running(&room);
    daemon.signal("USR1");
    daemon.until("SIGUSR1");
    comes_to_stand(&room, &[("global", "stop_new")]);
    daemon.signal("USR2");
    daemon.until("SIGUSR2");
    standing(&room, &[("global", "cancel_all")]);
    daemon.terminate();
    assert_eq!(daemon.end().done().json()["stopped"], "SIGTERM");
    standing(&room, &[("global", "cancel_all")]);
}

#[test]
fn flatten_shows_what_it_would_do_before_it_does_it() {
    let room = room();
    room.pregao(&["flatten", "--dry-run"]).failed(1, &["no daemon listens"]);
    let daemon = running(&room);
    let shown = room.pregao(&["flatten", "--dry-run", "--json"]).done().json();
    assert_documented(&shown, &["flatten"]);
    assert_eq!(shown["plan"]["closings"], serde_json::json!([]));
    standing(&room, &[]);
    let told = room.pregao(&["flatten", "--by", "Ana", "--reason", "enough", "--json"]).done().json();
    assert_documented(&told, &["flatten"]);
    assert_eq!((&told["now"], &told["plan"]["cancels"]), (&"flatten".into(), &serde_json::json!([])));
    standing(&room, &[("global", "flatten")]);
    drop(daemon);
    // Killed, it left a socket behind that nobody listens on.
    let told = room.pregao(&["flatten", "--scope", "symbol:PETR4", "--json"]).done().json();
    assert_eq!((&told["running"], &told["now"]), (&false.into(), &"flatten".into()));
    standing(&room, &[("global", "flatten"), ("symbol:PETR4", "flatten")]);
}

#[test]
fn in_doubt_a_start_is_halted_and_a_person_leads_out_of_it() {
    for damage in [
        "UPDATE halt SET level = 'active'",
        "UPDATE halt SET scope = 'symbol:PETR4'",
        "UPDATE halt SET digest = zeroblob(32)",
    ] {
        let room = room();
        let daemon = running(&room);
        room.pregao(&["kill", "--scope", "strategy:some"]).failed(3, &[]);
        daemon.terminate();
        daemon.end().done();
        rusqlite::Connection::open(room.path("pregao-data/pregao.db")).unwrap().execute(damage, []).unwrap();
        standing(&room, &[("global", "halted")]);
        let mut again = running(&room);
        again.until("the halt state cannot be read");
        standing(&room, &[("global", "halted")]);
        again.terminate();
        again.end().done();
        room.pregao(&["resume", "--by", "Ana", "--reason", "a disk that was replaced"]).done();
        standing(&room, &[]);
        let healed = running(&room);
        standing(&room, &[]);
        healed.terminate();
        assert_eq!(healed.end().done().json()["halt"], "active");
    }
}

#[test]
fn a_configuration_that_somebody_is_editing_keeps_nobody_from_stopping() {
    let room = room();
    let daemon = running(&room);
    let good = std::fs::read_to_string(room.path("pregao.toml")).unwrap();
    room.write("pregao.toml", &format!("{good}\ngarbage = ["));
    let killed = room.pregao(&["kill", "--by", "Ana"]).failed(3, &[]);
    assert!(killed.out.contains("Stopped (stop_new)") && killed.out.contains("--data-dir"), "{killed:?}");
    let told = Room::new();
    told.write("pregao.toml", "garbage = [");
    told.pregao(&["kill"]).failed(2, &["NOTHING WAS STOPPED", "--data-dir"]);
    room.write("pregao.toml", &good);
    standing(&room, &[("global", "stop_new")]);
    daemon.terminate();
    daemon.end().done();
}

#[test]
fn a_scope_that_names_nothing_is_not_told_as_a_stop_and_small_letters_are_the_same_symbol() {
    let room = room();
    let daemon = running(&room);
    for scope in ["strategy:nope", "symbol:XXXX1"] {
        let told = room.pregao(&["kill", "--scope", scope]).failed(3, &[]);
        assert!(told.out.contains("NOTHING TRADES UNDER") && !told.out.contains("Stopped"), "{told:?}");
    }
    room.pregao(&["kill", "--scope", "symbol:petr4"]).done();
    standing(&room, &[("symbol:PETR4", "stop_new"), ("strategy:nope", "stop_new"), ("symbol:XXXX1", "stop_new")]);
    daemon.terminate();
    daemon.end().done();
}

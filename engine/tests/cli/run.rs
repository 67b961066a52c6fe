//! `run`: the daemon, from its start to its end, and what it finds when it starts again.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::program::{Room, assert_documented};

/// The example, on quotes that another program appends to a file.
pub(crate) fn quotes_file(room: &Room) {
    room.pregao(&["init"]).done();
    let text = std::fs::read_to_string(room.path("pregao.toml")).unwrap();
    let (before, rest) = text.split_once("[feed]").unwrap();
    let (_, after) = rest.split_once("[[strategy]]").unwrap();
    let feed = "[feed]\nkind = \"quotes_file\"\npath = \"quotes.csv\"\npoll_milliseconds = 10\n\n[[strategy]]";
    let text = format!("{before}{feed}{after}");
    room.write("pregao.toml", &text);
    room.pregao(&["check"]).failed(2, &["strategy[0].listen", "this feed brings quotes only"]);
    room.write("pregao.toml", &text.replace("execution = \"auction\"", "execution = \"limit\"\nlisten = \"quotes\""));
}

/// Nanoseconds since 1970, as the file has them.
pub(crate) fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

pub(crate) fn append(room: &Room, lines: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(room.path("quotes.csv")).unwrap();
    file.write_all(lines.as_bytes()).unwrap();
}

#[test]
fn a_replay_ends_by_itself_and_goes_on_where_it_ended() {
    let room = Room::new().with_samples();
    room.pregao(&["init"]).done();
    let told = room.pregao(&["run", "--json"]).done();
    let first = told.json();
    assert_documented(&first, &["run"]);
    assert_eq!(first["stopped"], "end of the replay");
    assert!(first["orders"].as_u64().unwrap() > 5, "{first}");
    assert_eq!((&first["orders"], &first["open_orders"]), (&first["fills"], &0.into()));
    assert!(told.err.contains("recovered") && told.err.contains("running"), "{}", told.err);

    // What was traded once is not traded again.
    room.pregao(&["run", "--json"]).failed(1, &["the journal has come to the end of the replay", "--data-dir"]);

    // The same configuration from the start, in another directory, gives the same.
    let again = Room::new().with_samples();
    again.pregao(&["init"]).done();
    let second = again.pregao(&["run", "--json"]).done().json();
    assert_eq!((&second["fingerprint"], &second["equity"]), (&first["fingerprint"], &first["equity"]));
}

#[test]
fn a_replay_in_two_parts_keeps_what_the_first_part_left() {
    let room = Room::new().with_samples();
    room.pregao(&["init"]).done();
    let text = std::fs::read_to_string(room.path("pregao.toml")).unwrap();
    room.write("half.toml", &text.replace("to = \"2017-12-28\"", "to = \"2017-09-29\""));
    let half = room.pregao(&["-c", "half.toml", "run", "--json"]).done().json();
    let rest = room.pregao(&["run", "--json"]).done();
    assert!(!rest.err.contains("entries=0"), "the second part recovers: {}", rest.err);
    let rest = rest.json();
    assert_eq!(rest["halt"], "active");
    let orders = |document: &serde_json::Value| document["orders"].as_u64().unwrap();
    assert!(orders(&half) > 0 && orders(&rest) > 0);

    let whole = Room::new().with_samples();
    whole.pregao(&["init"]).done();
    let whole = whole.pregao(&["run", "--json"]).done().json();
    assert_eq!(orders(&half) + orders(&rest), orders(&whole), "a stop in between changes nothing");
    let fills = |document: &serde_json::Value| document["fills"].as_u64().unwrap();
    assert_eq!(fills(&half) + fills(&rest), fills(&whole));
    assert_eq!(rest["equity"], whole["equity"]);
}

#[test]
fn a_halt_outlives_the_run_until_a_named_person_resumes() {
    let room = Room::new().with_samples();
    room.pregao(&["init"]).done();
    let text = std::fs::read_to_string(room.path("pregao.toml")).unwrap();
    let text = text.replace("max_daily_loss = \"50000.00\"", "max_daily_loss = \"500.00\"");
    room.write("first.toml", &text.replace("to = \"2017-12-28\"", "to = \"2017-08-31\""));
    room.write("pregao.toml", &text);
    let halted = room.pregao(&["-c", "first.toml", "run", "--json"]).done().json();
    assert_eq!(halted["halt"], "reducing");
    assert!(halted["orders"].as_u64().unwrap() > 0);

    room.write("second.toml", &text.replace("to = \"2017-12-28\"", "to = \"2017-10-31\""));
    let still = room.pregao(&["-c", "second.toml", "run", "--json"]).done();
    assert!(still.err.contains("a halt is in force") && still.err.contains("daily_loss"), "{}", still.err);
    assert_eq!(still.json()["halt"], "reducing");
    assert!(still.json()["denials"]["halted"].as_u64().unwrap() > 0, "{}", still.out);

    room.pregao(&["resume", "--by", "Ana"]).failed(2, &["--reason"]);
    room.pregao(&["resume", "--by", " ", "--reason", "x"]).failed(2, &["--by is empty"]);
    let resumed = room.pregao(&["resume", "--by", "Ana", "--reason", "loss understood", "--json"]).done().json();
    assert_documented(&resumed, &["resume"]);
    assert_eq!((&resumed["before"], &resumed["now"]), (&"reducing".into(), &"active".into()));
    let told = room.pregao(&["run", "--json"]).done();
    assert!(!told.err.contains("a halt is in force"), "{}", told.err);
    assert!(told.json()["orders"].as_u64().unwrap() > 0, "{}", told.out);
}

#[test]
fn the_daemon_follows_a_file_stops_when_told_and_recovers() {
    let room = Room::new();
    quotes_file(&room);
    let mut first = room.start(&["run", "--json"]);
    first.until("running");

    append(&room, "ts,symbol,bid,ask,bid_size,ask_size\n");
    // One of yesteryear, one of a symbol that no strategy names, one that counts.
    append(&room, "2017-12-20T13:00:00Z,PETR4,15.00,15.01,100,100\n");
    append(&room, &format!("{0},OTHER3,1.00,1.01,1,1\n{0},PETR4,15.00,15.01,100,100\n", now()));
    // A line that cannot be read is skipped and told, so by then those before it have been taken in.
    append(&room, "what is this\n");
    first.until("line 5");

    // One writer to a data directory. Readers work beside it.
    let holder = format!("process {}", first.id());
    let second = room.pregao(&["run", "--json"]).failed(1, &["pregao-data is in use by", &holder]);
    assert!(second.json()["error"].as_str().unwrap().contains(&holder));
    room.pregao(&["data", "status"]).done();
    assert!(room.pregao(&["replay", "--all"]).done().out.contains("nothing was decided"));

    first.terminate();
    let told = first.end().done();
    let document = told.json();
    assert_documented(&document, &["run"]);
    assert_eq!(document["stopped"], "SIGTERM");
    assert_eq!(document["events"], 1, "{document}");
    assert_eq!((&document["equity"], &document["halt"]), (&1_000_000.0.into(), &"active".into()));
    let status = room.pregao(&["status", "--json"]).done().json();
    assert_documented(&status, &["status"]);
    assert_eq!((&status["running"], &status["equity"]), (&false.into(), &1_000_000.0.into()));
    let verified = room.pregao(&["db", "verify", "--json"]).done().json();
    assert_documented(&verified, &["db verify"]);
    assert_eq!((&verified["intact"], &verified["accounts"][0]["account"]), (&true.into(), &"PAPR".into()));

    let mut again = room.start(&["run"]);
    again.until("recovered");
    again.until("running");
    again.terminate();
    let told = again.end().done();
    let recovered = told.err.lines().find(|line| line.contains("recovered")).unwrap();
    assert!(!recovered.contains("entries=0 "), "the journal of the first run is read: {recovered}");
    assert!(told.out.starts_with("Stopped: SIGTERM."), "{}", told.out);
}

#[test]
fn a_killed_daemon_leaves_a_directory_that_the_next_one_takes_up() {
    let room = Room::new();
    quotes_file(&room);
    let mut first = room.start(&["run"]);
    first.until("running");
    // Dropped, it is killed: no time to put anything away.
    drop(first);
    let mut second = room.start(&["run", "--json"]);
    second.until("running");
    second.terminate();
    assert_eq!(second.end().done().json()["stopped"], "SIGTERM");
}

#[test]
fn a_journal_that_was_changed_is_found_and_nothing_starts_on_it() {
    let room = Room::new();
    quotes_file(&room);
    let mut first = room.start(&["run"]);
    first.until("running");
    first.terminate();
    first.end().done();
    room.pregao(&["db", "migrate", "--json"]).done();
    let database = room.path("pregao-data/pregao.db");
    let change = "UPDATE journal SET payload = replace(payload, 'PETR4', 'VALE3') WHERE sequence = 1";
    rusqlite::Connection::open(database).unwrap().execute(change, []).unwrap();
    let told =
        room.pregao(&["db", "verify", "--json"]).failed(1, &["entry 1 is not what was written", "restore a backup"]);
    assert_eq!(told.json()["intact"], false);
    room.pregao(&["run"]).failed(1, &["entry 1 is not what was written"]);
}

#[test]
fn a_difference_is_accepted_by_a_named_person_only() {
    let room = Room::new();
    quotes_file(&room);
    room.pregao(&["data", "status"]);
    let mut first = room.start(&["run"]);
    first.until("running");
    first.terminate();
    first.end().done();
    room.pregao(&["resume", "--symbol", "PETR4", "--by", "Ana"]).failed(2, &["--reason"]);
    let resume = ["resume", "--symbol", "PETR4", "--by", "Ana", "--reason", "bought by hand", "--json"];
    let told = room.pregao(&resume).done().json();
    assert_documented(&told, &["resume"]);
    assert_eq!((&told["accepted"], &told["by"]), (&"PETR4".into(), &"Ana".into()));
    let mut again = room.start(&["run"]);
    again.until("running");
    again.terminate();
    again.end().done();
}

#[test]
fn a_run_without_history_says_what_to_import() {
    let room = Room::new();
    room.pregao(&["init"]).done();
    let told = room.pregao(&["run", "--json"]).failed(1, &["there is no history of PETR4", "pregao data import"]);
    assert!(told.json()["error"].as_str().unwrap().contains("PETR4"));
}

//! A configuration that is changed while the daemon runs: all of it or nothing, by one person or two, stored and
//! audited. What no output may show, and what may trade at all.

use serde_json::Value;
use store::testing::Server;

use crate::program::{Room, Running, Told, assert_documented, told};
use crate::run::quotes_file;

fn set(room: &Room, from: &str, to: &str) {
    let text = std::fs::read_to_string(room.path("pregao.toml")).unwrap();
    assert!(text.contains(from), "{from}");
    room.write("pregao.toml", &text.replace(from, to));
}

fn started(room: &Room) -> Running {
    let mut daemon = room.start(&["run", "--json"]);
    daemon.until("running");
    daemon
}

fn reload(room: &Room, by: &str, more: &[&str]) -> Told {
    room.pregao(&[&["reload", "--by", by, "--reason", "less room today", "--json"], more].concat())
}

/// What the running daemon has in force.
fn in_force(room: &Room, key: &str) -> (u64, String, String) {
    let shown = room.pregao(&["config", "show", "--json"]).done().json();
    assert_documented(&shown, &["config show"]);
    assert_eq!(shown["running"], true);
    let line = shown["keys"].as_array().unwrap().iter().find(|line| line["key"] == key).unwrap().clone();
    let text = |name: &str| line[name].as_str().unwrap().to_owned();
    (shown["version"].as_u64().unwrap(), text("value"), text("origin"))
}

/// Who did what, and what came of it.
fn audit(room: &Room) -> Vec<(String, String, String)> {
    let file = rusqlite::Connection::open(room.path("pregao-data/pregao.db")).unwrap();
    let mut rows = file.prepare("SELECT who, action || ' ' || target, outcome FROM audit ORDER BY number").unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_limit_is_lowered_in_a_running_daemon_and_rolled_back() {
    let room = Room::new();
    quotes_file(&room);
    reload(&room, "Ana", &[]).failed(1, &["no daemon listens", "nothing was changed"]);
    let daemon = started(&room);
    assert_eq!(reload(&room, "Ana", &[]).done().json()["outcome"], "unchanged");
    room.pregao(&["reload", "--by", "Ana"]).failed(2, &["--reason"]);
    reload(&room, " ", &[]).failed(2, &["--by is empty"]);

    set(&room, "max_order_quantity = 20000", "max_order_quantity = 10000");
    let differs = room.pregao(&["config", "diff", "--json"]).done().json();
    assert_documented(&differs, &["config diff"]);
    assert_eq!(differs["differences"][0]["key"], "risk.max_order_quantity");
    let dry = reload(&room, "Ana", &["--dry-run"]).done().json();
    assert_eq!((&dry["outcome"], &dry["version"], &dry["needs_second"]), (&"dry_run".into(), &1.into(), &false.into()));
    assert_eq!(in_force(&room, "risk.max_order_quantity").1, "20000");
    let applied = reload(&room, "Ana", &[]).done().json();
    assert_documented(&applied, &["reload"]);
    assert_eq!((&applied["outcome"], &applied["version"]), (&"applied".into(), &2.into()));
    assert_eq!(applied["limits"][0]["raises"], false);
    assert_eq!(in_force(&room, "risk.max_order_quantity").1, "10000");

    // Raising needs nobody else here, because nothing demands it.
    let back = ["config", "rollback", "1", "--by", "Rui", "--reason", "it was a mistake", "--json"];
    let back = room.pregao(&back).done().json();
    assert_eq!((&back["version"], &back["limits"][0]["raises"]), (&3.into(), &true.into()));
    let (version, value, origin) = in_force(&room, "risk.max_order_quantity");
    assert_eq!((version, value.as_str()), (3, "20000"));
    assert!(origin.starts_with("version 1:"), "{origin}");
    room.pregao(&["config", "rollback", "9", "--by", "Rui", "--reason", "x"]).failed(1, &["there is no version 9"]);

    let history = room.pregao(&["config", "history", "--json"]).done().json();
    assert_documented(&history, &["config history"]);
    let told: Vec<(u64, &str, &str)> = history["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| (v["version"].as_u64().unwrap(), v["author"].as_str().unwrap(), v["reason"].as_str().unwrap()))
        .collect();
    let start = "configuration at the start";
    assert_eq!(told, [(3, "Rui", "it was a mistake"), (2, "Ana", "less room today"), (1, "start", start)]);
    assert!(room.pregao(&["config", "history"]).done().out.contains("it was a mistake"));

    daemon.terminate();
    daemon.end().done();
    // What was changed stands in the journal, and can be replayed and verified.
    let verified = room.pregao(&["db", "verify", "--json"]).done().json();
    assert_documented(&verified, &["db verify"]);
    assert_eq!(verified["audits"][0]["intact"], true);
    let file = rusqlite::Connection::open(room.path("pregao-data/pregao.db")).unwrap();
    let entries: Vec<String> = file
        .prepare("SELECT payload FROM journal WHERE kind = 'limits' ORDER BY sequence")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(entries.len() == 2 && entries[0].contains("\"max_order_quantity\":10000"), "{entries:?}");
    let apply = |target: &str| format!("configuration.apply {target}");
    let row = |who: &str, target: &str, outcome: &str| (who.to_owned(), apply(target), outcome.to_owned());
    assert_eq!(
        audit(&room),
        [
            row("start", "version 1", "done"),
            row("Ana", "file", "done"),
            row("Ana", "file", "done"),
            row("Ana", "file", "done"),
            row("Rui", "version 1", "done"),
            row("Rui", "version 9", "denied"),
        ]
    );
}

#[test]
fn what_was_put_in_force_holds_over_a_restart_until_the_file_changes() {
    let room = Room::new();
    quotes_file(&room);
    set(&room, "max_order_quantity = 20000", "max_order_quantity = 10000");
    let daemon = started(&room);
    set(&room, "max_order_quantity = 10000", "max_order_quantity = 20000");
    reload(&room, "Ana", &[]).done();
    // In the night somebody goes back to what held before, and the daemon starts anew.
    room.pregao(&["config", "rollback", "1", "--by", "Rui", "--reason", "too much"]).done();
    daemon.terminate();
    daemon.end().done();
    let mut daemon = started(&room);
    assert_eq!(in_force(&room, "risk.max_order_quantity"), (3, "10000".to_owned(), "version 3".to_owned()));
    // A file that nobody has touched changes nothing, whoever sends signals.
    daemon.signal("HUP");
    daemon.until("outcome=Unchanged");
    // One that somebody has touched counts again.
    set(&room, "max_order_quantity = 20000", "max_order_quantity = 15000");
    daemon.signal("HUP");
    daemon.until("outcome=Applied");
    let (version, value, origin) = in_force(&room, "risk.max_order_quantity");
    assert_eq!((version, value.as_str()), (4, "15000"));
    assert!(origin.starts_with("pregao.toml:"), "{origin}");
    let (who, ..) = audit(&room).pop().unwrap();
    assert_eq!(who, "SIGHUP");
    daemon.terminate();
    daemon.end().done();
}

#[test]
fn what_is_wrong_or_needs_a_restart_is_refused_as_a_whole() {
    let room = Room::new();
    quotes_file(&room);
    let mut daemon = started(&room);
    set(&room, "max_order_quantity = 20000", "max_order_quantity = 10000");
    set(&room, "slippage_ticks = 1", "slippage_ticks = 2");
    let refused = reload(&room, "Ana", &[]).failed(1, &["broker.slippage_ticks: 1 -> 2", "needs a restart"]);
    assert!(refused.json()["error"].as_str().unwrap().contains("nothing was changed"));
    assert_eq!(in_force(&room, "risk.max_order_quantity").1, "20000");
    room.pregao(&["config", "diff"]).done();

    set(&room, "slippage_ticks = 2", "slippage_ticks = 1");
    set(&room, "max_daily_loss = \"50000.00\"", "max_daily_los = \"-5\"");
    let said = ["max_daily_loss: has no value", "max_daily_los: unknown key", "did you mean 'risk.max_daily_loss'?"];
    reload(&room, "Ana", &[]).failed(1, &said);
    daemon.signal("HUP");
    daemon.until("a change of the configuration was refused");
    std::fs::remove_file(room.path("pregao.toml")).unwrap();
    reload(&room, "Ana", &[]).failed(1, &["there is no pregao.toml here"]);
    let outcomes: Vec<String> = audit(&room).into_iter().map(|(_, _, outcome)| outcome).collect();
    assert_eq!(outcomes, ["done", "denied", "denied", "denied", "denied"]);
    daemon.terminate();
    daemon.end().done();
}

#[test]
fn raising_a_limit_takes_two_people_where_that_is_demanded() {
    let room = Room::new();
    quotes_file(&room);
    set(&room, "[risk]", "[halt]\nsecond_person = true\n\n[risk]");
    let mut daemon = started(&room);
    set(&room, "max_order_quantity = 20000", "max_order_quantity = 30000");
    daemon.signal("HUP");
    daemon.until("a signal is nobody");
    let dry = reload(&room, "Ana", &["--dry-run"]).done().json();
    assert_eq!(dry["needs_second"], true);
    let proposed = reload(&room, "Ana", &[]).failed(3, &[]).json();
    assert_eq!((&proposed["outcome"], &proposed["version"]), (&"proposed".into(), &1.into()));
    assert!(proposed["until"].is_string());
    reload(&room, " ANA ", &[]).failed(1, &["a second, different person has to confirm it"]);
    assert_eq!(in_force(&room, "risk.max_order_quantity").1, "20000");

    // A restart is no way around it, and forgets the proposal.
    daemon.terminate();
    daemon.end().done();
    let mut daemon = room.start(&["run", "--json"]);
    daemon.until("the file raises a limit, which takes two people");
    daemon.until("running");
    assert_eq!(in_force(&room, "risk.max_order_quantity").1, "20000");
    reload(&room, "Ana", &[]).failed(3, &[]);
    let confirmed = reload(&room, "Rui", &[]).done().json();
    assert_eq!(confirmed["outcome"], "applied");
    assert_eq!(in_force(&room, "risk.max_order_quantity").1, "30000");
    let history = room.pregao(&["config", "history", "--json"]).done().json();
    assert_eq!((&history["versions"][0]["author"], &history["versions"][0]["second"]), (&"Ana".into(), &"Rui".into()));

    // Lowering takes one, at once, also by a signal.
    set(&room, "max_order_quantity = 30000", "max_order_quantity = 5000");
    daemon.signal("HUP");
    daemon.until("outcome=Applied");
    assert_eq!(in_force(&room, "risk.max_order_quantity").1, "5000");
    // The switch itself can only go with a restart.
    set(&room, "second_person = true", "second_person = false");
    reload(&room, "Ana", &[]).failed(1, &["halt.second_person: true -> false", "needs a restart"]);
    daemon.terminate();
    daemon.end().done();
}

#[test]
fn what_was_not_approved_does_not_trade() {
    let room = Room::new();
    quotes_file(&room);
    let build = room.pregao(&["version", "--json"]).done().json()["sha256"].as_str().unwrap().to_owned();
    let hash = |room: &Room| -> String {
        room.pregao(&["config", "show", "--json"]).done().json()["hash"].as_str().unwrap().to_owned()
    };
    let configuration = hash(&room);
    let approve = |builds: &str, configurations: &str| {
        let text = std::fs::read_to_string(room.path("pregao.toml")).unwrap();
        let before = text.split("[attestation]").next().unwrap().trim_end().to_owned();
        let list = format!("[attestation]\nbuilds = [\"{builds}\"]\nconfigurations = [\"{configurations}\"]\n");
        room.write("pregao.toml", &format!("{before}\n\n{list}"));
    };
    approve(&build, &configuration);
    assert_eq!(hash(&room), configuration, "a list of hashes is not part of what is hashed");
    let daemon = started(&room);
    assert_eq!(room.pregao(&["status", "--json"]).done().json()["halt"], "active");
    // A change in the running daemon has to be approved, too.
    set(&room, "max_order_quantity = 20000", "max_order_quantity = 10000");
    let other = hash_of_file(&room);
    reload(&room, "Ana", &[]).failed(1, &[&other, "is not among attestation.configurations", "nothing was changed"]);
    daemon.terminate();
    daemon.end().done();

    // Neither does a restart trade with it, nor another program with what was approved.
    let halted = |said: &str| {
        let mut daemon = room.start(&["run", "--json"]);
        daemon.until("not approved: halted");
        daemon.until(said);
        daemon.until("running");
        assert_eq!(room.pregao(&["status", "--json"]).failed(3, &[]).json()["halt"], "halted");
        daemon.terminate();
        daemon.end().done();
    };
    halted("is not among attestation.configurations");
    approve(&"0".repeat(64), &other);
    halted("is not among attestation.builds");
    assert!(audit(&room).iter().any(|(who, what, _)| who == "attestation" && what == "halt global"));
    // The halt stays until a person has looked, also when all is approved again.
    approve(&build, &other);
    let mut daemon = started(&room);
    daemon.until("a halt is in force");
    daemon.terminate();
    daemon.end().done();
    approve("abc", &other);
    room.pregao(&["check"]).failed(2, &["attestation.builds", "'abc' is not allowed", "64 hexadecimal digits"]);
}

/// The hash of what the file says, asked where no daemon answers.
fn hash_of_file(room: &Room) -> String {
    let elsewhere = Room::new();
    elsewhere.write("pregao.toml", &std::fs::read_to_string(room.path("pregao.toml")).unwrap());
    elsewhere.pregao(&["config", "show", "--json"]).done().json()["hash"].as_str().unwrap().to_owned()
}

/// A word that stands nowhere else.
const CANARY: &str = "kanarienvogel7";

#[track_caller]
fn assert_silent(told: &Told, what: &str) {
    for text in [&told.out, &told.err] {
        assert!(!text.contains(CANARY), "{what} shows the secret:\n{text}");
    }
}

#[test]
fn a_secret_where_none_belongs_is_shown_by_nothing() {
    let commands: [&[&str]; 9] = [
        &["check"],
        &["check", "--json"],
        &["config", "show", "--json"],
        &["config", "diff"],
        &["config", "history", "--json"],
        &["run", "-vv"],
        &["status", "--json"],
        &["db", "verify"],
        &["reload", "--by", "Ana", "--reason", "x", "--json"],
    ];
    let in_url = format!("postgres://pregao:{CANARY}@localhost/pregao");
    let unencoded = format!("postgres://pregao:x@{CANARY}/y@localhost/pregao");
    let as_word = format!("host=/nowhere password={CANARY} user=pregao");
    let store = "[store]\nkind = \"postgres\"\n";
    let places: Vec<(String, Vec<(&str, String)>)> = vec![
        (format!("{store}url = \"{in_url}\""), vec![]),
        (format!("{store}url = \"{unencoded}\""), vec![]),
        (format!("{store}url = \"{as_word}\""), vec![]),
        (format!("{store}url = [\"{in_url}\"]"), vec![]),
        (format!("[store]\nkind = \"{as_word}\""), vec![]),
        (format!("[store]\npassword = \"{CANARY}\""), vec![]),
        (format!("[store]\npassword = [\"{CANARY}\", 1]"), vec![]),
        (format!("[broker]\napi_key = \"{CANARY}\""), vec![]),
        (format!("[store]\npassword = \"{CANARY}"), vec![]),
        (String::new(), vec![("PREGAO__STORE__PASSWORD", CANARY.to_owned())]),
        (String::new(), vec![("PREGAO__STORE__KIND", "postgres".into()), ("PREGAO__STORE__URL", in_url.clone())]),
        (String::new(), vec![("PREGAO__STORE__LEASE_SECONDS", as_word.clone())]),
        (String::new(), vec![("PREGAO__FEED__PATH", in_url.clone())]),
        (String::new(), vec![("PREGAO__DATA_DIRECTORY", in_url.clone())]),
        (String::new(), vec![("PREGAO__STORE__PASSWORD_FILE", in_url.clone())]),
        (String::new(), vec![("PREGAO__BROKER__NAME", "bridge".into()), ("PREGAO__BROKER__ADDRESS", in_url.clone())]),
    ];
    for (section, environment) in &places {
        let room = Room::new();
        quotes_file(&room);
        let text = std::fs::read_to_string(room.path("pregao.toml")).unwrap();
        // A second [broker] would be another mistake.
        let text = if section.starts_with("[broker]") {
            text.replace("[broker]", section)
        } else {
            format!("{text}\n{section}\n")
        };
        room.write("pregao.toml", &text);
        for arguments in commands {
            let mut command = room.command(arguments);
            command.envs(environment.iter().map(|(name, value)| (*name, value))).env("RUST_LOG", "trace");
            assert_silent(&told(command), &format!("{arguments:?} with {section} {environment:?}"));
        }
    }
}

#[test]
fn a_secret_where_it_belongs_is_shown_and_stored_by_nothing() {
    let Some(server) = Server::start() else { return };
    server.sql(&format!("CREATE ROLE maria LOGIN PASSWORD '{CANARY}'; GRANT CREATE ON DATABASE postgres TO maria"));
    server.admit("local all maria scram-sha-256");
    let room = Room::new();
    quotes_file(&room);
    room.write("password", &format!("{CANARY}\n"));
    let text = std::fs::read_to_string(room.path("pregao.toml")).unwrap();
    let url = format!("host={} dbname=postgres user=maria", server.socket_directory().display());
    let store = format!("[store]\nkind = \"postgres\"\nurl = \"{url}\"\npassword_file = \"password\"\n");
    room.write("pregao.toml", &format!("{text}\n{store}"));

    let mut command = room.command(&["run", "--json", "-vv"]);
    command.env("RUST_LOG", "trace");
    let mut daemon = Running::of(command);
    daemon.until("running");
    set(&room, "max_order_quantity = 20000", "max_order_quantity = 10000");
    let shown: [&[&str]; 6] = [
        &["config", "show", "--json"],
        &["config", "diff", "--json"],
        &["reload", "--by", "Ana", "--reason", "less", "--json"],
        &["config", "history", "--json"],
        &["status", "--json"],
        &["db", "verify", "--json"],
    ];
    for arguments in shown {
        let mut command = room.command(arguments);
        command.env("RUST_LOG", "trace");
        let said = told(command).done();
        assert_silent(&said, &format!("{arguments:?}"));
        assert!(said.json().is_object());
    }
    let line = room.pregao(&["config", "show", "--json"]).done().json();
    let file = line["keys"].as_array().unwrap().iter().find(|line| line["key"] == "store.password_file").cloned();
    assert_eq!(file.unwrap()["value"], "password", "where it is may be shown");
    // What is stored, here and there: versions, audit, journal.
    let stored = server.sql(
        "SELECT document FROM pregao.config_version UNION ALL SELECT audit::text FROM pregao.audit
         UNION ALL SELECT payload FROM pregao.journal",
    );
    assert!(stored.len() > 4, "{stored:?}");
    assert!(!format!("{stored:?}").contains(CANARY));
    let versions = server.sql("SELECT number, author FROM pregao.config_version ORDER BY number");
    let cell = |text: &str| Some(text.to_owned());
    assert_eq!(versions, [[cell("1"), cell("start")], [cell("2"), cell("Ana")]]);
    daemon.terminate();
    let end = daemon.end().done();
    assert_silent(&end, "the log");
    // The rows were written here first, and arrived.
    let rows = server.sql("SELECT who FROM pregao.audit ORDER BY number");
    let local: Vec<Vec<Option<String>>> = audit(&room).into_iter().map(|(who, ..)| vec![Some(who)]).collect();
    assert_eq!((rows.len(), &rows), (2, &local));
    for file in std::fs::read_dir(room.path("pregao-data")).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        assert!(!bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()), "{}", path.display());
    }
    // The wrong password is not told either.
    room.write("password", &format!("{CANARY}x\n"));
    let refused = room.pregao(&["run", "--json"]).failed(1, &["refuses this user or its password"]);
    assert_silent(&refused, "a refusal");
    assert_eq!(refused.json()["error"].as_str().map(str::is_empty), Some(false));
    let _: Value = refused.json();
}

/// Whoever stops or resumes is in the audit, whatever way they took, with or without a daemon.
#[test]
fn every_way_to_stop_and_to_resume_is_written_down() {
    let room = Room::new();
    quotes_file(&room);
    let mut daemon = started(&room);
    room.pregao(&["kill", "--scope", "symbol:PETR4", "--by", "Ana", "--reason", "odd fills"]).done();
    room.pregao(&["resume", "--scope", "symbol:VALE3", "--by", "Rui", "--reason", "a slip"]).failed(1, &[]);
    room.pregao(&["resume", "--scope", "symbol:PETR4", "--by", "Ana", "--reason", "looked"]).done();
    daemon.signal("USR1");
    daemon.until("SIGUSR1");
    room.write("pregao-data/halt", "action = cancel_all\nby = Eva\nreason = by hand");
    daemon.until("the halt file stops trading");
    // Its row comes after the stop; the end of the daemon comes after its row.
    let wanted = |who: &str, what: &str, outcome: &str| (who.to_owned(), what.to_owned(), outcome.to_owned());
    let written = wanted("Eva", "halt global", "done");
    let give_up = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !audit(&room).contains(&written) {
        assert!(std::time::Instant::now() < give_up, "{:?}", audit(&room));
    }
    daemon.terminate();
    daemon.end().done();
    std::fs::remove_file(room.path("pregao-data/halt")).unwrap();
    room.pregao(&["kill", "--by", "Ana"]).done();
    room.pregao(&["resume", "--by", "Ana", "--reason", "all is well"]).done();
    let acts: Vec<_> = audit(&room).into_iter().skip(1).collect();
    assert_eq!(
        acts,
        [
            wanted("Ana", "halt symbol:PETR4", "done"),
            wanted("Rui", "resume symbol:VALE3", "denied"),
            wanted("Ana", "resume symbol:PETR4", "done"),
            wanted("SIGUSR1", "halt global", "done"),
            written,
            wanted("Ana", "halt global", "done"),
            wanted("Ana", "resume everything", "done"),
        ]
    );
    room.pregao(&["db", "verify"]).done();
}

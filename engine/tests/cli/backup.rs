//! `backup` and `restore`: the drill that the runbook asks for, and everything that is no backup.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;
use store::testing::Server;

use crate::program::{Room, Told, assert_documented};
use crate::run::quotes_file;

/// The book of a status.
fn book(status: &Value) -> [&Value; 4] {
    ["equity", "cash", "positions", "open_orders"].map(|key| &status[key])
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_drill_trade_back_up_while_it_runs_restore_elsewhere_and_trade_on() {
    let room = Room::new().with_samples();
    room.pregao(&["init"]).done();
    let text = fs::read_to_string(room.path("pregao.toml")).unwrap();
    room.write("half.toml", &text.replace("to = \"2017-12-28\"", "to = \"2017-09-29\""));
    let half = room.pregao(&["-c", "half.toml", "run", "--json"]).done().json();
    assert!(half["orders"].as_u64().unwrap() > 0, "{half}");
    let before = room.pregao(&["status", "--json"]).json();
    assert!(!before["positions"].as_array().unwrap().is_empty(), "something is held: {before}");

    // As slowly as the sessions were: it runs and nothing happens meanwhile.
    room.write("slow.toml", &text.replace("speed = 0 ", "speed = 1.0 "));
    let mut daemon = room.start(&["-c", "slow.toml", "run"]);
    daemon.until("running");
    let made = room.pregao(&["backup", "kept/first", "--json"]).done().json();
    assert_documented(&made, &["backup"]);
    assert_eq!((&made["store"], &made["accounts"][0]["account"]), (&"embedded".into(), &"PAPR".into()));
    // Not over itself, and not into the daemon's own directory.
    room.pregao(&["backup", "kept/first"]).failed(1, &["exists already", "name a directory that does not"]);
    room.pregao(&["restore", "kept/first", "--replace"]).failed(1, &["is in use by", "stop that process first"]);
    daemon.terminate();
    daemon.end().done();

    assert_eq!(fs::read_dir(room.path("kept")).unwrap().count(), 1, "nothing unfinished is left");
    assert_eq!(mode(&room.path("kept/first")), 0o700);
    for entry in fs::read_dir(room.path("kept/first")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }

    let elsewhere = |arguments: &[&str]| room.pregao(&[&["--data-dir", "elsewhere"], arguments].concat());
    let restored = elsewhere(&["restore", "kept/first", "--by", "Ana", "--json"]).done().json();
    assert_documented(&restored, &["restore"]);
    assert_eq!(
        (&restored["halt"], &restored["by"], &restored["before"]),
        (&"halted".into(), &"Ana".into(), &Value::Null)
    );
    assert_eq!(elsewhere(&["db", "verify", "--json"]).done().json()["intact"], true);
    let after = elsewhere(&["status", "--json"]).failed(3, &[]).json();
    assert_eq!(book(&after), book(&before));
    let halt = &after["halts"][0];
    assert_eq!((&halt["scope"], &halt["level"], &halt["by"]), (&"global".into(), &"halted".into(), &"Ana".into()));
    assert!(halt["reason"].as_str().unwrap().starts_with("restored from kept/first"), "{halt}");

    // It trades nothing until somebody has looked, and everything afterwards.
    elsewhere(&["resume", "--by", "Rui", "--reason", "compared with the broker"]).done();
    let rest = elsewhere(&["run", "--json"]).done().json();
    assert!(rest["orders"].as_u64().unwrap() > 0, "{rest}");
    assert_eq!(rest["halt"], "active");
}

/// A room with a store in it and a backup of that.
fn backed_up() -> Room {
    let room = Room::new();
    quotes_file(&room);
    let mut daemon = room.start(&["run"]);
    daemon.until("running");
    daemon.terminate();
    daemon.end().done();
    room.write("pregao-data/halt", "scope = symbol:PETR4\nreason = ours\n");
    room.pregao(&["backup", "backup"]).done();
    room
}

#[test]
fn a_directory_that_holds_something_is_replaced_only_when_told_and_is_kept() {
    let room = backed_up();
    room.pregao(&["restore", "backup"]).failed(1, &["pregao-data: holds", "--replace"]);
    fs::remove_file(room.path("pregao-data/halt")).unwrap();
    // Somebody traded on after the backup.
    room.pregao(&["kill", "--by", "Rui", "--reason", "later", "--scope", "symbol:VALE3"]).done();
    let restored = room.pregao(&["restore", "backup", "--replace", "--json"]).done().json();
    let kept = room.path(restored["before"].as_str().unwrap());
    assert!(kept.join("pregao.db").exists() && kept.join("history.db").exists());
    let status = room.pregao(&["status", "--json"]).failed(3, &[]).json();
    let scopes: Vec<&str> =
        status["halts"].as_array().unwrap().iter().map(|halt| halt["scope"].as_str().unwrap()).collect();
    assert_eq!(scopes, ["global"], "the book of the backup, halted as a whole: {status}");
    assert_eq!(fs::read_to_string(room.path("pregao-data/halt")).unwrap(), "scope = symbol:PETR4\nreason = ours\n");
    assert!(!room.path("pregao-data/restoring").exists());
}

/// The manifest agrees with a file that was changed.
fn list_again(room: &Room, name: &str) {
    let path = room.path("backup").join(name);
    let text = fs::read_to_string(room.path("backup/manifest.json")).unwrap();
    let mut manifest: Value = serde_json::from_str(&text).unwrap();
    let listed = manifest["files"].as_array_mut().unwrap();
    let listed = listed.iter_mut().find(|listed| listed["name"] == name).unwrap();
    listed["sha256"] = store::Digest::of_file(&path).unwrap().to_string().into();
    listed["bytes"] = fs::metadata(&path).unwrap().len().into();
    room.write("backup/manifest.json", &manifest.to_string());
}

#[test]
fn what_is_no_backup_changes_nothing() {
    let room = backed_up();
    fs::remove_dir_all(room.path("pregao-data")).unwrap();
    let restore = |from: &str| room.pregao(&["restore", from, "--json"]);
    let copy = |name: &str| {
        fs::create_dir(room.path(name)).unwrap();
        for entry in fs::read_dir(room.path("backup")).unwrap() {
            let from = entry.unwrap().path();
            fs::copy(&from, room.path(name).join(from.file_name().unwrap())).unwrap();
        }
    };
    restore("nowhere").failed(1, &["there is no manifest.json"]);
    type Change<'a> = (&'a str, &'a str, &'a dyn Fn(&Path));
    let changes: [Change<'_>; 5] = [
        ("unfinished", "there is no manifest.json", &|of| fs::remove_file(of.join("manifest.json")).unwrap()),
        ("cut", "bytes, and the manifest says", &|of| {
            let file = fs::File::options().write(true).open(of.join("pregao.db")).unwrap();
            file.set_len(file.metadata().unwrap().len() - 1).unwrap();
        }),
        ("changed", "has SHA-256", &|of| {
            let mut bytes = fs::read(of.join("pregao.db")).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(of.join("pregao.db"), bytes).unwrap();
        }),
        ("gone", "history.db cannot be read", &|of| fs::remove_file(of.join("history.db")).unwrap()),
        ("another form", "has form 9", &|of| {
            let text = fs::read_to_string(of.join("manifest.json")).unwrap();
            fs::write(of.join("manifest.json"), text.replace("\"form\": 1", "\"form\": 9")).unwrap();
        }),
    ];
    for (name, told, change) in changes {
        copy(name);
        change(&room.path(name));
        restore(name).failed(1, &[told]).json();
        assert!(!room.path("pregao-data/pregao.db").exists(), "{name}");
    }
    // A journal that somebody has rewritten, with a manifest that agrees.
    let database = rusqlite::Connection::open(room.path("backup/pregao.db")).unwrap();
    database.execute("UPDATE journal SET payload = payload || ' ' WHERE sequence = 1", []).unwrap();
    drop(database);
    list_again(&room, "pregao.db");
    restore("backup").failed(1, &["entry 1 is not what was written"]);
    assert!(!room.path("pregao-data/pregao.db").exists() && !room.path("pregao-data/restoring").exists());
    // Nor is one made of it.
    fs::create_dir_all(room.path("pregao-data")).unwrap();
    for name in ["pregao.db", "history.db"] {
        fs::copy(room.path("backup").join(name), room.path("pregao-data").join(name)).unwrap();
    }
    room.pregao(&["backup", "another"]).failed(1, &["entry 1 is not what was written"]);
    assert!(!room.path("another").exists());
}

#[test]
fn a_backup_that_is_killed_is_none_and_stands_in_nobodys_way() {
    let room = backed_up();
    // It waits there until somebody writes into it, which nobody does.
    fs::create_dir_all(room.path("pregao-data/downloads")).unwrap();
    let pipe = room.path("pregao-data/downloads/collected.json");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let backup = room.start(&["backup", "kept"]);
    let unfinished = format!(".kept.unfinished.{}", backup.id());
    while !room.path(&unfinished).join("halt").exists() {
        std::thread::yield_now();
    }
    assert!(room.path(&unfinished).join("pregao.db").exists() && !room.path("kept").exists());
    drop(backup);
    room.pregao(&["--data-dir", "two", "restore", &unfinished]).failed(1, &["never finished"]);
    fs::remove_file(&pipe).unwrap();
    room.pregao(&["backup", "kept"]).done();
    room.pregao(&["--data-dir", "two", "restore", "kept"]).done();
}

#[test]
fn a_ledger_on_a_server_goes_into_the_backup_and_back() {
    let Some(server) = Server::start() else { return };
    let room = Room::new();
    quotes_file(&room);
    let text = fs::read_to_string(room.path("pregao.toml")).unwrap();
    let url = server.settings("pregao").url;
    let store =
        |schema: &str| format!("[store]\nkind = \"postgres\"\nurl = \"{url}\"\nschema = \"{schema}\"\n\n[feed]");
    room.write("pregao.toml", &text.replace("[feed]", &store("pregao")));
    room.write("embedded.toml", &text);
    let mut daemon = room.start(&["run"]);
    daemon.until("running");
    let without: Told = {
        let mut command = room.command(&["backup", "backup"]);
        command.env("PATH", "/nowhere");
        crate::program::told(command)
    };
    without.failed(1, &["pg_dump: is not in the PATH", "postgresql-client"]);
    let made = room.pregao(&["backup", "backup", "--json"]).done().json();
    assert_documented(&made, &["backup"]);
    assert_eq!((&made["store"], &made["accounts"][0]["account"]), (&"postgres".into(), &"PAPR".into()));
    assert_eq!(mode(&room.path("backup/ledger.dump")), 0o600);
    room.pregao(&["--data-dir", "two", "restore", "backup", "--replace"])
        .failed(1, &["is traded by", "stop every daemon"]);
    daemon.terminate();
    daemon.end().done();

    room.write("another.toml", &text.replace("[feed]", &store("another")));
    room.pregao(&["-c", "another.toml", "--data-dir", "two", "restore", "backup"])
        .failed(1, &["store.schema is 'another'"]);
    room.pregao(&["-c", "embedded.toml", "--data-dir", "two", "restore", "backup"]).failed(1, &["kind \"postgres\""]);
    room.pregao(&["--data-dir", "two", "restore", "backup"]).failed(1, &["already exists", "--replace"]);
    let entries = |of: &Value| of["accounts"][0]["entries"].as_u64().unwrap();
    let restored = room.pregao(&["--data-dir", "two", "restore", "backup", "--replace", "--json"]).done().json();
    let kept = restored["schema_before"].as_str().unwrap();
    assert_eq!(server.sql(&format!("SELECT count(*) > 0 FROM {kept}.journal"))[0][0].as_deref(), Some("t"));
    assert_documented(&restored, &["restore"]);
    assert!(entries(&restored) <= entries(&made) && entries(&restored) > 0, "{restored} {made}");
    let verified = room.pregao(&["--data-dir", "two", "db", "verify", "--json"]).done().json();
    assert_eq!(entries(&verified), entries(&restored));
    // A journal that was changed is no backup; of one that somebody made all the same nothing stays, and what was
    // there comes back.
    server.sql("ALTER TABLE pregao.journal DISABLE TRIGGER ALL; UPDATE pregao.journal SET payload = payload || ' '");
    room.pregao(&["--data-dir", "two", "backup", "changed"]).failed(1, &["entry 1 is not what was written"]);
    assert!(!room.path("changed").exists());
    let dump = room.path("backup/ledger.dump");
    fs::remove_file(&dump).unwrap();
    let mut command = std::process::Command::new("pg_dump");
    command.args(["--format=custom", "--no-owner", "--schema=pregao", "--dbname", &url, "--file"]).arg(&dump);
    assert!(command.status().unwrap().success());
    list_again(&room, "ledger.dump");
    server.sql("CREATE TABLE pregao.marker (); UPDATE pregao.journal SET payload = rtrim(payload)");
    let restore = ["--data-dir", "two", "restore", "backup", "--replace"];
    room.pregao(&restore).failed(1, &["entry 1 is not what was written"]);
    assert_eq!(server.sql("SELECT to_regclass('pregao.marker') IS NOT NULL")[0][0].as_deref(), Some("t"));
    let mut again = room.start(&["--data-dir", "two", "run", "--json"]);
    again.until("a halt is in force");
    again.until("running");
    again.terminate();
    assert_eq!(again.end().done().json()["halt"], "halted");
}

//! The admin interface of the real program: access from the command line, requests with `curl`.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::program::{Room, Running, Told, assert_documented, told};
use crate::run::quotes_file;

/// A daemon with an interface on a port that the system chose, as its log tells.
struct Served {
    room: Room,
    daemon: Running,
    address: String,
}

impl Served {
    fn start(room: Room) -> Self {
        let mut daemon = room.start(&["run", "--json"]);
        let line = daemon.until("the admin interface listens");
        let address = line.split("address=127.0.0.1:").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        daemon.until("running");
        Self { room, daemon, address }
    }

    /// `curl` with these arguments, trusting the certificate that the first start made.
    fn curl(&self, path: &str, arguments: &[&str]) -> Value {
        let mut curl = Command::new("curl");
        curl.arg("--silent")
            .arg("--show-error")
            .arg("--cacert")
            .arg(self.room.path("pregao-data/admin/certificate.pem"));
        curl.args(arguments).arg(format!("https://localhost:{}{path}", self.address)).stdin(Stdio::null());
        told(curl).done().json()
    }

    /// The status of an answer, whatever it is.
    fn status(&self, path: &str, arguments: &[&str]) -> u64 {
        let write = ["--output", "/dev/null", "--write-out", "%{http_code}"];
        self.curl(path, &[&write, arguments].concat()).as_u64().unwrap()
    }

    fn log_in(&self, client_id: &str, secret: &str) -> u64 {
        let user = format!("{client_id}:{secret}");
        self.status("/oauth/token", &["--user", &user, "--data", "grant_type=client_credentials"])
    }

    /// The interface looks at its users once a second; a busy machine may take longer.
    fn within_a_second(&self, what: &str, holds: impl Fn() -> bool) {
        let asked = (0..50).any(|_| {
            let held = holds();
            if !held {
                std::thread::sleep(std::time::Duration::from_millis(300));
            }
            held
        });
        assert!(asked, "{what}");
    }

    fn token(&self, client_id: &str, secret: &str) -> String {
        let user = format!("{client_id}:{secret}");
        let document = self.curl("/oauth/token", &["--user", &user, "--data", "grant_type=client_credentials"]);
        document["access_token"].as_str().unwrap_or_else(|| panic!("{document}")).to_owned()
    }
}

fn with_interface() -> Room {
    let room = Room::new();
    quotes_file(&room);
    let text = std::fs::read_to_string(room.path("pregao.toml")).unwrap();
    room.write("pregao.toml", &format!("{text}\n[admin]\nlisten = 0\n"));
    room
}

fn secret(told: &Told) -> String {
    told.json()["client_secret"].as_str().unwrap().to_owned()
}

#[test]
fn a_person_gets_access_looks_and_stops() {
    let room = with_interface();
    assert!(
        room.pregao(&["users", "list"]).failed(1, &[]).err.contains("no data") || !room.path("pregao-data").exists()
    );
    let added = room.pregao(&["users", "add", "otto", "--role", "operator", "--json"]).done();
    assert_documented(&added.json(), &["users"]);
    let secret = secret(&added);
    let served = Served::start(room);
    let bearer = format!("Authorization: Bearer {}", served.token("otto", &secret));
    let state = served.curl("/v1/state", &["--header", &bearer]);
    assert_eq!((&state["account"], &state["halt"]), (&"PAPR".into(), &"active".into()));

    // Beside the daemon: one process writes, and it is asked.
    let listed = served.room.pregao(&["users", "list", "--json"]).done().json();
    assert_documented(&listed, &["users"]);
    assert_eq!(listed["users"][0]["client_id"], "otto");
    assert_documented(&served.room.pregao(&["users", "rotate-keys", "--json"]).done().json(), &["users"]);
    for (command, key) in [("orders", "orders"), ("positions", "positions")] {
        let document = served.room.pregao(&[command, "--json"]).done().json();
        assert_documented(&document, &["orders"]);
        assert_eq!((&document["running"], &document[key]), (&true.into(), &Value::Array(Vec::new())));
    }

    let killed = served.curl("/v1/kill", &["--header", &bearer, "--json", r#"{"reason":"a drill"}"#]);
    assert_eq!((&killed["level"], &killed["by"]), (&"stop_new".into(), &"otto".into()));
    assert_eq!(served.room.pregao(&["status", "--json"]).failed(3, &[]).json()["halt"], "stop_new");
    let Served { room, daemon, .. } = served;
    daemon.terminate();
    assert_eq!(daemon.end().done().json()["halt"], "stop_new");
    let document = room.pregao(&["orders", "--json"]).done().json();
    assert_eq!(document["running"], false);

    let rotated = room.pregao(&["users", "rotate", "otto", "--json"]).done();
    assert_ne!(self::secret(&rotated), secret);
    room.pregao(&["users", "role", "otto", "--role", "viewer"]).done();
    room.pregao(&["users", "disable", "otto"]).done();
    room.pregao(&["users", "add", "otto", "--role", "viewer"]).failed(1, &["user otto exists"]);
    room.pregao(&["users", "disable", "nobody"]).failed(1, &["there is no user nobody"]);
}

#[test]
fn access_is_changed_beside_the_running_daemon() {
    let room = with_interface();
    let rui = secret(&room.pregao(&["users", "add", "rui", "--role", "admin", "--json"]).done());
    let served = Served::start(room);
    let bearer = format!("Authorization: Bearer {}", served.token("rui", &rui));
    // A secret is tried once it counts: failed tries would lock this address out.
    let ana = |what: &str, holds: fn(&Value) -> bool| {
        served.within_a_second(what, || {
            let listed = served.curl("/v1/users", &["--header", &bearer]);
            listed["items"].as_array().unwrap().iter().any(|user| user["client_id"] == "ana" && holds(user))
        });
    };
    let users = |arguments: &[&str]| served.room.pregao(&[&["users"], arguments, &["--json"]].concat());
    let added = users(&["add", "ana", "--role", "operator"]).done();
    assert_documented(&added.json(), &["users"]);
    users(&["add", "ana", "--role", "viewer"]).failed(1, &["user ana exists"]);
    users(&["disable", "nobody"]).failed(1, &["there is no user nobody"]);
    ana("she is there", |_| true);
    let first = secret(&added);
    assert_eq!(served.log_in("ana", &first), 200);
    let second = secret(&users(&["rotate", "ana"]).done());
    ana("another secret", |user| user["rotated"] != user["created"]);
    assert_eq!((served.log_in("ana", &first), served.log_in("ana", &second)), (401, 200));
    users(&["role", "ana", "--role", "viewer"]).done();
    ana("another role", |user| user["role"] == "viewer");
    users(&["disable", "ana"]).done();
    ana("she is shut out", |user| user["disabled"].is_string());
    assert_eq!(served.log_in("ana", &second), 401);

    let Served { room, daemon, .. } = served;
    daemon.terminate();
    daemon.end().done();
    let database = rusqlite::Connection::open(room.path("pregao-data/pregao.db")).unwrap();
    let rows = "SELECT action || ' ' || target || ' ' || outcome FROM audit WHERE origin = 'cli' ORDER BY number";
    let rows: Vec<String> = {
        let mut rows = database.prepare(rows).unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let expected = [
        "user.add rui done",
        "user.add ana done",
        "user.add ana denied",
        "user.disable nobody denied",
        "user.rotate ana done",
        "user.role ana done",
        "user.disable ana done",
    ];
    assert_eq!(rows, expected);
}

#[test]
fn a_request_that_comes_again_after_a_restart_is_not_carried_out_again() {
    let room = with_interface();
    let secret = secret(&room.pregao(&["users", "add", "otto", "--role", "operator", "--json"]).done());
    let served = Served::start(room);
    let token = |served: &Served| format!("Authorization: Bearer {}", served.token("otto", &secret));
    let bearer = token(&served);
    served.curl("/v1/kill", &["--header", &bearer, "--json", "{}"]);
    let resume = |served: &Served, bearer: &str, key: &str| {
        let key = format!("Idempotency-Key: {key}");
        served.status("/v1/resume", &["--header", bearer, "--header", &key, "--json", r#"{"reason":"looked"}"#])
    };
    assert_eq!(resume(&served, &bearer, "one"), 200);
    // Again before its end: the first answer, and what was stopped meanwhile stays so.
    served.curl("/v1/kill", &["--header", &bearer, "--json", "{}"]);
    assert_eq!(resume(&served, &bearer, "one"), 200);
    assert_eq!(served.curl("/v1/state", &["--header", &bearer])["halt"], "stop_new");
    // It is killed, and the client, whose answer was lost, sends the same to the next one.
    let Served { room, daemon, .. } = served;
    drop(daemon);
    let served = Served::start(room);
    let bearer = token(&served);
    assert_eq!(resume(&served, &bearer, "one"), 409);
    assert_eq!(served.curl("/v1/state", &["--header", &bearer])["halt"], "stop_new");
    assert_eq!(resume(&served, &bearer, "two"), 200, "whoever means it takes another key");
}

#[test]
fn what_cannot_be_listened_on_stops_the_start_and_says_why() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let room = with_interface();
    let text = std::fs::read_to_string(room.path("pregao.toml")).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    room.write("pregao.toml", &text.replace("listen = 0", &format!("listen = \"{address}\"")));
    room.pregao(&["run"]).failed(1, &["admin.listen", &address]);
}

#[test]
fn users_are_named_in_words_that_fit_everywhere() {
    let room = with_interface();
    room.pregao(&["users", "add", "a b", "--role", "viewer"]).failed(2, &["letters, digits"]);
    room.pregao(&["users", "add", "../x", "--role", "viewer"]).failed(2, &["letters, digits"]);
    room.pregao(&["users", "add", "ana", "--role", "root"]).failed(2, &["viewer, operator or admin"]);
    assert!(!room.path("pregao-data").exists(), "what was not understood leaves no trace");
}

#[test]
fn the_description_is_printed_without_a_daemon() {
    let room = Room::new();
    let document = room.pregao(&["openapi", "--json"]).done().json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(room.pregao(&["openapi"]).done().json(), document);
}

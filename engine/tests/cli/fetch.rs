//! `data fetch` and the daemon's collections, from a server on this machine that stands in for the exchange.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::program::{Room, assert_documented, samples};

/// A server that has the two sample years, and counts what it is asked.
struct Exchange {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    whole: Arc<AtomicUsize>,
}

impl Exchange {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (asked, whole) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicUsize>::default());
        let of_thread = (Arc::clone(&asked), Arc::clone(&whole));
        // Ends with the process of the test.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is none of our business.
                let _ = answer(stream, &of_thread.0, &of_thread.1);
            }
        });
        Self { address, asked, whole }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn answer(stream: TcpStream, asked: &Mutex<Vec<String>>, whole: &AtomicUsize) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut known) = (String::new(), false);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        known |= line.to_lowercase().starts_with("if-none-match:");
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    asked.lock().unwrap().push(name.clone());
    let mut stream = stream;
    let file = samples().into_iter().find(|file| file.file_name().is_some_and(|known| known == name.as_str()));
    match file {
        Some(_) if known => write!(stream, "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"),
        Some(file) => {
            let body = std::fs::read(file)?;
            whole.fetch_add(1, Ordering::SeqCst);
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\nETag: \"one\"\r\nConnection: close\r\n";
            write!(stream, "{head}Content-Length: {}\r\n\r\n", body.len())?;
            stream.write_all(&body)
        }
        None => write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
    }
}

#[test]
fn years_come_once_and_a_second_look_costs_a_question() {
    let (room, exchange) = (Room::new(), Exchange::start());
    room.write("pregao.toml", &format!("[sources.b3_cotahist]\nbase_url = \"{}\"\n", exchange.address));
    let fetch = ["data", "fetch", "b3_cotahist", "--since", "2016-01-04", "--to", "2017-12-28", "--json"];
    let told = room.pregao(&fetch).done().json();
    assert_documented(&told, &["data fetch"]);
    assert_eq!(exchange.asked(), ["COTAHIST_A2016.ZIP", "COTAHIST_A2017.ZIP"]);
    assert_eq!((&told["requests"], &told["errors"]), (&2.into(), &serde_json::json!([])));
    assert!(told["inserted"].as_u64().unwrap() > 5_000, "{told}");
    let status = room.pregao(&["data", "status", "--json"]).done().json();
    assert_eq!((&status["first"], &status["last"]), (&"2016-01-04".into(), &"2017-12-28".into()));
    assert_eq!(status["collections"]["b3_cotahist_daily"]["through"], "2017-12-28");

    let again = room.pregao(&fetch).done().json();
    assert_eq!((&again["not_modified"], &again["inserted"]), (&2.into(), &0.into()));
    assert_eq!(exchange.whole.load(Ordering::SeqCst), 2, "what has not changed is not sent again");

    // From where it stands there is nothing up to that day.
    let last = ["data", "fetch", "b3_cotahist", "--since", "last", "--to", "2017-12-28", "--json"];
    assert_eq!(room.pregao(&last).done().json()["requests"], 0);
}

#[test]
fn what_cannot_be_asked_is_told_with_what_to_do() {
    let room = Room::new();
    for (arguments, code, said) in [
        (&["data", "fetch", "b3_cotahits"][..], 2, &["b3_cotahits", "b3_cotahist"][..]),
        (
            &["data", "fetch", "yahoo", "--symbols", "PETR4", "--subject", "daily"],
            2,
            &["yahoo is off", "sources.yahoo"],
        ),
        (&["data", "fetch", "alpha_vantage", "--symbols", "PETR4"], 2, &["secret_file", "PREGAO_SECRET_ALPHA_VANTAGE"]),
        (&["data", "fetch", "b3_cotahist", "--since", "yesterday"], 2, &["yesterday", "2024-01-02"]),
        (&["data", "adjust", "PETR4"], 2, &["no daily bars of PETR4"]),
        (&["data", "export", "--output", "a.xls"], 2, &["a.xls", ".parquet"]),
    ] {
        // The store has to be there before it can be empty.
        room.pregao(&["db", "migrate"]).done();
        room.pregao(arguments).failed(code, said);
    }
    let sources = room.pregao(&["data", "fetch", "--json"]).done().json();
    assert_documented(&sources, &["data fetch"]);
    assert!(sources["sources"].as_array().unwrap().len() >= 9, "{sources}");
}

#[test]
fn a_mirror_that_is_down_fails_and_leaves_what_was_there() {
    let room = Room::new().with_samples();
    // Nobody listens at a port that was just given back.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    room.write("pregao.toml", &format!("[sources]\ntries = 1\n[sources.b3_index]\nbase_url = \"http://{address}\"\n"));
    let before = room.pregao(&["data", "status", "--json"]).done().json();
    let fetch = ["data", "fetch", "b3_index", "--symbols", "IBOV", "--json"];
    let told = room.pregao(&fetch).failed(1, &["b3_index"]);
    assert_eq!(told.json()["errors"].as_array().unwrap().len(), 1);
    let after = room.pregao(&["data", "status", "--json"]).done().json();
    assert_eq!((&after["index"], &after["listings"]), (&before["index"], &before["listings"]));
}

#[test]
fn bars_are_adjusted_exported_and_read_back() {
    let room = Room::new().with_samples();
    let adjusted = room.pregao(&["data", "adjust", "PETR4", "--view", "splits", "--json"]).done().json();
    assert_documented(&adjusted, &["data adjust"]);
    assert!(adjusted["bars"].as_array().unwrap().len() > 480, "{}", adjusted["bars"]);

    for name in ["bars.csv", "bars.parquet"] {
        let export = ["data", "export", "--symbols", "PETR4,VALE3", "--output", name, "--json"];
        let told = room.pregao(&export).done().json();
        assert_documented(&told, &["data export"]);
        let back = Room::new();
        let file = room.path(name).display().to_string();
        let imported = back.pregao(&["data", "import", &file, "--json"]).done().json();
        assert_eq!(imported["files"][0]["inserted"], told["rows"], "{name}");
    }

    let panel = ["data", "export", "--panel", "none", "--output", "panel.csv", "--json"];
    let told = room.pregao(&panel).done().json();
    assert_documented(&told, &["data export"]);
    assert_eq!((&told["symbols"], &told["first"]), (&12.into(), &"2016-01-04".into()));
    let text = std::fs::read_to_string(room.path("panel.csv")).unwrap();
    assert!(text.starts_with("date,") && text.lines().count() as u64 == told["rows"].as_u64().unwrap() + 1);
}

#[test]
fn documented_defects_are_looked_for() {
    let room = Room::new().with_samples();
    room.write(
        "defects.toml",
        "[[defect]]\nwhat = \"a closed day\"\nsource = \"b3_cotahist\"\nrule = \"phantom_session\"\nfrom = \"2017-12-29\"\n",
    );
    let verify = ["data", "verify", "--documented", "defects.toml", "--json"];
    let told = room.pregao(&verify).done().json();
    assert_documented(&told, &["data verify"]);
    assert_eq!((&told["documented"][0]["found"], &told["documented"][0]["marks"]), (&false.into(), &0.into()));
    room.write(
        "wrong.toml",
        "[[defect]]\nwhat = \"x\"\nsource = \"b3_cotahist\"\nrule = \"ghost\"\nfrom = \"2017-12-29\"\n",
    );
    room.pregao(&["data", "verify", "--documented", "wrong.toml"])
        .failed(2, &["wrong.toml", "ghost", "phantom_session"]);
}

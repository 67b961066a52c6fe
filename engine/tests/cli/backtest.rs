//! `backtest`: on CSV files and on the store.

use serde_json::Value;

use crate::program::{Room, assert_documented};

const CROSS: [&str; 7] = ["backtest", "--strategy", "moving_average_cross", "--param", "fast=10", "--param", "slow=20"];

/// Every field that DESIGN §7 promises.
const FIELDS: [&str; 16] = [
    "events",
    "engine_seconds",
    "load_seconds",
    "orders",
    "fills",
    "final_equity",
    "net_pnl",
    "fees",
    "total_return",
    "cagr",
    "volatility",
    "sharpe",
    "sortino",
    "calmar",
    "max_drawdown",
    "fingerprint",
];

/// A price path that swings, in centavos: long enough for trends both ways, and the same everywhere.
fn path(length: i64) -> impl Iterator<Item = (i64, i64)> {
    (0..length).map(|place| {
        let (slow, fast) = ((place % 400 - 200).abs(), (place * 7919 % 23) - 11);
        (place, 2_000 + slow + fast)
    })
}

fn reais(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// One bar a minute from 2017-12-20 10:00 in São Paulo on.
fn bars(length: i64) -> String {
    let mut text = "ts,open,high,low,close,volume\n".to_owned();
    for (place, cents) in path(length) {
        let ts = 1_513_771_200_000_000_000 + place * 60_000_000_000;
        let [low, high] = [cents - 5, cents + 5].map(reais);
        text.push_str(&format!("{ts},{},{high},{low},{},100000\n", reais(cents), reais(cents + 2)));
    }
    text
}

fn quotes(length: i64) -> String {
    let mut text = "ts,bid,ask,bid_size,ask_size\n".to_owned();
    for (place, cents) in path(length) {
        let ts = 1_513_771_200_000_000_000 + place * 1_000_000_000;
        text.push_str(&format!("{ts},{},{},500,500\n", reais(cents), reais(cents + 1)));
    }
    text
}

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    CROSS.iter().copied().chain(more.iter().copied()).collect()
}

/// All promised fields are there; without the seconds, which differ.
#[track_caller]
fn promised(mut document: Value) -> Value {
    assert_documented(&document, &["backtest"]);
    for field in FIELDS {
        assert!(document.get(field).is_some(), "{field} is missing");
    }
    assert_eq!(document["fingerprint"].as_str().unwrap().len(), 64);
    assert!(document["fills"].as_u64().unwrap() > 5, "little happened: {document}");
    assert_eq!(document["anomalies"], 0);
    for seconds in ["engine_seconds", "load_seconds"] {
        assert!(document[seconds].as_f64().unwrap() > 0.0);
        document[seconds] = Value::Null;
    }
    document
}

#[test]
fn bars_from_a_file_give_the_same_twice() {
    let room = Room::new();
    room.write("PETR4.csv", &bars(3_000));
    let run = |more: &[&str]| promised(room.pregao(&with(more)).done().json());
    let first = run(&["--bars", "PETR4.csv", "--json"]);
    assert_eq!(first["events"], 3_000);
    assert_eq!(run(&["--bars", "PETR4.csv", "--json"]), first);
    assert!(!room.path("report.html").exists(), "under --json a page is written only when asked for");
    assert!(!room.path("pregao-data").exists(), "a file needs no store");

    // What is asked for changes the result.
    let other = run(&["--bars", "PETR4.csv", "--json", "--slippage-ticks", "0", "--quantity", "200"]);
    assert_ne!(other["fingerprint"], first["fingerprint"]);
    let part = run(&["--bars", "PETR4.csv", "--json", "--from", "2017-12-21", "--to", "2017-12-21"]);
    assert_eq!(part["events"], 24 * 60);

    // For people: a table, and the page.
    let shown = room.pregao(&with(&["--bars", "PETR4.csv"])).done().out;
    for words in ["Equity", "Fees", "Fills", "events/s", "The report is in report.html", "Research limits"] {
        assert!(shown.contains(words), "{words} is not in\n{shown}");
    }
    let fingerprint = first["fingerprint"].as_str().unwrap();
    assert!(shown.contains(&fingerprint[..16]), "{shown}");
    assert!(shown.lines().all(|line| line == line.trim_end()), "no padding at the ends of lines");
    assert!(std::fs::read_to_string(room.path("report.html")).unwrap().contains("</html>"));
}

#[test]
fn quotes_from_a_file_give_the_same_twice() {
    let room = Room::new();
    room.write("q.csv", &quotes(3_000));
    let run = || promised(room.pregao(&with(&["--quotes", "q.csv", "--json"])).done().json());
    let first = run();
    assert_eq!(first["events"], 3_000);
    assert_eq!(run(), first);
    room.pregao(&with(&["--quotes", "q.csv", "--bars", "q.csv"])).failed(2, &["--quotes", "--bars"]);
}

#[test]
fn a_bad_line_is_named_with_file_line_and_field() {
    let room = Room::new();
    let good = bars(10);
    let line = |number: usize, text: &str| {
        let mut lines: Vec<&str> = good.lines().collect();
        lines[number - 1] = text;
        lines.join("\n")
    };
    for (text, said) in [
        (line(7, "1513771500000000000,x,20,20,20,1"), &["bad.csv", "line 7", "open", "'x'"][..]),
        (line(7, "1513771500000000000,20,19,21,20,1"), &["bad.csv", "line 7"]),
        (line(3, "yesterday,20,20,20,20,1"), &["bad.csv", "line 3", "ts", "'yesterday'"]),
        (line(3, "1,20,20,20,20,1"), &["bad.csv", "line 3", "ts"]),
        (line(1, "ts,open,high,low,close,vol"), &["bad.csv", "vol"]),
        (String::new(), &["bad.csv"]),
    ] {
        room.write("bad.csv", &text);
        let told = room.pregao(&with(&["--bars", "bad.csv", "--json"])).failed(1, said);
        assert!(told.json()["error"].as_str().unwrap().contains("bad.csv"));
    }
    room.pregao(&with(&["--bars", "none.csv"])).failed(1, &["none.csv", "cannot be read"]);
    room.write("good.csv", &good);
    room.pregao(&with(&["--bars", "good.csv", "--from", "2030-01-01"])).failed(2, &["good.csv", "no rows"]);
}

#[test]
fn stored_sessions_give_the_same_twice() {
    let room = Room::new().with_samples();
    let run = |more: &[&str]| {
        let mut all = vec!["--symbols", "PETR4,VALE3", "--json"];
        all.extend(more);
        promised(room.pregao(&with(&all)).done().json())
    };
    let first = run(&["--report", "page.html"]);
    assert_eq!(first["sessions"], 495);
    assert_eq!(first["report"], "page.html");
    assert!(std::fs::read_to_string(room.path("page.html")).unwrap().contains("IBOVESPA"));
    for figure in ["cagr", "volatility", "sharpe", "max_drawdown"] {
        assert!(first[figure].is_number(), "two years carry a {figure}");
    }
    let mut second = run(&[]);
    second["report"] = first["report"].clone();
    assert_eq!(second, first);
    assert_eq!(run(&["--from", "2017-07-03", "--to", "2017-12-28"])["sessions"], 123);

    let unknown = with(&["--symbols", "PETR5"]);
    room.pregao(&unknown).failed(1, &["no history of PETR5", "did you mean PETR4?", "pregao data import"]);
    room.pregao(&with(&["--symbols", "PETR4", "--from", "2030-01-01"]))
        .failed(1, &["no session with data from 2030-01-01;"]);
}

#[test]
fn a_named_configuration_brings_its_limits() {
    let room = Room::new().with_samples();
    room.pregao(&["init"]).done();
    let research = room.pregao(&with(&["--symbols", "PETR4", "--notional", "200000", "--json"])).done().json();
    assert_eq!(research["denials"], 0, "a file that happens to lie here changes nothing");
    let arguments = with(&["-c", "pregao.toml", "--symbols", "PETR4", "--notional", "200000", "--json"]);
    let limited = room.pregao(&arguments).done().json();
    assert_eq!(limited["limits"]["global"]["max_order_notional"], "150000.00");
    assert!(limited["denials_by_check"]["order_notional"].as_u64().unwrap() > 0, "{limited}");
}

//! Dashboards against a recorded paper session on a real Postgres and the metrics of a daemon at work: every query
//! brings rows, every metric is told, every expression parses.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use store::testing::Server;

use crate::program::{Room, Running, samples, told};
use crate::run::{append, now, quotes_file};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../grafana/dashboards/pregao")
}

/// Every dashboard by its file's name.
fn dashboards() -> Vec<(String, Value)> {
    let mut found: Vec<(String, Value)> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path.file_name().unwrap().to_string_lossy().into_owned(), serde_json::from_str(&text).unwrap())
        })
        .collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(found.len() >= 6, "six at least");
    found
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Every query of Postgres with where it stands: panels, variables, annotations.
fn queries(name: &str, board: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for panel in list(board, "panels") {
        for target in list(panel, "targets").iter().filter(|target| target["rawSql"].is_string()) {
            found.push((format!("{name}: {}", text(panel, "title")), text(target, "rawSql").to_owned()));
        }
    }
    for variable in list(&board["templating"], "list") {
        found.push((format!("{name}: variable {}", text(variable, "name")), text(variable, "query").to_owned()));
    }
    for mark in list(&board["annotations"], "list") {
        found.push((format!("{name}: annotation {}", text(mark, "name")), text(&mark["target"], "rawSql").to_owned()));
    }
    found
}

/// Every expression of Prometheus with where it stands.
fn expressions(name: &str, board: &Value) -> Vec<(String, String)> {
    let of = |panel: &Value| {
        let targets = list(panel, "targets").iter().filter(|target| target["expr"].is_string());
        let title = text(panel, "title").to_owned();
        targets.map(move |target| (format!("{name}: {title}"), text(target, "expr").to_owned())).collect::<Vec<_>>()
    };
    list(board, "panels").iter().flat_map(of).collect()
}

/// As Grafana fills it in, for a reader who looks at all of time.
fn filled(query: &str) -> String {
    let mut query = query
        .replace("${strategy:sqlstring}", "'trend','reversion'")
        .replace("${ticker}", "PETR4")
        .replace("$__rate_interval", "1m");
    while let Some((before, rest)) = query.split_once("$__timeFilter(") {
        let (column, after) = rest.split_once(')').unwrap();
        query = format!("{before}{column} BETWEEN '2000-01-01' AND '2100-01-01'{after}");
    }
    assert!(!query.contains('$'), "not all of it is filled in: {query}");
    query
}

#[test]
fn each_has_names_of_its_own_and_says_what_it_shows() {
    let (mut uids, mut titles) = (BTreeSet::new(), BTreeSet::new());
    for (name, board) in dashboards() {
        assert!(uids.insert(text(&board, "uid").to_owned()) && !text(&board, "uid").is_empty(), "{name}");
        assert!(titles.insert(text(&board, "title").to_owned()) && !text(&board, "title").is_empty(), "{name}");
        assert_eq!(board["timezone"], "America/Sao_Paulo", "{name}");
        assert!(board["id"].is_null() && board["__inputs"].is_null(), "{name}: made for one Grafana only");
        let mut ids = BTreeSet::new();
        let mut places: Vec<[u64; 4]> = Vec::new();
        for panel in list(&board, "panels") {
            let title = text(panel, "title");
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}: {title}");
            assert!(!title.is_empty() && !text(panel, "description").is_empty(), "{name}: {title}");
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
            let meets = |[a, b, c, d]: &[u64; 4]| x < a + c && *a < x + w && y < b + d && *b < y + h;
            assert!(x + w <= 24 && !places.iter().any(meets), "{name}: {title} lies over another");
            places.push([x, y, w, h]);
            for target in list(panel, "targets") {
                let uid = text(&target["datasource"], "uid");
                assert!(["pregao-prometheus", "pregao-postgres"].contains(&uid), "{name}: {title}: {uid}");
            }
        }
    }
}

/// A room whose ledger and history lie on a server, and where a paper session has been recorded: with trades and
/// denials.
fn recorded(server: &Server) -> Room {
    server.sql("CREATE ROLE grafana LOGIN");
    let room = Room::new();
    room.pregao(&["init"]).done();
    let store = format!("[store]\nkind = \"postgres\"\nurl = \"{}\"\n\n[feed]", server.settings("pregao").url);
    let replay = fs::read_to_string(room.path("pregao.toml")).unwrap().replace("[feed]", &store);
    room.write("pregao.toml", &replay);
    let files: Vec<String> = samples().iter().map(|path| path.display().to_string()).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    room.pregao(&[&["data", "import"], files.as_slice()].concat()).done();
    room.write("pregao.toml", &replay.replace("to = \"2017-12-28\"", "to = \"2017-09-29\""));
    room.pregao(&["run", "--json"]).done();
    // The rest of it under a limit that denies what the strategies want.
    room.write("pregao.toml", &replay.replace("max_order_notional = \"150000.00\"", "max_order_notional = \"100.00\""));
    room.pregao(&["run", "--json"]).done();
    room
}

/// A daemon at work on the same account: its metrics while it is halted.
fn scraped(room: &Room, server: &Server) -> String {
    let live = Room::new();
    quotes_file(&live);
    let store = format!("[store]\nkind = \"postgres\"\nurl = \"{}\"\n\n[feed]", server.settings("pregao").url);
    let with_quotes = fs::read_to_string(live.path("pregao.toml")).unwrap().replace("[feed]", &store);
    room.write("pregao.toml", &with_quotes);
    room.write("quotes.csv", "ts,symbol,bid,ask,bid_size,ask_size\n");
    let mut command = room.command(&["run", "--json"]);
    command.env("PREGAO__ADMIN__LISTEN", "127.0.0.1:0");
    let mut daemon = Running::of(command);
    let line = daemon.until("the admin interface listens");
    let port = line.split("address=127.0.0.1:").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    daemon.until("running");
    for symbol in ["PETR4", "VALE3", "ITUB4", "BBAS3"] {
        append(room, &format!("{},{symbol},16.10,16.11,1000,1000\n", now()));
    }
    room.pregao(&["kill", "--reason", "to be seen on a dashboard"]).done();
    let mut seen = String::new();
    // The monitors look after the quotes have come.
    for _ in 0..100 {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--insecure"]);
        curl.arg(format!("https://127.0.0.1:{port}/metrics")).stdin(Stdio::null());
        seen = told(curl).done().out;
        // The first answer does not count itself.
        if seen.contains("pregao_admin_request_seconds")
            && seen.contains("pregao_limit_used_ratio{")
            && seen.contains("pregao_quote_timestamp_seconds{")
        {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    daemon.terminate();
    daemon.end().done();
    seen
}

/// Families that are told only where something is configured, or has happened, that a test machine has not.
const ELSEWHERE: [&str; 2] = ["pregao_source_", "pregao_actor_restarts_total"];

#[test]
fn every_query_brings_rows_and_every_metric_is_told() {
    let Some(server) = Server::start() else { return };
    let room = recorded(&server);
    let metrics = scraped(&room, &server);
    // Something to be found wrong: after the daemon, whose Keeper lets marks of old days go.
    server.sql("UPDATE pregao.daily_record SET high = low / 2 WHERE day = '2017-03-01'");
    room.pregao(&["data", "verify"]).failed(3, &[]);
    let families: BTreeSet<&str> =
        metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for (name, board) in dashboards() {
        for (place, query) in queries(&name, &board) {
            asked += 1;
            // As Grafana's role sees it: views, and no table.
            let as_grafana = "SET ROLE grafana; SET search_path = pregao; SET statement_timeout = '10s'";
            if server.sql(&format!("{as_grafana}; {}", filled(&query))).is_empty() {
                wrong.push(format!("{place}: no rows: {query}"));
            }
        }
        for (place, expression) in expressions(&name, &board) {
            asked += 1;
            let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            for word in words.filter(|word| word.starts_with("pregao_")) {
                let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| word.strip_suffix(suffix));
                let is_told = families.contains(word) || base.is_some_and(|base| families.contains(base));
                if !is_told && !ELSEWHERE.iter().any(|begin| word.starts_with(begin)) {
                    wrong.push(format!("{place}: nobody tells {word}"));
                }
            }
        }
    }
    assert!(wrong.is_empty() && asked > 60, "{asked} asked:\n{}", wrong.join("\n"));
    let refused = server.sql("SELECT has_table_privilege('grafana', 'pregao.journal', 'SELECT')");
    assert_eq!(refused, [[Some("f".to_owned())]], "tables are not Grafana's");
}

#[test]
fn every_expression_parses() {
    if Command::new("promtool").arg("--version").output().is_err() {
        eprintln!("SKIPPED: no promtool (Debian's prometheus)");
        return;
    }
    let all = dashboards();
    let expressions: Vec<(String, String)> = all.iter().flat_map(|(name, board)| expressions(name, board)).collect();
    let rule = |(number, (_, expression)): (usize, &(String, String))| {
        let expression = filled(expression).replace('\'', "''");
        format!("      - record: expression_{number}\n        expr: '{expression}'\n")
    };
    let rules: String = expressions.iter().enumerate().map(rule).collect();
    let room = Room::new();
    room.write("rules.yml", &format!("groups:\n  - name: dashboards\n    rules:\n{rules}"));
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "rules"]).arg(room.path("rules.yml"));
    let said = told(promtool);
    assert!(said.code == Some(0) && expressions.len() > 40, "{} expressions: {said:?}", expressions.len());
}

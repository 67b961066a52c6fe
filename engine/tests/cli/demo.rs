//! `demo`: the main job, and its page in a browser.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::program::{Room, Told, assert_documented, told};

fn demo(room: &Room) -> Told {
    room.pregao(&["demo", "--json"]).done()
}

#[test]
fn the_main_job_repeats_itself_and_agrees_with_the_backtest() {
    let room = Room::new();
    let replayed = || {
        let arguments = ["--data-dir", "pregao-data/demo", "replay", "--all", "--json"];
        let report = room.pregao(&arguments).done().json();
        assert_eq!(report["decisions"], report["matched"], "every decision of the actors is made again");
        assert!(report["decisions"].as_u64().unwrap() > 50, "{report}");
        report["fingerprint"].clone()
    };
    let first = demo(&room).json();
    let decisions = replayed();
    let second = demo(&room).json();
    assert_eq!(replayed(), decisions);
    assert_documented(&first, &["backtest", "demo"]);
    for document in [&first, &second] {
        assert_eq!(document["agrees_with_backtest"], true);
        assert_eq!(document["anomalies"], 0);
        assert_eq!(document["symbols"].as_array().unwrap().len(), 12);
        assert_eq!(document["strategies"].as_array().unwrap().len(), 3);
        assert!(document["fills"].as_u64().unwrap() > 50, "{document}");
    }
    assert_eq!(first["fingerprint"], second["fingerprint"]);
    assert_eq!(first["final_equity"], second["final_equity"]);

    let shown = room.pregao(&["demo", "--report", "mine.html"]).done();
    for words in ["Equity", "Result after fees", "Denials by check", "Actor restarts", "mine.html", "same fills"] {
        assert!(shown.out.contains(words), "{words} is not in\n{}", shown.out);
    }
    assert_eq!(shown.err, "", "no bars and no logs where nobody looks");
    assert!(room.path("mine.html").is_file());
}

#[test]
fn the_page_asks_no_network_for_anything() {
    let room = Room::new();
    demo(&room);
    let page = std::fs::read_to_string(room.path("report.html")).unwrap();
    for scheme in ["http://", "https://", "//cdn", "@import", "url("] {
        for (place, _) in page.match_indices(scheme) {
            let before = &page[..place];
            let namespace = before.ends_with("xmlns=\"") || before.ends_with("xmlns:xlink=\"");
            assert!(namespace, "the page asks for {}", page[place..].chars().take(60).collect::<String>());
        }
    }
    for tag in ["<script src", "<link ", "<iframe", "<img "] {
        assert!(!page.contains(tag), "{tag}");
    }
}

/// The browser of Debian, Ubuntu or Google, if there is one.
fn browser() -> Option<PathBuf> {
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let found = found.into_iter().find(|path| path.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: no chromium, chromium-browser or google-chrome; scripts/test --install brings one");
    }
    found
}

/// The page as the browser has understood it.
fn rendered(browser: &Path, page: &Path) -> String {
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
    command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    command.arg("--dump-dom").arg(format!("file://{}", page.display()));
    told(command).done().out
}

#[test]
fn a_browser_shows_headings_charts_and_tables() {
    let Some(browser) = browser() else { return };
    let room = Room::new();
    let document: Value = demo(&room).json();
    let page = rendered(&browser, &room.path("report.html"));
    let count = |tag: &str| page.matches(tag).count();
    assert!(page.contains("<h1") && page.contains("Pregão demo"), "the title is missing");
    assert!(count("<h2") >= 3, "headings: {}", count("<h2"));
    assert!(count("<svg") >= 3, "charts: {}", count("<svg"));
    assert!(count("<table") >= 3 && count("<td") > 100, "tables: {}, cells: {}", count("<table"), count("<td"));
    for words in ["IBOVESPA", "trend", "breakout", "momentum", "PETR4", "buying_power"] {
        assert!(page.contains(words), "{words} is not on the page");
    }
    for symbol in document["symbols"].as_array().unwrap() {
        assert!(page.contains(symbol.as_str().unwrap()), "{symbol} is not on the page");
    }
    for broken in ["NaN", "undefined", "Infinity"] {
        assert!(!page.contains(broken), "{broken} is on the page");
    }
}

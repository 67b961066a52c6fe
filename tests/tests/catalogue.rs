//! The catalogue of controls against everything that it speaks of: documents and alert rules are what it
//! renders (`UPDATE=1` writes them anew), and what it names exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use risk::catalogue::{CONTROLS, Control, Proof, alert_rules, alert_tests, runbook, table};

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(top().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A file is what it should be; with `UPDATE=1` it is made so.
fn assert_rendered(path: &str, expected: &str) {
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(top().join(path).parent().expect("a folder")).expect("a folder");
        fs::write(top().join(path), expected).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    let found = fs::read_to_string(top().join(path)).unwrap_or_default();
    assert!(
        found == expected,
        "{path} is not what risk/src/catalogue renders: UPDATE=1 cargo test -p tests --test catalogue writes it anew"
    );
}

/// The same for the part between `<!-- catalogue -->` and `<!-- end of catalogue -->`.
fn assert_part(path: &str, expected: &str) {
    let (begin, end) = ("<!-- catalogue -->\n", "<!-- end of catalogue -->");
    let text = read(path);
    let (before, rest) = text.split_once(begin).unwrap_or_else(|| panic!("{path} has no {begin}"));
    let (_, after) = rest.split_once(end).unwrap_or_else(|| panic!("{path} has no {end}"));
    assert_rendered(path, &format!("{before}{begin}\n{expected}\n{end}{after}"));
}

#[test]
fn documents_and_alert_rules_are_what_the_catalogue_says() {
    assert_part("docs/risk-controls.md", &table());
    assert_part("RUNBOOK.md", &runbook());
    assert_rendered("grafana/prometheus/risk.yml", &alert_rules());
    assert_rendered("grafana/prometheus/risk_test.yml", &alert_tests());
}

/// What of a row is not there.
fn missing(control: &Control) -> Vec<String> {
    let mut missing: Vec<String> = Vec::new();
    for rule in control.rules {
        if !top().join(rule).is_file() {
            missing.push(format!("rule {rule}"));
        }
    }
    for Proof { file, test } in [control.boundary, control.property] {
        let text = fs::read_to_string(top().join(file)).unwrap_or_default();
        if !text.contains(&format!("fn {test}(")) {
            missing.push(format!("test {test} in {file}"));
        }
    }
    let configuration = read("docs/configuration.md");
    for key in control.keys.iter().filter(|key| !is_documented(&configuration, key)) {
        missing.push(format!("key {key}"));
    }
    let codes: BTreeSet<&str> = risk::CHECKS.iter().map(|check| check.name).collect();
    let rest = read("risk/src/checks/mod.rs");
    let denies = |code: &&&str| !codes.contains(**code) && !rest.contains(&format!("&str = \"{code}\""));
    missing.extend(control.denies.iter().filter(denies).map(|code| format!("code {code}")));
    let metrics = read("engine/src/metrics/names.rs");
    let selector = control.alert.signal.selector();
    let metric = selector.split('{').next().unwrap_or_default();
    if !metrics.contains(&format!("\"{metric}\",")) {
        missing.push(format!("metric {metric}"));
    }
    missing
}

/// In a table of keys, or in one of the sections that are named after a symbol or a strategy.
fn is_documented(configuration: &str, key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or_default();
    configuration.contains(&format!("`{key}`"))
        || (key.matches('.').count() > 0
            && section(key)
                .is_some_and(|section| configuration.contains(section) && configuration.contains(&format!("`{name}`"))))
}

fn section(key: &str) -> Option<&'static str> {
    match key.rsplit_once('.')?.0 {
        "bounds" => Some("[bounds.PETR4]"),
        "risk.strategy" => Some("[risk.strategy.NAME]"),
        _ => None,
    }
}

#[test]
fn what_the_catalogue_names_exists() {
    let mut all = Vec::new();
    for control in CONTROLS {
        let missing = missing(control);
        if !missing.is_empty() {
            all.push(format!("{}: {missing:?}", control.number));
        }
    }
    assert!(all.is_empty(), "the catalogue names what is not there:\n{}", all.join("\n"));
}

#[test]
fn each_alert_is_a_heading_of_the_runbook() {
    let runbook = read("RUNBOOK.md");
    for control in CONTROLS {
        let name = control.alert.name;
        assert_eq!(runbook.matches(&format!("\n### {name}\n")).count(), 1, "{name}");
    }
}

//! The list of metrics against everything that speaks of metrics: its page, dashboards and alert rules.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use super::names::{self, Kind, METRICS};

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// docs/metrics.md.
fn page() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         What `/metrics` tells, in the Prometheus text format. Made from `engine/src/metrics/names.rs`; write it anew \
         with `UPDATE=1 cargo test -p pregao metrics`.\n\n\
         Amounts are for charts; the journal has the exact ones. Counters of the account begin anew when it does. \
         Labels are bounded: words of this program, and names that the configuration holds.\n",
    );
    for (area, metrics) in METRICS {
        let _ = write!(page, "\n## {area}\n\n| name | kind | labels | what it is |\n|---|---|---|---|\n");
        for metric in *metrics {
            let kind = match metric.kind() {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let (name, labels, help) = (metric.name, labels.join(", "), metric.help);
            let _ = writeln!(page, "| `{name}` | {kind} | {labels} | {help} |");
        }
    }
    page
}

#[test]
fn the_page_is_what_the_list_says() {
    let path = top().join("docs/metrics.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, page()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    assert!(read(&path) == page(), "UPDATE=1 cargo test -p pregao metrics writes docs/metrics.md anew");
}

#[test]
fn names_follow_the_form_and_labels_are_few_known_words() {
    let known = [
        "actor",
        "build",
        "by",
        "channel",
        "check",
        "chore",
        "hop",
        "instrument",
        "limit",
        "outcome",
        "reason",
        "route",
        "scope",
        "source",
        "state",
        "status",
        "strategy",
        "table",
        "version",
    ];
    let mut seen = BTreeSet::new();
    for metric in names::all() {
        let name = metric.name;
        assert!(seen.insert(name), "{name} twice");
        assert!(name.starts_with("pregao_") && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
        assert!(metric.labels.len() <= 2, "{name} has more than two labels");
        for label in metric.labels {
            assert!(known.contains(label), "{name}: {label} is not one of the known labels");
        }
        assert!(!metric.help.is_empty() && !metric.help.contains('|'), "{name}");
        let unit = ["_seconds", "_entries"].iter().any(|unit| name.ends_with(unit));
        assert!(metric.kind() != Kind::Histogram || unit, "{name}: a histogram has a unit");
    }
    assert!(METRICS.iter().all(|(_, metrics)| !metrics.is_empty()));
}

/// Every word of a text that could be one of our metrics.
fn named(text: &str) -> BTreeSet<&str> {
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    text.split(word).filter(|word| word.starts_with("pregao_")).collect()
}

/// What is no metric of ours without its suffix: series of histograms.
fn is_told(word: &str) -> bool {
    let suffixes = ["_bucket", "_sum", "_count"];
    let base = suffixes.iter().find_map(|suffix| word.strip_suffix(suffix));
    let of_histogram = base.and_then(names::find).is_some_and(|metric| metric.kind() == Kind::Histogram);
    of_histogram || names::find(word).is_some_and(|metric| metric.kind() != Kind::Histogram)
}

#[test]
fn dashboards_and_rules_name_metrics_that_are_told() {
    let mut files = 0;
    for folder in ["grafana/dashboards/pregao", "grafana/prometheus"] {
        let folder = top().join(folder);
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for path in entries.map(|entry| entry.expect("a file").path()) {
            if !path.extension().is_some_and(|extension| extension == "json" || extension == "yml") {
                continue;
            }
            files += 1;
            for word in named(&read(&path)) {
                assert!(is_told(word), "{} names {word}, which nobody tells", path.display());
            }
        }
    }
    assert!(files >= 9, "six dashboards, rules, their tests and Prometheus' own file at least");
}

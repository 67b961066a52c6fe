//! The catalogue as people and machines read it.

use std::fmt::Write;

use super::{Alert, CONTROLS, Control, Signal};

/// Where alert rules point, from the top of the repository.
const RUNBOOK: &str = "RUNBOOK.md";

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A file's path and the function in it, short enough for a table.
fn proof(of: super::Proof) -> String {
    format!("`{}` in `{}`", of.test, of.file)
}

/// The controls as two tables: what each one does, and what shows it.
pub fn table() -> String {
    let mut text = String::new();
    text.push_str("| # | control | codes | acts | compares | at the limit | passes all the same | keys | unit |\n");
    text.push_str("|---|---|---|---|---|---|---|---|---|\n");
    for control in CONTROLS {
        let codes: Vec<&str> = control.denies.iter().chain(control.halts).copied().collect();
        let acts: Vec<&str> = control.acts.iter().map(|acts| acts.name()).collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            control.number,
            control.title,
            listed(&codes),
            acts.join(", "),
            control.compares,
            control.at_the_limit,
            control.passes,
            listed(control.keys),
            control.unit,
        );
    }
    text.push_str("\n| # | rule | tests | metric | alert |\n|---|---|---|---|---|\n");
    for control in CONTROLS {
        let mut tests = proof(control.boundary);
        if control.property != control.boundary {
            let _ = write!(tests, "; {}", proof(control.property));
        }
        let _ = writeln!(
            text,
            "| {} | {} | {tests} | `{}` | {}, {} |",
            control.number,
            listed(control.rules),
            // A bar would end the cell.
            control.alert.signal.selector().replace('|', "\\|"),
            control.alert.name,
            control.alert.severity.name(),
        );
    }
    text
}

/// The alerts' chapter of the runbook: a heading each, what has happened and what to do first.
pub fn runbook() -> String {
    let mut text = String::new();
    for Control { number, title, alert, .. } in CONTROLS {
        let says = capital(alert.says);
        let first = capital(alert.first);
        let _ = writeln!(text, "### {}\n\n_{number}, {title}._ {says}.\n\n{first}.\n", alert.name);
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

impl Alert {
    fn expression(&self) -> String {
        let selector = self.signal.selector();
        match self.signal {
            Signal::Denials(_, most) => format!("sum by (check) (increase({selector}[1m])) > {most}"),
            Signal::Halts(_) => format!("sum by (by) (increase({selector}[5m])) > 0"),
            Signal::Gauge(_) => format!("max by (scope) ({selector}) > 0"),
            Signal::Zero(_) => format!("max({selector}) == 0"),
            Signal::Seconds(_, most) => format!("max by (channel) ({selector}) > {most}"),
            Signal::Counter(_) => format!("sum by (reason) (increase({selector}[5m])) > 0"),
        }
    }

    /// A series under which it fires five minutes in, one under which it does not, and the labels that it
    /// has of it. A sample every fifteen seconds.
    fn drill(&self) -> [String; 4] {
        let name = self.signal.selector();
        let name = name.split('{').next().unwrap_or_default();
        match self.signal {
            Signal::Denials(codes, most) => {
                let code = codes.first().copied().unwrap_or_default();
                let quiet = if most == 0 { "7x40".to_owned() } else { "0+1x40".to_owned() };
                let series = format!("{name}{{check=\"{code}\"}}");
                [series, format!("0+{}x40", 2 * most + 2), quiet, format!("check: {code}")]
            }
            Signal::Halts(by) => {
                let by = by.first().copied().unwrap_or_default();
                let series = format!("{name}{{by=\"{by}\"}}");
                [series, "0x8 1x32".to_owned(), "3x40".to_owned(), format!("by: {by}")]
            }
            Signal::Gauge(_) => [name.to_owned(), "1x40".to_owned(), "0x40".to_owned(), String::new()],
            Signal::Zero(_) => [name.to_owned(), "0x40".to_owned(), "1x40".to_owned(), String::new()],
            Signal::Seconds(_, most) => {
                let series = format!("{name}{{channel=\"webhook\"}}");
                [series, format!("{}x40", most + 1), format!("{most}x40"), "channel: webhook".to_owned()]
            }
            Signal::Counter(_) => {
                let series = format!("{name}{{reason=\"expired\"}}");
                [series, "0x8 1x32".to_owned(), "3x40".to_owned(), "reason: expired".to_owned()]
            }
        }
    }
}

/// Prometheus' rules: one alert for each control.
pub fn alert_rules() -> String {
    let mut text = String::from(
        "# Rendered from risk/src/catalogue; write it anew with: UPDATE=1 cargo test -p tests --test catalogue\n\
         groups:\n  - name: risk\n    rules:\n",
    );
    for Control { number, alert, .. } in CONTROLS {
        let _ = writeln!(text, "      - alert: {}", alert.name);
        let _ = writeln!(text, "        expr: '{}'", alert.expression());
        if alert.stands > 0 {
            let _ = writeln!(text, "        for: {}s", alert.stands);
        }
        let _ = writeln!(text, "        labels:\n          severity: {}", alert.severity.name());
        let _ = writeln!(text, "          control: {number}");
        let _ = writeln!(text, "        annotations:\n          summary: \"{}\"", capital(alert.says));
        let _ = writeln!(text, "          runbook_url: \"{}\"", url(alert));
    }
    text
}

fn url(alert: &Alert) -> String {
    format!("{RUNBOOK}#{}", alert.name.to_ascii_lowercase())
}

/// Prometheus' tests of those rules: each fires on what it is for, and not on what is short of it.
pub fn alert_tests() -> String {
    let mut text = String::from(
        "# Rendered from risk/src/catalogue, as risk.yml is. promtool test rules risk_test.yml\n\
         rule_files:\n  - risk.yml\nevaluation_interval: 15s\ntests:\n",
    );
    for Control { number, alert, .. } in CONTROLS {
        let [series, fires, quiet, label] = alert.drill();
        for (name, values, fires) in [("fires", fires, true), ("is quiet", quiet, false)] {
            let _ = writeln!(text, "  - name: {} {name}\n    interval: 15s\n    input_series:", alert.name);
            let _ = writeln!(text, "      - series: '{series}'\n        values: '{values}'");
            let _ = writeln!(text, "    alert_rule_test:\n      - eval_time: 5m\n        alertname: {}", alert.name);
            if !fires {
                text.push_str("        exp_alerts: []\n");
                continue;
            }
            let _ = writeln!(text, "        exp_alerts:\n          - exp_labels:");
            let _ =
                writeln!(text, "              severity: {}\n              control: {number}", alert.severity.name());
            if !label.is_empty() {
                let _ = writeln!(text, "              {label}");
            }
            let _ = writeln!(text, "            exp_annotations:\n              summary: \"{}\"", capital(alert.says));
            let _ = writeln!(text, "              runbook_url: \"{}\"", url(alert));
        }
    }
    text
}

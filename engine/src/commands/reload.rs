//! `reload` and `config rollback`: have the running daemon change its configuration, all of it or nothing.

use serde_json::Value;

use crate::cli::ChangeArguments;
use crate::config::{Overrides, data_directory};
use crate::control::{self, Question};
use crate::output::{Answer, Failure};

/// Asks the daemon of the data directory; `version`: what was in force as that, else what its file says now.
pub fn reload(overrides: &Overrides, change: &ChangeArguments, version: Option<u64>) -> Result<Answer, Failure> {
    let ChangeArguments { by, reason, dry_run } = change;
    for (what, text) in [("--by", by), ("--reason", reason)] {
        if text.trim().is_empty() {
            return Err(Failure::usage(format!("{what} is empty: a change takes a named person and a reason")));
        }
    }
    let directory = data_directory(overrides)?;
    let question = Question::Reload { by: by.clone(), reason: reason.clone(), dry_run: *dry_run, version };
    let failed = |message: String| Failure::Failed(message, Value::Null);
    let answer = control::ask(&directory, &question).map_err(failed)?;
    let Some(document) = answer else {
        let place = directory.display();
        let next = "what the file says counts at the next 'pregao run'";
        return Err(failed(format!("no daemon listens in {place}: nothing was changed; {next}")));
    };
    let degraded = document["outcome"] == "proposed";
    Ok(Answer { text: told(&document), json: document, degraded })
}

fn told(document: &Value) -> String {
    let version = &document["version"];
    let until = document["until"].as_str().unwrap_or_default();
    let first = match document["outcome"].as_str().unwrap_or_default() {
        "applied" => format!("In force, as version {version}:"),
        "unchanged" => format!("Nothing to change: version {version} is in force."),
        "dry_run" if document["needs_second"] == true => {
            format!("Would be proposed, and takes a second person; version {version} is in force:")
        }
        "dry_run" => format!("Would be put in force; version {version} is:"),
        _ => format!(
            "This raises a limit: it waits for a second, different person, who gives the same command until {until}. \
             Version {version} stays in force:"
        ),
    };
    let text = |value: &Value| value.as_str().unwrap_or("no value").to_owned();
    let changes = document["changes"].as_array().cloned().unwrap_or_default();
    let lines = changes
        .iter()
        .map(|change| format!("  {}: {} -> {}", text(&change["key"]), text(&change["before"]), text(&change["after"])));
    std::iter::once(first).chain(lines).collect::<Vec<_>>().join("\n")
}

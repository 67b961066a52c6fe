//! `config`: what is in force, what differs, what was in force before. Beside a running daemon or without one.

use serde_json::{Value, json};
use store::{ConfigVersion, ConfigVersions};

use crate::cli::ConfigCommand;
use crate::commands::reload;
use crate::config::effective::Effective;
use crate::config::{Overrides, data_directory, load_effective, load_text, places};
use crate::control::{self, Question};
use crate::ledger;
use crate::output::{Answer, Failure, table};
use crate::reload::shown;

/// Runs a `config` command.
pub fn config(command: &ConfigCommand, overrides: &Overrides) -> Result<Answer, Failure> {
    match command {
        ConfigCommand::Show => show(overrides),
        ConfigCommand::Diff { from, to } => diff(overrides, *from, *to),
        ConfigCommand::History { limit } => history(overrides, *limit),
        ConfigCommand::Rollback { version, change } => reload::reload(overrides, change, Some(*version)),
    }
}

/// The running daemon's configuration, else what the file says now.
fn show(overrides: &Overrides) -> Result<Answer, Failure> {
    let running = in_force(overrides)?;
    let is_running = running.is_some();
    let mut document = match running {
        Some(document) => document,
        None => shown(&load_effective(overrides)?.1, None),
    };
    document["running"] = is_running.into();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let lines = document["keys"].as_array().cloned().unwrap_or_default();
    let rows = lines.iter().map(|line| {
        let hot = if line["hot"] == true { "yes" } else { "" };
        vec![text(&line["key"]), text(&line["value"]), text(&line["origin"]), hot.to_owned()]
    });
    let first = match is_running {
        true => format!("In force as version {}; the daemon is running.", document["version"]),
        false => "No daemon is running; this is what the next 'pregao run' reads.".to_owned(),
    };
    let keys = table(&["key", "value", "from", "hot"], 4, rows);
    let told = format!("{first}\nhash {}\n{keys}", text(&document["hash"]));
    Ok(Answer::new(told, document))
}

/// What the running daemon says, if one runs.
fn in_force(overrides: &Overrides) -> Result<Option<Value>, Failure> {
    let directory = data_directory(overrides)?;
    control::ask(&directory, &Question::Config).map_err(|error| Failure::Failed(error, Value::Null))
}

fn versions(overrides: &Overrides) -> Result<Box<dyn ConfigVersions>, Failure> {
    Ok(ledger::open_read_only(&places(overrides)?)?.config_versions()?)
}

fn of_version(versions: &dyn ConfigVersions, number: u64) -> Result<ConfigVersion, Failure> {
    let missing = || format!("there is no version {number}; 'pregao config history' lists those that there are");
    versions.get(number)?.ok_or_else(|| Failure::usage(missing()))
}

/// A stored version, without what stands in the environment now.
fn effective_of(overrides: &Overrides, version: &ConfigVersion) -> Result<Effective, Failure> {
    Ok(load_text(overrides, &format!("version {}", version.number), &version.document)?.1)
}

fn diff(overrides: &Overrides, from: Option<u64>, to: Option<u64>) -> Result<Answer, Failure> {
    let versions = versions(overrides)?;
    let before = match from {
        Some(number) => of_version(&*versions, number)?,
        None => versions.current()?.ok_or_else(|| {
            Failure::Failed("no configuration was in force here yet: 'pregao run' stores the first".into(), Value::Null)
        })?,
    };
    let (after, name) = match to {
        Some(number) => (effective_of(overrides, &of_version(&*versions, number)?)?, format!("version {number}")),
        None => (load_effective(overrides)?.1, "what the file says now".to_owned()),
    };
    let differences = effective_of(overrides, &before)?.differences(&after);
    let document = json!({ "from": before.number, "to": to, "differences": differences });
    let first = format!("From version {} to {name}:", before.number);
    if differences.is_empty() {
        return Ok(Answer::new(format!("{first} nothing differs."), document));
    }
    let lines = differences.iter().map(|found| {
        let restart = if found.hot { "" } else { ", needs a restart" };
        format!("  {found}{restart}")
    });
    Ok(Answer::new(std::iter::once(first).chain(lines).collect::<Vec<_>>().join("\n"), document))
}

fn history(overrides: &Overrides, limit: usize) -> Result<Answer, Failure> {
    let found = versions(overrides)?.list(u64::MAX, limit)?;
    let rows = found.iter().map(|version| {
        let ConfigVersion { number, at, author, second, reason, .. } = version;
        let when = crate::cli::local(*at);
        vec![number.to_string(), when, author.clone(), second.clone().unwrap_or_default(), reason.clone()]
    });
    let text = match found.is_empty() {
        true => "No configuration was in force here yet.".to_owned(),
        false => table(&["version", "since", "author", "second", "reason"], 5, rows),
    };
    let listed = found.iter().map(|version| {
        let ConfigVersion { number, at, author, second, reason, digest, .. } = version;
        json!({
            "version": number,
            "etag": crate::reload::etag(version),
            "at": at,
            "author": author,
            "second": second,
            "reason": reason,
            "digest": digest,
        })
    });
    Ok(Answer::new(text, json!({ "versions": listed.collect::<Vec<_>>() })))
}

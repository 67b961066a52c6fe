//! `kill` and `flatten`: stop a scope, now and until a named person resumes. One person is enough, and
//! nothing that is left out can hold it up. Works also while no daemon runs, and where one runs that does
//! not answer.

use std::path::{Path, PathBuf};

use actors::Clock;
use actors::halt::{Halter, establish};
use actors::system::shared;
use risk::{HaltLevel, HaltScope, HaltSwitch};
use serde_json::{Value, json};
use store::{EmbeddedStore, HaltStore, Outcome, StoreError};

use crate::auditor::{Actor, Auditor};
use crate::config::{DEFAULT_DATA_DIRECTORY, Overrides, data_directory};
use crate::control::{self, Question};
use crate::output::{Answer, Failure, table};
use crate::stops::{self, NO_REASON, Stop};

fn failed(message: String) -> Failure {
    Failure::Failed(message, Value::Null)
}

/// Who says so: the name that was given, else the user's login name.
pub(super) fn person(by: Option<&str>) -> String {
    let given = by.map(str::trim).filter(|by| !by.is_empty()).map(str::to_owned);
    let login =
        || ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok().filter(|of| !of.is_empty()));
    given.or_else(login).unwrap_or_else(|| "an unnamed user of this machine".to_owned())
}

fn said(reason: Option<&str>) -> String {
    reason.map(str::trim).filter(|reason| !reason.is_empty()).unwrap_or(NO_REASON).to_owned()
}

/// Throws the switch: of the running daemon over its socket, else over its file; else for the next one.
pub fn kill(
    overrides: &Overrides,
    scope: HaltScope,
    level: HaltLevel,
    by: Option<&str>,
    reason: Option<&str>,
) -> Result<Answer, Failure> {
    let (directory, doubt) = directory_to_stop(overrides)?;
    let answer = stop(&directory, Stop { scope, level, by: person(by), reason: said(reason) })?;
    Ok(with_doubt(answer, doubt))
}

/// Where the daemon is that is to be stopped. A configuration that cannot be read, which somebody is editing
/// perhaps, must not keep anybody from stopping: then it is the usual place, if a daemon was ever there, and
/// that is said.
fn directory_to_stop(overrides: &Overrides) -> Result<(PathBuf, Option<String>), Failure> {
    let unusable = match data_directory(overrides) {
        Ok(directory) => return Ok((directory, None)),
        Err(unusable) => unusable,
    };
    let usual = PathBuf::from(DEFAULT_DATA_DIRECTORY);
    if usual.is_dir() {
        let doubt = format!(
            "The configuration cannot be read ({unusable}), so this is about {}: if the daemon's data is elsewhere, \
             name it with --data-dir.",
            usual.display()
        );
        return Ok((usual, Some(doubt)));
    }
    let message = format!("{unusable}\nNOTHING WAS STOPPED: name the daemon's data directory with --data-dir DIR");
    Err(Failure::usage(message))
}

fn with_doubt(mut answer: Answer, doubt: Option<String>) -> Answer {
    if let Some(doubt) = doubt {
        answer.text = format!("{}\n{doubt}", answer.text);
        answer.degraded = true;
    }
    answer
}

fn stop(directory: &Path, stop: Stop) -> Result<Answer, Failure> {
    let Stop { scope, level, by, reason } = stop.clone();
    let question = Question::Kill { scope, action: level, by, reason };
    let unanswered = match control::ask(directory, &question) {
        Ok(Some(answer)) => {
            let level = answer["halt"].as_str().unwrap_or_default().to_owned();
            let what = match stop.scope {
                HaltScope::Global => String::new(),
                ref scope => format!(" of {scope}"),
            };
            if answer["names_nothing"] == true {
                let text = format!(
                    "NOTHING TRADES UNDER {}: the halt is stored ({level}) and stops nothing of this run. 'pregao check' \
                     lists strategies and symbols; without --scope everything stops.",
                    stop.scope
                );
                return Ok(Answer { degraded: true, ..Answer::new(text, told(&stop, &level, true)) });
            }
            let text = format!("Stopped ({level}): no new order{what} leaves. 'pregao resume' lifts it.");
            return Ok(Answer::new(text, told(&stop, &level, true)));
        }
        Ok(None) => None,
        Err(error) => Some(error),
    };
    match without_daemon(directory, &stop) {
        Ok(level) => {
            let text =
                format!("No daemon runs here. Stored: the next 'pregao run' starts with {} at {level}.", stop.scope);
            Ok(Answer::new(text, told(&stop, level.name(), false)))
        }
        // Somebody holds the directory: a daemon that has no ear for its socket still looks at its file.
        Err(StoreError::Locked { .. }) => {
            let path = stops::write(directory, &stop).map_err(|error| {
                failed(format!("the daemon does not answer, and its halt file cannot be written: {error}"))
            })?;
            let why = unanswered.unwrap_or_else(|| "it does not listen".to_owned());
            let text = format!(
                "The daemon does not answer ({why}). {} says the same to it now; look whether it has stopped, and \
                 take the file away before you resume.",
                path.display()
            );
            let json = told(&stop, stop.level.name(), true);
            Ok(Answer { text, json, degraded: true })
        }
        Err(error) => Err(match error {
            StoreError::Unusable { .. } => failed(format!(
                "no daemon listens in {}, and there is no store: nothing trades there, and nothing was stopped; is \
                 that the data directory?",
                directory.display()
            )),
            other => failed(crate::output::chain(&other)),
        }),
    }
}

fn told(stop: &Stop, level: &str, running: bool) -> Value {
    json!({
        "scope": stop.scope,
        "now": level,
        "running": running,
        "by": stop.by,
        "reason": stop.reason,
    })
}

/// Stored in the data directory; with a server the next start carries it there.
fn without_daemon(directory: &Path, stop: &Stop) -> Result<Level, StoreError> {
    // A directory without a store is another one than was meant, and none is made.
    EmbeddedStore::open_read_only(directory)?;
    let store = EmbeddedStore::open(directory)?;
    let halt = store.halt()?;
    let switch = HaltSwitch::of_run(Vec::new(), Vec::new());
    // In doubt it stays halted as a whole, whatever is stored now.
    let _ = establish(&switch, halt.load_halts());
    switch.raise(&stop.scope, stop.level);
    let level = switch.level_in(&stop.scope);
    Halter::new(switch, shared(halt), Clock::System).keep(&stop.scope, level, &stop.by, &stop.reason)?;
    // Here, as the halt is; with a server the next start carries both there.
    Auditor::new(Box::new(store.audit()?)).note(&Actor::local(&stop.by), stop.act(), Outcome::Done);
    Ok(Level(level))
}

/// A level under its name.
struct Level(HaltLevel);

impl Level {
    const fn name(&self) -> &'static str {
        self.0.name()
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Shows what flattening a scope would do, then does it.
pub fn flatten(
    overrides: &Overrides,
    scope: HaltScope,
    by: Option<&str>,
    reason: Option<&str>,
    dry_run: bool,
) -> Result<Answer, Failure> {
    let (directory, doubt) = directory_to_stop(overrides)?;
    // What it would do is worth knowing, and no reason not to do it.
    let plan = control::ask(&directory, &Question::FlattenPlan { scope: scope.clone() });
    if dry_run {
        let plan = plan.map_err(failed)?;
        let plan = plan.ok_or_else(|| failed(format!("no daemon listens in {}", directory.display())))?;
        return Ok(Answer::new(
            format!("{}\nNothing was done.", shown(&plan)),
            json!({ "scope": scope, "plan": plan }),
        ));
    }
    let stop = Stop { scope, level: HaltLevel::Flatten, by: person(by), reason: said(reason) };
    let mut answer = self::stop(&directory, stop)?;
    if let Ok(Some(plan)) = plan {
        answer.text = format!("{}\n{}", shown(&plan), answer.text);
        answer.json["plan"] = plan;
    }
    Ok(with_doubt(answer, doubt))
}

fn shown(plan: &Value) -> String {
    let list = |key: &str| plan[key].as_array().cloned().unwrap_or_default();
    let cell = |row: &Value, key: &str| row[key].as_str().map_or_else(|| row[key].to_string(), str::to_owned);
    let cancels = list("cancels").len();
    let closings: Vec<Vec<String>> = list("closings")
        .iter()
        .map(|row| ["strategy", "symbol", "held", "side", "quantity"].map(|key| cell(row, key)).to_vec())
        .collect();
    let orders = format!("cancels {cancels} open orders");
    if closings.is_empty() {
        return format!("{orders}; nothing is held");
    }
    let columns = ["strategy", "symbol", "held", "first order", "units"];
    format!("{orders}, then closes\n{}", table(&columns, 2, closings))
}

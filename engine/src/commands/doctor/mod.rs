//! `doctor`: whether everything around the daemon is as it should be: one line a check, with what was found and what
//! to do. It changes nothing, beside one value on Redis that is taken away at once, and works beside a running daemon.
//!
//! One file for each subject; [`CHECKS`] is the list. A check is a function of what all of them share, and gives
//! [`Finding`]s: most give one, a check of several things one each.

mod admin;
mod alerts;
mod attestation;
mod broker;
mod calendar;
mod certificate;
mod clock;
mod directory;
mod history;
mod ledger;
mod quotes;
mod sources;

use actors::Clock;
use market::Timestamp;
use serde_json::{Value, json};

use crate::config::effective::Effective;
use crate::config::{Config, Overrides, load_effective};
use crate::control::{self, Question};
use crate::output::{Answer, Failure, table};

/// How a check ended. The worst of all decides the exit code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// The configuration does not ask for it.
    NotConfigured,
    /// It works, and somebody should look before long.
    Warning,
    /// It does not work.
    Failed,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotConfigured => "not configured",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// What a check found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Finding {
    /// Of what, where a check has several.
    of: Option<String>,
    verdict: Verdict,
    /// What was found, with its figure.
    found: String,
    /// What to do; empty where nothing is to be done.
    fix: String,
}

impl Finding {
    fn of(verdict: Verdict, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { of: None, verdict, found: found.into(), fix: fix.into() }
    }

    pub(super) fn ok(found: impl Into<String>) -> Self {
        Self::of(Verdict::Ok, found, "")
    }

    pub(super) fn not_configured(found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::of(Verdict::NotConfigured, found, fix)
    }

    pub(super) fn warning(found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::of(Verdict::Warning, found, fix)
    }

    pub(super) fn failed(found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::of(Verdict::Failed, found, fix)
    }

    /// Of this one of several.
    pub(super) fn named(self, of: impl Into<String>) -> Self {
        Self { of: Some(of.into()), ..self }
    }

    /// An error that says itself what to do, which stands behind its last semicolon.
    pub(super) fn error(error: &dyn std::error::Error, otherwise: &str) -> Self {
        Self::told(&crate::output::chain(error), otherwise)
    }

    /// The same of a command's failure.
    pub(super) fn failure(failure: &Failure, otherwise: &str) -> Self {
        Self::told(failure.text(), otherwise)
    }

    fn told(text: &str, otherwise: &str) -> Self {
        match text.rsplit_once("; ") {
            Some((found, fix)) => Self::failed(found, fix),
            None => Self::failed(text, otherwise),
        }
    }
}

/// What every check may look at.
pub(super) struct Patient {
    pub(super) config: Config,
    pub(super) effective: Effective,
    pub(super) now: Timestamp,
    /// What a running daemon says of itself; none where none listens.
    pub(super) daemon: Result<Option<Value>, String>,
}

type Check = fn(&Patient) -> Vec<Finding>;

/// Every check after the configuration's, in the order in which they are told.
const CHECKS: &[(&str, Check)] = &[
    ("data directory", directory::check),
    ("disk", directory::disk),
    ("daemon", broker::daemon),
    ("ledger", ledger::check),
    ("journal", ledger::journals),
    ("lease", ledger::lease),
    ("history", history::check),
    ("calendar", calendar::check),
    ("clock", clock::check),
    ("broker", broker::check),
    ("hot quotes", quotes::check),
    ("alerts", alerts::check),
    ("sources", sources::check),
    ("collections", sources::collections),
    ("admin interface", admin::check),
    ("admin users", admin::users),
    ("attestation", attestation::check),
];

/// The check that comes first: without a configuration there is nothing to look at.
const CONFIGURATION: &str = "configuration";

/// Looks at everything.
pub fn doctor(overrides: &Overrides) -> Result<Answer, Failure> {
    let mut lines: Vec<(&str, Finding)> = Vec::new();
    match load_effective(overrides) {
        Err(unusable) => lines.extend(unusable.0.iter().map(|problem| {
            let fix = "correct it, then 'pregao check'";
            (CONFIGURATION, Finding::failed(problem.to_string(), fix))
        })),
        Ok((config, effective)) => {
            lines.push((CONFIGURATION, Finding::ok(format!("valid, SHA-256 {}", effective.hash()))));
            let daemon = control::ask(&config.data_directory, &Question::Status);
            let patient = Patient { config, effective, now: Clock::System.now(), daemon };
            for (name, check) in CHECKS {
                lines.extend(check(&patient).into_iter().map(|finding| (*name, finding)));
            }
        }
    }
    answer(&lines)
}

fn answer(lines: &[(&str, Finding)]) -> Result<Answer, Failure> {
    let count = |verdict| lines.iter().filter(|(_, finding)| finding.verdict == verdict).count();
    let (failures, warnings) = (count(Verdict::Failed), count(Verdict::Warning));
    let checks = lines.iter().map(|(name, Finding { of, verdict, found, fix })| {
        json!({ "check": name, "of": of, "result": verdict.name(), "found": found, "fix": fix })
    });
    let json = json!({ "checks": checks.collect::<Vec<_>>(), "failures": failures, "warnings": warnings });
    // A fix stands below what it is for: side by side they are wider than any screen.
    let rows = lines.iter().flat_map(|(name, Finding { of, verdict, found, fix })| {
        let name = of.as_ref().map_or_else(|| (*name).to_owned(), |of| format!("{name}: {of}"));
        let first = vec![verdict.name().to_owned(), name, found.clone()];
        let fix = (!fix.is_empty()).then(|| vec![String::new(), String::new(), format!("→ {fix}")]);
        [Some(first), fix].into_iter().flatten()
    });
    let shown = table(&["", "", ""], 3, rows);
    let text = match (failures, warnings) {
        (0, 0) => format!("{shown}\nAll is well."),
        _ => format!("{shown}\n{failures} failed, {warnings} to look at."),
    };
    let answer = Answer { text, json, degraded: warnings > 0 };
    if failures == 0 { Ok(answer) } else { Err(Failure::Found(answer)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_line_decides_and_every_line_is_told() {
        let line = |finding| ("clock", finding);
        let all = [
            line(Finding::ok("fine")),
            line(Finding::not_configured("none", "set it").named("one")),
            line(Finding::warning("late", "look")),
            line(Finding::failed("broken", "mend")),
        ];
        let well = answer(&all[..2]).unwrap();
        assert!(!well.degraded && well.text.ends_with("All is well.") && well.text.contains("clock: one"));
        let warned = answer(&all[..3]).unwrap();
        assert_eq!((warned.degraded, &warned.json["warnings"], &warned.json["failures"]), (true, &1.into(), &0.into()));
        let Err(Failure::Found(found)) = answer(&all) else { panic!("a failed check is a failure") };
        assert_eq!(found.json["checks"][3]["result"], "failed");
        assert!(found.text.contains("mend") && found.text.ends_with("1 failed, 1 to look at."), "{}", found.text);
    }

    #[test]
    fn what_an_error_says_to_do_is_the_fix() {
        let failure = Failure::Failed("it is away: no answer; start it".to_owned(), Value::Null);
        assert_eq!(Finding::failure(&failure, "look"), Finding::failed("it is away: no answer", "start it"));
        assert_eq!(Finding::error(&std::fmt::Error, "look").fix, "look");
    }
}

//! `data fetch`: asks a source now what a collection would ask it by schedule.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use feeds::fetch::{Observer, Try};
use feeds::source::{Ask, Subject};
use history::schedule::{Schedule, When};
use indicatif::ProgressBar;
use market::history::Interval;
use market::{Calendar, Date, Symbol};
use store::History;

use crate::collecting::{Job, Memory, collect};
use crate::config::SourcesConfig;
use crate::output::{Answer, Failure, table};

/// What is wanted.
pub struct Wanted {
    /// Whom to ask.
    pub source: String,
    /// What for; what there is only one of need not be said.
    pub subject: Option<Subject>,
    /// Of which symbols; all, where the source tells all at once.
    pub symbols: Vec<Symbol>,
    /// Length of intraday bars.
    pub interval: Interval,
    /// From when.
    pub since: Since,
    /// Last session; the latest complete one, where it is not said.
    pub to: Option<Date>,
}

/// From when to ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Since {
    /// From the session after the last one that was collected.
    Last,
    /// From this day.
    Day(Date),
    /// The latest session only.
    Latest,
}

impl std::str::FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "last" {
            return Ok(Self::Last);
        }
        text.parse().map(Self::Day).map_err(|_| format!("'{text}' is neither 'last' nor a date such as 2024-01-02"))
    }
}

/// Every source, for people who look for one.
pub fn sources() -> Answer {
    let all: Vec<_> = feeds::source::names().filter_map(feeds::source::facts).collect();
    let answers = |facts: &feeds::source::Facts| {
        facts.answers.iter().map(|subject| subject.name()).collect::<Vec<_>>().join(", ")
    };
    let rows = all.iter().map(|facts| {
        let also = [(facts.wants_secret, "wants a key"), (facts.off_because.is_some(), "off by default")];
        let also: Vec<&str> = also.into_iter().filter_map(|(so, word)| so.then_some(word)).collect();
        vec![
            facts.name.to_string(),
            answers(facts),
            facts.delay.name().to_owned(),
            also.join(", "),
            facts.about.to_owned(),
        ]
    });
    let text = table(&["Source", "Answers", "Age", "", "What it is"], 9, rows);
    let json: Vec<_> = all
        .iter()
        .map(|facts| {
            serde_json::json!({
                "name": facts.name, "answers": answers(facts), "delay": facts.delay, "wants_secret": facts.wants_secret,
                "off_because": facts.off_because, "requests_per_minute": facts.requests_per_minute,
                "about": facts.about,
            })
        })
        .collect();
    Answer::new(text, serde_json::json!({ "sources": json }))
}

/// Shows what happens.
struct Shown(ProgressBar);

impl Observer for Shown {
    fn tried(&self, event: &Try) {
        tracing::info!(
            source = %event.source, key = event.key, outcome = event.outcome.name(), bytes = event.bytes,
            items = event.items, problem = event.problem, "asked"
        );
        self.0.set_message(format!("{}: {}", event.source, event.key));
        self.0.inc(1);
    }
}

/// Asks, and keeps what comes.
pub fn fetch(
    history: &mut dyn History,
    directory: &Path,
    sources: &SourcesConfig,
    wanted: &Wanted,
) -> Result<Answer, Failure> {
    let failed = |error: crate::collecting::JobError| Failure::usage(crate::output::chain(&error));
    let mut memory = Memory::take(directory).map_err(Failure::failed)?;
    let job = Job::new(sources, &wanted.source, memory.folder()).map_err(failed)?;
    let facts = job.source().facts();
    let subject = match (wanted.subject, facts.answers) {
        (Some(subject), _) => subject,
        (None, [only]) => *only,
        (None, several) => {
            let names: Vec<&str> = several.iter().map(|subject| subject.name()).collect();
            let message = format!("{} answers {}; say which with --subject", facts.name, names.join(", "));
            return Err(Failure::usage(message));
        }
    };
    // The same name as a collection without one, so that a schedule goes on from here.
    let name = format!("{}_{}", facts.name, subject.name());
    let now = actors::Clock::System.now();
    let Some((from, to)) = span(wanted, memory.progress(&name).through, now) else {
        let message = format!("{name} is complete: there is no later session");
        return Ok(Answer::new(message, serde_json::json!({ "requests": 0, "errors": [] })));
    };
    let symbols = wanted.symbols.clone();
    let ask = Ask { subject, symbols, interval: wanted.interval, from, to, today: now.local_date() };
    let shown = Shown(crate::output::spinner("Fetching"));
    let finished = collect(&job, &ask, history, &mut memory, &shown, &AtomicBool::new(false)).map_err(failed)?;
    shown.0.finish_and_clear();
    // A span that begins where the last one ended, or a first one, moves the collection on.
    if finished.is_whole() && finished.report.nothing.is_empty() && wanted.since != Since::Latest {
        memory.note(&name, Some(to), now).map_err(Failure::failed)?;
    }
    let mut text = format!("{} to {}: {}", from, to, finished.summary());
    for (key, meaning) in &finished.report.nothing {
        text.push_str(&format!("\n{key}: {meaning}"));
    }
    let mut json = finished.json();
    json["from"] = serde_json::json!(from);
    json["to"] = serde_json::json!(to);
    if !finished.is_whole() {
        let errors = finished.report.errors.iter().map(|error| crate::output::chain(error));
        let lines: Vec<String> = errors.chain([text]).collect();
        return Err(Failure::Failed(lines.join("\n"), json));
    }
    Ok(Answer::new(text, json))
}

/// Which sessions to ask for.
fn span(wanted: &Wanted, through: Option<Date>, now: market::Timestamp) -> Option<(Date, Date)> {
    let calendar = Calendar::b3();
    let schedule = Schedule { when: When::Through { minutes: 1 }, since: None };
    let collected = history::schedule::Collected { through: None, last: Some(now) };
    let latest = schedule.due(collected, &calendar, now)?.to;
    let to = wanted.to.unwrap_or(latest);
    let from = match wanted.since {
        Since::Day(day) => day,
        Since::Latest => to,
        Since::Last => through.map_or(Some(to), |through| calendar.next_session(through))?,
    };
    (from <= to).then_some((from, to))
}

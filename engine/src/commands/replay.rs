//! `replay`: makes a recorded session again and compares every decision. Reads only, so it works
//! beside a running daemon.

use desk::{Difference, Replay, ReplayReport};
use market::FeeSchedule;

use super::recording::Recording;
use crate::cli::ReplayArguments;
use crate::config::Overrides;
use crate::output::{Answer, Failure, table};

/// Differences and losses that people are shown; programs get all.
const SHOWN: usize = 20;
/// Sessions of a table beyond which the rest is only counted.
const SESSIONS_SHOWN: usize = 40;

/// Replays one session, or all.
pub fn replay(arguments: &ReplayArguments, overrides: &Overrides) -> Result<Answer, Failure> {
    let recording = Recording::open(overrides, arguments.account)?;
    let mut replay = Replay::new(recording.account.as_str(), FeeSchedule::b3()).only(arguments.session);
    recording.read("Replaying", |sequence, at, entry| replay.entry(sequence, at, entry).map(drop))?;
    let report = replay.finish().map_err(Failure::failed)?;
    let mut json = serde_json::to_value(&report).map_err(Failure::failed)?;
    json["account"] = recording.account.to_string().into();
    if !report.differences.is_empty() {
        return Err(Failure::Failed(differences(&report), json));
    }
    let degraded = !report.lost_inputs.is_empty();
    Ok(Answer { degraded, ..Answer::new(shown(&report), json) })
}

fn differences(report: &ReplayReport) -> String {
    let found = &report.differences;
    let line = |difference: &Difference| {
        let Difference { sequence, session, what, recorded, replayed } = difference;
        format!("{session}, journal entry {sequence}: {what} was {recorded}, replayed {replayed}")
    };
    let alike = report.matched + report.accepted_as_given + report.reviewed_only;
    let mut lines = vec![format!(
        "the journal and its replay differ in {}; {alike} of {} decisions are the same",
        counted(found.len(), "place"),
        report.decisions
    )];
    lines.extend(found.iter().take(SHOWN).map(line));
    if found.len() > SHOWN {
        lines.push(format!("and {} more: --json has all", found.len() - SHOWN));
    }
    lines.join("\n")
}

fn shown(report: &ReplayReport) -> String {
    let mut text = match report.sessions.as_slice() {
        [one] => format!("Session {}: {}", one.date, verdict(report)),
        sessions => format!("{}: {}", counted(sessions.len(), "session"), verdict(report)),
    };
    let rows = report.sessions.iter().rev().take(SESSIONS_SHOWN).rev().map(|session| {
        let counts =
            [session.entries, session.decisions, session.matched, session.accepted_as_given, session.reviewed_only];
        std::iter::once(session.date.to_string()).chain(counts.map(|count| count.to_string())).collect()
    });
    let titles = ["Session", "Entries", "Decisions", "Made again", "Taken as given", "Only reviewed"];
    text.push_str(&format!("\n{}", table(&titles, 1, rows)));
    if report.sessions.len() > SESSIONS_SHOWN {
        text.push_str(&format!(
            "\nThe {} sessions before these are counted in the first line.",
            report.sessions.len() - SESSIONS_SHOWN
        ));
    }
    for lost in report.lost_inputs.iter().take(SHOWN) {
        text.push_str(&format!(
            "\nLost with an actor: {} of {}, before journal entry {}.",
            lost.what, lost.strategy, lost.sequence
        ));
    }
    text.push_str(&format!("\nFingerprint {}", report.fingerprint));
    text
}

fn verdict(report: &ReplayReport) -> String {
    let decisions = report.decisions;
    let again = match decisions - report.matched {
        0 if decisions == 0 => "nothing was decided.".to_owned(),
        0 => format!("all {decisions} decisions are made again, bit for bit."),
        _ => format!("{} of {decisions} decisions are made again, bit for bit; none differs.", report.matched),
    };
    if report.lost_inputs.is_empty() {
        return again;
    }
    format!("{again} What strategies had heard is lost in {}.", counted(report.lost_inputs.len(), "place"))
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(differences: u64) -> ReplayReport {
        let difference = |sequence| Difference {
            sequence,
            session: "2017-12-20".parse().unwrap(),
            what: "limit".to_owned(),
            recorded: "1".to_owned(),
            replayed: "2".to_owned(),
        };
        ReplayReport {
            sessions: Vec::new(),
            entries: 100,
            decisions: 50,
            matched: 50 - differences,
            accepted_as_given: 0,
            reviewed_only: 0,
            lost_inputs: Vec::new(),
            differences: (1..=differences).map(difference).collect(),
            fingerprint: String::new(),
        }
    }

    #[test]
    fn people_are_shown_the_first_differences_and_told_of_the_rest() {
        let text = differences(&report(25));
        assert!(text.starts_with("the journal and its replay differ in 25 places; 25 of 50 decisions are the same\n"));
        assert!(text.contains("2017-12-20, journal entry 20: limit was 1, replayed 2\nand 5 more: --json has all"));
        assert!(!text.contains("entry 21:"), "{text}");
        assert_eq!(differences(&report(1)).lines().count(), 2);
    }
}

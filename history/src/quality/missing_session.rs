//! Sessions of the calendar without a bar, between the first bar and the last; within a session of
//! shorter bars a hole. Only marks: there is no bar to leave out, and an illiquid share may not have
//! traded. A run of missing sessions is one mark, at its first.

use chrono::NaiveTime;
use market::history::{Interval, QualityRule};
use market::{Date, Phase, Timestamp};

use super::{Effect, Finding, Input, Rule};

/// Longer than this, a hole within continuous trading is told: B3's first circuit breaker stops
/// everything for thirty minutes, and no auction of a single share is longer.
const HOLE_MINUTES: i64 = 30;

const NANOS_PER_MINUTE: i64 = 60 * market::time::NANOS_PER_SECOND;

pub(super) const RULE: Rule = Rule {
    rule: QualityRule::MissingSession,
    effect: Effect::Marks,
    why: "a session without a bar, or a hole of more than thirty minutes in it; there is no bar to leave out",
    find,
};

fn find(input: &Input<'_>, findings: &mut Vec<Finding>) {
    let mut have: Vec<Date> = input.dates.clone();
    have.dedup();
    for pair in have.windows(2) {
        let missing: Vec<Date> = input.calendar.sessions(pair[0].succ_opt().unwrap_or(pair[0]), pair[1]);
        let missing = &missing[..missing.len() - usize::from(missing.last() == Some(&pair[1]))];
        if let (Some(first), Some(last)) = (missing.first(), missing.last())
            && let Some(at) = Timestamp::from_local(first.and_time(NaiveTime::MIN))
        {
            let detail = match missing.len() {
                1 => first.to_string(),
                count => format!("{count} sessions, {first} to {last}"),
            };
            findings.push(Finding::new(at, detail));
        }
    }
    if let Interval::Minutes(minutes) = input.series.interval {
        have.iter().for_each(|date| holes(input, *date, i64::from(minutes.get()), findings));
    }
}

/// The holes of one session: between bars, before the first and after the last.
fn holes(input: &Input<'_>, date: Date, minutes: i64, findings: &mut Vec<Finding>) {
    let Some(session) = input.calendar.session(date) else { return };
    let Some(continuous) = session.phases().iter().find(|span| span.phase == Phase::Continuous) else { return };
    let (from, to) =
        (input.dates.partition_point(|other| *other < date), input.dates.partition_point(|other| *other <= date));
    let mut covered = continuous.start;
    let ends = input.bars[from..to].iter().map(|bar| bar.begin).chain([continuous.end]);
    for begin in ends {
        let hole = begin.min(continuous.end).nanos_since(covered) / NANOS_PER_MINUTE;
        if hole > HOLE_MINUTES {
            let (after, before) = (covered.local().time(), begin.min(continuous.end).local().time());
            findings.push(Finding::new(covered, format!("{date}: nothing from {after} to {before}, {hole} minutes")));
        }
        covered = covered.max(begin.plus_nanos(minutes * NANOS_PER_MINUTE));
    }
}

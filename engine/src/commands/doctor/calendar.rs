//! How long the calendar knows when the exchange is open.

use super::{Finding, Patient};
use crate::config::CalendarName;

/// Days before its end at which somebody has to care: a release and its way to the machine take weeks.
const CARE: i64 = 60;

pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    if patient.config.calendar == CalendarName::AlwaysOpen {
        return vec![Finding::not_configured(
            "always open, for drills",
            "session.calendar = \"b3\" trades B3's sessions",
        )];
    }
    let horizon = patient.config.calendar.calendar().horizon();
    let left = horizon.signed_duration_since(patient.now.local_date()).num_days();
    let found = format!("known until {horizon}: {left} days");
    let fix = "install a newer pregao: B3 publishes the next year's calendar in December";
    vec![match left {
        ..0 => Finding::failed(found, fix),
        0..CARE => Finding::warning(found, fix),
        _ => Finding::ok(found),
    }]
}

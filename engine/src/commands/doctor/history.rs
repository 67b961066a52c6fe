//! The history: how it is kept, what it takes, and up to which session it goes.

use market::Date;
use store::{Filter, History};

use super::directory::size;
use super::{Finding, Patient};
use crate::config::FeedConfig;
use crate::histories;

const IMPORT: &str = "import some ('pregao data import'), or fetch it ('pregao data fetch')";

pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    let opened = histories::open_read_only(&patient.config.places());
    let history = match opened {
        Ok(history) => history,
        Err(failure) => return vec![Finding::failure(&failure, IMPORT)],
    };
    let storage = history.storage().and_then(|storage| Ok((storage, history.disk_usage()?)));
    let storage = match storage {
        Ok((storage, sizes)) => {
            let used: u64 = sizes.iter().map(|table| table.bytes).sum();
            Finding::ok(format!("{storage}, {}", size(used)))
        }
        Err(error) => Finding::error(&error, "look at the place that it names"),
    };
    vec![storage.named("storage"), coverage(patient, &*history).named("coverage")]
}

fn coverage(patient: &Patient, history: &dyn History) -> Finding {
    let calendar = patient.config.calendar.calendar();
    let today = patient.now.local_date();
    let last: Option<Date> = match history.coverage(&Filter::default()) {
        Ok(listings) => listings.iter().map(|listing| listing.last).max(),
        Err(error) => return Finding::error(&error, "look at the place that it names"),
    };
    let Some(last) = last else { return Finding::failed("no session is stored", IMPORT) };
    let expected = calendar.previous_session(today).unwrap_or(last);
    let found = format!("up to {last}; the last session that is over is {expected}");
    // A replay of old sessions needs no new ones, unless somebody collects them.
    let is_old = matches!(patient.config.feed, FeedConfig::Replay { .. }) && patient.config.collections.is_empty();
    if last >= expected || is_old {
        return Finding::ok(found);
    }
    let missing = last.succ_opt().map_or(0, |first| calendar.sessions(first, expected).len());
    Finding::warning(
        format!("{found}: {missing} sessions are missing"),
        "fetch them ('pregao data fetch'), or look at [[collect]]",
    )
}

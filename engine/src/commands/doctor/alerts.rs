//! Where alerts go.

use super::{Finding, Patient};

/// Nothing is sent: a person at the other end would be woken.
pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    vec![match patient.config.webhook.as_ref().map(|place| place.url()) {
        None => Finding::not_configured("alerts go to the log only", "set alerts.webhook_file or alerts.webhook"),
        Some(Ok(_)) => Finding::ok("a webhook is named"),
        Some(Err(problem)) => Finding::failed(problem, "put the webhook's URL there"),
    }]
}

//! Alerts into the log, as ERROR or WARN. What whoever raised it has logged in its place is not repeated.

use super::{Alert, Channel, NotifierSettings, Undelivered};

pub(super) const NAME: &str = "log";

struct Log;

pub(super) fn build(_: &NotifierSettings) -> Option<Box<dyn Channel>> {
    Some(Box::new(Log))
}

impl Channel for Log {
    fn deliver(&mut self, alert: &Alert) -> Result<(), Undelivered> {
        write(alert);
        Ok(())
    }
}

/// One line.
pub(super) fn write(alert: &Alert) {
    let Alert { alert: name, scope, level, by, reason, .. } = alert;
    if alert.logged {
        return;
    }
    if alert.severity == "error" {
        tracing::error!(alert = name, scope, level, by, reason, "alert");
    } else {
        tracing::warn!(alert = name, scope, level, by, reason, "alert");
    }
}

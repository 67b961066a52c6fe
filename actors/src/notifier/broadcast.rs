//! Alerts to whoever listens inside the program, such as the admin interface's stream.

use std::sync::Arc;

use super::{Alert, Channel, Listeners, NotifierSettings, Undelivered};

pub(super) const NAME: &str = "stream";

pub(super) fn build(settings: &NotifierSettings) -> Option<Box<dyn Channel>> {
    Some(Box::new(settings.listeners.clone()))
}

impl Channel for Listeners {
    fn deliver(&mut self, alert: &Alert) -> Result<(), Undelivered> {
        // Nobody listening is no failure.
        let _ = self.0.send(Arc::new(alert.clone()));
        Ok(())
    }
}

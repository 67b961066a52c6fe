//! Alerts to one URL, as JSON by POST. Any 2xx is an arrival; 4xx will not change by asking again, except
//! "too early", "slow down" and "timed out". The URL may be a secret and is never shown.

use std::fmt;
use std::time::Duration;

use ureq::Agent;

use super::{Alert, Channel, NotifierSettings, Undelivered};

pub(super) const NAME: &str = "webhook";

/// How long one try may take. Longer than the second that an alert may take: a slow receiver still gets it.
const TIMEOUT: Duration = Duration::from_secs(3);
/// How long the connection may take.
const CONNECT: Duration = Duration::from_secs(1);
/// Refusals that another try may change.
const FOR_NOW: [u16; 3] = [408, 425, 429];

/// Where alerts go.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// `http` or `https`.
    pub url: String,
}

impl fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSettings")
    }
}

struct Webhook {
    agent: Agent,
    url: String,
}

pub(super) fn build(settings: &NotifierSettings) -> Option<Box<dyn Channel>> {
    let url = settings.webhook.as_ref()?.url.clone();
    // Redirects would carry news of the account to a place that nobody configured.
    let config = Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .timeout_connect(Some(CONNECT))
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("pregao/", env!("CARGO_PKG_VERSION")))
        .build();
    Some(Box::new(Webhook { agent: config.into(), url }))
}

impl Channel for Webhook {
    fn deliver(&mut self, alert: &Alert) -> Result<(), Undelivered> {
        let body = serde_json::to_vec(alert).map_err(|error| Undelivered::ForGood(error.to_string()))?;
        let request = self.agent.post(&self.url).header("content-type", "application/json");
        let answer = request.send(&body[..]).map_err(|error| match error {
            ureq::Error::BadUri(_) => Undelivered::ForGood("the URL of alerts.webhook cannot be used".to_owned()),
            other => Undelivered::ForNow(other.to_string()),
        })?;
        let status = answer.status();
        let told = || format!("the receiver answered {status}");
        match status.as_u16() {
            200..=299 => Ok(()),
            code @ 300..=499 if !FOR_NOW.contains(&code) => Err(Undelivered::ForGood(told())),
            _ => Err(Undelivered::ForNow(told())),
        }
    }
}

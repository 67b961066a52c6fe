//! What monitors are configured by beside the limits, and where alerts go: two keys of `[risk]`, and
//! `[alerts]`.

use std::path::PathBuf;

use risk::limits::amounts::Count;
use risk::{HaltLevel, MonitorSettings};

use super::reader::Reader;

/// Where the webhook's URL is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WebhookPlace {
    /// In the configuration.
    Url(String),
    /// In a file, because it is a secret.
    File(PathBuf),
}

/// The actions that a drawdown may lead to.
const ACTIONS: [&str; 3] = ["reducing", "cancel_all", "flatten"];

pub(super) fn read(reader: &mut Reader) -> MonitorSettings {
    let usual = MonitorSettings::default();
    let action = reader.word("risk.drawdown_action", &ACTIONS).and_then(|name| HaltLevel::from_name(&name));
    let denials: Option<Count> = reader.optional("alerts.denials_per_minute", "a whole number such as 60");
    MonitorSettings {
        drawdown_action: action.unwrap_or(usual.drawdown_action),
        clock_must_be_synchronised: reader
            .optional("risk.clock_must_be_synchronised", "true or false")
            .unwrap_or(usual.clock_must_be_synchronised),
        most_denials: denials.unwrap_or(usual.most_denials),
    }
}

pub(super) fn read_webhook(reader: &mut Reader) -> Option<WebhookPlace> {
    let url: Option<String> = reader.optional("alerts.webhook", "a URL such as \"https://alerts.example.com/pregao\"");
    let file: Option<PathBuf> = reader.optional("alerts.webhook_file", "a path");
    if url.is_some() && file.is_some() {
        reader.complain("alerts.webhook_file", "alerts.webhook is set as well; use one of the two");
    }
    if let Some(url) = &url
        && let Err(problem) = sound(url)
    {
        reader.complain("alerts.webhook", problem);
    }
    file.map(WebhookPlace::File).or_else(|| url.map(WebhookPlace::Url))
}

/// Whether alerts can go there.
fn sound(url: &str) -> Result<(), &'static str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
    match host {
        None => Err("must begin with https:// or http://"),
        Some("") => Err("names no host"),
        Some(host) if host.contains('@') => Err(
            "holds a password: secrets do not belong in this file; put the URL into a file and name that in alerts.webhook_file",
        ),
        Some(_) => Ok(()),
    }
}

impl WebhookPlace {
    /// The URL.
    ///
    /// # Errors
    /// The file cannot be read, or holds none.
    pub fn url(&self) -> Result<String, String> {
        let (url, place) = match self {
            Self::Url(url) => (url.clone(), "alerts.webhook".to_owned()),
            Self::File(path) => {
                let text = std::fs::read_to_string(path);
                let text = text.map_err(|error| format!("alerts.webhook_file {}: {error}", path.display()))?;
                // What is in it is a secret: complaints name the file.
                (text.lines().next().unwrap_or_default().trim().to_owned(), path.display().to_string())
            }
        };
        match sound(&url) {
            Ok(()) => Ok(url),
            // In a file of its own it may hold one.
            Err(_) if matches!(self, Self::File(_)) && url.contains('@') && url.starts_with("http") => Ok(url),
            Err(problem) => Err(format!("{place}: {problem}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_in_the_file_has_a_host_and_no_secret() {
        for (url, expected) in [
            ("https://alerts.example.com/pregao", ""),
            ("http://127.0.0.1:9100", ""),
            ("ftp://x", "must begin with"),
            ("https://", "names no host"),
            ("https://ana:secret@example.com/x", "holds a password"),
        ] {
            assert!(sound(url).err().unwrap_or_default().starts_with(expected), "{url}");
            assert_eq!(sound(url).is_ok(), expected.is_empty(), "{url}");
        }
    }

    #[test]
    fn a_secret_url_is_the_first_line_of_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("webhook");
        let place = WebhookPlace::File(path.clone());
        assert!(place.url().unwrap_err().contains("alerts.webhook_file"));
        std::fs::write(&path, "https://ana:secret@example.com/x\nmore\n").unwrap();
        assert_eq!(place.url().unwrap(), "https://ana:secret@example.com/x");
        std::fs::write(&path, "secret").unwrap();
        let told = place.url().unwrap_err();
        assert!(told.ends_with("must begin with https:// or http://") && !told.contains("secret"), "{told}");
    }
}

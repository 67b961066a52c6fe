//! The `[quotes]` section: how long hot quotes count, and whether other programs see them on a Redis server.

use std::path::PathBuf;
use std::time::Duration;

use store::quotes::redis::settings::{asks_for_tls, complaint};

use super::reader::Reader;
use super::{holds_password, read_path};

/// How long a hot quote counts, unless the configuration says otherwise: a liquid symbol is quoted every few
/// seconds, and a minute without a word is worth showing as silence.
const TIME_TO_LIVE: u32 = 60;
/// The shortest such time, in seconds: as long as a server that stands still may hold up one call.
const SHORTEST: u32 = 3;
/// The longest, in seconds: a day.
const LONGEST: u32 = 86_400;

/// The `[quotes]` section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuotesConfig {
    /// How long a quote counts that nobody renews.
    pub time_to_live: Duration,
    /// Where other programs see them; none: nowhere.
    pub redis: Option<RedisConfig>,
}

/// A Redis server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RedisConfig {
    /// Without the password.
    pub url: String,
    /// Where the password stands, if the server asks for one.
    pub password_file: Option<PathBuf>,
    /// Where the certificates stand that the server is held to, if not to the public authorities.
    pub ca_file: Option<PathBuf>,
}

pub(super) fn read(reader: &mut Reader) -> Option<QuotesConfig> {
    let store = reader.word("quotes.store", &["in_process", "redis"]);
    let url: Option<String> = reader.optional("quotes.url", "a URL such as \"redis://localhost:6379\"");
    let password_file = read_path(reader, "quotes.password_file");
    let ca_file = read_path(reader, "quotes.ca_file");
    let seconds: u32 =
        reader.optional("quotes.time_to_live_seconds", "whole seconds such as 60").unwrap_or(TIME_TO_LIVE);
    if !(SHORTEST..=LONGEST).contains(&seconds) {
        reader.complain("quotes.time_to_live_seconds", format!("must be from {SHORTEST} to {LONGEST}"));
    }
    let time_to_live = Duration::from_secs(seconds.into());
    if store.as_deref() != Some("redis") {
        for key in ["quotes.url", "quotes.password_file", "quotes.ca_file"] {
            if reader.is_given(key) {
                reader.complain(
                    key,
                    "says where a Redis server is, and quotes.store is not \"redis\"; set it, or leave this out",
                );
            }
        }
        return Some(QuotesConfig { time_to_live, redis: None });
    }
    let Some(url) = url else {
        reader.complain("quotes.url", "has no value; set it to the server's URL, without the password");
        return None;
    };
    if holds_password(&url) || url.contains("pass=") {
        let message = "holds a password: secrets do not belong in this file; put it into a file and name that in \
                       quotes.password_file";
        reader.complain("quotes.url", message);
    } else if let Some(problem) = complaint(&url) {
        reader.complain("quotes.url", problem);
    } else if ca_file.is_some() && !asks_for_tls(&url) {
        reader.complain("quotes.ca_file", "names certificates, and quotes.url asks for no TLS; write rediss://");
    }
    Some(QuotesConfig { time_to_live, redis: Some(RedisConfig { url, password_file, ca_file }) })
}

#[cfg(test)]
mod tests {
    use super::super::{EXAMPLE, Unusable, from_text};
    use super::*;

    fn section(lines: &str) -> Result<QuotesConfig, Vec<String>> {
        let found = from_text("pregao.toml", &format!("{EXAMPLE}\n[quotes]\n{lines}"));
        found.map(|config| config.quotes).map_err(|Unusable(all)| all.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn without_a_word_quotes_stay_in_the_process() {
        let usual = QuotesConfig { time_to_live: Duration::from_secs(60), redis: None };
        assert_eq!(section(""), Ok(usual.clone()));
        assert_eq!(section("store = \"in_process\""), Ok(usual));
    }

    #[test]
    fn a_server_is_named_by_its_url_and_its_secrets_by_files() {
        let found = section(
            "store = \"redis\"\nurl = \"rediss://pregao@redis.example.com:6380\"\npassword_file = \"p\"\n\
             ca_file = \"c\"\ntime_to_live_seconds = 5",
        );
        let redis = RedisConfig {
            url: "rediss://pregao@redis.example.com:6380".to_owned(),
            password_file: Some("p".into()),
            ca_file: Some("c".into()),
        };
        assert_eq!(found, Ok(QuotesConfig { time_to_live: Duration::from_secs(5), redis: Some(redis) }));
    }

    #[test]
    fn what_is_wrong_is_told_without_the_secret() {
        let url = |url: &str| format!("store = \"redis\"\nurl = \"{url}\"");
        for (lines, complaint) in [
            ("store = \"redis\"".to_owned(), "quotes.url: has no value"),
            ("store = \"redys\"".to_owned(), "did you mean 'redis'?"),
            (url("http://x"), "quotes.url: the URL is none of a Redis server; write it like"),
            (url("redis://:hunter2@x"), "quotes.url: holds a password"),
            (url("redis+unix:///x?pass=hunter2"), "quotes.url: holds a password"),
            (url("rediss://x/#insecure"), "a part after #"),
            (format!("{}\nca_file = \"c\"", url("redis://x")), "quotes.ca_file: names certificates"),
            (format!("{}\ntime_to_live_seconds = 2", url("redis://x")), "must be from 3 to 86400"),
            ("url = \"redis://x\"".to_owned(), "quotes.url: says where a Redis server is"),
            ("password = \"hunter2\"".to_owned(), "did you mean 'quotes.password_file'?"),
        ] {
            let told = section(&lines).expect_err("it is refused").join("\n");
            assert!(told.contains(complaint), "'{complaint}' is not in {told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}

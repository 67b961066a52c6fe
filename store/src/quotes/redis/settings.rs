//! How to reach the server: a URL without the password, and what is wrong with one.

use std::fmt;
use std::time::Duration;

use deadpool_redis::redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, TlsCertificates};

use super::ANSWER_LIMIT;
use crate::error::StoreError;

/// What a URL looks like.
const EXAMPLE: &str = "write it like redis://localhost:6379, rediss://user@redis.example.com:6380/0 for TLS, or \
                       redis+unix:///run/redis/redis.sock";
/// Schemes of a URL.
const SCHEMES: [&str; 4] = ["redis://", "rediss://", "redis+unix://", "unix://"];

/// How to reach the server.
#[derive(Clone)]
pub struct RedisSettings {
    /// `redis://`, `rediss://` (TLS) or `redis+unix://`, without the password.
    pub url: String,
    /// The password, where the server asks for one.
    pub password: Option<String>,
    /// Certificates (PEM) that a server over TLS is held to, instead of the public authorities.
    pub authorities: Option<Vec<u8>>,
    /// Longest that a call takes.
    pub answer_limit: Duration,
    /// Who publishes; other in every run of the program.
    pub writer: String,
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings").field("place", &self.place()).finish_non_exhaustive()
    }
}

impl RedisSettings {
    /// The server at this URL with everything else as usual.
    pub fn new(url: impl Into<String>, writer: impl Into<String>) -> Self {
        Self { url: url.into(), password: None, authorities: None, answer_limit: ANSWER_LIMIT, writer: writer.into() }
    }

    /// Server and database, for people; never the password.
    pub fn place(&self) -> String {
        match parsed(&self.url) {
            Ok(info) => {
                let tls = if is_tls(&info) { " over TLS" } else { "" };
                format!("Redis at {}{tls}, database {}", info.addr(), info.redis_settings().db())
            }
            Err(_) => "Redis".to_owned(),
        }
    }

    /// As the client wants it.
    ///
    /// # Errors
    /// The URL or the certificates cannot be used.
    pub(super) fn connection(&self) -> Result<ConnectionInfo, StoreError> {
        let unusable = |problem, remedy| StoreError::Unusable { place: self.place(), problem, remedy, source: None };
        let mut info = parsed(&self.url).map_err(|problem| unusable(problem, EXAMPLE))?;
        // Naming the library to the server would be one right more to grant.
        let mut settings = info.redis_settings().clone().set_skip_set_lib_name();
        if let Some(password) = &self.password {
            settings = settings.set_password(password);
        }
        info = info.set_redis_settings(settings);
        let Some(authorities) = &self.authorities else { return Ok(info) };
        if !is_tls(&info) {
            return Err(unusable(
                "certificates are given, and the URL asks for no TLS",
                "write rediss:// or leave them out",
            ));
        }
        let certificates = TlsCertificates { client_tls: None, root_cert: Some(authorities.clone()) };
        let client = Client::build_with_tls(info, certificates);
        let client = client.map_err(|_| unusable("the certificates cannot be read", "give them as PEM"))?;
        Ok(client.get_connection_info().clone())
    }
}

/// What is wrong with a URL, and how it should look; nothing with one that may be tried.
pub fn complaint(url: &str) -> Option<String> {
    parsed(url).err().map(|problem| format!("{problem}; {EXAMPLE}"))
}

/// Whether a URL asks for TLS.
pub fn asks_for_tls(url: &str) -> bool {
    parsed(url).is_ok_and(|info| is_tls(&info))
}

fn is_tls(info: &ConnectionInfo) -> bool {
    matches!(info.addr(), ConnectionAddr::TcpTls { .. })
}

fn parsed(url: &str) -> Result<ConnectionInfo, &'static str> {
    if !SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
        return Err("the URL is none of a Redis server");
    }
    if url.contains('#') {
        return Err("the URL has a part after #, which could only turn off what TLS is for");
    }
    let info = url.into_connection_info().map_err(|_| "the URL of the Redis server cannot be read")?;
    if info.redis_settings().password().is_some() {
        return Err("the URL holds a password, which belongs into a file of its own");
    }
    Ok(info)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_url_may_be() {
        for (url, place) in [
            ("redis://localhost", "Redis at localhost:6379, database 0"),
            ("redis://pregao@10.0.0.1:7000/3", "Redis at 10.0.0.1:7000, database 3"),
            ("rediss://redis.example.com:6380", "Redis at redis.example.com:6380 over TLS, database 0"),
            ("redis+unix:///run/redis.sock?db=2", "Redis at /run/redis.sock, database 2"),
        ] {
            let settings = RedisSettings::new(url, "w");
            assert_eq!((complaint(url), settings.place().as_str()), (None, place));
            assert!(settings.connection().is_ok(), "{url}");
        }
        for (url, problem) in [
            ("localhost:6379", "the URL is none of a Redis server"),
            ("http://localhost", "the URL is none of a Redis server"),
            ("redis://", "the URL of the Redis server cannot be read"),
            ("redis://localhost/x", "the URL of the Redis server cannot be read"),
            ("redis://0.0.0.0", "the URL of the Redis server cannot be read"),
            ("rediss://localhost/#insecure", "the URL has a part after #"),
            ("redis://:hunter2@localhost", "the URL holds a password"),
            ("redis+unix:///run/redis.sock?pass=hunter2", "the URL holds a password"),
        ] {
            let told = complaint(url).unwrap_or_default();
            assert!(told.starts_with(problem) && told.contains("write it like redis://"), "{url}: {told}");
            let settings = RedisSettings::new(url, "w");
            let error = settings.connection().expect_err("it is refused").to_string();
            assert!(!format!("{error} {settings:?} {told}").contains("hunter2"), "{error} {told}");
        }
        assert!(asks_for_tls("rediss://localhost") && !asks_for_tls("redis://localhost"));
    }

    #[test]
    fn certificates_need_tls_and_must_be_some() {
        let given = |url, authorities: &str| RedisSettings {
            authorities: Some(authorities.as_bytes().to_vec()),
            ..RedisSettings::new(url, "w")
        };
        let told = |settings: RedisSettings| settings.connection().expect_err("it is refused").to_string();
        assert!(told(given("redis://localhost", "")).contains("the URL asks for no TLS"));
        assert!(told(given("rediss://localhost", "-----BEGIN CERTIFICATE-----\n?")).contains("cannot be read"));
    }
}

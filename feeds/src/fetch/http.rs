//! One try of one request: what is sent, what the answer means, and the bytes of it into their place.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use chrono::DateTime;
use ureq::http::{HeaderMap, Response, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Error};

use super::content::Declared;
use super::download::Place;
use super::fault::{Fault, beginning};
use super::sink::Validator;
use super::{Limits, SetUpError};
use crate::source::Request;

/// Who we say that we are. Some servers turn away what is not a browser: those sources send their own.
pub(super) const USER_AGENT: &str = concat!("pregao/", env!("CARGO_PKG_VERSION"), " (market data of its own user)");

/// What an answer was.
pub(super) enum Answer {
    /// It has not changed.
    NotModified,
    /// The source says that there is nothing.
    Nothing,
    /// It lies in its place, whole.
    Whole(Declared, Validator),
}

/// Sends requests.
pub(super) struct Http {
    plain: Agent,
    secure: Agent,
}

impl Http {
    /// With these limits; `certificates` is a PEM file of what is trusted beside the usual roots.
    pub(super) fn new(limits: &Limits, certificates: Option<&Path>) -> Result<Self, SetUpError> {
        let roots = match certificates {
            None => RootCerts::WebPki,
            Some(path) => {
                let mut trusted = more_certificates(path)?;
                trusted.extend(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(|der| Certificate::from_der(der)));
                RootCerts::new_with_certs(&trusted)
            }
        };
        let agent = |https_only: bool| -> Agent {
            Agent::config_builder()
                .timeout_connect(Some(limits.connect))
                .timeout_resolve(Some(limits.connect))
                .timeout_per_read(Some(limits.read))
                .timeout_per_write(Some(limits.read))
                .timeout_global(Some(limits.whole))
                .max_redirects(3)
                .max_redirects_will_error(true)
                .http_status_as_error(false)
                .https_only(https_only)
                .user_agent(USER_AGENT)
                .tls_config(TlsConfig::builder().root_certs(roots.clone()).build())
                .build()
                .into()
        };
        // What begins under TLS must stay under TLS: a redirect may not lead out of it.
        Ok(Self { plain: agent(false), secure: agent(true) })
    }

    /// Sends a request and takes in what comes.
    pub(super) fn send(
        &self,
        request: &Request,
        known: Option<&Validator>,
        place: &mut Place,
    ) -> Result<Answer, Fault> {
        let agent = if request.url.starts_with("https://") { &self.secure } else { &self.plain };
        let mut call = agent.get(with_secrets(request));
        for (name, value) in &request.headers {
            call = call.header(*name, value);
        }
        for (name, value) in &request.secret_headers {
            call = call.header(*name, value.reveal());
        }
        if let Some((held, version)) = place.resume() {
            call = call.header(header::RANGE, format!("bytes={held}-")).header(header::IF_RANGE, version);
        }
        if let Some(etag) = known.and_then(|known| known.etag.as_ref()) {
            call = call.header(header::IF_NONE_MATCH, etag);
        }
        if let Some(date) = known.and_then(|known| known.last_modified.as_ref()) {
            call = call.header(header::IF_MODIFIED_SINCE, date);
        }
        let response = call.call().map_err(fault)?;
        take_in(request, known.is_some(), response, place)
    }
}

/// What is trusted beside the usual roots: an intermediate certificate as much as a root.
fn more_certificates(path: &Path) -> Result<Vec<Certificate<'static>>, SetUpError> {
    let pem = std::fs::read(path).map_err(|cause| SetUpError::Unreadable { path: path.to_owned(), cause })?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(SetUpError::NotPem { path: path.to_owned(), problem: error.to_string() }),
        }
    }
    if certificates.is_empty() {
        return Err(SetUpError::NotPem { path: path.to_owned(), problem: "no certificate is in it".to_owned() });
    }
    Ok(certificates)
}

/// The address with what must not be logged.
fn with_secrets(request: &Request) -> String {
    let mut url = request.url.clone();
    for (name, value) in &request.secret_query {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(name);
        url.push('=');
        url.extend(form_urlencoded::byte_serialize(value.reveal().as_bytes()));
    }
    url
}

fn take_in(request: &Request, conditional: bool, response: Response<Body>, place: &mut Place) -> Result<Answer, Fault> {
    let status = response.status().as_u16();
    let (head, mut body) = response.into_parts();
    let headers = &head.headers;
    if let Some(nothing) = &request.nothing
        && nothing.statuses.contains(&status)
    {
        return Ok(Answer::Nothing);
    }
    match status {
        200 => {
            place.restart(version_of(headers))?;
        }
        206 if begins_at(headers, place.held()) => {}
        206 | 416 => {
            place.restart(None)?;
            return Err(Fault::PartOutdated);
        }
        304 if conditional => return Ok(Answer::NotModified),
        429 => return Err(Fault::RateLimited { retry_after: retry_after(headers) }),
        408 | 425 | 500 | 502 | 503 | 504 => {
            return Err(Fault::Unavailable { status, retry_after: retry_after(headers) });
        }
        _ => {
            let mut says = Vec::new();
            // What it says is for people only: whatever can be read of it will do.
            let _ = body.as_reader().take(512).read_to_end(&mut says);
            return Err(Fault::Refused { status, says: beginning(&says) });
        }
    }
    let announced = number(headers, header::CONTENT_LENGTH).map(|length| length.saturating_add(place.held()));
    if announced.is_some_and(|announced| announced > request.most_bytes) {
        return Err(Fault::TooLarge { most: request.most_bytes });
    }
    let declared = Declared {
        content_type: text(headers, header::CONTENT_TYPE).unwrap_or("no content type").to_owned(),
        encoding: text(headers, header::CONTENT_ENCODING).filter(|name| *name != "identity").map(str::to_owned),
    };
    let validator = Validator {
        etag: text(headers, header::ETAG).map(str::to_owned),
        last_modified: text(headers, header::LAST_MODIFIED).map(str::to_owned),
    };
    receive(body, request.most_bytes, announced, place)?;
    if place.held() == 0 && request.nothing.as_ref().is_some_and(|nothing| nothing.empty) {
        return Ok(Answer::Nothing);
    }
    Ok(Answer::Whole(declared, validator))
}

/// Bytes into their place, as many as were announced and no more than may be.
fn receive(body: Body, most: u64, announced: Option<u64>, place: &mut Place) -> Result<(), Fault> {
    let mut reader = body.into_with_config().limit(u64::MAX).reader();
    let mut buffer = vec![0; 64 * 1024];
    let broke_off = |held| announced.map(|announced| Fault::Truncated { got: held, announced });
    loop {
        let count = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => {
                let fault = fault(Error::from(error));
                return Err(match fault {
                    Fault::Unreachable(_) => broke_off(place.held()).unwrap_or(fault),
                    other => other,
                });
            }
        };
        if place.held() + count as u64 > most {
            return Err(Fault::TooLarge { most });
        }
        place.append(&buffer[..count])?;
    }
    match announced {
        Some(announced) if place.held() < announced => Err(Fault::Truncated { got: place.held(), announced }),
        _ => Ok(()),
    }
}

/// What `ureq` says, in our words.
fn fault(error: Error) -> Fault {
    match error {
        Error::Timeout(which) => Fault::TimedOut(which.to_string()),
        Error::TooManyRedirects => Fault::Redirected("in a circle, or too often".to_owned()),
        Error::RequireHttpsOnly(_) => Fault::Redirected("out of TLS".to_owned()),
        Error::RedirectFailed => Fault::Redirected("to no usable address".to_owned()),
        Error::Rustls(error) => Fault::Untrusted(error.to_string()),
        Error::BadUri(_) | Error::Http(_) => Fault::Redirected("the address cannot be used".to_owned()),
        Error::Io(error) if matches!(error.kind(), std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock) => {
            Fault::TimedOut(error.to_string())
        }
        // rustls hands its verdicts through the socket as errors of input and output.
        Error::Io(error) if error.to_string().contains("certificate") => Fault::Untrusted(error.to_string()),
        other => Fault::Unreachable(other.to_string()),
    }
}

/// What names a version strongly enough to join two parts of it.
fn version_of(headers: &HeaderMap) -> Option<&str> {
    let strong = text(headers, header::ETAG).filter(|etag| !etag.starts_with("W/"));
    strong.or_else(|| text(headers, header::LAST_MODIFIED)).filter(|version| version.len() <= 256)
}

/// Whether a partial answer goes on where we stopped.
fn begins_at(headers: &HeaderMap, held: u64) -> bool {
    let range = text(headers, header::CONTENT_RANGE).and_then(|range| range.strip_prefix("bytes "));
    let first = range.and_then(|range| range.split_once('-')).and_then(|(first, _)| first.trim().parse::<u64>().ok());
    held > 0 && first == Some(held)
}

/// When to come back: in so many seconds, or at an hour of the server's own clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let says = text(headers, header::RETRY_AFTER)?.trim();
    if let Ok(seconds) = says.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTime::parse_from_rfc2822(says).ok()?;
    let now = DateTime::parse_from_rfc2822(text(headers, header::DATE)?).ok()?;
    (at - now).to_std().ok()
}

fn number(headers: &HeaderMap, name: header::HeaderName) -> Option<u64> {
    text(headers, name)?.trim().parse().ok()
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

//! Problem documents (RFC 9457): what every request that came to nothing is answered with.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;
use warp::http::StatusCode;
use warp::http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use warp::reply::Response;

/// The content type of these documents.
pub const CONTENT: &str = "application/problem+json";

/// Why a request came to nothing (RFC 9457).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Names the kind of problem; stays the same from release to release.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The kind in words.
    title: &'static str,
    /// The status of the response.
    status: u16,
    /// What is wrong with this request, and what to do.
    detail: String,
    #[serde(skip)]
    headers: Vec<(HeaderName, String)>,
}

/// One kind of problem: a line of the table below.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    status: StatusCode,
    name: &'static str,
    title: &'static str,
}

const fn kind(status: StatusCode, name: &'static str, title: &'static str) -> Kind {
    Kind { status, name, title }
}

/// The request cannot be understood.
pub const MALFORMED: Kind = kind(StatusCode::BAD_REQUEST, "urn:pregao:malformed", "The request cannot be understood");
/// No token, or one that does not count.
pub const UNAUTHENTICATED: Kind =
    kind(StatusCode::UNAUTHORIZED, "urn:pregao:unauthenticated", "A valid access token is needed");
/// The role does not allow it.
pub const FORBIDDEN: Kind = kind(StatusCode::FORBIDDEN, "urn:pregao:forbidden", "The role does not allow this");
/// Nothing there.
pub const NOT_FOUND: Kind = kind(StatusCode::NOT_FOUND, "urn:pregao:not-found", "There is nothing of that name");
/// Another method is meant.
pub const METHOD: Kind = kind(StatusCode::METHOD_NOT_ALLOWED, "urn:pregao:method", "The path has no such method");
/// The body took too long.
pub const TOO_SLOW: Kind = kind(StatusCode::REQUEST_TIMEOUT, "urn:pregao:too-slow", "The request took too long");
/// Does not fit how things stand.
pub const CONFLICT: Kind = kind(StatusCode::CONFLICT, "urn:pregao:conflict", "That does not fit how things stand");
/// The body is too large.
pub const TOO_LARGE: Kind = kind(StatusCode::PAYLOAD_TOO_LARGE, "urn:pregao:too-large", "The body is too large");
/// Another content type is meant.
pub const CONTENT_KIND: Kind =
    kind(StatusCode::UNSUPPORTED_MEDIA_TYPE, "urn:pregao:content-type", "The content type is not taken here");
/// Understood, and not acceptable.
pub const UNACCEPTABLE: Kind =
    kind(StatusCode::UNPROCESSABLE_ENTITY, "urn:pregao:unacceptable", "The values cannot be accepted");
/// A WebSocket is meant.
pub const UPGRADE: Kind = kind(StatusCode::UPGRADE_REQUIRED, "urn:pregao:upgrade", "This is a WebSocket");
/// Too many.
pub const TOO_MANY: Kind = kind(StatusCode::TOO_MANY_REQUESTS, "urn:pregao:too-many", "Too many requests");
/// Our fault.
pub const INTERNAL: Kind = kind(StatusCode::INTERNAL_SERVER_ERROR, "urn:pregao:internal", "Something here went wrong");
/// Not now.
pub const UNAVAILABLE: Kind = kind(StatusCode::SERVICE_UNAVAILABLE, "urn:pregao:unavailable", "Not possible now");

/// Every kind.
#[cfg(test)]
const KINDS: [Kind; 14] = [
    MALFORMED,
    UNAUTHENTICATED,
    FORBIDDEN,
    NOT_FOUND,
    METHOD,
    TOO_SLOW,
    CONFLICT,
    TOO_LARGE,
    CONTENT_KIND,
    UNACCEPTABLE,
    UPGRADE,
    TOO_MANY,
    INTERNAL,
    UNAVAILABLE,
];

impl Kind {
    /// A problem of this kind.
    pub fn problem(self, detail: impl Into<String>) -> Problem {
        Problem {
            kind: self.name,
            title: self.title,
            status: self.status.as_u16(),
            detail: detail.into(),
            headers: Vec::new(),
        }
    }

    /// The status it is answered with.
    pub const fn status(self) -> StatusCode {
        self.status
    }

    /// The kind in words.
    pub const fn title(self) -> &'static str {
        self.title
    }
}

impl Problem {
    /// No token that counts. What was wrong with it is not told to whoever sent it (RFC 6750, 3.1).
    pub fn unauthenticated(because: &str) -> Self {
        let challenge = if because.is_empty() {
            "Bearer realm=\"pregao\"".to_owned()
        } else {
            "Bearer realm=\"pregao\", error=\"invalid_token\"".to_owned()
        };
        let detail = "send 'Authorization: Bearer TOKEN' with a token from POST /oauth/token";
        UNAUTHENTICATED.problem(detail).with_header(WWW_AUTHENTICATE, challenge)
    }

    /// Another method is meant.
    pub fn method(allowed: &str) -> Self {
        METHOD.problem(format!("this path takes {allowed}")).with_header(ALLOW, allowed.to_owned())
    }

    /// Too many; come back later.
    pub fn too_many(detail: impl Into<String>, wait: Duration) -> Self {
        TOO_MANY.problem(detail).after(wait)
    }

    /// When to come back, in whole seconds.
    pub fn after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.with_header(RETRY_AFTER, seconds.max(1).to_string())
    }

    /// With a header.
    pub fn with_header(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The status it is answered with.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What is wrong with this request.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The response.
    pub fn response(&self) -> Response {
        // Plain text always has a JSON form.
        let mut response = Response::new(serde_json::to_vec(self).unwrap_or_default().into());
        *response.status_mut() = self.status();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT));
        for (name, value) in &self.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_and_a_status_of_its_own() {
        for (place, kind) in KINDS.iter().enumerate() {
            let twin = KINDS[..place].iter().find(|other| other.name == kind.name || other.status == kind.status);
            assert_eq!(twin, None, "{kind:?}");
            assert!(kind.status.is_client_error() || kind.status.is_server_error());
        }
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds_and_never_zero() {
        for (wait, told) in [(0, "1"), (1, "1"), (999, "1"), (1_000, "1"), (1_001, "2"), (900_000, "900")] {
            let response = Problem::too_many("x", Duration::from_millis(wait)).response();
            assert_eq!(response.headers()[RETRY_AFTER], told, "{wait}");
        }
    }
}

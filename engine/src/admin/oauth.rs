//! `POST /oauth/token`: OAuth 2.0 client credentials (RFC 6749, 4.4). Errors are told in that RFC's form.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use utoipa::ToSchema;
use warp::http::header::{AUTHORIZATION, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use warp::http::{HeaderMap, StatusCode};

use super::dispatch::{Answer, Call, Handled};
use super::problem::{INTERNAL, Problem};
use super::roles::Role;
use super::{App, tokens};

/// Longest name of a client.
pub const LONGEST_CLIENT_ID: usize = 128;
/// How long to wait when too many guesses are under way.
const BUSY: Duration = Duration::from_secs(2);

/// A token.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct TokenDocument {
    /// What to send as `Authorization: Bearer …`.
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// Seconds that it counts.
    expires_in: u64,
    /// The role that it carries.
    scope: String,
}

/// Why there is none (RFC 6749, 5.2).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct TokenErrorDocument {
    /// The RFC's word.
    error: &'static str,
    /// The same for people.
    error_description: String,
}

/// What is asked for, for the description of the interface; read by hand, because the RFC's form is its own.
#[derive(ToSchema)]
#[allow(dead_code, reason = "only described")]
pub struct TokenInput {
    /// `client_credentials`.
    #[schema(pattern = "^client_credentials$")]
    grant_type: String,
    /// The client's name, unless it stands in the Authorization header.
    #[schema(required = false, max_length = 128)]
    client_id: String,
    /// Its secret, unless that stands in the Authorization header.
    #[schema(required = false)]
    client_secret: String,
    /// A role to be content with: `viewer`, `operator` or `admin`.
    #[schema(required = false)]
    scope: String,
}

struct Refusal {
    status: StatusCode,
    error: &'static str,
    description: String,
    wait: Option<Duration>,
    by_basic: bool,
}

fn refusal(error: &'static str, description: impl Into<String>) -> Refusal {
    Refusal { status: StatusCode::BAD_REQUEST, error, description: description.into(), wait: None, by_basic: false }
}

impl Refusal {
    fn answer(self) -> Answer {
        let document = TokenErrorDocument { error: self.error, error_description: self.description };
        let answer = Answer::json(&document).with_status(self.status).with_header(PRAGMA, "no-cache");
        let answer = match self.wait {
            Some(wait) => answer.with_header(RETRY_AFTER, wait.as_secs().max(1).to_string()),
            None => answer,
        };
        match self.by_basic {
            true => answer.with_header(WWW_AUTHENTICATE, "Basic realm=\"pregao\", charset=\"UTF-8\""),
            false => answer,
        }
    }
}

/// Answers a request for a token.
///
/// # Errors
/// Our own failure; what the client did wrong is an answer of the RFC's form.
pub async fn token(app: Arc<App>, call: Call) -> Result<Handled, Problem> {
    match asked(&call.headers, &call.body) {
        Err(refusal) => Ok(refusal.answer().into()),
        Ok(asked) => judged(&app, asked, &call).await,
    }
}

async fn judged(app: &Arc<App>, asked: Asked, call: &Call) -> Result<Handled, Problem> {
    let (known, role) = app.people.credentials(&asked.client_id).unzip();
    let (client_id, from) = (asked.client_id, call.peer.address.ip());
    let may_try = || app.limits.may_try(&client_id, from);
    let judged = |right: bool| {
        if !right {
            app.limits.failed(&client_id, from);
        }
    };
    // Before the queue too: who is locked out does not even wait in it.
    let looked = match may_try() {
        Ok(()) => app.guesses.look(asked.secret, known, may_try, judged).await,
        Err(wait) => Ok(Err(wait)),
    };
    let refused = match looked {
        Err(_) => busy("too many are asking for tokens", BUSY),
        Ok(Err(wait)) => {
            tracing::warn!(client_id, address = %from, "locked out after failed tries");
            busy("too many failed tries; wait", wait)
        }
        Ok(Ok(false)) => {
            tracing::warn!(client_id, address = %from, "no token: unknown client or wrong secret");
            app.metrics.refused_token("credentials");
            let refused = refusal("invalid_client", "unknown client or wrong secret");
            Refusal { status: StatusCode::UNAUTHORIZED, by_basic: asked.by_basic, ..refused }
        }
        Ok(Ok(true)) => return issued(app, &client_id, role, asked.scope),
    };
    Ok(refused.answer().into())
}

fn busy(description: &str, wait: Duration) -> Refusal {
    let refused = refusal("temporarily_unavailable", description);
    Refusal { status: StatusCode::TOO_MANY_REQUESTS, wait: Some(wait), ..refused }
}

fn issued(app: &App, client_id: &str, role: Option<Role>, scope: Option<Role>) -> Result<Handled, Problem> {
    let role = role.unwrap_or(Role::Viewer);
    let granted = scope.unwrap_or(role);
    if !role.covers(granted) {
        return Ok(refusal("invalid_scope", format!("the role of this client is {role}")).answer().into());
    }
    let access_token = tokens::issue(&app.ring.load(), client_id, granted, app.now())
        .map_err(|error| INTERNAL.problem(error.to_string()))?;
    let expires_in = tokens::LIFETIME.as_secs();
    let document = TokenDocument { access_token, token_type: "Bearer", expires_in, scope: granted.to_string() };
    Ok(Answer::json(&document).with_header(PRAGMA, "no-cache").into())
}

struct Asked {
    client_id: String,
    secret: String,
    scope: Option<Role>,
    by_basic: bool,
}

/// Reads the form and the header (RFC 6749, 2.3.1): the client says who it is in one of them, not in both.
fn asked(headers: &HeaderMap, body: &[u8]) -> Result<Asked, Refusal> {
    let (mut grant, mut client_id, mut secret, mut scope) = (None, None, None, None);
    for (name, value) in form_urlencoded::parse(body) {
        let field = match &*name {
            "grant_type" => &mut grant,
            "client_id" => &mut client_id,
            "client_secret" => &mut secret,
            "scope" => &mut scope,
            // The RFC lets servers ignore what they do not know; what is misspelt is better told.
            _ => return Err(refusal("invalid_request", "there is a parameter that this does not take")),
        };
        if field.replace(value.into_owned()).is_some() {
            return Err(refusal("invalid_request", "a parameter is given twice"));
        }
    }
    match grant.as_deref() {
        Some("client_credentials") => {}
        Some(_) => return Err(refusal("unsupported_grant_type", "grant_type takes client_credentials")),
        None => return Err(refusal("invalid_request", "grant_type is missing; set it to client_credentials")),
    }
    let scope = match scope.map(|word| word.parse::<Role>()) {
        None => None,
        Some(Ok(role)) => Some(role),
        Some(Err(error)) => return Err(refusal("invalid_scope", error.to_string())),
    };
    let basic = basic(headers)?;
    let by_basic = basic.is_some();
    let (client_id, secret) = match (basic, client_id, secret) {
        (Some(basic), None, None) => basic,
        (None, Some(client_id), Some(secret)) => (client_id, secret),
        (Some(_), ..) => return Err(refusal("invalid_request", "say who you are in the header or the form, not both")),
        _ => {
            let refused = refusal("invalid_client", "client_id or client_secret is missing");
            return Err(Refusal { status: StatusCode::UNAUTHORIZED, by_basic: true, ..refused });
        }
    };
    if client_id.is_empty() || client_id.len() > LONGEST_CLIENT_ID {
        let refused = refusal("invalid_client", "unknown client or wrong secret");
        return Err(Refusal { status: StatusCode::UNAUTHORIZED, by_basic, ..refused });
    }
    Ok(Asked { client_id, secret, scope, by_basic })
}

fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, Refusal> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let only = match (given.next(), given.next()) {
        (None, _) => return Ok(None),
        (Some(only), None) => only.to_str().unwrap_or_default(),
        _ => return Err(refusal("invalid_request", "more than one Authorization header")),
    };
    let unreadable = || {
        let refused = refusal("invalid_client", "the Authorization header takes Basic with client id and secret");
        Refusal { status: StatusCode::UNAUTHORIZED, by_basic: true, ..refused }
    };
    let (scheme, encoded) = only.split_once(' ').ok_or_else(unreadable)?;
    let decoded = STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = decoded.as_deref().and_then(|pair| pair.split_once(':'));
    let (client_id, secret) = pair.filter(|_| scheme.eq_ignore_ascii_case("basic")).ok_or_else(unreadable)?;
    Ok(Some((form_decoded(client_id), form_decoded(secret))))
}

/// One value in the form's encoding.
fn form_decoded(text: &str) -> String {
    // A name before it, so that '=' and '&' in the value would not start another pair.
    let escaped = text.replace('&', "%26");
    form_urlencoded::parse(format!("v={escaped}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use warp::http::HeaderValue;

    fn with(basic: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let value = format!("Basic {}", STANDARD.encode(basic));
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&value).unwrap());
        headers
    }

    #[test]
    fn the_client_says_who_it_is_in_one_place() {
        let none = HeaderMap::new();
        let grant = "grant_type=client_credentials";
        let form = format!("{grant}&client_id=ana&client_secret=s%2B1");
        let double = {
            let mut twice = with("a:b");
            twice.append(AUTHORIZATION, HeaderValue::from_static("x"));
            twice
        };
        for (headers, body, told) in [
            (&none, form.as_str(), Ok(("ana", "s+1", false))),
            (&with("ana:s%2B1"), grant, Ok(("ana", "s+1", true))),
            (&with("ana:a&b=c:d"), grant, Ok(("ana", "a&b=c:d", true))),
            (&with("ana:s"), &form, Err("invalid_request")),
            (&with("ana"), grant, Err("invalid_client")),
            (&double, grant, Err("invalid_request")),
            (&none, grant, Err("invalid_client")),
            (&none, "", Err("invalid_request")),
            (&none, "grant_type=password&username=a&password=b", Err("invalid_request")),
            (&none, "grant_type=password", Err("unsupported_grant_type")),
            (&none, &format!("{form}&client_id=bia"), Err("invalid_request")),
            (&none, &format!("{form}&scope=root"), Err("invalid_scope")),
            (&none, &format!("{grant}&client_id=&client_secret=x"), Err("invalid_client")),
            (&none, &format!("{grant}&client_id={}&client_secret=x", "a".repeat(129)), Err("invalid_client")),
        ] {
            let found = asked(headers, body.as_bytes());
            let found = found.as_ref().map(|asked| (&*asked.client_id, &*asked.secret, asked.by_basic));
            assert_eq!(found.map_err(|refused| refused.error), told, "{body}");
        }
    }
}

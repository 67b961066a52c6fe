//! Access tokens: JSON Web Tokens in the profile of RFC 9068, signed with Ed25519 and nothing else.
//!
//! Whatever is not exactly what [`issue`] makes is refused: another algorithm, another type, a claim or a
//! header field that we never write, a key that is not in the ring, a second spelling of a claim.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use market::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use super::keys::Ring;
use super::roles::Role;

/// How long a token counts.
pub const LIFETIME: Duration = Duration::from_secs(600);
/// Who issues them.
pub const ISSUER: &str = "pregao";
/// Who they are for.
pub const AUDIENCE: &str = "pregao-admin";
/// Their type (RFC 9068, 2.1).
const TYPE: &str = "at+jwt";
/// Ours have some 500 characters; nobody's name makes them three times as long.
pub const LONGEST: usize = 1_536;
/// Seconds by which the clock may be set back between issuing and using.
const LEEWAY: u64 = 5;
/// Bytes of a token's own name.
const NAME_BYTES: usize = 16;

/// What a token says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Issuer.
    pub iss: String,
    /// Audience.
    pub aud: String,
    /// Whose.
    pub sub: String,
    /// What its holder may do.
    pub role: Role,
    /// Issued, seconds since 1970.
    pub iat: u64,
    /// Not before.
    pub nbf: u64,
    /// Not after.
    pub exp: u64,
    /// Its own name.
    pub jti: String,
}

/// A token that does not count, for the log and the counter; whoever sent it is told nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// Longer than any of ours.
    #[error("too long")]
    TooLong,
    /// No token.
    #[error("malformed")]
    Malformed,
    /// Its header is not what we write.
    #[error("header")]
    Header,
    /// No key of that name.
    #[error("unknown key")]
    UnknownKey,
    /// Not signed by that key.
    #[error("signature")]
    Signature,
    /// Its claims are not what we write.
    #[error("claims")]
    Claims,
    /// Run out, or not begun.
    #[error("time")]
    Time,
}

/// A token cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("no token can be issued: {0}")]
pub struct CannotIssue(String);

/// A fresh token.
///
/// # Errors
/// The system gives no randomness, or the key does not sign.
pub fn issue(ring: &Ring, client_id: &str, role: Role, now: Timestamp) -> Result<String, CannotIssue> {
    let mut name = [0; NAME_BYTES];
    SystemRandom::new().fill(&mut name).map_err(|_| CannotIssue("no random bytes".to_owned()))?;
    let now = seconds(now);
    let claims = Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: client_id.to_owned(),
        role,
        iat: now,
        nbf: now,
        exp: now + LIFETIME.as_secs(),
        jti: URL_SAFE_NO_PAD.encode(name),
    };
    let key = ring.newest();
    encode(&header(&key.name), &claims, &key.private).map_err(|error| CannotIssue(error.to_string()))
}

fn header(key: &str) -> Header {
    Header { typ: Some(TYPE.to_owned()), kid: Some(key.to_owned()), ..Header::new(Algorithm::EdDSA) }
}

/// What a token says, if it counts now.
///
/// # Errors
/// It does not.
pub fn verify(ring: &Ring, token: &str, now: Timestamp) -> Result<Claims, Refused> {
    if token.len() > LONGEST {
        return Err(Refused::TooLong);
    }
    let told = decode_header(token).map_err(|_| Refused::Malformed)?;
    // The key is looked up by a name in a list: a name never becomes a path, a URL or a query.
    let key = told.kid.as_deref().and_then(|name| ring.find(name)).ok_or(Refused::UnknownKey)?;
    if told != header(&key.name) {
        return Err(Refused::Header);
    }
    let claims = decode::<Claims>(token, &key.public, &expected()).map_err(|error| refused(&error))?.claims;
    within(&claims, seconds(now))?;
    Ok(claims)
}

/// Times are compared by [`within`], on the clock that is handed in.
fn expected() -> Validation {
    let mut expected = Validation::new(Algorithm::EdDSA);
    expected.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
    expected.set_audience(&[AUDIENCE]);
    expected.set_issuer(&[ISSUER]);
    expected.validate_exp = false;
    expected.validate_nbf = false;
    expected
}

fn refused(error: &jsonwebtoken::errors::Error) -> Refused {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => Refused::Signature,
        ErrorKind::InvalidToken | ErrorKind::Base64(_) | ErrorKind::Utf8(_) => Refused::Malformed,
        ErrorKind::InvalidAlgorithm => Refused::Header,
        _ => Refused::Claims,
    }
}

fn within(claims: &Claims, now: u64) -> Result<(), Refused> {
    let soon = now.saturating_add(LEEWAY);
    let begun = claims.nbf <= soon && claims.iat <= soon;
    // One that says it lives longer than we let tokens live was not made here.
    let ours = claims.exp.checked_sub(claims.iat) == Some(LIFETIME.as_secs());
    match begun && ours && now < claims.exp {
        true => Ok(()),
        false => Err(Refused::Time),
    }
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanos() / 1_000_000_000).unwrap_or(0)
}

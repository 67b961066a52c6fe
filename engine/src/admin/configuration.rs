//! The configuration over HTTP: shown, compared, changed, taken back. What may change and who must agree is
//! decided in `crate::reload`, which also writes it down.
//!
//! A change names the version that it was made for (`If-Match`): two people who change the same thing do not
//! undo each other without seeing it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use store::ConfigVersion;
use utoipa::ToSchema;
use warp::http::HeaderMap;
use warp::http::header::{ETAG, IF_MATCH};

use crate::auditor::Actor;
use crate::reload::{self, Change, Changed, Refused, Wanted};

use super::App;
use super::dispatch::{Answer, Call, Handled};
use super::input::{self, ReasonText};
use super::problem::{CHANGED, CONFLICT, MALFORMED, NOT_FOUND, Problem, UNACCEPTABLE, UNAVAILABLE, UNCONDITIONAL};
use super::reading::{Page, paged};

/// One ETag (RFC 9110, 8.8.3), in quotes.
pub const ETAG_PATTERN: &str = "^\"[!#-~]+\"$";
/// No version has a larger number.
const LAST_VERSION: u32 = 1_000_000_000;

/// One key of the configuration.
#[derive(Serialize, ToSchema)]
pub struct KeyDocument {
    /// Its path.
    key: String,
    /// Its value; secrets are not shown.
    value: String,
    /// Where the value comes from: file and line, environment, flag, `default`, or a version.
    origin: String,
    /// It can change in a running daemon.
    hot: bool,
}

/// The configuration in force.
#[derive(Serialize, ToSchema)]
pub struct ConfigDocument {
    /// Its number.
    version: u64,
    /// What to send as `If-Match`, in quotes.
    etag: String,
    /// SHA-256 of what it says, for `[attestation]`.
    hash: String,
    /// When it was put in force.
    at: String,
    /// Who did.
    author: String,
    /// Who confirmed it, where that took a second person.
    second: Option<String>,
    /// Why.
    reason: String,
    /// Every key.
    keys: Vec<KeyDocument>,
    /// The same as TOML, for a change to begin with.
    document: String,
}

/// A configuration that is or was in force.
#[derive(Serialize, ToSchema)]
pub struct VersionDocument {
    /// Its number.
    version: u64,
    /// When it was put in force.
    at: String,
    /// Who did.
    author: String,
    /// Who confirmed it, where that took a second person.
    second: Option<String>,
    /// Why.
    reason: String,
    /// SHA-256 of its document.
    digest: String,
}

/// Versions, the newest first.
pub type VersionsDocument = Page<VersionDocument>;

/// Another configuration.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigInput {
    /// The whole of it, as TOML. Environment and flags count on top of it.
    document: String,
    /// Why, kept in the record.
    reason: ReasonText,
}

/// A version to go back to.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackInput {
    /// Its number.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    #[serde(deserialize_with = "input::whole")]
    version: u32,
    /// Why, kept in the record.
    reason: ReasonText,
}

/// One key that differs.
#[derive(Serialize, ToSchema)]
pub struct DifferenceDocument {
    /// Its path.
    key: String,
    /// Its value before; null: it had none.
    before: Option<String>,
    /// Its value afterwards; null: it has none any more.
    after: Option<String>,
    /// It can change in a running daemon.
    hot: bool,
}

/// What a change does to one limit.
#[derive(Serialize, ToSchema)]
pub struct LimitDocument {
    /// Which.
    limit: String,
    /// Its value before, exact; null: it was not there.
    before: Option<String>,
    /// Its value afterwards, exact; null: it is not there any more.
    after: Option<String>,
    /// It allows more than before, or nobody can tell.
    raises: bool,
}

/// What became of a change.
#[derive(Serialize, ToSchema)]
pub struct ConfigChangeDocument {
    /// `applied`, `unchanged`, `dry_run`, or `proposed`: a second, different person has to send the same.
    outcome: String,
    /// The version in force now.
    version: u64,
    /// Its tag.
    etag: String,
    /// What differs, key by key.
    changes: Vec<DifferenceDocument>,
    /// Which limits that changes.
    limits: Vec<LimitDocument>,
    /// It takes a second person.
    needs_second: bool,
    /// Until when a second person may confirm it. A restart of the daemon forgets the proposal; then it is made again.
    until: Option<String>,
}

/// `GET /v1/config`.
///
/// # Errors
/// Too much waits for the store.
pub async fn show(app: Arc<App>, _: Call) -> Result<Handled, Problem> {
    let (version, effective) = app.blocking(|app| Ok(app.configurator.in_force())).await?;
    let etag = reload::etag(&version);
    let keys = effective.lines().map(|line| KeyDocument {
        key: line.key,
        value: line.value,
        origin: line.origin,
        hot: line.hot,
    });
    let document = ConfigDocument {
        version: version.number,
        etag: etag.clone(),
        hash: effective.hash().to_string(),
        at: version.at.to_string(),
        author: version.author,
        second: version.second,
        reason: version.reason,
        keys: keys.collect(),
        document: effective.document(),
    };
    Ok(Answer::json(&document).with_header(ETAG, format!("\"{etag}\"")).into())
}

/// `GET /v1/config/versions`.
///
/// # Errors
/// The store cannot be read.
pub async fn versions(app: Arc<App>, call: Call) -> Result<Handled, Problem> {
    let limit = call.query.limit()?;
    let before = call.query.value::<u32>("cursor")?.map_or(u64::MAX, u64::from);
    let rows = app
        .blocking(move |app| {
            let versions = app.versions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            versions.list(before, limit + 1).map_err(|error| UNAVAILABLE.problem(error.to_string()))
        })
        .await?;
    let items = rows.into_iter().map(listed).collect();
    Ok(Answer::json(&paged(items, limit, |version: &VersionDocument| version.version.to_string())).into())
}

fn listed(version: ConfigVersion) -> VersionDocument {
    let ConfigVersion { number, at, author, second, reason, digest, .. } = version;
    VersionDocument { version: number, at: at.to_string(), author, second, reason, digest: digest.to_string() }
}

/// `PUT /v1/config`.
///
/// # Errors
/// It is not valid, was made for another version, or may not change in a running daemon.
pub async fn replace(app: Arc<App>, call: Call) -> Result<Handled, Problem> {
    let asked: ConfigInput = input::body(&call)?;
    let expected = if_match(&call.headers)?;
    let expected = Some(expected.ok_or_else(|| {
        UNCONDITIONAL.problem("send If-Match with the ETag of GET /v1/config: the version that this was made for")
    })?);
    changed(&app, &call, asked.reason.checked()?, Wanted::Text(asked.document), expected).await
}

/// `POST /v1/config/rollback`.
///
/// # Errors
/// As [`replace`]; or there is no such version.
pub async fn rollback(app: Arc<App>, call: Call) -> Result<Handled, Problem> {
    let asked: RollbackInput = input::body(&call)?;
    let expected = if_match(&call.headers)?;
    if !(1..=LAST_VERSION).contains(&asked.version) {
        return Err(UNACCEPTABLE.problem(format!("version takes 1 to {LAST_VERSION}")));
    }
    changed(&app, &call, asked.reason.checked()?, Wanted::Version(asked.version.into()), expected).await
}

/// `POST /v1/reload`: what the file says now.
///
/// # Errors
/// As [`replace`].
pub async fn reload(app: Arc<App>, call: Call) -> Result<Handled, Problem> {
    let asked: input::ReasonInput = input::body(&call)?;
    let expected = if_match(&call.headers)?;
    changed(&app, &call, asked.reason.checked()?, Wanted::File, expected).await
}

/// The tag that is expected; `*` and lists are none of one version.
fn if_match(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut given = headers.get_all(IF_MATCH).iter();
    let (Some(only), next) = (given.next(), given.next()) else { return Ok(None) };
    let tag = only.to_str().ok().and_then(|text| text.strip_prefix('"')?.strip_suffix('"'));
    let is_tag = |tag: &&str| !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    match (tag.filter(is_tag), next) {
        (Some(tag), None) => Ok(Some(tag.to_owned())),
        _ => Err(MALFORMED.problem("If-Match takes one ETag, in quotes, as GET /v1/config gives it")),
    }
}

async fn changed(
    app: &Arc<App>,
    call: &Call,
    reason: String,
    wanted: Wanted,
    expected: Option<String>,
) -> Result<Handled, Problem> {
    let dry_run = call.query.flag("dry_run")?;
    let role = call.client.as_ref().map_or("", |client| client.role.name()).to_owned();
    let actor = Actor { who: call.who().to_owned(), role, origin: "http" };
    let change = Change { actor, reason, wanted, expected, dry_run };
    // Whatever comes of it, the configurator writes it down.
    call.note(|act| act.is_written = true);
    let changed = app.blocking(move |app| app.configurator.change(&change).map_err(refused)).await?;
    let etag = format!("\"{}\"", changed.etag);
    Ok(Answer::json(&document(changed)).with_header(ETAG, etag).into())
}

fn document(changed: Changed) -> ConfigChangeDocument {
    let changes = changed.changes.into_iter().map(|found| DifferenceDocument {
        key: found.key,
        before: found.before,
        after: found.after,
        hot: found.hot,
    });
    let limits = changed.limits.into_iter().map(|found| LimitDocument {
        limit: found.limit,
        before: exact(found.before),
        after: exact(found.after),
        raises: found.raises,
    });
    ConfigChangeDocument {
        outcome: changed.outcome.name().to_owned(),
        version: changed.version,
        etag: changed.etag,
        changes: changes.collect(),
        limits: limits.collect(),
        needs_second: changed.needs_second,
        until: changed.until.map(|until| until.to_string()),
    }
}

/// A value as it is written in the configuration.
fn exact(value: serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

fn refused(refused: Refused) -> Problem {
    let kind = match &refused {
        Refused::Invalid(_) | Refused::Nameless => UNACCEPTABLE,
        Refused::Conflict { .. } => CHANGED,
        Refused::NoSuchVersion(_) => NOT_FOUND,
        Refused::NeedsRestart(_) | Refused::NotApproved(_) | Refused::SecondPerson(_) => CONFLICT,
        Refused::Failed(_) => UNAVAILABLE,
    };
    kind.problem(refused.to_string()).with_reasons(refused.reasons())
}

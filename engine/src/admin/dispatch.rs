//! What happens to a request on its way: found in the list of routes, recognised, allowed, counted, read,
//! handled, written down. In that order, and every step that says no answers with a problem document.
//!
//! The stop path skips what could hold it up: no limiter, no request before it, no store. It is written
//! down after the switch was thrown.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{Stream, StreamExt};
use serde::Serialize;
use store::{AuditRecord, Outcome};
use warp::filters::path::FullPath;
use warp::http::header::{self, CONTENT_TYPE, HeaderName, HeaderValue};
use warp::http::{HeaderMap, Method, StatusCode};
use warp::reply::Response;
use warp::ws::Ws;
use warp::{Buf, Filter, Rejection};

use super::connections::{Line, Worth};
use super::input::{Query, declared_length};
use super::people::NotLetIn;
use super::problem::{CONTENT_KIND, FORBIDDEN, INTERNAL, MALFORMED, Problem, TOO_LARGE, TOO_SLOW, UNAVAILABLE};
use super::repeats::{self, Key, Pending, Repeats};
use super::roles::Role;
use super::routes::{self, Access, Found, Kind, Route, Takes};
use super::{App, tokens};

/// Largest body of most requests.
pub const BODY_BYTES: usize = 64 * 1024;
/// How long a body may take.
const BODY_PATIENCE: Duration = Duration::from_secs(5);
/// How long a handler may take.
const HANDLER_PATIENCE: Duration = Duration::from_secs(20);
/// The stop path waits for the switch alone; the store may take longer, and is told so.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Who is on the other end.
#[derive(Clone)]
pub struct Peer {
    /// Whence.
    pub address: SocketAddr,
    /// The place in the table of connections.
    pub line: Arc<Line>,
}

/// Who is asking.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Client {
    /// Name.
    pub id: String,
    /// What the token allows.
    pub role: Role,
    /// When the token was issued and runs out, seconds since 1970.
    pub token: (u64, u64),
}

/// A request on its way to its handler.
pub struct Call {
    /// Who is on the other end.
    pub peer: Peer,
    /// Who is asking; nobody where the route is open.
    pub client: Option<Client>,
    /// What the path has in place of its `{…}`.
    pub parameter: String,
    /// What stands behind the question mark.
    pub query: Query,
    /// The header.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// It wants to become a WebSocket.
    pub upgrade: Option<Ws>,
    /// What is to be written down about it.
    pub act: Arc<Mutex<Act>>,
}

/// What is written down about a change.
#[derive(Clone, Default, Debug)]
pub struct Act {
    /// To what.
    pub target: String,
    /// Why, in the client's words.
    pub reason: String,
    /// How it was.
    pub before: Option<serde_json::Value>,
    /// How it is.
    pub after: Option<serde_json::Value>,
    /// Whoever carried it out has written it down already.
    pub is_written: bool,
}

impl Call {
    /// The client's name; only handlers behind a role ask.
    pub fn who(&self) -> &str {
        self.client.as_ref().map_or("", |client| &client.id)
    }

    /// Notes what is to be written down.
    pub fn note(&self, note: impl FnOnce(&mut Act)) {
        note(&mut self.act.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What a handler answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    status: StatusCode,
    content: &'static str,
    body: Vec<u8>,
    headers: Vec<(HeaderName, String)>,
}

impl Answer {
    /// A JSON document.
    pub fn json(document: &impl Serialize) -> Self {
        Self::of("application/json", serde_json::to_vec(document).unwrap_or_default())
    }

    /// Anything.
    pub fn of(content: &'static str, body: Vec<u8>) -> Self {
        Self { status: StatusCode::OK, content, body, headers: Vec::new() }
    }

    /// With another status.
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// With a header.
    pub fn with_header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The response.
    pub fn response(self) -> Response {
        let mut response = Response::new(self.body.into());
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(self.content));
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

/// What comes of a handler.
pub enum Handled {
    /// An answer.
    Answer(Answer),
    /// An answer that was given before, to the same request.
    Replayed(Answer),
    /// The connection is a WebSocket from now on.
    Upgraded(Response),
}

impl From<Answer> for Handled {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

/// What warp is left with: every request, in its parts. Which path means what stands in one list
/// (`routes`), because a chain of filters cannot be compared with a description.
pub fn routes(app: Arc<App>) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let upgrade = warp::ws().map(Some).or(warp::any().map(|| None)).unify();
    let query = warp::query::raw().map(Some).or(warp::any().map(|| None)).unify();
    warp::any()
        .map(move || Arc::clone(&app))
        .and(warp::method())
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::ext::get::<Peer>())
        .and(upgrade)
        .and(warp::body::stream())
        .then(|app: Arc<App>, method, path: FullPath, query: Option<String>, headers, peer, upgrade, body| async move {
            let parts = Parts { method, path: path.as_str().to_owned(), query, headers, peer, upgrade };
            respond(&app, parts, body).await
        })
}

struct Parts {
    method: Method,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    peer: Peer,
    upgrade: Option<Ws>,
}

async fn respond<B: Buf>(
    app: &Arc<App>,
    parts: Parts,
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Response {
    let (began, line) = (Instant::now(), Arc::clone(&parts.peer.line));
    let (name, result) = match routes::find(&parts.method, &parts.path) {
        Ok(found) => (found.route.path, taken(app, found, parts, body).await),
        // The paths of strangers are no labels: there is no end to them.
        Err(problem) => ("none", Err(problem)),
    };
    let mut response = match result {
        Ok(Handled::Answer(answer) | Handled::Replayed(answer)) => answer.response(),
        Ok(Handled::Upgraded(response)) => response,
        Err(problem) => problem.response(),
    };
    line.answered();
    app.metrics.request(name, response.status().as_u16(), began.elapsed());
    // No Strict-Transport-Security: it would hold for every port of this host name, Grafana's included.
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn taken<B: Buf>(
    app: &Arc<App>,
    found: Found,
    parts: Parts,
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Result<Handled, Problem> {
    let Found { route, parameter } = found;
    let client = recognised(app, route, &parts)?;
    let act = Arc::new(Mutex::new(Act { target: parameter.clone(), ..Act::default() }));
    let allowed = allowed(app, route, parameter, parts, client.clone(), Arc::clone(&act), body).await;
    let (Kind::Change(action) | Kind::Stop(action), Some(client)) = (route.kind, client) else {
        return carried_out(app, route, allowed?).await;
    };
    let done = match allowed {
        Ok(step) => carried_out(app, route, step).await,
        Err(problem) => Err(problem),
    };
    written_down(app, route, &client, action, &act, done).await
}

async fn written_down(
    app: &App,
    route: &Route,
    client: &Client,
    action: &str,
    act: &Mutex<Act>,
    done: Result<Handled, Problem>,
) -> Result<Handled, Problem> {
    if matches!(done, Ok(Handled::Replayed(_))) {
        return done;
    }
    let outcome = match &done {
        Ok(_) => Outcome::Done,
        Err(problem) if problem.status().is_server_error() => Outcome::Failed,
        Err(_) => Outcome::Denied,
    };
    let act = act.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if act.is_written {
        return done;
    }
    let record = record(app, client, action, act, outcome, done.as_ref().err());
    if matches!(route.kind, Kind::Stop(_)) {
        // The switch was thrown; nobody waits for the paper.
        let _ = app.trail.leave(record);
    } else if let Err(error) = app.trail.write(record).await
        && done.is_ok()
    {
        return Err(INTERNAL.problem(format!("it was done, but could not be written to the audit: {error}")));
    }
    done
}

fn record(
    app: &App,
    client: &Client,
    action: &str,
    act: Act,
    outcome: Outcome,
    problem: Option<&Problem>,
) -> AuditRecord {
    let after = problem.map_or(act.after, |problem| Some(serde_json::json!({ "refused": problem.detail() })));
    AuditRecord {
        at: app.now(),
        who: client.id.clone(),
        role: client.role.name().to_owned(),
        origin: "http".to_owned(),
        action: action.to_owned(),
        target: act.target,
        reason: act.reason,
        before: act.before.map(|before| before.to_string()),
        after: after.map(|after| after.to_string()),
        outcome,
    }
}

/// Who is asking, by the one token in the one Authorization header.
fn recognised(app: &App, route: &Route, parts: &Parts) -> Result<Option<Client>, Problem> {
    if matches!(route.access, Access::Open) {
        return Ok(None);
    }
    let stopping = matches!(route.kind, Kind::Stop(_));
    let token = bearer(&parts.headers)?;
    let refused = |because: &str| {
        app.metrics.refused_token(because);
        Problem::unauthenticated(because)
    };
    let claims = tokens::verify(&app.ring.load(), token, app.now()).map_err(|why| refused(&why.to_string()))?;
    let let_in = app.people.let_in(&claims.sub, claims.role, claims.iat, app.now(), stopping);
    let_in.map_err(|why| match why {
        NotLetIn::Stranger => refused("user"),
        NotLetIn::Unknown => UNAVAILABLE.problem("the users cannot be read now; stopping trading still works"),
    })?;
    parts.peer.line.is_worth(if stopping { Worth::Stopping } else { Worth::Known });
    Ok(Some(Client { id: claims.sub, role: claims.role, token: (claims.iat, claims.exp) }))
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (given.next(), given.next()) else { return Err(Problem::unauthenticated("")) };
    let text = only.to_str().unwrap_or_default();
    let (scheme, token) = text.split_once(' ').unwrap_or_default();
    match scheme.eq_ignore_ascii_case("bearer") {
        true => Ok(token),
        false => Err(Problem::unauthenticated("")),
    }
}

/// What is left to do with a request that is allowed.
enum Step {
    /// It was answered before.
    Replay(Answer),
    /// To be handled.
    Handle(Box<Call>, Option<Pending>),
}

async fn allowed<B: Buf>(
    app: &Arc<App>,
    route: &'static Route,
    parameter: String,
    parts: Parts,
    client: Option<Client>,
    act: Arc<Mutex<Act>>,
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Result<Step, Problem> {
    if let Some(client) = &client {
        if let Access::Role(needed) = route.access
            && !client.role.covers(needed)
        {
            return Err(FORBIDDEN.problem(format!("this takes the role {needed}; yours is {}", client.role)));
        }
        if !matches!(route.kind, Kind::Stop(_))
            && let Err(wait) = app.limits.may_ask(&client.id)
        {
            return Err(Problem::too_many("you ask more often than 25 times a second", wait));
        }
    }
    let query = Query::read(parts.query.as_deref(), route.query)?;
    let body = read(route, &parts.headers, body).await?;
    let pending = match key(route, client.as_ref(), &parts.headers)? {
        None => None,
        Some(key) => {
            let query = parts.query.as_deref().unwrap_or_default();
            let mut request = vec![parts.method.as_str().as_bytes(), parts.path.as_bytes(), query.as_bytes(), &body];
            // A change made for another version is another change.
            request.extend(parts.headers.get_all(header::IF_MATCH).iter().map(HeaderValue::as_bytes));
            let request = repeats::fingerprint(&request);
            match app.blocking(move |app| Repeats::begin(&app.repeats, key, request, app.now())).await? {
                Ok(pending) => Some(pending),
                Err(answer) => return Ok(Step::Replay(answer.with_header(REPLAYED, "true"))),
            }
        }
    };
    let Parts { headers, peer, upgrade, .. } = parts;
    Ok(Step::Handle(Box::new(Call { peer, client, parameter, query, headers, body, upgrade, act }), pending))
}

async fn carried_out(app: &Arc<App>, route: &'static Route, step: Step) -> Result<Handled, Problem> {
    let (call, pending) = match step {
        Step::Replay(answer) => return Ok(Handled::Replayed(answer)),
        Step::Handle(call, pending) => (call, pending),
    };
    let patience = if matches!(route.kind, Kind::Stop(_)) { STOP_PATIENCE } else { HANDLER_PATIENCE };
    let handled = tokio::time::timeout(patience, (route.handler)(Arc::clone(app), *call)).await;
    let handled = handled.unwrap_or_else(|_| {
        let seconds = patience.as_secs();
        Err(UNAVAILABLE.problem(format!("no answer within {seconds} s; look at the state before you try again")))
    })?;
    if let (Some(pending), Handled::Answer(answer)) = (pending, &handled) {
        pending.answered(answer);
    }
    Ok(handled)
}

/// Says that an answer is the one that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// What a client calls a request.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Stopping twice is as good as stopping once, so the stop path looks at no key.
fn key(route: &Route, client: Option<&Client>, headers: &HeaderMap) -> Result<Option<Key>, Problem> {
    let (Kind::Change(_), Some(client)) = (route.kind, client) else { return Ok(None) };
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (given.next(), given.next()) {
        (None, _) => Ok(None),
        (Some(only), None) => Key::new(&client.id, only.to_str().unwrap_or_default()).map(Some),
        _ => Err(MALFORMED.problem("more than one Idempotency-Key")),
    }
}

async fn read<B: Buf>(
    route: &Route,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Result<Vec<u8>, Problem> {
    let declared = declared_length(headers)?;
    let Some(takes) = route.takes else {
        return match declared {
            Some(0) => Ok(Vec::new()),
            _ => Err(MALFORMED.problem("this takes no body")),
        };
    };
    let most = takes.most();
    let too_large = || TOO_LARGE.problem(format!("a body of at most {most} bytes is taken here"));
    if declared.is_none_or(|length| length > 0) {
        content(takes, headers)?;
    }
    if declared.is_some_and(|length| length > most as u64) {
        return Err(too_large());
    }
    let reading = async {
        let mut body = std::pin::pin!(body);
        let mut all = Vec::new();
        while let Some(part) = body.next().await {
            let mut part = part.map_err(|_| MALFORMED.problem("the body broke off"))?;
            if all.len() + part.remaining() > most {
                return Err(too_large());
            }
            while part.has_remaining() {
                let chunk = part.chunk();
                all.extend_from_slice(chunk);
                part.advance(chunk.len());
            }
        }
        Ok(all)
    };
    let slow = || TOO_SLOW.problem(format!("the body did not come within {} s", BODY_PATIENCE.as_secs()));
    tokio::time::timeout(BODY_PATIENCE, reading).await.unwrap_or_else(|_| Err(slow()))
}

fn content(takes: Takes, headers: &HeaderMap) -> Result<(), Problem> {
    let mut given = headers.get_all(CONTENT_TYPE).iter();
    let only = match (given.next(), given.next()) {
        (Some(only), None) => only.to_str().unwrap_or_default(),
        _ => "",
    };
    let (kind, parameters) = only.split_once(';').unwrap_or((only, ""));
    let plain = matches!(parameters.trim().to_ascii_lowercase().as_str(), "" | "charset=utf-8" | "charset=\"utf-8\"");
    match kind.trim().eq_ignore_ascii_case(takes.content()) && plain {
        true => Ok(()),
        false => Err(CONTENT_KIND.problem(format!("send Content-Type: {}", takes.content()))),
    }
}

//! What tools ask without a token: whether the process lives, whether it can trade, its metrics, and the
//! description of the interface.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;
use warp::http::StatusCode;

use super::App;
use super::dispatch::{Answer, Call, Handled};
use super::openapi;
use super::problem::Problem;
use crate::metrics;

/// The longest that a probe waits for the account.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the process lives.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct LiveDocument {
    /// True: it has answered.
    pub live: bool,
}

/// Whether new orders can be taken on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct ReadyDocument {
    /// Whether.
    pub ready: bool,
    /// Why not.
    pub reasons: Vec<String>,
}

/// `/livez`: depends on nothing, or a slow broker would make the service manager kill a good process.
///
/// # Errors
/// None.
pub async fn live(_: Arc<App>, _: Call) -> Result<Handled, Problem> {
    Ok(Answer::json(&LiveDocument { live: true }).into())
}

/// `/readyz`.
///
/// # Errors
/// None: not being ready is an answer.
pub async fn ready(app: Arc<App>, _: Call) -> Result<Handled, Problem> {
    let reasons = reasons(&app).await;
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok(Answer::json(&ReadyDocument { ready: reasons.is_empty(), reasons }).with_status(status).into())
}

async fn reasons(app: &App) -> Vec<String> {
    let mut reasons: Vec<String> = app.inquiry.given_up();
    reasons.iter_mut().for_each(|actor| actor.push_str(" failed again and again and was given up"));
    let standing = app.inquiry.halt().standing();
    reasons.extend(standing.iter().map(|(scope, level)| format!("{scope} is {}", level.name())));
    match tokio::time::timeout(PATIENCE, app.mirror.look()).await {
        Ok(Ok(snapshot)) => {
            if !snapshot.ready {
                reasons.push("book and broker have not been compared, or do not agree".to_owned());
            }
            reasons.extend(snapshot.breaks.iter().cloned());
        }
        Ok(Err(error)) => reasons.push(error),
        Err(_) => reasons.push("the account does not answer".to_owned()),
    }
    reasons
}

/// `/metrics`.
///
/// # Errors
/// None: without the account, what is known without it.
pub async fn metrics(app: Arc<App>, _: Call) -> Result<Handled, Problem> {
    let snapshot = tokio::time::timeout(PATIENCE, app.mirror.look()).await;
    let snapshot = snapshot.ok().and_then(Result::ok);
    let house = &app.facts.house;
    let room = app.rooms.look(&house.history).await;
    let text = app.metrics.render(&app.inquiry, snapshot.as_deref(), app.lines.len(), house, room.as_ref());
    Ok(Answer::of(metrics::CONTENT, text.into_bytes()).into())
}

/// `/openapi.json`.
///
/// # Errors
/// None.
pub async fn openapi(_: Arc<App>, _: Call) -> Result<Handled, Problem> {
    Ok(Answer::json(&openapi::document()).into())
}

//! `POST /v1/resume` and `POST /v1/flatten`: leading out of a halt, and out of positions.
//!
//! Who resumes is who holds the token. A second person, where one is needed, sends the same with a token of
//! his own: a name that the first one writes for the second would be nobody's word.

use std::sync::Arc;

use actors::system::{ResumeError, Resumed};
use market::Universe;
use risk::{HaltLevel, HaltScope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::HaltDocument;
use crate::stops;

use super::App;
use super::dispatch::{Answer, Call, Handled};
use super::input::{self, ReasonText};
use super::problem::{CONFLICT, Problem, UNAVAILABLE};
use super::stopping::{ScopeInput, thrown};

/// What to resume.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumeInput {
    /// Which scope; all that stops the program as a whole where nothing is said.
    #[serde(default)]
    #[schema(required = false)]
    scope: Option<ScopeInput>,
    /// Why it is safe, kept in the record.
    reason: ReasonText,
}

/// What became of it.
#[derive(Serialize, ToSchema)]
pub struct ResumedDocument {
    /// `lifted`, or `proposed`: a second, different person has to send the same.
    outcome: &'static str,
    /// Which scopes, with the level at which each stood.
    scopes: Vec<HaltDocument>,
    /// Until when the second person may confirm. A restart of the daemon forgets the proposal; then it is made again.
    until: Option<String>,
}

/// What to close.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FlattenInput {
    /// Which scope; everything where nothing is said.
    #[serde(default)]
    #[schema(required = false)]
    scope: Option<ScopeInput>,
    /// Why, kept in the record.
    reason: ReasonText,
}

/// What flattening does, or would do.
#[derive(Serialize, ToSchema)]
pub struct FlattenDocument {
    /// Only told, not done.
    dry_run: bool,
    /// Which scope.
    scope: String,
    /// The level at which it stands now.
    level: String,
    /// Open orders that are cancelled.
    cancels: Vec<String>,
    /// What is closed.
    closings: Vec<ClosingDocument>,
}

/// One holding that is closed.
#[derive(Serialize, ToSchema)]
pub struct ClosingDocument {
    /// Whose; null for a strategy that is not configured any more.
    strategy: Option<String>,
    /// Of what.
    symbol: String,
    /// Units that it holds, negative when short.
    held: i64,
    /// `buy` or `sell`; null if no order can be sent now.
    side: Option<String>,
    /// Units of the first order; null if none can be sent now.
    quantity: Option<i64>,
}

/// `POST /v1/resume`.
///
/// # Errors
/// It stays halted, and why.
pub async fn resume(app: Arc<App>, call: Call) -> Result<Handled, Problem> {
    let asked: ResumeInput = input::body(&call)?;
    let reason = asked.reason.checked()?;
    let wanted = asked.scope.as_ref().map(ScopeInput::scope).transpose()?;
    let target = wanted.as_ref().map_or_else(|| "program".to_owned(), ToString::to_string);
    call.note(|act| {
        (act.target, act.reason) = (target, reason.clone());
        act.before = Some(serde_json::json!({ "halts": crate::answers::halts(app.inquiry.halt()) }));
    });
    let file = stops::file_of(&app.facts.data_directory);
    if let Some(stop) = stops::read(&file) {
        let detail = format!("the file {} lies there and stops {}: take it away first", file.display(), stop.scope);
        return Err(CONFLICT.problem(detail));
    }
    let resumed = app.inquiry.resume(wanted.as_ref(), call.who(), &reason, None).await.map_err(refused)?;
    let (outcome, scopes, until) = match resumed {
        Resumed::Lifted(scopes) => ("lifted", scopes, None),
        Resumed::Proposed { scopes, until } => ("proposed", scopes, Some(until.to_string())),
    };
    let scopes: Vec<HaltDocument> = scopes
        .into_iter()
        .map(|(scope, level)| HaltDocument { scope: scope.to_string(), level: level.name().to_owned() })
        .collect();
    let document = ResumedDocument { outcome, scopes, until };
    call.note(|act| act.after = serde_json::to_value(&document).ok());
    Ok(Answer::json(&document).into())
}

fn refused(error: ResumeError) -> Problem {
    match error {
        ResumeError::NoAnswer(error) => UNAVAILABLE.problem(error.to_string()),
        other => CONFLICT.problem(other.to_string()),
    }
}

/// `POST /v1/flatten`. With `dry_run=true` only what it would do. Whoever wants it at once, whatever the
/// account is busy with, sends `POST /v1/kill` with the action `flatten`.
///
/// # Errors
/// The account does not tell what it would do; the halt is in force but not stored.
pub async fn flatten(app: Arc<App>, call: Call) -> Result<Handled, Problem> {
    let dry_run = call.query.flag("dry_run")?;
    let asked: FlattenInput = input::body(&call)?;
    let reason = asked.reason.checked()?;
    let wanted = asked.scope.as_ref().map_or(Ok(HaltScope::Global), ScopeInput::scope)?;
    let before = app.inquiry.halt().level_in(&wanted).name();
    call.note(|act| {
        (act.target, act.reason) = (wanted.to_string(), reason.clone());
        act.before = Some(serde_json::json!({ "level": before }));
    });
    let plan = app.inquiry.flatten_plan(&wanted).await;
    let plan = plan.map_err(|error| UNAVAILABLE.problem(error.to_string()))?;
    let level = match dry_run {
        true => app.inquiry.halt().level_in(&wanted),
        false => thrown(&app, wanted.clone(), HaltLevel::Flatten, call.who().to_owned(), reason).await?,
    };
    call.note(|act| act.after = Some(serde_json::json!({ "level": level.name(), "dry_run": dry_run })));
    let universe = app.inquiry.universe();
    let document = FlattenDocument {
        dry_run,
        scope: wanted.to_string(),
        level: level.name().to_owned(),
        cancels: plan.cancels.iter().map(ToString::to_string).collect(),
        closings: plan.closings.iter().map(|closing| self::closing(closing, universe)).collect(),
    };
    Ok(Answer::json(&document).into())
}

fn closing(closing: &desk::Closing, universe: &Universe) -> ClosingDocument {
    ClosingDocument {
        strategy: closing.strategy.clone(),
        symbol: universe.symbol(closing.instrument).to_owned(),
        held: closing.held.units(),
        side: closing.order.map(|(side, _)| side.to_string()),
        quantity: closing.order.map(|(_, quantity)| quantity.units()),
    }
}

//! Stopping: `POST /v1/kill`. Nothing of the interface stands between the word and the switch: a thread
//! of its own throws it, waits for what was in the gate, and stores it.

use std::sync::Arc;

use risk::{HaltLevel, HaltScope};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::App;
use super::dispatch::{Answer, Call, Handled};
use super::input;
use super::problem::{INTERNAL, Problem, UNACCEPTABLE, UNAVAILABLE};

/// Threads that stop at the same time: each waits for the same gate and the same store.
const MOST_STOPPING: usize = 64;
/// What is kept where nobody said why: stopping waits for no explanation.
const NO_REASON: &str = "no reason given";
/// No strategy has a longer name.
const LONGEST_SCOPE: usize = 200;
/// More of a reason than this is not kept.
const LONGEST_REASON: usize = 1_000;

/// What to stop.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KillInput {
    /// `global` (the default), `account`, `broker`, `strategy:NAME` or `symbol:PETR4`.
    #[schema(required = false)]
    scope: Option<ScopeInput>,
    /// How far; `stop_new` where nothing is said.
    #[schema(required = false)]
    action: Option<KillAction>,
    /// Why, kept in the record. Stopping does not wait for one.
    #[schema(required = false)]
    reason: Option<String>,
}

/// What a halt is about, in text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[schema(
    max_length = 200,
    pattern = r"^(global|account|broker|strategy:[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*|symbol:[!-~]{1,12})$"
)]
pub struct ScopeInput(String);

impl ScopeInput {
    /// The scope.
    ///
    /// # Errors
    /// It names none.
    pub fn scope(&self) -> Result<HaltScope, Problem> {
        let text = &self.0;
        if text.chars().count() > LONGEST_SCOPE || text.chars().any(char::is_control) {
            let detail = format!("scope takes at most {LONGEST_SCOPE} characters, and no line breaks");
            return Err(UNACCEPTABLE.problem(detail));
        }
        text.parse().map_err(|error: risk::UnknownScope| UNACCEPTABLE.problem(error.to_string()))
    }
}

/// How far to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KillAction {
    /// No new orders.
    #[default]
    StopNew,
    /// The same, and open orders are cancelled.
    CancelAll,
    /// The same, and positions are closed.
    Flatten,
}

impl KillAction {
    const fn level(self) -> HaltLevel {
        match self {
            Self::StopNew => HaltLevel::StopNew,
            Self::CancelAll => HaltLevel::CancelAll,
            Self::Flatten => HaltLevel::Flatten,
        }
    }
}

/// What was stopped.
#[derive(Serialize, ToSchema)]
pub struct KilledDocument {
    /// What.
    scope: String,
    /// The level at which it stands now.
    level: String,
    /// Who.
    by: String,
    /// Why.
    reason: String,
}

/// `POST /v1/kill`.
///
/// # Errors
/// The body cannot be understood; the halt is in force but not stored.
pub async fn kill(app: Arc<App>, call: Call) -> Result<Handled, Problem> {
    let asked: KillInput = if call.body.is_empty() { KillInput::default() } else { input::body(&call)? };
    let scope = asked.scope.as_ref().map_or(Ok(HaltScope::Global), ScopeInput::scope)?;
    let reason = plain(asked.reason.as_deref().unwrap_or_default());
    let level = asked.action.unwrap_or_default().level();
    let before = app.inquiry.halt().level_in(&scope).name();
    call.note(|act| {
        (act.target, act.reason) = (scope.to_string(), reason.clone());
        act.before = Some(serde_json::json!({ "level": before }));
    });
    let by = call.who().to_owned();
    let now = thrown(&app, scope.clone(), level, by.clone(), reason.clone()).await?;
    call.note(|act| act.after = Some(serde_json::json!({ "level": now.name() })));
    let (scope, level) = (scope.to_string(), now.name().to_owned());
    Ok(Answer::json(&KilledDocument { scope, level, by, reason }).into())
}

/// Throws the switch on a thread of its own; the level at which the scope stands now.
///
/// # Errors
/// It is in force, but not stored.
pub async fn thrown(
    app: &Arc<App>,
    scope: HaltScope,
    level: HaltLevel,
    by: String,
    reason: String,
) -> Result<HaltLevel, Problem> {
    let under_way = Arc::clone(&app.stopping);
    if Arc::strong_count(&under_way) > MOST_STOPPING + 1 {
        // The switch itself needs no thread: it is thrown here, and those under way store what holds.
        app.inquiry.halt().raise(&scope, level);
        return Err(
            UNAVAILABLE.problem("no new order leaves; so many are stopping that yours was not stored by itself")
        );
    }
    let (told_in, told) = oneshot::channel();
    let inquiry = app.inquiry.clone();
    let throwing = std::thread::Builder::new().name("kill".to_owned()).spawn({
        let (scope, by, reason) = (scope.clone(), by, reason);
        move || {
            // Whoever asked may have gone; the switch is thrown all the same.
            let _ = told_in.send(inquiry.kill(&scope, level, &by, &reason));
            drop(under_way);
        }
    });
    if let Err(error) = throwing {
        app.inquiry.halt().raise(&scope, level);
        return Err(UNAVAILABLE.problem(format!("no new order leaves, but that was not stored: {error}")));
    }
    let stored = told.await.map_err(|_| INTERNAL.problem("the stop was not answered; look at the state"))?;
    stored.map_err(|error| {
        INTERNAL.problem(format!("no new order leaves, but that could not be stored and ends with the daemon: {error}"))
    })
}

/// A reason as it can be kept, whatever was sent.
fn plain(text: &str) -> String {
    let kept: String = text.chars().filter(|letter| !letter.is_control()).take(LONGEST_REASON).collect();
    match kept.trim() {
        "" => NO_REASON.to_owned(),
        kept => kept.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_reason_stands_in_the_way() {
        let long = "x".repeat(5_000);
        for (given, kept) in [
            ("", NO_REASON),
            (" \n\0 ", NO_REASON),
            (" strange\nfills ", "strangefills"),
            (&long, &long[..LONGEST_REASON]),
        ] {
            assert_eq!(plain(given), kept);
        }
    }
}

//! Who has access: listed, added, given another secret, shut out.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use store::{SecretHash, StoreError, User};
use utoipa::ToSchema;
use warp::http::StatusCode;

use super::App;
use super::dispatch::{Answer, Call, Handled};
use super::input::{self, ReasonInput, ReasonText};
use super::problem::{CONFLICT, INTERNAL, NOT_FOUND, Problem, UNACCEPTABLE, UNAVAILABLE};
use super::roles::Role;
use super::secrets;

/// A user, without what checks the secret.
#[derive(Serialize, ToSchema)]
pub struct UserDocument {
    /// Its name.
    client_id: String,
    /// What it may do.
    role: String,
    /// When it was created.
    created: String,
    /// When it got the secret that it has.
    rotated: String,
    /// Since when it may do nothing any more.
    disabled: Option<String>,
}

/// The users.
#[derive(Serialize, ToSchema)]
pub struct UsersDocument {
    /// By name.
    items: Vec<UserDocument>,
}

/// A user to be added.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserInput {
    /// Its name: letters, digits, and `. _ @ -`.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._@-]{1,64}$")]
    client_id: String,
    /// What it may do.
    role: Role,
    /// Why, kept in the record.
    reason: ReasonText,
}

/// Another role.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleInput {
    /// What the user may do from now on.
    role: Role,
    /// Why, kept in the record.
    reason: ReasonText,
}

/// A user's secret. It is shown this once.
#[derive(Serialize, ToSchema)]
pub struct SecretDocument {
    /// Whose.
    client_id: String,
    /// The secret.
    client_secret: String,
}

/// `GET /v1/users`.
///
/// # Errors
/// None.
pub async fn list(app: Arc<App>, _: Call) -> Result<Handled, Problem> {
    let items = app.people.all().iter().map(document).collect();
    Ok(Answer::json(&UsersDocument { items }).into())
}

fn document(user: &User) -> UserDocument {
    UserDocument {
        client_id: user.client_id.clone(),
        role: user.role.clone(),
        created: user.created.to_string(),
        rotated: user.rotated.to_string(),
        disabled: user.disabled.map(|at| at.to_string()),
    }
}

/// Checks the name of a new user: it stands in paths, tables and logs.
///
/// # Errors
/// Another character, or too many.
pub fn check_name(name: &str) -> Result<(), String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
    match (1..=64).contains(&name.len())
        && name.bytes().all(fits)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
    {
        true => Ok(()),
        false => Err("a name takes 1 to 64 letters, digits and . _ @ -, and begins with a letter or digit".to_owned()),
    }
}

/// `POST /v1/users`.
///
/// # Errors
/// The name is taken or impossible; the store does not answer.
pub async fn add(app: Arc<App>, call: Call) -> Result<Handled, Problem> {
    let asked: UserInput = input::body(&call)?;
    let why = asked.reason.checked()?;
    check_name(&asked.client_id).map_err(|error| UNACCEPTABLE.problem(error))?;
    call.note(|act| {
        (act.target, act.reason) = (asked.client_id.clone(), why);
        act.after = Some(serde_json::json!({ "role": asked.role.name() }));
    });
    let (client_id, role) = (asked.client_id, asked.role);
    let secret = app
        .blocking(move |app| {
            let (secret, hash) = fresh()?;
            let user = User::new(client_id.clone(), role.name(), hash, app.now());
            app.people.change(app.now(), |users| users.create(&user)).map_err(told)?;
            Ok(SecretDocument { client_id, client_secret: secret })
        })
        .await?;
    Ok(Answer::json(&secret).with_status(StatusCode::CREATED).into())
}

/// `POST /v1/users/{client_id}/role`. Tokens that carry more than the new role count no more.
///
/// # Errors
/// There is no such user; it is the one who asks; the store does not answer.
pub async fn role(app: Arc<App>, call: Call) -> Result<Handled, Problem> {
    let asked: RoleInput = input::body(&call)?;
    let why = asked.reason.checked()?;
    let before = app.people.all().into_iter().find(|user| user.client_id == call.parameter).map(|user| user.role);
    call.note(|act| {
        act.reason = why;
        act.before = before.map(|role| serde_json::json!({ "role": role }));
        act.after = Some(serde_json::json!({ "role": asked.role.name() }));
    });
    if call.parameter == call.who() {
        return Err(CONFLICT.problem("nobody changes his own role; let another admin do it"));
    }
    let client_id = call.parameter.clone();
    app.blocking(move |app| {
        app.people.change(app.now(), |users| users.set_role(&client_id, asked.role.name())).map_err(told)
    })
    .await?;
    changed(&app, &call.parameter)
}

fn changed(app: &App, client_id: &str) -> Result<Handled, Problem> {
    let users = app.people.all();
    let user = users.iter().find(|user| user.client_id == client_id);
    user.map(|user| Answer::json(&document(user)).into())
        .ok_or_else(|| INTERNAL.problem("it was changed, but cannot be read again"))
}

/// `POST /v1/users/{client_id}/rotate`: another secret; the one before and its tokens are worth nothing.
///
/// # Errors
/// There is no such user; the store does not answer.
pub async fn rotate(app: Arc<App>, call: Call) -> Result<Handled, Problem> {
    because(&call)?;
    let client_id = call.parameter.clone();
    let secret = app
        .blocking(move |app| {
            let (secret, hash) = fresh()?;
            app.people.change(app.now(), |users| users.rotate(&client_id, &hash, app.now())).map_err(told)?;
            Ok(SecretDocument { client_id, client_secret: secret })
        })
        .await?;
    Ok(Answer::json(&secret).into())
}

/// `POST /v1/users/{client_id}/disable`: for good; its tokens count no more.
///
/// # Errors
/// There is no such user; it is the one who asks; the store does not answer.
pub async fn disable(app: Arc<App>, call: Call) -> Result<Handled, Problem> {
    because(&call)?;
    let client_id = call.parameter.clone();
    if client_id == call.who() {
        return Err(CONFLICT.problem("nobody shuts himself out; let another admin do it"));
    }
    app.blocking(move |app| app.people.change(app.now(), |users| users.disable(&client_id, app.now())).map_err(told))
        .await?;
    changed(&app, &call.parameter)
}

fn because(call: &Call) -> Result<(), Problem> {
    let asked: ReasonInput = input::body(call)?;
    let why = asked.reason.checked()?;
    call.note(|act| act.reason = why);
    Ok(())
}

fn fresh() -> Result<(String, SecretHash), Problem> {
    let failed = |error: String| INTERNAL.problem(error);
    let secret = secrets::generate().map_err(|error| failed(error.to_string()))?;
    let hash = secrets::hash(&secret).map_err(|error| failed(error.to_string()))?;
    let hash = SecretHash::new(hash).map_err(|error| failed(error.to_string()))?;
    Ok((secret, hash))
}

fn told(error: StoreError) -> Problem {
    match error {
        StoreError::UserExists { .. } => CONFLICT.problem(error.to_string()),
        StoreError::UserUnknown { .. } => NOT_FOUND.problem(error.to_string()),
        StoreError::NotStorable { .. } => UNACCEPTABLE.problem(error.to_string()),
        _ => UNAVAILABLE.problem(error.to_string()),
    }
}

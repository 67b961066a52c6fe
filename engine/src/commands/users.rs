//! `users`: who may use the admin interface. A running daemon is asked over its socket, because one process at a
//! time writes to a data directory; without one the store is changed here. `list` and `rotate-keys` work beside it.

use actors::Clock;
use serde_json::{Value, json};
use store::{EmbeddedStore, Outcome, SecretHash, StoreError};

use crate::access::{Change, What};
use crate::admin::keys::Ring;
use crate::admin::{self, secrets};
use crate::auditor::{Actor, Auditor};
use crate::cli::UsersCommand;
use crate::config::{Overrides, Places, places};
use crate::control::{self, Question};
use crate::ledger;
use crate::output::{Answer, Failure, table};

/// Lists and changes who has access.
pub fn users(command: &UsersCommand, overrides: &Overrides) -> Result<Answer, Failure> {
    let places = places(overrides)?;
    let change = |name: &str, what: What| changed(&places, Change { name: name.to_owned(), what });
    match command {
        UsersCommand::List => list(&places),
        UsersCommand::RotateKeys => rotate_keys(&places),
        UsersCommand::Add { name, role } => {
            admin::check_name(name).map_err(Failure::usage)?;
            let (secret, hash) = fresh()?;
            let running = change(name, What::Add { role: *role, hash: (&hash).into() })?;
            Ok(told(name, &secret, running))
        }
        UsersCommand::Rotate { name } => {
            let (secret, hash) = fresh()?;
            let running = change(name, What::Rotate { hash: (&hash).into() })?;
            Ok(told(name, &secret, running))
        }
        UsersCommand::Role { name, role } => {
            let running = change(name, What::Role { role: *role })?;
            let text = format!("{name} is {role} now.{}", within(running));
            Ok(Answer::new(text, json!({ "client_id": name, "role": role })))
        }
        UsersCommand::Disable { name } => {
            let running = change(name, What::Disable)?;
            let text = format!("{name} is shut out for good. A name means one client for ever.{}", within(running));
            Ok(Answer::new(text, json!({ "client_id": name, "disabled": true })))
        }
    }
}

/// When it counts.
const fn within(running: bool) -> &'static str {
    if running { " The running daemon takes it within a second." } else { "" }
}

fn told(name: &str, secret: &str, running: bool) -> Answer {
    let text = format!(
        "client_id      {name}\nclient_secret  {secret}\nIt is shown this once; only its hash is kept.{}",
        within(running)
    );
    Answer::new(text, json!({ "client_id": name, "client_secret": secret }))
}

fn fresh() -> Result<(String, SecretHash), Failure> {
    let secret = secrets::generate().map_err(Failure::failed)?;
    let hash = secrets::hash(&secret).map_err(Failure::failed)?;
    Ok((secret, SecretHash::new(hash).map_err(Failure::failed)?))
}

fn list(places: &Places) -> Result<Answer, Failure> {
    let all = ledger::open_read_only(places)?.users()?.list()?;
    let rows = all.iter().map(|user| {
        let disabled = user.disabled.map(|at| at.to_string()).unwrap_or_default();
        vec![user.client_id.clone(), user.role.clone(), user.created.to_string(), user.rotated.to_string(), disabled]
    });
    let text = if all.is_empty() {
        "Nobody has access; 'pregao users add NAME --role viewer|operator|admin' gives it.".to_owned()
    } else {
        table(&["client_id", "role", "created", "rotated", "disabled"], 5, rows)
    };
    Ok(Answer::new(text, json!({ "users": all })))
}

fn rotate_keys(places: &Places) -> Result<Answer, Failure> {
    let directory = admin::directory(&places.data_directory).map_err(Failure::failed)?;
    let ring = Ring::rotated(&directory, Clock::System.now()).map_err(Failure::failed)?;
    let (key, keys) = (&ring.newest().name, ring.len());
    let text = format!("Key {key} signs tokens from now on; {keys} verify. A running daemon takes it within a second.");
    Ok(Answer::new(text, json!({ "key": key, "keys": keys })))
}

/// Makes a change where the store can be written: in the running daemon, which gives `true`, or here.
fn changed(places: &Places, change: Change) -> Result<bool, Failure> {
    let failed = |message: String| Failure::Failed(message, Value::Null);
    let question = Question::Access { change: change.clone(), by: login_name() };
    if control::ask(&places.data_directory, &question).map_err(failed)?.is_some() {
        return Ok(true);
    }
    let store = EmbeddedStore::open(&places.data_directory).map_err(|error| match error {
        StoreError::Locked { .. } => {
            let advice = "it does not listen on its socket; an admin changes users over HTTP: POST /v1/users";
            failed(format!("{error}; {advice}"))
        }
        other => other.into(),
    })?;
    let ledger = ledger::open(places, &store)?;
    let auditor = Auditor::new(ledger::audit(places, &store, &*ledger)?);
    let made = change.make(&mut *ledger.users()?, Clock::System.now());
    let outcome = made.as_ref().err().map_or(Outcome::Done, crate::access::NotChanged::outcome);
    auditor.note(&Actor::local(&login_name()), change.act(), outcome);
    made.map(|()| false).map_err(Failure::failed)
}

/// Who sits at the machine, as far as it says.
fn login_name() -> String {
    let name = ["LOGNAME", "USER"].into_iter().find_map(|variable| std::env::var(variable).ok());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "local user".to_owned())
}

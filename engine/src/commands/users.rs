//! `users`: who may use the admin interface. Needs no daemon; while one runs, `POST /v1/users` does the
//! same, because one process at a time writes to a data directory. `list` and `rotate-keys` work beside it.

use actors::Clock;
use serde_json::json;
use store::{Audit, AuditRecord, EmbeddedStore, Outcome, SecretHash, StoreError, User, Users};

use crate::admin::keys::Ring;
use crate::admin::roles::Role;
use crate::admin::{self, secrets};
use crate::cli::UsersCommand;
use crate::config::{Overrides, Places, places};
use crate::ledger;
use crate::output::{Answer, Failure, table};

/// Lists and changes who has access.
pub fn users(command: &UsersCommand, overrides: &Overrides) -> Result<Answer, Failure> {
    let places = places(overrides)?;
    match command {
        UsersCommand::List => list(&places),
        UsersCommand::RotateKeys => rotate_keys(&places),
        UsersCommand::Add { name, role } => {
            admin::check_name(name).map_err(Failure::usage)?;
            let (secret, hash) = fresh()?;
            let user = User::new(name.clone(), role.name(), hash, Clock::System.now());
            changed(&places, "user.add", name, Some(*role), |users| users.create(&user))?;
            Ok(told(name, &secret))
        }
        UsersCommand::Rotate { name } => {
            let (secret, hash) = fresh()?;
            let now = Clock::System.now();
            changed(&places, "user.rotate", name, None, |users| users.rotate(name, &hash, now))?;
            Ok(told(name, &secret))
        }
        UsersCommand::Role { name, role } => {
            changed(&places, "user.role", name, Some(*role), |users| users.set_role(name, role.name()))?;
            Ok(Answer::new(format!("{name} is {role} now."), json!({ "client_id": name, "role": role })))
        }
        UsersCommand::Disable { name } => {
            let now = Clock::System.now();
            changed(&places, "user.disable", name, None, |users| users.disable(name, now))?;
            let text = format!("{name} is shut out for good. A name means one client for ever.");
            Ok(Answer::new(text, json!({ "client_id": name, "disabled": true })))
        }
    }
}

fn told(name: &str, secret: &str) -> Answer {
    let text = format!("client_id      {name}\nclient_secret  {secret}\nIt is shown this once; only its hash is kept.");
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

fn changed(
    places: &Places,
    action: &str,
    name: &str,
    role: Option<Role>,
    change: impl FnOnce(&mut dyn Users) -> Result<(), StoreError>,
) -> Result<(), Failure> {
    let store = EmbeddedStore::open(&places.data_directory).map_err(|error| match error {
        StoreError::Locked { .. } => {
            let advice = "while the daemon runs, an admin adds and changes users over HTTP: POST /v1/users";
            Failure::Failed(format!("{error}; {advice}"), serde_json::Value::Null)
        }
        other => other.into(),
    })?;
    let ledger = ledger::open(places, &store)?;
    let mut audit = ledger::audit(places, &store, &*ledger)?;
    let done = change(&mut *ledger.users()?);
    let outcome = match &done {
        Ok(()) => Outcome::Done,
        Err(StoreError::UserExists { .. } | StoreError::UserUnknown { .. } | StoreError::NotStorable { .. }) => {
            Outcome::Denied
        }
        Err(_) => Outcome::Failed,
    };
    audit.append(&AuditRecord {
        at: Clock::System.now(),
        who: login_name(),
        role: String::new(),
        origin: "cli".to_owned(),
        action: action.to_owned(),
        target: name.to_owned(),
        reason: String::new(),
        before: None,
        after: role.map(|role| json!({ "role": role }).to_string()),
        outcome,
    })?;
    Ok(done?)
}

/// Who sits at the machine, as far as it says.
fn login_name() -> String {
    let name = ["LOGNAME", "USER"].into_iter().find_map(|variable| std::env::var(variable).ok());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "local user".to_owned())
}

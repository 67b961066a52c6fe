//! The users of the admin interface in Postgres.

use std::sync::Arc;

use market::Timestamp;
use tokio_postgres::Row;

use super::Shared;
use super::fault::Fault;
use super::server::{Parameter, Session};
use crate::error::StoreError;
use crate::users::{SecretHash, User, Users, check_word};

const LIST: &str = "SELECT client_id, role, secret_hash, created, rotated, disabled FROM users ORDER BY client_id";

const FIND: &str = "SELECT client_id, role, secret_hash, created, rotated, disabled FROM users WHERE client_id = $1";

const CREATE: &str = "INSERT INTO users (client_id, role, secret_hash, created, rotated, disabled)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (client_id) DO NOTHING";

const ROTATE: &str = "UPDATE users SET secret_hash = $2, rotated = $3 WHERE client_id = $1";

const SET_ROLE: &str = "UPDATE users SET role = $2 WHERE client_id = $1";

const DISABLE: &str = "UPDATE users SET disabled = coalesce(disabled, $2) WHERE client_id = $1";

/// Users on a server.
pub struct PostgresUsers {
    shared: Arc<Shared>,
}

impl PostgresUsers {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl Users for PostgresUsers {
    fn create(&mut self, user: &User) -> Result<(), StoreError> {
        self.shared.writable()?;
        user.check()?;
        let user = user.clone();
        self.shared.server.call("create a user", move |session| Box::pin(create(session, user)))
    }

    fn rotate(&mut self, client_id: &str, secret_hash: &SecretHash, at: Timestamp) -> Result<(), StoreError> {
        self.shared.writable()?;
        let (client_id, phc, at) = (client_id.to_owned(), secret_hash.reveal().to_owned(), at.as_nanos());
        self.shared.server.call("rotate a secret", move |session| {
            Box::pin(async move { change(session, &client_id, ROTATE, &[&client_id, &phc, &at]).await })
        })
    }

    fn set_role(&mut self, client_id: &str, role: &str) -> Result<(), StoreError> {
        self.shared.writable()?;
        check_word("role", role)?;
        let (client_id, role) = (client_id.to_owned(), role.to_owned());
        self.shared.server.call("change a role", move |session| {
            Box::pin(async move { change(session, &client_id, SET_ROLE, &[&client_id, &role]).await })
        })
    }

    fn disable(&mut self, client_id: &str, at: Timestamp) -> Result<(), StoreError> {
        self.shared.writable()?;
        let (client_id, at) = (client_id.to_owned(), at.as_nanos());
        self.shared.server.call("disable a user", move |session| {
            Box::pin(async move { change(session, &client_id, DISABLE, &[&client_id, &at]).await })
        })
    }

    fn list(&self) -> Result<Vec<User>, StoreError> {
        self.shared.server.call("read the users", |session| {
            Box::pin(async move { session.rows(LIST, &[]).await?.iter().map(user_of).collect() })
        })
    }

    fn find(&self, client_id: &str) -> Result<Option<User>, StoreError> {
        let client_id = client_id.to_owned();
        self.shared.server.call("read the users", move |session| Box::pin(find(session, client_id)))
    }
}

async fn create(session: &mut Session, user: User) -> Result<(), Fault> {
    let User { client_id, role, secret_hash, created, rotated, disabled } = &user;
    let (created, rotated, disabled) = (created.as_nanos(), rotated.as_nanos(), disabled.map(Timestamp::as_nanos));
    let phc = secret_hash.reveal();
    if session.change(CREATE, &[client_id, role, &phc, &created, &rotated, &disabled]).await? == 1
        || find(session, client_id.clone()).await?.is_some_and(|known| known == user)
    {
        return Ok(());
    }
    Err(StoreError::UserExists { client_id: user.client_id }.into())
}

async fn find(session: &mut Session, client_id: String) -> Result<Option<User>, Fault> {
    session.rows(FIND, &[&client_id]).await?.first().map(user_of).transpose()
}

/// One row, or the user is unknown.
async fn change(
    session: &mut Session,
    client_id: &str,
    sql: &'static str,
    with: &[Parameter<'_>],
) -> Result<(), Fault> {
    match session.change(sql, with).await? {
        0 => Err(StoreError::UserUnknown { client_id: client_id.to_owned() }.into()),
        _ => Ok(()),
    }
}

/// From `client_id, role, secret_hash, created, rotated, disabled`.
fn user_of(row: &Row) -> Result<User, Fault> {
    let secret_hash = SecretHash::new(row.try_get::<_, String>(2)?);
    Ok(User {
        client_id: row.try_get(0)?,
        role: row.try_get(1)?,
        secret_hash: secret_hash.map_err(|error| Fault::Damaged(error.to_string()))?,
        created: Timestamp::from_nanos(row.try_get(3)?),
        rotated: Timestamp::from_nanos(row.try_get(4)?),
        disabled: row.try_get::<_, Option<i64>>(5)?.map(Timestamp::from_nanos),
    })
}

//! The users of the admin interface in `pregao.db`.

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use market::Timestamp;

use super::database::{Database, Fault};
use crate::error::StoreError;
use crate::users::{SecretHash, User, Users, check_word};

const COLUMNS: &str = "SELECT client_id, role, secret_hash, created, rotated, disabled FROM users";

/// Users in a data directory.
#[derive(Debug)]
pub struct EmbeddedUsers {
    database: Database,
}

impl EmbeddedUsers {
    pub(super) fn new(database: Database) -> Self {
        Self { database }
    }

    /// One row, or the user is unknown.
    fn change(&self, client_id: &str, sql: &str, with: &[&dyn rusqlite::ToSql]) -> Result<(), StoreError> {
        let Database { connection, path, .. } = &self.database;
        match connection.execute(sql, with) {
            Ok(0) => Err(StoreError::UserUnknown { client_id: client_id.to_owned() }),
            Ok(_) => Ok(()),
            Err(error) => Err(Fault::from(error).at(path, "change a user")),
        }
    }
}

impl Users for EmbeddedUsers {
    fn create(&mut self, user: &User) -> Result<(), StoreError> {
        user.check()?;
        let Database { connection, path, .. } = &mut self.database;
        create(connection, user).map_err(|fault| fault.at(path, "create a user"))
    }

    fn rotate(&mut self, client_id: &str, secret_hash: &SecretHash, at: Timestamp) -> Result<(), StoreError> {
        let set = "UPDATE users SET secret_hash = ?2, rotated = ?3 WHERE client_id = ?1";
        self.change(client_id, set, params![client_id, secret_hash.reveal(), at.as_nanos()])
    }

    fn set_role(&mut self, client_id: &str, role: &str) -> Result<(), StoreError> {
        check_word("role", role)?;
        self.change(client_id, "UPDATE users SET role = ?2 WHERE client_id = ?1", params![client_id, role])
    }

    fn disable(&mut self, client_id: &str, at: Timestamp) -> Result<(), StoreError> {
        let set = "UPDATE users SET disabled = coalesce(disabled, ?2) WHERE client_id = ?1";
        self.change(client_id, set, params![client_id, at.as_nanos()])
    }

    fn list(&self) -> Result<Vec<User>, StoreError> {
        let Database { connection, path, .. } = &self.database;
        list(connection).map_err(|fault| fault.at(path, "read the users"))
    }

    fn find(&self, client_id: &str) -> Result<Option<User>, StoreError> {
        let Database { connection, path, .. } = &self.database;
        find(connection, client_id).map_err(|fault| fault.at(path, "read the users"))
    }
}

fn create(connection: &mut Connection, user: &User) -> Result<(), Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    match find(&transaction, &user.client_id)? {
        Some(known) if known == *user => return Ok(()),
        Some(_) => return Err(StoreError::UserExists { client_id: user.client_id.clone() }.into()),
        None => {}
    }
    let User { client_id, role, secret_hash, created, rotated, disabled } = user;
    transaction.execute(
        "INSERT INTO users (client_id, role, secret_hash, created, rotated, disabled) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            client_id,
            role,
            secret_hash.reveal(),
            created.as_nanos(),
            rotated.as_nanos(),
            disabled.map(Timestamp::as_nanos)
        ],
    )?;
    Ok(transaction.commit()?)
}

fn list(connection: &Connection) -> Result<Vec<User>, Fault> {
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} ORDER BY client_id"))?;
    let users = statement.query_map([], user_of)?;
    Ok(users.collect::<Result<_, _>>()?)
}

fn find(connection: &Connection, client_id: &str) -> Result<Option<User>, Fault> {
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} WHERE client_id = ?1"))?;
    Ok(statement.query_row([client_id], user_of).optional()?)
}

/// From `client_id, role, secret_hash, created, rotated, disabled`.
fn user_of(row: &Row<'_>) -> rusqlite::Result<User> {
    let secret_hash = SecretHash::new(row.get::<_, String>(2)?);
    let damaged = |error| rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, Box::new(error));
    Ok(User {
        client_id: row.get(0)?,
        role: row.get(1)?,
        secret_hash: secret_hash.map_err(damaged)?,
        created: Timestamp::from_nanos(row.get(3)?),
        rotated: Timestamp::from_nanos(row.get(4)?),
        disabled: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_nanos),
    })
}

//! The tables and their migrations.

use tokio_postgres::Client;

use super::Access;
use super::fault::{Fault, READ_ONLY};
use super::server::{Server, Session};
use crate::error::StoreError;

/// Everything in the repository's `migrations/`.
mod embedded {
    refinery::embed_migrations!("../migrations");
}

/// Two daemons that start together migrate one after the other. Any number that nobody else uses in
/// this database: "PREG" in ASCII.
const MIGRATION_LOCK: i64 = 0x5052_4547;

/// Brings the schema up to date, or for a reader says that it is not.
pub(super) fn prepare(server: &Server, schema: &str, access: Access) -> Result<(), StoreError> {
    let (place, schema) = (server.place().to_owned(), schema.to_owned());
    let found = {
        let place = place.clone();
        server.call("read its schema", move |session| Box::pin(look(session, access, place)))?
    };
    match access {
        // The usual case, within the limit of a call.
        _ if found == known() => Ok(()),
        Access::Read => Err(older(place, found)),
        Access::Write => {
            server.apart("bring its schema up to date", move |client| Box::pin(migrate(client, schema, place)))
        }
    }
}

/// The version, from a server that takes writes if we are to write.
async fn look(session: &mut Session, access: Access, place: String) -> Result<i64, Fault> {
    let setting = "SELECT current_setting('transaction_read_only')::bool";
    if access == Access::Write && session.client.query_one(setting, &[]).await?.try_get(0)? {
        let (problem, remedy) = READ_ONLY;
        return Err(StoreError::Unusable { place, problem, remedy, source: None }.into());
    }
    version(&session.client, &place).await
}

async fn migrate(client: &mut Client, schema: String, place: String) -> Result<(), Fault> {
    // Held until the connection closes.
    client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await?;
    // Whoever was here before us may have done it.
    if version(client, &place).await? == known() {
        return Ok(());
    }
    // Not with IF NOT EXISTS, which asks for the right to create even where nothing is to be created.
    let exists: bool = client.query_one("SELECT to_regnamespace($1) IS NOT NULL", &[&schema]).await?.try_get(0)?;
    if !exists {
        client.batch_execute(&format!("CREATE SCHEMA \"{schema}\"")).await?;
    }
    embedded::migrations::runner().run_async(client).await.map_err(Fault::Migration)?;
    Ok(())
}

/// The newest migration that was applied, 0 for none, if it is not newer than we are. Also the first
/// thing that is said to a new server, so this is where what it must be is asked.
async fn version(client: &Client, place: &str) -> Result<i64, Fault> {
    let facts = "SELECT current_setting('server_encoding'), to_regclass('refinery_schema_history') IS NOT NULL";
    let facts = client.query_one(facts, &[]).await?;
    if facts.try_get::<_, &str>(0)? != "UTF8" {
        return Err(StoreError::Unusable {
            place: place.to_owned(),
            problem: "is a database that cannot hold every text",
            remedy: "create one with ENCODING 'UTF8'",
            source: None,
        }
        .into());
    }
    if !facts.try_get::<_, bool>(1)? {
        return Ok(0);
    }
    let newest = "SELECT coalesce(max(version), 0)::bigint FROM refinery_schema_history";
    let found = client.query_one(newest, &[]).await?.try_get(0)?;
    let known = known();
    if found > known {
        return Err(StoreError::NewerSchema { place: place.to_owned(), found, known }.into());
    }
    Ok(found)
}

/// Both names are quoted by the server itself.
pub(super) async fn rename(client: &mut Client, from: String, to: String) -> Result<bool, Fault> {
    let words =
        "SELECT format('ALTER SCHEMA %I RENAME TO %I', $1::text, $2::text) FROM pg_namespace WHERE nspname = $1";
    let Some(row) = client.query_opt(words, &[&from, &to]).await? else { return Ok(false) };
    client.batch_execute(row.try_get(0)?).await?;
    Ok(true)
}

/// The newest migration of this program.
pub(super) fn known() -> i64 {
    let runner = embedded::migrations::runner();
    runner.get_migrations().iter().map(|migration| i64::from(migration.version())).max().unwrap_or(0)
}

fn older(place: String, found: i64) -> StoreError {
    let (problem, remedy) = if found == 0 {
        ("does not hold pregao's tables", "open it for writing once, which creates them, or correct the schema's name")
    } else {
        ("was written by an older pregao", "open it for writing once with this version, which upgrades it")
    };
    StoreError::Unusable { place, problem, remedy, source: None }
}

//! The way to the server: connections, and calls that end in time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::mpsc;
use std::time::Duration;

use bb8::{ManageConnection, Pool, PooledConnection, RunError};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{AbortHandle, JoinHandle};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row, Statement};

use super::fault::{self, Fault};
use super::{Access, Connections, PostgresSettings};
use crate::error::StoreError;

/// Longest that bringing a schema up to date may take: a migration may rewrite a table.
pub(super) const MIGRATION_LIMIT: Duration = Duration::from_secs(600);

const DEFAULT_PORT: u16 = 5432;

/// When to ask whether the other side is still there: a firewall that forgot an idle connection is
/// noticed before the next order is, not by it.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Any parameter of a statement.
pub(super) type Parameter<'a> = &'a (dyn ToSql + Sync);

/// What a call does with its session.
pub(super) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'a>>;

/// A database, reached through a pool of connections on a runtime of its own.
pub(super) struct Server {
    place: String,
    limit: Duration,
    pool: Pool<Connector>,
    /// Only ever `None` while it is dropped.
    runtime: Option<Runtime>,
}

/// Makes connections. Not `bb8-postgres`: our connections also carry their settings and prepared
/// statements, and know when they must not be used again.
pub(super) struct Connector {
    config: Config,
    timeout: Duration,
    /// What a new connection is told first.
    greeting: String,
}

/// A connection.
pub(super) struct Session {
    pub(super) client: Client,
    statements: HashMap<&'static str, Statement>,
    /// Carries the bytes.
    driver: JoinHandle<()>,
    /// Whether its last work came to its end. One that was left in the middle, by a limit or an
    /// error, may be inside a transaction: it is closed, and the server rolls back.
    whole: bool,
}

impl Server {
    /// Nothing is connected yet.
    pub(super) fn new(settings: &PostgresSettings, access: Access) -> Result<Self, StoreError> {
        let place = place_of(settings);
        let config =
            config_of(settings).map_err(|(problem, remedy)| fault::unusable(place.clone(), problem, remedy))?;
        let failed = |error: std::io::Error| StoreError::Failed {
            place: place.clone(),
            doing: "start the threads that talk to it",
            source: error.into(),
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("postgres")
            .enable_all()
            .build()
            .map_err(failed)?;
        let connector = Connector { config, timeout: settings.connect_timeout, greeting: greeting(settings, access) };
        // The pool may start tasks of its own. It keeps its connections: an order should not wait for a
        // new one because the last has been idle, or is old.
        let inside = runtime.enter();
        let pool = Pool::builder()
            .max_size(settings.pool_size.max(1))
            .connection_timeout(settings.connect_timeout)
            .idle_timeout(None)
            .max_lifetime(None)
            .retry_connection(false)
            .test_on_check_out(false)
            .build_unchecked(connector);
        drop(inside);
        Ok(Self { place, limit: settings.call_limit(), pool, runtime: Some(runtime) })
    }

    /// How many are open now.
    pub(super) fn connections(&self) -> Connections {
        let state = self.pool.state();
        Connections { used: state.connections.saturating_sub(state.idle_connections), idle: state.idle_connections }
    }

    /// For people, without the password.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Something that a person has to change.
    pub(super) fn unusable(&self, problem: &'static str, remedy: &'static str) -> StoreError {
        fault::unusable(self.place.clone(), problem, remedy)
    }

    /// Does something with a session and waits for it, but no longer than the limit of a call.
    pub(super) fn call<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl for<'a> FnOnce(&'a mut Session) -> Work<'a, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let pool = self.pool.clone();
        let run = async move {
            let mut session = session(&pool).await?;
            session.whole = false;
            let result = work(&mut session).await;
            session.whole = match &result {
                Ok(_) => true,
                // One of our own rules said no, perhaps inside a transaction.
                Err(Fault::Store(_)) => session.client.batch_execute("ROLLBACK").await.is_ok(),
                Err(_) => false,
            };
            result
        };
        self.wait(self.limit, run).map_err(|fault| fault.at(&self.place, doing))
    }

    /// Does something with a connection of its own, without the limit of a statement; closed after.
    pub(super) fn apart<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl for<'a> FnOnce(&'a mut Client) -> Work<'a, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let pool = self.pool.clone();
        let run = async move {
            let mut session = pool.dedicated_connection().await?;
            session.client.batch_execute("SET statement_timeout = 0").await?;
            work(&mut session.client).await
        };
        self.wait(MIGRATION_LIMIT, run).map_err(|fault| fault.at(&self.place, doing))
    }

    /// Starts something on a connection of its own and does not wait for it: `told` hears how it ended. The
    /// connection is closed after, so what was not committed is rolled back. The handle ends it early.
    pub(super) fn beside(
        &self,
        work: impl for<'a> FnOnce(&'a mut Session) -> Work<'a, ()> + Send + 'static,
        told: impl FnOnce(Result<(), Fault>) + Send + 'static,
    ) -> Option<AbortHandle> {
        let pool = self.pool.clone();
        let run = async move {
            let mut session = pool.dedicated_connection().await?;
            // Whatever ends this in the middle cuts the connection.
            session.whole = false;
            work(&mut session).await?;
            session.whole = true;
            Ok(())
        };
        let Some(runtime) = &self.runtime else {
            told(Err(Fault::NoAnswer));
            return None;
        };
        Some(runtime.spawn(async move { told(run.await) }).abort_handle())
    }

    fn wait<T: Send + 'static>(
        &self,
        limit: Duration,
        run: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Fault> {
        let Some(runtime) = &self.runtime else { return Err(Fault::NoAnswer) };
        let (answer, answered) = mpsc::sync_channel(1);
        let task = runtime.spawn(async move {
            // Nobody may be waiting any more.
            let _ = answer.send(run.await);
        });
        answered.recv_timeout(limit).unwrap_or_else(|_| {
            task.abort();
            Err(Fault::NoAnswer)
        })
    }
}

/// A runtime may not be dropped inside another one, unless it does not wait.
impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A connection that is open as far as this side knows. The pool would wait out its time while the
/// server refuses, and not say why: so a missing one is made here, where the error is seen.
async fn session(pool: &Pool<Connector>) -> Result<PooledConnection<'static, Connector>, Fault> {
    loop {
        let state = pool.state();
        if state.idle_connections == 0 && state.connections < pool.config().max_size {
            // If others were quicker and the pool is full by now, this one is closed again.
            let _ = pool.add(pool.dedicated_connection().await?);
        }
        let session = pool.get_owned().await.map_err(|error| match error {
            RunError::User(fault) => fault,
            RunError::TimedOut => Fault::AllBusy,
        })?;
        // A server that was stopped has closed them all: each is thrown away here, once.
        if !session.client.is_closed() {
            return Ok(session);
        }
    }
}

impl ManageConnection for Connector {
    type Connection = Session;
    type Error = Fault;

    async fn connect(&self) -> Result<Session, Fault> {
        let connect = async {
            let (client, connection) = self.config.connect(NoTls).await?;
            let driver = tokio::spawn(async move {
                // Its error also reaches whoever waits for an answer, and is told there.
                let _ = connection.await;
            });
            let session = Session { client, statements: HashMap::new(), driver, whole: true };
            session.client.batch_execute(&self.greeting).await?;
            Ok(session)
        };
        tokio::time::timeout(self.timeout, connect).await.unwrap_or(Err(Fault::NoConnection))
    }

    async fn is_valid(&self, session: &mut Session) -> Result<(), Fault> {
        Ok(session.client.batch_execute("").await?)
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        !session.whole || session.client.is_closed()
    }
}

impl Session {
    /// The statement, prepared once for each connection.
    pub(super) async fn prepared(&mut self, sql: &'static str) -> Result<Statement, Fault> {
        match self.statements.entry(sql) {
            Entry::Occupied(known) => Ok(known.get().clone()),
            Entry::Vacant(free) => Ok(free.insert(self.client.prepare(sql).await?).clone()),
        }
    }

    /// The rows of a statement.
    pub(super) async fn rows(&mut self, sql: &'static str, with: &[Parameter<'_>]) -> Result<Vec<Row>, Fault> {
        let statement = self.prepared(sql).await?;
        Ok(self.client.query(&statement, with).await?)
    }

    /// How many rows a statement changed.
    pub(super) async fn change(&mut self, sql: &'static str, with: &[Parameter<'_>]) -> Result<u64, Fault> {
        let statement = self.prepared(sql).await?;
        Ok(self.client.execute(&statement, with).await?)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The driver of a connection that was left in the middle would wait for answers that nobody
        // wants, for ever if the server is stopped. Cut, it is over for both sides.
        if !self.whole {
            self.driver.abort();
        }
    }
}

/// Said once on every connection, so that neither the role nor the database can say otherwise.
fn greeting(settings: &PostgresSettings, access: Access) -> String {
    let limit = settings.statement_timeout.as_millis();
    let mut greeting = format!(
        "SET search_path = \"{schema}\"; SET synchronous_commit = on; SET statement_timeout = {limit}; \
         SET idle_in_transaction_session_timeout = {limit}; ",
        schema = settings.schema,
    );
    // A writer leaves this as the server has it: what an administrator made read-only stays so.
    if access == Access::Read {
        greeting.push_str("SET default_transaction_read_only = on; ");
    }
    greeting
}

/// The settings as the driver wants them, or what is wrong with them.
fn config_of(settings: &PostgresSettings) -> Result<Config, (&'static str, &'static str)> {
    let example = "write it like postgres://user@host:5432/database, with special characters percent-encoded";
    let no_tls = (
        "the URL asks for TLS, which this program does not speak yet",
        "connect through a Unix socket, the loopback interface or a tunnel, without sslmode=require",
    );
    // The driver knows no such word, and would only say that it cannot read the URL.
    if settings.url.contains("sslmode=verify") {
        return Err(no_tls);
    }
    let mut config =
        Config::from_str(&settings.url).map_err(|_| ("the URL of the database cannot be read", example))?;
    // An unencoded @ or / in a password ends up here.
    let strange = |host: &Host| matches!(host, Host::Tcp(name) if name.contains(['@', ':', '/', '?']));
    if config.get_hosts().is_empty() || config.get_hosts().iter().any(strange) {
        return Err(("the URL of the database names no host that could be one", example));
    }
    if config.get_ssl_mode() == SslMode::Require {
        return Err(no_tls);
    }
    let schema = &settings.schema;
    let small = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    // 63 bytes are what Postgres keeps of a name.
    let named = (1..=63).contains(&schema.len()) && schema.chars().all(small) && !schema.starts_with("pg_");
    if !named || schema.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(("the schema's name cannot be one", "use small letters, digits and underscores, such as pregao"));
    }
    if let Some(password) = &settings.password {
        config.password(password);
    }
    config.ssl_mode(SslMode::Disable).keepalives_idle(KEEPALIVE);
    config.connect_timeout(settings.connect_timeout).application_name("pregao");
    Ok(config)
}

/// Server, database and schema, for people; never the password.
pub(super) fn place_of(settings: &PostgresSettings) -> String {
    let Ok(config) = config_of(settings) else { return "Postgres".to_owned() };
    let ports = config.get_ports();
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(place, host)| match host {
            Host::Tcp(name) => {
                let port = ports.get(place).or(ports.first()).copied().unwrap_or(DEFAULT_PORT);
                format!("{name}:{port}")
            }
            Host::Unix(directory) => directory.display().to_string(),
        })
        .collect();
    let database = config.get_dbname().or(config.get_user()).unwrap_or("of this user");
    format!("Postgres at {}, database {database}, schema {}", hosts.join(","), settings.schema)
}

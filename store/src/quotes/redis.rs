//! Hot quotes on a Redis server, for other programs: dashboards, notebooks, a second process.
//!
//! | what | where |
//! |---|---|
//! | newest quote of a symbol | hash `pregao:quote:PETR4`: `at`, `last`, `bid`, `ask`, `bid_size`, `ask_size`, `source`, `delay`, `sequence`; gone when its time is over |
//! | every quote that was published | channel `pregao:quotes`: the same as one JSON object, with `symbol` |
//! | who publishes | text `pregao:quotes:writer`, gone a few seconds after the last sign of life |
//!
//! A batch is one transaction in one round trip: a hash is never there without the time at which it vanishes, and
//! never half. The key is deleted first, which also heals one that somebody has put something else into. The
//! writer's key is read and renewed with each batch; where it is missing the server has lost what it was told.
//!
//! | file | what |
//! |---|---|
//! | `settings.rs` | the URL, and what is wrong with it |
//! | `wire.rs` | a quote as a hash and as JSON |
//! | `fault.rs` | what can go wrong, for people |
//!
//! The trait is synchronous and the client is not: the store has a runtime of its own, as that of Postgres, and
//! no call takes longer than its limit. A connection that did not answer is closed and not used again.

mod fault;
pub mod settings;
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use deadpool_redis::redis::{AsyncConnectionConfig, Pipeline, Value, cmd, from_redis_value, pipe};
use deadpool_redis::{Connection, Manager, Pool, Runtime as PoolRuntime};
use market::Symbol;
use tokio::runtime::{Builder, Runtime};

use super::{Fresh, HotQuote, HotQuotes, Kept};
use crate::error::StoreError;
use fault::Fault;

pub use settings::RedisSettings;

/// What a symbol's key begins with.
pub const KEY_PREFIX: &str = "pregao:quote:";
/// Where quotes are told as they are published.
pub const CHANNEL: &str = "pregao:quotes";
/// Who publishes.
pub const WRITER_KEY: &str = "pregao:quotes:writer";

/// Written and taken away by [`RedisQuotes::check`].
pub const CHECK_KEY: &str = "pregao:quotes:check";

/// Longest that one call takes, with a new connection if it needs one. A batch takes milliseconds; whoever waits
/// longer waits for a server that stands still.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// A call that its own limit did not end is given up so much later.
const MARGIN: Duration = Duration::from_millis(500);
/// How long the writer's key outlives the last batch.
const WRITER_TIME_TO_LIVE: Duration = Duration::from_secs(10);
/// Connections at most: one that publishes, and a few that read.
const POOL_SIZE: usize = 4;

/// Hot quotes on a server.
pub struct RedisQuotes {
    place: String,
    writer: String,
    limit: Duration,
    pool: Pool,
    /// The connection that publishes; none before the first batch and after a failure.
    publishing: Mutex<Option<Connection>>,
    /// Only ever `None` while it is dropped.
    runtime: Option<Runtime>,
}

impl fmt::Debug for RedisQuotes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisQuotes").field("place", &self.place).finish_non_exhaustive()
    }
}

impl RedisQuotes {
    /// Nothing is connected yet: a server that is away is no reason not to start.
    ///
    /// # Errors
    /// The settings cannot be used, or the system gives no thread.
    pub fn open(settings: &RedisSettings) -> Result<Self, StoreError> {
        let place = settings.place();
        let failed = |source| StoreError::Failed { place: place.clone(), doing: "set up the client", source };
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("redis").enable_all().build();
        let runtime = runtime.map_err(|error| failed(error.into()))?;
        // The limit of a call ends all of this; the client's own would otherwise be shorter.
        let limits = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(settings.answer_limit))
            .set_response_timeout(Some(settings.answer_limit));
        let manager = Manager::new_with_config(settings.connection()?, limits).map_err(|error| failed(error.into()))?;
        let pool = Pool::builder(manager).max_size(POOL_SIZE).runtime(PoolRuntime::Tokio1).build();
        let pool = pool.map_err(|error| failed(error.into()))?;
        let (writer, limit) = (settings.writer.clone(), settings.answer_limit);
        Ok(Self { place, writer, limit, pool, publishing: Mutex::default(), runtime: Some(runtime) })
    }

    /// For people, without the password.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Whether the server answers and takes writes. It touches no quote and is no sign of life of a writer.
    ///
    /// # Errors
    /// It does not answer, does not know us, or takes no writes.
    pub fn check(&self) -> Result<(), StoreError> {
        let pool = self.pool.clone();
        self.call("write to it", async move {
            let mut connection = greeted(&pool).await?;
            let mut all = pipe();
            // Gone by itself where taking it away fails.
            all.pset_ex(CHECK_KEY, "written", milliseconds(WRITER_TIME_TO_LIVE)).ignore();
            all.del(CHECK_KEY).ignore();
            let done = all.exec_async(&mut connection).await;
            done.map_err(|error| {
                drop(Connection::take(connection));
                error.into()
            })
        })
    }

    /// The whole batch. The client's own transactions are not used: of one that is refused from its first word
    /// they lose count, and panic (redis 1.8.1).
    fn transaction(&self, batch: &[Fresh], now: Instant) -> Pipeline {
        let mut all = pipe();
        all.cmd("MULTI").ignore();
        all.get(WRITER_KEY).ignore();
        all.pset_ex(WRITER_KEY, &self.writer, milliseconds(WRITER_TIME_TO_LIVE)).ignore();
        for Fresh { quote, until } in batch {
            let left = until.saturating_duration_since(now);
            if left.is_zero() {
                continue;
            }
            let key = key(quote.symbol);
            all.del(&key).ignore();
            all.cmd("HSET").arg(&key).arg(&wire::fields(quote)).ignore();
            // At least one: zero would delete it, and be told all the same.
            all.cmd("PEXPIRE").arg(&key).arg(milliseconds(left).max(1)).ignore();
            all.publish(CHANNEL, wire::message(quote)).ignore();
        }
        all.cmd("EXEC");
        all
    }

    /// Runs something on the runtime and waits for it, no longer than the limit.
    fn call<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Some(runtime) = &self.runtime else { return Err(Fault::NoAnswer.at(&self.place, doing)) };
        let (answer, answered) = mpsc::sync_channel(1);
        let limit = self.limit;
        let task = runtime.spawn(async move {
            let done = tokio::time::timeout(limit, work).await.unwrap_or(Err(Fault::NoAnswer));
            // Nobody may be waiting any more.
            let _ = answer.send(done);
        });
        let done = answered.recv_timeout(limit + MARGIN).unwrap_or_else(|_| {
            task.abort();
            Err(Fault::NoAnswer)
        });
        done.map_err(|fault| fault.at(&self.place, doing))
    }
}

impl HotQuotes for RedisQuotes {
    fn publish(&self, batch: &[Fresh], now: Instant) -> Result<Kept, StoreError> {
        let publishing = || self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let (held, pool, all) = (publishing().take(), self.pool.clone(), self.transaction(batch, now));
        let (before, connection) = self.call("publish quotes", async move {
            let mut connection = match held {
                Some(connection) => connection,
                None => greeted(&pool).await?,
            };
            let answers = all.query_async::<(Vec<Value>,)>(&mut connection).await.map_err(Fault::from);
            match answers.and_then(|(answers,)| who_published(answers)) {
                Ok(before) => Ok((before, connection)),
                Err(fault) => {
                    // Out of the pool: what it would answer next may belong to this batch.
                    drop(Connection::take(connection));
                    Err(fault)
                }
            }
        })?;
        *publishing() = Some(connection);
        Ok(match before {
            Some(before) if before == self.writer => Kept::AsBefore,
            Some(_) => Kept::WithAnother,
            None => Kept::Nothing,
        })
    }

    fn newest(&self, symbol: Symbol, _now: Instant) -> Result<Option<HotQuote>, StoreError> {
        let (pool, key) = (self.pool.clone(), key(symbol));
        let asked = key.clone();
        let found: BTreeMap<String, String> = self.call("read a quote", async move {
            let mut connection = pool.get().await?;
            let asking = cmd("HGETALL").arg(&asked).query_async(&mut connection).await;
            asking.map_err(|error| {
                drop(Connection::take(connection));
                error.into()
            })
        })?;
        let quote = wire::quote(symbol, &found);
        quote.map_err(|problem| fault::damaged(format!("{}, key {key}", self.place), problem))
    }
}

/// A runtime may not be dropped inside another one, unless it does not wait.
impl Drop for RedisQuotes {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A new connection that was answered once: of a stranger's first batch a server only closes the connection, and
/// does not say that it asks for a password.
async fn greeted(pool: &Pool) -> Result<Connection, Fault> {
    let mut connection = pool.get().await?;
    match cmd("PING").exec_async(&mut connection).await {
        Ok(()) => Ok(connection),
        Err(error) => {
            drop(Connection::take(connection));
            Err(error.into())
        }
    }
}

/// The first answer of a transaction, unless one of them is a refusal.
fn who_published(answers: Vec<Value>) -> Result<Option<String>, Fault> {
    let mut before = None;
    for (place, answer) in answers.into_iter().enumerate() {
        match answer {
            Value::ServerError(error) => return Err(Fault::Redis(error.into())),
            answer if place == 0 => before = from_redis_value(answer).map_err(|error| Fault::Redis(error.into()))?,
            _ => {}
        }
    }
    Ok(before)
}

fn key(symbol: Symbol) -> String {
    format!("{KEY_PREFIX}{symbol}")
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;

//! Ledger and history on a Postgres server, one schema of one database: for whoever wants the journal on
//! another machine than the daemon, a second daemon ready to take over, or history that others read too.
//!
//! | file | what |
//! |---|---|
//! | `server.rs` | the runtime, the pool, and how a call waits no longer than its limit |
//! | `schema.rs` | migrations, from the repository's `migrations/` |
//! | `history.rs` | bars, daily records and what belongs to them; imports have a connection of their own |
//! | `journal.rs`, `halt.rs`, `audit.rs`, `users.rs`, `config_versions.rs`, `meta.rs`, `lease.rs` | the traits |
//! | `fault.rs` | what can go wrong, for people |
//!
//! The traits are synchronous and Postgres is not: the store has a runtime of its own, so it may be
//! called from any thread, also from a task of another runtime. A call takes a connection for as
//! long as it lasts; after a restart of the server the next call makes a new one.
//!
//! Durable means on the disk of this server, and of its synchronous standbys if it has any. Whoever
//! promotes an asynchronous standby may lose the last entries, as with any backup.
//!
//! Not here yet: TLS. Connect through a Unix socket, the loopback interface or a tunnel; a URL with
//! `sslmode=require` is refused rather than not obeyed.

mod audit;
mod config_versions;
mod fault;
mod halt;
mod history;
mod journal;
mod lease;
mod meta;
mod schema;
mod server;
mod users;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::audit::Audit;
use crate::config_versions::ConfigVersions;
use crate::error::StoreError;
use crate::halt::HaltStore;
use crate::journal::{AccountTag, Journal};
use crate::lease::Lease;
use crate::ledger::Ledger;
use crate::meta::MetaStore;
use crate::users::Users;
use server::Server;

pub use audit::PostgresAudit;
pub use config_versions::PostgresConfigVersions;
pub use halt::PostgresHalt;
pub use history::PostgresHistory;
pub use journal::PostgresJournal;
pub use lease::PostgresLease;
pub use meta::PostgresMeta;
pub use users::PostgresUsers;

/// Where the tables are, unless the settings say otherwise.
pub const SCHEMA: &str = "pregao";

/// Connections of one store. Journal, halt state, named values and lease each wait for one answer at
/// a time, so a fifth would never be used; a server's usual limit is 100.
pub const POOL_SIZE: u32 = 4;

/// Longest that the server may work on one statement. A batch takes milliseconds; whoever waits
/// longer waits for a lock or for a disk that does not answer.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest wait for a connection, from the first byte to the first query.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a lease lasts. Longer than one renewal can take at worst ([`PostgresSettings::call_limit`],
/// 9 s), and as short as that allows, because a successor of a crashed daemon waits for it.
pub const LEASE_TERM: Duration = Duration::from_secs(15);

/// How to reach the database.
#[derive(Clone)]
pub struct PostgresSettings {
    /// `postgres://user@host:port/database`, or `host=… user=… dbname=…`; a host that begins with `/`
    /// is the directory of a Unix socket.
    pub url: String,
    /// The password, where it is not part of the URL.
    pub password: Option<String>,
    /// The schema that holds the tables: small letters, digits and underscores.
    pub schema: String,
    /// Connections at most.
    pub pool_size: u32,
    /// Longest that the server may work on one statement.
    pub statement_timeout: Duration,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// How long a lease lasts.
    pub lease_term: Duration,
    /// Who takes a lease, for people.
    pub holder: String,
    /// The data directory that takes it ([`crate::EmbeddedStore::identity`]): what it holds already, it may
    /// take again at once. `None`: every taking waits for the one before to run out.
    pub directory: Option<String>,
}

/// A ledger on a Postgres server, open. Clones share its connections and leases.
#[derive(Clone)]
pub struct PostgresStore {
    shared: Arc<Shared>,
}

/// Connections of a store at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Connections {
    /// At work.
    pub used: u32,
    /// Waiting for work.
    pub idle: u32,
}

/// What the handles of one store share.
struct Shared {
    server: Server,
    access: Access,
    /// The epoch of each account's lease taken last, until it is released.
    leases: Mutex<BTreeMap<AccountTag, u64>>,
    lease_term: Duration,
    holder: String,
    directory: Option<String>,
}

/// How a store was opened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

impl PostgresSettings {
    /// The database at this URL with everything else as usual.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            password: None,
            schema: SCHEMA.to_owned(),
            pool_size: POOL_SIZE,
            statement_timeout: STATEMENT_TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            lease_term: LEASE_TERM,
            holder: this_process(),
            directory: None,
        }
    }

    /// Longest that any call takes: a connection, its statements, and a second for the way.
    pub fn call_limit(&self) -> Duration {
        self.connect_timeout + self.statement_timeout + Duration::from_secs(1)
    }
}

/// Without the password, which may also be in the URL.
impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSettings")
            .field("place", &server::place_of(self))
            .field("pool_size", &self.pool_size)
            .field("statement_timeout", &self.statement_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("lease_term", &self.lease_term)
            .field("holder", &self.holder)
            .finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Opens a schema for writing: creates it where it is missing and brings an older one up to date.
    /// Writing to a journal needs its account's lease as well: [`Ledger::lease`].
    ///
    /// # Errors
    /// A server that cannot be reached or takes no writes, a newer schema.
    pub fn open(settings: &PostgresSettings) -> Result<Self, StoreError> {
        Self::opened(settings, Access::Write)
    }

    /// Opens a schema for reading, beside a writer if there is one. Creates nothing.
    ///
    /// # Errors
    /// A server that cannot be reached, another schema than this program's.
    pub fn open_read_only(settings: &PostgresSettings) -> Result<Self, StoreError> {
        Self::opened(settings, Access::Read)
    }

    /// Takes the right to write from everybody who had it: for a schema that was just restored from a backup, which
    /// remembers the holders of its day.
    ///
    /// # Errors
    /// The server does not take it.
    pub fn take_back_leases(&self) -> Result<(), StoreError> {
        lease::take_from_all(&self.shared)
    }

    /// Gives the schema another name, so that another one can take its place; `false` where there is none.
    ///
    /// # Errors
    /// A server that cannot be reached, a name that is taken, or a schema that is not ours to rename.
    pub fn rename_schema(settings: &PostgresSettings, to: &str) -> Result<bool, StoreError> {
        let server = Server::new(settings, Access::Write)?;
        let (from, to) = (settings.schema.clone(), to.to_owned());
        server.apart("give the schema another name", move |client| Box::pin(schema::rename(client, from, to)))
    }

    fn opened(settings: &PostgresSettings, access: Access) -> Result<Self, StoreError> {
        let server = Server::new(settings, access)?;
        schema::prepare(&server, &settings.schema, access)?;
        let leases = Mutex::new(BTreeMap::new());
        let shared = Shared {
            server,
            access,
            leases,
            lease_term: settings.lease_term,
            holder: settings.holder.clone(),
            directory: settings.directory.clone(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// How many connections are open now.
    pub fn connections(&self) -> Connections {
        self.shared.server.connections()
    }

    /// The journal.
    pub fn journal(&self) -> PostgresJournal {
        PostgresJournal::new(Arc::clone(&self.shared))
    }

    /// The halt state.
    pub fn halt(&self) -> PostgresHalt {
        PostgresHalt::new(Arc::clone(&self.shared))
    }

    /// The audit.
    pub fn audit(&self) -> PostgresAudit {
        PostgresAudit::new(Arc::clone(&self.shared))
    }

    /// The users of the admin interface.
    pub fn users(&self) -> PostgresUsers {
        PostgresUsers::new(Arc::clone(&self.shared))
    }

    /// The configurations that were in force.
    pub fn config_versions(&self) -> PostgresConfigVersions {
        PostgresConfigVersions::new(Arc::clone(&self.shared))
    }

    /// The named values.
    pub fn meta(&self) -> PostgresMeta {
        PostgresMeta::new(Arc::clone(&self.shared))
    }

    /// The history.
    pub fn history(&self) -> PostgresHistory {
        PostgresHistory::new(Arc::clone(&self.shared))
    }

    /// Takes the right to write to an account's journal; see [`Ledger::lease`].
    ///
    /// # Errors
    /// [`StoreError::LeaseHeld`] while another process has it, or a failure below.
    pub fn lease(&self, account: AccountTag) -> Result<PostgresLease, StoreError> {
        PostgresLease::take(&self.shared, account)
    }
}

impl Ledger for PostgresStore {
    fn place(&self) -> String {
        self.shared.server.place().to_owned()
    }

    fn lease(&self, account: AccountTag) -> Result<Box<dyn Lease>, StoreError> {
        Ok(Box::new(Self::lease(self, account)?))
    }

    fn holder(&self, account: AccountTag) -> Result<Option<String>, StoreError> {
        lease::holder(&self.shared, account)
    }

    fn journal(&self) -> Result<Box<dyn Journal>, StoreError> {
        Ok(Box::new(Self::journal(self)))
    }

    fn halt(&self) -> Result<Box<dyn HaltStore>, StoreError> {
        Ok(Box::new(Self::halt(self)))
    }

    fn audit(&self) -> Result<Box<dyn Audit>, StoreError> {
        Ok(Box::new(Self::audit(self)))
    }

    fn users(&self) -> Result<Box<dyn Users>, StoreError> {
        Ok(Box::new(Self::users(self)))
    }

    fn config_versions(&self) -> Result<Box<dyn ConfigVersions>, StoreError> {
        Ok(Box::new(Self::config_versions(self)))
    }

    fn meta(&self) -> Result<Box<dyn MetaStore>, StoreError> {
        Ok(Box::new(Self::meta(self)))
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("place", &self.shared.server.place()).finish_non_exhaustive()
    }
}

impl Shared {
    fn leases(&self) -> MutexGuard<'_, BTreeMap<AccountTag, u64>> {
        // No code panics while it holds the lock.
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a write through a store that was opened for reading.
    fn writable(&self) -> Result<(), StoreError> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read => {
                Err(self.server.unusable("is read-only here", "open it for writing; a reader changes nothing"))
            }
        }
    }
}

/// Machine and process. When it took the lease the server knows.
fn this_process() -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| fs::read_to_string("/etc/hostname"));
    let host = host.unwrap_or_else(|_| "unknown host".to_owned());
    format!("{}, process {}", host.trim(), std::process::id())
}

#[cfg(test)]
mod tests;

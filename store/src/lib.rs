//! What is remembered, behind narrow traits: whoever writes to a trait does not know what is below.
//!
//! - [`journal`]: what each account decided and heard, in order, hash-chained: [`Journal`]
//! - [`history`]: daily records, bars, indices, corporate actions, marks of quality, and where each row
//!   came from: [`History`], [`Import`]
//! - [`halt`]: the halt state that outlives the process: [`HaltStore`]
//! - [`lease`]: the right to write, one process an account: [`Lease`]
//! - [`audit`]: who changed or stopped what, hash-chained: [`Audit`]
//! - [`users`]: who may use the admin interface: [`Users`]
//! - [`config_versions`]: the configurations that were in force: [`ConfigVersions`]
//! - [`meta`]: small named values: [`MetaStore`]
//! - [`quotes`]: the newest quotes, in this process and on Redis for others: [`HotQuotes`]
//! - [`ledger`]: all but the history as one thing to open: [`Ledger`]
//! - [`embedded`]: the default implementation, SQLite in one data directory, no server
//! - [`crash`]: named places at which a test may kill the process
//! - [`postgres`]: the same on a server that several machines can reach, one schema
//! - [`digest`]: SHA-256 values, shared by the chain and the imports
//! - `contract` (feature of that name): the tests that every implementation must pass, as functions
//! - `testing` (same feature): a real Postgres or Redis server for a test
//!
//! Nothing here reads a clock: times come in as arguments. Only leases have a clock, the server's.

pub mod audit;
pub mod config_versions;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod crash;
pub mod digest;
pub mod embedded;
pub mod error;
pub mod halt;
pub mod history;
pub mod journal;
pub mod lease;
pub mod ledger;
pub mod meta;
pub mod postgres;
pub mod quotes;
#[cfg(any(test, feature = "contract"))]
pub mod testing;
pub mod users;

pub use audit::{Audit, AuditRecord, AuditRow, LocalFirstAudit, Outcome};
pub use config_versions::{ConfigVersion, ConfigVersions, NewConfigVersion};
pub use digest::Digest;
pub use embedded::EmbeddedStore;
pub use error::StoreError;
pub use halt::{HaltRecord, HaltStore, LocalFirst};
pub use history::{
    ActionFilter, BarCoverage, BarFilter, BarSeries, Coverage, DEFAULT_RETENTION, DailyBarRow, Filter, History,
    HistoryPlace, HistoryStore, HistoryTable, Identity, Import, ImportCounts, ImportRecord, ImportSource,
    InstrumentFacts, IsinSpan, MarkFilter, Marked, QualityRun, Removed, RetentionPolicy, TableSize,
};
pub use journal::{AccountTag, Journal, JournalEntry, MemoryJournal, Snapshot, Verification};
pub use lease::Lease;
pub use ledger::Ledger;
pub use meta::MetaStore;
pub use postgres::{Connections, PostgresSettings, PostgresStore};
pub use quotes::{HotQuote, HotQuotes, InProcessQuotes, RedisQuotes, RedisSettings};
pub use users::{SecretHash, User, Users};

//! Which ledger the configuration names, and the right to write to it.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use actors::lease::SharedLease;
use store::postgres::PostgresSettings;
use store::{
    AccountTag, Audit, EmbeddedStore, HaltStore, Lease, Ledger, LocalFirst, LocalFirstAudit, PostgresStore, StoreError,
};

use crate::config::{Places, StoreConfig, Unusable};
use crate::output::Failure;

/// Opens the ledger for writing. `store` is the data directory, locked.
pub fn open(places: &Places, store: &EmbeddedStore) -> Result<Box<dyn Ledger>, Failure> {
    match &places.store {
        StoreConfig::Embedded => Ok(Box::new(store.clone())),
        StoreConfig::Postgres { .. } => {
            let settings = PostgresSettings { directory: Some(store.identity()?), ..settings(places)? };
            Ok(Box::new(PostgresStore::open(&settings)?))
        }
    }
}

/// Opens the ledger for reading, beside a running daemon.
pub fn open_read_only(places: &Places) -> Result<Box<dyn Ledger>, Failure> {
    match &places.store {
        StoreConfig::Embedded => Ok(Box::new(EmbeddedStore::open_read_only(&places.data_directory)?)),
        StoreConfig::Postgres { .. } => Ok(Box::new(PostgresStore::open_read_only(&settings(places)?)?)),
    }
}

/// The halt state: beside the journal, and in front of a server also in the data directory, so that a
/// halt waits for nobody and holds when the server is what failed.
pub fn halt(places: &Places, store: &EmbeddedStore, ledger: &dyn Ledger) -> Result<Box<dyn HaltStore>, Failure> {
    match &places.store {
        StoreConfig::Embedded => Ok(ledger.halt()?),
        StoreConfig::Postgres { .. } => {
            let local = LocalFirst::new(store.halt()?, ledger.halt()?).map_err(Failure::failed)?;
            Ok(Box::new(local))
        }
    }
}

/// The audit: beside the journal, and in front of a server also in the data directory, so that nobody who
/// stops trading waits for a server to write it down.
pub fn audit(places: &Places, store: &EmbeddedStore, ledger: &dyn Ledger) -> Result<Box<dyn Audit>, Failure> {
    match &places.store {
        StoreConfig::Embedded => Ok(ledger.audit()?),
        StoreConfig::Postgres { .. } => {
            let (local, carried, arrived) = (store.audit()?, store.audit()?, store.meta()?);
            let audit = LocalFirstAudit::new(Box::new(local), Box::new(carried), Box::new(arrived), ledger.audit()?)?;
            Ok(Box::new(audit))
        }
    }
}

/// How to reach the configured server.
pub fn settings(places: &Places) -> Result<PostgresSettings, Failure> {
    let StoreConfig::Postgres { url, password_file, schema, lease_term } = &places.store else {
        return Err(Failure::usage("the configuration names no server"));
    };
    let mut settings = PostgresSettings::new(url);
    settings.schema.clone_from(schema);
    settings.lease_term = *lease_term;
    if let Some(path) = password_file {
        let text = fs::read_to_string(path).map_err(|error| {
            let message = format!("store.password_file: {} cannot be read: {error}", path.display());
            Failure::from(Unusable::of_key("store.password_file", message))
        })?;
        settings.password = text.lines().next().map(str::to_owned);
    }
    Ok(settings)
}

/// The right to write to an account, from its taking to its release.
pub struct Right {
    lease: SharedLease,
    right: actors::Right,
    runs_out: bool,
}

impl Right {
    /// Takes it.
    ///
    /// # Errors
    /// Somebody else has it, or the store does not answer.
    pub fn take(ledger: &dyn Ledger, account: AccountTag) -> Result<Self, StoreError> {
        // The term counts from before it was asked for: the store's begins later.
        let before = Instant::now();
        let lease: Box<dyn Lease> = ledger.lease(account)?;
        let (epoch, term) = (lease.epoch(), lease.term());
        let right = term.map_or_else(actors::Right::unlimited, |term| actors::Right::until(before, term));
        if term.is_some() {
            tracing::info!(%account, epoch, "the account is ours");
        }
        Ok(Self { lease: Arc::new(Mutex::new(lease)), right, runs_out: term.is_some() })
    }

    /// What the gate and the lease's keeper need, where it can run out.
    pub fn for_gate(&self) -> Option<(SharedLease, actors::Right)> {
        self.runs_out.then(|| (Arc::clone(&self.lease), self.right.clone()))
    }

    /// Lets go, so that a successor need not wait.
    pub fn release(&mut self) {
        if let Err(error) = self.lease.lock().unwrap_or_else(PoisonError::into_inner).release() {
            tracing::warn!(%error, "the lease could not be given back; it runs out by itself");
        }
    }
}

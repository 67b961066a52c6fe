//! Which history the configuration names: beside the journal, wherever that is.

use store::{EmbeddedStore, History, HistoryPlace, HistoryStore};

use crate::config::{Places, StoreConfig};
use crate::ledger;
use crate::output::Failure;

/// Opens the history for writing.
pub fn open(places: &Places) -> Result<Box<dyn History>, Failure> {
    let store = match &places.store {
        StoreConfig::Embedded => HistoryStore::open(HistoryPlace::Embedded(&places.data_directory))?,
        StoreConfig::Postgres { .. } => HistoryStore::open(HistoryPlace::Postgres(&ledger::settings(places)?))?,
    };
    Ok(store.history()?)
}

/// Opens the history for reading, beside a running daemon.
pub fn open_read_only(places: &Places) -> Result<Box<dyn History>, Failure> {
    let store = match &places.store {
        StoreConfig::Embedded => HistoryStore::open_read_only(HistoryPlace::Embedded(&places.data_directory))?,
        StoreConfig::Postgres { .. } => {
            HistoryStore::open_read_only(HistoryPlace::Postgres(&ledger::settings(places)?))?
        }
    };
    Ok(store.history()?)
}

/// The history of a daemon that has its data directory open already.
pub fn of_daemon(places: &Places, store: &EmbeddedStore) -> Result<HistoryStore, Failure> {
    Ok(match &places.store {
        StoreConfig::Embedded => HistoryStore::Embedded(store.clone()),
        StoreConfig::Postgres { .. } => HistoryStore::open(HistoryPlace::Postgres(&ledger::settings(places)?))?,
    })
}

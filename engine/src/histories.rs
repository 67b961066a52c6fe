//! Which history the configuration names: beside the journal, wherever that is.

use store::{EmbeddedStore, History};

use crate::config::{Places, StoreConfig};
use crate::output::Failure;

/// Opens the history for writing.
pub fn open(places: &Places) -> Result<Box<dyn History>, Failure> {
    match &places.store {
        StoreConfig::Embedded | StoreConfig::Postgres { .. } => {
            Ok(Box::new(EmbeddedStore::open(&places.data_directory)?.history()?))
        }
    }
}

/// Opens the history for reading, beside a running daemon.
pub fn open_read_only(places: &Places) -> Result<Box<dyn History>, Failure> {
    match &places.store {
        StoreConfig::Embedded | StoreConfig::Postgres { .. } => {
            Ok(Box::new(EmbeddedStore::open_read_only(&places.data_directory)?.history()?))
        }
    }
}

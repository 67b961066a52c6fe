//! Where history is kept, as one thing to open: embedded or Postgres, nobody above has to know which.

use std::path::Path;

use super::History;
use crate::embedded::EmbeddedStore;
use crate::error::StoreError;
use crate::postgres::{Connections, PostgresSettings, PostgresStore};

/// Where to open it.
#[derive(Clone, Copy, Debug)]
pub enum HistoryPlace<'a> {
    /// A data directory.
    Embedded(&'a Path),
    /// A schema on a server.
    Postgres(&'a PostgresSettings),
}

/// An open place. Each handle has a connection of its own, or one of the pool, and can move to its
/// own thread.
#[derive(Clone, Debug)]
pub enum HistoryStore {
    /// A data directory; whoever has it open already wraps it here.
    Embedded(EmbeddedStore),
    /// A schema on a server.
    Postgres(PostgresStore),
}

impl HistoryStore {
    /// Opens it for writing: creates what is missing and brings an older schema up to date. A data
    /// directory takes one writing process, so not beside a daemon on the same one.
    ///
    /// # Errors
    /// As [`EmbeddedStore::open`] and [`PostgresStore::open`].
    pub fn open(place: HistoryPlace<'_>) -> Result<Self, StoreError> {
        Ok(match place {
            HistoryPlace::Embedded(directory) => Self::Embedded(EmbeddedStore::open(directory)?),
            HistoryPlace::Postgres(settings) => Self::Postgres(PostgresStore::open(settings)?),
        })
    }

    /// Opens it for reading, beside a writer if there is one. Creates nothing.
    ///
    /// # Errors
    /// As [`EmbeddedStore::open_read_only`] and [`PostgresStore::open_read_only`].
    pub fn open_read_only(place: HistoryPlace<'_>) -> Result<Self, StoreError> {
        Ok(match place {
            HistoryPlace::Embedded(directory) => Self::Embedded(EmbeddedStore::open_read_only(directory)?),
            HistoryPlace::Postgres(settings) => Self::Postgres(PostgresStore::open_read_only(settings)?),
        })
    }

    /// The history.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn history(&self) -> Result<Box<dyn History>, StoreError> {
        Ok(match self {
            Self::Embedded(store) => Box::new(store.history()?),
            Self::Postgres(store) => Box::new(store.history()),
        })
    }

    /// Connections that it has open, where it needs any.
    pub fn connections(&self) -> Option<Connections> {
        match self {
            Self::Embedded(_) => None,
            Self::Postgres(store) => Some(store.connections()),
        }
    }

    /// Where it is, for people: a directory, or a server and database without its password.
    pub fn place(&self) -> String {
        use crate::ledger::Ledger;
        match self {
            Self::Embedded(store) => Ledger::place(store),
            Self::Postgres(store) => Ledger::place(store),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::history::{december, import, record, stored, symbol};
    use crate::testing::Server;

    #[test]
    fn both_places_open_for_writing_and_for_reading() {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::start();
        let settings = server.as_ref().map(|server| server.settings("pregao"));
        let places = [Some(HistoryPlace::Embedded(directory.path())), settings.as_ref().map(HistoryPlace::Postgres)];
        for place in places.into_iter().flatten() {
            HistoryStore::open_read_only(place).unwrap_err();
            let store = HistoryStore::open(place).unwrap();
            let open = store.connections().map(|open| open.used + open.idle);
            assert_eq!(open.is_some(), matches!(place, HistoryPlace::Postgres(_)));
            assert!(open.is_none_or(|open| (1..=crate::postgres::POOL_SIZE).contains(&open)), "{open:?}");
            import(&mut *store.history().unwrap(), &[record("PETR4", december(28))]).unwrap();
            let reader = HistoryStore::open_read_only(place).unwrap();
            assert_eq!(reader.place(), store.place());
            let mut history = reader.history().unwrap();
            assert_eq!(stored(&*history, symbol("PETR4")).unwrap().len(), 1);
            let refused = import(&mut *history, &[record("PETR4", december(29))]).unwrap_err().to_string();
            assert!(refused.contains("is read-only here"), "{refused}");
        }
    }
}

//! A running import into `history.db`: one transaction, statements prepared once.
//!
//! Memory is bounded by the page cache plus what is needed to tell a repeated line, about 100
//! bytes per listing of the file and 4 to 8 per row.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use rusqlite::{
    Connection, OptionalExtension, Params, Statement, Transaction, TransactionBehavior, params, params_from_iter,
};

use market::{DailyRecord, IndexClose, Symbol};

use super::database::Fault;
use super::row;
use crate::error::StoreError;
use crate::history::{Import, ImportCounts, ImportSource};

/// Symbol, market type, days of a forward's term.
type ListingKey = (Symbol, u16, u16);

/// What this import knows of a listing.
struct Listing {
    id: i64,
    /// Days that this import has brought, in order. Files are mostly, but not surely, sorted.
    seen: Vec<i32>,
    /// How many of them were new.
    inserted: i64,
}

/// What became of one row.
enum Change {
    Inserted,
    Unchanged,
    Updated,
}

pub(super) struct EmbeddedImport<'a> {
    insert: Statement<'a>,
    update: Statement<'a>,
    insert_index_close: Statement<'a>,
    update_index_close: Statement<'a>,
    /// Rolls back when dropped.
    transaction: Transaction<'a>,
    connection: &'a Connection,
    path: &'a Path,
    id: i64,
    listings: HashMap<ListingKey, Listing>,
    sessions: BTreeMap<i32, i64>,
    index_closes: HashSet<(String, i32)>,
    counts: ImportCounts,
    /// Something failed below: SQLite may have rolled back already, and what followed would
    /// otherwise be written on its own.
    failed: bool,
}

impl<'a> EmbeddedImport<'a> {
    pub(super) fn begin(connection: &'a Connection, path: &'a Path, source: &ImportSource) -> Result<Self, Fault> {
        // Unchecked, because the statements borrow the connection too. The caller has it to
        // himself while this lives.
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        transaction.execute(
            "INSERT INTO import (name, kind, size, sha256, at, inserted, unchanged, updated)
             VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, 0)",
            params![
                source.name,
                source.kind,
                i64::try_from(source.size).unwrap_or(i64::MAX),
                source.sha256.as_ref().map(|digest| digest.as_bytes()),
                source.at.as_nanos()
            ],
        )?;
        Ok(Self {
            id: transaction.last_insert_rowid(),
            insert: connection.prepare(&row::insert_sql())?,
            update: connection.prepare(&row::update_sql())?,
            insert_index_close: connection.prepare(
                "INSERT INTO index_close (name, day, import, close) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (name, day) DO NOTHING",
            )?,
            update_index_close: connection.prepare(
                "UPDATE index_close SET import = ?3, close = ?4 WHERE name = ?1 AND day = ?2 AND close <> ?4",
            )?,
            transaction,
            connection,
            path,
            listings: HashMap::new(),
            sessions: BTreeMap::new(),
            index_closes: HashSet::new(),
            counts: ImportCounts::default(),
            failed: false,
        })
    }

    fn take_record(&mut self, record: &DailyRecord) -> Result<(), Fault> {
        let day = row::day_number(record.date).ok_or_else(|| StoreError::NotStorable {
            key: row::key_text(record),
            field: "date",
            value: record.date.to_string(),
        })?;
        // Everything that can refuse the line comes before the first write.
        let fields = row::fields(record)?;
        let key = (record.symbol, record.market_type, record.term_days);
        let listing = match self.listings.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => {
                free.insert(Listing { id: listing_id(&self.transaction, key, day)?, seen: Vec::new(), inserted: 0 })
            }
        };
        let place = match listing.seen.binary_search(&day) {
            Ok(_) => return Err(StoreError::DuplicateKey { key: row::key_text(record) }.into()),
            Err(place) => place,
        };
        let place_in_table = [listing.id.into(), i64::from(day).into(), self.id.into()];
        let row = params_from_iter(place_in_table.iter().chain(&fields));
        let change = put(&mut self.insert, &mut self.update, row)?;
        listing.seen.insert(place, day);
        if matches!(change, Change::Inserted) {
            listing.inserted += 1;
            *self.sessions.entry(day).or_default() += 1;
        }
        self.count(&change);
        Ok(())
    }

    fn take_index_close(&mut self, index: &str, close: &IndexClose) -> Result<(), Fault> {
        let key = || format!("{index} on {}", close.date);
        let day = row::day_number(close.date).ok_or_else(|| StoreError::NotStorable {
            key: key(),
            field: "date",
            value: close.date.to_string(),
        })?;
        if !self.index_closes.insert((index.to_owned(), day)) {
            return Err(StoreError::DuplicateKey { key: key() }.into());
        }
        let (id, steps) = (self.id, close.close.steps());
        let change = put(&mut self.insert_index_close, &mut self.update_index_close, (index, day, id, steps))?;
        self.count(&change);
        Ok(())
    }

    fn count(&mut self, change: &Change) {
        match change {
            Change::Inserted => self.counts.inserted += 1,
            Change::Unchanged => self.counts.unchanged += 1,
            Change::Updated => self.counts.updated += 1,
        }
    }

    /// Runs one step unless an earlier one failed below.
    fn step(&mut self, take: impl FnOnce(&mut Self) -> Result<(), Fault>) -> Result<(), StoreError> {
        self.usable()?;
        let taken = take(self);
        self.failed = matches!(taken, Err(Fault::Sql(_)));
        taken.map_err(|fault| fault.at(self.path, "import a row"))
    }

    fn usable(&self) -> Result<(), StoreError> {
        if !self.failed {
            return Ok(());
        }
        Err(StoreError::Failed {
            place: self.path.display().to_string(),
            doing: "go on with an import that failed",
            source: "an earlier row could not be written, and nothing of this import was kept".into(),
        })
    }
}

impl Import for EmbeddedImport<'_> {
    fn daily(&mut self, record: &DailyRecord) -> Result<(), StoreError> {
        self.step(|import| import.take_record(record))
    }

    fn index_close(&mut self, index: &str, close: &IndexClose) -> Result<(), StoreError> {
        self.step(|import| import.take_index_close(index, close))
    }

    fn commit(self: Box<Self>) -> Result<ImportCounts, StoreError> {
        self.usable()?;
        let Self { transaction, connection, path, id, listings, sessions, counts, .. } = *self;
        finish(transaction, id, &listings, &sessions, counts).map_err(|fault| fault.at(path, "commit an import"))?;
        // Moves the write-ahead log, as large as the import, into the file and empties it. The
        // import is durable without that: a reader in the way only leaves it to the next commit.
        let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        Ok(counts)
    }
}

/// The number of a listing, given now if it has none. Its days are set here and widened at the
/// end: a new listing always gets this day's row.
fn listing_id(transaction: &Transaction<'_>, key: ListingKey, day: i32) -> Result<i64, Fault> {
    let (symbol, market_type, term_days) = key;
    let find = "SELECT id FROM listing WHERE symbol = ?1 AND market_type = ?2 AND term_days = ?3";
    let known = transaction
        .prepare_cached(find)?
        .query_row(params![symbol.as_str(), market_type, term_days], |found| found.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    transaction
        .prepare_cached(
            "INSERT INTO listing (symbol, market_type, term_days, first_day, last_day, sessions)
             VALUES (?1, ?2, ?3, ?4, ?4, 0)",
        )?
        .execute(params![symbol.as_str(), market_type, term_days, day])?;
    Ok(transaction.last_insert_rowid())
}

/// Inserts a row, or updates the one that is there if it differs.
fn put(
    insert: &mut Statement<'_>,
    update: &mut Statement<'_>,
    parameters: impl Params + Clone,
) -> Result<Change, Fault> {
    if insert.execute(parameters.clone())? == 1 {
        return Ok(Change::Inserted);
    }
    Ok(if update.execute(parameters)? == 1 { Change::Updated } else { Change::Unchanged })
}

fn finish(
    transaction: Transaction<'_>,
    id: i64,
    listings: &HashMap<ListingKey, Listing>,
    sessions: &BTreeMap<i32, i64>,
    counts: ImportCounts,
) -> Result<(), Fault> {
    {
        let mut widen = transaction.prepare(
            "UPDATE listing SET first_day = min(first_day, ?2), last_day = max(last_day, ?3), sessions = sessions + ?4
             WHERE id = ?1",
        )?;
        for listing in listings.values().filter(|listing| listing.inserted > 0) {
            widen.execute(params![listing.id, listing.seen.first(), listing.seen.last(), listing.inserted])?;
        }
        let mut add = transaction.prepare(
            "INSERT INTO session (day, records) VALUES (?1, ?2)
             ON CONFLICT (day) DO UPDATE SET records = records + excluded.records",
        )?;
        for (day, records) in sessions {
            add.execute(params![day, records])?;
        }
    }
    let count = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
    transaction.execute(
        "UPDATE import SET inserted = ?2, unchanged = ?3, updated = ?4 WHERE id = ?1",
        params![id, count(counts.inserted), count(counts.unchanged), count(counts.updated)],
    )?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::Days;
    use market::{Date, Quantity};
    use proptest::prelude::*;

    use super::super::database::HISTORY;
    use super::*;
    use crate::EmbeddedStore;
    use crate::contract::history::{december, import, record, source, stored, symbol};
    use crate::history::{Coverage, Filter, History};

    #[test]
    fn a_full_disk_ends_the_import_and_keeps_nothing_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(directory.path()).unwrap();
        let database = store.database(&HISTORY).unwrap();
        let pages: i64 = database.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        let limit = format!("PRAGMA max_page_count = {}", pages + 2);
        database.connection.query_row(&limit, [], |_| Ok(())).unwrap();
        let mut import =
            Box::new(EmbeddedImport::begin(&database.connection, &database.path, &source("BIG.TXT")).unwrap());
        let mut days = (0..2_000).map(|day| record("PETR4", december(1) + Days::new(day)));
        let error = days.find_map(|record| import.daily(&record).err()).unwrap();
        assert!(matches!(error, StoreError::Full { .. }), "{error}");
        // SQLite has rolled back by now: what came next would be kept row by row.
        let error = import.daily(&record("VALE3", december(28))).unwrap_err();
        assert!(error.to_string().contains("an import that failed"), "{error}");
        import.commit().unwrap_err();
        let history = store.history().unwrap();
        assert_eq!(history.coverage(&Filter::default()).unwrap(), []);
        assert_eq!(history.imports().unwrap(), []);
    }

    #[test]
    fn an_import_does_not_hold_up_the_journal_or_a_halt() {
        use crate::contract::{halt::decision, journal::entry};
        use crate::{HaltStore, Journal};
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(directory.path()).unwrap();
        let (mut history, mut journal, mut halt) =
            (store.history().unwrap(), store.journal().unwrap(), store.halt().unwrap());
        let mut import = history.begin_import(&source("COTAHIST_A2017.ZIP")).unwrap();
        import.daily(&record("PETR4", december(28))).unwrap();
        journal.append(&[entry("PAPR".parse().unwrap(), 1)]).unwrap();
        halt.save_halt(&decision("flatten", 1)).unwrap();
        import.commit().unwrap();
    }

    #[test]
    fn a_commit_leaves_no_write_ahead_log_as_large_as_the_import() {
        let directory = tempfile::tempdir().unwrap();
        let mut history = EmbeddedStore::open(directory.path()).unwrap().history().unwrap();
        let log = directory.path().join("history.db-wal");
        import(&mut history, &[record("PETR4", december(28))]).unwrap();
        assert_eq!(std::fs::metadata(log).unwrap().len(), 0);
    }

    #[test]
    fn a_second_import_at_the_same_time_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(directory.path()).unwrap();
        let (mut one, two) = (store.history().unwrap(), store.database(&HISTORY).unwrap());
        let _running = one.begin_import(&source("A.TXT")).unwrap();
        two.connection.busy_timeout(std::time::Duration::ZERO).unwrap();
        let fault = EmbeddedImport::begin(&two.connection, &two.path, &source("B.TXT")).err().unwrap();
        let error = fault.at(&two.path, "begin an import");
        assert!(error.to_string().contains("wait for the running import to end"), "{error}");
    }

    type Key = (Symbol, u16, u16, Date);

    /// One line of a file over few keys, so that they repeat.
    fn line() -> impl Strategy<Value = DailyRecord> {
        (0_usize..3, 0_usize..2, 0_u16..2, 1_u32..5, 0_i64..2).prop_map(|(ticker, market, term_days, day, units)| {
            DailyRecord {
                market_type: [10, 30][market],
                term_days,
                quantity: Quantity::new(units),
                ..record(["PETR4", "VALE3", "ITUB4"][ticker], december(day))
            }
        })
    }

    fn coverage_of(model: &BTreeMap<Key, DailyRecord>) -> Vec<Coverage> {
        let mut lines: Vec<Coverage> = Vec::new();
        for ((symbol, market_type, term_days, date), record) in model {
            match lines.last_mut() {
                Some(line)
                    if (line.symbol, line.market_type, line.term_days) == (*symbol, *market_type, *term_days) =>
                {
                    (line.last, line.sessions) = (*date, line.sessions + 1);
                }
                _ => lines.push(Coverage {
                    symbol: *symbol,
                    market_type: *market_type,
                    term_days: *term_days,
                    kind: record.kind,
                    first: *date,
                    last: *date,
                    sessions: 1,
                }),
            }
        }
        lines
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Any files in any order, kept or dropped, leave what a map would hold.
        #[test]
        fn imports_behave_like_a_map(
            files in prop::collection::vec((prop::collection::vec(line(), 0..30), any::<bool>()), 1..6),
        ) {
            let directory = tempfile::tempdir().unwrap();
            let store = EmbeddedStore::open(directory.path()).unwrap();
            let mut history = store.history().unwrap();
            let mut model: BTreeMap<Key, DailyRecord> = BTreeMap::new();
            for (lines, kept) in files {
                let mut import = history.begin_import(&source("FILE.TXT")).unwrap();
                let mut file: BTreeMap<Key, DailyRecord> = BTreeMap::new();
                for line in lines {
                    let key = (line.symbol, line.market_type, line.term_days, line.date);
                    let taken = import.daily(&line);
                    prop_assert_eq!(taken.is_err(), file.contains_key(&key));
                    file.entry(key).or_insert(line);
                }
                if !kept {
                    continue;
                }
                let mut expected = ImportCounts::default();
                for (key, line) in file {
                    match model.insert(key, line) {
                        None => expected.inserted += 1,
                        Some(before) if before == line => expected.unchanged += 1,
                        Some(_) => expected.updated += 1,
                    }
                }
                prop_assert_eq!(import.commit().unwrap(), expected);
            }
            for ticker in ["PETR4", "VALE3", "ITUB4"] {
                let own: Vec<_> = model.values().filter(|line| line.symbol == symbol(ticker)).copied().collect();
                prop_assert_eq!(stored(&history, symbol(ticker)).unwrap(), own);
            }
            prop_assert_eq!(history.coverage(&Filter::default()).unwrap(), coverage_of(&model));
            let mut days: Vec<Date> = model.keys().map(|key| key.3).collect();
            days.sort_unstable();
            days.dedup();
            prop_assert_eq!(history.sessions(Date::MIN, Date::MAX).unwrap(), days);
            store.check().unwrap();
        }
    }
}

//! Imports that run out of disk, meet each other, or bring any lines in any order.

use std::collections::BTreeMap;

use chrono::Days;
use market::{Date, Quantity, Symbol};
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
    let mut import = Box::new(EmbeddedImport::begin(&database.connection, &database.path, &source("BIG.TXT")).unwrap());
    let mut days = (0..2_000).map(|day| record("PETR4", december(1) + Days::new(day)));
    days.try_for_each(|record| import.daily(&record)).unwrap();
    // They wait together; a larger import would have written them by itself.
    let error = import.step(|import| import.daily.flush(import.id, &mut import.counts)).unwrap_err();
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
            Some(line) if (line.symbol, line.market_type, line.term_days) == (*symbol, *market_type, *term_days) => {
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

//! The directory as a whole: contracts, opening, locking, refusing.

#[cfg(target_os = "linux")]
mod disks;

use std::error::Error;
use std::path::Path;

use rusqlite::Connection;

use super::*;
use crate::contract::halt::decision;
use crate::contract::history::{december, import, record, symbol};
use crate::contract::journal::{entry, stored};
use crate::contract::{self, Make};
use crate::history::Filter;
use crate::{Audit, ConfigVersions, HaltStore, History, Journal, MetaStore, Users};

/// A new directory for each contract; each `make` opens it anew.
fn fresh<T: ?Sized + 'static>(open: fn(&EmbeddedStore) -> Box<T>) -> impl Fn() -> Box<Make<T>> {
    move || {
        let directory = tempfile::tempdir().unwrap();
        Box::new(move || open(&EmbeddedStore::open(directory.path()).unwrap()))
    }
}

#[test]
fn keeps_the_journal_contract() {
    contract::check(contract::journal::ALL, fresh::<dyn Journal>(|store| Box::new(store.journal().unwrap())));
}

#[test]
fn keeps_the_history_contract() {
    contract::check(contract::history::ALL, fresh::<dyn History>(|store| Box::new(store.history().unwrap())));
}

#[test]
fn keeps_the_halt_contract() {
    contract::check(contract::halt::ALL, fresh::<dyn HaltStore>(|store| Box::new(store.halt().unwrap())));
}

#[test]
fn keeps_the_meta_contract() {
    contract::check(contract::meta::ALL, fresh::<dyn MetaStore>(|store| Box::new(store.meta().unwrap())));
}

#[test]
fn keeps_the_contracts_of_audit_users_and_configurations() {
    contract::check(contract::audit::ALL, fresh::<dyn Audit>(|store| Box::new(store.audit().unwrap())));
    contract::check(contract::users::ALL, fresh::<dyn Users>(|store| Box::new(store.users().unwrap())));
    let versions = fresh::<dyn ConfigVersions>(|store| Box::new(store.config_versions().unwrap()));
    contract::check(contract::config_versions::ALL, versions);
}

#[test]
fn users_and_versions_are_kept_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    store.users().unwrap().create(&contract::users::user("maria")).unwrap();
    let mut versions = store.config_versions().unwrap();
    versions.append(0, &contract::config_versions::version(1)).unwrap();
    let other = Connection::open(directory.path().join("pregao.db")).unwrap();
    for (change, refusal) in [
        ("DELETE FROM users", "never deleted"),
        ("UPDATE users SET secret_hash = 'hunter2'", "CHECK constraint failed"),
        ("UPDATE config_version SET author = 'zeca'", "never changed"),
        ("DELETE FROM config_version", "never deleted"),
        ("INSERT OR REPLACE INTO config_version VALUES (1, 1, '', '', '', '', zeroblob(32))", "at the end"),
    ] {
        let error = other.execute(change, []).unwrap_err().to_string();
        assert!(error.contains(refusal), "{change}: {error}");
    }
    other.execute_batch("DROP TRIGGER config_version_is_not_changed; UPDATE config_version SET document = ''").unwrap();
    let error = versions.current().unwrap_err().to_string();
    assert!(error.contains("version 1 of the configuration is not what was written"), "{error}");
}

fn sql(directory: &Path, file: &str, statements: &str) {
    Connection::open(directory.join(file)).unwrap().execute_batch(statements).unwrap();
}

/// What opening says, and that opening for reading says no less.
#[track_caller]
fn refused(directory: &Path) -> String {
    let error = EmbeddedStore::open(directory).unwrap_err();
    EmbeddedStore::open_read_only(directory).unwrap_err();
    error.to_string()
}

#[test]
fn creates_what_is_missing_and_opens_it_again() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("a/b");
    EmbeddedStore::open(&directory).unwrap();
    let store = EmbeddedStore::open(&directory).unwrap();
    store.check().unwrap();
    assert_eq!(store.directory(), directory);
}

#[test]
fn a_file_in_the_way_is_named() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("data");
    fs::write(&file, "x").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = refused(&path);
        assert!(error.contains(&path.display().to_string()) && error.contains("is not a directory"), "{error}");
    }
}

#[test]
fn reading_needs_a_store_and_creates_none() {
    let directory = tempfile::tempdir().unwrap();
    let error = EmbeddedStore::open_read_only(directory.path()).unwrap_err().to_string();
    assert!(error.contains("does not exist; import some history or start pregao here first"), "{error}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_newer_schema_is_refused() {
    for (file, known) in [("pregao.db", 4), ("history.db", 2)] {
        let directory = tempfile::tempdir().unwrap();
        EmbeddedStore::open(directory.path()).unwrap();
        sql(directory.path(), file, "PRAGMA user_version = 99");
        let error = refused(directory.path());
        let expected = format!("this store was written by a newer pregao: schema 99 > {known}; upgrade pregao");
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pregao.db");

    fs::write(&file, "Dear diary, today I bought PETR4. ".repeat(100)).unwrap();
    let before = fs::read(&file).unwrap();
    let error = refused(directory.path());
    assert!(error.contains("is not a database, or its beginning is damaged; move it away"), "{error}");
    assert_eq!(fs::read(&file).unwrap(), before);

    fs::remove_file(&file).unwrap();
    sql(directory.path(), "pregao.db", "CREATE TABLE diary (line TEXT)");
    let before = fs::read(&file).unwrap();
    let error = refused(directory.path());
    assert!(error.contains("is a database, but not pregao's; it belongs to another program"), "{error}");
    assert_eq!(fs::read(&file).unwrap(), before);

    // An empty file is what a crash right after creation leaves.
    fs::write(&file, "").unwrap();
    EmbeddedStore::open(directory.path()).unwrap();
}

#[test]
fn damaged_pages_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    let days: Vec<_> =
        (1..=31).flat_map(|day| ["PETR4", "VALE3", "ITUB4"].map(|it| record(it, december(day)))).collect();
    import(&mut store.history().unwrap(), &days).unwrap();
    store.check().unwrap();
    drop(store);
    let file = directory.path().join("history.db");
    let mut bytes = fs::read(&file).unwrap();
    let start = "PETROBRASPN      N2".as_bytes();
    let place = bytes.windows(start.len()).position(|window| window == start).unwrap();
    let page = place / 8192 * 8192;
    bytes[page..page + 100].fill(0xA5);
    fs::write(&file, bytes).unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    let error = store.check().unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    let error = store.history().unwrap().coverage(&Filter::default()).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("restore a backup") && error.source().is_some(), "{error}");
}

#[test]
fn one_writer_at_a_time_and_readers_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    let mut journal = store.journal().unwrap();
    let locked = || {
        let error = EmbeddedStore::open(directory.path()).unwrap_err();
        assert!(matches!(error, StoreError::Locked { .. }), "{error}");
        error.to_string()
    };
    let error = locked();
    assert!(error.contains(&format!("is in use by process {}; stop that process", std::process::id())), "{error}");

    // A handle keeps the directory as long as it can write.
    drop(store);
    locked();

    let paper = "PAPR".parse().unwrap();
    journal.append(&[entry(paper, 1)]).unwrap();
    let reader = EmbeddedStore::open_read_only(directory.path()).unwrap().journal().unwrap();
    journal.append(&[entry(paper, 2)]).unwrap();
    assert_eq!(stored(&reader, paper, 1).unwrap().len(), 2);

    drop(journal);
    EmbeddedStore::open(directory.path()).unwrap();
}

/// The lock of the directory is the lease: there is nothing to renew, and a reader has none.
#[test]
fn the_right_to_write_is_the_directorys_lock() {
    let directory = tempfile::tempdir().unwrap();
    let account = "PAPR".parse().unwrap();
    let ledger: Box<dyn Ledger> = Box::new(EmbeddedStore::open(directory.path()).unwrap());
    assert_eq!(ledger.place(), directory.path().display().to_string());
    let mut lease = ledger.lease(account).unwrap();
    assert_eq!((lease.epoch(), lease.term()), (0, None));
    lease.renew().unwrap();
    ledger.journal().unwrap().append(&[entry(account, 1)]).unwrap();
    ledger.halt().unwrap().save_halt(&decision("active", 1)).unwrap();
    ledger.meta().unwrap().set_meta("colour", "verde").unwrap();

    let reader = EmbeddedStore::open_read_only(directory.path()).unwrap();
    let error = reader.lease(account).err().unwrap().to_string();
    assert!(error.contains("is open for reading only; open it for writing to trade"), "{error}");

    // It outlives the ledger value, and lets go when it is told to.
    drop(ledger);
    EmbeddedStore::open(directory.path()).unwrap_err();
    lease.release().unwrap();
    EmbeddedStore::open(directory.path()).unwrap();
}

#[test]
fn a_reader_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    EmbeddedStore::open(directory.path()).unwrap();
    let store = EmbeddedStore::open_read_only(directory.path()).unwrap();
    let mut history = store.history().unwrap();
    let refusals = [
        store.journal().unwrap().append(&[entry("PAPR".parse().unwrap(), 1)]).unwrap_err(),
        store.halt().unwrap().save_halt(&decision("active", 1)).unwrap_err(),
        store.meta().unwrap().set_meta("colour", "verde").unwrap_err(),
        store.audit().unwrap().append(&contract::audit::act(1)).unwrap_err(),
        store.users().unwrap().create(&contract::users::user("maria")).unwrap_err(),
        store.config_versions().unwrap().append(0, &contract::config_versions::version(1)).unwrap_err(),
        import(&mut history, &[record("PETR4", december(28))]).unwrap_err(),
    ];
    for error in refusals {
        assert!(error.to_string().contains("is read-only here; open it for writing"), "{error}");
    }
    assert_eq!(history.daily(symbol("PETR4"), december(1), december(31)).unwrap(), []);
}

/// Root may write anywhere, so there these permissions say nothing: skipped, visibly.
#[cfg(unix)]
#[test]
fn a_directory_without_permission_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let permit = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    permit(parent.path(), 0o555);
    if fs::create_dir(&directory).is_ok() {
        println!("SKIPPED: permissions do not bind this user (root?)");
        return;
    }
    let error = EmbeddedStore::open(&directory).unwrap_err().to_string();
    assert!(error.contains("permission denied; let this user read and write the data directory"), "{error}");

    permit(parent.path(), 0o755);
    EmbeddedStore::open(&directory).unwrap();
    permit(&directory, 0o555);
    for file in fs::read_dir(&directory).unwrap() {
        permit(&file.unwrap().path(), 0o444);
    }
    let error = EmbeddedStore::open(&directory).unwrap_err().to_string();
    assert!(error.contains("permission denied; let this user"), "{error}");
    let error = EmbeddedStore::open_read_only(&directory).unwrap_err().to_string();
    assert!(error.contains("its directory must be writable, which SQLite needs even to read"), "{error}");
    permit(&directory, 0o755);
    EmbeddedStore::open_read_only(&directory).unwrap();
}

/// A file of before there were sources, with a row of everything it could hold.
#[test]
fn a_history_of_schema_1_is_brought_up_to_date() {
    use crate::history::{BarFilter, COTAHIST, INDEX_CSV, Identity};
    let directory = tempfile::tempdir().unwrap();
    sql(directory.path(), "history.db", "PRAGMA page_size = 8192");
    sql(directory.path(), "history.db", include_str!("schema/history_1.sql"));
    sql(
        directory.path(),
        "history.db",
        "PRAGMA application_id = 0x50524548; PRAGMA user_version = 1;
         INSERT INTO import VALUES (1, 'COTAHIST_A2017.ZIP', 'cotahist', 9, NULL, 5, 2, 1, 0);
         INSERT INTO import VALUES (2, 'IBOV.csv', 'index', 9, zeroblob(32), 6, 1, 0, 0);
         INSERT INTO listing VALUES (1, 'PETR4', 10, 0, 20171227, 20171228, 2);
         INSERT INTO listing VALUES (2, 'PETRA170', 70, 0, 20171228, 20171228, 1);
         INSERT INTO daily_record
         SELECT listing, day, 1, 2, 'share', isin, 'PETROBRAS', 'PN', 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, NULL, 1, 0, 1
         FROM (SELECT 1 AS listing, 20171227 AS day, 'BRPETRACNPR6' AS isin
               UNION ALL SELECT 1, 20171228, 'BRPETRACNPR6' UNION ALL SELECT 2, 20171228, 'BRPETRACNPR6');
         INSERT INTO session VALUES (20171227, 1), (20171228, 2);
         INSERT INTO index_close VALUES ('IBOV', 20171228, 2, 7640200000000);",
    );
    EmbeddedStore::open_read_only(directory.path()).unwrap_err();
    let mut history = EmbeddedStore::open(directory.path()).unwrap().history().unwrap();
    let imports = history.imports().unwrap();
    assert_eq!(imports.iter().map(|import| import.source.source).collect::<Vec<_>>(), [COTAHIST, INDEX_CSV]);
    assert_eq!((imports[0].counts.rows(), imports[1].source.size), (3, 9));
    assert_eq!(history.index_closes("IBOV", december(1), december(31)).unwrap().len(), 1);
    assert_eq!(history.coverage(&Filter::default()).unwrap().len(), 2);
    let [span] = history.isin_history(Identity::Isin("BRPETRACNPR6".parse().unwrap())).unwrap()[..] else {
        panic!("one span, of the cash market")
    };
    assert_eq!((span.symbol, span.first, span.last), (symbol("PETR4"), december(27), december(28)));
    assert_eq!(history.bar_coverage(&BarFilter::default()).unwrap(), []);
    assert_eq!(import(&mut history, &[record("PETR4", december(28))]).unwrap().updated, 1);
}

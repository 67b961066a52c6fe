//! What a killed process leaves: everything it was told is durable, nothing half-done.
//!
//! The test runs itself as a child that aborts in the middle, without unwinding and without
//! closing anything.

#![expect(clippy::unwrap_used, reason = "helpers of a test")]

use std::path::Path;
use std::process::{Command, Stdio};

use market::{Date, IndexClose, Price, Timestamp};
use store::history::INDEX_CSV;
use store::{EmbeddedStore, History, ImportSource, Journal, JournalEntry, Verification};

const DIRECTORY: &str = "STORE_CRASH_TEST_DIRECTORY";

fn entry(sequence: u64) -> JournalEntry {
    JournalEntry {
        account: "PAPR".parse().unwrap(),
        sequence,
        at: Timestamp::from_nanos(0),
        kind: "order_intent".into(),
        payload: "{}".to_owned(),
    }
}

fn close(day: u32) -> IndexClose {
    IndexClose { date: Date::from_ymd_opt(2017, 12, day).unwrap(), close: Price::from_steps(1) }
}

fn source() -> ImportSource {
    let (name, kind, at) = ("IBOV.csv".into(), "index".into(), Timestamp::from_nanos(0));
    ImportSource { name, kind, source: INDEX_CSV, size: 1, sha256: None, at }
}

/// Writes, and dies with an import open.
fn child(directory: &Path) -> ! {
    let store = EmbeddedStore::open(directory).unwrap();
    let mut history = store.history().unwrap();
    let mut done = history.begin_import(&source()).unwrap();
    done.index_close("IBOV", &close(27)).unwrap();
    done.commit().unwrap();
    let mut journal = store.journal().unwrap();
    journal.append(&[entry(1), entry(2)]).unwrap();
    let mut half = history.begin_import(&source()).unwrap();
    half.index_close("IBOV", &close(28)).unwrap();
    journal.append(&[entry(3)]).unwrap();
    std::process::abort();
}

#[test]
fn an_aborted_process_loses_nothing_acknowledged_and_leaves_nothing_half_done() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        child(Path::new(&directory));
    }
    let directory = tempfile::tempdir().unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "an_aborted_process_loses_nothing_acknowledged_and_leaves_nothing_half_done"])
        .env(DIRECTORY, directory.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!status.success(), "the child should have aborted");

    // The system has let go of the lock, and opening is all the recovery there is.
    let store = EmbeddedStore::open(directory.path()).unwrap();
    store.check().unwrap();
    let account = "PAPR".parse().unwrap();
    assert_eq!(store.journal().unwrap().verify(account).unwrap(), Verification::Intact { entries: 3 });
    let history = store.history().unwrap();
    assert_eq!(history.index_closes("IBOV", Date::MIN, Date::MAX).unwrap(), [close(27)]);
    assert_eq!(history.imports().unwrap().len(), 1);
}

//! What a [`Journal`] owes.

use market::Timestamp;

use super::{Contract, Make, refused};
use crate::error::StoreError;
use crate::journal::{AccountTag, Journal, JournalEntry, KEPT_SNAPSHOTS, Snapshot, Verification};

/// Every contract of a journal.
pub const ALL: &[Contract<dyn Journal>] = &[
    ("an empty journal answers", an_empty_journal_answers),
    ("entries survive a restart, in order and byte for byte", entries_survive_a_restart),
    ("sequences start at 1 and have no gap", sequences_have_no_gap),
    ("the same entries sent again change nothing", a_resend_changes_nothing),
    ("other content under a stored sequence is refused", other_content_is_refused),
    ("a refused batch leaves nothing", a_refused_batch_leaves_nothing),
    ("accounts do not touch each other", accounts_are_apart),
    ("reading starts where it is told to", reading_starts_anywhere),
    ("an error of the visitor ends the reading", the_visitor_can_stop),
    ("the newest snapshot at or before an entry is found, also after a restart", the_newest_snapshot_is_found),
    ("the latest snapshots of each account are kept", the_latest_snapshots_are_kept),
    ("a snapshot of an entry that is not stored is refused", a_snapshot_needs_its_entry),
];

const PAPER: AccountTag = tag(*b"PAPR");
const OTHER: AccountTag = tag(*b"REAL");

const fn tag(bytes: [u8; 4]) -> AccountTag {
    match AccountTag::from_bytes(bytes) {
        Some(tag) => tag,
        None => panic!("four capitals or digits"),
    }
}

/// An entry whose content follows from its sequence.
pub fn entry(account: AccountTag, sequence: u64) -> JournalEntry {
    JournalEntry {
        account,
        sequence,
        at: Timestamp::from_nanos(1_514_487_600_000_000_000).plus_nanos(i64::try_from(sequence).unwrap_or_default()),
        kind: "order_intent".into(),
        payload: format!(r#"{{"order":"{account}-20171228-{sequence:06}","symbol":"PETR4"}}"#),
    }
}

/// A snapshot whose content follows from its sequence.
pub fn snapshot(account: AccountTag, sequence: u64) -> Snapshot {
    let JournalEntry { at, .. } = entry(account, sequence);
    Snapshot { account, sequence, at, payload: format!(r#"{{ "account": "{account}", "entries":{sequence}}}"#) }
}

fn entries(account: AccountTag, sequences: std::ops::RangeInclusive<u64>) -> Vec<JournalEntry> {
    sequences.map(|sequence| entry(account, sequence)).collect()
}

/// Everything stored of an account from a sequence on.
///
/// # Errors
/// What the journal says.
pub fn stored(journal: &dyn Journal, account: AccountTag, from: u64) -> Result<Vec<JournalEntry>, StoreError> {
    let mut found = Vec::new();
    journal.read(account, from, &mut |entry| {
        found.push(entry);
        Ok(())
    })?;
    Ok(found)
}

fn an_empty_journal_answers(make: &Make<dyn Journal>) -> Result<(), StoreError> {
    let mut journal = make();
    journal.append(&[])?;
    assert_eq!(journal.last_sequence(PAPER)?, 0);
    assert_eq!(stored(&*journal, PAPER, 1)?, []);
    assert_eq!(journal.accounts()?, []);
    assert_eq!(journal.verify(PAPER)?, Verification::Intact { entries: 0 });
    Ok(())
}

fn entries_survive_a_restart(make: &Make<dyn Journal>) -> Result<(), StoreError> {
    let mut given = entries(PAPER, 1..=4);
    given[1].payload = String::new();
    given[2].payload = format!(r#"{{"text":"Pregão \"à vista\" 'x' -- ; \u0000 😀 {}"}}"#, "n".repeat(100_000));
    given[3].kind = "kind with spaces, é and ''".into();
    given[3].at = Timestamp::MIN;
    let mut journal = make();
    journal.append(&given[..1])?;
    journal.append(&given[1..])?;
    drop(journal);
    let journal = make();
    assert_eq!(stored(&*journal, PAPER, 1)?, given);
    assert_eq!(journal.last_sequence(PAPER)?, 4);
    assert_eq!(journal.verify(PAPER)?, Verification::Intact { entries: 4 });
    Ok(())
}

fn sequences_have_no_gap(make: &Make<dyn Journal>) -> Result<(), StoreError> {
    let mut journal = make();
    for (first, due) in [(0, 1), (2, 1), (u64::MAX, 1)] {
        assert_gap(refused(journal.append(&[entry(PAPER, first)])), due, first);
    }
    journal.append(&entries(PAPER, 1..=3))?;
    for given in [0, 5, u64::MAX] {
        assert_gap(refused(journal.append(&[entry(PAPER, given)])), 4, given);
    }
    assert_eq!(journal.last_sequence(PAPER)?, 3);
    Ok(())
}

#[track_caller]
fn assert_gap(error: StoreError, due: u64, came: u64) {
    match error {
        StoreError::JournalGap { account: PAPER, expected, given } => assert_eq!((expected, given), (due, came)),
        other => panic!("expected a gap: {other}"),
    }
}

fn a_resend_changes_nothing(make: &Make<dyn Journal>) -> Result<(), StoreError> {
    let mut journal = make();
    journal.append(&entries(PAPER, 1..=3))?;
    journal.append(&entries(PAPER, 1..=3))?;
    journal.append(&entries(PAPER, 2..=5))?;
    // Also within one batch.
    journal.append(&[entry(PAPER, 6), entry(PAPER, 6), entry(PAPER, 2)])?;
    assert_eq!(stored(&*journal, PAPER, 1)?, entries(PAPER, 1..=6));
    assert_eq!(journal.verify(PAPER)?, Verification::Intact { entries: 6 });
    Ok(())
}

fn other_content_is_refused(make: &Make<dyn Journal>) -> Result<(), StoreError> {
    let mut journal = make();
    journal.append(&entries(PAPER, 1..=3))?;
    let changed: [fn(&mut JournalEntry); 3] = [
        |entry| entry.at = entry.at.plus_nanos(1),
        |entry| entry.kind = "cancel_intent".into(),
        |entry| entry.payload.push(' '),
    ];
    for change in changed {
        let mut other = entry(PAPER, 2);
        change(&mut other);
        let error = refused(journal.append(&[other]));
        assert!(matches!(error, StoreError::JournalConflict { account: PAPER, sequence: 2 }), "{error}");
    }
    assert_eq!(stored(&*journal, PAPER, 1)?, entries(PAPER, 1..=3));
    Ok(())
}

fn a_refused_batch_leaves_nothing(make: &Make<dyn Journal>) -> Result<(), StoreError> {
    let mut journal = make();
    journal.append(&entries(PAPER, 1..=2))?;
    let mut other = entry(PAPER, 1);
    other.payload.clear();
    for last in [entry(PAPER, 9), other, entry(OTHER, 3)] {
        refused(journal.append(&[entry(PAPER, 3), entry(OTHER, 1), entry(PAPER, 4), last]));
        assert_eq!(journal.last_sequence(PAPER)?, 2);
        assert_eq!(journal.accounts()?, [PAPER]);
    }
    // And the journal goes on.
    journal.append(&entries(PAPER, 3..=4))?;
    assert_eq!(journal.verify(PAPER)?, Verification::Intact { entries: 4 });
    Ok(())
}

fn accounts_are_apart(make: &Make<dyn Journal>) -> Result<(), StoreError> {
    let mut journal = make();
    journal.append(&[entry(OTHER, 1), entry(PAPER, 1), entry(OTHER, 2), entry(OTHER, 3), entry(PAPER, 2)])?;
    assert_eq!(journal.accounts()?, [PAPER, OTHER]);
    for (account, count) in [(PAPER, 2), (OTHER, 3)] {
        assert_eq!(stored(&*journal, account, 1)?, entries(account, 1..=count));
        assert_eq!(journal.last_sequence(account)?, count);
        assert_eq!(journal.verify(account)?, Verification::Intact { entries: count });
    }
    Ok(())
}

fn reading_starts_anywhere(make: &Make<dyn Journal>) -> Result<(), StoreError> {
    let mut journal = make();
    journal.append(&entries(PAPER, 1..=5))?;
    for (from, expected) in [(0, 1..=5), (1, 1..=5), (4, 4..=5), (5, 5..=5)] {
        assert_eq!(stored(&*journal, PAPER, from)?, entries(PAPER, expected));
    }
    for past in [6, 100, u64::MAX] {
        assert_eq!(stored(&*journal, PAPER, past)?, []);
    }
    Ok(())
}

fn the_visitor_can_stop(make: &Make<dyn Journal>) -> Result<(), StoreError> {
    let mut journal = make();
    journal.append(&entries(PAPER, 1..=5))?;
    let mut seen = 0;
    let error = refused(journal.read(PAPER, 1, &mut |entry| {
        seen = entry.sequence;
        if seen < 3 { Ok(()) } else { Err(StoreError::JournalConflict { account: PAPER, sequence: 77 }) }
    }));
    assert_eq!(seen, 3);
    assert!(matches!(error, StoreError::JournalConflict { sequence: 77, .. }), "{error}");
    Ok(())
}

fn the_newest_snapshot_is_found(make: &Make<dyn Journal>) -> Result<(), StoreError> {
    let mut journal = make();
    journal.append(&entries(PAPER, 1..=9))?;
    assert_eq!(journal.latest_snapshot(PAPER, u64::MAX)?, None);
    // Saved late or twice, as after an answer that was lost.
    for sequence in [6, 3, 6, 8] {
        journal.save_snapshot(&snapshot(PAPER, sequence))?;
    }
    drop(journal);
    let journal = make();
    for (at_most, found) in [(2, None), (3, Some(3)), (5, Some(3)), (6, Some(6)), (8, Some(8)), (u64::MAX, Some(8))] {
        assert_eq!(journal.latest_snapshot(PAPER, at_most)?, found.map(|sequence| snapshot(PAPER, sequence)));
    }
    assert_eq!(journal.latest_snapshot(OTHER, u64::MAX)?, None);
    Ok(())
}

fn the_latest_snapshots_are_kept(make: &Make<dyn Journal>) -> Result<(), StoreError> {
    let mut journal = make();
    journal.append(&entries(OTHER, 1..=1))?;
    journal.save_snapshot(&snapshot(OTHER, 1))?;
    let last = KEPT_SNAPSHOTS as u64 + 2;
    journal.append(&entries(PAPER, 1..=last))?;
    for sequence in 1..=last {
        journal.save_snapshot(&snapshot(PAPER, sequence))?;
    }
    assert_eq!(journal.latest_snapshot(PAPER, 3)?, Some(snapshot(PAPER, 3)));
    assert_eq!(journal.latest_snapshot(PAPER, 2)?, None);
    assert_eq!(journal.latest_snapshot(OTHER, u64::MAX)?, Some(snapshot(OTHER, 1)));
    Ok(())
}

fn a_snapshot_needs_its_entry(make: &Make<dyn Journal>) -> Result<(), StoreError> {
    let mut journal = make();
    journal.append(&entries(PAPER, 1..=2))?;
    for missing in [0, 3, u64::MAX] {
        let error = refused(journal.save_snapshot(&snapshot(PAPER, missing)));
        match error {
            StoreError::SnapshotWithoutEntry { account: PAPER, sequence } => assert_eq!(sequence, missing),
            other => panic!("expected a missing entry: {other}"),
        }
    }
    assert_eq!(journal.latest_snapshot(PAPER, u64::MAX)?, None);
    Ok(())
}

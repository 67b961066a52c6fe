//! What an [`Audit`] owes.

use market::Timestamp;

use super::{Contract, Make, refused};
use crate::audit::{Audit, AuditRecord, AuditRow, LONGEST_PAGE, LONGEST_REASON, Outcome};
use crate::error::StoreError;
use crate::journal::Verification;

/// Every contract of an audit.
pub const ALL: &[Contract<dyn Audit>] = &[
    ("an empty audit answers", an_empty_audit_answers),
    ("acts survive a restart, in order and byte for byte", acts_survive_a_restart),
    ("the same act again changes nothing", an_act_is_stored_once),
    ("pages begin where they are told to, and are bounded", pages_are_bounded),
    ("what one store could not take, none takes", what_cannot_be_stored_is_refused),
];

/// An act whose content follows from its number.
pub fn act(number: u64) -> AuditRecord {
    let seconds = i64::try_from(number).unwrap_or_default();
    AuditRecord {
        at: Timestamp::from_nanos(1_514_487_600_000_000_000 + seconds * 1_000_000_000),
        who: "maria".to_owned(),
        role: "operator".to_owned(),
        origin: "cli".to_owned(),
        action: "configuration.apply".to_owned(),
        target: format!("version {number}"),
        reason: "drawdown of 3 % — \"too much\"".to_owned(),
        before: Some(r#"{"max_order_quantity":"1000"}"#.to_owned()),
        after: Some(format!(r#"{{ "max_order_quantity":"{number}" }}"#)),
        outcome: Outcome::Done,
    }
}

fn acts(rows: &[AuditRow]) -> Vec<(u64, AuditRecord)> {
    rows.iter().map(|row| (row.number, row.record.clone())).collect()
}

fn an_empty_audit_answers(make: &Make<dyn Audit>) -> Result<(), StoreError> {
    let audit = make();
    assert_eq!(audit.last()?, None);
    for after in [0, 1, u64::MAX] {
        assert_eq!(audit.page(after, 10)?, []);
    }
    assert_eq!(audit.verify()?, Verification::Intact { entries: 0 });
    Ok(())
}

fn acts_survive_a_restart(make: &Make<dyn Audit>) -> Result<(), StoreError> {
    let mut given = [act(1), act(2), act(3), act(4)];
    (given[1].before, given[1].after) = (None, Some(String::new()));
    (given[1].role, given[1].outcome) = (String::new(), Outcome::Denied);
    given[2].reason = "Pregão \"à vista\" 'x' -- ; \u{1} 😀 $1 ?1".to_owned();
    given[2].before = Some("n".repeat(100_000));
    (given[3].at, given[3].outcome) = (Timestamp::MIN, Outcome::Failed);
    let mut audit = make();
    let mut numbers = Vec::new();
    for act in &given[..3] {
        numbers.push(audit.append(act)?);
    }
    drop(audit);
    let mut audit = make();
    numbers.push(audit.append(&given[3])?);
    assert_eq!(numbers, [1, 2, 3, 4]);
    drop(audit);
    let audit = make();
    let stored = audit.page(0, 10)?;
    assert_eq!(acts(&stored), (1..).zip(given).collect::<Vec<_>>());
    assert_eq!(audit.last()?.as_ref(), stored.last());
    assert_eq!(audit.verify()?, Verification::Intact { entries: 4 });
    Ok(())
}

fn an_act_is_stored_once(make: &Make<dyn Audit>) -> Result<(), StoreError> {
    let mut audit = make();
    assert_eq!((audit.append(&act(1))?, audit.append(&act(2))?), (1, 2));
    assert_eq!((audit.append(&act(1))?, audit.append(&act(2))?), (1, 2));
    drop(audit);
    let mut audit = make();
    assert_eq!(audit.append(&act(1))?, 1);
    // A nanosecond later it is another one.
    let later = AuditRecord { at: act(1).at.plus_nanos(1), ..act(1) };
    assert_eq!(audit.append(&later)?, 3);
    assert_eq!(acts(&audit.page(0, 10)?), [(1, act(1)), (2, act(2)), (3, later)]);
    assert_eq!(audit.verify()?, Verification::Intact { entries: 3 });
    Ok(())
}

fn pages_are_bounded(make: &Make<dyn Audit>) -> Result<(), StoreError> {
    let mut audit = make();
    let count = LONGEST_PAGE as u64 + 3;
    for number in 1..=count {
        audit.append(&act(number))?;
    }
    let numbers = |after, limit| -> Result<Vec<u64>, StoreError> {
        Ok(audit.page(after, limit)?.iter().map(|row| row.number).collect())
    };
    assert_eq!(numbers(0, 2)?, [1, 2]);
    assert_eq!(numbers(2, 3)?, [3, 4, 5]);
    assert_eq!(numbers(2, 0)?, [0_u64; 0]);
    assert_eq!(numbers(0, usize::MAX)?, (1..=count - 3).collect::<Vec<_>>());
    assert_eq!(numbers(count - 1, 10)?, [count]);
    assert_eq!(audit.last()?.map(|row| row.number), Some(count));
    assert_eq!(audit.verify()?, Verification::Intact { entries: count });
    Ok(())
}

fn what_cannot_be_stored_is_refused(make: &Make<dyn Audit>) -> Result<(), StoreError> {
    let mut audit = make();
    let nul = AuditRecord { who: "ma\0ria".to_owned(), ..act(1) };
    let nul_inside = AuditRecord { after: Some("{\0}".to_owned()), ..act(1) };
    let long = AuditRecord { reason: "x".repeat(LONGEST_REASON + 1), ..act(1) };
    for (record, field) in [(nul, "who"), (nul_inside, "after"), (long, "reason")] {
        let error = refused(audit.append(&record)).to_string();
        assert!(error.contains(&format!("{field} of an audit row of configuration.apply cannot be stored")), "{error}");
    }
    assert_eq!(audit.append(&AuditRecord { reason: "x".repeat(LONGEST_REASON), ..act(1) })?, 1);
    Ok(())
}

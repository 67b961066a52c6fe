//! What [`ConfigVersions`] owe.

use market::Timestamp;

use super::{Contract, Make, refused};
use crate::config_versions::{ConfigVersion, ConfigVersions, NewConfigVersion};
use crate::digest::Digest;
use crate::error::StoreError;

/// Every contract of configurations.
pub const ALL: &[Contract<dyn ConfigVersions>] = &[
    ("versions are numbered from 1 and survive, byte for byte", versions_survive),
    ("a change for another version is refused with both numbers", another_version_is_refused),
    ("a change whose answer was lost is recognised", a_resend_changes_nothing),
    ("a list begins before a number, the newest first", lists_are_bounded),
    ("a text that one store could not take, none takes", what_cannot_be_stored_is_refused),
];

/// A version whose content follows from its number.
pub fn version(number: u64) -> NewConfigVersion {
    NewConfigVersion {
        at: Timestamp::from_nanos(1_514_487_600_000_000_000 + i64::try_from(number).unwrap_or_default()),
        author: "maria".to_owned(),
        second: number.is_multiple_of(2).then(|| "joão".to_owned()),
        reason: "more room — \"for WIN\"".to_owned(),
        document: format!("# Pregão\n[risk]\nmax_order_quantity = {number}\n"),
    }
}

fn stored(number: u64) -> ConfigVersion {
    let NewConfigVersion { at, author, second, reason, document } = version(number);
    let digest = Digest::of(&[document.as_bytes()]);
    ConfigVersion { number, at, author, second, reason, document, digest }
}

fn versions_survive(make: &Make<dyn ConfigVersions>) -> Result<(), StoreError> {
    let mut versions = make();
    assert_eq!((versions.current()?, versions.get(1)?), (None, None));
    for number in 1..=3 {
        assert_eq!(versions.append(number - 1, &version(number))?, stored(number));
    }
    drop(versions);
    let versions = make();
    assert_eq!(versions.current()?, Some(stored(3)));
    assert_eq!(versions.get(2)?, Some(stored(2)));
    for unknown in [0, 4, u64::MAX] {
        assert_eq!(versions.get(unknown)?, None);
    }
    Ok(())
}

fn another_version_is_refused(make: &Make<dyn ConfigVersions>) -> Result<(), StoreError> {
    let mut versions = make();
    for (given, is) in [(1, 0), (u64::MAX, 0)] {
        assert_conflict(refused(versions.append(given, &version(1))), given, is);
    }
    versions.append(0, &version(1))?;
    versions.append(1, &version(2))?;
    for given in [0, 1, 3, u64::MAX] {
        assert_conflict(refused(versions.append(given, &version(9))), given, 2);
    }
    assert_eq!(versions.list(u64::MAX, 9)?, [stored(2), stored(1)]);
    Ok(())
}

#[track_caller]
fn assert_conflict(error: StoreError, given: u64, is: u64) {
    match error {
        StoreError::VersionConflict { expected, current } => assert_eq!((expected, current), (given, is)),
        other => panic!("expected a conflict: {other}"),
    }
}

fn a_resend_changes_nothing(make: &Make<dyn ConfigVersions>) -> Result<(), StoreError> {
    let mut versions = make();
    versions.append(0, &version(1))?;
    versions.append(1, &version(2))?;
    assert_eq!(versions.append(1, &version(2))?, stored(2));
    // Only the newest can be one whose answer was lost, and only if it is the same.
    assert_conflict(refused(versions.append(0, &version(1))), 0, 2);
    let other = NewConfigVersion { author: "zeca".to_owned(), ..version(2) };
    assert_conflict(refused(versions.append(1, &other)), 1, 2);
    assert_eq!(versions.list(u64::MAX, 9)?.len(), 2);
    Ok(())
}

fn lists_are_bounded(make: &Make<dyn ConfigVersions>) -> Result<(), StoreError> {
    let mut versions = make();
    for number in 1..=5 {
        versions.append(number - 1, &version(number))?;
    }
    let numbers = |before, limit| -> Result<Vec<u64>, StoreError> {
        Ok(versions.list(before, limit)?.iter().map(|version| version.number).collect())
    };
    assert_eq!(numbers(u64::MAX, 2)?, [5, 4]);
    assert_eq!(numbers(4, 2)?, [3, 2]);
    assert_eq!(numbers(4, usize::MAX)?, [3, 2, 1]);
    for before in [0, 1] {
        assert_eq!(numbers(before, 9)?, [0_u64; 0]);
    }
    Ok(())
}

fn what_cannot_be_stored_is_refused(make: &Make<dyn ConfigVersions>) -> Result<(), StoreError> {
    let mut versions = make();
    let nul = NewConfigVersion { document: "a\0b".to_owned(), ..version(1) };
    let error = refused(versions.append(0, &nul)).to_string();
    assert!(error.contains("document of a version of the configuration cannot be stored exactly"), "{error}");
    assert_eq!(versions.current()?, None);
    Ok(())
}

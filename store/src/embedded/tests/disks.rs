//! Bad disks, real ones: small file systems that are mounted for the test, which takes root.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::*;
use crate::Verification;
use crate::testing::{Disk, unprivileged};

#[test]
fn a_full_disk_refuses_the_batch_keeps_what_was_there_and_goes_on_once_there_is_room() {
    let Some(disk) = Disk::mount("1m") else { return };
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![1; 64 * 1024]).unwrap();
    let paper = "PAPR".parse().unwrap();
    let store = EmbeddedStore::open(&disk.path().join("data")).unwrap();
    let mut journal = store.journal().unwrap();
    let mut halt = store.halt().unwrap();
    let mut last = 0;
    let error = loop {
        match journal.append(&[entry(paper, last + 1), entry(paper, last + 2)]) {
            Ok(()) => last += 2,
            Err(error) => break error,
        }
        assert!(last < 10_000, "the disk does not fill");
    };
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert!(error.to_string().contains("pregao.db: the disk is full; free some space"), "{error}");
    assert!(last > 10, "it was full at once");
    // A few decisions are smaller than a batch and may still find room.
    let error = (1..1_000).find_map(|nanos| halt.save_halt(&decision("cancel_all", nanos)).err()).unwrap();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    // Still full, still nothing half-done, and what is there can be read.
    journal.append(&[entry(paper, last + 1), entry(paper, last + 2)]).unwrap_err();
    assert_eq!(journal.verify(paper).unwrap(), Verification::Intact { entries: last });

    fs::remove_file(&ballast).unwrap();
    journal.append(&[entry(paper, last + 1), entry(paper, last + 2)]).unwrap();
    halt.save_halt(&decision("cancel_all", 1)).unwrap();
    drop((journal, halt, store));
    let journal = EmbeddedStore::open(&disk.path().join("data")).unwrap().journal().unwrap();
    assert_eq!(journal.verify(paper).unwrap(), Verification::Intact { entries: last + 2 });
}

#[test]
fn a_disk_that_is_full_at_the_start_is_named() {
    let Some(disk) = Disk::mount("64k") else { return };
    let error = EmbeddedStore::open(&disk.path().join("data")).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error}: {error:?}");
}

#[test]
fn a_read_only_disk_is_named() {
    let Some(disk) = Disk::mount("1m") else { return };
    let paper = "PAPR".parse().unwrap();
    EmbeddedStore::open(&disk.path().join("data")).unwrap().journal().unwrap().append(&[entry(paper, 1)]).unwrap();
    disk.remount("ro");
    let error = EmbeddedStore::open(&disk.path().join("data")).unwrap_err().to_string();
    assert!(
        error.contains("the file system is read-only; give a data directory on one that can be written"),
        "{error}"
    );
    let error = EmbeddedStore::open_read_only(&disk.path().join("data")).unwrap_err().to_string();
    assert!(error.contains("from a read-only disk, copy it to one that can be written"), "{error}");
    disk.remount("rw");
    let journal = EmbeddedStore::open(&disk.path().join("data")).unwrap().journal().unwrap();
    assert_eq!(journal.verify(paper).unwrap(), Verification::Intact { entries: 1 });
}

/// Root may write anywhere: then the test of permissions runs again, as somebody else.
#[test]
fn permissions_are_tried_as_somebody_whom_they_bind() {
    let Some(user) = unprivileged() else { return };
    // Who may not enter a folder above the test's program cannot run it.
    let program = std::env::current_exe().unwrap();
    let closed = |above: &&Path| fs::metadata(above).unwrap().mode() & 0o001 == 0;
    if let Some(above) = program.ancestors().find(closed) {
        println!("SKIPPED: other users may not run what is below {}", above.display());
        return;
    }
    let again = Command::new(&program)
        .args(["--exact", "--nocapture", "embedded::tests::a_directory_without_permission_is_named"])
        .current_dir("/")
        .env_remove("TMPDIR")
        .uid(user.id)
        .gid(user.group)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success() && said.contains("1 passed") && !said.contains("SKIPPED"), "{said}");
}

//! A data directory is made of a backup, halted: its journal may be older than what the broker knows, so a person looks
//! before anything new is sent.
//!
//! Everything is verified and made ready in a folder within the data directory, which is locked all the while. Then the
//! files change places, the ledger last. A halt file lies there meanwhile: a daemon that started on what an interrupted
//! restore left would send nothing. What was there before is kept in a folder of its own.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use market::Timestamp;
use risk::{HaltLevel, HaltScope};
use store::{Audit, EmbeddedStore, HaltRecord, HaltStore, Outcome, Verification};

use super::making::accounts;
use super::{Account, ArchiveError, DUMP, Manifest, SMALL, copy, file, private_directory, refused, server, sync};
use crate::auditor::{Act, Actor, Auditor};
use crate::config::{Places, StoreConfig};
use crate::output::Failure;
use crate::{ledger, stops};

/// The folder that everything is made ready in. What an earlier attempt left in it is removed.
const READY: &str = "restoring";

/// What is to be restored, and by whom.
pub struct Wanted<'a> {
    /// The backup.
    pub from: &'a Path,
    /// Whether a directory that holds something is taken.
    pub replace: bool,
    /// Who, for the record.
    pub by: &'a str,
    /// When.
    pub at: Timestamp,
}

/// What was restored.
pub struct Restored {
    /// What the backup said of itself.
    pub manifest: Manifest,
    /// Journals, verified.
    pub accounts: Vec<Account>,
    /// Where lies what was there before.
    pub before: Option<PathBuf>,
    /// What the schema of before is called now.
    pub schema_before: Option<String>,
}

/// What was made ready.
struct Ready {
    accounts: Vec<Account>,
    schema_before: Option<String>,
}

/// Makes the data directory of a backup.
///
/// # Errors
/// A daemon runs there, the directory holds something, or the backup is not whole. Then nothing has changed. Where a file
/// cannot be put in its place at the end, a halt file says so, and nothing trades there.
pub fn restore(places: &Places, wanted: &Wanted<'_>) -> Result<Restored, Failure> {
    let manifest = Manifest::verified(wanted.from)?;
    let here = &places.data_directory;
    check_kind(places, &manifest, wanted.from)?;
    fs::create_dir_all(here).map_err(file(here, "made"))?;
    let held = store::embedded::hold(here)?;
    let occupied = occupied(here)?;
    if let Some(name) = occupied.as_ref().filter(|_| !wanted.replace) {
        let problem = format!("holds {name}");
        return Err(refused(
            here,
            problem,
            "name an empty one with --data-dir, or give --replace: what is there is kept",
        )
        .into());
    }
    let ready = here.join(READY);
    let prepared = prepare(&ready, places, wanted, &manifest);
    let Ready { accounts, schema_before } = match prepared {
        Ok(ready) => ready,
        Err(failure) => {
            let _ = fs::remove_dir_all(&ready);
            return Err(failure);
        }
    };
    let before = exchange(here, &ready, wanted, occupied.is_some())?;
    drop(held);
    Ok(Restored { manifest, accounts, before, schema_before })
}

/// A ledger goes back to where it was: what is on a server is not in a directory.
fn check_kind(places: &Places, manifest: &Manifest, from: &Path) -> Result<(), ArchiveError> {
    let configured = if places.store == StoreConfig::Embedded { "embedded" } else { "postgres" };
    if manifest.store == configured {
        return match &places.store {
            StoreConfig::Postgres { schema, .. } if manifest.schema.as_ref() != Some(schema) => {
                let of = manifest.schema.as_deref().unwrap_or("unknown");
                let problem = format!("is of the schema '{of}', and store.schema is '{schema}'");
                Err(refused(from, problem, "name the configuration that it was made with (-c FILE)"))
            }
            _ => Ok(()),
        };
    }
    let problem = format!("is of a store of kind \"{}\", and [store] kind is \"{configured}\"", manifest.store);
    Err(refused(from, problem, "name the configuration that it was made with (-c FILE)"))
}

/// Something that lies there and is neither the lock nor what an earlier restore left.
fn occupied(here: &Path) -> Result<Option<String>, ArchiveError> {
    for entry in fs::read_dir(here).map_err(file(here, "read"))? {
        let name = entry.map_err(file(here, "read"))?.file_name().to_string_lossy().into_owned();
        if !["pregao.lock", READY].contains(&name.as_str()) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Copies, verifies and halts it, apart from what is there.
fn prepare(ready: &Path, places: &Places, wanted: &Wanted<'_>, manifest: &Manifest) -> Result<Ready, Failure> {
    match fs::remove_dir_all(ready) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(file(ready, "removed")(error).into()),
        _ => {}
    }
    private_directory(ready)?;
    for listed in manifest.files.iter().filter(|listed| listed.name != DUMP) {
        copy(&wanted.from.join(&listed.name), &ready.join(&listed.name))?;
    }
    let store = EmbeddedStore::open(ready)?;
    store.check()?;
    let whole = accounts(&store.journal()?)?;
    verify_audit(&store.audit()?, ready)?;
    if places.store == StoreConfig::Embedded {
        agree(manifest, &whole, wanted.from)?;
    }
    store.forget_identity()?;
    halt(&mut store.halt()?, wanted)?;
    note(Box::new(store.audit()?), wanted, manifest);
    if places.store == StoreConfig::Embedded {
        return Ok(Ready { accounts: whole, schema_before: None });
    }
    let schema_before = server::load(places, &wanted.from.join(DUMP), wanted.replace, wanted.at)?;
    match on_server(places, &store, wanted) {
        Ok(accounts) => Ok(Ready { accounts, schema_before }),
        Err(failure) => {
            server::undo(places, schema_before.as_deref(), wanted.at);
            Err(failure)
        }
    }
}

/// The restored schema: nobody's, halted, whole.
fn on_server(places: &Places, store: &EmbeddedStore, wanted: &Wanted<'_>) -> Result<Vec<Account>, Failure> {
    server::take_back_leases(places)?;
    let ledger = ledger::open(places, store)?;
    halt(&mut ledger.halt()?, wanted)?;
    accounts(&*ledger.journal()?)
}

fn verify_audit(audit: &dyn Audit, place: &Path) -> Result<(), Failure> {
    match audit.verify()? {
        Verification::Intact { .. } => Ok(()),
        Verification::Broken { sequence, reason } => {
            Err(refused(place, format!("row {sequence} of the audit {reason}"), "take another backup").into())
        }
    }
}

/// At least what was counted when it was made is there. Of a server that is not known: its dump was made before its
/// journal was counted.
fn agree(manifest: &Manifest, found: &[Account], from: &Path) -> Result<(), ArchiveError> {
    for Account { account, entries } in &manifest.accounts {
        let there = found.iter().find(|of| of.account == *account).map_or(0, |of| of.entries);
        if there < *entries {
            let problem = format!("the journal of {account} has {there} entries, and the manifest says {entries}");
            return Err(refused(from, problem, "take another backup"));
        }
    }
    Ok(())
}

fn reason(wanted: &Wanted<'_>) -> String {
    format!("restored from {}: compare with the broker before you resume", wanted.from.display())
}

fn halt(store: &mut dyn HaltStore, wanted: &Wanted<'_>) -> Result<(), Failure> {
    let scope = HaltScope::Global.to_string();
    let level = HaltLevel::Halted.name().to_owned();
    let record = HaltRecord { scope, level, reason: reason(wanted), by: wanted.by.to_owned(), at: wanted.at };
    Ok(store.save_halt(&record)?)
}

fn note(audit: Box<dyn Audit>, wanted: &Wanted<'_>, manifest: &Manifest) {
    let after = serde_json::json!({ "halt": HaltLevel::Halted.name(), "backup_at": manifest.at });
    let target = wanted.from.display().to_string();
    let act = Act { action: "restore", target, reason: reason(wanted), before: None, after: Some(after) };
    Auditor::new(audit).note(&Actor::local(wanted.by), act, Outcome::Done);
}

/// What is ready takes the place of what was there.
fn exchange(here: &Path, ready: &Path, wanted: &Wanted<'_>, keep: bool) -> Result<Option<PathBuf>, ArchiveError> {
    for name in EmbeddedStore::FILES {
        // The halt could stand in there.
        let log = ready.join(format!("{name}-wal"));
        if log.exists() {
            return Err(refused(
                &log,
                "was not taken into its file",
                "look whether the disk is full, then restore again",
            ));
        }
    }
    let downloads = here.join("downloads");
    fs::create_dir_all(&downloads).map_err(file(&downloads, "made"))?;
    let halt_file = stops::file_of(here);
    let lay_there = halt_file.exists();
    if !lay_there {
        let text = "action = cancel_all\nreason = a restore was interrupted; restore again, with --replace\n";
        fs::write(&halt_file, text).map_err(file(&halt_file, "written"))?;
        sync(here)?;
    }
    let before = keep.then(|| here.join(format!("before-restore-{}", wanted.at.utc().format("%Y%m%dT%H%M%S%3fZ"))));
    if let Some(before) = &before {
        private_directory(before)?;
        set_aside(here, before)?;
        sync(before)?;
    }
    let move_here = |name: &str, place: &str| {
        let to = here.join(place);
        match fs::rename(ready.join(name), &to) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other.map_err(file(&to, "put in its place")),
        }
    };
    let (was_halted, ours) = (ready.join(stops::FILE).exists(), !lay_there);
    for (name, place) in SMALL {
        // A halt file that lies here counts; one of the backup comes in the place of ours only.
        if name != stops::FILE {
            move_here(name, place)?;
        }
    }
    for name in EmbeddedStore::FILES.into_iter().rev() {
        move_here(name, name)?;
    }
    sync(&downloads)?;
    sync(here)?;
    match (ours, was_halted) {
        (true, true) => move_here(stops::FILE, stops::FILE)?,
        (true, false) => fs::remove_file(&halt_file).map_err(file(&halt_file, "removed"))?,
        (false, _) => {}
    }
    fs::remove_dir_all(ready).map_err(file(ready, "removed"))?;
    sync(here)?;
    Ok(before)
}

/// The store that was there with its logs, and what had been collected. The ledger's log goes before its file: a log
/// that lay beside another file would be taken for its own.
fn set_aside(here: &Path, before: &Path) -> Result<(), ArchiveError> {
    let of_store = EmbeddedStore::FILES
        .into_iter()
        .flat_map(|name| [format!("{name}-wal"), format!("{name}-shm"), name.to_owned()]);
    let small = SMALL
        .iter()
        .filter(|(name, _)| *name != stops::FILE)
        .map(|(name, place)| ((*place).to_owned(), (*name).to_owned()));
    for (place, name) in of_store.map(|name| (name.clone(), name)).chain(small) {
        let from = here.join(&place);
        match fs::rename(&from, before.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(file(&from, "set aside")(error)),
            _ => {}
        }
    }
    Ok(())
}

//! `db`: the store that the configuration names: its schema, and whether what it holds is what was written.

use serde_json::json;
use store::{Audit, EmbeddedStore, Journal, Ledger, Verification};

use crate::cli::DbCommand;
use crate::config::{self, KeepConfig, Overrides, Places, StoreConfig, places};
use crate::histories;
use crate::ledger;
use crate::output::{Answer, Failure, table};

/// Runs a `db` command.
pub fn db(command: &DbCommand, overrides: &Overrides) -> Result<Answer, Failure> {
    let places = places(overrides)?;
    match command {
        DbCommand::Migrate => migrate(&places),
        DbCommand::Verify => verify(&places),
        DbCommand::Retain { dry_run } => retain(&places, config::keep(overrides)?, *dry_run),
    }
}

/// Opening for writing brings a schema up to date.
fn migrate(places: &Places) -> Result<Answer, Failure> {
    let store = EmbeddedStore::open(&places.data_directory)?;
    let place = ledger::open(places, &store)?.place();
    Ok(Answer::new(format!("{place} is up to date."), json!({ "place": place, "up_to_date": true })))
}

/// What is older than is kept, table by table; what is not named is kept for ever.
fn retain(places: &Places, keep: KeepConfig, dry_run: bool) -> Result<Answer, Failure> {
    let mut history = if dry_run { histories::open_read_only(places)? } else { histories::open(places)? };
    let removed = history.retain(&keep.policy(), actors::Clock::System.now().local_date(), dry_run)?;
    let rows = removed.iter().map(|removed| {
        vec![
            removed.table.name().to_owned(),
            removed.partition.clone().unwrap_or_default(),
            removed.from.to_string(),
            removed.to.to_string(),
            removed.rows.to_string(),
            removed.kept_from.map_or("nothing".to_owned(), |day| format!("from {day}")),
        ]
    });
    let shown = table(&["Table", "Part", "First", "Last", "Rows", "Kept"], 4, rows);
    let text = match (removed.is_empty(), dry_run) {
        (true, _) => "Nothing is older than is kept.".to_owned(),
        (false, true) => format!("{shown}\nWould go; nothing was changed."),
        (false, false) => format!("{shown}\nGone."),
    };
    let policy: Vec<_> =
        keep.policy().iter().map(|(table, days)| json!({ "table": table.name(), "days": days })).collect();
    Ok(Answer::new(text, json!({ "removed": removed, "dry_run": dry_run, "policy": policy })))
}

/// An audit, and where it is, for people.
type Placed = (String, Box<dyn Audit>);

/// The ledger's audit, and with a server the rows that were written here first.
fn audits_of(places: &Places, ledger: &dyn Ledger) -> Result<Vec<Placed>, Failure> {
    let mut audits = vec![(ledger.place(), ledger.audit()?)];
    if places.store != StoreConfig::Embedded
        && let Ok(local) = EmbeddedStore::open_read_only(&places.data_directory)
    {
        audits.push((places.data_directory.display().to_string(), Box::new(local.audit()?)));
    }
    Ok(audits)
}

fn verify(places: &Places) -> Result<Answer, Failure> {
    let ledger = ledger::open_read_only(places)?;
    if places.store == StoreConfig::Embedded {
        // Pages first: what cannot be read cannot be recomputed.
        EmbeddedStore::open_read_only(&places.data_directory)?.check()?;
    }
    let journal = ledger.journal()?;
    let mut rows = Vec::new();
    let mut accounts = Vec::new();
    let mut broken = None;
    for account in journal.accounts()? {
        let (entries, finding) = match journal.verify(account)? {
            Verification::Intact { entries } => (entries, None),
            Verification::Broken { sequence, reason } => (sequence - 1, Some(format!("entry {sequence} {reason}"))),
        };
        let snapshot = journal.latest_snapshot(account, u64::MAX)?.map(|snapshot| snapshot.sequence);
        rows.push(vec![
            account.to_string(),
            entries.to_string(),
            snapshot.map_or_else(|| "none".to_owned(), |sequence| sequence.to_string()),
            finding.clone().unwrap_or_else(|| "intact".to_owned()),
        ]);
        accounts.push(json!({
            "account": account,
            "entries": entries,
            "snapshot": snapshot,
            "intact": finding.is_none(),
            "finding": finding,
        }));
        broken = broken.or_else(|| finding.map(|finding| format!("journal of {account}: {finding}")));
    }
    let mut audits = Vec::new();
    for (place, audit) in audits_of(places, &*ledger)? {
        let (acts, finding) = match audit.verify()? {
            Verification::Intact { entries } => (entries, None),
            Verification::Broken { sequence, reason } => (sequence - 1, Some(format!("row {sequence} {reason}"))),
        };
        let shown = finding.clone().unwrap_or_else(|| "intact".to_owned());
        rows.push(vec!["audit".to_owned(), acts.to_string(), String::new(), shown]);
        let intact = finding.is_none();
        broken = broken.or_else(|| finding.as_ref().map(|finding| format!("audit in {place}: {finding}")));
        audits.push(json!({ "place": place, "rows": acts, "intact": intact, "finding": finding }));
    }
    let intact = broken.is_none();
    let document = json!({ "place": ledger.place(), "accounts": accounts, "audits": audits, "intact": intact });
    match broken {
        Some(finding) => {
            let next = "keep the account halted, restore a backup and reconcile with the broker";
            Err(Failure::Failed(format!("{}: {finding}; {next}", ledger.place()), document))
        }
        None if accounts.is_empty() && audits.iter().all(|audit| audit["rows"] == 0) => {
            Ok(Answer::new(format!("{}: no journal yet.", ledger.place()), document))
        }
        None => {
            let shown = table(&["account", "entries", "snapshot at", "chain"], 1, rows);
            Ok(Answer::new(format!("{}\n{shown}", ledger.place()), document))
        }
    }
}

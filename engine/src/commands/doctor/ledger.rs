//! The ledger: reachable, of this program's schema, the end of every chain whole, and who holds it.

use market::Timestamp;
use store::{AccountTag, Journal};

use super::{Finding, Patient};
use crate::config::StoreConfig;
use crate::ledger;

/// Entries of each chain that are recomputed: milliseconds. `db verify` recomputes all.
const LAST: u64 = 1_000;

const REACH: &str = "look at the place that it names";

/// Opening it for reading refuses another schema than this program's.
pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    vec![match ledger::open_read_only(&patient.config.places()) {
        Ok(ledger) => Finding::ok(format!("{} is reachable, its schema is this program's", ledger.place())),
        Err(failure) => Finding::failure(&failure, REACH),
    }]
}

/// Nothing where the ledger cannot be opened: that is told already.
pub(super) fn journals(patient: &Patient) -> Vec<Finding> {
    let Ok(ledger) = ledger::open_read_only(&patient.config.places()) else { return Vec::new() };
    let looked = ledger.journal().and_then(|journal| Ok((journal.accounts()?, journal)));
    match looked {
        Err(error) => vec![Finding::error(&error, REACH)],
        Ok((accounts, _)) if accounts.is_empty() => vec![Finding::ok("no journal yet")],
        Ok((accounts, journal)) => {
            accounts.into_iter().map(|account| end_of(&*journal, account).named(account.to_string())).collect()
        }
    }
}

fn end_of(journal: &dyn Journal, account: AccountTag) -> Finding {
    let mut last_at: Option<Timestamp> = None;
    let read = journal.last_sequence(account).and_then(|last| {
        journal.read(account, last.saturating_sub(LAST - 1).max(1), &mut |entry| {
            last_at = Some(entry.at);
            Ok(())
        })?;
        Ok(last)
    });
    match read {
        Ok(entries) => {
            let at = last_at.map_or_else(|| "never".to_owned(), crate::cli::local);
            Finding::ok(format!("{entries} entries, the last {} whole; the latest at {at}", entries.min(LAST)))
        }
        Err(error) => Finding::error(&error, "halt the account, then 'pregao db verify'"),
    }
}

pub(super) fn lease(patient: &Patient) -> Vec<Finding> {
    let StoreConfig::Postgres { .. } = patient.config.store else {
        return vec![Finding::not_configured("the data directory's lock is the right to trade", "")];
    };
    let Ok(ledger) = ledger::open_read_only(&patient.config.places()) else { return Vec::new() };
    let Ok(account) = patient.config.account.tag.parse() else { return Vec::new() };
    vec![match ledger.holder(account) {
        Ok(Some(holder)) => Finding::ok(format!("held by {holder}")),
        Ok(None) => Finding::ok("free: no daemon trades the account"),
        Err(error) => Finding::error(&error, REACH),
    }]
}

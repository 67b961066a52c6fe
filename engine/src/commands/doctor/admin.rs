//! The admin interface: how long its certificate counts, and whether anybody gets in.

use std::path::PathBuf;

use store::Users;

use super::certificate::end_of;
use super::{Finding, Patient};
use crate::admin::DIRECTORY;
use crate::config::TlsConfig;
use crate::ledger;

/// Days before a certificate's end at which somebody has to care.
const CARE: i64 = 21;
const NANOS_PER_DAY: i64 = 86_400 * market::time::NANOS_PER_SECOND;

pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    let Some(admin) = &patient.config.admin else {
        return vec![Finding::not_configured("none", "admin.listen opens one")];
    };
    let (path, fix): (PathBuf, _) = match &admin.tls {
        TlsConfig::Off => return vec![Finding::ok(format!("plain HTTP on {}, on this machine only", admin.listen))],
        TlsConfig::Own => {
            let path = patient.config.data_directory.join(DIRECTORY).join("certificate.pem");
            if !path.exists() {
                return vec![Finding::ok("a certificate is made at the first start")];
            }
            (path, "the running daemon renews it by itself: look at its log")
        }
        TlsConfig::Files { certificate, .. } => {
            (certificate.clone(), "renew it; the daemon takes the new file by itself")
        }
    };
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) => {
            let fix = "correct admin.certificate_file, or let this user read it";
            return vec![Finding::failed(format!("{} cannot be read: {error}", path.display()), fix)];
        }
    };
    let Some(end) = end_of(&text) else {
        return vec![Finding::failed(format!("{} holds no certificate", path.display()), "put one there, PEM")];
    };
    let left = end.nanos_since(patient.now).div_euclid(NANOS_PER_DAY);
    let found = format!("the certificate counts until {}: {left} days", end.local_date());
    vec![match left {
        ..0 => Finding::failed(found, fix),
        0..CARE => Finding::warning(found, fix),
        _ => Finding::ok(found),
    }]
}

/// Nothing where there is no interface, or no ledger: both are told already.
pub(super) fn users(patient: &Patient) -> Vec<Finding> {
    if patient.config.admin.is_none() {
        return Vec::new();
    }
    let Ok(ledger) = ledger::open_read_only(&patient.config.places()) else { return Vec::new() };
    vec![match ledger.users().and_then(|users| users.list()) {
        Err(error) => Finding::error(&error, "look at the place that it names"),
        Ok(users) => {
            let active: Vec<_> = users.iter().filter(|user| user.disabled.is_none()).collect();
            let fix = "add one: 'pregao users add NAME --role operator'";
            match active.iter().filter(|user| user.role != "viewer").count() {
                0 if active.is_empty() => Finding::warning("nobody can log in", fix),
                0 => Finding::warning(format!("{} can look, nobody can stop anything", active.len()), fix),
                count => Finding::ok(format!("{} can log in, {count} of them can stop trading", active.len())),
            }
        }
    }]
}

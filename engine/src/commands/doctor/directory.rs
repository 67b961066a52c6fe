//! The data directory, and the room on its disk.

use std::fs::{self, File};
use std::path::Path;

use rustix::fs::{Access, access, statvfs};

use super::{Finding, Patient};
use crate::stops;

/// A year of full-market history takes a few hundred megabytes, and a journal of a busy day tens.
const LITTLE: u64 = 2_000_000_000;
/// Below this the journal's next checkpoint may not find room.
const TOO_LITTLE: u64 = 200_000_000;
const GIGABYTE: f64 = 1e9;
const MEGABYTE: f64 = 1e6;

pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    let path = &patient.config.data_directory;
    let shown = path.display();
    if !path.exists() {
        let fix = "import history ('pregao data import') or start the daemon: both make it";
        return vec![Finding::failed(format!("{shown} does not exist"), fix)];
    }
    let mut findings = vec![match access(path, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) if path.is_dir() => Finding::ok(format!("{shown} can be written")),
        Ok(()) => Finding::failed(format!("{shown} is no directory"), "give another one with data_directory"),
        Err(error) => {
            let fix = "let this user read and write it, or run as the daemon's user";
            Finding::failed(format!("{shown} cannot be written: {error}"), fix)
        }
    }];
    if let Some(stop) = stops::read(&stops::file_of(path)) {
        let found = format!("a halt file lies there: {} at {}: {}", stop.scope, stop.level.name(), stop.reason);
        let fix = format!("take {} away, then 'pregao resume'", stops::file_of(path).display());
        findings.push(Finding::warning(found, fix).named("halt file"));
    }
    findings
}

/// Free room, and what the budget leaves to the history.
pub(super) fn disk(patient: &Patient) -> Vec<Finding> {
    let path = existing(&patient.config.data_directory);
    let room = match statvfs(path) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(error) => return vec![Finding::failed(format!("{}: {error}", path.display()), "look at the disk")],
    };
    let free = format!("{} free", size(room));
    let mut findings = vec![if room < TOO_LITTLE {
        Finding::failed(free, "make room: without any the journal stalls and no order leaves")
    } else if room < LITTLE {
        Finding::warning(free, "make room, or keep less with history.intraday_days")
    } else {
        Finding::ok(free)
    }];
    findings.extend(budget(patient));
    findings
}

fn budget(patient: &Patient) -> Option<Finding> {
    let budget = patient.config.keep.disk_budget?;
    // That it cannot be read is told under 'history'.
    let history = crate::histories::open_read_only(&patient.config.places()).ok()?;
    let used: u64 = history.disk_usage().ok()?.iter().map(|table| table.bytes).sum();
    let found = format!("the history takes {} of {}", size(used), size(budget));
    let finding = if used > budget {
        Finding::warning(
            found,
            "keep less with history.intraday_days, or allow more with history.disk_budget_gigabytes",
        )
    } else {
        Finding::ok(found)
    };
    Some(finding.named("budget"))
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
pub(super) fn size(bytes: u64) -> String {
    match bytes as f64 {
        few if few < GIGABYTE => format!("{:.1} MB", few / MEGABYTE),
        many => format!("{:.1} GB", many / GIGABYTE),
    }
}

/// The nearest directory above that exists: where it would be made.
fn existing(path: &Path) -> &Path {
    path.ancestors().find(|path| path.exists()).filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether a file of the configuration can be read, without showing what is in it.
pub(super) fn readable(path: &Path) -> Result<(), String> {
    match fs::metadata(path).and_then(|found| if found.is_file() { File::open(path).map(drop) } else { Ok(()) }) {
        Ok(()) => Ok(()),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

//! The part of a backup that lies on a server: `pg_dump` and `pg_restore` of one schema, which are part of every
//! Postgres and know its versions.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

use market::Timestamp;
use store::postgres::PostgresSettings;
use store::{Journal, PostgresStore};

use super::ArchiveError;
use crate::config::Places;
use crate::output::Failure;
use crate::{histories, ledger};

const INSTALL: &str = "install the client of the server's version (Debian: postgresql-client)";

/// Writes the schema to a file.
pub(super) fn dump(places: &Places, to: &Path) -> Result<(), Failure> {
    let storage = histories::open_read_only(places)?.storage()?;
    if storage.starts_with("TimescaleDB") {
        let problem = format!("the history is kept by {storage}, whose parts lie outside the schema");
        let remedy = "back up the whole database as TimescaleDB's manual says, and this directory's data apart";
        return Err(ArchiveError::Program { program: "pg_dump", problem, remedy }.into());
    }
    let settings = ledger::settings(places)?;
    let schema = format!("--schema={}", settings.schema);
    // Its owner only, as the rest: `pg_dump` makes what is not there with the usual rights.
    super::copy(Path::new("/dev/null"), to)?;
    let mut command = command("pg_dump", settings.password.as_deref());
    command.args(["--format=custom", "--no-owner", "--no-privileges", &schema, "--dbname", &settings.url, "--file"]);
    command.arg(to);
    Ok(run("pg_dump", command)?)
}

/// Puts the schema of a dump into the database, all of it or nothing. One that is there is kept under the name that is
/// returned. (`pg_restore --clean` cannot take partitions apart, and would keep nothing.)
pub(super) fn load(places: &Places, from: &Path, replace: bool, at: Timestamp) -> Result<Option<String>, Failure> {
    let settings = ledger::settings(places)?;
    let mut kept = None;
    if replace {
        must_be_free(places)?;
        let name = format!("{}_before_{}", settings.schema, at.utc().format("%Y%m%dt%H%M%S%3fz"));
        kept = PostgresStore::rename_schema(&settings, &name)?.then_some(name);
    }
    let mut command = command("pg_restore", settings.password.as_deref());
    command.args(["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]);
    command.args([OsStr::new("--dbname"), OsStr::new(&settings.url), from.as_os_str()]);
    match run("pg_restore", command) {
        Ok(()) => Ok(kept),
        Err(error) => {
            put_back(&settings, kept.as_deref());
            Err(error.into())
        }
    }
}

/// Nobody who traded on it when it was backed up does any more.
pub(super) fn take_back_leases(places: &Places) -> Result<(), Failure> {
    Ok(PostgresStore::open(&ledger::settings(places)?)?.take_back_leases()?)
}

/// A schema that was restored and cannot be used goes out of the way, and what was kept comes back: a daemon that started
/// now would find the one and not the other.
pub(super) fn undo(places: &Places, kept: Option<&str>, at: Timestamp) {
    let Ok(settings) = ledger::settings(places) else { return };
    let name = format!("{}_failed_{}", settings.schema, at.utc().format("%Y%m%dt%H%M%S%3fz"));
    match PostgresStore::rename_schema(&settings, &name) {
        Ok(_) => put_back(&settings, kept),
        Err(problem) => {
            let schema = &settings.schema;
            tracing::error!(%problem, "the schema {schema} was restored and is not halted: drop it, or start nothing on it");
        }
    }
}

fn put_back(settings: &PostgresSettings, kept: Option<&str>) {
    let Some(name) = kept else { return };
    let of_before = PostgresSettings { schema: name.to_owned(), ..settings.clone() };
    if let Err(problem) = PostgresStore::rename_schema(&of_before, &settings.schema) {
        tracing::error!(%problem, "the schema that was there is still called {name}: give it its name back by hand");
    }
}

/// Nobody trades on what is to be replaced.
fn must_be_free(places: &Places) -> Result<(), Failure> {
    // A schema that is not there, or cannot be read any more, has no holder.
    let Ok(ledger) = ledger::open_read_only(places) else { return Ok(()) };
    for account in ledger.journal()?.accounts()? {
        if let Some(holder) = ledger.holder(account)? {
            let problem = format!("account {account} is traded by {holder}");
            let remedy = "stop every daemon, those that stand by too, then restore";
            return Err(ArchiveError::Program { program: "pg_restore", problem, remedy }.into());
        }
    }
    Ok(())
}

fn command(program: &'static str, password: Option<&str>) -> Command {
    let mut command = Command::new(program);
    // It asks nobody: a password that is missing is an error.
    command.arg("--no-password").stdin(Stdio::null());
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    command
}

fn run(program: &'static str, mut command: Command) -> Result<(), ArchiveError> {
    let failed = |problem: String, remedy| ArchiveError::Program { program, problem, remedy };
    let output = command.output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => failed("is not in the PATH".to_owned(), INSTALL),
        _ => failed(error.to_string(), INSTALL),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    let told: Vec<&str> = told.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let remedy = if told.iter().any(|line| line.contains("server version mismatch")) {
        INSTALL
    } else if told.iter().any(|line| line.contains("already exists")) {
        "the schema is there already: give --replace, or another store.schema"
    } else {
        "nothing was changed; mend that and do it again"
    };
    Err(failed(told.join(" "), remedy))
}

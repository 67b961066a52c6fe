//! The program `pregao`: arguments → configuration → logging → command.
//!
//! - [`admin`]: the admin interface over HTTP
//! - [`answers`]: the documents in which the daemon tells how things stand
//! - [`archive`]: backups, made and restored
//! - [`cli`]: what can be typed
//! - [`config`]: `pregao.toml`, environment, flags
//! - [`commands`]: one file per command
//! - [`control`]: the socket in the data directory, by which commands talk to the running daemon
//! - [`reload`]: changing the configuration of a running daemon, and which one a start takes
//! - [`auditor`]: writes down what people did
//! - [`heartbeat`]: the daemon's sign of life for a watchdog
//! - [`ledger`]: which store the configuration names, and the right to write to it
//! - [`metrics`]: metrics, all names in one place
//! - [`service`]: what a service manager is told
//! - [`standby`]: waiting for the account that another daemon trades
//! - [`watchdog`]: the process that cancels everything when the daemon falls silent
//! - [`stops`]: the halt file and the signals
//! - [`wiring`]: from configuration and store to desk, strategies and actors
//! - [`output`]: tables, JSON, progress bars, exit codes

#![allow(unreachable_pub, reason = "a program exports nothing; `pub` here means: for its other files")]

mod access;
mod admin;
mod answers;
mod archive;
mod auditor;
mod cli;
mod collecting;
mod commands;
mod config;
mod control;
mod heartbeat;
mod histories;
mod ledger;
mod metrics;
mod output;
mod quotes;
mod reload;
mod service;
mod standby;
mod stops;
mod watchdog;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = match cli::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(told) => return output::not_understood(&told),
    };
    output::start_logging(&arguments);
    // Whoever speaks TLS in this process finds it; there is no other, so none was there before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let result = commands::dispatch(&arguments);
    output::finish(&arguments, result)
}

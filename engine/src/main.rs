//! The program `pregao`: arguments → configuration → logging → command.
//!
//! - [`cli`]: what can be typed
//! - [`config`]: `pregao.toml`, environment, flags
//! - [`commands`]: one file per command
//! - [`control`]: the socket in the data directory, by which commands talk to the running daemon
//! - [`reload`]: changing the configuration of a running daemon, and which one a start takes
//! - [`auditor`]: writes down what people did
//! - [`ledger`]: which store the configuration names, and the right to write to it
//! - [`stops`]: the halt file and the signals
//! - [`wiring`]: from configuration and store to desk, strategies and actors
//! - [`output`]: tables, JSON, progress bars, exit codes

#![allow(unreachable_pub, reason = "a program exports nothing; `pub` here means: for its other files")]

mod auditor;
mod cli;
mod commands;
mod config;
mod control;
mod ledger;
mod output;
mod reload;
mod stops;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = match cli::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(told) => return output::not_understood(&told),
    };
    output::start_logging(&arguments);
    let result = commands::dispatch(&arguments);
    output::finish(&arguments, result)
}

//! The program as its user meets it: the built binary, run in an empty directory of its own.
//!
//! - [`program`]: runs it, reads what it says
//! - [`admin`]: the admin interface, with `curl`
//! - [`usage`]: what is typed wrongly, exit codes, one JSON document whatever happens
//! - [`config`]: `check`, `init`, environment
//! - [`data`]: history in and verified
//! - [`fetch`]: history from a source, adjusted and exported
//! - [`backtest`]: on CSV files and on the store
//! - [`demo`]: the main job; its page in a browser
//! - [`run`]: the daemon
//! - [`quotes`]: its hot quotes on a Redis server
//! - [`reload`]: a configuration changed while the daemon runs, its versions, secrets, attestation
//! - [`dashboards`]: Grafana's against a recorded session and a daemon at work
//! - [`deployment`]: units, containers and manifests against the program
//! - [`standby`]: two daemons and one account
//! - [`service`]: what a service manager hears, and the probe
//! - [`halts`]: stopping it and leading out again
//! - [`backup`]: backups, made and restored
//! - [`doctor`]: what it finds in rooms where one thing is broken
//! - [`replay`]: a recorded session made again, and `why`

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests end by panicking, and say what they skip")]

mod admin;
mod backtest;
mod backup;
mod config;
mod dashboards;
mod data;
mod demo;
mod deployment;
mod doctor;
mod fetch;
mod halts;
mod program;
mod quotes;
mod reload;
mod replay;
mod run;
mod service;
mod standby;
mod usage;
mod watchdog;

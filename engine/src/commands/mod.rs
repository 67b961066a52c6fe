//! One file per command. Each takes the arguments and gives an [`Answer`] or a [`Failure`].

mod backtest;
mod backup;
mod check;
mod config;
mod data;
mod db;
mod demo;
mod doctor;
mod kill;
mod looking;
mod openapi;
mod probe;
mod recording;
mod reload;
mod replay;
mod resume;
mod run;
pub mod status;
mod summary;
mod users;
mod version;
mod watchdog;
mod why;

pub use data::Since;

use clap::CommandFactory;

use crate::cli::{Arguments, Command};
use crate::config::Overrides;
use crate::output::{Answer, Failure};

/// Runs the command that was typed.
pub fn dispatch(arguments: &Arguments) -> Result<Answer, Failure> {
    let overrides = Overrides { file: arguments.config.clone(), data_directory: arguments.data_dir.clone() };
    match &arguments.command {
        Command::Demo(demo) => demo::demo(demo, &overrides),
        Command::Run { standby } => run::run(&overrides, *standby),
        Command::Probe { what } => probe::probe(&overrides, *what),
        Command::Check => check::check(&overrides),
        Command::Reload(change) => reload::reload(&overrides, change, None),
        Command::Config(command) => config::config(command, &overrides),
        Command::Init => check::init(&overrides),
        Command::Data(command) => data::data(command, &overrides),
        Command::Backtest(backtest) => backtest::backtest(backtest, &overrides, arguments.json),
        Command::Kill { scope, action, by, reason } => {
            kill::kill(&overrides, scope.clone(), action.level(), by.as_deref(), reason.as_deref())
        }
        Command::Flatten { scope, by, reason, dry_run } => {
            kill::flatten(&overrides, scope.clone(), by.as_deref(), reason.as_deref(), *dry_run)
        }
        Command::Resume { scope, second, by, reason, symbol: None } => {
            resume::resume(&overrides, scope.as_ref(), by, reason, second.as_deref())
        }
        Command::Resume { by, reason, symbol: Some(symbol), .. } => resume::accept(&overrides, *symbol, by, reason),
        Command::Status { reconcile } => status::status(&overrides, *reconcile),
        Command::Orders => looking::orders(&overrides),
        Command::Positions => looking::positions(&overrides),
        Command::Users(command) => users::users(command, &overrides),
        Command::Openapi => openapi::openapi(),
        Command::Doctor => doctor::doctor(&overrides),
        Command::Backup { directory } => backup::backup(&overrides, directory),
        Command::Restore { directory, replace, by } => backup::restore(&overrides, directory, *replace, by.as_deref()),
        Command::Db(command) => db::db(command, &overrides),
        Command::Replay(replay) => replay::replay(replay, &overrides),
        Command::Why(why) => why::why(why, &overrides),
        Command::Version => Ok(version::version(arguments.json)),
        Command::Watchdog => watchdog::watchdog(&overrides, arguments.json),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "pregao", &mut script);
            let script = String::from_utf8_lossy(&script).into_owned();
            Ok(Answer::new(script.clone(), serde_json::json!({ "shell": shell.to_string(), "script": script })))
        }
    }
}

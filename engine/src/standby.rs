//! Standing by: a second daemon waits, with its files and its server open, until the account is free.
//!
//! It asks for the lease again and again. The server's clock says when the former holder's has run out, and hands it
//! to one of those who ask, so waiting needs no election and no agreement: whoever has the lease trades. One that
//! stops as it should gives it back, and the next question gets it.
//!
//! Whoever waits trades nothing, writes nothing, and answers the probes with "standing by" ([`Waiting`]). What the
//! configuration says when it takes over counts, not what it said when it began to wait.

use std::time::{Duration, Instant};

use store::{AccountTag, Ledger, StoreError};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::MissedTickBehavior;

use crate::admin::Waiting;
use crate::config::effective::Effective;
use crate::config::{Config, Overrides, StoreConfig, load_effective};
use crate::ledger::Right;
use crate::output::{Answer, Failure};
use crate::service::{self, Feeder};

/// Between two questions: small beside the ten seconds of the shortest lease.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// For whoever looks.
const STANDING_BY: &str = "standing by: another daemon trades the account";
const TAKING_OVER: &str = "taking the account over: recovering";

/// How the waiting ended.
pub enum Waited {
    /// The account is ours.
    Ours(Box<Taken>),
    /// Told to stop.
    Stopped(Answer),
}

/// What it went on with.
pub struct Taken {
    /// The right to trade.
    pub right: Right,
    /// What the file says now.
    pub configuration: (Config, Effective),
    /// Answers until the admin interface does.
    pub probes: Option<Waiting>,
}

/// Waits until the account is free, and takes it.
///
/// # Errors
/// The store cannot be stood by at, or says something that waiting does not mend.
pub fn wait(overrides: &Overrides, config: &Config, ledger: &dyn Ledger) -> Result<Waited, Failure> {
    if config.store == StoreConfig::Embedded {
        let message = "--standby: a data directory has one daemon; two share an account with [store] kind = \
                       \"postgres\", each with a directory of its own";
        return Err(Failure::usage(message));
    }
    let account: AccountTag = config.account.tag.parse().map_err(Failure::failed)?;
    let probes = config.admin.as_ref().map(|admin| Waiting::start(admin, &config.data_directory, STANDING_BY));
    let probes = probes.transpose().map_err(Failure::failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::failed)?;
    let mut right = match runtime.block_on(until_free(overrides, ledger, account))? {
        Ok(right) => right,
        Err(reason) => {
            service::stopping(reason);
            let text = format!("Stopped: {reason}. It stood by and has traded nothing.");
            return Ok(Waited::Stopped(Answer::new(text, serde_json::json!({ "stopped": reason, "standby": true }))));
        }
    };
    service::status(TAKING_OVER);
    if let Some(probes) = &probes {
        probes.because(TAKING_OVER);
    }
    match again(overrides, config) {
        Ok(configuration) => Ok(Waited::Ours(Box::new(Taken { right, configuration, probes }))),
        Err(failure) => {
            // Another one that stands by may have a file that can be used.
            right.release();
            Err(failure)
        }
    }
}

/// Asks until the answer is yes, or a signal comes.
async fn until_free(
    overrides: &Overrides,
    ledger: &dyn Ledger,
    account: AccountTag,
) -> Result<Result<Right, &'static str>, Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::failed)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Failure::failed)?;
    let mut feeder = Feeder::of_manager();
    let mut ticks = tokio::time::interval(ASK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut seen, mut unanswered) = (None, false);
    loop {
        tokio::select! {
            biased;
            _ = terminate.recv() => return Ok(Err("SIGTERM")),
            _ = tokio::signal::ctrl_c() => return Ok(Err("interrupt")),
            _ = hangup.recv() => reread(overrides),
            _ = ticks.tick() => {
                match Right::take(ledger, account) {
                    Ok(right) => {
                        tracing::info!(%account, "the account is free: taking it over");
                        return Ok(Ok(right));
                    }
                    Err(StoreError::LeaseHeld { holder, epoch, .. }) => {
                        unanswered = false;
                        if seen.replace(epoch) != Some(epoch) {
                            tracing::info!(%account, holder, epoch, "standing by");
                            service::ready(STANDING_BY);
                        }
                    }
                    Err(error) if error.is_passing() => {
                        if !std::mem::replace(&mut unanswered, true) {
                            tracing::error!(%error, "the store does not answer; asking again until it does");
                        }
                    }
                    Err(error) => return Err(error.into()),
                }
                // Every question has its time limit, so one that hangs stops feeding and nothing else does.
                feeder.alive(Instant::now());
            }
        }
    }
}

/// What the file says counts at the takeover; now it is only looked at.
fn reread(overrides: &Overrides) {
    service::reloading();
    let told = match load_effective(overrides) {
        Ok(_) => STANDING_BY.to_owned(),
        Err(error) => {
            tracing::error!(%error, "SIGHUP: this configuration could not be taken over with");
            format!("{STANDING_BY}; its configuration cannot be used: {error}")
        }
    };
    service::ready(&told);
}

/// The configuration as it is now; what is open already cannot be another one.
fn again(overrides: &Overrides, before: &Config) -> Result<(Config, Effective), Failure> {
    let now = load_effective(overrides)?;
    if (now.0.places(), &now.0.account.tag) != (before.places(), &before.account.tag) {
        let message = "account.tag, data_directory, [store] or halt.second_person has changed while standing by; \
                       start again";
        return Err(Failure::usage(message));
    }
    Ok(now)
}

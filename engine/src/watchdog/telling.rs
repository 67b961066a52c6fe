//! What a watchdog says: log lines for people, and with `--json` a line on standard output for each
//! change.

use std::io::Write;
use std::time::Duration;

use actors::Clock;
use brokers::SendError;
use risk::dead_man::Phase;
use serde_json::{Value, json};

/// Says it, and remembers what need not be said again.
pub(super) struct Teller {
    json: bool,
    silence: Duration,
    connected: bool,
    /// Why a mass cancel could not be sent, as it was told last.
    unsent: Option<String>,
    /// What was open after the last mass cancel: an exchange that is closed may say the same all night.
    open: Option<u64>,
}

impl Teller {
    pub(super) fn new(json: bool, silence: Duration) -> Self {
        Self { json, silence, connected: false, unsent: None, open: None }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected
    }

    pub(super) fn phase(&mut self, phase: Phase, quiet: Duration) {
        self.open = None;
        let (name, silence, quiet) = (phase.name(), self.silence.as_secs(), quiet.as_secs_f64());
        match phase {
            Phase::Waiting => tracing::info!(silence, "waiting for the first sign of life"),
            Phase::Watching => tracing::info!(silence, "watching"),
            Phase::Stopped => tracing::info!("the engine has said goodbye"),
            Phase::Firing => tracing::error!(quiet, "the watchdog fired: the engine is silent, cancelling everything"),
            Phase::Fired => {
                tracing::warn!("the venue has nothing open any more; the engine may not trade until somebody resumes");
            }
        }
        self.line(json!({ "event": "phase", "phase": name, "quiet_seconds": quiet }));
    }

    pub(super) fn connected(&mut self, address: &str) {
        self.connected = true;
        tracing::info!(address, "connected");
        self.line(json!({ "event": "connected", "address": address }));
    }

    pub(super) fn disconnected(&mut self, reason: &str) {
        self.connected = false;
        tracing::error!(reason, "the watchdog has no connection: it could not cancel anything now");
        self.line(json!({ "event": "disconnected", "reason": reason }));
    }

    pub(super) fn canceled(&mut self, canceled: u64, open: u64) {
        if self.open.replace(open) == Some(open) && canceled == 0 {
            return;
        }
        tracing::warn!(canceled, open, "mass cancel done");
        self.line(json!({ "event": "mass_canceled", "canceled": canceled, "open": open }));
    }

    /// A mass cancel was sent, or why it was not.
    pub(super) fn asked(&mut self, unsent: Option<&SendError>) {
        let unsent = unsent.map(ToString::to_string);
        if let Some(reason) = unsent.as_ref().filter(|reason| self.unsent.as_ref() != Some(reason)) {
            tracing::error!(reason, "the mass cancel could not be sent; trying again");
            self.line(json!({ "event": "mass_cancel_failed", "reason": reason }));
        }
        self.unsent = unsent;
    }

    pub(super) fn halted(&self) {
        tracing::warn!("the halt is stored");
        self.line(json!({ "event": "halt_stored" }));
    }

    pub(super) fn not_halted(&self, error: &str) {
        tracing::error!(error, "no halt could be stored: keep the engine from starting");
        self.line(json!({ "event": "halt_failed", "reason": error }));
    }

    fn line(&self, mut event: Value) {
        if self.json {
            event["at"] = json!(Clock::System.now());
            // Whoever reads it may have gone; the log has it all.
            let _ = writeln!(std::io::stdout().lock(), "{event}");
        }
    }
}

//! The watchdog: a process of its own that cancels everything when the daemon falls silent.
//!
//! It needs three things, and each may fail without the others: the daemon's `heartbeat`
//! ([`crate::heartbeat`]), read by a thread of its own so that a disk that hangs is silence and no hang;
//! its own session at the venue, made at the start and kept; and a place to leave a halt ([`halting`]).
//! It opens no database before it fires, knows no server, and shares no thread, lock or connection with
//! the daemon. What it does when is `risk::dead_man`, a pure table.

mod halting;
mod looking;
mod telling;

use std::sync::Arc;
use std::time::{Duration, Instant};

use actors::Clock;
use brokers::bridge::wire::Role;
use brokers::bridge::{BridgeBroker, BridgeSettings};
use brokers::{Broker, BrokerEvent, MassCanceled};
use market::Universe;
use market::order::MassCancel;
use risk::dead_man::{Act, DeadMan, Phase};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::MissedTickBehavior;

use crate::config::WatchdogConfig;
use crate::output::{Answer, Failure};
use crate::service::{self, Feeder};
use halting::{Ended, Halting};
use looking::Looks;
use telling::Teller;

/// How often it looks. Beats are 200 ms apart, and the shortest silence that it may fire on is 2 s.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A watchdog at work.
struct Watchdog {
    config: WatchdogConfig,
    began: Instant,
    man: DeadMan,
    looks: Looks,
    broker: BridgeBroker,
    halting: Option<Halting>,
    teller: Teller,
    fired: u64,
}

/// Watches until it is told to stop.
pub fn watch(config: WatchdogConfig, json: bool) -> Result<Answer, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::failed)?;
    let mut watchdog = Watchdog::start(config, json).map_err(Failure::failed)?;
    let reason = runtime.block_on(watchdog.until_stopped())?;
    watchdog.end(reason)
}

impl Watchdog {
    fn start(config: WatchdogConfig, json: bool) -> std::io::Result<Self> {
        let mut settings = BridgeSettings::new(&config.address, &config.account);
        (settings.role, settings.login) = (Role::Watchdog, Some(config.login.clone()));
        (settings.heartbeat, settings.reconnect_most) = (config.heartbeat, config.reconnect_most);
        // A mass cancel that is not answered is not waited for as long as an order may be.
        settings.substance = config.heartbeat * risk::silence::MISSED_HEARTBEATS;
        // Only to be another one in every process.
        settings.jitter_seed = u64::from(std::process::id());
        // It trades nothing, so it knows no instruments.
        let broker = BridgeBroker::start(settings, Arc::new(Universe::new()))?;
        let looks = Looks::start(&config.data_directory)?;
        let man = DeadMan::new(config.silence);
        let teller = Teller::new(json, config.silence);
        Ok(Self { config, began: Instant::now(), man, looks, broker, halting: None, teller, fired: 0 })
    }

    async fn until_stopped(&mut self) -> Result<&'static str, Failure> {
        let mut terminate = signal(SignalKind::terminate()).map_err(Failure::failed)?;
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.teller.phase(self.man.phase(), Duration::ZERO);
        let mut feeder = Feeder::of_manager();
        service::ready("watching");
        let reason = loop {
            tokio::select! {
                _ = terminate.recv() => break "SIGTERM",
                _ = tokio::signal::ctrl_c() => break "interrupt",
                _ = ticks.tick() => {
                    self.look();
                    feeder.alive(Instant::now());
                }
            }
        };
        service::stopping(reason);
        Ok(reason)
    }

    fn look(&mut self) {
        let (now, mut acts, mut events) = (self.began.elapsed(), Vec::new(), Vec::new());
        self.broker.poll(Clock::System.now(), &mut events);
        for event in events {
            match event {
                BrokerEvent::Connected => self.teller.connected(&self.config.address),
                BrokerEvent::Disconnected { reason } => self.teller.disconnected(&reason),
                BrokerEvent::MassCanceled(MassCanceled { canceled, open }) => {
                    self.teller.canceled(canceled, open);
                    self.man.answered(now, open, &mut acts);
                }
                // A watchdog's session hears of no orders; one that did would not act on it.
                _ => {}
            }
        }
        self.man.looked(now, self.looks.sign(), &mut acts);
        for act in acts {
            self.act(act);
        }
        if let Some(ended) = self.halting.as_mut().and_then(Halting::ended) {
            match ended {
                Ended::Stored => self.teller.halted(),
                Ended::Died => self.teller.not_halted("the thread that stores it has ended"),
            }
            self.halting = None;
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Tell(phase) => {
                self.teller.phase(phase, self.man.quiet());
                if matches!(phase, Phase::Watching | Phase::Stopped) {
                    // Whoever lives again holds its own store, and has read the file.
                    self.halting = None;
                }
            }
            Act::Halt => {
                self.fired += 1;
                let reason = format!("the engine gave no sign of life for {:?}", self.config.silence);
                let halting = Halting::start(&self.config.data_directory, reason);
                self.halting = halting.map_err(|error| self.teller.not_halted(&error.to_string())).ok();
            }
            Act::Cancel => {
                let all = risk::approve_mass_cancel(MassCancel { decided_at: Clock::System.now() });
                let sent = self.broker.mass_cancel(&all, Clock::System.now(), &mut Vec::new(), &mut Vec::new());
                self.teller.asked(sent.as_ref().err());
            }
        }
    }

    fn end(self, reason: &str) -> Result<Answer, Failure> {
        let phase = self.man.phase();
        let json = serde_json::json!({
            "stopped": reason,
            "phase": phase.name(),
            "fired": self.fired,
            "connected": self.teller.is_connected(),
        });
        if phase == Phase::Firing {
            let message =
                format!("{reason}: stopped while firing, and the venue has not confirmed that nothing is open");
            return Err(Failure::Failed(message, json));
        }
        let text = format!("Stopped: {reason}. The watchdog was {}, and had fired {} times.", phase.name(), self.fired);
        Ok(Answer { text, json, degraded: self.fired > 0 })
    }
}

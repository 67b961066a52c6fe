//! Notifier: alerts out, and never on the trading path (C37: from the breach to delivery within a second).
//!
//! Whoever has something to tell calls [`Alerts::raise`], which puts it into the bounded queue of each
//! channel and returns; an alert that finds a queue full is counted as dropped there. Each channel works
//! off its own queue on a thread of its own, so one that is slow or dead holds up neither trading nor the
//! other channels. A channel is one file and one entry in [`CHANNELS`].
//!
//! When a channel's thread dies, its queue fills and alerts are counted as dropped; the others go on. The
//! monitor `alert_delivery` looks at what is on its way, and tells when something takes longer than a second.

mod broadcast;
mod log;
mod of_desk;
mod stats;
mod webhook;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use market::Timestamp;
use risk::{Breach, HaltLevel, HaltScope};
use serde::Serialize;

pub use stats::{ChannelStats, Counters};
pub use webhook::WebhookSettings;

/// Alerts that may wait for one channel. A flood of alerts says no more than its first thousand.
const QUEUE: usize = 1_024;
/// How often an idle channel looks whether it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The first pause after a failed try; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long after it was raised an alert is tried again at most. Older news is in the log and the journal.
const TRIED_FOR: Duration = Duration::from_secs(600);
/// How long a stop waits for alerts that are still on their way: the last one may say why it stops.
const GRACE: Duration = Duration::from_secs(3);

/// Every channel, in the order in which they are told.
pub const CHANNELS: &[ChannelEntry] = &[
    ChannelEntry { name: log::NAME, build: log::build },
    ChannelEntry { name: broadcast::NAME, build: broadcast::build },
    ChannelEntry { name: webhook::NAME, build: webhook::build },
];

/// One kind of channel.
pub struct ChannelEntry {
    /// Its stable name, in metrics.
    pub name: &'static str,
    /// Makes it; none if it is not configured.
    pub build: fn(&NotifierSettings) -> Option<Box<dyn Channel>>,
}

/// A way for alerts to go out.
pub trait Channel: Send {
    /// Delivers one; may block within limits of its own.
    ///
    /// # Errors
    /// It did not arrive, and whether to try again.
    fn deliver(&mut self, alert: &Alert) -> Result<(), Undelivered>;
}

/// An alert did not arrive.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Undelivered {
    /// It may arrive later.
    #[error("{0}")]
    ForNow(String),
    /// It never will.
    #[error("{0}")]
    ForGood(String),
}

/// What the channels are made of.
#[derive(Clone, Debug, Default)]
pub struct NotifierSettings {
    /// Where the webhook is, if there is one.
    pub webhook: Option<WebhookSettings>,
    /// Who listens inside the program.
    pub listeners: Listeners,
}

/// What a person must hear of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Alert {
    /// Its stable name: a heading of RUNBOOK.md.
    pub alert: &'static str,
    /// `warning` or `error`: at the second somebody must act.
    pub severity: &'static str,
    /// When it was seen.
    pub at: Timestamp,
    /// What it is about.
    pub scope: String,
    /// How far that is halted by it; nothing if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<&'static str>,
    /// Who says so: a monitor, an actor, a person.
    pub by: String,
    /// What is wrong, in a sentence.
    pub reason: String,
    /// Whoever raised it has logged it already.
    #[serde(skip)]
    pub logged: bool,
    /// When it was raised, on a clock that nobody sets.
    #[serde(skip)]
    pub raised: Instant,
}

impl Alert {
    /// An error of that name about the account.
    pub fn error(alert: &'static str, at: Timestamp, by: &str, reason: String) -> Self {
        Self {
            alert,
            severity: "error",
            at,
            scope: HaltScope::Account.to_string(),
            level: None,
            by: by.to_owned(),
            reason,
            logged: false,
            raised: Instant::now(),
        }
    }

    /// What a monitor has found.
    pub fn breach(breach: &Breach) -> Self {
        let level = (breach.level != HaltLevel::Active).then(|| breach.level.name());
        Self {
            severity: breach.severity.name(),
            scope: breach.scope.to_string(),
            level,
            ..Self::error(breach.monitor, breach.at, breach.monitor, breach.to_string())
        }
    }

    /// The switch was thrown.
    pub fn halted(scope: &HaltScope, level: HaltLevel, by: &str, reason: &str, at: Timestamp) -> Self {
        let (scope, level) = (scope.to_string(), Some(level.name()));
        Self { scope, level, logged: true, ..Self::error("halted", at, by, reason.to_owned()) }
    }
}

/// Where alerts are raised. Clones lead to the same channels; the default leads to the log alone.
#[derive(Clone, Default)]
pub struct Alerts(Option<Arc<Vec<Queue>>>);

struct Queue {
    sender: SyncSender<Arc<Alert>>,
    counters: Arc<Counters>,
}

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Alerts")
    }
}

impl Alerts {
    /// Tells every channel; never waits.
    pub fn raise(&self, alert: Alert) {
        let Some(queues) = &self.0 else { return log::write(&alert) };
        let alert = Arc::new(alert);
        for queue in queues.iter() {
            // Counted in first: the channel may be done with it before this goes on.
            queue.counters.queued(&alert);
            // One whose thread is gone takes nothing any more.
            if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = queue.sender.try_send(alert.clone()) {
                queue.counters.dropped(&alert);
            }
        }
    }

    /// How each channel does.
    pub fn stats(&self) -> Vec<ChannelStats> {
        self.0.iter().flat_map(|queues| queues.iter()).map(|queue| queue.counters.stats()).collect()
    }

    /// The same, and how slow the slowest delivery since the last look was, in nanoseconds.
    pub(crate) fn look(&self) -> Vec<(ChannelStats, i64)> {
        let queues = self.0.iter().flat_map(|queues| queues.iter());
        queues.map(|queue| (queue.counters.stats(), queue.counters.take_slowest())).collect()
    }
}

/// Whoever listens inside the program: a bounded fan-out. A listener that is slow loses the oldest.
#[derive(Clone, Debug)]
pub struct Listeners(tokio::sync::broadcast::Sender<Arc<Alert>>);

impl Default for Listeners {
    fn default() -> Self {
        Self(tokio::sync::broadcast::channel(QUEUE).0)
    }
}

impl Listeners {
    /// Listens from now on.
    pub fn subscribe(&self) -> tokio::sync::broadcast::Receiver<Arc<Alert>> {
        self.0.subscribe()
    }
}

/// The channels at work. They end, after what is still on its way, when this is dropped.
pub struct Notifier {
    alerts: Alerts,
    stopping: Arc<AtomicBool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Notifier {
    /// Starts every configured channel.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(settings: &NotifierSettings) -> std::io::Result<Self> {
        let built = CHANNELS.iter().filter_map(|entry| Some((entry.name, (entry.build)(settings)?)));
        Self::with(built.collect())
    }

    fn with(channels: Vec<(&'static str, Box<dyn Channel>)>) -> std::io::Result<Self> {
        let stopping = Arc::new(AtomicBool::new(false));
        let (mut queues, mut threads) = (Vec::new(), Vec::new());
        for (name, channel) in channels {
            let (sender, waiting) = sync_channel(QUEUE);
            let counters = Arc::new(Counters::new(name));
            let worker = Worker { channel, waiting, counters: Arc::clone(&counters), stopping: Arc::clone(&stopping) };
            threads.push(Builder::new().name(format!("alerts {name}")).spawn(move || worker.work())?);
            queues.push(Queue { sender, counters });
        }
        Ok(Self { alerts: Alerts(Some(Arc::new(queues))), stopping, threads: Mutex::new(threads) })
    }

    /// Where alerts are raised.
    pub fn alerts(&self) -> Alerts {
        self.alerts.clone()
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        let until = Instant::now() + GRACE;
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            while !thread.is_finished() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
            // One that hangs in a delivery ends with the process.
            if thread.is_finished() {
                let _ = thread.join();
            }
        }
    }
}

/// One channel's thread.
struct Worker {
    channel: Box<dyn Channel>,
    waiting: Receiver<Arc<Alert>>,
    counters: Arc<Counters>,
    stopping: Arc<AtomicBool>,
}

impl Worker {
    fn work(mut self) {
        loop {
            match self.waiting.recv_timeout(LOOK_EVERY) {
                Ok(alert) => self.deliver(&alert),
                Err(RecvTimeoutError::Timeout) if !self.stopping.load(Ordering::Acquire) => {}
                Err(_) => return,
            }
        }
    }

    /// Tries until it arrives or its time is over; while stopping, once.
    fn deliver(&mut self, alert: &Alert) {
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self.channel.deliver(alert) {
                Ok(()) => return self.counters.sent(alert),
                Err(error) => error,
            };
            self.counters.failed();
            let over = self.stopping.load(Ordering::Acquire) || alert.raised.elapsed() + pause > TRIED_FOR;
            if over || matches!(error, Undelivered::ForGood(_)) {
                tracing::error!(channel = self.counters.name(), alert = alert.alert, %error, "alert given up");
                return self.counters.given_up(alert);
            }
            tracing::warn!(channel = self.counters.name(), alert = alert.alert, %error, "alert not delivered, trying again");
            self.sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// A stop cuts it short.
    fn sleep(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while Instant::now() < until && !self.stopping.load(Ordering::Acquire) {
            std::thread::sleep(LOOK_EVERY.min(until.saturating_duration_since(Instant::now())));
        }
    }
}

#[cfg(test)]
mod tests;

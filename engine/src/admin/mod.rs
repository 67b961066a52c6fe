//! The admin interface: HTTP over TLS for people and their tools. docs/http.md tells how it is used.
//!
//! It runs on threads of its own, so that trading and the interface never wait on each other, and the
//! stop path (`POST /v1/kill`) waits for nothing of the interface either: no limiter, no store, no
//! mailbox, no other request.
//!
//! - [`routes`]: every path in one list, with who may use it; [`openapi`] describes that list
//! - [`server`], [`connections`], [`tls`]: the listening side and its limits
//! - [`dispatch`]: what happens to a request on its way to a handler; [`problem`]: when it fails
//! - [`oauth`], [`tokens`], [`keys`], [`ed25519`], [`secrets`], [`limits`]: who is asking
//! - [`people`], [`roles`]: who may ask; [`trail`]: what they did, for ever
//! - [`input`], [`repeats`]: strict reading, and the same request twice
//! - [`reading`], [`stopping`], [`resuming`], [`configuration`], [`users`], [`stream`], [`probes`]: the handlers
//! - [`waiting`]: what is answered while the daemon stands by
//! - [`mirror`]: how things stand, asked of the account at most a few times a second

mod configuration;
mod connections;
mod dispatch;
mod ed25519;
mod input;
pub mod keys;
mod limits;
mod mirror;
mod oauth;
pub mod openapi;
mod people;
mod probes;
mod problem;
mod reading;
mod repeats;
mod resuming;
pub mod roles;
mod routes;
pub mod secrets;
mod server;
mod stopping;
mod stream;
#[cfg(test)]
mod tests;
mod tls;
mod tokens;
mod trail;
mod users;
mod waiting;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use actors::notifier::Listeners;
use actors::{Chores, Clock, Inquiry};
use arc_swap::ArcSwap;
use market::Timestamp;
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, oneshot, watch};

use store::HistoryStore;

use crate::auditor::Auditor;
use crate::collecting::Observed;
use crate::config::{AdminConfig, StrategyConfig, TlsConfig};
use crate::metrics::Metrics;
use crate::metrics::room::Rooms;
use crate::reload::Configurator;

use connections::Lines;
use keys::Ring;
use limits::Limits;
use mirror::Mirror;
use people::People;
use repeats::Repeats;
use secrets::Guesses;
use stream::Streams;
use tls::{Certificates, Files};
use trail::Trail;

/// Its directory in the data directory.
pub const DIRECTORY: &str = "admin";
/// How often certificates, keys and users are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Requests that wait for a disk or a server at the same time.
const MOST_BLOCKING: usize = 4;
/// How long one waits for its turn.
const BLOCKING_PATIENCE: Duration = Duration::from_secs(5);
/// How long the interface may take to end.
const FAREWELL: Duration = Duration::from_secs(6);

/// The interface cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address.
    #[error("admin.listen: {address} cannot be listened on: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate.
    #[error("the interface has no certificate: {0}")]
    Certificate(#[from] tls::CertificateError),
    /// The keys.
    #[error("the interface has no token keys: {0}")]
    Keys(#[from] keys::KeyError),
    /// Secrets.
    #[error(transparent)]
    Secrets(#[from] secrets::SecretError),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// The directory, threads.
    #[error("the interface cannot start: {0}")]
    System(#[from] std::io::Error),
}

pub use users::check_name;
pub use waiting::Waiting;

/// What of the run it tells.
pub struct Facts {
    /// The account's tag.
    pub account: String,
    /// The strategies, by number.
    pub strategies: Vec<StrategyConfig>,
    /// The data directory.
    pub data_directory: PathBuf,
    /// What is kept beside trading.
    pub house: House,
}

/// What a daemon keeps beside trading: stored sessions and the work on them.
#[derive(Clone)]
pub struct House {
    /// Stored sessions.
    pub history: HistoryStore,
    /// Regular work.
    pub chores: Chores,
    /// What sources of market data have answered.
    pub observed: Observed,
}

/// What it is made of.
pub struct Settings {
    /// What the configuration says.
    pub config: AdminConfig,
    /// What of the run it tells.
    pub facts: Facts,
    /// The running tree.
    pub inquiry: Inquiry,
    /// Who may ask.
    pub users: Box<dyn store::Users>,
    /// What they did.
    pub auditor: Auditor,
    /// Changes the configuration.
    pub configurator: Configurator,
    /// The configurations that were in force.
    pub versions: Box<dyn store::ConfigVersions>,
    /// Where it keeps which requests were made.
    pub requests: Box<dyn store::MetaStore>,
    /// What a person must hear, as it is raised.
    pub alerts: Listeners,
}

/// What handlers work with.
struct App {
    facts: Facts,
    inquiry: Inquiry,
    mirror: Mirror,
    people: People,
    ring: ArcSwap<Ring>,
    directory: PathBuf,
    guesses: Guesses,
    limits: Limits,
    repeats: Arc<Repeats>,
    trail: Trail,
    configurator: Configurator,
    versions: Mutex<Box<dyn store::ConfigVersions>>,
    streams: Streams,
    metrics: Metrics,
    rooms: Rooms,
    lines: Arc<Lines>,
    certificates: Option<Arc<Certificates>>,
    rotate_every: Duration,
    blocking: Semaphore,
    stopping: Arc<()>,
    stop: watch::Receiver<bool>,
    clock: Clock,
}

/// The running interface. Dropped, it ends.
pub struct Admin {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    ended: std::sync::mpsc::Receiver<()>,
    #[cfg(test)]
    address: SocketAddr,
    #[cfg(test)]
    app: Arc<App>,
}

impl Admin {
    /// Begins to listen, on threads of its own.
    ///
    /// # Errors
    /// The address, the certificate, the keys or the store cannot be used.
    pub fn start(settings: Settings) -> Result<Self, AdminError> {
        ed25519::install();
        let listen = settings.config.listen;
        let (stop_in, stop) = watch::channel(false);
        let alerts = settings.alerts.subscribe();
        let app = Arc::new(App::new(settings, stop.clone())?);
        let tls = app.certificates.clone().map(tls::server_config).transpose()?;
        let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("admin").enable_all().build()?;
        let (bound_in, bound) = std::sync::mpsc::sync_channel(1);
        let (ended_in, ended) = std::sync::mpsc::sync_channel(1);
        let serving = Arc::clone(&app);
        let thread = std::thread::Builder::new().name("admin".to_owned()).spawn(move || {
            runtime.block_on(async {
                let listener = match server::listen(listen).await {
                    Ok(listener) => listener,
                    Err(error) => return drop(bound_in.send(Err(error))),
                };
                // Whoever started it is waiting for this.
                let _ = bound_in.send(listener.local_addr());
                let lines = Arc::clone(&serving.lines);
                tokio::spawn(look_after(Arc::clone(&serving)));
                tokio::spawn(stream::watch(Arc::clone(&serving)));
                tokio::spawn(stream::forward(Arc::clone(&serving), alerts));
                server::Server { listener, tls, lines, app: serving, stop }.serve().await;
            });
            runtime.shutdown_timeout(server::FAREWELL);
            let _ = ended_in.send(());
        })?;
        let failed = |source| AdminError::Listen { address: listen, source };
        let address = bound.recv().map_err(|_| failed(std::io::ErrorKind::BrokenPipe.into()))?.map_err(failed)?;
        tracing::info!(%address, tls = app.certificates.is_some(), "the admin interface listens");
        Ok(Self {
            stop: stop_in,
            thread: Some(thread),
            ended,
            #[cfg(test)]
            address,
            #[cfg(test)]
            app,
        })
    }

    /// Where it listens.
    #[cfg(test)]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if self.ended.recv_timeout(FAREWELL).is_err() {
            tracing::warn!("the admin interface did not end in time");
        } else if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl App {
    fn new(settings: Settings, stop: watch::Receiver<bool>) -> Result<Self, AdminError> {
        let Settings { config, facts, inquiry, users, auditor, configurator, versions, requests, alerts: _ } = settings;
        let directory = directory(&facts.data_directory)?;
        let clock = Clock::System;
        let certificates = own_or_given(&config, &directory)?;
        Ok(Self {
            mirror: Mirror::of(inquiry.clone()),
            people: People::of(users)?,
            ring: ArcSwap::from_pointee(Ring::open(&directory, clock.now())?),
            guesses: Guesses::new()?,
            limits: Limits::new(),
            repeats: Arc::new(Repeats::of(&facts.account, requests)?),
            trail: Trail::start(auditor.shared())?,
            configurator,
            versions: Mutex::new(versions),
            streams: Streams::default(),
            metrics: Metrics::new(),
            rooms: Rooms::default(),
            lines: Lines::new(config.max_connections),
            certificates,
            rotate_every: Duration::from_secs(u64::from(config.rotate_days) * 86_400),
            blocking: Semaphore::new(MOST_BLOCKING),
            stopping: Arc::default(),
            facts,
            inquiry,
            directory,
            stop,
            clock,
        })
    }

    /// Does something that waits for a disk or a server, beside everything else, a few at a time.
    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, problem::Problem> + Send + 'static,
    ) -> Result<T, problem::Problem> {
        let busy = || problem::UNAVAILABLE.problem("too much is waiting for the store; try again").after(LOOK_EVERY);
        let turn = tokio::time::timeout(BLOCKING_PATIENCE, self.blocking.acquire()).await;
        let _turn = turn.ok().and_then(Result::ok).ok_or_else(busy)?;
        let app = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || work(&app)).await;
        done.unwrap_or_else(|_| Err(problem::INTERNAL.problem("this request failed; the log says more")))
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Looks at what others may have changed: certificate files, keys, users.
    fn look(&self) {
        if let Some(certificates) = &self.certificates {
            match certificates.look() {
                Ok(true) => tracing::info!("another certificate is in force"),
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "the certificate before stays in force"),
            }
        }
        let now = self.now();
        let due = self.ring.load().is_due(self.rotate_every, now);
        let read = if due { Ring::rotated(&self.directory, now) } else { Ring::open(&self.directory, now) };
        match read {
            Ok(ring) => {
                if ring.newest().name != self.ring.load().newest().name {
                    tracing::info!(key = ring.newest().name, keys = ring.len(), "another key signs tokens");
                }
                self.ring.store(Arc::new(ring));
            }
            Err(error) => tracing::error!(%error, "the token keys before stay in force"),
        }
        self.people.look(now);
    }
}

/// What it shows who it is by; nothing without TLS.
fn own_or_given(config: &AdminConfig, directory: &Path) -> Result<Option<Arc<Certificates>>, tls::CertificateError> {
    let certificates = match &config.tls {
        TlsConfig::Off => return Ok(None),
        TlsConfig::Own => Certificates::own(directory, config.listen.ip())?,
        TlsConfig::Files { certificate, key } => {
            Certificates::of_files(Files { certificate: certificate.clone(), key: key.clone() })?
        }
    };
    tracing::info!(certificate = %certificates.certificate_file().display(), "the interface's certificate");
    Ok(Some(Arc::new(certificates)))
}

/// The interface's directory, which nobody else may enter.
///
/// # Errors
/// It cannot be made.
pub fn directory(data_directory: &Path) -> std::io::Result<PathBuf> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let directory = data_directory.join(DIRECTORY);
    if !directory.is_dir() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(directory)
}

async fn look_after(app: Arc<App>) {
    let mut stop = app.stop.clone();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let looking = Arc::clone(&app);
        let (done_in, done) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            looking.look();
            let _ = done_in.send(());
        });
        // One look at a time: a store that hangs holds up the next look and nothing else.
        let _ = done.await;
    }
}

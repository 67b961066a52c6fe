//! What the interface answers while the daemon stands by: that it lives, that it cannot trade, and why.
//!
//! There is no account to ask then, so this is a small server of its own, at the same address and with the same
//! certificate. Whoever may stop trading does so at the daemon that trades. It goes before the interface comes.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use warp::http::{Method, StatusCode};
use warp::reply::Response;

use super::dispatch::Answer;
use super::probes::{LiveDocument, ReadyDocument};
use super::problem::UNAVAILABLE;
use super::{AdminError, directory, own_or_given, server, tls};
use crate::config::AdminConfig;
use crate::metrics;

/// Connections at the same time: probes and a scraper.
const MOST: usize = 32;
/// The longest that one may take, from its handshake to its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The system gives no more connections: how long until it is asked again.
const BREATH: Duration = Duration::from_millis(50);

/// The server, until it is dropped.
pub struct Waiting {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    reason: Arc<ArcSwap<String>>,
}

impl Waiting {
    /// Begins to listen, on a thread of its own.
    ///
    /// # Errors
    /// The address or the certificate cannot be used.
    pub fn start(config: &AdminConfig, data_directory: &Path, reason: &str) -> Result<Self, AdminError> {
        let certificates = own_or_given(config, &directory(data_directory)?)?;
        let tls = certificates.map(tls::server_config).transpose()?.map(TlsAcceptor::from);
        let reason = Arc::new(ArcSwap::from_pointee(reason.to_owned()));
        let (stop, stopped) = watch::channel(false);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let address = config.listen;
        let listener =
            runtime.block_on(server::listen(address)).map_err(|source| AdminError::Listen { address, source })?;
        tracing::info!(address = %listener.local_addr()?, tls = tls.is_some(), "the probes listen");
        let told = Arc::clone(&reason);
        let serving = move || runtime.block_on(serve(listener, tls, told, stopped));
        let thread = std::thread::Builder::new().name("probes".to_owned()).spawn(serving)?;
        Ok(Self { stop, thread: Some(thread), reason })
    }

    /// Why it cannot trade, from now on.
    pub fn because(&self, reason: &str) {
        self.reason.store(Arc::new(reason.to_owned()));
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        // Its thread ends at once; what is under way is cut off.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    reason: Arc<ArcSwap<String>>,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(MOST));
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                // One too many is hung up on; a probe comes again.
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
                let (tls, reason) = (tls.clone(), Arc::clone(&reason));
                tokio::spawn(async move {
                    if tokio::time::timeout(PATIENCE, connection(stream, tls, reason)).await.is_err() {
                        tracing::debug!("a probe took too long");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the probes could not take a connection");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, reason: Arc<ArcSwap<String>>) {
    match tls {
        None => exchange(stream, reason).await,
        Some(acceptor) => match acceptor.accept(stream).await {
            Ok(stream) => exchange(stream, reason).await,
            Err(error) => tracing::debug!(%error, "no TLS handshake"),
        },
    }
}

async fn exchange(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, reason: Arc<ArcSwap<String>>) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let answer = answer(request.method(), request.uri().path(), &reason.load());
        async move { Ok::<_, Infallible>(answer) }
    });
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = http.await {
        tracing::debug!(%error, "a connection to the probes broke");
    }
}

fn answer(method: &Method, path: &str, reason: &str) -> Response {
    let is_asked = method == Method::GET;
    match path {
        "/livez" if is_asked => Answer::json(&LiveDocument { live: true }).response(),
        "/readyz" if is_asked => {
            let document = ReadyDocument { ready: false, reasons: vec![reason.to_owned()] };
            Answer::json(&document).with_status(StatusCode::SERVICE_UNAVAILABLE).response()
        }
        "/metrics" if is_asked => Answer::of(metrics::CONTENT, metrics::waiting().into_bytes()).response(),
        _ => UNAVAILABLE.problem(format!("{reason}: ask the daemon that trades the account")).response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lives_is_not_ready_and_does_nothing_else() {
        for (method, path, status) in [
            (Method::GET, "/livez", 200),
            (Method::GET, "/readyz", 503),
            (Method::GET, "/metrics", 200),
            (Method::POST, "/livez", 503),
            (Method::POST, "/v1/kill", 503),
            (Method::GET, "/v1/state", 503),
            (Method::GET, "/", 503),
        ] {
            assert_eq!(answer(&method, path, "standing by").status(), status, "{method} {path}");
        }
    }
}

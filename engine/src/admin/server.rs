//! The listening side: TCP, TLS, HTTP/1.1, and how long each of them may take.
//!
//! Only HTTP/1.1 is spoken: the interface needs no streams beside each other, and what is not there
//! cannot be abused. Every wait ends: the handshake, the header, the body (see `dispatch`), an idle
//! connection, and a connection's life as a whole.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use warp::http::Method;
use warp::reply::Response;

use super::App;
use super::connections::Lines;
use super::dispatch::{Peer, routes};
use super::problem::{INTERNAL, NOT_FOUND};

/// Longest TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Longest wait for a whole request header, the idle time before it included.
const HEADER: Duration = Duration::from_secs(10);
/// Largest header, request line included.
const HEADER_BYTES: usize = 16 * 1024;
/// Most header fields.
const HEADER_FIELDS: usize = 64;
/// A connection is asked to end after this long, whatever it does; streams of events are none of these.
const LIFE: Duration = Duration::from_secs(600);
/// How long one that was asked to end may still take.
pub const FAREWELL: Duration = Duration::from_secs(3);
/// The system gives no more connections: how long until it is asked again.
const BREATH: Duration = Duration::from_millis(50);

/// What a server is made of.
pub struct Server {
    /// Where it listens.
    pub listener: TcpListener,
    /// TLS; nothing for plain HTTP on the loopback address.
    pub tls: Option<Arc<ServerConfig>>,
    /// The open connections.
    pub lines: Arc<Lines>,
    /// What it serves.
    pub app: Arc<App>,
    /// Becomes true when it must end.
    pub stop: watch::Receiver<bool>,
}

impl Server {
    /// Serves until it is told to stop, then lets what is under way come to its end, within limits.
    pub async fn serve(mut self) {
        let acceptor = self.tls.take().map(TlsAcceptor::from);
        let mut stopped = self.stop.clone();
        let mut open = tokio::task::JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = stopped.wait_for(|stop| *stop) => break,
                accepted = self.listener.accept() => accepted,
                Some(_) = open.join_next() => continue,
            };
            match accepted {
                Ok((stream, address)) => {
                    let Some(line) = self.lines.admit() else { continue };
                    let peer = Peer { address, line: Arc::new(line) };
                    open.spawn(connection(stream, acceptor.clone(), peer, Arc::clone(&self.app), self.stop.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "the interface could not take a connection");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
        drop(self.listener);
        let ended = async {
            while open.join_next().await.is_some() {}
            self.app.streams.ended().await;
        };
        if tokio::time::timeout(FAREWELL + BREATH, ended).await.is_err() {
            tracing::warn!("connections to the interface were cut");
        }
    }
}

async fn connection(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    peer: Peer,
    app: Arc<App>,
    stop: watch::Receiver<bool>,
) {
    // A few hundred bytes back and forth: waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    let line = Arc::clone(&peer.line);
    let served = async {
        match acceptor {
            None => exchange(stream, peer, app, stop).await,
            Some(acceptor) => match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => exchange(stream, peer, app, stop).await,
                Ok(Err(error)) => tracing::debug!(%error, "no TLS handshake"),
                Err(_) => tracing::debug!("a TLS handshake took too long"),
            },
        }
    };
    tokio::select! {
        () = served => {}
        () = line.closing() => tracing::debug!("a connection was closed for a newer one"),
    }
}

async fn exchange<S>(stream: S, peer: Peer, app: Arc<App>, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let warped = TowerToHyperService::new(warp::service(routes(app)));
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        // A proxy is asked so, and the server as a whole: this is neither, and warp takes paths apart only.
        let is_path = request.uri().path().starts_with('/') && request.method() != Method::CONNECT;
        // A task of its own, begun before the connection is looked at again: whoever sends a request and hangs up has
        // made it all the same. It ends by itself, because reading and handling it have their limits.
        let answered = is_path.then(|| tokio::spawn(warped.call(request)));
        async move {
            let Some(answered) = answered else { return Ok(no_path()) };
            Ok::<_, Infallible>(answered.await.map_or_else(|_| failed(), |Ok(response)| response))
        }
    });
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER)
        .max_header_size(HEADER_BYTES)
        .max_headers(HEADER_FIELDS)
        .max_buf_size(2 * HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut http = std::pin::pin!(http);
    let life = tokio::time::sleep(LIFE);
    tokio::select! {
        done = http.as_mut() => return told(done),
        _ = stop.wait_for(|stop| *stop) => {}
        () = life => {}
    }
    http.as_mut().graceful_shutdown();
    if let Ok(done) = tokio::time::timeout(FAREWELL, http).await {
        told(done);
    }
}

fn no_path() -> Response {
    NOT_FOUND.problem("this is no proxy; ask for a path such as /v1/state").response()
}

/// A request that panicked; the log has where.
fn failed() -> Response {
    INTERNAL.problem("this request failed; the log says more").response()
}

fn told(done: hyper::Result<()>) {
    if let Err(error) = done {
        tracing::debug!(%error, "a connection to the interface broke");
    }
}

/// Begins to listen.
///
/// # Errors
/// The address cannot be had.
pub async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

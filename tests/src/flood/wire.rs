//! HTTP/1.1 over TLS, spoken byte by byte: a flood wants to send what no client library would.

use std::io::{Error, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The longest wait for an answer: whoever waits longer has been forgotten.
const PATIENCE: Duration = Duration::from_secs(30);
/// No answer to a flood is longer.
const LONGEST: usize = 1 << 20;

/// Where the interface is, and whom it must be.
#[derive(Clone)]
pub struct Place {
    address: SocketAddr,
    connector: TlsConnector,
}

/// One connection, kept for request after request.
pub struct Line {
    stream: TlsStream<tokio::net::TcpStream>,
    /// What was read beyond the answer before.
    left: Vec<u8>,
}

/// One answer.
pub struct Told {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
    /// The other side ends the connection after it.
    pub ends: bool,
}

impl Place {
    /// The interface at this address, which shows this certificate. No handshake is shortened by one before.
    ///
    /// # Errors
    /// The certificate cannot be read.
    pub fn new(address: SocketAddr, certificate: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let mut roots = RootCertStore::empty();
        for one in CertificateDer::pem_file_iter(certificate)? {
            roots.add(one?)?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(Self { address, connector: TlsConnector::from(Arc::new(config)) })
    }

    /// A new connection from this address of ours.
    ///
    /// # Errors
    /// It is refused, or breaks off in the handshake.
    pub async fn connect(&self, from: IpAddr) -> std::io::Result<Line> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(from, 0))?;
        let connecting = async {
            let stream = socket.connect(self.address).await?;
            stream.set_nodelay(true)?;
            self.connector.connect(ServerName::from(self.address.ip()), stream).await
        };
        Ok(Line { stream: in_time(connecting).await?, left: Vec::new() })
    }
}

impl Line {
    /// Sends these bytes and takes the one answer that they get.
    ///
    /// # Errors
    /// The connection breaks off, or there is no answer in time.
    pub async fn exchange(&mut self, request: &[u8]) -> std::io::Result<Told> {
        in_time(async {
            self.stream.write_all(request).await?;
            self.stream.flush().await?;
            self.answer().await
        })
        .await
    }

    async fn answer(&mut self) -> std::io::Result<Told> {
        let head = loop {
            if let Some(place) = self.left.windows(4).position(|four| four == b"\r\n\r\n") {
                break place + 4;
            }
            self.more().await?;
        };
        let text = String::from_utf8_lossy(&self.left[..head]).to_ascii_lowercase();
        let field = |name: &str| {
            let lines = text.lines().filter_map(|line| line.split_once(':'));
            lines.filter(|(found, _)| *found == name).map(|(_, value)| value.trim().to_owned()).next()
        };
        let bad = || Error::new(ErrorKind::InvalidData, "an answer that is none");
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(bad)?;
        let length: usize = field("content-length").map_or(Ok(0), |length| length.parse().map_err(|_| bad()))?;
        let ends = field("connection").is_some_and(|value| value == "close");
        while self.left.len() < head + length {
            self.more().await?;
        }
        let body = self.left[head..head + length].to_vec();
        self.left.drain(..head + length);
        Ok(Told { status, body, ends })
    }

    async fn more(&mut self) -> std::io::Result<()> {
        let mut buffer = [0; 4_096];
        match self.stream.read(&mut buffer).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ if self.left.len() > LONGEST => Err(Error::new(ErrorKind::InvalidData, "an answer without an end")),
            read => {
                self.left.extend_from_slice(&buffer[..read]);
                Ok(())
            }
        }
    }
}

async fn in_time<T>(doing: impl Future<Output = std::io::Result<T>>) -> std::io::Result<T> {
    tokio::time::timeout(PATIENCE, doing).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

/// The bytes of a request.
pub fn request(method: &str, path: &str, fields: &[(&str, &str)], body: &str) -> Vec<u8> {
    let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{fields}{length}\r\n{body}").into_bytes()
}

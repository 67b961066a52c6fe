//! Builds an interface on a running tree, and speaks to it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use actors::feed::{FeedError, Pace};
use actors::notifier::{Listeners, NotifierSettings};
use actors::system::shared;
use actors::{Clock, FeedSource, Notifier, Polled, System};
use market::{MarketEvent, Price, Quantity, Quote, Timestamp};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use store::{EmbeddedStore, SecretHash, User, Users};
use tempfile::TempDir;
use tests::World;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::admin::roles::Role;
use crate::admin::{Admin, Facts, Settings, ed25519, secrets, tokens};
use crate::auditor::Auditor;
use crate::config::{AdminConfig, Overrides, TlsConfig};

/// Long enough for a busy machine; it only ends a test that hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// The secret of everybody on the stage.
pub(super) const SECRET: &str = "pregao_the-secret-of-everybody";

/// An interface on a running tree.
pub(super) struct Stage {
    pub(super) admin: Admin,
    pub(super) system: System,
    /// Events that the feed brings next.
    pub(super) feed: Sender<MarketEvent>,
    pub(super) store: EmbeddedStore,
    pub(super) room: TempDir,
    /// The channels of alerts, for as long as something may be raised.
    _notifier: Notifier,
}

/// Brings what a test sends.
struct Fed(Receiver<MarketEvent>);

impl FeedSource for Fed {
    fn poll(&mut self) -> Result<Polled, FeedError> {
        Ok(self.0.try_recv().map_or(Polled::Idle, Polled::Event))
    }
}

/// One response.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Told {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    /// It came to nothing, with this status, and says so in a problem document.
    #[track_caller]
    pub(super) fn is_problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let document = self.json();
        assert_eq!(document["status"], status, "{document}");
        for key in ["type", "title", "detail"] {
            assert!(document[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {document}");
        }
        document
    }
}

impl Stage {
    /// With a viewer `vera`, an operator `otto` and an admin `ana`.
    pub(super) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, configured otherwise.
    pub(super) async fn with(configure: impl FnOnce(&mut AdminConfig)) -> Self {
        ed25519::install();
        let room = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(room.path()).unwrap();
        let hash = SecretHash::new(secrets::hash(SECRET).unwrap()).unwrap();
        let long_ago = Clock::System.now().plus_nanos(-3_600_000_000_000);
        for (name, role) in [("vera", Role::Viewer), ("otto", Role::Operator), ("ana", Role::Admin)] {
            store.users().unwrap().create(&User::new(name, role.name(), hash.clone(), long_ago)).unwrap();
        }
        let (feed, fed) = channel();
        let mut config = AdminConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: TlsConfig::Own,
            rotate_days: 30,
            max_connections: 64,
        };
        configure(&mut config);
        let world = World::random(7, 3, 20, 12);
        let mut settings = world.system();
        (settings.source, settings.pace) = (shared(Fed(fed)), Pace::Live(Duration::from_millis(2)));
        let alerts = Listeners::default();
        let channels = NotifierSettings { listeners: alerts.clone(), ..NotifierSettings::default() };
        let notifier = Notifier::start(&channels).unwrap();
        settings.alerts = notifier.alerts();
        let system = System::start(settings).await.unwrap();
        let file = room.path().join("pregao.toml");
        let second = "[halt]\nsecond_person = true\n";
        std::fs::write(&file, format!("{}\n{second}", crate::config::EXAMPLE)).unwrap();
        let overrides = Overrides { file: Some(file), data_directory: Some(room.path().to_owned()) };
        let auditor = Auditor::new(Box::new(store.audit().unwrap()));
        let loaded = crate::config::load_effective(&overrides).unwrap();
        let began = crate::reload::begin(&overrides, loaded, &store, auditor.clone()).unwrap();
        let configurator = began.running(overrides, system.inquiry(), tokio::runtime::Handle::current());
        let facts = Facts {
            account: "TEST".to_owned(),
            strategies: crate::config::from_text("pregao.toml", crate::config::EXAMPLE).unwrap().strategies,
            data_directory: room.path().to_owned(),
            house: crate::admin::House {
                history: store::HistoryStore::Embedded(store.clone()),
                chores: actors::Chores::new(vec![Box::new(Idle)]),
                observed: asked_once(),
            },
        };
        let settings = Settings {
            config,
            facts,
            inquiry: system.inquiry(),
            users: Box::new(store.users().unwrap()),
            auditor,
            configurator,
            versions: Box::new(store.config_versions().unwrap()),
            requests: Box::new(store.meta().unwrap()),
            alerts,
        };
        let admin = Admin::start(settings).unwrap();
        Self { admin, system, feed, store, room, _notifier: notifier }
    }

    /// A token as the interface itself would issue it.
    pub(super) fn token(&self, client_id: &str, role: Role) -> String {
        let app = &self.admin.app;
        tokens::issue(&app.ring.load(), client_id, role, app.now()).unwrap()
    }

    /// A token of the person on the stage who has that role.
    pub(super) fn of(&self, role: Role) -> String {
        self.token(name_of(role), role)
    }

    /// The certificate, as clients are to trust it.
    pub(super) fn certificate(&self) -> Vec<CertificateDer<'static>> {
        certificates(&self.room.path().join("admin/certificate.pem"))
    }

    /// A TLS connection.
    pub(super) async fn connect(&self) -> TlsStream<TcpStream> {
        let trusted = self.certificate();
        connect(self.admin.address(), trusted).await.unwrap()
    }

    /// Sends bytes and reads one response.
    pub(super) async fn raw(&self, request: impl AsRef<[u8]>) -> Told {
        let mut stream = self.connect().await;
        // Whoever is refused early is not read to the end.
        let _ = stream.write_all(request.as_ref()).await;
        response(&mut stream).await
    }

    /// Sends a request with a token.
    pub(super) async fn ask(&self, method: &str, path: &str, token: &str, body: Option<&str>) -> Told {
        self.ask_with(method, path, &format!("Authorization: Bearer {token}\r\n"), body).await
    }

    /// Sends a request with these header lines, each ended by CRLF.
    pub(super) async fn ask_with(&self, method: &str, path: &str, headers: &str, body: Option<&str>) -> Told {
        self.raw(request(method, path, headers, body)).await
    }

    /// Asks for a token with a secret.
    pub(super) async fn log_in(&self, client_id: &str, secret: &str) -> Told {
        let form = format!("grant_type=client_credentials&client_id={client_id}&client_secret={secret}");
        self.form(&form).await
    }

    /// Sends a form to the token endpoint.
    pub(super) async fn form(&self, form: &str) -> Told {
        let headers = format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n", form.len());
        self.raw(format!("POST /oauth/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n{form}")).await
    }

    /// Brings a quote of the first instrument, and waits until it is known.
    pub(super) async fn quote(&self, cents: i64) {
        let inquiry = self.system.inquiry();
        let first = inquiry.universe().ids().next().unwrap();
        let price = |cents| Price::from_cents(cents).unwrap();
        let quote = Quote {
            at: inquiry.clock().now().plus_nanos(cents),
            instrument: first,
            bid: price(cents),
            ask: price(cents + 1),
            bid_size: Quantity::new(100),
            ask_size: Quantity::new(100),
        };
        self.feed.send(MarketEvent::Quote(quote)).unwrap();
        until("the quote is known", || inquiry.quote(first).bid == price(cents)).await;
    }
}

/// Who has that role on the stage.
pub(super) fn name_of(role: Role) -> &'static str {
    match role {
        Role::Viewer => "vera",
        Role::Operator => "otto",
        Role::Admin => "ana",
    }
}

/// A request, byte by byte.
pub(super) fn request(method: &str, path: &str, headers: &str, body: Option<&str>) -> String {
    let body_headers = body.map_or_else(String::new, |body| {
        format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len())
    });
    let body = body.unwrap_or_default();
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}{body_headers}\r\n{body}")
}

/// The certificates of a PEM file.
pub(super) fn certificates(path: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path).unwrap().map(Result::unwrap).collect()
}

/// A TLS connection to whoever shows one of these certificates.
pub(super) async fn connect(
    address: SocketAddr,
    trusted: Vec<CertificateDer<'static>>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add(certificate).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// Reads one response to its end, or to the end of the connection.
pub(super) async fn response(stream: &mut (impl AsyncReadExt + Unpin)) -> Told {
    let reading = async {
        let mut bytes = Vec::new();
        let mut part = [0; 16 * 1024];
        loop {
            if let Some(told) = whole(&bytes) {
                return told;
            }
            match stream.read(&mut part).await {
                Ok(0) | Err(_) => return parsed(&bytes, bytes.len()),
                Ok(count) => bytes.extend_from_slice(&part[..count]),
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("a response, or the end of the connection")
}

/// The response, once all of it is there.
fn whole(bytes: &[u8]) -> Option<Told> {
    let text = String::from_utf8_lossy(bytes);
    let (head, _) = text.split_once("\r\n\r\n")?;
    let told = Told { status: 0, head: head.to_owned(), body: String::new() };
    let length: usize = told.header("content-length")?.parse().ok()?;
    let end = head.len() + 4 + length;
    (bytes.len() >= end).then(|| parsed(bytes, end))
}

/// A response of which that much is there.
pub(super) fn parsed(bytes: &[u8], end: usize) -> Told {
    let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    // Nothing at all was answered: zero.
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Told { status, head: head.to_owned(), body: body.to_owned() }
}

/// Waits until something holds.
pub(super) async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "{what}: not within a minute");
}

/// A chore that is never due.
struct Idle;

impl actors::Chore for Idle {
    fn name(&self) -> &str {
        "idle"
    }

    fn is_due(&mut self, _: Timestamp) -> bool {
        false
    }

    fn run(&mut self, _: Timestamp, _: &std::sync::atomic::AtomicBool) -> Result<String, actors::ChoreError> {
        Ok("nothing".to_owned())
    }
}

/// What one answer of a source leaves.
fn asked_once() -> crate::collecting::Observed {
    use feeds::fetch::{Observer, Outcome, Try};
    let observed = crate::collecting::Observed::default();
    observed.tried(&Try {
        source: market::history::SourceName::of("b3_cotahist"),
        key: "day".to_owned(),
        number: 1,
        outcome: Outcome::Kept,
        problem: None,
        bytes: 1,
        items: 1,
        took: std::time::Duration::ZERO,
        at: Timestamp::from_nanos(0),
        newest: None,
    });
    observed
}

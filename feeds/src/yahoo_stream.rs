//! Prices as Yahoo pushes them over a WebSocket: connected, lost, connected again, without end.
//!
//! **Off until it is switched on**, as [`crate::sources::yahoo`] and for the same reason; how old its
//! prices of B3 are is not known, so they count as delayed. For experiments, never to price an order.
//!
//! [`YahooStream::next`] tells one thing after another: a connection made, a price, a message that makes
//! no sense, a connection lost and why. Behind it:
//!
//! - after a loss it waits (a pause that doubles and is never quite the same), connects, and subscribes to
//!   everything again; the first price makes the pause short again, a mere connection does not;
//! - it watches for silence by prices, not by pings: a connection that only keeps itself alive is lost too;
//! - messages are bounded, and a bad one is dropped and told, not guessed at.
//!
//! Dropping the future of `next` loses no price that was told: it can stand in a `select!`. Source:
//! `market-data-sources.md` 5 (address, subscription, fields).

mod pricing;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, Stream, StreamExt};
use market::Symbol;
use market::history::{DelayClass, SourceName};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

pub use pricing::{Pricing, PricingError, read as read_pricing};

use crate::fetch::{Time, beginning};
use crate::source::{SourceError, SourceQuote};
use crate::sources::json::Document;
use crate::sources::yahoo::name_of;
use crate::trust::{SetUpError, roots};

/// Its name.
pub const NAME: &str = "yahoo_stream";
/// Why it is off until the configuration switches it on.
pub const OFF_BECAUSE: &str = "Yahoo's terms forbid programs; switch it on if you have an agreement with them";

const SOURCE: SourceName = SourceName::of(NAME);
const ADDRESS: &str = "wss://streamer.finance.yahoo.com/?version=2";

/// Longest message. A price has some 250 bytes.
const MOST_BYTES: usize = 64 * 1024;
/// Instruments of one connection.
const MOST_SYMBOLS: usize = 500;

/// How patient it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    /// For a connection, and for the subscription to leave.
    pub connect: Duration,
    /// Without a price, before a connection counts as lost. Prices are told in the session only, so ask
    /// for them in the session only.
    pub silence: Duration,
    /// Before the second try; it doubles from there.
    pub first_pause: Duration,
    /// At most.
    pub longest_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            silence: Duration::from_secs(60),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
        }
    }
}

/// What there is to tell.
#[derive(Debug)]
pub enum Told {
    /// Connected, and everything is subscribed to.
    Connected,
    /// A price.
    Quote(SourceQuote),
    /// A message that was dropped.
    Dropped(Dropped),
    /// The connection is gone, or was never made; another try follows by itself.
    Lost(Lost),
}

/// Why a message was dropped.
#[derive(Debug, Error)]
pub enum Dropped {
    /// It is not the JSON that it should be.
    #[error(transparent)]
    NotJson(SourceError),
    /// What it holds is no base64.
    #[error("{SOURCE}: a message is no base64: {0}")]
    NotBase64(String),
    /// What it holds is no price.
    #[error("{SOURCE}: a message is no price")]
    NotPricing(#[source] PricingError),
    /// A price of something that nobody asked for.
    #[error("{SOURCE}: a price of '{0}' came, which was not asked for")]
    Unasked(String),
    /// A binary message.
    #[error("{SOURCE}: a message is no text")]
    Binary,
}

/// Why a connection is gone.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Lost {
    /// It was not made.
    #[error("{SOURCE}: no connection: {0}")]
    NotConnected(String),
    /// It was not made, or not subscribed, in time.
    #[error("{SOURCE}: no connection in time")]
    NotInTime,
    /// No price came for too long.
    #[error("{SOURCE}: connected, and no price for {0:?}")]
    Silent(Duration),
    /// It broke, or the other side closed it.
    #[error("{SOURCE}: the connection broke: {0}")]
    Broken(String),
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The stream.
pub struct YahooStream {
    address: String,
    symbols: Vec<(String, Symbol)>,
    patience: Patience,
    connector: Connector,
    time: Arc<dyn Time>,
    socket: Option<Socket>,
    /// When the silence has been too long.
    deadline: Instant,
    /// Losses since the last price.
    losses: u32,
    /// When the next try may be made.
    not_before: Instant,
}

impl YahooStream {
    /// Of these symbols, from Yahoo's own address or another. `certificates` as for the fetcher.
    ///
    /// # Errors
    /// The file of certificates is no good.
    pub fn new(
        address: Option<String>,
        symbols: &[Symbol],
        patience: Patience,
        certificates: Option<&Path>,
        time: Arc<dyn Time>,
    ) -> Result<Self, SetUpError> {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots(certificates)?);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| SetUpError::NoTls(error.to_string()))?
            .with_root_certificates(store)
            .with_no_client_auth();
        let now = Instant::now();
        Ok(Self {
            address: address.unwrap_or_else(|| ADDRESS.to_owned()),
            symbols: symbols.iter().take(MOST_SYMBOLS).map(|symbol| (name_of(*symbol), *symbol)).collect(),
            patience,
            connector: Connector::Rustls(Arc::new(config)),
            time,
            socket: None,
            deadline: now,
            losses: 0,
            not_before: now,
        })
    }

    /// What there is to tell next. It never ends by itself.
    pub async fn next(&mut self) -> Told {
        loop {
            let Some(socket) = &mut self.socket else { return self.connect().await };
            let message = match timeout_at(self.deadline, socket.next()).await {
                Err(_) => return self.lost(Lost::Silent(self.patience.silence)),
                Ok(None) => return self.lost(Lost::Broken("it was closed".to_owned())),
                Ok(Some(Err(error))) => return self.lost(Lost::Broken(error.to_string())),
                Ok(Some(Ok(message))) => message,
            };
            let told = match message {
                Message::Text(text) => decode(&text, &self.symbols),
                Message::Binary(_) => Err(Dropped::Binary),
                Message::Close(_) => return self.lost(Lost::Broken("it was closed".to_owned())),
                // Answered by the library, and no sign that prices come.
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(None),
            };
            match told {
                Ok(Some(quote)) => {
                    self.losses = 0;
                    self.deadline = Instant::now() + self.patience.silence;
                    return Told::Quote(quote);
                }
                // A flood of anything else is silence too, though there is always something to read.
                _ if Instant::now() >= self.deadline => return self.lost(Lost::Silent(self.patience.silence)),
                Ok(None) => {}
                Err(dropped) => return Told::Dropped(dropped),
            }
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Told> {
        futures_util::stream::unfold(self, |mut stream| async move {
            let told = stream.next().await;
            Some((told, stream))
        })
    }

    async fn connect(&mut self) -> Told {
        tokio::time::sleep_until(self.not_before).await;
        // Counted now: whoever drops this future half-way waits before the next try as well.
        self.pause();
        let config = WebSocketConfig::default().max_message_size(Some(MOST_BYTES)).max_frame_size(Some(MOST_BYTES));
        let names: Vec<&str> = self.symbols.iter().map(|(name, _)| name.as_str()).collect();
        let subscription = serde_json::json!({ "subscribe": names }).to_string();
        let (address, connector) = (self.address.as_str(), self.connector.clone());
        let connected = timeout(self.patience.connect, async {
            let connecting = connect_async_tls_with_config(address, Some(config), true, Some(connector));
            let (mut socket, _) = connecting.await?;
            socket.send(Message::text(subscription)).await?;
            Ok::<_, tokio_tungstenite::tungstenite::Error>(socket)
        });
        match connected.await {
            Ok(Ok(socket)) => {
                self.socket = Some(socket);
                self.deadline = Instant::now() + self.patience.silence;
                Told::Connected
            }
            Ok(Err(error)) => Told::Lost(Lost::NotConnected(error.to_string())),
            Err(_) => Told::Lost(Lost::NotInTime),
        }
    }

    fn lost(&mut self, why: Lost) -> Told {
        self.socket = None;
        Told::Lost(why)
    }

    /// Notes a try: how long the next one has to wait.
    fn pause(&mut self) {
        let doubled = self.patience.first_pause * 2_u32.saturating_pow(self.losses);
        let half = doubled.min(self.patience.longest_pause) / 2;
        let parts = u32::try_from(self.time.chance() % 1_001).unwrap_or_default();
        self.not_before = Instant::now() + half + half * parts / 1_000;
        self.losses = self.losses.saturating_add(1);
    }
}

/// A text message to a price; none for what is no price (a confirmation, a heartbeat).
fn decode(text: &str, symbols: &[(String, Symbol)]) -> Result<Option<SourceQuote>, Dropped> {
    let document = Document::of(SOURCE, text.to_owned()).map_err(Dropped::NotJson)?;
    let fields = document.root().and_then(|root| root.object()).map_err(Dropped::NotJson)?;
    if let Some(kind) = fields.optional("type")
        && kind.text().map_err(Dropped::NotJson)? != "pricing"
    {
        return Ok(None);
    }
    let packed = fields.field("message").and_then(|message| message.text()).map_err(Dropped::NotJson)?;
    let bytes = STANDARD.decode(&packed).map_err(|_| Dropped::NotBase64(beginning(packed.as_bytes())))?;
    let told = pricing::read(&bytes).map_err(Dropped::NotPricing)?;
    let named = symbols.iter().find(|(name, _)| *name == told.id);
    let (_, symbol) = named.ok_or_else(|| Dropped::Unasked(beginning(told.id.as_bytes())))?;
    Ok(Some(SourceQuote {
        source: SOURCE,
        symbol: *symbol,
        at: told.at,
        last: told.price,
        bid: told.bid,
        ask: told.ask,
        volume: told.day_volume,
        delay: DelayClass::Delayed,
    }))
}

#[cfg(test)]
mod tests;

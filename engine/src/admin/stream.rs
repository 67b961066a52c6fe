//! `/v1/stream`: quotes, orders, fills and alerts over a WebSocket, as they come.
//!
//! One watcher looks at how things stand, a few times a second and only while somebody listens, and tells
//! everybody what is new. Nobody's queue grows: quotes are read from the board when there is room to send
//! one, so the latest wins; whoever does not take orders, fills and alerts in time is let go with a close
//! code, because a gap in them would look like nothing had happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actors::account::Snapshot;
use actors::notifier::Alert;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use market::{InstrumentId, TopOfBook};
use serde::Serialize;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::MissedTickBehavior;
use warp::Reply;
use warp::http::header;
use warp::ws::{Message, WebSocket};

use crate::answers::{self, FillDocument, HaltDocument, OrderDocument, QuoteDocument};

use super::App;
use super::dispatch::{Call, Client, Handled, Peer};
use super::problem::{MALFORMED, Problem, TOO_MANY, UPGRADE};

/// How often the watcher looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often quotes are told.
const QUOTES_EVERY: Duration = Duration::from_millis(200);
/// How often a client is asked whether it is there, and looked up among those who may listen.
const PING_EVERY: Duration = Duration::from_secs(10);
/// A client that says nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(30);
/// The longest that one message may take to be sent.
const SEND_PATIENCE: Duration = Duration::from_secs(5);
/// Events that wait for the slowest client.
const MOST_WAITING: usize = 1_024;
/// How often the end of the interface looks whether streams have ended.
const ENDED_EVERY: Duration = Duration::from_millis(10);
/// Streams of one client, and of all.
const MOST_OF_ONE: usize = 4;
const MOST_OF_ALL: usize = 32;
/// What a client may say: nothing but pings and its farewell.
const LONGEST_MESSAGE: usize = 4 * 1024;

/// Close codes of our own (4000–4999 are free for that).
const TOKEN_ENDED: u16 = 4001;
const SHUT_OUT: u16 = 4003;
const TOO_SLOW: u16 = 4008;
/// And of RFC 6455.
const GOING_AWAY: u16 = 1001;
const NOT_TAKEN: u16 = 1003;

/// What a stream tells.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A price changed.
    Quote(QuoteDocument),
    /// An order is new, or has changed.
    Order(OrderDocument),
    /// An order is open no longer.
    OrderEnded {
        /// Which.
        client_order_id: String,
    },
    /// A fill was applied.
    Fill(FillDocument),
    /// Fills were taken back: these many stand now.
    FillsTakenBack {
        /// How many stand.
        fills: u64,
    },
    /// Something was raised that a person must hear, or what is stopped has changed.
    Alert {
        /// In words.
        message: String,
        /// Every scope that is not active.
        halts: Vec<HaltDocument>,
        /// What was raised, as every channel tells it.
        #[serde(skip_serializing_if = "Option::is_none")]
        raised: Option<Arc<Alert>>,
    },
}

impl Event {
    const fn topic(&self) -> &'static str {
        match self {
            Self::Quote(_) => "quotes",
            Self::Order(_) | Self::OrderEnded { .. } => "orders",
            Self::Fill(_) | Self::FillsTakenBack { .. } => "fills",
            Self::Alert { .. } => "alerts",
        }
    }
}

/// Who listens.
pub struct Streams {
    events: broadcast::Sender<Arc<Event>>,
    open: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Default for Streams {
    fn default() -> Self {
        Self { events: broadcast::channel(MOST_WAITING).0, open: Arc::default() }
    }
}

/// A place among those who listen.
struct Place {
    client_id: String,
    open: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Streams {
    /// Waits until nobody listens any more; each stream ends when the interface does.
    pub async fn ended(&self) {
        while !self.open.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            tokio::time::sleep(ENDED_EVERY).await;
        }
    }

    fn admit(&self, client_id: &str) -> Result<Place, Problem> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let own = open.entry(client_id.to_owned()).or_default();
        if *own >= MOST_OF_ONE || all >= MOST_OF_ALL {
            let detail = format!("{MOST_OF_ONE} streams of a client and {MOST_OF_ALL} of all can be open");
            return Err(TOO_MANY.problem(detail).after(PING_EVERY));
        }
        *own += 1;
        Ok(Place { client_id: client_id.to_owned(), open: Arc::clone(&self.open) })
    }
}

#[cfg(test)]
impl Streams {
    /// Tells everybody something.
    pub fn tell(&self, event: Event) {
        let _ = self.events.send(Arc::new(event));
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        self.events.receiver_count()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.client_id) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.client_id);
            }
        }
    }
}

/// `GET /v1/stream`.
///
/// # Errors
/// It is no WebSocket; a topic that there is not; too many listen.
pub async fn open(app: Arc<App>, call: Call) -> Result<Handled, Problem> {
    let topics = topics(call.query.value::<String>("topics")?.as_deref())?;
    let Some(upgrade) = call.upgrade else {
        let detail = "this is a WebSocket: send Upgrade: websocket, version 13";
        return Err(UPGRADE.problem(detail).with_header(header::UPGRADE, "websocket".to_owned()));
    };
    let Some(client) = call.client else { return Err(Problem::unauthenticated("")) };
    let place = app.streams.admit(&client.id)?;
    let peer = call.peer;
    let upgrade = upgrade.max_message_size(LONGEST_MESSAGE).max_frame_size(LONGEST_MESSAGE);
    let reply = upgrade.on_upgrade(move |socket| async move {
        let _place = place;
        told(&app, socket, &topics, &client, &peer).await;
    });
    Ok(Handled::Upgraded(reply.into_response()))
}

fn topics(text: Option<&str>) -> Result<BTreeSet<&'static str>, Problem> {
    const ALL: [&str; 4] = ["quotes", "orders", "fills", "alerts"];
    let Some(text) = text else { return Ok(ALL.into()) };
    text.split(',')
        .map(|word| {
            ALL.into_iter().find(|topic| *topic == word).ok_or_else(|| {
                let word: String = word.chars().take(40).collect();
                MALFORMED.problem(format!("'{word}' is no topic; there are {}", ALL.join(", ")))
            })
        })
        .collect()
}

/// Why a stream ends.
type End = (u16, &'static str);

async fn told(app: &Arc<App>, socket: WebSocket, topics: &BTreeSet<&'static str>, client: &Client, peer: &Peer) {
    let events = app.streams.events.subscribe();
    let (mut out, heard) = socket.split();
    let mut stop = app.stop.clone();
    let end = tokio::select! {
        end = tell(app, &mut out, events, topics, client) => end,
        end = listen(heard) => end,
        () = peer.line.closing() => Some((GOING_AWAY, "a newer connection takes the place")),
        _ = stop.wait_for(|stop| *stop) => Some((GOING_AWAY, "the daemon ends")),
    };
    if let Some((code, reason)) = end {
        tracing::debug!(client = client.id, code, reason, "a stream ends");
        // Whoever is too slow for events may be too slow for this, too.
        let _ = tokio::time::timeout(SEND_PATIENCE, out.send(Message::close_with(code, reason))).await;
        let _ = tokio::time::timeout(SEND_PATIENCE, out.close()).await;
    }
}

/// Takes what the client says: answers to pings, and its farewell. Silence is one, too.
async fn listen(mut heard: SplitStream<WebSocket>) -> Option<End> {
    loop {
        match tokio::time::timeout(SILENCE, heard.next()).await {
            Ok(Some(Ok(message))) if message.is_close() => return None,
            Ok(Some(Ok(message))) if message.is_text() || message.is_binary() => {
                return Some((NOT_TAKEN, "this stream only tells"));
            }
            Ok(Some(Ok(_))) => {}
            Ok(Some(Err(_)) | None) | Err(_) => return None,
        }
    }
}

async fn tell(
    app: &App,
    out: &mut SplitSink<WebSocket, Message>,
    mut events: broadcast::Receiver<Arc<Event>>,
    topics: &BTreeSet<&'static str>,
    client: &Client,
) -> Option<End> {
    let mut quotes = ticks(QUOTES_EVERY);
    let mut pings = ticks(PING_EVERY);
    let mut seen = BTreeMap::new();
    loop {
        let sent = tokio::select! {
            event = events.recv() => match event {
                Ok(event) if topics.contains(event.topic()) => send(out, &event).await,
                Ok(_) => Ok(()),
                Err(RecvError::Lagged(_)) => Err(Some((TOO_SLOW, "events were not taken in time"))),
                Err(RecvError::Closed) => Err(Some((GOING_AWAY, "the daemon ends"))),
            },
            _ = quotes.tick(), if topics.contains("quotes") => send_quotes(app, out, &mut seen).await,
            _ = pings.tick() => match still_allowed(app, client) {
                Some(end) => Err(Some(end)),
                None => send_message(out, Message::ping(Vec::new())).await,
            },
        };
        if let Err(end) = sent {
            return end;
        }
    }
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn still_allowed(app: &App, client: &Client) -> Option<End> {
    let (issued, until) = client.token;
    let now = app.now();
    if now.as_nanos() / 1_000_000_000 >= i64::try_from(until).unwrap_or(i64::MAX) {
        return Some((TOKEN_ENDED, "the token has run out; connect with a new one"));
    }
    let let_in = app.people.let_in(&client.id, client.role, issued, now, false);
    let_in.err().map(|_| (SHUT_OUT, "access was taken"))
}

/// Quotes that have moved since they were told.
fn moved(app: &App, seen: &mut BTreeMap<InstrumentId, TopOfBook>) -> Vec<QuoteDocument> {
    let universe = app.inquiry.universe();
    let mut quotes = Vec::new();
    for id in universe.ids() {
        let top = app.inquiry.quote(id);
        if seen.insert(id, top) != Some(top) {
            quotes.push(answers::quote(universe.symbol(id), top, app.inquiry.hot_quote(id)));
        }
    }
    quotes
}

/// Sent, or why the stream ends; nothing where the client is gone.
type Sent = Result<(), Option<End>>;

async fn send_quotes(
    app: &App,
    out: &mut SplitSink<WebSocket, Message>,
    seen: &mut BTreeMap<InstrumentId, TopOfBook>,
) -> Sent {
    for quote in moved(app, seen) {
        send(out, &Event::Quote(quote)).await?;
    }
    Ok(())
}

async fn send(out: &mut SplitSink<WebSocket, Message>, event: &Event) -> Sent {
    send_message(out, Message::text(serde_json::to_string(event).unwrap_or_default())).await
}

async fn send_message(out: &mut SplitSink<WebSocket, Message>, message: Message) -> Sent {
    match tokio::time::timeout(SEND_PATIENCE, out.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(None),
        Err(_) => Err(Some((TOO_SLOW, "a message was not taken in time"))),
    }
}

/// Looks at how things stand while somebody listens, and tells what is new.
pub async fn watch(app: Arc<App>) {
    let mut stop = app.stop.clone();
    let mut ticks = ticks(LOOK_EVERY);
    let mut before: Option<Seen> = None;
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            _ = ticks.tick() => {}
        }
        if app.streams.events.receiver_count() == 0 {
            before = None;
            continue;
        }
        let Ok(snapshot) = app.mirror.look().await else { continue };
        let now = Seen::of(&snapshot, &app);
        if let Some(before) = &before {
            for event in now.since(before, &snapshot, &app) {
                // Nobody listening any more is no failure.
                let _ = app.streams.events.send(Arc::new(event));
            }
        }
        before = Some(now);
    }
}

/// Tells what is raised as it comes, until the interface or whoever raises it ends.
pub async fn forward(app: Arc<App>, mut alerts: broadcast::Receiver<Arc<Alert>>) {
    let mut stop = app.stop.clone();
    loop {
        let heard = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            heard = alerts.recv() => heard,
        };
        let (message, raised) = match heard {
            Ok(alert) => (alert.reason.clone(), Some(alert)),
            // A gap would look like nothing had happened.
            Err(RecvError::Lagged(missed)) => (format!("{missed} alerts came too fast to be told; see the log"), None),
            Err(RecvError::Closed) => return,
        };
        let halts = answers::halts(app.inquiry.halt());
        // Nobody listening is no failure.
        let _ = app.streams.events.send(Arc::new(Event::Alert { message, halts, raised }));
    }
}

/// What was seen last.
#[derive(Default)]
struct Seen {
    orders: BTreeMap<String, OrderDocument>,
    fills: usize,
    halts: Vec<HaltDocument>,
}

impl Seen {
    fn of(snapshot: &Snapshot, app: &App) -> Self {
        let desk = &snapshot.desk;
        let orders = answers::open_orders(desk.book(), desk.universe(), app.inquiry.strategies());
        Self {
            orders: orders.into_iter().map(|order| (order.client_order_id.clone(), order)).collect(),
            fills: snapshot.record.fills.len(),
            halts: answers::halts(app.inquiry.halt()),
        }
    }

    fn since(&self, before: &Self, snapshot: &Snapshot, app: &App) -> Vec<Event> {
        let mut events = Vec::new();
        let changed = self.orders.iter().filter(|(id, order)| before.orders.get(*id) != Some(order));
        events.extend(changed.map(|(_, order)| Event::Order(order.clone())));
        if self.fills < before.fills {
            events.push(Event::FillsTakenBack { fills: self.fills as u64 });
        } else {
            let (record, universe) = (&snapshot.record, snapshot.desk.universe());
            let new = answers::fills(&record.fills, universe, app.inquiry.strategies(), before.fills, usize::MAX);
            events.extend(new.into_iter().map(Event::Fill));
        }
        let ended = before.orders.keys().filter(|id| !self.orders.contains_key(*id));
        events.extend(ended.map(|id| Event::OrderEnded { client_order_id: id.clone() }));
        if self.halts != before.halts {
            let levels: Vec<String> = self.halts.iter().map(|halt| format!("{} {}", halt.scope, halt.level)).collect();
            let message = if levels.is_empty() { "nothing is halted".to_owned() } else { levels.join(", ") };
            events.push(Event::Alert { message, halts: self.halts.clone(), raised: None });
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_named_or_all() {
        assert_eq!(topics(None).unwrap().len(), 4);
        assert_eq!(topics(Some("fills,alerts")).unwrap(), ["alerts", "fills"].into());
        for wrong in ["", "prices", "fills,", "fills, alerts", "Fills"] {
            assert!(topics(Some(wrong)).is_err(), "'{wrong}'");
        }
    }

    #[test]
    fn streams_are_bounded_by_client_and_in_all() {
        let streams = Streams::default();
        let ana: Vec<Place> = (0..MOST_OF_ONE).map(|_| streams.admit("ana").unwrap()).collect();
        assert!(streams.admit("ana").is_err());
        let others: Vec<Place> = (MOST_OF_ONE..MOST_OF_ALL).map(|n| streams.admit(&format!("c{n}")).unwrap()).collect();
        assert!(streams.admit("one more").is_err());
        drop(ana);
        assert!(streams.admit("ana").is_ok());
        drop(others);
        assert!(!streams.open.lock().unwrap().contains_key("c9"), "names are forgotten");
    }
}

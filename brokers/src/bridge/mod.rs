//! The bridge: order entry to a broker that stands behind another program.
//!
//! Most Brazilian brokers are reached through a terminal, a library for one operating system, or a
//! vendor's own FIX dialect. A *bridge* is a small program beside that which speaks the protocol of
//! this page; so does the venue that this repository's tests trade against. Everything that the
//! other side must know stands here; the exact fields are the types in [`wire`], and the lines of its
//! tests are examples of every message.
//!
//! # Lines
//!
//! TCP. Each message is one JSON object (UTF-8) on one line that ends with `\n`, at most
//! [`wire::LONGEST_LINE`] bytes long. `message` says which one it is. Prices are decimal text
//! (`"38.10"`), quantities whole numbers, times RFC 3339 in UTC, words in lower case with underscores.
//! Fields that a side does not know are passed over. A line that cannot be read is told and passed
//! over; one that is too long ends the connection.
//!
//! # Messages
//!
//! We say:
//!
//! | message | fields | means |
//! |---|---|---|
//! | `logon` | `protocol` (1), `account`, `heartbeat_milliseconds`; where wanted `role`, `login`, `cancel_on_disconnect_seconds` | the first line of a connection |
//! | `submit` | `client_order_id`, `symbol`, `side`, `quantity`, `order_type`, `time_in_force`, `decided_at` | place this order |
//! | `cancel` | `client_order_id` | cancel what is left of it |
//! | `replace` | `client_order_id`, `quantity`, `limit_price` | total quantity (filled part included) and limit price become these |
//! | `statement` | `request` | say how the account stands |
//! | `mass_cancel` | `request` | cancel every open order of the account, whoever placed it |
//! | `heartbeat` | | still here |
//!
//! `role` is `"trading"`, which is what a logon without one means, or `"watchdog"`: a session that may say
//! `mass_cancel` and `heartbeat` only, and hears answers, heartbeats and nothing of orders.
//!
//! `order_type` is `{"type":"market"}`, `{"type":"limit","limit_price":…}`,
//! `{"type":"stop_limit","stop_price":…,"limit_price":…}` or `{"type":"at_auction","limit_price":…}`
//! (null: at any price). `time_in_force` is `"day"`, `"immediate_or_cancel"`, `"fill_or_kill"`,
//! `"good_till_cancel"`, `"at_the_close"` or `{"good_till_date":"2026-11-30"}`.
//!
//! The venue says:
//!
//! | message | fields | means |
//! |---|---|---|
//! | `logged_on` | `environment` (`simulated` or `live`), `venue` (a name); `cancel_on_disconnect_seconds` where it is granted | the answer to `logon`, and the first line of the venue |
//! | `report` | `at`, `client_order_id`, `symbol`, `kind`, and what the kind needs | something happened to an order |
//! | `external` | `execution` | an order that was not placed over the bridge traded |
//! | `statement` | `request`, `at`, `since`, `orders`, `executions`, `revoked`, `positions` | the answer to `statement` |
//! | `mass_canceled` | `request`, `canceled`, `open` | the answer to `mass_cancel`: how many were cancelled, how many are open all the same |
//! | `heartbeat` | | still here |
//! | `refused` | `reason` | the venue ends the connection |
//!
//! | `kind` of a report | fields | FIX |
//! |---|---|---|
//! | `new` | | the order is in the book (150=0) |
//! | `fill` | `execution_id`, `price`, `quantity` | it traded (150=F) |
//! | `bust` | `execution_id`, `reference` | execution `reference` is taken back (150=H) |
//! | `corrected` | `execution_id`, `reference`, `price`, `quantity` | execution `reference` stands as this one (150=G) |
//! | `canceled` | `reason` (empty: we asked for it) | what was left is cancelled (150=4) |
//! | `replaced` | `quantity`, `limit_price` | it stands changed (150=5) |
//! | `rejected` | `reason` | it was never in the book (150=8) |
//! | `expired` | | its time in force ended (150=C) |
//! | `cancel_rejected`, `replace_rejected` | `reason` | it stands as it was (35=9) |
//!
//! # What the venue owes
//!
//! 1. **One trading connection an account.** A logon ends the account's former connection of that role,
//!    and the venue handles nothing more that came over it, before it answers `logged_on`. That is what
//!    makes "not in the statement" mean "never received". A watchdog's logon ends the former connection
//!    of its own `login` and touches no other.
//! 2. **In order.** It handles the messages of a connection one after another. A `statement` is
//!    answered after everything that was sent before it over the same connection is handled: an order
//!    sent before and not in it was not received. Every report before the statement is in it, and no
//!    report after it tells anything that is in it, except as a repetition.
//! 3. **A client order id once.** A `submit` with an identifier that was ever used is rejected and never
//!    placed.
//! 4. **Execution ids for ever.** Each names one execution; a repeated report repeats its name. A bust
//!    or correction has a name of its own.
//! 5. **A whole statement.** Every open order of the account, also those placed by hand; orders that
//!    ended and executions from `since` on; the executions revoked since; all positions. An order's or
//!    execution's `order` is the client order id, or the venue's own name of an order that has none.
//! 6. **At least one line each heartbeat interval**, of any kind. Either side takes the other for dead
//!    after three intervals of silence.
//! 7. **Cancel on disconnect**, where `logged_on` grants it: when the trading session has been gone for
//!    longer than the window it granted, however it ended, day orders are cancelled; a session that is
//!    back in time keeps them. Orders good till cancelled or till a date stay. It may grant another
//!    window than the one asked for, or none.
//! 8. **Mass cancel.** Everything that can be cancelled is, orders by hand included; then `mass_canceled`
//!    is answered to whoever asked. The orders' own reports go to the trading session as ever.
//!
//! A line counts when its `\n` has come: half a line at the end of a connection was never said.
//!
//! # What we do
//!
//! What waits for its answer while nothing but heartbeats comes, for `substance`, ends a connection as
//! silence does (`risk::silence`). Whether the venue kept what it granted, the first statement after a
//! logon shows (`risk::disconnect`).
//!
//! This release trades on paper: a venue that answers `live` is left again. Nothing is sent over a
//! connection before its owner has taken the news of it ([`BrokerEvent::Connected`]). After a
//! connection is lost we try again for ever, in pauses that grow to a bound. Symbols that are not part
//! of the run, and whose order something is, are [`translation`]'s business.

pub mod translation;
pub mod wire;

mod link;

use std::sync::Arc;
use std::time::Duration;

use market::order::{CancelOrder, MassCancel, ReplaceOrder};
use market::{ExecutionReport, NewOrder, Timestamp, Universe};
use risk::Approved;

use crate::{Broker, BrokerEvent, SendError, Wake};
use link::{Shared, Unsent};
use translation::Translation;
use wire::{ClientMessage, Role, SubmitOrder, encode};

/// The name in configuration.
pub const NAME: &str = "bridge";

/// How a bridge is reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BridgeSettings {
    /// Host and port, such as `127.0.0.1:9100`.
    pub address: String,
    /// The account's tag: four capital letters or digits.
    pub account: String,
    /// What the session is for.
    pub role: Role,
    /// Whose session it is, where the account has more than one login.
    pub login: Option<String>,
    /// The window after which the venue is asked to cancel the day orders of a session that is gone.
    pub cancel_on_disconnect: Option<Duration>,
    /// How often each side says something at least; three of silence end a connection.
    pub heartbeat: Duration,
    /// How long something may wait for its answer while nothing but heartbeats comes.
    pub substance: Duration,
    /// The longest wait for a connection, and then for the answer to the logon.
    pub connect_timeout: Duration,
    /// The longest that a message may take to leave.
    pub write_timeout: Duration,
    /// The pause before the first attempt to connect again; it doubles from there.
    pub reconnect_first: Duration,
    /// The longest pause between attempts.
    pub reconnect_most: Duration,
    /// Where the random part of the pauses begins.
    pub jitter_seed: u64,
}

impl BridgeSettings {
    /// Usual times: a heartbeat a second, so that a dead venue is found in three; a minute without a word
    /// of substance, twice the time between two statements; 5 s to connect, as
    /// brokers' gateways take seconds to check a login; 2 s to write, which a socket's buffer makes
    /// instant unless the venue stands still; attempts from a tenth of a second to 10 s apart.
    pub fn new(address: impl Into<String>, account: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            account: account.into(),
            role: Role::Trading,
            login: None,
            cancel_on_disconnect: None,
            heartbeat: Duration::from_secs(1),
            substance: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(2),
            reconnect_first: Duration::from_millis(100),
            reconnect_most: Duration::from_secs(10),
            jitter_seed: 0,
        }
    }
}

/// A connection to a bridge. It connects by itself, and again after every failure, until it is
/// dropped.
pub struct BridgeBroker {
    shared: Arc<Shared>,
    /// The connection whose `Connected` was polled, until its `Disconnected` is.
    known: Option<u64>,
    last_reason: String,
    requests: u64,
}

impl BridgeBroker {
    /// Begins to connect, on a thread of its own.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(settings: BridgeSettings, universe: Arc<Universe>) -> std::io::Result<Self> {
        let translation = Translation::new(&settings.account, universe);
        let last_reason = format!("no connection to {} yet", settings.address);
        let shared = Arc::new(Shared::new(settings, translation));
        let thread = Arc::clone(&shared);
        // Not joined: an attempt to connect or look a name up cannot be cut short, and nobody should
        // wait for it. `stop` makes it the thread's last.
        std::thread::Builder::new().name(NAME.to_owned()).spawn(move || link::run(&thread))?;
        Ok(Self { shared, known: None, last_reason, requests: 0 })
    }

    /// Executions of other people's orders in symbols that are not part of this run; they are counted
    /// and otherwise passed over.
    pub fn elsewhere(&self) -> u64 {
        self.shared.elsewhere()
    }

    fn send(&self, message: &ClientMessage) -> Result<(), SendError> {
        let connected = self.known.and_then(|number| Some((number, self.shared.link(number)?)));
        let Some((number, link)) = connected else {
            return Err(SendError::Refused(format!("not connected: {}", self.last_reason)));
        };
        let line = encode(message).map_err(|error| SendError::Refused(error.to_string()))?;
        self.shared.asked();
        link.send(&line).map_err(|unsent| {
            self.shared.broken(number);
            match unsent {
                Unsent::Before(problem) => SendError::Refused(format!("the connection failed: {problem}")),
                Unsent::After(problem) => SendError::OutcomeUnknown(format!("the connection failed: {problem}")),
            }
        })
    }
}

impl Drop for BridgeBroker {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

impl Broker for BridgeBroker {
    fn name(&self) -> &str {
        NAME
    }

    fn submit(
        &mut self,
        order: &Approved<NewOrder>,
        _now: Timestamp,
        _reports: &mut Vec<ExecutionReport>,
    ) -> Result<(), SendError> {
        let order = order.get();
        let symbol = self.shared.translation.symbol(order.instrument).ok_or_else(|| {
            SendError::Refused(format!("instrument number {} is not part of this run", order.instrument.index()))
        })?;
        self.send(&ClientMessage::Submit(SubmitOrder {
            client_order_id: order.client_order_id,
            symbol,
            side: order.side,
            quantity: order.quantity,
            order_type: order.order_type,
            time_in_force: order.time_in_force,
            decided_at: order.decided_at,
        }))
    }

    fn cancel(
        &mut self,
        cancel: &Approved<CancelOrder>,
        _now: Timestamp,
        _reports: &mut Vec<ExecutionReport>,
    ) -> Result<(), SendError> {
        self.send(&ClientMessage::Cancel { client_order_id: cancel.get().client_order_id })
    }

    fn replace(
        &mut self,
        replace: &Approved<ReplaceOrder>,
        _now: Timestamp,
        _reports: &mut Vec<ExecutionReport>,
    ) -> Result<(), SendError> {
        let ReplaceOrder { client_order_id, quantity, limit_price, .. } = *replace.get();
        self.send(&ClientMessage::Replace { client_order_id, quantity, limit_price })
    }

    fn mass_cancel(
        &mut self,
        _cancel: &Approved<MassCancel>,
        _now: Timestamp,
        _reports: &mut Vec<ExecutionReport>,
        _events: &mut Vec<BrokerEvent>,
    ) -> Result<(), SendError> {
        self.requests += 1;
        self.shared.await_mass_cancel(self.requests);
        self.send(&ClientMessage::MassCancel { request: self.requests })
    }

    /// A bridge answers by statement only.
    fn is_connected(&self) -> bool {
        self.known.is_some_and(|number| self.shared.link(number).is_some())
    }

    fn request_statement(&mut self, _now: Timestamp, _events: &mut Vec<BrokerEvent>) -> Result<(), SendError> {
        self.requests += 1;
        self.shared.await_statement(Some(self.requests));
        // Asking changes nothing at the venue, so whether half of the question left does not matter.
        self.send(&ClientMessage::Statement { request: self.requests }).map_err(|error| {
            self.shared.await_statement(None);
            match error {
                SendError::Refused(reason) | SendError::OutcomeUnknown(reason) => SendError::Refused(reason),
            }
        })
    }

    fn poll(&mut self, _now: Timestamp, events: &mut Vec<BrokerEvent>) {
        for (number, event) in self.shared.take() {
            match &event {
                BrokerEvent::Connected => self.known = Some(number),
                BrokerEvent::Disconnected { reason } => {
                    self.known = None;
                    self.last_reason.clone_from(reason);
                }
                _ => {}
            }
            events.push(event);
        }
    }

    fn wake_with(&mut self, wake: Wake) {
        self.shared.set_wake(wake);
    }
}

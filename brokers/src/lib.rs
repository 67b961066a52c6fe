//! Who we talk to: order entry, one file or folder per broker.
//!
//! [`Broker`] is the seam. Commands go in approved, execution reports come out; the caller owns
//! the threads and the clock. A new broker is one file, one entry in
//! [`BROKERS`], and the arm of `pregao run` that connects it.

pub mod bridge;
pub mod simulated;

use std::sync::Arc;

use market::order::{CancelOrder, MassCancel, ReplaceOrder};
use market::{ExecutionReport, MarketEvent, NewOrder, PhaseChange, StatedExecution, Statement, Timestamp};
use risk::Approved;
use risk::disconnect::Terms;

pub use bridge::{BridgeBroker, BridgeSettings};
pub use simulated::{SimulatedExchange, SimulationSettings};

/// Why a command did not lead to a report.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SendError {
    /// It certainly never reached the broker: the order was not placed.
    #[error("not sent: {0}")]
    Refused(String),
    /// It may have reached the broker: ask before doing anything else, and never send it again.
    #[error("outcome unknown: {0}")]
    OutcomeUnknown(String),
}

/// What a connection has to say by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BrokerEvent {
    /// Logged on: what was sent over an earlier connection and did not arrive by now never will. Comes
    /// before anything else of this connection.
    Connected,
    /// What this connection was begun with, right after [`BrokerEvent::Connected`]; only from a venue that
    /// can lose us.
    Terms(Terms),
    /// The connection is gone, or the counterpart does not answer.
    Disconnected {
        /// Why, for people.
        reason: String,
    },
    /// An execution report on an order of ours.
    Report(ExecutionReport),
    /// An execution of an order that was placed elsewhere.
    External(StatedExecution),
    /// The statement that was asked for.
    Statement(Statement),
    /// The last mass cancel is done; the orders' own reports come beside it.
    MassCanceled(MassCanceled),
    /// Something that cannot be understood, or speaks of what this run does not know.
    Unreadable {
        /// What came, cut to a bounded length.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// What a mass cancel came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MassCanceled {
    /// Orders that it cancelled.
    pub canceled: u64,
    /// Orders of the account that are open all the same.
    pub open: u64,
}

/// Called from any thread when a connection has something to say.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// An order-entry connection.
pub trait Broker: Send {
    /// Name in configuration, journal and metrics.
    fn name(&self) -> &str;

    /// Places an order.
    ///
    /// # Errors
    /// It was not sent, or nobody knows whether it was.
    fn submit(
        &mut self,
        order: &Approved<NewOrder>,
        now: Timestamp,
        reports: &mut Vec<ExecutionReport>,
    ) -> Result<(), SendError>;

    /// Asks to cancel what is left of an order.
    ///
    /// # Errors
    /// It was not sent, or nobody knows whether it was.
    fn cancel(
        &mut self,
        cancel: &Approved<CancelOrder>,
        now: Timestamp,
        reports: &mut Vec<ExecutionReport>,
    ) -> Result<(), SendError>;

    /// Asks to change an order.
    ///
    /// # Errors
    /// It was not sent, or nobody knows whether it was.
    fn replace(
        &mut self,
        replace: &Approved<ReplaceOrder>,
        now: Timestamp,
        reports: &mut Vec<ExecutionReport>,
    ) -> Result<(), SendError>;

    /// Asks to cancel every open order of the account, whoever placed it. What it came to is told as an
    /// event, now or at a later [`Broker::poll`]; asking again supersedes the question before.
    ///
    /// # Errors
    /// It was not sent, or this broker has no such thing. Nobody needs to know whether half of it left:
    /// it may always be asked for again.
    fn mass_cancel(
        &mut self,
        _cancel: &Approved<MassCancel>,
        _now: Timestamp,
        _reports: &mut Vec<ExecutionReport>,
        _events: &mut Vec<BrokerEvent>,
    ) -> Result<(), SendError> {
        Err(SendError::Refused(format!("{} has no mass cancel: cancel order by order", self.name())))
    }

    /// Whether commands can leave now. A connection inside this process is always there.
    fn is_connected(&self) -> bool {
        true
    }

    /// Asks for a statement of the whole account. It comes as an event, now or at a later
    /// [`Broker::poll`], and tells how things stand after everything that was sent before this call
    /// over this connection, and after every report that came out before it. Asking again supersedes the
    /// question before: its answer never comes out after this call.
    ///
    /// # Errors
    /// The broker cannot be asked now.
    fn request_statement(&mut self, _now: Timestamp, _events: &mut Vec<BrokerEvent>) -> Result<(), SendError> {
        Err(SendError::Refused("this connection gives no statements".to_owned()))
    }

    /// Takes what has come in by itself since the last call.
    fn poll(&mut self, _now: Timestamp, _events: &mut Vec<BrokerEvent>) {}

    /// Whom to tell that there is something to poll.
    fn wake_with(&mut self, _wake: Wake) {}

    /// The market moved. Only a simulated broker listens: it fills from it.
    fn on_market(&mut self, _event: &MarketEvent, _reports: &mut Vec<ExecutionReport>) {}

    /// The session moved to another phase. Only a simulated broker listens: it expires orders.
    fn on_phase(&mut self, _change: &PhaseChange, _reports: &mut Vec<ExecutionReport>) {}

    /// Time passed without an event. Only a simulated broker listens: what was on its way arrives.
    fn on_time(&mut self, _now: Timestamp, _reports: &mut Vec<ExecutionReport>) {}
}

/// One entry of the list.
pub struct BrokerEntry {
    /// The name in configuration.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
}

/// Every broker that a configuration may name. Both trade on paper: `simulated` fills from the feed
/// inside this process, `bridge` is another program that says of itself that it simulates.
pub const BROKERS: &[BrokerEntry] = &[
    BrokerEntry { name: "simulated", about: "simulated exchange: paper trading and backtests" },
    BrokerEntry { name: bridge::NAME, about: "a simulated venue behind another program, over TCP" },
];

//! Who we talk to: order entry, one file or folder per broker.
//!
//! [`Broker`] is the seam. Commands go in approved, execution reports come out; the caller owns
//! the threads and the clock. A new broker is one file, one entry in
//! [`BROKERS`], and the arm of `pregao run` that connects it.

pub mod simulated;

use market::order::{CancelOrder, ReplaceOrder};
use market::{ClientOrderId, ExecutionReport, MarketEvent, NewOrder, PhaseChange, Quantity, Timestamp};
use risk::Approved;

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

/// Where a broker says that an order stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BrokerOrder {
    /// Which.
    pub client_order_id: ClientOrderId,
    /// Still in its book, or on the way there.
    pub open: bool,
    /// Units traded.
    pub cumulative: Quantity,
}

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

    /// What the broker knows of an order; `None` means that it never received it.
    ///
    /// # Errors
    /// The broker cannot be asked now.
    fn find(&self, id: &ClientOrderId) -> Result<Option<BrokerOrder>, SendError>;

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

/// Every broker that a configuration may name. Simulated trading is the only one in this release; it is also what paper
/// trading uses.
pub const BROKERS: &[BrokerEntry] =
    &[BrokerEntry { name: "simulated", about: "simulated exchange: paper trading and backtests" }];

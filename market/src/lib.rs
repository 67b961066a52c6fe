//! The market's words: what every other room talks in.
//!
//! Pure values, no clock and no IO. The map:
//!
//! - [`decimal`]: exact `Price`, `Quantity`, `Money`, `Rate`
//! - [`time`]: `Timestamp` (UTC) and how it is shown in São Paulo
//! - [`instrument`]: symbols, ISINs, kinds, lots, ticks, the `Universe` of a run
//! - [`data`]: quotes, trades, bars, auction prints, status and bounds of an instrument: what a feed says
//! - [`order`]: orders, order types, times in force, identifiers
//! - [`execution`]: execution reports: what a broker says
//! - [`calendar`]: sessions, phases, holidays of B3 as dated data
//! - [`history`]: daily records as the exchange publishes them
//! - [`fees`]: the versioned fee schedule
//! - [`settlement`]: when a trade's cash moves
//! - [`statement`]: what a broker says about an account as a whole

pub mod calendar;
pub mod data;
pub mod decimal;
pub mod execution;
pub mod fees;
pub mod history;
pub mod instrument;
pub mod order;
pub mod settlement;
pub mod statement;
pub mod time;

pub use calendar::{Calendar, Phase, PhaseChange, SessionClock};
pub use data::{
    AuctionKind, AuctionPrint, Bar, BarUse, BoundsChange, MarketEvent, OrderBounds, Quote, StatusChange, TopOfBook,
    Trade, TradingStatus,
};
pub use decimal::{DecimalError, Money, Price, Quantity, Rate};
pub use execution::{ExecutionId, ExecutionReport, ReportKind};
pub use fees::FeeSchedule;
pub use history::{DailyRecord, IndexClose};
pub use instrument::{Instrument, InstrumentId, InstrumentKind, Isin, Symbol, Universe};
pub use order::{ClientOrderId, NewOrder, OrderType, ParentOrder, Side, StrategyId, TimeInForce};
pub use statement::{OrderReference, StatedExecution, StatedOrder, StatedStatus, Statement};
pub use time::{Date, Timestamp};

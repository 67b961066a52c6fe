//! Order management: the one sequenced book of an account. Pure: reports in, changes out.
//!
//! - [`life_cycle`]: the `(status, event) → status` table
//! - [`order`]: one order and what has happened to it
//! - [`position`]: quantity, cost and realised result of one instrument
//! - [`cash`]: the ledger of settled and unsettled money
//! - [`book`]: all of them together, changed only by intents and execution reports
//! - [`reconcile`]: what must be done so that the book says what the broker says
//! - `day_trade`: what a day's round trips take off the fees

pub mod book;
pub mod cash;
mod day_trade;
mod entered;
pub mod life_cycle;
pub mod order;
pub mod position;
pub mod reconcile;

pub use book::{
    Anomaly, Applied, Book, BookSettings, BookState, Execution, Exposure, FillEffect, Holding, Open, Revocation,
    RevokedEffect, Stake, Worth,
};
pub use cash::CashLedger;
pub use life_cycle::{OrderEvent, OrderStatus, transition};
pub use order::Order;
pub use position::Position;

//! The same core in one deterministic loop: no actors, no runtime, no clock.
//!
//! - [`run`]: the loop; what it does per event is what the actors do per event
//! - [`analytics`]: performance figures from daily equity
//! - [`report`]: the HTML page
//! - [`summary`]: from a finished run to figures and page

pub mod analytics;
pub mod report;
pub mod run;
pub mod summary;

pub use run::{Backtest, BacktestSettings, HostedStrategy};
pub use summary::{BacktestSummary, FinishedRun, summarize};

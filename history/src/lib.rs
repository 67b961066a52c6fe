//! What stored records mean: how prices before a split compare with those after it, which tickers
//! are one history, what is wrong with a value, and which sessions a universe has in common.
//!
//! Pure: values in, values out. `feeds` reads records, `store` keeps them, this crate judges them.
//! The map:
//!
//! - [`adjustment`]: factors from corporate actions, and the views of a series made with them
//! - [`renames`]: one history from several tickers, joined by ISIN
//! - [`quality`]: what is wrong with a value, by rules with names
//! - [`panel`](mod@panel): the sessions that a universe has in common, and who binds them
//! - [`schedule`]: when what is to be collected
//!
//! Nothing here changes a stored record. A view is computed, a mark stands beside its bar.

pub mod adjustment;
pub mod panel;
pub mod quality;
pub mod renames;
pub mod schedule;

#[cfg(test)]
mod synthetic;

pub use adjustment::{Adjusted, AdjustedBar, AdjustedSeries, Options, adjust};

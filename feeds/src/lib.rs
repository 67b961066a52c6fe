//! Market data in: history files and live quotes, one file per source.
//!
//! Everything here reads or writes; what it read leaves as values of `market`. The map:
//!
//! - [`cotahist`]: the exchange's daily history, `COTAHIST_*.TXT` or `.ZIP`, in and out
//! - [`csv`]: bars and quotes of one instrument from CSV files, and a growing file of live quotes
//! - [`fetch`]: the one place that sends requests: rates, retries, time-outs, downloads, checks
//! - [`files`]: what vendors and terminals save, and Parquet; told apart by content
//! - [`index_csv`]: closes of an index, our own small file format
//! - [`replay`]: daily bars as a stream of events
//! - [`source`]: the seam of everything that is asked for over the network
//! - [`sources`]: one file per source: its addresses and its decoder
//! - [`trades_to_bars`]: trades to one-minute bars
//!
//! A file that is wrong is refused with its place, its value and what to do; nothing is guessed.

pub mod cotahist;
pub mod csv;
pub mod fetch;
pub mod files;
pub mod index_csv;
pub mod replay;
pub mod source;
pub mod sources;
pub mod trades_to_bars;

//! How history comes into the store by itself: one question to one source, kept whole, and remembered.
//!
//! - `keeping`: items of a reply into one import of the history
//! - `memory`: what was collected so far, and which versions of documents were kept
//! - `job`: a question carried out, for a chore or a command
//! - `observed`: what sources have answered, for log and metrics
//! - `chores`: what the Keeper does: collecting by schedule, retention, partitions, the disk
//!
//! One collects at a time: whoever does holds the lock of `memory`, so a command beside a running daemon waits
//! for nobody and says so.

mod chores;
mod job;
mod keeping;
mod memory;
mod observed;

pub use chores::{Workplace, chores};
pub use job::{Job, JobError, collect};
pub use keeping::put;
pub use memory::Memory;
pub use observed::{Observed, SourceFigures};

//! How it runs: the supervision tree, one file per kind of actor.
//!
//! ```text
//! Supervisor
//! ├─ Journal        group commit; the only writer of the store's journal
//! ├─ Session        time, phases
//! ├─ Broker         the last gate and the connection behind it
//! ├─ Account        the desk: reviews requests, applies reports
//! ├─ Lease          keeps the right to write, where it can run out
//! ├─ Limit × n      watches figures after the trade and throws the switch
//! ├─ Feed           brings the market's stream
//! ├─ Symbol × n     hot quote; fans out to strategies
//! ├─ Strategy × n   decides
//! └─ Keeper         the house's regular work, off the trading path
//! ```
//!
//! Every actor file has the same shape: a header that says what it owns, hears and sends and what
//! happens when it dies; then `Message`, `Arguments`, `State`, and a short `handle` that calls pure
//! code. What they share:
//!
//! - [`address`]: where an actor can be reached, across its restarts
//! - [`turn`]: lockstep for compressed time
//! - [`clock`]: the seam for time
//! - [`board`]: hot quotes, conflated: the latest wins
//! - [`figures`]: what the limits look at, conflated likewise
//! - [`notifier`]: alerts out, off the trading path
//! - [`halt`]: the switch with its durable record
//! - [`measures`]: how long things take, counted without a lock
//! - [`limits`]: the limits in force, and a change that waits for the journal
//! - [`recovery`]: what a protocol begins from, read from its journal
//! - [`lease`]: the right that the last gate reads
//! - [`quotes`]: the hot quotes shown to other programs, off the trading path
//! - [`pulse`]: whether the risk monitors are heard, which it reads as well; the engine's sign of life
//! - [`system`]: builds the whole tree and talks to it

pub mod account;
pub mod address;
pub mod board;
pub mod broker;
pub mod clock;
#[cfg(test)]
mod conversation_tests;
pub mod feed;
pub mod figures;
#[cfg(test)]
mod gate_tests;
pub mod halt;
pub mod journal;
pub mod keeper;
pub mod lease;
pub mod limit;
pub mod limits;
pub mod measures;
pub mod notifier;
pub mod pulse;
pub mod quotes;
pub mod recovery;
pub mod sampler;
pub mod session;
pub mod strategy;
pub mod supervisor;
pub mod symbol;
pub mod system;
pub mod turn;

pub use address::Address;
pub use board::Board;
pub use clock::Clock;
pub use feed::{FeedSource, Polled};
pub use keeper::{Chore, ChoreError, Chores};
pub use lease::Right;
pub use limits::LimitsOrder;
pub use notifier::{Alerts, Notifier};
pub use pulse::Pulse;
pub use supervisor::{RestartPolicy, Restarts};
pub use system::{Conduct, Fault, HostedBuild, Inquiry, System, SystemSettings, WarmUp, WindDown};
pub use turn::Turn;

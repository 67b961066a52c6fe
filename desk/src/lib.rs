//! One account's decisions in sequence: strategies, risk and order management joined. Pure.
//!
//! The live actors and the backtest drive the very same code here, which is why they agree:
//!
//! - [`host`]: a strategy instance with what it holds; turns wishes into order requests
//! - [`mod@desk`]: the account's one writer; reviews requests, enters intents, applies reports
//! - [`protocol`]: how the account never loses, duplicates or invents an order: inputs in, effects out
//! - [`record`]: what a run leaves to be read afterwards
//! - [`entry`]: what the journal keeps of both, and how a desk is rebuilt from it
//! - [`watched`]: what the monitors look at, as far as the desk keeps it
//! - [`replay`]: a journal made again, every decision compared; one order's whole story

pub mod desk;
pub mod entry;
pub mod host;
pub mod protocol;
pub mod record;
pub mod replay;
pub mod watched;

pub use desk::{Desk, DeskSettings};
pub use entry::{Entry, Evidence, Facts, Heard, Origin, RebuildError, StrategyOrigin, rebuild};
pub use host::{Ask, Execution, HostSettings, Listen, Notice, NoticeKind, OpenOrder, Sizing, StrategyHost};
pub use protocol::{
    Alert, Closing, Command, Effect, Input, Link, Patience, Protocol, ProtocolSettings, ProtocolState, Restore,
    RestoreError, Restored, Written,
};
pub use record::{Counts, Record, RecordedDay, RecordedFill};
pub use replay::{Difference, LostInput, Replay, ReplayError, ReplayReport, SessionReport};
pub use watched::{Moment, WorthNoted};

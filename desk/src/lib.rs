//! One account's decisions in sequence: strategies, risk and order management joined. Pure.
//!
//! The live actors and the backtest drive the very same code here, which is why they agree:
//!
//! - [`host`]: a strategy instance with what it holds; turns wishes into order requests
//! - [`mod@desk`]: the account's one writer; reviews requests, enters intents, applies reports
//! - [`record`]: what a run leaves to be read afterwards
//! - [`entry`]: what the journal keeps of both, and how a desk is rebuilt from it

pub mod desk;
pub mod entry;
pub mod host;
pub mod record;

pub use desk::{Desk, DeskSettings};
pub use entry::{Entry, RebuildError, rebuild};
pub use host::{Ask, Execution, HostSettings, Listen, Notice, NoticeKind, OpenOrder, Sizing, StrategyHost};
pub use record::{Counts, Record, RecordedDay, RecordedFill};

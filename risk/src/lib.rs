//! What is allowed. The only maker of [`Approved`] orders.
//!
//! - [`activity`]: what happened lately: messages, executions, rejections, equal orders, decisions
//! - [`limits`]: the configured amounts by scope; none has a default
//! - [`limit_change`]: whether a change of them allows more than before
//! - [`attestation`]: whether what runs is what was approved
//! - [`catalogue`]: all 37 controls, what each one is and what proves it
//! - [`checks`]: the pre-trade checks, one file each, one list
//! - [`mod@review`]: runs the list and seals what passes; explains what it compared
//! - [`halt`]: the switch that the last gate reads, scope by scope
//! - [`four_eyes`]: what takes two people
//! - [`monitors`]: the watches after the trade that may trip the switch, one file each, one list
//! - [`disconnect`]: what a venue must have done with the orders of a session that was gone
//! - [`silence`]: when a connection that stands counts as lost
//! - [`dead_man`]: when a watchdog cancels everything, and when it is done

pub mod activity;
pub mod attestation;
pub mod catalogue;
pub mod checks;
pub mod dead_man;
pub mod disconnect;
pub mod four_eyes;
pub mod halt;
pub mod limit_change;
pub mod limits;
pub mod monitors;
pub mod review;
pub mod silence;

pub use activity::latch::{Latch, Rule, Tripped};
pub use activity::{Activity, ActivityState};
pub use attestation::Attestation;
pub use checks::{CHECKS, Check, Denial, Figure, Passed, Proposal, View};
pub use four_eyes::{Asked, Direction, FourEyes, SamePerson};
pub use halt::{HaltLevel, HaltScope, HaltSwitch, Seen, UnknownScope};
pub use limit_change::LimitChange;
pub use limits::amounts::{Count, Milliseconds, Seconds};
pub use limits::{KEYS, LimitKey, LimitSet, LimitTable, Limits, MissingLimits, SomeLimits};
pub use monitors::{Breach, Figures, MONITORS, MonitorSettings, Observation, Watch};
pub use review::{
    Approved, Explanation, approve_cancel, approve_mass_cancel, explain, explain_closing, explain_replace, review,
    review_closing, review_replace,
};

//! `watchdog`: watches the daemon of a data directory, and has the venue cancel everything when it falls
//! silent. A process of its own, for another service unit or another machine's share of the directory.

use crate::config::{self, Overrides};
use crate::output::{Answer, Failure};
use crate::watchdog;

/// Watches until it is told to stop (SIGTERM or Ctrl-C).
pub fn watchdog(overrides: &Overrides, json: bool) -> Result<Answer, Failure> {
    watchdog::watch(config::watchdog(overrides)?, json)
}

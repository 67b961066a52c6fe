//! The `[shutdown]` section: how the daemon ends when it is told to.

use std::time::Duration;

use actors::WindDown;

use super::reader::Reader;

/// Long enough for a broker to answer, short enough for the ninety seconds that service managers wait.
const WITHIN_SECONDS: u32 = 20;
/// Service managers kill after ninety seconds unless told otherwise.
const MOST_SECONDS: u32 = 80;

pub(super) fn read(reader: &mut Reader) -> WindDown {
    let cancel_day_orders = reader.optional("shutdown.cancel_day_orders", "true or false").unwrap_or(false);
    let within: Option<u32> = reader.optional("shutdown.within_seconds", "whole seconds such as 20");
    if within.is_some_and(|seconds| !(1..=MOST_SECONDS).contains(&seconds)) {
        reader.complain("shutdown.within_seconds", format!("must be from 1 to {MOST_SECONDS}"));
    }
    WindDown { cancel_day_orders, within: Duration::from_secs(within.unwrap_or(WITHIN_SECONDS).into()) }
}

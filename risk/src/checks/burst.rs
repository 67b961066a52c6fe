//! C16, bursts: a strategy whose orders the broker has rejected so often within the window, or whose trades
//! have lost so often, is stopped until a named person resumes it (15c3-5: "over a short period of time").
//!
//! As for C06, the event that makes the number full latches, and orders that reduce are denied too: what is
//! rejected again and again is no way out, and a strategy that loses with every trade loses with the next.
//! The engine's own closing orders pass.

use super::{Denial, Figure, Passed, Proposal, View};
use crate::activity::latch::Rule;

pub(super) const NAME: &str = "burst";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let not_latched = super::sums::not_latched;
    let rejects = not_latched(NAME, Rule::Rejects, "rejections until it was stopped", proposal, view)?;
    let losses = not_latched(NAME, Rule::LosingTrades, "losing trades until it was stopped", proposal, view)?;
    // The two counts have limits of their own; what is nearer to its limit is shown.
    let left = |(seen, limit): (u64, u64)| limit.saturating_sub(seen);
    let (seen, limit) = if left(losses) < left(rejects) { losses } else { rejects };
    Ok(Passed { asked: Figure::Count(seen), limit: Figure::Count(limit) })
}

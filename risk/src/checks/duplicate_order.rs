//! C20, duplicates: the same order (strategy, symbol, side, quantity, type and prices) does not come twice
//! within the time, whatever became of the first (15c3-5). That no identifier comes twice is the desk's care.
//!
//! An order that reduces is held to it too: what reduces twice may sell twice. A change of an order names the
//! order that it is about and cannot be mistaken for another; the engine's own closing orders are tried again
//! on purpose. Both pass.

use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "duplicate_order";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let least = view.limits.duplicate_seconds.nanos();
    let limit = Figure::Nanoseconds(least);
    if proposal.replaces || proposal.closes {
        return Ok(Passed { asked: Figure::None, limit });
    }
    match view.activity.since_same(&proposal.order, view.now) {
        Some(since) if since < least => {
            let asked = Figure::Nanoseconds(since);
            Err(Denial { check: NAME, because: "the same order was sent before", asked, limit })
        }
        Some(since) => Ok(Passed { asked: Figure::Nanoseconds(since), limit }),
        None => Ok(Passed { asked: Figure::None, limit }),
    }
}

//! C25, session phase: new orders only while the exchange takes them. An unknown phase (a date
//! beyond the calendar) denies.

use market::{OrderType, TimeInForce};

use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "session_phase";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let order = &proposal.order;
    let immediate = matches!(order.time_in_force, TimeInForce::ImmediateOrCancel | TimeInForce::FillOrKill);
    let allowed = match order.order_type {
        // The exchange takes auction orders from the opening call on.
        OrderType::AtAuction { .. } => view.phase.accepts_auction_orders(),
        // These want to meet the book now.
        OrderType::Market => view.phase.trades_continuously(),
        _ if immediate => view.phase.trades_continuously(),
        _ => view.phase.accepts_new_orders(),
    };
    let (asked, limit) = (Figure::Phase(view.phase), Figure::None);
    if allowed {
        return Ok(Passed { asked, limit });
    }
    Err(Denial { check: NAME, because: "the exchange does not take such orders in this phase", asked, limit })
}

//! C24, how the exchange says that the instrument stands.
//!
//! | status | new risk | what reduces | a replace |
//! |---|---|---|---|
//! | untold, trading | passes | passes | passes |
//! | auction | auction orders only | what can rest for the auction: auction and limit orders for the day | as new risk |
//! | halted | denied | denied: the exchange takes cancels only | denied |
//! | unknown | denied | passes | denied |
//!
//! `Untold` is a feed that never tells: the timetable's phase (C25) is all there is, and files of quotes
//! and bars are such feeds. A feed that tells and then loses track says `unknown`. In a call of its own, an
//! instrument's price is found once for all orders: what wants to meet the book now has nothing to meet.

use market::{OrderType, TimeInForce, TradingStatus};

use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "trading_status";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let order = &proposal.order;
    let for_an_auction = matches!(order.order_type, OrderType::AtAuction { .. });
    let immediate = matches!(order.time_in_force, TimeInForce::ImmediateOrCancel | TimeInForce::FillOrKill)
        || order.order_type == OrderType::Market;
    let (allowed, because) = match view.top.status {
        TradingStatus::Untold | TradingStatus::Trading => (true, ""),
        TradingStatus::Auction => {
            (for_an_auction || (proposal.reduces && !immediate), "the instrument is in an auction of its own")
        }
        TradingStatus::Halted => (false, "the exchange has suspended the instrument"),
        TradingStatus::Unknown => (proposal.reduces, "nobody knows whether the instrument trades"),
    };
    let (asked, limit) = (Figure::Status(view.top.status), Figure::None);
    if allowed { Ok(Passed { asked, limit }) } else { Err(Denial { check: NAME, because, asked, limit }) }
}

//! C04, fat finger against the book: no limit price through the best price of the other side by more
//! than a fraction.
//!
//! The price collar (C03) holds a price to whatever is known, the last trade included. This one is
//! narrower, and asks what is really on offer: a buy that reaches far through the best ask would sweep the
//! book. Where the book shows nothing on the other side nobody knows what such an order would meet, so new
//! risk is denied while trading is continuous; before an auction there is nothing to sweep.
//!
//! A market whose book is not told at all (bars, daily files) is judged by the price collar alone. So is
//! what reduces into an empty side: being stuck in a position is the greater risk. Into a side that shows a
//! price, what reduces is held to the fraction like everything else: it is an error all the same.

use market::{Price, Side};

use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "book_collar";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let order = &proposal.order;
    let collar = view.limits.book_collar;
    let (own, best) = match order.side {
        Side::Buy => (view.top.bid, view.top.ask),
        Side::Sell => (view.top.ask, view.top.bid),
    };
    if best <= Price::ZERO {
        let (asked, limit) = (Figure::None, Figure::Rate(collar));
        let one_sided = own > Price::ZERO;
        if one_sided && view.trades_continuously() && !proposal.reduces {
            return Err(Denial { check: NAME, because: "nothing is on offer on the other side", asked, limit });
        }
        return Ok(Passed { asked, limit });
    }
    let Some(limit_price) = order.order_type.limit_price() else {
        return Ok(Passed { asked: Figure::None, limit: Figure::Rate(collar) });
    };
    let (edge, beyond) = match order.side {
        Side::Buy => {
            let edge = best.saturating_add(best.scaled(collar));
            (edge, limit_price > edge)
        }
        Side::Sell => {
            let edge = best.saturating_sub(best.scaled(collar));
            (edge, limit_price < edge)
        }
    };
    let (asked, limit) = (Figure::Price(limit_price), Figure::Price(edge));
    if beyond {
        return Err(Denial { check: NAME, because: "limit price too far through the book", asked, limit });
    }
    Ok(Passed { asked, limit })
}

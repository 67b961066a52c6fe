//! C22, self-trade: no order that could trade with one of our own, whichever strategy placed it.
//!
//! Buying from oneself is a trade without a change of owner: it costs fees, misleads the market, and is
//! prohibited. The newer order gives way: what rests keeps its place in the queue.
//!
//! Two orders of opposite sides in one book could meet when the buy's price is not below the sell's. An
//! order without a limit meets anything. It does not matter where they would meet: at an auction everything
//! that crosses may trade together, an order of an auction with one that rests in the book. A stop counts at
//! its limit, because it is one once it wakes. An order that is being replaced may stand on its old or its
//! new terms, one that is being cancelled may still trade, and one of unknown outcome may be there.
//!
//! Holds for every order, also one that reduces: its way out is to cancel the other first.

use market::{Price, Side};
use oms::Order;

use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "self_trade";

/// How far an order goes: none without a limit, which is as far as it takes.
type Reach = Option<Price>;

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let order = &proposal.order;
    let asked = order.order_type.limit_price();
    let figure = |reach: Reach| reach.map_or(Figure::None, Figure::Price);
    let opposite = |open: &&Order| open.intent.side == order.side.opposite();
    for open in view.book.open_orders_of(order.instrument).filter(opposite) {
        if let Some(met) = reaches(open).into_iter().flatten().find(|reach| meet(order.side, asked, *reach)) {
            let because = "could trade with an open order of our own";
            return Err(Denial { check: NAME, because, asked: figure(asked), limit: figure(met) });
        }
    }
    Ok(Passed { asked: figure(asked), limit: Figure::None })
}

/// Where an open order may stand: on its terms of now, and on those of a replace on its way.
fn reaches(open: &Order) -> [Option<Reach>; 2] {
    let now = open.order_type.limit_price();
    // A replace keeps the type, and with a limit its worst price is that limit.
    let then = open.replacement.map(|to| now.map(|_| to.worst_price));
    [Some(now), then]
}

fn meet(side: Side, asked: Reach, other: Reach) -> bool {
    let (Some(asked), Some(other)) = (asked, other) else { return true };
    match side {
        Side::Buy => asked >= other,
        Side::Sell => asked <= other,
    }
}

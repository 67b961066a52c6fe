//! C05, the exchange's rejection tunnels: lowest and highest price, fewest and most units of an order.
//!
//! The instrument has them from its definition; the exchange replaces them during the day with five
//! minutes' notice, and then the stream's word counts (`market::BoundsChange`). Whatever lies outside
//! would be rejected, so it is denied also where it reduces. An order without a limit has no price of its
//! own to compare: the exchange's protection bounds it.

use market::order::OutOfBounds;

use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "order_bounds";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let order = &proposal.order;
    let Err(outside) = order.within(&view.bounds()) else {
        let asked = order.order_type.limit_price().map_or(Figure::None, Figure::Price);
        return Ok(Passed { asked, limit: Figure::None });
    };
    let (because, asked, limit) = match outside {
        OutOfBounds::LowPrice(price, low) => ("below the lower tunnel", Figure::Price(price), Figure::Price(low)),
        OutOfBounds::HighPrice(price, high) => ("above the upper tunnel", Figure::Price(price), Figure::Price(high)),
        OutOfBounds::FewUnits(units, few) => {
            ("fewer units than the exchange takes", Figure::Quantity(units), Figure::Quantity(few))
        }
        OutOfBounds::ManyUnits(units, many) => {
            ("more units than the exchange takes", Figure::Quantity(units), Figure::Quantity(many))
        }
    };
    Err(Denial { check: NAME, because, asked, limit })
}

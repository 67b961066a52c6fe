//! C05, lot, tick and order form: what the exchange would reject is denied here first, with a
//! stable code instead of a broker's wording.

use market::order::InvalidOrder;

use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "lot_and_tick";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let quantity = Figure::Quantity(proposal.order.quantity);
    let Err(invalid) = proposal.order.validate(view.instrument) else {
        return Ok(Passed { asked: quantity, limit: Figure::Quantity(view.instrument.lot) });
    };
    let (because, asked, limit) = match invalid {
        InvalidOrder::Quantity(_) => ("quantity is not positive", quantity, Figure::None),
        InvalidOrder::Lot { lot, .. } => ("not a multiple of the lot", quantity, Figure::Quantity(lot)),
        InvalidOrder::TooLarge { maximum, .. } => ("more than this market takes", quantity, Figure::Quantity(maximum)),
        InvalidOrder::Price(price) => ("price is not positive", Figure::Price(price), Figure::None),
        InvalidOrder::Tick { price, tick } => ("not a multiple of the tick", Figure::Price(price), Figure::Price(tick)),
        InvalidOrder::Stop { stop_price, limit_price } => {
            ("stop lies beyond its limit", Figure::Price(stop_price), Figure::Price(limit_price))
        }
        InvalidOrder::Combination { .. } => {
            ("order type and time in force do not go together", Figure::None, Figure::None)
        }
        InvalidOrder::Expired(_) => ("good-till date has passed", Figure::None, Figure::None),
    };
    Err(Denial { check: NAME, because, asked, limit })
}

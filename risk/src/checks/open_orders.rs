//! C09, open orders: how many may be open in a symbol and in all, those on their way and those of unknown
//! outcome included; of the account and, where that is written, of the strategy.
//!
//! A change of an order opens none. An order that reduces counts like any other: whoever has that many open has
//! something to take back first, and cancels always pass. The engine's own closing orders pass: they come one
//! at a time.

use super::{Denial, Figure, Passed, Proposal, View};
use crate::limits::amounts::Count;

pub(super) const NAME: &str = "open_orders";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let (strategy, instrument) = (proposal.order.strategy, proposal.order.instrument);
    let more = u32::from(!proposal.replaces && !proposal.closes);
    if let Some(written) = view.table.written_for(strategy) {
        let limits = view.table.of_strategy(strategy);
        if written.max_open_orders_per_symbol.is_some() {
            let open = view.book.stake_of(strategy, instrument).open.orders;
            let limit = limits.max_open_orders_per_symbol;
            within(open, more, limit, "too many open orders of the strategy in the symbol")?;
        }
        if written.max_open_orders.is_some() {
            let open = view.book.open_order_count_of(strategy);
            within(open, more, limits.max_open_orders, "too many open orders of the strategy")?;
        }
    }
    let of_symbol = view.table.of_instrument(instrument).max_open_orders_per_symbol;
    let in_symbol =
        within(view.book.stake(instrument).open.orders, more, of_symbol, "too many open orders in the symbol")?;
    let limit = view.table.account().max_open_orders;
    let in_all = within(view.book.open_order_count(), more, limit, "too many open orders")?;
    let left = |(asked, limit): (u32, Count)| limit.0.saturating_sub(asked);
    let (asked, limit) = if left(in_all) < left(in_symbol) { in_all } else { in_symbol };
    Ok(Passed { asked: Figure::Count(asked.into()), limit: Figure::Count(limit.0.into()) })
}

fn within(open: u32, more: u32, limit: Count, because: &'static str) -> Result<(u32, Count), Denial> {
    let asked = open.saturating_add(more);
    if more == 0 || asked <= limit.0 {
        return Ok((asked, limit));
    }
    let (asked, limit) = (Figure::Count(asked.into()), Figure::Count(limit.0.into()));
    Err(Denial { check: NAME, because, asked, limit })
}

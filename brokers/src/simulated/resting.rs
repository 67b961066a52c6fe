//! One order in the exchange's book: whether it is awake, where it stands in the queue.

use market::{AuctionKind, NewOrder, OrderType, Price, Quantity, Quote, Side, TimeInForce, Timestamp};

/// An order in the exchange's book.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resting {
    pub(super) order: NewOrder,
    pub(super) quantity: Quantity,
    pub(super) order_type: OrderType,
    pub(super) cumulative: Quantity,
    pub(super) arrived: Timestamp,
    /// It has met an event without being marketable, so it waits at its own price.
    pub(super) passive: bool,
    /// Size ahead of it at its price, under the queue rule; `None` before it came to rest where a
    /// quote looks.
    pub(super) ahead: Option<Quantity>,
}

impl Resting {
    pub(super) fn leaves(&self) -> Quantity {
        self.quantity - self.cumulative
    }

    /// Any order but a stop that nothing has reached yet.
    pub(super) fn is_awake(&self) -> bool {
        !matches!(self.order_type, OrderType::StopLimit { .. })
    }

    /// A stop has been reached: a limit order from now on.
    pub(super) fn wake(&mut self, shown: Option<&Quote>) {
        if let OrderType::StopLimit { limit_price, .. } = self.order_type {
            self.order_type = OrderType::Limit { limit_price };
            self.take_place(shown);
        }
    }

    /// Finds out once what stands before a limit order that waits at its price.
    pub(super) fn take_place(&mut self, shown: Option<&Quote>) {
        if let (None, OrderType::Limit { limit_price }) = (self.ahead, self.order_type) {
            self.ahead = size_ahead(self.order.side, limit_price, shown);
        }
    }

    /// Which auctions it takes part in.
    pub(super) fn joins(&self, kind: AuctionKind) -> bool {
        match (self.order_type, self.order.time_in_force) {
            (OrderType::AtAuction { .. }, TimeInForce::AtTheClose) => kind == AuctionKind::Closing,
            // Stops sleep through auctions; they wake on the print and trade from the next event on.
            (OrderType::StopLimit { .. }, _) => false,
            _ => true,
        }
    }
}

/// Size that stands before an order at `price`, as far as a quote tells: that of the best price if
/// it joins it, nothing if it betters it. `None` deeper in the book, where no quote looks, and for
/// an order that would trade rather than wait.
fn size_ahead(side: Side, price: Price, quote: Option<&Quote>) -> Option<Quantity> {
    let quote = quote?;
    let (own, size, other) = match side {
        Side::Buy => (quote.bid, quote.bid_size, quote.ask),
        Side::Sell => (quote.ask, quote.ask_size, quote.bid),
    };
    let (joins, betters) = (price == own, within(side, own, price, true));
    let waits = !within(side, other, price, false);
    (waits && (joins || betters)).then_some(if joins { size } else { Quantity::ZERO })
}

/// Whether `price` is at least as good as `limit` for this side; strictly better where asked.
pub(super) fn within(side: Side, price: Price, limit: Price, strictly: bool) -> bool {
    match (side, strictly) {
        (Side::Buy, false) => price <= limit,
        (Side::Buy, true) => price < limit,
        (Side::Sell, false) => price >= limit,
        (Side::Sell, true) => price > limit,
    }
}

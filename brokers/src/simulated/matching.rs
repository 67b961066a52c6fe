//! At what price an order may trade on an event, and how much of it: the tables of the simulated
//! exchange's rules, as plain functions.

use market::{
    AuctionKind, AuctionPrint, Bar, BarUse, MarketEvent, OrderType, Phase, Price, Quantity, Quote, Rate, ReportKind,
    Side, TimeInForce, Timestamp, Trade, TradingStatus,
};

use super::LimitRule;
use super::resting::{Resting, within};

/// A price at which an order may trade now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    /// Per unit.
    pub(super) price: Price,
    /// Units on offer to this order, where the event says; else only the volume bounds it.
    pub(super) available: Option<Quantity>,
}

/// Whether resting orders meet this event at all in this phase, and as the instrument stands. Quotes and
/// trades outside the trading phases are indicative.
#[inline]
pub(super) fn trades_in(event: &MarketEvent, phase: Phase, status: TradingStatus) -> bool {
    match event {
        MarketEvent::Quote(_) | MarketEvent::Trade(_) => phase.trades_continuously() && status.trades_continuously(),
        MarketEvent::Bar { used, .. } => *used != BarUse::Decide,
        MarketEvent::Auction(_) => true,
        MarketEvent::Status(_) | MarketEvent::Bounds(_) => false,
    }
}

/// Events of a daily file share the volume of the day.
pub(super) fn is_daily(event: &MarketEvent) -> bool {
    matches!(event, MarketEvent::Auction(_) | MarketEvent::Bar { used: BarUse::Match, .. })
}

/// Whether the bar after this event begins with it. A quote, a trade or a call within the day falls
/// into a bar: an order that arrived before it may still have come after that bar's open.
pub(super) fn begins_a_bar(event: &MarketEvent) -> bool {
    match event {
        MarketEvent::Bar { .. } => true,
        MarketEvent::Auction(print) => print.kind != AuctionKind::Intraday,
        MarketEvent::Quote(_) | MarketEvent::Trade(_) | MarketEvent::Status(_) | MarketEvent::Bounds(_) => false,
    }
}

/// Units that all our orders together may take from this event.
pub(super) fn volume_of(event: &MarketEvent, participation: Rate, taken_today: Quantity) -> Quantity {
    let share = |volume: Quantity| {
        let units = i128::from(volume.units()) * i128::from(participation.ppm()) / 1_000_000;
        Quantity::new(i64::try_from(units).unwrap_or(i64::MAX))
    };
    match event {
        // The size shown bounds each side already.
        MarketEvent::Quote(_) => Quantity::new(i64::MAX),
        MarketEvent::Trade(trade) => share(trade.quantity),
        MarketEvent::Bar { bar, used: BarUse::Match, .. } => (share(bar.volume) - taken_today).max(Quantity::ZERO),
        MarketEvent::Bar { bar, .. } => share(bar.volume),
        MarketEvent::Auction(print) => (share(print.quantity) - taken_today).max(Quantity::ZERO),
        MarketEvent::Status(_) | MarketEvent::Bounds(_) => Quantity::ZERO,
    }
}

/// The price at which `resting` may trade on `event`, if it may. Wakes stops and notes that an
/// order has come to rest.
pub(super) fn offer_of(
    resting: &mut Resting,
    event: &MarketEvent,
    began: Option<Timestamp>,
    rule: LimitRule,
    slippage: Price,
    shown: Option<&Quote>,
) -> Option<Offer> {
    // Latency: what has not arrived cannot meet the event.
    if resting.arrived > event.at() {
        return None;
    }
    let was_awake = resting.is_awake();
    let offer = match event {
        MarketEvent::Quote(quote) => on_quote(resting, quote, slippage),
        MarketEvent::Trade(trade) => on_trade(resting, trade, rule, slippage, shown),
        MarketEvent::Bar { bar, .. } => on_bar(resting, bar, began, slippage),
        MarketEvent::Auction(print) => on_auction(resting, print),
        MarketEvent::Status(_) | MarketEvent::Bounds(_) => return None,
    };
    // An order that was already awake and found nothing now waits at its own price.
    resting.passive |= was_awake && offer.is_none();
    if let MarketEvent::Quote(quote) = event
        && offer.is_none()
    {
        resting.take_place(Some(quote));
    }
    offer
}

fn worsened(side: Side, price: Price, slippage: Price) -> Price {
    match side {
        Side::Buy => price + slippage,
        // A price of zero does not trade.
        Side::Sell => (price - slippage).max(Price::from_steps(1)),
    }
}

fn reaches(side: Side, price: Price, stop: Price) -> bool {
    within(side.opposite(), price, stop, false)
}

fn on_quote(resting: &mut Resting, quote: &Quote, slippage: Price) -> Option<Offer> {
    let side = resting.order.side;
    let (price, size) = match side {
        Side::Buy => (quote.ask, quote.ask_size),
        Side::Sell => (quote.bid, quote.bid_size),
    };
    let offer = |price| Some(Offer { price, available: Some(size) });
    match resting.order_type {
        OrderType::Market => offer(worsened(side, price, slippage)),
        OrderType::Limit { limit_price } => {
            let marketable = within(side, price, limit_price, false);
            marketable
                .then_some(Offer { price: if resting.passive { limit_price } else { price }, available: Some(size) })
        }
        OrderType::StopLimit { stop_price, limit_price } => {
            if !reaches(side, price, stop_price) {
                return None;
            }
            resting.wake(Some(quote));
            if within(side, price, limit_price, false) { offer(price) } else { None }
        }
        OrderType::AtAuction { .. } => None,
    }
}

fn on_trade(
    resting: &mut Resting,
    trade: &Trade,
    rule: LimitRule,
    slippage: Price,
    shown: Option<&Quote>,
) -> Option<Offer> {
    let side = resting.order.side;
    let offer = |price| Some(Offer { price, available: None });
    match resting.order_type {
        OrderType::Market => offer(worsened(side, trade.price, slippage)),
        OrderType::Limit { limit_price } => {
            if within(side, trade.price, limit_price, true) {
                return offer(limit_price);
            }
            if rule == LimitRule::Queue && trade.price == limit_price {
                resting.take_place(shown);
                let ahead = resting.ahead.unwrap_or_default();
                let reached = trade.quantity - ahead;
                resting.ahead = Some((ahead - trade.quantity).max(Quantity::ZERO));
                return reached.is_positive().then_some(Offer { price: limit_price, available: Some(reached) });
            }
            None
        }
        OrderType::StopLimit { stop_price, .. } => {
            // The trade that wakes it is not one it could have taken part in.
            if reaches(side, trade.price, stop_price) {
                resting.wake(shown);
            }
            None
        }
        OrderType::AtAuction { .. } => None,
    }
}

fn on_bar(resting: &mut Resting, bar: &Bar, began: Option<Timestamp>, slippage: Price) -> Option<Offer> {
    let side = resting.order.side;
    let offer = |price| Some(Offer { price, available: None });
    // An order that arrived within the bar knows only that the bar then closed.
    let from_open = began.is_some_and(|began| resting.arrived <= began);
    let first = if from_open { bar.open } else { bar.close };
    let (best, stop_edge) = match side {
        Side::Buy => (bar.low, bar.high),
        Side::Sell => (bar.high, bar.low),
    };
    let (best, stop_edge) = if from_open { (best, stop_edge) } else { (bar.close, bar.close) };
    match resting.order_type {
        OrderType::Market => offer(worsened(side, first, slippage)),
        OrderType::Limit { limit_price } => {
            if within(side, first, limit_price, false) && (!resting.passive || within(side, first, limit_price, true)) {
                offer(first)
            } else if within(side, best, limit_price, true) {
                offer(limit_price)
            } else {
                None
            }
        }
        OrderType::StopLimit { stop_price, limit_price } => {
            if !reaches(side, stop_edge, stop_price) {
                return None;
            }
            resting.wake(None);
            // It woke at the stop, or at the open where the market gapped over it.
            let woke_at = match side {
                Side::Buy => first.max(stop_price),
                Side::Sell => first.min(stop_price),
            };
            if within(side, woke_at, limit_price, false) { offer(woke_at) } else { None }
        }
        OrderType::AtAuction { .. } => None,
    }
}

fn on_auction(resting: &mut Resting, print: &AuctionPrint) -> Option<Offer> {
    if !resting.joins(print.kind) {
        if let OrderType::StopLimit { stop_price, .. } = resting.order_type
            && reaches(resting.order.side, print.price, stop_price)
        {
            resting.wake(None);
        }
        return None;
    }
    let fits = match resting.order_type.limit_price() {
        None => true,
        Some(limit_price) => within(resting.order.side, print.price, limit_price, true),
    };
    fits.then_some(Offer { price: print.price, available: None })
}

/// How what is left of an order ends with this event, if it does.
pub(super) fn leftover(resting: &Resting, event: &MarketEvent) -> Option<ReportKind> {
    if resting.arrived > event.at() {
        return None;
    }
    let canceled = |reason: &str| Some(ReportKind::Canceled { reason: reason.to_owned() });
    match (event, resting.order_type, resting.order.time_in_force) {
        (MarketEvent::Auction(print), OrderType::AtAuction { .. }, _) if resting.joins(print.kind) => {
            Some(ReportKind::Expired)
        }
        (_, _, TimeInForce::ImmediateOrCancel) => canceled("immediate or cancel"),
        (_, _, TimeInForce::FillOrKill) => canceled("fill or kill"),
        _ => None,
    }
}

//! C22: no order that could trade with one of our own.

use market::{ClientOrderId, NewOrder, OrderType, Phase, Price, ReportKind, Side, StrategyId};
use proptest::prelude::*;

use crate::world::{BOVA11, PETR4, PETR4F, World, cents, limit, passes, price, told, verdict};

fn world() -> World {
    let mut world = World::new("10000000");
    world.collar(1_000_000);
    world.hold(1_000, BOVA11, "10.00");
    world
}

#[test]
fn prices_that_do_not_meet_pass_to_the_last_tick() {
    for strategy in [StrategyId(0), StrategyId(7)] {
        let mut world = world();
        world.working(Side::Sell, 100, BOVA11, "10.05");
        for (at, expected) in [
            ("10.04", "allowed"),
            ("10.05", "self_trade: could trade with an open order of our own (asked=10.05 limit=10.05)"),
            ("10.06", "self_trade: could trade with an open order of our own (asked=10.06 limit=10.05)"),
        ] {
            let order = NewOrder { strategy, ..world.order(Side::Buy, 1, BOVA11, limit(at)) };
            assert_eq!(told(world.review(order)), expected);
        }
        let mut world = self::world();
        world.working(Side::Buy, 100, BOVA11, "9.95");
        for (at, expected) in [
            ("9.96", "allowed"),
            ("9.95", "self_trade: could trade with an open order of our own (asked=9.95 limit=9.95)"),
            ("9.94", "self_trade: could trade with an open order of our own (asked=9.94 limit=9.95)"),
        ] {
            // Also what only reduces: its way out is to cancel the other first.
            let order = NewOrder { strategy, ..world.order(Side::Sell, 1, BOVA11, limit(at)) };
            assert_eq!(told(world.review(order)), expected);
        }
    }
}

#[test]
fn what_has_no_limit_meets_anything() {
    let far = "self_trade: could trade with an open order of our own (asked=none limit=19.00)";
    let mut world = world();
    world.working(Side::Sell, 100, BOVA11, "19.00");
    assert_eq!(told(world.review(world.order(Side::Buy, 1, BOVA11, OrderType::Market))), far);
    assert_eq!(told(world.review(world.order(Side::Sell, 1, BOVA11, OrderType::Market))), "allowed");
    world.phase = Phase::ClosingAuction;
    let auction = |limit_price| OrderType::AtAuction { limit_price };
    assert_eq!(told(world.review(world.order(Side::Buy, 1, BOVA11, auction(None)))), far);
    let at = |at| auction(Some(price(at)));
    assert_eq!(told(world.review(world.order(Side::Buy, 1, BOVA11, at("18.99")))), "allowed");
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 1, BOVA11, at("19.00")))), "self_trade");
    // One that waits for the auction meets what comes later.
    let mut world = self::world();
    world.phase = Phase::PreOpen;
    let order = world.order(Side::Sell, 100, BOVA11, auction(None));
    world.send(order).expect("allowed");
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 1, BOVA11, limit("0.01")))), "self_trade");
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 1, BOVA11, at("0.01")))), "self_trade");
}

#[test]
fn another_book_is_another_market() {
    let mut world = world();
    world.working(Side::Sell, 100, BOVA11, "10.00");
    for of in [PETR4, PETR4F] {
        let units = if of == PETR4 { 100 } else { 1 };
        assert_eq!(told(world.review(world.order(Side::Buy, units, of, OrderType::Market))), "allowed");
    }
}

/// The order's sell waits at 10.05; then something happens to it.
fn after(what: impl FnOnce(&mut World, ClientOrderId)) -> [&'static str; 2] {
    let mut world = world();
    let id = world.working(Side::Sell, 100, BOVA11, "10.05");
    what(&mut world, id);
    // An instrument that is frozen denies for that; the check is asked by itself.
    ["10.02", "10.05"].map(|at| {
        let explanation = world.explain(world.order(Side::Buy, 1, BOVA11, limit(at)));
        if passes(&explanation, "self_trade") { "allowed" } else { "self_trade" }
    })
}

#[test]
fn an_order_counts_for_as_long_as_it_may_trade_on_every_term_that_it_may_stand_on() {
    assert_eq!(after(|_, _| {}), ["allowed", "self_trade"]);
    assert_eq!(after(|world, id| world.fill(id, 99, price("10.05"))), ["allowed", "self_trade"]);
    assert_eq!(after(|world, id| world.fill(id, 100, price("10.05"))), ["allowed", "allowed"]);
    assert_eq!(after(|world, id| world.report(id, ReportKind::Expired)), ["allowed", "allowed"]);
    assert_eq!(after(|world, id| world.book.outcome_unknown(id).unwrap()), ["allowed", "self_trade"]);
    let cancel = |world: &mut World, id| {
        let cancel = market::order::CancelOrder { client_order_id: id, instrument: BOVA11, decided_at: world.now };
        world.book.request_cancel(&cancel).unwrap();
    };
    assert_eq!(after(cancel), ["allowed", "self_trade"]);
    // While a replace is on its way, both of its prices; afterwards the new one.
    assert_eq!(after(|world, id| world.replace(id, 100, "10.02")), ["self_trade", "self_trade"]);
    assert_eq!(after(|world, id| world.replace(id, 100, "10.09")), ["allowed", "self_trade"]);
    let replaced = |world: &mut World, id| {
        world.replace(id, 100, "10.09");
        let kind = ReportKind::Replaced { quantity: market::Quantity::new(100), limit_price: Some(price("10.09")) };
        world.report(id, kind);
    };
    assert_eq!(after(replaced), ["allowed", "allowed"]);
}

#[test]
fn a_stop_counts_at_its_limit() {
    let mut world = world();
    let stop = OrderType::StopLimit { stop_price: price("9.50"), limit_price: price("9.40") };
    let order = world.order(Side::Sell, 100, BOVA11, stop);
    world.send(order).expect("allowed");
    for (at, expected) in [("9.39", "allowed"), ("9.40", "self_trade")] {
        assert_eq!(verdict(&world.review(world.order(Side::Buy, 1, BOVA11, limit(at)))), expected, "{at}");
    }
}

#[test]
fn a_replace_may_not_come_to_meet_another_order_either() {
    let mut world = world();
    world.working(Side::Sell, 100, BOVA11, "10.05");
    let id = world.working(Side::Buy, 100, BOVA11, "9.90");
    for (to, expected) in [("10.04", "allowed"), ("10.05", "self_trade"), ("10.06", "self_trade")] {
        assert_eq!(verdict(&world.review_replace(id, 100, to)), expected, "{to}");
    }
    let sell = world.working(Side::Sell, 100, BOVA11, "10.10");
    for (to, expected) in [("9.91", "allowed"), ("9.90", "self_trade"), ("9.89", "self_trade")] {
        assert_eq!(verdict(&world.review_replace(sell, 100, to)), expected, "{to}");
    }
}

proptest! {
    /// Whatever is let in, no two open orders of ours ever cross.
    #[test]
    fn no_two_open_orders_ever_cross(
        orders in prop::collection::vec((any::<bool>(), 990_i64..1_010, 0_usize..12, any::<bool>()), 1..60),
    ) {
        let mut world = world();
        let mut open: Vec<(ClientOrderId, Side, Price)> = Vec::new();
        for (buys, at, which, replaces) in orders {
            let side = if buys { Side::Buy } else { Side::Sell };
            let crosses = |side: Side, at: Price, but: Option<ClientOrderId>| {
                open.iter().filter(|(id, ..)| Some(*id) != but).any(|(_, other, price)| match (side, other) {
                    (Side::Buy, Side::Sell) => at >= *price,
                    (Side::Sell, Side::Buy) => at <= *price,
                    _ => false,
                })
            };
            if replaces && !open.is_empty() {
                let place = which % open.len();
                let (id, side, _) = open[place];
                let crossed = crosses(side, cents(at), Some(id));
                prop_assert_eq!(passes(&world.explain_replace(id, 10, cents(at)), "self_trade"), !crossed);
                if !crossed {
                    world.replace(id, 10, &cents(at).to_string());
                    let quantity = market::Quantity::new(10);
                    world.report(id, ReportKind::Replaced { quantity, limit_price: Some(cents(at)) });
                    open[place].2 = cents(at);
                }
                continue;
            }
            let order = world.order(side, 10, BOVA11, OrderType::Limit { limit_price: cents(at) });
            let crossed = crosses(side, cents(at), None);
            prop_assert_eq!(verdict(&world.send(order)), if crossed { "self_trade" } else { "allowed" });
            if !crossed {
                world.report(order.client_order_id, ReportKind::New);
                open.push((order.client_order_id, side, cents(at)));
            }
        }
        world.book.verify().map_err(TestCaseError::fail)?;
    }
}

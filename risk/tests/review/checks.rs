//! Every check at one smallest unit below its limit, at it, and one above it.

use std::collections::BTreeSet;

use market::order::Forecast;
use market::{
    Money, NewOrder, OrderBounds, OrderType, Phase, Price, Quantity, Rate, Side, TimeInForce, TopOfBook, TradingStatus,
};
use risk::checks::code;
use risk::limits::Hours;
use risk::{CHECKS, LimitSet, Limits};

use crate::world::{BOVA11, PETR4, PETR4F, SECOND, World, limit, money, price, verdict};

/// The verdict on an order, with the figures that were compared if it was denied.
fn told(world: &World, order: NewOrder) -> String {
    crate::world::told(world.review(order))
}

#[test]
fn every_check_has_a_name_of_its_own() {
    let names: BTreeSet<&str> = CHECKS.iter().map(|check| check.name).collect();
    let codes = [code::HALTED, code::UNKNOWN_ORDER, code::IDENTIFIERS, code::NOT_OPEN, code::UNKNOWN_INSTRUMENT];
    assert_eq!(names.len(), CHECKS.len());
    assert_eq!(names.iter().chain(&codes).collect::<BTreeSet<_>>().len(), CHECKS.len() + codes.len());
}

#[test]
fn order_quantity() {
    for (limit_at, expected) in [
        (99, "order_quantity: more units than one order may have (asked=100 limit=99)"),
        (100, "allowed"),
        (101, "allowed"),
    ] {
        let mut world = World::new("100000");
        world.limits.max_order_quantity = Quantity::new(limit_at);
        assert_eq!(told(&world, world.order(Side::Buy, 100, BOVA11, limit("10.00"))), expected);
    }
}

#[test]
fn order_notional() {
    for (limit_at, expected) in [
        ("999.99999999", "order_notional: worth more than one order may be (asked=1000.00 limit=999.99999999)"),
        ("1000", "allowed"),
        ("1000.00000001", "allowed"),
    ] {
        let mut world = World::new("100000");
        world.limits.max_order_notional = money(limit_at);
        assert_eq!(told(&world, world.order(Side::Buy, 100, BOVA11, limit("10.00"))), expected);
    }
}

#[test]
fn a_market_order_counts_at_the_far_edge_of_the_collar() {
    // Ask 10.00 and 3 % of room: a unit may come to cost 10.30.
    for (limit_at, expected) in [
        ("1029.99999999", "order_notional: worth more than one order may be (asked=1030.00 limit=1029.99999999)"),
        ("1030", "allowed"),
    ] {
        let mut world = World::new("100000");
        world.limits.max_order_notional = money(limit_at);
        assert_eq!(told(&world, world.order(Side::Buy, 100, BOVA11, OrderType::Market)), expected);
    }
    let world = World::new("100000");
    let approved = world.review(world.order(Side::Buy, 100, BOVA11, OrderType::Market)).unwrap();
    assert_eq!(approved.worst_price(), price("10.30"));
}

#[test]
fn the_price_collar_on_both_sides() {
    let buy = "price_collar: limit price too far through the reference (asked=10.30 limit=10.2999)";
    let sell = "price_collar: limit price too far through the reference (asked=9.70 limit=9.7001)";
    for (collar, for_buy, for_sell) in
        [(29_990, buy, sell), (30_000, "allowed", "allowed"), (30_010, "allowed", "allowed")]
    {
        let mut world = World::new("100000");
        world.hold(100, BOVA11, "10.00");
        world.collar(collar);
        // Buys are measured from the ask, sells from the bid.
        assert_eq!(told(&world, world.order(Side::Buy, 100, BOVA11, limit("10.30"))), for_buy);
        (world.top.bid, world.top.ask) = (price("10.00"), price("10.01"));
        assert_eq!(told(&world, world.order(Side::Sell, 100, BOVA11, limit("9.70"))), for_sell);
    }
    let mut world = World::new("100000");
    world.hold(100, BOVA11, "10.00");
    (world.top.bid, world.top.ask) = (price("10.00"), price("10.10"));
    for (side, at, expected) in [
        (Side::Buy, "10.40", "allowed"),
        (Side::Buy, "10.41", "price_collar"),
        (Side::Sell, "9.70", "allowed"),
        (Side::Sell, "9.69", "price_collar"),
        (Side::Buy, "1.00", "allowed"), // far from the market is only unlikely to trade
        (Side::Sell, "99.00", "allowed"),
    ] {
        assert_eq!(verdict(&world.review(world.order(side, 10, BOVA11, limit(at)))), expected, "{side} {at}");
    }
}

#[test]
fn without_a_quote_the_last_price_is_the_reference_and_without_any_price_only_a_way_out_is_allowed() {
    let mut world = World::new("100000");
    world.hold(100, BOVA11, "10.00");
    (world.top.bid, world.top.ask) = (Price::ZERO, Price::ZERO);
    for (side, at, expected) in [
        (Side::Buy, "10.24", "allowed"), // 9.95 and 3 % is 10.2485
        (Side::Buy, "10.25", "price_collar"),
        (Side::Sell, "9.66", "allowed"),
        (Side::Sell, "9.65", "price_collar"),
    ] {
        assert_eq!(verdict(&world.review(world.order(side, 10, BOVA11, limit(at)))), expected, "{side} {at}");
    }
    world.top = TopOfBook::default();
    for order_type in [OrderType::Market, limit("1.00")] {
        assert_eq!(verdict(&world.review(world.order(Side::Buy, 10, BOVA11, order_type))), "stale_quote");
        assert_eq!(verdict(&world.review(world.order(Side::Sell, 100, BOVA11, order_type))), "allowed");
        assert_eq!(verdict(&world.review(world.order(Side::Sell, 101, BOVA11, order_type))), "stale_quote");
    }
}

#[test]
fn a_stale_quote_while_trading_is_continuous() {
    for phase in [Phase::Continuous, Phase::AfterMarket] {
        for (beyond, expected) in [
            (-1, "allowed"),
            (0, "allowed"),
            (1, "stale_quote: the last price is too old (asked=5000ms limit=5000ms)"),
            (SECOND, "stale_quote: the last price is too old (asked=6000ms limit=5000ms)"),
        ] {
            let mut world = World::new("100000");
            world.hold(100, BOVA11, "10.00");
            world.phase = phase;
            world.now = world.top.at.plus_nanos(5 * SECOND + beyond);
            assert_eq!(told(&world, world.order(Side::Buy, 10, BOVA11, limit("10.00"))), expected);
            // What takes away from a position may leave on an old price.
            assert_eq!(told(&world, world.order(Side::Sell, 100, BOVA11, limit("9.99"))), "allowed");
        }
    }
}

#[test]
fn before_the_open_the_previous_session_counts_and_nothing_older() {
    for (after, expected) in [
        (1, "allowed"),
        (0, "allowed"),
        (-1, "stale_quote: the last price is from before the previous session (asked=86400000ms limit=86400000ms)"),
    ] {
        let mut world = World::new("100000");
        world.phase = Phase::PreOpen;
        world.top.at = world.price_horizon.plus_nanos(after);
        world.now = world.price_horizon.plus_nanos(86_400 * SECOND);
        assert_eq!(told(&world, world.order(Side::Buy, 10, BOVA11, limit("10.00"))), expected);
    }
}

#[test]
fn a_crossed_or_locked_book_and_a_missing_price() {
    for (bid, ask, last, expected) in [
        ("9.99", "10.00", "9.95", "allowed"),
        ("10.00", "10.00", "9.95", "stale_quote: bid and ask are locked (asked=10.00 limit=10.00)"),
        ("10.01", "10.00", "9.95", "stale_quote: bid and ask are crossed (asked=10.01 limit=10.00)"),
        ("0", "10.00", "9.95", "allowed"),
        ("0", "0", "9.95", "allowed"),
        ("0", "0", "0", "stale_quote: no price has been seen (asked=none limit=5000ms)"),
    ] {
        let mut world = World::new("100000");
        (world.top.bid, world.top.ask, world.top.last) = (price(bid), price(ask), price(last));
        assert_eq!(told(&world, world.order(Side::Buy, 10, BOVA11, limit("10.00"))), expected, "{bid} {ask} {last}");
    }
}

#[test]
fn lot_and_tick() {
    let world = World::new("100000");
    let stop = |stop, at| OrderType::StopLimit { stop_price: price(stop), limit_price: price(at) };
    for (units, of, order_type, expected) in [
        (100, PETR4, limit("10.00"), "allowed"),
        (99, PETR4, limit("10.00"), "lot_and_tick: not a multiple of the lot (asked=99 limit=100)"),
        (101, PETR4, limit("10.00"), "lot_and_tick: not a multiple of the lot (asked=101 limit=100)"),
        (0, PETR4, limit("10.00"), "lot_and_tick: quantity is not positive (asked=0 limit=none)"),
        (-100, PETR4, limit("10.00"), "lot_and_tick: quantity is not positive (asked=-100 limit=none)"),
        (99, PETR4F, limit("10.00"), "allowed"),
        (100, PETR4F, limit("10.00"), "lot_and_tick: more than this market takes (asked=100 limit=99)"),
        (100, PETR4, limit("9.99999999"), "lot_and_tick: not a multiple of the tick (asked=9.99999999 limit=0.01)"),
        (100, PETR4, limit("0"), "lot_and_tick: price is not positive (asked=0.00 limit=none)"),
        (100, PETR4, stop("10.00", "10.00"), "allowed"),
        (100, PETR4, stop("10.01", "10.00"), "lot_and_tick: stop lies beyond its limit (asked=10.01 limit=10.00)"),
    ] {
        assert_eq!(told(&world, world.order(Side::Buy, units, of, order_type)), expected, "{units} {order_type:?}");
    }
    let order = world.order(Side::Buy, 100, PETR4, OrderType::Market);
    let order = NewOrder { time_in_force: TimeInForce::GoodTillCancel, ..order };
    let expected = "lot_and_tick: order type and time in force do not go together (asked=none limit=none)";
    assert_eq!(told(&world, order), expected);
    let yesterday = world.now.local_date().pred_opt().unwrap();
    let order = world.order(Side::Buy, 100, PETR4, limit("10.00"));
    let order = NewOrder { time_in_force: TimeInForce::GoodTillDate(yesterday), ..order };
    assert_eq!(told(&world, order), "lot_and_tick: good-till date has passed (asked=none limit=none)");
}

#[test]
fn which_orders_each_phase_takes() {
    use TimeInForce::{AtTheClose, Day, FillOrKill, ImmediateOrCancel};
    let orders = [
        (limit("10.00"), Day),
        (OrderType::StopLimit { stop_price: price("10.00"), limit_price: price("10.00") }, Day),
        (OrderType::AtAuction { limit_price: None }, Day),
        (OrderType::AtAuction { limit_price: Some(price("10.00")) }, AtTheClose),
        (OrderType::Market, Day),
        (limit("10.00"), ImmediateOrCancel),
        (limit("10.00"), FillOrKill),
    ];
    for (phase, taken) in [
        (Phase::Unknown, "-------"),
        (Phase::Closed, "-------"),
        (Phase::CancelOnly, "-------"),
        (Phase::PreOpen, "lsac---"),
        (Phase::OpeningAuction, "lsac---"),
        (Phase::Continuous, "lsacmif"),
        (Phase::Auction, "lsac---"),
        (Phase::Halt, "-------"),
        (Phase::CircuitBreaker, "-------"),
        (Phase::ClosingAuction, "lsac---"),
        (Phase::CancelAfter, "-------"),
        (Phase::AfterMarket, "ls--mif"),
    ] {
        let mut world = World::new("100000");
        world.phase = phase;
        let mut found = String::new();
        for ((order_type, time_in_force), letter) in orders.into_iter().zip("lsacmif".chars()) {
            let order = NewOrder { time_in_force, ..world.order(Side::Buy, 10, BOVA11, order_type) };
            match verdict(&world.review(order)) {
                "allowed" => found.push(letter),
                check => {
                    assert_eq!(check, "session_phase");
                    found.push('-');
                }
            }
        }
        assert_eq!(found, taken, "{}", phase.name());
    }
    let mut world = World::new("100000");
    world.phase = Phase::Halt;
    assert_eq!(
        told(&world, world.order(Side::Buy, 10, BOVA11, limit("10.00"))),
        "session_phase: the exchange does not take such orders in this phase (asked=halt limit=none)"
    );
}

#[test]
fn the_first_check_that_denies_speaks() {
    // An order that breaks everything at once, and what is said as one thing after another is mended. A sale
    // is asked what a purchase cannot break, and the other way round.
    let seen = [speaks(Side::Sell, &["position_per_symbol", "buying_power"]), speaks(Side::Buy, &["short_sale"])];
    for (seen, left_out) in seen.iter().zip([&["position_per_symbol", "buying_power"][..], &["short_sale"]]) {
        // Those of rates and sums, which come last, have files of their own.
        let names = CHECKS.iter().map(|check| check.name).take_while(|name| *name != "repeated_executions");
        let names: Vec<&str> = names.filter(|name| !left_out.contains(name)).collect();
        assert_eq!(*seen, names);
    }
}

/// What one check needs to let an order pass.
type Mend = fn(&mut World, &mut NewOrder);

fn speaks(side: Side, left_out: &[&str]) -> Vec<&'static str> {
    let mut world = World::new("10");
    let own = NewOrder { side: side.opposite(), ..world.order(side, 100, PETR4, limit("10.00")) };
    let own = if side == Side::Sell { own } else { NewOrder { order_type: limit("99.00"), ..own } };
    world.book.enter(own, price("10.00"));
    let order = world.order(side, 150, PETR4, limit(if side == Side::Buy { "99.00" } else { "1.00" }));
    let day = own.decided_at.local_date();
    let client_order_id = market::ClientOrderId::new("TEST", day, 2).expect("a name");
    let mut order = NewOrder { client_order_id, ..order };
    let hours = Hours { last_entry: Some("09:00".parse().expect("a time")) };
    let restricted = ["PETR4".parse().expect("a symbol")].into();
    world.written(Limits { hours, restricted, ..Limits::from(LimitSet::WIDE) }, &[]);
    world.limits.max_order_quantity = Quantity::new(100);
    world.limits.max_order_notional = Money::ZERO;
    world.limits.max_position_quantity = Quantity::ZERO;
    (world.limits.max_spread, world.limits.book_collar) = (Rate::from_ppm(1), Rate::from_ppm(100_000));
    (world.phase, world.top.status) = (Phase::Halt, TradingStatus::Halted);
    world.top.bounds = Some(OrderBounds { min_quantity: Quantity::new(300), ..OrderBounds::default() });
    world.forecast = Some(Forecast { made_at: world.now, value: f64::NAN, model: String::new() });
    (world.top.at, world.now) = (world.now, world.now.plus_nanos(6 * SECOND));
    let mends: [(&str, Mend); 16] = [
        ("session_phase", |world, _| world.phase = Phase::Continuous),
        ("trading_status", |world, _| world.top.status = TradingStatus::Trading),
        ("last_entry", |world, _| {
            let restricted = ["PETR4".parse().expect("a symbol")].into();
            world.written(Limits { restricted, ..Limits::from(LimitSet::WIDE) }, &[]);
        }),
        ("symbol_list", |world, _| world.written(LimitSet::WIDE.into(), &[])),
        ("lot_and_tick", |_, order| order.quantity = Quantity::new(200)),
        ("order_bounds", |world, _| world.top.bounds = None),
        ("stale_quote", |world, _| world.top.at = world.now),
        ("wide_spread", |world, _| world.limits.max_spread = Rate::from_ppm(10_000)),
        ("forecast", |world, _| world.forecast = None),
        ("order_quantity", |_, order| order.quantity = Quantity::new(100)),
        ("price_collar", |world, _| world.collar(100_000_000)),
        ("book_collar", |world, _| world.limits.book_collar = Rate::from_ppm(100_000_000)),
        ("order_notional", |world, _| world.limits.max_order_notional = money("9900")),
        ("short_sale", |world, _| world.hold_by_fill(100, PETR4)),
        ("position_per_symbol", |world, _| world.limits.max_position_quantity = Quantity::new(1_000)),
        ("self_trade", |world, _| world.end_all()),
    ];
    let mut seen = vec![verdict(&world.review(order))];
    for (name, mend) in mends {
        if left_out.contains(&name) {
            continue;
        }
        mend(&mut world, &mut order);
        let verdict = verdict(&world.review(order));
        if verdict != "allowed" {
            seen.push(verdict);
        }
    }
    seen
}

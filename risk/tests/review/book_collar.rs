//! C04: how far a limit price may reach through the other side of the book.

use market::{Phase, Price, Rate, Side};
use proptest::prelude::*;

use crate::world::{BOVA11, PETR4, World, cents, limit, passes, price, told, verdict};

fn world(collar_ppm: i64) -> World {
    let mut world = World::new("100000");
    world.limits.book_collar = Rate::from_ppm(collar_ppm);
    world.collar(1_000_000);
    world
}

#[test]
fn at_the_edge_and_one_step_on_either_side() {
    // Ask 10.00: 20,000 ppm reach to 10.20. A step of the collar is a hundred-thousandth of a real here.
    for (collar, expected) in [
        (19_999, "book_collar: limit price too far through the book (asked=10.20 limit=10.19999)"),
        (20_000, "allowed"),
        (20_001, "allowed"),
    ] {
        let world = world(collar);
        assert_eq!(told(world.review(world.order(Side::Buy, 100, BOVA11, limit("10.20")))), expected);
    }
    // Bid 10.00: down to 9.80.
    for (collar, expected) in [
        (19_999, "book_collar: limit price too far through the book (asked=9.80 limit=9.80001)"),
        (20_000, "allowed"),
        (20_001, "allowed"),
    ] {
        let mut world = world(collar);
        world.hold(100, BOVA11, "10.00");
        (world.top.bid, world.top.ask) = (price("10.00"), price("10.01"));
        assert_eq!(told(world.review(world.order(Side::Sell, 100, BOVA11, limit("9.80")))), expected);
    }
    let mut world = world(20_000);
    world.hold(300, PETR4, "10.00");
    for (side, at, expected) in [
        (Side::Buy, "10.19", "allowed"),
        (Side::Buy, "10.20", "allowed"),
        (Side::Buy, "10.21", "book_collar"),
        (Side::Sell, "9.80", "allowed"), // bid 9.99: the edge is 9.7902
        (Side::Sell, "9.79", "book_collar"),
        (Side::Buy, "0.01", "allowed"),
    ] {
        assert_eq!(verdict(&world.review(world.order(side, 100, PETR4, limit(at)))), expected, "{side} {at}");
    }
}

#[test]
fn a_replace_is_held_to_it_too() {
    let mut world = world(20_000);
    let buy = world.working(Side::Buy, 100, BOVA11, "9.90");
    for (to, expected) in [("10.20", "allowed"), ("10.21", "book_collar")] {
        assert_eq!(verdict(&world.review_replace(buy, 100, to)), expected, "{to}");
    }
    let mut world = self::world(20_000);
    world.hold(100, BOVA11, "10.00");
    let sell = world.working(Side::Sell, 100, BOVA11, "10.50");
    for (to, expected) in [("9.80", "allowed"), ("9.79", "book_collar")] {
        assert_eq!(verdict(&world.review_replace(sell, 100, to)), expected, "{to}");
    }
}

#[test]
fn a_side_with_nothing_on_offer_takes_no_new_risk_while_trading_is_continuous() {
    let expected = "book_collar: nothing is on offer on the other side (asked=none limit=0.02)";
    let mut world = world(20_000);
    world.hold(100, BOVA11, "10.00");
    let buy = |world: &World| told(world.review(world.order(Side::Buy, 10, BOVA11, limit("10.00"))));
    world.top.ask = Price::ZERO;
    assert_eq!(buy(&world), expected);
    world.phase = Phase::PreOpen;
    assert_eq!(buy(&world), "allowed", "an auction finds its own price");
    world.phase = Phase::Continuous;
    (world.top.bid, world.top.ask) = (Price::ZERO, price("10.00"));
    // What reduces is judged by the price collar alone: 9.95 was the last price.
    assert_eq!(told(world.review(world.order(Side::Sell, 100, BOVA11, limit("9.00")))), "allowed");
    assert_eq!(told(world.review(world.order(Side::Sell, 100, BOVA11, market::OrderType::Market))), "allowed");
    world.collar(30_000);
    assert_eq!(verdict(&world.review(world.order(Side::Sell, 100, BOVA11, limit("9.00")))), "price_collar");
    // A market whose book is not told at all.
    (world.top.bid, world.top.ask) = (Price::ZERO, Price::ZERO);
    assert_eq!(buy(&world), "allowed");
}

proptest! {
    #[test]
    fn the_edge_is_where_plain_arithmetic_puts_it(
        best in 1_i64..10_000, asked in 1_i64..20_000, collar in 1_i64..1_000_000, buys in any::<bool>(),
        replaces in any::<bool>(),
    ) {
        let mut world = world(collar);
        world.hold(100, BOVA11, "10.00");
        let side = if buys { Side::Buy } else { Side::Sell };
        let id = world.working(side, 100, BOVA11, if buys { "9.00" } else { "11.00" });
        (world.top.bid, world.top.ask) = if buys { (cents(best - 1), cents(best)) } else { (cents(best), cents(best + 1)) };
        let order_type = market::OrderType::Limit { limit_price: cents(asked) };
        let explanation = if replaces {
            world.explain_replace(id, 90, cents(asked))
        } else {
            world.explain(world.order(side, 10, BOVA11, order_type))
        };
        // A centavo is a million steps, and a part in a million of it is one of them: no rounding.
        let (reach, best, asked) = (i128::from(best) * i128::from(collar), i128::from(best), i128::from(asked));
        let beyond = if buys { asked * 1_000_000 > best * 1_000_000 + reach } else { asked * 1_000_000 < best * 1_000_000 - reach };
        prop_assert_eq!(passes(&explanation, "book_collar"), !beyond);
    }
}

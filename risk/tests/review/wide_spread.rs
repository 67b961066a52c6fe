//! C23: no new risk while bid and ask are far apart.

use market::{Phase, Price, Rate, Side, TradingStatus};
use proptest::prelude::*;

use crate::world::{BOVA11, World, cents, limit, passes, price, told, verdict};

fn world(bid: &str, ask: &str, most_ppm: i64) -> World {
    let mut world = World::new("100000");
    world.hold(100, BOVA11, "10.00");
    world.limits.max_spread = Rate::from_ppm(most_ppm);
    (world.top.bid, world.top.ask) = (price(bid), price(ask));
    world
}

#[test]
fn at_the_limit_and_one_step_on_either_side() {
    for (most, expected) in [
        (19_999, "wide_spread: bid and ask are too far apart (asked=0.20 limit=0.19999)"),
        (20_000, "allowed"),
        (20_001, "allowed"),
    ] {
        let world = world("10.00", "10.20", most);
        assert_eq!(told(world.review(world.order(Side::Buy, 10, BOVA11, limit("10.00")))), expected);
        assert_eq!(told(world.review(world.order(Side::Sell, 10, BOVA11, limit("10.00")))), "allowed", "a way out");
    }
}

#[test]
fn only_a_book_that_trades_now_has_a_spread() {
    let buy = |world: &World| verdict(&world.review(world.order(Side::Buy, 10, BOVA11, limit("10.00"))));
    let mut world = world("10.00", "10.40", 20_000);
    assert_eq!(buy(&world), "wide_spread");
    world.phase = Phase::PreOpen;
    assert_eq!(buy(&world), "allowed");
    world.phase = Phase::Continuous;
    world.top.status = TradingStatus::Trading;
    assert_eq!(buy(&world), "wide_spread");
    (world.top.bid, world.top.ask) = (Price::ZERO, Price::ZERO);
    assert_eq!(buy(&world), "allowed");
}

#[test]
fn a_replace_takes_on_new_risk() {
    let mut world = World::new("100000");
    let id = world.working(Side::Buy, 10, BOVA11, "9.90");
    world.limits.max_spread = Rate::from_ppm(20_000);
    for (ask, expected) in [("10.18", "allowed"), ("10.20", "wide_spread")] {
        (world.top.bid, world.top.ask) = (price("9.99"), price(ask));
        assert_eq!(verdict(&world.review_replace(id, 10, "9.91")), expected, "{ask}");
    }
}

proptest! {
    #[test]
    fn the_limit_is_a_fraction_of_the_bid(
        bid in 1_i64..100_000, spread in 1_i64..5_000, most in 1_i64..200_000, buys in any::<bool>(),
    ) {
        let mut world = World::new("100000");
        world.limits.max_spread = Rate::from_ppm(most);
        (world.top.bid, world.top.ask) = (cents(bid), cents(bid + spread));
        let side = if buys { Side::Buy } else { Side::Sell };
        let explanation = world.explain(world.order(side, 10, BOVA11, limit("10.00")));
        let within = i128::from(spread) * 1_000_000 <= i128::from(bid) * i128::from(most);
        prop_assert_eq!(passes(&explanation, "wide_spread"), within);
    }
}

//! C24: what passes while the exchange has taken an instrument out of continuous trading.

use market::{NewOrder, OrderType, Phase, Side, TimeInForce, TradingStatus};
use proptest::prelude::*;

use crate::world::{BOVA11, SECOND, World, limit, passes, price, told, verdict};

/// Enter, enter at an auction, reduce, reduce at an auction, reduce now, replace.
fn verdicts(status: TradingStatus) -> String {
    let mut world = World::new("100000");
    world.hold(100, BOVA11, "10.00");
    let id = world.working(Side::Buy, 10, BOVA11, "9.00");
    world.top.status = status;
    let auction = OrderType::AtAuction { limit_price: None };
    let mut found = String::new();
    let mut mark = |allowed: bool, letter: char| found.push(if allowed { letter } else { '-' });
    mark(world.review(world.order(Side::Buy, 10, BOVA11, limit("9.00"))).is_ok(), 'e');
    mark(world.review(world.order(Side::Buy, 10, BOVA11, auction)).is_ok(), 'a');
    mark(world.review(world.order(Side::Sell, 10, BOVA11, limit("11.00"))).is_ok(), 'r');
    mark(
        world
            .review(world.order(Side::Sell, 10, BOVA11, OrderType::AtAuction { limit_price: Some(price("11.00")) }))
            .is_ok(),
        'o',
    );
    let now = world.order(Side::Sell, 10, BOVA11, limit("11.00"));
    mark(world.review(NewOrder { time_in_force: TimeInForce::ImmediateOrCancel, ..now }).is_ok(), 'i');
    mark(world.review_replace(id, 10, "9.01").is_ok(), 'p');
    found
}

#[test]
fn what_each_status_lets_pass() {
    for (status, expected) in [
        (TradingStatus::Untold, "earoip"),
        (TradingStatus::Trading, "earoip"),
        (TradingStatus::Auction, "-aro--"),
        (TradingStatus::Halted, "------"),
        (TradingStatus::Unknown, "--roi-"),
    ] {
        assert_eq!(verdicts(status), expected, "{}", status.name());
    }
    let mut world = World::new("100000");
    world.top.status = TradingStatus::Halted;
    let expected = "trading_status: the exchange has suspended the instrument (asked=halted limit=none)";
    assert_eq!(told(world.review(world.order(Side::Buy, 10, BOVA11, limit("10.00")))), expected);
}

#[test]
fn in_a_call_of_its_own_the_price_is_old_and_the_book_may_cross_by_nature() {
    let mut world = World::new("100000");
    (world.top.bid, world.top.ask) = (price("10.10"), price("10.00"));
    world.now = world.now.plus_nanos(600 * SECOND);
    let order = |world: &World| world.order(Side::Buy, 10, BOVA11, OrderType::AtAuction { limit_price: None });
    assert_eq!(verdict(&world.review(order(&world))), "stale_quote");
    world.top.status = TradingStatus::Auction;
    assert_eq!(verdict(&world.review(order(&world))), "allowed");
    // And when it is over, nobody trades on what was before.
    world.top.status = TradingStatus::Trading;
    assert_eq!(verdict(&world.review(order(&world))), "stale_quote");
    world.phase = Phase::Halt;
    world.top.status = TradingStatus::Auction;
    assert_eq!(verdict(&world.review(order(&world))), "session_phase", "the stricter of the two wins");
}

proptest! {
    #[test]
    fn new_risk_passes_only_where_the_instrument_trades_or_at_its_auction(
        status in 0_usize..5, buys in any::<bool>(), units in 1_i64..30, held in 0_i64..30, kind in 0_u8..4,
    ) {
        let status = TradingStatus::ALL[status];
        let mut world = World::new("100000");
        if held > 0 {
            world.hold(held, BOVA11, "10.00");
        }
        world.top.status = status;
        let side = if buys { Side::Buy } else { Side::Sell };
        let order_type = match kind {
            0 => OrderType::Market,
            1 => OrderType::AtAuction { limit_price: None },
            _ => limit("10.00"),
        };
        let time_in_force = if kind == 2 { TimeInForce::FillOrKill } else { TimeInForce::Day };
        let order = NewOrder { time_in_force, ..world.order(side, units, BOVA11, order_type) };
        let (reduces, waits) = (!buys && units <= held, kind == 1 || kind == 3);
        let expected = match status {
            TradingStatus::Untold | TradingStatus::Trading => true,
            TradingStatus::Auction => kind == 1 || (reduces && waits),
            TradingStatus::Halted => false,
            TradingStatus::Unknown => reduces,
        };
        prop_assert_eq!(passes(&world.explain(order), "trading_status"), expected);
    }
}

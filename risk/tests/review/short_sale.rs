//! C18: nobody sells what is not held.

use market::{OrderType, Quantity, Side};
use proptest::prelude::*;

use crate::world::{BOVA11, World, limit, passes, price, told, verdict};

#[test]
fn the_last_unit_and_one_more() {
    let mut world = World::new("100000");
    world.hold(100, BOVA11, "10.00");
    for (units, expected) in
        [(99, "allowed"), (100, "allowed"), (101, "short_sale: would sell more than is held (asked=-1 limit=0)")]
    {
        for order_type in [limit("10.00"), OrderType::Market] {
            assert_eq!(told(world.review(world.order(Side::Sell, units, BOVA11, order_type))), expected);
        }
    }
    let world = World::new("100000");
    assert_eq!(verdict(&world.review(world.order(Side::Sell, 1, BOVA11, OrderType::Market))), "short_sale");
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 1, BOVA11, OrderType::Market))), "allowed");
}

#[test]
fn a_replace_may_not_sell_more_either() {
    let mut world = World::new("100000");
    world.hold(100, BOVA11, "10.00");
    let id = world.working(Side::Sell, 60, BOVA11, "10.50");
    world.working(Side::Sell, 10, BOVA11, "10.50");
    world.fill(id, 20, price("10.50"));
    // 80 are held, 50 of them are being sold, so 30 more may be.
    for (units, expected) in [(89, "allowed"), (90, "allowed"), (91, "short_sale")] {
        assert_eq!(verdict(&world.review_replace(id, units, "10.50")), expected, "{units}");
    }
}

#[test]
fn what_other_hands_hold_is_not_ours_to_sell() {
    let mut world = World::new("100000");
    world.book.adopt_external(BOVA11, Quantity::new(500));
    assert_eq!(verdict(&world.review(world.order(Side::Sell, 1, BOVA11, limit("10.00")))), "short_sale");
}

proptest! {
    #[test]
    fn a_sell_passes_exactly_while_units_are_left(
        held in 1_i64..100, open in 0_i64..100, lost in any::<bool>(), bought in 0_i64..50, units in 1_i64..120,
    ) {
        let mut world = World::new("100000");
        world.hold(held, BOVA11, "10.00");
        let open = open.min(held);
        if open > 0 {
            let id = world.working(Side::Sell, open, BOVA11, "11.00");
            if lost {
                world.book.outcome_unknown(id).expect("an open order");
            }
        }
        if bought > 0 && !lost {
            world.working(Side::Buy, bought, BOVA11, "9.00"); // may never trade
        }
        let explanation = world.explain(world.order(Side::Sell, units, BOVA11, limit("10.00")));
        prop_assert_eq!(passes(&explanation, "short_sale"), units <= held - open);
    }
}

//! C05: what the exchange would reject for its price or its quantity.

use market::{OrderBounds, OrderType, Quantity, Side};
use proptest::prelude::*;

use crate::world::{BOVA11, World, cents, limit, passes, price, told, verdict};

fn bounds(low: &str, high: &str, few: i64, many: i64) -> OrderBounds {
    OrderBounds {
        low_limit_price: price(low),
        high_limit_price: price(high),
        min_quantity: Quantity::new(few),
        max_quantity: Quantity::new(many),
    }
}

#[test]
fn prices_and_quantities_at_the_bound_and_one_step_outside() {
    let mut world = World::new("100000");
    world.hold(100, BOVA11, "10.00");
    world.top.bounds = Some(bounds("9.90", "10.10", 10, 50));
    for (side, units, at, expected) in [
        (Side::Buy, 10, "9.89", "order_bounds: below the lower tunnel (asked=9.89 limit=9.90)"),
        (Side::Buy, 10, "9.90", "allowed"),
        (Side::Buy, 10, "9.91", "allowed"),
        (Side::Buy, 10, "10.09", "allowed"),
        (Side::Buy, 10, "10.10", "allowed"),
        (Side::Buy, 10, "10.11", "order_bounds: above the upper tunnel (asked=10.11 limit=10.10)"),
        (Side::Sell, 10, "9.89", "order_bounds: below the lower tunnel (asked=9.89 limit=9.90)"),
        (Side::Sell, 10, "9.90", "allowed"),
        (Side::Sell, 10, "10.11", "order_bounds: above the upper tunnel (asked=10.11 limit=10.10)"),
        (Side::Buy, 9, "10.00", "order_bounds: fewer units than the exchange takes (asked=9 limit=10)"),
        (Side::Buy, 11, "10.00", "allowed"),
        (Side::Sell, 50, "10.00", "allowed"),
        (Side::Sell, 51, "10.00", "order_bounds: more units than the exchange takes (asked=51 limit=50)"),
    ] {
        assert_eq!(told(world.review(world.order(side, units, BOVA11, limit(at)))), expected, "{side} {units} {at}");
    }
    assert_eq!(told(world.review(world.order(Side::Buy, 10, BOVA11, OrderType::Market))), "allowed");
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 51, BOVA11, OrderType::Market))), "order_bounds");
}

#[test]
fn what_the_stream_said_last_counts_and_before_that_the_instrument() {
    let mut world = World::new("100000");
    let mut universe = market::Universe::new();
    for (_, known) in world.universe.iter() {
        universe.add(market::Instrument { bounds: bounds("9.00", "9.99", 0, 0), ..known.clone() });
    }
    world.universe = universe;
    let buy = |world: &World, at| verdict(&world.review(world.order(Side::Buy, 10, BOVA11, limit(at))));
    assert_eq!((buy(&world, "9.99"), buy(&world, "10.00")), ("allowed", "order_bounds"));
    world.top.bounds = Some(bounds("9.50", "10.00", 0, 0));
    assert_eq!(
        (buy(&world, "10.00"), buy(&world, "9.49"), buy(&world, "10.01")),
        ("allowed", "order_bounds", "order_bounds")
    );
    world.top.bounds = Some(OrderBounds::default());
    assert_eq!(buy(&world, "10.01"), "allowed", "the exchange has lifted them");
}

#[test]
fn a_replace_must_leave_an_order_within_them() {
    let mut world = World::new("100000");
    let id = world.working(Side::Buy, 100, BOVA11, "9.95");
    world.fill(id, 40, price("9.95"));
    world.top.bounds = Some(bounds("9.90", "10.10", 10, 60));
    // What is left counts: 40 have traded.
    for (units, to, expected) in [
        (100, "9.90", "allowed"),
        (100, "9.89", "order_bounds"),
        (100, "10.11", "order_bounds"),
        (101, "9.95", "order_bounds"),
        (50, "9.95", "allowed"),
        (49, "9.95", "order_bounds"),
    ] {
        assert_eq!(verdict(&world.review_replace(id, units, to)), expected, "{units} at {to}");
    }
}

proptest! {
    #[test]
    fn an_order_passes_just_inside_all_four(
        (low, high) in (900_i64..1_100, 900_i64..1_100), (few, many) in (0_i64..60, 0_i64..60),
        asked in 890_i64..1_110, units in 1_i64..65, buys in any::<bool>(),
    ) {
        let mut world = World::new("100000");
        world.top.bounds = Some(OrderBounds {
            low_limit_price: cents(low),
            high_limit_price: cents(high),
            min_quantity: Quantity::new(few),
            max_quantity: Quantity::new(many),
        });
        let side = if buys { Side::Buy } else { Side::Sell };
        let order = world.order(side, units, BOVA11, OrderType::Limit { limit_price: cents(asked) });
        let inside = (low..=high).contains(&asked) && units >= few && (many == 0 || units <= many);
        prop_assert_eq!(passes(&world.explain(order), "order_bounds"), inside);
    }
}

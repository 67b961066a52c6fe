//! C19: symbols that nobody may enter, and symbols that a strategy may.

use market::{InstrumentId, NewOrder, Quantity, Side, StrategyId};
use proptest::prelude::*;
use risk::limits::StrategyLimits;
use risk::{LimitSet, Limits, SomeLimits};

use crate::world::{BOVA11, PETR4, World, limit, passes, price, told, verdict};

const TREND: StrategyId = StrategyId(0);
const OTHER: StrategyId = StrategyId(1);

/// Of these restricted, and these allowed to `trend`; `other` may trade everything.
fn lists(restricted: &[&str], allowed: Option<&[&str]>) -> Limits {
    let symbols = |list: &[&str]| list.iter().map(|symbol| symbol.parse().expect("a symbol")).collect();
    let mut limits = Limits::from(LimitSet::WIDE);
    limits.restricted = symbols(restricted);
    let trend = StrategyLimits { allowed: allowed.map(symbols), limits: SomeLimits::default() };
    limits.strategies.insert("trend".to_owned(), trend);
    limits
}

fn by(strategy: StrategyId, order: NewOrder) -> NewOrder {
    NewOrder { strategy, ..order }
}

fn hold(world: &mut World, strategy: StrategyId, units: i64, of: InstrumentId) {
    let order = by(strategy, world.order(Side::Buy, units, of, limit("10.00")));
    world.send(order).expect("allowed");
    world.fill(order.client_order_id, units, price("10.00"));
}

#[test]
fn deny_wins_and_what_is_held_can_be_left_to_the_last_unit() {
    let mut world = World::new("100000");
    hold(&mut world, TREND, 100, BOVA11);
    world.written(lists(&["BOVA11"], Some(&["BOVA11"])), &["trend", "other"]);
    let expected = "symbol_list: the symbol is restricted: only reducing is allowed (asked=1 limit=none)";
    assert_eq!(told(world.review(world.order(Side::Buy, 1, BOVA11, limit("10.00")))), expected);
    for (units, expected) in [(99, "allowed"), (100, "allowed"), (101, "symbol_list")] {
        let order = world.order(Side::Sell, units, BOVA11, limit("10.00"));
        assert_eq!(verdict(&world.review(order)), expected, "{units}");
    }
    let expected = "symbol_list: the strategy may not trade the symbol (asked=100 limit=none)";
    assert_eq!(told(world.review(world.order(Side::Buy, 100, PETR4, limit("10.00")))), expected);
    let other = by(OTHER, world.order(Side::Buy, 100, PETR4, limit("10.00")));
    assert_eq!(told(world.review(other)), "allowed");
}

#[test]
fn a_strategy_leaves_with_its_own_units_only() {
    let mut world = World::new("100000");
    hold(&mut world, TREND, 30, BOVA11);
    hold(&mut world, OTHER, 70, BOVA11);
    world.written(lists(&[], Some(&["PETR4"])), &["trend", "other"]);
    for (strategy, units, expected) in [
        (TREND, 29, "allowed"),
        (TREND, 30, "allowed"),
        (TREND, 31, "symbol_list"), // the thirty-first is the other's
        (OTHER, 70, "allowed"),
    ] {
        let order = by(strategy, world.order(Side::Sell, units, BOVA11, limit("10.00")));
        assert_eq!(verdict(&world.review(order)), expected, "{strategy:?} {units}");
    }
    // What it is selling already is gone.
    let order = by(TREND, world.order(Side::Sell, 20, BOVA11, limit("11.00")));
    world.send(order).expect("allowed");
    for (units, expected) in [(10, "allowed"), (11, "symbol_list")] {
        let order = by(TREND, world.order(Side::Sell, units, BOVA11, limit("11.00")));
        assert_eq!(verdict(&world.review(order)), expected, "{units}");
    }
}

#[test]
fn a_replace_in_such_a_symbol_is_denied_for_it_may_enlarge() {
    let mut world = World::new("100000");
    let id = world.working(Side::Buy, 10, BOVA11, "9.90");
    world.written(lists(&["BOVA11"], None), &["trend"]);
    for (units, to) in [(10, "9.91"), (11, "9.90"), (9, "9.90")] {
        assert_eq!(verdict(&world.review_replace(id, units, to)), "symbol_list", "{units} {to}");
    }
}

proptest! {
    #[test]
    fn what_is_listed_is_never_enlarged(
        held in 0_i64..50, units in 1_i64..60, buys in any::<bool>(), restricted in any::<bool>(), allowed in any::<bool>(),
    ) {
        let mut world = World::new("100000");
        if held > 0 {
            hold(&mut world, TREND, held, BOVA11);
        }
        let list: &[&str] = if restricted { &["BOVA11"] } else { &[] };
        let only: &[&str] = if allowed { &["BOVA11", "PETR4"] } else { &["PETR4"] };
        world.written(lists(list, Some(only)), &["trend"]);
        let side = if buys { Side::Buy } else { Side::Sell };
        let order = world.order(side, units, BOVA11, limit("10.00"));
        let leaves = !buys && units <= held;
        let free = !restricted && allowed;
        prop_assert_eq!(passes(&world.explain(order), "symbol_list"), free || leaves);
        prop_assert_eq!(world.book.position(BOVA11).quantity, Quantity::new(held));
    }
}

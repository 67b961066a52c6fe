//! Parent and children: no decision trades more than was decided, whatever the strategy knows of its fills.

use market::order::ReplaceOrder;
use market::{ClientOrderId, NewOrder, ParentOrder, Quantity, ReportKind, Side, Timestamp};
use proptest::prelude::*;
use risk::{Approved, Denial};

use crate::world::{BOVA11, SECOND, World, limit, price, verdict};

fn parent(second: i64, number: u32, units: i64) -> ParentOrder {
    ParentOrder { decided_at: Timestamp::from_nanos(second * SECOND), number, quantity: Quantity::new(units) }
}

fn child(world: &World, side: Side, units: i64, of: ParentOrder) -> NewOrder {
    NewOrder { parent: Some(of), ..world.order(side, units, BOVA11, limit("10.00")) }
}

fn send(world: &mut World, units: i64, of: ParentOrder) -> Result<ClientOrderId, Denial> {
    let order = child(world, Side::Buy, units, of);
    world.send(order).map(|_| order.client_order_id)
}

#[test]
fn one_child_up_to_the_parent() {
    let world = World::new("100000");
    for (units, expected) in [
        (299, "allowed"),
        (300, "allowed"),
        (301, "parent_quantity: the orders of the decision would trade more than was decided (asked=301 limit=300)"),
    ] {
        let reviewed = world.review(child(&world, Side::Buy, units, parent(1, 0, 300)));
        assert_eq!(reviewed.map_or_else(|denial| denial.to_string(), |_| "allowed".to_owned()), expected);
    }
}

/// 2012-08-01: the count of fills had moved to another place, so a parent never knew that it was done, and
/// child after child left.
#[test]
fn knights_children_stop_at_the_parent() {
    let mut world = World::new("100000");
    let mut traded = 0;
    for _ in 0..1_000 {
        let Ok(id) = send(&mut world, 100, parent(1, 0, 300)) else { continue };
        world.fill(id, 100, price("10.00"));
        traded += 100;
    }
    assert_eq!(traded, 300);
    let denied = send(&mut world, 100, parent(1, 0, 300)).unwrap_err();
    assert_eq!(
        denied.to_string(),
        "parent_quantity: the orders of the decision would trade more than was decided (asked=400 limit=300)"
    );
}

#[test]
fn what_is_open_counts_at_worst_and_what_ended_untraded_does_not() {
    let mut world = World::new("100000");
    let of = parent(1, 0, 300);
    let first = send(&mut world, 200, of).unwrap();
    for (units, expected) in [(100, "allowed"), (101, "parent_quantity")] {
        assert_eq!(verdict(&world.review(child(&world, Side::Buy, units, of))), expected);
    }
    world.book.outcome_unknown(first).unwrap();
    world.report(first, ReportKind::New);
    world.fill(first, 50, price("10.00"));
    world.report(first, ReportKind::Canceled { reason: String::new() });
    for (units, expected) in [(250, "allowed"), (251, "parent_quantity")] {
        assert_eq!(verdict(&world.review(child(&world, Side::Buy, units, of))), expected);
    }
    // A fill that comes after the end counts all the same, and one that is taken back does not.
    world.fill(first, 30, price("10.00"));
    assert_eq!(verdict(&world.review(child(&world, Side::Buy, 221, of))), "parent_quantity");
    let bust =
        ReportKind::Bust { execution_id: market::ExecutionId::new("B1"), reference: market::ExecutionId::new("X1") };
    world.report(first, bust);
    assert_eq!(verdict(&world.review(child(&world, Side::Buy, 270, of))), "allowed");
    assert_eq!(verdict(&world.review(child(&world, Side::Buy, 271, of))), "parent_quantity");
}

fn review_replace(world: &World, id: ClientOrderId, units: i64) -> Result<Approved<ReplaceOrder>, Denial> {
    world.review_replace(id, units, "10.00")
}

#[test]
fn a_replace_grows_within_the_parent() {
    let mut world = World::new("100000");
    let of = parent(1, 0, 300);
    let first = send(&mut world, 200, of).unwrap();
    send(&mut world, 50, of).unwrap();
    world.report(first, ReportKind::New);
    for (units, expected) in [(100, "allowed"), (250, "allowed"), (251, "parent_quantity")] {
        assert_eq!(verdict(&review_replace(&world, first, units)), expected, "{units}");
    }
    // A later decision takes the orders from now on; what is open of the first may change within it.
    send(&mut world, 10, parent(2, 0, 10)).unwrap();
    for (units, expected) in [(300, "allowed"), (301, "parent_quantity")] {
        assert_eq!(verdict(&review_replace(&world, first, units)), expected, "{units}");
    }
}

#[test]
fn only_the_latest_decision_takes_orders_and_it_stays_what_it_was() {
    let mut world = World::new("100000");
    world.hold(500, BOVA11, "10.00");
    let first = send(&mut world, 100, parent(5, 1, 300)).unwrap();
    // What works against an order would keep it from leaving.
    world.report(first, ReportKind::Canceled { reason: String::new() });
    for (side, of, expected) in [
        (Side::Buy, parent(5, 1, 300), "allowed"),
        (Side::Buy, parent(5, 1, 301), "parent_quantity"), // it was three hundred
        (Side::Sell, parent(5, 1, 300), "parent_quantity"),
        (Side::Buy, parent(5, 0, 300), "parent_quantity"), // an earlier one
        (Side::Buy, parent(4, 9, 300), "parent_quantity"),
        (Side::Buy, parent(5, 2, 300), "allowed"),
        (Side::Sell, parent(6, 0, 300), "allowed"),
        (Side::Sell, parent(6, 0, 0), "parent_quantity"),
    ] {
        assert_eq!(verdict(&world.review(child(&world, side, 100, of))), expected, "{side} of {of:?}");
    }
    let without = world.order(Side::Buy, 900, BOVA11, limit("10.00"));
    assert_eq!(verdict(&world.review(without)), "allowed");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Whatever a strategy that knows nothing asks for, what its orders have traded and may still trade is
    /// never more than was decided.
    #[test]
    fn children_never_exceed_their_parent(
        steps in prop::collection::vec((1_i64..200, 0_u8..6, 1_i64..64), 1..80),
        decided in 100_i64..600,
    ) {
        let mut world = World::new("1000000");
        let mut ids: Vec<ClientOrderId> = Vec::new();
        for (units, what, part) in steps {
            if let Ok(id) = send(&mut world, units, parent(1, 0, decided)) {
                world.report(id, ReportKind::New);
                ids.push(id);
            }
            let Some(id) = ids.get(units as usize % ids.len().max(1)).copied() else { continue };
            let order = world.book.order(&id).expect("an order").clone();
            let left = order.leaves().units();
            match what {
                0 if left > 0 => world.report(id, ReportKind::Canceled { reason: String::new() }),
                1..=3 if left > 0 => world.fill(id, (left * part / 64).max(1), price("10.00")),
                4 if left > 0 && review_replace(&world, id, units + 1).is_ok() && order.replacement.is_none() => {
                    world.replace(id, units + 1, "10.00");
                    world.report(id, ReportKind::Replaced { quantity: Quantity::new(units + 1), limit_price: None });
                }
                _ => {}
            }
            let used: i64 = ids.iter().filter_map(|id| world.book.order(id)).map(|order| {
                (order.cumulative + order.worst_leaves()).units()
            }).sum();
            prop_assert!(used <= decided, "{used} of {decided}");
        }
    }
}

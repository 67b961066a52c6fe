//! What each level of the halt, and a frozen instrument, still lets through.

use market::Side;
use market::order::CancelOrder;
use risk::{Denial, HaltLevel};

use crate::world::{BOVA11, PETR4, World, limit, price, verdict};

#[test]
fn halt_levels() {
    // new, reducing, cancel, replace
    for (level, expected) in [
        (HaltLevel::Active, ["allowed", "allowed", "allowed", "allowed"]),
        (HaltLevel::Reducing, ["halted", "allowed", "allowed", "halted"]),
        (HaltLevel::StopNew, ["halted", "halted", "allowed", "halted"]),
        (HaltLevel::CancelAll, ["halted", "halted", "allowed", "halted"]),
        (HaltLevel::Flatten, ["halted", "halted", "allowed", "halted"]),
        (HaltLevel::Halted, ["halted", "halted", "allowed", "halted"]),
    ] {
        let mut world = World::new("100000");
        world.hold(300, PETR4, "10.00");
        let working = world.working(Side::Buy, 100, PETR4, "10.00");
        world.level = level;
        let cancel = CancelOrder { client_order_id: working, instrument: PETR4, decided_at: world.now };
        let found = [
            verdict(&world.review(world.order(Side::Buy, 100, PETR4, limit("10.00")))),
            verdict(&world.review(world.order(Side::Sell, 300, PETR4, limit("10.05")))),
            verdict(&Ok::<_, Denial>(risk::approve_cancel(cancel))),
            verdict(&world.review_replace(working, 100, "9.00")),
        ];
        assert_eq!(found, expected, "{}", level.name());
        if level != HaltLevel::Active {
            let denial = world.review(world.order(Side::Buy, 100, PETR4, limit("10.00"))).unwrap_err();
            assert_eq!(denial.to_string(), format!("halted: {} (asked=none limit=none)", level.name()));
        }
    }
}

#[test]
fn what_reduces_takes_away_from_a_position_with_everything_else_that_is_open() {
    let mut world = World::new("100000");
    world.hold(300, BOVA11, "10.00");
    world.working(Side::Sell, 100, BOVA11, "10.00");
    let lost = world.working(Side::Sell, 50, BOVA11, "10.00");
    world.book.outcome_unknown(lost).unwrap();
    for level in [HaltLevel::Active, HaltLevel::Reducing] {
        world.level = level;
        for (units, reduces) in [(149, true), (150, true), (151, false)] {
            let reviewed = world.review(world.order(Side::Sell, units, BOVA11, limit("10.00")));
            assert_eq!(reviewed.as_ref().is_ok_and(|approved| approved.reduces()), reduces, "{units}");
            assert_eq!(reviewed.is_ok(), reduces, "{units}");
        }
    }
    // A buy covers nothing while the position is long.
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 1, BOVA11, limit("10.00")))), "halted");
}

#[test]
fn a_frozen_instrument_takes_only_what_reduces_and_cancels() {
    let mut world = World::new("100000");
    world.hold(300, PETR4, "10.00");
    let working = world.working(Side::Buy, 100, PETR4, "10.00");
    let lost = world.sent(Side::Buy, 100, PETR4, "10.00");
    world.book.outcome_unknown(lost).unwrap();
    let denial = world.review(world.order(Side::Buy, 100, PETR4, limit("10.00"))).unwrap_err();
    let expected = "unknown_order: an order of unknown outcome freezes the instrument (asked=none limit=none)";
    assert_eq!(denial.to_string(), expected);
    for (units, at) in [(200, "10.00"), (100, "10.01"), (100, "9.00")] {
        assert_eq!(world.review_replace(working, units, at).unwrap_err().to_string(), expected, "{units} {at}");
    }
    assert_eq!(verdict(&world.review(world.order(Side::Sell, 300, PETR4, limit("10.05")))), "allowed");
    assert_eq!(verdict(&world.review(world.order(Side::Sell, 400, PETR4, limit("10.05")))), "unknown_order");
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 100, BOVA11, limit("10.00")))), "allowed");
    world.fill(lost, 100, price("10.00"));
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 100, PETR4, limit("10.00")))), "allowed");
    assert_eq!(verdict(&world.review_replace(working, 200, "10.00")), "allowed");
}

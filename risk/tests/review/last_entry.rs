//! C25: until when new risk is taken on.

use market::{Side, Timestamp};
use proptest::prelude::*;
use risk::limits::Hours;
use risk::{LimitSet, Limits};

use crate::world::{BOVA11, World, limit, passes, told, verdict};

/// New risk until half past four, 19:30 UTC.
fn world() -> World {
    let mut world = World::new("100000");
    world.hold(100, BOVA11, "10.00");
    let hours = Hours { last_entry: Some("16:30".parse().expect("a time of day")) };
    world.written(Limits { hours, ..Limits::from(LimitSet::WIDE) }, &[]);
    world
}

fn at(world: &mut World, time: &str) {
    world.now = time.parse().expect("a time");
    world.top.at = world.now;
}

#[test]
fn at_the_last_moment_and_one_nanosecond_on_either_side() {
    for (time, expected) in [
        ("2025-06-12T19:29:59.999999999Z", "allowed"),
        ("2025-06-12T19:30:00Z", "allowed"),
        (
            "2025-06-12T19:30:00.000000001Z",
            "last_entry: too late in the day for new risk (asked=2025-06-12T19:30:00.000000001Z limit=2025-06-12T19:30:00Z)",
        ),
    ] {
        let mut world = world();
        at(&mut world, time);
        assert_eq!(told(world.review(world.order(Side::Buy, 10, BOVA11, limit("10.00")))), expected);
        for (units, expected) in [(100, "allowed"), (101, "short_sale")] {
            // What would not only reduce is late as well.
            let expected = if units > 100 && time.ends_with("1Z") { "last_entry" } else { expected };
            assert_eq!(verdict(&world.review(world.order(Side::Sell, units, BOVA11, limit("10.00")))), expected);
        }
    }
}

#[test]
fn a_replace_is_late_too_and_the_next_day_is_another() {
    let mut world = world();
    let id = world.working(Side::Buy, 10, BOVA11, "9.90");
    for (time, expected) in [
        ("2025-06-12T19:30:00Z", "allowed"),
        ("2025-06-12T19:30:00.000000001Z", "last_entry"),
        ("2025-06-13T02:59:59Z", "last_entry"), // one second to midnight
        ("2025-06-13T03:00:00Z", "allowed"),
    ] {
        at(&mut world, time);
        assert_eq!(verdict(&world.review_replace(id, 10, "9.91")), expected, "{time}");
    }
}

#[test]
fn without_a_time_there_is_no_end() {
    let mut world = World::new("100000");
    at(&mut world, "2025-06-12T23:00:00Z");
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 10, BOVA11, limit("10.00")))), "allowed");
}

proptest! {
    #[test]
    fn late_is_what_the_clock_on_the_wall_says(seconds in 0_i64..86_400, hour in 0_u32..24, minute in 0_u32..60, buys in any::<bool>()) {
        let mut world = world();
        let last = format!("{hour:02}:{minute:02}").parse().expect("a time of day");
        world.written(Limits { hours: Hours { last_entry: Some(last) }, ..Limits::from(LimitSet::WIDE) }, &[]);
        // São Paulo's midnight, three hours behind UTC.
        let midnight: Timestamp = "2025-06-12T03:00:00Z".parse().expect("a time");
        world.now = midnight.plus_nanos(seconds * 1_000_000_000);
        let side = if buys { Side::Buy } else { Side::Sell };
        let early = seconds <= i64::from(hour * 3_600 + minute * 60);
        let explanation = world.explain(world.order(side, 10, BOVA11, limit("10.00")));
        prop_assert_eq!(passes(&explanation, "last_entry"), early || !buys);
    }
}

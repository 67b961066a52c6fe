//! C26: what a forecast must be for an order to rest on it.

use market::Side;
use market::order::Forecast;
use proptest::prelude::*;
use risk::{LimitSet, Limits, Seconds};

use crate::world::{BOVA11, SECOND, World, limit, passes, told, verdict};

/// Forecasts of model `9f2c` may be a minute old.
fn world(age: i64, value: f64, model: &str) -> World {
    let mut world = World::new("100000");
    world.hold(100, BOVA11, "10.00");
    world.limits.max_forecast_age_seconds = Seconds(60);
    world.written(Limits { models: ["9f2c".to_owned()].into(), ..Limits::from(LimitSet::WIDE) }, &[]);
    world.forecast = Some(Forecast { made_at: world.now.plus_nanos(-age), value, model: model.to_owned() });
    world
}

#[test]
fn its_age_at_the_limit_and_one_nanosecond_on_either_side() {
    for (age, expected) in [
        (-1, "forecast: the forecast is from the future (asked=0ms limit=60000ms)"),
        (0, "allowed"),
        (60 * SECOND - 1, "allowed"),
        (60 * SECOND, "allowed"),
        (60 * SECOND + 1, "forecast: the forecast is too old (asked=60000ms limit=60000ms)"),
    ] {
        let world = world(age, 0.01, "9f2c");
        assert_eq!(told(world.review(world.order(Side::Buy, 10, BOVA11, limit("10.00")))), expected);
        assert_eq!(told(world.review(world.order(Side::Sell, 10, BOVA11, limit("10.00")))), "allowed", "a way out");
    }
}

#[test]
fn it_is_a_number_and_its_model_is_known() {
    for (value, model, expected) in [
        (0.0, "9f2c", "allowed"),
        (f64::MAX, "9f2c", "allowed"),
        (f64::NAN, "9f2c", "forecast: the forecast is not a number (asked=0ms limit=60000ms)"),
        (f64::NEG_INFINITY, "9f2c", "forecast: the forecast is not a number (asked=0ms limit=60000ms)"),
        (0.0, "9f2d", "forecast: the forecast is by a model that may not be traded on (asked=0ms limit=60000ms)"),
        (0.0, "", "forecast: the forecast is by a model that may not be traded on (asked=0ms limit=60000ms)"),
    ] {
        let world = world(0, value, model);
        assert_eq!(told(world.review(world.order(Side::Buy, 10, BOVA11, limit("10.00")))), expected, "{value} {model}");
    }
    let mut world = world(0, 0.0, "9f2c");
    world.written(Limits::from(LimitSet::WIDE), &[]);
    assert_eq!(
        verdict(&world.review(world.order(Side::Buy, 10, BOVA11, limit("10.00")))),
        "forecast",
        "none is listed"
    );
}

#[test]
fn an_order_that_rests_on_none_is_asked_for_none_nor_is_a_replace() {
    let mut world = world(0, f64::NAN, "9f2c");
    let bad = world.forecast.take();
    let id = world.working(Side::Buy, 10, BOVA11, "9.90");
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 10, BOVA11, limit("10.00")))), "allowed");
    assert_eq!(verdict(&world.review_replace(id, 10, "9.91")), "allowed");
    world.forecast = bad;
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 10, BOVA11, limit("10.00")))), "forecast");
}

proptest! {
    #[test]
    fn only_a_fresh_number_of_a_known_model_passes(
        age in -5_i64..70, value in any::<f64>(), known in any::<bool>(), buys in any::<bool>(),
    ) {
        let world = world(age * SECOND, value, if known { "9f2c" } else { "0000" });
        let side = if buys { Side::Buy } else { Side::Sell };
        let explanation = world.explain(world.order(side, 10, BOVA11, limit("10.00")));
        let valid = value.is_finite() && (0..=60).contains(&age) && known;
        prop_assert_eq!(passes(&explanation, "forecast"), valid || !buys);
    }
}

//! What an explanation tells of every check, also of those that let the order pass.
//!
//! That it denies exactly what the review denies is asserted wherever these tests ask for a review
//! (`World::review`), the random orders of `limits_hold` among them.

use market::{OrderType, Phase, Quantity, Rate, Side, TopOfBook};
use risk::{CHECKS, Explanation, HaltLevel, Seconds};

use crate::world::{BOVA11, PETR4, SECOND, World, limit, money};

/// Each check as `name asked limit`, with `DENIED` where it denies.
fn told(explanation: &Explanation) -> Vec<String> {
    let line = |(name, told): &(&str, Result<risk::Passed, risk::Denial>)| match told {
        Ok(passed) => format!("{name} {} {}", passed.asked, passed.limit),
        Err(denial) => format!("{name} {} {} DENIED", denial.asked, denial.limit),
    };
    explanation.checks.iter().map(line).collect()
}

#[test]
fn a_buy_that_passes_tells_every_figure() {
    let mut world = World::new("100000");
    world.hold(50, BOVA11, "10.00");
    world.limits.max_order_quantity = Quantity::new(500);
    world.limits.max_order_notional = money("5000");
    world.limits.max_position_quantity = Quantity::new(400);
    (world.limits.book_collar, world.limits.max_spread) = (Rate::from_ppm(20_000), Rate::from_ppm(20_000));
    world.limits.max_forecast_age_seconds = Seconds(60);
    world.now = world.now.plus_nanos(SECOND - 1);
    let explanation = world.explain(world.order(Side::Buy, 100, BOVA11, limit("10.10")));
    assert_eq!(
        told(&explanation),
        [
            "session_phase continuous none",
            "trading_status untold none",
            "last_entry none none",
            "symbol_list 100 none",
            "lot_and_tick 100 1",
            "order_bounds 10.10 none",
            "stale_quote 999ms 5000ms",
            "wide_spread 0.01 0.1998",
            "forecast none 60000ms",
            "order_quantity 100 500",
            "price_collar 10.10 10.30",
            "book_collar 10.10 10.20",
            "order_notional 1010.00 5000.00",
            "short_sale none 0",
            "position_per_symbol 150 400",
            "self_trade 10.10 none",
            "buying_power 1010.00 99500.00",
            "repeated_executions 1 4294967295",
            "burst 0 4294967295",
            "message_rate 2 4294967295",
            "order_to_trade 2 4294967295",
            "open_orders 1 4294967295",
            "duplicate_order none 0ms",
            "parent_quantity none none",
            "exposure 1510.00 100000000000.00",
            "concentration 1510.00 100000000000.00",
            "correlated_group none none",
        ]
    );
    assert_eq!((explanation.denial(), explanation.reduces), (None, false));
}

#[test]
fn a_sell_and_an_order_without_a_limit() {
    let mut world = World::new("100000");
    world.hold(150, BOVA11, "10.00");
    let sell = told(&world.explain(world.order(Side::Sell, 100, BOVA11, limit("9.90"))));
    for line in ["price_collar 9.90 9.6903", "short_sale 50 0", "buying_power 0.00 98500.00"] {
        assert!(sell.contains(&line.to_owned()), "{line} is not in {sell:?}");
    }
    let market = told(&world.explain(world.order(Side::Buy, 100, BOVA11, OrderType::Market)));
    assert!(market.contains(&"price_collar none 0.03".to_owned()), "{market:?}");
}

#[test]
fn a_way_out_without_any_price() {
    let mut world = World::new("100000");
    world.hold(100, BOVA11, "10.00");
    world.top = TopOfBook::default();
    let explanation = world.explain(world.order(Side::Sell, 100, BOVA11, limit("9.90")));
    assert_eq!((explanation.denial(), explanation.reduces), (None, true));
    let lines = told(&explanation);
    for line in ["stale_quote none 5000ms", "price_collar none 0.03"] {
        assert!(lines.contains(&line.to_owned()), "{line} is not in {lines:?}");
    }
}

#[test]
fn before_the_open_the_age_is_told_against_the_previous_session() {
    let mut world = World::new("100000");
    world.phase = Phase::PreOpen;
    world.top.at = world.price_horizon.plus_nanos(3_600 * SECOND);
    world.now = world.price_horizon.plus_nanos(86_400 * SECOND);
    let lines = told(&world.explain(world.order(Side::Buy, 100, BOVA11, limit("10.00"))));
    assert!(lines.contains(&"stale_quote 82800000ms 86400000ms".to_owned()), "{lines:?}");
}

#[test]
fn everything_that_denies_is_told_and_not_only_the_first() {
    let mut world = World::new("10");
    world.level = HaltLevel::StopNew;
    world.phase = Phase::Halt;
    world.limits.max_order_quantity = Quantity::new(100);
    world.limits.max_order_notional = money("100");
    world.limits.max_position_quantity = Quantity::ZERO;
    world.now = world.now.plus_nanos(6 * SECOND);
    let explanation = world.explain(world.order(Side::Buy, 150, PETR4, limit("99.00")));
    let denies = explanation.checks.iter().filter(|(_, told)| told.is_err()).map(|(name, _)| *name);
    // A price of today is not stale while nothing trades.
    let expected = [
        "session_phase",
        "lot_and_tick",
        "order_quantity",
        "price_collar",
        "book_collar",
        "order_notional",
        "position_per_symbol",
        "buying_power",
    ];
    assert_eq!(denies.collect::<Vec<_>>(), expected);
    assert_eq!(explanation.checks.len(), CHECKS.len());
    assert_eq!(explanation.denial().map(|denial| denial.check), Some("halted"));
    assert!(explanation.frozen.is_ok());
}

#[test]
fn a_quantity_beyond_all_bounds_is_explained_too() {
    let mut world = World::new("100000");
    world.hold(100, BOVA11, "10.00");
    for side in [Side::Buy, Side::Sell] {
        for units in [i64::MAX, i64::MIN] {
            let explanation = world.explain(world.order(side, units, BOVA11, limit("10.00")));
            assert!(explanation.denial().is_some(), "{side} {units}");
        }
    }
}

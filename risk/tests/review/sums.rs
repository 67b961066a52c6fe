//! What the account could come to hold: gross and net exposure, concentration, groups.

use market::{NewOrder, OrderType, Quantity, Rate, Side, StrategyId};
use proptest::prelude::*;
use risk::Denial;
use risk::limits::{Sector, SomeLimits, StrategyLimits};

use crate::world::{ALPHA, BOVA11, PETR4, PETR4F, World, limit, money, price, verdict};

fn told<T>(reviewed: Result<T, Denial>) -> String {
    reviewed.map_or_else(|denial| denial.to_string(), |_| "allowed".to_owned())
}

fn buy(world: &World, units: i64) -> String {
    told(world.review(world.order(Side::Buy, units, BOVA11, limit("10.00"))))
}

fn one_in_a_million(ppm: i64) -> Rate {
    Rate::from_ppm(ppm)
}

/// Ten thousand in cash, of which two thousand are two hundred units at ten.
fn invested() -> World {
    let mut world = World::new("10000");
    world.hold(200, BOVA11, "10.00");
    world.mark(BOVA11, "10.00");
    world
}

#[test]
fn gross_and_net_exposure_at_worst() {
    // Two thousand held, five hundred open at its limit above the mark, one thousand asked for: 3,510.
    for (gross, net, expected) in [
        (350_999, 900_000, "exposure: gross exposure would be too large (asked=3510.00 limit=3509.99)"),
        (351_000, 900_000, "allowed"),
        (351_001, 900_000, "allowed"),
        (900_000, 350_999, "exposure: net exposure would be too large (asked=3510.00 limit=3509.99)"),
        (900_000, 351_000, "allowed"),
        (900_000, 351_001, "allowed"),
    ] {
        let mut world = invested();
        world.working(Side::Buy, 50, BOVA11, "10.20");
        world.working(Side::Sell, 150, BOVA11, "11.00"); // may never trade: takes nothing away
        world.hold_to(|limits| {
            limits.global.max_gross_exposure = one_in_a_million(gross);
            limits.global.max_net_exposure = one_in_a_million(net);
        });
        assert_eq!(buy(&world, 100), expected, "{gross} {net}");
    }
}

#[test]
fn an_open_order_counts_as_what_it_may_come_to_and_an_unknown_one_as_open() {
    let mut world = invested();
    world.hold_to(|limits| limits.global.max_gross_exposure = one_in_a_million(400_000));
    let lost = world.sent(Side::Buy, 100, BOVA11, "9.00"); // at the mark, which it may reach again
    assert_eq!(buy(&world, 100), "allowed");
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 101, BOVA11, limit("10.00")))), "exposure");
    world.book.outcome_unknown(lost).unwrap();
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 100, PETR4, limit("10.00")))), "allowed");
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 200, PETR4, limit("10.00")))), "exposure");
}

#[test]
fn a_replace_counts_by_what_it_adds() {
    let mut world = invested();
    world.hold_to(|limits| limits.global.max_gross_exposure = one_in_a_million(400_000));
    let id = world.working(Side::Buy, 150, BOVA11, "10.00");
    for (units, at, expected) in [
        (200, "10.00", "allowed"),
        (201, "10.00", "exposure"),
        (150, "10.30", "allowed"),
        (195, "10.25", "allowed"),  // 1,998.75
        (196, "10.25", "exposure"), // 2,009
    ] {
        assert_eq!(verdict(&world.review_replace(id, units, at)), expected, "{units} at {at}");
    }
    // Beyond the limit as it is by now, less is still allowed.
    world.hold_to(|limits| limits.global.max_gross_exposure = one_in_a_million(100_000));
    assert_eq!(verdict(&world.review_replace(id, 149, "10.00")), "allowed");
    assert_eq!(verdict(&world.review_replace(id, 151, "10.00")), "exposure");
}

#[test]
fn the_way_back_is_free_and_nothing_else_is_without_equity_or_prices() {
    let mut world = invested();
    world.hold_to(|limits| {
        limits.global.max_gross_exposure = one_in_a_million(1);
        limits.global.max_net_exposure = one_in_a_million(1);
        limits.global.max_symbol_share = one_in_a_million(1);
    });
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 1, BOVA11, limit("10.00")))), "exposure");
    assert_eq!(verdict(&world.review(world.order(Side::Sell, 200, BOVA11, OrderType::Market))), "allowed");

    let mut world = World::new("10000");
    world.book.adopt_external(PETR4, Quantity::new(100));
    let unpriced = "exposure: no price is known of something that is held (asked=none limit=0.00)";
    assert_eq!(buy(&world, 1), unpriced);
    world.hold_to(|_| {});
    world.mark(PETR4, "10.00");
    assert_eq!(buy(&world, 1), "allowed");
    world.hold(10, BOVA11, "10.00");
    world.book.adopt_external(PETR4F, Quantity::new(-1));
    assert_eq!(buy(&world, 1), unpriced);
    assert_eq!(verdict(&world.review(world.order(Side::Sell, 10, BOVA11, limit("10.00")))), "allowed");

    // A mark so far below what was paid that the account is worth nothing, or less.
    for (mark, worth, expected) in [
        ("0.02", "20.00", "exposure"),
        ("0.00", "0.00", "exposure: no price is known of something that is held (asked=none limit=0.00)"),
        ("-0.01", "-10.00", "exposure: the account's equity is not above zero (asked=-10.00 limit=0.00)"),
    ] {
        let mut world = World::new("10000");
        world.hold(1_000, BOVA11, "10.00");
        world.mark(BOVA11, mark);
        world.book.mark(PETR4, price("10.00"));
        world.hold_to(|limits| limits.global.max_gross_exposure = one_in_a_million(500_000));
        assert_eq!(world.book.equity(), money(worth));
        let order = world.order(Side::Buy, 100, PETR4, limit("10.00"));
        let explained = world.explain(order);
        let told_of = explained.checks.iter().find(|(name, _)| *name == "exposure").map(|(_, told)| *told);
        assert!(told(told_of.expect("a check")).starts_with(expected), "{mark}");
        let reviewed = world.review(world.order(Side::Sell, 1_000, BOVA11, limit("10.00")));
        assert_eq!(verdict(&reviewed), "allowed", "the way out");
    }
}

#[test]
fn what_other_hands_hold_is_the_accounts_to_bear() {
    let mut world = World::new("10000");
    world.mark(BOVA11, "10.00");
    world.hold_to(|limits| {
        limits.global.max_gross_exposure = one_in_a_million(300_000);
        limits.global.max_net_exposure = one_in_a_million(300_000);
    });
    for (theirs, units, expected) in [
        (200, 100, "allowed"),
        (200, 101, "exposure"),
        (-100, 300, "allowed"), // they may not close it before we have bought: the worse of both ends
        (-100, 401, "exposure"),
    ] {
        world.book.adopt_external(BOVA11, Quantity::new(theirs));
        assert_eq!(verdict(&world.review(world.order(Side::Buy, units, BOVA11, limit("10.00")))), expected, "{theirs}");
    }
}

fn with_sectors(world: &mut World, symbol_ppm: i64, sector_ppm: i64, group_ppm: i64) {
    world.hold_to(|limits| {
        limits.global.max_symbol_share = one_in_a_million(symbol_ppm);
        limits.global.max_sector_share = one_in_a_million(sector_ppm);
        limits.global.max_group_share = one_in_a_million(group_ppm);
        let symbols = ["PETR4", "BOVA11"].map(|symbol| symbol.parse().expect("a symbol"));
        let sector = Sector { symbols: symbols.into(), limits: SomeLimits::default() };
        limits.sectors.insert("oil".to_owned(), sector);
        limits.groups.insert("index".to_owned(), symbols.into());
    });
}

#[test]
fn one_symbol_one_sector_one_group() {
    // Two thousand of the one held, one thousand of the other open, five hundred asked for.
    for (of_symbol, of_sector, of_group, expected) in [
        (249_999, 900_000, 900_000, "concentration: too much in one symbol (asked=2500.00 limit=2499.99)"),
        (250_000, 900_000, 900_000, "allowed"),
        (250_001, 900_000, 900_000, "allowed"),
        (900_000, 349_999, 900_000, "concentration: too much in one sector (asked=3500.00 limit=3499.99)"),
        (900_000, 350_000, 900_000, "allowed"),
        (900_000, 350_001, 900_000, "allowed"),
        (
            900_000,
            900_000,
            349_999,
            "correlated_group: too much in symbols that move together (asked=3500.00 limit=3499.99)",
        ),
        (900_000, 900_000, 350_000, "allowed"),
        (900_000, 900_000, 350_001, "allowed"),
    ] {
        let mut world = invested();
        world.working(Side::Buy, 100, PETR4, "10.00");
        let open = world.working(Side::Buy, 20, BOVA11, "10.00");
        with_sectors(&mut world, of_symbol, of_sector, of_group);
        assert_eq!(buy(&world, 30), expected);
        assert_eq!(told(world.review_replace(open, 50, "10.00")), expected, "a replace that adds as much");
        assert_eq!(verdict(&world.review(world.order(Side::Sell, 200, BOVA11, limit("10.01")))), "allowed");
    }
}

#[test]
fn what_is_written_for_one_symbol_or_sector_counts_for_it() {
    let symbol = "BOVA11".parse().expect("a symbol");
    let share = |ppm| SomeLimits { max_symbol_share: Some(one_in_a_million(ppm)), ..SomeLimits::default() };
    let mut world = invested();
    world.hold_to(|limits| limits.symbols.extend([(symbol, share(200_000))]));
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 1, BOVA11, limit("10.00")))), "concentration");
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 800, PETR4, limit("10.00")))), "allowed");
    world.hold_to(|limits| {
        let own = SomeLimits { max_sector_share: Some(one_in_a_million(200_000)), ..SomeLimits::default() };
        limits.sectors.insert("funds".to_owned(), Sector { symbols: [symbol].into(), limits: own });
    });
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 1, BOVA11, limit("10.00")))), "concentration");
}

#[test]
fn a_strategy_is_held_to_what_is_written_for_it() {
    for (own, because) in [
        (SomeLimits { max_gross_exposure: Some(one_in_a_million(200_000)), ..SomeLimits::default() }, "exposure"),
        (SomeLimits { max_net_exposure: Some(one_in_a_million(200_000)), ..SomeLimits::default() }, "exposure"),
        (SomeLimits { max_symbol_share: Some(one_in_a_million(200_000)), ..SomeLimits::default() }, "concentration"),
    ] {
        let mut world = invested();
        world.hold_to(|limits| {
            limits.strategies.insert(ALPHA.to_owned(), StrategyLimits { allowed: None, limits: own });
        });
        let order = world.order(Side::Buy, 1, BOVA11, limit("10.00"));
        assert_eq!(verdict(&world.review(order)), because);
        // The other strategy holds nothing, and has as much to itself.
        let others =
            |units| NewOrder { strategy: StrategyId(1), ..world.order(Side::Buy, units, BOVA11, limit("10.00")) };
        assert_eq!(verdict(&world.review(others(800))), "allowed");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// With prices that stand still, no sequence of what is let through takes the account beyond a limit,
    /// whichever of it trades.
    #[test]
    fn what_is_let_through_stays_within_every_sum(
        steps in prop::collection::vec((any::<bool>(), 1_i64..400, any::<bool>(), 0_usize..8), 1..60),
        gross in 100_000_i64..900_000,
        symbol in 100_000_i64..900_000,
    ) {
        let mut world = World::new("10000");
        world.mark(BOVA11, "10.00");
        world.mark(PETR4, "10.00");
        with_sectors(&mut world, symbol, gross, gross);
        world.hold_to(|limits| {
            limits.global.max_gross_exposure = one_in_a_million(gross);
            limits.global.max_symbol_share = one_in_a_million(symbol);
        });
        let mut open = Vec::new();
        for (buys, units, fund, which) in steps {
            let (of, units) = if fund { (BOVA11, units) } else { (PETR4, units / 100 * 100) };
            let side = if buys { Side::Buy } else { Side::Sell };
            let order = world.order(side, units, of, limit("10.00"));
            if world.send(order).is_ok() {
                open.push((order.client_order_id, units));
            }
            if which < open.len() {
                let (id, units) = open.swap_remove(which);
                world.fill(id, units, price("10.00"));
            }
            prop_assert_eq!(world.book.equity(), money("10000"));
            prop_assert!(world.book.exposure().gross <= money("10000").scaled(one_in_a_million(gross)));
            for of in [BOVA11, PETR4] {
                let worth = world.book.stake(of).worth().gross();
                prop_assert!(worth <= money("10000").scaled(one_in_a_million(symbol)));
            }
            world.book.verify().map_err(TestCaseError::fail)?;
        }
    }
}

//! What comes too often: executions, rejections, losses, messages, open orders, the same order.

use market::{ClientOrderId, NewOrder, OrderType, Rate, ReportKind, Side, StrategyId};
use proptest::prelude::*;
use risk::limits::{SomeLimits, StrategyLimits};
use risk::{Count, Denial, HaltLevel, Rule, Seconds};

use crate::world::{ALPHA, BETA, BOVA11, PETR4, SECOND, World, limit, price, verdict};

const OTHER: StrategyId = StrategyId(1);

fn told<T>(reviewed: Result<T, Denial>) -> String {
    reviewed.map_or_else(|denial| denial.to_string(), |_| "allowed".to_owned())
}

/// What a review says of an order to buy one unit.
fn buy_one(world: &World) -> String {
    told(world.review(world.order(Side::Buy, 1, BOVA11, limit("10.00"))))
}

fn for_strategy(name: &str, limits: SomeLimits) -> (String, StrategyLimits) {
    (name.to_owned(), StrategyLimits { allowed: None, limits })
}

/// Buys one unit and sells it again, a trade each.
fn trade(world: &mut World, side: Side, at: &str) {
    let id = world.sent(side, 1, BOVA11, at);
    world.fill(id, 1, price(at));
}

#[test]
fn repeated_executions_stop_at_the_limit_and_stay_stopped() {
    let mut world = World::new("100000");
    world.hold(100, BOVA11, "10.00");
    world.wait(60 * SECOND);
    world.hold_to(|limits| {
        (limits.global.max_repeated_executions, limits.global.repeated_execution_seconds) = (Count(3), Seconds(60));
    });
    trade(&mut world, Side::Buy, "10.00");
    trade(&mut world, Side::Sell, "10.00");
    trade(&mut world, Side::Buy, "10.00");
    assert_eq!(buy_one(&world), "allowed", "two on this side and one on the other");
    trade(&mut world, Side::Buy, "10.00");
    let stopped = "repeated_executions: executions repeated until it was stopped (asked=3 limit=3)";
    assert_eq!(buy_one(&world), stopped);
    assert_eq!(told(world.review(world.order(Side::Sell, 1, BOVA11, limit("10.00")))), stopped, "both ways");
    let id = world.book.open_orders().first().map(|order| order.intent.client_order_id);
    assert_eq!(id, None);
    // In another instrument, and for another strategy, nothing has happened.
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 100, PETR4, limit("10.00")))), "allowed");
    let others = NewOrder { strategy: OTHER, ..world.order(Side::Buy, 1, BOVA11, limit("10.00")) };
    assert_eq!(verdict(&world.review(others)), "allowed");
    // The window passes, the latch stays, until somebody lifts it.
    world.wait(3_600 * SECOND);
    assert_eq!(buy_one(&world), stopped);
    world.activity.rearm_instrument(PETR4);
    assert_eq!(buy_one(&world), stopped);
    world.activity.rearm_instrument(BOVA11);
    assert_eq!(buy_one(&world), "allowed");
}

#[test]
fn a_replace_is_stopped_like_an_order_and_a_cancel_never_is() {
    let mut world = World::new("100000");
    world.hold_to(|limits| {
        (limits.global.max_repeated_executions, limits.global.repeated_execution_seconds) = (Count(1), Seconds(60));
    });
    let open = world.working(Side::Buy, 10, BOVA11, "9.90");
    trade(&mut world, Side::Buy, "10.00");
    assert_eq!(verdict(&world.review_replace(open, 11, "9.90")), "repeated_executions");
    world.cancel(open);
    assert_eq!(world.activity.stopped().len(), 1);
    world.activity.rearm_strategy(StrategyId(0));
    assert_eq!(world.activity.stopped(), []);
}

#[test]
fn executions_leave_the_window_to_the_nanosecond() {
    for (waited, expected) in [(SECOND - 1, "repeated_executions"), (SECOND, "allowed")] {
        let mut world = World::new("100000");
        world.hold_to(|limits| limits.global.max_repeated_executions = Count(2));
        trade(&mut world, Side::Buy, "10.00");
        world.wait(waited);
        trade(&mut world, Side::Buy, "10.00");
        assert_eq!(verdict(&world.review(world.order(Side::Buy, 1, BOVA11, limit("10.00")))), expected, "{waited}");
    }
}

#[test]
fn a_clock_that_goes_back_opens_no_window() {
    let mut world = World::new("100000");
    world.hold_to(|limits| limits.global.max_repeated_executions = Count(2));
    trade(&mut world, Side::Buy, "10.00");
    world.wait(-3_600 * SECOND);
    trade(&mut world, Side::Buy, "10.00");
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 1, BOVA11, limit("10.00")))), "repeated_executions");
}

fn reject(world: &mut World, kind: fn(String) -> ReportKind) {
    let id = world.sent(Side::Buy, 1, BOVA11, "10.00");
    world.report(id, kind(String::new()));
}

#[test]
fn rejections_and_losing_trades_stop_a_strategy_everywhere() {
    let burst = "burst: rejections until it was stopped (asked=2 limit=2)";
    for (limit_at, expected) in [(1, "burst"), (2, burst), (3, "allowed")] {
        let mut world = World::new("100000");
        world.hold_to(|limits| {
            (limits.global.max_rejects, limits.global.burst_seconds) = (Count(limit_at), Seconds(60))
        });
        let refused = |reason| ReportKind::Rejected { reason };
        reject(&mut world, refused);
        if limit_at > 1 {
            assert_eq!(buy_one(&world), "allowed");
            reject(&mut world, refused);
        }
        assert!(buy_one(&world).starts_with(expected), "{limit_at}: {}", buy_one(&world));
        let elsewhere = world.review(world.order(Side::Buy, 100, PETR4, limit("10.00")));
        assert_eq!(verdict(&elsewhere), if limit_at > 2 { "allowed" } else { "burst" });
    }
    let mut world = World::new("100000");
    world.hold_to(|limits| (limits.global.max_losing_trades, limits.global.burst_seconds) = (Count(2), Seconds(60)));
    world.hold(10, BOVA11, "10.00");
    for (at, expected) in [("10.00", "allowed"), ("10.01", "allowed"), ("9.99", "allowed"), ("9.99", "burst")] {
        trade(&mut world, Side::Sell, at);
        let reviewed = world.review(world.order(Side::Buy, 1, BOVA11, limit("10.00")));
        assert_eq!(verdict(&reviewed), expected, "{at}");
    }
    assert_eq!(world.activity.stopped().first().map(|tripped| tripped.rule), Some(Rule::LosingTrades));
}

#[test]
fn a_refused_change_is_a_rejection_and_a_late_cancel_is_not() {
    let mut world = World::new("100000");
    world.hold_to(|limits| limits.global.max_rejects = Count(1));
    let id = world.working(Side::Buy, 10, BOVA11, "10.00");
    world.cancel(id);
    world.report(id, ReportKind::CancelRejected { reason: String::new() });
    assert_eq!(buy_one(&world), "allowed");
    world.replace(id, 11, "10.00");
    world.report(id, ReportKind::ReplaceRejected { reason: String::new() });
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 1, BOVA11, limit("10.00")))), "burst");
}

/// So many orders of one unit, all open.
fn open_orders(world: &mut World, count: usize) -> Vec<ClientOrderId> {
    (0..count).map(|_| world.working(Side::Buy, 1, BOVA11, "9.90")).collect()
}

#[test]
fn messages_are_counted_with_a_share_for_cancels() {
    for (quota, share, sent, expected) in [
        (3, 0, 3, "message_rate: too many messages to the broker lately (asked=4 limit=3)"),
        (4, 0, 3, "allowed"),
        (5, 0, 3, "allowed"),
        (5, 200_000, 3, "allowed"), // four are for orders
        (5, 200_001, 3, "message_rate: too many messages to the broker lately (asked=4 limit=3)"),
    ] {
        let mut world = World::new("100000");
        let ids = open_orders(&mut world, sent);
        world.hold_to(|limits| {
            (limits.global.max_messages, limits.global.message_seconds) = (Count(quota), Seconds(10));
            limits.global.cancel_share = Rate::from_ppm(share);
        });
        assert_eq!(buy_one(&world), expected, "{quota}");
        let changed = verdict(&world.review_replace(ids[0], 2, "9.90"));
        assert_eq!(changed == "allowed", expected == "allowed", "a replace is a message as well");
    }
}

#[test]
fn cancels_are_counted_and_pass_and_the_window_slides() {
    let mut world = World::new("100000");
    let ids = open_orders(&mut world, 2);
    world.hold_to(|limits| {
        (limits.global.max_messages, limits.global.message_seconds) = (Count(4), Seconds(10));
    });
    world.wait(SECOND);
    world.cancel(ids[0]);
    assert_eq!(buy_one(&world), "allowed");
    world.cancel(ids[1]);
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 1, BOVA11, limit("10.00")))), "message_rate");
    world.wait(9 * SECOND - 1);
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 1, BOVA11, limit("10.00")))), "message_rate");
    world.wait(1); // the two orders have left it, the cancels not
    open_orders(&mut world, 2);
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 1, BOVA11, limit("10.00")))), "message_rate");
    world.wait(SECOND);
    assert_eq!(buy_one(&world), "allowed");
}

#[test]
fn a_strategy_has_a_rate_of_its_own_where_that_is_written() {
    let mut world = World::new("100000");
    open_orders(&mut world, 2);
    world.hold_to(|limits| {
        limits.global.message_seconds = Seconds(10);
        let own = SomeLimits { max_messages: Some(Count(2)), ..SomeLimits::default() };
        limits.strategies.extend([for_strategy(ALPHA, own), for_strategy(BETA, own)]);
    });
    let expected = "message_rate: too many messages of the strategy lately (asked=3 limit=2)";
    assert_eq!(buy_one(&world), expected);
    let others = NewOrder { strategy: OTHER, ..world.order(Side::Buy, 1, BOVA11, limit("10.00")) };
    assert_eq!(verdict(&world.review(others)), "allowed");
}

#[test]
fn messages_of_a_session_are_held_against_its_trades() {
    // Six messages and, after the fill, one trade.
    for (ratio, grace, expected) in [
        (6, 0, "order_to_trade: too many messages of this session for its trades (asked=7 limit=6)"),
        (7, 0, "allowed"),
        (8, 0, "allowed"),
        (1, 6, "order_to_trade: too many messages of this session for its trades (asked=7 limit=6)"),
        (1, 7, "allowed"),
        (1, 8, "allowed"),
    ] {
        let mut world = World::new("100000");
        let ids = open_orders(&mut world, 5);
        world.cancel(ids[0]);
        world.hold_to(|limits| {
            limits.global.max_order_to_trade = Count(ratio);
            limits.global.order_to_trade_grace = Count(grace);
        });
        assert_eq!(buy_one(&world), expected, "{ratio} after {grace}, nothing traded");
        world.fill(ids[1], 1, price("9.90"));
        assert_eq!(buy_one(&world), expected, "{ratio} after {grace}, one trade");
        let changed = verdict(&world.review_replace(ids[2], 2, "9.90"));
        assert_eq!(changed == "allowed", expected == "allowed");
        // The way out is free, and the second trade makes room.
        assert_eq!(verdict(&world.review(world.order(Side::Sell, 1, BOVA11, limit("10.00")))), "allowed");
        world.fill(ids[2], 1, price("9.90"));
        let room = u32::max(2 * ratio, grace) >= 7;
        assert_eq!(buy_one(&world) == "allowed", room);
        world.activity.begin_session();
        assert_eq!(buy_one(&world), "allowed");
    }
}

#[test]
fn open_orders_count_from_the_moment_they_are_meant() {
    for (in_symbol, in_all, expected) in [
        (2, 9, "open_orders: too many open orders in the symbol (asked=3 limit=2)"),
        (3, 9, "allowed"),
        (4, 9, "allowed"),
        (9, 3, "open_orders: too many open orders (asked=4 limit=3)"),
        (9, 4, "allowed"),
        (9, 5, "allowed"),
    ] {
        let mut world = World::new("100000");
        world.sent(Side::Buy, 1, BOVA11, "9.90"); // on its way
        let working = world.working(Side::Buy, 1, BOVA11, "9.90");
        let lost = world.sent(Side::Buy, 100, PETR4, "9.90");
        world.book.outcome_unknown(lost).unwrap();
        world.hold_to(|limits| {
            limits.global.max_open_orders_per_symbol = Count(in_symbol);
            limits.global.max_open_orders = Count(in_all);
        });
        assert_eq!(buy_one(&world), expected);
        assert_eq!(verdict(&world.review_replace(working, 2, "9.90")), "allowed", "it opens none");
        world.report(working, ReportKind::Canceled { reason: String::new() });
        assert_eq!(buy_one(&world), "allowed");
    }
}

#[test]
fn a_strategy_has_open_orders_of_its_own_where_that_is_written() {
    let mut world = World::new("100000");
    open_orders(&mut world, 2);
    let own = |in_symbol, in_all| SomeLimits {
        max_open_orders_per_symbol: Some(Count(in_symbol)),
        max_open_orders: Some(Count(in_all)),
        ..SomeLimits::default()
    };
    for (limits_of, expected) in [
        (own(2, 9), "open_orders: too many open orders of the strategy in the symbol (asked=3 limit=2)"),
        (own(9, 2), "open_orders: too many open orders of the strategy (asked=3 limit=2)"),
        (own(3, 3), "allowed"),
    ] {
        world.hold_to(|limits| {
            limits.strategies.extend([for_strategy(ALPHA, limits_of), for_strategy(BETA, limits_of)])
        });
        assert_eq!(buy_one(&world), expected);
        let others = NewOrder { strategy: OTHER, ..world.order(Side::Buy, 1, BOVA11, limit("10.00")) };
        assert_eq!(verdict(&world.review(others)), "allowed");
    }
}

#[test]
fn the_same_order_does_not_come_twice_within_the_time() {
    let duplicate = "duplicate_order: the same order was sent before (asked=999ms limit=1000ms)";
    for (waited, expected) in
        [(SECOND - 1, duplicate), (SECOND, "allowed"), (SECOND + 1, "allowed"), (-SECOND, "duplicate_order")]
    {
        let mut world = World::new("100000");
        world.hold(200, BOVA11, "10.00");
        world.hold_to(|limits| limits.global.duplicate_seconds = Seconds(1));
        let first = world.order(Side::Buy, 10, BOVA11, limit("10.00"));
        world.send(first).unwrap();
        // It is the same whatever became of it.
        world.report(first.client_order_id, ReportKind::Canceled { reason: String::new() });
        world.wait(waited);
        let again = told(world.review(world.order(Side::Buy, 10, BOVA11, limit("10.00"))));
        assert!(again.starts_with(expected), "{waited}: {again}");
        for (side, units, order_type) in [
            (Side::Sell, 10, limit("10.00")),
            (Side::Buy, 11, limit("10.00")),
            (Side::Buy, 10, limit("9.99")),
            (Side::Buy, 10, OrderType::Market),
        ] {
            let other = world.review(world.order(side, units, BOVA11, order_type));
            assert_eq!(verdict(&other), "allowed", "{side} {units}");
        }
        let others = NewOrder { strategy: OTHER, ..world.order(Side::Buy, 10, BOVA11, limit("10.00")) };
        assert_eq!(verdict(&world.review(others)), "allowed");
    }
    let mut world = World::new("100000");
    world.hold(200, BOVA11, "10.00");
    world.hold_to(|limits| limits.global.duplicate_seconds = Seconds(1));
    let sell = world.order(Side::Sell, 10, BOVA11, limit("10.00"));
    world.send(sell).unwrap();
    let again = world.review(world.order(Side::Sell, 10, BOVA11, limit("10.00")));
    assert_eq!(verdict(&again), "duplicate_order", "what reduces twice may sell twice");
    world.report(sell.client_order_id, ReportKind::New);
    world.replace(sell.client_order_id, 11, "10.00");
    world.report(sell.client_order_id, ReportKind::ReplaceRejected { reason: String::new() });
    assert_eq!(verdict(&world.review_replace(sell.client_order_id, 11, "10.00")), "allowed");
}

#[test]
fn the_engines_own_closing_orders_pass_what_stops_a_strategy() {
    let mut world = World::new("100000");
    world.hold(10, BOVA11, "10.00");
    let refused = world.sent(Side::Buy, 1, BOVA11, "10.00");
    world.hold_to(|limits| {
        (limits.global.max_rejects, limits.global.max_losing_trades) = (Count(1), Count(1));
        limits.global.max_repeated_executions = Count(1);
        (limits.global.max_messages, limits.global.cancel_share) = (Count(4), Rate::from_ppm(500_000));
        (limits.global.max_order_to_trade, limits.global.order_to_trade_grace) = (Count(1), Count(0));
        limits.global.max_gross_exposure = Rate::from_ppm(1);
    });
    world.report(refused, ReportKind::Rejected { reason: String::new() });
    assert_eq!(world.activity.stopped().len(), 2);
    let order = world.order(Side::Sell, 10, BOVA11, limit("10.00"));
    assert_eq!(verdict(&world.review(order)), "repeated_executions");
    let closing = |world: &World| {
        risk::review_closing(order, HaltLevel::Flatten, &world.view(BOVA11)).map(|approved| approved.closes())
    };
    assert_eq!(closing(&world), Ok(true));
    let explained = risk::explain_closing(order, HaltLevel::Flatten, &world.view(BOVA11));
    assert_eq!(explained.denial(), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// However orders, cancels and time come, orders and cancels together never exceed the quota by more than
    /// the cancels, and orders alone never exceed theirs within any window.
    #[test]
    fn no_window_holds_more_orders_than_its_share(
        steps in prop::collection::vec((0_i64..4_000, any::<bool>()), 1..120),
        quota in 1_u32..12,
        share in 0_i64..1_000_000,
    ) {
        let mut world = World::new("100000");
        world.hold_to(|limits| {
            (limits.global.max_messages, limits.global.message_seconds) = (Count(quota), Seconds(5));
            limits.global.cancel_share = Rate::from_ppm(share);
        });
        let (mut open, mut sent) = (Vec::new(), Vec::new());
        for (milliseconds, cancel) in steps {
            world.wait(milliseconds * 1_000_000);
            if cancel && let Some(id) = open.pop() {
                world.cancel(id);
                continue;
            }
            let order = world.order(Side::Buy, 1, BOVA11, limit("9.90"));
            if world.send(order).is_ok() {
                world.report(order.client_order_id, ReportKind::New);
                open.push(order.client_order_id);
                sent.push(world.now);
                let lately = sent.iter().filter(|at| world.now.nanos_since(**at) < 5 * SECOND).count();
                let most = i64::from(quota) * (1_000_000 - share) / 1_000_000;
                prop_assert!(lately as i64 <= most, "{lately} of {most}");
            }
        }
    }

    /// The latch holds from the execution that makes the number full, until it is lifted.
    #[test]
    fn executions_latch_exactly_when_a_window_is_full(
        waits in prop::collection::vec(0_i64..30, 1..40),
        most in 2_u32..6,
    ) {
        let mut world = World::new("100000");
        world.hold_to(|limits| {
            (limits.global.max_repeated_executions, limits.global.repeated_execution_seconds) = (Count(most), Seconds(60));
        });
        let mut traded = Vec::new();
        let mut latched = false;
        for seconds in waits {
            world.wait(seconds * SECOND);
            let order = world.order(Side::Buy, 1, BOVA11, limit("10.00"));
            let sent = world.send(order);
            prop_assert_eq!(sent.is_err(), latched);
            if sent.is_ok() {
                world.fill(order.client_order_id, 1, price("10.00"));
                traded.push(world.now);
                let lately = traded.iter().filter(|at| world.now.nanos_since(**at) < 60 * SECOND).count();
                latched = lately >= most as usize;
            }
        }
    }
}

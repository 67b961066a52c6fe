//! Position and buying power count everything that is open at its worst.

use market::fees::Brokerage;
use market::{FeeSchedule, OrderType, Quantity, ReportKind, Side, Timestamp};

use crate::world::{BOVA11, PETR4, World, limit, money, price, verdict};

fn b3(cash: &str) -> World {
    World::with(cash, FeeSchedule::b3(), Brokerage::FREE)
}

#[test]
fn a_position_counts_what_is_held_open_and_unknown() {
    let mut world = World::new("100000");
    world.hold(50, BOVA11, "10.00");
    world.working(Side::Buy, 30, BOVA11, "9.00");
    let lost = world.sent(Side::Buy, 20, BOVA11, "9.00");
    world.working(Side::Sell, 40, BOVA11, "11.00"); // may never trade: takes nothing away
    for (limit_at, expected) in [
        (199, "position_per_symbol: position with open buys would be too large (asked=200 limit=199)"),
        (200, "allowed"),
        (201, "allowed"),
    ] {
        world.limits.max_position_quantity = Quantity::new(limit_at);
        let reviewed = world.review(world.order(Side::Buy, 100, BOVA11, limit("10.00")));
        let told = reviewed.map_or_else(|denial| denial.to_string(), |_| "allowed".to_owned());
        assert_eq!(told, expected);
    }
    world.book.outcome_unknown(lost).unwrap();
    assert_eq!(world.book.open_buys(BOVA11), Quantity::new(50));
    world.report(lost, ReportKind::New);
    world.limits.max_position_quantity = Quantity::new(101);
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 1, BOVA11, limit("10.00")))), "allowed");
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 2, BOVA11, limit("10.00")))), "position_per_symbol");
    world.report(lost, ReportKind::Canceled { reason: String::new() });
    assert_eq!(verdict(&world.review(world.order(Side::Buy, 21, BOVA11, limit("10.00")))), "allowed");
}

#[test]
fn nothing_is_sold_short() {
    let mut world = World::new("100000");
    world.hold(100, BOVA11, "10.00");
    for (units, expected) in
        [(99, "allowed"), (100, "allowed"), (101, "short_sale: would sell more than is held (asked=-1 limit=0)")]
    {
        let reviewed = world.review(world.order(Side::Sell, units, BOVA11, limit("10.00")));
        assert_eq!(reviewed.map_or_else(|denial| denial.to_string(), |_| "allowed".to_owned()), expected);
    }
    // Open sells count, open buys do not, and a lost sell counts as sold.
    world.working(Side::Buy, 50, BOVA11, "9.90");
    let lost = world.working(Side::Sell, 60, BOVA11, "10.00");
    assert_eq!(verdict(&world.review(world.order(Side::Sell, 40, BOVA11, limit("10.00")))), "allowed");
    assert_eq!(verdict(&world.review(world.order(Side::Sell, 41, BOVA11, limit("10.00")))), "short_sale");
    world.book.outcome_unknown(lost).unwrap();
    assert_eq!(verdict(&world.review(world.order(Side::Sell, 40, BOVA11, limit("10.00")))), "allowed");
    assert_eq!(verdict(&world.review(world.order(Side::Sell, 41, BOVA11, limit("10.00")))), "unknown_order");
    let world = World::new("100000");
    assert_eq!(verdict(&world.review(world.order(Side::Sell, 1, BOVA11, OrderType::Market))), "short_sale");
}

#[test]
fn buying_power_covers_the_fees_of_the_very_first_order() {
    // 1000.00 and 0.03 % on it.
    for (cash, expected) in [
        (
            "1000.29999999",
            "buying_power: costs more than the account can pay at settlement (asked=1000.30 limit=1000.29999999)",
        ),
        ("1000.30", "allowed"),
        ("1000.30000001", "allowed"),
    ] {
        let mut world = b3(cash);
        let order = world.order(Side::Buy, 100, BOVA11, limit("10.00"));
        let reviewed = world.send(order);
        assert_eq!(reviewed.map_or_else(|denial| denial.to_string(), |_| "allowed".to_owned()), expected);
        assert!(world.book.buying_power() >= money("0"));
    }
}

#[test]
fn buying_power_covers_brokerage() {
    let brokerage = Brokerage { per_order: money("4.90"), iss: "0.05".parse().unwrap() };
    for (cash, expected) in [("1005.44499999", "buying_power"), ("1005.445", "allowed")] {
        let mut world = World::with(cash, FeeSchedule::b3(), brokerage);
        let order = world.order(Side::Buy, 100, BOVA11, limit("10.00"));
        assert_eq!(verdict(&world.send(order)), expected);
    }
    // Once charged, it is not asked for again when the order is replaced.
    let mut world = World::with("1015.447", FeeSchedule::b3(), brokerage);
    let id = world.working(Side::Buy, 100, BOVA11, "10.00");
    world.fill(id, 50, price("10.00"));
    assert_eq!(verdict(&world.review_replace(id, 100, "10.20")), "buying_power");
    assert_eq!(verdict(&world.review_replace(id, 101, "10.00")), "buying_power");
    let mut world = World::with("1015.448", FeeSchedule::b3(), brokerage);
    let id = world.working(Side::Buy, 100, BOVA11, "10.00");
    world.fill(id, 50, price("10.00"));
    assert_eq!(verdict(&world.review_replace(id, 101, "10.00")), "allowed");
}

#[test]
fn buying_power_counts_open_orders_at_their_worst_and_gives_back_what_ends() {
    let mut world = World::new("3000");
    let first = world.working(Side::Buy, 100, BOVA11, "10.00");
    let second = world.sent(Side::Buy, 100, PETR4, "10.00");
    world.book.outcome_unknown(second).unwrap();
    let third = |world: &World, at: &str| verdict(&world.review(world.order(Side::Buy, 100, BOVA11, limit(at))));
    assert_eq!(third(&world, "10.00"), "allowed");
    assert_eq!(third(&world, "10.01"), "buying_power");
    world.fill(first, 50, price("9.00")); // fifty centavos under the limit come free
    assert_eq!(third(&world, "10.30"), "allowed");
    world.report(second, ReportKind::Rejected { reason: String::new() });
    let order = world.order(Side::Buy, 200, BOVA11, limit("10.25"));
    assert_eq!(verdict(&world.review(order)), "allowed");
    let order = world.order(Side::Buy, 200, BOVA11, limit("10.26"));
    assert_eq!(verdict(&world.review(order)), "buying_power");
}

#[test]
fn a_replace_is_credited_with_what_its_order_has_set_aside() {
    let mut world = b3("1000.30");
    let id = world.working(Side::Buy, 100, BOVA11, "10.00");
    for (units, at, expected) in [
        (100, "10.00", "allowed"),
        (50, "10.30", "allowed"), // dearer, but less of it
        (100, "9.00", "allowed"),
        (101, "10.00", "buying_power"),
        (100, "10.01", "buying_power"),
        (111, "9.00", "buying_power"), // the hundred may still trade at ten before the rest does at nine
    ] {
        assert_eq!(verdict(&world.review_replace(id, units, at)), expected, "{units} at {at}");
    }
    let denial = world.review_replace(id, 101, "10.00").unwrap_err();
    let expected = "buying_power: costs more than the account can pay at settlement (asked=10.003 limit=0.00)";
    assert_eq!(denial.to_string(), expected);
    world.replace(id, 50, "10.30");
    assert_eq!(world.book.buying_power(), money("0"));
}

#[test]
fn a_replace_counts_only_its_increase() {
    let mut world = World::new("100000");
    world.limits.max_position_quantity = Quantity::new(300);
    world.limits.max_order_quantity = Quantity::new(200);
    let id = world.working(Side::Buy, 200, BOVA11, "10.00");
    world.fill(id, 100, price("10.00"));
    for (units, expected) in [
        (100, "lot_and_tick"), // nothing would be left
        (101, "allowed"),
        (300, "allowed"), // 100 held, 200 left
        (301, "order_quantity"),
    ] {
        assert_eq!(verdict(&world.review_replace(id, units, "10.00")), expected, "{units}");
    }
    world.limits.max_order_quantity = Quantity::new(500);
    assert_eq!(verdict(&world.review_replace(id, 300, "10.00")), "allowed");
    assert_eq!(verdict(&world.review_replace(id, 301, "10.00")), "position_per_symbol");
    world.limits.max_order_notional = money("1500");
    assert_eq!(verdict(&world.review_replace(id, 250, "10.00")), "allowed");
    assert_eq!(verdict(&world.review_replace(id, 251, "10.00")), "order_notional");
    assert_eq!(verdict(&world.review_replace(id, 150, "10.31")), "price_collar");
    assert_eq!(verdict(&world.review_replace(id, 150, "9.995")), "lot_and_tick");

    let mut world = World::new("100000");
    world.hold(100, BOVA11, "10.00");
    let id = world.working(Side::Sell, 60, BOVA11, "10.00");
    world.working(Side::Sell, 10, BOVA11, "10.00");
    assert_eq!(verdict(&world.review_replace(id, 90, "10.00")), "allowed");
    assert_eq!(verdict(&world.review_replace(id, 91, "10.00")), "short_sale");
}

#[test]
fn a_day_whose_trades_cannot_be_booked_takes_no_buys() {
    let mut world = World::new("100000");
    world.hold(100, BOVA11, "10.00");
    // The last session that the calendar knows: its trades would settle beyond the horizon.
    world.now = "2028-12-28T15:00:00Z".parse::<Timestamp>().unwrap();
    world.top.at = world.now;
    let denial = world.review(world.order(Side::Buy, 1, BOVA11, limit("10.00"))).unwrap_err();
    assert_eq!(
        denial.to_string(),
        "buying_power: no fee or settlement date is known for today: extend the fee schedule or the calendar \
         (asked=none limit=none)"
    );
    assert_eq!(verdict(&world.review(world.order(Side::Sell, 100, BOVA11, limit("10.00")))), "allowed");
}

#[test]
fn what_other_hands_hold_counts_when_we_buy_and_is_not_ours_to_sell() {
    let mut world = World::new("100000");
    world.limits.max_position_quantity = Quantity::new(100);
    world.mark(BOVA11, "10.00");
    for (theirs, units, expected) in [
        (60, 40, "allowed"),
        (60, 41, "position_per_symbol"),
        (101, 1, "position_per_symbol"),
        (-50, 100, "allowed"),
        (-50, 101, "position_per_symbol"), // their short makes no room
    ] {
        world.book.adopt_external(BOVA11, Quantity::new(theirs));
        let reviewed = world.review(world.order(Side::Buy, units, BOVA11, limit("10.00")));
        assert_eq!(verdict(&reviewed), expected, "{theirs} held by others, {units} bought");
    }
    world.book.adopt_external(BOVA11, Quantity::ZERO);
    world.hold(30, BOVA11, "10.00");
    world.book.adopt_external(BOVA11, Quantity::new(60));
    assert_eq!(verdict(&world.review(world.order(Side::Sell, 30, BOVA11, limit("10.00")))), "allowed");
    assert_eq!(verdict(&world.review(world.order(Side::Sell, 31, BOVA11, limit("10.00")))), "short_sale");
    assert_eq!(world.book.gross_exposure(), money("900")); // 90 units at their mark
}

//! What a run leaves to be read afterwards.

use desk::Record;
use market::{ExecutionId, Quantity, Side, StrategyId};
use oms::{Applied, FillEffect, Holding, OrderStatus};

use crate::world::{BOVA11, PETR4, desk, fill, id, money, noon, price, report, request, top, universe};

fn applied(number: u32, units: i64, at: &str, fee: &str) -> Applied {
    Applied {
        client_order_id: id(number),
        strategy: StrategyId(0),
        instrument: if number % 2 == 1 { PETR4 } else { BOVA11 },
        status: OrderStatus::Filled,
        fill: Some(FillEffect {
            execution_id: ExecutionId::new(&format!("X{number}")),
            side: if number % 2 == 1 { Side::Buy } else { Side::Sell },
            quantity: Quantity::new(units),
            price: price(at),
            fee: money(fee),
            late: false,
        }),
        revoked: None,
        holding: Holding::default(),
    }
}

fn record() -> Record {
    Record::new(universe(&["PETR4", "BOVA11"]))
}

#[test]
fn the_fingerprint_is_the_sha_256_of_the_fills_as_text() {
    // The hash of nothing, and of these lines, as sha256sum gives it:
    // TEST-20250612-000001,X1,PETR4,buy,300,38.10,3.4299,1749740400000000000
    // TEST-20250612-000002,X2,BOVA11,sell,7,120.00000001,0.00,1749740400000000001
    let mut record = record();
    assert_eq!(record.fingerprint(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    record.applied(noon(), &applied(1, 300, "38.10", "3.4299"));
    record.applied(noon().plus_nanos(1), &applied(2, 7, "120.00000001", "0"));
    assert_eq!(record.fingerprint(), "f193f6d008850e650498edc32a1f3e218748bd4c578d20eb95f60d59392eacdd");
    assert_eq!(record.counts.fills, 2);
}

#[test]
fn the_fingerprint_changes_with_every_field_and_with_the_order() {
    let told = |fills: &[(u32, i64, &str, &str, i64)]| {
        let mut record = record();
        for (number, units, at, fee, later) in fills {
            record.applied(noon().plus_nanos(*later), &applied(*number, *units, at, fee));
        }
        record.fingerprint()
    };
    let mut all = vec![
        told(&[(1, 300, "38.10", "1", 0), (2, 300, "38.10", "1", 0)]),
        told(&[(2, 300, "38.10", "1", 0), (1, 300, "38.10", "1", 0)]),
        told(&[(1, 300, "38.10", "1", 0)]),
        told(&[(3, 300, "38.10", "1", 0)]),
        told(&[(1, 301, "38.10", "1", 0)]),
        told(&[(1, 300, "38.11", "1", 0)]),
        told(&[(1, 300, "38.10", "2", 0)]),
        told(&[(1, 300, "38.10", "1", 1)]),
    ];
    assert_eq!(all[2], told(&[(1, 300, "38.10", "1", 0)]));
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 8);
}

#[test]
fn what_was_no_fill_is_not_one() {
    let mut record = record();
    record.applied(noon(), &Applied { fill: None, ..applied(1, 300, "38.10", "1") });
    assert_eq!((record.fills.len(), record.counts.fills), (0, 0));
}

#[test]
fn a_day_is_closed_by_the_next_and_by_the_end() {
    let mut desk = desk();
    let mut record = record();
    let first = noon().local_date();
    record.begin_day(first, desk.book());
    record.begin_day(first, desk.book());
    assert_eq!(record.days, []);
    let now = noon();
    desk.request(&request(Side::Buy, 100, PETR4, "10.00"), top(now), now).unwrap();
    desk.report(&report(1, PETR4, fill("X1", 100, "10.00")), noon()).unwrap();
    desk.mark(PETR4, price("11.00"));
    record.begin_day(first.succ_opt().unwrap(), desk.book());
    desk.mark(PETR4, price("12.00"));
    record.close_day(desk.book());
    record.close_day(desk.book());
    let days: Vec<_> =
        record.days.iter().map(|day| (day.date.to_string(), day.equity, day.exposure, day.fees)).collect();
    assert_eq!(
        days,
        [
            // A hundred more at the mark; 0.30 and 5.145 of fees.
            ("2025-06-12".to_owned(), money("100094.555"), money("1100"), money("5.445")),
            ("2025-06-13".to_owned(), money("100194.555"), money("1200"), money("5.445")),
        ]
    );
}

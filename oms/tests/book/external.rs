//! F38: what other hands do in the same account is counted, and is none of the strategies' doing.

use market::fees::Brokerage;
use market::{
    ExecutionId, FeeSchedule, InstrumentId, Money, OrderReference, Price, Quantity, Side, StatedExecution, Timestamp,
};
use oms::Book;

use crate::scenario::{book, id, money};

const PETR4: InstrumentId = InstrumentId::new(0);
const VALE3: InstrumentId = InstrumentId::new(1);

fn by_hand(name: &str, side: Side, units: i64, instrument: InstrumentId) -> StatedExecution {
    StatedExecution {
        execution_id: ExecutionId::new(name),
        reference: OrderReference::External("4711".to_owned()),
        instrument,
        side,
        price: Price::from_cents(1_000).expect("a price"),
        quantity: Quantity::new(units),
        at: "2025-06-12T14:00:00Z".parse::<Timestamp>().expect("a time"),
    }
}

fn empty() -> Book {
    book("10000", FeeSchedule::free(), Brokerage::FREE)
}

#[test]
fn units_change_and_the_strategies_ledger_does_not() {
    let mut book = empty();
    book.mark(PETR4, Price::from_cents(1_000).unwrap());
    book.adopt_external(PETR4, Quantity::new(500));
    book.apply_external(&by_hand("M1", Side::Buy, 100, PETR4)).unwrap();
    book.apply_external(&by_hand("M2", Side::Sell, 700, PETR4)).unwrap();
    book.apply_external(&by_hand("M3", Side::Sell, 7, VALE3)).unwrap();
    assert_eq!((book.external(PETR4), book.external(VALE3)), (Quantity::new(-100), Quantity::new(-7)));
    assert_eq!((book.equity(), book.realized(), book.fees()), (money("10000"), Money::ZERO, Money::ZERO));
    assert_eq!(book.position(PETR4).quantity, Quantity::ZERO);
    assert_eq!(book.gross_exposure(), money("1000"));
    book.adopt_external(PETR4, Quantity::new(50));
    assert_eq!(book.external(PETR4), Quantity::new(50));
    book.verify().unwrap();
}

#[test]
fn each_execution_counts_once_for_as_long_as_it_is_remembered() {
    let mut book = empty();
    let first = by_hand("M1", Side::Buy, 100, PETR4);
    book.apply_external(&first).unwrap();
    assert!(book.apply_external(&first).is_err());
    for day in 1..=5 {
        book.start_session(format!("2025-06-{:02}", day + 15).parse().unwrap());
        book.verify().unwrap();
        assert_eq!(book.knows_execution(&first.execution_id), day < 5);
    }
    assert_eq!(book.external(PETR4), Quantity::new(100), "the units stay");
}

#[test]
fn what_cannot_be_counted_changes_nothing() {
    let mut book = empty();
    let fine = by_hand("M1", Side::Buy, 100, PETR4);
    for (execution, reason) in [
        (StatedExecution { reference: OrderReference::Own(id(1)), ..fine.clone() }, "its order is ours"),
        (by_hand("M1", Side::Buy, 0, PETR4), "makes no sense"),
        (by_hand("M1", Side::Buy, i64::MAX, PETR4), "makes no sense"),
        (StatedExecution { price: Price::ZERO, ..fine.clone() }, "makes no sense"),
        (by_hand("M1", Side::Buy, 100, InstrumentId::new(99)), "not part of this run"),
    ] {
        let told = book.apply_external(&execution).unwrap_err().to_string();
        assert!(told.contains(reason), "{told}");
        assert!(!book.knows_execution(&execution.execution_id));
    }
    book.apply_external(&fine).unwrap();
}

//! F07: reports may come in any order, and twice; what stands at the end must not depend on it.

use crate::scenario::{book, id};
use market::fees::Brokerage;
use market::order::{CancelOrder, ReplaceOrder};
use market::{
    ExecutionId, ExecutionReport, FeeSchedule, InstrumentId, NewOrder, OrderType, Price, Quantity, ReportKind, Side,
    StrategyId, TimeInForce, Timestamp,
};
use oms::Book;

const ONE: InstrumentId = InstrumentId::new(0);

fn at() -> Timestamp {
    "2025-06-12T14:00:00Z".parse().expect("a time")
}

fn ten() -> Price {
    Price::from_cents(1_000).expect("a price")
}

fn fill(execution: &str, units: i64) -> ReportKind {
    ReportKind::Fill { execution_id: ExecutionId::new(execution), price: ten(), quantity: Quantity::new(units) }
}

fn replaced(units: i64) -> ReportKind {
    ReportKind::Replaced { quantity: Quantity::new(units), limit_price: Some(ten()) }
}

/// A buy of 300, perhaps with a replace to 500 and a cancel on its way.
fn begun(replace: bool, cancel: bool) -> Book {
    let mut book = book("100000", FeeSchedule::b3(), Brokerage::FREE);
    book.enter(
        NewOrder {
            client_order_id: id(1),
            strategy: StrategyId(0),
            instrument: ONE,
            side: Side::Buy,
            quantity: Quantity::new(300),
            order_type: OrderType::Limit { limit_price: ten() },
            time_in_force: TimeInForce::Day,
            decided_at: at(),
            parent: None,
        },
        ten(),
    );
    if replace {
        apply(&mut book, &ReportKind::New);
        let replace = ReplaceOrder {
            client_order_id: id(1),
            instrument: ONE,
            quantity: Quantity::new(500),
            limit_price: Some(ten()),
            decided_at: at(),
        };
        book.request_replace(&replace, ten()).expect("an open order");
    }
    if cancel {
        let cancel = CancelOrder { client_order_id: id(1), instrument: ONE, decided_at: at() };
        book.request_cancel(&cancel).expect("an open order");
    }
    book
}

fn apply(book: &mut Book, kind: &ReportKind) -> bool {
    let report = ExecutionReport { at: at(), client_order_id: id(1), instrument: ONE, kind: kind.clone() };
    let applied = book.apply(&report).is_ok();
    book.verify().expect("a sound book");
    applied
}

pub(crate) fn permutations(of: &[ReportKind]) -> Vec<Vec<ReportKind>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for place in 0..of.len() {
        let mut rest = of.to_vec();
        let first = rest.remove(place);
        all.extend(permutations(&rest).into_iter().map(|mut rest| {
            rest.insert(0, first.clone());
            rest
        }));
    }
    all
}

/// What is asked for, what the broker reports, and how it ends in whatever order that comes.
struct Case {
    name: &'static str,
    replace: bool,
    cancel: bool,
    reports: Vec<ReportKind>,
    ends: (&'static str, i64),
}

fn cases() -> Vec<Case> {
    use ReportKind::{CancelRejected, Canceled, Expired, New, ReplaceRejected};
    let reason = String::new;
    let case = |name, (replace, cancel), reports, status, filled| Case {
        name,
        replace,
        cancel,
        reports,
        ends: (status, filled),
    };
    let (neither, replace, cancel, both) = ((false, false), (true, false), (false, true), (true, true));
    let canceled = || Canceled { reason: reason() };
    let (part, rest) = (|| fill("A", 100), || fill("B", 200));
    vec![
        case("filled", neither, vec![New, part(), rest(), New], "filled", 300),
        case("filled at once", neither, vec![New, fill("A", 300)], "filled", 300),
        case("cancelled by the exchange", neither, vec![New, part(), canceled()], "canceled", 100),
        case("expired", neither, vec![New, part(), fill("B", 50), Expired], "expired", 150),
        case("cancelled by us", cancel, vec![New, part(), fill("B", 50), canceled()], "canceled", 150),
        case("cancel too late", cancel, vec![New, part(), rest(), CancelRejected { reason: reason() }], "filled", 300),
        case("replaced", replace, vec![part(), replaced(500), rest(), fill("C", 200)], "filled", 500),
        case("replace too late", replace, vec![part(), rest(), ReplaceRejected { reason: reason() }], "filled", 300),
        case("replaced and cancelled", both, vec![part(), replaced(500), fill("B", 300), canceled()], "canceled", 400),
    ]
}

#[test]
fn any_order_of_reports_leads_to_the_same_end() {
    for Case { name, replace, cancel, reports, ends: (status, position) } in cases() {
        for mut order in permutations(&reports) {
            // Every report twice: nothing may count again.
            order.extend(order.clone());
            let mut book = begun(replace, cancel);
            for kind in &order {
                apply(&mut book, kind);
            }
            let ended = book.order(&id(1)).expect("the order");
            assert_eq!(ended.status.name(), status, "{name}: {order:?}");
            assert_eq!(book.position(ONE).quantity, Quantity::new(position), "{name}: {order:?}");
            assert_eq!(ended.cumulative, Quantity::new(position), "{name}: {order:?}");
            assert_eq!(book.reserved(), market::Money::ZERO, "{name}: {order:?}");
            assert_eq!(book.open_buys(ONE), Quantity::ZERO, "{name}: {order:?}");
        }
    }
}

#[test]
fn what_a_broker_normally_says_is_never_an_anomaly() {
    use ReportKind::{CancelRejected, Canceled, New, ReplaceRejected};
    let none = String::new;
    for (replace, cancel, reports) in [
        (false, false, vec![New, fill("A", 100), fill("B", 200)]),
        (false, false, vec![fill("A", 300), New]),
        (false, false, vec![Canceled { reason: none() }, New]),
        (false, true, vec![fill("A", 300), CancelRejected { reason: none() }]),
        (true, false, vec![fill("A", 300), ReplaceRejected { reason: none() }]),
        (true, false, vec![fill("A", 400), replaced(500), fill("B", 100)]),
        (true, true, vec![ReplaceRejected { reason: none() }, Canceled { reason: none() }]),
        (true, true, vec![replaced(500), Canceled { reason: none() }]),
        (true, true, vec![CancelRejected { reason: none() }, replaced(500)]),
        (true, true, vec![CancelRejected { reason: none() }, ReplaceRejected { reason: none() }]),
        (true, true, vec![Canceled { reason: none() }, ReplaceRejected { reason: none() }]),
    ] {
        let mut book = begun(replace, cancel);
        for kind in &reports {
            assert!(apply(&mut book, kind), "{kind:?} of {reports:?}");
        }
    }
}

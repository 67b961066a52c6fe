//! Reconciliation as a table: what the book has heard, what the broker states, what is to be done.
//!
//! The broker's lines:
//!
//! ```text
//! open 1 buy 300 PETR4 @ 10.00 traded 100       an order of ours and how it stands there
//! open hand buy 300 PETR4 @ 10.00 traded 100    one of another hand
//! execution X1 1 buy 100 PETR4 @ 10.00          a standing execution
//! revoked X1
//! holds 100 PETR4
//! handed 1                                      asked for after order 1 had been handed over
//! first | accepted PETR4                        what was known when the statement was asked for
//! ```
//!
//! A break is told by its instrument and by words that its text must contain.

use market::{
    ExecutionId, InstrumentId, OrderReference, Quantity, ReportKind, Side, StatedExecution, StatedOrder, StatedStatus,
    Statement, Timestamp,
};
use oms::reconcile::{Correction, Plan, Question, Scope, carry_out, plan};

use crate::scenario::{SYMBOLS, Stage, id, instrument, number};

struct Row {
    name: &'static str,
    book: &'static str,
    broker: &'static str,
    plan: &'static [&'static str],
}

const fn row(name: &'static str, book: &'static str, broker: &'static str, plan: &'static [&'static str]) -> Row {
    Row { name, book, broker, plan }
}

/// A buy of 300 that has traded 100, and has said so.
const BEGUN: &str = "
    order     1 buy 300 PETR4 limit 10.00
    report    1 new
    report    1 fill 100 @ 10.00 as X1
";

const ROWS: &[Row] = &[
    // Nothing to do.
    row("an empty book and an empty account", "", "", &[]),
    row(
        "an open order that both know",
        BEGUN,
        "open 1 buy 300 PETR4 @ 10.00 traded 100; execution X1 1 buy 100 PETR4 @ 10.00; holds 100 PETR4",
        &[],
    ),
    row(
        "an order that ended on both sides",
        "order 1 buy 300 PETR4 limit 10.00; report 1 canceled",
        "canceled 1 buy 300 PETR4 @ 10.00 traded 0",
        &[],
    ),
    row("an end that the broker need not list", "order 1 buy 300 PETR4 limit 10.00; report 1 rejected", "", &[]),
    row("other hands' orders are shown, and left alone", "", "open hand buy 300 PETR4 @ 10.00 traded 0", &[]),
    row(
        "what is held elsewhere in the same account and known",
        "external M1 buy 100 PETR4 @ 10.00",
        "execution M1 hand buy 100 PETR4 @ 10.00; holds 100 PETR4",
        &[],
    ),
    // Orders whose arrival was not known.
    row(
        "an acknowledgement that was missed",
        "order 1 buy 300 PETR4 limit 10.00",
        "open 1 buy 300 PETR4 @ 10.00 traded 0",
        &["report 1 new"],
    ),
    row(
        "an order of unknown outcome that arrived",
        "order 1 buy 300 PETR4 limit 10.00; lost 1",
        "open 1 buy 300 PETR4 @ 10.00 traded 0",
        &["report 1 new"],
    ),
    row(
        "an order of unknown outcome that did not arrive",
        "order 1 buy 300 PETR4 limit 10.00; lost 1",
        "handed 1",
        &["report 1 rejected: the broker never received it"],
    ),
    row(
        "an order that was handed over and did not arrive",
        "order 1 buy 300 PETR4 limit 10.00",
        "handed 1",
        &["report 1 rejected: the broker never received it"],
    ),
    row("an order that may still be on its way", "order 1 buy 300 PETR4 limit 10.00", "", &[]),
    row("an unknown order that may still be on its way", "order 1 buy 300 PETR4 limit 10.00; lost 1", "", &[]),
    row(
        "a cancelled order that never arrived",
        "order 1 buy 300 PETR4 limit 10.00; cancel 1",
        "handed 1",
        &["report 1 rejected: the broker never received it"],
    ),
    row(
        "an order that never arrived, whose cancel was refused for it",
        "order 1 buy 300 PETR4 limit 10.00; cancel 1; report 1 cancel_rejected",
        "handed 1",
        &["report 1 rejected: the broker never received it"],
    ),
    // Missed fills and ends.
    row(
        "a fill that was missed",
        "order 1 buy 300 PETR4 limit 10.00; report 1 new",
        "open 1 buy 300 PETR4 @ 10.00 traded 100; execution X1 1 buy 100 PETR4 @ 9.99; holds 100 PETR4",
        &["report 1 fill 100 @ 9.99 as X1"],
    ),
    row(
        "everything was missed",
        "order 1 buy 300 PETR4 limit 10.00; lost 1",
        "filled 1 buy 300 PETR4 @ 10.00 traded 300; execution X1 1 buy 100 PETR4 @ 10.00; \
         execution X2 1 buy 200 PETR4 @ 9.99; holds 300 PETR4",
        &["report 1 fill 100 @ 10.00 as X1", "report 1 fill 200 @ 9.99 as X2"],
    ),
    row(
        "a fill and then the cancel were missed",
        BEGUN,
        "canceled 1 buy 300 PETR4 @ 10.00 traded 150; execution X1 1 buy 100 PETR4 @ 10.00; \
         execution X2 1 buy 50 PETR4 @ 10.00; holds 150 PETR4",
        &["report 1 fill 50 @ 10.00 as X2", "report 1 canceled"],
    ),
    row(
        "the end of the session was missed",
        BEGUN,
        "expired 1 buy 300 PETR4 @ 10.00 traded 100; execution X1 1 buy 100 PETR4 @ 10.00; holds 100 PETR4",
        &["report 1 expired"],
    ),
    row(
        "a rejection was missed",
        "order 1 buy 300 PETR4 limit 10.00",
        "rejected 1 buy 300 PETR4 @ 10.00 traded 0",
        &["report 1 rejected"],
    ),
    row(
        "a late fill of an order that has ended",
        "order 1 buy 300 PETR4 limit 10.00; report 1 canceled",
        "canceled 1 buy 300 PETR4 @ 10.00 traded 100; execution X1 1 buy 100 PETR4 @ 10.00; holds 100 PETR4",
        &["report 1 fill 100 @ 10.00 as X1"],
    ),
    // Cancels and replaces on their way.
    row(
        "a cancel that got lost",
        "order 1 buy 300 PETR4 limit 10.00; report 1 new; cancel 1",
        "open 1 buy 300 PETR4 @ 10.00 traded 0",
        &["cancel again 1"],
    ),
    row(
        "a cancel of unknown outcome",
        "order 1 buy 300 PETR4 limit 10.00; report 1 new; cancel 1; lost 1",
        "open 1 buy 300 PETR4 @ 10.00 traded 0",
        &["report 1 new", "cancel again 1"],
    ),
    row(
        "a replace that was made",
        "order 1 buy 300 PETR4 limit 10.00; report 1 new; replace 1 500 @ 11.00",
        "open 1 buy 500 PETR4 @ 11.00 traded 0",
        &["report 1 replaced 500 @ 11.00"],
    ),
    row(
        "a replace that was not made",
        "order 1 buy 300 PETR4 limit 10.00; report 1 new; replace 1 500 @ 11.00; lost 1",
        "handed 1; open 1 buy 300 PETR4 @ 10.00 traded 0",
        &["report 1 replace_rejected"],
    ),
    row(
        "a replace that was handed over after the question",
        "order 1 buy 300 PETR4 limit 10.00; report 1 new; replace 1 500 @ 11.00",
        "open 1 buy 300 PETR4 @ 10.00 traded 0",
        &[],
    ),
    row(
        "a replace that was handed over after the question, of an order that had traded to its end",
        "order 1 buy 300 PETR4 limit 10.00; report 1 new; replace 1 500 @ 10.00; report 1 fill 300 @ 10.00 as X1",
        "filled 1 buy 300 PETR4 @ 10.00 traded 300; execution X1 1 buy 300 PETR4 @ 10.00; holds 300 PETR4",
        &["report 1 replace_rejected"],
    ),
    row(
        "a replace to the same terms",
        "order 1 buy 300 PETR4 limit 10.00; report 1 new; replace 1 300 @ 10.00",
        "handed 1; open 1 buy 300 PETR4 @ 10.00 traded 0",
        &["report 1 replace_rejected"],
    ),
    row(
        "a replace that turned out as nobody asked",
        "order 1 buy 300 PETR4 limit 10.00; report 1 new; replace 1 500 @ 11.00",
        "open 1 buy 500 PETR4 @ 10.00 traded 0",
        &["break PETR4 500 @ 10.00 at the broker, for 300 @ 10.00 or, replaced, 500 @ 11.00 here"],
    ),
    row(
        "a replace downwards that ended the order",
        "order 1 buy 300 PETR4 limit 10.00; report 1 new; replace 1 100 @ 10.00",
        "filled 1 buy 100 PETR4 @ 10.00 traded 100; execution X1 1 buy 100 PETR4 @ 10.00; holds 100 PETR4",
        &["report 1 fill 100 @ 10.00 as X1", "report 1 replaced 100 @ 10.00"],
    ),
    row(
        "a replace that traded to its end and was cancelled",
        "order 1 buy 300 PETR4 limit 10.00; report 1 new; replace 1 500 @ 11.00; cancel 1",
        "canceled 1 buy 500 PETR4 @ 11.00 traded 400; execution X1 1 buy 400 PETR4 @ 11.00; holds 400 PETR4",
        &["report 1 fill 400 @ 11.00 as X1", "report 1 replaced 500 @ 11.00", "report 1 canceled"],
    ),
    // Busts.
    row(
        "a bust that was missed",
        BEGUN,
        "open 1 buy 300 PETR4 @ 10.00 traded 0; revoked X1",
        &["report 1 bust X1 as REVOKED-X1"],
    ),
    row(
        "a correction that was missed",
        BEGUN,
        "open 1 buy 300 PETR4 @ 10.00 traded 50; revoked X1; execution C1 1 buy 50 PETR4 @ 9.00; holds 50 PETR4",
        &["report 1 bust X1 as REVOKED-X1", "report 1 fill 50 @ 9.00 as C1"],
    ),
    row(
        "a fill that a missed bust made room for",
        "order 1 buy 300 PETR4 limit 10.00; report 1 fill 200 @ 10.00 as X1",
        "filled 1 buy 300 PETR4 @ 10.00 traded 300; revoked X1; execution X2 1 buy 300 PETR4 @ 10.00; holds 300 PETR4",
        &["report 1 bust X1 as REVOKED-X1", "report 1 fill 300 @ 10.00 as X2"],
    ),
    row(
        "a fill and its bust, both missed",
        "order 1 buy 300 PETR4 limit 10.00; report 1 new",
        "open 1 buy 300 PETR4 @ 10.00 traded 0; revoked X1",
        &[],
    ),
    row(
        "an order that was full until a bust that was missed, like its fills",
        "order 1 buy 300 PETR4 limit 10.00; report 1 new",
        "filled 1 buy 300 PETR4 @ 10.00 traded 100; revoked X1; execution X2 1 buy 100 PETR4 @ 10.00; holds 100 PETR4",
        &["report 1 fill 100 @ 10.00 as X2", "report 1 canceled"],
    ),
    row(
        "a bust that both have heard of",
        "order 1 buy 300 PETR4 limit 10.00; report 1 fill 300 @ 10.00 as X1; report 1 bust X1 as B1",
        "filled 1 buy 300 PETR4 @ 10.00 traded 0; revoked X1",
        &[],
    ),
    // Other hands.
    row(
        "an execution by hand",
        "",
        "execution M1 hand sell 100 PETR4 @ 10.00; holds -100 PETR4",
        &["external M1 sell 100 PETR4 @ 10.00"],
    ),
    row(
        "an execution by hand that was taken back",
        "external M1 buy 100 PETR4 @ 10.00",
        "revoked M1",
        &["external REVOKED-M1 sell 100 PETR4 @ 10.00"],
    ),
    row(
        "the first statement adopts what is held",
        BEGUN,
        "first; open 1 buy 300 PETR4 @ 10.00 traded 100; execution X1 1 buy 100 PETR4 @ 10.00; holds 600 PETR4; holds 7 VALE3",
        &["adopt PETR4 500", "adopt VALE3 7"],
    ),
    row(
        "the first statement explains nothing away that it contradicts",
        BEGUN,
        "first; open 1 buy 300 PETR4 @ 10.00 traded 300; execution X1 1 buy 100 PETR4 @ 10.00; holds 300 PETR4",
        &["break PETR4 has traded 300 at the broker, 100 here", "break PETR4 the broker holds 300, the book 100"],
    ),
    row(
        "a difference that a person has accepted",
        "",
        "accepted PETR4; holds 40 PETR4; holds 7 VALE3",
        &["adopt PETR4 40", "break VALE3 the broker holds 7, the book 0: 0 of ours and 0 of other hands"],
    ),
    // Breaks.
    row("a position that nothing explains", "", "holds 40 PETR4", &["break PETR4 the broker holds 40, the book 0"]),
    row(
        "an execution that the broker does not have",
        BEGUN,
        "open 1 buy 300 PETR4 @ 10.00 traded 100; holds 100 PETR4",
        &["break PETR4 execution X1 of TEST-20250612-000001, 100 @ 10.00, is not at the broker"],
    ),
    row(
        "an execution by hand that the broker does not have",
        "external M1 buy 100 PETR4 @ 10.00",
        "holds 100 PETR4",
        &["break PETR4 execution M1 of other hands, buy 100 @ 10.00, is not at the broker"],
    ),
    row(
        "an execution with another price",
        BEGUN,
        "open 1 buy 300 PETR4 @ 10.00 traded 100; execution X1 1 buy 100 PETR4 @ 10.01; holds 100 PETR4",
        &["break PETR4 100 @ 10.01"],
    ),
    row(
        "a missed fill on the other side",
        "order 1 buy 300 PETR4 limit 10.00; report 1 new",
        "open 1 buy 300 PETR4 @ 10.00 traded 0; execution X1 1 sell 100 PETR4 @ 10.01",
        &["break PETR4 execution X1 is a sell at the broker"],
    ),
    row(
        "an order that the broker has forgotten",
        "order 1 buy 300 PETR4 limit 10.00; report 1 new",
        "handed 1",
        &["break PETR4 is working here, the broker does not list it"],
    ),
    row(
        "an order of unknown outcome that the broker had and has forgotten",
        "order 1 buy 300 PETR4 limit 10.00; report 1 new; cancel 1; lost 1",
        "handed 1",
        &["break PETR4 is unknown here, the broker does not list it"],
    ),
    row(
        "an order that is open there and ended here",
        "order 1 buy 300 PETR4 limit 10.00; report 1 canceled",
        "open 1 buy 300 PETR4 @ 10.00 traded 0",
        &["break PETR4 is open at the broker, canceled here"],
    ),
    row(
        "an order under our name that we never had",
        "",
        "open 7 buy 300 PETR4 @ 10.00 traded 0",
        &["break account the broker knows TEST-20250612-000007"],
    ),
    row(
        "an execution under our name that we never had",
        "",
        "execution X1 7 buy 300 PETR4 @ 10.00; holds 300 PETR4",
        &["break account the broker knows TEST-20250612-000007", "break PETR4 the broker holds 300"],
    ),
    row(
        "an order that is filled there without executions",
        BEGUN,
        "filled 1 buy 300 PETR4 @ 10.00 traded 300; execution X1 1 buy 100 PETR4 @ 10.00; holds 300 PETR4",
        &[
            "break PETR4 is filled at the broker; its executions add up to 100 of 300",
            "break PETR4 has traded 300 at the broker, 100 here",
            "break PETR4 the broker holds 300, the book 100",
        ],
    ),
    row(
        "a rejection of an order that has traded",
        BEGUN,
        "rejected 1 buy 300 PETR4 @ 10.00 traded 100; execution X1 1 buy 100 PETR4 @ 10.00; holds 100 PETR4",
        &["break PETR4 the broker states 'rejected' of TEST-20250612-000001, which does not fit"],
    ),
    row(
        "an order with other terms",
        "order 1 buy 300 PETR4 limit 10.00; report 1 new",
        "open 1 buy 400 PETR4 @ 10.00 traded 0",
        &["break PETR4 is for 400 @ 10.00 at the broker, for 300 @ 10.00 here"],
    ),
    row(
        "an order on the other side",
        "order 1 buy 300 PETR4 limit 10.00; report 1 new",
        "open 1 sell 300 PETR4 @ 10.00 traded 0",
        &["break PETR4 (Sell,"],
    ),
    row(
        "an execution that stands there and was taken back here",
        "order 1 buy 300 PETR4 limit 10.00; report 1 fill 100 @ 10.00 as X1; report 1 bust X1 as B1",
        "open 1 buy 300 PETR4 @ 10.00 traded 100; execution X1 1 buy 100 PETR4 @ 10.00; holds 100 PETR4",
        &[
            "break PETR4 execution X1 stands at the broker, was taken back here",
            "break PETR4 has traded 100 at the broker, 0 here",
            "break PETR4 the broker holds 100, the book 0",
        ],
    ),
    row(
        "an execution that stands there, and that a bust took back here before it came",
        "order 1 buy 300 PETR4 limit 10.00; report 1 new; report 1 bust X1 as B1",
        "open 1 buy 300 PETR4 @ 10.00 traded 100; execution X1 1 buy 100 PETR4 @ 10.00; holds 100 PETR4",
        &[
            "break PETR4 execution X1 stands at the broker, B1 took it back here",
            "break PETR4 has traded 100 at the broker, 0 here",
            "break PETR4 the broker holds 100, the book 0",
        ],
    ),
    row(
        "an execution that is ours here and another hand's there",
        BEGUN,
        "open 1 buy 300 PETR4 @ 10.00 traded 100; execution X1 hand buy 100 PETR4 @ 10.00; holds 100 PETR4",
        &["break PETR4 execution X1 is of External"],
    ),
    // Statements that no broker should make.
    row(
        "an execution listed twice",
        BEGUN,
        "execution X1 1 buy 100 PETR4 @ 10.00; execution X1 1 buy 100 PETR4 @ 10.00",
        &["break account execution X1 twice"],
    ),
    row(
        "an order listed twice",
        BEGUN,
        "open 1 buy 300 PETR4 @ 10.00 traded 100; canceled 1 buy 300 PETR4 @ 10.00 traded 100",
        &["break account an order twice"],
    ),
    row(
        "an execution that stands and does not",
        BEGUN,
        "execution X1 1 buy 100 PETR4 @ 10.00; revoked X1",
        &["break account as standing and as taken back"],
    ),
    row(
        "more traded than there is",
        BEGUN,
        "open 1 buy 300 PETR4 @ 10.00 traded 301",
        &["break account an order that cannot be"],
    ),
    row("an absurd position", "", "holds 9223372036854775807 PETR4", &["break account a position that cannot be"]),
];

fn stated(text: &str, stage: &mut Stage) -> (Statement, Question) {
    let mut question = Question::default();
    let mut statement = Statement {
        at: stage.now,
        since: "2025-06-12T12:00:00Z".parse().expect("a time"),
        orders: Vec::new(),
        executions: Vec::new(),
        revoked: Vec::new(),
        positions: Vec::new(),
        elsewhere: Vec::new(),
    };
    let reference = |word: &str| match word.parse() {
        Ok(number) => OrderReference::Own(id(number)),
        Err(_) => OrderReference::External(word.to_owned()),
    };
    let lines = text.split(';').map(str::trim).filter(|line| !line.is_empty());
    for line in lines {
        match *line.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["first"] => question.first = true,
            ["accepted", symbol] => _ = question.accepted.insert(instrument(symbol)),
            ["handed", which] => _ = question.handed_over.insert(id(number(which))),
            ["revoked", name] => statement.revoked.push(ExecutionId::new(name)),
            ["holds", units, symbol] => {
                statement.positions.push((instrument(symbol), Quantity::new(number(units))));
            }
            ["execution", name, of, ref terms @ ..] => {
                statement.executions.push(execution(name, reference(of), terms, stage.now));
            }
            [status, of, side, units, symbol, "@", price, "traded", traded] => statement.orders.push(StatedOrder {
                reference: reference(of),
                instrument: instrument(symbol),
                side: side_of(side),
                quantity: Quantity::new(number(units)),
                limit_price: Some(number(price)),
                cumulative: Quantity::new(number(traded)),
                status: match status {
                    "open" => StatedStatus::Open,
                    "filled" => StatedStatus::Filled,
                    "canceled" => StatedStatus::Canceled,
                    "expired" => StatedStatus::Expired,
                    "rejected" => StatedStatus::Rejected,
                    _ => panic!("no status {status}"),
                },
            }),
            _ => panic!("no such line: {line}"),
        }
    }
    (statement, question)
}

fn side_of(word: &str) -> Side {
    if word == "buy" { Side::Buy } else { Side::Sell }
}

fn execution(name: &str, reference: OrderReference, terms: &[&str], at: Timestamp) -> StatedExecution {
    let [side, units, symbol, "@", price] = *terms else { panic!("no such terms: {terms:?}") };
    StatedExecution {
        execution_id: ExecutionId::new(name),
        reference,
        instrument: instrument(symbol),
        side: side_of(side),
        price: number(price),
        quantity: Quantity::new(number(units)),
        at,
    }
}

fn symbol(of: InstrumentId) -> &'static str {
    SYMBOLS[of.index()]
}

/// A plan in words.
fn told(plan: &Plan) -> Vec<String> {
    let report = |kind: &ReportKind| match kind {
        ReportKind::Fill { execution_id, price, quantity } => format!("fill {quantity} @ {price} as {execution_id}"),
        ReportKind::Bust { execution_id, reference } => format!("bust {reference} as {execution_id}"),
        ReportKind::Replaced { quantity, limit_price } => {
            format!("replaced {quantity} @ {}", limit_price.unwrap_or_default())
        }
        ReportKind::Rejected { reason } if reason.contains("never") => {
            format!("{}: {reason}", kind.name())
        }
        kind => kind.name().to_owned(),
    };
    let corrections = plan.corrections.iter().map(|correction| match correction {
        Correction::Report(made) => format!("report {} {}", made.client_order_id.sequence(), report(&made.kind)),
        Correction::External(StatedExecution { execution_id, instrument, side, price, quantity, .. }) => {
            format!("external {execution_id} {side} {quantity} {} @ {price}", symbol(*instrument))
        }
        Correction::Adopt { instrument, quantity } => format!("adopt {} {quantity}", symbol(*instrument)),
        Correction::CancelAgain(id) => format!("cancel again {}", id.sequence()),
    });
    let breaks = plan.breaks.iter().map(|found| match found.scope {
        Scope::Instrument(instrument) => format!("break {} {}", symbol(instrument), found.difference),
        Scope::Account => format!("break account {}", found.difference),
    });
    corrections.chain(breaks).collect()
}

/// A break may be told in part: who it concerns, and some of its words.
fn is(told: &str, expected: &str) -> bool {
    let parts = |text: &str| text.strip_prefix("break ").and_then(|rest| rest.split_once(' ')).map(owned);
    match (parts(told), parts(expected)) {
        (Some((scope, words)), Some((expected_scope, some))) => scope == expected_scope && words.contains(&some),
        _ => told == expected,
    }
}

fn owned((scope, words): (&str, &str)) -> (String, String) {
    (scope.to_owned(), words.to_owned())
}

#[test]
fn every_row_of_the_table() {
    for Row { name, book, broker, plan: expected } in ROWS {
        let (by_hand, book): (Vec<&str>, Vec<&str>) =
            book.split([';', '\n']).map(str::trim).partition(|line| line.starts_with("external"));
        let mut stage = Stage::played(&book.join("\n"));
        for line in by_hand {
            let words: Vec<&str> = line.split_whitespace().collect();
            let made = execution(words[1], OrderReference::External("hand".to_owned()), &words[2..], stage.now);
            stage.book().apply_external(&made).expect("an execution that fits");
        }
        let (statement, question) = stated(broker, &mut stage);
        let book = stage.book();
        let before = format!("{book:?}");
        let made = plan(book, &statement, &question);
        assert_eq!(format!("{book:?}"), before, "{name}: a plan changes nothing");
        let found = told(&made);
        let fits = found.len() == expected.len() && found.iter().zip(*expected).all(|(told, row)| is(told, row));
        assert!(fits, "{name}: expected {expected:#?}, found {found:#?}");
        let shown = statement.orders.iter().filter(|order| matches!(order.reference, OrderReference::External(_)));
        assert_eq!(made.external_orders.len(), if made.breaks.is_empty() { shown.count() } else { 0 }, "{name}");

        carry_out(book, &made, statement.at).unwrap_or_else(|anomaly| panic!("{name}: {anomaly}"));
        book.verify().unwrap_or_else(|difference| panic!("{name}: {difference}"));
        let mut again = plan(book, &statement, &Question { first: false, ..question });
        again.corrections.retain(|correction| !matches!(correction, Correction::CancelAgain(_)));
        assert_eq!(again.corrections, [], "{name}: once is enough");
        assert_eq!(again.breaks, made.breaks, "{name}");
    }
    assert!(ROWS.len() >= 30);
}

#[test]
fn an_order_of_today_that_had_to_make_room_is_recognised() {
    let mut stage = Stage::played("fees free; session 2025-06-12".replace(';', "\n").as_str());
    let at = stage.now;
    let book = stage.book();
    let (instrument, price) = (InstrumentId::new(0), number("1.00"));
    for which in 1..=10_001 {
        let client_order_id = id(which);
        book.enter(
            market::NewOrder {
                client_order_id,
                strategy: market::StrategyId(0),
                instrument,
                side: Side::Buy,
                quantity: Quantity::new(1),
                order_type: market::OrderType::Limit { limit_price: price },
                time_in_force: market::TimeInForce::Day,
                decided_at: at,
                parent: None,
            },
            price,
        );
        let execution_id = ExecutionId::new(&format!("X{which}"));
        let kind = ReportKind::Fill { execution_id, price, quantity: Quantity::new(1) };
        book.apply(&market::ExecutionReport { at, client_order_id, instrument, kind }).expect("a fill");
    }
    assert!(book.is_forgotten(&id(1)));
    let all: Vec<String> = (1..=10_001)
        .map(|which| {
            format!("filled {which} buy 1 PETR4 @ 1.00 traded 1; execution X{which} {which} buy 1 PETR4 @ 1.00")
        })
        .collect();
    let (statement, question) = stated(&format!("{}; holds 10001 PETR4", all.join(";")), &mut stage);
    assert_eq!(told(&plan(stage.book(), &statement, &question)), Vec::<String>::new());
    let (statement, question) = stated(
        "open 1 buy 1 PETR4 @ 1.00 traded 0; execution Y1 1 buy 1 PETR4 @ 1.00; holds 10001 PETR4; accepted PETR4",
        &mut stage,
    );
    let found = told(&plan(stage.book(), &statement, &question));
    assert!(is(&found[0], "break PETR4 is open at the broker, ended and forgotten here"), "{}", found[0]);
    assert!(is(&found[1], "break PETR4 Y1 of TEST-20250612-000001, which ended and is forgotten"), "{}", found[1]);
}

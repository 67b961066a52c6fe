//! What lines mean to an account, and which ones are not believed.

use brokers::bridge::translation::{Heard, Translation};
use market::{InstrumentId, OrderReference, Quantity};
use proptest::prelude::*;

use crate::counterpart::{id, universe};

fn translation() -> Translation {
    Translation::new("PAPR", universe())
}

fn hear(line: &str) -> Heard {
    translation().hear(line.as_bytes())
}

fn report(rest: &str) -> String {
    let head = r#""message":"report","at":"2026-11-26T17:00:00Z","client_order_id":"PAPR-20261126-000001""#;
    format!("{{{head},{rest}}}")
}

const ORDER: &str = r#"{"order":"PAPR-20261126-000001","symbol":"PETR4","side":"buy","quantity":200,"limit_price":"38.11","cumulative":100,"status":"open"}"#;
const EXECUTION: &str = r#"{"execution_id":"X3","order":"PAPR-20261126-000001","symbol":"PETR4","side":"buy","price":"38.09","quantity":100,"at":"2026-11-26T17:00:00Z"}"#;

fn statement(orders: &[String], executions: &[String], revoked: &str, positions: &str) -> String {
    format!(
        r#"{{"message":"statement","request":7,"at":"2026-11-26T17:00:00Z","since":"2026-11-26T03:00:00Z","orders":[{}],"executions":[{}],"revoked":[{revoked}],"positions":[{positions}]}}"#,
        orders.join(","),
        executions.join(","),
    )
}

#[test]
fn what_contradicts_itself_is_told() {
    let fill = r#""symbol":"PETR4","kind":"fill","execution_id":"X1","price":"38.10","quantity":100"#;
    assert!(matches!(hear(&report(fill)), Heard::Report(_)));
    let corrected =
        r#""symbol":"PETR4","kind":"corrected","execution_id":"X2","reference":"X1","price":"38.10","quantity":100"#;
    assert!(matches!(hear(&report(corrected)), Heard::Report(_)));
    let replaced = r#""symbol":"PETR4","kind":"replaced","quantity":100,"limit_price":null"#;
    assert!(matches!(hear(&report(replaced)), Heard::Report(_)));
    let (order, execution) = (ORDER.to_owned(), EXECUTION.to_owned());
    let external = format!(r#"{{"message":"external","execution":{EXECUTION}}}"#);
    for (line, words) in [
        (report(&fill.replace("38.10", "0")), "100 units traded at 0.00"),
        (report(&fill.replace("38.10", "-1")), "both must be positive"),
        (report(&fill.replace("100", "0")), "both must be positive"),
        (report(&fill.replace("X1", "")), "an execution's name has 0 bytes"),
        (report(&fill.replace("X1", &"X".repeat(65))), "an execution's name has 65 bytes"),
        (report(&fill.replace("PETR4", "ITUB4")), "ITUB4 is not configured"),
        (report(fill).replace("PAPR-", "OTHR-"), "is not of account PAPR"),
        (report(&corrected.replace("X2", "X1")), "takes its own place"),
        (report(&corrected.replace("100", "-100")), "both must be positive"),
        (report(&replaced.replace("100", "0")), "not positive"),
        (report(&replaced.replace("null", "\"0\"")), "not positive"),
        (external, "which is an order of this account"),
        (statement(&[order.clone(), order.clone()], &[], "", ""), "order PAPR-20261126-000001 is stated twice"),
        (statement(&[], &[execution.clone(), execution.clone()], "", ""), "execution X3 is stated twice"),
        (statement(&[], std::slice::from_ref(&execution), "\"X3\"", ""), "execution X3 is stated twice"),
        (statement(&[], &[], "\"\"", ""), "an execution's name has 0 bytes"),
        (
            statement(&[], &[], "", r#"{"symbol":"PETR4","quantity":1},{"symbol":"PETR4","quantity":2}"#),
            "position PETR4 is stated twice",
        ),
        (statement(&[], &[], "", "").replace("T03", "T23"), "complete only since"),
        (statement(&[order.replace(":100", ":201")], &[], "", ""), "201 of 200 units"),
        (statement(&[order.replace(":100", ":-1")], &[], "", ""), "-1 of 200 units"),
        (statement(&[order.replace(":200", ":0")], &[], "", ""), "100 of 0 units"),
        (statement(&[order.replace("PETR4", "ITUB4")], &[], "", ""), "ITUB4 is not configured"),
        (statement(&[], &[execution.replace("PETR4", "ITUB4")], "", ""), "ITUB4 is not configured"),
        (statement(&[order.replace("PAPR-20261126-000001", "")], &[], "", ""), "an order's name has 0 bytes"),
    ] {
        match hear(&line) {
            Heard::Unreadable { problem, .. } => assert!(problem.contains(words), "'{words}' is not in '{problem}'"),
            other => panic!("{other:?} of {line}"),
        }
    }
}

#[test]
fn an_order_is_ours_by_the_tag_in_its_name() {
    let orders: Vec<String> = [
        ("PAPR-20261126-000001", "PETR4"),
        ("OTHR-20261126-000001", "PETR4"),
        ("PAPR-20261326-000001", "VALE3"),
        ("by hand", "VALE3"),
        ("by hand elsewhere", "ITUB4"),
    ]
    .into_iter()
    .map(|(name, symbol)| ORDER.replace("PAPR-20261126-000001", name).replace("PETR4", symbol))
    .collect();
    let executions = [EXECUTION.to_owned(), EXECUTION.replace("X3", "X4").replace("PAPR-20261126-000001", "by hand")];
    let positions = r#"{"symbol":"VALE3","quantity":100},{"symbol":"ITUB4","quantity":-5}"#;
    let heard = hear(&statement(&orders, &executions, "\"X1\",\"X2\"", positions));
    let Heard::Statement { request: 7, statement } = heard else { panic!("{heard:?}") };
    let external = |name: &str| OrderReference::External(name.to_owned());
    let references: Vec<_> = statement.orders.iter().map(|order| order.reference.clone()).collect();
    assert_eq!(
        references,
        [
            OrderReference::Own(id(1)),
            external("OTHR-20261126-000001"),
            external("PAPR-20261326-000001"),
            external("by hand")
        ]
    );
    assert_eq!(statement.executions.len(), 2);
    assert_eq!(statement.executions[1].reference, external("by hand"));
    assert_eq!(statement.revoked.len(), 2);
    assert_eq!(statement.positions, [(InstrumentId::new(1), Quantity::new(100))]);
    assert_eq!(statement.elsewhere, [("ITUB4".parse().unwrap(), Quantity::new(-5))]);
}

proptest! {
    #[test]
    fn no_bytes_panic(line in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = translation().hear(&line);
    }

    #[test]
    fn no_damage_to_a_statement_panics(at in any::<prop::sample::Index>(), bytes in proptest::collection::vec(any::<u8>(), 0..4)) {
        let whole = statement(&[ORDER.to_owned()], &[EXECUTION.to_owned()], "\"X1\"", r#"{"symbol":"PETR4","quantity":100}"#);
        let mut line = whole.into_bytes();
        let at = at.index(line.len());
        let end = (at + bytes.len()).min(line.len());
        line.splice(at..end, bytes);
        let _ = translation().hear(&line);
    }
}

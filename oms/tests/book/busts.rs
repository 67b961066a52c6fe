//! F10: executions that a broker takes back or puts right, before and after they have arrived.

use market::fees::Brokerage;
use market::{
    ExecutionId, ExecutionReport, FeeSchedule, InstrumentId, Money, NewOrder, OrderType, Price, Quantity, ReportKind,
    Side, StrategyId, TimeInForce, Timestamp,
};
use proptest::prelude::*;

use crate::order_of_reports::permutations;
use crate::scenario::{book, id, money, play};

#[test]
fn a_bust_gives_back_what_the_fill_did() {
    play(
        "
        brokerage 4.90 iss 0.05
        session   2025-06-12
        order     1 buy 300 PETR4 limit 10.00
        report    1 fill 100 @ 9.99 as X1                 -> working
        report    1 fill 100 @ 10.00 as X2                -> working
        expect    account cash 7995.2553 fees 5.7447 reserved 1000.30
        report    1 bust X2 as B1                         -> working, X2 taken back by B1: undone
        expect    PETR4 position 100 average 9.995 realized 0.50 buys 200 working 200
        expect    1 status partially_filled filled 100 left 200 average 9.99
        expect    account cash 8995.5553 fees 5.4447 reserved 2000.60
        report    1 bust X1 as B2                         -> working, X1 taken back by B2: undone
        expect    1 status new filled 0 left 300          # brokerage is due again when it trades again
        expect    account cash 10000.00 fees 0.00 reserved 3006.045 2025-06-16 10000.00
        expect    PETR4 position 0 fees 0.00 realized 0.00
        report    1 fill 300 @ 10.00 as X3                -> filled
        expect    account fees 6.045
        ",
    );
}

#[test]
fn a_bust_never_revives_an_ended_order() {
    play(
        "
        fees      free
        order     1 buy 100 PETR4 limit 10.00
        report    1 fill 100 @ 10.00 as X1                -> filled
        report    1 bust X1 as B1                         -> filled, X1 taken back by B1: undone
        expect    1 status filled filled 0 left 0
        expect    PETR4 position 0 buys 0
        order     2 buy 200 PETR4 limit 10.00
        report    2 fill 100 @ 10.00 as X2                -> working
        report    2 canceled                              -> canceled
        report    2 bust X2 as B2                         -> canceled, X2 taken back by B2: undone
        expect    account cash 10000.00 reserved 0.00 open 0
        ",
    );
}

#[test]
fn a_bust_that_overtakes_its_fill_waits_for_it() {
    play(
        "
        session   2025-06-12
        order     1 buy 300 PETR4 limit 10.00
        report    1 bust X1 as B1                         -> pending_new, X1 taken back by B1: nothing to undo
        report    1 new                                   -> working
        report    1 fill 100 @ 10.00 as X1                -> working, X1 taken back by B1: nothing to undo
        report    1 fill 100 @ 10.00 as X1  -> refused: execution X1 of TEST-20250612-000001 was applied before
        report    1 bust X1 as B1           -> refused: execution B1 of TEST-20250612-000001 was applied before
        expect    1 filled 0 left 300
        expect    account cash 10000.00 fees 0.00
        ",
    );
}

/// What is said of an execution proves that the broker has the order, whether or not it counts.
#[test]
fn a_bust_acknowledges_the_order() {
    for said in ["bust X1 as B1", "corrected X1 100 @ 9.00 as C1"] {
        let script = format!(
            "
            session   2025-06-12
            order     1 buy 300 PETR4 limit 10.00
            report    1 {said}  -> {}, X1 taken back by {}: nothing to undo
            cancel    1                                   -> pending_cancel
            report    1 cancel_rejected                   -> working
            ",
            if said.starts_with("bust") { "pending_new" } else { "working" },
            if said.starts_with("bust") { "B1" } else { "C1" },
        );
        play(&script);
    }
}

#[test]
fn a_correction_puts_another_execution_in_its_place() {
    play(
        "
        session   2025-06-12
        order     1 buy 300 PETR4 limit 10.00
        report    1 fill 100 @ 10.00 as X1                -> working
        report    1 corrected X1 200 @ 9.00 as C1         -> working, X1 taken back by C1: undone
        expect    1 filled 200 left 100 average 9.00
        expect    PETR4 position 200 average 9.00 fees 0.54
        expect    account cash 8199.46
        report    1 corrected C1 300 @ 9.00 as C2         -> filled, C1 taken back by C2: undone
        expect    PETR4 position 300 buys 0
        report    1 corrected C2 250 @ 9.00 as C3         -> filled, C2 taken back by C3: undone
        report    1 bust C3 as B1                         -> filled, C3 taken back by B1: undone
        expect    PETR4 position 0
        expect    account cash 10000.00 fees 0.00
        ",
    );
}

#[test]
fn a_chain_of_corrections_that_arrives_backwards_ends_the_same() {
    play(
        "
        fees      free
        order     1 buy 300 PETR4 limit 10.00
        report    1 bust C2 as B1                         -> pending_new, C2 taken back by B1: nothing to undo
        report    1 corrected C1 100 @ 9.00 as C2         -> pending_new, C1 taken back by C2: nothing to undo
        report    1 corrected X1 200 @ 9.00 as C1         -> pending_new, X1 taken back by C1: nothing to undo
        report    1 fill 300 @ 10.00 as X1                -> pending_new, X1 taken back by C1: nothing to undo
        expect    1 filled 0 left 300
        expect    account cash 10000.00
        ",
    );
}

#[test]
fn what_cannot_be_taken_back_is_refused_with_its_reason() {
    play(
        "
        fees      free
        order     1 buy 300 PETR4 limit 10.00
        order     2 buy 300 PETR4 limit 10.00
        order     3 buy 300 PETR4 limit 10.00
        report    1 fill 100 @ 10.00 as X1                -> working
        report    2 bust X1 as B1  -> refused: X1 of TEST-20250612-000002 cannot be taken back: it is of TEST-20250612-000001
        report    1 bust X1 as X1  -> refused: execution X1 of TEST-20250612-000001 was applied before
        report    1 bust B1 as B1  -> refused: B1 of TEST-20250612-000001 cannot be taken back: a report cannot take itself back
        report    1 corrected X1 400 @ 9.00 as C1  -> refused: fill of 400 at 9.00 does not fit TEST-20250612-000001, which has 300 left
        report    1 corrected X1 0 @ 9.00 as C1    -> refused: fill of 0 at 9.00 does not fit TEST-20250612-000001, which has 300 left
        report    1 bust X1 as B1                         -> working, X1 taken back by B1: undone
        report    1 bust X1 as B2  -> refused: X1 of TEST-20250612-000001 cannot be taken back: B1 took it back before
        report    1 corrected X1 50 @ 9.00 as B2  -> refused: X1 of TEST-20250612-000001 cannot be taken back: B1 took it back before
        report    1 bust B1 as B2  -> refused: B1 of TEST-20250612-000001 cannot be taken back: it is itself the report of a bust
        report    3 rejected
        report    3 bust X9 as B3  -> refused: 'bust' has no place for TEST-20250612-000003, which is rejected
        report    9 bust X9 as B3  -> refused: report for TEST-20250612-000009, which is not an order of this account
        ",
    );
}

#[test]
fn a_bust_takes_its_units_out_of_the_days_round_trips() {
    play(
        "
        session   2025-06-12
        order     1 buy 300 PETR4 limit 11.00
        report    1 fill 200 @ 11.00 as X1
        order     2 sell 200 PETR4 limit 12.00
        report    2 fill 200 @ 12.00 as X2                -> filled
        close     -> refund 0.322
        report    2 bust X2 as B1                         -> filled, X2 taken back by B1: undone
        close     -> refund -0.322
        expect    account fees 0.66 cash 7799.34 2025-06-16 7799.34
        session   2025-06-16
        expect    account settled 7799.34
        report    1 bust X1 as B2                         -> working, X1 taken back by B2: undone
        expect    account settled 7799.34 cash 10000.00 fees 0.00
        session   2025-06-17
        expect    account settled 10000.00
        ",
    );
}

#[test]
fn units_that_a_bust_has_freed_can_trade_again_even_when_the_order_has_ended() {
    play(
        "
        fees      free
        order     1 buy 300 PETR4 limit 10.00
        report    1 fill 100 @ 10.00 as X1                -> working
        report    1 fill 200 @ 10.00 as X2                -> filled
        report    1 bust X1 as B1                         -> filled, X1 taken back by B1: undone
        report    1 fill 100 @ 10.00 as X3                -> filled late
        expect    PETR4 position 300
        expect    1 filled 300
        ",
    );
}

/// What must not depend on the order in which the reports arrive.
type End = (Quantity, Money, Money, Money, Quantity);

/// Plays reports on an order of 1,000, some of them twice, by the bits of `again`.
fn played(side: Side, reports: &[ReportKind], again: u32) -> End {
    let brokerage = Brokerage { per_order: money("4.90"), iss: "0.05".parse().expect("a rate") };
    let mut book = book("100000", FeeSchedule::b3(), brokerage);
    let (instrument, at) = (InstrumentId::new(0), "2025-06-12T14:00:00Z".parse::<Timestamp>().expect("a time"));
    let price = Price::from_cents(1_000).expect("a price");
    book.mark(instrument, price);
    let order = NewOrder {
        client_order_id: id(1),
        strategy: StrategyId(0),
        instrument,
        side,
        quantity: Quantity::new(1_000),
        order_type: OrderType::Limit { limit_price: price },
        time_in_force: TimeInForce::Day,
        decided_at: at,
        parent: None,
    };
    book.enter(order, price);
    let mut told: Vec<&ReportKind> = reports.iter().collect();
    for bit in (0..reports.len()).filter(|bit| again >> bit & 1 == 1) {
        told.insert((again >> 8) as usize % (told.len() + 1), &reports[bit]);
    }
    for kind in told {
        // Whether it is taken depends on the order; the end does not.
        let _ = book.apply(&ExecutionReport { at, client_order_id: id(1), instrument, kind: kind.clone() });
        book.verify().expect("a sound book");
    }
    let position = book.position(instrument);
    let result = position.realized + position.unrealized(price);
    assert_eq!(money("100000") + result - book.fees(), book.equity());
    let cumulative = book.order(&id(1)).expect("the order").cumulative;
    (position.quantity, book.cash().total(), book.fees(), book.equity(), cumulative)
}

/// A history in the order in which it happened: at most six reports, in all of which no more than
/// the order's quantity ever trades.
fn history() -> impl Strategy<Value = Vec<ReportKind>> {
    let trade = || (1_i64..250, 900_i64..1_000);
    (prop::collection::vec(trade(), 2..=3), trade(), any::<u8>(), any::<bool>()).prop_map(
        |(trades, (units, cents), which, canceled)| {
            let name = |text: String| ExecutionId::new(&text);
            let price = |cents| Price::from_cents(cents).expect("a price");
            let mut reports = vec![ReportKind::New];
            reports.extend(trades.iter().enumerate().map(|(place, (units, cents))| ReportKind::Fill {
                execution_id: name(format!("X{place}")),
                price: price(*cents),
                quantity: Quantity::new(*units),
            }));
            reports.push(ReportKind::Corrected {
                execution_id: name("C".to_owned()),
                reference: name("X0".to_owned()),
                price: price(cents),
                quantity: Quantity::new(units),
            });
            // Of the correction, of another fill, or the second of two corrections.
            let (execution_id, reference) =
                (name("B".to_owned()), name(["C", "X1", "C"][which as usize % 3].to_owned()));
            reports.push(if which % 3 == 2 {
                ReportKind::Corrected { execution_id, reference, price: price(cents), quantity: Quantity::new(1) }
            } else {
                ReportKind::Bust { execution_id, reference }
            });
            let reason = String::new();
            reports.push(if canceled { ReportKind::Canceled { reason } } else { ReportKind::Expired });
            if reports.len() > 6 {
                reports.remove(0);
            }
            reports
        },
    )
}

proptest! {
    // Each case is 720 orders of arrival.
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_arrival_leads_to_the_same_account(reports in history(), buy in any::<bool>(), seed in any::<u32>()) {
        let side = if buy { Side::Buy } else { Side::Sell };
        let expected = played(side, &reports, 0);
        for (number, order) in permutations(&reports).into_iter().enumerate() {
            let again = seed.wrapping_mul(2 * number as u32 + 1);
            prop_assert_eq!(played(side, &order, again), expected, "{:?} doubled by {:b}", order, again);
        }
    }
}

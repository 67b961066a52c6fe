//! What a broker may answer to orders, cancels and replaces, in every state that they meet.

use crate::scenario::play;

#[test]
fn a_replace_upwards_counts_at_once_and_the_larger_of_both_until_it_is_answered() {
    play(
        "
        fees      free
        order     1 buy 300 PETR4 limit 10.00
        report    1 new
        report    1 fill 100 @ 10.00 as X1                -> working
        replace   1 500 @ 11.00                           -> pending_replace
        expect    1 quantity 300 left 200 worst 400 price 10.00
        expect    PETR4 buys 400 working 200
        expect    account reserved 4400.00                # all 400 at 11.00 is worse than 200 at 10.00
        report    1 replaced 500 11.00                    -> working
        expect    1 quantity 500 left 400 worst 400 price 11.00
        expect    account reserved 4400.00
        report    1 fill 400 @ 11.00 as X2                -> filled
        expect    account reserved 0.00 cash 4600.00
        ",
    );
}

#[test]
fn a_cheaper_larger_replace_counts_the_old_terms_first_and_the_rest_at_the_new() {
    play(
        "
        fees      free
        order     1 buy 100 PETR4 limit 10.00
        report    1 new
        replace   1 300 @ 5.00                            -> pending_replace
        expect    account reserved 2000.00                # 100 at 10.00 may trade before it, 200 at 5.00 after
        report    1 fill 100 @ 10.00 as X1                -> pending_replace
        expect    1 filled 100 left 0 worst 200
        expect    account reserved 1000.00 cash 9000.00
        report    1 replaced 300 5.00                     -> working
        expect    account reserved 1000.00
        ",
    );
}

#[test]
fn a_replace_downwards_frees_cash_only_when_it_is_confirmed() {
    play(
        "
        fees      free
        order     1 buy 300 PETR4 limit 10.00
        report    1 new
        replace   1 100 @ 10.00                           -> pending_replace
        expect    account reserved 3000.00
        report    1 replaced 100 10.00                    -> working
        expect    account reserved 1000.00
        expect    1 quantity 100 left 100
        ",
    );
}

#[test]
fn a_replace_down_to_what_has_traded_ends_the_order() {
    play(
        "
        fees      free
        order     1 buy 300 PETR4 limit 10.00
        report    1 fill 100 @ 10.00 as X1
        replace   1 100 @ 10.00
        report    1 replaced 100 10.00                    -> filled
        expect    PETR4 buys 0 position 100
        report    1 replaced 50  -> refused: replace of TEST-20250612-000001 to 50 is below the 100 that have traded
        ",
    );
}

#[test]
fn a_rejected_replace_leaves_the_order_as_it_was() {
    play(
        "
        fees      free
        order     1 buy 300 PETR4 limit 10.00
        report    1 new
        replace   1 500 @ 11.00
        report    1 replace_rejected                      -> working
        expect    1 quantity 300 worst 300 price 10.00
        expect    account reserved 3000.00
        replace   1 400 @ 10.00                           -> pending_replace
        ",
    );
}

#[test]
fn a_second_replace_waits_for_the_answer_to_the_first() {
    play(
        "
        order     1 buy 300 PETR4 limit 10.00
        replace   1 500 @ 11.00  -> refused: 'replace request' has no place for TEST-20250612-000001, which is pending_new
        report    1 new
        replace   1 500 @ 11.00
        replace   1 600 @ 11.00  -> refused: 'replace request' has no place for TEST-20250612-000001, which is pending_replace
        cancel    1                                       -> pending_cancel
        report    1 cancel_rejected                       -> working
        replace   1 600 @ 11.00  -> refused: 'replace request' has no place for TEST-20250612-000001, which is working
        report    1 replace_rejected                      -> working
        replace   1 600 @ 11.00                           -> pending_replace
        ",
    );
}

#[test]
fn impossible_replaces_are_refused() {
    play(
        "
        order     1 buy 300 PETR4 limit 10.00
        report    1 fill 200 @ 10.00 as X1                -> working
        report    1 replaced 100  -> refused: replace of TEST-20250612-000001 to 100 is below the 200 that have traded
        report    1 replaced 0    -> refused: replace of TEST-20250612-000001 to 0 is below the 200 that have traded
        report    1 replaced 300 0       -> refused: replace of TEST-20250612-000001 to price 0.00, which is not positive
        report    1 replaced 300 -10.00  -> refused: replace of TEST-20250612-000001 to price -10.00, which is not positive
        report    1 replaced 300 9.00                     -> working
        expect    1 price 9.00                            # the exchange may restate an order on its own account
        ",
    );
}

#[test]
fn an_order_without_a_limit_keeps_what_the_review_of_its_replace_reckoned_with() {
    play(
        "
        fees      free
        order     1 buy 100 PETR4 market worst 10.30
        report    1 new
        replace   1 200 worst 12.36
        expect    account reserved 2472.00
        report    1 replaced 200                          -> working
        expect    account reserved 2472.00
        expect    1 price 12.36
        ",
    );
}

#[test]
fn a_cancel_and_its_answers() {
    play(
        "
        fees      free
        order     1 buy 300 PETR4 limit 10.00
        cancel    1                                       -> pending_cancel
        cancel    1                                       -> pending_cancel
        report    1 new                                   -> pending_cancel
        expect    account reserved 3000.00
        report    1 fill 100 @ 10.00 as X1                -> pending_cancel
        report    1 cancel_rejected                       -> working
        report    1 cancel_rejected                       -> working
        cancel    1                                       -> pending_cancel
        report    1 canceled                              -> canceled
        expect    account reserved 0.00
        expect    PETR4 position 100 buys 0 working 0
        report    1 cancel_rejected                       -> canceled
        cancel    1  -> refused: 'cancel request' has no place for TEST-20250612-000001, which is canceled
        cancel    2  -> refused: report for TEST-20250612-000002, which is not an order of this account
        ",
    );
}

#[test]
fn a_cancel_that_overtakes_a_replace_loses_no_fill() {
    play(
        "
        fees      free
        order     1 buy 100 PETR4 limit 10.00
        report    1 new
        replace   1 300 @ 10.00                           -> pending_replace
        cancel    1                                       -> pending_cancel
        report    1 replaced 300 10.00                    -> pending_cancel
        report    1 fill 100 @ 10.00 as X1                -> pending_cancel
        report    1 fill 100 @ 10.00 as X2                -> pending_cancel
        expect    account reserved 1000.00
        report    1 canceled                              -> canceled
        expect    PETR4 position 200
        expect    account reserved 0.00
        ",
    );
}

#[test]
fn a_fill_after_a_cancel_is_applied_and_flagged() {
    for end in ["canceled", "expired"] {
        play(&format!(
            "
            fees      free
            order     1 buy 300 PETR4 limit 10.00
            report    1 new
            report    1 {end}                                  -> {end}
            report    1 fill 100 @ 10.00 as X1                 -> {end} late
            expect    PETR4 position 100 buys 0 working 0
            expect    account cash 9000.00 reserved 0.00
            report    1 fill 300 @ 10.00 as X2  -> refused: fill of 300 at 10.00 does not fit TEST-20250612-000001, which has 200 left
            report    1 fill 200 @ 10.00 as X2                 -> {end} late
            report    1 fill 1 @ 10.00 as X3    -> refused: fill of 1 at 10.00 does not fit TEST-20250612-000001, which has 0 left
            "
        ));
    }
}

#[test]
fn what_does_not_fit_is_refused_with_its_reason() {
    play(
        "
        order     1 buy 300 PETR4 limit 10.00
        order     2 buy 100 PETR4 limit 10.00
        report    9 new                     -> refused: report for TEST-20250612-000009, which is not an order of this account
        report    1 new of VALE3            -> refused: report for TEST-20250612-000001 names another instrument than the order
        cancel    1 of VALE3                -> refused: report for TEST-20250612-000001 names another instrument than the order
        report    1 fill 100 @ 10.00 as X1                -> working
        report    1 fill 100 @ 10.00 as X1  -> refused: execution X1 of TEST-20250612-000001 was applied before
        report    2 fill 100 @ 10.00 as X1  -> refused: execution X1 of TEST-20250612-000002 was applied before
        report    1 fill 201 @ 10.00 as X2  -> refused: fill of 201 at 10.00 does not fit TEST-20250612-000001, which has 200 left
        report    1 fill 0 @ 10.00 as X2    -> refused: fill of 0 at 10.00 does not fit TEST-20250612-000001, which has 200 left
        report    1 fill -5 @ 10.00 as X2   -> refused: fill of -5 at 10.00 does not fit TEST-20250612-000001, which has 200 left
        report    1 fill 100 @ 0 as X2      -> refused: fill of 100 at 0.00 does not fit TEST-20250612-000001, which has 200 left
        report    1 rejected                -> refused: 'rejected' has no place for TEST-20250612-000001, which is working
        report    1 fill 200 @ 10.00 as X2                -> filled
        report    1 canceled                -> refused: 'canceled' has no place for TEST-20250612-000001, which is filled
        lost      1                         -> refused: 'outcome unknown' has no place for TEST-20250612-000001, which is filled
        lost      9                         -> refused: report for TEST-20250612-000009, which is not an order of this account
        report    2 rejected                              -> rejected
        report    2 fill 100 @ 10.00 as X3  -> refused: 'fill' has no place for TEST-20250612-000002, which is rejected
        ",
    );
}

#[test]
fn an_unknown_outcome_freezes_the_instrument_until_the_brokers_word() {
    for (word, status, frees) in [
        ("new", "working", "0.00"),
        ("fill 100 @ 10.00 as X1", "working", "1000.00"),
        ("fill 300 @ 10.00 as X1", "filled", "3000.00"),
        ("canceled", "canceled", "3000.00"),
        ("rejected", "rejected", "3000.00"),
        ("expired", "expired", "3000.00"),
        ("replaced 200 10.00", "working", "1000.00"),
    ] {
        let reserved = money(3000) - frees.parse().unwrap();
        play(&format!(
            "
            fees      free
            order     1 buy 300 PETR4 limit 10.00
            lost      1                                   -> unknown
            lost      1                                   -> unknown
            cancel    1                                   -> unknown
            expect    PETR4 frozen true buys 300
            expect    VALE3 frozen false
            expect    account reserved 3000.00
            report    1 {word}                            -> {status}
            expect    PETR4 frozen false
            expect    account reserved {reserved}
            "
        ));
    }
}

/// The broker refuses to cancel what it never received, too. Found by the simulation: an order that had got
/// lost counted as working once its cancel was refused, and no statement could end it any more.
#[test]
fn a_refused_cancel_says_nothing_of_an_order_that_was_never_acknowledged() {
    play(
        "
        order     1 buy 300 PETR4 limit 10.00
        lost      1                                       -> unknown
        cancel    1                                       -> unknown
        report    1 cancel_rejected                       -> unknown
        report    1 replace_rejected                      -> unknown
        expect    PETR4 frozen true buys 300
        report    1 rejected                              -> rejected
        expect    PETR4 frozen false buys 0
        order     2 buy 300 PETR4 limit 10.00
        cancel    2                                       -> pending_cancel
        report    2 cancel_rejected                       -> pending_new
        report    2 rejected                              -> rejected
        order     3 buy 300 PETR4 limit 10.00
        report    3 new                                   -> working
        lost      3                                       -> unknown
        cancel    3                                       -> unknown
        report    3 cancel_rejected                       -> working
        expect    PETR4 frozen false
        ",
    );
}

fn money(reais: i64) -> market::Money {
    market::Money::from_cents(reais * 100)
}

#[test]
fn two_unknown_orders_freeze_until_both_are_known() {
    play(
        "
        order     1 buy 100 PETR4 limit 10.00
        order     2 buy 100 PETR4 limit 10.00
        lost      1
        lost      2
        report    1 new                                   -> working
        expect    PETR4 frozen true
        report    2 rejected                              -> rejected
        expect    PETR4 frozen false
        ",
    );
}

#[test]
fn a_replace_of_unknown_outcome_counts_at_its_worst_until_it_is_answered() {
    play(
        "
        fees      free
        order     1 buy 100 PETR4 limit 10.00
        report    1 new
        replace   1 300 @ 11.00
        lost      1                                       -> unknown
        expect    account reserved 3300.00
        report    1 new                                   -> working
        expect    1 worst 300                             # that the order is there does not tell on which terms
        expect    account reserved 3300.00
        report    1 replace_rejected                      -> working
        expect    account reserved 1000.00
        ",
    );
}

use market::history::CorporateActionKind as Kind;
use market::{Calendar, Price};
use proptest::prelude::*;
use rust_decimal::prelude::ToPrimitive;

use super::*;
use crate::synthetic::{action, bar_of_steps, bar_on, day, sessions};

const TOTAL: Options = Options::of(Adjusted::TotalReturn);

fn series(closes: &[&str]) -> Vec<HistoryBar> {
    sessions(closes.len()).iter().zip(closes).map(|(date, close)| bar_on("PETR4", *date, close)).collect()
}

/// The adjusted closes, the problems by name, whether each was applied all the same.
fn outcome(
    bars: &[HistoryBar],
    actions: &[CorporateAction],
    options: &Options,
) -> (Vec<String>, Vec<(&'static str, bool)>) {
    let series = adjust(bars, actions, &Calendar::b3(), options).unwrap();
    let closes = series.bars.iter().map(|bar| bar.close.to_string()).collect();
    (closes, series.problems.iter().map(|problem| (problem.kind.name(), problem.applied)).collect())
}

#[test]
fn each_kind_of_action_has_its_factor() {
    // 2024-01-02, 03, 04: the action's last cum session is the second.
    let cum = day(2024, 1, 3);
    let net = Options { interest_on_equity_tax: NET_OF_15_PERCENT, ..TOTAL };
    let at_ex = Options { reinvestment: Reinvestment::AtExClose, ..TOTAL };
    let splits = Options::of(Adjusted::Splits);
    let none = Options::of(Adjusted::None);
    for (name, closes, actions, options, expected) in [
        ("split", ["20", "20", "10"], vec![action(Kind::Split, cum, "0", "2")], TOTAL, ["10.00", "10.00", "10.00"]),
        (
            "reverse split",
            ["1", "1", "10"],
            vec![action(Kind::ReverseSplit, cum, "0", "0.1")],
            TOTAL,
            ["10.00", "10.00", "10.00"],
        ),
        (
            "a third",
            ["1", "1", "3"],
            vec![action(Kind::ReverseSplit, cum, "0", "0.3333333333333333")],
            TOTAL,
            ["3.00", "3.00", "3.00"],
        ),
        ("bonus", ["11", "22", "20"], vec![action(Kind::Bonus, cum, "0", "1.1")], splits, ["10.00", "20.00", "20.00"]),
        (
            "dividend",
            ["10", "20", "19"],
            vec![action(Kind::Dividend, cum, "1", "1")],
            TOTAL,
            ["9.50", "19.00", "19.00"],
        ),
        (
            "interest gross",
            ["10", "20", "19"],
            vec![action(Kind::InterestOnEquity, cum, "1", "1")],
            TOTAL,
            ["9.50", "19.00", "19.00"],
        ),
        (
            "interest net",
            ["10", "20", "19"],
            vec![action(Kind::InterestOnEquity, cum, "1", "1")],
            net,
            ["9.575", "19.15", "19.00"],
        ),
        (
            "a dividend has no tax",
            ["10", "20", "19"],
            vec![action(Kind::Dividend, cum, "1", "1")],
            net,
            ["9.50", "19.00", "19.00"],
        ),
        (
            "at the ex close",
            ["10", "20", "19"],
            vec![action(Kind::Dividend, cum, "1", "1")],
            at_ex,
            ["9.50", "19.00", "19.00"],
        ),
        (
            "at the ex close of new units",
            ["10", "20", "9.5"],
            vec![action(Kind::Dividend, cum, "1", "1"), action(Kind::Split, cum, "0", "2")],
            at_ex,
            ["4.75", "9.50", "9.50"],
        ),
        (
            "two dividends",
            ["10", "20", "18"],
            vec![action(Kind::Dividend, cum, "1", "1"), action(Kind::Income, cum, "1", "1")],
            TOTAL,
            ["9.00", "18.00", "18.00"],
        ),
        (
            "capital returned",
            ["10", "20", "15"],
            vec![action(Kind::CapitalReturn, cum, "5", "1")],
            TOTAL,
            ["7.50", "15.00", "15.00"],
        ),
        // One new unit at 8 for each: (20 + 8) ÷ 2 = 14.
        (
            "subscription",
            ["10", "20", "14"],
            vec![action(Kind::Subscription, cum, "8", "1")],
            TOTAL,
            ["7.00", "14.00", "14.00"],
        ),
        // Cash on old units, then the right, then the split: ((20 − 2) + 8) ÷ 2 ÷ 2 = 6.5.
        (
            "all of them",
            ["10", "20", "6.5"],
            vec![
                action(Kind::Split, cum, "0", "2"),
                action(Kind::Subscription, cum, "8", "1"),
                action(Kind::Dividend, cum, "2", "1"),
            ],
            TOTAL,
            ["3.25", "6.50", "6.50"],
        ),
        (
            "cash is nothing to the view of splits",
            ["10", "20", "19"],
            vec![action(Kind::Dividend, cum, "1", "1")],
            splits,
            ["10.00", "20.00", "19.00"],
        ),
        ("none", ["20", "20", "10"], vec![action(Kind::Split, cum, "0", "2")], none, ["20.00", "20.00", "10.00"]),
    ] {
        let (found, problems) = outcome(&series(&closes), &actions, &options);
        assert_eq!(found, expected, "{name}");
        assert_eq!(problems, [], "{name}");
    }
}

#[test]
fn what_is_odd_is_told_and_what_is_wrong_is_not_applied() {
    let closes = ["20", "20", "10"];
    let (first, cum, last) = (day(2024, 1, 2), day(2024, 1, 3), day(2024, 1, 4));
    let raw = ["20.00", "20.00", "10.00"];
    for (name, actions, expected, problems) in [
        ("ratio of zero", vec![action(Kind::Split, cum, "0", "0")], raw, vec![("ratio_not_positive", false)]),
        ("negative ratio", vec![action(Kind::Bonus, cum, "0", "-2")], raw, vec![("ratio_not_positive", false)]),
        ("no amount", vec![action(Kind::Dividend, cum, "0", "1")], raw, vec![("amount_not_positive", false)]),
        (
            "negative price of new units",
            vec![action(Kind::Subscription, cum, "-1", "1")],
            raw,
            vec![("amount_not_positive", false)],
        ),
        ("all of the price", vec![action(Kind::Dividend, cum, "20", "1")], raw, vec![("amount_takes_all", false)]),
        (
            "a right above the market",
            vec![action(Kind::Subscription, cum, "20", "1")],
            raw,
            vec![("right_without_value", false)],
        ),
        ("no rule", vec![action(Kind::Other, cum, "1", "1")], raw, vec![("no_rule", false)]),
        (
            "before the first bar",
            vec![action(Kind::Split, day(2023, 12, 28), "0", "2")],
            raw,
            vec![("before_the_series", false)],
        ),
        (
            "the last bar still has the right",
            vec![action(Kind::Split, last, "0", "2")],
            raw,
            vec![("after_the_series", false)],
        ),
        (
            "a ratio past holding",
            vec![action(Kind::Split, cum, "0", "0.0000000000000000000000000001")],
            ["0.00", "0.00", "10.00"],
            vec![("out_of_range", false), ("out_of_range", false)],
        ),
        ("the first bar", vec![action(Kind::Split, first, "0", "2")], ["10.00", "20.00", "10.00"], vec![]),
    ] {
        let (found, told) = outcome(&series(&closes), &actions, &TOTAL);
        assert_eq!((found, told), (expected.map(str::to_owned).to_vec(), problems), "{name}");
    }
}

#[test]
fn a_day_without_a_bar_takes_the_close_before_and_says_so() {
    let bars: Vec<HistoryBar> =
        [(2, "20"), (8, "10")].map(|(at, close)| bar_on("PETR4", day(2024, 1, at), close)).into();
    for (last_date_prior, problem) in [(day(2024, 1, 4), "no_bar_on_the_day"), (day(2024, 1, 6), "not_a_session")] {
        let (closes, told) = outcome(&bars, &[action(Kind::Dividend, last_date_prior, "10", "1")], &TOTAL);
        assert_eq!((closes, told), (vec!["10.00".to_owned(), "10.00".to_owned()], vec![(problem, true)]));
    }
}

#[test]
fn callers_mistakes_are_errors() {
    let bars = series(&["1", "2"]);
    let twice = [bars[0], bars[0]];
    let error = adjust(&twice, &[], &Calendar::b3(), &TOTAL).unwrap_err();
    assert!(error.to_string().contains("sort the bars"), "{error}");
    let mut other = action(Kind::Dividend, day(2024, 1, 2), "1", "1");
    let one = other.clone();
    other.source = market::history::SourceName::of("another");
    let error = adjust(&bars, &[one, other], &Calendar::b3(), &TOTAL).unwrap_err();
    assert!(error.to_string().contains("would count twice"), "{error}");
}

#[test]
fn a_factor_names_the_actions_that_made_it() {
    let cum = day(2024, 1, 3);
    let actions = [action(Kind::Dividend, cum, "2", "1"), action(Kind::Split, cum, "0", "2")];
    let series = adjust(&series(&["20", "20", "9"]), &actions, &Calendar::b3(), &TOTAL).unwrap();
    let [factor] = &series.factors[..] else { panic!("{:?}", series.factors) };
    assert_eq!((factor.cum_date, factor.ex_date, factor.cum_close), (cum, day(2024, 1, 4), "20".parse().unwrap()));
    assert_eq!((factor.units.to_string(), factor.cash.normalize().to_string()), ("2".to_owned(), "0.9".to_owned()));
    let mut made_by: Vec<Kind> = factor.actions.iter().map(|action| action.kind).collect();
    made_by.sort();
    assert_eq!(made_by, [Kind::Dividend, Kind::Split]);
    let volumes: Vec<i64> = series.bars.iter().map(|bar| bar.volume.units()).collect();
    assert_eq!(volumes, [2_000, 2_000, 1_000]);
}

proptest! {
    /// A series with a split put into it comes out as it was without, to the last digit.
    #[test]
    fn a_split_makes_no_return(
        closes in prop::collection::vec(1_i64..1_000_000, 2..40),
        at in any::<prop::sample::Index>(),
        numerator in 1_i64..60,
        denominator in 1_i64..60,
    ) {
        let days = sessions(closes.len());
        let cum = at.index(closes.len() - 1);
        // Steps that the ratio divides, so that what was put in is exact.
        let plain: Vec<i64> = closes.iter().map(|close| close * denominator * 10_000).collect();
        let split: Vec<HistoryBar> = plain.iter().zip(&days).enumerate().map(|(place, (steps, date))| {
            let steps = if place <= cum { steps / denominator * numerator } else { *steps };
            let mut bar = bar_of_steps("PETR4", *date, steps);
            bar.volume = Quantity::new(if place <= cum { 7 * denominator } else { 7 * numerator });
            bar
        }).collect();
        let ratio = Ratio::new(numerator.into(), denominator.into()).unwrap();
        let mut event = action(Kind::Split, days[cum], "0", "1");
        event.ratio = ratio.to_decimal().unwrap();
        for view in [Adjusted::Splits, Adjusted::TotalReturn] {
            let adjusted = adjust(&split, std::slice::from_ref(&event), &Calendar::b3(), &Options::of(view)).unwrap();
            prop_assert_eq!(&adjusted.problems, &[]);
            for (bar, steps) in adjusted.bars.iter().zip(&plain) {
                prop_assert_eq!(bar.close, Price::from_steps(*steps));
                prop_assert_eq!(bar.volume, Quantity::new(7 * numerator));
            }
        }
    }

    /// The return over an ex date is what each convention says.
    #[test]
    fn cash_makes_the_return_that_the_convention_says(cum in 100_i64..1_000_000, ex in 100_i64..1_000_000, amount in 1_i64..99) {
        let days = sessions(2);
        let cents = |cents: i64| cents * 1_000_000;
        let bars = [bar_of_steps("PETR4", days[0], cents(cum)), bar_of_steps("PETR4", days[1], cents(ex))];
        let event = action(Kind::Dividend, days[0], &Decimal::new(amount, 2).to_string(), "1");
        let (p, x, a) = (Decimal::from(cum), Decimal::from(ex), Decimal::from(amount));
        for (reinvestment, growth) in
            [(Reinvestment::AtCumClose, x / (p - a)), (Reinvestment::AtExClose, (x + a) / p)]
        {
            let options = Options { reinvestment, ..TOTAL };
            let series = adjust(&bars, std::slice::from_ref(&event), &Calendar::b3(), &options).unwrap();
            // The factor itself, before the price is rounded to 1e-8.
            let found = x / (p * series.bars[0].cash);
            prop_assert!((found / growth - Decimal::ONE).abs() < Decimal::new(1, 24), "{found} and {growth}");
            let rounded = series.bars[1].close.to_f64() / series.bars[0].close.to_f64();
            prop_assert!((rounded / growth.to_f64().unwrap() - 1.0).abs() < 1e-6);
        }
    }

    /// The order in which a source tells its actions changes nothing.
    #[test]
    fn the_order_of_actions_is_of_no_account(seed in prop::collection::vec((0_usize..10, 0_usize..7, 1_i64..50), 1..12)) {
        let days = sessions(10);
        let bars: Vec<HistoryBar> = days.iter().map(|date| bar_on("PETR4", *date, "100")).collect();
        let kinds = [Kind::Dividend, Kind::InterestOnEquity, Kind::Split, Kind::Bonus, Kind::ReverseSplit, Kind::Subscription, Kind::Other];
        let mut actions: Vec<CorporateAction> = seed.iter().map(|(at, kind, figure)| {
            action(kinds[*kind], days[*at], &Decimal::new(*figure, 1).to_string(), &Decimal::new(*figure, 1).to_string())
        }).collect();
        let forwards = adjust(&bars, &actions, &Calendar::b3(), &TOTAL).unwrap();
        actions.reverse();
        let backwards = adjust(&bars, &actions, &Calendar::b3(), &TOTAL).unwrap();
        prop_assert_eq!(&forwards.bars, &backwards.bars);
        // Nothing is skipped: each action made a factor or is told.
        let applied: usize = forwards.factors.iter().map(|factor| factor.actions.len()).sum();
        let refused = forwards.problems.iter().filter(|problem| !problem.applied).count();
        prop_assert_eq!(applied + refused, actions.len());
    }

    /// Figures that no company has: nothing panics, nothing is skipped, and a price that could not be
    /// held is told.
    #[test]
    fn wild_figures_are_told(
        closes in prop::collection::vec(prop_oneof![0..3_i64, 1..1_000_000_000_000_i64, Just(i64::MAX)], 2..8),
        seed in prop::collection::vec((0_usize..8, 0_usize..7, any::<i64>(), 0_u32..28, any::<i64>(), 0_u32..28), 1..12),
        at_ex in any::<bool>(),
    ) {
        let days = sessions(closes.len());
        let bars: Vec<HistoryBar> = closes.iter().zip(&days).map(|(steps, date)| bar_of_steps("PETR4", *date, *steps)).collect();
        let kinds = [Kind::Dividend, Kind::InterestOnEquity, Kind::Split, Kind::Bonus, Kind::ReverseSplit, Kind::Subscription, Kind::Other];
        let actions: Vec<CorporateAction> = seed.iter().map(|(at, kind, amount, places, ratio, ratio_places)| {
            let mut action = action(kinds[*kind], days[at % days.len()], "0", "1");
            action.amount = Decimal::new(*amount, *places);
            action.ratio = Decimal::new(*ratio, *ratio_places);
            action
        }).collect();
        let reinvestment = if at_ex { Reinvestment::AtExClose } else { Reinvestment::AtCumClose };
        let series = adjust(&bars, &actions, &Calendar::b3(), &Options { reinvestment, ..TOTAL }).unwrap();
        let made: usize = series.factors.iter().map(|factor| factor.actions.len()).sum();
        let refused = |problem: &&Problem| problem.action.is_some() && !problem.applied;
        prop_assert!(made + series.problems.iter().filter(refused).count() >= actions.len());
        for (bar, adjusted) in bars.iter().zip(&series.bars) {
            let lost = series.problems.iter().any(|problem| problem.action.is_none() && problem.date == bar.date());
            prop_assert!(lost || (bar.close == Price::ZERO) == (adjusted.close == Price::ZERO));
        }
    }
}

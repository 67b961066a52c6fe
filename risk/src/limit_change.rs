//! Whether a change of the limits allows more than before. Lowering takes one person; raising may take
//! two (C34), so whatever cannot be told counts as raising.
//!
//! Limits are compared as they are stored, field by field: a field that [`DIRECTIONS`] does not know yet
//! cannot slip through as harmless.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use market::Money;
use serde::Serialize;
use serde_json::Value;

use crate::four_eyes::Direction;
use crate::limits::Limits;

/// What a larger value of a limit means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Larger {
    /// More is allowed.
    AllowsMore,
}

/// Every limit whose direction is known, under its name in [`Limits`]. Any other counts as raised by any
/// change.
const DIRECTIONS: &[(&str, Larger)] = &[
    ("max_order_quantity", Larger::AllowsMore),
    ("max_order_notional", Larger::AllowsMore),
    ("price_collar", Larger::AllowsMore),
    ("max_position_quantity", Larger::AllowsMore),
    ("max_quote_age", Larger::AllowsMore),
    ("max_daily_loss", Larger::AllowsMore),
];

/// One limit that a change gives another value.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct LimitChange {
    /// Its name in [`Limits`].
    pub limit: String,
    /// Its value before, null: it was not there.
    pub before: Value,
    /// Its value afterwards, null: it is not there any more.
    pub after: Value,
    /// It allows more than before, or nobody can tell.
    pub raises: bool,
}

/// What a change does, limit by limit, in the order of their names; nothing for equal limits.
pub fn changes(before: &Limits, after: &Limits) -> Vec<LimitChange> {
    let value = |limits: &Limits| serde_json::to_value(limits).unwrap_or_default();
    between(&value(before), &value(after))
}

/// Which way a change goes: it raises if it allows more than before in any limit.
pub fn direction(before: &Limits, after: &Limits) -> Direction {
    let changes = changes(before, after);
    // Limits that could not be compared as values would seem equal.
    let is_unseen = changes.is_empty() && before != after;
    if is_unseen || changes.iter().any(|change| change.raises) { Direction::Raises } else { Direction::Lowers }
}

fn between(before: &Value, after: &Value) -> Vec<LimitChange> {
    let names = |value: &Value| value.as_object().map(|fields| fields.keys().cloned().collect::<BTreeSet<_>>());
    let names: BTreeSet<String> = [names(before), names(after)].into_iter().flatten().flatten().collect();
    let of = |value: &Value, name: &str| value.get(name).cloned().unwrap_or_default();
    let changed = names.into_iter().filter_map(|limit| {
        let (before, after) = (of(before, &limit), of(after, &limit));
        let raises = raised(&limit, &before, &after);
        (before != after).then_some(LimitChange { limit, before, after, raises })
    });
    changed.collect()
}

fn raised(limit: &str, before: &Value, after: &Value) -> bool {
    let known = DIRECTIONS.iter().find(|(name, _)| *name == limit);
    match (known, ordering(before, after)) {
        (Some((_, Larger::AllowsMore)), Some(ordering)) => ordering == Ordering::Less,
        _ => true,
    }
}

/// How the value before stands to the one afterwards: whole numbers, or exact amounts as text.
fn ordering(before: &Value, after: &Value) -> Option<Ordering> {
    match (before, after) {
        (Value::Number(before), Value::Number(after)) => Some(before.as_i64()?.cmp(&after.as_i64()?)),
        (Value::String(before), Value::String(after)) => {
            let amount = |text: &str| text.parse::<Money>().ok();
            Some(amount(before)?.cmp(&amount(after)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::{Quantity, Rate};
    use serde_json::json;

    fn limits() -> Limits {
        Limits {
            max_order_quantity: Quantity::new(1_000),
            max_order_notional: Money::from_cents(100_000),
            price_collar: Rate::from_ppm(30_000),
            max_position_quantity: Quantity::new(1_000),
            max_quote_age: 5_000_000_000,
            max_daily_loss: Money::from_cents(100_000),
        }
    }

    #[test]
    fn every_limit_knows_whether_it_was_raised() {
        type Change = fn(&mut Limits, i64);
        let table: [(&str, Change); 6] = [
            ("max_order_quantity", |limits, by| limits.max_order_quantity += Quantity::new(by)),
            ("max_order_notional", |limits, by| limits.max_order_notional += Money::from_cents(by)),
            ("price_collar", |limits, by| limits.price_collar = Rate::from_ppm(30_000 + by)),
            ("max_position_quantity", |limits, by| limits.max_position_quantity += Quantity::new(by)),
            ("max_quote_age", |limits, by| limits.max_quote_age += by),
            ("max_daily_loss", |limits, by| limits.max_daily_loss += Money::from_cents(by)),
        ];
        assert_eq!((changes(&limits(), &limits()), direction(&limits(), &limits())), (Vec::new(), Direction::Lowers));
        for (name, change) in table {
            for (by, raised) in [(1, true), (-1, false)] {
                let mut other = limits();
                change(&mut other, by);
                let found = changes(&limits(), &other);
                assert_eq!(found.len(), 1, "{name}: {found:?}");
                assert_eq!((found[0].limit.as_str(), found[0].raises), (name, raised), "{name} by {by}");
                let expected = if raised { Direction::Raises } else { Direction::Lowers };
                assert_eq!(direction(&limits(), &other), expected, "{name} by {by}");
            }
        }
        // One raised among others lowered is a raise.
        let mixed =
            Limits { max_order_quantity: Quantity::new(1), max_daily_loss: Money::from_cents(100_001), ..limits() };
        assert_eq!(direction(&limits(), &mixed), Direction::Raises);
    }

    /// The table is of the very fields that there are: one more counts as raised until it stands there.
    #[test]
    fn every_limit_stands_in_the_table() {
        let fields = serde_json::to_value(limits()).unwrap();
        let fields: BTreeSet<&str> = fields.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(DIRECTIONS.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), fields);
    }

    #[test]
    fn what_cannot_be_told_counts_as_raised() {
        for (limit, before, after, raised) in [
            ("max_order_quantity", json!(2), json!(1), false),
            ("max_order_notional", json!("10.00"), json!("9.99"), false),
            // By amount, not by letter.
            ("max_order_notional", json!("9.00"), json!("10.00"), true),
            ("max_order_notional", json!("10.00"), json!("9.00"), false),
            // A limit that nobody knows, in any direction.
            ("max_moon_phase", json!(2), json!(1), true),
            // Not there before, or not any more; another kind of value; no number.
            ("max_order_quantity", Value::Null, json!(1), true),
            ("max_order_quantity", json!(1), Value::Null, true),
            ("max_order_quantity", json!(2), json!("1"), true),
            ("max_order_notional", json!("2"), json!("one"), true),
            ("max_order_quantity", json!(2.5), json!(1.5), true),
            ("max_order_quantity", json!([2]), json!([1]), true),
        ] {
            let found = between(&json!({ limit: before, "same": 1 }), &json!({ limit: after, "same": 1 }));
            assert_eq!(found.len(), 1, "{limit}");
            assert_eq!(found[0].raises, raised, "{limit}: {} to {}", found[0].before, found[0].after);
        }
    }
}

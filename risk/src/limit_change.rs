//! Whether a change of the limits allows more than before. Lowering takes one person; raising may take
//! two (C34), so whatever cannot be told counts as raising.
//!
//! Limits are compared as they are stored, leaf by leaf under its path (`symbols.PETR4.max_order_quantity`): a
//! part that nobody has thought of here cannot slip through as harmless.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use market::Money;
use serde::Serialize;
use serde_json::Value;

use crate::four_eyes::Direction;
use crate::limits::{KEYS, Limits, Tighter};

/// One part of the limits that a change gives another value.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct LimitChange {
    /// Its path in [`Limits`].
    pub limit: String,
    /// Its value before, null: it was not there.
    pub before: Value,
    /// Its value afterwards, null: it is not there any more.
    pub after: Value,
    /// It allows more than before, or nobody can tell.
    pub raises: bool,
}

/// What a change does, part by part, in the order of their paths; nothing for equal limits.
pub fn changes(before: &Limits, after: &Limits) -> Vec<LimitChange> {
    let value = |limits: &Limits| serde_json::to_value(limits).unwrap_or_default();
    between(&value(before), &value(after))
}

/// Which way a change goes: it raises if it allows more than before in any part.
pub fn direction(before: &Limits, after: &Limits) -> Direction {
    let changes = changes(before, after);
    // Limits that could not be compared as values would seem equal.
    let is_unseen = changes.is_empty() && before != after;
    if is_unseen || changes.iter().any(|change| change.raises) { Direction::Raises } else { Direction::Lowers }
}

type Leaves = BTreeMap<Vec<String>, Value>;

fn between(before: &Value, after: &Value) -> Vec<LimitChange> {
    let (mut old, mut new) = (Leaves::new(), Leaves::new());
    leaves(before, &mut Vec::new(), &mut old);
    leaves(after, &mut Vec::new(), &mut new);
    let paths: BTreeSet<&Vec<String>> = old.keys().chain(new.keys()).collect();
    let changed = paths.into_iter().filter_map(|path| {
        let of = |leaves: &Leaves| leaves.get(path).cloned().unwrap_or_default();
        let (before, after) = (of(&old), of(&new));
        let raises = raised(path, &before, &after);
        (before != after).then(|| LimitChange { limit: path.join("."), before, after, raises })
    });
    changed.collect()
}

fn leaves(value: &Value, path: &mut Vec<String>, into: &mut Leaves) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                path.push(name.clone());
                leaves(value, path, into);
                path.pop();
            }
        }
        // Nothing is the same as not being there.
        Value::Null => {}
        leaf => {
            into.insert(path.clone(), leaf.clone());
        }
    }
}

fn raised(path: &[String], before: &Value, after: &Value) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path[..] {
        ["global", key] => !is_tighter(key, before, after),
        // A tighter scope never loosens what holds for everything: one that is added can only take away, and
        // one that goes gives back.
        ["account", key] | ["symbols", _, key] | ["sectors", _, "limits", key] | ["strategies", _, "limits", key] => {
            let is_known = KEYS.iter().any(|known| known.name == key);
            !(is_known && before.is_null() && !after.is_null() || is_tighter(key, before, after))
        }
        // More symbols are held together, or may not be traded.
        ["restricted"] | ["groups", _] | ["sectors", _, "symbols"] => !holds_all(after, before),
        // Fewer symbols may be traded, or forecasts of fewer models; no list of symbols means all.
        ["strategies", _, "allowed"] => after.is_null() || !(before.is_null() || holds_all(before, after)),
        ["models"] => !holds_all(before, after),
        _ => true,
    }
}

/// Whether an amount allows less than before; not if either is missing or cannot be read.
fn is_tighter(key: &str, before: &Value, after: &Value) -> bool {
    let Some(known) = KEYS.iter().find(|known| known.name == key) else { return false };
    let tighter = match known.tighter {
        Tighter::Smaller => Ordering::Greater,
        Tighter::Larger => Ordering::Less,
    };
    // One that is the same is no change at all.
    ordering(before, after) == Some(tighter)
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

/// Whether a list holds everything that another one does; one that is not there holds nothing.
fn holds_all(list: &Value, of: &Value) -> bool {
    let items = |value: &Value| match value {
        Value::Array(items) => Some(items.clone()),
        Value::Null => Some(Vec::new()),
        _ => None,
    };
    match (items(list), items(of)) {
        (Some(list), Some(of)) => of.iter().all(|item| list.contains(item)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{LimitSet, Sector, SomeLimits, StrategyLimits};
    use market::{Quantity, Symbol};
    use serde_json::json;

    fn some(key: &str, text: &str) -> SomeLimits {
        let mut some = SomeLimits::default();
        let known = KEYS.iter().find(|known| known.name == key).unwrap();
        (known.read)(&mut some, text).unwrap();
        some
    }

    fn written(limits: &SomeLimits) -> Limits {
        let mut all = LimitSet::WIDE.all();
        for key in KEYS {
            if (key.value)(limits).is_some() {
                let text = serde_json::to_value(limits).unwrap()[key.name].to_string();
                (key.read)(&mut all, text.trim_matches('"')).unwrap();
            }
        }
        all.or_wide().into()
    }

    #[test]
    fn every_limit_knows_whether_it_was_raised() {
        let base = Limits::from(LimitSet::WIDE);
        assert_eq!((changes(&base, &base), direction(&base, &base)), (Vec::new(), Direction::Lowers));
        for key in KEYS {
            let is_fraction = key.expected.contains("fraction") || key.expected.contains("BRL");
            let (less, more) = if is_fraction { ("0.2", "0.3") } else { ("2", "3") };
            let (less, more) = (written(&some(key.name, less)), written(&some(key.name, more)));
            let (tight, wide) = match key.tighter {
                Tighter::Smaller => (&less, &more),
                Tighter::Larger => (&more, &less),
            };
            for (before, after, expected) in [(wide, tight, Direction::Lowers), (tight, wide, Direction::Raises)] {
                let found = changes(before, after);
                assert_eq!(found.len(), 1, "{}: {found:?}", key.name);
                assert_eq!(found[0].limit, format!("global.{}", key.name));
                assert_eq!(direction(before, after), expected, "{}", key.name);
            }
        }
    }

    #[test]
    fn scopes_and_lists_know_whether_they_allow_more() {
        let petrobras: Symbol = "PETR4".parse().unwrap();
        let vale: Symbol = "VALE3".parse().unwrap();
        let most = |units| SomeLimits { max_order_quantity: Some(Quantity::new(units)), ..SomeLimits::default() };
        type Change<'a> = &'a dyn Fn(&mut Limits);
        // What adding or narrowing it does; taking it back is the other way round.
        let table: [(&str, Change<'_>, Change<'_>); 11] = [
            ("account added", &|_| {}, &|limits| limits.account = most(5)),
            ("account", &|limits| limits.account = most(5), &|limits| limits.account = most(4)),
            ("symbol added", &|_| {}, &|limits| {
                limits.symbols.insert(petrobras, most(5));
            }),
            ("strategy added", &|_| {}, &|limits| {
                limits.strategies.insert("trend".into(), StrategyLimits { allowed: None, limits: most(5) });
            }),
            ("allowed", &|_| {}, &|limits| {
                let allowed = Some([petrobras].into());
                limits.strategies.insert("trend".into(), StrategyLimits { allowed, limits: SomeLimits::default() });
            }),
            (
                "allowed narrowed",
                &|limits| {
                    let allowed = Some([petrobras, vale].into());
                    limits.strategies.insert("trend".into(), StrategyLimits { allowed, limits: most(5) });
                },
                &|limits| {
                    let allowed = Some([vale].into());
                    limits.strategies.insert("trend".into(), StrategyLimits { allowed, limits: most(5) });
                },
            ),
            ("sector added", &|_| {}, &|limits| {
                limits.sectors.insert("oil".into(), Sector { symbols: [petrobras].into(), limits: most(5) });
            }),
            (
                "sector grown",
                &|limits| {
                    limits.sectors.insert("oil".into(), Sector { symbols: [petrobras].into(), limits: most(5) });
                },
                &|limits| {
                    limits.sectors.insert("oil".into(), Sector { symbols: [petrobras, vale].into(), limits: most(5) });
                },
            ),
            ("group added", &|_| {}, &|limits| {
                // Whatever its name: it is no list of models.
                limits.groups.insert("models".into(), [petrobras].into());
            }),
            ("restricted", &|_| {}, &|limits| limits.restricted = [petrobras].into()),
            ("models", &|limits| limits.models = ["a".into(), "b".into()].into(), &|limits| {
                limits.models = ["b".into()].into();
            }),
        ];
        for (name, from, to) in table {
            let (mut before, mut after) = (Limits::from(LimitSet::WIDE), Limits::from(LimitSet::WIDE));
            from(&mut before);
            to(&mut after);
            assert_eq!(direction(&before, &after), Direction::Lowers, "{name}: {:?}", changes(&before, &after));
            assert_eq!(direction(&after, &before), Direction::Raises, "{name} back: {:?}", changes(&after, &before));
        }
        // One of two that moves is both more and less.
        let (mut before, mut after) = (Limits::from(LimitSet::WIDE), Limits::from(LimitSet::WIDE));
        (before.restricted, after.restricted) = ([petrobras].into(), [vale].into());
        assert_eq!(direction(&before, &after), Direction::Raises);
    }

    #[test]
    fn what_cannot_be_told_counts_as_raised() {
        for (path, before, after, raised) in [
            ("global.max_order_quantity", json!(2), json!(1), false),
            ("global.max_order_notional", json!("10.00"), json!("9.99"), false),
            // By amount, not by letter.
            ("global.max_order_notional", json!("9.00"), json!("10.00"), true),
            ("global.max_order_notional", json!("10.00"), json!("9.00"), false),
            ("global.burst_seconds", json!(10), json!(9), true),
            // A limit that nobody knows, in any direction, in any scope.
            ("global.max_moon_phase", json!(2), json!(1), true),
            ("symbols.PETR4.max_moon_phase", Value::Null, json!(1), true),
            ("moon", json!(2), json!(1), true),
            ("sectors.oil.moon", json!(["a"]), json!([]), true),
            // Not there before, or not any more; another kind of value; no number.
            ("global.max_order_quantity", Value::Null, json!(1), true),
            ("global.max_order_quantity", json!(1), Value::Null, true),
            ("global.max_order_quantity", json!(2), json!("1"), true),
            ("global.max_order_notional", json!("2"), json!("one"), true),
            ("global.max_order_quantity", json!(2.5), json!(1.5), true),
            ("restricted", json!(["a"]), json!("a"), true),
        ] {
            let nested = |leaf: Value| path.rsplit('.').fold(leaf, |inner, name| json!({ name: inner, "same": 1 }));
            let found = between(&nested(before), &nested(after));
            assert_eq!(found.len(), 1, "{path}: {found:?}");
            assert_eq!(found[0].raises, raised, "{path}: {} to {}", found[0].before, found[0].after);
        }
    }
}

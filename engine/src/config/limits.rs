//! The `[risk]` section: a value for every limit, and tighter ones for the account, a sector, a symbol
//! or a strategy.
//!
//! ```toml
//! [risk]
//! max_order_quantity = 20000
//! restricted = ["OIBR3"]
//! [risk.symbol.PETR4]
//! max_order_quantity = 5000
//! [risk.sector.oil]
//! symbols = ["PETR3", "PETR4", "PRIO3"]
//! max_sector_share = 0.25
//! [risk.strategy.trend]
//! allowed = ["PETR4", "VALE3"]
//! max_daily_loss = "1000.00"
//! [risk.group]
//! petrobras = ["PETR3", "PETR4"]
//! ```

use std::collections::{BTreeMap, BTreeSet};

use market::Symbol;
use risk::activity::most_remembered;
use risk::limits::{Hours, Sector, StrategyLimits};
use risk::{Figure, KEYS, Limits, SomeLimits};

use super::document::{Setting, Text};
use super::reader::{Reader, nearest};

const SYMBOLS: &str = "symbols such as [\"PETR4\", \"VALE3\"]";

/// The limits, or nothing when anything about them is wrong: each complaint has been noted.
pub fn read(reader: &mut Reader) -> Option<Limits> {
    let mut global = SomeLimits::default();
    let mut sound = true;
    for key in KEYS {
        let path = format!("risk.{}", key.name);
        match reader.optional::<String>(&path, key.expected) {
            Some(text) => sound &= read_into(reader, &mut global, &path, key.name, &text),
            None if key.required => {
                sound = false;
                // A list where a value belongs has its own complaint.
                if !reader.is_given(&path) {
                    reader.complain(&path, "has no value: a risk limit has no default; set it under [risk]");
                }
            }
            None => {}
        }
    }
    let account = scoped(reader, "risk.account", &[]).remove("").unwrap_or_default();
    let sectors: BTreeMap<String, Sector> = scoped(reader, "risk.sector", &["symbols"])
        .into_iter()
        .map(|(name, scope)| {
            let symbols = symbols_of(reader, &format!("risk.sector.{name}.symbols")).unwrap_or_default();
            if symbols.is_empty() {
                reader.complain(&format!("risk.sector.{name}.symbols"), format!("has no value; set it to {SYMBOLS}"));
            }
            (name, Sector { symbols, limits: scope.limits })
        })
        .collect();
    let strategies = scoped(reader, "risk.strategy", &["allowed"]).into_iter().map(|(name, scope)| {
        let allowed = symbols_of(reader, &format!("risk.strategy.{name}.allowed"));
        (name, StrategyLimits { allowed, limits: scope.limits })
    });
    let strategies = strategies.collect();
    let symbols = by_symbol(reader);
    let groups = groups(reader);
    if !groups.is_empty() && global.max_group_share.is_none() {
        reader.complain("risk.max_group_share", "has no value, and [risk.group] names groups that it is for");
        sound = false;
    }
    let restricted = symbols_of(reader, "risk.restricted").unwrap_or_default();
    let models = reader.list("risk.models", "hashes of models").unwrap_or_default().into_iter().collect();
    one_sector_each(reader, &sectors);
    let global = global.complete().ok().filter(|_| sound)?;
    Some(Limits {
        global,
        account: account.limits,
        sectors,
        symbols,
        strategies,
        groups,
        restricted,
        models,
        hours: Hours::default(),
    })
}

fn read_into(reader: &mut Reader, into: &mut SomeLimits, path: &str, name: &str, text: &str) -> bool {
    let Some(key) = KEYS.iter().find(|key| key.name == name) else {
        let hint = nearest(name, KEYS.iter().map(|key| key.name));
        let hint = hint.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
        reader.complain(path, format!("unknown limit{hint}"));
        return false;
    };
    match (key.read)(into, text) {
        Ok(()) if is_too_much((key.value)(into), most_remembered(name)) => {
            let most = most_remembered(name).map(told).unwrap_or_default();
            reader.complain(path, format!("'{text}' is not allowed: at most {most} are remembered"));
            false
        }
        Ok(()) => true,
        Err(error) => {
            reader.complain(path, format!("'{text}' is not allowed: {error}; expected {}", key.expected));
            false
        }
    }
}

fn is_too_much(value: Option<Figure>, most: Option<Figure>) -> bool {
    match (value, most) {
        (Some(Figure::Count(value)), Some(Figure::Count(most))) => value > most,
        (Some(Figure::Nanoseconds(value)), Some(Figure::Nanoseconds(most))) => value > most,
        _ => false,
    }
}

/// As a person writes it.
fn told(most: Figure) -> String {
    match most {
        Figure::Nanoseconds(nanos) => format!("{} seconds", nanos / market::time::NANOS_PER_SECOND),
        other => other.to_string(),
    }
}

/// What is written for one scope.
#[derive(Default)]
struct Scope {
    limits: SomeLimits,
}

/// Everything below `section`, by the name of the scope (empty where the section is the scope). Keys in
/// `others` are somebody else's to read.
fn scoped(reader: &mut Reader, section: &str, others: &[&str]) -> BTreeMap<String, Scope> {
    let mut scopes: BTreeMap<String, Scope> = BTreeMap::new();
    for (rest, setting) in reader.table(section) {
        let path = format!("{section}.{rest}");
        let (name, key) = rest.rsplit_once('.').unwrap_or(("", rest.as_str()));
        if name.is_empty() != (section == "risk.account") {
            reader.complain(&path, format!("expected {section}.NAME.LIMIT"));
            continue;
        }
        let scope = scopes.entry(name.to_owned()).or_default();
        match &setting.text {
            _ if others.contains(&key) => {}
            Text::One(text) => {
                read_into(reader, &mut scope.limits, &path, key, text);
            }
            list @ Text::List(_) => reader.complain(&path, format!("{list} is a list; a limit has one value")),
        }
    }
    scopes
}

fn symbols_of(reader: &mut Reader, key: &str) -> Option<BTreeSet<Symbol>> {
    reader.list::<Symbol>(key, SYMBOLS).map(|symbols| symbols.into_iter().collect())
}

fn by_symbol(reader: &mut Reader) -> BTreeMap<Symbol, SomeLimits> {
    let mut symbols = BTreeMap::new();
    for (name, scope) in scoped(reader, "risk.symbol", &[]) {
        // The environment writes every name in small letters.
        match name.to_ascii_uppercase().parse::<Symbol>() {
            Ok(symbol) => {
                symbols.insert(symbol, scope.limits);
            }
            Err(error) => reader.complain(&format!("risk.symbol.{name}"), error.to_string()),
        }
    }
    symbols
}

fn groups(reader: &mut Reader) -> BTreeMap<String, BTreeSet<Symbol>> {
    let names: Vec<(String, Setting)> = reader.table("risk.group").into_iter().collect();
    let read = |reader: &mut Reader, name: String| {
        let symbols = symbols_of(reader, &format!("risk.group.{name}"))?;
        Some((name, symbols))
    };
    names.into_iter().filter_map(|(name, _)| read(reader, name)).collect()
}

/// A symbol in two sectors would be counted in one of them only.
fn one_sector_each(reader: &mut Reader, sectors: &BTreeMap<String, Sector>) {
    let mut seen: BTreeMap<Symbol, &str> = BTreeMap::new();
    for (name, sector) in sectors {
        for symbol in &sector.symbols {
            if let Some(first) = seen.insert(*symbol, name) {
                let message = format!("{symbol} is in sector {first} as well; a symbol has one sector");
                reader.complain(&format!("risk.sector.{name}.symbols"), message);
            }
        }
    }
}

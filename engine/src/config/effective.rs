//! The configuration in force, key by key: its value, where the value comes from, and whether it can change in
//! a running daemon. Secrets are hidden when it is made, so nothing that is made of it can show one.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use store::Digest;

use super::document::{Document, Setting, Text};
use super::redaction::shown;
use super::{BrokerConfig, CalendarName, Config, FeedConfig, StoreConfig};

/// Keys whose values were approved rather than are approved: what the hash of a configuration leaves out, for a
/// list of hashes cannot hold its own.
const APPROVALS: &str = "attestation.";

/// Every key that has a value.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Effective {
    keys: BTreeMap<String, Value>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Value {
    text: Text,
    /// Where it was found; none: it is the default.
    origin: Option<String>,
}

/// One key, for people and programs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Line {
    /// Its path.
    pub key: String,
    /// Its value.
    pub value: String,
    /// File and line, environment, flag, or `default`.
    pub origin: String,
    /// It can change in a running daemon.
    pub hot: bool,
}

/// One key whose value differs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Difference {
    /// Its path.
    pub key: String,
    /// Its value before, none: it had none.
    pub before: Option<String>,
    /// Its value afterwards, none: it has none any more.
    pub after: Option<String>,
    /// Where the value before comes from.
    pub before_origin: Option<String>,
    /// Where the value afterwards comes from.
    pub after_origin: Option<String>,
    /// It can change in a running daemon.
    pub hot: bool,
}

/// Parts of `[risk]` beside the limits for everything that the limits in force are made of.
const SCOPES: [&str; 7] = ["account", "sector", "symbol", "strategy", "group", "restricted", "models"];

/// Whether a key can change in a running daemon: the limits, by their names. Any other needs a restart, also one
/// in `[risk]` that is not part of the limits in force.
pub fn is_hot(key: &str) -> bool {
    let Some(name) = key.strip_prefix("risk.") else { return false };
    let scope = name.split('.').next().unwrap_or(name);
    risk::KEYS.iter().any(|known| known.name == name) || SCOPES.contains(&scope)
}

impl Effective {
    /// What a document says, and the defaults of what it does not say.
    pub fn of(document: &Document, config: &Config) -> Self {
        let mut keys: BTreeMap<String, Value> = defaults(config)
            .into_iter()
            .map(|(key, text)| (key, Value { text: Text::One(text), origin: None }))
            .collect();
        for (key, Setting { text, origin }) in &document.settings {
            let text = match text {
                Text::One(text) => Text::One(shown(key, text)),
                Text::List(texts) => Text::List(texts.iter().map(|text| shown(key, text)).collect()),
            };
            keys.insert(key.clone(), Value { text, origin: Some(origin.to_string()) });
        }
        Self { keys }
    }

    /// Every key, in order.
    pub fn lines(&self) -> impl Iterator<Item = Line> + '_ {
        self.keys.iter().map(|(key, value)| Line {
            key: key.clone(),
            value: value.text.to_string(),
            origin: value.told_origin(),
            hot: is_hot(key),
        })
    }

    /// What was given, as TOML: the same text for the same configuration, whatever its file looks like. Read
    /// again it says the same.
    pub fn document(&self) -> String {
        self.rendered(|_| true)
    }

    /// What approves this configuration: SHA-256 of its document without the lists of what is approved.
    pub fn hash(&self) -> Digest {
        Digest::of(&[self.rendered(|key| !key.starts_with(APPROVALS)).as_bytes()])
    }

    /// SHA-256 of the keys that can change in a running daemon.
    pub fn hot_hash(&self) -> Digest {
        Digest::of(&[self.rendered(is_hot).as_bytes()])
    }

    /// What differs, key by key. A value that is spelled out and is the default does not.
    pub fn differences(&self, after: &Self) -> Vec<Difference> {
        let mut keys: Vec<&String> = self.keys.keys().chain(after.keys.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        let differ = |key: &&String| {
            let text = |of: &Self| of.keys.get(*key).map(|value| value.text.clone());
            text(self) != text(after)
        };
        let told = |key: &String| {
            let of = |of: &Self| of.keys.get(key).map(|value| (value.text.to_string(), value.told_origin()));
            let ((before, before_origin), (after, after_origin)) = (of(self).unzip(), of(after).unzip());
            Difference { key: key.clone(), before, after, before_origin, after_origin, hot: is_hot(key) }
        };
        keys.into_iter().filter(differ).map(told).collect()
    }

    fn rendered(&self, wanted: impl Fn(&str) -> bool) -> String {
        let mut table = toml::Table::new();
        for (key, value) in self.keys.iter().filter(|(key, value)| value.origin.is_some() && wanted(key)) {
            let path: Vec<&str> = key.split('.').collect();
            put(&mut table, &path, &value.text);
        }
        // Tables, lists and texts only: there is nothing that TOML could not hold.
        toml::to_string(&table).unwrap_or_default()
    }
}

impl Value {
    fn told_origin(&self) -> String {
        self.origin.clone().unwrap_or_else(|| "default".to_owned())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |text: &Option<String>| text.as_deref().unwrap_or("no value").to_owned();
        write!(f, "{}: {} -> {}", self.key, value(&self.before), value(&self.after))?;
        if let Some(origin) = &self.after_origin {
            write!(f, " ({origin})")?;
        }
        Ok(())
    }
}

/// Most tables of a list that are written: far more strategies than anybody has.
const MOST_TABLES: usize = 10_000;

fn put(table: &mut toml::Table, path: &[&str], text: &Text) {
    let Some((first, rest)) = path.split_first() else { return };
    let (name, place) = match first.strip_suffix(']').and_then(|first| first.split_once('[')) {
        Some((name, place)) => (name, place.parse::<usize>().ok().filter(|place| *place < MOST_TABLES)),
        None => (*first, None),
    };
    let empty_table = || toml::Value::Table(toml::Table::new());
    if let Some(place) = place {
        let list = table.entry(name).or_insert_with(|| toml::Value::Array(Vec::new()));
        if let toml::Value::Array(list) = list {
            list.resize_with(list.len().max(place + 1), empty_table);
            if let toml::Value::Table(inner) = &mut list[place] {
                put(inner, rest, text);
            }
        }
    } else if rest.is_empty() {
        let value = match text {
            Text::One(text) => toml::Value::String(text.clone()),
            Text::List(texts) => toml::Value::Array(texts.iter().cloned().map(toml::Value::String).collect()),
        };
        table.insert(name.to_owned(), value);
    } else if let toml::Value::Table(inner) = table.entry(name).or_insert_with(empty_table) {
        put(inner, rest, text);
    }
}

/// What stands for a key that is not given. A key that has no default, or whose default says nothing, is not here.
fn defaults(config: &Config) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut add = |key: &str, text: String| all.push((key.to_owned(), text));
    add("mode", "paper".to_owned());
    add("data_directory", config.data_directory.display().to_string());
    add("broker.answer_seconds", (config.patience.answer / market::time::NANOS_PER_SECOND).to_string());
    match &config.broker {
        BrokerConfig::Simulated => {
            add("broker.name", "simulated".to_owned());
            add("broker.slippage_ticks", config.simulation.slippage_ticks.to_string());
            add("broker.participation", config.simulation.participation.to_string());
            add("broker.latency_milliseconds", config.simulation.latency_milliseconds.to_string());
            add("broker.limit_rule", "price_through".to_owned());
        }
        BrokerConfig::Bridge { heartbeat, reconnect_most, .. } => {
            add("broker.heartbeat_milliseconds", heartbeat.as_millis().to_string());
            add("broker.reconnect_milliseconds", reconnect_most.as_millis().to_string());
        }
    }
    add("broker.brokerage_per_order", config.brokerage.per_order.to_string());
    add("broker.brokerage_iss", config.brokerage.iss.to_string());
    add("halt.second_person", "false".to_owned());
    add("shutdown.cancel_day_orders", "false".to_owned());
    add("shutdown.within_seconds", config.wind_down.within.as_secs().to_string());
    add("session.calendar", CalendarName::B3.name().to_owned());
    match &config.store {
        StoreConfig::Embedded => add("store.kind", "embedded".to_owned()),
        StoreConfig::Postgres { schema, lease_term, .. } => {
            add("store.schema", schema.clone());
            add("store.lease_seconds", lease_term.as_secs().to_string());
        }
    }
    if let FeedConfig::QuotesFile { poll_milliseconds, .. } = &config.feed {
        add("feed.poll_milliseconds", poll_milliseconds.to_string());
    }
    for (place, strategy) in config.strategies.iter().enumerate() {
        add(&format!("strategy[{place}].name"), strategy.name.clone());
        add(&format!("strategy[{place}].listen"), "bars".to_owned());
        add(&format!("strategy[{place}].execution"), "market".to_owned());
        for (name, value) in strategy.parameters.iter() {
            add(&format!("strategy[{place}].parameters.{name}"), value.to_string());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{EXAMPLE, from_document};
    use super::*;

    fn effective(text: &str, environment: &[(&str, &str)]) -> Effective {
        let mut document = Document::default();
        document.add_toml(Path::new("pregao.toml"), text);
        document.add_environment(environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        from_document(document).unwrap().1
    }

    fn line(effective: &Effective, key: &str) -> Line {
        effective.lines().find(|line| line.key == key).unwrap_or_else(|| panic!("{key}"))
    }

    #[test]
    fn every_value_tells_where_it_comes_from() {
        let effective = effective(EXAMPLE, &[("PREGAO__RISK__MAX_DAILY_LOSS", "5000")]);
        let of = |key| {
            let Line { value, origin, hot, .. } = line(&effective, key);
            (value, origin, hot)
        };
        let place = EXAMPLE.lines().position(|line| line.starts_with("price_collar")).unwrap() + 1;
        assert_eq!(of("risk.price_collar"), ("0.05".to_owned(), format!("pregao.toml:{place}"), true));
        let environment = "environment PREGAO__RISK__MAX_DAILY_LOSS".to_owned();
        assert_eq!(of("risk.max_daily_loss"), ("5000".to_owned(), environment, true));
        assert_eq!(of("broker.answer_seconds"), ("5".to_owned(), "default".to_owned(), false));
        assert_eq!(of("strategy[1].parameters.period").1, "default");
    }

    #[test]
    fn the_document_says_the_same_when_it_is_read_again() {
        let tricky = EXAMPLE.replace("name = \"trend\"", "name = \"tr\\\"end ''' = # [x] \\n ção\"");
        for text in [EXAMPLE, &tricky] {
            let first = effective(text, &[("PREGAO__RISK__PRICE_COLLAR", "0.02")]);
            let again = effective(&first.document(), &[]);
            assert_eq!(first.differences(&again), []);
            assert_eq!(again.document(), first.document());
            assert_eq!((again.hash(), again.hot_hash()), (first.hash(), first.hot_hash()));
        }
    }

    #[test]
    fn differences_are_told_key_by_key() {
        let before = effective(EXAMPLE, &[]);
        let changed = EXAMPLE
            .replace("max_order_quantity = 20000", "max_order_quantity = 10000")
            .replace("slippage_ticks = 1 ", "slippage_ticks = 2 ")
            .replace("latency_milliseconds = 0", "");
        let after = effective(&changed, &[]);
        let found: Vec<(String, bool)> =
            before.differences(&after).iter().map(|found| (found.to_string(), found.hot)).collect();
        let place = |start: &str| changed.lines().position(|line| line.starts_with(start)).unwrap() + 1;
        let expected = [
            (format!("broker.slippage_ticks: 1 -> 2 (pregao.toml:{})", place("slippage_ticks")), false),
            (format!("risk.max_order_quantity: 20000 -> 10000 (pregao.toml:{})", place("max_order_quantity")), true),
        ];
        assert_eq!(found, expected, "a default that is left out is no difference");
        assert_ne!(before.hash(), after.hash());
        assert_ne!(before.hot_hash(), after.hot_hash());
    }

    #[test]
    fn only_limits_in_force_are_hot() {
        for (key, hot) in [
            ("risk.max_order_quantity", true),
            ("risk.max_daily_loss", true),
            ("risk.symbol.PETR4.max_order_quantity", true),
            ("risk.restricted", true),
            ("risk.max_moon_phase", false),
            ("risk.moons.max_order_quantity", false),
            ("risk", false),
            ("broker.slippage_ticks", false),
            ("halt.second_person", false),
            ("attestation.builds", false),
        ] {
            assert_eq!(is_hot(key), hot, "{key}");
        }
    }
}

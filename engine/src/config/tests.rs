use std::collections::BTreeSet;

use super::document::Origin;
use super::*;

fn document(text: &str, environment: &[(&str, &str)]) -> Document {
    let mut document = Document::default();
    document.add_toml(Path::new("pregao.toml"), text);
    document.add_environment(environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    document
}

fn problems(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
    match from_document(document(text, environment)) {
        Ok(_) => Vec::new(),
        Err(Unusable(problems)) => problems.iter().map(Problem::to_string).collect(),
    }
}

#[test]
fn the_example_that_is_shipped_is_valid() {
    let config = from_text("pregao.toml", EXAMPLE).unwrap();
    assert_eq!(config.account.tag, "PAPR");
    assert_eq!(config.strategies.len(), 2);
}

/// Keys as people know them: places in lists and names of parameters left out.
fn known_as(key: &str) -> String {
    let place = key.find('[').zip(key.find(']'));
    let key = place.map_or(key.to_owned(), |(open, close)| format!("{}[]{}", &key[..open], &key[close + 1..]));
    match key.split_once("parameters") {
        Some((before, _)) => format!("{before}parameters"),
        None => key,
    }
}

/// The first column of every table of keys.
fn keys_of(documentation: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut in_table_of_keys = false;
    for line in documentation.lines() {
        let Some(row) = line.trim().strip_prefix('|') else {
            in_table_of_keys = false;
            continue;
        };
        let first = row.split('|').next().unwrap_or_default().trim();
        in_table_of_keys |= first == "key";
        if in_table_of_keys && first.starts_with('`') {
            keys.extend(first.split('`').skip(1).step_by(2).map(known_as));
        }
    }
    keys
}

#[test]
fn every_key_is_documented_and_every_documented_key_exists() {
    // Keys of a table that the example has none of are asked for only where there is one.
    let example = format!("{EXAMPLE}\n[[collect]]\nsource = \"b3_cotahist\"\nat = \"20:45\"\n");
    let mut reader = Reader::new(document(&example, &[]));
    assert!(read(&mut reader).is_some());
    let asked: BTreeSet<String> = reader.asked().iter().map(|key| known_as(key)).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let told = keys_of(&text);
    let (untold, unasked): (Vec<_>, Vec<_>) = (asked.difference(&told).collect(), told.difference(&asked).collect());
    assert!(untold.is_empty(), "read by the program, but in no table of docs/configuration.md: {untold:?}");
    assert!(unasked.is_empty(), "in a table of docs/configuration.md, but never read: {unasked:?}");
}

#[test]
fn names_in_the_environment_are_paths() {
    for (name, path) in [
        ("PREGAO__MODE", "mode"),
        ("PREGAO__RISK__PRICE_COLLAR", "risk.price_collar"),
        ("PREGAO__STRATEGY__0__SYMBOLS", "strategy[0].symbols"),
        ("PREGAO__STRATEGY__12__PARAMETERS__FAST", "strategy[12].parameters.fast"),
    ] {
        let document = document("", &[(name, "x"), ("PREGAO_CONFIG", "not a setting"), ("HOME", "neither")]);
        let found: Vec<(&String, &Origin)> =
            document.settings.iter().map(|(path, setting)| (path, &setting.origin)).collect();
        assert_eq!(found, [(&path.to_owned(), &Origin::Environment(name.to_owned()))]);
    }
}

#[test]
fn the_environment_reaches_into_a_strategy() {
    let fast = [("PREGAO__STRATEGY__0__PARAMETERS__FAST", "25")];
    assert_eq!(
        problems(EXAMPLE, &fast),
        [
            "environment PREGAO__STRATEGY__0__PARAMETERS__FAST: strategy[0].parameters: fast = 25 must be below slow = 20"
        ]
    );
    assert_eq!(problems(EXAMPLE, &[("PREGAO__STRATEGY__0__PARAMETERS__FAST", "5")]), [""; 0]);
}

#[test]
fn numbers_stay_text_until_their_own_type_reads_them() {
    let exact = EXAMPLE.replace("cash = \"1000000.00\"", "cash = 0.1");
    let config = from_text("pregao.toml", &exact).unwrap();
    assert_eq!(config.account.cash, "0.10".parse().unwrap());
    let finer = EXAMPLE.replace("cash = \"1000000.00\"", "cash = 1e3");
    assert_eq!(problems(&finer, &[]).len(), 1);
}

#[test]
fn a_lease_outlives_the_longest_renewal() {
    let with = |seconds: &str| format!("{EXAMPLE}\n[store]\nkind = \"postgres\"\nurl = \"host=/x\"\n{seconds}");
    let term = |seconds: &str| match from_text("pregao.toml", &with(seconds)).unwrap().store {
        StoreConfig::Postgres { lease_term, .. } => lease_term.as_secs(),
        StoreConfig::Embedded => 0,
    };
    assert_eq!((term(""), term("lease_seconds = 10")), (15, 10));
    let told = problems(&with("lease_seconds = 9"), &[]);
    assert!(told.len() == 1 && told[0].contains("store.lease_seconds: must be above 9"), "{told:?}");
}

#[test]
fn two_strategies_cannot_have_one_name() {
    let twice = EXAMPLE.replace("name = \"reversion\"", "name = \"trend\"");
    let told = problems(&twice, &[]);
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("strategy[1].name: 'trend' names two strategies"), "{told:?}");
}

#[test]
fn a_limit_beyond_what_is_remembered_is_refused() {
    for (key, most, too_much, expected) in [
        ("max_messages", "8192", "8193", "at most 8192 are remembered"),
        ("max_rejects", "1024", "1025", "at most 1024 are remembered"),
        ("message_seconds", "86400", "86401", "at most 86400 seconds are remembered"),
        ("duplicate_seconds", "3600", "3601", "at most 3600 seconds are remembered"),
    ] {
        let name = format!("PREGAO__RISK__{}", key.to_uppercase());
        assert_eq!(problems(EXAMPLE, &[(&name, most)]), Vec::<String>::new(), "{key}");
        let found = problems(EXAMPLE, &[(&name, too_much)]);
        assert!(found.iter().any(|problem| problem.contains(expected)), "{found:?}");
    }
}

const GUARDED: &str = "[watchdog]\nsilence_seconds = 10\nlogin = \"guard\"\n";

/// The example with a bridge instead of the simulated exchange, and quotes instead of a replay.
fn bridged(more: &str) -> String {
    let mut text = EXAMPLE.replace("name = \"simulated\"", "name = \"bridge\"\naddress = \"127.0.0.1:9100\"");
    text = text.replace("kind = \"replay\"", "kind = \"quotes_file\"\npath = \"quotes.csv\"");
    text = text.replace("execution = ", "listen = \"quotes\"\nexecution = ");
    format!("{text}\n{more}")
}

fn guarded(text: &str) -> Result<WatchdogConfig, Vec<String>> {
    watchdog_of(document(text, &[])).map_err(|Unusable(problems)| problems.iter().map(Problem::to_string).collect())
}

#[test]
fn a_watchdog_needs_its_own_section_and_a_bridge() {
    let config = guarded(&bridged(GUARDED)).unwrap();
    assert_eq!((config.address.as_str(), config.login.as_str()), ("127.0.0.1:9100", "guard"));
    assert_eq!((config.account.as_str(), config.silence), ("PAPR", Duration::from_secs(10)));
    let own = guarded(&bridged(&format!("{GUARDED}address = \"10.0.0.1:9\"\n"))).unwrap();
    assert_eq!(own.address, "10.0.0.1:9");
    for (text, complaint) in [
        (bridged(""), "watchdog.silence_seconds: has no value: there is no [watchdog] section"),
        (
            bridged(&GUARDED.replace("silence_seconds = 10", "")),
            "watchdog.silence_seconds: has no value, and no default",
        ),
        (bridged(&GUARDED.replace("= 10", "= 1")), "watchdog.silence_seconds: must be at least 2"),
        (bridged(&GUARDED.replace("= 10", "= \"soon\"")), "watchdog.silence_seconds: 'soon' is not allowed"),
        (bridged(&GUARDED.replace("login", "logon")), "did you mean 'watchdog.login'?"),
        (bridged(&GUARDED.replace("guard", "")), "watchdog.login: has 0 bytes"),
        (format!("{EXAMPLE}\n{GUARDED}"), "there is nothing to watch: the simulated exchange"),
    ] {
        let told = guarded(&text).unwrap_err();
        assert!(told.iter().any(|problem| problem.contains(complaint)), "'{complaint}' is not in {told:?}");
    }
}

#[test]
fn a_mistake_elsewhere_does_not_keep_a_watchdog_from_watching() {
    let broken = bridged(GUARDED).replace("price_collar", "price_colar").replace("kind = \"moving_average_cross\"", "");
    assert!(!problems(&broken, &[]).is_empty(), "the daemon refuses it");
    assert_eq!(guarded(&broken).unwrap().login, "guard");
    // And one of its own is a mistake for the daemon as well.
    let told = problems(&bridged("[watchdog]\nlogin = \"guard\"\n"), &[]);
    assert!(told.len() == 1 && told[0].contains("watchdog.silence_seconds: has no value"), "{told:?}");
}

#[test]
fn the_window_of_cancel_on_disconnect_is_one_that_the_exchange_takes() {
    let with = |seconds: &str| {
        let key = format!("[broker]\ncancel_on_disconnect_seconds = {seconds}");
        bridged("").replace("[broker]", &key)
    };
    for (seconds, window) in [("5", 5), ("60", 60)] {
        let config = from_text("pregao.toml", &with(seconds)).unwrap();
        let BrokerConfig::Bridge { cancel_on_disconnect, substance, .. } = config.broker else { panic!("a bridge") };
        assert_eq!((cancel_on_disconnect, substance.as_secs()), (Some(Duration::from_secs(window)), 60));
    }
    for seconds in ["0", "4", "61"] {
        let told = problems(&with(seconds), &[]);
        assert!(told.len() == 1 && told[0].contains("must be from 5 to 60"), "{told:?}");
    }
    let config = from_text("pregao.toml", &bridged("")).unwrap();
    assert!(matches!(config.broker, BrokerConfig::Bridge { cancel_on_disconnect: None, .. }), "not asked for");
    let told = problems(&bridged("").replace("[broker]", "[broker]\nsilence_seconds = 0"), &[]);
    assert!(told.len() == 1 && told[0].contains("broker.silence_seconds: must be above zero"), "{told:?}");
}

#[test]
fn the_hours_of_a_day_make_sense_together() {
    let with = |hours: &str| format!("{EXAMPLE}\n[session]\n{hours}");
    let config = from_text("pregao.toml", &with("last_entry = \"16:30\"\nflat_by = \"16:45\"")).unwrap();
    assert_eq!(config.limits.hours.last_entry, "16:30".parse().ok());
    assert!(config.strategies.iter().all(|strategy| strategy.flat_by == "16:45".parse().ok()));
    for (hours, complaint) in [
        ("last_entry = \"16:46\"\nflat_by = \"16:45\"", "session.last_entry: 16:46 is after session.flat_by, 16:45"),
        ("flat_by = \"16:45\"", "session.last_entry: has no value, and positions are left by 16:45"),
        ("last_entry = \"24:00\"", "'24:00' is not a time of day: expected hours and minutes such as 16:30"),
        ("last_entry = \"9:30\"", "'9:30' is not a time of day"),
    ] {
        let told = problems(&with(hours), &[]);
        assert!(told.len() == 1 && told[0].contains(complaint), "{told:?}");
    }
}

#[test]
fn bounds_are_read_by_symbol() {
    let with = |bounds: &str| format!("{EXAMPLE}\n[bounds.PETR4]\n{bounds}");
    let config = from_text("pregao.toml", &with("low_limit_price = \"34.20\"\nmax_quantity = 5000")).unwrap();
    let bounds = config.bounds[&"PETR4".parse().unwrap()];
    assert_eq!((bounds.low_limit_price, bounds.max_quantity), ("34.20".parse().unwrap(), Quantity::new(5_000)));
    assert_eq!((bounds.high_limit_price, bounds.min_quantity), (market::Price::ZERO, Quantity::ZERO));
    for (bounds, complaint) in [
        ("low_limit_price = 2\nhigh_limit_price = 1", "bounds.PETR4: no order fits"),
        ("max_quantty = 5", "unknown bound; did you mean 'max_quantity'?"),
        ("min_quantity = \"some\"", "'some' is not allowed"),
    ] {
        let told = problems(&with(bounds), &[]);
        assert!(told.len() == 1 && told[0].contains(complaint), "{told:?}");
    }
    assert_eq!(problems(EXAMPLE, &[("PREGAO__BOUNDS__PETR4__MIN_QUANTITY", "100")]), [""; 0]);
}

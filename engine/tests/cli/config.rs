//! `check`, `init`, and where settings come from.

use crate::program::{Room, assert_documented, told};

/// Twenty mistakes of different kinds, each on its own line.
const MISTAKES: &str = r#"mode = "live"
data_dir = "x"

[account]
tag = "papr"
csh = "1000"

[risk]
max_order_quantty = 5
max_order_notional = "-1"
price_collar = "3 %"
max_position_quantity = "1.5"
max_quote_age_seconds = 5
max_daily_loss = 5

[broker]
name = "simulatd"
limit_rule = "que"
participation = 1.5

[feed]
kind = "replya"
from = "2017-13-01"
speed = -1

[[strategy]]
kind = "moving_average_cros"
symbols = []
quantity = 100
notional = "5"
parameters = { fast = 20 }

[[strategy]]
kind = "moving_average_cross"
symbols = ["PETR4", "A SYMBOL"]
quantity = 0
parameters = { fast = 20, slwo = 30 }
"#;

#[test]
fn every_mistake_is_told_at_once_with_its_line() {
    let room = Room::new();
    room.write("bad.toml", MISTAKES);
    let told = room.pregao(&["-c", "bad.toml", "check", "--json"]).failed(
        2,
        &[
            "bad.toml:1: mode: 'live' is not allowed",
            "bad.toml:2: data_dir: unknown key; did you mean 'data_directory'?",
            "bad.toml:5: account.tag: 'papr'",
            "bad.toml:6: account.csh: unknown key; did you mean 'account.cash'?",
            "bad.toml:9: risk.max_order_quantty: unknown key; did you mean 'risk.max_order_quantity'?",
            "bad.toml:10: risk.max_order_notional: '-1' is not allowed: must not be negative; expected an amount in BRL",
            "bad.toml:11: risk.price_collar: '3 %' is not allowed",
            "bad.toml:12: risk.max_position_quantity: '1.5' is not allowed",
            "bad.toml:17: broker.name: 'simulatd' is not allowed: expected one of simulated, bridge; did you mean 'simulated'?",
            "bad.toml:18: broker.limit_rule: 'que' is not allowed",
            "bad.toml:19: broker.participation: must be above 0 and at most 1",
            "bad.toml:22: feed.kind: 'replya' is not allowed",
            "bad.toml:23: feed.from: '2017-13-01' is not allowed",
            "bad.toml:24: feed.speed: must be zero",
            "bad.toml:27: strategy[0].kind: 'moving_average_cros' is not allowed",
            "did you mean 'moving_average_cross'?",
            "bad.toml:28: strategy[0].symbols: has no value",
            "bad.toml:30: strategy[0].notional: quantity and notional are both given",
            "bad.toml:35: strategy[1].symbols: 'A SYMBOL' is not allowed",
            "bad.toml:36: strategy[1].quantity: must be positive",
            "bad.toml:37: strategy[1].parameters.slwo: unknown parameter: moving_average_cross has fast, slow; did you mean 'slow'?",
            "account.cash: has no value",
            "risk.max_order_quantity: has no value: a risk limit has no default",
        ],
    );
    let document = told.json();
    assert_eq!(document["valid"], false);
    let problems = document["problems"].as_array().unwrap();
    assert_eq!(problems.len(), told.err.lines().count(), "one line is one problem");
    // Parameters of a strategy that does not exist are not judged.
    assert!(!told.err.contains("strategy[0].parameters"), "{}", told.err);
    // The same by the command that needs the configuration, which starts nothing.
    room.pregao(&["-c", "bad.toml", "run"]).failed(2, &["bad.toml:1: mode", "account.cash: has no value"]);
    assert!(!room.path("pregao-data").exists());
}

#[test]
fn broken_text_is_told_with_its_line() {
    let room = Room::new();
    room.write("pregao.toml", "mode = \"paper\"\noops\n[account\n");
    room.pregao(&["check"]).failed(2, &["pregao.toml:2: ", "pregao.toml:3: ", "account.tag: has no value"]);
}

#[test]
fn init_writes_what_check_takes_and_never_overwrites() {
    let room = Room::new();
    room.pregao(&["check"]).failed(2, &["there is no pregao.toml here", "pregao init"]);
    room.pregao(&["init"]).done();
    let valid = room.pregao(&["check", "--json"]).done().json();
    assert_documented(&valid, &["check"]);
    assert_eq!((&valid["valid"], &valid["problems"]), (&true.into(), &serde_json::json!([])));
    assert!(room.pregao(&["check"]).done().out.contains("The configuration is valid."));

    room.write("pregao.toml", "# mine\n");
    room.pregao(&["init"]).failed(2, &["pregao.toml exists already and was left as it is"]);
    assert_eq!(std::fs::read_to_string(room.path("pregao.toml")).unwrap(), "# mine\n");
    assert_eq!(room.pregao(&["-c", "other.toml", "init", "--json"]).done().json()["written"], "other.toml");
    assert!(room.path("other.toml").is_file());
}

#[test]
fn a_limit_without_a_value_is_named() {
    let room = Room::new();
    room.pregao(&["init"]).done();
    let whole = std::fs::read_to_string(room.path("pregao.toml")).unwrap();
    let limits: Vec<&str> = whole
        .split("[risk]")
        .nth(1)
        .and_then(|text| text.split("\n[").next())
        .unwrap()
        .lines()
        .filter_map(|line| line.split_once(" = ").map(|(key, _)| key))
        .collect();
    assert_eq!(limits.len(), 28);
    for limit in limits {
        let without: Vec<&str> = whole.lines().filter(|line| !line.starts_with(&format!("{limit} "))).collect();
        room.write("pregao.toml", &without.join("\n"));
        let told = room.pregao(&["check"]).failed(2, &[&format!("risk.{limit}: has no value")]);
        assert_eq!(told.err.lines().count(), 1, "{}", told.err);
    }
}

#[test]
fn the_environment_wins_over_the_file_and_flags_over_both() {
    let room = Room::new();
    room.pregao(&["init"]).done();
    let with = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = room.command(arguments);
        command.envs(variables.iter().copied());
        told(command)
    };
    let checked = |variables: &[(&str, &str)], arguments: &[&str]| with(variables, arguments).done().json();

    let account = checked(&[("PREGAO__ACCOUNT__TAG", "TEST")], &["check", "--json"]);
    assert_eq!(account["account"], "TEST");
    let directory = ("PREGAO__DATA_DIRECTORY", "elsewhere");
    assert_eq!(checked(&[directory], &["check", "--json"])["data_directory"], "elsewhere");
    assert_eq!(checked(&[directory], &["check", "--json", "--data-dir", "here"])["data_directory"], "here");
    let strategy = checked(&[("PREGAO__STRATEGY__1__SYMBOLS", "PETR4, USIM5")], &["check", "--json"]);
    assert!(strategy["symbols"].as_array().unwrap().contains(&"USIM5".into()), "{strategy}");
    let file = checked(&[("PREGAO_CONFIG", "pregao.toml")], &["check", "--json"]);
    assert_eq!(file["valid"], true);

    for (name, value, said) in [
        (
            "PREGAO__RISK__MAX_DAILY_LOSS",
            "-5",
            "environment PREGAO__RISK__MAX_DAILY_LOSS: risk.max_daily_loss: '-5' is not allowed: must not be negative",
        ),
        ("PREGAO__RISK__MAX_DAILY_LOS", "5", "risk.max_daily_los: unknown key; did you mean 'risk.max_daily_loss'?"),
        ("PREGAO__STRATEGY__0__NOTIONL", "5", "did you mean 'strategy[0].notional'?"),
        ("PREGAO_CONFIG", "none.toml", "none.toml cannot be read"),
    ] {
        with(&[(name, value)], &["check"]).failed(2, &[said]);
    }
}

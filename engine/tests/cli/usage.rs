//! What is typed wrongly: exit code 2 with the nearest right word, and one JSON document under
//! `--json` whatever happens.

use std::io::Read;
use std::process::Stdio;

use crate::program::Room;

#[test]
fn what_is_unknown_is_met_with_what_was_meant() {
    let room = Room::new();
    for (arguments, said) in [
        (&["backtst"][..], &["unrecognized subcommand 'backtst'", "'backtest'"][..]),
        (&["data", "improt"], &["unrecognized subcommand 'improt'", "'import'"]),
        (&["run", "--jsn"], &["unexpected argument '--jsn'", "'--json'"]),
        (&["backtest", "--strateg", "x"], &["unexpected argument '--strateg'", "'--strategy'"]),
        (
            &["backtest", "--strategy", "moving_avrage_cross", "--symbols", "PETR4"],
            &["unknown strategy 'moving_avrage_cross'", "did you mean 'moving_average_cross'?"],
        ),
        (
            &["backtest", "--strategy", "moving_average_cross", "--param", "fst=3", "--symbols", "PETR4"],
            &["unknown parameter 'fst'", "fast, slow", "did you mean 'fast'?"],
        ),
        (
            &["backtest", "--strategy", "moving_average_cross", "--param", "fast=0", "--symbols", "PETR4"],
            &["parameter fast = 0", "from 1 to"],
        ),
        (
            &["backtest", "--strategy", "moving_average_cross", "--param", "fast=30", "--bars", "x.csv"],
            &["fast = 30 must be below slow = 20"],
        ),
        (&["backtest", "--strategy", "moving_average_cross", "--param", "fast"], &["write it as fast=10"]),
        (&["backtest", "--strategy", "moving_average_cross", "--param", "fast=x"], &["'x' is not a number"]),
        (&["backtest", "--strategy", "moving_average_cross"], &["--symbols", "--bars", "--quotes"]),
        (&["backtest", "--strategy", "moving_average_cross", "--from", "2017-13-01"], &["'2017-13-01'"]),
        (&["completions", "basj"], &["'basj'", "'bash'"]),
        (&["data", "import"], &["<FILE>"]),
        (&[], &["Usage: pregao"]),
    ] {
        room.write("x.csv", "ts,open,high,low,close,volume\n1,1,1,1,1,1\n");
        let told = room.pregao(arguments).failed(2, said);
        assert_eq!(told.out, "", "{arguments:?}");
    }
    assert!(!room.path("pregao-data").exists(), "what was not understood leaves no trace");
}

#[test]
fn under_json_every_end_is_one_document() {
    let room = Room::new();
    for (arguments, code) in [
        (&["backtst"][..], 2),
        (&["run", "--jsn"], 2),
        (&["backtest", "--strategy", "x"], 2),
        (&["backtest", "--strategy", "moving_average_cross"], 2),
        (&["backtest", "--strategy", "moving_average_cross", "--symbols", "PETR4"], 1),
        (&["backtest", "--strategy", "moving_average_cross", "--bars", "none.csv"], 1),
        (&["check"], 2),
        (&["run"], 2),
        (&["-c", "none.toml", "check"], 2),
        (&["data", "status"], 1),
        (&["data", "verify"], 1),
        (&["replay", "--all"], 1),
        (&["replay"], 2),
        (&["why", "PAPR-20171228-000001"], 1),
        (&["data", "import", "none.zip"], 1),
        (&["demo", "--report", "no/such/folder/report.html"], 2),
        (&["backtest", "--strategy", "moving_average_cross", "--bars", "x.csv", "--report", "."], 2),
    ] {
        let mut all = vec!["--json"];
        all.extend(arguments);
        let told = room.pregao(&all);
        assert_eq!(told.code, Some(code), "{told:?}");
        let error = told.json()["error"].as_str().unwrap_or_default().to_owned();
        assert!(!error.is_empty() && !error.contains('│'), "{arguments:?}: {error}");
        let first = error.lines().next().unwrap();
        assert!(told.err.contains(first), "people are told the same: {told:?}");
    }
}

#[test]
fn version_help_and_completions() {
    let room = Room::new();
    let version = room.pregao(&["version", "--json"]).done().json();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert!(version["strategies"].as_array().unwrap().contains(&"moving_average_cross".into()));
    assert_eq!(version["checks"].as_array().unwrap().len(), risk::CHECKS.len());
    for arguments in [&["version"][..], &["--version"]] {
        assert!(room.pregao(arguments).done().out.starts_with(concat!("pregao ", env!("CARGO_PKG_VERSION"))));
    }
    let help = room.pregao(&["--help"]).done().out;
    assert!(help.starts_with("Pregão: an autonomous trading engine for B3"), "{help}");
    for word in ["demo", "run", "check", "data", "backtest", "replay", "why", "version", "completions", "Exit codes"] {
        assert!(help.contains(word), "{word}");
    }
    for (shell, word) in [("bash", "complete -F _pregao"), ("zsh", "#compdef pregao"), ("fish", "complete -c pregao")] {
        let script = room.pregao(&["completions", shell]).done().out;
        assert!(script.contains(word) && script.contains("backtest"), "{shell}");
    }
    assert_eq!(room.pregao(&["completions", "bash", "--json"]).done().json()["shell"], "bash");
}

#[test]
fn a_reader_that_stops_early_is_no_failure() {
    let room = Room::new();
    let mut child =
        room.command(&["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Like `| head -c 0`: the script is larger than a pipe holds, so the program meets the closed end.
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

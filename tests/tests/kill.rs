//! A slice of the kill test (`scripts/kill-test` plays hundreds of runs, with named points), and two
//! daemons that want the same account. Both need the real program: a build of the workspace has it.

#![allow(clippy::unwrap_used, reason = "a test that cannot set its stage fails there")]

use std::path::{Path, PathBuf};
use std::process::Command;

use store::testing::Server;
use tests::kill::stage::{Quotes, Stage, VenueProcess};
use tests::kill::takeover::take_over;
use tests::kill::{Plan, play};

/// Runs on each store; together with their servers some twenty seconds.
const RUNS: u64 = 3;
/// Kills in each.
const KILLS: u32 = 4;

/// The program beside the venue; `None`, with a word about it, where it was not built.
#[expect(clippy::print_stdout, reason = "a test that does not run says so")]
fn pregao() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_BIN_EXE_venue")).with_file_name("pregao");
    if !path.is_file() {
        println!("SKIPPED: there is no {}; cargo build -p pregao, or test the whole workspace", path.display());
        return None;
    }
    Some(path)
}

/// What the program at hand has been built with.
fn points(pregao: &Path) -> Vec<String> {
    let output = Command::new(pregao).args(["version", "--json"]).output().unwrap();
    let version: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let points = version["crash_points"].as_array().cloned().unwrap_or_default();
    points.iter().filter_map(|point| point.as_str().map(str::to_owned)).collect()
}

fn slice(mut server: Option<Server>, first_seed: u64) {
    let Some(pregao) = pregao() else { return };
    let points = points(&pregao);
    let venue = PathBuf::from(env!("CARGO_BIN_EXE_venue"));
    let plan = Plan { pregao, venue, chaos: 3, points, kills: KILLS, takeovers: false };
    for run in 0..RUNS {
        let directory = tempfile::tempdir().unwrap();
        let outcome = play(&plan, directory.path(), first_seed + run, run, server.as_mut()).unwrap();
        let findings = outcome.findings.all();
        if !findings.is_empty() {
            panic!("seed {}: {findings:#?}; everything is in {}", first_seed + run, directory.keep().display());
        }
        assert!(outcome.starts > 0 && outcome.reconciliations > 0, "{outcome:?}");
    }
}

#[test]
fn killed_again_and_again_beside_the_embedded_store() {
    slice(None, 9_000);
}

#[test]
fn killed_again_and_again_beside_postgres() {
    if let Some(server) = Server::start() {
        slice(Some(server), 9_500);
    }
}

#[test]
fn a_daemon_that_was_paused_beyond_its_lease_sends_nothing_more_and_ends() {
    let (Some(pregao), Some(server)) = (pregao(), Server::start()) else { return };
    let directory = tempfile::tempdir().unwrap();
    let venue = Path::new(env!("CARGO_BIN_EXE_venue"));
    let venue = VenueProcess::start(venue, directory.path(), 1, 0).unwrap();
    let stage = Stage::set(directory.path(), &pregao, &venue.address, Some(server.settings("pregao"))).unwrap();
    let quotes = Quotes::start(directory.path(), 1).unwrap();
    let result = take_over(&stage).unwrap();
    drop(quotes);
    assert_eq!(result.problems, [""; 0], "{result:?}");
    assert!(result.commands > 0, "the second daemon has traded: {result:?}");
    assert!(result.ended_after.is_some(), "{result:?}");
}

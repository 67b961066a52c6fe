//! A slice of the failover drill (`scripts/failover` plays more kills): the real program twice, killed once in each of
//! the two places. It needs the real program: a build of the workspace has it.

#![allow(clippy::unwrap_used, reason = "a test that cannot set its stage fails there")]

use std::path::Path;

use store::testing::Server;
use tests::failover::{GOAL, play};

#[test]
fn a_standby_takes_over_in_time_and_nothing_comes_twice() {
    let venue = Path::new(env!("CARGO_BIN_EXE_venue"));
    let pregao = venue.with_file_name("pregao");
    if !pregao.is_file() {
        println!("SKIPPED: there is no {}; cargo build -p pregao, or test the whole workspace", pregao.display());
        return;
    }
    let Some(server) = Server::start() else { return };
    let directory = tempfile::tempdir().unwrap();
    let outcome = play(&pregao, venue, directory.path(), (1, 2), &server).unwrap();
    let findings = outcome.findings.all();
    if !findings.is_empty() {
        panic!("{findings:#?}; everything is in {}", directory.keep().display());
    }
    assert_eq!(outcome.takeovers.len(), 2);
    for takeover in &outcome.takeovers {
        assert!(takeover.active <= GOAL, "{outcome:?}");
    }
    assert!(outcome.orders > 10 && outcome.fills > 0, "they have traded: {outcome:?}");
}

//! The watchdog as a process, beside the real daemon and a venue in another process: killed, stopped in
//! its tracks, with the venue or the server away, and healthy. Needs the real program: a build of the
//! workspace has it.

#![allow(clippy::unwrap_used, reason = "a test that cannot set its stage fails there")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use store::testing::Server;
use tests::kill::stage::{Daemon, Quotes, SILENCE_SECONDS, Stage, VenueProcess};

/// Only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(40);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

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

/// A daemon with orders that rest at the venue, and a watchdog that has seen it live.
struct Scene {
    venue: VenueProcess,
    stage: Stage,
    daemon: Daemon,
    watchdog: Daemon,
    _quotes: Quotes,
    _directory: tempfile::TempDir,
}

#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < give_up, "{what} never came about");
        std::thread::sleep(PAUSE);
    }
}

impl Scene {
    fn set(pregao: &Path, server: Option<&Server>) -> Self {
        Self::at(pregao, server, 0)
    }

    /// Beside a venue of this level of chaos.
    fn at(pregao: &Path, server: Option<&Server>, chaos: u8) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path();
        let mut venue = VenueProcess::start(Path::new(env!("CARGO_BIN_EXE_venue")), place, 1, chaos).unwrap();
        venue.ask("rest").unwrap();
        let settings = server.map(|server| server.settings("watchdog"));
        let stage = Stage::set(place, pregao, &venue.address, settings).unwrap();
        let quotes = Quotes::start(place, 1).unwrap();
        let watchdog = stage.start_watchdog().unwrap();
        let mut daemon = stage.start("0", None).unwrap();
        assert_eq!(daemon.until_running().unwrap(), None, "{}", daemon.said().unwrap());
        let mut scene = Self { venue, stage, daemon, watchdog, _quotes: quotes, _directory: directory };
        until("an order that rests", || !scene.open_orders().is_empty());
        until("a watchdog that watches", || scene.told("watching") && scene.has_told("connected"));
        scene
    }

    fn open_orders(&mut self) -> Vec<Value> {
        self.venue.ask("totals").unwrap()["open_orders"].as_array().cloned().unwrap_or_default()
    }

    /// Orders that the venue has taken so far.
    fn orders(&mut self) -> u64 {
        self.venue.ask("totals").unwrap()["counts"]["orders"].as_u64().unwrap_or_default()
    }

    /// The watchdog's lines of JSON.
    fn lines(&self) -> Vec<Value> {
        let said = self.watchdog.said().unwrap();
        said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn has_told(&self, event: &str) -> bool {
        self.lines().iter().any(|line| line["event"] == event)
    }

    /// Whether it has come into this phase.
    fn told(&self, phase: &str) -> bool {
        self.lines().iter().any(|line| line["event"] == "phase" && line["phase"] == phase)
    }

    /// Everything is cancelled, confirmed, and a halt is stored.
    fn until_fired(&mut self) {
        until("a venue with nothing open", || self.open_orders().is_empty());
        until("the venue's word for it", || self.told("fired"));
    }

    /// A daemon that comes back by itself, as a service manager has it, does not trade.
    fn comes_back_halted(&mut self) {
        let orders = self.orders();
        let mut next = self.stage.start("1", None).unwrap();
        assert_eq!(next.until_running().unwrap(), None, "{}", next.said().unwrap());
        let (_, status) = self.stage.ask(&["status"]).unwrap();
        assert_eq!(status["halt"], "stop_new", "{status}");
        until("a daemon that has compared book and broker", || {
            let (_, status) = self.stage.ask(&["status"]).unwrap();
            status["ready"] == true && status["open_orders"].as_array().is_some_and(Vec::is_empty)
        });
        assert_eq!(self.orders(), orders, "nothing was sent");
        assert!(next.terminate().unwrap().is_some_and(|status| status.success()), "{}", next.said().unwrap());
    }

    /// The watchdog's exit code, and its last document.
    fn end(&mut self) -> Option<i32> {
        let status = self.watchdog.terminate().unwrap().expect("it listens to SIGTERM");
        status.code()
    }
}

#[test]
fn a_daemon_that_is_killed_leaves_nothing_open_and_comes_back_halted() {
    let Some(pregao) = pregao() else { return };
    let mut scene = Scene::set(&pregao, None);
    scene.daemon.kill().unwrap();
    scene.until_fired();
    until("a halt in the store", || scene.stage.stored_halt().is_ok_and(|level| level == "stop_new"));
    scene.comes_back_halted();
    until("a watchdog that watches the next one", || scene.told("stopped"));
    assert_eq!(scene.end(), Some(3), "it works, and has fired");
}

#[test]
fn a_daemon_that_is_paused_wakes_up_halted() {
    let Some(pregao) = pregao() else { return };
    let mut scene = Scene::set(&pregao, None);
    scene.daemon.signal(Signal::STOP).unwrap();
    scene.until_fired();
    let orders = scene.orders();
    scene.daemon.signal(Signal::CONT).unwrap();
    until("a daemon that knows", || {
        let (_, status) = scene.stage.ask(&["status"]).unwrap();
        status["running"] == true && status["halt"] == "stop_new"
    });
    until("its stored halt", || scene.stage.stored_halt().is_ok_and(|level| level == "stop_new"));
    until("a comparison with the broker", || {
        let (_, status) = scene.stage.ask(&["status"]).unwrap();
        status["ready"] == true && status["open_orders"].as_array().is_some_and(Vec::is_empty)
    });
    assert_eq!(scene.orders(), orders, "it has sent nothing since it woke");
    assert!(scene.daemon.terminate().unwrap().is_some_and(|status| status.success()));
    scene.comes_back_halted();
}

#[test]
fn a_venue_that_cannot_be_reached_is_tried_until_it_confirms() {
    let Some(pregao) = pregao() else { return };
    let mut scene = Scene::set(&pregao, None);
    // Stopped in its tracks it closes nothing: the lines are half open.
    scene.venue.signal(Signal::STOP).unwrap();
    scene.daemon.kill().unwrap();
    until("a watchdog that fires", || scene.told("firing"));
    until("a watchdog that sees its own line dead", || scene.has_told("disconnected"));
    assert!(!scene.told("fired"), "nobody has confirmed anything");
    scene.venue.signal(Signal::CONT).unwrap();
    scene.until_fired();
    assert!(scene.has_told("mass_canceled"));
}

#[test]
fn a_venue_that_loses_and_refuses_things_is_asked_again() {
    let Some(pregao) = pregao() else { return };
    let mut scene = Scene::at(&pregao, None, 3);
    scene.daemon.kill().unwrap();
    scene.until_fired();
    assert!(scene.has_told("mass_canceled"));
}

#[test]
fn stopped_while_firing_it_says_that_nothing_is_confirmed() {
    let Some(pregao) = pregao() else { return };
    let mut scene = Scene::set(&pregao, None);
    scene.venue.signal(Signal::STOP).unwrap();
    scene.daemon.kill().unwrap();
    until("a watchdog that fires", || scene.told("firing"));
    assert_eq!(scene.end(), Some(1));
    assert!(scene.watchdog.said().unwrap().contains("has not confirmed that nothing is open"));
}

#[test]
fn it_needs_no_server() {
    let (Some(pregao), Some(mut server)) = (pregao(), Server::start()) else { return };
    let mut scene = Scene::set(&pregao, Some(&server));
    server.stop_at_once();
    scene.daemon.kill().unwrap();
    scene.until_fired();
    // In the data directory; a start carries it to the server.
    until("a halt in the data directory", || scene.stage.stored_halt().is_ok_and(|level| level == "stop_new"));
}

#[test]
fn a_healthy_daemon_and_one_that_says_goodbye_are_left_alone() {
    let Some(pregao) = pregao() else { return };
    let mut scene = Scene::set(&pregao, None);
    let beats = || {
        let text = std::fs::read_to_string(scene.stage.data().join("heartbeat")).unwrap_or_default();
        serde_json::from_str::<Value>(&text).unwrap_or_default()["beats"].as_u64().unwrap_or_default()
    };
    // Five a second: longer than the silence that it fires on, and again.
    until("beats for longer than the limit", || beats() > 5 * SILENCE_SECONDS * 2);
    assert!(!scene.told("firing"));
    assert!(scene.daemon.terminate().unwrap().is_some_and(|status| status.success()));
    until("a goodbye", || scene.told("stopped"));
    // What it leaves open was meant: the venue has never been asked to cancel anything.
    let since = Instant::now();
    until("longer than the limit", || since.elapsed() > Duration::from_secs(SILENCE_SECONDS + 1));
    assert!(!scene.told("firing"));
    let counts = scene.venue.ask("totals").unwrap()["counts"].clone();
    assert_eq!((&counts["mass_cancels"], &counts["watchdog_logons"]), (&Value::Null, &1.into()));
    assert_eq!(scene.end(), Some(0), "{}", scene.watchdog.said().unwrap());
    assert_eq!(scene.stage.stored_halt().unwrap(), "active");
}

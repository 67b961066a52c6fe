//! The pulse of a running tree stops with the thread that trades, whatever else of the process lives.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use actors::feed::{FeedError, Pace};
use actors::system::shared;
use actors::{Clock, FeedSource, Polled, Pulse, System};
use tests::World;

/// Only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A source that holds up the thread that polls it once it is told to, until it is let go.
struct Holding {
    hold: Receiver<()>,
    held: Sender<()>,
    go_on: Receiver<()>,
}

impl FeedSource for Holding {
    fn poll(&mut self) -> Result<Polled, FeedError> {
        if self.hold.try_recv().is_ok() {
            let _ = self.held.send(());
            let _ = self.go_on.recv_timeout(PATIENCE);
        }
        Ok(Polled::Idle)
    }
}

#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < give_up, "{what} never came about");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn comes_on(pulse: &Pulse) {
    let before = pulse.beats();
    until("a beat", || pulse.beats() > before + 2 && pulse.holds());
}

#[test]
fn a_trading_thread_that_stands_still_stops_the_pulse_and_closes_the_gate() {
    let (hold, told_to_hold) = channel();
    let (held, is_held) = channel();
    let (go_on, told_to_go_on) = channel();
    let mut settings = World::random(5, 1, 10, 5).system();
    (settings.clock, settings.pace) = (Clock::System, Pace::Live(Duration::from_millis(5)));
    settings.source = shared(Holding { hold: told_to_hold, held, go_on: told_to_go_on });
    // As in the program: one thread trades.
    let trading = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let system = trading.block_on(async { System::start(settings).await.unwrap() });
    let pulse = system.pulse();
    comes_on(&pulse);

    hold.send(()).unwrap();
    is_held.recv_timeout(PATIENCE).unwrap();
    let beats = pulse.beats();
    until("the end of the lease", || !pulse.holds());
    assert_eq!(pulse.beats(), beats, "nobody else keeps it going");

    go_on.send(()).unwrap();
    comes_on(&pulse);
    trading.block_on(async { system.stop().await.unwrap() });
}

#[test]
fn in_compressed_time_nothing_beats_and_the_gate_needs_no_beat() {
    let world = World::random(5, 1, 10, 5);
    let trading = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (_, system) = trading.block_on(tests::run_to_end(world.system()));
    assert!(system.pulse().holds() && system.pulse().beats() == 0);
    trading.block_on(async { system.stop().await.unwrap() });
}

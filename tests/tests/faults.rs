//! A panic in any actor is survived as its file says: it is restarted, everything else goes on, the
//! book still adds up, and no order is lost, doubled or invented.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actors::feed::FeedError;
use actors::system::shared;
use actors::{Fault, FeedSource, Polled, RestartPolicy, System, SystemSettings};
use market::MarketEvent;
use risk::{HaltLevel, HaltScope};
use tests::World;

/// A source that goes no further than it is allowed to.
struct Gated {
    events: Vec<MarketEvent>,
    next: usize,
    allowed: Arc<AtomicUsize>,
    /// How often the feed came back and found the gate closed: what it brought before is done.
    turned_away: Arc<AtomicUsize>,
}

impl FeedSource for Gated {
    fn poll(&mut self) -> Result<Polled, FeedError> {
        let next = self.next;
        if next >= self.events.len() {
            return Ok(Polled::End);
        }
        if next >= self.allowed.load(Ordering::SeqCst) {
            self.turned_away.fetch_add(1, Ordering::SeqCst);
            return Ok(Polled::Idle);
        }
        self.next += 1;
        Ok(Polled::Event(self.events[next]))
    }
}

struct Gate {
    turned_away: Arc<AtomicUsize>,
    allowed: Arc<AtomicUsize>,
    total: usize,
}

fn gated(world: &World) -> (SystemSettings, Gate) {
    let (allowed, turned_away) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let gate = Gate { turned_away: Arc::clone(&turned_away), allowed: Arc::clone(&allowed), total: world.events.len() };
    let mut settings = world.system();
    settings.source = shared(Gated { events: world.events.clone(), next: 0, allowed, turned_away });
    (settings, gate)
}

/// Waits for something that the actors bring about; the limit only ends a test that hangs.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap_or_else(|_| panic!("{what} never came about"));
}

impl Gate {
    /// Lets this part of the stream through and waits until all that it caused is done.
    async fn advance_to(&self, part: f64) {
        self.allowed.store((self.total as f64 * part) as usize, Ordering::SeqCst);
        let before = self.turned_away.load(Ordering::SeqCst);
        // The first time may be a look from before the gate moved; the second is after the work.
        until("the next part of the stream", || self.turned_away.load(Ordering::SeqCst) >= before + 2).await;
    }

    fn open(&self) {
        self.allowed.store(usize::MAX, Ordering::SeqCst);
    }
}

async fn assert_sound(system: &System, name: &str) -> actors::account::Snapshot {
    let snapshot = system.snapshot().await.expect("the account answers");
    snapshot.desk.book().verify().unwrap_or_else(|difference| panic!("{name}: {difference}"));
    let executions: HashSet<_> = snapshot.record.fills.iter().map(|fill| &fill.execution_id).collect();
    assert_eq!(executions.len(), snapshot.record.fills.len(), "{name}: a fill was applied twice");
    snapshot
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_actor_survives_a_panic() {
    for fault in Fault::KINDS {
        let name = format!("{fault:?}");
        let world = World::random(11, 3, 80, 20);
        let (settings, gate) = gated(&world);
        let system = System::start(settings).await.unwrap();
        gate.advance_to(0.4).await;
        let before = system.snapshot().await.unwrap();
        system.inject(fault);
        until("the restart", || system.restarts().total() == 1).await;
        // A resume by a person, after the limit monitor was away.
        if fault == Fault::Limit(0) {
            assert_eq!(system.halt().level(), HaltLevel::Reducing, "{name}");
            system.halt().set(&HaltScope::Account, HaltLevel::Active);
        }
        gate.open();
        let mut ended = system.ended();
        tokio::time::timeout(Duration::from_secs(30), ended.wait_for(|ended| *ended)).await.unwrap().unwrap();
        let after = assert_sound(&system, &name).await;
        assert_eq!(system.restarts().total(), 1, "{name}: one panic, one restart");
        assert!(system.given_up().borrow().is_empty(), "{name}");
        assert_eq!(system.halt().level(), HaltLevel::Active, "{name}");
        assert_eq!(after.record.counts.anomalies, 0, "{name}");
        let kept = &after.record.fills[..before.record.fills.len()];
        assert_eq!(kept, before.record.fills, "{name}: what was filled before the panic is still there");
        assert!(after.record.fills.len() > before.record.fills.len(), "{name}: trading goes on after the panic");
        system.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_changes_nothing_where_nothing_is_lost() {
    let world = World::random(12, 3, 80, 20);
    let mut backtest = world.backtest();
    world.events.iter().for_each(|event| backtest.step(event));
    let (expected, ..) = backtest.finish();
    // Between two events no message is on its way, so these come back exactly as they were.
    for fault in [Fault::Journal, Fault::Session, Fault::Account, Fault::Broker, Fault::Feed] {
        let (settings, gate) = gated(&world);
        let system = System::start(settings).await.unwrap();
        for part in [0.2, 0.5, 0.8] {
            gate.advance_to(part).await;
            let restarts = system.restarts().total();
            system.inject(fault);
            until("the restart", || system.restarts().total() > restarts).await;
        }
        gate.open();
        let mut ended = system.ended();
        tokio::time::timeout(Duration::from_secs(30), ended.wait_for(|ended| *ended)).await.unwrap().unwrap();
        let snapshot = assert_sound(&system, &format!("{fault:?}")).await;
        assert_eq!(snapshot.record.fingerprint(), expected.fingerprint(), "{fault:?}");
        system.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_actor_that_fails_again_and_again_is_given_up_and_the_rest_goes_on() {
    for (fault, level) in [
        (Fault::Strategy(1), HaltLevel::Active),
        (Fault::Symbol(1), HaltLevel::Active),
        (Fault::Feed, HaltLevel::StopNew),
        (Fault::Account, HaltLevel::Halted),
        (Fault::Journal, HaltLevel::Halted),
        (Fault::Limit(0), HaltLevel::Halted),
    ] {
        let world = World::random(13, 3, 60, 20);
        let (mut settings, gate) = gated(&world);
        settings.policy = RestartPolicy { most: 2, pause: Duration::from_millis(1), ..RestartPolicy::default() };
        let system = System::start(settings).await.unwrap();
        gate.advance_to(0.3).await;
        until("giving up", || {
            system.inject(fault);
            !system.given_up().borrow().is_empty()
        })
        .await;
        assert_eq!(system.restarts().total(), 2, "{fault:?}");
        assert_eq!(system.halt().level(), level, "{fault:?}");
        if matches!(fault, Fault::Strategy(_) | Fault::Symbol(_)) {
            gate.open();
            let mut ended = system.ended();
            tokio::time::timeout(Duration::from_secs(30), ended.wait_for(|ended| *ended)).await.unwrap().unwrap();
            assert_sound(&system, &format!("{fault:?}")).await;
        }
        let _ = system.stop().await;
    }
}

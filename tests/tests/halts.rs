//! The halt ladder through live actors: nothing but what a level allows leaves after the answer to a kill,
//! flatten ends flat, a resume trades on, and the journal replays all of it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actors::feed::{FeedError, Pace};
use actors::system::{Resumed, recover, shared};
use actors::{Clock, FeedSource, Polled, System};
use brokers::{Broker, BrokerEvent, SendError, SimulatedExchange};
use desk::{Entry, Execution, Replay};
use market::order::{CancelOrder, ReplaceOrder};
use market::{
    Bar, Calendar, ExecutionReport, FeeSchedule, InstrumentId, MarketEvent, NewOrder, Phase, PhaseChange, Timestamp,
};
use risk::{Approved, HaltLevel, HaltScope, HaltSwitch};
use store::{Journal, MemoryJournal};
use tests::{MemoryHalt, World};

/// An exchange that notes what comes in while everything is stopped.
struct Watching {
    inner: SimulatedExchange,
    /// The answer to a kill is there.
    stopped: Arc<AtomicBool>,
    submitted: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
    against: Arc<AtomicUsize>,
}

impl Broker for Watching {
    fn name(&self) -> &str {
        "watching"
    }

    fn submit(
        &mut self,
        order: &Approved<NewOrder>,
        now: Timestamp,
        reports: &mut Vec<ExecutionReport>,
    ) -> Result<(), SendError> {
        self.submitted.fetch_add(1, Ordering::SeqCst);
        self.closed.fetch_add(usize::from(order.closes()), Ordering::SeqCst);
        let is_against = self.stopped.load(Ordering::SeqCst) && !order.closes();
        self.against.fetch_add(usize::from(is_against), Ordering::SeqCst);
        self.inner.submit(order, now, reports)
    }

    fn cancel(
        &mut self,
        cancel: &Approved<CancelOrder>,
        now: Timestamp,
        reports: &mut Vec<ExecutionReport>,
    ) -> Result<(), SendError> {
        self.inner.cancel(cancel, now, reports)
    }

    fn replace(
        &mut self,
        replace: &Approved<ReplaceOrder>,
        now: Timestamp,
        reports: &mut Vec<ExecutionReport>,
    ) -> Result<(), SendError> {
        self.against.fetch_add(usize::from(self.stopped.load(Ordering::SeqCst)), Ordering::SeqCst);
        self.inner.replace(replace, now, reports)
    }

    fn request_statement(&mut self, now: Timestamp, events: &mut Vec<BrokerEvent>) -> Result<(), SendError> {
        self.inner.request_statement(now, events)
    }

    fn on_market(&mut self, event: &MarketEvent, reports: &mut Vec<ExecutionReport>) {
        self.inner.on_market(event, reports);
    }

    fn on_phase(&mut self, change: &PhaseChange, reports: &mut Vec<ExecutionReport>) {
        self.inner.on_phase(change, reports);
    }
}

/// Bars that end as they are asked for, without an end.
struct Endless {
    bars: Vec<Bar>,
    next: usize,
}

impl FeedSource for Endless {
    fn poll(&mut self) -> Result<Polled, FeedError> {
        let bar = self.bars[self.next % self.bars.len()];
        self.next += 1;
        Ok(Polled::Event(MarketEvent::bar(Bar { end: Clock::System.now(), ..bar })))
    }
}

async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let limit = tokio::time::Instant::now() + Duration::from_secs(60);
    while !so().await {
        assert!(tokio::time::Instant::now() < limit, "{what} never came");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flatten_ends_flat_a_resume_trades_on_and_the_journal_replays_both() {
    let mut world = World::random(31, 3, 200, 20);
    let bars = world.history.between(world.start, Timestamp::MAX);
    world.calendar = Calendar::always_open();
    world.start = Clock::System.now();
    world.kinds = vec![("moving_average_cross", Execution::Market), ("donchian_breakout", Execution::Limit)];
    let memory = MemoryJournal::default();
    let counter = Arc::<AtomicUsize>::default;
    let (stopped, submitted, closed, against) = (Arc::<AtomicBool>::default(), counter(), counter(), counter());
    let halts = Arc::new(Mutex::new(MemoryHalt::default()));
    let mut settings = world.system();
    settings.clock = Clock::System;
    settings.pace = Pace::Live(Duration::from_millis(1));
    settings.source = shared(Endless { bars, next: 0 });
    settings.journal = shared(memory.clone());
    settings.halt_store = Arc::clone(&halts) as _;
    settings.conduct.calendar = "always_open";
    let names: Vec<String> = world.hosted().into_iter().map(|hosted| hosted.settings.name).collect();
    settings.halt = HaltSwitch::of_run(names.clone(), world.universe.iter().map(|(_, known)| known.symbol).collect());
    settings.halt.set(&HaltScope::Global, HaltLevel::Active);
    settings.connection = shared(Watching {
        inner: SimulatedExchange::new(world.simulation, Arc::clone(&world.universe), Phase::Continuous)
            .with_statements(world.start),
        stopped: Arc::clone(&stopped),
        submitted: Arc::clone(&submitted),
        closed: Arc::clone(&closed),
        against: Arc::clone(&against),
    });
    let system = System::start(settings).await.expect("the system starts");
    let inquiry = system.inquiry();
    let held = async || {
        let desk = system.snapshot().await.expect("the account answers").desk;
        let ids: Vec<InstrumentId> = world.universe.ids().collect();
        ids.into_iter().filter(|id| !desk.book().position(*id).quantity.is_zero()).count()
    };
    until("a position", async || held().await > 0 && submitted.load(Ordering::SeqCst) > 3).await;

    let asker = inquiry.clone();
    let killed = tokio::task::spawn_blocking(move || {
        asker.kill(&HaltScope::Global, HaltLevel::Flatten, "ana", "a drill").expect("it is stored")
    });
    assert_eq!(killed.await.expect("it answers"), HaltLevel::Flatten);
    stopped.store(true, Ordering::SeqCst);
    until("flat", async || {
        let desk = system.snapshot().await.expect("the account answers").desk;
        held().await == 0 && desk.book().open_orders().is_empty()
    })
    .await;
    assert!(closed.load(Ordering::SeqCst) > 0, "flat by closing orders");
    assert_eq!(against.load(Ordering::SeqCst), 0, "nothing else has left");
    let standing = inquiry.halts();
    assert_eq!((standing.len(), &*standing[0].by, &*standing[0].level), (1, "ana", "flatten"));

    let plan = inquiry.flatten_plan(&HaltScope::Global).await.expect("the account answers");
    assert!(plan.cancels.is_empty() && plan.closings.is_empty(), "{plan:?}");
    inquiry.resume(None, "rui", " ", None).await.expect_err("a reason is wanted");
    stopped.store(false, Ordering::SeqCst);
    let lifted = inquiry.resume(None, "rui", "the drill is over", None).await.expect("it may be lifted");
    assert_eq!(lifted, Resumed::Lifted(vec![(HaltScope::Global, HaltLevel::Flatten)]));
    assert_eq!(halts.lock().unwrap_or_else(PoisonError::into_inner).0.last().expect("stored").level, "active");
    until("a position again", async || held().await > 0).await;

    let last = system.stop().await.expect("it stops");
    last.desk.book().verify().expect("the book adds up");
    let (mut replay, mut closings) = (Replay::new("TEST", FeeSchedule::b3()), 0);
    let account = "TEST".parse().expect("a tag");
    let mut entries = Vec::new();
    let read = memory.read(account, 1, &mut |entry| {
        entries.push(entry);
        Ok(())
    });
    read.expect("the journal reads");
    for entry in entries {
        let read: Entry = serde_json::from_str(&entry.payload).expect("an entry");
        closings += usize::from(matches!(read, Entry::Intent { closes: true, .. }));
        replay.entry(entry.sequence, entry.at, read).expect("it leads on");
    }
    let report = replay.finish().expect("a report");
    assert_eq!((report.differences, report.lost_inputs), (Vec::new(), Vec::new()));
    assert_eq!(closings, closed.load(Ordering::SeqCst));
    let rebuilt = recover(&world.desk(), names, &(shared(memory) as _), &HaltSwitch::default());
    let rebuilt = rebuilt.expect("the journal leads to a desk").desk;
    for id in world.universe.ids() {
        assert_eq!(rebuilt.book().position(id), last.desk.book().position(id));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_person_is_asked_for_and_a_halt_in_between_voids_the_proposal() {
    let world = World::random(7, 2, 5, 2);
    let mut settings = world.system();
    settings.conduct.second_person = true;
    let system = System::start(settings).await.expect("the system starts");
    let inquiry = system.inquiry();
    let kill = |level| inquiry.kill(&HaltScope::Account, level, "ana", "odd").expect("it is stored");
    let resume = async |by| inquiry.resume(Some(&HaltScope::Account), by, "explained", None).await;
    resume("rui").await.expect_err("nothing is halted");
    kill(HaltLevel::StopNew);
    assert!(matches!(resume("ana").await, Ok(Resumed::Lifted(_))), "a mild one takes one person");
    kill(HaltLevel::CancelAll);
    assert!(matches!(resume("ana").await, Ok(Resumed::Proposed { .. })));
    // Whoever says stop again has seen something that the proposal did not know of.
    kill(HaltLevel::CancelAll);
    assert!(matches!(resume("rui").await, Ok(Resumed::Proposed { .. })));
    resume(" Rui").await.expect_err("the same person");
    assert!(matches!(resume("ana").await, Ok(Resumed::Lifted(_))));
    assert_eq!(inquiry.halts(), []);
    system.stop().await.expect("it stops");
}

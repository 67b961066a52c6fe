//! Intent first: no order leaves before its intent is durable, and none once the journal has failed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actors::feed::{FeedError, Pace};
use actors::system::{recover, shared};
use actors::{Clock, Fault, FeedSource, Polled, RestartPolicy, System};
use brokers::{Broker, BrokerEvent, SendError, SimulatedExchange};
use desk::Execution;
use market::order::{CancelOrder, ReplaceOrder};
use market::{
    Bar, Calendar, ClientOrderId, ExecutionReport, MarketEvent, NewOrder, Phase, PhaseChange, ReportKind, Timestamp,
};
use risk::{Approved, HaltLevel, HaltSwitch};
use store::journal::AccountTag;
use store::{Journal, JournalEntry, MemoryJournal, StoreError, Verification};
use tests::{MemoryHalt, World, run_to_end};

/// A journal that refuses everything from its nth batch on.
struct Failing {
    inner: MemoryJournal,
    batches: usize,
    left: usize,
    failed: Arc<AtomicBool>,
}

impl Journal for Failing {
    fn append(&mut self, entries: &[JournalEntry]) -> Result<(), StoreError> {
        if self.batches >= self.left {
            self.failed.store(true, Ordering::SeqCst);
            return Err(StoreError::Full { place: "the test's disk".to_owned(), source: "no room".into() });
        }
        self.batches += 1;
        self.inner.append(entries)
    }

    fn last_sequence(&self, account: AccountTag) -> Result<u64, StoreError> {
        self.inner.last_sequence(account)
    }

    fn read(
        &self,
        account: AccountTag,
        from: u64,
        visit: &mut dyn FnMut(JournalEntry) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.inner.read(account, from, visit)
    }

    fn accounts(&self) -> Result<Vec<AccountTag>, StoreError> {
        self.inner.accounts()
    }
}

/// An exchange that compares each order with the journal at the moment it comes in.
struct Watching {
    inner: SimulatedExchange,
    journal: MemoryJournal,
    failed: Arc<AtomicBool>,
    submitted: Arc<AtomicUsize>,
    after_failure: Arc<AtomicUsize>,
    fills: Arc<AtomicUsize>,
}

impl Watching {
    fn holds(&self, id: ClientOrderId) -> bool {
        let mut found = false;
        let account = "TEST".parse().expect("a tag");
        let read = self.journal.read(account, 1, &mut |entry| {
            found |= entry.kind == "intent" && entry.payload.contains(&id.to_string());
            Ok(())
        });
        read.is_ok() && found
    }
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
        let id = order.get().client_order_id;
        assert!(self.holds(id), "{id} left before its intent was durable");
        self.submitted.fetch_add(1, Ordering::SeqCst);
        self.after_failure.fetch_add(usize::from(self.failed.load(Ordering::SeqCst)), Ordering::SeqCst);
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
        self.inner.replace(replace, now, reports)
    }

    fn request_statement(&mut self, now: Timestamp, events: &mut Vec<BrokerEvent>) -> Result<(), SendError> {
        self.inner.request_statement(now, events)
    }

    fn on_market(&mut self, event: &MarketEvent, reports: &mut Vec<ExecutionReport>) {
        let before = reports.len();
        self.inner.on_market(event, reports);
        let fills = reports.iter().skip(before).filter(|report| matches!(report.kind, ReportKind::Fill { .. }));
        self.fills.fetch_add(fills.count(), Ordering::SeqCst);
    }

    fn on_phase(&mut self, change: &PhaseChange, reports: &mut Vec<ExecutionReport>) {
        self.inner.on_phase(change, reports);
    }
}

/// A journal whose every sync takes its time, as a disk's does.
struct Slow {
    inner: MemoryJournal,
    busy: Arc<AtomicBool>,
}

impl Journal for Slow {
    fn append(&mut self, entries: &[JournalEntry]) -> Result<(), StoreError> {
        self.busy.store(true, Ordering::SeqCst);
        // Not a wait for something to happen: this is the disk.
        std::thread::sleep(Duration::from_millis(2));
        let appended = self.inner.append(entries);
        self.busy.store(false, Ordering::SeqCst);
        appended
    }

    fn last_sequence(&self, account: AccountTag) -> Result<u64, StoreError> {
        self.inner.last_sequence(account)
    }

    fn read(
        &self,
        account: AccountTag,
        from: u64,
        visit: &mut dyn FnMut(JournalEntry) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.inner.read(account, from, visit)
    }

    fn accounts(&self) -> Result<Vec<AccountTag>, StoreError> {
        self.inner.accounts()
    }
}

/// Bars that end as they are asked for: a live market in a hurry, which waits for nobody.
struct Hurried {
    bars: Vec<Bar>,
    next: usize,
}

impl FeedSource for Hurried {
    fn poll(&mut self) -> Result<Polled, FeedError> {
        let Some(bar) = self.bars.get(self.next).copied() else { return Ok(Polled::End) };
        self.next += 1;
        Ok(Polled::Event(MarketEvent::bar(Bar { end: Clock::System.now(), ..bar })))
    }
}

struct Outcome {
    submitted: usize,
    after_failure: usize,
    level: HaltLevel,
    stored: Option<String>,
    denied_by_journal: u64,
}

async fn run(batches: usize) -> Outcome {
    let mut world = World::random(21, 4, 120, 20);
    world.kinds.push(("moving_average_cross", Execution::Limit));
    let memory = MemoryJournal::default();
    let failed = Arc::new(AtomicBool::new(false));
    let (submitted, after_failure) = (Arc::default(), Arc::default());
    let mut settings = world.system();
    let halt_store = Arc::new(Mutex::new(MemoryHalt::default()));
    settings.halt_store = Arc::clone(&halt_store) as _;
    settings.journal =
        shared(Failing { inner: memory.clone(), batches: 0, left: batches, failed: Arc::clone(&failed) });
    settings.connection = shared(Watching {
        inner: SimulatedExchange::new(
            world.simulation,
            Arc::clone(&world.universe),
            world.calendar.phase_at(world.start),
        )
        .with_statements(world.start),
        journal: memory,
        failed,
        submitted: Arc::clone(&submitted),
        after_failure: Arc::clone(&after_failure),
        fills: Arc::default(),
    });
    let (snapshot, system) = run_to_end(settings).await;
    snapshot.desk.book().verify().expect("the book adds up");
    let outcome = Outcome {
        submitted: submitted.load(Ordering::SeqCst),
        after_failure: after_failure.load(Ordering::SeqCst),
        level: system.halt().level(),
        stored: halt_store.lock().expect("whole").0.last().map(|record| record.level.clone()),
        denied_by_journal: snapshot.desk.denials().get("journal").copied().unwrap_or_default(),
    };
    drop(system);
    outcome
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_order_leaves_before_its_intent_is_durable() {
    let outcome = run(usize::MAX).await;
    assert!(outcome.submitted > 20, "{} orders", outcome.submitted);
    assert_eq!((outcome.level, outcome.stored), (HaltLevel::Active, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_new_order_leaves_once_the_journal_has_failed() {
    let whole = run(usize::MAX).await;
    let outcome = run(400).await;
    assert_eq!(outcome.after_failure, 0);
    assert!(outcome.submitted > 0 && outcome.submitted < whole.submitted, "{} orders", outcome.submitted);
    assert_eq!(outcome.level, HaltLevel::StopNew);
    assert_eq!(outcome.stored.as_deref(), Some("stop_new"), "the halt outlives the process");
    assert!(outcome.denied_by_journal > 0);
}

/// Waits for something that the actors bring about; the limit only ends a test that hangs.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap_or_else(|_| panic!("{what} never came about"));
}

/// The Account, the Journal and the Broker panic while the disk is busy and more entries wait. The
/// exchange asserts that no order comes in before the store holds it; nothing halts, the chain is
/// whole, every fill arrives once, and the journal leads to the book that the account has.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn panics_with_entries_on_their_way_neither_lose_the_journal_nor_halt() {
    let elsewhere = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    for fault in [Fault::Account, Fault::Journal, Fault::Broker] {
        let mut world = World::random(22, 4, 320, 20);
        let bars = world.history.between(world.start, Timestamp::MAX);
        world.calendar = Calendar::always_open();
        world.start = Clock::System.now();
        world.kinds = vec![("moving_average_cross", Execution::Market), ("donchian_breakout", Execution::Market)];
        let memory = MemoryJournal::default();
        let (submitted, fills, busy) = (Arc::default(), Arc::default(), Arc::new(AtomicBool::new(false)));
        let mut settings = world.system();
        settings.clock = Clock::System;
        settings.pace = Pace::Live(Duration::from_millis(1));
        settings.source = shared(Hurried { bars, next: 0 });
        settings.durable = true;
        settings.journal_runtime = Some(elsewhere.handle().clone());
        settings.journal = shared(Slow { inner: memory.clone(), busy: Arc::clone(&busy) });
        settings.policy = RestartPolicy { most: 10_000, pause: Duration::ZERO, ..RestartPolicy::default() };
        settings.connection = shared(Watching {
            inner: SimulatedExchange::new(world.simulation, Arc::clone(&world.universe), Phase::Continuous)
                .with_statements(world.start),
            journal: memory.clone(),
            failed: Arc::default(),
            submitted: Arc::clone(&submitted),
            after_failure: Arc::default(),
            fills: Arc::clone(&fills),
        });
        let system = System::start(settings).await.expect("the system starts");
        let ended = system.ended();
        let mut injected = 0;
        until("the end of the stream", async || {
            // While the disk is busy, whatever else is on its way waits in a mailbox.
            if busy.load(Ordering::SeqCst) && injected < 12 {
                system.inject(fault);
                injected += 1;
            }
            *ended.borrow()
        })
        .await;
        until("every fill", async || {
            let snapshot = system.snapshot().await;
            snapshot.is_ok_and(|now| now.uncommitted == 0 && now.record.fills.len() == fills.load(Ordering::SeqCst))
        })
        .await;
        // How often the disk is found busy depends on the machine, and a second fault goes down with the
        // mailbox that it waits in.
        assert!(injected > 0, "{fault:?}: the disk was never busy");
        until("a restart", async || system.restarts().total() > 0).await;
        assert_eq!(system.halt().level(), HaltLevel::Active, "{fault:?}");
        assert!(submitted.load(Ordering::SeqCst) > 5, "{fault:?}");
        let last = system.stop().await.expect("it stops");
        last.desk.book().verify().expect("the book adds up");
        let account = "TEST".parse().expect("a tag");
        assert!(matches!(memory.verify(account), Ok(Verification::Intact { .. })), "{fault:?}");
        let mut rebuilt = recover(&world.desk(), names(&world), &(shared(memory) as _), &HaltSwitch::default())
            .expect("the journal leads to a desk")
            .desk;
        for id in world.universe.ids() {
            assert_eq!(rebuilt.book().position(id), last.desk.book().position(id), "{fault:?}");
            rebuilt.mark(id, last.desk.book().mark_of(id));
        }
        assert_eq!(rebuilt.book().equity(), last.desk.book().equity(), "{fault:?}");
    }
    elsewhere.shutdown_background();
}

fn names(world: &World) -> Vec<String> {
    world.hosted().into_iter().map(|hosted| hosted.settings.name).collect()
}

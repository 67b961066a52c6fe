//! Intent first: no order leaves before its intent is durable, and none once the journal has failed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actors::system::shared;
use brokers::{Broker, BrokerOrder, SendError, SimulatedExchange};
use desk::Execution;
use market::order::{CancelOrder, ReplaceOrder};
use market::{ClientOrderId, ExecutionReport, MarketEvent, NewOrder, PhaseChange, Timestamp};
use risk::{Approved, HaltLevel};
use store::journal::AccountTag;
use store::{Journal, JournalEntry, MemoryJournal, StoreError};
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

    fn find(&self, id: &ClientOrderId) -> Result<Option<BrokerOrder>, SendError> {
        self.inner.find(id)
    }

    fn on_market(&mut self, event: &MarketEvent, reports: &mut Vec<ExecutionReport>) {
        self.inner.on_market(event, reports);
    }

    fn on_phase(&mut self, change: &PhaseChange, reports: &mut Vec<ExecutionReport>) {
        self.inner.on_phase(change, reports);
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
        ),
        journal: memory,
        failed,
        submitted: Arc::clone(&submitted),
        after_failure: Arc::clone(&after_failure),
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

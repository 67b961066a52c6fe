//! Limits that a person changes while the engine runs: they count from their place in the journal on, a
//! replay makes every decision by the limits of its moment, and a change that is not durable is none.

#![allow(clippy::unwrap_used, reason = "tests end by panicking")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actors::feed::FeedError;
use actors::system::shared;
use actors::{Fault, FeedSource, LimitsOrder, Polled, RestartPolicy, System, SystemSettings};
use desk::{Entry, Replay, ReplayReport};
use market::{FeeSchedule, MarketEvent, Money, Timestamp};
use risk::{HaltLevel, LimitSet, Limits};
use store::journal::AccountTag;
use store::{Journal, JournalEntry, MemoryJournal, StoreError};
use tests::World;

type Entries = Vec<(u64, Timestamp, Entry)>;

/// The stream up to an event, and the rest once it is let.
struct Gated {
    events: Vec<MarketEvent>,
    next: usize,
    until: usize,
    /// Events before the gate have been brought and decided on.
    waits: Arc<AtomicBool>,
    open: Arc<AtomicBool>,
}

impl FeedSource for Gated {
    fn poll(&mut self) -> Result<Polled, FeedError> {
        if self.next >= self.until && !self.open.load(Ordering::SeqCst) {
            self.waits.store(true, Ordering::SeqCst);
            return Ok(Polled::Idle);
        }
        let event = self.events.get(self.next).copied();
        self.next += 1;
        Ok(event.map_or(Polled::End, Polled::Event))
    }
}

/// A journal that can be told to fail.
struct Sick {
    inner: MemoryJournal,
    fails: Arc<AtomicBool>,
    refused: Arc<AtomicUsize>,
}

impl Journal for Sick {
    fn append(&mut self, entries: &[JournalEntry]) -> Result<(), StoreError> {
        if self.fails.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(StoreError::Full { place: "the test's disk".to_owned(), source: "no room".into() });
        }
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

/// A run that stands still in the middle of its stream.
struct Rig {
    system: System,
    journal: Arc<Mutex<dyn Journal>>,
    waits: Arc<AtomicBool>,
    open: Arc<AtomicBool>,
    fails: Arc<AtomicBool>,
}

impl Rig {
    async fn start(world: &World) -> Self {
        let mut settings: SystemSettings = world.system();
        let (waits, open, fails) = (Arc::default(), Arc::default(), Arc::default());
        let sick = Sick { inner: MemoryJournal::default(), fails: Arc::clone(&fails), refused: Arc::default() };
        settings.journal = shared(sick);
        settings.source = shared(Gated {
            events: world.events.clone(),
            next: 0,
            until: world.events.len() / 2,
            waits: Arc::clone(&waits),
            open: Arc::clone(&open),
        });
        settings.policy = RestartPolicy::default();
        let journal = Arc::clone(&settings.journal);
        let rig = Self { system: System::start(settings).await.unwrap(), journal, waits, open, fails };
        rig.until("the gate", || rig.waits.load(Ordering::SeqCst)).await;
        rig
    }

    async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let wait = async {
            while !is_so() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait).await.unwrap_or_else(|_| panic!("waiting for {what}"));
    }

    /// Goes on to the end of the stream.
    async fn finish(self) -> Entries {
        self.open.store(true, Ordering::SeqCst);
        let mut ended = self.system.ended();
        tokio::time::timeout(Duration::from_secs(60), ended.wait_for(|ended| *ended)).await.unwrap().unwrap();
        self.system.stop().await.unwrap();
        let mut entries = Vec::new();
        let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let read = journal.read("TEST".parse().unwrap(), 1, &mut |entry| {
            entries.push((entry.sequence, entry.at, serde_json::from_str(&entry.payload).unwrap()));
            Ok(())
        });
        read.unwrap();
        entries
    }
}

fn replay(entries: &Entries) -> ReplayReport {
    let mut replay = Replay::new("TEST", FeeSchedule::b3());
    for (sequence, at, entry) in entries.iter().cloned() {
        replay.entry(sequence, at, entry).unwrap();
    }
    replay.finish().unwrap()
}

fn order(limits: Limits) -> LimitsOrder {
    let (by, second) = ("maria".to_owned(), Some("joão".to_owned()));
    LimitsOrder { limits, by, second, reason: "less room today".to_owned() }
}

/// So little money in one order that every buy is denied.
fn tight(world: &World) -> Limits {
    LimitSet { max_order_notional: Money::from_cents(100), ..world.limits }.into()
}

/// Where the limits changed, and decisions before and after it: intents and denials by that limit.
fn around_the_change(entries: &Entries) -> (u64, [(usize, usize); 2]) {
    let place = entries.iter().find(|(_, _, entry)| matches!(entry, Entry::Limits { .. })).unwrap().0;
    let count = |after: bool| {
        let some = entries.iter().filter(|(sequence, ..)| (*sequence > place) == after);
        let buys = |entry: &Entry| matches!(entry, Entry::Intent { order, .. } if order.side == market::Side::Buy);
        let denied = |entry: &Entry| matches!(entry, Entry::Denied { check, .. } if check == "order_notional");
        some.fold((0, 0), |(bought, refused), (_, _, entry)| {
            (bought + usize::from(buys(entry)), refused + usize::from(denied(entry)))
        })
    };
    (place, [count(false), count(true)])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lowered_limits_count_from_their_entry_on_and_replay_knows_it() {
    let world = World::random(7, 4, 120, 20);
    let rig = Rig::start(&world).await;
    let inquiry = rig.system.inquiry();
    let entry = inquiry.set_limits(order(tight(&world))).await.unwrap();
    assert_eq!(inquiry.limits().limits(), &tight(&world));
    // Also an account that starts anew knows them, and says so.
    rig.system.inject(Fault::Account);
    rig.until("the restart", || !rig.system.restarts().by_actor().is_empty()).await;
    let entries = rig.finish().await;

    let (place, [before, after]) = around_the_change(&entries);
    assert_eq!(place, entry);
    assert!(before.0 > 0 && before.1 == 0, "{before:?}");
    assert!(after.0 == 0 && after.1 > 0, "{after:?}");
    let started: Vec<Limits> = entries
        .iter()
        .filter_map(|(_, _, entry)| match entry {
            Entry::Started { origin, .. } => Some(origin.as_ref().unwrap().limits.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(started, [world.limits.into(), tight(&world)]);
    let report = replay(&entries);
    assert_eq!(report.differences, [], "{report:?}");
    assert_eq!(report.lost_inputs, []);
    assert!(report.matched > 0);

    // And a replay by other limits than those of the moment would differ.
    let mut forged = entries;
    for (_, _, entry) in &mut forged {
        match entry {
            Entry::Limits { limits, .. } => **limits = world.limits.into(),
            Entry::Started { origin: Some(origin), .. } => origin.limits = world.limits.into(),
            _ => {}
        }
    }
    assert!(!replay(&forged).differences.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_that_do_not_become_durable_are_taken_back() {
    let world = World::random(7, 4, 120, 20);
    let rig = Rig::start(&world).await;
    let inquiry = rig.system.inquiry();
    rig.fails.store(true, Ordering::SeqCst);
    let error = inquiry.set_limits(order(tight(&world))).await.unwrap_err().to_string();
    assert!(error.contains("the limits were not changed: the journal failed"), "{error}");
    assert!(error.contains("the limits before stay in force"), "{error}");
    assert_eq!(inquiry.limits().limits().global, world.limits);
    assert_eq!(rig.system.snapshot().await.unwrap().desk.limits().limits().global, world.limits);
    // A journal that is known to be down is not asked.
    let error = inquiry.set_limits(order(tight(&world))).await.unwrap_err().to_string();
    assert!(error.contains("the journal does not answer"), "{error}");
    // As after every failure of the journal, a person has to resume.
    assert_eq!(rig.system.halt().level(), HaltLevel::StopNew);
    // In compressed time nothing ticks, so the Journal's restart is what has everything sent again.
    rig.fails.store(false, Ordering::SeqCst);
    rig.system.inject(Fault::Journal);
    rig.until("the restart", || !rig.system.restarts().by_actor().is_empty()).await;
    let entries = rig.finish().await;
    // The change and its taking back are both there, in this order, and nothing was decided in between.
    let changes: Vec<(u64, Limits)> = entries
        .iter()
        .filter_map(|(sequence, _, entry)| match entry {
            Entry::Limits { limits, .. } => Some((*sequence, (**limits).clone())),
            _ => None,
        })
        .collect();
    assert_eq!(
        changes.iter().map(|(_, limits)| limits.clone()).collect::<Vec<_>>(),
        [tight(&world), world.limits.into()]
    );
    let between = entries.iter().filter(|(sequence, ..)| (changes[0].0..changes[1].0).contains(sequence));
    let decided = |entry: &Entry| matches!(entry, Entry::Intent { .. } | Entry::Denied { .. });
    assert_eq!(between.filter(|(_, _, entry)| decided(entry)).count(), 0);
    assert_eq!(replay(&entries).differences, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daily_loss_is_watched_by_the_limit_of_the_moment() {
    let world = World::random(7, 4, 120, 20);
    let rig = Rig::start(&world).await;
    let one_centavo = LimitSet { max_daily_loss: Money::from_cents(1), ..world.limits }.into();
    rig.system.inquiry().set_limits(order(one_centavo)).await.unwrap();
    assert_eq!(rig.system.halt().level(), HaltLevel::Active);
    let halt = rig.system.halt().clone();
    let entries = rig.finish().await;
    assert_eq!(halt.level(), HaltLevel::Reducing, "some day loses a centavo");
    let halted = |entry: &Entry| matches!(entry, Entry::Halt { by, .. } if by == "daily_loss");
    assert!(entries.iter().any(|(_, _, entry)| halted(entry)));
    assert_eq!(replay(&entries).differences, []);
}

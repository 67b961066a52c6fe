//! A session's journal re-runs to the same decisions, bit for bit (invariant 13), whatever died in it,
//! and a replay names what was tampered with.

#![allow(clippy::unwrap_used, reason = "tests end by panicking")]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actors::system::shared;
use actors::{Clock, Fault, RestartPolicy, System, SystemSettings};
use desk::replay::story::{Storyteller, Subject};
use desk::{Entry, Execution, Heard, Replay, ReplayReport};
use market::{Bar, ClientOrderId, FeeSchedule, MarketEvent, Money, Price, Quantity, Timestamp};
use proptest::prelude::*;
use risk::Figure;
use store::{Journal, MemoryJournal};
use tests::{World, run_to_end};

type Entries = Vec<(u64, Timestamp, Entry)>;

/// A system on a journal that outlives it.
fn recorded(world: &World) -> (SystemSettings, Arc<Mutex<dyn Journal>>) {
    let settings = world.system();
    let journal = Arc::clone(&settings.journal);
    (settings, journal)
}

fn entries(journal: &Arc<Mutex<dyn Journal>>) -> Entries {
    let mut entries = Vec::new();
    let journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
    let read = journal.read("TEST".parse().unwrap(), 1, &mut |entry| {
        entries.push((entry.sequence, entry.at, serde_json::from_str(&entry.payload).unwrap()));
        Ok(())
    });
    read.unwrap();
    entries
}

fn replay(entries: &Entries) -> ReplayReport {
    let mut replay = Replay::new("TEST", FeeSchedule::b3());
    for (sequence, at, entry) in entries.iter().cloned() {
        replay.entry(sequence, at, entry).unwrap();
    }
    replay.finish().unwrap()
}

fn run(world: &World) -> Entries {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (settings, journal) = recorded(world);
        let (_, system) = run_to_end(settings).await;
        system.stop().await.unwrap();
        entries(&journal)
    })
}

#[track_caller]
fn assert_same(report: &ReplayReport) {
    assert_eq!(report.differences, [], "{report:?}");
    assert_eq!(report.decisions, report.matched + report.accepted_as_given + report.reviewed_only);
}

fn world(seed: u64, sessions: usize) -> World {
    let mut world = World::random(seed, 3, sessions, 20);
    // Tight enough that each kind of decision is made.
    match seed % 4 {
        0 => world.limits.max_order_notional = Money::from_cents(3_150_000),
        1 => world.cash = Money::from_cents(4_000_000),
        2 => world.limits.max_daily_loss = Money::from_cents(30_000),
        _ => {
            world.kinds = ["rsi_mean_reversion", "moving_average_cross"].map(|kind| (kind, Execution::Limit)).into();
            world.events = minutes(&world, seed);
        }
    }
    world
}

/// Bars of a minute in a few sessions: orders are still open when their strategy changes its mind.
fn minutes(world: &World, seed: u64) -> Vec<MarketEvent> {
    let mut events = Vec::new();
    let days = world.calendar.sessions(world.start.local_date(), world.calendar.horizon());
    let mut state = seed;
    let mut cents = [2_000_i64, 2_500, 3_000];
    for day in days.into_iter().take(4) {
        let opening = day.and_hms_opt(11, 0, 0).and_then(Timestamp::from_local).unwrap();
        for minute in 1..=120 {
            for (instrument, close) in world.universe.ids().zip(&mut cents) {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                // Minutes do not begin where the one before ended, so a limit at that price may rest.
                let open = *close + (state >> 13) as i64 % 21 - 10;
                *close = (open + (state >> 33) as i64 % 31 - 15).max(500);
                let price = |cents: i64| Price::from_cents(cents).unwrap();
                events.push(MarketEvent::bar(Bar {
                    end: opening.plus_nanos(minute * 60_000_000_000),
                    instrument,
                    open: price(open),
                    high: price(open.max(*close) + 2),
                    low: price(open.min(*close) - 2),
                    close: price(*close),
                    volume: Quantity::new(50_000),
                }));
            }
        }
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn every_decision_of_a_random_world_is_made_again(seed in 0_u64..1_000_000) {
        let report = replay(&run(&world(seed, 60)));
        assert_same(&report);
        prop_assert_eq!(&report.lost_inputs, &[]);
        prop_assert_eq!(report.decisions, report.matched);
        prop_assert!(report.decisions > 5 && report.sessions.len() > 3, "{report:?}");
        prop_assert_eq!(report.fingerprint.len(), 64);
    }
}

#[test]
fn each_kind_of_decision_is_made_again() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..8 {
        let entries = run(&world(seed, 90));
        for (.., entry) in &entries {
            match entry {
                Entry::Denied { check, .. } => seen.insert(check.clone()),
                other => seen.insert(other.kind().to_owned()),
            };
        }
        let report = replay(&entries);
        assert_same(&report);
        assert_eq!(report.fingerprint, replay(&entries).fingerprint);
    }
    for kind in ["intent", "cancel_intent", "order_notional", "buying_power", "halted", "heard", "strategy_started"] {
        assert!(seen.contains(kind), "{kind} is not among {seen:?}");
    }
}

/// What is tampered with, and the field that the replay must name at that entry.
type Tamper = fn(&mut Entry) -> bool;

#[test]
fn what_was_tampered_with_is_named() {
    let entries = run(&world(0, 90));
    assert_same(&replay(&entries));
    let tampers: [(&str, Tamper); 8] = [
        ("limit", |entry| match entry {
            Entry::Denied { limit: Figure::Money(limit), .. } => {
                *limit += Money::from_cents(1);
                true
            }
            _ => false,
        }),
        ("because", |entry| match entry {
            Entry::Denied { because, .. } => {
                because.push('!');
                true
            }
            _ => false,
        }),
        ("signal", |entry| match entry {
            Entry::Intent { signal, .. } => {
                let value = &mut signal.values[0].1;
                *value = f64::from_bits(value.to_bits() ^ 1);
                true
            }
            _ => false,
        }),
        ("signal", |entry| match entry {
            Entry::Denied { request, .. } => {
                request.signal.rule = "a hunch".into();
                true
            }
            _ => false,
        }),
        ("worst_price", |entry| match entry {
            Entry::Intent { worst_price, .. } => {
                *worst_price = worst_price.saturating_add(Price::from_steps(1));
                true
            }
            _ => false,
        }),
        ("quantity", |entry| match entry {
            Entry::Denied { request, .. } => {
                request.quantity += Quantity::new(100);
                true
            }
            _ => false,
        }),
        // A price that the review saw.
        ("worst_price", |entry| match entry {
            Entry::Intent { evidence: Some(evidence), order, .. } if order.order_type.limit_price().is_none() => {
                for price in [&mut evidence.top.ask, &mut evidence.top.bid, &mut evidence.top.last] {
                    *price = price.saturating_sub(Price::from_steps(price.steps() / 50));
                }
                true
            }
            _ => false,
        }),
        ("decision", |entry| match entry {
            Entry::Intent { evidence: Some(evidence), .. } => {
                evidence.halt = risk::HaltLevel::StopNew;
                true
            }
            _ => false,
        }),
    ];
    for (place, (what, tamper)) in tampers.into_iter().enumerate() {
        let mut tampered = entries.clone();
        let at = tampered.iter_mut().filter(|(.., entry)| tamper(&mut entry.clone())).nth(2);
        let (sequence, _, entry) = at.unwrap_or_else(|| panic!("nothing for tamper {place}"));
        let sequence = *sequence;
        tamper(entry);
        let report = replay(&tampered);
        let found = report.differences.first().unwrap_or_else(|| panic!("tamper {place} ({what}) went unseen"));
        assert_eq!((found.sequence, found.what.as_str()), (sequence, what), "tamper {place}: {found:?}");
    }
}

#[test]
fn a_heard_price_that_was_tampered_with_changes_a_request() {
    let entries = run(&world(0, 90));
    // The bar that a strategy decided on: its close stands in the signal.
    let decided = entries.windows(2).position(|pair| matches!(pair[1].2, Entry::Intent { .. })).unwrap();
    let mut tampered = entries.clone();
    let (sequence, _, Entry::Heard { heard, .. }) = &mut tampered[decided] else {
        panic!("an intent follows what was heard");
    };
    let sequence = *sequence;
    let bar = heard.iter_mut().rev().find_map(|thing| match thing {
        Heard::Market(MarketEvent::Bar { bar, .. }) => Some(bar),
        _ => None,
    });
    let bar = bar.unwrap();
    bar.close = bar.close.saturating_add(Price::from_steps(1_000_000));
    bar.high = bar.high.max(bar.close);
    let report = replay(&tampered);
    let first = report.differences.first().expect("a difference");
    assert!((sequence..=sequence + 1).contains(&first.sequence), "{first:?}");

    // An entry of what was heard that is gone is lost input, and said so.
    let mut cut = entries.clone();
    cut.remove(decided);
    let report = replay(&cut);
    assert!(!report.differences.is_empty() || !report.lost_inputs.is_empty());
    // So is a decision that is gone: it was asked for, and nothing came of it.
    let denied = entries.iter().position(|(.., entry)| matches!(entry, Entry::Denied { .. })).unwrap();
    let mut cut = entries;
    cut.remove(denied);
    let report = replay(&cut);
    assert_eq!(report.differences.len(), 1, "{:?}", report.differences);
    assert_eq!(report.differences[0].recorded, "nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_leaves_a_journal_that_replays() {
    for fault in [Fault::Strategy(0), Fault::Account, Fault::Journal, Fault::Broker, Fault::Symbol(0)] {
        for seed in 0..3 {
            let world = world(20 + seed, 80);
            let (mut settings, journal) = recorded(&world);
            settings.policy = RestartPolicy { pause: Duration::from_millis(1), ..RestartPolicy::default() };
            let system = System::start(settings).await.unwrap();
            // In the midst of it, wherever that is.
            let mut ended = system.ended();
            while system.restarts().total() < 2 && !*ended.borrow() {
                system.inject(fault);
                tokio::time::sleep(Duration::from_millis(2 + seed * 5)).await;
            }
            tokio::time::timeout(Duration::from_secs(30), ended.wait_for(|ended| *ended)).await.unwrap().unwrap();
            // Of a fast machine the end is seen before the fault.
            let restarted = async {
                while system.restarts().total() == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(30), restarted).await.expect("the fault is a restart");
            system.stop().await.unwrap();
            let report = replay(&entries(&journal));
            assert_eq!(report.differences, [], "{fault:?} {seed}");
            if report.lost_inputs.is_empty() {
                assert_eq!(report.reviewed_only, 0, "{fault:?} {seed}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runs_in_one_journal_replay_as_one() {
    let world = world(0, 90);
    let journal = shared(MemoryJournal::default());
    let half = world.events.len() / 2;
    for (place, events) in [&world.events[..half], &world.events[half..]].into_iter().enumerate() {
        let mut part = world.clone();
        part.events = events.to_vec();
        if place > 0 {
            part.start = events[0].at().plus_nanos(-1);
        }
        let mut settings = part.system();
        settings.journal = Arc::clone(&journal) as _;
        settings.clock = Clock::simulated(part.start);
        let halt = settings.halt.clone();
        let names = settings.strategies.iter().map(|hosted| hosted.settings.name.clone()).collect();
        let found = actors::system::recover(&settings.desk, names, &settings.journal, &halt).unwrap();
        settings.conduct.entries_before = found.sequence;
        settings.reports_after = found.broker_sequence;
        let mut exchange = brokers::SimulatedExchange::new(
            part.simulation,
            Arc::clone(&part.universe),
            part.calendar.phase_at(part.start),
        )
        .with_statements(part.start);
        exchange.continue_executions_after(found.fills);
        for instrument in part.universe.ids() {
            exchange.restore_position(instrument, found.desk.book().position(instrument).quantity);
        }
        for order in found.desk.book().open_orders() {
            exchange.restore(order.intent, order.order_type, order.quantity, order.cumulative);
        }
        settings.connection = shared(exchange);
        let (_, system) = run_to_end(settings).await;
        system.stop().await.unwrap();
    }
    let journal: Arc<Mutex<dyn Journal>> = journal;
    let entries = entries(&journal);
    assert_eq!(entries.iter().filter(|(.., entry)| matches!(entry, Entry::Started { .. })).count(), 2);
    let report = replay(&entries);
    assert_same(&report);
    assert_eq!(report.lost_inputs, []);

    // One session alone: the same decisions, and no others.
    let busiest = report.sessions.iter().max_by_key(|session| session.decisions).unwrap();
    let mut one = Replay::new("TEST", FeeSchedule::b3()).only(Some(busiest.date));
    for (sequence, at, entry) in entries {
        one.entry(sequence, at, entry).unwrap();
    }
    let one = one.finish().unwrap();
    assert_eq!((one.sessions.as_slice(), one.decisions), (&[*busiest][..], busiest.decisions));
}

#[test]
fn a_story_tells_every_check_and_every_report() {
    let entries = run(&world(0, 90));
    let tell = |subject| {
        let mut teller = Storyteller::new("TEST", FeeSchedule::b3(), subject);
        for (sequence, at, entry) in entries.iter().cloned() {
            teller.entry(sequence, at, entry).unwrap();
        }
        teller.finish()
    };
    let filled = entries.iter().find_map(|(.., entry)| match entry {
        Entry::Report { report, .. } if report.kind.name() == "fill" => Some(report.client_order_id),
        _ => None,
    });
    let story = tell(Subject::Order(filled.unwrap())).unwrap();
    let kinds: Vec<&str> = story.moments.iter().map(|moment| moment.entry.kind()).collect();
    assert_eq!(kinds[0], "intent");
    assert!(kinds.contains(&"sent") && kinds.contains(&"report"), "{kinds:?}");
    let checks = story.moments[0].checks.as_ref().unwrap();
    assert_eq!((checks.checks.len(), checks.denial()), (risk::CHECKS.len(), None));
    assert!(story.asker.is_some() && story.heard.is_some() && story.signal.is_some());
    assert_eq!(story.moments.last().unwrap().standing.unwrap().status, Some(oms::OrderStatus::Filled));

    let denied = entries.iter().find(|(.., entry)| matches!(entry, Entry::Denied { .. })).unwrap().0;
    let story = tell(Subject::Denied(denied)).unwrap();
    let Entry::Denied { check, asked, .. } = &story.moments[0].entry else { panic!("a denial") };
    let told = story.moments[0].checks.as_ref().unwrap().denial().unwrap();
    assert_eq!((told.check, told.asked), (check.as_str(), *asked));

    let unknown = ClientOrderId::new("TEST", market::Date::from_ymd_opt(2030, 1, 2).unwrap(), 7).unwrap();
    let error = tell(Subject::Order(unknown)).unwrap_err().to_string();
    assert!(error.contains("no order TEST-20300102-000007") && error.contains("nearest day"), "{error}");
    let error = tell(Subject::Denied(1)).unwrap_err().to_string();
    assert!(error.contains("no denial") && error.contains(&denied.to_string()), "{error}");
}

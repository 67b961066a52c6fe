//! A journal made again after what goes wrong around an account: a journal that fails, an account that
//! is overloaded, a connection that is gone, a mailbox that is lost, an engine that ends in between.
//!
//! A strategy, the order protocol, a journal and a broker, one step after another; `tests/tests/replay.rs`
//! does the same with the actors.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use desk::{
    Ask, Command, Effect, Entry, Execution, Heard, HostSettings, Input, Listen, Notice, NoticeKind, Origin, Patience,
    Protocol, ProtocolSettings, Replay, ReplayReport, Restore, Sizing, StrategyHost, StrategyOrigin, rebuild,
};
use market::{
    ExecutionId, ExecutionReport, FeeSchedule, MarketEvent, OrderReference, Price, Quantity, Quote, ReportKind,
    StatedOrder, StatedStatus, Statement, StrategyId, Timestamp, TopOfBook,
};
use risk::{Count, HaltLevel, HaltScope, HaltSwitch, LimitTable, Limits, Seconds};
use strategies::Parameters;

use crate::world::{PETR4, id, noon, settings, universe};

struct Room {
    protocol: Protocol,
    host: StrategyHost,
    halt: HaltSwitch,
    now: Timestamp,
    top: TopOfBook,
    heard: Vec<Heard>,
    told: u64,
    /// What is durable.
    entries: BTreeMap<u64, (Timestamp, Entry)>,
    journal_works: bool,
    broker_answers: bool,
    reports: u64,
    /// Orders as the broker has them.
    open: Vec<StatedOrder>,
}

const KIND: &str = "moving_average_cross";

fn parameters() -> BTreeMap<String, f64> {
    [("fast".to_owned(), 1.0), ("slow".to_owned(), 2.0)].into()
}

impl Room {
    fn open() -> Self {
        Self::held_to(|_| {})
    }

    fn held_to(change: impl FnOnce(&mut Limits)) -> Self {
        let universe = universe(&["PETR4", "BOVA11"]);
        let (halt, mut made_of) = (HaltSwitch::at(HaltLevel::Active), settings(Arc::clone(&universe), noon()));
        let mut limits = made_of.limits.limits().clone();
        change(&mut limits);
        made_of.limits = Arc::new(LimitTable::new(limits, &universe, &["cross".to_owned()]));
        let host_settings = HostSettings {
            id: StrategyId(0),
            name: "cross".to_owned(),
            instruments: vec![PETR4],
            listen: Listen::Quotes,
            sizing: Sizing::Quantity(Quantity::new(500)),
            execution: Execution::Limit,
            flat_by: None,
        };
        let origin = Origin {
            version: "test".to_owned(),
            start: noon(),
            calendar: "b3".to_owned(),
            instruments: universe.iter().map(|(_, known)| known.clone()).collect(),
            limits: made_of.limits.limits().clone(),
            brokerage: made_of.book.brokerage,
        };
        let protocol_settings = ProtocolSettings {
            strategies: vec![host_settings.clone()],
            patience: Patience::default(),
            origin,
            snapshot_every: u64::MAX,
        };
        let restored = Restore::new(made_of, vec!["cross".to_owned()], halt.clone(), 0).finish().expect("nothing read");
        let entry = strategies::find(KIND).expect("a listed strategy");
        let checked = Parameters::check(entry.parameters, parameters()).expect("valid parameters");
        let strategy = (entry.build)(&checked, &[PETR4]).expect("a strategy");
        let mut room = Self {
            protocol: Protocol::new(protocol_settings, restored, 1),
            host: StrategyHost::new(strategy, host_settings.clone(), universe),
            halt,
            now: noon(),
            top: TopOfBook::default(),
            heard: Vec::new(),
            told: 0,
            entries: BTreeMap::new(),
            journal_works: true,
            broker_answers: true,
            reports: 0,
            open: Vec::new(),
        };
        let mut effects = Vec::new();
        room.protocol.begin(room.now, true, &mut effects);
        room.carry_out(effects);
        let origin = StrategyOrigin {
            kind: KIND.to_owned(),
            parameters: parameters(),
            settings: host_settings,
            bars: Vec::new(),
        };
        room.take(Input::StrategyStarted(origin));
        room.take(Input::Hello { strategy: StrategyId(0) });
        room
    }

    fn take(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.protocol.handle(self.now, input, &mut effects);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        let mut answers = VecDeque::new();
        for effect in effects {
            match effect {
                Effect::Begin { writer, entries } | Effect::Append { writer, entries } => {
                    if !self.journal_works {
                        answers.push_back(Input::JournalFailed { writer, reason: "no room".to_owned() });
                        continue;
                    }
                    for entry in &entries {
                        let read = serde_json::from_str(&entry.payload).expect("an entry");
                        self.entries.insert(entry.sequence, (entry.at, read));
                    }
                    answers.extend(entries.last().map(|last| Input::Committed { writer, through: last.sequence }));
                }
                Effect::Send(command) => answers.extend(self.send(command)),
                Effect::AskStatement { question } => {
                    answers.push_back(Input::Statement { question, statement: Box::new(self.statement()) });
                }
                Effect::Tell { notice, .. } => {
                    self.host.on_notice(&notice);
                    self.heard.push(Heard::Notice(notice));
                }
                Effect::Raise { scope, level, .. } => drop(self.halt.raise(&scope, level)),
                _ => {}
            }
        }
        answers.into_iter().for_each(|answer| self.take(answer));
    }

    fn send(&mut self, command: Command) -> Option<Input> {
        if let Command::Submit(order) = &command {
            let order = order.get();
            self.open.push(StatedOrder {
                reference: OrderReference::Own(order.client_order_id),
                instrument: order.instrument,
                side: order.side,
                quantity: order.quantity,
                limit_price: order.order_type.limit_price(),
                cumulative: Quantity::ZERO,
                status: StatedStatus::Open,
            });
        }
        if !self.broker_answers {
            return None;
        }
        let kind = match &command {
            Command::Submit(_) => ReportKind::New,
            Command::Cancel(cancel) => {
                let id = OrderReference::Own(cancel.get().client_order_id);
                self.open.retain(|order| order.reference != id);
                ReportKind::Canceled { reason: String::new() }
            }
            Command::Replace(_) => return None,
        };
        let (client_order_id, instrument) = (command.client_order_id(), command.instrument());
        self.reports += 1;
        let report = ExecutionReport { at: self.now, client_order_id, instrument, kind };
        Some(Input::Report { report, sequence: self.reports })
    }

    fn statement(&self) -> Statement {
        Statement {
            at: self.now,
            since: noon(),
            orders: self.open.clone(),
            executions: Vec::new(),
            revoked: Vec::new(),
            positions: Vec::new(),
            elsewhere: Vec::new(),
        }
    }

    /// A quote a second later; gives what it made the strategy want.
    fn quote(&mut self, cents: i64) -> Vec<Ask> {
        self.now = self.now.plus_nanos(1_000_000_000);
        let price = |cents| Price::from_cents(cents).expect("a price");
        let quote = Quote {
            at: self.now,
            instrument: PETR4,
            bid: price(cents),
            ask: price(cents + 2),
            bid_size: Quantity::new(100),
            ask_size: Quantity::new(100),
        };
        let event = MarketEvent::Quote(quote);
        self.top.apply(&event);
        let mut asks = Vec::new();
        self.host.on_market(&event, &mut asks);
        self.heard.push(event.into());
        asks
    }

    /// The account is told of the last price.
    fn look(&mut self) {
        let (instrument, top) = (PETR4, self.top);
        self.take(Input::Look { instrument, top });
    }

    /// The broker fills the order of this number.
    fn fill(&mut self, number: u32, units: i64, cents: i64) {
        let client_order_id = id(number);
        self.open.retain(|order| order.reference != OrderReference::Own(client_order_id));
        self.reports += 1;
        let price = Price::from_cents(cents).expect("a price");
        let execution_id = ExecutionId::new(&format!("X{}", self.reports));
        let kind = ReportKind::Fill { execution_id, price, quantity: Quantity::new(units) };
        let report = ExecutionReport { at: self.now, client_order_id, instrument: PETR4, kind };
        self.take(Input::Report { report, sequence: self.reports });
    }

    /// Tells the account what was heard and what is wanted.
    fn tell(&mut self, asks: Vec<Ask>) {
        let heard = std::mem::take(&mut self.heard);
        let (strategy, after) = (StrategyId(0), self.told);
        self.told += heard.len() as u64;
        self.take(Input::Heard { strategy, after, heard });
        for ask in asks {
            self.take(Input::Ask { strategy, ask, top: self.top });
        }
    }

    /// Prices that go up, then down: the strategy buys, then takes the order back.
    fn swing(&mut self) {
        for cents in [1_000, 990, 980, 1_000, 1_010, 1_005, 970] {
            let asks = self.quote(cents);
            if !asks.is_empty() {
                self.tell(asks);
            }
        }
    }

    fn replay(&self) -> ReplayReport {
        replayed(&self.entries)
    }

    fn kinds(&self, kind: &str) -> usize {
        self.entries.values().filter(|(_, entry)| entry.kind() == kind).count()
    }
}

fn replayed(entries: &BTreeMap<u64, (Timestamp, Entry)>) -> ReplayReport {
    let mut replay = Replay::new("TEST", FeeSchedule::b3());
    for (sequence, (at, entry)) in entries {
        replay.entry(*sequence, *at, entry.clone()).expect("a journal that can be replayed");
    }
    replay.finish().expect("a journal with a session")
}

#[track_caller]
fn assert_same(report: &ReplayReport) {
    assert_eq!(report.differences, [], "{report:?}");
    assert_eq!(report.decisions, report.matched + report.accepted_as_given + report.reviewed_only, "{report:?}");
}

#[test]
fn orders_and_cancels_are_made_again() {
    let mut room = Room::open();
    room.swing();
    room.swing();
    assert!(room.kinds("intent") >= 2 && room.kinds("cancel_intent") >= 2, "{:?}", room.entries);
    let report = room.replay();
    assert_same(&report);
    assert_eq!((report.decisions, report.lost_inputs.len()), (report.matched, 0));
    assert_eq!(report.decisions as usize, room.kinds("intent") + room.kinds("cancel_intent"));
}

/// Runs away with its first fill, is resumed, and goes on.
fn a_strategy_that_is_stopped_and_resumed() -> Room {
    let mut room = Room::held_to(|limits| {
        limits.global.max_repeated_executions = Count(1);
        limits.global.repeated_execution_seconds = Seconds(3_600);
    });
    let step = |room: &mut Room, cents| {
        let asks = room.quote(cents);
        room.look();
        room.tell(asks);
    };
    for cents in [1_000, 990, 980, 1_000, 1_010] {
        step(&mut room, cents);
    }
    room.fill(1, 500, 1_002);
    for cents in [1_020, 1_000, 990] {
        step(&mut room, cents);
    }
    let (by, reason) = ("Maria".to_owned(), "the fills are right".to_owned());
    let (scope, level, at) = (HaltScope::Strategy("cross".to_owned()), HaltLevel::Active, room.now);
    room.take(Input::Halted { scope, level, by, reason, at });
    for cents in [980, 1_000, 980] {
        step(&mut room, cents);
    }
    room
}

#[test]
fn a_strategy_that_runs_away_is_stopped_until_a_person_resumes_it() {
    let room = a_strategy_that_is_stopped_and_resumed();
    assert_eq!(room.kinds("latched"), 1);
    let by = |(_, entry): &&(Timestamp, Entry)| matches!(entry, Entry::Denied { check, .. } if check == "repeated_executions");
    assert!(room.entries.values().any(|entry| by(&entry)), "{:?}", room.entries);
    assert!(room.kinds("intent") >= 2, "the sale after the resumption: {:?}", room.entries);
    let told = |(_, entry): &(Timestamp, Entry)| match entry {
        Entry::Intent { evidence: Some(evidence), .. } | Entry::Denied { evidence: Some(evidence), .. } => {
            Some(evidence.marks.len())
        }
        _ => None,
    };
    assert!(room.entries.values().filter_map(told).any(|marks| marks > 0), "marks are journaled");
    assert_same(&room.replay());
}

#[test]
fn a_latch_holds_over_a_restart_and_a_resumption_does_too() {
    let room = a_strategy_that_is_stopped_and_resumed();
    let latched = room.entries.iter().find(|(_, (_, entry))| entry.kind() == "latched").map(|(sequence, _)| *sequence);
    // Recovered with limits that would never have latched: what the journal says counts.
    let stopped = |upto: u64| {
        let made_of = settings(universe(&["BOVA11", "PETR4"]), noon());
        let mut restore = Restore::new(made_of, vec!["other".to_owned(), "cross".to_owned()], room.halt.clone(), 0);
        for (sequence, (at, entry)) in room.entries.range(..=upto) {
            let text = serde_json::to_string(entry).expect("plain data");
            restore.entry(*sequence, *at, &text).expect("an entry that applies");
        }
        restore.finish().expect("a sound book").desk.activity().stopped()
    };
    let tripped = stopped(latched.expect("a latch"));
    assert_eq!(tripped.iter().map(|tripped| tripped.strategy).collect::<Vec<_>>(), [StrategyId(1)]);
    assert_eq!(stopped(u64::MAX), []);
}

#[test]
fn a_journal_without_its_latch_is_found_out() {
    let mut room = a_strategy_that_is_stopped_and_resumed();
    room.entries.retain(|_, (_, entry)| entry.kind() != "latched");
    let found = room.replay().differences;
    assert!(found.iter().any(|difference| difference.what == "latch"), "{found:?}");
}

#[test]
fn a_journal_that_fails_leaves_requests_without_an_entry() {
    let mut room = Room::open();
    room.swing();
    room.journal_works = false;
    room.swing();
    room.swing();
    room.journal_works = true;
    room.take(Input::Tick);
    assert_eq!(room.protocol.uncommitted(), 0, "the journal is back");
    room.halt.set(&HaltScope::Account, HaltLevel::Active);
    room.swing();
    let halts = room.entries.values().filter(|(_, entry)| matches!(entry, Entry::Halt { by, .. } if by == "journal"));
    assert_eq!(halts.count(), 1);
    let report = room.replay();
    assert_same(&report);
    assert!(report.accepted_as_given > 0 && report.matched > 2, "{report:?}");
}

#[test]
fn what_an_overloaded_account_never_heard_of_is_not_missed() {
    let mut room = Room::open();
    for cents in [1_000, 990, 980, 1_000, 1_010, 1_005, 970] {
        let mut asks = room.quote(cents);
        if asks.is_empty() {
            continue;
        }
        // As the Strategy actor drops it.
        asks.retain(|ask| {
            let Ask::Submit(request) = ask else { return true };
            let (instrument, side, quantity) = (request.instrument, request.side, request.quantity);
            let holding = room.host.holding(instrument);
            room.heard.push(Heard::Dropped(instrument, side, quantity));
            let notice = Notice { instrument, holding, kind: NoticeKind::Denied { side, quantity } };
            room.host.on_notice(&notice);
            room.heard.push(Heard::Notice(notice));
            false
        });
        room.tell(asks);
    }
    room.swing();
    let dropped = |(_, entry): &&(Timestamp, Entry)| matches!(entry, Entry::Heard { heard, .. } if heard.iter().any(|thing| matches!(thing, Heard::Dropped(..))));
    assert!(room.entries.values().filter(dropped).count() > 0);
    let report = room.replay();
    assert_same(&report);
    assert_eq!(report.decisions, report.matched);
}

#[test]
fn what_the_protocol_denies_and_cancels_is_taken_as_given() {
    let mut room = Room::open();
    // Without a connection nothing new is taken on.
    room.take(Input::Disconnected { reason: "gone".to_owned() });
    room.swing();
    room.take(Input::Connected);
    // The broker falls silent over a cancel, the connection is replaced, and the order is still open.
    for cents in [960, 950, 980] {
        let asks = room.quote(cents);
        room.tell(asks);
    }
    assert_eq!(room.kinds("intent"), 1);
    room.broker_answers = false;
    for cents in [990, 985, 940] {
        let asks = room.quote(cents);
        room.tell(asks);
    }
    assert_eq!(room.kinds("cancel_intent"), 1);
    room.take(Input::Disconnected { reason: "gone".to_owned() });
    room.take(Input::Connected);
    assert_eq!(room.kinds("cancel_intent"), 2, "asked for again");
    let report = room.replay();
    assert_same(&report);
    assert!(room.kinds("denied") >= 1);
    assert_eq!(report.accepted_as_given as usize, 1 + room.kinds("denied"), "{report:?}");
}

#[test]
fn a_lost_mailbox_is_named_and_what_follows_is_only_reviewed() {
    let mut room = Room::open();
    room.swing();
    // The account died with this in its mailbox.
    let asks = room.quote(900);
    let lost = std::mem::take(&mut room.heard).len() as u64;
    (room.told, _) = (room.told + lost, asks);
    room.swing();
    let report = room.replay();
    assert_same(&report);
    let told: Vec<&str> = report.lost_inputs.iter().map(|lost| lost.what.as_str()).collect();
    assert_eq!(told, [format!("{lost} things that it heard")]);
    assert!(report.matched > 0 && report.reviewed_only > 0, "{report:?}");
}

#[test]
fn an_engine_that_ends_between_what_was_heard_and_its_intent_leaves_a_journal_that_replays() {
    let mut room = Room::open();
    room.swing();
    let whole = room.entries.len() as u64;
    for end in 2..=whole {
        let cut: BTreeMap<_, _> = room.entries.range(..=end).map(|(key, value)| (*key, value.clone())).collect();
        assert_same(&replayed(&cut));
    }
}

#[test]
fn what_an_old_journal_lacks_is_named_with_its_entry() {
    let mut room = Room::open();
    room.swing();
    let error = |change: fn(&mut Entry)| {
        let mut replay = Replay::new("TEST", FeeSchedule::b3());
        let mut entries = room.entries.clone();
        entries.values_mut().for_each(|(_, entry)| change(entry));
        let told = entries.into_iter().find_map(|(sequence, (at, entry))| replay.entry(sequence, at, entry).err());
        told.expect("an error").to_string()
    };
    let without_origin = error(|entry| {
        if let Entry::Started { origin, .. } = entry {
            *origin = None;
        }
    });
    assert!(without_origin.starts_with("journal entry 1 (started) does not say"), "{without_origin}");
    let intent = room.entries.iter().find(|(_, (_, entry))| entry.kind() == "intent").expect("an intent").0;
    let without_evidence = error(|entry| {
        if let Entry::Intent { evidence, .. } = entry {
            *evidence = None;
        }
    });
    assert!(without_evidence.starts_with(&format!("journal entry {intent} (intent) does not say")));
    let elsewhere = error(|entry| {
        if let Entry::Started { origin: Some(origin), .. } = entry {
            origin.calendar = "moon".to_owned();
        }
    });
    assert!(elsewhere.contains("calendar 'moon'") && elsewhere.contains("version test"), "{elsewhere}");
    let unknown = error(|entry| {
        if let Entry::StrategyStarted(origin) = entry {
            origin.kind = "hunch".to_owned();
        }
    });
    assert!(unknown.contains("strategy 'hunch'"), "{unknown}");
}

#[test]
fn the_desk_of_a_replay_is_the_one_that_recovery_makes() {
    let mut room = Room::open();
    room.swing();
    let made_of = settings(universe(&["PETR4", "BOVA11"]), noon());
    let mut recovered = desk::Desk::new(made_of, HaltSwitch::default());
    let mut steps = rebuild(&mut recovered);
    let mut replay = Replay::new("TEST", FeeSchedule::b3());
    for (sequence, (at, entry)) in &room.entries {
        steps.apply(*sequence, *at, entry.clone()).expect("an entry that applies");
        replay.entry(*sequence, *at, entry.clone()).expect("a journal that can be replayed");
    }
    let book = replay.desk().expect("a desk").book();
    for (one, other) in [(book, recovered.book()), (book, room.protocol.desk().book())] {
        assert_eq!(one.open_orders(), other.open_orders());
        assert_eq!((one.cash(), one.reserved()), (other.cash(), other.reserved()));
    }
}

//! A desk rebuilt from its entries is the desk that left them.

use std::collections::BTreeMap;

use desk::{Desk, Entry, RebuildError, rebuild};
use market::order::{ReplaceOrder, Signal};
use market::{
    Calendar, ClientOrderId, Date, ExecutionId, ExecutionReport, InstrumentId, Phase, PhaseChange, Quantity,
    ReportKind, Side, StrategyId, Timestamp,
};
use proptest::prelude::*;
use proptest::sample::Index;
use risk::{HaltLevel, HaltSwitch};

use crate::world::{PETR4, fill, id, money, noon, price, report, request, settings, top, universe};

const RECORDED: [&str; 3] = ["PETR4", "BOVA11", "VALE3"];

#[derive(Clone, Debug)]
enum Step {
    Ask { strategy: u16, instrument: u32, side: Side, units: i64, cents: i64 },
    Cancel(Index),
    Replace(Index, i64, i64),
    Lost(Index),
    Report(Index, usize, i64),
    Phase(Phase),
    NextDay,
}

fn step() -> impl Strategy<Value = Step> {
    let side = prop_oneof![2 => Just(Side::Buy), 1 => Just(Side::Sell)];
    let ask = (0_u16..2, 0_u32..3, side, 1_i64..10, 970_i64..1_030);
    prop_oneof![
        6 => ask.prop_map(|(strategy, instrument, side, units, cents)| Step::Ask { strategy, instrument, side, units, cents }),
        1 => any::<Index>().prop_map(Step::Cancel),
        2 => (any::<Index>(), 1_i64..10, 970_i64..1_030).prop_map(|(of, units, cents)| Step::Replace(of, units, cents)),
        1 => any::<Index>().prop_map(Step::Lost),
        12 => (any::<Index>(), 0_usize..10, 1_i64..65).prop_map(|(of, kind, part)| Step::Report(of, kind, part)),
        1 => prop_oneof![Just(Phase::Closed), Just(Phase::Continuous)].prop_map(Step::Phase),
        1 => Just(Step::NextDay),
    ]
}

/// A desk at work, and the entries that its owner would have written.
struct Live {
    desk: Desk,
    now: Timestamp,
    sessions: Vec<Date>,
    session: usize,
    entries: Vec<Entry>,
    ids: Vec<ClientOrderId>,
    executions: u64,
}

impl Live {
    fn new() -> Self {
        let universe = universe(&RECORDED);
        let instruments = universe.iter().map(|(_, instrument)| instrument.symbol).collect();
        let desk = Desk::new(settings(universe, noon()), HaltSwitch::at(HaltLevel::Active));
        let strategies = vec!["one".to_owned(), "two".to_owned()];
        let first = noon().local_date();
        Self {
            desk,
            now: noon(),
            sessions: Calendar::b3().sessions(first, Date::from_ymd_opt(2026, 6, 12).expect("a date")),
            session: 0,
            entries: vec![Entry::Started { instruments, strategies, cash: money("100000"), origin: None }],
            ids: Vec::new(),
            executions: 0,
        }
    }

    fn pick(&self, which: &Index) -> ClientOrderId {
        if self.ids.is_empty() { id(999) } else { *which.get(&self.ids) }
    }

    fn instrument_of(&self, id: &ClientOrderId) -> InstrumentId {
        self.desk.book().order(id).map_or(PETR4, |order| order.intent.instrument)
    }

    fn phase(&mut self, phase: Phase) {
        let change = PhaseChange { at: self.now, phase, session: self.sessions[self.session] };
        self.desk.phase(&change);
        self.entries.push(Entry::Phase { change });
    }

    fn step(&mut self, step: &Step) {
        self.now = self.now.plus_nanos(1_000_000_000);
        let (top, now) = (top(self.now), self.now);
        match *step {
            Step::Ask { strategy, instrument, side, units, cents } => {
                let of = InstrumentId::new(instrument);
                let lot = self.desk.universe().get(of).expect("known").lot.units();
                let limit = format!("{}.{:02}", cents / 100, cents % 100);
                let mut request = request(side, units * lot, of, &limit);
                request.strategy = StrategyId(strategy);
                match self.desk.request(&request, top, now) {
                    Ok(approved) => {
                        let (order, worst_price) = (*approved.get(), approved.worst_price());
                        self.ids.push(order.client_order_id);
                        self.entries.push(Entry::Intent {
                            order,
                            worst_price,
                            signal: request.signal,
                            evidence: None,
                            closes: false,
                        });
                    }
                    Err(denial) => self.entries.push(Entry::denied(request, &denial, None)),
                }
            }
            Step::Cancel(which) => {
                if let Ok(approved) = self.desk.cancel(self.pick(&which), now) {
                    self.entries.push(Entry::CancelIntent { cancel: *approved.get(), stops: false });
                }
            }
            Step::Replace(which, units, cents) => {
                let client_order_id = self.pick(&which);
                let instrument = self.instrument_of(&client_order_id);
                let lot = self.desk.universe().get(instrument).expect("known").lot.units();
                let limit_price = market::Price::from_cents(cents);
                let quantity = Quantity::new(units * lot);
                let replace = ReplaceOrder { client_order_id, instrument, quantity, limit_price, decided_at: now };
                if let Ok(approved) = self.desk.replace(replace, top, now) {
                    let worst_price = approved.worst_price();
                    self.entries.push(Entry::ReplaceIntent { replace, worst_price, evidence: None });
                }
            }
            Step::Lost(which) => {
                let client_order_id = self.pick(&which);
                if self.desk.outcome_unknown(client_order_id).is_ok() {
                    self.entries.push(Entry::OutcomeUnknown { client_order_id, reason: String::new() });
                }
            }
            Step::Report(which, kind, part) => self.report(&which, kind, part),
            Step::Phase(phase) => self.phase(phase),
            Step::NextDay => {
                self.phase(Phase::Closed);
                self.session += 1;
                let date = self.sessions[self.session];
                self.now = date.and_hms_opt(12, 0, 0).and_then(Timestamp::from_local).expect("a time");
                self.phase(Phase::Continuous);
            }
        }
    }

    fn report(&mut self, which: &Index, kind: usize, part: i64) {
        let client_order_id = self.pick(which);
        let order = self.desk.book().order(&client_order_id);
        let left = order.map_or(100, |order| order.worst_leaves().units().max(1));
        let (total, limit_price) = order.map_or((100, None), |order| {
            let to = order.replacement.map_or(order.quantity, |to| to.quantity);
            (to.units(), order.order_type.limit_price())
        });
        self.executions += 1;
        let execution_id = ExecutionId::new(&format!("X{}", self.executions));
        let reason = String::new;
        let kind = match kind {
            0 | 1 => ReportKind::New,
            2..=4 => {
                let quantity = Quantity::new((left * part / 64).max(1));
                ReportKind::Fill { execution_id, price: limit_price.unwrap_or(price("10")), quantity }
            }
            5 => ReportKind::Replaced { quantity: Quantity::new(total), limit_price },
            6 => ReportKind::Canceled { reason: reason() },
            7 => ReportKind::Rejected { reason: reason() },
            8 => ReportKind::ReplaceRejected { reason: reason() },
            _ => ReportKind::Expired,
        };
        let instrument = self.instrument_of(&client_order_id);
        let report = ExecutionReport { at: self.now, client_order_id, instrument, kind };
        let entry = match self.desk.report(&report, self.now) {
            Ok(_) => Entry::Report { report, broker_sequence: self.executions },
            Err(anomaly) => Entry::Anomaly { report, reason: anomaly.to_string(), broker_sequence: 0 },
        };
        self.entries.push(entry);
    }
}

/// When an entry was written, as far as a rebuild looks at it.
fn told_at(entry: &Entry) -> Timestamp {
    match entry {
        Entry::Report { report, .. } => report.at,
        _ => noon(),
    }
}

/// All that a desk tells, by symbol: two desks may number their instruments differently.
fn told(desk: &Desk, ids: &[ClientOrderId]) -> BTreeMap<String, String> {
    let book = desk.book();
    let mut told = BTreeMap::new();
    for (instrument, known) in desk.universe().iter().filter(|(_, known)| RECORDED.contains(&known.symbol.as_str())) {
        let open = (book.open_buys(instrument), book.open_sells(instrument), book.is_frozen(instrument));
        let holdings = [0, 1].map(|strategy| book.holding(StrategyId(strategy), instrument));
        let line = (book.position(instrument), open, holdings, book.mark_of(instrument));
        told.insert(known.symbol.to_string(), format!("{line:?}"));
    }
    for id in ids {
        let order = book.order(id).map(|order| {
            let symbol = desk.universe().symbol(order.intent.instrument);
            (symbol, order.status, order.quantity, order.cumulative, order.traded, order.worst_price, order.replacement)
        });
        told.insert(id.to_string(), format!("{order:?}"));
    }
    let money = (book.cash(), book.reserved(), book.equity(), book.gross_exposure(), book.fees(), book.realized());
    told.insert("money".to_owned(), format!("{money:?}"));
    let lately =
        desk.activity().state(|id| desk.universe().get(id).expect("known").symbol, |id| Some(id.0.to_string()));
    told.insert("lately".to_owned(), serde_json::to_string(&lately).expect("plain data"));
    told.insert("session".to_owned(), format!("{:?} {:?}", desk.session(), desk.current_phase()));
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_rebuilt_desk_equals_the_one_that_wrote(steps in prop::collection::vec(step(), 1..150)) {
        let mut live = Live::new();
        for step in &steps {
            live.step(step);
        }
        // Through the text that the journal keeps, into a run that numbers its instruments otherwise.
        let other = universe(&["ITUB4", "VALE3", "BOVA11", "PETR4"]);
        let mut desk = Desk::new(settings(other, noon()), HaltSwitch::at(HaltLevel::Active));
        let mut rebuilding = rebuild(&mut desk);
        for (place, entry) in live.entries.iter().enumerate() {
            let text = serde_json::to_string(entry).expect("plain data");
            let entry: Entry = serde_json::from_str(&text).expect("what was written");
            let applied = rebuilding.apply(place as u64 + 1, told_at(&entry), entry);
            prop_assert!(applied.is_ok(), "{}: {:?}", text, applied);
        }
        let fills = |entry: &&Entry| match entry {
            Entry::Report { report, .. } => matches!(report.kind, ReportKind::Fill { .. }),
            _ => false,
        };
        prop_assert_eq!(rebuilding.facts().fills, live.entries.iter().filter(fills).count() as u64);
        let sequences = live.entries.iter().map(|entry| match entry {
            Entry::Report { broker_sequence, .. } => *broker_sequence,
            _ => 0,
        });
        prop_assert_eq!(rebuilding.facts().broker_sequence, sequences.max().unwrap_or_default());
        desk.book().verify().map_err(TestCaseError::fail)?;
        prop_assert_eq!(told(&desk, &live.ids), told(&live.desk, &live.ids));

        // And it goes on where the other would have: the same next name, the same verdict.
        let (now, ask) = (live.now, |of| request(Side::Buy, 100, of, "10.00"));
        let next = live.desk.request(&ask(PETR4), top(now), now).map(|approved| approved.get().client_order_id);
        let again = desk.request(&ask(InstrumentId::new(3)), top(now), now);
        prop_assert_eq!(again.map(|approved| approved.get().client_order_id), next);
    }
}

fn started() -> Entry {
    let instruments = RECORDED.iter().map(|symbol| symbol.parse().expect("a symbol")).collect();
    Entry::Started { instruments, strategies: Vec::new(), cash: money("100000"), origin: None }
}

fn intent(number: u32, instrument: u32) -> Entry {
    let asked = request(Side::Buy, 100, InstrumentId::new(instrument), "10.00");
    let order = market::NewOrder {
        client_order_id: id(number),
        strategy: asked.strategy,
        instrument: asked.instrument,
        side: asked.side,
        quantity: asked.quantity,
        order_type: asked.order_type,
        time_in_force: asked.time_in_force,
        decided_at: noon(),
        parent: None,
    };
    Entry::Intent { order, worst_price: price("10.00"), signal: Signal::default(), evidence: None, closes: false }
}

fn rebuilt(symbols: &[&str], entries: Vec<Entry>) -> Result<(), RebuildError> {
    let mut desk = Desk::new(settings(universe(symbols), noon()), HaltSwitch::at(HaltLevel::Active));
    let mut rebuilding = rebuild(&mut desk);
    (41..).zip(entries).try_for_each(|(sequence, entry)| rebuilding.apply(sequence, noon(), entry).map(|_| ()))
}

#[test]
fn what_leads_to_no_desk_says_where_and_what_to_do() {
    let reported = |number, instrument, kind| {
        let report = report(number, InstrumentId::new(instrument), kind);
        Entry::Report { report, broker_sequence: 1 }
    };
    for (entries, expected) in [
        (vec![intent(1, 0)], "journal entry 41 comes before any 'started' entry: the journal's beginning is missing"),
        (
            vec![started(), intent(1, 2)],
            "journal entry 42 is about VALE3, which is not configured: add it to the symbols, or close its position first",
        ),
        (
            vec![started(), intent(1, 7)],
            "journal entry 42 is about number 7, which is not configured: add it to the symbols, or close its position first",
        ),
        (
            vec![started(), intent(1, 0), intent(1, 0)],
            "journal entry 43 does not apply: order TEST-20250612-000001 was entered before",
        ),
        (
            vec![started(), reported(1, 0, ReportKind::New)],
            "journal entry 42 does not apply: report for TEST-20250612-000001, which is not an order of this account",
        ),
        (
            vec![started(), intent(1, 0), reported(1, 1, ReportKind::New)],
            "journal entry 43 does not apply: report for TEST-20250612-000001 names another instrument than the order",
        ),
        (
            vec![started(), intent(1, 0), reported(1, 0, fill("X", 100, "10")), reported(1, 0, fill("X", 100, "10"))],
            "journal entry 44 does not apply: execution X of TEST-20250612-000001 was applied before",
        ),
        (
            vec![started(), Entry::OutcomeUnknown { client_order_id: id(1), reason: String::new() }],
            "journal entry 42 does not apply: report for TEST-20250612-000001, which is not an order of this account",
        ),
    ] {
        assert_eq!(rebuilt(&["PETR4", "BOVA11"], entries).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_symbol_that_nothing_happened_to_may_go() {
    assert_eq!(rebuilt(&["PETR4"], vec![started(), intent(1, 0)]), Ok(()));
    // Each run says anew which number means what.
    let numbers = vec!["BOVA11".parse().unwrap(), "PETR4".parse().unwrap()];
    let second = Entry::Started { instruments: numbers, strategies: Vec::new(), cash: money("1"), origin: None };
    assert_eq!(rebuilt(&["PETR4"], vec![started(), intent(1, 0), second.clone(), intent(2, 1)]), Ok(()));
    assert!(rebuilt(&["PETR4"], vec![started(), intent(1, 0), second, intent(2, 0)]).is_err());
}

//! The book against the naive model: random intents and reports, sensible, doubled, out of order
//! and plain wrong. After every step both must tell the same, and a refusal must change nothing.

use market::fees::Brokerage;
use market::order::{CancelOrder, ReplaceOrder};
use market::{
    Calendar, Date, ExecutionId, ExecutionReport, FeeSchedule, InstrumentId, NewOrder, OrderType, Price, Quantity,
    ReportKind, Side, StrategyId, Symbol, TimeInForce, Timestamp,
};
use oms::{BookSettings, BookState, OrderStatus};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::model::{Model, ModelOrder};
use crate::scenario::{book, id, money};

const INSTRUMENTS: u32 = 2;
const STRATEGIES: u16 = 2;

#[derive(Clone, Debug)]
enum Step {
    Enter {
        strategy: u16,
        instrument: u32,
        side: Side,
        units: i64,
        cents: i64,
    },
    Cancel(Index),
    Replace(Index, i64, i64),
    Lost(Index),
    Report {
        of: Index,
        what: What,
        wrong_instrument: bool,
        yesterday: bool,
    },
    Again(Index),
    Mark {
        instrument: u32,
        cents: i64,
    },
    EndSession,
    StartSession,
    /// Stored as text and read again, by way of a run with other numbers.
    Restore,
}

#[derive(Clone, Debug)]
enum What {
    New,
    /// A fill of what is left, in 64ths, so that whole fills and overfills are common; the number
    /// of the execution may have been used before.
    Fill {
        part: i64,
        cents: i64,
        reuse: Option<Index>,
    },
    /// Takes back an execution that has arrived, or one that is about to.
    Bust(Index, Option<Index>),
    Corrected(Index, Option<Index>, i64, i64),
    Canceled,
    Replaced(i64, Option<i64>),
    Rejected,
    Expired,
    CancelRejected,
    ReplaceRejected,
}

fn what() -> impl Strategy<Value = What> {
    let part = prop_oneof![1_i64..64, Just(64), -3_i64..70];
    let reuse = prop::option::weighted(0.1, any::<Index>());
    prop_oneof![
        3 => Just(What::New),
        8 => (part, 900_i64..1_100, reuse).prop_map(|(part, cents, reuse)| What::Fill { part, cents, reuse }),
        1 => (1_i64..2, -1_i64..1).prop_map(|(part, cents)| What::Fill { part, cents, reuse: None }),
        2 => (any::<Index>(), prop::option::weighted(0.1, any::<Index>())).prop_map(|(of, by)| What::Bust(of, by)),
        3 => (any::<Index>(), prop::option::weighted(0.1, any::<Index>()), -1_i64..200, 900_i64..1_100)
            .prop_map(|(of, by, units, cents)| What::Corrected(of, by, units, cents)),
        2 => Just(What::Canceled),
        3 => (-1_i64..500, prop::option::of(-1_i64..1_200)).prop_map(|(units, cents)| What::Replaced(units, cents)),
        1 => Just(What::Rejected),
        1 => Just(What::Expired),
        1 => Just(What::CancelRejected),
        1 => Just(What::ReplaceRejected),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let report = (any::<Index>(), what(), prop::bool::weighted(0.03), prop::bool::weighted(0.2));
    prop_oneof![
        5 => (0..STRATEGIES, 0..INSTRUMENTS, side, 1_i64..400, 900_i64..1_100)
            .prop_map(|(strategy, instrument, side, units, cents)| Step::Enter { strategy, instrument, side, units, cents }),
        2 => any::<Index>().prop_map(Step::Cancel),
        3 => (any::<Index>(), 1_i64..500, 900_i64..1_100).prop_map(|(of, units, cents)| Step::Replace(of, units, cents)),
        1 => any::<Index>().prop_map(Step::Lost),
        20 => report.prop_map(|(of, what, wrong_instrument, yesterday)| Step::Report { of, what, wrong_instrument, yesterday }),
        3 => any::<Index>().prop_map(Step::Again),
        2 => (0..INSTRUMENTS, 0_i64..1_200).prop_map(|(instrument, cents)| Step::Mark { instrument, cents }),
        1 => Just(Step::EndSession),
        1 => Just(Step::StartSession),
        1 => Just(Step::Restore),
    ]
}

fn price(cents: i64) -> Price {
    Price::from_cents(cents).expect("a price")
}

struct Machine {
    book: oms::Book,
    model: Model,
    sessions: Vec<Date>,
    session: usize,
    entered: u32,
    executions: Vec<ExecutionId>,
    reports: Vec<ExecutionReport>,
}

impl Machine {
    fn new() -> Self {
        // One fee period, so that a reservation does not depend on when it was last looked at.
        let first = Date::from_ymd_opt(2024, 1, 2).expect("a date");
        let last = Date::from_ymd_opt(2025, 7, 31).expect("a date");
        let brokerage = Brokerage { per_order: money("4.90"), iss: "0.05".parse().expect("a rate") };
        let mut machine = Self {
            book: book("1000000", FeeSchedule::b3(), brokerage),
            model: Model::new(money("1000000"), brokerage),
            sessions: Calendar::b3().sessions(first, last),
            session: 0,
            entered: 0,
            executions: Vec::new(),
            reports: Vec::new(),
        };
        machine.start_session();
        machine
    }

    fn now(&self, sessions_ago: usize) -> Timestamp {
        let date = self.sessions[self.session.saturating_sub(sessions_ago)];
        date.and_hms_opt(11, 0, 0).and_then(Timestamp::from_local).expect("a time")
    }

    fn start_session(&mut self) {
        self.session += 1;
        self.book.start_session(self.sessions[self.session]);
        self.model.start_session(self.sessions[self.session]);
    }

    fn enter(&mut self, strategy: u16, instrument: u32, side: Side, units: i64, cents: i64) {
        self.entered += 1;
        let (strategy, instrument) = (StrategyId(strategy), InstrumentId::new(instrument));
        let order = NewOrder {
            client_order_id: id(self.entered),
            strategy,
            instrument,
            side,
            quantity: Quantity::new(units),
            order_type: OrderType::Limit { limit_price: price(cents) },
            time_in_force: TimeInForce::GoodTillCancel,
            decided_at: self.now(0),
            parent: None,
        };
        self.book.enter(order, price(cents));
        let (price, status) = (price(cents), OrderStatus::PendingNew);
        let entered = ModelOrder {
            strategy,
            instrument,
            side,
            quantity: units,
            price,
            replace: None,
            status,
            acknowledged: false,
            ended: None,
            brokerage: None,
        };
        self.model.orders.insert(id(self.entered), entered);
    }

    /// One of the orders so far, or one that never was.
    fn pick(&self, which: &Index) -> u32 {
        which.index(self.entered as usize + 1) as u32 + 1
    }

    fn instrument_of(&self, number: u32) -> InstrumentId {
        self.model.orders.get(&id(number)).map_or(InstrumentId::new(0), |order| order.instrument)
    }

    /// Does it to the book, and says whether the book took it.
    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Enter { strategy, instrument, side, units, cents } => {
                self.enter(strategy, instrument, side, units, cents);
            }
            Step::Cancel(which) => {
                let (number, decided_at) = (self.pick(&which), self.now(0));
                let cancel =
                    CancelOrder { client_order_id: id(number), instrument: self.instrument_of(number), decided_at };
                let taken = self.refused_changes_nothing(|book| book.request_cancel(&cancel).is_ok());
                let order = self.model.orders.get_mut(&id(number)).filter(|order| !order.status.is_terminal());
                prop_assert_eq!(taken, order.is_some());
                if let Some(order) = order.filter(|order| order.status != OrderStatus::Unknown) {
                    order.status = OrderStatus::PendingCancel;
                }
            }
            Step::Replace(which, units, cents) => {
                let number = self.pick(&which);
                let replace = ReplaceOrder {
                    client_order_id: id(number),
                    instrument: self.instrument_of(number),
                    quantity: Quantity::new(units),
                    limit_price: Some(price(cents)),
                    decided_at: self.now(0),
                };
                let taken = self.refused_changes_nothing(|book| book.request_replace(&replace, price(cents)).is_ok());
                let order = self.model.orders.get_mut(&id(number));
                let order = order.filter(|o| o.status == OrderStatus::Working && o.replace.is_none());
                prop_assert_eq!(taken, order.is_some());
                if let Some(order) = order {
                    (order.status, order.replace) = (OrderStatus::PendingReplace, Some((units, price(cents))));
                }
            }
            Step::Lost(which) => {
                let number = self.pick(&which);
                let taken = self.refused_changes_nothing(|book| book.outcome_unknown(id(number)).is_ok());
                let order = self.model.orders.get_mut(&id(number)).filter(|order| !order.status.is_terminal());
                prop_assert_eq!(taken, order.is_some());
                if let Some(order) = order {
                    order.status = OrderStatus::Unknown;
                }
            }
            Step::Report { of, what, wrong_instrument, yesterday } => {
                let report = self.made(&of, &what, wrong_instrument, usize::from(yesterday));
                self.reports.push(report.clone());
                self.apply(&report)?;
            }
            Step::Again(which) => {
                // A fill told again much later would be of a day that has settled.
                let recent = self.reports.iter().rev().take(10).cloned().collect::<Vec<_>>();
                if !recent.is_empty() {
                    let report = ExecutionReport { at: self.now(0), ..recent[which.index(recent.len())].clone() };
                    self.apply(&report)?;
                }
            }
            Step::Mark { instrument, cents } => {
                self.book.mark(InstrumentId::new(instrument), price(cents));
                self.model.mark(InstrumentId::new(instrument), price(cents));
            }
            Step::EndSession => {
                let before = self.book.fees();
                let refund = self.book.end_session();
                prop_assert_eq!(before - refund, self.book.fees());
                self.model.end_session();
            }
            Step::Restore => self.restore(),
            Step::StartSession => {
                self.start_session();
                let settled = self.book.cash().settled();
                prop_assert_eq!(settled, self.model.settled(self.sessions[self.session]));
            }
        }
        Ok(())
    }

    fn restore(&mut self) {
        let settings = BookSettings {
            cash: money("7"), // what the book began with is in the state
            calendar: Calendar::b3(),
            fees: FeeSchedule::b3(),
            brokerage: Brokerage { per_order: money("4.90"), iss: "0.05".parse().expect("a rate") },
            instruments: 3,
        };
        let symbols = ["PETR4", "VALE3", "ITUB4"];
        let symbol = |number: usize| symbols[number].parse::<Symbol>().expect("a symbol");
        let place = |symbol: &Symbol| symbols.iter().position(|known| *known == symbol.as_str());
        let read = |state: &BookState, shift: usize| {
            let text = serde_json::to_string(state).expect("a text");
            let state: BookState = serde_json::from_str(&text).expect("a state");
            let instrument = |symbol: &Symbol| place(symbol).map(|at| InstrumentId::new(((at + shift) % 3) as u32));
            let strategy = |name: &str| name.parse().ok().map(|id: u16| StrategyId((id + shift as u16) % 3));
            oms::Book::from_state(settings.clone(), state, instrument, strategy).expect("a book")
        };
        let write = |book: &oms::Book, shift: usize| {
            book.state(|of| symbol((of.index() + 3 - shift) % 3), |of| ((of.0 + 3 - shift as u16) % 3).to_string())
        };
        let state = write(&self.book, 0);
        let renumbered = read(&state, 1);
        renumbered.verify().expect("a sound book");
        let back = read(&write(&renumbered, 1), 0);
        assert_eq!(serde_json::to_string(&write(&back, 0)).ok(), serde_json::to_string(&state).ok());
        let shown = |book: &oms::Book| {
            let orders: Vec<_> = (1..=self.entered).map(|number| book.order(&id(number)).cloned()).collect();
            let positions = [0, 1].map(|number| *book.position(InstrumentId::new(number)));
            format!("{orders:?} {positions:?} {:?} {} {}", book.cash(), book.fees(), book.reserved())
        };
        assert_eq!(shown(&back), shown(&self.book));
        let marks = [0, 1].map(|number| self.book.mark_of(InstrumentId::new(number)));
        self.book = back;
        for (number, mark) in marks.into_iter().enumerate() {
            self.book.mark(InstrumentId::new(number as u32), mark);
        }
    }

    fn refused_changes_nothing(&mut self, act: impl FnOnce(&mut oms::Book) -> bool) -> bool {
        let before = self.book.clone();
        let taken = act(&mut self.book);
        if !taken {
            // A clone lays its maps out alike, so equal books print alike.
            assert_eq!(format!("{:?}", self.book), format!("{before:?}"), "a refusal changes nothing");
        }
        taken
    }

    fn apply(&mut self, report: &ExecutionReport) -> Result<(), TestCaseError> {
        let before = self.book.clone();
        let applied = self.book.apply(report);
        let (id, date) = (report.client_order_id, report.at.local_date());
        let expected = self.model.report(&id, report.instrument, date, &report.kind);
        prop_assert_eq!(applied.is_ok(), expected, "{:?} led to {:?}", report, applied);
        match applied {
            Ok(applied) => {
                prop_assert_eq!(applied.status, self.model.orders[&id].status);
                prop_assert_eq!(applied.holding, self.book.holding(applied.strategy, applied.instrument));
                let was = before.order(&id).expect("it was applied").status;
                let told_by_a_fill = applied.fill.filter(|_| applied.revoked.is_none());
                let late = told_by_a_fill.map(|fill| fill.late);
                prop_assert_eq!(late.unwrap_or_default(), late.is_some() && was.is_terminal());
            }
            Err(_) => {
                prop_assert_eq!(format!("{:?}", self.book), format!("{before:?}"), "a refusal changes nothing");
            }
        }
        Ok(())
    }

    /// A name for a bust, perhaps one used before, and one of an execution: mostly of one that the
    /// order has, now and then of any, or of one to come.
    fn names(&mut self, number: u32, of: &Index, by: Option<&Index>) -> (ExecutionId, ExecutionId) {
        let fresh = ExecutionId::new(&format!("X{}", self.executions.len()));
        let by = by.filter(|_| !self.executions.is_empty()).map_or(fresh, |which| which.get(&self.executions).clone());
        self.executions.push(by.clone());
        let arrived: Vec<_> = self.book.executions_of(&id(number)).map(|(execution, _)| execution).collect();
        if !arrived.is_empty() && of.index(5) > 0 {
            return (by, of.get(&arrived).execution_id.clone());
        }
        let near = (self.executions.len() + 3).saturating_sub(of.index(10));
        (by, ExecutionId::new(&format!("X{near}")))
    }

    fn made(&mut self, of: &Index, what: &What, wrong_instrument: bool, sessions_ago: usize) -> ExecutionReport {
        let number = self.pick(of);
        let order = self.book.order(&id(number));
        let left = order.map_or(100, |order| (order.quantity - order.cumulative).units().max(1));
        let reason = String::new;
        let kind = match what {
            What::New => ReportKind::New,
            What::Fill { part, cents, reuse } => {
                let fresh = ExecutionId::new(&format!("X{}", self.executions.len()));
                let reused = reuse.filter(|_| !self.executions.is_empty());
                let execution_id = reused.map_or(fresh, |which| which.get(&self.executions).clone());
                self.executions.push(execution_id.clone());
                let quantity = Quantity::new((left * part).div_euclid(64).max(-1));
                ReportKind::Fill { execution_id, price: price(*cents), quantity }
            }
            What::Bust(of, by) => {
                let (execution_id, reference) = self.names(number, of, by.as_ref());
                ReportKind::Bust { execution_id, reference }
            }
            What::Corrected(of, by, units, cents) => {
                let (execution_id, reference) = self.names(number, of, by.as_ref());
                let (price, quantity) = (price(*cents), Quantity::new(*units));
                ReportKind::Corrected { execution_id, reference, price, quantity }
            }
            What::Canceled => ReportKind::Canceled { reason: reason() },
            What::Replaced(units, cents) => {
                ReportKind::Replaced { quantity: Quantity::new(*units), limit_price: cents.map(price) }
            }
            What::Rejected => ReportKind::Rejected { reason: reason() },
            What::Expired => ReportKind::Expired,
            What::CancelRejected => ReportKind::CancelRejected { reason: reason() },
            What::ReplaceRejected => ReportKind::ReplaceRejected { reason: reason() },
        };
        let instrument = self.instrument_of(number);
        let instrument = if wrong_instrument { InstrumentId::new(1 - instrument.index() as u32) } else { instrument };
        ExecutionReport { at: self.now(sessions_ago), client_order_id: id(number), instrument, kind }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_book_is_its_orders_and_its_fills(steps in prop::collection::vec(step(), 1..80)) {
        let mut machine = Machine::new();
        for step in steps {
            let told = format!("{step:?}");
            machine.step(step)?;
            if let Err(difference) = machine.book.verify() {
                prop_assert!(false, "after {}: {}", told, difference);
            }
            if let Err(difference) = machine.model.compare(&machine.book, INSTRUMENTS, STRATEGIES) {
                prop_assert!(false, "after {}:\n{}", told, difference);
            }
        }
    }
}

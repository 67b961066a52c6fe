//! Reconciliation against a broker that keeps the truth: a random day at the broker, of which the
//! book has heard an arbitrary part. Afterwards book and broker agree, or there is a break; never
//! has a fill been invented, and a figure that somebody changed is always found.

use std::collections::BTreeMap;

use market::fees::Brokerage;
use market::order::{CancelOrder, ReplaceOrder};
use market::{
    ClientOrderId, ExecutionId, ExecutionReport, FeeSchedule, InstrumentId, NewOrder, OrderReference, OrderType, Price,
    Quantity, ReportKind, Side, StatedExecution, StatedOrder, StatedStatus, Statement, StrategyId, TimeInForce,
    Timestamp,
};
use oms::Book;
use oms::reconcile::{Correction, Plan, Question, carry_out, plan};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::scenario::{book, id};

const INSTRUMENTS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    /// An order is handed over; perhaps it never arrives.
    Enter {
        instrument: u32,
        side: Side,
        units: i64,
        cents: i64,
        arrives: bool,
    },
    Trade {
        of: Index,
        units: i64,
        cents: i64,
    },
    /// We ask to cancel; perhaps it never arrives.
    Cancel {
        of: Index,
        arrives: bool,
    },
    /// We ask for other terms; perhaps it never arrives, perhaps the broker refuses.
    Replace {
        of: Index,
        units: i64,
        cents: i64,
        arrives: bool,
        refused: bool,
    },
    /// The connection broke while something was on its way.
    Lost(Index),
    /// The broker ends the order on its own account.
    Expire(Index),
    Bust(Index),
    Correct {
        of: Index,
        units: i64,
        cents: i64,
    },
    /// Somebody trades by hand.
    ByHand {
        instrument: u32,
        side: Side,
        units: i64,
    },
}

fn step(with_busts: bool) -> BoxedStrategy<Step> {
    let instrument = || 0..INSTRUMENTS as u32;
    let side = || prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let cents = || 900_i64..1_100;
    let mostly = || prop::bool::weighted(0.85);
    let busts = if with_busts { 1 } else { 0 };
    prop_oneof![
        4 => (instrument(), side(), 1_i64..300, cents(), mostly()).prop_map(|(instrument, side, units, cents, arrives)| {
            Step::Enter { instrument, side, units, cents, arrives }
        }),
        8 => (any::<Index>(), 1_i64..300, cents()).prop_map(|(of, units, cents)| Step::Trade { of, units, cents }),
        2 => (any::<Index>(), mostly()).prop_map(|(of, arrives)| Step::Cancel { of, arrives }),
        3 => (any::<Index>(), 1_i64..400, cents(), mostly(), prop::bool::weighted(0.3))
            .prop_map(|(of, units, cents, arrives, refused)| Step::Replace { of, units, cents, arrives, refused }),
        1 => any::<Index>().prop_map(Step::Lost),
        1 => any::<Index>().prop_map(Step::Expire),
        busts => any::<Index>().prop_map(Step::Bust),
        busts => (any::<Index>(), 1_i64..300, cents()).prop_map(|(of, units, cents)| Step::Correct { of, units, cents }),
        1 => (instrument(), side(), 1_i64..300).prop_map(|(instrument, side, units)| Step::ByHand { instrument, side, units }),
    ]
    .boxed()
}

fn price(cents: i64) -> Price {
    Price::from_cents(cents).expect("a price")
}

/// The broker's truth, and the book of somebody who hears a part of it.
struct Day {
    orders: Vec<StatedOrder>,
    executions: Vec<StatedExecution>,
    revoked: Vec<ExecutionId>,
    held_before: i64,
    names: u32,
    entered: u32,
    book: Book,
    now: Timestamp,
    /// Which of the reports the book hears of, one after another, over and over.
    heard: Vec<bool>,
    told: usize,
}

impl Day {
    fn new(heard: Vec<bool>, held_before: i64) -> Self {
        let mut book = book("1000000", FeeSchedule::b3(), Brokerage::FREE);
        book.start_session("2025-06-12".parse().expect("a date"));
        let now = "2025-06-12T14:00:00Z".parse().expect("a time");
        let (orders, executions, revoked) = (Vec::new(), Vec::new(), Vec::new());
        Self { orders, executions, revoked, held_before, names: 0, entered: 0, book, now, heard, told: 0 }
    }

    fn name(&mut self, kind: &str) -> ExecutionId {
        self.names += 1;
        ExecutionId::new(&format!("{kind}{}", self.names))
    }

    /// The broker tells something, which the book may or may not hear, and may or may not take.
    fn tell(&mut self, place: usize, kind: ReportKind) {
        self.told += 1;
        if self.heard[self.told % self.heard.len()] {
            let stated = &self.orders[place];
            let OrderReference::Own(client_order_id) = stated.reference else { return };
            let report = ExecutionReport { at: self.now, client_order_id, instrument: stated.instrument, kind };
            let _ = self.book.apply(&report);
            self.book.verify().expect("a sound book");
        }
    }

    fn place(&self, id: ClientOrderId) -> Option<usize> {
        self.orders.iter().position(|order| order.reference == OrderReference::Own(id))
    }

    fn open(&self, which: &Index) -> Option<usize> {
        let open = |order: &StatedOrder| order.status == StatedStatus::Open;
        let open: Vec<usize> = (0..self.orders.len()).filter(|place| open(&self.orders[*place])).collect();
        (!open.is_empty()).then(|| *which.get(&open))
    }

    fn any(&self, which: &Index) -> Option<(ClientOrderId, InstrumentId)> {
        let of = (self.entered > 0).then(|| id(which.index(self.entered as usize) as u32 + 1))?;
        Some((of, self.book.order(&of)?.intent.instrument))
    }

    fn step(&mut self, step: Step) {
        self.now = self.now.plus_nanos(1_000_000_000);
        let decided_at = self.now;
        match step {
            Step::Enter { instrument, side, units, cents, arrives } => {
                self.entered += 1;
                let (client_order_id, instrument) = (id(self.entered), InstrumentId::new(instrument));
                let (quantity, limit_price) = (Quantity::new(units), price(cents));
                let order = NewOrder {
                    client_order_id,
                    strategy: StrategyId(0),
                    instrument,
                    side,
                    quantity,
                    order_type: OrderType::Limit { limit_price },
                    time_in_force: TimeInForce::Day,
                    decided_at,
                    parent: None,
                };
                self.book.enter(order, limit_price);
                if arrives {
                    self.orders.push(StatedOrder {
                        reference: OrderReference::Own(client_order_id),
                        instrument,
                        side,
                        quantity,
                        limit_price: Some(limit_price),
                        cumulative: Quantity::ZERO,
                        status: StatedStatus::Open,
                    });
                    self.tell(self.orders.len() - 1, ReportKind::New);
                }
            }
            Step::Trade { of, units, cents } => {
                let Some(place) = self.open(&of) else { return };
                let left = self.orders[place].quantity - self.orders[place].cumulative;
                let execution_id = self.name("X");
                let (price, quantity) = (price(cents), Quantity::new(units).min(left));
                self.execute(place, execution_id.clone(), price, quantity);
                self.tell(place, ReportKind::Fill { execution_id, price, quantity });
            }
            Step::Cancel { of, arrives } => {
                let Some((client_order_id, instrument)) = self.any(&of) else { return };
                let cancel = CancelOrder { client_order_id, instrument, decided_at };
                if self.book.request_cancel(&cancel).is_err() || !arrives {
                    return;
                }
                let Some(place) = self.place(client_order_id) else { return };
                if self.orders[place].status == StatedStatus::Open {
                    self.orders[place].status = StatedStatus::Canceled;
                    self.tell(place, ReportKind::Canceled { reason: String::new() });
                } else {
                    self.tell(place, ReportKind::CancelRejected { reason: String::new() });
                }
            }
            Step::Replace { of, units, cents, arrives, refused } => {
                let Some((client_order_id, instrument)) = self.any(&of) else { return };
                let (quantity, limit_price) = (Quantity::new(units), Some(price(cents)));
                let replace = ReplaceOrder { client_order_id, instrument, quantity, limit_price, decided_at };
                if self.book.request_replace(&replace, price(cents)).is_err() || !arrives {
                    return;
                }
                let Some(place) = self.place(client_order_id) else { return };
                let order = &mut self.orders[place];
                let possible = order.status == StatedStatus::Open && quantity > order.cumulative;
                if refused || !possible {
                    return self.tell(place, ReportKind::ReplaceRejected { reason: String::new() });
                }
                (order.quantity, order.limit_price) = (quantity, limit_price);
                self.tell(place, ReportKind::Replaced { quantity, limit_price });
            }
            Step::Lost(of) => {
                if let Some((client_order_id, _)) = self.any(&of) {
                    let _ = self.book.outcome_unknown(client_order_id);
                }
            }
            Step::Expire(of) => {
                let Some(place) = self.open(&of) else { return };
                self.orders[place].status = StatedStatus::Expired;
                self.tell(place, ReportKind::Expired);
            }
            Step::Bust(of) => {
                let execution_id = self.name("B");
                let Some((place, reference)) = self.revoke(&of, Quantity::ZERO) else { return };
                self.tell(place, ReportKind::Bust { execution_id, reference });
            }
            Step::Correct { of, units, cents } => {
                let (execution_id, quantity, price) = (self.name("C"), Quantity::new(units), price(cents));
                let Some((place, reference)) = self.revoke(&of, quantity) else { return };
                self.execute(place, execution_id.clone(), price, quantity);
                self.tell(place, ReportKind::Corrected { execution_id, reference, price, quantity });
            }
            Step::ByHand { instrument, side, units } => {
                let execution_id = self.name("M");
                self.executions.push(StatedExecution {
                    execution_id,
                    reference: OrderReference::External("by hand".to_owned()),
                    instrument: InstrumentId::new(instrument),
                    side,
                    price: price(1_000),
                    quantity: Quantity::new(units),
                    at: self.now,
                });
            }
        }
    }

    fn execute(&mut self, place: usize, execution_id: ExecutionId, price: Price, quantity: Quantity) {
        let order = &mut self.orders[place];
        order.cumulative += quantity;
        if order.status == StatedStatus::Open && order.cumulative == order.quantity {
            order.status = StatedStatus::Filled;
        }
        self.executions.push(StatedExecution {
            execution_id,
            reference: order.reference.clone(),
            instrument: order.instrument,
            side: order.side,
            price,
            quantity,
            at: self.now,
        });
    }

    /// Takes an execution back, if its order then has room for `instead`. An ended order stays so.
    fn revoke(&mut self, which: &Index, instead: Quantity) -> Option<(usize, ExecutionId)> {
        let own: Vec<usize> = (0..self.executions.len())
            .filter(|at| matches!(self.executions[*at].reference, OrderReference::Own(_)))
            .collect();
        let at = *(!own.is_empty()).then(|| which.get(&own))?;
        let OrderReference::Own(id) = self.executions[at].reference else { return None };
        let place = self.place(id)?;
        let rest = self.orders[place].cumulative - self.executions[at].quantity;
        if rest + instead > self.orders[place].quantity {
            return None;
        }
        self.orders[place].cumulative = rest;
        let taken = self.executions.remove(at);
        self.revoked.push(taken.execution_id.clone());
        Some((place, taken.execution_id))
    }

    fn held(&self, instrument: InstrumentId) -> Quantity {
        let of = self.executions.iter().filter(|execution| execution.instrument == instrument);
        let traded: Quantity = of.map(|execution| execution.side.signed(execution.quantity)).sum();
        traded + Quantity::new(if instrument.index() == 0 { self.held_before } else { 0 })
    }

    fn statement(&self) -> Statement {
        let instruments = (0..INSTRUMENTS as u32).map(InstrumentId::new);
        Statement {
            at: self.now,
            since: "2025-06-12T13:00:00Z".parse().expect("a time"),
            orders: self.orders.clone(),
            executions: self.executions.clone(),
            revoked: self.revoked.clone(),
            positions: instruments.map(|of| (of, self.held(of))).filter(|(_, held)| !held.is_zero()).collect(),
            elsewhere: Vec::new(),
        }
    }

    fn question(&self, first: bool) -> Question {
        Question { handed_over: (1..=self.entered).map(id).collect(), first, ..Question::default() }
    }

    /// Where book and broker differ after a plan has been carried out.
    fn differences(&self) -> Vec<String> {
        let mut found = Vec::new();
        for of in (0..INSTRUMENTS as u32).map(InstrumentId::new) {
            let (ours, theirs) = (self.book.position(of).quantity + self.book.external(of), self.held(of));
            if ours != theirs {
                found.push(format!("position of {of:?} {ours} {theirs}"));
            }
        }
        let stated: BTreeMap<_, _> = self.orders.iter().map(|order| (order.reference.clone(), order)).collect();
        for id in (1..=self.entered).map(id) {
            let ours = self.book.order(&id).expect("the order");
            let open = !ours.status.is_terminal();
            match stated.get(&OrderReference::Own(id)) {
                None if open || !ours.cumulative.is_zero() => found.push(format!("{ours:?} never arrived")),
                None => {}
                Some(theirs) => {
                    let same = ours.cumulative == theirs.cumulative && open == (theirs.status == StatedStatus::Open);
                    let terms = (ours.quantity, ours.order_type.limit_price()) == (theirs.quantity, theirs.limit_price);
                    if !same || open && (!terms || ours.replacement.is_some() || ours.status.name() == "unknown") {
                        found.push(format!("{ours:?} {theirs:?}"));
                    }
                }
            }
        }
        found
    }
}

/// No correction holds an execution that the broker does not list just so.
fn invented(made: &Plan, statement: &Statement) -> Option<String> {
    let listed = |name: &ExecutionId| statement.executions.iter().find(|stated| stated.execution_id == *name);
    let revoked = |name: &ExecutionId| statement.revoked.contains(name);
    made.corrections.iter().find_map(|correction| {
        let sound = match correction {
            Correction::Report(report) => match &report.kind {
                ReportKind::Fill { execution_id, price, quantity } => listed(execution_id).is_some_and(|stated| {
                    (stated.price, stated.quantity, stated.at) == (*price, *quantity, report.at)
                        && stated.reference == OrderReference::Own(report.client_order_id)
                }),
                ReportKind::Bust { execution_id, reference } => {
                    revoked(reference) && execution_id.as_str() == format!("REVOKED-{reference}")
                }
                ReportKind::Corrected { .. } => false,
                _ => report.at == statement.at,
            },
            Correction::External(execution) => listed(&execution.execution_id) == Some(execution),
            Correction::Adopt { .. } | Correction::CancelAgain(_) => true,
        };
        (!sound).then(|| format!("{correction:?}"))
    })
}

fn without_cancels(mut made: Plan) -> Plan {
    made.corrections.retain(|correction| !matches!(correction, Correction::CancelAgain(_)));
    made
}

fn heard() -> impl Strategy<Value = Vec<bool>> {
    prop_oneof![
        prop::collection::vec(any::<bool>(), 1..40),
        prop::collection::vec(prop::bool::weighted(0.9), 1..40),
        Just(vec![false]),
    ]
}

fn day(with_busts: bool) -> impl Strategy<Value = (Vec<Step>, Vec<bool>, i64)> {
    (prop::collection::vec(step(with_busts), 1..40), heard(), prop_oneof![Just(0_i64), -50_i64..500])
}

/// Figures of a statement that can be checked against something else.
#[derive(Clone, Copy, Debug)]
enum Figure {
    OrderQuantity,
    OrderCumulative,
    OrderLimit,
    OrderSide,
    ExecutionQuantity,
    ExecutionPrice,
    ExecutionSide,
    ExecutionGone,
    OrderGone,
    Position,
}

/// Changes one figure, if the statement has one of the kind and the book could know better. The
/// price of a fill that nobody here has heard of cannot be checked against anything.
fn corrupt(statement: &mut Statement, figure: Figure, which: &Index, book: &Book) -> bool {
    let units = Quantity::new(777);
    let cents = Price::from_cents(77_700).expect("a price");
    match figure {
        Figure::OrderGone => return forget(statement, book),
        Figure::ExecutionGone if statement.executions.is_empty() => return false,
        Figure::ExecutionGone => {
            statement.executions.remove(which.index(statement.executions.len()));
            return true;
        }
        Figure::Position => {
            let place = InstrumentId::new(which.index(INSTRUMENTS) as u32);
            match statement.positions.iter_mut().find(|(of, _)| *of == place) {
                Some((_, held)) => *held += units,
                None => statement.positions.push((place, units)),
            }
            return true;
        }
        _ => {}
    }
    let known = |execution: &StatedExecution| {
        let own = matches!(execution.reference, OrderReference::Own(_));
        !matches!(figure, Figure::ExecutionPrice) || own && book.knows_execution(&execution.execution_id)
    };
    let place = |of: usize| which.index(of.max(1));
    let of = statement.orders.len();
    let order = statement.orders.get_mut(place(of));
    let executions = statement.executions.iter_mut();
    let mut executions: Vec<_> = executions.filter(|execution| known(execution)).collect();
    let of = executions.len();
    match (figure, order, executions.get_mut(place(of))) {
        (Figure::OrderQuantity, Some(order), _) => order.quantity += units,
        (Figure::OrderLimit, Some(order), _) => order.limit_price = Some(cents),
        (Figure::OrderSide, Some(order), _) => order.side = order.side.opposite(),
        (Figure::OrderCumulative, Some(order), _) => {
            let none = order.cumulative.is_zero();
            order.cumulative = if none { Quantity::new(1) } else { order.cumulative - Quantity::new(1) };
        }
        (Figure::ExecutionQuantity, _, Some(execution)) => execution.quantity += units,
        (Figure::ExecutionPrice, _, Some(execution)) => execution.price = cents,
        (Figure::ExecutionSide, _, Some(execution)) => execution.side = execution.side.opposite(),
        _ => return false,
    }
    true
}

/// The broker keeps silent about an order that it has acknowledged and that is open on both sides.
/// Of one that has ended, or that nobody has heard of, its silence may be right.
fn forget(statement: &mut Statement, book: &Book) -> bool {
    let open = |order: &StatedOrder| match &order.reference {
        OrderReference::Own(id) => {
            let ours = book.order(id).filter(|ours| ours.acknowledged && !ours.status.is_terminal());
            order.status == StatedStatus::Open && ours.is_some()
        }
        OrderReference::External(_) => false,
    };
    let place = statement.orders.iter().position(open);
    place.map(|place| statement.orders.remove(place)).is_some()
}

fn figure() -> impl Strategy<Value = Figure> {
    prop::sample::select(vec![
        Figure::OrderQuantity,
        Figure::OrderCumulative,
        Figure::OrderLimit,
        Figure::OrderSide,
        Figure::ExecutionQuantity,
        Figure::ExecutionPrice,
        Figure::ExecutionSide,
        Figure::ExecutionGone,
        Figure::OrderGone,
        Figure::Position,
    ])
}

fn converges((steps, heard, held_before): (Vec<Step>, Vec<bool>, i64), may_break: bool) -> Result<(), TestCaseError> {
    let mut day = Day::new(heard, held_before);
    steps.into_iter().for_each(|step| day.step(step));
    let statement = day.statement();
    // Without anything held before, nothing may have to be adopted.
    let first = held_before != 0;
    let made = plan(&day.book, &statement, &day.question(first));
    prop_assert_eq!(invented(&made, &statement), None);
    prop_assert!(may_break || made.breaks.is_empty(), "{:#?}", made.breaks);
    let applied = carry_out(&mut day.book, &made, statement.at);
    prop_assert!(applied.is_ok(), "{:?}", applied);
    prop_assert_eq!(day.book.verify(), Ok(()));
    let differences = day.differences();
    prop_assert!(differences.is_empty() || !made.breaks.is_empty(), "{:#?}", differences);

    let again = without_cancels(plan(&day.book, &statement, &day.question(first && made.breaks.is_empty())));
    prop_assert_eq!(&again.corrections, &[]);
    prop_assert_eq!(again.breaks.is_empty(), made.breaks.is_empty(), "{:?} then {:?}", made.breaks, again.breaks);
    Ok(())
}

// How many is said by PROPTEST_CASES: 100,000 and more for a release.
proptest! {
    #[test]
    fn what_was_missed_is_made_up(day in day(false)) {
        converges(day, false)?;
    }

    /// A fill and its bust, of which the book hears one: an order may have ended here and not there.
    #[test]
    fn what_was_missed_is_made_up_or_a_break_when_trades_are_taken_back(day in day(true)) {
        converges(day, true)?;
    }

    #[test]
    fn who_has_heard_everything_has_nothing_to_correct((steps, _, held_before) in day(true)) {
        let mut day = Day::new(vec![true], held_before);
        let everything = |step: &Step| match step {
            Step::Enter { arrives, .. } | Step::Cancel { arrives, .. } | Step::Replace { arrives, .. } => *arrives,
            Step::Lost(_) => false,
            _ => true,
        };
        steps.into_iter().filter(everything).for_each(|step| day.step(step));
        let mut made = plan(&day.book, &day.statement(), &day.question(true));
        // Of what other hands do only a statement tells.
        made.corrections.retain(|made| !matches!(made, Correction::External(_) | Correction::Adopt { .. }));
        prop_assert!(made.agrees(), "{:#?}", made);
    }

    #[test]
    fn a_changed_figure_is_found(
        (steps, heard, _) in day(true),
        figure in figure(),
        which in any::<Index>(),
        reconciled in any::<bool>(),
    ) {
        let mut day = Day::new(heard, 0);
        steps.into_iter().for_each(|step| day.step(step));
        let mut statement = day.statement();
        if reconciled {
            let made = plan(&day.book, &statement, &day.question(false));
            prop_assert!(carry_out(&mut day.book, &made, statement.at).is_ok());
        }
        if corrupt(&mut statement, figure, &which, &day.book) {
            let made = plan(&day.book, &statement, &day.question(false));
            prop_assert!(!made.breaks.is_empty(), "{:?} {:#?}", figure, made);
            prop_assert_eq!(invented(&made, &statement), None);
            prop_assert!(carry_out(&mut day.book, &made, statement.at).is_ok());
            prop_assert_eq!(day.book.verify(), Ok(()));
        }
    }
}

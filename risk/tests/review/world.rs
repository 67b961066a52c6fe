//! A small account in the middle of a session, with every limit wide open.

use std::sync::Arc;

use market::fees::Brokerage;
use market::order::{CancelOrder, Forecast, ReplaceOrder};
use market::{
    Calendar, ClientOrderId, Date, ExecutionId, ExecutionReport, FeeSchedule, Instrument, InstrumentId, InstrumentKind,
    Money, NewOrder, OrderType, Phase, Price, Quantity, Rate, ReportKind, Side, StrategyId, TimeInForce, Timestamp,
    TopOfBook, Universe,
};
use oms::{Book, BookSettings};
use risk::{Activity, Approved, Denial, Explanation, HaltLevel, LimitSet, LimitTable, Limits, Seconds, Tripped, View};

/// A fund with a lot of one unit.
pub(crate) const BOVA11: InstrumentId = InstrumentId::new(0);
/// A share with a lot of 100.
pub(crate) const PETR4: InstrumentId = InstrumentId::new(1);
/// Its fractional twin.
pub(crate) const PETR4F: InstrumentId = InstrumentId::new(2);

/// The name of strategy 0.
pub(crate) const ALPHA: &str = "alpha";
/// The name of strategy 1.
pub(crate) const BETA: &str = "beta";

pub(crate) const SECOND: i64 = 1_000_000_000;

pub(crate) struct World {
    pub(crate) universe: Universe,
    pub(crate) book: Book,
    pub(crate) limits: LimitSet,
    pub(crate) table: LimitTable,
    pub(crate) activity: Activity,
    pub(crate) top: TopOfBook,
    pub(crate) phase: Phase,
    pub(crate) price_horizon: Timestamp,
    pub(crate) now: Timestamp,
    pub(crate) level: HaltLevel,
    pub(crate) forecast: Option<Forecast>,
    orders: u32,
    fills: u32,
}

pub(crate) fn price(text: &str) -> Price {
    text.parse().expect("a price")
}

pub(crate) fn money(text: &str) -> Money {
    text.parse().expect("money")
}

pub(crate) fn limit(text: &str) -> OrderType {
    OrderType::Limit { limit_price: price(text) }
}

impl World {
    /// Noon of 2025-06-12, bid 9.99, ask 10.00, no fees.
    pub(crate) fn new(cash: &str) -> Self {
        Self::with(cash, FeeSchedule::free(), Brokerage::FREE)
    }

    pub(crate) fn with(cash: &str, fees: Arc<FeeSchedule>, brokerage: Brokerage) -> Self {
        let mut universe = Universe::new();
        let cash_market = |symbol: &str, kind| Instrument::cash(symbol.parse().expect("a symbol"), kind);
        universe.add(cash_market("BOVA11", InstrumentKind::ExchangeTradedFund));
        let share = cash_market("PETR4", InstrumentKind::Share);
        universe.add(share.clone());
        universe.add(share.fractional_twin().expect("a twin"));
        let book = Book::new(BookSettings {
            cash: money(cash),
            calendar: Calendar::b3(),
            fees,
            brokerage,
            instruments: universe.len(),
        });
        let table = LimitTable::uniform(LimitSet::WIDE, &universe);
        let now: Timestamp = "2025-06-12T15:00:00Z".parse().expect("a time");
        Self {
            universe,
            book,
            limits: LimitSet {
                max_order_quantity: Quantity::new(1_000_000),
                max_order_notional: money("1000000000"),
                price_collar: "0.03".parse().expect("a rate"),
                max_position_quantity: Quantity::new(1_000_000),
                max_quote_age_seconds: Seconds(5),
                max_daily_loss: money("1000000"),
                ..LimitSet::WIDE
            },
            table,
            activity: Activity::default(),
            top: TopOfBook {
                at: now,
                last: price("9.95"),
                bid: price("9.99"),
                ask: price("10.00"),
                ..TopOfBook::default()
            },
            phase: Phase::Continuous,
            price_horizon: "2025-06-11T12:30:00Z".parse().expect("a time"),
            now,
            level: HaltLevel::Active,
            forecast: None,
            orders: 0,
            fills: 0,
        }
    }

    /// Holds the account to the world's limits as `change` leaves them, with two strategies.
    pub(crate) fn hold_to(&mut self, change: impl FnOnce(&mut Limits)) {
        let mut limits = Limits::from(self.limits);
        change(&mut limits);
        self.limits = limits.global;
        self.table = LimitTable::new(limits, &self.universe, &[ALPHA.to_owned(), BETA.to_owned()]);
    }

    /// Moves the clock, and the quote with it.
    pub(crate) fn wait(&mut self, nanos: i64) {
        self.now = self.now.plus_nanos(nanos);
        self.top.at = self.now;
    }

    /// A price of everything that is held.
    pub(crate) fn mark(&mut self, of: InstrumentId, at: &str) {
        self.book.mark(of, price(at));
    }

    pub(crate) fn view(&self, instrument: InstrumentId) -> View<'_> {
        View {
            book: &self.book,
            instrument: self.universe.get(instrument).expect("an instrument"),
            top: self.top,
            phase: self.phase,
            price_horizon: self.price_horizon,
            now: self.now,
            forecast: self.forecast.as_ref(),
            limits: &self.limits,
            table: &self.table,
            activity: &self.activity,
        }
    }

    /// An order under the next name.
    pub(crate) fn order(&self, side: Side, units: i64, of: InstrumentId, order_type: OrderType) -> NewOrder {
        let day = Date::from_ymd_opt(2025, 6, 12).expect("a date");
        NewOrder {
            client_order_id: ClientOrderId::new("TEST", day, self.orders + 1).expect("an identifier"),
            strategy: StrategyId(0),
            instrument: of,
            side,
            quantity: Quantity::new(units),
            order_type,
            time_in_force: TimeInForce::Day,
            decided_at: self.now,
            parent: None,
        }
    }

    /// Reviews an order. Whatever a test asks, the explanation must deny exactly what the review
    /// denies, and for the same reason.
    pub(crate) fn review(&self, order: NewOrder) -> Result<Approved<NewOrder>, Denial> {
        let reviewed = risk::review(order, self.level, &self.view(order.instrument));
        let told = self.explain(order);
        assert_eq!(told.denial(), reviewed.err(), "{order:?}");
        assert_eq!(told.checks.len(), risk::CHECKS.len());
        if let Ok(approved) = &reviewed {
            assert_eq!((approved.worst_price(), approved.reduces()), (told.worst_price, told.reduces));
        }
        reviewed
    }

    pub(crate) fn explain(&self, order: NewOrder) -> Explanation {
        risk::explain(order, self.level, &self.view(order.instrument))
    }

    /// Reviews an order and enters it if it passes.
    pub(crate) fn send(&mut self, order: NewOrder) -> Result<Approved<NewOrder>, Denial> {
        let approved = self.review(order)?;
        self.book.enter(*approved.get(), approved.worst_price());
        self.activity.submitted(approved.get(), &self.book, self.now);
        self.orders += 1;
        Ok(approved)
    }

    /// An order that must pass, and its name.
    pub(crate) fn sent(&mut self, side: Side, units: i64, of: InstrumentId, at: &str) -> ClientOrderId {
        let order = self.order(side, units, of, limit(at));
        self.send(order).expect("allowed");
        order.client_order_id
    }

    /// One that is in the exchange's book.
    pub(crate) fn working(&mut self, side: Side, units: i64, of: InstrumentId, at: &str) -> ClientOrderId {
        let id = self.sent(side, units, of, at);
        self.report(id, ReportKind::New);
        id
    }

    pub(crate) fn replace_order(&self, id: ClientOrderId, units: i64, to: Option<Price>) -> ReplaceOrder {
        let instrument = self.book.order(&id).expect("the order").intent.instrument;
        let quantity = Quantity::new(units);
        ReplaceOrder { client_order_id: id, instrument, quantity, limit_price: to, decided_at: self.now }
    }

    pub(crate) fn review_replace(
        &self,
        id: ClientOrderId,
        units: i64,
        to: &str,
    ) -> Result<Approved<ReplaceOrder>, Denial> {
        let replace = self.replace_order(id, units, Some(price(to)));
        let open = self.book.order(&id).expect("the order");
        let view = self.view(replace.instrument);
        let reviewed = risk::review_replace(open, replace, self.level, &view);
        assert_eq!(risk::explain_replace(open, replace, self.level, &view).denial(), reviewed.err(), "{replace:?}");
        reviewed
    }

    pub(crate) fn explain_replace(&self, id: ClientOrderId, units: i64, to: Price) -> Explanation {
        let replace = self.replace_order(id, units, Some(to));
        let open = self.book.order(&id).expect("the order");
        risk::explain_replace(open, replace, self.level, &self.view(replace.instrument))
    }

    /// Other lists and hours, by strategies of these names.
    pub(crate) fn written(&mut self, limits: Limits, strategies: &[&str]) {
        let names: Vec<String> = strategies.iter().map(|name| (*name).to_owned()).collect();
        self.table = LimitTable::new(limits, &self.universe, &names);
    }

    /// A replace that must pass and is on its way.
    pub(crate) fn replace(&mut self, id: ClientOrderId, units: i64, to: &str) {
        let approved = self.review_replace(id, units, to).expect("allowed");
        self.book.request_replace(approved.get(), approved.worst_price()).expect("an open order");
        self.activity.message(self.book.order(&id).expect("the order").intent.strategy, self.now);
    }

    /// Cancels an order, as the desk does.
    pub(crate) fn cancel(&mut self, id: ClientOrderId) {
        let intent = self.book.order(&id).expect("the order").intent;
        let cancel = CancelOrder { client_order_id: id, instrument: intent.instrument, decided_at: self.now };
        self.book.request_cancel(&cancel).expect("an open order");
        self.activity.message(intent.strategy, self.now);
    }

    pub(crate) fn report(&mut self, id: ClientOrderId, kind: ReportKind) {
        let instrument = self.book.order(&id).expect("the order").intent.instrument;
        let report = ExecutionReport { at: self.now, client_order_id: id, instrument, kind };
        let applied = self.book.apply(&report).expect("a report that fits");
        let parent = self.book.order(&id).and_then(|order| order.intent.parent);
        self.activity.reported(&report, &applied, parent, true, self.now);
        let of = (applied.strategy, applied.instrument);
        let tripped: Vec<Tripped> = self.activity.due(of, &self.table, self.now).collect();
        tripped.iter().for_each(|tripped| self.activity.latch(tripped));
    }

    pub(crate) fn fill(&mut self, id: ClientOrderId, units: i64, at: Price) {
        self.fills += 1;
        let execution_id = ExecutionId::new(&format!("X{}", self.fills));
        self.report(id, ReportKind::Fill { execution_id, price: at, quantity: Quantity::new(units) });
    }

    /// Holds so many units that no review has let in.
    pub(crate) fn hold_by_fill(&mut self, units: i64, of: InstrumentId) {
        let day = Date::from_ymd_opt(2025, 6, 12).expect("a date");
        let order = self.order(Side::Buy, units, of, limit("10.00"));
        let order = NewOrder { client_order_id: ClientOrderId::new("HELD", day, 1).expect("an identifier"), ..order };
        self.book.enter(order, price("10.00"));
        self.fill(order.client_order_id, units, price("10.00"));
    }

    /// No order is open from now on.
    pub(crate) fn end_all(&mut self) {
        let open: Vec<ClientOrderId> =
            self.book.open_orders().iter().map(|order| order.intent.client_order_id).collect();
        open.into_iter().for_each(|id| self.report(id, ReportKind::Expired));
    }

    /// Holds so many units from now on.
    pub(crate) fn hold(&mut self, units: i64, of: InstrumentId, at: &str) {
        let id = self.sent(Side::Buy, units, of, at);
        self.fill(id, units, price(at));
    }

    pub(crate) fn collar(&mut self, ppm: i64) {
        self.limits.price_collar = Rate::from_ppm(ppm);
    }
}

/// What one check says of an order, whatever the others say.
pub(crate) fn passes(explanation: &Explanation, check: &str) -> bool {
    let told = explanation.checks.iter().find(|(name, _)| *name == check);
    told.expect("a check of that name").1.is_ok()
}

/// The whole verdict, with the figures that were compared if it was denied.
pub(crate) fn told<T>(reviewed: Result<T, Denial>) -> String {
    reviewed.map_or_else(|denial| denial.to_string(), |_| "allowed".to_owned())
}

/// So many centavos.
pub(crate) fn cents(cents: i64) -> Price {
    Price::from_cents(cents).expect("a price")
}

/// The check that denied, or what else came out of it.
pub(crate) fn verdict<T>(reviewed: &Result<T, Denial>) -> &'static str {
    reviewed.as_ref().map_or_else(|denial| denial.check, |_| "allowed")
}

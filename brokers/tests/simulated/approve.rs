//! Approved orders for tests. Only `risk` makes them, so this asks it, with limits that nothing
//! reaches, an account that holds plenty, and an instrument that takes any quantity and price: what
//! an exchange refuses must be able to reach it.

use market::fees::Brokerage;
use market::order::ReplaceOrder;
use market::{
    Calendar, ClientOrderId, ExecutionId, ExecutionReport, FeeSchedule, Instrument, InstrumentId, InstrumentKind,
    Money, NewOrder, OrderType, Phase, Price, Quantity, Rate, ReportKind, Side, TimeInForce, Timestamp, TopOfBook,
};
use oms::{Book, BookSettings};
use risk::{Activity, Approved, HaltLevel, LimitSet, LimitTable, Seconds, View};

const PLENTY: i64 = 1_000_000_000_000;

pub(crate) struct Approver {
    book: Book,
    instrument: Instrument,
    limits: LimitSet,
    table: LimitTable,
    activity: Activity,
}

impl Approver {
    pub(crate) fn new(instruments: u32) -> Self {
        let mut book = Book::new(BookSettings {
            cash: Money::from_steps(i128::from(i64::MAX) * 1_000_000),
            calendar: Calendar::always_open(),
            fees: FeeSchedule::free(),
            brokerage: Brokerage::FREE,
            instruments: instruments as usize,
        });
        let at: Timestamp = "2025-06-01T12:00:00Z".parse().expect("a time");
        for number in 0..instruments {
            let instrument = InstrumentId::new(number);
            let client_order_id = ClientOrderId::new("HELD", at.local_date(), number + 1).expect("an identifier");
            let price = Price::from_steps(1);
            book.enter(
                NewOrder {
                    client_order_id,
                    strategy: market::StrategyId(0),
                    instrument,
                    side: Side::Buy,
                    quantity: Quantity::new(PLENTY),
                    order_type: OrderType::Limit { limit_price: price },
                    time_in_force: TimeInForce::Day,
                    decided_at: at,
                    parent: None,
                },
                price,
            );
            let execution_id = ExecutionId::new(&format!("HELD{number}"));
            let kind = ReportKind::Fill { execution_id, price, quantity: Quantity::new(PLENTY) };
            book.apply(&ExecutionReport { at, client_order_id, instrument, kind }).expect("a fill");
        }
        let symbol = "ANY".parse().expect("a symbol");
        let mut instrument = Instrument::cash(symbol, InstrumentKind::Other);
        instrument.tick = Price::from_steps(1);
        let mut universe = market::Universe::new();
        for number in 0..instruments {
            let symbol = format!("ANY{number}").parse().expect("a symbol");
            universe.add(Instrument::cash(symbol, InstrumentKind::Other));
        }
        Self {
            book,
            instrument,
            table: LimitTable::uniform(LimitSet::WIDE, &universe),
            activity: Activity::default(),
            limits: LimitSet {
                max_order_quantity: Quantity::new(PLENTY),
                max_order_notional: Money::from_steps(i128::MAX),
                price_collar: Rate::from_ppm(i64::MAX),
                max_position_quantity: Quantity::new(2 * PLENTY),
                max_quote_age_seconds: Seconds(u32::MAX),
                max_daily_loss: Money::ZERO,
                ..LimitSet::WIDE
            },
        }
    }

    fn view(&self, order_type: OrderType, now: Timestamp) -> View<'_> {
        let at_auction = matches!(order_type, OrderType::AtAuction { .. });
        View {
            book: &self.book,
            instrument: &self.instrument,
            top: TopOfBook { at: now, last: Price::from_steps(1), ..TopOfBook::default() },
            phase: if at_auction { Phase::PreOpen } else { Phase::Continuous },
            price_horizon: Timestamp::MIN,
            now,
            forecast: None,
            limits: &self.limits,
            table: &self.table,
            activity: &self.activity,
        }
    }

    pub(crate) fn order(&self, order: NewOrder) -> Approved<NewOrder> {
        let view = self.view(order.order_type, order.decided_at);
        risk::review(order, HaltLevel::Active, &view).unwrap_or_else(|denial| panic!("{denial}: {order:?}"))
    }

    pub(crate) fn replace(&mut self, of: &NewOrder, replace: ReplaceOrder) -> Approved<ReplaceOrder> {
        // The approver's book never hears of the exchange's reports: each replace is of a fresh order.
        let mut book = self.book.clone();
        book.enter(*of, Price::from_steps(1));
        let open = book.order(&of.client_order_id).expect("the order");
        let view = View { book: &book, ..self.view(of.order_type, replace.decided_at) };
        risk::review_replace(open, replace, HaltLevel::Active, &view).unwrap_or_else(|denial| panic!("{denial}"))
    }
}

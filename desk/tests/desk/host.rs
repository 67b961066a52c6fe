//! The strategy host: from what a strategy wants to what is asked for.

use std::sync::{Arc, Mutex};

use desk::{Ask, Execution, HostSettings, Listen, Notice, NoticeKind, OpenOrder, Sizing, StrategyHost};
use market::order::{OrderRequest, ParentOrder, Signal};
use market::{
    Bar, BarUse, InstrumentId, MarketEvent, OrderType, Quantity, Quote, Side, StrategyId, TimeInForce, Timestamp, Trade,
};
use oms::{Holding, OrderStatus};
use strategies::{Strategy, Wishes};

use crate::world::{BOVA11, PETR4, id, money, price, universe};

/// Wants whatever it was told last, at each bar; keeps count of the bars.
#[derive(Clone, Default)]
struct Puppet(Arc<Mutex<(f64, u32)>>);

impl Strategy for Puppet {
    fn warm_up(&self) -> usize {
        7
    }

    fn on_bar(&mut self, bar: &Bar, wishes: &mut Wishes<'_>) {
        let mut state = self.0.lock().expect("one thread");
        state.1 += 1;
        wishes.hold(bar, state.0, Signal::new("told", &[("wanted", state.0), ("nothing", f64::NAN)]));
    }
}

struct Stage {
    host: StrategyHost,
    puppet: Puppet,
    minutes: i64,
}

const FULL: Sizing = Sizing::Quantity(Quantity::new(300));

impl Stage {
    fn new(sizing: Sizing, execution: Execution) -> Self {
        Self::listening(Listen::Bars, sizing, execution)
    }

    fn listening(listen: Listen, sizing: Sizing, execution: Execution) -> Self {
        let puppet = Puppet::default();
        let settings = HostSettings {
            id: StrategyId(3),
            name: "puppet".to_owned(),
            instruments: vec![PETR4, BOVA11],
            listen,
            sizing,
            execution,
            flat_by: None,
        };
        let host = StrategyHost::new(Box::new(puppet.clone()), settings, universe(&["PETR4", "BOVA11"]));
        Self { host, puppet, minutes: 0 }
    }

    fn bar(&mut self, instrument: InstrumentId, close: &str) -> Bar {
        self.minutes += 1;
        let close = price(close);
        let end = Timestamp::from_nanos(self.minutes * 60_000_000_000);
        Bar { end, instrument, open: close, high: close, low: close, close, volume: Quantity::new(1_000) }
    }

    fn take(&mut self, event: &MarketEvent) -> Vec<Ask> {
        let mut asks = Vec::new();
        self.host.on_market(event, &mut asks);
        asks
    }

    /// Wants so much at the close of a bar.
    fn wants(&mut self, exposure: f64, instrument: InstrumentId, close: &str) -> Vec<Ask> {
        self.puppet.0.lock().expect("one thread").0 = exposure;
        let bar = self.bar(instrument, close);
        self.take(&MarketEvent::bar(bar))
    }

    /// The same, told as text: `buy 300`, `cancel 1`.
    fn told(&mut self, exposure: f64) -> String {
        Self::text(&self.wants(exposure, PETR4, "10.00"))
    }

    /// A trade that the strategy does not decide on, told as text.
    fn goes_on(&mut self) -> String {
        self.at(Timestamp::from_nanos(self.minutes * 60_000_000_000 + 1))
    }

    fn at(&mut self, at: Timestamp) -> String {
        let (price, quantity) = (price("10.00"), Quantity::new(100));
        Self::text(&self.take(&MarketEvent::Trade(Trade { at, instrument: PETR4, price, quantity })))
    }

    fn text(asks: &[Ask]) -> String {
        let told: Vec<String> = asks
            .iter()
            .map(|ask| match ask {
                Ask::Submit(request) => format!("{} {}", request.side, request.quantity),
                Ask::Cancel(id) => format!("cancel {}", id.sequence()),
                Ask::Replace { client_order_id, .. } => format!("replace {}", client_order_id.sequence()),
            })
            .collect();
        told.join(", ")
    }

    fn notice(&mut self, position: i64, working: i64, kind: NoticeKind) {
        let holding = Holding { position: Quantity::new(position), working: Quantity::new(working) };
        self.host.on_notice(&Notice { instrument: PETR4, holding, kind });
    }

    fn accepted(&mut self, number: u32, side: Side, units: i64, position: i64, working: i64) {
        let (client_order_id, quantity) = (id(number), Quantity::new(units));
        self.notice(position, working, NoticeKind::Accepted { client_order_id, side, quantity });
    }

    fn denied(&mut self, side: Side, units: i64, position: i64, working: i64) {
        self.notice(position, working, NoticeKind::Denied { side, quantity: Quantity::new(units) });
    }

    fn reported(&mut self, number: u32, status: OrderStatus, position: i64, working: i64) {
        self.notice(position, working, NoticeKind::Order { client_order_id: id(number), status });
    }
}

fn only(asks: Vec<Ask>) -> OrderRequest {
    match asks.as_slice() {
        [Ask::Submit(request)] => request.clone(),
        other => panic!("not one request: {other:?}"),
    }
}

#[test]
fn sizes_are_whole_lots_of_the_exposure_wanted() {
    let units = |units| Sizing::Quantity(Quantity::new(units));
    let worth = |reais| Sizing::Notional(money(reais));
    for (sizing, exposure, instrument, close, quantity) in [
        (units(300), 1.0, PETR4, "10.00", 300),
        (units(350), 1.0, PETR4, "10.00", 300),
        (units(350), 1.0, BOVA11, "10.00", 350),
        (units(300), 0.5, PETR4, "10.00", 100), // 150 are one lot
        (units(300), 0.34, PETR4, "10.00", 100),
        (units(300), 0.33, PETR4, "10.00", 0),
        (units(301), 0.5, BOVA11, "10.00", 150),
        (units(99), 1.0, PETR4, "10.00", 0),
        (worth("10000"), 1.0, PETR4, "38.10", 200), // 262 units
        (worth("10000"), 1.0, BOVA11, "38.10", 262),
        (worth("10000"), 0.5, BOVA11, "38.10", 131),
        (worth("3810"), 1.0, PETR4, "38.10", 100),
        (worth("3809.99"), 1.0, PETR4, "38.10", 0),
        (worth("10000"), 7.0, BOVA11, "10.00", 1_000), // never more than all of it
        (worth("10000"), -1.0, BOVA11, "10.00", 0),    // and never short
        (worth("10000"), f64::NAN, BOVA11, "10.00", 0),
    ] {
        let asks = Stage::new(sizing, Execution::Market).wants(exposure, instrument, close);
        let found = if asks.is_empty() { 0 } else { only(asks).quantity.units() };
        assert_eq!(found, quantity, "{sizing:?} × {exposure} at {close}");
    }
}

#[test]
fn a_request_says_who_wants_what_when_and_why() {
    let asks = Stage::new(FULL, Execution::Market).wants(1.0, PETR4, "10.00");
    let at = Timestamp::from_nanos(60_000_000_000);
    let expected = OrderRequest {
        strategy: StrategyId(3),
        instrument: PETR4,
        side: Side::Buy,
        quantity: Quantity::new(300),
        order_type: OrderType::Market,
        time_in_force: TimeInForce::Day,
        decided_at: at,
        parent: Some(ParentOrder { decided_at: at, number: 0, quantity: Quantity::new(300) }),
        // What is not a number could not be read back from the journal.
        signal: Signal::new("told", &[("wanted", 1.0)]),
    };
    assert_eq!(only(asks), expected);
}

#[test]
fn the_execution_decides_on_the_order_type() {
    let limit = |text| OrderType::Limit { limit_price: price(text) };
    for (execution, side, close, order_type) in [
        (Execution::Market, Side::Buy, "10.005", OrderType::Market),
        (Execution::Auction, Side::Buy, "10.005", OrderType::AtAuction { limit_price: None }),
        (Execution::Limit, Side::Buy, "10.005", limit("10.00")), // never worse than the decision
        (Execution::Limit, Side::Sell, "10.005", limit("10.01")),
        (Execution::Limit, Side::Buy, "10.01", limit("10.01")),
        (Execution::Limit, Side::Sell, "10.01", limit("10.01")),
    ] {
        let mut stage = Stage::new(FULL, execution);
        let exposure = if side == Side::Buy { 1.0 } else { 0.0 };
        if side == Side::Sell {
            stage.notice(300, 0, NoticeKind::Restart { open: Vec::new() });
        }
        let request = only(stage.wants(exposure, PETR4, close));
        assert_eq!((request.side, request.order_type), (side, order_type), "{execution:?} {close}");
    }
}

#[test]
fn what_is_asked_for_is_not_asked_for_again() {
    let mut stage = Stage::new(FULL, Execution::Limit);
    assert_eq!(stage.told(1.0), "buy 300");
    assert_eq!(stage.told(1.0), "", "on its way");
    stage.accepted(1, Side::Buy, 300, 0, 300);
    assert_eq!(stage.told(1.0), "", "working");
    stage.reported(1, OrderStatus::Working, 100, 200);
    assert_eq!(stage.told(1.0), "", "partly held, the rest working");
    stage.reported(1, OrderStatus::Canceled, 100, 0);
    assert_eq!(stage.told(1.0), "buy 200", "what the cancel left");
    stage.denied(Side::Buy, 200, 100, 0);
    assert_eq!(stage.told(1.0), "buy 200", "a denial is an answer");
    stage.accepted(2, Side::Buy, 200, 100, 200);
    stage.reported(2, OrderStatus::Filled, 300, 0);
    assert_eq!(stage.told(1.0), "");
    assert_eq!(stage.told(0.0), "sell 300");
    assert_eq!(stage.host.holding(PETR4), Holding { position: Quantity::new(300), working: Quantity::ZERO });
    assert_eq!(stage.host.holding(InstrumentId::new(9)), Holding::default());
}

#[test]
fn orders_that_would_undo_the_wish_are_taken_back() {
    let mut stage = Stage::new(FULL, Execution::Limit);
    stage.told(1.0);
    stage.accepted(1, Side::Buy, 300, 0, 300);
    stage.reported(1, OrderStatus::Working, 100, 200);
    assert_eq!(stage.told(0.0), "cancel 1");
    assert_eq!(stage.goes_on(), "", "while it may trade, a sale could trade with it");
    stage.reported(1, OrderStatus::PendingCancel, 200, 100);
    assert_eq!(stage.goes_on(), "");
    stage.reported(1, OrderStatus::Canceled, 200, 0);
    assert_eq!(stage.goes_on(), "sell 200", "what it came to hold meanwhile as well");
    assert_eq!(stage.goes_on(), "", "once");
    stage.accepted(2, Side::Sell, 200, 200, -200);
    assert_eq!(stage.told(1.0), "cancel 2");
    stage.reported(2, OrderStatus::Filled, 0, 0);
    assert_eq!(stage.goes_on(), "buy 300", "the sale was faster than its cancel");
    stage.denied(Side::Buy, 300, 0, 0);
    assert_eq!(stage.goes_on(), "", "a denial is an answer");
}

#[test]
fn a_new_wish_takes_the_place_of_one_that_waits() {
    let mut stage = Stage::new(FULL, Execution::Limit);
    stage.told(1.0);
    stage.accepted(1, Side::Buy, 300, 0, 300);
    stage.reported(1, OrderStatus::Working, 100, 200);
    assert_eq!(stage.told(0.0), "cancel 1");
    stage.reported(1, OrderStatus::Canceled, 100, 0);
    assert_eq!(stage.told(1.0), "buy 200", "and not the sale that waited");
    assert_eq!(stage.goes_on(), "");
}

#[test]
fn from_flat_by_on_it_asks_for_the_way_out_and_nothing_else() {
    let at = |time: &str| format!("2025-06-12T{time}Z").parse::<Timestamp>().expect("a time");
    for (execution, order_type) in [
        (Execution::Market, OrderType::Market),
        (Execution::Limit, OrderType::Market),
        (Execution::Auction, OrderType::AtAuction { limit_price: None }),
    ] {
        let mut stage = Stage::new(FULL, execution);
        let settings = HostSettings { flat_by: Some("16:30".parse().unwrap()), ..stage.host.settings().clone() };
        stage.host = StrategyHost::new(Box::new(stage.puppet.clone()), settings, universe(&["PETR4", "BOVA11"]));
        stage.minutes = at("15:00:00").as_nanos() / 60_000_000_000;
        assert_eq!(stage.told(1.0), "buy 300");
        stage.accepted(1, Side::Buy, 300, 0, 300);
        stage.reported(1, OrderStatus::Filled, 300, 0);
        assert_eq!(stage.at(at("19:29:59.999999999")), "");
        let trade = Trade { at: at("19:30:00"), instrument: PETR4, price: price("10.00"), quantity: Quantity::new(1) };
        let request = only(stage.take(&MarketEvent::Trade(trade)));
        assert_eq!((request.side, request.quantity, request.order_type), (Side::Sell, Quantity::new(300), order_type));
        assert_eq!(request.signal, Signal::new("flat_by", &[]));
        // A denied way out is asked for again, at most once in ten seconds.
        stage.denied(Side::Sell, 300, 300, 0);
        assert_eq!(stage.at(at("19:30:09.999999999")), "");
        assert_eq!(stage.at(at("19:30:10")), "sell 300");
        stage.accepted(2, Side::Sell, 300, 300, -300);
        assert_eq!(stage.at(at("19:31:00")), "", "it is on its way");
        stage.reported(2, OrderStatus::Filled, 0, 0);
        stage.minutes = at("20:00:00").as_nanos() / 60_000_000_000;
        assert_eq!(stage.told(1.0), "", "whatever the strategy says");
        stage.minutes = at("23:00:00").as_nanos() / 60_000_000_000 + 24 * 60 - 480;
        assert_eq!(stage.told(1.0), "buy 300", "the next day is another");
    }
}

#[test]
fn at_flat_by_what_works_is_taken_back_before_the_way_out() {
    let at = |time: &str| format!("2025-06-12T{time}Z").parse::<Timestamp>().expect("a time");
    let mut stage = Stage::new(FULL, Execution::Limit);
    let settings = HostSettings { flat_by: Some("16:30".parse().unwrap()), ..stage.host.settings().clone() };
    stage.host = StrategyHost::new(Box::new(stage.puppet.clone()), settings, universe(&["PETR4", "BOVA11"]));
    stage.minutes = at("15:00:00").as_nanos() / 60_000_000_000;
    stage.told(1.0);
    stage.accepted(1, Side::Buy, 300, 0, 300);
    stage.reported(1, OrderStatus::Working, 100, 200);
    assert_eq!(stage.at(at("19:30:00")), "cancel 1");
    stage.reported(1, OrderStatus::Canceled, 100, 0);
    assert_eq!(stage.at(at("19:30:01")), "sell 100");
}

#[test]
fn a_wish_for_what_is_held_takes_back_everything_that_works() {
    // The entry never traded and the strategy has changed its mind.
    let mut stage = Stage::new(FULL, Execution::Limit);
    stage.told(1.0);
    stage.accepted(1, Side::Buy, 300, 0, 300);
    assert_eq!(stage.told(0.0), "cancel 1");
    stage.reported(1, OrderStatus::Canceled, 0, 0);
    assert_eq!(stage.told(0.0), "");
    // The exit never traded and it wants to stay.
    stage.notice(300, 0, NoticeKind::Restart { open: Vec::new() });
    stage.told(0.0);
    stage.accepted(2, Side::Sell, 300, 300, -300);
    assert_eq!(stage.told(1.0), "cancel 2");
}

#[test]
fn orders_of_another_instrument_are_left_alone() {
    let mut stage = Stage::new(FULL, Execution::Limit);
    stage.told(1.0);
    stage.accepted(1, Side::Buy, 300, 0, 300);
    assert_eq!(stage.wants(0.0, BOVA11, "10.00"), []);
    assert_eq!(only(stage.wants(1.0, BOVA11, "10.00")).instrument, BOVA11);
}

#[test]
fn after_a_restart_of_the_account_only_what_it_says_is_true() {
    let open = |number, side| OpenOrder { client_order_id: id(number), instrument: PETR4, side };
    let mut stage = Stage::new(FULL, Execution::Limit);
    stage.told(1.0);
    stage.accepted(1, Side::Buy, 300, 0, 300);
    stage.told(0.0);
    stage.notice(200, 100, NoticeKind::Restart { open: vec![open(2, Side::Buy)] });
    assert_eq!(stage.told(1.0), "", "200 held and 100 working");
    assert_eq!(stage.told(0.0), "cancel 2", "order 1 is gone");
    stage.reported(2, OrderStatus::Canceled, 200, 0);
    assert_eq!(stage.goes_on(), "sell 200");
    // The request of 200 was lost with the account's mailbox: asked again after the next restart.
    stage.notice(200, 0, NoticeKind::Restart { open: Vec::new() });
    assert_eq!(stage.told(0.0), "sell 200");
}

#[test]
fn an_answer_from_before_the_restart_leaves_no_debt() {
    let mut stage = Stage::new(FULL, Execution::Limit);
    assert_eq!(stage.told(1.0), "buy 300");
    stage.notice(0, 0, NoticeKind::Restart { open: Vec::new() });
    stage.denied(Side::Buy, 300, 0, 0);
    assert_eq!(stage.told(1.0), "buy 300");
}

#[test]
fn which_events_an_instance_decides_on() {
    let bar = Stage::new(FULL, Execution::Market).bar(PETR4, "10.00");
    let quote = Quote {
        at: bar.end,
        instrument: PETR4,
        bid: price("9.99"),
        ask: price("10.01"),
        bid_size: Quantity::new(100),
        ask_size: Quantity::new(100),
    };
    let trade = Trade { at: bar.end, instrument: PETR4, price: price("10.00"), quantity: Quantity::new(100) };
    let used = |used| MarketEvent::Bar { at: bar.end, bar, used };
    for (event, on_bars, on_quotes) in [
        (used(BarUse::MatchAndDecide), true, false),
        (used(BarUse::Decide), true, false),
        (used(BarUse::Match), false, false),
        (MarketEvent::Quote(quote), false, true),
        (MarketEvent::Trade(trade), false, false),
    ] {
        for (listen, expected) in [(Listen::Bars, on_bars), (Listen::Quotes, on_quotes)] {
            let mut stage = Stage::listening(listen, FULL, Execution::Market);
            stage.puppet.0.lock().unwrap().0 = 1.0;
            assert_eq!(stage.take(&event).len(), usize::from(expected), "{event:?}");
        }
    }
}

#[test]
fn past_bars_teach_and_ask_for_nothing_and_count_once() {
    let mut stage = Stage::new(FULL, Execution::Market);
    assert_eq!((stage.host.warm_up(), stage.host.settings().name.as_str()), (7, "puppet"));
    stage.puppet.0.lock().unwrap().0 = 1.0;
    let (first, second) = (stage.bar(PETR4, "10.00"), stage.bar(PETR4, "11.00"));
    stage.host.warm(&first);
    stage.host.warm(&second);
    stage.host.warm(&first);
    assert_eq!(stage.take(&MarketEvent::bar(second)), [], "the warm-up ended with it");
    assert_eq!(stage.puppet.0.lock().unwrap().1, 2);
    assert_eq!(stage.told(1.0), "buy 300");
    assert_eq!(stage.puppet.0.lock().unwrap().1, 3);
}

/// Wants something of an instrument that the run does not have.
struct Stray;

impl Strategy for Stray {
    fn warm_up(&self) -> usize {
        1
    }

    fn on_bar(&mut self, bar: &Bar, wishes: &mut Wishes<'_>) {
        wishes.hold(&Bar { instrument: InstrumentId::new(9), ..*bar }, 1.0, Signal::default());
    }
}

#[test]
fn a_wish_for_an_instrument_of_another_run_is_nothing() {
    let mut stage = Stage::new(FULL, Execution::Market);
    let settings = stage.host.settings().clone();
    stage.host = StrategyHost::new(Box::new(Stray), settings, universe(&["PETR4", "BOVA11"]));
    assert_eq!(stage.wants(1.0, PETR4, "10.00"), []);
    stage.host.on_notice(&Notice {
        instrument: InstrumentId::new(9),
        holding: Holding::default(),
        kind: NoticeKind::Restart { open: Vec::new() },
    });
}

/// What the next order of the full size serves: since which minute, the how manieth of it, how many units.
fn parent(stage: &mut Stage, exposure: f64) -> Option<(i64, u32, i64)> {
    let asks = stage.wants(exposure, PETR4, "10.00");
    let request = asks.iter().find_map(|ask| if let Ask::Submit(request) = ask { Some(request) } else { None });
    let parent = request?.parent.expect("a host's request has one");
    Some((parent.decided_at.as_nanos() / 60_000_000_000, parent.number, parent.quantity.units()))
}

#[test]
fn orders_serve_one_decision_until_the_target_changes() {
    let mut stage = Stage::new(FULL, Execution::Market);
    assert_eq!(parent(&mut stage, 1.0), Some((1, 0, 300)));
    stage.denied(Side::Buy, 300, 0, 0);
    assert_eq!(parent(&mut stage, 1.0), Some((1, 0, 300)), "asked for again, decided once");
    stage.accepted(1, Side::Buy, 300, 0, 300);
    stage.reported(1, OrderStatus::Canceled, 100, 0);
    assert_eq!(parent(&mut stage, 1.0), Some((1, 0, 300)), "what is left of it");
    stage.denied(Side::Buy, 200, 100, 0);
    assert_eq!(parent(&mut stage, 0.0), Some((4, 0, 100)));
    stage.denied(Side::Sell, 100, 100, 0);
    assert_eq!(parent(&mut stage, 1.0), Some((5, 0, 200)));
}

#[test]
fn a_host_that_never_hears_of_fills_goes_on_with_the_same_decision() {
    let mut stage = Stage::new(FULL, Execution::Market);
    for number in 1..4 {
        assert_eq!(parent(&mut stage, 1.0), Some((1, 0, 300)));
        stage.accepted(number, Side::Buy, 300, 0, 0); // the position never moves
        stage.reported(number, OrderStatus::Filled, 0, 0);
    }
}

#[test]
fn what_something_else_has_traded_away_is_decided_anew() {
    let mut stage = Stage::new(FULL, Execution::Market);
    assert_eq!(parent(&mut stage, 1.0), Some((1, 0, 300)));
    stage.accepted(1, Side::Buy, 300, 0, 300);
    stage.reported(1, OrderStatus::Filled, 300, 0);
    assert_eq!(parent(&mut stage, 1.0), None);
    stage.reported(2, OrderStatus::Filled, 100, 0); // closed by somebody else's order
    assert_eq!(parent(&mut stage, 1.0), Some((3, 0, 200)));
}

#[test]
fn decisions_of_one_moment_and_of_a_clock_that_goes_back_follow_each_other() {
    let mut stage = Stage::listening(Listen::Quotes, FULL, Execution::Market);
    let mut decided = Vec::new();
    for (seconds, exposure) in [(60, 1.0), (60, 0.4), (30, 1.0), (90, 0.4)] {
        stage.puppet.0.lock().expect("one thread").0 = exposure;
        let at = Timestamp::from_nanos(seconds * 1_000_000_000);
        let quote = Quote {
            at,
            instrument: PETR4,
            bid: price("9.99"),
            ask: price("10.00"),
            bid_size: Quantity::new(100),
            ask_size: Quantity::new(100),
        };
        let request = only(stage.take(&MarketEvent::Quote(quote)));
        stage.denied(Side::Buy, request.quantity.units(), 0, 0);
        let parent = request.parent.expect("a host's request has one");
        decided.push((parent.decided_at.as_nanos() / 1_000_000_000, parent.number));
    }
    assert_eq!(decided, [(60, 0), (60, 1), (60, 2), (90, 0)]);
}

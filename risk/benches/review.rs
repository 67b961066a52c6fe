//! What a review costs: each check by itself, where it passes and where it denies, and the whole of it, p50,
//! p99 and the longest of a hundred thousand.
//!
//! The account is a busy one: a hundred instruments, half of them held, two hundred open orders of twenty
//! strategies, windows full of messages, limits written in every scope.
#![allow(clippy::print_stdout, reason = "a benchmark speaks on standard output")]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::time::Instant;

use divan::{Bencher, black_box};
use market::fees::Brokerage;
use market::order::Forecast;
use market::{
    Calendar, ClientOrderId, Date, ExecutionId, ExecutionReport, FeeSchedule, Instrument, InstrumentId, InstrumentKind,
    Money, NewOrder, OrderBounds, OrderType, ParentOrder, Phase, Price, Quantity, Rate, ReportKind, Side, StrategyId,
    TimeInForce, Timestamp, TopOfBook, TradingStatus, Universe,
};
use oms::{Book, BookSettings};
use risk::limits::{Hours, Sector, StrategyLimits};
use risk::{
    Activity, CHECKS, Check, Count, HaltLevel, Latch, LimitSet, LimitTable, Limits, Proposal, Rule, Seconds, Tripped,
    View,
};

const INSTRUMENTS: u32 = 100;
const STRATEGIES: u16 = 20;
const MESSAGES: i64 = 5_000;
const REVIEWS: usize = 100_000;
/// The instrument and strategy of the order that is reviewed.
const ONE: InstrumentId = InstrumentId::new(7);
const ASKER: StrategyId = StrategyId(3);

fn main() {
    divan::main();
    whole_reviews();
}

struct Account {
    universe: Universe,
    book: Book,
    activity: Activity,
    wide: LimitTable,
    tight: LimitTable,
    now: Timestamp,
    names: u32,
}

fn ten() -> Price {
    Price::from_cents(1_000).expect("a price")
}

impl Account {
    fn busy() -> Self {
        let mut universe = Universe::new();
        for number in 0..INSTRUMENTS {
            let symbol = format!("TEST{number}").parse().expect("a symbol");
            universe.add(Instrument::cash(symbol, InstrumentKind::Share));
        }
        let book = Book::new(BookSettings {
            cash: Money::from_cents(1_000_000_000),
            calendar: Calendar::b3(),
            fees: FeeSchedule::b3(),
            brokerage: Brokerage::FREE,
            instruments: universe.len(),
        });
        let mut account = Self {
            wide: table(&universe, roomy()),
            tight: LimitTable::new(denying(&universe), &universe, &names()),
            universe,
            book,
            activity: Activity::default(),
            now: "2025-06-12T15:00:00Z".parse().expect("a time"),
            names: 0,
        };
        for number in 0..INSTRUMENTS {
            account.book.mark(InstrumentId::new(number), ten());
        }
        for number in 0..300 {
            let of = InstrumentId::new(number % INSTRUMENTS);
            let order = account.order(StrategyId((number % u32::from(STRATEGIES)) as u16), of, Side::Buy, 100);
            account.enter(order);
            if number < INSTRUMENTS {
                account.fill(&order, 100);
            }
        }
        for message in 0..MESSAGES {
            account.activity.message(StrategyId((message % 20) as u16), account.now.plus_nanos(-MESSAGES + message));
        }
        account
    }

    fn order(&mut self, strategy: StrategyId, instrument: InstrumentId, side: Side, units: i64) -> NewOrder {
        self.names += 1;
        let day = Date::from_ymd_opt(2025, 6, 12).expect("a date");
        NewOrder {
            client_order_id: ClientOrderId::new("TEST", day, self.names).expect("an identifier"),
            strategy,
            instrument,
            side,
            quantity: Quantity::new(units),
            order_type: OrderType::Limit { limit_price: ten() },
            time_in_force: TimeInForce::Day,
            decided_at: self.now,
            parent: Some(ParentOrder { decided_at: self.now, number: 0, quantity: Quantity::new(1_000) }),
        }
    }

    fn enter(&mut self, order: NewOrder) {
        self.book.enter(order, ten());
        self.activity.submitted(&order, &self.book, self.now.plus_nanos(-60_000_000_000));
        self.report(&order, ReportKind::New);
    }

    fn report(&mut self, order: &NewOrder, kind: ReportKind) {
        let (client_order_id, instrument) = (order.client_order_id, order.instrument);
        let report = ExecutionReport { at: self.now, client_order_id, instrument, kind };
        let applied = self.book.apply(&report).expect("a report that fits");
        self.activity.reported(&report, &applied, order.parent, true, self.now.plus_nanos(-60_000_000_000));
    }

    fn fill(&mut self, order: &NewOrder, units: i64) {
        let execution_id = ExecutionId::new(&order.client_order_id.to_string());
        self.report(order, ReportKind::Fill { execution_id, price: ten(), quantity: Quantity::new(units) });
    }

    fn view<'a>(&'a self, table: &'a LimitTable) -> View<'a> {
        let cents = |cents| Price::from_cents(cents).expect("a price");
        View {
            book: &self.book,
            instrument: self.universe.get(ONE).expect("an instrument"),
            top: TopOfBook { at: self.now, last: ten(), bid: cents(999), ask: ten(), ..TopOfBook::default() },
            phase: Phase::Continuous,
            price_horizon: Timestamp::MIN,
            now: self.now,
            forecast: None,
            limits: table.of(ASKER, ONE),
            table,
            activity: &self.activity,
        }
    }
}

/// Limits that the account is well within, each of them written.
fn roomy() -> LimitSet {
    LimitSet {
        price_collar: Rate::from_ppm(30_000),
        max_repeated_executions: Count(1_000),
        repeated_execution_seconds: Seconds(3_600),
        max_messages: Count(8_000),
        message_seconds: Seconds(3_600),
        max_order_to_trade: Count(100_000),
        order_to_trade_grace: Count(100_000),
        max_open_orders_per_symbol: Count(100),
        max_open_orders: Count(1_000),
        max_gross_exposure: Rate::from_ppm(2_000_000),
        max_net_exposure: Rate::from_ppm(2_000_000),
        max_symbol_share: Rate::from_ppm(500_000),
        max_sector_share: Rate::from_ppm(500_000),
        max_group_share: Rate::from_ppm(500_000),
        max_rejects: Count(1_000),
        max_losing_trades: Count(1_000),
        burst_seconds: Seconds(3_600),
        duplicate_seconds: Seconds(1),
        max_quote_age_seconds: Seconds(5),
        ..LimitSet::WIDE
    }
}

/// Limits that deny whatever has a limit.
fn tight() -> LimitSet {
    LimitSet {
        max_order_quantity: Quantity::new(1),
        max_order_notional: Money::from_cents(1),
        max_messages: Count(10),
        max_order_to_trade: Count(1),
        order_to_trade_grace: Count(0),
        max_open_orders_per_symbol: Count(1),
        max_position_quantity: Quantity::new(1),
        book_collar: Rate::from_ppm(10_000),
        max_spread: Rate::from_ppm(1),
        max_gross_exposure: Rate::from_ppm(1),
        max_symbol_share: Rate::from_ppm(1),
        max_group_share: Rate::from_ppm(1),
        duplicate_seconds: Seconds(3_600),
        ..roomy()
    }
}

fn table(universe: &Universe, global: LimitSet) -> LimitTable {
    let symbol = |number: u32| universe.get(InstrumentId::new(number)).expect("an instrument").symbol;
    let mut limits = Limits::from(global);
    for sector in 0..10 {
        let symbols = (0..10).map(|member| symbol(sector * 10 + member)).collect();
        limits.sectors.insert(format!("sector {sector}"), Sector { symbols, limits: global.all() });
        limits
            .groups
            .insert(format!("group {sector}"), (0..5).map(|member| symbol(sector * 10 + 2 * member + 1)).collect());
    }
    let names = names();
    for name in &names {
        limits.strategies.insert(name.clone(), StrategyLimits { allowed: None, limits: global.all() });
    }
    LimitTable::new(limits, universe, &names)
}

fn names() -> Vec<String> {
    (0..STRATEGIES).map(|number| format!("strategy {number}")).collect()
}

/// The tight limits, with the lists and the hour that deny.
fn denying(universe: &Universe) -> Limits {
    let restricted = [universe.get(ONE).expect("an instrument").symbol].into();
    let hours = Hours { last_entry: Some("09:00".parse().expect("a time of day")) };
    Limits { restricted, hours, ..table(universe, tight()).limits().clone() }
}

fn proposal(order: NewOrder) -> Proposal {
    let worst_price = order.order_type.limit_price().unwrap_or(ten());
    let notional = worst_price.times(order.quantity);
    Proposal {
        order,
        added: order.quantity,
        worst_price,
        added_notional: notional,
        reduces: false,
        replaces: false,
        closes: false,
        cost: Some(notional),
    }
}

/// The account with whatever makes this check deny, and the order to ask it about.
fn denied(check: &Check, account: &mut Account) -> Proposal {
    let order = account.order(ASKER, ONE, Side::Buy, 100);
    let mut proposal = proposal(order);
    match check.name {
        "repeated_executions" | "burst" => {
            let latch = Latch { at: account.now, seen: 3, limit: 3 };
            for (rule, instrument) in [(Rule::RepeatedExecutions, Some(ONE)), (Rule::Rejects, None)] {
                account.activity.latch(&Tripped { rule, strategy: ASKER, instrument, latch });
            }
        }
        "lot_and_tick" => proposal.order.quantity = Quantity::new(150),
        "price_collar" | "book_collar" => {
            let limit_price = Price::from_cents(2_000).expect("a price");
            proposal.order.order_type = OrderType::Limit { limit_price };
        }
        "short_sale" => (proposal.order.side, proposal.added) = (Side::Sell, Quantity::new(100_000)),
        "self_trade" => {
            let own = account.order(StrategyId(0), ONE, Side::Sell, 100);
            account.enter(own);
        }
        "parent_quantity" => proposal.added = Quantity::new(100_000),
        "buying_power" => proposal.cost = None,
        "duplicate_order" => {
            account.activity.submitted(&order, &account.book, account.now);
        }
        _ => {}
    }
    proposal
}

#[divan::bench(args = CHECKS.iter().map(|check| check.name))]
fn passes(bencher: Bencher<'_, '_>, name: &str) {
    let mut account = Account::busy();
    let check = CHECKS.iter().find(|check| check.name == name).expect("a check");
    let proposal = proposal(account.order(ASKER, ONE, Side::Buy, 300));
    let view = account.view(&account.wide);
    assert!((check.review)(&proposal, &view).is_ok(), "{name}: {:?}", (check.review)(&proposal, &view));
    bencher.bench_local(|| (check.review)(black_box(&proposal), black_box(&view)).is_ok());
}

#[divan::bench(args = CHECKS.iter().map(|check| check.name))]
fn denies(bencher: Bencher<'_, '_>, name: &str) {
    let mut account = Account::busy();
    let check = CHECKS.iter().find(|check| check.name == name).expect("a check");
    let proposal = denied(check, &mut account);
    let forecast = Forecast { made_at: account.now, value: f64::NAN, model: String::new() };
    let bounds = OrderBounds { min_quantity: Quantity::new(1_000), ..OrderBounds::default() };
    let mut view = account.view(&account.tight);
    match name {
        "session_phase" => view.phase = Phase::Halt,
        "trading_status" => view.top.status = TradingStatus::Halted,
        "order_bounds" => view.top.bounds = Some(bounds),
        "forecast" => view.forecast = Some(&forecast),
        "stale_quote" => view.top.at = view.now.plus_nanos(-60_000_000_000),
        _ => {}
    }
    if (check.review)(&proposal, &view).is_ok() {
        println!("{name} has nothing to deny here");
    }
    bencher.bench_local(|| (check.review)(black_box(&proposal), black_box(&view)).is_ok());
}

/// Every check of a new order that passes them all, one clock reading before and one after.
fn whole_reviews() {
    let mut account = Account::busy();
    let order = account.order(ASKER, ONE, Side::Buy, 300);
    let view = account.view(&account.wide);
    assert_eq!(risk::review(order, HaltLevel::Active, &view).err(), None);
    let mut taken: Vec<u64> = (0..REVIEWS)
        .map(|_| {
            let began = Instant::now();
            let reviewed = risk::review(black_box(order), HaltLevel::Active, black_box(&view));
            let nanoseconds = began.elapsed().as_nanos() as u64;
            assert!(reviewed.is_ok());
            nanoseconds
        })
        .collect();
    taken.sort_unstable();
    let at = |share: usize| taken[(REVIEWS - 1) * share / 1_000];
    let (median, most) = (at(500), at(990));
    println!(
        "whole review, {} checks: p50 {median} ns, p99 {most} ns, p99.9 {} ns, max {} ns",
        CHECKS.len(),
        at(999),
        at(1_000)
    );
}

//! The documents in which the daemon tells how things stand: the same on the control socket, on the
//! command line and over HTTP. docs/http.md and docs/json.md list their keys.
//!
//! Prices and limits are exact, as text; amounts of money are numbers in BRL, for reading and charting.

use actors::account::Snapshot;
use desk::{Desk, RecordedFill};
use market::{Price, Quantity, Timestamp, TopOfBook, Universe};
use oms::{Book, Order};
use risk::HaltSwitch;
use serde::{Deserialize, Serialize};
use store::{DailyBarRow, HaltRecord, HotQuote};
use utoipa::ToSchema;

/// An open order.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct OrderDocument {
    /// Our name of it (FIX 11).
    pub client_order_id: String,
    /// Of what.
    pub symbol: String,
    /// `buy` or `sell`.
    pub side: String,
    /// Units in all.
    pub quantity: i64,
    /// Price per unit beyond which it must not trade, exact; null for none.
    pub limit_price: Option<String>,
    /// Units traded so far (FIX 14).
    pub cumulative: i64,
    /// Units that may still trade (FIX 151).
    pub leaves: i64,
    /// Average price of what has traded, exact; null before the first fill.
    pub average_price: Option<String>,
    /// Where it stands (FIX 39).
    pub status: String,
    /// Which strategy wants it.
    pub strategy: Option<String>,
    /// `market`, `limit`, `stop_limit` or `at_auction`.
    pub order_type: String,
    /// How long it stays (FIX 59).
    pub time_in_force: String,
    /// When it was decided on.
    pub decided_at: String,
}

/// What the account holds of one instrument.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PositionDocument {
    /// Of what.
    pub symbol: String,
    /// Units, negative when short.
    pub quantity: i64,
    /// What a unit was bought for on average, exact; null where nothing is held.
    pub average_price: Option<String>,
    /// Units that other hands hold in the same account.
    pub external: i64,
    /// The price that it is valued at, exact; null before the first price.
    pub mark: Option<String>,
    /// BRL above cost at that price; null before the first price.
    pub unrealized: Option<f64>,
    /// BRL that closed parts have brought in, before fees.
    pub realized: f64,
    /// An order of unknown outcome keeps new entries out of it.
    pub frozen: bool,
}

/// One fill, as it was applied.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct FillDocument {
    /// Its place in this run, from 1.
    pub number: u64,
    /// When.
    pub at: String,
    /// Of which order.
    pub client_order_id: String,
    /// The broker's name of it (FIX 17).
    pub execution_id: String,
    /// Of what.
    pub symbol: String,
    /// `buy` or `sell`.
    pub side: String,
    /// Units.
    pub quantity: i64,
    /// Price per unit, exact.
    pub price: String,
    /// Fees, BRL, exact.
    pub fee: String,
    /// Whose order.
    pub strategy: Option<String>,
}

/// A part of the program that is stopped.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct HaltDocument {
    /// `global`, `account`, `broker`, `strategy:NAME` or `symbol:PETR4`.
    pub scope: String,
    /// How far.
    pub level: String,
}

/// A part of the program that is stopped, and on whose word.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct StandingDocument {
    /// `global`, `account`, `broker`, `strategy:NAME` or `symbol:PETR4`.
    pub scope: String,
    /// How far.
    pub level: String,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub at: String,
}

/// How things stand.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct StateDocument {
    /// `paper`.
    pub mode: String,
    /// The account's tag.
    pub account: String,
    /// Version of the program.
    pub version: String,
    /// The strictest level that concerns every order.
    pub halt: String,
    /// Every scope that is not active.
    pub halts: Vec<StandingDocument>,
    /// Book and broker agree, and new orders are taken on.
    pub ready: bool,
    /// What a difference between book and broker has stopped, and both figures.
    pub breaks: Vec<String>,
    /// Actors that were given up after failing again and again.
    pub given_up: Vec<String>,
    /// The exchange's day.
    pub session: String,
    /// The phase of the exchange's day.
    pub phase: String,
    /// BRL: cash plus positions at their marks.
    pub equity: f64,
    /// BRL.
    pub cash: f64,
    /// BRL that new orders may still use.
    pub buying_power: f64,
    /// BRL of positions at their marks, longs and shorts added, open orders at their worst.
    pub exposure: f64,
    /// Open orders.
    pub open_orders: u64,
    /// Open orders whose outcome nobody knows.
    pub unknown_orders: u64,
    /// Fills of this run.
    pub fills: u64,
    /// Journal entries.
    pub entries: u64,
    /// Of these, not durable yet.
    pub uncommitted: u64,
}

/// The hot quote of one instrument.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct QuoteDocument {
    /// Of what.
    pub symbol: String,
    /// When any of it last changed; null before the first price.
    pub at: Option<String>,
    /// Last price, exact.
    pub last: Option<String>,
    /// Best bid, exact.
    pub bid: Option<String>,
    /// Best ask, exact.
    pub ask: Option<String>,
    /// Units wanted at the bid.
    pub bid_size: Option<i64>,
    /// Units offered at the ask.
    pub ask_size: Option<i64>,
    /// Who told it.
    pub source: Option<String>,
    /// How old it was when it was told: realtime, delayed, end_of_day, synthetic.
    pub delay: Option<String>,
    /// Counts the symbol's quotes in this run, from one.
    pub sequence: Option<u64>,
}

/// One session of one instrument, as the exchange published it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct BarDocument {
    /// Session.
    pub date: String,
    /// Opening price, exact.
    pub open: String,
    /// Highest price, exact.
    pub high: String,
    /// Lowest price, exact.
    pub low: String,
    /// Last price, exact.
    pub close: String,
    /// Units traded.
    pub volume: i64,
}

/// A configured strategy.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct StrategyDocument {
    /// Its name.
    pub name: String,
    /// Which strategy of the list.
    pub kind: String,
    /// What it may trade.
    pub symbols: Vec<String>,
    /// Where it stands by itself.
    pub halt: String,
    /// It failed again and again and was left out.
    pub given_up: bool,
    /// What it holds.
    pub holdings: Vec<HoldingDocument>,
}

/// What one strategy holds of one instrument.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct HoldingDocument {
    /// Of what.
    pub symbol: String,
    /// Units, negative when short.
    pub position: i64,
    /// Units that its open orders would add.
    pub working: i64,
}

/// The open orders in the order of their names.
pub fn open_orders(book: &Book, universe: &Universe, strategies: &[String]) -> Vec<OrderDocument> {
    let mut orders: Vec<OrderDocument> =
        book.open_orders().into_iter().map(|found| order(found, universe, strategies)).collect();
    orders.sort_by(|one, other| one.client_order_id.cmp(&other.client_order_id));
    orders
}

fn order(order: &Order, universe: &Universe, strategies: &[String]) -> OrderDocument {
    OrderDocument {
        client_order_id: order.intent.client_order_id.to_string(),
        symbol: universe.symbol(order.intent.instrument).to_owned(),
        side: order.intent.side.to_string(),
        quantity: order.quantity.units(),
        limit_price: order.order_type.limit_price().map(|price| price.to_string()),
        cumulative: order.cumulative.units(),
        leaves: order.leaves().units(),
        average_price: order.average_price().map(|price| price.to_string()),
        status: order.fix_status().to_owned(),
        strategy: strategies.get(order.intent.strategy.index()).cloned(),
        order_type: order.order_type.name().to_owned(),
        time_in_force: order.intent.time_in_force.name().to_owned(),
        decided_at: order.intent.decided_at.to_string(),
    }
}

/// What is held, by us or by other hands, in the order of the instruments.
pub fn positions(book: &Book, universe: &Universe) -> Vec<PositionDocument> {
    let held = universe.ids().filter(|id| !book.position(*id).quantity.is_zero() || !book.external(*id).is_zero());
    held.map(|id| {
        let (position, mark) = (book.position(id), book.mark_of(id));
        let priced = mark != Price::ZERO;
        PositionDocument {
            symbol: universe.symbol(id).to_owned(),
            quantity: position.quantity.units(),
            average_price: position.average_price().map(|price| price.to_string()),
            external: book.external(id).units(),
            mark: priced.then(|| mark.to_string()),
            unrealized: priced.then(|| position.unrealized(mark).to_f64()),
            realized: position.realized.to_f64(),
            frozen: book.is_frozen(id),
        }
    })
    .collect()
}

/// Fills of the run from this place on (0: the first), at most so many.
pub fn fills(
    recorded: &[RecordedFill],
    universe: &Universe,
    strategies: &[String],
    from: usize,
    most: usize,
) -> Vec<FillDocument> {
    let numbered = recorded.iter().enumerate().skip(from).take(most);
    numbered
        .map(|(place, fill)| FillDocument {
            number: place as u64 + 1,
            at: fill.at.to_string(),
            client_order_id: fill.client_order_id.to_string(),
            execution_id: fill.execution_id.to_string(),
            symbol: universe.symbol(fill.instrument).to_owned(),
            side: fill.side.to_string(),
            quantity: fill.quantity.units(),
            price: fill.price.to_string(),
            fee: fill.fee.to_string(),
            strategy: strategies.get(fill.strategy.index()).cloned(),
        })
        .collect()
}

/// Every scope that is not active.
pub fn halts(switch: &HaltSwitch) -> Vec<HaltDocument> {
    let standing = switch.standing().into_iter();
    standing.map(|(scope, level)| HaltDocument { scope: scope.to_string(), level: level.name().to_owned() }).collect()
}

/// How things stand.
pub fn state(snapshot: &Snapshot, account: &str, halts: Vec<HaltRecord>, given_up: Vec<String>) -> StateDocument {
    let (desk, book) = (&snapshot.desk, snapshot.desk.book());
    let open = book.open_orders();
    let unknown = open.iter().filter(|order| order.fix_status() == oms::OrderStatus::Unknown.name()).count();
    StateDocument {
        mode: "paper".to_owned(),
        account: account.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        halt: desk.halt().level().name().to_owned(),
        halts: halts.into_iter().map(standing).collect(),
        ready: snapshot.ready,
        breaks: snapshot.breaks.clone(),
        given_up,
        session: desk.session().to_string(),
        phase: desk.current_phase().name().to_owned(),
        equity: book.equity().to_f64(),
        cash: book.cash().total().to_f64(),
        buying_power: book.buying_power().to_f64(),
        exposure: book.gross_exposure().to_f64(),
        open_orders: open.len() as u64,
        unknown_orders: unknown as u64,
        fills: snapshot.record.fills.len() as u64,
        entries: snapshot.sequence,
        uncommitted: snapshot.uncommitted as u64,
    }
}

fn standing(record: HaltRecord) -> StandingDocument {
    let HaltRecord { scope, level, reason, by, at } = record;
    StandingDocument { scope, level, by, reason, at: at.to_string() }
}

/// The hot quote of an instrument: its price where the account reads it, and what else other programs see of it,
/// unless that is of another price by now.
pub fn quote(symbol: &str, top: TopOfBook, hot: Option<HotQuote>) -> QuoteDocument {
    let hot = hot.filter(|hot| (hot.at, hot.bid, hot.ask) == (top.at, top.bid, top.ask));
    let size = |size: Quantity| size.is_positive().then(|| size.units());
    let price = |price: Price| (price != Price::ZERO).then(|| price.to_string());
    QuoteDocument {
        symbol: symbol.to_owned(),
        at: (top.at != Timestamp::MIN).then(|| top.at.to_string()),
        last: price(top.last),
        bid: price(top.bid),
        ask: price(top.ask),
        bid_size: hot.and_then(|hot| size(hot.bid_size)),
        ask_size: hot.and_then(|hot| size(hot.ask_size)),
        source: hot.map(|hot| hot.source.to_string()),
        delay: hot.map(|hot| hot.delay.name().to_owned()),
        sequence: hot.map(|hot| hot.sequence),
    }
}

/// One stored session.
pub fn bar(row: &DailyBarRow) -> BarDocument {
    BarDocument {
        date: row.date.to_string(),
        open: row.open.to_string(),
        high: row.high.to_string(),
        low: row.low.to_string(),
        close: row.close.to_string(),
        volume: row.volume.units(),
    }
}

/// What a strategy holds.
pub fn holdings(desk: &Desk, strategy: market::StrategyId) -> Vec<HoldingDocument> {
    let held = desk.book().holdings_of(strategy).into_iter();
    held.map(|(instrument, holding)| HoldingDocument {
        symbol: desk.universe().symbol(instrument).to_owned(),
        position: holding.position.units(),
        working: holding.working.units(),
    })
    .collect()
}

//! The handlers that tell how things stand. They change nothing.

use std::sync::Arc;

use market::history::{CASH_MARKET, FRACTIONAL_MARKET};
use market::{ClientOrderId, Date, InstrumentId, StrategyId, Symbol};
use risk::HaltScope;
use serde::Serialize;
use store::Filter;
use utoipa::ToSchema;

use crate::answers::{
    self, BarDocument, FillDocument, OrderDocument, PositionDocument, StateDocument, StrategyDocument,
};

use super::App;
use super::dispatch::{Answer, Call, Handled};
use super::input::MOST_ROWS;
use super::problem::{NOT_FOUND, Problem, UNAVAILABLE};

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// What to send as `cursor` for the rows after these; null at the end.
    pub next: Option<String>,
}

/// Open orders.
pub type OrdersDocument = Page<OrderDocument>;
/// Fills.
pub type FillsDocument = Page<FillDocument>;
/// Daily bars.
pub type BarsDocument = Page<BarDocument>;

/// What people did.
pub type AuditDocument = Page<ActDocument>;

/// One act.
#[derive(Serialize, ToSchema)]
pub struct ActDocument {
    /// 1, 2, 3 …
    number: u64,
    /// When.
    at: String,
    /// Who.
    who: String,
    /// With which role; empty on the machine itself.
    role: String,
    /// By which way: `http`, `cli` …
    origin: String,
    /// What was done or asked for.
    action: String,
    /// To what.
    target: String,
    /// Why.
    reason: String,
    /// How it was.
    #[schema(value_type = Option<Object>)]
    before: Option<serde_json::Value>,
    /// How it is, or what was refused.
    #[schema(value_type = Option<Object>)]
    after: Option<serde_json::Value>,
    /// `done`, `denied` or `failed`.
    outcome: String,
    /// Its link of the chain.
    hash: String,
}

/// What is held.
#[derive(Serialize, ToSchema)]
pub struct PositionsDocument {
    /// One row an instrument.
    items: Vec<PositionDocument>,
    /// BRL: cash plus positions at their marks.
    equity: f64,
    /// BRL.
    cash: f64,
}

/// The limits.
#[derive(Serialize, ToSchema)]
pub struct LimitsDocument {
    /// The keys of `[risk]` with their values, exact.
    #[schema(value_type = Object)]
    limits: serde_json::Value,
    /// How often each check denied a request since the account last started.
    denials: std::collections::BTreeMap<String, u64>,
}

/// The strategies.
#[derive(Serialize, ToSchema)]
pub struct StrategiesDocument {
    /// In the order in which they decide.
    items: Vec<StrategyDocument>,
}

/// Something that there is nothing of yet.
#[derive(Serialize, ToSchema)]
pub struct NothingDocument {
    /// Empty.
    items: Vec<String>,
    /// Why.
    note: String,
}

/// `/v1/state`.
///
/// # Errors
/// The account does not answer.
pub async fn state(app: Arc<App>, _: Call) -> Result<Handled, Problem> {
    let snapshot = app.mirror.snapshot().await?;
    let (halts, given_up) = (app.inquiry.halts(), app.inquiry.given_up());
    let document: StateDocument = answers::state(&snapshot, &app.facts.account, halts, given_up);
    Ok(Answer::json(&document).into())
}

/// `/v1/orders`: the open ones.
///
/// # Errors
/// The account does not answer; a cursor that is none.
pub async fn orders(app: Arc<App>, call: Call) -> Result<Handled, Problem> {
    let limit = call.query.limit()?;
    let after: Option<ClientOrderId> = call.query.value("cursor")?;
    let snapshot = app.mirror.snapshot().await?;
    let desk = &snapshot.desk;
    let all = answers::open_orders(desk.book(), desk.universe(), app.inquiry.strategies());
    let after = after.map(|id| id.to_string());
    let rest = all.into_iter().filter(|order| after.as_ref().is_none_or(|after| order.client_order_id > *after));
    let items: Vec<OrderDocument> = rest.take(limit + 1).collect();
    Ok(Answer::json(&paged(items, limit, |order| order.client_order_id.clone())).into())
}

/// `/v1/positions`.
///
/// # Errors
/// The account does not answer.
pub async fn positions(app: Arc<App>, _: Call) -> Result<Handled, Problem> {
    let snapshot = app.mirror.snapshot().await?;
    let book = snapshot.desk.book();
    let document = PositionsDocument {
        items: answers::positions(book, snapshot.desk.universe()),
        equity: book.equity().to_f64(),
        cash: book.cash().total().to_f64(),
    };
    Ok(Answer::json(&document).into())
}

/// `/v1/fills`: those of this run, the oldest first.
///
/// # Errors
/// The account does not answer; a cursor that is none.
pub async fn fills(app: Arc<App>, call: Call) -> Result<Handled, Problem> {
    let limit = call.query.limit()?;
    let after: usize = call.query.value::<u32>("cursor")?.unwrap_or(0) as usize;
    let snapshot = app.mirror.snapshot().await?;
    let (record, universe) = (&snapshot.record, snapshot.desk.universe());
    let items = answers::fills(&record.fills, universe, app.inquiry.strategies(), after, limit + 1);
    Ok(Answer::json(&paged(items, limit, |fill| fill.number.to_string())).into())
}

/// `/v1/limits`.
///
/// # Errors
/// The account does not answer.
pub async fn limits(app: Arc<App>, _: Call) -> Result<Handled, Problem> {
    let snapshot = app.mirror.snapshot().await?;
    let denials = snapshot.desk.denials().iter().map(|(check, count)| ((*check).to_owned(), *count)).collect();
    let limits = serde_json::to_value(app.inquiry.limits().limits()).unwrap_or_default();
    Ok(Answer::json(&LimitsDocument { limits, denials }).into())
}

/// `/v1/strategies`.
///
/// # Errors
/// The account does not answer.
pub async fn strategies(app: Arc<App>, _: Call) -> Result<Handled, Problem> {
    let snapshot = app.mirror.snapshot().await?;
    let (switch, given_up) = (app.inquiry.halt(), app.inquiry.given_up());
    let items = (0..).zip(&app.facts.strategies).map(|(place, config)| StrategyDocument {
        name: config.name.clone(),
        kind: config.kind.name.to_owned(),
        symbols: config.symbols.iter().map(ToString::to_string).collect(),
        halt: switch.level_in(&HaltScope::Strategy(config.name.clone())).name().to_owned(),
        given_up: given_up.contains(&format!("strategy {}", config.name)),
        holdings: answers::holdings(&snapshot.desk, StrategyId(place)),
    });
    Ok(Answer::json(&StrategiesDocument { items: items.collect() }).into())
}

/// `/v1/models`.
///
/// # Errors
/// None.
pub async fn models(_: Arc<App>, _: Call) -> Result<Handled, Problem> {
    let note = "this release has no learned models".to_owned();
    Ok(Answer::json(&NothingDocument { items: Vec::new(), note }).into())
}

/// `/v1/portfolio`.
///
/// # Errors
/// None.
pub async fn portfolio(_: Arc<App>, _: Call) -> Result<Handled, Problem> {
    let note = "this release computes no target portfolio".to_owned();
    Ok(Answer::json(&NothingDocument { items: Vec::new(), note }).into())
}

/// `/v1/forecasts/{symbol}`.
///
/// # Errors
/// Always: there are none.
pub async fn forecasts(app: Arc<App>, call: Call) -> Result<Handled, Problem> {
    let (symbol, _) = instrument(&app, &call)?;
    Err(NOT_FOUND.problem(format!("there is no forecast of {symbol}: this release has no learned models")))
}

/// `/v1/quotes/{symbol}`: the hot quote, read where the account reads it.
///
/// # Errors
/// A symbol that is not part of this run.
pub async fn quote(app: Arc<App>, call: Call) -> Result<Handled, Problem> {
    let (symbol, id) = instrument(&app, &call)?;
    let (top, hot) = (app.inquiry.quote(id), app.inquiry.hot_quote(id));
    Ok(Answer::json(&answers::quote(symbol.as_str(), top, hot)).into())
}

fn instrument(app: &App, call: &Call) -> Result<(Symbol, InstrumentId), Problem> {
    let symbol = symbol(call)?;
    match app.inquiry.universe().find(&symbol) {
        Some(id) => Ok((symbol, id)),
        None => Err(NOT_FOUND.problem(format!("{symbol} is not part of this run"))),
    }
}

fn symbol(call: &Call) -> Result<Symbol, Problem> {
    call.parameter.parse().map_err(|_| NOT_FOUND.problem("that is no symbol; one looks like PETR4"))
}

/// `/v1/bars/{symbol}`: stored sessions, the oldest first.
///
/// # Errors
/// Nothing is stored of the symbol; the store cannot be read.
pub async fn bars(app: Arc<App>, call: Call) -> Result<Handled, Problem> {
    let symbol = symbol(&call)?;
    let limit = call.query.limit()?;
    let (from, to): (Option<Date>, Option<Date>) = (call.query.value("from")?, call.query.value("to")?);
    // A cursor is the date of the last row that was told.
    let after: Option<Date> = call.query.value("cursor")?;
    let from = after.and_then(|day| day.succ_opt()).max(from).unwrap_or(Date::MIN);
    let items = app.blocking(move |app| stored(app, symbol, from, to.unwrap_or(Date::MAX), limit + 1)).await?;
    Ok(Answer::json(&paged(items, limit, |bar| bar.date.clone())).into())
}

fn stored(app: &App, symbol: Symbol, from: Date, to: Date, most: usize) -> Result<Vec<BarDocument>, Problem> {
    let read = || {
        let history = app.facts.house.history.history()?;
        let market_types = vec![CASH_MARKET, FRACTIONAL_MARKET];
        let filter = Filter { symbols: vec![symbol], market_types, ..Filter::default() };
        if history.coverage(&filter)?.is_empty() {
            return Ok(None);
        }
        Ok(Some(if from > to { Vec::new() } else { history.daily(symbol, from, to)? }))
    };
    let rows = read().map_err(|error: store::StoreError| UNAVAILABLE.problem(error.to_string()))?;
    let rows = rows.ok_or_else(|| NOT_FOUND.problem(format!("there is no history of {symbol}")))?;
    Ok(rows.iter().take(most).map(answers::bar).collect())
}

/// `/v1/audit`: the oldest first.
///
/// # Errors
/// A row that is not what was written; the store cannot be read.
pub async fn audit(app: Arc<App>, call: Call) -> Result<Handled, Problem> {
    let limit = call.query.limit()?;
    let after: u64 = call.query.value::<u32>("cursor")?.unwrap_or(0).into();
    let rows = app
        .blocking(move |app| {
            app.trail.page(after, (limit + 1).min(MOST_ROWS)).map_err(|error| UNAVAILABLE.problem(error.to_string()))
        })
        .await?;
    // A state is the JSON text of an object; anything else is shown as it is.
    let state = |text: String| match serde_json::from_str(&text) {
        Ok(state @ serde_json::Value::Object(_)) => state,
        _ => serde_json::json!({ "text": text }),
    };
    let items = rows.into_iter().map(|row| ActDocument {
        number: row.number,
        at: row.record.at.to_string(),
        who: row.record.who,
        role: row.record.role,
        origin: row.record.origin,
        action: row.record.action,
        target: row.record.target,
        reason: row.record.reason,
        before: row.record.before.map(state),
        after: row.record.after.map(state),
        outcome: row.record.outcome.name().to_owned(),
        hash: row.hash.to_string(),
    });
    Ok(Answer::json(&paged(items.collect(), limit.min(MOST_ROWS - 1), |act: &ActDocument| act.number.to_string()))
        .into())
}

/// One row more than a page was read, so that the end is known.
pub fn paged<T>(mut items: Vec<T>, limit: usize, cursor: impl Fn(&T) -> String) -> Page<T> {
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(cursor);
    Page { items, next }
}

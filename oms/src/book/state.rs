//! The whole book as a value: what a snapshot stores, and how a book is made of it again.
//!
//! Instruments and strategies are dense numbers inside one run. The state keeps the numbers of the
//! run that wrote it together with what they meant there, and reading translates them to the
//! numbers of today. A symbol that something hangs on and that is not known today is an error; a
//! symbol that nothing hangs on is not.
//!
//! Everything is listed in a fixed order, so equal books make equal texts. Marks are left out: the
//! market tells them anew, and a stored one would be stale.

use std::collections::{BTreeMap, VecDeque};

use market::{
    ClientOrderId, Date, ExecutionId, InstrumentId, Money, Price, Quantity, StatedExecution, StrategyId, Symbol,
};
use serde::{Deserialize, Serialize};

use super::{Book, BookSettings, Execution, Open, Owner, Revocation};
use crate::cash::CashLedger;
use crate::day_trade::{DayTerms, DayTraded};
use crate::entered::Entered;
use crate::order::Order;
use crate::position::Position;

/// A book as it is stored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BookState {
    /// What the instrument numbers in here mean.
    pub instruments: BTreeMap<u32, Symbol>,
    /// What the strategy numbers in here mean.
    pub strategies: BTreeMap<u16, String>,
    /// Money that the book began with.
    pub began_with: Money,
    cash: CashLedger,
    fees: Money,
    /// Cash set aside for open buys, to be compared with the sum of the orders'.
    reserved: Money,
    sessions: u32,
    session: Option<Date>,
    terms: Option<DayTerms>,
    orders: Vec<OrderState>,
    /// Oldest first.
    ended: VecDeque<(u32, ClientOrderId)>,
    forgotten: BTreeMap<ClientOrderId, Vec<ExecutionId>>,
    positions: Vec<LineState>,
    holdings: Vec<HoldingState>,
    day_traded: Vec<(InstrumentId, DayTraded)>,
    externals: Vec<(u32, StatedExecution)>,
    /// What trades brought in by strategy; none in states from before it was kept.
    #[serde(default)]
    results: Option<Vec<(StrategyId, Money)>>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderState {
    order: Order,
    reserved: Money,
    brokerage: Option<Date>,
    executions: Vec<Execution>,
    revocations: Vec<Revocation>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineState {
    instrument: InstrumentId,
    position: Position,
    external: Quantity,
    adopted: Quantity,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HoldingState {
    strategy: StrategyId,
    instrument: InstrumentId,
    position: Quantity,
}

impl Book {
    /// The book as a value. `symbol` and `strategy` tell what the numbers of this run mean.
    pub fn state(&self, symbol: impl Fn(InstrumentId) -> Symbol, strategy: impl Fn(StrategyId) -> String) -> BookState {
        let mut orders: Vec<OrderState> = self.orders.values().map(OrderState::of).collect();
        orders.sort_by_key(|stored| stored.order.intent.client_order_id);
        let mut forgotten: BTreeMap<_, _> = self.forgotten.iter().map(|(id, names)| (*id, names.clone())).collect();
        forgotten.values_mut().for_each(|names: &mut Vec<ExecutionId>| names.sort());
        let mut holdings: Vec<HoldingState> = self
            .holdings
            .iter()
            .filter(|(_, holding)| !holding.position.is_zero())
            .map(|((strategy, instrument), holding)| HoldingState {
                strategy: *strategy,
                instrument: *instrument,
                position: holding.position,
            })
            .collect();
        holdings.sort_by_key(|held| (held.strategy, held.instrument));
        let positions = self.lines.iter().enumerate().filter_map(|(index, line)| {
            let (instrument, position) = (InstrumentId::new(index as u32), line.position);
            let (external, adopted) = (line.external, line.adopted);
            let empty = position == Position::default() && external.is_zero() && adopted.is_zero();
            (!empty).then_some(LineState { instrument, position, external, adopted })
        });
        let mut state = BookState {
            instruments: BTreeMap::new(),
            strategies: BTreeMap::new(),
            began_with: self.settings.cash,
            cash: self.cash.clone(),
            fees: self.fees,
            reserved: self.reserved,
            sessions: self.sessions,
            session: self.session,
            terms: self.terms,
            orders,
            ended: self.ended.clone(),
            forgotten,
            positions: positions.collect(),
            holdings,
            day_traded: self.day_traded.iter().map(|((_, instrument), day)| (*instrument, *day)).collect(),
            externals: self.externals.values().cloned().collect(),
            results: Some(self.results.flows()),
        };
        // Only what something hangs on is named, so the others may go.
        let (mut instruments, mut strategies) = (BTreeMap::new(), BTreeMap::new());
        for instrument in state.instrument_numbers() {
            instruments.insert(instrument.index() as u32, symbol(*instrument));
        }
        for owner in state.strategy_numbers() {
            strategies.insert(owner.0, strategy(*owner));
        }
        (state.instruments, state.strategies) = (instruments, strategies);
        state
    }

    /// A book that stands as the one did that `state` was taken of. The money that it began with is
    /// the state's, whatever the settings say now.
    ///
    /// # Errors
    /// A symbol or strategy that is not known any more, and a state that contradicts itself.
    pub fn from_state(
        settings: BookSettings,
        mut state: BookState,
        instrument: impl Fn(&Symbol) -> Option<InstrumentId>,
        strategy: impl Fn(&str) -> Option<StrategyId>,
    ) -> Result<Self, String> {
        state.translate(settings.instruments, instrument, strategy)?;
        let mut book = Self::new(BookSettings { cash: state.began_with, ..settings });
        for stored in state.positions {
            let line = &mut book.lines[stored.instrument.index()];
            line.position = stored.position;
            line.fills = stored.position.quantity;
            (line.external, line.adopted) = (stored.external, stored.adopted);
            book.revalue(stored.instrument);
        }
        for held in state.holdings {
            // Strategies that are gone may share a number: what they hold adds up.
            book.holdings.entry((held.strategy, held.instrument)).or_default().position += held.position;
            book.touch(held.strategy, held.instrument);
            book.results.trade((held.strategy, held.instrument), held.position, Money::ZERO, Price::ZERO);
        }
        for stored in state.orders {
            book.enter_stored(stored)?;
        }
        for (id, names) in state.forgotten {
            for name in &names {
                book.name(name, Owner::Order(id))?;
            }
            book.forgotten.insert(id, names);
        }
        for (session, execution) in state.externals {
            book.name(&execution.execution_id, Owner::External)?;
            book.externals.insert(execution.execution_id.clone(), (session, execution));
        }
        book.day_traded = state.day_traded.into_iter().map(|(of, day)| ((day.terms.date, of), day)).collect();
        book.cash = state.cash;
        book.fees = state.fees;
        (book.sessions, book.session) = (state.sessions, state.session);
        book.terms = state.terms;
        book.ended = state.ended;
        for (strategy, flow) in state.results.into_iter().flatten() {
            book.results.add_flow(strategy, flow);
        }
        // No mark is known yet, so what the account has made is all money that has moved.
        book.results.shared = book.equity() - book.settings.cash - book.results.total();
        if book.reserved != state.reserved {
            let (kept, found) = (state.reserved, book.reserved);
            return Err(format!("the stored book reserves {kept}, its orders {found}"));
        }
        book.verify().map_err(|difference| format!("the stored book contradicts itself: {difference}"))?;
        Ok(book)
    }

    fn enter_stored(&mut self, stored: OrderState) -> Result<(), String> {
        let OrderState { order, reserved, brokerage, executions, revocations } = stored;
        let (id, intent) = (order.intent.client_order_id, order.intent);
        if self.orders.get(&id).is_some() {
            return Err(format!("the stored book has order {id} twice"));
        }
        for name in executions.iter().map(|execution| &execution.execution_id) {
            self.name(name, Owner::Order(id))?;
        }
        // A correction is told twice: what it took back, and how it stands.
        let is_correction = |by: &ExecutionId| executions.iter().any(|execution| execution.execution_id == *by);
        for by in revocations.iter().map(|revocation| &revocation.by).filter(|by| !is_correction(by)) {
            self.name(by, Owner::Order(id))?;
        }
        let working = intent.side.signed(order.leaves());
        let line = &mut self.lines[intent.instrument.index()];
        line.unknown += u32::from(order.status == crate::OrderStatus::Unknown);
        self.holdings.entry((intent.strategy, intent.instrument)).or_default().working += working;
        self.reserved += reserved;
        let counted = Open::default();
        let mut entered = Entered { order, counted, working, reserved, brokerage, executions, revocations };
        entered.counted = Open::of(&entered);
        let is_open = entered.counted.is_any();
        self.recount_open((intent.strategy, intent.instrument), &counted, &entered.counted);
        let place = self.orders.enter(entered);
        if is_open {
            self.open[intent.instrument.index()].push(place);
        }
        Ok(())
    }

    fn name(&mut self, execution_id: &ExecutionId, owner: Owner) -> Result<(), String> {
        match self.executions.insert(execution_id.clone(), owner) {
            None => Ok(()),
            Some(_) => Err(format!("the stored book has execution {execution_id} twice")),
        }
    }
}

impl OrderState {
    fn of(entered: &Entered) -> Self {
        Self {
            order: entered.order.clone(),
            reserved: entered.reserved,
            brokerage: entered.brokerage,
            executions: entered.executions.clone(),
            revocations: entered.revocations.clone(),
        }
    }
}

impl BookState {
    /// Every place that holds the number of an instrument.
    fn instrument_numbers(&mut self) -> impl Iterator<Item = &mut InstrumentId> {
        let orders = self.orders.iter_mut().map(|stored| &mut stored.order.intent.instrument);
        let positions = self.positions.iter_mut().map(|stored| &mut stored.instrument);
        let holdings = self.holdings.iter_mut().map(|stored| &mut stored.instrument);
        let days = self.day_traded.iter_mut().map(|(instrument, _)| instrument);
        let externals = self.externals.iter_mut().map(|(_, execution)| &mut execution.instrument);
        orders.chain(positions).chain(holdings).chain(days).chain(externals)
    }

    /// Every place that holds the number of a strategy.
    fn strategy_numbers(&mut self) -> impl Iterator<Item = &mut StrategyId> {
        let orders = self.orders.iter_mut().map(|stored| &mut stored.order.intent.strategy);
        let results = self.results.iter_mut().flatten().map(|(strategy, _)| strategy);
        orders.chain(self.holdings.iter_mut().map(|stored| &mut stored.strategy)).chain(results)
    }

    /// From the numbers of the run that wrote it to those of today.
    fn translate(
        &mut self,
        known: usize,
        instrument: impl Fn(&Symbol) -> Option<InstrumentId>,
        strategy: impl Fn(&str) -> Option<StrategyId>,
    ) -> Result<(), String> {
        let (symbols, names) = (self.instruments.clone(), self.strategies.clone());
        for number in self.instrument_numbers() {
            let written = number.index() as u32;
            let symbol = symbols.get(&written);
            let symbol = symbol.ok_or_else(|| format!("the stored book does not say what instrument {written} is"))?;
            *number = instrument(symbol).filter(|today| today.index() < known).ok_or_else(|| {
                format!("the stored book is about {symbol}, which is not configured: add it to the symbols, or close its position first")
            })?;
        }
        for number in self.strategy_numbers() {
            let name = names.get(&number.0);
            let name = name.ok_or_else(|| format!("the stored book does not say who strategy {} is", number.0))?;
            *number = strategy(name)
                .ok_or_else(|| format!("the stored book is about strategy '{name}', which is not known"))?;
        }
        Ok(())
    }
}

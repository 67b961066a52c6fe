//! What the halt ladder does beyond forbidding: takes open orders back, closes what strategies hold, and
//! lets a named person lead out again.
//!
//! Which orders a halt concerns is not remembered here. The switch says it of each order and each holding
//! whenever they are looked at, so an order that becomes known later is cancelled like the others, and an
//! account that starts anew goes on where its predecessor was: the switch, the book and the journal hold
//! everything. It looks after whatever may have changed one of them, and does nothing while no scope
//! cancels.
//!
//! - **Withdrawn**: what waits for the journal and may not leave any more never does, also if somebody
//!   resumes meanwhile.
//! - **Cancelled**: each open order of a scope at `cancel_all` or `flatten`, again while the broker refuses,
//!   until a statement that was asked for after the last of them lists none.
//! - **Closed**: at `flatten`, per strategy and instrument, by orders of the engine's own, one at a time in an
//!   instrument, each reviewed like any other. What other hands hold is left alone.
//! - **Lifted**: the entry first, the switch when it is durable.

use std::collections::{BTreeMap, VecDeque};

use market::order::{OrderRequest, Signal};
use market::{
    ClientOrderId, InstrumentId, OrderType, Price, Quantity, Side, StrategyId, TimeInForce, Timestamp, TopOfBook,
};
use oms::OrderStatus;
use risk::{HaltLevel, HaltScope, Seen};

use super::{Alert, Command, Effect, Link, Protocol, is_overdue};
use crate::entry::{Entry, GONE};

const SECOND: i64 = market::time::NANOS_PER_SECOND;
/// Between two cancels of one order that the broker refuses, and between two looks at its statement.
const CANCEL_AGAIN: i64 = 2 * SECOND;
/// Between two closing orders in one instrument, unless the first was filled.
const CLOSE_AGAIN: i64 = 5 * SECOND;

/// What stopping remembers between two looks. None of it has to outlive the process.
#[derive(Clone, Debug, Default)]
pub(super) struct Stopping {
    /// The switch as it was acted on last.
    epoch: Option<u64>,
    /// Some scope cancels.
    at_work: bool,
    /// When an order was last asked to be cancelled.
    cancelled: BTreeMap<ClientOrderId, Timestamp>,
    /// The question that was asked when nothing was open any more.
    asked: Option<u64>,
    /// The last question that was answered.
    answered: Option<u64>,
    /// The broker has listed nothing open since.
    is_verified: bool,
    /// The last closing order in an instrument.
    closing: BTreeMap<InstrumentId, Attempt>,
    /// Resumes that wait for their entry.
    lifts: VecDeque<Lift>,
}

/// A closing order that was tried.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    at: Timestamp,
    /// Why it was denied, if it was: told once.
    denied: Option<(&'static str, &'static str)>,
}

/// A resume that waits for its entry.
#[derive(Clone, Debug)]
struct Lift {
    sequence: u64,
    scope: HaltScope,
    seen: Seen,
    by: String,
    reason: String,
}

/// What flattening would do in one instrument for one strategy.
#[derive(Clone, PartialEq, Debug)]
pub struct Closing {
    /// Whose; none for a strategy that is not configured any more.
    pub strategy: Option<String>,
    /// Of what.
    pub instrument: InstrumentId,
    /// Units that it holds, signed.
    pub held: Quantity,
    /// The first order, if there can be one now: several where limits are smaller than the holding.
    pub order: Option<(Side, Quantity)>,
}

impl Protocol {
    /// Acts on the switch as it stands now.
    pub(super) fn stop_what_is_halted(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let epoch = Some(self.desk.halt().epoch());
        if epoch != self.stopping.epoch {
            self.stopping.epoch = epoch;
            self.stopping.at_work = self.desk.halt().is_cancelling();
            (self.stopping.is_verified, self.stopping.asked) = (false, None);
            self.withdraw_halted(now, effects);
            if !self.stopping.at_work {
                self.stopping.cancelled.clear();
                self.stopping.closing.clear();
            }
        }
        if !self.stopping.at_work {
            return;
        }
        let is_open = self.cancel_what_is_open(now, effects);
        self.verify(is_open, now, effects);
        self.close_what_is_held(now, effects);
    }

    /// What waits for the journal and the switch forbids by now.
    fn withdraw_halted(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let switch = self.desk.halt().clone();
        for (command, reason) in self.take_held_back(&switch) {
            self.not_sent(&command, reason, now, effects);
        }
    }

    /// Orders that a scope takes back. The engine's own closing orders stay while flattening goes on.
    fn to_cancel(&self) -> Vec<ClientOrderId> {
        let switch = self.desk.halt();
        let concerned = |order: &&&oms::Order| {
            let (strategy, instrument) = (order.intent.strategy, order.intent.instrument);
            let closes = self.closings.contains(&order.intent.client_order_id)
                && switch.level_of(strategy, instrument) == HaltLevel::Flatten;
            switch.cancels(strategy, instrument) && !closes
        };
        let open = self.desk.book().open_orders();
        open.iter().filter(concerned).map(|order| order.intent.client_order_id).collect()
    }

    /// Whether any is left open.
    fn cancel_what_is_open(&mut self, now: Timestamp, effects: &mut Vec<Effect>) -> bool {
        let concerned = self.to_cancel();
        let is_open = !concerned.is_empty();
        // Without a connection it could only be refused; what comes with the next one is another look.
        if self.link == Link::Down {
            return is_open;
        }
        for id in concerned {
            let is_asked = self.desk.book().order(&id).is_some_and(|order| order.cancel_requested);
            let due = match self.stopping.cancelled.get(&id) {
                None => true,
                // Outside the session it would be refused again and again.
                Some(last) => self.desk.current_phase().accepts_cancels() && is_overdue(now, *last, CANCEL_AGAIN),
            };
            if !is_asked
                && due
                && let Ok(approved) = self.desk.cancel(id, now)
            {
                self.stopping.cancelled.insert(id, now);
                self.record.counts.cancels += 1;
                let entry = Entry::CancelIntent { cancel: *approved.get(), stops: true };
                self.write_command(now, entry, Command::Cancel(approved), effects);
            }
        }
        is_open
    }

    /// Takes back what would otherwise rest until the session ends, each once: a broker that refuses has its
    /// reason, and whoever ends does not wait for ever.
    pub(super) fn cancel_day_orders(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.link == Link::Down {
            return;
        }
        let for_the_day =
            |order: &&&oms::Order| order.intent.time_in_force == TimeInForce::Day && !order.cancel_requested;
        let open = self.desk.book().open_orders();
        let open: Vec<_> = open.iter().filter(for_the_day).map(|order| order.intent.client_order_id).collect();
        for id in open {
            if let Ok(approved) = self.desk.cancel(id, now) {
                self.record.counts.cancels += 1;
                let entry = Entry::CancelIntent { cancel: *approved.get(), stops: true };
                self.write_command(now, entry, Command::Cancel(approved), effects);
            }
        }
    }

    /// A statement led to another cancel of an order that a halt takes back.
    pub(super) fn cancelled_again(&mut self, id: ClientOrderId, now: Timestamp) {
        self.stopping.cancelled.entry(id).and_modify(|last| *last = now);
    }

    /// Asks the broker until it has listed nothing open after the last cancel was answered.
    fn verify(&mut self, is_open: bool, now: Timestamp, effects: &mut Vec<Effect>) {
        if is_open {
            (self.stopping.is_verified, self.stopping.asked) = (false, None);
        } else if self.stopping.asked.is_some() && self.stopping.asked == self.stopping.answered {
            self.stopping.asked = None;
            self.stopping.is_verified = true;
            effects.push(Effect::Alert(Alert::NothingOpen));
        }
        if self.stopping.is_verified || self.link == Link::Down {
            return;
        }
        let asks_for_this = self.question.as_ref().is_some_and(|asked| Some(asked.number) == self.stopping.asked);
        let due = match &self.question {
            // What was asked before the last one ended may still list it; but no question interrupts another
            // that has hardly been asked.
            Some(asked) => !is_open && !asks_for_this && is_overdue(now, asked.asked_at, CANCEL_AGAIN),
            None => !is_open || is_overdue(now, self.compared_at, CANCEL_AGAIN),
        };
        if due {
            self.ask_statement(now, effects);
            self.stopping.asked = (!is_open).then_some(self.questions);
        }
    }

    /// A statement has been taken in.
    pub(super) fn statement_taken(&mut self, question: u64) {
        self.stopping.answered = Some(question);
    }

    /// Everything that strategies hold, those that are gone included.
    fn held(&self) -> Vec<(StrategyId, InstrumentId, Quantity)> {
        let strategies = self.settings.strategies.iter().map(|settings| settings.id).chain([GONE]);
        let holdings = strategies.flat_map(|strategy| {
            let holdings = self.desk.book().holdings_of(strategy).into_iter();
            holdings.map(move |(instrument, holding)| (strategy, instrument, holding.position))
        });
        holdings.filter(|(_, _, position)| !position.is_zero()).collect()
    }

    fn close_what_is_held(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        // A closing order waits for the journal like any other, and for book and broker to agree.
        if self.link != Link::Ready || self.writing.is_down() || self.account_break.is_some() {
            return;
        }
        for (strategy, instrument, held) in self.held() {
            let level = self.desk.halt().level_of(strategy, instrument);
            if level == HaltLevel::Flatten && self.may_close(instrument, now) {
                self.close(strategy, instrument, held, now, effects);
            }
        }
    }

    /// One at a time: while anything of ours is open in an instrument, nobody knows what will be left.
    fn may_close(&self, instrument: InstrumentId, now: Timestamp) -> bool {
        let book = self.desk.book();
        let waits = |attempt: &Attempt| !is_overdue(now, attempt.at, CLOSE_AGAIN);
        !book.is_frozen(instrument)
            && !book.open_orders().iter().any(|order| order.intent.instrument == instrument)
            && !self.stopping.closing.get(&instrument).is_some_and(waits)
    }

    fn close(
        &mut self,
        strategy: StrategyId,
        instrument: InstrumentId,
        held: Quantity,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let Some((side, quantity)) = self.closing_order(strategy, instrument, held) else { return };
        let Some(order_type) = self.closing_type() else { return };
        let request = OrderRequest {
            strategy,
            instrument,
            side,
            quantity,
            order_type,
            time_in_force: TimeInForce::Day,
            decided_at: now,
            parent: None,
            // Units are far below what a float holds exactly.
            signal: Signal::new("flatten", &[("held", held.units() as f64)]),
        };
        self.begin_day(now);
        let top = self.top(instrument);
        let evidence = self.evidence(strategy, instrument, top);
        let before = self.stopping.closing.get(&instrument).and_then(|attempt| attempt.denied);
        let reviewed = self.desk.decide_closing(&request, &evidence, now);
        let denied = reviewed.as_ref().err().map(|denial| (denial.check, denial.because));
        self.stopping.closing.insert(instrument, Attempt { at: now, denied });
        match reviewed {
            Ok(approved) => {
                self.record.counts.orders += 1;
                let (order, worst_price) = (*approved.get(), approved.worst_price());
                self.closings.insert(order.client_order_id);
                self.desk.marks_told(&evidence.marks);
                let (signal, evidence) = (request.signal, Some(evidence));
                let entry = Entry::Intent { order, worst_price, signal, evidence, closes: true };
                self.write_command(now, entry, Command::Submit(approved), effects);
            }
            // Tried again and again; told and kept when it is news.
            Err(denial) if denied != before => {
                self.record.counts.denials += 1;
                let symbol = self.desk.universe().get(instrument).map(|known| known.symbol);
                effects.push(Effect::Alert(Alert::NotClosed { symbol, reason: denial.to_string() }));
                self.desk.marks_told(&evidence.marks);
                self.write(now, vec![Entry::denied_closing(request, &denial, evidence)], effects);
            }
            Err(_) => {}
        }
    }

    /// The next order that brings a holding closer to nothing: whole lots, no more than one order may
    /// have, and no more than the account as a whole has left to give.
    fn closing_order(
        &self,
        strategy: StrategyId,
        instrument: InstrumentId,
        held: Quantity,
    ) -> Option<(Side, Quantity)> {
        let (book, limits) = (self.desk.book(), self.desk.limits().of(strategy, instrument));
        let known = self.desk.universe().get(instrument)?;
        let position = book.position(instrument).quantity;
        let (side, left) = if held.is_positive() {
            (Side::Sell, position - book.open_sells(instrument))
        } else {
            (Side::Buy, -position - book.open_buys(instrument))
        };
        let top = self.top(instrument);
        let best = if side == Side::Sell { top.bid } else { top.ask };
        let price = [best, top.last].into_iter().find(|price| *price > Price::ZERO).unwrap_or_default();
        // As dear as the review will count it.
        let price = if side == Side::Buy { price.saturating_add(price.scaled(limits.price_collar)) } else { price };
        let affordable = match i128::from(price.steps()) {
            0 => i64::MAX,
            steps => i64::try_from(limits.max_order_notional.steps() / steps).unwrap_or(i64::MAX),
        };
        let most = [limits.max_order_quantity, Quantity::new(affordable)].into_iter().chain(known.max_order_quantity);
        let most = most.map(|most| most.floor_to(known.lot)).min().unwrap_or_default();
        let wanted = held.abs().min(left).floor_to(known.lot);
        // A limit below one lot is the review's to tell.
        let quantity = wanted.min(most.max(known.lot));
        quantity.is_positive().then_some((side, quantity))
    }

    /// Whatever trades next: now in continuous trading, else at the next auction; nothing while the
    /// exchange takes no orders.
    fn closing_type(&self) -> Option<OrderType> {
        let phase = self.desk.current_phase();
        if phase.trades_continuously() {
            Some(OrderType::Market)
        } else if phase.accepts_auction_orders() {
            Some(OrderType::AtAuction { limit_price: None })
        } else {
            None
        }
    }

    fn top(&self, instrument: InstrumentId) -> TopOfBook {
        self.tops.get(instrument.index()).copied().unwrap_or_default()
    }

    /// An order of ours has ended: if it closed what it could, the next one need not wait.
    pub(super) fn closing_ended(&mut self, id: ClientOrderId, instrument: InstrumentId, status: OrderStatus) {
        if self.closings.remove(&id) && status == OrderStatus::Filled {
            self.stopping.closing.remove(&instrument);
        }
        self.stopping.cancelled.remove(&id);
    }

    /// What flattening a scope would do now, carried out by nobody: the orders it would take back, and
    /// what it would close.
    pub fn flatten_plan(&self, scope: &HaltScope) -> (Vec<ClientOrderId>, Vec<Closing>) {
        let symbol = |id: InstrumentId| self.desk.universe().get(id).map(|known| known.symbol);
        let name = |id: StrategyId| self.settings.strategies.get(id.index()).map(|settings| settings.name.clone());
        let concerned = |strategy: StrategyId, instrument: InstrumentId| match scope {
            HaltScope::Global | HaltScope::Account | HaltScope::Broker => true,
            HaltScope::Strategy(wanted) => name(strategy).as_ref() == Some(wanted),
            HaltScope::Symbol(wanted) => symbol(instrument) == Some(*wanted),
        };
        let open = self.desk.book().open_orders().into_iter();
        let open = open.filter(|order| concerned(order.intent.strategy, order.intent.instrument));
        let held = self.held().into_iter().filter(|(strategy, instrument, _)| concerned(*strategy, *instrument));
        let closing = |(strategy, instrument, held)| Closing {
            strategy: name(strategy),
            instrument,
            held,
            order: self.closing_order(strategy, instrument, held),
        };
        (open.map(|order| order.intent.client_order_id).collect(), held.map(closing).collect())
    }

    /// Whether a scope may be led out of where it stands.
    ///
    /// # Errors
    /// Why not, and what to do about it.
    pub fn may_resume(&self, seen: Seen) -> Result<(), String> {
        if seen.level() != HaltLevel::Halted {
            return Ok(());
        }
        if let Some(difference) = &self.account_break {
            return Err(format!(
                "book and broker differ: {difference}; look with 'pregao status --reconcile', stop the daemon, and \
                 resume there"
            ));
        }
        match self.link {
            Link::Ready => Ok(()),
            Link::Down => Err("there is no connection to the broker to agree with; resume when it is back".to_owned()),
            Link::Comparing => Err("book and broker have not been compared yet; try again in a moment".to_owned()),
        }
    }

    /// A named person leads a scope out: journaled now, open when the entry is durable.
    pub(super) fn resumed(
        &mut self,
        scope: HaltScope,
        seen: Seen,
        by: String,
        reason: String,
        at: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let (level, told) = (HaltLevel::Active, (by.clone(), reason.clone()));
        let rearmed = self.rearm(&scope);
        if seen.level() == HaltLevel::Active && !rearmed {
            let reason = format!("{scope} is active, and no rule of repetition has stopped it");
            effects.push(Effect::NotLifted { scope, reason });
            return;
        }
        self.write(at, vec![Entry::Halt { scope: scope.clone(), level, by: told.0, reason: told.1 }], effects);
        self.stopping.lifts.push_back(Lift { sequence: self.writing.sequence(), scope, seen, by, reason });
    }

    /// Entries are durable: what waited for them opens.
    pub(super) fn lift_committed(&mut self, through: u64, effects: &mut Vec<Effect>) {
        while let Some(lift) = self.stopping.lifts.pop_front_if(|lift| lift.sequence <= through) {
            let Lift { scope, seen, by, reason, .. } = lift;
            effects.push(Effect::Lift { scope, seen, by, reason });
        }
    }

    /// The journal failed: nothing opens on the strength of an entry that may not be there.
    pub(super) fn forget_lifts(&mut self, reason: &str, effects: &mut Vec<Effect>) {
        for lift in std::mem::take(&mut self.stopping.lifts) {
            let reason = format!("the journal failed: {reason}");
            effects.push(Effect::NotLifted { scope: lift.scope, reason });
        }
    }
}

//! A naive book: it keeps a list of orders and a list of fills, and works everything out from
//! those two lists whenever it is asked. Slow, plain, and written without looking at the real one.

use std::collections::{BTreeMap, BTreeSet};

use market::fees::{Brokerage, Modality};
use market::settlement::settlement_date;
use market::{
    Calendar, ClientOrderId, Date, ExecutionId, FeeSchedule, InstrumentId, Money, Price, Quantity, Rate, ReportKind,
    Side, StrategyId,
};
use oms::{Book, Exposure, Holding, OrderStatus};

#[derive(Clone, Debug)]
pub(crate) struct ModelOrder {
    pub(crate) strategy: StrategyId,
    pub(crate) instrument: InstrumentId,
    pub(crate) side: Side,
    pub(crate) quantity: i64,
    pub(crate) price: Price,
    pub(crate) replace: Option<(i64, Price)>,
    pub(crate) status: OrderStatus,
    /// The broker has said that it has it.
    pub(crate) acknowledged: bool,
    /// Number of the session it ended in.
    pub(crate) ended: Option<usize>,
    /// The trade date that its brokerage was charged on; none while nothing of it stands.
    pub(crate) brokerage: Option<Date>,
}

#[derive(Clone, Debug)]
struct Fill {
    name: ExecutionId,
    order: ClientOrderId,
    date: Date,
    units: i64,
    price: Price,
}

pub(crate) struct Model {
    cash: Money,
    brokerage: Brokerage,
    pub(crate) orders: BTreeMap<ClientOrderId, ModelOrder>,
    /// Everything that ever traded or was traded back, for the result.
    trades: Vec<(InstrumentId, Quantity, Price)>,
    /// Executions that were taken back, whether they have arrived or not.
    revoked: BTreeSet<(ClientOrderId, ExecutionId)>,
    /// Orders that have been forgotten, for what their fills did.
    gone: BTreeMap<ClientOrderId, ModelOrder>,
    fills: Vec<Fill>,
    executions: BTreeMap<ExecutionId, ClientOrderId>,
    marks: BTreeMap<InstrumentId, Price>,
    refunds: BTreeMap<(Date, InstrumentId), Money>,
    sessions: usize,
    today: Option<Date>,
}

impl Model {
    pub(crate) fn new(cash: Money, brokerage: Brokerage) -> Self {
        Self {
            cash,
            brokerage,
            orders: BTreeMap::new(),
            trades: Vec::new(),
            revoked: BTreeSet::new(),
            gone: BTreeMap::new(),
            fills: Vec::new(),
            executions: BTreeMap::new(),
            marks: BTreeMap::new(),
            refunds: BTreeMap::new(),
            sessions: 0,
            today: None,
        }
    }

    fn stands(&self, fill: &Fill) -> bool {
        !self.revoked.contains(&(fill.order, fill.name.clone()))
    }

    fn standing(&self) -> impl Iterator<Item = &Fill> {
        self.fills.iter().filter(|fill| self.stands(fill))
    }

    fn filled(&self, id: &ClientOrderId) -> i64 {
        self.standing().filter(|fill| fill.order == *id).map(|fill| fill.units).sum()
    }

    /// Busts and corrections: everything that they need beside what a report needs.
    fn take_back(
        &mut self,
        id: &ClientOrderId,
        by: &ExecutionId,
        reference: &ExecutionId,
        stands: Option<(Date, i64, Price)>,
    ) -> bool {
        let Some(order) = self.orders.get(id).cloned() else { return false };
        let of_this_order = |fill: &&Fill| fill.order == *id && fill.name == *reference;
        let original = self.fills.iter().find(of_this_order).cloned();
        let elsewhere = self.executions.contains_key(reference) && original.is_none();
        let again = self.revoked.contains(&(*id, reference.clone()));
        let known = self.executions.contains_key(by);
        if known || elsewhere || again || by == reference || order.status == OrderStatus::Rejected {
            return false;
        }
        let most = order.quantity.max(order.replace.map_or(0, |to| to.0));
        let left = most - self.filled(id) + original.as_ref().map_or(0, |fill| fill.units);
        let counts = !self.revoked.contains(&(*id, by.clone()));
        if let Some((_, units, price)) = stands
            && (units <= 0 || price <= Price::ZERO || (counts && units > left))
        {
            return false;
        }
        self.executions.insert(by.clone(), *id);
        self.revoked.insert((*id, reference.clone()));
        if let Some(original) = &original {
            self.trades.push((order.instrument, -order.side.signed(Quantity::new(original.units)), original.price));
        }
        if self.filled(id) == 0 {
            self.orders.get_mut(id).expect("the order").brokerage = None;
        }
        if let Some((date, units, price)) = stands {
            let date = original.map_or(date, |original| original.date);
            self.arrive(id, by, date, units, price);
            let order = self.orders.get_mut(id).expect("the order");
            if counts && !order.status.is_terminal() {
                order.status = match order.status {
                    _ if units == left => OrderStatus::Filled,
                    waiting @ (OrderStatus::PendingCancel | OrderStatus::PendingReplace) => waiting,
                    _ => OrderStatus::Working,
                };
                if order.status.is_terminal() {
                    order.ended = Some(self.sessions);
                }
            }
        }
        true
    }

    fn arrive(&mut self, id: &ClientOrderId, name: &ExecutionId, date: Date, units: i64, price: Price) {
        self.executions.insert(name.clone(), *id);
        let fill = Fill { name: name.clone(), order: *id, date, units, price };
        self.fills.push(fill.clone());
        if self.stands(&fill) {
            let order = self.orders.get_mut(id).expect("the order");
            order.brokerage = order.brokerage.or(Some(date));
            self.trades.push((order.instrument, order.side.signed(Quantity::new(units)), price));
            let mark = self.marks.entry(order.instrument).or_default();
            if *mark == Price::ZERO {
                *mark = price;
            }
        }
    }

    /// Whether a report of this kind makes sense for the order, and what becomes of it then.
    pub(crate) fn report(&mut self, id: &ClientOrderId, of: InstrumentId, date: Date, kind: &ReportKind) -> bool {
        use OrderStatus as S;
        if self.orders.get(id).is_none_or(|order| order.instrument != of) {
            return false;
        }
        match kind {
            ReportKind::Bust { execution_id, reference } => {
                let taken = self.take_back(id, execution_id, reference, None);
                return taken && self.acknowledge(id);
            }
            ReportKind::Corrected { execution_id, reference, price, quantity } => {
                let stands = Some((date, quantity.units(), *price));
                let taken = self.take_back(id, execution_id, reference, stands);
                return taken && self.acknowledge(id);
            }
            ReportKind::Fill { execution_id, price, quantity }
                if self.revoked.contains(&(*id, execution_id.clone())) =>
            {
                let fits = quantity.is_positive() && *price > Price::ZERO;
                if !fits || self.executions.contains_key(execution_id) {
                    return false;
                }
                self.arrive(id, execution_id, date, quantity.units(), *price);
                return self.acknowledge(id);
            }
            _ => {}
        }
        let filled = self.filled(id);
        let Some(order) = self.orders.get_mut(id).filter(|order| order.instrument == of) else { return false };
        let ended = order.status.is_terminal();
        let acknowledged = !matches!(order.status, S::PendingNew | S::Rejected);
        let most = order.quantity.max(order.replace.map_or(0, |to| to.0));
        let back_to_work = match order.status {
            status if ended => status,
            S::PendingCancel if !order.acknowledged => S::PendingNew,
            S::Unknown if !order.acknowledged => S::Unknown,
            _ => S::Working,
        };
        let status = match kind {
            ReportKind::New if order.status == S::Rejected => return false,
            ReportKind::New if matches!(order.status, S::PendingNew | S::Unknown) => S::Working,
            ReportKind::New => order.status,
            ReportKind::Fill { execution_id, price, quantity } => {
                let units = quantity.units();
                let fits = units > 0 && units <= most - filled && *price > Price::ZERO;
                if !fits || order.status == S::Rejected || self.executions.contains_key(execution_id) {
                    return false;
                }
                let status = order.status;
                self.arrive(id, execution_id, date, units, *price);
                match status {
                    ended if ended.is_terminal() => ended,
                    _ if filled + units == most => S::Filled,
                    waiting @ (S::PendingCancel | S::PendingReplace) => waiting,
                    _ => S::Working,
                }
            }
            ReportKind::Canceled { .. } if !ended => S::Canceled,
            ReportKind::Expired if !ended => S::Expired,
            ReportKind::Rejected { .. } if matches!(order.status, S::PendingNew | S::PendingCancel | S::Unknown) => {
                S::Rejected
            }
            ReportKind::Replaced { quantity, limit_price } if acknowledged && !ended => {
                let units = quantity.units();
                if units <= 0 || units < filled || limit_price.is_some_and(|price| price <= Price::ZERO) {
                    return false;
                }
                order.quantity = units;
                order.price = limit_price.unwrap_or(order.price);
                order.replace = None;
                match order.status {
                    _ if units == filled => S::Filled,
                    S::PendingCancel => S::PendingCancel,
                    _ => S::Working,
                }
            }
            ReportKind::CancelRejected { .. } if order.status == S::PendingReplace => S::PendingReplace,
            ReportKind::CancelRejected { .. } if order.status != S::PendingNew => back_to_work,
            ReportKind::ReplaceRejected { .. } if order.status != S::PendingNew => {
                order.replace = None;
                match order.status {
                    _ if !ended && filled >= order.quantity => S::Filled,
                    S::PendingCancel => S::PendingCancel,
                    _ => back_to_work,
                }
            }
            _ => return false,
        };
        let order = self.orders.get_mut(id).expect("the order");
        let has_it = matches!(kind, ReportKind::New | ReportKind::Fill { .. } | ReportKind::Replaced { .. });
        order.acknowledged |= has_it;
        order.status = status;
        if status.is_terminal() && !ended {
            order.ended = Some(self.sessions);
        }
        true
    }

    fn acknowledge(&mut self, id: &ClientOrderId) -> bool {
        self.orders.get_mut(id).expect("the order").acknowledged = true;
        true
    }

    pub(crate) fn mark(&mut self, instrument: InstrumentId, price: Price) {
        self.marks.insert(instrument, price);
    }

    pub(crate) fn start_session(&mut self, today: Date) {
        self.end_session();
        self.today = Some(today);
        self.sessions += 1;
        let now = self.sessions;
        let old = |order: &ModelOrder| order.ended.is_some_and(|ended| now >= ended + 5);
        let forgotten: BTreeSet<_> = self.orders.iter().filter(|(_, o)| old(o)).map(|(id, _)| *id).collect();
        self.executions.retain(|_, order| !forgotten.contains(order));
        for id in forgotten {
            self.gone.extend(self.orders.remove_entry(&id));
        }
    }

    /// The day-trade rate on what was bought and sold on the same day.
    pub(crate) fn end_session(&mut self) {
        let fees = FeeSchedule::b3();
        let days: BTreeSet<_> = self.fills.iter().map(|fill| (fill.date, self.of(fill).instrument)).collect();
        // What has settled is not rated again.
        let settled = |date: Date| settlement_date(&Calendar::b3(), date).is_none_or(|on| Some(on) <= self.today);
        let days: Vec<_> = days.into_iter().filter(|(date, _)| !settled(*date)).collect();
        for (date, instrument) in days {
            let side = |side| {
                let of_day = |fill: &&Fill| {
                    fill.date == date && self.of(fill).instrument == instrument && self.of(fill).side == side
                };
                let (mut units, mut paid) = (0, Money::ZERO);
                for fill in self.standing().filter(of_day) {
                    units += fill.units;
                    paid += fill.price.times(Quantity::new(fill.units));
                }
                (units, paid)
            };
            let ((bought, paid), (sold, got)) = (side(Side::Buy), side(Side::Sell));
            let matched = Quantity::new(bought.min(sold));
            let average = |amount: Money, units| amount.per_unit(Quantity::new(units)).unwrap_or_default();
            let notional = average(paid, bought).times(matched) + average(got, sold).times(matched);
            let rate = |modality| fees.rate(date, modality).expect("a rate");
            let refund = notional.scaled(rate(Modality::Normal)) - notional.scaled(rate(Modality::DayTrade));
            self.refunds.insert((date, instrument), refund);
        }
    }

    fn of(&self, fill: &Fill) -> &ModelOrder {
        self.orders.get(&fill.order).or_else(|| self.gone.get(&fill.order)).expect("the order of a fill")
    }

    fn signed(&self, fill: &Fill) -> Quantity {
        self.of(fill).side.signed(Quantity::new(fill.units))
    }

    fn fee(fill: &Fill) -> Money {
        let rate = FeeSchedule::b3().rate(fill.date, Modality::Normal).expect("a rate");
        fill.price.times(Quantity::new(fill.units)).scaled(rate)
    }

    fn brokerages(&self) -> impl Iterator<Item = (Date, Money)> {
        let orders = self.orders.values().chain(self.gone.values());
        orders.filter_map(|order| order.brokerage).map(|date| (date, self.brokerage.fee()))
    }

    /// The most that an open buy may still cost: every number of units that may trade before the
    /// replace takes effect is tried, and that it never does.
    fn worst_cost(&self, id: &ClientOrderId, order: &ModelOrder, rate: Rate) -> Money {
        let Some(worst) = self.worst_notional(id, order) else { return Money::ZERO };
        let brokerage = if self.filled(id) == 0 { self.brokerage.fee() } else { Money::ZERO };
        worst + worst.scaled(rate) + brokerage
    }

    /// The same without fees; nothing for an order that has nothing left.
    fn worst_notional(&self, id: &ClientOrderId, order: &ModelOrder) -> Option<Money> {
        let filled = self.filled(id);
        let left = (order.quantity - filled).max(0);
        let mut worst = order.price.times(Quantity::new(left));
        let mut most = left;
        if let Some((quantity, price)) = order.replace {
            let new = (quantity - filled).max(0);
            most = most.max(new);
            for before in 0..=left {
                let after = (new - before).max(0);
                let cost = order.price.times(Quantity::new(before)) + price.times(Quantity::new(after));
                worst = worst.max(cost);
            }
        }
        (most > 0).then_some(worst)
    }

    /// What is held at the mark, what open buys may come to cost, and the units of open sells at the mark:
    /// the worth of it if only the buys trade, and if only the sells do.
    fn ends(&self, of: InstrumentId, held: Quantity, whose: impl Fn(&ModelOrder) -> bool) -> (Money, Money) {
        let mark = self.marks.get(&of).copied().unwrap_or_default();
        let (mut cost, mut bought, mut sold) = (Money::ZERO, 0, 0);
        for (id, order) in self.open().filter(|(_, order)| order.instrument == of && whose(order)) {
            let most = order.quantity.max(order.replace.map_or(0, |to| to.0));
            let units = (most - self.filled(id)).max(0);
            match order.side {
                Side::Buy => {
                    (bought, cost) = (bought + units, cost + self.worst_notional(id, order).unwrap_or_default())
                }
                Side::Sell => sold += units,
            }
        }
        let up = mark.times(held) + cost.max(mark.times(Quantity::new(bought)));
        (up, mark.times(held - Quantity::new(sold)))
    }

    fn open(&self) -> impl Iterator<Item = (&ClientOrderId, &ModelOrder)> {
        self.orders.iter().filter(|(_, order)| !order.status.is_terminal())
    }

    fn worst_units(&self, instrument: InstrumentId, side: Side) -> Quantity {
        let of = self.open().filter(|(_, order)| order.instrument == instrument && order.side == side);
        let units =
            of.map(|(id, order)| (order.quantity.max(order.replace.map_or(0, |to| to.0)) - self.filled(id)).max(0));
        Quantity::new(units.sum())
    }

    /// Average-cost result of one instrument in plain floats.
    fn realized(&self, instrument: InstrumentId) -> f64 {
        let (mut held, mut cost, mut result) = (0.0_f64, 0.0_f64, 0.0_f64);
        for (_, signed, price) in self.trades.iter().filter(|(of, ..)| *of == instrument) {
            let (mut units, price) = (signed.units() as f64, price.to_f64());
            if held * units < 0.0 {
                let closed = units.abs().min(held.abs()) * held.signum();
                let average = cost / held;
                result += closed * (price - average);
                cost -= closed * average;
                held -= closed;
                units += closed;
            }
            cost += units * price;
            held += units;
        }
        result
    }

    /// Compares everything that a book tells with what the two lists say.
    pub(crate) fn compare(&self, book: &Book, instruments: u32, strategies: u16) -> Result<(), String> {
        let mut differences = Vec::new();
        let mut same = |what: String, told: &dyn std::fmt::Debug, found: &dyn std::fmt::Debug| {
            let (told, found) = (format!("{told:?}"), format!("{found:?}"));
            if told != found {
                differences.push(format!("{what}: the book says {told}, the model {found}"));
            }
        };
        let rate = Rate::from_ppm(300);
        let mut cash = self.cash;
        let mut fees = Money::ZERO;
        for fill in self.standing() {
            cash -= fill.price.times(self.signed(fill)) + Self::fee(fill);
            fees += Self::fee(fill);
        }
        for (_, brokerage) in self.brokerages() {
            cash -= brokerage;
            fees += brokerage;
        }
        let refunds: Money = self.refunds.values().copied().sum();
        let (mut exposure, mut equity) = (Exposure::default(), cash + refunds);
        let mut own = vec![Exposure::default(); usize::from(strategies)];
        let add = |exposure: &mut Exposure, (up, down): (Money, Money)| {
            exposure.gross += up.abs().max(down.abs());
            exposure.ends.up += up;
            exposure.ends.down += down;
        };
        for number in 0..instruments {
            let of = InstrumentId::new(number);
            let fills = || self.standing().filter(|fill| self.of(fill).instrument == of);
            let held: Quantity = fills().map(|fill| self.signed(fill)).sum();
            let paid: Money = fills().map(|fill| fill.price.times(self.signed(fill))).sum();
            let position = book.position(of);
            same(format!("position {number}"), &position.quantity, &held);
            same(format!("cost less result {number}"), &(position.cost - position.realized), &paid);
            let result = self.realized(of);
            let close = (position.realized.to_f64() - result).abs() < 0.001;
            same(format!("result {number}, {} and {result}", position.realized), &close, &true);
            let (buys, sells) = (self.worst_units(of, Side::Buy), self.worst_units(of, Side::Sell));
            same(format!("open buys {number}"), &book.open_buys(of), &buys);
            same(format!("open sells {number}"), &book.open_sells(of), &sells);
            let mark = self.marks.get(&of).copied().unwrap_or_default();
            same(format!("mark {number}"), &book.mark_of(of), &mark);
            equity += mark.times(held);
            add(&mut exposure, self.ends(of, held, |_| true));
            let unknown = self.open().any(|(_, o)| o.instrument == of && o.status == OrderStatus::Unknown);
            same(format!("frozen {number}"), &book.is_frozen(of), &unknown);
            for strategy in (0..strategies).map(StrategyId) {
                let mine = |order: &ModelOrder| order.strategy == strategy && order.instrument == of;
                let position = fills().filter(|fill| mine(self.of(fill))).map(|fill| self.signed(fill)).sum();
                add(&mut own[strategy.index()], self.ends(of, position, |order| order.strategy == strategy));
                let leaves = |id, order: &ModelOrder| Quantity::new((order.quantity - self.filled(id)).max(0));
                let working = self.open().filter(|(_, order)| mine(order));
                let working = working.map(|(id, order)| order.side.signed(leaves(id, order))).sum();
                same(format!("holding {number}"), &book.holding(strategy, of), &Holding { position, working });
            }
        }
        for strategy in (0..strategies).map(StrategyId) {
            let own = || self.standing().filter(|fill| self.of(fill).strategy == strategy);
            let made = |fill: &Fill| {
                let mark = self.marks.get(&self.of(fill).instrument).copied().unwrap_or_default();
                let signed = self.signed(fill);
                mark.times(signed) - fill.price.times(signed) - Self::fee(fill)
            };
            let charged = self.orders.values().chain(self.gone.values()).filter(|order| order.strategy == strategy);
            let charged: Money = charged.filter_map(|order| order.brokerage).map(|_| self.brokerage.fee()).sum();
            let result = own().map(made).sum::<Money>() - charged;
            same(format!("result of {strategy:?}"), &book.result_of(strategy), &result);
        }
        let buys = self.open().filter(|(_, order)| order.side == Side::Buy);
        let reserved: Money = buys.map(|(id, order)| self.worst_cost(id, order, rate)).sum();
        same("cash".to_owned(), &book.cash().total(), &(cash + refunds));
        same("fees".to_owned(), &book.fees(), &(fees - refunds));
        same("reserved".to_owned(), &book.reserved(), &reserved);
        same("equity".to_owned(), &book.equity(), &equity);
        same("exposure".to_owned(), &book.exposure(), &exposure);
        same("open orders".to_owned(), &(book.open_order_count() as usize), &self.open().count());
        for (place, own) in own.iter().enumerate() {
            let strategy = StrategyId(place as u16);
            let open = self.open().filter(|(_, order)| order.strategy == strategy).count();
            same(format!("exposure of {place}"), &book.exposure_of(strategy), own);
            same(format!("orders of {place}"), &(book.open_order_count_of(strategy) as usize), &open);
        }
        same("settled and pending".to_owned(), &book.cash().projected(Date::MAX), &(cash + refunds));
        for (id, order) in &self.orders {
            let told = book.order(id).map(|told| (told.status, told.quantity, told.cumulative, told.worst_price));
            let (quantity, filled) = (Quantity::new(order.quantity), Quantity::new(self.filled(id)));
            same(id.to_string(), &told, &Some((order.status, quantity, filled, order.price)));
        }
        for id in self.gone.keys() {
            same(id.to_string(), &book.order(id).is_none(), &true);
        }
        if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
    }

    /// Cash that has moved by `session`: fills and refunds settle two sessions after their trade.
    pub(crate) fn settled(&self, session: Date) -> Money {
        let calendar = Calendar::b3();
        let due = |date: Date| settlement_date(&calendar, date).is_some_and(|settles| settles <= session);
        let fills = self.standing().filter(|fill| due(fill.date));
        let moved: Money = fills.map(|fill| fill.price.times(self.signed(fill)) + Self::fee(fill)).sum();
        let brokerages: Money = self.brokerages().filter(|(date, _)| due(*date)).map(|(_, fee)| fee).sum();
        let refunds = self.refunds.iter().filter(|((date, _), _)| due(*date));
        self.cash - moved - brokerages + refunds.map(|(_, refund)| *refund).sum()
    }
}

//! The account on paper: lists of what happened, and what follows from them whenever somebody asks. It keeps
//! no sum and knows neither the book nor the checks; it is slow, and that is what it is for.

use market::{ClientOrderId, ExecutionId, Money, OrderType, ParentOrder, Price, Quantity, Side, Timestamp};

/// Steps of a price or of money per centavo.
pub(crate) const CENT: i128 = 1_000_000;

#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) id: ClientOrderId,
    pub(crate) strategy: u16,
    pub(crate) instrument: usize,
    pub(crate) side: Side,
    pub(crate) order_type: OrderType,
    pub(crate) first_type: OrderType,
    pub(crate) first_units: i64,
    pub(crate) quantity: i64,
    pub(crate) worst: Price,
    pub(crate) change: Option<(i64, Price)>,
    pub(crate) acknowledged: bool,
    pub(crate) cancel_asked: bool,
    pub(crate) lost: bool,
    pub(crate) ended: bool,
    pub(crate) parent: Option<ParentOrder>,
    pub(crate) sent_at: Timestamp,
}

#[derive(Clone, Debug)]
pub(crate) struct Traded {
    pub(crate) name: ExecutionId,
    pub(crate) order: usize,
    pub(crate) units: i64,
    pub(crate) price: Price,
    pub(crate) at: Timestamp,
    pub(crate) session: u32,
    pub(crate) taken_back: bool,
    pub(crate) lost_money: bool,
}

/// Units and prices in the order in which they moved a position, trades that were taken back included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved {
    strategy: u16,
    instrument: usize,
    signed: i64,
    price: Price,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    pub(crate) at: Timestamp,
    pub(crate) strategy: u16,
    pub(crate) session: u32,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused {
    pub(crate) at: Timestamp,
    pub(crate) strategy: u16,
}

/// Somebody resumed a strategy, or an instrument: what came before does not count any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resumed {
    pub(crate) strategy: Option<u16>,
    pub(crate) instrument: Option<usize>,
    pub(crate) trades: usize,
    pub(crate) refusals: usize,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Paper {
    pub(crate) cash: i128,
    pub(crate) orders: Vec<Placed>,
    pub(crate) trades: Vec<Traded>,
    pub(crate) moves: Vec<Moved>,
    pub(crate) messages: Vec<Message>,
    pub(crate) refusals: Vec<Refused>,
    pub(crate) resumed: Vec<Resumed>,
    pub(crate) others: [i64; 3],
    pub(crate) marks: [i64; 3],
    pub(crate) session: u32,
    /// The latest time of anything: nothing counts as earlier.
    pub(crate) latest: Option<Timestamp>,
}

impl Paper {
    pub(crate) fn at(&self, now: Timestamp) -> Timestamp {
        self.latest.map_or(now, |latest| latest.max(now))
    }

    fn happens(&mut self, now: Timestamp) -> Timestamp {
        let at = self.at(now);
        self.latest = Some(at);
        at
    }

    pub(crate) fn message(&mut self, strategy: u16, now: Timestamp) -> Timestamp {
        let (at, session) = (self.happens(now), self.session);
        self.messages.push(Message { at, strategy, session });
        at
    }

    /// Units of an order that have traded and stand.
    pub(crate) fn filled(&self, order: usize) -> i64 {
        self.trades.iter().filter(|trade| trade.order == order && !trade.taken_back).map(|trade| trade.units).sum()
    }

    /// Units that an order may still trade, a change of it on its way or not.
    pub(crate) fn most_left(&self, order: usize) -> i64 {
        let placed = &self.orders[order];
        if placed.ended {
            return 0;
        }
        let most = placed.change.map_or(placed.quantity, |(quantity, _)| quantity.max(placed.quantity));
        (most - self.filled(order)).max(0)
    }

    /// Units that it may trade as it stands.
    pub(crate) fn left(&self, order: usize) -> i64 {
        let placed = &self.orders[order];
        if placed.ended { 0 } else { (placed.quantity - self.filled(order)).max(0) }
    }

    /// The most that an open buy may still cost. Before a change takes effect any number of units may trade;
    /// the cost is greatest at an end, or where the changed order has nothing left.
    pub(crate) fn worst_cost(&self, order: usize, change: Option<(i64, Price)>) -> i128 {
        let (placed, left, filled) = (&self.orders[order], self.left(order), self.filled(order));
        if placed.side == Side::Sell || placed.ended {
            return 0;
        }
        let cost = |price: Price, units: i64| i128::from(price.steps()) * i128::from(units);
        let mut worst = cost(placed.worst, left);
        if let Some((quantity, price)) = change {
            for before in [0, left, (quantity - filled).clamp(0, left)] {
                worst = worst.max(cost(placed.worst, before) + cost(price, (quantity - filled - before).max(0)));
            }
        }
        worst
    }

    /// Open orders, those of unknown outcome included.
    pub(crate) fn open(&self) -> impl Iterator<Item = (usize, &Placed)> {
        self.orders.iter().enumerate().filter(|(_, placed)| !placed.ended)
    }

    pub(crate) fn open_units(&self, instrument: usize, side: Side, whose: Option<u16>) -> i64 {
        let of = self.open().filter(|(_, placed)| placed.instrument == instrument && placed.side == side);
        of.filter(|(_, placed)| is_of(placed.strategy, whose)).map(|(order, _)| self.most_left(order)).sum()
    }

    /// What all trades that stand have left in a position.
    pub(crate) fn held(&self, instrument: usize, whose: Option<u16>) -> i64 {
        let of = self.trades.iter().filter(|trade| !trade.taken_back);
        let of = of.map(|trade| (&self.orders[trade.order], trade.units));
        let of = of.filter(|(placed, _)| placed.instrument == instrument && is_of(placed.strategy, whose));
        of.map(|(placed, units)| placed.side.sign() * units).sum()
    }

    pub(crate) fn money(&self) -> i128 {
        let standing = self.trades.iter().filter(|trade| !trade.taken_back);
        let paid = standing.map(|trade| {
            let signed = self.orders[trade.order].side.sign() * trade.units;
            i128::from(trade.price.steps()) * i128::from(signed)
        });
        self.cash - paid.sum::<i128>()
    }

    pub(crate) fn power(&self) -> i128 {
        self.money() - self.open().map(|(order, placed)| self.worst_cost(order, placed.change)).sum::<i128>()
    }

    pub(crate) fn equity(&self) -> i128 {
        let worth = |instrument: usize| i128::from(self.marks[instrument]) * i128::from(self.held(instrument, None));
        self.money() + (0..3).map(worth).sum::<i128>()
    }

    /// A trade of a strategy: whether it closes something at less than its average cost. Average cost is per
    /// unit, rounded half to even; closing everything releases everything.
    fn moves(&mut self, strategy: u16, instrument: usize, signed: i64, price: Price) -> bool {
        let (mut held, mut cost) = (0_i64, 0_i128);
        let mut loses = false;
        self.moves.push(Moved { strategy, instrument, signed, price });
        for moved in self.moves.iter().filter(|moved| moved.strategy == strategy && moved.instrument == instrument) {
            let (price, signed) = (i128::from(moved.price.steps()), moved.signed);
            let closes = if held.signum() * signed.signum() < 0 { signed.abs().min(held.abs()) } else { 0 };
            loses = false;
            if closes > 0 {
                let closed = closes * held.signum();
                let released = if closed == held { cost } else { half_even(cost, held) * i128::from(closed) };
                loses = price * i128::from(closed) < released;
                (held, cost) = (held - closed, cost - released);
            }
            let opens = signed - closes * signed.signum();
            (held, cost) = (held + opens, cost + price * i128::from(opens));
        }
        loses
    }

    pub(crate) fn fill(&mut self, order: usize, name: ExecutionId, units: i64, price: Price, now: Timestamp) {
        let (at, session) = (self.happens(now), self.session);
        let placed = &mut self.orders[order];
        (placed.acknowledged, placed.lost) = (true, false);
        let (strategy, instrument, signed) = (placed.strategy, placed.instrument, placed.side.sign() * units);
        let lost_money = self.moves(strategy, instrument, signed, price);
        self.trades.push(Traded { name, order, units, price, at, session, taken_back: false, lost_money });
        if self.marks[instrument] == 0 {
            self.marks[instrument] = price.steps();
        }
        self.end_if_done(order);
    }

    pub(crate) fn take_back(&mut self, trade: usize, now: Timestamp) {
        self.happens(now);
        let Traded { order, units, price, .. } = self.trades[trade];
        self.trades[trade].taken_back = true;
        let (strategy, instrument, side) =
            (self.orders[order].strategy, self.orders[order].instrument, self.orders[order].side);
        self.moves(strategy, instrument, -side.sign() * units, price);
    }

    /// An order ends with its last unit, unless a change on its way may bring more.
    pub(crate) fn end_if_done(&mut self, order: usize) {
        if self.most_left(order) == 0 {
            self.orders[order].ended = true;
        }
    }
}

pub(crate) fn is_of(strategy: u16, whose: Option<u16>) -> bool {
    whose.is_none_or(|whose| whose == strategy)
}

fn half_even(amount: i128, units: i64) -> i128 {
    let (amount, units) = if units < 0 { (-amount, -i128::from(units)) } else { (amount, i128::from(units)) };
    let (whole, rest) = (amount.div_euclid(units), amount.rem_euclid(units));
    match (2 * rest).cmp(&units) {
        std::cmp::Ordering::Less => whole,
        std::cmp::Ordering::Greater => whole + 1,
        std::cmp::Ordering::Equal => whole + whole.rem_euclid(2),
    }
}

/// As the reals of a trader: for messages.
pub(crate) fn reals(steps: i128) -> Money {
    Money::from_steps(steps)
}

pub(crate) fn units(quantity: i64) -> Quantity {
    Quantity::new(quantity)
}

//! An account on paper: what is held, paid and open, and what the limits mean for it, worked out
//! from nothing but its own list of orders. It knows neither the book nor the checks.

use market::fees::Brokerage;
use market::{ClientOrderId, InstrumentId, Money, OrderType, Price, Quantity, Rate, Side, TopOfBook};
use risk::LimitSet;

use crate::world::{BOVA11, PETR4};

#[derive(Clone, Debug)]
pub(crate) struct Paper {
    pub(crate) id: ClientOrderId,
    pub(crate) instrument: InstrumentId,
    pub(crate) side: Side,
    pub(crate) order_type: OrderType,
    pub(crate) quantity: i64,
    pub(crate) filled: i64,
    /// The most that a unit may cost.
    pub(crate) worst: Price,
    pub(crate) replace: Option<(i64, Price)>,
    pub(crate) acknowledged: bool,
    pub(crate) lost: bool,
    charged: bool,
}

impl Paper {
    pub(crate) fn left(&self) -> i64 {
        self.quantity - self.filled
    }

    fn most_left(&self) -> i64 {
        self.left().max(self.replace.map_or(0, |(quantity, _)| quantity - self.filled))
    }
}

pub(crate) struct Account {
    cash: Money,
    held: [i64; 2],
    pub(crate) open: Vec<Paper>,
    fee: Rate,
    brokerage: Brokerage,
}

/// What is asked for: an order, or the order that a replace would leave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) instrument: InstrumentId,
    pub(crate) side: Side,
    pub(crate) units: i64,
    pub(crate) order_type: OrderType,
}

fn place(instrument: InstrumentId) -> usize {
    instrument.index()
}

impl Account {
    pub(crate) fn new(cash: Money, fee: Rate, brokerage: Brokerage) -> Self {
        Self { cash, held: [0; 2], open: Vec::new(), fee, brokerage }
    }

    fn open_units(&self, instrument: InstrumentId, side: Side) -> i64 {
        self.open.iter().filter(|o| o.instrument == instrument && o.side == side).map(Paper::most_left).sum()
    }

    fn with_fee(&self, notional: Money) -> Money {
        notional + notional.scaled(self.fee)
    }

    /// The most that an open buy may still cost, tried out for every number of units that may trade
    /// before its replace takes effect.
    fn worst_cost(&self, order: &Paper, replace: Option<(i64, Price)>) -> Money {
        if order.side == Side::Sell {
            return Money::ZERO;
        }
        let times = |price: Price, units: i64| price.times(Quantity::new(units));
        let mut worst = times(order.worst, order.left());
        if let Some((quantity, price)) = replace {
            for before in 0..=order.left() {
                let after = (quantity - order.filled - before).max(0);
                worst = worst.max(times(order.worst, before) + times(price, after));
            }
        }
        self.with_fee(worst) + if order.charged { Money::ZERO } else { self.brokerage.fee() }
    }

    fn set_aside(&self) -> Money {
        self.open.iter().map(|order| self.worst_cost(order, order.replace)).sum()
    }

    /// Cash that a new buy may use.
    pub(crate) fn power(&self) -> Money {
        self.cash - self.set_aside()
    }

    fn affordable(&self, cost: Money) -> bool {
        cost <= Money::ZERO || cost <= self.power()
    }

    /// What a unit may come to cost.
    pub(crate) fn worst_price(asked: &Asked, top: &TopOfBook, limits: &LimitSet) -> Price {
        match (asked.order_type.limit_price(), asked.side) {
            (Some(limit_price), _) => limit_price,
            (None, Side::Buy) => top.ask + top.ask.scaled(limits.price_collar),
            (None, Side::Sell) => top.bid,
        }
    }

    /// The rules that hold for one order by itself.
    fn sound(asked: &Asked, top: &TopOfBook, limits: &LimitSet) -> bool {
        let lot = if asked.instrument == PETR4 { 100 } else { 1 };
        let cent = Price::from_cents(1).expect("a price").steps();
        let (collar, near) = match asked.side {
            Side::Buy => (top.ask.scaled(limits.price_collar), top.ask),
            Side::Sell => (top.bid.scaled(limits.price_collar), top.bid),
        };
        let priced = asked.order_type.limit_price().is_none_or(|limit_price| {
            let within = match asked.side {
                Side::Buy => limit_price <= near + collar,
                Side::Sell => limit_price >= near - collar,
            };
            within && limit_price > Price::ZERO && limit_price.steps() % cent == 0
        });
        let worth = Self::worst_price(asked, top, limits).times(Quantity::new(asked.units));
        asked.units > 0
            && asked.units % lot == 0
            && priced
            && asked.units <= limits.max_order_quantity.units()
            && worth <= limits.max_order_notional
    }

    /// An order of our own on the other side that this one could trade with.
    fn meets_our_own(&self, asked: &Asked) -> bool {
        let reach = asked.order_type.limit_price();
        let crosses = |other: Option<Price>| match (reach, other, asked.side) {
            (Some(mine), Some(other), Side::Buy) => mine >= other,
            (Some(mine), Some(other), Side::Sell) => mine <= other,
            _ => true,
        };
        let opposite = |order: &&Paper| order.instrument == asked.instrument && order.side != asked.side;
        self.open.iter().filter(opposite).any(|order| {
            let now = order.order_type.limit_price();
            crosses(now) || order.replace.is_some_and(|(_, to)| crosses(now.map(|_| to)))
        })
    }

    fn frozen(&self, instrument: InstrumentId) -> bool {
        self.open.iter().any(|order| order.instrument == instrument && order.lost)
    }

    pub(crate) fn allows(&self, asked: &Asked, top: &TopOfBook, limits: &LimitSet) -> bool {
        let held = self.held[place(asked.instrument)];
        let left_to_sell = held - self.open_units(asked.instrument, Side::Sell);
        let way_out = asked.side == Side::Sell && asked.units <= left_to_sell;
        let room = match asked.side {
            Side::Sell => way_out,
            Side::Buy => {
                let worst = held + self.open_units(asked.instrument, Side::Buy) + asked.units;
                let notional = Self::worst_price(asked, top, limits).times(Quantity::new(asked.units));
                let cost = self.with_fee(notional) + self.brokerage.fee();
                worst <= limits.max_position_quantity.units() && self.affordable(cost)
            }
        };
        room && !self.meets_our_own(asked)
            && (way_out || !self.frozen(asked.instrument))
            && Self::sound(asked, top, limits)
    }

    pub(crate) fn allows_replace(
        &self,
        order: &Paper,
        to: (i64, Price),
        asked: &Asked,
        top: &TopOfBook,
        limits: &LimitSet,
    ) -> bool {
        let more = (to.0 - order.filled - order.most_left()).max(0);
        let held = self.held[place(asked.instrument)];
        let room = match asked.side {
            Side::Sell => held - self.open_units(asked.instrument, Side::Sell) - more >= 0,
            Side::Buy => {
                let cost = self.worst_cost(order, Some(to)) - self.worst_cost(order, order.replace);
                let worst = held + self.open_units(asked.instrument, Side::Buy) + more;
                worst <= limits.max_position_quantity.units() && self.affordable(cost)
            }
        };
        room && !self.meets_our_own(asked) && !self.frozen(asked.instrument) && Self::sound(asked, top, limits)
    }

    pub(crate) fn enter(&mut self, id: ClientOrderId, asked: &Asked, worst: Price) {
        self.open.push(Paper {
            id,
            instrument: asked.instrument,
            side: asked.side,
            order_type: asked.order_type,
            quantity: asked.units,
            filled: 0,
            worst,
            replace: None,
            acknowledged: false,
            lost: false,
            charged: false,
        });
    }

    pub(crate) fn fill(&mut self, which: usize, units: i64, price: Price) {
        let brokerage = if self.open[which].charged { Money::ZERO } else { self.brokerage.fee() };
        let order = &mut self.open[which];
        (order.charged, order.acknowledged, order.lost) = (true, true, false);
        order.filled += units;
        let notional = price.times(Quantity::new(units));
        let (instrument, side) = (order.instrument, order.side);
        self.held[place(instrument)] += side.sign() * units;
        let fee = notional.scaled(self.fee) + brokerage;
        self.cash += if side == Side::Buy { -notional } else { notional } - fee;
        self.forget_what_is_done();
    }

    pub(crate) fn forget_what_is_done(&mut self) {
        self.open.retain(|order| order.most_left() > 0);
    }

    /// Every limit on the account as a whole, with everything open at its worst.
    pub(crate) fn broken(&self, limits: &LimitSet) -> Option<String> {
        for instrument in [BOVA11, PETR4] {
            let held = self.held[place(instrument)];
            let (buys, sells) = (self.open_units(instrument, Side::Buy), self.open_units(instrument, Side::Sell));
            if held + buys > limits.max_position_quantity.units() {
                return Some(format!("{held} held and {buys} on the way of {instrument:?}"));
            }
            if held - sells < 0 {
                return Some(format!("{held} held and {sells} being sold of {instrument:?}"));
            }
        }
        (self.power() < Money::ZERO).then(|| format!("{} in cash, {} set aside", self.cash, self.set_aside()))
    }
}

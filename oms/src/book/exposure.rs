//! What the account could come to hold at worst, in BRL: kept with every change, because each review asks.
//!
//! Units held count at their mark, ours and those of other hands together. Open buys count as if all of
//! them traded and no sell did, at their mark or at their worst price, whichever is dearer: the market may
//! run up to the limit before it meets the order. Open sells count as if all of them traded and no buy
//! did, at the mark. An order of unknown outcome is open, a replace on its way counts at the worse of both.
//!
//! Of one instrument, the worse of the two ends is its gross value. For net exposure the ends of all
//! instruments are added up, each with its sign.

use market::{InstrumentId, Money, Price, Quantity, StrategyId};
use rustc_hash::FxHashMap;

use super::{Book, Line};
use crate::entered::Entered;

/// What open orders may come to trade.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Open {
    /// How many they are, those on their way included.
    pub orders: u32,
    /// Units that buys may add at worst.
    pub buys: Quantity,
    /// What those may cost at worst, fees aside.
    pub buy_notional: Money,
    /// Units that sells may take away at worst.
    pub sells: Quantity,
}

impl Open {
    /// Whether anything is open.
    pub(super) fn is_any(&self) -> bool {
        self.buys.is_positive() || self.sells.is_positive()
    }

    /// What one order counts for.
    pub(crate) fn of(entered: &Entered) -> Self {
        let order = &entered.order;
        let (units, orders) = (order.worst_leaves(), u32::from(!order.status.is_terminal()));
        match order.intent.side {
            market::Side::Buy => {
                Self { orders, buys: units, buy_notional: order.worst_notional(), sells: Quantity::ZERO }
            }
            market::Side::Sell => Self { orders, sells: units, ..Self::default() },
        }
    }

    /// With `now` in the place of what was counted as `before`.
    pub(super) fn recount(&mut self, before: &Self, now: &Self) {
        self.orders = self.orders + now.orders - before.orders;
        self.buys += now.buys - before.buys;
        self.buy_notional += now.buy_notional - before.buy_notional;
        self.sells += now.sells - before.sells;
    }
}

/// What is held and open of one instrument, by the account or by one strategy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stake {
    /// What the instrument was last worth; zero while nobody has said.
    pub mark: Price,
    /// Units held, signed.
    pub held: Quantity,
    /// What may come on top.
    pub open: Open,
}

impl Stake {
    /// Its worth at worst.
    #[inline]
    pub fn worth(&self) -> Worth {
        Worth {
            up: self.mark.times(self.held) + self.open.buy_notional.max(self.mark.times(self.open.buys)),
            down: self.mark.times(self.held - self.open.sells),
        }
    }

    /// Its worth at worst with another open buy of `units` that may cost `notional`.
    pub fn worth_with_buy(mut self, units: Quantity, notional: Money) -> Worth {
        // Held at the end of the range: a review is explained also for a quantity that an earlier check denies.
        self.open.buys = Quantity::new(self.open.buys.units().saturating_add(units.units()));
        self.open.buy_notional += notional;
        self.worth()
    }

    /// Its worth at worst with another open sell. What it sells beyond what is held is a short position, and
    /// counts at the price that it may trade at if that is above the mark.
    pub fn worth_with_sell(&self, units: Quantity, worst_price: Price) -> Worth {
        let left = (self.held - self.open.sells).max(Quantity::ZERO);
        let covered = units.min(left);
        let mut worth = self.worth();
        worth.down -= self.mark.times(covered) + self.mark.max(worst_price).times(units - covered);
        worth
    }
}

/// A worth in BRL at its two ends: with every open buy traded, and with every open sell.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Worth {
    /// With every open buy traded.
    pub up: Money,
    /// With every open sell traded.
    pub down: Money,
}

impl Worth {
    /// The worse end, without its sign.
    #[inline]
    pub fn gross(&self) -> Money {
        self.up.abs().max(self.down.abs())
    }
}

/// The worth of many instruments, long and short.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Exposure {
    /// Longs and shorts added.
    pub gross: Money,
    /// Shorts taken off longs, at both ends.
    pub ends: Worth,
}

impl Exposure {
    /// Shorts taken off longs, at the worse end, without its sign.
    #[inline]
    pub fn net(&self) -> Money {
        self.ends.gross()
    }

    /// With `now` in the place of an instrument's worth `before`.
    #[inline]
    pub fn recount(&mut self, before: &Worth, now: &Worth) {
        self.gross += now.gross() - before.gross();
        self.ends.up += now.up - before.up;
        self.ends.down += now.down - before.down;
    }
}

/// What one strategy has open, by instrument number, and the instruments that it ever touched.
#[derive(Clone, Debug)]
struct OwnOpen {
    open: Vec<Open>,
    touched: Vec<InstrumentId>,
    orders: u32,
}

/// The sums that a book keeps.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    exposure: Exposure,
    orders: u32,
    /// Instruments of which something is held and that have no mark.
    unpriced: u32,
    strategies: FxHashMap<StrategyId, OwnOpen>,
}

impl Line {
    #[inline]
    pub(super) fn stake(&self) -> Stake {
        Stake { mark: self.mark, held: self.position.quantity + self.external, open: self.open }
    }

    fn is_unpriced(&self) -> bool {
        self.mark == Price::ZERO && !(self.position.quantity + self.external).is_zero()
    }
}

impl Book {
    /// What the account could come to hold at worst.
    #[inline]
    pub fn exposure(&self) -> Exposure {
        self.sums.exposure
    }

    /// What the account holds and has open of an instrument; what other hands hold counts, because it is
    /// the same account that bears it.
    #[inline]
    pub fn stake(&self, instrument: InstrumentId) -> Stake {
        self.lines[instrument.index()].stake()
    }

    /// What one strategy holds and has open of an instrument.
    pub fn stake_of(&self, strategy: StrategyId, instrument: InstrumentId) -> Stake {
        let own = self.sums.strategies.get(&strategy);
        Stake {
            mark: self.mark_of(instrument),
            held: self.holding(strategy, instrument).position,
            open: own.map(|own| own.open[instrument.index()]).unwrap_or_default(),
        }
    }

    /// What one strategy could come to hold at worst: a sum over what it ever touched.
    pub fn exposure_of(&self, strategy: StrategyId) -> Exposure {
        let mut exposure = Exposure::default();
        for instrument in self.sums.strategies.get(&strategy).into_iter().flat_map(|own| &own.touched) {
            exposure.recount(&Worth::default(), &self.stake_of(strategy, *instrument).worth());
        }
        exposure
    }

    /// Orders that have not ended, those on their way included.
    #[inline]
    pub fn open_order_count(&self) -> u32 {
        self.sums.orders
    }

    /// The same of one strategy.
    pub fn open_order_count_of(&self, strategy: StrategyId) -> u32 {
        self.sums.strategies.get(&strategy).map_or(0, |own| own.orders)
    }

    /// Whether something is held that nobody has told a price of: what the account is worth, and what it
    /// bears, cannot be told.
    #[inline]
    pub fn has_unpriced(&self) -> bool {
        self.sums.unpriced > 0
    }

    /// Brings the sums in line after anything of an instrument has changed.
    pub(super) fn revalue(&mut self, instrument: InstrumentId) {
        let line = &mut self.lines[instrument.index()];
        let (worth, unpriced) = (line.stake().worth(), line.is_unpriced());
        self.sums.exposure.recount(&line.worth, &worth);
        self.sums.unpriced = self.sums.unpriced + u32::from(unpriced) - u32::from(line.unpriced);
        (line.worth, line.unpriced) = (worth, unpriced);
    }

    /// An order counts for `now` instead of `before`.
    pub(super) fn recount_open(&mut self, of: (StrategyId, InstrumentId), before: &Open, now: &Open) {
        let (strategy, instrument) = of;
        self.lines[instrument.index()].open.recount(before, now);
        self.sums.orders = self.sums.orders + now.orders - before.orders;
        self.touch(strategy, instrument);
        if let Some(own) = self.sums.strategies.get_mut(&strategy) {
            own.open[instrument.index()].recount(before, now);
            own.orders = own.orders + now.orders - before.orders;
        }
        self.revalue(instrument);
    }

    /// A strategy has something to do with an instrument from now on.
    pub(super) fn touch(&mut self, strategy: StrategyId, instrument: InstrumentId) {
        let instruments = self.lines.len();
        let own = self.sums.strategies.entry(strategy);
        let nothing = || OwnOpen { open: vec![Open::default(); instruments], touched: Vec::new(), orders: 0 };
        let own = own.or_insert_with(nothing);
        if own.open[instrument.index()] == Open::default() && !own.touched.contains(&instrument) {
            own.touched.push(instrument);
        }
    }

    /// Compares the sums with a recount from scratch.
    pub(super) fn verify_exposure(&self) -> Result<(), String> {
        let mut open = vec![Open::default(); self.lines.len()];
        let mut own: FxHashMap<(StrategyId, InstrumentId), Open> = FxHashMap::default();
        for entered in self.orders.values() {
            let (intent, counts) = (&entered.order.intent, Open::of(entered));
            let nothing = Open::default();
            open[intent.instrument.index()].recount(&nothing, &counts);
            own.entry((intent.strategy, intent.instrument)).or_default().recount(&nothing, &counts);
        }
        let (mut exposure, mut unpriced) = (Exposure::default(), 0);
        for (index, (line, open)) in self.lines.iter().zip(&open).enumerate() {
            if line.open != *open {
                return Err(format!("open orders of instrument {index} are {:?}, a recount gives {open:?}", line.open));
            }
            let stake = line.stake();
            exposure.recount(&Worth::default(), &stake.worth());
            unpriced += u32::from(stake.mark == Price::ZERO && !stake.held.is_zero());
        }
        let orders: u32 = open.iter().map(|open| open.orders).sum();
        let (kept, found) = ((self.sums.exposure, self.sums.unpriced, self.sums.orders), (exposure, unpriced, orders));
        if kept != found {
            return Err(format!("exposure, unpriced and open orders are kept as {kept:?}, a recount gives {found:?}"));
        }
        for ((strategy, instrument), found) in &own {
            let kept = self.stake_of(*strategy, *instrument).open;
            if kept != *found {
                return Err(format!("{strategy:?} has {kept:?} open of {instrument:?}, a recount gives {found:?}"));
            }
        }
        for (strategy, kept) in &self.sums.strategies {
            let orders: u32 = own.iter().filter(|((of, _), _)| of == strategy).map(|(_, open)| open.orders).sum();
            if kept.orders != orders {
                return Err(format!("{strategy:?} has {} orders open, a recount gives {orders}", kept.orders));
            }
        }
        let held = self.holdings.iter().filter(|(_, holding)| !holding.position.is_zero());
        for ((strategy, instrument), _) in held {
            if !self.sums.strategies.get(strategy).is_some_and(|own| own.touched.contains(instrument)) {
                return Err(format!("what {strategy:?} holds of {instrument:?} is in no exposure"));
            }
        }
        Ok(())
    }
}

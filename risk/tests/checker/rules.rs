//! What each limit means, worked out from the lists on paper. Of `risk` this knows the names of keys only.

use market::order::Forecast;
use market::{OrderType, ParentOrder, Price, Rate, Side, Timestamp, TopOfBook, TradingStatus};
use risk::SomeLimits;

use super::paper::{Paper, is_of};

const SECOND: i128 = 1_000_000_000;

/// What a person has written, scope by scope. Strategy 0 is alpha, 1 is beta without anything of its own, 2 is
/// one that the run does not know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    pub(crate) global: SomeLimits,
    pub(crate) account: SomeLimits,
    pub(crate) alpha: SomeLimits,
    /// Of the instrument 1.
    pub(crate) symbol: SomeLimits,
    /// Of the instruments 1 and 2.
    pub(crate) sector: SomeLimits,
    /// Instruments in which nothing new is taken on.
    pub(crate) restricted: Vec<usize>,
    /// What alpha may trade, where that is said.
    pub(crate) alpha_may: Option<Vec<usize>>,
    /// When new risk ends.
    pub(crate) last_entry: Option<Timestamp>,
}

/// The only model whose forecasts may be traded on.
pub(crate) const MODEL: &str = "9f2c";

/// The instruments 0 and 1 move together.
const GROUP: [usize; 2] = [0, 1];
const SECTOR: [usize; 2] = [1, 2];

pub(crate) struct Asked {
    pub(crate) strategy: u16,
    pub(crate) instrument: usize,
    pub(crate) side: Side,
    /// Units that would be open.
    pub(crate) units: i64,
    pub(crate) order_type: OrderType,
    pub(crate) parent: Option<ParentOrder>,
    /// What it rests on.
    pub(crate) forecast: Option<Forecast>,
    /// The open order that it changes, and the new total.
    pub(crate) changes: Option<(usize, i64)>,
}

pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    pub(crate) top: TopOfBook,
    pub(crate) is_continuous: bool,
}

impl Moment {
    /// Whether orders in the instrument trade as they meet.
    fn trades(&self) -> bool {
        self.is_continuous && matches!(self.top.status, TradingStatus::Untold | TradingStatus::Trading)
    }
}

/// A value of any of some scopes, by `which` of two is tighter.
fn tightest<T: Copy>(scopes: &[&SomeLimits], of: impl Fn(&SomeLimits) -> Option<T>, which: fn(T, T) -> T) -> T {
    let found = scopes.iter().filter_map(|scope| of(scope)).reduce(which);
    found.expect("written for everything")
}

macro_rules! least {
    ($scopes:expr, $key:ident) => {
        tightest($scopes, |some| some.$key, |a, b| if b < a { b } else { a })
    };
}

macro_rules! most {
    ($scopes:expr, $key:ident) => {
        tightest($scopes, |some| some.$key, |a, b| if b > a { b } else { a })
    };
}

pub(crate) struct Rules<'a> {
    pub(crate) paper: &'a Paper,
    pub(crate) written: &'a Written,
    pub(crate) moment: &'a Moment,
    pub(crate) asked: &'a Asked,
}

impl Rules<'_> {
    fn lot(&self) -> i64 {
        if self.asked.instrument == 0 { 1 } else { 100 }
    }

    fn everything(&self) -> Vec<&SomeLimits> {
        vec![&self.written.global, &self.written.account]
    }

    fn of_strategy(&self) -> Vec<&SomeLimits> {
        let mut scopes = self.everything();
        if self.asked.strategy == 0 {
            scopes.push(&self.written.alpha);
        }
        scopes
    }

    fn of_instrument(&self) -> Vec<&SomeLimits> {
        let mut scopes = self.everything();
        if self.asked.instrument == 1 {
            scopes.push(&self.written.symbol);
        }
        if SECTOR.contains(&self.asked.instrument) {
            scopes.push(&self.written.sector);
        }
        scopes
    }

    fn of_order(&self) -> Vec<&SomeLimits> {
        let mut scopes = self.of_instrument();
        if self.asked.strategy == 0 {
            scopes.push(&self.written.alpha);
        }
        scopes
    }

    /// What only alpha has written for itself.
    fn own(&self) -> Option<&SomeLimits> {
        (self.asked.strategy == 0).then_some(&self.written.alpha)
    }

    fn reference(&self) -> Option<Price> {
        let top = &self.moment.top;
        let best = if self.asked.side == Side::Buy { top.ask } else { top.bid };
        if best > Price::ZERO { Some(best) } else { Some(top.last).filter(|last| *last > Price::ZERO) }
    }

    fn collar(&self) -> Rate {
        least!(&self.of_order(), price_collar)
    }

    pub(crate) fn worst(&self) -> Price {
        let reference = self.reference().unwrap_or(Price::ZERO);
        match (self.asked.order_type.limit_price(), self.asked.side) {
            (Some(limit_price), _) => limit_price,
            (None, Side::Buy) => reference + reference.scaled(self.collar()),
            (None, Side::Sell) => reference,
        }
    }

    pub(crate) fn reduces(&self) -> bool {
        let Asked { instrument, side, units, changes, .. } = *self.asked;
        let held = self.paper.held(instrument, None);
        let open = self.paper.open_units(instrument, side, None);
        changes.is_none() && units <= -side.sign() * held - open
    }

    fn added(&self) -> i64 {
        match self.asked.changes {
            Some((order, _)) => (self.asked.units - self.paper.most_left(order)).max(0),
            None => self.asked.units,
        }
    }

    fn added_cost(&self) -> i128 {
        match (self.asked.side, self.asked.changes) {
            (Side::Sell, _) => 0,
            (Side::Buy, None) => i128::from(self.worst().steps()) * i128::from(self.asked.units),
            (Side::Buy, Some((order, total))) => {
                let now = self.paper.worst_cost(order, self.paper.orders[order].change);
                self.paper.worst_cost(order, Some((total, self.worst()))) - now
            }
        }
    }

    fn adds_nothing(&self) -> bool {
        self.reduces() || (self.added() <= 0 && self.added_cost() <= 0)
    }

    fn since(&self, at: Timestamp) -> i128 {
        i128::from(self.paper.at(self.moment.now).as_nanos()) - i128::from(at.as_nanos())
    }

    /// Each check under its name, and whether it lets the order pass.
    pub(crate) fn verdicts(&self) -> Vec<(&'static str, bool)> {
        vec![
            ("session_phase", self.moment.is_continuous),
            ("trading_status", self.is_let_in_by_the_exchange()),
            ("last_entry", self.is_early_enough()),
            ("symbol_list", self.may_be_traded()),
            ("lot_and_tick", self.is_sound()),
            ("order_bounds", self.is_between_the_bounds()),
            ("stale_quote", self.has_fresh_price()),
            ("wide_spread", self.is_close_enough()),
            ("forecast", self.rests_on_something()),
            ("order_quantity", self.asked.units <= least!(&self.of_order(), max_order_quantity).units()),
            ("price_collar", self.is_within_the_collar()),
            ("book_collar", self.is_within_the_book()),
            ("order_notional", self.is_affordable_as_one_order()),
            ("short_sale", self.sells_what_is_held()),
            ("position_per_symbol", self.fits_the_position()),
            ("self_trade", !self.meets_its_own()),
            ("buying_power", self.is_paid_for()),
            ("repeated_executions", !self.ran_away()),
            ("burst", !self.was_refused_too_often() && !self.lost_too_often()),
            ("message_rate", self.may_speak()),
            ("order_to_trade", self.trades_enough()),
            ("open_orders", self.may_open_another()),
            ("duplicate_order", !self.was_sent_before()),
            ("parent_quantity", self.is_within_its_decision()),
            ("exposure", self.is_bearable()),
            ("concentration", self.is_spread_enough()),
            ("correlated_group", self.moves_little_together()),
        ]
    }

    fn is_let_in_by_the_exchange(&self) -> bool {
        match self.moment.top.status {
            TradingStatus::Untold | TradingStatus::Trading => true,
            // No order here is one for an auction; one with a limit can wait for it.
            TradingStatus::Auction => self.reduces() && self.asked.order_type.limit_price().is_some(),
            TradingStatus::Halted => false,
            TradingStatus::Unknown => self.reduces(),
        }
    }

    fn is_early_enough(&self) -> bool {
        self.reduces() || self.written.last_entry.is_none_or(|last| self.moment.now <= last)
    }

    fn may_be_traded(&self) -> bool {
        let Asked { strategy, instrument, side, units, .. } = *self.asked;
        if self.written.restricted.contains(&instrument) && !self.reduces() {
            return false;
        }
        let is_listed = self.written.alpha_may.as_ref().is_none_or(|may| may.contains(&instrument));
        let own = -side.sign() * self.paper.held(instrument, Some(strategy));
        let leaving = self.paper.open_units(instrument, side, Some(strategy));
        strategy != 0 || is_listed || (self.reduces() && units <= own - leaving)
    }

    fn is_between_the_bounds(&self) -> bool {
        let bounds = self.moment.top.bounds.unwrap_or_default();
        let (few, many) = (bounds.min_quantity.units(), bounds.max_quantity.units());
        let (low, high) = (bounds.low_limit_price, bounds.high_limit_price);
        let is_priced_within = self
            .asked
            .order_type
            .limit_price()
            .is_none_or(|price| price >= low && (high <= Price::ZERO || price <= high));
        is_priced_within && self.asked.units >= few && (many == 0 || self.asked.units <= many)
    }

    fn rests_on_something(&self) -> bool {
        let Some(forecast) = &self.asked.forecast else { return true };
        let age = i128::from(self.moment.now.as_nanos()) - i128::from(forecast.made_at.as_nanos());
        let most = i128::from(least!(&self.of_order(), max_forecast_age_seconds).0) * SECOND;
        self.reduces() || (forecast.value.is_finite() && (0..=most).contains(&age) && forecast.model == MODEL)
    }

    fn is_sound(&self) -> bool {
        let priced =
            self.asked.order_type.limit_price().is_none_or(|price| price.steps() > 0 && price.steps() % 1_000_000 == 0);
        self.asked.units > 0 && self.asked.units % self.lot() == 0 && priced
    }

    fn has_fresh_price(&self) -> bool {
        let top = &self.moment.top;
        if self.reduces() {
            return true;
        }
        let is_known = top.last > Price::ZERO;
        // In a call of an auction buyers and sellers may cross.
        let is_crossed = self.moment.trades() && top.bid > Price::ZERO && top.ask > Price::ZERO && top.bid >= top.ask;
        let age = (i128::from(self.moment.now.as_nanos()) - i128::from(top.at.as_nanos())).abs();
        let most = i128::from(least!(&self.of_order(), max_quote_age_seconds).0) * SECOND;
        is_known && !is_crossed && (!self.moment.trades() || age <= most)
    }

    fn is_within_the_collar(&self) -> bool {
        let Some(reference) = self.reference() else { return self.reduces() };
        let room = reference.scaled(self.collar());
        match (self.asked.order_type.limit_price(), self.asked.side) {
            (None, _) => true,
            (Some(price), Side::Buy) => price <= reference + room,
            (Some(price), Side::Sell) => price >= reference - room,
        }
    }

    fn is_affordable_as_one_order(&self) -> bool {
        let worth = i128::from(self.worst().steps()) * i128::from(self.asked.units);
        worth <= least!(&self.of_order(), max_order_notional).steps()
    }

    /// Bid and ask of a market that trades, where both are told.
    fn is_close_enough(&self) -> bool {
        let top = &self.moment.top;
        let is_told = top.bid > Price::ZERO && top.ask > Price::ZERO && self.moment.trades();
        !is_told || self.reduces() || top.ask - top.bid <= top.bid.scaled(least!(&self.of_order(), max_spread))
    }

    fn is_within_the_book(&self) -> bool {
        let (top, collar) = (&self.moment.top, least!(&self.of_order(), book_collar));
        let (own, other) = match self.asked.side {
            Side::Buy => (top.bid, top.ask),
            Side::Sell => (top.ask, top.bid),
        };
        if other <= Price::ZERO {
            return own <= Price::ZERO || !self.moment.trades() || self.reduces();
        }
        match (self.asked.order_type.limit_price(), self.asked.side) {
            (None, _) => true,
            (Some(price), Side::Buy) => price <= other + other.scaled(collar),
            (Some(price), Side::Sell) => price >= other - other.scaled(collar),
        }
    }

    fn sells_what_is_held(&self) -> bool {
        let Asked { instrument, side, .. } = *self.asked;
        let (held, open) = (self.paper.held(instrument, None), self.paper.open_units(instrument, side, None));
        side == Side::Buy || held - open - self.added() >= 0
    }

    fn fits_the_position(&self) -> bool {
        let Asked { instrument, side, .. } = *self.asked;
        let (held, open) = (self.paper.held(instrument, None), self.paper.open_units(instrument, side, None));
        let worst = held + self.paper.others[instrument].max(0) + open + self.added();
        side == Side::Sell || worst <= least!(&self.of_order(), max_position_quantity).units()
    }

    /// Whether an open order of the other side, on its terms of now or those on their way, could trade with it.
    fn meets_its_own(&self) -> bool {
        let meets = |other: Option<Price>| match (self.asked.order_type.limit_price(), other, self.asked.side) {
            (Some(price), Some(other), Side::Buy) => price >= other,
            (Some(price), Some(other), Side::Sell) => price <= other,
            _ => true,
        };
        self.paper.open().any(|(order, placed)| {
            let is_opposite = placed.instrument == self.asked.instrument && placed.side != self.asked.side;
            let now = placed.order_type.limit_price();
            let then = placed.change.map(|(_, worst)| now.map(|_| worst));
            is_opposite && self.paper.most_left(order) > 0 && (meets(now) || then.is_some_and(meets))
        })
    }

    fn is_paid_for(&self) -> bool {
        let cost = self.added_cost();
        self.asked.side == Side::Sell || cost <= 0 || cost <= self.paper.power()
    }

    /// Whether at any time since the last resumption so many of these came within a time, or do now.
    fn came_too_often(&self, times: &[Timestamp], most: u32, window: u32) -> bool {
        let window = i128::from(window) * SECOND;
        let within = |end: Timestamp, upto: usize| {
            let ago = |at: &&Timestamp| i128::from(end.as_nanos()) - i128::from(at.as_nanos()) < window;
            times[..upto].iter().filter(ago).count() as u32
        };
        let ever = (0..times.len()).any(|last| within(times[last], last + 1) >= most);
        ever || within(self.paper.at(self.moment.now), times.len()) >= most
    }

    fn ran_away(&self) -> bool {
        let (strategy, instrument) = (self.asked.strategy, self.asked.instrument);
        let about = |resumed: &&super::paper::Resumed| {
            resumed.strategy == Some(strategy) || resumed.instrument == Some(instrument)
        };
        let from = self.paper.resumed.iter().filter(about).map(|resumed| resumed.trades).max().unwrap_or(0);
        let scopes = self.of_order();
        let (most, window) = (least!(&scopes, max_repeated_executions).0, most!(&scopes, repeated_execution_seconds).0);
        [Side::Buy, Side::Sell].into_iter().any(|side| {
            let trades = self.paper.trades[from..].iter().filter(|trade| {
                let placed = &self.paper.orders[trade.order];
                (placed.strategy, placed.instrument, placed.side) == (strategy, instrument, side)
            });
            self.came_too_often(&trades.map(|trade| trade.at).collect::<Vec<_>>(), most, window)
        })
    }

    fn resumed_strategy(&self) -> Option<&super::paper::Resumed> {
        self.paper.resumed.iter().rfind(|resumed| resumed.strategy == Some(self.asked.strategy))
    }

    fn was_refused_too_often(&self) -> bool {
        let from = self.resumed_strategy().map_or(0, |resumed| resumed.refusals);
        let scopes = self.of_strategy();
        let refusals = self.paper.refusals[from..].iter().filter(|refused| refused.strategy == self.asked.strategy);
        let times: Vec<Timestamp> = refusals.map(|refused| refused.at).collect();
        self.came_too_often(&times, least!(&scopes, max_rejects).0, most!(&scopes, burst_seconds).0)
    }

    fn lost_too_often(&self) -> bool {
        let from = self.resumed_strategy().map_or(0, |resumed| resumed.trades);
        let scopes = self.of_strategy();
        let losses = self.paper.trades[from..]
            .iter()
            .filter(|trade| trade.lost_money && self.paper.orders[trade.order].strategy == self.asked.strategy);
        let times: Vec<Timestamp> = losses.map(|trade| trade.at).collect();
        self.came_too_often(&times, least!(&scopes, max_losing_trades).0, most!(&scopes, burst_seconds).0)
    }

    fn may_speak(&self) -> bool {
        let within = |scopes: &[&SomeLimits], whose: Option<u16>| {
            let window = i128::from(most!(scopes, message_seconds).0) * SECOND;
            let sent = self.paper.messages.iter().filter(|message| is_of(message.strategy, whose));
            let lately = sent.filter(|message| self.since(message.at) < window).count() as i128;
            let (quota, share) =
                (i128::from(least!(scopes, max_messages).0), i128::from(most!(scopes, cancel_share).ppm()));
            // What is left of the quota after the share of cancels, in millionths of a message.
            (lately + 1) * 1_000_000 <= quota * (1_000_000 - share)
        };
        let has_own = |own: &SomeLimits| {
            own.max_messages.is_some() || own.message_seconds.is_some() || own.cancel_share.is_some()
        };
        let own = self.own().is_none_or(|own| !has_own(own) || within(&self.of_strategy(), Some(0)));
        own && within(&self.everything(), None)
    }

    fn trades_enough(&self) -> bool {
        let within = |scopes: &[&SomeLimits], whose: Option<u16>| {
            let today = |session: u32| session == self.paper.session;
            let messages = self.paper.messages.iter().filter(|m| today(m.session) && is_of(m.strategy, whose)).count();
            let trades = self
                .paper
                .trades
                .iter()
                .filter(|trade| today(trade.session) && is_of(self.paper.orders[trade.order].strategy, whose));
            let (trades, messages) = (trades.count().max(1) as u64, messages as u64 + 1);
            let ratio = u64::from(least!(scopes, max_order_to_trade).0);
            messages <= u64::from(least!(scopes, order_to_trade_grace).0) || messages <= ratio * trades
        };
        let has_own = |own: &SomeLimits| own.max_order_to_trade.is_some() || own.order_to_trade_grace.is_some();
        let own = self.own().is_none_or(|own| !has_own(own) || within(&self.of_strategy(), Some(0)));
        self.reduces() || own && within(&self.everything(), None)
    }

    fn may_open_another(&self) -> bool {
        if self.asked.changes.is_some() {
            return true;
        }
        let open = |instrument: Option<usize>, whose: Option<u16>| {
            let of = self.paper.open().filter(|(_, placed)| instrument.is_none_or(|of| placed.instrument == of));
            of.filter(|(_, placed)| is_of(placed.strategy, whose)).count() as u32 + 1
        };
        let here = Some(self.asked.instrument);
        let own = self.own().is_none_or(|own| {
            let scopes = self.of_strategy();
            let in_symbol = own.max_open_orders_per_symbol.is_none()
                || open(here, Some(0)) <= least!(&scopes, max_open_orders_per_symbol).0;
            in_symbol && (own.max_open_orders.is_none() || open(None, Some(0)) <= least!(&scopes, max_open_orders).0)
        });
        own && open(here, None) <= least!(&self.of_instrument(), max_open_orders_per_symbol).0
            && open(None, None) <= least!(&self.everything(), max_open_orders).0
    }

    fn was_sent_before(&self) -> bool {
        let Asked { strategy, instrument, side, units, order_type, changes, .. } = *self.asked;
        let least = i128::from(most!(&self.of_order(), duplicate_seconds).0) * SECOND;
        changes.is_none()
            && self.paper.orders.iter().any(|placed| {
                let is_same = (placed.strategy, placed.instrument, placed.side) == (strategy, instrument, side)
                    && (placed.first_units, placed.first_type) == (units, order_type);
                is_same && self.since(placed.sent_at) < least
            })
    }

    fn is_within_its_decision(&self) -> bool {
        let Some(parent) = self.asked.parent else { return true };
        let siblings = |placed: &&(usize, &super::paper::Placed)| {
            (placed.1.strategy, placed.1.instrument) == (self.asked.strategy, self.asked.instrument)
        };
        let all: Vec<(usize, &super::paper::Placed)> = self.paper.orders.iter().enumerate().collect();
        let latest = all.iter().filter(siblings).filter_map(|(_, placed)| placed.parent).max_by_key(ParentOrder::id);
        let used = |order: usize| self.paper.filled(order) + self.paper.most_left(order);
        let is_another = latest.is_some_and(|latest| latest.id() > parent.id());
        let spent: i64 = if is_another {
            match self.asked.changes {
                Some((order, _)) => used(order),
                None => return false,
            }
        } else {
            let children: Vec<_> = all
                .iter()
                .filter(siblings)
                .filter(|(_, placed)| placed.parent.is_some_and(|known| known.id() == parent.id()))
                .collect();
            let first = children.first().map(|(_, placed)| (placed.parent, placed.side));
            if first.is_some_and(|first| first != (Some(parent), self.asked.side)) {
                return false;
            }
            children.iter().map(|(order, _)| used(*order)).sum()
        };
        let is_less = self.asked.changes.is_some() && self.adds_nothing();
        is_less || spent + self.added() <= parent.quantity.units()
    }

    /// What an instrument is worth at its two ends, with the order or without.
    fn ends(&self, instrument: usize, whose: Option<u16>, with: bool) -> (i128, i128) {
        let mark = i128::from(self.paper.marks[instrument]);
        let others = if whose.is_none() { self.paper.others[instrument] } else { 0 };
        let held = self.paper.held(instrument, whose) + others;
        let bought = self.paper.open_units(instrument, Side::Buy, whose);
        let sold = self.paper.open_units(instrument, Side::Sell, whose);
        let costs =
            self.paper.open().filter(|(_, placed)| placed.instrument == instrument && is_of(placed.strategy, whose));
        let cost: i128 = costs.map(|(order, placed)| self.paper.worst_cost(order, placed.change)).sum();
        let up = |bought: i64, cost: i128| mark * i128::from(held) + cost.max(mark * i128::from(bought));
        let down = mark * i128::from(held - sold);
        if !with || instrument != self.asked.instrument {
            return (up(bought, cost), down);
        }
        match self.asked.side {
            Side::Buy => (up(bought + self.added(), cost + self.added_cost().max(0)), down),
            Side::Sell => {
                // What goes beyond what is left of the holding is a short at the worse of mark and price.
                let more = self.added();
                let covered = more.min((held - sold).max(0));
                let short = mark.max(i128::from(self.worst().steps())) * i128::from(more - covered);
                (up(bought, cost), down - mark * i128::from(covered) - short)
            }
        }
    }

    fn gross(&self, instruments: &[usize], whose: Option<u16>) -> i128 {
        instruments.iter().map(|of| self.ends(*of, whose, true)).map(|(up, down)| up.abs().max(down.abs())).sum()
    }

    fn is_worth_something(&self) -> bool {
        let unpriced = |of: usize| self.paper.marks[of] == 0 && self.paper.held(of, None) + self.paper.others[of] != 0;
        self.paper.equity() > 0 && !(0..3).any(unpriced)
    }

    /// A share of the equity, rounded half to even.
    fn share(&self, share: Rate) -> i128 {
        let millionths = self.paper.equity() * i128::from(share.ppm());
        let (whole, rest) = (millionths.div_euclid(1_000_000), millionths.rem_euclid(1_000_000));
        let up = rest > 500_000 || (rest == 500_000 && whole.rem_euclid(2) == 1);
        whole + i128::from(up)
    }

    fn is_bearable(&self) -> bool {
        if self.adds_nothing() {
            return true;
        }
        let within = |gross: Option<Rate>, net: Option<Rate>, whose: Option<u16>| {
            let ends: Vec<(i128, i128)> = (0..3).map(|of| self.ends(of, whose, true)).collect();
            let up: i128 = ends.iter().map(|ends| ends.0).sum();
            let down: i128 = ends.iter().map(|ends| ends.1).sum();
            gross.is_none_or(|gross| self.gross(&[0, 1, 2], whose) <= self.share(gross))
                && net.is_none_or(|net| up.abs().max(down.abs()) <= self.share(net))
        };
        let all = self.everything();
        let own = self.own().is_none_or(|own| within(own.max_gross_exposure, own.max_net_exposure, Some(0)));
        self.is_worth_something()
            && own
            && within(Some(least!(&all, max_gross_exposure)), Some(least!(&all, max_net_exposure)), None)
    }

    fn is_spread_enough(&self) -> bool {
        if self.adds_nothing() {
            return true;
        }
        let here = self.asked.instrument;
        let in_sector = SECTOR.contains(&here);
        let within = |symbol: Option<Rate>, sector: Option<Rate>, whose: Option<u16>| {
            symbol.is_none_or(|share| self.gross(&[here], whose) <= self.share(share))
                && (!in_sector || sector.is_none_or(|share| self.gross(&SECTOR, whose) <= self.share(share)))
        };
        let mut of_sector = self.everything();
        of_sector.push(&self.written.sector);
        let own = self.own().is_none_or(|own| within(own.max_symbol_share, own.max_sector_share, Some(0)));
        let symbol = least!(&self.of_instrument(), max_symbol_share);
        self.is_worth_something() && own && within(Some(symbol), Some(least!(&of_sector, max_sector_share)), None)
    }

    fn moves_little_together(&self) -> bool {
        if self.adds_nothing() || !GROUP.contains(&self.asked.instrument) {
            return true;
        }
        let within = |share: Rate, whose: Option<u16>| self.gross(&GROUP, whose) <= self.share(share);
        let own = self.own().and_then(|own| own.max_group_share).is_none_or(|share| within(share, Some(0)));
        self.is_worth_something() && own && within(least!(&self.everything(), max_group_share), None)
    }
}

//! A strategy instance with what it holds.
//!
//! The strategy says which part of its full size it wants; the host knows how large that is, what
//! is held, working and on its way, and asks for the difference in the configured way. From `flat_by` on
//! it asks for nothing but the way out of what it holds, whatever the strategy says, until the day is over.

use std::ops::Range;
use std::sync::Arc;

use market::order::{OrderRequest, Signal};
use market::time::{NANOS_PER_SECOND, TimeOfDay};
use market::{
    Bar, BarUse, ClientOrderId, Date, Instrument, InstrumentId, MarketEvent, Money, OrderType, ParentOrder, Price,
    Quantity, Side, StrategyId, TimeInForce, Timestamp, Universe,
};
use oms::{Holding, OrderStatus};
use serde::{Deserialize, Serialize};
use strategies::{Strategy, Wish, Wishes};

/// Which events an instance decides on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listen {
    /// Completed bars.
    #[default]
    Bars,
    /// Every change of the best bid and ask.
    Quotes,
}

/// How large an instance's full position in one instrument is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sizing {
    /// This many units.
    Quantity(Quantity),
    /// As many whole lots as this many BRL buy at the price of the decision.
    Notional(Money),
}

/// Which orders bring a position about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Execution {
    /// Market orders for the day.
    #[default]
    Market,
    /// Orders for the next call auction, for decisions made before the open or close.
    Auction,
    /// Limit orders for the day at the price of the decision.
    Limit,
}

/// What an instance was configured with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HostSettings {
    /// Its place in the list.
    pub id: StrategyId,
    /// Its name for people, unique in the configuration.
    pub name: String,
    /// What it may trade.
    pub instruments: Vec<InstrumentId>,
    /// Which events it decides on.
    pub listen: Listen,
    /// How large a full position is.
    pub sizing: Sizing,
    /// Which orders it uses.
    pub execution: Execution,
    /// When it leaves everything that it holds, each day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flat_by: Option<TimeOfDay>,
}

/// What a host asks of the account.
#[derive(Clone, PartialEq, Debug)]
pub enum Ask {
    /// A new order.
    Submit(OrderRequest),
    /// Take back an order of its own.
    Cancel(ClientOrderId),
    /// Change an open order of its own.
    Replace {
        /// Which.
        client_order_id: ClientOrderId,
        /// New total quantity, filled part included.
        quantity: Quantity,
        /// New limit price, where the order type has one.
        limit_price: Option<Price>,
    },
}

/// An open order as its strategy sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OpenOrder {
    /// Which.
    pub client_order_id: ClientOrderId,
    /// Of what.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
}

/// News from the account for one strategy. `holding` is absolute, so a lost notice is mended by
/// the next one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Notice {
    /// Of what.
    pub instrument: InstrumentId,
    /// What the strategy holds now.
    pub holding: Holding,
    /// What happened.
    pub kind: NoticeKind,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// A request became this order.
    Accepted {
        /// Its name.
        client_order_id: ClientOrderId,
        /// Buy or sell.
        side: Side,
        /// Units asked for.
        quantity: Quantity,
    },
    /// A request was denied.
    Denied {
        /// Buy or sell.
        side: Side,
        /// Units asked for.
        quantity: Quantity,
    },
    /// The broker reported something; this is where the order stands.
    Order {
        /// Which.
        client_order_id: ClientOrderId,
        /// Where it stands now.
        status: OrderStatus,
    },
    /// The account started anew: nothing is on its way any more, and these orders are open.
    Restart {
        /// Open orders of this strategy in this instrument.
        open: Vec<OpenOrder>,
    },
}

/// A decision to bring a position to a target: the parent of every order that serves it.
#[derive(Clone, Copy, Debug)]
struct Decision {
    parent: ParentOrder,
    target: Quantity,
    /// The least that was ever missing, signed. More than that can only be missing because something else has
    /// traded or a trade was taken back, and that calls for a decision of its own. A host that is not told of
    /// fills sees nothing of the kind, and its orders stay orders of the first decision.
    least: Quantity,
}

/// A strategy's view of one instrument.
#[derive(Clone, Copy, Debug, Default)]
struct View {
    holding: Holding,
    /// Asked for and not answered yet, signed.
    in_flight: Quantity,
    /// The latest decision to trade.
    decision: Option<Decision>,
    /// End of the latest bar that the strategy has seen: a bar of the warm-up may be delivered again.
    seen: Option<Timestamp>,
    /// When it last asked for the way out, after [`HostSettings::flat_by`].
    left_at: Option<Timestamp>,
}

/// The rule that a request for the way out names.
const FLAT: &str = "flat_by";

/// Time between two requests for the way out of one instrument: one that was denied is asked for again.
const AGAIN: i64 = 10 * NANOS_PER_SECOND;

impl View {
    /// A request was answered. An answer to a request from before the account's restart finds
    /// nothing on its way, and must not leave a debt.
    fn answered(&mut self, signed: Quantity) {
        let rest = self.in_flight - signed;
        let same_side = rest.units().signum() * self.in_flight.units().signum() >= 0;
        self.in_flight = if same_side && rest.abs() <= self.in_flight.abs() { rest } else { Quantity::ZERO };
    }

    /// What it holds now.
    fn hold(&mut self, holding: Holding) {
        self.holding = holding;
        if let Some(decision) = &mut self.decision {
            let missing = decision.target - holding.position;
            let nearer = missing.abs() < decision.least.abs();
            decision.least = if nearer { missing } else { decision.least };
        }
    }

    /// The decision to come to hold `target`: the one that stands, or a new one.
    fn decide(&mut self, target: Quantity, decided_at: Timestamp) -> ParentOrder {
        let missing = target - self.holding.position;
        let before = self.decision.map(|decision| decision.parent);
        if let Some(decision) = self.decision
            && decision.target == target
            && decision.least.units().signum() == missing.units().signum()
            && missing.abs() <= decision.least.abs()
        {
            return decision.parent;
        }
        // A clock that goes back must not make a decision look like an earlier one.
        let (decided_at, number) = match before {
            Some(before) if before.decided_at >= decided_at => (before.decided_at, before.number + 1),
            _ => (decided_at, 0),
        };
        let parent = ParentOrder { decided_at, number, quantity: missing.abs() };
        self.decision = Some(Decision { parent, target, least: missing });
        parent
    }
}

/// A strategy instance with what it holds.
pub struct StrategyHost {
    strategy: Box<dyn Strategy>,
    settings: HostSettings,
    universe: Arc<Universe>,
    /// By instrument number; only those of this instance are ever touched.
    views: Vec<View>,
    open: Vec<OpenOrder>,
    wishes: Vec<Wish>,
    /// Wishes that wait until what works against them, on this side, has been taken back: the review lets
    /// no order pass that could trade with one of our own.
    waiting: Vec<(Side, Wish)>,
    /// The part of the current day in which nothing is to be held; empty where there is none.
    flat: Range<Timestamp>,
    /// Until when [`Self::flat`] is known.
    day_ends: Timestamp,
}

impl StrategyHost {
    /// Hosts `strategy`.
    pub fn new(strategy: Box<dyn Strategy>, settings: HostSettings, universe: Arc<Universe>) -> Self {
        let views = vec![View::default(); universe.len()];
        Self {
            strategy,
            settings,
            universe,
            views,
            open: Vec::new(),
            wishes: Vec::new(),
            waiting: Vec::new(),
            flat: Timestamp::MAX..Timestamp::MIN,
            day_ends: Timestamp::MIN,
        }
    }

    /// What it was configured with.
    pub fn settings(&self) -> &HostSettings {
        &self.settings
    }

    /// Bars per instrument to feed with [`Self::warm`] before its decisions count.
    pub fn warm_up(&self) -> usize {
        self.strategy.warm_up()
    }

    /// Feeds a past bar: the strategy learns, nothing is asked for.
    pub fn warm(&mut self, bar: &Bar) {
        if !self.is_news(bar) {
            return;
        }
        self.strategy.on_bar(bar, &mut Wishes::into(&mut self.wishes));
        self.wishes.clear();
    }

    /// Whether the bar is later than every one seen of its instrument; it counts as seen from now on.
    #[inline]
    fn is_news(&mut self, bar: &Bar) -> bool {
        let Some(view) = self.views.get_mut(bar.instrument.index()) else { return false };
        let news = view.seen.is_none_or(|seen| bar.end > seen);
        if news {
            view.seen = Some(bar.end);
        }
        news
    }

    /// Takes in a sound event of one of its instruments; what it wants done is added to `asks`.
    #[inline]
    pub fn on_market(&mut self, event: &MarketEvent, asks: &mut Vec<Ask>) {
        match (event, self.settings.listen) {
            (MarketEvent::Bar { bar, used: BarUse::MatchAndDecide | BarUse::Decide, .. }, Listen::Bars)
                if self.is_news(bar) =>
            {
                self.strategy.on_bar(bar, &mut Wishes::into(&mut self.wishes));
            }
            (MarketEvent::Quote(quote), Listen::Quotes) => {
                self.strategy.on_quote(quote, &mut Wishes::into(&mut self.wishes));
            }
            _ => {}
        }
        if let Some(by) = self.settings.flat_by
            && self.is_flat_time(by, event.at())
        {
            self.wishes.clear();
            self.waiting.retain(|(_, wish)| wish.exposure <= 0.0);
            self.leave(event, asks);
        }
        if !self.wishes.is_empty() {
            let mut wishes = std::mem::take(&mut self.wishes);
            for wish in wishes.drain(..) {
                self.ask_for(wish, event.at(), asks);
            }
            self.wishes = wishes;
        }
        // A wish of this very event has taken the place of one that waited.
        if !self.waiting.is_empty() {
            self.ask_again(event, asks);
        }
    }

    /// Whether it is later than `by` on the day of `now`.
    #[inline]
    fn is_flat_time(&mut self, by: TimeOfDay, now: Timestamp) -> bool {
        if now >= self.day_ends {
            let day = now.local_date();
            let midnight = |day: Date| day.and_hms_opt(0, 0, 0).and_then(Timestamp::from_local);
            self.day_ends = day.succ_opt().and_then(midnight).unwrap_or(Timestamp::MAX);
            self.flat = by.on(day).unwrap_or(now)..self.day_ends;
        }
        self.flat.contains(&now)
    }

    /// Asks for the way out of the event's instrument, if anything of it is held or open.
    fn leave(&mut self, event: &MarketEvent, asks: &mut Vec<Ask>) {
        let (instrument, now) = (event.instrument(), event.at());
        let is_open = self.open.iter().any(|order| order.instrument == instrument);
        let Some(view) = self.views.get_mut(instrument.index()) else { return };
        let asked_lately = view.left_at.is_some_and(|at| now.nanos_since(at) < AGAIN);
        if (view.holding.position.is_zero() && !is_open) || asked_lately {
            return;
        }
        view.left_at = Some(now);
        self.ask_for(Wish { instrument, exposure: 0.0, price: Price::ZERO, signal: Signal::new(FLAT, &[]) }, now, asks);
    }

    /// Comes back to the wish that waited in the event's instrument, if nothing is in its way any more.
    fn ask_again(&mut self, event: &MarketEvent, asks: &mut Vec<Ask>) {
        let instrument = event.instrument();
        let Some(place) = self.waiting.iter().position(|(_, wish)| wish.instrument == instrument) else { return };
        let against = self.waiting[place].0;
        if !self.open.iter().any(|order| order.instrument == instrument && order.side == against) {
            let (_, wish) = self.waiting.remove(place);
            self.ask_for(wish, event.at(), asks);
        }
    }

    /// Turns a wish into the orders that bring it about.
    fn ask_for(&mut self, wish: Wish, decided_at: Timestamp, asks: &mut Vec<Ask>) {
        self.waiting.retain(|(_, waiting)| waiting.instrument != wish.instrument);
        let Some(instrument) = self.universe.get(wish.instrument) else { return };
        let target = self.full_size(instrument, &wish);
        let view = &mut self.views[wish.instrument.index()];
        let change = target - view.holding.position;
        let parent = Some(view.decide(target, decided_at));
        let toward = if change >= Quantity::ZERO { Side::Buy } else { Side::Sell };
        // What still works in the other direction, or at all when the wish is what is held, would
        // undo it: take it back first.
        let mut in_the_way = false;
        for order in &self.open {
            if order.instrument == wish.instrument && (order.side != toward || change.is_zero()) {
                asks.push(Ask::Cancel(order.client_order_id));
                in_the_way |= order.side != toward;
            }
        }
        if in_the_way && !change.is_zero() {
            self.waiting.push((toward.opposite(), wish));
            return;
        }
        let on_its_way = (view.holding.working + view.in_flight) * toward.sign();
        let missing = change * toward.sign() - on_its_way.max(Quantity::ZERO);
        if !missing.is_positive() {
            return;
        }
        // JSON has no word for what is not a number: the journal could not be read again.
        let mut signal = wish.signal;
        signal.values.retain(|(_, value)| value.is_finite());
        view.in_flight += toward.signed(missing);
        asks.push(Ask::Submit(OrderRequest {
            strategy: self.settings.id,
            instrument: wish.instrument,
            side: toward,
            quantity: missing,
            order_type: self.order_type(instrument, toward, wish.price),
            time_in_force: TimeInForce::Day,
            decided_at,
            parent,
            signal,
        }));
    }

    /// Whole lots of a full position times the exposure wanted.
    fn full_size(&self, instrument: &Instrument, wish: &Wish) -> Quantity {
        let full = match self.settings.sizing {
            Sizing::Quantity(quantity) => quantity,
            Sizing::Notional(_) if wish.price <= Price::ZERO => Quantity::ZERO,
            Sizing::Notional(money) => {
                let units = money.steps() / i128::from(wish.price.steps());
                Quantity::new(i64::try_from(units).unwrap_or(i64::MAX))
            }
        };
        if wish.exposure >= 1.0 {
            return full.floor_to(instrument.lot);
        }
        // A fraction of whole units: exact far beyond any order size, and floored to lots anyway.
        Quantity::new((full.units() as f64 * wish.exposure).floor() as i64).floor_to(instrument.lot)
    }

    fn order_type(&self, instrument: &Instrument, side: Side, price: Price) -> OrderType {
        match self.settings.execution {
            Execution::Market => OrderType::Market,
            Execution::Auction => OrderType::AtAuction { limit_price: None },
            // A way out has no price to wait for.
            Execution::Limit if price <= Price::ZERO => OrderType::Market,
            Execution::Limit => OrderType::Limit {
                limit_price: match side {
                    Side::Buy => price.floor_to(instrument.tick),
                    Side::Sell => price.ceil_to(instrument.tick),
                },
            },
        }
    }

    /// Takes in news from the account.
    pub fn on_notice(&mut self, notice: &Notice) {
        let Some(view) = self.views.get_mut(notice.instrument.index()) else { return };
        view.hold(notice.holding);
        match &notice.kind {
            NoticeKind::Accepted { client_order_id, side, quantity } => {
                view.answered(side.signed(*quantity));
                let (client_order_id, side) = (*client_order_id, *side);
                self.open.push(OpenOrder { client_order_id, instrument: notice.instrument, side });
            }
            NoticeKind::Denied { side, quantity } => view.answered(side.signed(*quantity)),
            NoticeKind::Order { client_order_id, status } => {
                if status.is_terminal() {
                    self.open.retain(|order| order.client_order_id != *client_order_id);
                }
            }
            NoticeKind::Restart { open } => {
                view.in_flight = Quantity::ZERO;
                self.open.retain(|order| order.instrument != notice.instrument);
                self.open.extend(open.iter().copied());
            }
        }
    }

    /// What it believes it holds of an instrument.
    pub fn holding(&self, instrument: InstrumentId) -> Holding {
        self.views.get(instrument.index()).map(|view| view.holding).unwrap_or_default()
    }
}

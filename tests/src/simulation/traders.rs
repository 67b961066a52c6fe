//! Who wants to trade, and the prices that they see.
//!
//! Two strategies of the list decide on quotes through the real host. The nervous trader asks for what
//! comes to mind: orders of every kind, cancels and changes of its own orders, too soon and too often.

use std::collections::BTreeMap;
use std::sync::Arc;

use desk::{Ask, Execution, Heard, HostSettings, Listen, NoticeKind, OpenOrder, Sizing, StrategyHost, StrategyOrigin};
use market::order::{OrderRequest, Signal};
use market::{
    InstrumentId, MarketEvent, OrderType, Price, Quantity, Quote, Side, StrategyId, TimeInForce, Timestamp, Universe,
};
use strategies::Parameters;

use super::coverage::Path;
use super::faults::Fault;
use super::process::{Mailbox, StrategyActor, ToAccount, ToStrategy};
use super::world::{Event, INSTRUMENTS, MILLISECOND, SECOND, World};

/// Kind, parameters and orders of a strategy.
type Kind = (&'static str, &'static [(&'static str, f64)], Execution);
/// The strategies that trade.
const KINDS: [Kind; 2] = [
    ("moving_average_cross", &[("fast", 2.0), ("slow", 5.0)], Execution::Market),
    ("rsi_mean_reversion", &[("period", 3.0)], Execution::Limit),
];
/// Place of the nervous trader.
const NERVOUS: usize = KINDS.len();
/// How far a live event may lie ahead of our clock, as in `actors::feed`.
const MOST_AHEAD: i64 = 2 * SECOND;
/// Things heard that are kept back, as in `actors::strategy`.
const KEPT_BACK: usize = 64;

/// What each trader is configured with, by number.
pub(super) fn settings(universe: &Universe) -> Vec<HostSettings> {
    let names = KINDS.iter().map(|(kind, _, execution)| (*kind, *execution));
    let all = names.chain([("nervous", Execution::Limit)]);
    let settings = all.zip(0..).map(|((name, execution), number)| HostSettings {
        id: StrategyId(number),
        name: name.to_owned(),
        instruments: universe.ids().collect(),
        listen: Listen::Quotes,
        sizing: Sizing::Quantity(Quantity::new(600)),
        execution,
        flat_by: None,
    });
    settings.collect()
}

fn parameters(place: usize) -> BTreeMap<String, f64> {
    KINDS[place].1.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

fn host(place: usize, universe: &Arc<Universe>) -> Option<StrategyHost> {
    let (kind, ..) = KINDS.get(place)?;
    let entry = strategies::find(kind)?;
    let parameters = Parameters::check(entry.parameters, parameters(place)).ok()?;
    let own: Vec<InstrumentId> = universe.ids().collect();
    let strategy = (entry.build)(&parameters, &own).ok()?;
    Some(StrategyHost::new(strategy, settings(universe)[place].clone(), Arc::clone(universe)))
}

/// The traders of a fresh process.
pub(super) fn actors(universe: &Arc<Universe>) -> Vec<StrategyActor> {
    let actor = |_| StrategyActor {
        mailbox: Mailbox { generation: 0, is_open: false, last: 0 },
        host: None,
        open: Vec::new(),
        held: vec![0; universe.len()],
        heard: Vec::new(),
        told: 0,
    };
    (0..=NERVOUS).map(actor).collect()
}

impl World {
    /// Puts a message into a strategy's mailbox.
    pub fn to_strategy(&mut self, process: usize, place: usize, message: ToStrategy) {
        if self.processes[process].strategies[place].mailbox.is_open {
            let (at, generation) = self.post(process, |process| &mut process.strategies[place].mailbox);
            self.queue.put(at, Event::Strategy(process, place, generation, message));
        }
    }

    /// A strategy's actor died.
    pub fn strategy_dies(&mut self, process: usize, place: usize) {
        let mailbox = &mut self.processes[process].strategies[place].mailbox;
        mailbox.lose();
        let generation = mailbox.generation;
        let pause = self.random_nanos(0, 20 * MILLISECOND);
        self.queue.put(self.now + pause, Event::StrategyStart(process, place, generation));
    }

    /// It starts from scratch, and is told what it holds.
    pub fn strategy_starts(&mut self, process: usize, place: usize, generation: u32) {
        let host = host(place, &self.universe);
        let settings = settings(&self.universe).swap_remove(place);
        let instruments = self.universe.len();
        let strategy = &mut self.processes[process].strategies[place];
        if strategy.mailbox.generation != generation {
            return;
        }
        strategy.mailbox.is_open = true;
        (strategy.host, strategy.told) = (host, 0);
        strategy.open.clear();
        strategy.heard.clear();
        strategy.held = vec![0; instruments];
        let (kind, given) = match KINDS.get(place) {
            Some((kind, ..)) => ((*kind).to_owned(), parameters(place)),
            None => ("nervous".to_owned(), BTreeMap::new()),
        };
        let id = settings.id;
        let origin = StrategyOrigin { kind, parameters: given, settings, bars: Vec::new() };
        self.to_account(process, ToAccount::StrategyStarted(id, Box::new(origin)));
    }

    /// A message is taken out of a strategy's mailbox.
    pub fn strategy_hears(&mut self, process: usize, place: usize, message: ToStrategy) {
        let trading = self.trading;
        let strategy = &mut self.processes[process].strategies[place];
        let mut asks = Vec::new();
        match message {
            ToStrategy::Market(event) => {
                let Some(host) = &mut strategy.host else { return };
                host.on_market(&event, &mut asks);
                strategy.heard.push(event.into());
                if !trading {
                    asks.clear();
                }
            }
            ToStrategy::Notice(notice) => {
                match &mut strategy.host {
                    Some(host) => host.on_notice(&notice),
                    None => {
                        strategy.held[notice.instrument.index()] = notice.holding.position.units();
                        remember(&mut strategy.open, notice.instrument, &notice.kind);
                    }
                }
                strategy.heard.push(Heard::Notice(notice));
            }
        }
        if !asks.is_empty() || strategy.heard.len() >= KEPT_BACK {
            self.tell_account(process, place, asks);
        }
    }

    fn tell_account(&mut self, process: usize, place: usize, asks: Vec<Ask>) {
        let strategy = &mut self.processes[process].strategies[place];
        let (after, heard) = (strategy.told, std::mem::take(&mut strategy.heard));
        strategy.told += heard.len() as u64;
        let strategy = StrategyId(place as u16);
        self.to_account(process, ToAccount::Ask { strategy, after, heard, asks });
    }

    /// The nervous trader has an idea.
    pub fn idea(&mut self) {
        let wait = self.random_nanos(300 * MILLISECOND, 2_500 * MILLISECOND);
        let at = self.next(wait);
        self.queue.put(at, Event::Idea);
        let Some(process) = self.running().filter(|_| self.trading) else { return };
        if !self.processes[process].strategies[NERVOUS].mailbox.is_open {
            return;
        }
        let open = self.processes[process].strategies[NERVOUS].open.clone();
        let what = self.random.below(100);
        let mut asks = Vec::new();
        if what < 60 || open.is_empty() {
            asks.extend(self.some_order(process));
        } else {
            let order = self.random.pick(&open);
            if what < 82 {
                asks.push(Ask::Cancel(order.client_order_id));
            } else {
                asks.push(self.some_change(process, &order));
            }
            // And sometimes at once the opposite.
            if self.random.chance(2_000) {
                asks.push(Ask::Cancel(order.client_order_id));
            }
        }
        self.tell_account(process, NERVOUS, asks);
    }

    fn some_price(&mut self, process: usize, instrument: InstrumentId) -> Option<Price> {
        let last = self.processes[process].board[instrument.index()].last;
        let cents = last.floor_to(Price::from_cents(1)?).steps() / Price::from_cents(1)?.steps();
        Price::from_cents(cents + self.random.between(-20, 20)).filter(|price| *price > Price::ZERO)
    }

    fn some_order(&mut self, process: usize) -> Option<Ask> {
        let instrument = InstrumentId::new(self.random.below(u64::from(INSTRUMENTS)) as u32);
        let held = self.processes[process].strategies[NERVOUS].held[instrument.index()];
        let side = if held >= 300 && self.random.chance(5_500) { Side::Sell } else { Side::Buy };
        let most = if side == Side::Sell { held / 100 } else { 12 };
        let quantity = Quantity::new(100 * self.random.between(1, most.max(1)));
        let limit = self.some_price(process, instrument);
        let order_type = match (self.random.below(20), limit) {
            (0..6, _) | (_, None) => OrderType::Market,
            (6..8, limit_price) => OrderType::AtAuction { limit_price },
            (_, Some(limit_price)) => OrderType::Limit { limit_price },
        };
        let time_in_force = match (order_type, self.random.below(20)) {
            (OrderType::Limit { .. }, 0..3) => TimeInForce::ImmediateOrCancel,
            (OrderType::Limit { .. }, 3..5) => TimeInForce::GoodTillCancel,
            _ => TimeInForce::Day,
        };
        Some(Ask::Submit(OrderRequest {
            strategy: StrategyId(NERVOUS as u16),
            instrument,
            side,
            quantity,
            order_type,
            time_in_force,
            decided_at: self.wall(),
            parent: None,
            signal: Signal::new("idea", &[]),
        }))
    }

    fn some_change(&mut self, process: usize, order: &OpenOrder) -> Ask {
        let quantity = Quantity::new(100 * self.random.between(1, 12));
        let limit_price = self.some_price(process, order.instrument);
        Ask::Replace { client_order_id: order.client_order_id, quantity, limit_price }
    }

    /// The market moves: a random walk, and garbage now and then.
    pub fn quotes(&mut self) {
        let wait = self.random_nanos(400 * MILLISECOND, 2_000 * MILLISECOND);
        let at = self.next(wait);
        self.queue.put(at, Event::Quotes);
        let place = self.random.below(u64::from(INSTRUMENTS)) as usize;
        let cents = (self.venue.cents[place] + self.random.between(-9, 9)).max(500);
        self.venue.cents[place] = cents;
        let price = |cents| Price::from_cents(cents).unwrap_or_default();
        let mut quote = Quote {
            at: Timestamp::from_nanos(self.now),
            instrument: InstrumentId::new(place as u32),
            bid: price(cents - 1),
            ask: price(cents + 1),
            bid_size: Quantity::new(100 * self.random.between(1, 50)),
            ask_size: Quantity::new(100 * self.random.between(1, 50)),
        };
        if self.strikes(Fault::QuoteCrossed) {
            (quote.bid, quote.ask) = (quote.ask, quote.bid);
        } else if self.strikes(Fault::QuoteZero) {
            quote.bid = Price::ZERO;
        } else if self.strikes(Fault::QuoteNegative) {
            quote.bid = price(-cents);
        } else if self.strikes(Fault::QuoteTimesHundred) {
            (quote.bid, quote.ask) = (price(cents * 100), price(cents * 100 + 2));
        } else if self.strikes(Fault::QuoteStale) {
            quote.at = quote.at.plus_nanos(-self.random.between(SECOND, 100 * SECOND));
        } else if self.strikes(Fault::QuoteFuture) {
            quote.at = quote.at.plus_nanos(self.random.between(SECOND, 4_000 * SECOND));
        }
        let twice = self.strikes(Fault::QuoteDuplicate);
        for process in 0..self.processes.len() {
            if self.processes[process].alive {
                for _ in 0..=u8::from(twice) {
                    let delay = self.random_nanos(100_000, 5 * MILLISECOND);
                    self.queue.put(self.now + delay, Event::Feed(process, quote));
                }
            }
        }
    }

    /// Feed and Symbol: sound and of now, then the board, the Account, the strategies.
    pub fn feed(&mut self, process: usize, quote: Quote) {
        let event = MarketEvent::Quote(quote);
        if !event.is_sound() || event.at() > self.wall().plus_nanos(MOST_AHEAD) {
            return self.reached(Path::QuoteDropped);
        }
        if self.processes[process].board[quote.instrument.index()].apply(&event) {
            self.to_account(process, ToAccount::Look(quote.instrument));
        }
        for place in 0..NERVOUS {
            self.to_strategy(process, place, ToStrategy::Market(event));
        }
    }
}

/// What the nervous trader knows of its open orders.
fn remember(open: &mut Vec<OpenOrder>, instrument: InstrumentId, kind: &NoticeKind) {
    match kind {
        NoticeKind::Accepted { client_order_id, side, .. } => {
            open.push(OpenOrder { client_order_id: *client_order_id, instrument, side: *side });
        }
        NoticeKind::Order { client_order_id, status } if status.is_terminal() => {
            open.retain(|order| order.client_order_id != *client_order_id);
        }
        NoticeKind::Restart { open: now } => {
            open.retain(|order| order.instrument != instrument);
            open.extend(now.iter().copied());
        }
        NoticeKind::Order { .. } | NoticeKind::Denied { .. } => {}
    }
}

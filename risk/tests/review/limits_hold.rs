//! Random orders, replaces, fills, losses: the review must say yes exactly where the account on
//! paper does, and nothing that it lets through may ever break a limit. 21,000 orders a run.

use market::fees::Brokerage;
use market::{FeeSchedule, InstrumentId, OrderType, Price, Quantity, Rate, ReportKind, Side};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::naive::{Account, Asked};
use crate::world::{BOVA11, PETR4, World, money};

const ROUNDS: usize = 350;
const RUNS: u32 = 60;

#[derive(Clone, Debug)]
enum Aside {
    Quote(i64, i64),
    Acknowledge(Index),
    Fill(Index, i64, i64),
    Replace(Index, i64, i64),
    Answer(Index, bool),
    End(Index),
    Lose(Index),
}

#[derive(Clone, Debug)]
struct Round {
    asked: Asked,
    asides: Vec<Aside>,
}

fn price(cents: i64) -> Price {
    Price::from_cents(cents).expect("a price")
}

fn asked() -> impl Strategy<Value = Asked> {
    let of = prop_oneof![
        (Just(BOVA11), prop_oneof![1_i64..120, 1_i64..700, -1_i64..3]),
        (Just(PETR4), prop_oneof![4 => (1_i64..8).prop_map(|lots| lots * 100), 1 => 1_i64..700]),
    ];
    let order_type = prop_oneof![
        7 => (930_i64..1_070).prop_map(|cents| OrderType::Limit { limit_price: price(cents) }),
        2 => Just(OrderType::Market),
        1 => (-1_i64..1_070_000_000).prop_map(|steps| OrderType::Limit { limit_price: Price::from_steps(steps) }),
    ];
    let side = prop_oneof![3 => Just(Side::Buy), 2 => Just(Side::Sell)];
    (of, order_type, side).prop_map(|((instrument, units), order_type, side)| Asked {
        instrument,
        side,
        units,
        order_type,
    })
}

fn aside() -> impl Strategy<Value = Aside> {
    let which = any::<Index>;
    prop_oneof![
        2 => (970_i64..1_030, 1_i64..5).prop_map(|(bid, spread)| Aside::Quote(bid, spread)),
        4 => which().prop_map(Aside::Acknowledge),
        6 => (which(), 1_i64..65, 0_i64..30).prop_map(|(of, part, better)| Aside::Fill(of, part, better)),
        4 => (which(), -20_i64..600, 930_i64..1_070).prop_map(|(of, units, cents)| Aside::Replace(of, units, cents)),
        4 => (which(), any::<bool>()).prop_map(|(of, yes)| Aside::Answer(of, yes)),
        1 => which().prop_map(Aside::End),
        1 => which().prop_map(Aside::Lose),
    ]
}

fn round() -> impl Strategy<Value = Round> {
    (asked(), prop::collection::vec(aside(), 0..4)).prop_map(|(asked, asides)| Round { asked, asides })
}

struct Desk {
    world: World,
    account: Account,
    accepted: usize,
}

impl Desk {
    fn new() -> Self {
        let brokerage = Brokerage { per_order: money("4.90"), iss: "0.05".parse().expect("a rate") };
        let mut world = World::with("12000", FeeSchedule::b3(), brokerage);
        world.limits.max_order_quantity = Quantity::new(500);
        world.limits.max_order_notional = money("5000");
        world.limits.max_position_quantity = Quantity::new(900);
        let account = Account::new(money("12000"), Rate::from_ppm(300), brokerage);
        Self { world, account, accepted: 0 }
    }

    fn ask(&mut self, asked: &Asked) -> Result<(), TestCaseError> {
        let (top, limits) = (self.world.top, self.world.limits);
        let order = self.world.order(asked.side, asked.units, asked.instrument, asked.order_type);
        let allowed = self.account.allows(asked, &top, &limits);
        let sent = self.world.send(order);
        prop_assert_eq!(sent.is_ok(), allowed, "{:?}: {:?}", asked, sent);
        if sent.is_ok() {
            self.accepted += 1;
            self.account.enter(order.client_order_id, asked, Account::worst_price(asked, &top, &limits));
        }
        Ok(())
    }

    fn aside(&mut self, aside: &Aside) -> Result<(), TestCaseError> {
        if let Aside::Quote(bid, spread) = aside {
            (self.world.top.bid, self.world.top.ask) = (price(*bid), price(bid + spread));
            return Ok(());
        }
        let (Aside::Acknowledge(which)
        | Aside::Fill(which, ..)
        | Aside::Replace(which, ..)
        | Aside::Answer(which, _)
        | Aside::End(which)
        | Aside::Lose(which)) = aside
        else {
            return Ok(());
        };
        if self.account.open.is_empty() {
            return Ok(());
        }
        let place = which.index(self.account.open.len());
        let order = self.account.open[place].clone();
        match *aside {
            Aside::Acknowledge(_) => {
                self.world.report(order.id, ReportKind::New);
                (self.account.open[place].acknowledged, self.account.open[place].lost) = (true, false);
            }
            Aside::Fill(_, part, better) if order.left() > 0 => {
                let units = (order.left() * part / 64).clamp(1, order.left());
                let at = match order.side {
                    Side::Buy => price(order.worst.steps() / 1_000_000 - better),
                    Side::Sell => price(order.worst.steps() / 1_000_000 + better),
                };
                self.world.fill(order.id, units, at);
                self.account.fill(place, units, at);
            }
            Aside::Replace(_, units, cents) => self.replace(place, units, cents)?,
            Aside::Answer(_, yes) => self.answer(place, yes),
            Aside::End(_) => {
                self.world.report(order.id, ReportKind::Expired);
                self.account.open.remove(place);
            }
            Aside::Lose(_) => {
                self.world.book.outcome_unknown(order.id).expect("an open order");
                self.account.open[place].lost = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn check(&self, after: &impl std::fmt::Debug) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.account.broken(&self.world.limits), None, "after {:?}", after);
        prop_assert_eq!(self.account.power(), self.world.book.buying_power(), "after {:?}", after);
        Ok(())
    }

    fn replace(&mut self, place: usize, units: i64, cents: i64) -> Result<(), TestCaseError> {
        let order = self.account.open[place].clone();
        let unit = if order.instrument == PETR4 { 100 } else { 1 };
        let units = if unit == 100 { units / 100 * 100 } else { units };
        if !order.acknowledged || order.replace.is_some() || order.lost {
            return Ok(());
        }
        let order_type = order.order_type.with_limit(price(cents));
        let left = units - order.filled;
        let asked = Asked { instrument: order.instrument, side: order.side, units: left, order_type };
        let (top, limits) = (self.world.top, self.world.limits);
        let worst = Account::worst_price(&asked, &top, &limits);
        let allowed = self.account.allows_replace(&order, (units, worst), &asked, &top, &limits);
        let replace = self.world.replace_order(order.id, units, order.order_type.limit_price().map(|_| price(cents)));
        let open = self.world.book.order(&order.id).expect("an open order");
        let reviewed = risk::review_replace(open, replace, self.world.level, &self.world.view(order.instrument));
        prop_assert_eq!(reviewed.is_ok(), allowed, "{:?} of {:?}: {:?}", replace, order, reviewed);
        if let Ok(approved) = reviewed {
            self.world.book.request_replace(&replace, approved.worst_price()).expect("an open order");
            self.account.open[place].replace = Some((units, worst));
        }
        Ok(())
    }

    fn answer(&mut self, place: usize, yes: bool) {
        let order = &mut self.account.open[place];
        let Some((quantity, worst)) = order.replace.take() else { return };
        order.lost = false;
        if yes && quantity > order.filled {
            let limit_price = order.order_type.limit_price().map(|_| worst);
            (order.quantity, order.worst) = (quantity, worst);
            order.order_type =
                limit_price.map_or(order.order_type, |limit_price| order.order_type.with_limit(limit_price));
            let id = order.id;
            self.world.report(id, ReportKind::Replaced { quantity: Quantity::new(quantity), limit_price });
        } else {
            let id = order.id;
            self.world.report(id, ReportKind::ReplaceRejected { reason: String::new() });
            self.account.forget_what_is_done();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: RUNS, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_accepted_never_breaks_a_limit(rounds in prop::collection::vec(round(), ROUNDS)) {
        let mut desk = Desk::new();
        for round in &rounds {
            desk.ask(&round.asked)?;
            desk.check(&round.asked)?;
            for aside in &round.asides {
                desk.aside(aside)?;
                desk.check(aside)?;
            }
        }
        desk.world.book.verify().map_err(TestCaseError::fail)?;
        prop_assert!(desk.accepted > ROUNDS / 20, "only {} of {ROUNDS} orders were accepted", desk.accepted);
    }
}

#[test]
fn the_instruments_are_the_ones_on_paper() {
    let world = World::new("0");
    let lots = [BOVA11, PETR4].map(|of: InstrumentId| world.universe.get(of).map(|known| known.lot.units()));
    assert_eq!(lots, [Some(1), Some(100)]);
}

//! The review: runs every check on an order at its worst, and seals what passes.
//!
//! Nothing but `risk` can build an [`Approved`]. Its fields are private, so this does not compile:
//!
//! ```compile_fail,E0451
//! # use market::{NewOrder, Price};
//! # use risk::{Approved, Denial, HaltLevel, View};
//! fn approved(order: NewOrder, view: &View<'_>) -> Result<Approved<NewOrder>, Denial> {
//!     Ok(Approved { value: order, worst_price: Price::ZERO, reduces: true, closes: true, strategy: None })
//! }
//! ```
//!
//! and for no other reason, because the same function does compile when it asks for a review:
//!
//! ```
//! # use market::{NewOrder, Price};
//! # use risk::{Approved, Denial, HaltLevel, View};
//! fn approved(order: NewOrder, view: &View<'_>) -> Result<Approved<NewOrder>, Denial> {
//!     risk::review(order, HaltLevel::Active, view)
//! }
//! ```

use market::order::{CancelOrder, MassCancel, ReplaceOrder};
use market::{Money, NewOrder, Price, Quantity, Side, StrategyId};
use oms::Order;
use oms::order::Replacement;

use crate::checks::{CHECKS, Denial, Figure, Passed, Proposal, View, code};
use crate::halt::HaltLevel;

/// Something that passed the review. Brokers take nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Approved<T> {
    value: T,
    worst_price: Price,
    reduces: bool,
    closes: bool,
    strategy: Option<StrategyId>,
}

impl<T> Approved<T> {
    /// What was approved.
    pub const fn get(&self) -> &T {
        &self.value
    }

    /// The worst price that a unit may trade at: what the book reserves with.
    pub const fn worst_price(&self) -> Price {
        self.worst_price
    }

    /// Whether it only takes away from a position: the last gate lets these through when reducing.
    pub const fn reduces(&self) -> bool {
        self.reduces
    }

    /// Whether it is the engine's own closing order: the only new order that leaves while flattening.
    pub const fn closes(&self) -> bool {
        self.closes
    }

    /// Whose order it is about; none for a cancel, which leaves whatever its strategy's halt.
    pub const fn strategy(&self) -> Option<StrategyId> {
        self.strategy
    }
}

/// The worst price of an order: its limit, or for an order without one the reference moved by the
/// collar, because the market may run that far before the order meets it.
fn worst_price(order: &NewOrder, view: &View<'_>) -> Price {
    order.order_type.limit_price().unwrap_or_else(|| {
        let reference = view.reference(order.side).unwrap_or_default();
        match order.side {
            Side::Buy => reference.saturating_add(reference.scaled(view.limits.price_collar)),
            Side::Sell => reference,
        }
    })
}

fn frozen() -> Denial {
    denied(code::UNKNOWN_ORDER, "an order of unknown outcome freezes the instrument")
}

fn denied(check: &'static str, because: &'static str) -> Denial {
    Denial { check, because, asked: Figure::None, limit: Figure::None }
}

/// Whether the order only takes away from a position, whatever else is open.
fn reduces(order: &NewOrder, view: &View<'_>) -> bool {
    let held = view.book.position(order.instrument).quantity;
    let left_to_sell = held - view.book.open_sells(order.instrument);
    let left_to_cover = -held - view.book.open_buys(order.instrument);
    match order.side {
        Side::Sell => order.quantity <= left_to_sell,
        Side::Buy => order.quantity <= left_to_cover,
    }
}

/// What the switch says of a new order.
fn switch(level: HaltLevel, reduces: bool) -> Result<(), Denial> {
    let allowed = match level {
        HaltLevel::Active => true,
        HaltLevel::Reducing => reduces,
        HaltLevel::StopNew | HaltLevel::CancelAll | HaltLevel::Flatten | HaltLevel::Halted => false,
    };
    if allowed { Ok(()) } else { Err(denied(code::HALTED, level.name())) }
}

/// What an order of unknown outcome in the instrument means for a new one.
fn not_frozen(order: &NewOrder, reduces: bool, view: &View<'_>) -> Result<(), Denial> {
    if view.book.is_frozen(order.instrument) && !reduces { Err(frozen()) } else { Ok(()) }
}

fn proposal(order: NewOrder, reduces: bool, view: &View<'_>) -> Proposal {
    let worst_price = worst_price(&order, view);
    let cost = match order.side {
        Side::Buy => view.book.cost_of_buy(worst_price.times(order.quantity), order.decided_at),
        Side::Sell => Some(Money::ZERO),
    };
    Proposal { order, added: order.quantity, worst_price, reduces, cost }
}

/// Reviews a new order.
///
/// # Errors
/// The first check that denies it.
pub fn review(order: NewOrder, level: HaltLevel, view: &View<'_>) -> Result<Approved<NewOrder>, Denial> {
    let reduces = reduces(&order, view);
    switch(level, reduces)?;
    not_frozen(&order, reduces, view)?;
    run(&proposal(order, reduces, view), view)
}

/// Engine's own closing orders are what flattening is. They are for no other level: at a milder one nobody
/// asked for them, and when everything is halted nobody knows what there is to close.
fn switch_for_closing(level: HaltLevel) -> Result<(), Denial> {
    if level == HaltLevel::Flatten { Ok(()) } else { Err(denied(code::HALTED, level.name())) }
}

/// A closing order takes away from what is held, or it is none.
fn only_reduces(reduces: bool) -> Result<(), Denial> {
    if reduces { Ok(()) } else { Err(denied(code::NOT_REDUCING, "a closing order may not go beyond what is held")) }
}

/// Reviews a closing order of the engine's own: every check, and never more than is held and not on its
/// way out already. What comes of it is marked, so that the last gate knows it.
///
/// # Errors
/// The first check that denies it.
pub fn review_closing(order: NewOrder, level: HaltLevel, view: &View<'_>) -> Result<Approved<NewOrder>, Denial> {
    let reduces = reduces(&order, view);
    switch_for_closing(level)?;
    only_reduces(reduces)?;
    let approved = run(&proposal(order, reduces, view), view)?;
    Ok(Approved { closes: true, ..approved })
}

/// A replace cannot be told from a new entry, and what only reduces can be had by a cancel.
fn switch_for_replace(level: HaltLevel) -> Result<(), Denial> {
    if level == HaltLevel::Active { Ok(()) } else { Err(denied(code::HALTED, level.name())) }
}

/// The order as a replace would leave it, with only the increase counted as new.
fn proposal_of_replace(open: &Order, replace: ReplaceOrder, view: &View<'_>) -> Proposal {
    let leaves = replace.quantity - open.cumulative;
    let order = NewOrder {
        quantity: leaves,
        order_type: replace.limit_price.map_or(open.order_type, |price| open.order_type.with_limit(price)),
        decided_at: replace.decided_at,
        ..open.intent
    };
    let worst_price = worst_price(&order, view);
    let cost = match order.side {
        Side::Buy => {
            let to = Replacement { quantity: replace.quantity, worst_price };
            view.book.cost_of_replace(&order.client_order_id, to, replace.decided_at)
        }
        Side::Sell => Some(Money::ZERO),
    };
    let added = (leaves - open.worst_leaves()).max(Quantity::ZERO);
    Proposal { order, added, worst_price, reduces: false, cost }
}

/// Reviews a change of an open order.
///
/// # Errors
/// The first check that denies it.
pub fn review_replace(
    open: &Order,
    replace: ReplaceOrder,
    level: HaltLevel,
    view: &View<'_>,
) -> Result<Approved<ReplaceOrder>, Denial> {
    switch_for_replace(level)?;
    not_frozen(&open.intent, false, view)?;
    let approved = run(&proposal_of_replace(open, replace, view), view)?;
    let strategy = Some(open.intent.strategy);
    Ok(Approved { value: replace, worst_price: approved.worst_price, reduces: false, closes: false, strategy })
}

fn run(proposal: &Proposal, view: &View<'_>) -> Result<Approved<NewOrder>, Denial> {
    for check in CHECKS {
        (check.review)(proposal, view)?;
    }
    let (order, worst_price, reduces) = (proposal.order, proposal.worst_price, proposal.reduces);
    Ok(Approved { value: order, worst_price, reduces, closes: false, strategy: Some(order.strategy) })
}

/// What a review looks at, told in full: every rule and check with its figures, also those that a
/// review does not come to because an earlier one denied.
#[derive(Clone, PartialEq, Debug)]
pub struct Explanation {
    /// The worst price that a unit may trade at.
    pub worst_price: Price,
    /// It only takes away from a position.
    pub reduces: bool,
    /// What the halt switch says.
    pub halt: Result<(), Denial>,
    /// Whether an order of unknown outcome freezes the instrument.
    pub frozen: Result<(), Denial>,
    /// Each check of [`CHECKS`] under its name, in their order.
    pub checks: Vec<(&'static str, Result<Passed, Denial>)>,
}

impl Explanation {
    /// The denial that a review gives: the first in the order in which it looks.
    pub fn denial(&self) -> Option<Denial> {
        let rules = [self.halt, self.frozen].into_iter().filter_map(Result::err);
        rules.chain(self.checks.iter().filter_map(|(_, told)| told.err())).next()
    }

    fn of(proposal: &Proposal, halt: Result<(), Denial>, frozen: Result<(), Denial>, view: &View<'_>) -> Self {
        Self {
            worst_price: proposal.worst_price,
            reduces: proposal.reduces,
            halt,
            frozen,
            checks: CHECKS.iter().map(|check| (check.name, (check.review)(proposal, view))).collect(),
        }
    }
}

/// Explains what [`review`] says of a new order.
pub fn explain(order: NewOrder, level: HaltLevel, view: &View<'_>) -> Explanation {
    let reduces = reduces(&order, view);
    let (halt, frozen) = (switch(level, reduces), not_frozen(&order, reduces, view));
    Explanation::of(&proposal(order, reduces, view), halt, frozen, view)
}

/// Explains what [`review_closing`] says of a closing order. What takes its place of the frozen instrument
/// is that it may only reduce.
pub fn explain_closing(order: NewOrder, level: HaltLevel, view: &View<'_>) -> Explanation {
    let reduces = reduces(&order, view);
    Explanation::of(&proposal(order, reduces, view), switch_for_closing(level), only_reduces(reduces), view)
}

/// Explains what [`review_replace`] says of a change of an open order.
pub fn explain_replace(open: &Order, replace: ReplaceOrder, level: HaltLevel, view: &View<'_>) -> Explanation {
    let (halt, frozen) = (switch_for_replace(level), not_frozen(&open.intent, false, view));
    Explanation::of(&proposal_of_replace(open, replace, view), halt, frozen, view)
}

/// A cancel never adds risk: always approved, halted or not.
pub const fn approve_cancel(cancel: CancelOrder) -> Approved<CancelOrder> {
    Approved { value: cancel, worst_price: Price::ZERO, reduces: true, closes: false, strategy: None }
}

/// Cancelling everything never adds risk either.
pub const fn approve_mass_cancel(cancel: MassCancel) -> Approved<MassCancel> {
    Approved { value: cancel, worst_price: Price::ZERO, reduces: true, closes: false, strategy: None }
}

//! C23, stale, missing or crossed quote: no new risk on a price that may be gone.
//!
//! During continuous trading a price must be younger than the limit. Before the open there is no
//! fresh price by nature: the close of the previous session serves, and nothing older.

use super::{Denial, Figure, Proposal, View};

pub(super) const NAME: &str = "stale_quote";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<(), Denial> {
    if proposal.reduces {
        return Ok(());
    }
    if !view.top.is_known() {
        return Err(Denial {
            check: NAME,
            because: "no price has been seen",
            asked: Figure::None,
            limit: Figure::Nanoseconds(view.limits.max_quote_age),
        });
    }
    if view.top.is_crossed() {
        return Err(Denial {
            check: NAME,
            because: "bid is not below ask",
            asked: Figure::Price(view.top.bid),
            limit: Figure::Price(view.top.ask),
        });
    }
    let age = view.now.nanos_since(view.top.at);
    if view.phase.trades_continuously() {
        // A price from the future is as wrong as one from the past.
        if age.saturating_abs() > view.limits.max_quote_age {
            return Err(Denial {
                check: NAME,
                because: "the last price is too old",
                asked: Figure::Nanoseconds(age),
                limit: Figure::Nanoseconds(view.limits.max_quote_age),
            });
        }
    } else if view.top.at < view.price_horizon {
        return Err(Denial {
            check: NAME,
            because: "the last price is from before the previous session",
            asked: Figure::Nanoseconds(age),
            limit: Figure::Nanoseconds(view.now.nanos_since(view.price_horizon)),
        });
    }
    Ok(())
}

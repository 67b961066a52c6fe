//! C23, stale, missing or crossed quote: no new risk on a price that may be gone.
//!
//! During continuous trading a price must be younger than the limit, and the bid below the ask: a book
//! that is locked or crossed is one that is being mended. Before the open, and in a call that the
//! instrument goes into by itself, there is no fresh price by nature and the book may cross: the close of the
//! previous session serves, and nothing older.
//!
//! What reduces passes: a way out on an old price is better than none.

use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "stale_quote";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let continuous = view.trades_continuously();
    let most = Figure::Nanoseconds(view.limits.max_quote_age_seconds.nanos());
    let denied = |because, asked, limit| Err(Denial { check: NAME, because, asked, limit });
    if !view.top.is_known() {
        if proposal.reduces {
            return Ok(Passed { asked: Figure::None, limit: most });
        }
        return denied("no price has been seen", Figure::None, most);
    }
    if continuous && view.top.is_crossed() && !proposal.reduces {
        let because = if view.top.bid == view.top.ask { "bid and ask are locked" } else { "bid and ask are crossed" };
        return denied(because, Figure::Price(view.top.bid), Figure::Price(view.top.ask));
    }
    let age = view.now.nanos_since(view.top.at);
    let asked = Figure::Nanoseconds(age);
    let limit = if continuous { most } else { Figure::Nanoseconds(view.now.nanos_since(view.price_horizon)) };
    if proposal.reduces {
        return Ok(Passed { asked, limit });
    }
    // A price from the future is as wrong as one from the past.
    if continuous && age.saturating_abs() > view.limits.max_quote_age_seconds.nanos() {
        return denied("the last price is too old", asked, limit);
    }
    if !continuous && view.top.at < view.price_horizon {
        return denied("the last price is from before the previous session", asked, limit);
    }
    Ok(Passed { asked, limit })
}

//! C25, last entry: from a configured time of the day on only what reduces.
//!
//! The session's phases say what the exchange takes; this says until when we want to take anything on. A
//! moment on the boundary still counts as before it. What closes positions is not this rule: a strategy with
//! `flat_by` asks for it itself (`desk::host`), a person flattens.

use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "last_entry";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let Some(last) = view.table.limits().hours.last_entry else {
        return Ok(Passed { asked: Figure::None, limit: Figure::None });
    };
    // A day so far away that it has no such moment is no day to enter on.
    let until = last.on(view.now.local_date());
    let (asked, limit) = (Figure::Time(view.now), until.map_or(Figure::None, Figure::Time));
    if proposal.reduces || until.is_some_and(|until| view.now <= until) {
        return Ok(Passed { asked, limit });
    }
    Err(Denial { check: NAME, because: "too late in the day for new risk", asked, limit })
}

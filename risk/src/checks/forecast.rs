//! C26, forecast: what an order rests on must be a number, of now, by a model that is known.
//!
//! A model that was retrained on a broken file, a feature that divided by zero, a predictor that stopped an
//! hour ago: each leaves a strategy that goes on trading on it. A forecast may be as old as the limit says and
//! not from the future, and its model's hash must be in `risk.models`; an empty list lets none pass.
//!
//! An order that rests on no forecast has nothing to be asked here. What reduces passes: a strategy whose model
//! has gone bad must be able to leave. A replace changes an order that rested on one, and rests on none itself.

use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "forecast";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let most = view.limits.max_forecast_age_seconds.nanos();
    let limit = Figure::Nanoseconds(most);
    let Some(forecast) = view.forecast else {
        return Ok(Passed { asked: Figure::None, limit });
    };
    let age = view.now.nanos_since(forecast.made_at);
    let asked = Figure::Nanoseconds(age);
    let because = if !forecast.value.is_finite() {
        "the forecast is not a number"
    } else if age < 0 {
        "the forecast is from the future"
    } else if age > most {
        "the forecast is too old"
    } else if !view.table.limits().models.contains(&forecast.model) {
        "the forecast is by a model that may not be traded on"
    } else {
        return Ok(Passed { asked, limit });
    };
    if proposal.reduces { Ok(Passed { asked, limit }) } else { Err(Denial { check: NAME, because, asked, limit }) }
}

//! C06, repeated executions: a strategy that has traded on one side of one symbol so often within the window
//! is stopped there until a named person resumes it (RTS 6, article 15(3); Knight Capital).
//!
//! The execution that makes the number full latches (`Activity::due`), and the latch holds when the window
//! has passed. Without one, because the limit came down since, the count itself denies. Orders that reduce
//! are denied too: a strategy that runs away does so in both directions, and whoever resumes it knows.
//! The engine's own closing orders are not the strategy's doing and pass.

use super::{Denial, Figure, Passed, Proposal, View};
use crate::activity::latch::Rule;

pub(super) const NAME: &str = "repeated_executions";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    super::sums::not_latched(NAME, Rule::RepeatedExecutions, "executions repeated until it was stopped", proposal, view)
        .map(|(seen, limit)| Passed { asked: Figure::Count(seen), limit: Figure::Count(limit) })
}

//! Book and broker compared: asks for a statement, carries out the plan, stops what it cannot explain.
//!
//! The plan itself is `oms::reconcile::plan`, a pure function of the book and the statement; here is
//! only what becomes of it.

use std::collections::BTreeSet;

use market::{ClientOrderId, OrderReference, StatedStatus, Statement, Timestamp};
use oms::reconcile::{self, Break, Correction, Scope};
use risk::{HaltLevel, HaltScope};

use super::{Alert, Command, Effect, Link, Protocol, Question, is_overdue};
use crate::entry::Entry;

impl Protocol {
    /// What a statement would lead to now, carried out by nobody: `pregao status --reconcile`.
    pub fn dry_run(&self, statement: &Statement) -> reconcile::Plan {
        reconcile::plan(self.desk.book(), statement, &self.asked(self.could_have_arrived()))
    }

    fn asked(&self, handed_over: BTreeSet<ClientOrderId>) -> reconcile::Question {
        reconcile::Question { handed_over, first: self.first_statement, accepted: self.accepted.clone() }
    }

    /// Open orders of which something has been handed over.
    fn could_have_arrived(&self) -> BTreeSet<ClientOrderId> {
        let held_back: BTreeSet<ClientOrderId> = self.writing.held_back().collect();
        let open = self.desk.book().open_orders().into_iter().map(|order| order.intent.client_order_id);
        open.filter(|id| !held_back.contains(id)).collect()
    }

    pub(super) fn ask_statement(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.link == Link::Down {
            return;
        }
        self.asking_since.get_or_insert(now);
        self.questions += 1;
        let number = self.questions;
        self.question = Some(Question { number, asked_at: now, handed_over: self.could_have_arrived() });
        effects.push(Effect::AskStatement { question: number });
    }

    pub(super) fn no_statement(&mut self, question: u64, reason: String, effects: &mut Vec<Effect>) {
        if self.question.as_ref().is_some_and(|asked| asked.number == question) {
            // It is asked again when the patience for an answer is over.
            effects.push(Effect::Alert(Alert::BrokerDown { reason }));
        }
    }

    /// Asks again where an answer is overdue; asks from time to time where nothing seems wrong, and
    /// soon where an order's fate is open.
    pub(super) fn look_at_broker(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let patience = self.settings.patience;
        let due = match &self.question {
            Some(asked) => is_overdue(now, asked.asked_at, patience.statement),
            None if self.unknown.is_empty() => is_overdue(now, self.compared_at, patience.reconcile),
            None => is_overdue(now, self.compared_at, patience.answer),
        };
        if due {
            self.ask_statement(now, effects);
        }
        // One that is not answered for as long as the next one would wait has failed.
        let unanswered = self.asking_since.filter(|_| self.link != Link::Down);
        let failed = unanswered.map_or(0, |since| now.nanos_since(since).max(0) / patience.reconcile.max(1));
        self.comparison.failed = u32::try_from(failed).unwrap_or(u32::MAX);
    }

    /// The broker's word on everything.
    pub(super) fn statement(
        &mut self,
        question: u64,
        statement: &Statement,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let Some(mut asked) = self.question.take_if(|asked| asked.number == question) else { return };
        // What waits for the journal now will leave after the answer was given.
        for id in self.writing.held_back() {
            asked.handed_over.remove(&id);
        }
        self.look_for_owed_cancels(statement, effects);
        let plan = reconcile::plan(self.desk.book(), statement, &self.asked(asked.handed_over));
        (self.compared_at, self.asking_since) = (now, None);
        let silent = plan.corrections.is_empty() && plan.breaks.is_empty() && self.link == Link::Ready;
        for correction in plan.corrections {
            self.correct(correction, now, effects);
        }
        if !silent || self.first_statement {
            let external_orders = plan.external_orders;
            self.write(now, vec![Entry::Reconciled { external_orders }], effects);
        }
        self.first_statement = false;
        self.accepted.clear();
        self.strike(&plan.breaks);
        for found in plan.breaks {
            self.stop(found.scope, found.difference, now, effects);
        }
        self.link = Link::Ready;
        self.statement_taken(question);
    }

    /// Whether the broker did what it had promised to do while we were gone. The orders are in the
    /// statement either way, and count as it says.
    fn look_for_owed_cancels(&mut self, statement: &Statement, effects: &mut Vec<Effect>) {
        let owed = std::mem::take(&mut self.owed);
        let open = statement.orders.iter().filter(|order| order.status == StatedStatus::Open);
        let standing = open.filter_map(|order| match order.reference {
            OrderReference::Own(id) if owed.contains(&id) => Some(id),
            _ => None,
        });
        let standing: Vec<ClientOrderId> = standing.collect();
        if let Some(client_order_id) = standing.first().copied() {
            effects.push(Effect::Alert(Alert::NotCanceledOnDisconnect { client_order_id, orders: standing.len() }));
        }
    }

    fn correct(&mut self, correction: Correction, now: Timestamp, effects: &mut Vec<Effect>) {
        match correction {
            Correction::Report(report) => self.take(report, 0, now, effects),
            Correction::External(execution) => self.external(execution, now, effects),
            Correction::Adopt { instrument, quantity } => {
                self.desk.adopt(instrument, quantity);
                self.write(now, vec![Entry::Adopted { instrument, quantity }], effects);
            }
            // A cancel may be asked for again without harm.
            Correction::CancelAgain(id) => {
                if let Ok(approved) = self.desk.cancel(id, now) {
                    self.cancelled_again(id, now);
                    let entry = Entry::CancelIntent { cancel: *approved.get(), stops: false };
                    self.write_command(now, entry, Command::Cancel(approved), effects);
                }
            }
        }
    }

    /// Counts, for each scope, the comparisons in a row that found a difference there.
    fn strike(&mut self, breaks: &[Break]) {
        let before = std::mem::take(&mut self.comparison);
        for found in breaks {
            match found.scope {
                Scope::Account => self.comparison.account = before.account.saturating_add(1),
                Scope::Instrument(id) => {
                    let strikes = before.instruments.get(&id).copied().unwrap_or_default();
                    self.comparison.instruments.insert(id, strikes.saturating_add(1));
                }
            }
        }
    }

    /// Nothing explains this: no new order until a named person has looked.
    fn stop(&mut self, scope: Scope, difference: String, now: Timestamp, effects: &mut Vec<Effect>) {
        let (instrument, known) = match scope {
            Scope::Instrument(id) => (Some(id), self.breaks.get(&id) == Some(&difference)),
            Scope::Account => (None, self.account_break.as_ref() == Some(&difference)),
        };
        if known {
            return;
        }
        let symbol = instrument.and_then(|id| self.desk.universe().get(id)).map(|known| known.symbol);
        effects.push(Effect::Alert(Alert::Break { symbol, difference: difference.clone() }));
        self.write(now, vec![Entry::Break { instrument, difference: difference.clone() }], effects);
        self.withdraw(instrument, "book and broker differ", now, effects);
        match instrument {
            Some(id) => {
                // Read at the last gate, so that nothing which is past the review leaves either.
                self.desk.halt().stop_instrument(id, true);
                self.breaks.insert(id, difference);
            }
            None => {
                effects.push(Effect::Raise {
                    scope: HaltScope::Account,
                    level: HaltLevel::Halted,
                    by: "reconciliation",
                    reason: difference.clone(),
                });
                self.account_break = Some(difference);
            }
        }
    }
}

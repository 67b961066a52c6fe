//! What other hands do in the same account: orders placed by a person or by another program.
//!
//! Of these the book keeps units by instrument and nothing else. They are not the strategies'
//! doing, so they stay out of positions, results, holdings and the cash ledger, which all answer
//! the question "what have the strategies done?". They are the account's, though: limits on size
//! count them, and the broker's statement of a position is ours and theirs together.
//!
//! Money that other hands spend is therefore not seen here. What an order may cost at most is
//! reserved from the ledger that the account was given, so give an account that is shared less than
//! its balance.

use market::{ExecutionId, InstrumentId, OrderReference, Price, Quantity, StatedExecution, Timestamp};

use super::{Anomaly, Book, KEPT_SESSIONS, MOST_UNITS, Owner};

/// An execution of another hand's order, with the session that it was taken in.
pub(super) type ExternalExecution = (u32, StatedExecution);

impl Book {
    /// Units that are held in the account and are not the strategies', signed.
    #[inline]
    pub fn external(&self, instrument: InstrumentId) -> Quantity {
        self.lines[instrument.index()].external
    }

    /// Counts an execution of another hand's order, once.
    ///
    /// # Errors
    /// An execution that does not fit changes nothing and says why.
    pub fn apply_external(&mut self, execution: &StatedExecution) -> Result<(), Anomaly> {
        let execution_id = execution.execution_id.clone();
        let impossible = |reason: &str| {
            Err(Anomaly::ImpossibleExternal { execution_id: execution_id.clone(), reason: reason.to_owned() })
        };
        if self.executions.contains_key(&execution_id) {
            return impossible("it was applied before");
        }
        if matches!(execution.reference, OrderReference::Own(_)) {
            return impossible("its order is ours: it comes as an execution report");
        }
        if !execution.quantity.is_positive() || execution.quantity > MOST_UNITS || execution.price <= Price::ZERO {
            return impossible("its quantity or price makes no sense");
        }
        let Some(line) = self.lines.get_mut(execution.instrument.index()) else {
            return impossible("its instrument is not part of this run");
        };
        line.external += execution.side.signed(execution.quantity);
        self.executions.insert(execution_id.clone(), Owner::External);
        self.externals.insert(execution_id, (self.sessions, execution.clone()));
        self.revalue(execution.instrument);
        Ok(())
    }

    /// Sets what other hands hold: a person, or the first statement ever taken in, has said that
    /// the difference between the broker's figure and ours is theirs.
    pub fn adopt_external(&mut self, instrument: InstrumentId, quantity: Quantity) {
        let applied = self.applied_externals(instrument);
        let line = &mut self.lines[instrument.index()];
        line.external = quantity;
        line.adopted = quantity - applied;
        self.revalue(instrument);
    }

    /// An execution of another hand's order, as long as it is remembered.
    pub fn external_execution(&self, execution_id: &ExecutionId) -> Option<&StatedExecution> {
        self.externals.get(execution_id).map(|(_, execution)| execution)
    }

    /// Executions of other hands' orders from `since` on, by their names.
    pub(crate) fn externals_since(&self, since: Timestamp) -> impl Iterator<Item = &StatedExecution> {
        self.externals.values().map(|(_, execution)| execution).filter(move |execution| execution.at >= since)
    }

    /// Σ signed units of the executions that are remembered.
    pub(super) fn applied_externals(&self, instrument: InstrumentId) -> Quantity {
        let of = self.externals.values().filter(|(_, execution)| execution.instrument == instrument);
        of.map(|(_, execution)| execution.side.signed(execution.quantity)).sum()
    }

    /// Names are forgotten as those of our own orders are; the units stay.
    pub(super) fn forget_externals(&mut self) {
        let now = self.sessions;
        self.externals.retain(|execution_id, (session, execution)| {
            let kept = *session + KEPT_SESSIONS > now;
            if !kept {
                self.executions.remove(execution_id);
                self.lines[execution.instrument.index()].adopted += execution.side.signed(execution.quantity);
            }
            kept
        });
    }
}

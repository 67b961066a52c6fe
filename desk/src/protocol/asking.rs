//! What strategies ask for: reviewed, entered, journaled; or denied, with both figures.

use market::order::{OrderRequest, ReplaceOrder};
use market::{ClientOrderId, InstrumentId, Price, Quantity, StrategyId, Timestamp, TopOfBook};
use risk::checks::code;
use risk::{Denial, Figure};

use super::{Command, Effect, Link, Protocol};
use crate::entry::{Entry, Evidence};
use crate::host::{Ask, NoticeKind};

/// Entries that may wait for a journal that does not answer. Beyond it nothing new is taken on.
const MOST_UNCOMMITTED: usize = 100_000;

impl Protocol {
    pub(super) fn ask(
        &mut self,
        strategy: StrategyId,
        ask: Ask,
        top: TopOfBook,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        self.begin_day(now);
        match ask {
            Ask::Submit(request) => self.submit(strategy, request, top, now, effects),
            Ask::Cancel(id) => self.cancel(strategy, id, now, effects),
            Ask::Replace { client_order_id, quantity, limit_price } => {
                self.replace(strategy, client_order_id, quantity, limit_price, top, now, effects);
            }
        }
    }

    fn submit(
        &mut self,
        strategy: StrategyId,
        request: OrderRequest,
        top: TopOfBook,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        self.record.counts.requests += 1;
        let (instrument, side, quantity) = (request.instrument, request.side, request.quantity);
        let evidence = self.evidence(strategy, instrument, top);
        let reviewed = match self.cannot_take_on(instrument) {
            None => self.desk.decide(&request, &evidence, now),
            Some(denial) => {
                self.desk.note_denial(&denial);
                Err(denial)
            }
        };
        // The strategy is told first and the journal last: the runtime runs whom was woken last next,
        // and the order waits for the journal.
        match reviewed {
            Ok(approved) => {
                self.record.counts.orders += 1;
                let order = *approved.get();
                let accepted = NoticeKind::Accepted { client_order_id: order.client_order_id, side, quantity };
                self.tell(strategy, instrument, accepted, effects);
                let worst_price = approved.worst_price();
                self.desk.marks_told(&evidence.marks);
                let (signal, evidence) = (request.signal, Some(evidence));
                let entry = Entry::Intent { order, worst_price, signal, evidence, closes: false };
                self.write_command(now, entry, Command::Submit(approved), effects);
            }
            Err(denial) => {
                self.record.counts.denials += 1;
                self.tell(strategy, instrument, NoticeKind::Denied { side, quantity }, effects);
                // A journal that does not answer is not given more to hold.
                if denial.check != code::JOURNAL {
                    self.desk.marks_told(&evidence.marks);
                    self.write(now, vec![Entry::denied(request, &denial, Some(evidence))], effects);
                }
            }
        }
    }

    /// What a decision is made on. The marks in it count as journaled once its entry is written.
    pub(super) fn evidence(&self, strategy: StrategyId, instrument: InstrumentId, top: TopOfBook) -> Evidence {
        let halt = self.desk.halt().level_of(strategy, instrument);
        let known = instrument.index() < self.desk.universe().len();
        let marks = if known { self.desk.untold_marks(instrument) } else { Vec::new() };
        Evidence { top, halt, marks }
    }

    fn cancel(&mut self, strategy: StrategyId, id: ClientOrderId, now: Timestamp, effects: &mut Vec<Effect>) {
        // Only its own orders, and only open ones: an order that has just ended is fine.
        let own = self.desk.book().order(&id).is_some_and(|order| order.intent.strategy == strategy)
            && !self.closings.contains(&id);
        if own && let Ok(approved) = self.desk.cancel(id, now) {
            self.record.counts.cancels += 1;
            let entry = Entry::CancelIntent { cancel: *approved.get(), stops: false };
            self.write_command(now, entry, Command::Cancel(approved), effects);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one request, taken apart once")]
    fn replace(
        &mut self,
        strategy: StrategyId,
        client_order_id: ClientOrderId,
        quantity: Quantity,
        limit_price: Option<Price>,
        top: TopOfBook,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let own = self.desk.book().order(&client_order_id).filter(|order| order.intent.strategy == strategy);
        let own = own.filter(|_| !self.closings.contains(&client_order_id));
        let Some(instrument) = own.map(|order| order.intent.instrument) else { return };
        let replace = ReplaceOrder { client_order_id, instrument, quantity, limit_price, decided_at: now };
        let evidence = self.evidence(strategy, instrument, top);
        let reviewed = match self.cannot_take_on(instrument) {
            None => self.desk.decide_replace(replace, &evidence, now),
            Some(denial) => {
                self.desk.note_denial(&denial);
                Err(denial)
            }
        };
        match reviewed {
            Ok(approved) => {
                self.record.counts.replaces += 1;
                let worst_price = approved.worst_price();
                self.desk.marks_told(&evidence.marks);
                let entry = Entry::ReplaceIntent { replace, worst_price, evidence: Some(evidence) };
                self.write_command(now, entry, Command::Replace(approved), effects);
            }
            Err(denial) => {
                self.record.counts.denials += 1;
                if denial.check != code::JOURNAL {
                    self.desk.marks_told(&evidence.marks);
                    let denied = Entry::ReplaceDenied {
                        replace,
                        check: denial.check.to_owned(),
                        because: denial.because.to_owned(),
                        asked: denial.asked,
                        limit: denial.limit,
                        evidence,
                    };
                    self.write(now, vec![denied], effects);
                }
            }
        }
    }

    /// Why nothing new may be taken on in this instrument, whatever its review would say.
    fn cannot_take_on(&self, instrument: InstrumentId) -> Option<Denial> {
        let denied = |check, because, asked, limit| Some(Denial { check, because, asked, limit });
        if self.writing.is_down() || self.writing.uncommitted() >= MOST_UNCOMMITTED {
            let asked = Figure::Count(self.writing.uncommitted() as u64);
            let limit = Figure::Count(MOST_UNCOMMITTED as u64);
            return denied(code::JOURNAL, "the journal does not answer", asked, limit);
        }
        if self.account_break.is_some() {
            return denied(
                code::RECONCILIATION,
                "book and broker differ on the account; a person must look",
                Figure::None,
                Figure::None,
            );
        }
        if self.breaks.contains_key(&instrument) {
            return denied(
                code::RECONCILIATION,
                "book and broker differ on the instrument; a person must look",
                Figure::None,
                Figure::None,
            );
        }
        match self.link {
            Link::Ready => None,
            Link::Down => denied(code::BROKER, "there is no connection to the broker", Figure::None, Figure::None),
            Link::Comparing => {
                denied(code::BROKER, "book and broker have not been compared yet", Figure::None, Figure::None)
            }
        }
    }
}

//! What the broker says, and what its silence means.

use market::{ClientOrderId, ExecutionReport, ReportKind, StatedExecution, Timestamp};
use oms::{Anomaly, Applied, OrderStatus};
use risk::Tripped;
use risk::disconnect::{self, Expectation, Terms};

use super::{Alert, Command, Effect, HandedOver, Link, Protocol, is_overdue};
use crate::entry::Entry;
use crate::host::NoticeKind;

impl Protocol {
    pub(super) fn hand_over(&mut self, command: Command, now: Timestamp, effects: &mut Vec<Effect>) {
        let id = command.client_order_id();
        self.handed_over.entry(id).or_insert(HandedOver { since: now });
        // The answer to a question that was asked before says nothing about this. A cancel may always be
        // asked for again.
        if let Some(question) = self.question.as_mut().filter(|_| !matches!(command, Command::Cancel(_))) {
            question.handed_over.remove(&id);
        }
        effects.push(Effect::Send(command));
    }

    pub(super) fn numbered_report(
        &mut self,
        report: ExecutionReport,
        sequence: u64,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        if sequence <= self.broker_sequence {
            return;
        }
        if sequence > self.broker_sequence + 1 {
            // Reports are missing: everything after the last one seen comes again, this one included.
            return effects.push(Effect::Resend { after: self.broker_sequence });
        }
        self.broker_sequence = sequence;
        self.take(report, sequence, now, effects);
    }

    /// Applies a report, wholly or not at all, and journals what became of it.
    pub(super) fn take(
        &mut self,
        report: ExecutionReport,
        broker_sequence: u64,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        self.begin_day(now);
        // What comes in no stream is what we conclude ourselves, or what a statement tells.
        let taken = match broker_sequence {
            0 => self.desk.conclude(&report, now),
            _ => self.desk.report(&report, now),
        };
        match taken {
            Ok((applied, tripped)) => {
                self.count(&report, &applied);
                self.answered(&report, &applied);
                if applied.status.is_terminal() {
                    self.closing_ended(report.client_order_id, applied.instrument, applied.status);
                }
                self.tell_person(&report, &applied, effects);
                let mut entries = vec![Entry::Report { report, broker_sequence }];
                entries.extend(tripped.iter().map(Entry::latched));
                self.write(now, entries, effects);
                effects.extend(tripped.iter().map(|tripped| Effect::Alert(self.stopped(tripped))));
                let kind = NoticeKind::Order { client_order_id: applied.client_order_id, status: applied.status };
                self.tell(applied.strategy, applied.instrument, kind, effects);
            }
            Err(anomaly) => {
                self.record.counts.anomalies += 1;
                // The same execution twice is what a careful broker sends; everything else is news.
                if !matches!(anomaly, Anomaly::DuplicateExecution { .. }) {
                    effects.push(Effect::Alert(Alert::ReportNotApplied { reason: anomaly.to_string() }));
                }
                let reason = anomaly.to_string();
                self.write(now, vec![Entry::Anomaly { report, reason, broker_sequence }], effects);
            }
        }
    }

    fn stopped(&self, tripped: &Tripped) -> Alert {
        let Tripped { rule, strategy, instrument, latch } = *tripped;
        let name = self.settings.strategies.get(strategy.index()).map(|settings| settings.name.clone());
        let symbol = instrument.and_then(|id| self.desk.universe().get(id)).map(|known| known.symbol);
        Alert::StrategyStopped { strategy: name.unwrap_or_default(), symbol, rule, latch }
    }

    fn count(&mut self, report: &ExecutionReport, applied: &Applied) {
        self.record.applied(report.at, applied);
        match report.kind {
            ReportKind::Rejected { .. } => self.record.counts.rejections += 1,
            ReportKind::Fill { .. } => self.fills += 1,
            _ => {}
        }
    }

    /// A command that was handed over has its answer.
    fn answered(&mut self, report: &ExecutionReport, applied: &Applied) {
        let id = report.client_order_id;
        let pending = matches!(
            applied.status,
            OrderStatus::PendingNew | OrderStatus::PendingCancel | OrderStatus::PendingReplace | OrderStatus::Unknown
        );
        if !pending {
            self.handed_over.remove(&id);
        }
        if applied.status != OrderStatus::Unknown {
            self.unknown.remove(&id);
        }
    }

    fn tell_person(&self, report: &ExecutionReport, applied: &Applied, effects: &mut Vec<Effect>) {
        let client_order_id = report.client_order_id;
        if let Some(fill) = &applied.fill {
            let (instrument, fill) = (applied.instrument, fill.clone());
            if fill.late {
                effects.push(Effect::Alert(Alert::LateFill { client_order_id }));
            }
            effects.push(Effect::Traded { client_order_id, instrument, fill });
        }
        if matches!(report.kind, ReportKind::Bust { .. } | ReportKind::Corrected { .. }) {
            effects.push(Effect::Alert(Alert::TradeRevoked { client_order_id }));
        }
    }

    /// A command certainly did not leave: the order ends, or stays as it was.
    pub(super) fn not_sent(&mut self, command: &Command, reason: String, now: Timestamp, effects: &mut Vec<Effect>) {
        if matches!(command, Command::Cancel(_)) && self.is_unheard_of(&command.client_order_id()) {
            // What is unknown waits for a statement already.
            self.handed_over.retain(|id, _| !self.unknown.contains_key(id));
            return;
        }
        let kind = match command {
            Command::Submit(_) => ReportKind::Rejected { reason },
            Command::Cancel(_) => ReportKind::CancelRejected { reason },
            Command::Replace(_) => ReportKind::ReplaceRejected { reason },
        };
        let (client_order_id, instrument) = (command.client_order_id(), command.instrument());
        self.take(ExecutionReport { at: now, client_order_id, instrument, kind }, 0, now, effects);
    }

    /// Whether the broker has yet to speak of this order, or of what was sent for it last. That a cancel
    /// did not leave is our own word and must not stand for the broker's: the order stays as it is, and
    /// the statement that lists it leads to another cancel.
    fn is_unheard_of(&self, id: &ClientOrderId) -> bool {
        let order = self.desk.book().order(id).filter(|order| !order.status.is_terminal());
        order.is_some_and(|order| order.status == OrderStatus::Unknown || !order.acknowledged)
    }

    /// Nobody knows whether what was sent for this order arrived.
    pub(super) fn becomes_unknown(
        &mut self,
        client_order_id: ClientOrderId,
        reason: &str,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        self.handed_over.remove(&client_order_id);
        // An order that has ended meanwhile has its answer.
        if self.desk.outcome_unknown(client_order_id).is_err() {
            return;
        }
        self.unknown.insert(client_order_id, now);
        self.write(now, vec![Entry::OutcomeUnknown { client_order_id, reason: reason.to_owned() }], effects);
        effects.push(Effect::Alert(Alert::OrderUnknown { client_order_id, reason: reason.to_owned() }));
    }

    /// An execution of an order that was placed elsewhere: counted, and left alone.
    pub(super) fn external(&mut self, execution: StatedExecution, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.desk.external(&execution).is_ok() {
            self.write(now, vec![Entry::External { execution }], effects);
        }
    }

    pub(super) fn unreadable(&mut self, text: String, problem: String, now: Timestamp, effects: &mut Vec<Effect>) {
        self.record.counts.anomalies += 1;
        effects.push(Effect::Alert(Alert::ReportNotApplied { reason: problem.clone() }));
        self.write(now, vec![Entry::Unreadable { text, problem }], effects);
        // Whatever it was meant to say, the broker knows.
        self.ask_statement(now, effects);
    }

    pub(super) fn connected(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.link != Link::Down {
            self.lose_link("the connection was replaced", now, effects);
        }
        self.link = Link::Comparing;
        self.write(now, vec![Entry::Connected], effects);
        self.ask_statement(now, effects);
    }

    /// Day orders that rested when the former session went are looked for in the next statement, if the
    /// broker has promised to cancel them.
    pub(super) fn begun_with(&mut self, terms: Terms) {
        self.terms = Some(terms);
        self.owed.clear();
        if terms.expects == Expectation::DayOrdersGone {
            let open = self.desk.book().open_orders().into_iter().filter(|order| order.acknowledged);
            let of_the_day = open.filter(|order| !disconnect::survives(order.intent.time_in_force));
            self.owed.extend(of_the_day.map(|order| order.intent.client_order_id));
        }
    }

    pub(super) fn disconnected(&mut self, reason: &str, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.link == Link::Down {
            return;
        }
        self.write(now, vec![Entry::Disconnected { reason: reason.to_owned() }], effects);
        effects.push(Effect::Alert(Alert::BrokerDown { reason: reason.to_owned() }));
        self.lose_link(reason, now, effects);
        self.link = Link::Down;
    }

    /// What was on its way over a connection that is gone may or may not have arrived.
    fn lose_link(&mut self, reason: &str, now: Timestamp, effects: &mut Vec<Effect>) {
        (self.question, self.asking_since) = (None, None);
        for id in std::mem::take(&mut self.handed_over).into_keys() {
            self.becomes_unknown(id, reason, now, effects);
        }
    }

    /// Whoever carries commands lost its mailbox. The connection outlived it, so the statement that it
    /// is asked for over this connection tells what had left.
    ///
    /// If this protocol began while nobody carried commands, it has not heard of the connection yet.
    pub(super) fn broker_restarted(&mut self, connected: bool, now: Timestamp, effects: &mut Vec<Effect>) {
        effects.push(Effect::Resend { after: self.broker_sequence });
        if self.link == Link::Down && connected {
            self.connected(now, effects);
        } else if self.link != Link::Down {
            self.ask_statement(now, effects);
        }
    }

    /// Commands whose answer is overdue, and orders whose fate has been open for long.
    pub(super) fn look_at_handed_over(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let patience = self.settings.patience;
        let overdue = self.handed_over.iter().filter(|(_, handed)| is_overdue(now, handed.since, patience.answer));
        let overdue: Vec<ClientOrderId> = overdue.map(|(id, _)| *id).collect();
        if !overdue.is_empty() {
            for id in overdue {
                self.becomes_unknown(id, "the broker did not answer in time", now, effects);
            }
            self.ask_statement(now, effects);
        }
        for (client_order_id, told) in &mut self.unknown {
            if is_overdue(now, *told, patience.unknown) {
                *told = now;
                let reason = "its fate is still open".to_owned();
                effects.push(Effect::Alert(Alert::OrderUnknown { client_order_id: *client_order_id, reason }));
            }
        }
    }
}

//! What the broker says: reports over the connection, and statements.

use desk::{Entry, Input};
use market::{ExecutionId, ExecutionReport, ReportKind, Timestamp};
use risk::{HaltLevel, HaltScope};

use super::Outcome;
use super::stage::Stage;
use super::statement;
use super::words::{Words, changed, traded};

/// What a halt is about; everything, if nothing is said.
fn scope(words: &mut Words<'_>) -> Result<HaltScope, String> {
    let text = words.rest();
    if text.is_empty() { Ok(HaltScope::Global) } else { text.parse().map_err(|unknown| format!("{unknown}")) }
}

impl Stage {
    pub(super) fn report(&mut self, words: &mut Words<'_>) -> Result<Outcome, String> {
        self.can_hear()?;
        let report = self.read_report(words)?;
        let sequence = self.number(report.clone());
        self.tell(Input::Report { report, sequence })?;
        Ok(match self.written("anomaly")? {
            Some(Entry::Anomaly { reason, .. }) => Outcome::Ignored(reason),
            _ => Outcome::Done,
        })
    }

    /// The broker reported, and the engine's ear was not there: the next report shows the gap.
    pub(super) fn missed(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        self.can_hear()?;
        let report = self.read_report(words)?;
        self.number(report);
        Ok(())
    }

    /// Everything that this connection has reported comes again, under its old numbers.
    pub(super) fn repeat(&mut self) -> Result<(), String> {
        let again: Vec<_> = self.stream.iter().map(|(number, report)| (*number, report.clone())).collect();
        again.into_iter().try_for_each(|(sequence, report)| self.tell(Input::Report { report, sequence }))
    }

    fn can_hear(&self) -> Result<(), String> {
        match (&self.exchange, self.connected) {
            (Some(_), _) => Err("the exchange reports by itself here".to_owned()),
            (None, false) => Err("there is no connection: what the broker does now, a statement tells".to_owned()),
            (None, true) => Ok(()),
        }
    }

    fn read_report(&mut self, words: &mut Words<'_>) -> Result<ExecutionReport, String> {
        let id = self.id(words)?;
        let instrument = self.instrument_of(id)?;
        let reason = String::new();
        let kind = match words.next("what is reported")? {
            "new" => ReportKind::New,
            "canceled" => ReportKind::Canceled { reason },
            "expired" => ReportKind::Expired,
            "rejected" => ReportKind::Rejected { reason },
            "cancel_rejected" => ReportKind::CancelRejected { reason },
            "replace_rejected" => ReportKind::ReplaceRejected { reason },
            "replaced" => {
                let (quantity, limit_price) = changed(words)?;
                ReportKind::Replaced { quantity, limit_price }
            }
            "trade" => {
                let (quantity, price) = traded(words)?;
                ReportKind::Fill { execution_id: self.execution(words)?, price, quantity }
            }
            "bust" => {
                let reference = ExecutionId::new(words.next("the name of an execution")?);
                ReportKind::Bust { execution_id: self.execution(words)?, reference }
            }
            "corrected" => {
                let reference = ExecutionId::new(words.next("the name of an execution")?);
                let (quantity, price) = traded(words)?;
                ReportKind::Corrected { execution_id: self.execution(words)?, reference, price, quantity }
            }
            other => return Err(format!("'{other}' is not a report")),
        };
        Ok(ExecutionReport { at: self.now, client_order_id: id, instrument, kind })
    }

    /// `as X7`, or a name that nothing else has.
    fn execution(&mut self, words: &mut Words<'_>) -> Result<ExecutionId, String> {
        self.executions += 1;
        Ok(match words.skip_if("as") {
            true => ExecutionId::new(words.next("the name of the execution")?),
            false => ExecutionId::new(&format!("E{}", self.executions)),
        })
    }

    pub(super) fn external(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        self.can_hear()?;
        let execution = statement::external(self, words)?;
        self.tell(Input::External(execution))
    }

    pub(super) fn garbage(&mut self) -> Result<(), String> {
        let (text, problem) = ("35=8\u{1}39=?".to_owned(), "the order status is unreadable".to_owned());
        self.tell(Input::Unreadable { text, problem })
    }

    pub(super) fn unknown(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let client_order_id = self.id(words)?;
        self.tell(Input::OutcomeUnknown { client_order_id, reason: "the connection does not know".to_owned() })?;
        match self.written("outcome_unknown")? {
            Some(_) => Ok(()),
            None => Err("the order has ended: nothing of it is unknown".to_owned()),
        }
    }

    pub(super) fn stated(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let since = self.clock.session().and_hms_opt(0, 0, 0).and_then(Timestamp::from_local);
        let empty = || statement::nothing(self.now, since.unwrap_or(self.now));
        let mut told = self.stated.clone().unwrap_or_else(empty);
        statement::stated(self, &mut told, words)?;
        self.stated = Some(told);
        Ok(())
    }

    /// What has been stated is the answer to the last question, or comes late, to the one before.
    pub(super) fn statement(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let statement = self.stated.take().ok_or("nothing was stated: say at least 'stated nothing'")?;
        let question = self.question.ok_or("no statement was asked for")?;
        let question = if words.skip_if("late") {
            question - 1
        } else {
            self.question = None;
            question
        };
        self.tell(Input::Statement { question, statement: Box::new(statement) })
    }

    pub(super) fn no_statement(&mut self) -> Result<(), String> {
        let question = self.question.ok_or("no statement was asked for")?;
        self.tell(Input::NoStatement { question, reason: "the broker is busy".to_owned() })
    }

    pub(super) fn halt(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let name = words.next("a halt level")?;
        let level = HaltLevel::from_name(name).ok_or_else(|| format!("'{name}' is not a halt level"))?;
        let scope = scope(words)?;
        self.switch.set(&scope, level);
        if scope == HaltScope::Global && level == HaltLevel::Active {
            // A person resumes whatever stands for all; a symbol or strategy is resumed by its name.
            HaltScope::PROGRAM.iter().for_each(|scope| self.switch.set(scope, level));
        }
        let (by, reason) = ("person".to_owned(), "scenario".to_owned());
        self.tell(Input::Halted { scope, level, by, reason, at: self.now })
    }

    pub(super) fn resume(&mut self, words: &mut Words<'_>) -> Result<Outcome, String> {
        let scope = scope(words)?;
        let scopes = if scope == HaltScope::Global { HaltScope::PROGRAM.to_vec() } else { vec![scope] };
        for scope in scopes {
            let seen = self.switch.seen(&scope);
            if seen.level() == HaltLevel::Active {
                continue;
            }
            if let Err(why) = self.protocol.may_resume(seen) {
                return Ok(Outcome::Ignored(why));
            }
            let (by, reason) = ("person".to_owned(), "has looked".to_owned());
            self.tell(Input::Resumed { scope, seen, by, reason, at: self.now })?;
        }
        Ok(Outcome::Done)
    }
}

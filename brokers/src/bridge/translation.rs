//! What a line of the venue means to an account: symbols become numbers, names become references,
//! and what contradicts itself is told rather than believed.
//!
//! Pure. A statement is taken whole or not at all: half of one would be a lie.
//!
//! Symbols that are not part of the run:
//!
//! | in | becomes | why |
//! |---|---|---|
//! | a position | `elsewhere` | shown, and left alone |
//! | an order or execution that is not ours | nothing; [`Heard::Elsewhere`] counts it | it moves nothing that this run holds |
//! | an order, execution or report of ours | unreadable | it moves an account that cannot book it |

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use market::{
    ExecutionId, ExecutionReport, InstrumentId, OrderReference, Price, Quantity, ReportKind, StatedExecution,
    StatedOrder, Statement, Symbol, Universe,
};

use super::wire::{
    Environment, LONGEST_NAME, OrderReport, VenueMessage, WireExecution, WireOrder, WireStatement, decode,
};
use crate::MassCanceled;

/// Characters of a venue's words that are kept.
const LONGEST_TEXT: usize = 200;

/// What a line of the venue comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    /// The answer to a logon.
    LoggedOn {
        /// What the venue trades with.
        environment: Environment,
        /// Its name.
        venue: String,
        /// The window after which it cancels the day orders of a session that is gone, if it does.
        cancel_on_disconnect: Option<Duration>,
    },
    /// A report on an order of ours.
    Report(ExecutionReport),
    /// An execution of somebody else's order.
    External(StatedExecution),
    /// An execution of somebody else's order in what this run does not know.
    Elsewhere,
    /// A statement.
    Statement {
        /// The request that it answers.
        request: u64,
        /// What it says.
        statement: Statement,
    },
    /// A mass cancel is done.
    MassCanceled {
        /// The request that it answers.
        request: u64,
        /// What it came to.
        result: MassCanceled,
    },
    /// Still there.
    Heartbeat,
    /// The venue ends the connection.
    Refused(String),
    /// None of these.
    Unreadable {
        /// The line, cut.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// Whom lines are read for.
#[derive(Clone, Debug)]
pub struct Translation {
    account: String,
    universe: Arc<Universe>,
}

/// A text cut to a length that is safe to keep and to log.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

impl Translation {
    /// For the account with this tag, which trades these instruments.
    pub fn new(account: &str, universe: Arc<Universe>) -> Self {
        Self { account: account.to_owned(), universe }
    }

    pub(super) fn symbol(&self, instrument: InstrumentId) -> Option<Symbol> {
        self.universe.get(instrument).map(|known| known.symbol)
    }

    /// What a line means.
    pub fn hear(&self, line: &[u8]) -> Heard {
        let message = decode(line).map_err(|error| error.to_string());
        message.and_then(|message| self.message(message)).unwrap_or_else(|problem| Heard::Unreadable {
            // A line may be large: only what is kept is looked at.
            text: cut(&String::from_utf8_lossy(line.get(..4 * LONGEST_TEXT).unwrap_or(line))),
            problem: cut(&problem),
        })
    }

    fn message(&self, message: VenueMessage) -> Result<Heard, String> {
        Ok(match message {
            VenueMessage::LoggedOn { environment, venue, cancel_on_disconnect_seconds: window } => {
                let cancel_on_disconnect = window.map(Duration::from_secs);
                Heard::LoggedOn { environment, venue: cut(&venue), cancel_on_disconnect }
            }
            VenueMessage::Report(report) => Heard::Report(self.report(report)?),
            VenueMessage::External { execution } => match self.execution(execution)? {
                Some(StatedExecution { reference: OrderReference::Own(id), .. }) => {
                    return Err(format!("an external execution of {id}, which is an order of this account"));
                }
                Some(execution) => Heard::External(execution),
                None => Heard::Elsewhere,
            },
            VenueMessage::Statement(statement) => {
                Heard::Statement { request: statement.request, statement: self.statement(statement)? }
            }
            VenueMessage::MassCanceled { request, canceled, open } => {
                Heard::MassCanceled { request, result: MassCanceled { canceled, open } }
            }
            VenueMessage::Heartbeat => Heard::Heartbeat,
            VenueMessage::Refused { reason } => Heard::Refused(cut(&reason)),
        })
    }

    fn report(&self, report: OrderReport) -> Result<ExecutionReport, String> {
        let OrderReport { at, client_order_id, symbol, mut kind } = report;
        if client_order_id.account() != self.account {
            return Err(format!("order {client_order_id} is not of account {}", self.account));
        }
        let instrument = self.universe.find(&symbol).ok_or_else(|| not_of_this_run(&symbol))?;
        match &mut kind {
            ReportKind::Fill { execution_id, price, quantity } => {
                named(execution_id)?;
                traded(*price, *quantity)?;
            }
            ReportKind::Bust { execution_id, reference } => two_names(execution_id, reference)?,
            ReportKind::Corrected { execution_id, reference, price, quantity } => {
                two_names(execution_id, reference)?;
                traded(*price, *quantity)?;
            }
            ReportKind::Replaced { quantity, limit_price } => {
                if !quantity.is_positive() || limit_price.is_some_and(|price| price <= Price::ZERO) {
                    return Err("an order replaced by one whose quantity or price is not positive".to_owned());
                }
            }
            ReportKind::Canceled { reason }
            | ReportKind::Rejected { reason }
            | ReportKind::CancelRejected { reason }
            | ReportKind::ReplaceRejected { reason } => *reason = cut(reason),
            ReportKind::New | ReportKind::Expired => {}
        }
        Ok(ExecutionReport { at, client_order_id, instrument, kind })
    }

    /// Whose order a name is of. Only an identifier with the account's own tag is ours.
    fn reference(&self, name: String) -> Result<OrderReference, String> {
        match name.parse::<market::ClientOrderId>() {
            Ok(id) if id.account() == self.account => Ok(OrderReference::Own(id)),
            _ if is_name(&name) => Ok(OrderReference::External(name)),
            _ => Err(format!("an order's name has {} bytes: expected 1 to {LONGEST_NAME}", name.len())),
        }
    }

    /// Its number, or nothing for a stranger's business in what this run does not know.
    fn instrument(&self, symbol: &Symbol, reference: &OrderReference) -> Result<Option<InstrumentId>, String> {
        match (self.universe.find(symbol), reference) {
            (None, OrderReference::Own(_)) => Err(not_of_this_run(symbol)),
            (found, _) => Ok(found),
        }
    }

    fn execution(&self, execution: WireExecution) -> Result<Option<StatedExecution>, String> {
        let WireExecution { execution_id, order, symbol, side, price, quantity, at } = execution;
        let reference = self.reference(order)?;
        named(&execution_id)?;
        traded(price, quantity)?;
        let instrument = self.instrument(&symbol, &reference)?;
        Ok(instrument.map(|instrument| StatedExecution {
            execution_id,
            reference,
            instrument,
            side,
            price,
            quantity,
            at,
        }))
    }

    fn order(&self, order: WireOrder) -> Result<Option<StatedOrder>, String> {
        let WireOrder { order: name, symbol, side, quantity, limit_price, cumulative, status } = order;
        if !quantity.is_positive() || cumulative < Quantity::ZERO || cumulative > quantity {
            return Err(format!("{cumulative} of {quantity} units of order {} traded", cut(&name)));
        }
        let reference = self.reference(name)?;
        let instrument = self.instrument(&symbol, &reference)?;
        Ok(instrument.map(|instrument| StatedOrder {
            reference,
            instrument,
            side,
            quantity,
            limit_price,
            cumulative,
            status,
        }))
    }

    fn statement(&self, stated: WireStatement) -> Result<Statement, String> {
        let WireStatement { request: _, at, since, orders, executions, revoked, positions } = stated;
        if since > at {
            return Err(format!("made at {at}, complete only since {since}"));
        }
        once("order", orders.iter().map(|order| &order.order))?;
        once("execution", executions.iter().map(|execution| &execution.execution_id).chain(&revoked))?;
        once("position", positions.iter().map(|position| &position.symbol))?;
        revoked.iter().try_for_each(named)?;
        let orders: Result<Vec<_>, _> = orders.into_iter().filter_map(|order| self.order(order).transpose()).collect();
        let executions: Result<Vec<_>, _> =
            executions.into_iter().filter_map(|execution| self.execution(execution).transpose()).collect();
        let mut statement = Statement {
            at,
            since,
            orders: orders?,
            executions: executions?,
            revoked,
            positions: Vec::new(),
            elsewhere: Vec::new(),
        };
        for position in positions {
            match self.universe.find(&position.symbol) {
                Some(instrument) => statement.positions.push((instrument, position.quantity)),
                None => statement.elsewhere.push((position.symbol, position.quantity)),
            }
        }
        Ok(statement)
    }
}

fn not_of_this_run(symbol: &Symbol) -> String {
    format!("{symbol} is not configured: add it to the symbols, or close its position and orders first")
}

fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
}

fn named(execution_id: &ExecutionId) -> Result<(), String> {
    let name = execution_id.as_str();
    if is_name(name) {
        return Ok(());
    }
    Err(format!("an execution's name has {} bytes: expected 1 to {LONGEST_NAME}", name.len()))
}

fn two_names(execution_id: &ExecutionId, reference: &ExecutionId) -> Result<(), String> {
    named(execution_id)?;
    named(reference)?;
    if execution_id == reference {
        return Err(format!("execution {execution_id} takes its own place"));
    }
    Ok(())
}

fn traded(price: Price, quantity: Quantity) -> Result<(), String> {
    if price > Price::ZERO && quantity.is_positive() {
        return Ok(());
    }
    Err(format!("{quantity} units traded at {price}: both must be positive"))
}

fn once<T: Hash + Eq + std::fmt::Display>(what: &str, names: impl Iterator<Item = T>) -> Result<(), String> {
    let mut seen = HashSet::new();
    for name in names {
        if seen.contains(&name) {
            return Err(format!("{what} {name} is stated twice"));
        }
        seen.insert(name);
    }
    Ok(())
}

//! One order's whole story, out of the journal: what its strategy had heard and why it wanted it, what
//! the review looked at with every check's figures, what was sent, what the broker said, how it ended.
//!
//! The journal does not hold the checks that let an order pass: the story is told by replaying up to the
//! decision and looking at it again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use market::order::Signal;
use market::{
    ClientOrderId, FeeSchedule, Instrument, InstrumentId, MarketEvent, Money, Price, Quantity, Quote, StrategyId,
    Timestamp,
};
use oms::{Applied, OrderStatus};
use risk::Explanation;

use super::decision::evidence_of;
use super::{Replay, ReplayError};
use crate::entry::{Entry, Evidence, Heard};

/// Whose story.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// An order's.
    Order(ClientOrderId),
    /// That of a request that was denied, by its place in the journal: it never had a name.
    Denied(u64),
}

/// Something that happened to the order.
#[derive(Clone, PartialEq, Debug)]
pub struct Moment {
    /// Place in the journal.
    pub sequence: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What.
    pub entry: Entry,
    /// What a review looked at, where the entry is a decision.
    pub checks: Option<Explanation>,
    /// What a report changed.
    pub applied: Option<Applied>,
    /// How things stand after it.
    pub standing: Option<Standing>,
}

impl Moment {
    /// What a review looked at beside the book.
    pub fn evidence(&self) -> Option<Evidence> {
        evidence_of(&self.entry)
    }
}

/// How an order and the account stand after something happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Of the order; none for a request that was denied.
    pub status: Option<OrderStatus>,
    /// Units traded so far.
    pub cumulative: Quantity,
    /// Average price of these.
    pub average_price: Option<Price>,
    /// Units of the instrument that the account holds.
    pub position: Quantity,
    /// Cash with everything booked, settled or not.
    pub cash: Money,
}

/// What the strategy had heard last.
#[derive(Clone, PartialEq, Debug)]
pub struct LastHeard {
    /// The journal entry that tells it.
    pub sequence: u64,
    /// What.
    pub event: MarketEvent,
}

/// The strategy that asked.
#[derive(Clone, PartialEq, Debug)]
pub struct Asker {
    /// Its name.
    pub name: String,
    /// Its name in the list of strategies.
    pub kind: String,
    /// Its parameters.
    pub parameters: BTreeMap<String, f64>,
    /// Where the journal tells its beginning.
    pub started: u64,
}

/// The whole story.
#[derive(Clone, PartialEq, Debug)]
pub struct Story {
    /// Whose.
    pub subject: Subject,
    /// Of what.
    pub instrument: Instrument,
    /// Who asked; none if the journal lost it.
    pub asker: Option<Asker>,
    /// What it had heard last; none if the journal lost it.
    pub heard: Option<LastHeard>,
    /// Why it asked; none for a change of an order.
    pub signal: Option<Signal>,
    /// What happened, the decision first.
    pub moments: Vec<Moment>,
}

/// Why there is no story.
#[derive(Debug, thiserror::Error)]
pub enum StoryError {
    /// No order has this name.
    #[error("the journal has no order {asked}: {}", known(*asked, orders))]
    NoSuchOrder {
        /// The name.
        asked: ClientOrderId,
        /// Those that there are.
        orders: Vec<ClientOrderId>,
    },
    /// Nothing was denied there.
    #[error("journal entry {asked} is no denial: {}", denials(*asked, denied))]
    NotDenied {
        /// The entry.
        asked: u64,
        /// Those that are.
        denied: Vec<u64>,
    },
    /// The journal cannot be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

fn known(asked: ClientOrderId, orders: &[ClientOrderId]) -> String {
    let (Some(first), Some(last)) = (orders.first(), orders.last()) else {
        return "it holds no order at all".to_owned();
    };
    let same_day: Vec<&ClientOrderId> = orders.iter().filter(|id| id.day() == asked.day()).collect();
    match (same_day.first(), same_day.last()) {
        (Some(first), Some(last)) => format!("those of that day are {first} to {last}"),
        _ => {
            let nearest = orders.iter().min_by_key(|id| id.day().abs_diff(asked.day())).unwrap_or(first);
            format!("its {} orders go from {first} to {last}, the nearest day begins with {nearest}", orders.len())
        }
    }
}

fn denials(asked: u64, denied: &[u64]) -> String {
    match denied.iter().min_by_key(|sequence| sequence.abs_diff(asked)) {
        Some(nearest) => format!("the nearest is {nearest} of {}", denied.len()),
        None => "nothing was denied".to_owned(),
    }
}

/// Gathers a story while a journal is replayed.
pub struct Storyteller {
    replay: Replay,
    subject: Subject,
    askers: BTreeMap<StrategyId, Asker>,
    heard: BTreeMap<StrategyId, LastHeard>,
    orders: BTreeSet<ClientOrderId>,
    denied: Vec<u64>,
    story: Option<Story>,
}

impl Storyteller {
    /// Nothing heard yet. As for [`Replay::new`].
    pub fn new(account: impl Into<String>, fees: Arc<FeeSchedule>, subject: Subject) -> Self {
        Self {
            replay: Replay::new(account, fees),
            subject,
            askers: BTreeMap::new(),
            heard: BTreeMap::new(),
            orders: BTreeSet::new(),
            denied: Vec::new(),
            story: None,
        }
    }

    /// Takes in the next entry.
    ///
    /// # Errors
    /// As for [`Replay::entry`].
    pub fn entry(&mut self, sequence: u64, at: Timestamp, entry: Entry) -> Result<(), ReplayError> {
        self.listen(sequence, &entry);
        if !self.is_about(sequence, &entry) {
            self.replay.entry(sequence, at, entry)?;
            return Ok(());
        }
        let checks = self.replay.explain(at, &entry);
        if self.story.is_none() {
            self.begin(&entry);
        }
        let applied = self.replay.entry(sequence, at, entry.clone())?;
        let standing = self.standing();
        if let Some(story) = &mut self.story {
            story.moments.push(Moment { sequence, at, entry, checks, applied, standing });
        }
        Ok(())
    }

    /// The story.
    ///
    /// # Errors
    /// There is none under this name.
    pub fn finish(self) -> Result<Story, StoryError> {
        self.story.ok_or_else(|| match self.subject {
            Subject::Order(asked) => StoryError::NoSuchOrder { asked, orders: self.orders.into_iter().collect() },
            Subject::Denied(asked) => StoryError::NotDenied { asked, denied: self.denied },
        })
    }

    fn listen(&mut self, sequence: u64, entry: &Entry) {
        match entry {
            Entry::Started { .. } => {
                // Numbers of another run may mean other strategies.
                self.heard.clear();
            }
            Entry::StrategyStarted(origin) => {
                let (name, kind, parameters) =
                    (origin.settings.name.clone(), origin.kind.clone(), origin.parameters.clone());
                self.heard.remove(&origin.settings.id);
                self.askers.insert(origin.settings.id, Asker { name, kind, parameters, started: sequence });
            }
            Entry::Heard { strategy, heard, .. } => {
                let event = heard.iter().rev().find_map(|thing| match thing {
                    Heard::Quote(at, instrument, bid, ask, bid_size, ask_size) => {
                        let (at, instrument, bid, ask) = (*at, *instrument, *bid, *ask);
                        let (bid_size, ask_size) = (*bid_size, *ask_size);
                        Some(MarketEvent::Quote(Quote { at, instrument, bid, ask, bid_size, ask_size }))
                    }
                    Heard::Market(event) => Some(*event),
                    Heard::Notice(_) | Heard::Dropped(..) => None,
                });
                if let Some(event) = event {
                    self.heard.insert(*strategy, LastHeard { sequence, event });
                }
            }
            Entry::Intent { order, .. } => {
                self.orders.insert(order.client_order_id);
            }
            Entry::Denied { .. } | Entry::ReplaceDenied { .. } => self.denied.push(sequence),
            _ => {}
        }
    }

    fn is_about(&self, sequence: u64, entry: &Entry) -> bool {
        let id = match (self.subject, entry) {
            (Subject::Denied(asked), Entry::Denied { .. } | Entry::ReplaceDenied { .. }) => return asked == sequence,
            (Subject::Denied(_), _) => return false,
            (Subject::Order(id), _) => id,
        };
        id == match entry {
            Entry::Intent { order, .. } => order.client_order_id,
            Entry::CancelIntent { cancel, .. } => cancel.client_order_id,
            Entry::ReplaceIntent { replace, .. } | Entry::ReplaceDenied { replace, .. } => replace.client_order_id,
            Entry::Sent { client_order_id, .. } | Entry::OutcomeUnknown { client_order_id, .. } => *client_order_id,
            Entry::Report { report, .. } | Entry::Anomaly { report, .. } => report.client_order_id,
            _ => return false,
        }
    }

    /// Who asked, of what, why.
    fn begin(&mut self, entry: &Entry) {
        let owner = |id: &ClientOrderId| {
            let order = self.replay.desk().and_then(|desk| desk.book().order(id));
            order.map(|order| (order.intent.strategy, order.intent.instrument))
        };
        let (who, signal) = match entry {
            Entry::Intent { order, signal, .. } => (Some((order.strategy, order.instrument)), Some(signal.clone())),
            Entry::Denied { request, .. } => {
                (Some((request.strategy, request.instrument)), Some(request.signal.clone()))
            }
            Entry::ReplaceDenied { replace, .. } => (owner(&replace.client_order_id), None),
            _ => (None, None),
        };
        let Some((strategy, instrument)) = who else { return };
        let Some(instrument) = self.instrument(instrument) else { return };
        self.story = Some(Story {
            subject: self.subject,
            instrument,
            asker: self.askers.get(&strategy).cloned(),
            heard: self.heard.get(&strategy).cloned(),
            signal,
            moments: Vec::new(),
        });
    }

    fn instrument(&self, id: InstrumentId) -> Option<Instrument> {
        self.replay.desk().and_then(|desk| desk.universe().get(id)).cloned()
    }

    fn standing(&self) -> Option<Standing> {
        let (desk, story) = (self.replay.desk()?, self.story.as_ref()?);
        let book = desk.book();
        let order = match self.subject {
            Subject::Order(id) => book.order(&id),
            Subject::Denied(_) => None,
        };
        Some(Standing {
            status: order.map(|order| order.status),
            cumulative: order.map(|order| order.cumulative).unwrap_or_default(),
            average_price: order.and_then(oms::Order::average_price),
            position: book.position(desk.universe().find(&story.instrument.symbol)?).quantity,
            cash: book.cash().total(),
        })
    }
}

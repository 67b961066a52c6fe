//! A strategy of the recorded run, made again and told what it had heard.

use std::collections::VecDeque;
use std::sync::Arc;

use market::order::OrderRequest;
use market::{InstrumentId, MarketEvent, Quantity, Quote, Side, Universe};
use strategies::Parameters;

use super::ReplayError;
use crate::entry::{Heard, StrategyOrigin};
use crate::host::{Ask, NoticeKind, StrategyHost};

/// One strategy as a replay knows it.
pub(super) struct Hosted {
    /// None once something that it had heard was lost, until it starts anew.
    host: Option<StrategyHost>,
    /// Things heard so far.
    pub(super) heard: u64,
    /// Requests without a decision in the journal: one that does not answer denies without an entry.
    /// With the entry that told of what they were made on.
    unanswered: VecDeque<(u64, OrderRequest)>,
}

/// What came of what a strategy heard.
#[derive(Default)]
pub(super) struct Listened {
    /// What it asked for.
    pub(super) asks: VecDeque<Ask>,
    /// What came out otherwise than the journal says.
    pub(super) problems: Vec<&'static str>,
    /// Requests that were denied and have no entry, with the entry that told of what they were made on.
    pub(super) denied_without_entry: Vec<(u64, OrderRequest)>,
}

impl Hosted {
    /// As the journal says that it began.
    pub(super) fn new(sequence: u64, origin: &StrategyOrigin, universe: &Arc<Universe>) -> Result<Self, ReplayError> {
        let unknown = || ReplayError::UnknownStrategy { sequence, kind: origin.kind.clone() };
        let entry = strategies::find(&origin.kind).ok_or_else(unknown)?;
        let fails = |source| ReplayError::Strategy { sequence, source };
        let parameters = Parameters::check(entry.parameters, origin.parameters.clone()).map_err(fails)?;
        let strategy = (entry.build)(&parameters, &origin.settings.instruments).map_err(fails)?;
        let mut host = StrategyHost::new(strategy, origin.settings.clone(), Arc::clone(universe));
        origin.bars.iter().for_each(|bar| host.warm(bar));
        Ok(Self { host: Some(host), heard: 0, unanswered: VecDeque::new() })
    }

    /// One whose beginning the journal never got.
    pub(super) fn unknown() -> Self {
        Self { host: None, heard: 0, unanswered: VecDeque::new() }
    }

    /// Whether what it would ask for can be derived.
    pub(super) fn is_known(&self) -> bool {
        self.host.is_some()
    }

    /// Something that it had heard is lost: nobody knows what it would ask for from here on.
    pub(super) fn lose(&mut self) {
        self.host = None;
        self.unanswered.clear();
    }

    pub(super) fn without_answer(&mut self, sequence: u64, request: OrderRequest) {
        self.unanswered.push_back((sequence, request));
    }

    /// Requests that nobody has answered.
    pub(super) fn take_unanswered(&mut self) -> VecDeque<(u64, OrderRequest)> {
        std::mem::take(&mut self.unanswered)
    }

    /// Hears what the journal says that it heard.
    pub(super) fn listen(&mut self, heard: &[Heard]) -> Listened {
        let mut listened = Listened::default();
        let mut asks = Vec::new();
        for thing in heard {
            let Some(host) = &mut self.host else { return listened };
            let mut market = |event: &MarketEvent, asks: &mut Vec<Ask>| {
                // What one event makes it want is told at once, so only the last may have brought forth asks.
                if !asks.is_empty() {
                    listened.problems.push("made before the last thing heard");
                }
                host.on_market(event, asks);
            };
            match thing {
                Heard::Quote(at, instrument, bid, ask, bid_size, ask_size) => {
                    let (at, instrument, bid, ask) = (*at, *instrument, *bid, *ask);
                    let quote = Quote { at, instrument, bid, ask, bid_size: *bid_size, ask_size: *ask_size };
                    market(&MarketEvent::Quote(quote), &mut asks);
                }
                Heard::Market(event) => market(event, &mut asks),
                Heard::Notice(notice) => {
                    host.on_notice(notice);
                    if let NoticeKind::Denied { side, quantity } = &notice.kind {
                        let told =
                            |(_, request): &(u64, OrderRequest)| is_for(request, notice.instrument, *side, *quantity);
                        if let Some(place) = self.unanswered.iter().position(told) {
                            listened.denied_without_entry.extend(self.unanswered.remove(place));
                        }
                    }
                }
                Heard::Dropped(instrument, side, quantity) => {
                    let dropped = |ask: &Ask| match ask {
                        Ask::Submit(request) => is_for(request, *instrument, *side, *quantity),
                        Ask::Cancel(_) | Ask::Replace { .. } => false,
                    };
                    match asks.iter().position(dropped) {
                        Some(place) => drop(asks.remove(place)),
                        None => listened.problems.push("dropped before an overloaded account"),
                    }
                }
            }
        }
        listened.asks = asks.into();
        listened
    }
}

fn is_for(request: &OrderRequest, instrument: InstrumentId, side: Side, quantity: Quantity) -> bool {
    (request.instrument, request.side, request.quantity) == (instrument, side, quantity)
}

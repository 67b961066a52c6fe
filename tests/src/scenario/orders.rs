//! What the one strategy asks for, and what becomes of it.

use desk::{Ask, Entry, Input};
use market::order::{OrderRequest, Signal};
use market::{InstrumentId, OrderType, TimeInForce};
use risk::checks::code;

use super::Outcome;
use super::stage::{STRATEGY, Stage};
use super::words::{Words, changed, side};

impl Stage {
    pub(super) fn order(&mut self, words: &mut Words<'_>) -> Result<Outcome, String> {
        let name = words.next("a name for the order")?.to_owned();
        let side = side(words)?;
        let quantity = words.read("a quantity")?;
        let instrument = self.instrument(words.next("a symbol")?)?;
        let request = OrderRequest {
            strategy: STRATEGY,
            instrument,
            side,
            quantity,
            order_type: order_type(words)?,
            time_in_force: time_in_force(words)?,
            decided_at: self.now,
            parent: None,
            signal: Signal::new("scenario", &[]),
        };
        if self.names.contains_key(&name) || self.vanished.contains(&name) {
            return Err(format!("there is an order '{name}' already"));
        }
        self.naming = Some(name);
        let outcome = self.ask(Ask::Submit(request), instrument, "intent");
        self.naming = None;
        outcome
    }

    pub(super) fn cancel(&mut self, words: &mut Words<'_>) -> Result<Outcome, String> {
        let id = self.id(words)?;
        let instrument = self.instrument_of(id)?;
        self.ask(Ask::Cancel(id), instrument, "cancel_intent")
    }

    pub(super) fn replace(&mut self, words: &mut Words<'_>) -> Result<Outcome, String> {
        let client_order_id = self.id(words)?;
        let (quantity, limit_price) = changed(words)?;
        let instrument = self.instrument_of(client_order_id)?;
        self.ask(Ask::Replace { client_order_id, quantity, limit_price }, instrument, "replace_intent")
    }

    /// What became of it shows in the journal: an intent, or a denial. A cancel of an order that has
    /// ended is let go without a word, and a denial that the journal is the reason of is not written.
    fn ask(&mut self, ask: Ask, instrument: InstrumentId, intent: &str) -> Result<Outcome, String> {
        let denials = self.protocol.desk().denials().get(code::JOURNAL).copied();
        let top = self.tops[instrument.index()];
        self.tell(Input::Ask { strategy: STRATEGY, ask, top })?;
        self.settle()?;
        if self.written(intent)?.is_some() {
            return Ok(Outcome::Submitted);
        }
        let denied = match self.written("denied")? {
            Some(denied) => Some(denied),
            None => self.written("replace_denied")?,
        };
        Ok(match denied {
            Some(
                Entry::Denied { check, because, asked, limit, .. }
                | Entry::ReplaceDenied { check, because, asked, limit, .. },
            ) => Outcome::Denied(check.clone(), format!("{check}: {because} (asked={asked} limit={limit})")),
            _ if self.protocol.desk().denials().get(code::JOURNAL).copied() != denials => {
                Outcome::Denied(code::JOURNAL.to_owned(), "the journal does not answer".to_owned())
            }
            _ => Outcome::Denied(code::NOT_OPEN.to_owned(), "there is no such open order".to_owned()),
        })
    }
}

fn order_type(words: &mut Words<'_>) -> Result<OrderType, String> {
    match words.next("an order type")? {
        "market" => Ok(OrderType::Market),
        "limit" => Ok(OrderType::Limit { limit_price: words.read("a price")? }),
        "auction" => {
            let limit_price = if words.skip_if("limit") { Some(words.read("a price")?) } else { None };
            Ok(OrderType::AtAuction { limit_price })
        }
        "stop" => {
            let stop_price = words.read("a price")?;
            words.skip("limit")?;
            Ok(OrderType::StopLimit { stop_price, limit_price: words.read("a price")? })
        }
        other => Err(format!("'{other}' is not an order type: market, limit, stop or auction")),
    }
}

fn time_in_force(words: &mut Words<'_>) -> Result<TimeInForce, String> {
    match words.next("a time in force")? {
        "day" => Ok(TimeInForce::Day),
        "immediate_or_cancel" => Ok(TimeInForce::ImmediateOrCancel),
        "fill_or_kill" => Ok(TimeInForce::FillOrKill),
        "good_till_cancel" => Ok(TimeInForce::GoodTillCancel),
        "good_till" => Ok(TimeInForce::GoodTillDate(words.read("a date")?)),
        "at_the_close" => Ok(TimeInForce::AtTheClose),
        other => Err(format!("'{other}' is not a time in force")),
    }
}

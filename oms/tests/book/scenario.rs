//! Scenarios as short texts: what is done to a book, line by line, and what it must look like.
//!
//! ```text
//! cash      10000.00              the money at the start; `brokerage` and `fees free` may follow
//! session   2025-06-12            a session begins; it is eleven o'clock
//! order     1 buy 300 PETR4 limit 10.00
//! report    1 fill 100 @ 9.99 as X1   -> working
//! expect    1 filled 100 left 200
//! expect    PETR4 position 100 buys 200
//! expect    account cash 9000.77 reserved 2000.46
//! ```
//!
//! What follows `->` is the outcome: the status after, with `late` for a late fill, or the reason
//! of a refusal; of a bust or a correction also what was taken back. Every refusal must leave the book as it was, and every line must leave it sound.

use std::sync::Arc;

use market::fees::Brokerage;
use market::order::{CancelOrder, ReplaceOrder};
use market::{
    Calendar, ClientOrderId, Date, ExecutionId, ExecutionReport, FeeSchedule, InstrumentId, Money, NewOrder, OrderType,
    Price, Quantity, Rate, ReportKind, Side, StrategyId, TimeInForce, Timestamp,
};
use oms::{Anomaly, Applied, Book, BookSettings};

pub(crate) const SYMBOLS: [&str; 3] = ["PETR4", "VALE3", "ITUB4"];

/// Plays a scenario.
pub(crate) fn play(text: &str) {
    Stage::played(text);
}

impl Stage {
    pub(crate) fn played(text: &str) -> Self {
        let mut stage = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                stage.line(line, &format!("line {number}: {line}"));
            }
        }
        stage
    }
}

/// A book with the B3 calendar.
pub(crate) fn book(cash: &str, fees: Arc<FeeSchedule>, brokerage: Brokerage) -> Book {
    Book::new(BookSettings {
        cash: cash.parse().expect("money"),
        calendar: Calendar::b3(),
        fees,
        brokerage,
        instruments: SYMBOLS.len(),
    })
}

/// The order of that number.
pub(crate) fn id(number: u32) -> ClientOrderId {
    let day = Date::from_ymd_opt(2025, 6, 12).expect("a date");
    ClientOrderId::new("TEST", day, number).expect("an identifier")
}

/// Where a scenario is played.
pub(crate) struct Stage {
    cash: String,
    brokerage: Brokerage,
    fees: Arc<FeeSchedule>,
    book: Option<Book>,
    pub(crate) now: Timestamp,
}

impl Default for Stage {
    fn default() -> Self {
        Self {
            cash: "10000.00".to_owned(),
            brokerage: Brokerage::FREE,
            fees: FeeSchedule::b3(),
            book: None,
            now: eleven("2025-06-12"),
        }
    }
}

pub(crate) fn eleven(date: &str) -> Timestamp {
    let date: Date = date.parse().expect("a date");
    date.and_hms_opt(11, 0, 0).and_then(Timestamp::from_local).expect("a time")
}

pub(crate) fn instrument(symbol: &str) -> InstrumentId {
    let place = SYMBOLS.iter().position(|known| *known == symbol);
    InstrumentId::new(place.unwrap_or_else(|| panic!("no symbol {symbol}")) as u32)
}

pub(crate) fn number<T: std::str::FromStr>(word: &str) -> T {
    word.parse().unwrap_or_else(|_| panic!("not a number: {word}"))
}

impl Stage {
    pub(crate) fn book(&mut self) -> &mut Book {
        self.book.get_or_insert_with(|| book(&self.cash, Arc::clone(&self.fees), self.brokerage))
    }

    fn line(&mut self, line: &str, place: &str) {
        let (action, outcome) = match line.split_once("->") {
            Some((action, outcome)) => (action.trim(), Some(outcome.trim())),
            None => (line, None),
        };
        let words: Vec<&str> = action.split_whitespace().collect();
        self.now = self.now.plus_nanos(1_000_000_000);
        let told = match *words.as_slice() {
            ["cash", amount] => return amount.clone_into(&mut self.cash),
            ["fees", "free"] => return self.fees = FeeSchedule::free(),
            ["brokerage", per_order, "iss", iss] => {
                return self.brokerage = Brokerage { per_order: number(per_order), iss: number::<Rate>(iss) };
            }
            ["at", date] => return self.now = eleven(date),
            ["expect", ref rest @ ..] => return self.expect(rest, place),
            ["session", date] => {
                self.now = eleven(date);
                self.book().start_session(date.parse().expect("a date"));
                String::new()
            }
            ["close"] => format!("refund {}", self.book().end_session()),
            ["mark", symbol, price] => {
                self.book().mark(instrument(symbol), number(price));
                String::new()
            }
            ["order", which, side, quantity, symbol, ref terms @ ..] => {
                self.order(number(which), side, number(quantity), symbol, terms);
                "pending_new".to_owned()
            }
            _ => {
                let before = format!("{:?}", self.book());
                match self.change(&words) {
                    Ok(told) => told,
                    Err(anomaly) => {
                        assert_eq!(format!("{:?}", self.book()), before, "a refusal changes nothing; {place}");
                        format!("refused: {anomaly}")
                    }
                }
            }
        };
        let expected = outcome.unwrap_or(if told.starts_with("refused") { "" } else { &told });
        assert_eq!(told, expected, "{place}");
        self.book().verify().unwrap_or_else(|difference| panic!("{place}: {difference}"));
    }

    fn order(&mut self, which: u32, side: &str, quantity: i64, symbol: &str, terms: &[&str]) {
        let side = if side == "buy" { Side::Buy } else { Side::Sell };
        let (order_type, worst) = match *terms {
            ["limit", price] => (OrderType::Limit { limit_price: number(price) }, number(price)),
            ["market", "worst", price] => (OrderType::Market, number(price)),
            _ => panic!("no such terms: {terms:?}"),
        };
        let order = NewOrder {
            client_order_id: id(which),
            strategy: StrategyId(0),
            instrument: instrument(symbol),
            side,
            quantity: Quantity::new(quantity),
            order_type,
            time_in_force: TimeInForce::Day,
            decided_at: self.now,
            parent: None,
        };
        self.book().enter(order, worst);
    }

    fn change(&mut self, words: &[&str]) -> Result<String, Anomaly> {
        let now = self.now;
        let client_order_id = id(number(words[1]));
        let of = self.book().order(&client_order_id).map(|order| order.intent.instrument);
        let instrument = match words {
            [.., "of", symbol] => instrument(symbol),
            _ => of.unwrap_or(InstrumentId::new(0)),
        };
        match *words {
            ["cancel", ..] => {
                self.book().request_cancel(&CancelOrder { client_order_id, instrument, decided_at: now })?;
            }
            ["replace", _, quantity, ref price @ ..] => {
                let limit_price: Option<Price> = price.last().map(|price| number(price));
                let replace = ReplaceOrder {
                    client_order_id,
                    instrument,
                    quantity: Quantity::new(number(quantity)),
                    limit_price: limit_price.filter(|_| price.first() == Some(&"@")),
                    decided_at: now,
                };
                self.book().request_replace(&replace, limit_price.unwrap_or_default())?;
            }
            ["lost", _] => self.book().outcome_unknown(client_order_id)?,
            ["report", _, ref what @ ..] => {
                let report = ExecutionReport { at: now, client_order_id, instrument, kind: kind(what) };
                return self.book().apply(&report).map(|applied| outcome(&applied));
            }
            _ => panic!("no such line: {words:?}"),
        }
        Ok(self.book().order(&client_order_id).map(|order| order.status.name().to_owned()).unwrap_or_default())
    }

    fn expect(&mut self, words: &[&str], place: &str) {
        let (subject, rest) = words.split_first().expect("a subject");
        for pair in rest.chunks(2) {
            let [what, expected] = pair else { panic!("pairs of name and value; {place}") };
            let found = self.figure(subject, what);
            assert_eq!(found, *expected, "{subject} {what}; {place}");
        }
    }

    fn figure(&mut self, subject: &str, what: &str) -> String {
        let book = self.book();
        if subject == "account" {
            return match what {
                "cash" => book.cash().total().to_string(),
                "settled" => book.cash().settled().to_string(),
                "reserved" => book.reserved().to_string(),
                "power" => book.buying_power().to_string(),
                "fees" => book.fees().to_string(),
                "realized" => book.realized().to_string(),
                "equity" => book.equity().to_string(),
                "exposure" => book.gross_exposure().to_string(),
                "open" => book.open_orders().len().to_string(),
                date => book.cash().projected(date.parse().expect("a figure or a date")).to_string(),
            };
        }
        if let Ok(number) = subject.parse() {
            let Some(order) = book.order(&id(number)) else { return "gone".to_owned() };
            return match what {
                "status" => order.fix_status().to_owned(),
                "quantity" => order.quantity.to_string(),
                "filled" => order.cumulative.to_string(),
                "left" => order.leaves().to_string(),
                "worst" => order.worst_leaves().to_string(),
                "price" => order.worst_price.to_string(),
                "average" => order.average_price().unwrap_or_default().to_string(),
                _ => panic!("no figure {what} of an order"),
            };
        }
        let of = instrument(subject);
        let position = book.position(of);
        match what {
            "position" => position.quantity.to_string(),
            "average" => position.average_price().unwrap_or_default().to_string(),
            "realized" => position.realized.to_string(),
            "fees" => position.fees.to_string(),
            "buys" => book.open_buys(of).to_string(),
            "sells" => book.open_sells(of).to_string(),
            "frozen" => book.is_frozen(of).to_string(),
            "mark" => book.mark_of(of).to_string(),
            "working" => book.holding(StrategyId(0), of).working.to_string(),
            _ => panic!("no figure {what} of an instrument"),
        }
    }
}

fn kind(what: &[&str]) -> ReportKind {
    let reason = String::new();
    match *what {
        ["new", ..] => ReportKind::New,
        ["fill", quantity, "@", price, "as", execution, ..] => ReportKind::Fill {
            execution_id: ExecutionId::new(execution),
            price: number(price),
            quantity: Quantity::new(number(quantity)),
        },
        ["bust", reference, "as", execution] => {
            ReportKind::Bust { execution_id: ExecutionId::new(execution), reference: ExecutionId::new(reference) }
        }
        ["corrected", reference, quantity, "@", price, "as", execution] => ReportKind::Corrected {
            execution_id: ExecutionId::new(execution),
            reference: ExecutionId::new(reference),
            price: number(price),
            quantity: Quantity::new(number(quantity)),
        },
        ["replaced", quantity, ref price @ ..] => ReportKind::Replaced {
            quantity: Quantity::new(number(quantity)),
            limit_price: price.last().map(|price| number(price)),
        },
        ["canceled"] => ReportKind::Canceled { reason },
        ["rejected"] => ReportKind::Rejected { reason },
        ["expired"] => ReportKind::Expired,
        ["cancel_rejected"] => ReportKind::CancelRejected { reason },
        ["replace_rejected"] => ReportKind::ReplaceRejected { reason },
        _ => panic!("no such report: {what:?}"),
    }
}

fn outcome(applied: &Applied) -> String {
    let mut told = applied.status.name().to_owned();
    if applied.fill.as_ref().is_some_and(|fill| fill.late) {
        told += " late";
    }
    if let Some(revoked) = &applied.revoked {
        let undone = if revoked.undone.is_some() { "undone" } else { "nothing to undo" };
        told += &format!(", {} taken back by {}: {undone}", revoked.execution_id, revoked.by);
    }
    told
}

/// Money from its text, for what is checked outside a scenario.
pub(crate) fn money(text: &str) -> Money {
    text.parse().expect("money")
}

//! The bridge's messages and how they travel: one JSON object a line.
//!
//! The table of messages and the duties of both sides stand in the header of [`super`]. Here are
//! their types, which the other side may use as well, and the splitter of bytes into lines. What the
//! messages mean to an account is [`super::translation`]'s business.

use market::{
    ClientOrderId, ExecutionId, OrderType, Price, Quantity, ReportKind, Side, StatedStatus, Symbol, TimeInForce,
    Timestamp,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version of the protocol that this release speaks.
pub const PROTOCOL: u32 = 1;
/// A line longer than this ends the connection: room for the statement of a day with 50,000 orders
/// and as many executions, and the most memory that a connection can make us use for a line.
pub const LONGEST_LINE: usize = 16 << 20;
/// Names that the venue gives (executions, orders by hand) and texts of one word: FIX brokers stay
/// well below it.
pub const LONGEST_NAME: usize = 64;

/// What a venue trades with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Nothing that happens there moves money.
    Simulated,
    /// Real money.
    Live,
}

/// What we say.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "message")]
pub enum ClientMessage {
    /// The first line of a connection.
    Logon {
        /// [`PROTOCOL`].
        protocol: u32,
        /// The account's tag.
        account: String,
        /// How often each side says something at least.
        heartbeat_milliseconds: u64,
        /// What the session is for.
        #[serde(default, skip_serializing_if = "Role::is_trading")]
        role: Role,
        /// Whose session it is, where the account has more than one login.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        login: Option<String>,
        /// Asks that day orders be cancelled when the session is gone for longer than this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cancel_on_disconnect_seconds: Option<u64>,
    },
    /// Place an order.
    Submit(SubmitOrder),
    /// Cancel what is left of an order.
    Cancel {
        /// Which.
        client_order_id: ClientOrderId,
    },
    /// Change an order in place.
    Replace {
        /// Which.
        client_order_id: ClientOrderId,
        /// New total quantity, filled part included.
        quantity: Quantity,
        /// New limit price, where the type has one.
        limit_price: Option<Price>,
    },
    /// Say how the account stands.
    Statement {
        /// Comes back with the answer.
        request: u64,
    },
    /// Cancel every open order of the account, whoever placed it.
    MassCancel {
        /// Comes back with the answer.
        request: u64,
    },
    /// Nothing to say, and still here.
    Heartbeat,
}

/// What a session is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Orders, reports, statements; one at a time an account.
    #[default]
    Trading,
    /// Cancels everything when whoever trades is gone, and may do nothing else; one at a time a login.
    Watchdog,
}

impl Role {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
    fn is_trading(&self) -> bool {
        *self == Self::Trading
    }
}

/// An order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SubmitOrder {
    /// Our name of it, unique for ever.
    pub client_order_id: ClientOrderId,
    /// Of what.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Units, positive.
    pub quantity: Quantity,
    /// How the price is set.
    pub order_type: OrderType,
    /// How long it stays.
    pub time_in_force: TimeInForce,
    /// The moment of the decision.
    pub decided_at: Timestamp,
}

/// What the venue says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "message")]
pub enum VenueMessage {
    /// The logon is accepted; the account's former connection is ended.
    LoggedOn {
        /// What it trades with.
        environment: Environment,
        /// Its name, for people.
        venue: String,
        /// Day orders of this session are cancelled once it is gone for longer than this; absent: they stay.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cancel_on_disconnect_seconds: Option<u64>,
    },
    /// Something happened to an order of ours.
    Report(OrderReport),
    /// An order that was placed elsewhere traded.
    External {
        /// The execution.
        execution: WireExecution,
    },
    /// How the account stands.
    Statement(WireStatement),
    /// A mass cancel is done, as far as it could be.
    MassCanceled {
        /// The request that it answers.
        request: u64,
        /// Orders that it cancelled.
        canceled: u64,
        /// Orders of the account that are still open.
        open: u64,
    },
    /// Nothing to say, and still here.
    Heartbeat,
    /// The venue will not go on with this connection, and closes it.
    Refused {
        /// Why, for people.
        reason: String,
    },
}

/// An execution report: [`market::ExecutionReport`] with the symbol in place of our number.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OrderReport {
    /// When it happened.
    pub at: Timestamp,
    /// Of which order.
    pub client_order_id: ClientOrderId,
    /// Of what.
    pub symbol: Symbol,
    /// What happened.
    #[serde(flatten)]
    pub kind: ReportKind,
}

/// An order as the venue states it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WireOrder {
    /// The client order id; of an order that has none, the venue's name of it.
    pub order: String,
    /// Of what.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Total quantity after replaces.
    pub quantity: Quantity,
    /// Limit price after replaces, where the type has one.
    pub limit_price: Option<Price>,
    /// Units traded.
    pub cumulative: Quantity,
    /// Where it stands.
    pub status: StatedStatus,
}

/// An execution as the venue states it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WireExecution {
    /// The venue's name of it, never used again.
    pub execution_id: ExecutionId,
    /// As in [`WireOrder`].
    pub order: String,
    /// Of what.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Price per unit.
    pub price: Price,
    /// Units.
    pub quantity: Quantity,
    /// When.
    pub at: Timestamp,
}

/// Units held of a symbol, signed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WirePosition {
    /// Of what.
    pub symbol: Symbol,
    /// Units.
    pub quantity: Quantity,
}

/// An account as the venue states it: [`market::Statement`] with symbols.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WireStatement {
    /// The request that it answers.
    pub request: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Orders that ended and executions are complete from here on.
    pub since: Timestamp,
    /// Every open order, and those that ended since.
    pub orders: Vec<WireOrder>,
    /// Executions since that stand, in the order in which they happened.
    pub executions: Vec<WireExecution>,
    /// Executions since that were taken back or replaced by a corrected one.
    pub revoked: Vec<ExecutionId>,
    /// Units held by symbol; one that is not listed is not held.
    pub positions: Vec<WirePosition>,
}

/// A message as a line, its end included.
///
/// # Errors
/// The message cannot be written as JSON. None of ours is such.
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// A line, without its end, as a message. Fields that this release does not know are passed over.
///
/// # Errors
/// It is no such message.
pub fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(line)
}

/// A line that does not end within the bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a line is longer than {0} bytes")]
pub struct LineTooLong(pub usize);

/// Puts lines together from bytes as they come: one at a time, many at once, or in between.
#[derive(Clone, Debug)]
pub struct Lines {
    buffer: Vec<u8>,
    /// Where the first line that was not taken begins.
    start: usize,
    /// Up to where no line end was found.
    searched: usize,
    longest: usize,
}

impl Lines {
    /// Nothing yet; lines may have this many bytes, their end not counted.
    pub fn new(longest: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, searched: 0, longest }
    }

    /// Adds what came. Take every line out before adding more: that bounds the memory.
    pub fn add(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole line without its end, if there is one.
    ///
    /// # Errors
    /// It is too long. What follows cannot be told apart from it: the connection must end.
    pub fn take(&mut self) -> Result<Option<&[u8]>, LineTooLong> {
        let rest = self.buffer.get(self.searched..).unwrap_or_default();
        let found = rest.iter().position(|byte| *byte == b'\n').map(|place| self.searched + place);
        let (begin, end) = (self.start, found.unwrap_or(self.buffer.len()));
        if end - begin > self.longest {
            return Err(LineTooLong(self.longest));
        }
        self.searched = end;
        if found.is_none() {
            return Ok(None);
        }
        self.start = end + 1;
        self.searched = self.start;
        Ok(self.buffer.get(begin..end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every message as the protocol shows it: what the other side is written from.
    const CLIENT: [&str; 12] = [
        r#"{"message":"logon","protocol":1,"account":"PAPR","heartbeat_milliseconds":1000}"#,
        r#"{"message":"logon","protocol":1,"account":"PAPR","heartbeat_milliseconds":1000,"cancel_on_disconnect_seconds":30}"#,
        r#"{"message":"logon","protocol":1,"account":"PAPR","heartbeat_milliseconds":1000,"role":"watchdog","login":"guard"}"#,
        r#"{"message":"mass_cancel","request":3}"#,
        r#"{"message":"submit","client_order_id":"PAPR-20261126-000001","symbol":"PETR4","side":"buy","quantity":100,"order_type":{"type":"limit","limit_price":"38.10"},"time_in_force":"day","decided_at":"2026-11-26T17:00:00Z"}"#,
        r#"{"message":"submit","client_order_id":"PAPR-20261126-000002","symbol":"PETR4","side":"sell","quantity":100,"order_type":{"type":"market"},"time_in_force":"immediate_or_cancel","decided_at":"2026-11-26T17:00:00.000000001Z"}"#,
        r#"{"message":"submit","client_order_id":"PAPR-20261126-000003","symbol":"PETR4","side":"buy","quantity":100,"order_type":{"type":"stop_limit","stop_price":"38.00","limit_price":"38.10"},"time_in_force":{"good_till_date":"2026-11-30"},"decided_at":"2026-11-26T17:00:00Z"}"#,
        r#"{"message":"submit","client_order_id":"PAPR-20261126-000004","symbol":"PETR4","side":"buy","quantity":100,"order_type":{"type":"at_auction","limit_price":null},"time_in_force":"at_the_close","decided_at":"2026-11-26T17:00:00Z"}"#,
        r#"{"message":"cancel","client_order_id":"PAPR-20261126-000001"}"#,
        r#"{"message":"replace","client_order_id":"PAPR-20261126-000001","quantity":200,"limit_price":"38.11"}"#,
        r#"{"message":"statement","request":7}"#,
        r#"{"message":"heartbeat"}"#,
    ];

    const VENUE: [&str; 18] = [
        r#"{"message":"logged_on","environment":"simulated","venue":"test"}"#,
        r#"{"message":"report","at":"2026-11-26T17:00:00Z","client_order_id":"PAPR-20261126-000001","symbol":"PETR4","kind":"new"}"#,
        r#"{"message":"report","at":"2026-11-26T17:00:00Z","client_order_id":"PAPR-20261126-000001","symbol":"PETR4","kind":"fill","execution_id":"X1","price":"38.10","quantity":100}"#,
        r#"{"message":"report","at":"2026-11-26T17:00:00Z","client_order_id":"PAPR-20261126-000001","symbol":"PETR4","kind":"bust","execution_id":"X2","reference":"X1"}"#,
        r#"{"message":"report","at":"2026-11-26T17:00:00Z","client_order_id":"PAPR-20261126-000001","symbol":"PETR4","kind":"corrected","execution_id":"X3","reference":"X1","price":"38.09","quantity":100}"#,
        r#"{"message":"report","at":"2026-11-26T17:00:00Z","client_order_id":"PAPR-20261126-000001","symbol":"PETR4","kind":"canceled","reason":""}"#,
        r#"{"message":"report","at":"2026-11-26T17:00:00Z","client_order_id":"PAPR-20261126-000001","symbol":"PETR4","kind":"replaced","quantity":200,"limit_price":"38.11"}"#,
        r#"{"message":"report","at":"2026-11-26T17:00:00Z","client_order_id":"PAPR-20261126-000001","symbol":"PETR4","kind":"rejected","reason":"no"}"#,
        r#"{"message":"report","at":"2026-11-26T17:00:00Z","client_order_id":"PAPR-20261126-000001","symbol":"PETR4","kind":"expired"}"#,
        r#"{"message":"report","at":"2026-11-26T17:00:00Z","client_order_id":"PAPR-20261126-000001","symbol":"PETR4","kind":"cancel_rejected","reason":"too late"}"#,
        r#"{"message":"report","at":"2026-11-26T17:00:00Z","client_order_id":"PAPR-20261126-000001","symbol":"PETR4","kind":"replace_rejected","reason":"too late"}"#,
        r#"{"message":"external","execution":{"execution_id":"X4","order":"HAND1","symbol":"PETR4","side":"sell","price":"38.12","quantity":100,"at":"2026-11-26T17:00:00Z"}}"#,
        r#"{"message":"statement","request":7,"at":"2026-11-26T17:00:00Z","since":"2026-11-26T03:00:00Z","orders":[{"order":"PAPR-20261126-000001","symbol":"PETR4","side":"buy","quantity":200,"limit_price":"38.11","cumulative":100,"status":"open"}],"executions":[{"execution_id":"X3","order":"PAPR-20261126-000001","symbol":"PETR4","side":"buy","price":"38.09","quantity":100,"at":"2026-11-26T17:00:00Z"}],"revoked":["X1"],"positions":[{"symbol":"PETR4","quantity":-100}]}"#,
        r#"{"message":"statement","request":8,"at":"2026-11-26T17:00:00Z","since":"2026-11-26T03:00:00Z","orders":[],"executions":[],"revoked":[],"positions":[]}"#,
        r#"{"message":"heartbeat"}"#,
        r#"{"message":"refused","reason":"unknown account"}"#,
        r#"{"message":"logged_on","environment":"simulated","venue":"test","cancel_on_disconnect_seconds":30}"#,
        r#"{"message":"mass_canceled","request":3,"canceled":12,"open":1}"#,
    ];

    fn again<T: Serialize + DeserializeOwned>(line: &str) {
        let message: T = decode(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(String::from_utf8(encode(&message).unwrap()).unwrap(), format!("{line}\n"));
    }

    #[test]
    fn every_message_is_written_as_it_is_read() {
        CLIENT.into_iter().for_each(again::<ClientMessage>);
        VENUE.into_iter().for_each(again::<VenueMessage>);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for line in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"message":"hello"}"#,
            r#"{"message":"report"}"#,
            r#"{"message":"statement","request":-1}"#,
            r#"{"message":"heartbeat"} {"message":"heartbeat"}"#,
            r#"{"message":"logged_on","environment":"perhaps","venue":"test"}"#,
            &VENUE[2].replace("38.10", "38,10"),
            &VENUE[2].replace("\"38.10\"", "38.10"),
            &VENUE[2].replace("100", "100.5"),
            &VENUE[2].replace("PAPR-", "PAPER-"),
            &VENUE[2].replace("PETR4", "PETR 4"),
            &VENUE[2].replace("\"quantity\"", "\"price\""),
            &"[".repeat(100_000),
        ] {
            assert!(decode::<VenueMessage>(line.as_bytes()).is_err(), "{}", &line[..line.len().min(80)]);
        }
        let more = VENUE[1].replace("\"kind\"", "\"desk\":{\"number\":7},\"kind\"");
        assert!(decode::<VenueMessage>(more.as_bytes()).is_ok(), "a field that we do not know yet");
    }

    #[test]
    fn a_line_that_does_not_end_is_an_error_at_its_bound() {
        let mut lines = Lines::new(4);
        lines.add(b"abcd\nab");
        assert_eq!(lines.take(), Ok(Some(&b"abcd"[..])));
        assert_eq!(lines.take(), Ok(None));
        lines.add(b"cd");
        assert_eq!(lines.take(), Ok(None));
        lines.add(b"e");
        assert_eq!(lines.take(), Err(LineTooLong(4)));
        let mut lines = Lines::new(4);
        lines.add(b"abcde\n");
        assert_eq!(lines.take(), Err(LineTooLong(4)));
    }

    proptest! {
        #[test]
        fn lines_are_the_same_however_the_bytes_come(
            text in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200),
            cuts in proptest::collection::vec(1_usize..9, 1..50),
        ) {
            let mut lines = Lines::new(LONGEST_LINE);
            let (mut found, mut rest) = (Vec::new(), text.as_slice());
            for cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                lines.add(now);
                while let Some(line) = lines.take().unwrap() {
                    found.push(line.to_vec());
                }
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            let mut expected: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            expected.pop();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn no_bytes_panic(line in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode::<VenueMessage>(&line);
            let _ = decode::<ClientMessage>(&line);
        }

        #[test]
        fn no_damage_to_a_message_panics(
            which in 0_usize..VENUE.len(),
            place in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut line = VENUE[which].as_bytes().to_vec();
            let place = place.index(line.len());
            line[place] = byte;
            let _ = decode::<VenueMessage>(&line);
        }
    }
}

//! One pushed price: a protobuf message of Yahoo's (`PricingData`), of which seven fields are read.
//!
//! Written by hand: the format is tags, varints and lengths, some sixty lines. `prost` would be four
//! crates and a derive for it, and would turn the 32-bit floats into numbers before their decimals are
//! known.
//!
//! A price is a 32-bit float. Its shortest decimal is taken, and rounded to as many decimals as the
//! message says that the instrument has (`priceHint`): 41.33 comes out as 41.33.

use market::{Price, Quantity, Timestamp};
use rust_decimal::Decimal;
use thiserror::Error;

/// What a message says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pricing {
    /// Yahoo's name of the instrument: `PETR4.SA`.
    pub id: String,
    /// Last price.
    pub price: Price,
    /// When.
    pub at: Timestamp,
    /// Units traded today.
    pub day_volume: Option<Quantity>,
    /// Best bid.
    pub bid: Option<Price>,
    /// Best ask.
    pub ask: Option<Price>,
}

/// Why bytes are no such message.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("byte {at}: {problem}")]
pub struct PricingError {
    /// Where.
    pub at: usize,
    /// What is wrong.
    pub problem: &'static str,
}

/// Decimals where the message does not name them.
const CENTAVOS: u32 = 2;

/// A field's value as it is on the wire.
enum Value<'a> {
    Varint(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
    Other,
}

/// Reads a message. Fields that are not known are passed over; of one that stands twice the last counts.
///
/// # Errors
/// It breaks off, or lacks name, price or time.
pub fn read(bytes: &[u8]) -> Result<Pricing, PricingError> {
    let mut reader = Reader { bytes, at: 0 };
    let (mut id, mut price, mut millis, mut volume) = (None, None, None, None);
    let (mut bid, mut ask, mut hint) = (None, None, None);
    while reader.at < bytes.len() {
        let at = reader.at;
        let wrong = |problem| PricingError { at, problem };
        match reader.field()? {
            (1, Value::Bytes(text)) => id = Some(std::str::from_utf8(text).map_err(|_| wrong("the name is no text"))?),
            (2, Value::Fixed32(bits)) => price = Some(bits),
            (3, Value::Varint(value)) => millis = Some(signed(value)),
            (9, Value::Varint(value)) => volume = Some(signed(value)),
            (23, Value::Fixed32(bits)) => bid = Some(bits),
            (25, Value::Fixed32(bits)) => ask = Some(bits),
            (27, Value::Varint(value)) => hint = Some(signed(value)),
            (1..=3 | 9 | 23 | 25 | 27, _) => return Err(wrong("the field has another type than it should")),
            _ => {}
        }
    }
    let end = |problem| PricingError { at: bytes.len(), problem };
    let decimals = match hint {
        None => CENTAVOS,
        Some(hint) => {
            u32::try_from(hint).ok().filter(|hint| *hint <= 8).ok_or(end("the number of decimals is not 0 to 8"))?
        }
    };
    let positive = |bits: u32| price_of(bits, decimals).filter(|price| *price > Price::ZERO);
    let millis = millis.ok_or(end("the time is missing"))?;
    let nanos = millis.checked_mul(1_000_000).filter(|nanos| *nanos > 0).ok_or(end("the time is none"))?;
    Ok(Pricing {
        id: id.ok_or(end("the name is missing"))?.to_owned(),
        price: price.and_then(positive).ok_or(end("a price above zero is missing"))?,
        at: Timestamp::from_nanos(nanos),
        day_volume: volume.filter(|units| *units >= 0).map(Quantity::new),
        // Without a bid or an ask it sends zero.
        bid: bid.and_then(positive),
        ask: ask.and_then(positive),
    })
}

/// A 32-bit float as a price of so many decimals.
fn price_of(bits: u32, decimals: u32) -> Option<Price> {
    let float = f32::from_bits(bits);
    if !float.is_finite() {
        return None;
    }
    // The shortest text that is this float again, never with an exponent.
    let exact = Decimal::from_str_exact(&float.to_string()).ok()?;
    exact.round_dp(decimals).normalize().to_string().parse().ok()
}

/// A signed number, written so that small ones are short whatever their sign.
fn signed(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn field(&mut self) -> Result<(u64, Value<'a>), PricingError> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => {
                self.take(8)?;
                Value::Other
            }
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).map_err(|_| self.wrong("a length is too large"))?;
                Value::Bytes(self.take(length)?)
            }
            5 => {
                let four = self.take(4)?.first_chunk().copied().unwrap_or_default();
                Value::Fixed32(u32::from_le_bytes(four))
            }
            _ => return Err(self.wrong("there is no such type of field")),
        };
        Ok((tag >> 3, value))
    }

    fn varint(&mut self) -> Result<u64, PricingError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first().unwrap_or(&0);
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.wrong("a number is too long"))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], PricingError> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| self.wrong("it breaks off"))?;
        let taken = self.bytes.get(self.at..end).unwrap_or_default();
        self.at = end;
        Ok(taken)
    }

    fn wrong(&self, problem: &'static str) -> PricingError {
        PricingError { at: self.at, problem }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn varint(mut value: u64, bytes: &mut Vec<u8>) {
        while value >= 0x80 {
            bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
    }

    /// A message in the making.
    #[derive(Default)]
    pub(in super::super) struct Message(pub(in super::super) Vec<u8>);

    impl Message {
        pub(in super::super) fn text(mut self, number: u64, text: &str) -> Self {
            varint(number << 3 | 2, &mut self.0);
            varint(text.len() as u64, &mut self.0);
            self.0.extend_from_slice(text.as_bytes());
            self
        }

        pub(in super::super) fn float(mut self, number: u64, value: f32) -> Self {
            varint(number << 3 | 5, &mut self.0);
            self.0.extend_from_slice(&value.to_le_bytes());
            self
        }

        pub(in super::super) fn signed(mut self, number: u64, value: i64) -> Self {
            varint(number << 3, &mut self.0);
            varint(((value << 1) ^ (value >> 63)).cast_unsigned(), &mut self.0);
            self
        }
    }

    fn petr4() -> Message {
        Message::default().text(1, "PETR4.SA").float(2, 41.33).signed(3, 1_795_784_701_000)
    }

    #[test]
    fn a_message_is_read_with_the_decimals_that_it_names() {
        let whole = petr4()
            .text(4, "BRL")
            .signed(9, 25_000_000)
            .float(10, 41.5)
            .float(23, 41.32)
            .signed(24, 100)
            .float(25, 0.0)
            .signed(27, 2)
            .signed(99, -5);
        let told = read(&whole.0).unwrap();
        assert_eq!(
            (told.id.as_str(), told.price.to_string(), told.at.to_string()),
            ("PETR4.SA", "41.33".to_owned(), "2026-11-27T13:05:01Z".to_owned())
        );
        assert_eq!(
            (told.day_volume, told.bid.map(|bid| bid.to_string()), told.ask),
            (Some(Quantity::new(25_000_000)), Some("41.32".to_owned()), None)
        );
        for (price, hint, expected) in [
            (41.33_f32, 2, "41.33"),
            (0.1 + 0.2, 2, "0.30"),
            (160_123.45, 2, "160123.45"),
            (0.012_345, 4, "0.0123"),
            (16_777_216.0, 0, "16777216.00"),
        ] {
            let message = Message::default().text(1, "X").float(2, price).signed(3, 1).signed(27, hint);
            assert_eq!(read(&message.0).unwrap().price.to_string(), expected, "{price}");
        }
    }

    #[test]
    fn what_is_no_message_is_refused_with_its_place() {
        let without_price = Message::default().text(1, "X").signed(3, 1);
        let tag_only = vec![0x0a];
        for (bytes, expected) in [
            (Vec::new(), "byte 0: the time is missing"),
            (without_price.0, "a price above zero is missing"),
            (Message::default().float(2, 1.0).signed(3, 1).0, "the name is missing"),
            (petr4().float(2, f32::NAN).0, "a price above zero is missing"),
            (petr4().float(2, f32::MAX).0, "a price above zero is missing"),
            (petr4().float(2, -1.0).0, "a price above zero is missing"),
            (petr4().signed(27, 9).0, "the number of decimals is not 0 to 8"),
            (petr4().signed(3, i64::MAX).0, "the time is none"),
            (petr4().signed(2, 1).0, "the field has another type"),
            (tag_only, "byte 1: it breaks off"),
            (vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], "it breaks off"),
            (vec![0xff; 11], "a number is too long"),
            (vec![0x0b], "there is no such type of field"),
            (vec![0x0a, 1, 0xff], "the name is no text"),
        ] {
            let error = read(&bytes).unwrap_err().to_string();
            assert!(error.contains(expected), "{bytes:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), cut in 0_usize..40) {
            let _ = read(&bytes);
            let whole = petr4().0;
            let mut mixed = whole[..cut.min(whole.len())].to_vec();
            mixed.extend_from_slice(&bytes);
            let _ = read(&mixed);
        }

        #[test]
        fn a_price_of_centavos_survives_its_float(cents in 1_i64..1_000_000) {
            // A float has 24 bits: 7 digits.
            let price = Price::from_cents(cents).unwrap();
            prop_assert_eq!(price_of((price.to_f64() as f32).to_bits(), 2), Some(price));
        }
    }
}

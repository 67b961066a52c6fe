//! What can be traded: symbols, ISINs, kinds, and the `Universe` of one run.
//!
//! Inside a run an instrument is a small dense number (`InstrumentId`), so the hot path indexes a
//! vector; its names stay in the `Universe`.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::data::OrderBounds;
use crate::decimal::{Price, Quantity};

/// B3 ticker (CODNEG): 1 to 12 printable ASCII characters without spaces, such as `PETR4`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol([u8; 12]);

/// ISO 6166 identification, 12 characters; survives ticker renames.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Isin([u8; 12]);

/// A text that is not a symbol or an ISIN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Wrong length or characters for a ticker.
    #[error("'{0}' is not a B3 symbol: expected 1 to 12 letters and digits such as PETR4")]
    Symbol(String),
    /// Wrong length or characters for an ISIN.
    #[error("'{0}' is not an ISIN: expected 12 letters and digits such as BRPETRACNPR6")]
    Isin(String),
}

fn padded(bytes: &[u8]) -> Option<[u8; 12]> {
    let fits = (1..=12).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    let mut out = [b' '; 12];
    out.get_mut(..bytes.len())?.copy_from_slice(bytes);
    fits.then_some(out)
}

fn shown(bytes: &[u8; 12]) -> &str {
    let length = bytes.iter().position(|byte| *byte == b' ').unwrap_or(12);
    // Only printable ASCII is ever stored, so this cannot fail.
    std::str::from_utf8(&bytes[..length]).unwrap_or_default()
}

impl Symbol {
    /// From raw bytes without padding; `None` unless 1 to 12 printable ASCII characters.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        padded(bytes).map(Self)
    }

    /// The ticker as text.
    pub fn as_str(&self) -> &str {
        shown(&self.0)
    }

    /// The fractional twin: `PETR4` → `PETR4F`. `None` when that would not fit.
    pub fn fractional(&self) -> Option<Self> {
        Self::from_bytes(format!("{}F", self.as_str()).as_bytes())
    }
}

impl Isin {
    /// From raw bytes; `None` unless exactly 12 letters and digits.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let valid = bytes.len() == 12 && bytes.iter().all(u8::is_ascii_alphanumeric);
        if valid { padded(bytes).map(Self) } else { None }
    }

    /// The ISIN as text.
    pub fn as_str(&self) -> &str {
        shown(&self.0)
    }

    /// Whether the check digit is right (ISO 6166: Luhn over letters expanded to two digits).
    /// A wrong one flags a row; genuine files have carried such, so it never refuses.
    pub fn has_valid_check_digit(&self) -> bool {
        let expanded = self.0.iter().flat_map(|byte| match byte {
            b'0'..=b'9' => vec![byte - b'0'],
            letter => {
                let value = letter.to_ascii_uppercase().saturating_sub(b'A') + 10;
                vec![value / 10, value % 10]
            }
        });
        let digits: Vec<u8> = expanded.collect();
        let sum: u32 = digits
            .iter()
            .rev()
            .enumerate()
            .map(|(place, digit)| {
                let doubled = u32::from(*digit) * if place % 2 == 1 { 2 } else { 1 };
                doubled / 10 + doubled % 10
            })
            .sum();
        sum.is_multiple_of(10)
    }
}

macro_rules! name_text {
    ($type:ident) => {
        impl FromStr for $type {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::from_bytes(text.as_bytes()).ok_or_else(|| NameError::$type(text.chars().take(40).collect()))
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name_text!(Symbol);
name_text!(Isin);

/// What an instrument is, told from market type (TPMERC), specification (ESPECI) and ISIN, never
/// from the BDI code alone: BDRs have changed their code over the years.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstrumentKind {
    /// Ordinary or preferred share (ON, PN, PNA …).
    Share,
    /// Unit: a bundle of shares (UNT).
    Unit,
    /// Depositary receipt of a foreign company or fund (DR1, DR2, DR3, DRN, DRE).
    DepositaryReceipt,
    /// Exchange-traded fund.
    ExchangeTradedFund,
    /// Real-estate fund (FII).
    RealEstateFund,
    /// Agribusiness fund (FIAGRO).
    AgribusinessFund,
    /// Any other listed fund or certificate.
    OtherFund,
    /// Subscription right.
    SubscriptionRight,
    /// Subscription receipt.
    SubscriptionReceipt,
    /// Warrant or subscription bonus (BNS).
    SubscriptionBonus,
    /// Forward contract (termo).
    Forward,
    /// Call option.
    CallOption,
    /// Put option.
    PutOption,
    /// Exercise of an option, recorded as a trade.
    OptionExercise,
    /// Stock future.
    Future,
    /// Auction outside the regular book.
    SpecialAuction,
    /// Listed in the cash market under a specification we do not know.
    Other,
}

impl InstrumentKind {
    /// Every kind, in the order of the enum.
    pub const ALL: [Self; 17] = [
        Self::Share,
        Self::Unit,
        Self::DepositaryReceipt,
        Self::ExchangeTradedFund,
        Self::RealEstateFund,
        Self::AgribusinessFund,
        Self::OtherFund,
        Self::SubscriptionRight,
        Self::SubscriptionReceipt,
        Self::SubscriptionBonus,
        Self::Forward,
        Self::CallOption,
        Self::PutOption,
        Self::OptionExercise,
        Self::Future,
        Self::SpecialAuction,
        Self::Other,
    ];

    /// Stable name in JSON, tables and the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Unit => "unit",
            Self::DepositaryReceipt => "depositary_receipt",
            Self::ExchangeTradedFund => "exchange_traded_fund",
            Self::RealEstateFund => "real_estate_fund",
            Self::AgribusinessFund => "agribusiness_fund",
            Self::OtherFund => "other_fund",
            Self::SubscriptionRight => "subscription_right",
            Self::SubscriptionReceipt => "subscription_receipt",
            Self::SubscriptionBonus => "subscription_bonus",
            Self::Forward => "forward",
            Self::CallOption => "call_option",
            Self::PutOption => "put_option",
            Self::OptionExercise => "option_exercise",
            Self::Future => "future",
            Self::SpecialAuction => "special_auction",
            Self::Other => "other",
        }
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Dense number of an instrument inside one `Universe`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstrumentId(u32);

impl InstrumentId {
    /// From its place in the universe.
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    /// Its place in the universe.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One tradable instrument.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Instrument {
    /// Ticker.
    pub symbol: Symbol,
    /// ISIN, where known.
    pub isin: Option<Isin>,
    /// What it is.
    pub kind: InstrumentKind,
    /// Order quantities are whole multiples of this.
    pub lot: Quantity,
    /// Limit prices are whole multiples of this.
    pub tick: Price,
    /// Largest quantity of one order where the market sets one: 99 on the fractional market.
    pub max_order_quantity: Option<Quantity>,
    /// The exchange's rejection tunnels at the start of the day; its stream may replace them
    /// ([`crate::data::BoundsChange`]).
    #[serde(default)]
    pub bounds: OrderBounds,
    /// Units that a quoted price is for (FATCOT), 1 or 1,000. Our prices are always per unit;
    /// this is kept to render files and to talk to brokers that quote per factor.
    pub quotation_factor: u32,
}

impl Instrument {
    /// A cash-market instrument with B3's usual lot of 100 and tick of R$ 0.01
    /// (`docs/b3-rules.md`); take the broker's security definition where one is at hand.
    pub fn cash(symbol: Symbol, kind: InstrumentKind) -> Self {
        let lot = match kind {
            InstrumentKind::Share | InstrumentKind::Unit => 100,
            _ => 1,
        };
        Self {
            symbol,
            isin: None,
            kind,
            lot: Quantity::new(lot),
            tick: Price::from_steps(crate::decimal::SCALE / 100),
            max_order_quantity: None,
            bounds: OrderBounds::default(),
            quotation_factor: 1,
        }
    }

    /// Its twin on the fractional market: an own book, lots of 1, at most one lot less one unit.
    /// `None` where the round lot is 1 already, or the symbol has no room for the `F`.
    pub fn fractional_twin(&self) -> Option<Self> {
        if self.lot.units() <= 1 {
            return None;
        }
        Some(Self {
            symbol: self.symbol.fractional()?,
            lot: Quantity::new(1),
            max_order_quantity: Some(self.lot - Quantity::new(1)),
            // Another book, with tunnels of its own.
            bounds: OrderBounds::default(),
            ..self.clone()
        })
    }
}

/// The instruments of one run, each with its dense number. Order of adding is order of numbers.
#[derive(Clone, Default, Debug)]
pub struct Universe {
    instruments: Vec<Instrument>,
    by_symbol: HashMap<Symbol, InstrumentId>,
}

impl Universe {
    /// No instruments yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an instrument, or gives the number it already has under that symbol.
    ///
    /// # Panics
    /// Past four billion instruments.
    pub fn add(&mut self, instrument: Instrument) -> InstrumentId {
        if let Some(known) = self.by_symbol.get(&instrument.symbol) {
            return *known;
        }
        let id = InstrumentId(u32::try_from(self.instruments.len()).expect("fewer than 2^32 instruments"));
        self.by_symbol.insert(instrument.symbol, id);
        self.instruments.push(instrument);
        id
    }

    /// The instrument with this number, if it is of this universe.
    #[inline]
    pub fn get(&self, id: InstrumentId) -> Option<&Instrument> {
        self.instruments.get(id.index())
    }

    /// The symbol for people; `?` for a number of another universe.
    pub fn symbol(&self, id: InstrumentId) -> &str {
        self.get(id).map_or("?", |instrument| instrument.symbol.as_str())
    }

    /// The number of a symbol.
    pub fn find(&self, symbol: &Symbol) -> Option<InstrumentId> {
        self.by_symbol.get(symbol).copied()
    }

    /// How many instruments there are.
    pub fn len(&self) -> usize {
        self.instruments.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.instruments.is_empty()
    }

    /// Every instrument with its number.
    pub fn iter(&self) -> impl Iterator<Item = (InstrumentId, &Instrument)> {
        (0..).map(InstrumentId).zip(&self.instruments)
    }

    /// Every number.
    pub fn ids(&self) -> impl Iterator<Item = InstrumentId> + use<> {
        (0..self.instruments.len() as u32).map(InstrumentId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_and_isins_are_checked_and_shown() {
        let petr4: Symbol = "PETR4".parse().unwrap();
        assert_eq!(petr4.to_string(), "PETR4");
        assert_eq!(format!("{petr4:<8}|"), "PETR4   |");
        assert_eq!(petr4.fractional().unwrap().as_str(), "PETR4F");
        for bad in ["", "PETR 4", "PETROBRAS-PN4", "AÇÃO3"] {
            assert!(bad.parse::<Symbol>().is_err(), "{bad}");
        }
        for (isin, good) in [("BRPETRACNPR6", true), ("BRPETRACNPR5", false), ("US0378331005", true)] {
            assert_eq!(isin.parse::<Isin>().unwrap().has_valid_check_digit(), good, "{isin}");
        }
        assert!("BRPETRACNPR".parse::<Isin>().is_err());
    }

    #[test]
    fn the_fractional_twin_has_its_own_rules() {
        let share = Instrument::cash("PETR4".parse().unwrap(), InstrumentKind::Share);
        let twin = share.fractional_twin().unwrap();
        assert_eq!(twin.symbol.as_str(), "PETR4F");
        assert_eq!((twin.lot, twin.max_order_quantity), (Quantity::new(1), Some(Quantity::new(99))));
        assert_eq!(twin.fractional_twin(), None);
        let fund = Instrument::cash("HGLG11".parse().unwrap(), InstrumentKind::RealEstateFund);
        assert_eq!(fund.fractional_twin(), None);
    }

    #[test]
    fn a_universe_numbers_each_symbol_once() {
        let mut universe = Universe::new();
        let share = |symbol: &str| Instrument::cash(symbol.parse().unwrap(), InstrumentKind::Share);
        let petr4 = universe.add(share("PETR4"));
        let vale3 = universe.add(share("VALE3"));
        assert_eq!(universe.add(share("PETR4")), petr4);
        assert_eq!(universe.find(&"VALE3".parse().unwrap()), Some(vale3));
        assert_eq!((universe.len(), universe.symbol(vale3)), (2, "VALE3"));
        assert_eq!(universe.symbol(InstrumentId::new(9)), "?");
    }

    #[test]
    fn kind_names_are_unique_and_read_back() {
        for kind in InstrumentKind::ALL {
            assert_eq!(InstrumentKind::from_name(kind.name()), Some(kind));
        }
    }
}

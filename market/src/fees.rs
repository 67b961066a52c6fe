//! What trading costs: the exchange's fees as dated data, and brokerage.
//!
//! The rates are in `market/data/b3_fees.toml` and can be replaced by another text
//! ([`FeeSchedule::from_toml`]).
//!
//! Amounts here are **not rounded to centavos**: a brokerage note sums a day's fees and rounds
//! once, so round the sum of a note ([`Money::round_to_cents`]), never the fee of a fill. A day
//! trade is the matched quantity of a purchase and a sale of one instrument on one day in one
//! account; only a day's end can tell, so charge `Normal` as fills come and correct the note.

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use crate::calendar::Evidence;
use crate::decimal::{Money, Rate};
use crate::time::Date;

/// Which of the exchange's two price lists applies to a trade.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Modality {
    /// The position is held past the end of the day.
    Normal,
    /// Bought and sold on the same day.
    DayTrade,
}

impl Modality {
    /// Both modalities.
    pub const ALL: [Self; 2] = [Self::Normal, Self::DayTrade];

    /// Stable name in tables and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::DayTrade => "day_trade",
        }
    }
}

/// Why a fee text was refused.
#[derive(Debug, thiserror::Error)]
pub enum FeeError {
    /// Not TOML, an unknown or missing key, or a value of the wrong kind. The cause quotes the line.
    #[error("the fee schedule cannot be read")]
    Syntax(#[source] toml::de::Error),
    /// A value that contradicts the rest.
    #[error("fees: {key} = {value}: {fix}")]
    Rule {
        /// Which key, with the modality and date of its entry.
        key: String,
        /// What was given.
        value: String,
        /// What is wrong and what would be right.
        fix: String,
    },
}

/// The exchange's fees by date, modality and volume.
#[derive(Clone, Debug)]
pub struct FeeSchedule {
    /// Ascending by date within each modality; each has at least one tier.
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    modality: Modality,
    #[serde(deserialize_with = "day")]
    from: Date,
    tiers: Vec<Tier>,
    source: Evidence,
    #[serde(rename = "note")]
    _note: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tier {
    /// The largest average daily volume of this tier, itself included; none for the last.
    up_to: Option<Money>,
    rate: Rate,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    fee: Vec<Entry>,
}

impl FeeSchedule {
    /// B3's cash-equity fees for individuals, from the data in this crate, parsed once.
    ///
    /// # Panics
    /// If that data is broken, which the tests rule out.
    pub fn b3() -> Arc<Self> {
        static B3: OnceLock<Arc<FeeSchedule>> = OnceLock::new();
        let parse = || {
            let text = include_str!("../data/b3_fees.toml");
            Arc::new(Self::from_toml(text).expect("the embedded fee schedule is valid"))
        };
        Arc::clone(B3.get_or_init(parse))
    }

    /// A schedule from a text laid out like `market/data/b3_fees.toml`.
    pub fn from_toml(text: &str) -> Result<Self, FeeError> {
        let text: Text = toml::from_str(text).map_err(FeeError::Syntax)?;
        for modality in Modality::ALL {
            let mut before = None;
            for entry in text.fee.iter().filter(|entry| entry.modality == modality) {
                check_entry(entry, before)?;
                before = Some(entry.from);
            }
            if before.is_none() {
                return refused("fee", modality.name(), "this modality has no entry; add one");
            }
        }
        Ok(Self { entries: text.fee })
    }

    /// No fees on any date.
    pub fn free() -> Arc<Self> {
        let entry = |modality| Entry {
            modality,
            from: Date::MIN,
            tiers: vec![Tier { up_to: None, rate: Rate::ZERO }],
            source: Evidence::Documented,
            _note: None,
        };
        Arc::new(Self { entries: Modality::ALL.map(entry).into() })
    }

    /// The rate per side in the first tier, which holds until a volume is known. `None` before the
    /// schedule begins; its last entry holds until it is replaced.
    pub fn rate(&self, date: Date, modality: Modality) -> Option<Rate> {
        self.rate_at_volume(date, modality, Money::ZERO)
    }

    /// The rate per side for an investor whose average daily volume (ADTV) of the previous month is
    /// known. The tier's rate is charged on the whole notional.
    pub fn rate_at_volume(&self, date: Date, modality: Modality, average_daily_volume: Money) -> Option<Rate> {
        let fits = |tier: &&Tier| tier.up_to.is_none_or(|bound| average_daily_volume <= bound);
        self.entry(date, modality)?.tiers.iter().find(fits).map(|tier| tier.rate)
    }

    /// The fee of one side of a trade in the first tier, positive for either sign of `notional`,
    /// not rounded to centavos. `None` before the schedule begins.
    pub fn fee(&self, date: Date, modality: Modality, notional: Money) -> Option<Money> {
        self.rate(date, modality).map(|rate| notional.abs().scaled(rate))
    }

    /// How well the rates of a date are supported.
    pub fn evidence(&self, date: Date, modality: Modality) -> Option<Evidence> {
        self.entry(date, modality).map(|entry| entry.source)
    }

    fn entry(&self, date: Date, modality: Modality) -> Option<&Entry> {
        let mut newest_first = self.entries.iter().rev();
        newest_first.find(|entry| entry.modality == modality && entry.from <= date)
    }
}

/// What a broker charges for an order, apart from the exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brokerage {
    /// BRL for each order that trades, however many fills it takes.
    pub per_order: Money,
    /// ISS, the city's service tax, as a fraction of the brokerage: 2 to 5 %.
    pub iss: Rate,
}

impl Brokerage {
    /// No brokerage, as several brokers advertise for orders over their platforms.
    pub const FREE: Self = Self { per_order: Money::ZERO, iss: Rate::ZERO };

    /// Brokerage and ISS of one order that traded, not rounded to centavos.
    pub fn fee(self) -> Money {
        self.per_order + self.per_order.scaled(self.iss)
    }
}

fn refused<T>(key: impl Into<String>, value: impl ToString, fix: impl Into<String>) -> Result<T, FeeError> {
    Err(FeeError::Rule { key: key.into(), value: value.to_string(), fix: fix.into() })
}

fn check_entry(entry: &Entry, before: Option<Date>) -> Result<(), FeeError> {
    let key = |name: &str| format!("fee {} from {}.{name}", entry.modality.name(), entry.from);
    if let Some(before) = before.filter(|before| entry.from <= *before) {
        return refused(key("from"), entry.from, format!("must be later than {before}, the entry above"));
    }
    let Some((last, bounded)) = entry.tiers.split_last() else {
        return refused(key("tiers"), "[]", "add at least one tier, such as { rate = \"0.0003\" }");
    };
    if let Some(bound) = last.up_to {
        return refused(key("tiers.up_to"), bound, "the last tier takes every larger volume; leave it out");
    }
    let mut previous = Money::ZERO;
    for tier in bounded {
        match tier.up_to {
            Some(bound) if bound > previous => previous = bound,
            Some(bound) => {
                return refused(key("tiers.up_to"), bound, format!("must be more than {previous}"));
            }
            None => {
                return refused(key("tiers.up_to"), "nothing", "every tier but the last needs a bound");
            }
        }
    }
    // A rate of 5 is a percentage that somebody forgot to divide by 100.
    let sound = |tier: &&Tier| !(Rate::ZERO..=Rate::from_ppm(100_000)).contains(&tier.rate);
    match entry.tiers.iter().find(sound) {
        Some(tier) => refused(key("tiers.rate"), tier.rate, "must be a fraction from 0 to 0.1"),
        None => Ok(()),
    }
}

fn day<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let date = toml::value::Date::deserialize(deserializer)?;
    Date::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())
        .ok_or_else(|| serde::de::Error::custom(format!("{date} is not a day of the calendar")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    #[test]
    fn rates_by_date() {
        use Modality::{DayTrade, Normal};
        let fees = FeeSchedule::b3();
        for (on, modality, rate, evidence) in [
            ("1999-12-30", Normal, None, None),
            ("2017-12-28", Normal, Some("0.0003"), Some(Evidence::Unverified)),
            ("2017-12-28", DayTrade, Some("0.00023"), Some(Evidence::Unverified)),
            ("2024-06-03", Normal, Some("0.0003"), Some(Evidence::Documented)),
            ("2025-07-31", Normal, Some("0.0003"), Some(Evidence::Documented)),
            ("2025-08-01", Normal, Some("0.00023"), Some(Evidence::Documented)),
            ("2025-07-31", DayTrade, Some("0.00023"), Some(Evidence::Documented)),
            ("2025-08-01", DayTrade, Some("0.00023"), Some(Evidence::Documented)),
            ("2031-01-02", Normal, Some("0.00023"), Some(Evidence::Documented)),
        ] {
            let rate = rate.map(|rate| rate.parse().unwrap());
            assert_eq!(fees.rate(date(on), modality), rate, "{on} {modality:?}");
            assert_eq!(fees.evidence(date(on), modality), evidence, "{on} {modality:?}");
        }
    }

    #[test]
    fn tiers_include_their_bound() {
        use Modality::{DayTrade, Normal};
        let fees = FeeSchedule::b3();
        for (on, modality, volume, rate) in [
            ("2025-08-01", Normal, "0", "0.00023"),
            ("2025-08-01", Normal, "3000000", "0.00023"),
            ("2025-08-01", Normal, "3000000.01", "0.000225"),
            ("2025-07-31", Normal, "3000000.01", "0.0003"),
            ("2025-08-01", DayTrade, "200000", "0.00023"),
            ("2025-08-01", DayTrade, "2000000000", "0.00023"),
            ("2025-08-01", DayTrade, "2000000000.01", "0.000095"),
        ] {
            let found = fees.rate_at_volume(date(on), modality, money(volume));
            assert_eq!(found, Some(rate.parse().unwrap()), "{on} {modality:?} {volume}");
        }
    }

    #[test]
    fn a_note_is_rounded_once() {
        // A thousand fills of R$ 38.10: each costs 0.8763 centavos, which would round to nothing
        // or to a centavo; the note says what the sum says.
        let fees = FeeSchedule::b3();
        let fill = fees.fee(date("2025-08-01"), Modality::Normal, money("38.10")).unwrap();
        assert_eq!(fill, money("0.008763"));
        let note: Money = std::iter::repeat_n(fill, 1000).sum();
        assert_eq!(note.round_to_cents(), money("8.76"));
    }

    #[test]
    fn both_sides_pay() {
        let fees = FeeSchedule::b3();
        let fee = |notional| fees.fee(date("2024-06-03"), Modality::Normal, money(notional));
        assert_eq!(fee("11433"), Some(money("3.4299")));
        assert_eq!(fee("-11433"), fee("11433"));
    }

    #[test]
    fn free_is_free_on_any_date() {
        for on in [Date::MIN, date("1999-12-30"), date("2031-01-02"), Date::MAX] {
            for modality in Modality::ALL {
                assert_eq!(FeeSchedule::free().fee(on, modality, money("1000")), Some(Money::ZERO));
            }
        }
    }

    #[test]
    fn brokerage_is_per_order_with_iss_on_top() {
        let broker = Brokerage { per_order: money("4.90"), iss: "0.05".parse().unwrap() };
        assert_eq!(broker.fee(), money("5.145"));
        assert_eq!(Brokerage::FREE.fee(), Money::ZERO);
    }

    #[test]
    fn errors_name_the_key_the_value_and_the_fix() {
        let entry = |modality: &str, rest: &str| {
            format!("[[fee]]\nmodality = \"{modality}\"\nsource = \"documented\"\n{rest}\n")
        };
        let normal = entry("normal", "from = 2020-01-01\ntiers = [{ rate = \"0.0003\" }]");
        let day_trade = entry("day_trade", "from = 2020-01-01\ntiers = [{ rate = \"0.0002\" }]");
        let cases = [
            ("fee = []", "fees: fee = normal: this modality has no entry"),
            ("fees = []", "unknown field `fees`, expected `fee`"),
            (&normal, "fees: fee = day_trade: this modality has no entry"),
            (
                &format!("{normal}{normal}{day_trade}"),
                "fee normal from 2020-01-01.from = 2020-01-01: must be later than 2020-01-01",
            ),
            (&entry("swing", ""), "unknown variant `swing`, expected `normal` or `day_trade`"),
            (&entry("normal", "from = 2020-01-01"), "missing field `tiers`"),
            (&entry("normal", "from = 2020-01-01\ntiers = []"), "tiers = []: add at least one tier"),
            (
                &entry("normal", "from = 2020-01-01\ntiers = [{ up_to = \"10\", rate = \"0\" }]"),
                "tiers.up_to = 10.00: the last tier takes every larger volume",
            ),
            (
                &entry("normal", "from = 2020-01-01\ntiers = [{ rate = \"0\" }, { rate = \"0\" }]"),
                "tiers.up_to = nothing: every tier but the last needs a bound",
            ),
            (
                &entry(
                    "normal",
                    "from = 2020-01-01\ntiers = [{ up_to = \"9\", rate = \"0\" }, \
                     { up_to = \"9\", rate = \"0\" }, { rate = \"0\" }]",
                ),
                "tiers.up_to = 9.00: must be more than 9.00",
            ),
            (
                &entry("normal", "from = 2020-01-01\ntiers = [{ rate = \"0.23\" }]"),
                "tiers.rate = 0.23: must be a fraction from 0 to 0.1",
            ),
            (
                &entry("normal", "from = 2020-01-01\ntiers = [{ rate = \"0,0003\" }]"),
                "'0,0003' is not a decimal number",
            ),
        ];
        for (text, expected) in cases {
            let error = FeeSchedule::from_toml(text).unwrap_err();
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            let told = format!("{error}: {}", cause.unwrap_or_default());
            assert!(told.contains(expected), "{text}\n---\n{told}");
        }
    }
}

//! How numbers, money and dates are written, and how text becomes safe to put in a page.

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

/// Shown instead of a number that the data cannot carry.
pub const NOT_ENOUGH_DATA: &str = "not enough data";

/// The typographic minus: as wide as a plus, never a line break, and read aloud as "minus".
const MINUS: char = '\u{2212}';

/// How a reader writes numbers and dates. JSON and CSV never depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Locale {
    /// `R$ 1,234.56` and ISO dates, which no reader can take for another order.
    #[default]
    En,
    /// `R$ 1.234,56` and `DD/MM/YYYY`.
    PtBr,
}

impl Locale {
    /// A number with exactly this many decimals and grouped thousands.
    #[must_use]
    pub fn number(self, value: f64, decimals: usize) -> String {
        if !value.is_finite() {
            return NOT_ENOUGH_DATA.to_owned();
        }
        let digits = format!("{:.decimals$}", value.abs());
        let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
        // A loss that rounds to nothing is written without its sign.
        let negative = value < 0.0 && digits.bytes().any(|b| (b'1'..=b'9').contains(&b));
        let (thousands, point) = match self {
            Self::En => (',', '.'),
            Self::PtBr => ('.', ','),
        };
        let mut text = String::with_capacity(digits.len() + 8);
        if negative {
            text.push(MINUS);
        }
        for (position, digit) in whole.chars().enumerate() {
            if position > 0 && (whole.len() - position).is_multiple_of(3) {
                text.push(thousands);
            }
            text.push(digit);
        }
        if !fraction.is_empty() {
            text.push(point);
            text.push_str(fraction);
        }
        text
    }

    /// A fraction as a percentage: 0.0125 with two decimals is `1.25%`.
    #[must_use]
    pub fn percent(self, fraction: f64, decimals: usize) -> String {
        if !fraction.is_finite() {
            return NOT_ENOUGH_DATA.to_owned();
        }
        format!("{}%", self.number(fraction * 100.0, decimals))
    }

    /// An amount in reais, to the centavo. For show: exact below 90 trillion.
    #[must_use]
    pub fn money(self, reais: f64) -> String {
        if !reais.is_finite() {
            return NOT_ENOUGH_DATA.to_owned();
        }
        let amount = self.number(reais, 2);
        match amount.strip_prefix(MINUS) {
            Some(amount) => format!("{MINUS}R$ {amount}"),
            None => format!("R$ {amount}"),
        }
    }

    /// A calendar date.
    #[must_use]
    pub fn date(self, date: NaiveDate) -> String {
        match self {
            Self::En => format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day()),
            Self::PtBr => format!("{:02}/{:02}/{:04}", date.day(), date.month(), date.year()),
        }
    }

    /// A month of a year, for axes.
    #[must_use]
    pub fn month(self, date: NaiveDate) -> String {
        match self {
            Self::En => format!("{:04}-{:02}", date.year(), date.month()),
            Self::PtBr => format!("{:02}/{:04}", date.month(), date.year()),
        }
    }
}

/// Makes any text inert inside an HTML element or a quoted attribute.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Controls are not allowed in HTML; a line break is, and may be meant.
            c if c.is_control() && c != '\n' && c != '\t' => safe.push('\u{FFFD}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_locale_writes_its_own_numbers() {
        for (value, decimals, en, pt_br) in [
            (1_234.56, 2, "1,234.56", "1.234,56"),
            (-1_234_567.891, 1, "−1,234,567.9", "−1.234.567,9"),
            (999.0, 0, "999", "999"),
            (1_000.0, 0, "1,000", "1.000"),
            (-0.004, 2, "0.00", "0,00"),
            (-0.0, 0, "0", "0"),
            (f64::NAN, 2, NOT_ENOUGH_DATA, NOT_ENOUGH_DATA),
        ] {
            assert_eq!(Locale::En.number(value, decimals), en);
            assert_eq!(Locale::PtBr.number(value, decimals), pt_br);
        }
    }

    #[test]
    fn money_and_dates() {
        let date = NaiveDate::from_ymd_opt(2024, 2, 29).expect("a date");
        assert_eq!(Locale::PtBr.money(1_234.56), "R$ 1.234,56");
        assert_eq!(Locale::PtBr.money(-1_234.56), "−R$ 1.234,56");
        assert_eq!(Locale::En.money(1_234.56), "R$ 1,234.56");
        assert_eq!(Locale::PtBr.date(date), "29/02/2024");
        assert_eq!(Locale::En.date(date), "2024-02-29");
        assert_eq!(Locale::PtBr.percent(-0.281_7, 1), "−28,2%");
        assert_eq!(Locale::En.money(f64::INFINITY), NOT_ENOUGH_DATA);
    }

    #[test]
    fn hostile_text_is_inert() {
        assert_eq!(
            escape("<img src=x onerror='a(\"b\")'>&\u{0}"),
            "&lt;img src=x onerror=&#39;a(&quot;b&quot;)&#39;&gt;&amp;\u{FFFD}"
        );
    }
}

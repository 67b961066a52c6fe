//! What a view takes in, and the two conventions that it can be asked for.

use market::Rate;
use market::history::CorporateActionKind;
use serde::{Deserialize, Serialize};

/// Which actions a view is made of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjusted {
    /// None: the bars as they were published.
    None,
    /// Changes of units: prices in today's units. What charts and price levels want.
    Splits,
    /// Everything that is worth money: returns of a holder who reinvests. What returns want.
    #[default]
    TotalReturn,
}

impl Adjusted {
    /// Every view.
    pub const ALL: [Self; 3] = [Self::None, Self::Splits, Self::TotalReturn];

    /// Stable name in commands, JSON and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Splits => "splits",
            Self::TotalReturn => "total_return",
        }
    }

    /// The view with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.name() == name)
    }

    /// Whether an action of this kind is looked at. One without a rule is, so that it is told.
    pub(super) const fn takes(self, kind: CorporateActionKind) -> bool {
        match self {
            Self::None => false,
            Self::Splits => kind.changes_units(),
            Self::TotalReturn => true,
        }
    }
}

/// At which price money that was paid buys more units.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reinvestment {
    /// At the last cum close less the amount, before the ex session has a price: factor
    /// (P − a) ÷ P, return over the ex date X ÷ (P − a) − 1. What vendors publish, and known
    /// before the ex session closes.
    #[default]
    AtCumClose,
    /// At the close X of the ex session: factor X ÷ (X + a), return over the ex date
    /// (X + a) ÷ P − 1, which is what a holder earned.
    AtExClose,
}

/// How a series is adjusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Which actions.
    pub view: Adjusted,
    /// What is withheld of interest on equity, a fraction from 0 to 1: [`GROSS`], [`NET_OF_15_PERCENT`] or
    /// what the law says on the day. Only that kind is taxed at the source.
    pub interest_on_equity_tax: Rate,
    /// The convention for cash.
    pub reinvestment: Reinvestment,
}

/// Nothing withheld: what the exchange and vendors use.
pub const GROSS: Rate = Rate::ZERO;
/// Law 9.249 of 1995, article 9: 15 % of interest on equity stays at the source.
pub const NET_OF_15_PERCENT: Rate = Rate::from_ppm(150_000);

impl Options {
    /// This view, interest on equity gross, reinvested at the cum close.
    pub const fn of(view: Adjusted) -> Self {
        Self { view, interest_on_equity_tax: GROSS, reinvestment: Reinvestment::AtCumClose }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::of(Adjusted::TotalReturn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_named_and_take_what_they_say() {
        for view in Adjusted::ALL {
            assert_eq!(Adjusted::from_name(view.name()), Some(view));
        }
        assert_eq!(Adjusted::from_name("adjusted"), None);
        for kind in CorporateActionKind::ALL {
            assert!(!Adjusted::None.takes(kind));
            assert_eq!(Adjusted::Splits.takes(kind), kind.changes_units(), "{}", kind.name());
            assert!(Adjusted::TotalReturn.takes(kind));
        }
    }
}

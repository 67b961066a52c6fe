//! The keys that one import has brought, so that a repeated line is told from a correction.

use std::collections::{HashMap, HashSet, VecDeque};

use market::history::{CorporateAction, CorporateActionKind, HistoryBar, IndexMember, SourceName};
use market::{Date, IndexClose, Isin, Symbol, Timestamp};
use rust_decimal::Decimal;

use super::exact;
use super::series::BarSeries;
use crate::error::StoreError;

/// Places in time, in order. Files are sorted forwards or backwards, so mostly nothing moves.
#[derive(Debug)]
pub(crate) struct Places<T>(VecDeque<T>);

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: Copy + Ord> Places<T> {
    /// Whether the place is a new one.
    pub(crate) fn take(&mut self, place: T) -> bool {
        if self.0.back().is_none_or(|last| *last < place) {
            self.0.push_back(place);
            return true;
        }
        match self.0.binary_search(&place) {
            Ok(_) => false,
            Err(at) => {
                self.0.insert(at, place);
                true
            }
        }
    }

    /// The first and the last, if there is any.
    pub(crate) fn ends(&self) -> Option<(T, T)> {
        self.0.front().copied().zip(self.0.back().copied())
    }
}

type ActionKey = (SourceName, Option<Isin>, Option<Symbol>, CorporateActionKind, Date, Decimal, Decimal);

/// All keys of an import but those of daily records, which the stores keep beside their listings.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    bars: HashMap<BarSeries, Places<Timestamp>>,
    index_closes: HashSet<(String, Date)>,
    actions: HashSet<ActionKey>,
    members: HashSet<(Symbol, Date, Symbol)>,
}

impl Seen {
    pub(crate) fn bar(&mut self, bar: &HistoryBar) -> Result<(), StoreError> {
        let places = self.bars.entry(exact::series_of(bar)).or_default();
        if places.take(bar.begin) { Ok(()) } else { Err(twice(exact::bar_key(bar))) }
    }

    pub(crate) fn index_close(&mut self, index: &str, close: &IndexClose) -> Result<(), StoreError> {
        let new = self.index_closes.insert((index.to_owned(), close.date));
        if new { Ok(()) } else { Err(twice(exact::close_key(index, close))) }
    }

    pub(crate) fn action(&mut self, action: &CorporateAction) -> Result<(), StoreError> {
        let CorporateAction { source, isin, symbol, kind, last_date_prior, amount, ratio, .. } = action;
        let new = self.actions.insert((*source, *isin, *symbol, *kind, *last_date_prior, *amount, *ratio));
        if new { Ok(()) } else { Err(twice(exact::action_key(action))) }
    }

    pub(crate) fn member(&mut self, member: &IndexMember) -> Result<(), StoreError> {
        let new = self.members.insert((member.index, member.date, member.symbol));
        if new { Ok(()) } else { Err(twice(exact::member_key(member))) }
    }
}

fn twice(key: String) -> StoreError {
    StoreError::DuplicateKey { key }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn places_behave_like_a_set(given in prop::collection::vec(-20_i32..20, 0..60)) {
            let (mut places, mut model) = (Places::default(), BTreeSet::new());
            for place in given {
                prop_assert_eq!(places.take(place), model.insert(place));
                prop_assert_eq!(places.ends(), model.first().copied().zip(model.last().copied()));
            }
        }
    }
}

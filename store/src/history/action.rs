//! Corporate actions: which are meant, and in what order they come.

use market::history::{CorporateAction, SourceName};
use market::{Isin, Symbol};

/// Which corporate actions are meant.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ActionFilter {
    /// Those of these tickers, and …
    pub symbols: Vec<Symbol>,
    /// … those of these ISINs: sources go by one or the other. All, where both lists are empty.
    pub isins: Vec<Isin>,
    /// Sources; an empty list means all.
    pub sources: Vec<SourceName>,
}

impl ActionFilter {
    pub(crate) fn admits(&self, action: &CorporateAction) -> bool {
        let anyone = self.symbols.is_empty() && self.isins.is_empty();
        let symbol = action.symbol.is_some_and(|symbol| self.symbols.contains(&symbol));
        let isin = action.isin.is_some_and(|isin| self.isins.contains(&isin));
        (anyone || symbol || isin) && (self.sources.is_empty() || self.sources.contains(&action.source))
    }
}

/// By the last day with the right; of one day by source, ISIN, symbol and kind.
pub(crate) fn in_order(mut actions: Vec<CorporateAction>) -> Vec<CorporateAction> {
    actions.sort_unstable_by(|one, other| (one.last_date_prior, one).cmp(&(other.last_date_prior, other)));
    actions
}

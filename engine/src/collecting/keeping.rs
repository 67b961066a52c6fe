//! Items of a reply into one import of the history, all of them or none.

use feeds::fetch::{Keep, Receipt, Sink};
use feeds::source::{BoxError, Item, Reading, Request, Subject};
use feeds::trades_to_bars::MinuteBars;
use store::{Digest, History, Import, ImportCounts, ImportSource};

/// Keeps in a history; what it did adds up here.
pub struct Keeping<'a> {
    history: &'a mut dyn History,
    /// What all imports of this run did.
    pub counts: ImportCounts,
    /// Items that no history keeps: quotes.
    pub left_out: u64,
}

impl<'a> Keeping<'a> {
    /// Into this one.
    pub fn new(history: &'a mut dyn History) -> Self {
        Self { history, counts: ImportCounts::default(), left_out: 0 }
    }
}

impl Sink for Keeping<'_> {
    fn begin(&mut self, request: &Request, receipt: &Receipt) -> Result<Option<Box<dyn Keep + '_>>, BoxError> {
        let digest = Digest::new(receipt.sha256);
        let kind = request.part.subject.name();
        let is_kept = |import: &store::ImportRecord| {
            let source = &import.source;
            source.sha256 == Some(digest) && source.source == receipt.source && source.name == request.key
        };
        if self.history.imports()?.iter().any(is_kept) {
            return Ok(None);
        }
        let source = ImportSource {
            name: request.key.clone(),
            kind: kind.to_owned(),
            source: receipt.source,
            size: receipt.bytes,
            sha256: Some(digest),
            at: receipt.at,
        };
        let Self { history, counts, left_out } = self;
        let import = history.begin_import(&source)?;
        let minutes = (request.part.subject == Subject::Trades).then(|| MinuteBars::new(receipt.source));
        Ok(Some(Box::new(Keeper { import, minutes, counts, left_out })))
    }
}

struct Keeper<'a> {
    import: Box<dyn Import + 'a>,
    /// Single trades are kept as the bars of their minutes.
    minutes: Option<MinuteBars>,
    counts: &'a mut ImportCounts,
    left_out: &'a mut u64,
}

/// Puts one item into an import; `false` for what no history keeps.
///
/// # Errors
/// As [`Import::daily`].
pub fn put(import: &mut dyn Import, item: &Item) -> Result<bool, store::StoreError> {
    match item {
        Item::Daily(record) => import.daily(record)?,
        Item::Bar(bar) => import.bar(bar)?,
        Item::IndexClose(index, close) => import.index_close(index.as_str(), close)?,
        Item::Member(member) => import.index_member(member)?,
        Item::Action(action) => import.corporate_action(action)?,
        Item::Quote(_) | Item::Trade(_) => return Ok(false),
    }
    Ok(true)
}

impl Keep for Keeper<'_> {
    fn take(&mut self, item: Item) -> Result<(), BoxError> {
        if let (Item::Trade(trade), Some(minutes)) = (&item, &mut self.minutes) {
            minutes.add(trade);
            return Ok(());
        }
        if !put(&mut *self.import, &item)? {
            *self.left_out += 1;
        }
        Ok(())
    }

    fn commit(self: Box<Self>, _: &Reading) -> Result<(), BoxError> {
        let Self { mut import, minutes, counts, .. } = *self;
        for bar in minutes.map(MinuteBars::finish).unwrap_or_default() {
            import.bar(&bar)?;
        }
        let done = import.commit()?;
        counts.inserted += done.inserted;
        counts.unchanged += done.unchanged;
        counts.updated += done.updated;
        counts.outranked += done.outranked;
        Ok(())
    }
}

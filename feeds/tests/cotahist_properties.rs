//! What holds for every record and every sequence of bytes.

mod support;

use feeds::cotahist::{Flag, Flags, writer::render};
use market::{DailyRecord, Price, Quantity};
use proptest::prelude::*;
use support::{any_record, read_all, small_file, text_of};

/// What no file may make untrue.
fn check(record: &DailyRecord) -> Result<(), TestCaseError> {
    let DailyRecord { open, high, low, close, .. } = *record;
    prop_assert!(Price::ZERO <= low && low <= high);
    for price in [open, close] {
        prop_assert!(price == Price::ZERO || (low <= price && price <= high));
    }
    prop_assert!(record.quantity >= Quantity::ZERO && record.turnover.steps() >= 0);
    prop_assert!(record.quotation_factor > 0 && !record.symbol.as_str().is_empty());
    // It can be written, and what is written reads back the same.
    let line = render(record).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(line.len(), 245);
    Ok(())
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(records in prop::collection::vec(any_record(), 0..20)) {
        let (found, outcome) = read_all(&text_of(&records));
        let summary = outcome.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(summary.records, records.len() as u64);
        prop_assert_eq!(summary.kinds.values().sum::<u64>(), summary.records);
        prop_assert_eq!(summary.market_types.values().sum::<u64>(), summary.records);
        for flag in Flag::ALL {
            let counted = found.iter().filter(|record| Flags::of(record).has(flag)).count() as u64;
            prop_assert_eq!(counted, summary.flags.get(&flag).copied().unwrap_or(0));
        }
        prop_assert_eq!(found, records);
    }

    #[test]
    fn the_check_digit_is_the_one_of_the_market(record in any_record()) {
        let good = record.isin.is_none_or(|isin| isin.has_valid_check_digit());
        prop_assert_eq!(Flags::of(&record).has(Flag::IsinCheckDigit), !good);
    }

    #[test]
    fn arbitrary_bytes_are_refused_and_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let (records, outcome) = read_all(&bytes);
        prop_assert!(records.is_empty() && outcome.is_err());
    }

    #[test]
    fn changed_files_give_sound_records_or_none(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<Change>()), 1..6),
    ) {
        let mut file = small_file();
        for (at, change) in changes {
            change.apply(at, &mut file);
        }
        let (records, outcome) = read_all(&file);
        for record in &records {
            check(record)?;
        }
        if let Err(refused) = outcome {
            prop_assert!(!refused.to_string().is_empty());
            prop_assert!(refused.file.is_some() || !refused.lines.is_empty());
        }
    }
}

/// One slip on the way from the exchange.
#[derive(Clone, Debug)]
enum Change {
    Set(u8),
    Insert(Vec<u8>),
    Remove(usize),
    Cut,
    Repeat(usize),
}

impl Arbitrary for Change {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        prop_oneof![
            4 => prop_oneof![any::<u8>(), prop::sample::select(b"0123456789 \r\nAZ".to_vec())].prop_map(Self::Set),
            1 => prop::collection::vec(any::<u8>(), 1..300).prop_map(Self::Insert),
            1 => (1..300_usize).prop_map(Self::Remove),
            1 => Just(Self::Cut),
            1 => (1..500_usize).prop_map(Self::Repeat),
        ]
        .boxed()
    }
}

impl Change {
    fn apply(self, at: prop::sample::Index, file: &mut Vec<u8>) {
        if file.is_empty() {
            return;
        }
        let at = at.index(file.len());
        match self {
            Self::Set(byte) => file[at] = byte,
            Self::Insert(bytes) => drop(file.splice(at..at, bytes)),
            Self::Remove(count) => drop(file.drain(at..(at + count).min(file.len()))),
            Self::Cut => file.truncate(at),
            Self::Repeat(count) => {
                let again = file[at..(at + count).min(file.len())].to_vec();
                drop(file.splice(at..at, again));
            }
        }
    }
}

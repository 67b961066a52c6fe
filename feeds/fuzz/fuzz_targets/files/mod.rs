//! Any bytes as a file of one kind: no panic, bars of one series in the order of time, and an error
//! that names the file.

use std::collections::BTreeMap;
use std::path::Path;

use feeds::files::{Hints, Kind, Place};
use feeds::source::Item;
use market::Date;
use market::history::Interval;

pub(crate) fn read(kind: Kind, bytes: &[u8]) {
    let hints = Hints { date: Date::from_ymd_opt(2025, 1, 2), interval: Some(Interval::MINUTE), ..Hints::default() };
    let place = Place { path: Path::new("PETR4.csv"), hints };
    let parse = kind.description().parse.expect("a kind that is read whole");
    let (mut items, mut newest) = (0, BTreeMap::new());
    let parsed = parse(bytes, &place, &mut |item| {
        items += 1;
        if let Item::Bar(bar) = item {
            let before = newest.insert((bar.source, bar.symbol, bar.interval), bar.begin);
            assert!(before.is_none_or(|before| before < bar.begin));
        }
        Ok(())
    });
    match parsed {
        Ok(told) => assert_eq!(told, items),
        Err(error) => assert!(error.to_string().starts_with("PETR4.csv: "), "{error}"),
    }
}

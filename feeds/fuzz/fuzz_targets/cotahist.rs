//! Any bytes as a COTAHIST text: no panic, and no record that breaks its own rules or that our
//! exporter could not write and read again.

#![no_main]

use feeds::cotahist::{Reader, Writer, writer::render};
use libfuzzer_sys::fuzz_target;
use market::{DailyRecord, Price};

fuzz_target!(|bytes: &[u8]| {
    let mut reader = Reader::new(bytes);
    let mut records: Vec<DailyRecord> = Vec::new();
    while let Some(record) = reader.next_record() {
        let DailyRecord { open, high, low, close, .. } = *record;
        assert!(Price::ZERO <= low && low <= high);
        assert!([open, close].iter().all(|price| *price == Price::ZERO || (low..=high).contains(price)));
        render(record).expect("what was read can be written");
        records.push(*record);
    }
    match reader.finish() {
        Ok(summary) => {
            assert_eq!(summary.records, records.len() as u64);
            let mut writer = Writer::new(Vec::new(), summary.header).expect("a header");
            records.iter().for_each(|record| writer.write(record).expect("a line"));
            let written = writer.finish().expect("a trailer");
            let mut again = Reader::new(&written[..]);
            for record in &records {
                assert_eq!(again.next_record(), Some(record));
            }
            again.finish().expect("what was written is good");
        }
        Err(refused) => assert!(!refused.to_string().is_empty()),
    }
});

//! Every way in which a COTAHIST file can be wrong, and what is said about it.

#![allow(clippy::unwrap_used, reason = "helpers of tests, outside of any test function")]

mod support;

use std::convert::Infallible;
use std::path::PathBuf;

use feeds::cotahist::LINE_ERRORS_SHOWN;
use feeds::cotahist::layout::{self, Field};
use feeds::cotahist::{self, Fault, FileError, LineError, Progress, ReadError, Refused, Writer, writer::render};
use market::{DailyRecord, Price};
use support::{HEADER, day, petr4, price, read_all, small_file, text_of, zip_of};

/// A good file with one field of its second line (the first record) replaced.
fn with(field: &Field, text: &[u8]) -> Vec<u8> {
    let mut file = small_file();
    let start = 247 + field.range().start;
    file[start..start + text.len()].copy_from_slice(text);
    file
}

fn only_line_error(file: &[u8]) -> LineError {
    let (_, outcome) = read_all(file);
    let mut refused = outcome.unwrap_err();
    assert!(refused.file.is_none(), "{refused}");
    assert_eq!((refused.lines.len(), refused.wrong_lines), (1, 1), "{refused}");
    refused.lines.remove(0)
}

fn file_error(file: &[u8]) -> String {
    let (_, outcome) = read_all(file);
    let refused = outcome.unwrap_err();
    refused.file.unwrap_or_else(|| panic!("no file error")).to_string()
}

#[test]
fn a_good_file_is_good_with_either_line_end_and_without_the_last() {
    let with_cr_lf = small_file();
    let with_lf: Vec<u8> = with_cr_lf.iter().copied().filter(|byte| *byte != b'\r').collect();
    let without_last = &with_cr_lf[..with_cr_lf.len() - 2];
    let with_blank_lines = [&with_cr_lf[..], b"\r\n\r\n"].concat();
    for file in [&with_cr_lf[..], &with_lf, without_last, &with_blank_lines] {
        let (records, outcome) = read_all(file);
        assert_eq!(records, [2, 3, 4].map(|of_month| petr4(day(2024, 1, of_month))));
        let summary = outcome.unwrap();
        assert_eq!((summary.lines, summary.records, summary.header), (5, 3, HEADER));
    }
}

#[test]
fn wrong_fields_are_named_with_line_value_and_reason() {
    let cases: &[(&Field, &[u8], Fault)] = &[
        (&layout::DATA, b"20240230", Fault::NotADate),
        (&layout::DATA, b"2024A102", Fault::NotDigits),
        (&layout::CODBDI, b"X2", Fault::NotDigits),
        (&layout::CODNEG, b"            ", Fault::NotASymbol),
        (&layout::CODNEG, b"PET 4", Fault::NotASymbol),
        (&layout::CODNEG, b"PETR\xC7", Fault::NotASymbol),
        (&layout::TPMERC, b"01O", Fault::NotDigits),
        (&layout::NOMRES, b"PETRO\x00", Fault::Unprintable),
        (&layout::ESPECI, b"PN\x9B", Fault::Unprintable),
        (&layout::PRAZOT, b"3O ", Fault::NotDigits),
        (&layout::MODREF, b"CR$ ", Fault::Currency),
        (&layout::PREABE, b"00000000038A0", Fault::NotDigits),
        (&layout::PREABE, b"0000000003851", Fault::OutsideRange(price("37.80"), price("38.50"))),
        (&layout::PREMAX, b"0000000003779", Fault::AboveHigh(price("37.79"))),
        (&layout::PREULT, b"0000000003779", Fault::OutsideRange(price("37.80"), price("38.50"))),
        (&layout::PREOFC, b"9999999999999", Fault::TooLarge),
        (&layout::TOTNEG, b"-0001", Fault::NotDigits),
        (&layout::QUATOT, b"00000000000000 100", Fault::NotDigits),
        (&layout::VOLTOT, b"0000000000000,0000", Fault::NotDigits),
        (&layout::INDOPC, b"x", Fault::NotDigits),
        (&layout::DATVEN, b"20241301", Fault::NotADate),
        (&layout::FATCOT, b"0000000", Fault::FactorZero),
        (&layout::FATCOT, b"0000007", Fault::NotExact(7)),
        (&layout::PTOEXE, b"000000000000O", Fault::NotDigits),
        (&layout::CODISI, b"BRPETR\x1BCNPR6", Fault::Unprintable),
        (&layout::DISMES, b"2.0", Fault::NotDigits),
    ];
    for (field, text, fault) in cases {
        let error = only_line_error(&with(field, text));
        assert_eq!((error.line, error.fault), (2, *fault), "{error}");
        let message = error.to_string();
        assert!(message.starts_with("line 2, "), "{message}");
        // A high below the low shows at the low; a factor that does not divide, at the first price.
        let shown_elsewhere = matches!(fault, Fault::AboveHigh(_) | Fault::NotExact(_));
        assert!(shown_elsewhere || message.contains(field.name), "{message}");
        assert!(message.contains("; "), "no advice: {message}");
    }
}

#[test]
fn a_message_reads_well() {
    let error = only_line_error(&with(&layout::PREULT, b"00000000A3820"));
    assert_eq!(
        error.to_string(),
        "line 2, PREULT (close) is '00000000A3820': only digits belong here; download the file again \
         from B3; if the line stays, B3 published it so: report it to them"
    );
}

#[test]
fn lines_of_another_length_are_refused_and_reading_goes_on() {
    let mut short = small_file();
    short.drain(300..310);
    let error = only_line_error(&short);
    assert_eq!((error.line, error.fault), (2, Fault::Length(235)));
    assert!(error.to_string().contains("has 235 characters where 245 belong"), "{error}");

    let mut long = small_file();
    long.splice(300..300, *b"extra");
    assert_eq!(only_line_error(&long).fault, Fault::Length(250));

    // Longer than any buffer: neither memory nor the lines after it suffer.
    let mut endless = small_file();
    endless.splice(300..300, vec![b'x'; 1_000_000]);
    let error = only_line_error(&endless);
    assert_eq!((error.line, error.fault), (2, Fault::Length(1_000_245)));
    assert!(error.value.len() < 100);
    let (records, _) = read_all(&endless);
    assert_eq!(records.len(), 2);
}

#[test]
fn a_line_end_inside_a_line_makes_two_short_lines() {
    let mut file = small_file();
    file[247 + 30] = b'\n';
    let (_, outcome) = read_all(&file);
    let refused = outcome.unwrap_err();
    let faults: Vec<Fault> = refused.lines.iter().map(|error| error.fault).collect();
    assert_eq!(faults, [Fault::Length(30), Fault::Length(214)]);
}

#[test]
fn an_unknown_record_type_is_refused() {
    let error = only_line_error(&with(&layout::TIPREG, b"02"));
    assert_eq!((error.fault, error.value.as_str()), (Fault::RecordType, "02"));
}

#[test]
fn only_the_first_line_errors_are_kept() {
    let bad = [&render(&petr4(day(2024, 1, 2))).unwrap()[..244], b"?\r\n"].concat();
    let mut file = small_file();
    file.splice(247..247, bad.repeat(100));
    let (records, outcome) = read_all(&file);
    let refused = outcome.unwrap_err();
    assert_eq!((refused.lines.len(), refused.wrong_lines), (LINE_ERRORS_SHOWN, 100));
    assert_eq!(records.len(), 3);
    let message = refused.to_string();
    assert!(message.contains("and 80 more wrong lines"), "{message}");
    // The trailer counts 5 lines and there are 105: both are said at once.
    assert!(message.contains("states 5 lines and it has 105"), "{message}");
}

#[test]
fn whole_files_are_refused_for_what_they_are() {
    let good = small_file();
    let (header, rest) = good.split_at(247);
    let trailer = &good[good.len() - 247..];
    let body = &rest[..rest.len() - 247];
    let other_header = String::from_utf8_lossy(header).replace("2024BOVESPA 20241230", "2024BOVESPA 20241231");
    for (file, message) in [
        (Vec::new(), "it is empty"),
        (rest.to_vec(), "no COTAHIST header but '0120240102"),
        (b"<!DOCTYPE html>\n".to_vec(), "no COTAHIST header but '<!DOCTYPE html>'"),
        (header.to_vec(), "ends after line 1 without a trailer"),
        ([header, body].concat(), "ends after line 4 without a trailer"),
        ([header, &body[247..], trailer].concat(), "states 5 lines and it has 4"),
        ([&good[..], &body[..247]].concat(), "line 6 follows the trailer"),
        ([&good[..], &good[..]].concat(), "line 6 follows the trailer"),
        ([other_header.as_bytes(), rest].concat(), "two files were joined"),
        (good[..good.len() - 210].to_vec(), "states '' lines, which is no number"),
    ] {
        let found = file_error(&file);
        assert!(found.contains(message), "{found}\nexpected: {message}");
    }
}

#[test]
fn a_session_of_another_year_ends_the_reading() {
    let file = text_of(&[petr4(day(2024, 1, 2)), petr4(day(2023, 12, 28)), petr4(day(2024, 1, 3))]);
    let (records, outcome) = read_all(&file);
    assert_eq!(records.len(), 1);
    let message = outcome.unwrap_err().to_string();
    assert!(message.contains("line 3 is of 2023-12-28 in a file of 2024"), "{message}");
}

#[test]
fn the_generation_date_may_be_of_another_year() {
    let header = cotahist::Header { generated: day(2026, 5, 31), ..HEADER };
    let mut writer = Writer::new(Vec::new(), header).unwrap();
    writer.write(&petr4(day(2024, 1, 2))).unwrap();
    let (_, outcome) = read_all(&writer.finish().unwrap());
    assert_eq!(outcome.unwrap().header, header);
}

#[test]
fn a_factor_of_a_thousand_divides_exactly() {
    let mut record = DailyRecord { quotation_factor: 1_000, ..petr4(day(2024, 1, 2)) };
    record.low = price("0.04685");
    record.open = record.low;
    record.close = record.low;
    record.high = record.low;
    record.best_bid = Price::ZERO;
    let (records, outcome) = read_all(&text_of(&[record]));
    outcome.unwrap();
    assert_eq!(records, [record]);
    assert_eq!(&text_of(&[record])[247 + 56..247 + 69], b"0000000004685");
}

#[test]
fn prices_that_the_exchange_left_out_are_no_outliers() {
    let record = DailyRecord { open: Price::ZERO, close: Price::ZERO, ..petr4(day(2024, 1, 2)) };
    let (records, outcome) = read_all(&text_of(&[record]));
    outcome.unwrap();
    assert_eq!(records, [record]);
}

#[test]
fn texts_are_latin_1() {
    let company = market::history::FixedText::from_latin1(b"A\xC7\xD5ES S/A").unwrap();
    let record = DailyRecord { company, ..petr4(day(2024, 1, 2)) };
    let (records, outcome) = read_all(&text_of(&[record]));
    outcome.unwrap();
    assert_eq!(records[0].company.to_string(), "AÇÕES S/A");
}

#[test]
fn an_internal_code_is_no_isin() {
    let (records, outcome) = read_all(&with(&layout::CODISI, b"PETRACPN   0"));
    assert_eq!(outcome.unwrap().flags.values().copied().collect::<Vec<_>>(), [1]);
    assert_eq!(records[0].isin, None);
}

#[test]
fn what_does_not_fit_the_layout_is_not_written() {
    let good = petr4(day(2024, 1, 2));
    for (record, message) in [
        (DailyRecord { close: price("38.205"), ..good }, "close of PETR4 on 2024-01-02"),
        (DailyRecord { close: price("-38.20"), ..good }, "negative or too large"),
        (DailyRecord { trades: 100_000, ..good }, "trades of PETR4"),
        (DailyRecord { bdi_code: 100, ..good }, "BDI code of PETR4"),
        (DailyRecord { date: day(12_024, 1, 2), ..good }, "a year of four digits"),
    ] {
        let error = render(&record).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

fn saved(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn refusal(name: &str, bytes: &[u8]) -> Box<Refused> {
    let (_folder, path) = saved(name, bytes);
    match cotahist::read(&path, |_| {}, |_| Ok::<_, Infallible>(())) {
        Err(ReadError::Refused(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_zip_is_told_by_its_bytes_and_its_text_by_its_name() {
    let good = small_file();
    for (file, entries) in [
        ("COTAHIST_A2024.ZIP", vec![("COTAHIST_A2024.TXT", &good[..])]),
        ("anything.txt", vec![("folder/cotahist_a2024.txt", &good[..])]),
        // As the exchange names them until 2000, and in 2001.
        ("COTAHIST_A1999.ZIP", vec![("COTAHIST.A1999", &good[..])]),
        ("COTAHIST_A2001.ZIP", vec![("COTAHIST_A2001", &good[..])]),
        ("with notes.zip", vec![("README.md", &b"hello"[..]), ("COTAHIST_A2024.TXT", &good[..])]),
    ] {
        let (_folder, path) = saved(file, &zip_of(&entries));
        let mut progress = Vec::new();
        let summary = cotahist::read(&path, |now| progress.push(now), |_| Ok::<_, Infallible>(())).unwrap();
        assert_eq!(summary.records, 3, "{file}");
        let size = good.len() as u64;
        assert_eq!(progress.last(), Some(&Progress { bytes_done: size, bytes_total: size }), "{file}");
    }
}

#[test]
fn zips_without_one_text_are_refused() {
    let good = small_file();
    let two = zip_of(&[("COTAHIST_A2023.TXT", &good), ("COTAHIST_A2024.TXT", &good)]);
    for (bytes, message) in [
        (zip_of(&[]), "holds no COTAHIST text (nothing)"),
        (zip_of(&[("README.md", b"hello")]), "holds no COTAHIST text (README.md)"),
        (two, "several texts (COTAHIST_A2023.TXT, COTAHIST_A2024.TXT)"),
        (zip_of(&[("COTAHIST_A2024.TXT", b"")]), "it is empty"),
        (zip_of(&[("COTAHIST_A2024.TXT", &good)])[..200].to_vec(), "the download was cut short"),
        (b"PK\x03\x04".to_vec(), "the download was cut short"),
    ] {
        let refused = refusal("COTAHIST_A2024.ZIP", &bytes);
        let text = refused.to_string();
        assert!(text.contains(message) && text.contains("COTAHIST_A2024.ZIP"), "{text}");
    }
}

#[test]
fn a_damaged_zip_is_refused_although_its_records_looked_good() {
    let mut bytes = zip_of(&[("COTAHIST_A2024.TXT", &small_file())]);
    // A wrong checksum in the local header does not matter, in the central one it does.
    let central = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    bytes[central + 16] ^= 0xFF;
    let refused = refusal("COTAHIST_A2024.ZIP", &bytes);
    assert!(matches!(refused.file, Some(FileError::ReadFailed { .. })), "{refused}");
}

#[test]
fn a_missing_file_says_so() {
    let path = PathBuf::from("no such folder/COTAHIST_A2024.ZIP");
    let error = cotahist::read(&path, |_| {}, |_| Ok::<_, Infallible>(())).unwrap_err();
    assert!(error.to_string().contains("cannot be opened; check that it exists"), "{error}");
}

#[test]
fn whoever_takes_the_records_may_stop() {
    let (_folder, path) = saved("COTAHIST_A2024.TXT", &small_file());
    let mut taken = 0;
    let outcome = cotahist::read(
        &path,
        |_| {},
        |_| {
            taken += 1;
            if taken == 2 { Err(std::io::Error::other("disk full")) } else { Ok(()) }
        },
    );
    assert!(matches!(outcome, Err(ReadError::Stopped(_))), "{outcome:?}");
    assert_eq!(taken, 2);
}

#[test]
fn a_line_that_crosses_the_buffers_end_is_read_whole() {
    let records: Vec<DailyRecord> = (0..5_000).map(|number| petr4(day(2024, 1, 2 + number % 20))).collect();
    let file = text_of(&records);
    assert!(file.len() > 1_000_000);
    /// Gives bytes in odd portions.
    struct Trickle<'a>(&'a [u8], usize);
    impl std::io::Read for Trickle<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            self.1 = self.1 % 7_919 + 1;
            let count = self.1.min(self.0.len()).min(into.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }
    let mut reader = cotahist::Reader::new(Trickle(&file, 0));
    let mut found = Vec::new();
    while let Some(record) = reader.next_record() {
        found.push(*record);
    }
    assert_eq!(reader.bytes_read(), file.len() as u64);
    assert_eq!(reader.finish().unwrap().records, 5_000);
    assert_eq!(found, records);
}

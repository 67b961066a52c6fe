//! The rules of quality and the adjustment, on the shared data whose defects are documented: which of
//! them are found, and which not. What came of it stands in `docs/data-quality.md`, and this keeps
//! it true: where the shelf is, the document must say what is found.
//!
//! `PREGAO_WRITE_DOCS=1` writes the document anew.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests, outside of any test function")]

#[path = "../support/mod.rs"]
mod support;

mod adjusted;
mod document;
mod documented;
mod shelf;

use std::fmt::Write as _;

use documented::Verdict;
use shelf::Shelf;

/// One test, because the shelf takes seconds to read and each part is about the same series.
#[test]
fn the_documented_defects_are_found_and_the_document_says_which() {
    let Some(shelf) = Shelf::read() else { return };
    let rows = documented::rows(&shelf);
    let adjusted = adjusted::compare(&shelf);
    let mut table = String::from("| documented | by | found | |\n|---|---|---|---|\n");
    for row in &rows {
        writeln!(table, "| {} | {} | {} | {} |", row.documented, row.by, row.verdict.name(), row.detail).unwrap();
    }
    eprintln!("{table}");
    for row in &rows {
        assert_eq!(row.verdict, row.expected, "{}: {}", row.documented, row.detail);
    }
    assert!(rows.iter().filter(|row| row.verdict == Verdict::Found).count() >= 30);
    document::holds("defects", &table);
    document::holds("rules", &documented::rules_table(&shelf));
    document::holds("common", &documented::common(&shelf));
    document::holds("undocumented", &documented::undocumented(&shelf));
    document::holds("adjustment", &adjusted::summary(&adjusted));
    document::is("docs/data-quality-adjustment.csv", &adjusted::by_ticker(&adjusted));
    adjusted::write_all(&adjusted);
}

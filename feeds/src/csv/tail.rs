//! A growing file of quotes: what another program appends, line by line.
//!
//! Only whole lines are taken; half a line waits for its end. A bad line is told and passed over:
//! one slip of the writer must not silence the feed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use csv::ByteRecord;
use market::{InstrumentId, Quote, Symbol};

use super::{CsvError, LineFault, Row, columns_error, places};

const TAIL_COLUMNS: [&str; 6] = ["ts", "symbol", "bid", "ask", "bid_size", "ask_size"];
/// The most that one look at a growing file takes in; the rest waits for the next look.
const MOST_PER_LOOK: u64 = 1 << 20;
/// A line longer than this is not one of ours: the writer has lost its line ends.
const LONGEST_LINE: usize = 4096;
/// Bad lines told of one look at a growing file; the rest is counted.
const MOST_FAULTS: usize = 20;
/// Bytes before the place reached that must be found again in a file that only grew. Longer than a
/// line, so that a time of its own is among them.
const MARK: usize = 128;

/// What one look at a growing file brought.
#[derive(Debug, Default)]
pub struct Look {
    /// Good lines, in the order of the file.
    pub quotes: Vec<(Symbol, Quote)>,
    /// The first bad lines, at most 20.
    pub faults: Vec<LineFault>,
    /// How many bad lines there were; all were skipped.
    pub skipped: u64,
    /// The file was cut or replaced, and is read from its beginning again.
    pub started_over: bool,
}

impl Look {
    fn skip(&mut self, fault: LineFault) {
        self.skipped += 1;
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(fault);
        }
    }
}

/// A file of quotes that another program appends to.
///
/// A file that was cut, or replaced by another, is read from its beginning. It is known by the
/// bytes before the place reached: they must still be there. What was appended to the old one after
/// the last look is lost then; the new one has fresher quotes.
#[derive(Debug)]
pub struct QuoteTail {
    path: PathBuf,
    /// Bytes of whole lines taken in.
    offset: u64,
    line: u64,
    places: Option<Vec<usize>>,
    /// What stands before `offset`: tells a cut or replaced file from one that grew.
    mark: Vec<u8>,
}

impl QuoteTail {
    /// Of this file, which need not exist yet. What it holds already is read at the first look.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), offset: 0, line: 0, places: None, mark: Vec::new() }
    }

    /// Takes in what was appended since the last look, whole lines only. The quotes carry
    /// instrument number 0: the caller knows which symbols it follows.
    ///
    /// # Errors
    /// The file is there but cannot be read, or its first line does not name the columns.
    pub fn look(&mut self) -> Result<Look, CsvError> {
        let mut look = Look::default();
        let unreadable = |source| CsvError::Unreadable { path: self.path.clone(), source };
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(look),
            Err(error) => return Err(unreadable(error)),
        };
        if !self.is_marked(&mut file).map_err(unreadable)? {
            (self.offset, self.line, self.places, look.started_over) = (0, 0, None, true);
            self.mark.clear();
        }
        file.seek(SeekFrom::Start(self.offset)).map_err(unreadable)?;
        let mut text = Vec::new();
        file.take(MOST_PER_LOOK).read_to_end(&mut text).map_err(unreadable)?;
        let Some(end) = text.iter().rposition(|byte| *byte == b'\n') else {
            if text.len() > LONGEST_LINE {
                let reason = format!("no line end within {} bytes; skipped", text.len());
                let value = String::from_utf8_lossy(&text[..20]).into_owned();
                look.skip(LineFault { line: self.line + 1, field: "line", value, reason });
                self.pass(&text);
            }
            return Ok(look);
        };
        for line in text[..end].split(|byte| *byte == b'\n') {
            self.take(line, &mut look)?;
            self.line += 1;
        }
        self.pass(&text[..=end]);
        Ok(look)
    }

    /// Whether the bytes before the place reached are those that were read there.
    fn is_marked(&self, file: &mut File) -> io::Result<bool> {
        let length = self.mark.len() as u64;
        let mut found = Vec::with_capacity(self.mark.len());
        file.seek(SeekFrom::Start(self.offset - length))?;
        file.by_ref().take(length).read_to_end(&mut found)?;
        Ok(found == self.mark)
    }

    /// These bytes are done with.
    fn pass(&mut self, text: &[u8]) {
        self.offset += text.len() as u64;
        self.mark.extend_from_slice(&text[text.len().saturating_sub(MARK)..]);
        self.mark.drain(..self.mark.len().saturating_sub(MARK));
    }

    fn take(&mut self, line: &[u8], look: &mut Look) -> Result<(), CsvError> {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(());
        }
        let record: ByteRecord = line.split(|byte| *byte == b',').collect();
        let Some(places) = &self.places else {
            let found = places(&record, &TAIL_COLUMNS);
            self.places = Some(found.map_err(|problem| columns_error(&self.path, &TAIL_COLUMNS, problem))?);
            return Ok(());
        };
        let row = Row { record: &record, names: &TAIL_COLUMNS, places, line: self.line + 1 };
        match row.has_all_fields().and_then(|()| tail_quote(&row)) {
            Ok(quote) => look.quotes.push(quote),
            Err(fault) => look.skip(fault),
        }
        Ok(())
    }
}

fn tail_quote(row: &Row<'_>) -> Result<(Symbol, Quote), LineFault> {
    let symbol = Symbol::from_bytes(row.field(1)).ok_or_else(|| row.fault(1, "is not a B3 symbol such as PETR4"))?;
    let quote = Quote {
        at: row.timestamp(0)?,
        instrument: InstrumentId::new(0),
        bid: row.price(2)?,
        ask: row.price(3)?,
        bid_size: row.quantity(4)?,
        ask_size: row.quantity(5)?,
    };
    if !quote.is_sound() {
        return Err(row.fault(2, "both sides must have a price and a size, with bid below ask"));
    }
    Ok((symbol, quote))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn a_growing_file_brings_whole_lines_once() {
        let mut file = file("ts,symbol,bid,ask,bid_size,ask_size\n1,PETR4,10.00,10.01,100,100\n2,PETR4,10.0");
        let mut tail = QuoteTail::new(file.path());
        assert_eq!(tail.look().unwrap().quotes.len(), 1);
        assert_eq!(tail.look().unwrap().quotes.len(), 0);
        file.write_all(b"1,10.02,100,100\n3,PE TR4,1,2,1,1\n4,VALE3,x,2,1,1\n5,VALE3,20.00,20.01,1,1\n").unwrap();
        let look = tail.look().unwrap();
        let symbols: Vec<String> = look.quotes.iter().map(|(symbol, _)| symbol.to_string()).collect();
        assert_eq!(symbols, ["PETR4", "VALE3"]);
        let faults: Vec<(u64, &str)> = look.faults.iter().map(|fault| (fault.line, fault.field)).collect();
        assert_eq!(faults, [(4, "symbol"), (5, "bid")]);
    }

    #[test]
    fn a_cut_or_replaced_file_is_read_anew_and_a_missing_one_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quotes.csv");
        let mut tail = QuoteTail::new(&path);
        assert_eq!(tail.look().unwrap().quotes.len(), 0);
        let head = "ts,symbol,bid,ask,bid_size,ask_size\n";
        std::fs::write(&path, format!("{head}1,PETR4,1,2,1,1\n2,PETR4,1,2,1,1\n")).unwrap();
        assert_eq!(tail.look().unwrap().quotes.len(), 2);
        std::fs::write(&path, format!("{head}3,PETR4,1,2,1,1\n")).unwrap();
        let look = tail.look().unwrap();
        assert!(look.started_over);
        assert_eq!(look.quotes.len(), 1);
        std::fs::write(&path, "what,is,this\n").unwrap();
        assert!(tail.look().is_err());
    }

    #[test]
    fn a_file_that_only_grew_is_never_read_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quotes.csv");
        let mut text = String::from("ts,symbol,bid,ask,bid_size,ask_size\n");
        let mut tail = QuoteTail::new(&path);
        let mut times = Vec::new();
        for ts in 1_514_487_600_000_000_000_i64..1_514_487_600_000_000_050 {
            text.push_str(&format!("{ts},PETR4,10.00,10.01,100,100\n"));
            // A writer that makes the whole file anew each time is as good as one that appends.
            let fresh = folder.path().join("fresh.csv");
            std::fs::write(&fresh, &text).unwrap();
            std::fs::rename(&fresh, &path).unwrap();
            let look = tail.look().unwrap();
            assert!(!look.started_over);
            times.extend(look.quotes.iter().map(|(_, quote)| quote.at.as_nanos() - 1_514_487_600_000_000_000));
        }
        assert_eq!(times, (0..50).collect::<Vec<_>>());
        // Cut and filled again beyond the place reached: longer, and yet another file.
        std::fs::write(&path, text.replace("15144876", "15145740") + "\n\n\n").unwrap();
        let look = tail.look().unwrap();
        assert!(look.started_over);
        assert_eq!(look.quotes.len(), 50);
    }

    #[test]
    fn bad_lines_are_counted_and_only_the_first_are_told() {
        let head = "ts,symbol,bid,ask,bid_size,ask_size\n";
        let mut text = format!("{head}{}", "1,PETR4,38,10,38,11,100,100\n".repeat(50));
        text.push_str(&"x".repeat(LONGEST_LINE + 1));
        let mut file = file(&text);
        let mut tail = QuoteTail::new(file.path());
        let look = tail.look().unwrap();
        assert_eq!((look.quotes.len(), look.skipped, look.faults.len()), (0, 50, MOST_FAULTS));
        assert!(look.faults[0].to_string().contains("has 8 fields where 6 belong"), "{}", look.faults[0]);
        assert_eq!(tail.look().unwrap().skipped, 1);
        file.write_all(b"\n2,PETR4,10.00,10.01,100,100\n").unwrap();
        assert_eq!(tail.look().unwrap().quotes.len(), 1);
    }
}

//! A stream of lines to records and a verdict on the whole.
//!
//! `Reader` owns the buffer, the line numbers and the counts. Records come out while the file is
//! read; whether the file was good is known at its end, from [`Reader::finish`].

use std::collections::BTreeMap;
use std::io::Read;

use chrono::Datelike;
use market::{DailyRecord, Date, InstrumentKind};

use super::buffer::Buffer;
use super::flags::{Flag, Flags};
use super::layout::{self, LINE_LENGTH};
use super::record::{Line, Parser, Refusal};
use super::refusal::{Fault, FileError, LINE_ERRORS_SHOWN, LineError, Refused, Thousands, shown};

/// What the first line of a file says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Year of the sessions in it.
    pub year: u16,
    /// When the exchange made the file; it makes old years anew, so this may be years later.
    pub generated: Date,
}

/// What was in a good file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Its header.
    pub header: Header,
    /// Lines, header and trailer included: what the trailer states too.
    pub lines: u64,
    /// Records.
    pub records: u64,
    /// Records of each session.
    pub sessions: BTreeMap<Date, u64>,
    /// Records of each market type (TPMERC).
    pub market_types: BTreeMap<u16, u64>,
    /// Records of each kind.
    pub kinds: BTreeMap<InstrumentKind, u64>,
    /// Records with each flag; a flag that never showed is not listed.
    pub flags: BTreeMap<Flag, u64>,
}

/// Reads one COTAHIST text.
///
/// ```
/// # use feeds::cotahist::Reader;
/// # fn keep(_: &market::DailyRecord) {}
/// # let text: &[u8] = b"";
/// let mut reader = Reader::new(text);
/// while let Some(record) = reader.next_record() {
///     keep(record);
/// }
/// match reader.finish() {
///     Ok(summary) => println!("{} records", summary.records),
///     Err(refused) => println!("{refused}"),
/// }
/// ```
pub struct Reader<R> {
    buffer: Buffer<R>,
    parser: Parser,
    /// Lines taken, blank ones after the trailer excepted.
    lines: u64,
    place: Place,
    header: Option<(Header, HeaderText)>,
    /// The header's.
    year: u16,
    file_error: Option<FileError>,
    line_errors: Vec<LineError>,
    wrong_lines: u64,
    counts: Counts,
}

/// Which part of the file is next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Header,
    Quotes,
    /// Only blank lines may follow the trailer.
    AfterTrailer,
    /// At the end, or a `file_error` says why not.
    Stopped,
}

/// Positions 3 to 31 of header and trailer, which must be alike.
type HeaderText = [u8; 29];

impl<R: Read> Reader<R> {
    /// Reads from here; nothing is read before the first record is asked for.
    pub fn new(input: R) -> Self {
        Self {
            buffer: Buffer::new(input),
            parser: Parser::new(),
            lines: 0,
            place: Place::Header,
            header: None,
            year: 0,
            file_error: None,
            line_errors: Vec::new(),
            wrong_lines: 0,
            counts: Counts::new(),
        }
    }

    /// The next good record; wrong lines are noted and passed over. None at the end of the file,
    /// or where reading on makes no sense: `finish` tells which.
    #[inline]
    pub fn next_record(&mut self) -> Option<&DailyRecord> {
        if self.advance() { self.parser.record() } else { None }
    }

    /// To the next good record; false if there is none.
    #[inline]
    fn advance(&mut self) -> bool {
        loop {
            // Nearly every line takes this way: no search for its end.
            if self.place == Place::Quotes
                && let Some(line) = self.buffer.whole_quote()
                && let Ok((record, flags)) = self.parser.parse(line)
            {
                let session = record.date;
                let taken = self.counts.take(record, flags, self.year);
                self.buffer.take(LINE_LENGTH + 2);
                self.lines += 1;
                if taken {
                    return true;
                }
                self.stop(FileError::YearDiffers { line: self.lines, session, year: self.year });
            }
            match self.any_line() {
                Step::Record => return true,
                Step::Other => {}
                Step::End => return false,
            }
        }
    }

    /// Bytes of the text read so far.
    pub fn bytes_read(&self) -> u64 {
        self.buffer.passed()
    }

    /// Reads what is left and gives the verdict.
    pub fn finish(mut self) -> Result<Summary, Refused> {
        while self.next_record().is_some() {}
        match self.header {
            Some((header, _)) if self.file_error.is_none() && self.wrong_lines == 0 => {
                Ok(self.counts.into_summary(header, self.lines))
            }
            _ => Err(Refused {
                path: None,
                file: self.file_error,
                lines: self.line_errors,
                wrong_lines: self.wrong_lines,
            }),
        }
    }

    /// Takes the next line, whatever it is.
    #[cold]
    #[inline(never)]
    fn any_line(&mut self) -> Step {
        if self.place == Place::Stopped {
            return Step::End;
        }
        let line = match self.buffer.line() {
            Ok(Some(line)) => line,
            Ok(None) => return self.end(),
            Err(source) => return self.stop(FileError::ReadFailed { lines: self.lines, source }),
        };
        let text = self.buffer.text(&line);
        let number = self.lines + 1;
        let mut step = Step::Other;
        let outcome = match self.place {
            Place::Header => header(text).map(|header| {
                self.header = Some(header);
                self.year = header.0.year;
                self.place = Place::Quotes;
                wrong_length(text, line.length)
            }),
            Place::AfterTrailer if text.trim_ascii().is_empty() => {
                self.buffer.take(line.whole);
                return Step::Other;
            }
            Place::AfterTrailer | Place::Stopped => Err(FileError::DataAfterTrailer { line: number }),
            Place::Quotes if text.starts_with(b"99") => {
                let common = self.header.map(|(_, common)| common).unwrap_or([b' '; 29]);
                trailer(text, &common, number).map(|()| {
                    self.place = Place::AfterTrailer;
                    wrong_length(text, line.length)
                })
            }
            Place::Quotes => match quote(&mut self.parser, text, line.length) {
                Err(wrong) => Ok(Some(wrong)),
                Ok((record, flags)) => {
                    step = Step::Record;
                    if self.counts.take(record, flags, self.year) {
                        Ok(None)
                    } else {
                        Err(FileError::YearDiffers { line: number, session: record.date, year: self.year })
                    }
                }
            },
        };
        match outcome {
            Err(error) => return self.stop(error),
            Ok(None) => {}
            Ok(Some(((field, fault), value))) => {
                self.wrong_lines += 1;
                if self.line_errors.len() < LINE_ERRORS_SHOWN {
                    self.line_errors.push(LineError { line: number, field, value, fault });
                }
            }
        }
        self.buffer.take(line.whole);
        self.lines = number;
        step
    }

    /// The file ends here: it may only do so after its trailer.
    fn end(&mut self) -> Step {
        match self.place {
            Place::Header => self.stop(FileError::Empty),
            Place::Quotes => self.stop(FileError::NoTrailer { lines: Thousands(self.lines) }),
            Place::AfterTrailer | Place::Stopped => {
                self.place = Place::Stopped;
                Step::End
            }
        }
    }

    fn stop(&mut self, error: FileError) -> Step {
        self.file_error = Some(error);
        self.place = Place::Stopped;
        Step::End
    }
}

/// What a line of any kind came to.
enum Step {
    Record,
    Other,
    End,
}

/// A refused field with the text to show.
type Shown = (Refusal, String);

fn wrong_length(text: &[u8], length: usize) -> Option<Shown> {
    (length != LINE_LENGTH).then(|| ((&layout::TIPREG, Fault::Length(length)), shown(text)))
}

fn quote<'a>(parser: &'a mut Parser, text: &[u8], length: usize) -> Result<(&'a DailyRecord, Flags), Shown> {
    let Ok(line) = <&Line>::try_from(text) else {
        return Err(((&layout::TIPREG, Fault::Length(length)), shown(text)));
    };
    if !line.starts_with(b"01") {
        return Err(((&layout::TIPREG, Fault::RecordType), shown(&line[layout::TIPREG.range()])));
    }
    parser.parse(line).map_err(|(field, fault)| ((field, fault), shown(line[field.range()].trim_ascii_end())))
}

fn header(text: &[u8]) -> Result<(Header, HeaderText), FileError> {
    parse_header(text).ok_or_else(|| FileError::NoHeader { found: shown(text.trim_ascii_end()) })
}

fn parse_header(text: &[u8]) -> Option<(Header, HeaderText)> {
    let common: HeaderText = text.get(2..31)?.try_into().ok()?;
    let year = text.strip_prefix(b"00COTAHIST.")?.get(..4)?;
    let generated = text.get(layout::GENERATED.range())?;
    let number = |digits: &[u8]| {
        let all = digits.iter().all(u8::is_ascii_digit);
        all.then(|| digits.iter().fold(0_u32, |value, digit| value * 10 + u32::from(digit & 0x0F)))
    };
    let day = number(generated)?;
    let generated = Date::from_ymd_opt((day / 10_000) as i32, day / 100 % 100, day % 100)?;
    Some((Header { year: number(year)? as u16, generated }, common))
}

fn trailer(text: &[u8], header: &HeaderText, lines: u64) -> Result<(), FileError> {
    let common = text.get(2..31).unwrap_or_default();
    if common != header {
        return Err(FileError::HeaderAndTrailerDiffer { header: shown(header), trailer: shown(common) });
    }
    let total = text.get(layout::TOTAL.range()).unwrap_or_default();
    if total.is_empty() || !total.iter().all(u8::is_ascii_digit) {
        return Err(FileError::CountUnreadable { found: shown(total) });
    }
    let stated = total.iter().fold(0, |value, digit| value * 10 + u64::from(digit & 0x0F));
    if stated == lines {
        Ok(())
    } else {
        Err(FileError::CountDiffers { stated: Thousands(stated), counted: Thousands(lines) })
    }
}

/// Running counts behind a `Summary`, cheap to add to.
struct Counts {
    records: u64,
    session: Date,
    session_records: u64,
    sessions: BTreeMap<Date, u64>,
    /// By TPMERC, three digits.
    market_types: Vec<u64>,
    kinds: [u64; InstrumentKind::ALL.len()],
    flags: [u64; Flag::ALL.len()],
}

impl Counts {
    fn new() -> Self {
        Self {
            records: 0,
            session: Date::MIN,
            session_records: 0,
            sessions: BTreeMap::new(),
            market_types: vec![0; 1_000],
            kinds: [0; InstrumentKind::ALL.len()],
            flags: [0; Flag::ALL.len()],
        }
    }

    /// Counts a record; false if its year is another.
    #[inline]
    fn take(&mut self, record: &DailyRecord, flags: Flags, year: u16) -> bool {
        if record.date != self.session {
            if record.date.year() != i32::from(year) {
                return false;
            }
            self.close_session();
            self.session = record.date;
        }
        self.records += 1;
        self.session_records += 1;
        self.market_types[usize::from(record.market_type)] += 1;
        self.kinds[record.kind as usize] += 1;
        if !flags.is_empty() {
            flags.iter().for_each(|flag| self.flags[flag as usize] += 1);
        }
        true
    }

    fn close_session(&mut self) {
        if self.session_records > 0 {
            *self.sessions.entry(self.session).or_default() += self.session_records;
            self.session_records = 0;
        }
    }

    fn into_summary(mut self, header: Header, lines: u64) -> Summary {
        self.close_session();
        fn seen<K: Ord>(counts: impl Iterator<Item = (K, u64)>) -> BTreeMap<K, u64> {
            counts.filter(|(_, count)| *count > 0).collect()
        }
        Summary {
            header,
            lines,
            records: self.records,
            sessions: self.sessions,
            market_types: seen((0..).zip(self.market_types)),
            kinds: seen(InstrumentKind::ALL.into_iter().zip(self.kinds)),
            flags: seen(Flag::ALL.into_iter().zip(self.flags)),
        }
    }
}

//! A stream of lines to records and a verdict on the whole.
//!
//! `Reader` owns the buffer, the line numbers and the counts. Records come out while the file is
//! read; whether the file was good is known at its end, from [`Reader::finish`].

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;

use chrono::Datelike;
use market::{DailyRecord, Date, InstrumentKind};

use super::flags::{Flag, Flags};
use super::layout::{self, LINE_LENGTH};
use super::record::{Fault, Line, LineError, Parser, Refusal, shown};

/// Line errors that are kept to be shown; the rest is counted.
pub const LINE_ERRORS_SHOWN: usize = 20;

/// Read at a time. Large enough to make the system call cheap, small enough for the cache.
const BUFFER: usize = 128 * 1024;

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

/// Why a file as a whole is no COTAHIST file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be opened.
    #[error("it cannot be opened; check that it exists and may be read")]
    Unreadable(#[source] io::Error),
    /// Reading failed on the way.
    #[error("reading failed after line {lines}: the file or the disk is damaged; download it again")]
    ReadFailed {
        /// Lines read before.
        lines: u64,
        /// Why.
        source: io::Error,
    },
    /// It starts like a ZIP and is none.
    #[error("it is a ZIP file that cannot be unpacked: the download was cut short; download it again")]
    BadZip(#[source] zip::result::ZipError),
    /// A ZIP without the text.
    #[error("the ZIP holds no COTAHIST text ({found}); give the file as B3 publishes it")]
    NoTextInside {
        /// What it holds.
        found: String,
    },
    /// A ZIP with more than one.
    #[error("the ZIP holds several texts ({found}); give one file at a time, as B3 publishes them")]
    SeveralTextsInside {
        /// Their names.
        found: String,
    },
    /// Nothing in it.
    #[error("it is empty; B3 answers so on a day without session, otherwise download it again")]
    Empty,
    /// The first line is something else.
    #[error("its first line is no COTAHIST header but '{found}'; give a file that B3 calls COTAHIST_…")]
    NoHeader {
        /// Its beginning.
        found: String,
    },
    /// It stops without a trailer.
    #[error("it ends after line {lines} without a trailer: it was cut short; download it again")]
    NoTrailer {
        /// Lines that are there.
        lines: Thousands,
    },
    /// The trailer counts other lines than there are.
    #[error("its trailer states {stated} lines and it has {counted}: lines were lost; download it again")]
    CountDiffers {
        /// What the trailer says.
        stated: Thousands,
        /// What was read.
        counted: Thousands,
    },
    /// The trailer's count is no number.
    #[error("its trailer states '{found}' lines, which is no number; download it again")]
    CountUnreadable {
        /// What stands there.
        found: String,
    },
    /// Header and trailer are of two files.
    #[error("its header says '{header}' and its trailer '{trailer}': two files were joined; download it again")]
    HeaderAndTrailerDiffer {
        /// What the header says.
        header: String,
        /// What the trailer says.
        trailer: String,
    },
    /// Something follows the trailer.
    #[error("line {line} follows the trailer: two files were joined; give them one by one")]
    DataAfterTrailer {
        /// Which line.
        line: u64,
    },
    /// A session of another year than the header's.
    #[error("line {line} is of {session} in a file of {year}: it was put together by hand; download it again")]
    YearDiffers {
        /// Which line.
        line: u64,
        /// Its session.
        session: Date,
        /// The header's year.
        year: u16,
    },
}

/// A count, shown with separators: `1,911`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Thousands(pub u64);

impl fmt::Display for Thousands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let places = digits.len();
        let grouped: String = digits
            .chars()
            .enumerate()
            .flat_map(|(at, digit)| {
                let separator = at > 0 && (places - at).is_multiple_of(3);
                separator.then_some(',').into_iter().chain([digit])
            })
            .collect();
        f.pad(&grouped)
    }
}

/// A refused file: nothing of it may be kept.
#[derive(Debug)]
pub struct Refused {
    /// Which file, where there is one.
    pub path: Option<PathBuf>,
    /// What is wrong with it as a whole.
    pub file: Option<FileError>,
    /// The first wrong lines, at most [`LINE_ERRORS_SHOWN`].
    pub lines: Vec<LineError>,
    /// How many lines were wrong.
    pub wrong_lines: u64,
}

impl From<FileError> for Refused {
    fn from(error: FileError) -> Self {
        Self { path: None, file: Some(error), lines: Vec::new(), wrong_lines: 0 }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{} was refused, nothing of it is kept", path.display())?,
            None => f.write_str("the file was refused, nothing of it is kept")?,
        }
        if let Some(error) = &self.file {
            write!(f, "\n  {error}")?;
        }
        for error in &self.lines {
            write!(f, "\n  {error}")?;
        }
        match self.wrong_lines - self.lines.len() as u64 {
            0 => Ok(()),
            more => write!(f, "\n  and {} more wrong lines", Thousands(more)),
        }
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.file.as_ref().and_then(std::error::Error::source)
    }
}

/// Reads one COTAHIST text.
///
/// ```
/// # use feeds::cotahist::Reader;
/// # fn keep(_: market::DailyRecord) {}
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
            buffer: Buffer { input, held: vec![0; BUFFER], start: 0, end: 0, at_end: false, dropped: 0 },
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
        self.buffer.dropped + self.buffer.start as u64
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
        let text = &self.buffer.held[line.content.clone()];
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

/// The part of the file that is in memory.
struct Buffer<R> {
    input: R,
    held: Vec<u8>,
    start: usize,
    end: usize,
    at_end: bool,
    /// Bytes that were held before.
    dropped: u64,
}

/// One line in the buffer.
struct Found {
    /// Its bytes without line end; the beginning only, where the line is longer than the buffer.
    content: std::ops::Range<usize>,
    /// Its length without line end.
    length: usize,
    /// Bytes to pass over to reach the next.
    whole: usize,
}

impl<R: Read> Buffer<R> {
    /// The next line, if it is in memory, starts `01` and ends `CR LF` after 245 bytes.
    #[inline]
    fn whole_quote(&self) -> Option<&Line> {
        let window = self.held[self.start..self.end].first_chunk::<{ LINE_LENGTH + 2 }>()?;
        let shaped = window[..2] == *b"01" && window[LINE_LENGTH..] == *b"\r\n";
        if shaped { window.first_chunk() } else { None }
    }

    /// The next line, whatever it is. None at the end of the file.
    fn line(&mut self) -> io::Result<Option<Found>> {
        let mut searched = 0;
        loop {
            let held = &self.held[self.start..self.end];
            if let Some(at) = held[searched..].iter().position(|byte| *byte == b'\n') {
                return Ok(Some(self.found(searched + at, 1)));
            }
            if self.at_end {
                return Ok(if held.is_empty() { None } else { Some(self.found(held.len(), 0)) });
            }
            if held.len() == self.held.len() {
                return self.endless_line().map(Some);
            }
            searched = held.len();
            self.fill()?;
        }
    }

    fn found(&self, length: usize, line_end: usize) -> Found {
        let content = &self.held[self.start..self.start + length];
        let length = content.strip_suffix(b"\r").unwrap_or(content).len();
        Found { content: self.start..self.start + length, length, whole: content.len() + line_end }
    }

    /// A line that fills the buffer: keep its beginning and read over the rest.
    fn endless_line(&mut self) -> io::Result<Found> {
        const KEPT: usize = 4 * LINE_LENGTH;
        let mut length = self.end;
        self.dropped += (self.end - KEPT) as u64;
        loop {
            self.end = KEPT;
            self.fill()?;
            let fresh = &self.held[KEPT..self.end];
            let line_end = fresh.iter().position(|byte| *byte == b'\n');
            let of_line = line_end.unwrap_or(fresh.len());
            length += of_line - usize::from(fresh[..of_line].ends_with(b"\r"));
            if line_end.is_some() || self.at_end {
                // The rest of the buffer is the next line's: close the gap.
                let whole = of_line + usize::from(line_end.is_some());
                self.held.copy_within(KEPT + whole..self.end, KEPT);
                self.end -= whole;
                self.dropped += whole as u64;
                return Ok(Found { content: 0..KEPT, length, whole: KEPT });
            }
            self.dropped += of_line as u64;
        }
    }

    /// Reads more behind what is held, which moves to the front first.
    fn fill(&mut self) -> io::Result<()> {
        self.dropped += self.start as u64;
        self.held.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        loop {
            match self.input.read(&mut self.held[self.end..]) {
                Ok(0) => self.at_end = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }

    #[inline]
    fn take(&mut self, bytes: usize) {
        self.start += bytes;
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

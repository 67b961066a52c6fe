//! The part of a file that is in memory, and the lines in it.
//!
//! Lines are looked at where they lie. One that is as long as it should be is not even searched
//! for its end; one that never ends does not fill the memory.

use std::io::{self, Read};
use std::ops::Range;

use super::layout::LINE_LENGTH;
use super::record::Line;

/// Read at a time. Large enough to make the system call cheap, small enough for the cache.
const BUFFER: usize = 128 * 1024;

/// A window on the file.
pub(super) struct Buffer<R> {
    input: R,
    held: Vec<u8>,
    start: usize,
    end: usize,
    at_end: bool,
    /// Bytes that were held before.
    dropped: u64,
}

/// One line in the buffer.
pub(super) struct Found {
    /// Its bytes without line end; the beginning only, where the line is longer than the buffer.
    content: Range<usize>,
    /// Its length without line end.
    pub(super) length: usize,
    /// Bytes to pass over to reach the next.
    pub(super) whole: usize,
}

impl<R: Read> Buffer<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, held: vec![0; BUFFER], start: 0, end: 0, at_end: false, dropped: 0 }
    }

    /// Bytes of the file that are done with.
    pub(super) fn passed(&self) -> u64 {
        self.dropped + self.start as u64
    }

    /// A line that was found, without its end.
    pub(super) fn text(&self, line: &Found) -> &[u8] {
        &self.held[line.content.clone()]
    }

    /// The next line, if it is in memory, starts `01` and ends `CR LF` after 245 bytes.
    #[inline]
    pub(super) fn whole_quote(&self) -> Option<&Line> {
        let window = self.held[self.start..self.end].first_chunk::<{ LINE_LENGTH + 2 }>()?;
        let shaped = window[..2] == *b"01" && window[LINE_LENGTH..] == *b"\r\n";
        if shaped { window.first_chunk() } else { None }
    }

    /// The next line, whatever it is. None at the end of the file.
    pub(super) fn line(&mut self) -> io::Result<Option<Found>> {
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
    pub(super) fn take(&mut self, bytes: usize) {
        self.start += bytes;
    }
}

//! A look at SQLite's write-ahead log before SQLite recovers it.
//!
//! Recovery takes the log up to the first frame that is not right and drops the rest without a
//! word. That is right for a torn tail: the last transaction was being written when the power went,
//! and nobody was told that it is stored. It is wrong for damage in the middle: intents that were
//! synced, and sent, would vanish, and the chain of what is left would hold. The two can be told
//! apart, because each commit is synced before the next transaction begins: a bad frame with two
//! commits at or after it cannot be a torn write. Then nothing is opened.
//!
//! What this cannot see: a log cut off at its end, damage in the very last transaction (both look
//! like a torn write), and a commit frame before the last that no longer shows that it is one. There
//! the broker's reports are what finds it, as after the loss of a whole disk.
//!
//! The format is SQLite's, <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>: a header of
//! 32 bytes, then frames, each a header of 24 bytes and a page. Numbers are big-endian. Checksums run
//! from the header through all frames. A log that starts over keeps the old frames behind the new
//! ones; they have other salts.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::database::system_failure;
use crate::error::StoreError;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// Of the checksums: words are read little-endian, or big-endian with the last bit set.
const MAGIC: u32 = 0x377f_0682;
/// From how many commits on a bad frame is damage rather than a torn write.
const TOO_MANY_COMMITS: u32 = 2;

/// Where a log is damaged.
#[derive(PartialEq, Eq, Debug)]
enum Damage {
    /// The header; frames follow it.
    Header,
    /// This frame, counted from 1, at this byte.
    Frame { number: u64, offset: u64 },
}

/// The running checksum.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Checksum(u32, u32);

/// Refuses a database whose log is damaged in the middle.
///
/// # Errors
/// [`StoreError::Corrupt`] with the place, or a log that cannot be read.
pub(super) fn check(database: &Path) -> Result<(), StoreError> {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    let log = PathBuf::from(name);
    let found = settled(|| scan_file(&log));
    let found = found.map_err(|error| system_failure(&log, "read the write-ahead log", error))?;
    let problem = match found {
        None => return Ok(()),
        Some(Damage::Header) => {
            "its header does not match its checksum, yet frames follow it, so it is no torn write and committed \
             entries would be lost; keep a copy of the whole directory"
                .to_owned()
        }
        Some(Damage::Frame { number, offset }) => format!(
            "frame {number} at byte {offset} does not match its checksum, yet more than one commit follows, so it \
             is no torn write and committed entries would be lost; keep a copy of the whole directory"
        ),
    };
    Err(StoreError::Corrupt { place: log.display().to_string(), problem, source: None })
}

/// What two looks agree on. A reader may look while a writer starts the log over, and see the old
/// header with new frames. The writer puts down the new header first, so the next look sees that.
fn settled(mut look: impl FnMut() -> io::Result<Option<Damage>>) -> io::Result<Option<Damage>> {
    let Some(first) = look()? else { return Ok(None) };
    Ok(look()?.filter(|second| *second == first))
}

fn scan_file(log: &Path) -> io::Result<Option<Damage>> {
    match File::open(log) {
        Ok(file) => scan(&mut BufReader::new(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The first damage that cannot be a torn write.
fn scan(log: &mut impl Read) -> io::Result<Option<Damage>> {
    let mut header = [0; HEADER];
    if !filled(log, &mut header)? {
        return Ok(None);
    }
    let big_endian = word(&header, 0) == MAGIC | 1;
    let mut checksum = Checksum::default().over(&header[..24], big_endian);
    let page_size = word(&header, 8);
    let sound = word(&header, 0) | 1 == MAGIC | 1
        && checksum.stands_in(&header[24..])
        && page_size.is_power_of_two()
        && (512..=65536).contains(&page_size);
    if !sound {
        // It lies in one sector, which a disk writes whole or not at all, and is synced before the
        // first frame is written.
        let mut frame_header = [0; FRAME_HEADER];
        let followed = filled(log, &mut frame_header)? && word(&frame_header, 0) != 0;
        return Ok(followed.then_some(Damage::Header));
    }
    let salts = [word(&header, 16), word(&header, 20)];
    let mut frame = vec![0; FRAME_HEADER + usize::try_from(page_size).unwrap_or_default()];
    let mut number = 0;
    let mut bad = None;
    let mut commits_since = 0;
    while filled(log, &mut frame)? {
        number += 1;
        let salts_match = [word(&frame, 8) == salts[0], word(&frame, 12) == salts[1]];
        let commits = u32::from(word(&frame, 4) != 0);
        if bad.is_some() {
            commits_since += if salts_match == [true, true] { commits } else { 0 };
            continue;
        }
        checksum = checksum.over(&frame[..8], big_endian).over(&frame[FRAME_HEADER..], big_endian);
        if salts_match != [true, true] || word(&frame, 0) == 0 || !checksum.stands_in(&frame[16..]) {
            let offset = (HEADER as u64) + (number - 1) * (frame.len() as u64);
            // A frame from before the log started over shares neither salt.
            commits_since = if salts_match.contains(&true) { commits } else { 0 };
            bad = Some(Damage::Frame { number, offset });
        }
    }
    Ok(bad.filter(|_| commits_since >= TOO_MANY_COMMITS))
}

/// Whether there was enough left to fill it.
fn filled(log: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |four| u32::from_be_bytes(*four))
}

impl Checksum {
    fn over(self, bytes: &[u8], big_endian: bool) -> Self {
        let read = |four: [u8; 4]| if big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) };
        let (pairs, _) = bytes.as_chunks::<8>();
        pairs.iter().fold(self, |Self(first, second), &[a, b, c, d, e, f, g, h]| {
            let first = first.wrapping_add(read([a, b, c, d])).wrapping_add(second);
            Self(first, second.wrapping_add(read([e, f, g, h])).wrapping_add(first))
        })
    }

    fn stands_in(self, bytes: &[u8]) -> bool {
        self == Self(word(bytes, 0), word(bytes, 4))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::contract::journal::{entry, stored};
    use crate::{AccountTag, EmbeddedStore, Journal, Verification};
    use tempfile::TempDir;

    const FRAME: usize = FRAME_HEADER + 4096;

    fn paper() -> AccountTag {
        "PAPR".parse().unwrap()
    }

    /// What a power cut leaves after some entries, each its own synced transaction: copied while
    /// the connection is open, because closing it empties the log. And where each transaction ends.
    fn cut_off(entries: u64) -> (Vec<u8>, Vec<u8>, Vec<usize>) {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = EmbeddedStore::open(directory.path()).unwrap().journal().unwrap();
        let read = |name: &str| fs::read(directory.path().join(name)).unwrap();
        let mut ends = vec![read("pregao.db-wal").len()];
        for sequence in 1..=entries {
            journal.append(&[entry(paper(), sequence)]).unwrap();
            ends.push(read("pregao.db-wal").len());
        }
        (read("pregao.db"), read("pregao.db-wal"), ends)
    }

    /// In memory where there is such a place: hundreds are opened, each with its syncs, and none of them
    /// is about the disk.
    fn laid_out(database: &[u8], log: &[u8]) -> TempDir {
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        fs::write(directory.path().join("pregao.db"), database).unwrap();
        fs::write(directory.path().join("pregao.db-wal"), log).unwrap();
        directory
    }

    /// How many entries come back, none missing in between.
    #[track_caller]
    fn whole_prefix(directory: &TempDir) -> usize {
        let journal = EmbeddedStore::open(directory.path()).unwrap().journal().unwrap();
        let found = stored(&journal, paper(), 1).unwrap();
        let expected: Vec<_> = (1..=found.len() as u64).map(|sequence| entry(paper(), sequence)).collect();
        assert_eq!(found, expected);
        assert_eq!(journal.verify(paper()).unwrap(), Verification::Intact { entries: expected.len() as u64 });
        found.len()
    }

    /// Wherever the log ends, and whatever stands where a page was not written yet: what was synced
    /// before comes back whole.
    #[test]
    fn a_torn_tail_leads_back_to_the_entries_before_it() {
        let (database, log, ends) = cut_off(12);
        let before_last = ends[ends.len() - 2];
        // SQLite and we look at whole frames, so every byte matters near their ends and beginnings
        // only; the scan alone is tried at every byte of the last transaction.
        for cut in before_last..log.len() {
            assert_eq!(scan(&mut &log[..cut]).unwrap(), None, "cut at {cut}");
        }
        let near_frames = |cut: &usize| (cut - HEADER) % FRAME < 26 || (cut - HEADER) % FRAME > FRAME - 3;
        let cuts = (before_last..=log.len()).filter(near_frames).chain((0..before_last).step_by(1511));
        for cut in cuts {
            // Cut below the schema's own transactions nothing of ours is there yet.
            let expected = ends.iter().rposition(|end| *end <= cut).unwrap_or(0);
            assert_eq!(whole_prefix(&laid_out(&database, &log[..cut])), expected, "cut at {cut}");
        }
        for garbage in [0x00, 0xff] {
            let mut torn = log.clone();
            torn[before_last..].fill(garbage);
            assert_eq!(whole_prefix(&laid_out(&database, &torn)), 11);
        }
    }

    #[test]
    fn a_flipped_byte_in_the_last_transaction_is_cut_and_one_before_it_is_refused() {
        let (database, log, ends) = cut_off(12);
        let before_last = ends[ends.len() - 2];
        for at in (before_last..log.len()).step_by(331) {
            let mut flipped = log.clone();
            flipped[at] ^= 0x40;
            assert_eq!(whole_prefix(&laid_out(&database, &flipped)), 11, "byte {at}");
        }
        for at in (HEADER..before_last).step_by(509) {
            let mut flipped = log.clone();
            flipped[at] ^= 0x40;
            let directory = laid_out(&database, &flipped);
            let offset = at - (at - HEADER) % FRAME;
            let place = format!("frame {} at byte {offset} ", (at - HEADER) / FRAME + 1);
            for error in [
                EmbeddedStore::open(directory.path()).unwrap_err(),
                EmbeddedStore::open_read_only(directory.path()).unwrap_err(),
            ] {
                assert!(matches!(error, StoreError::Corrupt { .. }), "byte {at}: {error}");
                let text = error.to_string();
                assert!(text.contains("pregao.db-wal") && text.contains(&place), "byte {at}: {text}");
            }
            // And nothing was touched.
            assert_eq!(fs::read(directory.path().join("pregao.db-wal")).unwrap(), flipped);
        }
        for at in 0..HEADER {
            let mut flipped = log.clone();
            flipped[at] ^= 0x40;
            let error = EmbeddedStore::open(laid_out(&database, &flipped).path()).unwrap_err().to_string();
            assert!(error.contains("its header does not match its checksum"), "byte {at}: {error}");
        }
    }

    /// A log that was checkpointed and started over: old frames, with other salts, behind the new.
    #[test]
    fn frames_from_before_the_log_started_over_are_no_damage() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = EmbeddedStore::open(directory.path()).unwrap().journal().unwrap();
        let first: Vec<_> = (1..=3000).map(|sequence| entry(paper(), sequence)).collect();
        for batch in first.chunks(10) {
            journal.append(batch).unwrap();
        }
        // More frames than SQLite's 1000 until a checkpoint; the next write starts over.
        rusqlite::Connection::open(directory.path().join("pregao.db"))
            .unwrap()
            .query_row("PRAGMA wal_checkpoint(FULL)", [], |_| Ok(()))
            .unwrap();
        journal.append(&[entry(paper(), 3001)]).unwrap();
        let read = |name: &str| fs::read(directory.path().join(name)).unwrap();
        let (database, log) = (read("pregao.db"), read("pregao.db-wal"));
        let salts_of = |frame: usize| &log[HEADER + frame * FRAME + 8..][..8];
        let frames = (log.len() - HEADER) / FRAME;
        assert!(frames > 10 && salts_of(0) != salts_of(frames - 1), "the log did not start over");
        assert_eq!(whole_prefix(&laid_out(&database, &log)), 3001);
    }

    #[test]
    fn only_what_is_seen_twice_is_damage() {
        let at = |number| Some(Damage::Frame { number, offset: 0 });
        for (looks, expected) in
            [([None, at(1)], None), ([at(1), None], None), ([at(1), at(7)], None), ([at(1), at(1)], at(1))]
        {
            let mut looks = looks.into_iter();
            assert_eq!(settled(|| Ok(looks.next().unwrap())).unwrap(), expected);
        }
    }

    /// The log starts over again and again while others look at it.
    #[test]
    fn readers_beside_a_busy_writer_see_no_damage() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = EmbeddedStore::open(directory.path()).unwrap().journal().unwrap();
        std::thread::scope(|scope| {
            let writing = scope.spawn(move || {
                for first in (1..=3000).step_by(4) {
                    let batch: Vec<_> = (first..first + 4).map(|sequence| entry(paper(), sequence)).collect();
                    journal.append(&batch).unwrap();
                }
            });
            while !writing.is_finished() {
                EmbeddedStore::open_read_only(directory.path()).unwrap();
            }
        });
        assert_eq!(whole_prefix(&directory), 3000);
    }

    #[test]
    fn no_log_and_an_empty_one_are_fine() {
        let (database, ..) = cut_off(0);
        let directory = laid_out(&database, b"");
        EmbeddedStore::open(directory.path()).unwrap();
        assert_eq!(scan(&mut &b""[..]).unwrap(), None);
        assert_eq!(scan(&mut &[0_u8; 5000][..]).unwrap(), None);
        check(Path::new("no/such/pregao.db")).unwrap();
    }
}

//! The file `halt` in the data directory: what stops trading when nothing else can be reached.
//!
//! It is in force as long as it lies there. A watchdog writes it when the engine is silent, because the
//! store may be locked by an engine that is only paused; the engine looks for it at its start, and when
//! its risk monitors are heard again after a pause, before any new order can leave.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Its name in the data directory.
const FILE: &str = "halt";
/// What is read of one.
const LONGEST: usize = 1_024;

/// Stops new orders everywhere. One that lies there already stays as it is: it may ask for more.
///
/// # Errors
/// The file cannot be written.
pub fn write(directory: &Path, reason: &str) -> io::Result<()> {
    let path = directory.join(FILE);
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            file.write_all(text(reason).as_bytes())?;
            file.sync_all()?;
            // Its name is durable with its directory.
            fs::File::open(directory)?.sync_all()
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn text(reason: &str) -> String {
    format!("scope = global\naction = stop_new\nby = watchdog\nreason = {}\n", reason.replace('\n', " "))
}

/// Why trading is stopped, if the file lies there. One that cannot be read stops as well.
pub fn found(directory: &Path) -> Option<String> {
    let path = directory.join(FILE);
    match fs::read(&path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(bytes.get(..LONGEST).unwrap_or(&bytes)).into_owned();
            let pairs = text.lines().filter_map(|line| line.split_once(['=', ':']));
            let mut reasons = pairs.filter(|(key, _)| key.trim() == "reason").map(|(_, reason)| reason.trim());
            let reason = reasons.find(|reason| !reason.is_empty()).unwrap_or("no reason given");
            Some(format!("the file {} lies there: {reason}", path.display()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => Some(format!("the file {} cannot be read: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_found_and_what_lies_there_stays() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(found(directory.path()), None);
        write(directory.path(), "silent for 10 s\nand more").unwrap();
        let reason = found(directory.path()).unwrap();
        assert!(reason.ends_with("silent for 10 s and more"), "{reason}");
        write(directory.path(), "again").unwrap();
        assert_eq!(found(directory.path()).unwrap(), reason);
    }

    #[test]
    fn a_file_stops_whatever_it_says() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        for bytes in [&b""[..], b"\n", b"reason =", b"reason", &[0xFF; 4_096]] {
            fs::write(&path, bytes).unwrap();
            assert!(found(directory.path()).unwrap().ends_with("no reason given"));
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(found(directory.path()).unwrap().contains("cannot be read"));
    }
}

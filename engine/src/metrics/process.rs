//! What the process takes, as the system tells in `/proc`. Where there is none, nothing is told.

use std::fs;

/// The kernel's clock ticks in a second, as far as programs see: fixed at 100 on every Linux.
const TICKS: f64 = 100.0;

/// What it takes now.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Usage {
    /// Memory.
    pub resident_bytes: Option<f64>,
    /// File descriptors.
    pub open_files: Option<f64>,
    /// Threads.
    pub threads: Option<f64>,
    /// Processor time.
    pub cpu_seconds: Option<f64>,
}

impl Usage {
    /// Of this process.
    pub fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // Reading the folder opens one more.
        let open_files = fs::read_dir("/proc/self/fd").ok().map(|files| files.count().saturating_sub(1) as f64);
        Self { open_files, ..Self::of(&status, &stat) }
    }

    fn of(status: &str, stat: &str) -> Self {
        let line = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<f64>().ok()
        };
        // The second field is the program's name in brackets, which may hold anything.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |place: usize| fields.get(place)?.parse::<f64>().ok();
        Self {
            resident_bytes: line("VmRSS:").map(|kilobytes| kilobytes * 1024.0),
            open_files: None,
            threads: line("Threads:"),
            // utime and stime, the fields 14 and 15.
            cpu_seconds: ticks(11).zip(ticks(12)).map(|(user, system)| (user + system) / TICKS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_s_words_are_read_and_missing_ones_are_missing() {
        let status = "Name:\tpregao\nVmRSS:\t   2048 kB\nThreads:\t7\n";
        let stat = "12 (a) b) S 1 12 12 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 7 0 100 1 2";
        let usage = Usage::of(status, stat);
        assert_eq!(usage.resident_bytes, Some(2_097_152.0));
        assert_eq!((usage.threads, usage.cpu_seconds), (Some(7.0), Some(3.0)));
        assert_eq!(Usage::of("", ""), Usage::default());
    }

    #[test]
    fn this_process_takes_something() {
        let usage = Usage::now();
        for value in [usage.resident_bytes, usage.open_files, usage.threads] {
            assert!(value.is_some_and(|value| value >= 1.0), "{usage:?}");
        }
        assert!(usage.cpu_seconds.is_some(), "{usage:?}");
    }
}

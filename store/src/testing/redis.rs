//! A Redis server for a test: its own process, directory and Unix socket, nothing on disk.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use deadpool_redis::redis::{Client, Cmd, Connection, FromRedisValue};
use tempfile::TempDir;

use super::{PAUSE, START_LIMIT, signal};
use crate::quotes::RedisSettings;

/// A server, running unless it was stopped.
#[derive(Debug)]
pub struct RedisServer {
    directory: TempDir,
    options: Vec<String>,
    process: Option<Child>,
}

impl RedisServer {
    /// With the usual settings; `None`, with a word about it, where none is installed.
    ///
    /// # Panics
    /// If one is installed and does not start.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// The same with options such as `--maxmemory 3mb`, one word each.
    ///
    /// # Panics
    /// If one is installed and does not start.
    #[expect(clippy::print_stdout, reason = "a test that does not run says so")]
    pub fn start_with(options: &[&str]) -> Option<Self> {
        let found = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            println!("SKIPPED: no redis-server found in PATH; install redis-server");
            return None;
        }
        let directory = tempfile::tempdir().expect("a temporary directory");
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut server = Self { directory, options, process: None };
        server.start_again();
        Some(server)
    }

    /// Starts it after a stop, empty.
    ///
    /// # Panics
    /// If it does not take connections in time.
    pub fn start_again(&mut self) {
        // One that was killed leaves its socket behind.
        let _ = fs::remove_file(self.socket());
        let log = fs::File::options().create(true).append(true).open(self.log()).expect("a log file");
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"]).arg(self.socket());
        command.arg("--dir").arg(self.directory.path()).args(&self.options);
        self.process = Some(command.stdin(Stdio::null()).stdout(log).spawn().expect("redis-server"));
        let begun = Instant::now();
        while self.client().get_connection().is_err_and(|error| error.is_io_error()) {
            let ended = self.process.as_mut().is_none_or(|process| !matches!(process.try_wait(), Ok(None)));
            let log = || fs::read_to_string(self.log()).unwrap_or_default();
            assert!(!ended && begun.elapsed() < START_LIMIT, "the server does not start: {}", log());
            thread::sleep(PAUSE);
        }
    }

    /// Kills it.
    ///
    /// # Panics
    /// If it cannot be killed.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("a process to kill");
            process.wait().expect("the server's end");
        }
    }

    /// Stops it in its tracks: connections stay open, new ones are taken by the kernel, and nothing answers.
    pub fn pause(&self) {
        signal("STOP", &[self.id()]);
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        signal("CONT", &[self.id()]);
    }

    /// Its process; zero while it is stopped.
    pub fn id(&self) -> u32 {
        self.process.as_ref().map_or(0, Child::id)
    }

    /// Where its socket is.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
    }

    /// For hot quotes of this writer.
    pub fn settings(&self, writer: &str) -> RedisSettings {
        RedisSettings::new(self.url(), writer)
    }

    /// A connection without any limit.
    ///
    /// # Panics
    /// If it takes none.
    pub fn connection(&self) -> Connection {
        self.client().get_connection().expect("a connection")
    }

    /// Asks it one thing, such as `CONFIG SET maxmemory 1mb`; words are separated by spaces.
    ///
    /// # Panics
    /// If it refuses, or answers something else than `T`.
    pub fn ask<T: FromRedisValue>(&self, words: &str) -> T {
        let mut asked = Cmd::new();
        for word in words.split(' ') {
            asked.arg(word);
        }
        asked.query(&mut self.connection()).unwrap_or_else(|error| panic!("{words}: {error}"))
    }

    fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    fn client(&self) -> Client {
        Client::open(self.url()).expect("a URL")
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Killing also ends one that is paused.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

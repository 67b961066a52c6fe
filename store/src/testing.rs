//! Real things for a test: a Postgres or Redis server, and a disk that is small or read-only. Each is gone with
//! its value; where a machine cannot have it, that is said and the test passes without having run.
//!
//! A server is its own cluster in a temporary directory, on a Unix socket there. It takes `postgres`
//! and `initdb` from the PATH, or the newest under `/usr/lib/postgresql`. Postgres refuses to run as
//! root: then it runs as the user `postgres`, or `nobody`. A disk is a file system in memory, which
//! takes root to mount.

mod redis;

use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::postgres::PostgresSettings;

pub use redis::RedisServer;

/// The superuser of the cluster.
const USER: &str = "pregao";
/// Longest wait for a server that starts: it also recovers, on a machine that may be busy.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Limits of a store in a test that is not about limits.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// Where Debian, Ubuntu and their like put the servers of each version.
const INSTALLED: &str = "/usr/lib/postgresql";

/// A server, running unless it was stopped.
#[derive(Debug)]
pub struct Server {
    directory: TempDir,
    binaries: PathBuf,
    options: Vec<String>,
    user: Option<User>,
    process: Option<Child>,
}

/// A small file system in memory.
#[derive(Debug)]
pub struct Disk {
    directory: TempDir,
}

/// Somebody who is not root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User {
    pub(crate) id: u32,
    pub(crate) group: u32,
}

impl Server {
    /// A new cluster with the usual settings; `None`, with a word about it, where no server is
    /// installed.
    ///
    /// # Panics
    /// If one is installed and does not start.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// The same with settings such as `max_connections=5`.
    ///
    /// # Panics
    /// If one is installed and does not start.
    #[expect(clippy::print_stdout, reason = "a test that does not run says so")]
    pub fn start_with(options: &[&str]) -> Option<Self> {
        let Some(binaries) = binaries() else {
            println!("SKIPPED: no PostgreSQL server found in PATH or {INSTALLED}; install postgresql");
            return None;
        };
        let directory = tempfile::tempdir().expect("a temporary directory");
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut server = Self { directory, binaries, options, user: unprivileged(), process: None };
        server.give(server.directory.path());
        let made = server
            .command("initdb")
            .args(["--username", USER, "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync", "-D"])
            .arg(server.data())
            .output()
            .expect("initdb");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        server.start_again();
        Some(server)
    }

    /// Starts it after a stop.
    ///
    /// # Panics
    /// If it does not take connections in time.
    pub fn start_again(&mut self) {
        // `ready` may still stand there from before a crash.
        let _ = fs::remove_file(self.data().join("postmaster.pid"));
        let log = fs::File::options().create(true).append(true).open(self.log()).expect("a log file");
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).args(["-c", "listen_addresses=", "-k"]).arg(self.socket_directory());
        for option in &self.options {
            command.args(["-c", option]);
        }
        self.process = Some(command.stdout(Stdio::null()).stderr(log).spawn().expect("postgres"));
        let begun = Instant::now();
        while !self.is_ready() {
            let ended = self.process.as_mut().is_none_or(|process| !matches!(process.try_wait(), Ok(None)));
            let log = || fs::read_to_string(self.log()).unwrap_or_default();
            assert!(!ended && begun.elapsed() < START_LIMIT, "the server does not start: {}", log());
            thread::sleep(PAUSE);
        }
    }

    /// Stops it like a crash: nothing is finished, the next start recovers.
    ///
    /// # Panics
    /// If it cannot be told to.
    pub fn stop_at_once(&mut self) {
        if let Some(mut process) = self.process.take() {
            signal("QUIT", &[process.id()]);
            process.wait().expect("the server's end");
        }
    }

    /// Stops all its processes in their tracks: connections stay open and nothing answers.
    ///
    /// # Panics
    /// If it cannot be told to.
    pub fn pause(&self) {
        signal("STOP", &self.processes());
    }

    /// Lets them go on.
    ///
    /// # Panics
    /// If it cannot be told to.
    pub fn go_on(&self) {
        signal("CONT", &self.processes());
    }

    /// Where its socket is: the host of a connection.
    pub fn socket_directory(&self) -> &Path {
        self.directory.path()
    }

    /// For a store in this schema, with limits that a busy machine keeps; a test of limits sets its own.
    pub fn settings(&self, schema: &str) -> PostgresSettings {
        self.settings_through(self.socket_directory(), schema)
    }

    /// The same through another socket, such as a proxy's.
    pub fn settings_through(&self, socket_directory: &Path, schema: &str) -> PostgresSettings {
        let url = format!("host={} user={USER} dbname=postgres", socket_directory.display());
        PostgresSettings {
            schema: schema.to_owned(),
            statement_timeout: PATIENCE,
            connect_timeout: PATIENCE,
            ..PostgresSettings::new(url)
        }
    }

    /// Runs statements as the superuser and returns the rows of all of them, as text.
    ///
    /// # Panics
    /// If the server refuses them.
    pub fn sql(&self, statements: &str) -> Vec<Vec<Option<String>>> {
        let settings = format!("host={} user={USER} dbname=postgres", self.socket_directory().display());
        let run = async {
            let (client, connection) = tokio_postgres::connect(&settings, NoTls).await.expect("a connection");
            let driver = tokio::spawn(connection);
            let messages = client.simple_query(statements).await;
            drop(client);
            let _ = driver.await;
            messages.unwrap_or_else(|error| panic!("{statements}: {error:?}"))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let messages = thread::scope(|scope| scope.spawn(|| runtime.block_on(run)).join()).expect("an answer");
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
            }
            _ => None,
        });
        rows.collect()
    }

    /// Gives this directory to the server's user, for a tablespace.
    ///
    /// # Panics
    /// If the system refuses.
    pub fn give(&self, directory: &Path) {
        if let Some(User { id, group }) = self.user {
            chown(directory, Some(id), Some(group)).expect("a directory for the server's user");
        }
    }

    /// Adds a line at the top of `pg_hba.conf`, such as `local all maria scram-sha-256`.
    ///
    /// # Panics
    /// If the file cannot be changed.
    pub fn admit(&self, line: &str) {
        let file = self.data().join("pg_hba.conf");
        let before = fs::read_to_string(&file).expect("pg_hba.conf");
        fs::write(&file, format!("{line}\n{before}")).expect("pg_hba.conf");
        self.sql("SELECT pg_reload_conf()");
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// The server writes its state into the eighth line of this file.
    fn is_ready(&self) -> bool {
        let state = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        state.lines().nth(7).is_some_and(|line| line.trim() == "ready")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        command.current_dir(self.directory.path()).env("LC_ALL", "C").stdin(Stdio::null());
        if let Some(User { id, group }) = self.user {
            command.uid(id).gid(group);
        }
        command
    }

    /// The first process, then those that it started.
    fn processes(&self) -> Vec<u32> {
        let first = self.process.as_ref().map_or(0, Child::id);
        let started_by_it = |id: &u32| {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            // `id (name) state parent …`, and a name may hold spaces and parentheses.
            let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
            parent == Some(first)
        };
        let all = fs::read_dir("/proc").expect("/proc").flatten();
        let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        std::iter::once(first).chain(ids.filter(started_by_it)).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = &self.process {
            // A paused one would not hear that it should stop.
            let _ = Command::new("sh").args(["-c", &format!("kill -CONT {}", process.id())]).status();
        }
        if !thread::panicking() {
            self.go_on();
        }
        self.stop_at_once();
    }
}

impl Disk {
    /// One of this size, such as `512k`; `None`, with a word about it, for whoever may not mount one.
    ///
    /// # Panics
    /// Without a temporary directory.
    #[expect(clippy::print_stdout, reason = "a test that does not run says so")]
    pub fn mount(size: &str) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        if !mount(&["-t", "tmpfs", "-o", &format!("size={size}"), "pregao-test"], directory.path()) {
            println!("SKIPPED: this user may not mount a file system (not root, or a container without that right)");
            return None;
        }
        Some(Self { directory })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Makes it read-only (`ro`) or writable again (`rw`).
    ///
    /// # Panics
    /// If the system refuses: a file on it may be open for writing.
    pub fn remount(&self, how: &str) {
        assert!(mount(&["-o", &format!("remount,{how}")], self.path()), "remount {how}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn mount(arguments: &[&str], directory: &Path) -> bool {
    Command::new("mount").args(arguments).arg(directory).output().is_ok_and(|output| output.status.success())
}

fn signal(name: &str, processes: &[u32]) {
    let list: Vec<String> = processes.iter().map(u32::to_string).collect();
    let sent =
        Command::new("sh").args(["-c", &format!("kill -{name} {}", list.join(" "))]).stderr(Stdio::null()).status();
    // One of them may have ended meanwhile, which is no reason to stop.
    sent.expect("sh");
}

fn binaries() -> Option<PathBuf> {
    let complete = |directory: &PathBuf| ["postgres", "initdb"].iter().all(|name| directory.join(name).is_file());
    let path = env::var_os("PATH").unwrap_or_default();
    let in_path = env::split_paths(&path).find(complete);
    in_path.or_else(|| {
        let version = |directory: &PathBuf| directory.file_name()?.to_str()?.parse::<u32>().ok();
        let installed = fs::read_dir(INSTALLED).ok()?.flatten().map(|entry| entry.path());
        let newest_first = {
            let mut all: Vec<_> = installed.collect();
            all.sort_by_key(|directory| std::cmp::Reverse(version(directory)));
            all
        };
        newest_first.into_iter().map(|directory| directory.join("bin")).find(complete)
    })
}

/// Whom to run as instead of root; `None` for whoever is not root.
pub(crate) fn unprivileged() -> Option<User> {
    if fs::metadata("/proc/self").map_or(true, |process| process.uid() != 0) {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map(str::parse);
        Some(User { id: numbers.next()?.ok()?, group: numbers.next()?.ok()? })
    };
    find("postgres").or_else(|| find("nobody"))
}

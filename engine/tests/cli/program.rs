//! Runs the program and reads what it says.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Long enough for a busy machine; it only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// An empty directory to work in.
pub(crate) struct Room {
    directory: TempDir,
}

/// What the program said.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// The program, ready to be started here, with nothing of this machine's settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pregao"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PREGAO_") {
                command.env_remove(name);
            }
        }
        command.env_remove("RUST_LOG").current_dir(self.directory.path()).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn pregao(&self, arguments: &[&str]) -> Told {
        told(self.command(arguments))
    }

    /// Starts the program and listens to what it logs.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::of(self.command(arguments))
    }

    /// Imports the shipped samples.
    pub(crate) fn with_samples(self) -> Self {
        let samples = samples();
        let files: Vec<String> = samples.iter().map(|path| path.display().to_string()).collect();
        let mut arguments = vec!["data", "import"];
        arguments.extend(files.iter().map(String::as_str));
        self.pregao(&arguments).done();
        self
    }
}

/// Runs a command to its end.
pub(crate) fn told(mut command: Command) -> Told {
    let output = command.output().unwrap();
    Told {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Told {
    /// It did its job.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// It failed with this code and said each of these.
    #[track_caller]
    pub(crate) fn failed(self, code: i32, said: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        for words in said {
            assert!(self.err.contains(words), "'{words}' is not in\n{}", self.err);
        }
        self
    }

    /// The one JSON document on standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let mut documents: Vec<Value> =
            serde_json::Deserializer::from_str(&self.out).into_iter().collect::<Result<_, _>>().unwrap_or_default();
        assert_eq!(documents.len(), 1, "not one JSON document: {self:?}");
        documents.remove(0)
    }
}

/// The program at work.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    heard: Vec<String>,
    listening: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts a command and listens to what it logs.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let log = BufReader::new(child.stderr.take().unwrap());
        let listening = std::thread::spawn(move || {
            for line in log.lines() {
                // The test may have stopped listening; the pipe must be emptied all the same.
                let _ = sender.send(line.unwrap());
            }
        });
        Self { child, lines, heard: Vec::new(), listening: Some(listening) }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has logged these words; the line that has them.
    #[track_caller]
    pub(crate) fn until(&mut self, words: &str) -> String {
        let give_up = Instant::now() + PATIENCE;
        loop {
            if let Some(line) = self.heard.iter().find(|line| line.contains(words)) {
                return line.clone();
            }
            let left = give_up.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.heard.push(line),
                Err(_) => panic!("'{words}' was never logged:\n{}", self.heard.join("\n")),
            }
        }
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends the signal of that name.
    pub(crate) fn signal(&self, name: &str) {
        let done = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.id())]).status().unwrap();
        assert!(done.success());
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Told {
        let give_up = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < give_up, "it does not end: {}", self.heard.join("\n"));
            std::thread::sleep(Duration::from_millis(5));
        };
        let mut out = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.listening.take().unwrap().join().unwrap();
        self.heard.extend(self.lines.try_iter());
        Told { code: status.code(), out, err: self.heard.join("\n") }
    }
}

impl Drop for Running {
    /// A failed test leaves no daemon behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The folder that the whole workspace stands in.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The shipped files.
pub(crate) fn samples() -> [PathBuf; 3] {
    ["COTAHIST_A2016.ZIP", "COTAHIST_A2017.ZIP", "ibovespa.csv"].map(|name| workspace().join("samples").join(name))
}

/// Market data that is not part of the repository; says visibly when it is absent.
pub(crate) fn shared_data(folder: &str) -> Option<PathBuf> {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let path = std::env::var_os("PREGAO_SHARED_DATA").map_or_else(usual, PathBuf::from).join(folder);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("SKIPPED: no {}; set PREGAO_SHARED_DATA to the folder with the shared data", path.display());
    None
}

/// Every key of the document stands in docs/json.md under one of these commands.
#[track_caller]
pub(crate) fn assert_documented(document: &Value, commands: &[&str]) {
    let text = std::fs::read_to_string(workspace().join("docs/json.md")).unwrap();
    let sections: Vec<&str> = commands
        .iter()
        .map(|command| {
            let heading = format!("\n## `{command}`\n");
            let (_, rest) = text.split_once(&heading).unwrap_or_else(|| panic!("docs/json.md has no '{heading}'"));
            rest.split("\n## ").next().unwrap_or_default()
        })
        .collect();
    for key in document.as_object().unwrap().keys() {
        let named = format!("`{key}`");
        assert!(
            sections.iter().any(|text| text.contains(&named)),
            "docs/json.md does not tell '{key}' of {commands:?}"
        );
    }
}

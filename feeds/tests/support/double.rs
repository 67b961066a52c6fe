//! A server on loopback that answers as it is told, also very badly, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Path and query.
    pub(crate) path: String,
    headers: Vec<(String, String)>,
}

impl Asked {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(held, _)| held.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// How to answer.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Properly: status, headers, body, with its length.
    Reply(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// These bytes, then the connection is closed.
    Raw(Vec<u8>),
    /// Never.
    Silence,
    /// By breaking the connection.
    Reset,
    /// These bytes, and then more of the last ones until nobody listens any more.
    Endless(Vec<u8>, Vec<u8>),
}

impl Answer {
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::Reply(200, Vec::new(), body.into())
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::Reply(status, Vec::new(), b"no".to_vec())
    }

    pub(crate) fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        match self {
            Self::Reply(status, mut headers, body) => {
                headers.push((name, value.into()));
                Self::Reply(status, headers, body)
            }
            other => other,
        }
    }
}

type Handler = dyn Fn(&Asked, usize) -> Answer + Send + Sync;

/// The server. It ends with its test.
pub(crate) struct Double {
    /// Scheme, host and port.
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What carries a connection: plain, or under TLS.
pub(crate) trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}
type Wrap = dyn Fn(TcpStream) -> Box<dyn Wire> + Send + Sync;

impl Double {
    /// Answers each request by the handler, which is told how many came before.
    pub(crate) fn start(handler: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_over("http", handler, |stream| Box::new(stream))
    }

    /// The same over something else than the bare stream.
    pub(crate) fn start_over(
        scheme: &str,
        handler: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static,
        wrap: impl Fn(TcpStream) -> Box<dyn Wire> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://localhost:{}", listener.local_addr().unwrap().port());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (handler, wrap): (Arc<Handler>, Arc<Wrap>) = (Arc::new(handler), Arc::new(wrap));
        let (seen, stopped) = (Arc::clone(&asked), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Acquire) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (seen, handler, wrap) = (Arc::clone(&seen), Arc::clone(&handler), Arc::clone(&wrap));
                std::thread::spawn(move || {
                    // Who has gone away is none of our business.
                    let _ = serve(stream, &seen, &*handler, &*wrap);
                });
            }
        });
        Self { url, asked, stop, thread: Some(thread) }
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let _ = TcpStream::connect(self.url.rsplit_once("//").map_or("", |(_, address)| address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(stream: TcpStream, seen: &Mutex<Vec<Asked>>, handler: &Handler, wrap: &Wrap) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.set_write_timeout(Some(Duration::from_secs(20)))?;
    let mut wire = BufReader::new(wrap(stream));
    let mut line = String::new();
    wire.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        line.clear();
        wire.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
            None => break,
        }
    }
    let asked = Asked { path, headers };
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(asked.clone());
        seen.len() - 1
    };
    let wire = wire.get_mut();
    match handler(&asked, number) {
        Answer::Reply(status, headers, body) => {
            let mut head = format!("HTTP/1.1 {status} Told\r\nConnection: close\r\n");
            if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) && status != 204 {
                head.push_str(&format!("Content-Length: {}\r\n", body.len()));
            }
            headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
            wire.write_all(head.as_bytes())?;
            wire.write_all(b"\r\n")?;
            wire.write_all(&body)?;
            wire.flush()
        }
        Answer::Raw(bytes) => {
            wire.write_all(&bytes)?;
            wire.flush()
        }
        Answer::Silence => wire.read_to_end(&mut Vec::new()).map(|_| ()),
        Answer::Reset => {
            // Half an answer, then nothing: the client sees the end of the stream amid the head.
            wire.write_all(b"HTTP/1.1 200 O")
        }
        Answer::Endless(head, more) => {
            wire.write_all(&head)?;
            loop {
                wire.write_all(&more)?;
            }
        }
    }
}

//! Alerts over a loopback receiver that is well, slow, dead, and up and down. Nothing here is held up by it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Sender, channel};

use super::*;

fn alert(number: usize) -> Alert {
    Alert::error("daily_loss", Timestamp::from_nanos(0), "daily_loss", format!("number {number}"))
}

/// How a receiver answers its next request.
type Conduct = Arc<dyn Fn(usize) -> u16 + Send + Sync>;

/// Answers every request as `conduct` says, by their number; 0 closes without an answer. Bodies go out.
fn receiver(conduct: Conduct) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the system's choice");
    let url = format!("http://{}/alerts", listener.local_addr().expect("it is bound"));
    let (seen, bodies) = channel();
    std::thread::spawn(move || {
        let requests = AtomicUsize::new(0);
        for stream in listener.incoming().flatten() {
            let number = requests.fetch_add(1, Ordering::Relaxed);
            if answer(stream, conduct(number), &seen).is_none() {
                return;
            }
        }
    });
    (url, bodies)
}

fn answer(mut stream: TcpStream, status: u16, seen: &Sender<String>) -> Option<()> {
    let body = request(&mut stream).unwrap_or_default();
    if status == 0 {
        return Some(());
    }
    let _ = write!(stream, "HTTP/1.1 {status} As told\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    if status < 300 { seen.send(body).ok() } else { Some(()) }
}

/// The body of one request.
fn request(stream: &mut TcpStream) -> Option<String> {
    let (mut text, mut chunk) = (Vec::new(), [0; 1_024]);
    loop {
        let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
        text.extend_from_slice(&chunk[..read]);
        let all = String::from_utf8_lossy(&text).into_owned();
        let Some((head, body)) = all.split_once("\r\n\r\n") else { continue };
        let length = head.to_ascii_lowercase();
        let length = length.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        if length.is_none_or(|length| body.len() >= length) {
            return Some(body.to_owned());
        }
    }
}

fn notifier(url: String) -> Notifier {
    let webhook = Some(WebhookSettings { url });
    Notifier::start(&NotifierSettings { webhook, ..NotifierSettings::default() }).expect("threads")
}

fn stats(alerts: &Alerts, name: &str) -> ChannelStats {
    alerts.stats().into_iter().find(|stats| stats.channel == name).expect("a channel of that name")
}

/// Waits for something that the channels bring about; the limit only ends a test that hangs.
fn until(what: &str, holds: impl Fn() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < Duration::from_secs(30), "{what} never came about");
        std::thread::yield_now();
    }
}

#[test]
fn an_alert_arrives_as_json_at_every_channel() {
    let (url, bodies) = receiver(Arc::new(|_| 204));
    let listeners = Listeners::default();
    let mut listening = listeners.subscribe();
    let settings = NotifierSettings { webhook: Some(WebhookSettings { url }), listeners };
    let notifier = Notifier::start(&settings).expect("threads");
    let alerts = notifier.alerts();
    alerts.raise(Alert { level: Some("reducing"), ..alert(1) });
    let body: serde_json::Value = serde_json::from_str(&bodies.recv().expect("it arrives")).expect("JSON");
    let expected = serde_json::json!({
        "alert": "daily_loss", "severity": "error", "at": "1970-01-01T00:00:00Z", "scope": "account",
        "level": "reducing", "by": "daily_loss", "reason": "number 1",
    });
    assert_eq!(body, expected);
    assert_eq!(listening.blocking_recv().expect("it is told").reason, "number 1");
    until("everything is delivered", || ["log", "stream", "webhook"].iter().all(|name| stats(&alerts, name).sent == 1));
    // It is counted as sent a moment before it does not wait any more.
    until("nothing waits", || stats(&alerts, "webhook").waiting_nanoseconds == 0);
    let told = stats(&alerts, "webhook");
    assert_eq!((told.failed, told.dropped, told.given_up), (0, 0, 0));
    assert!(told.last_nanoseconds > 0 && told.longest_nanoseconds == told.last_nanoseconds);
}

#[test]
fn a_receiver_that_comes_and_goes_gets_every_alert_in_order() {
    let (url, bodies) = receiver(Arc::new(|number| [0, 503, 204, 429, 0, 204][number % 6]));
    let notifier = notifier(url);
    let alerts = notifier.alerts();
    (1..=4).for_each(|number| alerts.raise(alert(number)));
    for number in 1..=4 {
        let body = bodies.recv().expect("it arrives in the end");
        assert!(body.contains(&format!("number {number}")), "{body}");
    }
    until("the last is counted", || stats(&alerts, "webhook").sent == 4);
    let told = stats(&alerts, "webhook");
    assert_eq!((told.failed, told.dropped, told.given_up), (8, 0, 0), "two tries failed before each");
}

#[test]
fn what_is_refused_for_good_is_given_up_and_the_next_goes_out() {
    let (url, bodies) = receiver(Arc::new(|number| if number == 0 { 403 } else { 200 }));
    let notifier = notifier(url);
    let alerts = notifier.alerts();
    alerts.raise(alert(1));
    alerts.raise(alert(2));
    assert!(bodies.recv().expect("the second arrives").contains("number 2"));
    until("both are counted", || stats(&alerts, "webhook").sent == 1);
    assert_eq!(stats(&alerts, "webhook").given_up, 1);
}

/// A receiver that takes the connection and never answers is the worst there is: each try hangs to its end.
#[test]
fn a_receiver_that_hangs_holds_up_nobody_and_what_finds_no_room_is_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the system's choice");
    let notifier = notifier(format!("http://{}/", listener.local_addr().expect("it is bound")));
    let alerts = notifier.alerts();
    let flood = QUEUE + 500;
    let mut longest = Duration::ZERO;
    for number in 0..flood {
        let before = Instant::now();
        alerts.raise(alert(number));
        longest = longest.max(before.elapsed());
    }
    // Far below one try: whoever raises them waits for none.
    assert!(longest < Duration::from_secs(1), "raising took {longest:?}");
    until("the stream has everything that it had room for", || {
        let told = stats(&alerts, "stream");
        told.sent + told.dropped == flood as u64
    });
    let told = stats(&alerts, "webhook");
    assert_eq!(told.sent, 0);
    assert!(told.dropped >= 499, "{told:?}");
    assert!(told.waiting_nanoseconds > 0, "and the monitor of alerts can see it");
    drop(listener);
}

#[test]
fn a_dead_receiver_costs_a_stop_no_more_than_its_grace() {
    // Bound and dropped: nobody listens there.
    let url = format!("http://{}/", TcpListener::bind("127.0.0.1:0").and_then(|on| on.local_addr()).expect("a port"));
    let notifier = notifier(url);
    let alerts = notifier.alerts();
    (0..20).for_each(|number| alerts.raise(alert(number)));
    until("it was tried", || stats(&alerts, "webhook").failed > 0);
    drop(notifier);
    let told = stats(&alerts, "webhook");
    assert_eq!((told.sent, told.given_up), (0, 20), "each was tried once more");
    alerts.raise(alert(99));
    assert_eq!(stats(&alerts, "webhook").dropped, 1, "nobody is there any more");
}

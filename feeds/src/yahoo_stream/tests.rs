//! The stream against a WebSocket server on loopback that does what it is told.

use std::collections::VecDeque;
use std::sync::Mutex;

use market::Timestamp;
use tokio::net::TcpListener;
use tokio_tungstenite::accept_async;

use super::pricing::tests::Message as Priced;
use super::*;

/// No time of its own: the stream asks it for chance only.
struct NoTime;

impl Time for NoTime {
    fn now(&self) -> Timestamp {
        Timestamp::MIN
    }

    fn sleep(&self, _: Duration) {}

    fn chance(&self) -> u64 {
        0
    }
}

/// What the server does with a connection after the subscription.
#[derive(Clone)]
enum Act {
    /// Says this.
    Say(String),
    /// Keeps alive and says nothing.
    PingForEver,
    /// Says the same for ever, without a pause.
    Flood(String),
    /// Closes.
    Close,
    /// Breaks off without a word.
    Drop,
    /// Never answers the handshake.
    Ignore,
}

const PATIENCE: Patience = Patience {
    connect: Duration::from_millis(300),
    silence: Duration::from_millis(300),
    first_pause: Duration::from_millis(2),
    longest_pause: Duration::from_millis(20),
};

fn price(id: &str, price: f32) -> Act {
    let bytes = Priced::default().text(1, id).float(2, price).signed(3, 1_795_784_701_000).signed(9, 700).0;
    Act::Say(format!(r#"{{"type":"pricing","message":"{}"}}"#, STANDARD.encode(bytes)))
}

/// A server whose n-th connection does the n-th list; and what it was told.
async fn serve(connections: Vec<Vec<Act>>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}", listener.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&heard);
    tokio::spawn(async move {
        let mut connections: VecDeque<Vec<Act>> = connections.into();
        while let Some(acts) = connections.pop_front() {
            let Ok((stream, _)) = listener.accept().await else { return };
            if let [Act::Ignore] = acts[..] {
                // Held open until the client has had enough.
                tokio::spawn(async move {
                    let _ = stream.readable().await;
                    tokio::time::sleep(Duration::from_secs(5)).await;
                });
                continue;
            }
            let mut socket = accept_async(stream).await.unwrap();
            let first = socket.next().await.unwrap().unwrap();
            told.lock().unwrap().push(first.to_text().unwrap().to_owned());
            for act in acts {
                match act {
                    Act::Say(text) => socket.send(Message::text(text)).await.unwrap(),
                    Act::Close => socket.close(None).await.unwrap(),
                    Act::Drop | Act::Ignore => break,
                    Act::Flood(text) => while socket.send(Message::text(text.as_str())).await.is_ok() {},
                    Act::PingForEver => {
                        while socket.send(Message::Ping("x".into())).await.is_ok() {
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                    }
                }
            }
        }
    });
    (address, heard)
}

fn stream(address: String) -> YahooStream {
    let symbols = ["PETR4", "IBOV"].map(|symbol| symbol.parse().unwrap());
    YahooStream::new(Some(address), &symbols, PATIENCE, None, Arc::new(NoTime)).unwrap()
}

fn show(told: Told) -> String {
    match told {
        Told::Connected => "connected".to_owned(),
        Told::Quote(quote) => format!("{} {} {:?}", quote.symbol, quote.last, quote.volume),
        Told::Dropped(dropped) => format!("dropped: {dropped}"),
        Told::Lost(lost) => format!("lost: {lost}"),
    }
}

#[tokio::test]
async fn it_connects_again_and_subscribes_to_everything_again_whatever_happens() {
    let (address, heard) = serve(vec![
        vec![price("PETR4.SA", 41.33), price("^BVSP", 160_123.45), Act::Close],
        vec![price("PETR4.SA", 41.34), Act::Drop],
        vec![Act::Ignore],
        vec![Act::PingForEver],
        vec![price("PETR4.SA", 41.35), Act::PingForEver],
    ])
    .await;
    let told: Vec<String> = stream(address).into_stream().take(12).map(show).collect().await;
    let expected = [
        "connected",
        "PETR4 41.33 Some(700)",
        "IBOV 160123.45 Some(700)",
        "lost: yahoo_stream: the connection broke: it was closed",
        "connected",
        "PETR4 41.34 Some(700)",
        "lost: yahoo_stream: the connection broke: ",
        "lost: yahoo_stream: no connection in time",
        "connected",
        "lost: yahoo_stream: connected, and no price for 300ms",
        "connected",
        "PETR4 41.35 Some(700)",
    ];
    assert_eq!(told.len(), expected.len());
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told} where {expected} belongs");
    }
    let heard = heard.lock().unwrap().clone();
    assert_eq!(heard, vec![r#"{"subscribe":["PETR4.SA","^BVSP"]}"#; 4]);
}

#[tokio::test]
async fn what_makes_no_sense_is_dropped_and_told_and_the_rest_goes_on() {
    let say = |text: &str| Act::Say(text.to_owned());
    let (address, _) = serve(vec![vec![
        say(r#"{"type":"subscribed"}"#),
        say("<html>"),
        say(r#"{"type":"pricing"}"#),
        say(r#"{"type":"pricing","message":"%%%"}"#),
        say(r#"{"type":"pricing","message":"CgE="}"#),
        price("VALE3.SA", 60.0),
        price("PETR4.SA", -1.0),
        say(&"x".repeat(MOST_BYTES + 1)),
    ]])
    .await;
    let told: Vec<String> = stream(address).into_stream().take(8).map(show).collect().await;
    for (told, expected) in told.iter().zip([
        "connected",
        "dropped: yahoo_stream, line 1, column 1: it is no JSON",
        "dropped: yahoo_stream, $.message: it is missing",
        "dropped: yahoo_stream: a message is no base64: %%%",
        "dropped: yahoo_stream: a message is no price",
        "dropped: yahoo_stream: a price of 'VALE3.SA' came, which was not asked for",
        "dropped: yahoo_stream: a message is no price",
        "lost: yahoo_stream: the connection broke: Space limit exceeded",
    ]) {
        assert!(told.starts_with(expected), "{told} where {expected} belongs");
    }
}

#[tokio::test]
async fn a_flood_of_anything_but_prices_is_silence() {
    for text in [r#"{"type":"heartbeat"}"#, "<html>"] {
        let (address, _) = serve(vec![vec![Act::Flood(text.to_owned())]]).await;
        let mut stream = stream(address);
        let lost = loop {
            match stream.next().await {
                Told::Connected | Told::Dropped(_) => {}
                other => break show(other),
            }
        };
        assert_eq!(lost, "lost: yahoo_stream: connected, and no price for 300ms", "{text}");
    }
}

#[tokio::test]
async fn pauses_double_up_to_a_limit_and_a_price_makes_them_short_again() {
    let mut stream = stream("ws://127.0.0.1:1".to_owned());
    let mut pauses = Vec::new();
    for _ in 0..6 {
        let before = Instant::now();
        stream.pause();
        pauses.push((stream.not_before - before).as_millis());
    }
    // Half of 2, 4, 8, 16 and 20 twice: the chance is none.
    assert_eq!(pauses, [1, 2, 4, 8, 10, 10]);
    stream.not_before = Instant::now();
    let told = show(stream.next().await);
    assert!(told.starts_with("lost: yahoo_stream: no connection: "), "{told}");
}

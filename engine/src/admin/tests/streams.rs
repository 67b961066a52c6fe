//! WebSockets: what they tell, and whom they let go.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::admin::roles::Role;

use super::stage::{PATIENCE, Stage};

type Socket = WebSocketStream<TlsStream<TcpStream>>;

async fn open(stage: &Stage, query: &str, token: &str) -> Result<Socket, u16> {
    let mut request = format!("wss://localhost/v1/stream{query}").into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    match tokio_tungstenite::client_async(request, stage.connect().await).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

/// The next event for which this holds.
async fn next(socket: &mut Socket, wanted: impl Fn(&Value) -> bool) -> Value {
    let reading = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    let event: Value = serde_json::from_str(&text).unwrap();
                    if wanted(&event) {
                        return event;
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("the stream ended: {other:?}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the event")
}

/// The code that the stream is closed with.
async fn closed(socket: &mut Socket) -> Option<u16> {
    let reading = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                _ => return None,
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the end of the stream")
}

#[tokio::test(flavor = "multi_thread")]
async fn quotes_and_alerts_come_as_they_happen() {
    let stage = Stage::new().await;
    let mut socket = open(&stage, "", &stage.of(Role::Viewer)).await.unwrap();
    stage.quote(2_000).await;
    let event = next(&mut socket, |event| event["type"] == "quote" && event["bid"] == "20.00").await;
    assert_eq!((&event["symbol"], &event["ask"]), (&"TEST0".into(), &"20.01".into()), "{event}");
    // Many at once: the latest is told, not all of them.
    for cents in 2_001..2_200 {
        stage.quote(cents).await;
    }
    next(&mut socket, |event| event["type"] == "quote" && event["bid"] == "21.99").await;

    let mut alerts = open(&stage, "?topics=alerts", &stage.of(Role::Viewer)).await.unwrap();
    // The watcher has seen how things stood once it tells a difference.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(stage.ask("POST", "/v1/kill", &stage.of(Role::Operator), None).await.status, 200);
    // Who stopped it and why, at once, and then how things stand.
    let raised = next(&mut alerts, |_| true).await;
    let told = &raised["raised"];
    assert_eq!(
        (&raised["type"], &told["alert"], &told["scope"]),
        (&"alert".into(), &"halted".into(), &"global".into())
    );
    assert_eq!((&told["by"], &raised["halts"][0]["level"]), (&"otto".into(), &"stop_new".into()), "{raised}");
    let alert = next(&mut alerts, |event| event.get("raised").is_none()).await;
    assert_eq!((&alert["type"], &alert["message"]), (&"alert".into(), &"global stop_new".into()), "{alert}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_listen_is_not_let_in() {
    let stage = Stage::new().await;
    assert_eq!(open(&stage, "", "x").await.err(), Some(401));
    let token = stage.of(Role::Viewer);
    assert_eq!(open(&stage, &format!("?access_token={token}"), &token).await.err(), Some(400));
    assert_eq!(open(&stage, "?topics=secrets", &token).await.err(), Some(400));
    stage.ask("GET", "/v1/stream", &token, None).await.is_problem(426);
    let mut own = Vec::new();
    for _ in 0..4 {
        own.push(open(&stage, "", &token).await.unwrap());
    }
    assert_eq!(open(&stage, "", &token).await.err(), Some(429));
    assert!(open(&stage, "", &stage.of(Role::Admin)).await.is_ok(), "others still may");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_only_tells() {
    let stage = Stage::new().await;
    let mut socket = open(&stage, "", &stage.of(Role::Viewer)).await.unwrap();
    socket.send(Message::text("{\"kill\":true}")).await.unwrap();
    assert_eq!(closed(&mut socket).await, Some(1003));
    let mut socket = open(&stage, "", &stage.of(Role::Viewer)).await.unwrap();
    // Larger than anything it may say: the connection ends, whatever the code.
    let _ = socket.send(Message::binary(vec![0; 100_000])).await;
    closed(&mut socket).await;
    assert_eq!(stage.ask("GET", "/v1/state", &stage.of(Role::Viewer), None).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_take_events_in_time_is_let_go() {
    use crate::admin::stream::Event;
    use std::sync::Arc;
    let stage = Stage::new().await;
    let mut slow = open(&stage, "?topics=alerts", &stage.of(Role::Viewer)).await.unwrap();
    let mut quick = open(&stage, "?topics=alerts", &stage.of(Role::Operator)).await.unwrap();
    super::stage::until("both listen", || stage.admin.app.streams.listeners() == 2).await;
    let taking = tokio::spawn(async move {
        while let Some(Ok(message)) = quick.next().await {
            if message.to_text().is_ok_and(|text| text.contains("the last one")) {
                return true;
            }
        }
        false
    });
    // What the system's buffers hold, and the bound, and more: in steps that whoever reads can take.
    let large = "x".repeat(20_000);
    let tell = |message: String| {
        stage.admin.app.streams.tell(Event::Alert { message, halts: Vec::new(), raised: None });
    };
    for round in 0..600 {
        tell(format!("{round} {large}"));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    tell("the last one".to_owned());
    assert!(taking.await.unwrap(), "whoever takes them in time hears all");
    let waiting = Arc::clone(&stage.admin.app);
    super::stage::until("the slow one is let go", move || waiting.streams.listeners() == 0).await;
    // What was on its way is still read, and then the reason, if it found room.
    let code = closed(&mut slow).await;
    assert!(matches!(code, Some(4008) | None), "{code:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_when_the_daemon_does() {
    let stage = Stage::new().await;
    let mut socket = open(&stage, "", &stage.of(Role::Viewer)).await.unwrap();
    let Stage { admin, system, .. } = stage;
    let ending = tokio::task::spawn_blocking(move || drop(admin));
    assert_eq!(closed(&mut socket).await, Some(1001));
    ending.await.unwrap();
    system.abandon().await;
}

//! Whoever sends one byte after the other, so that no pause is long: what counts is how long the whole thing takes.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::admin::roles::Role;

use super::stage::{Stage, Told, parsed, request};

/// Between two bytes: far below every limit.
const DRIP: Duration = Duration::from_millis(250);
/// Bytes that are dripped at most. Their time, a minute, is far above every limit.
const DRIPS: usize = 240;

/// Drips until the other side ends the connection; what it had said until then.
async fn dripped(what: &str, stream: impl AsyncRead + AsyncWrite) -> Told {
    let (mut from, mut to) = tokio::io::split(stream);
    let reading = async {
        let mut all = Vec::new();
        // Reset instead of ended: it is gone all the same.
        let _ = from.read_to_end(&mut all).await;
        all
    };
    let dripping = async {
        for _ in 0..DRIPS {
            if to.write_all(b"x").await.is_err() || to.flush().await.is_err() {
                // Gone; the other half reads what was said before.
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(DRIP).await;
        }
    };
    tokio::select! {
        all = reading => parsed(&all, all.len()),
        () = dripping => panic!("{what}: it was listened to for a minute"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_drips_is_let_go_while_others_are_served() {
    let stage = Stage::new().await;
    let otto = stage.of(Role::Operator);
    let handshake = async {
        let mut stream = TcpStream::connect(stage.admin.address()).await.unwrap();
        // A record of 512 bytes, in which a client would say hello.
        stream.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00]).await.unwrap();
        dripped("a handshake", stream).await
    };
    let header = async {
        let mut stream = stage.connect().await;
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
        dripped("a header", stream).await
    };
    let body = async {
        let length = "Content-Type: application/json\r\nContent-Length: 60000\r\n";
        let headers = format!("Authorization: Bearer {otto}\r\n{length}");
        let mut stream = stage.connect().await;
        stream.write_all(request("POST", "/v1/kill", &headers, None).as_bytes()).await.unwrap();
        dripped("a body", stream).await
    };
    let chunks = async {
        let chunked = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n";
        let headers = format!("Authorization: Bearer {otto}\r\n{chunked}");
        let mut stream = stage.connect().await;
        let head = request("POST", "/v1/kill", &headers, None);
        stream.write_all(format!("{head}ea60\r\n").as_bytes()).await.unwrap();
        dripped("a chunk", stream).await
    };
    let (handshake, header, body, chunks) = tokio::join!(handshake, header, body, chunks);
    assert_eq!((handshake.status, handshake.body.as_str()), (0, ""), "{handshake:?}");
    assert!(matches!(header.status, 0 | 408), "{header:?}");
    body.is_problem(408);
    chunks.is_problem(408);
    assert_eq!(stage.system.halt().standing(), [], "half a sentence stops nothing");
    assert_eq!(stage.ask("GET", "/v1/state", &otto, None).await.status, 200);
}

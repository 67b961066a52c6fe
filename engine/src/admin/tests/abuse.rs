//! What does not keep to HTTP, to its own limits, or to the paths there are. Whatever comes, the answer is a
//! client's error or the end of the connection, never a server's error, and the next request is served.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::admin::roles::Role;

use super::stage::{PATIENCE, Stage, request, response};

#[tokio::test(flavor = "multi_thread")]
async fn a_path_has_one_spelling_and_a_method_one_name() {
    let stage = Stage::new().await;
    let token = stage.of(Role::Admin);
    for path in [
        "/v1/state/",
        "//v1/state",
        "/v1//state",
        "/v1/./state",
        "/v1/../v1/state",
        "/livez/../v1/users",
        "/v1/%73tate",
        "/v1/quotes/%2e%2e",
        "/v1/quotes/..%2f..%2fetc%2fpasswd",
        "/v1/state%00",
        "/v1/state%2f",
        "/v1/state;admin=1",
        "/V1/STATE",
        "/",
        "/favicon.ico",
        "/.git/config",
    ] {
        stage.ask("GET", path, &token, None).await.is_problem(404);
    }
    for (method, path, allowed) in [
        ("PUT", "/v1/state", "GET"),
        ("DELETE", "/v1/users", "GET, POST"),
        ("GET", "/v1/kill", "POST"),
        ("OPTIONS", "/v1/kill", "POST"),
        ("TRACE", "/v1/state", "GET"),
        ("PROPFIND", "/v1/state", "GET"),
    ] {
        let told = stage.ask(method, path, &token, None).await;
        told.is_problem(405);
        assert_eq!(told.header("allow"), Some(allowed), "{method} {path}");
        assert_eq!(told.header("access-control-allow-origin"), None, "no other site's script may read this");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_pretend_change_nothing() {
    let stage = Stage::new().await;
    let token = stage.of(Role::Viewer);
    for header in [
        "X-HTTP-Method-Override: POST",
        "X-HTTP-Method: DELETE",
        "X-Method-Override: PUT",
        "X-Original-URL: /v1/users",
        "X-Rewrite-URL: /v1/users",
        "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-User: ana",
        "X-Remote-User: ana",
        "Forwarded: for=127.0.0.1",
        "Host: admin.internal",
        "Upgrade: h2c",
        "Expect: 100-continue",
    ] {
        let headers = format!("Authorization: Bearer {token}\r\n{header}\r\n");
        let told = stage.ask_with("GET", "/v1/state", &headers, None).await;
        assert!(matches!(told.status, 200 | 400), "{header}: {told:?}");
        if told.status == 200 {
            assert_eq!(told.json()["account"], "TEST", "{header}");
        }
        let headers = format!("Authorization: Bearer {token}\r\n{header}\r\n");
        stage.ask_with("GET", "/v1/users", &headers, None).await.is_problem(403);
    }
    assert_eq!(stage.system.halt().standing(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_http_end_the_connection() {
    let stage = Stage::new().await;
    let token = stage.of(Role::Admin);
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let many: String = (0..200).map(|number| format!("X-{number}: x\r\n")).collect();
    let large = format!("X-Large: {}\r\n", "x".repeat(40_000));
    for bytes in [
        "\r\n\r\n\r\n".to_owned(),
        "GET\r\n\r\n".to_owned(),
        "GET /v1/state HTTP/3.0\r\n\r\n".to_owned(),
        format!("GET /v1/state HTTP/1.1\r\nHost: x\r\n{many}\r\n"),
        format!("GET /v1/state HTTP/1.1\r\nHost: x\r\n{large}\r\n"),
        format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(70_000)),
        "GET /v1/state\0 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        format!("GET /v1/state HTTP/1.1\r\nHost: x\r\nA: b\n c\r\n{bearer}\r\n"),
        "GET /v1/state HTTP/1.1\r\nHost : x\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}".repeat(50),
    ] {
        let told = stage.raw(&bytes).await;
        assert!(matches!(told.status, 0 | 400..=499 | 505), "{told:?} to {}", &bytes[..bytes.len().min(60)]);
    }
    // Two ways to say where a body ends are how one request is hidden in another.
    // The HTTP library itself ends the connection, or counts the chunks alone (RFC 9112, 6.3), and never the rest
    // as this request's body.
    for smuggled in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 4x\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
    ] {
        let head =
            format!("POST /v1/kill HTTP/1.1\r\nHost: x\r\n{bearer}Content-Type: application/json\r\n{smuggled}\r\n");
        let told = stage.raw(format!("{head}0\r\n\r\nGET /v1/users HTTP/1.1\r\nHost: x\r\n{bearer}\r\n")).await;
        let counted_by_chunks = smuggled.starts_with("Content-Length: 4\r\nTransfer") && told.status == 200;
        assert!(counted_by_chunks || matches!(told.status, 0 | 400..=499), "{smuggled}: {told:?}");
        assert!(!told.body.contains("client_id"), "{smuggled}: the hidden request was answered");
    }
    for target in ["*", "http://x/v1/state", "x:443"] {
        let method = if target == "x:443" { "CONNECT" } else { "GET" };
        let told =
            stage.raw(format!("{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{bearer}\r\n")).await;
        assert!(matches!(told.status, 0 | 200 | 400..=499), "{target}: {told:?}");
    }
    assert_eq!(stage.ask("GET", "/v1/state", &token, None).await.status, 200, "it still serves");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_what_is_asked_for_or_refused() {
    let stage = Stage::new().await;
    let token = stage.of(Role::Admin);
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for (body, status) in [
        ("", 400),
        ("{", 400),
        ("null", 400),
        ("[]", 400),
        (r#"["x","viewer","a list is no object"]"#, 400),
        ("\"x\"", 400),
        ("{\"client_id\":\"x\"}", 400),
        ("{\"client_id\":\"x\",\"role\":\"root\",\"reason\":\"x\"}", 400),
        ("{\"client_id\":\"x\",\"role\":\"admin\",\"reason\":\"x\",\"more\":1}", 400),
        ("{\"client_id\":\"x\",\"client_id\":\"y\",\"role\":\"viewer\",\"reason\":\"x\"}", 400),
        ("{\"client_id\":\"a b\",\"role\":\"viewer\",\"reason\":\"x\"}", 422),
        ("{\"client_id\":\"../x\",\"role\":\"viewer\",\"reason\":\"x\"}", 422),
        ("{\"client_id\":\"x\",\"role\":\"viewer\",\"reason\":\" \"}", 422),
        ("{\"client_id\":\"ana\",\"role\":\"viewer\",\"reason\":\"x\"}", 409),
        ("\u{feff}{\"client_id\":\"x\",\"role\":\"viewer\",\"reason\":\"x\"}", 400),
        ("{\"client_id\":\"\\ud800\",\"role\":\"viewer\",\"reason\":\"x\"}", 400),
        ("{\"client_id\":\"x\\u0000\",\"role\":\"viewer\",\"reason\":\"x\"}", 422),
        ("{\"client_id\":\"x\",\"role\":\"viewer\",\"reason\":\"x\\u0085\"}", 422),
        ("{\"client_id\":1e999,\"role\":\"viewer\",\"reason\":\"x\"}", 400),
        (&deep, 400),
    ] {
        let shown = body.chars().take(40).collect::<String>();
        let told = stage.ask("POST", "/v1/users", &token, Some(body)).await;
        assert_eq!(told.status, status, "{shown}: {told:?}");
        told.is_problem(status);
    }
    let raw = |headers: &str, body: &[u8]| {
        let mut bytes = request("POST", "/v1/users", &format!("{bearer}{headers}"), None).into_bytes();
        bytes.extend_from_slice(body);
        stage.raw(bytes)
    };
    raw("Content-Type: application/json\r\nContent-Length: 3\r\n", b"\xff\xfe{").await.is_problem(400);
    for wrong in
        ["text/plain", "application/xml", "application/json; charset=utf-16", "multipart/form-data; boundary=x"]
    {
        raw(&format!("Content-Type: {wrong}\r\nContent-Length: 2\r\n"), b"{}").await.is_problem(415);
    }
    raw("Content-Length: 2\r\n", b"{}").await.is_problem(415);
    raw("Content-Type: application/json\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n", b"{}")
        .await
        .is_problem(415);
    // Nothing is unpacked: what is small on the way would be large here.
    let packed = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00C\xbf\xa6\xa3\x02\x00\x00\x00";
    let coded =
        format!("Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n", packed.len());
    raw(&coded, packed).await.is_problem(400);
    // Said to be too large: refused before a byte of it is read.
    raw("Content-Type: application/json\r\nContent-Length: 99999999999\r\n", b"{").await.is_problem(413);
    // Not said, and too large.
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    raw(
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
        format!("{chunk}{chunk}0\r\n\r\n").as_bytes(),
    )
    .await
    .is_problem(413);
    for (method, path) in [("GET", "/v1/state"), ("GET", "/livez")] {
        stage.ask(method, path, &token, Some("{}")).await.is_problem(400);
    }
    for query in ["?x=1", "?limit=0", "?limit=1&limit=2", "?limit=%00", "?cursor=-1", "?cursor=abc", "?limit"] {
        stage.ask("GET", &format!("/v1/fills{query}"), &token, None).await.is_problem(400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_dawdles_is_let_go_and_holds_up_nobody() {
    let stage = Stage::with(|config| config.max_connections = 16).await;
    let token = stage.of(Role::Operator);
    // No handshake, half a header, half a body: more of each than there are places.
    let mut silent = Vec::new();
    let mut halves = Vec::new();
    for _ in 0..16 {
        silent.push(TcpStream::connect(stage.admin.address()).await.unwrap());
        let mut half = stage.connect().await;
        half.write_all(b"GET /v1/state HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
        halves.push(half);
    }
    let told = stage.ask("POST", "/v1/kill", &token, None).await;
    assert_eq!((told.status, &told.json()["level"]), (200, &"stop_new".into()), "{told:?}");
    // The oldest strangers were let go for whoever came later.
    let mut rest = Vec::new();
    let gone = tokio::time::timeout(PATIENCE, halves[0].read_to_end(&mut rest)).await;
    assert!(gone.is_ok(), "the first half of a header still waits");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_body_is_not_waited_for() {
    let stage = Stage::new().await;
    let bearer = format!("Authorization: Bearer {}\r\n", stage.of(Role::Operator));
    let mut slow = stage.connect().await;
    let head =
        request("POST", "/v1/kill", &format!("{bearer}Content-Type: application/json\r\nContent-Length: 30\r\n"), None);
    slow.write_all(head.as_bytes()).await.unwrap();
    slow.write_all(b"{\"scope\"").await.unwrap();
    response(&mut slow).await.is_problem(408);
    assert_eq!(stage.system.halt().standing(), [], "half a sentence stops nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_header_is_not_waited_for() {
    let stage = Stage::new().await;
    let mut slow = stage.connect().await;
    for byte in b"GET /livez HTTP/1.1\r\nX: " {
        slow.write_all(&[*byte]).await.unwrap();
    }
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(30), slow.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "a connection without a request is kept for ever");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_meets_no_interface_that_speaks_tls() {
    let stage = Stage::new().await;
    let mut plain = TcpStream::connect(stage.admin.address()).await.unwrap();
    plain.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let told = response(&mut plain).await;
    assert_eq!(told.status, 0, "{told:?}");
}

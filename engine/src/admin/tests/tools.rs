//! Probes, metrics, certificates, the description, and the end.

use std::fs;
use std::time::Duration;

use actors::measures::Hop;
use tokio::net::TcpStream;

use crate::admin::roles::Role;
use crate::admin::tls::Certificates;
use crate::config::TlsConfig;
use crate::metrics::names;

use super::stage::{Stage, certificates, connect, response, until};

#[tokio::test(flavor = "multi_thread")]
async fn probes_tell_whether_it_lives_and_why_it_is_not_ready() {
    let stage = Stage::new().await;
    assert_eq!(stage.ask_with("GET", "/livez", "", None).await.json(), serde_json::json!({ "live": true }));
    let told = stage.ask_with("GET", "/readyz", "", None).await;
    assert_eq!((told.status, &told.json()["ready"]), (200, &true.into()), "{told:?}");
    stage.ask("POST", "/v1/kill", &stage.of(Role::Operator), Some(r#"{"scope":"broker"}"#)).await;
    let told = stage.ask_with("GET", "/readyz", "", None).await;
    assert_eq!((told.status, &told.json()["reasons"]), (503, &serde_json::json!(["broker is stop_new"])), "{told:?}");
    // Without the account: alive, not ready, and stopping still works.
    let token = stage.of(Role::Operator);
    let Stage { admin, system, store, room, feed, .. } = stage;
    let inquiry = system.inquiry();
    system.abandon().await;
    let address = admin.address();
    let trusted = certificates(&room.path().join("admin/certificate.pem"));
    let ask = async |method: &str, path: &str| {
        use tokio::io::AsyncWriteExt;
        let mut stream = connect(address, trusted.clone()).await.unwrap();
        let headers = format!("Authorization: Bearer {token}\r\n");
        stream.write_all(super::stage::request(method, path, &headers, None).as_bytes()).await.unwrap();
        response(&mut stream).await
    };
    assert_eq!(ask("GET", "/livez").await.status, 200);
    assert_eq!(ask("GET", "/readyz").await.status, 503);
    // What was seen last counts for a tenth of a second.
    let mut state = ask("GET", "/v1/state").await;
    while state.status == 200 {
        state = ask("GET", "/v1/state").await;
    }
    state.is_problem(503);
    assert_eq!(ask("GET", "/metrics").await.status, 200);
    let killed = ask("POST", "/v1/kill").await;
    assert_eq!((killed.status, inquiry.halt().level()), (200, risk::HaltLevel::StopNew), "{killed:?}");
    drop((admin, store, feed));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_has_a_name_of_the_list_and_every_name_a_metric() {
    let stage = Stage::new().await;
    stage.quote(2_000).await;
    let inquiry = stage.system.inquiry();
    super::stage::until("the strategies have heard the tick", || {
        inquiry.measures().hop(Hop::TickToDecision).buckets().counts.iter().sum::<u64>() > 0
    })
    .await;
    stage.ask("GET", "/v1/state", "x", None).await.is_problem(401);
    stage.ask_with("GET", "/nothing/like/this", "", None).await.is_problem(404);
    let told = stage.ask_with("GET", "/metrics", "", None).await;
    assert_eq!(told.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let families: Vec<&str> =
        told.body.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    for family in &families {
        assert!(names::find(family).is_some(), "{family} is not in the list of names");
    }
    // A family without a value is not told: no restarts, no closed day, no server and no Redis on this stage; a
    // clock that stands still, so that nobody looks at limits.
    let silent = ["restarts_total", "day_result_brl", "limit_used_ratio", "store_connections"];
    let is_silent = |name: &str| silent.iter().any(|end| name.ends_with(end)) || name.starts_with("pregao_quotes_");
    for name in names::all().map(|metric| metric.name) {
        assert!(families.contains(&name) || is_silent(name), "{name} is not told:\n{}", told.body);
    }
    for line in [
        "pregao_halt_level{scope=\"global\"} 0",
        "pregao_halts_total{by=\"person\"} 0",
        "pregao_orders_denied_total{check=\"price_collar\"} 0",
        "pregao_ready 1",
        "pregao_admin_requests_total{route=\"/v1/state\",status=\"401\"} 1",
        "pregao_admin_requests_total{route=\"none\",status=\"404\"} 1",
        "pregao_admin_tokens_refused_total{reason=\"malformed\"} 1",
        "pregao_events_total 1",
        "pregao_broker_session{state=\"ready\"} 1",
        "pregao_hop_seconds_count{hop=\"tick_to_order\"} 0",
    ] {
        assert!(told.body.lines().any(|found| found == line), "{line}:\n{}", told.body);
    }
    assert!(!told.body.contains("like/this"), "what strangers send is no label");
    let series = told.body.lines().filter(|line| !line.starts_with('#')).count();
    assert!(series < 1_000, "{series} series of three instruments: a label is not bounded");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_certificate_is_in_force_without_a_restart() {
    let stage = Stage::new().await;
    let other = tempfile::tempdir().unwrap();
    Certificates::own(other.path(), [127, 0, 0, 1].into()).unwrap();
    let next = certificates(&other.path().join("certificate.pem"));
    assert!(connect(stage.admin.address(), next.clone()).await.is_err());
    let open = stage.connect().await;
    for file in ["certificate-key.pem", "certificate.pem"] {
        fs::copy(other.path().join(file), stage.room.path().join("admin").join(file)).unwrap();
    }
    // As the look-after does every second.
    stage.admin.app.look();
    assert!(connect(stage.admin.address(), next).await.is_ok());
    drop(open);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_chooses_the_cipher_whatever_the_client_prefers() {
    use rustls::CipherSuite::{TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS13_AES_256_GCM_SHA384};
    let stage = Stage::new().await;
    for (version, chosen) in [
        (&rustls::version::TLS13, TLS13_AES_256_GCM_SHA384),
        (&rustls::version::TLS12, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ] {
        let mut provider = rustls::crypto::ring::default_provider();
        provider.cipher_suites.reverse();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(stage.certificate().remove(0)).unwrap();
        let config = rustls::ClientConfig::builder_with_provider(provider.into())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(stage.admin.address()).await.unwrap();
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        let stream = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config)).connect(name, stream).await.unwrap();
        assert_eq!(stream.get_ref().1.negotiated_cipher_suite().map(|suite| suite.suite()), Some(chosen));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_the_owner_are_used_and_plain_http_only_where_it_is_written() {
    let own = tempfile::tempdir().unwrap();
    Certificates::own(own.path(), [127, 0, 0, 1].into()).unwrap();
    let [certificate, key] = ["certificate.pem", "certificate-key.pem"].map(|file| own.path().join(file));
    let trusted = certificates(&certificate);
    let stage = Stage::with(|config| config.tls = TlsConfig::Files { certificate, key }).await;
    assert!(connect(stage.admin.address(), trusted).await.is_ok());
    assert!(!stage.room.path().join("admin/certificate.pem").exists());

    let stage = Stage::with(|config| config.tls = TlsConfig::Off).await;
    let mut plain = TcpStream::connect(stage.admin.address()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut plain, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_eq!(response(&mut plain).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_comes_to_its_end_and_then_nobody_listens() {
    let stage = Stage::new().await;
    let address = stage.admin.address();
    let idle = stage.connect().await;
    let Stage { admin, system, .. } = stage;
    let began = std::time::Instant::now();
    tokio::task::spawn_blocking(move || drop(admin)).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "an idle connection does not hold up the end");
    assert!(TcpStream::connect(address).await.is_err());
    drop(idle);
    system.abandon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_served_and_documents_keep_to_it() {
    let stage = Stage::new().await;
    let served = stage.ask_with("GET", "/openapi.json", "", None).await.json();
    assert_eq!(served, crate::admin::openapi::document());
    stage.quote(2_000).await;
    let token = stage.of(Role::Admin);
    for (path, item) in served["paths"].as_object().unwrap() {
        let Some(get) = item.get("get") else { continue };
        let schema = &get["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
        let Some(name) = schema.as_str().and_then(|reference| reference.rsplit('/').next()) else { continue };
        let told = stage.ask("GET", &path.replace("{symbol}", "TEST0"), &token, None).await;
        if told.status == 404 {
            continue;
        }
        let described = served["components"]["schemas"][name]["properties"].as_object().unwrap();
        let document = told.json();
        let keys: Vec<&String> = document.as_object().unwrap().keys().collect();
        let named: Vec<&String> = described.keys().collect();
        assert_eq!(keys.len(), named.len(), "{path}: {keys:?} and {named:?}");
        assert!(keys.iter().all(|key| described.contains_key(*key)), "{path}: {keys:?} and {named:?}");
    }
    until("the interface is still there", || stage.admin.app.lines.len() < 64).await;
}

//! Guessing, flooding, and stopping all the same.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::admin::roles::Role;

use super::stage::{SECRET, Stage, name_of, request};

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_brings_a_token_that_counts() {
    let stage = Stage::new().await;
    for role in Role::ALL {
        let told = stage.log_in(name_of(role), SECRET).await;
        assert_eq!(told.status, 200, "{told:?}");
        assert_eq!(told.header("cache-control"), Some("no-store"));
        let document = told.json();
        assert_eq!((&document["token_type"], &document["expires_in"]), (&"Bearer".into(), &600.into()));
        assert_eq!(document["scope"], role.name());
        let token = document["access_token"].as_str().unwrap();
        assert_eq!(stage.ask("GET", "/v1/state", token, None).await.status, 200);
    }
    let basic = STANDARD.encode(format!("ana:{SECRET}"));
    let form = "grant_type=client_credentials&scope=viewer";
    let headers = format!(
        "Authorization: Basic {basic}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
        form.len()
    );
    let told = stage.raw(format!("{}{form}", request("POST", "/oauth/token", &headers, None))).await;
    assert_eq!((told.status, &told.json()["scope"]), (200, &"viewer".into()), "{told:?}");
    let narrow = told.json()["access_token"].as_str().unwrap().to_owned();
    stage.ask("GET", "/v1/users", &narrow, None).await.is_problem(403);
    let wide = format!("grant_type=client_credentials&client_id=vera&client_secret={SECRET}&scope=admin");
    let told = stage.form(&wide).await;
    assert_eq!((told.status, &told.json()["error"]), (400, &"invalid_scope".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_the_form_of_the_standard() {
    let stage = Stage::new().await;
    for (form, status, error) in [
        ("", 400, "invalid_request"),
        ("grant_type=password&username=ana&password=x", 400, "invalid_request"),
        ("grant_type=password", 400, "unsupported_grant_type"),
        ("grant_type=client_credentials", 401, "invalid_client"),
        ("grant_type=client_credentials&client_id=ana&client_secret=wrong", 401, "invalid_client"),
        ("grant_type=client_credentials&client_id=nobody&client_secret=wrong", 401, "invalid_client"),
    ] {
        let told = stage.form(form).await;
        assert_eq!((told.status, &told.json()["error"]), (status, &error.into()), "{form}: {told:?}");
        assert_eq!(told.header("content-type"), Some("application/json"));
    }
    let one = stage.log_in("ana", "wrong").await;
    let other = stage.log_in("nobody", "wrong").await;
    assert_eq!((one.status, &one.body), (other.status, &other.body), "who exists is not told");
    stage.ask_with("POST", "/oauth/token", "", Some("{}")).await.is_problem(415);
    stage.ask_with("GET", "/oauth/token", "", None).await.is_problem(405);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sixth_guess_is_not_looked_at_even_if_it_is_right() {
    let stage = Stage::new().await;
    let otto = stage.of(Role::Operator);
    // At once: a count that is only kept afterwards would let all of them through.
    let guesses = (0..12).map(|_| stage.log_in("ana", "wrong"));
    let told = futures_util::future::join_all(guesses).await;
    let of = |status: u16| told.iter().filter(|told| told.status == status).count();
    assert_eq!((of(401), of(429)), (5, 7), "{told:?}");
    let right = stage.log_in("ana", SECRET).await;
    assert_eq!(right.status, 429, "{right:?}");
    let wait: u64 = right.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=900).contains(&wait), "{wait}");
    assert_eq!(stage.log_in("vera", SECRET).await.status, 429, "the address is locked out as well");
    // Whoever has a token goes on, and stopping above all.
    assert_eq!(stage.ask("GET", "/v1/state", &otto, None).await.status, 200);
    assert_eq!(stage.ask("POST", "/v1/kill", &otto, None).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_requests_is_slowed_down_and_stopping_is_not() {
    let stage = Stage::new().await;
    let otto = stage.of(Role::Operator);
    let mut flooded = 0;
    for _ in 0..60 {
        let asked = (0..8).map(|_| stage.ask("GET", "/v1/orders", &otto, None));
        let told = futures_util::future::join_all(asked).await;
        flooded += told.iter().filter(|told| told.status == 429 && told.header("retry-after").is_some()).count();
        if flooded > 0 {
            break;
        }
    }
    assert!(flooded > 0, "480 requests at once and none was slowed down");
    for _ in 0..10 {
        assert_eq!(stage.ask("POST", "/v1/kill", &otto, None).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_answers_while_tokens_are_asked_for_in_a_flood() {
    let stage = Stage::with(|config| config.max_connections = 256).await;
    let otto = stage.of(Role::Operator);
    let flood = async {
        loop {
            let names: Vec<String> = (0..40).map(|number| format!("client{number}")).collect();
            futures_util::future::join_all(names.iter().map(|name| stage.log_in(name, "x"))).await;
        }
    };
    let stopping = async {
        for _ in 0..20 {
            let told = stage.ask("POST", "/v1/kill", &otto, Some(r#"{"action":"stop_new"}"#)).await;
            assert_eq!((told.status, &told.json()["level"]), (200, &"stop_new".into()), "{told:?}");
        }
    };
    tokio::select! {
        () = flood => unreachable!(),
        done = tokio::time::timeout(Duration::from_secs(60), stopping) => done.expect("stopping is held up"),
    }
    assert_eq!(stage.system.halt().level(), risk::HaltLevel::StopNew);
}

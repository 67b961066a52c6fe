//! Every path with every role, and with none.

use crate::admin::roles::Role;
use crate::admin::routes::{Access, Kind, ROUTES, Takes};

use super::stage::Stage;

/// A body that a path takes.
fn body(schema: &str) -> &'static str {
    match schema {
        "KillInput" => r#"{"scope":"strategy:nobody"}"#,
        "UserInput" => r#"{"client_id":"new","role":"viewer","reason":"a test"}"#,
        "RoleInput" => r#"{"role":"viewer","reason":"a test"}"#,
        "ResumeInput" | "FlattenInput" => r#"{"scope":"strategy:nobody","reason":"a test"}"#,
        "ReasonInput" => r#"{"reason":"a test"}"#,
        other => panic!("no body for {other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_takes_its_role_and_no_lesser_one() {
    let stage = Stage::new().await;
    for route in ROUTES.iter().filter(|route| !matches!(route.kind, Kind::Token)) {
        let path = route.path.replace("{symbol}", "TEST0").replace("{client_id}", "nobody");
        let body = route.takes.map(Takes::schema).map(body);
        let nameless = stage.ask_with(route.method, &path, "", body).await;
        match route.access {
            Access::Open => assert!(nameless.status == 200 || path == "/readyz", "{path}: {nameless:?}"),
            Access::Role(_) => drop(nameless.is_problem(401)),
        }
        let Access::Role(needed) = route.access else { continue };
        for role in Role::ALL {
            let told = stage.ask(route.method, &path, &stage.of(role), body).await;
            if role.covers(needed) {
                // Beyond the role it may come to nothing for other reasons: no such user, no such upgrade.
                assert!(!matches!(told.status, 401 | 403), "{path} with {role}: {told:?}");
                assert!(told.status < 500, "{path} with {role}: {told:?}");
            } else {
                let told = told.is_problem(403);
                assert!(told["detail"].as_str().unwrap().contains(needed.name()), "{path}: {told}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_stops_nothing() {
    let stage = Stage::new().await;
    stage.ask("POST", "/v1/kill", &stage.of(Role::Viewer), Some("{}")).await.is_problem(403);
    assert_eq!(stage.system.halt().standing(), []);
}

//! Every path with every role, and with none.

use crate::admin::roles::Role;
use crate::admin::routes::{Kind, ROUTES, Takes};

use super::stage::Stage;

/// What nobody needs a token for, what takes an operator, and what an admin; for everything else a viewer is enough. By
/// hand, and not from the list of routes: a role that is changed there by mistake is changed here on purpose.
const OPEN: [&str; 4] = ["GET /livez", "GET /readyz", "GET /metrics", "GET /openapi.json"];
const OPERATOR: [&str; 4] = ["POST /v1/kill", "POST /v1/resume", "POST /v1/flatten", "POST /v1/reload"];
const ADMIN: [&str; 7] = [
    "PUT /v1/config",
    "POST /v1/config/rollback",
    "GET /v1/users",
    "POST /v1/users",
    "POST /v1/users/{client_id}/role",
    "POST /v1/users/{client_id}/rotate",
    "POST /v1/users/{client_id}/disable",
];

/// The roles that may use a path, and the least of them; none where nobody needs one.
fn allowed(name: &str) -> Option<(&'static [Role], &'static str)> {
    use Role::{Admin, Operator, Viewer};
    match name {
        open if OPEN.contains(&open) => None,
        admin if ADMIN.contains(&admin) => Some((&[Admin], "admin")),
        operator if OPERATOR.contains(&operator) => Some((&[Operator, Admin], "operator")),
        _ => Some((&[Viewer, Operator, Admin], "viewer")),
    }
}

/// A body that a path takes.
fn body(schema: &str) -> &'static str {
    match schema {
        "KillInput" => r#"{"scope":"strategy:nobody"}"#,
        "ConfigInput" => r#"{"document":"","reason":"a test"}"#,
        "RollbackInput" => r#"{"version":999,"reason":"a test"}"#,
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
    let routes = || ROUTES.iter().filter(|route| !matches!(route.kind, Kind::Token));
    let names: Vec<String> = routes().map(|route| format!("{} {}", route.method, route.path)).collect();
    let by_hand = OPEN.iter().chain(&OPERATOR).chain(&ADMIN);
    assert!(by_hand.clone().all(|name| names.iter().any(|known| known == name)), "{names:?}");
    assert!(names.len() > by_hand.count());
    for (route, name) in routes().zip(&names) {
        let path = route.path.replace("{symbol}", "TEST0").replace("{client_id}", "nobody");
        let body = route.takes.map(Takes::schema).map(body);
        let nameless = stage.ask_with(route.method, &path, "", body).await;
        let Some((allowed, least)) = allowed(name) else {
            assert!(nameless.status == 200 || path == "/readyz", "{name}: {nameless:?}");
            continue;
        };
        nameless.is_problem(401);
        for role in Role::ALL {
            let told = stage.ask(route.method, &path, &stage.of(role), body).await;
            if allowed.contains(&role) {
                // Beyond the role it may come to nothing for other reasons: no such user, no such upgrade.
                assert!(!matches!(told.status, 401 | 403), "{name} with {role}: {told:?}");
                assert!(told.status < 500, "{name} with {role}: {told:?}");
            } else {
                let told = told.is_problem(403);
                assert!(told["detail"].as_str().unwrap().contains(least), "{name}: {told}");
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

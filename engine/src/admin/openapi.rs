//! The description of the interface (OpenAPI 3.1), made from the list of routes and the types of the
//! documents: what is not in the list is not in the description, and the other way round.

use serde_json::{Map, Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::answers;

use super::dispatch::IDEMPOTENCY_KEY;
use super::problem::{self, Problem};
use super::routes::{Access, Kind, ROUTES, Route, Takes};
use super::{configuration, oauth, probes, reading, resuming, roles, stopping, users};

/// The description.
pub fn document() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let item = paths.entry(route.path.to_owned()).or_insert_with(|| json!({}));
        item[route.method.to_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Pregão",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The admin interface of the trading engine. docs/http.md tells how it is used.",
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
        },
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
                "client": {
                    "type": "oauth2",
                    "flows": { "clientCredentials": { "tokenUrl": "/oauth/token", "scopes": {
                        "viewer": "see everything",
                        "operator": "also stop, resume, close positions, reload",
                        "admin": "also change the configuration and who has access",
                    } } },
                },
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": name(route),
        "summary": route.summary,
        "tags": [route.path.split('/').nth(2).filter(|_| route.path.starts_with("/v1/")).unwrap_or("open")],
        "parameters": parameters(route),
        "responses": responses(route),
        "security": match route.access {
            Access::Open => json!([]),
            Access::Role(role) => json!([{ "token": [] }, { "client": [role.name()] }]),
        },
    });
    if let Access::Role(role) = route.access {
        operation["description"] = format!("Takes the role {role}.").into();
    }
    if let Some(takes) = route.takes {
        operation["requestBody"] = json!({
            "required": !matches!(takes, Takes::OptionalJson(_)),
            "content": { takes.content(): { "schema": reference(takes.schema()) } },
        });
    }
    operation
}

/// `GET /v1/users/{client_id}/rotate` is `get_v1_users_client_id_rotate`.
fn name(route: &Route) -> String {
    let path: String =
        route.path.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
    let words: Vec<&str> = path.split('_').filter(|word| !word.is_empty()).collect();
    format!("{}_{}", route.method.to_lowercase(), words.join("_"))
}

fn parameters(route: &Route) -> Vec<Value> {
    let mut all = Vec::new();
    if let Some((_, rest)) = route.path.split_once('{') {
        let name = rest.split('}').next().unwrap_or_default();
        all.push(json!({
            "name": name, "in": "path", "required": true,
            "schema": { "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._@-]+$" },
        }));
    }
    for parameter in route.query {
        // Written in the list of routes, and tested to be JSON.
        let schema: Value = serde_json::from_str(parameter.schema).unwrap_or_default();
        all.push(json!({
            "name": parameter.name, "in": "query", "required": false,
            "description": parameter.meaning, "schema": schema,
        }));
    }
    if route.problems.contains(&problem::CHANGED) {
        all.push(json!({
            "name": "If-Match", "in": "header", "required": route.problems.contains(&problem::UNCONDITIONAL),
            "description": "the ETag of the configuration that the change was made for, in quotes",
            "schema": { "type": "string", "pattern": configuration::ETAG_PATTERN },
        }));
    }
    if matches!(route.kind, Kind::Change(_)) {
        all.push(json!({
            "name": IDEMPOTENCY_KEY, "in": "header", "required": false,
            "description": "a name of this request: sent again within a day, it is not carried out again and gets the \
                            first answer. Answers end with the daemon, keys do not: after a restart the answer is 409",
            "schema": { "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$" },
        }));
    }
    all
}

fn responses(route: &Route) -> Value {
    let (status, schema) = route.gives;
    let mut all = Map::new();
    let success = match (status, schema) {
        (101, _) => json!({ "description": "the connection is a WebSocket from now on" }),
        (_, "") => {
            json!({ "description": route.summary, "content": { "text/plain": { "schema": { "type": "string" } } } })
        }
        (_, "OpenApi") => {
            json!({ "description": route.summary, "content": { "application/json": { "schema": { "type": "object" } } } })
        }
        _ => {
            json!({ "description": route.summary, "content": { "application/json": { "schema": reference(schema) } } })
        }
    };
    all.insert(status.to_string(), success);
    for kind in problems(route) {
        let mut response = json!({
            "description": kind.title(),
            "content": { problem::CONTENT: { "schema": reference("Problem") } },
        });
        if kind == problem::TOO_MANY {
            response["headers"] = json!({ "Retry-After": {
                "description": "seconds to wait", "schema": { "type": "integer", "minimum": 1 },
            } });
        }
        all.insert(kind.status().as_str().to_owned(), response);
    }
    match route.kind {
        Kind::Token => {
            for (status, told) in [
                ("400", "the request is not OAuth"),
                ("401", "unknown client or wrong secret"),
                ("429", "too many tries"),
            ] {
                all.insert(
                    status.to_owned(),
                    json!({
                        "description": told,
                        "content": { "application/json": { "schema": reference("TokenErrorDocument") } },
                    }),
                );
            }
        }
        _ if route.path == "/readyz" => {
            all.insert(
                "503".to_owned(),
                json!({
                    "description": "not ready, and why",
                    "content": { "application/json": { "schema": reference("ReadyDocument") } },
                }),
            );
        }
        _ => {}
    }
    Value::Object(all)
}

/// What can come to nothing: what every request of its kind can, and its own.
fn problems(route: &Route) -> Vec<problem::Kind> {
    let mut all = vec![problem::MALFORMED, problem::METHOD];
    if matches!(route.access, Access::Role(_)) {
        all.extend([problem::UNAUTHENTICATED, problem::FORBIDDEN, problem::INTERNAL, problem::UNAVAILABLE]);
        if !matches!(route.kind, Kind::Stop(_)) {
            all.push(problem::TOO_MANY);
        }
    }
    if route.takes.is_some() {
        all.extend([problem::TOO_SLOW, problem::TOO_LARGE, problem::CONTENT_KIND]);
        if !matches!(route.kind, Kind::Token) {
            all.push(problem::UNACCEPTABLE);
        }
    }
    if matches!(route.kind, Kind::Change(_)) {
        all.push(problem::CONFLICT);
    }
    all.extend(route.problems);
    all
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

type Named = (String, RefOr<Schema>);

/// A document under the name that the list of routes calls it by, and what it is made of.
fn of<T: ToSchema + PartialSchema>(name: &str, all: &mut Vec<Named>) {
    all.push((name.to_owned(), T::schema()));
    T::schemas(all);
}

fn schemas() -> Value {
    let mut all = Vec::new();
    of::<Problem>("Problem", &mut all);
    of::<oauth::TokenDocument>("TokenDocument", &mut all);
    of::<oauth::TokenErrorDocument>("TokenErrorDocument", &mut all);
    of::<oauth::TokenInput>("TokenInput", &mut all);
    of::<probes::LiveDocument>("LiveDocument", &mut all);
    of::<probes::ReadyDocument>("ReadyDocument", &mut all);
    of::<answers::StateDocument>("StateDocument", &mut all);
    of::<answers::QuoteDocument>("QuoteDocument", &mut all);
    // The rows of pages: the library follows references, but not into what a page is a page of.
    of::<answers::OrderDocument>("OrderDocument", &mut all);
    of::<answers::FillDocument>("FillDocument", &mut all);
    of::<answers::BarDocument>("BarDocument", &mut all);
    of::<reading::ActDocument>("ActDocument", &mut all);
    of::<reading::OrdersDocument>("OrdersDocument", &mut all);
    of::<reading::PositionsDocument>("PositionsDocument", &mut all);
    of::<reading::FillsDocument>("FillsDocument", &mut all);
    of::<reading::BarsDocument>("BarsDocument", &mut all);
    of::<reading::LimitsDocument>("LimitsDocument", &mut all);
    of::<reading::StrategiesDocument>("StrategiesDocument", &mut all);
    of::<reading::NothingDocument>("NothingDocument", &mut all);
    of::<reading::AuditDocument>("AuditDocument", &mut all);
    of::<configuration::ConfigDocument>("ConfigDocument", &mut all);
    of::<configuration::VersionDocument>("VersionDocument", &mut all);
    of::<configuration::VersionsDocument>("VersionsDocument", &mut all);
    of::<configuration::ConfigInput>("ConfigInput", &mut all);
    of::<configuration::RollbackInput>("RollbackInput", &mut all);
    of::<configuration::ConfigChangeDocument>("ConfigChangeDocument", &mut all);
    of::<stopping::KillInput>("KillInput", &mut all);
    of::<resuming::ResumeInput>("ResumeInput", &mut all);
    of::<resuming::ResumedDocument>("ResumedDocument", &mut all);
    of::<resuming::FlattenInput>("FlattenInput", &mut all);
    of::<resuming::FlattenDocument>("FlattenDocument", &mut all);
    of::<stopping::KilledDocument>("KilledDocument", &mut all);
    of::<super::input::ReasonInput>("ReasonInput", &mut all);
    of::<users::UsersDocument>("UsersDocument", &mut all);
    of::<users::UserDocument>("UserDocument", &mut all);
    of::<users::UserInput>("UserInput", &mut all);
    of::<users::RoleInput>("RoleInput", &mut all);
    of::<users::SecretDocument>("SecretDocument", &mut all);
    of::<roles::Role>("Role", &mut all);
    let named = all.into_iter().map(|(name, schema)| (name, serde_json::to_value(schema).unwrap_or_default()));
    Value::Object(named.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_and_the_list_of_routes_are_the_same() {
        let document = document();
        let mut described: Vec<(String, String)> = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            described.extend(item.as_object().unwrap().keys().map(|method| (path.clone(), method.to_uppercase())));
        }
        let mut listed: Vec<(String, String)> =
            ROUTES.iter().map(|route| (route.path.to_owned(), route.method.to_string())).collect();
        described.sort();
        listed.sort();
        assert_eq!(described, listed);
        // What the library's own type does not understand is not OpenAPI.
        let typed = serde_json::from_value::<utoipa::openapi::OpenApi>(document);
        assert!(typed.is_ok(), "{:?}", typed.err());
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_schema_is_used() {
        let document = document();
        let text = document.to_string();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for part in text.split("#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name} is referred to and not there");
        }
        for (name, schema) in schemas {
            assert!(text.contains(&format!("schemas/{name}\"")), "{name} is there and not referred to");
            assert!(schema.is_object(), "{name}: {schema}");
        }
        for route in ROUTES {
            for parameter in route.query {
                assert!(serde_json::from_str::<Value>(parameter.schema).unwrap().is_object(), "{}", parameter.name);
            }
        }
    }

    #[test]
    fn what_is_below_v1_takes_a_token() {
        for (path, item) in document()["paths"].as_object().unwrap() {
            for operation in item.as_object().unwrap().values() {
                let open = operation["security"].as_array().unwrap().is_empty();
                assert_eq!(open, !path.starts_with("/v1/"), "{path}");
                assert_eq!(open, operation["responses"].get("401").is_none_or(|_| path == "/oauth/token"), "{path}");
            }
        }
    }
}

//! Every path of the interface, in one list: who may use it, what it takes, what it answers, who handles
//! it. The description of the interface (`openapi`) is made from this list.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use warp::http::Method;

use super::dispatch::{BODY_BYTES, Call, Handled};
use super::input::Parameter;
use super::problem::{self, NOT_FOUND, Problem};
use super::roles::Role;
use super::{App, oauth, probes, reading, resuming, stopping, stream, users};

/// What a handler gives.
pub type Handling = Pin<Box<dyn Future<Output = Result<Handled, Problem>> + Send>>;

/// Who may use a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Everybody, without a token.
    Open,
    /// Whoever has at least this role.
    Role(Role),
}

/// What kind of request it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Tells something.
    Read,
    /// Gives out tokens.
    Token,
    /// Becomes a stream of events.
    Stream,
    /// Changes something; written down under this name.
    Change(&'static str),
    /// Stops trading; written down under this name. Nothing may hold it up.
    Stop(&'static str),
}

/// What kind of body it takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Takes {
    /// JSON that has this schema.
    Json(&'static str),
    /// The same, or nothing.
    OptionalJson(&'static str),
    /// A form that has this schema.
    Form(&'static str),
}

impl Takes {
    /// Its content type.
    pub const fn content(self) -> &'static str {
        match self {
            Self::Json(_) | Self::OptionalJson(_) => "application/json",
            Self::Form(_) => "application/x-www-form-urlencoded",
        }
    }

    /// Its schema.
    pub const fn schema(self) -> &'static str {
        match self {
            Self::Json(schema) | Self::OptionalJson(schema) | Self::Form(schema) => schema,
        }
    }

    /// Its most bytes.
    pub const fn most(self) -> usize {
        match self {
            Self::Json(_) | Self::OptionalJson(_) => BODY_BYTES,
            // A name, a secret and three words.
            Self::Form(_) => 4 * 1024,
        }
    }
}

/// One line of the list.
#[derive(Clone, Copy)]
pub struct Route {
    /// The method's name.
    pub method: &'static str,
    /// The path; a part in braces stands for anything.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    /// What kind of request it is.
    pub kind: Kind,
    /// What may stand behind the question mark.
    pub query: &'static [Parameter],
    /// What body it takes.
    pub takes: Option<Takes>,
    /// The status of success, and the schema of its document; text where there is none.
    pub gives: (u16, &'static str),
    /// What can come to nothing in its own way, beside what can with every request.
    pub problems: &'static [problem::Kind],
    /// What it is for.
    pub summary: &'static str,
    /// Who handles it.
    pub handler: fn(Arc<App>, Call) -> Handling,
}

const GET: &str = "GET";
const POST: &str = "POST";

const LIMIT: Parameter = Parameter {
    name: "limit",
    schema: r#"{"type":"integer","minimum":1,"maximum":500,"default":100}"#,
    meaning: "the most rows of a page",
};
const CURSOR: Parameter =
    Parameter { name: "cursor", schema: r#"{"type":"string"}"#, meaning: "`next` of the page before" };
const NUMBER: Parameter = Parameter {
    name: "cursor",
    schema: r#"{"type":"string","pattern":"^[0-9]{1,9}$"}"#,
    meaning: "`next` of the page before",
};
const ORDER: Parameter = Parameter {
    name: "cursor",
    schema: r#"{"type":"string","pattern":"^[A-Z0-9]{4}-(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])-[0-9]{5}[1-9]$"}"#,
    meaning: "`next` of the page before",
};
const DAY: &str = r#"{"type":"string","format":"date"}"#;
const FROM: Parameter = Parameter { name: "from", schema: DAY, meaning: "the first day" };
const TO: Parameter = Parameter { name: "to", schema: DAY, meaning: "the last day" };
const AFTER: Parameter = Parameter { name: "cursor", schema: DAY, meaning: CURSOR.meaning };
const TOPICS: Parameter = Parameter {
    name: "topics",
    schema: r#"{"type":"string","pattern":"^(quotes|orders|fills|alerts)(,(quotes|orders|fills|alerts))*$"}"#,
    meaning: "what to tell, separated by commas; everything where nothing is said",
};

const DRY_RUN: Parameter = Parameter {
    name: "dry_run",
    schema: r#"{"type":"boolean","default":false}"#,
    meaning: "only tell what it would do",
};

const VIEWER: Access = Access::Role(Role::Viewer);
const OPERATOR: Access = Access::Role(Role::Operator);
const ADMIN: Access = Access::Role(Role::Admin);

/// A path that tells something.
const fn read(
    path: &'static str,
    access: Access,
    query: &'static [Parameter],
    gives: &'static str,
    summary: &'static str,
    handler: fn(Arc<App>, Call) -> Handling,
) -> Route {
    Route {
        method: GET,
        path,
        access,
        kind: Kind::Read,
        query,
        takes: None,
        gives: (200, gives),
        problems: &[],
        summary,
        handler,
    }
}

/// A path that changes something.
const fn change(
    path: &'static str,
    access: Access,
    kind: Kind,
    takes: Takes,
    gives: (u16, &'static str),
    summary: &'static str,
    handler: fn(Arc<App>, Call) -> Handling,
) -> Route {
    Route { method: POST, path, access, kind, query: &[], takes: Some(takes), gives, problems: &[], summary, handler }
}

const fn with_problems(route: Route, problems: &'static [problem::Kind]) -> Route {
    Route { problems, ..route }
}

macro_rules! by {
    ($handler:path) => {
        |app, call| Box::pin($handler(app, call))
    };
}

/// Every path.
pub static ROUTES: &[Route] = &[
    read("/livez", Access::Open, &[], "LiveDocument", "Whether the process lives", by!(probes::live)),
    read("/readyz", Access::Open, &[], "ReadyDocument", "Whether new orders can be taken on", by!(probes::ready)),
    read("/metrics", Access::Open, &[], "", "Metrics in the Prometheus text format", by!(probes::metrics)),
    read("/openapi.json", Access::Open, &[], "OpenApi", "This description", by!(probes::openapi)),
    change(
        "/oauth/token",
        Access::Open,
        Kind::Token,
        Takes::Form("TokenInput"),
        (200, "TokenDocument"),
        "A token for a client's secret",
        by!(oauth::token),
    ),
    read("/v1/state", VIEWER, &[], "StateDocument", "How things stand", by!(reading::state)),
    change(
        "/v1/kill",
        OPERATOR,
        Kind::Stop("halt"),
        Takes::OptionalJson("KillInput"),
        (200, "KilledDocument"),
        "Stops trading, at once",
        by!(stopping::kill),
    ),
    change(
        "/v1/resume",
        OPERATOR,
        Kind::Change("resume"),
        Takes::Json("ResumeInput"),
        (200, "ResumedDocument"),
        "Lifts a halt",
        by!(resuming::resume),
    ),
    Route {
        query: &[DRY_RUN],
        ..change(
            "/v1/flatten",
            OPERATOR,
            Kind::Change("flatten"),
            Takes::Json("FlattenInput"),
            (200, "FlattenDocument"),
            "Cancels what is open and closes what is held",
            by!(resuming::flatten),
        )
    },
    read("/v1/orders", VIEWER, &[LIMIT, ORDER], "OrdersDocument", "Open orders", by!(reading::orders)),
    read("/v1/positions", VIEWER, &[], "PositionsDocument", "What is held", by!(reading::positions)),
    read("/v1/fills", VIEWER, &[LIMIT, NUMBER], "FillsDocument", "Fills of this run", by!(reading::fills)),
    read("/v1/limits", VIEWER, &[], "LimitsDocument", "The limits in force", by!(reading::limits)),
    read("/v1/strategies", VIEWER, &[], "StrategiesDocument", "The strategies", by!(reading::strategies)),
    read("/v1/models", VIEWER, &[], "NothingDocument", "Learned models", by!(reading::models)),
    read("/v1/portfolio", VIEWER, &[], "NothingDocument", "The target portfolio", by!(reading::portfolio)),
    read_one("/v1/quotes/{symbol}", &[], "QuoteDocument", "The hot quote of a symbol", by!(reading::quote)),
    read_one(
        "/v1/bars/{symbol}",
        &[LIMIT, AFTER, FROM, TO],
        "BarsDocument",
        "Stored sessions of a symbol",
        by!(reading::bars),
    ),
    read_one("/v1/forecasts/{symbol}", &[], "NothingDocument", "Forecasts of a symbol", by!(reading::forecasts)),
    Route {
        kind: Kind::Stream,
        gives: (101, ""),
        problems: &[problem::TOO_MANY, problem::UPGRADE],
        ..read("/v1/stream", VIEWER, &[TOPICS], "", "Quotes, orders, fills and alerts as they come", by!(stream::open))
    },
    read("/v1/audit", VIEWER, &[LIMIT, NUMBER], "AuditDocument", "What people did", by!(reading::audit)),
    read("/v1/users", ADMIN, &[], "UsersDocument", "Who has access", by!(users::list)),
    with_problems(
        change(
            "/v1/users",
            ADMIN,
            Kind::Change("user.add"),
            Takes::Json("UserInput"),
            (201, "SecretDocument"),
            "Gives somebody access",
            by!(users::add),
        ),
        &[problem::CONFLICT],
    ),
    with_problems(
        change(
            "/v1/users/{client_id}/role",
            ADMIN,
            Kind::Change("user.role"),
            Takes::Json("RoleInput"),
            (200, "UserDocument"),
            "Gives somebody another role",
            by!(users::role),
        ),
        &[problem::NOT_FOUND, problem::CONFLICT],
    ),
    with_problems(
        change(
            "/v1/users/{client_id}/rotate",
            ADMIN,
            Kind::Change("user.rotate"),
            Takes::Json("ReasonInput"),
            (200, "SecretDocument"),
            "Gives somebody another secret",
            by!(users::rotate),
        ),
        &[problem::NOT_FOUND],
    ),
    with_problems(
        change(
            "/v1/users/{client_id}/disable",
            ADMIN,
            Kind::Change("user.disable"),
            Takes::Json("ReasonInput"),
            (200, "UserDocument"),
            "Takes somebody's access, for good",
            by!(users::disable),
        ),
        &[problem::NOT_FOUND, problem::CONFLICT],
    ),
];

const fn read_one(
    path: &'static str,
    query: &'static [Parameter],
    gives: &'static str,
    summary: &'static str,
    handler: fn(Arc<App>, Call) -> Handling,
) -> Route {
    with_problems(read(path, VIEWER, query, gives, summary, handler), &[problem::NOT_FOUND])
}

/// A route that was found.
pub struct Found {
    /// Which.
    pub route: &'static Route,
    /// What stands in the path in place of its braces.
    pub parameter: String,
}

/// Finds the route of a request.
///
/// # Errors
/// No such path, or not with that method.
pub fn find(method: &Method, path: &str) -> Result<Found, Problem> {
    let mut allowed = Vec::new();
    for route in ROUTES {
        let Some(parameter) = matched(route.path, path) else { continue };
        if route.method == method.as_str() {
            return Ok(Found { route, parameter: parameter.to_owned() });
        }
        allowed.push(route.method);
    }
    if allowed.is_empty() {
        return Err(NOT_FOUND.problem("there is no such path; GET /openapi.json lists them"));
    }
    Err(Problem::method(&allowed.join(", ")))
}

/// Longest name in a path.
const LONGEST_NAME: usize = 128;

/// Compared part by part and byte by byte: nothing is decoded, joined or resolved, so a path has one
/// spelling.
fn matched<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    let mut parameter = "";
    let mut parts = path.split('/');
    for wanted in pattern.split('/') {
        let part = parts.next()?;
        if wanted.starts_with('{') {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
            let named = !part.is_empty() && part.len() <= LONGEST_NAME && part.bytes().all(fits);
            parameter = Some(part).filter(|_| named)?;
        } else if wanted != part {
            return None;
        }
    }
    parts.next().is_none().then_some(parameter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_spelling() {
        for (path, found) in [
            ("/v1/state", true),
            ("/v1/state/", false),
            ("/v1//state", false),
            ("//v1/state", false),
            ("/V1/state", false),
            ("/v1/./state", false),
            ("/v1/../v1/state", false),
            ("/v1/%73tate", false),
            ("/v1/state%00", false),
            ("/v1/state;x=1", false),
            ("v1/state", false),
            ("*", false),
            ("", false),
            ("/", false),
            ("/v1/quotes/PETR4", true),
            ("/v1/quotes/PETR4.SA", true),
            ("/v1/quotes/", false),
            ("/v1/quotes", false),
            ("/v1/quotes/PETR4/x", false),
            ("/v1/quotes/..%2f..%2fetc", false),
            ("/v1/quotes/%2e%2e", false),
            ("/v1/quotes/{symbol}", false),
        ] {
            assert_eq!(find(&Method::GET, path).is_ok(), found, "{path}");
        }
        let long = format!("/v1/quotes/{}", "A".repeat(129));
        assert!(find(&Method::GET, &long).is_err());
    }

    #[test]
    fn another_method_is_told_which_ones_there_are() {
        for (method, path, allowed) in [
            (Method::GET, "/v1/kill", "POST"),
            (Method::PUT, "/v1/users", "GET, POST"),
            (Method::DELETE, "/livez", "GET"),
            (Method::OPTIONS, "/v1/state", "GET"),
            (Method::HEAD, "/v1/state", "GET"),
        ] {
            let told = find(&method, path).err().unwrap();
            assert_eq!((told.status().as_u16(), told.detail()), (405, &*format!("this path takes {allowed}")));
        }
    }

    #[test]
    fn every_line_keeps_the_rules_of_its_kind() {
        for (place, route) in ROUTES.iter().enumerate() {
            let twin = ROUTES[..place].iter().any(|other| other.path == route.path && other.method == route.method);
            assert!(!twin, "{} stands twice", route.path);
            let opens = matches!(route.access, Access::Open);
            assert_eq!(opens, !route.path.starts_with("/v1/"), "{}: a token is needed below /v1", route.path);
            match route.kind {
                Kind::Read | Kind::Stream => assert!(route.method == GET && route.takes.is_none()),
                Kind::Token => assert_eq!(route.path, "/oauth/token"),
                Kind::Change(_) | Kind::Stop(_) => {
                    assert_ne!(route.method, GET, "{}", route.path);
                    let least = Access::Role(Role::Viewer);
                    assert!(route.access != least && !opens, "{}: a viewer changes nothing", route.path);
                }
            }
        }
        let stops: Vec<&str> =
            ROUTES.iter().filter(|route| matches!(route.kind, Kind::Stop(_))).map(|route| route.path).collect();
        assert_eq!(stops, ["/v1/kill"], "the stop path is one path");
    }

    #[test]
    fn the_documentation_lists_every_path_with_its_role() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/http.md");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let rows = text
            .lines()
            .filter(|line| line.starts_with("| GET |") || line.starts_with("| POST |") || line.starts_with("| PUT |"));
        let told: Vec<(&str, &str, &str)> = rows
            .map(|row| {
                let mut cells = row.split('|').skip(1).map(|cell| cell.trim().trim_matches('`'));
                let mut next = || cells.next().unwrap_or_default();
                (next(), next(), next())
            })
            .collect();
        let listed: Vec<(&str, &str, &str)> = ROUTES
            .iter()
            .map(|route| {
                let takes = match route.access {
                    Access::Role(role) => role.name(),
                    Access::Open if matches!(route.kind, Kind::Token) => "a client's secret",
                    Access::Open => "nothing",
                };
                (route.method, route.path, takes)
            })
            .collect();
        assert_eq!(told, listed);
    }
}

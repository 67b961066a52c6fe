//! Tokens that were made up, changed, borrowed, or have had their day. Each case differs from a good token in
//! one thing, and the good token is accepted before and after.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use store::{User, Users};

use crate::admin::keys::{self, Ring};
use crate::admin::roles::Role;
use crate::admin::tokens;

use super::stage::{SECRET, Stage, request};

/// What a good token is made of.
struct Forge {
    pair: Ed25519KeyPair,
    header: Value,
    claims: Value,
}

fn encoded(part: &str) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

fn signed(pair: &Ed25519KeyPair, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", encoded(header), encoded(claims));
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes())))
}

fn own_pair() -> Ed25519KeyPair {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap()
}

impl Forge {
    /// With the interface's own key, which an attacker does not have: so that only the one thing is wrong.
    fn of(stage: &Stage) -> Self {
        let text = std::fs::read_to_string(keys::path(&stage.room.path().join("admin"))).unwrap();
        let stored: Value = serde_json::from_str(&text).unwrap();
        let pkcs8 = stored["keys"][0]["pkcs8"].as_str().unwrap();
        let pkcs8 = base64::engine::general_purpose::STANDARD.decode(pkcs8).unwrap();
        let now = stage.admin.app.now().as_nanos() / 1_000_000_000;
        Self {
            pair: Ed25519KeyPair::from_pkcs8(&pkcs8).unwrap(),
            header: json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": stage.admin.app.ring.load().newest().name }),
            claims: json!({
                "iss": "pregao", "aud": "pregao-admin", "sub": "ana", "role": "admin",
                "iat": now, "nbf": now, "exp": now + 600, "jti": "made by a test",
            }),
        }
    }

    fn good(&self) -> String {
        signed(&self.pair, &self.header.to_string(), &self.claims.to_string())
    }

    fn with_header(&self, key: &str, value: Value) -> String {
        let mut header = self.header.clone();
        header[key] = value;
        signed(&self.pair, &header.to_string(), &self.claims.to_string())
    }

    fn without_header(&self, key: &str) -> String {
        let mut header = self.header.clone();
        header.as_object_mut().unwrap().remove(key);
        signed(&self.pair, &header.to_string(), &self.claims.to_string())
    }

    fn with(&self, key: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims[key] = value;
        signed(&self.pair, &self.header.to_string(), &claims.to_string())
    }

    fn without(&self, key: &str) -> String {
        let mut claims = self.claims.clone();
        claims.as_object_mut().unwrap().remove(key);
        signed(&self.pair, &self.header.to_string(), &claims.to_string())
    }

    /// Signed by HMAC with the public key as its secret: what a confused verifier would take.
    fn confused(&self) -> String {
        let mut header = self.header.clone();
        header["alg"] = "HS256".into();
        let message = format!("{}.{}", encoded(&header.to_string()), encoded(&self.claims.to_string()));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, self.pair.public_key().as_ref());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, message.as_bytes())))
    }

    /// Every forgery, by what is wrong with it.
    fn forgeries(&self) -> Vec<(&'static str, String)> {
        let good = self.good();
        let parts: Vec<&str> = good.split('.').collect();
        let (header, claims) = (self.header.to_string(), self.claims.to_string());
        let now = self.claims["iat"].as_i64().unwrap();
        let unsigned = |alg: &str| {
            let mut header = self.header.clone();
            header["alg"] = alg.into();
            format!("{}.{}.", encoded(&header.to_string()), parts[1])
        };
        let tampered = |from: &str, to: &str| {
            let changed = claims.replace(from, to);
            assert_ne!(changed, claims);
            format!("{}.{}.{}", parts[0], encoded(&changed), parts[2])
        };
        let twice = |text: &str, key: &str, value: &str| text.replacen('{', &format!("{{\"{key}\":{value},"), 1);
        let mut flipped = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
        flipped[10] ^= 1;
        vec![
            ("alg none", unsigned("none")),
            ("alg None", unsigned("None")),
            ("alg EdDSA, no signature", unsigned("EdDSA")),
            ("HS256 with the public key", self.confused()),
            ("alg RS256", self.with_header("alg", "RS256".into())),
            ("alg ES256", self.with_header("alg", "ES256".into())),
            ("no alg", self.without_header("alg")),
            ("another Ed25519 key", signed(&own_pair(), &header, &claims)),
            ("another key, in the header", {
                let pair = own_pair();
                let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
                let mut header = self.header.clone();
                header["jwk"] = json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
                signed(&pair, &header.to_string(), &claims)
            }),
            ("a flipped bit", format!("{}.{}.{}", parts[0], parts[1], URL_SAFE_NO_PAD.encode(flipped))),
            ("role tampered", tampered("\"admin\"", "\"viewer\"")),
            ("holder tampered", tampered("\"ana\"", "\"otto\"")),
            ("typ JWT", self.with_header("typ", "JWT".into())),
            ("no typ", self.without_header("typ")),
            ("typ by its long name", self.with_header("typ", "application/at+jwt".into())),
            ("unknown kid", self.with_header("kid", "AAAAAAAAAAAAAAAAAAAAAA".into())),
            ("no kid", self.without_header("kid")),
            ("kid is a path", self.with_header("kid", "../../../../dev/null".into())),
            ("kid is SQL", self.with_header("kid", "' OR 1=1 --".into())),
            ("kid is a number", self.with_header("kid", 0.into())),
            ("jku", self.with_header("jku", "https://example.invalid/keys".into())),
            ("x5u", self.with_header("x5u", "https://example.invalid/chain".into())),
            ("crit", self.with_header("crit", json!(["exp"]))),
            ("a header of our own", self.with_header("admin", true.into())),
            ("zip", self.with_header("zip", "DEF".into())),
            ("alg twice", signed(&self.pair, &twice(&header, "alg", "\"none\""), &claims)),
            ("another issuer", self.with("iss", "somebody".into())),
            ("a list of issuers", self.with("iss", json!(["pregao", "somebody"]))),
            ("no issuer", self.without("iss")),
            ("another audience", self.with("aud", "pregao".into())),
            ("a list of audiences", self.with("aud", json!(["pregao-admin"]))),
            ("no audience", self.without("aud")),
            ("expired", {
                let mut claims = self.claims.clone();
                (claims["iat"], claims["nbf"]) = ((now - 601).into(), (now - 601).into());
                claims["exp"] = (now - 1).into();
                signed(&self.pair, &header, &claims.to_string())
            }),
            ("no exp", self.without("exp")),
            ("exp is null", self.with("exp", Value::Null)),
            ("exp is text", self.with("exp", (now + 600).to_string().into())),
            ("exp far away", self.with("exp", (now + 86_400 * 365).into())),
            ("exp beyond every clock", self.with("exp", json!(1e300))),
            ("exp below zero", self.with("exp", (-1).into())),
            ("nbf in the future", self.with("nbf", (now + 60).into())),
            ("no nbf", self.without("nbf")),
            ("issued in the future", {
                let mut claims = self.claims.clone();
                (claims["iat"], claims["exp"]) = ((now + 3_600).into(), (now + 4_200).into());
                signed(&self.pair, &header, &claims.to_string())
            }),
            ("no iat", self.without("iat")),
            ("nobody", self.with("sub", "".into())),
            ("somebody unknown", self.with("sub", "mallory".into())),
            ("no holder", self.without("sub")),
            ("an unknown role", self.with("role", "root".into())),
            ("a list of roles", self.with("role", json!(["admin"]))),
            ("no role", self.without("role")),
            ("a claim too many", self.with("scope", "admin".into())),
            ("a claim twice", signed(&self.pair, &header, &twice(&claims, "role", "\"admin\""))),
            ("a claim twice, escaped", signed(&self.pair, &header, &twice(&claims, "r\\u006fle", "\"admin\""))),
            ("claims are a list", signed(&self.pair, &header, "[]")),
            ("claims are nothing", signed(&self.pair, &header, "")),
            ("oversized", self.with("jti", "x".repeat(4_000).into())),
            (
                "nested deeply",
                self.with("jti", serde_json::from_str(&format!("{}1{}", "[".repeat(90), "]".repeat(90))).unwrap()),
            ),
            ("two parts", format!("{}.{}", parts[0], parts[1])),
            ("four parts", format!("{good}.{}", parts[2])),
            ("five parts, as if encrypted", format!("{good}.x.y")),
            ("padded", format!("{good}=")),
            ("a space behind", format!("{good} x")),
            ("two tokens", format!("{good},{good}")),
            ("nothing", String::new()),
            ("dots", "..".to_owned()),
        ]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_forged_token_counts() {
    let stage = Stage::new().await;
    let forge = Forge::of(&stage);
    assert_eq!(stage.ask("GET", "/v1/users", &forge.good(), None).await.status, 200);
    let forgeries = forge.forgeries();
    assert!(forgeries.len() >= 25);
    for (wrong, token) in forgeries {
        for (method, path) in [("GET", "/v1/users"), ("POST", "/v1/kill")] {
            let told = stage.ask(method, path, &token, None).await;
            assert_eq!(told.status, 401, "{wrong}: {told:?}");
            let problem = told.is_problem(401);
            assert!(told.header("www-authenticate").unwrap().starts_with("Bearer"), "{wrong}: {told:?}");
            assert!(!problem.to_string().contains("signature"), "what is wrong is not told: {problem}");
        }
    }
    assert_eq!(stage.system.halt().standing(), [], "nothing was stopped");
    assert_eq!(stage.ask("GET", "/v1/users", &forge.good(), None).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_stands_in_one_authorization_header_and_nowhere_else() {
    let stage = Stage::new().await;
    let token = stage.of(Role::Admin);
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("ana:{SECRET}"));
    for headers in [
        String::new(),
        format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n"),
        format!("Authorization: Bearer x\r\nAuthorization: Bearer {token}\r\n"),
        format!("Authorization: Basic {basic}\r\n"),
        format!("Authorization: {token}\r\n"),
        format!("Authorization: Bearer{token}\r\n"),
        format!("Authorization: Bearer  {token}\r\n"),
        format!("Authorization: Token {token}\r\n"),
        format!("Proxy-Authorization: Bearer {token}\r\n"),
        format!("X-Authorization: Bearer {token}\r\n"),
        format!("Cookie: access_token={token}; token={token}\r\n"),
    ] {
        stage.ask_with("GET", "/v1/state", &headers, None).await.is_problem(401);
    }
    for query in ["access_token", "token", "authorization"] {
        stage.ask_with("GET", &format!("/v1/state?{query}={token}"), "", None).await.is_problem(401);
    }
    let form = format!("access_token={token}");
    let headers = format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n", form.len());
    let told = stage.raw(format!("{}{form}", request("POST", "/v1/kill", &headers, None))).await;
    told.is_problem(401);
    // The scheme's name is no secret: any spelling of it is taken (RFC 9110, 11.1).
    let told = stage.ask_with("GET", "/v1/state", &format!("Authorization: bEARER {token}\r\n"), None).await;
    assert_eq!(told.status, 200, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_counts_no_longer_than_its_holder_has_what_it_says() {
    let stage = Stage::new().await;
    let ana = stage.of(Role::Admin);
    let admin = |path: &'static str, body: &'static str| stage.ask("POST", path, &ana, Some(body));
    let (vera, otto) = (stage.of(Role::Viewer), stage.of(Role::Operator));

    let lowered = admin("/v1/users/otto/role", r#"{"role":"viewer","reason":"left the desk"}"#).await;
    assert_eq!((lowered.status, &lowered.json()["role"]), (200, &"viewer".into()), "{lowered:?}");
    for (method, path) in [("POST", "/v1/kill"), ("GET", "/v1/state")] {
        stage.ask(method, path, &otto, None).await.is_problem(401);
    }
    let less = stage.token("otto", Role::Viewer);
    assert_eq!(stage.ask("GET", "/v1/state", &less, None).await.status, 200, "what he still has");

    assert_eq!(admin("/v1/users/vera/disable", r#"{"reason":"gone"}"#).await.status, 200);
    stage.ask("GET", "/v1/state", &vera, None).await.is_problem(401);
    assert_eq!(stage.log_in("vera", SECRET).await.status, 401, "nor does the secret");

    // Another secret: tokens that the one before brought count no more.
    let before = stage.admin.app.now().plus_nanos(-2_000_000_000);
    let old = tokens::issue(&stage.admin.app.ring.load(), "otto", Role::Viewer, before).unwrap();
    assert_eq!(stage.ask("GET", "/v1/state", &old, None).await.status, 200);
    let rotated = admin("/v1/users/otto/rotate", r#"{"reason":"it was in a log"}"#).await;
    stage.ask("GET", "/v1/state", &old, None).await.is_problem(401);
    assert_eq!(stage.log_in("otto", SECRET).await.status, 401);
    let secret = rotated.json()["client_secret"].as_str().unwrap().to_owned();
    assert_eq!(stage.log_in("otto", &secret).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_is_no_role_in_the_store_means_nothing() {
    let stage = Stage::new().await;
    let hash = stage.store.users().unwrap().find("ana").unwrap().unwrap().secret_hash;
    let now = stage.admin.app.now();
    stage.store.users().unwrap().create(&User::new("root", "superuser", hash, now.plus_nanos(-1))).unwrap();
    stage.admin.app.people.look(now);
    stage.ask("GET", "/v1/state", &stage.token("root", Role::Viewer), None).await.is_problem(401);
    assert_eq!(stage.log_in("root", SECRET).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn rotated_keys_keep_what_is_out_and_forgotten_keys_do_not() {
    let stage = Stage::new().await;
    let (app, token) = (&stage.admin.app, stage.of(Role::Viewer));
    Ring::rotated(&app.directory, app.now()).unwrap();
    app.look();
    assert_eq!(stage.ask("GET", "/v1/state", &token, None).await.status, 200, "its key still verifies");
    let next = stage.of(Role::Viewer);
    assert_ne!(token.split('.').next(), next.split('.').next(), "another key signs");
    assert_eq!(stage.ask("GET", "/v1/state", &next, None).await.status, 200);

    std::fs::remove_file(keys::path(&app.directory)).unwrap();
    app.look();
    for gone in [&token, &next] {
        stage.ask("GET", "/v1/state", gone, None).await.is_problem(401);
    }
    let other = Stage::new().await;
    stage.ask("GET", "/v1/state", &other.of(Role::Viewer), None).await.is_problem(401);
}

//! Forged access tokens (RFC 8725, RFC 6750): every forgery gets the same response from every operation.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bucketlist::{auth::AccessTokens, domain::SystemRandom};
use hmac::{Hmac, Mac};
use poem::http::Method;
use sha2::Sha256;

use super::{operations::targets, snapshot::Snapshot};
use crate::{
    support::{Actor, JWT_SECRET, START_MICROS, TestApp, Value, json},
    v2::operations::ResourceIds,
};

/// The time at which tests start, in Unix seconds.
const NOW: i64 = START_MICROS / 1_000_000;

/// Decodes a part of a token.
fn part(token: &str, number: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(number).unwrap()).unwrap()).unwrap()
}

/// Signs a header and claims with HS256 and this key. The `alg` header is ignored.
fn sign(header: &str, claims: &str, key: &[u8]) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn with(object: &Value, name: &str, value: Value) -> String {
    let mut object = object.clone();
    object[name] = value;
    object.to_string()
}

fn without(object: &Value, name: &str) -> String {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove(name);
    object.to_string()
}

/// A description of the forgery and the values of `Authorization`; several values are sent as repeated headers.
type Forgery = (String, Vec<String>);

/// Returns forgeries of the token of `user`.
async fn forgeries(app: &TestApp, user: &Actor<'_>, other: &Actor<'_>) -> Vec<Forgery> {
    let valid = user.token();
    let (header, claims) = (part(&valid, 0), part(&valid, 1));
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("HS256")));
    let key = JWT_SECRET.as_bytes();
    let parts: Vec<&str> = valid.split('.').collect();
    let (head, body) = (header.to_string(), claims.to_string());
    // A token that is signed here without changes is valid: each forgery fails only because of its change.
    app.anonymous()
        .request(Method::GET, "/v1/users/me")
        .header("authorization", &format!("Bearer {}", sign(&head, &body, key)))
        .send()
        .await
        .expect(200);
    let with_claim = |name: &str, value: Value| sign(&head, &with(&claims, name, value), key);
    // A separate token, so that cached results of the valid one have no influence.
    let with_new_jti = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims["jti"] = json!(format!("new-{name}-{value}"));
        claims[name] = value;
        sign(&head, &claims.to_string(), key)
    };
    let with_header = |name: &str, value: Value| sign(&with(&header, name, value), &body, key);

    let mut tokens: Vec<(String, String)> = Vec::new();
    for alg in ["none", "None", "NONE", "nOnE", "", " ", "hs256", "HMAC"] {
        let head = with(&header, "alg", json!(alg));
        let unsigned = URL_SAFE_NO_PAD.encode(&head);
        tokens.push((format!("alg {alg:?} and no signature"), format!("{unsigned}.{}.", parts[1])));
        tokens.push((format!("alg {alg:?} and the old signature"), format!("{unsigned}.{}.{}", parts[1], parts[2])));
        tokens.push((format!("alg {alg:?} and an HS256 signature"), sign(&head, &body, key)));
    }
    for alg in ["HS384", "HS512", "RS256", "RS512", "PS256", "ES256", "ES384", "EdDSA"] {
        tokens.push((format!("alg {alg} over HS256"), with_header("alg", json!(alg))));
        let altered_header = URL_SAFE_NO_PAD.encode(with(&header, "alg", json!(alg)));
        tokens
            .push((format!("alg {alg} and the old signature"), format!("{altered_header}.{}.{}", parts[1], parts[2])));
    }
    for alg in [jsonwebtoken::Algorithm::HS384, jsonwebtoken::Algorithm::HS512] {
        let header = jsonwebtoken::Header {
            typ: Some("at+jwt".into()),
            kid: header["kid"].as_str().map(str::to_owned),
            ..jsonwebtoken::Header::new(alg)
        };
        let token = jsonwebtoken::encode(&header, &claims, &jsonwebtoken::EncodingKey::from_secret(key)).unwrap();
        tokens.push((format!("{alg:?} with the right secret"), token));
    }
    for (name, value) in [
        ("alg", json!(["HS256"])),
        ("alg", Value::Null),
        ("typ", json!("JWT")),
        ("typ", json!("rt+jwt")),
        ("typ", json!("")),
        ("typ", json!(["at+jwt"])),
        ("kid", json!("unknown")),
        ("kid", json!("")),
        ("kid", json!("../../../dev/null")),
        ("kid", json!("' OR '1'='1")),
        ("kid", json!("x\u{0}")),
        ("kid", json!(1)),
        ("kid", json!("x".repeat(3_000))),
        ("crit", json!(["exp"])),
        ("crit", json!(["b64"])),
        ("crit", json!([])),
        ("crit", json!("exp")),
    ] {
        tokens.push((
            format!("{name}: {}", value.to_string().chars().take(40).collect::<String>()),
            with_header(name, value),
        ));
    }
    for name in ["alg", "typ", "kid"] {
        tokens.push((format!("no {name}"), sign(&without(&header, name), &body, key)));
    }
    // Keys that are embedded in the token or referenced by it come from the attacker.
    let attacker_key = b"the attacker's own key".as_slice();
    for (name, value) in [
        ("jwk", json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(attacker_key), "alg": "HS256"})),
        ("jku", json!("https://attacker.example/jwks.json")),
        ("x5u", json!("https://attacker.example/key.pem")),
        ("x5c", json!(["MIIB"])),
        ("kid", json!("https://attacker.example/key")),
    ] {
        tokens.push((format!("a key in {name}"), sign(&with(&header, name, value), &body, attacker_key)));
    }
    for key in [&b""[..], b" ", b"another secret of the same length!", &key[..key.len() - 1], b"bucketlist"] {
        tokens.push(("another secret".into(), sign(&head, &body, key)));
    }
    for (name, value) in [
        ("exp", json!(NOW)),
        ("exp", json!(1)),
        ("exp", json!(-1)),
        ("exp", json!(i64::MIN)),
        ("exp", json!("9999999999")),
        ("exp", json!(9_999_999_999.5)),
        ("exp", json!(1e300)),
        ("exp", json!(u64::MAX)),
        ("exp", json!([9_999_999_999_i64])),
        ("exp", json!(true)),
        ("exp", Value::Null),
        ("nbf", json!(NOW + 60)),
        ("nbf", json!(i64::MAX)),
        ("nbf", json!("0")),
        ("iat", json!(NOW + 60)),
        ("iat", json!(i64::MAX)),
        ("iat", json!("0")),
        ("aud", json!("somebody-else")),
        ("aud", json!("")),
        ("aud", json!(["bucketlist-api"])),
        ("aud", json!(["somebody-else", "bucketlist-api"])),
        ("aud", json!([])),
        ("aud", Value::Null),
        ("iss", json!("somebody-else")),
        ("iss", json!("")),
        ("iss", json!(["bucketlist"])),
        ("sub", json!("1 OR 1=1")),
        ("sub", json!("")),
        ("sub", json!(user.id())),
        ("sub", json!(format!("+{}", user.id()))),
        ("sub", json!(format!(" {}", user.id()))),
        ("sub", json!([user.id().to_string()])),
        ("sid", json!("1")),
        ("sid", json!(1.5)),
        ("sid", Value::Null),
        ("jti", json!(1)),
        ("jti", Value::Null),
    ] {
        tokens.push((format!("{name}: {value}"), with_claim(name, value)));
    }
    for name in ["exp", "nbf", "iat", "iss", "aud", "sub", "sid", "jti"] {
        tokens.push((format!("no {name}"), sign(&head, &without(&claims, name), key)));
    }
    let other_claims = part(&other.token(), 1);
    for (what, name, value) in [
        ("sub of another user, session of the caller", "sub", json!(other.id().to_string())),
        ("sub of the caller, session of another user", "sid", other_claims["sid"].clone()),
        ("a nonexistent session", "sid", json!(987_654_321)),
        ("a negative session", "sid", json!(-1)),
        ("a nonexistent user", "sub", json!("987654321")),
    ] {
        tokens.push((what.into(), with_new_jti(name, value)));
    }
    let duplicated = body.replacen('{', &format!("{{\"sub\":\"{}\",", other.id()), 1);
    tokens.push(("a duplicate claim".into(), sign(&head, &duplicated, key)));
    for (what, claims) in
        [("not an object", "[]"), ("null", "null"), ("not JSON", "{"), ("empty", ""), ("text", "\"x\"")]
    {
        tokens.push((format!("claims that are {what}"), sign(&head, claims, key)));
        tokens.push((format!("a header that is {what}"), sign(claims, &body, key)));
    }
    let (ended, deleted, disabled) = (app.user().await, app.user().await, user.refresh_token());
    ended.request(Method::POST, "/v1/auth/logout").send().await.expect(204);
    let password = json!({"password": Actor::PASSWORD});
    deleted.request(Method::DELETE, "/v1/users/me").json(&password).send().await.expect(204);
    let other_server = AccessTokens::new(&"the-secret-of-another-server".into(), &[], 900);
    let swapped = with(&claims, "sub", json!(other.id().to_string()));
    for (what, token) in [
        ("an ended session", ended.token()),
        ("a deleted user", deleted.token()),
        ("a refresh token", disabled),
        ("a token of another server", other_server.issue(user.id(), 1, NOW, &SystemRandom).unwrap()),
        (
            "other claims under the same signature",
            format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(swapped), parts[2]),
        ),
        (
            "another token's signature",
            format!("{}.{}.{}", parts[0], parts[1], other.token().split('.').nth(2).unwrap()),
        ),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{valid}.{}", parts[2])),
        ("five parts", format!("{valid}.{}.{}", parts[1], parts[2])),
        ("a signature cut by a byte", valid[..valid.len() - 1].to_owned()),
        ("a cut signature", valid[..valid.len() - 4].to_owned()),
        ("a longer signature", format!("{valid}AAAA")),
        ("padding", format!("{valid}=")),
        ("padding in the middle", format!("{}=.{}.{}", parts[0], parts[1], parts[2])),
        ("the standard Base64 alphabet", format!("{}+/.{}.{}", parts[0], parts[1], parts[2])),
        ("another case", valid.to_lowercase()),
        ("a dot before", format!(".{valid}")),
        ("a dot after", format!("{valid}.")),
        ("garbage", "garbage".into()),
        ("dots", "..".into()),
        ("parts that are not JSON", "YQ.YQ.YQ".into()),
        ("a very long token", format!("{valid}{}", "A".repeat(8_000))),
        ("two tokens separated by a space", format!("{valid} {valid}")),
        ("two tokens separated by a comma", format!("{valid},{valid}")),
        ("a tab inside", format!("{}\t{}", &valid[..20], &valid[20..])),
        ("a tab after", format!("{valid}\t")),
        ("quotes", format!("\"{valid}\"")),
        ("angle brackets", format!("<{valid}>")),
        ("percent encoding", valid.replace('.', "%2E")),
        ("not ASCII", format!("{valid}é")),
        ("a no-break space", format!("\u{a0}{valid}")),
    ] {
        tokens.push((what.into(), token));
    }
    let mut forgeries: Vec<Forgery> =
        tokens.into_iter().map(|(what, token)| (what, vec![format!("Bearer {token}")])).collect();
    let basic = URL_SAFE_NO_PAD.encode(format!("{}:{}", user.email(), Actor::PASSWORD));
    for (what, values) in [
        ("an empty value", vec![String::new()]),
        ("only the scheme", vec!["Bearer".into()]),
        ("the scheme and a space", vec!["Bearer ".into()]),
        ("no scheme", vec![valid.clone()]),
        ("a scheme that starts with Bearer", vec![format!("Bearerx {valid}")]),
        ("the scheme and a tab", vec![format!("Bearer\t{valid}")]),
        ("the scheme and a colon", vec![format!("Bearer: {valid}")]),
        ("the scheme twice", vec![format!("Bearer Bearer {valid}")]),
        ("a space before", vec![format!(" Bearer {valid}")]),
        ("another scheme", vec![format!("Token {valid}")]),
        ("DPoP", vec![format!("DPoP {valid}")]),
        ("Basic", vec![format!("Basic {basic}")]),
        ("Basic with a token", vec![format!("Basic {valid}")]),
        ("the same token twice", vec![format!("Bearer {valid}"), format!("Bearer {valid}")]),
        ("a valid and an invalid token", vec![format!("Bearer {valid}"), "Bearer x".into()]),
        ("an invalid and a valid token", vec!["Bearer x".into(), format!("Bearer {valid}")]),
        ("tokens of two users", vec![format!("Bearer {valid}"), format!("Bearer {}", other.token())]),
    ] {
        forgeries.push((what.into(), values));
    }
    forgeries
}

both_engines! {
    async fn all_forged_tokens_get_the_same_response(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other, anonymous) = (app.admin().await, app.user().await, app.anonymous());
        let ids = ResourceIds::create(&user).await;
        let forgeries = forgeries(&app, &user, &other).await;
        assert!(forgeries.len() >= 100, "{}", forgeries.len());
        let before = Snapshot::of_resources(&app.database);
        let mut failures = Vec::new();
        for target in targets().into_iter().filter(|target| target.operation.is_secured) {
            let path = ids.path(target.operation);
            if target.declared.is_cached {
                // Fills the response cache with the responses of the owner.
                user.get(&path).await.expect(200);
            }
            let send = async |values: &[String]| {
                let mut request = target.request(&anonymous, &path);
                for value in values {
                    request = request.append_header("authorization", value);
                }
                request.send().await.any_status()
            };
            let first = send(&["Bearer x".to_owned()]).await;
            assert_eq!((first.status, first.code().as_str()), (401, "INVALID_TOKEN"));
            assert_eq!(first.header("www-authenticate"), "Bearer realm=\"bucketlist\", error=\"invalid_token\"");
            for (what, values) in &forgeries {
                let response = send(values).await;
                if response.comparable() != first.comparable() {
                    failures.push(format!("{target} with {what}: {} {}", response.status, String::from_utf8_lossy(&response.body)));
                }
            }
        }
        assert!(failures.is_empty(), "{}\n{}", failures.len(), failures[..failures.len().min(30)].join("\n"));
        assert_eq!(Snapshot::of_resources(&app.database), before, "the database changed");
        for actor in [&user, &other] {
            actor.get("/v1/users/me").await.expect(200);
        }
    }

    async fn public_operations_ignore_a_forged_token(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other, anonymous) = (app.user().await, app.user().await, app.anonymous());
        let forgeries = forgeries(&app, &user, &other).await;
        let before = Snapshot::of_resources(&app.database);
        for target in targets().into_iter().filter(|target| !target.operation.is_secured) {
            // Requests that fail anyway: a taken address, wrong credentials, an invalid token.
            let body = json!({"color": 1});
            let plain = target.with(&anonymous, &target.operation.path, &body).send().await.expect(422);
            for (what, values) in &forgeries {
                let mut request = target.with(&anonymous, &target.operation.path, &body);
                for value in values {
                    request = request.append_header("authorization", value);
                }
                assert_eq!(request.send().await.any_status().comparable(), plain.comparable(), "{target} with {what}");
            }
        }
        assert_eq!(Snapshot::of_resources(&app.database), before);
    }

    async fn expired_token_is_rejected_like_a_forged_one(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let forged = |path: &str| {
            app.anonymous().request(Method::GET, path).header("authorization", "Bearer x.y.z")
        };
        for path in ["/v1/bucketlists", "/v2/bucketlists"] {
            user.get(path).await.expect(200);
        }
        app.advance_clock(Duration::from_secs(900));
        for path in ["/v1/bucketlists", "/v2/bucketlists"] {
            let response = user.get(path).await.expect(401);
            assert_eq!(response.comparable(), forged(path).send().await.any_status().comparable());
        }
    }

    async fn extreme_token_times_do_not_overflow(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let (header, claims) = (part(&user.token(), 0).to_string(), part(&user.token(), 1));
        // A signed token may contain extreme times; arithmetic on them must not overflow.
        for (name, status) in [("nbf", 401), ("iat", 200)] {
            let token = sign(&header, &with(&claims, name, json!(i64::MIN)), JWT_SECRET.as_bytes());
            let request = app.anonymous().request(Method::GET, "/v1/users/me");
            request.header("authorization", &format!("Bearer {token}")).send().await.expect(status);
        }
    }

    async fn authorization_scheme_is_case_insensitive_and_spaces_are_trimmed(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let valid = user.token();
        for value in [
            format!("bearer {valid}"),
            format!("BEARER {valid}"),
            format!("bEaReR   {valid}"),
            format!("Bearer {valid} "),
        ] {
            let request = app.anonymous().request(Method::GET, "/v1/users/me").header("authorization", &value);
            request.send().await.expect(200);
        }
    }
}

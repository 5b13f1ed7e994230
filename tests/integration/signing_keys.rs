//! Access tokens signed with a private key: other services can verify them, but not issue them.

use std::sync::Arc;

use bucketlist::{
    app::{App, Dependencies},
    domain::SystemRandom,
};
use ed25519_dalek::SigningKey;
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    jwk::{Jwk, JwkSet},
};
use poem::http::Method;

use crate::support::{Actor, Engine, TestApp, TestResponse, UncheckedResponse, Value, json};

const JWKS: &str = "/.well-known/jwks.json";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

async fn app_with_key(engine: Engine, seed: u8) -> TestApp {
    TestApp::builder().engine(engine).config(|config| config.tokens.private_key = Some(key(seed))).build()
}

async fn published_keys(app: &TestApp) -> Vec<Jwk> {
    let response = app.anonymous().get(JWKS).await.expect(200);
    assert_eq!(response.header("content-type"), "application/jwk-set+json");
    let set: JwkSet = serde_json::from_slice(&response.body).unwrap();
    set.keys
}

/// Returns the claims of a token that verifies with this key.
fn verify(token: &str, key: &Jwk) -> Option<Value> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["bucketlist-api"]);
    validation.set_issuer(&["bucketlist"]);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let key = DecodingKey::from_jwk(key).unwrap();
    jsonwebtoken::decode::<Value>(token, &key, &validation).ok().map(|token| token.claims)
}

async fn with_token(app: &TestApp, token: &str) -> UncheckedResponse {
    let request = app.anonymous().request(Method::GET, "/v2/users/me");
    request.header("authorization", &format!("Bearer {token}")).send().await
}

both_engines! {
    async fn tokens_verify_with_the_published_key(engine: Engine) {
        let app = app_with_key(engine, 1).await;
        let user = app.user().await;
        user.get("/v2/users/me").await.expect(200);
        let keys = published_keys(&app).await;
        assert_eq!(keys.len(), 1);
        let header = jsonwebtoken::decode_header(user.token()).unwrap();
        assert_eq!((header.alg, header.typ.as_deref()), (Algorithm::EdDSA, Some("at+jwt")));
        assert_eq!(header.kid, keys[0].common.key_id);
        assert_eq!(verify(&user.token(), &keys[0]).unwrap()["sub"], user.id().to_string());
        // The key ID is the thumbprint of RFC 7638.
        assert_eq!(header.kid.unwrap(), keys[0].thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256));
        let text = app.anonymous().get(JWKS).await.expect(200).json().to_string();
        assert!(!text.contains("\"d\""), "{text}");
    }

    async fn shared_secret_is_not_published(engine: Engine) {
        let app = TestApp::new(engine);
        assert_eq!(app.anonymous().get(JWKS).await.expect(200).json(), json!({"keys": []}));
    }

    async fn token_signed_with_public_material_is_rejected(engine: Engine) {
        let app = app_with_key(engine, 1).await;
        let user = app.user().await;
        let header = jsonwebtoken::decode_header(user.token()).unwrap();
        let claims = verify(&user.token(), &published_keys(&app).await[0]).unwrap();
        let known = app.anonymous().get(JWKS).await.expect(200).json()["keys"][0]["x"].as_str().unwrap().to_owned();
        let (raw, other) = (key(1).verifying_key().to_bytes(), key(2));
        let sign = |algorithm, key: &EncodingKey| {
            let header = Header { alg: algorithm, ..header.clone() };
            jsonwebtoken::encode(&header, &claims, key).unwrap()
        };
        use ed25519_dalek::pkcs8::EncodePrivateKey;
        let der = |key: &SigningKey| EncodingKey::from_ed_der(key.to_pkcs8_der().unwrap().as_bytes());
        let first = with_token(&app, "x").await.expect_error(401, "INVALID_TOKEN");
        for forged in [
            sign(Algorithm::HS256, &EncodingKey::from_secret(&raw)),
            sign(Algorithm::HS256, &EncodingKey::from_secret(known.as_bytes())),
            sign(Algorithm::HS256, &EncodingKey::from_secret(crate::support::JWT_SECRET.as_bytes())),
            sign(Algorithm::EdDSA, &der(&other)),
        ] {
            let response = with_token(&app, &forged).await.expect_error(401, "INVALID_TOKEN");
            let plain = |response: &TestResponse| {
                let mut body = response.json();
                body["request_id"].take();
                (body, response.header("www-authenticate").to_owned())
            };
            assert_eq!(plain(&response), plain(&first));
        }
        with_token(&app, &sign(Algorithm::EdDSA, &der(&key(1)))).await.expect(200);
    }

    async fn key_rotation_keeps_existing_tokens_valid(engine: Engine) {
        let app = app_with_key(engine, 1).await;
        let user = app.user().await;
        let next = |known: bool| {
            let mut config = app.config.clone();
            config.tokens.private_key = Some(key(2));
            config.tokens.previous_public_keys = known.then(|| key(1).verifying_key()).into_iter().collect();
            let parts = Dependencies { clock: app.clock.clone(), random: Arc::new(SystemRandom), mailer: app.mailer.clone() };
            App::new(&config, &crate::support::JWT_SECRET.into(), parts).unwrap()
        };
        let get = async |app: &App, path: &str, token: Option<String>| {
            let request = poem::Request::builder().uri(path.parse().unwrap());
            let request = match token {
                Some(token) => request.header("authorization", format!("Bearer {token}")),
                None => request,
            };
            let response = app.endpoint.call(request.finish()).await.unwrap();
            TestResponse::read(Method::GET, path.to_owned(), response).await
        };
        use poem::Endpoint;
        assert_eq!(get(&next(true), "/v2/users/me", Some(user.token())).await.status, 200);
        assert_eq!(get(&next(false), "/v2/users/me", Some(user.token())).await.status, 401);
        let keys: JwkSet = serde_json::from_slice(&get(&next(true), JWKS, None).await.body).unwrap();
        assert_eq!(keys.keys.len(), 2, "both public keys are published during the rotation");
        assert!(verify(&user.token(), &keys.keys[1]).is_some());
        // Refresh tokens do not depend on the key: the session remains valid.
        let body = json!({"refresh_token": user.refresh_token()});
        let again = Actor::new(&app, Some(app.anonymous().post("/v2/auth/refresh", &body).await.expect(200).json()));
        again.get("/v2/users/me").await.expect(200);
    }
}

//! Secrets and personal data: request data appears in no log and no error response, and only the documented fields are
//! stored or returned.

use std::{collections::BTreeSet, fs};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use poem::http::Method;

use super::{
    operations::{Target, targets, with_field},
    snapshot::Snapshot,
};
use crate::{
    support::{Actor, Database, LogCapture, LogFormat, TestApp, TestResponse, Value, json},
    v2::operations::ResourceIds,
};

/// A text that must not reappear, sent in place of a password or a token.
const CANARY: &str = "Zanzibar-canary-5f2c9e";

/// Headers that clients, proxies and browsers send. `X-Request-ID` is not among them: clients choose it and it is logged.
const HEADERS: [&str; 24] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "accept-version",
    "content-encoding",
    "content-language",
    "content-type",
    "cookie",
    "forwarded",
    "from",
    "host",
    "idempotency-key",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "origin",
    "proxy-authorization",
    "range",
    "referer",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-api-key",
    "x-forwarded-for",
];

/// The location of the canary in a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CanaryLocation {
    /// In a value, which must not appear in the response.
    Value,
    /// In a name or a path, which an error response may repeat as the location.
    Name,
}

/// Sends the canary in every part of a request of this operation.
async fn send_canaries(target: &Target, actor: &Actor<'_>, ids: ResourceIds) -> Vec<(CanaryLocation, TestResponse)> {
    let path = ids.path(target.operation);
    let mut responses = Vec::new();
    for scheme in ["Bearer ", "Basic ", "", "Token "] {
        let request = target.request(actor, &path).header("authorization", &format!("{scheme}{CANARY}"));
        responses.push((CanaryLocation::Value, request.send().await.any_status()));
    }
    for name in HEADERS {
        responses
            .push((CanaryLocation::Value, target.request(actor, &path).header(name, CANARY).send().await.any_status()));
    }
    for name in ["q", "access_token", "token", "password", "email", "cursor", "sort", "created_after"] {
        let request = target.request(actor, &format!("{path}?{name}={CANARY}"));
        responses.push((CanaryLocation::Value, request.send().await.any_status()));
    }
    responses
        .push((CanaryLocation::Name, target.request(actor, &format!("{path}?{CANARY}=1")).send().await.any_status()));
    responses
        .push((CanaryLocation::Name, target.request(actor, &format!("{path}/{CANARY}")).send().await.any_status()));
    responses
        .push((CanaryLocation::Name, target.request(actor, &format!("/{CANARY}{path}")).send().await.any_status()));
    for name in target.names("path") {
        let path = target.operation.path.replace(&format!("{{{name}}}"), CANARY);
        let path = path.replace("{bucketlist_id}", &ids.list.to_string()).replace("{item_id}", "1");
        responses.push((CanaryLocation::Name, target.request(actor, &path).send().await.any_status()));
    }
    let request = actor.request(CANARY.parse().unwrap(), &path);
    responses.push((CanaryLocation::Value, request.send().await.any_status()));
    let Some(media_type) = target.operation.request_media_types.first() else { return responses };
    let mut bodies =
        vec![(CanaryLocation::Value, json!(CANARY).to_string()), (CanaryLocation::Value, json!([CANARY]).to_string())];
    for object in target.objects() {
        for name in object.schema["properties"].as_object().unwrap().keys() {
            for value in [json!(CANARY), json!({"a": CANARY}), json!([CANARY]), json!({CANARY: 1})] {
                let body = with_field(&target.example(), &format!("{}/{name}", object.at), value);
                bodies.push((CanaryLocation::Value, body.to_string()));
            }
        }
        let unknown = with_field(&target.example(), &format!("{}/color", object.at), json!(CANARY));
        bodies.push((CanaryLocation::Value, unknown.to_string()));
        let unknown = with_field(&target.example(), &format!("{}/{CANARY}", object.at), json!(1));
        bodies.push((CanaryLocation::Name, unknown.to_string()));
    }
    let valid = target.example().to_string();
    for text in [
        format!("{{\"password\": \"{CANARY}"),
        format!("{{\"password\": {CANARY}}}"),
        format!("{CANARY}{valid}"),
        format!("{valid}{CANARY}"),
        format!("password={CANARY}&email={CANARY}@example.com"),
        format!("{}\"{CANARY}\"{}", "[".repeat(40), "]".repeat(40)),
    ] {
        bodies.push((CanaryLocation::Value, text));
    }
    bodies.push((CanaryLocation::Name, format!("{{\"{CANARY}\": 1, \"{CANARY}\": 2}}")));
    for (location, body) in bodies {
        for media_type in [media_type.as_str(), "application/x-www-form-urlencoded", "text/plain"] {
            let request = actor.request(target.method(), &path).header("content-type", media_type);
            responses.push((location, request.bytes(body.clone()).send().await.any_status()));
        }
    }
    responses
}

both_engines! {
    async fn request_data_appears_in_neither_logs_nor_error_responses(engine: Engine) {
        let log = LogCapture::start(LogFormat::Trace);
        let app = TestApp::new(engine);
        let mut sent = 0;
        for target in targets() {
            // A new user for each operation: some operations end sessions or delete accounts.
            let admin = app.admin().await;
            let ids = ResourceIds { user: app.user().await.id(), ..ResourceIds::create(&admin).await };
            let actor = target.caller(&app, &admin);
            for (location, response) in send_canaries(&target, &actor, ids).await {
                sent += 1;
                if response.is_success() || response.status == 304 || response.headers.contains_key("content-encoding") {
                    continue;
                }
                let text = String::from_utf8_lossy(&response.body);
                assert!(location == CanaryLocation::Name || !text.contains(CANARY), "{target}: {response:?}");
                for (name, value) in &response.headers {
                    // A deprecated operation links to the successor of the requested path.
                    let is_path = location == CanaryLocation::Name && name == "link";
                    assert!(is_path || !value.contains(CANARY), "{target}: {name} of {response:?}");
                }
            }
            let text = log.take();
            assert!(text.contains("request completed"), "the log was not captured");
            let line = text.lines().find(|line| line.to_lowercase().contains(&CANARY.to_lowercase()));
            assert!(line.is_none(), "{target}: {line:?}");
        }
        assert!(sent > 3_000, "{sent}");
        for path in ["/version", "/health/live", "/docs", "/", "/openapi/v1.json", "/problems", "/nowhere"] {
            for target in [format!("{path}?token={CANARY}"), format!("{path}/{CANARY}"), format!("/{CANARY}{path}")] {
                let response = app.anonymous().get(&target).await.any_status();
                assert!(response.status < 500, "{response:?}");
            }
        }
        assert!(!log.take().contains(CANARY));
    }
}

/// Asserts that no file of a SQLite database contains a secret, in plain text or in common encodings.
fn expect_in_no_file(database: &Database, secret: &str) {
    for entry in fs::read_dir(database.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap_or_default();
        assert!(
            !bytes.windows(secret.len()).any(|part| part == secret.as_bytes()),
            "{secret} is in {}",
            path.display()
        );
    }
}

/// Returns the token in a mail, which is on a separate line.
fn token_in(mail: &str) -> String {
    mail.lines().find(|line| line.starts_with("    ") && !line.contains('{')).unwrap().trim().to_owned()
}

/// A user with resources of every kind and all secrets that the account has used.
struct LifeCycle<'a> {
    user: Actor<'a>,
    secrets: Vec<String>,
    email: String,
}

const FIRST_PASSWORD: &str = "marmalade-Lighthouse-88";
const SECOND_PASSWORD: &str = "obsidian-Windmill-54";
const THIRD_PASSWORD: &str = "tangerine-Aqueduct-31";

async fn create_life_cycle(app: &TestApp) -> LifeCycle<'_> {
    let email = "xanthippe.canary@sub.example.com".to_owned();
    let agent = "Canarybird/1.0";
    let anonymous = app.anonymous();
    let body = json!({"email": email, "password": FIRST_PASSWORD, "name": "Xanthippe Nightingale"});
    let request = anonymous.request(Method::POST, "/v1/auth/register").json(&body).header("user-agent", agent);
    let user = Actor::new(app, Some(request.send().await.expect(201).json()));
    let mut secrets = vec![user.token(), user.refresh_token()];
    let refreshed =
        anonymous.post("/v2/auth/refresh", &json!({"refresh_token": user.refresh_token()})).await.expect(200);
    let user = Actor::new(app, Some(refreshed.json()));
    secrets.extend([user.token(), user.refresh_token()]);
    let change = json!({"current_password": FIRST_PASSWORD, "new_password": SECOND_PASSWORD});
    user.put("/v1/auth/password", &change).await.expect(204);
    anonymous.post("/v2/auth/password-reset", &json!({"email": email})).await.expect(202);
    app.run_jobs().await;
    let mail = app.mailer.take().remove(0);
    let token = token_in(&mail.text);
    secrets.push(token.clone());
    let confirmation = json!({"token": token, "new_password": THIRD_PASSWORD});
    anonymous.post("/v2/auth/password-reset/confirm", &confirmation).await.expect(204);
    for password in [FIRST_PASSWORD, "wrong-Guess-Canary-77"] {
        anonymous.post("/v1/auth/login", &json!({"email": email, "password": password})).await.expect(401);
    }
    let credentials = json!({"email": email, "password": THIRD_PASSWORD});
    let request = anonymous.request(Method::POST, "/v2/auth/login").json(&credentials).header("user-agent", agent);
    let user = Actor::new(app, Some(request.send().await.expect(200).json()));
    secrets.extend([user.token(), user.refresh_token()]);
    let list = json!({"name": "Kookaburra", "description": "Flamboyance"});
    let created =
        user.request(Method::POST, "/v2/bucketlists").json(&list).header("idempotency-key", "Budgerigar").send().await;
    let list = created.expect(201).json()["id"].as_i64().unwrap();
    let item = json!({"name": "Capercaillie", "description": "Murmuration"});
    let request = user.request(Method::POST, &format!("/v2/bucketlists/{list}/items")).json(&item);
    request.header("idempotency-key", "Cockatiel").send().await.expect(201);
    secrets.extend([FIRST_PASSWORD, SECOND_PASSWORD, THIRD_PASSWORD, "wrong-Guess-Canary-77"].map(str::to_owned));
    // The payload of a token is not secret, but its signature is.
    let signatures: Vec<String> = secrets
        .iter()
        .filter(|secret| secret.contains('.'))
        .filter_map(|it| it.rsplit('.').next())
        .map(str::to_owned)
        .collect();
    secrets.extend(signatures);
    LifeCycle { user, secrets, email }
}

both_engines! {
    async fn no_database_column_contains_a_secret(engine: Engine) {
        let app = TestApp::new(engine);
        let life_cycle = create_life_cycle(&app).await;
        let snapshot = Snapshot::of(&app.database);
        for secret in &life_cycle.secrets {
            assert_eq!(snapshot.columns_containing(secret), Vec::<String>::new(), "{secret}");
            expect_in_no_file(&app.database, secret);
        }
        // Checks the search itself: personal data is found in its columns and nowhere else.
        for (text, columns) in [
            (life_cycle.email.as_str(), &["users.email", "users.email_key", "users.search_text"][..]),
            ("Nightingale", &["users.name", "users.search_text"]),
            ("Canarybird", &["sessions.user_agent"]),
            ("Budgerigar", &["idempotency_keys.name"]),
        ] {
            let found_columns: Vec<String> =
                snapshot.columns_containing(text).into_iter().filter(|column| !column.starts_with("audit_events.")).collect();
            assert_eq!(found_columns, columns, "{text}");
        }
        for (text, columns) in [
            ("Kookaburra", ["bucketlists.name", "bucketlists.search_text", "idempotency_keys.result"]),
            ("Capercaillie", ["idempotency_keys.result", "items.name", "items.search_text"]),
        ] {
            let found_columns = snapshot.columns_containing(text);
            assert!(columns.iter().all(|column| found_columns.contains(&(*column).to_owned())), "{text}: {found_columns:?}");
        }
    }

    async fn deleted_account_leaves_no_data(engine: Engine) {
        let app = TestApp::new(engine);
        let life_cycle = create_life_cycle(&app).await;
        app.anonymous().post("/v1/auth/password-reset", &json!({"email": life_cycle.email})).await.expect(202);
        let (id, password) = (life_cycle.user.id(), json!({"password": THIRD_PASSWORD}));
        life_cycle.user.request(Method::DELETE, "/v2/users/me").json(&password).send().await.expect(204);
        app.run_jobs().await;
        assert!(app.mailer.take().is_empty(), "mail was sent to a deleted account");
        assert_eq!(Snapshot::of_user(&app.database, id).size(), 0);
        // SQLite's search index may hold words of deleted rows until it is merged; no query returns them.
        let snapshot = Snapshot::of_resources(&app.database).without("search_index_");
        for text in [&*life_cycle.email, "Nightingale", "Canarybird", "Budgerigar", "Cockatiel", "Kookaburra", "Capercaillie"] {
            assert_eq!(snapshot.columns_containing(text), Vec::<String>::new(), "{text}");
        }
    }

    async fn tokens_have_256_random_bits_and_are_unique(engine: Engine) {
        let app = TestApp::new(engine);
        let mut tokens = BTreeSet::new();
        for _ in 0..20 {
            let user = app.user().await;
            app.anonymous().post("/v1/auth/password-reset", &json!({"email": user.email()})).await.expect(202);
            app.run_jobs().await;
            let mail = app.mailer.take().remove(0);
            for token in [user.refresh_token(), token_in(&mail.text)] {
                assert_eq!(URL_SAFE_NO_PAD.decode(&token).unwrap().len(), 32, "{token}");
                assert!(tokens.insert(token));
            }
            let claims = URL_SAFE_NO_PAD.decode(user.token().split('.').nth(1).unwrap()).unwrap();
            let claims: Value = serde_json::from_slice(&claims).unwrap();
            let id = claims["jti"].as_str().unwrap();
            assert_eq!(URL_SAFE_NO_PAD.decode(id).unwrap().len(), 16);
            assert!(tokens.insert(id.to_owned()));
        }
        assert_eq!(tokens.len(), 60);
    }

    async fn responses_contain_only_declared_fields(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let ids = ResourceIds { user: app.user().await.id(), ..ResourceIds::create(&admin).await };
        admin.request(Method::GET, "/v2/bucketlists").header("x-fault", "panic").send().await.expect(500);
        app.flush_incidents().await;
        let incidents = admin.get("/v2/admin/incidents").await.expect(200).json();
        let incident = incidents["data"][0]["id"].to_string();
        let api_client = admin.create_api_client(ids.user, &["read"]).await["id"].as_i64().unwrap();
        let job = admin.enqueue_job().await;
        let mut seen = 0;
        // A profile is not JSON, and is disabled by default.
        let is_read = |target: &Target| target.method() == Method::GET && target.operation.id != "recordProfile";
        for target in targets().into_iter().filter(is_read) {
            let q = if target.operation.id == "search" { "?q=see" } else { "" };
            let path = ResourceIds { incident: incident.parse().unwrap(), api_client, job, ..ids }.path(target.operation);
            let response = admin.get(&format!("{path}{q}")).await.expect(200);
            if target.operation.id.starts_with("exportIncident") {
                // Files in external formats have no schema here. The Postman login request has a password variable.
                let text = String::from_utf8_lossy(&response.body).into_owned();
                for hidden in [&*admin.token(), Actor::PASSWORD, "argon2", "password_hash", "search_text", "email_key"] {
                    assert!(!text.contains(hidden), "{target}: {hidden}");
                }
                continue;
            }
            let response = response.json();
            let (known, maps) = (target.response_fields(), target.response_maps());
            let mut pending = vec![&response];
            while let Some(value) = pending.pop() {
                match value {
                    Value::Object(fields) => {
                        for (name, value) in fields {
                            // Schemas of responses allow additional fields; the server must not use that.
                            assert!(known.contains(name.as_str()), "{target} returns the undeclared field {name}");
                            if !maps.contains(name.as_str()) {
                                pending.push(value);
                            }
                            seen += 1;
                        }
                    }
                    Value::Array(values) => pending.extend(values),
                    _ => {}
                }
            }
            let text = response.to_string();
            for hidden in ["password", "argon2", "hash", "search_text", "email_key", "revision"] {
                assert!(!text.contains(hidden), "{target}: {hidden}");
            }
        }
        assert!(seen > 200, "{seen}");
    }

    async fn every_error_is_logged_with_its_code(engine: Engine) {
        let log = LogCapture::start(LogFormat::Json);
        let app = TestApp::new(engine);
        let (user, other, anonymous) = (app.user().await, app.user().await, app.anonymous());
        let (own, theirs) = (ResourceIds::create(&user).await, ResourceIds::create(&other).await);
        let (lists, list) = ("/v2/bucketlists", format!("/v1/bucketlists/{}", theirs.list));
        let request = anonymous.request(Method::GET, "/v1/users/me").header("authorization", "Bearer x.y.z");
        for (response, code, level, user) in [
            (request.send().await.any_status(), "INVALID_TOKEN", "INFO", None),
            (anonymous.get("/v1/users/me").await.any_status(), "AUTHENTICATION_REQUIRED", "INFO", None),
            (user.get("/v2/admin/users").await.any_status(), "FORBIDDEN", "INFO", Some(user.id())),
            (user.get(&list).await.any_status(), "BUCKETLIST_NOT_FOUND", "INFO", Some(user.id())),
            (user.post(lists, &json!({"owner": 1})).await.any_status(), "VALIDATION_FAILED", "INFO", Some(user.id())),
            (
                anonymous.post("/v1/auth/login", &json!({"email": user.email(), "password": "guessed"})).await.any_status(),
                "INVALID_CREDENTIALS",
                "INFO",
                None,
            ),
            (
                {
                    app.execute("ALTER TABLE items RENAME COLUMN due_on TO broken");
                    user.get(&format!("/v1/bucketlists/{}/items/{}", own.list, own.item)).await.any_status()
                },
                "INTERNAL_ERROR",
                "ERROR",
                Some(user.id()),
            ),
        ] {
            assert_eq!(response.code(), code);
            let events: Vec<Value> = log.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let events: Vec<&Value> =
                events.iter().filter(|event| event["span"]["id"] == response.header("x-request-id")).collect();
            let logged = events.iter().find(|event| event["code"] == code).unwrap_or_else(|| panic!("{code}: {events:#?}"));
            assert_eq!(logged["level"], level, "{logged}");
            assert!(level == "INFO" || logged["causes"].as_str().unwrap().contains("due_on"), "{logged}");
            let access = events.iter().find(|event| event["message"] == "request completed").unwrap();
            assert_eq!((&access["status"], access["user"].as_i64()), (&json!(response.status), user), "{access}");
        }
    }
}

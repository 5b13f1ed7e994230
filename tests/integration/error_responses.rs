//! Every documented error of every operation of both versions, generated from the documents: a new operation is covered at
//! once. Errors of single operations are tested with the operation.

use std::{io, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use openapi_model::Operation;
use poem::Body;

use crate::{
    faults::{Access, Gate, exhaust_pool, expect_unavailable},
    support::{Actor, Engine, RequestBuilder, TestApp, TestResponse, json, method},
    v2::operations::{ResourceIds, operations, read_resources, request},
};

/// The IDs of requests that are rejected before their resource is looked up.
const ANY_IDS: ResourceIds =
    ResourceIds { list: 1, item: 1, user: 1, session: 1, export: 1, incident: 1, api_client: 1, job: 1 };

/// Returns an actor that may call an operation.
fn caller<'w, 'a>(operation: &Operation, admin: &'w Actor<'a>, anonymous: &'w Actor<'a>) -> &'w Actor<'a> {
    if operation.is_secured { admin } else { anonymous }
}

/// Builds a valid request.
fn valid_request<'a>(actor: &Actor<'a>, operation: &Operation, path: &str) -> RequestBuilder<'a> {
    let request = request(actor, operation, path);
    // The example has the password of a seeded account.
    if matches!(&*operation.id, "deleteMe" | "deleteAccount") {
        request.json(&json!({"password": Actor::PASSWORD}))
    } else {
        request
    }
}

fn is_documented(operation: &Operation, status: u16) -> bool {
    operation.statuses().any(|documented| documented == status)
}

#[track_caller]
fn expect_status(operation: &Operation, response: &TestResponse, status: u16) {
    let text = String::from_utf8_lossy(&response.body);
    assert_eq!(response.status, status, "{} {}: {text}", response.method, operation.path);
}

both_engines! {
    async fn every_error_response_is_documented(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.limits.body_bytes = 4096).build();
        let (admin, user, disabled, anonymous) = (app.admin().await, app.user().await, app.user().await, app.anonymous());
        // The last administrator cannot be deleted.
        let _other = app.admin().await;
        let (ids, incident) = (ResourceIds::create(&admin).await, admin.capture_incident().await);
        let api_client = admin.create_api_client(user.id(), &["read"]).await;
        let api_client_id = api_client["id"].as_i64().unwrap();
        let ids = ResourceIds { user: user.id(), incident, api_client: api_client_id, job: admin.enqueue_job().await, ..ids };
        let without_scope = Actor::with_api_key(&app, api_client["key"].as_str().unwrap());
        let disable = format!("/v2/admin/users/{}", disabled.id());
        admin.patch(&disable, &json!({"disabled": true})).await.expect(200);
        let before = read_resources(&admin, ids).await;
        let (long, oversized_header) = ("x".repeat(9_000), "x".repeat(17_000));
        let mut tried = 0;
        for operation in operations() {
            let (actor, path) = (caller(operation, &admin, &anonymous), ids.path(operation));
            let base = || valid_request(actor, operation, &path);
            let mut attempts: Vec<(u16, RequestBuilder<'_>)> = vec![
                (422, request(actor, operation, &format!("{path}?color=1"))),
                (414, request(actor, operation, &format!("{path}?q={long}"))),
                (431, base().header("x-filler", &oversized_header)),
                (413, base().bytes(" ".repeat(5_000))),
            ];
            if !operation.response_media_types.is_empty() {
                attempts.push((406, base().header("accept", "image/png")));
            }
            if operation.is_secured {
                attempts.push((401, request(&anonymous, operation, &path)));
                attempts.push((403, request(&disabled, operation, &path)));
                let needs_another_scope = operation.method != "GET" || operation.path.starts_with("/v2/admin");
                if needs_another_scope || operation.id == "listSessions" {
                    attempts.push((403, request(&without_scope, operation, &path)));
                }
            }
            if operation.path.contains('{') {
                attempts.push((404, request(actor, operation, &ResourceIds::NONEXISTENT.path(operation))));
            }
            if let Some(media_type) = operation.request_media_types.first() {
                attempts.push((400, base().bytes("{")));
                attempts.push((415, base().header("content-type", "text/xml")));
                attempts.push((422, base().header("content-type", media_type).bytes("[]")));
            }
            if is_documented(operation, 412) {
                attempts.push((400, base().header("if-match", "nonsense")));
                attempts.push((412, base().header("if-match", "\"another\"")));
            }
            if is_documented(operation, 304) {
                let query = if operation.id == "search" { "?q=w" } else { "" };
                let read = || request(actor, operation, &format!("{path}{query}"));
                attempts.push((400, read().header("if-none-match", "nonsense")));
                attempts.push((304, read().header("if-none-match", "*")));
            }
            for (status, attempt) in attempts {
                expect_status(operation, &attempt.send().await.any_status(), status);
                tried += 1;
            }
        }
        assert!(tried > 400, "{tried}");
        assert_eq!(read_resources(&admin, ids).await, before, "a rejected request changed the database");
    }

    async fn missing_if_match_returns_428_where_required(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.responses.requires_if_match = true).build();
        let (admin, anonymous) = (app.admin().await, app.anonymous());
        let ids = ResourceIds { user: app.user().await.id(), ..ResourceIds::create(&admin).await };
        let conditional: Vec<_> = operations().filter(|operation| is_documented(operation, 428)).collect();
        assert!(conditional.len() >= 10, "{conditional:?}");
        for operation in conditional {
            let actor = caller(operation, &admin, &anonymous);
            expect_status(operation, &request(actor, operation, &ids.path(operation)).send().await.any_status(), 428);
        }
    }

    async fn stalled_body_returns_408_and_a_broken_one_400(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.limits.request_timeout = Duration::from_millis(10)).build();
        let (admin, anonymous) = (app.admin().await, app.anonymous());
        for operation in operations() {
            let media_type = operation.request_media_types.first().map_or("text/plain", String::as_str);
            let stalled = Body::from_bytes_stream(stream::pending::<Result<Bytes, io::Error>>());
            let broken = stream::iter([Err::<Bytes, _>(io::Error::other("invalid chunk"))]);
            for (status, body) in [(408, stalled), (400, Body::from_bytes_stream(broken))] {
                let path = ANY_IDS.path(operation);
                let mut request =
                    poem::Request::builder().method(method(operation)).uri_str(&path).content_type(media_type);
                if operation.is_secured {
                    let token = caller(operation, &admin, &anonymous).token();
                    request = request.header("authorization", format!("Bearer {token}"));
                }
                let response = TestResponse::read(method(operation), path, app.call(request.body(body)).await).await;
                expect_status(operation, &response, status);
            }
        }
    }

    async fn exceeded_rate_limit_returns_429_for_every_operation(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| {
            config.limits.rate_limit = true;
            config.limits.general_per_minute = 1;
        }).build();
        // Registration uses up the limit of the address, and the first request that of the account.
        let (admin, anonymous) = (app.admin().await, app.anonymous());
        admin.get("/v1/users/me").await.expect(200);
        for operation in operations() {
            let path = ANY_IDS.path(operation);
            let response = request(caller(operation, &admin, &anonymous), operation, &path).send().await;
            response.expect_error(429, "RATE_LIMIT_EXCEEDED");
        }
    }

    async fn missing_tables_return_500_for_every_operation(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, anonymous) = (app.admin().await, app.anonymous());
        for table in ["users", "sessions", "refresh_tokens", "password_resets", "jobs", "job_schedules"] {
            app.execute(&format!("ALTER TABLE {table} RENAME TO renamed_{table}"));
        }
        for operation in operations() {
            let path = ANY_IDS.path(operation);
            let response = request(caller(operation, &admin, &anonymous), operation, &path).send().await;
            response.expect_error(500, "INTERNAL_ERROR");
        }
    }

    async fn exhausted_pool_returns_503_for_every_operation(engine: Engine) {
        let default_app = TestApp::new(engine);
        let session = default_app.admin().await.session;
        // The same database with a small pool and no waiting time.
        let app = TestApp::builder().database(default_app.database).config(|config| {
            config.database.pool_size = 1;
            config.database.acquire_timeout = Duration::from_millis(1);
        }).build();
        let (admin, anonymous) = (Actor::new(&app, session), app.anonymous());
        let gate = Gate::default();
        let mut units = exhaust_pool(&app.app.db, Access::Read, &gate).await;
        if engine == Engine::Sqlite {
            // The writer has a separate connection.
            units.extend(exhaust_pool(&app.app.db, Access::Write, &gate).await);
        }
        for operation in operations() {
            let path = ANY_IDS.path(operation);
            let response = request(caller(operation, &admin, &anonymous), operation, &path).send().await;
            expect_unavailable(response.any_status());
        }
        gate.open();
        futures_util::future::join_all(units).await;
    }
}

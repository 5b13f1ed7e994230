//! Usage counters and their reports.

use std::time::Duration;

use bucketlist::{
    app::App,
    config::Config,
    db::schema::usage_counters,
    domain::{Brownout, Timestamp},
};
use diesel::prelude::*;
use poem::http::Method;

use crate::support::{Actor, Engine, START_MICROS, TestApp, Value, json};

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3_600);

/// Returns all rows of a report.
async fn report(admin: &Actor<'_>, query: &str) -> Vec<Value> {
    let path = format!("/v2/admin/usage?per_page=100&{query}");
    admin.get(&path).await.expect(200).json()["data"].as_array().unwrap().clone()
}

fn requests(rows: &[Value]) -> i64 {
    rows.iter().map(|row| row["requests"].as_i64().unwrap()).sum()
}

/// Lets sessions and tokens outlive a test that advances the clock.
fn without_expiry(config: &mut Config) {
    config.tokens.access_ttl = 1_000 * DAY;
    config.tokens.refresh_ttl = 1_000 * DAY;
    config.tokens.session_ttl = 1_000 * DAY;
}

async fn stored_rows(app: &TestApp, period: &'static str) -> i64 {
    use bucketlist::db::{DbConnection, DbError};
    let count = move |c: &mut DbConnection| {
        let rows = usage_counters::table.filter(usage_counters::period.eq(period)).count();
        rows.get_result(c).map_err(DbError::from)
    };
    app.app.db.read(count).await.unwrap()
}

both_engines! {
    async fn requests_are_counted_by_operation_version_consumer_and_status(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let user = app.user().await;
        let list = user.create_bucketlist("See the world").await;
        for _ in 0..3 {
            user.get("/v2/bucketlists").await.expect(200);
        }
        user.get("/v1/bucketlists").await.expect(200);
        user.get("/v2/bucketlists?color=red").await.expect(422);
        user.get("/bucketlists").await.expect(200);
        let body = json!({"name": "Cape Horn"});
        let created = user.post(&format!("/v2/bucketlists/{list}/items"), &body).await.expect(201);
        // Not operations.
        user.get("/health/live").await.expect(200);
        user.get("/v2/nothing").await.expect(404);
        app.flush_usage().await;

        let rows = report(&admin, &format!("consumer=user:{}", user.id())).await;
        let summary: Vec<Value> = rows
            .iter()
            .map(|row| json!([row["version"], row["operation"], row["requests"], row["errors"]]))
            .collect();
        assert_eq!(summary, [
            json!(["v1", "createBucketlist", 1, 0]),
            json!(["v1", "listBucketlists", 2, 0]),
            json!(["v2", "createItem", 1, 0]),
            json!(["v2", "listBucketlists", 4, 1]),
        ]);
        let row = &rows[2];
        let consumer = json!({"kind": "user", "id": user.id(), "name": user.email(), "contact_email": user.email()});
        assert_eq!(row["consumer"], consumer);
        assert_eq!((&row["day"], &row["hour"]), (&json!("2027-01-15"), &Value::Null));
        assert_eq!(row["bytes_in"], body.to_string().len());
        assert_eq!(row["bytes_out"], created.body.len());
        assert_eq!(row["last_seen_at"], "2027-01-15T08:00:00.000000Z");
        let latency = |name: &str| row["latency_ms"][name].as_f64().unwrap();
        assert!(0.0 < latency("p50") && latency("p50") <= latency("p95") && latency("p95") <= latency("p99"), "{row}");

        // Without a token: by user agent.
        let login = json!({"email": user.email(), "password": Actor::PASSWORD});
        for agent in ["curl/8.5", "curl/8.5", "wget"] {
            let request = app.anonymous().request(Method::POST, "/v2/auth/login").header("user-agent", agent);
            request.json(&login).send().await.expect(200);
        }
        app.anonymous().get("/v2/bucketlists").await.expect(401);
        app.flush_usage().await;
        let rows = report(&admin, "consumer=anonymous&version=v2").await;
        let summary: Vec<Value> =
            rows.iter().map(|row| json!([row["operation"], row["consumer"]["name"], row["requests"], row["errors"]])).collect();
        assert_eq!(summary, [
            json!(["listBucketlists", "none", 1, 1]),
            json!(["login", "curl/8.5", 2, 0]),
            json!(["login", "wget", 1, 0]),
        ]);
        assert_eq!(requests(&report(&admin, "consumer=anonymous:curl/8.5").await), 2);
    }

    async fn user_agents_are_not_only_ascii(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        app.anonymous().request(Method::GET, "/v2/bucketlists").header("user-agent", "Müller/1.0").send().await.expect(401);
        app.flush_usage().await;
        let rows = report(&admin, "group_by=consumer&consumer=anonymous").await;
        assert!(rows.iter().any(|row| row["consumer"]["name"] == "Müller/1.0"), "{rows:?}");
    }

    async fn removed_operation_is_counted_for_the_account_of_the_token(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(without_expiry).build();
        let (admin, user) = (app.admin().await, app.user().await);
        app.advance_clock(310 * DAY);
        user.get("/v1/bucketlists").await.expect_error(410, "GONE");
        app.flush_usage().await;
        let rows = report(&admin, &format!("deprecated=true&consumer=user:{}", user.id())).await;
        assert_eq!((rows.len(), &rows[0]["errors"]), (1, &json!(1)), "{rows:?}");
    }

    async fn rejected_request_is_counted_for_its_caller(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| {
            config.limits.rate_limit = true;
            let starts_at = Timestamp::from_micros(START_MICROS);
            config.deprecations.brownouts =
                vec![Brownout { operation: "listBucketlists".to_owned(), starts_at, duration: HOUR }];
        }).build();
        let (admin, user) = (app.admin().await, app.user().await);
        let [created, limited, deleted] = [
            admin.create_api_client(user.id(), &["read"]).await,
            admin.create_api_client(user.id(), &["read"]).await,
            admin.create_api_client(user.id(), &["read"]).await,
        ];
        let path = |created: &Value| format!("/v2/admin/api-clients/{}", created["id"]);
        let actor = |created: &Value| Actor::with_api_key(&app, created["key"].as_str().unwrap());
        // Neither key was ever verified before.
        actor(&created).get("/v1/bucketlists").await.expect_error(410, "BROWNOUT");
        actor(&created).request(Method::GET, "/v2/bucketlists").header("accept", "image/png").send().await.expect(406);
        assert_eq!(admin.get(&path(&created)).await.expect(200).json()["last_used_at"], "2027-01-15T08:00:00.000000Z");
        admin.patch(&path(&limited), &json!({"rate_limit": 1})).await.expect(200);
        let rejected = actor(&limited).get("/v1/bucketlists").await.expect_error(410, "BROWNOUT");
        assert_eq!(rejected.header("ratelimit-policy"), "\"general\";q=1;w=60");
        actor(&limited).get("/v1/bucketlists").await.expect_error(429, "RATE_LIMIT_EXCEEDED");
        user.get("/v1/bucketlists").await.expect_error(410, "BROWNOUT");
        // A key that is not valid is anonymous, also if it was valid within the last seconds.
        actor(&deleted).get("/v2/bucketlists").await.expect(200);
        admin.delete(&path(&deleted)).await.expect(204);
        actor(&deleted).get("/v1/bucketlists").await.expect_error(410, "BROWNOUT");
        actor(&deleted).get("/v2/bucketlists").await.expect(401);
        app.flush_usage().await;
        let count = async |consumer: &str, operation: &str, version: &str| {
            requests(&report(&admin, &format!("consumer={consumer}&operation={operation}&version={version}")).await)
        };
        let client = |created: &Value| format!("api_client:{}", created["id"]);
        assert_eq!(count(&client(&created), "listBucketlists", "v1").await, 1);
        assert_eq!(count(&client(&created), "listBucketlists", "v2").await, 1);
        assert_eq!(count(&client(&limited), "listBucketlists", "v1").await, 2);
        assert_eq!(count(&format!("user:{}", user.id()), "listBucketlists", "v1").await, 1);
        assert_eq!(count(&client(&deleted), "listBucketlists", "v1").await, 0);
        assert_eq!(count("anonymous", "listBucketlists", "v1").await, 1);
        assert_eq!(count("anonymous", "listBucketlists", "v2").await, 1);
    }

    async fn rows_can_be_grouped_and_filtered_by_status(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        for (path, status) in [("/v2/bucketlists", 200), ("/v2/bucketlists", 200), ("/v2/bucketlists?color=red", 422)] {
            user.get(path).await.expect(status);
        }
        app.flush_usage().await;
        let rows = report(&admin, "group_by=status&operation=listBucketlists").await;
        let summary: Vec<Value> = rows.iter().map(|row| json!([row["status"], row["requests"], row["errors"]])).collect();
        assert_eq!(summary, [json!(["2xx", 2, 0]), json!(["4xx", 1, 1])]);
        let rows = report(&admin, "status=4xx&operation=listBucketlists").await;
        assert_eq!((rows.len(), &rows[0]["requests"], &rows[0]["status"]), (1, &json!(1), &Value::Null));
        let page = admin.get("/v2/admin/usage?per_page=1&group_by=status,operation&operation=listBucketlists").await;
        let next = page.expect(200).json()["links"]["next"].as_str().unwrap().to_owned();
        assert_eq!(admin.get(&next).await.expect(200).json()["data"][0]["status"], "4xx");
        let csv = admin.request(Method::GET, "/v2/admin/usage?group_by=status&status=4xx").header("accept", "text/csv");
        let csv = String::from_utf8(csv.send().await.expect(200).body).unwrap();
        assert!(csv.contains(",status,") && csv.contains(",4xx,"), "{csv}");
    }

    async fn stream_is_counted_when_it_ends(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        admin.create_bucketlist("See the world").await;
        let request = admin.request(Method::GET, "/v2/bucketlists").header("accept", "text/csv");
        let rows = request.send().await.expect(200);
        app.flush_usage().await;
        let report = report(&admin, "operation=listBucketlists").await;
        assert_eq!((report.len(), &report[0]["bytes_out"]), (1, &json!(rows.body.len())));
    }

    async fn counters_of_several_servers_add_up(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let dependencies = bucketlist::app::Dependencies {
            clock: app.clock.clone(),
            random: std::sync::Arc::new(bucketlist::domain::SystemRandom),
            mailer: app.mailer.clone(),
        };
        let other = App::new(&app.config, &crate::support::JWT_SECRET.into(), dependencies).unwrap();
        for _ in 0..5 {
            admin.get("/v2/bucketlists").await.expect(200);
        }
        for _ in 0..7 {
            let request = poem::Request::builder()
                .uri_str("/v2/bucketlists")
                .header("authorization", format!("Bearer {}", admin.token()))
                .finish();
            let response = poem::Endpoint::call(&other.endpoint, request).await.unwrap();
            assert_eq!(response.status().as_u16(), 200);
        }
        let (first, second) = tokio::join!(app.app.usage.flush(), other.usage.flush());
        first.unwrap();
        second.unwrap();
        admin.get("/v2/bucketlists").await.expect(200);
        app.flush_usage().await;
        // Nothing new: a second flush stores nothing.
        app.flush_usage().await;
        let rows = report(&admin, "operation=listBucketlists").await;
        assert_eq!((rows.len(), &rows[0]["requests"]), (1, &json!(13)));
    }

    async fn flush_sends_two_statements_and_is_retried(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        for path in ["/v2/bucketlists", "/v2/users/me", "/v2/admin/users", "/v1/bucketlists"] {
            admin.get(path).await.expect(200);
        }
        app.execute("ALTER TABLE usage_counters RENAME TO moved");
        app.app.usage.flush().await.unwrap_err();
        app.execute("ALTER TABLE moved RENAME TO usage_counters");
        admin.get("/v2/bucketlists").await.expect(200);
        let before = app.app.db.statements();
        app.flush_usage().await;
        let statements = app.app.db.statements() - before;
        // One statement for the counters and one for the inputs, and those that begin and commit their transaction.
        assert!(statements <= 6, "{statements} statements");
        // `admin` registers and promotes itself first.
        let rows = report(&admin, "group_by=operation").await;
        let count = |operation: &str| requests(&rows.iter().filter(|row| row["operation"] == operation).cloned().collect::<Vec<_>>());
        assert_eq!((count("listBucketlists"), count("getMe"), count("listUsers")), (3, 1, 1), "{rows:?}");
    }

    async fn rows_can_be_grouped_and_filtered(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(without_expiry).build();
        let (admin, user) = (app.admin().await, app.user().await);
        for _ in 0..2 {
            user.get("/v2/bucketlists").await.expect(200);
            admin.get("/v1/bucketlists").await.expect(200);
            user.get("/v1/users/me").await.expect(200);
            app.flush_usage().await;
            app.advance_clock(DAY);
        }
        let by = async |query: &str, fields: &[&str]| {
            let rows = report(&admin, query).await;
            rows.iter().map(|row| fields.iter().map(|field| row[*field].clone()).collect::<Value>()).collect::<Vec<_>>()
        };
        let all = by("group_by=day", &["day", "requests", "operation", "version", "consumer"]).await;
        assert_eq!(all, [json!(["2027-01-16", 3, null, null, null]), json!(["2027-01-15", 5, null, null, null])]);
        let versions = by("group_by=version&from=2027-01-16", &["version", "requests", "day"]).await;
        assert_eq!(versions, [json!(["v1", 2, null]), json!(["v2", 1, null])]);
        let operations = by("group_by=operation,version&consumer=user", &["version", "operation", "requests"]).await;
        assert_eq!(operations, [
            json!(["v1", "getMe", 2]),
            json!(["v1", "listBucketlists", 2]),
            json!(["v2", "listBucketlists", 2]),
        ]);
        let deprecated = by("group_by=operation,consumer&deprecated=true", &["operation", "consumer", "requests"]).await;
        let consumer = json!({"kind": "user", "id": admin.id(), "name": admin.email(), "contact_email": admin.email()});
        assert_eq!(deprecated, [json!(["listBucketlists", consumer, 2])]);
        let others = by("group_by=operation&deprecated=false&version=v1", &["operation"]).await;
        assert_eq!(others, [json!(["getMe"]), json!(["register"])]);
        assert_eq!(requests(&report(&admin, "from=2027-01-15&to=2027-01-15&operation=listBucketlists").await), 2);
        assert_eq!(report(&admin, "from=2027-01-17&to=2027-01-18").await, Vec::<Value>::new());

        // The name of a deleted account is unknown.
        let path = format!("/v2/admin/users/{}", user.id());
        admin.delete(&path).await.expect(204);
        let deleted = by(&format!("group_by=consumer&consumer=user:{}", user.id()), &["consumer"]).await;
        assert_eq!(deleted, [json!([{"kind": "user", "id": user.id(), "name": null, "contact_email": null}])]);
    }

    async fn hours_are_reported_for_seven_days(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(without_expiry).build();
        let admin = app.admin().await;
        for _ in 0..3 {
            admin.get("/v2/bucketlists").await.expect(200);
            app.advance_clock(HOUR);
        }
        app.flush_usage().await;
        let query = "group_by=hour,operation&operation=listBucketlists";
        let hours: Vec<Value> = report(&admin, query).await.iter().map(|row| json!([row["hour"], row["day"]])).collect();
        let hour = |hour| json!([format!("2027-01-15T{hour}:00:00.000000Z"), "2027-01-15"]);
        assert_eq!(hours, [hour("10"), hour("09"), hour("08")]);
        app.advance_clock(7 * DAY);
        // Now: 2027-01-22T11:00. Hours before 2027-01-15T11:00 are omitted, purged or not.
        assert_eq!(report(&admin, query).await, Vec::<Value>::new());
        let too_old = format!("/v2/admin/usage?{query}&to=2027-01-14");
        let rejected = admin.get(&too_old).await.expect_error(422, "VALIDATION_FAILED").json();
        let expected = json!({"parameter": "to", "pointer": null, "header": null, "code": "TOO_SMALL",
            "detail": "must not be before 2027-01-15, the first day with hourly counters"});
        for (name, value) in expected.as_object().unwrap() {
            assert!(rejected["errors"][0].get(name).unwrap_or(&Value::Null) == value, "{rejected}");
        }
        app.app.worker.purge_expired().await.unwrap();
        assert_eq!(stored_rows(&app, "hour").await, 0);
        assert_eq!(requests(&report(&admin, "operation=listBucketlists").await), 3);
    }

    async fn days_before_the_retention_period_are_purged_and_rejected(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| {
            without_expiry(config);
            config.usage_retention = 10 * DAY;
        }).build();
        let admin = app.admin().await;
        app.flush_usage().await;
        app.advance_clock(10 * DAY);
        app.app.worker.purge_expired().await.unwrap();
        assert_eq!(requests(&report(&admin, "").await), 1, "the first day is retained");
        app.advance_clock(DAY);
        let empty = admin.get("/v2/admin/usage?from=2020-01-01").await.expect(200).json();
        assert_eq!((empty["data"].as_array().unwrap().len(), &empty["links"]["self"]),
            (0, &json!("/v2/admin/usage?per_page=20&from=2027-01-16&to=2027-01-26")));
        app.app.worker.purge_expired().await.unwrap();
        assert_eq!(stored_rows(&app, "day").await, 0);
        admin.get("/v2/admin/usage?to=2027-01-15").await.expect_error(422, "VALIDATION_FAILED");
    }

    async fn pages_and_streams_contain_every_row_once(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(without_expiry).build();
        let admin = app.admin().await;
        let list = admin.create_bucketlist("See the world").await;
        for _ in 0..3 {
            let (user, paths) = (app.user().await, ["/v2/bucketlists", "/v1/bucketlists", "/v2/users/me"]);
            for path in paths {
                user.get(path).await.expect(200);
            }
            admin.get(&format!("/v1/bucketlists/{list}/items")).await.expect(200);
            app.advance_clock(DAY);
        }
        app.flush_usage().await;
        for query in ["", "group_by=operation", "group_by=consumer", "group_by=day,consumer", "group_by=status,consumer", "group_by=hour", "version=v1"] {
            let expected = report(&admin, query).await;
            let mut visited = Vec::new();
            let mut next = Some(format!("/v2/admin/usage?per_page=2&include=total&{query}"));
            while let Some(path) = next {
                let page = admin.get(&path).await.expect(200).json();
                assert_eq!(page["meta"]["total"], expected.len(), "{path}");
                visited.extend(page["data"].as_array().unwrap().clone());
                next = page["links"]["next"].as_str().map(str::to_owned);
            }
            assert_eq!(visited, expected, "{query}");
            assert!(expected.len() >= 2, "{query}");
            let stream = admin.request(Method::GET, &format!("/v2/admin/usage?{query}"));
            let rows = stream.header("accept", "application/x-ndjson").send().await.expect(200).body;
            let rows = String::from_utf8(rows).unwrap();
            assert_eq!(rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect::<Vec<Value>>(), expected);
        }
        // A cursor is bound to the grouping.
        let page = admin.get("/v2/admin/usage?per_page=2&group_by=operation").await.expect(200).json();
        let next = page["links"]["next"].as_str().unwrap().replace("group_by=operation", "group_by=consumer");
        admin.get(&next).await.expect_error(400, "INVALID_CURSOR");

        let request = admin.request(Method::GET, "/v2/admin/usage?operation=listItems").header("accept", "text/csv");
        let csv = request.send().await.expect(200);
        assert_eq!(csv.header("content-disposition"), "attachment; filename=\"usage.csv\"");
        let mut rows = csv::Reader::from_reader(&csv.body[..]);
        let names = rows.headers().unwrap().clone();
        let first = rows.records().next().unwrap().unwrap();
        let cell = |name: &str| first.get(names.iter().position(|column| column == name).unwrap()).unwrap().to_owned();
        assert_eq!((cell("consumer.name"), cell("consumer.kind")), (admin.email(), "user".to_owned()));
        assert_eq!((cell("operation"), cell("requests"), cell("hour")), ("listItems".into(), "1".into(), String::new()));
        assert!(cell("latency_ms.p99").parse::<f64>().unwrap() > 0.0);
    }

    async fn invalid_filters_are_rejected(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        for query in [
            "consumer=robot", "consumer=user:0", "consumer=user:x", "group_by=color", "version=v9", "from=yesterday",
            "deprecated=maybe", "from=2027-01-15&to=2027-01-14", "status=200",
        ] {
            admin.get(&format!("/v2/admin/usage?{query}")).await.expect_error(422, "VALIDATION_FAILED");
        }
        let rejected = admin.get("/v2/admin/usage?from=2027-01-16").await.expect_error(422, "VALIDATION_FAILED").json();
        assert_eq!(rejected["errors"][0]["parameter"], "from");
        admin.get("/v2/admin/usage?color=red").await.expect_error(422, "UNKNOWN_PARAMETER");
        app.user().await.get("/v2/admin/usage").await.expect_error(403, "FORBIDDEN");
        app.anonymous().get("/v2/admin/usage").await.expect_error(401, "AUTHENTICATION_REQUIRED");
    }

    async fn user_agents_are_bounded(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        for number in 0..300 {
            let request = app.anonymous().request(Method::GET, "/v2/bucketlists");
            request.header("user-agent", &format!("bot/{number}")).send().await.expect(401);
        }
        app.flush_usage().await;
        let rows = admin.get("/v2/admin/usage?consumer=anonymous&operation=listBucketlists&include=total").await;
        // The registration of the administrator has used one of the 200.
        assert_eq!(rows.expect(200).json()["meta"]["total"], 200);
        let other = report(&admin, "consumer=anonymous:other").await;
        assert_eq!((other.len(), requests(&other)), (1, 101));
    }
}

#[tokio::test]
async fn counters_survive_until_the_last_flush() {
    let app = TestApp::new(Engine::Sqlite);
    let admin = app.admin().await;
    let shutdown = tokio_util::sync::CancellationToken::new();
    shutdown.cancel();
    app.app.usage.run(&shutdown).await;
    assert_eq!(requests(&report(&admin, "operation=register").await), 1);
}

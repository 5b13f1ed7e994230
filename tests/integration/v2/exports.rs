//! Exports: all data of a user in one file, created in the background.

use std::time::Duration;

use bucketlist::{
    db::{
        DbConnection, DbError,
        repositories::{
            exports,
            jobs::{self, ClaimRequest, ExportRequest, JobPayload, QueuedJob},
        },
        schema,
    },
    domain::{BucketlistId, ExportAttempt, ExportId, ExportRecord, JobPriority, Timestamp},
};
use diesel::prelude::*;
use futures_util::StreamExt;
use poem::http::Method;
use tokio_util::sync::CancellationToken;

use crate::support::{Actor, Engine, TestApp, TestResponse, Value, json};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Builds an app whose access tokens stay valid for 30 days.
async fn app_with_long_tokens(engine: Engine) -> TestApp {
    TestApp::builder().engine(engine).config(|config| config.tokens.access_ttl = 30 * DAY).build()
}

async fn request_export(user: &Actor<'_>, format: &str) -> TestResponse {
    user.post("/v2/exports", &json!({"format": format})).await.expect(202)
}

fn id(response: &TestResponse) -> i64 {
    response.json()["id"].as_i64().unwrap()
}

async fn content(user: &Actor<'_>, id: i64) -> TestResponse {
    user.get(&format!("/v2/exports/{id}/content")).await.expect(200)
}

/// Deletes the account.
async fn delete_account(user: &Actor<'_>) {
    let request = user.request(Method::DELETE, "/v2/users/me").json(&json!({"password": Actor::PASSWORD}));
    request.send().await.expect(204);
}

/// The number of rows in each table.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    exports: i64,
    parts: i64,
    jobs: i64,
}

const NO_ROWS: Counts = Counts { exports: 0, parts: 0, jobs: 0 };

async fn count(app: &TestApp) -> Counts {
    let read = |c: &mut DbConnection| {
        Ok::<_, DbError>(Counts {
            exports: schema::exports::table.count().get_result(c)?,
            parts: schema::export_parts::table.count().get_result(c)?,
            jobs: schema::jobs::table.count().get_result(c)?,
        })
    };
    app.app.db.snapshot(read).await.unwrap()
}

/// Creates numbered items in batches of a thousand.
async fn create_items(user: &Actor<'_>, list: i64, count: usize) {
    let items: Vec<Value> =
        (0..count).map(|number| json!({"name": format!("Item {number}"), "done": number % 2 == 0})).collect();
    for items in items.chunks(1000) {
        let body = json!({"items": items});
        user.post(&format!("/v2/bucketlists/{list}/items/batch"), &body).await.expect(201);
    }
}

/// Reads all bucketlists of the caller, each with its items, in the order of an export.
async fn expected_records(user: &Actor<'_>) -> Vec<Value> {
    let rows = async |path: String| -> Vec<Value> {
        let response =
            user.request(Method::GET, &path).header("accept", "application/x-ndjson").send().await.expect(200);
        String::from_utf8(response.body).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let mut all = Vec::new();
    for list in rows("/v2/bucketlists".to_owned()).await {
        let record = |row: &Value, kind: &str| {
            json!({
                "type": kind, "id": row["id"], "bucketlist_id": list["id"], "name": row["name"],
                "description": row["description"], "done": row["done"], "done_at": row["done_at"], "due_on": row["due_on"],
                "created_at": row["created_at"], "updated_at": row["updated_at"],
            })
        };
        all.push(record(&list, "bucketlist"));
        let items = rows(format!("/v2/bucketlists/{}/items", list["id"])).await;
        all.extend(items.iter().map(|item| record(item, "item")));
    }
    all
}

both_engines! {
    async fn export_contains_every_own_resource_once(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other) = (app.user().await, app.user().await);
        other.create_item(other.create_bucketlist("Of another user").await, "Not of the caller").await;
        // Bucketlists with fewer, as many and more items than one read returns, and more bucketlists than one read returns.
        for (number, items) in [0, 3, 100, 101, 1_700, 0].into_iter().chain([1; 40]).enumerate() {
            app.advance_clock(Duration::from_secs(1));
            let list = user.create_bucketlist(&format!("List {number}")).await;
            create_items(&user, list, items).await;
        }
        let queued = request_export(&user, "json").await;
        let path = format!("/v2/exports/{}", id(&queued));
        assert_eq!((queued.header("location"), queued.header("retry-after")), (path.as_str(), "1"));
        let seen = queued.json();
        assert_eq!(seen["_links"], json!({"self": {"href": path, "method": "GET"}}));
        assert_eq!((&seen["state"], &seen["records"], &seen["finished_at"]), (&json!("queued"), &Value::Null, &Value::Null));
        let waiting = user.get(&path).await.expect(200);
        assert_eq!((waiting.json(), waiting.header("retry-after")), (seen.clone(), "1"));
        let rejected = user.get(&format!("{path}/content")).await.expect_error(409, "EXPORT_NOT_READY");
        assert_eq!(rejected.header("retry-after"), "1");

        app.advance_clock(Duration::from_secs(2));
        app.run_jobs().await;
        let expected = expected_records(&user).await;
        assert_eq!(expected.len(), 46 + 3 + 100 + 101 + 1_700 + 40);
        let finished = user.get(&path).await.expect(200);
        assert!(!finished.headers.contains_key("retry-after"));
        let finished = finished.json();
        assert_eq!((&finished["state"], &finished["records"]), (&json!("finished"), &json!(expected.len())));
        assert_eq!(finished["_links"]["content"], json!({"href": format!("{path}/content"), "method": "GET"}));
        assert!(finished["finished_at"].as_str().unwrap() > finished["created_at"].as_str().unwrap());
        // Later writes are not part of the export.
        user.create_bucketlist("Too late").await;
        let file = content(&user, id(&queued)).await;
        assert_eq!(file.header("content-type"), "application/json");
        let name = format!("attachment; filename=\"bucketlists-{}.json\"", id(&queued));
        assert_eq!(file.header("content-disposition"), name);
        assert_eq!(file.json()["records"].as_array().unwrap(), &expected);
        // Long files are compressed.
        let request = user.request(Method::GET, &format!("{path}/content")).header("accept-encoding", "gzip");
        let compressed = request.send().await.expect(200);
        assert_eq!(compressed.header("content-encoding"), "gzip");
        assert!(compressed.body.len() < file.body.len() / 4);
        // Each record is one line.
        assert_eq!(file.body.split(|byte| *byte == b'\n').count(), expected.len() + 3);
    }

    async fn export_has_the_requested_format(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("=1+1").await;
        let item = json!({"name": "say \"hi\", all", "description": "two\nlines", "done": true, "due_on": "2027-02-01"});
        user.post(&format!("/v1/bucketlists/{list}/items"), &item).await.expect(201);
        let expected = expected_records(&user).await;

        let (csv, ndjson) = (user.create_export("csv").await, user.create_export("ndjson").await);
        let file = content(&user, csv).await;
        assert_eq!(file.header("content-type"), "text/csv; charset=utf-8; header=present");
        assert_eq!(file.header("content-disposition"), format!("attachment; filename=\"bucketlists-{csv}.csv\""));
        let (at, id) = (expected[0]["created_at"].as_str().unwrap(), &expected[1]["id"]);
        let rows = format!(
            "type,id,bucketlist_id,name,description,done,done_at,due_on,created_at,updated_at\r\n\
             bucketlist,{list},{list},'=1+1,,,,,{at},{at}\r\n\
             item,{id},{list},\"say \"\"hi\"\", all\",\"two\nlines\",true,{at},2027-02-01,{at},{at}\r\n"
        );
        assert_eq!(String::from_utf8(file.body).unwrap(), rows);
        let file = content(&user, ndjson).await;
        assert_eq!(file.header("content-type"), "application/x-ndjson");
        let text = String::from_utf8(file.body).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, expected);

        let path = format!("/v2/exports/{csv}/content");
        for (accept, status) in [("text/csv", 200), ("text/*", 200), ("*/*", 200), ("application/json", 406), ("image/png", 406)] {
            let response = user.request(Method::GET, &path).header("accept", accept).send().await.expect(status);
            assert_eq!(response.body.starts_with(b"type,id"), status == 200, "{accept}");
        }
        user.request(Method::HEAD, &path).send().await.expect(200);
    }

    async fn export_of_an_empty_account_has_no_records(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let response = user.post("/v2/exports", &json!({})).await.expect(202);
        assert_eq!(response.json()["format"], "json");
        app.run_jobs().await;
        assert_eq!(user.get(&format!("/v2/exports/{}", id(&response))).await.expect(200).json()["records"], 0);
        assert_eq!(content(&user, id(&response)).await.json(), json!({"records": []}));
        let csv = user.create_export("csv").await;
        assert_eq!(content(&user, csv).await.body.iter().filter(|byte| **byte == b'\n').count(), 1);
        let ndjson = user.create_export("ndjson").await;
        assert!(content(&user, ndjson).await.body.is_empty());
    }

    async fn repeated_export_request_creates_one_export(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let create_with_key = async |format: &str| {
            let request = user.request(Method::POST, "/v2/exports").header("idempotency-key", "once");
            request.json(&json!({"format": format})).send().await
        };
        let first = create_with_key("csv").await.expect(202);
        let second = create_with_key("csv").await.expect(202);
        assert_eq!((first.json(), second.header("idempotency-replayed")), (second.json(), "true"));
        assert_eq!(first.header("location"), second.header("location"));
        create_with_key("json").await.expect_error(422, "IDEMPOTENCY_KEY_REUSED");
        app.run_jobs().await;
        app.run_jobs().await;
        assert_eq!(count(&app).await, Counts { exports: 1, parts: 0, jobs: 0 });
    }

    async fn ten_exports_are_stored_for_one_day(engine: Engine) {
        let app = app_with_long_tokens(engine).await;
        let user = app.user().await;
        user.create_bucketlist("See the world").await;
        let mut created = Vec::new();
        for number in 0..12 {
            created.push(user.create_export(["json", "csv", "ndjson"][number % 3]).await);
        }
        // Exports of other users do not count.
        let others = app.user().await.create_export("json").await;
        for (index, id) in created.iter().enumerate() {
            let response = user.get(&format!("/v2/exports/{id}")).await;
            if index < 2 {
                response.expect_error(404, "EXPORT_NOT_FOUND");
            } else {
                response.expect(200);
            }
        }
        app.advance_clock(DAY - Duration::from_secs(1));
        content(&user, created[11]).await;
        app.advance_clock(Duration::from_secs(1));
        user.get(&format!("/v2/exports/{}/content", created[11])).await.expect_error(404, "EXPORT_NOT_FOUND");
        assert_eq!(count(&app).await, Counts { exports: 13, parts: 12, jobs: 0 }, "{others}: expired, not yet purged");
        app.app.worker.purge_expired().await.unwrap();
        assert_eq!(count(&app).await, NO_ROWS);
    }

    async fn exports_are_limited_to_ten_per_hour(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.limits.rate_limit = true).build();
        let (user, other) = (app.user().await, app.user().await);
        for _ in 0..10 {
            request_export(&user, "json").await;
        }
        let rejected = user.post("/v2/exports", &json!({})).await.expect_error(429, "RATE_LIMIT_EXCEEDED");
        assert_eq!((rejected.header("retry-after"), rejected.header("ratelimit-policy")), ("360", "\"exports\";q=10;w=3600"));
        request_export(&other, "json").await;
        // Reads do not count.
        user.get("/v2/exports/999999").await.expect_error(404, "EXPORT_NOT_FOUND");
    }

    async fn newer_attempt_supersedes_an_older_one(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let export = id(&request_export(&user, "json").await);
        let (now, export_id) = (Timestamp::default(), ExportId::new(export));
        let begin = async |number: i32| {
            app.app.db.write(move |c| exports::begin(c, export_id, number, now).map_err(DbError::from)).await.unwrap()
        };
        let record = ExportRecord {
            is_item: false, id: 1, bucketlist_id: BucketlistId::new(1), name: "A list".into(), description: None, done: None, done_at: None,
            due_on: None, created_at: now, updated_at: now,
        };
        let append = async |attempt: ExportAttempt, number: i32| {
            let records = exports::serialize_records(&vec![record.clone(); 2]).unwrap();
            app.app.db.write(move |c| exports::append(c, attempt, number, &records).map_err(DbError::from)).await.unwrap()
        };
        let finish = async |attempt: ExportAttempt, parts: i32, records: i64| {
            app.app.db.write(move |c| exports::finish(c, attempt, parts, records, now).map_err(DbError::from)).await.unwrap();
        };
        let first = begin(1).await.unwrap();
        assert!(append(first, 0).await && append(first, 1).await);
        let second = begin(2).await.unwrap();
        assert!(!append(first, 2).await);
        finish(first, 3, 6).await;
        assert_eq!(user.get(&format!("/v2/exports/{export}")).await.expect(200).json()["state"], "running");
        assert!(append(second, 0).await);
        finish(second, 1, 2).await;
        assert_eq!(content(&user, export).await.json()["records"].as_array().unwrap().len(), 2);
        // A finished export does not change, neither by its attempt nor by a failure.
        assert!(!append(second, 1).await);
        finish(second, 9, 99).await;
        app.app.db.write(move |c| exports::fail(c, export_id, now).map_err(DbError::from)).await.unwrap();
        assert_eq!(user.get(&format!("/v2/exports/{export}")).await.expect(200).json()["records"], 2);
        assert_eq!(begin(3).await, None, "the export is finished");
        // The job still exists and has nothing to do.
        app.run_jobs().await;
        assert_eq!(content(&user, export).await.json()["records"].as_array().unwrap().len(), 2);
    }

    async fn running_job_is_not_taken_by_another_worker(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        request_export(&user, "json").await;
        let at = Timestamp::from_micros;
        let claim = async |now: i64| {
            let request = ClaimRequest {
                kinds: [ExportRequest::KIND].into(),
                priorities: JobPriority::ALL,
                worker: "test".into(),
                now: at(now),
                visible_at: at(now + 120),
            };
            app.app.db.write(move |c| jobs::claim(c, &request).map_err(DbError::from)).await.unwrap()
        };
        let start = i64::MAX / 2;
        let job = claim(start).await.unwrap();
        assert_eq!(claim(start + 119).await, None);
        let extend = async |job: &QueuedJob, until: i64| {
            let job = job.clone();
            app.app.db.write(move |c| jobs::extend_visibility(c, &job, at(until)).map_err(DbError::from)).await.unwrap()
        };
        assert!(extend(&job, start + 300).await);
        assert_eq!(claim(start + 299).await, None);
        let next = claim(start + 300).await.unwrap();
        assert_eq!((next.attempts, next.fencing_token), (2, 2));
        // The first worker has lost the job.
        let (first_claim, now) = (job.clone(), start + 301);
        assert!(!extend(&job, start + 900).await);
        let end = move |c: &mut DbConnection| {
            jobs::retry_later(c, &first_claim, at(now), "late")?;
            jobs::release(c, &first_claim, at(now))?;
            Ok::<_, DbError>(jobs::complete(c, &first_claim, false, at(now))?)
        };
        assert!(!app.app.db.write(end).await.unwrap());
        assert_eq!(claim(now).await, None, "the job is hidden until the second claim expires");
        // A released job does not count as an attempt.
        app.app.db.write(move |c| jobs::release(c, &next, at(now)).map_err(DbError::from)).await.unwrap();
        // The number of attempts is that of the first claim, but the fencing token is not: that claim remains lost.
        assert!(!app.app.db.write(move |c| jobs::complete(c, &job, false, at(now)).map_err(DbError::from)).await.unwrap());
        let again = claim(now).await.unwrap();
        assert_eq!((again.attempts, again.fencing_token), (2, 3));
        assert!(app.app.db.write(move |c| jobs::complete(c, &again, false, at(now)).map_err(DbError::from)).await.unwrap());
        assert_eq!(count(&app).await, Counts { exports: 1, parts: 0, jobs: 0 });
    }

    async fn stopping_worker_releases_unstarted_jobs(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        user.create_bucketlist("See the world").await;
        for _ in 0..3 {
            request_export(&user, "json").await;
        }
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        let db = app.app.db.clone();
        app.app.worker.run(shutdown).await;
        let attempts: Vec<i32> =
            db.read(|c| schema::jobs::table.select(schema::jobs::attempts).load(c).map_err(DbError::from)).await.unwrap();
        assert_eq!(attempts, [0, 0, 0]);
    }

    async fn failing_export_is_abandoned_after_the_last_attempt(engine: Engine) {
        let app = app_with_long_tokens(engine).await;
        let user = app.user().await;
        user.create_bucketlist("See the world").await;
        let export = id(&request_export(&user, "json").await);
        app.execute("ALTER TABLE export_parts RENAME COLUMN records TO broken");
        let path = format!("/v2/exports/{export}");
        for attempt in 0..10 {
            let seen = user.get(&path).await.expect(200);
            assert_eq!(seen.json()["state"], if attempt == 0 { "queued" } else { "running" });
            app.run_jobs().await;
            app.advance_clock(Duration::from_secs(2 * 3_u64.pow(attempt)));
        }
        let seen = user.get(&path).await.expect(200);
        assert!(!seen.headers.contains_key("retry-after"));
        let seen = seen.json();
        assert_eq!((&seen["state"], &seen["records"]), (&json!("failed"), &Value::Null));
        assert!(seen["finished_at"].is_string() && seen["_links"]["content"].is_null());
        let rejected = user.get(&format!("{path}/content")).await.expect_error(409, "EXPORT_NOT_READY");
        assert!(!rejected.headers.contains_key("retry-after"));
        assert_eq!(rejected.json()["detail"], "The export has failed and has no file. Create another export.");
    }

    async fn export_whose_job_cannot_be_read_fails(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let [lost, other] = [id(&request_export(&user, "json").await), id(&request_export(&user, "csv").await)];
        let state = async |export: i64| {
            user.get(&format!("/v2/exports/{export}")).await.expect(200).json()["state"].as_str().unwrap().to_owned()
        };
        app.execute(&format!("UPDATE jobs SET payload = '{{\"id\":1}}' WHERE payload LIKE '%:{lost}}}'"));
        // Until the job is dead, its export is not known.
        app.app.worker.purge_expired().await.unwrap();
        assert_eq!([state(lost).await, state(other).await], ["queued", "queued"]);
        app.run_jobs().await;
        request_export(&user, "json").await;
        app.app.worker.purge_expired().await.unwrap();
        assert_eq!([state(lost).await, state(other).await, state(other + 1).await], ["failed", "finished", "queued"]);
    }

    async fn download_is_aborted_when_the_export_is_deleted(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("See the world").await;
        create_items(&user, list, 2_000).await;
        let export = user.create_export("ndjson").await;
        let request = poem::Request::builder()
            .uri_str(format!("/v2/exports/{export}/content"))
            .header("authorization", format!("Bearer {}", user.token()));
        let mut parts = app.call(request.finish()).await.into_body().into_bytes_stream();
        assert!(parts.next().await.unwrap().is_ok());
        delete_account(&user).await;
        let rest: Vec<_> = parts.collect().await;
        assert!(rest.last().unwrap().is_err(), "a truncated file must not look complete");
    }

    async fn exports_are_deleted_with_the_account_and_audited(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        user.create_bucketlist("See the world").await;
        let export = user.create_export("json").await;
        let events = admin.get("/v2/admin/audit?action=export.requested").await.expect(200).json();
        let event = &events["data"][0];
        assert_eq!((&event["actor_id"], &event["target_type"], &event["target_id"]), (&json!(user.id()), &json!("export"), &json!(export)));
        assert_eq!(count(&app).await, Counts { exports: 1, parts: 1, jobs: 0 });
        content(&user, export).await;
        let events = admin.get("/v2/admin/audit?action=export.read").await.expect(200).json();
        assert_eq!((&events["data"][0]["actor_id"], &events["data"][0]["target_id"]), (&json!(user.id()), &json!(export)));
        delete_account(&user).await;
        assert_eq!(count(&app).await, NO_ROWS);
    }
}

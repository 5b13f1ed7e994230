//! Background jobs in the API: lists, masked arguments, retry, cancel and delete.

use std::sync::atomic::Ordering;

use crate::support::{Actor, START_MICROS, TestApp, Value, json};

const PATH: &str = "/v2/admin/jobs";

/// Inserts a job outside of the app and returns its ID.
async fn insert(app: &TestApp, admin: &Actor<'_>, kind: &str, state: &str, payload: &Value) -> i64 {
    let run_at = if ["queued", "running", "retrying"].contains(&state) { START_MICROS } else { i64::MAX };
    app.execute(&format!(
        "INSERT INTO jobs (kind, payload, state, attempts, run_at, created_at, last_error)
         VALUES ('{kind}', '{payload}', '{state}', 3, {run_at}, {START_MICROS}, 'to <ada@example.com>: 550')"
    ));
    admin.get(PATH).await.expect(200).json()["data"][0]["id"].as_i64().unwrap()
}

async fn get(admin: &Actor<'_>, id: i64) -> Value {
    admin.get(&format!("{PATH}/{id}")).await.expect(200).json()
}

async fn act(admin: &Actor<'_>, id: i64, action: &str) -> crate::support::UncheckedResponse {
    admin.request(poem::http::Method::POST, &format!("{PATH}/{id}/{action}")).send().await
}

both_engines! {
    async fn jobs_are_listed_and_filtered(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let mut ids = Vec::new();
        for (kind, state) in [("export", "dead"), ("export", "queued"), ("password_reset_mail", "dead")] {
            ids.push(insert(&app, &admin, kind, state, &json!({})).await);
        }
        let listed = async |query: &str| -> Vec<i64> {
            let page = admin.get(&format!("{PATH}{query}")).await.expect(200).json();
            page["data"].as_array().unwrap().iter().map(|job| job["id"].as_i64().unwrap()).collect()
        };
        assert_eq!(listed("").await, [ids[2], ids[1], ids[0]]);
        assert_eq!(listed("?state=dead").await, [ids[2], ids[0]]);
        assert_eq!(listed("?state=dead&kind=export").await, [ids[0]]);
        assert_eq!(listed("?kind=newsletter").await, Vec::<i64>::new());
        let first = admin.get(&format!("{PATH}?per_page=2&include=total")).await.expect(200).json();
        assert_eq!((&first["meta"]["total"], first["data"].as_array().unwrap().len()), (&json!(3), 2));
        let next = admin.get(first["links"]["next"].as_str().unwrap()).await.expect(200).json();
        assert_eq!(next["data"][0]["id"], ids[0]);
        admin.get(&format!("{PATH}?state=lost")).await.expect_error(422, "VALIDATION_FAILED");
        let csv = admin.request(poem::http::Method::GET, PATH).header("accept", "text/csv").send().await.expect(200);
        let csv = String::from_utf8(csv.body.clone()).unwrap();
        assert_eq!(csv.lines().count(), 4, "{csv}");
        assert!(csv.starts_with("id,kind,state,priority,") && !csv.contains("ada@"), "{csv}");
    }

    async fn private_arguments_are_masked(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let payload = json!({"email_key": "ada@example.com", "note": "Ada"});
        let masked = json!({"email_key": "a***@example.com", "note": "[masked]"});
        for kind in ["password_reset_mail", "newsletter"] {
            let id = insert(&app, &admin, kind, "queued", &payload).await;
            let job = get(&admin, id).await;
            assert_eq!((&job["payload"], &job["last_error"]), (&masked, &json!("to <a***@example.com>: 550")), "{kind}");
        }
        let id = insert(&app, &admin, "export", "queued", &json!({"export_id": 7, "email": "ada@example.com"})).await;
        assert_eq!(get(&admin, id).await["payload"], json!({"export_id": "7", "email": "a***@example.com"}));
        app.execute("UPDATE jobs SET payload = 'ada@example.com'");
        assert_eq!(get(&admin, id).await["payload"], json!({}));
    }

    async fn only_administrators_have_access(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        let id = insert(&app, &admin, "export", "dead", &json!({})).await;
        for path in [PATH.to_owned(), format!("{PATH}/{id}"), "/v2/admin/schedules".to_owned()] {
            user.get(&path).await.expect_error(403, "FORBIDDEN");
            app.anonymous().get(&path).await.expect_error(401, "AUTHENTICATION_REQUIRED");
        }
        for action in ["retry", "cancel"] {
            act(&user, id, action).await.expect_error(403, "FORBIDDEN");
            act(&admin, 999_999, action).await.expect_error(404, "JOB_NOT_FOUND");
        }
        user.delete(&format!("{PATH}/{id}")).await.expect_error(403, "FORBIDDEN");
        assert_eq!(get(&admin, id).await["state"], "dead");
    }

    async fn dead_letter_is_retried(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        app.mailer.fails.store(true, Ordering::SeqCst);
        app.anonymous().post("/v2/auth/password-reset", &json!({"email": user.email()})).await.expect(202);
        for _ in 0..10 {
            app.run_jobs().await;
            app.advance_clock(std::time::Duration::from_secs(6 * 3_600));
        }
        // The access token has expired.
        let admin = Actor::new(&app, Some(app.anonymous().post("/v2/auth/login", &json!({"email": admin.email(), "password": Actor::PASSWORD})).await.expect(200).json()));
        let dead = admin.get(&format!("{PATH}?state=dead")).await.expect(200).json()["data"][0].clone();
        assert_eq!((&dead["attempts"], &dead["max_attempts"], &dead["run_at"]), (&json!(10), &json!(10), &Value::Null));
        assert_eq!(dead["last_error"], "cannot send mail: the mail server is unavailable");
        assert_eq!((&dead["_links"]["retry"]["method"], &dead["_links"]["cancel"]), (&json!("POST"), &Value::Null));
        app.mailer.fails.store(false, Ordering::SeqCst);
        let id = dead["id"].as_i64().unwrap();
        let retried = act(&admin, id, "retry").await.expect(200).json();
        assert_eq!((&retried["state"], &retried["attempts"], &retried["finished_at"]), (&json!("queued"), &json!(0), &Value::Null));
        app.run_jobs().await;
        assert_eq!(app.mailer.take().len(), 1);
        admin.get(&format!("{PATH}/{id}")).await.expect_error(404, "JOB_NOT_FOUND");
        let events = admin.get("/v2/admin/audit?action=job.retried").await.expect(200).json();
        let event = &events["data"][0];
        assert_eq!((&event["actor_id"], &event["target_type"], &event["target_id"]), (&json!(admin.id()), &json!("job"), &json!(id)));
        assert_eq!(event["detail"], json!({"kind": "password_reset_mail", "state": "dead"}));
    }

    async fn failed_job_is_retrying_until_its_next_attempt(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        app.mailer.fails.store(true, Ordering::SeqCst);
        app.anonymous().post("/v2/auth/password-reset", &json!({"email": user.email()})).await.expect(202);
        let listed = async |state: &str| -> Vec<i64> {
            let page = admin.get(&format!("{PATH}?state={state}&kind=password_reset_mail")).await.expect(200).json();
            page["data"].as_array().unwrap().iter().map(|job| job["id"].as_i64().unwrap()).collect()
        };
        assert_eq!((listed("queued").await.len(), listed("retrying").await.len()), (1, 0));
        app.run_jobs().await;
        let id = listed("retrying").await[0];
        assert_eq!(listed("queued").await, Vec::<i64>::new());
        let failed = get(&admin, id).await;
        assert_eq!((&failed["attempts"], &failed["finished_at"]), (&json!(1), &Value::Null));
        // The job runs at once, and is retrying again.
        let retried = act(&admin, id, "retry").await.expect(200).json();
        assert_eq!((&retried["state"], &retried["attempts"]), (&json!("retrying"), &json!(1)));
        app.run_jobs().await;
        assert_eq!(get(&admin, id).await["attempts"], 2);
        app.mailer.fails.store(false, Ordering::SeqCst);
        act(&admin, id, "retry").await.expect(200);
        app.run_jobs().await;
        assert_eq!(app.mailer.take().len(), 1);
        assert_eq!(listed("retrying").await, Vec::<i64>::new());
    }

    async fn discarded_export_fails_and_a_retry_repeats_it(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        let export = user.post("/v2/exports", &json!({})).await.expect(202).json();
        let export = format!("/v2/exports/{}", export["id"]);
        let id = admin.get(PATH).await.expect(200).json()["data"][0]["id"].as_i64().unwrap();
        let cancelled = act(&admin, id, "cancel").await.expect(200).json();
        assert_eq!((&cancelled["state"], &cancelled["run_at"]), (&json!("cancelled"), &Value::Null));
        assert_eq!(user.get(&export).await.expect(200).json()["state"], "failed");
        app.run_jobs().await;
        assert_eq!(user.get(&export).await.expect(200).json()["state"], "failed", "a cancelled job does not run");
        act(&admin, id, "retry").await.expect(200);
        assert_eq!(user.get(&export).await.expect(200).json()["state"], "queued");
        app.run_jobs().await;
        assert_eq!(user.get(&export).await.expect(200).json()["state"], "finished");
        // Deleting a queued job discards it as well.
        let export = user.post("/v2/exports", &json!({})).await.expect(202).json();
        let id = admin.get(PATH).await.expect(200).json()["data"][0]["id"].as_i64().unwrap();
        admin.delete(&format!("{PATH}/{id}")).await.expect(204);
        assert_eq!(user.get(&format!("/v2/exports/{}", export["id"])).await.expect(200).json()["state"], "failed");
        for action in ["job.cancelled", "job.deleted"] {
            let events = admin.get(&format!("/v2/admin/audit?action={action}")).await.expect(200).json();
            assert_eq!(events["data"].as_array().unwrap().len(), 1, "{action}");
        }
    }

    async fn state_conflicts_return_409(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        for (state, retry, cancel, delete) in [
            ("queued", 200, 200, 204),
            ("running", 409, 200, 409),
            ("retrying", 200, 200, 204),
            ("done", 409, 409, 204),
            ("dead", 200, 409, 204),
            ("cancelled", 200, 409, 204),
        ] {
            for (action, expected) in [("retry", retry), ("cancel", cancel), ("delete", delete)] {
                let id = insert(&app, &admin, "newsletter", state, &json!({})).await;
                let links = &get(&admin, id).await["_links"];
                assert_eq!(links[action].is_object(), expected != 409, "{state}: {action}");
                let response = match action {
                    "delete" => admin.delete(&format!("{PATH}/{id}")).await,
                    action => act(&admin, id, action).await,
                };
                if expected == 409 {
                    let problem = response.expect_error(409, "JOB_STATE_CONFLICT").json();
                    assert_eq!(problem["detail"], format!("The job is {state}."));
                    assert_eq!(get(&admin, id).await["state"], state);
                } else {
                    response.expect(expected);
                }
            }
        }
    }

    async fn cancelled_job_loses_its_worker(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let id = admin.enqueue_job().await;
        use bucketlist::{db::{DbError, repositories::jobs::{self, ClaimRequest, ExportRequest, JobPayload}}, domain::{JobPriority, Timestamp}};
        let request = ClaimRequest {
            kinds: [ExportRequest::KIND].into(),
            priorities: JobPriority::ALL,
            worker: "test".into(),
            now: Timestamp::from_micros(START_MICROS),
            visible_at: Timestamp::from_micros(START_MICROS + 60_000_000),
        };
        let claimed = app.app.db.write(move |c| jobs::claim(c, &request).map_err(DbError::from)).await.unwrap().unwrap();
        let running = get(&admin, id).await;
        assert_eq!((&running["state"], &running["worker"], &running["attempts"]), (&json!("running"), &json!("test"), &json!(1)));
        act(&admin, id, "cancel").await.expect(200);
        let late = claimed.clone();
        let extended = app.app.db.write(move |c| jobs::extend_visibility(c, &late, Timestamp::from_micros(START_MICROS + 1)).map_err(DbError::from));
        assert!(!extended.await.unwrap());
        let completed = app.app.db.write(move |c| jobs::complete(c, &claimed, true, Timestamp::from_micros(START_MICROS)).map_err(DbError::from));
        assert!(!completed.await.unwrap());
        assert_eq!(get(&admin, id).await["state"], "cancelled");
    }

    async fn job_is_deleted_only_in_the_state_of_if_match(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let id = insert(&app, &admin, "export", "dead", &json!({})).await;
        let path = format!("{PATH}/{id}");
        let etag = admin.get(&path).await.expect(200).header("etag").to_owned();
        act(&admin, id, "retry").await.expect(200);
        let delete = |etag: &str| admin.request(poem::http::Method::DELETE, &path).header("if-match", etag);
        delete(&etag).send().await.expect_error(412, "PRECONDITION_FAILED");
        let etag = admin.get(&path).await.expect(200).header("etag").to_owned();
        delete(&etag).send().await.expect(204);
    }

    async fn recurring_task_runs_at_the_request_of_an_administrator(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        let run = async |actor: &Actor<'_>, name: &str| {
            actor.request(poem::http::Method::POST, &format!("/v2/admin/schedules/{name}/run")).send().await
        };
        app.app.worker.run_due_tasks().await.unwrap();
        app.advance_clock(std::time::Duration::from_secs(60));
        assert_eq!(app.app.worker.run_due_tasks().await.unwrap(), 0);
        run(&user, "purge").await.expect_error(403, "FORBIDDEN");
        run(&app.anonymous(), "purge").await.expect_error(401, "AUTHENTICATION_REQUIRED");
        for unknown in ["no_such_task", "Purge", "backup"] {
            run(&admin, unknown).await.expect_error(404, "JOB_SCHEDULE_NOT_FOUND");
        }
        run(&admin, "%20").await.expect_error(422, "VALIDATION_FAILED");
        let due = run(&admin, "purge").await.expect(200).json();
        assert_eq!((&due["name"], &due["next_run_at"]), (&json!("purge"), &json!("2027-01-15T08:01:00.000000Z")));
        assert_eq!(app.app.worker.run_due_tasks().await.unwrap(), 1);
        let schedules = admin.get("/v2/admin/schedules").await.expect(200).json();
        let purge = schedules["data"].as_array().unwrap().iter().find(|schedule| schedule["name"] == "purge").unwrap();
        assert_eq!(purge["last_started_at"], "2027-01-15T08:01:00.000000Z");
        assert_eq!(purge["next_run_at"], "2027-01-15T08:11:00.000000Z");
        let events = admin.get("/v2/admin/audit?action=job_schedule.run").await.expect(200).json();
        assert_eq!(events["data"].as_array().unwrap().len(), 1);
        assert_eq!((&events["data"][0]["actor_id"], &events["data"][0]["detail"]), (&json!(admin.id()), &json!({"name": "purge"})));
        // Another server runs the task.
        app.execute(&format!("UPDATE job_schedules SET last_finished_at = NULL, lease_expires_at = {}", START_MICROS + 61_000_000));
        run(&admin, "purge").await.expect_error(409, "JOB_SCHEDULE_RUNNING");
        app.advance_clock(std::time::Duration::from_secs(1));
        run(&admin, "purge").await.expect(200);
    }

    async fn schedules_are_listed(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        assert_eq!(admin.get("/v2/admin/schedules").await.expect(200).json()["data"], json!([]));
        app.app.worker.run_due_tasks().await.unwrap();
        let page = admin.get("/v2/admin/schedules?per_page=2").await.expect(200).json();
        assert_eq!(page["data"][0]["name"], "dead_letter_digest");
        assert_eq!(page["data"][1]["name"], "deprecation_notices");
        let page = admin.get(page["links"]["next"].as_str().unwrap()).await.expect(200).json();
        let mut purge = page["data"][0].clone();
        assert!(purge["worker"].take().is_string());
        assert_eq!(purge, json!({
            "name": "purge", "interval_seconds": 600, "next_run_at": "2027-01-15T08:10:00.000000Z",
            "last_started_at": "2027-01-15T08:00:00.000000Z", "last_finished_at": "2027-01-15T08:00:00.000000Z",
            "last_result": "succeeded", "last_error": null, "last_count": 0, "worker": null,
        }));
    }
}

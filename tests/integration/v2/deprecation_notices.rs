//! Consumers of deprecated operations: email notices, brownouts, and reports of the remaining consumers.

use std::{
    process::ExitCode,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bucketlist::{
    app::{App, Dependencies},
    cli::{self, Cli},
    config::Config,
    db::{DbConnection, DbError, Target, schema::jobs},
    domain::{Brownout, SystemRandom, Timestamp},
    mail::Mail,
};
use clap::Parser;
use diesel::prelude::*;
use poem::http::Method;

use crate::support::{Actor, JWT_SECRET, START_MICROS, TestApp, Value, json};

const NO_MAIL: [Mail; 0] = [];
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// The time between the start of a test, 2027-01-15T08:00:00Z, and the sunset, 2027-11-20T00:00:00Z.
const UNTIL_SUNSET: Duration = Duration::from_secs(309 * 86_400 - 8 * 3_600);

/// Lets sessions and tokens outlive a test that advances the clock.
fn without_expiry(config: &mut Config) {
    config.tokens.access_ttl = 1_000 * DAY;
    config.tokens.refresh_ttl = 1_000 * DAY;
    config.tokens.session_ttl = 1_000 * DAY;
}

/// Schedules a brownout of `listBucketlists` that starts `after` the start of the test.
fn brownout(after: Duration, duration: Duration) -> Brownout {
    let starts_at = Timestamp::from_micros(START_MICROS) + after;
    Brownout { operation: "listBucketlists".to_owned(), starts_at, duration }
}

/// Stores counters, looks up the notices that are due and sends their mail.
async fn notify(app: &TestApp) -> Vec<Mail> {
    app.flush_usage().await;
    app.app.worker.enqueue_deprecation_notices().await.unwrap();
    app.run_jobs().await;
    app.mailer.take()
}

/// Starts another server on the database of an app, with these brownouts.
fn server_with_brownouts(app: &TestApp, brownouts: Vec<Brownout>) -> App {
    let mut config = app.config.clone();
    config.deprecations.brownouts = brownouts;
    let dependencies =
        Dependencies { clock: app.clock.clone(), random: Arc::new(SystemRandom), mailer: app.mailer.clone() };
    App::new(&config, &JWT_SECRET.into(), dependencies).unwrap()
}

/// Looks up the notices that are due by the brownouts of a server, and sends their mail.
async fn announce(app: &TestApp, server: &App) -> Vec<Mail> {
    server.worker.enqueue_deprecation_notices().await.unwrap();
    server.worker.drain().await;
    app.mailer.take()
}

/// Enables or disables the notices to a user or an API client.
async fn enable_notices(admin: &Actor<'_>, path: &str, is_enabled: bool) {
    let changed = admin.patch(path, &json!({"deprecation_notices_enabled": is_enabled})).await.expect(200).json();
    assert_eq!(changed["deprecation_notices_enabled"], is_enabled, "{changed}");
    assert_eq!(admin.get(path).await.expect(200).json(), changed);
}

/// Returns the notices to the consumers of `listBucketlists`, with their states.
async fn notices(admin: &Actor<'_>) -> Vec<Vec<String>> {
    let entry = deprecation(admin, "listBucketlists").await;
    let text = |notice: &Value| format!("{} {}", notice["notice"].as_str().unwrap(), notice["state"].as_str().unwrap());
    let notices = |consumer: &Value| consumer["notices"].as_array().unwrap().iter().map(text).collect();
    entry["consumers"].as_array().unwrap().iter().map(notices).collect()
}

/// Runs a command on the database of an app, at the time of its clock.
fn run_command(app: &TestApp, arguments: &[&str]) -> (ExitCode, String) {
    let url = match &app.database.target {
        Target::Sqlite(path) => format!("sqlite://{}", path.display()),
        Target::Postgres(url) => url.clone(),
    };
    let folder = app.database.folder.path();
    let env_file = folder.join("command.env");
    let data = folder.join("data");
    std::fs::write(&env_file, format!("DATABASE_URL={url}\nDATA_DIR={}\n", data.display())).unwrap();
    let env_file = env_file.display().to_string();
    let arguments = ["bucketlist", "--env-file", &env_file].into_iter().chain(arguments.iter().copied());
    let mut out = Vec::new();
    let code = cli::run_at(Cli::parse_from(arguments), &*app.clock, &mut out).unwrap_or(ExitCode::FAILURE);
    (code, String::from_utf8(out).unwrap())
}

/// Returns the elements of a JSON array.
fn array(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

/// Returns the entry of a deprecated operation in `/v2/admin/deprecations`.
async fn deprecation(admin: &Actor<'_>, operation: &str) -> Value {
    let page = admin.get("/v2/admin/deprecations").await.expect(200).json();
    let found = page["data"].as_array().unwrap().iter().find(|entry| entry["operation"] == operation);
    found.cloned().unwrap()
}

both_engines! {
    /// The whole story of a removal: the consumer is found, notified, interrupted by a brownout, named by the comparison of
    /// documents, and rejected after the sunset.
    async fn consumer_of_a_removed_operation_is_notified_before_the_sunset(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| {
            without_expiry(config);
            config.deprecations.brownouts = vec![brownout(10 * DAY, HOUR)];
        }).build();
        let (admin, user) = (app.admin().await, app.user().await);
        let registered = admin.create_api_client(user.id(), &["read"]).await;
        let client = Actor::with_api_key(&app, registered["key"].as_str().unwrap());

        // The client calls a deprecated operation. The next run mails its contact, once.
        client.get("/v1/bucketlists").await.expect(200);
        client.get("/v1/bucketlists").await.expect(200);
        let mails = notify(&app).await;
        assert_eq!(mails.len(), 1, "{mails:?}");
        assert_eq!(mails[0].to, "sync@example.com");
        assert_eq!(mails[0].subject, "GET /v1/bucketlists will be removed on 2027-11-20");
        for text in [
            "Your API client Sync calls operations of the BucketList API at http://test.example that are deprecated.",
            "GET /v1/bucketlists (listBucketlists)\n",
            "Removal: 2027-11-20, in 309 days\n",
            "Your calls: 2 requests in the last 30 days, the last one at 2027-01-15 08:00 UTC\n",
            "Successor: GET /v2/bucketlists, http://test.example/reference/v2/bucketlists#listBucketlists\n",
            "Brownout: returns 410 from 2027-01-25 08:00 UTC to 2027-01-25 09:00 UTC\n",
            "Migration guide: http://test.example/guides/migrating-to-v2\n",
        ] {
            assert!(mails[0].text.contains(text), "{text}: {}", mails[0].text);
        }
        let link = "<a href=\"http://test.example/reference/v2/bucketlists#listBucketlists\">";
        assert!(mails[0].html.contains(link), "{}", mails[0].html);
        let reference = app.anonymous().get("/reference/v2/bucketlists").await.expect(200);
        assert!(String::from_utf8_lossy(&reference.body).contains("id=\"listBucketlists\""));
        client.get("/v1/bucketlists").await.expect(200);
        assert_eq!(notify(&app).await, NO_MAIL);

        // Operators see the remaining consumers.
        let entry = deprecation(&admin, "listBucketlists").await;
        assert_eq!((&entry["since"], &entry["sunset"], &entry["successor"]), (&json!("2026-11-20"), &json!("2027-11-20"), &json!("/v2/bucketlists")));
        let times = ["2027-01-25T08:00:00.000000Z", "2027-01-25T09:00:00.000000Z", "2027-01-15T08:00:00.000000Z"];
        assert_eq!(entry["brownouts"], json!([{"starts_at": times[0], "ends_at": times[1]}]));
        assert_eq!(entry["consumers_total"], 1);
        assert_eq!(entry["consumers"], json!([{
            "consumer": {"kind": "api_client", "id": registered["id"], "name": "Sync", "contact_email": registered["contact_email"]},
            "requests": 3,
            "last_seen_at": times[2],
            "notices": [{"notice": "first_use", "sent_at": times[2], "state": "sent"}],
        }]));
        let (_, out) = run_command(&app, &["usage", "deprecated"]);
        let line = "  Sync (api_client:1): 3 requests, last 2027-01-15T08:00:00Z, notices: first_use\n";
        assert!(out.contains("v1 listBucketlists: GET /v1/bucketlists\n") && out.contains(line), "{out}");

        // In the brownout, and only then, the operation returns 410.
        app.advance_clock(10 * DAY - Duration::from_secs(1));
        client.get("/v1/bucketlists").await.expect(200);
        app.advance_clock(Duration::from_secs(1));
        let rejected = client.get("/v1/bucketlists").await.expect_error(410, "BROWNOUT");
        assert_eq!(rejected.header("retry-after"), "3600");
        let message = rejected.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("2027-11-20") && message.contains("/v2/bucketlists"), "{message}");
        client.get("/v2/bucketlists").await.expect(200);
        app.advance_clock(HOUR);
        client.get("/v1/bucketlists").await.expect(200);
        app.flush_usage().await;

        // The comparison of documents names the client that the removal breaks.
        let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/v1.json")).unwrap();
        let mut document: Value = serde_json::from_str(&committed).unwrap();
        let folder = app.database.folder.path();
        let [old, new] = ["old.json", "new.json"].map(|name| folder.join(name).display().to_string());
        std::fs::write(&old, &committed).unwrap();
        document["paths"]["/bucketlists"].as_object_mut().unwrap().remove("get").unwrap();
        std::fs::write(&new, document.to_string()).unwrap();
        let (code, out) = run_command(&app, &["openapi", "diff", &old, &new, "--usage", "30d"]);
        let line = "  breaks Sync (api_client:1): 6 requests, last 2027-01-25T09:00:00Z\n";
        assert!(out.contains("[operation-removed]\n") && out.contains(line), "{out}");
        assert_eq!(code, ExitCode::from(4));

        // After the sunset, the operation is gone.
        app.advance_clock(UNTIL_SUNSET - 10 * DAY - HOUR);
        let gone = client.get("/v1/bucketlists").await.expect_error(410, "GONE").json();
        assert_eq!(gone["error"]["message"], "This operation was removed on 2027-11-20. Use /v2/bucketlists instead.");
        assert_eq!(notify(&app).await, NO_MAIL);
    }

    async fn active_consumer_is_notified_90_30_7_and_1_days_before_the_sunset(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(without_expiry).build();
        let user = app.user().await;
        let mut subjects = Vec::new();
        let mut elapsed = 0;
        // Days before the sunset, rounded up.
        for days_left in [309, 200, 91, 90, 60, 30, 29, 7, 2, 1] {
            app.advance_clock(DAY * (309 - days_left - elapsed));
            elapsed = 309 - days_left;
            user.get("/v1/bucketlists").await.expect(200);
            for mail in notify(&app).await {
                subjects.push(format!("{days_left}: {}", mail.subject));
            }
            assert_eq!(notify(&app).await, NO_MAIL, "{days_left} days left");
        }
        let subject = "GET /v1/bucketlists will be removed on 2027-11-20";
        assert_eq!(subjects, [309, 90, 30, 7, 1].map(|days| format!("{days}: {subject}")));
    }

    async fn inactive_consumer_is_not_notified_again(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(without_expiry).build();
        let user = app.user().await;
        user.get("/v1/bucketlists").await.expect(200);
        assert_eq!(notify(&app).await.len(), 1);
        app.advance_clock(UNTIL_SUNSET - 80 * DAY);
        assert_eq!(notify(&app).await, NO_MAIL, "the client has migrated");
        // A late first use is one notice, not one per missed occasion.
        let late = app.user().await;
        late.get("/v1/bucketlists").await.expect(200);
        let mails = notify(&app).await;
        assert_eq!((mails.len(), &mails[0].to), (1, &late.email()));
        assert!(mails[0].text.contains("in 80 days\n"), "{}", mails[0].text);
        assert_eq!(notify(&app).await, NO_MAIL);
    }

    async fn notice_is_a_digest_of_all_operations_of_a_consumer(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        let list = admin.create_bucketlist("See the world").await;
        for path in ["/v1/bucketlists".to_owned(), format!("/v1/bucketlists/{list}/items"), "/v1/users".to_owned()] {
            admin.get(&path).await.expect(200);
        }
        user.get("/v1/bucketlists").await.expect(200);
        // Neither an anonymous client nor a caller of other operations has a notice.
        app.anonymous().get("/v1/bucketlists").await.expect(401);
        app.user().await.get("/v2/bucketlists").await.expect(200);
        let mut mails = notify(&app).await;
        mails.sort_by_key(|mail| mail.text.len());
        let recipients: Vec<&str> = mails.iter().map(|mail| mail.to.as_str()).collect();
        assert_eq!(recipients, [user.email(), admin.email()]);
        assert_eq!(mails[1].subject, "3 operations that you call will be removed");
        for operation in ["listBucketlists", "listItems", "listUsers"] {
            assert!(mails[1].text.contains(&format!("({operation})\n")), "{}", mails[1].text);
        }
        let entry = deprecation(&admin, "listBucketlists").await;
        assert_eq!(entry["consumers_total"], 2, "a client without valid credentials does not call the operation");
    }

    async fn concurrent_servers_enqueue_a_notice_once(engine: Engine) {
        let app = TestApp::new(engine);
        let dependencies =
            || Dependencies { clock: app.clock.clone(), random: Arc::new(SystemRandom), mailer: app.mailer.clone() };
        let other = App::new(&app.config, &JWT_SECRET.into(), dependencies()).unwrap();
        for _ in 0..5 {
            app.user().await.get("/v1/bucketlists").await.expect(200);
        }
        app.flush_usage().await;
        let (first, second) = tokio::join!(
            app.app.worker.enqueue_deprecation_notices(),
            other.worker.enqueue_deprecation_notices(),
        );
        assert_eq!(first.unwrap() + second.unwrap(), 5);
        let count = |c: &mut DbConnection| {
            jobs::table.filter(jobs::kind.eq("deprecation_mail")).count().get_result(c).map_err(DbError::from)
        };
        let enqueued: i64 = app.app.db.read(count).await.unwrap();
        assert_eq!(enqueued, 5);
        tokio::join!(app.app.worker.drain(), other.worker.drain());
        assert_eq!(app.mailer.take().len(), 5);
    }

    async fn failed_mail_is_retried_and_notice_is_not_repeated(engine: Engine) {
        let app = TestApp::new(engine);
        app.user().await.get("/v1/bucketlists").await.expect(200);
        app.mailer.fails.store(true, Ordering::SeqCst);
        assert_eq!(notify(&app).await, NO_MAIL);
        app.mailer.fails.store(false, Ordering::SeqCst);
        assert_eq!(notify(&app).await, NO_MAIL, "the retry is not due yet");
        app.advance_clock(Duration::from_secs(60));
        assert_eq!(notify(&app).await.len(), 1);
        assert_eq!(notify(&app).await, NO_MAIL);
    }

    async fn notice_is_recorded_only_with_its_mail(engine: Engine) {
        let app = TestApp::new(engine);
        app.user().await.get("/v1/bucketlists").await.expect(200);
        app.flush_usage().await;
        app.execute("ALTER TABLE jobs RENAME TO moved");
        app.app.worker.enqueue_deprecation_notices().await.unwrap_err();
        app.execute("ALTER TABLE moved RENAME TO jobs");
        assert_eq!(notify(&app).await.len(), 1);
    }

    async fn deleted_and_disabled_accounts_receive_no_notice(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let (deleted, disabled) = (app.user().await, app.user().await);
        for user in [&deleted, &disabled] {
            user.get("/v1/bucketlists").await.expect(200);
        }
        admin.delete(&format!("/v2/admin/users/{}", deleted.id())).await.expect(204);
        admin.patch(&format!("/v2/admin/users/{}", disabled.id()), &json!({"disabled": true})).await.expect(200);
        assert_eq!(notify(&app).await, NO_MAIL);
    }

    async fn notices_can_be_disabled(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.deprecations.sends_notices = false).build();
        app.user().await.get("/v1/bucketlists").await.expect(200);
        assert_eq!(notify(&app).await, NO_MAIL);
    }

    async fn brownout_rejects_every_form_of_the_operation(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| {
            config.deprecations.brownouts = vec![brownout(Duration::ZERO, HOUR), brownout(30 * HOUR, HOUR)];
        }).build();
        let admin = app.admin().await;
        app.advance_clock(Duration::from_secs(600));
        for path in ["/v1/bucketlists", "/bucketlists", "/v1/bucketlists?page=0"] {
            let rejected = admin.get(path).await.expect_error(410, "BROWNOUT");
            assert_eq!((rejected.header("retry-after"), rejected.header("sunset")), ("3000", "Sat, 20 Nov 2027 00:00:00 GMT"));
            assert!(rejected.header("link").contains("</v2/bucketlists>; rel=\"successor-version\""), "{rejected:?}");
        }
        app.anonymous().get("/v1/bucketlists").await.expect_error(410, "BROWNOUT");
        // A client without the scope of the operation cannot use it outside of a brownout either.
        let writer = admin.create_api_client(admin.id(), &["write"]).await;
        let writer = Actor::with_api_key(&app, writer["key"].as_str().unwrap());
        writer.get("/v1/bucketlists").await.expect_error(410, "BROWNOUT");
        admin.request(Method::HEAD, "/v1/bucketlists").send().await.expect(410);
        // Other deprecated operations, other methods and the successor are available.
        admin.get("/v1/users").await.expect(200);
        admin.create_bucketlist("See the world").await;
        admin.get("/v2/bucketlists").await.expect(200);
        app.flush_usage().await;
        let entry = deprecation(&admin, "listBucketlists").await;
        let kinds: Vec<&Value> = entry["consumers"].as_array().unwrap().iter().map(|found| &found["consumer"]["kind"]).collect();
        assert_eq!(kinds, ["user"]);
        let usage = admin.get("/v2/admin/usage?deprecated=true&operation=listBucketlists&consumer=user&group_by=operation").await;
        let row = usage.expect(200).json()["data"][0].clone();
        assert_eq!((&row["requests"], &row["errors"]), (&json!(4), &json!(4)), "rejected calls are counted");
    }

    async fn comparison_succeeds_if_no_consumer_is_affected(engine: Engine) {
        let app = TestApp::new(engine);
        app.user().await.get("/v1/bucketlists").await.expect(200);
        app.flush_usage().await;
        let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/v1.json")).unwrap();
        let mut document: Value = serde_json::from_str(&committed).unwrap();
        let folder = app.database.folder.path();
        let [old, new] = ["old.json", "new.json"].map(|name| folder.join(name).display().to_string());
        std::fs::write(&old, &committed).unwrap();
        document["paths"]["/bucketlists"].as_object_mut().unwrap().remove("post").unwrap();
        std::fs::write(&new, document.to_string()).unwrap();
        let (code, out) = run_command(&app, &["openapi", "diff", &old, &new, "--usage", "7d"]);
        assert!(out.contains("  no consumer has called it in the last 7 days\n"), "{out}");
        assert_eq!(code, ExitCode::SUCCESS);
        let (code, out) = run_command(&app, &["openapi", "diff", &old, &new, "--usage", "7d", "--format", "json"]);
        let changes: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&changes[0]["rule"], &changes[0]["consumers"]), (&json!("operation-removed"), &json!([])));
        assert_eq!(code, ExitCode::SUCCESS);
        let (code, out) = run_command(&app, &["openapi", "diff", &old, &old, "--usage", "7d"]);
        assert_eq!((code, out.as_str()), (ExitCode::SUCCESS, "no breaking changes\n"));
    }

    async fn consumers_with_the_same_name_are_all_reported(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        let clients = [
            admin.create_api_client(user.id(), &["read"]).await,
            admin.create_api_client(user.id(), &["read"]).await,
        ];
        assert_eq!(clients[0]["name"], clients[1]["name"]);
        for client in &clients {
            let client = Actor::with_api_key(&app, client["key"].as_str().unwrap());
            client.get("/v2/bucketlists").await.expect(200);
        }
        app.flush_usage().await;
        let name = clients[0]["name"].as_str().unwrap();
        let labels = clients.each_ref().map(|client| format!("{name} (api_client:{})", client["id"]));
        let (_, out) = run_command(&app, &["usage", "consumer", name]);
        let (_, top) = run_command(&app, &["usage", "top", "--by", "consumer"]);
        for label in &labels {
            assert!(out.contains(&format!("v2 listBucketlists, {label}\n")) && top.contains(label), "{out}{top}");
        }
        let (_, out) = run_command(&app, &["usage", "consumer", name, "--format", "json"]);
        let ids: Vec<Value> = array(&out).iter().map(|row| row["consumer"]["id"].clone()).collect();
        assert_eq!(ids, clients.map(|client| client["id"].clone()));
        let one = labels[1].split_once('(').unwrap().1.trim_end_matches(')');
        let (_, out) = run_command(&app, &["usage", "consumer", one]);
        assert!(out.ends_with("v2 listBucketlists\n") && out.lines().count() == 2, "{out}");
    }

    async fn command_ranks_operations_and_finds_consumers(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for _ in 0..3 {
            user.get("/v2/bucketlists").await.expect(200);
        }
        user.get("/v1/users/me").await.expect(200);
        app.flush_usage().await;
        let (_, out) = run_command(&app, &["usage", "top", "--limit", "1"]);
        let lines: Vec<&str> = out.lines().collect();
        assert!(lines[0].ends_with("NAME") && lines[1].ends_with("v2 listBucketlists"), "{out}");
        assert_eq!(lines.len(), 2);
        let (_, out) = run_command(&app, &["usage", "top", "--by", "consumer", "--format", "json"]);
        let first = array(&out)[0].clone();
        assert_eq!((&first["consumer"]["name"], &first["requests"]), (&json!(user.email()), &json!(4)));
        for name in [user.email().to_uppercase(), format!("user:{}", user.id())] {
            let (_, out) = run_command(&app, &["usage", "consumer", &name, "--format", "json"]);
            let rows = array(&out);
            let summary: Vec<Value> = rows.iter().map(|row| json!([row["version"], row["operation"], row["requests"]])).collect();
            assert_eq!(summary, [json!(["v2", "listBucketlists", 3]), json!(["v1", "getMe", 1])]);
        }
        // The array of the command has the rows of the API.
        let (_, out) = run_command(&app, &["usage", "top", "--format", "json"]);
        let rows = array(&out);
        let admin = app.admin().await;
        let page = admin.get("/v2/admin/usage?group_by=operation,version").await.expect(200).json();
        let row = |rows: &[Value]| rows.iter().find(|row| row["operation"] == "listBucketlists").cloned().unwrap();
        assert_eq!(row(&rows), row(page["data"].as_array().unwrap()));
        let (_, out) = run_command(&app, &["usage", "deprecated", "--format", "json"]);
        let page = admin.get("/v2/admin/deprecations").await.expect(200).json();
        assert_eq!(Value::from(array(&out)), page["data"]);
        let operations: Vec<Value> = array(&out).iter().map(|entry| entry["consumers_total"].clone()).collect();
        assert_eq!(operations, [json!(0), json!(0), json!(0)]);

        let (_, out) = run_command(&app, &["usage", "top", "--by", "status", "--format", "json"]);
        assert_eq!((&array(&out)[0]["status"], array(&out).len()), (&json!("2xx"), 1), "{out}");
        let (_, out) = run_command(&app, &["usage", "top", "--status", "4xx"]);
        assert_eq!(out, "No requests found.\n");
        // An account without requests is known, also by its ID; another ID is not. A kind has any number of consumers.
        let idle = app.user().await;
        for name in [idle.email(), format!("user:{}", idle.id()), "anonymous".to_owned()] {
            assert_eq!(run_command(&app, &["usage", "consumer", &name, "--days", "1"]).0, ExitCode::SUCCESS, "{name}");
        }
        for name in ["user:999999", "api_client:7", "anonymous:never/1", "Unknown"] {
            assert_eq!(run_command(&app, &["usage", "consumer", name]).0, ExitCode::FAILURE, "{name}");
        }
    }

    async fn only_consumers_that_can_still_call_an_operation_are_listed(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(without_expiry).build();
        let (admin, user) = (app.admin().await, app.user().await);
        let writer = admin.create_api_client(user.id(), &["write"]).await;
        let deleted = admin.create_api_client(user.id(), &["read"]).await;
        let reader = admin.create_api_client(user.id(), &["read"]).await;
        let call = async |created: &Value, status: u16| {
            let client = Actor::with_api_key(&app, created["key"].as_str().unwrap());
            client.get("/v1/bucketlists").await.expect(status);
        };
        call(&writer, 403).await;
        call(&deleted, 200).await;
        admin.delete(&format!("/v2/admin/api-clients/{}", deleted["id"])).await.expect(204);
        call(&reader, 200).await;
        call(&deleted, 401).await;
        for number in 0..5 {
            let request = app.anonymous().request(Method::GET, "/v1/bucketlists").header("user-agent", &format!("bot/{number}"));
            request.send().await.expect(401);
        }
        user.get("/v1/bucketlists").await.expect(200);
        user.get("/v1/bucketlists").await.expect(200);
        app.flush_usage().await;

        let entry = deprecation(&admin, "listBucketlists").await;
        let names: Vec<&Value> = entry["consumers"].as_array().unwrap().iter().map(|found| &found["consumer"]["id"]).collect();
        assert_eq!((&entry["consumers_total"], names), (&json!(2), vec![&json!(user.id()), &reader["id"]]));
        let (_, out) = run_command(&app, &["usage", "deprecated", "--limit", "1"]);
        assert!(out.contains(&format!("  {}: 2 requests", user.email())) && out.contains("  and 1 more\n"), "{out}");
        assert_eq!(notify(&app).await.len(), 2);

        // Counters of an older release, which do not tell rejected requests: anonymous consumers follow the others.
        app.execute("UPDATE usage_counters SET rejected = 0");
        let entry = deprecation(&admin, "listBucketlists").await;
        let kinds: Vec<&Value> = entry["consumers"].as_array().unwrap().iter().map(|found| &found["consumer"]["kind"]).collect();
        let anonymous = kinds.iter().position(|kind| *kind == "anonymous").unwrap();
        assert!(anonymous == 3 && kinds[anonymous..].iter().all(|kind| *kind == "anonymous"), "{kinds:?}");

        // Active in the last days.
        app.advance_clock(10 * DAY);
        Actor::with_api_key(&app, reader["key"].as_str().unwrap()).get("/v1/bucketlists").await.expect(200);
        app.flush_usage().await;
        let (_, out) = run_command(&app, &["usage", "deprecated", "--days", "2", "--format", "json"]);
        let listed = array(&out).into_iter().find(|entry| entry["operation"] == "listBucketlists").unwrap();
        assert_eq!((&listed["consumers_total"], &listed["consumers"][0]["requests"]), (&json!(1), &json!(1)), "{listed}");
    }

    async fn comparison_names_the_consumers_that_sent_a_changed_input(engine: Engine) {
        let app = TestApp::new(engine);
        let (searching, plain, described) = (app.user().await, app.user().await, app.user().await);
        searching.get("/v1/bucketlists?q=cape&page=1").await.expect(200);
        plain.get("/v1/bucketlists").await.expect(200);
        plain.post("/v1/bucketlists", &json!({"name": "See the world"})).await.expect(201);
        described.post("/v1/bucketlists", &json!({"name": "Cape Horn", "description": "By sea"})).await.expect(201);
        app.flush_usage().await;
        app.flush_usage().await;
        let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/v1.json")).unwrap();
        let mut document: Value = serde_json::from_str(&committed).unwrap();
        let folder = app.database.folder.path();
        let [old, new] = ["old.json", "new.json"].map(|name| folder.join(name).display().to_string());
        std::fs::write(&old, &committed).unwrap();
        let parameters = document["paths"]["/bucketlists"]["get"]["parameters"].as_array_mut().unwrap();
        parameters.retain(|parameter| parameter["name"] != "q" && parameter["name"] != "per_page");
        let fields = &mut document["components"]["schemas"]["BucketlistCreate"]["properties"];
        fields.as_object_mut().unwrap().remove("description").unwrap();
        std::fs::write(&new, document.to_string()).unwrap();
        let (code, out) = run_command(&app, &["openapi", "diff", &old, &new, "--usage", "7d"]);
        let breaks = |sentence: &str| {
            let after = out.split(sentence).nth(1).unwrap_or_else(|| panic!("{sentence}: {out}"));
            after.lines().skip(1).take_while(|line| line.starts_with("  ")).map(str::to_owned).collect::<Vec<_>>()
        };
        let line = |actor: &Actor<'_>| format!("  breaks {}: 1 request, last 2027-01-15T08:00:00Z", actor.email());
        assert_eq!(breaks("q in the query is removed"), [line(&searching)], "{out}");
        assert_eq!(breaks("per_page in the query is removed"), ["  no consumer has sent it in the last 7 days"], "{out}");
        assert_eq!(breaks("BucketlistCreate.description is no longer accepted"), [line(&described)], "{out}");
        assert_eq!(code, ExitCode::from(4));
        // Names that nobody declares are not stored.
        plain.get("/v1/bucketlists?color=red").await.expect(422);
        app.flush_usage().await;
        let count = |c: &mut DbConnection| {
            use bucketlist::db::schema::usage_inputs;
            usage_inputs::table.filter(usage_inputs::input.like("%color%")).count().get_result(c).map_err(DbError::from)
        };
        let undeclared: i64 = app.app.db.read(count).await.unwrap();
        assert_eq!(undeclared, 0);
    }

    async fn brownouts_that_are_scheduled_later_are_announced_once(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(without_expiry).build();
        let (admin, user) = (app.admin().await, app.user().await);
        user.get("/v1/bucketlists").await.expect(200);
        assert_eq!(notify(&app).await.len(), 1);
        app.advance_clock(DAY);
        let one = server_with_brownouts(&app, vec![brownout(10 * DAY, HOUR)]);
        let mails = announce(&app, &one).await;
        assert_eq!(mails.len(), 1);
        assert!(mails[0].text.contains("  Brownout: returns 410 from 2027-01-25 08:00 UTC"), "{}", mails[0].text);
        assert_eq!(announce(&app, &one).await, NO_MAIL);
        app.advance_clock(DAY);
        let two = server_with_brownouts(&app, vec![brownout(10 * DAY, HOUR), brownout(20 * DAY, HOUR)]);
        assert_eq!(announce(&app, &two).await.len(), 1);
        assert_eq!(announce(&app, &two).await, NO_MAIL);
        assert_eq!(announce(&app, &one).await, NO_MAIL, "a brownout that was cancelled is not announced");
        let entry = deprecation(&admin, "listBucketlists").await;
        let notices: Vec<&Value> = entry["consumers"][0]["notices"].as_array().unwrap().iter().map(|one| &one["notice"]).collect();
        assert_eq!(notices, ["first_use", "brownout", "brownout"]);
    }

    async fn state_of_the_mail_is_reported_with_the_notice(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        user.get("/v1/bucketlists").await.expect(200);
        app.mailer.fails.store(true, Ordering::SeqCst);
        assert_eq!(notify(&app).await, NO_MAIL);
        let state = async || deprecation(&admin, "listBucketlists").await["consumers"][0]["notices"][0]["state"].clone();
        assert_eq!(state().await, "queued");
        let jobs = admin.get("/v2/admin/jobs?kind=deprecation_mail").await.expect(200).json();
        let job = format!("/v2/admin/jobs/{}", jobs["data"][0]["id"]);
        admin.post(&format!("{job}/cancel"), &Value::Null).await.expect(200);
        assert_eq!(state().await, "failed");
        let (_, out) = run_command(&app, &["usage", "deprecated"]);
        assert!(out.contains("notices: first_use (failed)\n"), "{out}");
        admin.post(&format!("{job}/retry"), &Value::Null).await.expect(200);
        assert_eq!(state().await, "queued");
        app.mailer.fails.store(false, Ordering::SeqCst);
        app.run_jobs().await;
        assert_eq!((state().await, app.mailer.take().len()), (json!("sent"), 1));
    }

    async fn administrator_disables_and_enables_the_notices_to_a_consumer(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(without_expiry).build();
        let (admin, user) = (app.admin().await, app.user().await);
        let created = admin.create_api_client(user.id(), &["read"]).await;
        let client = Actor::with_api_key(&app, created["key"].as_str().unwrap());
        let paths = [format!("/v2/admin/users/{}", user.id()), format!("/v2/admin/api-clients/{}", created["id"])];
        assert_eq!(created["deprecation_notices_enabled"], true);

        // Neither the user nor the API client can change it.
        let disable = json!({"deprecation_notices_enabled": false});
        for path in &paths {
            assert_eq!(admin.get(path).await.expect(200).json()["deprecation_notices_enabled"], true);
            user.patch(path, &disable).await.expect_error(403, "FORBIDDEN");
            client.patch(path, &disable).await.expect(403);
            admin.patch(path, &json!({"deprecation_notices_enabled": null})).await.expect_error(422, "VALIDATION_FAILED");
        }
        user.patch("/v2/users/me", &disable).await.expect_error(422, "UNKNOWN_FIELD");
        admin.patch(&format!("/v1/users/{}", user.id()), &disable).await.expect_error(422, "UNKNOWN_FIELD");

        // The notices that become due are suppressed. The consumers are listed as before.
        for path in &paths {
            enable_notices(&admin, path, false).await;
            // A repeated change has no effect.
            enable_notices(&admin, path, false).await;
        }
        assert_eq!(user.get("/v2/users/me").await.expect(200).json()["deprecation_notices_enabled"], false);
        let call = async || {
            user.get("/v1/bucketlists").await.expect(200);
            client.get("/v1/bucketlists").await.expect(200);
        };
        call().await;
        assert_eq!(notify(&app).await, NO_MAIL);
        assert_eq!(notices(&admin).await, vec![vec!["first_use suppressed"]; 2]);
        let (_, out) = run_command(&app, &["usage", "deprecated"]);
        for name in [user.email(), format!("Sync (api_client:{})", created["id"])] {
            assert!(out.contains(&format!("  {name}: 1 request, last 2027-01-15T08:00:00Z, notices: first_use (suppressed)\n")), "{out}");
        }
        app.advance_clock(UNTIL_SUNSET - 90 * DAY);
        call().await;
        assert_eq!(notify(&app).await, NO_MAIL);

        // Suppressed notices are not sent later.
        for path in &paths {
            enable_notices(&admin, path, true).await;
        }
        call().await;
        assert_eq!(notify(&app).await, NO_MAIL);
        assert_eq!(notices(&admin).await, vec![vec!["first_use suppressed", "90_days suppressed"]; 2]);
        app.advance_clock(60 * DAY);
        call().await;
        let mut recipients: Vec<String> = notify(&app).await.into_iter().map(|mail| mail.to).collect();
        recipients.sort_unstable();
        let mut expected = [user.email(), "sync@example.com".to_owned()];
        expected.sort_unstable();
        assert_eq!(recipients, expected);
        assert_eq!(notices(&admin).await[0], ["first_use suppressed", "90_days suppressed", "30_days sent"]);
        assert_eq!(notify(&app).await, NO_MAIL);

        // A sent notice is not sent again, whether or not the notices were disabled in between.
        for is_enabled in [false, true] {
            enable_notices(&admin, &paths[0], is_enabled).await;
            assert_eq!(notify(&app).await, NO_MAIL);
        }
        let audit = async |query: String| {
            let events = admin.get(&format!("/v2/admin/audit?{query}")).await.expect(200).json();
            let events = events["data"].as_array().unwrap().clone();
            events.iter().map(|event| json!([event["action"], event["detail"]])).collect::<Vec<_>>()
        };
        let events = audit(format!("target_type=user&target_id={}", user.id())).await;
        let actions = ["enabled", "disabled", "enabled", "disabled"];
        let expected: Vec<Value> = actions.iter().map(|action| json!([format!("user.deprecation_notices_{action}"), {}])).collect();
        assert_eq!(events[..4], expected);
        let events = audit("action=api_client.updated".to_owned()).await;
        let event = |is_enabled: &str| json!(["api_client.updated", {"fields": "deprecation_notices_enabled", "deprecation_notices_enabled": is_enabled}]);
        assert_eq!(events, [event("true"), event("false")]);
    }

    async fn queued_notice_is_suppressed_if_notices_are_disabled_before_it_is_sent(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        let path = format!("/v2/admin/users/{}", user.id());
        user.get("/v1/bucketlists").await.expect(200);
        app.flush_usage().await;
        app.app.worker.enqueue_deprecation_notices().await.unwrap();
        assert_eq!(notices(&admin).await, [["first_use queued"]]);
        enable_notices(&admin, &path, false).await;
        app.run_jobs().await;
        assert_eq!((app.mailer.take().len(), notices(&admin).await), (0, vec![vec!["first_use suppressed".to_owned()]]));

        // Also after the retry of a dead letter.
        let other = app.user().await;
        other.get("/v1/bucketlists").await.expect(200);
        app.mailer.rejects.store(true, Ordering::SeqCst);
        assert_eq!(notify(&app).await, NO_MAIL);
        app.mailer.rejects.store(false, Ordering::SeqCst);
        enable_notices(&admin, &format!("/v2/admin/users/{}", other.id()), false).await;
        let jobs = admin.get("/v2/admin/jobs?kind=deprecation_mail&state=dead").await.expect(200).json();
        assert_eq!(jobs["data"].as_array().unwrap().len(), 1, "{jobs}");
        admin.post(&format!("/v2/admin/jobs/{}/retry", jobs["data"][0]["id"]), &Value::Null).await.expect(200);
        app.run_jobs().await;
        assert_eq!((app.mailer.take().len(), notices(&admin).await), (0, vec![vec!["first_use suppressed".to_owned()]; 2]));
    }

    async fn brownouts_are_not_announced_if_notices_are_disabled(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(without_expiry).build();
        let (admin, user) = (app.admin().await, app.user().await);
        let path = format!("/v2/admin/users/{}", user.id());
        user.get("/v1/bucketlists").await.expect(200);
        assert_eq!(notify(&app).await.len(), 1);
        enable_notices(&admin, &path, false).await;
        app.advance_clock(DAY);
        let server = server_with_brownouts(&app, vec![brownout(10 * DAY, HOUR)]);
        assert_eq!(announce(&app, &server).await, NO_MAIL);
        enable_notices(&admin, &path, true).await;
        assert_eq!(announce(&app, &server).await, NO_MAIL);
        assert_eq!(notices(&admin).await, [["first_use sent", "brownout suppressed"]]);
    }
}

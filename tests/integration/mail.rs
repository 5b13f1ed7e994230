//! Mail about accounts and failed jobs. Each mail is enqueued in the transaction of its cause.

use std::{sync::atomic::Ordering, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bucketlist::{
    auth::ReplaySignatures,
    config::Environment,
    db::{DbConnection, DbError, schema},
    mail::Mail,
};
use diesel::prelude::*;
use poem::http::Method;
use sha2::{Digest, Sha256};

use crate::support::{Actor, Engine, JWT_SECRET, TestApp, Value, json};

const DAY: Duration = Duration::from_secs(86_400);
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// Builds an app that sends mail about accounts and trusts `X-Forwarded-For`.
fn app(engine: Engine) -> TestApp {
    let builder = TestApp::builder().engine(engine).config(|config| {
        config.account_notices = true;
        // The address of in-process requests.
        config.trusted_proxies = vec!["0.0.0.0/32".parse().unwrap()];
    });
    builder.build()
}

/// Runs all jobs; returns the mail.
async fn mails(app: &TestApp) -> Vec<Mail> {
    app.run_jobs().await;
    app.mailer.take()
}

/// Registers or logs in from an address with a user agent; returns the response body.
async fn from_device(app: &TestApp, path: &str, body: &Value, address: &str, user_agent: &str) -> Value {
    let request = app.anonymous().request(Method::POST, path).json(body);
    let request = request.header("x-forwarded-for", address).header("user-agent", user_agent);
    request.send().await.any_status().json()
}

async fn register(app: &TestApp, email: &str) -> Value {
    let body = json!({"email": email, "password": Actor::PASSWORD, "name": "Click https://evil.example"});
    from_device(app, "/v2/auth/register", &body, "198.51.100.7", FIREFOX).await
}

async fn login(app: &TestApp, email: &str, address: &str, user_agent: &str) -> Vec<Mail> {
    let body = json!({"email": email, "password": Actor::PASSWORD});
    let session = from_device(app, "/v2/auth/login", &body, address, user_agent).await;
    assert!(session["access_token"].is_string(), "{session}");
    mails(app).await
}

async fn known_devices(app: &TestApp) -> i64 {
    let count = |c: &mut DbConnection| Ok::<_, DbError>(schema::known_devices::table.count().get_result(c)?);
    app.app.db.read(count).await.unwrap()
}

both_engines! {
    async fn new_user_is_welcomed_without_text_that_a_user_has_written(engine: Engine) {
        let app = app(engine);
        register(&app, "Ada@Bücher.example").await;
        let mails = mails(&app).await;
        assert_eq!(mails.len(), 1);
        assert_eq!((mails[0].to.as_str(), mails[0].subject.as_str()), ("Ada@xn--bcher-kva.example", "Welcome to BucketList"));
        for part in [&mails[0].text, &mails[0].html] {
            assert!(part.contains("http://test.example/reference") && part.contains("http://test.example/guides/quick-start") && !part.contains("evil"), "{part}");
        }
        // A registration that fails sends nothing.
        let failed = register(&app, "ada@xn--bcher-kva.example").await;
        assert_eq!(failed["code"], "EMAIL_TAKEN");
        assert_eq!(self::mails(&app).await, []);
    }

    async fn changed_password_is_reported(engine: Engine) {
        let app = app(engine);
        let user = Actor::new(&app, Some(register(&app, "ada@example.com").await));
        mails(&app).await;
        let body = json!({"current_password": "not-the-password", "new_password": "granite-orchard-77"});
        user.put("/v2/auth/password", &body).await.expect_error(422, "WRONG_PASSWORD");
        assert_eq!(mails(&app).await, []);
        let body = json!({"current_password": Actor::PASSWORD, "new_password": "granite-orchard-77"});
        user.put("/v2/auth/password", &body).await.expect(204);
        let changed = mails(&app).await;
        assert_eq!(changed.len(), 1);
        assert_eq!(changed[0].subject, "Your BucketList password was changed");
        assert!(changed[0].text.contains("on 2027-01-15 08:00 UTC, with the old password."), "{}", changed[0].text);
        assert!(changed[0].text.contains("POST http://test.example/v2/auth/password-reset\n"), "{}", changed[0].text);

        app.anonymous().post("/v2/auth/password-reset", &json!({"email": "ada@example.com"})).await.expect(202);
        let reset = mails(&app).await.remove(0);
        let token = reset.text.lines().find(|line| line.starts_with("    ")).unwrap().trim();
        let body = json!({"token": token, "new_password": "velvet-anchor-31"});
        app.anonymous().post("/v2/auth/password-reset/confirm", &body).await.expect(204);
        let changed = mails(&app).await;
        assert_eq!(changed.len(), 1);
        assert!(changed[0].text.contains("with a token that was sent to this address."), "{}", changed[0].text);
        assert!(!changed[0].html.contains("href="), "{}", changed[0].html);
    }

    async fn changed_email_address_is_reported_to_the_previous_one(engine: Engine) {
        let app = app(engine);
        let admin = app.admin().await;
        let user = Actor::new(&app, Some(register(&app, "Ada@Bücher.example").await));
        mails(&app).await;
        let change = |email: &str| json!({"email": email, "current_password": Actor::PASSWORD});
        // Neither an attempt that fails nor another spelling of the same address.
        let wrong = json!({"email": "ada@example.net", "current_password": "not-the-password"});
        user.patch("/v2/users/me", &wrong).await.expect_error(422, "WRONG_PASSWORD");
        user.patch("/v2/users/me", &change(&admin.email())).await.expect_error(409, "EMAIL_TAKEN");
        user.patch("/v2/users/me", &change("Ada@Bücher.example")).await.expect(200);
        user.patch("/v2/users/me", &change("ada@xn--bcher-kva.example")).await.expect(200);
        assert_eq!(mails(&app).await, []);

        user.patch("/v2/users/me", &change("ada@example.net")).await.expect(200);
        let changed = mails(&app).await;
        assert_eq!(changed.len(), 1);
        let (to, subject) = (changed[0].to.as_str(), changed[0].subject.as_str());
        assert_eq!((to, subject), ("ada@xn--bcher-kva.example", "The email address of your BucketList account was changed"));
        for part in [&changed[0].text, &changed[0].html] {
            assert!(part.contains("http://test.example was changed on 2027-01-15 08:00 UTC, with the password"), "{part}");
            assert!(!part.contains("ada@example.net") && !part.contains("evil") && !part.contains("href="), "{part}");
        }

        // Another person can change the address and then delete the account. Administrators do not see addresses in jobs.
        user.patch("/v1/users/me", &change("eve@example.net")).await.expect(200);
        let jobs = admin.get("/v2/admin/jobs?kind=email_changed_mail&state=queued").await.expect(200).json();
        assert_eq!(jobs["data"][0]["payload"]["user_id"], json!(user.id().to_string()), "{jobs}");
        assert!(!jobs.to_string().contains("ada@"), "{jobs}");
        let deletion = user.request(Method::DELETE, "/v2/users/me").json(&json!({"password": Actor::PASSWORD}));
        deletion.send().await.expect(204);
        let changed = mails(&app).await;
        assert_eq!((changed.len(), changed[0].to.as_str()), (1, "ada@example.net"));
    }

    async fn login_from_an_unknown_device_is_reported(engine: Engine) {
        let app = app(engine);
        register(&app, "ada@example.com").await;
        assert_eq!(mails(&app).await.len(), 1);
        // The device of the registration, and another address in its network.
        assert_eq!(login(&app, "ada@example.com", "198.51.100.7", FIREFOX).await, []);
        assert_eq!(login(&app, "ada@example.com", "198.51.7.8", FIREFOX).await, []);
        let reported = login(&app, "ada@example.com", "203.0.113.9", FIREFOX).await;
        assert_eq!(reported.len(), 1);
        assert_eq!((reported[0].to.as_str(), reported[0].subject.as_str()), ("ada@example.com", "New login to your BucketList account"));
        for text in ["Time: 2027-01-15 08:00 UTC", "Program: Firefox", "Address: 203.0.113.9", "in the last 90 days"] {
            assert!(reported[0].text.contains(text), "{text}: {}", reported[0].text);
        }
        assert_eq!(login(&app, "ada@example.com", "203.0.113.9", FIREFOX).await, []);
        // The client chooses its user agent.
        let reported = login(&app, "ada@example.com", "198.51.100.7", "Visit https://evil.example").await;
        assert_eq!(reported.len(), 1);
        assert!(reported[0].text.contains("Program: unknown") && !reported[0].html.contains("evil"), "{reported:?}");
        // A failed login is not a device.
        let body = json!({"email": "ada@example.com", "password": "not-the-password"});
        let failed = from_device(&app, "/v2/auth/login", &body, "192.0.2.1", FIREFOX).await;
        assert_eq!(failed["code"], "INVALID_CREDENTIALS");
        assert_eq!(mails(&app).await, []);
        assert_eq!(known_devices(&app).await, 3);

        // A device is forgotten after 90 days without a login, also if it is the only one.
        app.advance_clock(90 * DAY);
        assert_eq!(login(&app, "ada@example.com", "198.51.100.7", FIREFOX).await.len(), 1);
        assert_eq!(known_devices(&app).await, 1);
        app.advance_clock(89 * DAY);
        assert_eq!(login(&app, "ada@example.com", "198.51.100.7", FIREFOX).await, []);
        // An account of a release that did not record devices.
        app.execute("DELETE FROM known_devices");
        assert_eq!(login(&app, "ada@example.com", "192.0.2.1", FIREFOX).await, []);
        assert_eq!(login(&app, "ada@example.com", "198.51.100.7", FIREFOX).await.len(), 1);
    }

    async fn replay_of_an_incident_sends_no_mail(engine: Engine) {
        let app = app(engine);
        let signatures = ReplaySignatures::new(&JWT_SECRET.into(), &[], app.clock.clone());
        let send = async |path: &str, body: &Value, signature: &str| {
            let request = app.anonymous().request(Method::POST, path).json(body).header("x-replay-signature", signature);
            request.header("x-forwarded-for", "203.0.113.9").send().await.any_status().json()
        };
        let registration = json!({"email": "replay@example.com", "password": Actor::PASSWORD, "name": "Replay"});
        let account = send("/v2/auth/register", &registration, &signatures.issue()).await;
        assert!(account["access_token"].is_string(), "{account}");
        assert_eq!(mails(&app).await, []);
        register(&app, "admin@example.com").await;
        mails(&app).await;
        let devices = known_devices(&app).await;
        let credentials = json!({"email": "admin@example.com", "password": Actor::PASSWORD});
        send("/v2/auth/login", &credentials, &signatures.issue()).await;
        assert_eq!((mails(&app).await, known_devices(&app).await), (vec![], devices));
        // A client that cannot sign is not a replay.
        send("/v2/auth/login", &credentials, "1").await;
        assert_eq!(mails(&app).await[0].subject, "New login to your BucketList account");
    }

    async fn number_of_known_devices_is_bounded(engine: Engine) {
        let app = app(engine);
        register(&app, "ada@example.com").await;
        for network in 0..60 {
            app.advance_clock(Duration::from_secs(60));
            let body = json!({"email": "ada@example.com", "password": Actor::PASSWORD});
            from_device(&app, "/v2/auth/login", &body, &format!("10.{network}.0.1"), FIREFOX).await;
        }
        assert_eq!(known_devices(&app).await, 50);
        mails(&app).await;
        // The devices with the latest logins are known.
        assert_eq!(login(&app, "ada@example.com", "10.59.9.9", FIREFOX).await, []);
        assert_eq!(login(&app, "ada@example.com", "198.51.100.7", FIREFOX).await.len(), 1);
    }

    async fn account_notices_can_be_disabled(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.account_notices = false).build();
        register(&app, "ada@example.com").await;
        assert_eq!(login(&app, "ada@example.com", "203.0.113.9", "curl/8.9.1").await, []);
        assert_eq!(known_devices(&app).await, 0);
        let user = app.user().await;
        let change = json!({"email": "grace@example.com", "current_password": Actor::PASSWORD});
        user.patch("/v2/users/me", &change).await.expect(200);
        assert_eq!(mails(&app).await, []);
    }

    async fn repeated_attempt_has_the_same_message_id(engine: Engine) {
        let app = app(engine);
        app.mailer.fails.store(true, Ordering::SeqCst);
        register(&app, "ada@example.com").await;
        register(&app, "bob@example.com").await;
        assert_eq!(mails(&app).await, []);
        app.mailer.fails.store(false, Ordering::SeqCst);
        app.advance_clock(Duration::from_secs(60));
        let sent: Vec<String> = mails(&app).await.into_iter().map(|mail| mail.id).collect();
        let mut attempts = app.mailer.attempts();
        assert_eq!((attempts.len(), sent.len()), (4, 2));
        attempts.sort_unstable();
        attempts.dedup();
        assert_eq!(attempts.len(), 2, "{attempts:?}");
        assert!(sent.iter().all(|id| attempts.contains(id)));
    }

    async fn rejected_mail_is_a_dead_letter_at_once_and_administrators_get_a_digest(engine: Engine) {
        let app = app(engine);
        let admin = app.admin().await;
        mails(&app).await;
        app.app.worker.run_due_tasks().await.unwrap();
        assert_eq!(mails(&app).await, [], "there is nothing to report");
        app.mailer.rejects.store(true, Ordering::SeqCst);
        register(&app, "nobody@example.com").await;
        assert_eq!(mails(&app).await, []);
        assert_eq!(app.mailer.attempts().len(), 2, "one for the administrator, one rejected");
        app.mailer.rejects.store(false, Ordering::SeqCst);
        let dead = admin.get("/v2/admin/jobs?state=dead").await.expect(200).json();
        let dead = &dead["data"][0];
        assert_eq!((&dead["kind"], &dead["attempts"]), (&json!("welcome_mail"), &json!(1)));
        assert_eq!(dead["last_error"], "mail rejected: the mail server responded with 550 5.1.1");
        assert!(!dead.to_string().contains("nobody"), "{dead}");

        app.advance_clock(Duration::from_secs(299));
        app.app.worker.run_due_tasks().await.unwrap();
        assert_eq!(mails(&app).await, []);
        // The first dead letter is reported within minutes.
        app.advance_clock(Duration::from_secs(1));
        app.app.worker.run_due_tasks().await.unwrap();
        let digest = mails(&app).await;
        assert_eq!(digest.len(), 1);
        assert_eq!((digest[0].to.clone(), digest[0].subject.as_str()), (admin.email(), "1 background job has failed"));
        assert!(digest[0].text.contains("\n  welcome_mail: 1\n"), "{}", digest[0].text);
        // The next digest is sent a day later and does not repeat it.
        app.mailer.rejects.store(true, Ordering::SeqCst);
        register(&app, "grace@example.com").await;
        mails(&app).await;
        app.mailer.rejects.store(false, Ordering::SeqCst);
        app.advance_clock(DAY - Duration::from_secs(1));
        app.app.worker.run_due_tasks().await.unwrap();
        assert_eq!(mails(&app).await, [], "at most one digest a day");
        app.advance_clock(Duration::from_secs(1));
        app.app.worker.run_due_tasks().await.unwrap();
        let digest = mails(&app).await;
        assert_eq!((digest.len(), digest[0].subject.as_str()), (1, "1 background job has failed"));
        app.advance_clock(DAY);
        app.app.worker.run_due_tasks().await.unwrap();
        assert_eq!(mails(&app).await, []);
    }
}

#[tokio::test]
async fn previews_exist_in_development_only() {
    let in_environment =
        |environment| TestApp::builder().config(move |config| config.environment = environment).build();
    let app = in_environment(Environment::Development);
    let page = app.anonymous().get("/console/mail").await.expect(200);
    let text = String::from_utf8(page.body.clone()).unwrap();
    let frames: Vec<&str> = text.split("<iframe src=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(frames.len(), 8);
    assert!(text.contains("<h2 id=\"welcome\">Welcome to BucketList</h2>"), "{text}");
    let directory = app.config.mail_dir();
    assert!(text.contains(&format!("written to files in <code>{}</code>", directory.display())), "{text}");
    assert!(!text.contains("<style") && !text.contains("<script>"), "{text}");
    assert!(page.header("content-security-policy").contains("frame-src 'self';"), "{page:?}");
    for frame in &frames {
        let part = app.anonymous().get(frame).await.expect(200);
        let html = String::from_utf8(part.body.clone()).unwrap();
        // The policy allows exactly the style sheet of the message, and the page that displays it.
        let style = html.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
        let hash = BASE64_STANDARD.encode(Sha256::digest(style));
        let policy = part.header("content-security-policy");
        assert!(policy.starts_with(&format!("default-src 'none'; style-src 'sha256-{hash}';")), "{policy}\n{hash}");
        assert!(policy.ends_with("frame-ancestors 'self'") && !policy.contains("unsafe"), "{policy}");
    }
    for environment in [Environment::Testing, Environment::Staging, Environment::Production] {
        let app = in_environment(environment);
        for path in ["/console/mail", frames[0]] {
            app.anonymous().get(path).await.expect_error(404, "ROUTE_NOT_FOUND");
        }
    }
}

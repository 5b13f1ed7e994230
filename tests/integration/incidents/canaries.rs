//! Sends canaries to a server that captures everything. None may occur in the database, in a response or in the log.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use bucketlist::db::{DbConnection, Target};
use diesel::{prelude::*, sql_query, sql_types::Text};
use poem::http::Method;

use crate::support::{Actor, Database, TestApp, Value, json};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    text: String,
}

/// Returns the content of all columns of all tables.
fn dump(database: &Database) -> Vec<u8> {
    match &database.target {
        // The whole file: tables, indexes and free pages.
        Target::Sqlite(path) => {
            let file = |suffix: &str| std::fs::read(format!("{}{suffix}", path.display())).unwrap_or_default();
            [file(""), file("-wal")].concat()
        }
        Target::Postgres(_) => {
            let mut migrator = database.migrator();
            let DbConnection::Postgres(c) = migrator.connection() else { unreachable!("the target is PostgreSQL") };
            let tables: Vec<Row> = sql_query(
                "SELECT table_name::text AS text FROM information_schema.tables WHERE table_schema = current_schema()",
            )
            .load(c)
            .unwrap();
            let rows = tables.into_iter().flat_map(|table| {
                // The binary column contains UTF-8 text.
                let record = if table.text == "incidents" { "encode(record, 'escape') ||" } else { "" };
                let query = format!("SELECT {record} t::text AS text FROM {} t", table.text);
                sql_query(query).load::<Row>(c).unwrap()
            });
            rows.map(|row| row.text).collect::<Vec<_>>().join("\n").into_bytes()
        }
    }
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// Returns a word that matches no pattern of secrets.
fn canary(number: usize) -> String {
    let part = |number: usize| ["zab", "wug", "tiv", "rop", "mek", "lud", "jix", "gah"][number % 8];
    format!("{}{}xcanary{}{}", part(number), part(number / 8), part(number * 3 + 1), part(number * 5 + 2))
}

fn escaped(text: &str) -> String {
    text.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect()
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Sends canaries in every position of a request. Returns them.
async fn send_canaries(app: &TestApp, user: &Actor<'_>) -> Vec<String> {
    let c: Vec<String> = (0..48).map(canary).collect();
    let key = |number: usize| format!("k{number}Qz7{}X9v{number}B3", c[number]);
    let anonymous = app.anonymous();
    // Requests that fail with 5xx, and requests that are rejected.
    for fault in [Some("panic"), Some("unavailable"), None] {
        let send = async |actor: &Actor<'_>,
                          method: Method,
                          path: String,
                          kind: &str,
                          headers: Vec<(&str, String)>,
                          body: Vec<u8>| {
            let mut request = actor.request(method, &path);
            if let Some(fault) = fault {
                request = request.header("x-fault", fault);
            }
            if !kind.is_empty() {
                request = request.header("content-type", kind).bytes(body);
            }
            for (name, value) in headers {
                request = request.header(name, &value);
            }
            let status = request.send().await.any_status().status;
            assert!(status >= 400, "{status} {path}");
        };
        let json = "application/json";
        let login = "/v2/auth/login".to_owned();
        let list = "/v2/bucketlists".to_owned();
        let post = Method::POST;
        for (path, kind, body) in [
            (&login, json, format!(r#"{{"email": "{}@firm.io", "password": "{}"}}"#, c[0], c[1])),
            (&login, json, format!(r#"{{"email": "{}", "password": "{}", "x": 1}}"#, escaped(&c[2]), escaped(&c[3]))),
            (&login, json, format!(r#"{{"password": {{"a": [{{"b": "{}"}}]}}}}"#, c[4])),
            (&login, json, format!(r#"{{"email": "a@b.io", "password": "{}", "password": "{}"}}"#, c[5], c[6])),
            (&login, json, format!(r#"{{"email": "a@b.io", "password": "{}"#, c[7])),
            (&login, json, format!("{{'password': '{}', {}}}", c[8], c[9])),
            (&login, json, format!(r#"{{"user": {{"login": {{"password": "{}", "note": "{}"}}}}}}"#, c[10], c[11])),
            (
                &login,
                "application/x-www-form-urlencoded",
                format!("email={}%40firm.io&password={}", c[12], percent(&c[13])),
            ),
            (&login, "text/csv", format!("email,password\r\n{}@firm.io,\"{}\"\r\n", c[14], c[15])),
            (
                &login,
                "multipart/form-data; boundary=x",
                format!("--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n{}\r\n--x--", c[16]),
            ),
            (&login, "text/plain", c[17].clone()),
            (&list, json, format!(r#"{{"color": "{}", "name": "mail {}@firm.io"}}"#, c[18], c[19])),
            (
                &list,
                json,
                format!(r#"{{"x": 1, "name": "password={} Bearer {}", "description": "{}"}}"#, c[20], c[21], key(22)),
            ),
            (&list, json, format!(r#"{{"name": "a", "api_key": "{}", "{}": true}}"#, c[23], key(24))),
            (&list, json, format!(r#"["{}", {{"token": "{}"}}]"#, c[25], c[26])),
            (&list, json, format!("\u{feff}{{\"name\": \"{}\"}}", c[27])),
            (&list, json, format!("{}\"{}\"", "[".repeat(50), c[28])),
            (&list, "application/xml", format!("<password>{}</password>", c[29])),
        ] {
            let actor = if path == &login { &anonymous } else { user };
            send(actor, post.clone(), path.clone(), kind, vec![], body.into_bytes()).await;
        }
        // Invalid UTF-8.
        let split = [br#"{"email": "a@b.io", "password": "x"#, &b"\xc3"[..], c[30].as_bytes(), br#""}"#].concat();
        send(&anonymous, post.clone(), login.clone(), json, vec![], split).await;
        for (path, headers) in [
            (format!("/v2/bucketlists?token={}", c[31]), vec![]),
            (format!("/v2/bucketlists?color={}&password={}", percent(&c[32]), c[33]), vec![]),
            (format!("/v2/bucketlists?per_page={}", c[34]), vec![]),
            (format!("/v2/bucketlists?x=1&q={}%40firm.io", c[35]), vec![]),
            (format!("/v2/bucketlists?x=1&cursor={}", key(36)), vec![]),
            (list.clone() + "?x", vec![("authorization", format!("Bearer {}", c[37]))]),
            (list.clone() + "?x", vec![("authorization", format!("Basic {}", c[38]))]),
            (list.clone() + "?x", vec![("cookie", format!("session={}", c[39])), ("x-api-key", c[40].clone())]),
            (list.clone() + "?x", vec![("referer", c[41].clone()), ("x-forwarded-for", c[42].clone())]),
            (list.clone() + "?x", vec![("user-agent", format!("curl/8 token={}", c[43]))]),
            (list.clone() + "?x", vec![("idempotency-key", key(44))]),
            (list.clone() + "?x", vec![("accept", format!("application/json, x/y;password={}", c[45]))]),
        ] {
            send(user, Method::GET, path, "", headers, vec![]).await;
        }
        send(user, Method::GET, format!("/v2/bucketlists/{}", percent(&c[46])), "", vec![], vec![]).await;
        send(user, Method::GET, format!("/v2/{}/nowhere", percent(&c[47])), "", vec![], vec![]).await;
    }
    c
}

async fn all_incident_responses(admin: &Actor<'_>) -> (usize, String) {
    let (mut text, mut count) = (String::new(), 0);
    let mut next = Some("/v2/admin/incidents?per_page=100".to_owned());
    while let Some(path) = next {
        let page = admin.get(&path).await.expect(200).json();
        for row in page["data"].as_array().unwrap() {
            let whole: Value = admin.get(&format!("/v2/admin/incidents/{}", row["id"])).await.expect(200).json();
            text.push_str(&whole.to_string());
            // Without the escapes of JSON.
            for body in [&whole["request"]["body"]["text"], &whole["response"]["body"]["text"]] {
                text.push_str(body.as_str().unwrap_or_default());
            }
            count += 1;
        }
        next = page["links"]["next"].as_str().map(str::to_owned);
    }
    text.push_str(&admin.get("/v2/admin/incident-groups?per_page=100").await.expect(200).json().to_string());
    (count, text)
}

both_engines! {
    async fn no_canary_reaches_the_database_a_response_or_the_log(engine: Engine) {
        let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        let app = TestApp::builder().engine(engine).config(|config| {
            config.incidents.limits.filter = "4xx,5xx".parse().unwrap();
        }).build();
        let (admin, user) = (app.admin().await, app.user().await);
        let canaries = send_canaries(&app, &user).await;
        app.flush_incidents().await;
        let (count, responses) = all_incident_responses(&admin).await;
        assert!(count >= 90, "{count}");
        assert!(responses.contains("createBucketlist") && responses.contains("login"));
        let dump = dump(&app.database);
        assert!(contains(&dump, "createBucketlist"), "the dump does not contain the incidents");
        let log = log.0.lock().unwrap().clone();
        assert!(contains(&log, "request completed"), "the log was captured");
        for canary in &canaries {
            for form in [canary.clone(), escaped(canary), escaped(canary).to_uppercase().replace("\\U", "\\u"), percent(canary)] {
                assert!(!contains(&dump, &form), "{form} is in the database");
                assert!(!responses.contains(&form), "{form} is in a response");
                // Paths are logged without redaction.
                let is_path_segment = canary == &canaries[46] || canary == &canaries[47];
                assert!(is_path_segment || !contains(&log, &form), "{form} is in the log");
            }
        }
    }

    async fn tokens_and_passwords_do_not_reach_the_database(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let body = json!({"email": admin.email(), "password": Actor::PASSWORD});
        let request = admin.request(Method::POST, "/v2/auth/login").header("x-debug-capture", "1").header("x-fault", "panic");
        request.json(&body).send().await.expect(500);
        // A login has no caller. Changing the password sends two passwords.
        let change = json!({"current_password": Actor::PASSWORD, "new_password": "another-harbour-17"});
        let request = admin.request(Method::PUT, "/v2/auth/password").header("x-debug-capture", "1");
        request.json(&change).send().await.expect(204);
        app.flush_incidents().await;
        let (count, responses) = all_incident_responses(&admin).await;
        assert_eq!(count, 2);
        let dump = dump(&app.database);
        for secret in [Actor::PASSWORD, "another-harbour-17", &admin.token(), &admin.refresh_token()] {
            assert!(!contains(&dump, secret) && !responses.contains(secret), "{secret}");
        }
        assert!(!responses.contains(&admin.email()));
    }
}

//! Traces: what a collector receives, and that it never slows or breaks a request.

use std::{sync::atomic::Ordering, time::Duration};

use bucketlist::traces::{TraceSampler, TraceSettings};
use poem::http::Method;

use crate::support::{
    Actor, Collector, Engine, LogCapture, LogFormat, Span, SpanKind, StatusCode, TestApp, json, span_attributes,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn settings(endpoint: String) -> TraceSettings {
    TraceSettings {
        endpoint: format!("{endpoint}/v1/traces"),
        headers: vec![("authorization".to_owned(), "Bearer collector".to_owned().into())],
        timeout: Duration::from_secs(60),
        service_name: "lists".to_owned(),
        resource_attributes: vec![("deployment.environment.name".to_owned(), "test".to_owned())],
        sampler: TraceSampler::ParentBasedAlwaysOn,
    }
}

fn traced_app(engine: Engine, settings: TraceSettings) -> TestApp {
    TestApp::builder().engine(engine).config(|config| config.traces = Some(settings)).build()
}

async fn flush(app: &TestApp) {
    app.app.tracer.as_ref().unwrap().flush().await;
}

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

/// Returns the trace ID of a `traceresponse`.
fn trace_id(header: &str) -> String {
    header.split('-').nth(1).unwrap().to_owned()
}

fn children<'a>(spans: &'a [Span], parent: &Span) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.parent_span_id == parent.span_id).collect()
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let names = || spans.iter().map(|span| &span.name).collect::<Vec<_>>();
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name} is not in {:?}", names()))
}

both_engines! {
    async fn request_unit_of_work_and_statement_are_spans_of_one_trace(engine: Engine) {
        let collector = Collector::start();
        let app = traced_app(engine, settings(collector.endpoint()));
        let user = app.user().await;
        let request = user.request(Method::POST, "/v2/bucketlists?canary=1").header("traceparent", &traceparent("01"));
        let request = request.header("tracestate", "vendor=1").header("user-agent", "canary-agent");
        request.json(&json!({"name": "canary-name"})).send().await.expect(422);
        let request = user.request(Method::POST, "/v2/bucketlists").header("traceparent", &traceparent("01"));
        let request = request.header("tracestate", "vendor=1").header("user-agent", "canary-agent");
        let response = request.json(&json!({"name": "canary-name"})).send().await.expect(201);
        let header = response.header("traceresponse").to_owned();
        flush(&app).await;

        let spans = collector.trace(TRACE);
        let id = header.split('-').nth(2).unwrap();
        let root = spans.iter().find(|span| hex::encode(&span.span_id) == id).unwrap();
        assert_eq!(header, format!("00-{TRACE}-{id}-01"));
        assert_eq!((root.name.as_str(), root.kind()), ("POST /v2/bucketlists", SpanKind::Server));
        assert_eq!((hex::encode(&root.parent_span_id), root.trace_state.as_str()), (PARENT.to_owned(), "vendor=1"));
        let attributes = span_attributes(root);
        for (name, expected) in [
            ("http.request.method", "POST"),
            ("http.route", "/v2/bucketlists"),
            ("url.path", "/v2/bucketlists"),
            ("url.scheme", "http"),
            ("http.response.status_code", "201"),
            ("bucketlist.operation", "createBucketlist"),
            ("bucketlist.request_id", response.header("x-request-id")),
        ] {
            assert_eq!(attributes.get(name).map(String::as_str), Some(expected), "{name} in {attributes:?}");
        }
        let units = children(&spans, root);
        let unit = units.iter().find(|span| span.name == "Bucketlists::create").unwrap_or_else(|| panic!("{units:#?}"));
        assert_eq!(unit.kind(), SpanKind::Internal);
        assert!(span_attributes(unit).contains_key("bucketlist.db.wait_ms"), "{unit:?}");
        assert!(span_attributes(unit).contains_key("bucketlist.db.commit_ms"), "{unit:?}");
        let statements = children(&spans, unit);
        let insert = statements.iter().find(|span| span.name == "INSERT bucketlists").unwrap_or_else(|| panic!("{statements:#?}"));
        assert_eq!(insert.kind(), SpanKind::Client);
        let system = if engine == Engine::Sqlite { "sqlite" } else { "postgresql" };
        let attributes = span_attributes(insert);
        assert_eq!(attributes["db.system.name"], system);
        assert!(attributes["db.query.text"].contains("INSERT INTO"), "{attributes:?}");
        assert_eq!(attributes["db.response.returned_rows"], "1");
        for span in [insert, unit] {
            assert!(span.start_time_unix_nano >= root.start_time_unix_nano, "{span:?}");
            assert!(span.end_time_unix_nano <= root.end_time_unix_nano && span.end_time_unix_nano > span.start_time_unix_nano);
        }
        // Neither values of statements nor what identifies a person.
        let everything = format!("{:?}", collector.exports());
        for canary in ["canary", "@example.com", Actor::PASSWORD, &user.token()] {
            assert!(!everything.contains(canary), "{canary}");
        }
        let export = &collector.exports()[0];
        assert!(export.head.starts_with("post /v1/traces http/1.1"), "{}", export.head);
        assert!(export.head.contains("\r\nauthorization: bearer collector\r\n"), "{}", export.head);
        assert!(export.head.contains("\r\ncontent-type: application/x-protobuf\r\n"), "{}", export.head);
        assert_eq!((export.resource["service.name"].as_str(), export.resource["deployment.environment.name"].as_str()), ("lists", "test"));
    }

    async fn statements_have_the_number_of_returned_rows(engine: Engine) {
        let collector = Collector::start();
        let app = traced_app(engine, settings(collector.endpoint()));
        let user = app.user().await;
        let list = user.create_bucketlist("See the world").await;
        for name in ["Climb", "Dive", "Fly"] {
            user.create_item(list, name).await;
        }
        // Requests the path in a new trace; returns the statements with a summary, and their number of rows.
        let rows = async |method: Method, path: &str, status: u16, summary: &str| -> Vec<Option<String>> {
            let response = user.request(method, path).send().await.expect(status);
            flush(&app).await;
            let spans = collector.trace(&trace_id(response.header("traceresponse")));
            let statements: Vec<_> = spans.iter().filter(|span| span.name == summary).collect();
            assert!(!statements.is_empty(), "{spans:#?}");
            statements.iter().map(|span| span_attributes(span).get("db.response.returned_rows").cloned()).collect()
        };
        let items = format!("/v2/bucketlists/{list}/items");
        let page = rows(Method::GET, &format!("{items}?per_page=2"), 200, "SELECT bucketlists").await;
        assert_eq!(page, [Some("3".to_owned())], "the page and the row that follows it");
        let none = rows(Method::GET, "/v2/bucketlists/999999", 404, "SELECT bucketlists").await;
        assert_eq!(none, [Some("0".to_owned())]);
        // A statement that returns no rows has no number.
        let deleted = rows(Method::DELETE, &format!("/v2/bucketlists/{list}"), 204, "DELETE bucketlists").await;
        assert_eq!(deleted, [None]);
    }

    async fn sampling_follows_the_parent(engine: Engine) {
        let collector = Collector::start();
        let app = traced_app(engine, settings(collector.endpoint()));
        let user = app.user().await;
        let get = async |traceparent: &str| {
            let response = user.request(Method::GET, "/v2/bucketlists").header("traceparent", traceparent).send().await;
            response.expect(200).header("traceresponse").to_owned()
        };
        let unsampled = get(&traceparent("00")).await;
        assert!(unsampled.starts_with(&format!("00-{TRACE}-")) && unsampled.ends_with("-00"), "{unsampled}");
        // An invalid parent starts a new trace.
        let invalid = get(&format!("00-{TRACE}-{PARENT}")).await;
        assert!(trace_id(&invalid) != TRACE && invalid.ends_with("-01"), "{invalid}");
        flush(&app).await;
        assert!(collector.trace(TRACE).is_empty(), "a trace that the caller does not record");
        let spans = collector.trace(&trace_id(&invalid));
        assert!(named(&spans, "GET /v2/bucketlists").parent_span_id.is_empty());
    }

    async fn stream_is_part_of_the_request(engine: Engine) {
        let collector = Collector::start();
        let app = traced_app(engine, settings(collector.endpoint()));
        let user = app.user().await;
        let _ = user.create_bucketlist("See the world").await;
        let request = user.request(Method::GET, "/v2/bucketlists").header("accept", "text/csv");
        let response = request.header("traceparent", &traceparent("01")).send().await.expect(200);
        assert!(String::from_utf8(response.body).unwrap().contains("See the world"));
        flush(&app).await;
        let spans = collector.trace(TRACE);
        let root = named(&spans, "GET /v2/bucketlists");
        let last = spans.iter().filter(|span| span.name == "SELECT bucketlists").map(|span| span.end_time_unix_nano).max();
        assert!(last.is_some_and(|last| last <= root.end_time_unix_nano), "{spans:#?}");
    }

    async fn failures_are_marked_and_have_no_values(engine: Engine) {
        let collector = Collector::start();
        let app = traced_app(engine, settings(collector.endpoint()));
        let admin = app.admin().await;
        let request = admin.request(Method::GET, "/v2/bucketlists").header("x-fault", "panic");
        let response = request.header("traceparent", &traceparent("01")).send().await.expect(500);
        app.flush_incidents().await;
        flush(&app).await;
        let spans = collector.trace(TRACE);
        let root = named(&spans, "GET /v2/bucketlists");
        assert_eq!(root.status.as_ref().unwrap().code(), StatusCode::Error);
        assert_eq!(span_attributes(root)["error.type"], "INTERNAL_ERROR");
        // The incident has the same trace.
        let path = format!("/v2/admin/incidents?request_id={}", response.header("x-request-id"));
        let incident = admin.get(&path).await.expect(200).json()["data"][0]["id"].as_i64().unwrap();
        let incident = admin.get(&format!("/v2/admin/incidents/{incident}")).await.expect(200).json();
        assert_eq!(incident["trace_id"], TRACE);
        // A constraint violation is an error of its statement, not of the request.
        let body = json!({"email": admin.email(), "password": Actor::PASSWORD, "name": "Ada"});
        let request = app.anonymous().request(Method::POST, "/v1/auth/register").header("traceparent", &traceparent("01"));
        request.json(&body).send().await.expect(409);
        flush(&app).await;
        let spans = collector.trace(TRACE);
        assert_eq!(named(&spans, "POST /v1/auth/register").status.clone().unwrap_or_default().code(), StatusCode::Unset);
        assert!(!format!("{spans:?}").contains(&admin.email()));
    }

    async fn job_and_its_mail_are_spans(engine: Engine) {
        let collector = Collector::start();
        let app = traced_app(engine, settings(collector.endpoint()));
        let email = app.user().await.email();
        app.anonymous().post("/v2/auth/password-reset", &json!({"email": email})).await.expect(202);
        app.run_jobs().await;
        flush(&app).await;
        let spans = collector.spans();
        let job = named(&spans, "job password_reset_mail");
        assert_eq!((job.kind(), job.parent_span_id.is_empty()), (SpanKind::Consumer, true));
        assert_eq!(span_attributes(job)["bucketlist.job.attempt"], "1");
        let names: Vec<&str> = children(&spans, job).iter().map(|span| span.name.as_str()).collect();
        assert!(names.contains(&"send mail") && names.len() >= 2, "{names:?}");
        assert!(!format!("{spans:?}").contains(&email));
        // A job that fails is a failed span.
        app.mailer.fails.store(true, Ordering::SeqCst);
        app.anonymous().post("/v2/auth/password-reset", &json!({"email": email})).await.expect(202);
        app.run_jobs().await;
        flush(&app).await;
        let spans = collector.spans();
        let failed: Vec<&str> = spans
            .iter()
            .filter(|span| span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error))
            .map(|span| span.name.as_str())
            .collect();
        assert!(failed.contains(&"send mail") && failed.contains(&"job password_reset_mail"), "{failed:?}");
    }

    async fn dead_collector_fails_no_request_and_its_loss_is_counted(engine: Engine) {
        let collector = Collector::start();
        collector.respond_with(503);
        let app = traced_app(engine, settings(collector.endpoint()));
        let log = LogCapture::start(LogFormat::Text);
        let user = app.user().await;
        user.get("/v2/bucketlists").await.expect(200);
        flush(&app).await;
        let stats = app.app.tracer.as_ref().unwrap().stats();
        let failed = stats.failed();
        assert!(failed >= 2 && stats.exported() == 0 && stats.pending() == 0, "{stats:?}");
        collector.respond_with(200);
        user.get("/v2/bucketlists").await.expect(200);
        flush(&app).await;
        assert_eq!(stats.failed(), failed);
        assert_eq!(stats.exported(), collector.spans().len() as u64);
        drop(log);
    }
}

#[tokio::test]
async fn queue_of_spans_is_bounded() {
    // Accepts connections and never responds.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let app = traced_app(Engine::Sqlite, settings(endpoint));
    let stats = app.app.tracer.as_ref().unwrap().stats();
    let mut requests = 0_u64;
    while stats.dropped() == 0 {
        app.anonymous().get("/health/live").await.expect(200);
        requests += 1;
        assert!(requests < 20_000, "{stats:?}");
    }
    assert!(stats.pending() <= 8_192, "{stats:?}");
}

#[tokio::test]
async fn requests_without_a_parent_are_sampled_by_share() {
    let collector = Collector::start();
    let settings = TraceSettings { sampler: TraceSampler::ParentBasedRatio(0.0), ..settings(collector.endpoint()) };
    let app = traced_app(Engine::Sqlite, settings);
    let response = app.anonymous().get("/health/live").await.expect(200);
    assert!(response.header("traceresponse").ends_with("-00"));
    let request = app.anonymous().request(Method::GET, "/health/live").header("traceparent", &traceparent("01"));
    request.send().await.expect(200);
    flush(&app).await;
    let spans = collector.spans();
    assert_eq!(spans.len(), 1, "{spans:#?}");
    assert_eq!(named(&spans, "GET /health/live").parent_span_id, hex::decode(PARENT).unwrap());
}

#[tokio::test]
async fn traces_are_off_by_default() {
    let app = TestApp::new(Engine::Sqlite);
    assert!(app.app.tracer.is_none());
    let log = LogCapture::start(LogFormat::Json);
    let request = app.anonymous().request(Method::GET, "/health/live").header("traceparent", &traceparent("01"));
    let response = request.send().await.expect(200);
    assert!(!response.headers.contains_key("traceresponse"));
    // The trace of the caller is in the log in any case.
    assert!(log.text().contains(&format!("\"trace_id\":\"{TRACE}\"")), "{}", log.text());
}

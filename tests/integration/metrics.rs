//! Metrics: what a scrape returns, and that its labels are bounded.

use std::{collections::BTreeSet, fs, path::Path, sync::atomic::Ordering, time::Duration};

use bucketlist::{
    config::ResponseValidation,
    db::Target,
    traces::{TraceSampler, TraceSettings},
};
use poem::{Endpoint, Request, Response, http::Method};

use crate::support::{Actor, Engine, RedisServer, TestApp, json};

fn metered_app(engine: Engine) -> TestApp {
    TestApp::builder()
        .engine(engine)
        .config(|config| {
            config.metrics_address = Some("127.0.0.1:0".parse().unwrap());
            config.limits.rate_limit = true;
            config.limits.search_per_minute = 1;
        })
        .build()
}

async fn request(app: &TestApp, method: Method, path: &str) -> Response {
    let request = Request::builder().method(method).uri_str(path).finish();
    app.app.metrics.as_ref().unwrap().call(request).await.unwrap()
}

async fn scrape(app: &TestApp) -> String {
    let response = request(app, Method::GET, "/metrics").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = response.into_body().into_string().await.unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    text
}

/// Returns the value of a series.
fn value(metrics: &str, series: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let line = line.unwrap_or_else(|| panic!("{series} is missing in\n{metrics}"));
    line.split(' ').next().unwrap().parse().unwrap()
}

both_engines! {
    async fn requests_are_counted_by_operation_method_and_status(engine: Engine) {
        let app = metered_app(engine);
        let user = app.user().await;
        let _ = user.create_bucketlist("See the world").await;
        for _ in 0..2 {
            user.get("/v2/bucketlists").await.expect(200);
        }
        user.request(Method::HEAD, "/v2/bucketlists").send().await.any_status();
        user.get("/v2/bucketlists/999999").await.expect(404);
        user.get("/v2/search?q=world").await.expect(200);
        user.get("/v2/search?q=world").await.expect(429);
        app.anonymous().get("/health/live").await.any_status();
        let metrics = scrape(&app).await;
        for (series, expected) in [
            (r#"http_requests_total{operation="listBucketlists",method="GET",status="200",version="2"}"#, 2.0),
            (r#"http_requests_total{operation="listBucketlists",method="HEAD",status="200",version="2"}"#, 1.0),
            (r#"http_requests_total{operation="getBucketlist",method="GET",status="404",version="2"}"#, 1.0),
            (r#"http_requests_total{operation="register",method="POST",status="201",version="1"}"#, 1.0),
            (r#"http_requests_total{operation="unversioned",method="GET",status="200",version=""}"#, 1.0),
            (r#"http_request_duration_seconds_count{operation="listBucketlists",status="200",version="2"}"#, 3.0),
            (r#"http_request_duration_seconds_bucket{le="+Inf",operation="getBucketlist",status="404",version="2"}"#, 1.0),
            (r#"http_error_responses_total{code="BUCKETLIST_NOT_FOUND"}"#, 1.0),
            (r#"rate_limit_rejections_total{limit="search"}"#, 1.0),
            (r#"rate_limit_rejections_total{limit="general"}"#, 0.0),
            ("http_requests_in_flight", 0.0),
        ] {
            assert_eq!(value(&metrics, series), expected, "{series}");
        }
        assert!(value(&metrics, "db_statements_total") > 5.0);
    }

    async fn database_and_token_cache_are_measured(engine: Engine) {
        let app = metered_app(engine);
        let user = app.user().await;
        for _ in 0..3 {
            user.get("/v2/bucketlists").await.expect(200);
        }
        let metrics = scrape(&app).await;
        for kind in ["read", "write"] {
            assert!(value(&metrics, &format!("db_pool_wait_seconds_count{{kind=\"{kind}\"}}")) >= 1.0, "{kind}");
        }
        // A connection is in use until shortly after its unit of work has returned.
        let connections = ["in_use", "idle"].map(|state| value(&metrics, &format!("db_pool_connections{{state=\"{state}\"}}")));
        assert!(connections[1] >= 1.0 && connections[0] <= value(&metrics, "db_pool_connections_max"), "{connections:?}");
        if engine == Engine::Sqlite {
            // The clock of the cache is the real one: an entry may have expired.
            let requests = ["hit", "miss"].map(|result| value(&metrics, &format!("token_cache_requests_total{{result=\"{result}\"}}")));
            assert_eq!(requests.iter().sum::<f64>(), 3.0);
            assert!(requests[1] >= 1.0);
            let count = value(&metrics, "sqlite_commit_group_size_count");
            assert!(count >= 1.0 && value(&metrics, "sqlite_commit_group_size_sum") >= count);
        } else {
            assert!(!metrics.contains("sqlite_commit_group_size") && !metrics.contains("token_cache_requests"));
        }
    }

    async fn exemplars_name_the_trace_or_the_request(engine: Engine) {
        let app = metered_app(engine);
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let anonymous = app.anonymous();
        let traced = anonymous.request(Method::GET, "/v2/users/me");
        traced.header("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01")).send().await.expect(401);
        let other = anonymous.request(Method::GET, "/v2/bucketlists").header("x-request-id", "request-1");
        other.send().await.expect(401);
        let metrics = scrape(&app).await;
        assert!(metrics.contains(&format!("# {{trace_id=\"{trace}\"}}")), "{metrics}");
        assert!(metrics.contains("# {request_id=\"request-1\"}"), "{metrics}");
    }

    async fn clients_cannot_create_series(engine: Engine) {
        let app = metered_app(engine);
        app.user().await;
        let send = async |number: usize| {
            let actor = Actor::new(&app, None);
            for path in [format!("/v2/{number}"), format!("/{number}"), format!("/v2/bucketlists/{number}")] {
                let request = actor.request(Method::GET, &path).header("user-agent", &format!("agent-{number}"));
                request.send().await.any_status();
            }
            let method: Method = format!("M{number}").parse().unwrap();
            app.call(Request::builder().method(method).uri_str("/v2/bucketlists").finish()).await;
        };
        send(0).await;
        let series = scrape(&app).await.lines().count();
        for number in 1..50 {
            send(number).await;
        }
        assert_eq!(scrape(&app).await.lines().count(), series);
    }

    async fn parts_of_the_server_are_measured(engine: Engine) {
        let app = metered_app(engine);
        let user = app.user().await;
        app.anonymous().post("/v2/auth/password-reset", &json!({"email": user.email()})).await.expect(202);
        app.run_jobs().await;
        app.mailer.fails.store(true, Ordering::SeqCst);
        app.anonymous().post("/v2/auth/password-reset", &json!({"email": user.email()})).await.expect(202);
        app.run_jobs().await;
        user.request(Method::GET, "/v2/bucketlists").header("x-fault", "panic").send().await.expect(500);
        app.flush_incidents().await;
        let metrics = scrape(&app).await;
        for (series, expected) in [
            (r#"mails_total{result="sent"}"#, 1.0),
            (r#"mails_total{result="failed"}"#, 1.0),
            (r#"incidents_total{result="stored"}"#, 1.0),
            (r#"incidents_total{result="lost"}"#, 0.0),
            (&format!(r#"build_info{{version="{}",commit="{}"}}"#, bucketlist::build_info::VERSION, bucketlist::build_info::COMMIT), 1.0),
        ] {
            assert_eq!(value(&metrics, series), expected, "{series}");
        }
        for series in ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds", "tokio_workers"] {
            assert!(value(&metrics, series) > 0.0, "{series}");
        }
        if engine == Engine::Sqlite {
            for file in ["database", "wal"] {
                assert!(value(&metrics, &format!(r#"sqlite_file_size_bytes{{file="{file}"}}"#)) > 0.0, "{file}");
            }
        }
    }

    async fn jobs_and_recurring_tasks_are_measured(engine: Engine) {
        let app = metered_app(engine);
        let user = app.user().await;
        for fails in [false, true] {
            app.mailer.fails.store(fails, Ordering::SeqCst);
            app.anonymous().post("/v2/auth/password-reset", &json!({"email": user.email()})).await.expect(202);
            app.run_jobs().await;
        }
        app.execute(&format!(
            "INSERT INTO jobs (kind, payload, state, run_at, created_at) VALUES ('newsletter', '{{}}', 'dead', {}, 0)",
            i64::MAX
        ));
        app.advance_clock(Duration::from_secs(30));
        app.app.worker.update_metrics().await.unwrap();
        app.app.worker.run_due_tasks().await.unwrap();
        let metrics = scrape(&app).await;
        for (series, expected) in [
            (r#"jobs{kind="password_reset_mail",state="retrying"}"#, 1.0),
            (r#"jobs{kind="password_reset_mail",state="queued"}"#, 0.0),
            (r#"jobs{kind="other",state="dead"}"#, 1.0),
            (r#"jobs{kind="export",state="running"}"#, 0.0),
            (r#"jobs{kind="export",state="done"}"#, 0.0),
            (r#"job_runs_total{kind="password_reset_mail",result="completed"}"#, 1.0),
            (r#"job_runs_total{kind="password_reset_mail",result="failed"}"#, 1.0),
            (r#"job_runs_total{kind="export",result="dead"}"#, 0.0),
            (r#"job_duration_seconds_count{kind="password_reset_mail"}"#, 2.0),
            (r#"job_schedule_runs_total{schedule="purge",result="succeeded"}"#, 1.0),
            (r#"job_schedule_runs_total{schedule="backup",result="failed"}"#, 0.0),
        ] {
            assert_eq!(value(&metrics, series), expected, "{series}");
        }
        // The retry was due at most 2 seconds after the failure.
        let age = value(&metrics, "job_queue_oldest_due_age_seconds");
        assert!((28.0..=28.5).contains(&age), "{age}");
    }
}

#[tokio::test]
async fn format_depends_on_the_accept_header() {
    let app = metered_app(Engine::Sqlite);
    app.anonymous().get("/health/live").await.any_status();
    let get = async |accept: Option<&str>| {
        let mut request = Request::builder().uri_str("/metrics");
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        let response = app.app.metrics.as_ref().unwrap().call(request.finish()).await.unwrap();
        assert_eq!((response.status().as_u16(), &response.headers()["vary"]), (200, &"accept".parse().unwrap()));
        let media_type = response.headers()["content-type"].to_str().unwrap().to_owned();
        (media_type, response.into_body().into_string().await.unwrap())
    };
    let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1";
    for accept in [None, Some("*/*"), Some(prometheus), Some("application/json")] {
        let (media_type, text) = get(accept).await;
        assert_eq!(media_type, "application/openmetrics-text; version=1.0.0; charset=utf-8", "{accept:?}");
        assert!(text.contains("# TYPE http_requests counter\n") && text.ends_with("# EOF\n"), "{text}");
    }
    for accept in ["text/plain; version=0.0.4", "text/plain, */*;q=0.1"] {
        let (media_type, text) = get(Some(accept)).await;
        assert_eq!(media_type, "text/plain; version=0.0.4; charset=utf-8", "{accept}");
        assert!(
            text.contains("# TYPE http_requests_total counter\n") && text.contains("# TYPE build_info gauge\n"),
            "{text}"
        );
        assert!(!text.contains("# EOF") && !text.contains("request_id"), "{text}");
        value(&text, r#"http_requests_total{operation="unversioned",method="GET",status="200",version=""}"#);
    }
}

#[tokio::test]
async fn listener_serves_metrics_only() {
    let app = metered_app(Engine::Sqlite);
    for (method, path, status) in
        [(Method::GET, "/", 404), (Method::GET, "/v2/bucketlists", 404), (Method::POST, "/metrics", 405)]
    {
        assert_eq!(request(&app, method, path).await.status(), status, "{path}");
    }
    // The API does not serve the metrics.
    app.anonymous().get("/metrics").await.expect(404);
}

#[tokio::test]
async fn metrics_are_off_by_default() {
    assert!(TestApp::new(Engine::Sqlite).app.metrics.is_none());
}

/// Returns the metrics that PromQL expressions select with a label.
fn selected_metrics(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.match_indices('{')
        .map(|(end, _)| &text[..end])
        .map(|before| before.rsplit(|c: char| !is_name(c)).next().unwrap())
        .filter(|name| name.contains('_') || *name == "jobs")
        .collect()
}

/// Settings without a collector at the endpoint.
fn trace_settings() -> TraceSettings {
    TraceSettings {
        endpoint: "http://127.0.0.1:1/v1/traces".to_owned(),
        headers: Vec::new(),
        timeout: Duration::from_secs(1),
        service_name: "lists".to_owned(),
        resource_attributes: Vec::new(),
        sampler: TraceSampler::AlwaysOff,
    }
}

#[tokio::test]
async fn dashboard_and_alerts_use_existing_metrics() {
    let app = TestApp::builder()
        .config(|config| {
            config.metrics_address = Some("127.0.0.1:0".parse().unwrap());
            config.responses.validation = ResponseValidation::All;
            config.traces = Some(trace_settings());
            config.limits.rate_limit = true;
            config.limits.search_per_minute = 1;
            config.redis = Some(RedisServer::stopped().settings());
            config.database.replicas = vec![Target::Postgres("postgres://replica.example.com/lists".to_owned())];
        })
        .build();
    let user = app.user().await;
    user.get("/v2/search?q=world").await.expect(200);
    user.get("/v2/search?q=world").await.expect(429);
    let metrics = scrape(&app).await;
    for (file, minimum) in [("deploy/prometheus/alerts.yml", 8), ("deploy/grafana/bucketlist.json", 16)] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let names = selected_metrics(&text);
        assert!(names.len() >= minimum, "{file}: {names:?}");
        for name in names {
            assert!(
                metrics.contains(&format!("\n{name}{{")) || metrics.contains(&format!("\n{name} ")),
                "{file}: {name}"
            );
        }
    }
}

#[test]
fn every_alert_has_a_section_in_the_runbook() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let alerts = fs::read_to_string(root.join("deploy/prometheus/alerts.yml")).unwrap();
    let runbook = fs::read_to_string(root.join("docs/runbook.md")).unwrap();
    let names: Vec<&str> = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let sections: Vec<&str> = runbook.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(names, sections);
    for name in names {
        let link = format!("runbook: docs/runbook.md#{}", name.to_lowercase());
        assert!(alerts.contains(&link), "{link}");
    }
}

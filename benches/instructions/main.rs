//! The hot paths of the server, for counting their instructions: requests through the app in this process, on SQLite.
//!
//! `benches/instructions/run` runs this program under callgrind, which writes the counts of all threads whenever [`end_of_section`] is called.
//! Each measurement of a path is a section, and so is the work before it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark stops at the first error")]
#![allow(clippy::print_stdout, reason = "benchmarks print their results")]

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "the other benchmarks also use PostgreSQL")]
mod support;

use std::{hint::black_box, process::ExitCode};

use bucketlist::{
    app::App,
    auth::AccessTokens,
    db::Target,
    domain::{Clock, SystemClock, SystemRandom},
    log_format::JsonFormat,
    seed,
};
use poem::{Endpoint, Request, Response, http::Method};
use secrecy::SecretString;
use support::SECRET;
use tokio::runtime::Builder;
use tracing_subscriber::fmt::format::JsonFields;

/// Requests in a section.
const REQUESTS: usize = 100;
/// Sections of each path. The smallest count is the one with the least work of other threads.
const ROUNDS: usize = 5;
/// Requests before each section.
const WARM_UP: usize = 10;
/// Rows that are created before the first section.
const ROWS: usize = 40;

/// Creates a request, from its number and the ETag of a bucketlist.
type Build = fn(usize, &str) -> Request;

/// The configuration of a server.
#[derive(Clone, Copy)]
enum Server {
    Plain,
    Cached,
    /// With metrics, and with traces of which none is recorded.
    Observed,
    /// With metrics, and with traces that are all recorded.
    Traced,
}

use Server::{Cached, Observed, Plain, Traced};

/// The paths: name, server, request, and status.
const PATHS: [(&str, Server, Build, u16); 12] = [
    ("retrieve a bucketlist, cached", Cached, |_, _| get("/v2/bucketlists/1").finish(), 200),
    (
        "retrieve a bucketlist, not modified",
        Cached,
        |_, etag| get("/v2/bucketlists/1").header("if-none-match", etag).finish(),
        304,
    ),
    ("retrieve a bucketlist", Plain, |_, _| get("/v2/bucketlists/1").finish(), 200),
    ("list 20 bucketlists with total", Plain, |_, _| get("/v1/bucketlists").finish(), 200),
    ("list 20 items with total", Plain, |_, _| get("/v1/bucketlists/1/items").finish(), 200),
    ("create a bucketlist", Plain, |number, _| post("/v2/bucketlists", &format!("Coast {number}")), 201),
    ("create an item", Plain, |number, _| post("/v2/bucketlists/1/items", &format!("Coast {number}")), 201),
    ("search", Plain, |_, _| get("/v2/search?q=list&per_page=10").finish(), 200),
    ("retrieve a bucketlist, with metrics", Observed, |_, _| get("/v2/bucketlists/1").finish(), 200),
    (
        "create an item, with metrics",
        Observed,
        |number, _| post("/v2/bucketlists/1/items", &format!("Coast {number}")),
        201,
    ),
    ("retrieve a bucketlist, traced", Traced, |_, _| get("/v2/bucketlists/1").finish(), 200),
    ("create an invalid item", Plain, |_, _| post("/v2/bucketlists/1/items", ""), 422),
];

fn get(path: &str) -> poem::RequestBuilder {
    Request::builder().uri_str(path)
}

fn post(path: &str, name: &str) -> Request {
    let body = format!(r#"{{"name":"{name}","description":"A hike along the coast with friends"}}"#);
    let length = body.len();
    get(path).method(Method::POST).content_type("application/json").header("content-length", length).body(body)
}

/// Ends a section. Callgrind recognizes this function by its name.
#[inline(never)]
fn end_of_section(name: &str) {
    println!("{name}");
    black_box(name);
}

fn main() -> ExitCode {
    // `cargo test --benches` also runs this program, without `--bench`.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    // As in a server, but without output.
    tracing_subscriber::fmt()
        .with_env_filter("info")
        .event_format(JsonFormat::default())
        .fmt_fields(JsonFields::new())
        .with_writer(std::io::sink)
        .init();
    println!("requests {REQUESTS}");
    verify_tokens();
    // One thread, so that requests do not move between threads.
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(send_requests());
    ExitCode::SUCCESS
}

fn verify_tokens() {
    let tokens = AccessTokens::new(&SecretString::from(SECRET), &[], 900);
    let now = SystemClock.now_seconds();
    let token = tokens.issue(2, 1, now, &SystemRandom).unwrap();
    for _ in 0..ROUNDS {
        end_of_section("preparation");
        for _ in 0..REQUESTS {
            black_box(tokens.verify(black_box(&token), now).unwrap());
        }
        end_of_section("path verify an access token");
    }
}

async fn send_requests() {
    let folder = tempfile::tempdir().unwrap();
    let config = |server| {
        let traces = |sampler| {
            vec![
                ("RESPONSE_CACHE_BYTES", "0"),
                ("METRICS_ADDR", "127.0.0.1:0"),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
                ("OTEL_TRACES_SAMPLER", sampler),
            ]
        };
        let settings = match server {
            Plain => vec![("RESPONSE_CACHE_BYTES", "0")],
            Cached => vec![],
            Observed => traces("always_off"),
            Traced => traces("always_on"),
        };
        let mut config = support::config(folder.path(), &settings);
        config.database = support::options(Target::Sqlite(folder.path().join("instructions.db")));
        config
    };
    support::prepare(&config(Plain));
    let [plain, cached, observed, traced] =
        [Plain, Cached, Observed, Traced].map(|server| support::app(&config(server)));
    let token = support::log_in(&plain, seed::DEMO_EMAIL, seed::DEMO_PASSWORD).await;
    let mut created = 0;
    for (path, name) in [("/v2/bucketlists", "List"), ("/v2/bucketlists/1/items", "Item")] {
        for number in 0..ROWS {
            send(&plain, &token, post(path, &format!("{name} {number}")), 201).await;
        }
    }
    for _ in 0..ROUNDS {
        for (name, server, build, status) in PATHS {
            let app = match server {
                Plain => &plain,
                Cached => &cached,
                Observed => &observed,
                Traced => &traced,
            };
            let etag = etag_of(app, &token).await;
            for number in 0..WARM_UP + REQUESTS {
                if number == WARM_UP {
                    export_spans(app).await;
                    end_of_section("preparation");
                }
                created += 1;
                send(app, &token, build(created, &etag), status).await;
            }
            export_spans(app).await;
            end_of_section(&format!("path {name}"));
        }
    }
}

/// Exports the spans that have ended. Encoding them is part of the cost, although no collector receives them.
async fn export_spans(app: &App) {
    if let Some(tracer) = &app.tracer {
        tracer.flush().await;
    }
}

/// Returns the current ETag of the bucketlist.
async fn etag_of(app: &App, token: &str) -> String {
    let response = send(app, token, get("/v2/bucketlists/1").finish(), 200).await;
    response.headers()["etag"].to_str().unwrap().to_owned()
}

/// Sends a request and reads the response.
async fn send(app: &App, token: &str, mut request: Request, status: u16) -> Response {
    request.headers_mut().insert("authorization", token.parse().unwrap());
    let mut response = app.endpoint.call(request).await.unwrap();
    assert_eq!(response.status().as_u16(), status);
    let body = response.take_body().into_bytes().await.unwrap();
    assert_eq!(body.is_empty(), status == 304);
    black_box(body);
    response
}

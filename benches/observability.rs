//! Cost of metrics, traces and usage counters: CPU time per request with and without them.
//!
//! Blocks of requests to two servers in this process, one with and one without, alternate, so that other load on the machine affects both.
//! CPU time is compared, because it does not include the time in which other processes run. The server with traces exports them to a
//! collector in this process, whose CPU time counts as well. `make bench` runs this benchmark; it fails above the limit.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark stops at the first error")]
#![allow(clippy::print_stdout, reason = "benchmarks print their results")]

mod support;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::ExitCode,
    thread,
    time::Duration,
};

use bucketlist::{
    app::App,
    domain::{ApiVersion, Consumer, Timestamp, UserId},
    seed,
    usage::{UsageEvent, UsageRecorder},
};
use cpu_time::{ProcessTime, ThreadTime};
use poem::{Endpoint, Request, http::Method};
use support::Databases;

/// Number of pairs of blocks.
const PAIRS: usize = 20;
/// Number of requests in a block, and between two exports of spans. A server exports after 512 spans or every 5 seconds: at 5 % of the
/// traces and three spans each, after about 3,400 requests, and at 1 % every 5 seconds.
const BLOCK: usize = 3_000;
/// Maximum cost as a share of the CPU time of a request, in percent.
const LIMIT: f64 = 3.0;
/// Shares of traced requests: of a server with little traffic, of a busy one, and of one whose requests use all cores.
const SHARES: [&str; 3] = ["1", "0.05", "0.01"];
/// The share that the limit applies to.
const LIMITED_SHARE: &str = "0.05";

#[tokio::main]
async fn main() -> ExitCode {
    // `cargo test --benches` also runs this binary, without `--bench`.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    // Requests are logged as in a server.
    tracing_subscriber::fmt().json().with_max_level(tracing::Level::INFO).with_writer(std::io::sink).init();
    let (endpoint, usage) = (start_collector(), usage_cost());
    println!("usage counters: {usage:.2} µs per request");
    let databases = Databases::new();
    let mut is_within_limit = true;
    for target in databases.targets() {
        for share in SHARES {
            let engine = target.engine();
            let mut config = support::config(databases.folder(), &[]);
            config.database = support::options(target.clone());
            if share == "1" {
                support::prepare(&config);
            }
            let without = support::app(&config);
            let settings = [
                ("METRICS_ADDR", "127.0.0.1:0"),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
                ("OTEL_TRACES_SAMPLER", "traceidratio"),
                ("OTEL_TRACES_SAMPLER_ARG", share),
            ];
            let mut config = support::config(databases.folder(), &settings);
            config.database = support::options(target.clone());
            let with = support::app(&config);
            let (base, difference) = compare(&without, &with).await;
            let cost = (difference + usage) / base * 100.0;
            let is_limited = share == LIMITED_SHARE;
            is_within_limit &= !is_limited || cost <= LIMIT;
            let result = if cost <= LIMIT { "ok" } else { "EXCEEDED" };
            let result = if is_limited { result } else { "(no limit)" };
            println!(
                "{engine:10}  traced {share:>4}: {base:.1} µs per request, metrics and traces {difference:+.2} µs, \
                 with usage counters {cost:+.2} %  {result}"
            );
        }
    }
    println!("limit: {LIMIT} % of the CPU time of a request");
    if is_within_limit { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the CPU time of a request to the first server, and how much more the second one needs, in microseconds: medians of all pairs.
async fn compare(without: &App, with: &App) -> (f64, f64) {
    let tokens = [
        support::log_in(without, seed::DEMO_EMAIL, seed::DEMO_PASSWORD).await,
        support::log_in(with, seed::DEMO_EMAIL, seed::DEMO_PASSWORD).await,
    ];
    let (mut bases, mut differences) = (Vec::new(), Vec::new());
    for pair in 0..=PAIRS {
        let mut times = [0.0; 2];
        // The order alternates.
        for position in 0..2 {
            let side = (position + pair) % 2;
            times[side] = block([without, with][side], &tokens[side], pair).await;
        }
        // The first pair fills the caches.
        if pair > 0 {
            bases.push(times[0]);
            differences.push(times[1] - times[0]);
        }
    }
    (median(bases), median(differences))
}

/// Sends a mix of reads and writes; returns the CPU time per request in microseconds.
async fn block(app: &App, token: &str, pair: usize) -> f64 {
    let started = ProcessTime::now();
    for number in 0..BLOCK {
        let request = match number % 10 {
            0 => Request::builder()
                .method(Method::POST)
                .uri_str("/v2/bucketlists/1/items")
                .content_type("application/json")
                .header("authorization", token)
                .body(format!("{{\"name\": \"Item {pair} {number}\"}}")),
            1..=4 => Request::builder().uri_str("/v2/bucketlists/1").header("authorization", token).finish(),
            _ => {
                let path = format!("/v2/bucketlists/1/items?per_page={}", 1 + number % 20);
                Request::builder().uri_str(path).header("authorization", token).finish()
            }
        };
        let response = app.endpoint.call(request).await.unwrap();
        assert!(response.status().is_success(), "{}", response.status());
        drop(response.into_body().into_bytes().await.unwrap());
    }
    // The export is part of the cost.
    if let Some(tracer) = &app.tracer {
        tracer.flush().await;
    }
    started.elapsed().as_secs_f64() * 1e6 / BLOCK as f64
}

/// Returns the CPU time of counting a request, in microseconds.
fn usage_cost() -> f64 {
    const REQUESTS: i64 = 1_000_000;
    let recorder = UsageRecorder::default();
    let started = ThreadTime::now();
    for number in 0..REQUESTS {
        recorder.record(UsageEvent {
            received_at: Timestamp::from_seconds(1_800_000_000),
            version: ApiVersion::V2,
            operation: "listItems",
            consumer: Consumer::User(UserId::new(number % 1_000)),
            status: 200,
            is_rejected: false,
            inputs: bucketlist::domain::InputSet::default(),
            latency: Duration::from_micros(100),
            bytes_in: 100,
            bytes_out: 1_000,
        });
    }
    started.elapsed().as_secs_f64() * 1e6 / REQUESTS as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Starts a collector that accepts and discards spans; returns its endpoint.
fn start_collector() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || discard(stream));
        }
    });
    endpoint
}

/// Responds to requests on a connection until it is closed.
fn discard(mut stream: TcpStream) -> Option<()> {
    let (mut buffer, mut received) = (vec![0; 64 * 1024], Vec::new());
    loop {
        let end = loop {
            if let Some(end) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
            let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
            received.extend_from_slice(&buffer[..count]);
        };
        let head = String::from_utf8_lossy(&received[..end]).to_ascii_lowercase();
        let length: usize = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse().ok()?;
        let mut missing = (end + length).saturating_sub(received.len());
        while missing > 0 {
            missing -= stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        }
        received.clear();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").ok()?;
    }
}

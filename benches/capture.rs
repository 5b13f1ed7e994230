//! Cost of capture: throughput of a server on which every request fails, with and without capture.
//!
//! Two servers on one database take turns, so that other load on the machine affects both. Several pairs are measured, because
//! servers vary. Measurement starts after the initial burst of captures. `make bench` runs it; it fails if the cost with default
//! settings exceeds the limit.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark may panic")]
#![allow(clippy::print_stdout, reason = "benchmarks print their results")]

mod support;

use std::{
    process::ExitCode,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bucketlist::{app::App, capture::CaptureStats, config::Config, db::Target, seed};
use poem::{Endpoint, Request, endpoint::BoxEndpoint, http::Method};
use support::Databases;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Number of concurrent clients.
const CLIENTS: usize = 32;
const PAIRS: usize = 9;
/// Duration of the warm-up, and of each turn.
const WARM_UP: Duration = Duration::from_secs(2);
const TURN: Duration = Duration::from_secs(1);
const TURNS: usize = 3;
/// Maximum cost of capture, as a share of the throughput.
const MAX_COST: f64 = 0.05;

#[tokio::main]
async fn main() -> ExitCode {
    // `cargo test --benches` also runs this binary, without `--bench`.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let databases = Databases::new();
    let mut is_within_limit = true;
    println!("{:<10} {:>10} {:>10} {:>8}", "", "off /s", "on /s", "cost");
    for target in databases.targets() {
        support::prepare(&config(&databases, &target, &[]));
        let without = config(&databases, &target, &[("INCIDENTS", "off")]);
        let with = config(&databases, &target, &[]);
        let (mut off, mut on) = (Vec::new(), Vec::new());
        for pair in 0..PAIRS {
            // Alternate which server is first.
            if pair % 2 == 0 {
                compare(&without, &mut off, &with, &mut on).await;
            } else {
                compare(&with, &mut on, &without, &mut off).await;
            }
        }
        let (off, on) = (median(off), median(on));
        let cost = 1.0 - on / off;
        is_within_limit &= cost <= MAX_COST;
        let result = if cost <= MAX_COST { "ok" } else { "EXCEEDED" };
        println!("{:<10} {off:>10.0} {on:>10.0} {:>6.1} %  {result}", target.engine(), cost * 100.0);
    }
    println!("limit: {:.0} %", MAX_COST * 100.0);
    if is_within_limit { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn config(databases: &Databases, target: &Target, settings: &[(&str, &str)]) -> Config {
    let mut config = support::config(databases.folder(), settings);
    config.database = support::options(target.clone());
    config
}

/// Measures two servers in turns, and appends the throughput of each turn.
async fn compare(first: &Config, first_rates: &mut Vec<f64>, second: &Config, second_rates: &mut Vec<f64>) {
    let (first, second) = (Server::start(first).await, Server::start(second).await);
    first.throughput(WARM_UP).await;
    second.throughput(WARM_UP).await;
    for _ in 0..TURNS {
        first_rates.push(first.throughput(TURN).await);
        second_rates.push(second.throughput(TURN).await);
    }
    first.stop().await;
    second.stop().await;
}

struct Server {
    endpoint: Arc<BoxEndpoint<'static>>,
    token: String,
    shutdown: CancellationToken,
    writer: JoinHandle<()>,
    stats: Arc<CaptureStats>,
    captures: bool,
}

impl Server {
    async fn start(config: &Config) -> Self {
        let app = support::app(config);
        let token = support::log_in(&app, seed::DEMO_EMAIL, seed::DEMO_PASSWORD).await;
        let App { endpoint, incidents, .. } = app;
        let (stats, captures) = (incidents.stats().await, config.incidents.limits.filter != "off".parse().unwrap());
        let shutdown = CancellationToken::new();
        let writer = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { incidents.run(&shutdown).await }
        });
        Self { endpoint: Arc::new(endpoint), token, shutdown, writer, stats, captures }
    }

    /// Returns the number of failed requests per second.
    async fn throughput(&self, duration: Duration) -> f64 {
        let until = Instant::now() + duration;
        let clients: Vec<_> =
            (0..CLIENTS).map(|_| tokio::spawn(fail(Arc::clone(&self.endpoint), self.token.clone(), until))).collect();
        let mut count = 0;
        for client in clients {
            count += client.await.unwrap();
        }
        f64::from(count) / duration.as_secs_f64()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.writer.await.unwrap();
        // Check that the server was measured with the intended setting.
        assert_eq!(self.stats.stored.load(Ordering::Relaxed) > 0, self.captures);
    }
}

/// Sends failing requests until the deadline. Returns their number.
async fn fail(endpoint: Arc<BoxEndpoint<'static>>, token: String, until: Instant) -> u32 {
    let mut count = 0;
    while Instant::now() < until {
        let request = Request::builder()
            .method(Method::POST)
            .uri_str("/v2/bucketlists")
            .header("authorization", &token)
            .header("x-fault", "internal")
            .content_type("application/json")
            .body(r#"{"name": "Before I am forty", "description": "What cannot wait"}"#);
        let response = endpoint.call(request).await.unwrap();
        assert_eq!(response.status().as_u16(), 500);
        response.into_body().into_bytes().await.unwrap();
        count += 1;
        // Let other tasks run between two requests, as over a network.
        tokio::task::yield_now().await;
    }
    count
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

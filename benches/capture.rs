//! What keeping failures takes from a server that does nothing but fail: its throughput with it, against that without it.
//!
//! Two servers over one database are asked in turns, so that a machine that is busy with something else is unfair to neither,
//! and there are several such pairs, since one server is not as quick as the next one like it. What counts is how they fare
//! after the first failures of a storm, which are kept at once. `make bench` runs it, and it fails when the default settings
//! take more than is allowed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark stops at the first error")]
#![allow(clippy::print_stdout, reason = "a benchmark prints to the terminal")]

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

/// How many clients fail at once, each again as soon as it has its answer.
const CLIENTS: usize = 32;
const PAIRS: usize = 9;
/// How long a server is asked at first, without counting, and then in each turn.
const BEFORE: Duration = Duration::from_secs(2);
const TURN: Duration = Duration::from_secs(1);
const TURNS: usize = 3;
/// What keeping failures may take.
const ALLOWED: f64 = 0.05;

#[tokio::main]
async fn main() -> ExitCode {
    // `cargo test --benches` also runs this binary, without `--bench`.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let databases = Databases::new();
    let mut is_within_limit = true;
    println!("{:<10} {:>10} {:>10} {:>8}", "", "off /s", "on /s", "takes");
    for target in databases.targets() {
        support::prepare(&config(&databases, &target, &[]));
        let without = config(&databases, &target, &[("INCIDENTS", "off")]);
        let with = config(&databases, &target, &[]);
        let (mut off, mut on) = (Vec::new(), Vec::new());
        for pair in 0..PAIRS {
            // Neither is always the first.
            if pair % 2 == 0 {
                compare(&without, &mut off, &with, &mut on).await;
            } else {
                compare(&with, &mut on, &without, &mut off).await;
            }
        }
        let (off, on) = (median(off), median(on));
        let takes = 1.0 - on / off;
        is_within_limit &= takes <= ALLOWED;
        let verdict = if takes <= ALLOWED { "met" } else { "MISSED" };
        println!("{:<10} {off:>10.0} {on:>10.0} {:>6.1} %  {verdict}", target.engine(), takes * 100.0);
    }
    println!("allowed: {:.0} %", ALLOWED * 100.0);
    if is_within_limit { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn config(databases: &Databases, target: &Target, settings: &[(&str, &str)]) -> Config {
    let mut config = support::config(databases.folder(), settings);
    config.database = support::options(target.clone());
    config
}

/// Asks a server of each kind in turns.
async fn compare(this: &Config, this_many: &mut Vec<f64>, that: &Config, that_many: &mut Vec<f64>) {
    let (this, that) = (Server::start(this).await, Server::start(that).await);
    this.failures(BEFORE).await;
    that.failures(BEFORE).await;
    for _ in 0..TURNS {
        this_many.push(this.failures(TURN).await);
        that_many.push(that.failures(TURN).await);
    }
    this.stop().await;
    that.stop().await;
}

struct Server {
    endpoint: Arc<BoxEndpoint<'static>>,
    token: String,
    shutdown: CancellationToken,
    writing: JoinHandle<()>,
    counts: Arc<CaptureStats>,
    keeps: bool,
}

impl Server {
    async fn start(config: &Config) -> Self {
        let app = support::app(config);
        let token = support::log_in(&app, seed::DEMO_EMAIL, seed::DEMO_PASSWORD).await;
        let App { endpoint, incidents, .. } = app;
        let (counts, keeps) = (incidents.stats().await, config.incidents.limits.filter != "off".parse().unwrap());
        let shutdown = CancellationToken::new();
        let writing = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { incidents.run(&shutdown).await }
        });
        Self { endpoint: Arc::new(endpoint), token, shutdown, writing, counts, keeps }
    }

    /// How many requests a second it fails to do.
    async fn failures(&self, span: Duration) -> f64 {
        let until = Instant::now() + span;
        let clients: Vec<_> =
            (0..CLIENTS).map(|_| tokio::spawn(fail(Arc::clone(&self.endpoint), self.token.clone(), until))).collect();
        let mut count = 0;
        for client in clients {
            count += client.await.unwrap();
        }
        f64::from(count) / span.as_secs_f64()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.writing.await.unwrap();
        // What is compared is what it is said to be.
        assert_eq!(self.counts.stored.load(Ordering::Relaxed) > 0, self.keeps);
    }
}

/// Asks again and again until the time is over; tells how often.
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
        // As over a network: others have their turn between two requests.
        tokio::task::yield_now().await;
    }
    count
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

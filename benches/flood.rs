//! Measures how much a flood of logins slows down reads: compares their 99th percentile with and without the flood.
//!
//! Run with `make bench` on an otherwise idle machine: other load distorts the result.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark stops at the first error"
)]

mod support;

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bucketlist::{app::App, seed};
use poem::{Endpoint, Request, http::Method};
use serde_json::json;
use support::Databases;

/// Duration of each measurement.
const DURATION: Duration = Duration::from_secs(10);
/// Number of clients that log in concurrently, without a pause.
const LOGIN_CLIENTS: usize = 64;
/// Number of clients that read concurrently, with a pause of two milliseconds.
const READERS: usize = 4;
/// The largest allowed ratio of the 99th percentiles.
const MAX_RATIO: f64 = 2.0;

/// Sends reads and returns their times in microseconds, sorted.
async fn measure_reads(app: &Arc<App>, token: &str) -> Vec<u128> {
    let until = Instant::now() + DURATION;
    let readers = (0..READERS).map(|_| {
        let (app, token) = (Arc::clone(app), token.to_owned());
        tokio::spawn(async move {
            let mut took = Vec::new();
            while Instant::now() < until {
                let request = Request::builder().uri_str("/v2/bucketlists").header("authorization", &token).finish();
                let started = Instant::now();
                let response = app.endpoint.call(request).await.unwrap();
                assert!(response.status().is_success());
                response.into_body().into_bytes().await.unwrap();
                took.push(started.elapsed().as_micros());
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            took
        })
    });
    let mut all = Vec::new();
    for reader in readers.collect::<Vec<_>>() {
        all.extend(reader.await.unwrap());
    }
    all.sort_unstable();
    all
}

async fn log_in_repeatedly(app: Arc<App>, number: usize, stop: Arc<AtomicBool>, done: Arc<AtomicUsize>) {
    while !stop.load(Ordering::Relaxed) {
        let body = json!({"email": format!("nobody-{number}@example.com"), "password": "not-the-password"});
        let request =
            Request::builder().method(Method::POST).uri_str("/v2/auth/login").content_type("application/json");
        let response = app.endpoint.call(request.body(body.to_string())).await.unwrap();
        // 503 when no thread for password hashing becomes free.
        assert!([401, 503].contains(&response.status().as_u16()));
        done.fetch_add(1, Ordering::Relaxed);
    }
}

fn percentile(sorted: &[u128], share: f64) -> u128 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an index")]
    let index = (sorted.len() as f64 * share) as usize;
    sorted[index.min(sorted.len() - 1)]
}

fn main() -> ExitCode {
    // `cargo test --benches` also runs this binary, without `--bench`.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let databases = Databases::new();
    // Without response cache and rate limits, which would absorb part of the load.
    let mut config = support::config(databases.folder(), &[("RESPONSE_CACHE_BYTES", "0")]);
    let mut is_within_limit = true;
    println!(
        "{:<12} {:>10} {:>10} {:>10} {:>10} {:>7} {:>9}",
        "", "p50", "p99", "p50 flood", "p99 flood", "times", "logins/s"
    );
    for target in databases.targets() {
        let engine = target.engine();
        config.database = support::options(target);
        support::prepare(&config);
        let app = Arc::new(support::app(&config));
        runtime.block_on(async {
            let token = support::log_in(&app, seed::DEMO_EMAIL, seed::DEMO_PASSWORD).await;
            let alone = measure_reads(&app, &token).await;
            let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
            let login_clients: Vec<_> = (0..LOGIN_CLIENTS)
                .map(|number| {
                    tokio::spawn(log_in_repeatedly(Arc::clone(&app), number, Arc::clone(&stop), Arc::clone(&done)))
                })
                .collect();
            let flooded = measure_reads(&app, &token).await;
            let logins = done.load(Ordering::Relaxed) as u64 / DURATION.as_secs();
            stop.store(true, Ordering::Relaxed);
            for client in login_clients {
                client.await.unwrap();
            }
            let (before, during) = (percentile(&alone, 0.99), percentile(&flooded, 0.99));
            #[allow(clippy::cast_precision_loss, reason = "microseconds")]
            let times = during as f64 / before.max(1) as f64;
            is_within_limit &= times <= MAX_RATIO;
            let (half, half_flooded) = (percentile(&alone, 0.5), percentile(&flooded, 0.5));
            println!(
                "{engine:<12} {half:>8}us {before:>8}us {half_flooded:>8}us {during:>8}us {times:>7.2} {logins:>9}"
            );
        });
    }
    println!("{}", if is_within_limit { "ok: at most twice as long" } else { "EXCEEDED: more than twice as long" });
    if is_within_limit { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

//! Tests whether response times reveal which accounts exist: logins and password reset requests for existing and unknown
//! accounts, with the configured cost of password hashing.
//!
//! Requests for the two kinds of accounts alternate, so that other load on the machine affects both. Welch's t shows whether
//! the two distributions differ, and the difference of the medians whether an attacker could measure it. `make
//! timing` runs this benchmark, which fails when both exceed their limits.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark stops at the first error")]
#![allow(clippy::print_stdout, reason = "a benchmark prints to the terminal")]

mod support;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use bucketlist::{app::App, db::Target, seed};
use poem::{Endpoint, Request, http::Method};
use serde_json::{Value, json};
use support::Databases;
use tokio_util::sync::CancellationToken;

/// Above this value of Welch's t, two samples have different distributions (p < 0.00001).
const MAX_T: f64 = 4.5;
/// A smaller difference of the medians, as a share of the median, cannot be measured over a network.
const MAX_GAP: f64 = 0.02;
const LOGINS: usize = 120;
const RESETS: usize = 400;

#[tokio::main]
async fn main() -> ExitCode {
    // `cargo test --benches` also runs this binary, without `--bench`.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let databases = Databases::new();
    let mut is_passed = true;
    for target in databases.targets() {
        is_passed &= measure(&databases, target).await;
    }
    if is_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn measure(databases: &Databases, target: Target) -> bool {
    let engine = target.engine();
    let mut config = support::config(databases.folder(), &[]);
    config.database = support::options(target);
    support::prepare(&config);
    let app = support::app(&config);
    // Check that the account exists.
    support::log_in(&app, seed::DEMO_EMAIL, seed::DEMO_PASSWORD).await;
    let App { endpoint, worker, .. } = app;
    // As in a server, the worker writes mail while requests are handled.
    let shutdown = CancellationToken::new();
    let worker = tokio::spawn(worker.run(shutdown.clone()));
    let send = async |path: &str, body: Value| {
        let builder = Request::builder().method(Method::POST).uri_str(path).content_type("application/json");
        let request = builder.body(body.to_string());
        let started = Instant::now();
        let response = endpoint.call(request).await.unwrap();
        let status = response.status().as_u16();
        drop(response.into_body().into_bytes().await.unwrap());
        (started.elapsed(), status)
    };
    let login = async |email: &str| {
        let (elapsed, status) = send("/v2/auth/login", json!({"email": email, "password": "harbour-lantern-43"})).await;
        assert_eq!(status, 401);
        elapsed
    };
    let reset = async |email: &str| {
        let (elapsed, status) = send("/v2/auth/password-reset", json!({"email": email})).await;
        assert_eq!(status, 202);
        // Let the worker finish, so that its work does not slow down the next response.
        tokio::time::sleep(Duration::from_millis(5)).await;
        elapsed
    };
    let (known, unknown) = (seed::DEMO_EMAIL, "nobody@example.com");
    let mut logins = (Vec::new(), Vec::new());
    let mut resets = (Vec::new(), Vec::new());
    for round in 0..LOGINS {
        if round % 2 == 0 {
            logins.0.push(login(known).await);
            logins.1.push(login(unknown).await);
        } else {
            logins.1.push(login(unknown).await);
            logins.0.push(login(known).await);
        }
    }
    for round in 0..RESETS {
        if round % 2 == 0 {
            resets.0.push(reset(known).await);
            resets.1.push(reset(unknown).await);
        } else {
            resets.1.push(reset(unknown).await);
            resets.0.push(reset(known).await);
        }
    }
    shutdown.cancel();
    worker.await.unwrap();
    let is_login_indistinguishable = report(engine, "failed login", logins);
    let is_reset_indistinguishable = report(engine, "password reset", resets);
    is_login_indistinguishable && is_reset_indistinguishable
}

/// Prints the difference between two samples. Returns whether they are indistinguishable.
fn report(engine: &str, request: &str, (known, unknown): (Vec<Duration>, Vec<Duration>)) -> bool {
    let (known, unknown) = (trimmed(known), trimmed(unknown));
    let (median_known, median_unknown) = (known[known.len() / 2], unknown[unknown.len() / 2]);
    let t = welch(&known, &unknown);
    let gap = (median_known - median_unknown) / median_unknown;
    let is_indistinguishable = t.abs() < MAX_T || gap.abs() < MAX_GAP;
    println!(
        "{engine:10}  {request:16}  known {:.3} ms  unknown {:.3} ms  gap {:+.2} %  t {t:+.2}  {}",
        median_known * 1e3,
        median_unknown * 1e3,
        gap * 100.0,
        if is_indistinguishable { "ok" } else { "DISTINGUISHABLE" }
    );
    is_indistinguishable
}

/// Returns the times in seconds, sorted, without the slowest tenth, which other load on the machine has delayed.
fn trimmed(times: Vec<Duration>) -> Vec<f64> {
    let mut seconds: Vec<f64> = times.into_iter().map(|time| time.as_secs_f64()).collect();
    seconds.sort_by(f64::total_cmp);
    seconds.truncate(seconds.len() * 9 / 10);
    seconds
}

/// Returns Welch's t of two samples.
fn welch(first: &[f64], second: &[f64]) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a few hundred")]
    let moments = |sample: &[f64]| {
        let size = sample.len() as f64;
        let mean = sample.iter().sum::<f64>() / size;
        let variance = sample.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (size - 1.0);
        (mean, variance / size)
    };
    let ((first, first_error), (second, second_error)) = (moments(first), moments(second));
    (first - second) / (first_error + second_error).sqrt()
}

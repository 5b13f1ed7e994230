//! Whether the time of an answer tells who has an account: logins and requests for a password reset, for accounts that are
//! there and for those that are not, at the configured cost of a hash.
//!
//! Both are asked in turns, in changing order, so that a machine that is busy with something else is unfair to neither. An
//! attacker has to tell two distributions apart: that is what Welch's t says, and how far the medians are apart says what
//! there would be to find. `make timing` runs it and fails when both say that there is a difference.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench may stop at the first surprise")]
#![allow(clippy::print_stdout, reason = "a bench is read in a terminal")]

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

/// Beyond this, two samples are not of one distribution (p < 0.00001).
const T: f64 = 4.5;
/// Within this share of the median, there is nothing to find over a network.
const GAP: f64 = 0.02;
const LOGINS: usize = 120;
const RESETS: usize = 400;

#[tokio::main]
async fn main() -> ExitCode {
    // `cargo test --benches` builds and starts benches, too, and does not want to wait for them.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let databases = Databases::new();
    let mut all_alike = true;
    for target in databases.targets() {
        all_alike &= measure(&databases, target).await;
    }
    if all_alike { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn measure(databases: &Databases, target: Target) -> bool {
    let engine = target.engine();
    let mut config = support::config(databases.folder(), &[]);
    config.database = support::options(target);
    support::prepare(&config);
    let app = support::app(&config);
    // The account is there.
    support::log_in(&app, seed::DEMO_EMAIL, seed::DEMO_PASSWORD).await;
    let App { endpoint, worker, .. } = app;
    // As in a server: mail is written while others are answered.
    let shutdown = CancellationToken::new();
    let working = tokio::spawn(worker.run(shutdown.clone()));
    let ask = async |path: &str, body: Value| {
        let builder = Request::builder().method(Method::POST).uri_str(path).content_type("application/json");
        let request = builder.body(body.to_string());
        let started = Instant::now();
        let response = endpoint.call(request).await.unwrap();
        let status = response.status().as_u16();
        drop(response.into_body().into_bytes().await.unwrap());
        (started.elapsed(), status)
    };
    let login = async |email: &str| {
        let (took, status) = ask("/v2/auth/login", json!({"email": email, "password": "harbour-lantern-43"})).await;
        assert_eq!(status, 401);
        took
    };
    let reset = async |email: &str| {
        let (took, status) = ask("/v2/auth/password-reset", json!({"email": email})).await;
        assert_eq!(status, 202);
        // The worker finishes: what it does for an account must not be the next answer's time.
        tokio::time::sleep(Duration::from_millis(5)).await;
        took
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
    working.await.unwrap();
    let logins_alike = told(engine, "a refused login", logins);
    let resets_alike = told(engine, "a password reset", resets);
    logins_alike && resets_alike
}

/// Says how far apart two samples are; false where an attacker could tell.
fn told(engine: &str, what: &str, (known, unknown): (Vec<Duration>, Vec<Duration>)) -> bool {
    let (known, unknown) = (trimmed(known), trimmed(unknown));
    let (median_known, median_unknown) = (known[known.len() / 2], unknown[unknown.len() / 2]);
    let t = welch(&known, &unknown);
    let gap = (median_known - median_unknown) / median_unknown;
    let is_alike = t.abs() < T || gap.abs() < GAP;
    println!(
        "{engine:10}  {what:16}  known {:.3} ms  unknown {:.3} ms  gap {:+.2} %  t {t:+.2}  {}",
        median_known * 1e3,
        median_unknown * 1e3,
        gap * 100.0,
        if is_alike { "alike" } else { "DIFFERENT" }
    );
    is_alike
}

/// In seconds, in order, without the slowest tenth: those were kept waiting by something else.
fn trimmed(times: Vec<Duration>) -> Vec<f64> {
    let mut seconds: Vec<f64> = times.into_iter().map(|time| time.as_secs_f64()).collect();
    seconds.sort_by(f64::total_cmp);
    seconds.truncate(seconds.len() * 9 / 10);
    seconds
}

/// Welch's t of two samples.
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

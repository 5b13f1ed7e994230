//! What a flood of logins takes from reads: their 99th percentile with it, against that without it.
//!
//! `make bench` runs it. It means something on a machine that does nothing else: what others take is measured, too.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench may stop at the first surprise"
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

/// How long each side is measured.
const SPAN: Duration = Duration::from_secs(10);
/// How many clients log in at once, each again as soon as it has its answer.
const GUESSERS: usize = 64;
/// How many clients read, each two milliseconds after its last answer.
const READERS: usize = 4;
/// What is allowed: so many times as long.
const ALLOWED: f64 = 2.0;

/// How long reads take, in microseconds: every one of them, the shortest first.
async fn reads(app: &Arc<App>, token: &str) -> Vec<u128> {
    let until = Instant::now() + SPAN;
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

async fn guess(app: Arc<App>, number: usize, stop: Arc<AtomicBool>, done: Arc<AtomicUsize>) {
    while !stop.load(Ordering::Relaxed) {
        let body = json!({"email": format!("nobody-{number}@example.com"), "password": "not-the-password"});
        let request =
            Request::builder().method(Method::POST).uri_str("/v2/auth/login").content_type("application/json");
        let response = app.endpoint.call(request.body(body.to_string())).await.unwrap();
        // Wrong, or no turn came.
        assert!([401, 503].contains(&response.status().as_u16()));
        done.fetch_add(1, Ordering::Relaxed);
    }
}

fn percentile(sorted: &[u128], share: f64) -> u128 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place")]
    let place = (sorted.len() as f64 * share) as usize;
    sorted[place.min(sorted.len() - 1)]
}

fn main() -> ExitCode {
    // `cargo test --benches` builds and starts benches, too, and does not want to wait for them.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let databases = Databases::new();
    // Neither the memory of answers nor the limits are to help.
    let mut config = support::config(databases.folder(), &[("RESPONSE_CACHE_BYTES", "0")]);
    let mut is_met = true;
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
            let alone = reads(&app, &token).await;
            let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
            let guessers: Vec<_> = (0..GUESSERS)
                .map(|number| tokio::spawn(guess(Arc::clone(&app), number, Arc::clone(&stop), Arc::clone(&done))))
                .collect();
            let flooded = reads(&app, &token).await;
            let logins = done.load(Ordering::Relaxed) as u64 / SPAN.as_secs();
            stop.store(true, Ordering::Relaxed);
            for guesser in guessers {
                guesser.await.unwrap();
            }
            let (before, during) = (percentile(&alone, 0.99), percentile(&flooded, 0.99));
            #[allow(clippy::cast_precision_loss, reason = "microseconds")]
            let times = during as f64 / before.max(1) as f64;
            is_met &= times <= ALLOWED;
            let (half, half_flooded) = (percentile(&alone, 0.5), percentile(&flooded, 0.5));
            println!(
                "{engine:<12} {half:>8}us {before:>8}us {half_flooded:>8}us {during:>8}us {times:>7.2} {logins:>9}"
            );
        });
    }
    println!("{}", if is_met { "met: at most twice as long" } else { "MISSED: more than twice as long" });
    if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

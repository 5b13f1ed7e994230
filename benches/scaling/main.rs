//! Checks the arithmetic of docs/scaling.md with a queueing model: requests arrive at random, wait for a core of a server, for a
//! connection, and for a core of the database. The service times are those of docs/performance.md.
//!
//! `cargo bench --bench scaling` prints two tables: the fit of the model to the measured latencies, and each step of the document as
//! computed and as simulated. Fails if they differ by more than the tolerance. The seed is fixed, so every run prints the same.

#![allow(clippy::print_stdout, reason = "benchmarks print their results")]

mod deployment;
mod measured;
mod simulation;

use std::process::ExitCode;

use deployment::{Deployment, STEPS};
use measured::{MEASURED, Measurement};
use simulation::{Load, Outcome};

/// Maximum difference between a computed and a simulated utilization, in percentage points.
const TOLERANCE: f64 = 0.03;
/// Range of the simulated connections in relation to the computed ones, which do not include waiting for a core of the database.
const CONNECTIONS: std::ops::Range<f64> = 0.95..1.25;
/// Maximum difference between a measured and a modeled 99th percentile, as a ratio.
const FIT: f64 = 0.15;

fn main() -> ExitCode {
    // `cargo test --benches` also runs this binary, without `--bench`.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let variations: Vec<f64> = MEASURED.iter().map(Measurement::variation).collect();
    let is_fitted = print_fit(&variations);
    let is_confirmed = print_steps(&variations);
    if is_fitted && is_confirmed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Compares the fitted model with the measured latencies.
fn print_fit(variations: &[f64]) -> bool {
    println!("Fit: 32 clients, 2 cores for the server and the database, one request per client at a time\n");
    println!(
        "{:<20}{:>12}{:>11}{:>14}{:>14}{:>10}",
        "operation", "CPU time", "variation", "p99 measured", "p99 modeled", ""
    );
    let mut is_fitted = true;
    for (measurement, &variation) in MEASURED.iter().zip(variations) {
        let modeled = measurement.p99(variation);
        let is_near = (modeled / measurement.p99_ms - 1.0).abs() <= FIT;
        is_fitted &= is_near;
        println!(
            "{:<20}{:>9} µs{variation:>11.2}{:>11.1} ms{modeled:>11.1} ms{:>10}",
            measurement.operation,
            measurement.total_us,
            measurement.p99_ms,
            if is_near { "ok" } else { "DIFFERS" }
        );
    }
    is_fitted
}

/// Simulates each step of the document.
fn print_steps(variations: &[f64]) -> bool {
    println!("\nSteps: computed / simulated\n");
    println!(
        "{:<34}{:>10}{:>14}{:>14}{:>14}{:>22}{:>12}{:>12}{:>9}",
        "deployment", "requests/s", "servers", "primaries", "standbys", "connections", "p50", "p99", ""
    );
    let mut is_confirmed = true;
    for step in STEPS {
        let outcome = simulation::run(step, Load::Open { per_second: step.per_second }, variations, step.seed());
        is_confirmed &= print_step(step, &outcome);
    }
    is_confirmed
}

fn print_step(step: &Deployment, outcome: &Outcome) -> bool {
    let computed = step.arithmetic();
    let pairs = [
        (computed.servers, outcome.servers),
        (computed.primaries, outcome.primaries),
        (computed.standbys, outcome.standbys),
    ];
    let is_confirmed = pairs.iter().all(|(computed, simulated)| (computed - simulated).abs() <= TOLERANCE)
        && (!step.has_database() || CONNECTIONS.contains(&(outcome.connections / computed.connections)));
    let percent = |(computed, simulated): (f64, f64)| match computed > 0.0 {
        true => format!("{:.0} / {:.0} %", computed * 100.0, simulated * 100.0),
        false => "–".to_owned(),
    };
    let connections = match step.has_database() {
        true => format!("{:.1} / {:.1} of {}", computed.connections, outcome.connections, step.connections()),
        false => "–".to_owned(),
    };
    println!(
        "{:<34}{:>10}{:>14}{:>14}{:>14}{connections:>22}{:>9.2} ms{:>9.1} ms{:>9}",
        step.name,
        step.per_second,
        percent(pairs[0]),
        percent(pairs[1]),
        percent(pairs[2]),
        outcome.p50_ms,
        outcome.p99_ms,
        if is_confirmed { "ok" } else { "DIFFERS" }
    );
    is_confirmed
}

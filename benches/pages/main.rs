//! Measures the performance claims of the documentation with more than a million items on each engine.
//!
//! Requests go through the complete app in process, so the times exclude the network. Requests to be compared alternate, so
//! that other load on the machine affects both; the medians are compared. Run with `make bench`; `--format json` after `--`
//! prints JSON.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark stops at the first error")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints to the terminal")]

mod claims;
mod data;
mod report;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use bucketlist::config::Config;
use claims::Server;
use report::Report;
use support::Databases;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` also runs this binary, without `--bench`.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let is_json = arguments.windows(2).any(|pair| pair == ["--format", "json"]);
    let report = tokio::runtime::Runtime::new().unwrap().block_on(measure());
    println!("{}", if is_json { report.json() } else { report.table() });
    if report.is_within_limit() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn measure() -> Report {
    let databases = Databases::new();
    let mut report = Report::default();
    for target in databases.targets() {
        let engine = target.engine();
        let settings = |cache_bytes| {
            let mut config = support::config(databases.folder(), &[("RESPONSE_CACHE_BYTES", cache_bytes)]);
            config.database = support::options(target.clone());
            config
        };
        let (plain, caching) = (settings("0"), settings("67108864"));
        let exclusive = Config { is_exclusive: true, ..caching.clone() };
        let elapsed = data::fill(&plain);
        eprintln!("{engine}: {} items in {:.1} s", data::ITEMS, elapsed.as_secs_f64());
        let server = Server::new([&plain, &caching, &exclusive].map(support::app)).await;
        let mut engine = report.engine(engine);
        claims::deep_pages(&server, &mut engine).await;
        claims::search(&server, &mut engine).await;
        claims::nested_items(&server, &mut engine).await;
        claims::not_modified(&server, &mut engine).await;
        claims::cache(&server, &mut engine).await;
        claims::versions(&server, &mut engine).await;
        claims::writes(&server, &mut engine).await;
    }
    report
}

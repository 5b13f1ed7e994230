//! What the documentation claims of speed, measured over more than a million items on each engine.
//!
//! Calls go through the whole app in process: what they cost is the server's part, without a network. Whatever is compared
//! is asked in turns, so that a machine that is busy with something else is unfair to nobody; of each the median counts.
//! `make bench` runs it; arguments after `--`: `--format json`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench may stop at the first surprise")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a bench is read in a terminal")]

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
    // `cargo test --benches` builds and starts benches, too, and does not want to wait for them.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let is_json = arguments.windows(2).any(|pair| pair == ["--format", "json"]);
    let report = tokio::runtime::Runtime::new().unwrap().block_on(measure());
    println!("{}", if is_json { report.json() } else { report.table() });
    if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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
        let alone = Config { is_exclusive: true, ..caching.clone() };
        let took = data::fill(&plain);
        eprintln!("{engine}: {} items in {:.1} s", data::ITEMS, took.as_secs_f64());
        let server = Server::over([&plain, &caching, &alone].map(support::app)).await;
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

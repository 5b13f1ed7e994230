//! Cost of counting a request: the time that a request spends in the recorder, alone and while other threads count and the writer
//! collects. `make bench` runs it; it fails if the cost exceeds the limit.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark may panic")]
#![allow(clippy::print_stdout, reason = "benchmarks print their results")]

use std::{
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use bucketlist::{
    domain::{ApiVersion, Consumer, InputSet, Timestamp, UserId},
    usage::{UsageEvent, UsageRecorder},
};

const REQUESTS: u32 = 2_000_000;
const ROUNDS: usize = 5;
/// Maximum time per request.
const LIMIT: Duration = Duration::from_micros(1);
const OPERATIONS: [&str; 4] = ["listItems", "createItem", "getBucketlist", "search"];

fn main() -> ExitCode {
    // `cargo test --benches` also runs this binary, without `--bench`.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let mut is_within_limit = true;
    for (name, threads) in [("one thread", 1), ("all threads", thread::available_parallelism().map_or(2, usize::from))]
    {
        for (kind, is_anonymous) in [("accounts", false), ("user agents", true)] {
            let mut rounds: Vec<Duration> = (0..ROUNDS).map(|_| measure(threads, is_anonymous)).collect();
            rounds.sort();
            let median = rounds[ROUNDS / 2];
            is_within_limit &= median < LIMIT;
            let result = if median < LIMIT { "ok" } else { "EXCEEDED" };
            println!("{name:<12} {kind:<12} {median:>10.0?} per request  {result}");
        }
    }
    println!("limit: {LIMIT:?}");
    if is_within_limit { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the time per request while `threads` count requests of 1,000 accounts or 100 user agents.
fn measure(threads: usize, is_anonymous: bool) -> Duration {
    let (recorder, is_done) = (UsageRecorder::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        // As the writer does, but more often.
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(100));
                drop(recorder.take());
            }
        });
        let counting: Vec<_> = (0..threads).map(|_| scope.spawn(|| count_requests(&recorder, is_anonymous))).collect();
        let times: Vec<Duration> = counting.into_iter().map(|thread| thread.join().unwrap()).collect();
        is_done.store(true, Ordering::Relaxed);
        times.into_iter().max().unwrap() / REQUESTS
    })
}

fn count_requests(recorder: &UsageRecorder, is_anonymous: bool) -> Duration {
    let agents: Vec<String> = (0..100).map(|number| format!("client/{number}.0 (linux)")).collect();
    let received_at = Timestamp::from_seconds(1_800_000_000);
    let listing = contract::v2::contract().operations().find(|operation| operation.id == "listItems").unwrap();
    let started = Instant::now();
    for number in 0..REQUESTS {
        let consumer = if is_anonymous {
            recorder.anonymous(Some(&agents[number as usize % agents.len()]), received_at)
        } else {
            Consumer::User(UserId::new(i64::from(number % 1_000)))
        };
        recorder.record(UsageEvent {
            received_at,
            version: ApiVersion::V2,
            operation: OPERATIONS[number as usize % OPERATIONS.len()],
            consumer,
            status: 200,
            is_rejected: false,
            inputs: InputSet {
                declared: listing.inputs(),
                bits: listing.query_inputs("per_page=50&sort=-created_at&done=false"),
            },
            latency: Duration::from_micros(u64::from(number % 5_000)),
            bytes_in: 100,
            bytes_out: 1_000,
        });
    }
    started.elapsed()
}

//! Registers the metrics of the parts of the application.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    auth::TokenStatusCache,
    build_info,
    capture::CaptureStats,
    db::Db,
    domain::RateLimit,
    http::{ResponseCache, ResponseValidator},
    metrics::{DatabaseMetrics, Kind, Metrics, RequestMetrics, Sample},
    traces::ExportStats,
};

/// Creates the metrics with the names of this server.
pub(super) fn new() -> Metrics {
    Metrics::new(build_info::VERSION, build_info::COMMIT)
}

/// Registers the metrics of requests.
pub(super) fn register_requests(metrics: &mut Metrics) -> RequestMetrics {
    metrics.requests(RateLimit::ALL.map(RateLimit::as_str))
}

pub(super) fn register_database(metrics: &mut Metrics, db: &Db, database: DatabaseMetrics) {
    let max = db.connections();
    let in_use = database.clone();
    metrics.sample(
        "db_pool_connections",
        "Connections of the pool, by whether they run a unit of work; an idle one is opened when it is needed",
        Kind::Gauge,
        vec![
            Sample::new([("state", "in_use")], move || in_use.connections_in_use()),
            Sample::new([("state", "idle")], move || max.saturating_sub(database.connections_in_use())),
        ],
    );
    metrics.sample_one("db_pool_connections_max", "Maximum number of connections", Kind::Gauge, move || max);
    let statements = db.clone();
    metrics
        .sample_one("db_statements", "Statements sent to the database", Kind::Counter, move || statements.statements());
    if db.sqlite_file_sizes().is_none() {
        return;
    }
    let (database, wal) = (db.clone(), db.clone());
    metrics.sample(
        "sqlite_file_size_bytes",
        "Size of the database file and of its write-ahead log",
        Kind::Gauge,
        vec![
            Sample::new([("file", "database")], move || database.sqlite_file_sizes().unwrap_or_default().database),
            Sample::new([("file", "wal")], move || wal.sqlite_file_sizes().unwrap_or_default().wal),
        ],
    );
}

pub(super) fn register_token_cache(metrics: &mut Metrics, cache: &TokenStatusCache) {
    if !cache.is_enabled() {
        return;
    }
    let (hits, misses) = (cache.clone(), cache.clone());
    metrics.sample(
        "token_cache_requests",
        "Requests with an access token, by whether its status was cached",
        Kind::Counter,
        vec![
            Sample::new([("result", "hit")], move || hits.hits()),
            Sample::new([("result", "miss")], move || misses.misses()),
        ],
    );
}

pub(super) fn register_traces(metrics: &mut Metrics, stats: &Arc<ExportStats>) {
    let sample = |result, read: fn(&ExportStats) -> u64| {
        let stats = Arc::clone(stats);
        Sample::new([("result", result)], move || read(&stats))
    };
    metrics.sample(
        "trace_spans",
        "Spans by whether the collector has accepted them",
        Kind::Counter,
        vec![
            sample("exported", ExportStats::exported),
            sample("failed", ExportStats::failed),
            sample("dropped", ExportStats::dropped),
        ],
    );
}

pub(super) fn register_cache(metrics: &mut Metrics, cache: &ResponseCache) {
    let (hits, misses, size) = (cache.clone(), cache.clone(), cache.clone());
    metrics.sample(
        "response_cache_requests",
        "Requests that the response cache could answer, by result",
        Kind::Counter,
        vec![
            Sample::new([("result", "hit")], move || hits.counts().hits),
            Sample::new([("result", "miss")], move || misses.counts().misses),
        ],
    );
    metrics.sample_one("response_cache_size_bytes", "Size of the cached responses", Kind::Gauge, move || {
        size.size_bytes()
    });
}

pub(super) fn register_capture(metrics: &mut Metrics, stats: &Arc<CaptureStats>) {
    let sample = |result, read: fn(&CaptureStats) -> &AtomicU64| {
        let stats = Arc::clone(stats);
        Sample::new([("result", result)], move || read(&stats).load(Ordering::Relaxed))
    };
    metrics.sample(
        "incidents",
        "Failed requests by what became of their record",
        Kind::Counter,
        vec![
            sample("stored", |stats| &stats.stored),
            sample("dropped", |stats| &stats.dropped),
            sample("lost", |stats| &stats.lost),
        ],
    );
}

pub(super) fn register_validation(metrics: &mut Metrics, validator: &ResponseValidator) {
    let (valid, invalid, skipped) = (validator.clone(), validator.clone(), validator.clone());
    metrics.sample(
        "response_validations",
        "Responses compared with the OpenAPI document, by result",
        Kind::Counter,
        vec![
            Sample::new([("result", "valid")], move || {
                let counts = valid.counts();
                counts.validated.saturating_sub(counts.invalid)
            }),
            Sample::new([("result", "invalid")], move || invalid.counts().invalid),
            Sample::new([("result", "skipped")], move || skipped.counts().skipped),
        ],
    );
}

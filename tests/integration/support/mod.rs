//! Test support: apps, actors, requests and responses.

mod actor;
mod app;
#[path = "../../support/collector.rs"]
#[allow(dead_code, reason = "shared with the tests of the command line")]
mod collector;
mod database;
mod documents;
#[path = "../../support/engine.rs"]
#[macro_use]
mod engine;
mod log;
mod mailer;
#[path = "../../support/proxy.rs"]
mod proxy;
#[path = "../../support/redis.rs"]
mod redis;
#[path = "../../support/replication.rs"]
#[allow(dead_code, reason = "shared with the tests of the command line")]
mod replication;
mod response;

pub use actor::{Actor, RequestBuilder};
pub use app::{JWT_SECRET, START_MICROS, TestApp};
pub use collector::{Collector, Span, SpanKind, StatusCode, span_attributes};
pub use database::Database;
pub use documents::{documented, method, request_schema, resolve};
pub use engine::{Engine, PostgresSchema, server_url};
pub use log::{LogCapture, LogFormat};
pub use mailer::MemoryMailer;
pub use proxy::{Proxy, StartupOptions, through_address};
pub use redis::RedisServer;
pub use replication::Replication;
pub use response::{TestResponse, UncheckedResponse};
pub use serde_json::{Value, json};

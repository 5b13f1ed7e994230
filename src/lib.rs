//! The BucketList API: a contract-first REST server on SQLite or PostgreSQL.
//!
//! A request passes through four layers: endpoint trait, service, repository, SQL. Dependencies point in one direction:
//! `main/cli → app → http → endpoints → services → db → domain`. See `docs/architecture.md`.

pub mod app;
pub mod auth;
pub mod build_info;
pub mod capture;
pub mod cli;
pub mod config;
pub mod db;
pub mod domain;
pub mod endpoints;
pub mod http;
pub mod jobs;
pub mod limits;
pub mod log_format;
pub mod mail;
pub mod metrics;
pub mod postman;
pub mod profiles;
pub mod redis;
pub mod samples;
pub mod seed;
pub mod server;
pub mod services;
pub mod thread_priority;
pub mod traces;
pub mod usage;

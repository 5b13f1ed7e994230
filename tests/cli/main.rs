//! Tests of the binary: each runs it in a separate directory with a clean environment.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[macro_use]
mod support;

mod api_client;
mod backup;
mod commands;
mod config;
mod connections;
mod coverage;
mod crash_recovery;
mod deploy;
mod diff;
mod doctor;
mod guides;
mod https;
mod incidents;
mod jobs;
mod lint;
mod mail;
mod malformed_requests;
mod migrate;
mod openapi;
mod postgres;
mod postman;
mod profiles;
mod prose;
mod proxy_protocol;
mod read_only_storage;
mod readme;
mod redis;
mod reload;
mod replay_targets;
mod replicas;
mod request_targets;
mod samples;
mod security;
mod seed;
mod serve;
mod shutdown;
mod slow_statements;
mod socket_activation;
mod sqlite_files;
mod startup;
mod startup_errors;
mod traces;
mod user;

//! Integration tests: the complete app in process on a separate database for each test, on both engines. Every response is
//! checked against the OpenAPI document.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[macro_use]
mod support;

mod accounts;
mod adding_an_endpoint;
mod architecture;
mod base_path;
mod bucketlists;
mod connections;
mod contract;
mod cors;
mod error_responses;
mod fault_switch;
mod faults;
mod flows;
mod headers;
mod incidents;
mod items;
mod jobs;
mod keyset;
mod limits;
mod mail;
mod metrics;
mod pages;
mod pooler;
mod profiles;
mod protocol;
mod redis;
mod replicas;
mod repositories;
mod response_validation;
mod running_servers;
mod schema;
mod search;
mod security;
mod seed;
mod sessions;
mod shared_statements;
mod signing_keys;
mod sqlite;
mod traces;
mod transactions;
mod users;
mod v2;

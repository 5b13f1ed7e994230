//! The BucketList API: a contract-first REST server on SQLite or PostgreSQL.
//!
//! One call goes down four short flights of stairs: *endpoint trait → service → repository → SQL*. Arrows point one way:
//! `main/cli → app → http → endpoints → services → db → domain`.

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
pub mod mail;
pub mod postman;
pub mod seed;
pub mod server;
pub mod services;

//! What a call is made of: checking a token, building a page, one read on each engine, and the whole of it.
//!
//! `make bench` runs them; numbers are for comparing two builds on one machine.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench may stop at the first surprise")]

use std::{hint::black_box, path::Path, sync::Arc, time::Duration};

use bucketlist::{
    app::{App, Parts},
    auth::{AccessTokens, Hasher},
    config::{Config, Variables},
    db::{Db, DbError, Options, Target, migrations::Migrator, repositories::bucketlists},
    domain::{Clock, SystemClock, SystemRandom},
    mail::FileMailer,
    seed,
};
use criterion::{Criterion, criterion_group, criterion_main};
use poem::{Endpoint, Request};
use secrecy::SecretString;
use tokio::runtime::Runtime;

const SECRET: &str = "the-secret-that-benches-sign-with";

fn token_check(criterion: &mut Criterion) {
    let tokens = AccessTokens::new(&SecretString::from(SECRET), &[], 900);
    let now = SystemClock.now_seconds();
    let token = tokens.issue(2, 1, now, &SystemRandom).unwrap();
    criterion.bench_function("token check", |bencher| bencher.iter(|| tokens.verify(black_box(&token), now).unwrap()));
}

/// A target with the standard data and 200 lists more for the demo user.
fn prepared(target: Target, config: &Config) -> Options {
    let options = Options {
        target,
        pool_size: 2,
        acquire_timeout: Duration::from_secs(5),
        statement_timeout: Duration::from_secs(10),
    };
    let mut migrator = Migrator::connect(&options).unwrap();
    migrator.up().unwrap();
    let hasher = Hasher::new(config.passwords).unwrap();
    seed::standard(migrator.connection(), &hasher, &SystemRandom, SystemClock.now()).unwrap();
    for number in 0..200 {
        let list = bucketlists::NewBucketlist {
            user_id: 2,
            name: format!("List {number}"),
            description: Some("What there is to do in life.".to_owned()),
            search_text: format!("list {number}\nwhat there is to do in life."),
            items_total: 0,
            items_done: 0,
            created_at: 0,
            updated_at: 0,
        };
        bucketlists::insert(migrator.connection(), &list).unwrap();
    }
    options
}

fn config(folder: &Path) -> Config {
    let variables: Variables = [("APP_ENV", "testing"), ("RATE_LIMIT", "off"), ("DATA_DIR", folder.to_str().unwrap())]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Config::from_variables(&variables).unwrap()
}

fn calls(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    let server = std::env::var("TEST_DATABASE_URL").expect("set TEST_DATABASE_URL, or run `make bench`");
    let admin = Options {
        target: Target::Postgres(server.clone()),
        pool_size: 1,
        acquire_timeout: Duration::from_secs(5),
        statement_timeout: Duration::from_secs(10),
    };
    let mut migrator = Migrator::connect(&admin).unwrap();
    let schema = format!("bench_{}", std::process::id());
    execute(&mut migrator, &format!("CREATE SCHEMA {schema}"));
    let separator = if server.contains('?') { '&' } else { '?' };
    let targets = [
        ("SQLite", Target::Sqlite(folder.path().join("bench.db"))),
        ("PostgreSQL", Target::Postgres(format!("{server}{separator}options=-csearch_path%3D{schema}"))),
    ];
    for (engine, target) in targets {
        config.database = prepared(target, &config);
        let db = Db::open(config.database.clone()).unwrap();
        criterion.bench_function(&format!("read one row, {engine}"), |bencher| {
            bencher.to_async(&runtime).iter(|| db.read(|c| bucketlists::find(c, 2, 1).map_err(DbError::from)));
        });
        let mailer = Arc::new(FileMailer::new(config.mail_dir()));
        let parts = Parts { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom), mailer };
        let app = App::new(&config, &SecretString::from(SECRET), parts).unwrap();
        let token = runtime.block_on(log_in(&app));
        for (name, path) in [("GET one bucketlist", "/v1/bucketlists/1"), ("GET a page of 20", "/v1/bucketlists")] {
            criterion.bench_function(&format!("{name}, {engine}"), |bencher| {
                bencher.to_async(&runtime).iter(|| async {
                    let request = Request::builder().uri_str(path).header("authorization", &token).finish();
                    let response = app.endpoint.call(request).await.unwrap();
                    assert!(response.status().is_success());
                    response.into_body().into_bytes().await.unwrap()
                });
            });
        }
    }
    execute(&mut migrator, &format!("DROP SCHEMA {schema} CASCADE"));
}

async fn log_in(app: &App) -> String {
    let body = serde_json::json!({"email": seed::DEMO_EMAIL, "password": seed::DEMO_PASSWORD});
    let request = Request::builder()
        .method(poem::http::Method::POST)
        .uri_str("/v1/auth/login")
        .content_type("application/json")
        .body(body.to_string());
    let response = app.endpoint.call(request).await.unwrap();
    let session: serde_json::Value = serde_json::from_slice(&response.into_body().into_bytes().await.unwrap()).unwrap();
    format!("Bearer {}", session["access_token"].as_str().unwrap())
}

fn execute(migrator: &mut Migrator, sql: &str) {
    use diesel::connection::SimpleConnection;
    migrator.connection().batch_execute(sql).unwrap();
}

criterion_group!(benches, token_check, calls);
criterion_main!(benches);

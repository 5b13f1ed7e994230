//! Benchmarks of the parts of a request: verifying a token, reading a row and complete requests on each engine.
//!
//! Run with `make bench`. The numbers compare two builds on the same machine.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark stops at the first error")]

mod support;

use std::hint::black_box;

use bucketlist::{
    auth::AccessTokens,
    config::Config,
    db::{Db, DbError, repositories::bucketlists},
    domain::{BucketlistContent, BucketlistId, Clock, NewBucketlist, SystemClock, SystemRandom, Timestamp, UserId},
    seed,
};
use criterion::{Criterion, criterion_group, criterion_main};
use poem::{Endpoint, Request};
use secrecy::SecretString;
use support::{Databases, SECRET};
use tokio::runtime::Runtime;

fn verify_token(criterion: &mut Criterion) {
    let tokens = AccessTokens::new(&SecretString::from(SECRET), &[], 900);
    let now = SystemClock.now_seconds();
    let token = tokens.issue(2, 1, now, &SystemRandom).unwrap();
    criterion.bench_function("verify token", |bencher| bencher.iter(|| tokens.verify(black_box(&token), now).unwrap()));
}

/// Inserts the standard seed and 200 additional bucketlists of the demo user.
fn prepare(config: &Config) {
    let mut migrator = support::prepare(config);
    for number in 0..200 {
        let content = BucketlistContent {
            name: format!("List {number}"),
            description: Some("What there is to do in life.".to_owned()),
        };
        let now = Timestamp::default();
        let list = NewBucketlist { owner: UserId::new(2), content, created_at: now, updated_at: now };
        bucketlists::insert(migrator.connection(), &list).unwrap();
    }
}

fn requests(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let databases = Databases::new();
    let mut config = support::config(databases.folder(), &[]);
    for target in databases.targets() {
        let engine = target.engine();
        config.database = support::options(target);
        prepare(&config);
        let db = Db::open(config.database.clone()).unwrap();
        criterion.bench_function(&format!("read one row, {engine}"), |bencher| {
            bencher.to_async(&runtime).iter(|| {
                db.read(|c| bucketlists::find(c, UserId::new(2), BucketlistId::new(1)).map_err(DbError::from))
            });
        });
        let app = support::app(&config);
        let token = runtime.block_on(support::log_in(&app, seed::DEMO_EMAIL, seed::DEMO_PASSWORD));
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
}

criterion_group!(benches, verify_token, requests);
criterion_main!(benches);

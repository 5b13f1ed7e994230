//! Servers of one database with different settings.

use bucketlist::{config::Config, domain::Difference};

use crate::support::{Engine, RedisServer, TestApp};

/// Returns the differences that a server finds.
async fn differences(app: &TestApp) -> Vec<Difference> {
    app.app.worker.server_registry().renew().await.unwrap().differences.into_iter().collect()
}

/// Starts a second server. Returns the settings in which each of both finds a difference.
async fn compare(change: impl FnOnce(&mut Config)) -> [Vec<String>; 2] {
    let first = TestApp::builder().engine(Engine::Postgres).config(|config| config.port = 8001).build();
    assert_eq!(differences(&first).await, []);
    let second = first.second_server_with(|config| {
        config.port = 8002;
        change(config);
    });
    let (of_second, of_first) = (differences(&second).await, differences(&first).await);
    for (found, port) in [(&of_first, ":8002 (process "), (&of_second, ":8001 (process ")] {
        assert!(found.iter().all(|difference| difference.server.contains(port)), "{found:?}");
    }
    [of_first, of_second].map(|found| found.into_iter().map(|difference| difference.setting).collect())
}

#[tokio::test]
async fn both_servers_find_a_different_setting() {
    let redis = RedisServer::stopped();
    let settings = redis.settings();
    let same = compare(|_| {}).await;
    assert_eq!(same, [Vec::<String>::new(), Vec::new()]);
    let limits = compare(|config| config.limits.login_per_minute = 7).await;
    assert_eq!(limits, [vec!["RATE_LIMIT_LOGIN"], vec!["RATE_LIMIT_LOGIN"]]);
    let exclusive = compare(|config| config.is_exclusive = true).await;
    assert_eq!(exclusive[0], ["DATABASE_EXCLUSIVE"]);
    let redis = compare(|config| config.redis = Some(settings)).await;
    assert_eq!(redis[0], ["REDIS_PREFIX", "REDIS_URL"]);
}

#[tokio::test]
async fn stopped_server_is_forgotten() {
    let first = TestApp::builder().engine(Engine::Postgres).config(|config| config.port = 8001).build();
    let other = first.second_server_with(|config| {
        config.port = 8002;
        config.limits.login_per_minute = 7;
    });
    differences(&other).await;
    assert_eq!(differences(&first).await.len(), 1);
    first.execute("UPDATE running_servers SET renewed_at = renewed_at - 31000000");
    assert_eq!(differences(&first).await, []);
    // A process on the same port replaces one that was killed.
    differences(&other).await;
    let restarted = first.second_server_with(|config| config.port = 8002);
    assert_eq!(differences(&restarted).await, []);
    assert_eq!(differences(&first).await, []);
    // A server that stops removes its record.
    let shutdown = tokio_util::sync::CancellationToken::new();
    differences(&other).await;
    shutdown.cancel();
    other.app.worker.run_without_jobs(shutdown).await;
    differences(&restarted).await;
    assert_eq!(differences(&first).await, []);
}

both_engines! {
    async fn clock_of_the_database_is_compared(engine: Engine) {
        let app = TestApp::new(engine);
        let findings = app.app.worker.server_registry().renew().await.unwrap();
        assert!(findings.clock_difference.is_zero(), "{findings:?}");
    }
}

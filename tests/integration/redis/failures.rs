//! A Redis that is stopped, suspended, emptied, restored or misconfigured.

use std::time::{Duration, Instant};

use poem::http::Method;

use super::fleet::{Fleet, poll};
use crate::support::{Actor, Engine, LogCapture, LogFormat, RedisServer, json};

const LISTS: &str = "/v2/bucketlists";

async fn health(fleet: &Fleet) -> (String, String) {
    let body = fleet.servers[0].anonymous().get("/health/ready").await.expect(200).json();
    let text = |value: &crate::support::Value| value.as_str().unwrap().to_owned();
    (text(&body["status"]), text(&body["checks"]["redis"]))
}

async fn log_out(actor: &Actor<'_>) {
    actor.request(Method::POST, "/v1/auth/logout").send().await.expect(204);
}

async fn expect_rejected_everywhere(fleet: &Fleet, actor: &Actor<'_>) {
    for server in 0..fleet.servers.len() {
        fleet.on(server, actor).get(LISTS).await.expect(401);
    }
}

#[tokio::test]
async fn stopped_redis_degrades_and_an_empty_one_accepts_no_revoked_token() {
    let mut fleet = Fleet::start(Engine::Postgres, 3, |config| {
        config.limits.rate_limit = true;
        config.limits.search_per_minute = 2;
    })
    .await;
    assert_eq!(health(&fleet).await, ("pass".to_owned(), "pass".to_owned()));
    // Sessions without a reference to the fleet, which changes.
    let before = fleet.servers[0].user().await.session.unwrap();
    let during = fleet.servers[0].user().await.session.unwrap();
    for server in &fleet.servers {
        for session in [&before, &during] {
            Actor::new(server, Some(session.clone())).get(LISTS).await.expect(200);
        }
    }
    log_out(&Actor::new(&fleet.servers[0], Some(before.clone()))).await;

    fleet.redis.stop();
    for client in &fleet.clients {
        client.disconnected().await;
    }
    assert_eq!(health(&fleet).await, ("warn".to_owned(), "warn".to_owned()));
    expect_rejected_everywhere(&fleet, &Actor::new(&fleet.servers[0], Some(before.clone()))).await;
    for server in &fleet.servers {
        let user = Actor::new(server, Some(during.clone()));
        user.get(LISTS).await.expect(200);
        // Each server counts for itself.
        user.get("/v2/search?q=sea").await.expect(200);
        user.get("/v2/search?q=sea").await.expect(200);
        user.get("/v2/search?q=sea").await.expect(429);
    }
    log_out(&Actor::new(&fleet.servers[1], Some(during.clone()))).await;
    expect_rejected_everywhere(&fleet, &Actor::new(&fleet.servers[0], Some(during.clone()))).await;

    fleet.redis.restart();
    for client in &fleet.clients {
        client.connected().await;
    }
    assert_eq!(health(&fleet).await, ("pass".to_owned(), "pass".to_owned()));
    for session in [&before, &during] {
        expect_rejected_everywhere(&fleet, &Actor::new(&fleet.servers[0], Some(session.clone()))).await;
    }
}

#[tokio::test]
async fn suspended_redis_delays_only_the_first_requests() {
    let fleet = Fleet::start(Engine::Postgres, 2, |config| {
        config.limits.rate_limit = true;
        config.redis.as_mut().unwrap().timeout = Duration::from_millis(500);
    })
    .await;
    let user = fleet.servers[0].user().await;
    fleet.on(1, &user).get(LISTS).await.expect(200);
    fleet.redis.suspend();
    let started = Instant::now();
    // Each request runs two commands at the same time, and three timeouts open the circuit.
    for _ in 0..20 {
        fleet.on(1, &user).get(LISTS).await.expect(200);
    }
    assert!(!fleet.clients[1].is_connected());
    let elapsed = started.elapsed();
    // Waiting for each would take 10 seconds or more.
    assert!(elapsed >= Duration::from_millis(500) && elapsed < Duration::from_secs(8), "{elapsed:?}");
    log_out(&user).await;
    fleet.redis.resume();
    for client in &fleet.clients {
        client.connected().await;
    }
    expect_rejected_everywhere(&fleet, &user).await;
}

#[tokio::test]
async fn late_responses_do_not_disconnect_redis() {
    let log = LogCapture::start(LogFormat::Text);
    let fleet = Fleet::start(Engine::Postgres, 2, |config| {
        config.limits.rate_limit = true;
        config.redis.as_mut().unwrap().timeout = Duration::from_millis(100);
    })
    .await;
    let user = fleet.servers[0].user().await;
    for _ in 0..3 {
        // Many commands are late at the same time.
        fleet.redis.run(&["CLIENT", "PAUSE", "150", "ALL"]);
        let requests = (0..20).map(|number| {
            let user = fleet.on(number % 2, &user);
            async move { user.get(LISTS).await.expect(200) }
        });
        futures_util::future::join_all(requests).await;
        // Redis responds again.
        fleet.redis.run(&["PING"]);
        for server in 0..2 {
            fleet.on(server, &user).get(LISTS).await.expect(200);
        }
    }
    log_out(&user).await;
    expect_rejected_everywhere(&fleet, &user).await;
    assert!(!log.text().contains("Redis connection lost"), "{}", log.text());
}

#[tokio::test]
async fn emptied_redis_accepts_no_revoked_token() {
    let fleet = Fleet::start(Engine::Postgres, 2, |_| {}).await;
    for _ in 0..10 {
        let user = fleet.servers[0].user().await;
        fleet.on(1, &user).get(LISTS).await.expect(200);
        log_out(&user).await;
        fleet.redis.run(&["FLUSHALL"]);
        expect_rejected_everywhere(&fleet, &user).await;
    }
    assert!(fleet.is_connected());
}

/// After a failover, the promoted replica may lack the last writes: an epoch from before a revocation is back.
#[tokio::test]
async fn failover_that_loses_the_last_writes_accepts_no_revoked_token() {
    let fleet = Fleet::start(Engine::Postgres, 2, |_| {}).await;
    for _ in 0..5 {
        let user = fleet.servers[0].user().await;
        fleet.on(1, &user).get(LISTS).await.expect(200);
        let key = format!("test:epoch:{}", user.id());
        let old = fleet.redis.run(&["GET", &key]);
        log_out(&user).await;
        assert_ne!(fleet.redis.run(&["GET", &key]), old);
        // Connections to the old primary are closed.
        fleet.redis.run(&["CLIENT", "KILL", "TYPE", "normal"]);
        fleet.redis.run(&["SET", &key, &old]);
        expect_rejected_everywhere(&fleet, &user).await;
        for client in &fleet.clients {
            client.connected().await;
        }
        expect_rejected_everywhere(&fleet, &user).await;
    }
}

#[tokio::test]
async fn server_starts_without_redis_and_connects_later() {
    let log = LogCapture::start(LogFormat::Text);
    let mut fleet = Fleet::unconnected(RedisServer::stopped(), Engine::Postgres, 2, |config| {
        config.limits.rate_limit = true;
    });
    for index in 0..2 {
        fleet.connect(index);
    }
    let user = fleet.servers[0].user().await;
    fleet.on(1, &user).get(LISTS).await.expect(200);
    assert_eq!(health(&fleet).await.0, "warn");
    assert!(poll(|| log.text().contains("cannot connect to Redis")).await);
    fleet.redis.restart();
    for client in &fleet.clients {
        client.connected().await;
    }
    fleet.on(1, &user).get(LISTS).await.expect(200);
    log_out(&user).await;
    expect_rejected_everywhere(&fleet, &user).await;
}

#[tokio::test]
async fn redis_that_cannot_be_used_is_described_without_credentials() {
    let too_small: &[&str] = &["--maxmemory", "1", "--maxmemory-policy", "noeviction"];
    for (arguments, expected) in [
        (&["--requirepass", "another"][..], "authentication failed"),
        (&["--replicaof", "127.0.0.1", "1", "--requirepass", "topsecret"][..], "does not accept writes"),
        (&[too_small, &["--requirepass", "topsecret"]].concat()[..], "memory limit"),
        (&["--requirepass", "topsecret", "--rename-command", "EVALSHA", ""][..], "unknown command"),
    ] {
        let log = LogCapture::start(LogFormat::Trace);
        let redis = RedisServer::with_arguments(arguments);
        let url = format!("{}?pass=topsecret", redis.url());
        let mut fleet = Fleet::unconnected(redis, Engine::Sqlite, 1, |config| {
            config.redis.as_mut().unwrap().address = bucketlist::redis::RedisAddress::parse(&url).unwrap();
        });
        fleet.connect(0);
        assert!(poll(|| log.text().contains("cannot connect to Redis")).await, "{}", log.text());
        let text = log.text();
        assert!(text.contains(expected), "{expected}: {text}");
        assert!(!text.contains("topsecret"), "{text}");
        let user = fleet.servers[0].user().await;
        user.get(LISTS).await.expect(200);
        assert_eq!(health(&fleet).await.0, "warn");
    }
}

#[tokio::test]
async fn primary_that_becomes_a_replica_is_left() {
    let fleet = Fleet::start(Engine::Postgres, 1, |_| {}).await;
    let user = fleet.servers[0].user().await;
    fleet.redis.run(&["REPLICAOF", "127.0.0.1", "1"]);
    // The server records itself every second.
    fleet.clients[0].disconnected().await;
    user.post(LISTS, &json!({"name": "See the world"})).await.expect(201);
    fleet.redis.run(&["REPLICAOF", "NO", "ONE"]);
    fleet.clients[0].connected().await;
}

#[tokio::test]
async fn value_of_another_program_affects_only_its_key() {
    let fleet = Fleet::start(Engine::Postgres, 2, |config| config.limits.rate_limit = true).await;
    let user = fleet.servers[0].user().await;
    user.get(LISTS).await.expect(200);
    let keys = fleet.redis.run(&["--scan", "--pattern", &format!("test:limit:general:user:{}:*", user.id())]);
    for value in [&["SET", "", "text"][..], &["LPUSH", "", "text"][..]] {
        for key in [keys.as_str(), &format!("test:epoch:{}", user.id())] {
            fleet.redis.run(&["DEL", key]);
            let mut command = value.to_vec();
            command[1] = key;
            fleet.redis.run(&command);
        }
        for server in 0..2 {
            fleet.on(server, &user).get(LISTS).await.expect(200);
        }
    }
    assert!(fleet.is_connected());
    log_out(&user).await;
    expect_rejected_everywhere(&fleet, &user).await;
}

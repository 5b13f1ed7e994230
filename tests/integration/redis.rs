//! Servers that share Redis: limits count over all of them, and a change on one applies to the next request on every other, also while Redis
//! fails.

mod failures;
mod fleet;
mod token_status;

use std::{collections::BTreeSet, time::Instant};

use futures_util::future::join_all;
use poem::http::Method;

use crate::support::{Engine, LogCapture, LogFormat, RedisServer, json};
use fleet::Fleet;

/// Sends requests of a user to all servers in turn; returns the number that were allowed.
async fn count_allowed(fleet: &Fleet, number: usize) -> usize {
    let user = fleet.servers[0].user().await;
    let requests = (0..number).map(|index| fleet.on(index % fleet.servers.len(), &user));
    let send = async |actor: crate::support::Actor<'_>| actor.get("/v2/users/me").await.any_status().status;
    let statuses = join_all(requests.map(send)).await;
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    statuses.into_iter().filter(|status| *status == 200).count()
}

both_engines! {
    async fn servers_share_a_rate_limit(engine: Engine) {
        let fleet = Fleet::start(engine, 3, |config| {
            config.limits.rate_limit = true;
            config.limits.general_per_minute = 20;
        }).await;
        let started = Instant::now();
        let allowed = count_allowed(&fleet, 90).await;
        // One request is allowed again every 3 seconds.
        let refilled = usize::try_from(started.elapsed().as_secs() / 3).unwrap() + 1;
        assert!((20..=20 + refilled).contains(&allowed), "{allowed} allowed");
    }

    async fn decision_has_the_remaining_requests_of_all_servers(engine: Engine) {
        let fleet = Fleet::start(engine, 2, |config| {
            config.limits.rate_limit = true;
            config.limits.search_per_minute = 3;
        }).await;
        let user = fleet.servers[0].user().await;
        let mut states = BTreeSet::new();
        for index in 0..3 {
            let response = fleet.on(index % 2, &user).get("/v2/search?q=sea").await.expect(200);
            states.insert(response.header("ratelimit").split(";t=").next().unwrap().to_owned());
        }
        let expected = [r#""search";r=0"#, r#""search";r=1"#, r#""search";r=2"#].map(str::to_owned);
        assert_eq!(states, BTreeSet::from(expected));
        let response = fleet.on(1, &user).get("/v2/search?q=sea").await.expect_error(429, "RATE_LIMIT_EXCEEDED");
        let retry_after: u32 = response.header("retry-after").parse().unwrap();
        assert!((1..=20).contains(&retry_after), "{retry_after}");
    }
}

#[tokio::test]
async fn login_attempts_are_limited_over_all_servers() {
    let fleet = Fleet::start(Engine::Postgres, 3, |config| {
        config.limits.rate_limit = true;
        config.limits.login_per_minute = 4;
    })
    .await;
    let user = fleet.servers[0].user().await;
    let body = json!({"email": user.email(), "password": "not-the-password"});
    let mut statuses = Vec::new();
    for index in 0..12 {
        let anonymous = fleet.servers[index % 3].anonymous();
        statuses.push(anonymous.post("/v2/auth/login", &body).await.any_status().status);
    }
    let rejected = statuses.iter().filter(|status| **status == 401).count();
    assert!((4..=5).contains(&rejected), "{statuses:?}");
    // Keys contain no email address.
    let keys = fleet.redis.run(&["--scan"]);
    assert!(keys.contains("test:limit:login-account:account:"), "{keys}");
    assert!(!keys.contains("example.com"), "{keys}");
}

#[tokio::test]
async fn deployments_with_different_prefixes_do_not_share_counters() {
    let redis = RedisServer::start();
    let limits = |prefix: &'static str| {
        move |config: &mut bucketlist::config::Config| {
            config.limits.rate_limit = true;
            config.limits.general_per_minute = 5;
            config.redis.as_mut().unwrap().prefix = prefix.to_owned();
        }
    };
    let one = Fleet::with_redis(redis, Engine::Sqlite, 1, limits("one")).await;
    assert_eq!(count_allowed(&one, 10).await, 5);
    let two = Fleet::with_redis(one.into_redis(), Engine::Sqlite, 1, limits("two")).await;
    assert_eq!(count_allowed(&two, 10).await, 5, "the user has the same ID in the other database");
    let keys = two.redis.run(&["--scan"]);
    assert!(keys.lines().all(|key| key.starts_with("one:") || key.starts_with("two:")), "{keys}");
}

#[tokio::test]
async fn all_keys_expire() {
    let fleet = Fleet::start(Engine::Postgres, 1, |config| config.limits.rate_limit = true).await;
    let user = fleet.servers[0].user().await;
    user.get("/v2/bucketlists").await.expect(200);
    let keys = fleet.redis.run(&["--scan"]);
    assert!(keys.contains("test:epoch:") && keys.contains("test:limit:general:user:"), "{keys}");
    // The set of servers holds one entry for each server.
    for key in keys.lines().filter(|key| *key != "test:servers") {
        let ttl: i64 = fleet.redis.run(&["TTL", key]).parse().unwrap();
        assert!((0..=3_600).contains(&ttl) || ttl == -2, "{key}: {ttl}");
    }
}

#[tokio::test]
async fn different_settings_of_servers_are_logged() {
    // Servers of one PostgreSQL database are compared through the database.
    let fleet = Fleet::start(Engine::Sqlite, 1, |_| {}).await;
    let log = LogCapture::start(LogFormat::Text);
    let other = fleet.another(|config| config.limits.login_per_minute = 99).await;
    assert!(fleet::poll(|| log.text().contains("different settings")).await, "{}", log.text());
    let text = log.text();
    assert!(text.contains("RATE_LIMIT_LOGIN") && !text.contains("JWT_SECRET"), "{text}");
    drop(other);
}

#[tokio::test]
async fn user_with_the_documented_permissions_is_sufficient() {
    let redis = RedisServer::start();
    let mut rules = vec!["ACL", "SETUSER", "bucketlist", "on", ">topsecret", "~test:*", "&*", "-@all"];
    let commands: Vec<String> = bucketlist::redis::COMMANDS.split(' ').map(|command| format!("+{command}")).collect();
    rules.extend(commands.iter().map(String::as_str));
    assert_eq!(redis.run(&rules), "OK");
    let documentation = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operating.md")).unwrap();
    assert!(commands.iter().all(|command| documentation.contains(&format!(" {command}"))), "{commands:?}");
    let url = format!("{}?user=bucketlist&pass=topsecret", redis.url());
    let fleet = Fleet::with_redis(redis, Engine::Postgres, 2, |config| {
        config.limits.rate_limit = true;
        config.redis.as_mut().unwrap().address = bucketlist::redis::RedisAddress::parse(&url).unwrap();
    })
    .await;
    let user = fleet.servers[0].user().await;
    fleet.on(1, &user).get("/v2/bucketlists").await.expect(200);
    fleet.on(1, &user).request(Method::POST, "/v1/auth/logout").send().await.expect(204);
    fleet.on(0, &user).get("/v2/bucketlists").await.expect(401);
    assert!(fleet.is_connected());
}

//! Token status, API keys and responses in the memory of several servers.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use poem::http::Method;

use super::fleet::Fleet;
use crate::support::{Actor, Engine, RedisServer, Value, json};

/// The path of a cached response.
const LISTS: &str = "/v2/bucketlists";

async fn fleet() -> Fleet {
    Fleet::start(Engine::Postgres, 3, |_| {}).await
}

/// Makes all servers cache the status of an actor's credential, and the response.
async fn warm_up(fleet: &Fleet, actor: &Actor<'_>) {
    for index in 0..fleet.servers.len() {
        // The first request with an API key only learns its account.
        for _ in 0..3 {
            fleet.on(index, actor).get(LISTS).await.expect(200);
        }
    }
}

async fn login(fleet: &Fleet, actor: &Actor<'_>) -> Value {
    let body = json!({"email": actor.email(), "password": Actor::PASSWORD});
    fleet.servers[0].anonymous().post("/v2/auth/login", &body).await.expect(200).json()
}

#[tokio::test]
async fn cached_response_needs_no_statement() {
    let fleet = fleet().await;
    let admin = fleet.servers[0].admin().await;
    let client = admin.create_api_client(admin.id(), &["read"]).await;
    let program = Actor::with_api_key(&fleet.servers[0], client["key"].as_str().unwrap());
    for actor in [&admin, &program] {
        assert!(is_cached(&fleet, actor).await);
    }
}

/// Returns whether a server serves a repeated request without the database. Tries several times, because an entry lives for one second, which a
/// loaded machine may exceed.
async fn is_cached(fleet: &Fleet, actor: &Actor<'_>) -> bool {
    for _ in 0..20 {
        warm_up(fleet, actor).await;
        let before = fleet.servers[1].app.db.statements();
        let response = fleet.on(1, actor).get(LISTS).await.expect(200);
        if fleet.servers[1].app.db.statements() == before {
            return response.header("cache-status") == "bucketlist; hit";
        }
    }
    false
}

#[tokio::test]
async fn every_kind_of_revocation_applies_to_the_next_request_on_all_servers() {
    let fleet = fleet().await;
    let admin = fleet.servers[0].admin().await;
    let kinds = ["logout", "end", "end_all", "password", "disable", "delete", "reuse"];
    for (index, kind) in kinds.into_iter().enumerate() {
        let user = fleet.servers[0].user().await;
        let session = login(&fleet, &user).await;
        let on_a = fleet.on(index % 3, &user);
        warm_up(&fleet, &user).await;
        let path = format!("/v2/admin/users/{}", user.id());
        match kind {
            "logout" => drop(on_a.request(Method::POST, "/v1/auth/logout").send().await.expect(204)),
            "end" => {
                let other = Actor::new(&fleet.servers[index % 3], Some(session));
                let sessions = other.get("/v2/auth/sessions").await.expect(200).json();
                // The newest first.
                let id = &sessions["data"][1]["id"];
                other.delete(&format!("/v2/auth/sessions/{id}")).await.expect(204);
            }
            "end_all" => drop(on_a.delete("/v2/auth/sessions").await.expect(204)),
            "password" => {
                // Ends all other sessions.
                let other = Actor::new(&fleet.servers[index % 3], Some(session));
                let body = json!({"current_password": Actor::PASSWORD, "new_password": "lantern-harbour-43"});
                other.put("/v2/auth/password", &body).await.expect(204);
            }
            "disable" => drop(fleet.on(2, &admin).patch(&path, &json!({"disabled": true})).await.expect(200)),
            "delete" => drop(fleet.on(2, &admin).delete(&path).await.expect(204)),
            _ => {
                let body = json!({"refresh_token": user.refresh_token()});
                let anonymous = fleet.servers[index % 3].anonymous();
                let next = anonymous.post("/v2/auth/refresh", &body).await.expect(200).json();
                let next = json!({"refresh_token": next["refresh_token"]});
                anonymous.post("/v2/auth/refresh", &next).await.expect(200);
                fleet.servers[0].advance_clock(Duration::from_secs(11));
                anonymous.post("/v2/auth/refresh", &body).await.expect(401);
            }
        }
        for server in 0..3 {
            let status = fleet.on(server, &user).get(LISTS).await.any_status().status;
            assert!([401, 403].contains(&status), "{kind} on server {server}: {status}");
        }
    }
}

#[tokio::test]
async fn changed_role_applies_to_the_next_request_on_all_servers() {
    let fleet = fleet().await;
    let (admin, user) = (fleet.servers[0].admin().await, fleet.servers[1].user().await);
    for round in 0..4 {
        let (role, status) = if round % 2 == 0 { ("admin", 200) } else { ("user", 403) };
        for server in 0..3 {
            let path = "/v2/admin/audit";
            fleet.on(server, &user).get(path).await.expect(if round % 2 == 0 { 403 } else { 200 });
        }
        let path = format!("/v2/admin/users/{}", user.id());
        fleet.on(round % 3, &admin).patch(&path, &json!({"role": role})).await.expect(200);
        for server in 0..3 {
            fleet.on(server, &user).get("/v2/admin/audit").await.expect(status);
        }
    }
}

#[tokio::test]
async fn changes_of_api_clients_apply_to_the_next_request_on_all_servers() {
    let fleet = fleet().await;
    let (admin, user) = (fleet.servers[0].admin().await, fleet.servers[0].user().await);
    for kind in ["scopes", "rotate", "delete"] {
        let client = admin.create_api_client(user.id(), &["read", "write"]).await;
        let program = Actor::with_api_key(&fleet.servers[0], client["key"].as_str().unwrap());
        warm_up(&fleet, &program).await;
        let path = format!("/v2/admin/api-clients/{}", client["id"]);
        let on_b = fleet.on(1, &admin);
        match kind {
            "scopes" => drop(on_b.patch(&path, &json!({"scopes": ["read"]})).await.expect(200)),
            "rotate" => {
                let path = format!("{path}/rotate?overlap_seconds=0");
                on_b.request(Method::POST, &path).send().await.expect(200);
            }
            _ => drop(on_b.delete(&path).await.expect(204)),
        }
        for server in 0..3 {
            let program = fleet.on(server, &program);
            let response = program.post(LISTS, &json!({"name": format!("{kind} {server}")})).await;
            response.expect(if kind == "scopes" { 403 } else { 401 });
        }
    }
}

#[tokio::test]
async fn write_is_visible_to_the_next_request_on_all_servers() {
    let fleet = fleet().await;
    let user = fleet.servers[0].user().await;
    let list = user.create_bucketlist("List 0").await;
    let path = format!("/v2/bucketlists/{list}");
    for number in 1..=30 {
        let name = format!("List {number}");
        warm_up(&fleet, &user).await;
        fleet.on(number % 3, &user).patch(&path, &json!({"name": name})).await.expect(200);
        for server in 0..3 {
            let response = fleet.on(server, &user).get(LISTS).await.expect(200);
            assert_eq!(response.json()["data"][0]["name"], *name, "server {server}");
        }
    }
}

/// Readers on all servers never see an older state than the last one whose write was acknowledged before they started.
#[tokio::test]
async fn concurrent_readers_never_see_an_old_state() {
    let fleet = fleet().await;
    let user = fleet.servers[0].user().await;
    let list = user.create_bucketlist("0").await;
    let path = format!("/v2/bucketlists/{list}");
    let (acknowledged, is_running) = (AtomicU64::new(0), AtomicBool::new(true));
    let order = Ordering::SeqCst;
    let read = async |server: usize| {
        let mut count = 0;
        while is_running.load(order) {
            let oldest = acknowledged.load(order);
            let response = fleet.on(server, &user).get(LISTS).await.expect(200).json();
            let seen: u64 = response["data"][0]["name"].as_str().unwrap().parse().unwrap();
            assert!(seen >= oldest, "server {server}: {seen} after {oldest}");
            count += 1;
        }
        count
    };
    let write = async {
        for number in 1..=100_u64 {
            let server = usize::try_from(number % 3).unwrap();
            let name = number.to_string();
            fleet.on(server, &user).patch(&path, &json!({"name": name})).await.expect(200);
            acknowledged.store(number, order);
        }
        is_running.store(false, order);
    };
    let (counts, ()) = tokio::join!(join_all((0..3).map(read)), write);
    assert!(counts.iter().sum::<u32>() > 30, "{counts:?}");
}

/// A server that cannot reach Redis cannot tell the others, which can: it waits until they have forgotten what they have read.
#[tokio::test]
async fn server_without_redis_responds_when_others_have_forgotten() {
    let mut fleet = Fleet::unconnected(RedisServer::start(), Engine::Postgres, 2, |_| {});
    fleet.connect(1);
    fleet.clients[1].connected().await;
    let user = fleet.servers[0].user().await;
    let on_b = fleet.on(1, &user);
    on_b.get(LISTS).await.expect(200);
    let is_ended = AtomicBool::new(false);
    let read = async {
        while !is_ended.load(Ordering::SeqCst) {
            on_b.get(LISTS).await.any_status();
        }
        on_b.get(LISTS).await.expect(401);
    };
    let started = Instant::now();
    let log_out = async {
        user.request(Method::POST, "/v1/auth/logout").send().await.expect(204);
        is_ended.store(true, Ordering::SeqCst);
    };
    tokio::join!(read, log_out);
    assert!(started.elapsed() >= bucketlist::redis::MAX_AGE, "{:?}", started.elapsed());
}

/// A server without Redis suspends the caches of the others, so that only its first changes wait.
#[tokio::test]
async fn lasting_failure_delays_only_the_first_changes() {
    let mut fleet = Fleet::unconnected(RedisServer::start(), Engine::Postgres, 2, |_| {});
    fleet.connect(1);
    fleet.clients[1].connected().await;
    let user = fleet.servers[0].user().await;
    let path = format!("/v2/bucketlists/{}", user.create_bucketlist("0").await);
    let mut delayed = 0;
    for number in 1..=40 {
        fleet.on(1, &user).get(LISTS).await.expect(200);
        let started = Instant::now();
        fleet.on(0, &user).patch(&path, &json!({"name": number.to_string()})).await.expect(200);
        delayed += usize::from(started.elapsed() >= bucketlist::redis::MAX_AGE);
        let response = fleet.on(1, &user).get(LISTS).await.expect(200);
        assert_eq!(response.json()["data"][0]["name"], number.to_string());
    }
    assert!(delayed < 10, "{delayed} changes waited");
    assert!(!is_cached(&fleet, &user).await, "caches are suspended");

    let session = user.session.clone();
    fleet.connect(0);
    fleet.clients[0].connected().await;
    let user = Actor::new(&fleet.servers[0], session);
    // The suspension ends by itself.
    fleet.servers[0].advance_clock(Duration::from_secs(16));
    assert!(is_cached(&fleet, &user).await);
}

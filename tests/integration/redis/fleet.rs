//! Several servers on one database and one Redis.

use std::time::{Duration, Instant};

use bucketlist::{config::Config, redis::Redis};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::{Actor, Engine, RedisServer, TestApp};

/// Servers that share a database and a Redis.
pub struct Fleet {
    pub servers: Vec<TestApp>,
    /// The clients of the servers.
    pub clients: Vec<Redis>,
    pub redis: RedisServer,
    stop: CancellationToken,
    /// Stops the clients when the fleet is dropped.
    _guard: DropGuard,
}

impl Fleet {
    /// Starts a Redis, and servers that are connected to it.
    pub async fn start(engine: Engine, count: usize, change: impl FnOnce(&mut Config)) -> Self {
        Self::with_redis(RedisServer::start(), engine, count, change).await
    }

    /// Starts servers that are connected to this Redis.
    pub async fn with_redis(
        redis: RedisServer,
        engine: Engine,
        count: usize,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut fleet = Self::unconnected(redis, engine, count, change);
        for index in 0..count {
            fleet.connect(index);
        }
        for client in &fleet.clients {
            client.connected().await;
        }
        fleet
    }

    /// Builds servers that do not connect to Redis by themselves.
    pub fn unconnected(redis: RedisServer, engine: Engine, count: usize, change: impl FnOnce(&mut Config)) -> Self {
        let configure = |config: &mut Config| {
            config.redis = Some(redis.settings());
            change(config);
        };
        let first = TestApp::builder().engine(engine).config(configure).build();
        let others: Vec<TestApp> = (1..count).map(|_| first.second_server()).collect();
        let servers: Vec<TestApp> = std::iter::once(first).chain(others).collect();
        let clients = servers.iter().map(|server| server.app.redis.as_ref().unwrap().0.clone()).collect();
        let stop = CancellationToken::new();
        Self { servers, clients, redis, _guard: stop.clone().drop_guard(), stop }
    }

    /// Starts another server with other settings, and connects it.
    pub async fn another(&self, change: impl FnOnce(&mut Config)) -> TestApp {
        let mut server = self.servers[0].second_server_with(change);
        let (client, monitor) = server.app.redis.take().unwrap();
        tokio::spawn(monitor.run(self.stop.clone()));
        client.connected().await;
        server
    }

    /// Makes a server connect to Redis.
    pub fn connect(&mut self, index: usize) {
        let (_, monitor) = self.servers[index].app.redis.take().expect("not connected yet");
        tokio::spawn(monitor.run(self.stop.clone()));
    }

    /// Returns the actor on another server.
    pub fn on<'a>(&'a self, index: usize, actor: &Actor<'_>) -> Actor<'a> {
        let mut moved = Actor::new(&self.servers[index], actor.session.clone());
        moved.api_key.clone_from(&actor.api_key);
        moved
    }

    pub fn is_connected(&self) -> bool {
        self.clients.iter().all(Redis::is_connected)
    }

    /// Stops the servers.
    pub fn into_redis(self) -> RedisServer {
        self.redis
    }
}

/// Waits until a condition holds; returns whether it does.
pub async fn poll(condition: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    true
}

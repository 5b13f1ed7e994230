//! The commands that requests send.

use std::{sync::LazyLock, time::Duration};

use ::redis::{Script, cmd};

use super::{Link, Redis, RedisError};
use crate::domain::Quota;

/// Counts a request with GCRA. The state of a counter is its theoretical arrival time: the time at which the full quota is available
/// again. Redis runs a script without interruption and uses its own clock, so that all servers count as one.
static GCRA: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
        -- A counter of the future was written before the clock was set back.
        local arrival = math.min(tonumber(redis.call('GET', KEYS[1]) or now) or now, now + burst)
        local next = math.max(arrival, now) + interval
        if next - now > burst then
            return {0, 0, next - now - burst}
        end
        redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil((next - now) / 1000))
        return {1, math.floor((burst - (next - now)) / interval), 0}
        ",
    )
});

/// Returns the value of a key, which is created if it does not exist.
static GET_OR_SET: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local value = redis.call('GET', KEYS[1])
        if value then return value end
        redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
        return ARGV[1]
        ",
    )
});

/// The decision about a counted request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GcraDecision {
    /// Number of further requests that would be allowed now.
    pub remaining: u32,
    /// Time until the request would be allowed; `None` if it is allowed now.
    pub wait: Option<Duration>,
}

impl Redis {
    /// Counts a request against the counter of this name.
    pub(crate) async fn count(&self, link: &Link, counter: &str, quota: Quota) -> Result<GcraDecision, RedisError> {
        let requests = quota.requests.max(1);
        let interval = (quota.window.as_micros() / u128::from(requests)).max(1);
        let burst = interval * u128::from(requests);
        let mut connection = link.connection.clone();
        let mut script = GCRA.key(self.key(format_args!("limit:{counter}:{requests}")));
        script.arg(u64::try_from(interval).unwrap_or(u64::MAX)).arg(u64::try_from(burst).unwrap_or(u64::MAX));
        let (allowed, remaining, wait): (u8, u32, u64) = self.run(link, script.invoke_async(&mut connection)).await?;
        Ok(GcraDecision { remaining, wait: (allowed == 0).then(|| Duration::from_micros(wait)) })
    }

    /// Returns a number.
    pub(super) async fn get(&self, link: &Link, key: &str) -> Result<Option<u64>, RedisError> {
        let (mut connection, mut get) = (link.connection.clone(), cmd("GET"));
        self.run(link, get.arg(key).query_async(&mut connection)).await
    }

    /// Returns a number, which is created if it does not exist.
    pub(super) async fn get_or_set(
        &self,
        link: &Link,
        key: &str,
        value: u64,
        ttl: Duration,
    ) -> Result<u64, RedisError> {
        let mut connection = link.connection.clone();
        let mut script = GET_OR_SET.key(key);
        script.arg(value).arg(ttl.as_secs());
        self.run(link, script.invoke_async(&mut connection)).await
    }

    /// Stores a value.
    pub(super) async fn set(
        &self,
        link: &Link,
        key: &str,
        value: impl ::redis::ToRedisArgs,
        ttl: Duration,
    ) -> Result<(), RedisError> {
        let (mut connection, mut set) = (link.connection.clone(), cmd("SET"));
        set.arg(key).arg(value).arg("EX").arg(ttl.as_secs());
        self.run(link, set.query_async(&mut connection)).await
    }
}

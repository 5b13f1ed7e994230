//! Checks a Redis for `doctor`.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ::redis::{RedisResult, cmd};

use super::{
    Link, Redis, RedisError,
    monitor::{info_value, open_within_limit},
    peers,
};
use crate::domain::Difference;

/// The policy that evicts nothing.
const NO_EVICTION: &str = "noeviction";

/// Returns the eviction policy in the response of `INFO`, if there is a memory limit.
fn eviction_policy(info: &str) -> Option<String> {
    let has_limit = info_value(info, "maxmemory").is_some_and(|limit| limit != "0");
    info_value(info, "maxmemory_policy").filter(|_| has_limit).map(str::to_owned)
}

/// What is known about a Redis that can be used.
#[derive(Debug)]
pub struct RedisReport {
    /// `None` if the user may not read it.
    pub version: Option<String>,
    /// What happens when the memory limit is reached; `None` if there is none, or if the user may not read it.
    pub eviction_policy: Option<String>,
    /// Difference of the clocks of Redis and of this host.
    pub clock_difference: Duration,
    /// Time of a command.
    pub round_trip: Duration,
    /// Settings in which running servers differ from this configuration.
    pub differences: Vec<Difference>,
}

impl Redis {
    /// Connects, verifies the permissions, and compares the settings of the running servers.
    ///
    /// # Errors
    /// [`RedisError`].
    pub async fn check(&self) -> Result<RedisReport, RedisError> {
        let link = open_within_limit(self).await?;
        let info = self.read_info(&link).await.unwrap_or_default();
        let started = Instant::now();
        let clock_difference = self.read_clock_difference(&link).await?;
        let round_trip = started.elapsed();
        Ok(RedisReport {
            version: info_value(&info, "redis_version").map(str::to_owned),
            eviction_policy: eviction_policy(&info),
            clock_difference,
            round_trip,
            differences: peers::read_differences(self, &link).await?,
        })
    }

    /// Returns the eviction policy if Redis may evict keys.
    pub(super) async fn read_evicting_policy(&self, link: &Link) -> Option<String> {
        let info = self.read_info(link).await.ok()?;
        eviction_policy(&info).filter(|policy| policy != NO_EVICTION)
    }

    async fn read_info(&self, link: &Link) -> RedisResult<String> {
        let mut connection = link.connection.clone();
        let server: String = cmd("INFO").arg("server").query_async(&mut connection).await?;
        let memory: String = cmd("INFO").arg("memory").query_async(&mut connection).await?;
        Ok(server + &memory)
    }

    async fn read_clock_difference(&self, link: &Link) -> Result<Duration, RedisError> {
        let (mut connection, time) = (link.connection.clone(), cmd("TIME"));
        let before = SystemTime::now();
        let (seconds, micros): (u64, u64) = self.run(link, time.query_async(&mut connection)).await?;
        let after = SystemTime::now();
        let theirs = UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_micros(micros);
        // Redis has read its clock between the two.
        Ok(before.duration_since(theirs).or_else(|_| theirs.duration_since(after)).unwrap_or_default())
    }
}

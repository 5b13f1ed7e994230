//! Checks Redis.

use std::time::Duration;

use super::{
    Check,
    CheckStatus::{Fail, Ok as Pass, Warn},
    Checks, servers,
};
use crate::{
    config::Config,
    db::{Target, run_within},
    domain::MAX_CLOCK_DIFFERENCE,
    redis::{Redis, RedisError, RedisReport, RedisSettings},
};

/// Maximum time for all checks.
const LIMIT: Duration = Duration::from_secs(5);

pub(super) fn check_redis(config: &Config, checks: &mut Checks) {
    let Some(settings) = &config.redis else {
        if matches!(config.database.target, Target::Postgres(_)) && !config.is_exclusive {
            checks.add("redis", Pass, "not used; rate limits apply to each server. Set REDIS_URL for several servers");
        }
        return;
    };
    if config.environment.is_deployed() && settings.address.is_unencrypted() {
        checks.add("redis connection", Warn, "unencrypted; use rediss:// in REDIS_URL");
    }
    let redis = Redis::new(settings.clone(), config.settings_compared_in_redis(&servers::secret(config)), None);
    let check = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| RedisError::Other(error.to_string()))?;
        let result = runtime.block_on(redis.check());
        // A name that is still being resolved must not delay the report.
        runtime.shutdown_background();
        result
    };
    match run_within(LIMIT, check).unwrap_or(Err(RedisError::Timeout(LIMIT))) {
        Ok(report) => checks.0.extend(report_checks(settings, report)),
        Err(error) => checks.add("redis", Fail, format!("{}: {error}; {}", settings.address, error.help())),
    }
}

fn report_checks(settings: &RedisSettings, report: RedisReport) -> Vec<Check> {
    let mut checks = Checks::default();
    let version = report.version.unwrap_or_else(|| "unknown".to_owned());
    let micros = report.round_trip.as_micros();
    checks.add("redis", Pass, format!("connected to {}, version {version}, {micros} µs per command", settings.address));
    checks.add("redis prefix", Pass, settings.prefix.clone());
    match report.eviction_policy.as_deref() {
        None => {}
        Some("noeviction") => {
            let detail =
                "noeviction: when the memory limit is reached, servers continue without Redis; monitor its memory";
            checks.add("redis eviction", Pass, detail);
        }
        Some(policy) => {
            let detail = format!(
                "maxmemory-policy is {policy}: when the memory limit is reached, rate limits may be forgotten; use noeviction"
            );
            checks.add("redis eviction", Warn, detail);
        }
    }
    if report.clock_difference > MAX_CLOCK_DIFFERENCE {
        let seconds = report.clock_difference.as_secs_f64();
        let detail = format!("{seconds:.1} s between this host and Redis; synchronize both with NTP");
        checks.add("redis clock", Warn, detail);
    }
    for difference in report.differences {
        let detail = format!(
            "{} differs on {}; all servers of a deployment need the same value, and other deployments another REDIS_PREFIX",
            difference.setting, difference.server
        );
        checks.add("shared settings", Warn, detail);
    }
    checks.0
}

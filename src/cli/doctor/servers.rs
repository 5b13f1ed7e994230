//! Compares this configuration with the servers that use the database, and the clocks.

use std::fs;

use secrecy::SecretString;

use super::{
    CheckStatus::{Ok as Pass, Warn},
    Checks,
};
use crate::{
    config::Config,
    db::{DbConnection, repositories::running_servers},
    domain::{Clock, MAX_CLOCK_DIFFERENCE, SystemClock, clock_difference, differences},
};

/// Requires all migrations.
pub(super) fn check(config: &Config, connection: &mut DbConnection, checks: &mut Checks) {
    let before = SystemClock.now();
    if let Ok(Some(time)) = running_servers::time(connection) {
        let difference = clock_difference(before, time, SystemClock.now());
        if difference > MAX_CLOCK_DIFFERENCE {
            let seconds = difference.as_secs_f64();
            let detail = format!("{seconds:.1} s between this host and the database; synchronize both with NTP");
            checks.add("database clock", Warn, detail);
        }
    }
    let others = running_servers::list_others(connection, "").unwrap_or_default();
    if others.is_empty() {
        return;
    }
    let own = config.shared_settings(&secret(config));
    let found: Vec<_> =
        others.iter().flat_map(|other| differences(&own, &other.to_string(), &other.settings)).collect();
    if found.is_empty() {
        checks.add("running servers", Pass, format!("{} with the same settings", others.len()));
    }
    for difference in found {
        let detail = format!("{} differs on {}: {}", difference.setting, difference.server, difference.consequence());
        checks.add("running servers", Warn, detail);
    }
}

/// Returns the configured secret, or the generated one if there is one.
pub(super) fn secret(config: &Config) -> SecretString {
    let generated = || fs::read_to_string(config.secret_file()).map(|text| text.trim().to_owned()).unwrap_or_default();
    config.tokens.secret.clone().unwrap_or_else(|| generated().into())
}

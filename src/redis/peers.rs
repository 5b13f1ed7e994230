//! The servers that share Redis, and the differences between their settings. Servers of one PostgreSQL database are compared through the
//! database.

use std::time::Duration;

use ::redis::cmd;
use serde::{Deserialize, Serialize};

use super::{Link, Redis, RedisError};
use crate::domain::{Difference, SharedSettings, differences};

/// Interval between two records of a server.
pub(super) const RECORD_INTERVAL: Duration = Duration::from_secs(1);
/// Time after which a server that does not record itself counts as stopped.
const RECORD_TTL: Duration = Duration::from_secs(30);

/// What a server records about itself.
#[derive(Debug, Deserialize, Serialize)]
struct ServerRecord {
    /// Host name.
    host: String,
    settings: SharedSettings,
}

/// Records this server.
pub(super) async fn register(redis: &Redis, link: &Link) -> Result<(), RedisError> {
    let host = hostname::get().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let record = ServerRecord { host, settings: redis.0.shared_settings.clone() };
    let text = serde_json::to_string(&record).map_err(|error| RedisError::Other(error.to_string()))?;
    let key = record_key(redis, &redis.0.server_id);
    redis.set(link, &key, text, RECORD_TTL).await?;
    let (mut connection, mut add) = (link.connection.clone(), cmd("SADD"));
    let servers = redis.key(format_args!("servers"));
    redis.run(link, add.arg(servers).arg(&redis.0.server_id).query_async(&mut connection)).await
}

/// Compares the settings of this server with those of the others. Forgets servers that have stopped.
pub(super) async fn read_differences(redis: &Redis, link: &Link) -> Result<Vec<Difference>, RedisError> {
    let servers = redis.key(format_args!("servers"));
    let (mut connection, mut members) = (link.connection.clone(), cmd("SMEMBERS"));
    let ids: Vec<String> = redis.run(link, members.arg(&servers).query_async(&mut connection)).await?;
    let mut found = Vec::new();
    for id in ids.iter().filter(|id| **id != redis.0.server_id) {
        let mut get = cmd("GET");
        let text: Option<String> = redis.run(link, get.arg(record_key(redis, id)).query_async(&mut connection)).await?;
        match text.map(|text| serde_json::from_str::<ServerRecord>(&text)) {
            Some(Ok(record)) => found.extend(differences(&redis.0.shared_settings, &record.host, &record.settings)),
            // Written by another version.
            Some(Err(_)) => {}
            None => {
                let mut remove = cmd("SREM");
                let remove = remove.arg(&servers).arg(id);
                redis.run::<()>(link, remove.query_async(&mut connection)).await?;
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn record_key(redis: &Redis, id: &str) -> String {
    redis.key(format_args!("server:{id}"))
}

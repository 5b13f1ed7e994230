//! Checks the replicas of the database before the server starts.

use super::CliError;
use crate::{config::Config, db::check_replicas};

/// Logs the problems of replicas. The server starts without those that are unavailable.
///
/// # Errors
/// Fails if a server can never be a replica of the database.
pub(super) fn check_before_start(config: &Config) -> Result<(), CliError> {
    if config.database.replicas.is_empty() {
        return Ok(());
    }
    for (replica, result) in check_replicas(&config.database) {
        match result {
            Ok(()) => {}
            Err(problem) if problem.is_permanent() => {
                let help = "correct DATABASE_REPLICA_URLS: it lists the standbys of the server in DATABASE_URL";
                return Err(CliError::with_help(format!("cannot use the replica {replica}: {problem}"), help));
            }
            Err(problem) => {
                tracing::warn!(replica, reason = %problem, "replica unavailable; reads run on the primary");
            }
        }
    }
    Ok(())
}

//! Checks the replicas of the database.

use super::{
    CheckStatus::{Fail, Ok as Pass, Warn},
    Checks, is_unauthenticated,
};
use crate::{
    config::Config,
    db::{ReplicaProblem, Target, check_replicas},
};

pub(super) fn check(config: &Config, checks: &mut Checks) {
    if config.database.replicas.is_empty() {
        return;
    }
    for (replica, result) in check_replicas(&config.database) {
        match result {
            Ok(()) => checks.add("replica", Pass, format!("{replica}: a standby of the database")),
            Err(problem) => {
                let (status, help) = match &problem {
                    // It can be the new primary after a failover, or recover.
                    ReplicaProblem::Primary => (Warn, "not used until it is a standby of DATABASE_URL"),
                    ReplicaProblem::NoPrimary => (Warn, "start it, or correct DATABASE_URL"),
                    _ => (Fail, "start it, or correct DATABASE_REPLICA_URLS"),
                };
                checks.add("replica", status, format!("{replica}: {problem}; {help}"));
            }
        }
    }
    if config.environment.is_exposed() && config.database.replicas.iter().any(is_unauthenticated_target) {
        let detail = "a server is not authenticated; add ?sslmode=verify-full to the URLs in DATABASE_REPLICA_URLS";
        checks.add("replica connection", Warn, detail);
    }
}

fn is_unauthenticated_target(target: &Target) -> bool {
    matches!(target, Target::Postgres(url) if is_unauthenticated(url))
}

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
                    ReplicaProblem::Unreachable(_) | ReplicaProblem::NoResponse(_) => {
                        (Fail, "start it, or correct DATABASE_REPLICA_URLS")
                    }
                    ReplicaProblem::OtherCluster { .. } => {
                        (Fail, "list only standbys of the server in DATABASE_URL in DATABASE_REPLICA_URLS")
                    }
                    ReplicaProblem::OtherDatabase => {
                        (Fail, "use the database and the search path of DATABASE_URL in DATABASE_REPLICA_URLS")
                    }
                    ReplicaProblem::OtherTimeline { .. } => {
                        (Fail, "configure it to follow the new primary; if it already does, run CHECKPOINT on it")
                    }
                    ReplicaProblem::Lag(_) => (Fail, "wait until it has caught up, or check its replication"),
                };
                checks.add("replica", status, format!("{replica}: {problem}; {help}"));
            }
        }
    }
    if config.environment.is_deployed() && config.database.replicas.iter().any(is_unauthenticated_target) {
        let detail = "the certificate of a replica is not verified; set sslmode=verify-full in DATABASE_REPLICA_URLS";
        checks.add("replica connection", Warn, detail);
    }
}

fn is_unauthenticated_target(target: &Target) -> bool {
    matches!(target, Target::Postgres(url) if is_unauthenticated(url))
}

//! The variables of replicas of the database.

use super::{
    DURATION, Variable,
    variable::{secret, variable},
};

pub(super) const REPLICAS: &[Variable] = &[
    secret(
        "DATABASE_REPLICA_URLS",
        "Standbys of the PostgreSQL server in DATABASE_URL, on which reads can run. If empty, none.",
        "postgres:// URLs as in DATABASE_URL, separated by commas or spaces",
        "postgres://bucketlist:secret@replica.example.com/bucketlist?sslmode=verify-full",
    ),
    variable(
        "DATABASE_REPLICA_MAX_LAG",
        "10s",
        "Maximum replication lag. A replica that lags further behind is not used for reads. Users always read their own writes.",
        DURATION,
        "1m",
    ),
];

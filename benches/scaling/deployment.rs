//! The steps of docs/scaling.md, and the arithmetic of each.

use crate::measured::{Measurement, mean};

/// Round trip between a server and the database.
pub(crate) const ROUND_TRIP_US: f64 = 300.0;
/// Time of a commit on the primary: a sync of the log, and the round trip to a synchronous standby.
pub(crate) const COMMIT_US: f64 = 1_500.0;

/// Servers and databases, and their load.
#[derive(Clone, Copy)]
pub(crate) struct Deployment {
    pub(crate) name: &'static str,
    pub(crate) per_second: u32,
    pub(crate) servers: usize,
    pub(crate) cores_per_server: usize,
    /// Connections to the primary and to a standby, per server.
    pub(crate) pool: usize,
    /// Separate databases, over which the accounts are distributed. 0 for SQLite.
    pub(crate) partitions: usize,
    pub(crate) cores_per_primary: usize,
    /// Standbys that serve reads, per partition.
    pub(crate) standbys: usize,
    pub(crate) cores_per_standby: usize,
    /// Statements of a read. The token status is one of two; with Redis, the server has it in memory.
    pub(crate) statements_per_read: usize,
}

/// What follows from the measured CPU times without queueing: utilizations, and the mean number of connections in use.
pub(crate) struct Arithmetic {
    pub(crate) servers: f64,
    pub(crate) primaries: f64,
    pub(crate) standbys: f64,
    pub(crate) connections: f64,
}

const SMALL: Deployment = Deployment {
    name: "",
    per_second: 0,
    servers: 1,
    cores_per_server: 2,
    pool: 10,
    partitions: 1,
    cores_per_primary: 4,
    standbys: 0,
    cores_per_standby: 8,
    statements_per_read: 2,
};

/// The steps, in the order of the document.
pub(crate) const STEPS: &[Deployment] = &[
    Deployment { name: "1  SQLite, one server", per_second: 10_000, partitions: 0, ..SMALL },
    Deployment { name: "2  PostgreSQL, one server", per_second: 6_000, ..SMALL },
    Deployment { name: "3  three servers", per_second: 15_000, servers: 3, ..SMALL },
    Deployment {
        name: "4  Redis, two standbys",
        per_second: 40_000,
        servers: 4,
        standbys: 2,
        cores_per_primary: 8,
        statements_per_read: 1,
        ..SMALL
    },
    Deployment {
        name: "5  six servers, four standbys",
        per_second: 100_000,
        servers: 6,
        standbys: 4,
        cores_per_primary: 16,
        statements_per_read: 1,
        ..SMALL
    },
    Deployment {
        name: "6  eight partitions",
        per_second: 100_000,
        servers: 6,
        partitions: 8,
        standbys: 1,
        cores_per_standby: 4,
        statements_per_read: 1,
        ..SMALL
    },
    // Beyond the limits: of the connections, and of the cores of the primary.
    Deployment { name: "2  at 20,000 requests/s", per_second: 20_000, ..SMALL },
    Deployment { name: "3  at 25,000 requests/s", per_second: 25_000, servers: 3, pool: 20, ..SMALL },
    Deployment { name: "3  with 2 connections per server", per_second: 15_000, servers: 3, pool: 2, ..SMALL },
];

impl Deployment {
    /// Returns the machine of the measurement.
    pub(crate) const fn of_measurement() -> Self {
        Self { partitions: 0, ..SMALL }
    }

    pub(crate) fn has_database(&self) -> bool {
        self.partitions > 0
    }

    /// Returns the number of connections that the servers can have open.
    pub(crate) fn connections(&self) -> usize {
        self.servers * self.pool * self.databases()
    }

    /// Returns the number of databases that a server is connected to.
    fn databases(&self) -> usize {
        self.partitions * (1 + self.standbys)
    }

    /// Returns whether a standby serves the operation.
    pub(crate) fn uses_standby(&self, measurement: &Measurement) -> bool {
        self.standbys > 0 && !measurement.is_write
    }

    /// Returns the number of statements of an operation.
    fn statements(&self, measurement: &Measurement) -> f64 {
        // Begin, the creation and commit are sent together.
        if measurement.is_write { 2.0 } else { self.statements_per_read as f64 }
    }

    /// Returns the CPU time of the server for an operation.
    pub(crate) fn server_us(&self, measurement: &Measurement) -> f64 {
        measurement.server_us()
    }

    /// Returns the CPU time of the database for an operation; 0 for SQLite. Both statements of a read cost the same.
    pub(crate) fn database_us(&self, measurement: &Measurement) -> f64 {
        match self.has_database() {
            true if measurement.is_write => measurement.database_us(),
            true => measurement.database_us() * self.statements(measurement) / 2.0,
            false => 0.0,
        }
    }

    /// Returns the time for which an operation holds a connection without using a core of the database.
    pub(crate) fn waiting_us(&self, measurement: &Measurement) -> f64 {
        let commit = if measurement.is_write { COMMIT_US } else { 0.0 };
        self.statements(measurement) * ROUND_TRIP_US + commit
    }

    /// Computes the utilizations from the service times (utilization law), and the connections in use from the time that each is held
    /// (Little's law).
    pub(crate) fn arithmetic(&self) -> Arithmetic {
        let per_us = f64::from(self.per_second) / 1e6;
        let on_standby = |measurement: &Measurement| if self.uses_standby(measurement) { 1.0 } else { 0.0 };
        let utilization = |busy_us: f64, cores: usize| if cores == 0 { 0.0 } else { per_us * busy_us / cores as f64 };
        let held_us = |measurement: &Measurement| self.database_us(measurement) + self.waiting_us(measurement);
        let demand = Arithmetic {
            servers: utilization(mean(|m| self.server_us(m)), self.servers * self.cores_per_server),
            primaries: utilization(
                mean(|m| (1.0 - on_standby(m)) * self.database_us(m)),
                self.partitions * self.cores_per_primary,
            ),
            standbys: utilization(
                mean(|m| on_standby(m) * self.database_us(m)),
                self.partitions * self.standbys * self.cores_per_standby,
            ),
            connections: if self.has_database() { per_us * mean(held_us) } else { 0.0 },
        };
        demand.limited_to(self)
    }

    /// Returns the seed of the simulation.
    pub(crate) fn seed(&self) -> u64 {
        u64::from(self.per_second) + self.servers as u64 + self.pool as u64
    }
}

impl Arithmetic {
    /// Returns what remains of a demand above the capacity: servers work at their limit, and the databases behind them get as many
    /// requests as the servers, the connections and their own cores permit.
    fn limited_to(self, deployment: &Deployment) -> Self {
        let pools = deployment.connections() as f64;
        let reached = |limit: f64, demand: f64| if demand > limit { limit / demand } else { 1.0 };
        let passed = reached(1.0, self.servers).min(reached(1.0, self.primaries)).min(reached(1.0, self.standbys));
        let passed = if pools > 0.0 { passed.min(reached(pools, self.connections)) } else { passed };
        let is_overloaded = passed < 1.0;
        Self {
            servers: self.servers.min(1.0),
            primaries: self.primaries * passed,
            standbys: self.standbys * passed,
            // Requests that wait for a core of the database hold their connection.
            connections: if is_overloaded { pools } else { self.connections },
        }
    }
}

//! The figures of docs/performance.md, and what follows from them.

use crate::{
    deployment::Deployment,
    simulation::{self, Load},
};

/// The CPU time of an operation, measured with 32 clients on a machine with 2 cores.
pub(crate) struct Measurement {
    pub(crate) operation: &'static str,
    /// Share of the requests in the assumed mix.
    pub(crate) share: f64,
    pub(crate) is_write: bool,
    /// CPU time on SQLite, in which the server and the database are one process.
    sqlite_us: u32,
    /// CPU time of the server and of PostgreSQL.
    pub(crate) total_us: u32,
    /// 99th percentile of the latency on PostgreSQL.
    pub(crate) p99_ms: f64,
}

/// Share of HTTP in the CPU time of a creation on SQLite, from the profile. The share of HTTP in a read is larger.
const HTTP_SHARE: f64 = 0.42;

/// Nine of ten requests read; this mix is an assumption.
pub(crate) const MEASURED: [Measurement; 4] = [
    Measurement { operation: "retrieve", share: 0.60, is_write: false, sqlite_us: 33, total_us: 132, p99_ms: 4.9 },
    Measurement { operation: "list", share: 0.30, is_write: false, sqlite_us: 58, total_us: 189, p99_ms: 6.5 },
    Measurement {
        operation: "create a bucketlist",
        share: 0.05,
        is_write: true,
        sqlite_us: 93,
        total_us: 431,
        p99_ms: 31.7,
    },
    Measurement {
        operation: "create an item",
        share: 0.05,
        is_write: true,
        sqlite_us: 72,
        total_us: 694,
        p99_ms: 37.0,
    },
];

impl Measurement {
    /// Returns the CPU time of the server. An upper bound: on SQLite it contains that of the database.
    pub(crate) fn server_us(&self) -> f64 {
        f64::from(self.sqlite_us)
    }

    /// Returns the CPU time of PostgreSQL. An upper bound: at least the HTTP share is that of the server.
    pub(crate) fn database_us(&self) -> f64 {
        f64::from(self.total_us) - HTTP_SHARE * f64::from(self.sqlite_us)
    }

    /// Returns the 99th percentile of the latency in the model of the measurement, in milliseconds. `variation` is the standard
    /// deviation of the service time in relation to its mean.
    pub(crate) fn p99(&self, variation: f64) -> f64 {
        let machine = Deployment::of_measurement();
        let load = Load::Closed { clients: 32, service_us: f64::from(self.total_us) };
        simulation::run(&machine, load, &[variation], 1).p99_ms
    }

    /// Returns the variation with which the model has the measured latency, found by bisection.
    pub(crate) fn variation(&self) -> f64 {
        let (mut low, mut high) = (0.0, 16.0);
        for _ in 0..12 {
            let middle = f64::midpoint(low, high);
            if self.p99(middle) < self.p99_ms {
                low = middle;
            } else {
                high = middle;
            }
        }
        f64::midpoint(low, high)
    }
}

/// Returns the mean of a value over the mix.
pub(crate) fn mean(value: impl Fn(&Measurement) -> f64) -> f64 {
    MEASURED.iter().map(|measurement| measurement.share * value(measurement)).sum()
}

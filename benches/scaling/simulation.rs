//! A discrete-event simulation of requests that wait for cores and connections, first come, first served.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{deployment::Deployment, measured::MEASURED};

/// Simulated requests. The first tenth is not measured, because the queues are empty at first.
const REQUESTS: usize = 120_000;

/// How requests arrive.
#[derive(Clone, Copy)]
pub(crate) enum Load {
    /// At random times, regardless of responses.
    Open { per_second: u32 },
    /// Each client sends a request when it has received the response to the last one. All have this service time on a server.
    Closed { clients: usize, service_us: f64 },
}

/// The measured part of a simulation.
pub(crate) struct Outcome {
    /// Mean utilizations.
    pub(crate) servers: f64,
    pub(crate) primaries: f64,
    pub(crate) standbys: f64,
    /// Mean number of connections in use.
    pub(crate) connections: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// Cores of a machine, or connections of a pool, with their queue.
struct Station {
    free: usize,
    queue: VecDeque<usize>,
    /// Time for which they were in use, after the warm-up.
    used_us: f64,
}

/// A step of a request.
#[derive(Clone, Copy)]
enum Step {
    /// Wait for a core of this station, and use it.
    Work {
        station: usize,
        us: f64,
    },
    /// Wait for a connection of this station, and hold it.
    Acquire {
        station: usize,
    },
    /// Wait for the network or the disk.
    Wait {
        us: f64,
    },
    Release {
        station: usize,
    },
}

struct Request {
    arrived_us: f64,
    steps: Vec<Step>,
    next: usize,
    acquired_us: f64,
}

/// Times are compared as integers.
type Event = Reverse<(u64, usize)>;

struct Simulation {
    now_us: f64,
    warm_up_us: f64,
    stations: Vec<Station>,
    requests: Vec<Request>,
    events: BinaryHeap<Event>,
    latencies_us: Vec<f64>,
}

/// Simulates a load. `variations` are the variations of the service times of the operations.
pub(crate) fn run(deployment: &Deployment, load: Load, variations: &[f64], seed: u64) -> Outcome {
    let mut random = StdRng::seed_from_u64(seed);
    let layout = Layout::new(deployment);
    let mut simulation = Simulation::new(&layout);
    match load {
        Load::Open { per_second } => {
            let mut at_us = 0.0;
            for number in 0..REQUESTS {
                at_us += exponential(&mut random) * 1e6 / f64::from(per_second);
                if number == REQUESTS / 10 {
                    simulation.warm_up_us = at_us;
                }
                let steps = layout.steps(number, variations, &mut random);
                simulation.add(at_us, steps);
            }
            // Utilizations are those until the last arrival: after it, the queues only empty.
            simulation.run_until(at_us);
            let outcome = simulation.outcome(&layout, deployment);
            simulation.run_until(f64::INFINITY);
            Outcome { p50_ms: simulation.quantile(0.5), p99_ms: simulation.quantile(0.99), ..outcome }
        }
        Load::Closed { clients, service_us } => {
            let steps = |random: &mut StdRng| {
                vec![Step::Work { station: 0, us: service_us * log_normal(variations[0], random) }]
            };
            (0..clients).for_each(|_| simulation.add(0.0, steps(&mut random)));
            while simulation.latencies_us.len() < REQUESTS / 8 {
                if simulation.step() {
                    simulation.add(simulation.now_us, steps(&mut random));
                }
            }
            let outcome = simulation.outcome(&layout, deployment);
            Outcome { p50_ms: simulation.quantile(0.5), p99_ms: simulation.quantile(0.99), ..outcome }
        }
    }
}

/// The stations of a deployment, by index: cores of the servers, cores of the databases, connections of each server to each database.
struct Layout<'a> {
    deployment: &'a Deployment,
    databases: usize,
}

impl<'a> Layout<'a> {
    fn new(deployment: &'a Deployment) -> Self {
        Self { deployment, databases: deployment.partitions * (1 + deployment.standbys) }
    }

    /// Returns the number of cores or connections of each station.
    fn capacities(&self) -> Vec<usize> {
        let deployment = self.deployment;
        let mut capacities = vec![deployment.cores_per_server; deployment.servers];
        capacities.extend((0..self.databases).map(|database| match self.is_primary(database) {
            true => deployment.cores_per_primary,
            false => deployment.cores_per_standby,
        }));
        capacities.extend(std::iter::repeat_n(deployment.pool, deployment.servers * self.databases));
        capacities
    }

    fn is_primary(&self, database: usize) -> bool {
        database.is_multiple_of(1 + self.deployment.standbys)
    }

    /// Returns the steps of a request: an operation of the mix, on the next server, for a random account.
    fn steps(&self, number: usize, variations: &[f64], random: &mut StdRng) -> Vec<Step> {
        let deployment = self.deployment;
        let mut share = random.random::<f64>();
        let operation = MEASURED.iter().position(|measurement| {
            share -= measurement.share;
            share < 0.0
        });
        let operation = operation.unwrap_or(0);
        let (measurement, variation) = (&MEASURED[operation], variations[operation]);
        let server = number % deployment.servers;
        // One factor for the whole request: a long list is long for the server and for the database.
        let factor = log_normal(variation, random);
        let mut steps = vec![Step::Work { station: server, us: deployment.server_us(measurement) * factor }];
        if deployment.has_database() {
            let partition = random.random_range(0..deployment.partitions);
            let node = match deployment.uses_standby(measurement) {
                true => 1 + random.random_range(0..deployment.standbys),
                false => 0,
            };
            let database = partition * (1 + deployment.standbys) + node;
            let pool = deployment.servers + self.databases + server * self.databases + database;
            steps.extend([
                Step::Acquire { station: pool },
                Step::Wait { us: deployment.waiting_us(measurement) },
                Step::Work { station: deployment.servers + database, us: deployment.database_us(measurement) * factor },
                Step::Release { station: pool },
            ]);
        }
        steps
    }
}

impl Simulation {
    fn new(layout: &Layout<'_>) -> Self {
        let station = |free| Station { free, queue: VecDeque::new(), used_us: 0.0 };
        Self {
            now_us: 0.0,
            warm_up_us: 0.0,
            stations: layout.capacities().into_iter().map(station).collect(),
            requests: Vec::new(),
            events: BinaryHeap::new(),
            latencies_us: Vec::new(),
        }
    }

    fn add(&mut self, arrived_us: f64, steps: Vec<Step>) {
        self.schedule(arrived_us, self.requests.len());
        self.requests.push(Request { arrived_us, steps, next: 0, acquired_us: 0.0 });
    }

    fn schedule(&mut self, at_us: f64, request: usize) {
        self.events.push(Reverse(((at_us * 1e3) as u64, request)));
    }

    fn run_until(&mut self, end_us: f64) {
        while self.events.peek().is_some_and(|Reverse((at, _))| *at as f64 / 1e3 <= end_us) {
            self.step();
        }
    }

    /// Processes the next event. Returns whether a request is complete.
    fn step(&mut self) -> bool {
        let Some(Reverse((at, number))) = self.events.pop() else { return false };
        self.now_us = at as f64 / 1e3;
        // The event is the arrival of the request, or the end of its last step.
        if let Some(Step::Work { station, us }) = self.last_step(number) {
            self.leave(station, us);
        }
        self.advance(number)
    }

    fn last_step(&self, number: usize) -> Option<Step> {
        let request = &self.requests[number];
        request.next.checked_sub(1).map(|last| request.steps[last])
    }

    /// Runs the next steps of a request until it waits. Returns whether it is complete.
    fn advance(&mut self, number: usize) -> bool {
        loop {
            let request = &mut self.requests[number];
            let Some(step) = request.steps.get(request.next).copied() else {
                let latency_us = self.now_us - request.arrived_us;
                if request.arrived_us >= self.warm_up_us {
                    self.latencies_us.push(latency_us);
                }
                return true;
            };
            request.next += 1;
            match step {
                Step::Wait { us } => {
                    self.schedule(self.now_us + us, number);
                    return false;
                }
                Step::Release { station } => {
                    let held_us = self.now_us - request.acquired_us.max(self.warm_up_us);
                    self.leave(station, held_us.max(0.0));
                }
                Step::Work { station, .. } | Step::Acquire { station } => {
                    if self.stations[station].free == 0 {
                        self.stations[station].queue.push_back(number);
                        return false;
                    }
                    self.stations[station].free -= 1;
                    if self.begin(number, step) {
                        return false;
                    }
                }
            }
        }
    }

    /// Uses a core or a connection that is free. Returns whether the request waits for its end.
    fn begin(&mut self, number: usize, step: Step) -> bool {
        match step {
            Step::Work { us, .. } => {
                self.schedule(self.now_us + us, number);
                true
            }
            _ => {
                self.requests[number].acquired_us = self.now_us;
                false
            }
        }
    }

    /// Frees a core or a connection after its use, and passes it to the next request in the queue.
    fn leave(&mut self, station: usize, used_us: f64) {
        if self.now_us >= self.warm_up_us {
            self.stations[station].used_us += used_us;
        }
        match self.stations[station].queue.pop_front() {
            None => self.stations[station].free += 1,
            Some(next) => {
                if let Some(step) = self.last_step(next)
                    && !self.begin(next, step)
                {
                    self.advance(next);
                }
            }
        }
    }

    fn outcome(&self, layout: &Layout<'_>, deployment: &Deployment) -> Outcome {
        let time_us = self.now_us - self.warm_up_us;
        let capacities = layout.capacities();
        let utilization = |stations: &mut dyn Iterator<Item = usize>| {
            let (used, cores) = stations.fold((0.0, 0.0), |(used, cores), index| {
                (used + self.stations[index].used_us, cores + capacities[index] as f64)
            });
            if cores > 0.0 { used / cores / time_us } else { 0.0 }
        };
        let first = deployment.servers;
        let databases = |is_primary: bool| {
            (0..layout.databases)
                .filter(move |index| layout.is_primary(*index) == is_primary)
                .map(move |index| first + index)
        };
        let pools = first + layout.databases..capacities.len();
        Outcome {
            servers: utilization(&mut (0..first)),
            primaries: utilization(&mut databases(true)),
            standbys: utilization(&mut databases(false)),
            connections: pools.map(|index| self.stations[index].used_us).sum::<f64>() / time_us,
            p50_ms: 0.0,
            p99_ms: 0.0,
        }
    }

    fn quantile(&self, quantile: f64) -> f64 {
        let mut sorted = self.latencies_us.clone();
        sorted.sort_by(f64::total_cmp);
        let index = (sorted.len() as f64 * quantile) as usize;
        sorted.get(index.min(sorted.len().saturating_sub(1))).map_or(0.0, |us| us / 1e3)
    }
}

/// Returns an exponentially distributed number with the mean 1.
fn exponential(random: &mut StdRng) -> f64 {
    -(1.0 - random.random::<f64>()).ln()
}

/// Returns a log-normally distributed number with the mean 1. `variation` is its standard deviation.
fn log_normal(variation: f64, random: &mut StdRng) -> f64 {
    let variance = (1.0 + variation * variation).ln();
    // A normally distributed number (Box–Muller).
    let normal =
        (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt() * (std::f64::consts::TAU * random.random::<f64>()).cos();
    (variance.sqrt() * normal - variance / 2.0).exp()
}

//! Metrics of background jobs and recurring tasks.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::Gauge,
        histogram::Histogram,
    },
    registry::{Registry, Unit},
};

/// Upper bounds of the buckets of run times, in seconds.
const BUCKETS: [f64; 10] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0];

/// Results of recurring tasks.
const SUCCEEDED: &str = "succeeded";
const FAILED: &str = "failed";

/// Metrics of jobs; cheap to clone. The kinds of jobs and the names of tasks are those that this release knows.
#[derive(Clone, Debug)]
pub struct JobMetrics {
    jobs: Family<StateLabels, Gauge>,
    oldest_due: Gauge<f64, std::sync::atomic::AtomicU64>,
    runs: Family<RunLabels, Counter>,
    durations: Family<KindLabels, Histogram, NewHistogram>,
    schedule_runs: Family<ScheduleLabels, Counter>,
}

/// The result of an attempt to run a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobResult {
    Completed,
    /// It will be retried.
    Failed,
    /// It has failed for the last time.
    Dead,
    /// The server is shutting down.
    Released,
}

impl JobResult {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Dead => "dead",
            Self::Released => "released",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    kind: &'static str,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    kind: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ScheduleLabels {
    schedule: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug)]
struct NewHistogram;

impl MetricConstructor<Histogram> for NewHistogram {
    fn new_metric(&self) -> Histogram {
        Histogram::new(BUCKETS)
    }
}

impl JobMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            jobs: Family::default(),
            oldest_due: Gauge::default(),
            runs: Family::default(),
            durations: Family::new_with_constructor(NewHistogram),
            schedule_runs: Family::default(),
        };
        registry.register("jobs", "Jobs by kind and state", metrics.jobs.clone());
        registry.register_with_unit(
            "job_queue_oldest_due_age",
            "Time for which the oldest due job has waited for a worker",
            Unit::Seconds,
            metrics.oldest_due.clone(),
        );
        registry.register("job_runs", "Attempts to run a job, by kind and result", metrics.runs.clone());
        registry.register_with_unit(
            "job_duration",
            "Duration of an attempt to run a job",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        registry.register(
            "job_schedule_runs",
            "Runs of recurring tasks on this server, by result",
            metrics.schedule_runs.clone(),
        );
        metrics
    }

    /// Creates the series of these states and kinds, so that an increase from zero is visible.
    pub fn initialize(&self, states: &[&'static str], kinds: &[&'static str]) {
        for kind in kinds {
            for state in states {
                self.set_count(state, kind, 0);
            }
            for result in [JobResult::Completed, JobResult::Failed, JobResult::Dead] {
                drop(self.runs.get_or_create(&RunLabels { kind, result: result.as_str() }));
            }
            drop(self.durations.get_or_create(&KindLabels { kind }));
        }
    }

    /// Creates the series of a recurring task.
    pub fn initialize_schedule(&self, schedule: &'static str) {
        for result in [SUCCEEDED, FAILED] {
            drop(self.schedule_runs.get_or_create(&ScheduleLabels { schedule, result }));
        }
    }

    /// Records an attempt to run a job.
    pub fn record(&self, kind: &'static str, result: JobResult, duration: Duration) {
        self.runs.get_or_create(&RunLabels { kind, result: result.as_str() }).inc();
        self.durations.get_or_create(&KindLabels { kind }).observe(duration.as_secs_f64());
    }

    /// Records a run of a recurring task.
    pub fn record_schedule(&self, schedule: &'static str, has_succeeded: bool) {
        let result = if has_succeeded { SUCCEEDED } else { FAILED };
        self.schedule_runs.get_or_create(&ScheduleLabels { schedule, result }).inc();
    }

    /// Sets the number of jobs of a kind in a state.
    pub fn set_count(&self, state: &'static str, kind: &'static str, count: i64) {
        self.jobs.get_or_create(&StateLabels { kind, state }).set(count);
    }

    /// Sets the time for which the oldest due job has waited.
    pub fn set_oldest_due(&self, age: Duration) {
        self.oldest_due.set(age.as_secs_f64());
    }
}

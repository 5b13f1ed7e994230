//! Background work: queued jobs, recurring tasks, and the storage of captured failures.
//!
//! A request inserts its jobs in its own transaction (an outbox). A job runs at least once, is idempotent, and is
//! isolated: neither an error nor a panic stops other jobs. See `docs/decisions/0070-use-one-queue-with-priorities-for-jobs.md`.

mod account_mail;
mod backup;
mod dead_letters;
mod delivery;
mod deprecation_mail;
mod deprecation_notices;
mod export;
mod incidents;
mod job;
mod kinds;
mod maintenance;
mod monitor;
mod password_reset;
mod purge;
mod queue;
mod recurring;
mod running_servers;
mod scheduler;
mod supervisor;
mod worker;

pub use backup::BackupSchedule;
pub use incidents::IncidentWriter;
pub use running_servers::{Findings, ServerRegistry};
pub use worker::{DeprecationMailSettings, JobWorker, RetentionPeriods, WorkerSettings};

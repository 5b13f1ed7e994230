//! Background jobs and recurring tasks, as administrators see them.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::{JobId, KeysetPosition, SortValue, Timestamp, text_enum::text_enum};

text_enum! {
    /// The state of a job.
    JobState {
        /// Waits until it is due for the first time.
        Queued "queued"
        /// A worker runs it.
        Running "running"
        /// Has failed, and waits for its next attempt.
        Retrying "retrying"
        /// It has succeeded.
        Done "done"
        /// It has exhausted its attempts: a dead letter.
        Dead "dead"
        /// An administrator has cancelled it.
        Cancelled "cancelled"
    }
}

impl JobState {
    /// Returns whether the job will run, or runs.
    #[must_use]
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::Queued | Self::Running | Self::Retrying)
    }

    /// Returns the state of a job that waits and was started this number of times.
    #[must_use]
    pub const fn waiting(attempts: i32) -> Self {
        if attempts > 0 { Self::Retrying } else { Self::Queued }
    }

    /// Returns whether the job can be made to run now.
    #[must_use]
    pub const fn can_retry(self) -> bool {
        matches!(self, Self::Queued | Self::Retrying | Self::Dead | Self::Cancelled)
    }

    /// Returns whether the job can be deleted.
    #[must_use]
    pub const fn can_delete(self) -> bool {
        !matches!(self, Self::Running)
    }
}

text_enum! {
    /// The priority of a job. Due jobs of a higher priority run first.
    JobPriority {
        /// Mail.
        High "high"
        /// Everything else.
        Normal "normal"
        /// Jobs that take long, such as exports.
        Low "low"
    }
}

impl JobPriority {
    /// Returns the number that is stored: a smaller one is a higher priority.
    #[must_use]
    pub const fn rank(self) -> i32 {
        match self {
            Self::High => 1,
            Self::Normal => 2,
            Self::Low => 3,
        }
    }

    /// Returns the priority with this number. A number that a later release has stored is the nearest priority.
    #[must_use]
    pub const fn from_rank(rank: i32) -> Self {
        match rank {
            i32::MIN..=1 => Self::High,
            2 => Self::Normal,
            3.. => Self::Low,
        }
    }
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Job {
    pub id: JobId,
    pub kind: String,
    pub state: JobState,
    pub priority: JobPriority,
    /// The arguments by name. Private values are masked.
    pub payload: BTreeMap<String, String>,
    /// Number of times that the job was started and not released.
    pub attempts: i32,
    pub max_attempts: i32,
    /// The error of the latest attempt, with masked email addresses.
    pub last_error: Option<String>,
    /// When the job is due. While it runs: when another worker may run it, unless its worker extends the time. `None` if it will not
    /// run again.
    pub run_at: Option<Timestamp>,
    pub created_at: Timestamp,
    /// When the latest attempt started.
    pub started_at: Option<Timestamp>,
    /// When the job reached a state in which it does not run again.
    pub finished_at: Option<Timestamp>,
    /// The worker of the latest attempt.
    pub worker: Option<String>,
}

impl Job {
    /// Returns the position of this job in the list.
    #[must_use]
    pub const fn position(&self) -> KeysetPosition {
        KeysetPosition { value: SortValue::Timestamp(self.created_at), id: self.id.get() }
    }
}

/// Selects jobs; `None` selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    pub state: Option<JobState>,
    pub kind: Option<String>,
}

/// The number of jobs of a kind in a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobCount {
    pub state: JobState,
    pub kind: String,
    pub count: i64,
}

text_enum! {
    /// The result of a run of a recurring task.
    ScheduleResult {
        /// The task has succeeded.
        Succeeded "succeeded"
        /// The task has failed. It runs again after its interval.
        Failed "failed"
    }
}

/// The schedule of a recurring task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobSchedule {
    pub name: String,
    pub interval: Duration,
    pub next_run_at: Timestamp,
    /// When the latest run started.
    pub last_started_at: Option<Timestamp>,
    /// When the latest run ended; `None` while it runs.
    pub last_finished_at: Option<Timestamp>,
    pub last_result: Option<ScheduleResult>,
    pub last_error: Option<String>,
    /// Number of rows, files or mails of the latest run.
    pub last_count: Option<i64>,
    /// The worker of the latest run.
    pub worker: Option<String>,
    /// Until when a server runs the task, unless it extends the lease.
    pub lease_expires_at: Option<Timestamp>,
}

impl JobSchedule {
    /// Returns whether a server runs the task.
    #[must_use]
    pub fn is_running(&self, now: Timestamp) -> bool {
        self.lease_expires_at.is_some_and(|lease| lease > now)
    }
}

/// Placeholder of a private value.
const MASK: &str = "[masked]";

/// Masks a private value. Of an email address, the domain remains, so that problems of a mail server can be found.
#[must_use]
pub fn mask_value(value: &str) -> String {
    match value.split_once('@') {
        Some((local, domain)) if is_domain(domain) => mask_address(local, domain),
        _ => MASK.to_owned(),
    }
}

/// Masks the email addresses in a message, such as the response of a mail server.
#[must_use]
pub fn mask_addresses(message: &str) -> String {
    let is_separator = |c: char| c.is_whitespace() || "<>()[]\"',;:=`{}".contains(c);
    let mut masked = String::with_capacity(message.len());
    for part in message.split_inclusive(is_separator) {
        let word = part.trim_end_matches(is_separator);
        match word.split_once('@') {
            Some((local, domain)) if !local.is_empty() && !domain.is_empty() => {
                masked.push_str(&mask_address(local, domain));
            }
            _ => masked.push_str(word),
        }
        masked.push_str(&part[word.len()..]);
    }
    masked
}

fn mask_address(local: &str, domain: &str) -> String {
    let first: String = local.chars().take(1).collect();
    format!("{first}***@{domain}")
}

fn is_domain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_values_are_masked() {
        for (value, expected) in [
            ("ada@example.com", "a***@example.com"),
            ("é@bücher.example", "é***@bücher.example"),
            ("Ada Lovelace", "[masked]"),
            ("token@secret value", "[masked]"),
            ("@", "[masked]"),
            ("", "[masked]"),
        ] {
            assert_eq!(mask_value(value), expected);
        }
    }

    #[test]
    fn addresses_in_messages_are_masked() {
        for (message, expected) in [
            ("550 5.1.1 <ada@example.com>: rejected", "550 5.1.1 <a***@example.com>: rejected"),
            ("to=ada@example.com, bob@example.org", "to=a***@example.com, b***@example.org"),
            ("connection refused", "connection refused"),
            ("a @ b", "a @ b"),
        ] {
            assert_eq!(mask_addresses(message), expected);
        }
    }

    #[test]
    fn priorities_are_stored_in_order() {
        for priority in JobPriority::ALL {
            assert_eq!(JobPriority::from_rank(priority.rank()), *priority);
        }
        assert!(JobPriority::ALL.is_sorted_by_key(|priority| priority.rank()));
        assert_eq!([JobPriority::from_rank(0), JobPriority::from_rank(9)], [JobPriority::High, JobPriority::Low]);
    }
}

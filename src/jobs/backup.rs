//! Backs up an SQLite database at regular intervals.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::{
    db::backup::{self, BackupError},
    domain::{Clock, Timestamp},
};

/// Interval between checks whether a backup is due.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);
const PREFIX: &str = "bucketlist-";
const SUFFIX: &str = ".db";

/// Where and how often to back up, and how many backups to retain.
#[derive(Clone, Debug)]
pub struct BackupSchedule {
    pub database: PathBuf,
    pub directory: PathBuf,
    pub interval: Duration,
    /// Number of backups.
    pub keep: usize,
}

/// Writes backups that are due.
pub(super) struct RecurringBackup {
    schedule: BackupSchedule,
    clock: Arc<dyn Clock>,
}

impl RecurringBackup {
    pub(super) fn new(schedule: BackupSchedule, clock: Arc<dyn Clock>) -> Self {
        Self { schedule, clock }
    }

    /// Backs up at regular intervals until `shutdown` is cancelled. The names of existing backups determine when the next one is due,
    /// so that a restart does not add one.
    pub(super) async fn run(&self, shutdown: &CancellationToken) {
        let mut interval = tokio::time::interval(CHECK_INTERVAL);
        while shutdown.run_until_cancelled(interval.tick()).await.is_some() {
            let (schedule, now) = (self.schedule.clone(), self.clock.now());
            match tokio::task::spawn_blocking(move || back_up_if_due(&schedule, now)).await {
                Ok(Ok(None)) => {}
                Ok(Ok(Some(file))) => tracing::info!(file = %file.display(), "database backed up"),
                Ok(Err(error)) => tracing::error!(%error, "cannot back up the database"),
                Err(error) => tracing::error!(%error, "cannot back up the database"),
            }
        }
    }
}

/// Writes a backup if the newest one is older than the interval, and then deletes the oldest ones. Returns the new file.
pub(super) fn back_up_if_due(schedule: &BackupSchedule, now: Timestamp) -> Result<Option<PathBuf>, BackupError> {
    let unreadable = |source| BackupError::File { action: "read", path: schedule.directory.clone(), source };
    fs::create_dir_all(&schedule.directory).map_err(unreadable)?;
    let newest_allowed = name(now.before(schedule.interval));
    // Names are sorted like times.
    if backups(&schedule.directory).map_err(unreadable)?.last().is_some_and(|newest| *newest > newest_allowed) {
        return Ok(None);
    }
    let file = schedule.directory.join(name(now));
    backup::back_up(&schedule.database, &file)?;
    // Only after a success, so that failures do not use up the backups.
    let existing = backups(&schedule.directory).map_err(unreadable)?;
    for old in existing.iter().rev().skip(schedule.keep.max(1)) {
        let path = schedule.directory.join(old);
        fs::remove_file(&path).map_err(|source| BackupError::File { action: "delete", path, source })?;
    }
    Ok(Some(file))
}

fn name(time: Timestamp) -> String {
    format!("{PREFIX}{}{SUFFIX}", time.compact_utc())
}

/// Lists the backups in a directory, oldest first. Ignores other files.
fn backups(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let file_name = entry?.file_name();
        let Some(text) = file_name.to_str() else { continue };
        let stamp = text.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
        if stamp.is_some_and(|stamp| stamp.len() == "20260101T000000Z".len()) {
            names.push(text.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::db::{Options, Target, migrations::Migrator};

    const HOUR: Duration = Duration::from_secs(3600);

    fn schedule(directory: &TempDir) -> BackupSchedule {
        let database = directory.path().join("a.db");
        let options = Options::new(Target::Sqlite(database.clone()), 1);
        Migrator::connect(&options).unwrap().up().unwrap();
        BackupSchedule { database, directory: directory.path().join("backups"), interval: HOUR, keep: 2 }
    }

    #[test]
    fn backups_are_written_at_the_interval_and_the_newest_are_retained() {
        let directory = TempDir::new().unwrap();
        let schedule = schedule(&directory);
        let mut now = Timestamp::from_seconds(1_800_000_000);
        for _ in 0..4 {
            assert!(back_up_if_due(&schedule, now).unwrap().is_some());
            assert_eq!(back_up_if_due(&schedule, now + HOUR / 2).unwrap(), None);
            now = now + HOUR;
        }
        fs::write(schedule.directory.join("notes.txt"), "mine").unwrap();
        assert!(back_up_if_due(&schedule, now).unwrap().is_some());
        assert_eq!(
            backups(&schedule.directory).unwrap(),
            ["bucketlist-20270115T110000Z.db", "bucketlist-20270115T120000Z.db"]
        );
        assert!(schedule.directory.join("notes.txt").exists());
    }

    #[test]
    fn failed_backup_deletes_nothing() {
        let directory = TempDir::new().unwrap();
        let schedule = schedule(&directory);
        let now = Timestamp::from_seconds(1_800_000_000);
        back_up_if_due(&schedule, now).unwrap();
        fs::write(&schedule.database, "damaged").unwrap();
        assert!(back_up_if_due(&schedule, now + HOUR).is_err());
        assert_eq!(backups(&schedule.directory).unwrap(), ["bucketlist-20270115T080000Z.db"]);
        assert_eq!(fs::read_dir(&schedule.directory).unwrap().count(), 1, "a partial file remains");
    }
}

//! Backs up an SQLite database at regular intervals.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::recurring::{Recurring, TaskError};
use crate::{
    db::backup::{self, BackupError},
    domain::{Clock, Timestamp},
};

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

/// Writes backups.
pub(super) struct RecurringBackup {
    /// `None` if recurring backups are disabled.
    pub(super) schedule: Option<BackupSchedule>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Recurring for RecurringBackup {
    const NAME: &'static str = "backup";

    fn interval(&self) -> Option<Duration> {
        self.schedule.as_ref().map(|schedule| schedule.interval)
    }

    async fn run(&self) -> Result<Option<u64>, TaskError> {
        let Some(schedule) = self.schedule.clone() else { return Ok(None) };
        let now = self.clock.now();
        let file = tokio::task::spawn_blocking(move || back_up(&schedule, now)).await??;
        tracing::info!(file = %file.display(), "database backed up");
        Ok(Some(1))
    }
}

/// Writes a backup, and then deletes the oldest ones. Returns the new file.
fn back_up(schedule: &BackupSchedule, now: Timestamp) -> Result<PathBuf, BackupError> {
    let failed = |action| move |source| BackupError::File { action, path: schedule.directory.clone(), source };
    // Like the data directory: a backup holds email addresses and password hashes.
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&schedule.directory).map_err(failed("create"))?;
    // Of a server that was killed.
    backup::delete_abandoned_files(&schedule.directory, PREFIX);
    let file = schedule.directory.join(name(now));
    backup::back_up(&schedule.database, &file)?;
    // Only after a success, so that failures do not use up the backups.
    let existing = backups(&schedule.directory).map_err(failed("read"))?;
    for old in existing.iter().rev().skip(schedule.keep.max(1)) {
        let path = schedule.directory.join(old);
        fs::remove_file(&path).map_err(|source| BackupError::File { action: "delete", path, source })?;
    }
    Ok(file)
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
    fn newest_backups_are_retained() {
        let directory = TempDir::new().unwrap();
        let schedule = schedule(&directory);
        let mut now = Timestamp::from_seconds(1_800_000_000);
        for _ in 0..4 {
            back_up(&schedule, now).unwrap();
            now = now + HOUR;
        }
        fs::write(schedule.directory.join("notes.txt"), "mine").unwrap();
        back_up(&schedule, now).unwrap();
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
        back_up(&schedule, now).unwrap();
        fs::write(&schedule.database, "damaged").unwrap();
        assert!(back_up(&schedule, now + HOUR).is_err());
        assert_eq!(backups(&schedule.directory).unwrap(), ["bucketlist-20270115T080000Z.db"]);
        assert_eq!(fs::read_dir(&schedule.directory).unwrap().count(), 1, "a partial file remains");
    }
}

//! Checks of the directories that the server writes to.

use std::{fs, io, path::Path};

use super::{
    CheckStatus::{Fail, Ok as Pass},
    Checks, describe, is_absent,
};
use crate::{
    cli::{error::io_reason, prepare_directories},
    config::Config,
};

pub(super) fn check_data_directory(config: &Config, checks: &mut Checks) {
    let directory = config.data_dir.display();
    if is_absent(&config.data_dir) {
        return match can_create(&config.data_dir) {
            Ok(()) => checks.add("data directory", Pass, format!("{directory} does not exist yet; `serve` creates it")),
            Err(error) => {
                let reason = io_reason(&error);
                checks.add(
                    "data directory",
                    Fail,
                    format!("cannot create {directory}: {reason}; set DATA_DIR to another directory"),
                );
            }
        };
    }
    match prepare_directories(config) {
        Ok(()) => checks.add("data directory", Pass, format!("{directory} is writable")),
        Err(error) => checks.add("data directory", Fail, describe(&error)),
    }
}

pub(super) fn check_backup_directory(config: &Config, checks: &mut Checks) {
    if config.backups.interval.is_zero() {
        return;
    }
    let path = config.backup_dir();
    let directory = path.display();
    match can_create(&path) {
        Ok(()) => checks.add("backup directory", Pass, format!("{directory} is writable")),
        Err(error) => {
            let reason = io_reason(&error);
            checks.add(
                "backup directory",
                Fail,
                format!("cannot write to {directory}: {reason}; set BACKUP_DIR to another directory"),
            );
        }
    }
}

/// Checks that files can be created in a directory, or in its nearest parent that exists.
fn can_create(directory: &Path) -> io::Result<()> {
    let existing = directory.ancestors().find(|path| !is_absent(path) && !path.as_os_str().is_empty());
    let probe = existing.unwrap_or(Path::new(".")).join(format!(".probe-{}", std::process::id()));
    fs::create_dir(&probe).and_then(|()| fs::remove_dir(&probe))
}

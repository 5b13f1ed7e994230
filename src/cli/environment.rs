//! Prepares the configuration, the directories and the secret for a command.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;

use super::{CliError, error::io_reason};
use crate::{
    config::{
        self, Config, Variables,
        env_file::{self, EnvFile, EnvFileError},
    },
    db::Target,
    domain::{Random, SystemRandom},
};

/// The variables of the environment and of the `.env` file, and where they come from.
#[derive(Debug)]
pub struct Settings {
    pub(super) variables: Variables,
    /// The file that was read, if there is one.
    pub(super) file: Option<PathBuf>,
    /// Names of variables that the file sets more than once.
    duplicates: BTreeSet<String>,
    /// The value of `--env-file`.
    env_file: Option<PathBuf>,
}

impl Settings {
    /// Reads `./.env`, or the file that `--env-file` names, and the environment. The environment takes precedence.
    ///
    /// # Errors
    /// Fails if the file cannot be read or parsed.
    pub fn read(env_file: Option<&Path>) -> Result<Self, CliError> {
        let read = env_file::read(env_file).map_err(|error| match error {
            EnvFileError::Unreadable { path, source } => {
                CliError::Message(format!("cannot read {}: {}", path.display(), io_reason(&source)))
            }
            error => CliError::EnvFile(error),
        })?;
        let (file, mut variables, duplicates) = match read {
            Some(EnvFile { path, variables, duplicates }) => (Some(path), variables, duplicates),
            None => (None, Variables::new(), BTreeSet::new()),
        };
        variables.extend(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        );
        Ok(Self { variables, file, duplicates, env_file: env_file.map(Path::to_owned) })
    }

    /// Reads the file and the environment again.
    ///
    /// # Errors
    /// Fails if the file cannot be read or parsed.
    pub(super) fn reread(&self) -> Result<Self, CliError> {
        Self::read(self.env_file.as_deref())
    }

    /// Returns the configuration.
    ///
    /// # Errors
    /// Every invalid variable.
    pub fn config(&self) -> Result<Config, CliError> {
        Ok(Config::from_variables(&self.variables)?)
    }

    /// Logs which file was read, and variables that are probably misspelled.
    pub(super) fn log(&self) {
        if let Some(file) = &self.file {
            tracing::info!(file = %file.display(), "configuration file read");
        }
        for (name, known) in config::misspelled(&self.variables) {
            tracing::warn!(variable = name, similar = known, "unknown variable ignored; it may be misspelled");
        }
        for (name, file) in self.duplicates() {
            tracing::warn!(variable = name, file = %file.display(), "variable set more than once; the last value applies");
        }
    }

    /// Returns the variables that the file sets more than once, with the file.
    pub(super) fn duplicates(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.file.iter().flat_map(|file| self.duplicates.iter().map(move |name| (name.as_str(), file.as_path())))
    }

    /// Writes to standard error what [`Self::log`] logs, for commands without a log.
    pub(super) fn print_warnings(&self) {
        // There is nowhere else to report that standard error is closed.
        let mut out = std::io::stderr().lock();
        for (name, known) in config::misspelled(&self.variables) {
            let _ = writeln!(out, "warning: unknown variable {name} is ignored; did you mean {known}?");
        }
        for (name, file) in self.duplicates() {
            let _ =
                writeln!(out, "warning: {name} is set more than once in {}; the last value applies", file.display());
        }
    }
}

/// Creates the data directory and the directory of the SQLite database.
///
/// # Errors
/// Fails if a directory cannot be created or written to.
pub fn prepare_directories(config: &Config) -> Result<(), CliError> {
    create_directory(&config.data_dir, "DATA_DIR")?;
    if let Target::Sqlite(path) = &config.database.target
        && let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty())
    {
        create_directory(directory, "DATABASE_URL")?;
    }
    Ok(())
}

/// Creates the directory of recurring backups, if they are enabled.
///
/// # Errors
/// Fails if the directory cannot be created or written to.
pub(super) fn prepare_backup_directory(config: &Config) -> Result<(), CliError> {
    if config.backups.interval.is_zero() {
        return Ok(());
    }
    create_directory(&config.backup_dir(), "BACKUP_DIR")
}

fn create_directory(directory: &Path, variable: &str) -> Result<(), CliError> {
    let fail = |error: std::io::Error| {
        let action =
            if error.kind() == std::io::ErrorKind::StorageFull { "free space on the disk" } else { "make it writable" };
        CliError::with_help(
            format!("cannot write to directory {}: {}", directory.display(), io_reason(&error)),
            format!("{action}, or set {variable} to another directory"),
        )
    };
    // The database holds email addresses and password hashes: only its owner may read it.
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).map_err(fail)?;
    // Permissions alone do not prove that a write succeeds, for example on a read-only file system.
    let probe = directory.join(format!(".probe-{}", std::process::id()));
    fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe)).map_err(fail)
}

/// Returns the secret that signs tokens: `JWT_SECRET`, or one that is generated once and stored in the data directory.
///
/// # Errors
/// Fails if the file cannot be read or written.
pub fn jwt_secret(config: &Config) -> Result<SecretString, CliError> {
    if let Some(secret) = &config.tokens.secret {
        return Ok(secret.clone());
    }
    let path = config.secret_file();
    let fail = |error: std::io::Error| {
        CliError::with_help(
            format!("cannot store the generated secret in {}: {}", path.display(), io_reason(&error)),
            "set JWT_SECRET",
        )
    };
    match fs::read_to_string(&path) {
        Ok(secret) if secret.trim().len() >= 32 => return Ok(secret.trim().to_owned().into()),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(fail(error)),
    }
    let secret = URL_SAFE_NO_PAD.encode(SystemRandom.secret());
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&path).and_then(|mut file| file.write_all(secret.as_bytes())).map_err(fail)?;
    Ok(secret.into())
}

//! Errors of commands: what failed, and how to fix it.

use std::io;

use super::migrate::{FREE_SPACE, is_disk_full};
use crate::{
    app::AppError,
    config::{ConfigError, env_file::EnvFileError},
    db::migrations::MigrationError,
    seed::SeedError,
    server::tls::TlsError,
};

/// An error of a command. `main` prints the message after `error:` and [`CliError::help`] after `help:`.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    EnvFile(#[from] EnvFileError),
    #[error(transparent)]
    Migration(#[from] MigrationError),
    #[error(transparent)]
    Seed(#[from] SeedError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("database error: {0}")]
    Database(#[from] diesel::result::Error),
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    #[error("{0}")]
    Message(String),
    #[error("{message}")]
    WithHelp { message: String, help: String },
}

impl CliError {
    pub(super) fn with_help(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::WithHelp { message: message.into(), help: help.into() }
    }

    /// Returns how to fix the error, if known.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::WithHelp { help, .. } => Some(help.clone()),
            Self::Config(_) => Some("see .env.example for every variable and its format".to_owned()),
            Self::EnvFile(EnvFileError::Invalid { .. }) => {
                Some("each line must be NAME=value, a comment or empty; values are literal, `$` included".to_owned())
            }
            Self::Migration(MigrationError::Failed(error)) if is_disk_full(&error.to_string()) => {
                Some(FREE_SPACE.to_owned())
            }
            Self::Database(error) if is_disk_full(&error.to_string()) => Some(FREE_SPACE.to_owned()),
            Self::Migration(error) => error.help(),
            Self::Seed(error) => error.help().map(str::to_owned),
            Self::App(error) => error.help().map(str::to_owned),
            Self::Tls(error) => error.help(),
            Self::Database(_) => Some("`bucketlist doctor` checks the connection and the migrations".to_owned()),
            _ => None,
        }
    }
}

/// Returns the reason of an I/O error in lower case, without its number: `permission denied`.
pub(super) fn io_reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error ").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_reason_has_no_error_number() {
        assert_eq!(io_reason(&io::Error::from_raw_os_error(13)), "permission denied");
        assert_eq!(io_reason(&io::Error::other("disk on fire")), "disk on fire");
    }
}

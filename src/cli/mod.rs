//! The command line. Commands write to `&mut dyn Write`, so that tests read what people see.

mod doctor;
mod environment;
mod incidents;
mod listen;
mod logging;
mod migrate;
mod openapi;
mod postman;
mod seed;
mod serve;
mod user;

use std::{io::Write, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};

pub use environment::{jwt_secret, load, prepare_folders};

use crate::{app::AppError, config, db::migrations::MigrationError, seed::SeedError};

/// The BucketList API server.
#[derive(Debug, Parser)]
#[command(name = "bucketlist", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server (migrates first unless AUTO_MIGRATE is false; seeds an empty database in development).
    Serve {
        /// Put the standard data into an empty database, whatever the environment.
        #[arg(long)]
        seed: bool,
    },
    /// Migrate the database.
    Migrate {
        #[command(subcommand)]
        action: migrate::Action,
    },
    /// Put data into the database: the standard data, or plausible fake data with --dummy.
    Seed(seed::Arguments),
    /// Make and promote accounts.
    User {
        #[command(subcommand)]
        action: user::Action,
    },
    /// Print, check, write, compare or lint OpenAPI documents.
    Openapi {
        #[command(subcommand)]
        action: openapi::Action,
    },
    /// Check or write the Postman collection.
    Postman {
        #[command(subcommand)]
        action: postman::Action,
    },
    /// List and show failures that were kept; export them, send them again, and keep them fixed.
    Incidents {
        #[command(subcommand)]
        action: incidents::Action,
    },
    /// Say what is configured, what is reachable, what is wrong and how to mend it.
    Doctor {
        /// For people or for machines.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
    /// Print the configuration's documentation.
    Config {
        #[command(subcommand)]
        action: ConfigAction,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigAction {
    /// Print .env.example: every variable with its default.
    Example,
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OutputFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Why a command failed: one sentence that names the remedy.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    #[error(".env cannot be read: {0}")]
    DotEnv(dotenvy::Error),
    #[error(transparent)]
    Migration(#[from] MigrationError),
    #[error(transparent)]
    Seed(#[from] SeedError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
    #[error("cannot write the answer: {0}")]
    Output(#[from] std::io::Error),
    #[error("{0}")]
    Message(String),
}

/// Runs a command.
///
/// # Errors
/// [`CliError`].
pub fn run(cli: Cli, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    match cli.command {
        Command::Serve { seed } => serve::run(&load()?, seed, out)?,
        Command::Migrate { action } => return migrate::run(&load()?, action, out),
        Command::Seed(arguments) => seed::run(&load()?, &arguments, out)?,
        Command::User { action } => user::run(&load()?, &action, &mut std::io::stdin().lock(), out)?,
        Command::Openapi { action } => return openapi::run(&action, out),
        Command::Postman { action } => return postman::run(&action, out),
        Command::Incidents { action } => return incidents::run(&action, out),
        Command::Doctor { format } => return doctor::run(format, out),
        Command::Config { action: ConfigAction::Example } => {
            out.write_all(config::variables::env_example().as_bytes())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

//! The command line. Commands write to a `&mut dyn Write`, so that tests can read their output.

mod api_client;
mod backup;
mod database_lock;
mod doctor;
mod environment;
mod error;
mod health;
mod incidents;
mod interruption;
mod job;
mod listen;
mod logging;
mod migrate;
mod openapi;
mod postman;
mod printable;
mod profile;
mod progress;
mod reload;
mod replicas;
mod seed;
mod serve;
mod usage;
mod user;
mod worker;

use std::{cell::Cell, io::Write, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};

pub use environment::{Settings, jwt_secret, prepare_directories};
pub use error::CliError;
use printable::Printable;
use profile::ProfileFile;

use crate::{
    config,
    domain::{Clock, SystemClock, Timestamp},
};

/// The BucketList API server.
#[derive(Debug, Parser)]
#[command(name = "bucketlist", version, arg_required_else_help = true)]
pub struct Cli {
    /// File of environment variables. By default, .env in the current directory if it exists.
    #[arg(long, global = true, value_name = "FILE")]
    env_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server.
    ///
    /// Migrates the database first, unless AUTO_MIGRATE is false. In development, inserts sample data into an empty
    /// database.
    Serve {
        /// Insert sample data into an empty database, in any environment.
        #[arg(long)]
        seed: bool,
        /// Do not run background jobs; run `bucketlist worker`, too. Like WORKER=false.
        #[arg(long)]
        no_worker: bool,
        /// Record a CPU profile until the server stops: a flame graph if the name ends with .svg, otherwise for pprof.
        #[arg(long, value_name = "FILE")]
        profile: Option<PathBuf>,
    },
    /// Run background jobs without serving requests.
    ///
    /// Migrates the database first, unless AUTO_MIGRATE is false. Any number of workers and servers can share a database. A worker
    /// on the machine of a server needs a different METRICS_ADDR than the server. If its address is already in use, the worker runs
    /// without metrics.
    Worker,
    /// List, retry, cancel and delete background jobs.
    Job {
        #[command(subcommand)]
        action: job::Action,
    },
    /// Migrate the database.
    Migrate {
        #[command(subcommand)]
        action: migrate::Action,
    },
    /// Insert sample data, or generated data with --dummy.
    Seed(seed::Arguments),
    /// Create users and change roles.
    User {
        #[command(subcommand)]
        action: user::Action,
    },
    /// Create, list, rotate and revoke the keys of API clients.
    ApiClient {
        #[command(subcommand)]
        action: api_client::Action,
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
    /// List, show, export and replay captured failures.
    Incidents {
        #[command(subcommand)]
        action: incidents::Action,
    },
    /// Write a verified copy of the SQLite database, also while the server runs.
    Backup {
        /// File to create.
        file: PathBuf,
    },
    /// Replace the SQLite database with a backup. The server must be stopped.
    ///
    /// The previous database is retained under another name.
    Restore {
        /// File that `backup` has written.
        file: PathBuf,
    },
    /// Show which consumers call which operations.
    Usage {
        #[command(subcommand)]
        action: usage::Action,
    },
    /// Check the configuration and the services it refers to.
    Doctor {
        /// Output format.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
    /// Check that the server on this machine is ready; exits with 1 if it is not.
    ///
    /// For health checks of containers. Sends GET /health/ready to HOST and PORT.
    Health {
        /// URL of the server. Required if the server has a TLS certificate.
        #[arg(long)]
        url: Option<String>,
    },
    /// Print the documentation of the configuration.
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

/// Output format of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OutputFormat {
    /// Human-readable text.
    Text,
    /// JSON.
    Json,
}

/// Formats a time as in the API.
fn api_time(time: Timestamp) -> String {
    contract::values::Timestamp::from_micros(time.micros()).to_string()
}

/// Runs a command.
///
/// # Errors
/// [`CliError`].
pub fn run(cli: Cli, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    run_at(cli, &SystemClock, out)
}

/// Like [`run`], but with a clock for the commands that report a period until now.
///
/// # Errors
/// [`CliError`].
pub fn run_at(cli: Cli, clock: &dyn Clock, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let read = || Settings::read(cli.env_file.as_deref());
    let has_warned = Cell::new(false);
    let load = || {
        let settings = read()?;
        if !has_warned.replace(true) {
            settings.print_warnings();
        }
        settings.config()
    };
    match cli.command {
        Command::Serve { seed, no_worker, profile } => {
            let profile = profile.map(ProfileFile::create).transpose()?;
            serve::run(read()?, seed, no_worker, out)?;
            profile.map(ProfileFile::write).transpose()?;
        }
        Command::Worker => worker::run(read()?, out)?,
        Command::Job { action } => job::run(&load()?, &action, clock.now(), &mut Printable(out))?,
        Command::Migrate { action } => return migrate::run(&load()?, action, out),
        Command::Seed(arguments) => seed::run(&load()?, &arguments, out)?,
        Command::User { action } => {
            user::run(&load()?, &action, &mut std::io::stdin().lock(), &mut Printable(out))?;
        }
        Command::ApiClient { action } => api_client::run(&load()?, &action, &mut Printable(out))?,
        Command::Openapi { action } => return openapi::run(&action, &load, clock, out),
        Command::Postman { action } => return postman::run(&action, out),
        Command::Incidents { action } => return incidents::run(&action, &load, out),
        Command::Backup { file } => backup::back_up(&load()?, &file, out)?,
        Command::Restore { file } => backup::restore(&load()?, &file, out)?,
        Command::Usage { action } => usage::run(&load()?, &action, clock.now(), &mut Printable(out))?,
        Command::Doctor { format } => return doctor::run(&read()?, format, out),
        Command::Health { url } => health::run(&load()?, url.as_deref(), out)?,
        Command::Config { action: ConfigAction::Example } => {
            out.write_all(config::variables::env_example().as_bytes())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

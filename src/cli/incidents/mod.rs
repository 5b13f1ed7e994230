//! `bucketlist incidents`: lists, shows, exports and replays captured failures.

mod export;
mod replay;
mod report;
mod stored;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use ::incidents::file::{self, IncidentFile};
use clap::{Args, Subcommand, ValueEnum};

use super::{CliError, OutputFormat, error::io_reason, printable::Printable};
use crate::config::Config;

/// Exit code of a replay in which an outcome is not the expected one.
const UNEXPECTED_OUTCOME: u8 = 4;

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Action {
    /// List stored incidents, the newest first.
    List {
        #[command(flatten)]
        options: stored::ListOptions,
        /// Output format.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
    /// Show an incident. The JSON output is an incident file, which can be exported and replayed.
    Show {
        /// ID of the incident, or its request ID.
        #[arg(value_name = "ID")]
        id: String,
        /// Output format.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
    /// Export incidents as a Postman collection, as curl commands or as an HTTP archive.
    Export {
        /// Incident files, or IDs or request IDs of stored incidents.
        #[arg(required = true, value_name = "FILE|ID")]
        sources: Vec<String>,
        /// Target format.
        #[arg(long = "format", value_enum)]
        target: Target,
        /// Default origin of the server that the export sends requests to.
        #[arg(long, default_value = "http://localhost:8000", value_name = "URL")]
        base_url: String,
        /// Output file; default: standard output. Bodies that a collection cannot contain are written to the same directory.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Send captured requests again and compare the responses.
    ///
    /// A replay writes to the server. It creates the bucketlists, items, accounts and API clients that the requests need, and deletes
    /// them afterwards, together with what the requests have created. A request of an API client is sent with the key of an API
    /// client that has the same scopes; without --admin, it is not sent. Passwords are read from REPLAY_PASSWORD and REPLAY_ADMIN_PASSWORD, or prompted for.
    ///
    /// Exit codes: 0 if every outcome is the expected one, 4 if one is not, 1 if the replay failed.
    Replay {
        /// Incident files, or IDs or request IDs of stored incidents. A list in a file is one session. Single incidents are
        /// grouped by session and sent in the order received.
        #[arg(required_unless_present = "all", value_name = "FILE|ID")]
        sources: Vec<String>,
        /// Replay all unresolved stored incidents, the oldest first, in batches of 100.
        #[arg(long, conflicts_with = "sources")]
        all: bool,
        #[command(flatten)]
        target: ReplayOptions,
        /// Expected outcome.
        #[arg(long, value_enum, default_value_t = Expect::Reproduced)]
        expect: Expect,
        /// Output format.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
    /// Replay fixed incidents and save them as a regression test, which `make replay` runs.
    ///
    /// Saves nothing and exits with 4 if an incident is not fixed.
    AddTest {
        /// Incident files, or IDs or request IDs of stored incidents, all of one session and in order.
        #[arg(required = true, value_name = "FILE|ID")]
        sources: Vec<String>,
        /// Description of the failure. The file is named after it.
        #[arg(long)]
        title: String,
        /// Directory of the regression tests.
        #[arg(long = "dir", default_value = "postman/incidents", value_name = "DIR")]
        directory: PathBuf,
        #[command(flatten)]
        target: ReplayOptions,
    },
}

/// The server and the accounts of a replay.
#[derive(Args, Clone, Debug)]
pub(super) struct ReplayOptions {
    /// Server to send the requests to, such as https://staging.example.com.
    #[arg(long, value_name = "URL")]
    against: String,
    /// Email address of the account that sends the requests of users. By default, accounts are created and deleted again.
    #[arg(long = "user", value_name = "EMAIL")]
    account: Option<String>,
    /// Email address of the account that sends the requests of administrators, and creates the API clients that send those of API
    /// clients.
    #[arg(long = "admin", value_name = "EMAIL")]
    admin_account: Option<String>,
    /// Confirm that a server on another machine may be modified.
    #[arg(long)]
    yes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Target {
    /// Postman collection (v2.1), for Postman and Newman.
    Postman,
    /// One curl command per incident, for a POSIX shell.
    Curl,
    /// HTTP archive (HAR 1.2).
    Har,
}

/// Loads the configuration. Only commands that read stored incidents need it.
type Load<'a> = &'a dyn Fn() -> Result<Config, CliError>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Expect {
    /// The request fails in the same way: status, code and body are the captured ones, except for volatile fields such as IDs.
    Reproduced,
    /// The failure is fixed: the response is different, below 500, conforms to the contract, and is not caused by placeholders.
    /// For a regression test, it is the one that the test expects.
    Fixed,
}

pub(super) fn run(action: &Action, load: Load<'_>, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    match action {
        Action::List { options, format } => stored::list(&load()?, options, *format, &mut Printable(out))?,
        Action::Show { id, format } => stored::show(&load()?, id, *format, &mut Printable(out))?,
        Action::Export { sources, target, base_url, out: path } => {
            return export::run(&read(sources, load)?, *target, base_url, path.as_deref(), out);
        }
        Action::Replay { all: true, target, expect, format, .. } => {
            return replay::run_all(&load()?, target, *expect, *format, &mut Printable(out));
        }
        Action::Replay { sources, target, expect, format, .. } => {
            return replay::run(read(sources, load)?, target, *expect, *format, &mut Printable(out));
        }
        Action::AddTest { sources, title, directory, target } => {
            return replay::add_test(read(sources, load)?, title, directory, target, out);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads incident files and stored incidents. Files need no configuration.
fn read(sources: &[String], load: Load<'_>) -> Result<Vec<IncidentFile>, CliError> {
    let is_id = |source: &String| !source.contains('/') && !source.ends_with(".json") && !Path::new(source).exists();
    sources
        .iter()
        .map(|source| {
            if is_id(source) {
                return Ok(IncidentFile::Captured(vec![stored::record(&load()?, source)?]));
            }
            file::read(Path::new(source)).map_err(|error| message(error.to_string()))
        })
        .collect()
}

fn message(text: impl Into<String>) -> CliError {
    CliError::Message(text.into())
}

fn cannot_write(path: &Path) -> impl Fn(std::io::Error) -> CliError {
    move |error| message(format!("cannot write `{}`: {}", path.display(), io_reason(&error)))
}

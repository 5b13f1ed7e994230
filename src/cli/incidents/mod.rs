//! `bucketlist incidents`: what was kept of failures, taken out, sent again, and kept fixed.

mod export;
mod replay;
mod report;
mod stored;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use ::incidents::file::{self, Incidents};
use clap::{Args, Subcommand, ValueEnum};

use super::{CliError, OutputFormat};
use crate::config::Config;

/// How a check ends that has been made and is not as asked.
const NOT_AS_ASKED: u8 = 4;

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Action {
    /// List the incidents that the server has kept.
    List {
        #[command(flatten)]
        which: stored::Listed,
        /// For people or for machines.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
    /// Show one incident; as JSON it is a file that can be exported and sent again.
    Show {
        /// Its number, or the id of its request.
        which: String,
        /// For people or for machines.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
    /// Print incidents as a Postman collection, as commands for a shell, or as an HTTP archive.
    Export {
        /// Which: files (`incidents show --format json` prints one), or numbers or request ids of what this server has kept.
        #[arg(required = true, value_name = "FILE|ID")]
        sources: Vec<String>,
        /// For which program.
        #[arg(long = "as", value_enum)]
        target: Target,
        /// The origin to send to unless whoever sends names another one.
        #[arg(long, default_value = "http://localhost:8000", value_name = "URL")]
        base_url: String,
        /// Write to this file rather than to standard output; bodies that no collection can hold are put beside it.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Send incidents again: exits 0 when every answer is as asked, 4 when one is not, 1 when nothing could be sent.
    ///
    /// A replay writes into the server it is sent to. What it makes for requests that are about lists, items or accounts it
    /// deletes again. Passwords come from REPLAY_PASSWORD and REPLAY_ADMIN_PASSWORD, or are asked for.
    Replay {
        /// Which: files, or numbers or request ids of what this server has kept. A list in a file is one session; single
        /// incidents of one session are sent in their order.
        #[arg(required_unless_present = "all", value_name = "FILE|ID")]
        sources: Vec<String>,
        /// All that this server has kept and nobody has resolved.
        #[arg(long, conflicts_with = "sources")]
        all: bool,
        #[command(flatten)]
        stage: Stage,
        /// What is asked of each incident.
        #[arg(long, value_enum, default_value_t = Expect::Reproduced)]
        expect: Expect,
        /// For people or for machines.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
    /// Keep incidents fixed for ever: send them again, and where all are fixed, write them into a folder that `make replay`
    /// sends with every build. Exits 4, and writes nothing, when one still fails.
    Ratchet {
        /// Which: files, or numbers or request ids; one session, in its order.
        #[arg(required = true, value_name = "FILE|ID")]
        sources: Vec<String>,
        /// What was wrong, in a sentence; the file is named after it.
        #[arg(long)]
        title: String,
        /// Where incidents are kept.
        #[arg(long, default_value = "postman/incidents")]
        folder: PathBuf,
        #[command(flatten)]
        stage: Stage,
    },
}

/// Where incidents are sent, and as whom.
#[derive(Args, Clone, Debug)]
pub(super) struct Stage {
    /// The server to send to: https://staging.example.com.
    #[arg(long, value_name = "URL")]
    against: String,
    /// The email address of the account that stands for users; left out, accounts are made and deleted again.
    #[arg(long = "as", value_name = "ACCOUNT")]
    account: Option<String>,
    /// The email address of the account that stands for administrators.
    #[arg(long, value_name = "ACCOUNT")]
    as_admin: Option<String>,
    /// Send to a server on another machine.
    #[arg(long)]
    yes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Target {
    /// A Postman collection (v2.1), which Newman runs, too.
    Postman,
    /// One command for each, for a POSIX shell.
    Curl,
    /// An HTTP archive (1.2).
    Har,
}

/// Loads the configuration. Only commands that read stored incidents need it.
type Load<'a> = &'a dyn Fn() -> Result<Config, CliError>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Expect {
    /// It fails as it did: status, code and body are the captured ones, apart from ids, instants and the like.
    Reproduced,
    /// It is mended: the answer is another one, below 500, and as documented; of an incident that is kept, the one it names.
    Fixed,
}

pub(super) fn run(action: &Action, load: Load<'_>, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    match action {
        Action::List { which, format } => stored::list(&load()?, which, *format, out)?,
        Action::Show { which, format } => stored::show(&load()?, which, *format, out)?,
        Action::Export { sources, target, base_url, out: path } => {
            return export::run(&read(sources, load)?, *target, base_url, path.as_deref(), out);
        }
        Action::Replay { sources, all, stage, expect, format } => {
            let incidents = if *all { stored::open(&load()?)? } else { read(sources, load)? };
            return replay::run(incidents, stage, *expect, *format, out);
        }
        Action::Ratchet { sources, title, folder, stage } => {
            return replay::ratchet(read(sources, load)?, title, folder, stage, out);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What is in files, and what this server has kept. Files need no configuration.
fn read(sources: &[String], load: Load<'_>) -> Result<Vec<Incidents>, CliError> {
    let is_id = |source: &String| !source.contains('/') && !source.ends_with(".json") && !Path::new(source).exists();
    sources
        .iter()
        .map(|source| {
            if is_id(source) {
                return Ok(Incidents::Captured(vec![stored::record(&load()?, source)?]));
            }
            file::read(Path::new(source)).map_err(|error| message(error.to_string()))
        })
        .collect()
}

fn message(text: impl Into<String>) -> CliError {
    CliError::Message(text.into())
}

fn cannot_write(path: &Path) -> impl Fn(std::io::Error) -> CliError {
    move |error| message(format!("`{}` cannot be written: {error}", path.display()))
}

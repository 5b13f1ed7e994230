//! `bucketlist incidents replay` and `bucketlist incidents add-test`.

use std::{fs, io::Write, path::Path, process::ExitCode};

use console::Term;
use incidents::{
    IncidentRecord,
    file::{ExpectedResponse, IncidentFile, REGRESSION_TEST_FORMAT, RegressionTest},
    replay::{
        Client, Credentials, Expectation, ReplayAccounts, ReplayError, ReplayOutcome, Replayer, group_by_session,
    },
};
use secrecy::SecretString;
use tokio::runtime::Runtime;

use super::{Expect, ReplayOptions, UNEXPECTED_OUTCOME, cannot_write, message, report, stored};
use crate::{
    build_info,
    cli::{CliError, OutputFormat, progress::progress_bar},
    config::Config,
};

pub(super) fn run(
    files: Vec<IncidentFile>,
    options: &ReplayOptions,
    expect: Expect,
    format: OutputFormat,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    let outcomes = replay_files(files, options, expect)?;
    finish(&outcomes, options, expect, format, out)
}

/// Replays all unresolved incidents in batches, so that only one batch of records is in memory.
pub(super) fn run_all(
    config: &Config,
    options: &ReplayOptions,
    expect: Expect,
    format: OutputFormat,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    let mut batches = stored::UnresolvedBatches::new(config)?;
    let bar = progress_bar(batches.total(), "incidents");
    let mut connection = ReplayConnection::open(options, expect)?;
    let mut outcomes = Vec::new();
    let replayed = loop {
        let files = match batches.next() {
            Ok(Some(records)) => records.into_iter().map(|record| IncidentFile::Captured(vec![record])).collect(),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        match connection.replay(files) {
            Ok(more) => outcomes.extend(more),
            Err(error) => break Err(error),
        }
        bar.set_position(outcomes.len() as u64);
    };
    bar.finish_and_clear();
    // Also after an error: the replay may have created accounts.
    connection.close();
    replayed?;
    if outcomes.is_empty() {
        return Err(message("there are no unresolved incidents"));
    }
    finish(&outcomes, options, expect, format, out)
}

pub(super) fn add_test(
    files: Vec<IncidentFile>,
    title: &str,
    directory: &Path,
    options: &ReplayOptions,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    let records: Vec<IncidentRecord> = files.into_iter().flat_map(|file| file.records().to_vec()).collect();
    let path = directory.join(format!("{}.json", file_name(title)?));
    if path.exists() {
        return Err(CliError::with_help(format!("`{}` already exists", path.display()), "choose another --title"));
    }
    let outcomes = replay_files(vec![IncidentFile::Captured(records.clone())], options, Expect::Fixed)?;
    if !outcomes.iter().all(|outcome| outcome.as_expected) {
        report::write(&outcomes, &options.against, Expect::Fixed, OutputFormat::Text, out)?;
        writeln!(out, "No regression test was written: not all incidents are fixed.")?;
        return Ok(ExitCode::from(UNEXPECTED_OUTCOME));
    }
    let expect: Vec<ExpectedResponse> = outcomes.into_iter().filter_map(|outcome| outcome.replayed).collect();
    let test = RegressionTest {
        format: REGRESSION_TEST_FORMAT.to_owned(),
        title: title.to_owned(),
        fixed_in: build_info::VERSION.to_owned(),
        expect,
        records,
    };
    let text = serde_json::to_string_pretty(&test).map_err(|error| message(error.to_string()))?;
    fs::create_dir_all(directory).map_err(cannot_write(directory))?;
    fs::write(&path, text + "\n").map_err(cannot_write(&path))?;
    writeln!(out, "wrote {}; `make replay` runs it", path.display())?;
    Ok(ExitCode::SUCCESS)
}

fn finish(
    outcomes: &[ReplayOutcome],
    options: &ReplayOptions,
    expect: Expect,
    format: OutputFormat,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    report::write(outcomes, &options.against, expect, format, out)?;
    let is_expected = outcomes.iter().all(|outcome| outcome.as_expected);
    Ok(if is_expected { ExitCode::SUCCESS } else { ExitCode::from(UNEXPECTED_OUTCOME) })
}

fn replay_files(
    files: Vec<IncidentFile>,
    options: &ReplayOptions,
    expect: Expect,
) -> Result<Vec<ReplayOutcome>, CliError> {
    let mut connection = ReplayConnection::open(options, expect)?;
    let outcomes = connection.replay(files);
    // Also after an error: the replay may have created accounts.
    connection.close();
    outcomes
}

/// A [`Replayer`] with the runtime that it runs on.
struct ReplayConnection {
    runtime: Runtime,
    replayer: Replayer,
}

impl ReplayConnection {
    fn open(options: &ReplayOptions, expect: Expect) -> Result<Self, CliError> {
        let client = Client::new(&options.against).map_err(|error| message(error.to_string()))?;
        if !client.is_local() && !options.yes {
            return Err(CliError::with_help(
                format!("a replay modifies the server, and {} is on another machine", client.origin()),
                "add --yes to confirm",
            ));
        }
        let accounts = ReplayAccounts {
            user: credentials(options.account.as_deref(), "REPLAY_PASSWORD")?,
            admin: credentials(options.admin_account.as_deref(), "REPLAY_ADMIN_PASSWORD")?,
        };
        let expectation = match expect {
            Expect::Reproduced => Expectation::Reproduced,
            Expect::Fixed => Expectation::Fixed,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let replayer = runtime.block_on(Replayer::connect(client, accounts, expectation)).map_err(replay_error)?;
        Ok(Self { runtime, replayer })
    }

    fn replay(&mut self, files: Vec<IncidentFile>) -> Result<Vec<ReplayOutcome>, CliError> {
        let sequences = group_by_session(files);
        self.runtime.block_on(self.replayer.replay(&sequences)).map_err(replay_error)
    }

    fn close(self) {
        self.runtime.block_on(self.replayer.finish());
    }
}

fn replay_error(error: ReplayError) -> CliError {
    match &error {
        ReplayError::AdminAccountRequired { .. } => {
            CliError::with_help(error.to_string(), "name an administrator account with --admin")
        }
        _ => message(error.to_string()),
    }
}

/// Reads the password of an account. It is not a command-line argument, because other processes can read those.
fn credentials(email: Option<&str>, variable: &str) -> Result<Option<Credentials>, CliError> {
    let Some(email) = email else { return Ok(None) };
    let password: SecretString = match std::env::var(variable) {
        Ok(password) => password.into(),
        Err(_) => {
            let mut terminal = Term::stderr();
            if !terminal.is_term() || !Term::stdout().is_term() {
                return Err(CliError::with_help(
                    format!("the password of {email} is missing"),
                    format!("set {variable}, or run the command in a terminal"),
                ));
            }
            write!(terminal, "Password of {email}: ")?;
            terminal.read_secure_line()?.into()
        }
    };
    Ok(Some(Credentials { email: email.to_owned(), password }))
}

/// Returns the file name for a title: `a-null-description` for `A null description`.
fn file_name(title: &str) -> Result<String, CliError> {
    const MAX_LENGTH: usize = 100;
    let words: Vec<String> = title
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    match words.join("-") {
        name if name.is_empty() || name.len() > MAX_LENGTH => {
            Err(message(format!("--title must contain 1 to {MAX_LENGTH} letters and digits")))
        }
        name => Ok(name),
    }
}

//! `bucketlist incidents replay` and `bucketlist incidents ratchet`.

use std::{fs, io::Write, path::Path, process::ExitCode};

use console::Term;
use incidents::{
    Record,
    file::{Expected, Incidents, KEPT_FORMAT, Kept},
    replay::{Accounts, Client, Flow, Login, Outcome, Question, flows, replay},
};
use secrecy::SecretString;

use super::{Expect, NOT_AS_ASKED, Stage, cannot_write, message, report};
use crate::{
    build_info,
    cli::{CliError, OutputFormat},
};

pub(super) fn run(
    incidents: Vec<Incidents>,
    stage: &Stage,
    expect: Expect,
    format: OutputFormat,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    let outcomes = send(&flows(incidents), stage, expect)?;
    report::write(&outcomes, &stage.against, expect, format, out)?;
    let is_as_asked = outcomes.iter().all(|outcome| outcome.as_asked);
    Ok(if is_as_asked { ExitCode::SUCCESS } else { ExitCode::from(NOT_AS_ASKED) })
}

pub(super) fn ratchet(
    incidents: Vec<Incidents>,
    title: &str,
    folder: &Path,
    stage: &Stage,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    let records: Vec<Record> = incidents.into_iter().flat_map(|one| one.records().to_vec()).collect();
    let path = folder.join(format!("{}.json", file_name(title)?));
    if path.exists() {
        return Err(message(format!("`{}` is kept already: give another --title", path.display())));
    }
    let outcomes = send(&flows(vec![Incidents::Captured(records.clone())]), stage, Expect::Fixed)?;
    if !outcomes.iter().all(|outcome| outcome.as_asked) {
        report::write(&outcomes, &stage.against, Expect::Fixed, OutputFormat::Text, out)?;
        writeln!(out, "Nothing is kept: only what is fixed can stay fixed.")?;
        return Ok(ExitCode::from(NOT_AS_ASKED));
    }
    let expect: Vec<Expected> = outcomes.into_iter().filter_map(|outcome| outcome.now).collect();
    let kept = Kept {
        format: KEPT_FORMAT.to_owned(),
        title: title.to_owned(),
        fixed_in: build_info::VERSION.to_owned(),
        expect,
        records,
    };
    let text = serde_json::to_string_pretty(&kept).map_err(|error| message(error.to_string()))?;
    fs::create_dir_all(folder).map_err(cannot_write(folder))?;
    fs::write(&path, text + "\n").map_err(cannot_write(&path))?;
    writeln!(out, "wrote {}: `make replay` keeps it fixed.", path.display())?;
    Ok(ExitCode::SUCCESS)
}

fn send(flows: &[Flow], stage: &Stage, expect: Expect) -> Result<Vec<Outcome>, CliError> {
    let failed = |error: &dyn std::error::Error| message(error.to_string());
    let client = Client::new(&stage.against).map_err(|error| failed(&error))?;
    if !client.is_local() && !stage.yes {
        return Err(message(format!(
            "a replay writes into the server it is sent to, and {} is another machine: add --yes if you mean it",
            client.origin()
        )));
    }
    let accounts = Accounts {
        user: login(stage.account.as_deref(), "REPLAY_PASSWORD")?,
        admin: login(stage.as_admin.as_deref(), "REPLAY_ADMIN_PASSWORD")?,
    };
    let question = match expect {
        Expect::Reproduced => Question::Reproduces,
        Expect::Fixed => Question::Fixed,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(replay(client, accounts, flows, question)).map_err(|error| failed(&error))
}

/// An account with its password, which is never an argument: other programs could read it there.
fn login(email: Option<&str>, variable: &str) -> Result<Option<Login>, CliError> {
    let Some(email) = email else { return Ok(None) };
    let password: SecretString = match std::env::var(variable) {
        Ok(password) => password.into(),
        Err(_) => {
            let mut terminal = Term::stderr();
            if !terminal.is_term() || !Term::stdout().is_term() {
                return Err(message(format!("set {variable} to the password of {email}")));
            }
            write!(terminal, "Password of {email}: ")?;
            terminal.read_secure_line()?.into()
        }
    };
    Ok(Some(Login { email: email.to_owned(), password }))
}

/// `A null description` is kept in `a-null-description.json`.
fn file_name(title: &str) -> Result<String, CliError> {
    let words: Vec<String> = title
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    match words.join("-") {
        name if name.is_empty() || name.len() > 100 => {
            Err(message("give a --title of one to a hundred letters and digits"))
        }
        name => Ok(name),
    }
}

//! `bucketlist incidents export`.

use std::{fs, io::Write, path::Path, process::ExitCode};

use incidents::{
    IncidentRecord,
    export::{self, Attachment},
    file::IncidentFile,
    replay::Client,
    resend::not_resendable,
};

use super::{Target, cannot_write, message};
use crate::cli::CliError;

pub(super) fn run(
    files: &[IncidentFile],
    target: Target,
    base_url: &str,
    path: Option<&Path>,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    // The URL becomes part of shell commands: accept nothing else.
    Client::new(base_url).map_err(|error| message(error.to_string()))?;
    let records: Vec<IncidentRecord> = files.iter().flat_map(IncidentFile::records).cloned().collect();
    if let (true, Some(reason)) = (target != Target::Har, records.iter().find_map(not_resendable)) {
        return Err(message(reason));
    }
    let (text, attachments, limitations) = match target {
        Target::Postman => {
            let exported = export::collection(&records, base_url);
            (exported.json, exported.attachments, exported.limitations)
        }
        Target::Curl => {
            let commands: Vec<String> = records.iter().map(|record| export::curl(record, base_url)).collect();
            (commands.join("\n"), Vec::new(), Vec::new())
        }
        Target::Har => (export::har(&records, base_url), Vec::new(), Vec::new()),
    };
    match path {
        Some(path) => write(path, &text, &attachments, out)?,
        None if attachments.is_empty() => out.write_all(text.as_bytes())?,
        None => {
            let names: Vec<&str> = attachments.iter().map(|attachment| attachment.name.as_str()).collect();
            return Err(CliError::with_help(
                format!("the collection refers to {}, which cannot be written to standard output", names.join(" and ")),
                "name an output file with --out, or use --format curl",
            ));
        }
    }
    // On standard error: the export may be piped into a program.
    let mut stderr = std::io::stderr();
    for limitation in limitations {
        writeln!(stderr, "warning: not exact: {limitation}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, text: &str, attachments: &[Attachment], out: &mut dyn Write) -> Result<(), CliError> {
    let directory = path.parent().unwrap_or(Path::new(""));
    for attachment in attachments {
        let path = directory.join(&attachment.name);
        fs::write(&path, &attachment.bytes).map_err(cannot_write(&path))?;
        writeln!(out, "wrote {}", path.display())?;
    }
    fs::write(path, text).map_err(cannot_write(path))?;
    writeln!(out, "wrote {}", path.display())?;
    Ok(())
}

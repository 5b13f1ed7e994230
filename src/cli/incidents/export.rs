//! `bucketlist incidents export`.

use std::{fs, io::Write, path::Path, process::ExitCode};

use incidents::{
    Record,
    export::{self, File},
    file::Incidents,
    replay::Client,
    resend::obstacle,
};

use super::{Target, cannot_write, message};
use crate::cli::CliError;

pub(super) fn run(
    incidents: &[Incidents],
    target: Target,
    base_url: &str,
    path: Option<&Path>,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    // It goes into commands and URLs: nothing but an address may.
    Client::new(base_url).map_err(|error| message(error.to_string()))?;
    let records: Vec<Record> = incidents.iter().flat_map(Incidents::records).cloned().collect();
    if let (true, Some(obstacle)) = (target != Target::Har, records.iter().find_map(obstacle)) {
        return Err(message(obstacle));
    }
    let (text, files, limits) = match target {
        Target::Postman => {
            let exported = export::collection(&records, base_url);
            (exported.text, exported.files, exported.limits)
        }
        Target::Curl => {
            let commands: Vec<String> = records.iter().map(|record| export::curl(record, base_url)).collect();
            (commands.join("\n"), Vec::new(), Vec::new())
        }
        Target::Har => (export::har(&records, base_url), Vec::new(), Vec::new()),
    };
    match path {
        Some(path) => write(path, &text, &files, out)?,
        None if files.is_empty() => out.write_all(text.as_bytes())?,
        None => {
            let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
            return Err(message(format!(
                "the collection needs {} beside it: name a file with --out, or export for curl, which needs none",
                names.join(" and ")
            )));
        }
    }
    // Beside the answer, which may be piped into a program.
    let mut error = std::io::stderr();
    for limit in limits {
        writeln!(error, "bucketlist: not exact: {limit}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, text: &str, files: &[File], out: &mut dyn Write) -> Result<(), CliError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    for file in files {
        let path = folder.join(&file.name);
        fs::write(&path, &file.bytes).map_err(cannot_write(&path))?;
        writeln!(out, "wrote {}", path.display())?;
    }
    fs::write(path, text).map_err(cannot_write(path))?;
    writeln!(out, "wrote {}", path.display())?;
    Ok(())
}

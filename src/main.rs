//! Parses the command line, runs the command and reports its error.

use std::{
    io::{ErrorKind, Write},
    process::ExitCode,
};

use bucketlist::cli::{self, Cli, CliError};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli::run(cli, &mut std::io::stdout().lock()) {
        Ok(code) => code,
        // The reader has closed the pipe, as in `bucketlist openapi print v2 | head`.
        Err(CliError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let help = error.help().map_or_else(String::new, |help| format!("help: {help}\n"));
            // There is nowhere else to report that standard error is closed.
            let _ = write!(std::io::stderr(), "error: {error}\n{help}");
            ExitCode::FAILURE
        }
    }
}

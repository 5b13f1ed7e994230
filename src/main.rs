//! Parses the command line, loads the configuration, hands over.

use std::{io::Write, process::ExitCode};

use bucketlist::cli::{self, Cli};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli::run(cli, &mut std::io::stdout().lock()) {
        Ok(code) => code,
        Err(error) => {
            // Nobody is left to tell when even this fails.
            let _ = writeln!(std::io::stderr(), "bucketlist: {error}");
            ExitCode::FAILURE
        }
    }
}

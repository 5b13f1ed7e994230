//! Deletes partial files when a command is interrupted.

use std::{io, process, thread};

use futures_util::future::select_all;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::db::backup::discard_partial_files;

/// Deletes the partial files of this process and exits when it receives SIGINT, SIGTERM or SIGHUP, with the exit code that shells report for
/// the signal. A signal that the parent process has ignored, as `nohup` does, remains ignored.
pub(super) fn exit_without_partial_files() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals: Vec<(i32, Signal)> = Vec::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let number = kind.as_raw_value();
        if !is_ignored(number) {
            let _context = runtime.enter();
            signals.push((number, signal(kind)?));
        }
    }
    if signals.is_empty() {
        return Ok(());
    }
    let wait = move || {
        let received = signals.iter_mut().map(|(number, signal)| {
            Box::pin(async {
                signal.recv().await;
                *number
            })
        });
        let (number, ..) = runtime.block_on(select_all(received));
        discard_partial_files();
        process::exit(128 + number);
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait).map(drop)
}

#[cfg(target_os = "linux")]
fn is_ignored(signal: i32) -> bool {
    let status = procfs::process::Process::myself().and_then(|process| process.status());
    status.is_ok_and(|status| status.sigign & (1 << (signal - 1)) != 0)
}

#[cfg(not(target_os = "linux"))]
fn is_ignored(_: i32) -> bool {
    false
}

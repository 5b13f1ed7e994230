//! Reports the progress of long operations.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::db::IndexingProgress;

/// Interval between two log lines.
const LOG_INTERVAL: Duration = Duration::from_secs(5);

/// Creates a progress bar on standard error; it is invisible if that is no terminal.
pub(super) fn progress_bar(total: u64, unit: &str) -> ProgressBar {
    let bar = ProgressBar::new(total);
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    // An invalid template would leave the default style.
    let template = format!("{{bar:40}} {{human_pos}}/{{human_len}} {unit}, {{per_sec}}, {{eta}} left");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}

/// Logs the progress of the search index every few seconds.
#[derive(Debug, Default)]
pub(super) struct IndexingLog {
    logged_at: Option<Instant>,
}

impl IndexingLog {
    pub(super) fn record(&mut self, progress: IndexingProgress) {
        if self.is_due(Instant::now()) {
            let IndexingProgress { rows, total } = progress;
            tracing::info!(rows, total, "rebuilding search index");
        }
    }

    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.logged_at.is_none_or(|at| now >= at + LOG_INTERVAL);
        if is_due {
            self.logged_at = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_logged_at_once_and_then_every_five_seconds() {
        let (mut log, start) = (IndexingLog::default(), Instant::now());
        let due = [0, 1, 4, 5, 6, 10].map(|seconds| log.is_due(start + Duration::from_secs(seconds)));
        assert_eq!(due, [true, false, false, true, false, true]);
    }
}

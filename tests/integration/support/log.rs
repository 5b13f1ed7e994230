//! Captures log output in tests.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing::{Dispatch, Level, subscriber::DefaultGuard};
use tracing_subscriber::fmt::format::FmtSpan;

/// Format of log lines: `Text` and `Json` as the server writes them, `Trace` with every event and span.
#[derive(Clone, Copy, Debug)]
pub enum LogFormat {
    Text,
    Json,
    Trace,
}

/// Captures what is logged on the current thread until it is dropped.
pub struct LogCapture {
    bytes: Bytes,
    _guard: DefaultGuard,
    /// With a single subscriber, `tracing` caches whether a call site is enabled by asking the subscriber of the first
    /// thread that reaches it, which may be another test's. A second subscriber prevents this.
    _second: Dispatch,
}

#[derive(Clone, Default)]
struct Bytes(Arc<Mutex<Vec<u8>>>);

impl io::Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl LogCapture {
    /// Starts capturing.
    pub fn start(format: LogFormat) -> Self {
        let second = Dispatch::new(tracing::subscriber::NoSubscriber::new());
        let bytes = Bytes::default();
        let writer = bytes.clone();
        let builder = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
        let dispatch = match format {
            LogFormat::Text => Dispatch::new(builder.with_max_level(Level::INFO).compact().with_target(false).finish()),
            LogFormat::Json => {
                let builder = builder.with_max_level(Level::INFO).json().flatten_event(true);
                Dispatch::new(builder.with_current_span(true).with_span_list(false).finish())
            }
            // Every level that an operator can enable.
            LogFormat::Trace => {
                Dispatch::new(builder.with_max_level(Level::TRACE).with_span_events(FmtSpan::FULL).finish())
            }
        };
        let guard = tracing::dispatcher::set_default(&dispatch);
        Self { bytes, _guard: guard, _second: second }
    }

    /// Returns everything logged so far.
    pub fn text(&self) -> String {
        String::from_utf8(self.bytes.0.lock().unwrap().clone()).unwrap()
    }

    /// Returns everything logged so far and clears the capture.
    pub fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.bytes.0.lock().unwrap())).unwrap()
    }
}

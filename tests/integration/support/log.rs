//! The log as a test reads it.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing::{Dispatch, Level, subscriber::DefaultGuard};
use tracing_subscriber::fmt::format::FmtSpan;

/// How lines look: as the server writes them for people and for machines, or with everything there is.
#[derive(Clone, Copy, Debug)]
pub enum LogFormat {
    Text,
    Json,
    Trace,
}

/// What is logged on this thread for as long as this lives.
pub struct LogCapture {
    bytes: Bytes,
    _guard: DefaultGuard,
    /// While there is one subscriber only, `tracing` asks that of whichever thread comes by first, and may be told by
    /// another test's that nobody listens.
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
    /// Listens from now on.
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
            // Whatever an operator turns on.
            LogFormat::Trace => {
                Dispatch::new(builder.with_max_level(Level::TRACE).with_span_events(FmtSpan::FULL).finish())
            }
        };
        let guard = tracing::dispatcher::set_default(&dispatch);
        Self { bytes, _guard: guard, _second: second }
    }

    /// Trace that was logged so far.
    pub fn text(&self) -> String {
        String::from_utf8(self.bytes.0.lock().unwrap().clone()).unwrap()
    }

    /// Takes out everything that was logged so far.
    pub fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.bytes.0.lock().unwrap())).unwrap()
    }
}

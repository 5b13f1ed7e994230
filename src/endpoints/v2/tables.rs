//! Rows streamed as CSV and NDJSON: one batch in memory at a time, fetched when the client has taken the one before.

use std::{error::Error as StdError, future::Future, io};

use contract::table::{Row, RowFormat};
use futures_util::stream;
use poem::Body;
use tracing::{Instrument, Span};

/// How many rows to fetch at once: enough that a query costs little per row, few enough to hold in memory.
pub const BATCH: usize = 500;

/// Rows, and where those behind them begin.
#[derive(Clone, Debug)]
pub struct Batch<R, C> {
    /// The rows. A batch without any is the last one.
    pub rows: Vec<R>,
    /// What to fetch the following batch by; `None` after the last row.
    pub next: Option<C>,
}

/// What is to be done when the client asks for more.
enum Step<R, C> {
    Begin(Batch<R, C>),
    Continue(C),
    End,
}

/// A body of `first` and everything that `next` fetches. The first batch is fetched before there is an answer, so that
/// what is wrong with the request can still be said.
///
/// A batch that cannot be fetched breaks the stream, and the server the connection: a file that ended there would look
/// whole. The story is in the log, in the span of the request.
pub fn rows<R, C, E, F, Fut>(format: RowFormat, first: Batch<R, C>, next: F) -> Body
where
    R: Row + Send + 'static,
    C: Send + 'static,
    E: StdError + Send + Sync + 'static,
    F: FnMut(C) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Batch<R, C>, E>> + Send + 'static,
{
    let span = Span::current();
    Body::from_bytes_stream(stream::try_unfold((Step::Begin(first), next), move |(step, mut next)| {
        let producing = async move {
            let (batch, text) = match step {
                Step::Begin(batch) => (batch, format.begin::<R>().map_err(broken)?),
                Step::Continue(cursor) => (next(cursor).await.map_err(broken)?, Vec::new()),
                Step::End => return Ok(None),
            };
            let text = format.append(&batch.rows, text).map_err(broken)?;
            if text.is_empty() {
                return Ok(None);
            }
            let step = batch.next.filter(|_| !batch.rows.is_empty()).map_or(Step::End, Step::Continue);
            Ok::<_, io::Error>(Some((text, (step, next))))
        };
        producing.instrument(span.clone())
    }))
}

/// Logs what broke a stream, and breaks it.
pub(super) fn broken(error: impl StdError + Send + Sync + 'static) -> io::Error {
    let mut causes = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        // Some errors say what their source says.
        if !causes.contains(&cause_text) {
            causes.push_str(": ");
            causes.push_str(&cause_text);
        }
        next = cause.source();
    }
    tracing::error!(causes, "a stream of rows broke off");
    io::Error::other(error)
}

#[cfg(test)]
mod tests;

//! Streams of rows as CSV and NDJSON: one batch is in memory at a time, and the next is fetched after the client has read it.

use std::{error::Error as StdError, future::Future, io};

use contract::{
    BasePath, Permissions,
    table::{Row, RowFormat},
};
use futures_util::stream;
use poem::Body;
use tracing::{Instrument, Span};

use crate::services::{current_min_revision, with_min_revision};

/// Number of rows in a batch: large enough to keep the number of queries low, small enough for memory.
pub const BATCH_SIZE: usize = 500;

/// Rows, and the position of the next batch.
#[derive(Clone, Debug)]
pub struct Batch<R, C> {
    /// The rows. An empty batch is the last one.
    pub rows: Vec<R>,
    /// The position of the next batch; `None` after the last row.
    pub next: Option<C>,
}

/// The next chunk of a stream.
enum Step<R, C> {
    Begin(Batch<R, C>),
    Continue(C),
    End,
}

/// Returns a body of `first` and all batches that `next` fetches. The first batch is fetched before the response starts, so that
/// an error in the request still results in an error response.
///
/// If a batch cannot be fetched, the stream fails and the server closes the connection: otherwise, the truncated file would look
/// complete. The error is logged in the span of the request.
pub fn stream_rows<R, C, E, F, Fut>(format: RowFormat, first: Batch<R, C>, next: F) -> Body
where
    R: Row + Send + 'static,
    C: Send + 'static,
    E: StdError + Send + Sync + 'static,
    F: FnMut(C) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Batch<R, C>, E>> + Send + 'static,
{
    let (span, min_revision) = (Span::current(), current_min_revision());
    let (base_path, permissions) = (BasePath::current(), Permissions::current());
    Body::from_bytes_stream(stream::try_unfold((Step::Begin(first), next), move |(step, mut next)| {
        let producing = async move {
            let (batch, text) = match step {
                Step::Begin(batch) => (batch, format.write_header::<R>().map_err(stream_error)?),
                Step::Continue(cursor) => (next(cursor).await.map_err(stream_error)?, Vec::new()),
                Step::End => return Ok(None),
            };
            let text = format.append(&batch.rows, text).map_err(stream_error)?;
            if text.is_empty() {
                return Ok(None);
            }
            let step = batch.next.filter(|_| !batch.rows.is_empty()).map_or(Step::End, Step::Continue);
            Ok::<_, io::Error>(Some((text, (step, next))))
        };
        base_path.scope(permissions.scope(with_min_revision(min_revision, producing))).instrument(span.clone())
    }))
}

/// Logs the error of a stream, and converts it.
pub(super) fn stream_error(error: impl StdError + Send + Sync + 'static) -> io::Error {
    let mut causes = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        // Some errors contain the message of their source.
        if !causes.contains(&cause_text) {
            causes.push_str(": ");
            causes.push_str(&cause_text);
        }
        next = cause.source();
    }
    tracing::error!(causes, "row stream failed");
    io::Error::other(error)
}

#[cfg(test)]
mod tests;

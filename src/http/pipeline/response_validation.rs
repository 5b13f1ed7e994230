//! Response validation: compares responses with the OpenAPI document after they are sent, on a separate thread. A response
//! is neither changed nor delayed. Violations are counted, and the first of each kind is logged, without values.
//!
//! The number of responses validated at a time and the size of each bound the memory.

use std::{
    collections::HashMap,
    fmt, io,
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    thread,
};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, combinators::BoxBody};
use openapi_model::{Operation, ResponseViolation};
use poem::{Response, http::HeaderMap};

use super::request_id;
use crate::config::ResponseValidation;

/// Maximum size of a validated body. If the body is larger, only status and headers are validated.
const MAX_BODY_BYTES: usize = 1 << 20;
/// Maximum number of responses that are recorded concurrently; further responses are skipped.
const MAX_CONCURRENT: usize = 64;
/// In a sample, one of this number of responses of an operation and status is validated, starting with the first.
const SAMPLE_INTERVAL: u64 = 100;
/// Maximum number of kinds of violations that are counted separately.
const MAX_KINDS: usize = 1_000;

/// Validates responses against the OpenAPI document.
#[derive(Clone)]
pub struct ResponseValidator {
    shared: Arc<Shared>,
    tasks: Sender<Task>,
    is_sample: bool,
}

/// Numbers of responses since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValidationCounts {
    /// Responses that were validated.
    pub validated: u64,
    /// Responses with violations.
    pub invalid: u64,
    /// Responses that were not validated: there were too many at the same time, or the client did not read the body completely.
    pub skipped: u64,
}

/// A kind of difference between responses and the document.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResponseViolationKind {
    pub operation: &'static str,
    /// The path template, because both versions have operations with the same ID.
    pub path: &'static str,
    pub status: u16,
    /// As [`ResponseViolation::location_pattern`].
    pub location: String,
    pub problem: String,
}

#[derive(Default)]
struct Shared {
    validated: AtomicU64,
    invalid: AtomicU64,
    skipped: AtomicU64,
    concurrent: AtomicUsize,
    /// Number of responses by path, method and status.
    responses: Mutex<HashMap<(&'static str, &'static str, u16), u64>>,
    kinds: Mutex<HashMap<ResponseViolationKind, u64>>,
}

enum Task {
    Validate(Box<SentResponse>),
    /// Signals that every earlier task is complete.
    Flush(tokio::sync::oneshot::Sender<()>),
}

struct SentResponse {
    slot: Slot,
    head: ResponseHead,
    /// `None` if the body was too long.
    body: Option<Vec<Bytes>>,
}

struct ResponseHead {
    status: u16,
    headers: Vec<(String, String)>,
}

impl ResponseValidator {
    /// Starts the validation thread; `None` if validation is off.
    ///
    /// # Errors
    /// Fails if the thread cannot be started.
    pub fn new(mode: ResponseValidation) -> io::Result<Option<Self>> {
        if mode == ResponseValidation::Off {
            return Ok(None);
        }
        let shared = Arc::<Shared>::default();
        let (tasks, receiver) = crossbeam_channel::unbounded();
        let worker = Arc::clone(&shared);
        // The thread logs to the subscriber of the thread that starts it.
        let subscriber = tracing::dispatcher::get_default(Clone::clone);
        let work = move || tracing::dispatcher::with_default(&subscriber, || worker.run(&receiver));
        thread::Builder::new().name("response-check".to_owned()).spawn(work)?;
        Ok(Some(Self { shared, tasks, is_sample: mode == ResponseValidation::Sample }))
    }

    /// Returns the counts since the start.
    #[must_use]
    pub fn counts(&self) -> ValidationCounts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Shared { validated, invalid, skipped, .. } = &*self.shared;
        ValidationCounts { validated: count(validated), invalid: count(invalid), skipped: count(skipped) }
    }

    /// Returns the number of violations since the start, by kind.
    #[must_use]
    pub fn kinds(&self) -> Vec<(ResponseViolationKind, u64)> {
        let kinds = self.shared.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kinds: Vec<_> = kinds.iter().map(|(kind, times)| (kind.clone(), *times)).collect();
        kinds.sort();
        kinds
    }

    /// Waits until all responses sent so far are validated.
    pub async fn flush(&self) {
        let (done, flushed) = tokio::sync::oneshot::channel();
        if self.tasks.send(Task::Flush(done)).is_ok() {
            let _ = flushed.await;
        }
    }

    /// Records the body of a response while it is sent, if it is to be validated. Its headers follow with
    /// [`PendingValidation::set_headers`], once they are complete.
    pub(super) fn start(&self, operation: &'static Operation, response: &mut Response) -> Option<PendingValidation> {
        if self.is_sample && !self.shared.is_in_sample(operation, response.status().as_u16()) {
            return None;
        }
        let Some(slot) = Slot::acquire(&self.shared, operation) else {
            self.shared.skipped.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let inner: BoxBody<Bytes, io::Error> = response.take_body().into();
        let head = Arc::<OnceLock<ResponseHead>>::default();
        let recording = Recording {
            slot: Some(slot),
            head: Arc::clone(&head),
            chunks: Some(Vec::new()),
            size: 0,
            tasks: self.tasks.clone(),
        };
        // An empty body is never polled, so it is complete.
        let (complete, recording) =
            if inner.is_end_stream() { (Some(recording), None) } else { (None, Some(recording)) };
        response.set_body(TeeBody { inner, recording }.boxed());
        Some(PendingValidation { head, complete })
    }
}

impl Shared {
    fn is_in_sample(&self, operation: &'static Operation, status: u16) -> bool {
        let mut responses = self.responses.lock().unwrap_or_else(PoisonError::into_inner);
        // The size of the map is bounded by the number of operations and statuses.
        let count = responses.entry((&operation.path, &operation.method, status)).or_default();
        *count += 1;
        *count % SAMPLE_INTERVAL == 1
    }

    fn run(&self, tasks: &Receiver<Task>) {
        for task in tasks {
            match task {
                Task::Validate(response) => self.validate(&response),
                Task::Flush(done) => drop(done.send(())),
            }
        }
    }

    fn validate(&self, response: &SentResponse) {
        let SentResponse { slot: Slot { operation, .. }, head, body } = response;
        let body = body.as_ref().map(|chunks| chunks.concat());
        let violations = operation.validate_response(head.status, &head.headers, body.as_deref());
        self.validated.fetch_add(1, Ordering::Relaxed);
        if violations.is_empty() {
            return;
        }
        self.invalid.fetch_add(1, Ordering::Relaxed);
        for violation in violations {
            self.record(operation, head, &violation);
        }
    }

    /// Counts a violation, and logs it if it is the first of its kind.
    fn record(&self, operation: &'static Operation, head: &ResponseHead, violation: &ResponseViolation) {
        let kind = ResponseViolationKind {
            operation: &operation.id,
            path: &operation.path,
            status: head.status,
            location: violation.location_pattern(),
            problem: violation.problem.clone(),
        };
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = kinds.get_mut(&kind) {
            *times += 1;
        } else if kinds.len() < MAX_KINDS {
            let id = head.headers.iter().find(|(name, _)| *name == request_id::HEADER);
            tracing::warn!(
                request_id = id.map(|(_, id)| id.as_str()),
                operation = kind.operation,
                path = kind.path,
                status = kind.status,
                location = violation.place,
                problem = kind.problem,
                "response does not match the OpenAPI document"
            );
            kinds.insert(kind, 1);
        }
    }
}

/// A slot for one concurrently recorded response; dropping it releases the slot.
struct Slot {
    shared: Arc<Shared>,
    operation: &'static Operation,
}

impl Slot {
    fn acquire(shared: &Arc<Shared>, operation: &'static Operation) -> Option<Self> {
        let slot = Self { shared: Arc::clone(shared), operation };
        // The counter is incremented before it is compared. If the maximum is exceeded, dropping the slot decrements it.
        (shared.concurrent.fetch_add(1, Ordering::Relaxed) < MAX_CONCURRENT).then_some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.shared.concurrent.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The part of a response that was sent.
struct Recording {
    /// `None` after the response was passed to the validation thread.
    slot: Option<Slot>,
    head: Arc<OnceLock<ResponseHead>>,
    /// `None` if the body is too long.
    chunks: Option<Vec<Bytes>>,
    size: usize,
    tasks: Sender<Task>,
}

impl Recording {
    fn push(&mut self, chunk: &Bytes) {
        self.size = self.size.saturating_add(chunk.len());
        if self.size > MAX_BODY_BYTES {
            self.chunks = None;
        } else if let Some(chunks) = &mut self.chunks {
            // A reference count, not a copy.
            chunks.push(chunk.clone());
        }
    }

    /// Passes the complete response to the validation thread.
    fn finish(mut self) {
        let head = Arc::get_mut(&mut self.head).and_then(OnceLock::take);
        if let (Some(slot), Some(head)) = (self.slot.take(), head) {
            let response = SentResponse { slot, head, body: self.chunks.take() };
            // Fails only if the thread has ended.
            let _ = self.tasks.send(Task::Validate(Box::new(response)));
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if let Some(slot) = &self.slot {
            slot.shared.skipped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A response that is recorded and whose headers are not complete.
pub(super) struct PendingValidation {
    head: Arc<OnceLock<ResponseHead>>,
    /// The recording of a response without a body.
    complete: Option<Recording>,
}

impl PendingValidation {
    /// Records the status and the final headers.
    pub(super) fn set_headers(self, response: &Response) {
        let head = ResponseHead { status: response.status().as_u16(), headers: to_text(response.headers()) };
        let _ = self.head.set(head);
        drop(self.head);
        if let Some(recording) = self.complete {
            recording.finish();
        }
    }
}

fn to_text(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))).collect()
}

/// A body that records the sent frames.
struct TeeBody {
    inner: BoxBody<Bytes, io::Error>,
    recording: Option<Recording>,
}

impl Body for TeeBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        if let (Some(data), Some(recording)) =
            (frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()), &mut self.recording)
        {
            recording.push(data);
        }
        // A reader that knows the length does not poll past the last frame.
        if frame.is_none() || (frame.as_ref().is_some_and(Result::is_ok) && self.inner.is_end_stream()) {
            self.recording.take().into_iter().for_each(Recording::finish);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl fmt::Debug for ResponseValidator {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ResponseValidator").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

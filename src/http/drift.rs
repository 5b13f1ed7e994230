//! Whether answers are what the document says. Each is watched while it is sent and judged afterwards, on a thread of its
//! own: what the client gets is never altered and never waits. ResponseViolation is counted, and logged once of each kind, without a
//! value of anybody's.
//!
//! Owns what watching may cost: so many answers at once, so many bytes of each. Knows nothing of what is in a document.

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
use document::{Operation, ResponseViolation};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, combinators::BoxBody};
use poem::{Response, http::HeaderMap};

use super::request_id;
use crate::config::ResponseValidation;

/// So much of a body is kept for judging; of a longer one only status and headers are judged.
const MAX_BODY: usize = 1 << 20;
/// So many answers are watched at once; others pass unseen. Together with [`MAX_BODY`] this bounds the memory.
const MAX_AT_ONCE: usize = 64;
/// One in so many is watched, after the first of its operation and status.
const SAMPLE: u64 = 100;
/// So many kinds of drift are told apart; more are only counted.
const MAX_KINDS: usize = 1_000;

/// Holds answers to the document.
#[derive(Clone)]
pub struct ResponseValidator {
    shared: Arc<Shared>,
    finished: Sender<Work>,
    is_sample: bool,
}

/// How often, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValidationCounts {
    /// Answers that were judged.
    pub checked: u64,
    /// Answers that were not what the document says.
    pub drifted: u64,
    /// Answers that should have been judged and were not: too many at once, or not read to their end.
    pub skipped: u64,
}

/// One way in which answers differ from the document.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DriftKind {
    pub operation: &'static str,
    /// The path template: the versions have operations of the same name.
    pub path: &'static str,
    pub status: u16,
    /// As [`ResponseViolation::location_pattern`].
    pub place: String,
    pub problem: String,
}

#[derive(Default)]
struct Shared {
    checked: AtomicU64,
    drifted: AtomicU64,
    skipped: AtomicU64,
    watched: AtomicUsize,
    answers: Mutex<HashMap<(&'static str, &'static str, u16), u64>>,
    kinds: Mutex<HashMap<DriftKind, u64>>,
}

enum Work {
    Judge(Box<Answer>),
    /// Whoever waits for everything before.
    Settled(tokio::sync::oneshot::Sender<()>),
}

/// An answer that has been sent.
struct Answer {
    watch: Watch,
    head: Head,
    /// `None`: too long to be kept.
    body: Option<Vec<Bytes>>,
}

struct Head {
    status: u16,
    headers: Vec<(String, String)>,
}

impl ResponseValidator {
    /// As configured; `None` when switched off.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn new(checked: ResponseValidation) -> io::Result<Option<Self>> {
        if checked == ResponseValidation::Off {
            return Ok(None);
        }
        let shared = Arc::<Shared>::default();
        let (finished, work) = crossbeam_channel::unbounded();
        let judge = Arc::clone(&shared);
        // It logs where whoever starts it does.
        let log = tracing::dispatcher::get_default(Clone::clone);
        let work = move || tracing::dispatcher::with_default(&log, || judge.work(&work));
        thread::Builder::new().name("response-check".to_owned()).spawn(work)?;
        Ok(Some(Self { shared, finished, is_sample: checked == ResponseValidation::Sample }))
    }

    /// How often, since the start.
    #[must_use]
    pub fn counts(&self) -> ValidationCounts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Shared { checked, drifted, skipped, .. } = &*self.shared;
        ValidationCounts { checked: count(checked), drifted: count(drifted), skipped: count(skipped) }
    }

    /// Every kind of drift that was seen, and how often.
    #[must_use]
    pub fn kinds(&self) -> Vec<(DriftKind, u64)> {
        let kinds = self.shared.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kinds: Vec<_> = kinds.iter().map(|(kind, times)| (kind.clone(), *times)).collect();
        kinds.sort();
        kinds
    }

    /// Waits until every answer that was sent before is judged.
    pub async fn settled(&self) {
        let (tell, told) = tokio::sync::oneshot::channel();
        // Nobody is left to judge anything: settled, too.
        if self.finished.send(Work::Settled(tell)).is_ok() {
            let _ = told.await;
        }
    }

    /// Watches this answer of an operation if it is to be judged. Its body is still as the operation made it; what is yet
    /// done to its headers is told to [`Watched::with_headers`].
    pub(super) fn watch(&self, operation: &'static Operation, response: &mut Response) -> Option<Watched> {
        if self.is_sample && !self.shared.is_in_sample(operation, response.status().as_u16()) {
            return None;
        }
        let Some(watch) = Watch::start(&self.shared, operation) else {
            self.shared.skipped.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let inner: BoxBody<Bytes, io::Error> = response.take_body().into();
        let head = Arc::<OnceLock<Head>>::default();
        let seen = Seen {
            watch: Some(watch),
            head: Arc::clone(&head),
            kept: Some(Vec::new()),
            size: 0,
            finished: self.finished.clone(),
        };
        // An empty body is never asked for anything: its end is now.
        let (at_once, seen) = if inner.is_end_stream() { (Some(seen), None) } else { (None, Some(seen)) };
        response.set_body(Tee { inner, seen }.boxed());
        Some(Watched { head, at_once })
    }
}

impl Shared {
    fn is_in_sample(&self, operation: &'static Operation, status: u16) -> bool {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        // Statuses and operations are few: so are the counters.
        let count = answers.entry((&operation.path, &operation.method, status)).or_default();
        *count += 1;
        *count % SAMPLE == 1
    }

    fn work(&self, work: &Receiver<Work>) {
        for work in work {
            match work {
                Work::Judge(answer) => self.judge(&answer),
                Work::Settled(tell) => drop(tell.send(())),
            }
        }
    }

    fn judge(&self, answer: &Answer) {
        let Answer { watch: Watch { operation, .. }, head, body } = answer;
        let body = body.as_ref().map(|chunks| chunks.concat());
        let drift = operation.validate_response(head.status, &head.headers, body.as_deref());
        self.checked.fetch_add(1, Ordering::Relaxed);
        if drift.is_empty() {
            return;
        }
        self.drifted.fetch_add(1, Ordering::Relaxed);
        for one in drift {
            self.tell(operation, head, &one);
        }
    }

    /// Counts it, and logs it when it is the first of its kind.
    fn tell(&self, operation: &'static Operation, head: &Head, drift: &ResponseViolation) {
        let kind = DriftKind {
            operation: &operation.id,
            path: &operation.path,
            status: head.status,
            place: drift.location_pattern(),
            problem: drift.problem.clone(),
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
                place = drift.place,
                problem = kind.problem,
                "an answer is not what the document says"
            );
            kinds.insert(kind, 1);
        }
    }
}

/// One of the places for answers that are watched; free again when it is dropped.
struct Watch {
    shared: Arc<Shared>,
    operation: &'static Operation,
}

impl Watch {
    fn start(shared: &Arc<Shared>, operation: &'static Operation) -> Option<Self> {
        let watch = Self { shared: Arc::clone(shared), operation };
        // Counted first: what is dropped now is taken back.
        (shared.watched.fetch_add(1, Ordering::Relaxed) < MAX_AT_ONCE).then_some(watch)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.watched.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What has been seen of an answer so far.
struct Seen {
    /// Taken when it goes to the judge.
    watch: Option<Watch>,
    head: Arc<OnceLock<Head>>,
    kept: Option<Vec<Bytes>>,
    size: usize,
    finished: Sender<Work>,
}

impl Seen {
    fn keep(&mut self, data: &Bytes) {
        self.size = self.size.saturating_add(data.len());
        if self.size > MAX_BODY {
            self.kept = None;
        } else if let Some(kept) = &mut self.kept {
            // Cheap: a reference count.
            kept.push(data.clone());
        }
    }

    /// The answer has been sent to its end.
    fn end(mut self) {
        let head = Arc::get_mut(&mut self.head).and_then(OnceLock::take);
        if let (Some(watch), Some(head)) = (self.watch.take(), head) {
            let answer = Answer { watch, head, body: self.kept.take() };
            // Without a judge there is nobody to tell.
            let _ = self.finished.send(Work::Judge(Box::new(answer)));
        }
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.shared.skipped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// An answer that is watched and whose headers are not complete.
pub(super) struct Watched {
    head: Arc<OnceLock<Head>>,
    at_once: Option<Seen>,
}

impl Watched {
    /// Says with which headers it is sent.
    pub(super) fn with_headers(self, response: &Response) {
        let head = Head { status: response.status().as_u16(), headers: readable(response.headers()) };
        // Nobody else sets it.
        let _ = self.head.set(head);
        drop(self.head);
        if let Some(seen) = self.at_once {
            seen.end();
        }
    }
}

fn readable(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))).collect()
}

/// A body that is passed on as it is, and seen.
struct Tee {
    inner: BoxBody<Bytes, io::Error>,
    seen: Option<Seen>,
}

impl Body for Tee {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        if let (Some(data), Some(seen)) =
            (frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()), &mut self.seen)
        {
            seen.keep(data);
        }
        // Whoever knows how long a body is does not ask for more than that.
        if frame.is_none() || (frame.as_ref().is_some_and(Result::is_ok) && self.inner.is_end_stream()) {
            self.seen.take().into_iter().for_each(Seen::end);
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

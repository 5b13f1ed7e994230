//! What is noted of a request in case it fails.
//!
//! Owns the second look at a body: its pieces are kept as they are read, by reference and up to the limit. When all goes well they
//! are let go, and nothing has been copied.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use contract::Caller;
use futures_util::{Stream, stream};
use incidents::{Exchange, Principal};
use poem::{
    Body, Request, Response,
    http::{
        HeaderMap, HeaderName, Method,
        header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING},
    },
};

use super::{errors::Failure, facts::Facts};
use crate::{capture::Recorder, domain::Clock, endpoints::Witness};

/// An administrator's request that carries it is kept, whatever comes of it.
const DEBUG_CAPTURE: HeaderName = HeaderName::from_static("x-debug-capture");

/// What is noted of a request.
pub(super) struct Observed<'a> {
    recorder: &'a Recorder,
    received_at: i64,
    /// `None` when too many failed just before: should this one fail, it is counted, even if there is room by then.
    noted: Option<Box<Noted>>,
}

/// What it takes to keep a request.
struct Noted {
    headers: HeaderMap,
    body: Option<Arc<Mutex<Tee>>>,
    caller: Arc<OnceLock<Caller>>,
}

/// What an answer says that must be kept.
pub(super) struct Answer {
    body: Bytes,
    is_cut: bool,
}

type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// A body, and what has been read of it.
struct Tee {
    pieces: Pieces,
    kept: Vec<Bytes>,
    /// How many bytes may still be kept.
    room: usize,
    is_cut: bool,
    is_over: bool,
}

impl Tee {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let polled = self.pieces.as_mut().poll_next(context);
        match &polled {
            Poll::Ready(Some(Ok(piece))) => {
                let part = piece.len().min(self.room);
                self.is_cut |= part < piece.len();
                self.room -= part;
                if part > 0 {
                    self.kept.push(piece.slice(..part));
                }
            }
            Poll::Ready(Some(Err(_)) | None) => self.is_over = true,
            Poll::Pending => {}
        }
        polled
    }

    /// What nobody has read, as far as it is there already.
    fn read_on(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        while !self.is_over && !self.is_cut {
            if self.poll(&mut context).is_pending() {
                break;
            }
        }
        self.is_cut |= !self.is_over;
    }
}

impl Noted {
    fn is_asked_for(&self) -> bool {
        self.headers.contains_key(&DEBUG_CAPTURE) && self.caller.get().is_some_and(|caller| caller.is_admin)
    }
}

impl<'a> Observed<'a> {
    /// Begins to look at a request.
    pub(super) fn of(request: &mut Request, recorder: &'a Recorder, received_at: i64) -> Self {
        if !request.headers().contains_key(DEBUG_CAPTURE) && !recorder.may_accept(received_at) {
            return Self { recorder, received_at, noted: None };
        }
        let caller = Arc::<OnceLock<Caller>>::default();
        request.extensions_mut().insert(Witness(Arc::clone(&caller)));
        let headers = request.headers().clone();
        let may_have_body = headers.contains_key(TRANSFER_ENCODING)
            || headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
        let body = may_have_body.then(|| {
            let tee = Arc::new(Mutex::new(Tee {
                pieces: Box::pin(request.take_body().into_bytes_stream()),
                kept: Vec::new(),
                room: recorder.limits().body_bytes,
                is_cut: false,
                is_over: false,
            }));
            let other = Arc::clone(&tee);
            let pieces =
                stream::poll_fn(move |context| other.lock().unwrap_or_else(PoisonError::into_inner).poll(context));
            request.set_body(Body::from_bytes_stream(pieces));
            tee
        });
        Self { recorder, received_at, noted: Some(Box::new(Noted { headers, body, caller })) }
    }

    /// Whether this answer, which is finished now, is one to be kept, and there is room for it; if there is none, it is counted.
    pub(super) fn wants(&self, facts: &Facts, response: &Response, failure: &Failure, clock: &dyn Clock) -> bool {
        let status = response.status().as_u16();
        let is_asked_for = self.noted.as_ref().is_some_and(|noted| noted.is_asked_for());
        let is_failure = self.recorder.limits().filter.has(status, failure.code());
        if facts.is_outside || !(is_failure || is_asked_for) {
            return false;
        }
        // What an administrator asks for has nothing to do with the rate of what fails.
        let has_room = if is_asked_for {
            self.recorder.has_queue_capacity()
        } else {
            self.noted.is_some() && self.recorder.try_acquire(clock.now().micros())
        };
        if !has_room && is_failure {
            let operation = facts.operation.map(|operation| operation.id.as_str());
            self.recorder.count_uncaptured(operation, status, failure.code(), &failure.site(), self.received_at);
        }
        has_room
    }

    /// Reads an answer that was made in one piece, and puts it back; a stream is not kept.
    pub(super) async fn read(&self, response: &mut Response) -> Answer {
        let length = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if length.is_none_or(|length: usize| length > self.recorder.limits().body_bytes) {
            return Answer { body: Bytes::new(), is_cut: response.headers().contains_key(CONTENT_TYPE) };
        }
        // In memory already: a body whose length is known was made in one piece.
        let body = response.take_body().into_bytes().await.unwrap_or_default();
        response.set_body(body.clone());
        Answer { body, is_cut: false }
    }

    /// Keeps what a request and its answer were.
    pub(super) fn keep(self, seen: Seen<'_>, response: &Response, answer: Answer, took: Duration) {
        let Seen { facts, method, target, request_id, trace_id, failure } = seen;
        let Some(noted) = self.noted else { return };
        let (body, is_body_truncated) = match &noted.body {
            Some(tee) => {
                let mut tee = tee.lock().unwrap_or_else(PoisonError::into_inner);
                tee.read_on();
                (std::mem::take(&mut tee.kept), tee.is_cut)
            }
            None => (Vec::new(), false),
        };
        let principal = noted.caller.get().map(|caller| Principal {
            user_id: caller.user_id,
            session_id: caller.session_id,
            role: if caller.is_admin { "admin" } else { "user" }.to_owned(),
        });
        // The database may be what failed: then the token is all that is known of who asked.
        let needs_admin = facts.operation.is_some_and(|operation| operation.path.contains("/admin/"));
        let claimed = || {
            let (user_id, session_id) = facts.claimed?;
            Some(Principal { user_id, session_id, role: if needs_admin { "admin" } else { "user" }.to_owned() })
        };
        self.recorder.record(Box::new(Exchange {
            request_id: request_id.to_owned(),
            trace_id: trace_id.map(str::to_owned),
            received_at: self.received_at,
            duration: i64::try_from(took.as_micros()).unwrap_or(i64::MAX),
            contract: facts.version.map(super::versions::Version::name),
            operation: facts.operation,
            code: failure.code(),
            site: failure.site(),
            principal: principal.or_else(claimed),
            method: method.as_str().to_owned(),
            target: target.to_owned(),
            headers: owned(&noted.headers),
            body,
            is_body_truncated,
            status: response.status().as_u16(),
            response_headers: owned(response.headers()),
            response_body: answer.body,
            is_response_truncated: answer.is_cut,
        }));
    }
}

/// What the stack knows of a request in the end.
pub(super) struct Seen<'a> {
    pub(super) facts: &'a Facts,
    pub(super) method: &'a Method,
    pub(super) target: &'a str,
    pub(super) request_id: &'a str,
    pub(super) trace_id: Option<&'a str>,
    pub(super) failure: &'a Failure,
}

fn owned(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}

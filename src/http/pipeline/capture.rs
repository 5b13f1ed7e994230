//! Captures a request in case it fails, so that it can be replayed.
//!
//! The chunks of the request body are retained while the operation reads them: by reference, up to a limit, and dropped if the
//! request succeeds.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use contract::operation::Access;
use futures_util::{Stream, stream};
use incidents::{CapturedApiClient, ContractVersion, Exchange, Principal, PrincipalRole};
use poem::{
    Body, Request, Response,
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING},
    },
};

use super::{context::RequestContext, errors};
use crate::{capture::Recorder, domain::Clock, http::versions::Version};

/// An administrator's request with this header is captured even if it succeeds.
const DEBUG_CAPTURE: HeaderName = HeaderName::from_static("x-debug-capture");
/// Tells the client whether a request with [`DEBUG_CAPTURE`] was captured.
const DEBUG_CAPTURED: HeaderName = HeaderName::from_static("x-debug-captured");

/// A request that may have to be captured.
pub(super) struct RequestCapture<'a> {
    recorder: &'a Recorder,
    /// `None` if the capture rate was exceeded when the request arrived: a failure is counted, not captured.
    request: Option<CapturedRequest>,
}

/// The parts of a request that its operation consumes.
struct CapturedRequest {
    headers: HeaderMap,
    body: Option<Arc<Mutex<TeeBody>>>,
}

/// A request and its response, to be recorded.
pub(super) struct CapturedExchange<'a> {
    recorder: &'a Recorder,
    request: CapturedRequest,
    response_body: Bytes,
    is_response_truncated: bool,
}

type Chunks = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// A body, and the chunks that have been read of it.
struct TeeBody {
    chunks: Chunks,
    read: Vec<Bytes>,
    /// Number of further bytes to retain.
    remaining: usize,
    is_truncated: bool,
    is_complete: bool,
}

impl TeeBody {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let polled = self.chunks.as_mut().poll_next(context);
        match &polled {
            Poll::Ready(Some(Ok(chunk))) => {
                let length = chunk.len().min(self.remaining);
                self.is_truncated |= length < chunk.len();
                self.remaining -= length;
                if length > 0 {
                    self.read.push(chunk.slice(..length));
                }
            }
            Poll::Ready(Some(Err(_)) | None) => self.is_complete = true,
            Poll::Pending => {}
        }
        polled
    }

    /// Reads what the operation has not read, as far as it has arrived.
    fn read_available(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        while !self.is_complete && !self.is_truncated {
            if self.poll(&mut context).is_pending() {
                break;
            }
        }
        self.is_truncated |= !self.is_complete;
    }
}

impl CapturedRequest {
    fn new(request: &mut Request, max_body_bytes: usize) -> Self {
        let headers = request.headers().clone();
        let may_have_body = headers.contains_key(TRANSFER_ENCODING)
            || headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
        let body = may_have_body.then(|| {
            let tee = Arc::new(Mutex::new(TeeBody {
                chunks: Box::pin(request.take_body().into_bytes_stream()),
                read: Vec::new(),
                remaining: max_body_bytes,
                is_truncated: false,
                is_complete: false,
            }));
            let reader = Arc::clone(&tee);
            let chunks =
                stream::poll_fn(move |context| reader.lock().unwrap_or_else(PoisonError::into_inner).poll(context));
            request.set_body(Body::from_bytes_stream(chunks));
            tee
        });
        Self { headers, body }
    }

    /// Returns the chunks of the body, and whether it is truncated.
    fn take_body(&self) -> (Vec<Bytes>, bool) {
        let Some(tee) = &self.body else { return (Vec::new(), false) };
        let mut tee = tee.lock().unwrap_or_else(PoisonError::into_inner);
        tee.read_available();
        (std::mem::take(&mut tee.read), tee.is_truncated)
    }
}

impl<'a> RequestCapture<'a> {
    /// Starts to capture a request, unless the capture rate is exceeded.
    pub(super) fn start(request: &mut Request, recorder: &'a Recorder, context: &RequestContext) -> Self {
        let may_capture = context.requests_capture || recorder.may_accept(context.received_at);
        let request = may_capture.then(|| CapturedRequest::new(request, recorder.limits().body_bytes));
        Self { recorder, request }
    }

    /// Decides whether to record the request, and reads the response body if so. A failure that cannot be recorded is
    /// counted.
    pub(super) async fn select(
        self,
        context: &RequestContext,
        response: &mut Response,
        clock: &dyn Clock,
    ) -> Option<CapturedExchange<'a>> {
        let status = response.status().as_u16();
        let is_failure = self.recorder.limits().filter.matches(status, context.error_code());
        let is_requested = context.requests_capture && context.identity.authorize(Access::Admin, "GET").is_ok();
        // A replay is not an occurrence of the failure that it investigates.
        if context.is_unversioned || context.is_replay || !(is_failure || is_requested) {
            return None;
        }
        let is_accepted = if is_requested {
            // Only failures count toward the rate.
            self.recorder.has_queue_capacity()
        } else {
            self.request.is_some() && self.recorder.try_acquire(clock.now().micros())
        };
        let Some(request) = self.request.filter(|_| is_accepted) else {
            if is_failure {
                let site = errors::site(context.error.as_ref());
                self.recorder.count_uncaptured(
                    context.operation_id(),
                    status,
                    context.error_code(),
                    &site,
                    context.received_at,
                );
            }
            return None;
        };
        let (response_body, is_response_truncated) =
            read_response_body(response, self.recorder.limits().body_bytes).await;
        Some(CapturedExchange { recorder: self.recorder, request, response_body, is_response_truncated })
    }
}

/// Adds the header that tells whether the request was captured.
pub(super) fn write_result(is_captured: bool, headers: &mut HeaderMap) {
    headers.insert(DEBUG_CAPTURED, HeaderValue::from_static(if is_captured { "1" } else { "0" }));
}

/// Returns whether the headers request a capture, with `X-Debug-Capture: 1`.
pub(super) fn requests_capture(headers: &HeaderMap) -> bool {
    headers.get(DEBUG_CAPTURE).is_some_and(|value| value.as_bytes().trim_ascii() == b"1")
}

/// Reads a response body that is in memory and puts it back; returns it, and whether it is incomplete. A stream is not read.
async fn read_response_body(response: &mut Response, max_bytes: usize) -> (Bytes, bool) {
    let length = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if length.is_none_or(|length: usize| length > max_bytes) {
        return (Bytes::new(), response.headers().contains_key(CONTENT_TYPE));
    }
    match response.take_body().into_bytes().await {
        Ok(body) => {
            response.set_body(body.clone());
            (body, false)
        }
        Err(error) => {
            // The client must receive the failure, not an empty body.
            response.set_body(Body::from_bytes_stream(stream::iter([Err::<Bytes, _>(io::Error::other(error))])));
            (Bytes::new(), true)
        }
    }
}

impl CapturedExchange<'_> {
    /// Passes the request and its response to the recorder.
    pub(super) fn record(self, context: &RequestContext, response: &Response, duration: Duration) {
        let (body, is_body_truncated) = self.request.take_body();
        self.recorder.record(Box::new(Exchange {
            request_id: context.request_id.clone(),
            trace_id: context.trace.id().map(str::to_owned),
            received_at: context.received_at,
            duration: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX),
            contract: context.version.map(Version::name).and_then(ContractVersion::parse),
            operation: context.operation.map(|operation| operation.documented),
            code: context.error_code(),
            site: errors::site(context.error.as_ref()),
            principal: principal(context),
            method: context.method.as_str().to_owned(),
            target: context.uri.path_and_query().map_or("", |target| target.as_str()).to_owned(),
            headers: to_pairs(&self.request.headers),
            body,
            is_body_truncated,
            status: response.status().as_u16(),
            response_headers: to_pairs(response.headers()),
            response_body: self.response_body,
            is_response_truncated: self.is_response_truncated,
        }));
    }
}

/// Returns the caller of the request. If authentication failed, its role is unknown, and the role that the operation requires is
/// assumed.
fn principal(context: &RequestContext) -> Option<Principal> {
    let is_admin = match context.identity.caller() {
        Some(caller) => caller.is_admin,
        None => context.operation.is_some_and(|operation| operation.is_admin_only()),
    };
    Some(Principal {
        user_id: context.identity.user_id()?.get(),
        session_id: context.identity.session_id(),
        role: PrincipalRole::from_is_admin(is_admin),
        api_client: context.identity.api_client().map(|client| CapturedApiClient {
            id: client.id,
            scopes: client.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
        }),
    })
}

fn to_pairs(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    fn request(chunks: Vec<&'static str>) -> Request {
        let chunks = stream::iter(chunks).map(|chunk| Ok::<_, io::Error>(Bytes::from_static(chunk.as_bytes())));
        Request::builder().header(TRANSFER_ENCODING, "chunked").body(Body::from_bytes_stream(chunks))
    }

    #[tokio::test]
    async fn body_is_captured_up_to_the_limit() {
        for (max_bytes, expected) in [(10, ("onetwo", false)), (4, ("onet", true))] {
            let mut request = request(vec!["one", "two"]);
            let captured = CapturedRequest::new(&mut request, max_bytes);
            assert_eq!(request.take_body().into_string().await.unwrap(), "onetwo", "the operation reads all of it");
            let (body, is_truncated) = captured.take_body();
            assert_eq!((&*body.concat(), is_truncated), (expected.0.as_bytes(), expected.1));
        }
    }

    #[test]
    fn body_that_the_operation_has_not_read_is_captured() {
        let mut request = request(vec!["one", "two"]);
        let (body, is_truncated) = CapturedRequest::new(&mut request, 10).take_body();
        assert_eq!((&*body.concat(), is_truncated), (&b"onetwo"[..], false));
    }

    #[tokio::test]
    async fn response_body_that_cannot_be_read_stays_an_error() {
        let broken = Body::from_bytes_stream(stream::iter([Err::<Bytes, _>(io::Error::other("gone"))]));
        let mut response = Response::builder().header(CONTENT_LENGTH, 5).body(broken);
        assert_eq!(read_response_body(&mut response, 10).await, (Bytes::new(), true));
        assert!(response.into_body().into_bytes().await.is_err());
    }
}

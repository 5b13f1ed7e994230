//! Counts each request of an operation after its response body has ended, or was aborted.

use std::{
    io,
    pin::Pin,
    sync::atomic::Ordering,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, combinators::BoxBody};
use poem::{Response, http::StatusCode};

use super::context::RequestContext;
use crate::{
    domain::{ApiVersion, Consumer, InputSet, RateLimitSubject, Timestamp},
    traces::ActiveSpan,
    usage::{UsageEvent, UsageRecorder},
};

/// Counts the request when the body of the response ends, unless the server itself sent it as a replay. `duration` is the time until the
/// response was ready.
///
/// The span of the request also ends with the body, because reading rows for the body is part of the request.
pub(super) fn count(
    recorder: &UsageRecorder,
    context: &RequestContext,
    response: &mut Response,
    duration: Duration,
    span: Option<ActiveSpan>,
) {
    let Some(operation) = context.operation else { return };
    let Some(version) = context.version.and_then(|version| version.name().parse::<ApiVersion>().ok()) else { return };
    let received_at = Timestamp::from_micros(context.received_at);
    let consumer = consumer(recorder, context, received_at);
    let documented = operation.documented;
    let query = context.uri.query().map_or(0, |query| documented.query_inputs(query));
    let body = context.body_inputs.load(Ordering::Relaxed);
    let event = UsageEvent {
        received_at,
        version,
        operation: documented.id.as_str(),
        is_rejected: is_rejected(response.status(), documented.is_secured, &consumer) || !is_permitted(context),
        inputs: InputSet { declared: documented.inputs(), bits: query | body },
        consumer,
        status: response.status().as_u16(),
        latency: duration,
        bytes_in: context.body_bytes,
        bytes_out: 0,
    };
    let event = (!context.is_replay).then_some(event);
    let pending = PendingEvent { recorder: recorder.clone(), event, span };
    let inner: BoxBody<Bytes, io::Error> = response.take_body().into();
    if inner.is_end_stream() {
        response.set_body(inner);
    } else {
        response.set_body(CountingBody { inner, pending }.boxed());
    }
}

/// Returns the caller that the request is counted for. A token that is not checked further, because the request exceeds a limit,
/// still identifies its account: its signature is valid. A key that is not checked identifies its API client if it was valid
/// within the last seconds.
fn consumer(recorder: &UsageRecorder, context: &RequestContext, now: Timestamp) -> Consumer {
    match context.identity.rate_limit_subject() {
        Some(RateLimitSubject::ApiClient { id, .. }) => Consumer::ApiClient(id),
        Some(RateLimitSubject::User(user_id)) => Consumer::User(user_id),
        _ => {
            // Not only ASCII: `to_str` would reject other characters.
            let user_agent = context.user_agent.as_ref().map(|value| String::from_utf8_lossy(value.as_bytes()));
            recorder.anonymous(user_agent.as_deref(), now)
        }
    }
}

/// Returns whether the consumer cannot use the operation: its credentials or permissions are not sufficient, or it exceeds a rate
/// limit. A client without valid credentials cannot use an operation that requires them, also if it is removed.
fn is_rejected(status: StatusCode, is_secured: bool, consumer: &Consumer) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS)
        || is_secured && matches!(consumer, Consumer::Anonymous(_))
}

/// Returns whether the caller may call the operation. In a brownout, each caller receives 410.
fn is_permitted(context: &RequestContext) -> bool {
    let declared = context.operation.map(|operation| operation.declared);
    let caller = context.identity.caller();
    declared.zip(caller).is_none_or(|(declared, caller)| caller.permissions().permit(declared))
}

/// Records the event when it is dropped: the response was sent completely, or the client has disconnected.
struct PendingEvent {
    recorder: UsageRecorder,
    event: Option<UsageEvent>,
    span: Option<ActiveSpan>,
}

impl Drop for PendingEvent {
    fn drop(&mut self) {
        if let Some(event) = self.event.take() {
            self.recorder.record(event);
        }
    }
}

/// A body that counts the bytes that are sent.
struct CountingBody {
    inner: BoxBody<Bytes, io::Error>,
    pending: PendingEvent,
}

impl Body for CountingBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let _attached = self.pending.span.as_ref().map(|span| span.context().attach());
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
        if let (Some(data), Some(event)) = (data, &mut self.pending.event) {
            event.bytes_out += data.len() as u64;
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

//! Tracks the activity of a connection, and decides when a timeout has passed.
//!
//! The stream and the requests of a connection report their activity; its task asks for a decision. See
//! [`ConnectionLimits`](super::ConnectionLimits) for the limits.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use super::{ConnectionLimits, RejectReason};

/// The activity of one connection.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    in_flight: usize,
    /// Number of requests that have reached the endpoint.
    requests: u64,
    /// Last time that a request started, progressed or ended, or that a blocked write succeeded.
    progress_at: Instant,
    /// Last time that bytes arrived.
    read_at: Instant,
    /// Time since which a request head is incomplete.
    head_since: Option<Instant>,
    /// Time since which the client has read nothing of a response.
    write_blocked_since: Option<Instant>,
    rejection: Option<RejectReason>,
    /// Whether the end of the last request is unknown.
    is_end_unknown: bool,
    /// Whether the connection closes after a response, although the client may send more.
    is_last_response: bool,
}

/// The action for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Wait, and decide again at this time.
    WaitUntil(Instant),
    /// The connection is idle: shut it down gracefully.
    CloseGracefully,
    /// The request head has taken too long: reject the request.
    RejectRequest,
    /// Close the connection at once.
    Abort(&'static str),
}

/// Marks a request as in flight until it is dropped.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Activity>);

impl Activity {
    pub(super) const fn new(now: Instant) -> Self {
        Self(Mutex::new(State {
            in_flight: 0,
            requests: 0,
            progress_at: now,
            read_at: now,
            head_since: None,
            write_blocked_since: None,
            rejection: None,
            is_end_unknown: false,
            is_last_response: false,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that bytes arrived, and whether a request head is incomplete after them.
    pub(super) fn record_read(&self, now: Instant, is_head_incomplete: bool) {
        let mut state = self.state();
        state.read_at = now;
        state.head_since = if is_head_incomplete { state.head_since.or(Some(now)) } else { None };
    }

    /// Records that the client accepted bytes.
    pub(super) fn record_write(&self) {
        let mut state = self.state();
        if state.write_blocked_since.take().is_some() {
            state.progress_at = Instant::now();
        }
    }

    /// Records that the client does not accept bytes.
    pub(super) fn record_blocked_write(&self, now: Instant) {
        let mut state = self.state();
        state.write_blocked_since = state.write_blocked_since.or(Some(now));
    }

    /// Rejects the request whose head is arriving.
    pub(super) fn reject(&self, reason: RejectReason) {
        self.state().rejection = Some(reason);
    }

    pub(super) fn rejection(&self) -> Option<RejectReason> {
        self.state().rejection
    }

    /// Records that the end of a request is unknown, so that the connection must close after its response.
    pub(super) fn record_unknown_end(&self) {
        self.state().is_end_unknown = true;
    }

    /// Returns whether the connection closes after the current response.
    pub(super) fn is_last_response(&self) -> bool {
        self.state().is_last_response
    }

    pub(super) fn start_request(self: &Arc<Self>) -> InFlight {
        let mut state = self.state();
        state.in_flight += 1;
        state.requests += 1;
        // The request started with the bytes that arrived last.
        state.progress_at = state.read_at;
        drop(state);
        InFlight(Arc::clone(self))
    }

    /// Returns the number of requests that have reached the endpoint, and whether none of them is in flight.
    pub(super) fn requests(&self) -> (u64, bool) {
        let state = self.state();
        (state.requests, state.in_flight == 0)
    }

    /// Returns whether the connection has been idle since `then`, so that it can be closed without interrupting a request.
    pub(super) fn is_idle_since(&self, then: Option<Instant>) -> bool {
        let state = self.state();
        state.in_flight == 0
            && state.head_since.is_none()
            && state.write_blocked_since.is_none()
            && then.is_some_and(|then| state.progress_at <= then)
    }

    pub(super) fn decide(&self, now: Instant, limits: &ConnectionLimits) -> Decision {
        let state = self.state();
        let is_over = |since: Option<Instant>, limit| since.is_some_and(|since| now >= since + limit);
        if is_over(state.write_blocked_since, limits.send_timeout) {
            return Decision::Abort("client does not read the response");
        }
        if is_over(state.head_since, limits.header_timeout) {
            return if state.rejection.is_none() && state.in_flight == 0 {
                Decision::RejectRequest
            } else {
                Decision::Abort("request head did not arrive")
            };
        }
        let (limit, decision) = match state.in_flight {
            0 => (limits.idle_timeout, Decision::CloseGracefully),
            _ => (limits.response_timeout, Decision::Abort("response makes no progress")),
        };
        if is_over(Some(state.progress_at), limit) {
            return decision;
        }
        // Activity that starts after this call exceeds no limit before the shortest limit has passed.
        let shortest = limits.header_timeout.min(limits.send_timeout).min(limits.idle_timeout);
        let deadlines = [
            state.write_blocked_since.map(|since| since + limits.send_timeout),
            state.head_since.map(|since| since + limits.header_timeout),
            Some(state.progress_at + limit),
        ];
        let next = deadlines.into_iter().flatten().min().unwrap_or(now + shortest);
        Decision::WaitUntil(next.min(now + shortest))
    }
}

impl InFlight {
    /// Returns whether the end of a request on the connection is unknown.
    pub(super) fn is_end_unknown(&self) -> bool {
        self.0.state().is_end_unknown
    }

    /// Records that a part of the response was sent.
    pub(super) fn record_progress(&self) {
        self.0.state().progress_at = Instant::now();
    }

    /// Records that the connection closes after the response.
    pub(super) fn record_last_response(&self) {
        self.0.state().is_last_response = true;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.in_flight -= 1;
        state.progress_at = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn limits() -> ConnectionLimits {
        ConnectionLimits {
            connections: 1,
            header_timeout: seconds(10),
            idle_timeout: seconds(75),
            send_timeout: seconds(30),
            response_timeout: seconds(100),
            shutdown_timeout: seconds(20),
            body_bytes: 1024,
        }
    }

    #[test]
    fn slow_request_head_is_rejected_and_then_aborted() {
        let start = Instant::now();
        let activity = Activity::new(start);
        assert_eq!(activity.decide(start, &limits()), Decision::WaitUntil(start + seconds(10)));
        activity.record_read(start + seconds(4), true);
        activity.record_read(start + seconds(9), true);
        assert!(!activity.is_idle_since(Some(start + seconds(9))));
        assert_eq!(activity.decide(start + seconds(10), &limits()), Decision::WaitUntil(start + seconds(14)));
        assert_eq!(activity.decide(start + seconds(14), &limits()), Decision::RejectRequest);
        activity.reject(RejectReason::HeaderTimeout);
        assert_eq!(activity.decide(start + seconds(14), &limits()), Decision::Abort("request head did not arrive"));
        // A complete head has no timeout.
        let activity = Activity::new(start);
        activity.record_read(start, true);
        activity.record_read(start + seconds(9), false);
        assert_eq!(activity.decide(start + seconds(11), &limits()), Decision::WaitUntil(start + seconds(21)));
    }

    #[test]
    fn idle_connection_is_closed_gracefully() {
        let start = Instant::now();
        let activity = Activity::new(start);
        assert!(activity.is_idle_since(Some(start)) && !activity.is_idle_since(start.checked_sub(seconds(1))));
        assert_eq!(activity.decide(start + seconds(70), &limits()), Decision::WaitUntil(start + seconds(75)));
        assert_eq!(activity.decide(start + seconds(75), &limits()), Decision::CloseGracefully);
        // Writes without a request, such as replies to HTTP/2 pings, do not keep a connection open.
        activity.record_write();
        assert_eq!(activity.decide(start + seconds(76), &limits()), Decision::CloseGracefully);
    }

    #[test]
    fn client_that_does_not_read_is_aborted() {
        let start = Instant::now();
        let activity = Activity::new(start);
        activity.record_blocked_write(start);
        activity.record_blocked_write(start + seconds(20));
        assert!(!activity.is_idle_since(Some(start + seconds(20))));
        assert_eq!(activity.decide(start + seconds(29), &limits()), Decision::WaitUntil(start + seconds(30)));
        assert!(matches!(activity.decide(start + seconds(30), &limits()), Decision::Abort(_)));
        activity.record_write();
        assert!(matches!(activity.decide(start + seconds(31), &limits()), Decision::WaitUntil(_)));
    }

    #[test]
    fn response_may_take_longer_than_the_idle_timeout() {
        let activity = Arc::new(Activity::new(Instant::now()));
        let request = activity.start_request();
        let start = Instant::now();
        assert!(!activity.is_idle_since(Some(start)));
        assert!(matches!(activity.decide(start + seconds(80), &limits()), Decision::WaitUntil(_)));
        assert!(matches!(activity.decide(start + seconds(100), &limits()), Decision::Abort(_)));
        request.record_progress();
        assert!(matches!(activity.decide(start + seconds(99), &limits()), Decision::WaitUntil(_)));
        drop(request);
        assert!(activity.is_idle_since(Some(Instant::now())));
    }
}

//! How long a connection has been at what it does, and when that is too long.
//!
//! The connection's task asks; its stream and its requests tell. A client that is slow on purpose holds up nobody but
//! itself, and not for ever: see [`Limits`](super::Limits) for what is too long.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use super::{Limits, RejectReason};

/// What a connection's parts know of it.
#[derive(Debug)]
pub(super) struct Pace(Mutex<State>);

#[derive(Debug)]
struct State {
    in_flight: usize,
    /// When it last began, went on with, or ended an answer, or sent what it could not before.
    moved: Instant,
    /// When something arrived last.
    read: Instant,
    /// Since when a head has been arriving.
    head: Option<Instant>,
    /// Since when the client has taken nothing of what is to be sent.
    stalled: Option<Instant>,
    refusal: Option<RejectReason>,
}

/// What to do with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing before then.
    Wait(Instant),
    /// It has nothing to do: let it end in good order.
    Retire,
    /// Let the request that does not arrive be refused.
    Reject,
    /// Close it.
    Cut(&'static str),
}

/// A request that is being answered; ends with it.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Pace>);

impl Pace {
    pub(super) const fn new(now: Instant) -> Self {
        Self(Mutex::new(State { in_flight: 0, moved: now, read: now, head: None, stalled: None, refusal: None }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something arrived; `is_head`: and a head is not complete.
    pub(super) fn read(&self, now: Instant, is_head: bool) {
        let mut state = self.state();
        state.read = now;
        state.head = if is_head { state.head.or(Some(now)) } else { None };
    }

    /// The client took something.
    pub(super) fn sent(&self) {
        let mut state = self.state();
        if state.stalled.take().is_some() {
            state.moved = Instant::now();
        }
    }

    /// The client takes nothing.
    pub(super) fn stalled(&self, now: Instant) {
        let mut state = self.state();
        state.stalled = state.stalled.or(Some(now));
    }

    /// The request that is arriving is not to be answered otherwise.
    pub(super) fn refuse(&self, refusal: RejectReason) {
        self.state().refusal = Some(refusal);
    }

    pub(super) fn refusal(&self) -> Option<RejectReason> {
        self.state().refusal
    }

    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        let mut state = self.state();
        state.in_flight += 1;
        // With what has just arrived.
        state.moved = state.read;
        drop(state);
        InFlight(Arc::clone(self))
    }

    /// Whether the connection has had nothing to do since then: nothing would be lost if it ended.
    pub(super) fn is_idle_since(&self, then: Option<Instant>) -> bool {
        let state = self.state();
        state.in_flight == 0
            && state.head.is_none()
            && state.stalled.is_none()
            && then.is_some_and(|then| state.moved <= then)
    }

    pub(super) fn judge(&self, now: Instant, limits: &Limits) -> Verdict {
        let state = self.state();
        let is_over = |since: Option<Instant>, limit| since.is_some_and(|since| now >= since + limit);
        if is_over(state.stalled, limits.send_timeout) {
            return Verdict::Cut("the client does not take its answer");
        }
        if is_over(state.head, limits.header_timeout) {
            return if state.refusal.is_none() && state.in_flight == 0 {
                Verdict::Reject
            } else {
                Verdict::Cut("a request does not arrive")
            };
        }
        let (still, verdict) = match state.in_flight {
            0 => (limits.idle_timeout, Verdict::Retire),
            _ => (limits.answer_timeout, Verdict::Cut("an answer does not move")),
        };
        if is_over(Some(state.moved), still) {
            return verdict;
        }
        // What begins after this look is over no earlier than the shortest limit allows.
        let shortest = limits.header_timeout.min(limits.send_timeout).min(limits.idle_timeout);
        let due = [
            state.stalled.map(|since| since + limits.send_timeout),
            state.head.map(|since| since + limits.header_timeout),
            Some(state.moved + still),
        ];
        let next = due.into_iter().flatten().min().unwrap_or(now + shortest);
        Verdict::Wait(next.min(now + shortest))
    }
}

impl InFlight {
    /// Some of the answer is on its way.
    pub(super) fn moves(&self) {
        self.0.state().moved = Instant::now();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.in_flight -= 1;
        state.moved = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn limits() -> Limits {
        Limits {
            connections: 1,
            header_timeout: seconds(10),
            idle_timeout: seconds(75),
            send_timeout: seconds(30),
            answer_timeout: seconds(100),
            shutdown_timeout: seconds(20),
        }
    }

    #[test]
    fn a_head_that_trickles_in_is_refused_and_then_cut() {
        let start = Instant::now();
        let pace = Pace::new(start);
        assert_eq!(pace.judge(start, &limits()), Verdict::Wait(start + seconds(10)));
        pace.read(start + seconds(4), true);
        pace.read(start + seconds(9), true);
        assert!(!pace.is_idle_since(Some(start + seconds(9))));
        assert_eq!(pace.judge(start + seconds(10), &limits()), Verdict::Wait(start + seconds(14)));
        assert_eq!(pace.judge(start + seconds(14), &limits()), Verdict::Reject);
        pace.refuse(RejectReason::HeaderTimeout);
        assert_eq!(pace.judge(start + seconds(14), &limits()), Verdict::Cut("a request does not arrive"));
        // One that is complete is no head any more.
        let pace = Pace::new(start);
        pace.read(start, true);
        pace.read(start + seconds(9), false);
        assert_eq!(pace.judge(start + seconds(11), &limits()), Verdict::Wait(start + seconds(21)));
    }

    #[test]
    fn silence_ends_a_connection_in_good_order() {
        let start = Instant::now();
        let pace = Pace::new(start);
        assert!(pace.is_idle_since(Some(start)) && !pace.is_idle_since(start.checked_sub(seconds(1))));
        assert_eq!(pace.judge(start + seconds(70), &limits()), Verdict::Wait(start + seconds(75)));
        assert_eq!(pace.judge(start + seconds(75), &limits()), Verdict::Retire);
        // Sending alone is no reason to stay, whoever answers every ping.
        pace.sent();
        assert_eq!(pace.judge(start + seconds(76), &limits()), Verdict::Retire);
    }

    #[test]
    fn who_does_not_take_an_answer_is_cut() {
        let start = Instant::now();
        let pace = Pace::new(start);
        pace.stalled(start);
        pace.stalled(start + seconds(20));
        assert!(!pace.is_idle_since(Some(start + seconds(20))));
        assert_eq!(pace.judge(start + seconds(29), &limits()), Verdict::Wait(start + seconds(30)));
        assert!(matches!(pace.judge(start + seconds(30), &limits()), Verdict::Cut(_)));
        pace.sent();
        assert!(matches!(pace.judge(start + seconds(31), &limits()), Verdict::Wait(_)));
    }

    #[test]
    fn an_answer_may_take_longer_than_silence_but_not_for_ever() {
        let pace = Arc::new(Pace::new(Instant::now()));
        let request = pace.begin();
        let begun = Instant::now();
        assert!(!pace.is_idle_since(Some(begun)));
        assert!(matches!(pace.judge(begun + seconds(80), &limits()), Verdict::Wait(_)));
        assert!(matches!(pace.judge(begun + seconds(100), &limits()), Verdict::Cut(_)));
        request.moves();
        assert!(matches!(pace.judge(begun + seconds(99), &limits()), Verdict::Wait(_)));
        drop(request);
        assert!(pace.is_idle_since(Some(Instant::now())));
    }
}

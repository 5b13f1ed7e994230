//! A connection of libpq. All calls of a [`Listener`] take `&mut self`, as libpq requires: a connection must not be used by two
//! threads at the same time.

#![allow(unsafe_code, reason = "calls libpq")]

use std::{
    ffi::{CStr, CString},
    ptr::NonNull,
    time::Duration,
};

use pq_sys::{
    ConnStatusType, ExecStatusType, PGconn, PQclear, PQconnectdb, PQconsumeInput, PQerrorMessage, PQexec, PQfinish,
    PQfreemem, PQgetCurrentTimeUSec, PQnotifies, PQresultStatus, PQsocket, PQsocketPoll, PQstatus,
};

/// The message of libpq or of the server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ListenError(String);

/// A connection that receives the notifications of a channel.
pub struct Listener(NonNull<PGconn>);

// SAFETY: a connection of libpq can be used by any thread, by one at a time.
unsafe impl Send for Listener {}

impl Listener {
    /// Connects to the server at `url`, and listens on `channel`, which must be a valid identifier.
    ///
    /// # Errors
    /// Fails if the server cannot be reached or rejects the connection.
    pub fn connect(url: &str, channel: &str) -> Result<Self, ListenError> {
        let to_c =
            |text: String| CString::new(text).map_err(|_| ListenError("the text contains a null byte".to_owned()));
        let (url, listen) = (to_c(url.to_owned())?, to_c(format!("LISTEN {channel}"))?);
        // SAFETY: `url` is a C string that outlives the call.
        let connection = unsafe { PQconnectdb(url.as_ptr()) };
        let mut listener = Self(NonNull::new(connection).ok_or_else(|| ListenError("out of memory".to_owned()))?);
        // SAFETY: the connection is open until the listener is dropped.
        if unsafe { PQstatus(listener.0.as_ptr()) } != ConnStatusType::CONNECTION_OK {
            return Err(listener.error());
        }
        // SAFETY: the connection is open, and `listen` is a C string that outlives the call. The result is freed once; PQclear and
        // PQresultStatus accept a null pointer.
        let status = unsafe {
            let result = PQexec(listener.0.as_ptr(), listen.as_ptr());
            let status = PQresultStatus(result);
            PQclear(result);
            status
        };
        if status == ExecStatusType::PGRES_COMMAND_OK { Ok(listener) } else { Err(listener.error()) }
    }

    /// Waits for a notification for at most `timeout`. Returns whether there was one; several at once count as one.
    ///
    /// # Errors
    /// Fails if the connection is lost.
    pub fn wait(&mut self, timeout: Duration) -> Result<bool, ListenError> {
        if self.take_notifications() {
            return Ok(true);
        }
        let micros = i64::try_from(timeout.as_micros()).unwrap_or(i64::MAX);
        // SAFETY: the connection is open. The socket is used by the same call only.
        let ready = unsafe {
            let end = PQgetCurrentTimeUSec().saturating_add(micros);
            PQsocketPoll(PQsocket(self.0.as_ptr()), 1, 0, end)
        };
        if ready < 0 {
            return Err(self.error());
        }
        // SAFETY: the connection is open.
        if ready > 0 && unsafe { PQconsumeInput(self.0.as_ptr()) } == 0 {
            return Err(self.error());
        }
        Ok(self.take_notifications())
    }

    /// Discards the notifications that have arrived. Returns whether there were any.
    fn take_notifications(&mut self) -> bool {
        let mut is_notified = false;
        // SAFETY: the connection is open. A notification belongs to the caller, which frees it once.
        while let Some(notification) = NonNull::new(unsafe { PQnotifies(self.0.as_ptr()) }) {
            is_notified = true;
            // SAFETY: see above.
            unsafe { PQfreemem(notification.as_ptr().cast()) };
        }
        is_notified
    }

    /// Returns the message of the latest error in one line.
    fn error(&mut self) -> ListenError {
        // SAFETY: the connection is open; the message is a C string that is valid until its next use.
        let message = unsafe { CStr::from_ptr(PQerrorMessage(self.0.as_ptr())) };
        let words: Vec<String> = message.to_string_lossy().split_whitespace().map(str::to_owned).collect();
        ListenError(if words.is_empty() { "the connection was lost".to_owned() } else { words.join(" ") })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // SAFETY: the connection is not used afterwards.
        unsafe { PQfinish(self.0.as_ptr()) };
    }
}

//! Scans the heads of HTTP/1 requests as they arrive, and rejects ambiguous requests that hyper accepts.
//!
//! If a proxy and a server disagree on where a request ends, one client's request can be attached to another's (request
//! smuggling). Ambiguous input is therefore rejected, even where the RFC permits the interpretation of hyper:
//! a line that ends without a carriage return, two lengths, and a length together with a transfer coding (RFC 9112, sections
//! 2.2 and 6.3). The scanner interprets nothing else; hyper parses the request.

use super::{RejectReason, chunked_body::ChunkedBody};

/// The first bytes of a connection that starts with HTTP/2 (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Number of bytes of a head that are stored, for the error response.
const START_BYTES: usize = 128;
/// Length of the longest header name that the scanner looks for.
const MAX_NAME: usize = 17;

/// The part of the stream that the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between two requests.
    BetweenRequests,
    RequestLine,
    /// In a header name, after this many bytes. An empty line ends the head.
    HeaderName(usize),
    HeaderValue(Header),
    /// In a body, before this many bytes.
    Body(u64),
    ChunkedBody(ChunkedBody),
    /// Not scanned.
    Http2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Header {
    ContentLength,
    TransferEncoding,
    Other,
}

/// Scans the requests of one connection.
#[derive(Debug)]
pub(super) struct RequestScanner {
    state: State,
    is_after_carriage_return: bool,
    name: [u8; MAX_NAME],
    content_length: Option<u64>,
    has_transfer_encoding: bool,
    /// Number of bytes received; counted up to one more than the length of [`PREFACE`].
    received: usize,
    start: [u8; START_BYTES],
    start_len: usize,
}

impl RequestScanner {
    pub(super) const fn new() -> Self {
        Self {
            state: State::BetweenRequests,
            is_after_carriage_return: false,
            name: [0; MAX_NAME],
            content_length: None,
            has_transfer_encoding: false,
            received: 0,
            start: [0; START_BYTES],
            start_len: 0,
        }
    }

    /// Creates a scanner for a connection that has negotiated HTTP/2.
    pub(super) const fn for_http2() -> Self {
        Self { state: State::Http2, ..Self::new() }
    }

    pub(super) const fn is_http2(&self) -> bool {
        matches!(self.state, State::Http2)
    }

    /// Returns whether a head has started and is incomplete.
    pub(super) const fn is_in_head(&self) -> bool {
        matches!(self.state, State::RequestLine | State::HeaderName(_) | State::HeaderValue(_))
    }

    /// Returns whether the client may be sending a request.
    pub(super) const fn is_in_request(&self) -> bool {
        !matches!(self.state, State::BetweenRequests | State::Http2)
    }

    /// Returns whether the end of the current request is unknown, because the framing of its body is unusual. What follows is
    /// not scanned, so the connection must close after the response.
    pub(super) const fn is_end_unknown(&self) -> bool {
        matches!(self.state, State::ChunkedBody(ChunkedBody::Unknown))
    }

    /// Returns the first bytes of the current or last head.
    pub(super) fn start(&self) -> &[u8] {
        &self.start[..self.start_len]
    }

    /// Scans bytes as they arrive.
    ///
    /// # Errors
    /// The position of the first byte that must not reach hyper, and the reason.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Result<(), (usize, RejectReason)> {
        let mut at = 0;
        while at < bytes.len() {
            match self.state {
                State::ChunkedBody(ChunkedBody::Unknown) | State::Http2 => return Ok(()),
                State::ChunkedBody(mut body) => {
                    at += body.scan(&bytes[at..]);
                    let is_complete = body == ChunkedBody::Complete;
                    self.state = if is_complete { State::BetweenRequests } else { State::ChunkedBody(body) };
                }
                State::Body(remaining) => {
                    let read = u64::try_from(bytes.len() - at).unwrap_or(u64::MAX).min(remaining);
                    self.state = if read == remaining { State::BetweenRequests } else { State::Body(remaining - read) };
                    at += usize::try_from(read).unwrap_or(bytes.len());
                }
                // In the request line and in other headers, only line ends matter.
                State::RequestLine | State::HeaderValue(Header::Other)
                    if self.received > PREFACE.len() && !self.is_after_carriage_return =>
                {
                    let rest = &bytes[at..];
                    let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
                    self.store_start(&rest[..end]);
                    at += end;
                    if let Some(&byte) = bytes.get(at) {
                        self.step(byte).map_err(|reason| (at, reason))?;
                        at += 1;
                    }
                }
                _ => {
                    self.step(bytes[at]).map_err(|reason| (at, reason))?;
                    at += 1;
                }
            }
        }
        Ok(())
    }

    fn store_start(&mut self, bytes: &[u8]) {
        let length = (START_BYTES - self.start_len).min(bytes.len());
        self.start[self.start_len..self.start_len + length].copy_from_slice(&bytes[..length]);
        self.start_len += length;
    }

    fn step(&mut self, byte: u8) -> Result<(), RejectReason> {
        let is_after_carriage_return = std::mem::replace(&mut self.is_after_carriage_return, byte == b'\r');
        if self.state == State::BetweenRequests && !matches!(byte, b'\r' | b'\n') {
            self.state = State::RequestLine;
            // The preface of HTTP/2 looks like a complete head and the start of another one.
            if self.received != 18 || self.start() != &PREFACE[..18] {
                self.start_len = 0;
            }
        }
        if let Some(stored) = self.start.get_mut(self.start_len) {
            *stored = byte;
            self.start_len += 1;
        }
        // Later bytes cannot belong to the preface.
        if self.received <= PREFACE.len() {
            self.received += 1;
            if self.received == PREFACE.len() && self.start() == PREFACE {
                self.state = State::Http2;
                return Ok(());
            }
        }
        if byte == b'\n' {
            return if is_after_carriage_return { self.end_line() } else { Err(RejectReason::BareLineFeed) };
        }
        if is_after_carriage_return {
            // A carriage return within a line. hyper rejects it as well.
            return Err(RejectReason::Malformed);
        }
        match self.state {
            State::HeaderName(length) => match byte {
                b'\r' => {}
                b':' => self.state = State::HeaderValue(self.start_value(length)?),
                _ => {
                    if let Some(letter) = self.name.get_mut(length) {
                        *letter = byte.to_ascii_lowercase();
                    }
                    self.state = State::HeaderName(length + 1);
                }
            },
            State::HeaderValue(Header::ContentLength) => self.add_length_digit(byte),
            _ => {}
        }
        Ok(())
    }

    fn start_value(&mut self, length: usize) -> Result<Header, RejectReason> {
        let header = match self.name.get(..length) {
            Some(b"content-length") => Header::ContentLength,
            Some(b"transfer-encoding") => Header::TransferEncoding,
            _ => Header::Other,
        };
        match header {
            Header::ContentLength if self.content_length.replace(0).is_some() => {
                return Err(RejectReason::DuplicateContentLength);
            }
            Header::TransferEncoding => self.has_transfer_encoding = true,
            _ => {}
        }
        if self.has_transfer_encoding && self.content_length.is_some() {
            Err(RejectReason::ConflictingLength)
        } else {
            Ok(header)
        }
    }

    /// Adds a digit. hyper rejects a length that is not a number.
    fn add_length_digit(&mut self, byte: u8) {
        if byte.is_ascii_digit() {
            let digit = u64::from(byte - b'0');
            self.content_length = self.content_length.map(|length| length.saturating_mul(10).saturating_add(digit));
        }
    }

    fn end_line(&mut self) -> Result<(), RejectReason> {
        self.state = match self.state {
            // Empty lines before a request are ignored (RFC 9112, section 2.2).
            State::BetweenRequests => State::BetweenRequests,
            State::HeaderName(0) => {
                let length = self.content_length.take().unwrap_or(0);
                match (std::mem::take(&mut self.has_transfer_encoding), length) {
                    (true, _) => State::ChunkedBody(ChunkedBody::START),
                    (false, 0) => State::BetweenRequests,
                    (false, length) => State::Body(length),
                }
            }
            // hyper rejects a header without a colon.
            _ => State::HeaderName(0),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scans the bytes at once and one by one, which must have the same result.
    fn scan(bytes: &[u8]) -> (Result<(), (usize, RejectReason)>, RequestScanner) {
        let mut whole = RequestScanner::new();
        let outcome = whole.scan(bytes);
        let mut bytewise = RequestScanner::new();
        let one_by_one = bytes
            .iter()
            .enumerate()
            .try_for_each(|(at, byte)| bytewise.scan(std::slice::from_ref(byte)).map_err(|(_, reason)| (at, reason)));
        assert_eq!(outcome, one_by_one, "{}", String::from_utf8_lossy(bytes));
        assert_eq!(
            (whole.state, whole.start()),
            (bytewise.state, bytewise.start()),
            "{}",
            String::from_utf8_lossy(bytes)
        );
        (outcome, whole)
    }

    #[track_caller]
    fn assert_rejected(bytes: &str, accepted: &str, expected: RejectReason) {
        assert_eq!(scan(bytes.as_bytes()).0, Err((accepted.len(), expected)), "{bytes:?}");
    }

    #[test]
    fn ordinary_requests_are_accepted() {
        let get = "GET /v1/users/me HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n";
        let post = "POST /v1/bucketlists HTTP/1.1\r\nHost: x\r\ncontent-LENGTH: 5\r\n\r\nab\ncd";
        for bytes in [get.to_owned(), post.to_owned(), format!("{get}{post}{get}"), format!("\r\n\r\n{post}\r\n{get}")]
        {
            let (outcome, scanner) = scan(bytes.as_bytes());
            assert_eq!(outcome, Ok(()), "{bytes}");
            assert!(!scanner.is_in_request() && !scanner.is_in_head(), "{bytes}");
        }
        let (_, scanner) = scan(&get.as_bytes()[..30]);
        assert!(scanner.is_in_head() && scanner.start() == &get.as_bytes()[..30]);
        let (_, scanner) = scan(&post.as_bytes()[..post.len() - 2]);
        assert_eq!(scanner.state, State::Body(2));
        assert!(scanner.is_in_request());
    }

    #[test]
    fn request_after_a_chunked_body_is_scanned() {
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let whole = format!("{chunked}5\r\n\nGET \r\n0\r\n\r\n");
        let (outcome, scanner) = scan(whole.as_bytes());
        assert_eq!((outcome, scanner.is_in_request()), (Ok(()), false));
        let (outcome, scanner) = scan(format!("{whole}GET / HTTP/1.1\r\n").as_bytes());
        assert!(outcome.is_ok() && scanner.is_in_head() && scanner.start() == b"GET / HTTP/1.1\r\n");
        let next = format!("{whole}GET / HTTP/1.1");
        assert_rejected(&format!("{next}\nHost: x\n\n"), &next, RejectReason::BareLineFeed);
        // Nothing is scanned after unusual framing.
        let (outcome, scanner) = scan(format!("{chunked}5\nhello\nGET / HTTP/1.1\n\n").as_bytes());
        assert!(outcome.is_ok() && scanner.is_end_unknown() && scanner.is_in_request() && !scanner.is_in_head());
    }

    #[test]
    fn bare_line_feed_or_carriage_return_is_rejected() {
        assert_rejected("GET / HTTP/1.1\nHost: x\n\n", "GET / HTTP/1.1", RejectReason::BareLineFeed);
        assert_rejected("GET / HTTP/1.1\r\nHost: x\n\r\n", "GET / HTTP/1.1\r\nHost: x", RejectReason::BareLineFeed);
        assert_rejected("GET / HTTP/1.1\r\nHost: x\r\n\n", "GET / HTTP/1.1\r\nHost: x\r\n", RejectReason::BareLineFeed);
        assert_rejected("\nGET / HTTP/1.1\r\n\r\n", "", RejectReason::BareLineFeed);
        assert_rejected("GET / HTTP/1.1\r\nHost: x\rGET", "GET / HTTP/1.1\r\nHost: x\r", RejectReason::Malformed);
        assert_rejected("GET / HTTP/1.1\r\nHost: x\r\r\n", "GET / HTTP/1.1\r\nHost: x\r", RejectReason::Malformed);
    }

    #[test]
    fn ambiguous_length_is_rejected() {
        let head = "POST / HTTP/1.1\r\nHost: x\r\n";
        let twice = format!("{head}Content-Length: 5\r\nContent-Length");
        assert_rejected(&format!("{twice}: 5\r\n\r\nhello"), &twice, RejectReason::DuplicateContentLength);
        assert_rejected(&format!("{twice}: 6\r\n\r\nhello"), &twice, RejectReason::DuplicateContentLength);
        for (first, second) in [
            ("Content-Length: 5", "Transfer-Encoding"),
            ("Transfer-Encoding: chunked", "Content-Length"),
            ("CONTENT-LENGTH: 0", "transfer-ENCODING"),
            ("Transfer-Encoding: identity", "content-length"),
        ] {
            let both = format!("{head}{first}\r\n{second}");
            assert_rejected(&format!("{both}: x\r\n\r\n"), &both, RejectReason::ConflictingLength);
        }
    }

    #[test]
    fn http2_is_not_scanned() {
        let frames = [PREFACE.as_slice(), b"\0\0\0\x04\0\0\0\0\0\n\n\n"].concat();
        let (outcome, scanner) = scan(&frames);
        assert_eq!((outcome, scanner.state), (Ok(()), State::Http2));
        let mut known = RequestScanner::for_http2();
        assert_eq!(known.scan(b"\n\n"), Ok(()));
        // Only as the first bytes of a connection.
        let late = [b"GET / HTTP/1.1\r\n\r\n".as_slice(), &frames].concat();
        assert!(scan(&late).0.is_err());
    }

    #[test]
    fn other_malformed_requests_are_passed_to_hyper() {
        for bytes in [
            "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
            "GET / HTTP/1.1\r\nno colon\r\n\r\n",
            "GET / HTTP/1.1\r\n folded: x\r\n\r\n",
            "nonsense\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        ] {
            assert_eq!(scan(bytes.as_bytes()).0, Ok(()), "{bytes:?}");
        }
    }
}

//! The head of an HTTP/1 request, while it arrives: what hyper would let pass, and must not.
//!
//! A proxy and a server that disagree on where a request ends can be made to hand one caller's request to another (request
//! smuggling). So everything that is read in two ways is refused, although hyper's reading is a permitted one: a line that
//! ends without a carriage return, two lengths, a length beside a transfer coding (RFC 9112, sections 2.2 and 6.3). This
//! reads nothing else, and refuses only: what a request says is up to hyper.

use super::RejectReason;

/// What the head of a connection that speaks HTTP/2 without asking begins with (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// So much of a head is remembered, for what is said about it.
const REMEMBERED: usize = 128;
/// The longest name of a header that matters.
const LONGEST: usize = 17;

/// Where in the stream of requests the next byte belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between two requests.
    Before,
    RequestLine,
    /// In the name of a header, so many letters of which were read; an empty line ends the head.
    Name(usize),
    /// In the value of a header.
    Value(Header),
    /// In a body of so many bytes more.
    Body(u64),
    /// In a body in chunks, after which the connection ends: not looked at.
    Chunks,
    /// Frames are not looked at, either.
    Http2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Header {
    Length,
    Coding,
    Other,
}

/// Follows the heads of one connection.
#[derive(Debug)]
pub(super) struct Head {
    state: State,
    after_return: bool,
    name: [u8; LONGEST],
    length: Option<u64>,
    has_coding: bool,
    /// How many bytes the connection has brought, while that matters.
    seen: usize,
    start: [u8; REMEMBERED],
    started: usize,
}

impl Head {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Before,
            after_return: false,
            name: [0; LONGEST],
            length: None,
            has_coding: false,
            seen: 0,
            start: [0; REMEMBERED],
            started: 0,
        }
    }

    /// Of a connection that is known to speak HTTP/2.
    pub(super) const fn of_http2() -> Self {
        Self { state: State::Http2, ..Self::new() }
    }

    /// Whether a head has begun and not ended.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.state, State::RequestLine | State::Name(_) | State::Value(_))
    }

    /// Whether the client may be in the middle of sending a request.
    pub(super) const fn is_within(&self) -> bool {
        !matches!(self.state, State::Before | State::Http2)
    }

    /// The beginning of the head that arrives or has arrived last.
    pub(super) fn start(&self) -> &[u8] {
        &self.start[..self.started]
    }

    /// Reads what has arrived.
    ///
    /// # Errors
    /// What must not pass, and from where on.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(), (usize, RejectReason)> {
        let mut at = 0;
        while at < bytes.len() {
            match self.state {
                State::Chunks | State::Http2 => return Ok(()),
                State::Body(left) => {
                    let here = u64::try_from(bytes.len() - at).unwrap_or(u64::MAX).min(left);
                    self.state = if here == left { State::Before } else { State::Body(left - here) };
                    at += usize::try_from(here).unwrap_or(bytes.len());
                }
                // Of most of a head only the ends of its lines matter.
                State::RequestLine | State::Value(Header::Other) if self.seen > PREFACE.len() && !self.after_return => {
                    let rest = &bytes[at..];
                    let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
                    self.remember(&rest[..end]);
                    at += end;
                    if let Some(&byte) = bytes.get(at) {
                        self.step(byte).map_err(|refusal| (at, refusal))?;
                        at += 1;
                    }
                }
                _ => {
                    self.step(bytes[at]).map_err(|refusal| (at, refusal))?;
                    at += 1;
                }
            }
        }
        Ok(())
    }

    fn remember(&mut self, bytes: &[u8]) {
        let room = (REMEMBERED - self.started).min(bytes.len());
        self.start[self.started..self.started + room].copy_from_slice(&bytes[..room]);
        self.started += room;
    }

    fn step(&mut self, byte: u8) -> Result<(), RejectReason> {
        let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
        if self.state == State::Before && !matches!(byte, b'\r' | b'\n') {
            self.state = State::RequestLine;
            // The preface of HTTP/2 looks like a head and a half.
            if self.seen != 18 || self.start() != &PREFACE[..18] {
                self.started = 0;
            }
        }
        if let Some(place) = self.start.get_mut(self.started) {
            *place = byte;
            self.started += 1;
        }
        // More than that makes no difference.
        if self.seen <= PREFACE.len() {
            self.seen += 1;
            if self.seen == PREFACE.len() && self.start() == PREFACE {
                self.state = State::Http2;
                return Ok(());
            }
        }
        if byte == b'\n' {
            return if after_return { self.end_line() } else { Err(RejectReason::BareLineFeed) };
        }
        if after_return {
            // Within a line it is no end of one; hyper refuses it, and so it need not be told from one.
            return Err(RejectReason::Malformed);
        }
        match self.state {
            State::Name(length) => match byte {
                b'\r' => {}
                b':' => self.state = State::Value(self.begin_value(length)?),
                _ => {
                    if let Some(letter) = self.name.get_mut(length) {
                        *letter = byte.to_ascii_lowercase();
                    }
                    self.state = State::Name(length + 1);
                }
            },
            State::Value(Header::Length) => self.read_length(byte),
            _ => {}
        }
        Ok(())
    }

    fn begin_value(&mut self, length: usize) -> Result<Header, RejectReason> {
        let header = match self.name.get(..length) {
            Some(b"content-length") => Header::Length,
            Some(b"transfer-encoding") => Header::Coding,
            _ => Header::Other,
        };
        match header {
            Header::Length if self.length.replace(0).is_some() => return Err(RejectReason::DuplicateContentLength),
            Header::Coding => self.has_coding = true,
            _ => {}
        }
        if self.has_coding && self.length.is_some() { Err(RejectReason::ConflictingLength) } else { Ok(header) }
    }

    /// A length that is no number is hyper's to refuse.
    fn read_length(&mut self, byte: u8) {
        if byte.is_ascii_digit() {
            let digit = u64::from(byte - b'0');
            self.length = self.length.map(|length| length.saturating_mul(10).saturating_add(digit));
        }
    }

    fn end_line(&mut self) -> Result<(), RejectReason> {
        self.state = match self.state {
            // Empty lines before a request are nothing (RFC 9112, section 2.2).
            State::Before => State::Before,
            State::Name(0) => {
                let length = self.length.take().unwrap_or(0);
                match (std::mem::take(&mut self.has_coding), length) {
                    (true, _) => State::Chunks,
                    (false, 0) => State::Before,
                    (false, length) => State::Body(length),
                }
            }
            // A header without a colon is hyper's to refuse, too.
            _ => State::Name(0),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a connection's bytes, in one piece and byte by byte.
    fn read(bytes: &[u8]) -> (Result<(), (usize, RejectReason)>, Head) {
        let mut whole = Head::new();
        let outcome = whole.read(bytes);
        let mut slow = Head::new();
        let one_by_one = bytes
            .iter()
            .enumerate()
            .try_for_each(|(at, byte)| slow.read(std::slice::from_ref(byte)).map_err(|(_, refusal)| (at, refusal)));
        assert_eq!(outcome, one_by_one, "{}", String::from_utf8_lossy(bytes));
        assert_eq!((whole.state, whole.start()), (slow.state, slow.start()), "{}", String::from_utf8_lossy(bytes));
        (outcome, whole)
    }

    #[track_caller]
    fn refused(bytes: &str, passed: &str, expected: RejectReason) {
        assert_eq!(read(bytes.as_bytes()).0, Err((passed.len(), expected)), "{bytes:?}");
    }

    #[test]
    fn ordinary_requests_pass_one_after_the_other() {
        let get = "GET /v1/users/me HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n";
        let post = "POST /v1/bucketlists HTTP/1.1\r\nHost: x\r\ncontent-LENGTH: 5\r\n\r\nab\ncd";
        for bytes in [get.to_owned(), post.to_owned(), format!("{get}{post}{get}"), format!("\r\n\r\n{post}\r\n{get}")]
        {
            let (outcome, head) = read(bytes.as_bytes());
            assert_eq!(outcome, Ok(()), "{bytes}");
            assert!(!head.is_within() && !head.is_open(), "{bytes}");
        }
        let (_, head) = read(&get.as_bytes()[..30]);
        assert!(head.is_open() && head.start() == &get.as_bytes()[..30]);
        let (_, head) = read(&post.as_bytes()[..post.len() - 2]);
        assert_eq!(head.state, State::Body(2));
        assert!(head.is_within());
        // In chunks: what follows is not looked at.
        let (outcome, head) = read(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n");
        assert_eq!((outcome, head.state), (Ok(()), State::Chunks));
    }

    #[test]
    fn a_line_ends_with_both_of_its_characters() {
        refused("GET / HTTP/1.1\nHost: x\n\n", "GET / HTTP/1.1", RejectReason::BareLineFeed);
        refused("GET / HTTP/1.1\r\nHost: x\n\r\n", "GET / HTTP/1.1\r\nHost: x", RejectReason::BareLineFeed);
        refused("GET / HTTP/1.1\r\nHost: x\r\n\n", "GET / HTTP/1.1\r\nHost: x\r\n", RejectReason::BareLineFeed);
        refused("\nGET / HTTP/1.1\r\n\r\n", "", RejectReason::BareLineFeed);
        refused("GET / HTTP/1.1\r\nHost: x\rGET", "GET / HTTP/1.1\r\nHost: x\r", RejectReason::Malformed);
        refused("GET / HTTP/1.1\r\nHost: x\r\r\n", "GET / HTTP/1.1\r\nHost: x\r", RejectReason::Malformed);
    }

    #[test]
    fn a_body_has_one_length() {
        let head = "POST / HTTP/1.1\r\nHost: x\r\n";
        let twice = format!("{head}Content-Length: 5\r\nContent-Length");
        refused(&format!("{twice}: 5\r\n\r\nhello"), &twice, RejectReason::DuplicateContentLength);
        refused(&format!("{twice}: 6\r\n\r\nhello"), &twice, RejectReason::DuplicateContentLength);
        for (first, second) in [
            ("Content-Length: 5", "Transfer-Encoding"),
            ("Transfer-Encoding: chunked", "Content-Length"),
            ("CONTENT-LENGTH: 0", "transfer-ENCODING"),
            ("Transfer-Encoding: identity", "content-length"),
        ] {
            let both = format!("{head}{first}\r\n{second}");
            refused(&format!("{both}: x\r\n\r\n"), &both, RejectReason::ConflictingLength);
        }
    }

    #[test]
    fn http2_is_left_alone() {
        let frames = [PREFACE.as_slice(), b"\0\0\0\x04\0\0\0\0\0\n\n\n"].concat();
        let (outcome, head) = read(&frames);
        assert_eq!((outcome, head.state), (Ok(()), State::Http2));
        let mut known = Head::of_http2();
        assert_eq!(known.read(b"\n\n"), Ok(()));
        // Only at the very beginning.
        let late = [b"GET / HTTP/1.1\r\n\r\n".as_slice(), &frames].concat();
        assert!(read(&late).0.is_err());
    }

    #[test]
    fn every_other_request_is_hypers() {
        for bytes in [
            "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
            "GET / HTTP/1.1\r\nno colon\r\n\r\n",
            "GET / HTTP/1.1\r\n folded: x\r\n\r\n",
            "nonsense\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        ] {
            assert_eq!(read(bytes.as_bytes()).0, Ok(()), "{bytes:?}");
        }
    }
}

//! Scans the framing of a chunked body (RFC 9112, section 7.1).
//!
//! Proxies and servers disagree on unusual framing, such as extensions, trailers and bare line feeds. hyper parses all of it; the
//! scanner follows only what every implementation reads in the same way, and gives up otherwise.

/// Maximum number of digits in the size of a chunk.
const MAX_DIGITS: u8 = 8;

/// The part of a chunked body that the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChunkedBody {
    /// In the size of a chunk.
    Size { digits: u8, size: u64 },
    /// Before the line feed after a size.
    SizeLineFeed(u64),
    /// In the data of a chunk, before this many bytes.
    Data(u64),
    /// Before the carriage return after the data.
    DataEnd,
    /// Before the line feed after the data.
    DataLineFeed,
    /// Before the empty line after the last chunk.
    LastLine,
    /// Before the line feed that ends the body.
    LastLineFeed,
    /// After the body.
    Complete,
    /// The framing is unusual. The end of the body is unknown.
    Unknown,
}

impl ChunkedBody {
    pub(super) const START: Self = Self::Size { digits: 0, size: 0 };

    /// Scans bytes until the body is complete or its end is unknown. Returns the number of bytes that were scanned.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() && !matches!(self, Self::Complete | Self::Unknown) {
            if let Self::Data(remaining) = *self {
                let read = u64::try_from(bytes.len() - at).unwrap_or(u64::MAX).min(remaining);
                *self = if read == remaining { Self::DataEnd } else { Self::Data(remaining - read) };
                at += usize::try_from(read).unwrap_or(bytes.len());
            } else {
                *self = self.after(bytes[at]);
                at += 1;
            }
        }
        at
    }

    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Size { digits: 1.., size }, b'\r') => Self::SizeLineFeed(size),
            (Self::Size { digits: 0..MAX_DIGITS, .. }, _) => self.after_digit(byte),
            (Self::SizeLineFeed(0), b'\n') => Self::LastLine,
            (Self::SizeLineFeed(size), b'\n') => Self::Data(size),
            (Self::DataEnd, b'\r') => Self::DataLineFeed,
            (Self::DataLineFeed, b'\n') => Self::START,
            (Self::LastLine, b'\r') => Self::LastLineFeed,
            (Self::LastLineFeed, b'\n') => Self::Complete,
            _ => Self::Unknown,
        }
    }

    fn after_digit(self, byte: u8) -> Self {
        match (self, char::from(byte).to_digit(16)) {
            (Self::Size { digits, size }, Some(digit)) => {
                Self::Size { digits: digits + 1, size: size * 16 + u64::from(digit) }
            }
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scans the bytes at once and one by one, which must have the same result.
    fn scan(bytes: &str) -> (ChunkedBody, usize) {
        let mut whole = ChunkedBody::START;
        let scanned = whole.scan(bytes.as_bytes());
        let mut bytewise = ChunkedBody::START;
        let one_by_one: usize = bytes.as_bytes().chunks(1).map(|byte| bytewise.scan(byte)).sum();
        assert_eq!((whole, scanned), (bytewise, one_by_one), "{bytes:?}");
        (whole, scanned)
    }

    #[test]
    fn body_ends_after_its_last_chunk() {
        for body in ["0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "00A\r\n0\r\n\r\nGET /\r\n1\r\nx\r\n000\r\n\r\n"] {
            assert_eq!(scan(body), (ChunkedBody::Complete, body.len()), "{body:?}");
            assert_eq!(scan(&format!("{body}GET / HTTP/1.1\r\n")), (ChunkedBody::Complete, body.len()), "{body:?}");
            let part = scan(&body[..body.len() - 1]).0;
            assert!(!matches!(part, ChunkedBody::Complete | ChunkedBody::Unknown), "{body:?}: {part:?}");
        }
    }

    #[test]
    fn end_of_unusual_framing_is_unknown() {
        for body in [
            "5;name=value\r\nhello\r\n0\r\n\r\n",
            "5 \r\nhello\r\n0\r\n\r\n",
            " 5\r\nhello\r\n0\r\n\r\n",
            "5\nhello\r\n0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello0\r\n\r\n",
            "5\r\nhello!\r\n0\r\n\r\n",
            "5\r\rhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "\r\n0\r\n\r\n",
            "000000005\r\nhello\r\n0\r\n\r\n",
            "0\r\nTrailer: x\r\n\r\n",
            "0\r\n\n",
            "0\n\n",
        ] {
            assert_eq!(scan(body).0, ChunkedBody::Unknown, "{body:?}");
        }
    }
}

//! Headers: those of the allow-list, and of `Authorization` the scheme.

use super::{Why, Work, units};

/// Those of a request that are kept. No cookie, no address, nothing that only a proxy says.
pub(super) const OF_REQUESTS: [&str; 22] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "accept-version",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "origin",
    "traceparent",
    "transfer-encoding",
    "user-agent",
    "x-debug-capture",
    "x-fault",
    "x-request-id",
];

/// Those of a response that are kept.
pub(super) const OF_RESPONSES: [&str; 22] = [
    "accept-patch",
    "allow",
    "cache-control",
    "content-disposition",
    "content-length",
    "content-type",
    "content-version",
    "deprecation",
    "etag",
    "idempotency-replayed",
    "link",
    "location",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "sunset",
    "vary",
    "www-authenticate",
    "x-content-type-options",
    "x-frame-options",
    "x-request-id",
    "x-response-time",
];

/// Where a long key is expected, and is none of a secret's.
const WITH_KEYS: [&str; 6] = ["etag", "if-match", "if-none-match", "traceparent", "x-request-id", "host"];

/// Where people write what they like.
const FREE: [&str; 3] = ["idempotency-key", "origin", "user-agent"];

type Headers = [(String, Vec<u8>)];

/// The media type of a request's body, in lower case and without parameters.
pub(super) fn content_type(headers: &Headers) -> String {
    let value = headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.as_slice());
    let value = String::from_utf8_lossy(value.unwrap_or_default()).to_ascii_lowercase();
    value.split(';').next().unwrap_or_default().trim().to_owned()
}

impl Work<'_> {
    /// The headers that are kept, in their order, without secrets.
    /// Ours may quote what else has been replaced.
    pub(super) fn headers(&mut self, headers: &Headers, kept: &[&str], are_ours: bool) -> Vec<(String, String)> {
        let kept = headers.iter().filter(|(name, _)| kept.contains(&name.as_str()));
        kept.map(|(name, value)| (name.clone(), self.header(name, value, are_ours))).collect()
    }

    fn header(&mut self, name: &str, value: &[u8], is_ours: bool) -> String {
        let mut bytes = value.to_vec();
        if name == "authorization" {
            // Without a scheme all of it is a secret.
            let start = bytes.iter().position(|byte| *byte == b' ').unwrap_or(0);
            let units = units::plain(&bytes, start..bytes.len());
            self.mask(&mut bytes, &units, Why::Secret);
        } else if name != "x-request-id" {
            let units = units::plain(&bytes, 0..bytes.len());
            let is_free = FREE.contains(&name);
            let known =
                if is_ours { self.everything() } else { self.known.iter().filter(|_| is_free).cloned().collect() };
            self.sweep(&mut bytes, &units, !WITH_KEYS.contains(&name), &known);
        }
        match String::from_utf8(bytes) {
            Ok(text) => text,
            // As HTTP had it once: a byte is a character of Latin-1.
            Err(error) => error.into_bytes().into_iter().map(char::from).collect(),
        }
    }
}

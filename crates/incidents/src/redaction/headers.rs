//! Redaction of headers: only allow-listed headers are captured. Of `Authorization`, the scheme stays.

use openapi_model::traverse::essence;

use super::{MaskReason, Redaction, encoding};

/// Request headers that are captured. No cookies, no addresses, no headers of proxies.
pub(super) const REQUEST_HEADERS: [&str; 23] = [
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
    "x-api-key",
    "x-debug-capture",
    "x-fault",
    "x-request-id",
];

/// Response headers that are captured.
pub(super) const RESPONSE_HEADERS: [&str; 22] = [
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

/// Headers whose long keys are not secrets.
const PUBLIC_KEY_HEADERS: [&str; 6] = ["etag", "if-match", "if-none-match", "traceparent", "x-request-id", "host"];

/// Headers that are never masked: request IDs must stay searchable, and the server writes the challenge.
const GENERATED_HEADERS: [&str; 2] = ["x-request-id", "www-authenticate"];

/// Request headers with free text.
const FREE_TEXT_HEADERS: [&str; 3] = ["idempotency-key", "origin", "user-agent"];

type Headers = [(String, Vec<u8>)];

/// Returns the media type of the request body in lower case, without parameters.
pub(super) fn content_type(headers: &Headers) -> String {
    let value = headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.as_slice());
    let value = String::from_utf8_lossy(value.unwrap_or_default()).to_ascii_lowercase();
    essence(&value).to_owned()
}

impl Redaction<'_> {
    /// Returns the allowed headers in order, masked. Response headers may quote all masked values.
    pub(super) fn mask_headers(
        &mut self,
        headers: &Headers,
        allowed: &[&str],
        is_response: bool,
    ) -> Vec<(String, String)> {
        let captured = headers.iter().filter(|(name, _)| allowed.contains(&name.as_str()));
        captured.map(|(name, value)| (name.clone(), self.mask_header(name, value, is_response))).collect()
    }

    fn mask_header(&mut self, name: &str, value: &[u8], is_response: bool) -> String {
        let mut bytes = value.to_vec();
        if name == "authorization" {
            // Without a scheme, the whole value is the credential.
            let start = bytes.iter().position(|byte| *byte == b' ').unwrap_or(0);
            let credential = encoding::decode_utf8(&bytes, start..bytes.len());
            self.mask(&mut bytes, &credential, MaskReason::Sensitive);
        } else if name == "x-api-key" {
            let key = encoding::decode_utf8(&bytes, 0..bytes.len());
            self.mask(&mut bytes, &key, MaskReason::Sensitive);
        } else if !GENERATED_HEADERS.contains(&name) {
            let text = encoding::decode_utf8(&bytes, 0..bytes.len());
            let known = if is_response {
                self.all_masked()
            } else if FREE_TEXT_HEADERS.contains(&name) {
                self.sensitive.clone()
            } else {
                Vec::new()
            };
            self.mask_secrets_in(&mut bytes, &text, !PUBLIC_KEY_HEADERS.contains(&name), &known);
        }
        match String::from_utf8(bytes) {
            Ok(text) => text,
            // Obsolete header values are ISO 8859-1: each byte is a character.
            Err(error) => error.into_bytes().into_iter().map(char::from).collect(),
        }
    }
}

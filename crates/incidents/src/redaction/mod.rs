//! Redaction: masks sensitive data in an exchange without changing how the request fails.
//!
//! Three rules decide what is masked, the most specific first: the schema (`format: password`, `format: email`, `x-sensitive`);
//! everything that no schema describes, such as unknown fields and bodies that cannot be parsed; and text that matches the
//! pattern of a secret. A placeholder has the length and the shape of the value it replaces and is written into the same
//! bytes, so that whitespace, escapes and syntax errors around it stay as received.

mod body;
mod encoding;
mod headers;
mod json;
mod patterns;
mod placeholder;
mod target;
#[cfg(test)]
mod tests;

use std::{cell::RefCell, collections::BTreeSet, ops::Range, sync::LazyLock};

use contract::{ErrorCode, ViolationInfo, v1, v2};
use openapi_model::Operation;
use secrecy::SecretString;

pub use placeholder::CommonPasswords;

use self::{
    encoding::{EncodedChar, characters},
    placeholder::PlaceholderGenerator,
};
use super::{
    Exchange, IncidentRecord,
    record::{CapturedBody, CapturedRequest, CapturedResponse, FORMAT},
};

/// Minimum length of a masked value that is searched for elsewhere. Shorter ones occur in unrelated words.
const MIN_SEARCH_LENGTH: usize = 5;
/// Maximum number of masked values that are searched for elsewhere.
const MAX_SEARCHED: usize = 64;

/// Maximum length of the placeholders that a record lists, and their maximum number.
const MAX_LISTED_LENGTH: usize = 4096;
const MAX_LISTED: usize = 200;

/// Turns exchanges into records.
#[derive(Clone)]
pub struct Redactor {
    placeholders: PlaceholderGenerator,
    server_version: &'static str,
}

/// A redacted exchange.
#[derive(Clone, Debug)]
pub struct RedactedIncident {
    pub record: IncidentRecord,
    /// Origin of the error, redacted.
    pub site: String,
}

/// A masked value and its placeholder.
type Replacement = (Vec<char>, Vec<char>);

/// State of the redaction of one exchange.
struct Redaction<'r> {
    placeholders: &'r PlaceholderGenerator,
    /// Sensitive values. They are masked wherever they occur.
    sensitive: Vec<Replacement>,
    /// Other masked values. They are masked where the response quotes them.
    unrecognized: Vec<Replacement>,
    /// The placeholders that were written, as far as they are listed in the record.
    written: RefCell<BTreeSet<String>>,
}

/// Why a value is masked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MaskReason {
    /// Its schema or its name says that it is sensitive.
    Sensitive,
    /// Nothing describes it.
    Unrecognized,
}

/// The names of all fields of both contracts. They are public and never masked.
static FIELD_NAMES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let schemas =
        [v1::document(), v2::document()].map(|document| document.value()["components"]["schemas"].as_object());
    let schemas = schemas.into_iter().flatten().flat_map(|schemas| schemas.values());
    let properties = schemas.filter_map(|schema| schema["properties"].as_object());
    properties.flat_map(|properties| properties.keys().cloned()).collect()
});

/// Sentences of error responses that the server does not compose. They quote nothing and are never masked, even if they look like a secret:
/// "The current password is wrong."
static FIXED_SENTENCES: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    let codes = ErrorCode::ALL.iter().map(|code| code.message());
    codes.chain(ViolationInfo::ALL.iter().map(|known| known.meaning)).collect()
});

impl Redactor {
    /// Derives placeholders from `secret`, so that replicas and restarts choose the same ones. Records name `server_version`.
    #[must_use]
    pub fn new(secret: &SecretString, server_version: &'static str, common: CommonPasswords) -> Self {
        Self { placeholders: PlaceholderGenerator::new(secret, common), server_version }
    }

    /// Returns the body of a response that is not part of an exchange with its sensitive data masked.
    #[must_use]
    pub fn redact_response(&self, operation: Option<&Operation>, status: u16, body: &[u8]) -> Vec<u8> {
        let mut masked = body.to_vec();
        self.start().mask_response(&mut masked, operation, status);
        masked
    }

    fn start(&self) -> Redaction<'_> {
        Redaction {
            placeholders: &self.placeholders,
            sensitive: Vec::new(),
            unrecognized: Vec::new(),
            written: RefCell::default(),
        }
    }

    /// Returns the exchange with its sensitive data masked.
    #[must_use]
    pub fn redact(&self, exchange: &Exchange) -> RedactedIncident {
        let mut redaction = self.start();
        let mut target = exchange.target.clone().into_bytes();
        let mut body: Vec<u8> = exchange.body.concat();
        let content_type = headers::content_type(&exchange.headers);
        let body_texts = redaction.mask_body(&mut body, exchange.operation, &content_type);
        let target_texts = redaction.mask_target(&mut target, exchange.operation, exchange.code);
        let headers = redaction.mask_headers(&exchange.headers, &headers::REQUEST_HEADERS, false);
        // All sensitive values are known now: mask them in the remaining text too.
        redaction.mask_texts(&mut body, &body_texts);
        redaction.mask_texts(&mut target, &target_texts);
        let site = redaction.mask_server_text(&exchange.site);
        let mut response = exchange.response_body.to_vec();
        redaction.mask_response(&mut response, exchange.operation, exchange.status);
        let response_headers = redaction.mask_headers(&exchange.response_headers, &headers::RESPONSE_HEADERS, true);
        let operation = exchange.operation.map(|operation| operation.id.as_str());
        let record = IncidentRecord {
            format: FORMAT.to_owned(),
            id: 0,
            request_id: exchange.request_id.clone(),
            trace_id: exchange.trace_id.clone(),
            received_at: exchange.received_at,
            duration: exchange.duration,
            server_version: self.server_version.to_owned(),
            contract: exchange.contract,
            operation: operation.map(str::to_owned),
            code: exchange.code.map(str::to_owned),
            fingerprint: super::fingerprint(operation, exchange.status, exchange.code, &exchange.site),
            principal: exchange.principal.clone(),
            placeholders: redaction.written.into_inner().into_iter().collect(),
            request: CapturedRequest {
                method: exchange.method.clone(),
                target: String::from_utf8_lossy(&target).into_owned(),
                headers,
                body: CapturedBody(body),
                truncated: exchange.is_body_truncated,
            },
            response: CapturedResponse {
                status: exchange.status,
                headers: response_headers,
                body: CapturedBody(response),
                truncated: exchange.is_response_truncated,
            },
        };
        RedactedIncident { record, site }
    }
}

/// Text that is not masked as a whole, but may contain a secret.
struct FreeText {
    characters: Vec<EncodedChar>,
    /// Whether long keys are masked. Not where keys are expected and public, such as in a cursor or an ETag.
    masks_keys: bool,
    /// Whether sensitive values from elsewhere are masked. Not in enumerated values, which may equal a password.
    masks_known_values: bool,
}

impl Redaction<'_> {
    /// Masks all of a text.
    fn mask(&mut self, bytes: &mut [u8], text: &[EncodedChar], reason: MaskReason) {
        let value = characters(text);
        let placeholder = self.placeholders.for_text(&value);
        write_characters(bytes, text, &placeholder);
        self.list(&value, &placeholder);
        self.remember(value, placeholder, reason);
    }

    /// Lists a placeholder in the record, unless it equals the value.
    fn list(&self, value: &[char], placeholder: &[char]) {
        let mut written = self.written.borrow_mut();
        let text: String = placeholder.iter().collect();
        let text = text.trim();
        if value != placeholder && written.len() < MAX_LISTED && text.chars().count() <= MAX_LISTED_LENGTH {
            written.insert(text.to_owned());
        }
    }

    /// Masks all of a text whose encoded form may also be quoted.
    fn mask_encoded(&mut self, bytes: &mut [u8], range: Range<usize>, text: &[EncodedChar], reason: MaskReason) {
        let encoded = |bytes: &[u8]| characters(&encoding::decode_utf8(bytes, range.clone()));
        let before = encoded(bytes);
        self.mask(bytes, text, reason);
        let after = encoded(bytes);
        self.remember(before, after, MaskReason::Unrecognized);
    }

    /// Masks the digits of a number.
    fn mask_number(&mut self, bytes: &mut [u8], text: &[EncodedChar], reason: MaskReason) {
        let value = characters(text);
        let placeholder = self.placeholders.for_number(&value);
        write_characters(bytes, text, &placeholder);
        self.list(&value, &placeholder);
        self.remember(value, placeholder, reason);
    }

    fn remember(&mut self, value: Vec<char>, placeholder: Vec<char>, reason: MaskReason) {
        let list = match reason {
            MaskReason::Sensitive => &mut self.sensitive,
            MaskReason::Unrecognized => &mut self.unrecognized,
        };
        let is_new = !list.iter().any(|(known, _)| *known == value);
        if is_new && value.len() >= MIN_SEARCH_LENGTH && value != placeholder && list.len() < MAX_SEARCHED {
            list.push((value, placeholder));
        }
    }

    /// Masks secrets in texts that were not masked as a whole.
    fn mask_texts(&self, bytes: &mut [u8], texts: &[FreeText]) {
        for text in texts {
            let known = if text.masks_known_values { self.sensitive.as_slice() } else { &[] };
            self.mask_secrets_in(bytes, &text.characters, text.masks_keys, known);
        }
    }

    /// Masks what matches the pattern of a secret, and all occurrences of the `known` values.
    fn mask_secrets_in(&self, bytes: &mut [u8], text: &[EncodedChar], masks_keys: bool, known: &[Replacement]) {
        let original = characters(text);
        let mut masked = original.clone();
        for range in patterns::find_secrets(&original, masks_keys) {
            let placeholder = self.placeholders.for_text(&original[range.clone()]);
            self.list(&original[range.clone()], &placeholder);
            masked.splice(range, placeholder);
        }
        for (value, placeholder) in known {
            let mut at = 0;
            while at + value.len() <= original.len() {
                if original[at..at + value.len()] == value[..] {
                    masked.splice(at..at + value.len(), placeholder.iter().copied());
                    at += value.len();
                } else {
                    at += 1;
                }
            }
        }
        write_characters(bytes, text, &masked);
    }

    /// Masks values of the request that a text of the server quotes.
    fn mask_server_text(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        let decoded = encoding::decode_utf8(&bytes, 0..bytes.len());
        self.mask_secrets_in(&mut bytes, &decoded, true, &self.all_masked());
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Returns all masked values, the shortest first: a longer one overwrites the values it contains.
    fn all_masked(&self) -> Vec<Replacement> {
        let mut all: Vec<_> = self.sensitive.iter().chain(&self.unrecognized).cloned().collect();
        all.sort_by_key(|(value, _)| value.len());
        all
    }
}

fn write_characters(bytes: &mut [u8], text: &[EncodedChar], replacement: &[char]) {
    for (encoded, character) in text.iter().zip(replacement) {
        encoded.replace(bytes, *character);
    }
}

/// Whether a field with this name is sensitive, in any schema.
fn is_sensitive_name(name: &str) -> bool {
    const PARTS: [&str; 12] = [
        "passw",
        "passphrase",
        "pwd",
        "secret",
        "token",
        "apikey",
        "authorization",
        "credential",
        "cookie",
        "email",
        "privatekey",
        "cardnumber",
    ];
    const NAMES: [&str; 8] = ["pin", "otp", "ssn", "iban", "cvv", "cvc", "auth", "jwt"];
    let name: String = name.to_lowercase().chars().filter(|character| character.is_alphanumeric()).collect();
    PARTS.iter().any(|part| name.contains(part)) || NAMES.contains(&name.as_str())
}

/// Whether a contract has a field with this name.
fn is_contract_name(name: &str) -> bool {
    FIELD_NAMES.contains(name)
}

/// Whether the text is a sentence of the server that quotes nothing.
fn is_fixed_sentence(text: &str) -> bool {
    FIXED_SENTENCES.contains(text)
}

/// Whether the value of a response field with this name never quotes the request.
fn is_server_generated(name: &str) -> bool {
    matches!(name, "code" | "type" | "title" | "request_id" | "status")
}

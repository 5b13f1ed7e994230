//! Redaction of bodies: JSON by its schema, all other content as unrecognized.

use std::ops::Range;

use openapi_model::{BodyError, Operation, PathSegment, Sensitivity};
use serde::de::IgnoredAny;

use super::{
    FreeText, MaskReason, Redaction,
    encoding::{self, EncodedChar},
    is_contract_name, is_fixed_sentence, is_sensitive_name, is_server_generated,
    json::{self, JsonToken, TokenKind},
    patterns,
};

/// Unrecognized names that are shorter are not masked: they are too short for a secret, and two of them could become equal.
const MIN_NAME_LENGTH: usize = 6;

impl Redaction<'_> {
    /// Masks the sensitive data of a request body. Returns the texts that were not masked as a whole.
    pub(super) fn mask_body(
        &mut self,
        bytes: &mut [u8],
        operation: Option<&Operation>,
        content_type: &str,
    ) -> Vec<FreeText> {
        if is_json(bytes, operation) {
            return self.mask_json(bytes, operation);
        }
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        if content_type == "application/x-www-form-urlencoded" {
            self.mask_form(bytes);
        } else if first.is_some_and(|first| b"{[\"'".contains(first)) || content_type.contains("json") {
            self.mask_malformed_json(bytes);
        } else {
            self.mask_words(bytes, 0..bytes.len());
        }
        Vec::new()
    }

    fn mask_json(&mut self, bytes: &mut [u8], operation: Option<&Operation>) -> Vec<FreeText> {
        let schema = operation.and_then(Operation::body);
        let is_inside_secret = |path: &[PathSegment]| {
            let parent = path.split_last().map_or(&[][..], |(_, parent)| parent);
            schema.is_some_and(|schema| !parent.is_empty() && schema.sensitivity(parent) == Sensitivity::Sensitive)
        };
        let mut texts = Vec::new();
        for token in json::tokens(bytes) {
            let sensitivity = schema.map_or(Sensitivity::Unknown, |schema| match token.kind {
                TokenKind::String => schema.scalar_sensitivity(&token.path, false),
                TokenKind::Number => schema.scalar_sensitivity(&token.path, true),
                TokenKind::Key | TokenKind::Word => schema.sensitivity(&token.path),
            });
            let reason = if sensitivity == Sensitivity::Sensitive || has_sensitive_name(&token) {
                MaskReason::Sensitive
            } else {
                MaskReason::Unrecognized
            };
            match (token.kind, sensitivity) {
                // The name of a field inside a secret is part of the secret.
                (TokenKind::Key, Sensitivity::Sensitive)
                    if is_inside_secret(&token.path) && !is_harmless_name(name_of(&token)) =>
                {
                    let text = encoding::decode_json(bytes, token.range);
                    self.mask(bytes, &text, MaskReason::Sensitive);
                }
                (TokenKind::Key, Sensitivity::Sensitive | Sensitivity::FreeText | Sensitivity::NotSensitive) => {}
                (TokenKind::String, Sensitivity::FreeText | Sensitivity::NotSensitive)
                | (TokenKind::Key, Sensitivity::Unknown) => {
                    texts.push(FreeText {
                        characters: encoding::decode_json(bytes, token.range),
                        masks_keys: true,
                        masks_known_values: sensitivity != Sensitivity::NotSensitive,
                    });
                }
                (TokenKind::Number, Sensitivity::FreeText | Sensitivity::NotSensitive) => {
                    let number = encoding::decode_utf8(bytes, token.range);
                    if !patterns::find_secrets(&encoding::characters(&number), false).is_empty() {
                        self.mask_number(bytes, &number, MaskReason::Sensitive);
                    }
                }
                (TokenKind::Number, _) => {
                    let number = encoding::decode_utf8(bytes, token.range);
                    self.mask_number(bytes, &number, reason);
                }
                (TokenKind::String | TokenKind::Word, _) => {
                    let text = encoding::decode_json(bytes, token.range);
                    self.mask(bytes, &text, reason);
                }
            }
        }
        texts
    }

    /// Masks every string, number and word, and the names that the contract does not contain: no schema applies.
    fn mask_malformed_json(&mut self, bytes: &mut [u8]) {
        for token in json::tokens(bytes) {
            let reason = if has_sensitive_name(&token) { MaskReason::Sensitive } else { MaskReason::Unrecognized };
            match token.kind {
                TokenKind::Key if is_harmless_name(name_of(&token)) => {}
                TokenKind::Number => {
                    let number = encoding::decode_utf8(bytes, token.range);
                    self.mask_number(bytes, &number, reason);
                }
                TokenKind::Key | TokenKind::String | TokenKind::Word => {
                    let text = encoding::decode_json(bytes, token.range);
                    self.mask(bytes, &text, reason);
                }
            }
        }
    }

    /// Masks every value, and the names that the contract does not contain.
    fn mask_form(&mut self, bytes: &mut [u8]) {
        let pairs: Vec<Range<usize>> = split_ranges(bytes, 0..bytes.len(), |byte| byte == b'&');
        for pair in pairs {
            let equals = bytes[pair.clone()].iter().position(|byte| *byte == b'=').map(|at| pair.start + at);
            let name = encoding::decode_percent(bytes, pair.start..equals.unwrap_or(pair.end), true);
            let name_text: String = encoding::characters(&name).into_iter().collect();
            let reason = if is_sensitive_name(&name_text) { MaskReason::Sensitive } else { MaskReason::Unrecognized };
            if !is_harmless_name(&name_text) || equals.is_none() {
                self.mask(bytes, &name, MaskReason::Unrecognized);
            }
            if let Some(equals) = equals {
                let value = encoding::decode_percent(bytes, equals + 1..pair.end, true);
                self.mask(bytes, &value, reason);
            }
        }
    }

    /// Masks every word, except the names of the contract.
    fn mask_words(&mut self, bytes: &mut [u8], range: Range<usize>) {
        let is_separator = |byte: u8| byte.is_ascii_whitespace() || b",;:\"'<>(){}[]&=|".contains(&byte);
        for word in split_ranges(bytes, range, is_separator) {
            let word = encoding::decode_utf8(bytes, word);
            let text: String = encoding::characters(&word).into_iter().collect();
            if !is_contract_name(&text) {
                self.mask(bytes, &word, MaskReason::Unrecognized);
            }
        }
    }

    /// Masks the sensitive data of a response body, and the masked values of the request that it quotes.
    pub(super) fn mask_response(&mut self, bytes: &mut [u8], operation: Option<&Operation>, status: u16) {
        if serde_json::from_slice::<IgnoredAny>(bytes).is_err() {
            let text = encoding::decode_utf8(bytes, 0..bytes.len());
            return self.mask_secrets_in(bytes, &text, true, &self.all_masked());
        }
        let mut texts = Vec::new();
        for token in json::tokens(bytes) {
            let sensitivity =
                operation.map_or(Sensitivity::Unknown, |one| one.response_sensitivity(status, &token.path));
            let is_sensitive = sensitivity == Sensitivity::Sensitive
                || (sensitivity == Sensitivity::Unknown && has_sensitive_name(&token));
            match token.kind {
                TokenKind::Key | TokenKind::Word => {}
                TokenKind::Number if is_sensitive => {
                    let number = encoding::decode_utf8(bytes, token.range);
                    self.mask_number(bytes, &number, MaskReason::Sensitive);
                }
                TokenKind::Number => {}
                TokenKind::String if is_sensitive => {
                    let text = encoding::decode_json(bytes, token.range);
                    self.mask(bytes, &text, MaskReason::Sensitive);
                }
                TokenKind::String if is_server_generated(name_of(&token)) => {}
                TokenKind::String => {
                    let is_pointer = matches!(name_of(&token), "pointer" | "field");
                    let text = encoding::decode_json(bytes, token.range);
                    if is_pointer {
                        texts.extend(split_pointer(text));
                    } else if !is_fixed_sentence(&encoding::characters(&text).into_iter().collect::<String>()) {
                        texts.push(text);
                    }
                }
            }
        }
        let masked = self.all_masked();
        for text in texts {
            self.mask_secrets_in(bytes, &text, true, &masked);
        }
    }
}

/// Whether the operation can parse the body as JSON, valid or not.
fn is_json(bytes: &[u8], operation: Option<&Operation>) -> bool {
    match operation.and_then(Operation::body) {
        Some(schema) => !matches!(schema.read(bytes), Err(BodyError::Json(_))),
        None => serde_json::from_slice::<IgnoredAny>(bytes).is_ok(),
    }
}

/// Whether a field on the path of the token has a sensitive name.
fn has_sensitive_name(token: &JsonToken) -> bool {
    token.path.iter().any(|segment| matches!(segment, PathSegment::Key(name) if is_sensitive_name(name)))
}

fn name_of(token: &JsonToken) -> &str {
    match token.path.last() {
        Some(PathSegment::Key(name)) => name,
        _ => "",
    }
}

fn is_harmless_name(name: &str) -> bool {
    is_contract_name(name) || name.chars().count() < MIN_NAME_LENGTH
}

/// Returns the segments of a JSON pointer. A pattern must not match across segments, which the server has joined.
fn split_pointer(text: Vec<EncodedChar>) -> Vec<Vec<EncodedChar>> {
    let mut segments = vec![Vec::new()];
    for (character, encoded) in encoding::characters(&text).into_iter().zip(text) {
        match segments.last_mut() {
            Some(segment) if character != '/' => segment.push(encoded),
            _ => segments.push(Vec::new()),
        }
    }
    segments
}

/// Returns the non-empty ranges between separators.
fn split_ranges(bytes: &[u8], range: Range<usize>, is_separator: impl Fn(u8) -> bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = range.start;
    for at in range.clone() {
        if is_separator(bytes[at]) {
            found.push(start..at);
            start = at + 1;
        }
    }
    found.push(start..range.end);
    found.retain(|range| !range.is_empty());
    found
}

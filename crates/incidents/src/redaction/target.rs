//! Redaction of request targets: valid documented parameters stay, everything else is masked.

use std::{collections::BTreeSet, ops::Range, sync::LazyLock};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contract::{v1, v2};
use openapi_model::{Location, Operation, Sensitivity};

use super::{
    FreeText, MaskReason, Redaction,
    encoding::{self, characters},
    is_sensitive_name,
};

/// The fixed segments of all paths. They are public and never masked.
static PATH_SEGMENTS: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
    let operations = [v1::contract(), v2::contract()].into_iter().flat_map(|contract| contract.operations());
    let segments = operations.flat_map(|operation| operation.path.split('/'));
    segments.filter(|segment| !segment.starts_with('{')).collect()
});

impl Redaction<'_> {
    /// Masks the sensitive data of a request target. Returns the texts that were not masked as a whole.
    pub(super) fn mask_target(
        &mut self,
        bytes: &mut [u8],
        operation: Option<&Operation>,
        code: Option<&str>,
    ) -> Vec<FreeText> {
        let split = bytes.iter().position(|byte| *byte == b'?').unwrap_or(bytes.len());
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (path, query) = text.split_once('?').map_or((text.as_str(), None), |(path, query)| (path, Some(query)));
        let parameters = operation.map(|operation| path_parameters(operation, path)).unwrap_or_default();
        let invalid: Vec<Location> = operation
            .map(|operation| operation.validate_parameters(&parameters, query))
            .unwrap_or_default()
            .into_iter()
            .map(|violation| violation.location)
            .collect();
        let mut texts = self.mask_path(bytes, 0..split, operation, &invalid);
        for pair in split_ranges(bytes, split + 1..bytes.len(), b'&') {
            texts.extend(self.mask_query_parameter(bytes, pair, operation, &invalid, code));
        }
        texts
    }

    fn mask_path(
        &mut self,
        bytes: &mut [u8],
        range: Range<usize>,
        operation: Option<&Operation>,
        invalid: &[Location],
    ) -> Vec<FreeText> {
        // From the end: an unversioned path has fewer segments than the path of its operation.
        let template: Vec<&str> = operation.map(|one| one.path.rsplit('/').collect()).unwrap_or_default();
        let mut texts = Vec::new();
        for (index, segment) in split_ranges(bytes, range, b'/').into_iter().rev().enumerate() {
            let decoded = encoding::decode_percent(bytes, segment.clone(), false);
            let text: String = characters(&decoded).into_iter().collect();
            let parameter = template.get(index).and_then(|part| part.strip_prefix('{')?.strip_suffix('}'));
            let is_public = match parameter {
                Some(name) => !invalid.contains(&Location::Path(name.to_owned())),
                None => PATH_SEGMENTS.contains(text.as_str()),
            };
            if is_public {
                texts.extend(parameter.map(|_| FreeText {
                    characters: decoded,
                    masks_keys: false,
                    masks_known_values: false,
                }));
            } else if !is_integer(&text) {
                self.mask_encoded(bytes, segment, &decoded, MaskReason::Unrecognized);
            }
        }
        texts
    }

    fn mask_query_parameter(
        &mut self,
        bytes: &mut [u8],
        pair: Range<usize>,
        operation: Option<&Operation>,
        invalid: &[Location],
        code: Option<&str>,
    ) -> Vec<FreeText> {
        let equals = bytes[pair.clone()].iter().position(|byte| *byte == b'=').map_or(pair.end, |at| pair.start + at);
        let name = encoding::decode_percent(bytes, pair.start..equals, true);
        let name_text: String = characters(&name).into_iter().collect();
        let range = (equals + 1).min(pair.end)..pair.end;
        let value = encoding::decode_percent(bytes, range.clone(), true);
        let sensitivity = operation.map_or(Sensitivity::Unknown, |operation| operation.query_sensitivity(&name_text));
        let name = (sensitivity == Sensitivity::Unknown).then_some(FreeText {
            characters: name,
            masks_keys: true,
            masks_known_values: true,
        });
        let is_invalid = invalid.contains(&Location::Query(name_text.clone()));
        let value_text: String = characters(&value).into_iter().collect();
        // A valid cursor is not a secret and must stay valid.
        let masks_keys = name_text != "cursor" || code == Some("INVALID_CURSOR") || !has_cursor_format(&value_text);
        match sensitivity {
            Sensitivity::Sensitive => self.mask_encoded(bytes, range, &value, MaskReason::Sensitive),
            Sensitivity::Unknown if is_sensitive_name(&name_text) => {
                self.mask_encoded(bytes, range, &value, MaskReason::Sensitive);
            }
            Sensitivity::Unknown => self.mask_encoded(bytes, range, &value, MaskReason::Unrecognized),
            Sensitivity::FreeText => return vec![FreeText { characters: value, masks_keys, masks_known_values: true }],
            Sensitivity::NotSensitive if !is_invalid => {
                return vec![FreeText { characters: value, masks_keys: false, masks_known_values: false }];
            }
            Sensitivity::NotSensitive => {
                // Numbers and dates stay: a placeholder of a value that is out of range could be valid.
                if !value_text.chars().all(|character| character.is_ascii_digit() || "-:.TZ,".contains(character)) {
                    self.mask_encoded(bytes, range, &value, MaskReason::Unrecognized);
                }
            }
        }
        name.into_iter().collect()
    }
}

/// Returns the path parameters of an operation with the values that were sent.
fn path_parameters<'o, 'p>(operation: &'o Operation, path: &'p str) -> Vec<(&'o str, &'p str)> {
    let sent = operation.path.rsplit('/').zip(path.rsplit('/'));
    sent.filter_map(|(part, sent)| Some((part.strip_prefix('{')?.strip_suffix('}')?, sent))).collect()
}

/// Whether the text has the format of a cursor: a format version, a binding, a position and a signature.
fn has_cursor_format(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.first() == Some(&1) && bytes.len() >= 34)
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the ranges between separators, empty ones included.
fn split_ranges(bytes: &[u8], range: Range<usize>, separator: u8) -> Vec<Range<usize>> {
    if range.start > range.end {
        return Vec::new();
    }
    let mut start = range.start;
    let mut found = Vec::new();
    for at in range.clone() {
        if bytes[at] == separator {
            found.push(start..at);
            start = at + 1;
        }
    }
    found.push(start..range.end);
    found
}

//! Paths and queries. What the document describes stays if it is what it should be; everything else is replaced.

use std::{collections::BTreeSet, ops::Range, sync::LazyLock};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contract::{v1, v2};
use openapi_model::{Location, Operation, Sensitivity};

use super::{
    Open, Why, Work, is_secret_name,
    units::{self, characters},
};

/// The segments of all paths: they give nothing away.
static SEGMENTS: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
    let operations = [v1::contract(), v2::contract()].into_iter().flat_map(|contract| contract.operations());
    let segments = operations.flat_map(|operation| operation.path.split('/'));
    segments.filter(|segment| !segment.starts_with('{')).collect()
});

impl Work<'_> {
    /// Replaces the secrets of a request's target; returns the texts that are open.
    pub(super) fn target(&mut self, bytes: &mut [u8], operation: Option<&Operation>, code: Option<&str>) -> Vec<Open> {
        let split = bytes.iter().position(|byte| *byte == b'?').unwrap_or(bytes.len());
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (path, query) = text.split_once('?').map_or((text.as_str(), None), |(path, query)| (path, Some(query)));
        let parameters = operation.map(|operation| named(operation, path)).unwrap_or_default();
        let wrong: Vec<Location> = operation
            .map(|operation| operation.validate_parameters(&parameters, query))
            .unwrap_or_default()
            .into_iter()
            .map(|violation| violation.location)
            .collect();
        let mut open = self.path(bytes, 0..split, operation, &wrong);
        for pair in pieces(bytes, split + 1..bytes.len(), b'&') {
            open.extend(self.pair(bytes, pair, operation, &wrong, code));
        }
        open
    }

    fn path(
        &mut self,
        bytes: &mut [u8],
        range: Range<usize>,
        operation: Option<&Operation>,
        wrong: &[Location],
    ) -> Vec<Open> {
        // From the end: a path without a version has fewer segments than its operation.
        let template: Vec<&str> = operation.map(|one| one.path.rsplit('/').collect()).unwrap_or_default();
        let mut open = Vec::new();
        for (index, segment) in pieces(bytes, range, b'/').into_iter().rev().enumerate() {
            let units = units::percent(bytes, segment.clone(), false);
            let text: String = characters(&units).into_iter().collect();
            let parameter = template.get(index).and_then(|part| part.strip_prefix('{')?.strip_suffix('}'));
            let stays = match parameter {
                Some(name) => !wrong.contains(&Location::Path(name.to_owned())),
                None => SEGMENTS.contains(text.as_str()),
            };
            if stays {
                open.extend(parameter.map(|_| Open { units, with_keys: false, is_free: false }));
            } else if !is_integer(&text) {
                self.mask_written(bytes, segment, &units, Why::Unknown);
            }
        }
        open
    }

    fn pair(
        &mut self,
        bytes: &mut [u8],
        pair: Range<usize>,
        operation: Option<&Operation>,
        wrong: &[Location],
        code: Option<&str>,
    ) -> Vec<Open> {
        let equals = bytes[pair.clone()].iter().position(|byte| *byte == b'=').map_or(pair.end, |at| pair.start + at);
        let name = units::percent(bytes, pair.start..equals, true);
        let text: String = characters(&name).into_iter().collect();
        let range = (equals + 1).min(pair.end)..pair.end;
        let value = units::percent(bytes, range.clone(), true);
        let secrecy = operation.map_or(Sensitivity::Unknown, |operation| operation.query_sensitivity(&text));
        let name = (secrecy == Sensitivity::Unknown).then_some(Open { units: name, with_keys: true, is_free: true });
        let is_wrong = wrong.contains(&Location::Query(text.clone()));
        let sent: String = characters(&value).into_iter().collect();
        // A cursor that is good is no secret, and must stay itself.
        let with_keys = text != "cursor" || code == Some("INVALID_CURSOR") || !looks_like_a_cursor(&sent);
        match secrecy {
            Sensitivity::Sensitive => self.mask_written(bytes, range, &value, Why::Secret),
            Sensitivity::Unknown if is_secret_name(&text) => self.mask_written(bytes, range, &value, Why::Secret),
            Sensitivity::Unknown => self.mask_written(bytes, range, &value, Why::Unknown),
            Sensitivity::FreeText => return vec![Open { units: value, with_keys, is_free: true }],
            Sensitivity::NotSensitive if !is_wrong => {
                return vec![Open { units: value, with_keys: false, is_free: false }];
            }
            Sensitivity::NotSensitive => {
                // Too large, or not a day of the calendar: another number might be neither.
                if !sent.chars().all(|character| character.is_ascii_digit() || "-:.TZ,".contains(character)) {
                    self.mask_written(bytes, range, &value, Why::Unknown);
                }
            }
        }
        name.into_iter().collect()
    }
}

/// The path parameters of an operation, as they were sent.
fn named<'o, 'p>(operation: &'o Operation, path: &'p str) -> Vec<(&'o str, &'p str)> {
    let sent = operation.path.rsplit('/').zip(path.rsplit('/'));
    sent.filter_map(|(part, sent)| Some((part.strip_prefix('{')?.strip_suffix('}')?, sent))).collect()
}

/// Whether it has the form of a cursor of ours: the number of its format, a binding, a place, a signature.
fn looks_like_a_cursor(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.first() == Some(&1) && bytes.len() >= 34)
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The pieces between separators, as in a split.
fn pieces(bytes: &[u8], range: Range<usize>, separator: u8) -> Vec<Range<usize>> {
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

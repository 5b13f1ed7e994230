//! Comparison of bodies: their media types and the schema of each.

use serde_json::Value;

use super::rules::{self, Rule};
use super::{Comparison, DiffLocation, Direction, annotations, schemas};
use crate::traverse;

/// Compares the `content` of two bodies or parameters.
pub(super) fn compare(
    comparison: &mut Comparison<'_>,
    direction: Direction,
    at: &DiffLocation,
    old: Option<&Value>,
    new: Option<&Value>,
) {
    let (removed, added): (&Rule, &Rule) = match direction {
        Direction::Request => (rules::REQUEST_MEDIA_TYPE_REMOVED, rules::REQUEST_MEDIA_TYPE_ADDED),
        Direction::Response => (rules::RESPONSE_MEDIA_TYPE_REMOVED, rules::RESPONSE_MEDIA_TYPE_ADDED),
    };
    for (name, media) in traverse::members(old) {
        let Some(other) = find(new, name) else {
            comparison.report(removed, at, format!("the media type {name} is removed"));
            continue;
        };
        let at = at.part(name);
        annotations::compare(comparison, &at, "the body", media, other, &["schema"]);
        schemas::compare(comparison, direction, &at, "the body", media.get("schema"), other.get("schema"));
    }
    for (name, _) in traverse::members(new).filter(|(name, _)| find(old, name).is_none()) {
        comparison.report(added, at, format!("the media type {name} is new"));
    }
}

fn find<'c>(content: Option<&'c Value>, name: &str) -> Option<&'c Value> {
    traverse::members(content).find(|(other, _)| normal(other) == normal(name)).map(|(_, media)| media)
}

/// Returns the media type in lower case, without spaces and without `charset=utf-8`, which is the default.
fn normal(media_type: &str) -> String {
    let parts = media_type.split(';').map(|part| part.trim().to_ascii_lowercase());
    parts.filter(|part| part != "charset=utf-8").collect::<Vec<_>>().join(";")
}

//! Comparison of the names of components at the places that refer to them.
//!
//! Generated code has a type for each component, so a client that is generated again does not compile if a name is gone. Names of
//! schemas are compared with the schemas.

use serde_json::Value;

use super::{Comparison, DiffLocation, rules};
use crate::traverse;

/// Compares the components in a section that two resolved parts are. An inline part has no name that could be lost.
pub(super) fn compare_names(
    comparison: &mut Comparison<'_>,
    at: &DiffLocation,
    section: &str,
    subject: &str,
    old: &Value,
    new: &Value,
) {
    let (old_name, new_name) = (name(comparison.old, section, old), name(comparison.new, section, new));
    let Some(old_name) = old_name.filter(|_| old_name != new_name) else { return };
    let message = match new_name {
        Some(new_name) => format!("{subject} was the component {old_name} and is {new_name}"),
        None => format!("{subject} was the component {old_name} and is inline"),
    };
    let is_retained = comparison.new.get("components").and_then(|parts| parts.get(section)?.get(old_name)).is_some();
    let rule = if is_retained { rules::COMPONENT_REASSIGNED } else { rules::COMPONENT_NAME_CHANGED };
    comparison.report(rule, at, message);
}

/// Returns the name of the component that `part` is.
fn name<'d>(document: &'d Value, section: &str, part: &Value) -> Option<&'d str> {
    let section = document.get("components")?.get(section);
    traverse::members(section).find(|(_, component)| std::ptr::eq(*component, part)).map(|(name, _)| name)
}

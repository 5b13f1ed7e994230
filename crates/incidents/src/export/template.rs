//! Templates of the scripts in a Postman collection, and the names that Postman replaces.

use std::collections::BTreeSet;

/// Replaces placeholders in a script template. Placeholders in the inserted values are not replaced.
pub(super) fn fill_template(template: &str, values: &[(&str, String)]) -> String {
    let (mut script, mut rest) = (String::with_capacity(template.len()), template);
    while let Some((at, name, value)) =
        values.iter().filter_map(|(name, value)| Some((rest.find(name)?, name, value))).min_by_key(|(at, ..)| *at)
    {
        script.push_str(&rest[..at]);
        script.push_str(value);
        rest = &rest[at + name.len()..];
    }
    script.push_str(rest);
    script
}

/// Returns the names between `{{` and `}}`, parsed as Postman does.
pub(super) fn names_in_braces(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        rest = &rest[at + 2..];
        let end = rest.find(['{', '}']).unwrap_or(rest.len());
        if rest[end..].starts_with("}}") {
            names.insert(rest[..end].to_owned());
        } else if rest[end..].starts_with('{') {
            // In `{{{`, the name starts after the last two braces.
            rest = &text[text.len() - rest.len() - 1..];
        }
    }
    names
}

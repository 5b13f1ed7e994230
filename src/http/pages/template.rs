//! HTML templates. `{{name}}` is replaced by a value in a single pass, so that values are never interpreted as templates.

/// Replaces each `{{name}}` by its value, which the caller has escaped. Unknown names are not replaced.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, from_name)) = rest.split_once("{{") {
        filled.push_str(before);
        let replacement = from_name.split_once("}}").and_then(|(name, after)| {
            values.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value, after))
        });
        match replacement {
            Some((value, after)) => {
                filled.push_str(value);
                rest = after;
            }
            None => {
                filled.push_str("{{");
                rest = from_name;
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// Escapes text for an element or a quoted attribute.
pub(super) fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Escapes text for a JSON string inside single quotes of a shell command.
pub(super) fn escape_json_for_shell(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\'' => escaped.push_str(r"'\''"),
            control if control.is_control() => escaped.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => escaped.push(other),
        }
    }
    escaped
}

//! JSON pointers (RFC 6901) and the resolution of `$ref`s.

use serde_json::Value;

/// Appends one reference token, escaping `~` and `/`.
pub fn push(pointer: &mut String, token: &str) {
    pointer.push('/');
    for character in token.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// Returns `pointer` with an additional token.
pub fn join(pointer: &str, token: &str) -> String {
    let mut joined = String::with_capacity(pointer.len() + token.len() + 1);
    joined.push_str(pointer);
    push(&mut joined, token);
    joined
}

/// Returns the unescaped tokens of a pointer.
pub fn tokens(pointer: &str) -> impl Iterator<Item = String> + '_ {
    pointer.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~"))
}

/// Follows `$ref`s within `document` to a value that is not a reference. Returns `None` for an unresolved or circular
/// reference.
pub fn resolve<'d>(document: &'d Value, value: &'d Value) -> Option<&'d Value> {
    resolve_with_pointer(document, value).map(|(_, value)| value)
}

/// Follows `$ref`s like [`resolve`], and returns the pointer of the last one, if there is any, with the value.
pub fn resolve_with_pointer<'d>(document: &'d Value, mut value: &'d Value) -> Option<(Option<&'d str>, &'d Value)> {
    let mut pointer = None;
    // A longer chain is circular: references normally refer to the component directly.
    for _ in 0..16 {
        let Some(Value::String(reference)) = value.get("$ref") else {
            return Some((pointer, value));
        };
        let target = reference.strip_prefix('#')?;
        (pointer, value) = (Some(target), document.pointer(target)?);
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use serde_json::json;

    #[test]
    fn tokens_are_escaped_and_read_back() {
        let pointer = join(&join("", "a/b"), "~c");
        assert_eq!(pointer, "/a~1b/~0c");
        assert_eq!(tokens(&pointer).collect::<Vec<_>>(), ["a/b", "~c"]);
    }

    #[test]
    fn circular_references_do_not_resolve() {
        let document = json!({"a": {"$ref": "#/b"}, "b": {"x": 1}, "c": {"$ref": "#/c"}});
        assert_eq!(resolve(&document, &document["a"]), Some(&json!({"x": 1})));
        assert_eq!(resolve(&document, &document["c"]), None);
        assert_eq!(resolve_with_pointer(&document, &document["a"]), Some((Some("/b"), &json!({"x": 1}))));
    }
}

//! Comparison and display of single values.

use std::cmp::Ordering;

use serde_json::Value;

/// Compares two numbers. Integers are compared exactly.
pub(super) fn order(one: &Value, other: &Value) -> Option<Ordering> {
    match (integer(one), integer(other)) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

fn integer(value: &Value) -> Option<i128> {
    value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from))
}

/// Whether a constraint allows fewer or more values than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Narrowed,
    Widened,
}

/// Compares a lower or upper bound. `free` is the value that has no effect, such as 0 for a minimum length.
pub(super) fn limit(old: Option<&Value>, new: Option<&Value>, free: Option<&Value>, is_lower: bool) -> Option<Change> {
    match (old.filter(|old| Some(*old) != free), new.filter(|new| Some(*new) != free)) {
        (None, None) => None,
        (None, Some(_)) => Some(Change::Narrowed),
        (Some(_), None) => Some(Change::Widened),
        (Some(old), Some(new)) => match (order(old, new)?, is_lower) {
            (Ordering::Equal, _) => None,
            (Ordering::Less, true) | (Ordering::Greater, false) => Some(Change::Narrowed),
            _ => Some(Change::Widened),
        },
    }
}

/// Compares a boolean constraint.
pub(super) fn switch(old: bool, new: bool) -> Option<Change> {
    match (old, new) {
        (false, true) => Some(Change::Narrowed),
        (true, false) => Some(Change::Widened),
        _ => None,
    }
}

/// Compares a constraint that has no order, such as a pattern. A different one may reject values that were accepted.
pub(super) fn opaque(old: Option<&Value>, new: Option<&Value>) -> Option<Change> {
    match (old, new) {
        (old, new) if old == new => None,
        (Some(_), None) => Some(Change::Widened),
        _ => Some(Change::Narrowed),
    }
}

/// Returns a value as it is shown in a description.
pub(super) fn shown(value: Option<&Value>) -> String {
    match value {
        None => "none".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn large_integers_are_compared_exactly() {
        assert_eq!(order(&json!(i64::MAX - 1), &json!(i64::MAX)), Some(Ordering::Less));
        assert_eq!(order(&json!(u64::MAX), &json!(i64::MIN)), Some(Ordering::Greater));
        assert_eq!(order(&json!(1), &json!(1.5)), Some(Ordering::Less));
        assert_eq!(order(&json!("1"), &json!(1)), None);
    }

    #[test]
    fn minimum_length_of_0_has_no_effect() {
        let zero = json!(0);
        assert_eq!(limit(None, Some(&zero), Some(&zero), true), None);
        assert_eq!(limit(Some(&zero), Some(&json!(1)), Some(&zero), true), Some(Change::Narrowed));
        assert_eq!(limit(None, Some(&zero), None, true), Some(Change::Narrowed));
    }
}

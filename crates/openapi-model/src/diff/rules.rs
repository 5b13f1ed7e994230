//! The published policy: a rule for each kind of change and its effect on clients.
//!
//! `docs/compatibility.md` contains the same table.

use serde::Serialize;

/// The effect of a difference on a client that was written for the old document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The client may stop working, or stop compiling after its API code is generated again.
    Breaking,
    /// The client works as before. The new document adds something.
    Additive,
    /// The change affects documentation only.
    Neutral,
}

impl Kind {
    /// Returns the name in the policy and in JSON output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Breaking => "breaking",
            Kind::Additive => "additive",
            Kind::Neutral => "neutral",
        }
    }
}

/// A rule of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The stable ID of the rule. Tools filter by it.
    pub id: &'static str,
    /// The effect of the change.
    pub kind: Kind,
    /// The description of the change in the policy.
    pub change: &'static str,
}

macro_rules! rules {
    ($($name:ident = $kind:ident $id:literal $change:literal;)+) => {
        $(pub(super) const $name: &Rule = &Rule { id: $id, kind: Kind::$kind, change: $change };)+

        /// Every rule, in the order of the policy.
        pub const RULES: &[&Rule] = &[$($name),+];
    };
}

rules! {
    SERVER_REMOVED = Breaking "server-removed" "The URL of a server is removed or changed";
    PATH_REMOVED = Breaking "path-removed" "A path is removed with its operations";
    OPERATION_REMOVED = Breaking "operation-removed" "An operation is removed, but its path remains";
    OPERATION_MOVED = Breaking "operation-moved" "An operation moves to another path or method";
    OPERATION_ID_CHANGED = Breaking "operation-id-changed" "The operationId changes: generated code has a function with this name";
    SCHEMA_NAME_CHANGED = Breaking "schema-name-changed" "A schema is renamed: generated code has a type with this name";
    COMPONENT_NAME_CHANGED = Breaking "component-name-changed" "A component (response, header, parameter, request body) is removed or renamed: generated code has a type with this name";
    SECURITY_ADDED = Breaking "security-added" "More credentials or scopes are required";

    PATH_PARAMETER_RENAMED = Breaking "path-parameter-renamed" "A path parameter is renamed";
    PARAMETER_REMOVED = Breaking "parameter-removed" "A parameter is removed; renaming counts as removal";
    PARAMETER_MOVED = Breaking "parameter-moved" "A parameter moves, such as from the query to a header";
    PARAMETER_ADDED_REQUIRED = Breaking "parameter-added-required" "A required parameter is added";
    PARAMETER_MADE_REQUIRED = Breaking "parameter-made-required" "An optional parameter becomes required";
    PARAMETER_ENCODING_CHANGED = Breaking "parameter-encoding-changed" "A parameter is serialized differently (style, explode, reserved characters, content)";
    PARAMETER_EMPTY_REJECTED = Breaking "parameter-empty-rejected" "A parameter may no longer be empty (allowEmptyValue)";
    BODY_REMOVED = Breaking "body-removed" "An operation no longer accepts a body";
    BODY_MADE_REQUIRED = Breaking "body-made-required" "A required body is added, or an optional body becomes required";
    REQUEST_MEDIA_TYPE_REMOVED = Breaking "request-media-type-removed" "A media type of a request body is removed";
    REQUEST_FIELD_REMOVED = Breaking "request-field-removed" "A field of a request is removed; renaming counts as removal";
    REQUEST_FIELD_ADDED_REQUIRED = Breaking "request-field-added-required" "A required field is added to a request";
    REQUEST_FIELD_MADE_REQUIRED = Breaking "request-field-made-required" "An optional field of a request becomes required";
    REQUEST_NULL_REJECTED = Breaking "request-null-rejected" "A value of a request may no longer be null";
    REQUEST_ENUM_NARROWED = Breaking "request-enum-narrowed" "A request accepts fewer values of an enumeration, or a value becomes one";
    REQUEST_BOUND_NARROWED = Breaking "request-bound-narrowed" "A limit or pattern of a request is added, tightened or, for a pattern, changed";
    REQUEST_OBJECT_CLOSED = Breaking "request-object-closed" "An object of a request no longer accepts undocumented fields";
    REQUEST_CHOICE_REMOVED = Breaking "request-choice-removed" "An alternative schema of a request is removed";
    DEFAULT_CHANGED = Breaking "default-changed" "A default value changes or is removed";

    TYPE_CHANGED = Breaking "type-changed" "The type of a value changes, in a request or in a response";
    FORMAT_CHANGED = Breaking "format-changed" "The format of a value is added, changed or removed";
    UNKNOWN_CHANGED = Breaking "unknown-changed" "A change without a rule";

    STATUS_REMOVED = Breaking "status-removed" "A status is removed";
    SUCCESS_STATUS_CHANGED = Breaking "success-status-changed" "The status of a successful response changes";
    SUCCESS_STATUS_ADDED = Breaking "success-status-added" "A success or redirect status is added, except 304";
    RESPONSE_MEDIA_TYPE_REMOVED = Breaking "response-media-type-removed" "A media type of a response is removed";
    RESPONSE_HEADER_REMOVED = Breaking "response-header-removed" "A header of a response is removed";
    RESPONSE_HEADER_MADE_OPTIONAL = Breaking "response-header-made-optional" "A header of a response becomes optional";
    RESPONSE_FIELD_REMOVED = Breaking "response-field-removed" "A field of a response is removed; renaming counts as removal";
    RESPONSE_FIELD_MADE_OPTIONAL = Breaking "response-field-made-optional" "A field of a response becomes optional";
    RESPONSE_MADE_NULLABLE = Breaking "response-made-nullable" "A value of a response becomes nullable";
    RESPONSE_ENUM_NARROWED = Breaking "response-enum-narrowed" "A value is removed from an enumeration of a response: clients branch on it";
    RESPONSE_ENUM_DROPPED = Breaking "response-enum-dropped" "A value of a response is no longer an enumeration";
    RESPONSE_CHOICE_ADDED = Breaking "response-choice-added" "An alternative schema of a response is added";
    WEBHOOK_REMOVED = Breaking "webhook-removed" "A webhook is removed";

    SERVER_ADDED = Additive "server-added" "The URL of a server is added";
    OPERATION_ADDED = Additive "operation-added" "An operation is added";
    WEBHOOK_ADDED = Additive "webhook-added" "A webhook is added";
    DEPRECATED = Additive "deprecated" "An operation, parameter, header or field is marked as deprecated; it works as before";
    SECURITY_RELAXED = Additive "security-relaxed" "Fewer credentials, fewer scopes or alternative credentials are accepted";
    PARAMETER_ADDED = Additive "parameter-added" "An optional parameter is added";
    PARAMETER_MADE_OPTIONAL = Additive "parameter-made-optional" "A required parameter becomes optional";
    PARAMETER_EMPTY_ACCEPTED = Additive "parameter-empty-accepted" "A parameter may be empty (allowEmptyValue)";
    BODY_ADDED = Additive "body-added" "An operation accepts an optional body";
    BODY_MADE_OPTIONAL = Additive "body-made-optional" "A required body becomes optional";
    REQUEST_MEDIA_TYPE_ADDED = Additive "request-media-type-added" "A media type of a request body is added";
    REQUEST_FIELD_ADDED = Additive "request-field-added" "An optional field is added to a request";
    REQUEST_FIELD_MADE_OPTIONAL = Additive "request-field-made-optional" "A required field of a request becomes optional";
    REQUEST_NULL_ACCEPTED = Additive "request-null-accepted" "A value of a request may be null";
    REQUEST_ENUM_WIDENED = Additive "request-enum-widened" "A request accepts more values of an enumeration, or any";
    REQUEST_BOUND_WIDENED = Additive "request-bound-widened" "A limit or pattern of a request is loosened or removed";
    REQUEST_OBJECT_OPENED = Additive "request-object-opened" "An object of a request accepts undocumented fields";
    REQUEST_CHOICE_ADDED = Additive "request-choice-added" "An alternative schema of a request is added";
    DEFAULT_ADDED = Additive "default-added" "A default value is added";
    STATUS_ADDED = Additive "status-added" "An error status, `default` or 304 is added";
    RESPONSE_MEDIA_TYPE_ADDED = Additive "response-media-type-added" "A media type of a response is added";
    RESPONSE_HEADER_ADDED = Additive "response-header-added" "A header of a response is added";
    RESPONSE_HEADER_MADE_REQUIRED = Additive "response-header-made-required" "An optional header of a response becomes required";
    RESPONSE_FIELD_ADDED = Additive "response-field-added" "A field of a response is added: responses are open";
    RESPONSE_FIELD_MADE_REQUIRED = Additive "response-field-made-required" "An optional field of a response becomes required";
    RESPONSE_NEVER_NULL = Additive "response-never-null" "A value of a response is no longer null";
    RESPONSE_ENUM_WIDENED = Additive "response-enum-widened" "A value is added to an enumeration of a response: responses are open";
    RESPONSE_ENUM_ADDED = Additive "response-enum-added" "A value of a response becomes an enumeration";
    RESPONSE_BOUND_CHANGED = Additive "response-bound-changed" "A limit or pattern of a response changes";
    RESPONSE_CHOICE_REMOVED = Additive "response-choice-removed" "An alternative schema of a response is removed";
    RESPONSE_OPENNESS_CHANGED = Additive "response-openness-changed" "`additionalProperties` of a response changes";

    DEPRECATION_WITHDRAWN = Neutral "deprecation-withdrawn" "A deprecation is withdrawn";
    TEXT_CHANGED = Neutral "text-changed" "A title, summary or description changes";
    COMPONENT_REASSIGNED = Neutral "component-reassigned" "A part refers to another component, and the former one still exists";
    TAG_CHANGED = Neutral "tag-changed" "An operation has different tags";
    EXAMPLE_CHANGED = Neutral "example-changed" "An example changes";
    LINK_CHANGED = Neutral "link-changed" "A link from a response to an operation changes";
    EXTENSION_CHANGED = Neutral "extension-changed" "A key with the prefix x- changes, except webhooks";
    ELSEWHERE_CHANGED = Neutral "elsewhere-changed" "A part that no operation uses changes";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_unique_and_breaking_rules_come_first() {
        let ids: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), RULES.len());
        assert!(RULES.is_sorted_by_key(|rule| rule.kind));
        for rule in RULES {
            assert!(rule.id.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", rule.id);
            assert!(!rule.change.contains('|') && !rule.change.ends_with('.'), "{}", rule.change);
        }
    }
}

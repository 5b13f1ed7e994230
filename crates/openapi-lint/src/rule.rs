//! The rules with their IDs and their severities in each preset.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// How serious a violation is. A rule with the severity `Off` is not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The rule is not applied.
    Off,
    /// The violation is reported.
    Warning,
    /// The document must be changed.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Severity::Off => "off",
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

/// A set of severities to start from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Rules that hold for every document: it is consistent, and its examples are valid.
    #[default]
    Recommended,
    /// All rules, as errors. Adds a style guide: names, bounds, examples, pagination, and separate schemas for requests and
    /// responses.
    Strict,
}

macro_rules! rules {
    ($($name:ident $id:literal $recommended:ident $summary:literal;)+) => {
        /// A lint rule.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rule { $(#[doc = $summary] $name,)+ }

        impl Rule {
            /// All rules, in the order of the documentation.
            pub const ALL: &'static [Rule] = &[$(Rule::$name,)+];

            /// Returns the stable ID, which configurations and reports contain.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Rule::$name => $id,)+ }
            }

            /// Returns what the rule requires.
            #[must_use]
            pub const fn summary(self) -> &'static str {
                match self { $(Rule::$name => $summary,)+ }
            }

            const fn recommended(self) -> Severity {
                match self { $(Rule::$name => Severity::$recommended,)+ }
            }
        }
    };
}

rules! {
    ReferenceResolves "reference-resolves" Error "Every reference resolves within the document.";
    SchemaCompiles "schema-compiles" Error "Every schema is valid.";

    OperationId "operation-id" Error "An operation has an operationId.";
    OperationIdUnique "operation-id-unique" Error "No two operations have the same operationId.";
    OperationIdCase "operation-id-case" Off "An operationId is in camelCase.";
    OperationSummary "operation-summary" Warning "An operation has a summary.";
    OperationDescription "operation-description" Warning "An operation has a description.";
    OperationTag "operation-tag" Off "An operation has exactly one tag.";
    TagDeclared "tag-declared" Warning "Every tag of an operation is declared by the document.";
    PublicOperation "public-operation" Error "Exactly the operations in `public_operations` need no credentials.";

    PathParameterDeclared "path-parameter-declared" Error "An operation declares every parameter of its path.";
    PathParameterRequired "path-parameter-required" Error "A path parameter is required.";
    ParameterCase "parameter-case" Off "Names of path and query parameters are in snake_case.";

    SuccessResponse "success-response" Warning "An operation has a response with a status from 200 to 299.";
    SingleSuccessResponse "single-success-response" Off "An operation has no more than one response with a status from 200 to 299.";
    ExplicitStatus "explicit-status" Off "A response has a three-digit status, not `default` or a range.";
    ResponseDescription "response-description" Error "A response has a description.";
    HeaderName "header-name" Error "The names of response headers are in `header_names`.";
    ErrorBody "error-body" Error "Errors have the schema `error_schema` and the media type `error_media_type`.";
    Pagination "pagination" Error "Lists have a query parameter that is in `page_parameters`.";
    ArrayResponse "array-response" Off "A success response is not an array, which cannot be extended.";

    PropertyCase "property-case" Off "Names of properties are in snake_case.";
    KnownFormat "known-format" Warning "Formats are known to tools, or in `formats`.";
    StringBounds "string-bounds" Off "A string has maxLength, an enumeration or a format.";
    IntegerBounds "integer-bounds" Off "An integer has a format, or minimum and maximum.";
    ArrayBounds "array-bounds" Off "An array of a request has maxItems.";
    InlineObject "inline-object" Off "An object with properties is a component.";
    ClosedRequest "closed-request" Off "A request object defines additionalProperties.";
    CompleteResponse "complete-response" Off "Every property of a response is required or nullable.";
    SeparateSchemas "separate-schemas" Off "A component with properties or items is used in requests or in responses, not in both.";

    ExamplePresent "example-present" Off "Parameters, headers, component objects and bodies other than JSON have an example.";
    ExampleValid "example-valid" Warning "An example matches its schema.";

    UnusedSuppression "unused-suppression" Warning "Every suppression of the configuration suppresses a finding.";
}

impl Rule {
    /// Returns the rule with this ID.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Rule> {
        Rule::ALL.iter().copied().find(|rule| rule.id() == id)
    }

    /// Returns the severity in a preset.
    #[must_use]
    pub const fn severity(self, preset: Preset) -> Severity {
        match preset {
            Preset::Recommended => self.recommended(),
            Preset::Strict => Severity::Error,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.id())
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_read_back() {
        let ids: BTreeSet<&str> = Rule::ALL.iter().map(|rule| rule.id()).collect();
        assert_eq!(ids.len(), Rule::ALL.len());
        for rule in Rule::ALL {
            assert_eq!(Rule::from_id(rule.id()), Some(*rule));
            assert!(rule.id().chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{rule}");
        }
        assert_eq!(Rule::from_id("operation_id"), None);
    }
}

//! The configuration: severities, options and suppressions, from code or from JSON.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Preset, Rule, Severity};

/// Values that rules compare with. A rule whose option is missing is not applied.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LintOptions {
    /// `error-body`: name of the component schema of error bodies.
    pub error_schema: Option<String>,
    /// `error-body`: media type of error bodies.
    pub error_media_type: Option<String>,
    /// `header-name`: names of all response headers.
    pub header_names: Option<Vec<String>>,
    /// `public-operation`: the operations that need no credentials, by operationId.
    pub public_operations: Option<Vec<String>>,
    /// `pagination`: the query parameters for pagination; each list has one of them.
    pub page_parameters: Option<Vec<String>>,
    /// `pagination`: the property of a response that contains the rows of a list.
    pub rows_property: String,
    /// `known-format`: formats besides those of OpenAPI and JSON Schema.
    pub formats: Vec<String>,
}

impl Default for LintOptions {
    fn default() -> Self {
        LintOptions {
            error_schema: None,
            error_media_type: None,
            header_names: None,
            public_operations: None,
            page_parameters: None,
            rows_property: "data".to_owned(),
            formats: Vec::new(),
        }
    }
}

impl LintOptions {
    /// Returns the option that a rule needs and that is missing.
    fn missing_for(&self, rule: Rule) -> Option<&'static str> {
        let (name, is_missing) = match rule {
            Rule::PublicOperation => ("public_operations", self.public_operations.is_none()),
            Rule::HeaderName => ("header_names", self.header_names.is_none()),
            Rule::ErrorBody => {
                ("error_schema or error_media_type", self.error_schema.is_none() && self.error_media_type.is_none())
            }
            Rule::Pagination => ("page_parameters", self.page_parameters.is_none()),
            _ => return None,
        };
        is_missing.then_some(name)
    }
}

/// Suppresses the findings of a rule at a location and below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// The rule.
    pub rule: Rule,
    /// JSON pointer to the location: `/paths/~1lists/get`. An empty pointer is the whole document.
    pub pointer: String,
    /// Why the findings are accepted.
    pub reason: String,
}

impl Suppression {
    pub(crate) fn covers(&self, rule: Rule, pointer: &str) -> bool {
        let below = pointer.strip_prefix(&self.pointer);
        self.rule == rule && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Severities of the rules, their options, and suppressions.
///
/// ```
/// use openapi_lint::{LintConfig, Rule, Severity};
///
/// let config = LintConfig::from_json(
///     r#"{
///         "extends": "strict",
///         "rules": {"operation-description": "warning", "array-bounds": "off"},
///         "options": {"page_parameters": ["cursor"]},
///         "suppressions": [
///             {"rule": "pagination", "pointer": "/paths/~1languages/get", "reason": "There are 12 languages."}
///         ]
///     }"#,
/// )?;
/// assert_eq!(config.severity(Rule::OperationDescription), Severity::Warning);
/// assert_eq!(config.severity(Rule::OperationId), Severity::Error);
///
/// let error = LintConfig::from_json(r#"{"rules": {"operation-descripton": "off"}}"#).unwrap_err();
/// assert_eq!(error.to_string(), "unknown rule operation-descripton in rules");
/// # Ok::<(), openapi_lint::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LintConfig {
    preset: Preset,
    severities: BTreeMap<Rule, Severity>,
    options: LintOptions,
    suppressions: Vec<Suppression>,
}

/// The reason why a configuration is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The text is not JSON, or has an unknown or invalid field.
    #[error("{0}")]
    Syntax(String),
    /// No rule has this ID.
    #[error("unknown rule {id} in {field}")]
    UnknownRule {
        /// The ID.
        id: String,
        /// The field with the ID.
        field: &'static str,
    },
    /// A rule is enabled, but the option that it needs is missing.
    #[error("the rule {rule} needs the option {option}")]
    MissingOption {
        /// The rule.
        rule: Rule,
        /// Name of the option.
        option: &'static str,
    },
    /// A suppression has no reason.
    #[error("the suppression of {rule} at {pointer:?} has no reason")]
    MissingReason {
        /// The rule.
        rule: Rule,
        /// The location.
        pointer: String,
    },
    /// A pointer is not empty and does not start with a slash.
    #[error("{pointer:?} is not a JSON pointer; it must start with /")]
    Pointer {
        /// The text.
        pointer: String,
    },
}

/// The configuration as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    #[serde(default)]
    extends: Preset,
    #[serde(default)]
    rules: BTreeMap<String, Severity>,
    #[serde(default)]
    options: LintOptions,
    #[serde(default)]
    suppressions: Vec<SuppressionEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SuppressionEntry {
    rule: String,
    pointer: String,
    #[serde(default)]
    reason: String,
}

impl LintConfig {
    /// Creates a configuration with the severities of a preset.
    #[must_use]
    pub fn new(preset: Preset) -> Self {
        LintConfig { preset, ..LintConfig::default() }
    }

    /// Sets the severity of a rule.
    #[must_use]
    pub fn with_severity(mut self, rule: Rule, severity: Severity) -> Self {
        self.severities.insert(rule, severity);
        self
    }

    /// Sets the options of the rules.
    #[must_use]
    pub fn with_options(mut self, options: LintOptions) -> Self {
        self.options = options;
        self
    }

    /// Adds a suppression.
    #[must_use]
    pub fn with_suppression(mut self, suppression: Suppression) -> Self {
        self.suppressions.push(suppression);
        self
    }

    /// Reads a configuration with the fields `extends`, `rules`, `options` and `suppressions`, all optional.
    ///
    /// # Errors
    /// If the text is not JSON or has unknown fields or rules, if an enabled rule has no option, or if a suppression has no
    /// reason.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let file: ConfigFile = serde_json::from_str(text).map_err(|error| ConfigError::Syntax(error.to_string()))?;
        let mut config = LintConfig::new(file.extends).with_options(file.options);
        for (id, severity) in file.rules {
            let rule = rule(id, "rules")?;
            if severity != Severity::Off
                && let Some(option) = config.options.missing_for(rule)
            {
                return Err(ConfigError::MissingOption { rule, option });
            }
            config.severities.insert(rule, severity);
        }
        for SuppressionEntry { rule: id, pointer, reason } in file.suppressions {
            let rule = rule(id, "suppressions")?;
            if !pointer.is_empty() && !pointer.starts_with('/') {
                return Err(ConfigError::Pointer { pointer });
            }
            if reason.trim().is_empty() {
                return Err(ConfigError::MissingReason { rule, pointer });
            }
            config.suppressions.push(Suppression { rule, pointer, reason });
        }
        Ok(config)
    }

    /// Returns the severity of a rule. It is `Off` for a rule whose option is missing.
    #[must_use]
    pub fn severity(&self, rule: Rule) -> Severity {
        if self.options.missing_for(rule).is_some() {
            return Severity::Off;
        }
        self.severities.get(&rule).copied().unwrap_or_else(|| rule.severity(self.preset))
    }

    /// Returns the options of the rules.
    #[must_use]
    pub fn options(&self) -> &LintOptions {
        &self.options
    }

    pub(crate) fn suppressions(&self) -> &[Suppression] {
        &self.suppressions
    }
}

fn rule(id: String, field: &'static str) -> Result<Rule, ConfigError> {
    Rule::from_id(&id).ok_or(ConfigError::UnknownRule { id, field })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn invalid_configurations_are_rejected() {
        for (text, expected) in [
            ("{", "EOF while parsing an object at line 1 column 1"),
            (r#"{"extend": "strict"}"#, "unknown field `extend`"),
            (r#"{"extends": "all"}"#, "unknown variant `all`"),
            (r#"{"rules": {"no-such-rule": "off"}}"#, "unknown rule no-such-rule in rules"),
            (r#"{"rules": {"operation-id": "warn"}}"#, "unknown variant `warn`"),
            (r#"{"rules": {"pagination": "error"}}"#, "the rule pagination needs the option page_parameters"),
            (r#"{"options": {"pages": []}}"#, "unknown field `pages`"),
            (
                r#"{"suppressions": [{"rule": "no-such-rule", "pointer": "", "reason": "r"}]}"#,
                "unknown rule no-such-rule in suppressions",
            ),
            (
                r#"{"suppressions": [{"rule": "operation-id", "pointer": "/paths"}]}"#,
                "the suppression of operation-id at \"/paths\" has no reason",
            ),
            (
                r#"{"suppressions": [{"rule": "operation-id", "pointer": "paths", "reason": "r"}]}"#,
                "\"paths\" is not a JSON pointer; it must start with /",
            ),
        ] {
            let error = LintConfig::from_json(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn empty_configuration_is_the_recommended_preset() {
        assert_eq!(LintConfig::from_json("{}"), Ok(LintConfig::new(Preset::Recommended)));
        let config = LintConfig::from_json(r#"{"rules": {"pagination": "off"}}"#).unwrap();
        assert_eq!(config.severity(Rule::Pagination), Severity::Off);
    }

    #[test]
    fn suppressions_apply_to_a_location_and_below_it() {
        let suppression =
            Suppression { rule: Rule::OperationId, pointer: "/paths/~1lists".to_owned(), reason: "r".to_owned() };
        assert!(suppression.covers(Rule::OperationId, "/paths/~1lists"));
        assert!(suppression.covers(Rule::OperationId, "/paths/~1lists/get"));
        assert!(!suppression.covers(Rule::OperationId, "/paths/~1lists2/get"));
        assert!(!suppression.covers(Rule::OperationTag, "/paths/~1lists"));
    }
}

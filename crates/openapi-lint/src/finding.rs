//! Findings, and the report that applies severities and suppressions to them.

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;

use crate::{LintConfig, Rule, Severity, location::LintLocation};

/// A violation of a lint rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Finding {
    /// The severity in the configuration; never `Off`.
    pub severity: Severity,
    /// The violated rule.
    pub rule: Rule,
    /// JSON pointer to the location in the document.
    pub pointer: String,
    /// The location for people: `operation getList, response 404`, `schema List.name`.
    pub location: String,
    /// The description of the violation.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}: {} [{}]", self.severity, self.location, self.message, self.rule)
    }
}

/// The findings so far.
pub(crate) struct Report<'c> {
    config: &'c LintConfig,
    findings: Vec<Finding>,
    seen: HashSet<Finding>,
    used_suppressions: HashSet<usize>,
}

impl<'c> Report<'c> {
    pub(crate) fn new(config: &'c LintConfig) -> Self {
        Report { config, findings: Vec::new(), seen: HashSet::new(), used_suppressions: HashSet::new() }
    }

    pub(crate) fn config(&self) -> &'c LintConfig {
        self.config
    }

    /// Adds a finding, unless the rule is off, the finding is suppressed or it has been added before.
    pub(crate) fn add(&mut self, rule: Rule, location: &LintLocation, message: impl Into<String>) {
        let severity = self.config.severity(rule);
        if severity == Severity::Off {
            return;
        }
        let suppressions = self.config.suppressions().iter().enumerate();
        let covering: Vec<usize> = suppressions
            .filter(|(_, suppression)| suppression.covers(rule, &location.pointer))
            .map(|(index, _)| index)
            .collect();
        if !covering.is_empty() {
            self.used_suppressions.extend(covering);
            return;
        }
        let finding = Finding {
            severity,
            rule,
            pointer: location.pointer.clone(),
            location: location.name.clone(),
            message: message.into(),
        };
        if self.seen.insert(finding.clone()) {
            self.findings.push(finding);
        }
    }

    /// Reports the unused suppressions and returns all findings.
    pub(crate) fn finish(mut self) -> Vec<Finding> {
        for (index, suppression) in self.config.suppressions().iter().enumerate() {
            if !self.used_suppressions.contains(&index) && suppression.rule != Rule::UnusedSuppression {
                let location = LintLocation {
                    pointer: suppression.pointer.clone(),
                    name: format!("suppression at {:?}", suppression.pointer),
                };
                let message = format!("suppresses no finding of {}; remove it", suppression.rule);
                self.add(Rule::UnusedSuppression, &location, message);
            }
        }
        self.findings
    }
}

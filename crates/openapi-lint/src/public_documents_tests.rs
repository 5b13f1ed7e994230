//! Tests with public documents.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use openapi_model::Document;

use crate::{LintConfig, Preset, lint};

/// Returns the number of findings by rule.
fn counts(text: &str, preset: Preset) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for finding in lint(&Document::from_json(text).unwrap(), &LintConfig::new(preset)) {
        *counts.entry(finding.rule.id()).or_default() += 1;
    }
    counts
}

#[test]
fn recommended_rules_find_few_violations() {
    let petstore = BTreeMap::from([("operation-description", 11), ("success-response", 11)]);
    let uspto = BTreeMap::from([("known-format", 2), ("operation-description", 1)]);
    let github = BTreeMap::from([("operation-description", 1)]);
    let found = openapi_fixtures::PUBLIC.map(|(_, text)| counts(text, Preset::Recommended));
    assert_eq!(found, [petstore, uspto, github]);
}

#[test]
fn every_finding_points_into_the_document() {
    for (name, text) in openapi_fixtures::PUBLIC {
        let document = Document::from_json(text).unwrap();
        let findings = lint(&document, &LintConfig::new(Preset::Strict));
        assert!(!findings.is_empty(), "{name} follows the style guide");
        for finding in findings {
            assert!(document.value().pointer(&finding.pointer).is_some(), "{name}: {} {finding}", finding.pointer);
        }
    }
}

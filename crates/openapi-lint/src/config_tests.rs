//! Tests of presets, severities and suppressions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use openapi_fixtures::set;
use openapi_model::Document;
use serde_json::{Value, json};

use super::{
    Finding, LintConfig, LintOptions, Preset, Rule, Severity, Suppression, lint, tests::document, tests::strict,
};

const LIST: &str = "/paths/~1projects/get";

/// Returns the fixture with an operation that has no summary, a parameter that is not in snake_case, and a tag that is
/// not declared.
fn document_with_violations() -> Document {
    let mut value = document().value().clone();
    set(&mut value, &format!("{LIST}/summary"), Value::Null);
    set(&mut value, &format!("{LIST}/tags"), json!(["Other"]));
    set(&mut value, &format!("{LIST}/parameters/0/name"), json!("pageNumber"));
    Document::from_value(value).unwrap()
}

fn rules(found: &[Finding]) -> Vec<(Rule, Severity)> {
    found.iter().map(|finding| (finding.rule, finding.severity)).collect()
}

fn suppression(rule: Rule, pointer: &str) -> Suppression {
    Suppression { rule, pointer: pointer.to_owned(), reason: "Accepted.".to_owned() }
}

#[test]
fn presets_have_different_severities() {
    let document = document_with_violations();
    let recommended = lint(&document, &LintConfig::new(Preset::Recommended));
    let warning = Severity::Warning;
    assert_eq!(rules(&recommended), [(Rule::OperationSummary, warning), (Rule::TagDeclared, warning)]);
    let strict = lint(&document, &LintConfig::new(Preset::Strict));
    let error = Severity::Error;
    assert_eq!(
        rules(&strict),
        [(Rule::OperationSummary, error), (Rule::TagDeclared, error), (Rule::ParameterCase, error)]
    );
}

#[test]
fn severity_of_a_rule_can_be_changed() {
    let config = LintConfig::new(Preset::Recommended)
        .with_severity(Rule::TagDeclared, Severity::Off)
        .with_severity(Rule::ParameterCase, Severity::Warning)
        .with_severity(Rule::OperationSummary, Severity::Error);
    let found = lint(&document_with_violations(), &config);
    assert_eq!(rules(&found), [(Rule::OperationSummary, Severity::Error), (Rule::ParameterCase, Severity::Warning)]);
}

#[test]
fn rule_without_its_option_is_not_applied() {
    let mut value = document().value().clone();
    value["paths"]["/projects"]["get"]["responses"]["500"] = json!({"description": "d"});
    let document = Document::from_value(value).unwrap();
    assert_eq!(lint(&document, &LintConfig::new(Preset::Strict)), []);
    let options = LintOptions { error_schema: Some("ErrorEnvelope".to_owned()), ..LintOptions::default() };
    let found = lint(&document, &LintConfig::new(Preset::Strict).with_options(options));
    assert_eq!(found[0].to_string(), "error: operation listProjects, response 500: has no error body [error-body]");
}

#[test]
fn findings_have_pointers_into_the_document() {
    for finding in lint(&document_with_violations(), &LintConfig::new(Preset::Strict)) {
        let expected = match finding.rule {
            Rule::ParameterCase => format!("{LIST}/parameters/0"),
            _ => LIST.to_owned(),
        };
        assert_eq!(finding.pointer, expected);
    }
}

#[test]
fn finding_serializes_with_the_id_of_its_rule() {
    let found = lint(&document_with_violations(), &LintConfig::new(Preset::Recommended));
    assert_eq!(
        serde_json::to_value(&found[0]).unwrap(),
        json!({
            "severity": "warning",
            "rule": "operation-summary",
            "pointer": LIST,
            "location": "operation listProjects",
            "message": "has no summary",
        })
    );
}

#[test]
fn suppression_applies_to_one_rule_at_one_location() {
    let document = document_with_violations();
    let config = LintConfig::new(Preset::Strict).with_suppression(suppression(Rule::ParameterCase, LIST));
    let error = Severity::Error;
    assert_eq!(rules(&lint(&document, &config)), [(Rule::OperationSummary, error), (Rule::TagDeclared, error)]);
}

#[test]
fn unused_suppressions_are_reported() {
    let config = strict().with_suppression(suppression(Rule::ArrayBounds, "/components/schemas/Owner"));
    let found = lint(&document(), &config);
    assert_eq!(
        found.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["error: suppression at \"/components/schemas/Owner\": suppresses no finding of array-bounds; remove it \
             [unused-suppression]"]
    );
    let config = config.with_severity(Rule::UnusedSuppression, Severity::Off);
    assert_eq!(lint(&document(), &config), []);
}

#[test]
fn options_change_what_a_rule_accepts() {
    let mut value = document().value().clone();
    let schemas = "/components/schemas";
    set(&mut value, &format!("{schemas}/Owner/properties/name/format"), json!("nick-name"));
    let page = format!("{schemas}/ProjectPage");
    let rows = value.pointer(&format!("{page}/properties/data")).cloned().unwrap();
    set(&mut value, &format!("{page}/properties/data"), Value::Null);
    set(&mut value, &format!("{page}/properties/rows"), rows);
    let document = Document::from_value(value).unwrap();
    let found = |options: LintOptions| {
        let config = LintConfig::new(Preset::Strict)
            .with_options(options)
            .with_severity(Rule::ExampleValid, Severity::Off)
            .with_severity(Rule::CompleteResponse, Severity::Off);
        lint(&document, &config).iter().map(|finding| finding.rule).collect::<Vec<_>>()
    };
    let page_parameters = Some(vec!["cursor".to_owned()]);
    assert_eq!(
        found(LintOptions { page_parameters: page_parameters.clone(), ..LintOptions::default() }),
        [Rule::KnownFormat]
    );
    let options = LintOptions {
        page_parameters,
        rows_property: "rows".to_owned(),
        formats: vec!["nick-name".to_owned()],
        ..LintOptions::default()
    };
    assert_eq!(found(options), [Rule::Pagination]);
}

//! Tests of the comparison as a whole.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use serde_json::json;

use super::fixture::{base, document};
use super::{Kind, RULES, bodies_tests, diff, operations_tests, schemas_tests};
use crate::fixture;

#[test]
fn every_rule_has_a_fixture() {
    let cases = [operations_tests::all(), bodies_tests::all(), schemas_tests::all()];
    let named: BTreeSet<&str> =
        cases.iter().flatten().flat_map(|case| case.forward.iter().chain(&case.backward)).copied().collect();
    let rules: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(named, rules);
}

#[test]
fn equal_documents_have_no_differences() {
    let base = document(&base());
    assert_eq!(diff(&base, &base), []);
    let finished = fixture::document();
    assert_eq!(diff(&finished, &finished), []);
}

#[test]
fn breaking_differences_come_first_and_serialize_to_json() {
    let mut changed = base();
    changed["paths"]["/lists"]["get"]["summary"] = json!("All.");
    changed["paths"]["/lists"]["get"]["responses"]["500"] = json!({"description": "d"});
    changed["components"]["schemas"]["List"]["properties"]["id"]["type"] = json!("string");
    let found = diff(&document(&base()), &document(&changed));
    let kinds: Vec<Kind> = found.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [Kind::Breaking, Kind::Additive, Kind::Neutral]);
    assert_eq!(
        serde_json::to_value(&found[0]).unwrap(),
        json!({
            "kind": "breaking",
            "rule": "type-changed",
            "operation": "GET /lists/{list_id}",
            "part": "response 200, application/json, id",
            "sentence": "List.id was integer and is string",
        })
    );
}

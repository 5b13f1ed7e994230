//! Validation of request bodies beyond their schemas: the password policy, and the rules of an import.

use contract::{Detail, payload::BodyRules, v2};
use openapi_model::Location;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use crate::domain::{Email, ImportRecordFacts, PasswordPolicy, import_violations};

/// Applies the rules of the services to bodies that do not match their schema, so that the response lists all violations.
pub struct RequestRules(pub PasswordPolicy);

impl BodyRules for RequestRules {
    fn violations(&self, operation: &str, body: &Value) -> Vec<Detail> {
        if operation == "createImport" {
            return import_details(body);
        }
        // Operations with the same ID have the same declaration in both versions.
        let declared = v2::document::operation(operation).and_then(|operation| operation.new_password);
        let Some(location) = declared else { return Vec::new() };
        let Some(password) = body.pointer(location).and_then(Value::as_str) else { return Vec::new() };
        let email = body["email"].as_str().and_then(|email| Email::parse(email).ok());
        let problems = self.0.problems(password, email.as_ref().map_or("", Email::key));
        problems.into_iter().map(|problem| detail(location.to_owned(), problem.code(), problem.to_string())).collect()
    }
}

fn import_details(body: &Value) -> Vec<Detail> {
    let records = body["records"].as_array().map(Vec::as_slice).unwrap_or_default();
    let facts: Vec<ImportRecordFacts> = records.iter().map(facts).collect();
    let pointer = |record: usize, field: &str| format!("/records/{record}/{field}");
    let found = import_violations(&facts).into_iter();
    found.map(|found| detail(pointer(found.record, found.field), found.code, found.message)).collect()
}

fn facts(record: &Value) -> ImportRecordFacts {
    // As validation does: texts are trimmed and normalized before their length is checked.
    let length = |field: &str| record[field].as_str().map_or(0, |text| text.trim().nfc().count());
    ImportRecordFacts {
        is_item: match record["type"].as_str() {
            Some("item") => Some(true),
            Some("bucketlist") => Some(false),
            _ => None,
        },
        id: record["id"].as_i64(),
        bucketlist_id: record["bucketlist_id"].as_i64().filter(|id| *id > 0),
        name_length: length("name"),
        description_length: length("description"),
        done: record["done"].as_bool(),
        has_done_at: !record["done_at"].is_null(),
        has_due_on: !record["due_on"].is_null(),
    }
}

fn detail(pointer: String, code: &'static str, message: String) -> Detail {
    Detail { location: Location::Body(pointer), code, message }
}

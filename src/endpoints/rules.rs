//! Validation of request bodies beyond their schemas: the password policy.

use contract::{Detail, payload::BodyRules, v2};
use openapi_model::Location;
use serde_json::Value;

use crate::domain::{Email, PasswordPolicy};

/// Applies the password policy to bodies that do not match their schema, so that the response lists all violations.
pub struct PasswordRules(pub PasswordPolicy);

impl BodyRules for PasswordRules {
    fn violations(&self, operation: &str, body: &Value) -> Vec<Detail> {
        // Operations with the same ID have the same declaration in both versions.
        let declared = v2::document::operation(operation).and_then(|operation| operation.new_password);
        let Some(location) = declared else { return Vec::new() };
        let Some(password) = body.pointer(location).and_then(Value::as_str) else { return Vec::new() };
        let email = body["email"].as_str().and_then(|email| Email::parse(email).ok());
        let problems = self.0.problems(password, email.as_ref().map_or("", Email::key));
        let detail =
            |location: &str, code, message| Detail { location: Location::Body(location.to_owned()), code, message };
        problems.into_iter().map(|problem| detail(location, problem.code(), problem.to_string())).collect()
    }
}

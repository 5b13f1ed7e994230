//! Validation of request bodies beyond their schemas: the password policy.

use contract::{Detail, payload::BodyRules};
use document::Location;
use serde_json::Value;

use crate::domain::{Email, PasswordPolicy};

/// Applies the password policy to bodies that do not match their schema, so that the response lists all violations.
pub struct PasswordRules(pub PasswordPolicy);

impl BodyRules for PasswordRules {
    fn violations(&self, operation: &str, body: &Value) -> Vec<Detail> {
        let field = match operation {
            "register" => "password",
            "changePassword" | "confirmPasswordReset" => "new_password",
            _ => return Vec::new(),
        };
        let Some(password) = body[field].as_str() else { return Vec::new() };
        let email = body["email"].as_str().and_then(|email| Email::parse(email).ok());
        let problems = self.0.problems(password, email.as_ref().map_or("", Email::key));
        let detail =
            |location: &str, code, message| Detail { location: Location::Body(location.to_owned()), code, message };
        let location = format!("/{field}");
        problems.into_iter().map(|problem| detail(&location, problem.code(), problem.to_string())).collect()
    }
}

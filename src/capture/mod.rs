//! Capture of failed requests: which failures are captured, how many, and how their records are encrypted.
//!
//! A request passes its exchange to the [`Recorder`] and never waits. The incident writer receives it from the
//! [`CaptureReceiver`], redacts it and stores it.

mod cipher;
mod filter;
mod recorder;
mod site;

pub use cipher::{DecryptError, RecordCipher};
pub use filter::{CaptureFilter, InvalidCaptureFilter};
pub use recorder::{CaptureLimits, CaptureReceiver, CaptureStats, FailureCounter, Recorder};
pub use site::error_site;

use incidents::{CommonPasswords, Redactor};
use secrecy::SecretString;

use crate::{
    build_info,
    domain::{common_passwords, is_common_password},
};

/// Creates the redactor of this server. Placeholders are derived from `secret`.
#[must_use]
pub fn redactor(secret: &SecretString) -> Redactor {
    let common = CommonPasswords { contains: is_common_password, list: || common_passwords().collect() };
    Redactor::new(secret, build_info::VERSION, common)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use contract::v2;
    use incidents::{ContractVersion, Exchange};
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{PasswordPolicy, PasswordProblem};

    /// An exchange of an operation of v2 with this request body.
    pub(super) fn exchange(operation: &str, body: &[u8]) -> Exchange {
        Exchange {
            request_id: "request-1".to_owned(),
            trace_id: None,
            received_at: 1,
            duration: 1,
            contract: Some(ContractVersion::V2),
            operation: v2::contract().operations().find(|known| known.id == operation),
            code: None,
            site: String::new(),
            principal: None,
            method: "POST".to_owned(),
            target: "/".to_owned(),
            headers: vec![("content-type".to_owned(), b"application/json".to_vec())],
            body: vec![Bytes::copy_from_slice(body)],
            is_body_truncated: false,
            status: 422,
            response_headers: vec![],
            response_body: Bytes::new(),
            is_response_truncated: false,
        }
    }

    #[test]
    fn placeholders_violate_the_same_password_rules() {
        let policy = PasswordPolicy { min_length: 8 };
        let codes = |problems: Vec<PasswordProblem>| -> Vec<_> { problems.iter().map(PasswordProblem::code).collect() };
        for (password, email) in [
            ("Demo-User@Firm.com", "demo-user@firm.com"),
            ("demo-user", "Demo-User@Firm.com"),
            ("password1", "password1@firm.com"),
            ("PASSWORD1", "someone@firm.com"),
            ("harbour-lantern-42", "someone@firm.com"),
            ("short", "someone@firm.com"),
            ("йцукенгш", "йцукенгш@firm.com"),
        ] {
            let expected = codes(policy.problems(password, &email.to_lowercase()));
            let body = json!({"password": password, "email": email}).to_string();
            let record = redactor(&"a key".into()).redact(&exchange("register", body.as_bytes())).record;
            let redacted: Value = serde_json::from_slice(&record.request.body.0).unwrap();
            assert_ne!(redacted["password"], password);
            let problems = policy
                .problems(redacted["password"].as_str().unwrap(), &redacted["email"].as_str().unwrap().to_lowercase());
            assert_eq!(codes(problems), expected, "{password} {email}: {redacted}");
        }
    }
}

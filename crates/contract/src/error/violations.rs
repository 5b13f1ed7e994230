//! The table of the codes in `errors[].code` (v2) and `details[].code` (v1): the rules that a value of a request can violate.
//!
//! Published codes do not change. Some of them are also [`ErrorCode`]s, whose page explains both.

use openapi_model::Location;

use super::{ApiError, Detail, ErrorCode};

/// A violation code, with the texts of its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViolationInfo {
    /// The code in responses.
    pub code: &'static str,
    /// The meaning of the code.
    pub meaning: &'static str,
    /// What the developer of a client can do.
    pub remedy: &'static str,
    /// The location of the example: a JSON pointer, or the name of a parameter or header.
    location: &'static str,
    /// The message of the example.
    message: &'static str,
}

const fn violation(
    code: &'static str,
    meaning: &'static str,
    remedy: &'static str,
    location: &'static str,
    message: &'static str,
) -> ViolationInfo {
    ViolationInfo { code, meaning, remedy, location, message }
}

impl ViolationInfo {
    /// All codes.
    pub const ALL: &'static [Self] = &[
        violation(
            "REQUIRED",
            "A required value is missing.",
            "Send the value. The operation lists required fields, parameters and headers.",
            "/name",
            "is required",
        ),
        violation(
            "UNKNOWN_FIELD",
            "The body contains a field that the operation does not have.",
            "Remove the field, or correct its spelling.",
            "/color",
            "is not a known field",
        ),
        violation(
            "UNKNOWN_PARAMETER",
            "The query contains a parameter that the operation does not have.",
            "Remove the parameter, or correct its spelling.",
            "color",
            "is not a known parameter",
        ),
        violation(
            "REPEATED",
            "A parameter that accepts a single value was sent more than once.",
            "Send the parameter once.",
            "page",
            "must be sent only once",
        ),
        violation(
            "WRONG_TYPE",
            "The type of the value differs from the schema, or the value is null where null is not allowed.",
            "Send a value of the type in the message. Numbers and booleans are not written in quotes.",
            "/done",
            "must be true or false",
        ),
        violation(
            "TOO_SHORT",
            "The text has fewer characters than allowed, not counting leading and trailing whitespace.",
            "Send a longer text. The message contains the minimum.",
            "/name",
            "must not be empty",
        ),
        violation(
            "TOO_LONG",
            "The text has more characters than allowed, counting leading and trailing whitespace.",
            "Shorten the text. The message contains the maximum.",
            "/name",
            "must have at most 100 characters",
        ),
        violation(
            "TOO_SMALL",
            "The number is below its minimum.",
            "Send a larger number. The message contains the allowed range.",
            "page",
            "must be an integer of at least 1",
        ),
        violation(
            "TOO_LARGE",
            "The number is above its maximum.",
            "Send a smaller number. The message contains the allowed range.",
            "page",
            "must be an integer between 1 and 2147483647",
        ),
        violation(
            "TOO_FEW",
            "The array or object has fewer members than allowed.",
            "Add members. The message contains the minimum.",
            "/items",
            "must have at least 1 item",
        ),
        violation(
            "TOO_MANY",
            "The array or object has more members than allowed.",
            "Divide the members among several requests. The message contains the maximum.",
            "/items",
            "must have at most 1000 items",
        ),
        violation(
            "NOT_UNIQUE",
            "The array contains a value more than once.",
            "Remove the duplicates.",
            "include",
            "must not contain duplicate items",
        ),
        violation(
            "INVALID_FORMAT",
            "The text does not have the required format, such as a date, an email address, an entity tag or a pattern.",
            "Send the value in the format of the message or the schema.",
            "/due_on",
            "must be a date such as 2026-12-31",
        ),
        violation(
            "INVALID_CHARACTERS",
            "The text contains control characters other than allowed line breaks and tabs, or is not valid UTF-8.",
            "Remove these characters, and encode the text as UTF-8.",
            "/name",
            "must not contain control characters or line breaks",
        ),
        violation(
            "NOT_ALLOWED",
            "The value is not one of the allowed values.",
            "Send one of the values in the message.",
            "/role",
            "must be one of: user, admin",
        ),
        violation(
            "TOO_COMMON",
            "The password is on a list of common passwords, or consists of the name of this service.",
            "Choose another password.",
            "/password",
            "must not be a common password or consist of the name of this service",
        ),
        violation(
            "IS_EMAIL",
            "The password is the email address of the account, or the part before the `@`.",
            "Choose another password.",
            "/password",
            "must not be the email address or the part before the `@`",
        ),
        violation(
            "WRONG_PASSWORD",
            "The current password is wrong.",
            "Send the current password of the account.",
            "/current_password",
            "does not match the current password",
        ),
        violation(
            "UNKNOWN_USER",
            "No account has this ID.",
            "List the users to get their IDs.",
            "/user_id",
            "must be the ID of an account",
        ),
        violation(
            "DISABLED_USER",
            "The account is disabled.",
            "Enable the account first, or send the ID of another one.",
            "/user_id",
            "must be the ID of an account that is not disabled",
        ),
        violation(
            "UNKNOWN_BUCKETLIST",
            "No bucketlist of the import has this ID.",
            "Send the bucketlist of an item in the same request.",
            "/records/1/bucketlist_id",
            "must be the ID of a bucketlist in the request",
        ),
        violation(
            "BUCKETLIST_NAME_TAKEN",
            "The name of a bucketlist in the import is taken.",
            "Send `on_conflict=rename` or `on_conflict=skip`, or rename one of the bucketlists.",
            "/records/0/name",
            "is the name of another bucketlist",
        ),
        violation(
            "INVALID_RESET_TOKEN",
            "The token of the password reset is unknown, expired or already used.",
            "Request another password reset.",
            "/token",
            "is unknown, expired or already used",
        ),
        violation(
            "IDEMPOTENCY_KEY_REUSED",
            "The idempotency key was used for a different request.",
            "Use a new key for each request.",
            "Idempotency-Key",
            "was used for a different request",
        ),
    ];

    /// Returns an error with an example of the violation.
    #[must_use]
    pub fn example(&self) -> ApiError {
        let name = self.location.to_owned();
        let location = match self.location.chars().next() {
            Some('/') => Location::Body(name),
            Some(first) if first.is_ascii_uppercase() => Location::Header(name),
            _ => Location::Query(name),
        };
        ApiError::invalid(vec![Detail { location, code: self.code, message: self.message.to_owned() }])
    }

    /// Returns whether the page of an error code explains this code too.
    #[must_use]
    pub fn is_error_code(&self) -> bool {
        ErrorCode::ALL.iter().any(|code| code.as_str() == self.code)
    }

    /// Returns the entry of a code.
    #[must_use]
    pub fn find(code: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|known| known.code == code)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use openapi_model::ViolationCode;

    use super::*;

    #[test]
    fn every_code_of_a_violation_is_documented_once() {
        let codes: BTreeSet<&str> = ViolationInfo::ALL.iter().map(|known| known.code).collect();
        assert_eq!(codes.len(), ViolationInfo::ALL.len());
        for code in ViolationCode::ALL {
            assert!(codes.contains(code.as_str()), "{code}");
        }
        for known in ViolationInfo::ALL {
            for sentence in [known.meaning, known.remedy] {
                assert!(sentence.len() > 10 && sentence.ends_with('.'), "{}: {sentence}", known.code);
            }
        }
    }
}

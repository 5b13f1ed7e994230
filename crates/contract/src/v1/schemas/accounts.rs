//! Registration, login, sessions and passwords.

use std::{borrow::Cow, fmt};

use poem_openapi::{
    Enum, Object,
    registry::{MetaSchema, MetaSchemaRef},
    types::{Example, ParseError, ParseFromJSON, ParseResult, ToJSON, Type},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::User;
use crate::values::EmailAddress;

/// A secret in a request: a password, a refresh token or a password reset token. Never logged, never normalized.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Returns the secret.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        Self(secret.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Type for Secret {
    const IS_REQUIRED: bool = true;
    type RawValueType = String;
    type RawElementValueType = String;

    fn name() -> Cow<'static, str> {
        "string_password".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "password")))
    }

    fn as_raw_value(&self) -> Option<&String> {
        Some(&self.0)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a String> + 'a> {
        Box::new(std::iter::once(&self.0))
    }
}

impl ToJSON for Secret {
    /// Used for examples only.
    fn to_json(&self) -> Option<Value> {
        Some(Value::String(self.0.clone()))
    }
}

impl ParseFromJSON for Secret {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        serde_json::from_value(value.unwrap_or_default()).map_err(ParseError::custom)
    }
}

impl Example for Secret {
    fn example() -> Self {
        Self("bucketlist-demo".into())
    }
}

/// A new account.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct Registration {
    /// Email address, unique. The comparison is case-insensitive.
    pub email: EmailAddress,
    /// Password, 8 to 128 characters; a server can set a higher minimum. Common passwords and the email address are rejected.
    #[oai(validator(min_length = 8, max_length = 128))]
    pub password: Secret,
    /// Display name, 1 to 100 characters, at least one of them visible. Default: the part of the email address before the `@`.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: Option<String>,
}

example! { Registration {
    email: "grace@example.com".into(), password: "harbour-lantern-42".into(), name: Some("Grace".into()),
} }

/// Email address and password.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct Credentials {
    /// Email address of the account.
    pub email: EmailAddress,
    /// Password of the account.
    #[oai(validator(min_length = 1, max_length = 128))]
    pub password: Secret,
}

example! { Credentials { email: "demo@example.com".into(), password: Secret::example() } }

/// A request to refresh a session.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct SessionRefresh {
    /// Refresh token of the latest response, valid for one use.
    #[oai(validator(min_length = 1, max_length = 128))]
    pub refresh_token: Secret,
}

example! { SessionRefresh { refresh_token: EXAMPLE_REFRESH_TOKEN.into() } }

const EXAMPLE_REFRESH_TOKEN: &str = "kJ3v0m7wq2Yx5sT8uB1nR4cE6gH9aZ0dF2iL5oP8qWs";

/// Type of an access token (RFC 6750).
#[derive(Clone, Copy, Debug, Enum, Serialize)]
pub enum TokenType {
    /// Send the token as `Authorization: Bearer <access_token>`.
    Bearer,
}

/// A session with its tokens and their lifetimes.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct AuthSession {
    /// Access token, a JWT. Send it as `Authorization: Bearer <access_token>`.
    #[oai(validator(max_length = 4096))]
    pub access_token: String,
    /// Type of the access token.
    pub token_type: TokenType,
    /// Lifetime of the access token in seconds.
    #[oai(validator(minimum(value = "1")))]
    pub expires_in: i64,
    /// Refresh token, opaque. Exchange it for new tokens with `refreshSession`.
    #[oai(validator(max_length = 128))]
    pub refresh_token: String,
    /// Lifetime of the refresh token in seconds.
    #[oai(validator(minimum(value = "1")))]
    pub refresh_expires_in: i64,
    /// The user of the session.
    pub user: User,
}

example! { AuthSession {
    access_token: "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIyIn0.c2lnbmF0dXJl".into(),
    token_type: TokenType::Bearer, expires_in: 900, refresh_token: EXAMPLE_REFRESH_TOKEN.into(),
    refresh_expires_in: 2_592_000, user: User::example(),
} }

/// A new password for your account.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct PasswordChange {
    /// Current password.
    #[oai(validator(min_length = 1, max_length = 128))]
    pub current_password: Secret,
    /// New password, 8 to 128 characters; a server can set a higher minimum. Common passwords and the email address are rejected.
    #[oai(validator(min_length = 8, max_length = 128))]
    pub new_password: Secret,
}

example! { PasswordChange { current_password: Secret::example(), new_password: "harbour-lantern-42".into() } }

/// A request for a password reset email.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct PasswordResetRequest {
    /// Email address of the account.
    pub email: EmailAddress,
}

example! { PasswordResetRequest { email: "demo@example.com".into() } }

/// A new password with the token from a password reset email.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct PasswordReset {
    /// Token from the email.
    #[oai(validator(min_length = 1, max_length = 128))]
    pub token: Secret,
    /// New password, 8 to 128 characters; a server can set a higher minimum. Common passwords and the email address are rejected.
    #[oai(validator(min_length = 8, max_length = 128))]
    pub new_password: Secret,
}

example! { PasswordReset { token: EXAMPLE_REFRESH_TOKEN.into(), new_password: "harbour-lantern-42".into() } }

//! Registering, proving who one is, sessions and passwords.

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

/// A secret the caller sends: a password, a refresh token, a mailed token. Never printed, taken exactly as sent.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Password {
    fn from(secret: &str) -> Self {
        Self(secret.to_owned())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Type for Password {
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

impl ToJSON for Password {
    /// Only examples are ever written.
    fn to_json(&self) -> Option<Value> {
        Some(Value::String(self.0.clone()))
    }
}

impl ParseFromJSON for Password {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        serde_json::from_value(value.unwrap_or_default()).map_err(ParseError::custom)
    }
}

impl Example for Password {
    fn example() -> Self {
        Self("bucketlist-demo".into())
    }
}

/// What to make an account from.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct Registration {
    /// Where mail goes; unique, compared without case.
    pub email: EmailAddress,
    /// 8 to 128 characters of any kind (the server may ask for more), not a common password and not the email address.
    #[oai(validator(min_length = 8, max_length = 128))]
    pub password: Password,
    /// What to call the user; left out, the part of the email address before the `@`.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: Option<String>,
}

impl Example for Registration {
    fn example() -> Self {
        Self { email: "grace@example.com".into(), password: "harbour-lantern-42".into(), name: Some("Grace".into()) }
    }
}

/// Proves who one is.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct Credentials {
    /// The account's email address.
    pub email: EmailAddress,
    /// The account's password.
    #[oai(validator(min_length = 1, max_length = 128))]
    pub password: Password,
}

impl Example for Credentials {
    fn example() -> Self {
        Self { email: "demo@example.com".into(), password: Password::example() }
    }
}

/// Continues a session.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct SessionRefresh {
    /// The refresh token of the last answer; each is good for one use.
    #[oai(validator(min_length = 1, max_length = 128))]
    pub refresh_token: Password,
}

impl Example for SessionRefresh {
    fn example() -> Self {
        Self { refresh_token: EXAMPLE_REFRESH_TOKEN.into() }
    }
}

const EXAMPLE_REFRESH_TOKEN: &str = "kJ3v0m7wq2Yx5sT8uB1nR4cE6gH9aZ0dF2iL5oP8qWs";

/// How an access token is sent (RFC 6750).
#[derive(Clone, Copy, Debug, Enum, Serialize)]
pub enum TokenType {
    /// As `Authorization: Bearer <access_token>`.
    Bearer,
}

/// A session: what to authenticate with, and for how long.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct AuthSession {
    /// A JWT; send it as `Authorization: Bearer <access_token>`.
    #[oai(validator(max_length = 4096))]
    pub access_token: String,
    /// How to send the access token.
    pub token_type: TokenType,
    /// Seconds until the access token ends.
    #[oai(validator(minimum(value = "1")))]
    pub expires_in: i64,
    /// Opaque; exchange it for the next session with `refreshSession`.
    #[oai(validator(max_length = 128))]
    pub refresh_token: String,
    /// Seconds until the refresh token ends.
    #[oai(validator(minimum(value = "1")))]
    pub refresh_expires_in: i64,
    /// Whose session it is.
    pub user: User,
}

impl Example for AuthSession {
    fn example() -> Self {
        Self {
            access_token: "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIyIn0.c2lnbmF0dXJl".into(),
            token_type: TokenType::Bearer,
            expires_in: 900,
            refresh_token: EXAMPLE_REFRESH_TOKEN.into(),
            refresh_expires_in: 2_592_000,
            user: User::example(),
        }
    }
}

/// A new password for the account that is logged in.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct PasswordChange {
    /// The password until now.
    #[oai(validator(min_length = 1, max_length = 128))]
    pub current_password: Password,
    /// The password from now on: 8 to 128 characters of any kind, not a common password and not the email address.
    #[oai(validator(min_length = 8, max_length = 128))]
    pub new_password: Password,
}

impl Example for PasswordChange {
    fn example() -> Self {
        Self { current_password: Password::example(), new_password: "harbour-lantern-42".into() }
    }
}

/// Asks for a mail with a single-use token.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct PasswordResetRequest {
    /// The account's email address.
    pub email: EmailAddress,
}

impl Example for PasswordResetRequest {
    fn example() -> Self {
        Self { email: "demo@example.com".into() }
    }
}

/// A new password for the account that was mailed a token.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct PasswordReset {
    /// The token from the mail.
    #[oai(validator(min_length = 1, max_length = 128))]
    pub token: Password,
    /// The password from now on: 8 to 128 characters of any kind, not a common password and not the email address.
    #[oai(validator(min_length = 8, max_length = 128))]
    pub new_password: Password,
}

impl Example for PasswordReset {
    fn example() -> Self {
        Self { token: EXAMPLE_REFRESH_TOKEN.into(), new_password: "harbour-lantern-42".into() }
    }
}

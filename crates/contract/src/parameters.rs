//! Types of query parameters that several lists use.

use std::borrow::Cow;

use poem_openapi::{
    Enum,
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    operation::{Argument, ArgumentKind},
    values::scalar,
};

/// Declares a parameter that is a string with a schema. Surrounding whitespace is removed.
macro_rules! text_parameter {
    ($(#[$doc:meta])* $name:ident { $($schema:tt)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        scalar!($name, MetaSchema { $($schema)*, ..MetaSchema::new("string") });

        impl ParseFromParameter for $name {
            fn parse_from_parameter(value: &str) -> ParseResult<Self> {
                Ok(Self(value.trim().to_owned()))
            }
        }
    };
}

/// Position in a list, opaque for clients.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

scalar!(@type Cursor, MetaSchema { max_length: Some(2000), ..MetaSchema::new("string") });

impl Argument for Cursor {
    const KIND: ArgumentKind = ArgumentKind::Cursor;
}

impl ParseFromParameter for Cursor {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        Ok(Self(value.to_owned()))
    }
}

/// Maximum number of results per page, before it is capped at 100.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct PerPage(pub i32);

scalar!(
    PerPage,
    MetaSchema {
        minimum: Some(1.0),
        maximum: Some(2_147_483_647.0),
        ..MetaSchema::new_with_format("integer", "int32")
    }
);

impl ParseFromParameter for PerPage {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        value.parse().map(Self).map_err(ParseError::custom)
    }
}

text_parameter! {
    /// An operation ID, an error code or a request ID.
    Token {
        min_length: Some(1),
        max_length: Some(128),
        pattern: Some("^[A-Za-z0-9._-]+$".to_owned())
    }
}

text_parameter! {
    /// A consumer or a kind of consumers.
    ConsumerName {
        min_length: Some(1),
        max_length: Some(200),
        pattern: Some("^(api_client|user|anonymous|(api_client|user):[1-9][0-9]{0,17}|anonymous:.+)$".to_owned())
    }
}

text_parameter! {
    /// Fingerprint of an incident.
    Fingerprint {
        min_length: Some(24),
        max_length: Some(24),
        pattern: Some("^[0-9a-f]{24}$".to_owned())
    }
}

text_parameter! {
    /// Field to sort by, with `-` for descending order. A pattern instead of an enum, because client generators create the
    /// same identifier for `name` and `-name`.
    Sort {
        max_length: Some(20),
        pattern: Some("^-?(created_at|updated_at|name)$".to_owned())
    }
}

text_parameter! {
    /// Sort order of a list with timestamps. A pattern for the same reason as [`Sort`].
    TimeSort {
        max_length: Some(20),
        pattern: Some("^-?created_at$".to_owned())
    }
}

text_parameter! {
    /// Sort order of incident groups. A pattern for the same reason as [`Sort`].
    IncidentGroupSort {
        max_length: Some(20),
        pattern: Some("^-?(first_seen_at|last_seen_at)$".to_owned())
    }
}

text_parameter! {
    /// Sort order of usage. A pattern for the same reason as [`Sort`].
    UsageSort {
        max_length: Some(20),
        pattern: Some("^-requests$".to_owned())
    }
}

/// Additional data of a list.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub enum Include {
    /// The total number of results.
    Total,
}

impl Argument for Include {}
